/* SPDX-License-Identifier: MIT */
/*
 * test_store.c - where a queue keeps its items
 */
#include "sync/store.h"

#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>

/* Items are numbers in pointers; 0 is an item too. */
static void *item_of(uintptr_t number)
{
    return (void *)number;
}

static void put(struct aio__store *store, uintptr_t number)
{
    assert_int_equal(aio__store_put(store, item_of(number)), 0);
}

static uintptr_t take(struct aio__store *store)
{
    return (uintptr_t)aio__store_take(store);
}

static int by_tens(const void *a, const void *b, void *arg)
{
    uintptr_t ten_a = (uintptr_t)a / 10, ten_b = (uintptr_t)b / 10;

    ++*(size_t *)arg;
    return ten_a < ten_b ? -1 : ten_a > ten_b;
}

/* The same numbers at every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void ring_gives_the_oldest_first_also_round_its_end(void **state)
{
    struct aio__store store;
    uintptr_t in = 0, out = 0;

    aio__store_init(&store, AIO__STORE_FIFO, NULL, NULL);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 5 + round % 3; i++)
            put(&store, in++);
        for (int i = 0; i < 5; i++)
            assert_int_equal(take(&store), out++);
    }
    while (store.count > 0)
        assert_int_equal(take(&store), out++);
    assert_int_equal(out, in);
    aio__store_destroy(&store);
}

static void ring_grows_with_its_items_in_order_wherever_they_begin(void **state)
{
    for (uintptr_t shift = 0; shift < 8; shift++) {
        struct aio__store store;

        aio__store_init(&store, AIO__STORE_FIFO, NULL, NULL);
        for (uintptr_t i = 0; i < shift; i++) {
            put(&store, i);
            (void)take(&store);
        }
        for (uintptr_t i = 0; i < 100; i++)
            put(&store, i);
        for (uintptr_t i = 0; i < 100; i++)
            assert_int_equal(take(&store), i);
        aio__store_destroy(&store);
    }
}

static void stack_gives_the_newest_first(void **state)
{
    struct aio__store store;

    aio__store_init(&store, AIO__STORE_LIFO, NULL, NULL);
    for (uintptr_t i = 0; i < 100; i++)
        put(&store, i);
    for (uintptr_t i = 100; i-- > 50;)
        assert_int_equal(take(&store), i);
    put(&store, 1000);
    assert_int_equal(take(&store), 1000);
    for (uintptr_t i = 50; i-- > 0;)
        assert_int_equal(take(&store), i);
    aio__store_destroy(&store);
}

static void heap_gives_the_least_first_and_equal_ones_in_the_order_put(void **state)
{
    struct aio__store store;
    size_t compared = 0;
    uint32_t seed = 7;
    uintptr_t put_of_ten[10] = {0};
    uintptr_t last = 0;

    aio__store_init(&store, AIO__STORE_PRIORITY, by_tens, &compared);
    for (int i = 0; i < 80; i++) {
        uintptr_t ten = next_random(&seed) % 10;

        if (put_of_ten[ten] < 10)
            put(&store, ten * 10 + put_of_ten[ten]++);
    }
    assert_true(store.count > 50);
    while (store.count > 0) {
        uintptr_t item = take(&store);

        assert_true(item == 0 || item > last); /* within a ten they were put in rising order */
        last = item;
    }
    assert_true(compared > 0);
    aio__store_destroy(&store);
}

static void heap_gives_the_least_of_what_is_inside_at_any_moment(void **state)
{
    struct aio__store store;
    size_t compared = 0;
    size_t inside[1000] = {0}; /* by number */
    uint32_t seed = 1;

    aio__store_init(&store, AIO__STORE_PRIORITY, by_tens, &compared);
    for (int i = 0; i < 5000; i++) {
        if (store.count == 0 || next_random(&seed) % 5 < 3) {
            uintptr_t number = next_random(&seed) % COUNT_OF(inside);

            put(&store, number);
            inside[number / 10]++;
        } else {
            uintptr_t ten = take(&store) / 10;

            assert_true(inside[ten] > 0);
            inside[ten]--;
            for (uintptr_t less = 0; less < ten; less++)
                assert_int_equal(inside[less], 0);
        }
    }
    while (store.count > 0)
        (void)take(&store);
    aio__store_destroy(&store);
}

static void room_of_a_burst_is_given_back_and_no_item_lost(void **state)
{
    static const enum aio__store_kind kinds[] = {AIO__STORE_FIFO, AIO__STORE_LIFO,
                                                 AIO__STORE_PRIORITY};

    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        struct aio__store store;
        size_t compared = 0;
        uintptr_t sum = 0;

        aio__store_init(&store, kinds[kind], by_tens, &compared);
        for (uintptr_t i = 0; i < 100000; i++)
            put(&store, i);
        assert_true(store.capacity >= 100000);
        while (store.count > 0)
            sum += take(&store);
        assert_true(sum == 100000ul * 99999 / 2);
        assert_true(store.capacity <= 1024);
        aio__store_destroy(&store);
    }
}

static void settled_store_allocates_nothing(void **state)
{
    struct aio__store store;
    size_t before;

    aio__store_init(&store, AIO__STORE_FIFO, NULL, NULL);
    put(&store, 1);
    before = live_allocations();
    aio__fail_allocation(1);
    for (uintptr_t i = 0; i < 1000; i++) {
        put(&store, i);
        (void)take(&store);
    }
    assert_false(aio__fail_allocation_happened());
    aio__fail_allocation(0);
    assert_int_equal(live_allocations(), before);
    (void)take(&store);
    aio__store_destroy(&store);
}

static void put_without_memory_changes_nothing(void **state)
{
    static const enum aio__store_kind kinds[] = {AIO__STORE_FIFO, AIO__STORE_PRIORITY};

    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        struct aio__store store;
        size_t compared = 0;

        aio__store_init(&store, kinds[kind], by_tens, &compared);
        for (uintptr_t i = 0; i < 8; i++)
            put(&store, i);
        aio__fail_allocation(1);
        assert_int_equal(aio__store_put(&store, item_of(8)), AIO_ENOMEM);
        assert_true(aio__fail_allocation_happened());
        for (uintptr_t i = 0; i < 8; i++)
            assert_int_equal(take(&store), i);
        aio__store_destroy(&store);
    }
}

static void room_that_cannot_be_given_back_stays(void **state)
{
    struct aio__store store;
    uintptr_t next = 0;

    aio__store_init(&store, AIO__STORE_FIFO, NULL, NULL);
    for (uintptr_t i = 0; i < 2048; i++)
        put(&store, i);
    while (store.count > 257)
        assert_int_equal(take(&store), next++);
    aio__fail_allocation(1);
    assert_int_equal(take(&store), next++);
    assert_true(aio__fail_allocation_happened());
    assert_int_equal(store.capacity, 2048);
    while (store.count > 0)
        assert_int_equal(take(&store), next++);
    aio__store_destroy(&store);
}

#define STORE_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(ring_gives_the_oldest_first_also_round_its_end),
        STORE_TEST(ring_grows_with_its_items_in_order_wherever_they_begin),
        STORE_TEST(stack_gives_the_newest_first),
        STORE_TEST(heap_gives_the_least_first_and_equal_ones_in_the_order_put),
        STORE_TEST(heap_gives_the_least_of_what_is_inside_at_any_moment),
        STORE_TEST(room_of_a_burst_is_given_back_and_no_item_lost),
        STORE_TEST(settled_store_allocates_nothing),
        STORE_TEST(put_without_memory_changes_nothing),
        STORE_TEST(room_that_cannot_be_given_back_stays),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
