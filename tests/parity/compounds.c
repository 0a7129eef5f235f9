/* SPDX-License-Identifier: MIT */
/*
 * compounds.c - level 2: shield, gather, wait, as_completed, timeouts, task groups
 */
#include "interp.h"
#include "values.h"

#include <math.h>

/* ---- shield, gather ------------------------------------------------------------------ */

static enum flow op_shield(struct frame *frame, const struct statement *statement)
{
    aio_future *inner = awaitable_arg(frame, &statement->args[1], true);

    bind_future(frame->player, statement->args[0].slot, aio_shield(inner));
    return FLOW_NEXT;
}

static enum flow bind_gather(struct frame *frame, const struct statement *statement, unsigned flags)
{
    aio_future **futures = awaitable_args(frame, statement, 1);
    aio_future *gather = aio_gather(futures, statement->arg_count - 1, flags);

    bind_future(frame->player, statement->args[0].slot, gather);
    return FLOW_NEXT;
}

static enum flow op_gather(struct frame *frame, const struct statement *statement)
{
    return bind_gather(frame, statement, 0);
}

static enum flow op_gather_return_exceptions(struct frame *frame, const struct statement *statement)
{
    return bind_gather(frame, statement, AIO_RETURN_EXCEPTIONS);
}

/* ---- wait_for, wait ------------------------------------------------------------------ */

static enum flow op_wait_for(struct frame *frame, const struct statement *statement)
{
    double timeout = statement->args[0].seconds;
    const struct arg *what = &statement->args[1];
    const char *subject = arena_format(&frame->player->arena, "wait_for %s", what->text);
    void *value = NULL;
    int code = aio_wait_for(awaitable_arg(frame, what, timeout <= 0), timeout, &value);

    if (code < 0)
        return async_fail(frame, subject, code);
    say_value(frame->player, subject, value);
    return FLOW_NEXT;
}

static int return_when(const char *word)
{
    if (word[0] == 'A')
        return AIO_ALL_COMPLETED;
    return word[6] == 'C' ? AIO_FIRST_COMPLETED : AIO_FIRST_EXCEPTION;
}

/* The names, as written, of the arguments that are done, or of those that are not. */
static void write_names(struct text *line, const struct statement *statement, size_t first,
                        aio_future *const *futures, bool done)
{
    const char *separator = "";
    size_t i;

    for (i = first; i < statement->arg_count; i++) {
        if (aio_future_done(futures[i - first]) != done)
            continue;
        text_format(line, "%s%s", separator, statement->args[i].text);
        separator = ",";
    }
    if (*separator == '\0')
        text_add(line, "-");
}

static enum flow op_wait(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_future **futures = awaitable_args(frame, statement, 2);
    struct text *line;
    int code = aio_wait(futures, statement->arg_count - 2, args[1].seconds,
                        (aio_return_when)return_when(args[0].text), NULL);

    if (code < 0)
        return async_fail(frame, statement->subject, code);
    line = say_begin(frame->player);
    text_add(line, "wait done=");
    write_names(line, statement, 2, futures, true);
    text_add(line, " pending=");
    write_names(line, statement, 2, futures, false);
    say_end(frame->player);
    return FLOW_NEXT;
}

/* ---- as_completed -------------------------------------------------------------------- */

/** A for_as_completed loop that is running, for `next` in its body. */
struct turns {
    const struct slot *slot;
    aio_as_completed *iterator;
    struct turns *outer;
};

static void unref_as_completed(void *object)
{
    aio_as_completed_unref(object);
}

/*
 * The iterator is kept to the end: as in asyncio its timer runs on if the loop is left
 * early, and the clock jumps to it.
 */
static aio_as_completed *as_completed_new(struct frame *frame, const struct statement *statement)
{
    aio_future **futures = awaitable_args(frame, statement, 2);
    aio_as_completed *iterator =
        aio_as_completed_new(futures, statement->arg_count - 2, statement->args[1].seconds);

    keep(frame->player, iterator, unref_as_completed);
    return iterator;
}

static enum flow op_for_as_completed(struct frame *frame, const struct statement *statement)
{
    aio_as_completed *iterator = as_completed_new(frame, statement);
    struct turns turns = {statement->args[0].slot, iterator, frame->turns};
    size_t left = aio_as_completed_left(iterator);
    enum flow flow = FLOW_NEXT;

    frame->turns = &turns;
    for (; left > 0 && flow == FLOW_NEXT; left--)
        flow = run_statements(frame, statement->parts->first);
    frame->turns = turns.outer;
    return flow == FLOW_BREAK ? FLOW_NEXT : flow;
}

static enum flow op_next(struct frame *frame, const struct statement *statement)
{
    struct turns *turns = frame->turns;
    void *value = NULL;
    int code;

    while (turns != NULL && turns->slot != statement->args[0].slot)
        turns = turns->outer;
    if (turns == NULL) {
        say(frame->player, "line %d: next outside its loop", statement->line);
        return FLOW_NEXT;
    }
    code = aio_as_completed_await_next(turns->iterator, &value);
    return async_end(frame, statement, code, value);
}

static enum flow op_async_as_completed(struct frame *frame, const struct statement *statement)
{
    struct slot *slot = statement->args[0].slot;
    aio_as_completed *iterator = as_completed_new(frame, statement);
    enum flow flow = FLOW_NEXT;

    while (flow == FLOW_NEXT) {
        aio_future *future = NULL;
        int code = aio_as_completed_next(iterator, &future);

        if (code == AIO_ESTOP)
            return FLOW_NEXT;
        if (code < 0)
            return async_fail(frame, statement->subject, code);
        bind_future(frame->player, slot, aio_future_ref(future));
        say(frame->player, "%s = %s", statement->subject, label_of(frame->player, future));
        flow = run_statements(frame, statement->parts->first);
    }
    return flow == FLOW_BREAK ? FLOW_NEXT : flow;
}

/* ---- Timeouts ------------------------------------------------------------------------ */

static void unref_timeout(void *object)
{
    aio_timeout_unref(object);
}

static enum flow run_timeout(struct frame *frame, const struct statement *statement,
                             aio_timeout *timeout)
{
    struct player *player = frame->player;
    struct text *line;
    enum flow flow;
    int code;

    bind(player, statement->args[0].slot, SLOT_TIMEOUT, timeout, unref_timeout);
    code = aio_timeout_enter(timeout);
    if (code < 0)
        return async_fail(frame, statement->subject, code);
    flow = run_statements(frame, statement->parts->first);
    code = aio_timeout_exit(timeout, flow_code(frame, flow));
    flow = flow_after(frame, flow, code);

    line = say_begin(player);
    text_format(line, "%s expired=%s", statement->subject, bool_text(aio_timeout_expired(timeout)));
    add_error(line, frame->raised);
    say_end(player);
    return flow;
}

static enum flow op_timeout(struct frame *frame, const struct statement *statement)
{
    return run_timeout(frame, statement, aio_timeout_new(statement->args[1].seconds));
}

static enum flow op_timeout_at(struct frame *frame, const struct statement *statement)
{
    double when = time_of_loop(frame->player, statement->args[1].seconds);

    return run_timeout(frame, statement, aio_timeout_new_at(when));
}

static enum flow op_reschedule(struct frame *frame, const struct statement *statement)
{
    const struct arg *when = &statement->args[1];
    double base = when->is_relative ? aio_loop_time(frame->player->loop) : frame->player->start;

    (void)sync_ok(frame, statement,
                  aio_timeout_reschedule(object_arg(&statement->args[0]), base + when->seconds));
    return FLOW_NEXT;
}

static enum flow op_expired(struct frame *frame, const struct statement *statement)
{
    say_bool(frame->player, statement->subject,
             aio_timeout_expired(object_arg(&statement->args[0])));
    return FLOW_NEXT;
}

static enum flow op_when(struct frame *frame, const struct statement *statement)
{
    double when = aio_timeout_when(object_arg(&statement->args[0]));

    if (isinf(when))
        say(frame->player, "%s = none", statement->subject);
    else
        say(frame->player, "%s = %ld", statement->subject, time_to_us(frame->player, when));
    return FLOW_NEXT;
}

/* ---- Task groups --------------------------------------------------------------------- */

static void unref_taskgroup(void *object)
{
    aio_taskgroup_unref(object);
}

static enum flow op_taskgroup(struct frame *frame, const struct statement *statement)
{
    aio_taskgroup *group = aio_taskgroup_new();
    struct text *line;
    enum flow flow;
    int code;

    bind(frame->player, statement->args[0].slot, SLOT_TASKGROUP, group, unref_taskgroup);
    code = aio_taskgroup_enter(group);
    if (code < 0)
        return async_fail(frame, statement->subject, code);
    flow = run_statements(frame, statement->parts->first);
    code = aio_taskgroup_exit(group, flow_code(frame, flow));
    flow = flow_after(frame, flow, code);

    line = say_begin(frame->player);
    text_format(line, "%s end", statement->subject);
    add_error(line, frame->raised);
    say_end(frame->player);
    return flow;
}

static enum flow tg_create_task(struct frame *frame, const struct statement *statement,
                                aio_eager_start eager_start)
{
    const struct arg *args = statement->args;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_task *task;

    options.name = args[1].text;
    options.eager_start = eager_start;
    task =
        aio_taskgroup_create_task_with(object_arg(&args[0]), run_coroutine, args[2].body, &options);
    if (task == NULL)
        (void)sync_ok(frame, statement, aio_future_result(NULL, NULL));
    else
        bind_future(frame->player, args[1].slot, task);
    return FLOW_NEXT;
}

static enum flow op_tg_create_task(struct frame *frame, const struct statement *statement)
{
    return tg_create_task(frame, statement, AIO_EAGER_DEFAULT);
}

/* Level 4. */
static enum flow op_tg_create_task_eager(struct frame *frame, const struct statement *statement)
{
    return tg_create_task(frame, statement, AIO_EAGER_YES);
}

/* ---- Tables -------------------------------------------------------------------------- */

static const struct op compounds_ops[] = {
    {.name = "shield", .args = "name awaitable", .run = op_shield},
    {.name = "gather", .args = "name awaitable*", .run = op_gather},
    {.name = "gather_return_exceptions",
     .args = "name awaitable*",
     .run = op_gather_return_exceptions},
    {.name = "tg_create_task",
     .args = "taskgroup name coroutine",
     .run = op_tg_create_task,
     .subject_args = 2},
    {.name = "tg_create_task_eager",
     .args = "taskgroup name coroutine",
     .run = op_tg_create_task_eager,
     .subject_args = 2},
    {.name = "reschedule", .args = "timeout when", .run = op_reschedule},
    {.name = "expired", .args = "timeout", .run = op_expired},
    {.name = "when", .args = "timeout", .run = op_when},
    {.name = "wait_for", .args = "time awaitable", .run = op_wait_for},
    {.name = "wait", .args = "word time future*", .run = op_wait, .subject_bare = true},
    {.name = "next", .args = "name", .run = op_next},
    {.name = "timeout", .args = "name time", .run = op_timeout, .parts = "endtimeout"},
    {.name = "timeout_at",
     .args = "name time",
     .run = op_timeout_at,
     .title = "timeout",
     .parts = "endtimeout"},
    {.name = "taskgroup", .args = "name", .run = op_taskgroup, .parts = "endtaskgroup"},
    {.name = "for_as_completed",
     .args = "name time awaitable*",
     .run = op_for_as_completed,
     .parts = "endfor"},
    {.name = "async_as_completed",
     .args = "name time awaitable*",
     .run = op_async_as_completed,
     .title = "as_completed",
     .parts = "endfor"},
    {.name = NULL},
};

const struct level level_compounds = {compounds_ops, NULL};
