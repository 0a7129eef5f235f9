/* SPDX-License-Identifier: MIT */
/*
 * session.c - sessions: their options, their life and their cookies
 *
 * A session is referenced by the program and by every response. The engine's lists borrow: a
 * response leaves them before it goes.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define DEFAULT_TOTAL     300.0
#define DEFAULT_KEEPALIVE 15.0
enum {
    DEFAULT_LIMIT = 100,
    DEFAULT_REDIRECTS = 10,
    DEFAULT_HEAD = 64 * 1024,
    DEFAULT_BODY = 64 * 1024 * 1024,
    DEFAULT_BUFFER = 64 * 1024
};

/* --- constructors that fail ------------------------------------------------------------- */

static _Thread_local int last_failure = AIO_EVALUE;

int aio__httpc_failure(void)
{
    return last_failure == AIO_EVALUE
               ? aio_raise(AIO_EVALUE, "a session or form is needed, not NULL")
               : last_failure;
}

void aio__httpc_set_failure(int code)
{
    last_failure = code;
}

/* --- options ---------------------------------------------------------------------------- */

static int check_seconds(const char *what, double seconds)
{
    if (isnan(seconds) || seconds < 0)
        return aio_raise(AIO_EVALUE, "%s of 0 seconds or more, not %g", what, seconds);
    return 0;
}

static int check_unix_path(const char *path)
{
    if (path == NULL)
        return 0;
    if (path[0] == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return aio_raise(AIO_EVALUE, "a unix socket's path of 1 to 107 bytes, not %zu",
                         strlen(path));
    return 0;
}

static int check_options(const aio_http_session_options *options)
{
    int err;

    if (options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_http_session_options of another size");
    if ((unsigned)options->version > AIO_HTTP_2)
        return aio_raise(AIO_EVALUE, "no such version of HTTP: %d", (int)options->version);
    if (!aio__httpc_is_line(options->user == NULL ? "" : options->user) ||
        !aio__httpc_is_line(options->password == NULL ? "" : options->password))
        return aio_raise(AIO_EVALUE, "user or password have a control character");
    err = check_unix_path(options->unix_path);
    if (err == 0)
        err = aio__httpc_check_fields(options->headers, options->header_count);
    if (err == 0)
        err = check_seconds("a total_timeout", options->total_timeout);
    if (err == 0)
        err = check_seconds("a connect_timeout", options->connect_timeout);
    if (err == 0)
        err = check_seconds("a read_timeout", options->read_timeout);
    return err < 0 ? err : check_seconds("a keepalive_timeout", options->keepalive_timeout);
}

/* The texts of the options, each of them optional. */
static const char **text_of(aio_http_session_options *options, size_t index)
{
    const char **const texts[] = {&options->base_url, &options->user,   &options->password,
                                  &options->ca_file,  &options->ca_dir, &options->cert_file,
                                  &options->key_file, &options->proxy,  &options->unix_path};

    return index < sizeof(texts) / sizeof(texts[0]) ? texts[index] : NULL;
}

static int copy_texts(aio_http_session *session)
{
    const char **text;
    size_t size = 1;
    char *end;

    for (size_t i = 0; (text = text_of(&session->options, i)) != NULL; i++)
        size += *text == NULL ? 0 : strlen(*text) + 1;
    end = aio_malloc(size);
    if (end == NULL)
        return AIO_ENOMEM;
    session->texts = end;
    session->texts_size = size;
    for (size_t i = 0; (text = text_of(&session->options, i)) != NULL; i++)
        if (*text != NULL) {
            const char *copy = end;

            end = stpcpy(end, *text) + 1;
            *text = copy;
        }
    return 0;
}

static void set_defaults(aio_http_session_options *options)
{
    if (options->limit == 0)
        options->limit = DEFAULT_LIMIT;
    if (options->limit_per_host == 0)
        options->limit_per_host = AIO_HTTP_UNLIMITED;
    if (options->keepalive_timeout == 0)
        options->keepalive_timeout = DEFAULT_KEEPALIVE;
    if (options->total_timeout == 0)
        options->total_timeout = DEFAULT_TOTAL;
    if (options->connect_timeout == 0)
        options->connect_timeout = AIO_FOREVER;
    if (options->read_timeout == 0)
        options->read_timeout = AIO_FOREVER;
    if (options->max_redirects == 0)
        options->max_redirects = DEFAULT_REDIRECTS;
    if (options->max_head == 0)
        options->max_head = DEFAULT_HEAD;
    if (options->max_body == 0)
        options->max_body = DEFAULT_BODY;
    if (options->buffer_size == 0)
        options->buffer_size = DEFAULT_BUFFER;
}

int aio__httpc_read_proxy(const aio_http_session *session, const char *text,
                          struct aio__httpc_url *url)
{
    if (text == NULL || *text == '\0')
        return 0;
    if (session->options.unix_path != NULL)
        return aio_raise(AIO_EVALUE, "no proxy is asked by way of a unix socket");
    return aio__httpc_url_read_proxy(url, text);
}

static int set_up(aio_http_session *session, const aio_http_session_options *options)
{
    char *field_texts = NULL;
    int err = 0;

    session->options = *options;
    err = copy_texts(session);
    if (err == 0)
        err = aio__httpc_copy_fields(options->headers, options->header_count, &session->fields,
                                     &field_texts);
    if (err < 0)
        return err;
    session->field_texts = field_texts;
    session->options.headers = session->fields;
    set_defaults(&session->options);
    if (options->base_url != NULL)
        err = aio__httpc_url_read(&session->base, NULL, options->base_url, NULL, 0);
    if (err == 0)
        err = aio__httpc_read_proxy(session, options->proxy, &session->proxy);
    if (err < 0)
        return err;
    session->trust_lock = aio_lock_new();
    return session->trust_lock == NULL ? AIO_ENOMEM : aio__httpc_engine_open(session);
}

/* --- life ------------------------------------------------------------------------------- */

static void free_session(aio_http_session *session)
{
    if (session->texts != NULL)
        explicit_bzero(session->texts, session->texts_size);
    aio_free(session->texts);
    aio_free(session->fields);
    aio_free(session->field_texts);
    aio__httpc_url_free(&session->base);
    aio__httpc_url_free(&session->proxy);
    aio_free(session->last_text);
    aio__httpc_url_free(&session->last);
    aio_lock_unref(session->trust_lock);
    aio_loop_unref(session->loop);
    aio_free(session);
}

aio_http_session *aio_http_session_new(const aio_http_session_options *options)
{
    static const aio_http_session_options defaults = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_session *session = NULL;
    aio_loop *loop = aio_get_event_loop();
    int err = 0;

    aio__httpc_register_errors();
    if (options == NULL)
        options = &defaults;
    if (loop == NULL)
        err = AIO_ENOLOOP;
    else if (aio_loop_is_closed(loop))
        err = aio_raise(AIO_ECLOSED, "Event loop is closed");
    else
        err = check_options(options);
    if (err == 0) {
        session = aio_calloc(1, sizeof(*session));
        err = session == NULL ? AIO_ENOMEM : 0;
    }
    if (session == NULL)
        goto failed;
    session->refs = 1;
    session->loop = aio_loop_ref(loop);
    aio__httpc_link_init(&session->added);
    aio__httpc_link_init(&session->work);
    aio__httpc_link_init(&session->names);
    err = set_up(session, options);
    if (err == 0)
        return session;
    session->closed = true;
    aio__httpc_engine_close(session);
    free_session(session);
failed:
    aio__httpc_set_failure(err);
    return NULL;
}

aio_http_session *aio_http_session_ref(aio_http_session *session)
{
    if (session != NULL)
        session->refs++;
    return session;
}

void aio_http_session_unref(aio_http_session *session)
{
    if (session == NULL || --session->refs != 0)
        return;
    session->refs = 1; /* closing drops and takes some */
    aio_http_session_close(session);
    free_session(session);
}

void aio_http_session_close(aio_http_session *session)
{
    if (session == NULL || session->closed)
        return;
    session->closed = true;
    aio__httpc_engine_close(session);
    aio__httpc_names_free(session);
    aio__httpc_trust_free(session);
}

bool aio_http_session_is_closed(const aio_http_session *session)
{
    return session == NULL || session->closed;
}

int aio_http_session_exit(aio_http_session *session, int code)
{
    if (session == NULL)
        return code < 0 ? code : aio__httpc_failure();
    aio_http_session_close(session);
    aio_http_session_unref(session);
    return code;
}

int aio_http_session_get_stats(const aio_http_session *session, aio_http_session_stats *ret_stats)
{
    if (session == NULL)
        return aio__httpc_failure();
    if (ret_stats == NULL || ret_stats->size != sizeof(*ret_stats))
        return aio_raise(AIO_EVALUE, "aio_http_session_stats of another size");
    *ret_stats = session->stats;
    ret_stats->size = sizeof(*ret_stats);
    return 0;
}
