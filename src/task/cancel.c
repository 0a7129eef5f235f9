/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - asking a task to end, and taking that back
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

bool aio__task_ask_cancel(aio_future *fut, const char *message)
{
    struct aio__task *task = aio__task_of(fut);

    task->cancels++;
    fut->kind_flags |= AIO__FUTURE_CANCELLING;
    if (task->waiting != NULL && aio_future_cancel(task->waiting, message))
        return true;
    fut->kind_flags |= AIO__TASK_MUST_CANCEL;
    set_message(task, message);
    return true;
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
