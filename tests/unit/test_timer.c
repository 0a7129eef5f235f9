/* SPDX-License-Identifier: MIT */
/*
 * test_timer.c - deadlines: never early, in order, gone when cancelled
 *
 * Clock readings are compared, and nothing is asked about how late a timer is.
 */
#include "loop/loop_internal.h"
#include "support/fixture.h"

#include <aio/aio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

enum { TIMERS = 60 };

/* One timer, and whether it ran before its time. */
struct timer {
    struct alarm_clock *clock;
    uint64_t not_before; /* nanoseconds of libuv's clock */
    aio_handle *handle;
};

struct alarm_clock {
    aio_loop *loop;
    unsigned left;
    unsigned early;        /* by the system's clock */
    unsigned early_by_own; /* by the loop's, against what the handle says */
    struct timer timers[TIMERS];
};

static int ring(void *arg)
{
    struct timer *timer = arg;
    struct alarm_clock *clock = timer->clock;

    clock->early += uv_hrtime() < timer->not_before;
    clock->early_by_own += aio_loop_time(clock->loop) < aio_handle_when(timer->handle);
    if (--clock->left == 0)
        aio_loop_stop(clock->loop);
    return 0;
}

/* Delays from nothing to six milliseconds, none a whole number of them. */
static uint64_t delay_ns(unsigned i)
{
    return i * 101003;
}

static void set_timers(struct alarm_clock *clock, aio_loop *loop)
{
    *clock = (struct alarm_clock){.loop = loop, .left = TIMERS};
    for (unsigned i = 0; i < TIMERS; i++) {
        struct timer *timer = &clock->timers[i];

        timer->clock = clock;
        timer->not_before = uv_hrtime() + delay_ns(i);
        assert_int_equal(
            aio_loop_call_later(loop, (double)delay_ns(i) / 1e9, ring, timer, &timer->handle), 0);
    }
}

static void assert_none_was_early(struct alarm_clock *clock)
{
    for (unsigned i = 0; i < TIMERS; i++)
        aio_handle_unref(clock->timers[i].handle);
    assert_int_equal(clock->left, 0);
    assert_int_equal(clock->early, 0);
    assert_int_equal(clock->early_by_own, 0);
}

/* --- never early ----------------------------------------------------------------------- */

static void timer_never_runs_early(void **state)
{
    struct fixture *f = *state;
    struct alarm_clock clock;

    set_timers(&clock, f->loop);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    assert_none_was_early(&clock);
}

struct busy {
    struct alarm_clock clock;
    aio_loop *loop;
};

static int spin_and_set_timers(void *arg)
{
    struct busy *busy = arg;
    uint64_t end = uv_hrtime() + 1500000;

    while (uv_hrtime() < end)
        ;
    set_timers(&busy->clock, busy->loop);
    return 0;
}

/* What makes libuv's own timers early: the time it goes by was noted before the spin. */
static void timer_set_in_a_busy_iteration_never_runs_early(void **state)
{
    struct fixture *f = *state;
    struct busy busy = {.loop = f->loop};

    assert_int_equal(aio_loop_call_soon(f->loop, spin_and_set_timers, &busy, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    assert_none_was_early(&busy.clock);
}

/* The number the next descriptor will have. */
static int next_descriptor(void)
{
    int fd = dup(STDERR_FILENO);

    (void)close(fd);
    return fd;
}

/* How many a loop has; one of them is its timerfd. */
static int descriptors_of_a_loop(void)
{
    int first = next_descriptor();
    aio_loop *loop = aio_new_event_loop();
    int count = next_descriptor() - first;

    assert_non_null(loop);
    assert_int_not_equal(loop->alarm_fd, -1);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    return count;
}

/* A loop made while only so many descriptors can be had. */
static aio_loop *loop_with_descriptors(int count)
{
    struct rlimit limit;
    struct rlimit few;
    aio_loop *loop;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    few.rlim_cur = (rlim_t)(next_descriptor() + count);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    loop = aio_new_event_loop();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return loop;
}

static void timer_never_runs_early_where_libuv_keeps_the_time(void **state)
{
    aio_loop *loop = loop_with_descriptors(descriptors_of_a_loop() - 1);
    struct busy busy = {.loop = loop};

    (void)state;
    assert_non_null(loop);
    assert_int_equal(loop->alarm_fd, -1);
    assert_int_equal(aio_loop_call_soon(loop, spin_and_set_timers, &busy, NULL), 0);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_none_was_early(&busy.clock);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

static void loop_is_not_made_without_descriptors(void **state)
{
    (void)state;
    assert_null(loop_with_descriptors(0));
    assert_string_equal(aio_error_text(-EMFILE), "cannot make an event loop: Too many open files");
}

struct sleeper {
    double delay;
    uint64_t not_before;
    bool early;
};

static int sleep_and_look(void *arg, void **ret_result)
{
    struct sleeper *sleeper = arg;
    int err;

    (void)ret_result;
    sleeper->not_before = uv_hrtime() + (uint64_t)(sleeper->delay * 1e9);
    err = aio_sleep(sleeper->delay);
    sleeper->early = uv_hrtime() < sleeper->not_before;
    return err;
}

static void sleep_never_ends_early(void **state)
{
    struct fixture *f = *state;
    struct sleeper sleepers[10];
    aio_task *tasks[COUNT_OF(sleepers)];
    aio_future *all;

    for (size_t i = 0; i < COUNT_OF(sleepers); i++) {
        sleepers[i] = (struct sleeper){.delay = 0.00033 * (double)(i + 1)};
        tasks[i] = aio_loop_create_task(f->loop, sleep_and_look, &sleepers[i], NULL);
    }
    all = aio_gather(tasks, COUNT_OF(sleepers), 0);
    assert_int_equal(aio_loop_run_until_complete(f->loop, all, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(sleepers); i++) {
        assert_false(sleepers[i].early);
        aio_future_unref(tasks[i]);
    }
    aio_future_unref(all);
}

/* --- order ----------------------------------------------------------------------------- */

struct named {
    struct fixture *f;
    unsigned number;
};

static int note_number(void *arg)
{
    struct named *named = arg;

    fx_note(named->f, "%u", named->number);
    return 0;
}

/* S5 leaves it open; here it is first come, first served. */
static void equal_deadlines_run_in_the_order_they_were_made(void **state)
{
    struct fixture *f = *state;
    struct named calls[12];

    for (unsigned i = 0; i < COUNT_OF(calls); i++) {
        calls[i] = (struct named){f, i};
        assert_int_equal(aio_loop_call_at(f->loop, 7, note_number, &calls[i], NULL), 0);
    }
    fx_settle(f);
    fx_assert_trace(f, "- 0, - 1, - 2, - 3, - 4, - 5, - 6, - 7, - 8, - 9, - 10, - 11");
}

static void timers_run_in_the_order_of_their_deadlines(void **state)
{
    static const unsigned deadlines[] = {5, 1, 8, 3, 9, 0, 2, 7, 4, 6};
    struct fixture *f = *state;
    struct named calls[COUNT_OF(deadlines)];

    for (unsigned i = 0; i < COUNT_OF(calls); i++) {
        calls[i] = (struct named){f, deadlines[i]};
        assert_int_equal(aio_loop_call_later(f->loop, deadlines[i], note_number, &calls[i], NULL),
                         0);
    }
    fx_settle(f);
    fx_assert_trace(f, "- 0, - 1, - 2, - 3, - 4, - 5, - 6, - 7, - 8, - 9");
}

static int set_past_timers(void *arg)
{
    struct named *calls = arg;
    aio_loop *loop = calls->f->loop;

    return aio_loop_call_later(loop, 0, note_number, &calls[0], NULL) |
           aio_loop_call_later(loop, -5, note_number, &calls[1], NULL) |
           aio_loop_call_at(loop, aio_loop_time(loop), note_number, &calls[2], NULL) |
           aio_loop_call_at(loop, 3, note_number, &calls[3], NULL) |
           aio_loop_call_soon(loop, note_number, &calls[4], NULL);
}

/* S4 */
static void deadline_in_the_past_waits_for_the_next_iteration(void **state)
{
    struct fixture *f = *state;
    struct named calls[] = {{f, 0}, {f, 1}, {f, 2}, {f, 3}, {f, 4}, {f, 5}};

    assert_int_equal(aio_loop_call_at(f->loop, 10, set_past_timers, calls, NULL), 0);
    assert_int_equal(aio_loop_call_at(f->loop, 10, note_number, &calls[5], NULL), 0);
    fx_settle(f);
    /* The rest of the batch; what was queued; then by deadline: one at 3, one at 5, two now, at 10. */
    fx_assert_trace(f, "- 5, - 4, - 3, - 1, - 0, - 2");
}

static void timer_that_never_comes_does_not_run(void **state)
{
    struct fixture *f = *state;
    struct named call = {f, 1};
    AIO_AUTO(aio_handle) handle = NULL;

    assert_int_equal(aio_loop_call_later(f->loop, AIO_FOREVER, note_number, &call, &handle), 0);
    assert_int_equal(aio_loop_call_at(f->loop, 1e300, note_number, &call, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 1e6, note_number, &call, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- 1");
    assert_true(aio_loop_time(f->loop) == 1e6);
    aio_handle_cancel(handle);
}

/* --- cancelling ------------------------------------------------------------------------ */

/* S7, where CPython waits until there are many */
static void cancelled_timer_is_freed_at_once(void **state)
{
    struct fixture *f = *state;
    struct named call = {f, 1};
    aio_handle *handle;
    size_t before;

    /* The heap grows once. */
    assert_int_equal(aio_loop_call_later(f->loop, 1, note_number, &call, &handle), 0);
    aio_handle_cancel(handle);
    aio_handle_unref(handle);
    before = live_allocations();
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(aio_loop_call_later(f->loop, 1, note_number, &call, &handle), 0);
        assert_int_equal(live_allocations(), before + 1);
        aio_handle_cancel(handle);
        aio_handle_unref(handle);
        assert_int_equal(live_allocations(), before);
    }
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_true(aio_loop_time(f->loop) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_REAL(timer_never_runs_early),
        FX_TEST_REAL(timer_set_in_a_busy_iteration_never_runs_early),
        FX_TEST_REAL(timer_never_runs_early_where_libuv_keeps_the_time),
        FX_TEST_REAL(loop_is_not_made_without_descriptors),
        FX_TEST_REAL(sleep_never_ends_early),
        FX_TEST(equal_deadlines_run_in_the_order_they_were_made),
        FX_TEST(timers_run_in_the_order_of_their_deadlines),
        FX_TEST(deadline_in_the_past_waits_for_the_next_iteration),
        FX_TEST(timer_that_never_comes_does_not_run),
        FX_TEST(cancelled_timer_is_freed_at_once),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
