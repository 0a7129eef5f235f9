/* SPDX-License-Identifier: MIT */
/*
 * test_gather.c - several awaitables at once, their outcomes in order
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

enum { CHILDREN = 3 };

static aio_future *children[CHILDREN]; /* plain futures, which the test finishes */

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    for (int i = 0; i < CHILDREN; i++)
        children[i] = aio_future_new(f->loop);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_future_unref(f->subject);
    f->subject = NULL;
    for (int i = 0; i < CHILDREN; i++)
        aio_future_unref(children[i]);
    return fx_teardown(state);
}

static aio_future *gather(struct fixture *f, unsigned flags)
{
    f->subject = aio_gather(children, CHILDREN, flags);
    assert_non_null(f->subject);
    return f->subject;
}

static void finish(int i, intptr_t value)
{
    assert_int_equal(aio_future_set_result(children[i], (void *)value), 0);
}

static void fail_child(int i, int code)
{
    assert_int_equal(aio_future_set_error(children[i], code), 0);
}

static const aio_outcomes *outcomes(aio_future *outer)
{
    void *value = NULL;

    assert_int_equal(aio_future_result(outer, &value), 0);
    return value;
}

static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = fx_note_code(f, "gathered", aio_await(f->subject, ret_result));

    fx_note(f, "cancelling %u", aio_task_cancelling(aio_current_task(NULL)));
    return err;
}

/* S68; after asyncio's test_tasks.GatherTestsBase.test_ordering */
static void gather_keeps_the_order_of_its_arguments(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = gather(f, 0);

    finish(2, 30);
    finish(0, 10);
    finish(1, 20);
    fx_settle(f);
    assert_int_equal(outcomes(outer)->count, 3);
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal((intptr_t)outcomes(outer)->items[i].value, 10 * (i + 1));
}

static int count_run(void *arg, void **ret_result)
{
    fx_note(arg, "runs");
    *ret_result = arg;
    return 0;
}

/* S68; after asyncio's test_tasks.GatherTestsBase.test_duplicates and
 * CoroutineGatherTests.test_duplicate_coroutines */
static void gather_runs_what_is_there_twice_once_and_fills_both_places(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(count_run, f, NULL);
    aio_future *twice[] = {coro, children[0], coro};

    aio_set_event_loop(f->loop);
    /* A future says which loop it is, so that a coroutine before it has one too. */
    assert_int_equal(aio_ensure_future(coro, f->loop), 0);
    f->subject = aio_gather(twice, 3, 0);
    finish(0, 7);
    fx_settle(f);
    assert_non_null(strstr(f->trace, "runs"));
    assert_null(strstr(strstr(f->trace, "runs") + 1, "runs"));
    f->used = 0;
    f->trace[0] = '\0';
    assert_ptr_equal(outcomes(f->subject)->items[0].value, f);
    assert_int_equal((intptr_t)outcomes(f->subject)->items[1].value, 7);
    assert_ptr_equal(outcomes(f->subject)->items[2].value, f);
}

/* S68; after asyncio's test_tasks.FutureGatherTests.test_constructor_empty_sequence */
static void gather_of_nothing_is_done_and_needs_a_loop(void **state)
{
    struct fixture *f = *state;

    f->subject = aio_gather(NULL, 0, 0);
    assert_true(aio_future_done(f->subject));
    assert_ptr_equal(aio_future_get_loop(f->subject), f->loop);
    assert_int_equal(outcomes(f->subject)->count, 0);
    aio_set_event_loop(NULL);
    assert_null(aio_gather(NULL, 0, 0));
    assert_int_equal(aio_last_failure(), AIO_ENOLOOP);
    aio_set_event_loop(f->loop);
}

/* after asyncio's test_tasks.FutureGatherTests.test_constructor_heterogenous_futures */
static void gather_of_futures_of_two_loops_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fixture g;
    aio_future *mixed[2];

    assert_true(fx_open(&g));
    mixed[0] = children[0];
    mixed[1] = aio_future_new(g.loop);
    f->subject = aio_gather(mixed, 2, 0);
    assert_null(f->subject);
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    aio_future_unref(mixed[1]);
    fx_close(&g);
}

/* S69; after asyncio's test_tasks.FutureGatherTests.test_one_exception */
static void gather_ends_with_the_first_error_and_the_others_go_on(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = gather(f, 0);

    fail_child(1, AIO_EKEY);
    fx_settle(f);
    assert_int_equal(aio_future_result(outer, NULL), AIO_EKEY);
    assert_false(aio_future_done(children[0]));
    finish(0, 1);
    fail_child(2, AIO_EVALUE); /* and is not reported: the teardown looks */
    fx_settle(f);
    assert_int_equal(aio_future_result(outer, NULL), AIO_EKEY);
}

/* S69 */
static void gather_that_has_failed_cannot_be_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = gather(f, 0);

    fail_child(1, AIO_EKEY);
    fx_settle(f);
    assert_false(aio_future_cancel(outer, NULL));
    assert_int_equal(aio_future_result(outer, NULL), AIO_EKEY);
    assert_false(aio_future_done(children[0]));
    assert_false(aio_future_done(children[2]));
}

/* S70; after asyncio's test_tasks.FutureGatherTests.test_one_cancellation */
static void gather_takes_a_cancelled_child_for_an_error(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = gather(f, 0);
    aio_task *task = fx_spawn(f, "T", await_subject);

    fx_settle(f);
    assert_true(aio_future_cancel(children[1], NULL));
    fx_settle(f);
    assert_false(aio_future_cancelled(outer));
    assert_int_equal(aio_future_result(outer, NULL), AIO_ECANCELLED);
    fx_assert_trace(f, "T gathered ! CancelledError, T cancelling 0");
    assert_true(aio_future_cancelled(task));
}

static int exit_system(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_ESYSTEMEXIT, "enough");
}

/* S11, S40: it leaves the run with the child that raised it, and again with who awaited that */
static void gather_gives_system_exit_of_a_child_to_who_awaits_it(void **state)
{
    struct fixture *f = *state;
    aio_future *both[] = {children[0], fx_spawn(f, "A", exit_system)};
    aio_task *task;

    f->subject = aio_gather(both, 2, 0);
    task = fx_spawn(f, "T", await_subject);
    assert_int_equal(aio_loop_run_until_complete(f->loop, task, NULL), AIO_ESYSTEMEXIT);
    assert_false(aio_future_done(task));
    assert_int_equal(aio_loop_run_until_complete(f->loop, task, NULL), AIO_ESYSTEMEXIT);
    fx_assert_trace(f, "T gathered ! SystemExit, T cancelling 0");
    assert_string_equal(aio_error_text(AIO_ESYSTEMEXIT), "enough");
    assert_int_equal(aio_future_result(task, NULL), AIO_ESYSTEMEXIT);
    assert_false(aio_future_done(children[0]));
}

/* S70; after asyncio's test_tasks.FutureGatherTests.test_return_exceptions */
static void gather_lists_errors_and_cancellations_when_asked_to(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = gather(f, AIO_RETURN_EXCEPTIONS);
    const aio_outcomes *all;

    fail_child(0, AIO_EKEY);
    assert_true(aio_future_cancel(children[1], NULL));
    fx_settle(f);
    assert_false(aio_future_done(outer));
    finish(2, 3);
    fx_settle(f);
    all = outcomes(outer);
    assert_int_equal(all->items[0].code, AIO_EKEY);
    assert_int_equal(aio_exception_code(all->items[0].error), AIO_EKEY);
    assert_int_equal(all->items[1].code, AIO_ECANCELLED);
    assert_int_equal(all->items[2].code, 0);
    assert_int_equal((intptr_t)all->items[2].value, 3);
}

/* S71; after asyncio's test_tasks.CoroutineGatherTests.test_cancellation_broadcast */
static void gather_that_is_cancelled_cancels_its_children_and_returns(void **state)
{
    struct fixture *f = *state;
    aio_future *outer = gather(f, 0);

    finish(0, 1);
    fx_settle(f);
    assert_true(aio_future_cancel(outer, NULL));
    assert_false(aio_future_done(outer));
    assert_true(aio_future_cancelled(children[1]));
    assert_true(aio_future_cancelled(children[2]));
    fx_settle(f);
    assert_true(aio_future_done(outer));
    assert_false(aio_future_cancelled(outer)); /* it holds the error */
    assert_int_equal(aio_future_result(outer, NULL), AIO_ECANCELLED);
}

static int sleep_and_survive(void *arg, void **ret_result)
{
    (void)ret_result;
    (void)fx_note_code(arg, "survives", aio_sleep(10));
    return 0;
}

static int sleep_and_die_slowly(void *arg, void **ret_result)
{
    int err = aio_sleep(10);

    (void)ret_result;
    (void)aio_sleep(1);
    fx_note(arg, "dies");
    return err;
}

/* S71; after asyncio's test_tasks.CoroutineGatherTests.test_exception_marking */
static void gather_that_is_cancelled_ends_cancelled_though_all_children_survive(void **state)
{
    struct fixture *f = *state;
    aio_task *both[] = {fx_spawn(f, "A", sleep_and_survive), fx_spawn(f, "B", sleep_and_survive)};

    f->subject = aio_gather(both, 2, 0);
    fx_step(f);
    assert_true(aio_future_cancel(f->subject, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A survives ! CancelledError, B survives ! CancelledError");
    assert_int_equal(aio_future_result(f->subject, NULL), AIO_ECANCELLED);
    assert_false(aio_future_cancelled(f->subject));
}

static int note_end(aio_future *fut, void *arg)
{
    (void)fut;
    fx_note(arg, "gather ends");
    return 0;
}

/* S71 */
static void gather_with_exceptions_waits_for_all_when_it_is_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *both[] = {fx_spawn(f, "A", sleep_and_survive),
                        fx_spawn(f, "B", sleep_and_die_slowly)};

    f->subject = aio_gather(both, 2, AIO_RETURN_EXCEPTIONS);
    assert_int_equal(aio_future_add_done_callback(f->subject, note_end, f), 0);
    fx_step(f);
    assert_true(aio_future_cancel(f->subject, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A survives ! CancelledError, B dies, - gather ends");
    assert_int_equal(aio_future_result(f->subject, NULL), AIO_ECANCELLED);
}

/* S71 */
static void gather_without_exceptions_ends_with_the_first_child_that_ends_cancelled(void **state)
{
    struct fixture *f = *state;
    aio_task *both[] = {fx_spawn(f, "A", sleep_and_die_slowly), NULL};

    both[1] = children[0];
    f->subject = aio_gather(both, 2, 0);
    assert_int_equal(aio_future_add_done_callback(f->subject, note_end, f), 0);
    fx_step(f);
    assert_true(aio_future_cancel(f->subject, NULL));
    fx_settle(f);
    fx_assert_trace(f, "- gather ends, A dies");
    assert_int_equal(aio_future_result(f->subject, NULL), AIO_ECANCELLED);
}

static int gather_eager(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_future *both[2];

    (void)ret_result;
    options.eager_start = AIO_EAGER_YES;
    both[0] = aio_create_task_with(count_run, f, &options);
    both[1] = aio_create_task_with(count_run, f, &options);
    f->subject = aio_gather(both, 2, 0);
    fx_note(f, "done %d", aio_future_done(f->subject));
    aio_future_unref(both[0]);
    aio_future_unref(both[1]);
    return 0;
}

/* S50; after asyncio's test_eager_task_factory.EagerTaskFactoryLoopTests.test_eager_start_false
 * and test_taskgroups */
static void gather_of_children_that_ended_eagerly_is_done_when_it_is_made(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", gather_eager);
    fx_settle(f);
    assert_non_null(strstr(f->trace, "T done 1"));
    f->used = 0;
    f->trace[0] = '\0';
}

static void gather_prints_as_what_it_is(void **state)
{
    struct fixture *f = *state;
    char text[128];

    (void)aio_future_format(gather(f, 0), text, sizeof(text));
    assert_non_null(strstr(text, "_GatheringFuture pending"));
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;
    aio_future *outer;
    aio_task *tasks[2];

    (void)arg;
    if (!fx_open(&f))
        return;
    tasks[0] = fx_spawn(&f, "A", sleep_and_survive);
    tasks[1] = fx_spawn(&f, "B", count_run);
    outer = aio_gather(tasks, 2, AIO_RETURN_EXCEPTIONS);
    fx_step(&f);
    (void)aio_future_cancel(outer, NULL);
    fx_settle(&f);
    assert_true(aio_future_done(outer));
    (void)aio_future_result(outer, NULL);
    aio_future_unref(outer);
    fx_close(&f);
}

static void gather_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(gather_keeps_the_order_of_its_arguments),
        TEST(gather_runs_what_is_there_twice_once_and_fills_both_places),
        TEST(gather_of_nothing_is_done_and_needs_a_loop),
        TEST(gather_of_futures_of_two_loops_is_refused),
        TEST(gather_ends_with_the_first_error_and_the_others_go_on),
        TEST(gather_that_has_failed_cannot_be_cancelled),
        TEST(gather_takes_a_cancelled_child_for_an_error),
        TEST(gather_gives_system_exit_of_a_child_to_who_awaits_it),
        TEST(gather_lists_errors_and_cancellations_when_asked_to),
        TEST(gather_that_is_cancelled_cancels_its_children_and_returns),
        TEST(gather_that_is_cancelled_ends_cancelled_though_all_children_survive),
        TEST(gather_with_exceptions_waits_for_all_when_it_is_cancelled),
        TEST(gather_without_exceptions_ends_with_the_first_child_that_ends_cancelled),
        TEST(gather_of_children_that_ended_eagerly_is_done_when_it_is_made),
        TEST(gather_prints_as_what_it_is),
        TEST(gather_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
