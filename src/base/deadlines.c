/* SPDX-License-Identifier: MIT */
/*
 * deadlines.c - putting deadlines into runs, and finding the first of all
 */
#include "base/deadlines.h"

#include "base/compiler.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <assert.h>
#include <string.h>

enum {
    IN_HEAP = AIO__RUNS, /* for first_at, also where there is nothing at all */
    FIRST_CAPACITY = 16,
    KEPT_CAPACITY = 1024, /* room that is not given back, for it is small */
    LEAST_GAPS = 32,      /* worth closing */
    AHEAD = 4             /* entries whose items are fetched into the cache beforehand */
};

/* A place in a run: a bit that no place in a heap has, the run's number, the index. */
#define IN_RUN     ((size_t)1 << (sizeof(size_t) * 8 - 1))
#define INDEX_BITS (sizeof(size_t) * 8 - 6)
#define INDEX_MASK (((size_t)1 << INDEX_BITS) - 1)

_Static_assert(AIO__RUNS <= 32, "a run's number has five bits of a place");

static size_t place_in_run(unsigned number, size_t index)
{
    return IN_RUN | (size_t)number << INDEX_BITS | (index & INDEX_MASK);
}

static unsigned run_of(size_t place)
{
    return (unsigned)((place & ~IN_RUN) >> INDEX_BITS);
}

static struct aio__heap_entry *entry_at(const struct aio__run *run, size_t index)
{
    return &run->ring[index & (run->capacity - 1)];
}

/* --- rings ----------------------------------------------------------------------------- */

static int resize(struct aio__run *run, size_t capacity)
{
    struct aio__heap_entry *ring;
    size_t bytes;

    if (__builtin_mul_overflow(capacity, sizeof(*ring), &bytes))
        return AIO_ENOMEM;
    ring = aio_malloc(bytes);
    if (ring == NULL)
        return AIO_ENOMEM;
    /* Each keeps its index, and with that its item its place. */
    for (size_t i = run->begin; i != run->end; i++)
        ring[i & (capacity - 1)] = *entry_at(run, i);
    aio_free(run->ring);
    run->ring = ring;
    run->capacity = capacity;
    return 0;
}

static int append(struct aio__run *run, unsigned number, uint64_t key, struct aio__heap_item *item)
{
    if (AIO__UNLIKELY(run->end - run->begin == run->capacity)) {
        int err = resize(run, run->capacity == 0 ? FIRST_CAPACITY : run->capacity * 2);

        if (err < 0)
            return err;
    }
    *entry_at(run, run->end) = (struct aio__heap_entry){.key = key, .item = item};
    item->place = place_in_run(number, run->end++);
    return 0;
}

/* Give room back that a burst has left. What stays is half empty, so that this does not come
 * again soon. No memory to shrink with is no failure. */
static void shrink(struct aio__run *run)
{
    if (run->capacity > KEPT_CAPACITY && run->end - run->begin < run->capacity / 8)
        (void)resize(run, run->capacity / 4);
}

/* Move what is left over the gaps, to the beginning. */
static void close_gaps(struct aio__run *run, unsigned number)
{
    size_t to = run->begin;

    for (size_t i = run->begin; i != run->end; i++) {
        struct aio__heap_entry entry = *entry_at(run, i);

        if (entry.item == NULL)
            continue;
        if (to != i) {
            *entry_at(run, to) = entry;
            entry.item->place = place_in_run(number, to);
        }
        to++;
    }
    run->end = to;
    run->gaps = 0;
    shrink(run);
}

/* --- runs ------------------------------------------------------------------------------ */

/* Begin a run that ends before all others: with a single entry. */
static void order_append(struct aio__deadlines *self, unsigned number, uint64_t key)
{
    unsigned at = self->used++;

    self->order[at] = (uint8_t)number;
    self->first[at] = key;
    self->last[at] = key;
}

static void order_remove(struct aio__deadlines *self, unsigned at)
{
    size_t behind = --self->used - at;

    memmove(self->order + at, self->order + at + 1, behind * sizeof(*self->order));
    memmove(self->first + at, self->first + at + 1, behind * sizeof(*self->first));
    memmove(self->last + at, self->last + at + 1, behind * sizeof(*self->last));
    if (at < self->first_at && self->first_at != IN_HEAP)
        self->first_at--;
}

/* A run that is not in use; there is one. */
static unsigned unused_run(const struct aio__deadlines *self)
{
    unsigned number = 0;

    while (self->runs[number].begin != self->runs[number].end)
        number++;
    return number;
}

/*
 * All runs are in use, and none ends low enough for a deadline. One whose only entry lies far
 * away blocks a run for little: that goes to the heap, and leaves the run. Each comes to the
 * heap once at most, so this is cheap even where nothing ever fits. Gives whether there was one.
 */
static bool evict_single(struct aio__deadlines *self)
{
    for (unsigned at = 0; at < self->used; at++) {
        unsigned number = self->order[at];
        struct aio__run *run = &self->runs[number];
        struct aio__heap_entry entry = *entry_at(run, run->begin);

        if (run->end - run->begin != 1)
            continue;
        entry.item->place = 0;
        if (aio__heap_put(&self->heap, entry.key, entry.item) < 0) {
            entry.item->place = place_in_run(number, run->begin);
            return false;
        }
        run->begin = run->end;
        if (at == self->first_at)
            self->first_at = IN_HEAP;
        order_remove(self, at);
        return true;
    }
    return false;
}

/* Where in the order a deadline fits: the first run whose last is not above it. */
static unsigned find_run(const struct aio__deadlines *self, uint64_t key)
{
    unsigned at = 0;

    while (at < self->used && self->last[at] > key)
        at++;
    return at;
}

/* Which of two entries comes first. */
static bool before(const struct aio__heap_entry *a, const struct aio__heap_entry *b)
{
    return a->key == b->key ? a->item->seq < b->item->seq : a->key < b->key;
}

/* Find the first of all, after something was taken out. Runs that end early begin early as a
 * rule, so they are asked from the back. */
static void find_first(struct aio__deadlines *self)
{
    const struct aio__heap_entry *first = aio__heap_min(&self->heap);
    uint64_t key = first == NULL ? UINT64_MAX : first->key;
    unsigned first_at = IN_HEAP;

    for (unsigned at = self->used; at-- > 0;) {
        const struct aio__run *run = &self->runs[self->order[at]];
        const struct aio__heap_entry *entry;

        if (AIO__LIKELY(self->first[at] > key))
            continue;
        entry = entry_at(run, run->begin);
        if (first == NULL || before(entry, first)) {
            first = entry;
            first_at = at;
            key = entry->key;
        }
    }
    self->first_at = first_at;
    self->first_key = key;
}

/* The front entry of a run is taken: go on to the next that is there. */
static void step(struct aio__deadlines *self, unsigned at)
{
    struct aio__run *run = &self->runs[self->order[at]];

    run->begin++;
    while (run->begin != run->end && entry_at(run, run->begin)->item == NULL) {
        run->begin++;
        run->gaps--;
    }
    if (run->begin == run->end)
        order_remove(self, at);
    else
        self->first[at] = entry_at(run, run->begin)->key;
    if (AIO__UNLIKELY(run->capacity > KEPT_CAPACITY))
        shrink(run);
}

/* --- the queue ------------------------------------------------------------------------- */

void aio__deadlines_init(struct aio__deadlines *self)
{
    memset(self, 0, sizeof(*self));
    aio__heap_init(&self->heap);
    self->first_at = IN_HEAP;
    self->first_key = UINT64_MAX;
}

size_t aio__deadlines_count(const struct aio__deadlines *self)
{
    size_t count = self->heap.count;

    for (unsigned number = 0; number < AIO__RUNS; number++) {
        const struct aio__run *run = &self->runs[number];

        count += run->end - run->begin - run->gaps;
    }
    return count;
}

void aio__deadlines_destroy(struct aio__deadlines *self)
{
    for (unsigned number = 0; number < AIO__RUNS; number++) {
        struct aio__run *run = &self->runs[number];

        for (size_t i = run->begin; i != run->end; i++)
            if (entry_at(run, i)->item != NULL)
                entry_at(run, i)->item->place = 0;
        aio_free(run->ring);
    }
    aio__heap_destroy(&self->heap);
    aio__deadlines_init(self);
}

/* Put an item, which has its number, into a run or the heap; say where. */
static int put(struct aio__deadlines *self, uint64_t key, struct aio__heap_item *item,
               unsigned *ret_at)
{
    unsigned at = find_run(self, key);
    unsigned number;
    int err;

    *ret_at = at;
    if (AIO__LIKELY(at < self->used)) {
        number = self->order[at];
        err = append(&self->runs[number], number, key, item);
        if (AIO__LIKELY(err == 0))
            self->last[at] = key;
        return err;
    }
    if (self->used == AIO__RUNS && !evict_single(self)) {
        *ret_at = IN_HEAP;
        return aio__heap_put(&self->heap, key, item);
    }
    *ret_at = self->used;
    number = unused_run(self);
    err = append(&self->runs[number], number, key, item);
    if (err == 0)
        order_append(self, number, key);
    return err;
}

int aio__deadlines_push(struct aio__deadlines *self, uint64_t key, struct aio__heap_item *item)
{
    bool is_first = aio__deadlines_empty(self);
    unsigned at;
    int err;

    assert(!aio__heap_contains(item));
    item->seq = self->heap.next_seq++;
    err = put(self, key, item, &at);
    if (AIO__UNLIKELY(err < 0))
        return err;
    if (key < self->first_key || is_first) {
        self->first_key = key;
        self->first_at = at;
    }
    return 0;
}

struct aio__heap_item *aio__deadlines_pop(struct aio__deadlines *self)
{
    unsigned at = self->first_at;
    struct aio__heap_item *item;

    if (at == IN_HEAP) {
        item = aio__heap_pop(&self->heap);
    } else {
        const struct aio__run *run = &self->runs[self->order[at]];

        item = entry_at(run, run->begin)->item;
        if (run->end - run->begin > AHEAD)
            __builtin_prefetch(entry_at(run, run->begin + AHEAD)->item, 1);
        item->place = 0;
        step(self, at);
    }
    find_first(self);
    return item;
}

/* Where in the order a run is. */
static unsigned find_in_order(const struct aio__deadlines *self, unsigned number)
{
    unsigned at = 0;

    while (self->order[at] != number)
        at++;
    return at;
}

static void remove_from_run(struct aio__deadlines *self, struct aio__heap_item *item)
{
    unsigned number = run_of(item->place);
    size_t index = item->place & INDEX_MASK;
    struct aio__run *run = &self->runs[number];

    item->place = 0;
    if (index == (run->begin & INDEX_MASK)) {
        unsigned at = find_in_order(self, number);
        bool was_first = at == self->first_at;

        step(self, at);
        if (was_first)
            find_first(self);
        return;
    }
    assert(entry_at(run, index)->item == item);
    entry_at(run, index)->item = NULL;
    run->gaps++;
    if (run->gaps > LEAST_GAPS && run->gaps > (run->end - run->begin) / 2)
        close_gaps(run, number);
}

void aio__deadlines_remove(struct aio__deadlines *self, struct aio__heap_item *item)
{
    if (!aio__heap_contains(item))
        return;
    if (item->place & IN_RUN) {
        remove_from_run(self, item);
        return;
    }
    aio__heap_remove(&self->heap, item);
    if (self->first_at == IN_HEAP)
        find_first(self);
}
