/* SPDX-License-Identifier: MIT */
/*
 * jobs.c - what does a job in a pool cost, one at a time and many?
 *
 * One in flight, it is mostly the way to wake a thread or a process, and back. With many, fifty
 * tasks each run one job after another in eight threads, or in as many processes as there are
 * processors. Each job does a little arithmetic, and every result is checked.
 *
 * Not measured: starting threads and processes, which is done before, and jobs that take long,
 * where all of this is lost in the work.
 */
#include "micro.h"

#include <stdlib.h>

enum { TASKS = 50, THREADS = 8 };

/* What a job computes of a number: so little that the way there and back is what counts. */
static uint64_t answer(uint64_t n)
{
    for (int i = 0; i < 16; i++)
        n = n * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return n >> 1;
}

static int job(void *arg, void **ret_result)
{
    *ret_result = (void *)(uintptr_t)answer((uintptr_t)arg);
    return 0;
}

struct work {
    aio_executor *executor;
    aio_job_options options;
    uint64_t jobs; /* of each task */
    uint64_t right;
};

static int run_jobs(void *arg, void **ret_result)
{
    struct work *work = arg;

    for (uint64_t i = 0; i < work->jobs; i++) {
        aio_future *fut = aio_loop_run_in_executor_with(NULL, work->executor, job,
                                                        (void *)(uintptr_t)i, &work->options);
        void *value = NULL;
        int err = aio_await(fut, &value);

        aio_future_unref(fut);
        if (err < 0)
            return err;
        work->right += (uintptr_t)value == answer(i);
    }
    return 0;
}

static int run_tasks(struct work *work, size_t count)
{
    aio_task *tasks[TASKS];
    aio_future *all;
    int err;

    for (size_t i = 0; i < count; i++)
        tasks[i] = aio_create_task(run_jobs, work);
    all = aio_gather(tasks, count, 0);
    err = aio_await(all, NULL);
    aio_future_unref(all);
    for (size_t i = 0; i < count; i++)
        aio_future_unref(tasks[i]);
    return err;
}

/* The executor is taken. */
static int run(struct bench_clock *clock, uint64_t count, aio_executor *executor, size_t tasks)
{
    struct work work = {.executor = executor, .options = AIO_JOB_OPTIONS_INIT, .jobs = 1};
    int err;

    bench_check(executor != NULL, "no pool");
    work.options.arg_codec = &aio_codec_int;
    work.options.result_codec = &aio_codec_int;
    err = run_tasks(&work, tasks); /* starts the workers */
    work.jobs = count / tasks;
    work.right = 0;
    bench_start(clock);
    if (err == 0)
        err = run_tasks(&work, tasks);
    bench_stop(clock);
    (void)aio_executor_shutdown(executor, AIO_FOREVER, false);
    aio_executor_unref(executor);
    bench_check(err < 0 || work.right == count, "some results are wrong");
    return err;
}

static aio_executor *make_threads(void)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;

    options.max_workers = THREADS;
    return aio_thread_pool_new(&options);
}

static int run_threadpool(struct bench_clock *clock, uint64_t count)
{
    return run(clock, count, make_threads(), 1);
}

static int run_processpool(struct bench_clock *clock, uint64_t count)
{
    return run(clock, count, aio_process_pool_new(NULL), 1);
}

static int run_many_in_threads(struct bench_clock *clock, uint64_t count)
{
    return run(clock, count, make_threads(), TASKS);
}

static int run_many_in_processes(struct bench_clock *clock, uint64_t count)
{
    return run(clock, count, aio_process_pool_new(NULL), TASKS);
}

const struct bench bench_jobs[] = {
    {.name = "threadpool", .run = run_threadpool, .batch = 1},
    {.name = "threadpool_50", .run = run_many_in_threads, .batch = TASKS},
    {.name = "processpool", .run = run_processpool, .batch = 1},
    {.name = "processpool_50", .run = run_many_in_processes, .batch = TASKS},
    {.name = NULL},
};
