/* SPDX-License-Identifier: MIT */
/*
 * test_future_callback.c - what is called when a future is done
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* The fixture that a plain `const char *` argument speaks to. */
static struct fixture *here;

static int note(aio_future *fut, void *arg)
{
    fx_note(here, "%s%s", (const char *)arg, aio_future_done(fut) ? "" : " too early");
    return 0;
}

static char a[] = "a", b[] = "b", c[] = "c";

static void add(struct fixture *f, aio_done_fn fn, void *arg)
{
    here = f;
    assert_int_equal(aio_future_add_done_callback(f->subject, fn, arg), 0);
}

static void finish(struct fixture *f)
{
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
}

/* S16 */
static void callbacks_are_queued_in_the_order_added(void **state)
{
    struct fixture *f = *state;

    add(f, note, a);
    add(f, note, b);
    add(f, note, c);
    fx_settle(f);
    fx_assert_trace(f, "");
    finish(f);
    fx_assert_trace(f, ""); /* never inside the call that finishes it */
    fx_settle(f);
    fx_assert_trace(f, "- a, - b, - c");
    fx_settle(f);
    fx_assert_trace(f, "");
}

/* S16 */
static void callbacks_run_however_the_future_ends(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) failed = aio_future_new(f->loop);
    AIO_AUTO(aio_future) cancelled = aio_future_new(f->loop);

    here = f;
    assert_int_equal(aio_future_add_done_callback(failed, note, a), 0);
    assert_int_equal(aio_future_add_done_callback(cancelled, note, b), 0);
    assert_int_equal(aio_future_set_error(failed, AIO_EVALUE), 0);
    assert_true(aio_future_cancel(cancelled, NULL));
    fx_settle(f);
    fx_assert_trace(f, "- a, - b");
    assert_int_equal(aio_future_result(failed, NULL), AIO_EVALUE);
}

static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "woken", aio_await(f->subject, ret_result));
}

/* S16, S24 */
static void callbacks_and_tasks_wait_in_one_line(void **state)
{
    struct fixture *f = *state;

    add(f, note, a);
    (void)fx_spawn(f, "T", await_subject);
    fx_settle(f);
    add(f, note, b);
    (void)fx_spawn(f, "U", await_subject);
    fx_settle(f);
    add(f, note, c);
    finish(f);
    fx_settle(f);
    fx_assert_trace(f, "- a, T woken, - b, U woken, - c");
}

/* S17 */
static void callback_added_to_a_done_future_is_queued_too(void **state)
{
    struct fixture *f = *state;

    finish(f);
    add(f, note, a);
    fx_assert_trace(f, "");
    fx_step(f);
    fx_assert_trace(f, "- a");
}

static void callback_may_be_added_several_times(void **state)
{
    struct fixture *f = *state;

    add(f, note, a);
    add(f, note, a);
    finish(f);
    fx_settle(f);
    fx_assert_trace(f, "- a, - a");
}

/* S18; after asyncio's test_futures.BaseFutureDoneCallbackTests.test_remove_done_callback */
static void removing_takes_every_equal_pair(void **state)
{
    struct fixture *f = *state;

    add(f, note, a);
    add(f, note, b);
    add(f, note, a);
    add(f, note, c);
    add(f, note, a);
    assert_int_equal(aio_future_remove_done_callback(f->subject, note, a), 3);
    assert_int_equal(aio_future_remove_done_callback(f->subject, note, a), 0);
    finish(f);
    fx_settle(f);
    fx_assert_trace(f, "- b, - c");
}

/* S18 */
static void callback_that_is_queued_cannot_be_removed(void **state)
{
    struct fixture *f = *state;

    add(f, note, a);
    finish(f);
    assert_int_equal(aio_future_remove_done_callback(f->subject, note, a), 0);
    fx_settle(f);
    fx_assert_trace(f, "- a");
}

static void removing_all_leaves_tasks_waiting(void **state)
{
    struct fixture *f = *state;

    add(f, note, a);
    (void)fx_spawn(f, "T", await_subject);
    fx_settle(f);
    add(f, note, a);
    assert_int_equal(aio_future_remove_done_callback(f->subject, note, a), 2);
    finish(f);
    fx_settle(f);
    fx_assert_trace(f, "T woken");
}

static int add_another(aio_future *fut, void *arg)
{
    (void)note(fut, arg);
    return aio_future_add_done_callback(fut, note, b);
}

static void callback_may_add_another_which_runs_an_iteration_later(void **state)
{
    struct fixture *f = *state;

    add(f, add_another, a);
    finish(f);
    fx_step(f);
    fx_assert_trace(f, "- a");
    fx_step(f);
    fx_assert_trace(f, "- b");
}

static int drop_last_reference(aio_future *fut, void *arg)
{
    struct fixture *f = arg;

    aio_future_unref(f->subject);
    f->subject = NULL;
    fx_note(f, "still there, %s", aio_future_done(fut) ? "done" : "pending");
    return 0;
}

/* A callback that is queued holds its future. */
static void callback_may_drop_the_last_reference(void **state)
{
    struct fixture *f = *state;

    add(f, drop_last_reference, f);
    finish(f);
    fx_settle(f);
    fx_assert_trace(f, "- still there, done");
}

static void future_that_is_dropped_while_pending_calls_nobody(void **state)
{
    struct fixture *f = *state;

    add(f, note, a);
    add(f, note, b);
    aio_future_unref(f->subject);
    f->subject = NULL;
    fx_settle(f);
    fx_assert_trace(f, "");
}

static void callback_is_needed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_future_add_done_callback(f->subject, NULL, f), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "no callback given");
    assert_int_equal(aio_future_remove_done_callback(f->subject, NULL, f), 0);
}

/* --- contexts ------------------------------------------------------------------------------ */

static aio_contextvar *variable;
static char early[] = "early", late[] = "late";

static int note_variable(aio_future *fut, void *arg)
{
    void *value = NULL;

    (void)fut;
    (void)aio_contextvar_get(variable, &value);
    fx_note(arg, "%s", value == NULL ? "unset" : (const char *)value);
    return 0;
}

static int register_and_change(void *arg)
{
    struct fixture *f = arg;

    if (aio_contextvar_set(variable, early, NULL) < 0 ||
        aio_future_add_done_callback(f->subject, note_variable, f) < 0)
        return AIO_ENOMEM;
    return aio_contextvar_set(variable, late, NULL);
}

/* S17, S51 */
static void callback_runs_in_the_context_it_was_added_in(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_context) context = aio_context_new();

    variable = aio_contextvar_new("variable", NULL);
    assert_int_equal(aio_context_run(context, register_and_change, f), 0);
    finish(f);
    fx_settle(f);
    fx_assert_trace(f, "- early");
    aio_contextvar_unref(variable);
}

static int set_and_note(aio_future *fut, void *arg)
{
    (void)note_variable(fut, arg);
    return aio_contextvar_set(variable, late, NULL);
}

/* S51; after asyncio's test_futures.BaseFutureDoneCallbackTests.test_add_done_callback_context */
static void callback_may_be_given_a_context_which_is_shared(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_context) context = aio_context_new();
    void *value = NULL;

    variable = aio_contextvar_new("variable", NULL);
    assert_int_equal(aio_future_add_done_callback_in(f->subject, context, set_and_note, f), 0);
    assert_int_equal(aio_future_add_done_callback_in(f->subject, context, note_variable, f), 0);
    assert_int_equal(aio_future_add_done_callback_in(f->subject, NULL, note_variable, f), 0);
    finish(f);
    fx_settle(f);
    fx_assert_trace(f, "- unset, - late, - unset");
    assert_true(aio_context_get(context, variable, &value));
    assert_ptr_equal(value, late);
    aio_contextvar_unref(variable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(callbacks_are_queued_in_the_order_added),
        FX_TEST_FUTURE(callbacks_run_however_the_future_ends),
        FX_TEST_FUTURE(callbacks_and_tasks_wait_in_one_line),
        FX_TEST_FUTURE(callback_added_to_a_done_future_is_queued_too),
        FX_TEST_FUTURE(callback_may_be_added_several_times),
        FX_TEST_FUTURE(removing_takes_every_equal_pair),
        FX_TEST_FUTURE(callback_that_is_queued_cannot_be_removed),
        FX_TEST_FUTURE(removing_all_leaves_tasks_waiting),
        FX_TEST_FUTURE(callback_may_add_another_which_runs_an_iteration_later),
        FX_TEST_FUTURE(callback_may_drop_the_last_reference),
        FX_TEST_FUTURE(future_that_is_dropped_while_pending_calls_nobody),
        FX_TEST_FUTURE(callback_is_needed),
        FX_TEST_FUTURE(callback_runs_in_the_context_it_was_added_in),
        FX_TEST_FUTURE(callback_may_be_given_a_context_which_is_shared),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
