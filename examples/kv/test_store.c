/* SPDX-License-Identifier: MIT */
/*
 * test_store.c - the store, with time passing as told: the whole of it takes a millisecond
 */
#include "store.h"

#include <aio/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                             \
            exit(EXIT_FAILURE);                                                                    \
        }                                                                                          \
    } while (0)

static void value_is_forgotten_when_its_time_is_over(aio_loop *loop, struct store *store)
{
    CHECK(store_set(store, "token", "secret", 3600) == 0);
    CHECK(aio_testing_advance(loop, 3599) == 0);
    CHECK(strcmp(store_get(store, "token"), "secret") == 0);
    CHECK(aio_testing_advance(loop, 1) == 0);
    CHECK(store_get(store, "token") == NULL);
}

static void value_that_is_set_again_lives_from_then_on(aio_loop *loop, struct store *store)
{
    CHECK(store_set(store, "token", "old", 60) == 0);
    CHECK(aio_testing_advance(loop, 59) == 0);
    CHECK(store_set(store, "token", "new", 60) == 0);
    CHECK(aio_testing_advance(loop, 59) == 0);
    CHECK(strcmp(store_get(store, "token"), "new") == 0);
}

static void value_without_a_time_stays(aio_loop *loop, struct store *store)
{
    CHECK(store_set(store, "name", "kv", AIO_FOREVER) == 0);
    CHECK(aio_testing_advance(loop, 1e9) == 0);
    CHECK(strcmp(store_get(store, "name"), "kv") == 0);
}

static void run(void (*test)(aio_loop *, struct store *), const char *name)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_loop *loop;
    struct store *store;

    options.clock = AIO_CLOCK_VIRTUAL;
    loop = aio_loop_new(&options);
    CHECK(loop != NULL);
    store = store_new(loop);
    CHECK(store != NULL);
    test(loop, store);
    store_free(store);
    CHECK(aio_loop_close(loop) == 0);
    aio_loop_unref(loop);
    printf("ok %s\n", name);
}

int main(void)
{
    run(value_is_forgotten_when_its_time_is_over, "value_is_forgotten_when_its_time_is_over");
    run(value_that_is_set_again_lives_from_then_on, "value_that_is_set_again_lives_from_then_on");
    run(value_without_a_time_stays, "value_without_a_time_stays");
    return EXIT_SUCCESS;
}
