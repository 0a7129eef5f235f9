/* SPDX-License-Identifier: MIT */
/*
 * type.c - the ready-made value types, and printing any value
 *
 * Text is written as Python's repr() writes it, since reprs of futures and tasks show
 * results so. Bytes of 0x80 and above are taken for UTF-8 and copied.
 *
 * Thread: any.
 */
#include "base/type.h"

#include <aio/memory.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is written so far: as with snprintf, the length goes on where the buffer ends. */
struct output {
    char *buffer;
    size_t size;
    size_t length;
};

static void put(struct output *out, const char *text, size_t length)
{
    size_t room = out->length < out->size ? out->size - out->length : 0;

    if (room > 0)
        memcpy(out->buffer + out->length, text, length < room ? length : room);
    out->length += length;
}

static void put_character(struct output *out, char c, char quote)
{
    char text[8];
    int length;

    if (c == quote || c == '\\')
        length = snprintf(text, sizeof(text), "\\%c", c);
    else if (c == '\n' || c == '\r' || c == '\t')
        length = snprintf(text, sizeof(text), "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if ((unsigned char)c < 0x20 || c == 0x7f)
        length = snprintf(text, sizeof(text), "\\x%02x", (unsigned)(unsigned char)c);
    else
        length = snprintf(text, sizeof(text), "%c", c);
    put(out, text, (size_t)length);
}

static int format_string(const void *value, char *buffer, size_t size)
{
    const char *text = value;
    struct output out = {.buffer = buffer, .size = size};
    char quote;

    if (text == NULL)
        return snprintf(buffer, size, "None");

    quote = strchr(text, '\'') != NULL && strchr(text, '"') == NULL ? '"' : '\'';
    put(&out, &quote, 1);
    for (; *text != '\0'; text++)
        put_character(&out, *text, quote);
    put(&out, &quote, 1);
    if (size > 0)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return (int)out.length;
}

static int format_int(const void *value, char *buffer, size_t size)
{
    return snprintf(buffer, size, "%" PRIdPTR, (intptr_t)value);
}

const aio_type aio_type_string = {.format = format_string};
const aio_type aio_type_owned_string = {.destroy = aio_free, .format = format_string};
const aio_type aio_type_int = {.format = format_int};
const aio_type aio_type_owned = {.destroy = aio_free};

size_t aio__value_format(const aio_type *type, const void *value, char *buffer, size_t size)
{
    int length;

    if (type != NULL && type->format != NULL)
        length = type->format(value, buffer, size);
    else if (value == NULL)
        length = snprintf(buffer, size, "None");
    else
        length = snprintf(buffer, size, "0x%" PRIxPTR, (uintptr_t)value);
    return length > 0 ? (size_t)length : 0;
}
