/* SPDX-License-Identifier: MIT */
/*
 * context.c - what is it to read a context variable, and to copy the context?
 *
 * One variable is set. Not measured: contexts with many (see the unit tests for how a map
 * grows), and setting one.
 */
#include "micro.h"

static int run_get(struct bench_clock *clock, uint64_t count)
{
    aio_contextvar *variable = aio_contextvar_new("variable", NULL);
    uintptr_t total = 0;
    int err = aio_contextvar_set(variable, (void *)(uintptr_t)1, NULL);

    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++) {
        void *value = NULL;

        err = aio_contextvar_get(variable, &value);
        total += (uintptr_t)value;
    }
    bench_stop(clock);
    bench_check(err < 0 || total == count, "the variable had another value");
    aio_contextvar_unref(variable);
    return err;
}

static int run_copy(struct bench_clock *clock, uint64_t count)
{
    aio_contextvar *variable = aio_contextvar_new("variable", NULL);
    uint64_t copies = 0;
    int err = aio_contextvar_set(variable, (void *)(uintptr_t)1, NULL);

    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++) {
        aio_context *copy = aio_copy_context();
        void *value = NULL;

        if (copy == NULL)
            err = AIO_ENOMEM;
        else
            copies += aio_context_get(copy, variable, &value);
        aio_context_unref(copy);
    }
    bench_stop(clock);
    bench_check(err < 0 || copies == count, "a copy lacks the variable");
    aio_contextvar_unref(variable);
    return err;
}

const struct bench bench_context[] = {
    {.name = "contextvar_get", .run = run_get, .batch = 1},
    {.name = "context_copy", .run = run_copy, .batch = 1},
    {.name = NULL},
};
