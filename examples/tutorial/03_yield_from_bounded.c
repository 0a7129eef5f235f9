/* SPDX-License-Identifier: MIT */
/*
 * 03_yield_from_bounded.c - one generator delegates to another, which ends
 *
 * Then the three things that `yield from` does besides passing values on: what is sent and
 * what is thrown into the outer generator goes to the inner one, and the inner one's return
 * value comes out of it.
 */
#include <aio/generator.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int yield_number(intptr_t number)
{
    return aio_yield((void *)number, NULL);
}

static int func2(void *arg, void **ret_result)
{
    int err = yield_number(3);

    return err < 0 ? err : yield_number(4);
}

static int func1(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) inner = aio_generator_new(func2, NULL, NULL);
    int err = yield_number(1);

    if (err == 0)
        err = aio_yield_from(inner, NULL);
    if (err == 0)
        err = yield_number(2);
    return err;
}

static char a[] = "a", b[] = "b", c[] = "c", S[] = "S", returned[] = "returned";

static int inner_body(void *arg, void **ret_result)
{
    void *got;
    int err = aio_yield(a, &got);

    if (err < 0)
        return err;
    printf("inner got %s\n", (const char *)got);
    err = aio_yield(b, NULL);
    if (err == AIO_EVALUE)
        printf("inner caught %s\n", aio_error_text(err));
    else if (err < 0)
        return err;
    *ret_result = returned;
    return 0;
}

static int outer_body(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) inner = aio_generator_new(inner_body, NULL, NULL);
    void *result;
    int err = aio_yield_from(inner, &result);

    if (err < 0)
        return err;
    printf("outer got %s\n", (const char *)result);
    return aio_yield(c, NULL);
}

/* Print what a step of a generator gave; its code. */
static int print_item(int err, const char *item)
{
    if (err == 0)
        printf("%s\n", item);
    return err;
}

static int run(void)
{
    AIO_AUTO(aio_generator) f1 = aio_generator_new(func1, NULL, NULL);
    AIO_AUTO(aio_generator) g = aio_generator_new(outer_body, NULL, NULL);
    void *item = NULL;
    int err;

    while ((err = aio_next(f1, &item)) == 0)
        printf("%d\n", (int)(intptr_t)item);
    if (err != AIO_ESTOP)
        return err;

    err = aio_next(g, &item);
    if (print_item(err, item) < 0)
        return err;
    err = aio_generator_send(g, S, &item);
    if (print_item(err, item) < 0)
        return err;
    err = aio_generator_throw(g, aio_raise(AIO_EVALUE, "V"), &item);
    if (print_item(err, item) < 0)
        return err;
    err = aio_next(g, &item);
    if (err != AIO_ESTOP)
        return err;
    printf("StopIteration\n");
    return 0;
}

int main(void)
{
    int err = run();

    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
