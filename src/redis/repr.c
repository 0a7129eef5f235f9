/* SPDX-License-Identifier: MIT */
/*
 * repr.c - replies as Python prints them
 *
 * Text that is UTF-8 is a str, as clients that were told an encoding give it; other bytes are bytes.
 */
#include "redis/redis_internal.h"

#include <stdio.h>
#include <string.h>

/* Where the text goes, cut at the end of the buffer. */
struct text {
    char *buffer;
    size_t size;
    size_t length; /* of the whole */
};

static void put(struct text *text, const char *data, size_t size)
{
    if (text->length < text->size) {
        size_t room = text->size - text->length;

        memcpy(text->buffer + text->length, data, size < room ? size : room);
    }
    text->length += size;
}

static void put_text(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

static void put_string(struct text *text, const char *string, size_t size)
{
    size_t room = text->length < text->size ? text->size - text->length : 0;

    text->length +=
        aio_repr_text(string, size, room > 0 ? text->buffer + text->length : NULL, room);
}

static void put_reply(struct text *text, const aio_redis_reply *reply);

static void put_items(struct text *text, const aio_redis_reply *reply)
{
    bool is_map = reply->type == AIO_REDIS_MAP;

    put_text(text, is_map ? "{" : "[");
    for (size_t i = 0; i < reply->count; i++) {
        if (i > 0)
            put_text(text, is_map && i % 2 != 0 ? ": " : ", ");
        put_reply(text, &reply->items[i]);
    }
    put_text(text, is_map ? "}" : "]");
}

/* Nesting is no deeper than the parser lets it be. */
static void put_reply(struct text *text, const aio_redis_reply *reply)
{
    char number[32];

    switch (reply->type) {
    case AIO_REDIS_NIL: put_text(text, "None"); break;
    case AIO_REDIS_STRING:
    case AIO_REDIS_STATUS: put_string(text, reply->text, reply->size); break;
    case AIO_REDIS_INTEGER:
        (void)snprintf(number, sizeof(number), "%lld", (long long)reply->integer);
        put_text(text, number);
        break;
    case AIO_REDIS_ARRAY:
    case AIO_REDIS_MAP: put_items(text, reply); break;
    case AIO_REDIS_FAILURE:
        put_text(text, aio_error_name(aio__redis_code_of(reply->text, reply->size)));
        put_text(text, "(");
        put_string(text, reply->text, reply->size);
        put_text(text, ")");
        break;
    }
}

size_t aio_redis_reply_repr(const aio_redis_reply *reply, char *buffer, size_t size)
{
    static const aio_redis_reply nil = {.type = AIO_REDIS_NIL};
    struct text text = {.buffer = buffer, .size = buffer == NULL ? 0 : size};

    put_reply(&text, reply == NULL ? &nil : reply);
    if (text.size > 0)
        buffer[text.length < size ? text.length : size - 1] = '\0';
    return text.length;
}
