/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c - a lock for tasks
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/lock.h>

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_lock_new();
    return f->subject == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_lock_unref(f->subject);
    return fx_teardown(state);
}

/* --- what the tasks do ----------------------------------------------------------------- */

/* Take the lock and keep it. */
static int take(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "took", aio_lock_acquire(f->subject));
}

/* Take the lock, keep it for an iteration, release it. */
static int take_and_release(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = fx_note_code(f, "took", aio_lock_acquire(f->subject));

    if (err < 0)
        return err;
    err = aio_sleep(0);
    (void)aio_lock_release(f->subject);
    return err;
}

static int release(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "released", aio_lock_release(f->subject));
}

/* --- tests ----------------------------------------------------------------------------- */

static void lock_that_is_free_is_taken_at_once_without_loop_or_memory(void **state)
{
    aio_lock *lock = ((struct fixture *)*state)->subject;

    assert_false(aio_lock_locked(lock));
    aio__fail_allocation(1);
    assert_int_equal(aio_lock_acquire(lock), 0);
    assert_true(aio_lock_locked(lock));
    assert_int_equal(aio_lock_release(lock), 0);
    assert_false(aio_lock_locked(lock));
    assert_false(aio__fail_allocation_happened());
}

/* S89 */
static void lock_that_is_free_cannot_be_released(void **state)
{
    aio_lock *lock = ((struct fixture *)*state)->subject;

    assert_int_equal(aio_lock_release(lock), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "Lock is not acquired.");
    assert_false(aio_lock_locked(lock));
}

/* S89 */
static void lock_may_be_released_by_another_task(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", release);
    fx_settle(f);
    fx_assert_trace(f, "A took, B released");
    assert_false(aio_lock_locked(f->subject));
}

/* S89 */
static void lock_is_not_reentrant(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)fx_spawn(f, "A", take);
    task = fx_spawn(f, "A", take);
    fx_settle(f);
    fx_assert_trace(f, "A took");
    assert_false(aio_future_done(task));
}

/* S90; after asyncio's test_locks.LockTests.test_acquire */
static void lock_goes_to_those_who_wait_in_the_order_of_asking(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take_and_release);
    (void)fx_spawn(f, "B", take_and_release);
    (void)fx_spawn(f, "C", take_and_release);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_lock_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A took, B took, C took");
    assert_false(aio_lock_locked(f->subject));
}

/* S29, S90 */
static void lock_is_taken_one_iteration_after_its_release(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take);
    fx_settle(f);
    (void)fx_spawn(f, "tick", fx_tick);
    (void)fx_spawn(f, "R", release);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, R released, tick 1, A took, tick 2");
}

/* S90 */
static void lock_shows_unlocked_until_the_next_in_line_has_run(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take);
    fx_settle(f);
    assert_int_equal(aio_lock_release(f->subject), 0);
    assert_false(aio_lock_locked(f->subject));
    assert_int_equal(aio_lock_release(f->subject), AIO_ERUNTIME);
    fx_step(f);
    assert_true(aio_lock_locked(f->subject));
    fx_assert_trace(f, "A took");
}

/* S90; after asyncio's test_locks.LockTests.test_acquire_fifo */
static void lock_cannot_be_overtaken_by_who_comes_before_the_next_in_line_has_run(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take_and_release);
    fx_settle(f);
    /* The newcomer's first step comes before A's, though the lock is free already. */
    (void)fx_spawn(f, "new", take_and_release);
    assert_int_equal(aio_lock_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A took, new took");
}

/* S91; after asyncio's test_locks.LockTests.test_finished_waiter_cancelled */
static void lock_passes_the_turn_on_when_the_chosen_waiter_is_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    a = fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", take);
    fx_settle(f);

    assert_int_equal(aio_lock_release(f->subject), 0); /* chooses A, which has not run yet */
    assert_true(aio_task_cancel(a, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError, B took");
    assert_true(aio_future_cancelled(a));
}

/* S91; after asyncio's test_locks.LockTests.test_cancel_release_race */
static void lock_passes_the_turn_on_when_a_waiter_was_cancelled_just_before_its_turn(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    a = fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", take);
    fx_settle(f);

    assert_true(aio_task_cancel(a, NULL));
    assert_int_equal(aio_lock_release(f->subject), 0); /* finds A at the head, not to be woken */
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError, B took");
}

/* after asyncio's test_locks.LockTests.test_cancel_wakeup */
static void lock_whose_turn_nobody_can_use_is_free(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    a = fx_spawn(f, "A", take);
    fx_settle(f);
    assert_int_equal(aio_lock_release(f->subject), 0);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError");
    assert_int_equal(aio_lock_acquire(f->subject), 0);
}

static void lock_loses_a_cancelled_waiter_and_keeps_the_order_of_the_others(void **state)
{
    struct fixture *f = *state;
    aio_task *b;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take_and_release);
    b = fx_spawn(f, "B", take_and_release);
    (void)fx_spawn(f, "C", take_and_release);
    fx_settle(f);
    (void)aio_task_cancel(b, "too late");
    fx_settle(f);
    fx_assert_trace(f, "B took ! CancelledError");
    (void)aio_lock_release(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A took, C took");
}

/* S90 */
static void lock_is_taken_past_waiters_that_are_all_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    a = fx_spawn(f, "A", take);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    assert_int_equal(aio_lock_release(f->subject), 0);
    assert_int_equal(aio_lock_acquire(f->subject), 0); /* A, still in line, does not count */
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError");
    assert_true(aio_lock_locked(f->subject));
}

/* S26 */
static void lock_wait_that_is_cancelled_gives_the_message(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    a = fx_spawn(f, "A", take);
    fx_settle(f);
    (void)aio_task_cancel(a, "enough");
    fx_settle(f);
    fx_assert_trace(f, "A took ! CancelledError");
    assert_int_equal(aio_future_result(a, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "enough");
}

/* S171 */
static void lock_block_releases_whatever_its_body_ends_with(void **state)
{
    aio_lock *lock = ((struct fixture *)*state)->subject;

    assert_int_equal(aio_lock_enter(lock), 0);
    assert_true(aio_lock_locked(lock));
    assert_int_equal(aio_lock_exit(lock, 0), 0);
    assert_false(aio_lock_locked(lock));

    assert_int_equal(aio_lock_enter(lock), 0);
    assert_int_equal(aio_lock_exit(lock, aio_raise(AIO_EKEY, "which?")), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "which?");
    assert_false(aio_lock_locked(lock));
}

/* S171 */
static void lock_block_that_has_lost_its_lock_ends_with_a_runtime_error(void **state)
{
    aio_lock *lock = ((struct fixture *)*state)->subject;

    assert_int_equal(aio_lock_enter(lock), 0);
    assert_int_equal(aio_lock_release(lock), 0);
    assert_int_equal(aio_lock_exit(lock, AIO_EKEY), AIO_ERUNTIME);
}

static void lock_that_tasks_of_one_loop_wait_for_refuses_those_of_another(void **state)
{
    struct fixture *f = *state;
    struct fixture g;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take);
    fx_settle(f);

    assert_true(fx_open(&g));
    g.subject = f->subject;
    (void)fx_spawn(&g, "B", take);
    fx_settle(&g);
    fx_assert_trace(&g, "B took ! RuntimeError");

    (void)aio_lock_release(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A took");
    (void)aio_lock_release(f->subject);
    (void)fx_spawn(&g, "C", take);
    fx_settle(&g);
    fx_assert_trace(&g, "C took"); /* to take it without waiting is nobody's business */
    fx_close(&g);
}

static int try_to_wait(void *arg)
{
    struct fixture *f = arg;

    fx_note_code(f, "took", aio_lock_acquire(f->subject));
    fx_note(f, "hears: %s", aio_error_text(AIO_ENOTASK));
    return 0;
}

static void lock_that_is_held_can_be_waited_for_by_tasks_only(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    assert_int_equal(aio_lock_acquire(f->subject), AIO_ENOLOOP);
    assert_int_equal(aio_loop_call_soon(f->loop, try_to_wait, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- took ! RuntimeError, - hears: only a task can wait for a lock");
    assert_int_equal(aio_lock_release(f->subject), 0);
    assert_int_equal(aio_lock_acquire(f->subject), 0);
}

static int drop_and_release(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_lock *lock = f->subject;

    f->subject = NULL;
    fx_note(f, "drops");
    (void)aio_lock_release(lock);
    aio_lock_unref(lock);
    return 0;
}

static void lock_lives_for_as_long_as_somebody_waits_for_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take);
    (void)fx_spawn(f, "B", drop_and_release);
    fx_settle(f);
    fx_assert_trace(f, "B drops, A took"); /* and then nothing was left: the teardown checks */
}

static void lock_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    aio_lock *lock;

    aio__fail_allocation(1);
    lock = aio_lock_new();
    assert_null(lock);
    assert_int_equal(aio_lock_acquire(lock), AIO_ENOMEM);
    assert_int_equal(aio_lock_release(lock), AIO_ENOMEM);
    assert_int_equal(aio_lock_exit(lock, 0), AIO_ENOMEM);
    assert_false(aio_lock_locked(lock));
    assert_null(aio_lock_ref(lock));
    aio_lock_unref(lock);
}

static void lock_can_be_taken_again_when_a_wait_failed_for_want_of_memory(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "first", release); /* has a stack made, which the others take over */
    fx_settle(f);
    fx_assert_trace(f, "first released");
    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(f, "A", take);
    aio__fail_allocation(1);
    fx_settle(f);
    assert_true(aio__fail_allocation_happened());
    (void)aio_lock_release(f->subject);
    (void)fx_spawn(f, "B", take);
    fx_settle(f);
    fx_assert_trace(f, "A took ! MemoryError, B took");
}

/* The loop is closed while tasks wait: each leaves, and the lock stays usable. */
static void lock_is_left_in_order_by_waiters_whose_loop_is_closed(void **state)
{
    struct fixture *f = *state;
    struct fixture g;

    assert_true(fx_open(&g));
    g.subject = f->subject;
    assert_int_equal(aio_lock_acquire(f->subject), 0);
    (void)fx_spawn(&g, "A", take);
    (void)fx_spawn(&g, "B", take);
    fx_settle(&g);
    aio_loop_set_exception_handler(g.loop, NULL, NULL); /* the reports are not this test's */
    assert_int_equal(aio_loop_close(g.loop), 0);
    fx_assert_trace(&g, "A took ! GeneratorExit, B took ! GeneratorExit");
    fx_close(&g);
    assert_int_equal(aio_lock_release(f->subject), 0);
    assert_int_equal(aio_lock_acquire(f->subject), 0);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;
    aio_lock *lock;

    if (!fx_open(&f))
        return;
    lock = aio_lock_new();
    f.subject = lock;
    for (int i = 0; i < 4; i++)
        (void)fx_spawn(&f, "T", take_and_release);
    fx_settle(&f);
    assert_false(aio_lock_locked(lock)); /* whoever got it has given it back */
    fx_close(&f);
    aio_lock_unref(lock);
}

static void lock_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(lock_that_is_free_is_taken_at_once_without_loop_or_memory),
        TEST(lock_that_is_free_cannot_be_released),
        TEST(lock_may_be_released_by_another_task),
        TEST(lock_is_not_reentrant),
        TEST(lock_goes_to_those_who_wait_in_the_order_of_asking),
        TEST(lock_is_taken_one_iteration_after_its_release),
        TEST(lock_shows_unlocked_until_the_next_in_line_has_run),
        TEST(lock_cannot_be_overtaken_by_who_comes_before_the_next_in_line_has_run),
        TEST(lock_passes_the_turn_on_when_the_chosen_waiter_is_cancelled),
        TEST(lock_passes_the_turn_on_when_a_waiter_was_cancelled_just_before_its_turn),
        TEST(lock_whose_turn_nobody_can_use_is_free),
        TEST(lock_loses_a_cancelled_waiter_and_keeps_the_order_of_the_others),
        TEST(lock_is_taken_past_waiters_that_are_all_cancelled),
        TEST(lock_wait_that_is_cancelled_gives_the_message),
        TEST(lock_block_releases_whatever_its_body_ends_with),
        TEST(lock_block_that_has_lost_its_lock_ends_with_a_runtime_error),
        TEST(lock_that_tasks_of_one_loop_wait_for_refuses_those_of_another),
        TEST(lock_that_is_held_can_be_waited_for_by_tasks_only),
        TEST(lock_lives_for_as_long_as_somebody_waits_for_it),
        TEST(lock_that_could_not_be_made_gives_the_code_of_the_failure),
        TEST(lock_can_be_taken_again_when_a_wait_failed_for_want_of_memory),
        TEST(lock_is_left_in_order_by_waiters_whose_loop_is_closed),
        TEST(lock_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
