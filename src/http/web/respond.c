/* SPDX-License-Identifier: MIT */
/*
 * respond.c - answers of the kinds a service gives
 *
 * Thread: the handler's.
 */
#include "http/common/status.h"
#include "http/web/json_write.h"
#include "http/web/web.h"

#include <stdio.h>
#include <string.h>

static const char json_type[] = "application/json";

/* JSON is written straight into the answer. */
int aio__web_finish_json(aio_http_request *request, int status, int err)
{
    if (err < 0) {
        request->content.size = 0;
        request->answer = AIO__ANSWER_NONE;
        return err;
    }
    aio__http_set_answer(request, status, json_type);
    return 0;
}

int aio_web_json(aio_http_request *request, int status, const char *format, ...)
{
    va_list args;
    int err = aio__http_begin_answer(request, status);

    if (err < 0)
        return err;
    request->content.size = 0;
    va_start(args, format);
    err = aio__json_pack(&request->content, format, args);
    va_end(args);
    return aio__web_finish_json(request, status, err);
}

static int respond_text(aio_http_request *request, int status, const char *type, const char *text)
{
    if (text == NULL)
        return aio_raise(AIO_EVALUE, "no text");
    return aio_http_respond(request, status, type, text, strlen(text));
}

int aio_web_text(aio_http_request *request, int status, const char *text)
{
    return respond_text(request, status, "text/plain; charset=utf-8", text);
}

int aio_web_html(aio_http_request *request, int status, const char *text)
{
    return respond_text(request, status, "text/html; charset=utf-8", text);
}

int aio_web_redirect(aio_http_request *request, int status, const char *url)
{
    int err;

    if (status == 0)
        status = 307;
    if (status < 300 || status > 399)
        return aio_raise(AIO_EVALUE, "not a status that redirects: %d", status);
    err = aio_http_add_header(request, "location", url);
    return err < 0 ? err : aio_http_respond(request, status, NULL, NULL, 0);
}

int aio_web_abort(aio_http_request *request, int status, const char *format, ...)
{
    char text[1024];
    va_list args;
    int err;

    (void)snprintf(text, sizeof(text), "%s", aio__http_phrase(status));
    if (format != NULL) {
        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args);
        va_end(args);
    }
    err = aio_web_json(request, status, "{s:s}", "detail", text);
    return err < 0 ? err : aio_raise(AIO_HTTP_EABORT, "%d: %s", status, text);
}

/* What a cookie's name or value is made of (RFC 6265, 4.1.1). */
static bool is_cookie_text(const char *text, bool name)
{
    if (text == NULL || (name && *text == '\0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text == 0x7f || strchr("\",;\\", *text) != NULL ||
            (name && *text == '='))
            return false;
    }
    return true;
}

int aio_web_set_cookie(aio_http_request *request, const char *name, const char *value, int max_age,
                       bool http_only)
{
    struct aio__bytes line = {0};
    int err;

    if (!is_cookie_text(name, true) || !is_cookie_text(value, false))
        return aio_raise(AIO_EVALUE, "not a cookie's name and value");
    err = aio__bytes_format(&line, "%s=%s", name, value);
    if (err == 0 && http_only)
        err = aio__bytes_append_text(&line, "; HttpOnly");
    if (err == 0 && max_age >= 0)
        err = aio__bytes_format(&line, "; Max-Age=%d", max_age);
    if (err == 0)
        err = aio__bytes_append(&line, "; Path=/; SameSite=lax", sizeof("; Path=/; SameSite=lax"));
    if (err == 0)
        err = aio_http_add_header(request, "set-cookie", line.data);
    aio__bytes_free(&line);
    return err;
}
