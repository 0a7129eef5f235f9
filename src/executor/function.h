/* SPDX-License-Identifier: MIT */
/*
 * function.h - registered functions by a number that stands for their name
 *
 * For src/executor: what is sent to a worker process names functions so.
 */
#ifndef AIO__FUNCTION_H
#define AIO__FUNCTION_H

#include <aio/codec.h>

#define AIO__HASH_START UINT64_C(0xcbf29ce484222325)

/* Go on hashing; begin with AIO__HASH_START. */
uint64_t aio__hash(const void *bytes, size_t size, uint64_t hash);

/* No two registered names have the same hash. */
uint64_t aio__function_hash(const aio_function *function);
const aio_function *aio__function_by_hash(uint64_t hash);

#endif
