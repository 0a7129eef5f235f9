/* SPDX-License-Identifier: MIT */
/*
 * test_fiber_stack.c - stacks: their sizes, guards, first pages and high-water marks
 */
#include "fiber/guard.h"
#include "support/fibers.h"
#include "support/unit.h"

#include <aio/error.h>
#include <aio/log.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The size of a fiber's slot: what was asked for, as the pool rounded it. */
static size_t slot_size(const struct aio__fiber *fiber)
{
    char *low, *high;
    size_t size = 1;

    aio__fiber_bounds(fiber, &low, &high);
    while (size < (size_t)(high - low))
        size *= 2;
    return size;
}

static size_t resident_pages(const struct aio__fiber *fiber)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = slot_size(fiber) / page - 1;
    unsigned char pages[1024];
    char *low, *high;
    size_t resident = 0;

    aio__fiber_bounds(fiber, &low, &high);
    assert_true(count <= sizeof(pages));
    assert_int_equal(mincore(low, count * page, pages), 0);
    for (size_t i = 0; i < count; i++)
        resident += pages[i] & 1;
    return resident;
}

/* Whether the kernel can read a byte there; so a test can ask without a fault. */
static bool is_readable(const char *address)
{
    int fds[2];
    ssize_t count;

    assert_int_equal(pipe(fds), 0);
    count = write(fds[1], address, 1);
    close(fds[0]);
    close(fds[1]);
    return count == 1;
}

static void pool_makes_stacks_of_64_kib_by_itself(void **state)
{
    struct fibers *f = *state;

    assert_int_equal(aio__fiber_pool_new(NULL, &f->pool), 0);
    assert_int_equal(slot_size(fibers_take(f, return_main)), 64 * KIB * STACK_FACTOR);
}

static void pool_rounds_sizes_up_to_a_power_of_two(void **state)
{
    struct fibers *f = *state;

    fibers_make_pool(f, 100 * KIB, 0, false);
    assert_int_equal(slot_size(fibers_take(f, return_main)), 128 * KIB * STACK_FACTOR);
    assert_int_equal(slot_size(fibers_take_sized(f, 128 * KIB, return_main)),
                     128 * KIB * STACK_FACTOR);
    assert_int_equal(slot_size(fibers_take_sized(f, 128 * KIB + 1, return_main)),
                     256 * KIB * STACK_FACTOR);
}

static void pool_leaves_room_for_a_signal_handler_on_the_smallest_stack(void **state)
{
    struct fibers *f = *state;
    char *low, *high;

    fibers_make_pool(f, 0, 0, false);
    aio__fiber_bounds(fibers_take_sized(f, 1, return_main), &low, &high);
    assert_true((size_t)(high - low) >= 16 * KIB + (size_t)sysconf(_SC_MINSIGSTKSZ));
}

static void pool_refuses_stacks_above_a_gibibyte(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber_pool_options options = {.stack_size = 1024 * MIB + 1};
    struct aio__fiber *fiber = NULL;

    assert_int_equal(aio__fiber_pool_new(&options, &f->pool), AIO_EVALUE);
    assert_null(f->pool);
    fibers_make_pool(f, 0, 0, false);
    assert_int_equal(aio__fiber_take(f->pool, 1024 * MIB + 1, return_main, f, &fiber), AIO_EVALUE);
    assert_int_equal(aio__fiber_take(f->pool, SIZE_MAX, return_main, f, &fiber), AIO_EVALUE);
    assert_null(fiber);
    assert_int_equal(aio__fiber_take(f->pool, 1024 * MIB, return_main, f, &fiber), 0);
}

static void fiber_that_uses_little_stack_costs_one_page(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fibers[100];

    if (!COUNTS_PAGES)
        skip();
    fibers_make_pool(f, 0, 0, false);
    for (size_t i = 0; i < COUNT_OF(fibers); i++) {
        fibers[i] = fibers_take(f, suspend_once);
        aio__fiber_switch(f->main, fibers[i]);
    }
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        assert_int_equal(resident_pages(fibers[i]), 1);
}

static void fiber_has_two_and_a_half_kib_of_stack_on_its_first_page(void **state)
{
    struct fibers *f = *state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    fibers_make_pool(f, 0, 0, false);
    for (int i = 0; i < 32; i++) {
        struct aio__fiber *fiber = fibers_take(f, suspend_once);
        char *saved;

        aio__fiber_switch(f->main, fiber);
        saved = fiber->context.stack_pointer;
        if (COUNTS_PAGES)
            assert_true((uintptr_t)saved % page >= 5 * KIB / 2);
        assert_int_equal((uintptr_t)saved / page, (uintptr_t)fiber / page);
    }
}

static void fibers_of_neighbouring_stacks_start_in_different_cache_lines(void **state)
{
    struct fibers *f = *state;
    uintptr_t offsets[12];

    fibers_make_pool(f, 0, 0, false);
    for (size_t i = 0; i < 16; i++) /* slabs of 4, 4 and 8 */
        (void)fibers_take(f, return_main);
    for (size_t i = 0; i < COUNT_OF(offsets); i++)
        offsets[i] = (uintptr_t)fibers_take(f, return_main) % 4096 / 64;
    for (size_t i = 0; i < COUNT_OF(offsets); i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(offsets[i], offsets[j]);
}

static void assert_guarded(const struct aio__fiber *fiber)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *low, *high;

    aio__fiber_bounds(fiber, &low, &high);
    assert_true(is_readable(low));
    assert_false(is_readable(low - 1));
    assert_false(is_readable(low - page));
}

static void stack_ends_with_a_guard_page(void **state)
{
    struct fibers *f = *state;

    fibers_make_pool(f, 0, 0, false);
    for (int i = 0; i < 10; i++)
        assert_guarded(fibers_take(f, return_main));
    assert_int_equal(fibers_stats(f).unguarded, 0);
}

static void stack_keeps_its_guard_when_its_memory_was_given_back(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fibers[8];

    fibers_make_pool(f, 0, 1, false); /* nothing idle may stay, but for the last */
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(fibers); i++) {
            fibers[i] = fibers_take(f, give_and_return);
            assert_guarded(fibers[i]);
        }
        for (size_t i = 0; i < COUNT_OF(fibers); i++)
            aio__fiber_switch(f->main, fibers[i]);
        assert_int_equal(fibers_stats(f).fibers, 1);
    }
}

static void stack_has_a_protected_page_where_the_kernel_has_no_light_guards(void **state)
{
    struct fibers *f = *state;

    aio__guard_pretend(AIO__GUARD_PROTECTED, 0);
    fibers_make_pool(f, 0, 0, false);
    for (int i = 0; i < 10; i++)
        assert_guarded(fibers_take(f, return_main));
    assert_int_equal(fibers_stats(f).unguarded, 0);
    assert_int_equal(f->warnings, 0);
}

static void stack_has_no_guard_when_mappings_run_out_and_says_so_once(void **state)
{
    struct fibers *f = *state;

    aio__guard_pretend(AIO__GUARD_PROTECTED, 2);
    fibers_make_pool(f, 0, 0, false);
    assert_guarded(fibers_take(f, return_main));
    assert_guarded(fibers_take(f, return_main));
    assert_int_equal(f->warnings, 0);
    for (int i = 0; i < 3; i++)
        aio__fiber_switch(f->main, fibers_take(f, suspend_once));
    assert_int_equal(fibers_stats(f).unguarded, 3);
    assert_int_equal(f->warnings, 1);
    assert_non_null(strstr(f->warning, "vm.max_map_count"));
}

static void stack_gets_its_guard_later_when_there_are_mappings_again(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fibers[4];

    aio__guard_pretend(AIO__GUARD_PROTECTED, 1);
    fibers_make_pool(f, 0, 1, false); /* nothing idle may stay, but for the last */
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        fibers[i] = fibers_take(f, give_and_return);
    assert_int_equal(fibers_stats(f).unguarded, 3);
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        aio__fiber_switch(f->main, fibers[i]);

    aio__guard_pretend(AIO__GUARD_PROTECTED, 0);
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        fibers[i] = fibers_take(f, return_main);
    assert_int_equal(fibers_stats(f).unguarded, 1); /* the one that stayed */
}

static void mappings_of_guards_come_back_when_a_pool_is_freed(void **state)
{
    struct fibers *f = *state;

    aio__guard_pretend(AIO__GUARD_PROTECTED, 2);
    for (int round = 0; round < 3; round++) {
        fibers_make_pool(f, 0, 0, false);
        assert_guarded(fibers_take(f, return_main));
        assert_guarded(fibers_take(f, return_main));
        aio__fiber_pool_free(f->pool);
        f->pool = NULL;
    }
    assert_int_equal(f->warnings, 0);
}

static void stack_without_guard_works_as_others(void **state)
{
    struct fibers *f = *state;

    aio__guard_pretend(AIO__GUARD_NONE, 0);
    fibers_make_pool(f, 0, 0, false);
    f->use = 40 * KIB;
    for (int i = 0; i < 5; i++)
        aio__fiber_switch(f->main, fibers_take(f, use_much_stack));
    assert_int_equal(fibers_stats(f).fibers, 1);
    assert_int_equal(fibers_stats(f).unguarded, 1);
}

static struct aio__fiber *overrun(struct aio__fiber *self)
{
    memset(self->low - 16, 1, 32);
    return give_and_return(self);
}

static void die_silently(aio_log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level == AIO_LOG_ERROR && strstr(text, "stack overflow") != NULL)
        signal(SIGABRT, SIG_DFL); /* from _exit(71) below: it was reported */
}

static void exit_71(int signal)
{
    (void)signal;
    _exit(71);
}

static void overrun_of_a_stack_without_guard_ends_the_program(void **state)
{
    struct fibers *f = *state;
    static const struct rlimit no_core;
    int status;
    pid_t child;

    aio__guard_pretend(AIO__GUARD_NONE, 0);
    fibers_make_pool(f, 0, 0, false);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, exit_71);
        aio_log_set_handler(die_silently, NULL);
        aio__fiber_switch(f->main, fibers_take(f, overrun));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void pool_measures_what_the_deepest_fiber_used(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fiber;
    size_t used;

    fibers_make_pool(f, 256 * KIB, 0, true);
    f->use = 100 * KIB;
    fiber = fibers_take(f, use_much_stack);
    aio__fiber_switch(f->main, fiber);
    used = aio__fiber_high_water(fiber);
    assert_true(used >= 100 * KIB);
    assert_true(used <= (AIO__ASAN || AIO__TSAN ? 700 : 150) * KIB);
    assert_int_equal(fibers_stats(f).high_water, used);

    f->use = 10 * KIB;
    assert_ptr_equal(fibers_take(f, use_much_stack), fiber);
    aio__fiber_switch(f->main, fiber);
    assert_true(aio__fiber_high_water(fiber) >= 10 * KIB);
    assert_true(aio__fiber_high_water(fiber) < used / 2); /* since it was taken */
    assert_int_equal(fibers_stats(f).high_water, used);   /* of all times */
}

static void pool_measures_fibers_that_are_suspended(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fiber;

    fibers_make_pool(f, 0, 0, true);
    fiber = fibers_take(f, suspend_once);
    aio__fiber_switch(f->main, fiber);
    assert_in_range(aio__fiber_high_water(fiber), 32, 16 * KIB);
    assert_int_equal(fibers_stats(f).high_water, aio__fiber_high_water(fiber));
}

static void pool_that_does_not_measure_knows_no_high_water(void **state)
{
    struct fibers *f = *state;
    struct aio__fiber *fiber;

    fibers_make_pool(f, 0, 0, false);
    fiber = fibers_take(f, suspend_once);
    aio__fiber_switch(f->main, fiber);
    assert_int_equal(aio__fiber_high_water(fiber), 0);
    assert_int_equal(aio__fiber_high_water(f->main), 0);
    assert_int_equal(fibers_stats(f).high_water, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fibers_set_up, fibers_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pool_makes_stacks_of_64_kib_by_itself),
        TEST(pool_rounds_sizes_up_to_a_power_of_two),
        TEST(pool_leaves_room_for_a_signal_handler_on_the_smallest_stack),
        TEST(pool_refuses_stacks_above_a_gibibyte),
        TEST(fiber_that_uses_little_stack_costs_one_page),
        TEST(fiber_has_two_and_a_half_kib_of_stack_on_its_first_page),
        TEST(fibers_of_neighbouring_stacks_start_in_different_cache_lines),
        TEST(stack_ends_with_a_guard_page),
        TEST(stack_keeps_its_guard_when_its_memory_was_given_back),
        TEST(stack_has_a_protected_page_where_the_kernel_has_no_light_guards),
        TEST(stack_has_no_guard_when_mappings_run_out_and_says_so_once),
        TEST(stack_gets_its_guard_later_when_there_are_mappings_again),
        TEST(mappings_of_guards_come_back_when_a_pool_is_freed),
        TEST(stack_without_guard_works_as_others),
        TEST(overrun_of_a_stack_without_guard_ends_the_program),
        TEST(pool_measures_what_the_deepest_fiber_used),
        TEST(pool_measures_fibers_that_are_suspended),
        TEST(pool_that_does_not_measure_knows_no_high_water),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
