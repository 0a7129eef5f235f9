/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - what is it to cancel one of 100,000 sleeping tasks, and to see it end?
 *
 * Each wakes on a stack that is in no cache. Not measured: making the tasks and getting them
 * to sleep.
 */
#include "micro.h"

#include <stdlib.h>

enum { TASKS = 100000 };

static int sleep_long(void *arg, void **ret_result)
{
    uint64_t *cancelled = arg;
    int err = aio_sleep(3600);

    (void)ret_result;
    if (err == AIO_ECANCELLED)
        ++*cancelled;
    return err;
}

static int run_round(struct bench_clock *clock, aio_task **tasks)
{
    uint64_t cancelled = 0;
    size_t ended = 0;
    int err;

    for (size_t i = 0; i < TASKS; i++)
        tasks[i] = aio_create_task(sleep_long, &cancelled);
    err = aio_sleep(0);
    if (err < 0)
        return err;

    bench_start(clock);
    for (size_t i = 0; i < TASKS; i++)
        (void)aio_task_cancel(tasks[i], NULL);
    for (size_t i = 0; i < TASKS; i++)
        ended += aio_await(tasks[i], NULL) == AIO_ECANCELLED;
    bench_stop(clock);

    for (size_t i = 0; i < TASKS; i++)
        aio_future_unref(tasks[i]);
    bench_check(cancelled == TASKS && ended == TASKS, "some tasks were not cancelled");
    return 0;
}

static int run_cancel(struct bench_clock *clock, uint64_t count)
{
    aio_task **tasks = calloc(TASKS, sizeof(aio_task *));
    int err = 0;

    if (tasks == NULL)
        return AIO_ENOMEM;
    for (uint64_t round = 0; round < count / TASKS && err == 0; round++)
        err = run_round(clock, tasks);
    free(tasks);
    return err;
}

const struct bench bench_cancel[] = {
    {.name = "cancel_100k", .run = run_cancel, .batch = TASKS},
    {.name = NULL},
};
