/* SPDX-License-Identifier: MIT */
/*
 * test_fiber.c - one fiber's life: switched to, left, gone on with, ended
 */
#include "fiber/fiber.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

struct fixture {
    struct aio__fiber_pool *pool;
    struct aio__fiber_root root;
    struct aio__fiber *main; /* the test itself */
    struct aio__fiber *a;
    struct aio__fiber *b;
    size_t trace_length;
    char trace[64];
    uintptr_t seen;
    int depth;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    count_allocations(state);
    assert_non_null(f);
    assert_int_equal(aio__fiber_pool_new(NULL, &f->pool), 0);
    f->main = aio__fiber_root_init(&f->root);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    aio__fiber_pool_free(f->pool);
    free(f);
    return check_allocations(state);
}

static struct aio__fiber *take(struct fixture *f, aio__fiber_fn fn)
{
    struct aio__fiber *fiber;

    assert_int_equal(aio__fiber_take(f->pool, 0, fn, f, &fiber), 0);
    return fiber;
}

static void note(struct fixture *f, char what)
{
    f->trace[f->trace_length++] = what;
}

/* What a fiber's function ends with. */
static struct aio__fiber *finish(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    aio__fiber_give(self);
    return f->main;
}

static struct aio__fiber *note_once(struct aio__fiber *self)
{
    note(aio__fiber_user(self), 'x');
    return finish(self);
}

static void fiber_runs_its_function_and_the_fiber_it_returns_goes_on(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, note_once);

    note(f, '1');
    aio__fiber_switch(f->main, fiber);
    note(f, '2');
    assert_string_equal(f->trace, "1x2");
}

static struct aio__fiber *count_to_three(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    for (char i = '1'; i <= '3'; i++) {
        note(f, i);
        aio__fiber_switch(self, f->main);
    }
    return finish(self);
}

static void fiber_goes_on_where_it_was_left(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, count_to_three);

    for (int i = 0; i < 3; i++) {
        aio__fiber_switch(f->main, fiber);
        note(f, '.');
    }
    aio__fiber_switch(f->main, fiber);
    assert_string_equal(f->trace, "1.2.3.");
}

static struct aio__fiber *ping(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    note(f, 'a');
    aio__fiber_switch(self, f->b);
    note(f, 'a');
    aio__fiber_give(self);
    return f->b;
}

static struct aio__fiber *pong(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    note(f, 'b');
    aio__fiber_switch(self, f->a);
    note(f, 'b');
    return finish(self);
}

static void fibers_switch_to_each_other_without_the_root(void **state)
{
    struct fixture *f = *state;

    f->a = take(f, ping);
    f->b = take(f, pong);
    aio__fiber_switch(f->main, f->a);
    assert_string_equal(f->trace, "abab");
}

static void fiber_given_back_last_is_taken_first(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *first = take(f, note_once);
    struct aio__fiber *second = take(f, note_once);

    assert_ptr_not_equal(first, second);
    aio__fiber_switch(f->main, first);
    aio__fiber_switch(f->main, second);
    assert_ptr_equal(take(f, note_once), second);
    assert_ptr_equal(take(f, note_once), first);
}

static void fiber_runs_another_function_after_it_was_parked(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, note_once);

    aio__fiber_switch(f->main, fiber);
    assert_ptr_equal(take(f, count_to_three), fiber);
    aio__fiber_switch(f->main, fiber);
    assert_string_equal(f->trace, "x1");
}

/* Gives itself back, takes itself again, and is its own successor. */
static struct aio__fiber *take_over(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    note(f, 't');
    aio__fiber_give(self);
    return take(f, note_once);
}

static void fiber_that_takes_itself_again_runs_on(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber_pool_stats stats;

    aio__fiber_switch(f->main, take(f, take_over));
    assert_string_equal(f->trace, "tx");
    aio__fiber_pool_stats(f->pool, &stats);
    assert_int_equal(stats.fibers, 1);
    assert_int_equal(stats.idle, 1);
}

/* Leaves its fiber to somebody else to give back. */
static struct aio__fiber *return_only(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    return f->main;
}

static void fiber_can_be_given_back_by_others_once_it_has_returned(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, return_only);

    aio__fiber_switch(f->main, fiber);
    assert_ptr_not_equal(take(f, note_once), fiber);
    aio__fiber_give(fiber);
    assert_ptr_equal(take(f, note_once), fiber);
    aio__fiber_switch(f->main, fiber);
    assert_string_equal(f->trace, "x");
}

static void fiber_user_can_be_changed(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber;

    assert_int_equal(aio__fiber_take(f->pool, 0, note_once, NULL, &fiber), 0);
    assert_null(aio__fiber_user(fiber));
    aio__fiber_set_user(fiber, f);
    aio__fiber_switch(f->main, fiber);
    assert_string_equal(f->trace, "x");
}

/* Enough values alive to fill the registers; the compiler cannot know them. */
static double mix_over_a_switch(struct aio__fiber *self, struct aio__fiber *to,
                                const volatile long *in)
{
    long a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], g = in[5], h = in[6], i = in[7];
    double p = (double)a / 3, q = (double)b / 7, r = (double)c / 11, s = (double)d / 13;
    long double t = (long double)e / 17, u = (long double)g / 19;
    __uint128_t wide = (__uint128_t)(unsigned long)h << 64 | (unsigned long)i;

    aio__fiber_switch(self, to);
    wide += (unsigned long)(a ^ b ^ c ^ d ^ e ^ g ^ h ^ i);
    return p * q + r * s + (double)(t * u) + (double)(unsigned long)(wide >> 64) +
           (double)(unsigned long)wide;
}

static const volatile long ones[8] = {-1, 2, -3, 4, -5, 6, 7, 8};
static const volatile long others[8] = {91, -82, 73, -64, 55, -46, 37, 28};

static struct aio__fiber *mix_others(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    for (int i = 0; i < 5; i++) {
        double mixed = mix_over_a_switch(self, f->main, others);

        note(f, mixed == mix_over_a_switch(self, f->main, others) ? '.' : '!');
    }
    return finish(self);
}

static void switch_keeps_what_is_alive_in_registers(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, mix_others);
    double first = mix_over_a_switch(f->main, fiber, ones);

    for (int i = 0; i < 10; i++)
        assert_true(mix_over_a_switch(f->main, fiber, ones) == first);
    assert_string_equal(f->trace, ".....");
}

static struct aio__fiber *look_at_alignment(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);
    long double aligned[2];

    aligned[0] = (long double)f->depth;
    f->seen = (uintptr_t)&aligned[0] % 16 + (aligned[0] != 0);
    f->depth = (int)((uintptr_t)__builtin_frame_address(0) % 16);
    return finish(self);
}

static void fiber_starts_with_an_aligned_stack(void **state)
{
    struct fixture *f = *state;

    f->seen = 99;
    aio__fiber_switch(f->main, take(f, look_at_alignment));
    assert_int_equal(f->seen, 0);
    assert_int_equal(f->depth, 0);
}

static struct aio__fiber *read_signal_mask(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);
    sigset_t mask;

    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    note(f, sigismember(&mask, SIGUSR1) ? 'u' : '-');
    aio__fiber_switch(self, f->main);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    note(f, sigismember(&mask, SIGUSR1) ? 'u' : '-');
    return finish(self);
}

static void switch_leaves_the_signal_mask_alone(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, read_signal_mask);
    sigset_t usr1;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL); /* after the fiber was made */
    aio__fiber_switch(f->main, fiber);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    aio__fiber_switch(f->main, fiber);
    assert_string_equal(f->trace, "u-");
}

static struct aio__fiber *go_back_often(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    for (int i = 0; i < 200; i++)
        aio__fiber_switch(self, f->main);
    return finish(self);
}

/* In a child that the kernel kills for any system call but write and exit. */
static void switch_makes_no_system_call(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, go_back_often);
    int status;
    pid_t child;

    if (AIO__ASAN || AIO__TSAN || AIO__ON_VALGRIND)
        skip(); /* these tools make some of their own */
    aio__fiber_switch(f->main, fiber);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
            _exit(77);
        for (int i = 0; i < 100; i++)
            aio__fiber_switch(f->main, fiber);
        syscall(SYS_exit, 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void fiber_abandoned_half_way_starts_anew_when_it_is_taken(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, count_to_three);

    aio__fiber_switch(f->main, fiber);
    aio__fiber_switch(f->main, fiber);
    aio__fiber_abandon(fiber);
    assert_ptr_equal(take(f, count_to_three), fiber);
    aio__fiber_switch(f->main, fiber);
    assert_string_equal(f->trace, "121");
}

static void fiber_abandoned_before_its_start_never_runs(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, count_to_three);

    aio__fiber_abandon(fiber);
    assert_ptr_equal(take(f, note_once), fiber);
    aio__fiber_switch(f->main, fiber);
    assert_string_equal(f->trace, "x");
}

/* Each level makes the next and waits for it. */
static struct aio__fiber *nest(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);
    struct aio__fiber *above = f->a;
    struct aio__fiber *below;

    f->a = self;
    if (--f->depth > 0) {
        below = take(f, nest);
        aio__fiber_switch(self, below);
    }
    note(f, '.');
    f->a = above;
    aio__fiber_give(self);
    return above;
}

static void fibers_nest(void **state)
{
    struct fixture *f = *state;

    f->depth = 40;
    f->a = f->main;
    aio__fiber_switch(f->main, take(f, nest));
    assert_int_equal(f->trace_length, 40);
    assert_ptr_equal(f->a, f->main);
}

static struct aio__fiber *look_at_bounds(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);
    char *low, *high;
    size_t left = aio__fiber_stack_left(self);
    char *here = __builtin_frame_address(0);

    aio__fiber_bounds(self, &low, &high);
    note(f, here >= low && here < high ? 'i' : 'o');
    note(f, left <= (size_t)(here - low) && left + 1024 > (size_t)(here - low) ? 'l' : 'w');
    return finish(self);
}

static void fiber_knows_the_bounds_of_its_stack(void **state)
{
    struct fixture *f = *state;
    char *low, *high;

    aio__fiber_switch(f->main, take(f, look_at_bounds));
    assert_string_equal(f->trace, "il");

    aio__fiber_bounds(f->main, &low, &high);
    assert_null(low);
    assert_null(high);
    assert_true(aio__fiber_stack_left(f->main) == SIZE_MAX);
}

static void fiber_that_is_suspended_shows_where_it_is(void **state)
{
    struct fixture *f = *state;
    struct aio__fiber *fiber = take(f, count_to_three);
    char *low, *high, *saved;

    aio__fiber_switch(f->main, fiber);
    aio__fiber_bounds(fiber, &low, &high);
    saved = fiber->context.stack_pointer;
    assert_true(saved > low && saved < high);
    assert_non_null(fiber->context.place);
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
    struct fixture *f = arg;

    if (_Unwind_GetIP(context) != 0)
        f->depth++;
    return f->depth < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static struct aio__fiber *walk_up(struct aio__fiber *self)
{
    struct fixture *f = aio__fiber_user(self);

    f->seen = (uintptr_t)_Unwind_Backtrace(count_frame, f);
    return finish(self);
}

static void fiber_has_a_stack_trace_that_ends_at_its_entry(void **state)
{
    struct fixture *f = *state;

    aio__fiber_switch(f->main, take(f, walk_up));
    assert_int_equal(f->seen, _URC_END_OF_STACK);
    assert_in_range(f->depth, 2, 4); /* walk_up, the base loop, and what entered that */
}

static void pool_with_suspended_fibers_can_be_freed(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 20; i++)
        aio__fiber_switch(f->main, take(f, count_to_three));
    aio__fiber_pool_free(f->pool);
    f->pool = NULL;
}

static void fiber_backend_has_a_name(void **state)
{
    const char *expected = "ucontext";

#if defined(AIO__FIBER_ASM)
    expected = "asm";
#endif
#if AIO__CONTEXT_MAY_SHADOW
    if (aio__context_shadowed)
        expected = "ucontext";
#endif
    assert_string_equal(aio__fiber_backend(), expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fiber_runs_its_function_and_the_fiber_it_returns_goes_on),
        TEST(fiber_goes_on_where_it_was_left),
        TEST(fibers_switch_to_each_other_without_the_root),
        TEST(fiber_given_back_last_is_taken_first),
        TEST(fiber_runs_another_function_after_it_was_parked),
        TEST(fiber_that_takes_itself_again_runs_on),
        TEST(fiber_can_be_given_back_by_others_once_it_has_returned),
        TEST(fiber_user_can_be_changed),
        TEST(switch_keeps_what_is_alive_in_registers),
        TEST(fiber_starts_with_an_aligned_stack),
        TEST(switch_leaves_the_signal_mask_alone),
        TEST(switch_makes_no_system_call),
        TEST(fiber_abandoned_half_way_starts_anew_when_it_is_taken),
        TEST(fiber_abandoned_before_its_start_never_runs),
        TEST(fibers_nest),
        TEST(fiber_knows_the_bounds_of_its_stack),
        TEST(fiber_that_is_suspended_shows_where_it_is),
        TEST(fiber_has_a_stack_trace_that_ends_at_its_entry),
        TEST(pool_with_suspended_fibers_can_be_freed),
        TEST(fiber_backend_has_a_name),
    };

    int result = RUN_TESTS(tests, NULL, NULL);

#if AIO__CONTEXT_MAY_SHADOW
    /* Once more as under a shadow stack, which takes another processor than most. */
    aio__context_shadowed = true;
    if (RUN_TESTS(tests, NULL, NULL) != EXIT_SUCCESS)
        result = EXIT_FAILURE;
#endif
    return result;
}
