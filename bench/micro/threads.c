/* SPDX-License-Identifier: MIT */
/*
 * threads.c - what is a round trip to another thread, asked from here and from there?
 *
 * One in flight: what is measured is mostly how the system wakes a sleeping thread. Not
 * measured: many at a time, where nobody sleeps.
 */
#include "micro.h"

#include <pthread.h>
#include <semaphore.h>

/* --- executor: run an empty function in a worker thread and await it --- */

static int job(void *arg, void **ret_result)
{
    return micro_count(arg, ret_result);
}

static int run_executor(struct bench_clock *clock, uint64_t count)
{
    uint64_t runs = 0;
    int err = 0;

    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++) {
        aio_future *fut = aio_loop_run_in_executor(NULL, NULL, job, &runs);

        err = aio_await(fut, NULL);
        aio_future_unref(fut);
    }
    bench_stop(clock);
    bench_check(err < 0 || runs == count, "some functions did not run");
    return err;
}

/* --- threadsafe: a thread calls into the loop and waits for the answer --- */

struct caller {
    aio_loop *loop;
    sem_t answered;
    uint64_t count;
    uint64_t calls; /* the loop's */
    aio_future *done;
    int err;
};

static int answer(void *arg)
{
    struct caller *caller = arg;

    caller->calls++;
    return sem_post(&caller->answered);
}

static int finish(void *arg)
{
    struct caller *caller = arg;

    return aio_future_set_result(caller->done, NULL);
}

static void *call_from_outside(void *arg)
{
    struct caller *caller = arg;

    for (uint64_t i = 0; i < caller->count && caller->err == 0; i++) {
        caller->err = aio_loop_call_soon_threadsafe(caller->loop, answer, caller, NULL);
        if (caller->err == 0)
            (void)sem_wait(&caller->answered);
    }
    bench_check(aio_loop_call_soon_threadsafe(caller->loop, finish, caller, NULL) == 0,
                "the loop takes no call");
    return NULL;
}

static int run_threadsafe(struct bench_clock *clock, uint64_t count)
{
    struct caller caller = {.loop = aio_get_running_loop(), .count = count};
    pthread_t thread;
    int err;

    caller.done = aio_future_new(NULL);
    bench_check(sem_init(&caller.answered, 0, 0) == 0, "no semaphore");
    bench_start(clock);
    bench_check(pthread_create(&thread, NULL, call_from_outside, &caller) == 0, "no thread");
    err = aio_await(caller.done, NULL);
    bench_stop(clock);
    (void)pthread_join(thread, NULL);
    (void)sem_destroy(&caller.answered);
    aio_future_unref(caller.done);
    bench_check(caller.err < 0 || caller.calls == count, "some calls were not made");
    return err < 0 ? err : caller.err;
}

const struct bench bench_threads[] = {
    {.name = "executor", .run = run_executor, .batch = 1},
    {.name = "threadsafe", .run = run_threadsafe, .batch = 1},
    {.name = NULL},
};
