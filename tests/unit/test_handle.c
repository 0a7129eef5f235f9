/* SPDX-License-Identifier: MIT */
/*
 * test_handle.c - calls that can be taken back
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int note(void *arg)
{
    fx_note(arg, "called");
    return 0;
}

static int cancel_subject(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "cancels");
    aio_handle_cancel(f->subject);
    return 0;
}

/* S6; after asyncio's test_events.HandleTests.test_cancel */
static void cancelled_call_does_not_run(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) handle = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, note, f, &handle), 0);
    assert_false(aio_handle_cancelled(handle));
    aio_handle_cancel(handle);
    assert_true(aio_handle_cancelled(handle));
    aio_handle_cancel(handle);
    fx_settle(f);
    fx_assert_trace(f, "");
}

/* S6 */
static void call_is_cancelled_by_an_earlier_one_of_its_batch(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) handle = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, cancel_subject, f, NULL), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, note, f, &handle), 0);
    f->subject = handle;
    fx_settle(f);
    fx_assert_trace(f, "- cancels");
}

/* S6 */
static void timer_is_cancelled_by_one_that_is_due_with_it(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) handle = NULL;

    assert_int_equal(aio_loop_call_at(f->loop, 5, cancel_subject, f, NULL), 0);
    assert_int_equal(aio_loop_call_at(f->loop, 5, note, f, &handle), 0);
    f->subject = handle;
    fx_settle(f);
    fx_assert_trace(f, "- cancels");
}

static int note_own_state(void *arg)
{
    struct fixture *f = arg;

    aio_handle_cancel(f->subject);
    fx_note(f, "cancelled %d", aio_handle_cancelled(f->subject));
    return 0;
}

static void call_that_cancels_itself_has_run(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) handle = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, note_own_state, f, &handle), 0);
    f->subject = handle;
    fx_settle(f);
    fx_assert_trace(f, "- cancelled 1");
}

static void handle_shows_that_it_was_cancelled_though_its_call_has_run(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) handle = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, note, f, &handle), 0);
    fx_settle(f);
    fx_assert_trace(f, "- called");
    assert_false(aio_handle_cancelled(handle));
    aio_handle_cancel(handle);
    assert_true(aio_handle_cancelled(handle));
}

static void handle_may_be_dropped_before_its_call(void **state)
{
    struct fixture *f = *state;
    aio_handle *handle = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, note, f, &handle), 0);
    aio_handle_unref(aio_handle_ref(handle));
    aio_handle_unref(handle);
    fx_settle(f);
    fx_assert_trace(f, "- called");
}

/* After asyncio's test_events.TimerTests.test_when */
static void handle_tells_when_it_is_due(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) plain = NULL;
    AIO_AUTO(aio_handle) timer = NULL;
    AIO_AUTO(aio_handle) never = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, note, f, &plain), 0);
    assert_int_equal(aio_loop_call_at(f->loop, 1.5, note, f, &timer), 0);
    assert_int_equal(aio_loop_call_later(f->loop, AIO_FOREVER, note, f, &never), 0);
    assert_true(isnan(aio_handle_when(plain)));
    assert_true(aio_handle_when(timer) == 1.5);
    assert_true(aio_handle_when(never) == AIO_FOREVER);
    fx_settle(f);
    fx_assert_trace(f, "- called, - called");
    /* The call is over, and the handle still tells. */
    assert_true(aio_handle_when(timer) == 1.5);
    aio_handle_cancel(never);
}

/* After asyncio's test_events.HandleTests.test_handle_repr */
static void handle_prints_kind_deadline_and_state(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) plain = NULL;
    AIO_AUTO(aio_handle) timer = NULL;
    const char *expected = "<TimerHandle cancelled when=1.5 note()>";
    char text[128];

    assert_int_equal(aio_loop_call_soon(f->loop, note, f, &plain), 0);
    assert_int_equal(aio_loop_call_at(f->loop, 1.5, note, f, &timer), 0);
    assert_int_equal(aio_handle_format(plain, text, sizeof(text)), strlen("<Handle note()>"));
    assert_string_equal(text, "<Handle note()>");
    aio_handle_cancel(timer);
    assert_int_equal(aio_handle_format(timer, text, sizeof(text)), strlen(expected));
    assert_string_equal(text, expected);
    /* As snprintf: cut, but told how long it would have been. */
    assert_int_equal(aio_handle_format(timer, text, 4), strlen(expected));
    assert_string_equal(text, "<Ti");
    assert_int_equal(aio_handle_format(timer, NULL, 0), strlen(expected));
}

/* --- contexts -------------------------------------------------------------------------- */

static unsigned destroyed;

static void count_destroyed(void *value)
{
    (void)value;
    destroyed++;
}

static const aio_type counted = {.destroy = count_destroyed};

static aio_contextvar *variable;

static int make_variable(void **state)
{
    if (fx_setup(state) < 0)
        return -1;
    destroyed = 0;
    variable = aio_contextvar_new("variable", &counted);
    return variable == NULL ? -1 : 0;
}

static int drop_variable(void **state)
{
    aio_contextvar_unref(variable);
    return fx_teardown(state);
}

static int note_variable(void *arg)
{
    struct fixture *f = arg;
    void *value = NULL;

    if (aio_contextvar_get(variable, &value) == 0)
        fx_note(f, "%s", (const char *)value);
    else
        fx_note(f, "unset");
    return 0;
}

static char text_one[] = "one", text_two[] = "two";

static int set_one(void *arg)
{
    (void)arg;
    return aio_contextvar_set(variable, text_one, NULL);
}

static int set_one_and_call(void *arg)
{
    struct fixture *f = arg;
    aio_handle *handle = NULL;

    if (set_one(f) < 0 || aio_loop_call_soon(f->loop, note_variable, f, &handle) < 0)
        return AIO_ENOMEM;
    f->subject = handle;
    return aio_contextvar_set(variable, text_two, NULL);
}

/* S51 */
static void call_runs_in_the_context_of_the_moment_it_was_made(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_context) context = aio_context_new();

    assert_int_equal(aio_context_run(context, set_one_and_call, f), 0);
    fx_settle(f);
    fx_assert_trace(f, "- one");
    aio_handle_unref(f->subject);
}

/* S6, S51 */
static void cancelling_lets_go_of_the_context_at_once(void **state)
{
    struct fixture *f = *state;
    aio_context *context = aio_context_new();

    assert_int_equal(aio_context_run(context, set_one_and_call, f), 0);
    aio_context_unref(context);
    assert_int_equal(destroyed, 1); /* "two", which nobody sees any more */
    assert_non_null(aio_handle_context(f->subject));
    aio_handle_cancel(f->subject);
    assert_int_equal(destroyed, 2);
    assert_null(aio_handle_context(f->subject));
    aio_handle_unref(f->subject);
}

/* S51 */
static void call_may_be_given_a_context_which_is_shared(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_context) context = aio_context_new();
    AIO_AUTO(aio_handle) first = NULL;
    AIO_AUTO(aio_handle) second = NULL;
    AIO_AUTO(aio_handle) third = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, set_one, f, &first), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, note_variable, f, &second), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, note_variable, f, &third), 0);
    aio_handle_set_context(first, context);
    aio_handle_set_context(second, context);
    assert_ptr_equal(aio_handle_context(first), context);
    fx_settle(f);
    fx_assert_trace(f, "- one, - unset");
    /* Over: nothing can be changed any more. */
    aio_handle_set_context(first, context);
    assert_null(aio_handle_context(first));
}

/* --- misuse ---------------------------------------------------------------------------- */

static void handle_functions_take_null(void **state)
{
    char text[32];

    (void)state;
    assert_null(aio_handle_ref(NULL));
    aio_handle_unref(NULL);
    aio_handle_cancel(NULL);
    assert_false(aio_handle_cancelled(NULL));
    assert_true(isnan(aio_handle_when(NULL)));
    aio_handle_set_context(NULL, NULL);
    assert_null(aio_handle_context(NULL));
    assert_int_equal(aio_handle_format(NULL, text, sizeof(text)), strlen("<Handle NULL>"));
    assert_string_equal(text, "<Handle NULL>");
}

static void null_context_for_a_call_changes_nothing(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_context) context = aio_context_new();

    assert_int_equal(aio_context_run(context, set_one_and_call, f), 0);
    aio_handle_set_context(f->subject, NULL);
    fx_settle(f);
    fx_assert_trace(f, "- one");
    aio_handle_unref(f->subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(cancelled_call_does_not_run),
        FX_TEST(call_is_cancelled_by_an_earlier_one_of_its_batch),
        FX_TEST(timer_is_cancelled_by_one_that_is_due_with_it),
        FX_TEST(call_that_cancels_itself_has_run),
        FX_TEST(handle_shows_that_it_was_cancelled_though_its_call_has_run),
        FX_TEST(handle_may_be_dropped_before_its_call),
        FX_TEST(handle_tells_when_it_is_due),
        FX_TEST(handle_prints_kind_deadline_and_state),
        cmocka_unit_test_setup_teardown(call_runs_in_the_context_of_the_moment_it_was_made,
                                        make_variable, drop_variable),
        cmocka_unit_test_setup_teardown(cancelling_lets_go_of_the_context_at_once, make_variable,
                                        drop_variable),
        cmocka_unit_test_setup_teardown(call_may_be_given_a_context_which_is_shared, make_variable,
                                        drop_variable),
        FX_TEST(handle_functions_take_null),
        cmocka_unit_test_setup_teardown(null_context_for_a_call_changes_nothing, make_variable,
                                        drop_variable),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
