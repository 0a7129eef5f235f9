/* SPDX-License-Identifier: MIT */
/*
 * json_write.c - values as JSON text, compact, without a tree in between
 *
 * Thread: any.
 */
#include "http/web/json_write.h"

#include "http/common/url.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 32 }; /* of a format */

/* --- single values ---------------------------------------------------------------------- */

/* What stands for a character in a string: NULL if it stands for itself. */
static const char *escape_of(char byte, char room[8])
{
    switch (byte) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\b': return "\\b";
    case '\f': return "\\f";
    default: break;
    }
    if ((unsigned char)byte >= 0x20)
        return NULL;
    (void)snprintf(room, 8, "\\u%04x", (unsigned)byte);
    return room;
}

/* How many of the first bytes stand for themselves, and are no part of a longer character. */
static size_t plain_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - (const unsigned char *)text);
}

/* What is not plain: an escape, or a character of several bytes. */
static int put_special(struct aio__bytes *out, const char *text, size_t size, size_t *ret_length)
{
    char room[8];
    const char *escape = escape_of(*text, room);

    *ret_length = aio__utf8_length(text, size);
    if (*ret_length == 0)
        return aio_raise(AIO_EVALUE, "the text is not UTF-8");
    if (escape != NULL)
        return aio__bytes_append_text(out, escape);
    return aio__bytes_append(out, text, *ret_length);
}

int aio__json_string(struct aio__bytes *out, const char *text)
{
    const char *end;
    size_t length;
    int err;

    if (text == NULL)
        return aio__bytes_append(out, "null", 4);
    end = text + strlen(text);
    err = aio__bytes_reserve(out, (size_t)(end - text) + 2);
    if (err < 0)
        return err;
    out->data[out->size++] = '"';
    while (err == 0 && text < end) {
        length = plain_length(text);
        if (length > 0)
            err = aio__bytes_append(out, text, length);
        else
            err = put_special(out, text, (size_t)(end - text), &length);
        text += length;
    }
    return err < 0 ? err : aio__bytes_append(out, "\"", 1);
}

int aio__json_int(struct aio__bytes *out, int64_t value)
{
    return aio__bytes_format(out, "%lld", (long long)value);
}

int aio__json_float(struct aio__bytes *out, double value)
{
    char text[40];

    if (!isfinite(value))
        return aio_raise(AIO_EVALUE, "JSON has no such number: %g", value);
    /* The shortest that reads back as the same. */
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (char *at = text; *at != '\0'; at++) {
        if (*at == ',')
            *at = '.'; /* of some locales */
    }
    if (strpbrk(text, ".e") == NULL)
        strcat(text, ".0");
    return aio__bytes_append_text(out, text);
}

static int put_tree(struct aio__bytes *out, json_t *tree)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t size = json_dumpb(tree, NULL, 0, flags);
    int err;

    if (size == 0)
        return aio_raise(AIO_EVALUE, "no JSON value");
    err = aio__bytes_reserve(out, size);
    if (err < 0)
        return err;
    out->size += json_dumpb(tree, out->data + out->size, size, flags);
    return 0;
}

/* --- formats ---------------------------------------------------------------------------- */

/* Where a format is: what is open, and what may come next. */
struct packing {
    struct aio__bytes *out;
    char open[MAX_DEPTH]; /* '{' or '[' */
    size_t depth;
    bool wants_name; /* directly in an object */
    bool first;      /* nothing is in there yet */
    bool over;       /* the one value is complete */
};

/* What comes before a name or value. */
static int put_comma(struct packing *packing)
{
    bool in_value =
        packing->depth > 0 && packing->open[packing->depth - 1] == '{' && !packing->wants_name;

    if (packing->depth == 0 || packing->first || in_value) {
        packing->first = false;
        return 0;
    }
    return aio__bytes_append(packing->out, ",", 1);
}

/* A value is complete. */
static void end_value(struct packing *packing)
{
    packing->first = false;
    packing->over = packing->depth == 0;
    packing->wants_name = packing->depth > 0 && packing->open[packing->depth - 1] == '{';
}

static int open_value(struct packing *packing, char kind)
{
    int err = put_comma(packing);

    if (err == 0 && packing->depth == MAX_DEPTH)
        err = aio_raise(AIO_EVALUE, "the format is nested too deeply");
    if (err == 0)
        err = aio__bytes_append(packing->out, &kind, 1);
    if (err < 0)
        return err;
    packing->open[packing->depth++] = kind;
    packing->wants_name = kind == '{';
    packing->first = true;
    return 0;
}

static int close_value(struct packing *packing, char kind)
{
    char opener = kind == '}' ? '{' : '[';

    if (packing->depth == 0 || packing->open[packing->depth - 1] != opener ||
        (kind == '}' && !packing->wants_name))
        return aio_raise(AIO_EVALUE, "'%c' ends nothing in the format", kind);
    packing->depth--;
    end_value(packing);
    return aio__bytes_append(packing->out, &kind, 1);
}

static int put_name(struct packing *packing, char kind, const char *name)
{
    int err;

    if (kind != 's' || name == NULL)
        return aio_raise(AIO_EVALUE, "an object of the format has no name here");
    err = put_comma(packing);
    if (err == 0)
        err = aio__json_string(packing->out, name);
    packing->wants_name = false;
    return err < 0 ? err : aio__bytes_append(packing->out, ":", 1);
}

/* The argument of a letter, and whether the format goes on behind it. */
static int put_value(struct packing *packing, char kind, va_list *args)
{
    int err = put_comma(packing);

    if (err < 0)
        return err;
    switch (kind) {
    case 's': err = aio__json_string(packing->out, va_arg(*args, const char *)); break;
    case 'i': err = aio__json_int(packing->out, va_arg(*args, int)); break;
    case 'I': err = aio__json_int(packing->out, va_arg(*args, int64_t)); break;
    case 'f': err = aio__json_float(packing->out, va_arg(*args, double)); break;
    case 'b':
        err = aio__bytes_append_text(packing->out, va_arg(*args, int) != 0 ? "true" : "false");
        break;
    case 'n': err = aio__bytes_append(packing->out, "null", 4); break;
    case 'o': err = put_tree(packing->out, va_arg(*args, json_t *)); break;
    default: err = aio_raise(AIO_EVALUE, "the format has no '%c'", kind);
    }
    end_value(packing);
    return err;
}

static int pack(struct packing *packing, const char *format, va_list *args)
{
    int err = 0;

    for (; err == 0 && *format != '\0'; format++) {
        if (*format == ' ' || *format == ':' || *format == ',')
            continue;
        if (packing->over)
            return aio_raise(AIO_EVALUE, "the format has more than one value");
        if (*format == '}' || *format == ']')
            err = close_value(packing, *format);
        else if (packing->wants_name)
            err = put_name(packing, *format, *format == 's' ? va_arg(*args, const char *) : NULL);
        else if (*format == '{' || *format == '[')
            err = open_value(packing, *format);
        else
            err = put_value(packing, *format, args);
    }
    if (err == 0 && !packing->over)
        err = aio_raise(AIO_EVALUE, "the format is not complete");
    return err;
}

int aio__json_pack(struct aio__bytes *out, const char *format, va_list args)
{
    struct packing packing = {.out = out};
    va_list copy;
    int err;

    if (format == NULL)
        return aio_raise(AIO_EVALUE, "no format");
    va_copy(copy, args);
    err = pack(&packing, format, &copy);
    va_end(copy);
    return err;
}
