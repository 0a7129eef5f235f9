/* SPDX-License-Identifier: MIT */
/*
 * generators.c - level 4: asynchronous generators
 *
 * The body of a generator is run as that of a coroutine is; it may yield as well as wait.
 */
#include "interp.h"
#include "values.h"

#include <aio/asyncgen.h>

static void unref_generator(void *object)
{
    aio_asyncgen_unref(object);
}

static enum flow op_agen_new(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    aio_generator_options options = AIO_GENERATOR_OPTIONS_INIT;

    options.stack_size = STACK_BYTES;
    bind(frame->player, args[0].slot, SLOT_GENERATOR,
         aio_asyncgen_new(run_coroutine, args[1].body, &options), unref_generator);
    frame->player->has_generators = true;
    return FLOW_NEXT;
}

static enum flow op_yield(struct frame *frame, const struct statement *statement)
{
    int code = aio_yield(statement->args[0].value, NULL);

    return code < 0 ? raise_code(frame, code) : FLOW_NEXT;
}

/* The end of an op that asks for a value: `end` if there is none any more. */
static enum flow end_item(struct frame *frame, const struct statement *statement, int code,
                          const void *value)
{
    if (code != AIO_ESTOP)
        return async_end(frame, statement, code, value);
    say(frame->player, "%s end", statement->subject);
    return FLOW_NEXT;
}

static enum flow op_async_for(struct frame *frame, const struct statement *statement)
{
    aio_iterator *iterator = aio_asyncgen_iterator(object_arg(&statement->args[0]));
    enum flow flow = FLOW_NEXT;

    while (flow == FLOW_NEXT) {
        void *value = NULL;
        int code = aio_anext(iterator, &value);

        flow = end_item(frame, statement, code, value);
        if (code == AIO_ESTOP)
            return FLOW_NEXT;
        if (flow == FLOW_NEXT)
            flow = run_statements(frame, statement->parts->first);
    }
    return flow == FLOW_BREAK ? FLOW_NEXT : flow;
}

static enum flow op_anext(struct frame *frame, const struct statement *statement)
{
    void *value = NULL;
    int code = aio_anext(aio_asyncgen_iterator(object_arg(&statement->args[0])), &value);

    return end_item(frame, statement, code, value);
}

static enum flow op_aclose(struct frame *frame, const struct statement *statement)
{
    int code = aio_asyncgen_aclose(object_arg(&statement->args[0]));

    return end_item(frame, statement, code == 0 ? AIO_ESTOP : code, NULL);
}

static enum flow op_athrow(struct frame *frame, const struct statement *statement)
{
    const struct arg *args = statement->args;
    AIO_AUTO(aio_exception) error = NULL;
    void *value = NULL;
    int code;

    error = exception_new(args[1].code, statement->arg_count > 2 ? args[2].text : NULL);
    code = aio_asyncgen_athrow(object_arg(&args[0]), aio_raise_exception(error), &value);
    return end_item(frame, statement, code, value);
}

static const struct op generators_ops[] = {
    {.name = "agen_new", .args = "name generator", .run = op_agen_new},
    {.name = "yield", .args = "value", .run = op_yield},
    {.name = "async_for", .args = "agen", .run = op_async_for, .title = "item", .parts = "endfor"},
    {.name = "anext", .args = "agen", .run = op_anext},
    {.name = "aclose", .args = "agen", .run = op_aclose},
    {.name = "athrow", .args = "agen kind message?", .run = op_athrow},
    {.name = NULL},
};

const struct level level_generators = {generators_ops, NULL};
