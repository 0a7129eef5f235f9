/* SPDX-License-Identifier: MIT */
/*
 * invalid.c - what is wrong with a request's data, as FastAPI tells it
 *
 * Thread: the handler's.
 */
#include "http/web/invalid.h"

#include "http/web/json_write.h"
#include "http/web/web.h"

#include <stdio.h>

enum { MOST = 100 }; /* what is more is not told */

static int put_place(struct aio__bytes *out, const struct aio__web_place *place)
{
    int err = 0;

    if (place->in != NULL) {
        err = put_place(out, place->in);
        if (err == 0)
            err = aio__bytes_append(out, ",", 1);
    }
    if (err < 0)
        return err;
    return place->name != NULL ? aio__json_string(out, place->name)
                               : aio__json_int(out, (int64_t)place->index);
}

static int put(struct aio__web_invalid *invalid, const struct aio__web_place *place,
               const char *type, const char *message, const char *context)
{
    struct aio__bytes *out = &invalid->list;
    int err = aio__bytes_append_text(out, invalid->count == 0 ? "{\"loc\":[" : ",{\"loc\":[");

    if (err == 0)
        err = put_place(out, place);
    if (err == 0)
        err = aio__bytes_append_text(out, "],\"msg\":");
    if (err == 0)
        err = aio__json_string(out, message);
    if (err == 0)
        err = aio__bytes_append_text(out, ",\"type\":");
    if (err == 0)
        err = aio__json_string(out, type);
    if (err == 0 && context != NULL)
        err = aio__bytes_format(out, ",\"ctx\":%s", context);
    return err < 0 ? err : aio__bytes_append(out, "}", 1);
}

static void note(struct aio__web_invalid *invalid, const struct aio__web_place *place,
                 const char *type, const char *message, const char *context)
{
    int err;

    if (invalid->count >= MOST || invalid->err < 0)
        return;
    err = put(invalid, place, type, message, context);
    if (err < 0)
        invalid->err = err;
    invalid->count++;
}

void aio__web_note(struct aio__web_invalid *invalid, const struct aio__web_place *place,
                   const char *type, const char *format, ...)
{
    char message[200];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    note(invalid, place, type, message, NULL);
}

void aio__web_note_limit(struct aio__web_invalid *invalid, const struct aio__web_place *place,
                         const char *type, const char *text, double limit, const char *text_behind)
{
    char message[200];
    char context[60];

    (void)snprintf(message, sizeof(message), "%s %.15g%s", text, limit, text_behind);
    (void)snprintf(context, sizeof(context), "{\"limit_value\":%.15g}", limit);
    note(invalid, place, type, message, context);
}

void aio__web_note_choice(struct aio__web_invalid *invalid, const struct aio__web_place *place,
                          const char *const *choices)
{
    struct aio__bytes message = {0};
    struct aio__bytes context = {0};
    int err =
        aio__bytes_append_text(&message, "value is not a valid enumeration member; permitted: ");

    if (err == 0)
        err = aio__bytes_append_text(&context, "{\"enum_values\":[");
    for (size_t i = 0; err == 0 && choices[i] != NULL; i++) {
        err = aio__bytes_format(&message, "%s'%s'", i == 0 ? "" : ", ", choices[i]);
        if (err == 0 && i > 0)
            err = aio__bytes_append(&context, ",", 1);
        if (err == 0)
            err = aio__json_string(&context, choices[i]);
    }
    if (err == 0)
        err = aio__bytes_append(&context, "]}", sizeof("]}"));
    if (err == 0)
        note(invalid, place, "type_error.enum", message.data, context.data);
    else if (invalid->err == 0)
        invalid->err = err;
    aio__bytes_free(&message);
    aio__bytes_free(&context);
}

int aio__web_answer_invalid(aio_http_request *request, struct aio__web_invalid *invalid)
{
    int err = invalid->err;

    if (err == 0 && invalid->count > 0)
        err = aio__http_begin_answer(request, 422);
    if (err == 0 && invalid->count > 0) {
        request->content.size = 0;
        err = aio__bytes_append_text(&request->content, "{\"detail\":[");
        if (err == 0)
            err = aio__bytes_append(&request->content, invalid->list.data, invalid->list.size);
        if (err == 0)
            err = aio__bytes_append_text(&request->content, "]}");
        err = aio__web_finish_json(request, 422, err);
        if (err == 0)
            err = aio_raise(AIO_HTTP_EABORT, "422: the data is not as declared");
    }
    aio__bytes_free(&invalid->list);
    return err;
}
