/* SPDX-License-Identifier: MIT */
/*
 * drive.c - how a loop is driven: by libuv, in a run call of ours, by a host, or step by step
 *
 * The loop is a guest of a uv_loop_t, its own or the host's, through five handles:
 *   check    after each poll, runs all that is ready (S1: calls, then I/O, then timers)
 *   idle     active while something is ready, so that the poll does not wait
 *   prepare  before each poll, sets the alarm for the first timer
 *   alarm    wakes the poll when that is due
 *   wakeup   wakes the poll for calls from other threads
 * Whoever calls uv_run() thus runs the loop. A run call of ours is uv_run() with a beginning
 * and an end.
 *
 * Thread: the loop's.
 */
#include "base/backtrace.h"
#include "base/error.h"
#include "loop/sched.h"

#include <aio/embed.h>
#include <aio/error.h>
#include <assert.h>

/* How far down the stack a host's uv_run() is looked for. */
enum { MAX_CALLS = 1024 };

/* --- libuv's handles ------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    aio_loop *loop = handle->data;

    if (--loop->open_handles == 0)
        aio__loop_unref_memory(loop);
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* only there to keep the poll from waiting */
}

static void set_idle(aio_loop *loop, bool active)
{
    if (active == loop->idle_active)
        return;
    loop->idle_active = active;
    if (active)
        (void)uv_idle_start(&loop->idle, on_idle);
    else
        (void)uv_idle_stop(&loop->idle);
}

void aio__loop_kick(aio_loop *loop)
{
    if (!loop->closed)
        set_idle(loop, true);
}

static void on_wakeup(uv_async_t *handle)
{
    (void)handle; /* the dispatch that follows drains the inbox */
}

static void on_prepare(uv_prepare_t *handle)
{
    aio_loop *loop = handle->data;

    if (AIO__UNLIKELY(aio__loop_is_from_before_fork(loop))) {
        set_idle(loop, loop->running); /* a run of ours ends without waiting */
        return;
    }
    loop->in_poll = true;
    loop->arrivals = 0;
    loop->over = false;
    aio__watches_check(loop);
    aio__alarm_set(loop);
}

/* Nothing can go on by itself: let time jump, or ask the test kit. */
static void pass_virtual_time(aio_loop *loop)
{
    uint64_t first_ns = loop->timers.first_key;

    loop->blocked = false;
    if (loop->ready.head != NULL || (loop->running && loop->stopping))
        return;
    if (loop->external != 0) {
        loop->blocked = true;
    } else if (first_ns != UINT64_MAX && first_ns <= loop->horizon_ns) {
        if (first_ns > loop->now_ns)
            loop->now_ns = first_ns;
    } else if (loop->settles) {
        loop->settled = true;
        loop->stopping = true;
    } else if (loop->on_blocked != NULL && (loop->running || loop->task_count != 0)) {
        int code = loop->on_blocked(loop->on_blocked_arg);

        if (code < 0)
            aio__loop_callback_failed(loop, code, NULL);
        loop->blocked = loop->ready.head == NULL && !(loop->running && loop->stopping);
    } else {
        loop->blocked = true;
    }
}

/* Whether the next poll must not wait. */
static bool is_busy(const aio_loop *loop)
{
    if (loop->ready.head != NULL || (loop->running && loop->stopping))
        return true;
    return loop->is_virtual && !loop->blocked;
}

/* Virtual time may pass: no alarm rings for it, a poll that does not wait lets it. */
static bool has_virtual_timers(const aio_loop *loop)
{
    return loop->is_virtual && !aio__deadlines_empty(&loop->timers);
}

/* A host's uv_loop_t lives on for us while tasks, timers or jobs in executors do. */
static void keep_host_alive(aio_loop *loop)
{
    if (loop->running)
        return;
    if (loop->task_count != 0 || loop->external != 0 || has_virtual_timers(loop))
        uv_ref((uv_handle_t *)&loop->wakeup);
    else
        uv_unref((uv_handle_t *)&loop->wakeup);
    aio__alarm_keep_alive(loop);
}

/* Why the run ends, raised; 0: it was not made to. */
static int take_leave_code(aio_loop *loop)
{
    aio_exception *error = loop->leave_error;
    int code = loop->leave_code;

    if (code == 0)
        return 0;
    loop->leave_code = 0;
    loop->leave_error = NULL;
    if (aio_exception_code(error) == code)
        (void)aio_raise_exception(error);
    else
        aio__error_forget();
    aio_exception_unref(error);
    return code;
}

void aio__loop_job_begins(aio_loop *loop)
{
    if (loop->external++ == 0)
        keep_host_alive(loop);
}

void aio__loop_job_ends(aio_loop *loop)
{
    loop->external--; /* from libuv's callbacks or the queue: on_check() looks again */
}

/* Where the host runs libuv there is no run call of ours that could return the code. */
static void report_leaving(aio_loop *loop)
{
    int code = take_leave_code(loop);
    aio_exception *error;

    if (code == 0)
        return;
    error = aio_error_catch(code);
    aio__loop_report(loop, "An error that ends a run left a loop that its host runs", error, NULL);
    aio_exception_unref(error);
}

/* Idle stacks give their memory back when there is nothing better to do, many at once; a loop
 * that is never without work takes the time for it now and then. */
static void trim_stacks(aio_loop *loop)
{
    enum { BUSY_POLLS = 64 };

    if (AIO__LIKELY(!aio__fiber_pool_is_over(loop->fibers)))
        return;
    if (loop->idle_active && ++loop->polls_over < BUSY_POLLS)
        return;
    loop->polls_over = 0;
    aio__fiber_pool_trim(loop->fibers);
}

/* What was ready when the dispatch ended has waited for it. */
static void note_lag(aio_loop *loop, uint64_t began_ns)
{
    uint64_t lag_ns = aio__loop_now_ns(loop) - began_ns;
    uint64_t us = lag_ns / 1000;
    unsigned class = 0;

    while (us > 0 && class < AIO__LAG_CLASSES - 1) {
        us /= 2;
        class ++;
    }
    loop->lag->classes[class]++;
    if (lag_ns > loop->lag->longest_ns)
        loop->lag->longest_ns = lag_ns;
}

/*
 * In a child, which must not run what is the parent's: a run that goes on after fork() ends with
 * the error, a host that runs its uv_loop_t is told once, and has its other handles.
 */
static void refuse_child(aio_loop *loop)
{
    int code = aio__loop_check_process(loop);
    aio_exception *error = aio_error_catch(code);

    if (loop->running) {
        aio__loop_leave(loop, code, error);
        uv_stop(loop->uv);
        loop->over = true;
        return;
    }
    aio__loop_report(loop, "An event loop does not run in a child process", error, NULL);
    aio_exception_unref(error);
    (void)uv_check_stop(&loop->check);
    uv_unref((uv_handle_t *)&loop->wakeup);
    aio__alarm_let_go(loop);
}

/* Between the dispatch and the next poll. */
static void after_dispatch(aio_loop *loop, uint64_t began_ns)
{
    bool busy = is_busy(loop);

    if (AIO__UNLIKELY(loop->lag != NULL))
        note_lag(loop, began_ns);

    if (loop->running && (loop->stopping || loop->leave_code != 0))
        uv_stop(loop->uv);
    loop->over = loop->uv != NULL && loop->uv->stop_flag != 0;
    if (!busy && aio__busy_poll_cares(&loop->busy_poll) && !loop->set_up) /* or the host waits */
        busy = aio__busy_poll_goes_on(&loop->busy_poll, aio__loop_now_ns(loop));
    set_idle(loop, busy);
    trim_stacks(loop);
    keep_host_alive(loop);
}

/* Run what is ready, and see what comes of it. */
static void take_turn(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread();
    aio_loop *outer = thread->running;
    uint64_t began_ns;

    loop->in_poll = false;
    loop->arrivals = 0;
    if (!loop->running) {
        if (outer != NULL && outer != loop)
            return; /* another loop's callback runs the host's */
        (void)aio_loop_ref(loop);
        thread->running = loop;
        atomic_store_explicit(&loop->thread, (uintptr_t)thread, memory_order_release);
        aio__sched_enter_thread(loop);
    }

    began_ns = aio__loop_now_ns(loop);
    loop->now_ns = began_ns;
    aio__sigint_check(loop);
    aio__inbox_drain(loop);
    if (loop->is_virtual)
        pass_virtual_time(loop);
    if (loop->ready.head != NULL || loop->timers.first_key <= began_ns)
        aio__busy_poll_found(&loop->busy_poll, began_ns);
    aio__loop_dispatch(loop);
    /* A step may have been the one that forked. A single poll more would be of the parent's epoll
     * instance, and libuv would take out of that what the parent alone has put in meanwhile. */
    if (AIO__UNLIKELY(aio__loop_is_from_before_fork(loop)))
        refuse_child(loop);
    else
        after_dispatch(loop, began_ns);
    if (!loop->running) {
        thread->running = outer;
        report_leaving(loop);
        aio_loop_unref(loop);
    }
}

static void on_check(uv_check_t *handle)
{
    aio_loop *loop = handle->data;

    loop->in_poll = false;
    if (loop->over)
        return;
    if (AIO__UNLIKELY(aio__loop_is_from_before_fork(loop)))
        refuse_child(loop);
    else if (!loop->dispatching) /* nobody ran libuv from inside a callback */
        take_turn(loop);
}

/*
 * So many, and they have their turn as if the poll had found no more. What is done about each then
 * ends while the processor's caches have what belongs to it; and libuv, which asks the kernel again
 * and again for as long as it finds many, does not find the same ones.
 */
void aio__loop_arrived(aio_loop *loop, struct aio__ready *node)
{
    enum { AT_ONCE = 32 };

    aio__loop_queue(loop, node);
    if (++loop->arrivals < AT_ONCE || !loop->in_poll || loop->dispatching || loop->over ||
        aio__loop_is_from_before_fork(loop))
        return;
    take_turn(loop);
    loop->in_poll = !loop->closed;
}

int aio__drive_init(aio_loop *loop)
{
    int err;

    err = uv_async_init(loop->uv, &loop->wakeup, on_wakeup);
    if (err < 0)
        return err;
    /* These do not fail. Ours keep nobody's loop alive, but for idle, which is active only
     * while something is ready. */
    (void)uv_idle_init(loop->uv, &loop->idle);
    (void)uv_prepare_init(loop->uv, &loop->prepare);
    (void)uv_check_init(loop->uv, &loop->check);
    loop->wakeup.data = loop;
    loop->idle.data = loop;
    loop->prepare.data = loop;
    loop->check.data = loop;
    loop->open_handles = 4;
    atomic_fetch_add(&loop->refs, 1);
    (void)uv_prepare_start(&loop->prepare, on_prepare);
    (void)uv_check_start(&loop->check, on_check);
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->wakeup);
    return aio__alarm_init(loop);
}

void aio__drive_close(aio_loop *loop)
{
    set_idle(loop, false);
    uv_close((uv_handle_t *)&loop->wakeup, on_handle_closed);
    uv_close((uv_handle_t *)&loop->idle, on_handle_closed);
    uv_close((uv_handle_t *)&loop->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&loop->check, on_handle_closed);
    if (loop->open_handles > 4)
        aio__alarm_close(loop, on_handle_closed);
}

/* --- running --------------------------------------------------------------------------- */

/*
 * Whether libuv runs somewhere below on this stack. It cannot be run again from its own callback,
 * and a host's is not ours to ask: nothing else tells.
 */
static bool is_inside_libuv(void)
{
    const void *places[MAX_CALLS];
    size_t count = aio__backtrace(places, MAX_CALLS);

    for (size_t i = 0; i < count; i++)
        if (aio__place_is_in(places[i], (void (*)(void))uv_run))
            return true;
    return false;
}

static int check_run(const aio_loop *loop)
{
    if (loop == NULL)
        return aio_raise(AIO_ENOLOOP, "no event loop given");
    if (loop->closed || loop->closing)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    if (loop->running || loop->dispatching)
        return aio_raise(AIO_ERUNTIME, "This event loop is already running");
    if (aio__loop_is_from_before_fork(loop))
        return aio__loop_check_process(loop);
    if (aio__thread()->running != NULL)
        return aio_raise(AIO_ERUNTIME, "Cannot run the event loop while another loop is running");
    if (loop->in_poll || (!loop->owns_uv && is_inside_libuv()))
        return aio_raise(AIO_ERUNTIME, "Cannot run the event loop from a callback of its host's");
    return 0;
}

static void begin_run(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread();

    assert(loop != NULL);     /* as check_run() has said */
    (void)aio_loop_ref(loop); /* a callback may drop the last one but this */
    thread->running = loop;
    loop->running = true;
    aio__loop_forget_leaving(loop);
    atomic_store_explicit(&loop->thread, (uintptr_t)thread, memory_order_release);
    aio__sched_enter_thread(loop);
    uv_ref((uv_handle_t *)&loop->wakeup);
    loop->blocked = false;
    set_idle(loop, is_busy(loop));
}

static int end_run(aio_loop *loop)
{
    int code = take_leave_code(loop);

    loop->stopping = false;
    loop->running = false;
    atomic_store_explicit(&loop->thread, 0, memory_order_release);
    aio__thread()->running = NULL;
    set_idle(loop, loop->ready.head != NULL || has_virtual_timers(loop));
    keep_host_alive(loop);
    return code;
}

int aio_loop_run_forever(aio_loop *loop)
{
    int err;

    err = check_run(loop);
    if (err < 0)
        return err;
    begin_run(loop);
    do
        (void)uv_run(loop->uv, UV_RUN_DEFAULT);
    while (!loop->stopping && loop->leave_code == 0);
    err = end_run(loop);
    aio_loop_unref(loop);
    return err;
}

/* --- step by step ---------------------------------------------------------------------- */

int aio_loop_fd(const aio_loop *loop)
{
    return loop == NULL || loop->closed ? -1 : uv_backend_fd(loop->uv);
}

int aio_loop_timeout(aio_loop *loop)
{
    int timeout;

    if (loop == NULL || loop->closed || is_busy(loop) || loop->is_virtual ||
        atomic_load_explicit(&loop->inbox, memory_order_relaxed) != NULL)
        return 0;
    aio__alarm_set(loop);
    /* libuv gives 0 where nothing keeps it alive; the host waits for other threads too. */
    uv_update_time(loop->uv);
    uv_ref((uv_handle_t *)&loop->wakeup);
    timeout = uv_backend_timeout(loop->uv);
    keep_host_alive(loop);
    return timeout;
}

/* Something to do, or to wait for. */
static bool has_more(const aio_loop *loop)
{
    return loop->task_count != 0 || loop->external != 0 || loop->ready.head != NULL ||
           !aio__deadlines_empty(&loop->timers) || uv_loop_alive(loop->uv);
}

int aio_loop_run_forever_setup(aio_loop *loop)
{
    int err = check_run(loop);

    if (err < 0)
        return err;
    begin_run(loop);
    loop->set_up = true;
    return 0;
}

/* That the loop was set up, in this thread, and nothing of it runs. */
static int check_set_up(const aio_loop *loop)
{
    if (loop == NULL)
        return aio_raise(AIO_ENOLOOP, "no event loop given");
    if (!loop->set_up || aio__thread()->running != loop)
        return aio_raise(AIO_ERUNTIME, "This event loop was not set up for a run in this thread");
    if (loop->dispatching || loop->in_poll)
        return aio_raise(AIO_ERUNTIME, "This event loop is already running");
    return 0;
}

int aio_loop_run_forever_cleanup(aio_loop *loop)
{
    int err = check_set_up(loop);

    if (err < 0)
        return err;
    loop->set_up = false;
    err = end_run(loop);
    aio_loop_unref(loop);
    return err;
}

/* A step of a run that the host has set up, and will clean up. */
static int step_on(aio_loop *loop)
{
    int err = check_set_up(loop);
    bool more;

    if (err < 0)
        return err;
    set_idle(loop, is_busy(loop));
    (void)uv_run(loop->uv, UV_RUN_NOWAIT);
    err = take_leave_code(loop);
    if (err < 0)
        return err;
    /* What lets libuv run at all is nothing to do. */
    uv_unref((uv_handle_t *)&loop->wakeup);
    more = has_more(loop);
    uv_ref((uv_handle_t *)&loop->wakeup);
    return more && !loop->stopping;
}

int aio_loop_step(aio_loop *loop)
{
    int err;

    if (loop != NULL && loop->set_up)
        return step_on(loop);
    err = check_run(loop);
    if (err < 0)
        return err;
    begin_run(loop);
    (void)uv_run(loop->uv, UV_RUN_NOWAIT);
    err = end_run(loop);
    if (err == 0)
        err = has_more(loop);
    aio_loop_unref(loop);
    return err;
}

void aio_loop_stop(aio_loop *loop)
{
    if (loop == NULL || loop->closed)
        return;
    loop->stopping = true;
    if (loop->running)
        aio__loop_queued(loop);
}

void aio__loop_forget_leaving(aio_loop *loop)
{
    aio_exception_unref(loop->leave_error);
    loop->leave_error = NULL;
    loop->leave_code = 0;
}

void aio__loop_leave(aio_loop *loop, int code, aio_exception *error)
{
    if (loop->leave_code == 0 && !loop->closed) {
        loop->leave_code = code;
        loop->leave_error = error;
    } else {
        aio_exception_unref(error);
    }
}
