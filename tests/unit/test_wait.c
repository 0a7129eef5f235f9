/* SPDX-License-Identifier: MIT */
/*
 * test_wait.c - waiting for some of several futures
 */
#include "support/fixture.h"

#include <aio/aio.h>

enum { COUNT = 3 };

static aio_future *futs[COUNT];

/* What the waiting task asks for. */
static struct {
    size_t count;
    double timeout;
    aio_return_when when;
} want;

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    for (int i = 0; i < COUNT; i++)
        futs[i] = aio_future_new(f->loop);
    want.count = COUNT;
    want.timeout = AIO_FOREVER;
    want.when = AIO_ALL_COMPLETED;
    return 0;
}

static int teardown(void **state)
{
    fx_end_tasks(*state);
    for (int i = 0; i < COUNT; i++)
        aio_future_unref(futs[i]);
    return fx_teardown(state);
}

static int wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    size_t done = 77;
    int err = aio_wait(futs, want.count, want.timeout, want.when, &done);

    (void)ret_result;
    if (err < 0)
        return fx_note_code(f, "waited", err);
    fx_note(f, "has %zu", done);
    return 0;
}

static void finish(int i)
{
    assert_int_equal(aio_future_set_result(futs[i], NULL), 0);
}

/* after asyncio's test_tasks.BaseTaskTests.test_wait */
static void wait_for_all_ends_with_the_last(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    finish(0);
    finish(2);
    fx_settle(f);
    fx_assert_trace(f, "");
    finish(1);
    fx_settle(f);
    fx_assert_trace(f, "T has 3");
}

/* S75 */
static void wait_never_raises_the_errors_of_what_it_waits_for(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    finish(0);
    assert_true(aio_future_cancel(futs[1], NULL));
    assert_int_equal(aio_future_set_error(futs[2], AIO_EKEY), 0);
    fx_settle(f);
    fx_assert_trace(f, "T has 3");
    assert_int_equal(aio_future_result(futs[2], NULL), AIO_EKEY);
}

/* S75; after asyncio's test_tasks.BaseTaskTests.test_wait_with_timeout */
static void wait_whose_time_is_over_is_no_error_and_cancels_nothing(void **state)
{
    struct fixture *f = *state;

    want.timeout = 1;
    (void)fx_spawn(f, "T", wait);
    finish(1);
    fx_settle(f);
    fx_assert_trace(f, "T has 1");
    assert_false(aio_future_done(futs[0]));
    assert_false(aio_future_done(futs[2]));
}

/* S75; after asyncio's test_tasks.BaseTaskTests.test_wait_really_done */
static void wait_suspends_though_all_are_done(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < COUNT; i++)
        finish(i);
    (void)fx_spawn(f, "T", wait);
    (void)fx_spawn(f, "tick", fx_tick);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, tick 1, T has 3, tick 2");
}

/* S75 */
static void wait_that_is_cancelled_cancels_nothing(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", wait);

    fx_settle(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "T waited ! CancelledError");
    for (int i = 0; i < COUNT; i++)
        assert_false(aio_future_done(futs[i]));
}

static int run(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

static int wait_wrongly(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(run, NULL, NULL);
    aio_future *both[] = {futs[0], coro};

    (void)ret_result;
    (void)fx_note_code(f, "nothing", aio_wait(futs, 0, 1, AIO_ALL_COMPLETED, NULL));
    (void)fx_note_code(f, "coroutine", aio_wait(both, 2, 1, AIO_ALL_COMPLETED, NULL));
    (void)fx_note_code(f, "when", aio_wait(futs, 1, 1, (aio_return_when)9, NULL));
    return aio_coroutine_close(coro);
}

/* S75; after asyncio's test_tasks.BaseTaskTests.test_wait_errors, test_coroutines_forbidden */
static void wait_takes_futures_only_and_some(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", wait_wrongly);
    fx_settle(f);
    fx_assert_trace(f, "T nothing ! ValueError, T coroutine ! TypeError, T when ! ValueError");
}

/* S76; after asyncio's test_tasks.BaseTaskTests.test_wait_first_completed */
static void wait_for_the_first_may_give_more_than_one(void **state)
{
    struct fixture *f = *state;

    want.when = AIO_FIRST_COMPLETED;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    finish(2);
    finish(0);
    fx_settle(f);
    fx_assert_trace(f, "T has 2");
}

/* S76 */
static void wait_for_the_first_counts_a_cancelled_one(void **state)
{
    struct fixture *f = *state;

    want.when = AIO_FIRST_COMPLETED;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    assert_true(aio_future_cancel(futs[1], NULL));
    fx_settle(f);
    fx_assert_trace(f, "T has 1");
}

/* S76; after asyncio's test_tasks.BaseTaskTests.test_wait_first_exception */
static void wait_for_the_first_error_passes_over_cancelled_ones(void **state)
{
    struct fixture *f = *state;

    want.when = AIO_FIRST_EXCEPTION;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    assert_true(aio_future_cancel(futs[0], NULL));
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_future_set_error(futs[1], AIO_EKEY), 0);
    fx_settle(f);
    fx_assert_trace(f, "T has 2");
    assert_int_equal(aio_future_result(futs[1], NULL), AIO_EKEY);
}

/* S76 */
static void wait_for_the_first_error_ends_with_the_last_if_there_is_none(void **state)
{
    struct fixture *f = *state;

    want.when = AIO_FIRST_EXCEPTION;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    for (int i = 0; i < COUNT; i++)
        finish(i);
    fx_settle(f);
    fx_assert_trace(f, "T has 3");
}

/* after asyncio's test_tasks.BaseTaskTests.test_wait_duplicate_coroutines */
static void wait_counts_what_is_there_twice_once(void **state)
{
    struct fixture *f = *state;

    aio_future_unref(futs[1]);
    futs[1] = aio_future_ref(futs[0]);
    want.count = 2;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    finish(0);
    fx_settle(f);
    fx_assert_trace(f, "T has 1");
}

static void wait_leaves_no_callback_behind(void **state)
{
    struct fixture *f = *state;
    size_t before;

    want.timeout = 1;
    (void)fx_spawn(f, "T", wait);
    fx_settle(f);
    before = live_allocations();
    for (int i = 0; i < 3; i++) {
        f->task_count--; /* the one before, which is done */
        aio_future_unref(f->tasks[f->task_count]);
        (void)fx_spawn(f, "T", wait);
        fx_settle(f);
    }
    fx_assert_trace(f, "T has 0, T has 0, T has 0, T has 0");
    assert_int_equal(live_allocations(), before);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    for (int i = 0; i < COUNT; i++)
        futs[i] = aio_future_new(f.loop);
    want.timeout = 5;
    (void)fx_spawn(&f, "T", wait);
    fx_settle(&f);
    (void)aio_future_set_result(futs[0], NULL);
    fx_settle(&f);
    for (int i = 0; i < COUNT; i++)
        aio_future_unref(futs[i]);
    fx_close(&f);
}

static void wait_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(wait_for_all_ends_with_the_last),
        TEST(wait_never_raises_the_errors_of_what_it_waits_for),
        TEST(wait_whose_time_is_over_is_no_error_and_cancels_nothing),
        TEST(wait_suspends_though_all_are_done),
        TEST(wait_that_is_cancelled_cancels_nothing),
        TEST(wait_takes_futures_only_and_some),
        TEST(wait_for_the_first_may_give_more_than_one),
        TEST(wait_for_the_first_counts_a_cancelled_one),
        TEST(wait_for_the_first_error_passes_over_cancelled_ones),
        TEST(wait_for_the_first_error_ends_with_the_last_if_there_is_none),
        TEST(wait_counts_what_is_there_twice_once),
        TEST(wait_leaves_no_callback_behind),
        FX_TEST(wait_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
