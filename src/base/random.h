/* SPDX-License-Identifier: MIT */
/*
 * random.h - numbers that look random and come again with their seed
 *
 * For the test kit. Not for secrets.
 */
#ifndef AIO__RANDOM_H
#define AIO__RANDOM_H

#include <stdint.h>

/* What splitmix64 adds to its state at each number. */
#define AIO__RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

/* The number of a state: splitmix64's, by Sebastiano Vigna, in the public domain. */
static inline uint64_t aio__random_mix(uint64_t state)
{
    state = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    state = (state ^ (state >> 27)) * UINT64_C(0x94d049bb133111eb);
    return state ^ (state >> 31);
}

static inline uint64_t aio__random(uint64_t *state)
{
    return aio__random_mix(*state += AIO__RANDOM_STEP);
}

#endif
