/* SPDX-License-Identifier: MIT */
/*
 * heap.h - what is due next, among up to millions: a 4-ary heap with removal
 *
 * For src/loop's timers. Entries of 16 bytes lie by value in one array, placed so that
 * the four children of a node fill one cache line: finding the least of them costs one
 * miss, and touches no owner. The owner embeds an item that knows its place, so that
 * any can be removed.
 *
 * Invariants
 *   - Entries are ordered by key, and with equal keys by when they were pushed.
 *   - entries[i].item->place is i + 1; the place of an item in no heap is 0, so that
 *     cleared memory is an item in no heap.
 */
#ifndef AIO__HEAP_H
#define AIO__HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aio__heap_item {
    size_t place;
    uint64_t seq; /* the heap's count of pushes at this one's: first in, first out */
};

struct aio__heap_entry {
    uint64_t key;
    struct aio__heap_item *item; /* borrowed; its owner removes it before it goes */
};

struct aio__heap {
    struct aio__heap_entry *entries; /* in the block, aligned as said above */
    void *block;                     /* the allocation; NULL while there is none */
    size_t count;
    size_t capacity;
    uint64_t next_seq;
};

/* An empty heap; it has no memory until the first push. */
void aio__heap_init(struct aio__heap *heap);

/* Free the array. Items still in it are in no heap afterwards. */
void aio__heap_destroy(struct aio__heap *heap);

/*
 * Make room for `extra` more items: as many pushes cannot fail then, so long as
 * nothing is taken out in between. 0 or AIO_ENOMEM.
 */
int aio__heap_reserve(struct aio__heap *heap, size_t extra);

/* Put in an item that is in no heap, and has its seq. 0, or AIO_ENOMEM and nothing has
 * changed. */
int aio__heap_put(struct aio__heap *heap, uint64_t key, struct aio__heap_item *item);

/* The same with the next seq. */
int aio__heap_push(struct aio__heap *heap, uint64_t key, struct aio__heap_item *item);

/* Take out the first item; NULL if there is none. */
struct aio__heap_item *aio__heap_pop(struct aio__heap *heap);

/* Take out any item. Nothing happens if it is in no heap. */
void aio__heap_remove(struct aio__heap *heap, struct aio__heap_item *item);

/* The first entry, valid until the heap changes; NULL if there is none. */
static inline const struct aio__heap_entry *aio__heap_min(const struct aio__heap *heap)
{
    return heap->count == 0 ? NULL : &heap->entries[0];
}

static inline bool aio__heap_contains(const struct aio__heap_item *item)
{
    return item->place != 0;
}

#endif
