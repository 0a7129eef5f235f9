/* SPDX-License-Identifier: MIT */
/*
 * loop.c - a loop's life: made on libuv, run, stopped, closed
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
 * Memory: users, objects (futures, handles, ...) and libuv's handles each keep it.
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "loop/handle.h"
#include "loop/sched.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <aio/testing.h>
#include <stdlib.h>
#include <unistd.h>

static const double DEFAULT_SLOW_CALLBACK = 0.1;

/* --- memory ---------------------------------------------------------------------------- */

static void free_loop(aio_loop *loop)
{
    aio__heap_destroy(&loop->timers);
    aio__fiber_pool_free(loop->fibers);
    aio__pool_destroy(&loop->pool);
    aio_free(loop);
}

void aio__loop_unref_memory(aio_loop *loop)
{
    if (atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) == 1)
        free_loop(loop);
}

void aio__loop_adopt(aio_loop *loop)
{
    if (loop->objects++ == 0)
        atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
}

void aio__loop_disown(aio_loop *loop)
{
    if (--loop->objects == 0)
        aio__loop_unref_memory(loop);
}

void *aio__loop_alloc(aio_loop *loop, size_t size)
{
    void *object = aio__pool_alloc(&loop->pool, size);

    if (AIO__LIKELY(object != NULL))
        aio__loop_adopt(loop);
    return object;
}

void aio__loop_free(aio_loop *loop, void *object, size_t size)
{
    aio__pool_free(&loop->pool, object, size);
    aio__loop_disown(loop);
}

aio_loop *aio_loop_ref(aio_loop *loop)
{
    if (loop != NULL)
        atomic_fetch_add_explicit(&loop->user_refs, 1, memory_order_relaxed);
    return loop;
}

void aio_loop_unref(aio_loop *loop)
{
    if (loop == NULL || atomic_fetch_sub_explicit(&loop->user_refs, 1, memory_order_acq_rel) != 1)
        return;
    if (!loop->closed) {
        aio__log(AIO_LOG_WARNING, "unclosed event loop %p", (void *)loop);
        (void)aio_loop_close(loop);
    }
    aio__loop_unref_memory(loop);
}

/* --- libuv's side ---------------------------------------------------------------------- */

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

    loop->in_poll = true;
    aio__alarm_set(loop);
}

/* Nothing can go on by itself: let time jump, or ask the test kit. */
static void pass_virtual_time(aio_loop *loop)
{
    const struct aio__heap_entry *first = aio__heap_min(&loop->timers);

    loop->blocked = false;
    if (loop->ready.head != NULL || loop->stopping)
        return;
    if (loop->external != 0) {
        loop->blocked = true;
    } else if (first != NULL && first->key != UINT64_MAX) {
        if (first->key > loop->now_ns)
            loop->now_ns = first->key;
    } else if (loop->on_blocked != NULL) {
        int code = loop->on_blocked(loop->on_blocked_arg);

        if (code < 0)
            aio__loop_callback_failed(loop, code, NULL);
        loop->blocked = loop->ready.head == NULL && !loop->stopping;
    } else {
        loop->blocked = true;
    }
}

/* Whether the next poll must not wait. */
static bool is_busy(const aio_loop *loop)
{
    if (loop->ready.head != NULL || (loop->running && loop->stopping))
        return true;
    return loop->is_virtual && loop->running && !loop->blocked;
}

/* A host's uv_loop_t lives on for us while tasks or timers do. */
static void keep_host_alive(aio_loop *loop)
{
    if (loop->running)
        return;
    if (loop->task_count != 0)
        uv_ref((uv_handle_t *)&loop->wakeup);
    else
        uv_unref((uv_handle_t *)&loop->wakeup);
    aio__alarm_keep_alive(loop);
}

/* Where the host runs libuv there is no run call of ours that could return the code. */
static void report_leaving(aio_loop *loop)
{
    aio_exception *error;

    if (loop->leave_code == 0)
        return;
    error = aio_error_catch(loop->leave_code);
    loop->leave_code = 0;
    aio__loop_report(loop, "An error that ends a run left a loop that its host runs", error, NULL);
    aio_exception_unref(error);
}

static void on_check(uv_check_t *handle)
{
    aio_loop *loop = handle->data;
    struct aio__thread *thread = aio__thread();
    aio_loop *outer = thread->running;

    loop->in_poll = false;
    if (loop->dispatching)
        return; /* somebody ran libuv from inside a callback */
    if (!loop->running) {
        if (outer != NULL)
            return; /* another loop's callback runs the host's */
        thread->running = loop;
        atomic_store_explicit(&loop->thread, (uintptr_t)thread, memory_order_release);
        aio__sched_enter_thread(loop);
    }

    loop->now_ns = aio__loop_now_ns(loop);
    aio__sigint_check(loop);
    aio__inbox_drain(loop);
    if (loop->is_virtual)
        pass_virtual_time(loop);
    aio__loop_dispatch(loop);

    if (!loop->running) {
        thread->running = outer;
        report_leaving(loop);
    } else if (loop->stopping || loop->leave_code != 0) {
        uv_stop(loop->uv);
    }
    set_idle(loop, is_busy(loop));
    keep_host_alive(loop);
}

static int init_handles(aio_loop *loop)
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

static void close_handles(aio_loop *loop)
{
    set_idle(loop, false);
    uv_close((uv_handle_t *)&loop->wakeup, on_handle_closed);
    uv_close((uv_handle_t *)&loop->idle, on_handle_closed);
    uv_close((uv_handle_t *)&loop->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&loop->check, on_handle_closed);
    if (loop->open_handles > 4)
        aio__alarm_close(loop, on_handle_closed);
}

/* libuv needs turns of its loop to close what is on it. Jobs that run in its pool keep it open. */
bool aio__loop_bury(aio_loop *loop)
{
    int err;

    do
        (void)uv_run(loop->uv, UV_RUN_NOWAIT);
    while ((err = uv_loop_close(loop->uv)) == UV_EBUSY && loop->external == 0 &&
           uv_loop_alive(loop->uv));
    if (err == UV_EBUSY && loop->external != 0)
        return false;
    if (err == UV_EBUSY) {
        /* Handles of the program's that it forgot: their memory is not ours to judge, and
         * points into the loop. */
        aio__log(AIO_LOG_ERROR, "libuv handles are still open on the closed loop %p", (void *)loop);
        atomic_fetch_add(&loop->refs, 1);
    }
    return true;
}

/* --- making and closing ---------------------------------------------------------------- */

static void init_fields(aio_loop *loop, const aio_loop_options *options)
{
    const char *debug = getenv("AIO_DEBUG");

    loop->is_virtual = options->clock == AIO_CLOCK_VIRTUAL;
    loop->slow_callback = DEFAULT_SLOW_CALLBACK;
    loop->alarm_fd = -1;
    loop->alarm_ns = UINT64_MAX;
    atomic_init(&loop->inbox, NULL);
    atomic_init(&loop->posting, 0);
    atomic_init(&loop->user_refs, 1);
    atomic_init(&loop->refs, 1);
    atomic_init(&loop->thread, 0);
    aio__pool_init(&loop->pool);
    aio__heap_init(&loop->timers);
    aio__list_init(&loop->tasks);
    aio__list_init(&loop->close_hooks);
    aio_loop_set_debug(loop, debug != NULL && *debug != '\0');
}

static int init_loop(aio_loop *loop, const aio_loop_options *options)
{
    struct aio__fiber_pool_options fibers = {
        .stack_size = options->stack_size,
        .idle_bytes = options->idle_stack_bytes,
        .measure = options->measure_stacks,
    };
    int err;

    err = aio__fiber_pool_new(&fibers, &loop->fibers);
    if (err < 0)
        return err;
    loop->owns_uv = options->uv == NULL;
    loop->uv = loop->owns_uv ? &loop->own_uv : options->uv;
    if (loop->owns_uv) {
        err = uv_loop_init(loop->uv);
        if (err < 0)
            return err;
    }
    err = init_handles(loop);
    if (err < 0 && loop->open_handles == 0 && loop->owns_uv)
        (void)uv_loop_close(loop->uv);
    return err;
}

aio_loop *aio_loop_new(const aio_loop_options *options)
{
    aio_loop_options defaults = AIO_LOOP_OPTIONS_INIT;
    aio_loop *loop;
    int err;

    aio__graveyard_sweep();
    if (options == NULL)
        options = &defaults;
    if (options->size < sizeof(defaults) || (unsigned)options->clock > AIO_CLOCK_VIRTUAL) {
        (void)aio_raise(AIO_EVALUE, "bad loop options");
        return NULL;
    }
    loop = aio_calloc(1, sizeof(*loop));
    if (loop == NULL) {
        (void)aio_raise(AIO_ENOMEM, "no memory for a loop");
        return NULL;
    }
    init_fields(loop, options);
    err = init_loop(loop, options);
    if (err < 0) {
        (void)aio_raise(err, "cannot make an event loop: %s", aio_strerror(err));
        if (loop->open_handles != 0)
            (void)aio_loop_close(loop);
        aio__loop_unref_memory(loop);
        return NULL;
    }
    return loop;
}

aio_loop *aio_new_event_loop(void)
{
    return aio_loop_new(NULL);
}

/* Run what is queued for its end only: with the loop closed, each node just lets go of what
 * it holds. Strands are ended by the close hook of src/task. */
static void discard_queue(struct aio__queue *queue)
{
    while (queue->head != NULL) {
        struct aio__ready *node = aio__queue_take(queue);

        if (node->run != NULL)
            node->run(node);
    }
}

void aio__loop_discard_ready(aio_loop *loop)
{
    discard_queue(&loop->batch);
    discard_queue(&loop->ready);
}

static void discard_timers(aio_loop *loop)
{
    struct aio__heap_item *item;

    while ((item = aio__heap_pop(&loop->timers)) != NULL) {
        struct aio__timer *timer = aio__container_of(item, struct aio__timer, item);

        if (timer->ready->run != NULL)
            timer->ready->run(timer->ready);
    }
}

/* What modules above have to end, they end as inside a run, on this thread's stack. */
static void call_close_hooks(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread();
    aio_loop *outer = thread->running;
    struct aio__list *link;

    thread->running = loop;
    loop->closing = true;
    aio__sched_enter_thread(loop);
    while ((link = aio__list_last(&loop->close_hooks)) != NULL) {
        struct aio__close_hook *hook = aio__container_of(link, struct aio__close_hook, link);

        aio__list_remove(link);
        hook->fn(hook, loop);
    }
    thread->running = outer;
}

int aio_loop_close(aio_loop *loop)
{
    if (loop == NULL)
        return aio_raise(AIO_ENOLOOP, "no event loop given");
    if (loop->closed)
        return 0;
    if (loop->running || loop->dispatching)
        return aio_raise(AIO_ERUNTIME, "Cannot close a running event loop");

    loop->closed = true;
    aio__inbox_close(loop);
    aio__watches_close(loop);
    aio__loop_discard_ready(loop);
    call_close_hooks(loop);
    discard_timers(loop);
    aio__loop_discard_ready(loop);
    close_handles(loop);
    if (loop->owns_uv && !aio__loop_bury(loop))
        aio__graveyard_add(loop);
    else
        loop->uv = NULL;
    return 0;
}

bool aio_loop_is_closed(const aio_loop *loop)
{
    return loop == NULL || loop->closed;
}

bool aio_loop_is_running(const aio_loop *loop)
{
    return loop != NULL && (loop->running || loop->dispatching);
}

struct uv_loop_s *aio_loop_uv(aio_loop *loop)
{
    return loop == NULL || loop->closed ? NULL : loop->uv;
}

void aio_testing_on_blocked(aio_loop *loop, aio_callback_fn fn, void *arg)
{
    if (loop == NULL)
        return;
    loop->on_blocked = fn;
    loop->on_blocked_arg = arg;
}

/* --- running --------------------------------------------------------------------------- */

static int check_run(const aio_loop *loop)
{
    if (loop == NULL)
        return aio_raise(AIO_ENOLOOP, "no event loop given");
    if (loop->closed || loop->closing)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    if (loop->running || loop->dispatching)
        return aio_raise(AIO_ERUNTIME, "This event loop is already running");
    if (aio__thread()->running != NULL)
        return aio_raise(AIO_ERUNTIME, "Cannot run the event loop while another loop is running");
    return 0;
}

static void begin_run(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread();

    thread->running = loop;
    loop->running = true;
    loop->leave_code = 0;
    atomic_store_explicit(&loop->thread, (uintptr_t)thread, memory_order_release);
    aio__sched_enter_thread(loop);
    uv_ref((uv_handle_t *)&loop->wakeup);
    loop->blocked = false;
    set_idle(loop, is_busy(loop));
}

static int end_run(aio_loop *loop)
{
    int code = loop->leave_code;

    loop->leave_code = 0;
    loop->stopping = false;
    loop->running = false;
    atomic_store_explicit(&loop->thread, 0, memory_order_release);
    aio__thread()->running = NULL;
    set_idle(loop, loop->ready.head != NULL);
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
    return end_run(loop);
}

void aio_loop_stop(aio_loop *loop)
{
    if (loop == NULL || loop->closed)
        return;
    loop->stopping = true;
    if (loop->running)
        aio__loop_queued(loop);
}

void aio__loop_leave(aio_loop *loop, int code)
{
    if (loop->leave_code == 0)
        loop->leave_code = code;
}
