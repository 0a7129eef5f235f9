/* SPDX-License-Identifier: MIT */
/*
 * pool_internal.h - the inside of a pool of fibers
 *
 * For pool.c, which decides who gets which fiber and when memory goes back, and
 * fiber.c, which makes and ends fibers and measures their stacks.
 */
#ifndef AIO__FIBER_POOL_INTERNAL_H
#define AIO__FIBER_POOL_INTERNAL_H

#include "fiber/fiber.h"
#include "fiber/slab.h"

/* Slots are powers of two from the smallest page to four times the largest request. */
enum { AIO__LEAST_SHIFT = 12, AIO__MOST_SHIFT = 32 };

struct aio__size_class {
    struct aio__space space;
    struct aio__list idle; /* fibers, most recently given first */
    size_t idle_count;
    size_t idle_resident; /* bytes */
};

struct aio__fiber_pool {
    struct aio__size_class *standard; /* of the pool's own stack size */
    size_t idle_limit;                /* bytes that idle stacks may keep resident */
    size_t idle_resident;             /* bytes they are thought to keep */
    size_t page;
    size_t least_size;        /* of a slot */
    size_t high_water;        /* of the fibers given back so far; only if measured */
    struct aio__slab *vacant; /* perhaps only idle fibers, and dispensable; see pool.c */
    bool measure;
    bool trimmed_late; /* by aio__fiber_pool_trim() alone */
    struct aio__size_class classes[AIO__MOST_SHIFT - AIO__LEAST_SHIFT + 1];
};

static inline struct aio__size_class *aio__fiber_class(const struct aio__fiber *fiber)
{
    return aio__container_of(fiber->slab->space, struct aio__size_class, space);
}

static inline struct aio__fiber_pool *aio__fiber_pool_of(const struct aio__fiber *fiber)
{
    return fiber->slab->space->pool;
}

/* Whether the caller is on this fiber's stack. */
static inline bool aio__fiber_is_running(const struct aio__fiber *fiber)
{
    return aio__fiber_holds(fiber, __builtin_frame_address(0));
}

/* Make the fiber of a slot just taken. It is parked, as if it had just finished. */
struct aio__fiber *aio__fiber_make(struct aio__slab *slab, uint32_t slot);

/* End a fiber that does not run: afterwards its slot can be given back. */
void aio__fiber_end(struct aio__fiber *fiber);

/* Let a suspended fiber start at its base loop the next time. */
void aio__fiber_restart(struct aio__fiber *fiber);

/* Bytes of memory that the fiber's stack is thought to keep. */
static inline size_t aio__fiber_resident(const struct aio__fiber *fiber)
{
    return (size_t)((const char *)fiber - fiber->resident_low);
}

/* Find out whether the stack has grown into pages that were not counted, and count. */
void aio__fiber_count_pages(struct aio__fiber *fiber);

/* Paint again what was used since the last time. */
void aio__fiber_repaint(struct aio__fiber *fiber);

/* Stop the program if a stack without guard was overrun: memory is not what it was. */
void aio__fiber_check_canary(const struct aio__fiber *fiber);

#endif
