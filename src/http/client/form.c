/* SPDX-License-Identifier: MIT */
/*
 * form.c - forms as bodies: application/x-www-form-urlencoded and multipart/form-data
 */
#include "http/client/client.h"
#include "http/common/boundary.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- of one part ------------------------------------------------------------------------ */

static int encode_text(struct aio__bytes *body, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    int err = aio__bytes_reserve(body, 1 + 3 * strlen(text));

    for (; err == 0 && *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        char coded[] = {'%', digits[byte >> 4], digits[byte & 15]};
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL;

        if (byte == ' ')
            err = aio__httpc_add(body, "+", 1);
        else
            err = is_plain ? aio__httpc_add(body, text, 1)
                           : aio__httpc_add(body, coded, sizeof(coded));
    }
    return err;
}

int aio__httpc_form_encode(const aio_http_field *fields, size_t count, struct aio__bytes *body)
{
    int err = 0;

    if (count > 0 && fields == NULL)
        return aio_raise(AIO_EVALUE, "%zu fields are announced, and none given", count);
    for (size_t i = 0; i < count && err == 0; i++) {
        if (fields[i].name == NULL || fields[i].value == NULL)
            return aio_raise(AIO_EVALUE, "field %zu has no name, or no value", i);
        if (i > 0)
            err = aio__httpc_add(body, "&", 1);
        if (err == 0)
            err = encode_text(body, fields[i].name);
        if (err == 0)
            err = aio__httpc_add(body, "=", 1);
        if (err == 0)
            err = encode_text(body, fields[i].value);
    }
    return err;
}

/* --- of several ------------------------------------------------------------------------- */

aio_http_form *aio_http_form_new(void)
{
    aio_http_form *form = aio_calloc(1, sizeof(*form));

    if (form == NULL) {
        aio__httpc_set_failure(AIO_ENOMEM);
        return NULL;
    }
    form->refs = 1;
    form->end = &form->first;
    return form;
}

aio_http_form *aio_http_form_ref(aio_http_form *form)
{
    if (form != NULL)
        form->refs++;
    return form;
}

static void free_part(struct aio__httpc_part *part)
{
    aio__bytes_free(&part->head);
    aio__bytes_free(&part->data);
    aio_free(part->path);
    aio_free(part);
}

void aio_http_form_unref(aio_http_form *form)
{
    if (form == NULL || --form->refs != 0)
        return;
    for (struct aio__httpc_part *part = form->first, *next; part != NULL; part = next) {
        next = part->next;
        free_part(part);
    }
    aio_free(form);
}

/* A name in quotes, as browsers write it. */
static int add_quoted(struct aio__bytes *head, const char *key, const char *text)
{
    int err = aio__httpc_add_text(head, key);

    for (; err == 0 && *text != '\0'; text++)
        switch (*text) {
        case '"': err = aio__httpc_add_text(head, "%22"); break;
        case '\r': err = aio__httpc_add_text(head, "%0D"); break;
        case '\n': err = aio__httpc_add_text(head, "%0A"); break;
        default: err = aio__httpc_add(head, text, 1);
        }
    return err < 0 ? err : aio__httpc_add_text(head, "\"");
}

static int fill_part(struct aio__httpc_part *part, const char *name, const char *filename,
                     const char *type, aio_buffer data)
{
    int err = add_quoted(&part->head, "Content-Disposition: form-data; name=\"", name);

    if (err == 0 && filename != NULL)
        err = add_quoted(&part->head, "; filename=\"", filename);
    if (err == 0 && type != NULL)
        err = aio__httpc_add_text(&part->head, "\r\nContent-Type: ");
    if (err == 0 && type != NULL)
        err = aio__httpc_add_text(&part->head, type);
    if (err == 0)
        err = aio__httpc_add_text(&part->head, "\r\n\r\n");
    return err < 0 ? err : aio__httpc_add(&part->data, data.data, data.size);
}

static int add_part(aio_http_form *form, const char *name, const char *filename, const char *type,
                    aio_buffer data, const char *path)
{
    struct aio__httpc_part *part = aio_calloc(1, sizeof(*part));
    int err = part == NULL ? AIO_ENOMEM : fill_part(part, name, filename, type, data);

    if (err == 0 && path != NULL) {
        part->path = aio_strdup(path);
        err = part->path == NULL ? AIO_ENOMEM : 0;
    }
    if (err < 0) {
        if (part != NULL)
            free_part(part);
        return err;
    }
    *form->end = part;
    form->end = &part->next;
    return 0;
}

int aio_http_form_add(aio_http_form *form, const char *name, const char *value)
{
    if (form == NULL)
        return aio__httpc_failure();
    if (name == NULL || value == NULL)
        return aio_raise(AIO_EVALUE, "a field has a name and a value");
    return add_part(form, name, NULL, NULL, (aio_buffer){value, strlen(value)}, NULL);
}

int aio_http_form_add_file(aio_http_form *form, const char *name, const char *filename,
                           const char *content_type, aio_buffer data)
{
    if (form == NULL)
        return aio__httpc_failure();
    if (name == NULL || filename == NULL || (data.data == NULL && data.size > 0))
        return aio_raise(AIO_EVALUE, "a file has a name of the field, one of its own, and data");
    if (content_type == NULL)
        content_type = "application/octet-stream";
    if (!aio__httpc_is_line(content_type))
        return aio_raise(AIO_EVALUE, "a content type is one line");
    return add_part(form, name, filename, content_type, data, NULL);
}

int aio_http_form_add_path(aio_http_form *form, const char *name, const char *path,
                           const char *filename, const char *content_type)
{
    const char *last = path == NULL ? NULL : strrchr(path, '/');

    if (form == NULL)
        return aio__httpc_failure();
    if (name == NULL || path == NULL)
        return aio_raise(AIO_EVALUE, "a file has a name of the field, and a path");
    if (content_type == NULL)
        content_type = "application/octet-stream";
    if (!aio__httpc_is_line(content_type))
        return aio_raise(AIO_EVALUE, "a content type is one line");
    if (filename == NULL)
        filename = last == NULL ? path : last + 1;
    return add_part(form, name, filename, content_type, (aio_buffer){0}, path);
}

int aio__httpc_multipart_encode(const aio_http_form *form, struct aio__bytes *body,
                                char *content_type, size_t size)
{
    char boundary[AIO__HTTP_BOUNDARY];
    char line[50];
    int err = aio__http_make_boundary(boundary);

    if (err < 0)
        return err;
    (void)snprintf(content_type, size, "multipart/form-data; boundary=%s", boundary);
    (void)snprintf(line, sizeof(line), "--%s\r\n", boundary);
    for (const struct aio__httpc_part *part = form->first; part != NULL && err == 0;
         part = part->next) {
        err = aio__httpc_add_text(body, line);
        if (err == 0)
            err = aio__httpc_add(body, part->head.data, part->head.size);
        if (err == 0)
            err = aio__httpc_add(body, part->data.data, part->data.size);
        if (err == 0)
            err = aio__httpc_add_text(body, "\r\n");
    }
    (void)snprintf(line, sizeof(line), "--%s--\r\n", boundary);
    return err < 0 ? err : aio__httpc_add_text(body, line);
}
