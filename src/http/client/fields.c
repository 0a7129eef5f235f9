/* SPDX-License-Identifier: MIT */
/*
 * fields.c - names and values of headers: what they may be, and lists of them
 *
 * A line end in a name or value would let one header become two, or a request become two.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <string.h>
#include <strings.h>

/* A name of a header, a method: RFC 9110's token. */
bool aio__httpc_is_token(const char *text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    if (text == NULL || *text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= '0' && *text <= '9') || strchr(marks, *text) != NULL))
            return false;
    return true;
}

/* A value: no control character but the tab. */
bool aio__httpc_is_line(const char *text)
{
    if (text == NULL)
        return false;
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

int aio__httpc_check_fields(const aio_http_field *fields, size_t count)
{
    if (count > 0 && fields == NULL)
        return aio_raise(AIO_EVALUE, "%zu headers are announced, and none given", count);
    for (size_t i = 0; i < count; i++) {
        if (!aio__httpc_is_token(fields[i].name))
            return aio_raise(AIO_EVALUE, "header %zu has no name that a header can have", i);
        /* Not the value: it may be a secret. */
        if (!aio__httpc_is_line(fields[i].value))
            return aio_raise(AIO_EVALUE, "the value of the header %s has a control character",
                             fields[i].name);
        if (strcasecmp(fields[i].name, "Content-Length") == 0 ||
            strcasecmp(fields[i].name, "Transfer-Encoding") == 0)
            return aio_raise(AIO_EVALUE, "the header %s follows from the body", fields[i].name);
    }
    return 0;
}

int aio__httpc_copy_fields(const aio_http_field *fields, size_t count, aio_http_field **ret_fields,
                           char **ret_texts)
{
    size_t size = 1;
    aio_http_field *copy;
    char *end;

    for (size_t i = 0; i < count; i++)
        size += strlen(fields[i].name) + strlen(fields[i].value) + 2;
    copy = aio_calloc(count + 1, sizeof(*copy));
    end = aio_malloc(size);
    if (copy == NULL || end == NULL) {
        aio_free(copy);
        aio_free(end);
        return AIO_ENOMEM;
    }
    *ret_fields = copy;
    *ret_texts = end;
    for (size_t i = 0; i < count; i++) {
        copy[i].name = end;
        end = stpcpy(end, fields[i].name) + 1;
        copy[i].value = end;
        end = stpcpy(end, fields[i].value) + 1;
    }
    return 0;
}

const char *aio__httpc_find_field(const aio_http_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(fields[i].name, name) == 0)
            return fields[i].value;
    return NULL;
}
