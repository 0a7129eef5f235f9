/* SPDX-License-Identifier: MIT */
/*
 * main.c - build/bench/micro: what the pieces of the library cost, one by one
 *
 * Each benchmark runs in the main task of a loop made for it, so that none profits from
 * what another has left in pools, nor suffers from it.
 */
#include "micro.h"

#include <stdio.h>

static const struct bench *const tables[] = {
    bench_switch, bench_spawn,   bench_yield,     bench_pingpong, bench_gather, bench_call_soon,
    bench_timers, bench_cancel,  bench_threads,   bench_jobs,     bench_lock,   bench_queue,
    bench_event,  bench_context, bench_generator, bench_greenlet, bench_stream, NULL,
};

struct visit {
    int (*work)(void *arg);
    void *arg;
};

int micro_count(void *arg, void **ret_result)
{
    uint64_t *runs = arg;

    (void)ret_result;
    ++*runs;
    return 0;
}

static int visit(void *arg, void **ret_result)
{
    const struct visit *v = arg;

    (void)ret_result;
    return v->work(v->arg);
}

/* How often a real loop polls depends on the time that passes, so counting needs another. */
static aio_loop *make_loop(void *arg)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    (void)arg;
    if (bench_is_counting())
        options.clock = AIO_CLOCK_VIRTUAL;
    return aio_loop_new(&options);
}

static int in_main_task(int (*work)(void *arg), void *arg)
{
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;
    struct visit v = {work, arg};
    aio_runner *runner;
    int err;

    options.loop_factory = make_loop;
    runner = aio_runner_new(&options);
    if (runner == NULL)
        return AIO_ENOMEM;
    err = aio_runner_run(runner, visit, &v, NULL, NULL);
    if (err < 0)
        fprintf(stderr, "%s\n", aio_strerror(err));
    aio_runner_free(runner);
    return err;
}

int main(int argc, char **argv)
{
    if (aio_process_worker_main(argc, argv))
        return 0;
    return bench_main(argc, argv, tables, in_main_task);
}
