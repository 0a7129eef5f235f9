/* SPDX-License-Identifier: MIT */
/*
 * pool.h - small objects of one loop, given back and taken again without a lock
 *
 * For whatever belongs to one loop: tasks, futures, handles, timers. The owner says
 * the size again when it gives an object back, so objects carry no header.
 *
 * Invariants
 *   - A free object is in the free list of its class, most recently given first.
 *   - Chunks are freed with the pool, not before: a loop that had a million tasks is
 *     likely to have them again.
 *   - largest is 0 where a checker (AddressSanitizer, valgrind) watches: then each
 *     object is an allocation of its own, and its use after its end is found.
 *
 * Thread: the loop's.
 */
#ifndef AIO__POOL_H
#define AIO__POOL_H

#include "base/compiler.h"

#include <stddef.h>

#define AIO__POOL_STEP    32  /* bytes between classes; a multiple of the strictest alignment */
#define AIO__POOL_LARGEST 512 /* bytes; larger objects go to the allocator */
#define AIO__POOL_CLASSES (AIO__POOL_LARGEST / AIO__POOL_STEP)

struct aio__pool_slot {
    struct aio__pool_slot *next;
};

struct aio__pool_chunk;

struct aio__pool {
    size_t largest; /* bytes; AIO__POOL_LARGEST, or 0: see above */
    size_t live;    /* objects taken and not given back, of any size */
    struct aio__pool_slot *free[AIO__POOL_CLASSES];
    size_t slots[AIO__POOL_CLASSES]; /* made so far, free or not: sets the next chunk's size */
    struct aio__pool_chunk *chunks;
    size_t chunk_bytes; /* in all chunks together */
};

void aio__pool_init(struct aio__pool *pool);

/* Free the chunks. Objects still out are lost with them. */
void aio__pool_destroy(struct aio__pool *pool);

/* The slow ways of the two below. */
void *aio__pool_alloc_slow(struct aio__pool *pool, size_t size);
void aio__pool_free_slow(struct aio__pool *pool, void *object, size_t size);

/*
 * Take an object of `size` bytes, at least 1. Aligned for any type; not cleared. NULL
 * when memory is short.
 */
static inline void *aio__pool_alloc(struct aio__pool *pool, size_t size)
{
    if (AIO__LIKELY(size <= AIO__POOL_LARGEST)) {
        struct aio__pool_slot **list = &pool->free[(size - 1) / AIO__POOL_STEP];
        struct aio__pool_slot *slot = *list;

        if (AIO__LIKELY(slot != NULL)) {
            *list = slot->next;
            __builtin_prefetch(slot->next); /* or the next one waits for it */
            pool->live++;
            return slot;
        }
    }
    return aio__pool_alloc_slow(pool, size);
}

/* Give it back, with the size it was taken with. NULL is allowed. */
static inline void aio__pool_free(struct aio__pool *pool, void *object, size_t size)
{
    /* The first of the bounds is for sizes that are constants: it costs nothing. */
    if (AIO__LIKELY(size <= AIO__POOL_LARGEST && size <= pool->largest && object != NULL)) {
        struct aio__pool_slot **list = &pool->free[(size - 1) / AIO__POOL_STEP];
        struct aio__pool_slot *slot = object;

        slot->next = *list;
        *list = slot;
        pool->live--;
        return;
    }
    aio__pool_free_slow(pool, object, size);
}

#endif
