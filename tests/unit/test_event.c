/* SPDX-License-Identifier: MIT */
/*
 * test_event.c - a flag that tasks can wait for
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/event.h>

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_event_new();
    return f->subject == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_event_unref(f->subject);
    return fx_teardown(state);
}

/* --- what the tasks do ----------------------------------------------------------------- */

static int wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "went on", aio_event_wait(f->subject));
}

static int wait_twice(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = fx_note_code(f, "went on", aio_event_wait(f->subject));

    return err < 0 ? err : fx_note_code(f, "went on again", aio_event_wait(f->subject));
}

static int set(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    aio_event_set(f->subject);
    fx_note(f, "set");
    return 0;
}

/* --- tests ----------------------------------------------------------------------------- */

static void event_is_clear_at_first(void **state)
{
    struct fixture *f = *state;

    assert_false(aio_event_is_set(f->subject));
    aio_event_set(f->subject);
    assert_true(aio_event_is_set(f->subject));
    aio_event_clear(f->subject);
    assert_false(aio_event_is_set(f->subject));
}

/* asyncio: "if the internal flag is true on entry, return True immediately" */
static void event_that_is_set_makes_nobody_wait_and_needs_no_loop_or_memory(void **state)
{
    struct fixture *f = *state;

    aio_event_set(f->subject);
    aio__fail_allocation(1);
    assert_int_equal(aio_event_wait(f->subject), 0);
    assert_false(aio__fail_allocation_happened());
}

/* S95; after asyncio's test_locks.EventTests.test_wait */
static void event_wakes_all_who_wait_in_order(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    (void)fx_spawn(f, "B", wait);
    (void)fx_spawn(f, "C", wait);
    fx_settle(f);
    fx_assert_trace(f, "");
    aio_event_set(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A went on, B went on, C went on");
}

/* S29 */
static void event_wakes_one_iteration_after_it_is_set(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    (void)fx_spawn(f, "tick", fx_tick);
    (void)fx_spawn(f, "S", set);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, S set, tick 1, A went on, tick 2");
}

/* S95; after asyncio's test_locks.EventTests.test_clear_with_waiters */
static void event_cleared_before_the_woken_have_run_lets_them_go_on_all_the_same(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait_twice);
    (void)fx_spawn(f, "B", wait_twice);
    fx_settle(f);
    aio_event_set(f->subject);
    aio_event_clear(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A went on, B went on");
    aio_event_set(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A went on again, B went on again");
}

/* S95 */
static void event_set_twice_wakes_once(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    aio_event_set(f->subject);
    aio_event_set(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A went on");
    assert_true(aio_event_is_set(f->subject));
}

static void event_set_while_one_is_awake_and_one_asleep_wakes_the_sleeper(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    aio_event_set(f->subject);
    aio_event_clear(f->subject);
    (void)fx_spawn(f, "B", wait);
    fx_step(f); /* A goes on, B begins to wait */
    fx_assert_trace(f, "A went on");
    aio_event_set(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "B went on");
}

/* S32: cancelled after it was woken, a task hears of the cancellation */
static void event_wait_that_is_cancelled_leaves_the_others_waiting(void **state)
{
    struct fixture *f = *state;
    aio_task *a, *b;

    a = fx_spawn(f, "A", wait);
    b = fx_spawn(f, "B", wait);
    (void)fx_spawn(f, "C", wait);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A went on ! CancelledError");
    aio_event_set(f->subject);
    (void)aio_task_cancel(b, NULL);
    fx_settle(f);
    fx_assert_trace(f, "B went on ! CancelledError, C went on");
}

static void event_that_tasks_of_one_loop_wait_for_refuses_those_of_another(void **state)
{
    struct fixture *f = *state;
    struct fixture g;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    assert_true(fx_open(&g));
    g.subject = f->subject;
    (void)fx_spawn(&g, "B", wait);
    fx_settle(&g);
    fx_assert_trace(&g, "B went on ! RuntimeError");
    fx_close(&g);
}

static void event_can_be_waited_for_by_tasks_only(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_event_wait(f->subject), AIO_ENOLOOP);
    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    fx_assert_trace(f, "");
}

static int drop_and_set(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_event *event = f->subject;

    f->subject = NULL;
    aio_event_set(event);
    aio_event_unref(event);
    return 0;
}

static void event_lives_for_as_long_as_somebody_waits_for_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    (void)fx_spawn(f, "B", wait);
    (void)fx_spawn(f, "C", drop_and_set);
    fx_settle(f);
    fx_assert_trace(f, "A went on, B went on");
}

static void event_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    aio_event *event;

    aio__fail_allocation(1);
    event = aio_event_new();
    assert_null(event);
    assert_int_equal(aio_event_wait(event), AIO_ENOMEM);
    aio_event_set(event);
    aio_event_clear(event);
    assert_false(aio_event_is_set(event));
    assert_null(aio_event_ref(event));
    aio_event_unref(event);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;
    aio_event *event;

    if (!fx_open(&f))
        return;
    event = aio_event_new();
    f.subject = event;
    for (int i = 0; i < 3; i++)
        (void)fx_spawn(&f, "T", wait);
    fx_settle(&f);
    aio_event_set(event);
    fx_settle(&f);
    for (size_t i = 0; i < f.task_count; i++)
        assert_true(aio_future_done(f.tasks[i]));
    fx_close(&f);
    aio_event_unref(event);
}

static void event_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(event_is_clear_at_first),
        TEST(event_that_is_set_makes_nobody_wait_and_needs_no_loop_or_memory),
        TEST(event_wakes_all_who_wait_in_order),
        TEST(event_wakes_one_iteration_after_it_is_set),
        TEST(event_cleared_before_the_woken_have_run_lets_them_go_on_all_the_same),
        TEST(event_set_twice_wakes_once),
        TEST(event_set_while_one_is_awake_and_one_asleep_wakes_the_sleeper),
        TEST(event_wait_that_is_cancelled_leaves_the_others_waiting),
        TEST(event_that_tasks_of_one_loop_wait_for_refuses_those_of_another),
        TEST(event_can_be_waited_for_by_tasks_only),
        TEST(event_lives_for_as_long_as_somebody_waits_for_it),
        TEST(event_that_could_not_be_made_gives_the_code_of_the_failure),
        TEST(event_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
