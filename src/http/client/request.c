/* SPDX-License-Identifier: MIT */
/*
 * request.c - requests: what the caller wants, sent once for each redirect
 *
 * libcurl could follow redirects itself, but would then look names up in threads of its own, and
 * send on what is for the first server alone.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <aio/task.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- what the caller wants -------------------------------------------------------------- */

static int check_options(const aio_http_request_options *options)
{
    int bodies = (options->body.data != NULL || options->body.size > 0) + (options->json != NULL) +
                 (options->form_count > 0) + (options->multipart != NULL) +
                 (options->stream != NULL);
    const double seconds[] = {options->total_timeout, options->connect_timeout,
                              options->read_timeout};

    if (options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_http_request_options of another size");
    if (bodies > 1)
        return aio_raise(AIO_EVALUE, "a request has one body, not %d", bodies);
    if (options->body.data == NULL && options->body.size > 0)
        return aio_raise(AIO_EVALUE, "a body of %zu bytes is announced, and none given",
                         options->body.size);
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
        if (isnan(seconds[i]) || seconds[i] < 0)
            return aio_raise(AIO_EVALUE, "a timeout of 0 seconds or more, not %g", seconds[i]);
    if (!aio__httpc_is_line(options->user == NULL ? "" : options->user) ||
        !aio__httpc_is_line(options->password == NULL ? "" : options->password))
        return aio_raise(AIO_EVALUE, "user or password have a control character");
    return aio__httpc_check_fields(options->headers, options->header_count);
}

/* The call's headers, the content type of its body, and the session's that it does not replace. */
static int make_fields(aio_http_response *response, const aio_http_request_options *options,
                       const char *content_type)
{
    const aio_http_session_options *session = &response->session->options;
    size_t count = options->header_count;
    aio_http_field *fields = aio_calloc(count + session->header_count + 1, sizeof(*fields));
    int err;

    if (fields == NULL)
        return AIO_ENOMEM;
    if (count > 0)
        memcpy(fields, options->headers, count * sizeof(*fields));
    if (content_type != NULL && aio__httpc_find_field(fields, count, "Content-Type") == NULL)
        fields[count++] = (aio_http_field){"Content-Type", content_type};
    for (size_t i = 0, own = count; i < session->header_count; i++)
        if (aio__httpc_find_field(fields, own, session->headers[i].name) == NULL)
            fields[count++] = session->headers[i];
    err = aio__httpc_copy_fields(fields, count, &response->fields, &response->field_texts);
    aio_free(fields);
    if (err == 0)
        response->field_count = count;
    return err;
}

static int make_cookies(aio_http_response *response, const aio_http_request_options *options)
{
    struct aio__bytes text = {0};
    int err = 0;

    if (options->cookie_count > 0 && options->cookies == NULL)
        return aio_raise(AIO_EVALUE, "cookies are announced, and none given");
    for (size_t i = 0; i < options->cookie_count && err == 0; i++) {
        const aio_http_field *cookie = &options->cookies[i];

        if (!aio__httpc_is_token(cookie->name) || !aio__httpc_is_line(cookie->value) ||
            strchr(cookie->value, ';') != NULL)
            err = aio_raise(AIO_EVALUE, "not a cookie's name or value");
        if (err == 0 && i > 0)
            err = aio__httpc_add_text(&text, "; ");
        if (err == 0)
            err = aio__httpc_add_text(&text, cookie->name);
        if (err == 0)
            err = aio__httpc_add_text(&text, "=");
        if (err == 0)
            err = aio__httpc_add_text(&text, cookie->value);
    }
    if (err < 0)
        aio__bytes_free(&text);
    response->cookies = text.data;
    return err;
}

static int send_files(aio_http_response *response, aio_http_form *form, const char **ret_type)
{
    int err = aio__httpc_files_open(form, &response->files);

    if (err < 0)
        return err;
    response->sends_stream = true;
    response->stream = aio__httpc_files_begin(response->files, &response->stream_size, ret_type);
    return 0;
}

/* Gives the content type, in `buffer` if it is made; NULL without a body. May suspend. */
static int make_body(aio_http_response *response, const aio_http_request_options *options,
                     const char **ret_type, char *buffer, size_t size)
{
    bool may_be_empty = strcmp(response->method, "POST") == 0 ||
                        strcmp(response->method, "PUT") == 0 ||
                        strcmp(response->method, "PATCH") == 0;

    response->has_body = true;
    if (options->stream != NULL) {
        response->has_body = false;
        response->sends_stream = true;
        response->stream = options->stream;
        response->stream_size = options->stream_size;
        *ret_type = "application/octet-stream";
        return 0;
    }
    if (options->json != NULL) {
        *ret_type = "application/json";
        return aio__httpc_add_text(&response->body, options->json);
    }
    if (options->form_count > 0) {
        *ret_type = "application/x-www-form-urlencoded";
        return aio__httpc_form_encode(options->form, options->form_count, &response->body);
    }
    if (options->multipart != NULL && aio__httpc_has_files(options->multipart)) {
        response->has_body = false;
        return send_files(response, options->multipart, ret_type);
    }
    if (options->multipart != NULL) {
        *ret_type = buffer;
        return aio__httpc_multipart_encode(options->multipart, &response->body, buffer, size);
    }
    response->has_body = options->body.data != NULL || may_be_empty;
    if (options->body.data == NULL)
        return 0;
    *ret_type = "application/octet-stream";
    return aio__httpc_add(&response->body, options->body.data, options->body.size);
}

static int copy_text(char **ret_copy, const char *text)
{
    if (text == NULL)
        return 0;
    *ret_copy = aio_strdup(text);
    return *ret_copy == NULL ? AIO_ENOMEM : 0;
}

/* The call's, the URL's, or the session's where they belong. */
static int make_credentials(aio_http_response *response, const aio_http_request_options *options)
{
    const aio_http_session *session = response->session;
    const char *user = options->user;
    const char *password = options->password;
    int err;

    if (user == NULL && response->url.user != NULL) {
        user = response->url.user;
        password = response->url.password;
    } else if (user == NULL && (session->base.origin == NULL ||
                                strcmp(session->base.origin, response->url.origin) == 0)) {
        user = session->options.user != NULL ? session->options.user : session->base.user;
        password =
            session->options.user != NULL ? session->options.password : session->base.password;
    }
    if (user == NULL)
        return 0;
    err = copy_text(&response->user, user);
    return err < 0 ? err : copy_text(&response->password, password == NULL ? "" : password);
}

static int make_proxy(aio_http_response *response, const aio_http_request_options *options)
{
    const char *proxy = options->proxy != NULL ? options->proxy : response->session->options.proxy;

    return aio__httpc_read_proxy(response->session, proxy, &response->proxy);
}

static double choose(double own, double of_session)
{
    return own > 0 ? own : of_session;
}

static void make_limits(aio_http_response *response, const aio_http_request_options *options)
{
    const aio_http_session_options *session = &response->session->options;
    double now = aio_loop_time(response->session->loop);

    response->total_at = now + choose(options->total_timeout, session->total_timeout);
    response->connect_timeout = choose(options->connect_timeout, session->connect_timeout);
    response->connect_at = now + response->connect_timeout;
    response->read_timeout = choose(options->read_timeout, session->read_timeout);
    response->max_redirects =
        options->max_redirects > 0 ? options->max_redirects : session->max_redirects;
    response->max_head = session->max_head;
    response->max_body = options->max_body > 0 ? options->max_body : session->max_body;
    response->insecure = options->insecure || session->insecure;
}

static int fill_in(aio_http_response *response, const char *method, const char *url,
                   const aio_http_request_options *options)
{
    char type_buffer[AIO__HTTPC_MULTIPART_TYPE];
    const char *type = NULL;
    int err = copy_text(&response->method, method);

    if (err == 0)
        err = aio__httpc_url_read_again(response->session, &response->url, url, options->params,
                                        options->param_count);
    if (err == 0)
        err = make_body(response, options, &type, type_buffer, sizeof(type_buffer));
    if (err == 0)
        err = make_fields(response, options, type);
    if (err == 0)
        err = make_cookies(response, options);
    if (err == 0)
        err = make_credentials(response, options);
    if (err == 0)
        err = make_proxy(response, options);
    make_limits(response, options);
    return err;
}

/* --- one hop ---------------------------------------------------------------------------- */

/* What has to be known before libcurl begins. May suspend, within the total timeout. */
static int find_way(aio_http_response *response)
{
    aio_http_session *session = response->session;
    const struct aio__httpc_url *proxy = &response->proxy;
    bool proxy_resolves = proxy->text != NULL && strncmp(proxy->text, "socks4:", 7) != 0 &&
                          strncmp(proxy->text, "socks5:", 7) != 0;
    bool is_local = session->options.unix_path != NULL; /* names are only told to the server */
    int err = 0;

    if (proxy->text != NULL)
        err = aio__httpc_resolve(session, proxy->host, proxy->port, &response->resolve);
    if (err == 0 && !proxy_resolves && !is_local)
        err =
            aio__httpc_resolve(session, response->url.host, response->url.port, &response->resolve);
    if (err == 0 && !response->insecure && (response->url.is_tls || proxy->is_tls))
        err = aio__httpc_trust(session);
    return err;
}

static int find_way_in_time(aio_http_response *response)
{
    double until = fmin(response->total_at, response->connect_at);
    AIO_AUTO(aio_timeout) limit = aio_timeout_new_at(until);
    int err = aio_timeout_enter(limit);

    if (err < 0)
        return err;
    err = aio_timeout_exit(limit, find_way(response));
    if (err == AIO_ETIMEDOUT)
        return aio_raise(err, "no address within the timeout: %s", response->url.origin);
    if (aio_error_is(err, AIO_EOS) && aio_error_text(err) == aio_strerror(err))
        return aio_raise(err, "Cannot connect to host %s [%s]", response->url.origin,
                         aio_strerror(err));
    return err;
}

/* Send the request and wait for the head. */
static int exchange(aio_http_response *response)
{
    int err = find_way_in_time(response);

    if (err == 0 && response->session->closed)
        err = aio_raise(AIO_ECLOSED, "the session is closed");
    if (err == 0)
        err = aio__httpc_transfer_prepare(response);
    if (err == 0)
        err = aio__httpc_limit(response);
    if (err == 0)
        err = aio__httpc_start(response);
    if (err == 0 && response->stream != NULL)
        err = aio__httpc_upload(response);
    while (err == 0 && !response->head_is_done && !response->ended)
        err = aio__httpc_transfer_wait(response);
    if (err == 0 && response->ended && response->code < 0 && !response->head_is_done)
        err = aio__httpc_transfer_raise(response);
    return err;
}

/* --- redirects -------------------------------------------------------------------------- */

static bool is_redirect(const aio_http_response *response)
{
    int status = response->status;

    return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
           aio_http_response_header(response, "Location") != NULL;
}

static void forget_body(aio_http_response *response)
{
    aio__bytes_free(&response->body);
    response->has_body = false;
    response->sends_stream = false;
}

/* Drop the headers of a request that a test picks. */
static void drop_fields(aio_http_response *response, bool (*drops)(const char *name))
{
    size_t kept = 0;

    for (size_t i = 0; i < response->field_count; i++)
        if (!drops(response->fields[i].name))
            response->fields[kept++] = response->fields[i];
    response->field_count = kept;
}

static bool is_of_body(const char *name)
{
    return strncasecmp(name, "Content-", 8) == 0;
}

static bool is_secret(const char *name)
{
    return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0 ||
           strcasecmp(name, "Proxy-Authorization") == 0;
}

/* Prepare to send the body once more: 0, or that it is gone. */
static int repeat_body(aio_http_response *response)
{
    const char *type;

    if (response->files != NULL)
        response->stream = aio__httpc_files_begin(response->files, &response->stream_size, &type);
    else if (response->sends_stream)
        return aio_raise(AIO_HTTP_EREDIRECT,
                         "a redirect wants the body again, which was streamed: %s",
                         response->url.shown);
    return 0;
}

/* What a redirect makes of method and body (RFC 9110, 15.4). */
static int change_method(aio_http_response *response)
{
    bool is_post = strcmp(response->method, "POST") == 0;
    bool becomes_get = (response->status == 303 && strcmp(response->method, "HEAD") != 0) ||
                       ((response->status == 301 || response->status == 302) && is_post);
    char *get;

    if (!becomes_get)
        return repeat_body(response);
    get = aio_strdup("GET");
    if (get == NULL)
        return AIO_ENOMEM;
    aio_free(response->method);
    response->method = get;
    forget_body(response);
    drop_fields(response, is_of_body);
    return 0;
}

static void forget_secrets(aio_http_response *response)
{
    drop_fields(response, is_secret);
    aio_free(response->cookies);
    aio_free(response->user);
    if (response->password != NULL)
        explicit_bzero(response->password, strlen(response->password));
    aio_free(response->password);
    response->cookies = NULL;
    response->user = NULL;
    response->password = NULL;
}

static int change_url(aio_http_response *response)
{
    const char *location = aio_http_response_header(response, "Location");
    struct aio__httpc_url next = {0};
    int err = aio__httpc_url_read(&next, response->url.text, location, NULL, 0);

    if (err == AIO_EVALUE)
        err =
            aio_raise(AIO_HTTP_EREDIRECT, "a redirect to what is no URL: %s", response->url.shown);
    if (err < 0)
        return err;
    if (strcmp(next.origin, response->url.origin) != 0)
        forget_secrets(response);
    if (next.user != NULL && response->user == NULL) {
        err = copy_text(&response->user, next.user);
        if (err == 0)
            err = copy_text(&response->password, next.password == NULL ? "" : next.password);
    }
    aio__httpc_url_free(&response->url);
    response->url = next;
    return err;
}

/* Let go of the hop that is over; its connection can be used again if its body has ended too. */
static int leave_hop(aio_http_response *response)
{
    int err = 0;

    if (!response->ended) {
        aio__httpc_finish(response, 0);
        aio__httpc_give_up(response);
    }
    while (err == 0 && response->is_added)
        err = aio__httpc_transfer_wait(response);
    return err;
}

static int follow(aio_http_response *response)
{
    int err;

    if (response->redirects == response->max_redirects)
        return aio_raise(AIO_HTTP_EREDIRECT, "more than %u redirects: %s", response->max_redirects,
                         response->url.shown);
    response->redirects++;
    err = leave_hop(response);
    if (err == 0)
        err = change_method(response);
    if (err == 0)
        err = change_url(response);
    if (err < 0)
        return err;
    aio__httpc_transfer_reset(response);
    response->connect_at = aio_loop_time(response->session->loop) + response->connect_timeout;
    return 0;
}

static int perform(aio_http_response *response, bool no_redirects)
{
    int err = exchange(response);

    while (err == 0 && !no_redirects && is_redirect(response)) {
        err = follow(response);
        if (err == 0)
            err = exchange(response);
    }
    return err < 0 ? err : aio__httpc_response_begin(response);
}

/* --- the calls -------------------------------------------------------------------------- */

static int check_call(const aio_http_session *session, const char *method,
                      aio_http_response **ret_response)
{
    if (session == NULL)
        return aio__httpc_failure();
    if (ret_response == NULL)
        return aio_raise(AIO_EVALUE, "a place for the response is needed, not NULL");
    if (!aio__httpc_is_token(method))
        return aio_raise(AIO_EVALUE, "not a method");
    if (session->closed)
        return aio_raise(AIO_ECLOSED, "the session is closed");
    if (aio_get_running_loop() != session->loop || aio_current_task(session->loop) == NULL)
        return aio_raise(AIO_ENOTASK, "a request needs a task of the session's loop");
    return 0;
}

static int request(aio_http_session *session, const char *method, const char *url,
                   const aio_http_request_options *options, bool no_redirects,
                   aio_http_response **ret_response)
{
    static const aio_http_request_options defaults = AIO_HTTP_REQUEST_OPTIONS_INIT;
    aio_http_response *response;
    int err = check_call(session, method, ret_response);

    if (options == NULL)
        options = &defaults;
    if (err == 0)
        err = check_options(options);
    if (err < 0)
        return err;
    response = aio__httpc_response_new(session);
    if (response == NULL)
        return AIO_ENOMEM;
    err = fill_in(response, method, url, options);
    if (err == 0)
        err = perform(response, no_redirects || options->no_redirects);
    if (err == 0 && (options->raise_for_status || session->options.raise_for_status))
        err = aio_http_response_raise_for_status(response);
    if (err < 0)
        return aio_http_response_exit(response, err);
    *ret_response = response;
    return 0;
}

int aio_http_session_request(aio_http_session *session, const char *method, const char *url,
                             const aio_http_request_options *options,
                             aio_http_response **ret_response)
{
    return request(session, method, url, options, false, ret_response);
}

int aio_http_get(aio_http_session *session, const char *url,
                 const aio_http_request_options *options, aio_http_response **ret_response)
{
    return request(session, "GET", url, options, false, ret_response);
}

int aio_http_head(aio_http_session *session, const char *url,
                  const aio_http_request_options *options, aio_http_response **ret_response)
{
    return request(session, "HEAD", url, options, true, ret_response);
}

int aio_http_post(aio_http_session *session, const char *url,
                  const aio_http_request_options *options, aio_http_response **ret_response)
{
    return request(session, "POST", url, options, false, ret_response);
}

int aio_http_put(aio_http_session *session, const char *url,
                 const aio_http_request_options *options, aio_http_response **ret_response)
{
    return request(session, "PUT", url, options, false, ret_response);
}

int aio_http_patch(aio_http_session *session, const char *url,
                   const aio_http_request_options *options, aio_http_response **ret_response)
{
    return request(session, "PATCH", url, options, false, ret_response);
}

int aio_http_delete(aio_http_session *session, const char *url,
                    const aio_http_request_options *options, aio_http_response **ret_response)
{
    return request(session, "DELETE", url, options, false, ret_response);
}

int aio_http_options(aio_http_session *session, const char *url,
                     const aio_http_request_options *options, aio_http_response **ret_response)
{
    return request(session, "OPTIONS", url, options, false, ret_response);
}
