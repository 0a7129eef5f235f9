/* SPDX-License-Identifier: MIT */
/*
 * semaphore.h - a number of units that tasks take and give back
 *
 *     err = aio_semaphore_enter(connections);
 *     if (err < 0)
 *         return err;
 *     err = use_one_connection();
 *     return aio_semaphore_exit(connections, err);
 *
 * Fair: units go to tasks in the order in which they asked. Any task, or a plain callback,
 * may give one back. It belongs to the loop of the first task that has to wait for it.
 */
#ifndef AIO_SEMAPHORE_H
#define AIO_SEMAPHORE_H

#include <aio/error.h>

AIO_BEGIN_DECLS

/** A Semaphore or a BoundedSemaphore. */
typedef struct aio_semaphore aio_semaphore;

/**
 * Make a semaphore.
 *
 * @param value  Units it starts with, at least 0; asyncio's default is 1.
 * @return Returned: aio_semaphore_unref() it. NULL when memory is short, and with AIO_EVALUE
 *         for a negative value; acquiring that NULL gives the code.
 * Suspends: no.   Thread: any.   asyncio: asyncio.Semaphore(value)   Since: 0.1
 */
AIO_API aio_semaphore *aio_semaphore_new(long value);
/** Make one that refuses to have more units than it started with.
 *  asyncio: asyncio.BoundedSemaphore(value)   Since: 0.1 */
AIO_API aio_semaphore *aio_bounded_semaphore_new(long value);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_semaphore *aio_semaphore_ref(aio_semaphore *sem);
/** Drop a reference; NULL is allowed. Tasks that wait hold one each. Since: 0.1 */
AIO_API void aio_semaphore_unref(aio_semaphore *sem);
AIO_DEFINE_AUTO(aio_semaphore)

/**
 * Take a unit, waiting behind all who asked before.
 *
 * @return 0, or a negative code, and no unit is then taken:
 *   AIO_ECANCELLED  the calling task was cancelled; a unit that was already its own has
 *                   gone to the next in line
 *   AIO_ENOTASK, AIO_ENOLOOP  none is free, and only a task can wait
 *   AIO_ERUNTIME    none is free, and tasks of another loop have waited for one
 *   AIO_ENOMEM      none is free, and memory is short
 *
 * Suspends:            only while none is free, or others are ahead in line
 * Cancellation point:  whenever it suspends
 * Thread:              the loop's
 * asyncio:             Semaphore.acquire()                       Since: 0.1
 */
AIO_API int aio_semaphore_acquire(aio_semaphore *sem);

/**
 * Give a unit: to the first in line, whose it is from now on, or to the semaphore.
 *
 * @return 0, or AIO_EVALUE, and nothing has changed, if it has all the units it may have:
 *         those it started with if it is bounded, else LONG_MAX.
 * Suspends: no.   asyncio: Semaphore.release(), BoundedSemaphore.release()   Since: 0.1
 */
AIO_API int aio_semaphore_release(aio_semaphore *sem);

/** Whether acquiring would wait: no unit is left, or somebody is ahead in line. false for
 *  NULL.   asyncio: Semaphore.locked()   Since: 0.1 */
AIO_API bool aio_semaphore_locked(const aio_semaphore *sem);

/** Begin a block that holds a unit: aio_semaphore_acquire().
 *  asyncio: Semaphore.__aenter__()   Since: 0.1 */
AIO_API int aio_semaphore_enter(aio_semaphore *sem);

/**
 * End the block: give the unit back, whatever the body ended with.
 *
 * @param code  What the body ended with: 0 or a negative code.
 * @return @p code, or the code of aio_semaphore_release() if that fails.
 * Suspends: no.   asyncio: Semaphore.__aexit__()                 Since: 0.1
 */
AIO_API int aio_semaphore_exit(aio_semaphore *sem, int code);

AIO_END_DECLS

#endif
