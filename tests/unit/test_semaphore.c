/* SPDX-License-Identifier: MIT */
/*
 * test_semaphore.c - units that tasks take and give back
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/semaphore.h>
#include <limits.h>

/* A semaphore of one unit, which the test holds itself. */
static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_semaphore_new(1);
    return f->subject == NULL ? -1 : aio_semaphore_acquire(f->subject);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_semaphore_unref(f->subject);
    return fx_teardown(state);
}

/* --- what the tasks do ----------------------------------------------------------------- */

static int take(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "took", aio_semaphore_acquire(f->subject));
}

static int take_and_release(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = fx_note_code(f, "took", aio_semaphore_acquire(f->subject));

    if (err < 0)
        return err;
    err = aio_sleep(0);
    (void)aio_semaphore_release(f->subject);
    return err;
}

static int release(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "released", aio_semaphore_release(f->subject));
}

/* How many units can be taken without waiting; they are taken. */
static int drain(aio_semaphore *sem)
{
    int taken = 0;

    while (!aio_semaphore_locked(sem)) {
        assert_int_equal(aio_semaphore_acquire(sem), 0);
        taken++;
    }
    return taken;
}

/* --- tests ----------------------------------------------------------------------------- */

static void semaphore_has_as_many_units_as_it_was_given(void **state)
{
    for (int value = 0; value < 4; value++) {
        aio_semaphore *sem = aio_semaphore_new(value);

        assert_int_equal(drain(sem), value);
        assert_true(aio_semaphore_locked(sem));
        aio_semaphore_unref(sem);
    }
}

static void semaphore_with_a_free_unit_needs_neither_loop_nor_memory(void **state)
{
    struct fixture *f = *state;

    aio__fail_allocation(1);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_false(aio_semaphore_locked(f->subject));
    assert_int_equal(aio_semaphore_acquire(f->subject), 0);
    assert_true(aio_semaphore_locked(f->subject));
    assert_false(aio__fail_allocation_happened());
}

/* S94 */
static void semaphore_of_less_than_nothing_is_refused(void **state)
{
    aio_semaphore *sem = aio_semaphore_new(-1);

    assert_null(sem);
    assert_int_equal(aio_semaphore_acquire(sem), AIO_EVALUE);
    assert_null(aio_bounded_semaphore_new(-1));
}

/* S92 */
static void semaphore_without_a_bound_takes_more_units_than_it_had(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_int_equal(drain(f->subject), 3);
}

/* S94 */
static void semaphore_with_a_bound_refuses_more_units_than_it_had(void **state)
{
    aio_semaphore *sem = aio_bounded_semaphore_new(2);

    assert_int_equal(aio_semaphore_release(sem), AIO_EVALUE);
    assert_int_equal(aio_semaphore_acquire(sem), 0);
    assert_int_equal(aio_semaphore_release(sem), 0);
    assert_int_equal(aio_semaphore_release(sem), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "Semaphore released too many times");
    assert_int_equal(drain(sem), 2);
    aio_semaphore_unref(sem);
}

static void semaphore_refuses_to_overflow(void **state)
{
    aio_semaphore *sem = aio_semaphore_new(LONG_MAX);

    assert_int_equal(aio_semaphore_release(sem), AIO_EVALUE);
    assert_int_equal(aio_semaphore_acquire(sem), 0);
    assert_int_equal(aio_semaphore_release(sem), 0);
    aio_semaphore_unref(sem);
}

/* S92; after asyncio's test_locks.SemaphoreTests.test_acquire_fifo_order */
static void semaphore_serves_those_who_wait_in_the_order_of_asking(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", take_and_release);
    (void)fx_spawn(f, "B", take_and_release);
    (void)fx_spawn(f, "C", take_and_release);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A took, B took, C took");
    assert_int_equal(drain(f->subject), 1);
}

/* S29, S92 */
static void semaphore_serves_one_iteration_after_a_release(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", take);
    fx_settle(f);
    (void)fx_spawn(f, "tick", fx_tick);
    (void)fx_spawn(f, "R", release);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, R released, tick 1, A took, tick 2");
}

/* S92: what is given is not free in between */
static void semaphore_gives_a_unit_straight_to_the_first_in_line(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", take);
    fx_settle(f);
    (void)fx_spawn(f, "new", take);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_true(aio_semaphore_locked(f->subject));
    fx_settle(f);
    fx_assert_trace(f, "A took");
}

/* S92; gh-90155: a unit is free, but somebody who was served has not run yet */
static void semaphore_cannot_be_overtaken_while_one_who_was_served_has_not_run(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", take);
    fx_settle(f);
    (void)fx_spawn(f, "new", take);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_int_equal(aio_semaphore_release(f->subject), 0); /* one more than there are waiters */
    assert_true(aio_semaphore_locked(f->subject));
    fx_settle(f);
    fx_assert_trace(f, "A took, new took");
    assert_int_equal(drain(f->subject), 0);
}

/* S93; after asyncio's test_locks.SemaphoreTests.test_acquire_no_hang */
static void semaphore_released_several_times_in_one_iteration_serves_several(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", take);
    (void)fx_spawn(f, "C", take);
    fx_settle(f);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    fx_step(f);
    fx_assert_trace(f, "A took, B took");
    fx_settle(f);
    fx_assert_trace(f, "");
}

/* S92 */
static void semaphore_passes_the_unit_on_when_the_one_served_is_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", take);
    fx_settle(f);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError, B took");
    assert_int_equal(drain(f->subject), 0);
}

/* S92, S93 */
static void semaphore_whose_units_nobody_can_use_keeps_them(void **state)
{
    struct fixture *f = *state;
    aio_task *a, *b;

    a = fx_spawn(f, "A", take);
    b = fx_spawn(f, "B", take);
    fx_settle(f);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    (void)aio_task_cancel(a, NULL);
    (void)aio_task_cancel(b, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError, B took ! CancelledError");
    assert_int_equal(drain(f->subject), 2);
}

/* S93: the unit comes free while a newcomer stands behind one who is to leave */
static void semaphore_serves_who_queued_behind_one_that_leaves_without_its_unit(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", take);
    fx_settle(f);
    (void)fx_spawn(f, "B", take); /* will find A in line, served but cancelled */
    (void)fx_spawn(f, "C", take);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError, B took, C took");
    assert_int_equal(drain(f->subject), 0);
}

static void semaphore_skips_a_waiter_cancelled_before_the_release(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", take);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    assert_int_equal(aio_semaphore_release(f->subject), 0); /* A is still in line */
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError, B took");
}

/* S92: "any waiter that is not cancelled" */
static void semaphore_is_taken_past_waiters_that_are_all_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", take);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    assert_true(aio_semaphore_locked(f->subject));
    assert_int_equal(aio_semaphore_release(f->subject), 0);
    assert_false(aio_semaphore_locked(f->subject));
    assert_int_equal(aio_semaphore_acquire(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError");
    assert_int_equal(drain(f->subject), 0);
}

/* S171 */
static void semaphore_block_gives_its_unit_back_whatever_its_body_ends_with(void **state)
{
    aio_semaphore *sem = aio_bounded_semaphore_new(1);

    assert_int_equal(aio_semaphore_enter(sem), 0);
    assert_true(aio_semaphore_locked(sem));
    assert_int_equal(aio_semaphore_exit(sem, aio_raise(AIO_EKEY, "which?")), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "which?");
    assert_false(aio_semaphore_locked(sem));
    assert_int_equal(aio_semaphore_exit(sem, AIO_EKEY), AIO_EVALUE);
    aio_semaphore_unref(sem);
}

static void semaphore_that_tasks_of_one_loop_wait_for_refuses_those_of_another(void **state)
{
    struct fixture *f = *state;
    struct fixture g;

    (void)fx_spawn(f, "A", take);
    fx_settle(f);
    assert_true(fx_open(&g));
    g.subject = f->subject;
    (void)fx_spawn(&g, "B", take);
    fx_settle(&g);
    fx_assert_trace(&g, "B took ! RuntimeError");
    fx_close(&g);
}

static int drop_and_release(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_semaphore *sem = f->subject;

    f->subject = NULL;
    (void)aio_semaphore_release(sem);
    aio_semaphore_unref(sem);
    return 0;
}

static void semaphore_lives_for_as_long_as_somebody_waits_for_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", drop_and_release);
    fx_settle(f);
    fx_assert_trace(f, "A took");
}

static void semaphore_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    aio_semaphore *sem;

    aio__fail_allocation(1);
    sem = aio_semaphore_new(1);
    assert_null(sem);
    assert_int_equal(aio_semaphore_acquire(sem), AIO_ENOMEM);
    assert_int_equal(aio_semaphore_release(sem), AIO_ENOMEM);
    assert_int_equal(aio_semaphore_exit(sem, 0), AIO_ENOMEM);
    assert_false(aio_semaphore_locked(sem));
    assert_null(aio_semaphore_ref(sem));
    aio_semaphore_unref(sem);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;
    aio_semaphore *sem;

    if (!fx_open(&f))
        return;
    sem = aio_bounded_semaphore_new(2);
    f.subject = sem;
    for (int i = 0; i < 5; i++)
        (void)fx_spawn(&f, "T", take_and_release);
    fx_settle(&f);
    if (sem != NULL)
        assert_int_equal(drain(sem), 2); /* all units have come back */
    fx_close(&f);
    aio_semaphore_unref(sem);
}

static void semaphore_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(semaphore_has_as_many_units_as_it_was_given),
        TEST(semaphore_with_a_free_unit_needs_neither_loop_nor_memory),
        TEST(semaphore_of_less_than_nothing_is_refused),
        TEST(semaphore_without_a_bound_takes_more_units_than_it_had),
        TEST(semaphore_with_a_bound_refuses_more_units_than_it_had),
        TEST(semaphore_refuses_to_overflow),
        TEST(semaphore_serves_those_who_wait_in_the_order_of_asking),
        TEST(semaphore_serves_one_iteration_after_a_release),
        TEST(semaphore_gives_a_unit_straight_to_the_first_in_line),
        TEST(semaphore_cannot_be_overtaken_while_one_who_was_served_has_not_run),
        TEST(semaphore_released_several_times_in_one_iteration_serves_several),
        TEST(semaphore_passes_the_unit_on_when_the_one_served_is_cancelled),
        TEST(semaphore_whose_units_nobody_can_use_keeps_them),
        TEST(semaphore_serves_who_queued_behind_one_that_leaves_without_its_unit),
        TEST(semaphore_skips_a_waiter_cancelled_before_the_release),
        TEST(semaphore_is_taken_past_waiters_that_are_all_cancelled),
        TEST(semaphore_block_gives_its_unit_back_whatever_its_body_ends_with),
        TEST(semaphore_that_tasks_of_one_loop_wait_for_refuses_those_of_another),
        TEST(semaphore_lives_for_as_long_as_somebody_waits_for_it),
        TEST(semaphore_that_could_not_be_made_gives_the_code_of_the_failure),
        TEST(semaphore_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
