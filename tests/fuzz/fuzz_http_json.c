/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_json.c - JSON bodies that are to fit a declared struct
 *
 * What fits is sent back; what comes back has to fit again, and be the same then.
 */
#include "fuzz/fuzz_http_site.h"

#include <aio/web_model.h>
#include <jansson.h>

struct part {
    const char *text;
    int64_t number;
};

static const aio_web_field part_fields[] = {
    {AIO_WEB_FIELD(struct part, text, AIO_WEB_STRING), .optional = true, .nullable = true,
     .max_length = 20},
    {AIO_WEB_FIELD(struct part, number, AIO_WEB_INT), .optional = true, .has_minimum = true,
     .minimum = -1000},
};
static const aio_web_model part_model = AIO_WEB_MODEL(struct part, part_fields);

struct whole {
    double f;
    bool b;
    struct part p;
    struct part *list;
    size_t count;
    double *numbers;
    size_t number_count;
};

static const aio_web_field whole_fields[] = {
    {AIO_WEB_FIELD(struct whole, f, AIO_WEB_FLOAT)},
    {AIO_WEB_FIELD(struct whole, b, AIO_WEB_BOOL), .optional = true},
    {AIO_WEB_FIELD(struct whole, p, AIO_WEB_OBJECT), .model = &part_model, .optional = true},
    {AIO_WEB_FIELD(struct whole, list, AIO_WEB_OBJECT), AIO_WEB_COUNT(struct whole, count),
     .model = &part_model, .optional = true, .max_length = 10},
    {AIO_WEB_FIELD(struct whole, numbers, AIO_WEB_FLOAT), AIO_WEB_COUNT(struct whole, number_count),
     .optional = true, .nullable = true},
};
static const aio_web_model whole_model = AIO_WEB_MODEL(struct whole, whole_fields);

static int echo(aio_http_request *request, void *arg)
{
    struct whole value = {0};
    int err = aio_web_body(request, &whole_model, &value);

    return err < 0 ? err : aio_web_send(request, 200, &whole_model, &value);
}

static aio_web *make_app(void)
{
    aio_web *app = aio_web_new();

    MUST(app != NULL);
    MUST(aio_web_post(app, "/", echo, NULL) == 0);
    return app;
}

/* Post a body; gives the body of the answer, whose status is written. */
static const char *post(struct fuzz_wire *wire, const void *body, size_t size, int *ret_status)
{
    static char text[20100];
    int head = snprintf(text, sizeof(text),
                        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);
    char *start;

    memcpy(text + head, body, size);
    fuzz_talk(fuzz_site(make_app), wire, (const uint8_t *)text, (size_t)head + size, SIZE_MAX / 2);
    MUST(wire->size < sizeof(wire->data));
    wire->data[wire->size] = '\0';
    MUST(sscanf(wire->data, "HTTP/1.1 %d ", ret_status) == 1);
    start = strstr(wire->data, "\r\n\r\n");
    MUST(start != NULL);
    return start + 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_wire first;
    static struct fuzz_wire second;
    const char *answer;
    const char *again;
    int status;
    json_t *json;

    if (size > 8000)
        return 0;
    answer = post(&first, data, size, &status);
    MUST(status == 200 || status == 422 || status == 400);
    json = json_loads(answer, JSON_REJECT_DUPLICATES, NULL);
    MUST(json != NULL); /* what is wrong is told as JSON, too */
    json_decref(json);
    if (status != 200 || strlen(answer) > 20000)
        return 0;
    again = post(&second, answer, strlen(answer), &status);
    MUST(status == 200 && strcmp(answer, again) == 0);
    return 0;
}
