/* SPDX-License-Identifier: MIT */
/*
 * iterator.c - asynchronous iterators: asking whichever it is
 */
#include "future/future_internal.h"

#include <aio/iterator.h>

int aio_anext(aio_iterator *iterator, void **ret_item)
{
    void *item = NULL;
    int err;

    if (iterator == NULL)
        return aio__null_future();
    if (iterator->ops == NULL || iterator->ops->size < sizeof(*iterator->ops))
        return aio_raise(AIO_ETYPE, "not an asynchronous iterator");
    err = iterator->ops->next(iterator, &item);
    if (err < 0)
        return err;
    if (ret_item != NULL)
        *ret_item = item;
    return 0;
}
