/* SPDX-License-Identifier: MIT */
/*
 * pool.c - chunks, cut into slots of one class each
 *
 * The first chunk of a class is small and each one about doubles the class, up to a
 * bound, so that a loop with three timers stays small and one with a million makes
 * few allocations.
 */
#include "base/pool.h"

#include <aio/memory.h>
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if !AIO__ASAN && defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#define FIRST_SLOTS     16
#define MAX_CHUNK_BYTES ((size_t)64 * 1024)

/* Slots follow; as long as the strictest alignment, so that they keep it. */
struct aio__pool_chunk {
    _Alignas(max_align_t) struct aio__pool_chunk *next;
};

static bool checker_watches(void)
{
    return AIO__ASAN || RUNNING_ON_VALGRIND;
}

void aio__pool_init(struct aio__pool *pool)
{
    memset(pool, 0, sizeof(*pool));
    pool->largest = checker_watches() ? 0 : AIO__POOL_LARGEST;
}

void aio__pool_destroy(struct aio__pool *pool)
{
    struct aio__pool_chunk *chunk = pool->chunks;

    while (chunk != NULL) {
        struct aio__pool_chunk *next = chunk->next;

        aio_free(chunk);
        chunk = next;
    }
    memset(pool, 0, sizeof(*pool));
}

/* Make more free slots of a class, which has none. */
static bool add_chunk(struct aio__pool *pool, size_t class_index)
{
    size_t slot_bytes = (class_index + 1) * AIO__POOL_STEP;
    size_t count = pool->slots[class_index] < FIRST_SLOTS ? FIRST_SLOTS : pool->slots[class_index];
    struct aio__pool_chunk *chunk;
    char *slots;

    if (count > MAX_CHUNK_BYTES / slot_bytes)
        count = MAX_CHUNK_BYTES / slot_bytes;
    chunk = aio_malloc(sizeof(*chunk) + count * slot_bytes);
    if (chunk == NULL)
        return false;

    chunk->next = pool->chunks;
    pool->chunks = chunk;
    pool->chunk_bytes += sizeof(*chunk) + count * slot_bytes;
    pool->slots[class_index] += count;

    /* From the last to the first, so that they are taken in the order of addresses. */
    slots = (char *)(chunk + 1);
    for (size_t i = count; i-- > 0;) {
        struct aio__pool_slot *slot = (struct aio__pool_slot *)(void *)(slots + i * slot_bytes);

        slot->next = pool->free[class_index];
        pool->free[class_index] = slot;
    }
    return true;
}

void *aio__pool_alloc_slow(struct aio__pool *pool, size_t size)
{
    size_t class_index = (size - 1) / AIO__POOL_STEP;
    struct aio__pool_slot *slot;

    assert(size > 0);
    if (size > pool->largest) {
        void *object = aio_malloc(size);

        if (object != NULL)
            pool->live++;
        return object;
    }
    if (!add_chunk(pool, class_index))
        return NULL;
    slot = pool->free[class_index];
    pool->free[class_index] = slot->next;
    pool->live++;
    return slot;
}

void aio__pool_free_slow(struct aio__pool *pool, void *object, size_t size)
{
    if (object == NULL)
        return;
    assert(size > pool->largest);
    pool->live--;
    aio_free(object);
}
