/* SPDX-License-Identifier: MIT */
/*
 * test_pool.c - the pool of small objects
 *
 * What concerns the free lists is skipped where a checker watches: there are none.
 */
#include "base/pool.h"

#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <stdint.h>
#include <string.h>

static void skip_without_free_lists(struct aio__pool *pool)
{
    if (pool->largest == 0) {
        aio__pool_destroy(pool);
        skip();
    }
}

static void pool_gives_objects_of_any_size_that_do_not_overlap(void **state)
{
    enum { SIZES = 600 };
    static unsigned char *objects[SIZES + 1];
    struct aio__pool pool;

    aio__pool_init(&pool);
    for (size_t size = 1; size <= SIZES; size++) {
        objects[size] = aio__pool_alloc(&pool, size);
        assert_non_null(objects[size]);
        assert_int_equal((uintptr_t)objects[size] % _Alignof(max_align_t), 0);
        memset(objects[size], (int)(size % 251), size);
    }
    assert_int_equal(pool.live, SIZES);
    for (size_t size = 1; size <= SIZES; size++) {
        for (size_t i = 0; i < size; i++)
            assert_int_equal(objects[size][i], size % 251);
        aio__pool_free(&pool, objects[size], size);
    }
    assert_int_equal(pool.live, 0);
    aio__pool_destroy(&pool);
}

static void pool_gives_the_object_given_back_last(void **state)
{
    struct aio__pool pool;
    void *a, *b;

    aio__pool_init(&pool);
    skip_without_free_lists(&pool);
    a = aio__pool_alloc(&pool, 40);
    b = aio__pool_alloc(&pool, 40);
    aio__pool_free(&pool, a, 40);
    aio__pool_free(&pool, b, 40);
    assert_ptr_equal(aio__pool_alloc(&pool, 64), b); /* the same class as 40 */
    assert_ptr_equal(aio__pool_alloc(&pool, 33), a);
    aio__pool_destroy(&pool);
}

static void pool_reuses_a_million_objects_without_allocating(void **state)
{
    struct aio__pool pool;

    aio__pool_init(&pool);
    skip_without_free_lists(&pool);
    aio__pool_free(&pool, aio__pool_alloc(&pool, 200), 200);
    aio__fail_allocation(1);
    for (int i = 0; i < 1000000; i++) {
        void *object = aio__pool_alloc(&pool, 200);

        assert_true(object != NULL);
        aio__pool_free(&pool, object, 200);
    }
    assert_false(aio__fail_allocation_happened());
    aio__pool_destroy(&pool);
}

static void pool_makes_few_chunks_for_many_objects(void **state)
{
    const size_t count = 100000;
    struct aio__pool pool;

    aio__pool_init(&pool);
    skip_without_free_lists(&pool);
    for (size_t i = 0; i < count; i++)
        assert_true(aio__pool_alloc(&pool, 256) != NULL);
    assert_in_range(live_allocations(), 1, count / 256 + 10);
    assert_in_range(pool.chunk_bytes, count * 256, count * 257);
    aio__pool_destroy(&pool);
}

static void pool_gives_large_objects_back_at_once(void **state)
{
    struct aio__pool pool;
    size_t before;
    void *object;

    aio__pool_init(&pool);
    before = live_allocations();
    object = aio__pool_alloc(&pool, AIO__POOL_LARGEST + 1);
    assert_non_null(object);
    assert_int_equal(live_allocations(), before + 1);
    aio__pool_free(&pool, object, AIO__POOL_LARGEST + 1);
    assert_int_equal(live_allocations(), before);
    assert_int_equal(pool.live, 0);
    aio__pool_destroy(&pool);
}

static void pool_free_allows_null(void **state)
{
    struct aio__pool pool;

    aio__pool_init(&pool);
    aio__pool_free(&pool, NULL, 32);
    aio__pool_free(&pool, NULL, 5000);
    assert_int_equal(pool.live, 0);
    aio__pool_destroy(&pool);
}

static void pool_without_memory_gives_null_and_works_on(void **state)
{
    static const size_t sizes[] = {32, 512, 513};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct aio__pool pool;
        void *object;

        aio__pool_init(&pool);
        aio__fail_allocation(1);
        assert_null(aio__pool_alloc(&pool, sizes[i]));
        assert_int_equal(pool.live, 0);
        object = aio__pool_alloc(&pool, sizes[i]);
        assert_non_null(object);
        aio__pool_free(&pool, object, sizes[i]);
        aio__pool_destroy(&pool);
    }
}

/* Under a checker the pool must not stand between it and the object's end. */
static void pool_steps_aside_for_a_checker(void **state)
{
    struct aio__pool pool;
    void *object;

    aio__pool_init(&pool);
    pool.largest = 0; /* as aio__pool_init() leaves it there */
    object = aio__pool_alloc(&pool, 32);
    assert_non_null(object);
    assert_int_equal(live_allocations(), 1);
    aio__pool_free(&pool, object, 32);
    assert_int_equal(live_allocations(), 0);
    aio__pool_destroy(&pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(pool_gives_objects_of_any_size_that_do_not_overlap),
        TEST(pool_gives_the_object_given_back_last),
        TEST(pool_reuses_a_million_objects_without_allocating),
        TEST(pool_makes_few_chunks_for_many_objects),
        TEST(pool_gives_large_objects_back_at_once),
        TEST(pool_free_allows_null),
        TEST(pool_without_memory_gives_null_and_works_on),
        TEST(pool_steps_aside_for_a_checker),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
