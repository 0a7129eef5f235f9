/* SPDX-License-Identifier: MIT */
/*
 * command.c - commands as redis reads them, one at a time
 *
 * A command is an array of strings: "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n". Given word by word it is
 * written straight into the connection's buffer; hiredis reads formats.
 *
 * Thread: the loop's.
 */
#include "redis/redis_internal.h"

#include <aio/memory.h>
#include <hiredis.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* --- the words ------------------------------------------------------------------------------ */

enum { NUMBER_ROOM = 24 }; /* "$18446744073709551615\r\n" and a 0 */

int aio__redis_add_bytes(struct aio__redis_bytes *out, const void *data, size_t size)
{
    int err = aio__redis_reserve(out, size);

    if (err < 0)
        return err;
    memcpy(out->data + out->size, data, size);
    out->size += size;
    return 0;
}

/* What begins an array or string; there is room. */
static void put_number(struct aio__redis_bytes *out, char kind, size_t number)
{
    char digits[NUMBER_ROOM];
    size_t start = sizeof(digits);

    digits[--start] = '\n';
    digits[--start] = '\r';
    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    digits[--start] = kind;
    memcpy(out->data + out->size, digits + start, sizeof(digits) - start);
    out->size += sizeof(digits) - start;
}

int aio__redis_add_argv(struct aio__redis_bytes *out, const aio_buffer *words, size_t count)
{
    size_t needed = NUMBER_ROOM;
    int err;

    if (words == NULL || count == 0 || count > INT_MAX)
        return aio_raise(AIO_EVALUE, "a command of %zu words", count);
    for (size_t i = 0; i < count; i++) {
        if (words[i].size > SIZE_MAX / 4 - needed)
            return AIO_ENOMEM;
        needed += words[i].size + NUMBER_ROOM + 2;
    }
    err = aio__redis_reserve(out, needed);
    if (err < 0)
        return err;
    put_number(out, '*', count);
    for (size_t i = 0; i < count; i++) {
        put_number(out, '$', words[i].size);
        if (words[i].size > 0)
            memcpy(out->data + out->size, words[i].data, words[i].size);
        out->size += words[i].size;
        memcpy(out->data + out->size, "\r\n", 2);
        out->size += 2;
    }
    return 0;
}

int aio__redis_add_format(struct aio__redis_bytes *out, const char *format, va_list args)
{
    char *text = NULL;
    int size;
    int err;

    if (format == NULL)
        return aio_raise(AIO_EVALUE, "a command is needed, not NULL");
    size = redisvFormatCommand(&text, format, args);
    if (size == -1)
        return AIO_ENOMEM;
    if (size < 0)
        return aio_raise(AIO_EVALUE, "not a format of a command: \"%s\"", format);
    err = memcmp(text, "*0\r\n", 4) == 0
              ? aio_raise(AIO_EVALUE, "a command without words: \"%s\"", format)
              : aio__redis_add_bytes(out, text, (size_t)size);
    explicit_bzero(text, (size_t)size);
    redisFreeCommand(text);
    return err;
}

/* --- one command ----------------------------------------------------------------------------- */

/* Send what was added, and give its reply. */
static int exchange_one(aio_redis *redis, size_t mark, aio_redis_reply **ret_reply)
{
    struct aio__redis_block *block = NULL;
    int err = aio__redis_exchange(redis, mark, 1, &block);

    if (err < 0)
        return err;
    if (block->root.type == AIO_REDIS_FAILURE)
        err = aio__redis_raise_reply(&block->root);
    if (err < 0 || ret_reply == NULL)
        aio__redis_block_free(block);
    else
        *ret_reply = aio__redis_block_reply(block);
    return err;
}

int aio_redis_vcommand(aio_redis *redis, aio_redis_reply **ret_reply, const char *format,
                       va_list args)
{
    int err = aio__redis_check(redis);
    size_t mark;

    if (err < 0)
        return err;
    mark = redis->out.size;
    err = aio__redis_add_format(&redis->out, format, args);
    return err < 0 ? err : exchange_one(redis, mark, ret_reply);
}

int aio_redis_command(aio_redis *redis, aio_redis_reply **ret_reply, const char *format, ...)
{
    va_list args;
    int err;

    va_start(args, format);
    err = aio_redis_vcommand(redis, ret_reply, format, args);
    va_end(args);
    return err;
}

int aio_redis_command_argv(aio_redis *redis, const aio_buffer *words, size_t count,
                           aio_redis_reply **ret_reply)
{
    int err = aio__redis_check(redis);
    size_t mark;

    if (err < 0)
        return err;
    mark = redis->out.size;
    err = aio__redis_add_argv(&redis->out, words, count);
    return err < 0 ? err : exchange_one(redis, mark, ret_reply);
}

int aio_redis_hgetall(aio_redis *redis, const char *key, aio_redis_reply **ret_map)
{
    aio_redis_reply *map = NULL;
    aio_buffer words[2] = {{"HGETALL", 7}, {key, key == NULL ? 0 : strlen(key)}};
    int err;

    if (key == NULL)
        return aio_raise(AIO_EVALUE, "a key is needed, not NULL");
    err = aio_redis_command_argv(redis, words, 2, &map);
    if (err == 0)
        err = aio_redis_reply_make_map(map);
    if (err == 0 && ret_map != NULL)
        *ret_map = map;
    else
        aio_redis_reply_unref(map);
    return err;
}
