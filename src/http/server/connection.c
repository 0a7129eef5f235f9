/* SPDX-License-Identifier: MIT */
/*
 * connection.c - from bytes to requests, one after the other
 *
 * A request at a time: input that belongs to the next one waits until the answer to this one is
 * sent, which keeps answers in order, and the peer is stopped when too much waits. Answers that come
 * while input is being used are written together at its end, so that pipelined requests cost one
 * system call.
 *
 * The happy path: HEAD, a head is whole; REQUEST, its handler runs, the body comes; both are over;
 * HEAD. Otherwise LINGER, so that the peer can read the answer before its unread bytes make the
 * system reset the connection, then DONE.
 *
 * Thread: the loop's.
 */
#include "http/server/connection.h"

#include <aio/memory.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct aio__http_connection *connection_of(aio_protocol *base)
{
    return (struct aio__http_connection *)base;
}

/* --- the end ---------------------------------------------------------------------------- */

void aio__http_close(struct aio__http_connection *conn)
{
    if (conn->state == AIO__HTTP_DONE)
        return;
    aio__http_flush(conn);
    conn->state = AIO__HTTP_DONE;
    aio__http_wait_for(conn, AIO__WAIT_NOTHING);
    aio_transport_close(conn->transport);
    aio__http_expect_written(conn);
}

/* Close, but let the peer read what was said before its own bytes meet a closed socket. */
static void linger(struct aio__http_connection *conn)
{
    aio__http_flush(conn);
    if (conn->state == AIO__HTTP_DONE)
        return;
    if (!aio_transport_can_write_eof(conn->transport) ||
        aio_transport_write_eof(conn->transport) < 0) {
        aio__http_close(conn);
        return;
    }
    conn->state = AIO__HTTP_LINGER;
    conn->in.size = 0;
    aio__http_wait_for(conn, AIO__WAIT_LINGER);
    aio__http_regulate(conn);
}

/* --- requests --------------------------------------------------------------------------- */

/* The request is over: its memory serves the next one. */
static void drop_request(struct aio__http_connection *conn)
{
    aio_http_request *request = conn->request;

    conn->request = NULL;
    request->connection = NULL;
    if (atomic_load_explicit(&request->refs, memory_order_acquire) == 1 && conn->spare == NULL) {
        aio__http_request_reset(request);
        conn->spare = request;
    } else {
        aio_http_request_unref(request);
    }
}

static void expect_request(struct aio__http_connection *conn)
{
    drop_request(conn);
    conn->state = AIO__HTTP_HEAD;
    conn->scan = (struct aio__http_scan){0};
    conn->skipped_line = false;
    if (conn->server->stopping)
        aio__http_close(conn);
    else
        aio__http_wait_for(conn, AIO__WAIT_IDLE);
}

static int use_input_again(void *arg);

/* Input waits that may be a request. From the loop: we are inside a handler's task. */
static void use_input_soon(struct aio__http_connection *conn)
{
    if (conn->taking || conn->again != NULL || conn->in.size == 0)
        return;
    if (aio_loop_call_soon(conn->loop, use_input_again, conn, &conn->again) < 0)
        aio_transport_abort(conn->transport);
}

void aio__http_answered(struct aio__http_connection *conn)
{
    if (conn->state != AIO__HTTP_REQUEST)
        return;
    if (!conn->keep) {
        /* Only what nobody will read can make the system reset the connection. */
        if (conn->request->body_over && conn->in.size == 0 && !conn->taking)
            aio__http_close(conn);
        else
            linger(conn);
        return;
    }
    if (!conn->taking)
        aio__http_flush(conn);
    if (!conn->request->body_over || conn->state != AIO__HTTP_REQUEST)
        return; /* the rest of it is dropped as it comes */
    expect_request(conn);
    use_input_soon(conn);
}

static bool take_request_object(struct aio__http_connection *conn)
{
    conn->request = conn->spare;
    conn->spare = NULL;
    if (conn->request == NULL)
        conn->request = aio__http_request_new();
    if (conn->request == NULL)
        return false;
    conn->request->connection = conn;
    if (conn->request->client[0] == '\0')
        memcpy(conn->request->client, conn->client, sizeof(conn->client));
    return true;
}

/* What was no head has no method and target: there is nothing to answer but the connection. */
static void make_nameless(aio_http_request *request)
{
    request->head.size = 0;
    request->header_count = 0;
    request->method = (char *)(uintptr_t) "-";
    request->target = (char *)(uintptr_t) "-";
    request->minor = 1;
}

void aio__http_refuse(struct aio__http_connection *conn, int status)
{
    conn->server->stats.bad++;
    if (conn->request == NULL) {
        if (!take_request_object(conn)) {
            aio_transport_abort(conn->transport);
            return;
        }
        make_nameless(conn->request);
        conn->state = AIO__HTTP_REQUEST;
    }
    if (conn->request->answer >= AIO__ANSWER_BEGUN) {
        aio_transport_abort(conn->transport); /* the answer cannot be taken back */
        return;
    }
    aio__http_respond_plain(conn->request, status);
    conn->request->keep_alive = false;
    conn->request->body_over = false; /* whatever comes is not to be understood */
    aio__http_send_answer(conn);
    aio__http_answered(conn);
}

/* A head is whole. */
static void begin_request(struct aio__http_connection *conn, const char *head, size_t size)
{
    aio_http_request *request;
    int status;

    if (!take_request_object(conn)) {
        aio_transport_abort(conn->transport);
        return;
    }
    request = conn->request;
    conn->state = AIO__HTTP_REQUEST;
    status = aio__http_parse_head(&conn->parser, request, head, size);
    if (status == 0 && request->bad_expectation)
        status = 417;
    if (status != 0) {
        if (request->path == NULL)
            make_nameless(request);
        aio__http_refuse(conn, status);
        return;
    }
    aio__http_wait_for(conn, request->body_over ? AIO__WAIT_NOTHING : AIO__WAIT_BODY);
    conn->server->stats.requests++;
    aio__http_handle(conn);
}

/* Gives how many bytes were used; 0: more has to come. */
static size_t take_head(struct aio__http_connection *conn, const char *data, size_t size)
{
    size_t limit = conn->server->options.max_head_size;
    ptrdiff_t end;

    if (conn->scan.at == 0 && !conn->skipped_line && data[0] == '\r') {
        if (size == 1)
            return 0;
        conn->skipped_line = true; /* some clients send one behind a body (RFC 9112, 2.2) */
        if (data[1] == '\n')
            return 2;
    }
    end = aio__http_scan_head(&conn->scan, data, size);
    if (end == AIO__SCAN_BAD) {
        aio__http_refuse(conn, 400);
    } else if (end > (ptrdiff_t)limit || (end == AIO__SCAN_MORE && size > limit)) {
        aio__http_refuse(conn, 431);
    } else if (end > 0) {
        begin_request(conn, data, (size_t)end);
        return (size_t)end;
    } else if (conn->wait != AIO__WAIT_HEAD) {
        aio__http_wait_for(conn, AIO__WAIT_HEAD);
    }
    return 0;
}

static size_t take_body(struct aio__http_connection *conn, const char *data, size_t size)
{
    aio_http_request *request = conn->request;
    size_t used = 0;
    int status = aio__http_parse_body(&conn->parser, data, size, &used);

    if (status != 0) {
        conn->server->stats.bad++;
        request->body_status = status; /* a handler that still runs learns of it when it reads */
        aio__http_wait_for(conn, AIO__WAIT_NOTHING);
        aio__http_wake(request->reader);
        if (!conn->handling)
            linger(conn);
        return used;
    }
    if (request->body_over)
        aio__http_wait_for(conn, AIO__WAIT_NOTHING);
    aio__http_wake(request->reader);
    if (request->body_over && !conn->handling)
        expect_request(conn);
    return used;
}

/* Use input as far as possible; gives how many bytes were used. */
static size_t take(struct aio__http_connection *conn, const char *data, size_t size)
{
    size_t used = 0;

    while (used < size) {
        enum aio__http_state before = conn->state;
        size_t now;

        if (conn->state >= AIO__HTTP_LINGER)
            return size; /* dropped */
        if (conn->state == AIO__HTTP_HEAD && !conn->writing_paused)
            now = take_head(conn, data + used, size - used);
        else if (conn->state == AIO__HTTP_REQUEST && !conn->request->body_over &&
                 conn->request->body_status == 0)
            now = take_body(conn, data + used, size - used);
        else
            break;
        used += now;
        if (now == 0 && conn->state == before)
            break;
    }
    return used;
}

/* Use new input behind that which waits. */
static int use_input(struct aio__http_connection *conn, const char *data, size_t size)
{
    bool waited = conn->in.size > 0;
    size_t used;
    int err = 0;

    if (waited) {
        err = aio__bytes_append(&conn->in, data, size);
        if (err < 0)
            return err;
        data = conn->in.data;
        size = conn->in.size;
    }
    conn->taking = true;
    used = take(conn, data, size);
    conn->taking = false;
    if (conn->state >= AIO__HTTP_LINGER)
        conn->in.size = 0;
    else if (waited)
        aio__bytes_drop(&conn->in, used);
    else
        err = aio__bytes_append(&conn->in, data + used, size - used);
    if (conn->in.size == 0)
        aio__bytes_clear(&conn->in, AIO__HTTP_KEPT);
    aio__http_flush(conn);
    aio__http_regulate(conn);
    return err;
}

static int use_input_again(void *arg)
{
    struct aio__http_connection *conn = arg;

    aio_handle_unref(conn->again);
    conn->again = NULL;
    if (conn->state == AIO__HTTP_DONE || conn->in.size == 0)
        return 0; /* others have used it */
    return use_input(conn, "", 0);
}

void aio__http_regulate(struct aio__http_connection *conn)
{
    const aio_http_request *request = conn->request;
    size_t waiting = conn->in.size;
    bool stop;

    if (conn->state == AIO__HTTP_DONE)
        return;
    if (conn->state == AIO__HTTP_REQUEST && !request->body_whole && !request->body_over)
        waiting += request->body.size - request->body_read;
    /* Part of a head has its own limit, and nothing else can make room for it. */
    stop = waiting > AIO__HTTP_WAITING && conn->state != AIO__HTTP_LINGER &&
           !(conn->state == AIO__HTTP_HEAD && !conn->writing_paused);
    if (stop == conn->reading_paused)
        return;
    conn->reading_paused = stop;
    if (stop)
        (void)aio_transport_pause_reading(conn->transport);
    else
        (void)aio_transport_resume_reading(conn->transport);
    if (conn->wait == AIO__WAIT_BODY)
        aio__http_wait_for(conn, AIO__WAIT_BODY); /* the time of a stopped peer does not count */
}

/* --- the protocol ----------------------------------------------------------------------- */

static void name_client(struct aio__http_connection *conn)
{
    const struct sockaddr *peer = aio_transport_get_extra_info(conn->transport, "peername");
    char host[INET6_ADDRSTRLEN] = "";

    if (peer == NULL)
        return;
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *name = (const void *)peer;

        (void)inet_ntop(AF_INET, &name->sin_addr, host, sizeof(host));
        (void)snprintf(conn->client, sizeof(conn->client), "%s:%d", host, ntohs(name->sin_port));
    } else if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *name = (const void *)peer;

        (void)inet_ntop(AF_INET6, &name->sin6_addr, host, sizeof(host));
        (void)snprintf(conn->client, sizeof(conn->client), "%s:%d", host, ntohs(name->sin6_port));
    }
}

static int connection_made(aio_protocol *base, aio_transport *transport)
{
    struct aio__http_connection *conn = connection_of(base);

    conn->transport = aio_transport_ref(transport);
    conn->state = AIO__HTTP_HEAD;
    name_client(conn);
    aio__http_server_opened(conn);
    if (conn->server->stopping)
        aio__http_close(conn);
    else
        aio__http_wait_for(conn, AIO__WAIT_IDLE);
    return 0;
}

static int data_received(aio_protocol *base, const void *data, size_t size)
{
    struct aio__http_connection *conn = connection_of(base);

    return conn->state == AIO__HTTP_DONE ? 0 : use_input(conn, data, size);
}

static void cancel_handler(struct aio__http_connection *conn)
{
    if (conn->handling && !conn->cancelled)
        conn->cancelled = aio_task_cancel(conn->task, "the client is gone");
}

static bool eof_received(aio_protocol *base)
{
    struct aio__http_connection *conn = connection_of(base);

    if (conn->state == AIO__HTTP_DONE)
        return false;
    cancel_handler(conn);
    conn->state = AIO__HTTP_DONE;
    aio__http_wait_for(conn, AIO__WAIT_NOTHING);
    aio__http_expect_written(conn);
    return false;
}

/* A handler that still runs goes on with the request alone, until its cancellation ends it. */
static void leave_request(struct aio__http_connection *conn)
{
    aio_http_request *request = conn->request;

    if (request == NULL)
        return;
    conn->request = NULL;
    request->connection = NULL;
    aio__http_wake(request->reader);
    aio__http_wake(request->writer);
    if (conn->handling)
        cancel_handler(conn);
    else
        aio_http_request_unref(request);
}

static int connection_lost(aio_protocol *base, aio_exception *error)
{
    struct aio__http_connection *conn = connection_of(base);

    conn->state = AIO__HTTP_DONE;
    leave_request(conn);
    aio__http_stop_clock(conn);
    aio_handle_cancel(conn->again);
    aio__http_server_lost(conn);
    return 0;
}

static int pause_writing(aio_protocol *base)
{
    struct aio__http_connection *conn = connection_of(base);

    conn->writing_paused = true;
    aio__http_expect_written(conn);
    return 0;
}

static int resume_writing(aio_protocol *base)
{
    struct aio__http_connection *conn = connection_of(base);

    conn->writing_paused = false;
    if (conn->state == AIO__HTTP_DONE)
        return 0;
    aio__http_is_written(conn);
    if (conn->request != NULL)
        aio__http_wake(conn->request->writer);
    use_input_soon(conn);
    return 0;
}

/* Also without connection_lost: the handshake failed, or the loop was closed. */
static void release(aio_protocol *base)
{
    struct aio__http_connection *conn = connection_of(base);

    if (conn->state != AIO__HTTP_DONE || conn->transport != NULL)
        (void)connection_lost(base, NULL);
    aio_handle_unref(conn->again);
    aio_future_unref(conn->task);
    aio_transport_unref(conn->transport);
    aio_http_request_unref(conn->spare);
    aio__bytes_free(&conn->in);
    aio__bytes_free(&conn->out);
    conn->server->stats.connections--;
    aio_http_server_unref(conn->server);
    aio_free(conn);
}

static const aio_protocol_ops connection_ops = {
    .size = sizeof(aio_protocol_ops),
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
    .data_received = data_received,
    .eof_received = eof_received,
};

aio_protocol *aio__http_connection_new(void *server)
{
    struct aio__http_connection *conn = aio_calloc(1, sizeof(*conn));

    if (conn == NULL) {
        (void)aio_raise(AIO_ENOMEM, "no memory for a connection");
        return NULL;
    }
    conn->base.ops = &connection_ops;
    conn->server = aio_http_server_ref(server);
    conn->server->stats.connections++; /* also while it is not open yet: TLS may take its time */
    conn->loop = conn->server->loop;
    conn->state = AIO__HTTP_DONE;
    conn->read_at = AIO_FOREVER;
    conn->write_at = AIO_FOREVER;
    conn->parser.max_headers = conn->server->options.max_headers;
    conn->parser.max_body = conn->server->options.max_body_size;
    return &conn->base;
}
