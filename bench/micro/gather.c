/* SPDX-License-Identifier: MIT */
/*
 * gather.c - what is one of a thousand empty tasks, made together and waited for together?
 *
 * A thousand objects are in the second cache at best; their stack is one. Not measured:
 * tasks that wait for something.
 */
#include "micro.h"

enum { TASKS = 1000 };

static int run_gather(struct bench_clock *clock, uint64_t count)
{
    aio_task *tasks[TASKS];
    uint64_t runs = 0;
    int err = 0;

    bench_start(clock);
    for (uint64_t round = 0; round < count / TASKS && err == 0; round++) {
        aio_future *all;

        for (int i = 0; i < TASKS; i++)
            tasks[i] = aio_create_task(micro_count, &runs);
        all = aio_gather(tasks, TASKS, 0);
        for (int i = 0; i < TASKS; i++)
            aio_future_unref(tasks[i]);
        err = aio_await(all, NULL);
        aio_future_unref(all);
    }
    bench_stop(clock);
    bench_check(err < 0 || runs == count, "some tasks did not run");
    return err;
}

const struct bench bench_gather[] = {
    {.name = "gather_1000", .run = run_gather, .batch = TASKS},
    {.name = NULL},
};
