/* SPDX-License-Identifier: MIT */
/*
 * text.h - writing text into a buffer that may be too small, as snprintf does
 *
 * For the functions that format objects: the length goes on counting where the buffer ends.
 */
#ifndef AIO__TEXT_H
#define AIO__TEXT_H

#include <aio/common.h>
#include <stdarg.h>
#include <stdio.h>

struct aio__text {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text so far, without the final 0 */
};

/* Where the next character goes; NULL past the end. */
static inline char *aio__text_end(const struct aio__text *text)
{
    return text->length < text->size ? text->buffer + text->length : NULL;
}

/* Bytes left there. */
static inline size_t aio__text_room(const struct aio__text *text)
{
    return text->length < text->size ? text->size - text->length : 0;
}

/* Somebody has written, or would have written, that many more. */
static inline void aio__text_advance(struct aio__text *text, size_t length)
{
    text->length += length;
}

static inline void aio__text_printf(struct aio__text *text, const char *format, ...)
    AIO_PRINTF(2, 3);

static inline void aio__text_printf(struct aio__text *text, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(aio__text_end(text), aio__text_room(text), format, args);
    va_end(args);
    if (length > 0)
        aio__text_advance(text, (size_t)length);
}

#endif
