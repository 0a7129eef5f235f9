/* SPDX-License-Identifier: MIT */
/*
 * task.c - a coroutine on a stack of its own: started, waiting, ended
 *
 * A task is a future and a strand. The strand's node is what wakes it: it stands in the chain of
 * the future the task waits for, then in the ready queue, so that neither waiting nor waking
 * allocates anything.
 *
 * Invariants
 *   - The strand's node is in one place at a time: a pending task waits for one thing.
 *   - A pending task is referenced by its loop (asyncio holds tasks weakly, S41).
 *   - A cancellation goes to the future waited for, or becomes MUST_CANCEL, which the next step
 *     turns into AIO_ECANCELLED whatever it was woken with (S31, S32).
 *
 * Thread: the loop's.
 */
#include "base/error.h"
#include "base/type.h"
#include "task/generator_internal.h"
#include "task/task_internal.h"

#include <aio/memory.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A task that is being thrown away may try to wait so often; then its frames are given up. */
enum { MAX_REFUSALS = 1000 };

/* Numbers that a thread takes at once: one each would cost a locked instruction for each task. */
enum { NUMBERS_TAKEN = 64 };

static _Atomic(uint64_t) numbers_taken;

/* --- waiting --------------------------------------------------------------------------- */

struct aio__task *aio__no_running_task(void)
{
    (void)aio_raise(AIO_ENOTASK, aio__thread()->running == NULL ? "no running event loop"
                                                                : "this works only inside a task");
    return NULL;
}

int aio__task_refuse(struct aio__task *task)
{
    aio_loop *loop = task->fut.loop;

    if (++loop->refusals > MAX_REFUSALS)
        aio__strand_suspend(loop); /* for ever */
    return aio_raise(AIO_EGENERATOREXIT, "the event loop is being closed");
}

/* Throw the cancellation that was asked for. */
static int throw_cancel(struct aio__task *task)
{
    task->fut.kind_flags &= (uint16_t)~AIO__TASK_MUST_CANCEL;
    if (task->fut.error != NULL)
        return aio_raise_exception(task->fut.error);
    aio__error_forget();
    return AIO_ECANCELLED;
}

/* A request from before goes to what the task has begun to wait for, if that takes it. */
static void forward_cancel(struct aio__task *task, aio_future *fut)
{
    task->fut.kind_flags &= (uint16_t)~AIO__TASK_MUST_CANCEL;
    if (!aio_future_cancel(fut, aio_exception_message(task->fut.error)))
        task->fut.kind_flags |= AIO__TASK_MUST_CANCEL;
}

/* Woken, but cancelled meanwhile: the outcome is looked at and lost (S32), unless it is a
 * cancellation itself, which keeps its message. */
static int cancel_outcome(struct aio__task *task, aio_future *fut)
{
    int code = aio__future_raise(fut);

    if (code != AIO_ECANCELLED)
        return throw_cancel(task);
    task->fut.kind_flags &= (uint16_t)~AIO__TASK_MUST_CANCEL;
    return code;
}

/* Woken, and not only by what it has waited for. */
static int asked_to_cancel(struct aio__task *task, aio_future *fut)
{
    bool torn_out = task->fut.kind_flags & AIO__TASK_TORN_OUT;

    task->fut.kind_flags &= (uint16_t)~AIO__TASK_TORN_OUT;
    if (!torn_out || !aio__future_is_pending(fut))
        return task->fut.kind_flags & AIO__TASK_MUST_CANCEL ? cancel_outcome(task, fut) : 0;
    if (task->fut.kind_flags & AIO__TASK_MUST_CANCEL)
        return throw_cancel(task);
    return aio__task_wait(task, fut); /* the request was taken back */
}

/* Part of whoever calls it: each return to a frame from before a switch is one that the processor
 * has not foreseen. */
static inline __attribute__((always_inline)) int wait_here(struct aio__task *task, aio_future *fut)
{
    aio_loop *loop = task->fut.loop;

    assert(!loop->closing);
    task->waiting = fut;
    aio__future_add_waiter(fut, &task->strand.ready);
    if (AIO__UNLIKELY(task->fut.kind_flags & AIO__TASK_MUST_CANCEL))
        forward_cancel(task, fut);
    aio__strand_suspend(loop);
    task->waiting = NULL;
    if (AIO__UNLIKELY(loop->closing)) {
        /* Unwound, not woken: others may hold the future longer than the task lives. */
        aio__future_remove_waiter(fut, &task->strand.ready);
        return aio__task_refuse(task);
    }
    if (AIO__UNLIKELY(task->fut.kind_flags & (AIO__TASK_MUST_CANCEL | AIO__TASK_TORN_OUT)))
        return asked_to_cancel(task, fut);
    return 0;
}

int aio__task_wait(struct aio__task *task, aio_future *fut)
{
    return wait_here(task, fut);
}

int aio__task_yield(struct aio__task *task)
{
    aio_loop *loop = task->fut.loop;

    if (AIO__UNLIKELY(loop->closing))
        return aio__task_refuse(task);
    aio__loop_queue(loop, &task->strand.ready);
    aio__strand_suspend(loop);
    if (AIO__UNLIKELY(loop->closing))
        return aio__task_refuse(task);
    if (AIO__UNLIKELY(task->fut.kind_flags & AIO__TASK_MUST_CANCEL))
        return throw_cancel(task);
    return 0;
}

/* asyncio throws these into the task in the next iteration; a cancellation goes before. */
static int await_wrongly(struct aio__task *task, const char *why)
{
    int err = aio__task_yield(task);

    return err < 0 ? err : aio_raise(AIO_ERUNTIME, "%s", why);
}

int aio_await(aio_future *fut, void **ret_value)
{
    struct aio__task *task;
    int err;

    if (fut == NULL)
        return aio__null_future();
    task = aio__running_task();
    if (task == NULL)
        return AIO_ENOTASK;
    if (AIO__UNLIKELY(aio__is_coroutine(fut)))
        return aio__coroutine_await(aio__task_of(fut), ret_value);
    if (!aio__future_is_pending(fut))
        return aio_future_result(fut, ret_value);
    if (AIO__UNLIKELY(fut->loop != task->fut.loop))
        return await_wrongly(task, "Task got Future attached to a different loop");
    if (AIO__UNLIKELY(fut == &task->fut))
        return await_wrongly(task, "Task cannot await on itself");
    if (AIO__UNLIKELY(task->fut.loop->closing))
        return aio__task_refuse(task);

    fut->refs++;
    err = wait_here(task, fut);
    if (err == 0)
        err = aio__future_raise(fut);
    if (err == 0 && ret_value != NULL)
        *ret_value = fut->value;
    aio__future_drop(fut);
    return err;
}

/* --- the end --------------------------------------------------------------------------- */

void aio__scope_push(struct aio__task *task, struct aio__scope *scope)
{
    struct aio__scope **body = aio__body_scopes(task->fut.loop->fiber);

    scope->list = body != NULL ? body : &task->scopes;
    scope->outer = *scope->list;
    *scope->list = scope;
}

void aio__scope_remove(struct aio__scope *scope)
{
    struct aio__scope **place = scope->list;

    if (place == NULL)
        return;
    while (*place != NULL && *place != scope)
        place = &(*place)->outer;
    if (*place == scope)
        *place = scope->outer;
    scope->list = NULL;
}

int aio__scopes_leave(struct aio__scope **scopes, const char *name, int code)
{
    if (code >= 0)
        code = aio_raise(AIO_ERUNTIME, "coroutine '%s' returned inside a block it had entered",
                         name != NULL ? name : "?");
    while (*scopes != NULL)
        code = (*scopes)->leave(*scopes, code);
    return code < 0 ? code : AIO_ERUNTIME;
}

/* The object that was raised with a code, out of the task's slot; NULL if there is none. */
static aio_exception *take_error(struct aio__task *task, int code)
{
    aio_exception *error = task->strand.error;

    task->strand.error = NULL;
    if (aio_exception_code(error) == code)
        return error;
    aio_exception_unref(error);
    return NULL;
}

/* Done, in whatever way: the loop lets go of it. */
static void retire(struct aio__task *task)
{
    aio_loop *loop = task->fut.loop;

    task->fut.kind_flags &= (uint16_t) ~(AIO__TASK_RUNNING_BODY | AIO__FUTURE_CANCELLING);
    if (task->extra != NULL)
        aio__task_drop_arg(task);
    aio__list_remove(&task->link);
    loop->task_count--;
    aio__future_drop(&task->fut);
}

/* A task remembers the last message, as asyncio's do: a gather of it may be cancelled by that. */
static void keep_message(struct aio__task *task, aio_exception *message)
{
    task->message = message;
    task->fut.kind_flags |= AIO__TASK_KEEPS_MESSAGE;
}

int aio__task_raise_outlived(aio_future *fut)
{
    if (fut->ops->is_task && fut->kind_flags & AIO__TASK_KEEPS_MESSAGE)
        return aio_raise_exception(aio__task_of(fut)->message);
    aio__error_forget();
    return AIO_ECANCELLED;
}

static void end_with_value(struct aio__task *task, void *value)
{
    const aio_type *type = task->extra != NULL ? task->extra->result_type : NULL;
    aio_exception *message = task->fut.error;

    task->fut.error = NULL;
    if (AIO__UNLIKELY(task->fut.kind_flags & AIO__TASK_MUST_CANCEL)) {
        /* Cancelled during its last step: the value is dropped (S33). */
        if (value != NULL)
            aio__value_destroy(type, value);
        aio__future_cancelled(&task->fut, aio_exception_message(message));
        aio_exception_unref(message);
    } else {
        aio__future_finish(&task->fut, value, type);
        if (AIO__UNLIKELY(message != NULL))
            keep_message(task, message);
    }
}

static void end_task(struct aio__task *task, int code, void *value)
{
    aio_exception *message;
    aio_exception *error;

    if (AIO__LIKELY(code >= 0)) {
        end_with_value(task, value);
    } else if (code == AIO_ECANCELLED) {
        aio__future_cancelled_by(&task->fut, take_error(task, code));
    } else {
        error = take_error(task, code);
        message = task->fut.error;
        task->fut.error = NULL;
        aio__future_fail(&task->fut, code, error);
        if (AIO__UNLIKELY(message != NULL))
            keep_message(task, message);
        if (aio__ends_run(code))
            aio__loop_leave(task->fut.loop, code, aio_exception_ref(error));
        aio_exception_unref(error);
    }
    retire(task);
}

/* --- what the scheduler calls ---------------------------------------------------------- */

/* A task that was cancelled before its first step never starts (S30), and needs no stack. */
static bool strand_starts(struct aio__strand *strand)
{
    struct aio__task *task = aio__task_of_strand(strand);
    aio_exception *message = task->fut.error;

    if (AIO__LIKELY(!(task->fut.kind_flags & AIO__TASK_MUST_CANCEL)))
        return true;
    task->fut.error = NULL;
    aio__future_cancelled_by(&task->fut, message);
    retire(task);
    return false;
}

static void strand_main(struct aio__strand *strand)
{
    struct aio__task *task = aio__task_of_strand(strand);
    void *value = NULL;
    int code;

    task->fut.kind_flags |= AIO__TASK_RUNNING_BODY;
    code = task->fn(task->arg, &value);
    if (AIO__UNLIKELY(task->scopes != NULL))
        code = aio__scopes_leave(&task->scopes, task->coroutine, code);
    if (AIO__UNLIKELY(task->fut.loop->measures_stacks))
        strand->stack_used = (uint32_t)aio__fiber_high_water(task->fut.loop->fiber);
    /* What follows may call the program's functions, for the task but not in it. */
    aio__strand_leave(task->fut.loop);
    end_task(task, code, value);
}

static void strand_fails(struct aio__strand *strand, int code)
{
    end_task(aio__task_of_strand(strand), code, NULL);
}

static aio_task *strand_task(struct aio__strand *strand)
{
    return &aio__task_of_strand(strand)->fut;
}

static aio__ctx *strand_context(aio_future *fut)
{
    return aio_future_is_task(fut) ? &aio__task_of(fut)->strand.own_context : NULL;
}

static size_t task_place(const aio_task *fut, char *buffer, size_t size)
{
    const struct aio__task *task = aio__task_of(fut);
    int length;

    if (task->file == NULL)
        return 0;
    length = snprintf(buffer, size, "%s:%d", task->file, task->line);
    return length < 0 ? 0 : (size_t)length;
}

static const struct aio__strand_ops strand_ops = {
    .starts = strand_starts,
    .main = strand_main,
    .fails = strand_fails,
    .task = strand_task,
    .context = strand_context,
    .place = task_place,
    .stack = aio__task_stack_text,
};

/* --- the end of the loop --------------------------------------------------------------- */

/* Let a task that will never be woken unwind its frames, or give them up: then nobody goes on
 * where it stands, and its stack stays as it is until the loop's memory goes. */
static void unwind(struct aio__task *task)
{
    aio_loop *loop = task->fut.loop;

    task->fut.refs++;
    loop->refusals = 0;
    if (task->strand.fiber != NULL)
        (void)aio__strand_run_now(loop, &task->strand);
    if (aio__future_is_pending(&task->fut)) {
        aio__future_cancelled(&task->fut, NULL);
        retire(task);
    }
    /* Whoever could have looked at its error is gone with the loop. */
    aio__future_disarm(&task->fut);
    aio_future_unref(&task->fut);
}

static void end_tasks(struct aio__close_hook *hook, aio_loop *loop)
{
    struct aio__list *link;

    (void)hook;
    while ((link = aio__list_first(&loop->tasks)) != NULL) {
        struct aio__task *task = aio__container_of(link, struct aio__task, link);

        aio__loop_discard_ready(loop);
        if (!(task->fut.kind_flags & AIO__TASK_NO_PENDING_REPORT))
            aio__loop_report(loop, "Task was destroyed but it is pending!", NULL, &task->fut);
        unwind(task);
    }
}

/* --- making ---------------------------------------------------------------------------- */

static int make_extra(struct aio__task *task, const aio_task_options *options)
{
    struct aio__task_extra *extra;

    if (options->arg_size > SIZE_MAX - sizeof(*extra))
        return AIO_ENOMEM;
    extra = aio_malloc(sizeof(*extra) + options->arg_size);
    if (extra == NULL)
        return AIO_ENOMEM;
    extra->arg_destroy = options->arg_destroy;
    extra->result_type = options->result_type;
    task->extra = extra;
    if (options->arg_size != 0) {
        memcpy(extra->arg, task->arg, options->arg_size);
        task->arg = extra->arg;
    }
    return 0;
}

int aio__task_apply(struct aio__task *task, const aio_task_options *options)
{
    char *name = NULL;

    if (options->size < sizeof(*options) || options->stack_size > UINT32_MAX)
        return aio_raise(AIO_EVALUE, "bad task options");
    if (options->arg_size != 0 && task->arg == NULL)
        return aio_raise(AIO_EVALUE, "arg_size without an argument");
    if (options->name != NULL) {
        name = aio_strdup(options->name);
        if (name == NULL)
            return AIO_ENOMEM;
    }
    if (options->arg_size != 0 || options->arg_destroy != NULL || options->result_type != NULL) {
        int err = make_extra(task, options);

        if (err < 0) {
            aio_free(name);
            return err;
        }
    }
    if (name != NULL) {
        task->id.name = name;
        task->fut.kind_flags |= AIO__TASK_NAMED;
    }
    task->strand.stack_size = (uint32_t)options->stack_size;
    if (options->context != NULL)
        task->strand.own_context = aio__ctx_share(options->context);
    return 0;
}

void aio__task_drop_arg(struct aio__task *task)
{
    struct aio__task_extra *extra = task->extra;
    void (*destroy)(void *);

    if (extra == NULL || extra->arg_destroy == NULL)
        return;
    destroy = extra->arg_destroy;
    extra->arg_destroy = NULL;
    destroy(task->arg);
}

void aio__task_dispose(aio_future *fut)
{
    struct aio__task *task = aio__task_of(fut);

    if (fut->kind_flags & AIO__TASK_NAMED)
        aio_free(task->id.name);
    aio__ctx_release(task->strand.own_context);
    if (AIO__UNLIKELY(task->strand.error != NULL))
        aio_exception_unref(task->strand.error);
    if (AIO__UNLIKELY(fut->kind_flags & AIO__TASK_KEEPS_MESSAGE))
        aio_exception_unref(task->message);
    if (task->extra != NULL) {
        aio__task_drop_arg(task);
        aio_free(task->extra);
    }
}

/* Run up to the first wait, here and now (S46). */
static void start_eagerly(struct aio__task *task, aio_loop *loop)
{
    int err;

    task->fut.refs++;
    err = aio__strand_run_now(loop, &task->strand);
    if (err < 0)
        strand_fails(&task->strand, err);
    else if (!aio__future_is_pending(&task->fut))
        task->fut.kind_flags |= AIO__TASK_ENDED_EAGERLY;
    aio_future_unref(&task->fut);
}

/* Of the process's tasks that have no name: one after the other as long as one thread makes them,
 * and never twice. */
static uint64_t next_number(struct aio__thread *thread)
{
    if (AIO__UNLIKELY(thread->task_number % NUMBERS_TAKEN == 0))
        thread->task_number =
            atomic_fetch_add_explicit(&numbers_taken, NUMBERS_TAKEN, memory_order_relaxed);
    return ++thread->task_number;
}

void aio__task_start(struct aio__task *task, aio_loop *loop, bool eager)
{
    if (!(task->fut.kind_flags & AIO__TASK_NAMED))
        task->id.number = next_number(aio__thread());
    if (task->strand.own_context.bits == 0)
        task->strand.own_context = aio__ctx_capture();
    if (AIO__UNLIKELY(loop->strand_ops == NULL)) {
        loop->strand_ops = &strand_ops;
        loop->tasks_hook.fn = end_tasks;
        aio__list_append(&loop->close_hooks, &loop->tasks_hook.link);
    }
    if (AIO__UNLIKELY(loop->debug))
        aio__future_trace(&task->fut); /* one that was a coroutine object knows its loop now */
    task->fut.refs++;                  /* the loop's, until it is done */
    aio__list_append(&loop->tasks, &task->link);
    loop->task_count++;
    loop->tasks_made++;
    if (AIO__UNLIKELY(eager) && loop->dispatching && aio__thread()->running == loop)
        start_eagerly(task, loop);
    else
        aio__loop_queue(loop, &task->strand.ready);
}
