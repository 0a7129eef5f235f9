/* SPDX-License-Identifier: MIT */
/*
 * test_virtual_clock.c - time that stands still while anything runs, and jumps when nothing can
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <fcntl.h>
#include <unistd.h>

static void note_time(struct fixture *f, const char *what)
{
    fx_note(f, "%s at %g", what, aio_loop_time(f->loop));
}

static int note_timer(void *arg)
{
    note_time(arg, "timer");
    return 0;
}

static int sleep_an_hour(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err;

    (void)ret_result;
    note_time(f, "sleeps");
    err = aio_sleep(3600);
    note_time(f, "wakes");
    return err;
}

static void clock_begins_at_zero_and_jumps_to_the_next_timer(void **state)
{
    struct fixture *f = *state;

    assert_true(aio_loop_time(f->loop) == 0);
    (void)fx_spawn(f, "A", sleep_an_hour);
    assert_int_equal(aio_loop_call_later(f->loop, 1800, note_timer, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "A sleeps at 0, - timer at 1800, A wakes at 3600");
}

static int spin(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    (void)ret_result;
    for (int i = 0; i < 500 && err == 0; i++)
        err = aio_sleep(0);
    note_time(f, "spun");
    return err;
}

static void clock_stands_still_while_tasks_are_ready(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", spin);
    assert_int_equal(aio_loop_call_later(f->loop, 0.001, note_timer, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "A spun at 0, - timer at 0.001");
}

static int note_threadsafe(void *arg)
{
    note_time(arg, "job");
    return 0;
}

static int call_back(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    return aio_loop_call_soon_threadsafe(f->loop, note_threadsafe, f, NULL);
}

static int run_job(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(f->loop, NULL, call_back, f);
    int err = aio_await(fut, NULL);

    (void)ret_result;
    note_time(f, "job done");
    return err;
}

/* Else each test with a job and a timeout would be a race. */
static void clock_stands_still_while_a_job_runs_elsewhere(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", run_job);
    assert_int_equal(aio_loop_call_later(f->loop, 5, note_timer, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- job at 0, A job done at 0, - timer at 5");
}

static int note_read(void *arg)
{
    struct fixture *f = arg;

    note_time(f, "read");
    (void)aio_loop_remove_reader(f->loop, *(int *)f->subject);
    return 0;
}

static void io_that_is_ready_comes_before_the_clock_jumps(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    f->subject = &ends[0];
    assert_int_equal(aio_loop_call_later(f->loop, 5, note_timer, f, NULL), 0);
    assert_int_equal(aio_loop_add_reader(f->loop, ends[0], note_read, f), 0);
    fx_settle(f);
    fx_assert_trace(f, "- read at 0, - timer at 5");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* --- when nothing can go on ------------------------------------------------------------- */

static int wake_then_stop(void *arg)
{
    struct fixture *f = arg;

    note_time(f, "blocked");
    if (!aio_future_done(f->subject))
        return aio_future_set_result(f->subject, NULL);
    aio_loop_stop(f->loop);
    return 0;
}

static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_await(f->subject, NULL);

    (void)ret_result;
    note_time(f, "woken");
    return err < 0 ? err : aio_sleep(2);
}

static void function_is_called_when_all_is_blocked_and_may_unblock_it(void **state)
{
    struct fixture *f = *state;

    f->subject = aio_future_new(f->loop);
    aio_testing_on_blocked(f->loop, wake_then_stop, f);
    (void)fx_spawn(f, "A", await_subject);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- blocked at 0, A woken at 0, - blocked at 2");
    aio_future_unref(f->subject);
}

static int fail_when_blocked(void *arg)
{
    struct fixture *f = arg;

    aio_loop_stop(f->loop);
    return aio_raise(AIO_EASSERTION, "deadlock");
}

static void error_of_the_function_is_reported(void **state)
{
    struct fixture *f = *state;

    aio_testing_on_blocked(f->loop, fail_when_blocked, f);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_reports(f, "Exception in callback AssertionError");
}

static int exit_when_blocked(void *arg)
{
    (void)arg;
    return AIO_ESYSTEMEXIT;
}

static void function_may_leave_the_run(void **state)
{
    struct fixture *f = *state;

    aio_testing_on_blocked(f->loop, exit_when_blocked, f);
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_ESYSTEMEXIT);
    aio_testing_on_blocked(f->loop, fail_when_blocked, f);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_reports(f, "Exception in callback AssertionError");
}

static void function_can_be_set_on_no_loop(void **state)
{
    (void)state;
    aio_testing_on_blocked(NULL, exit_when_blocked, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(clock_begins_at_zero_and_jumps_to_the_next_timer),
        FX_TEST(clock_stands_still_while_tasks_are_ready),
        FX_TEST(clock_stands_still_while_a_job_runs_elsewhere),
        FX_TEST(io_that_is_ready_comes_before_the_clock_jumps),
        FX_TEST(function_is_called_when_all_is_blocked_and_may_unblock_it),
        FX_TEST(error_of_the_function_is_reported),
        FX_TEST(function_may_leave_the_run),
        FX_TEST(function_can_be_set_on_no_loop),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
