/* SPDX-License-Identifier: MIT */
/*
 * test_barrier.c - a place where tasks meet
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/barrier.h>

/* A barrier for three. */
static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_barrier_new(3);
    return f->subject == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_barrier_unref(f->subject);
    return fx_teardown(state);
}

/* --- what the tasks do ----------------------------------------------------------------- */

static int meet(struct fixture *f)
{
    size_t index = 99;
    int err = aio_barrier_wait(f->subject, &index);

    if (err < 0)
        return fx_note_code(f, index == 99 ? "met" : "WROTE AN INDEX", err);
    fx_note(f, "met as %zu", index);
    return 0;
}

static int meet_once(void *arg, void **ret_result)
{
    return meet(arg);
}

static int meet_twice(void *arg, void **ret_result)
{
    int err = meet(arg);

    return err < 0 ? err : meet(arg);
}

static int reset(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "reset", aio_barrier_reset(f->subject));
}

static int abort_it(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "aborted", aio_barrier_abort(f->subject));
}

/* --- meeting --------------------------------------------------------------------------- */

static void barrier_of_less_than_one_party_is_refused(void **state)
{
    aio_barrier *barrier = aio_barrier_new(0);

    assert_null(barrier);
    assert_int_equal(aio_barrier_wait(barrier, NULL), AIO_EVALUE);
    assert_null(aio_barrier_new(-1));
}

static void barrier_of_one_party_makes_nobody_wait(void **state)
{
    aio_barrier *barrier = aio_barrier_new(1);
    size_t index = 99;

    aio__fail_allocation(1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(aio_barrier_wait(barrier, &index), 0);
        assert_int_equal(index, 0);
    }
    assert_false(aio__fail_allocation_happened());
    aio__fail_allocation(0);
    assert_int_equal(aio_barrier_parties(barrier), 1);
    aio_barrier_unref(barrier);
}

/* S99; after asyncio's test_locks.BarrierTests.test_wait_task_run */
static void barrier_lets_all_go_once_all_are_there_and_the_last_one_first(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "");
    (void)fx_spawn(f, "C", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "C met as 2, A met as 0, B met as 1");
}

/* S29, S99 */
static void barrier_lets_those_who_waited_go_one_iteration_after_the_last_came(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    (void)fx_spawn(f, "tick", fx_tick);
    (void)fx_spawn(f, "C", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, C met as 2, tick 1, A met as 0, B met as 1, tick 2");
}

/* S100 */
static void barrier_says_how_many_wait_while_it_fills(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_barrier_parties(f->subject), 3);
    assert_int_equal(aio_barrier_n_waiting(f->subject), 0);
    (void)fx_spawn(f, "A", meet_once);
    fx_settle(f);
    assert_int_equal(aio_barrier_n_waiting(f->subject), 1);
    (void)fx_spawn(f, "B", meet_once);
    (void)fx_spawn(f, "C", meet_once);
    fx_step(f); /* all are there; A and B are still to leave */
    fx_assert_trace(f, "C met as 2");
    assert_int_equal(aio_barrier_n_waiting(f->subject), 0);
    fx_settle(f);
    fx_assert_trace(f, "A met as 0, B met as 1");
    assert_int_equal(aio_barrier_n_waiting(f->subject), 0);
    assert_false(aio_barrier_broken(f->subject));
}

/* after asyncio's test_locks.BarrierTests.test_barrier_reuse, in effect */
static void barrier_can_be_used_again_and_again(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_twice);
    (void)fx_spawn(f, "B", meet_twice);
    (void)fx_spawn(f, "C", meet_twice);
    fx_settle(f);
    /* B, the last out, comes straight in again; C and A have to come in from outside. */
    fx_assert_trace(f, "C met as 2, A met as 0, B met as 1, "
                       "A met as 2, B met as 0, C met as 1");
}

/* S99; after asyncio's test_locks.BarrierTests.test_filling_tasks_while_draining, in effect */
static void barrier_keeps_newcomers_outside_until_the_last_of_the_group_has_left(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    (void)fx_spawn(f, "C", meet_once);
    (void)fx_spawn(f, "D", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "C met as 2, A met as 0, B met as 1");
    assert_int_equal(aio_barrier_n_waiting(f->subject), 1); /* D, now inside */
}

/* --- cancelling, resetting, breaking --------------------------------------------------- */

/* S100; after asyncio's test_locks.BarrierTests.test_cancel_wait */
static void barrier_waits_for_one_more_when_a_party_is_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    a = fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A met ! CancelledError");
    assert_int_equal(aio_barrier_n_waiting(f->subject), 1);
    assert_false(aio_barrier_broken(f->subject));
    (void)fx_spawn(f, "C", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "");
    (void)fx_spawn(f, "D", meet_once);
    fx_settle(f);
    /* The place is a count of those inside: C has the number that A's leaving gave back. */
    fx_assert_trace(f, "D met as 2, B met as 1, C met as 1");
}

/* S99: who is cancelled outside was never a party */
static void barrier_is_not_touched_by_a_newcomer_cancelled_outside(void **state)
{
    struct fixture *f = *state;
    aio_task *d;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    (void)fx_spawn(f, "C", meet_once);
    d = fx_spawn(f, "D", meet_once);
    fx_step(f);
    (void)aio_task_cancel(d, NULL);
    fx_settle(f);
    fx_assert_trace(f, "C met as 2, A met as 0, B met as 1, D met ! CancelledError");
    assert_int_equal(aio_barrier_n_waiting(f->subject), 0);
    assert_false(aio_barrier_broken(f->subject));
}

/* S100; after asyncio's test_locks.BarrierTests.test_reset_barrier */
static void barrier_reset_breaks_those_who_wait_and_serves_those_who_come(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    (void)fx_spawn(f, "R", reset);
    fx_settle(f);
    fx_assert_trace(f, "R reset, A met ! BrokenBarrierError, B met ! BrokenBarrierError");
    assert_false(aio_barrier_broken(f->subject));
    assert_int_equal(aio_barrier_n_waiting(f->subject), 0);

    (void)fx_spawn(f, "C", meet_once);
    (void)fx_spawn(f, "D", meet_once);
    (void)fx_spawn(f, "E", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "E met as 2, C met as 0, D met as 1");
}

/* S100 */
static void barrier_reset_with_nobody_inside_changes_nothing_and_does_not_wait(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_barrier_reset(f->subject), 0);
    (void)fx_spawn(f, "A", meet_once);
    fx_settle(f);
    assert_int_equal(aio_barrier_n_waiting(f->subject), 1);
}

/* S99 */
static void barrier_keeps_newcomers_outside_while_it_is_reset(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    (void)fx_spawn(f, "R", reset);
    (void)fx_spawn(f, "C", meet_once); /* would complete the parties */
    fx_settle(f);
    fx_assert_trace(f, "R reset, A met ! BrokenBarrierError, B met ! BrokenBarrierError");
    assert_int_equal(aio_barrier_n_waiting(f->subject), 1); /* C, of the next group */
}

/* S100; after asyncio's test_locks.BarrierTests.test_abort_barrier */
static void barrier_abort_breaks_those_who_wait_and_those_who_come_until_a_reset(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    fx_settle(f);
    (void)fx_spawn(f, "X", abort_it);
    fx_settle(f);
    fx_assert_trace(f, "X aborted, A met ! BrokenBarrierError");
    assert_true(aio_barrier_broken(f->subject));

    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "B met ! BrokenBarrierError");
    assert_int_equal(aio_barrier_wait(f->subject, NULL), AIO_EBROKENBARRIER);
    assert_string_equal(aio_error_text(AIO_EBROKENBARRIER), "Barrier aborted");

    assert_int_equal(aio_barrier_reset(f->subject), 0);
    assert_false(aio_barrier_broken(f->subject));
    (void)fx_spawn(f, "C", meet_once);
    (void)fx_spawn(f, "D", meet_once);
    (void)fx_spawn(f, "E", meet_once);
    fx_settle(f);
    fx_assert_trace(f, "E met as 2, C met as 0, D met as 1");
}

/* S100: a change of state before the woken have run decides what they get */
static void barrier_aborted_while_it_drains_breaks_those_who_have_not_left(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    fx_settle(f);
    (void)fx_spawn(f, "C", meet_once);
    (void)fx_spawn(f, "X", abort_it);
    fx_settle(f);
    fx_assert_trace(f, "C met as 2, X aborted, "
                       "A met ! BrokenBarrierError, B met ! BrokenBarrierError");
    assert_true(aio_barrier_broken(f->subject));
}

/* --- the rest -------------------------------------------------------------------------- */

/* S171 */
static void barrier_block_begins_with_the_wait_and_ends_without_one(void **state)
{
    aio_barrier *barrier = aio_barrier_new(1);
    size_t index = 99;

    assert_int_equal(aio_barrier_enter(barrier, &index), 0);
    assert_int_equal(index, 0);
    assert_int_equal(aio_barrier_exit(barrier, 0), 0);
    assert_int_equal(aio_barrier_exit(barrier, AIO_EKEY), AIO_EKEY);
    aio_barrier_unref(barrier);
}

static void barrier_that_tasks_of_one_loop_wait_at_refuses_those_of_another(void **state)
{
    struct fixture *f = *state;
    struct fixture g;

    (void)fx_spawn(f, "A", meet_once);
    fx_settle(f);
    assert_true(fx_open(&g));
    g.subject = f->subject;
    (void)fx_spawn(&g, "B", meet_once);
    fx_settle(&g);
    fx_assert_trace(&g, "B met ! RuntimeError");
    assert_int_equal(aio_barrier_n_waiting(f->subject), 1);
    fx_close(&g);
}

static void barrier_is_waited_at_by_tasks_only(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_barrier_wait(f->subject, NULL), AIO_ENOLOOP);
    assert_int_equal(aio_barrier_n_waiting(f->subject), 0);
}

static int drop_and_meet(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_barrier *barrier = f->subject;
    int err;

    f->subject = NULL;
    err = fx_note_code(f, "met", aio_barrier_wait(barrier, NULL));
    aio_barrier_unref(barrier);
    return err;
}

static void barrier_lives_for_as_long_as_somebody_waits_at_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", meet_once);
    (void)fx_spawn(f, "B", meet_once);
    (void)fx_spawn(f, "C", drop_and_meet);
    fx_settle(f);
    fx_assert_trace(f, "C met, A met as 0, B met as 1");
}

static void barrier_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    for (size_t nth = 1; nth <= 3; nth++) {
        aio_barrier *barrier;
        size_t index = 99;

        aio__fail_allocation(nth); /* the barrier's, the lock's, the condition's */
        barrier = aio_barrier_new(3);
        assert_true(aio__fail_allocation_happened());
        assert_null(barrier);
        assert_int_equal(aio_barrier_wait(barrier, &index), AIO_ENOMEM);
        assert_int_equal(aio_barrier_enter(barrier, &index), AIO_ENOMEM);
        assert_int_equal(index, 99);
        assert_int_equal(aio_barrier_exit(barrier, 0), AIO_ENOMEM);
        assert_int_equal(aio_barrier_reset(barrier), AIO_ENOMEM);
        assert_int_equal(aio_barrier_abort(barrier), AIO_ENOMEM);
        assert_int_equal(aio_barrier_parties(barrier), 0);
        assert_int_equal(aio_barrier_n_waiting(barrier), 0);
        assert_false(aio_barrier_broken(barrier));
        assert_null(aio_barrier_ref(barrier));
        aio_barrier_unref(barrier);
    }
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;
    aio_barrier *barrier;

    if (!fx_open(&f))
        return;
    barrier = aio_barrier_new(2);
    f.subject = barrier;
    for (int i = 0; i < 4; i++)
        (void)fx_spawn(&f, "T", meet_once);
    (void)fx_spawn(&f, "R", reset);
    fx_settle(&f);
    fx_end_tasks(&f);
    assert_int_equal(aio_barrier_n_waiting(barrier), 0); /* nobody has left a trace inside */
    fx_close(&f);
    aio_barrier_unref(barrier);
}

static void barrier_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(barrier_of_less_than_one_party_is_refused),
        TEST(barrier_of_one_party_makes_nobody_wait),
        TEST(barrier_lets_all_go_once_all_are_there_and_the_last_one_first),
        TEST(barrier_lets_those_who_waited_go_one_iteration_after_the_last_came),
        TEST(barrier_says_how_many_wait_while_it_fills),
        TEST(barrier_can_be_used_again_and_again),
        TEST(barrier_keeps_newcomers_outside_until_the_last_of_the_group_has_left),
        TEST(barrier_waits_for_one_more_when_a_party_is_cancelled),
        TEST(barrier_is_not_touched_by_a_newcomer_cancelled_outside),
        TEST(barrier_reset_breaks_those_who_wait_and_serves_those_who_come),
        TEST(barrier_reset_with_nobody_inside_changes_nothing_and_does_not_wait),
        TEST(barrier_keeps_newcomers_outside_while_it_is_reset),
        TEST(barrier_abort_breaks_those_who_wait_and_those_who_come_until_a_reset),
        TEST(barrier_aborted_while_it_drains_breaks_those_who_have_not_left),
        TEST(barrier_block_begins_with_the_wait_and_ends_without_one),
        TEST(barrier_that_tasks_of_one_loop_wait_at_refuses_those_of_another),
        TEST(barrier_is_waited_at_by_tasks_only),
        TEST(barrier_lives_for_as_long_as_somebody_waits_at_it),
        TEST(barrier_that_could_not_be_made_gives_the_code_of_the_failure),
        TEST(barrier_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
