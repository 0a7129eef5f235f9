/* SPDX-License-Identifier: MIT */
/*
 * store.c - where a queue keeps its items: a ring, a stack or a heap
 *
 * The heap has four children a node: half the depth of a binary one for the same number of
 * comparisons, which are the caller's function and cost the most.
 *
 * Invariants
 *   - Rings: the items are ring[head], ring[head + 1], ... round the end, oldest first.
 *   - Heaps: no entry comes out before its parent, heap[(i - 1) / 4].
 */
#include "sync/store.h"

#include <aio/memory.h>
#include <assert.h>
#include <string.h>

#define FIRST_CAPACITY 8
#define KEPT_CAPACITY  1024 /* room that is not given back, for it is small */

struct aio__store_entry {
    void *item;
    uint64_t seq;
};

void aio__store_init(struct aio__store *store, enum aio__store_kind kind, aio_compare_fn compare,
                     void *compare_arg)
{
    memset(store, 0, sizeof(*store));
    store->kind = kind;
    store->compare = compare;
    store->compare_arg = compare_arg;
}

void aio__store_destroy(struct aio__store *store)
{
    assert(store->count == 0);
    aio_free(store->memory);
    store->memory = NULL;
    store->capacity = 0;
}

/* --- room ------------------------------------------------------------------------------ */

static int resize_ring(struct aio__store *store, size_t capacity)
{
    void **ring;
    size_t first; /* items up to the end of the old ring */

    if (capacity > SIZE_MAX / sizeof(*ring))
        return AIO_ENOMEM;
    ring = aio_malloc(capacity * sizeof(*ring));
    if (ring == NULL)
        return AIO_ENOMEM;
    first = store->capacity - store->head;
    if (first > store->count)
        first = store->count;
    if (store->count > 0) {
        memcpy(ring, store->ring + store->head, first * sizeof(*ring));
        memcpy(ring + first, store->ring, (store->count - first) * sizeof(*ring));
    }
    aio_free(store->ring);
    store->ring = ring;
    store->head = 0;
    store->capacity = capacity;
    return 0;
}

static int resize_heap(struct aio__store *store, size_t capacity)
{
    struct aio__store_entry *heap;

    if (capacity > SIZE_MAX / sizeof(*heap))
        return AIO_ENOMEM;
    heap = aio_realloc(store->heap, capacity * sizeof(*heap));
    if (heap == NULL)
        return AIO_ENOMEM;
    store->heap = heap;
    store->capacity = capacity;
    return 0;
}

static int resize(struct aio__store *store, size_t capacity)
{
    return store->kind == AIO__STORE_PRIORITY ? resize_heap(store, capacity)
                                              : resize_ring(store, capacity);
}

static int grow(struct aio__store *store)
{
    return resize(store, store->capacity == 0 ? FIRST_CAPACITY : store->capacity * 2);
}

/* Give room back that a burst has left. What remains is half empty, so neither the next put
 * nor the next take comes here again. */
static void shrink(struct aio__store *store)
{
    if (store->capacity > KEPT_CAPACITY && store->count <= store->capacity / 8)
        (void)resize(store, store->capacity / 4); /* without success it just stays */
}

/* --- heap ------------------------------------------------------------------------------ */

static bool comes_before(const struct aio__store *store, const struct aio__store_entry *a,
                         const struct aio__store_entry *b)
{
    int order = store->compare(a->item, b->item, store->compare_arg);

    return order < 0 || (order == 0 && a->seq < b->seq);
}

/* Put an entry at a free place, or nearer to the root. */
static void sift_up(struct aio__store *store, size_t place, struct aio__store_entry entry)
{
    while (place > 0) {
        size_t parent = (place - 1) / 4;

        if (!comes_before(store, &entry, &store->heap[parent]))
            break;
        store->heap[place] = store->heap[parent];
        place = parent;
    }
    store->heap[place] = entry;
}

/* The child that comes out before the others; `place` itself if it has none. */
static size_t first_child(const struct aio__store *store, size_t place)
{
    size_t child = place * 4 + 1;
    size_t end = child + 4 < store->count ? child + 4 : store->count;
    size_t best = child;

    if (child >= store->count)
        return place;
    while (++child < end)
        if (comes_before(store, &store->heap[child], &store->heap[best]))
            best = child;
    return best;
}

/* Put an entry at a free place, or farther from the root. */
static void sift_down(struct aio__store *store, size_t place, struct aio__store_entry entry)
{
    for (;;) {
        size_t child = first_child(store, place);

        if (child == place || !comes_before(store, &store->heap[child], &entry))
            break;
        store->heap[place] = store->heap[child];
        place = child;
    }
    store->heap[place] = entry;
}

static void heap_put(struct aio__store *store, void *item)
{
    struct aio__store_entry entry = {item, store->next_seq++};

    sift_up(store, store->count++, entry);
}

static void *heap_take(struct aio__store *store)
{
    void *item = store->heap[0].item;

    store->count--;
    if (store->count > 0)
        sift_down(store, 0, store->heap[store->count]);
    return item;
}

/* --- items ----------------------------------------------------------------------------- */

int aio__store_put(struct aio__store *store, void *item)
{
    if (store->count == store->capacity) {
        int err = grow(store);

        if (err < 0)
            return err;
    }
    if (store->kind == AIO__STORE_PRIORITY)
        heap_put(store, item);
    else
        store->ring[(store->head + store->count++) & (store->capacity - 1)] = item;
    return 0;
}

void *aio__store_take(struct aio__store *store)
{
    void *item = NULL;

    assert(store->count > 0);
    switch (store->kind) {
    case AIO__STORE_FIFO:
        item = store->ring[store->head];
        store->head = (store->head + 1) & (store->capacity - 1);
        store->count--;
        break;
    case AIO__STORE_LIFO:
        store->count--;
        item = store->ring[(store->head + store->count) & (store->capacity - 1)];
        break;
    case AIO__STORE_PRIORITY: item = heap_take(store); break;
    }
    shrink(store);
    return item;
}
