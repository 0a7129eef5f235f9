/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the allocator hooks, and allocations that fail on demand
 *
 * Every byte the library allocates comes through allocate() or reallocate() below,
 * so a program sees all of it, and a test can let any of it fail.
 *
 * Thread: any. The hooks are set before the library is used, so they need no lock.
 */
#include "base/memory.h"

#include "base/compiler.h"

#include <aio/error.h>
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

/* How many more allocations until one fails; 0: none will. */
static atomic_size_t fail_countdown;
static atomic_bool fail_happened;

void aio__fail_allocation(size_t nth)
{
    atomic_store(&fail_happened, false);
    atomic_store(&fail_countdown, nth);
}

bool aio__fail_allocation_happened(void)
{
    return atomic_load(&fail_happened);
}

static AIO__NOINLINE bool count_down(void)
{
    size_t left = atomic_load(&fail_countdown);

    do {
        if (left == 0)
            return false; /* another thread had the one that fails */
    } while (!atomic_compare_exchange_weak(&fail_countdown, &left, left - 1));

    if (left != 1)
        return false;
    atomic_store(&fail_happened, true);
    return true;
}

static inline bool must_fail(void)
{
    if (AIO__LIKELY(atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0))
        return false;
    return count_down();
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
