/* SPDX-License-Identifier: MIT */
/*
 * test_loop.c - the life of a loop: made, run, stopped, closed
 */
#include "loop/loop_internal.h"
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>
#include <uv.h>

/* --- callbacks ------------------------------------------------------------------------- */

static int note_a(void *arg)
{
    fx_note(arg, "a");
    return 0;
}

static int note_done(aio_future *fut, void *arg)
{
    (void)fut;
    return note_a(arg);
}

static int note_b(void *arg)
{
    fx_note(arg, "b");
    return 0;
}

static int note_a_and_queue_b(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "a");
    return aio_loop_call_soon(f->loop, note_b, f, NULL);
}

static int stop(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "stop");
    aio_loop_stop(f->loop);
    return 0;
}

static int interrupt(void *arg)
{
    fx_note(arg, "interrupt");
    return AIO_EKEYBOARDINTERRUPT;
}

static int exit_system(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_ESYSTEMEXIT, "enough");
}

static int give_argument(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

static int raise_error(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_EVALUE, "no such thing");
}

static void call(struct fixture *f, aio_callback_fn fn)
{
    assert_int_equal(aio_loop_call_soon(f->loop, fn, f, NULL), 0);
}

/* --- making ---------------------------------------------------------------------------- */

static void loop_begins_open_and_not_running(void **state)
{
    struct fixture *f = *state;

    assert_false(aio_loop_is_closed(f->loop));
    assert_false(aio_loop_is_running(f->loop));
    assert_non_null(aio_loop_uv(f->loop));
}

static void loop_is_made_the_current_one_by_nobody_but_who_says_so(void **state)
{
    struct fixture *f = *state;
    aio_loop *loop = aio_new_event_loop();

    assert_ptr_equal(aio_get_event_loop(), f->loop);
    aio_set_event_loop(loop);
    assert_ptr_equal(aio_get_event_loop(), loop);
    aio_set_event_loop(NULL);
    assert_null(aio_get_event_loop());
    aio_set_event_loop(f->loop);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

static void loop_is_not_made_with_options_out_of_bounds(void **state)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.size--;
    assert_null(aio_loop_new(&options));
    assert_string_equal(aio_error_text(AIO_EVALUE), "bad loop options");

    options = (aio_loop_options)AIO_LOOP_OPTIONS_INIT;
    options.clock = (aio_clock)7;
    assert_null(aio_loop_new(&options));

    options = (aio_loop_options)AIO_LOOP_OPTIONS_INIT;
    options.stack_size = (size_t)2 << 30;
    assert_null(aio_loop_new(&options));
    assert_non_null(strstr(aio_error_text(AIO_EVALUE), "cannot make an event loop"));
}

static void loop_is_closed_with_a_warning_when_the_last_reference_goes(void **state)
{
    struct fixture *f = *state;
    aio_loop *loop = aio_new_event_loop();
    aio_loop *second = aio_loop_ref(loop);

    assert_ptr_equal(loop, second);
    fx_hear(f);
    aio_loop_unref(second);
    fx_assert_log(f, "");
    aio_loop_unref(loop);
    assert_non_null(strstr(f->logged, "unclosed event loop"));
}

static int call_from_other_threads_name(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_loop *loop = aio_get_running_loop();
    aio_handle *handle = NULL;
    int err = aio_await(f->subject, NULL);

    (void)ret_result;
    (void)fx_note_code(f, "woken", err);
    (void)fx_note_code(f, "called", aio_loop_call_soon_threadsafe(loop, note_a, f, &handle));
    fx_note(f, "handle %s", handle == NULL ? "none" : "given");
    (void)aio_loop_ref(loop);
    aio_loop_unref(loop);
    return err;
}

/* The frames that unwind while the last reference goes may take and drop others. */
static void loop_may_be_referenced_again_by_what_unwinds_as_it_goes(void **state)
{
    struct fixture *f = *state;
    aio_loop *loop = aio_new_event_loop();
    aio_task *task;

    f->subject = aio_future_new(loop);
    task = aio_loop_create_task(loop, call_from_other_threads_name, f, NULL);
    aio_loop_stop(loop);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    aio_future_unref(task);

    aio_loop_unref(loop);
    assert_non_null(strstr(f->trace, "woken ! GeneratorExit"));
    assert_non_null(strstr(f->trace, "handle none"));
    aio_future_unref(f->subject);
}

static int drop_running_loop(void *arg)
{
    struct fixture *f = arg;
    aio_loop *loop = f->subject;

    f->other = aio_loop_create_task(loop, call_from_other_threads_name, f, NULL);
    aio_loop_stop(loop);
    aio_loop_unref(loop);
    f->subject = aio_future_new(loop); /* still there */
    fx_note(f, "open %d", !aio_loop_is_closed(loop));
    return 0;
}

static void loop_whose_last_reference_goes_while_it_runs_is_closed_behind_the_run(void **state)
{
    struct fixture *f = *state;
    aio_loop *loop = aio_new_event_loop();

    fx_hear(f);
    f->subject = loop;
    assert_int_equal(aio_loop_call_soon(loop, drop_running_loop, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_non_null(strstr(f->trace, "open 1"));
    assert_non_null(strstr(f->logged, "unclosed event loop"));
    assert_true(aio_future_done(f->other));
    aio_future_unref(f->other);
    aio_future_unref(f->subject);
}

static void future_keeps_the_memory_of_a_loop_that_is_gone(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    aio_future *fut = aio_future_new(loop);

    (void)state;
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    assert_true(aio_loop_is_closed(aio_future_get_loop(fut)));
    assert_int_equal(aio_future_set_result(fut, NULL), 0);
    aio_future_unref(fut);
}

static void loop_that_is_freed_is_not_the_current_one_any_more(void **state)
{
    struct fixture *f = *state;
    aio_loop *loop = aio_new_event_loop();

    aio_set_event_loop(loop);
    assert_ptr_equal(aio_get_event_loop(), loop);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    assert_null(aio_get_event_loop());
    aio_set_event_loop(f->loop);
}

/* --- running --------------------------------------------------------------------------- */

/* S9; after asyncio's test_base_events.BaseEventLoopTests.test__run_once */
static void stop_lets_the_batch_end_and_leaves_what_it_queued(void **state)
{
    struct fixture *f = *state;

    call(f, stop);
    call(f, note_a_and_queue_b);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- stop, - a");

    call(f, stop);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- b, - stop");
}

/* S9; after asyncio's test_base_events.BaseEventLoopTests.test_run_forever_pre_stopped */
static void stop_before_a_run_makes_one_iteration(void **state)
{
    struct fixture *f = *state;

    aio_loop_stop(f->loop);
    call(f, note_a_and_queue_b);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- a");

    aio_loop_stop(f->loop);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- b");
}

static void stop_before_a_run_of_an_idle_loop_returns_at_once(void **state)
{
    struct fixture *f = *state;

    aio_loop_stop(f->loop);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    assert_false(aio_loop_is_running(f->loop));
}

static int run_again(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "running %d", aio_loop_is_running(f->loop));
    (void)fx_note_code(f, "forever", aio_loop_run_forever(f->loop));
    (void)fx_note_code(f, "until", aio_loop_run_until_complete(f->loop, f->subject, NULL));
    (void)fx_note_code(f, "close", aio_loop_close(f->loop));
    return 0;
}

static int run_again_in_task(void *arg, void **ret_result)
{
    (void)ret_result;
    return run_again(arg);
}

/* S10, S13; after asyncio's test_base_events.RunningLoopTests.test_running_loop_within_a_loop */
static void running_loop_can_neither_be_run_again_nor_closed(void **state)
{
    struct fixture *f = *state;

    f->subject = aio_future_new(f->loop);
    call(f, run_again);
    (void)fx_spawn(f, "A", run_again_in_task);
    fx_settle(f);
    fx_assert_trace(f, "- running 1, - forever ! RuntimeError, - until ! RuntimeError, "
                       "- close ! RuntimeError, A running 1, A forever ! RuntimeError, "
                       "A until ! RuntimeError, A close ! RuntimeError");
    assert_false(aio_loop_is_running(f->loop));
    aio_future_unref(f->subject);
}

static int run_other(void *arg)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "forever", aio_loop_run_forever(f->subject));
    (void)fx_note_code(f, "until", aio_loop_run_until_complete(f->subject, f->other, NULL));
    return 0;
}

/* S13 */
static void second_loop_cannot_run_while_one_runs_in_the_thread(void **state)
{
    struct fixture *f = *state;
    aio_loop *second = aio_new_event_loop();

    f->subject = second;
    f->other = aio_future_new(second);
    call(f, run_other);
    fx_settle(f);
    fx_assert_trace(f, "- forever ! RuntimeError, - until ! RuntimeError");
    aio_future_unref(f->other);
    assert_int_equal(aio_loop_close(second), 0);
    aio_loop_unref(second);
}

static int note_a_and_close_other(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "a");
    return fx_note_code(f, "closed", aio_loop_close(f->subject));
}

static int close_other_in_task(void *arg, void **ret_result)
{
    int err = note_a_and_close_other(arg);

    (void)ret_result;
    return err < 0 ? err : aio_sleep(0);
}

static int wait_in_other(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    (void)fx_note_code(f, "unwound", aio_await(f->other, NULL));
    fx_note(f, "still %s", aio_get_running_loop() == f->subject ? "there" : "elsewhere");
    return 0;
}

/* The frames of the closed loop's tasks unwind inside the task of another. */
static void task_of_one_loop_may_close_another(void **state)
{
    struct fixture *f = *state;
    aio_loop *second = aio_new_event_loop();
    AIO_AUTO(aio_task) task = aio_loop_create_task(second, wait_in_other, f, NULL);

    f->subject = second;
    f->other = aio_future_new(second);
    aio_loop_stop(second);
    assert_int_equal(aio_loop_run_forever(second), 0);

    (void)fx_spawn(f, "A", close_other_in_task);
    fx_settle(f);
    /* The current task is asked of the fixture's loop, where A runs. */
    fx_assert_trace(f, "A a, A unwound ! GeneratorExit, A still there, A closed");
    assert_int_equal(aio_future_result(f->tasks[0], NULL), 0);
    aio_future_unref(f->other);
    aio_loop_unref(second);
}

/* S12; after asyncio's test_base_events.BaseEventLoopTests.test_run_forever_keyboard_interrupt */
static void interrupt_leaves_the_run_and_the_rest_stays_queued(void **state)
{
    struct fixture *f = *state;

    call(f, interrupt);
    call(f, note_a);
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_EKEYBOARDINTERRUPT);
    fx_assert_trace(f, "- interrupt");
    assert_false(aio_loop_is_running(f->loop));

    call(f, stop);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- a, - stop");
}

/* S12: the batch before, the queue behind. */
static void rest_of_an_interrupted_batch_runs_before_what_was_queued_meanwhile(void **state)
{
    struct fixture *f = *state;

    call(f, note_a_and_queue_b);
    call(f, interrupt);
    call(f, note_a);
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_EKEYBOARDINTERRUPT);
    fx_assert_trace(f, "- a, - interrupt");
    call(f, stop);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- a, - b, - stop");
}

/* S11 */
static void system_exit_is_kept_in_its_task_and_leaves_the_run(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(f->loop, exit_system, f, NULL);

    assert_int_equal(aio_loop_run_until_complete(f->loop, task, NULL), AIO_ESYSTEMEXIT);
    assert_string_equal(aio_error_text(AIO_ESYSTEMEXIT), "enough");
    assert_true(aio_future_done(task));
    assert_int_equal(aio_future_result(task, NULL), AIO_ESYSTEMEXIT);
    fx_settle(f);
}

static int sleep_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return fx_note_code(arg, "slept", aio_sleep(1));
}

/* S11, bpo-22429: what would have ended the first run is still queued, and ends no other */
static void run_that_system_exit_has_left_ends_no_later_one(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", exit_system);

    assert_int_equal(aio_loop_run_until_complete(f->loop, task, NULL), AIO_ESYSTEMEXIT);
    task = fx_spawn(f, "B", sleep_one);
    assert_int_equal(aio_loop_run_until_complete(f->loop, task, NULL), 0);
    fx_assert_trace(f, "B slept");
}

static int interrupt_by_handler(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    (void)loop;
    (void)context;
    (void)arg;
    return aio_raise(AIO_EKEYBOARDINTERRUPT, "no");
}

static void interrupt_outside_a_run_ends_no_later_one(void **state)
{
    struct fixture *f = *state;
    aio_exception_context context = {.size = sizeof(context), .message = "nothing"};

    aio_loop_set_exception_handler(f->loop, interrupt_by_handler, NULL);
    aio_loop_call_exception_handler(f->loop, &context);
    call(f, note_a);
    call(f, stop);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- a, - stop");
    aio_loop_call_exception_handler(f->loop, &context);
}

static void run_until_complete_gives_the_outcome(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) good = aio_loop_create_task(f->loop, give_argument, f, NULL);
    AIO_AUTO(aio_task) bad = aio_loop_create_task(f->loop, raise_error, f, NULL);
    void *value = NULL;

    assert_int_equal(aio_loop_run_until_complete(f->loop, good, &value), 0);
    assert_ptr_equal(value, f);
    value = NULL;
    assert_int_equal(aio_loop_run_until_complete(f->loop, bad, &value), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "no such thing");
    assert_null(value);
    /* One that is done already takes a run, but no time. */
    assert_int_equal(aio_loop_run_until_complete(f->loop, good, NULL), 0);
}

static void run_until_complete_starts_a_coroutine_object(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(give_argument, f, NULL);
    void *value = NULL;

    assert_int_equal(aio_loop_run_until_complete(f->loop, coro, &value), 0);
    assert_ptr_equal(value, f);
    assert_true(aio_future_is_task(coro));
}

/* S11; after asyncio's test_base_events.BaseEventLoopTests.test_run_until_complete_loop */
static void run_until_complete_fails_if_the_loop_stops_before(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);

    call(f, stop);
    assert_int_equal(aio_loop_run_until_complete(f->loop, fut, NULL), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME),
                        "Event loop stopped before Future completed.");
    assert_false(aio_future_done(fut));
    /* It has left nothing behind that would stop the loop later. */
    assert_int_equal(aio_future_remove_done_callback(fut, NULL, NULL), 0);
    assert_int_equal(aio_future_set_result(fut, NULL), 0);
    call(f, note_a_and_queue_b);
    fx_settle(f);
    fx_assert_trace(f, "- stop, - a, - b");
}

static void run_until_complete_refuses_a_future_of_another_loop(void **state)
{
    struct fixture *f = *state;
    aio_loop *second = aio_new_event_loop();
    AIO_AUTO(aio_future) fut = aio_future_new(second);

    assert_int_equal(aio_loop_run_until_complete(f->loop, fut, NULL), AIO_EVALUE);
    assert_int_equal(aio_loop_close(second), 0);
    aio_loop_unref(second);
}

static int note_loops(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "running %d event %d", aio_get_running_loop() == f->loop,
            aio_get_event_loop() == f->loop);
    return 0;
}

static int note_loops_in_task(void *arg, void **ret_result)
{
    (void)ret_result;
    return note_loops(arg);
}

static void running_loop_is_known_inside_callbacks_and_tasks_only(void **state)
{
    struct fixture *f = *state;

    aio_set_event_loop(NULL);
    assert_null(aio_get_running_loop());
    assert_string_equal(aio_error_text(AIO_ENOLOOP), "no running event loop");
    assert_null(aio_get_event_loop());
    assert_string_equal(aio_error_text(AIO_ENOLOOP),
                        "There is no current event loop in this thread.");
    call(f, note_loops);
    (void)fx_spawn(f, "A", note_loops_in_task);
    fx_settle(f);
    fx_assert_trace(f, "- running 1 event 1, A running 1 event 1");
    assert_null(aio_get_running_loop());
    aio_set_event_loop(f->loop);
    assert_ptr_equal(aio_get_event_loop(), f->loop);
}

/* --- a libuv library beside us --------------------------------------------------------- */

static void on_uv_timer(uv_timer_t *timer)
{
    struct fixture *f = timer->data;

    fx_note(f, "timer");
    f->subject = aio_loop_create_task(f->loop, give_argument, f, NULL);
    call(f, note_a);
    (void)run_again(f);
    call(f, stop);
    uv_close((uv_handle_t *)timer, NULL);
}

static void handle_of_a_libuv_library_works_on_the_loop(void **state)
{
    struct fixture *f = *state;
    uv_timer_t timer;

    timer.data = f;
    assert_int_equal(uv_timer_init(aio_loop_uv(f->loop), &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_uv_timer, 0, 0), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- timer, - running 1, - forever ! RuntimeError, - until ! RuntimeError, "
                       "- close ! RuntimeError, - a, - stop");
    assert_int_equal(aio_future_result(f->subject, NULL), 0);
    aio_future_unref(f->subject);
}

static void libuv_handle_left_open_is_told_of(void **state)
{
    struct fixture *f = *state;
    aio_loop *loop = aio_new_event_loop();
    uv_loop_t *uv = aio_loop_uv(loop);
    uv_timer_t timer;

    fx_hear(f);
    assert_int_equal(uv_timer_init(uv, &timer), 0);
    assert_int_equal(aio_loop_close(loop), 0);
    assert_non_null(strstr(f->logged, "libuv handles are still open"));
    /* The program closes its handle at last; the loop's memory cannot be had back. */
    uv_close((uv_handle_t *)&timer, NULL);
    assert_int_equal(uv_run(uv, UV_RUN_NOWAIT), 0);
    assert_int_equal(uv_loop_close(uv), 0);
    aio_loop_unref(loop);
    aio__loop_unref_memory(loop);
}

/* --- closing --------------------------------------------------------------------------- */

/* S10 */
static void closed_loop_refuses_to_run_and_to_take_anything(void **state)
{
    struct fixture *f = *state;
    aio_handle *untouched = NULL;
    void *value = f;
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);

    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_true(aio_loop_is_closed(f->loop));
    assert_null(aio_loop_uv(f->loop));
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_ECLOSED);
    assert_int_equal(aio_loop_run_until_complete(f->loop, fut, &value), AIO_ECLOSED);
    assert_ptr_equal(value, f);
    assert_int_equal(aio_loop_call_soon(f->loop, note_a, f, &untouched), AIO_ECLOSED);
    assert_string_equal(aio_error_text(AIO_ECLOSED), "Event loop is closed");
    assert_int_equal(aio_loop_call_later(f->loop, 1, note_a, f, &untouched), AIO_ECLOSED);
    assert_int_equal(aio_loop_call_at(f->loop, 1, note_a, f, &untouched), AIO_ECLOSED);
    assert_int_equal(aio_loop_call_soon_threadsafe(f->loop, note_a, f, &untouched), AIO_ECLOSED);
    assert_int_equal(aio_loop_add_reader(f->loop, 0, note_a, f), AIO_ECLOSED);
    assert_int_equal(aio_loop_add_writer(f->loop, 0, note_a, f), AIO_ECLOSED);
    assert_false(aio_loop_remove_reader(f->loop, 0));
    assert_false(aio_loop_remove_writer(f->loop, 0));
    assert_null(untouched);
    assert_null(aio_future_new(f->loop));
    assert_null(aio_loop_create_task(f->loop, give_argument, f, NULL));
    assert_null(aio_loop_run_in_executor(f->loop, NULL, give_argument, f));
    assert_int_equal(aio_await(NULL, NULL), AIO_ECLOSED);
    aio_loop_stop(f->loop);
    fx_assert_trace(f, "");
}

/* S10 */
static void close_throws_queued_calls_and_timers_away(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_handle) kept = NULL;

    call(f, note_a);
    assert_int_equal(aio_loop_call_later(f->loop, 0, note_a, f, NULL), 0);
    assert_int_equal(aio_loop_call_later(f->loop, 5, note_a, f, &kept), 0);
    assert_int_equal(aio_loop_call_soon_threadsafe(f->loop, note_a, f, NULL), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    fx_assert_trace(f, "");
    assert_false(aio_handle_cancelled(kept));
    aio_handle_cancel(kept);
    assert_true(aio_handle_cancelled(kept));
}

static void done_callbacks_of_a_closed_loop_are_not_called(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) queued = aio_future_new(f->loop);
    AIO_AUTO(aio_future) pending = aio_future_new(f->loop);

    assert_int_equal(aio_future_add_done_callback(queued, note_done, f), 0);
    assert_int_equal(aio_future_add_done_callback(pending, note_done, f), 0);
    assert_int_equal(aio_future_set_result(queued, NULL), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(aio_future_set_result(pending, NULL), 0);
    fx_assert_trace(f, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(loop_begins_open_and_not_running),
        FX_TEST(loop_is_made_the_current_one_by_nobody_but_who_says_so),
        FX_TEST(loop_is_not_made_with_options_out_of_bounds),
        FX_TEST(loop_is_closed_with_a_warning_when_the_last_reference_goes),
        FX_TEST(loop_may_be_referenced_again_by_what_unwinds_as_it_goes),
        FX_TEST(loop_whose_last_reference_goes_while_it_runs_is_closed_behind_the_run),
        FX_TEST(future_keeps_the_memory_of_a_loop_that_is_gone),
        FX_TEST(loop_that_is_freed_is_not_the_current_one_any_more),
        FX_TEST(stop_lets_the_batch_end_and_leaves_what_it_queued),
        FX_TEST(stop_before_a_run_makes_one_iteration),
        FX_TEST(stop_before_a_run_of_an_idle_loop_returns_at_once),
        FX_TEST(running_loop_can_neither_be_run_again_nor_closed),
        FX_TEST(second_loop_cannot_run_while_one_runs_in_the_thread),
        FX_TEST(task_of_one_loop_may_close_another),
        FX_TEST(interrupt_leaves_the_run_and_the_rest_stays_queued),
        FX_TEST(rest_of_an_interrupted_batch_runs_before_what_was_queued_meanwhile),
        FX_TEST(system_exit_is_kept_in_its_task_and_leaves_the_run),
        FX_TEST(run_that_system_exit_has_left_ends_no_later_one),
        FX_TEST(interrupt_outside_a_run_ends_no_later_one),
        FX_TEST(run_until_complete_gives_the_outcome),
        FX_TEST(run_until_complete_starts_a_coroutine_object),
        FX_TEST(run_until_complete_fails_if_the_loop_stops_before),
        FX_TEST(run_until_complete_refuses_a_future_of_another_loop),
        FX_TEST(running_loop_is_known_inside_callbacks_and_tasks_only),
        FX_TEST(handle_of_a_libuv_library_works_on_the_loop),
        FX_TEST(libuv_handle_left_open_is_told_of),
        FX_TEST(closed_loop_refuses_to_run_and_to_take_anything),
        FX_TEST(close_throws_queued_calls_and_timers_away),
        FX_TEST(done_callbacks_of_a_closed_loop_are_not_called),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
