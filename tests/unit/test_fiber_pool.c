/* SPDX-License-Identifier: MIT */
/*
 * test_fiber_pool.c - who gets which fiber, and when memory goes back
 */
#include "support/allocation.h"
#include "support/fibers.h"
#include "support/unit.h"

#include <aio/error.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void pool_keeps_idle_fibers_of_different_sizes_apart(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *small, *large;

    fibers_make_pool(f, 0, 0, false);
    small = fibers_take(f, give_and_return);
    large = fibers_take_sized(f, MIB, give_and_return);
    aio__fiber_switch(f->main, large);
    aio__fiber_switch(f->main, small);
    assert_ptr_equal(fibers_take_sized(f, MIB, return_main), large);
    assert_ptr_equal(fibers_take(f, return_main), small);
}

static void pool_maps_little_for_a_few_fibers(void **state)
{
    struct fibers *f = *state;

    fibers_make_pool(f, 0, 0, false);
    assert_int_equal(fibers_stats(f).mapped, 0);
    for (int i = 0; i < 3; i++)
        (void)fibers_take(f, return_main);
    assert_true(fibers_stats(f).mapped <= 4 * 64 * KIB * STACK_FACTOR);
}

static void pool_counts_its_fibers(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *first;

    fibers_make_pool(f, 0, 0, false);
    first = fibers_take(f, give_and_return);
    (void)fibers_take(f, return_main);
    assert_int_equal(fibers_stats(f).fibers, 2);
    assert_int_equal(fibers_stats(f).idle, 0);
    aio__fiber_switch(f->main, first);
    assert_int_equal(fibers_stats(f).fibers, 2);
    assert_int_equal(fibers_stats(f).idle, 1);
    assert_int_equal(fibers_stats(f).unguarded, 0);
}

static void pool_keeps_no_more_idle_memory_than_it_may(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fibers[200];

    fibers_make_pool(f, 0, 64 * KIB, false);
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        fibers[i] = fibers_take(f, give_and_return);
    for (size_t i = 0; i < COUNT_OF(fibers); i++) {
        aio__fiber_switch(f->main, fibers[i]);
        assert_true(fibers_stats(f).idle_resident <= 64 * KIB);
    }
    assert_true(fibers_stats(f).fibers == fibers_stats(f).idle);
    assert_in_range(fibers_stats(f).idle, 8, 21);
    /* The ones given last have stayed. */
    assert_ptr_equal(fibers_take(f, return_main), fibers[199]);
    assert_ptr_equal(fibers_take(f, return_main), fibers[198]);
}

static void pool_gives_the_memory_of_dropped_stacks_back(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fibers[64];
    char *lows[64];
    char *high;
    size_t resident = 0;

    if (!COUNTS_PAGES)
        skip();
    fibers_make_pool(f, 0, 64 * KIB, false);
    f->use = 30 * KIB;
    for (size_t i = 0; i < COUNT_OF(fibers); i++) {
        fibers[i] = fibers_take(f, use_much_stack);
        aio__fiber_bounds(fibers[i], &lows[i], &high);
    }
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        aio__fiber_switch(f->main, fibers[i]);
    for (size_t i = 0; i < COUNT_OF(fibers); i++) {
        unsigned char pages[15];

        assert_int_equal(mincore(lows[i], 15 * 4 * KIB, pages), 0);
        for (size_t j = 0; j < COUNT_OF(pages); j++)
            resident += (pages[j] & 1) * 4 * KIB;
    }
    assert_true(resident <= 64 * KIB);
}

static void pool_notices_a_stack_that_grew(void **state)
{
    struct fibers *f = *state;
    size_t before;

    fibers_make_pool(f, 256 * KIB, 0, false);
    f->use = 100;
    aio__fiber_switch(f->main, fibers_take(f, use_much_stack));
    before = fibers_stats(f).idle_resident;
    if (COUNTS_PAGES)
        assert_true(before <= 4 * KIB);

    f->use = 200 * KIB;
    aio__fiber_switch(f->main, fibers_take(f, use_much_stack));
    assert_true(fibers_stats(f).idle_resident >= 200 * KIB);
    f->use = 100;
    aio__fiber_switch(f->main, fibers_take(f, use_much_stack));
    assert_true(fibers_stats(f).idle_resident >= 200 * KIB); /* it still has the pages */
}

static void pool_takes_memory_from_the_size_that_keeps_most(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *small, *large[8];

    fibers_make_pool(f, 0, 512 * KIB, false);
    f->use = 200 * KIB;
    small = fibers_take(f, give_and_return);
    aio__fiber_switch(f->main, small);
    for (size_t i = 0; i < COUNT_OF(large); i++)
        large[i] = fibers_take_sized(f, MIB, use_much_stack);
    for (size_t i = 0; i < COUNT_OF(large); i++)
        aio__fiber_switch(f->main, large[i]);
    assert_true(fibers_stats(f).idle_resident <= 512 * KIB);
    assert_ptr_equal(fibers_take(f, return_main), small);
}

/* Ends while it is the pool's oldest idle fiber itself. */
static struct aio__fiber *make_others_idle(struct aio__fiber *self)
{
    struct fibers *f = aio__fiber_user(self);
    struct aio__fiber *others[16];

    for (size_t i = 0; i < COUNT_OF(others); i++)
        others[i] = fibers_take(f, return_main);
    aio__fiber_give(self);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        aio__fiber_abandon(others[i]);
    use_stack(8 * KIB);
    return f->main;
}

static void pool_never_drops_the_stack_it_runs_on(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fiber;

    fibers_make_pool(f, 0, 1, false);
    fiber = fibers_take(f, make_others_idle);
    aio__fiber_switch(f->main, fiber);
    assert_true(fibers_stats(f).fibers >= 1);
    for (int i = 0; i < 4; i++)
        aio__fiber_switch(f->main, fibers_take(f, give_and_return));
}

static void pool_unmaps_most_after_a_burst(void **state)
{
    enum { MANY = AIO__TSAN ? 1500 : 6000 }; /* ThreadSanitizer has 8 thousand at most */
    struct fibers *f = *state;
    struct aio__fiber **fibers = calloc(MANY, sizeof(struct aio__fiber *));
    size_t mapped;

    assert_non_null(fibers);
    fibers_make_pool(f, 0, 256 * KIB, false);
    for (size_t i = 0; i < MANY; i++) {
        fibers[i] = fibers_take(f, suspend_once);
        aio__fiber_switch(f->main, fibers[i]);
    }
    mapped = fibers_stats(f).mapped;
    for (size_t i = 0; i < MANY; i++) /* in no order of their addresses */
        aio__fiber_switch(f->main, fibers[i * 787 % MANY]);
    free(fibers);
    assert_true(fibers_stats(f).fibers == fibers_stats(f).idle);
    assert_true(fibers_stats(f).mapped < mapped / 2);
    assert_true(fibers_stats(f).mapped >= 16 * MIB);

    for (int i = 0; i < 100; i++) /* and what is left is in order */
        aio__fiber_switch(f->main, fibers_take(f, give_and_return));
}

static void use_a_pool(void *arg)
{
    struct fibers *f = arg;
    struct aio__fiber *fiber;
    int err = aio__fiber_pool_new(NULL, &f->pool);

    if (err < 0) {
        assert_int_equal(err, AIO_ENOMEM);
        return;
    }
    for (int i = 0; i < 20; i++) {
        err = aio__fiber_take(f->pool, i % 2 == 0 ? 0 : MIB, suspend_once, f, &fiber);
        if (err < 0)
            assert_int_equal(err, AIO_ENOMEM);
        else
            aio__fiber_switch(f->main, fiber);
    }
    aio__fiber_pool_free(f->pool);
    f->pool = NULL;
}

static void pool_survives_every_failing_allocation(void **state)
{
    struct fibers *f = *state;

    /* The pool, and slabs of 4, 4 and 8 for each of two sizes. */
    assert_int_equal(with_each_allocation_failing(use_a_pool, f), 7);
}

static size_t address_space_in_use(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool is_mappable(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    munmap(memory, bytes);
    return true;
}

static void take_fails_when_the_system_maps_no_more(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fiber = NULL;
    struct rlimit before, tight;
    struct aio__fiber_pool_stats stats;
    size_t count = 0;
    int err;

    if (AIO__ASAN || AIO__TSAN || AIO__ON_VALGRIND)
        skip(); /* they need address space without end */
    fibers_make_pool(f, 4 * MIB, 0, false);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    tight.rlim_cur = address_space_in_use() + 45 * MIB;
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    if (is_mappable(64 * MIB)) {
        setrlimit(RLIMIT_AS, &before);
        skip(); /* an emulator without limits */
    }
    while ((err = aio__fiber_take(f->pool, 0, suspend_once, f, &fiber)) == 0 && count < 20) {
        aio__fiber_switch(f->main, fiber);
        count++;
    }
    stats = fibers_stats(f);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);

    assert_int_equal(err, AIO_ENOMEM);
    assert_in_range(count, 8, 11); /* down to single slots before it gave up */
    assert_int_equal(stats.fibers, count);
    assert_int_equal(aio__fiber_take(f->pool, 0, suspend_once, f, &fiber), 0);
    aio__fiber_switch(f->main, fiber);
}

/* In a child, as memory once locked stays locked. */
static void fibers_run_when_all_memory_is_locked(void **state)
{
    struct fibers *f = *state;
    int status;
    pid_t child;

    if (AIO__ASAN || AIO__TSAN || AIO__ON_VALGRIND)
        skip(); /* their shadow memory cannot be locked */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct aio__fiber_pool_options options = {.idle_bytes = 1};
        struct aio__fiber *fibers[8];

        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
            _exit(77);
        if (aio__fiber_pool_new(&options, &f->pool) < 0)
            _exit(70);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < COUNT_OF(fibers); i++)
                if (aio__fiber_take(f->pool, 0, suspend_once, f, &fibers[i]) < 0)
                    _exit(71);
            for (size_t i = 0; i < 2 * COUNT_OF(fibers); i++)
                aio__fiber_switch(f->main, fibers[i % COUNT_OF(fibers)]);
        }
        if (fibers_stats(f).unguarded != 0)
            _exit(72);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fibers_set_up, fibers_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pool_keeps_idle_fibers_of_different_sizes_apart),
        TEST(pool_maps_little_for_a_few_fibers),
        TEST(pool_counts_its_fibers),
        TEST(pool_keeps_no_more_idle_memory_than_it_may),
        TEST(pool_gives_the_memory_of_dropped_stacks_back),
        TEST(pool_notices_a_stack_that_grew),
        TEST(pool_takes_memory_from_the_size_that_keeps_most),
        TEST(pool_never_drops_the_stack_it_runs_on),
        TEST(pool_unmaps_most_after_a_burst),
        TEST(pool_survives_every_failing_allocation),
        TEST(take_fails_when_the_system_maps_no_more),
        TEST(fibers_run_when_all_memory_is_locked),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
