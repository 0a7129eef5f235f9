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

#include "fiber/context.h"
#include "fiber/sanitize.h"

#include "base/compiler.h"
#include "base/list.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aio__fiber;
struct aio__fiber_pool;
struct aio__slab;

/*
 * What runs on a fiber. When it returns, its fiber is parked and the fiber that it
 * returned goes on. Before returning it must have given its own fiber back with
 * aio__fiber_give(), or handed it to somebody who will.
 *
 * A fiber that was given back may be taken again before it has returned, by its own
 * fn too. That may return its own fiber: the new fn then runs without a switch.
 */
typedef struct aio__fiber *(*aio__fiber_fn)(struct aio__fiber *self);

/* For the functions below, not for others to touch. */
struct aio__fiber {
    struct aio__context context; /* first: a debugger finds the saved place here */
    aio__fiber_fn fn;            /* what the base loop calls next */
    void *user;                  /* the taker's */
    char *low;                   /* the lowest usable byte; NULL in a root */
    struct aio__slab *slab;      /* the slab its stack is a slot of; NULL in a root */
    struct aio__list idle;       /* in the pool's list of idle fibers while given back */
    char *resident_low;          /* from here up the stack's pages are counted as resident */
    uint32_t slot;               /* in the slab */
#if AIO__ASAN
    void *fake_stack; /* kept by the sanitizer while suspended */
    const void *asan_bottom;
    size_t asan_size;
    struct aio__fiber *came_from; /* who switched here last */
#endif
#if defined(AIO__HAVE_VALGRIND)
    unsigned valgrind_id;
#endif
};

/* The stack a thread is on by itself, seen as a fiber. To be embedded. */
struct aio__fiber_root {
    struct aio__fiber fiber;
};

struct aio__fiber_pool_options {
    size_t stack_size; /* of fibers taken with size 0; rounded up as there; 0: 64 KiB */
    size_t idle_bytes; /* stack bytes that idle fibers may keep resident; 0: 4 MiB */
    bool measure;      /* paint stacks, every page of them, for aio__fiber_high_water() */
    bool trimmed_late; /* idle_bytes counts when the owner calls aio__fiber_pool_trim() */
};

/*
 * Make a pool. options NULL: the defaults. 0 or a negative code: AIO_ENOMEM,
 * AIO_EVALUE for a stack_size above 1 GiB, -ENOTSUP where the backend cannot
 * switch in this process.
 */
int aio__fiber_pool_new(const struct aio__fiber_pool_options *options,
                        struct aio__fiber_pool **ret_pool);

/* Free a pool and every fiber of it, given back or not. None may be running. NULL is
 * allowed. */
void aio__fiber_pool_free(struct aio__fiber_pool *pool);

struct aio__fiber_pool_stats {
    size_t fibers;        /* made and not yet freed */
    size_t idle;          /* of these, waiting in the pool */
    size_t mapped;        /* bytes of address space */
    size_t idle_resident; /* bytes of memory that idle stacks are thought to keep */
    size_t high_water;    /* the most stack any fiber used so far; only if measured */
    unsigned unguarded;   /* fibers without a guard page, for want of mappings */
};
void aio__fiber_pool_stats(const struct aio__fiber_pool *pool,
                           struct aio__fiber_pool_stats *ret_stats);

/* Whether idle stacks keep more memory than they may, or address space that is not needed. */
bool aio__fiber_pool_is_over(const struct aio__fiber_pool *pool);
/* Give that back to the system. */
void aio__fiber_pool_trim(struct aio__fiber_pool *pool);

/*
 * Take a fiber that will run fn when it is first switched to. The most recently
 * given one of that size comes first. stack_size 0: the pool's.
 *
 * The size counts everything: guard page, bookkeeping, base frames. It is rounded up
 * to a power of two, and to what a signal handler needs with 16 KiB beside it. With
 * AddressSanitizer or ThreadSanitizer, whose frames are larger, it is taken four times.
 *
 * 0, or a negative code (AIO_ENOMEM; AIO_EVALUE for a size above 1 GiB).
 */
int aio__fiber_take(struct aio__fiber_pool *pool, size_t stack_size, aio__fiber_fn fn, void *user,
                    struct aio__fiber **ret_fiber);

/* Give back a fiber that is about to return from its fn, or has returned. */
void aio__fiber_give(struct aio__fiber *fiber);

/* Give back a fiber that is suspended half way, or was never switched to, and will
 * never go on. Frames on it are not unwound. */
void aio__fiber_abandon(struct aio__fiber *fiber);

/* What the taker passed; may be changed at any time. */
static inline void *aio__fiber_user(const struct aio__fiber *fiber)
{
    return fiber->user;
}

static inline void aio__fiber_set_user(struct aio__fiber *fiber, void *user)
{
    fiber->user = user;
}

/* What a fiber was taken for, as long as it runs that: so one knows whose its user is. NULL
 * for a root. */
static inline aio__fiber_fn aio__fiber_runs(const struct aio__fiber *fiber)
{
    return fiber->fn;
}

/*
 * Make `self` stand for the stack the thread is on right now, so that one can
 * switch away from it and back. No pool owns it; valid until nobody will switch
 * to it any more. Nothing to free.
 */
static inline struct aio__fiber *aio__fiber_root_init(struct aio__fiber_root *root)
{
    *root = (struct aio__fiber_root){.fiber.low = NULL};
#if AIO__TSAN
    root->fiber.context.tsan = __tsan_get_current_fiber();
#endif
    return &root->fiber;
}

/* Whether an address lies in the usable stack of a fiber that is no root. */
static inline bool aio__fiber_holds(const struct aio__fiber *fiber, const void *address)
{
    return (const char *)address >= fiber->low && (const char *)address < (const char *)fiber;
}

/* Tell AddressSanitizer that `from` is left for `to`. */
static inline __attribute__((always_inline)) void aio__fiber_leaving(struct aio__fiber *from,
                                                                     struct aio__fiber *to)
{
#if AIO__ASAN
    to->came_from = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->asan_bottom, to->asan_size);
#endif
    (void)from;
    (void)to;
}

/* Tell it that we are on `self` again, or for the first time. */
static inline __attribute__((always_inline)) void aio__fiber_arrived(struct aio__fiber *self)
{
#if AIO__ASAN
    /* The bounds of a stack that is not ours are learnt when it has been left. */
    struct aio__fiber *from = self->came_from;

    __sanitizer_finish_switch_fiber(self->fake_stack, &from->asan_bottom, &from->asan_size);
    self->fake_stack = NULL;
#endif
    (void)self;
}

/*
 * Go on at `to`; return when somebody switches back to `from`. `from` is the fiber
 * that is running. No system call, no allocation.
 *
 * Floating point control words stay as they are: see context.h.
 */
AIO__UNSANITIZED_INLINE void aio__fiber_switch(struct aio__fiber *from, struct aio__fiber *to)
{
    assert(from != to);
    assert(from->low == NULL || aio__fiber_holds(from, __builtin_frame_address(0)));
    assert(to->low == NULL || aio__fiber_holds(to, to->context.stack_pointer));
    aio__fiber_leaving(from, to);
    aio__context_switch(&from->context, &to->context);
    aio__fiber_arrived(from);
}

/*
 * A question to a suspended fiber: what it is in the middle of. Whoever suspends fibers has a
 * place for one, looks there when it is switched to, and answers before it goes on:
 *
 *     aio__fiber_switch(self, to);
 *     while (AIO__UNLIKELY(place != NULL))
 *         aio__fiber_answer(self, place);
 */
struct aio__question {
    struct aio__fiber *asker;
    const void **places;
    size_t limit;
    size_t count;
};

/*
 * Ask for the calls on a suspended fiber's stack, the newest first, as aio__backtrace() gives
 * them. It has to be suspended where somebody looks at *place. 0 calls also if too little of its
 * stack is left for looking. Thread: the pool's; the caller may be on any stack.
 */
size_t aio__fiber_ask(struct aio__fiber *fiber, struct aio__question **place, const void **places,
                      size_t limit);
void aio__fiber_answer(struct aio__fiber *self, struct aio__question *question);

/* The most stack the fiber has used since it was taken; 0 unless the pool measures. */
size_t aio__fiber_high_water(const struct aio__fiber *fiber);

/*
 * The usable stack: [*ret_low, *ret_high). For unwinders, conservative collectors
 * and the overflow handler. Both NULL for a root, whose bounds nobody told us.
 */
void aio__fiber_bounds(const struct aio__fiber *fiber, char **ret_low, char **ret_high);

/* Bytes of stack left below the caller's frame, if it runs on `fiber`. SIZE_MAX for a
 * root. */
size_t aio__fiber_stack_left(const struct aio__fiber *fiber);

/* Name of the backend in use: "asm" or "ucontext". */
const char *aio__fiber_backend(void);

#endif
