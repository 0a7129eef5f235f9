/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - bytes that grow at their end
 *
 * Thread: any, one at a time.
 */
#include "http/common/bytes.h"

#include <aio/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SMALLEST = 256 };

int aio__bytes_reserve(struct aio__bytes *bytes, size_t more)
{
    size_t capacity = bytes->capacity < SMALLEST ? SMALLEST : bytes->capacity;
    char *data;

    if (more <= bytes->capacity - bytes->size)
        return 0;
    if (more > SIZE_MAX / 4 - bytes->size)
        return AIO_ENOMEM;
    while (capacity - bytes->size < more)
        capacity *= 2;
    data = aio_realloc(bytes->data, capacity);
    if (data == NULL)
        return AIO_ENOMEM;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

int aio__bytes_append(struct aio__bytes *bytes, const void *data, size_t size)
{
    int err = aio__bytes_reserve(bytes, size);

    if (err < 0)
        return err;
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return 0;
}

int aio__bytes_append_text(struct aio__bytes *bytes, const char *text)
{
    return aio__bytes_append(bytes, text, strlen(text));
}

int aio__bytes_format(struct aio__bytes *bytes, const char *format, ...)
{
    va_list args;
    size_t room;
    int length;
    int err;

    err = aio__bytes_reserve(bytes, 64);
    if (err < 0)
        return err;
    room = bytes->capacity - bytes->size;
    va_start(args, format);
    length = vsnprintf(bytes->data + bytes->size, room, format, args);
    va_end(args);
    if (length < 0)
        return AIO_EVALUE;
    if ((size_t)length >= room) {
        err = aio__bytes_reserve(bytes, (size_t)length + 1);
        if (err < 0)
            return err;
        va_start(args, format);
        (void)vsnprintf(bytes->data + bytes->size, (size_t)length + 1, format, args);
        va_end(args);
    }
    bytes->size += (size_t)length;
    return 0;
}

void aio__bytes_drop(struct aio__bytes *bytes, size_t size)
{
    bytes->size -= size;
    if (size > 0 && bytes->size > 0)
        memmove(bytes->data, bytes->data + size, bytes->size);
}

void aio__bytes_clear(struct aio__bytes *bytes, size_t keep)
{
    bytes->size = 0;
    if (bytes->capacity > keep)
        aio__bytes_free(bytes);
}

void aio__bytes_free(struct aio__bytes *bytes)
{
    aio_free(bytes->data);
    *bytes = (struct aio__bytes){0};
}
