/* SPDX-License-Identifier: MIT */
/*
 * test_close.c - what becomes of tasks that still wait when their loop is closed
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* The tasks that are left are reported, to nobody here. */
static void close_loop(struct fixture *f)
{
    aio_loop_set_exception_handler(f->loop, NULL, NULL);
    assert_int_equal(aio_loop_close(f->loop), 0);
}

static int wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "went on", aio_await(f->subject, NULL));
}

static int wait_stubbornly(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "went on", aio_await(f->subject, NULL));
    return fx_note_code(f, "went on", aio_await(f->subject, NULL));
}

static void close_takes_tasks_out_of_their_waits(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", wait);

    fx_spawn(f, "B", wait_stubbornly);
    fx_settle(f);

    close_loop(f);
    fx_assert_trace(f, "A went on ! GeneratorExit, B went on ! GeneratorExit, "
                       "B went on ! GeneratorExit");
    assert_true(aio_future_done(a));
}

/* The future is looked at once more when the last reference goes. */
static void future_may_outlive_those_who_waited_for_it_when_the_loop_was_closed(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", wait);
    fx_spawn(f, "B", wait);
    fx_spawn(f, "C", wait);
    fx_settle(f);

    close_loop(f);
    fx_assert_trace(f, "A went on ! GeneratorExit, B went on ! GeneratorExit, "
                       "C went on ! GeneratorExit");
    while (f->task_count > 0)
        aio_future_unref(f->tasks[--f->task_count]);
    assert_false(aio_future_done(f->subject));
    assert_true(aio_future_cancel(f->subject, NULL));
}

/* --- those who do not give up ---------------------------------------------------------------- */

/* Sleeps until it is left where it is: its frames never unwind. */
static int sleep_for_ever(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    for (;;)
        (void)aio_sleep(1);
    return 0;
}

static int yield_for_ever(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    for (;;)
        (void)aio_sleep(0);
    return 0;
}

static int await_for_ever(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    for (;;)
        (void)aio_await(f->subject, NULL);
    return 0;
}

static int wait_for_ever(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_future *fut = f->subject;

    (void)ret_result;
    for (;;)
        (void)aio_wait(&fut, 1, 5, AIO_ALL_COMPLETED, NULL);
    return 0;
}

static int wait_with_limit_for_ever(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    for (;;) {
        (void)aio_wait_for(f->subject, 5, NULL);
        (void)aio_wait_for(f->subject, 0, NULL);
    }
    return 0;
}

static int acquire_for_ever(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    while (aio_lock_acquire(f->other) < 0)
        ;
    return 0;
}

/*
 * On a loop that keeps no idle stack: what is left on an abandoned one cannot be touched without
 * being found out.
 */
static aio_loop *make_thrifty_loop(void)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_loop *loop;

    options.clock = AIO_CLOCK_VIRTUAL;
    options.idle_stack_bytes = 1;
    loop = aio_loop_new(&options);
    assert_non_null(loop);
    return loop;
}

static void begin_tasks(aio_loop *loop)
{
    aio_loop_stop(loop);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    aio_loop_stop(loop);
    assert_int_equal(aio_loop_run_forever(loop), 0);
}

/* Several, so that the first one's stack could serve the next. */
static void give_up_four(struct fixture *f, aio_coro_fn fn)
{
    aio_loop *loop = make_thrifty_loop();
    aio_future *mine = f->subject;
    aio_task *tasks[4];

    f->subject = aio_future_new(loop);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_loop_create_task(loop, fn, f, NULL);
    begin_tasks(loop);
    assert_int_equal(aio_loop_close(loop), 0);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        assert_true(aio_future_cancelled(tasks[i]));
        aio_future_unref(tasks[i]);
    }
    aio_loop_unref(loop);
    aio_future_unref(f->subject);
    f->subject = mine;
}

static void task_that_sleeps_for_ever_is_given_up(void **state)
{
    give_up_four(*state, sleep_for_ever);
}

static void task_that_yields_for_ever_is_given_up(void **state)
{
    give_up_four(*state, yield_for_ever);
}

static void task_that_awaits_for_ever_is_given_up(void **state)
{
    give_up_four(*state, await_for_ever);
}

static void task_that_waits_for_ever_is_given_up(void **state)
{
    give_up_four(*state, wait_for_ever);
}

static void task_that_waits_with_a_limit_for_ever_is_given_up(void **state)
{
    give_up_four(*state, wait_with_limit_for_ever);
}

static void task_that_asks_for_a_lock_for_ever_is_given_up(void **state)
{
    struct fixture *f = *state;
    aio_lock *lock = aio_lock_new();

    assert_int_equal(aio_lock_acquire(lock), 0);
    f->other = lock;
    give_up_four(f, acquire_for_ever);
    /* Nobody is left in its line. */
    assert_int_equal(aio_lock_release(lock), 0);
    assert_int_equal(aio_lock_acquire(lock), 0);
    aio_lock_unref(lock);
}

static int try_every_wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_future *fut = f->subject;
    aio_coroutine *coro = aio_coroutine_new(wait, f, NULL);
    aio_as_completed *it = aio_as_completed_new(&fut, 1, AIO_FOREVER);

    (void)ret_result;
    (void)fx_note_code(f, "await", aio_await(fut, NULL));
    (void)fx_note_code(f, "sleep", aio_sleep(1));
    (void)fx_note_code(f, "yield", aio_sleep(0));
    (void)fx_note_code(f, "wait", aio_wait(&fut, 1, 5, AIO_ALL_COMPLETED, NULL));
    (void)fx_note_code(f, "wait_for", aio_wait_for(fut, 5, NULL));
    (void)fx_note_code(f, "wait_for 0", aio_wait_for(fut, 0, NULL));
    (void)fx_note_code(f, "wait_for coro", aio_wait_for(coro, 5, NULL));
    (void)fx_note_code(f, "next", aio_as_completed_next(it, &fut));
    (void)aio_coroutine_close(coro);
    aio_future_unref(coro);
    aio_as_completed_unref(it);
    return 0;
}

static void every_wait_is_refused_while_the_loop_is_closed(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", try_every_wait);

    fx_settle(f);
    close_loop(f);
    fx_assert_trace(f, "A await ! GeneratorExit, A sleep ! GeneratorExit, "
                       "A yield ! GeneratorExit, A wait ! GeneratorExit, "
                       "A wait_for ! GeneratorExit, A wait_for 0 ! GeneratorExit, "
                       "A wait_for coro ! GeneratorExit, A next ! GeneratorExit");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

/* --- blocks ---------------------------------------------------------------------------------- */

static int wait_in_blocks(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(10);
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err;

    (void)ret_result;
    err = aio_timeout_enter(timeout);
    if (err == 0)
        err = aio_taskgroup_enter(group);
    if (err < 0)
        return err;
    aio_future_unref(aio_taskgroup_create_task(group, wait, f));
    aio_future_unref(aio_taskgroup_create_task(group, wait_stubbornly, f));
    err = fx_note_code(f, "group", aio_taskgroup_exit(group, aio_await(f->subject, NULL)));
    return fx_note_code(f, "timeout", aio_timeout_exit(timeout, err));
}

static void blocks_are_left_when_the_loop_is_closed(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", wait_in_blocks);

    fx_step(f);
    fx_step(f);
    close_loop(f);
    assert_memory_equal(f->trace, "A group ! GeneratorExit, A timeout ! GeneratorExit, ", 52);
    assert_int_equal(aio_future_result(task, NULL), AIO_EGENERATOREXIT);
}

static int wait_in_exit(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();

    (void)ret_result;
    if (aio_taskgroup_enter(group) < 0)
        return AIO_ERUNTIME;
    aio_future_unref(aio_taskgroup_create_task(group, wait, f));
    aio_future_unref(aio_taskgroup_create_task(group, wait, f));
    return fx_note_code(f, "left", aio_taskgroup_exit(group, 0));
}

/* The children end when nobody is there any more to hear of it. */
static void task_group_may_be_left_before_its_children_when_the_loop_is_closed(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait_in_exit);
    fx_settle(f);
    close_loop(f);
    assert_memory_equal(f->trace, "A left ! GeneratorExit, ", 24);
    assert_non_null(strstr(f->trace, "went on ! GeneratorExit, "));
}

static int forget_blocks(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(10);
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();

    (void)ret_result;
    if (aio_timeout_enter(timeout) < 0 || aio_taskgroup_enter(group) < 0)
        return AIO_ERUNTIME;
    aio_future_unref(aio_taskgroup_create_task(group, wait, f));
    return fx_note_code(f, "went on", aio_await(f->subject, NULL));
}

static void forgotten_blocks_are_left_too(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", forget_blocks);

    fx_step(f);
    fx_step(f);
    close_loop(f);
    assert_memory_equal(f->trace, "A went on ! GeneratorExit, ", 27);
    assert_true(aio_future_done(task));
}

/* --- what unwinds may do ---------------------------------------------------------------------- */

static int use_the_loop_while_unwinding(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    (void)aio_await(f->subject, NULL);
    fx_note(f, "task %s", aio_create_task(wait, f) == NULL ? "refused" : "made");
    (void)fx_note_code(f, "call", aio_loop_call_soon(f->loop, NULL, f, NULL));
    (void)fx_note_code(f, "close", aio_loop_close(f->loop));
    (void)fx_note_code(f, "run", aio_loop_run_forever(f->loop));
    fx_note(f, "current %s", aio_task_get_name(aio_current_task(NULL)));
    (void)aio_future_set_result(f->other, NULL);
    return aio_raise(AIO_EVALUE, "nobody is told");
}

static int await_other(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    return fx_note_code(f, "other", aio_await(f->other, NULL));
}

static void what_unwinds_is_refused_what_needs_the_loop(void **state)
{
    struct fixture *f = *state;

    f->other = aio_future_new(f->loop);
    (void)fx_spawn(f, "A", use_the_loop_while_unwinding);
    (void)fx_spawn(f, "B", await_other);
    fx_settle(f);
    close_loop(f);
    fx_assert_trace(f, "A task refused, A call ! ValueError, A close, A run ! RuntimeError, "
                       "A current A, B other ! GeneratorExit");
    aio_future_unref(f->other);
}

static int exit_system_while_unwinding(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    (void)aio_await(f->subject, NULL);
    return aio_raise(AIO_ESYSTEMEXIT, "too late");
}

static void system_exit_of_what_unwinds_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", exit_system_while_unwinding);

    fx_settle(f);
    close_loop(f);
    assert_int_equal(aio_future_result(task, NULL), AIO_ESYSTEMEXIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(close_takes_tasks_out_of_their_waits),
        FX_TEST_FUTURE(future_may_outlive_those_who_waited_for_it_when_the_loop_was_closed),
        FX_TEST_FUTURE(every_wait_is_refused_while_the_loop_is_closed),
        FX_TEST_FUTURE(task_that_sleeps_for_ever_is_given_up),
        FX_TEST_FUTURE(task_that_yields_for_ever_is_given_up),
        FX_TEST_FUTURE(task_that_awaits_for_ever_is_given_up),
        FX_TEST_FUTURE(task_that_waits_for_ever_is_given_up),
        FX_TEST_FUTURE(task_that_waits_with_a_limit_for_ever_is_given_up),
        FX_TEST_FUTURE(task_that_asks_for_a_lock_for_ever_is_given_up),
        FX_TEST_FUTURE(blocks_are_left_when_the_loop_is_closed),
        FX_TEST_FUTURE(task_group_may_be_left_before_its_children_when_the_loop_is_closed),
        FX_TEST_FUTURE(forgotten_blocks_are_left_too),
        FX_TEST_FUTURE(what_unwinds_is_refused_what_needs_the_loop),
        FX_TEST_FUTURE(system_exit_of_what_unwinds_leaves_nothing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
