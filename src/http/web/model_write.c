/* SPDX-License-Identifier: MIT */
/*
 * model_write.c - declared structs as JSON
 *
 * Thread: the handler's.
 */
#include "http/web/json_write.h"
#include "http/web/model.h"
#include "http/web/web.h"

#include <aio/web_model.h>
#include <string.h>

static int put_object(struct aio__bytes *out, const aio_web_model *model, const char *from);

static int put_value(struct aio__bytes *out, const aio_web_field *field, const char *from)
{
    const char *text;
    int64_t integer;
    double number;
    bool truth;

    switch (field->type) {
    case AIO_WEB_STRING: memcpy(&text, from, sizeof(text)); return aio__json_string(out, text);
    case AIO_WEB_INT: memcpy(&integer, from, sizeof(integer)); return aio__json_int(out, integer);
    case AIO_WEB_FLOAT: memcpy(&number, from, sizeof(number)); return aio__json_float(out, number);
    case AIO_WEB_BOOL:
        memcpy(&truth, from, sizeof(truth));
        return aio__bytes_append_text(out, truth ? "true" : "false");
    case AIO_WEB_OBJECT: return put_object(out, field->model, from);
    }
    return aio_raise(AIO_EVALUE, "a member of no type: %s", field->name);
}

static int put_list(struct aio__bytes *out, const aio_web_field *field, const char *structure)
{
    const char *items;
    size_t count;
    int err = aio__bytes_append(out, "[", 1);

    memcpy(&items, structure + field->offset, sizeof(items));
    memcpy(&count, structure + field->count_offset, sizeof(count));
    for (size_t i = 0; err == 0 && i < count; i++) {
        if (i > 0)
            err = aio__bytes_append(out, ",", 1);
        if (err == 0)
            err = put_value(out, field, items + i * aio__web_size_of(field));
    }
    return err < 0 ? err : aio__bytes_append(out, "]", 1);
}

static int put_object(struct aio__bytes *out, const aio_web_model *model, const char *from)
{
    int err = aio__bytes_append(out, "{", 1);

    for (size_t i = 0; err == 0 && i < model->field_count; i++) {
        const aio_web_field *field = &model->fields[i];

        if (i > 0)
            err = aio__bytes_append(out, ",", 1);
        if (err == 0)
            err = aio__json_string(out, field->name);
        if (err == 0)
            err = aio__bytes_append(out, ":", 1);
        if (err == 0)
            err = field->list ? put_list(out, field, from)
                              : put_value(out, field, from + field->offset);
    }
    return err < 0 ? err : aio__bytes_append(out, "}", 1);
}

static int begin(aio_http_request *request, int status, const aio_web_model *model,
                 const void *value)
{
    int err = aio__http_begin_answer(request, status);

    if (err == 0 && (model == NULL || value == NULL))
        err = aio_raise(AIO_EVALUE, "no model, or no value");
    if (err == 0)
        request->content.size = 0;
    return err;
}

int aio_web_send(aio_http_request *request, int status, const aio_web_model *model,
                 const void *value)
{
    int err = begin(request, status, model, value);

    if (err < 0)
        return err;
    return aio__web_finish_json(request, status, put_object(&request->content, model, value));
}

int aio_web_send_list(aio_http_request *request, int status, const aio_web_model *model,
                      const void *values, size_t count)
{
    const char *from = count == 0 ? "" : values;
    int err = begin(request, status, model, from);

    if (err < 0)
        return err;
    err = aio__bytes_append(&request->content, "[", 1);
    for (size_t i = 0; err == 0 && i < count; i++) {
        if (i > 0)
            err = aio__bytes_append(&request->content, ",", 1);
        if (err == 0)
            err = put_object(&request->content, model, from + i * model->size);
    }
    if (err == 0)
        err = aio__bytes_append(&request->content, "]", 1);
    return aio__web_finish_json(request, status, err);
}
