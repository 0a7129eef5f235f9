/* SPDX-License-Identifier: MIT */
/*
 * timer.c - deadlines: one heap for a loop
 *
 * A timer that is due is queued behind what is ready and what I/O brought (S1). It leaves the
 * heap when it is stopped, so that cancelling frees at once; equal deadlines keep the order in
 * which they were made.
 */
#include "loop/loop_internal.h"

int aio__timer_start(aio_loop *loop, struct aio__timer *timer, uint64_t when_ns)
{
    return aio__heap_push(&loop->timers, when_ns, &timer->item);
}

void aio__timer_stop(aio_loop *loop, struct aio__timer *timer)
{
    if (aio__timer_is_set(timer))
        aio__heap_remove(&loop->timers, &timer->item);
}

void aio__timers_collect(aio_loop *loop)
{
    const struct aio__heap_entry *first;

    while ((first = aio__heap_min(&loop->timers)) != NULL && first->key <= loop->now_ns) {
        struct aio__heap_item *item = aio__heap_pop(&loop->timers);

        aio__queue_append(&loop->ready, aio__container_of(item, struct aio__timer, item)->ready);
    }
}
