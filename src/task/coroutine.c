/* SPDX-License-Identifier: MIT */
/*
 * coroutine.c - coroutine objects: made without running, then awaited or made a task
 *
 * A coroutine object is a task that no loop knows yet, allocated by itself. Awaited, it runs in
 * the calling task and keeps its outcome; made a task, it becomes one in place, so that whoever
 * has its address goes on with that. A task factory of the loop's is asked for that task as for
 * any other: it is offered the object, with all that it was made with, and takes it.
 */
#include "task/task_internal.h"

#include "base/log.h"
#include "loop/origin.h"

#include <aio/memory.h>

/* kind_flags of a coroutine object, beside those of a task */
enum { CLOSED = 64, OFFERED = 128 /* to a factory, which has not taken it */ };

/* What is allocated: no loop keeps where it was made. */
struct coroutine {
    struct aio__task task;
    struct aio__origin *origin; /* owned; made while a loop ran in debug mode; may be NULL */
    size_t arg_size;            /* of the options it was made with, as the next */
    aio_eager_start eager_start;
};

static struct coroutine *coroutine_of(struct aio__task *task)
{
    return aio__container_of(task, struct coroutine, task);
}

/* It is used: nobody will ask where it was made. */
static void forget_origin(struct aio__task *task)
{
    struct coroutine *coro = coroutine_of(task);

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
    coro->arg_size = options != NULL ? options->arg_size : 0;
    coro->eager_start = options != NULL ? options->eager_start : AIO_EAGER_DEFAULT;
    return &coro->task.fut;
}

static bool is_unstarted(const struct aio__task *coro)
{
    return aio__future_is_pending(&coro->fut) &&
           !(coro->fut.kind_flags & (CLOSED | OFFERED | AIO__TASK_RUNNING_BODY));
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

/* --- becoming a task ------------------------------------------------------------------- */

/* What belongs to the object is in order: let the task begin. */
static void become_task(struct aio__task *task, aio_loop *loop, bool eager)
{
    task->fut.ops = &aio__task_own_ops;
    task->fut.loop = loop;
    aio__loop_adopt(loop);
    aio__task_start(task, loop, eager);
}

int aio__coroutine_take(aio_loop *loop, const aio_site *site, aio_coro_fn fn, void *arg,
                        const aio_task_options *options)
{
    aio_future *fut = options->coroutine;
    struct aio__task *task = aio__task_of(fut);
    struct aio__task offered;
    int err;

    if (!aio__is_coroutine(fut) || !(fut->kind_flags & OFFERED))
        return aio_raise(AIO_ERUNTIME, "no task factory is asked for the coroutine object");
    offered = *task;
    fut->kind_flags &= (uint16_t) ~(OFFERED | AIO__TASK_NAMED);
    err = aio__task_init(task, site, fn, arg, options);
    if (err < 0) {
        *task = offered;
        return err;
    }
    if (offered.fut.kind_flags & AIO__TASK_NAMED)
        aio_free(offered.id.name);
    aio__ctx_release(offered.strand.own_context);
    aio_free(offered.extra);
    become_task(task, loop, options->eager_start == AIO_EAGER_YES);
    return 0;
}

/* The argument is the factory's from now on, as it is of those that come without an object. */
static aio_task_options take_options(struct coroutine *coro, aio_context *context)
{
    struct aio__task *task = &coro->task;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.coroutine = &task->fut;
    options.name = task->fut.kind_flags & AIO__TASK_NAMED ? task->id.name : NULL;
    options.context = aio__ctx_peek_object(task->strand.own_context);
    if (options.context == NULL)
        options.context = context;
    options.arg_size = coro->arg_size;
    options.stack_size = task->strand.stack_size;
    options.eager_start = coro->eager_start;
    if (task->extra != NULL) {
        options.arg_destroy = task->extra->arg_destroy;
        options.result_type = task->extra->result_type;
        task->extra->arg_destroy = NULL;
    }
    return options;
}

static int ask_factory(struct coroutine *coro, aio_loop *loop, aio_context *context)
{
    struct aio__task *task = &coro->task;
    aio_site site = aio_site_make(task->coroutine, task->file, task->line);
    aio_task_options options = take_options(coro, context);
    aio_future *fut = aio_future_ref(&task->fut);
    aio_task *made;
    int err = 0;

    fut->kind_flags |= OFFERED;
    made = loop->factory(loop, site, task->fn, task->arg, &options, loop->factory_arg);
    if (made == NULL)
        err = aio__null_future();
    if (aio__is_coroutine(fut)) { /* still */
        fut->kind_flags &= (uint16_t)~OFFERED;
        fut->kind_flags |= CLOSED;
        if (made != NULL) {
            (void)aio_future_cancel(made, NULL); /* nobody could wait for it */
            err = aio_raise(AIO_ERUNTIME, "the task factory made a task without its options");
        }
    }
    aio_future_unref(made);
    aio_future_unref(fut);
    return err;
}

int aio_ensure_future(aio_future *awaitable, aio_loop *loop)
{
    return aio__ensure_future_in(awaitable, loop, NULL);
}

int aio__ensure_future_in(aio_future *awaitable, aio_loop *loop, aio_context *context)
{
    struct aio__task *task;

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
    if (loop->factory != NULL)
        return ask_factory(coroutine_of(task), loop, context);
    if (context != NULL && task->strand.own_context.bits == 0)
        task->strand.own_context = aio__ctx_share(context);
    become_task(task, loop, coroutine_of(task)->eager_start == AIO_EAGER_YES);
    return 0;
}

/* --- the end --------------------------------------------------------------------------- */

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
        warn_of(coroutine_of(task));
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
    if (coro->kind_flags & (OFFERED | AIO__TASK_RUNNING_BODY))
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
