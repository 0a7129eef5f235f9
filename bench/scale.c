/* SPDX-License-Identifier: MIT */
/*
 * scale.c - what does one of N sleeping tasks cost, in memory and in time?
 *
 * All N are alive at once, each asleep on its own stack, and all wake at the same moment.
 * Prints, a line each:
 *
 *   created_per_task  bytes resident for a task that was made and has not started
 *   rss_per_task      bytes resident for one that sleeps; both without those of files: the code
 *                     that runs for the first time is there once, and not for each task
 *   pte_per_task      bytes of page tables for it, which no RSS shows
 *   spawn_ns          processor time to make it and to get it to sleep
 *   wake_ns           processor time from the first wake-up to the last join
 *   early 1           some woke before all slept: the figures are worth nothing
 *   failed_at K       only K could be started
 *
 * Not measured: tasks with deeper stacks than a sleep needs.
 */
#include "support/bench.h"

#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct crowd {
    size_t size;
    size_t started;
    size_t woken;
    bool early;
    double wake_at; /* loop time */
    uint64_t first_woken_cpu_ns;
};

/* Bytes of this process, of a line "Name:   123 kB" in a file of /proc/self. */
static double memory(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    char line[256];
    double kib = 0;

    bench_check(file != NULL, path);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtod(line + strlen(name), NULL);
    (void)fclose(file);
    bench_check(kib > 0, name);
    return kib * 1024;
}

/* RssAnon in the status file may be off by some hundred KiB. */
static double resident(void)
{
    return memory("/proc/self/smaps_rollup", "Anonymous:");
}

static double page_tables(void)
{
    return memory("/proc/self/status", "VmPTE:");
}

static int sleep_with_all(void *arg, void **ret_result)
{
    struct crowd *crowd = arg;
    aio_loop *loop = aio_get_running_loop();
    int err;

    (void)ret_result;
    crowd->started++;
    err = aio_sleep(crowd->wake_at - aio_loop_time(loop));
    if (crowd->woken++ == 0)
        crowd->first_woken_cpu_ns = bench_cpu_ns();
    if (crowd->started < crowd->size)
        crowd->early = true;
    return err;
}

/* Make the tasks; how many there are, if memory did not suffice for all. */
static size_t spawn(struct crowd *crowd, aio_task **tasks)
{
    for (size_t i = 0; i < crowd->size; i++) {
        tasks[i] = aio_create_task(sleep_with_all, crowd);
        if (tasks[i] == NULL)
            return i;
    }
    return crowd->size;
}

static size_t join(aio_task **tasks, size_t count)
{
    size_t good = 0;

    for (size_t i = 0; i < count; i++) {
        good += aio_await(tasks[i], NULL) == 0;
        aio_future_unref(tasks[i]);
    }
    return good;
}

static int measure(void *arg, void **ret_result)
{
    struct crowd *crowd = arg;
    size_t size = crowd->size;
    aio_task **tasks = malloc(size * sizeof(aio_task *));
    struct bench_clock clock = {0};
    double rss;
    double pte;
    size_t count;

    (void)ret_result;
    bench_check(tasks != NULL, "no memory for the list of tasks");
    memset(tasks, 1, size * sizeof(aio_task *)); /* so that it is not counted with them */
    rss = resident();
    pte = page_tables();
    /* Time for all to fall asleep: several times what that takes. */
    crowd->wake_at = aio_loop_time(aio_get_running_loop()) + 0.3 + 12e-6 * (double)size;

    bench_start(&clock);
    count = spawn(crowd, tasks);
    bench_stop(&clock);
    printf("created_per_task %.1f\n", (resident() - rss) / (double)size);
    bench_start(&clock);
    bench_check(aio_sleep(0) == 0, "the main task could not give way");
    bench_stop(&clock);
    printf("rss_per_task %.1f\n", (resident() - rss) / (double)size);
    printf("pte_per_task %.1f\n", (page_tables() - pte) / (double)size);
    printf("spawn_ns %.1f\n", (double)clock.cpu_ns / (double)size);

    count = join(tasks, count);
    printf("wake_ns %.1f\n", (double)(bench_cpu_ns() - crowd->first_woken_cpu_ns) / (double)size);
    if (crowd->early)
        printf("early 1\n");
    if (count < size)
        printf("failed_at %zu\n", count);
    free(tasks);
    return 0;
}

int main(int argc, char **argv)
{
    struct crowd crowd = {0};
    int err;

    crowd.size = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (crowd.size == 0) {
        fprintf(stderr, "usage: %s TASKS\n", argv[0]);
        return 2;
    }
    err = aio_run(measure, &crowd, NULL);
    if (err < 0)
        fprintf(stderr, "scale: %s\n", aio_strerror(err));
    return err < 0;
}
