/* SPDX-License-Identifier: MIT */
/*
 * threadsafe.c - coroutines that run on the loop of another thread
 *
 * A call is a concurrent future with a coroutine object, which becomes a task when the loop takes
 * the call out of its inbox. Cancelling the call posts a second node, which cancels the task.
 *
 * The call is referenced by whoever made it, by the node or the task that will finish it, and by
 * the node that cancels. The task is touched in the loop's thread alone.
 *
 * Thread: as said at each function.
 */
#include "future/concurrent_internal.h"
#include "task/task_internal.h"

#include <aio/memory.h>

struct call {
    aio_concurrent_future fut;
    struct aio__ready start;
    struct aio__ready cancel;
    aio_coroutine *coro; /* owned; NULL once it is over */
    aio__ctx context;    /* the calling thread's, for the task; owned until then */
};

static struct call *call_of(aio_concurrent_future *fut)
{
    return aio__container_of(fut, struct call, fut);
}

/* In any thread; a call that was never started has no coroutine any more. */
static void dispose(aio_concurrent_future *fut)
{
    struct call *call = call_of(fut);

    aio__ctx_release(call->context);
    aio__loop_unref_memory(fut->loop);
    aio__concurrent_release(fut);
    aio_free(call);
}

/* Let the loop run a node; its reference comes back if the loop is closed. In any thread. */
static int post(struct call *call, struct aio__ready *node)
{
    aio_loop *loop = call->fut.loop;

    if (!aio__loop_takes_directly(loop))
        return aio__inbox_post(loop, node);
    aio__loop_queue(loop, node);
    return 0;
}

/* It never began, or was made a task that nobody could be told of. */
static void drop_coroutine(struct call *call)
{
    aio_coroutine *coro = call->coro;

    call->coro = NULL;
    if (aio_coroutine_close(coro) < 0)
        (void)aio_future_cancel(coro, NULL);
    aio_future_unref(coro);
}

/* --- the loop's thread ----------------------------------------------------------------- */

/* The value passes from the task to the call, whose holder frees it. */
static void finish(struct call *call, aio_task *task)
{
    const aio_type *type = task->type;

    task->type = NULL;
    if (!aio__concurrent_finish(&call->fut, task->value, type))
        task->type = type;
}

static int task_is_done(aio_future *task, void *arg)
{
    struct call *call = arg;

    call->coro = NULL;
    if (aio_future_cancelled(task)) {
        (void)aio_concurrent_future_cancel(&call->fut);
    } else if (task->state == AIO__FUTURE_FAILED) {
        aio_exception *error = NULL;

        (void)aio_future_exception(task, &error);
        (void)aio__concurrent_fail(&call->fut, error);
    } else {
        finish(call, task);
    }
    aio_future_unref(task);
    aio_concurrent_future_unref(&call->fut);
    return 0;
}

/* Make it a task, in the context of who called. */
static int start_task(struct call *call)
{
    struct aio__thread *thread = aio__thread();
    aio__ctx *former = thread->context;
    int err;

    thread->context = &call->context;
    err = aio_ensure_future(call->coro, call->fut.loop);
    thread->context = former;
    if (err == 0)
        err = aio__future_add_step(call->coro, task_is_done, call);
    return err;
}

static void fail(struct call *call, int code)
{
    aio_exception *error = aio_error_catch(code);

    (void)aio__concurrent_fail(&call->fut, error);
    aio_exception_unref(error);
}

/* Also when the loop is closed with this in its inbox. */
static void run_start(struct aio__ready *node)
{
    struct call *call = aio__container_of(node, struct call, start);
    int err = 0;

    if (aio_concurrent_future_cancelled(&call->fut))
        err = AIO_ECANCELLED;
    else if (call->fut.loop->closed)
        err = aio_raise(AIO_ECLOSED, "Event loop is closed");
    else
        err = start_task(call);
    if (err == 0)
        return; /* the rest is up to the task */
    if (err != AIO_ECANCELLED)
        fail(call, err);
    drop_coroutine(call);
    aio_concurrent_future_unref(&call->fut);
}

static void run_cancel(struct aio__ready *node)
{
    struct call *call = aio__container_of(node, struct call, cancel);

    if (call->coro != NULL)
        (void)aio_future_cancel(call->coro, NULL);
    aio_concurrent_future_unref(&call->fut);
}

/* --- any thread ------------------------------------------------------------------------ */

static void cancelled(aio_concurrent_future *fut)
{
    struct call *call = call_of(fut);

    aio_concurrent_future_ref(fut);
    if (post(call, &call->cancel) < 0)
        aio_concurrent_future_unref(fut);
}

static const struct aio__concurrent_ops call_ops = {
    .cancelled = cancelled,
    .dispose = dispose,
};

/* Takes the coroutine. */
static struct call *call_new(aio_coroutine *coro, aio_loop *loop)
{
    struct call *call = aio_malloc(sizeof(*call));
    int err = call == NULL ? AIO_ENOMEM : aio__concurrent_init(&call->fut, &call_ops);

    if (err < 0) {
        aio_free(call);
        (void)aio_coroutine_close(coro);
        aio_future_unref(coro);
        return aio__failed(err);
    }
    call->fut.loop = loop;
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
    call->start.run = run_start;
    call->cancel.run = run_cancel;
    call->coro = coro;
    call->context = aio__ctx_capture();
    return call;
}

aio_concurrent_future *aio_run_coroutine_threadsafe_at(aio_site site, aio_coro_fn fn, void *arg,
                                                       aio_loop *loop,
                                                       const aio_task_options *options)
{
    aio_coroutine *coro = aio_coroutine_new_at(site, fn, arg, options);
    struct call *call;
    int err;

    if (coro == NULL)
        return NULL;
    err = loop == NULL ? aio_raise(AIO_ENOLOOP, "no event loop given")
                       : aio__loop_check_process(loop);
    if (err < 0) {
        (void)aio_coroutine_close(coro);
        aio_future_unref(coro);
        return aio__failed(err);
    }
    call = call_new(coro, loop);
    if (call == NULL)
        return NULL;
    aio_concurrent_future_ref(&call->fut);
    if (post(call, &call->start) < 0) {
        aio_concurrent_future_unref(&call->fut);
        drop_coroutine(call);
        aio_concurrent_future_unref(&call->fut);
        return aio__failed(aio_raise(AIO_ECLOSED, "Event loop is closed"));
    }
    return &call->fut;
}

#undef aio_run_coroutine_threadsafe
#undef aio_run_coroutine_threadsafe_with

aio_concurrent_future *aio_run_coroutine_threadsafe(aio_coro_fn fn, void *arg, aio_loop *loop)
{
    return aio_run_coroutine_threadsafe_at(aio_site_make(NULL, NULL, 0), fn, arg, loop, NULL);
}

aio_concurrent_future *aio_run_coroutine_threadsafe_with(aio_coro_fn fn, void *arg, aio_loop *loop,
                                                         const aio_task_options *options)
{
    return aio_run_coroutine_threadsafe_at(aio_site_make(NULL, NULL, 0), fn, arg, loop, options);
}
