/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - one exchange with a server: what libcurl is told, and what it brings
 *
 * libcurl brings the head a line at a time and the body in pieces; they are kept here for who
 * reads. When more of a body is there than the buffer is to hold, libcurl is told to pause, which
 * stops the server; the reader lets it go on. It is the same with what is sent.
 *
 * What libcurl calls here may end the transfer, but not take it out of the multi handle: that is
 * queued.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/future.h>
#include <aio/memory.h>
#include <aio/task.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VERSION "0.1"
enum {
    WHOLE_BODY = 64 * 1024,  /* bytes that are sent with the head, if the socket takes them */
    RECEIVE_SIZE = 16 * 1024 /* more costs small responses what it saves large ones */
};

/* --- limits in time --------------------------------------------------------------------- */

static double next_limit(const aio_http_response *response)
{
    double next = response->total_at;

    if (!response->connected)
        next = fmin(next, response->connect_at);
    else if (!response->paused) /* a reader that takes its time is not the server's fault */
        next = fmin(next, response->moved_at + response->read_timeout);
    return next;
}

static int on_limit(void *arg)
{
    aio_http_response *response = arg;
    double now = aio_loop_time(response->session->loop);

    aio_handle_unref(response->timer);
    response->timer = NULL;
    if (next_limit(response) > now) {
        if (aio__httpc_limit(response) < 0)
            aio__httpc_fail(response, AIO_ENOMEM, "");
    } else if (response->total_at <= now) {
        aio__httpc_fail(response, AIO_ETIMEDOUT, "not done within the total timeout");
    } else if (!response->connected) {
        aio__httpc_fail(response, AIO_ETIMEDOUT, "no connection within the connect timeout");
    } else {
        aio__httpc_fail(response, AIO_ETIMEDOUT, "nothing came within the read timeout");
    }
    return 0;
}

/* A timer that is set too early stays: it then looks again. */
int aio__httpc_limit(aio_http_response *response)
{
    double next = next_limit(response);

    if (response->timer != NULL && aio_handle_when(response->timer) <= next)
        return 0;
    aio_handle_cancel(response->timer);
    aio_handle_unref(response->timer);
    response->timer = NULL;
    if (isinf(next))
        return 0;
    return aio_loop_call_at(response->session->loop, next, on_limit, response, &response->timer);
}

static void moved(aio_http_response *response)
{
    response->moved_at = aio_loop_time(response->session->loop);
}

/* libcurl's: a connection is there, and the request is about to be sent. */
static int on_connected(void *arg, char *peer, char *own, int peer_port, int own_port)
{
    aio_http_response *response = arg;

    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    response->connected = true;
    moved(response);
    if (aio__httpc_limit(response) == 0)
        return CURL_PREREQFUNC_OK;
    aio__httpc_fail(response, AIO_ENOMEM, "");
    return CURL_PREREQFUNC_ABORT;
}

/* --- the head --------------------------------------------------------------------------- */

/* "HTTP/1.1 200 OK": begins a head, perhaps after an interim one. */
static bool begin_head(aio_http_response *response, const char *line, size_t size)
{
    const char *end = line + size;
    const char *at = memchr(line, ' ', size);
    size_t length;

    if (at == NULL || end - at < 4 || !isdigit(at[1]) || !isdigit(at[2]) || !isdigit(at[3]))
        return false;
    response->head.size = 0;
    response->received_count = 0;
    response->version = line[5] == '2' ? AIO_HTTP_2 : AIO_HTTP_1_1;
    response->status = (at[1] - '0') * 100 + (at[2] - '0') * 10 + (at[3] - '0');
    at += 4;
    while (at < end && *at == ' ')
        at++;
    length = (size_t)(end - at);
    if (length >= sizeof(response->reason))
        length = sizeof(response->reason) - 1;
    memcpy(response->reason, at, length);
    response->reason[length] = '\0';
    return true;
}

/* A line that begins with a blank goes on with the value before. */
static int continue_field(aio_http_response *response, const char *line, size_t size)
{
    if (response->received_count == 0)
        return AIO_HTTP_EPROTOCOL;
    while (size > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        size--;
    }
    response->head.size--; /* the zero behind that value */
    if (aio__httpc_add(&response->head, " ", 1) < 0 ||
        aio__httpc_add(&response->head, line, size) < 0)
        return AIO_ENOMEM;
    return aio__httpc_add(&response->head, "", 1);
}

static int add_field(aio_http_response *response, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    const char *value;
    size_t name_size;

    if (colon == NULL || colon == line)
        return AIO_HTTP_EPROTOCOL;
    name_size = (size_t)(colon - line);
    value = colon + 1;
    size -= name_size + 1;
    while (size > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        size--;
    }
    if (aio__httpc_add(&response->head, line, name_size) < 0 ||
        aio__httpc_add(&response->head, "", 1) < 0 ||
        aio__httpc_add(&response->head, value, size) < 0 ||
        aio__httpc_add(&response->head, "", 1) < 0)
        return AIO_ENOMEM;
    response->received_count++;
    return 0;
}

/* An empty line: the head is complete, unless it is an interim one. */
static int end_head(aio_http_response *response)
{
    int err;

    if (response->status < 200 && response->status != 101)
        return 0;
    err = aio__httpc_head_complete(response);
    if (err < 0)
        return err;
    response->head_is_done = true;
    if (response->status >= 300)
        aio__httpc_upload_stop(response);
    aio__httpc_wake(response);
    return 0;
}

int aio__httpc_head_line(aio_http_response *response, const char *line, size_t size)
{
    while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == '\n' || line[size - 1] == ' ' ||
                        line[size - 1] == '\t'))
        size--;
    if (size == 0)
        return end_head(response);
    if (memchr(line, '\0', size) != NULL)
        return AIO_HTTP_EPROTOCOL; /* it would end a text early */
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0)
        return begin_head(response, line, size) ? 0 : AIO_HTTP_EPROTOCOL;
    if (line[0] == ' ' || line[0] == '\t')
        return continue_field(response, line, size);
    return add_field(response, line, size);
}

/* libcurl's: a line of a head, or of what follows a body in chunks, which nobody wants. */
static size_t on_head_line(char *line, size_t one, size_t size, void *arg)
{
    aio_http_response *response = arg;
    int err;

    (void)one;
    if (response->ended)
        return 0;
    moved(response);
    response->head_size += size;
    if (response->head_size > response->max_head) {
        aio__httpc_fail(response, AIO_HTTP_ETOOLARGE, "the head is over the limit");
        return 0;
    }
    if (response->head_is_done)
        return size;
    err = aio__httpc_head_line(response, line, size);
    if (err == 0)
        return size;
    aio__httpc_fail(response, err, err == AIO_ENOMEM ? "" : "the head is malformed");
    return 0;
}

/* --- the body --------------------------------------------------------------------------- */

/* libcurl's: a piece of the body. */
static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    aio_http_response *response = arg;
    bool takes_all = response->takes_all && response->inflater == NULL;
    size_t held = response->incoming.size;

    (void)one;
    if (response->ended)
        return 0;
    moved(response);
    if (takes_all && size > response->max_body - held) {
        aio__httpc_fail(response, AIO_HTTP_ETOOLARGE, "the body is over the limit");
        return 0;
    }
    if (!takes_all && held >= response->session->options.buffer_size) {
        response->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (aio__httpc_add(&response->incoming, data, size) < 0) {
        aio__httpc_fail(response, AIO_ENOMEM, "");
        return 0;
    }
    aio__httpc_wake(response);
    return size;
}

/* --- what is sent ----------------------------------------------------------------------- */

/* libcurl's: what is to be sent next. */
static size_t on_send(char *data, size_t one, size_t room, void *arg)
{
    aio_http_response *response = arg;
    aio_buffer *upload = &response->upload;
    size_t size = upload->size < room ? upload->size : room;

    (void)one;
    if (response->ended || response->upload_broken)
        return CURL_READFUNC_ABORT;
    moved(response);
    if (size == 0 && response->upload_is_all)
        return 0;
    if (size == 0) {
        response->upload_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    memcpy(data, upload->data, size);
    upload->data = (const char *)upload->data + size;
    upload->size -= size;
    response->uploaded += size;
    if (upload->size == 0)
        aio__httpc_wake(response);
    return size;
}

/* libcurl's: begin again, for a connection that was kept too long. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    aio_http_response *response = arg;

    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_CANTSEEK;
    if (!response->sends_stream)
        response->upload = (aio_buffer){response->body.data, response->body.size};
    else if (response->uploaded > 0)
        return CURL_SEEKFUNC_FAIL;
    return CURL_SEEKFUNC_OK;
}

/* --- what libcurl is told --------------------------------------------------------------- */

/* Collects the failures of options, which are all shortage of memory. */
#define SET(option, value)                                                                         \
    (result = result != CURLE_OK ? result : curl_easy_setopt(easy, (option), (value)))

static CURLcode set_method(aio_http_response *response, CURL *easy)
{
    CURLcode result = CURLE_OK;
    bool in_pieces = response->sends_stream || response->body.size > WHOLE_BODY;

    /* Undo what the handle did before; fields make it a POST, so they come first. */
    (void)SET(CURLOPT_POSTFIELDS, NULL);
    (void)SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)-1);
    (void)SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)-1);
    (void)SET(CURLOPT_CUSTOMREQUEST, NULL);
    (void)SET(CURLOPT_HTTPGET, 1L);
    response->upload = (aio_buffer){0};
    response->upload_is_all = !response->sends_stream;
    response->upload_paused = false;
    response->upload_broken = false;
    response->uploaded = 0;
    if (in_pieces) {
        size_t size = response->sends_stream ? response->stream_size : response->body.size;

        if (!response->sends_stream)
            response->upload = (aio_buffer){response->body.data, response->body.size};
        (void)SET(CURLOPT_UPLOAD, 1L);
        (void)SET(CURLOPT_INFILESIZE_LARGE, size > 0 ? (curl_off_t)size : (curl_off_t)-1);
    } else if (response->has_body) {
        (void)SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)response->body.size);
        (void)SET(CURLOPT_POSTFIELDS, response->body.size > 0 ? response->body.data : "");
    } else if (strcmp(response->method, "HEAD") == 0) {
        (void)SET(CURLOPT_NOBODY, 1L);
        return result;
    }
    if (in_pieces || response->has_body || strcmp(response->method, "GET") != 0)
        (void)SET(CURLOPT_CUSTOMREQUEST, response->method);
    return result;
}

static CURLcode set_proxy(const aio_http_response *response, CURL *easy)
{
    const struct aio__httpc_url *proxy = &response->proxy;
    CURLcode result = CURLE_OK;

    /* "": none, whatever the environment says. */
    (void)SET(CURLOPT_PROXY, proxy->text == NULL ? "" : proxy->text);
    (void)SET(CURLOPT_PROXYUSERNAME, proxy->user);
    (void)SET(CURLOPT_PROXYPASSWORD, proxy->password);
    return result;
}

static CURLcode set_tls(const aio_http_response *response, CURL *easy)
{
    const aio_http_session_options *options = &response->session->options;
    CURLcode result = CURLE_OK;

    (void)SET(CURLOPT_SSL_VERIFYPEER, response->insecure ? 0L : 1L);
    (void)SET(CURLOPT_SSL_VERIFYHOST, response->insecure ? 0L : 2L);
    (void)SET(CURLOPT_SSLCERT, options->cert_file);
    (void)SET(CURLOPT_SSLKEY, options->key_file);
    if (result == CURLE_OK && aio__httpc_trust_use(response->session, easy) < 0)
        result = CURLE_OUT_OF_MEMORY;
    return result;
}

static CURLcode set_connection(const aio_http_response *response, CURL *easy)
{
    const aio_http_session_options *options = &response->session->options;
    long version = CURL_HTTP_VERSION_1_1;
    CURLcode result = CURLE_OK;

    if (options->version != AIO_HTTP_1_1)
        version = options->version == AIO_HTTP_2 && !response->url.is_tls
                      ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                      : CURL_HTTP_VERSION_2TLS;
    (void)SET(CURLOPT_HTTP_VERSION, version);
    /* One connection for all, if the server has HTTP/2: the first shows it. */
    (void)SET(CURLOPT_PIPEWAIT, version == CURL_HTTP_VERSION_1_1 ||
                                        (version == CURL_HTTP_VERSION_2TLS && !response->url.is_tls)
                                    ? 0L
                                    : 1L);
    (void)SET(CURLOPT_FORBID_REUSE, options->force_close ? 1L : 0L);
    (void)SET(CURLOPT_MAXAGE_CONN, options->keepalive_timeout >= 1e6
                                       ? 1000000L
                                       : lround(ceil(options->keepalive_timeout)));
    (void)SET(CURLOPT_RESOLVE, response->resolve);
    (void)SET(CURLOPT_UNIX_SOCKET_PATH, options->unix_path);
    return result;
}

static CURLcode set_response(aio_http_response *response, CURL *easy)
{
    CURLcode result = CURLE_OK;

    (void)SET(CURLOPT_PRIVATE, response);
    (void)SET(CURLOPT_ERRORBUFFER, response->error);
    (void)SET(CURLOPT_HEADERDATA, response);
    (void)SET(CURLOPT_WRITEDATA, response);
    (void)SET(CURLOPT_READDATA, response);
    (void)SET(CURLOPT_SEEKDATA, response);
    (void)SET(CURLOPT_PREREQDATA, response);
    return result;
}

/* What is the same for all requests of a session. */
static CURLcode set_habits(const aio_http_session *session, CURL *easy)
{
    CURLcode result = CURLE_OK;

    (void)SET(CURLOPT_HEADERFUNCTION, on_head_line);
    (void)SET(CURLOPT_WRITEFUNCTION, on_body);
    (void)SET(CURLOPT_READFUNCTION, on_send);
    (void)SET(CURLOPT_SEEKFUNCTION, on_seek);
    (void)SET(CURLOPT_PREREQFUNCTION, on_connected);
    (void)SET(CURLOPT_NOSIGNAL, 1L);
    (void)SET(CURLOPT_PROTOCOLS_STR, "http,https");
    (void)SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void)SET(CURLOPT_CONNECTTIMEOUT_MS, 1000L * 86400); /* limits are ours */
    (void)SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_SIZE);
    (void)SET(CURLOPT_USERAGENT, "aioc/" VERSION);
    (void)SET(CURLOPT_NOPROXY, ""); /* for whatever host: the environment has no say */
    if (session->share != NULL) {
        (void)SET(CURLOPT_SHARE, session->share);
        (void)SET(CURLOPT_COOKIEFILE, ""); /* use its jar */
    }
    return result;
}

/* An easy handle with the session's habits; NULL when memory is short. */
static CURL *take_easy(aio_http_session *session)
{
    CURL *easy;

    if (session->idle_count > 0)
        return session->idle[--session->idle_count];
    easy = aio__httpc_easy_new(session);
    if (easy != NULL && set_habits(session, easy) != CURLE_OK) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

static int add_header(struct curl_slist **list, struct aio__bytes *line, const char *name,
                      const char *value)
{
    struct curl_slist *longer;
    int err;

    line->size = 0;
    err = aio__httpc_add_text(line, name);
    /* libcurl takes "Name:" as one to leave out, and "Name;" as an empty one. */
    if (err == 0)
        err = aio__httpc_add_text(line, value == NULL ? ":" : *value == '\0' ? ";" : ": ");
    if (err == 0 && value != NULL)
        err = aio__httpc_add_text(line, value);
    longer = err < 0 ? NULL : curl_slist_append(*list, line->data);
    if (longer == NULL)
        return AIO_ENOMEM;
    *list = longer;
    return 0;
}

static int make_headers(aio_http_response *response)
{
    const aio_http_session_options *options = &response->session->options;
    struct aio__bytes line = {0};
    int err = 0;

    for (size_t i = 0; i < response->field_count && err == 0; i++)
        err = add_header(&response->headers, &line, response->fields[i].name,
                         response->fields[i].value);
    if (err == 0 && !options->no_decompress &&
        aio__httpc_find_field(response->fields, response->field_count, "Accept-Encoding") == NULL)
        err = add_header(&response->headers, &line, "Accept-Encoding", AIO__HTTPC_ENCODINGS);
    if (err == 0 && (response->has_body || response->sends_stream)) {
        if (aio__httpc_find_field(response->fields, response->field_count, "Content-Type") == NULL)
            err = add_header(&response->headers, &line, "Content-Type", NULL);
        if (err == 0 &&
            aio__httpc_find_field(response->fields, response->field_count, "Expect") == NULL)
            err = add_header(&response->headers, &line, "Expect", NULL);
    }
    aio__bytes_free(&line);
    return err;
}

int aio__httpc_transfer_prepare(aio_http_response *response)
{
    CURLcode result = CURLE_OK;
    CURL *easy = take_easy(response->session);

    if (easy == NULL)
        return AIO_ENOMEM;
    response->easy = easy;
    response->socket_error = 0;
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, response);
    if (make_headers(response) < 0)
        return AIO_ENOMEM;
    result = set_method(response, easy);
    (void)SET(CURLOPT_URL, response->url.text);
    (void)SET(CURLOPT_HTTPHEADER, response->headers);
    (void)SET(CURLOPT_COOKIE, response->cookies);
    (void)SET(CURLOPT_USERNAME, response->user);
    (void)SET(CURLOPT_PASSWORD, response->password);
    result = result != CURLE_OK ? result : set_proxy(response, easy);
    result = result != CURLE_OK ? result : set_tls(response, easy);
    result = result != CURLE_OK ? result : set_connection(response, easy);
    result = result != CURLE_OK ? result : set_response(response, easy);
    return result == CURLE_OK ? 0 : AIO_ENOMEM;
}

void aio__httpc_transfer_reset(aio_http_response *response)
{
    response->ended = false;
    response->code = 0;
    response->why = NULL;
    response->error[0] = '\0';
    response->connected = false;
    response->head.size = 0;
    response->head_size = 0;
    response->received_count = 0;
    aio_free(response->received);
    response->received = NULL;
    response->head_is_done = false;
    response->incoming.size = 0;
    response->paused = false;
}

/* --- waiting ---------------------------------------------------------------------------- */

int aio__httpc_transfer_wait(aio_http_response *response)
{
    int err;

    if (response->waiter != NULL)
        return aio_raise(AIO_ERUNTIME, "another task is already waiting for this response");
    response->waiter = aio_future_new(response->session->loop);
    if (response->waiter == NULL)
        return AIO_ENOMEM;
    err = aio_await(response->waiter, NULL);
    aio_future_unref(response->waiter);
    response->waiter = NULL;
    return err;
}
