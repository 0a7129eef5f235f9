/* SPDX-License-Identifier: MIT */
/*
 * memory.h - allocations that fail on demand
 *
 * For tests: the suite runs with the first, the second, the third... allocation
 * failing in turn. Library files allocate with aio_malloc() and its like, or from a
 * pool. Compiled in always; costs one branch that is never taken.
 */
#ifndef AIO__MEMORY_H
#define AIO__MEMORY_H

#include <aio/memory.h>

/*
 * Let the nth allocation from now fail, counted over all threads, once: 1 is the
 * next one. 0 disarms.
 */
void aio__fail_allocation(size_t nth);

/* Whether the failure that was asked for last has happened. */
bool aio__fail_allocation_happened(void);

#endif
