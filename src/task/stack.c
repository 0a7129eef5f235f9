/* SPDX-License-Identifier: MIT */
/*
 * stack.c - whose stack it was that overflowed, and how much a task used
 */
#include "fiber/overflow.h"
#include "task/task_internal.h"

#include <aio/stack.h>

/* --- in a signal handler: no library function but what is safe there --------------------- */

struct line {
    char *buffer;
    size_t size;
    size_t length;
};

static void put(struct line *line, const char *text)
{
    while (text != NULL && *text != '\0' && line->length + 1 < line->size)
        line->buffer[line->length++] = *text++;
    line->buffer[line->length] = '\0';
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[24];
    char *first = digits + sizeof(digits) - 1;

    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    put(line, first);
}

static void describe(struct aio__fiber *fiber, char *buffer, size_t size)
{
    aio_loop *loop = aio__thread()->running;
    struct line line = {buffer, size, 0};
    const struct aio__task *task;

    (void)fiber;
    if (size == 0)
        return;
    buffer[0] = '\0';
    if (loop == NULL || loop->current == NULL) {
        put(&line, "a fiber outside any task");
        return;
    }
    task = aio__task_of_strand(loop->current);
    put(&line, "task '");
    if (task->fut.kind_flags & AIO__TASK_NAMED) {
        put(&line, task->id.name);
    } else {
        put(&line, "Task-");
        put_number(&line, task->id.number);
    }
    put(&line, "' (coroutine ");
    put(&line, task->coroutine != NULL ? task->coroutine : "?");
    if (task->file != NULL) {
        put(&line, ", ");
        put(&line, task->file);
        put(&line, ":");
        put_number(&line, (uint64_t)task->line);
    }
    put(&line, ")");
}

/* --- the public calls -------------------------------------------------------------------- */

int aio_stack_overflow_watch(void)
{
    int err;

    aio__overflow_set_describe(describe);
    err = aio__overflow_install();
    if (err < 0)
        return err;
    err = aio__overflow_thread_enter();
    if (err < 0)
        aio__overflow_uninstall();
    return err;
}

void aio_stack_overflow_unwatch(void)
{
    aio__overflow_thread_leave();
    aio__overflow_uninstall();
}

size_t aio_task_get_stack_used(const aio_task *task)
{
    const struct aio__task *self = aio__task_of(task);

    if (!aio_future_is_task(task))
        return 0;
    if (!aio__future_is_pending(task))
        return self->strand.stack_used;
    return self->strand.fiber == NULL ? 0 : aio__fiber_high_water(self->strand.fiber);
}
