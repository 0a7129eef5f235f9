/* SPDX-License-Identifier: MIT */
/*
 * dump.c - what does it take to write down all tasks of a loop?
 *
 *     dump [TASKS]    default 100000
 *
 * Each task sleeps two calls deep. Prints, a line each, nanoseconds for one task:
 *
 *   list          with state and who awaits it
 *   tree          each below the one that awaits it
 *   list_stacks   with the calls it is in the middle of
 *   tree_stacks
 */
#include "support/bench.h"

#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int sleep_long(void *arg, void **ret_result)
{
    return aio_sleep(3600);
}

static void measure(const char *name, unsigned flags, size_t count)
{
    struct bench_clock clock = {0};
    char *text = NULL;

    bench_start(&clock);
    bench_check(aio_loop_format_tasks(NULL, flags, &text) == 0, "no dump");
    bench_stop(&clock);
    bench_check(strstr(text, "sleep_long") != NULL, "the tasks are not in the dump");
    printf("%s %.1f\n", name, (double)clock.cpu_ns / (double)count);
    aio_free(text);
}

static int async_main(void *arg, void **ret_result)
{
    const size_t *count = arg;
    aio_task **tasks = calloc(*count, sizeof(aio_task *));
    aio_future *all;

    bench_check(tasks != NULL, "no memory for the list of tasks");
    for (size_t i = 0; i < *count; i++)
        tasks[i] = aio_create_task(sleep_long, NULL);
    all = aio_gather(tasks, *count, AIO_RETURN_EXCEPTIONS);
    bench_check(all != NULL && aio_sleep(0) == 0, "the tasks do not run");
    measure("list", 0, *count);
    measure("tree", AIO_DUMP_TREE, *count);
    measure("list_stacks", AIO_DUMP_STACKS, *count);
    measure("tree_stacks", AIO_DUMP_TREE | AIO_DUMP_STACKS, *count);
    (void)aio_future_cancel(all, NULL);
    (void)aio_await(all, NULL);
    aio_future_unref(all);
    for (size_t i = 0; i < *count; i++)
        aio_future_unref(tasks[i]);
    free(tasks);
    return 0;
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;

    return aio_run(async_main, &count, NULL) < 0;
}
