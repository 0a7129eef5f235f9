/* SPDX-License-Identifier: MIT */
/*
 * test_fiber_pool.c - stacks: their sizes, guards and memory
 */
#include "fiber/fiber.h"
#include "fiber/guard.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <aio/log.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* As in the pool: sanitizers get stacks four times the size. */
enum { FACTOR = AIO__ASAN || AIO__TSAN ? 4 : 1 };

/* Sanitizers and valgrind touch pages of their own accord, and so does the first entry by
 * ucontext where it takes more than a page. */
#define COUNTS_PAGES                                                                               \
    (!AIO__ASAN && !AIO__TSAN && !AIO__ON_VALGRIND &&                                              \
     (strcmp(aio__fiber_backend(), "asm") == 0 || sizeof(ucontext_t) < KIB))

struct fixture {
    struct aio__fiber_pool *pool;
    struct aio__fiber_root root;
    struct aio__fiber *main;
    size_t use; /* bytes of stack that use_stack() uses */
    unsigned warnings;
    char warning[256];
};

static void hear(aio_log_level level, const char *text, void *arg)
{
    struct fixture *f = arg;

    (void)level;
    f->warnings++;
    snprintf(f->warning, sizeof(f->warning), "%s", text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    count_allocations(state);
    assert_non_null(f);
    f->main = aio__fiber_root_init(&f->root);
    aio_log_set_handler(hear, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    aio__fiber_pool_free(f->pool);
    aio__guard_pretend(AIO__GUARD_ADVISED, 0);
    aio_log_set_handler(NULL, NULL);
    free(f);
    return check_allocations(state);
}

static void make_pool(struct fixture *f, size_t stack_size, size_t idle_bytes, bool measure)
{
    struct aio__fiber_pool_options options = {
        .stack_size = stack_size, .idle_bytes = idle_bytes, .measure = measure};

    assert_int_equal(aio__fiber_pool_new(&options, &f->pool), 0);
}

static struct aio__fiber *return_main(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    return f->main;
}

static struct aio__fiber *give_and_return(struct aio__fiber *self)
{
    aio__fiber_give(self);
    return return_main(self);
}

static struct aio__fiber *suspend_once(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    aio__fiber_switch(self, f->main);
    return give_and_return(self);
}

/* Write to so many bytes of stack. */
static __attribute__((noinline)) void use_stack(size_t bytes)
{
    volatile char *memory = __builtin_alloca(bytes);

    for (size_t i = 0; i < bytes; i++)
        memory[i] = 1;
}

static struct aio__fiber *use_much_stack(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    use_stack(f->use);
    return give_and_return(self);
}

static struct aio__fiber *take_sized(struct fixture *f, size_t size, aio__fiber_fn fn)
{
    struct aio__fiber *fiber;

    assert_int_equal(aio__fiber_take(f->pool, size, fn, f, &fiber), 0);
    return fiber;
}

static struct aio__fiber *take(struct fixture *f, aio__fiber_fn fn)
{
    return take_sized(f, 0, fn);
}

static struct aio__fiber_pool_stats stats_of(const struct fixture *f)
{
    struct aio__fiber_pool_stats stats;

    aio__fiber_pool_stats(f->pool, &stats);
    return stats;
}

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
    struct fixture *f = *state;

    assert_int_equal(aio__fiber_pool_new(NULL, &f->pool), 0);
    assert_int_equal(slot_size(take(f, return_main)), 64 * KIB * FACTOR);
}

static void pool_rounds_sizes_up_to_a_power_of_two(void **state)
{
    struct fixture *f = *state;

    make_pool(f, 100 * KIB, 0, false);
    assert_int_equal(slot_size(take(f, return_main)), 128 * KIB * FACTOR);
    assert_int_equal(slot_size(take_sized(f, 128 * KIB, return_main)), 128 * KIB * FACTOR);
    assert_int_equal(slot_size(take_sized(f, 128 * KIB + 1, return_main)), 256 * KIB * FACTOR);
}

static void pool_leaves_room_for_a_signal_handler_on_the_smallest_stack(void **state)
{
    struct fixture *f = *state;
    char *low, *high;

    make_pool(f, 0, 0, false);
    aio__fiber_bounds(take_sized(f, 1, return_main), &low, &high);
    assert_true((size_t)(high - low) >= 16 * KIB + (size_t)sysconf(_SC_MINSIGSTKSZ));
}

static void pool_refuses_stacks_above_a_gibibyte(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber_pool_options options = {.stack_size = 1024 * MIB + 1};
    struct aio__fiber *fiber = NULL;

    assert_int_equal(aio__fiber_pool_new(&options, &f->pool), AIO_EVALUE);
    assert_null(f->pool);
    make_pool(f, 0, 0, false);
    assert_int_equal(aio__fiber_take(f->pool, 1024 * MIB + 1, return_main, f, &fiber), AIO_EVALUE);
    assert_int_equal(aio__fiber_take(f->pool, SIZE_MAX, return_main, f, &fiber), AIO_EVALUE);
    assert_null(fiber);
    assert_int_equal(aio__fiber_take(f->pool, 1024 * MIB, return_main, f, &fiber), 0);
}

static void pool_keeps_idle_fibers_of_different_sizes_apart(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *small, *large;

    make_pool(f, 0, 0, false);
    small = take(f, give_and_return);
    large = take_sized(f, MIB, give_and_return);
    aio__fiber_switch(f->main, large);
    aio__fiber_switch(f->main, small);
    assert_ptr_equal(take_sized(f, MIB, return_main), large);
    assert_ptr_equal(take(f, return_main), small);
}

static void pool_maps_little_for_a_few_fibers(void **state)
{
    struct fixture *f = *state;

    make_pool(f, 0, 0, false);
    assert_int_equal(stats_of(f).mapped, 0);
    for (int i = 0; i < 3; i++)
        (void)take(f, return_main);
    assert_true(stats_of(f).mapped <= 4 * 64 * KIB * FACTOR);
}

static void pool_counts_its_fibers(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *first;

    make_pool(f, 0, 0, false);
    first = take(f, give_and_return);
    (void)take(f, return_main);
    assert_int_equal(stats_of(f).fibers, 2);
    assert_int_equal(stats_of(f).idle, 0);
    aio__fiber_switch(f->main, first);
    assert_int_equal(stats_of(f).fibers, 2);
    assert_int_equal(stats_of(f).idle, 1);
    assert_int_equal(stats_of(f).unguarded, 0);
}

static void fiber_that_uses_little_stack_costs_one_page(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fibers[100];

    if (!COUNTS_PAGES)
        skip();
    make_pool(f, 0, 0, false);
    for (size_t i = 0; i < COUNT_OF(fibers); i++) {
        fibers[i] = take(f, suspend_once);
        aio__fiber_switch(f->main, fibers[i]);
    }
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        assert_int_equal(resident_pages(fibers[i]), 1);
}

static void fiber_has_two_and_a_half_kib_of_stack_on_its_first_page(void **state)
{
    struct fixture *f = *state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    make_pool(f, 0, 0, false);
    for (int i = 0; i < 32; i++) {
        struct aio__fiber *fiber = take(f, suspend_once);
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
    struct fixture *f = *state;
    uintptr_t offsets[12];

    make_pool(f, 0, 0, false);
    for (size_t i = 0; i < 16; i++) /* slabs of 4, 4 and 8 */
        (void)take(f, return_main);
    for (size_t i = 0; i < COUNT_OF(offsets); i++)
        offsets[i] = (uintptr_t)take(f, return_main) % 4096 / 64;
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
    struct fixture *f = *state;

    make_pool(f, 0, 0, false);
    for (int i = 0; i < 10; i++)
        assert_guarded(take(f, return_main));
    assert_int_equal(stats_of(f).unguarded, 0);
}

static void stack_keeps_its_guard_when_its_memory_was_given_back(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fibers[8];

    make_pool(f, 0, 1, false); /* nothing idle may stay, but for the last */
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(fibers); i++) {
            fibers[i] = take(f, give_and_return);
            assert_guarded(fibers[i]);
        }
        for (size_t i = 0; i < COUNT_OF(fibers); i++)
            aio__fiber_switch(f->main, fibers[i]);
        assert_int_equal(stats_of(f).fibers, 1);
    }
}

static void stack_has_a_protected_page_where_the_kernel_has_no_light_guards(void **state)
{
    struct fixture *f = *state;

    aio__guard_pretend(AIO__GUARD_PROTECTED, 0);
    make_pool(f, 0, 0, false);
    for (int i = 0; i < 10; i++)
        assert_guarded(take(f, return_main));
    assert_int_equal(stats_of(f).unguarded, 0);
    assert_int_equal(f->warnings, 0);
}

static void stack_has_no_guard_when_mappings_run_out_and_says_so_once(void **state)
{
    struct fixture *f = *state;

    aio__guard_pretend(AIO__GUARD_PROTECTED, 2);
    make_pool(f, 0, 0, false);
    assert_guarded(take(f, return_main));
    assert_guarded(take(f, return_main));
    assert_int_equal(f->warnings, 0);
    for (int i = 0; i < 3; i++)
        aio__fiber_switch(f->main, take(f, suspend_once));
    assert_int_equal(stats_of(f).unguarded, 3);
    assert_int_equal(f->warnings, 1);
    assert_non_null(strstr(f->warning, "vm.max_map_count"));
}

static void stack_gets_its_guard_later_when_there_are_mappings_again(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fibers[4];

    aio__guard_pretend(AIO__GUARD_PROTECTED, 1);
    make_pool(f, 0, 1, false); /* nothing idle may stay, but for the last */
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        fibers[i] = take(f, give_and_return);
    assert_int_equal(stats_of(f).unguarded, 3);
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        aio__fiber_switch(f->main, fibers[i]);

    aio__guard_pretend(AIO__GUARD_PROTECTED, 0);
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        fibers[i] = take(f, return_main);
    assert_int_equal(stats_of(f).unguarded, 1); /* the one that stayed */
}

static void mappings_of_guards_come_back_when_a_pool_is_freed(void **state)
{
    struct fixture *f = *state;

    aio__guard_pretend(AIO__GUARD_PROTECTED, 2);
    for (int round = 0; round < 3; round++) {
        make_pool(f, 0, 0, false);
        assert_guarded(take(f, return_main));
        assert_guarded(take(f, return_main));
        aio__fiber_pool_free(f->pool);
        f->pool = NULL;
    }
    assert_int_equal(f->warnings, 0);
}

static void stack_without_guard_works_as_others(void **state)
{
    struct fixture *f = *state;

    aio__guard_pretend(AIO__GUARD_NONE, 0);
    make_pool(f, 0, 0, false);
    f->use = 40 * KIB;
    for (int i = 0; i < 5; i++)
        aio__fiber_switch(f->main, take(f, use_much_stack));
    assert_int_equal(stats_of(f).fibers, 1);
    assert_int_equal(stats_of(f).unguarded, 1);
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
    struct fixture *f = *state;
    static const struct rlimit no_core;
    int status;
    pid_t child;

    aio__guard_pretend(AIO__GUARD_NONE, 0);
    make_pool(f, 0, 0, false);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, exit_71);
        aio_log_set_handler(die_silently, NULL);
        aio__fiber_switch(f->main, take(f, overrun));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void pool_keeps_no_more_idle_memory_than_it_may(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fibers[200];

    make_pool(f, 0, 64 * KIB, false);
    for (size_t i = 0; i < COUNT_OF(fibers); i++)
        fibers[i] = take(f, give_and_return);
    for (size_t i = 0; i < COUNT_OF(fibers); i++) {
        aio__fiber_switch(f->main, fibers[i]);
        assert_true(stats_of(f).idle_resident <= 64 * KIB);
    }
    assert_true(stats_of(f).fibers == stats_of(f).idle);
    assert_in_range(stats_of(f).idle, 8, 21);
    /* The ones given last have stayed. */
    assert_ptr_equal(take(f, return_main), fibers[199]);
    assert_ptr_equal(take(f, return_main), fibers[198]);
}

static void pool_gives_the_memory_of_dropped_stacks_back(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fibers[64];
    char *lows[64];
    char *high;
    size_t resident = 0;

    if (!COUNTS_PAGES)
        skip();
    make_pool(f, 0, 64 * KIB, false);
    f->use = 30 * KIB;
    for (size_t i = 0; i < COUNT_OF(fibers); i++) {
        fibers[i] = take(f, use_much_stack);
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
    struct fixture *f = *state;
    size_t before;

    make_pool(f, 256 * KIB, 0, false);
    f->use = 100;
    aio__fiber_switch(f->main, take(f, use_much_stack));
    before = stats_of(f).idle_resident;
    if (COUNTS_PAGES)
        assert_true(before <= 4 * KIB);

    f->use = 200 * KIB;
    aio__fiber_switch(f->main, take(f, use_much_stack));
    assert_true(stats_of(f).idle_resident >= 200 * KIB);
    f->use = 100;
    aio__fiber_switch(f->main, take(f, use_much_stack));
    assert_true(stats_of(f).idle_resident >= 200 * KIB); /* it still has the pages */
}

static void pool_takes_memory_from_the_size_that_keeps_most(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *small, *large[8];

    make_pool(f, 0, 512 * KIB, false);
    f->use = 200 * KIB;
    small = take(f, give_and_return);
    aio__fiber_switch(f->main, small);
    for (size_t i = 0; i < COUNT_OF(large); i++)
        large[i] = take_sized(f, MIB, use_much_stack);
    for (size_t i = 0; i < COUNT_OF(large); i++)
        aio__fiber_switch(f->main, large[i]);
    assert_true(stats_of(f).idle_resident <= 512 * KIB);
    assert_ptr_equal(take(f, return_main), small);
}

/* Ends while it is the pool's oldest idle fiber itself. */
static struct aio__fiber *make_others_idle(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);
    struct aio__fiber *others[16];

    for (size_t i = 0; i < COUNT_OF(others); i++)
        others[i] = take(f, return_main);
    aio__fiber_give(self);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        aio__fiber_abandon(others[i]);
    use_stack(8 * KIB);
    return f->main;
}

static void pool_never_drops_the_stack_it_runs_on(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber;

    make_pool(f, 0, 1, false);
    fiber = take(f, make_others_idle);
    aio__fiber_switch(f->main, fiber);
    assert_true(stats_of(f).fibers >= 1);
    for (int i = 0; i < 4; i++)
        aio__fiber_switch(f->main, take(f, give_and_return));
}

static void pool_unmaps_most_after_a_burst(void **state)
{
    enum { MANY = AIO__TSAN ? 1500 : 6000 }; /* ThreadSanitizer has 8 thousand at most */
    struct fixture *f = *state;
    struct aio__fiber **fibers = calloc(MANY, sizeof(struct aio__fiber *));
    size_t mapped;

    assert_non_null(fibers);
    make_pool(f, 0, 256 * KIB, false);
    for (size_t i = 0; i < MANY; i++) {
        fibers[i] = take(f, suspend_once);
        aio__fiber_switch(f->main, fibers[i]);
    }
    mapped = stats_of(f).mapped;
    for (size_t i = 0; i < MANY; i++) /* in no order of their addresses */
        aio__fiber_switch(f->main, fibers[i * 787 % MANY]);
    free(fibers);
    assert_true(stats_of(f).fibers == stats_of(f).idle);
    assert_true(stats_of(f).mapped < mapped / 2);
    assert_true(stats_of(f).mapped >= 16 * MIB);

    for (int i = 0; i < 100; i++) /* and what is left is in order */
        aio__fiber_switch(f->main, take(f, give_and_return));
}

static void pool_measures_what_the_deepest_fiber_used(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber;
    size_t used;

    make_pool(f, 256 * KIB, 0, true);
    f->use = 100 * KIB;
    fiber = take(f, use_much_stack);
    aio__fiber_switch(f->main, fiber);
    used = aio__fiber_high_water(fiber);
    assert_true(used >= 100 * KIB);
    assert_true(used <= (AIO__ASAN || AIO__TSAN ? 700 : 150) * KIB);
    assert_int_equal(stats_of(f).high_water, used);

    f->use = 10 * KIB;
    assert_ptr_equal(take(f, use_much_stack), fiber);
    aio__fiber_switch(f->main, fiber);
    assert_true(aio__fiber_high_water(fiber) >= 10 * KIB);
    assert_true(aio__fiber_high_water(fiber) < used / 2); /* since it was taken */
    assert_int_equal(stats_of(f).high_water, used);       /* of all times */
}

static void pool_measures_fibers_that_are_suspended(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber;

    make_pool(f, 0, 0, true);
    fiber = take(f, suspend_once);
    aio__fiber_switch(f->main, fiber);
    assert_in_range(aio__fiber_high_water(fiber), 32, 16 * KIB);
    assert_int_equal(stats_of(f).high_water, aio__fiber_high_water(fiber));
}

static void pool_that_does_not_measure_knows_no_high_water(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber;

    make_pool(f, 0, 0, false);
    fiber = take(f, suspend_once);
    aio__fiber_switch(f->main, fiber);
    assert_int_equal(aio__fiber_high_water(fiber), 0);
    assert_int_equal(aio__fiber_high_water(f->main), 0);
    assert_int_equal(stats_of(f).high_water, 0);
}

static void use_a_pool(void *arg)
{
    struct fixture *f = arg;
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
    struct fixture *f = *state;

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
    struct fixture *f = *state;
    struct aio__fiber *fiber = NULL;
    struct rlimit before, tight;
    struct aio__fiber_pool_stats stats;
    size_t count = 0;
    int err;

    if (AIO__ASAN || AIO__TSAN || AIO__ON_VALGRIND)
        skip(); /* they need address space without end */
    make_pool(f, 4 * MIB, 0, false);
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
    stats = stats_of(f);
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
    struct fixture *f = *state;
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
        if (stats_of(f).unguarded != 0)
            _exit(72);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pool_makes_stacks_of_64_kib_by_itself),
        TEST(pool_rounds_sizes_up_to_a_power_of_two),
        TEST(pool_leaves_room_for_a_signal_handler_on_the_smallest_stack),
        TEST(pool_refuses_stacks_above_a_gibibyte),
        TEST(pool_keeps_idle_fibers_of_different_sizes_apart),
        TEST(pool_maps_little_for_a_few_fibers),
        TEST(pool_counts_its_fibers),
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
        TEST(pool_keeps_no_more_idle_memory_than_it_may),
        TEST(pool_gives_the_memory_of_dropped_stacks_back),
        TEST(pool_notices_a_stack_that_grew),
        TEST(pool_takes_memory_from_the_size_that_keeps_most),
        TEST(pool_never_drops_the_stack_it_runs_on),
        TEST(pool_unmaps_most_after_a_burst),
        TEST(pool_measures_what_the_deepest_fiber_used),
        TEST(pool_measures_fibers_that_are_suspended),
        TEST(pool_that_does_not_measure_knows_no_high_water),
        TEST(pool_survives_every_failing_allocation),
        TEST(take_fails_when_the_system_maps_no_more),
        TEST(fibers_run_when_all_memory_is_locked),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
