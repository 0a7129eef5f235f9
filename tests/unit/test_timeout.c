/* SPDX-License-Identifier: MIT */
/*
 * test_timeout.c - a limit in time for a block of code
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <math.h>

/* A block whose body is the test's, with a limit of a second. */
static int run_block(struct fixture *f, double delay, int (*body)(struct fixture *f))
{
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(delay);
    int err = aio_timeout_enter(limit);

    if (err < 0)
        return err;
    f->subject = limit;
    err = aio_timeout_exit(limit, body(f));
    fx_note_code(f, aio_timeout_expired(limit) ? "expired" : "in time", err);
    f->subject = NULL;
    return err;
}

static int sleep_long(struct fixture *f)
{
    return fx_note_code(f, "slept", aio_sleep(10));
}

static int sleep_shortly(struct fixture *f)
{
    return fx_note_code(f, "slept", aio_sleep(0.5));
}

static int long_in_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 1, sleep_long);
}

/* S58; after asyncio's test_timeouts.TimeoutTests.test_timeout_basic */
static void timeout_turns_its_own_cancellation_into_timeout_error(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", long_in_one);

    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T expired ! TimeoutError");
    assert_int_equal(aio_future_result(task, NULL), AIO_ETIMEDOUT);
    assert_int_equal(aio_task_cancelling(task), 0);
    assert_true(aio_loop_time(f->loop) < 10);
}

/* The cause is the cancellation, as in Python's `raise TimeoutError from exc_val`. */
static void timeout_error_has_the_cancellation_as_its_cause(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", long_in_one);
    aio_exception *error = NULL;

    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T expired ! TimeoutError");
    assert_int_equal(aio_future_exception(task, &error), 0);
    assert_int_equal(aio_exception_code(aio_exception_cause(error)), AIO_ECANCELLED);
}

static int short_in_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 1, sleep_shortly);
}

/* after asyncio's test_timeouts.TimeoutTests.test_timeout_not_called */
static void timeout_of_a_body_that_is_in_time_does_nothing(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", short_in_one);
    fx_settle(f);
    fx_assert_trace(f, "T slept, T in time");
    assert_true(aio_loop_time(f->loop) < 1); /* its timer is gone */
}

static int cancel_at(struct fixture *f, double when, aio_callback_fn fn, void *arg)
{
    return aio_loop_call_at(f->loop, when, fn, arg, NULL);
}

static int cancel_it(void *arg)
{
    (void)aio_task_cancel(arg, "from outside");
    return 0;
}

/* S58; after asyncio's test_timeouts.TimeoutTests.test_foreign_cancel_doesnt_timeout_if_not_expired */
static void timeout_leaves_a_foreign_cancellation_before_it_alone(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", long_in_one);

    assert_int_equal(cancel_at(f, aio_loop_time(f->loop) + 0.5, cancel_it, task), 0);
    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T in time ! CancelledError");
    assert_true(aio_future_cancelled(task));
    assert_int_equal(aio_task_cancelling(task), 1);
}

static int clean_up_slowly(struct fixture *f)
{
    int err = fx_note_code(f, "slept", aio_sleep(10));

    (void)fx_note_code(f, "cleaned", aio_sleep(1));
    return err;
}

static int cleaning_in_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 1, clean_up_slowly);
}

/* S58; after asyncio's test_timeouts.TimeoutTests.test_outer_coro_is_not_cancelled and
 * test_foreign_cancel_takes_precedence */
static void timeout_that_expired_leaves_a_foreign_cancellation_after_it_alone(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", cleaning_in_one);

    assert_int_equal(cancel_at(f, aio_loop_time(f->loop) + 1.5, cancel_it, task), 0);
    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T cleaned ! CancelledError, "
                       "T expired ! CancelledError");
    assert_true(aio_future_cancelled(task));
    assert_int_equal(aio_task_cancelling(task), 1);
}

static int swallow(struct fixture *f)
{
    (void)fx_note_code(f, "slept", aio_sleep(10));
    return 0;
}

static int swallow_in_one(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = run_block(f, 1, swallow);

    (void)ret_result;
    fx_note(f, "cancelling %u", aio_task_cancelling(aio_current_task(NULL)));
    return err;
}

/* S59 */
static void timeout_whose_body_swallows_the_cancellation_is_no_error(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", swallow_in_one);

    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T expired, T cancelling 0");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int inner_block(struct fixture *f)
{
    return run_block(f, 1, sleep_long);
}

static int nested_equal(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 1, inner_block);
}

/* S60; after asyncio's test_timeouts.TimeoutTests.test_nested_timeouts_concurrent */
static void timeouts_of_equal_deadlines_expire_both_and_the_outer_raises(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", nested_equal);

    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T expired ! CancelledError, "
                       "T expired ! TimeoutError");
    assert_int_equal(aio_future_result(task, NULL), AIO_ETIMEDOUT);
    assert_int_equal(aio_task_cancelling(task), 0);
}

static int wait_not(struct fixture *f)
{
    fx_note(f, "computed");
    return 0;
}

static int no_time_and_no_wait(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 0, wait_not);
}

/* S61; after asyncio's test_timeouts.TimeoutTests.test_timeout_zero_sleep_zero */
static void timeout_of_no_time_lets_a_body_that_never_waits_pass(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", no_time_and_no_wait);

    fx_settle(f);
    fx_assert_trace(f, "T computed, T in time");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int give_way(struct fixture *f)
{
    return fx_note_code(f, "slept", aio_sleep(0.001));
}

static int no_time_and_a_wait(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, -1, give_way);
}

/* S61; after asyncio's test_timeouts.TimeoutTests.test_timeout_in_the_past */
static void timeout_in_the_past_ends_the_first_wait(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", no_time_and_a_wait);
    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T expired ! TimeoutError");
}

static int no_limit(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, AIO_FOREVER, sleep_long);
}

/* S62; after asyncio's test_timeouts.TimeoutTests.test_timeout_disabled */
static void timeout_without_a_deadline_never_expires(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", no_limit);
    fx_settle(f);
    fx_assert_trace(f, "T slept, T in time");
}

static int move_on(struct fixture *f)
{
    int err = aio_timeout_reschedule(f->subject, aio_loop_time(f->loop) + 20);

    return err < 0 ? err : sleep_long(f);
}

static int moved(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 1, move_on);
}

/* S62; after asyncio's test_timeouts.TimeoutTests.test_timeout_reschedule_... */
static void timeout_can_be_moved_inside_the_block(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", moved);
    fx_settle(f);
    fx_assert_trace(f, "T slept, T in time");
}

static int move_to_the_past(struct fixture *f)
{
    int err = aio_timeout_reschedule(f->subject, 0);

    return err < 0 ? err : sleep_long(f);
}

static int moved_to_the_past(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 100, move_to_the_past);
}

/* S61, S62 */
static void timeout_moved_to_the_past_expires_at_the_next_wait(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", moved_to_the_past);
    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T expired ! TimeoutError");
}

static int limit_by_a_time_of_the_loop(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) limit = NULL;
    int err = aio_sleep(1);

    (void)ret_result;
    limit = aio_timeout_new_at(3);
    if (err == 0)
        err = aio_timeout_enter(limit);
    fx_note(f, "until %g", aio_timeout_when(limit));
    err = aio_timeout_exit(limit, err < 0 ? err : aio_sleep(10));
    fx_note(f, "at %g, expired %d", aio_loop_time(f->loop), aio_timeout_expired(limit));
    return fx_note_code(f, "left", err);
}

/* S58; after asyncio's test_timeouts.TimeoutTests.test_timeout_at_basic */
static void timeout_at_a_time_of_the_loop_expires_then(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", limit_by_a_time_of_the_loop);
    fx_settle(f);
    fx_assert_trace(f, "T until 3, T at 3, expired 1, T left ! TimeoutError");
}

static int ask_for_the_deadline(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(2);
    AIO_AUTO(aio_timeout) none = aio_timeout_new(AIO_FOREVER);
    int err = aio_timeout_enter(limit);

    (void)ret_result;
    fx_note(f, "when %g %g", aio_timeout_when(limit), aio_timeout_when(none));
    (void)aio_timeout_reschedule(limit, 7);
    fx_note(f, "when %g", aio_timeout_when(limit));
    (void)aio_timeout_reschedule(limit, AIO_FOREVER);
    fx_note(f, "when %g", aio_timeout_when(limit));
    return fx_note_code(f, "left", aio_timeout_exit(limit, err));
}

static void timeout_tells_its_deadline_wherever_it_was_moved(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", ask_for_the_deadline);
    fx_settle(f);
    fx_assert_trace(f, "T when 2 inf, T when 7, T when inf, T left");
}

static int misuse_around(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(1);
    int err;

    (void)ret_result;
    (void)fx_note_code(f, "moved before", aio_timeout_reschedule(limit, 5));
    (void)fx_note_code(f, "left before", aio_timeout_exit(limit, 0));
    err = aio_timeout_enter(limit);
    (void)fx_note_code(f, "entered twice", aio_timeout_enter(limit));
    err = aio_timeout_exit(limit, err == 0 ? aio_sleep(5) : err);
    (void)fx_note_code(f, "moved after", aio_timeout_reschedule(limit, 5));
    fx_note(f, "%s", aio_error_text(AIO_ERUNTIME));
    (void)fx_note_code(f, "entered again", aio_timeout_enter(limit));
    return err;
}

/* S62; after asyncio's test_timeouts.TimeoutTests.test_timeout_already_entered, _double_enter,
 * _after_exit and _cannot_reschedule */
static void timeout_is_used_once_and_moved_only_inside(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", misuse_around);

    fx_settle(f);
    fx_assert_trace(f, "T moved before ! RuntimeError, T left before ! RuntimeError, "
                       "T entered twice ! RuntimeError, T moved after ! RuntimeError, "
                       "T Cannot change state of expired Timeout, "
                       "T entered again ! RuntimeError");
    assert_int_equal(aio_future_result(task, NULL), AIO_ETIMEDOUT);
}

static int enter_in_callback(void *arg)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(1);

    (void)fx_note_code(f, "entered", aio_timeout_enter(limit));
    return 0;
}

/* S62; after asyncio's test_timeouts.TimeoutTests.test_timeout_not_in_task */
static void timeout_needs_a_task(void **state)
{
    struct fixture *f = *state;

    assert_null(aio_timeout_new(1));
    assert_int_equal(aio_last_failure(), AIO_ENOLOOP);
    assert_int_equal(aio_loop_call_soon(f->loop, enter_in_callback, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- entered ! RuntimeError");
}

static int not_a_number(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, NAN, sleep_long);
}

static void timeout_that_is_no_number_cannot_be_entered(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", not_a_number);

    fx_settle(f);
    assert_int_equal(aio_future_result(task, NULL), AIO_EVALUE);
}

static int fail_when_cancelled(struct fixture *f)
{
    (void)fx_note_code(f, "slept", aio_sleep(10));
    return aio_raise(AIO_EKEY, "found nothing");
}

static int failing_in_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_block(arg, 1, fail_when_cancelled);
}

/* S63 */
static void timeout_lets_another_error_pass(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", failing_in_one);

    fx_settle(f);
    fx_assert_trace(f, "T slept ! CancelledError, T expired ! KeyError");
    assert_int_equal(aio_future_result(task, NULL), AIO_EKEY);
    assert_int_equal(aio_task_cancelling(task), 0);
}

static int return_inside(void *arg, void **ret_result)
{
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(1);
    int err = aio_timeout_enter(limit);

    (void)arg;
    (void)ret_result;
    return err; /* and never leaves it */
}

/* Python cannot write this. */
static void timeout_that_a_coroutine_forgets_to_leave_is_over_with_it(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", return_inside);

    fx_settle(f);
    assert_true(aio_future_done(task));
    assert_true(aio_loop_time(f->loop) < 1);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    (void)fx_spawn(&f, "T", nested_equal);
    (void)fx_spawn(&f, "U", moved);
    fx_settle(&f);
    fx_close(&f);
}

static void timeouts_survive_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        FX_TEST(timeout_turns_its_own_cancellation_into_timeout_error),
        FX_TEST(timeout_error_has_the_cancellation_as_its_cause),
        FX_TEST(timeout_of_a_body_that_is_in_time_does_nothing),
        FX_TEST(timeout_leaves_a_foreign_cancellation_before_it_alone),
        FX_TEST(timeout_that_expired_leaves_a_foreign_cancellation_after_it_alone),
        FX_TEST(timeout_whose_body_swallows_the_cancellation_is_no_error),
        FX_TEST(timeouts_of_equal_deadlines_expire_both_and_the_outer_raises),
        FX_TEST(timeout_of_no_time_lets_a_body_that_never_waits_pass),
        FX_TEST(timeout_in_the_past_ends_the_first_wait),
        FX_TEST(timeout_without_a_deadline_never_expires),
        FX_TEST(timeout_at_a_time_of_the_loop_expires_then),
        FX_TEST(timeout_tells_its_deadline_wherever_it_was_moved),
        FX_TEST(timeout_can_be_moved_inside_the_block),
        FX_TEST(timeout_moved_to_the_past_expires_at_the_next_wait),
        FX_TEST(timeout_is_used_once_and_moved_only_inside),
        FX_TEST(timeout_needs_a_task),
        FX_TEST(timeout_that_is_no_number_cannot_be_entered),
        FX_TEST(timeout_lets_another_error_pass),
        FX_TEST(timeout_that_a_coroutine_forgets_to_leave_is_over_with_it),
        FX_TEST(timeouts_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
