/* SPDX-License-Identifier: MIT */
/*
 * handle.c - calls: queued, delayed, cancelled
 *
 * A handle is referenced by the queue that will run it and by whoever asked for it.
 *
 * Invariants
 *   - A call is queued in one place: the ready queue, the timer heap or the inbox.
 *   - Cancelling drops argument and context at once. A cancelled timer leaves the heap; what
 *     is in a queue stays there until its turn, and is then skipped (S6).
 */
#include "loop/handle.h"

#include "base/backtrace.h"
#include "base/text.h"
#include "loop/origin.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <math.h>

static void run_handle(struct aio__ready *node);

aio_handle *aio__handle_of(struct aio__ready *node)
{
    return node->run == run_handle ? aio__container_of(node, aio_handle, ready) : NULL;
}

static void init_handle(aio_handle *handle, aio_loop *loop, aio_callback_fn fn, void *arg)
{
    handle->ready.run = run_handle;
    handle->loop = loop;
    handle->fn = fn;
    handle->arg = arg;
    handle->context = aio__ctx_capture();
    handle->timer.item.place = 0;
    handle->timer.ready = &handle->ready;
    handle->when_ns = 0;
    handle->origin = AIO__UNLIKELY(loop->debug) ? aio__origin_capture() : NULL;
    atomic_init(&handle->refs, 1);
    atomic_init(&handle->state, AIO__HANDLE_QUEUED);
    handle->is_timer = false;
    handle->threadsafe = false;
    atomic_init(&handle->was_cancelled, false);
}

aio_handle *aio__handle_new(aio_loop *loop, aio_callback_fn fn, void *arg)
{
    aio_handle *handle = aio__loop_alloc(loop, sizeof(*handle));

    if (handle != NULL)
        init_handle(handle, loop, fn, arg);
    return handle;
}

aio_handle *aio_handle_ref(aio_handle *handle)
{
    if (handle != NULL)
        atomic_fetch_add_explicit(&handle->refs, 1, memory_order_relaxed);
    return handle;
}

static void free_handle(aio_handle *handle)
{
    aio_free(handle->origin);
    if (handle->threadsafe) {
        aio_loop *loop = handle->loop;

        aio_free(handle);
        aio_loop_unref(loop);
    } else {
        aio__loop_free(handle->loop, handle, sizeof(*handle));
    }
}

void aio_handle_unref(aio_handle *handle)
{
    if (handle == NULL)
        return;
    /* The last holder needs no atomic write: nobody else can be there to see it. */
    if (atomic_load_explicit(&handle->refs, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&handle->refs, 1, memory_order_acq_rel) == 1)
        free_handle(handle);
}

/* Drop what the call would have needed. */
static void release_call(aio_handle *handle)
{
    aio__ctx context = handle->context;

    handle->arg = NULL;
    handle->context = (aio__ctx){0};
    aio__ctx_release(context);
}

static void run_handle(struct aio__ready *node)
{
    aio_handle *handle = aio__container_of(node, aio_handle, ready);
    uint8_t queued = AIO__HANDLE_QUEUED;
    struct aio__thread *thread;
    aio_loop *loop = handle->loop;
    int code;

    if (AIO__UNLIKELY(loop->closed)) {
        aio__handle_discard(handle);
        return;
    }
    if (!handle->threadsafe) {
        if (atomic_load_explicit(&handle->state, memory_order_relaxed) != queued)
            goto unref;
        atomic_store_explicit(&handle->state, AIO__HANDLE_RUNNING, memory_order_relaxed);
    } else if (!atomic_compare_exchange_strong(&handle->state, &queued, AIO__HANDLE_RUNNING)) {
        goto unref;
    }

    thread = aio__thread();
    thread->context = &handle->context;
    code = handle->fn(handle->arg);
    if (AIO__UNLIKELY(code < 0))
        aio__loop_callback_failed(loop, code, handle);
    thread->context = NULL;
    atomic_store_explicit(&handle->state, AIO__HANDLE_DONE, memory_order_relaxed);
    release_call(handle);
unref:
    aio_handle_unref(handle);
}

void aio__handle_discard(aio_handle *handle)
{
    uint8_t queued = AIO__HANDLE_QUEUED;

    if (atomic_compare_exchange_strong(&handle->state, &queued, AIO__HANDLE_CANCELLED))
        release_call(handle);
    aio_handle_unref(handle);
}

void aio_handle_cancel(aio_handle *handle)
{
    uint8_t queued = AIO__HANDLE_QUEUED;

    if (handle == NULL)
        return;
    atomic_store_explicit(&handle->was_cancelled, true, memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&handle->state, &queued, AIO__HANDLE_CANCELLED))
        return;
    release_call(handle);
    if (aio__timer_is_set(&handle->timer)) {
        aio__timer_stop(handle->loop, &handle->timer);
        aio_handle_unref(handle); /* the heap's */
    }
}

bool aio_handle_cancelled(const aio_handle *handle)
{
    return handle != NULL && atomic_load_explicit(&handle->was_cancelled, memory_order_relaxed);
}

double aio_handle_when(const aio_handle *handle)
{
    if (handle == NULL || !handle->is_timer)
        return NAN;
    return handle->when_ns == UINT64_MAX ? AIO_FOREVER : (double)handle->when_ns / 1e9;
}

bool aio__handle_is_queued(const aio_handle *handle)
{
    return handle != NULL && atomic_load(&handle->state) == AIO__HANDLE_QUEUED;
}

void aio_handle_set_context(aio_handle *handle, aio_context *context)
{
    aio__ctx old;

    if (!aio__handle_is_queued(handle) || context == NULL)
        return;
    old = handle->context;
    handle->context = aio__ctx_share(context);
    aio__ctx_release(old);
}

aio_context *aio_handle_context(aio_handle *handle)
{
    if (handle == NULL || atomic_load(&handle->state) > AIO__HANDLE_RUNNING)
        return NULL;
    return aio__ctx_object(&handle->context);
}

aio__ctx *aio__handle_context_slot(aio_handle *handle)
{
    return &handle->context;
}

size_t aio_handle_format(const aio_handle *handle, char *buffer, size_t size)
{
    struct aio__text text = {.buffer = buffer, .size = size};
    struct aio__symbol symbol;

    if (handle == NULL) {
        aio__text_printf(&text, "<Handle NULL>");
        return text.length;
    }
    aio__text_printf(&text, "<%s%s", handle->is_timer ? "TimerHandle" : "Handle",
                     aio_handle_cancelled(handle) ? " cancelled" : "");
    if (handle->is_timer)
        aio__text_printf(&text, " when=%g", aio_handle_when(handle));
    aio__symbol_find(aio__place_of((void (*)(void))handle->fn), &symbol);
    if (symbol.name[0] != '\0')
        aio__text_printf(&text, " %s()>", symbol.name);
    else
        aio__text_printf(&text, " %p>", (void *)(uintptr_t)handle->fn);
    return text.length;
}

static int check_arguments(const aio_loop *loop, aio_callback_fn fn)
{
    if (loop == NULL)
        return aio_raise(AIO_ENOLOOP, "no event loop given");
    if (fn == NULL)
        return aio_raise(AIO_EVALUE, "no callback given");
    return 0;
}

int aio__loop_check_call(aio_loop *loop, aio_callback_fn fn)
{
    int err = check_arguments(loop, fn);

    if (err < 0)
        return err;
    if (loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    return aio__loop_check_thread(loop);
}

/* Refuse what would be a data race (S116). */
int aio__loop_compare_thread(const aio_loop *loop)
{
    uintptr_t owner = atomic_load_explicit(&loop->thread, memory_order_relaxed);

    if (owner == 0 || owner == (uintptr_t)aio__thread())
        return 0;
    return aio_raise(AIO_ERUNTIME, "Non-thread-safe operation invoked on an event loop other than "
                                   "the current one");
}

/* Hand a handle, which the queue references, to the caller too if it asked for it. */
static void give_handle(aio_handle *handle, aio_handle **ret_handle)
{
    if (ret_handle != NULL)
        *ret_handle = aio_handle_ref(handle);
}

int aio_loop_call_soon(aio_loop *loop, aio_callback_fn fn, void *arg, aio_handle **ret_handle)
{
    aio_handle *handle;
    int err;

    err = aio__loop_check_call(loop, fn);
    if (err < 0)
        return err;

    handle = aio__handle_new(loop, fn, arg);
    if (handle == NULL)
        return AIO_ENOMEM;
    aio__loop_queue(loop, &handle->ready);
    give_handle(handle, ret_handle);
    return 0;
}

static int call_at_ns(aio_loop *loop, uint64_t when_ns, aio_callback_fn fn, void *arg,
                      aio_handle **ret_handle)
{
    aio_handle *handle = aio__handle_new(loop, fn, arg);
    int err;

    if (handle == NULL)
        return AIO_ENOMEM;
    handle->is_timer = true;
    handle->when_ns = when_ns;
    err = aio__timer_start(loop, &handle->timer, when_ns);
    if (err < 0) {
        aio__handle_discard(handle);
        return err;
    }
    aio__loop_queued(loop);
    give_handle(handle, ret_handle);
    return 0;
}

/*
 * A deadline that is past already belongs to the next iteration (S4). That may follow without a
 * poll, and so without a look at the clock: asyncio reads it in each.
 */
static void notice_past_deadline(aio_loop *loop, uint64_t when_ns)
{
    if (loop->now_ns < when_ns)
        loop->now_ns = when_ns;
}

int aio_loop_call_at(aio_loop *loop, double when, aio_callback_fn fn, void *arg,
                     aio_handle **ret_handle)
{
    uint64_t when_ns;
    int err;

    err = aio__loop_check_call(loop, fn);
    if (err < 0)
        return err;
    if (!aio__loop_when_ns(when, &when_ns))
        return aio_raise(AIO_EVALUE, "Invalid time: NaN (not a number)");
    if (when_ns <= aio__loop_now_ns(loop))
        notice_past_deadline(loop, when_ns);
    return call_at_ns(loop, when_ns, fn, arg, ret_handle);
}

int aio_loop_call_later(aio_loop *loop, double delay, aio_callback_fn fn, void *arg,
                        aio_handle **ret_handle)
{
    uint64_t when_ns;
    int err;

    err = aio__loop_check_call(loop, fn);
    if (err < 0)
        return err;
    if (!aio__loop_deadline(loop, delay, &when_ns))
        return aio_raise(AIO_EVALUE, "Invalid delay: NaN (not a number)");
    if (delay <= 0)
        notice_past_deadline(loop, when_ns);
    return call_at_ns(loop, when_ns, fn, arg, ret_handle);
}

/*
 * From another thread a handle is allocated by itself, not from the loop's pool, and holds the
 * loop. On the loop's own thread the order with call_soon() is kept (S14).
 */
int aio_loop_call_soon_threadsafe(aio_loop *loop, aio_callback_fn fn, void *arg,
                                  aio_handle **ret_handle)
{
    aio_handle *handle;
    int err;

    err = check_arguments(loop, fn);
    if (err == 0)
        err = aio__loop_check_process(loop);
    if (err < 0)
        return err;
    handle = aio_malloc(sizeof(*handle));
    if (handle == NULL)
        return AIO_ENOMEM;
    init_handle(handle, aio_loop_ref(loop), fn, arg);
    handle->threadsafe = true;
    (void)aio_handle_ref(handle); /* ours: once it is posted, it may run and go at any moment */
    if (aio__loop_takes_directly(loop))
        aio__loop_queue(loop, &handle->ready);
    else
        err = aio__inbox_post(loop, &handle->ready);
    if (err < 0)
        aio__handle_discard(handle);
    else if (ret_handle != NULL)
        *ret_handle = aio_handle_ref(handle);
    aio_handle_unref(handle);
    return err < 0 ? aio_raise(err, "Event loop is closed") : 0;
}
