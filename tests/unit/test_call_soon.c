/* SPDX-License-Identifier: MIT */
/*
 * test_call_soon.c - the order of calls, I/O and timers, and the batches they run in
 *
 * On the real clock: with a virtual one the programs of tests/parity assert far more of it.
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <math.h>
#include <unistd.h>

static int setup(void **state)
{
    static int pipe_ends[2];
    struct fixture *f;

    if (fx_setup_real(state) < 0 || pipe(pipe_ends) != 0)
        return -1;
    f = *state;
    f->descriptors += 2;
    f->subject = pipe_ends;
    return write(pipe_ends[1], "x", 1) == 1 ? 0 : -1; /* ready for reading */
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int *pipe_ends = f->subject;
    int err = fx_teardown(state);

    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    return err;
}

static int readable(const struct fixture *f)
{
    return ((const int *)f->subject)[0];
}

/* --- callbacks ------------------------------------------------------------------------- */

static int note_call(void *arg)
{
    fx_note(arg, "call");
    return 0;
}

static int note_next(void *arg)
{
    fx_note(arg, "next");
    return 0;
}

static int note_timer(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "timer");
    return aio_loop_call_soon(f->loop, note_next, f, NULL);
}

static int note_read(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "read");
    (void)aio_loop_remove_reader(f->loop, readable(f));
    return aio_loop_call_soon(f->loop, note_next, f, NULL);
}

static int note_call_and_queue(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "call");
    return aio_loop_call_soon(f->loop, note_next, f, NULL);
}

static int stop(void *arg)
{
    aio_loop_stop(arg);
    return 0;
}

static void call(struct fixture *f, aio_callback_fn fn)
{
    assert_int_equal(aio_loop_call_soon(f->loop, fn, f, NULL), 0);
}

/* --- tests ----------------------------------------------------------------------------- */

/* S1 */
static void iteration_runs_what_is_queued_then_io_then_timers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_add_reader(f->loop, readable(f), note_read, f), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 0, note_timer, f, NULL), 0);
    call(f, note_call_and_queue);
    fx_step(f);
    fx_assert_trace(f, "- call, - read, - timer");
    fx_step(f);
    fx_assert_trace(f, "- next, - next, - next");
}

/* S2 */
static void what_a_call_queues_waits_for_the_next_iteration(void **state)
{
    struct fixture *f = *state;

    call(f, note_call_and_queue);
    call(f, note_call);
    fx_step(f);
    fx_assert_trace(f, "- call, - call");
    fx_step(f);
    fx_assert_trace(f, "- next");
}

static int call_again_until_read(void *arg)
{
    struct fixture *f = arg;

    if (f->used > 0) {
        aio_loop_stop(f->loop);
        return 0;
    }
    return aio_loop_call_soon(f->loop, call_again_until_read, f, NULL);
}

/* S2 */
static void endless_chain_of_calls_does_not_starve_io(void **state)
{
    struct fixture *f = *state;

    call(f, call_again_until_read);
    assert_int_equal(aio_loop_add_reader(f->loop, readable(f), note_read, f), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- read, - next");
}

static void endless_chain_of_calls_does_not_starve_timers(void **state)
{
    struct fixture *f = *state;

    call(f, call_again_until_read);
    assert_int_equal(aio_loop_call_later(f->loop, 0.002, note_timer, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- timer, - next");
}

static int yield_until_read(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    (void)ret_result;
    while (err == 0 && f->used == 0)
        err = aio_sleep(0);
    aio_loop_stop(f->loop);
    return err;
}

static void tasks_that_yield_for_ever_do_not_starve_io(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", yield_until_read);
    (void)fx_spawn(f, "B", yield_until_read);
    assert_int_equal(aio_loop_add_reader(f->loop, readable(f), note_read, f), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- read, - next");
    fx_step(f);
    assert_int_equal(aio_future_result(f->tasks[0], NULL), 0);
    assert_int_equal(aio_future_result(f->tasks[1], NULL), 0);
}

/* S3: nothing is ready, so the loop sleeps until the timer and is not woken before. */
static void idle_loop_waits_for_its_first_timer(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_later(f->loop, 0.004, note_timer, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 0.002, note_call, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 0.006, stop, f->loop, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_step(f); /* the last two may have been due together */
    fx_assert_trace(f, "- call, - timer, - next");
}

static int fail_in_callback(void *arg)
{
    fx_note(arg, "fails");
    return aio_raise(AIO_EVALUE, "bad");
}

/* S12 */
static void error_in_a_call_does_not_end_the_batch(void **state)
{
    struct fixture *f = *state;

    call(f, fail_in_callback);
    call(f, note_call);
    fx_step(f);
    fx_assert_trace(f, "- fails, - call");
    assert_int_equal(f->reports, 1);
    assert_memory_equal(f->reported, "Exception in callback <Handle ", 30);
    f->reports = 0;
}

static int positive(void *arg)
{
    (void)arg;
    return 7;
}

static void positive_result_of_a_call_is_no_error(void **state)
{
    struct fixture *f = *state;

    call(f, positive);
    fx_step(f);
    fx_assert_reports(f, "");
}

static void call_without_a_function_or_a_loop_is_refused(void **state)
{
    struct fixture *f = *state;
    aio_handle *untouched = NULL;

    assert_int_equal(aio_loop_call_soon(f->loop, NULL, f, &untouched), AIO_EVALUE);
    assert_int_equal(aio_loop_call_later(f->loop, 1, NULL, f, &untouched), AIO_EVALUE);
    assert_int_equal(aio_loop_call_at(f->loop, 1, NULL, f, &untouched), AIO_EVALUE);
    assert_int_equal(aio_loop_call_soon_threadsafe(f->loop, NULL, f, &untouched), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "no callback given");
    assert_int_equal(aio_loop_call_soon(NULL, note_call, f, &untouched), AIO_ENOLOOP);
    assert_int_equal(aio_loop_call_later(NULL, 1, note_call, f, &untouched), AIO_ENOLOOP);
    assert_int_equal(aio_loop_call_at(NULL, 1, note_call, f, &untouched), AIO_ENOLOOP);
    assert_int_equal(aio_loop_call_soon_threadsafe(NULL, note_call, f, &untouched), AIO_ENOLOOP);
    assert_int_equal(aio_loop_call_later(f->loop, NAN, note_call, f, &untouched), AIO_EVALUE);
    assert_int_equal(aio_loop_call_at(f->loop, NAN, note_call, f, &untouched), AIO_EVALUE);
    assert_null(untouched);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(iteration_runs_what_is_queued_then_io_then_timers),
        TEST(what_a_call_queues_waits_for_the_next_iteration),
        TEST(endless_chain_of_calls_does_not_starve_io),
        TEST(endless_chain_of_calls_does_not_starve_timers),
        TEST(tasks_that_yield_for_ever_do_not_starve_io),
        TEST(idle_loop_waits_for_its_first_timer),
        TEST(error_in_a_call_does_not_end_the_batch),
        TEST(positive_result_of_a_call_is_no_error),
        TEST(call_without_a_function_or_a_loop_is_refused),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
