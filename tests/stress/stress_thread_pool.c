/* SPDX-License-Identifier: MIT */
/*
 * stress_thread_pool.c - 50 tasks have jobs run by 8 threads, and give some of them up
 *
 *     stress_thread_pool [JOBS [SEED]]
 *
 * Each job has its own copy of what it computes with, and is awaited, or cancelled at once or a
 * turn later. Whatever became of it, its argument goes once, its result is right if there is one,
 * and the pool has counted it.
 */
#include <aio/aio.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TASKS = 50, THREADS = 8 };

struct work {
    uint64_t number;
    uint64_t scratch[4]; /* written by the job while nobody may wait for it any more */
};

static struct {
    aio_executor *pool;
    uint64_t jobs; /* of each task */
    uint64_t seed;
    uint64_t right;
    uint64_t given_up;
} test;

static atomic_ullong destroyed;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)test.seed, what);
    fflush(stderr);
    _Exit(EXIT_FAILURE);
}

/* Of a job's number: repeatable, whatever the order of the tasks. */
static unsigned chance(uint64_t number, unsigned below)
{
    uint64_t z = test.seed + number * 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

static uint64_t answer(uint64_t number)
{
    for (int i = 0; i < 16; i++)
        number = number * 6364136223846793005u + 1442695040888963407u;
    return number | 1;
}

static int compute(void *arg, void **ret_result)
{
    struct work *work = arg;

    for (unsigned i = 0; i < 4; i++)
        work->scratch[i] = answer(work->number) + i;
    *ret_result = (void *)(uintptr_t)(work->scratch[3] - 3);
    return 0;
}

static void count_destroyed(void *arg)
{
    struct work *work = arg;

    work->number = 0;
    atomic_fetch_add(&destroyed, 1);
}

static void take_result(aio_future *fut, uint64_t number)
{
    void *value = NULL;
    int err = aio_await(fut, &value);

    if (err == AIO_ECANCELLED)
        test.given_up++;
    else
        test.right += err == 0 && (uintptr_t)value == answer(number);
}

static void run_one(uint64_t number)
{
    struct work work = {.number = number};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_future *fut;

    options.arg_size = sizeof(work);
    options.arg_destroy = count_destroyed;
    fut = aio_loop_run_in_executor_with(NULL, test.pool, compute, &work, &options);
    check(fut != NULL, "a job was refused");
    work.number = 0; /* the copy counts */
    switch (chance(number, 16)) {
    case 0: (void)aio_future_cancel(fut, NULL); break;
    case 1:
        (void)aio_sleep(0);
        (void)aio_future_cancel(fut, NULL);
        break;
    default: break;
    }
    take_result(fut, number);
    aio_future_unref(fut);
}

static int run_jobs(void *arg, void **ret_result)
{
    uint64_t first = (uintptr_t)arg * test.jobs;

    for (uint64_t i = 0; i < test.jobs; i++)
        run_one(first + i);
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    aio_task *tasks[TASKS];
    aio_future *all;
    int err;

    for (uintptr_t i = 0; i < TASKS; i++)
        tasks[i] = aio_create_task(run_jobs, (void *)i);
    all = aio_gather(tasks, TASKS, 0);
    err = aio_await(all, NULL);
    aio_future_unref(all);
    for (size_t i = 0; i < TASKS; i++)
        aio_future_unref(tasks[i]);
    return err;
}

int main(int argc, char **argv)
{
    uint64_t jobs = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;

    test.seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
    test.jobs = jobs / TASKS;
    jobs = test.jobs * TASKS;
    options.max_workers = THREADS;
    test.pool = aio_thread_pool_new(&options);
    check(aio_run(async_main, NULL, NULL) == 0, "the tasks failed");
    check(aio_executor_shutdown(test.pool, AIO_FOREVER, false) == 0, "the pool does not end");
    check(aio_executor_get_stats(test.pool, &stats) == 0, "no figures");
    aio_executor_unref(test.pool);
    check(test.right + test.given_up == jobs, "some results are wrong");
    check(atomic_load(&destroyed) == jobs, "some arguments did not go, or went twice");
    check(stats.submitted == jobs && stats.completed + stats.cancelled == jobs &&
              stats.queued == 0 && stats.running == 0,
          "the pool has miscounted");
    printf("seed %llu: %llu results, %llu given up, of which %llu never ran\n",
           (unsigned long long)test.seed, (unsigned long long)test.right,
           (unsigned long long)test.given_up, (unsigned long long)stats.cancelled);
    return EXIT_SUCCESS;
}
