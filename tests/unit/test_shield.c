/* SPDX-License-Identifier: MIT */
/*
 * test_shield.c - a future that can be cancelled in the place of another
 */
#include "support/fixture.h"

#include <aio/aio.h>

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_future_unref(f->other);
    return fx_teardown_future(state);
}

static aio_future *shield(struct fixture *f)
{
    f->other = aio_shield(f->subject);
    assert_non_null(f->other);
    return f->other;
}

/* after asyncio's test_tasks.BaseTaskTests.test_shield_result */
static void shield_gives_the_result_of_what_it_shields(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = shield(f);
    void *value = NULL;

    assert_int_equal(aio_future_set_result(f->subject, f), 0);
    fx_settle(f);
    assert_int_equal(aio_future_result(outer, &value), 0);
    assert_ptr_equal(value, f);
}

/* after asyncio's test_tasks.BaseTaskTests.test_shield_exception */
static void shield_gives_the_error_of_what_it_shields(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = shield(f);

    assert_int_equal(aio_future_set_error(f->subject, aio_raise(AIO_EKEY, "none")), 0);
    fx_settle(f);
    assert_int_equal(aio_future_result(outer, NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "none");
}

/* S72; after asyncio's test_tasks.BaseTaskTests.test_shield_cancel_outer */
static void shield_that_is_cancelled_leaves_the_inner_alone(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = shield(f);

    assert_true(aio_future_cancel(outer, NULL));
    fx_settle(f);
    assert_true(aio_future_cancelled(outer));
    assert_false(aio_future_done(f->subject));
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
}

/* S72; after asyncio's test_tasks.BaseTaskTests.test_shield_cancel_inner */
static void shield_of_what_is_cancelled_is_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = shield(f);

    assert_true(aio_future_cancel(f->subject, NULL));
    fx_settle(f);
    assert_true(aio_future_cancelled(outer));
}

/* S72; after asyncio's test_tasks.BaseTaskTests.test_shield_shortcut */
static void shield_of_what_is_done_is_that_itself(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    assert_ptr_equal(shield(f), f->subject);
}

/* S73; after asyncio's test_tasks.BaseTaskTests.test_shield_effect and
 * test_shield_cancel_outer_exception */
static void shield_that_was_cancelled_reports_a_later_error_at_once(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = shield(f);

    assert_true(aio_future_cancel(outer, NULL));
    fx_settle(f);
    assert_int_equal(aio_future_set_error(f->subject, AIO_EKEY), 0);
    fx_settle(f);
    fx_assert_reports(f, "KeyError exception in shielded future KeyError");
}

/* asyncio's shield then sets a result twice, too. */
static void shield_reports_that_another_gave_its_future_a_result(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = shield(f);

    assert_int_equal(aio_future_set_result(outer, NULL), 0);
    assert_int_equal(aio_future_set_error(f->subject, AIO_EKEY), 0);
    fx_settle(f);
    fx_assert_reports(f, "Exception in callback InvalidStateError");
}

static void shield_lets_go_of_the_inner_once_another_gave_its_future_a_result(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = shield(f);

    assert_int_equal(aio_future_set_result(outer, NULL), 0);
    fx_settle(f);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    fx_assert_reports(f, "");
}

static int wait_shielded(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) outer = aio_shield(f->subject);

    return fx_note_code(f, "waited", aio_await(outer, ret_result));
}

/* S24, S72 */
static void shield_keeps_the_cancellation_of_its_task_from_the_inner(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", wait_shielded);

    fx_settle(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    fx_assert_trace(f, "T waited ! CancelledError");
    assert_false(aio_future_done(f->subject));
}

static int run(void *arg, void **ret_result)
{
    (void)ret_result;
    fx_note(arg, "runs");
    return 0;
}

/* after asyncio's test_tasks.BaseTaskTests.test_shield_coroutine_... */
static void shield_makes_a_coroutine_object_a_task(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(run, f, NULL);

    f->other = aio_shield(coro);
    assert_true(aio_future_is_task(coro));
    assert_int_equal(aio_task_set_name(coro, "C"), 0);
    fx_settle(f);
    fx_assert_trace(f, "C runs");
    assert_int_equal(aio_future_result(f->other, NULL), 0);
}

/* S74: in asyncio it would not be kept alive; a pending task is held by its loop here. */
static void shield_lets_go_of_the_inner_with_the_outer(void **state)
{
    struct fixture *f = *state;
    size_t before = live_allocations();
    aio_future *inner = aio_future_new(f->loop);
    aio_future *outer = aio_shield(inner);

    aio_future_unref(inner);
    assert_int_equal(aio_future_set_result(inner, NULL), 0);
    fx_settle(f);
    assert_int_equal(aio_future_result(outer, NULL), 0);
    aio_future_unref(outer);
    assert_int_equal(live_allocations(), before);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    f.subject = aio_future_new(f.loop);
    (void)fx_spawn(&f, "T", wait_shielded);
    fx_settle(&f);
    (void)aio_future_set_result(f.subject, NULL);
    fx_settle(&f);
    aio_future_unref(f.subject);
    fx_close(&f);
}

static void shield_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 3);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fx_setup_future, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(shield_gives_the_result_of_what_it_shields),
        TEST(shield_gives_the_error_of_what_it_shields),
        TEST(shield_that_is_cancelled_leaves_the_inner_alone),
        TEST(shield_of_what_is_cancelled_is_cancelled),
        TEST(shield_of_what_is_done_is_that_itself),
        TEST(shield_that_was_cancelled_reports_a_later_error_at_once),
        TEST(shield_reports_that_another_gave_its_future_a_result),
        TEST(shield_lets_go_of_the_inner_once_another_gave_its_future_a_result),
        TEST(shield_keeps_the_cancellation_of_its_task_from_the_inner),
        TEST(shield_makes_a_coroutine_object_a_task),
        TEST(shield_lets_go_of_the_inner_with_the_outer),
        TEST(shield_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
