/* SPDX-License-Identifier: MIT */
/*
 * call_soon.c - what is it to queue a callback and to run it, a thousand at a time?
 *
 * Nobody asks for the handles, as almost nobody does. Not measured: cancelling them.
 */
#include "micro.h"

enum { CALLS = 1000 };

struct batch {
    uint64_t calls;
    aio_future *done;
};

static int call(void *arg)
{
    struct batch *batch = arg;

    if (++batch->calls % CALLS == 0)
        return aio_future_set_result(batch->done, NULL);
    return 0;
}

static int run_call_soon(struct bench_clock *clock, uint64_t count)
{
    aio_loop *loop = aio_get_running_loop();
    struct batch batch = {0, NULL};
    int err = 0;

    bench_start(clock);
    for (uint64_t round = 0; round < count / CALLS && err == 0; round++) {
        batch.done = aio_future_new(loop);
        for (int i = 0; i < CALLS && err == 0; i++)
            err = aio_loop_call_soon(loop, call, &batch, NULL);
        if (err == 0)
            err = aio_await(batch.done, NULL);
        aio_future_unref(batch.done);
    }
    bench_stop(clock);
    bench_check(err < 0 || batch.calls == count, "some calls were not made");
    return err;
}

const struct bench bench_call_soon[] = {
    {.name = "call_soon", .run = run_call_soon, .batch = CALLS},
    {.name = NULL},
};
