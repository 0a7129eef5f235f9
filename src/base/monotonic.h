/* SPDX-License-Identifier: MIT */
/*
 * monotonic.h - the clock that never goes back
 *
 * For every folder. The same clock as uv_hrtime()'s, so that times of both can be compared.
 */
#ifndef AIO__MONOTONIC_H
#define AIO__MONOTONIC_H

#include <stdint.h>

uint64_t aio__monotonic_ns(void);

#endif
