/* SPDX-License-Identifier: MIT */
/*
 * loop.c - a loop's life: made on libuv, closed, freed
 *
 * Memory: users, objects (futures, handles, ...) and libuv's handles each keep it.
 *
 * Thread: the loop's; counting references: any.
 */
#include "base/error.h"
#include "base/log.h"
#include "loop/handle.h"
#include "loop/sched.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <stdlib.h>
#include <unistd.h>

static const double DEFAULT_SLOW_CALLBACK = 0.1;

/* --- memory ---------------------------------------------------------------------------- */

static void free_loop(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread();

    if (thread->event_loop == loop)
        thread->event_loop = NULL;
    aio__loop_unregister(loop);
    aio__deadlines_destroy(&loop->timers);
    aio__origins_free(loop);
    aio__fiber_pool_free(loop->fibers);
    aio__pool_destroy(&loop->pool);
    aio_free(loop);
}

void aio__loop_ref_memory(aio_loop *loop)
{
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
}

void aio__loop_unref_memory(aio_loop *loop)
{
    if (atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) == 1)
        free_loop(loop);
}

void aio__loop_adopt(aio_loop *loop)
{
    if (loop->adopted++ == 0)
        aio__loop_ref_memory(loop);
}

void aio__loop_disown(aio_loop *loop)
{
    if (--loop->adopted == 0)
        aio__loop_unref_memory(loop);
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
        /* What unwinds now may take references and drop them: that must not bring it here again. */
        (void)aio_loop_ref(loop);
        aio__log(AIO_LOG_WARNING, "unclosed event loop %p", (void *)loop);
        (void)aio_loop_close(loop); /* whoever runs it holds it: it does not run */
        aio_loop_unref(loop);
    } else {
        aio__loop_unref_memory(loop);
    }
}

/* libuv needs turns of its loop to close what is on it. Jobs that run in its pool keep it open. */
bool aio__loop_bury(aio_loop *loop)
{
    int err;

    do
        (void)uv_run(loop->uv, UV_RUN_NOWAIT);
    while ((err = uv_loop_close(loop->uv)) == UV_EBUSY && loop->uv->active_reqs.count == 0 &&
           uv_loop_alive(loop->uv));
    if (err == UV_EBUSY && loop->uv->active_reqs.count != 0)
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

static void init_busy_poll(aio_loop *loop, const aio_loop_options *options)
{
    uint64_t look_ns;

    if (loop->is_virtual || options->uv != NULL || !aio__loop_when_ns(options->busy_poll, &look_ns))
        return;
    if (options->busy_poll > 0)
        aio__busy_poll_always(&loop->busy_poll, look_ns);
    else if (options->busy_poll == 0)
        aio__busy_poll_learn(&loop->busy_poll);
}

static void init_fields(aio_loop *loop, const aio_loop_options *options)
{
    const char *debug = getenv("AIO_DEBUG");

    loop->is_virtual = options->clock == AIO_CLOCK_VIRTUAL;
    loop->measures_stacks = options->measure_stacks;
    init_busy_poll(loop, options);
    loop->slow_callback = DEFAULT_SLOW_CALLBACK;
    loop->alarm_fd = -1;
    loop->alarm_ns = UINT64_MAX;
    loop->horizon_ns = UINT64_MAX;
    atomic_init(&loop->inbox, NULL);
    atomic_init(&loop->posting, 0);
    atomic_init(&loop->user_refs, 1);
    atomic_init(&loop->refs, 1);
    atomic_init(&loop->thread, 0);
    aio__pool_init(&loop->pool);
    aio__deadlines_init(&loop->timers);
    aio__list_init(&loop->tasks);
    aio__list_init(&loop->close_hooks);
    aio__list_init(&loop->signals);
    aio__list_init(&loop->changed_watches);
    aio__list_init(&loop->wrapped);
    aio__list_init(&loop->wrapped_hook.link);
    aio_loop_set_debug(loop, debug != NULL && *debug != '\0');
}

static int init_loop(aio_loop *loop, const aio_loop_options *options)
{
    struct aio__fiber_pool_options fibers = {
        .stack_size = options->stack_size,
        .idle_bytes = options->idle_stack_bytes,
        .measure = options->measure_stacks,
        .trimmed_late = true,
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
    err = aio__drive_init(loop);
    if (err < 0 && loop->open_handles == 0 && loop->owns_uv)
        (void)uv_loop_close(loop->uv);
    return err;
}

static int check_options(const aio_loop_options *options)
{
    if (options->size < sizeof(*options) || (unsigned)options->clock > AIO_CLOCK_VIRTUAL)
        return aio_raise(AIO_EVALUE, "bad loop options");
    if (!(options->busy_poll >= 0 || options->busy_poll == AIO_BUSY_POLL_NEVER))
        return aio_raise(AIO_EVALUE, "no time to look for I/O: busy_poll is %g",
                         options->busy_poll);
    if (options->busy_poll > 0 && options->uv != NULL)
        return aio_raise(AIO_EVALUE, "busy_poll is not for a loop in a host's uv_loop_t");
    return 0;
}

aio_loop *aio_loop_new(const aio_loop_options *options)
{
    aio_loop_options defaults = AIO_LOOP_OPTIONS_INIT;
    aio_loop *loop;
    int err;

    aio__graveyard_sweep();
    if (options == NULL)
        options = &defaults;
    if (check_options(options) < 0)
        return aio__failed(AIO_EVALUE);
    loop = aio_calloc(1, sizeof(*loop));
    if (loop == NULL)
        return aio__failed(aio_raise(AIO_ENOMEM, "no memory for a loop"));
    init_fields(loop, options);
    aio__loop_register(loop);
    aio__loop_note_process(loop);
    err = init_loop(loop, options);
    if (err < 0) {
        (void)aio_raise(err, "cannot make an event loop: %s", aio_strerror(err));
        if (loop->open_handles != 0)
            (void)aio_loop_close(loop);
        aio__loop_unref_memory(loop);
        return aio__failed(err);
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

    while ((item = aio__deadlines_pop(&loop->timers)) != NULL) {
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
    thread->running = outer == loop ? NULL : outer; /* it may have been set by hand */
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
    /* The parent's epoll instance is not ours to change. */
    if (aio__loop_is_from_before_fork(loop) && loop->owns_uv)
        (void)uv_loop_fork(loop->uv);
    aio__inbox_close(loop);
    aio__watches_close(loop);
    aio__signals_close(loop);
    aio__loop_discard_ready(loop);
    call_close_hooks(loop);
    discard_timers(loop);
    aio__loop_discard_ready(loop);
    aio__loop_forget_leaving(loop);
    aio__drive_close(loop);
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
