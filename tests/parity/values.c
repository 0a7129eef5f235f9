/* SPDX-License-Identifier: MIT */
/*
 * values.c - values and exceptions of the parity language, and how the trace writes them
 */
#include "values.h"

#include <aio/gather.h>
#include <aio/stream.h>

#include <ctype.h>
#include <stdlib.h>
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

/* ---- Data ---------------------------------------------------------------------------- */

/* More bytes than that are shown as a checksum. */
#define SHOWN_BYTES 40

/* Read one byte, of which \n, \r and \xHH are longer. NULL: no such byte. */
static const char *byte_read(const char *at, char *ret_byte)
{
    char digits[3] = "";

    if (*at != '\\') {
        *ret_byte = *at;
        return at + 1;
    }
    if (at[1] == 'n' || at[1] == 'r') {
        *ret_byte = at[1] == 'n' ? '\n' : '\r';
        return at + 2;
    }
    if (at[1] != 'x' || !isxdigit((unsigned char)at[2]) || !isxdigit((unsigned char)at[3]))
        return NULL;
    memcpy(digits, at + 2, 2);
    *ret_byte = (char)strtoul(digits, NULL, 16);
    return at + 4;
}

/* Read TEXT or TEXT*N. Gives what follows it, or NULL. */
static const char *piece_read(const char *at, struct text *out)
{
    size_t begin = out->length;
    char *end;
    long count;

    while (*at != '\0' && *at != '+' && *at != '*') {
        char byte;

        at = byte_read(at, &byte);
        if (at == NULL)
            return NULL;
        text_append(out, &byte, 1);
    }
    if (out->length == begin || *at != '*')
        return out->length == begin ? NULL : at;
    count = strtol(at + 1, &end, 10);
    if (end == at + 1 || count < 1)
        return NULL;
    text_repeat(out, begin, (size_t)count - 1);
    return end;
}

bool data_read(struct arena *arena, const char *text, struct data *ret_data)
{
    struct text out = {NULL, 0, 0};
    const char *at = text;

    if (strcmp(text, "~") == 0)
        at = "";
    else
        at = piece_read(at, &out);
    while (at != NULL && *at == '+')
        at = piece_read(at + 1, &out);
    if (at != NULL && *at == '\0') {
        ret_data->bytes = arena_copy(arena, out.data == NULL ? "" : out.data, out.length);
        ret_data->size = out.length;
    }
    text_free(&out);
    return at != NULL && *at == '\0';
}

static unsigned long adler32(const unsigned char *bytes, size_t size)
{
    unsigned long s = 1;
    unsigned long t = 0;
    size_t i;

    for (i = 0; i < size; i++) {
        s = (s + bytes[i]) % 65521;
        t = (t + s) % 65521;
    }
    return t << 16 | s;
}

void data_write(struct text *out, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    size_t i;

    if (size > SHOWN_BYTES) {
        text_format(out, "<%zu:%08lx>", size, adler32(bytes, size));
        return;
    }
    text_add(out, "\"");
    for (i = 0; i < size; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r')
            text_add(out, bytes[i] == '\n' ? "\\n" : "\\r");
        else if (bytes[i] < 0x21 || bytes[i] > 0x7e || bytes[i] == '"' || bytes[i] == '\\')
            text_format(out, "\\x%02x", bytes[i]);
        else
            text_format(out, "%c", bytes[i]);
    }
    text_add(out, "\"");
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

/* What stands in the parentheses behind the kind. */
static void details_write(struct text *out, const aio_exception *error)
{
    const char *message = aio_exception_message(error);
    aio_buffer partial = aio_exception_partial(error);

    switch (aio_exception_code(error)) {
    case AIO_EINCOMPLETEREAD:
        data_write(out, partial.data, partial.size);
        if (aio_exception_expected(error) < 0)
            text_add(out, ",none");
        else
            text_format(out, ",%td", aio_exception_expected(error));
        break;
    case AIO_ELIMITOVERRUN: text_format(out, "%zu", aio_exception_consumed(error)); break;
    default:
        if (message != NULL && strncmp(message, MARK, strlen(MARK)) == 0)
            text_add(out, message + strlen(MARK));
    }
}

void exception_write(struct text *out, const aio_exception *error)
{
    size_t count = aio_exception_member_count(error);
    size_t i;

    text_add(out, aio_error_name(aio_exception_code(error)));
    if (count == 0) {
        text_add(out, "(");
        details_write(out, error);
        text_add(out, ")");
        return;
    }
    for (i = 0; i < count; i++) {
        text_add(out, i == 0 ? "[" : ",");
        exception_write(out, aio_exception_member(error, i));
    }
    text_add(out, "]");
}
