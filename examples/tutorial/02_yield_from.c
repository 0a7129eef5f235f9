/* SPDX-License-Identifier: MIT */
/*
 * 02_yield_from.c - generators that delegate to each other, and do not stop
 *
 * As written, func1 yields from func2, which yields from another func1, and so on: 1 3 1 3 ...
 * Where Python ends with a RecursionError the library does, too: each generator has a stack of
 * its own, so none overflows, and the depth is limited.
 */
#include <aio/generator.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int yield_number(intptr_t number)
{
    return aio_yield((void *)number, NULL);
}

static int func2(void *arg, void **ret_result);

static int func1(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) inner = NULL;
    int err = yield_number(1);

    if (err < 0)
        return err;
    inner = aio_generator_new(func2, NULL, NULL);
    err = aio_yield_from(inner, NULL);
    if (err < 0)
        return err;
    return yield_number(2);
}

static int func2(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) inner = NULL;
    int err = yield_number(3);

    if (err < 0)
        return err;
    inner = aio_generator_new(func1, NULL, NULL);
    err = aio_yield_from(inner, NULL);
    if (err < 0)
        return err;
    return yield_number(4);
}

int main(void)
{
    AIO_AUTO(aio_generator) f1 = aio_generator_new(func1, NULL, NULL);
    void *item;
    int err;

    while ((err = aio_next(f1, &item)) == 0)
        printf("%d\n", (int)(intptr_t)item);
    if (err == AIO_ESTOP)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
    return EXIT_FAILURE;
}
