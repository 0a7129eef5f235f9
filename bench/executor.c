/* SPDX-License-Identifier: MIT */
/*
 * executor.c - what does a job in a thread cost, when many are underway?
 *
 * Fifty tasks each run one job after another, in eight threads: in a thread pool, in the default
 * executor, and, as a baseline, fifty chains of bare uv_queue_work() in libuv's pool of eight.
 * Each job does a little arithmetic, and every result is checked. baseline/executor.py is the
 * same in Python.
 *
 * Not measured: one job at a time, where the system's way to wake a thread is all there is; that
 * is the line "executor" of micro. Nor what a process pool costs: that is jobs_process.
 */
#include "support/bench.h"

#include <aio/aio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

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

/* --- ours ------------------------------------------------------------------------------ */

struct work {
    aio_executor *executor; /* NULL: the default one */
    const aio_job_options *options;
    uint64_t jobs; /* of each task */
    uint64_t right;
};

static int run_jobs(void *arg, void **ret_result)
{
    struct work *work = arg;

    for (uint64_t i = 0; i < work->jobs; i++) {
        aio_future *fut = aio_loop_run_in_executor_with(NULL, work->executor, job,
                                                        (void *)(uintptr_t)i, work->options);
        void *value = NULL;
        int err = aio_await(fut, &value);

        aio_future_unref(fut);
        if (err < 0)
            return err;
        work->right += (uintptr_t)value == answer(i);
    }
    return 0;
}

static int run_tasks(struct bench_clock *clock, uint64_t count, struct work *work)
{
    aio_task *tasks[TASKS];
    aio_future *all;
    int err;

    work->jobs = count / TASKS;
    bench_start(clock);
    for (size_t i = 0; i < TASKS; i++)
        tasks[i] = aio_create_task(run_jobs, work);
    all = aio_gather(tasks, TASKS, 0);
    err = aio_await(all, NULL);
    bench_stop(clock);
    aio_future_unref(all);
    for (size_t i = 0; i < TASKS; i++)
        aio_future_unref(tasks[i]);
    bench_check(err < 0 || work->right == count, "some results are wrong");
    return err;
}

static int run_pool(struct bench_clock *clock, uint64_t count)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    struct work work = {0};
    int err;

    options.max_workers = THREADS;
    work.executor = aio_thread_pool_new(&options);
    err = run_tasks(clock, count, &work);
    (void)aio_executor_shutdown(work.executor, AIO_FOREVER, false);
    aio_executor_unref(work.executor);
    return err;
}

static int run_default(struct bench_clock *clock, uint64_t count)
{
    struct work work = {0};

    return run_tasks(clock, count, &work);
}

/* --- libuv ----------------------------------------------------------------------------- */

struct chain {
    uv_work_t work;
    uint64_t *right;
    uint64_t jobs;
    uint64_t next;
    uint64_t result;
};

static void run_bare(uv_work_t *work)
{
    struct chain *chain = work->data;

    chain->result = answer(chain->next);
}

static void bare_is_done(uv_work_t *work, int status)
{
    struct chain *chain = work->data;

    *chain->right += status == 0 && chain->result == answer(chain->next);
    if (++chain->next < chain->jobs)
        (void)uv_queue_work(work->loop, work, run_bare, bare_is_done);
}

static int run_uv(struct bench_clock *clock, uint64_t count)
{
    struct chain chains[TASKS];
    uint64_t right = 0;
    uv_loop_t loop;

    memset(chains, 0, sizeof(chains));
    bench_check(uv_loop_init(&loop) == 0, "no loop");
    bench_start(clock);
    for (size_t i = 0; i < TASKS; i++) {
        chains[i].work.data = &chains[i];
        chains[i].right = &right;
        chains[i].jobs = count / TASKS;
        (void)uv_queue_work(&loop, &chains[i].work, run_bare, bare_is_done);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    bench_stop(clock);
    bench_check(uv_loop_close(&loop) == 0, "the loop does not close");
    bench_check(right == count, "some results are wrong");
    return 0;
}

/* --------------------------------------------------------------------------------------- */

static const struct bench benches[] = {
    {.name = "jobs_pool", .run = run_pool, .batch = TASKS},
    {.name = "jobs_default", .run = run_default, .batch = TASKS},
    {.name = "jobs_uv", .run = run_uv, .batch = TASKS, .outside = true},
    {.name = NULL},
};

struct place {
    int (*work)(void *arg);
    void *arg;
};

static int in_task(void *arg, void **ret_result)
{
    const struct place *place = arg;

    return place->work(place->arg);
}

static int in_loop(int (*work)(void *arg), void *arg)
{
    struct place place = {work, arg};

    return aio_run(in_task, &place, NULL);
}

int main(int argc, char **argv)
{
    const struct bench *tables[] = {benches, NULL};

    bench_check(setenv("UV_THREADPOOL_SIZE", "8", 1) == 0, "no memory");
    return bench_main(argc, argv, tables, in_loop);
}
