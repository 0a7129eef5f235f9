/* SPDX-License-Identifier: MIT */
/*
 * fetch.c - what does it cost a client to get something by HTTP?
 *
 * usage: fetch PORT
 *
 * Of a server at 127.0.0.1:PORT, over 50 connections that stay open:
 *
 *   small_1000  1,000 times /small, 1 KiB
 *   large_50    50 times /large, 1 MiB
 *
 * 50 tasks share the work. Prints a line each: the name, nanoseconds for one object, and processor
 * time of this process for it; medians of several rounds, after one that opens the connections.
 * Not measured: connecting, TLS, names.
 */
#include "support/bench.h"

#include <aio/aio.h>
#include <aio/http_client.h>
#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 50 };

struct work {
    const char *name;
    const char *path;
    size_t size;
    unsigned count;
};

static const struct work works[] = {
    {"small_1000", "/small", 1024, 1000},
    {"large_50", "/large", 1048576, 50},
};

struct round {
    aio_http_session *session;
    const struct work *work;
    unsigned left;
    unsigned done;
};

static int fetch(void *arg, void **ret_result)
{
    struct round *round = arg;

    while (round->left > 0) {
        AIO_AUTO(aio_http_response) response = NULL;
        aio_buffer body;
        int err;

        round->left--;
        err = aio_http_get(round->session, round->work->path, NULL, &response);
        if (err == 0)
            err = aio_http_response_read(response, &body);
        if (err < 0)
            return err;
        if (aio_http_response_status_code(response) == 200 && body.size == round->work->size)
            round->done++;
    }
    return 0;
}

static int run_round(aio_http_session *session, const struct work *work, struct bench_clock *clock)
{
    struct round round = {session, work, work->count, 0};
    aio_task *tasks[TASKS];
    int err = 0;

    bench_start(clock);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = aio_create_task(fetch, &round);
    for (int i = 0; i < TASKS; i++) {
        int one = aio_await(tasks[i], NULL);

        err = err < 0 ? err : one;
        aio_future_unref(tasks[i]);
    }
    bench_stop(clock);
    bench_check(err < 0 || round.done == work->count, "every object came whole");
    return err;
}

static int measure(aio_http_session *session, const struct work *work)
{
    struct bench_rounds rounds = {0};
    int err = 0;

    for (int i = 0; i <= BENCH_ROUNDS && err == 0; i++) {
        struct bench_clock clock = {0};

        err = run_round(session, work, &clock);
        if (i > 0) /* the first warms up */
            bench_rounds_add(&rounds, &clock, work->count);
    }
    if (err == 0)
        bench_rounds_print(&rounds, work->name);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_session *session;
    char base[64];
    int err = 0;

    (void)snprintf(base, sizeof(base), "http://127.0.0.1:%s", (const char *)arg);
    options.base_url = base;
    options.limit = TASKS;
    session = aio_http_session_new(&options);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]) && err == 0; i++)
        err = measure(session, &works[i]);
    return aio_http_session_exit(session, err);
}

int main(int argc, char **argv)
{
    int err;

    if (argc != 2) {
        fprintf(stderr, "usage: fetch PORT\n");
        return 2;
    }
    err = aio_run(async_main, argv[1], NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
