/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c - commands sent together, and transactions
 *
 * A pipeline collects bytes and counts commands. It is written in one piece, so that what other
 * tasks send by the same connection comes before or after all of it: that, and the server's MULTI
 * and EXEC, make a transaction.
 *
 * Thread: the loop's.
 */
#include "redis/redis_internal.h"

#include <aio/memory.h>
#include <string.h>

enum { MAX_COMMANDS = 1 << 20 };

#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC  "*1\r\n$4\r\nEXEC\r\n"

struct aio_redis_pipeline {
    size_t refs;
    aio_redis *redis; /* owned */
    unsigned flags;
    size_t count;
    struct aio__redis_bytes bytes;
};

aio_redis_pipeline *aio_redis_pipeline_new(aio_redis *redis, unsigned flags)
{
    aio_redis_pipeline *pipeline = redis == NULL ? NULL : aio_calloc(1, sizeof(*pipeline));

    if (pipeline == NULL)
        return NULL;
    pipeline->refs = 1;
    pipeline->redis = aio_redis_ref(redis);
    pipeline->flags = flags;
    return pipeline;
}

aio_redis_pipeline *aio_redis_pipeline_ref(aio_redis_pipeline *pipeline)
{
    if (pipeline != NULL)
        pipeline->refs++;
    return pipeline;
}

void aio_redis_pipeline_unref(aio_redis_pipeline *pipeline)
{
    if (pipeline == NULL || --pipeline->refs != 0)
        return;
    aio_redis_unref(pipeline->redis);
    aio__redis_bytes_free(&pipeline->bytes);
    aio_free(pipeline);
}

/* --- collecting ----------------------------------------------------------------------------- */

static int check_room(const aio_redis_pipeline *pipeline)
{
    if (pipeline == NULL)
        return AIO_ENOMEM; /* as its constructor failed */
    if (pipeline->count >= MAX_COMMANDS)
        return aio_raise(AIO_EQUEUEFULL, "a pipeline of %zu commands", pipeline->count);
    return 0;
}

int aio_redis_pipeline_add(aio_redis_pipeline *pipeline, const char *format, ...)
{
    va_list args;
    int err = check_room(pipeline);

    if (err < 0)
        return err;
    va_start(args, format);
    err = aio__redis_add_format(&pipeline->bytes, format, args);
    va_end(args);
    if (err == 0)
        pipeline->count++;
    return err;
}

int aio_redis_pipeline_add_argv(aio_redis_pipeline *pipeline, const aio_buffer *words, size_t count)
{
    int err = check_room(pipeline);

    if (err == 0)
        err = aio__redis_add_argv(&pipeline->bytes, words, count);
    if (err == 0)
        pipeline->count++;
    return err;
}

/* --- what came of it ------------------------------------------------------------------------- */

/* Raise the first failure among the items. */
static int find_failure(const aio_redis_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++) {
        aio_exception *cause;
        int err;

        if (reply->items[i].type != AIO_REDIS_FAILURE)
            continue;
        cause = aio_error_catch(aio__redis_raise_reply(&reply->items[i]));
        err = aio_raise_from(cause, AIO_REDIS_EPIPELINE, "command %zu failed: %s", i + 1,
                             reply->items[i].text);
        aio_exception_unref(cause);
        return err;
    }
    return 0;
}

/* Of MULTI, the commands and EXEC leave what EXEC gave. */
static int unwrap(struct aio__redis_block *block)
{
    const aio_redis_reply *replies = block->root.items;
    const aio_redis_reply *exec = &replies[block->root.count - 1];
    aio_exception *cause = NULL;
    int err = 0;

    if (exec->type == AIO_REDIS_ARRAY) {
        block->root = *exec;
        return 0;
    }
    if (exec->type == AIO_REDIS_NIL)
        return aio_raise(AIO_REDIS_EWATCH, "a watched key has changed");
    if (exec->type != AIO_REDIS_FAILURE)
        return aio_raise(AIO_REDIS_EPROTOCOL, "EXEC gave neither replies nor an error");
    for (size_t i = 0; i + 1 < block->root.count && cause == NULL; i++) {
        if (replies[i].type == AIO_REDIS_FAILURE)
            cause = aio_error_catch(aio__redis_raise_reply(&replies[i]));
    }
    err = aio_raise_from(cause, aio__redis_code_of(exec->text, exec->size), "%s", exec->text);
    aio_exception_unref(cause);
    return err;
}

/* The reply to one command becomes an array of it. */
static int wrap(struct aio__redis_block *block)
{
    aio_redis_reply *item = aio__redis_block_cut(block, sizeof(*item));

    if (item == NULL)
        return AIO_ENOMEM;
    *item = block->root;
    block->root = (aio_redis_reply){.type = AIO_REDIS_ARRAY, .items = item, .count = 1};
    return 0;
}

/* --- execution --------------------------------------------------------------------------------- */

/* Move what was collected to the connection's buffer. */
static int add_all(aio_redis_pipeline *pipeline, struct aio__redis_bytes *out)
{
    size_t mark = out->size;
    bool unit = pipeline->flags & AIO_REDIS_TRANSACTION;
    int err = unit ? aio__redis_add_bytes(out, MULTI, strlen(MULTI)) : 0;

    if (err == 0)
        err = aio__redis_add_bytes(out, pipeline->bytes.data, pipeline->bytes.size);
    if (err == 0 && unit)
        err = aio__redis_add_bytes(out, EXEC, strlen(EXEC));
    if (err < 0)
        out->size = mark;
    return err;
}

static int exchange_all(aio_redis_pipeline *pipeline, struct aio__redis_block **ret_block)
{
    aio_redis *redis = pipeline->redis;
    bool unit = pipeline->flags & AIO_REDIS_TRANSACTION;
    size_t count = pipeline->count;
    size_t mark = redis->out.size;
    int err = add_all(pipeline, &redis->out);

    if (err < 0)
        return err;
    pipeline->bytes.size = 0;
    pipeline->count = 0;
    err = aio__redis_exchange(redis, mark, unit ? count + 2 : count, ret_block);
    if (err < 0)
        return err;
    return unit ? unwrap(*ret_block) : count == 1 ? wrap(*ret_block) : 0;
}

/* An empty pipeline has no replies. */
static int give_nothing(struct aio__redis_block **ret_block)
{
    *ret_block = aio__redis_block_new();
    if (*ret_block == NULL)
        return AIO_ENOMEM;
    (*ret_block)->root.type = AIO_REDIS_ARRAY;
    return 0;
}

int aio_redis_pipeline_execute(aio_redis_pipeline *pipeline, aio_redis_reply **ret_reply)
{
    struct aio__redis_block *block = NULL;
    bool keep_errors;
    int err;

    if (pipeline == NULL)
        return AIO_ENOMEM;
    keep_errors = pipeline->flags & AIO_REDIS_KEEP_ERRORS;
    err = aio__redis_check(pipeline->redis);
    if (err == 0)
        err = pipeline->count == 0 ? give_nothing(&block) : exchange_all(pipeline, &block);
    if (err == 0 && !keep_errors)
        err = find_failure(&block->root);
    if (err == 0 && ret_reply != NULL)
        *ret_reply = aio__redis_block_reply(block);
    else
        aio__redis_block_free(block);
    return err;
}
