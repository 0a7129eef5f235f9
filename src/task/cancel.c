/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - asking a task to end, and taking that back
 *
 * A request goes down the chain of tasks that wait for each other, to what the last one waits for
 * (S31). Chains may be as long as there are tasks, and lead back to themselves, by way of a gather
 * too: so they are walked, not recursed into, and whoever was asked is marked while that goes on.
 */
#include "task/task_internal.h"

/* Keep the message of the request for when it is thrown. */
static void set_message(struct aio__task *task, const char *message)
{
    aio_exception *old = task->fut.error;

    task->fut.error =
        message == NULL ? NULL : aio_exception_new_at(NULL, 0, NULL, AIO_ECANCELLED, "%s", message);
    aio_exception_unref(old);
}

aio_future *aio__chain_ask(struct aio__chain *chain, aio_future *fut)
{
    while (aio_future_is_task(fut)) {
        struct aio__task *task = aio__task_of(fut);

        if (fut->kind_flags & AIO__TASK_BEING_ASKED) {
            chain->circle = true;
            return NULL;
        }
        fut->kind_flags |= AIO__TASK_BEING_ASKED | AIO__FUTURE_CANCELLING;
        task->cancels++;
        if (chain->count++ == 0)
            chain->first = task;
        fut = task->waiting;
        if (fut == NULL)
            return NULL;
        aio__future_disarm(fut);
        if (!aio__future_is_pending(fut))
            return NULL;
    }
    return fut;
}

/* In a circle nobody would ever wake: who closes it is woken as if what it waits for were
 * cancelled. */
static void tear_out(struct aio__task *task)
{
    if (task->fut.kind_flags & AIO__TASK_TORN_OUT)
        return;
    task->fut.kind_flags |= AIO__TASK_TORN_OUT;
    aio__future_remove_waiter(task->waiting, &task->strand.ready);
    aio__loop_queue(task->fut.loop, &task->strand.ready);
}

bool aio__chain_end(struct aio__chain *chain, const char *message)
{
    struct aio__task *task = chain->first;

    for (size_t left = chain->count; left > 0; left--) {
        task->fut.kind_flags &= (uint16_t)~AIO__TASK_BEING_ASKED;
        if (left > 1) {
            task = aio__task_of(task->waiting);
        } else if (!chain->taken) {
            task->fut.kind_flags |= AIO__TASK_MUST_CANCEL;
            set_message(task, message);
            if (chain->circle)
                tear_out(task);
        }
    }
    return chain->taken || chain->count != 0;
}

bool aio__task_ask_cancel(aio_future *fut, const char *message)
{
    struct aio__chain chain = {0};
    aio_future *end = aio__chain_ask(&chain, fut);

    if (end != NULL)
        aio__chain_ends_in(&chain, end, aio_future_cancel(end, message));
    return aio__chain_end(&chain, message);
}

bool aio_task_cancel(aio_task *task, const char *message)
{
    return aio_future_is_task(task) && aio_future_cancel(task, message);
}

unsigned aio_task_cancelling(const aio_task *task)
{
    return aio_future_is_task(task) ? aio__task_of(task)->cancels : 0;
}

unsigned aio_task_uncancel(aio_task *task)
{
    struct aio__task *self = aio__task_of(task);

    if (!aio_future_is_task(task) || self->cancels == 0)
        return 0;
    if (--self->cancels == 0)
        task->kind_flags &= (uint16_t) ~(AIO__TASK_MUST_CANCEL | AIO__FUTURE_CANCELLING);
    return self->cancels;
}
