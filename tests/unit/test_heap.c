/* SPDX-License-Identifier: MIT */
/*
 * test_heap.c - the 4-ary heap
 */
#include "base/heap.h"

#include "base/list.h"
#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <string.h>

struct due {
    struct aio__heap_item item;
    uint64_t key;
    size_t order; /* of pushing */
};

static struct due *due_of(struct aio__heap_item *item)
{
    return aio__container_of(item, struct due, item);
}

/* The same numbers at every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void push(struct aio__heap *heap, struct due *due, uint64_t key)
{
    due->key = key;
    assert_int_equal(aio__heap_push(heap, key, &due->item), 0);
}

static void heap_is_empty_at_first(void **state)
{
    struct aio__heap heap;

    aio__heap_init(&heap);
    assert_null(aio__heap_min(&heap));
    assert_null(aio__heap_pop(&heap));
    aio__heap_destroy(&heap);
}

static void heap_gives_the_least_key_first(void **state)
{
    static const uint64_t keys[] = {5, 3, 9, UINT64_MAX, 0, 7, 1};
    static const uint64_t sorted[] = {0, 1, 3, 5, 7, 9, UINT64_MAX};
    struct due dues[COUNT_OF(keys)] = {0};
    struct aio__heap heap;

    aio__heap_init(&heap);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        push(&heap, &dues[i], keys[i]);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_true(aio__heap_min(&heap)->key == sorted[i]);
        assert_true(due_of(aio__heap_pop(&heap))->key == sorted[i]);
    }
    assert_null(aio__heap_pop(&heap));
    aio__heap_destroy(&heap);
}

static void heap_gives_equal_keys_in_the_order_pushed(void **state)
{
    struct due dues[100] = {0};
    struct aio__heap heap;

    aio__heap_init(&heap);
    for (size_t i = 0; i < COUNT_OF(dues); i++) {
        dues[i].order = i;
        push(&heap, &dues[i], 42);
    }
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        assert_int_equal(due_of(aio__heap_pop(&heap))->order, i);
    aio__heap_destroy(&heap);
}

static void heap_item_knows_whether_it_is_in(void **state)
{
    struct due due = {0};
    struct aio__heap heap;

    aio__heap_init(&heap);
    assert_false(aio__heap_contains(&due.item));
    push(&heap, &due, 1);
    assert_true(aio__heap_contains(&due.item));
    assert_ptr_equal(aio__heap_pop(&heap), &due.item);
    assert_false(aio__heap_contains(&due.item));

    push(&heap, &due, 2);
    aio__heap_remove(&heap, &due.item);
    assert_false(aio__heap_contains(&due.item));
    aio__heap_remove(&heap, &due.item); /* again: nothing happens */
    assert_null(aio__heap_pop(&heap));
    aio__heap_destroy(&heap);
}

static void heap_destroyed_lets_its_items_go(void **state)
{
    struct due due = {0};
    struct aio__heap heap;

    aio__heap_init(&heap);
    push(&heap, &due, 1);
    aio__heap_destroy(&heap);
    assert_false(aio__heap_contains(&due.item));
}

/*
 * The entry that takes the place of a removed one can come from another branch, and
 * belong above: keys 1 | 10 2 | 11 12 13 14 | 3...: removing 11 brings 3 below 10.
 */
static void heap_stays_ordered_when_the_last_entry_belongs_above_the_gap(void **state)
{
    static const uint64_t keys[] = {1, 10, 2, 4, 5, 11, 12, 13, 14, 3};
    struct due dues[COUNT_OF(keys)] = {0};
    struct aio__heap heap;
    uint64_t last = 0;

    aio__heap_init(&heap);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        push(&heap, &dues[i], keys[i]);
    aio__heap_remove(&heap, &dues[5].item);
    for (size_t i = 0; i + 1 < COUNT_OF(keys); i++) {
        uint64_t key = due_of(aio__heap_pop(&heap))->key;

        assert_true(key >= last);
        last = key;
    }
    aio__heap_destroy(&heap);
}

/* Against the plainest model: an unordered array, searched from end to end. */
static size_t model_first(const struct due *dues, size_t count)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        if (!aio__heap_contains(&dues[i].item))
            continue;
        if (first == SIZE_MAX || dues[i].key < dues[first].key ||
            (dues[i].key == dues[first].key && dues[i].order < dues[first].order))
            first = i;
    }
    return first;
}

static void heap_agrees_with_a_search_through_thousands_of_random_changes(void **state)
{
    enum { DUES = 300, CHANGES = 20000 };
    static struct due dues[DUES];
    struct aio__heap heap;
    uint32_t seed = 1;
    size_t order = 0;

    memset(dues, 0, sizeof(dues));
    aio__heap_init(&heap);
    for (int change = 0; change < CHANGES; change++) {
        struct due *due = &dues[next_random(&seed) % DUES];
        size_t first;

        if (!aio__heap_contains(&due->item)) {
            due->order = order++;
            push(&heap, due, next_random(&seed) % 50); /* many of them equal */
        } else if (next_random(&seed) % 3 == 0) {
            first = model_first(dues, DUES);
            assert_ptr_equal(aio__heap_pop(&heap), &dues[first].item);
        } else {
            aio__heap_remove(&heap, &due->item);
        }
        first = model_first(dues, DUES);
        if (first == SIZE_MAX)
            assert_null(aio__heap_min(&heap));
        else
            assert_ptr_equal(aio__heap_min(&heap)->item, &dues[first].item);
    }
    aio__heap_destroy(&heap);
}

static void heap_gives_memory_back_when_mostly_empty(void **state)
{
    enum { DUES = 10000 };
    struct due *dues = calloc(DUES, sizeof(*dues));
    struct aio__heap heap;
    size_t capacity;

    assert_non_null(dues);
    aio__heap_init(&heap);
    for (size_t i = 0; i < DUES; i++)
        push(&heap, &dues[i], i);
    capacity = heap.capacity;
    assert_true(capacity >= DUES);
    for (size_t i = 0; i < DUES - 10; i++)
        assert_int_equal(due_of(aio__heap_pop(&heap))->key, i);
    assert_true(heap.capacity < capacity / 50);
    for (size_t i = DUES - 10; i < DUES; i++)
        assert_int_equal(due_of(aio__heap_pop(&heap))->key, i);
    aio__heap_destroy(&heap);
    free(dues);
}

static void heap_without_memory_to_shrink_with_works_on(void **state)
{
    enum { DUES = 1000 };
    static struct due dues[DUES];
    struct aio__heap heap;

    memset(dues, 0, sizeof(dues));
    aio__heap_init(&heap);
    for (size_t i = 0; i < DUES; i++)
        push(&heap, &dues[i], i);
    aio__fail_allocation(1);
    for (size_t i = 0; i < DUES; i++)
        assert_int_equal(due_of(aio__heap_pop(&heap))->key, i);
    assert_true(aio__fail_allocation_happened());
    aio__heap_destroy(&heap);
}

static void heap_without_memory_refuses_the_push_and_keeps_the_rest(void **state)
{
    struct due dues[65] = {0};
    struct aio__heap heap;

    aio__heap_init(&heap);
    for (size_t i = 0; i < 64; i++)
        push(&heap, &dues[i], i);
    aio__fail_allocation(1);
    assert_int_equal(aio__heap_push(&heap, 64, &dues[64].item), AIO_ENOMEM);
    assert_false(aio__heap_contains(&dues[64].item));
    for (size_t i = 0; i < 64; i++)
        assert_ptr_equal(aio__heap_pop(&heap), &dues[i].item);
    assert_null(aio__heap_pop(&heap));
    aio__heap_destroy(&heap);
}

static void heap_with_reserved_room_pushes_without_allocating(void **state)
{
    static struct due dues[500];
    struct aio__heap heap;

    memset(dues, 0, sizeof(dues));
    aio__heap_init(&heap);
    assert_int_equal(aio__heap_reserve(&heap, COUNT_OF(dues)), 0);
    aio__fail_allocation(1);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        push(&heap, &dues[i], i);
    assert_false(aio__fail_allocation_happened());
    aio__heap_destroy(&heap);
}

static void heap_refuses_room_that_cannot_be(void **state)
{
    struct aio__heap heap;

    aio__heap_init(&heap);
    assert_int_equal(aio__heap_reserve(&heap, SIZE_MAX), AIO_ENOMEM);
    assert_int_equal(aio__heap_reserve(&heap, SIZE_MAX / sizeof(struct aio__heap_entry)),
                     AIO_ENOMEM);
    aio__heap_destroy(&heap);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(heap_is_empty_at_first),
        TEST(heap_gives_the_least_key_first),
        TEST(heap_gives_equal_keys_in_the_order_pushed),
        TEST(heap_item_knows_whether_it_is_in),
        TEST(heap_destroyed_lets_its_items_go),
        TEST(heap_stays_ordered_when_the_last_entry_belongs_above_the_gap),
        TEST(heap_agrees_with_a_search_through_thousands_of_random_changes),
        TEST(heap_gives_memory_back_when_mostly_empty),
        TEST(heap_without_memory_to_shrink_with_works_on),
        TEST(heap_without_memory_refuses_the_push_and_keeps_the_rest),
        TEST(heap_with_reserved_room_pushes_without_allocating),
        TEST(heap_refuses_room_that_cannot_be),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
