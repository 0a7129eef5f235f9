/* SPDX-License-Identifier: MIT */
/*
 * values.c - values and exceptions of the parity language, and how the trace writes them
 */
#include "values.h"

#include <aio/gather.h>

#include <string.h>

#define MARK "program: "

/* ---- Values -------------------------------------------------------------------------- */

void *value_pack(struct arena *arena, const char *text)
{
    if (strcmp(text, "none") == 0)
        return NULL;
    return arena_copy(arena, text, strlen(text)) + 1; /* the arena aligns its texts */
}

static void outcomes_write(struct text *out, const aio_outcomes *outcomes)
{
    size_t i;

    text_add(out, "[");
    for (i = 0; i < outcomes->count; i++) {
        const aio_outcome *outcome = &outcomes->items[i];

        if (i > 0)
            text_add(out, ",");
        if (outcome->code < 0)
            exception_write(out, outcome->error);
        else
            value_write(out, outcome->value);
    }
    text_add(out, "]");
}

void value_write(struct text *out, const void *value)
{
    if (value == NULL)
        text_add(out, "none");
    else if (((uintptr_t)value & 1u) != 0)
        text_add(out, (const char *)value - 1);
    else
        outcomes_write(out, value);
}

const char *bool_text(bool value)
{
    return value ? "true" : "false";
}

/* ---- Exceptions ---------------------------------------------------------------------- */

int kind_code(const char *name)
{
    static const struct {
        const char *name;
        int code;
    } kinds[] = {
        {"BaseException", AIO_EBASEEXCEPTION},
        {"Exception", AIO_EEXCEPTION},
        {"ValueError", AIO_EVALUE},
        {"KeyError", AIO_EKEY},
        {"TypeError", AIO_ETYPE},
        {"RuntimeError", AIO_ERUNTIME},
        {"TimeoutError", AIO_ETIMEDOUT},
        {"CancelledError", AIO_ECANCELLED},
        {"InvalidStateError", AIO_EINVALIDSTATE},
        {"QueueEmpty", AIO_EQUEUEEMPTY},
        {"QueueFull", AIO_EQUEUEFULL},
        {"QueueShutDown", AIO_EQUEUESHUTDOWN},
        {"BrokenBarrierError", AIO_EBROKENBARRIER},
        {"ExceptionGroup", AIO_EGROUP},
        {"GeneratorExit", AIO_EGENERATOREXIT},
        {"OSError", AIO_EOS},
        {"ConnectionResetError", -ECONNRESET},
        {"BrokenPipeError", -EPIPE},
        {"IncompleteReadError", AIO_EINCOMPLETEREAD},
        {"LimitOverrunError", AIO_ELIMITOVERRUN},
    };
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(name, kinds[i].name) == 0)
            return kinds[i].code;
    }
    return 0;
}

const char *message_mark(struct arena *arena, const char *message)
{
    return arena_format(arena, MARK "%s", message);
}

aio_exception *exception_new(int code, const char *message)
{
    aio_exception *error;

    if (message == NULL)
        error = aio_exception_new_at(NULL, 0, NULL, code, NULL);
    else
        error = aio_exception_new_at(NULL, 0, NULL, code, "%s", message);
    return error != NULL ? error : aio_error_catch(AIO_ENOMEM);
}

void exception_write(struct text *out, const aio_exception *error)
{
    const char *message = aio_exception_message(error);
    size_t count = aio_exception_member_count(error);
    size_t i;

    text_add(out, aio_error_name(aio_exception_code(error)));
    if (count == 0) {
        bool given = message != NULL && strncmp(message, MARK, strlen(MARK)) == 0;

        text_format(out, "(%s)", given ? message + strlen(MARK) : "");
        return;
    }
    for (i = 0; i < count; i++) {
        text_add(out, i == 0 ? "[" : ",");
        exception_write(out, aio_exception_member(error, i));
    }
    text_add(out, "]");
}
