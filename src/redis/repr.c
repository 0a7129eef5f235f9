/* SPDX-License-Identifier: MIT */
/*
 * repr.c - replies as Python prints them
 *
 * Text that is UTF-8 is a str, as clients that were told an encoding give it; other bytes are
 * bytes. Both with Python's choice of quotes and escapes, but that every character beyond ASCII
 * counts as printable, but for controls.
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

/* The bytes of the UTF-8 character here: 1 to 4, or 0 if it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *at, size_t size)
{
    static const struct {
        unsigned char first, last; /* of the lead */
        unsigned char low, high;   /* of the second byte */
        size_t length;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

    if (at[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (size < forms[i].length || at[1] < forms[i].low || at[1] > forms[i].high)
            return 0;
        for (size_t j = 2; j < forms[i].length; j++) {
            if (at[j] < 0x80 || at[j] > 0xbf)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

static bool is_utf8(const unsigned char *at, size_t size)
{
    while (size > 0) {
        size_t length = utf8_length(at, size);

        if (length == 0)
            return false;
        at += length;
        size -= length;
    }
    return true;
}

static void put_escaped(struct text *text, unsigned char byte)
{
    char escape[8];

    switch (byte) {
    case '\n': put_text(text, "\\n"); break;
    case '\r': put_text(text, "\\r"); break;
    case '\t': put_text(text, "\\t"); break;
    default: (void)snprintf(escape, sizeof(escape), "\\x%02x", byte); put_text(text, escape);
    }
}

static void put_string(struct text *text, const char *string, size_t size)
{
    const unsigned char *at = (const unsigned char *)string;
    bool is_str = is_utf8(at, size);
    bool has_single = size > 0 && memchr(string, '\'', size) != NULL;
    char quote = has_single && memchr(string, '"', size) == NULL ? '"' : '\'';

    if (!is_str)
        put_text(text, "b");
    put(text, &quote, 1);
    while (size > 0) {
        size_t length = is_str ? utf8_length(at, size) : 1;

        if (*at == (unsigned char)quote || *at == '\\')
            put_text(text, "\\");
        if (*at < 0x20 || *at == 0x7f || (*at > 0x7f && !is_str))
            put_escaped(text, *at);
        else if (length == 2 && at[0] == 0xc2 && at[1] < 0xa1) /* U+0080 to U+00A0 */
            put_escaped(text, at[1]);
        else
            put(text, (const char *)at, length);
        at += length;
        size -= length;
    }
    put(text, &quote, 1);
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
