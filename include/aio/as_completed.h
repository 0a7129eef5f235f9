/* SPDX-License-Identifier: MIT */
/*
 * as_completed.h - outcomes in the order in which they come
 */
#ifndef AIO_AS_COMPLETED_H
#define AIO_AS_COMPLETED_H

#include <aio/iterator.h>
#include <aio/task.h>

AIO_BEGIN_DECLS

/** An iteration over futures in the order of their ends. */
typedef struct aio_as_completed aio_as_completed;

/**
 * Start all awaitables and iterate over them as they are done. Duplicates count once.
 *
 *     aio_as_completed *it = aio_as_completed_new(tasks, n, AIO_FOREVER);
 *     while ((err = aio_as_completed_next(it, &fut)) == 0)
 *         ...
 *     if (err == AIO_ESTOP) ...
 *
 * @param awaitables  Kept; coroutine objects become tasks at once.
 * @param timeout     Seconds for the whole iteration; AIO_FOREVER: none. Nothing is
 *                    cancelled when it passes.
 * @return Returned: aio_as_completed_unref() it. NULL on failure.
 * Suspends: no.   asyncio: asyncio.as_completed()                Since: 0.1
 */
AIO_API aio_as_completed *aio_as_completed_new(aio_future *const *awaitables, size_t count,
                                               double timeout);
/** Drop it; futures not handed out go on. NULL is allowed. Since: 0.1 */
AIO_API void aio_as_completed_unref(aio_as_completed *iterator);
AIO_DEFINE_AUTO(aio_as_completed)

/**
 * Wait for the next future to be done: `async for`.
 *
 * @param[out] ret_fut  One of the awaitables, borrowed from the iterator. May be
 *                      NULL.
 * @return 0, AIO_ESTOP when all were handed out, AIO_ETIMEDOUT for each that was not done
 *         in time, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.
 * Suspends: while none is done.   Cancellation point: whenever it suspends.
 * asyncio: `async for fut in as_completed()`                     Since: 0.1
 */
AIO_API int aio_as_completed_next(aio_as_completed *iterator, aio_future **ret_fut);

/**
 * Wait for the next future and give its outcome: one turn of the plain `for`, and the await
 * in its body.
 *
 * @param[out] ret_value  Borrowed from the future that ended, which the iterator holds.
 * @return As aio_as_completed_next(), or the error that the future ended with.
 * Suspends: while none is done.   Cancellation point: whenever it suspends.
 * asyncio: `for next in as_completed(): await next`              Since: 0.1
 */
AIO_API int aio_as_completed_await_next(aio_as_completed *iterator, void **ret_value);

/** For aio_anext(), whose items are those of aio_as_completed_next(); borrowed, valid as long as
 *  the iteration. NULL for NULL. Since: 0.1 */
AIO_API aio_iterator *aio_as_completed_iterator(aio_as_completed *iterator);

/** How many are still to be handed out. Since: 0.1 */
AIO_API size_t aio_as_completed_left(const aio_as_completed *iterator);

AIO_END_DECLS

#endif
