/* SPDX-License-Identifier: MIT */
/*
 * uv.c - the lines of build/bench/micro that bare libuv callbacks can do
 *
 * What a program that uses libuv by hand would write, at its cheapest: timers lie in one
 * array, are initialised before time is taken, and are used again. libuv has no queue of
 * calls, so this one is the usual list, drained by an idle handle.
 */
#include "support/bench.h"

#include <semaphore.h>
#include <stdlib.h>
#include <uv.h>

/* --- call_soon --- */

enum { CALLS = 1000 };

struct call {
    struct call *next;
    void (*fn)(void *arg);
    void *arg;
};

struct queue {
    uv_idle_t idle;
    struct call *first;
    struct call **end;
    uint64_t calls;
    uint64_t rounds_left;
};

static void call_soon(struct queue *queue, void (*fn)(void *arg), void *arg);

static void drain(uv_idle_t *idle)
{
    struct queue *queue = idle->data;
    struct call *call = queue->first;

    uv_idle_stop(idle);
    queue->first = NULL;
    queue->end = &queue->first;
    while (call != NULL) {
        struct call *next = call->next;

        call->fn(call->arg);
        free(call);
        call = next;
    }
}

static void call_soon(struct queue *queue, void (*fn)(void *arg), void *arg)
{
    struct call *call = malloc(sizeof(*call));

    bench_check(call != NULL, "no memory");
    *call = (struct call){NULL, fn, arg};
    if (queue->first == NULL)
        uv_idle_start(&queue->idle, drain);
    *queue->end = call;
    queue->end = &call->next;
}

static void queue_batch(struct queue *queue);

static void count_call(void *arg)
{
    struct queue *queue = arg;

    if (++queue->calls % CALLS == 0 && --queue->rounds_left > 0)
        queue_batch(queue);
}

static void queue_batch(struct queue *queue)
{
    for (int i = 0; i < CALLS; i++)
        call_soon(queue, count_call, queue);
}

static int run_call_soon(struct bench_clock *clock, uint64_t count)
{
    struct queue queue = {.rounds_left = count / CALLS};
    uv_loop_t loop;
    int err = uv_loop_init(&loop);

    if (err < 0)
        return err;
    uv_idle_init(&loop, &queue.idle);
    queue.idle.data = &queue;
    queue.end = &queue.first;

    bench_start(clock);
    queue_batch(&queue);
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_stop(clock);

    bench_check(queue.calls == count, "some calls were not made");
    uv_close((uv_handle_t *)&queue.idle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* --- timers --- */

static uint64_t delay(uint64_t i)
{
    return 1 + (i * 2654435761u >> 16) % 10;
}

static void fire(uv_timer_t *timer)
{
    uint64_t *fired = timer->data;

    ++*fired;
}

static int run_timers(struct bench_clock *clock, uint64_t count, uint64_t size)
{
    uv_timer_t *timers = malloc(size * sizeof(uv_timer_t));
    uint64_t fired = 0;
    uv_loop_t loop;
    int err = uv_loop_init(&loop);

    bench_check(timers != NULL && err == 0, "no memory for the timers");
    for (uint64_t i = 0; i < size; i++) {
        uv_timer_init(&loop, &timers[i]);
        timers[i].data = &fired;
    }

    bench_start(clock);
    for (uint64_t round = 0; round < count / size; round++) {
        uv_update_time(&loop);
        for (uint64_t i = 0; i < size; i++)
            uv_timer_start(&timers[i], fire, delay(i), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    bench_stop(clock);

    bench_check(fired == count, "some timers did not fire");
    for (uint64_t i = 0; i < size; i++)
        uv_close((uv_handle_t *)&timers[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    free(timers);
    return uv_loop_close(&loop);
}

static int run_timers_1k(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 1000);
}

static int run_timers_10k(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 10000);
}

static int run_timers_100k(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 100000);
}

static int run_timers_1m(struct bench_clock *clock, uint64_t count)
{
    return run_timers(clock, count, 1000000);
}

/* --- executor --- */

struct jobs {
    uv_work_t work;
    uint64_t left;
    uint64_t runs;
};

static void work(uv_work_t *req)
{
    struct jobs *jobs = req->data;

    jobs->runs++;
}

static void after_work(uv_work_t *req, int status)
{
    struct jobs *jobs = req->data;

    bench_check(status == 0, "a job was cancelled");
    if (--jobs->left > 0)
        uv_queue_work(req->loop, req, work, after_work);
}

static int run_executor(struct bench_clock *clock, uint64_t count)
{
    struct jobs jobs = {.left = count};
    uv_loop_t loop;
    int err = uv_loop_init(&loop);

    if (err < 0)
        return err;
    jobs.work.data = &jobs;
    bench_start(clock);
    uv_queue_work(&loop, &jobs.work, work, after_work);
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_stop(clock);
    bench_check(jobs.runs == count, "some jobs did not run");
    return uv_loop_close(&loop);
}

/* --- threadpool_50: as many chains of jobs, in eight threads --- */

enum { CHAINS = 50 };

struct chain {
    uv_work_t work;
    uint64_t jobs;
    uint64_t next;
    uint64_t result;
    uint64_t right;
};

static uint64_t chain_answer(uint64_t n)
{
    for (int i = 0; i < 16; i++)
        n = n * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return n >> 1;
}

static void work_chain(uv_work_t *req)
{
    struct chain *chain = req->data;

    chain->result = chain_answer(chain->next);
}

static void after_chain(uv_work_t *req, int status)
{
    struct chain *chain = req->data;

    chain->right += status == 0 && chain->result == chain_answer(chain->next);
    if (++chain->next < chain->jobs)
        (void)uv_queue_work(req->loop, req, work_chain, after_chain);
}

static int run_threadpool_50(struct bench_clock *clock, uint64_t count)
{
    struct chain chains[CHAINS] = {0};
    uint64_t right = 0;
    uv_loop_t loop;
    int err = uv_loop_init(&loop);

    if (err < 0)
        return err;
    bench_start(clock);
    for (size_t i = 0; i < CHAINS; i++) {
        chains[i].work.data = &chains[i];
        chains[i].jobs = count / CHAINS;
        (void)uv_queue_work(&loop, &chains[i].work, work_chain, after_chain);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    bench_stop(clock);
    for (size_t i = 0; i < CHAINS; i++)
        right += chains[i].right;
    bench_check(right == count, "some results are wrong");
    return uv_loop_close(&loop);
}

/* --- threadsafe --- */

struct caller {
    uv_async_t async;
    sem_t answered;
    uint64_t count;
    uint64_t answers;
};

static void answer(uv_async_t *async)
{
    struct caller *caller = async->data;

    if (++caller->answers == caller->count)
        uv_close((uv_handle_t *)async, NULL);
    (void)sem_post(&caller->answered);
}

static void call_from_outside(void *arg)
{
    struct caller *caller = arg;

    for (uint64_t i = 0; i < caller->count; i++) {
        uv_async_send(&caller->async);
        (void)sem_wait(&caller->answered);
    }
}

static int run_threadsafe(struct bench_clock *clock, uint64_t count)
{
    struct caller caller = {.count = count};
    uv_thread_t thread;
    uv_loop_t loop;
    int err = uv_loop_init(&loop);

    if (err < 0)
        return err;
    bench_check(sem_init(&caller.answered, 0, 0) == 0, "no semaphore");
    err = uv_async_init(&loop, &caller.async, answer);
    bench_check(err == 0, "no async handle");
    caller.async.data = &caller;

    bench_start(clock);
    bench_check(uv_thread_create(&thread, call_from_outside, &caller) == 0, "no thread");
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_stop(clock);

    uv_thread_join(&thread);
    (void)sem_destroy(&caller.answered);
    bench_check(caller.answers == count, "some calls were not answered");
    return uv_loop_close(&loop);
}

static const struct bench benches[] = {
    {.name = "call_soon", .run = run_call_soon, .batch = CALLS},
    {.name = "timers_1k", .run = run_timers_1k, .batch = 1000, .waits = true},
    {.name = "timers_10k", .run = run_timers_10k, .batch = 10000, .waits = true},
    {.name = "timers_100k", .run = run_timers_100k, .batch = 100000, .waits = true},
    {.name = "timers_1m", .run = run_timers_1m, .batch = 1000000, .waits = true},
    {.name = "executor", .run = run_executor, .batch = 1},
    {.name = "threadpool_50", .run = run_threadpool_50, .batch = CHAINS},
    {.name = "threadsafe", .run = run_threadsafe, .batch = 1},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    const struct bench *const tables[] = {benches, NULL};

    bench_check(setenv("UV_THREADPOOL_SIZE", "8", 1) == 0, "no memory");
    return bench_main(argc, argv, tables, NULL);
}
