/* SPDX-License-Identifier: MIT */
/*
 * yield.c - what is it to give way, with 1, 100 or 10,000 tasks that all do nothing else?
 *
 * Many tasks have their stacks in no cache: the difference between the lines is theirs. Not
 * measured: starting and ending the tasks.
 */
#include "micro.h"

#include <stdlib.h>

struct crowd {
    struct bench_clock *clock;
    uint64_t rounds;
    uint64_t yields;
    size_t missing; /* tasks that are not through */
};

static int yield(void *arg, void **ret_result)
{
    struct crowd *crowd = arg;
    int err = aio_sleep(0); /* until all have started */

    (void)ret_result;
    for (uint64_t i = 0; i < crowd->rounds && err == 0; i++) {
        err = aio_sleep(0);
        crowd->yields++;
    }
    if (--crowd->missing == 0)
        bench_stop(crowd->clock);
    return err < 0 ? err : aio_sleep(0); /* until all are through */
}

static int run_crowd(struct bench_clock *clock, uint64_t count, size_t size)
{
    struct crowd crowd = {clock, count / size, 0, size};
    aio_task **tasks = calloc(size, sizeof(aio_task *));
    int err;

    if (tasks == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; i < size; i++)
        tasks[i] = aio_create_task(yield, &crowd);
    err = aio_sleep(0);
    bench_start(clock);
    for (size_t i = 0; i < size; i++) {
        int code = aio_await(tasks[i], NULL);

        err = err < 0 ? err : code;
        aio_future_unref(tasks[i]);
    }
    free(tasks);
    bench_check(err < 0 || crowd.yields == count, "some tasks did not yield");
    return err;
}

static int run_yield_1(struct bench_clock *clock, uint64_t count)
{
    return run_crowd(clock, count, 1);
}

static int run_yield_100(struct bench_clock *clock, uint64_t count)
{
    return run_crowd(clock, count, 100);
}

static int run_yield_10k(struct bench_clock *clock, uint64_t count)
{
    return run_crowd(clock, count, 10000);
}

const struct bench bench_yield[] = {
    {.name = "yield_1", .run = run_yield_1, .batch = 1},
    {.name = "yield_100", .run = run_yield_100, .batch = 100},
    {.name = "yield_10k", .run = run_yield_10k, .batch = 10000},
    {.name = NULL},
};
