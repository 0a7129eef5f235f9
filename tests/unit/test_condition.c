/* SPDX-License-Identifier: MIT */
/*
 * test_condition.c - waiting, under a lock, for something to become true
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/condition.h>

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_condition_new();
    return f->subject == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_condition_unref(f->subject);
    return fx_teardown(state);
}

/* --- what the tasks do ----------------------------------------------------------------- */

/* Wait once; note how it ended and whether the lock is held then; let go of it. */
static int wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_condition_enter(f->subject);

    if (err < 0)
        return err;
    err = fx_note_code(f, "woke", aio_condition_wait(f->subject));
    fx_note(f, aio_condition_locked(f->subject) ? "holds" : "DOES NOT HOLD");
    return aio_condition_exit(f->subject, err);
}

/* The same, keeping the lock for an iteration. */
static int wait_and_linger(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_condition_enter(f->subject);

    if (err < 0)
        return err;
    err = fx_note_code(f, "woke", aio_condition_wait(f->subject));
    if (err == 0)
        err = aio_sleep(0);
    return aio_condition_exit(f->subject, err);
}

static int is_set(void *arg)
{
    struct fixture *f = arg;
    int answer = *(int *)f->other;

    fx_note_code(f, answer > 0 ? "sees it" : "looks", answer);
    return answer;
}

static int wait_for_it(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_condition_enter(f->subject);

    if (err < 0)
        return err;
    err = fx_note_code(f, "went on", aio_condition_wait_for(f->subject, is_set, f));
    return aio_condition_exit(f->subject, err);
}

static int notify_one(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_condition_enter(f->subject);

    if (err < 0)
        return err;
    err = fx_note_code(f, "notified", aio_condition_notify(f->subject, 1));
    return aio_condition_exit(f->subject, err);
}

/* From outside any task: the lock is free then. */
static void notify(struct fixture *f, size_t count)
{
    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_int_equal(aio_condition_notify(f->subject, count), 0);
    assert_int_equal(aio_condition_release(f->subject), 0);
}

/* --- the lock -------------------------------------------------------------------------- */

/* S98 */
static void condition_needs_the_lock_for_all_it_does(void **state)
{
    struct fixture *f = *state;

    assert_false(aio_condition_locked(f->subject));
    assert_int_equal(aio_condition_notify(f->subject, 1), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "cannot notify on un-acquired lock");
    assert_int_equal(aio_condition_notify_all(f->subject), AIO_ERUNTIME);
    assert_int_equal(aio_condition_wait(f->subject), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "cannot wait on un-acquired lock");
    assert_int_equal(aio_condition_release(f->subject), AIO_ERUNTIME);

    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_true(aio_condition_locked(f->subject));
    assert_int_equal(aio_condition_notify(f->subject, 1), 0);
    assert_int_equal(aio_condition_notify_all(f->subject), 0);
    assert_int_equal(aio_condition_release(f->subject), 0);
    assert_false(aio_condition_locked(f->subject));
}

static void condition_has_a_lock_of_its_own_unless_it_is_given_one(void **state)
{
    struct fixture *f = *state;
    aio_lock *lock = aio_lock_new();
    aio_condition *cond = aio_condition_new_with(lock);

    assert_non_null(aio_condition_lock(f->subject));
    assert_ptr_equal(aio_condition_lock(cond), lock);
    assert_int_equal(aio_condition_acquire(cond), 0);
    assert_true(aio_lock_locked(lock));
    assert_false(aio_condition_locked(f->subject));
    aio_lock_unref(lock);
    assert_int_equal(aio_condition_release(cond), 0); /* it has kept the lock */
    aio_condition_unref(cond);
}

/* S171 */
static void condition_block_releases_whatever_its_body_ends_with(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_condition_enter(f->subject), 0);
    assert_true(aio_condition_locked(f->subject));
    assert_int_equal(aio_condition_exit(f->subject, AIO_EKEY), AIO_EKEY);
    assert_false(aio_condition_locked(f->subject));
    assert_int_equal(aio_condition_exit(f->subject, AIO_EKEY), AIO_ERUNTIME);
}

/* --- waiting and waking ---------------------------------------------------------------- */

/* S96 */
static void condition_wait_lets_go_of_the_lock_and_takes_it_back(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    assert_false(aio_condition_locked(f->subject));
    notify(f, 1);
    fx_settle(f);
    fx_assert_trace(f, "A woke, A holds");
    assert_false(aio_condition_locked(f->subject));
}

/* S98 */
static void condition_notification_does_not_let_go_of_the_lock(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_int_equal(aio_condition_notify(f->subject, 1), 0);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_true(aio_condition_locked(f->subject));
    assert_int_equal(aio_condition_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A woke, A holds");
}

/* S29 */
static void condition_wakes_one_iteration_after_the_notification_if_the_lock_is_free(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    (void)fx_spawn(f, "tick", fx_tick);
    (void)fx_spawn(f, "N", notify_one);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, N notified, tick 1, A woke, A holds, tick 2");
}

/* S98; after asyncio's test_locks.ConditionTests.test_notify */
static void condition_notifies_as_many_as_asked_in_the_order_of_waiting(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    (void)fx_spawn(f, "B", wait);
    (void)fx_spawn(f, "C", wait);
    fx_settle(f);
    notify(f, 0);
    fx_settle(f);
    fx_assert_trace(f, "");
    notify(f, 2);
    fx_settle(f);
    fx_assert_trace(f, "A woke, A holds, B woke, B holds");
    notify(f, 10);
    fx_settle(f);
    fx_assert_trace(f, "C woke, C holds");
    notify(f, 1); /* nobody: it is not kept for who comes */
    (void)fx_spawn(f, "D", wait);
    fx_settle(f);
    fx_assert_trace(f, "");
}

/* S98 */
static void condition_woken_go_on_one_by_one(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait_and_linger);
    (void)fx_spawn(f, "B", wait_and_linger);
    fx_settle(f);
    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_int_equal(aio_condition_notify_all(f->subject), 0);
    assert_int_equal(aio_condition_release(f->subject), 0);
    fx_step(f);
    fx_assert_trace(f, "A woke");
    fx_step(f);
    fx_assert_trace(f, "");
    fx_settle(f);
    fx_assert_trace(f, "B woke");
}

/* A second notification finds those of the first awake, and wakes others. */
static void condition_does_not_notify_anybody_twice(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    (void)fx_spawn(f, "B", wait);
    (void)fx_spawn(f, "C", wait);
    fx_settle(f);
    notify(f, 1);
    notify(f, 1);
    fx_settle(f);
    fx_assert_trace(f, "A woke, A holds, B woke, B holds");
}

static void condition_over_a_shared_lock_wakes_only_its_own(void **state)
{
    struct fixture *f = *state;
    aio_condition *first = f->subject;
    aio_condition *second = aio_condition_new_with(aio_condition_lock(first));

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    f->subject = second;
    (void)fx_spawn(f, "B", wait);
    fx_settle(f);
    assert_int_equal(aio_condition_acquire(first), 0);
    assert_int_equal(aio_condition_notify_all(second), 0);
    assert_int_equal(aio_condition_release(first), 0);
    fx_settle(f);
    fx_assert_trace(f, "B woke, B holds");
    f->subject = first;
    aio_condition_unref(second);
}

/* --- predicates ------------------------------------------------------------------------ */

static void condition_that_is_true_already_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    int answer = 1;

    f->other = &answer;
    /* Without task, loop or lock: asyncio looks at the predicate first, too. */
    assert_int_equal(aio_condition_wait_for(f->subject, is_set, f), 0);
    fx_assert_trace(f, "- sees it");
    assert_int_equal(aio_condition_wait_for(f->subject, NULL, NULL), AIO_EVALUE);
}

/* after asyncio's test_locks.ConditionTests.test_wait_for */
static void condition_is_looked_at_after_each_notification_until_it_is_true(void **state)
{
    struct fixture *f = *state;
    int answer = 0;

    f->other = &answer;
    (void)fx_spawn(f, "A", wait_for_it);
    fx_settle(f);
    fx_assert_trace(f, "A looks");
    notify(f, 1);
    fx_settle(f);
    fx_assert_trace(f, "A looks");
    answer = 7;
    fx_settle(f);
    fx_assert_trace(f, "");
    notify(f, 1);
    fx_settle(f);
    fx_assert_trace(f, "A sees it, A went on");
}

static void condition_whose_predicate_fails_is_no_longer_waited_for(void **state)
{
    struct fixture *f = *state;
    int answer = 0;
    aio_task *task;

    f->other = &answer;
    task = fx_spawn(f, "A", wait_for_it);
    fx_settle(f);
    answer = AIO_EKEY;
    notify(f, 1);
    fx_settle(f);
    fx_assert_trace(f, "A looks, A looks ! KeyError, A went on ! KeyError");
    assert_int_equal(aio_future_result(task, NULL), AIO_EKEY);
    assert_false(aio_condition_locked(f->subject));
}

/* --- cancellation ---------------------------------------------------------------------- */

/* S96; after asyncio's test_locks.ConditionTests.test_wait_cancel */
static void condition_wait_that_is_cancelled_ends_with_the_lock_held(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", wait);
    fx_settle(f);
    (void)aio_task_cancel(a, "enough");
    fx_settle(f);
    fx_assert_trace(f, "A woke ! CancelledError, A holds");
    assert_false(aio_condition_locked(f->subject));
    assert_int_equal(aio_future_result(a, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "enough");
}

/* S96 */
static void condition_wait_that_is_cancelled_waits_for_the_lock_and_keeps_the_message(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", wait);
    fx_settle(f);
    assert_int_equal(aio_condition_acquire(f->subject), 0);
    (void)aio_task_cancel(a, "enough");
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_condition_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A woke ! CancelledError, A holds");
    assert_int_equal(aio_future_result(a, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "enough");
}

/* S96; after asyncio's test_locks.ConditionTests.test_wait_cancel_contested */
static void
condition_cancelled_while_it_takes_the_lock_back_takes_it_and_gives_the_last(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", wait);
    fx_settle(f);
    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_int_equal(aio_condition_notify(f->subject, 1), 0);
    fx_settle(f);
    (void)aio_task_cancel(a, "first");
    fx_settle(f);
    (void)aio_task_cancel(a, "second");
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_condition_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A woke ! CancelledError, A holds");
    assert_int_equal(aio_future_result(a, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "second");
}

/* S97; after asyncio's test_locks.ConditionTests.test_wait_cancel_after_notify */
static void condition_notification_of_one_who_is_cancelled_goes_to_another(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", wait);
    (void)fx_spawn(f, "B", wait);
    fx_settle(f);
    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_int_equal(aio_condition_notify(f->subject, 1), 0);
    (void)aio_task_cancel(a, NULL);
    assert_int_equal(aio_condition_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A woke ! CancelledError, A holds, B woke, B holds");
}

/* S97 */
static void
condition_wait_that_ends_by_an_error_wakes_another_even_without_notification(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", wait);
    (void)fx_spawn(f, "B", wait);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A woke ! CancelledError, A holds, B woke, B holds");
}

/* --- the rest -------------------------------------------------------------------------- */

static void condition_that_tasks_of_one_loop_wait_on_refuses_those_of_another(void **state)
{
    struct fixture *f = *state;
    struct fixture g;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    assert_true(fx_open(&g));
    g.subject = f->subject;
    (void)fx_spawn(&g, "B", wait);
    fx_settle(&g);
    fx_assert_trace(&g, "B woke ! RuntimeError, B holds");
    assert_false(aio_condition_locked(f->subject));
    fx_close(&g);
}

static int wait_in_callback(void *arg)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "woke", aio_condition_wait(f->subject));
    fx_note(f, aio_condition_locked(f->subject) ? "holds" : "DOES NOT HOLD");
    return 0;
}

static void condition_is_waited_on_by_tasks_only_and_nobody_else_loses_the_lock(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_int_equal(aio_condition_wait(f->subject), AIO_ENOLOOP);
    assert_true(aio_condition_locked(f->subject));
    assert_int_equal(aio_loop_call_soon(f->loop, wait_in_callback, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- woke ! RuntimeError, - holds");
}

static int drop_and_notify(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_condition *cond = f->subject;
    int err = aio_condition_enter(cond);

    f->subject = NULL;
    if (err == 0)
        err = aio_condition_exit(cond, aio_condition_notify_all(cond));
    aio_condition_unref(cond);
    return err;
}

static int wait_and_release(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_condition *cond = f->subject;
    int err = aio_condition_enter(cond);

    if (err < 0)
        return err;
    err = fx_note_code(f, "woke", aio_condition_wait(cond));
    /* Nobody else has a reference by now: the condition went with the wait. */
    return err;
}

static void condition_lives_for_as_long_as_somebody_waits_on_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait_and_release);
    (void)fx_spawn(f, "B", drop_and_notify);
    fx_settle(f);
    fx_assert_trace(f, "A woke");
}

static void condition_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    for (size_t nth = 1; nth <= 2; nth++) {
        aio_condition *cond;

        aio__fail_allocation(nth); /* the lock's, then the condition's */
        cond = aio_condition_new();
        assert_true(aio__fail_allocation_happened());
        assert_null(cond);
        assert_int_equal(aio_condition_acquire(cond), AIO_ENOMEM);
        assert_int_equal(aio_condition_release(cond), AIO_ENOMEM);
        assert_int_equal(aio_condition_exit(cond, 0), AIO_ENOMEM);
        assert_int_equal(aio_condition_wait(cond), AIO_ENOMEM);
        assert_int_equal(aio_condition_wait_for(cond, is_set, NULL), AIO_ENOMEM);
        assert_int_equal(aio_condition_notify(cond, 1), AIO_ENOMEM);
        assert_int_equal(aio_condition_notify_all(cond), AIO_ENOMEM);
        assert_false(aio_condition_locked(cond));
        assert_null(aio_condition_lock(cond));
        assert_null(aio_condition_ref(cond));
        aio_condition_unref(cond);
    }
}

static void condition_over_a_lock_that_could_not_be_made_fails_likewise(void **state)
{
    aio_condition *cond;

    aio__fail_allocation(1);
    cond = aio_condition_new_with(aio_lock_new());
    assert_null(cond);
    assert_int_equal(aio_condition_acquire(cond), AIO_ENOMEM);
}

static void condition_wait_without_memory_for_it_leaves_the_lock_held(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "tick", fx_tick); /* has a stack made, which A takes over */
    fx_settle(f);
    fx_assert_trace(f, "tick 0, tick 1, tick 2");
    (void)fx_spawn(f, "A", wait);
    aio__fail_allocation(1);
    fx_settle(f);
    assert_true(aio__fail_allocation_happened());
    fx_assert_trace(f, "A woke ! MemoryError, A holds");
}

/* S96, where Python has no counterpart: what stands in for "cannot fail" */
static void condition_without_memory_to_wait_for_the_lock_gets_it_all_the_same(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait);
    fx_settle(f);
    assert_int_equal(aio_condition_acquire(f->subject), 0);
    assert_int_equal(aio_condition_notify(f->subject, 1), 0);
    aio__fail_allocation(1);
    fx_step(f); /* A is awake, finds the lock held, and no memory to stand in line with */
    assert_true(aio__fail_allocation_happened());
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_condition_release(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A woke, A holds");
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;
    aio_condition *cond;

    if (!fx_open(&f))
        return;
    cond = aio_condition_new();
    f.subject = cond;
    for (int i = 0; i < 4; i++)
        (void)fx_spawn(&f, "T", wait_and_linger);
    fx_settle(&f);
    for (int i = 0; i < 2 && cond != NULL; i++) {
        notify(&f, 2);
        fx_settle(&f);
    }
    assert_false(aio_condition_locked(cond));
    for (size_t i = 0; i < f.task_count; i++)
        assert_true(aio_future_done(f.tasks[i]));
    fx_close(&f);
    aio_condition_unref(cond);
}

static void condition_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(condition_needs_the_lock_for_all_it_does),
        TEST(condition_has_a_lock_of_its_own_unless_it_is_given_one),
        TEST(condition_block_releases_whatever_its_body_ends_with),
        TEST(condition_wait_lets_go_of_the_lock_and_takes_it_back),
        TEST(condition_notification_does_not_let_go_of_the_lock),
        TEST(condition_wakes_one_iteration_after_the_notification_if_the_lock_is_free),
        TEST(condition_notifies_as_many_as_asked_in_the_order_of_waiting),
        TEST(condition_woken_go_on_one_by_one),
        TEST(condition_does_not_notify_anybody_twice),
        TEST(condition_over_a_shared_lock_wakes_only_its_own),
        TEST(condition_that_is_true_already_is_not_waited_for),
        TEST(condition_is_looked_at_after_each_notification_until_it_is_true),
        TEST(condition_whose_predicate_fails_is_no_longer_waited_for),
        TEST(condition_wait_that_is_cancelled_ends_with_the_lock_held),
        TEST(condition_wait_that_is_cancelled_waits_for_the_lock_and_keeps_the_message),
        TEST(condition_cancelled_while_it_takes_the_lock_back_takes_it_and_gives_the_last),
        TEST(condition_notification_of_one_who_is_cancelled_goes_to_another),
        TEST(condition_wait_that_ends_by_an_error_wakes_another_even_without_notification),
        TEST(condition_that_tasks_of_one_loop_wait_on_refuses_those_of_another),
        TEST(condition_is_waited_on_by_tasks_only_and_nobody_else_loses_the_lock),
        TEST(condition_lives_for_as_long_as_somebody_waits_on_it),
        TEST(condition_that_could_not_be_made_gives_the_code_of_the_failure),
        TEST(condition_over_a_lock_that_could_not_be_made_fails_likewise),
        TEST(condition_wait_without_memory_for_it_leaves_the_lock_held),
        TEST(condition_without_memory_to_wait_for_the_lock_gets_it_all_the_same),
        TEST(condition_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
