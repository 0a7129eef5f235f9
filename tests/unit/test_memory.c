/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - the replaceable allocator, and allocations that fail on demand
 */
#include "base/memory.h"

#include "support/unit.h"

#include <aio/error.h>
#include <string.h>

/* What the replaced allocator has been asked, and what for. */
struct ledger {
    size_t allocated;
    size_t reallocated;
    size_t released;
    size_t last_bytes;
};

static void *ledger_allocate(size_t bytes, void *arg)
{
    struct ledger *ledger = arg;

    ledger->allocated++;
    ledger->last_bytes = bytes;
    return malloc(bytes);
}

static void *ledger_reallocate(void *old, size_t bytes, void *arg)
{
    struct ledger *ledger = arg;

    ledger->reallocated++;
    ledger->last_bytes = bytes;
    return realloc(old, bytes);
}

static void ledger_release(void *memory, void *arg)
{
    struct ledger *ledger = arg;

    ledger->released++;
    free(memory);
}

static aio_allocator ledger_allocator(struct ledger *ledger)
{
    return (aio_allocator){.size = sizeof(aio_allocator),
                           .allocate = ledger_allocate,
                           .reallocate = ledger_reallocate,
                           .release = ledger_release,
                           .arg = ledger};
}

static int restore(void **state)
{
    aio__fail_allocation(0);
    return aio_set_allocator(NULL);
}

static void allocator_replaced_gets_every_call(void **state)
{
    struct ledger ledger = {0};
    aio_allocator allocator = ledger_allocator(&ledger);
    char *text;

    assert_int_equal(aio_set_allocator(&allocator), 0);
    text = aio_strdup("loop");
    assert_string_equal(text, "loop");
    assert_int_equal(ledger.last_bytes, sizeof("loop"));
    text = aio_realloc(text, 100);
    assert_string_equal(text, "loop");
    assert_int_equal(ledger.last_bytes, 100);
    aio_free(text);
    aio_free(aio_calloc(3, 8));
    assert_int_equal(ledger.last_bytes, 24);

    assert_int_equal(ledger.allocated, 2);
    assert_int_equal(ledger.reallocated, 1);
    assert_int_equal(ledger.released, 2);
}

static void allocator_with_a_hole_is_refused_and_the_old_one_stays(void **state)
{
    struct ledger ledger = {0};
    aio_allocator whole = ledger_allocator(&ledger);
    aio_allocator broken;

    assert_int_equal(aio_set_allocator(&whole), 0);
    broken = whole;
    broken.size--;
    assert_int_equal(aio_set_allocator(&broken), AIO_EVALUE);
    broken = whole;
    broken.allocate = NULL;
    assert_int_equal(aio_set_allocator(&broken), AIO_EVALUE);
    broken = whole;
    broken.reallocate = NULL;
    assert_int_equal(aio_set_allocator(&broken), AIO_EVALUE);
    broken = whole;
    broken.release = NULL;
    assert_int_equal(aio_set_allocator(&broken), AIO_EVALUE);

    aio_free(aio_malloc(1));
    assert_int_equal(ledger.allocated, 1);
}

static void allocator_null_brings_the_c_library_back(void **state)
{
    struct ledger ledger = {0};
    aio_allocator allocator = ledger_allocator(&ledger);

    assert_int_equal(aio_set_allocator(&allocator), 0);
    assert_int_equal(aio_set_allocator(NULL), 0);
    aio_free(aio_malloc(1));
    assert_int_equal(ledger.allocated, 0);
}

static void allocation_of_nothing_is_not_a_shortage(void **state)
{
    void *memory = aio_malloc(0);

    assert_non_null(memory);
    memory = aio_realloc(memory, 0);
    assert_non_null(memory);
    aio_free(memory);
    memory = aio_calloc(0, 8);
    assert_non_null(memory);
    aio_free(memory);
}

static void calloc_clears_and_refuses_what_overflows(void **state)
{
    static const char zeros[64];
    char *memory = aio_malloc(sizeof(zeros));

    assert_non_null(memory);
    memset(memory, 0xff, sizeof(zeros));
    aio_free(memory); /* likely to come back */
    memory = aio_calloc(8, 8);
    assert_memory_equal(memory, zeros, sizeof(zeros));
    aio_free(memory);

    assert_null(aio_calloc(SIZE_MAX / 2, 3));
}

static void strdup_of_null_is_null(void **state)
{
    assert_null(aio_strdup(NULL));
}

static void free_allows_null(void **state)
{
    struct ledger ledger = {0};
    aio_allocator allocator = ledger_allocator(&ledger);

    assert_int_equal(aio_set_allocator(&allocator), 0);
    aio_free(NULL);
    assert_int_equal(ledger.released, 0);
}

static void allocation_fails_once_when_its_turn_comes(void **state)
{
    char *first, *second, *third;

    aio__fail_allocation(2);
    first = aio_malloc(8);
    assert_non_null(first);
    assert_false(aio__fail_allocation_happened());
    second = aio_malloc(8);
    assert_null(second);
    assert_true(aio__fail_allocation_happened());
    third = aio_malloc(8);
    assert_non_null(third);
    aio_free(first);
    aio_free(third);
}

static void realloc_that_fails_leaves_the_old_block(void **state)
{
    char *text = aio_strdup("kept");

    aio__fail_allocation(1);
    assert_null(aio_realloc(text, 1000));
    assert_string_equal(text, "kept");
    aio_free(text);
}

static void realloc_of_null_allocates(void **state)
{
    struct ledger ledger = {0};
    aio_allocator allocator = ledger_allocator(&ledger);
    void *memory;

    assert_int_equal(aio_set_allocator(&allocator), 0);
    memory = aio_realloc(NULL, 8);
    assert_non_null(memory);
    assert_int_equal(ledger.allocated, 1);
    aio_free(memory);
}

static void failure_can_be_called_off(void **state)
{
    void *memory;

    aio__fail_allocation(1);
    aio__fail_allocation(0);
    memory = aio_malloc(8);
    assert_non_null(memory);
    assert_false(aio__fail_allocation_happened());
    aio_free(memory);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(allocator_replaced_gets_every_call, restore),
        cmocka_unit_test_teardown(allocator_with_a_hole_is_refused_and_the_old_one_stays, restore),
        cmocka_unit_test_teardown(allocator_null_brings_the_c_library_back, restore),
        cmocka_unit_test_teardown(allocation_of_nothing_is_not_a_shortage, restore),
        cmocka_unit_test_teardown(calloc_clears_and_refuses_what_overflows, restore),
        cmocka_unit_test_teardown(strdup_of_null_is_null, restore),
        cmocka_unit_test_teardown(free_allows_null, restore),
        cmocka_unit_test_teardown(allocation_fails_once_when_its_turn_comes, restore),
        cmocka_unit_test_teardown(realloc_that_fails_leaves_the_old_block, restore),
        cmocka_unit_test_teardown(realloc_of_null_allocates, restore),
        cmocka_unit_test_teardown(failure_can_be_called_off, restore),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
