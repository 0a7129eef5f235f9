/* SPDX-License-Identifier: MIT */
/*
 * test_host.c - a loop that is the guest of a host's uv_loop_t: what is the host's alone
 *
 * See test_guest.c for what is the same for a loop of its own.
 */
#include "support/world.h"

#include <aio/aio.h>
#include <aio/testing.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* --- who keeps the host alive ----------------------------------------------------------- */

static void guest_with_nothing_to_do_does_not_keep_its_host(void **state)
{
    struct world *w = *state;

    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_alive(&w->host), 0);
}

static void timer_that_was_cancelled_does_not_keep_the_host(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_handle) timer = NULL;

    assert_int_equal(aio_loop_call_later(w->loop, 3600, world_note_a, w, &timer), 0);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    assert_int_not_equal(uv_loop_alive(&w->host), 0);
    aio_handle_cancel(timer);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "");
}

/* Something of the host's, which calls back in one way or another. */
struct hosts_own {
    struct world *w;
    void (*fn)(struct hosts_own *own);
    aio_handle *handle;
    aio_task *task;
    int code;
    union {
        uv_handle_t any;
        uv_timer_t timer;
        uv_idle_t idle;
        uv_prepare_t prepare;
        uv_check_t check;
        uv_async_t async;
        uv_poll_t poll;
    } uv;
};

static void call_and_close(struct hosts_own *own)
{
    own->fn(own);
    if (!uv_is_closing(&own->uv.any))
        uv_close(&own->uv.any, NULL);
}

static void on_timer(uv_timer_t *timer)
{
    call_and_close(timer->data);
}

static void set_timer(struct hosts_own *own, struct world *w, void (*fn)(struct hosts_own *own))
{
    *own = (struct hosts_own){.w = w, .fn = fn};
    assert_int_equal(uv_timer_init(&w->host, &own->uv.timer), 0);
    own->uv.any.data = own;
    assert_int_equal(uv_timer_start(&own->uv.timer, on_timer, 0, 0), 0);
}

static void cancel_handle(struct hosts_own *own)
{
    aio_handle_cancel(own->handle);
    world_note(own->w, "cancelled");
}

static void timer_that_the_host_cancels_while_it_runs_does_not_keep_it(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_handle) timer = NULL;
    struct hosts_own own;

    assert_int_equal(aio_loop_call_later(w->loop, 3600, world_note_a, w, &timer), 0);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    set_timer(&own, w, cancel_handle);
    own.handle = timer;
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "cancelled");
}

static int wait_for_future(void *arg, void **ret_result)
{
    return aio_await(arg, ret_result);
}

static void task_keeps_the_host_for_as_long_as_it_waits(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(w->loop);
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, wait_for_future, fut, NULL);

    for (int i = 0; i < 3; i++)
        assert_int_not_equal(uv_run(&w->host, UV_RUN_NOWAIT), 0);
    assert_int_equal(aio_future_set_result(fut, w), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static void descriptor_keeps_the_host_for_as_long_as_it_is_watched(void **state)
{
    struct world *w = *state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(aio_loop_add_reader(w->loop, ends[0], world_note_a, w), 0);
    assert_int_not_equal(uv_run(&w->host, UV_RUN_NOWAIT), 0);
    assert_true(aio_loop_remove_reader(w->loop, ends[0]));
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void signal_handler_does_not_keep_the_host(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_add_signal_handler(w->loop, SIGUSR1, world_note_a, w), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_true(aio_loop_remove_signal_handler(w->loop, SIGUSR1));
}

/* --- what the host's callbacks may do --------------------------------------------------- */

static void use_guest(struct hosts_own *own)
{
    (void)aio_loop_call_soon(own->w->loop, world_note_a, own->w, NULL);
    (void)aio_loop_call_later(own->w->loop, 0.0001, world_note_c, own->w, NULL);
    own->task = aio_loop_create_task(own->w->loop, world_sleep, own->w, NULL);
    world_note(own->w, "-");
}

static void callback_of_the_host_makes_calls_timers_and_tasks(void **state)
{
    struct world *w = *state;
    struct hosts_own own;

    set_timer(&own, w, use_guest);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "-acb");
    aio_future_unref(own.task);
}

static void try_to_run(struct hosts_own *own)
{
    AIO_AUTO(aio_future) fut = aio_future_new(own->w->loop);

    own->code = aio_loop_run_forever(own->w->loop);
    if (own->code == AIO_ERUNTIME)
        own->code = aio_loop_run_until_complete(own->w->loop, fut, NULL);
    if (own->code == AIO_ERUNTIME)
        own->code = aio_loop_step(own->w->loop);
    if (own->code == AIO_ERUNTIME)
        own->code = aio_loop_run_forever_setup(own->w->loop);
    world_note(own->w, aio_error_text(own->code));
}

static void on_idle(uv_idle_t *idle)
{
    call_and_close(idle->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
    call_and_close(prepare->data);
}

static void on_check(uv_check_t *check)
{
    call_and_close(check->data);
}

static void on_async(uv_async_t *async)
{
    call_and_close(async->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    call_and_close(poll->data);
}

static void on_close(uv_handle_t *handle)
{
    struct hosts_own *own = handle->data;

    own->fn(own);
}

static void start_all(struct hosts_own own[7], struct world *w, int fd)
{
    for (int i = 0; i < 7; i++) {
        own[i] = (struct hosts_own){.w = w, .fn = try_to_run};
        own[i].uv.any.data = &own[i];
    }
    (void)uv_timer_init(&w->host, &own[0].uv.timer);
    (void)uv_timer_start(&own[0].uv.timer, on_timer, 0, 0);
    (void)uv_idle_init(&w->host, &own[1].uv.idle);
    (void)uv_idle_start(&own[1].uv.idle, on_idle);
    (void)uv_prepare_init(&w->host, &own[2].uv.prepare);
    (void)uv_prepare_start(&own[2].uv.prepare, on_prepare);
    (void)uv_check_init(&w->host, &own[3].uv.check);
    (void)uv_check_start(&own[3].uv.check, on_check);
    (void)uv_async_init(&w->host, &own[4].uv.async, on_async);
    (void)uv_async_send(&own[4].uv.async);
    (void)uv_poll_init(&w->host, &own[5].uv.poll, fd);
    (void)uv_poll_start(&own[5].uv.poll, UV_WRITABLE, on_poll);
    (void)uv_timer_init(&w->host, &own[6].uv.timer);
    uv_close(&own[6].uv.any, on_close);
}

static void guest_is_not_run_from_any_callback_of_the_host(void **state)
{
    struct world *w = *state;
    struct hosts_own own[7];
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    start_all(own, w, ends[1]);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    for (int i = 0; i < 7; i++)
        assert_int_equal(own[i].code, AIO_ERUNTIME);
    assert_non_null(strstr(w->trace, "from a callback of its host's"));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int run_inside(void *arg)
{
    struct world *w = arg;

    world_note(w, aio_loop_run_forever(w->loop) == AIO_ERUNTIME ? "a" : "!");
    world_note(w, aio_loop_close(w->loop) == AIO_ERUNTIME ? "b" : "!");
    return 0;
}

static void guest_is_neither_run_nor_closed_by_its_own_callbacks(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_soon(w->loop, run_inside, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "ab");
}

static void note_h(struct hosts_own *own)
{
    world_note(own->w, "h");
}

static int note_and_stop(void *arg)
{
    struct world *w = arg;

    world_note(w, "s");
    aio_loop_stop(w->loop);
    return 0;
}

static void run_call_of_the_guest_runs_the_hosts_handles_too(void **state)
{
    struct world *w = *state;
    struct hosts_own own;

    set_timer(&own, w, note_h);
    assert_int_equal(aio_loop_call_later(w->loop, 0.002, note_and_stop, w, NULL), 0);
    assert_int_equal(aio_loop_run_forever(w->loop), 0);
    world_assert_trace(w, "hs");
}

static int interrupt(void *arg)
{
    (void)arg;
    return AIO_EKEYBOARDINTERRUPT;
}

/* S12, where there is no run call to leave */
static void error_that_ends_a_run_is_reported_where_the_host_runs(void **state)
{
    struct world *w = *state;

    aio_loop_set_exception_handler(w->loop, world_note_report, w);
    assert_int_equal(aio_loop_call_soon(w->loop, interrupt, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, world_note_b, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "An error that ends a run left a loop that its host runsb");
}

static int stop_host(void *arg)
{
    struct world *w = arg;

    world_note(w, "s");
    (void)aio_loop_call_soon(w->loop, world_note_c, w, NULL);
    uv_stop(&w->host);
    return 0;
}

/* S9: as aio_loop_stop() does */
static void host_that_stops_lets_the_batch_end_and_nothing_more(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_soon(w->loop, stop_host, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, world_note_b, w, NULL), 0);
    (void)uv_run(&w->host, UV_RUN_DEFAULT);
    world_assert_trace(w, "sb");
    world_run(w);
    world_assert_trace(w, "c");
}

static int stop_host_and_give_way(void *arg, void **ret_result)
{
    struct world *w = arg;
    int err;

    (void)ret_result;
    uv_stop(&w->host);
    world_note(w, "1");
    err = aio_sleep(0);
    world_note(w, "2");
    return err;
}

/* S9: where a task would be switched to directly, too */
static void host_that_a_task_stops_lets_no_other_iteration_begin(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, stop_host_and_give_way, w, NULL);

    (void)uv_run(&w->host, UV_RUN_DEFAULT);
    world_assert_trace(w, "1");
    world_run(w);
    world_assert_trace(w, "2");
}

/* --- a clock that jumps ----------------------------------------------------------------- */

static int sleep_an_hour(void *arg, void **ret_result)
{
    int err = aio_sleep(3600);

    (void)ret_result;
    world_note(arg, "t");
    return err;
}

static void virtual_time_passes_while_the_host_runs(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, sleep_an_hour, w, NULL);

    assert_int_equal(aio_loop_call_later(w->loop, 7200, world_note_b, w, NULL), 0);
    world_run(w);
    world_assert_trace(w, "tb");
    assert_true(aio_loop_time(w->loop) == 7200);
}

struct blocked {
    struct world *w;
    aio_future *fut;
};

static int finish_blocked(void *arg)
{
    struct blocked *blocked = arg;

    world_note(blocked->w, "blocked ");
    return aio_future_set_result(blocked->fut, NULL);
}

static int wait_blocked(void *arg, void **ret_result)
{
    struct blocked *blocked = arg;
    int err = aio_await(blocked->fut, ret_result);

    world_note(blocked->w, "done");
    return err;
}

static void virtual_guest_that_is_blocked_says_so_while_the_host_runs(void **state)
{
    struct world *w = *state;
    struct blocked blocked = {w, aio_future_new(w->loop)};
    aio_task *task = aio_loop_create_task(w->loop, wait_blocked, &blocked, NULL);

    aio_testing_on_blocked(w->loop, finish_blocked, &blocked);
    world_run(w);
    aio_testing_on_blocked(w->loop, NULL, NULL);
    world_assert_trace(w, "blocked done");
    aio_future_unref(task);
    aio_future_unref(blocked.fut);
}

static void virtual_guest_that_stopped_a_run_lets_time_pass_in_its_host(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_later(w->loop, 2, world_note_b, w, NULL), 0);
    assert_int_equal(aio_testing_advance(w->loop, 1), 0);
    world_assert_trace(w, "");
    world_run(w);
    world_assert_trace(w, "b");
    assert_int_equal(aio_loop_call_soon(w->loop, note_and_stop, w, NULL), 0);
    assert_int_equal(aio_loop_call_later(w->loop, 1, world_note_c, w, NULL), 0);
    world_run(w); /* which is the host's to stop */
    world_assert_trace(w, "sc");
}

/* --- the guest goes, the host stays ----------------------------------------------------- */

static void close_guest(struct hosts_own *own)
{
    own->code = aio_loop_close(own->w->loop);
    world_note(own->w, "closed ");
}

static void guest_is_closed_while_the_host_goes_on(void **state)
{
    struct world *w = *state;
    struct hosts_own closer;
    struct hosts_own own;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, world_wait_for_ever, w, NULL);

    aio_loop_set_exception_handler(w->loop, world_note_report, w);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    set_timer(&closer, w, close_guest);
    set_timer(&own, w, note_h);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_int_equal(closer.code, 0);
    world_assert_trace(w, "(Task was destroyed but it is pending!)closed h");
    assert_true(aio_loop_is_closed(w->loop));
    set_timer(&own, w, note_h);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "h");
}

static void host_has_several_guests_and_loses_one(void **state)
{
    struct world *w = *state;
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    struct world second = {.is_guest = true};
    aio_task *task;

    options.uv = &w->host;
    second.loop = aio_loop_new(&options);
    assert_non_null(second.loop);
    task = aio_loop_create_task(second.loop, world_wait, &second, NULL);
    assert_int_equal(aio_loop_call_soon(w->loop, world_note_a, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "a");
    world_assert_trace(&second, "abc");
    aio_future_unref(task);
    assert_int_equal(aio_loop_close(second.loop), 0);
    aio_loop_unref(second.loop);

    assert_int_equal(aio_loop_call_soon(w->loop, world_note_b, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "b");
}

static int run_other(void *arg)
{
    struct world *w = arg;

    world_note(w, aio_get_running_loop() == w->loop ? "a" : "!");
    return 0;
}

static void guests_are_each_the_running_loop_of_their_own_callbacks(void **state)
{
    struct world *w = *state;
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    struct world second = {.is_guest = true};

    options.uv = &w->host;
    second.loop = aio_loop_new(&options);
    assert_int_equal(aio_loop_call_soon(second.loop, run_other, &second, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, run_other, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "a");
    world_assert_trace(&second, "a");
    assert_null(aio_get_running_loop());
    assert_int_equal(aio_loop_close(second.loop), 0);
    aio_loop_unref(second.loop);
}

static void host_runs_on_when_all_its_guest_was_is_gone(void **state)
{
    struct world *w = *state;
    struct hosts_own own;

    assert_int_equal(aio_loop_call_later(w->loop, 3600, world_note_a, w, NULL), 0);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    assert_int_equal(aio_loop_close(w->loop), 0);
    aio_loop_unref(w->loop);
    w->loop = NULL;
    set_timer(&own, w, note_h);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    world_assert_trace(w, "h");
    w->loop = aio_loop_new(NULL); /* for the teardown */
}

int main(void)
{
#define GUEST(test)   cmocka_unit_test_setup_teardown(test, world_open_guest, world_close)
#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, world_open_virtual, world_close)
    static const struct CMUnitTest tests[] = {
        GUEST(guest_with_nothing_to_do_does_not_keep_its_host),
        GUEST(timer_that_was_cancelled_does_not_keep_the_host),
        GUEST(timer_that_the_host_cancels_while_it_runs_does_not_keep_it),
        GUEST(task_keeps_the_host_for_as_long_as_it_waits),
        GUEST(descriptor_keeps_the_host_for_as_long_as_it_is_watched),
        GUEST(signal_handler_does_not_keep_the_host),
        GUEST(callback_of_the_host_makes_calls_timers_and_tasks),
        GUEST(guest_is_not_run_from_any_callback_of_the_host),
        GUEST(guest_is_neither_run_nor_closed_by_its_own_callbacks),
        GUEST(run_call_of_the_guest_runs_the_hosts_handles_too),
        GUEST(error_that_ends_a_run_is_reported_where_the_host_runs),
        GUEST(host_that_stops_lets_the_batch_end_and_nothing_more),
        GUEST(host_that_a_task_stops_lets_no_other_iteration_begin),
        VIRTUAL(virtual_time_passes_while_the_host_runs),
        VIRTUAL(virtual_guest_that_is_blocked_says_so_while_the_host_runs),
        VIRTUAL(virtual_guest_that_stopped_a_run_lets_time_pass_in_its_host),
        GUEST(guest_is_closed_while_the_host_goes_on),
        GUEST(host_has_several_guests_and_loses_one),
        GUEST(guests_are_each_the_running_loop_of_their_own_callbacks),
        GUEST(host_runs_on_when_all_its_guest_was_is_gone),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
