/* SPDX-License-Identifier: MIT */
/*
 * interp.c - frames, blocks and plain statements, and what the ops of all levels share
 *
 * A coroutine of the language is a C function on a task's stack like any other: it calls
 * the library, gets 0 or a negative code, and hands codes up by return. In between, while
 * the language looks for an `except` or runs a `finally`, an exception is an aio_exception in
 * frame->raised: caught from the code at the call that failed, and raised again where the
 * body ends.
 *
 * Invariant: frame->raised is set exactly while FLOW_RAISE is on its way up.
 */
#include "interp.h"
#include "values.h"

#include <string.h>

/* ---- Running bodies ------------------------------------------------------------------ */

/* Whether all that the statement refers to is there; if not, the trace tells what is not. */
static bool args_bound(struct frame *frame, const struct statement *statement)
{
    struct player *player = frame->player;
    size_t i;

    for (i = 0; i < statement->arg_count; i++) {
        const struct arg *arg = &statement->args[i];
        enum slot_kind kind;

        if (arg->slot_kinds == 0)
            continue;
        if (arg->is_self)
            kind = aio_current_task(player->loop) == NULL ? SLOT_UNBOUND : SLOT_FUTURE;
        else
            kind = arg->slot->kind;
        if (kind == SLOT_UNBOUND) {
            say(player, "unbound %s", arg->text);
            return false;
        }
        if ((arg->slot_kinds & 1u << kind) == 0) {
            say(player, "line %d: %s is no such thing", statement->line, arg->text);
            return false;
        }
    }
    return true;
}

enum flow run_statements(struct frame *frame, const struct statement *first)
{
    const struct statement *statement;

    for (statement = first; statement != NULL; statement = statement->next) {
        enum flow flow = FLOW_NEXT;

        if (args_bound(frame, statement))
            flow = statement->op->run(frame, statement);
        if (flow != FLOW_NEXT)
            return flow;
    }
    return FLOW_NEXT;
}

int run_coroutine(void *arg, void **ret_result)
{
    struct body *body = arg;
    struct frame frame = {.player = body->player};
    enum flow flow = run_statements(&frame, body->first);
    int code = flow_code(&frame, flow);

    aio_exception_unref(frame.raised);
    if (code == 0) /* a block may have turned a `return` into an exception, which was caught */
        *ret_result = flow == FLOW_RETURN ? frame.result : NULL;
    return code;
}

/* A callback runs outside any task, so what it raises goes to the exception handler. */
static int run_plain(struct body *body)
{
    void *result = NULL;

    return run_coroutine(body, &result);
}

int run_callback(void *arg)
{
    struct body *body = arg;

    say(body->player, "run %s", body->name);
    return run_plain(body);
}

int run_done_callback(aio_future *future, void *arg)
{
    struct body *body = arg;

    say(body->player, "run %s %s", body->name, label_of(body->player, future));
    return run_plain(body);
}

/* ---- For the ops of all levels ------------------------------------------------------- */

enum flow raise_code(struct frame *frame, int code)
{
    frame->raised = aio_error_catch(code);
    return FLOW_RAISE;
}

bool sync_ok(struct frame *frame, const struct statement *statement, int code)
{
    aio_exception *error;

    if (code == 0)
        return true;
    error = aio_error_catch(code);
    say_error(frame->player, statement->subject, error);
    aio_exception_unref(error);
    return false;
}

enum flow async_fail(struct frame *frame, const char *subject, int code)
{
    enum flow flow = raise_code(frame, code);

    say_error(frame->player, subject, frame->raised);
    return flow;
}

enum flow async_end(struct frame *frame, const struct statement *statement, int code,
                    const void *value)
{
    if (code < 0)
        return async_fail(frame, statement->subject, code);
    say_value(frame->player, statement->subject, value);
    return FLOW_NEXT;
}

int flow_code(struct frame *frame, enum flow flow)
{
    return flow == FLOW_RAISE ? aio_raise_exception(frame->raised) : 0;
}

enum flow flow_after(struct frame *frame, enum flow flow, int code)
{
    aio_exception *before = frame->raised;

    frame->raised = NULL;
    if (code < 0)
        raise_code(frame, code);
    aio_exception_unref(before);
    if (code < 0)
        return FLOW_RAISE;
    return flow == FLOW_RAISE ? FLOW_NEXT : flow; /* the block swallowed what was raised */
}

aio_future *future_arg(struct frame *frame, const struct arg *arg)
{
    return arg->is_self ? aio_current_task(frame->player->loop) : arg->slot->object;
}

void *object_arg(const struct arg *arg)
{
    return arg->slot->object;
}

aio_future *awaitable_arg(struct frame *frame, const struct arg *arg, bool named)
{
    struct player *player = frame->player;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_coroutine *coroutine;

    if (arg->body == NULL)
        return future_arg(frame, arg);
    if (named)
        options.name = implicit_name(player);
    coroutine = aio_coroutine_new(run_coroutine, arg->body, &options);
    keep(player, coroutine, unref_future);
    if (named)
        label_set(player, coroutine, options.name);
    return coroutine;
}

aio_future **awaitable_args(struct frame *frame, const struct statement *statement, size_t first)
{
    size_t count = statement->arg_count - first;
    aio_future **futures = arena_alloc(&frame->player->arena, (count + 1) * sizeof(*futures));
    size_t i;

    for (i = 0; i < count; i++)
        futures[i] = awaitable_arg(frame, &statement->args[first + i], true);
    return futures;
}

bool compare(long left, long comparison, long right)
{
    switch (comparison) {
    case COMPARE_EQ: return left == right;
    case COMPARE_NE: return left != right;
    case COMPARE_LT: return left < right;
    case COMPARE_LE: return left <= right;
    case COMPARE_GT: return left > right;
    default: return left >= right;
    }
}

/* ---- Plain statements ---------------------------------------------------------------- */

static enum flow op_log(struct frame *frame, const struct statement *statement)
{
    struct text *line = say_begin(frame->player);
    size_t i;

    text_add(line, "log");
    for (i = 0; i < statement->arg_count; i++)
        text_format(line, " %s", statement->args[i].text);
    say_end(frame->player);
    return FLOW_NEXT;
}

static enum flow op_set(struct frame *frame, const struct statement *statement)
{
    statement->args[0].variable->value = statement->args[1].number;
    return FLOW_NEXT;
}

static enum flow op_add(struct frame *frame, const struct statement *statement)
{
    statement->args[0].variable->value += statement->args[1].number;
    return FLOW_NEXT;
}

static enum flow op_var(struct frame *frame, const struct statement *statement)
{
    say(frame->player, "%s = %ld", statement->subject, statement->args[0].variable->value);
    return FLOW_NEXT;
}

static enum flow op_return(struct frame *frame, const struct statement *statement)
{
    frame->result = statement->arg_count > 0 ? statement->args[0].value : NULL;
    frame->suppressed = false;
    return FLOW_RETURN;
}

static enum flow op_raise(struct frame *frame, const struct statement *statement)
{
    const char *message = statement->arg_count > 1 ? statement->args[1].text : NULL;

    frame->raised = exception_new(statement->args[0].code, message);
    return FLOW_RAISE;
}

static enum flow op_reraise(struct frame *frame, const struct statement *statement)
{
    frame->raised = aio_exception_ref(frame->handled);
    return FLOW_RAISE;
}

static enum flow op_break(struct frame *frame, const struct statement *statement)
{
    return FLOW_BREAK;
}

/* ---- Blocks -------------------------------------------------------------------------- */

static const struct part *part_find(const struct statement *statement, const char *word)
{
    const struct part *part;

    for (part = statement->parts; part != NULL; part = part->next) {
        if (strcmp(part->word, word) == 0)
            return part;
    }
    return NULL;
}

/* The except part that catches what was raised, or NULL. */
static const struct part *part_catching(const struct statement *statement,
                                        const aio_exception *error)
{
    const struct part *part;

    for (part = statement->parts; part != NULL; part = part->next) {
        if (strcmp(part->word, "except") == 0 &&
            aio_error_is(aio_exception_code(error), part->code))
            return part;
    }
    return NULL;
}

static enum flow run_except(struct frame *frame, const struct part *part)
{
    aio_exception *handled = frame->raised;
    aio_exception *outer = frame->handled;
    struct text *line = say_begin(frame->player);
    enum flow flow;

    text_add(line, "caught ");
    exception_write(line, handled);
    say_end(frame->player);

    frame->raised = NULL;
    frame->handled = handled;
    flow = run_statements(frame, part->first);
    frame->handled = outer;
    aio_exception_unref(handled);
    return flow;
}

/* Whatever is on its way waits for the finally part, which replaces it if it raises. */
static enum flow run_finally(struct frame *frame, const struct part *part, enum flow flow)
{
    aio_exception *waiting = frame->raised;
    enum flow after;

    frame->raised = NULL;
    after = run_statements(frame, part->first);
    if (after == FLOW_NEXT) {
        frame->raised = waiting;
        return flow;
    }
    aio_exception_unref(waiting);
    return after;
}

static enum flow op_try(struct frame *frame, const struct statement *statement)
{
    enum flow flow = run_statements(frame, statement->parts->first);
    const struct part *part = NULL;

    if (flow == FLOW_RAISE) {
        part = part_catching(statement, frame->raised);
        if (part != NULL)
            flow = run_except(frame, part);
    } else if (flow == FLOW_NEXT) {
        part = part_find(statement, "else");
        if (part != NULL)
            flow = run_statements(frame, part->first);
    }
    part = part_find(statement, "finally");
    return part == NULL ? flow : run_finally(frame, part, flow);
}

static enum flow op_if(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    const struct part *part = statement->parts;

    if (!compare(args[0].variable->value, args[1].number, args[2].number))
        part = part_find(statement, "else");
    return part == NULL ? FLOW_NEXT : run_statements(frame, part->first);
}

static enum flow op_repeat(struct frame *frame, const struct statement *statement)
{
    enum flow flow = FLOW_NEXT;
    long i;

    for (i = 0; i < statement->args[0].number && flow == FLOW_NEXT; i++)
        flow = run_statements(frame, statement->parts->first);
    return flow == FLOW_BREAK ? FLOW_NEXT : flow;
}

/* ---- Tables -------------------------------------------------------------------------- */

static enum flow declare_var(struct frame *frame, const struct statement *statement)
{
    return op_set(frame, statement);
}

static const struct op core_ops[] = {
    {.name = "log", .args = "word*", .run = op_log},
    {.name = "set", .args = "variable integer", .run = op_set},
    {.name = "add", .args = "variable integer", .run = op_add},
    {.name = "var", .args = "variable", .run = op_var},
    {.name = "return", .args = "value?", .run = op_return},
    {.name = "raise", .args = "kind message?", .run = op_raise},
    {.name = "reraise", .args = "", .run = op_reraise},
    {.name = "break", .args = "", .run = op_break},
    {.name = "try", .args = "", .run = op_try, .parts = "except else finally endtry"},
    {.name = "if", .args = "variable comparison integer", .run = op_if, .parts = "else endif"},
    {.name = "repeat", .args = "integer", .run = op_repeat, .parts = "endrepeat"},
    {.name = NULL},
};

static const struct op core_declarations[] = {
    {.name = "var", .args = "variable integer", .run = declare_var},
    {.name = NULL},
};

const struct level level_core = {core_ops, core_declarations};
