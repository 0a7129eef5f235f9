/* SPDX-License-Identifier: MIT */
/*
 * text.h - memory that lives as long as one program, and texts that grow
 *
 * For all of the player. When the machine has no memory left the player ends with a
 * message: it is a test program, and its user sees it at once.
 */
#ifndef PARITY_TEXT_H
#define PARITY_TEXT_H

#include <aio/common.h>

#include <stdarg.h>

/** Memory that is freed all at once. Zero it to begin with. */
struct arena {
    struct arena_block *blocks;
};

/* Cleared memory that lives until arena_free(). Never NULL. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* A copy of the text with a 0 behind it. */
char *arena_copy(struct arena *arena, const char *text, size_t length);
char *arena_format(struct arena *arena, const char *format, ...) AIO_PRINTF(2, 3);
void arena_free(struct arena *arena);

/** A text that grows. Zero it to begin with; data is NULL while it is empty. */
struct text {
    char *data;
    size_t length;
    size_t capacity;
};

void text_append(struct text *text, const char *data, size_t length);
void text_add(struct text *text, const char *data);
void text_format(struct text *text, const char *format, ...) AIO_PRINTF(2, 3);
void text_vformat(struct text *text, const char *format, va_list arguments) AIO_PRINTF(2, 0);
/* Append what stands from `begin` on so many times more. */
void text_repeat(struct text *text, size_t begin, size_t times);
void text_clear(struct text *text);
void text_free(struct text *text);

/* End the player with a message on standard error. */
void die(const char *format, ...) AIO_PRINTF(1, 2) __attribute__((noreturn));

#endif
