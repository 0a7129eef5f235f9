/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a lock for tasks
 *
 *     err = aio_lock_enter(lock);
 *     if (err < 0)
 *         return err;
 *     err = change_what_it_guards();
 *     return aio_lock_exit(lock, err);
 *
 * Fair: tasks get it in the order in which they asked. Not owned: any task, or a plain
 * callback, may release it. Not re-entrant. It belongs to the loop of the first task that
 * has to wait for it.
 */
#ifndef AIO_LOCK_H
#define AIO_LOCK_H

#include <aio/error.h>

AIO_BEGIN_DECLS

typedef struct aio_lock aio_lock;

/**
 * Make a lock, unlocked.
 *
 * @return Returned: aio_lock_unref() it. NULL when memory is short; acquiring that NULL gives
 *         the code.
 * Suspends: no.   Thread: any.   asyncio: asyncio.Lock()         Since: 0.1
 */
AIO_API aio_lock *aio_lock_new(void);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_lock *aio_lock_ref(aio_lock *lock);
/** Drop a reference; NULL is allowed. Tasks that wait hold one each. Since: 0.1 */
AIO_API void aio_lock_unref(aio_lock *lock);
AIO_DEFINE_AUTO(aio_lock)

/**
 * Take the lock, waiting behind all who asked before.
 *
 * @return 0, or a negative code, and the lock is then not taken:
 *   AIO_ECANCELLED  the calling task was cancelled; a turn that was already its own has
 *                   gone to the next in line
 *   AIO_ENOTASK, AIO_ENOLOOP  it is not free, and only a task can wait
 *   AIO_ERUNTIME    it is not free, and tasks of another loop have waited for it
 *   AIO_ENOMEM      it is not free, and memory is short
 *
 * Suspends:            only while it is held, or others are ahead in line
 * Cancellation point:  whenever it suspends
 * Thread:              the loop's
 * asyncio:             Lock.acquire()                            Since: 0.1
 */
AIO_API int aio_lock_acquire(aio_lock *lock);

/**
 * Let go of the lock and wake the first in line, who has it once it runs. Until then the
 * lock shows unlocked, yet nobody can overtake.
 *
 * @return 0, or AIO_ERUNTIME if it is not locked.
 * Suspends: no.   asyncio: Lock.release()                        Since: 0.1
 */
AIO_API int aio_lock_release(aio_lock *lock);

/** Whether it is held; false for NULL.   asyncio: Lock.locked()   Since: 0.1 */
AIO_API bool aio_lock_locked(const aio_lock *lock);

/** Begin a block that holds the lock: aio_lock_acquire().
 *  asyncio: Lock.__aenter__()   Since: 0.1 */
AIO_API int aio_lock_enter(aio_lock *lock);

/**
 * End the block: release, whatever the body ended with.
 *
 * @param code  What the body ended with: 0 or a negative code.
 * @return @p code, or AIO_ERUNTIME if the lock is not locked any more.
 * Suspends: no.   asyncio: Lock.__aexit__()                      Since: 0.1
 */
AIO_API int aio_lock_exit(aio_lock *lock, int code);

AIO_END_DECLS

#endif
