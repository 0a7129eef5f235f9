/* SPDX-License-Identifier: MIT */
/*
 * test_task_cancel.c - asking tasks to end, and taking that back
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* --- coroutines ---------------------------------------------------------------------------- */

static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    fx_note(f, "waits");
    return fx_note_code(f, "woken", aio_await(f->subject, ret_result));
}

static int await_other(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "other", aio_await(f->other, ret_result));
}

/* Takes no for an answer once. */
static int await_twice(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "first", aio_await(f->subject, ret_result));
    return fx_note_code(f, "second", aio_sleep(0));
}

static int sleep_long(void *arg, void **ret_result)
{
    (void)ret_result;
    return fx_note_code(arg, "slept", aio_sleep(1000));
}

static void settle_and_forget(struct fixture *f)
{
    fx_settle(f);
    f->used = 0;
    f->trace[0] = '\0';
}

/* --- when it is delivered -------------------------------------------------------------------- */

/* S30 */
static void task_cancelled_before_its_first_step_never_starts(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_subject);

    assert_true(aio_task_cancel(task, "not today"));
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_true(aio_future_cancelled(task));
    assert_int_equal(aio_future_result(task, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "not today");
}

/* S31 */
static void cancel_returns_at_once_and_is_delivered_an_iteration_later(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_subject);

    settle_and_forget(f);
    assert_true(aio_task_cancel(task, "enough"));
    fx_assert_trace(f, "");
    assert_false(aio_future_done(task));
    assert_true(aio_future_cancelled(f->subject));
    fx_settle(f);
    fx_assert_trace(f, "A woken ! CancelledError");
    assert_true(aio_future_cancelled(task));
    assert_int_equal(aio_future_result(task, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "enough");
}

/* S31 */
static void cancellation_goes_down_the_chain_of_awaits(void **state)
{
    struct fixture *f = *state;
    aio_task *inner = fx_spawn(f, "inner", await_subject);
    aio_task *outer;

    f->other = inner;
    outer = fx_spawn(f, "outer", await_other);
    settle_and_forget(f);
    assert_true(aio_task_cancel(outer, NULL));
    fx_settle(f);
    fx_assert_trace(f, "inner woken ! CancelledError, outer other ! CancelledError");
    assert_int_equal(aio_task_cancelling(inner), 1);
    assert_int_equal(aio_task_cancelling(outer), 1);
}

/* S32 */
static void cancellation_wins_over_a_result_that_is_there_already(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_subject);

    settle_and_forget(f);
    assert_int_equal(aio_future_set_result(f->subject, f), 0);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A woken ! CancelledError");
    assert_true(aio_future_cancelled(task));
}

/* S32 */
static void cancellation_wins_over_an_error_which_counts_as_seen(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_subject);

    settle_and_forget(f);
    assert_int_equal(aio_future_set_error(f->subject, aio_raise(AIO_EVALUE, "lost")), 0);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A woken ! CancelledError");
    aio_future_unref(f->subject);
    f->subject = NULL;
    fx_assert_reports(f, "");
}

static void cancelling_a_sleep_takes_its_timer_away(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", sleep_long);

    fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A slept ! CancelledError");
    assert_true(aio_loop_time(f->loop) == 0);
}

/* --- oneself --------------------------------------------------------------------------------- */

static int cancel_self(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    fx_note(f, "cancel %d", aio_task_cancel(aio_current_task(NULL), "by myself"));
    fx_note(f, "goes on");
    (void)fx_note_code(f, "first", aio_await(f->subject, NULL));
    return fx_note_code(f, "second", aio_sleep(0));
}

/* S33 */
static void task_that_cancels_itself_goes_on_until_it_waits(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", cancel_self);

    fx_settle(f);
    fx_assert_trace(f, "A cancel 1, A goes on, A first ! CancelledError, A second");
    /* What it waited for was cancelled at once. */
    assert_true(aio_future_cancelled(f->subject));
    assert_int_equal(aio_future_result(task, NULL), 0);
    assert_int_equal(aio_task_cancelling(task), 1);
}

static int cancel_self_and_return(void *arg, void **ret_result)
{
    *ret_result = arg;
    (void)aio_task_cancel(aio_current_task(NULL), NULL);
    return 0;
}

/* S33 */
static void task_that_cancels_itself_and_returns_is_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", cancel_self_and_return);

    fx_settle(f);
    assert_true(aio_future_cancelled(task));
}

static int cancel_self_and_fail(void *arg, void **ret_result)
{
    (void)cancel_self_and_return(arg, ret_result);
    return aio_raise(AIO_EVALUE, "instead");
}

static void task_that_cancels_itself_and_fails_has_failed(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", cancel_self_and_fail);

    fx_settle(f);
    assert_false(aio_future_cancelled(task));
    assert_int_equal(aio_future_result(task, NULL), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "instead");
}

static int return_cancelled(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_ECANCELLED, "of my own accord");
}

/* S36 */
static void task_may_end_cancelled_without_being_asked(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", return_cancelled);

    fx_settle(f);
    assert_true(aio_future_cancelled(task));
    assert_int_equal(aio_task_cancelling(task), 0);
    assert_int_equal(aio_future_result(task, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "of my own accord");
    /* S26: the object goes to who asks first. */
    assert_int_equal(aio_future_result(task, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), aio_strerror(AIO_ECANCELLED));
}

/* --- the count ------------------------------------------------------------------------------- */

/* S34; after asyncio's test_tasks.BaseTaskTests.test_uncancel_basic */
static void every_request_counts_and_can_be_taken_back(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_twice);

    settle_and_forget(f);
    assert_int_equal(aio_task_cancelling(task), 0);
    assert_int_equal(aio_task_uncancel(task), 0);
    assert_true(aio_task_cancel(task, NULL));
    assert_true(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_cancelling(task), 2);
    assert_int_equal(aio_task_uncancel(task), 1);
    assert_int_equal(aio_task_uncancel(task), 0);
    assert_int_equal(aio_task_uncancel(task), 0);
    assert_int_equal(aio_task_cancelling(task), 0);
    fx_settle(f);
}

/* S34 */
static void two_requests_before_the_task_runs_are_one_cancellation(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_twice);

    settle_and_forget(f);
    /* The first cancels the future, the second finds it done, and stays for the next wait. */
    assert_true(aio_task_cancel(task, NULL));
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A first ! CancelledError, A second");
    assert_false(aio_future_cancelled(task));
    assert_int_equal(aio_task_cancelling(task), 2);
}

static int swallow_for_ever(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    for (int i = 0; i < 3; i++)
        (void)fx_note_code(f, "wait", aio_sleep(10));
    return 0;
}

/* S34, S37 */
static void request_after_the_delivery_is_delivered_again(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", swallow_for_ever);

    fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_step(f);
    fx_settle(f);
    fx_assert_trace(f, "A wait ! CancelledError, A wait ! CancelledError, A wait");
    assert_false(aio_future_cancelled(task));
    assert_int_equal(aio_future_result(task, NULL), 0);
    assert_int_equal(aio_task_cancelling(task), 2);
}

static int cancel_self_and_take_back(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task *self = aio_current_task(NULL);

    (void)ret_result;
    (void)aio_task_cancel(self, NULL);
    fx_note(f, "left %u", aio_task_uncancel(self));
    return fx_note_code(f, "slept", aio_sleep(0));
}

/* S35 */
static void request_taken_back_before_it_was_thrown_is_not_thrown(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", cancel_self_and_take_back);

    fx_settle(f);
    fx_assert_trace(f, "A left 0, A slept");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

/* S35 */
static void what_was_awaited_stays_cancelled_when_the_request_is_taken_back(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_twice);

    settle_and_forget(f);
    assert_true(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_uncancel(task), 0);
    fx_settle(f);
    fx_assert_trace(f, "A first ! CancelledError, A second");
}

/* S38 */
static void awaiter_of_a_cancelled_task_can_tell_it_was_not_meant(void **state)
{
    struct fixture *f = *state;
    aio_task *inner = fx_spawn(f, "inner", await_subject);
    aio_task *outer;

    f->other = inner;
    outer = fx_spawn(f, "outer", await_other);
    settle_and_forget(f);
    assert_true(aio_task_cancel(inner, "you"));
    fx_settle(f);
    assert_true(aio_future_cancelled(outer));
    assert_int_equal(aio_task_cancelling(outer), 0);
}

/* --- the end --------------------------------------------------------------------------------- */

/* S22 */
static void task_that_is_done_cannot_be_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", fx_tick);

    settle_and_forget(f);
    assert_false(aio_task_cancel(task, NULL));
    assert_int_equal(aio_task_cancelling(task), 0);
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int end_others(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    fx_note(f, "cancels B %d", aio_task_cancel(f->other, NULL));
    return 0;
}

/* S6, S30: both were in one batch. */
static void task_in_the_running_batch_can_be_cancelled_before_its_turn(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", end_others);
    f->other = fx_spawn(f, "B", await_subject);
    fx_settle(f);
    fx_assert_trace(f, "A cancels B 1");
    assert_true(aio_future_cancelled(f->other));
}

static int catch_and_clean_up(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_await(f->subject, ret_result);

    if (err == AIO_ECANCELLED)
        (void)fx_note_code(f, "cleaned up", aio_sleep(5));
    return err;
}

static void task_may_wait_while_it_cleans_up(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", catch_and_clean_up);

    settle_and_forget(f);
    assert_true(aio_task_cancel(task, "go"));
    fx_settle(f);
    fx_assert_trace(f, "A cleaned up");
    assert_true(aio_loop_time(f->loop) == 5);
    assert_true(aio_future_cancelled(task));
}

/* --- misuse ---------------------------------------------------------------------------------- */

static void only_tasks_are_cancelled_as_tasks(void **state)
{
    struct fixture *f = *state;

    assert_false(aio_task_cancel(NULL, "x"));
    assert_int_equal(aio_task_cancelling(NULL), 0);
    assert_int_equal(aio_task_uncancel(NULL), 0);
    assert_false(aio_task_cancel(f->subject, "x"));
    assert_int_equal(aio_task_cancelling(f->subject), 0);
    assert_int_equal(aio_task_uncancel(f->subject), 0);
    assert_false(aio_future_done(f->subject));
}

/* --- circles, and what is deep ------------------------------------------------------------ */

static aio_task *circle[2];

static int await_the_other(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "woke",
                        aio_await(circle[aio_current_task(NULL) == circle[0]], ret_result));
}

/* CPython ends in a RecursionError here. */
static void tasks_that_wait_for_each_other_can_be_cancelled(void **state)
{
    struct fixture *f = *state;

    circle[0] = fx_spawn(f, "A", await_the_other);
    circle[1] = fx_spawn(f, "B", await_the_other);
    fx_settle(f);
    assert_true(aio_task_cancel(circle[0], NULL));
    assert_int_equal(aio_task_cancelling(circle[0]), 1);
    assert_int_equal(aio_task_cancelling(circle[1]), 1);
    assert_true(aio_task_cancel(circle[1], NULL)); /* and once more */
    fx_settle(f);
    fx_assert_trace(f, "B woke ! CancelledError, A woke ! CancelledError");
}

/* S35 */
static void circle_stays_when_the_request_is_taken_back(void **state)
{
    struct fixture *f = *state;

    circle[0] = fx_spawn(f, "A", await_the_other);
    circle[1] = fx_spawn(f, "B", await_the_other);
    fx_settle(f);
    assert_true(aio_task_cancel(circle[0], NULL));
    assert_int_equal(aio_task_uncancel(circle[0]), 0);
    assert_int_equal(aio_task_uncancel(circle[1]), 0);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_true(aio_task_cancel(circle[1], NULL));
    fx_settle(f);
    fx_assert_trace(f, "A woke ! CancelledError, B woke ! CancelledError");
}

static int cancel_and_await_the_other(void *arg, void **ret_result)
{
    (void)aio_task_cancel(aio_current_task(NULL), NULL);
    return await_the_other(arg, ret_result);
}

/* S33 */
static void circle_that_a_cancelled_task_would_close_is_none(void **state)
{
    struct fixture *f = *state;

    circle[0] = fx_spawn(f, "A", await_the_other);
    circle[1] = fx_spawn(f, "B", cancel_and_await_the_other);
    fx_settle(f);
    fx_assert_trace(f, "B woke ! CancelledError, A woke ! CancelledError");
}

static aio_future *gathered;

static int await_gathered(void *arg, void **ret_result)
{
    return fx_note_code(arg, "woke", aio_await(gathered, ret_result));
}

static void gather_that_its_own_child_waits_for_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_future *both[] = {fx_spawn(f, "A", await_gathered), aio_future_new(f->loop)};

    gathered = aio_gather(both, 2, 0);
    fx_settle(f);
    assert_true(aio_future_cancel(gathered, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A woke ! CancelledError");
    assert_int_equal(aio_future_result(gathered, NULL), AIO_ECANCELLED);
    aio_future_unref(gathered);
    aio_future_unref(both[1]);
}

/* It cannot end before its child, nor that before it. */
static void task_that_waits_for_a_gather_of_itself_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_future *both[] = {fx_spawn(f, "A", await_gathered), aio_future_new(f->loop)};

    for (int done = 0; done < 2; done++) {
        gathered = aio_gather(both, 2, AIO_RETURN_EXCEPTIONS);
        fx_settle(f);
        assert_true(aio_task_cancel(both[0], NULL));
        fx_settle(f);
        fx_assert_trace(f, "A woke ! CancelledError");
        assert_true(aio_future_done(gathered));
        (void)aio_future_result(gathered, NULL);
        aio_future_unref(gathered);
        both[0] = fx_spawn(f, "A", await_gathered); /* now with the other one done */
    }
    gathered = NULL;
    aio_future_unref(both[1]);
    fx_settle(f);
    fx_assert_trace(f, "A woke ! TypeError");
}

/* ThreadSanitizer has room for 8128 stacks. */
#if defined(__SANITIZE_THREAD__)
enum { DEEP = 2000 };
#else
enum { DEEP = 20000 };
#endif

static int await_argument(void *arg, void **ret_result)
{
    return aio_await(arg, ret_result);
}

static int cancel_argument(void *arg, void **ret_result)
{
    (void)ret_result;
    return aio_task_cancel(arg, NULL) ? 0 : AIO_EASSERTION;
}

/* From a task, whose stack is small. */
static void run_cancelling(struct fixture *f, aio_task *outermost)
{
    AIO_AUTO(aio_task) canceller = NULL;

    fx_settle(f);
    canceller = aio_loop_create_task(f->loop, cancel_argument, outermost, NULL);
    fx_settle(f);
    assert_int_equal(aio_future_result(canceller, NULL), 0);
    assert_true(aio_future_cancelled(outermost));
}

/* S31 */
static void chain_of_tasks_may_be_of_any_length(void **state)
{
    struct fixture *f = *state;
    aio_future *inner = aio_future_new(f->loop);
    aio_future *innermost = aio_future_ref(inner);

    for (int i = 0; i < DEEP; i++) {
        aio_task *outer = aio_loop_create_task(f->loop, await_argument, inner, NULL);

        aio_future_unref(inner); /* the task that awaits it holds it once it has begun */
        fx_step(f);
        inner = outer;
    }
    run_cancelling(f, inner);
    assert_true(aio_future_cancelled(innermost));
    aio_future_unref(innermost);
    aio_future_unref(inner);
}

/* S71 */
static void gathers_may_be_nested_as_deep_as_one_likes(void **state)
{
    struct fixture *f = *state;
    aio_future *inner = aio_future_new(f->loop);
    aio_future *innermost = aio_future_ref(inner);

    for (int i = 0; i < DEEP / 10; i++) {
        aio_future *gather = aio_gather(&inner, 1, 0);
        aio_task *outer = aio_loop_create_task(f->loop, await_argument, gather, NULL);

        fx_step(f);
        aio_future_unref(inner);
        aio_future_unref(gather);
        inner = outer;
    }
    run_cancelling(f, inner);
    assert_true(aio_future_cancelled(innermost));
    aio_future_unref(innermost);
    aio_future_unref(inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(task_cancelled_before_its_first_step_never_starts),
        FX_TEST_FUTURE(cancel_returns_at_once_and_is_delivered_an_iteration_later),
        FX_TEST_FUTURE(cancellation_goes_down_the_chain_of_awaits),
        FX_TEST_FUTURE(cancellation_wins_over_a_result_that_is_there_already),
        FX_TEST_FUTURE(cancellation_wins_over_an_error_which_counts_as_seen),
        FX_TEST_FUTURE(cancelling_a_sleep_takes_its_timer_away),
        FX_TEST_FUTURE(task_that_cancels_itself_goes_on_until_it_waits),
        FX_TEST_FUTURE(task_that_cancels_itself_and_returns_is_cancelled),
        FX_TEST_FUTURE(task_that_cancels_itself_and_fails_has_failed),
        FX_TEST_FUTURE(task_may_end_cancelled_without_being_asked),
        FX_TEST_FUTURE(every_request_counts_and_can_be_taken_back),
        FX_TEST_FUTURE(two_requests_before_the_task_runs_are_one_cancellation),
        FX_TEST_FUTURE(request_after_the_delivery_is_delivered_again),
        FX_TEST_FUTURE(request_taken_back_before_it_was_thrown_is_not_thrown),
        FX_TEST_FUTURE(what_was_awaited_stays_cancelled_when_the_request_is_taken_back),
        FX_TEST_FUTURE(awaiter_of_a_cancelled_task_can_tell_it_was_not_meant),
        FX_TEST_FUTURE(task_that_is_done_cannot_be_cancelled),
        FX_TEST_FUTURE(task_in_the_running_batch_can_be_cancelled_before_its_turn),
        FX_TEST_FUTURE(task_may_wait_while_it_cleans_up),
        FX_TEST_FUTURE(only_tasks_are_cancelled_as_tasks),
        FX_TEST_FUTURE(tasks_that_wait_for_each_other_can_be_cancelled),
        FX_TEST_FUTURE(circle_stays_when_the_request_is_taken_back),
        FX_TEST_FUTURE(circle_that_a_cancelled_task_would_close_is_none),
        FX_TEST_FUTURE(gather_that_its_own_child_waits_for_can_be_cancelled),
        FX_TEST_FUTURE(task_that_waits_for_a_gather_of_itself_can_be_cancelled),
        FX_TEST_FUTURE(chain_of_tasks_may_be_of_any_length),
        FX_TEST_FUTURE(gathers_may_be_nested_as_deep_as_one_likes),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
