/* SPDX-License-Identifier: MIT */
/*
 * iterator.h - asynchronous iterators: `async for`
 *
 *     while ((err = aio_anext(it, &item)) == 0)             async for item in it:
 *         use(item);                                            use(item)
 *     if (err != AIO_ESTOP)
 *         return err;
 *
 * Generators, streams and the like have an iterator. A program makes its own by putting one
 * at the start of a structure:
 *
 *     struct countdown { aio_iterator base; int left; };    class Countdown:
 *
 *     static int countdown_next(aio_iterator *it, void **ret_item)
 *     {                                                         async def __anext__(self):
 *         struct countdown *self = (struct countdown *)it;
 *
 *         if (self->left == 0)                                      if self.left == 0:
 *             return AIO_ESTOP;                                         raise StopAsyncIteration
 *         *ret_item = (void *)(intptr_t)self->left--;               ...
 *         return 0;
 *     }
 *
 *     static const aio_iterator_ops countdown_ops = {
 *         .size = sizeof(countdown_ops), .next = countdown_next};
 *     struct countdown countdown = {{&countdown_ops}, 3};
 */
#ifndef AIO_ITERATOR_H
#define AIO_ITERATOR_H

#include <aio/error.h>

AIO_BEGIN_DECLS

typedef struct aio_iterator aio_iterator;

/** What an asynchronous iterator can do. A constant: iterators keep the pointer. */
typedef struct aio_iterator_ops {
    size_t size; /**< sizeof(aio_iterator_ops) */
    /** Give the next item; AIO_ESTOP at the end, and from then on. May suspend.
     *  ret_item is never NULL. */
    int (*next)(aio_iterator *iterator, void **ret_item);
} aio_iterator_ops;

/** The start of something that can be iterated. */
struct aio_iterator {
    const aio_iterator_ops *ops;
};

/**
 * Wait for the next item.
 *
 * @param iterator       Borrowed. NULL, the result of a constructor that failed, gives the code
 *                       of that failure.
 * @param[out] ret_item  Whose it is, the iterator says. Written on success only. May be NULL.
 * @return 0, AIO_ESTOP at the end, or another code of the iterator's.
 * Suspends, cancellation point: as the iterator does.
 * asyncio: anext(iterator), `async for`                          Since: 0.1
 */
AIO_API int aio_anext(aio_iterator *iterator, void **ret_item);

AIO_END_DECLS

#endif
