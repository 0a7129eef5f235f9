/* SPDX-License-Identifier: MIT */
/*
 * monotonic.c - reading the clock
 *
 * Each timer is set by it, so that what stands between this and the kernel's page counts: it is read
 * without libuv, which would read the same.
 */
#include "base/monotonic.h"

#include <time.h>

uint64_t aio__monotonic_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* with these it does not fail */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
