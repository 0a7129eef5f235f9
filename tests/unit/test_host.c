/* SPDX-License-Identifier: MIT */
/*
 * test_host.c - a loop that is the guest of a host's uv_loop_t
 *
 * What a program sees of a loop is the same whether its own steps drive it or the host's uv_run():
 * the first tests run both ways. The others are about what is the host's alone.
 */
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <aio/testing.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct world {
    uv_loop_t host;
    aio_loop *loop; /* the host's guest, or one of its own */
    bool is_guest;
    char trace[256];
};

static int open_world(void **state, bool is_guest, aio_clock clock)
{
    static struct world world;
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.clock = clock;
    (void)count_allocations(state);
    memset(&world, 0, sizeof(world));
    if (uv_loop_init(&world.host) < 0)
        return -1;
    if (is_guest)
        options.uv = &world.host;
    world.is_guest = is_guest;
    world.loop = aio_loop_new(&options);
    *state = &world;
    return world.loop == NULL ? -1 : 0;
}

static int open_own(void **state)
{
    return open_world(state, false, AIO_CLOCK_REAL);
}

static int open_guest(void **state)
{
    return open_world(state, true, AIO_CLOCK_REAL);
}

static int open_virtual_guest(void **state)
{
    return open_world(state, true, AIO_CLOCK_VIRTUAL);
}

/* The host goes on when its guest is gone, and ends with nothing of it left. */
static int close_world(void **state)
{
    struct world *w = *state;
    int err = aio_loop_close(w->loop);

    aio_loop_unref(w->loop);
    (void)uv_run(&w->host, UV_RUN_DEFAULT);
    if (uv_loop_close(&w->host) < 0)
        err = -1;
    return check_allocations(state) < 0 ? -1 : err;
}

static void note(struct world *w, const char *what)
{
    (void)strncat(w->trace, what, sizeof(w->trace) - strlen(w->trace) - 1);
}

static void assert_trace(struct world *w, const char *expected)
{
    assert_string_equal(w->trace, expected);
    w->trace[0] = '\0';
}

/* Run until nothing is left to do. */
static void run(struct world *w)
{
    struct pollfd pfd = {aio_loop_fd(w->loop), POLLIN, 0};

    if (w->is_guest) {
        assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
        return;
    }
    while (aio_loop_step(w->loop) == 1)
        (void)poll(&pfd, 1, aio_loop_timeout(w->loop));
}

/* --- both ways -------------------------------------------------------------------------- */

static int note_a(void *arg)
{
    note(arg, "a");
    return 0;
}

static int note_b(void *arg)
{
    note(arg, "b");
    return 0;
}

static int note_c(void *arg)
{
    note(arg, "c");
    return 0;
}

static int note_and_queue(void *arg)
{
    struct world *w = arg;

    note(w, "(");
    (void)aio_loop_call_soon(w->loop, note_c, w, NULL);
    note(w, ")");
    return 0;
}

/* S2 */
static void calls_run_in_their_order_and_what_they_queue_after_them(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_soon(w->loop, note_and_queue, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, note_b, w, NULL), 0);
    run(w);
    assert_trace(w, "()bc");
}

/* S4, S5 */
static void timers_run_in_the_order_of_their_deadlines_after_calls(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_later(w->loop, 0.0004, note_c, w, NULL), 0);
    assert_int_equal(aio_loop_call_later(w->loop, 0, note_b, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, note_a, w, NULL), 0);
    run(w);
    assert_trace(w, "abc");
}

/* S6 */
static void calls_that_are_cancelled_do_not_run(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_handle) soon = NULL;
    AIO_AUTO(aio_handle) later = NULL;

    assert_int_equal(aio_loop_call_soon(w->loop, note_a, w, &soon), 0);
    assert_int_equal(aio_loop_call_later(w->loop, 0.0001, note_b, w, &later), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, note_c, w, NULL), 0);
    aio_handle_cancel(soon);
    aio_handle_cancel(later);
    run(w);
    assert_trace(w, "c");
}

static int child(void *arg, void **ret_result)
{
    int err = aio_sleep(0.0002);

    note(arg, "b");
    *ret_result = arg;
    return err;
}

static int parent(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) task = aio_create_task(child, arg);
    int err;

    note(arg, "a");
    err = aio_await(task, ret_result);
    note(arg, "c");
    return err;
}

static void tasks_sleep_and_wait_for_each_other(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, parent, w, NULL);
    void *result = NULL;

    run(w);
    assert_trace(w, "abc");
    assert_int_equal(aio_future_result(task, &result), 0);
    assert_ptr_equal(result, w);
}

static int wait_for_ever(void *arg, void **ret_result)
{
    int err;

    (void)ret_result;
    note(arg, "(");
    err = aio_sleep(3600);
    note(arg, err == AIO_ECANCELLED ? "cancelled)" : ")");
    return err;
}

static int cancel_task(void *arg)
{
    (void)aio_task_cancel(arg, NULL);
    return 0;
}

static void tasks_that_are_cancelled_keep_nobody_waiting(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, wait_for_ever, w, NULL);

    assert_int_equal(aio_loop_call_later(w->loop, 0.0001, cancel_task, task, NULL), 0);
    run(w);
    assert_trace(w, "(cancelled)");
    assert_true(aio_future_cancelled(task));
}

struct passing {
    struct world *w;
    aio_future *fut;
};

static int finish(void *arg)
{
    struct passing *passing = arg;

    note(passing->w, "b");
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

    note(passing->w, "a");
    if (pthread_create(&thread, NULL, finish_from_thread, passing) != 0)
        return AIO_ERUNTIME;
    err = aio_await(passing->fut, ret_result);
    (void)pthread_join(thread, NULL);
    note(passing->w, "c");
    return err;
}

/* S14 */
static void other_threads_wake_the_loop(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(w->loop);
    struct passing passing = {w, fut};
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, wait_for_thread, &passing, NULL);

    run(w);
    assert_trace(w, "abc");
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

    note(arg, err == 0 ? "a" : "!");
    return err;
}

static void jobs_in_the_default_executor_are_waited_for(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, wait_for_job, w, NULL);

    run(w);
    assert_trace(w, "a");
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
    note(watched->w, text);
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
    run(w);
    assert_trace(w, "xyz");
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

    note(awaited->w, "b");
    return aio_future_set_result(awaited->fut, NULL);
}

static int raise_and_wait(void *arg, void **ret_result)
{
    struct awaited_signal *awaited = arg;
    int err = aio_loop_add_signal_handler(awaited->w->loop, SIGUSR1, on_signal, awaited);

    if (err < 0)
        return err;
    (void)raise(SIGUSR1);
    note(awaited->w, "a");
    err = aio_await(awaited->fut, ret_result);
    (void)aio_loop_remove_signal_handler(awaited->w->loop, SIGUSR1);
    note(awaited->w, "c");
    return err;
}

/* S111 */
static void signals_are_queued_into_the_loop(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_future) fut = aio_future_new(w->loop);
    struct awaited_signal awaited = {w, fut};
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, raise_and_wait, &awaited, NULL);

    run(w);
    assert_trace(w, "abc");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int give_up(void *arg)
{
    (void)arg;
    return aio_raise(AIO_EVALUE, "no good");
}

static int note_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    (void)loop;
    note(arg, context->message);
    return 0;
}

/* S12 */
static void errors_of_callbacks_are_reported_and_the_rest_goes_on(void **state)
{
    struct world *w = *state;

    aio_loop_set_exception_handler(w->loop, note_report, w);
    assert_int_equal(aio_loop_call_soon(w->loop, give_up, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, note_b, w, NULL), 0);
    run(w);
    assert_non_null(strstr(w->trace, "Exception in callback"));
    assert_int_equal(w->trace[strlen(w->trace) - 1], 'b');
}

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

    assert_int_equal(aio_loop_call_later(w->loop, 3600, note_a, w, &timer), 0);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    assert_int_not_equal(uv_loop_alive(&w->host), 0);
    aio_handle_cancel(timer);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "");
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
    note(own->w, "cancelled");
}

static void timer_that_the_host_cancels_while_it_runs_does_not_keep_it(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_handle) timer = NULL;
    struct hosts_own own;

    assert_int_equal(aio_loop_call_later(w->loop, 3600, note_a, w, &timer), 0);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    set_timer(&own, w, cancel_handle);
    own.handle = timer;
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "cancelled");
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
    struct watched watched = {w, {-1, -1}};

    assert_int_equal(pipe(watched.ends), 0);
    assert_int_equal(aio_loop_add_reader(w->loop, watched.ends[0], read_byte, &watched), 0);
    assert_int_not_equal(uv_run(&w->host, UV_RUN_NOWAIT), 0);
    assert_true(aio_loop_remove_reader(w->loop, watched.ends[0]));
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    (void)close(watched.ends[0]);
    (void)close(watched.ends[1]);
}

static void signal_handler_does_not_keep_the_host(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_add_signal_handler(w->loop, SIGUSR1, note_a, w), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_true(aio_loop_remove_signal_handler(w->loop, SIGUSR1));
}

/* --- what the host's callbacks may do --------------------------------------------------- */

static void use_guest(struct hosts_own *own)
{
    (void)aio_loop_call_soon(own->w->loop, note_a, own->w, NULL);
    (void)aio_loop_call_later(own->w->loop, 0.0001, note_c, own->w, NULL);
    own->task = aio_loop_create_task(own->w->loop, child, own->w, NULL);
    note(own->w, "-");
}

static void callback_of_the_host_makes_calls_timers_and_tasks(void **state)
{
    struct world *w = *state;
    struct hosts_own own;

    set_timer(&own, w, use_guest);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "-acb");
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
    note(own->w, aio_error_text(own->code));
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

    note(w, aio_loop_run_forever(w->loop) == AIO_ERUNTIME ? "a" : "!");
    note(w, aio_loop_close(w->loop) == AIO_ERUNTIME ? "b" : "!");
    return 0;
}

static void guest_is_neither_run_nor_closed_by_its_own_callbacks(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_soon(w->loop, run_inside, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "ab");
}

static void note_h(struct hosts_own *own)
{
    note(own->w, "h");
}

static int note_and_stop(void *arg)
{
    struct world *w = arg;

    note(w, "s");
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
    assert_trace(w, "hs");
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

    aio_loop_set_exception_handler(w->loop, note_report, w);
    assert_int_equal(aio_loop_call_soon(w->loop, interrupt, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, note_b, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "An error that ends a run left a loop that its host runsb");
}

static int stop_host(void *arg)
{
    struct world *w = arg;

    note(w, "s");
    (void)aio_loop_call_soon(w->loop, note_c, w, NULL);
    uv_stop(&w->host);
    return 0;
}

/* S9: as aio_loop_stop() does */
static void host_that_stops_lets_the_batch_end_and_nothing_more(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_soon(w->loop, stop_host, w, NULL), 0);
    assert_int_equal(aio_loop_call_soon(w->loop, note_b, w, NULL), 0);
    (void)uv_run(&w->host, UV_RUN_DEFAULT);
    assert_trace(w, "sb");
    run(w);
    assert_trace(w, "c");
}

static int stop_host_and_give_way(void *arg, void **ret_result)
{
    struct world *w = arg;
    int err;

    (void)ret_result;
    uv_stop(&w->host);
    note(w, "1");
    err = aio_sleep(0);
    note(w, "2");
    return err;
}

/* S9: where a task would be switched to directly, too */
static void host_that_a_task_stops_lets_no_other_iteration_begin(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, stop_host_and_give_way, w, NULL);

    (void)uv_run(&w->host, UV_RUN_DEFAULT);
    assert_trace(w, "1");
    run(w);
    assert_trace(w, "2");
}

/* --- a clock that jumps ----------------------------------------------------------------- */

static int sleep_an_hour(void *arg, void **ret_result)
{
    int err = aio_sleep(3600);

    (void)ret_result;
    note(arg, "t");
    return err;
}

static void virtual_time_passes_while_the_host_runs(void **state)
{
    struct world *w = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, sleep_an_hour, w, NULL);

    assert_int_equal(aio_loop_call_later(w->loop, 7200, note_b, w, NULL), 0);
    run(w);
    assert_trace(w, "tb");
    assert_true(aio_loop_time(w->loop) == 7200);
}

struct blocked {
    struct world *w;
    aio_future *fut;
};

static int finish_blocked(void *arg)
{
    struct blocked *blocked = arg;

    note(blocked->w, "blocked ");
    return aio_future_set_result(blocked->fut, NULL);
}

static int wait_blocked(void *arg, void **ret_result)
{
    struct blocked *blocked = arg;
    int err = aio_await(blocked->fut, ret_result);

    note(blocked->w, "done");
    return err;
}

static void virtual_guest_that_is_blocked_says_so_while_the_host_runs(void **state)
{
    struct world *w = *state;
    struct blocked blocked = {w, aio_future_new(w->loop)};
    aio_task *task = aio_loop_create_task(w->loop, wait_blocked, &blocked, NULL);

    aio_testing_on_blocked(w->loop, finish_blocked, &blocked);
    run(w);
    aio_testing_on_blocked(w->loop, NULL, NULL);
    assert_trace(w, "blocked done");
    aio_future_unref(task);
    aio_future_unref(blocked.fut);
}

static void virtual_guest_that_stopped_a_run_lets_time_pass_in_its_host(void **state)
{
    struct world *w = *state;

    assert_int_equal(aio_loop_call_later(w->loop, 2, note_b, w, NULL), 0);
    assert_int_equal(aio_testing_advance(w->loop, 1), 0);
    assert_trace(w, "");
    run(w);
    assert_trace(w, "b");
    assert_int_equal(aio_loop_call_soon(w->loop, note_and_stop, w, NULL), 0);
    assert_int_equal(aio_loop_call_later(w->loop, 1, note_c, w, NULL), 0);
    run(w); /* which is the host's to stop */
    assert_trace(w, "sc");
}

/* --- the guest goes, the host stays ----------------------------------------------------- */

static void close_guest(struct hosts_own *own)
{
    own->code = aio_loop_close(own->w->loop);
    note(own->w, "closed ");
}

static void guest_is_closed_while_the_host_goes_on(void **state)
{
    struct world *w = *state;
    struct hosts_own closer;
    struct hosts_own own;
    AIO_AUTO(aio_task) task = aio_loop_create_task(w->loop, wait_for_ever, w, NULL);

    aio_loop_set_exception_handler(w->loop, note_report, w);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    set_timer(&closer, w, close_guest);
    set_timer(&own, w, note_h);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_int_equal(closer.code, 0);
    assert_trace(w, "(Task was destroyed but it is pending!)closed h");
    assert_true(aio_loop_is_closed(w->loop));
    set_timer(&own, w, note_h);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "h");
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
    task = aio_loop_create_task(second.loop, parent, &second, NULL);
    assert_int_equal(aio_loop_call_soon(w->loop, note_a, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "a");
    assert_trace(&second, "abc");
    aio_future_unref(task);
    assert_int_equal(aio_loop_close(second.loop), 0);
    aio_loop_unref(second.loop);

    assert_int_equal(aio_loop_call_soon(w->loop, note_b, w, NULL), 0);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "b");
}

static int run_other(void *arg)
{
    struct world *w = arg;

    note(w, aio_get_running_loop() == w->loop ? "a" : "!");
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
    assert_trace(w, "a");
    assert_trace(&second, "a");
    assert_null(aio_get_running_loop());
    assert_int_equal(aio_loop_close(second.loop), 0);
    aio_loop_unref(second.loop);
}

static void host_runs_on_when_all_its_guest_was_is_gone(void **state)
{
    struct world *w = *state;
    struct hosts_own own;

    assert_int_equal(aio_loop_call_later(w->loop, 3600, note_a, w, NULL), 0);
    (void)uv_run(&w->host, UV_RUN_NOWAIT);
    assert_int_equal(aio_loop_close(w->loop), 0);
    aio_loop_unref(w->loop);
    w->loop = NULL;
    set_timer(&own, w, note_h);
    assert_int_equal(uv_run(&w->host, UV_RUN_DEFAULT), 0);
    assert_trace(w, "h");
    w->loop = aio_loop_new(NULL); /* for the teardown */
}

int main(void)
{
#define BOTH(test)                                                                                 \
    {#test " (own)", test, open_own, close_world, NULL},                                           \
    {                                                                                              \
#test " (guest)", test, open_guest, close_world, NULL                                      \
    }
#define GUEST(test)   cmocka_unit_test_setup_teardown(test, open_guest, close_world)
#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, open_virtual_guest, close_world)
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
