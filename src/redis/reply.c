/* SPDX-License-Identifier: MIT */
/*
 * reply.c - replies: their memory, and what can be asked of them
 *
 * Thread: any, for a reply that one thread has at a time; its count may be changed from several.
 */
#include "redis/reply.h"

#include <aio/memory.h>
#include <stdalign.h>
#include <string.h>

enum { FIRST_CHUNK = 1024, LARGEST_CHUNK = 64 * 1024 };

/* --- memory ---------------------------------------------------------------------------- */

static size_t aligned(size_t size)
{
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

struct aio__redis_block *aio__redis_block_new(void)
{
    struct aio__redis_block *block = aio_malloc(sizeof(*block));

    if (block == NULL)
        return NULL;
    atomic_init(&block->refs, 1);
    memset(&block->root, 0, sizeof(block->root));
    block->chunks = NULL;
    block->total = 0;
    block->used = aligned((uintptr_t)block->own) - (uintptr_t)block->own;
    return block;
}

void aio__redis_block_free(struct aio__redis_block *block)
{
    struct aio__redis_chunk *chunk;

    if (block == NULL || atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) != 1)
        return;
    chunk = block->chunks;
    while (chunk != NULL) {
        struct aio__redis_chunk *next = chunk->next;

        aio_free(chunk);
        chunk = next;
    }
    aio_free(block);
}

static size_t header_size(void)
{
    return aligned(sizeof(struct aio__redis_chunk));
}

/* Chunks grow with the reply, so that a large one does not need very many. */
static struct aio__redis_chunk *add_chunk(struct aio__redis_block *block, size_t size)
{
    size_t room = block->chunks == NULL ? FIRST_CHUNK : 2 * block->chunks->room;
    struct aio__redis_chunk *chunk;

    if (room > LARGEST_CHUNK)
        room = LARGEST_CHUNK;
    if (room < size)
        room = size;
    chunk = aio_malloc(header_size() + room);
    if (chunk == NULL)
        return NULL;
    chunk->room = room;
    chunk->used = 0;
    chunk->next = block->chunks;
    block->chunks = chunk;
    return chunk;
}

void *aio__redis_block_cut(struct aio__redis_block *block, size_t size)
{
    struct aio__redis_chunk *chunk = block->chunks;
    void *memory;

    size = aligned(size);
    if (chunk == NULL && size <= sizeof(block->own) - block->used) {
        memory = block->own + block->used;
        block->used += size;
    } else {
        if (chunk == NULL || size > chunk->room - chunk->used)
            chunk = add_chunk(block, size);
        if (chunk == NULL)
            return NULL;
        memory = (char *)chunk + header_size() + chunk->used;
        chunk->used += size;
    }
    block->total += size;
    return memory;
}

char *aio__redis_block_text(struct aio__redis_block *block, const char *text, size_t size)
{
    char *copy = aio__redis_block_cut(block, size + 1);

    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static struct aio__redis_block *block_of(aio_redis_reply *reply)
{
    return (struct aio__redis_block *)(void *)((char *)reply -
                                               offsetof(struct aio__redis_block, root));
}

aio_redis_reply *aio_redis_reply_ref(aio_redis_reply *reply)
{
    if (reply != NULL)
        atomic_fetch_add_explicit(&block_of(reply)->refs, 1, memory_order_relaxed);
    return reply;
}

void aio_redis_reply_unref(aio_redis_reply *reply)
{
    if (reply != NULL)
        aio__redis_block_free(block_of(reply));
}

/* --- what can be asked ------------------------------------------------------------------ */

const aio_redis_reply *aio_redis_reply_get(const aio_redis_reply *map, const char *key)
{
    size_t size;

    if (map == NULL || key == NULL || (map->type != AIO_REDIS_MAP && map->type != AIO_REDIS_ARRAY))
        return NULL;
    size = strlen(key);
    for (size_t i = 0; i + 1 < map->count; i += 2) {
        const aio_redis_reply *item = &map->items[i];

        if (item->text != NULL && item->size == size && memcmp(item->text, key, size) == 0)
            return &map->items[i + 1];
    }
    return NULL;
}

int aio_redis_reply_make_map(aio_redis_reply *reply)
{
    if (reply == NULL || (reply->type != AIO_REDIS_ARRAY && reply->type != AIO_REDIS_MAP))
        return aio_raise(AIO_ETYPE, "only an array can be a map");
    if (reply->count % 2 != 0)
        return aio_raise(AIO_ETYPE, "an array of %zu items has a key without a value",
                         reply->count);
    reply->type = AIO_REDIS_MAP;
    return 0;
}

static void destroy_reply(void *reply)
{
    aio_redis_reply_unref(reply);
}

static int format_reply(const void *reply, char *buffer, size_t size)
{
    return (int)aio_redis_reply_repr(reply, buffer, size);
}

const aio_type aio_redis_type_reply = {.destroy = destroy_reply, .format = format_reply};
