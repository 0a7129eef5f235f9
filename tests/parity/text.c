/* SPDX-License-Identifier: MIT */
/*
 * text.c - memory that lives as long as one program, and texts that grow
 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16384u

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char data[];
};

void die(const char *format, ...)
{
    va_list arguments;

    fputs("player: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

static struct arena_block *block_new(size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct arena_block *block = calloc(1, sizeof(*block) + size);

    if (block == NULL)
        die("out of memory");
    block->size = size;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t align = _Alignof(max_align_t);
    size_t rounded = (bytes + align - 1) / align * align;
    struct arena_block *block = arena->blocks;
    void *memory;

    if (block == NULL || block->size - block->used < rounded) {
        block = block_new(rounded);
        block->next = arena->blocks;
        arena->blocks = block;
    }
    memory = block->data + block->used;
    block->used += rounded;
    return memory;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);

    memcpy(copy, text, length);
    return copy;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    struct text text = {NULL, 0, 0};
    va_list arguments;
    char *copy;

    va_start(arguments, format);
    text_vformat(&text, format, arguments);
    va_end(arguments);
    copy = arena_copy(arena, text.data, text.length);
    text_free(&text);
    return copy;
}

void arena_free(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
    arena->blocks = NULL;
}

/* Room for that many bytes more, and the final 0. */
static char *text_room(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1;

    if (needed > text->capacity) {
        size_t capacity = needed > 2 * text->capacity ? needed + 256 : 2 * text->capacity;
        char *data = realloc(text->data, capacity);

        if (data == NULL)
            die("out of memory");
        text->data = data;
        text->capacity = capacity;
    }
    return text->data + text->length;
}

void text_append(struct text *text, const char *data, size_t length)
{
    char *end = text_room(text, length);

    if (length > 0)
        memcpy(end, data, length);
    end[length] = '\0';
    text->length += length;
}

void text_add(struct text *text, const char *data)
{
    text_append(text, data, strlen(data));
}

void text_vformat(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    int length;

    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        die("a text cannot be formatted");
    vsnprintf(text_room(text, (size_t)length), (size_t)length + 1, format, arguments);
    text->length += (size_t)length;
}

void text_format(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text_vformat(text, format, arguments);
    va_end(arguments);
}

void text_repeat(struct text *text, size_t begin, size_t times)
{
    size_t size = text->length - begin;

    for (; times > 0; times--) {
        char *end = text_room(text, size);

        memcpy(end, text->data + begin, size);
        end[size] = '\0';
        text->length += size;
    }
}

void text_clear(struct text *text)
{
    text->length = 0;
    if (text->data != NULL)
        text->data[0] = '\0';
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){NULL, 0, 0};
}
