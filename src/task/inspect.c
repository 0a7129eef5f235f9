/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - what can be asked of tasks: which run, which are left, their names and reprs
 */
#include "base/text.h"
#include "task/task_internal.h"

#include <aio/memory.h>
#include <assert.h>
#include <inttypes.h>

aio_task *aio_current_task(aio_loop *loop)
{
    if (loop == NULL)
        loop = aio_get_running_loop();
    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    if (loop->current == NULL)
        return NULL;
    return &aio__task_of_strand(loop->current)->fut;
}

int aio_all_tasks(aio_loop *loop, aio_task ***ret_tasks, size_t *ret_count)
{
    aio_task **tasks = NULL;
    size_t count = 0;

    if (loop == NULL)
        loop = aio_get_running_loop();
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (ret_tasks == NULL || ret_count == NULL)
        return aio_raise(AIO_EVALUE, "no place for the tasks");
    if (loop->task_count != 0) {
        tasks = aio_calloc(loop->task_count, sizeof(*tasks));
        if (tasks == NULL)
            return AIO_ENOMEM;
    }
    AIO__LIST_FOREACH (link, &loop->tasks) {
        assert(count < loop->task_count && tasks != NULL);
        tasks[count++] = aio_future_ref(&aio__container_of(link, struct aio__task, link)->fut);
    }
    *ret_tasks = tasks;
    *ret_count = count;
    return 0;
}

void aio_task_list_free(aio_task **tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        aio_future_unref(tasks[i]);
    aio_free(tasks);
}

/* Names are made when somebody asks: a million tasks nobody names cost no memory for it. */
const char *aio_task_get_name(aio_task *task)
{
    struct aio__task *self = aio__task_of(task);
    char name[32];

    if (!aio_future_is_task(task))
        return "";
    if (!(task->kind_flags & AIO__TASK_NAMED)) {
        char *copy;

        (void)snprintf(name, sizeof(name), "Task-%" PRIu64, self->id.number);
        copy = aio_strdup(name);
        if (copy == NULL)
            return "";
        self->id.name = copy;
        task->kind_flags |= AIO__TASK_NAMED;
    }
    return self->id.name;
}

int aio_task_set_name(aio_task *task, const char *name)
{
    struct aio__task *self = aio__task_of(task);
    char *copy;

    if (!aio_future_is_task(task))
        return aio_raise(AIO_ETYPE, "only a task has a name");
    if (name == NULL)
        return aio_raise(AIO_EVALUE, "a name is needed");
    copy = aio_strdup(name);
    if (copy == NULL)
        return AIO_ENOMEM;
    if (task->kind_flags & AIO__TASK_NAMED)
        aio_free(self->id.name);
    self->id.name = copy;
    task->kind_flags |= AIO__TASK_NAMED;
    return 0;
}

aio_coro_fn aio_task_get_coro(const aio_task *task)
{
    if (!aio_future_is_task(task) || (task->kind_flags & AIO__TASK_ENDED_EAGERLY))
        return NULL;
    return aio__task_of(task)->fn;
}

aio_context *aio_task_get_context(aio_task *task)
{
    if (!aio_future_is_task(task))
        return NULL;
    return aio__ctx_object(&aio__task_of(task)->strand.own_context);
}

size_t aio__task_describe(const aio_future *fut, char *buffer, size_t size)
{
    const struct aio__task *task = aio__task_of(fut);
    struct aio__text text = {.buffer = buffer, .size = size};
    const char *coroutine = task->coroutine != NULL ? task->coroutine : "?";

    if (fut->kind_flags & AIO__TASK_NAMED)
        aio__text_printf(&text, " name='%s'", task->id.name);
    else
        aio__text_printf(&text, " name='Task-%" PRIu64 "'", task->id.number);
    aio__text_printf(&text, " coro=<%s() %s", coroutine,
                     aio__future_is_pending(fut) ? "running at " : "done, defined at ");
    if (task->file != NULL)
        aio__text_printf(&text, "%s:%d>", task->file, task->line);
    else
        aio__text_printf(&text, "?>");
    if (task->waiting != NULL)
        aio__text_printf(&text, " wait_for=<%s>", task->waiting->ops->name);
    return text.length;
}

const struct aio__future_ops aio__task_ops = {
    .name = "Task",
    .size = sizeof(struct aio__task),
    .is_task = true,
    .cancel = aio__task_ask_cancel,
    .dispose = aio__task_dispose,
    .describe = aio__task_describe,
};
