/* SPDX-License-Identifier: MIT */
/*
 * test_signal.c - signals as calls in the loop
 *
 * Most tests send themselves SIGUSR1: raise() returns when the system's part is done.
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t host_calls;

static void on_host(int signum)
{
    host_calls++;
}

static void set_action(int signum, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    assert_int_equal(sigaction(signum, &action, NULL), 0);
}

static void (*get_action(int signum))(int)
{
    struct sigaction action;

    assert_int_equal(sigaction(signum, NULL, &action), 0);
    return action.sa_handler;
}

static int setup(void **state)
{
    host_calls = 0;
    set_action(SIGUSR1, on_host);
    return fx_setup(state);
}

static int teardown(void **state)
{
    int err = fx_teardown(state);

    set_action(SIGUSR1, SIG_DFL);
    return err;
}

static int note_call(void *arg)
{
    fx_note(arg, "called");
    return 0;
}

static int note_other(void *arg)
{
    fx_note(arg, "other");
    return 0;
}

static void add(struct fixture *f, aio_callback_fn fn)
{
    assert_int_equal(aio_loop_add_signal_handler(f->loop, SIGUSR1, fn, f), 0);
}

/* S111 */
static void signal_handler_runs_in_the_loop_and_not_when_the_signal_comes(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    assert_int_equal(raise(SIGUSR1), 0);
    fx_assert_trace(f, "");
    fx_settle(f);
    fx_assert_trace(f, "- called");
    assert_int_equal(host_calls, 0);
}

static void signal_handler_is_called_once_for_each_arrival(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    (void)raise(SIGUSR1);
    (void)raise(SIGUSR1);
    fx_settle(f);
    (void)raise(SIGUSR1);
    fx_settle(f);
    fx_assert_trace(f, "- called, - called, - called");
}

static int stop_loop(void *arg)
{
    aio_loop_stop(arg);
    return 0;
}

/* Whether this thread sleeps in the kernel or has yet to get there, the signal wakes it. */
static void *kill_process(void *arg)
{
    (void)kill(getpid(), SIGUSR1);
    return NULL;
}

static void signal_wakes_a_loop_that_sleeps(void **state)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    pthread_t thread;

    assert_int_equal(aio_loop_add_signal_handler(loop, SIGUSR1, stop_loop, loop), 0);
    assert_int_equal(pthread_create(&thread, NULL, kill_process, NULL), 0);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(aio_loop_close(loop), 0);
}

/* after asyncio's test_events.test_add_signal_handler */
static void signal_handler_added_later_replaces_the_one_before(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    add(f, note_other);
    (void)raise(SIGUSR1);
    fx_settle(f);
    fx_assert_trace(f, "- other");
}

static void signal_handler_that_is_replaced_loses_what_was_to_come(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    (void)raise(SIGUSR1);
    (void)aio_loop_step(f->loop); /* the signal is read, and the call made */
    (void)raise(SIGUSR1);
    add(f, note_other);
    fx_settle(f);
    fx_assert_trace(f, "- called, - other");
}

static void signal_handler_must_be_a_function(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_add_signal_handler(f->loop, SIGUSR1, NULL, NULL), AIO_EVALUE);
    assert_int_equal(aio_loop_add_signal_handler(NULL, SIGUSR1, note_call, f), AIO_ENOLOOP);
    assert_ptr_equal(get_action(SIGUSR1), on_host);
}

/* S111 */
static void signal_number_has_to_be_one(void **state)
{
    static const int wrong[] = {-1, 0, 32, NSIG, 100000};
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(aio_loop_add_signal_handler(f->loop, wrong[i], note_call, f), AIO_EVALUE);
        assert_false(aio_loop_remove_signal_handler(f->loop, wrong[i]));
    }
}

/* S111 */
static void signal_that_cannot_be_caught_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_add_signal_handler(f->loop, SIGKILL, note_call, f), AIO_ERUNTIME);
    assert_int_equal(aio_loop_add_signal_handler(f->loop, SIGSTOP, note_call, f), AIO_ERUNTIME);
    assert_false(aio_loop_remove_signal_handler(f->loop, SIGKILL));
}

static void *add_from_thread(void *arg)
{
    struct fixture *f = arg;
    static int err;

    err = aio_loop_add_signal_handler(f->loop, SIGUSR1, note_call, f);
    return &err;
}

/* S111 */
static void signal_handler_is_for_the_main_thread(void **state)
{
    pthread_t thread;
    void *err;

    assert_int_equal(pthread_create(&thread, NULL, add_from_thread, *state), 0);
    assert_int_equal(pthread_join(thread, &err), 0);
    assert_int_equal(*(int *)err, AIO_ERUNTIME);
    assert_ptr_equal(get_action(SIGUSR1), on_host);
}

/* S112 */
static void signal_handler_of_the_host_comes_back_on_removal(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    assert_ptr_not_equal(get_action(SIGUSR1), on_host);
    assert_true(aio_loop_remove_signal_handler(f->loop, SIGUSR1));
    assert_ptr_equal(get_action(SIGUSR1), on_host);
    assert_false(aio_loop_remove_signal_handler(f->loop, SIGUSR1));
    (void)raise(SIGUSR1);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(host_calls, 1);
}

/* S112 */
static void signal_handler_of_the_host_comes_back_when_the_loop_is_closed(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_ptr_equal(get_action(SIGUSR1), on_host);
    assert_int_equal(aio_loop_add_signal_handler(f->loop, SIGUSR1, note_call, f), AIO_ECLOSED);
    assert_false(aio_loop_remove_signal_handler(f->loop, SIGUSR1));
}

static void signal_handler_that_the_host_sets_meanwhile_stays(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    set_action(SIGUSR1, SIG_IGN);
    assert_true(aio_loop_remove_signal_handler(f->loop, SIGUSR1));
    assert_ptr_equal(get_action(SIGUSR1), SIG_IGN);
}

static void signal_handler_that_is_removed_loses_the_calls_that_were_queued(void **state)
{
    struct fixture *f = *state;

    add(f, note_call);
    (void)raise(SIGUSR1);
    assert_true(aio_loop_remove_signal_handler(f->loop, SIGUSR1));
    fx_settle(f);
    fx_assert_trace(f, "");
}

static int note_and_remove(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "removed %d", aio_loop_remove_signal_handler(f->loop, SIGUSR1));
    return 0;
}

static void signal_handler_may_remove_itself(void **state)
{
    struct fixture *f = *state;

    add(f, note_and_remove);
    (void)raise(SIGUSR1);
    (void)raise(SIGUSR1);
    fx_settle(f);
    fx_assert_trace(f, "- removed 1");
    assert_ptr_equal(get_action(SIGUSR1), on_host);
}

static int note_and_replace(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "replaced");
    add(f, note_other);
    return 0;
}

static void signal_handler_may_replace_itself(void **state)
{
    struct fixture *f = *state;

    add(f, note_and_replace);
    (void)raise(SIGUSR1);
    fx_settle(f);
    (void)raise(SIGUSR1);
    fx_settle(f);
    fx_assert_trace(f, "- replaced, - other");
}

static int go_wrong(void *arg)
{
    return aio_raise(AIO_EVALUE, "no");
}

static void signal_handler_that_fails_is_reported_and_stays(void **state)
{
    struct fixture *f = *state;

    add(f, go_wrong);
    (void)raise(SIGUSR1);
    fx_settle(f);
    assert_int_equal(f->reports, 1);
    (void)raise(SIGUSR1);
    fx_settle(f);
    assert_int_equal(f->reports, 2);
    f->reports = 0;
}

static int leave(void *arg)
{
    fx_note(arg, "left");
    return AIO_ESYSTEMEXIT;
}

static void signal_handler_can_leave_the_run_call(void **state)
{
    struct fixture *f = *state;

    add(f, leave);
    (void)raise(SIGUSR1);
    (void)raise(SIGUSR1);
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_ESYSTEMEXIT);
    fx_assert_trace(f, "- left");
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_ESYSTEMEXIT);
    fx_assert_trace(f, "- left");
}

static int note_variable(void *arg)
{
    struct fixture *f = arg;
    void *value = NULL;

    assert_int_equal(aio_contextvar_get(f->subject, &value), 0);
    fx_note(f, "%s", (const char *)value);
    return 0;
}

static int add_between_two_values(void *arg)
{
    struct fixture *f = arg;
    int err;

    err = aio_contextvar_set(f->subject, aio_constant("before"), NULL);
    if (err == 0)
        err = aio_loop_add_signal_handler(f->loop, SIGUSR1, note_variable, f);
    if (err == 0)
        err = aio_contextvar_set(f->subject, aio_constant("after"), NULL);
    return err;
}

/* S51 */
static void signal_handler_runs_in_the_context_it_was_added_in(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_contextvar) var = aio_contextvar_new("var", NULL);
    AIO_AUTO(aio_context) context = aio_context_new();

    f->subject = var;
    assert_int_equal(aio_context_run(context, add_between_two_values, f), 0);
    (void)raise(SIGUSR1);
    fx_settle(f);
    (void)raise(SIGUSR1);
    fx_settle(f);
    fx_assert_trace(f, "- before, - before");
    assert_true(aio_loop_remove_signal_handler(f->loop, SIGUSR1));
}

static void signal_handlers_of_two_loops_are_both_called(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_loop) other = aio_new_event_loop();

    add(f, note_call);
    assert_int_equal(aio_loop_add_signal_handler(other, SIGUSR1, note_other, f), 0);
    (void)raise(SIGUSR1);
    fx_settle(f);
    (void)aio_loop_step(other);
    fx_assert_trace(f, "- called, - other");

    assert_true(aio_loop_remove_signal_handler(f->loop, SIGUSR1));
    (void)raise(SIGUSR1);
    (void)aio_loop_step(other);
    fx_assert_trace(f, "- other");
    assert_int_equal(aio_loop_close(other), 0);
    assert_ptr_equal(get_action(SIGUSR1), on_host);
}

static void signal_handler_is_not_the_childs_after_fork(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t pid;

    add(f, note_call);
    pid = fork();
    if (pid == 0) {
        (void)raise(SIGUSR1);
        (void)aio_loop_close(f->loop);
        _exit(host_calls == 1 && get_action(SIGUSR1) == on_host ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)raise(SIGUSR1);
    fx_settle(f);
    fx_assert_trace(f, "- called");
    assert_int_equal(host_calls, 0);
}

static void add_and_remove(void *arg)
{
    struct fixture *f = arg;
    int err = aio_loop_add_signal_handler(f->loop, SIGUSR1, note_call, f);

    assert_true(err == 0 || err == AIO_ENOMEM);
    assert_int_equal(aio_loop_remove_signal_handler(f->loop, SIGUSR1), err == 0);
    assert_ptr_equal(get_action(SIGUSR1), on_host);
    fx_settle(f); /* libuv's closing callback frees it */
}

static void signal_handlers_survive_shortages(void **state)
{
    assert_int_not_equal(with_each_allocation_failing(add_and_remove, *state), 0);
}

/* --- SIGINT ------------------------------------------------------------------------------- */

static int set_event(void *arg)
{
    aio_event_set(arg);
    return 0;
}

static int wait_for_own_interrupt(void *arg, void **ret_result)
{
    AIO_AUTO(aio_event) event = aio_event_new();
    aio_loop *loop = aio_get_running_loop();
    int err;

    err = aio_loop_add_signal_handler(loop, SIGINT, set_event, event);
    for (int i = 0; i < 4 && err == 0; i++) {
        aio_event_clear(event);
        (void)raise(SIGINT);
        err = aio_event_wait(event);
    }
    if (err == 0 && arg != NULL)
        (void)aio_loop_remove_signal_handler(loop, SIGINT);
    return err;
}

static int add_count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int interrupt_and_wait(void *arg, void **ret_result)
{
    (void)raise(SIGINT);
    return aio_event_wait(arg);
}

static void sigint_of_the_program_wins_over_the_runners(void **state)
{
    assert_int_equal(aio_run(wait_for_own_interrupt, NULL, NULL), 0);
    assert_ptr_equal(get_action(SIGINT), SIG_DFL);
}

static void sigint_of_the_program_may_be_removed_inside_the_run(void **state)
{
    assert_int_equal(aio_run(wait_for_own_interrupt, *state, NULL), 0);
    assert_ptr_equal(get_action(SIGINT), SIG_DFL);
}

static void sigint_handler_from_before_the_run_wins_too(void **state)
{
    aio_runner *runner = aio_runner_new(NULL);
    aio_loop *loop = aio_runner_get_loop(runner);
    AIO_AUTO(aio_event) event = aio_event_new();

    assert_int_equal(aio_loop_add_signal_handler(loop, SIGINT, set_event, event), 0);
    assert_int_equal(aio_runner_run(runner, interrupt_and_wait, event, NULL, NULL), 0);
    assert_ptr_not_equal(get_action(SIGINT), SIG_DFL);
    aio_runner_free(runner);
    assert_ptr_equal(get_action(SIGINT), SIG_DFL);
}

static int wait_for_the_runners(void *arg, void **ret_result)
{
    AIO_AUTO(aio_future) never = aio_future_new(NULL);
    int count = 0;
    aio_loop *loop = aio_get_running_loop();

    assert_int_equal(aio_loop_add_signal_handler(loop, SIGINT, add_count, &count), 0);
    assert_true(aio_loop_remove_signal_handler(loop, SIGINT));
    (void)raise(SIGINT);
    return aio_await(never, NULL);
}

static void sigint_is_the_runners_again_once_the_program_lets_go(void **state)
{
    assert_int_equal(aio_run(wait_for_the_runners, NULL, NULL), AIO_EKEYBOARDINTERRUPT);
    assert_ptr_equal(get_action(SIGINT), SIG_DFL);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(signal_handler_runs_in_the_loop_and_not_when_the_signal_comes),
        CASE(signal_handler_is_called_once_for_each_arrival),
        CASE(signal_wakes_a_loop_that_sleeps),
        CASE(signal_handler_added_later_replaces_the_one_before),
        CASE(signal_handler_that_is_replaced_loses_what_was_to_come),
        CASE(signal_handler_must_be_a_function),
        CASE(signal_number_has_to_be_one),
        CASE(signal_that_cannot_be_caught_is_refused),
        CASE(signal_handler_is_for_the_main_thread),
        CASE(signal_handler_of_the_host_comes_back_on_removal),
        CASE(signal_handler_of_the_host_comes_back_when_the_loop_is_closed),
        CASE(signal_handler_that_the_host_sets_meanwhile_stays),
        CASE(signal_handler_that_is_removed_loses_the_calls_that_were_queued),
        CASE(signal_handler_may_remove_itself),
        CASE(signal_handler_may_replace_itself),
        CASE(signal_handler_that_fails_is_reported_and_stays),
        CASE(signal_handler_can_leave_the_run_call),
        CASE(signal_handler_runs_in_the_context_it_was_added_in),
        CASE(signal_handlers_of_two_loops_are_both_called),
        CASE(signal_handler_is_not_the_childs_after_fork),
        CASE(signal_handlers_survive_shortages),
        CASE(sigint_of_the_program_wins_over_the_runners),
        CASE(sigint_of_the_program_may_be_removed_inside_the_run),
        CASE(sigint_handler_from_before_the_run_wins_too),
        CASE(sigint_is_the_runners_again_once_the_program_lets_go),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
