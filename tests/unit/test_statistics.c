/* SPDX-License-Identifier: MIT */
/*
 * test_statistics.c - what a loop is doing, in numbers
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <math.h>
#include <pthread.h>

static aio_loop_statistics statistics_of(struct fixture *f)
{
    aio_loop_statistics statistics = {.size = sizeof(statistics)};

    assert_int_equal(aio_loop_get_statistics(f->loop, &statistics), 0);
    return statistics;
}

static int sleep_a_second(void *arg, void **ret_result)
{
    return aio_sleep(1);
}

static int do_nothing(void *arg)
{
    return 0;
}

static void tasks_and_their_steps_are_counted(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", sleep_a_second);
    (void)fx_spawn(f, "B", sleep_a_second);
    assert_int_equal(statistics_of(f).tasks, 2);
    assert_int_equal(statistics_of(f).ready, 2);
    assert_int_equal(statistics_of(f).steps, 0);
    fx_step(f);
    assert_int_equal(statistics_of(f).steps, 2);
    assert_int_equal(statistics_of(f).timers, 2);
    assert_int_equal(statistics_of(f).ready, 0);
    assert_int_equal(statistics_of(f).stacks - statistics_of(f).stacks_idle, 2);
    fx_settle(f);
    assert_int_equal(statistics_of(f).tasks, 0);
    assert_int_equal(statistics_of(f).tasks_made, 2);
    assert_int_equal(statistics_of(f).steps, 4);
    assert_int_equal(statistics_of(f).timers, 0);
    assert_true(statistics_of(f).stack_mapped > 0);
    assert_true(statistics_of(f).iterations > 0);
}

static void timers_that_were_cancelled_are_not_counted(void **state)
{
    struct fixture *f = *state;
    aio_handle *handles[100];

    for (int i = 0; i < 100; i++)
        assert_int_equal(aio_loop_call_later(f->loop, 100 - i % 10, do_nothing, NULL, &handles[i]),
                         0);
    assert_int_equal(statistics_of(f).timers, 100);
    for (int i = 0; i < 100; i++) {
        aio_handle_cancel(handles[i]);
        aio_handle_unref(handles[i]);
        assert_int_equal(statistics_of(f).timers, 99 - i);
    }
}

static uint64_t lags_of(const aio_loop_statistics *statistics)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < AIO_LAG_CLASSES; i++)
        count += statistics->lag[i];
    return count;
}

/* Keep the loop busy for some milliseconds by its own clock. */
static int compute(void *arg)
{
    struct fixture *f = arg;
    double end = aio_loop_time(f->loop) + 0.005;

    while (aio_loop_time(f->loop) < end)
        continue;
    aio_loop_stop(f->loop);
    return 0;
}

static void lag_is_measured_while_it_is_watched(void **state)
{
    struct fixture *f = *state;
    aio_loop_statistics statistics;
    uint64_t long_ones = 0;

    assert_int_equal(aio_loop_call_soon(f->loop, compute, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    statistics = statistics_of(f);
    assert_int_equal(lags_of(&statistics), 0);

    assert_int_equal(aio_loop_watch_lag(f->loop, true), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, compute, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    statistics = statistics_of(f);
    for (unsigned i = 0; i < AIO_LAG_CLASSES; i++)
        if (aio_lag_class_end(i) > 0.005)
            long_ones += statistics.lag[i];
    assert_int_equal(long_ones, 1);
    assert_true(statistics.lag_longest >= 0.005);

    assert_int_equal(aio_loop_watch_lag(f->loop, false), 0);
    statistics = statistics_of(f);
    assert_int_equal(lags_of(&statistics), 0);
}

static void classes_double_and_the_last_has_no_end(void **state)
{
    assert_true(aio_lag_class_end(0) == 1e-6);
    assert_true(aio_lag_class_end(10) == 1024e-6);
    assert_true(isinf(aio_lag_class_end(AIO_LAG_CLASSES - 1)));
    assert_true(isinf(aio_lag_class_end(1000)));
}

static void *ask_from_elsewhere(void *arg)
{
    struct fixture *f = arg;
    aio_loop_statistics statistics = {.size = sizeof(statistics)};

    if (aio_loop_get_statistics(f->loop, &statistics) == AIO_ERUNTIME)
        f->other = f; /* refused */
    return NULL;
}

static int ask_from_a_thread(void *arg)
{
    struct fixture *f = arg;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, ask_from_elsewhere, f), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fx_note(f, f->other == f ? "refused" : "answered");
    return 0;
}

static void wrong_calls_are_refused(void **state)
{
    struct fixture *f = *state;
    aio_loop_statistics statistics = {.size = 1};

    assert_int_equal(aio_loop_get_statistics(f->loop, &statistics), AIO_EVALUE);
    assert_int_equal(aio_loop_get_statistics(f->loop, NULL), AIO_EVALUE);
    statistics.size = sizeof(statistics);
    assert_int_equal(aio_loop_get_statistics(NULL, &statistics), AIO_ENOLOOP);
    assert_int_equal(aio_loop_watch_lag(NULL, true), AIO_ENOLOOP);
}

static void loop_of_another_thread_does_not_answer(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_soon(f->loop, ask_from_a_thread, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(tasks_and_their_steps_are_counted),
        FX_TEST(timers_that_were_cancelled_are_not_counted),
        FX_TEST_REAL(lag_is_measured_while_it_is_watched),
        FX_TEST(classes_double_and_the_last_has_no_end),
        FX_TEST(wrong_calls_are_refused),
        FX_TEST(loop_of_another_thread_does_not_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
