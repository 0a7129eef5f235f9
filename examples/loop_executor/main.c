/* SPDX-License-Identifier: MIT */
/*
 * main.c - tasks of one loop have jobs run in the thread of another
 *
 *     loop_executor
 *
 * A counter that is no thread's but one's: it has no lock. Fifty tasks of this thread's loop add
 * to it by jobs, while a task of the other loop reads it now and then.
 */
#include "loop_executor.h"

#include <aio/aio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 50, JOBS = 100 };

/* Of the executor's thread alone. */
static struct {
    pthread_t thread;
    long total;
    long reads;
    bool stop;
} counter;

/* --- in the executor's thread --- */

static int take_over(void *arg, void **ret_result)
{
    counter.thread = pthread_self();
    return 0;
}

static int add(void *arg, void **ret_result)
{
    if (!pthread_equal(counter.thread, pthread_self()))
        return aio_raise(AIO_ERUNTIME, "this is not the thread of the counter");
    counter.total += (intptr_t)arg;
    *ret_result = (void *)counter.total;
    return 0;
}

static int refuse(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "no such number: %s", (const char *)arg);
}

static int tell_to_stop(void *arg, void **ret_result)
{
    counter.stop = true;
    return 0;
}

static int read_now_and_then(void *arg, void **ret_result)
{
    int err = 0;

    while (err == 0 && !counter.stop) {
        counter.reads++;
        err = aio_sleep(0.001);
    }
    *ret_result = (void *)counter.total;
    return err;
}

/* --- in this one --- */

static int run(aio_executor *executor, aio_job_fn fn, void *arg, void **ret_result)
{
    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(NULL, executor, fn, arg);

    return aio_await(fut, ret_result);
}

static int add_often(void *arg, void **ret_result)
{
    int err = 0;

    for (int i = 0; i < JOBS && err == 0; i++)
        err = run(arg, add, (void *)1, NULL);
    return err;
}

static int add_from_tasks(aio_executor *executor)
{
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    if (err < 0)
        return err;
    for (int i = 0; i < TASKS && err == 0; i++) {
        AIO_AUTO(aio_task) task = aio_taskgroup_create_task(group, add_often, executor);

        if (task == NULL)
            err = aio_last_failure();
    }
    return aio_taskgroup_exit(group, err);
}

static int use(aio_executor *executor)
{
    void *total = NULL;
    int err = run(executor, take_over, NULL, NULL);

    if (err < 0)
        return err;
    AIO_AUTO(aio_concurrent_future)
    reader = aio_run_coroutine_threadsafe(read_now_and_then, NULL, loop_executor_loop(executor));
    err = add_from_tasks(executor);
    if (err < 0)
        return err;
    err = run(executor, refuse, aio_constant("twelve"), NULL);
    printf("%s: %s\n", aio_error_name(err), aio_error_text(err));
    err = run(executor, tell_to_stop, NULL, NULL);
    if (err < 0)
        return err;
    AIO_AUTO(aio_future) end = aio_wrap_future(reader, NULL);
    err = aio_await(end, &total);
    if (err == 0)
        printf("the other loop's task has seen %ld\n", (long)(intptr_t)total);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    AIO_AUTO(aio_executor) executor = loop_executor_new();
    int err, end;

    if (executor == NULL)
        return AIO_ENOMEM;
    err = use(executor);
    end = aio_shutdown_executor(executor, AIO_FOREVER, false);
    if (err < 0 || end < 0)
        return err < 0 ? err : end;
    (void)aio_executor_get_stats(executor, &stats);
    printf("%llu jobs, %llu completed\n", (unsigned long long)stats.submitted,
           (unsigned long long)stats.completed);
    return 0;
}

int main(void)
{
    int err = aio_run(async_main, NULL, NULL);

    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
