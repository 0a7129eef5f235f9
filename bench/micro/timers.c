/* SPDX-License-Identifier: MIT */
/*
 * timers.c - what is a timer of 1 to 10 ms, set and fired, among a thousand to a million?
 *
 * Processor time, since time passes anyhow. Not measured: timers that are cancelled before
 * they fire, as timeouts are (see cancel.c), and how punctual they are.
 */
#include "micro.h"

struct clockwork {
    uint64_t fired;
    uint64_t expected;
    aio_future *done;
};

static int fire(void *arg)
{
    struct clockwork *works = arg;

    if (++works->fired == works->expected)
        return aio_future_set_result(works->done, NULL);
    return 0;
}

/* 1 to 10 ms in no order: the same in all contenders. */
static double delay(uint64_t i)
{
    return (double)(1 + (i * 2654435761u >> 16) % 10) * 1e-3;
}

static int run_round(aio_loop *loop, uint64_t timers)
{
    struct clockwork works = {0, timers, aio_future_new(loop)};
    int err = works.done == NULL ? AIO_ENOMEM : 0;

    for (uint64_t i = 0; i < timers && err == 0; i++)
        err = aio_loop_call_later(loop, delay(i), fire, &works, NULL);
    if (err == 0)
        err = aio_await(works.done, NULL);
    aio_future_unref(works.done);
    bench_check(err < 0 || works.fired == timers, "some timers did not fire");
    return err;
}

static int run_timers(struct bench_clock *clock, uint64_t count, uint64_t timers)
{
    aio_loop *loop = aio_get_running_loop();
    int err = 0;

    bench_start(clock);
    for (uint64_t round = 0; round < count / timers && err == 0; round++)
        err = run_round(loop, timers);
    bench_stop(clock);
    return err;
}

static int run_timers_1k(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 1000);
}

static int run_timers_10k(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 10000);
}

static int run_timers_100k(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 100000);
}

static int run_timers_1m(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 1000000);
}

const struct bench bench_timers[] = {
    {.name = "timers_1k", .run = run_timers_1k, .batch = 1000, .waits = true},
    {.name = "timers_10k", .run = run_timers_10k, .batch = 10000, .waits = true},
    {.name = "timers_100k", .run = run_timers_100k, .batch = 100000, .waits = true},
    {.name = "timers_1m", .run = run_timers_1m, .batch = 1000000, .waits = true},
    {.name = NULL},
};
