/* SPDX-License-Identifier: MIT */
/*
 * fan.c - watching several futures for one purpose
 */
#include "task/fan.h"

static int on_done(aio_future *fut, void *arg)
{
    struct aio__fan *fan = arg;

    fan->calls--;
    if (!fan->over)
        fan->on_done(fan, fut);
    else if (fan->calls == 0)
        fan->release(fan);
    return 0;
}

aio_future *aio__fan_outer(aio_done_fn fn, void *arg)
{
    const struct aio__fan *fan = arg;

    return fn != on_done || fan->over ? NULL : fan->outer;
}

int aio__fan_watch(struct aio__fan *fan, aio_future *fut)
{
    int err = aio__future_add_step(fut, on_done, fan);

    if (err == 0)
        fan->calls++;
    return err;
}

void aio__fan_end(struct aio__fan *fan, aio_future *const *futs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fan->calls -= aio_future_remove_done_callback(futs[i], on_done, fan);
    fan->over = true;
    if (fan->calls == 0)
        fan->release(fan);
}

static void unmark(aio_future *const *futs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        futs[i]->flags &= (uint8_t)~AIO__FUTURE_MARKED;
}

/* Make one a future of the loop, which is settled by the first that has one. */
static int join_loop(aio_future *fut, aio_loop **loop)
{
    int err;

    if (fut == NULL)
        return aio__null_future();
    if (AIO__LIKELY(fut->loop == *loop && fut->loop != NULL))
        return 0;
    err = aio_ensure_future(fut, *loop);
    if (err == 0 && *loop == NULL)
        *loop = fut->loop;
    return err;
}

int aio__fan_collect(aio_future *const *awaitables, size_t count, aio_loop **loop,
                     aio_future **ret_futs, size_t *ret_distinct)
{
    size_t distinct = 0;

    if (awaitables == NULL && count != 0)
        return aio_raise(AIO_ETYPE, "an array of awaitables is required, not NULL");
    for (size_t i = 0; i < count; i++) {
        aio_future *fut = awaitables[i];
        int err = join_loop(fut, loop);

        if (err < 0) {
            unmark(ret_futs, distinct);
            while (distinct > 0)
                aio_future_unref(ret_futs[--distinct]);
            return err;
        }
        /* The mark finds duplicates without comparing each with each. */
        if (fut->flags & AIO__FUTURE_MARKED)
            continue;
        fut->flags |= AIO__FUTURE_MARKED;
        ret_futs[distinct++] = aio_future_ref(fut);
    }
    unmark(ret_futs, distinct);
    *ret_distinct = distinct;
    return 0;
}
