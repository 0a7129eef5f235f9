/* SPDX-License-Identifier: MIT */
/*
 * heap.c - the 4-ary heap: sifting, growing, shrinking
 *
 * Sifting moves a hole, not an entry: each entry on the way is copied once, and the
 * one that belongs into the hole is written at the end.
 */
#include "base/heap.h"

#include "base/compiler.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <assert.h>
#include <string.h>

#define CHILDREN     4
#define MIN_CAPACITY 64
#define CACHE_LINE   64

_Static_assert(sizeof(struct aio__heap_entry) * CHILDREN <= CACHE_LINE,
               "siblings share a cache line");

static bool before(const struct aio__heap_entry *a, const struct aio__heap_entry *b)
{
    if (AIO__UNLIKELY(a->key == b->key))
        return a->item->seq < b->item->seq;
    return a->key < b->key;
}

static void place(struct aio__heap *heap, size_t index, struct aio__heap_entry entry)
{
    heap->entries[index] = entry;
    entry.item->place = index + 1;
}

static void sift_up(struct aio__heap *heap, size_t hole, struct aio__heap_entry entry)
{
    while (hole > 0) {
        size_t parent = (hole - 1) / CHILDREN;

        if (!before(&entry, &heap->entries[parent]))
            break;
        place(heap, hole, heap->entries[parent]);
        hole = parent;
    }
    place(heap, hole, entry);
}

/* The first of some siblings, whatever their number and keys. */
static size_t first_of(const struct aio__heap *heap, size_t begin, size_t end)
{
    size_t first = begin;

    for (size_t i = begin + 1; i < end; i++) {
        if (before(&heap->entries[i], &heap->entries[first]))
            first = i;
    }
    return first;
}

/*
 * The first of the children of a node; `count` or above if it has none.
 *
 * Which child is least cannot be predicted, so four of them are compared by
 * arithmetic instead of branches: a heap in the cache is popped twice as fast. Keys
 * that tie are seen afterwards.
 */
static size_t first_child(const struct aio__heap *heap, size_t index)
{
    const size_t child = index * CHILDREN + 1;
    const struct aio__heap_entry *entries = &heap->entries[child];
    size_t left;
    size_t right;
    size_t least;

    if (AIO__UNLIKELY(child + CHILDREN > heap->count))
        return first_of(heap, child, heap->count);

    left = (size_t)(entries[1].key < entries[0].key);
    right = 2 + (size_t)(entries[3].key < entries[2].key);
    least = left + ((right - left) & -(size_t)(entries[right].key < entries[left].key));
    if (AIO__UNLIKELY((entries[0].key == entries[1].key) | (entries[2].key == entries[3].key) |
                      (entries[left].key == entries[right].key)))
        return first_of(heap, child, child + CHILDREN);
    return child + least;
}

static void sift_down(struct aio__heap *heap, size_t hole, struct aio__heap_entry entry)
{
    for (;;) {
        size_t child = first_child(heap, hole);

        if (child >= heap->count || !before(&heap->entries[child], &entry))
            break;
        place(heap, hole, heap->entries[child]);
        hole = child;
    }
    place(heap, hole, entry);
}

/*
 * Move to an array of another capacity. Not by realloc(), which would not keep the
 * place of the entries within their cache lines: index 1, the first of four siblings,
 * begins one.
 */
static int resize(struct aio__heap *heap, size_t capacity)
{
    struct aio__heap_entry *entries;
    size_t line; /* where in the block a cache line begins */
    size_t bytes;
    char *block;

    if (__builtin_mul_overflow(capacity, sizeof(*entries), &bytes) ||
        __builtin_add_overflow(bytes, 2 * CACHE_LINE, &bytes))
        return AIO_ENOMEM;
    block = aio_malloc(bytes);
    if (block == NULL)
        return AIO_ENOMEM;

    line = CACHE_LINE - (uintptr_t)block % CACHE_LINE;
    entries = (struct aio__heap_entry *)(void *)(block + line) + CHILDREN - 1;
    if (heap->count > 0)
        memcpy(entries, heap->entries, heap->count * sizeof(*entries));
    aio_free(heap->block);
    heap->block = block;
    heap->entries = entries;
    heap->capacity = capacity;
    return 0;
}

void aio__heap_init(struct aio__heap *heap)
{
    memset(heap, 0, sizeof(*heap));
}

void aio__heap_destroy(struct aio__heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->entries[i].item->place = 0;
    aio_free(heap->block);
    aio__heap_init(heap);
}

int aio__heap_reserve(struct aio__heap *heap, size_t extra)
{
    size_t needed;
    size_t capacity = heap->capacity == 0 ? MIN_CAPACITY : heap->capacity;

    if (__builtin_add_overflow(heap->count, extra, &needed))
        return AIO_ENOMEM;
    if (needed <= heap->capacity)
        return 0;
    while (capacity < needed) {
        if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
            return AIO_ENOMEM;
    }
    return resize(heap, capacity);
}

int aio__heap_put(struct aio__heap *heap, uint64_t key, struct aio__heap_item *item)
{
    struct aio__heap_entry entry = {.key = key, .item = item};

    assert(!aio__heap_contains(item));
    if (heap->count == heap->capacity) {
        int err = aio__heap_reserve(heap, 1);

        if (err < 0)
            return err;
    }
    sift_up(heap, heap->count++, entry);
    return 0;
}

int aio__heap_push(struct aio__heap *heap, uint64_t key, struct aio__heap_item *item)
{
    item->seq = heap->next_seq++;
    return aio__heap_put(heap, key, item);
}

/* Half of what is not used goes back, late enough that a heap that breathes between
 * two sizes is not reallocated each time. No memory to shrink with is no failure. */
static void shrink(struct aio__heap *heap)
{
    if (heap->capacity > MIN_CAPACITY && heap->count < heap->capacity / 8)
        (void)resize(heap, heap->capacity / 4);
}

static void remove_at(struct aio__heap *heap, size_t hole)
{
    struct aio__heap_entry last;

    heap->entries[hole].item->place = 0;
    last = heap->entries[--heap->count];
    if (hole < heap->count) {
        /* The last entry need not belong below the hole: it may come from another branch. */
        if (hole > 0 && before(&last, &heap->entries[(hole - 1) / CHILDREN]))
            sift_up(heap, hole, last);
        else
            sift_down(heap, hole, last);
    }
    shrink(heap);
}

struct aio__heap_item *aio__heap_pop(struct aio__heap *heap)
{
    struct aio__heap_item *item;

    if (heap->count == 0)
        return NULL;
    item = heap->entries[0].item;
    remove_at(heap, 0);
    return item;
}

void aio__heap_remove(struct aio__heap *heap, struct aio__heap_item *item)
{
    if (!aio__heap_contains(item))
        return;
    assert(heap->entries[item->place - 1].item == item);
    remove_at(heap, item->place - 1);
}
