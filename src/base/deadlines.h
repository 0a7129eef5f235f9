/* SPDX-License-Identifier: MIT */
/*
 * deadlines.h - what is due next: runs of growing deadlines, and a heap for the rest
 *
 * For src/loop's timers. Most programs use a few delays only: a timeout for requests, one for
 * connections, a pause. Deadlines of the same delay grow as time passes, so each can be put
 * behind the one before it, in a ring that is sorted without being sorted: to put one in, to
 * take the first and to take any out are a few instructions each, where a heap of a million
 * touches ten other timers all over memory. A new deadline goes into the run whose last one
 * is nearest below it. What fits into none goes into the heap.
 *
 * Invariants
 *   - Deadlines are ordered by key, and with equal keys by when they were put in.
 *   - order[0 .. used) are the runs in use, by their last keys, the greatest first; first[i]
 *     and last[i] are the keys at the ends of run order[i], the last perhaps of a gap.
 *   - A run in use has an entry, and its first is not a gap.
 *   - The place of an item in a run has its number and index, that of one in the heap is the
 *     heap's; of an item in neither it is 0, so that cleared memory is an item in no queue.
 */
#ifndef AIO__DEADLINES_H
#define AIO__DEADLINES_H

#include "base/heap.h"

enum { AIO__RUNS = 16 };

/* A ring of entries; an item of NULL is a gap, where one was taken out. */
struct aio__run {
    struct aio__heap_entry *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t begin;    /* indices go on growing: entry i is ring[i % capacity] */
    size_t end;
    size_t gaps;
};

struct aio__deadlines {
    uint64_t first_key; /* the least; UINT64_MAX also if there is none */
    unsigned first_at;  /* where it is: in a run, by its place in order, or as named in the .c */
    unsigned used;
    uint64_t first[AIO__RUNS];
    uint64_t last[AIO__RUNS];
    uint8_t order[AIO__RUNS];
    struct aio__heap heap; /* and the count of all that were put in: next_seq */
    struct aio__run runs[AIO__RUNS];
};

/* An empty queue; it has no memory until the first is put in. */
void aio__deadlines_init(struct aio__deadlines *self);

/* Free all memory. Items still in it are in no queue afterwards. */
void aio__deadlines_destroy(struct aio__deadlines *self);

/* Put in an item that is in no queue. 0, or AIO_ENOMEM and nothing has changed. */
int aio__deadlines_push(struct aio__deadlines *self, uint64_t key, struct aio__heap_item *item);

/* Take out the first item; NULL if there is none. */
struct aio__heap_item *aio__deadlines_pop(struct aio__deadlines *self);

/* Take out any item. Nothing happens if it is in no queue. */
void aio__deadlines_remove(struct aio__deadlines *self, struct aio__heap_item *item);

/* How many are in it. */
size_t aio__deadlines_count(const struct aio__deadlines *self);

static inline bool aio__deadlines_empty(const struct aio__deadlines *self)
{
    return self->used == 0 && self->heap.count == 0;
}

#endif
