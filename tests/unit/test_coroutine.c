/* SPDX-License-Identifier: MIT */
/*
 * test_coroutine.c - coroutine objects: made without running, then awaited or made a task
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

static unsigned destroyed;

static void note_destroyed(void *arg)
{
    (void)arg;
    destroyed++;
}

static int setup(void **state)
{
    destroyed = 0;
    return fx_setup(state);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_future_unref(f->subject);
    return fx_teardown(state);
}

static int run(void *arg, void **ret_result)
{
    fx_note(arg, "runs");
    *ret_result = arg;
    return 0;
}

static int sleep_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return fx_note_code(arg, "slept", aio_sleep(1));
}

/* The subject: what the test is about. */
static aio_coroutine *make(struct fixture *f, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.arg_destroy = note_destroyed;
    f->subject = aio_coroutine_new(fn, f, &options);
    assert_non_null(f->subject);
    return f->subject;
}

static const char *state_of(const aio_coroutine *coro)
{
    return aio_coroutine_state_name(aio_coroutine_get_state(coro));
}

/* after Python's test_inspect.TestGetCoroutineState.test_created */
static void coroutine_does_nothing_when_it_is_made(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = make(f, run);

    fx_settle(f);
    fx_assert_trace(f, "");
    assert_string_equal(state_of(coro), "CORO_CREATED");
    assert_true(aio_iscoroutine(coro));
    assert_false(aio_isfuture(coro));
    assert_false(aio_future_is_task(coro));
    assert_int_equal(aio_coroutine_close(coro), 0);
}

static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    fx_note(f, "before %s", state_of(f->subject));
    return fx_note_code(f, "awaited", aio_await(f->subject, ret_result));
}

/* S53: no task of its own */
static void coroutine_that_is_awaited_runs_in_the_awaiting_task(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = make(f, run);
    aio_task *task = fx_spawn(f, "T", await_subject);
    void *value = NULL;

    fx_settle(f);
    fx_assert_trace(f, "T before CORO_CREATED, T runs, T awaited");
    assert_string_equal(state_of(coro), "CORO_CLOSED");
    assert_int_equal(destroyed, 1);
    assert_int_equal(aio_future_result(task, &value), 0);
    assert_ptr_equal(value, f);
}

static int await_twice(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "first", aio_await(f->subject, ret_result));
    (void)fx_note_code(f, "second", aio_await(f->subject, ret_result));
    fx_note(f, "%s", aio_error_text(AIO_ERUNTIME));
    return 0;
}

/* Python: RuntimeError: cannot reuse already awaited coroutine */
static void coroutine_is_awaited_once(void **state)
{
    struct fixture *f = *state;

    (void)make(f, run);
    (void)fx_spawn(f, "T", await_twice);
    fx_settle(f);
    fx_assert_trace(f, "T runs, T first, T second ! RuntimeError, "
                       "T cannot reuse already awaited coroutine");
}

/* Python: RuntimeError: coroutine is being awaited already */
static void coroutine_that_runs_is_neither_awaited_nor_closed(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = make(f, sleep_one);

    (void)fx_spawn(f, "T", await_subject);
    fx_step(f);
    assert_int_equal(aio_coroutine_close(coro), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "coroutine is being awaited already");
    (void)fx_spawn(f, "U", await_subject);
    fx_settle(f);
    assert_non_null(strstr(f->trace, "U awaited ! RuntimeError"));
    assert_non_null(strstr(f->trace, "T awaited"));
    f->used = 0;
    f->trace[0] = '\0';
}

/* after asyncio's test_tasks.BaseTaskTests.test_ensure_future_coroutine */
static void coroutine_becomes_a_task_in_place(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = make(f, sleep_one);

    assert_int_equal(aio_ensure_future(coro, f->loop), 0);
    assert_true(aio_future_is_task(coro));
    assert_true(aio_isfuture(coro));
    assert_false(aio_iscoroutine(coro));
    assert_ptr_equal(aio_future_get_loop(coro), f->loop);
    assert_string_equal(state_of(coro), "CORO_CREATED");
    fx_step(f);
    assert_string_equal(state_of(coro), "CORO_SUSPENDED");
    assert_int_equal(aio_task_set_name(coro, "C"), 0);
    fx_settle(f);
    fx_assert_trace(f, "C slept");
    assert_string_equal(state_of(coro), "CORO_CLOSED");
    assert_int_equal(destroyed, 1);
}

/* after asyncio's test_tasks.BaseTaskTests.test_ensure_future_task, _future */
static void ensure_future_leaves_futures_and_tasks_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct fixture g;
    aio_task *task = fx_spawn(f, "T", run);

    assert_true(fx_open(&g));
    f->subject = aio_future_new(f->loop);
    assert_int_equal(aio_ensure_future(f->subject, NULL), 0);
    assert_int_equal(aio_ensure_future(f->subject, f->loop), 0);
    assert_int_equal(aio_ensure_future(task, f->loop), 0);
    assert_int_equal(aio_ensure_future(f->subject, g.loop), AIO_EVALUE);
    fx_settle(f);
    fx_assert_trace(f, "T runs");
    fx_close(&g);
}

/* after asyncio's test_tasks.BaseTaskTests.test_ensure_future_error_msg */
static void ensure_future_needs_a_loop_for_a_coroutine(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = make(f, run);

    aio_set_event_loop(NULL);
    assert_int_equal(aio_ensure_future(coro, NULL), AIO_ENOLOOP);
    aio_set_event_loop(f->loop);
    assert_true(aio_iscoroutine(coro)); /* as before */
    assert_int_equal(aio_coroutine_close(coro), 0);
}

/* after Python's test_inspect.TestGetCoroutineState.test_closed_after_close */
static void coroutine_that_is_closed_never_runs_and_lets_go_of_its_argument(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = make(f, run);

    assert_int_equal(aio_coroutine_close(coro), 0);
    assert_int_equal(destroyed, 1);
    assert_string_equal(state_of(coro), "CORO_CLOSED");
    assert_int_equal(aio_coroutine_close(coro), 0);
    assert_int_equal(destroyed, 1);
    assert_int_equal(aio_ensure_future(coro, f->loop), AIO_ERUNTIME);
}

static void coroutine_that_is_a_task_is_not_closed(void **state)
{
    struct fixture *f = *state;
    aio_coroutine *coro = make(f, run);

    assert_int_equal(aio_ensure_future(coro, f->loop), 0);
    assert_int_equal(aio_coroutine_close(coro), AIO_ERUNTIME);
    assert_int_equal(aio_task_set_name(coro, "C"), 0);
    fx_settle(f);
    fx_assert_trace(f, "C runs");
}

/* Python: RuntimeWarning: coroutine 'run' was never awaited */
static void coroutine_that_nobody_awaits_is_warned_of(void **state)
{
    struct fixture *f = *state;

    fx_hear(f);
    (void)make(f, run);
    aio_future_unref(f->subject);
    f->subject = NULL;
    fx_assert_log(f, "coroutine 'fn' was never awaited");
    assert_int_equal(destroyed, 1);
}

static int run_subject_until_complete(struct fixture *f, void **ret_value)
{
    return aio_loop_run_until_complete(f->loop, f->subject, ret_value);
}

/* after asyncio's test_base_events.BaseEventLoopWithSelectorTests.test_run_until_complete */
static void coroutine_can_be_run_until_complete(void **state)
{
    struct fixture *f = *state;
    void *value = NULL;

    (void)make(f, run);
    assert_int_equal(aio_task_set_name(f->subject, "C"), AIO_ETYPE); /* no task yet */
    assert_int_equal(run_subject_until_complete(f, &value), 0);
    assert_ptr_equal(value, f);
    f->used = 0;
    f->trace[0] = '\0';
}

static int raise_key_error(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_EKEY, "nothing");
}

static void coroutine_that_fails_gives_its_error_to_who_awaits_it(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)make(f, raise_key_error);
    task = fx_spawn(f, "T", await_subject);
    fx_settle(f);
    fx_assert_trace(f, "T before CORO_CREATED, T awaited ! KeyError");
    assert_int_equal(aio_future_result(task, NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "nothing");
}

/* S31: there is no future in between that could be cancelled. */
static void coroutine_that_is_awaited_gets_the_cancellation_of_the_task(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)make(f, sleep_one);
    task = fx_spawn(f, "T", await_subject);
    fx_step(f);
    (void)aio_task_cancel(task, NULL);
    fx_settle(f);
    fx_assert_trace(f, "T before CORO_CREATED, T slept ! CancelledError, "
                       "T awaited ! CancelledError");
}

static void coroutine_may_start_eagerly_as_a_task(void **state)
{
    struct fixture *f = *state;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.eager_start = AIO_EAGER_YES;
    options.name = "E";
    f->subject = aio_coroutine_new(run, f, &options);
    assert_string_equal(f->trace, "");
    (void)fx_spawn(f, "T", await_subject); /* awaited, it is no task */
    fx_settle(f);
    fx_assert_trace(f, "T before CORO_CREATED, T runs, T awaited");
}

static void coroutine_prints_as_one(void **state)
{
    struct fixture *f = *state;
    char text[200];

    (void)aio_future_format(make(f, run), text, sizeof(text));
    assert_non_null(strstr(text, "coroutine"));
    (void)aio_coroutine_close(f->subject);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    f.subject = aio_coroutine_new(sleep_one, &f, NULL);
    (void)fx_spawn(&f, "T", await_subject);
    fx_settle(&f);
    (void)aio_coroutine_close(f.subject);
    aio_future_unref(f.subject);
    fx_close(&f);
}

static void coroutines_survive_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 3);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(coroutine_does_nothing_when_it_is_made),
        TEST(coroutine_that_is_awaited_runs_in_the_awaiting_task),
        TEST(coroutine_is_awaited_once),
        TEST(coroutine_that_runs_is_neither_awaited_nor_closed),
        TEST(coroutine_becomes_a_task_in_place),
        TEST(ensure_future_leaves_futures_and_tasks_as_they_are),
        TEST(ensure_future_needs_a_loop_for_a_coroutine),
        TEST(coroutine_that_is_closed_never_runs_and_lets_go_of_its_argument),
        TEST(coroutine_that_is_a_task_is_not_closed),
        TEST(coroutine_that_nobody_awaits_is_warned_of),
        TEST(coroutine_can_be_run_until_complete),
        TEST(coroutine_that_fails_gives_its_error_to_who_awaits_it),
        TEST(coroutine_that_is_awaited_gets_the_cancellation_of_the_task),
        TEST(coroutine_may_start_eagerly_as_a_task),
        TEST(coroutine_prints_as_one),
        TEST(coroutines_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
