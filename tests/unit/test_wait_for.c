/* SPDX-License-Identifier: MIT */
/*
 * test_wait_for.c - waiting for one future, but no longer than a timeout
 */
#include "support/fixture.h"

#include <aio/aio.h>

static double limit;

static int setup(void **state)
{
    limit = 1;
    return fx_setup_future(state);
}

/* The subject becomes what the test waits for. */
static void watch(struct fixture *f, aio_future *fut)
{
    aio_future_unref(f->subject);
    f->subject = fut;
}

static int wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "waited", aio_wait_for(f->subject, limit, ret_result));
}

static void wait_for_gives_the_result_that_comes_in_time(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", wait);
    void *value = NULL;

    fx_step(f);
    assert_int_equal(aio_future_set_result(f->subject, f), 0);
    fx_settle(f);
    fx_assert_trace(f, "T waited");
    assert_int_equal(aio_future_result(task, &value), 0);
    assert_ptr_equal(value, f);
}

/* S66; after asyncio's test_waitfor.AsyncioWaitForTest.test_wait_for_blocking_with_timeout */
static void wait_for_cancels_what_does_not_come_in_time(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", wait);

    fx_settle(f);
    fx_assert_trace(f, "T waited ! TimeoutError");
    assert_true(aio_future_cancelled(f->subject));
    assert_int_equal(aio_future_result(task, NULL), AIO_ETIMEDOUT);
}

static int run(void *arg, void **ret_result)
{
    fx_note(arg, "runs");
    *ret_result = arg;
    return 0;
}

/* S64; after asyncio's test_waitfor.AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0 */
static void wait_for_no_time_never_starts_a_coroutine(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    watch(f, aio_coroutine_new(run, f, NULL));
    limit = 0;
    task = fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "T waited ! TimeoutError");
    assert_true(aio_future_cancelled(f->subject));
    assert_int_equal(aio_future_result(task, NULL), AIO_ETIMEDOUT);
}

/* S64; after asyncio's test_waitfor.AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0_future_done */
static void wait_for_no_time_gives_what_is_done(void **state)
{
    struct fixture *f = *state;
    aio_task *task;
    void *value = NULL;

    assert_int_equal(aio_future_set_result(f->subject, f), 0);
    limit = -1;
    task = fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "T waited");
    assert_int_equal(aio_future_result(task, &value), 0);
    assert_ptr_equal(value, f);
}

/* S64 */
static void wait_for_no_time_cancels_what_is_not_done(void **state)
{
    struct fixture *f = *state;

    limit = 0;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "T waited ! TimeoutError");
    assert_true(aio_future_cancelled(f->subject));
}

static int note_task(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    fx_note(f, "runs");
    return fx_note_code(f, "slept", aio_sleep(10));
}

/* S65: the name is the waiting task's. */
static void wait_for_runs_a_coroutine_object_in_the_waiting_task(void **state)
{
    struct fixture *f = *state;

    watch(f, aio_coroutine_new(note_task, f, NULL));
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "T runs, T slept ! CancelledError, T waited ! TimeoutError");
}

static int die_slowly(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_sleep(100);

    (void)ret_result;
    (void)aio_sleep(5);
    fx_note(f, "dies");
    return err;
}

/* S65; after asyncio's test_waitfor.AsyncioWaitForTest.test_wait_for_waits_for_task_cancellation */
static void wait_for_returns_only_when_the_task_has_ended(void **state)
{
    struct fixture *f = *state;
    double start = aio_loop_time(f->loop);

    watch(f, aio_future_ref(fx_spawn(f, "slow", die_slowly)));
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "slow dies, T waited ! TimeoutError");
    assert_true(aio_loop_time(f->loop) - start >= 6);
}

static int give_when_cancelled(void *arg, void **ret_result)
{
    (void)aio_sleep(100);
    *ret_result = arg;
    return 0;
}

/* S66; after asyncio's test_waitfor.AsyncioWaitForTest.test_wait_for_suppress_... */
static void wait_for_gives_the_value_of_a_task_that_swallows_the_timeout(void **state)
{
    struct fixture *f = *state;
    aio_task *task;
    void *value = NULL;

    watch(f, aio_future_ref(fx_spawn(f, "stubborn", give_when_cancelled)));
    task = fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "T waited");
    assert_int_equal(aio_future_result(task, &value), 0);
    assert_ptr_equal(value, f);
}

static int fail_when_cancelled(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)aio_sleep(100);
    return aio_raise(AIO_EKEY, "nothing");
}

/* S66; after asyncio's test_waitfor.AsyncioWaitForTest.test_wait_for_reraises_exception_during_cancellation */
static void wait_for_gives_the_error_of_a_task_that_fails_at_the_timeout(void **state)
{
    struct fixture *f = *state;

    watch(f, aio_future_ref(fx_spawn(f, "stubborn", fail_when_cancelled)));
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "T waited ! KeyError");
}

static int cancel_it(void *arg)
{
    (void)aio_task_cancel(arg, NULL);
    return 0;
}

/* S67; after asyncio's test_waitfor.AsyncioWaitForTest.test_cancel_wait_for and
 * test_wait_for_raises_timeout_error_... */
static void wait_for_that_is_cancelled_as_its_time_is_over_ends_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", wait);

    assert_int_equal(aio_loop_call_later(f->loop, 1, cancel_it, task, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "T waited ! CancelledError");
    assert_true(aio_future_cancelled(task));
}

/* S24 */
static void wait_for_that_is_cancelled_cancels_what_it_waits_for(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", wait);

    fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "T waited ! CancelledError");
    assert_true(aio_future_cancelled(f->subject));
}

/* after asyncio's test_waitfor.AsyncioWaitForTest.test_wait_for_with_timeout None */
static void wait_for_ever_just_waits(void **state)
{
    struct fixture *f = *state;

    limit = AIO_FOREVER;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "T waited");
}

static void wait_for_leaves_no_timer_behind(void **state)
{
    struct fixture *f = *state;
    double start = aio_loop_time(f->loop);

    limit = 1000;
    (void)fx_spawn(f, "T", wait);
    fx_step(f);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "T waited");
    assert_true(aio_loop_time(f->loop) - start < 1);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    f.subject = fx_spawn(&f, "slow", die_slowly);
    (void)fx_spawn(&f, "T", wait);
    fx_settle(&f);
    fx_close(&f);
}

static void wait_for_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    limit = 1;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, fx_teardown_future)
    static const struct CMUnitTest tests[] = {
        TEST(wait_for_gives_the_result_that_comes_in_time),
        TEST(wait_for_cancels_what_does_not_come_in_time),
        TEST(wait_for_no_time_never_starts_a_coroutine),
        TEST(wait_for_no_time_gives_what_is_done),
        TEST(wait_for_no_time_cancels_what_is_not_done),
        TEST(wait_for_runs_a_coroutine_object_in_the_waiting_task),
        TEST(wait_for_returns_only_when_the_task_has_ended),
        TEST(wait_for_gives_the_value_of_a_task_that_swallows_the_timeout),
        TEST(wait_for_gives_the_error_of_a_task_that_fails_at_the_timeout),
        TEST(wait_for_that_is_cancelled_as_its_time_is_over_ends_cancelled),
        TEST(wait_for_that_is_cancelled_cancels_what_it_waits_for),
        TEST(wait_for_ever_just_waits),
        TEST(wait_for_leaves_no_timer_behind),
        FX_TEST(wait_for_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
