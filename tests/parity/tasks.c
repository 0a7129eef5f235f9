/* SPDX-License-Identifier: MIT */
/*
 * tasks.c - level 1: tasks, futures, callbacks, timers, cancellation
 */
#include "interp.h"
#include "values.h"

/* ---- Tasks --------------------------------------------------------------------------- */

/* The name is bound when the call returns: an eager task has made its first step by then. */
static enum flow create_task(struct frame *frame, const struct statement *statement,
                             const aio_task_options *options)
{
    const struct arg *args = statement->args;
    aio_task_options named = *options;

    named.name = args[0].text;
    bind_future(frame->player, args[0].slot,
                aio_create_task_with(run_coroutine, args[1].body, &named));
    return FLOW_NEXT;
}

static enum flow op_create_task(struct frame *frame, const struct statement *statement)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    return create_task(frame, statement, &options);
}

/* Level 4. */
static enum flow op_create_task_eager(struct frame *frame, const struct statement *statement)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.eager_start = AIO_EAGER_YES;
    return create_task(frame, statement, &options);
}

/* Level 4. */
static enum flow op_create_task_ctx(struct frame *frame, const struct statement *statement)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.context = object_arg(&statement->args[2]);
    return create_task(frame, statement, &options);
}

static enum flow op_uncancel(struct frame *frame, const struct statement *statement)
{
    aio_task *task = future_arg(frame, &statement->args[0]);

    say(frame->player, "%s = %u", statement->subject, aio_task_uncancel(task));
    return FLOW_NEXT;
}

static enum flow op_cancelling(struct frame *frame, const struct statement *statement)
{
    aio_task *task = future_arg(frame, &statement->args[0]);

    say(frame->player, "%s = %u", statement->subject, aio_task_cancelling(task));
    return FLOW_NEXT;
}

static enum flow op_set_name(struct frame *frame, const struct statement *statement)
{
    aio_task *task = future_arg(frame, &statement->args[0]);

    (void)sync_ok(frame, statement, aio_task_set_name(task, statement->args[1].text));
    return FLOW_NEXT;
}

static enum flow op_get_name(struct frame *frame, const struct statement *statement)
{
    aio_task *task = future_arg(frame, &statement->args[0]);

    say(frame->player, "%s = %s", statement->subject, aio_task_get_name(task));
    return FLOW_NEXT;
}

static enum flow op_current_task(struct frame *frame, const struct statement *statement)
{
    aio_task *task = aio_current_task(frame->player->loop);

    say(frame->player, "%s = %s", statement->subject,
        task == NULL ? "none" : aio_task_get_name(task));
    return FLOW_NEXT;
}

static enum flow op_all_tasks(struct frame *frame, const struct statement *statement)
{
    size_t count;
    const char *names;
    int code = task_names(frame->player, &names, &count);

    if (sync_ok(frame, statement, code))
        say(frame->player, "%s = %zu %s", statement->subject, count, names);
    return FLOW_NEXT;
}

/* ---- Futures ------------------------------------------------------------------------- */

/* The declaration and the op. */
static enum flow op_new_future(struct frame *frame, const struct statement *statement)
{
    bind_future(frame->player, statement->args[0].slot, aio_future_new(frame->player->loop));
    return FLOW_NEXT;
}

static enum flow op_cancel(struct frame *frame, const struct statement *statement)
{
    aio_future *future = future_arg(frame, &statement->args[0]);
    const char *message = statement->arg_count > 1 ? statement->args[1].text : NULL;

    say_bool(frame->player, statement->subject, aio_future_cancel(future, message));
    return FLOW_NEXT;
}

static enum flow op_done(struct frame *frame, const struct statement *statement)
{
    aio_future *future = future_arg(frame, &statement->args[0]);

    say_bool(frame->player, statement->subject, aio_future_done(future));
    return FLOW_NEXT;
}

static enum flow op_cancelled(struct frame *frame, const struct statement *statement)
{
    aio_future *future = future_arg(frame, &statement->args[0]);

    say_bool(frame->player, statement->subject, aio_future_cancelled(future));
    return FLOW_NEXT;
}

static enum flow op_result(struct frame *frame, const struct statement *statement)
{
    void *value = NULL;
    int code = aio_future_result(future_arg(frame, &statement->args[0]), &value);

    if (sync_ok(frame, statement, code))
        say_value(frame->player, statement->subject, value);
    return FLOW_NEXT;
}

static enum flow op_exception(struct frame *frame, const struct statement *statement)
{
    struct text *line;
    aio_exception *error = NULL;
    int code = aio_future_exception(future_arg(frame, &statement->args[0]), &error);

    if (!sync_ok(frame, statement, code))
        return FLOW_NEXT;
    line = say_begin(frame->player);
    text_format(line, "%s = ", statement->subject);
    if (error == NULL)
        text_add(line, "none");
    else
        exception_write(line, error);
    say_end(frame->player);
    return FLOW_NEXT;
}

static enum flow op_set_result(struct frame *frame, const struct statement *statement)
{
    aio_future *future = future_arg(frame, &statement->args[0]);

    (void)sync_ok(frame, statement, aio_future_set_result(future, statement->args[1].value));
    return FLOW_NEXT;
}

static enum flow op_set_exception(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    AIO_AUTO(aio_exception) error = NULL;

    error = exception_new(args[1].code, statement->arg_count > 2 ? args[2].text : NULL);
    (void)sync_ok(frame, statement, aio_future_set_exception(future_arg(frame, &args[0]), error));
    return FLOW_NEXT;
}

static enum flow op_add_done_callback(struct frame *frame, const struct statement *statement)
{
    aio_future *future = future_arg(frame, &statement->args[0]);
    int code = aio_future_add_done_callback(future, run_done_callback, statement->args[1].body);

    (void)sync_ok(frame, statement, code);
    return FLOW_NEXT;
}

static enum flow op_remove_done_callback(struct frame *frame, const struct statement *statement)
{
    aio_future *future = future_arg(frame, &statement->args[0]);

    say(frame->player, "%s = %zu", statement->subject,
        aio_future_remove_done_callback(future, run_done_callback, statement->args[1].body));
    return FLOW_NEXT;
}

/* ---- Callbacks and timers ------------------------------------------------------------ */

static enum flow bind_handle(struct frame *frame, const struct statement *statement, int code,
                             aio_handle *handle)
{
    if (sync_ok(frame, statement, code))
        bind(frame->player, statement->args[0].slot, SLOT_HANDLE, handle, unref_handle);
    return FLOW_NEXT;
}

static enum flow op_call_soon(struct frame *frame, const struct statement *statement)
{
    aio_handle *handle = NULL;
    int code =
        aio_loop_call_soon(frame->player->loop, run_callback, statement->args[1].body, &handle);

    return bind_handle(frame, statement, code, handle);
}

/* Level 4. */
static enum flow op_call_soon_ctx(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_handle *handle = NULL;
    int code = aio_loop_call_soon(frame->player->loop, run_callback, args[1].body, &handle);

    if (code == 0)
        aio_handle_set_context(handle, object_arg(&args[2]));
    return bind_handle(frame, statement, code, handle);
}

static enum flow op_call_later(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_handle *handle = NULL;
    int code = aio_loop_call_later(frame->player->loop, args[1].seconds, run_callback, args[2].body,
                                   &handle);

    return bind_handle(frame, statement, code, handle);
}

static enum flow op_call_at(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_handle *handle = NULL;
    int code = aio_loop_call_at(frame->player->loop, time_of_loop(frame->player, args[1].seconds),
                                run_callback, args[2].body, &handle);

    return bind_handle(frame, statement, code, handle);
}

static enum flow op_handle_cancel(struct frame *frame, const struct statement *statement)
{
    aio_handle_cancel(object_arg(&statement->args[0]));
    return FLOW_NEXT;
}

static enum flow op_handle_cancelled(struct frame *frame, const struct statement *statement)
{
    say_bool(frame->player, statement->subject,
             aio_handle_cancelled(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_handle_when(struct frame *frame, const struct statement *statement)
{
    double when = aio_handle_when(object_arg(&statement->args[0]));

    say(frame->player, "%s = %ld", statement->subject, time_to_us(frame->player, when));
    return FLOW_NEXT;
}

/* ---- Waiting ------------------------------------------------------------------------- */

static enum flow op_sleep(struct frame *frame, const struct statement *statement)
{
    int code = aio_sleep(statement->args[0].seconds);

    return code < 0 ? raise_code(frame, code) : FLOW_NEXT;
}

static enum flow op_await(struct frame *frame, const struct statement *statement)
{
    void *value = NULL;
    int code = aio_await(future_arg(frame, &statement->args[0]), &value);

    return async_end(frame, statement, code, value);
}

/* `await body()`: in C, a call. */
static enum flow op_call(struct frame *frame, const struct statement *statement)
{
    void *value = NULL;
    int code = run_coroutine(statement->args[0].body, &value);

    return async_end(frame, statement, code, value);
}

/* ---- Tables -------------------------------------------------------------------------- */

static const struct op tasks_ops[] = {
    {.name = "create_task", .args = "name coroutine", .run = op_create_task},
    {.name = "create_task_eager", .args = "name coroutine", .run = op_create_task_eager},
    {.name = "create_task_ctx", .args = "name coroutine context", .run = op_create_task_ctx},
    {.name = "cancel", .args = "future message?", .run = op_cancel},
    {.name = "uncancel", .args = "future", .run = op_uncancel},
    {.name = "cancelling", .args = "future", .run = op_cancelling},
    {.name = "done", .args = "future", .run = op_done},
    {.name = "cancelled", .args = "future", .run = op_cancelled},
    {.name = "result", .args = "future", .run = op_result},
    {.name = "exception", .args = "future", .run = op_exception},
    {.name = "set_name", .args = "future word", .run = op_set_name},
    {.name = "get_name", .args = "future", .run = op_get_name},
    {.name = "current_task", .args = "", .run = op_current_task},
    {.name = "all_tasks", .args = "", .run = op_all_tasks},
    {.name = "new_future", .args = "name", .run = op_new_future},
    {.name = "set_result", .args = "future value", .run = op_set_result},
    {.name = "set_exception", .args = "future kind message?", .run = op_set_exception},
    {.name = "add_done_callback", .args = "future callback", .run = op_add_done_callback},
    {.name = "remove_done_callback",
     .args = "future callback",
     .run = op_remove_done_callback,
     .subject_args = 2},
    {.name = "call_soon", .args = "name callback", .run = op_call_soon},
    {.name = "call_soon_ctx", .args = "name callback context", .run = op_call_soon_ctx},
    {.name = "call_later", .args = "name time callback", .run = op_call_later},
    {.name = "call_at", .args = "name time callback", .run = op_call_at},
    {.name = "handle_cancel", .args = "handle", .run = op_handle_cancel},
    {.name = "handle_cancelled", .args = "handle", .run = op_handle_cancelled},
    {.name = "handle_when", .args = "handle", .run = op_handle_when},
    {.name = "sleep", .args = "time", .run = op_sleep},
    {.name = "await", .args = "future", .run = op_await},
    {.name = "call", .args = "coroutine", .run = op_call},
    {.name = NULL},
};

static const struct op tasks_declarations[] = {
    {.name = "future", .args = "name", .run = op_new_future},
    {.name = NULL},
};

const struct level level_tasks = {tasks_ops, tasks_declarations};
