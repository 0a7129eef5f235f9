/* SPDX-License-Identifier: MIT */
/*
 * redis_uv.c - the operations of bench/redis.c by hiredis on libuv, with callbacks
 *
 * usage: baseline_redis_uv PORT
 */
#include "support/bench.h"

#include <uv.h>

#include <hiredis.h>

#include <adapters/libuv.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS = 10, BATCH = 100 };

static const char *hset[] = {"HSET", "car", "key1", "1", "key2", "2"};
static const size_t hset_sizes[] = {4, 3, 4, 1, 4, 1};
static const char *hgetall[] = {"HGETALL", "car"};
static const size_t hgetall_sizes[] = {7, 3};

struct work {
    const char *name;
    unsigned connections;
    unsigned batch;
    unsigned count; /* of a round */
};

static const struct work works[] = {
    {"hset_hgetall_c1", 1, 1, 1000},
    {"hset_hgetall_c10", CONNECTIONS, 1, 3000},
    {"pipeline_100", 1, BATCH, 5000},
};

/* Some operations by one connection. */
struct share {
    redisAsyncContext *redis;
    const struct work *work;
    unsigned count;
    unsigned done;
};

static void send_pairs(struct share *share);

static void on_hgetall(redisAsyncContext *redis, void *answer, void *arg)
{
    struct share *share = arg;
    const redisReply *reply = answer;

    bench_check(reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 4,
                "every reply came whole");
    if (++share->done % share->work->batch == 0 && share->done < share->count)
        send_pairs(share);
}

static void on_hset(redisAsyncContext *redis, void *answer, void *arg)
{
    struct share *share = arg;

    bench_check(answer != NULL, "every reply came");
    if (share->work->batch == 1)
        redisAsyncCommandArgv(redis, on_hgetall, share, 2, hgetall, hgetall_sizes);
}

/* One command after the reply to the other, or all of a batch together. */
static void send_pairs(struct share *share)
{
    for (unsigned i = 0; i < share->work->batch; i++) {
        redisAsyncCommandArgv(share->redis, on_hset, share, 6, hset, hset_sizes);
        if (share->work->batch > 1)
            redisAsyncCommandArgv(share->redis, on_hgetall, share, 2, hgetall, hgetall_sizes);
    }
}

static bool is_done(const struct share *shares, const struct work *work)
{
    for (unsigned i = 0; i < work->connections; i++) {
        if (shares[i].done < shares[i].count)
            return false;
    }
    return true;
}

static void run_round(redisAsyncContext *const *connections, const struct work *work,
                      struct bench_clock *clock)
{
    struct share shares[CONNECTIONS];

    bench_start(clock);
    for (unsigned i = 0; i < work->connections; i++) {
        shares[i] = (struct share){connections[i], work, work->count / work->connections, 0};
        send_pairs(&shares[i]);
    }
    while (!is_done(shares, work))
        uv_run(uv_default_loop(), UV_RUN_ONCE);
    bench_stop(clock);
}

static void measure(redisAsyncContext *const *connections, const struct work *work)
{
    struct bench_rounds rounds = {0};

    for (int i = 0; i <= BENCH_ROUNDS; i++) {
        struct bench_clock clock = {0};

        run_round(connections, work, &clock);
        if (i > 0) /* the first warms up */
            bench_rounds_add(&rounds, &clock, work->count);
    }
    bench_rounds_print(&rounds, work->name);
}

int main(int argc, char **argv)
{
    redisAsyncContext *connections[CONNECTIONS];

    if (argc != 2) {
        fprintf(stderr, "usage: baseline_redis_uv PORT\n");
        return 2;
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i] = redisAsyncConnect("127.0.0.1", (int)strtol(argv[1], NULL, 10));
        bench_check(connections[i] != NULL && connections[i]->err == 0, "it connects");
        redisLibuvAttach(connections[i], uv_default_loop());
    }
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        measure(connections, &works[i]);
    for (int i = 0; i < CONNECTIONS; i++)
        redisAsyncFree(connections[i]);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return EXIT_SUCCESS;
}
