/* SPDX-License-Identifier: MIT */
/*
 * context.c - level 4: context variables and context managers
 *
 * What else level 4 has stands beside its like: eager tasks in tasks.c and compounds.c,
 * generators in generators.c.
 */
#include "interp.h"
#include "values.h"

/* ---- Context variables --------------------------------------------------------------- */

static void unref_contextvar(void *object)
{
    aio_contextvar_unref(object);
}

static void unref_token(void *object)
{
    aio_token_unref(object);
}

static void unref_context(void *object)
{
    aio_context_unref(object);
}

/* Values are integers, kept in the pointer itself. */
static enum flow declare_cvar(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_contextvar *variable =
        aio_contextvar_new_default(args[0].text, &aio_type_int, (void *)(intptr_t)args[1].number);

    bind(frame->player, args[0].slot, SLOT_CONTEXTVAR, variable, unref_contextvar);
    return FLOW_NEXT;
}

static enum flow op_cvar_set(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_token *token = NULL;
    int code = aio_contextvar_set(object_arg(&args[0]), (void *)(intptr_t)args[1].number, &token);

    if (sync_ok(frame, statement, code))
        bind(frame->player, args[2].slot, SLOT_TOKEN, token, unref_token);
    return FLOW_NEXT;
}

static enum flow op_cvar_get(struct frame *frame, const struct statement *statement)
{
    void *value = NULL;
    int code = aio_contextvar_get(object_arg(&statement->args[0]), &value);

    if (sync_ok(frame, statement, code))
        say(frame->player, "%s = %ld", statement->subject, (long)(intptr_t)value);
    return FLOW_NEXT;
}

static enum flow op_cvar_reset(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;

    (void)sync_ok(frame, statement,
                  aio_contextvar_reset(object_arg(&args[0]), object_arg(&args[1])));
    return FLOW_NEXT;
}

static enum flow op_copy_context(struct frame *frame, const struct statement *statement)
{
    bind(frame->player, statement->args[0].slot, SLOT_CONTEXT, aio_copy_context(), unref_context);
    return FLOW_NEXT;
}

/* ---- Context managers ---------------------------------------------------------------- */

/* __aexit__: it is told what leaves the body, and may swallow it, or raise instead. */
static enum flow run_exit(struct frame *frame, const struct body *manager, enum flow flow)
{
    struct frame exit_frame = {.player = frame->player};
    struct text *line = say_begin(frame->player);
    enum flow exit_flow;

    text_format(line, "aexit %s ", manager->name);
    if (frame->raised == NULL)
        text_add(line, "none");
    else
        exception_write(line, frame->raised);
    say_end(frame->player);

    exit_flow = run_statements(&exit_frame, manager->exit);
    if (exit_flow == FLOW_NEXT || (exit_flow == FLOW_RETURN && !exit_frame.suppressed))
        return flow;
    aio_exception_unref(frame->raised);
    frame->raised = exit_frame.raised;
    if (exit_flow == FLOW_RAISE)
        return FLOW_RAISE;
    return flow == FLOW_RAISE ? FLOW_NEXT : flow;
}

static enum flow op_with_cm(struct frame *frame, const struct statement *statement)
{
    const struct body *manager = statement->args[0].body;
    struct frame enter_frame = {.player = frame->player};
    struct text *line;
    enum flow flow = run_statements(&enter_frame, manager->first);

    if (flow == FLOW_RAISE) {
        frame->raised = enter_frame.raised;
        say_error(frame->player, statement->subject, frame->raised);
        return FLOW_RAISE;
    }
    say(frame->player, "%s enter", statement->subject);
    flow = run_statements(frame, statement->parts->first);
    flow = run_exit(frame, manager, flow);

    line = say_begin(frame->player);
    text_format(line, "%s exit", statement->subject);
    add_error(line, frame->raised);
    say_end(frame->player);
    return flow;
}

static enum flow op_suppress(struct frame *frame, const struct statement *statement)
{
    frame->suppressed = true;
    return FLOW_RETURN;
}

/* ---- Tables -------------------------------------------------------------------------- */

static const struct op context_ops[] = {
    {.name = "cvar_set", .args = "cvar integer name", .run = op_cvar_set},
    {.name = "cvar_get", .args = "cvar", .run = op_cvar_get},
    {.name = "cvar_reset", .args = "cvar token", .run = op_cvar_reset, .subject_args = 2},
    {.name = "copy_context", .args = "name", .run = op_copy_context},
    {.name = "with_cm", .args = "manager", .run = op_with_cm, .parts = "endwith"},
    {.name = "suppress", .args = "", .run = op_suppress},
    {.name = NULL},
};

static const struct op context_declarations[] = {
    {.name = "cvar", .args = "name integer", .run = declare_cvar},
    {.name = NULL},
};

const struct level level_context = {context_ops, context_declarations};
