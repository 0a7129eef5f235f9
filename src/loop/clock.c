/* SPDX-License-Identifier: MIT */
/*
 * clock.c - the time a loop lives by, and times as people give them
 *
 * Inside, times are nanoseconds in 64 bits, which last for five hundred years; outside they
 * are seconds as double. What is beyond counts as never.
 */
#include "base/monotonic.h"
#include "loop/loop_internal.h"

#include <math.h>

static const double NS_PER_SECOND = 1e9;

/* Deadlines from here on never come. Far enough from the top to add to. */
static const double NEVER_NS = 9e18;

uint64_t aio__loop_now_ns(const aio_loop *loop)
{
    return loop->is_virtual ? loop->now_ns : aio__monotonic_ns();
}

double aio_loop_time(const aio_loop *loop)
{
    return loop == NULL ? NAN : (double)aio__loop_now_ns(loop) / NS_PER_SECOND;
}

bool aio__loop_when_ns(double when, uint64_t *ret_ns)
{
    double ns = when * NS_PER_SECOND;

    if (isnan(ns))
        return false;
    if (ns <= 0)
        *ret_ns = 0;
    else if (ns >= NEVER_NS)
        *ret_ns = UINT64_MAX;
    else
        *ret_ns = (uint64_t)(int64_t)(ns + 0.5);
    return true;
}

bool aio__loop_deadline(const aio_loop *loop, double delay, uint64_t *ret_ns)
{
    uint64_t delay_ns;
    uint64_t now_ns;

    if (!aio__loop_when_ns(fabs(delay), &delay_ns))
        return false;
    now_ns = aio__loop_now_ns(loop);
    if (delay >= 0)
        *ret_ns = delay_ns == UINT64_MAX ? UINT64_MAX : now_ns + delay_ns;
    else
        *ret_ns = now_ns > delay_ns ? now_ns - delay_ns : 0;
    return true;
}
