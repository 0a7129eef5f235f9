/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the allocator hooks, and allocations that fail on demand
 *
 * Every byte the library allocates comes through allocate() or reallocate() below,
 * so a program sees all of it, and a test can let any of it fail.
 *
 * Thread: any. The hooks are set before the library is used, so they need no lock.
 */
#include "base/compiler.h"
#include "base/random.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <aio/testing.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *libc_allocate(size_t bytes, void *arg)
{
    return malloc(bytes);
}

static void *libc_reallocate(void *old, size_t bytes, void *arg)
{
    return realloc(old, bytes);
}

static void libc_release(void *memory, void *arg)
{
    free(memory);
}

#define LIBC_ALLOCATOR                                                                             \
    {                                                                                              \
        .size = sizeof(aio_allocator), .allocate = libc_allocate, .reallocate = libc_reallocate,   \
        .release = libc_release                                                                    \
    }

static const aio_allocator libc_allocator = LIBC_ALLOCATOR;
static aio_allocator hooks = LIBC_ALLOCATOR;

/* Whether any allocation is to fail, which costs those that are not a branch that is never taken. */
static atomic_bool armed;
/* How many more until one fails; 0: the dice decide. */
static atomic_size_t countdown;
/* A random number below this one fails its allocation. */
static _Atomic(uint64_t) dice_limit;
static _Atomic(uint64_t) dice_state;
static atomic_size_t failures;

static const double DICE_RANGE = 9007199254740992.0; /* 2^53: what a double tells apart */

static void arm(size_t nth, uint64_t limit)
{
    atomic_store(&armed, false);
    atomic_store(&failures, 0);
    atomic_store(&countdown, nth);
    atomic_store(&dice_limit, limit);
    atomic_store(&armed, nth != 0 || limit != 0);
}

void aio_testing_fail_allocation(size_t nth)
{
    arm(nth, 0);
}

void aio_testing_fail_at_random(double probability, uint64_t seed)
{
    atomic_store(&dice_state, seed);
    if (!(probability > 0))
        arm(0, 0);
    else
        arm(0, (uint64_t)((probability < 1 ? probability : 1) * DICE_RANGE));
}

size_t aio_testing_allocation_failures(void)
{
    return atomic_load(&failures);
}

static bool count_down(void)
{
    size_t left = atomic_load(&countdown);

    do {
        if (left == 0)
            return false; /* another thread had the one that fails */
    } while (!atomic_compare_exchange_weak(&countdown, &left, left - 1));
    return left == 1;
}

static bool throw_dice(void)
{
    uint64_t state = atomic_fetch_add(&dice_state, AIO__RANDOM_STEP) + AIO__RANDOM_STEP;

    return aio__random_mix(state) >> 11 < atomic_load(&dice_limit);
}

static AIO__NOINLINE bool is_chosen(void)
{
    bool chosen = atomic_load(&dice_limit) != 0 ? throw_dice() : count_down();

    if (chosen)
        atomic_fetch_add(&failures, 1);
    return chosen;
}

static inline bool must_fail(void)
{
    if (AIO__LIKELY(!atomic_load_explicit(&armed, memory_order_relaxed)))
        return false;
    return is_chosen();
}

int aio_set_allocator(const aio_allocator *allocator)
{
    if (allocator == NULL) {
        hooks = libc_allocator;
        return 0;
    }
    if (allocator->size != sizeof(*allocator) || allocator->allocate == NULL ||
        allocator->reallocate == NULL || allocator->release == NULL)
        return AIO_EVALUE;
    hooks = *allocator;
    return 0;
}

/*
 * No allocation is of 0 bytes: an allocator may answer NULL to that, which here
 * would read as a shortage.
 */
void *aio_malloc(size_t bytes)
{
    if (must_fail())
        return NULL;
    return hooks.allocate(bytes == 0 ? 1 : bytes, hooks.arg);
}

void *aio_calloc(size_t count, size_t bytes)
{
    size_t total;
    void *memory;

    if (__builtin_mul_overflow(count, bytes, &total))
        return NULL;
    memory = aio_malloc(total);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

void *aio_realloc(void *memory, size_t bytes)
{
    if (memory == NULL)
        return aio_malloc(bytes);
    if (must_fail())
        return NULL;
    return hooks.reallocate(memory, bytes == 0 ? 1 : bytes, hooks.arg);
}

char *aio_strdup(const char *text)
{
    size_t bytes;
    char *copy;

    if (text == NULL)
        return NULL;
    bytes = strlen(text) + 1;
    copy = aio_malloc(bytes);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

void aio_free(void *memory)
{
    if (memory != NULL)
        hooks.release(memory, hooks.arg);
}
