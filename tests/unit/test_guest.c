/* SPDX-License-Identifier: MIT */
/*
 * test_guest.c - a loop whose own steps drive it, or its host's uv_run(): a program sees the same
 *
 * Each test runs both ways. See test_host.c for what is the host's alone.
 */
#include "support/world.h"

#include <aio/aio.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int note_and_queue(void *arg)
{
    struct world *w = arg;

    world_note(w, "(");
    (void)aio_loop_call_soon(w->loop, world_note_c, w, NULL);
    world_note(w, ")");
    return 0;
}

/* S2 */
static void calls_run_in_their_order_and_what_they_queue_after_them(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_soon(w->loop, note_and_queue, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, world_note_b, w, NULL), 0);
    world_run(w);
    world_assert_trace(w, "()bc");
}

/* S4, S5 */
static void timers_run_in_the_order_of_their_deadlines_after_calls(void **state)
{
    struct world *w = *state;
    double now = aio_loop_time(w->loop);

    assert_int_equal(aio_loop_call_at(w->loop, now + 0.0004, world_note_c, w, NULL), 0);
    assert_int_equal(aio_loop_call_at(w->loop, now, world_note_b, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, world_note_a, w, NULL), 0);
    world_run(w);
    world_assert_trace(w, "abc");
}

/* S6 */
static void calls_that_are_cancelled_do_not_run(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_handle) soon = NULL;
    AIO_AUTO(aio_handle) later = NULL;

    assert_int_equal(aio_loop_call_soon(w->loop, world_note_a, w, &soon), 0);
    assert_int_equal(aio_loop_call_later(w->loop, 0.0001, world_note_b, w, &later), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, world_note_c, w, NULL), 0);
    aio_handle_cancel(soon);
    aio_handle_cancel(later);
    world_run(w);
    world_assert_trace(w, "c");
}

static void tasks_sleep_and_wait_for_each_other(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, world_wait, w, NULL);
    void *result = NULL;

    world_run(w);
    world_assert_trace(w, "abc");
    assert_int_equal(aio_future_result(task, &result), 0);
    assert_ptr_equal(result, w);
}

static int cancel_task(void *arg)
{
    (void)aio_task_cancel(arg, NULL);
    return 0;
}

static void tasks_that_are_cancelled_keep_nobody_waiting(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, world_wait_for_ever, w, NULL);

    assert_int_equal(aio_loop_call_later(w->loop, 0.0001, cancel_task, task, NULL), 0);
    world_run(w);
    world_assert_trace(w, "(cancelled)");
    assert_true(aio_future_cancelled(task));
}

struct passing {
    struct world *w;
    aio_future *fut;
};

static int finish(void *arg)
{
    struct passing *passing = arg;

    world_note(passing->w, "b");
    return aio_future_set_result(passing->fut, NULL);
}

static void *finish_from_thread(void *arg)
{
    struct passing *passing = arg;

    (void)aio_loop_call_soon_threadsafe(passing->w->loop, finish, passing, NULL);
    return NULL;
}

static int wait_for_thread(void *arg, void **ret_result)
{
    struct passing *passing = arg;
    pthread_t thread;
    int err;

    world_note(passing->w, "a");
    if (pthread_create(&thread, NULL, finish_from_thread, passing) != 0)
        return AIO_ERUNTIME;
    err = aio_await(passing->fut, ret_result);
    (void)pthread_join(thread, NULL);
    world_note(passing->w, "c");
    return err;
}

/* S14 */
static void other_threads_wake_the_loop(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(w->loop);
    struct passing passing = {w, fut};
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, wait_for_thread, &passing, NULL);

    world_run(w);
    world_assert_trace(w, "abc");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int job(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

static int wait_for_job(void *arg, void **ret_result)
{
    int err = aio_to_thread(job, arg, ret_result);

    world_note(arg, err == 0 ? "a" : "!");
    return err;
}

static void jobs_in_the_default_executor_are_waited_for(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, wait_for_job, w, NULL);

    world_run(w);
    world_assert_trace(w, "a");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

struct watched {
    struct world *w;
    int ends[2];
};

static int read_byte(void *arg)
{
    struct watched *watched = arg;
    char byte = '?';
    char text[2] = "?";

    if (read(watched->ends[0], &byte, 1) == 1)
        text[0] = byte;
    world_note(watched->w, text);
    if (byte == 'z')
        (void)aio_loop_remove_reader(watched->w->loop, watched->ends[0]);
    return 0;
}

static int write_bytes(void *arg)
{
    struct watched *watched = arg;

    (void)aio_loop_remove_writer(watched->w->loop, watched->ends[1]);
    return write(watched->ends[1], "xyz", 3) == 3 ? 0 : -errno;
}

/* S8 */
static void descriptors_are_watched_until_they_are_removed(void **state)
{
    struct world *w = *state;
    struct watched watched = {w, {-1, -1}};

    assert_int_equal(pipe(watched.ends), 0);
    assert_int_equal(aio_loop_add_reader(w->loop, watched.ends[0], read_byte, &watched), 0);
    assert_int_equal(aio_loop_add_writer(w->loop, watched.ends[1], write_bytes, &watched), 0);
    world_run(w);
    world_assert_trace(w, "xyz");
    (void)close(watched.ends[0]);
    (void)close(watched.ends[1]);
}

struct awaited_signal {
    struct world *w;
    aio_future *fut;
};

static int on_signal(void *arg)
{
    struct awaited_signal *awaited = arg;

    world_note(awaited->w, "b");
    return aio_future_set_result(awaited->fut, NULL);
}

static int raise_and_wait(void *arg, void **ret_result)
{
    struct awaited_signal *awaited = arg;
    int err = aio_loop_add_signal_handler(awaited->w->loop, SIGUSR1, on_signal, awaited);

    if (err < 0)
        return err;
    (void)raise(SIGUSR1);
    world_note(awaited->w, "a");
    err = aio_await(awaited->fut, ret_result);
    (void)aio_loop_remove_signal_handler(awaited->w->loop, SIGUSR1);
    world_note(awaited->w, "c");
    return err;
}

/* S111 */
static void signals_are_queued_into_the_loop(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(w->loop);
    struct awaited_signal awaited = {w, fut};
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, raise_and_wait, &awaited, NULL);

    world_run(w);
    world_assert_trace(w, "abc");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int give_up(void *arg)
{
    (void)arg;
    return aio_raise(AIO_EVALUE, "no good");
}

/* S12 */
static void errors_of_callbacks_are_reported_and_the_rest_goes_on(void **state)
{
    struct world *w = *state;

    aio_loop_set_exception_handler(w->loop, world_note_report, w);
    assert_int_equal(aio_loop_call_soon(w->loop, give_up, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, world_note_b, w, NULL), 0);
    world_run(w);
    assert_non_null(strstr(w->trace, "Exception in callback"));
    assert_int_equal(w->trace[strlen(w->trace) - 1], 'b');
}

int main(void)
{
#define BOTH(test)                                                                                 \
    {#test " (own)", test, world_open_own, world_close, NULL},                                     \
    {                                                                                              \
#test " (guest)", test, world_open_guest, world_close, NULL                                \
    }
    static const struct CMUnitTest tests[] = {
        BOTH(calls_run_in_their_order_and_what_they_queue_after_them),
        BOTH(timers_run_in_the_order_of_their_deadlines_after_calls),
        BOTH(calls_that_are_cancelled_do_not_run),
        BOTH(tasks_sleep_and_wait_for_each_other),
        BOTH(tasks_that_are_cancelled_keep_nobody_waiting),
        BOTH(other_threads_wake_the_loop),
        BOTH(jobs_in_the_default_executor_are_waited_for),
        BOTH(descriptors_are_watched_until_they_are_removed),
        BOTH(signals_are_queued_into_the_loop),
        BOTH(errors_of_callbacks_are_reported_and_the_rest_goes_on),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
