/* SPDX-License-Identifier: MIT */
/*
 * test_future.c - a result that comes later
 *
 * Its callbacks are in test_future_callback.c.
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* --- a future on its own ----------------------------------------------------------------- */

static aio_future *future_of(void **state)
{
    return ((struct fixture *)*state)->subject;
}

static aio_exception *make_error(int code, const char *message)
{
    return aio_exception_new_at(NULL, 0, NULL, code, "%s", message);
}

static void fail_with(aio_future *fut, int code, const char *message)
{
    AIO_AUTO(aio_exception) error = make_error(code, message);

    assert_int_equal(aio_future_set_exception(fut, error), 0);
}

/* S20; after asyncio's test_futures.BaseFutureTests.test_initial_state */
static void future_is_pending_at_first(void **state)
{
    aio_future *fut = future_of(state);
    aio_exception *error = NULL;
    void *value = state;

    assert_false(aio_future_done(fut));
    assert_false(aio_future_cancelled(fut));
    assert_true(aio_isfuture(fut));
    assert_false(aio_future_is_task(fut));
    assert_ptr_equal(aio_future_get_loop(fut), ((struct fixture *)*state)->loop);
    assert_int_equal(aio_future_result(fut, &value), AIO_EINVALIDSTATE);
    assert_string_equal(aio_error_text(AIO_EINVALIDSTATE), "Result is not set.");
    assert_int_equal(aio_future_exception(fut, &error), AIO_EINVALIDSTATE);
    assert_string_equal(aio_error_text(AIO_EINVALIDSTATE), "Exception is not set.");
    assert_ptr_equal(value, state);
    assert_null(error);
}

/* After asyncio's test_futures.BaseFutureTests.test_result */
static void future_gives_its_value(void **state)
{
    aio_future *fut = future_of(state);
    AIO_AUTO(aio_exception) unset = make_error(AIO_EVALUE, "");
    aio_exception *error = unset;
    void *value = NULL;

    assert_int_equal(aio_future_set_result(fut, state), 0);
    assert_true(aio_future_done(fut));
    assert_false(aio_future_cancelled(fut));
    assert_int_equal(aio_future_result(fut, &value), 0);
    assert_ptr_equal(value, state);
    assert_int_equal(aio_future_result(fut, NULL), 0);
    assert_int_equal(aio_future_exception(fut, &error), 0);
    assert_null(error);
    assert_int_equal(aio_future_exception(fut, NULL), 0);
}

/* After asyncio's test_futures.BaseFutureTests.test_exception */
static void future_gives_its_error(void **state)
{
    aio_future *fut = future_of(state);
    AIO_AUTO(aio_exception) set = make_error(AIO_EKEY, "missing");
    aio_exception *error = NULL;
    void *value = state;

    assert_int_equal(aio_future_set_exception(fut, set), 0);
    assert_true(aio_future_done(fut));
    assert_int_equal(aio_future_exception(fut, &error), 0);
    assert_ptr_equal(error, set);
    assert_int_equal(aio_future_result(fut, &value), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "missing");
    assert_ptr_equal(value, state);
    assert_int_equal(aio_future_exception(fut, NULL), 0);
}

static void future_takes_the_code_a_call_returned_with_its_object(void **state)
{
    aio_future *fut = future_of(state);
    aio_exception *error = NULL;

    assert_int_equal(aio_future_set_error(fut, aio_raise(AIO_EINDEX, "past the end")), 0);
    assert_int_equal(aio_future_exception(fut, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EINDEX);
    assert_string_equal(aio_exception_message(error), "past the end");
    assert_string_equal(aio_exception_function(error), __func__);
}

static void future_that_failed_without_an_object_gives_a_bare_one(void **state)
{
    aio_future *fut = future_of(state);
    aio_exception *error = NULL;

    assert_int_equal(aio_future_set_error(fut, -ECONNRESET), 0);
    assert_int_equal(aio_future_result(fut, NULL), -ECONNRESET);
    assert_string_equal(aio_error_text(-ECONNRESET), "Connection reset by peer");
    assert_int_equal(aio_future_exception(fut, &error), 0);
    assert_int_equal(aio_exception_code(error), -ECONNRESET);
}

static void null_error_counts_as_no_memory(void **state)
{
    aio_future *fut = future_of(state);
    aio_exception *error = NULL;

    assert_int_equal(aio_future_set_exception(fut, NULL), 0);
    assert_int_equal(aio_future_result(fut, NULL), AIO_ENOMEM);
    assert_int_equal(aio_future_exception(fut, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_ENOMEM);
}

/* After asyncio's test_futures.BaseFutureTests.test_set_exception_stopiteration */
static void stop_iteration_becomes_a_runtime_error(void **state)
{
    aio_future *fut = future_of(state);

    fail_with(fut, AIO_ESTOP, "");
    assert_int_equal(aio_future_result(fut, NULL), AIO_ERUNTIME);
    assert_non_null(strstr(aio_error_text(AIO_ERUNTIME), "StopIteration interacts badly"));
}

/* S21 */
static void future_that_is_done_takes_no_other_outcome(void **state)
{
    aio_future *fut = future_of(state);
    AIO_AUTO(aio_exception) error = make_error(AIO_EKEY, "late");
    void *value = NULL;

    assert_int_equal(aio_future_set_result(fut, state), 0);
    assert_int_equal(aio_future_set_result(fut, NULL), AIO_EINVALIDSTATE);
    assert_string_equal(aio_error_text(AIO_EINVALIDSTATE), "invalid state");
    assert_int_equal(aio_future_set_exception(fut, error), AIO_EINVALIDSTATE);
    assert_int_equal(aio_future_set_error(fut, AIO_EVALUE), AIO_EINVALIDSTATE);
    assert_false(aio_future_cancel(fut, NULL));
    assert_int_equal(aio_future_result(fut, &value), 0);
    assert_ptr_equal(value, state);
}

/* S20; after asyncio's test_futures.BaseFutureTests.test_cancel */
static void cancelled_future_gives_the_cancellation(void **state)
{
    aio_future *fut = future_of(state);
    aio_exception *error = NULL;
    void *value = state;

    assert_true(aio_future_cancel(fut, NULL));
    assert_true(aio_future_done(fut));
    assert_true(aio_future_cancelled(fut));
    assert_int_equal(aio_future_result(fut, &value), AIO_ECANCELLED);
    assert_int_equal(aio_future_exception(fut, &error), AIO_ECANCELLED);
    assert_null(error);
    assert_ptr_equal(value, state);
    assert_int_equal(aio_future_set_result(fut, NULL), AIO_EINVALIDSTATE);
    assert_false(aio_future_cancel(fut, NULL));
}

/* S26; after asyncio's test_futures.BaseFutureTests.test_future_cancel_message_getter */
static void message_of_a_cancellation_travels(void **state)
{
    aio_future *fut = future_of(state);
    char message[] = "changed my mind";

    assert_true(aio_future_cancel(fut, message));
    message[0] = 'C'; /* it was copied */
    assert_int_equal(aio_future_result(fut, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "changed my mind");
    assert_int_equal(aio_future_exception(fut, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "changed my mind");
}

static void cancellation_set_as_an_error_is_no_cancellation(void **state)
{
    aio_future *fut = future_of(state);

    fail_with(fut, AIO_ECANCELLED, "not really");
    assert_true(aio_future_done(fut));
    assert_false(aio_future_cancelled(fut));
    assert_int_equal(aio_future_result(fut, NULL), AIO_ECANCELLED);
}

/* --- awaiting ---------------------------------------------------------------------------- */

static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "got it", aio_await(f->subject, ret_result));
}

/* S19 */
static void awaiting_a_done_future_does_not_suspend(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_future_set_result(f->subject, f), 0);
    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", fx_tick);
    fx_step(f);
    fx_assert_trace(f, "A got it, B 0");
    fx_settle(f);
    fx_assert_trace(f, "B 1, B 2");
}

static int cancel_self_and_await(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)aio_task_cancel(aio_current_task(NULL), NULL);
    (void)fx_note_code(f, "done future", aio_await(f->subject, ret_result));
    return fx_note_code(f, "slept", aio_sleep(0));
}

/* S19, S33 */
static void own_cancellation_waits_for_the_next_suspension(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_future_set_result(f->subject, f), 0);
    (void)fx_spawn(f, "A", cancel_self_and_await);
    fx_settle(f);
    fx_assert_trace(f, "A done future, A slept ! CancelledError");
}

/* S24 */
static void tasks_that_await_one_future_wake_in_the_order_they_came(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_subject);
    (void)fx_spawn(f, "C", await_subject);
    fx_settle(f);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_assert_trace(f, ""); /* nobody runs inside the call */
    fx_settle(f);
    fx_assert_trace(f, "A got it, B got it, C got it");
}

/* S24 */
static void cancelling_one_of_those_who_wait_cancels_them_all(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", await_subject);
    aio_task *b = fx_spawn(f, "B", await_subject);

    fx_settle(f);
    assert_true(aio_task_cancel(b, NULL));
    assert_true(aio_future_cancelled(f->subject));
    fx_settle(f);
    fx_assert_trace(f, "A got it ! CancelledError, B got it ! CancelledError");
    /* S38: the count tells who was meant. */
    assert_int_equal(aio_task_cancelling(a), 0);
    assert_int_equal(aio_task_cancelling(b), 1);
}

/* S25 */
static void future_of_another_loop_cannot_be_awaited(void **state)
{
    struct fixture *f = *state;
    aio_loop *other = aio_new_event_loop();
    aio_future *mine = f->subject;
    aio_task *task;

    f->subject = aio_future_new(other);
    task = fx_spawn(f, "A", await_subject);
    fx_settle(f);
    fx_assert_trace(f, "A got it ! RuntimeError");
    assert_int_equal(aio_future_result(task, NULL), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME),
                        "Task got Future attached to a different loop");
    aio_future_unref(f->subject);
    f->subject = mine;
    assert_int_equal(aio_loop_close(other), 0);
    aio_loop_unref(other);
}

static int await_and_drop(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_future *fut = aio_future_new(f->loop);
    int err;

    (void)ret_result;
    f->other = fut;
    err = aio_await(fut, NULL);
    fx_note(f, "code %d", err);
    return err;
}

/* What is awaited is held by the wait. */
static void awaited_future_may_be_dropped_by_all_others(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_and_drop);
    fx_settle(f);
    assert_int_equal(aio_future_set_result(f->other, NULL), 0);
    aio_future_unref(f->other);
    fx_settle(f);
    fx_assert_trace(f, "A code 0");
}

/* --- values and their ends ----------------------------------------------------------------- */

static unsigned destroyed;

static void destroy(void *value)
{
    assert_non_null(value);
    destroyed++;
}

static const aio_type counted = {.destroy = destroy};

static void value_with_a_type_is_destroyed_once_with_its_future(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = aio_future_new(f->loop);

    destroyed = 0;
    assert_int_equal(aio_future_set_result_typed(fut, state, &counted), 0);
    (void)aio_future_ref(fut);
    aio_future_unref(fut);
    assert_int_equal(aio_future_result(fut, NULL), 0);
    assert_int_equal(destroyed, 0);
    aio_future_unref(fut);
    assert_int_equal(destroyed, 1);
}

static void value_that_is_refused_is_still_the_callers(void **state)
{
    struct fixture *f = *state;

    destroyed = 0;
    assert_true(aio_future_cancel(f->subject, NULL));
    assert_int_equal(aio_future_set_result_typed(f->subject, state, &counted), AIO_EINVALIDSTATE);
    assert_int_equal(destroyed, 0);
}

static void null_value_is_not_destroyed(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = aio_future_new(f->loop);

    destroyed = 0;
    assert_int_equal(aio_future_set_result_typed(fut, NULL, &counted), 0);
    aio_future_unref(fut);
    assert_int_equal(destroyed, 0);
}

/* --- errors nobody looked at --------------------------------------------------------------- */

/* S23; after asyncio's test_futures.BaseFutureTests.test_tb_logger_exception_unretrieved */
static void error_that_nobody_looked_at_is_reported(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = aio_future_new(f->loop);

    fail_with(fut, AIO_EVALUE, "bad");
    fx_assert_reports(f, "");
    aio_future_unref(fut);
    fx_assert_reports(f, "Future exception was never retrieved ValueError");
}

/* S22, S23; after asyncio's test_tb_logger_result_retrieved, _exception_retrieved */
static void error_that_somebody_looked_at_is_not_reported(void **state)
{
    struct fixture *f = *state;
    aio_future *by_result = aio_future_new(f->loop);
    aio_future *by_exception = aio_future_new(f->loop);
    aio_future *by_cancel = aio_future_new(f->loop);

    fail_with(by_result, AIO_EVALUE, "bad");
    fail_with(by_exception, AIO_EVALUE, "bad");
    fail_with(by_cancel, AIO_EVALUE, "bad");
    assert_int_equal(aio_future_result(by_result, NULL), AIO_EVALUE);
    assert_int_equal(aio_future_exception(by_exception, NULL), 0);
    assert_false(aio_future_cancel(by_cancel, NULL));
    aio_future_unref(by_result);
    aio_future_unref(by_exception);
    aio_future_unref(by_cancel);
    fx_assert_reports(f, "");
}

/* S23 */
static void only_errors_are_reported(void **state)
{
    struct fixture *f = *state;
    aio_future *pending = aio_future_new(f->loop);
    aio_future *finished = aio_future_new(f->loop);
    aio_future *cancelled = aio_future_new(f->loop);

    assert_int_equal(aio_future_set_result(finished, NULL), 0);
    assert_true(aio_future_cancel(cancelled, NULL));
    aio_future_unref(pending);
    aio_future_unref(finished);
    aio_future_unref(cancelled);
    fx_assert_reports(f, "");
}

static int await_failing_subject(void *arg, void **ret_result)
{
    (void)await_subject(arg, ret_result);
    return 0;
}

static void error_that_an_awaiting_task_got_is_not_reported(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_failing_subject);
    fx_settle(f);
    fail_with(f->subject, AIO_EVALUE, "bad");
    fx_settle(f);
    fx_assert_trace(f, "A got it ! ValueError");
    aio_future_unref(f->subject);
    f->subject = NULL;
    fx_assert_reports(f, "");
}

/* --- as text --------------------------------------------------------------------------------- */

static void assert_text(aio_future *fut, const char *expected)
{
    char text[256];

    assert_int_equal(aio_future_format(fut, text, sizeof(text)), strlen(expected));
    assert_string_equal(text, expected);
    assert_int_equal(aio_future_format(fut, NULL, 0), strlen(expected));
}

static int ignore(aio_future *fut, void *arg)
{
    (void)fut;
    (void)arg;
    return 0;
}

/* After asyncio's test_futures.BaseFutureTests.test_future_repr */
static void future_prints_its_state(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) typed = aio_future_new(f->loop);
    AIO_AUTO(aio_future) untyped = aio_future_new(f->loop);
    AIO_AUTO(aio_future) failed = aio_future_new(f->loop);
    AIO_AUTO(aio_future) bare = aio_future_new(f->loop);
    char text[256];
    char small[10];

    assert_text(f->subject, "<Future pending>");
    assert_int_equal(aio_future_add_done_callback(f->subject, ignore, NULL), 0);
    assert_text(f->subject, "<Future pending cb=[1 waiting]>");
    assert_true(aio_future_cancel(f->subject, NULL));
    assert_text(f->subject, "<Future cancelled>");

    assert_int_equal(
        aio_future_set_result_typed(typed, (void *)(uintptr_t) "text", &aio_type_string), 0);
    assert_text(typed, "<Future finished result='text'>");
    assert_int_equal(aio_future_set_result(untyped, NULL), 0);
    assert_text(untyped, "<Future finished result=None>");
    fail_with(failed, AIO_EVALUE, "bad");
    assert_text(failed, "<Future finished exception=ValueError('bad')>");
    assert_false(aio_future_cancel(failed, NULL));
    assert_int_equal(aio_future_set_error(bare, AIO_ETIMEDOUT), 0);
    assert_text(bare, "<Future finished exception=TimeoutError()>");
    assert_false(aio_future_cancel(bare, NULL));

    /* Cut as snprintf cuts. */
    (void)aio_future_format(typed, text, sizeof(text));
    assert_int_equal(aio_future_format(typed, small, sizeof(small)), strlen(text));
    assert_memory_equal(small, text, sizeof(small) - 1);
    assert_int_equal(small[sizeof(small) - 1], 0);
}

/* --- misuse ---------------------------------------------------------------------------------- */

static void future_needs_a_loop(void **state)
{
    struct fixture *f = *state;

    aio_set_event_loop(NULL);
    assert_null(aio_future_new(NULL));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ENOLOOP);
    aio_set_event_loop(f->loop);
    aio_future_unref(aio_future_new(NULL));
}

/* The constructor's failure comes out wherever its NULL is used. */
static void null_future_gives_the_code_of_what_failed(void **state)
{
    AIO_AUTO(aio_exception) error = make_error(AIO_EVALUE, "");
    struct fixture *f = *state;
    aio_loop *closed = aio_new_event_loop();
    aio_future *fut;

    assert_int_equal(aio_loop_close(closed), 0);
    fut = aio_future_new(closed);
    aio_loop_unref(closed);
    assert_null(fut);
    assert_int_equal(aio_future_set_result(fut, NULL), AIO_ECLOSED);
    assert_int_equal(aio_future_set_result_typed(fut, NULL, NULL), AIO_ECLOSED);
    assert_int_equal(aio_future_set_exception(fut, error), AIO_ECLOSED);
    assert_int_equal(aio_future_set_error(fut, AIO_EVALUE), AIO_ECLOSED);
    assert_int_equal(aio_future_result(fut, NULL), AIO_ECLOSED);
    assert_int_equal(aio_future_exception(fut, NULL), AIO_ECLOSED);
    assert_int_equal(aio_future_add_done_callback(fut, ignore, NULL), AIO_ECLOSED);
    assert_int_equal(aio_future_remove_done_callback(fut, ignore, NULL), 0);
    assert_int_equal(aio_await(fut, NULL), AIO_ECLOSED);
    assert_int_equal(aio_loop_run_until_complete(f->loop, fut, NULL), AIO_ECLOSED);
    assert_int_equal(aio_ensure_future(fut, NULL), AIO_ECLOSED);
    assert_false(aio_future_cancel(fut, NULL));
    assert_true(aio_future_done(fut));
    assert_false(aio_future_cancelled(fut));
    assert_false(aio_future_is_task(fut));
    assert_null(aio_future_get_loop(fut));
    assert_null(aio_future_ref(fut));
    aio_future_unref(fut);
    assert_text(fut, "<Future NULL>");
}

static int await_outside(void *arg)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "await", aio_await(f->subject, NULL));
    return 0;
}

static void future_can_only_be_awaited_in_a_task(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_await(f->subject, NULL), AIO_ENOTASK);
    assert_string_equal(aio_error_text(AIO_ENOTASK), "no running event loop");
    assert_int_equal(aio_loop_call_soon(f->loop, await_outside, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- await ! RuntimeError");
    assert_false(aio_future_done(f->subject));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(future_is_pending_at_first),
        FX_TEST_FUTURE(future_gives_its_value),
        FX_TEST_FUTURE(future_gives_its_error),
        FX_TEST_FUTURE(future_takes_the_code_a_call_returned_with_its_object),
        FX_TEST_FUTURE(future_that_failed_without_an_object_gives_a_bare_one),
        FX_TEST_FUTURE(null_error_counts_as_no_memory),
        FX_TEST_FUTURE(stop_iteration_becomes_a_runtime_error),
        FX_TEST_FUTURE(future_that_is_done_takes_no_other_outcome),
        FX_TEST_FUTURE(cancelled_future_gives_the_cancellation),
        FX_TEST_FUTURE(message_of_a_cancellation_travels),
        FX_TEST_FUTURE(cancellation_set_as_an_error_is_no_cancellation),
        FX_TEST_FUTURE(awaiting_a_done_future_does_not_suspend),
        FX_TEST_FUTURE(own_cancellation_waits_for_the_next_suspension),
        FX_TEST_FUTURE(tasks_that_await_one_future_wake_in_the_order_they_came),
        FX_TEST_FUTURE(cancelling_one_of_those_who_wait_cancels_them_all),
        FX_TEST_FUTURE(future_of_another_loop_cannot_be_awaited),
        FX_TEST_FUTURE(awaited_future_may_be_dropped_by_all_others),
        FX_TEST_FUTURE(value_with_a_type_is_destroyed_once_with_its_future),
        FX_TEST_FUTURE(value_that_is_refused_is_still_the_callers),
        FX_TEST_FUTURE(null_value_is_not_destroyed),
        FX_TEST_FUTURE(error_that_nobody_looked_at_is_reported),
        FX_TEST_FUTURE(error_that_somebody_looked_at_is_not_reported),
        FX_TEST_FUTURE(only_errors_are_reported),
        FX_TEST_FUTURE(error_that_an_awaiting_task_got_is_not_reported),
        FX_TEST_FUTURE(future_prints_its_state),
        FX_TEST_FUTURE(future_needs_a_loop),
        FX_TEST_FUTURE(null_future_gives_the_code_of_what_failed),
        FX_TEST_FUTURE(future_can_only_be_awaited_in_a_task),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
