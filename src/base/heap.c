/* SPDX-License-Identifier: MIT */
/*
 * heap.c - the 4-ary heap: sifting, growing, shrinking
 *
 * Sifting moves a hole, not an entry: each entry on the way is copied once, and the
 * one that belongs into the hole is written at the end.
 */
#include "base/heap.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <assert.h>
#include <string.h>

#define CHILDREN     4
#define MIN_CAPACITY 64

static bool before(const struct aio__heap_entry *a, const struct aio__heap_entry *b)
{
    return a->key < b->key || (a->key == b->key && a->seq < b->seq);
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

/* The first of the children of a node; `count` or above if it has none. */
static size_t first_child(const struct aio__heap *heap, size_t index)
{
    size_t child = index * CHILDREN + 1;
    size_t end = child + CHILDREN < heap->count ? child + CHILDREN : heap->count;
    size_t first = child;

    for (child++; child < end; child++) {
        if (before(&heap->entries[child], &heap->entries[first]))
            first = child;
    }
    return first;
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

static int resize(struct aio__heap *heap, size_t capacity)
{
    struct aio__heap_entry *entries;

    if (capacity > SIZE_MAX / sizeof(*entries))
        return AIO_ENOMEM;
    entries = aio_realloc(heap->entries, capacity * sizeof(*entries));
    if (entries == NULL)
        return AIO_ENOMEM;
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
    aio_free(heap->entries);
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

int aio__heap_push(struct aio__heap *heap, uint64_t key, struct aio__heap_item *item)
{
    struct aio__heap_entry entry = {.key = key, .seq = heap->next_seq, .item = item};

    assert(!aio__heap_contains(item));
    if (heap->count == heap->capacity) {
        int err = aio__heap_reserve(heap, 1);

        if (err < 0)
            return err;
    }
    heap->next_seq++;
    sift_up(heap, heap->count++, entry);
    return 0;
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
