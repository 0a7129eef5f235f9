/* SPDX-License-Identifier: MIT */
/*
 * timer.c - deadlines: one queue of them for a loop
 *
 * A timer that is due is queued behind what is ready and what I/O brought (S1). It leaves the
 * queue of deadlines when it is stopped, so that cancelling frees at once; equal deadlines keep
 * the order in which they were made.
 */
#include "loop/loop_internal.h"

int aio__timer_start(aio_loop *loop, struct aio__timer *timer, uint64_t when_ns)
{
    int err = aio__deadlines_push(&loop->timers, when_ns, &timer->item);

    /* A host that makes a timer may find nothing else alive in its loop, and not run it. */
    if (err == 0 && AIO__UNLIKELY(!loop->owns_uv))
        aio__loop_queued(loop);
    return err;
}

void aio__timer_stop(aio_loop *loop, struct aio__timer *timer)
{
    if (!aio__timer_is_set(timer))
        return;
    aio__deadlines_remove(&loop->timers, &timer->item);
    /* Nor is a host to live on for one that it has cancelled. */
    if (AIO__UNLIKELY(!loop->owns_uv) && !loop->dispatching && !loop->running)
        aio__alarm_keep_alive(loop);
}

void aio__timers_collect(aio_loop *loop)
{
    struct aio__heap_item *item;
    unsigned ran = 0;

    /* With none left the first key is the last there is. */
    while (loop->timers.first_key <= loop->now_ns &&
           (item = aio__deadlines_pop(&loop->timers)) != NULL) {
        aio__queue_append(&loop->ready, aio__container_of(item, struct aio__timer, item)->ready);
        ran++;
    }
    if (ran != 0) {
        loop->timers_ran_ns = loop->now_ns;
        loop->timers_ran = ran;
    }
}
