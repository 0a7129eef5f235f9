/* SPDX-License-Identifier: MIT */
/*
 * test_generator_block.c - generators that yield inside a timeout or a task group
 *
 * As in Python, where nothing keeps one from it: the block goes on while the generator is
 * suspended, and means the task that was there when it was entered.
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_asyncgen_unref(f->subject);
    fx_settle(f); /* the loop closes what is left of it */
    return fx_teardown(state);
}

static void *number(intptr_t value)
{
    return (void *)value;
}

/* async with asyncio.timeout(1): yield 1; await asyncio.sleep(0.2); yield 2 */
static int yield_in_timeout(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(1);
    int err = aio_timeout_enter(limit);

    (void)ret_result;
    if (err < 0)
        return err;
    err = aio_yield(number(1), NULL);
    if (err == 0)
        err = aio_sleep(0.2);
    if (err == 0)
        err = aio_yield(number(2), NULL);
    err = aio_timeout_exit(limit, err);
    return fx_note_code(f, "block ends", err);
}

static aio_asyncgen *make(struct fixture *f, aio_generator_fn fn)
{
    f->subject = aio_asyncgen_new(fn, f, NULL);
    assert_non_null(f->subject);
    return f->subject;
}

static int take(struct fixture *f)
{
    void *item = NULL;
    int err = aio_anext(aio_asyncgen_iterator(f->subject), &item);

    if (err < 0)
        return fx_note_code(f, "next", err);
    fx_note(f, "%d", (int)(intptr_t)item);
    return 0;
}

static int take_all(void *arg, void **ret_result)
{
    int err;

    (void)ret_result;
    while ((err = take(arg)) == 0)
        ;
    return err == AIO_ESTOP ? 0 : err;
}

static void generator_that_is_in_time_ends_its_block(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)make(f, yield_in_timeout);
    task = fx_spawn(f, "T", take_all);
    fx_settle(f);
    fx_assert_trace(f, "T 1, T 2, T block ends, T next ! StopIteration");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int take_one_and_sleep(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = take(f);

    (void)ret_result;
    return err < 0 ? err : fx_note_code(f, "slept", aio_sleep(10));
}

/* The task that iterates is cancelled where it is, and learns of no timeout. */
static void timeout_of_a_suspended_generator_cancels_the_task_that_entered_it(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)make(f, yield_in_timeout);
    task = fx_spawn(f, "T", take_one_and_sleep);
    fx_settle(f);
    fx_assert_trace(f, "T 1, T slept ! CancelledError");
    assert_true(aio_future_cancelled(task));
    assert_false(aio_asyncgen_done(f->subject));
}

static int take_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return take(arg);
}

/* The block is the generator's: the task has left nothing open. */
static void task_may_end_while_a_generator_holds_a_block(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)make(f, yield_in_timeout);
    task = fx_spawn(f, "T", take_one);
    fx_settle(f);
    fx_assert_trace(f, "T 1");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int close_it(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    return fx_note_code(f, "closed", aio_asyncgen_aclose(f->subject));
}

static void block_of_a_generator_can_be_left_in_another_task(void **state)
{
    struct fixture *f = *state;

    (void)make(f, yield_in_timeout);
    (void)fx_spawn(f, "A", take_one);
    fx_step(f);
    (void)fx_spawn(f, "B", close_it);
    fx_settle(f);
    fx_assert_trace(f, "A 1, B block ends ! GeneratorExit, B closed");
}

static int return_in_timeout(void *arg, void **ret_result)
{
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(1);
    int err = aio_timeout_enter(limit);

    (void)arg;
    (void)ret_result;
    return err < 0 ? err : aio_yield(number(1), NULL);
}

/* Python cannot write this. */
static void generator_that_returns_inside_a_block_is_a_runtime_error(void **state)
{
    struct fixture *f = *state;
    double start = aio_loop_time(f->loop);

    (void)make(f, return_in_timeout);
    (void)fx_spawn(f, "T", take_all);
    fx_settle(f);
    fx_assert_trace(f, "T 1, T next ! RuntimeError");
    assert_true(aio_loop_time(f->loop) - start < 1); /* nothing of it is left */
}

static int yield_in_own_and_task_in_its(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_timeout) outer = aio_timeout_new(5);
    int err = aio_timeout_enter(outer);

    (void)ret_result;
    if (err == 0)
        err = take(f); /* the generator enters its block inside ours, */
    err = aio_timeout_exit(outer, err);
    (void)fx_note_code(f, "ours ends", err); /* and is in it still when we leave */
    return take(f);
}

static void blocks_of_a_task_and_of_its_generator_end_in_any_order(void **state)
{
    struct fixture *f = *state;

    (void)make(f, yield_in_timeout);
    (void)fx_spawn(f, "T", yield_in_own_and_task_in_its);
    fx_settle(f);
    fx_assert_trace(f, "T 1, T ours ends, T 2");
}

static int fail_soon(void *arg, void **ret_result)
{
    int err = aio_sleep(0.5);

    (void)arg;
    (void)ret_result;
    return err < 0 ? err : aio_raise(AIO_EKEY, "nothing");
}

static int yield_in_group(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    (void)ret_result;
    if (err < 0)
        return err;
    err = aio_taskgroup_start(group, fail_soon, f);
    if (err == 0)
        err = aio_yield(number(1), NULL);
    return fx_note_code(f, "group ends", aio_taskgroup_exit(group, err));
}

static int take_one_sleep_and_close(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = take_one_and_sleep(f, ret_result);

    (void)close_it(f, ret_result);
    return err;
}

static void task_group_of_a_suspended_generator_cancels_the_task_that_entered_it(void **state)
{
    struct fixture *f = *state;

    (void)make(f, yield_in_group);
    (void)fx_spawn(f, "T", take_one_sleep_and_close);
    fx_settle(f);
    fx_assert_trace(f, "T 1, T slept ! CancelledError, T group ends ! BaseExceptionGroup, "
                       "T closed ! BaseExceptionGroup");
}

static void generator_that_is_dropped_inside_a_block_leaves_it(void **state)
{
    struct fixture *f = *state;

    (void)make(f, yield_in_timeout);
    (void)fx_spawn(f, "T", take_one);
    fx_step(f);
    aio_asyncgen_unref(f->subject);
    f->subject = NULL;
    fx_settle(f);
    assert_non_null(strstr(f->trace, "block ends ! GeneratorExit"));
    f->used = 0;
    f->trace[0] = '\0';
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    f.subject = aio_asyncgen_new(yield_in_timeout, &f, NULL);
    (void)fx_spawn(&f, "T", yield_in_own_and_task_in_its);
    fx_settle(&f);
    (void)fx_spawn(&f, "C", close_it);
    fx_settle(&f);
    aio_asyncgen_unref(f.subject);
    fx_close(&f);
}

static void blocks_of_generators_survive_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 3);
}

static int yield_number(void *arg, void **ret_result)
{
    (void)ret_result;
    return aio_yield(arg, NULL);
}

/* What the first generator of a thread leaves for the next is not a test's. */
static int warm_up(void **state)
{
    aio_generator *generator = aio_generator_new(yield_number, NULL, NULL);
    int err = aio_next(generator, NULL);

    (void)state;
    aio_generator_unref(generator);
    return err;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fx_setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(generator_that_is_in_time_ends_its_block),
        TEST(timeout_of_a_suspended_generator_cancels_the_task_that_entered_it),
        TEST(task_may_end_while_a_generator_holds_a_block),
        TEST(block_of_a_generator_can_be_left_in_another_task),
        TEST(generator_that_returns_inside_a_block_is_a_runtime_error),
        TEST(blocks_of_a_task_and_of_its_generator_end_in_any_order),
        TEST(task_group_of_a_suspended_generator_cancels_the_task_that_entered_it),
        TEST(generator_that_is_dropped_inside_a_block_leaves_it),
        FX_TEST(blocks_of_generators_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, warm_up, NULL);
}
