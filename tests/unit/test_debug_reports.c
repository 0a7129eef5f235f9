/* SPDX-License-Identifier: MIT */
/*
 * test_debug_reports.c - debug mode: where things were made, where tasks are, who calls from where
 */
#include "support/fixture.h"

#include "net/net_internal.h"

#include <aio/aio.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef __clang__
#define CALLED __attribute__((noinline))
#else
#define CALLED __attribute__((noinline, noclone))
#endif

/* What was logged, and the last report's message and source. */
static char logged[8192];
static char message[512];
static char source[4096];
static volatile int work_done;

static void on_log(aio_log_level level, const char *text, void *arg)
{
    size_t used = strlen(logged);

    (void)snprintf(logged + used, sizeof(logged) - used, "%s\n", text);
}

static int on_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    (void)snprintf(message, sizeof(message), "%s", context->message);
    (void)snprintf(source, sizeof(source), "%s", context->source != NULL ? context->source : "-");
    return 0;
}

static int setup(void **state)
{
    struct fixture *f;

    logged[0] = message[0] = source[0] = '\0';
    aio_log_set_handler(on_log, NULL);
    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    aio_loop_set_debug(f->loop, true);
    aio_loop_set_slow_callback_duration(f->loop, 1e9);
    aio_loop_set_exception_handler(f->loop, on_report, NULL);
    return 0;
}

static int teardown(void **state)
{
    int err = fx_teardown(state);

    aio_log_set_handler(NULL, NULL);
    return err;
}

/* --- slow callbacks ----------------------------------------------------------------------- */

static int take_long(void *arg)
{
    return 0;
}

CALLED static int queue_call(struct fixture *f)
{
    int err = aio_loop_call_soon(f->loop, take_long, NULL, NULL);

    work_done++;
    return err;
}

static void slow_call_is_logged_with_its_function_and_where_it_was_made(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_slow_callback_duration(f->loop, 0);
    assert_int_equal(queue_call(f), 0);
    fx_settle(f);
    assert_int_equal(strncmp(logged, "Executing <Handle take_long()> took 0.", 38), 0);
    assert_non_null(strstr(logged, " seconds\nObject created at (most recent call last):\n"));
    assert_non_null(strstr(logged, "\n  queue_call (test_debug_reports+0x"));
}

CALLED static int wait_inside(struct fixture *f)
{
    int err = aio_await(f->subject, NULL);

    work_done++;
    return err;
}

CALLED static int wait_for_subject(void *arg, void **ret_result)
{
    int err = wait_inside(arg);

    work_done++;
    return err;
}

static void slow_step_of_a_task_is_logged_with_where_the_task_is(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);

    f->subject = fut;
    aio_loop_set_slow_callback_duration(f->loop, 0);
    fx_spawn(f, "A", wait_for_subject);
    fx_settle(f);
    assert_int_equal(strncmp(logged, "Executing <Task pending name='A' coro=<", 39), 0);
    assert_non_null(strstr(logged, "fixture.c:"));
    assert_non_null(strstr(logged, " wait_for=<Future"));
    assert_non_null(
        strstr(logged, "; now it waits in (most recent call last):\n  wait_for_subject"));
    assert_non_null(strstr(logged, "\n  wait_inside (test_debug_reports+0x"));

    logged[0] = '\0';
    assert_int_equal(aio_future_set_result(fut, NULL), 0);
    fx_settle(f);
    assert_int_equal(strncmp(logged, "Executing <Task finished name='A'", 33), 0);
    assert_null(strstr(logged, "waits"));
}

static void what_is_not_slow_is_not_logged(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", fx_tick);
    assert_int_equal(queue_call(f), 0);
    fx_settle(f);
    assert_string_equal(logged, "");
    fx_assert_trace(f, "A 0, A 1, A 2");
}

/* --- where things were made --------------------------------------------------------------- */

CALLED static aio_future *make_future(struct fixture *f)
{
    aio_future *fut = aio_future_new(f->loop);

    work_done++;
    return fut;
}

static void error_that_nobody_looked_at_is_reported_with_where_its_future_was_made(void **state)
{
    aio_future *fut = make_future(*state);

    assert_int_equal(aio_future_set_error(fut, aio_raise(AIO_EVALUE, "no")), 0);
    aio_future_unref(fut);
    assert_string_equal(message, "Future exception was never retrieved");
    assert_int_equal(strncmp(source, "Object created at (most recent call last):\n  ", 45), 0);
    assert_non_null(strstr(source, "\n  make_future (test_debug_reports+0x"));
    assert_null(strstr(source, "aio__"));
}

static int wait_for_ever(void *arg, void **ret_result)
{
    return aio_sleep(AIO_FOREVER);
}

CALLED static aio_task *make_task(struct fixture *f)
{
    aio_task *task = aio_loop_create_task(f->loop, wait_for_ever, f, NULL);

    work_done++;
    return task;
}

static void pending_task_is_reported_with_where_it_was_made(void **state)
{
    struct fixture *f = *state;
    aio_task *task = make_task(f);

    fx_settle(f);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_string_equal(message, "Task was destroyed but it is pending!");
    assert_non_null(strstr(source, "\n  make_task (test_debug_reports+0x"));
    aio_future_unref(task);
}

static void pending_task_is_reported_with_its_line_without_debug_mode(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    aio_loop_set_debug(f->loop, false);
    task = make_task(f);
    fx_settle(f);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_string_equal(message, "Task was destroyed but it is pending!");
    assert_non_null(strstr(source, "test_debug_reports.c:"));
    assert_null(strstr(source, "\n"));
    aio_future_unref(task);
}

static void future_has_no_source_without_debug_mode(void **state)
{
    struct fixture *f = *state;
    aio_future *fut;

    aio_loop_set_debug(f->loop, false);
    fut = make_future(f);
    assert_int_equal(aio_future_set_error(fut, AIO_EVALUE), 0);
    aio_future_unref(fut);
    assert_string_equal(source, "-");
}

CALLED static int make_it_a_task(aio_coroutine *coro, aio_loop *loop)
{
    int err = aio_ensure_future(coro, loop);

    work_done++;
    return err;
}

static void coroutine_object_that_became_a_task_knows_where(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = aio_coroutine_new(wait_for_ever, f, NULL);

    assert_int_equal(make_it_a_task(coro, f->loop), 0);
    fx_settle(f);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_non_null(strstr(source, "\n  make_it_a_task (test_debug_reports+0x"));
    aio_future_unref(coro);
}

static int go_wrong(void *arg)
{
    return aio_raise(AIO_EVALUE, "no");
}

/* What Python does with the depth of origin tracking that debug mode sets */
CALLED static int make_and_forget(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    aio_future_unref(aio_coroutine_new(make_and_forget, NULL, NULL));
    return 0;
}

static void coroutine_that_nobody_awaited_is_logged_with_where_it_was_made(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", make_and_forget);
    fx_settle(f);
    assert_non_null(strstr(logged, "coroutine 'make_and_forget' was never awaited\n"
                                   "Coroutine created at (most recent call last):\n"));
    assert_non_null(strstr(logged, "  make_and_forget ("));
}

static void failing_call_is_reported_with_its_function_and_where_it_was_made(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_later(f->loop, 1, go_wrong, NULL, NULL), 0);
    fx_settle(f);
    assert_string_equal(message, "Exception in callback <TimerHandle when=1 go_wrong()>");
    assert_non_null(strstr(source, "aio_loop_call_later ("));
}

static int go_down(struct fixture *f, int levels);

CALLED static int go_further_down(struct fixture *f, int levels)
{
    int err = go_down(f, levels - 1);

    work_done++;
    return err;
}

CALLED static int go_down(struct fixture *f, int levels)
{
    aio_future *fut;
    int err;

    if (levels > 0)
        return go_further_down(f, levels) | work_done++ >> 31;
    fut = make_future(f);
    err = aio_future_set_error(fut, AIO_EVALUE);
    aio_future_unref(fut);
    return err;
}

/* asyncio.constants.DEBUG_STACK_DEPTH */
static void source_shows_ten_calls_at_most(void **state)
{
    int lines = 0;

    assert_int_equal(go_down(*state, 30), 0);
    for (const char *at = source; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_in_range(lines, 8, 10);
}

static void default_handler_logs_the_source(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = make_future(f);

    aio_loop_set_exception_handler(f->loop, NULL, NULL);
    assert_int_equal(aio_future_set_error(fut, AIO_EVALUE), 0);
    aio_future_unref(fut);
    assert_non_null(strstr(logged, "Future exception was never retrieved\n"));
    assert_non_null(strstr(logged, "\nsource: Object created at (most recent call last):\n"));
}

static void thousand_futures_are_told_apart(void **state)
{
    enum { MANY = 1000 };
    aio_future *futures[MANY];

    for (int i = 0; i < MANY; i++)
        futures[i] = make_future(*state);
    for (int i = 0; i < MANY; i++) {
        source[0] = '\0';
        assert_int_equal(aio_future_set_error(futures[i], AIO_EVALUE), 0);
        aio_future_unref(futures[i]);
        assert_non_null(strstr(source, "\n  make_future ("));
    }
}

static void run_short_of_memory(void *arg)
{
    struct fixture *f = arg;
    aio_future *fut = make_future(f);

    (void)queue_call(f);
    if (fut != NULL)
        (void)aio_future_set_error(fut, AIO_EVALUE);
    aio_future_unref(fut);
    aio_future_unref(aio_loop_create_task(f->loop, fx_tick, f, NULL));
    fx_settle(f);
    f->used = 0;
}

static void debug_mode_survives_shortages(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_slow_callback_duration(f->loop, 0);
    run_short_of_memory(f); /* fills what is kept: the table of origins */
    assert_int_not_equal(with_each_allocation_failing(run_short_of_memory, f), 0);
}

/* --- threads ------------------------------------------------------------------------------ */

static int on_done(aio_future *fut, void *arg)
{
    return 0;
}

/* In another thread, while the loop's waits inside a callback. */
static void *meddle(void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(aio_loop_call_soon(f->loop, take_long, NULL, NULL), AIO_ERUNTIME);
    assert_int_equal(aio_loop_call_later(f->loop, 1, take_long, NULL, NULL), AIO_ERUNTIME);
    assert_int_equal(aio_loop_call_at(f->loop, 1, take_long, NULL, NULL), AIO_ERUNTIME);
    assert_int_equal(aio_future_set_result(f->subject, NULL), AIO_ERUNTIME);
    assert_int_equal(aio_future_set_error(f->subject, AIO_EVALUE), AIO_ERUNTIME);
    assert_int_equal(aio_future_add_done_callback(f->subject, on_done, NULL), AIO_ERUNTIME);
    assert_false(aio_future_cancel(f->subject, NULL));
    assert_int_equal(aio_loop_call_soon_threadsafe(f->loop, take_long, NULL, NULL), 0);
    return NULL;
}

static int let_a_thread_meddle(void *arg)
{
    struct fixture *f = arg;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, meddle, f), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fx_note(f, "meddled");
    return 0;
}

/* S116 */
static void other_threads_are_refused_what_is_not_for_them(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);

    f->subject = fut;
    assert_int_equal(aio_loop_call_soon(f->loop, let_a_thread_meddle, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- meddled");
    assert_false(aio_future_done(fut));
    assert_int_equal(aio_future_set_result(fut, NULL), 0);
}

/* --- what is left open -------------------------------------------------------------------- */

static void end_nothing(struct aio__net_object *object)
{
    (void)object;
}

static void connection_left_open_is_logged(void **state)
{
    struct fixture *f = *state;
    struct aio__net_object object = {.end = end_nothing};
    struct aio__net *net = aio__net_get(f->loop);

    assert_non_null(net);
    aio__list_append(&net->open, &object.link);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(strncmp(logged, "unclosed transport or server ", 29), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(slow_call_is_logged_with_its_function_and_where_it_was_made),
        CASE(slow_step_of_a_task_is_logged_with_where_the_task_is),
        CASE(what_is_not_slow_is_not_logged),
        CASE(error_that_nobody_looked_at_is_reported_with_where_its_future_was_made),
        CASE(pending_task_is_reported_with_where_it_was_made),
        CASE(pending_task_is_reported_with_its_line_without_debug_mode),
        CASE(future_has_no_source_without_debug_mode),
        CASE(coroutine_object_that_became_a_task_knows_where),
        CASE(coroutine_that_nobody_awaited_is_logged_with_where_it_was_made),
        CASE(failing_call_is_reported_with_its_function_and_where_it_was_made),
        CASE(source_shows_ten_calls_at_most),
        CASE(default_handler_logs_the_source),
        CASE(thousand_futures_are_told_apart),
        CASE(debug_mode_survives_shortages),
        CASE(other_threads_are_refused_what_is_not_for_them),
        CASE(connection_left_open_is_logged),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
