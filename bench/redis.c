/* SPDX-License-Identifier: MIT */
/*
 * redis.c - what does it cost a client to ask redis?
 *
 * usage: redis [--never-look] PORT
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
#include "support/shares.h"

#include <aio/redis.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 100 };

static const aio_buffer hset[] = {{"HSET", 4}, {"car", 3},  {"key1", 4},
                                  {"1", 1},    {"key2", 4}, {"2", 1}};
static const aio_buffer hgetall[] = {{"HGETALL", 7}, {"car", 3}};

static bool is_whole(const aio_redis_reply *reply)
{
    return reply->type == AIO_REDIS_ARRAY && reply->count == 4;
}

static int ask_one_by_one(void *arg, void **ret_result)
{
    struct bench_share *share = arg;

    for (unsigned i = 0; i < share->count; i++) {
        aio_redis_reply *reply = NULL;
        int err = aio_redis_command_argv(share->connection, hset, 6, NULL);

        if (err == 0)
            err = aio_redis_command_argv(share->connection, hgetall, 2, &reply);
        if (err < 0)
            return err;
        share->done += is_whole(reply);
        aio_redis_reply_unref(reply);
    }
    return 0;
}

static int ask_together(void *arg, void **ret_result)
{
    struct bench_share *share = arg;
    AIO_AUTO(aio_redis_pipeline) pipeline = aio_redis_pipeline_new(share->connection, 0);

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

static const struct bench_work works[] = {
    {"hset_hgetall_c1", ask_one_by_one, 1, 1000},
    {"hset_hgetall_c10", ask_one_by_one, BENCH_CONNECTIONS, 3000},
    {"pipeline_100", ask_together, 1, 5000},
};

static int async_main(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    void *connections[BENCH_CONNECTIONS] = {NULL};
    int err = 0;

    options.host = "127.0.0.1";
    options.port = (int)strtol(arg, NULL, 10);
    for (int i = 0; i < BENCH_CONNECTIONS && err == 0; i++) {
        aio_redis *redis = NULL;

        err = aio_redis_connect(&options, &redis);
        connections[i] = redis;
    }
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]) && err == 0; i++)
        err = bench_shares(&works[i], connections);
    for (int i = 0; i < BENCH_CONNECTIONS; i++)
        aio_redis_unref(connections[i]);
    return err;
}

int main(int argc, char **argv)
{
    return bench_client_main(argc, argv, async_main);
}
