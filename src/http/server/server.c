/* SPDX-License-Identifier: MIT */
/*
 * server.c - all connections together: the start, the orderly end, and what is told of requests
 *
 * A server is referenced by its user and by each connection.
 *
 * Thread: the loop's.
 */
#include "http/common/status.h"
#include "http/server/connection.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <aio/timeout.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static const aio_error_class classes[] = {
    {AIO_HTTP_EABORT, 0, "HTTPException", "an answer is prepared"},
    {0, 0, NULL, NULL},
};

static const double LAST_GRACE = 1.0; /* seconds for handlers that were cancelled to end */

/* --- connections ------------------------------------------------------------------------ */

void aio__http_server_opened(struct aio__http_connection *conn)
{
    aio_http_server *server = conn->server;

    conn->next = server->first;
    if (conn->next != NULL)
        conn->next->previous = conn;
    server->first = conn;
}

void aio__http_server_lost(struct aio__http_connection *conn)
{
    aio_http_server *server = conn->server;

    if (conn->transport == NULL)
        return; /* it was never open */
    if (conn->previous != NULL)
        conn->previous->next = conn->next;
    else
        server->first = conn->next;
    if (conn->next != NULL)
        conn->next->previous = conn->previous;
    conn->previous = NULL;
    conn->next = NULL;
    aio_transport_unref(conn->transport);
    conn->transport = NULL;
    aio__http_server_check_end(server);
}

void aio__http_server_check_end(aio_http_server *server)
{
    if (server->first == NULL && server->after == NULL)
        aio__http_wake(server->drained);
}

static aio_protocol *make_protocol(void *arg)
{
    aio_http_server *server = arg;
    aio_protocol *protocol;

    if (server->stats.connections >= server->options.max_connections) {
        server->stats.refused++;
        (void)aio_raise(AIO_ERUNTIME, "too many connections");
        return NULL;
    }
    protocol = aio__http_connection_new(server);
    if (protocol != NULL)
        server->stats.accepted++;
    return protocol;
}

/* --- telling ---------------------------------------------------------------------------- */

const char *aio__http_server_date(aio_http_server *server)
{
    double now = aio_loop_time(server->loop);

    if (server->dated < 0 || now - server->dated >= 1.0) {
        aio__http_date(time(NULL), server->date);
        server->dated = now;
    }
    return server->date;
}

void aio__http_server_log(aio_http_server *server, const aio_http_request *request)
{
    aio_http_access access = {.size = sizeof(access)};

    if (server->options.access == NULL || request->path == NULL)
        return;
    access.client = request->client;
    access.method = request->method;
    access.target = request->target;
    access.version = aio_http_request_version(request);
    access.status = request->status;
    access.phrase = aio__http_phrase(request->status);
    access.sent = request->sent;
    server->options.access(&access, server->options.access_arg);
}

void aio_http_access_log(const aio_http_access *access, void *file)
{
    fprintf(file == NULL ? stdout : file, "INFO:     %s - \"%s %s HTTP/%s\" %d %s\n",
            access->client, access->method, access->target, access->version, access->status,
            access->phrase);
}

int aio_http_server_get_stats(const aio_http_server *server, aio_http_server_stats *ret_stats)
{
    if (server == NULL || ret_stats == NULL || ret_stats->size != sizeof(*ret_stats))
        return aio_raise(AIO_EVALUE, "no server, or no statistics of this size");
    *ret_stats = server->stats;
    ret_stats->size = sizeof(*ret_stats);
    return 0;
}

/* --- life ------------------------------------------------------------------------------- */

aio_http_server *aio_http_server_ref(aio_http_server *server)
{
    if (server != NULL)
        server->refs++;
    return server;
}

void aio_http_server_unref(aio_http_server *server)
{
    if (server == NULL || --server->refs != 0)
        return;
    aio_server_unref(server->listener);
    aio_tls_context_unref(server->options.tls);
    aio_loop_unref(server->loop);
    aio_free(server->name);
    aio_free(server);
}

int aio_http_server_port(const aio_http_server *server)
{
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof(name);
    int fd = -1;

    if (server == NULL || aio_server_sockets(server->listener, &fd, 1) == 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return 0;
    if (name.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&name)->sin_port);
    if (name.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
    return 0;
}

static void default_time(double *time, double value)
{
    if (*time == 0)
        *time = value;
}

static void default_size(size_t *size, size_t value)
{
    if (*size == 0)
        *size = value;
}

static void fill_in(aio_http_server_options *options)
{
    if (options->backlog == 0)
        options->backlog = 2048;
    default_size(&options->max_connections, 10000);
    default_size(&options->max_head_size, 16 * 1024);
    default_size(&options->max_headers, 100);
    if (options->max_body_size == 0)
        options->max_body_size = 16 * 1024 * 1024;
    default_time(&options->head_timeout, 10);
    default_time(&options->body_timeout, 30);
    default_time(&options->idle_timeout, 5);
    default_time(&options->write_timeout, 30);
    default_time(&options->min_rate, 1000);
    default_time(&options->shutdown_timeout, 30);
}

/* Positive, and a number: comparing NaN gives false. */
static bool are_good(const aio_http_server_options *options)
{
    return options->head_timeout > 0 && options->body_timeout > 0 && options->idle_timeout > 0 &&
           options->write_timeout > 0 && options->min_rate > 0 && options->shutdown_timeout > 0;
}

static aio_http_server *server_new(aio_http_handler_fn handler, void *arg,
                                   const aio_http_server_options *options)
{
    aio_http_server *server = aio_calloc(1, sizeof(*server));

    if (server == NULL)
        return NULL;
    server->name = aio_strdup(options->name == NULL ? "aioc" : options->name);
    if (server->name == NULL) {
        aio_free(server);
        return NULL;
    }
    server->refs = 1;
    server->loop = aio_loop_ref(aio_get_running_loop());
    server->handler = handler;
    server->arg = arg;
    server->options = *options;
    server->options.tls = aio_tls_context_ref(options->tls);
    server->dated = -1;
    return server;
}

/* 0: the default. */
static double handshake_timeout(const aio_http_server_options *options)
{
    return options->tls != NULL && options->head_timeout != AIO_FOREVER ? options->head_timeout : 0;
}

int aio__http_check_place(const aio_http_server_options *options)
{
    if (options->path != NULL &&
        (options->host != NULL || options->port != 0 || options->sock >= 0))
        return aio_raise(AIO_EVALUE,
                         "path and host/port/sock can not be specified at the same time");
    return 0;
}

/* At a unix socket's file. */
static int listen_at(aio_http_server *server)
{
    const aio_http_server_options *options = &server->options;
    aio_unix_server_options listening = AIO_UNIX_SERVER_OPTIONS_INIT;
    int err = aio__http_check_place(options);

    if (err < 0)
        return err;
    listening.path = options->path;
    listening.backlog = options->backlog;
    listening.ssl = options->tls;
    listening.ssl_handshake_timeout = handshake_timeout(options);
    return aio_loop_create_unix_server(server->loop, make_protocol, server, &listening,
                                       &server->listener);
}

static int listen_on(aio_http_server *server)
{
    const aio_http_server_options *options = &server->options;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;

    listening.host = options->sock >= 0 ? NULL : options->host;
    listening.port = options->sock >= 0 ? -1 : options->port;
    listening.sock = options->sock;
    listening.backlog = options->backlog;
    listening.reuse_port = options->reuse_port;
    listening.ssl = options->tls;
    listening.ssl_handshake_timeout = handshake_timeout(options);
    return aio_loop_create_server(server->loop, make_protocol, server, &listening,
                                  &server->listener);
}

int aio_http_server_start(aio_http_handler_fn handler, void *arg,
                          const aio_http_server_options *options, aio_http_server **ret_server)
{
    aio_http_server_options filled = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server;
    int err;

    if (options != NULL)
        filled = *options;
    if (handler == NULL || ret_server == NULL || filled.size != sizeof(filled))
        return aio_raise(AIO_EVALUE, "no handler, or options of another size");
    fill_in(&filled);
    if (!are_good(&filled))
        return aio_raise(AIO_EVALUE, "a time or rate is not above 0");
    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can start a server");
    (void)aio_error_register(classes); /* without it the code has a plainer name */
    server = server_new(handler, arg, &filled);
    if (server == NULL)
        return AIO_ENOMEM;
    err = server->options.path != NULL ? listen_at(server) : listen_on(server);
    if (err < 0) {
        aio_http_server_unref(server);
        return err;
    }
    *ret_server = server;
    return 0;
}

/* --- the end ---------------------------------------------------------------------------- */

/* Wait until the last connection is gone, and what was to be done behind answers is. */
static int drain(aio_http_server *server, double seconds)
{
    AIO_AUTO(aio_timeout) limit = aio_timeout_new(seconds);
    int err = aio_timeout_enter(limit);

    if (err < 0)
        return err;
    while (err == 0 && (server->first != NULL || server->after != NULL)) {
        server->drained = aio_future_new(server->loop);
        err = aio_await(server->drained, NULL);
        aio_future_unref(server->drained);
        server->drained = NULL;
    }
    return aio_timeout_exit(limit, err);
}

/* Those that wait for a request, or for the rest of one that is answered. */
static void close_idle(aio_http_server *server)
{
    struct aio__http_connection *next;

    for (struct aio__http_connection *conn = server->first; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->state == AIO__HTTP_HEAD || (conn->state == AIO__HTTP_REQUEST && !conn->handling))
            aio__http_close(conn);
    }
}

static void cancel_handlers(aio_http_server *server)
{
    for (struct aio__http_connection *conn = server->first; conn != NULL; conn = conn->next) {
        if (conn->handling && !conn->cancelled)
            conn->cancelled = aio_task_cancel(conn->task, "the server stops");
    }
    aio__http_cancel_after(server);
}

/* Drain by force what did not end in time. */
static int drain_by_force(aio_http_server *server)
{
    int err;

    cancel_handlers(server);
    err = drain(server, LAST_GRACE);
    aio_server_abort_clients(server->listener);
    return err == AIO_ETIMEDOUT ? drain(server, LAST_GRACE) : err;
}

int aio_http_server_stop(aio_http_server *server)
{
    int err;

    if (server == NULL)
        return aio_raise(AIO_EVALUE, "no server");
    if (server->drained != NULL)
        return aio_raise(AIO_ERUNTIME, "another task stops the server");
    server->stopping = true;
    aio_server_close(server->listener);
    close_idle(server);
    (void)aio_http_server_ref(server);
    err = drain(server, server->options.shutdown_timeout);
    if (err == AIO_ETIMEDOUT) {
        err = drain_by_force(server);
        err = err == 0 || err == AIO_ETIMEDOUT
                  ? aio_raise(AIO_ETIMEDOUT, "requests did not end in time, and were cut off")
                  : err;
    }
    if (err < 0 && err != AIO_ETIMEDOUT) {
        cancel_handlers(server);
        aio_server_abort_clients(server->listener);
    }
    aio_http_server_unref(server);
    return err;
}
