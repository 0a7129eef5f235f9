/* SPDX-License-Identifier: MIT */
/*
 * slab.h - where stacks come from: slots of large mappings, each with its guard
 *
 * For pool.c, fiber.c and overflow.c. A space hands out slots of one size. It maps them
 * in slabs, each twice as large as what there was, so that three tasks map little and a
 * million make few mappings. A slot, low to high:
 *
 *     guard page | stack, used from the top down ... first frames | fiber | colour
 *
 * The fiber lies above its own first frames: a small task that sleeps costs one page
 * in all. The colour, some lines of nothing that differ from slot to slot, keeps the
 * busy parts of many stacks out of the same cache sets.
 */
#ifndef AIO__FIBER_SLAB_H
#define AIO__FIBER_SLAB_H

#include "fiber/fiber.h"
#include "fiber/guard.h"

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line of the processor's caches, or more. */
enum { AIO__COLOUR_STEP = 64, AIO__COLOURS = 12 };

/* Bytes of a slot, but for its guard, that may be no stack. */
#define AIO__SLOT_OVERHEAD (sizeof(struct aio__fiber) + (size_t)AIO__COLOURS * AIO__COLOUR_STEP)

/* Stacks of one size. Embedded in its pool. */
struct aio__space {
    struct aio__fiber_pool *pool; /* borrowed: whose it is */
    size_t size;                  /* of a slot: a power of two */
    size_t guard;                 /* of these, for the guard: a page */
    struct aio__list open;        /* slabs with slots to take */
    struct aio__list full;        /* slabs without */
    size_t slots;                 /* in all slabs */
    size_t made;                  /* slots taken */
    size_t unguarded;             /* of these, without a guard */
};

struct aio__slot {
    uint32_t next; /* while free: the next free one, or AIO__NO_SLOT */
    bool made;     /* taken: a fiber lies in it */
    bool dirty;    /* given back, and its pages may still be there */
    uint8_t guard; /* enum aio__guard; stays when it is given back */
};

#define AIO__NO_SLOT UINT32_MAX

struct aio__slab {
    struct aio__space *space;    /* borrowed; a space outlives its slabs */
    struct aio__list link;       /* in the space's open or full list */
    struct aio__list registered; /* in the process's list of slabs */
    char *base;
    uint32_t count;         /* slots */
    uint32_t fresh;         /* from here on never taken */
    uint32_t free;          /* head of those given back */
    uint32_t made;          /* taken now */
    uint32_t idle;          /* of these, fibers waiting in the pool; kept by pool.c */
    uint32_t dirty;         /* slots given back since the slab was cleaned */
    uint32_t protected_all; /* guards that hold mappings */
    struct aio__slot slots[];
};

void aio__space_init(struct aio__space *space, struct aio__fiber_pool *pool, size_t size,
                     size_t guard);

/* Unmap all, taken or not. */
void aio__space_unmap(struct aio__space *space);

/* Take a slot, with its guard installed if one could be. 0 or AIO_ENOMEM. */
int aio__slot_take(struct aio__space *space, struct aio__slab **ret_slab, uint32_t *ret_slot);

/* Give a slot back. Its pages stay until the slab is cleaned. */
void aio__slot_give(struct aio__slab *slab, uint32_t index);

/* Less address space than this is not worth unmapping. */
#define AIO__SPACE_KEPT ((size_t)16 << 20)

/*
 * Whether a space that has `slots` slots and `made` fibers can do without a slab that is
 * counted in the first and not in the second: what is left has twice the slots it needs.
 */
static inline bool aio__slab_can_go(const struct aio__slab *slab, size_t slots, size_t made)
{
    size_t left = slots - slab->count;

    return left * slab->space->size >= AIO__SPACE_KEPT && left >= 2 * made;
}

/* Unmap the slabs of which nothing is taken, as far as the space can do without them. */
void aio__space_shrink(struct aio__space *space);

static inline char *aio__slot_base(const struct aio__slab *slab, uint32_t slot)
{
    return slab->base + slot * slab->space->size;
}

/* The lowest byte above the guard. */
static inline char *aio__slot_low(const struct aio__slab *slab, uint32_t slot)
{
    return aio__slot_base(slab, slot) + slab->space->guard;
}

/* Where the fiber of a slot lies. */
struct aio__fiber *aio__slot_fiber(const struct aio__slab *slab, uint32_t slot);

/* Give the pages of slots that were given back to the system: neighbours in one call. */
void aio__slab_clean(struct aio__slab *slab);

/*
 * Find the taken slot whose guard an address lies in, among all slabs of the process.
 * NULL if there is none, or if the list of slabs cannot be had just now. Safe in a
 * signal handler.
 */
struct aio__fiber *aio__slab_find_guard(const char *address);

#endif
