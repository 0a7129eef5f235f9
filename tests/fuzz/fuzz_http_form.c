/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_form.c - forms of several parts: what is read of them is inside of them
 *
 * The first line of an input is the content type's parameters, the rest the body.
 */
#include "fuzz/fuzz_http_site.h"

static const char *body_start;
static size_t body_size;

static bool is_inside(const char *data, size_t size)
{
    return data >= body_start && size <= body_size &&
           (size_t)(data - body_start) <= body_size - size;
}

static int read_form(aio_http_request *request, void *arg)
{
    const aio_web_upload *all = NULL;
    const aio_web_upload *last = NULL;
    const char *text = NULL;
    const void *body = NULL;
    size_t count = 0;
    int err = aio_web_form(request, "a", &text);

    if (err == 0)
        err = aio_web_uploads(request, &all, &count);
    if (err == 0)
        err = aio_web_upload_of(request, "f", &last);
    if (err < 0)
        return err;
    MUST(aio_http_request_body(request, &body, &body_size) == 0);
    body_start = body;
    MUST(count <= 1000 && (last == NULL || (last >= all && last < all + count)));
    for (size_t i = 0; i < count; i++) {
        MUST(is_inside(all[i].data, all[i].size));
        MUST(strlen(all[i].name) + strlen(all[i].filename) + strlen(all[i].content_type) <
             3 * body_size + 30);
    }
    return aio_web_json(request, 200, "[s,i,s]", text, (int)count,
                        last == NULL ? NULL : last->filename);
}

static aio_web *make_app(void)
{
    aio_web *app = aio_web_new();

    MUST(app != NULL);
    MUST(aio_web_post(app, "/", read_form, NULL) == 0);
    return app;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_wire wire;
    static char text[20100];
    const uint8_t *end = memchr(data, '\n', size);
    size_t parameters = end == NULL ? 0 : (size_t)(end - data);
    int status;
    int head;

    if (size > 16000 || end == NULL || parameters > 200)
        return 0;
    for (size_t i = 0; i < parameters; i++) {
        if (data[i] < ' ' || data[i] == 0x7f)
            return 0; /* no head has that */
    }
    head = snprintf(text, sizeof(text),
                    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; %.*s\r\n"
                    "Content-Length: %zu\r\n\r\n",
                    (int)parameters, (const char *)data, size - parameters - 1);
    memcpy(text + head, end + 1, size - parameters - 1);
    fuzz_talk(fuzz_site(make_app), &wire, (const uint8_t *)text,
              (size_t)head + size - parameters - 1, SIZE_MAX / 2);
    MUST(sscanf(wire.data, "HTTP/1.1 %d ", &status) == 1);
    MUST(status == 200 || status == 400);
    return 0;
}
