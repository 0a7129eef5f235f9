/* SPDX-License-Identifier: MIT */
/*
 * answer.c - from an answer to bytes
 *
 * Thread: the loop's.
 */
#include "http/common/status.h"
#include "http/server/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { COPIED = 16 * 1024 }; /* a body up to this goes into one piece with its head */

void aio__http_flush(struct aio__http_connection *conn)
{
    if (conn->out.size == 0 || conn->state == AIO__HTTP_DONE)
        return;
    /* What goes wrong ends the connection, which is told of it. */
    (void)aio_transport_write(conn->transport, conn->out.data, conn->out.size);
    aio__bytes_clear(&conn->out, AIO__HTTP_KEPT);
}

/* --- the head --------------------------------------------------------------------------- */

/* Whether answers of a status have no body by definition. */
static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

static bool is_head(const aio_http_request *request)
{
    return strcmp(request->method, "HEAD") == 0;
}

/* Whether the connection can serve another request: what is left of this one is not too much. */
static bool can_keep(const struct aio__http_connection *conn)
{
    const aio_http_request *request = conn->request;

    if (!request->keep_alive || conn->server->stopping)
        return false;
    if (request->body_over)
        return true;
    /* A client that waits for "100 Continue" may send the body or not: there is no telling. */
    return !request->wants_continue && !request->chunked && request->body_status == 0 &&
           request->content_length - request->body_received <= AIO__HTTP_DISCARDED;
}

/* A number in decimal digits, as everywhere in a head: snprintf costs more than the rest of it. */
static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

/* How the body's length is told. */
static char *put_length(char *to, const struct aio__http_connection *conn, uint64_t length)
{
    const aio_http_request *request = conn->request;

    if (has_no_body(request->status))
        return to;
    if (length != AIO_HTTP_UNKNOWN_LENGTH) {
        to = put_number(stpcpy(to, "content-length: "), length);
        return stpcpy(to, "\r\n");
    }
    return request->minor == 0 ? to : stpcpy(to, "transfer-encoding: chunked\r\n");
}

static char *put_connection(char *to, const struct aio__http_connection *conn)
{
    if (!conn->keep)
        return stpcpy(to, "connection: close\r\n");
    if (conn->request->minor == 0)
        return stpcpy(to, "connection: keep-alive\r\n");
    return to;
}

/* Put the head into `out`; `length` is the body's. 0, or AIO_ENOMEM. */
static int put_head(struct aio__http_connection *conn, uint64_t length)
{
    aio_http_request *request = conn->request;
    aio_http_server *server = conn->server;
    const char *date = aio__http_server_date(server);
    char *to;
    int err;

    conn->keep = can_keep(conn) && !(length == AIO_HTTP_UNKNOWN_LENGTH && request->minor == 0);
    /* All that is not counted is short, the longest phrase and type included. */
    err = aio__bytes_reserve(&conn->out, 512 + strlen(server->name) + request->fields.size);
    if (err < 0)
        return err;
    to = conn->out.data + conn->out.size;
    to = put_number(stpcpy(to, "HTTP/1.1 "), (uint64_t)request->status);
    *to++ = ' ';
    to = stpcpy(to, aio__http_phrase(request->status));
    to = stpcpy(stpcpy(to, "\r\ndate: "), date);
    to = stpcpy(to, "\r\n");
    if (server->name[0] != '\0')
        to = stpcpy(stpcpy(stpcpy(to, "server: "), server->name), "\r\n");
    to = put_length(to, conn, length);
    if (request->type[0] != '\0')
        to = stpcpy(stpcpy(stpcpy(to, "content-type: "), request->type), "\r\n");
    to = put_connection(to, conn);
    if (request->fields.size > 0)
        memcpy(to, request->fields.data, request->fields.size);
    to = stpcpy(to + request->fields.size, "\r\n");
    conn->out.size = (size_t)(to - conn->out.data);
    return 0;
}

/* --- whole answers ---------------------------------------------------------------------- */

/* Write head and body, the latter from where it is. */
static void write_both(struct aio__http_connection *conn, const struct aio__bytes *body)
{
    aio_buffer buffers[] = {{conn->out.data, conn->out.size}, {body->data, body->size}};

    (void)aio_transport_writelines(conn->transport, buffers, 2);
    aio__bytes_clear(&conn->out, AIO__HTTP_KEPT);
}

void aio__http_send_answer(struct aio__http_connection *conn)
{
    aio_http_request *request = conn->request;
    const struct aio__bytes *body = &request->content;
    int err = put_head(conn, body->size);

    request->answer = AIO__ANSWER_OVER;
    if (err == 0 && !is_head(request) && !has_no_body(request->status)) {
        request->sent = body->size;
        if (body->size <= COPIED)
            err = aio__bytes_append(&conn->out, body->data, body->size);
        else
            write_both(conn, body);
    }
    if (err < 0) {
        conn->keep = false;
        aio_transport_abort(conn->transport);
    }
    if (conn->out.size > AIO__HTTP_WAITING)
        aio__http_flush(conn);
    aio__http_server_log(conn->server, request);
}

/* --- answers by pieces ------------------------------------------------------------------ */

static int check_writer(const aio_http_request *request)
{
    if (request == NULL)
        return aio_raise(AIO_EVALUE, "no request");
    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can write an answer piece by piece");
    if (request->connection == NULL || request->connection->state == AIO__HTTP_DONE)
        return aio_raise(-ECONNRESET, "the client is gone");
    return 0;
}

int aio_http_stream(aio_http_request *request, int status, const char *content_type,
                    uint64_t length)
{
    int err = check_writer(request);

    if (err == 0)
        err = aio__http_begin_typed_answer(request, status, content_type);
    if (err < 0)
        return err;
    aio__http_set_answer(request, status, content_type);
    err = put_head(request->connection, length);
    if (err < 0) {
        request->answer = AIO__ANSWER_NONE;
        return err;
    }
    request->answer = AIO__ANSWER_BEGUN;
    request->length = length;
    request->sent = 0;
    aio__http_flush(request->connection);
    return 0;
}

static bool is_chunked(const aio_http_request *request)
{
    return request->length == AIO_HTTP_UNKNOWN_LENGTH && request->minor == 1;
}

static int write_piece(aio_http_request *request, const void *data, size_t size)
{
    struct aio__http_connection *conn = request->connection;
    char line[24];
    aio_buffer buffers[] = {{line, 0}, {data, size}, {"\r\n", 2}};

    if (is_head(request) || has_no_body(request->status) || size == 0)
        return 0; /* an empty chunk would be the end */
    if (!is_chunked(request))
        return aio_transport_write(conn->transport, data, size);
    buffers[0].size = (size_t)snprintf(line, sizeof(line), "%zx\r\n", size);
    return aio_transport_writelines(conn->transport, buffers, 3);
}

/* Wait until the peer has read most of it. */
static int wait_for_room(aio_http_request *request)
{
    int err;

    request->writer = aio_future_new(request->connection->loop);
    if (request->writer == NULL)
        return AIO_ENOMEM;
    err = aio_await(request->writer, NULL);
    aio_future_unref(request->writer);
    request->writer = NULL;
    return err;
}

int aio_http_write(aio_http_request *request, const void *data, size_t size)
{
    int err = check_writer(request);

    if (err < 0)
        return err;
    if (data == NULL && size > 0)
        return aio_raise(AIO_EVALUE, "no data");
    if (request->answer != AIO__ANSWER_BEGUN)
        return aio_raise(AIO_ERUNTIME, "no answer has begun that is written piece by piece");
    if (request->writer != NULL)
        return aio_raise(AIO_ERUNTIME, "another task writes the answer");
    if (request->length != AIO_HTTP_UNKNOWN_LENGTH && size > request->length - request->sent)
        return aio_raise(AIO_EVALUE, "more than the length that was said");
    err = write_piece(request, data, size);
    if (err < 0)
        return err;
    request->sent += size;
    if (request->connection->writing_paused)
        err = wait_for_room(request);
    return err;
}

bool aio__http_end_stream(struct aio__http_connection *conn)
{
    aio_http_request *request = conn->request;

    request->answer = AIO__ANSWER_OVER;
    aio__http_server_log(conn->server, request);
    if (is_head(request) || has_no_body(request->status))
        return true;
    if (is_chunked(request))
        return aio__bytes_append_text(&conn->out, "0\r\n\r\n") == 0;
    return request->length == AIO_HTTP_UNKNOWN_LENGTH || request->sent == request->length;
}
