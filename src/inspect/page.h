/* SPDX-License-Identifier: MIT */
/*
 * page.h - text that grows
 *
 * For src/inspect. When memory is short the page is spoilt, and says so at the end.
 */
#ifndef AIO__PAGE_H
#define AIO__PAGE_H

#include <aio/error.h>
#include <aio/memory.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct aio__page {
    char *text;
    size_t length;
    size_t capacity;
    bool spoilt;
};

/* Room for so much more, and a 0. */
static inline bool aio__page_reserve(struct aio__page *page, size_t more)
{
    size_t capacity = page->capacity == 0 ? 1024 : page->capacity;
    char *text;

    if (page->spoilt)
        return false;
    while (capacity - page->length <= more)
        capacity *= 2;
    if (capacity == page->capacity)
        return true;
    text = aio_realloc(page->text, capacity);
    if (text == NULL) {
        page->spoilt = true;
        return false;
    }
    page->text = text;
    page->capacity = capacity;
    return true;
}

static inline void aio__page_put(struct aio__page *page, const char *text)
{
    size_t length = strlen(text);

    if (!aio__page_reserve(page, length))
        return;
    memcpy(page->text + page->length, text, length + 1);
    page->length += length;
}

static inline void aio__page_printf(struct aio__page *page, const char *format, ...)
    AIO_PRINTF(2, 3);

static inline void aio__page_printf(struct aio__page *page, const char *format, ...)
{
    va_list args;
    va_list again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0 && aio__page_reserve(page, (size_t)length)) {
        (void)vsnprintf(page->text + page->length, (size_t)length + 1, format, again);
        page->length += (size_t)length;
    }
    va_end(again);
}

/* The text, to be freed; or AIO_ENOMEM, and nothing is left. */
static inline int aio__page_take(struct aio__page *page, char **ret_text)
{
    (void)aio__page_reserve(page, 0);
    if (page->spoilt) {
        aio_free(page->text);
        page->text = NULL;
        return AIO_ENOMEM;
    }
    page->text[page->length] = '\0';
    *ret_text = page->text;
    page->text = NULL;
    return 0;
}

/* Write a text and free it. 0, or -EIO. */
int aio__page_print(char *text, FILE *file);

#endif
