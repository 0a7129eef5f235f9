/* SPDX-License-Identifier: MIT */
/*
 * fiber.h - stacks that can be switched, without any idea of loops or tasks
 *
 * For src/loop (tasks run on fibers), src/task (generators) and greenlets.
 *
 * A fiber is a stack with a place to go on from. Fibers come from a pool and go
 * back to it; a fiber that has finished stays parked inside its base loop, so
 * that taking it again costs one plain switch.
 *
 * Thread: a pool, its fibers and every switch between them belong to one thread
 * at a time. A fiber never moves to another thread while it is suspended half way.
 */
#ifndef AIO__FIBER_H
#define AIO__FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aio__fiber;
struct aio__fiber_pool;

/*
 * What runs on a fiber. When it returns, its fiber is parked and the fiber that it
 * returned goes on. Before returning it must have given its own fiber back with
 * aio__fiber_give(), or handed it to somebody who will.
 */
typedef struct aio__fiber *(*aio__fiber_fn)(struct aio__fiber *self);

struct aio__fiber_pool_options {
    size_t stack_size; /* of fibers taken with size 0; rounded up to pages; 0: 64 KiB */
    size_t idle_bytes; /* stack bytes that idle fibers may keep resident; 0: 4 MiB */
    bool measure;      /* paint stacks, so that aio__fiber_high_water() works */
};

/* Make a pool. 0 or a negative code. */
int aio__fiber_pool_new(const struct aio__fiber_pool_options *options,
                        struct aio__fiber_pool **ret_pool);

/* Free a pool and every fiber of it, given back or not. None may be running. */
void aio__fiber_pool_free(struct aio__fiber_pool *pool);

struct aio__fiber_pool_stats {
    size_t fibers;      /* made and not yet freed */
    size_t idle;        /* of these, waiting in the pool */
    size_t mapped;      /* bytes of address space */
    size_t high_water;  /* the most stack any fiber used so far; only if measured */
    unsigned unguarded; /* fibers without a guard page, for want of mappings */
};
void aio__fiber_pool_stats(const struct aio__fiber_pool *pool,
                           struct aio__fiber_pool_stats *ret_stats);

/*
 * Take a fiber that will run fn when it is first switched to. The most recently
 * given one of that size comes first. stack_size 0: the pool's.
 * 0, or a negative code (AIO_ENOMEM; AIO_EVALUE for a size out of bounds).
 */
int aio__fiber_take(struct aio__fiber_pool *pool, size_t stack_size, aio__fiber_fn fn,
                    void *user, struct aio__fiber **ret_fiber);

/* Give back a fiber that is about to return from its fn. */
void aio__fiber_give(struct aio__fiber *fiber);

/* Give back a fiber that is suspended half way and will never go on. Frames on it
 * are not unwound. */
void aio__fiber_abandon(struct aio__fiber *fiber);

/* What the taker passed; may be changed at any time. */
static inline void *aio__fiber_user(const struct aio__fiber *fiber);
static inline void aio__fiber_set_user(struct aio__fiber *fiber, void *user);

/*
 * Make `self` stand for the stack the thread is on right now, so that one can
 * switch away from it and back. No pool owns it; valid until nobody will switch
 * to it any more. Nothing to free.
 */
struct aio__fiber_root;  /* complete below, to be embedded; holds a struct aio__fiber */
static inline struct aio__fiber *aio__fiber_root_init(struct aio__fiber_root *root);

/*
 * Go on at `to`; return when somebody switches back to `from`. `from` is the fiber
 * that is running. No system call, no allocation.
 */
static inline void aio__fiber_switch(struct aio__fiber *from, struct aio__fiber *to);

/* The most stack the fiber has used since it was taken; 0 unless the pool measures. */
size_t aio__fiber_high_water(const struct aio__fiber *fiber);

/* The usable stack: [*ret_low, *ret_high). For unwinders, conservative collectors
 * and the overflow handler. */
void aio__fiber_bounds(const struct aio__fiber *fiber, char **ret_low, char **ret_high);

/* Bytes of stack left below the caller's frame, if it runs on `fiber`. */
size_t aio__fiber_stack_left(const struct aio__fiber *fiber);

/* Name of the backend: "asm" or "ucontext". */
const char *aio__fiber_backend(void);

#endif
