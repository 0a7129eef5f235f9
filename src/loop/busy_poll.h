/* SPDX-License-Identifier: MIT */
/*
 * busy_poll.h - asking the kernel again and again, before sleeping
 *
 * For drive.c. Who has asked something of another process has the answer some microseconds later,
 * and a thread that sleeps meanwhile takes as long, or many times as long on a virtual machine, to
 * be woken. Whether it is worth looking that long is guessed from the wait before: what came soon
 * comes soon again, and a loop that has nothing to do sleeps as others do.
 */
#ifndef AIO__BUSY_POLL_H
#define AIO__BUSY_POLL_H

#include "loop/loop_internal.h"

/* A turn begins that has something to do: how long was the wait for it? */
static inline void aio__busy_poll_found(aio_loop *loop, uint64_t now_ns)
{
    loop->comes_soon = now_ns - loop->idle_since_ns <= loop->busy_poll_ns;
}

/* After a turn without more to do: whether the next poll must not wait either. */
static inline bool aio__busy_poll_goes_on(aio_loop *loop, bool found)
{
    uint64_t now_ns = aio__loop_now_ns(loop);

    if (found)
        loop->idle_since_ns = now_ns;
    return loop->comes_soon && now_ns - loop->idle_since_ns < loop->busy_poll_ns;
}

#endif
