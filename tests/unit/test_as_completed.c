/* SPDX-License-Identifier: MIT */
/*
 * test_as_completed.c - outcomes in the order in which they come
 */
#include "support/fixture.h"

#include <aio/aio.h>

enum { COUNT = 3 };

static aio_future *futs[COUNT];
static double limit;

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    for (int i = 0; i < COUNT; i++)
        futs[i] = aio_future_new(f->loop);
    limit = AIO_FOREVER;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_as_completed_unref(f->subject);
    for (int i = 0; i < COUNT; i++)
        aio_future_unref(futs[i]);
    return fx_teardown(state);
}

static int number_of(const aio_future *fut)
{
    for (int i = 0; i < COUNT; i++)
        if (futs[i] == fut)
            return i;
    return -1;
}

/* async for fut in as_completed(...): */
static int iterate(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_future *fut = NULL;
    int err;

    (void)ret_result;
    if (f->subject == NULL)
        f->subject = aio_as_completed_new(futs, COUNT, limit);
    while ((err = aio_as_completed_next(f->subject, &fut)) == 0)
        fx_note(f, "%d", number_of(fut));
    return fx_note_code(f, "ends", err) == AIO_ESTOP ? 0 : err;
}

/* for coro in as_completed(...): await coro */
static int iterate_plainly(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    f->subject = aio_as_completed_new(futs, COUNT, limit);
    while (aio_as_completed_left(f->subject) > 0) {
        void *value = NULL;
        int err = aio_as_completed_await_next(f->subject, &value);

        if (err < 0)
            (void)fx_note_code(f, "next", err);
        else
            fx_note(f, "value %d", (int)(intptr_t)value);
    }
    return fx_note_code(f, "ends", aio_as_completed_await_next(f->subject, NULL)) == AIO_ESTOP
               ? 0
               : AIO_EASSERTION;
}

static void finish(int i)
{
    assert_int_equal(aio_future_set_result(futs[i], (void *)(intptr_t)(i + 10)), 0);
}

/* S77; after asyncio's test_tasks.BaseTaskTests.test_as_completed */
static void as_completed_gives_the_futures_themselves_in_the_order_of_their_ends(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", iterate);
    fx_settle(f);
    finish(2);
    fx_settle(f);
    finish(0);
    fx_settle(f);
    fx_assert_trace(f, "T 2, T 0");
    finish(1);
    fx_settle(f);
    fx_assert_trace(f, "T 1, T ends ! StopIteration");
}

/* S77 */
static void as_completed_gives_values_and_errors_to_who_awaits_the_next(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", iterate_plainly);
    fx_settle(f);
    finish(1);
    fx_settle(f);
    assert_int_equal(aio_future_set_error(futs[0], AIO_EKEY), 0);
    assert_true(aio_future_cancel(futs[2], NULL));
    fx_settle(f);
    fx_assert_trace(f, "T value 11, T next ! KeyError, T next ! CancelledError, "
                       "T ends ! StopIteration");
}

static int run(void *arg, void **ret_result)
{
    (void)ret_result;
    fx_note(arg, "runs");
    return 0;
}

/* S77; after asyncio's test_tasks.BaseTaskTests.test_as_completed_duplicate_coroutines */
static void as_completed_starts_all_when_it_is_made_and_each_once(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(run, f, NULL);
    aio_future *twice[] = {coro, coro};

    f->subject = aio_as_completed_new(twice, 2, AIO_FOREVER);
    assert_int_equal(aio_as_completed_left(f->subject), 1);
    assert_int_equal(aio_task_set_name(coro, "C"), 0);
    fx_settle(f); /* nobody has asked for an item */
    fx_assert_trace(f, "C runs");
}

/* S78; after asyncio's test_tasks.BaseTaskTests.test_as_completed_with_timeout */
static void as_completed_times_out_for_each_item_that_did_not_come(void **state)
{
    struct fixture *f = *state;

    limit = 1;
    (void)fx_spawn(f, "T", iterate_plainly);
    fx_step(f);
    finish(2);
    fx_settle(f);
    fx_assert_trace(f, "T value 12, T next ! TimeoutError, T next ! TimeoutError, "
                       "T ends ! StopIteration");
    assert_false(aio_future_done(futs[0])); /* nothing is cancelled */
    assert_false(aio_future_done(futs[1]));
}

static int come_late(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_sleep(5);

    return err < 0 ? err : iterate(f, ret_result);
}

/* S78; after asyncio's test_tasks.BaseTaskTests.test_as_completed_with_unused_timeout */
static void as_completed_first_gives_what_came_in_time(void **state)
{
    struct fixture *f = *state;

    f->subject = aio_as_completed_new(futs, COUNT, 1);
    finish(1);
    finish(0);
    (void)fx_spawn(f, "T", come_late);
    fx_settle(f);
    fx_assert_trace(f, "T 1, T 0, T ends ! TimeoutError");
}

static int iterate_again(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_future *fut = NULL;

    (void)ret_result;
    (void)fx_note_code(f, "first", aio_as_completed_next(f->subject, &fut));
    (void)fx_note_code(f, "again", aio_as_completed_next(f->subject, &fut));
    return 0;
}

/* S168; after asyncio's test_tasks.BaseTaskTests.test_as_completed_exhausted_iterator */
static void as_completed_that_is_exhausted_ends_at_once(void **state)
{
    struct fixture *f = *state;

    f->subject = aio_as_completed_new(NULL, 0, AIO_FOREVER);
    (void)fx_spawn(f, "T", iterate_again);
    fx_settle(f);
    fx_assert_trace(f, "T first ! StopIteration, T again ! StopIteration");
}

/* S77; after asyncio's test_tasks.BaseTaskTests.test_as_completed_concurrent */
static void as_completed_of_two_loops_gives_each_item_once_to_who_comes_first(void **state)
{
    struct fixture *f = *state;

    f->subject = aio_as_completed_new(futs, COUNT, AIO_FOREVER);
    (void)fx_spawn(f, "A", iterate);
    (void)fx_spawn(f, "B", iterate);
    fx_settle(f);
    finish(0);
    finish(1);
    finish(2);
    fx_settle(f);
    assert_int_equal(aio_as_completed_left(f->subject), 0);
    fx_assert_trace(f, "A 0, A 1, A ends ! StopIteration, B 2, B ends ! StopIteration");
}

static void as_completed_hands_the_item_of_a_cancelled_task_to_another(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    f->subject = aio_as_completed_new(futs, COUNT, AIO_FOREVER);
    a = fx_spawn(f, "A", iterate);
    (void)fx_spawn(f, "B", iterate);
    fx_settle(f);
    finish(0);
    fx_step(f); /* A is chosen, and has not run */
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A ends ! CancelledError, B 0");
}

static void as_completed_lets_go_of_what_it_watches(void **state)
{
    struct fixture *f = *state;
    size_t before = 0;

    for (int i = 0; i < 2; i++) {
        before = live_allocations(); /* the first timer of a loop makes room for more */
        aio_as_completed_unref(aio_as_completed_new(futs, COUNT, 5));
    }
    finish(0);
    fx_settle(f);
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
    limit = 1;
    (void)fx_spawn(&f, "T", iterate_plainly);
    fx_step(&f);
    (void)aio_future_set_result(futs[0], NULL);
    fx_settle(&f);
    fx_end_tasks(&f);
    aio_as_completed_unref(f.subject);
    for (int i = 0; i < COUNT; i++)
        aio_future_unref(futs[i]);
    fx_close(&f);
}

static void as_completed_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(as_completed_gives_the_futures_themselves_in_the_order_of_their_ends),
        TEST(as_completed_gives_values_and_errors_to_who_awaits_the_next),
        TEST(as_completed_starts_all_when_it_is_made_and_each_once),
        TEST(as_completed_times_out_for_each_item_that_did_not_come),
        TEST(as_completed_first_gives_what_came_in_time),
        TEST(as_completed_that_is_exhausted_ends_at_once),
        TEST(as_completed_of_two_loops_gives_each_item_once_to_who_comes_first),
        TEST(as_completed_hands_the_item_of_a_cancelled_task_to_another),
        TEST(as_completed_lets_go_of_what_it_watches),
        FX_TEST(as_completed_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
