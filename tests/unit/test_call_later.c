/* SPDX-License-Identifier: MIT */
/*
 * test_call_later.c - when a deadline that is past already is due, on the real clock
 *
 * With a virtual clock the corpora of tests/parity hold this. There time stands still between
 * polls; here it goes on, and the loop need not have looked.
 */
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <stdio.h>
#include <string.h>

/* What happened, a word each. */
static char trace[64];

static int note(void *arg)
{
    (void)strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
    return 0;
}

static char timer[] = "timer ", earlier[] = "earlier ", call[] = "call ", next[] = "next ";

static int note_next_and_stop(void *arg)
{
    aio_loop_stop(arg);
    return note(next);
}

/* Runs in the next iteration, and queues for the one after. */
static int call_and_queue_next(void *arg)
{
    (void)note(call);
    return aio_loop_call_soon(arg, note_next_and_stop, arg, NULL);
}

static int start_with_delay(void *arg)
{
    aio_loop *loop = arg;

    return aio_loop_call_later(loop, 0, note, timer, NULL) |
           aio_loop_call_soon(loop, call_and_queue_next, loop, NULL);
}

static int start_with_time(void *arg)
{
    aio_loop *loop = arg;

    return aio_loop_call_at(loop, aio_loop_time(loop), note, timer, NULL) |
           aio_loop_call_soon(loop, call_and_queue_next, loop, NULL);
}

/* Deadlines that are past are those of the times that they say, and in their order (S4). */
static int start_in_the_past(void *arg)
{
    aio_loop *loop = arg;
    AIO_AUTO(aio_handle) handle = NULL;
    double before = aio_loop_time(loop);
    int err = aio_loop_call_later(loop, -0.25, note, timer, NULL);

    if (err == 0)
        err = aio_loop_call_later(loop, -0.5, note, earlier, &handle);
    if (err == 0 && !(aio_handle_when(handle) >= before - 0.5 - 1e-6 &&
                      aio_handle_when(handle) <= aio_loop_time(loop) - 0.5 + 1e-6))
        err = AIO_ERUNTIME;
    return err < 0 ? err : aio_loop_call_soon(loop, call_and_queue_next, loop, NULL);
}

static const char *run(aio_callback_fn start)
{
    aio_loop *loop = aio_new_event_loop();

    assert_non_null(loop);
    trace[0] = '\0';
    assert_int_equal(aio_loop_call_soon(loop, start, loop, NULL), 0);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    return trace;
}

static void timer_without_delay_runs_in_the_next_iteration_behind_what_is_queued(void **state)
{
    assert_string_equal(run(start_with_delay), "call timer next ");
}

static void timer_for_now_runs_in_the_next_iteration_behind_what_is_queued(void **state)
{
    assert_string_equal(run(start_with_time), "call timer next ");
}

static void timers_with_negative_delays_run_in_the_order_of_their_times(void **state)
{
    assert_string_equal(run(start_in_the_past), "call earlier timer next ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            timer_without_delay_runs_in_the_next_iteration_behind_what_is_queued, count_allocations,
            check_allocations),
        cmocka_unit_test_setup_teardown(
            timer_for_now_runs_in_the_next_iteration_behind_what_is_queued, count_allocations,
            check_allocations),
        cmocka_unit_test_setup_teardown(timers_with_negative_delays_run_in_the_order_of_their_times,
                                        count_allocations, check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
