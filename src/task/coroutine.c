/* SPDX-License-Identifier: MIT */
/*
 * coroutine.c - coroutine objects: made without running, then awaited or made a task
 *
 * A coroutine object is a task that no loop knows yet, allocated by itself. Awaited, it runs in
 * the calling task and keeps its outcome; made a task, it becomes one in place, so that whoever
 * has its address goes on with that.
 */
#include "task/task_internal.h"

#include "base/log.h"
#include "loop/origin.h"

#include <aio/memory.h>

/* kind_flags of a coroutine object, beside those of a task */
enum { CLOSED = 64, EAGER = 128 };

/* What is allocated: no loop keeps where it was made. */
struct coroutine {
    struct aio__task task;
    struct aio__origin *origin; /* owned; made while a loop ran in debug mode; may be NULL */
};

/* It is used: nobody will ask where it was made. */
static void forget_origin(struct aio__task *task)
{
    struct coroutine *coro = aio__container_of(task, struct coroutine, task);

    aio_free(coro->origin);
    coro->origin = NULL;
}

aio_coroutine *aio_coroutine_new_at(aio_site site, aio_coro_fn fn, void *arg,
                                    const aio_task_options *options)
{
    struct coroutine *coro = aio_malloc(sizeof(*coro));
    const aio_loop *running = aio__thread()->running;
    aio_future *fut;
    int err = AIO_ENOMEM;

    if (coro != NULL) {
        fut = &coro->task.fut;
        aio__future_init(fut, NULL, &aio__coroutine_ops);
        err = aio__task_init(&coro->task, &site, fn, arg, options);
    }
    if (err < 0) {
        aio_free(coro);
        if (options != NULL && options->arg_destroy != NULL)
            options->arg_destroy(arg);
        return aio__failed(err);
    }
    coro->origin = running != NULL && running->debug ? aio__origin_capture() : NULL;
    if (options != NULL && options->eager_start == AIO_EAGER_YES)
        coro->task.fut.kind_flags |= EAGER;
    return &coro->task.fut;
}

static bool is_unstarted(const struct aio__task *coro)
{
    return aio__future_is_pending(&coro->fut) &&
           !(coro->fut.kind_flags & (CLOSED | AIO__TASK_RUNNING_BODY));
}

static int refuse_used(void)
{
    return aio_raise(AIO_ERUNTIME, "cannot reuse already awaited coroutine");
}

int aio__coroutine_await(struct aio__task *coro, void **ret_value)
{
    const aio_type *type = coro->extra != NULL ? coro->extra->result_type : NULL;
    void *value = NULL;
    int code;

    if (!is_unstarted(coro))
        return refuse_used();
    forget_origin(coro);
    coro->fut.refs++;
    coro->fut.kind_flags |= AIO__TASK_RUNNING_BODY;
    code = coro->fn(coro->arg, &value);
    coro->fut.kind_flags &= (uint16_t)~AIO__TASK_RUNNING_BODY;
    coro->fut.kind_flags |= CLOSED;
    aio__task_drop_arg(coro);
    if (code >= 0) {
        aio__future_finish(&coro->fut, value, type);
        if (ret_value != NULL)
            *ret_value = value;
        code = 0;
    }
    aio_future_unref(&coro->fut);
    return code;
}

int aio_ensure_future(aio_future *awaitable, aio_loop *loop)
{
    struct aio__task *task;
    bool eager;

    if (awaitable == NULL)
        return aio__null_future();
    if (!aio__is_coroutine(awaitable)) {
        if (loop != NULL && awaitable->loop != loop)
            return aio_raise(AIO_EVALUE, "The future belongs to a different loop than the one "
                                         "specified as the loop argument");
        return 0;
    }
    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    task = aio__task_of(awaitable);
    if (!is_unstarted(task))
        return refuse_used();

    forget_origin(task);
    eager = (awaitable->kind_flags & EAGER) || loop->factory == aio_eager_task_factory;
    awaitable->kind_flags &= (uint16_t)~EAGER;
    awaitable->ops = &aio__task_own_ops;
    awaitable->loop = loop;
    aio__loop_adopt(loop);
    aio__task_start(task, loop, eager);
    return 0;
}

/* A task made from a coroutine object keeps the loop's memory as others do, but not its own. */
static void dispose_own(aio_future *fut)
{
    aio_loop *loop = fut->loop;

    aio__task_dispose(fut);
    aio_free(fut);
    aio__loop_disown(loop);
}

static void warn_of(const struct coroutine *coro)
{
    char *origin = aio__origin_text(coro->origin, "Coroutine");

    aio__log(AIO_LOG_WARNING, "coroutine '%s' was never awaited%s%s",
             coro->task.coroutine != NULL ? coro->task.coroutine : "?", origin == NULL ? "" : "\n",
             origin == NULL ? "" : origin);
    aio_free(origin);
}

static void dispose_coroutine(aio_future *fut)
{
    struct aio__task *task = aio__task_of(fut);

    if (is_unstarted(task))
        warn_of(aio__container_of(task, struct coroutine, task));
    forget_origin(task);
    aio__task_dispose(fut);
    aio_free(fut);
}

static bool cancel_nothing(aio_future *fut, const char *message)
{
    (void)fut;
    (void)message;
    return false;
}

const struct aio__future_ops aio__task_own_ops = {
    .name = "Task",
    .is_task = true,
    .cancel = aio__task_ask_cancel,
    .dispose = dispose_own,
    .describe = aio__task_describe,
};

const struct aio__future_ops aio__coroutine_ops = {
    .name = "coroutine",
    .is_task = true,
    .cancel = cancel_nothing,
    .dispose = dispose_coroutine,
    .describe = aio__task_describe,
};

int aio_coroutine_close(aio_coroutine *coro)
{
    if (coro == NULL)
        return aio__null_future();
    if (!aio__is_coroutine(coro))
        return aio_raise(AIO_ERUNTIME, "not a coroutine object, or a task already");
    if (coro->kind_flags & AIO__TASK_RUNNING_BODY)
        return aio_raise(AIO_ERUNTIME, "coroutine is being awaited already");
    coro->kind_flags |= CLOSED;
    aio__task_drop_arg(aio__task_of(coro));
    return 0;
}

bool aio_iscoroutine(const aio_future *awaitable)
{
    return awaitable != NULL && aio__is_coroutine(awaitable);
}

aio_coroutine_state aio_coroutine_get_state(const aio_coroutine *coro)
{
    const struct aio__task *task = aio__task_of(coro);

    if (coro == NULL || !coro->ops->is_task || !aio__future_is_pending(coro) ||
        (coro->kind_flags & CLOSED))
        return AIO_CORO_CLOSED;
    if (!(coro->kind_flags & AIO__TASK_RUNNING_BODY))
        return AIO_CORO_CREATED;
    if (coro->loop == NULL || coro->loop->current == &task->strand)
        return AIO_CORO_RUNNING;
    return AIO_CORO_SUSPENDED;
}

const char *aio_coroutine_state_name(aio_coroutine_state state)
{
    switch (state) {
    case AIO_CORO_CREATED: return "CORO_CREATED";
    case AIO_CORO_RUNNING: return "CORO_RUNNING";
    case AIO_CORO_SUSPENDED: return "CORO_SUSPENDED";
    default: return "CORO_CLOSED";
    }
}
