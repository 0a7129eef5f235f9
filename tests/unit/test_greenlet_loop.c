/* SPDX-License-Identifier: MIT */
/*
 * test_greenlet_loop.c - greenlets and plain generators beside a loop, and in its tasks
 */
#include "task/stacks.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <stdio.h>
#include <string.h>

/* What happened, in order, words with a blank between. */
static char trace[512];

static aio_loop *loop;
static aio_greenlet *shared;

static void note(const char *word)
{
    size_t length = strlen(trace);

    (void)snprintf(trace + length, sizeof(trace) - length, "%s%s", length > 0 ? " " : "", word);
}

static aio_loop *make_loop(void)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.clock = AIO_CLOCK_VIRTUAL;
    return aio_loop_new(&options);
}

static int setup(void **state)
{
    trace[0] = '\0';
    (void)count_allocations(state);
    loop = make_loop();
    return loop != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)aio_loop_close(loop);
    aio_loop_unref(loop);
    aio__stacks_end();
    return check_allocations(state);
}

/* Run a coroutine as the only task there is at first; what it returns. */
static int run(aio_coro_fn fn, void *arg)
{
    aio_task *task = aio_loop_create_task(loop, fn, arg, NULL);
    int err = aio_loop_run_until_complete(loop, task, NULL);

    aio_future_unref(task);
    return err;
}

/* --- in tasks -------------------------------------------------------------------------- */

static int sleep_and_switch(void *arg, void *value, void **ret_result)
{
    aio_greenlet *self = aio_greenlet_current();
    int err = 0;

    for (int i = 0; i < 2 && err == 0; i++) {
        err = aio_sleep(1.0);
        note(arg);
        if (err == 0)
            err = aio_greenlet_switch(aio_greenlet_parent(self), NULL, NULL);
    }
    aio_greenlet_unref(self);
    return err;
}

static int drive_greenlet(void *arg, void **ret_result)
{
    aio_greenlet *greenlet = aio_greenlet_new(sleep_and_switch, arg, NULL);
    int err = 0;

    while (err == 0 && !aio_greenlet_dead(greenlet))
        err = aio_greenlet_switch(greenlet, NULL, NULL);
    aio_greenlet_unref(greenlet);
    return err;
}

static void greenlet_in_a_task_waits_as_the_task(void **state)
{
    aio_task *other = aio_loop_create_task(loop, drive_greenlet, (void *)(uintptr_t) "b", NULL);
    double start = aio_loop_time(loop);

    assert_int_equal(run(drive_greenlet, (void *)(uintptr_t) "a"), 0);
    assert_int_equal(aio_loop_run_until_complete(loop, other, NULL), 0);
    assert_string_equal(trace, "b a b a");
    assert_true(aio_loop_time(loop) - start == 2.0);
    aio_future_unref(other);
}

static int make_shared(void *arg, void **ret_result)
{
    shared = aio_greenlet_new(sleep_and_switch, (void *)(uintptr_t) "shared", NULL);
    return aio_greenlet_switch(shared, NULL, NULL);
}

static int switch_to_shared(void *arg, void **ret_result)
{
    return aio_greenlet_switch(shared, NULL, NULL);
}

static int drop_shared(void *arg, void **ret_result)
{
    aio_greenlet_unref(shared);
    note("dropped");
    return 0;
}

static void greenlet_belongs_to_its_task(void **state)
{
    assert_int_equal(run(make_shared, NULL), 0);
    assert_int_equal(run(switch_to_shared, NULL), AIO_ERUNTIME);
    assert_int_equal(aio_greenlet_switch(shared, NULL, NULL), AIO_ERUNTIME);
    assert_string_equal(trace, "shared");
    aio_greenlet_unref(shared);
}

static int sleep_at_exit(void *arg, void *value, void **ret_result)
{
    int err = aio_greenlet_switch(aio_greenlet_parent(shared), NULL, NULL);

    note("exit");
    (void)aio_sleep(1.0);
    note("slept");
    return err;
}

static int make_sleepy(void *arg, void **ret_result)
{
    shared = aio_greenlet_new(sleep_at_exit, NULL, NULL);
    return aio_greenlet_switch(shared, NULL, NULL);
}

/* The frames of the greenlet clean up in the task that drops it, and wait there. */
static void greenlet_may_be_dropped_in_another_task(void **state)
{
    double start = aio_loop_time(loop);

    assert_int_equal(run(make_sleepy, NULL), 0);
    assert_int_equal(run(drop_shared, NULL), 0);
    assert_string_equal(trace, "exit slept dropped");
    assert_true(aio_loop_time(loop) - start == 1.0);
}

static void greenlet_dropped_outside_of_any_task_cannot_wait(void **state)
{
    double start = aio_loop_time(loop);

    assert_int_equal(run(make_sleepy, NULL), 0);
    aio_greenlet_unref(shared);
    assert_string_equal(trace, "exit slept");
    assert_true(aio_loop_time(loop) == start);
}

static int fail_in_greenlet(void *arg, void *value, void **ret_result)
{
    return aio_raise(AIO_EKEY, "from the greenlet");
}

static int fail_through_greenlet(void *arg, void **ret_result)
{
    AIO_AUTO(aio_greenlet) greenlet = aio_greenlet_new(fail_in_greenlet, NULL, NULL);

    return aio_greenlet_switch(greenlet, NULL, NULL);
}

static void error_of_a_greenlet_goes_on_through_its_task(void **state)
{
    assert_int_equal(run(fail_through_greenlet, NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "from the greenlet");
}

static int wait_in_greenlet(void *arg, void **ret_result)
{
    aio_greenlet *greenlet = aio_greenlet_new(sleep_and_switch, arg, NULL);
    int err = aio_greenlet_switch(greenlet, NULL, NULL);

    note(err == 0 ? "returned" : aio_error_name(err));
    aio_greenlet_unref(greenlet);
    return err;
}

/* A task that the closing loop unwinds, while it waits on the stack of its greenlet. */
static void task_is_unwound_in_its_greenlet(void **state)
{
    aio_task *task =
        aio_loop_create_task(loop, wait_in_greenlet, (void *)(uintptr_t) "woken", NULL);

    aio_loop_stop(loop);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_int_equal(aio_loop_close(loop), 0);
    assert_string_equal(trace, "woken returned");
    aio_future_unref(task);
}

/* --- beside a loop --------------------------------------------------------------------- */

static int run_a_loop(void *arg, void *value, void **ret_result)
{
    int err = run(drive_greenlet, (void *)(uintptr_t) "task");

    note("loop");
    return err;
}

static void greenlet_can_run_a_loop(void **state)
{
    aio_greenlet *greenlet = aio_greenlet_new(run_a_loop, NULL, NULL);

    assert_int_equal(aio_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_string_equal(trace, "task task loop");
    aio_greenlet_unref(greenlet);
}

static int note_and_switch(void *arg, void *value, void **ret_result)
{
    aio_greenlet *self = aio_greenlet_current();
    int err = 0;

    for (int i = 0; i < 2 && err == 0; i++) {
        note("greenlet");
        err = aio_greenlet_switch(aio_greenlet_parent(self), NULL, NULL);
    }
    aio_greenlet_unref(self);
    return err;
}

static int switch_in_callback(void *arg)
{
    int err = aio_greenlet_switch(arg, NULL, NULL);

    note("callback");
    aio_loop_stop(loop);
    return err;
}

/* A callback runs on the stack of whoever runs the loop: it is the same place. */
static void greenlet_of_the_thread_can_be_switched_to_from_a_callback(void **state)
{
    aio_greenlet *greenlet = aio_greenlet_new(note_and_switch, NULL, NULL);

    assert_int_equal(aio_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_int_equal(aio_loop_call_soon(loop, switch_in_callback, greenlet, NULL), 0);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_int_equal(aio_greenlet_switch(greenlet, NULL, NULL), 0);
    assert_true(aio_greenlet_dead(greenlet));
    assert_string_equal(trace, "greenlet greenlet callback");
    aio_greenlet_unref(greenlet);
}

/* --- plain generators ------------------------------------------------------------------ */

static int yield_after_sleep(void *arg, void **ret_result)
{
    int err = 0;

    for (intptr_t i = 1; i <= 2 && err == 0; i++) {
        err = aio_sleep(1.0);
        note(err == 0 ? "slept" : aio_error_name(err));
        if (err == 0)
            err = aio_yield((void *)i, NULL);
    }
    return err;
}

static int sum_generator(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) generator = aio_generator_new(yield_after_sleep, NULL, NULL);
    intptr_t sum = 0;
    void *item = NULL;
    int err;

    while ((err = aio_next(generator, &item)) == 0)
        sum += (intptr_t)item;
    return err == AIO_ESTOP && sum == 3 ? 0 : err;
}

static void generator_in_a_task_may_wait(void **state)
{
    double start = aio_loop_time(loop);

    assert_int_equal(run(sum_generator, NULL), 0);
    assert_string_equal(trace, "slept slept");
    assert_true(aio_loop_time(loop) - start == 2.0);
}

static int next_in_callback(void *arg)
{
    int err = aio_next(arg, NULL);

    note(aio_error_name(err));
    return 0;
}

static void generator_outside_of_tasks_cannot_wait(void **state)
{
    aio_generator *generator = aio_generator_new(yield_after_sleep, NULL, NULL);

    assert_int_equal(aio_loop_call_soon(loop, next_in_callback, generator, NULL), 0);
    aio_loop_stop(loop);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_string_equal(trace, "RuntimeError RuntimeError");
    aio_generator_unref(generator);
}

/* --- memory ---------------------------------------------------------------------------- */

static void drop_in_another_task_short_of_memory(void *arg)
{
    aio_loop *outer = loop;
    aio_task *task;

    trace[0] = '\0';
    shared = NULL;
    loop = make_loop();
    if (loop != NULL) {
        task = aio_loop_create_task(loop, make_sleepy, NULL, NULL);
        (void)aio_loop_run_until_complete(loop, task, NULL);
        aio_future_unref(task);
        task = aio_loop_create_task(loop, drop_shared, NULL, NULL);
        if (aio_loop_run_until_complete(loop, task, NULL) == AIO_ENOMEM)
            aio_greenlet_unref(shared);
        aio_future_unref(task);
        (void)aio_loop_close(loop);
        aio_loop_unref(loop);
    }
    aio__stacks_end();
    loop = outer;
}

static void greenlets_of_tasks_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(drop_in_another_task_short_of_memory, NULL) > 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(greenlet_in_a_task_waits_as_the_task),
        TEST(greenlet_belongs_to_its_task),
        TEST(greenlet_may_be_dropped_in_another_task),
        TEST(greenlet_dropped_outside_of_any_task_cannot_wait),
        TEST(error_of_a_greenlet_goes_on_through_its_task),
        TEST(task_is_unwound_in_its_greenlet),
        TEST(greenlet_can_run_a_loop),
        TEST(greenlet_of_the_thread_can_be_switched_to_from_a_callback),
        TEST(generator_in_a_task_may_wait),
        TEST(generator_outside_of_tasks_cannot_wait),
        TEST(greenlets_of_tasks_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
