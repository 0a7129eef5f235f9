/* SPDX-License-Identifier: MIT */
/*
 * memory.h - allocations that fail on demand, by the names of before the test kit
 *
 * For tests. Library files allocate with aio_malloc() and its like, or from a pool.
 */
#ifndef AIO__MEMORY_H
#define AIO__MEMORY_H

#include <aio/memory.h>
#include <aio/testing.h>

/* Let the nth allocation from now fail. */
static inline void aio__fail_allocation(size_t nth)
{
    aio_testing_fail_allocation(nth);
}

/* Whether the failure that was asked for last has happened. */
static inline bool aio__fail_allocation_happened(void)
{
    return aio_testing_allocation_failures() != 0;
}

#endif
