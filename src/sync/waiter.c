/* SPDX-License-Identifier: MIT */
/*
 * waiter.c - tasks in line, each asleep on a future of its own
 *
 * Thread: that of the loop a primitive is bound to. Nothing here is locked.
 */
#include "sync/waiter.h"

#include "future/future_internal.h"

#include <aio/loop.h>
#include <aio/task.h>

int aio__waiter_init(struct aio__waiter *waiter, aio_loop **bound, const char *what)
{
    aio_loop *loop = aio_get_running_loop();

    if (loop == NULL)
        return AIO_ENOLOOP;
    /* A loop that is being closed refuses to wait, and leaves who goes on trying where it is at
     * last: before anything is held. */
    if (loop->closing)
        return aio_sleep(0);
    /* Asked here and not left to aio_await(): a condition lets go of its lock in between. */
    if (aio_current_task(loop) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can wait for a %s", what);
    if (*bound == NULL)
        *bound = loop;
    else if (*bound != loop)
        return aio_raise(AIO_ERUNTIME, "the %s is bound to a different event loop", what);

    waiter->fut = aio_future_new(loop);
    if (waiter->fut == NULL)
        return aio__sync_null();
    aio__list_init(&waiter->link);
    return 0;
}

int aio__waiter_sleep(struct aio__waiter *waiter, struct aio__list *line)
{
    int err;

    aio__list_append(line, &waiter->link);
    err = aio_await(waiter->fut, NULL);
    aio__list_remove(&waiter->link);
    return err;
}

void aio__waiter_done(struct aio__waiter *waiter)
{
    aio_future_unref(waiter->fut);
}

bool aio__waiter_wake(struct aio__waiter *waiter)
{
    return !aio_future_done(waiter->fut) && aio_future_set_result(waiter->fut, NULL) == 0;
}

size_t aio__line_wake_some(struct aio__list *line, size_t count)
{
    size_t woken = 0;

    while (woken < count) {
        struct aio__list *first = aio__list_first(line);

        if (first == NULL)
            break;
        aio__list_remove(first);
        if (aio__waiter_wake(aio__waiter_of(first)))
            woken++;
    }
    return woken;
}

bool aio__line_is_free(const struct aio__list *line)
{
    struct aio__list *node = line->next;

    while (node != line && aio_future_cancelled(aio__waiter_of(node)->fut))
        node = node->next;
    return node == line;
}

void *aio__sync_failed(int code)
{
    return aio__failed(code);
}

int aio__sync_null(void)
{
    return aio__null_future();
}
