/* SPDX-License-Identifier: MIT */
/*
 * micro.h - the tables of benchmarks that build/bench/micro is made of
 *
 * For the files of bench/micro. Each asks one question; the comment at its top says what is
 * not measured.
 */
#ifndef MICRO_H
#define MICRO_H

#include "support/bench.h"

#include <aio/aio.h>

extern const struct bench bench_switch[];
extern const struct bench bench_spawn[];
extern const struct bench bench_yield[];
extern const struct bench bench_pingpong[];
extern const struct bench bench_gather[];
extern const struct bench bench_call_soon[];
extern const struct bench bench_timers[];
extern const struct bench bench_cancel[];
extern const struct bench bench_threads[];
extern const struct bench bench_jobs[];
extern const struct bench bench_lock[];
extern const struct bench bench_queue[];
extern const struct bench bench_event[];
extern const struct bench bench_context[];
extern const struct bench bench_generator[];
extern const struct bench bench_greenlet[];
extern const struct bench bench_stream[];

/* An empty coroutine that counts its runs in the uint64_t it is given. */
int micro_count(void *arg, void **ret_result);

#endif
