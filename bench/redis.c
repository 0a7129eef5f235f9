/* SPDX-License-Identifier: MIT */
/*
 * redis.c - what does it cost a client to ask redis?
 *
 * usage: redis PORT
 *
 * Of a server at 127.0.0.1:PORT, one operation being HSET of two fields and HGETALL of them:
 *
 *   hset_hgetall_c1   one connection, one task: each command waits for its reply
 *   hset_hgetall_c10  ten connections, ten tasks
 *   pipeline_100      one connection, a hundred operations sent together
 *
 * Prints a line each: the name, nanoseconds for one operation, and processor time of this process
 * for it; medians of several rounds, after one to warm up. Not measured: connecting.
 */
#include "support/bench.h"

#include <aio/aio.h>
#include <aio/redis.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS = 10, BATCH = 100 };

static const aio_buffer hset[] = {{"HSET", 4}, {"car", 3},  {"key1", 4},
                                  {"1", 1},    {"key2", 4}, {"2", 1}};
static const aio_buffer hgetall[] = {{"HGETALL", 7}, {"car", 3}};

static bool is_whole(const aio_redis_reply *reply)
{
    return reply->type == AIO_REDIS_ARRAY && reply->count == 4;
}

/* Some operations by one connection. */
struct share {
    aio_redis *redis;
    unsigned count;
    unsigned done;
};

static int ask_one_by_one(void *arg, void **ret_result)
{
    struct share *share = arg;

    for (unsigned i = 0; i < share->count; i++) {
        aio_redis_reply *reply = NULL;
        int err = aio_redis_command_argv(share->redis, hset, 6, NULL);

        if (err == 0)
            err = aio_redis_command_argv(share->redis, hgetall, 2, &reply);
        if (err < 0)
            return err;
        share->done += is_whole(reply);
        aio_redis_reply_unref(reply);
    }
    return 0;
}

static int ask_together(void *arg, void **ret_result)
{
    struct share *share = arg;
    AIO_AUTO(aio_redis_pipeline) pipeline = aio_redis_pipeline_new(share->redis, 0);

    while (share->done < share->count) {
        aio_redis_reply *replies = NULL;
        int err = 0;

        for (unsigned i = 0; i < BATCH && err == 0; i++) {
            err = aio_redis_pipeline_add_argv(pipeline, hset, 6);
            if (err == 0)
                err = aio_redis_pipeline_add_argv(pipeline, hgetall, 2);
        }
        if (err == 0)
            err = aio_redis_pipeline_execute(pipeline, &replies);
        if (err < 0)
            return err;
        for (unsigned i = 0; i < BATCH; i++)
            share->done += is_whole(&replies->items[2 * i + 1]);
        aio_redis_reply_unref(replies);
    }
    return 0;
}

struct work {
    const char *name;
    aio_coro_fn ask;
    unsigned connections;
    unsigned count; /* of a round */
};

static const struct work works[] = {
    {"hset_hgetall_c1", ask_one_by_one, 1, 1000},
    {"hset_hgetall_c10", ask_one_by_one, CONNECTIONS, 3000},
    {"pipeline_100", ask_together, 1, 5000},
};

static int run_round(aio_redis *const *connections, const struct work *work,
                     struct bench_clock *clock)
{
    struct share shares[CONNECTIONS];
    aio_task *tasks[CONNECTIONS];
    unsigned done = 0;
    int err = 0;

    bench_start(clock);
    for (unsigned i = 0; i < work->connections; i++) {
        shares[i] = (struct share){connections[i], work->count / work->connections, 0};
        tasks[i] = aio_create_task(work->ask, &shares[i]);
    }
    for (unsigned i = 0; i < work->connections; i++) {
        int one = aio_await(tasks[i], NULL);

        err = err < 0 ? err : one;
        done += shares[i].done;
        aio_future_unref(tasks[i]);
    }
    bench_stop(clock);
    bench_check(err < 0 || done == work->count, "every reply came whole");
    return err;
}

static int measure(aio_redis *const *connections, const struct work *work)
{
    struct bench_rounds rounds = {0};
    int err = 0;

    for (int i = 0; i <= BENCH_ROUNDS && err == 0; i++) {
        struct bench_clock clock = {0};

        err = run_round(connections, work, &clock);
        if (i > 0) /* the first warms up */
            bench_rounds_add(&rounds, &clock, work->count);
    }
    if (err == 0)
        bench_rounds_print(&rounds, work->name);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_redis *connections[CONNECTIONS] = {NULL};
    int err = 0;

    options.host = "127.0.0.1";
    options.port = (int)strtol(arg, NULL, 10);
    for (int i = 0; i < CONNECTIONS && err == 0; i++)
        err = aio_redis_connect(&options, &connections[i]);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]) && err == 0; i++)
        err = measure(connections, &works[i]);
    for (int i = 0; i < CONNECTIONS; i++)
        aio_redis_unref(connections[i]);
    return err;
}

int main(int argc, char **argv)
{
    int err;

    if (argc != 2) {
        fprintf(stderr, "usage: redis PORT\n");
        return 2;
    }
    err = aio_run(async_main, argv[1], NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
