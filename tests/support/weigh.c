/* SPDX-License-Identifier: MIT */
/*
 * weigh.c - how many bytes the library holds
 */
#include "support/weigh.h"

#include "support/unit.h"

#include <aio/memory.h>
#include <string.h>

struct block {
    _Alignas(16) size_t size;
};

static size_t held;
static size_t peak;

static void *allocate(size_t bytes, void *arg)
{
    struct block *block = malloc(sizeof(*block) + bytes);

    if (block == NULL)
        return NULL;
    block->size = bytes;
    held += bytes;
    if (held > peak)
        peak = held;
    return block + 1;
}

static void release(void *memory, void *arg)
{
    struct block *block = memory == NULL ? NULL : (struct block *)memory - 1;

    held -= block == NULL ? 0 : block->size;
    free(block);
}

static void *reallocate(void *old, size_t bytes, void *arg)
{
    void *memory = allocate(bytes, arg);

    if (memory == NULL || old == NULL)
        return memory;
    memcpy(memory, old,
           bytes < ((struct block *)old - 1)->size ? bytes : ((struct block *)old - 1)->size);
    release(old, arg);
    return memory;
}

int weigh_allocations(void **state)
{
    const aio_allocator weighing = {sizeof(weighing), allocate, reallocate, release, NULL};

    held = 0;
    peak = 0;
    return aio_set_allocator(&weighing);
}

int check_weight(void **state)
{
    size_t left = held;

    (void)aio_set_allocator(NULL);
    if (left != 0)
        print_error("%zu bytes were not freed\n", left);
    return left == 0 ? 0 : -1;
}

size_t weight(void)
{
    return held;
}

size_t weight_peak(void)
{
    return peak;
}

size_t weigh_again(void)
{
    peak = held;
    return held;
}
