/* SPDX-License-Identifier: MIT */
/*
 * parser.c - bytes from a server as replies: what hiredis' reader builds, within limits
 *
 * The reader keeps what it cannot use yet, so a reply costs what it holds: its limit goes for both.
 * Two things would cost more than they hold, and are refused early: a line without an end, which
 * the reader searches anew from its start each time something is added; and an array that announces
 * more items than there is room for.
 *
 * Nesting is limited by hiredis, to 7 arrays within each other.
 */
#include "redis/parser.h"

#include <aio/memory.h>
#include <hiredis.h>
#include <string.h>

enum {
    SLICE = 4096,     /* the reader moves the rest of what it was given each time it has read a
                          kilobyte: little at a time is less to move */
    LINE = 64 * 1024, /* a status, error or number is no longer */
    LENGTH_LINE = 24, /* nor is the length of a string or array, with its end */
    LARGE_SLICE = 64 * 1024
};

/* What replies that are thrown away are made of. */
static aio_redis_reply nowhere;

static struct aio__redis_parser *parser_of(const redisReadTask *task)
{
    return task->privdata;
}

static void *refuse(struct aio__redis_parser *parser, int code)
{
    parser->code = code;
    return NULL;
}

/* Cut memory for the reply under way. */
static void *cut(struct aio__redis_parser *parser, size_t size)
{
    struct aio__redis_block *block = parser->target.block;
    void *memory;

    if (size > parser->limit - block->total)
        return refuse(parser, aio_raise(AIO_REDIS_EPROTOCOL, "a reply needs more than %zu bytes",
                                        parser->limit));
    memory = aio__redis_block_cut(block, size);
    return memory == NULL ? refuse(parser, AIO_ENOMEM) : memory;
}

/* The place of the reply that is read; NULL if it cannot be had. */
static aio_redis_reply *place(const redisReadTask *task, aio_redis_type type)
{
    struct aio__redis_parser *parser = parser_of(task);
    aio_redis_reply *reply;

    if (task->parent == NULL) {
        int err = parser->begin(parser, &parser->target);

        if (err < 0)
            return refuse(parser, err);
        reply = parser->target.reply;
    } else if (parser->target.block == NULL) {
        reply = &nowhere;
    } else {
        const aio_redis_reply *parent = task->parent->obj;

        reply = (aio_redis_reply *)(uintptr_t)&parent->items[task->idx];
    }
    if (parser->target.block == NULL)
        return &nowhere;
    *reply = (aio_redis_reply){.type = type};
    return reply;
}

static void *create_string(const redisReadTask *task, char *text, size_t size)
{
    struct aio__redis_parser *parser = parser_of(task);
    aio_redis_reply *reply = place(task, task->type == REDIS_REPLY_ERROR    ? AIO_REDIS_FAILURE
                                         : task->type == REDIS_REPLY_STATUS ? AIO_REDIS_STATUS
                                                                            : AIO_REDIS_STRING);
    char *copy;

    if (reply == NULL || reply == &nowhere)
        return reply;
    copy = cut(parser, size + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    reply->text = copy;
    reply->size = size;
    return reply;
}

static void *create_array(const redisReadTask *task, int count)
{
    struct aio__redis_parser *parser = parser_of(task);
    aio_redis_reply *reply = place(task, AIO_REDIS_ARRAY);

    if (reply == NULL || reply == &nowhere || count <= 0)
        return reply;
    if ((size_t)count > parser->limit / sizeof(*reply))
        return refuse(parser, aio_raise(AIO_REDIS_EPROTOCOL,
                                        "a reply of %d items needs more than "
                                        "%zu bytes",
                                        count, parser->limit));
    reply->items = cut(parser, (size_t)count * sizeof(*reply));
    if (reply->items == NULL)
        return NULL;
    reply->count = (size_t)count;
    return reply;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    aio_redis_reply *reply = place(task, AIO_REDIS_INTEGER);

    if (reply != NULL && reply != &nowhere)
        reply->integer = value;
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    return place(task, AIO_REDIS_NIL);
}

/* Replies belong to their blocks. */
static void free_object(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

int aio__redis_parser_init(struct aio__redis_parser *parser, size_t limit)
{
    parser->limit = limit;
    parser->code = 0;
    parser->reader = redisReaderCreateWithFunctions(&functions);
    if (parser->reader == NULL)
        return AIO_ENOMEM;
    parser->reader->privdata = parser;
    return 0;
}

void aio__redis_parser_clear(struct aio__redis_parser *parser)
{
    if (parser->reader != NULL)
        redisReaderFree(parser->reader);
    parser->reader = NULL;
}

/* Whether what is left can become a reply within the limits. */
static int check_rest(const struct aio__redis_parser *parser)
{
    const redisReader *reader = parser->reader;
    const char *rest = reader->buf + reader->pos;
    size_t size = reader->len - reader->pos;
    int type = reader->ridx >= 0 ? reader->rstack[reader->ridx].type : -1;

    if (type == REDIS_REPLY_STRING || type == REDIS_REPLY_ARRAY) {
        if (size > LENGTH_LINE && memchr(rest, '\r', LENGTH_LINE) == NULL)
            return aio_raise(AIO_REDIS_EPROTOCOL, "a length without an end");
        if (size > parser->limit)
            return aio_raise(AIO_REDIS_EPROTOCOL, "a reply needs more than %zu bytes",
                             parser->limit);
    } else if (size > LINE) {
        return aio_raise(AIO_REDIS_EPROTOCOL, "a line of more than %d bytes", LINE);
    }
    return 0;
}

static int read_replies(struct aio__redis_parser *parser)
{
    redisReader *reader = parser->reader;
    void *reply = NULL;

    while (redisReaderGetReply(reader, &reply) == REDIS_OK) {
        if (reply == NULL)
            return check_rest(parser);
        parser->end(parser);
        reply = NULL;
    }
    if (parser->code < 0)
        return parser->code;
    return reader->err == REDIS_ERR_OOM ? AIO_ENOMEM
                                        : aio_raise(AIO_REDIS_EPROTOCOL, "%s", reader->errstr);
}

int aio__redis_parser_feed(struct aio__redis_parser *parser, const void *data, size_t size)
{
    const char *at = data;
    int err = 0;

    while (size > 0 && err == 0) {
        /* With much of a string here already, nothing is moved until it is complete. */
        size_t slice = parser->reader->len > SLICE ? LARGE_SLICE : SLICE;

        if (slice > size)
            slice = size;
        if (redisReaderFeed(parser->reader, at, slice) != REDIS_OK)
            return AIO_ENOMEM;
        err = read_replies(parser);
        at += slice;
        size -= slice;
    }
    return err;
}
