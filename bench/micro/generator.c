/* SPDX-License-Identifier: MIT */
/*
 * generator.c - what is the next value of a generator, plain or asynchronous?
 *
 * The body only yields. Not measured: making a generator and ending it.
 */
#include "micro.h"

static int yield_for_ever(void *arg, void **ret_result)
{
    int err;

    (void)ret_result;
    do
        err = aio_yield(arg, NULL);
    while (err == 0);
    return err;
}

static int run_generator(struct bench_clock *clock, uint64_t count)
{
    aio_generator *generator = aio_generator_new(yield_for_ever, (void *)(uintptr_t)1, NULL);
    uintptr_t total = 0;
    int err = 0;

    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++) {
        void *item = NULL;

        err = aio_next(generator, &item);
        total += (uintptr_t)item;
    }
    bench_stop(clock);
    bench_check(err < 0 || total == count, "some values are missing");
    aio_generator_unref(generator);
    return err;
}

static int run_agen(struct bench_clock *clock, uint64_t count)
{
    aio_asyncgen *generator = aio_asyncgen_new(yield_for_ever, (void *)(uintptr_t)1, NULL);
    aio_iterator *iterator = aio_asyncgen_iterator(generator);
    uintptr_t total = 0;
    int err = 0;
    int code;

    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++) {
        void *item = NULL;

        err = aio_anext(iterator, &item);
        total += (uintptr_t)item;
    }
    bench_stop(clock);
    bench_check(err < 0 || total == count, "some values are missing");
    code = aio_asyncgen_aclose(generator);
    aio_asyncgen_unref(generator);
    return err < 0 ? err : code;
}

const struct bench bench_generator[] = {
    {.name = "generator_next", .run = run_generator, .batch = 1},
    {.name = "agen_next", .run = run_agen, .batch = 1},
    {.name = NULL},
};
