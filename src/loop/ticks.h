/* SPDX-License-Identifier: MIT */
/*
 * ticks.h - a counter that costs a few nanoseconds to read
 *
 * For the scheduler, which asks at each iteration whether some microseconds have gone by
 * since the last poll. Not a clock: its rate is only roughly known, and nothing that a user
 * can see depends on it.
 */
#ifndef AIO__TICKS_H
#define AIO__TICKS_H

#include <stdint.h>

#if defined(__x86_64__)

/* 2 to 5 GHz on all that is in use: 24 to 60 microseconds. */
#define AIO__TICKS_PER_POLL 120000u

static inline uint64_t aio__ticks(void)
{
    return __builtin_ia32_rdtsc();
}

#elif defined(__aarch64__)

/* The generic timer runs at 24 MHz to 1 GHz: 2 to 50 microseconds. */
#define AIO__TICKS_PER_POLL 1200u

static inline uint64_t aio__ticks(void)
{
    uint64_t ticks;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}

#else

#include <time.h>

#define AIO__TICKS_PER_POLL 50000u

static inline uint64_t aio__ticks(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif

#endif
