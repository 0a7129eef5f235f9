/* SPDX-License-Identifier: MIT */
/*
 * shares.h - rounds of operations, shared out to tasks with a connection each
 *
 * For the programs in bench/ that ask a server through aioc.
 */
#ifndef BENCH_SHARES_H
#define BENCH_SHARES_H

#include "support/bench.h"

#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BENCH_CONNECTIONS = 10 };

/* What one task does of a round. */
struct bench_share {
    void *connection; /* its own */
    unsigned count;   /* operations to do */
    unsigned done;    /* those that ended as they should */
};

struct bench_work {
    const char *name;
    aio_coro_fn fn;       /* of each task; its argument is its share */
    unsigned connections; /* and tasks: up to BENCH_CONNECTIONS */
    unsigned count;       /* operations of a round, a multiple of that */
};

/* Run a round: 0, or the code of the first task that failed. */
static inline int bench_share_out(const struct bench_work *work, void *const *connections,
                                  struct bench_clock *clock)
{
    struct bench_share shares[BENCH_CONNECTIONS];
    aio_task *tasks[BENCH_CONNECTIONS];
    unsigned done = 0;
    int err = 0;

    bench_start(clock);
    for (unsigned i = 0; i < work->connections; i++) {
        shares[i] = (struct bench_share){connections[i], work->count / work->connections, 0};
        tasks[i] = aio_create_task(work->fn, &shares[i]);
    }
    for (unsigned i = 0; i < work->connections; i++) {
        int one = aio_await(tasks[i], NULL);

        err = err < 0 ? err : one;
        done += shares[i].done;
        aio_future_unref(tasks[i]);
    }
    bench_stop(clock);
    bench_check(err < 0 || done == work->count, "every operation ended as it should");
    return err;
}

/* Run all rounds, after one that warms up, and print the line. */
static inline int bench_shares(const struct bench_work *work, void *const *connections)
{
    struct bench_rounds rounds = {0};
    int err = 0;

    for (int i = 0; i <= BENCH_ROUNDS && err == 0; i++) {
        struct bench_clock clock = {0};

        err = bench_share_out(work, connections, &clock);
        if (i > 0)
            bench_rounds_add(&rounds, &clock, work->count);
    }
    if (err == 0)
        bench_rounds_print(&rounds, work->name);
    return err;
}

static double bench_busy_poll; /* as of aio_loop_options */

static inline aio_loop *bench_make_loop(void *arg)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    (void)arg;
    options.busy_poll = bench_busy_poll;
    return aio_loop_new(&options);
}

/* The main function of such a program: NAME [--never-look] SERVER. `fn` gets SERVER. */
static inline int bench_client_main(int argc, char **argv, aio_coro_fn fn)
{
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;
    int err;

    if (argc == 3 && strcmp(argv[1], "--never-look") == 0) {
        bench_busy_poll = AIO_BUSY_POLL_NEVER;
    } else if (argc != 2) {
        fprintf(stderr, "usage: %s [--never-look] SERVER\n", argv[0]);
        return 2;
    }
    options.loop_factory = bench_make_loop;
    err = aio_run_with(fn, argv[argc - 1], &options, NULL);
    if (err < 0)
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
