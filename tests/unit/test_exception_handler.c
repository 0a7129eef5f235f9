/* SPDX-License-Identifier: MIT */
/*
 * test_exception_handler.c - errors that nobody can be told
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* The last report, copied where it would not live. */
struct heard {
    struct fixture *f;
    aio_loop *loop;
    char message[128];
    int code;
    aio_future *future; /* referenced */
    aio_handle *handle; /* only compared */
    const char *source;
    int answer; /* what the handler returns */
    unsigned calls;
};

static int hear(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    struct heard *heard = arg;

    heard->calls++;
    heard->loop = loop;
    (void)strncpy(heard->message, context->message, sizeof(heard->message) - 1);
    heard->code = aio_exception_code(context->error);
    aio_future_unref(heard->future);
    heard->future = aio_future_ref(context->future);
    heard->handle = context->handle;
    heard->source = context->source;
    return heard->answer;
}

static int fail_in_call(void *arg)
{
    (void)arg;
    return aio_raise(AIO_EVALUE, "bad");
}

static int fail_in_done(aio_future *fut, void *arg)
{
    (void)fut;
    (void)arg;
    return aio_raise(AIO_EKEY, "bad");
}

static int fail_in_task(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_EINDEX, "too far");
}

static int note(void *arg)
{
    fx_note(arg, "called");
    return 0;
}

static void listen_to(struct heard *heard, struct fixture *f)
{
    *heard = (struct heard){.f = f};
    aio_loop_set_exception_handler(f->loop, hear, heard);
}

/* S113, S114; after asyncio's
 * test_base_events.BaseEventLoopTests.test_set_exc_handler_custom */
static void handler_is_told_of_an_error_in_a_call(void **state)
{
    struct fixture *f = *state;
    struct heard heard;
    aio_handle *handle = NULL;

    listen_to(&heard, f);
    assert_ptr_equal(aio_loop_get_exception_handler(f->loop), hear);
    assert_int_equal(aio_loop_call_soon(f->loop, fail_in_call, f, &handle), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, note, f, NULL), 0);
    fx_settle(f);
    assert_int_equal(heard.calls, 1);
    assert_ptr_equal(heard.loop, f->loop);
    assert_ptr_equal(heard.handle, handle);
    assert_int_equal(heard.code, AIO_EVALUE);
    assert_null(heard.future);
    assert_string_equal(heard.message, "Exception in callback <Handle fail_in_call()>");
    fx_assert_trace(f, "- called");
    aio_handle_unref(handle);
}

static void handler_is_told_of_an_error_in_a_done_callback(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);
    struct heard heard;

    listen_to(&heard, f);
    assert_int_equal(aio_future_add_done_callback(fut, fail_in_done, NULL), 0);
    assert_int_equal(aio_future_set_result(fut, NULL), 0);
    fx_settle(f);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.code, AIO_EKEY);
    assert_memory_equal(heard.message, "Exception in callback", 21);
}

static void default_handler_logs_message_parts_and_error(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_exception)
    error = aio_exception_new_at(NULL, 0, NULL, AIO_EVALUE, "no such thing");
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);
    aio_exception_context context = {
        .size = sizeof(context),
        .message = "Something went wrong",
        .error = error,
        .future = fut,
        .source = "main.c:12",
    };

    fx_hear(f);
    aio_loop_default_exception_handler(f->loop, &context);
    fx_assert_log(f, "Something went wrong\nfuture: <Future pending>\nsource: main.c:12\n"
                     "ValueError: no such thing");
    aio_loop_set_exception_handler(f->loop, NULL, NULL);
    assert_null(aio_loop_get_exception_handler(f->loop));
    aio_loop_call_exception_handler(f->loop, &context);
    fx_assert_log(f, "Something went wrong\nfuture: <Future pending>\nsource: main.c:12\n"
                     "ValueError: no such thing");
}

static void report_without_a_message_gets_one(void **state)
{
    struct fixture *f = *state;
    aio_exception_context context = {.size = sizeof(context)};

    fx_hear(f);
    aio_loop_default_exception_handler(f->loop, &context);
    fx_assert_log(f, "Unhandled exception in event loop");
}

static void nothing_is_printed_where_nobody_listens(void **state)
{
    struct fixture *f = *state;
    aio_exception_context context = {.size = sizeof(context), .message = "unheard"};

    aio_loop_default_exception_handler(f->loop, &context);
    aio_loop_default_exception_handler(NULL, &context);
}

/* S113; after asyncio's
 * test_base_events.BaseEventLoopTests.test_set_exc_handler_broken */
static void handler_that_fails_is_reported_to_the_default_one(void **state)
{
    struct fixture *f = *state;
    struct heard heard;

    fx_hear(f);
    listen_to(&heard, f);
    heard.answer = AIO_EKEY;
    assert_int_equal(aio_loop_call_soon(f->loop, fail_in_call, f, NULL), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, note, f, NULL), 0);
    fx_settle(f);
    assert_int_equal(heard.calls, 1);
    assert_memory_equal(f->logged, "Unhandled error in exception handler\nhandle: <Handle", 52);
    assert_non_null(strstr(f->logged, "KeyError"));
    fx_assert_trace(f, "- called");
}

/* S113 */
static void handler_may_end_the_run(void **state)
{
    struct fixture *f = *state;
    struct heard heard;

    listen_to(&heard, f);
    heard.answer = AIO_ESYSTEMEXIT;
    assert_int_equal(aio_loop_call_soon(f->loop, fail_in_call, f, NULL), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, note, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_ESYSTEMEXIT);
    fx_assert_trace(f, "");
    fx_settle(f);
    fx_assert_trace(f, "- called");
}

static void handler_may_keep_the_future_it_hears_of(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = aio_future_new(f->loop);
    struct heard heard;

    listen_to(&heard, f);
    (void)aio_raise(AIO_EVALUE, "bad");
    assert_int_equal(aio_future_set_error(fut, AIO_EVALUE), 0);
    aio_future_unref(fut);
    assert_int_equal(heard.calls, 1);
    assert_string_equal(heard.message, "Future exception was never retrieved");
    assert_ptr_equal(heard.future, fut);
    assert_int_equal(aio_future_result(fut, NULL), AIO_EVALUE);
    aio_future_unref(heard.future);
    assert_int_equal(heard.calls, 1);
}

/* --- the context a handler runs in ------------------------------------------------------- */

static aio_contextvar *variable;
static char inside[] = "inside";

static int make_variable(void **state)
{
    if (fx_setup(state) < 0)
        return -1;
    variable = aio_contextvar_new("variable", NULL);
    return variable == NULL ? -1 : 0;
}

static int drop_variable(void **state)
{
    aio_contextvar_unref(variable);
    return fx_teardown(state);
}

static int note_variable(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    void *value = NULL;

    (void)loop;
    (void)context;
    (void)aio_contextvar_get(variable, &value);
    fx_note(arg, "%s", value == NULL ? "unset" : (const char *)value);
    return 0;
}

static int set_and_fail(void *arg)
{
    (void)arg;
    return aio_contextvar_set(variable, inside, NULL) < 0 ? AIO_ENOMEM : AIO_EVALUE;
}

/* S57 */
static void handler_runs_in_the_context_of_the_call(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_exception_handler(f->loop, note_variable, f);
    assert_int_equal(aio_loop_call_soon(f->loop, set_and_fail, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- inside");
}

static int set_and_fail_in_task(void *arg, void **ret_result)
{
    (void)ret_result;
    return set_and_fail(arg);
}

/* S57 */
static void handler_runs_in_the_context_of_the_task(void **state)
{
    struct fixture *f = *state;
    aio_task *task = aio_loop_create_task(f->loop, set_and_fail_in_task, f, NULL);

    aio_loop_set_exception_handler(f->loop, note_variable, f);
    fx_settle(f);
    aio_future_unref(task);
    fx_assert_trace(f, "- inside");
}

/* --- what is reported of tasks ------------------------------------------------------------ */

/* S23 */
static void task_that_failed_unseen_is_reported_when_it_goes(void **state)
{
    struct fixture *f = *state;
    aio_task *task = aio_loop_create_task(f->loop, fail_in_task, f, NULL);
    struct heard heard;

    listen_to(&heard, f);
    fx_settle(f);
    assert_int_equal(heard.calls, 0);
    aio_future_unref(task);
    assert_int_equal(heard.calls, 1);
    assert_string_equal(heard.message, "Task exception was never retrieved");
    assert_int_equal(heard.code, AIO_EINDEX);
    aio_future_unref(heard.future);
}

static int wait_for_ever(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    return aio_await(f->subject, NULL);
}

/* S41 */
static void task_that_is_pending_when_the_loop_is_closed_is_reported(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);
    AIO_AUTO(aio_task) task = NULL;
    struct heard heard;

    f->subject = fut;
    task = aio_loop_create_task(f->loop, wait_for_ever, f, NULL);
    listen_to(&heard, f);
    fx_settle(f);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(heard.calls, 1);
    assert_string_equal(heard.message, "Task was destroyed but it is pending!");
    assert_ptr_equal(heard.future, task);
    assert_int_equal(heard.code, 0);
    aio_future_unref(heard.future);
}

/* --- misuse ---------------------------------------------------------------------------- */

static void handler_functions_take_null(void **state)
{
    struct fixture *f = *state;
    aio_exception_context context = {.size = sizeof(context), .message = "unheard"};

    aio_loop_set_exception_handler(NULL, hear, NULL);
    assert_null(aio_loop_get_exception_handler(NULL));
    aio_loop_call_exception_handler(NULL, &context);
    aio_loop_call_exception_handler(f->loop, NULL);
    fx_hear(f);
    aio_loop_default_exception_handler(f->loop, NULL);
    fx_assert_log(f, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(handler_is_told_of_an_error_in_a_call),
        FX_TEST(handler_is_told_of_an_error_in_a_done_callback),
        FX_TEST(default_handler_logs_message_parts_and_error),
        FX_TEST(report_without_a_message_gets_one),
        FX_TEST(nothing_is_printed_where_nobody_listens),
        FX_TEST(handler_that_fails_is_reported_to_the_default_one),
        FX_TEST(handler_may_end_the_run),
        FX_TEST(handler_may_keep_the_future_it_hears_of),
        cmocka_unit_test_setup_teardown(handler_runs_in_the_context_of_the_call, make_variable,
                                        drop_variable),
        cmocka_unit_test_setup_teardown(handler_runs_in_the_context_of_the_task, make_variable,
                                        drop_variable),
        FX_TEST(task_that_failed_unseen_is_reported_when_it_goes),
        FX_TEST(task_that_is_pending_when_the_loop_is_closed_is_reported),
        FX_TEST(handler_functions_take_null),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
