/* SPDX-License-Identifier: MIT */
/*
 * outbuf.c - bytes that could not be written yet
 *
 * Small pieces share a block, so that many small writes to a slow peer cost neither an allocation
 * nor an iovec each.
 */
#include "net/outbuf.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <string.h>

enum { BLOCK = 16 * 1024, MOST_SPARE = 8 };

struct aio__outblock {
    struct aio__outblock *next;
    size_t capacity;
    size_t begin; /* what is before has been sent */
    size_t end;
    char data[];
};

static struct aio__outblock *block_new(struct aio__outspare *spare, size_t size)
{
    size_t capacity = size < BLOCK ? BLOCK : size;
    struct aio__outblock *block;

    if (spare != NULL && spare->first != NULL && capacity == BLOCK) {
        block = spare->first;
        spare->first = block->next;
        spare->count--;
    } else {
        block = aio_malloc(sizeof(*block) + capacity);
    }
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->capacity = capacity;
    block->begin = 0;
    block->end = 0;
    return block;
}

static void block_free(struct aio__outspare *spare, struct aio__outblock *block)
{
    if (spare == NULL || spare->count == MOST_SPARE || block->capacity != BLOCK) {
        aio_free(block);
        return;
    }
    block->next = spare->first;
    spare->first = block;
    spare->count++;
}

void aio__outspare_clear(struct aio__outspare *spare)
{
    struct aio__outblock *block;

    while ((block = spare->first) != NULL) {
        spare->first = block->next;
        aio_free(block);
    }
    spare->count = 0;
}

static void put(struct aio__outblock *block, const char *data, size_t size)
{
    memcpy(block->data + block->end, data, size);
    block->end += size;
}

/* Blocks for so many bytes, linked: one, or as many as make each of the size that is spared. NULL:
 * no memory. */
static struct aio__outblock *chain_new(struct aio__outspare *spare, size_t size)
{
    struct aio__outblock *first = NULL;
    struct aio__outblock **next = &first;

    while (size > 0) {
        size_t piece = spare == NULL || size < BLOCK ? size : BLOCK;

        *next = block_new(spare, piece);
        if (*next == NULL)
            break;
        next = &(*next)->next;
        size -= piece;
    }
    while (size > 0 && first != NULL) {
        struct aio__outblock *block = first;

        first = block->next;
        block_free(spare, block);
    }
    return first;
}

int aio__outbuf_append(struct aio__outbuf *buffer, const void *data, size_t size)
{
    struct aio__outblock *last = buffer->last;
    size_t room = last == NULL ? 0 : last->capacity - last->end;
    const char *from = data;
    size_t left = size;

    if (size > room) {
        struct aio__outblock *chain = chain_new(buffer->spare, size - room);

        if (chain == NULL)
            return AIO_ENOMEM;
        if (last == NULL)
            last = buffer->first = chain;
        else
            last->next = chain;
    }
    for (struct aio__outblock *block = last; left > 0; block = block->next) {
        size_t free = block->capacity - block->end;
        size_t piece = left < free ? left : free;

        put(block, from, piece);
        from += piece;
        left -= piece;
        buffer->last = block;
    }
    buffer->size += size;
    return 0;
}

int aio__outbuf_peek(const struct aio__outbuf *buffer, struct iovec *pieces, int count)
{
    struct aio__outblock *block = buffer->first;
    int used = 0;

    for (; block != NULL && used < count; block = block->next, used++) {
        pieces[used].iov_base = block->data + block->begin;
        pieces[used].iov_len = block->end - block->begin;
    }
    return used;
}

void aio__outbuf_drop(struct aio__outbuf *buffer, size_t size)
{
    buffer->size -= size;
    while (buffer->first != NULL) {
        struct aio__outblock *block = buffer->first;
        size_t held = block->end - block->begin;

        if (size < held) {
            block->begin += size;
            return;
        }
        size -= held;
        buffer->first = block->next;
        if (block->next == NULL)
            buffer->last = NULL;
        block_free(buffer->spare, block);
    }
}
