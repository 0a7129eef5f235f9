/* SPDX-License-Identifier: MIT */
/*
 * test_fiber_overflow.c - the report of a stack overflow
 *
 * Every test that faults does so in a child of its own, whose standard error is read.
 */
#include "fiber/overflow.h"

#include "fiber/fiber.h"
#include "support/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* How a child ended, and what it wrote. */
struct end {
    int status;
    char text[1024];
};

static struct aio__fiber_root root;

static size_t recurse(size_t depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    if (depth == 0)
        return 0;
    return recurse(depth - 1) + (size_t)frame[0];
}

static struct aio__fiber *overflow(struct aio__fiber *self)
{
    aio__fiber_set_user(self, (void *)recurse((size_t)1 << 30));
    return &root.fiber;
}

static struct aio__fiber *touch_null(struct aio__fiber *self)
{
    *(volatile char *)aio__fiber_user(self) = 1;
    return &root.fiber;
}

static void describe(struct aio__fiber *fiber, char *buffer, size_t size)
{
    strncpy(buffer, aio__fiber_user(fiber), size);
}

/* Run fn on a fiber of a stack of 128 KiB; does not come back if fn faults. */
static void run_on_fiber(aio__fiber_fn fn, void *user)
{
    struct aio__fiber_pool *pool;
    struct aio__fiber *fiber;
    struct aio__fiber *self = aio__fiber_root_init(&root);

    if (aio__fiber_pool_new(NULL, &pool) < 0 || aio__overflow_install() < 0 ||
        aio__overflow_thread_enter() < 0 ||
        aio__fiber_take(pool, (size_t)128 << 10, fn, user, &fiber) < 0)
        _exit(70);
    aio__fiber_switch(self, fiber);
}

static struct end in_child(void (*body)(void))
{
    struct end end = {.status = 0};
    size_t length = 0;
    ssize_t count;
    int fds[2];
    pid_t child;

    if (AIO__ASAN || AIO__ON_VALGRIND)
        skip(); /* they take a fault for what it is here: an error */
    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static const struct rlimit no_core;

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL); /* not cmocka's */
        signal(SIGBUS, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(fds[1]);
    while ((count = read(fds[0], end.text + length, sizeof(end.text) - 1 - length)) > 0)
        length += (size_t)count;
    close(fds[0]);
    assert_int_equal(waitpid(child, &end.status, 0), child);
    return end;
}

static void assert_died_of(const struct end *end, int signal)
{
    assert_true(WIFSIGNALED(end->status));
    assert_int_equal(WTERMSIG(end->status), signal);
}

static void overflow_described(void)
{
    char name[] = "task 'deep' (coroutine dig, dig.c:12)";

    aio__overflow_set_describe(describe);
    run_on_fiber(overflow, name);
}

static void overflow_names_what_overflowed_and_dies_of_the_signal(void **state)
{
    struct end end = in_child(overflow_described);

    assert_died_of(&end, SIGSEGV);
    assert_non_null(strstr(end.text, "aioc: stack overflow in task 'deep' (coroutine dig, "
                                     "dig.c:12), stack of "));
}

static void overflow_undescribed(void)
{
    run_on_fiber(overflow, NULL);
}

static void overflow_tells_the_size_of_the_stack(void **state)
{
    struct end end = in_child(overflow_undescribed);

    assert_died_of(&end, SIGSEGV);
    assert_non_null(strstr(end.text, AIO__TSAN ? "in a fiber, stack of 524288 bytes at 0x"
                                               : "in a fiber, stack of 131072 bytes at 0x"));
}

static void *overflow_in_thread(void *arg)
{
    run_on_fiber(overflow, arg);
    return NULL;
}

static void start_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, overflow_in_thread, NULL) == 0)
        pthread_join(thread, NULL);
}

static void overflow_is_reported_from_any_thread(void **state)
{
    struct end end = in_child(start_thread);

    assert_died_of(&end, SIGSEGV);
    assert_non_null(strstr(end.text, "stack overflow in a fiber"));
}

static void fault_elsewhere(void)
{
    run_on_fiber(touch_null, NULL);
}

static void fault_that_is_no_overflow_is_not_called_one(void **state)
{
    struct end end = in_child(fault_elsewhere);

    assert_died_of(&end, SIGSEGV);
    assert_null(strstr(end.text, "overflow"));
}

/* A fiber that writes to the guard of another one, far from its own stack. */
static void touch_other_guard(void)
{
    struct aio__fiber_pool *pool;
    struct aio__fiber *fiber;
    char *low, *high;

    if (aio__fiber_pool_new(NULL, &pool) < 0 ||
        aio__fiber_take(pool, 0, overflow, NULL, &fiber) < 0)
        _exit(70);
    aio__fiber_bounds(fiber, &low, &high);
    run_on_fiber(touch_null, low - 1);
}

static void wild_pointer_into_a_guard_is_not_called_an_overflow(void **state)
{
    struct end end = in_child(touch_other_guard);

    assert_died_of(&end, SIGSEGV);
    assert_null(strstr(end.text, "stack overflow in"));
}

static void host_handler(int signal, siginfo_t *info, void *context)
{
    static const char text[] = "the host was called";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(signal == SIGSEGV && info->si_addr != NULL && context != NULL ? 42 : 43);
}

static void overflow_under_a_host(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    action.sa_sigaction = host_handler;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    run_on_fiber(overflow, NULL);
}

static void overflow_is_passed_on_to_the_handler_installed_before(void **state)
{
    struct end end = in_child(overflow_under_a_host);

    assert_true(WIFEXITED(end.status));
    assert_int_equal(WEXITSTATUS(end.status), 42);
    assert_non_null(strstr(end.text, "stack overflow in a fiber"));
    assert_non_null(strstr(end.text, "the host was called"));
}

static void old_style_handler(int signal)
{
    _exit(signal == SIGSEGV ? 44 : 45);
}

static void fault_under_an_old_style_host(void)
{
    signal(SIGSEGV, old_style_handler);
    run_on_fiber(touch_null, NULL);
}

static void fault_is_passed_on_to_a_handler_without_siginfo(void **state)
{
    struct end end = in_child(fault_under_an_old_style_host);

    assert_true(WIFEXITED(end.status));
    assert_int_equal(WEXITSTATUS(end.status), 44);
}

static void send_segv(void)
{
    if (aio__overflow_install() == 0)
        kill(getpid(), SIGSEGV);
}

static void signal_that_was_sent_still_kills(void **state)
{
    struct end end = in_child(send_segv);

    assert_died_of(&end, SIGSEGV);
    assert_null(strstr(end.text, "overflow"));
}

static void send_ignored_segv(void)
{
    signal(SIGSEGV, SIG_IGN);
    if (aio__overflow_install() == 0)
        kill(getpid(), SIGSEGV);
    _exit(46);
}

static void signal_that_was_sent_is_still_ignored(void **state)
{
    struct end end = in_child(send_ignored_segv);

    assert_true(WIFEXITED(end.status));
    assert_int_equal(WEXITSTATUS(end.status), 46);
}

static void check_handlers_are_put_back(void)
{
    struct sigaction after;

    signal(SIGSEGV, old_style_handler);
    if (aio__overflow_install() < 0 || aio__overflow_install() < 0)
        _exit(70);
    aio__overflow_uninstall();
    sigaction(SIGSEGV, NULL, &after);
    if (!(after.sa_flags & SA_SIGINFO))
        _exit(71); /* one user is left */
    aio__overflow_uninstall();
    sigaction(SIGSEGV, NULL, &after);
    _exit(after.sa_handler == old_style_handler ? 0 : 72);
}

static void uninstall_puts_the_former_handler_back(void **state)
{
    struct end end = in_child(check_handlers_are_put_back);

    assert_true(WIFEXITED(end.status));
    assert_int_equal(WEXITSTATUS(end.status), 0);
}

static void check_handler_over_ours(void)
{
    struct sigaction after;

    if (aio__overflow_install() < 0)
        _exit(70);
    signal(SIGSEGV, old_style_handler);
    aio__overflow_uninstall();
    sigaction(SIGSEGV, NULL, &after);
    _exit(after.sa_handler == old_style_handler ? 0 : 72);
}

static void uninstall_leaves_a_handler_installed_later(void **state)
{
    struct end end = in_child(check_handler_over_ours);

    assert_true(WIFEXITED(end.status));
    assert_int_equal(WEXITSTATUS(end.status), 0);
}

static void thread_gets_a_signal_stack_and_loses_it(void **state)
{
    stack_t now;

    assert_int_equal(sigaltstack(NULL, &now), 0);
    if (!(now.ss_flags & SS_DISABLE))
        skip(); /* a sanitizer's */
    assert_int_equal(aio__overflow_thread_enter(), 0);
    assert_int_equal(aio__overflow_thread_enter(), 0);
    aio__overflow_thread_leave();
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_false(now.ss_flags & SS_DISABLE);
    aio__overflow_thread_leave();
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_true(now.ss_flags & SS_DISABLE);
}

static void thread_keeps_the_signal_stack_it_has(void **state)
{
    static char own[64 << 10];
    stack_t before, now;
    stack_t mine = {.ss_sp = own, .ss_size = sizeof(own)};

    assert_int_equal(sigaltstack(&mine, &before), 0);
    assert_int_equal(aio__overflow_thread_enter(), 0);
    assert_int_equal(sigaltstack(NULL, &now), 0);
    assert_ptr_equal(now.ss_sp, own);
    aio__overflow_thread_leave();
    assert_int_equal(sigaltstack(&before, &now), 0);
    assert_ptr_equal(now.ss_sp, own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow_names_what_overflowed_and_dies_of_the_signal),
        cmocka_unit_test(overflow_tells_the_size_of_the_stack),
        cmocka_unit_test(overflow_is_reported_from_any_thread),
        cmocka_unit_test(fault_that_is_no_overflow_is_not_called_one),
        cmocka_unit_test(wild_pointer_into_a_guard_is_not_called_an_overflow),
        cmocka_unit_test(overflow_is_passed_on_to_the_handler_installed_before),
        cmocka_unit_test(fault_is_passed_on_to_a_handler_without_siginfo),
        cmocka_unit_test(signal_that_was_sent_still_kills),
        cmocka_unit_test(signal_that_was_sent_is_still_ignored),
        cmocka_unit_test(uninstall_puts_the_former_handler_back),
        cmocka_unit_test(uninstall_leaves_a_handler_installed_later),
        cmocka_unit_test(thread_gets_a_signal_stack_and_loses_it),
        cmocka_unit_test(thread_keeps_the_signal_stack_it_has),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
