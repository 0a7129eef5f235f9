/* SPDX-License-Identifier: MIT */
/*
 * wait.h - waiting for several futures, waiting with a limit, waiting without passing
 * cancellation on
 */
#ifndef AIO_WAIT_H
#define AIO_WAIT_H

#include <aio/task.h>

AIO_BEGIN_DECLS

/** When aio_wait() returns. */
typedef enum aio_return_when {
    AIO_ALL_COMPLETED,   /**< when all are done */
    AIO_FIRST_COMPLETED, /**< as soon as one is done */
    AIO_FIRST_EXCEPTION  /**< as soon as one failed; being cancelled does not count */
} aio_return_when;

/**
 * Wait until some or all futures are done. It raises none of their errors, and cancels none
 * of them, also when the timeout passes or the caller is cancelled. It suspends at least
 * once. Afterwards aio_future_done() tells the done from the pending.
 *
 * @param futs            @p count of them, borrowed and held during the wait; duplicates
 *                        count once.
 * @param timeout         Seconds; AIO_FOREVER: none.
 * @param[out] ret_done   How many of the distinct futures are done; may be NULL.
 * @return 0, also when the timeout passed, or a negative code:
 *   AIO_EVALUE      no futures, a timeout of NaN, or a bad @p when
 *   AIO_ETYPE       a coroutine object is among them: make it a task first
 *   AIO_ERUNTIME    a future of another loop
 *   AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM
 * Suspends: always.   Cancellation point: yes.   asyncio: asyncio.wait()   Since: 0.1
 */
AIO_API int aio_wait(aio_future *const *futs, size_t count, double timeout, aio_return_when when,
                     size_t *ret_done);

/**
 * Wait until a future is done, but no longer than a timeout.
 *
 * When the timeout passes, @p fut is cancelled and the call waits for it to end, so it can
 * return later than the timeout says. What @p fut then gives, if it does not end cancelled,
 * is the outcome.
 *
 * @param fut             Borrowed; held during the wait. A coroutine object runs in the
 *                        calling task; with @p timeout <= 0 it never starts.
 * @param timeout         Seconds from now on the loop's clock. 0 and less cancel at once
 *                        unless @p fut is done; AIO_FOREVER never does. NaN is AIO_EVALUE.
 * @param[out] ret_value  The result, borrowed from @p fut. Written on success only. May be
 *                        NULL.
 * @return 0, or a negative code:
 *   AIO_ETIMEDOUT   the timeout passed and @p fut ended cancelled
 *   AIO_ECANCELLED  the calling task was cancelled, and @p fut with it
 *   AIO_ENOTASK     called outside a task; nothing has changed
 *   any other       the error @p fut ended with
 * Suspends: only while @p fut is not done.   Cancellation point: whenever it suspends.
 * asyncio: asyncio.wait_for()                                    Since: 0.1
 */
AIO_API int aio_wait_for(aio_future *fut, double timeout, void **ret_value) AIO_MUST_CHECK;

/**
 * Shield something from being cancelled by those who wait for it.
 *
 * @param awaitable  Kept; a coroutine object becomes a task.
 * @return Returned: a future that ends as @p awaitable does, and can be cancelled without
 *         it; @p awaitable itself, with one more reference, if that is done already. An
 *         error that comes after such a cancel is reported to the exception handler. NULL
 *         on failure.
 * Suspends: no.   asyncio: asyncio.shield()                      Since: 0.1
 */
AIO_API aio_future *aio_shield(aio_future *awaitable);

AIO_END_DECLS

#endif
