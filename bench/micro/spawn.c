/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - what is a task that does nothing, from its creation to its end?
 *
 * One at a time, so its stack and its object are always the same, in the caches. Not
 * measured: the first use of a stack (see scale.c).
 */
#include "micro.h"

static int run_spawn_join(struct bench_clock *clock, uint64_t count)
{
    uint64_t runs = 0;

    bench_start(clock);
    for (uint64_t i = 0; i < count; i++) {
        aio_task *task = aio_create_task(micro_count, &runs);
        int err = aio_await(task, NULL);

        aio_future_unref(task);
        if (err < 0)
            return err;
    }
    bench_stop(clock);
    bench_check(runs == count, "some tasks did not run");
    return 0;
}

const struct bench bench_spawn[] = {
    {.name = "spawn_join", .run = run_spawn_join, .batch = 1},
    {.name = NULL},
};
