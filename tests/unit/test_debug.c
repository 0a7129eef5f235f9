/* SPDX-License-Identifier: MIT */
/*
 * test_debug.c - debug mode: what takes too long, and what it changes of the order: nothing
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Use processor time, not the scheduler's: what is measured is never less than this. */
static void work(void)
{
    struct timespec start;
    struct timespec now;
    long ns;

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        ns = (now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec;
    } while (ns < 3000000);
}

static int work_in_call(void *arg)
{
    fx_note(arg, "worked");
    work();
    return 0;
}

static int work_in_task(void *arg, void **ret_result)
{
    (void)ret_result;
    return work_in_call(arg);
}

static int work_in_done(aio_future *fut, void *arg)
{
    (void)fut;
    return work_in_call(arg);
}

static void watch_closely(struct fixture *f)
{
    fx_hear(f);
    aio_loop_set_debug(f->loop, true);
    aio_loop_set_slow_callback_duration(f->loop, 0.002);
}

static void debug_mode_is_off_at_first(void **state)
{
    struct fixture *f = *state;

    assert_false(aio_loop_get_debug(f->loop));
    assert_true(aio_loop_get_slow_callback_duration(f->loop) == 0.1);
}

static bool debug_mode_with(const char *value)
{
    aio_loop *loop;
    bool debug;

    assert_int_equal(setenv("AIO_DEBUG", value, 1), 0);
    loop = aio_new_event_loop();
    assert_int_equal(unsetenv("AIO_DEBUG"), 0);
    debug = aio_loop_get_debug(loop);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    return debug;
}

static void debug_mode_is_turned_on_by_the_environment(void **state)
{
    (void)state;
    assert_true(debug_mode_with("1"));
    assert_false(debug_mode_with(""));
}

/* S116 */
static void slow_call_is_named(void **state)
{
    struct fixture *f = *state;

    watch_closely(f);
    assert_int_equal(aio_loop_call_soon(f->loop, work_in_call, f, NULL), 0);
    fx_settle(f);
    assert_memory_equal(f->logged, "Executing <Handle work_in_call()> took 0.", 41);
    assert_non_null(strstr(f->logged, " seconds"));
}

/* S116 */
static void slow_step_of_a_task_is_named(void **state)
{
    struct fixture *f = *state;

    watch_closely(f);
    (void)fx_spawn(f, "worker", work_in_task);
    fx_settle(f);
    assert_memory_equal(f->logged,
                        "Executing <Task finished name='worker' coro=<fn() done, defined at ", 67);
    assert_non_null(strstr(f->logged, "> took 0."));
    f->logged[0] = '\0';
}

static void slow_done_callback_is_told_of(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);

    watch_closely(f);
    assert_int_equal(aio_future_add_done_callback(fut, work_in_done, f), 0);
    assert_int_equal(aio_future_set_result(fut, NULL), 0);
    fx_settle(f);
    assert_memory_equal(f->logged, "Executing <callback ", 20);
}

static void nothing_is_slow_without_debug_mode(void **state)
{
    struct fixture *f = *state;

    watch_closely(f);
    aio_loop_set_debug(f->loop, false);
    (void)fx_spawn(f, "worker", work_in_task);
    assert_int_equal(aio_loop_call_soon(f->loop, work_in_call, f, NULL), 0);
    fx_settle(f);
    fx_assert_log(f, "");
    fx_assert_trace(f, "worker worked, - worked");
}

static int turn_debug_on_and_off(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err;

    (void)ret_result;
    aio_loop_set_debug(f->loop, true);
    fx_note(f, "on");
    err = aio_sleep(0);
    aio_loop_set_debug(f->loop, false);
    fx_note(f, "off");
    return err < 0 ? err : aio_sleep(0);
}

static void debug_mode_may_change_inside_a_task_and_changes_no_order(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", turn_debug_on_and_off);
    (void)fx_spawn(f, "B", fx_tick);
    fx_settle(f);
    fx_assert_trace(f, "A on, B 0, A off, B 1, B 2");
}

static void duration_that_makes_no_sense_counts_as_none(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_slow_callback_duration(f->loop, -1);
    assert_true(aio_loop_get_slow_callback_duration(f->loop) == 0);
    aio_loop_set_slow_callback_duration(f->loop, NAN);
    assert_true(aio_loop_get_slow_callback_duration(f->loop) == 0);
}

static void debug_functions_take_null(void **state)
{
    (void)state;
    assert_false(aio_loop_get_debug(NULL));
    aio_loop_set_debug(NULL, true);
    assert_true(aio_loop_get_slow_callback_duration(NULL) == 0);
    aio_loop_set_slow_callback_duration(NULL, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(debug_mode_is_off_at_first),
        FX_TEST(debug_mode_is_turned_on_by_the_environment),
        FX_TEST(slow_call_is_named),
        FX_TEST(slow_step_of_a_task_is_named),
        FX_TEST(slow_done_callback_is_told_of),
        FX_TEST(nothing_is_slow_without_debug_mode),
        FX_TEST(debug_mode_may_change_inside_a_task_and_changes_no_order),
        FX_TEST(duration_that_makes_no_sense_counts_as_none),
        FX_TEST(debug_functions_take_null),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
