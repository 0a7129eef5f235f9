/* SPDX-License-Identifier: MIT */
/*
 * condition.h - waiting, under a lock, for something to become true
 *
 *     err = aio_condition_enter(cond);
 *     if (err < 0)
 *         return err;
 *     err = aio_condition_wait_for(cond, has_work, pool);
 *     if (err == 0)
 *         take_work(pool);
 *     return aio_condition_exit(cond, err);
 *
 * Waiting lets go of the lock and takes it back, so that between two waits nobody else is
 * inside. "Held" means held by anybody: the lock knows no owner. It belongs to the loop of
 * the first task that waits on it.
 */
#ifndef AIO_CONDITION_H
#define AIO_CONDITION_H

#include <aio/lock.h>

AIO_BEGIN_DECLS

typedef struct aio_condition aio_condition;

/**
 * Says whether what somebody waits for is true. Called with the lock held.
 *
 * @return Above 0 for true, 0 for false, or a negative code that ends the wait.
 */
typedef int (*aio_predicate_fn)(void *arg);

/**
 * Make a condition with a lock of its own.
 *
 * @return Returned: aio_condition_unref() it. NULL when memory is short; acquiring that NULL
 *         gives the code.
 * Suspends: no.   Thread: any.   asyncio: asyncio.Condition()    Since: 0.1
 */
AIO_API aio_condition *aio_condition_new(void);
/**
 * Make a condition over a lock that exists, and that other conditions may use as well.
 *
 * @param lock  Kept. NULL, a lock that could not be made, makes this fail likewise.
 * Otherwise as aio_condition_new().   asyncio: asyncio.Condition(lock)   Since: 0.1
 */
AIO_API aio_condition *aio_condition_new_with(aio_lock *lock);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_condition *aio_condition_ref(aio_condition *cond);
/** Drop a reference; NULL is allowed. Tasks that wait hold one each. Since: 0.1 */
AIO_API void aio_condition_unref(aio_condition *cond);
AIO_DEFINE_AUTO(aio_condition)

/** The lock, borrowed; NULL for NULL. Since: 0.1 */
AIO_API aio_lock *aio_condition_lock(const aio_condition *cond);
/** Take the lock: aio_lock_acquire().   asyncio: Condition.acquire()   Since: 0.1 */
AIO_API int aio_condition_acquire(aio_condition *cond);
/** Let go of the lock: aio_lock_release().   asyncio: Condition.release()   Since: 0.1 */
AIO_API int aio_condition_release(aio_condition *cond);
/** Whether the lock is held; false for NULL.   asyncio: Condition.locked()   Since: 0.1 */
AIO_API bool aio_condition_locked(const aio_condition *cond);
/** Begin a block that holds the lock: aio_lock_enter().
 *  asyncio: Condition.__aenter__()   Since: 0.1 */
AIO_API int aio_condition_enter(aio_condition *cond);
/** End the block: aio_lock_exit().   asyncio: Condition.__aexit__()   Since: 0.1 */
AIO_API int aio_condition_exit(aio_condition *cond, int code);

/**
 * Let go of the lock, wait for a notification, and take the lock back.
 *
 * It may return without a cause, when another waiter that was notified has left by an
 * error: look again at what you wait for, or use aio_condition_wait_for().
 *
 * @return 0, or a negative code. The lock is held again in any case but the last.
 *   AIO_ERUNTIME        the lock was not held, or tasks of another loop have waited; nothing
 *                       has changed
 *   AIO_ENOTASK, AIO_ENOLOOP, AIO_ENOMEM  likewise nothing has changed
 *   AIO_ECANCELLED      the calling task was cancelled; a cancellation that comes while the
 *                       lock is being taken back does not cut that short, and of several the
 *                       last one counts
 *   AIO_EGENERATOREXIT  the loop is being closed
 *
 * Suspends:            always
 * Cancellation point:  yes
 * Thread:              the loop's
 * asyncio:             Condition.wait()                          Since: 0.1
 */
AIO_API int aio_condition_wait(aio_condition *cond);

/**
 * Wait until a predicate is true: look, and while it is false wait and look again.
 *
 * @param predicate  Called at once, and after each notification.
 * @param arg        Borrowed for the call.
 * @return 0 once @p predicate has given more than 0; what it gave if that is negative;
 *         AIO_EVALUE without a predicate; else as aio_condition_wait().
 *
 * Suspends:            only while @p predicate gives 0
 * Cancellation point:  whenever it suspends
 * asyncio:             Condition.wait_for()                      Since: 0.1
 */
AIO_API int aio_condition_wait_for(aio_condition *cond, aio_predicate_fn predicate, void *arg);

/**
 * Wake up to @p count of those who wait, first come, first served. They go on one by one
 * when the lock is let go of.
 *
 * @return 0, or AIO_ERUNTIME if the lock is not held.
 * Suspends: no.   asyncio: Condition.notify()                    Since: 0.1
 */
AIO_API int aio_condition_notify(aio_condition *cond, size_t count);
/** Wake all who wait; AIO_ERUNTIME if the lock is not held.
 *  asyncio: Condition.notify_all()   Since: 0.1 */
AIO_API int aio_condition_notify_all(aio_condition *cond);

AIO_END_DECLS

#endif
