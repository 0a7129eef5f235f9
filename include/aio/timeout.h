/* SPDX-License-Identifier: MIT */
/*
 * timeout.h - a limit in time for a block of code
 *
 *     AIO_AUTO(aio_timeout) limit = aio_timeout_new(1.5);
 *
 *     err = aio_timeout_enter(limit);
 *     if (err < 0)
 *         return err;
 *     err = talk_to_peer();
 *     err = aio_timeout_exit(limit, err);
 *
 * At the deadline the task is cancelled, once; leaving the block turns that cancellation,
 * and no other, into AIO_ETIMEDOUT.
 */
#ifndef AIO_TIMEOUT_H
#define AIO_TIMEOUT_H

#include <aio/task.h>

AIO_BEGIN_DECLS

typedef struct aio_timeout aio_timeout;

/**
 * Make a limit of some seconds from now; it counts once it is entered.
 *
 * @param delay  Seconds from this call on. 0 and less: the block's first wait fails.
 *               AIO_FOREVER: no limit yet. NaN makes entering fail with AIO_EVALUE.
 * @return Returned: aio_timeout_unref() it. NULL when memory is short or no loop runs;
 *         entering that NULL gives the code.
 * Suspends: no.   asyncio: asyncio.timeout()                     Since: 0.1
 */
AIO_API aio_timeout *aio_timeout_new(double delay);
/** The same with an absolute time of aio_loop_time().   asyncio: asyncio.timeout_at()   Since: 0.1 */
AIO_API aio_timeout *aio_timeout_new_at(double when);

/** Take another reference. Since: 0.1 */
AIO_API aio_timeout *aio_timeout_ref(aio_timeout *timeout);
/** Drop a reference; NULL is allowed. One that is entered is held by its task. Since: 0.1 */
AIO_API void aio_timeout_unref(aio_timeout *timeout);
AIO_DEFINE_AUTO(aio_timeout)

/**
 * Begin the block.
 *
 * @return 0, AIO_ERUNTIME if it was entered before, AIO_ENOTASK, AIO_ENOMEM, AIO_EVALUE.
 * Suspends: no.   asyncio: Timeout.__aenter__()                  Since: 0.1
 */
AIO_API int aio_timeout_enter(aio_timeout *timeout);

/**
 * End the block.
 *
 * @param code  What the body ended with: 0 or a negative code.
 * @return The block's outcome: AIO_ETIMEDOUT if the deadline passed and the body ended with
 *         the cancellation that it caused, else @p code. AIO_ERUNTIME if it is not entered.
 * Suspends: no.   asyncio: Timeout.__aexit__()                   Since: 0.1
 */
AIO_API int aio_timeout_exit(aio_timeout *timeout, int code);

/**
 * Move the deadline.
 *
 * @param when  Absolute loop time; not in the future: the next iteration. AIO_FOREVER: none.
 * @return 0, AIO_ERUNTIME unless inside the block and not expired, AIO_ENOMEM, AIO_EVALUE.
 * Suspends: no.   asyncio: Timeout.reschedule()                  Since: 0.1
 */
AIO_API int aio_timeout_reschedule(aio_timeout *timeout, double when);
/** The deadline in loop time; AIO_FOREVER: none.   asyncio: Timeout.when()   Since: 0.1 */
AIO_API double aio_timeout_when(const aio_timeout *timeout);
/** Whether the deadline passed inside the block, even if no AIO_ETIMEDOUT came of it.
 *  asyncio: Timeout.expired()   Since: 0.1 */
AIO_API bool aio_timeout_expired(const aio_timeout *timeout);

AIO_END_DECLS

#endif
