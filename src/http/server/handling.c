/* SPDX-License-Identifier: MIT */
/*
 * handling.c - the task that answers a request, and the body it reads
 *
 * The task begins inside the call that found the head whole, so that a handler that waits for nothing
 * has answered before that returns. While it runs the request belongs to the connection; if that is
 * lost, to the task, which is cancelled then.
 *
 * Thread: the loop's.
 */
#include "http/common/status.h"
#include "http/server/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- the task --------------------------------------------------------------------------- */

/* The handler failed: that is for who runs the server; the client learns nothing of it. */
static void report(aio_http_request *request, int code)
{
    aio_http_server *server = request->connection->server;
    aio_exception *error = aio_error_catch(code);
    char message[200];
    aio_exception_context context = {.size = sizeof(context), .message = message, .error = error};

    (void)snprintf(message, sizeof(message), "Error while answering %s %.100s", request->method,
                   request->path);
    aio_loop_call_exception_handler(server->loop, &context);
    aio_exception_unref(error);
}

/* What the handler left is to be an answer. */
static void settle_answer(aio_http_request *request, int code)
{
    if (request->answer == AIO__ANSWER_OVER)
        return; /* it was given by others */
    if (code == 0 && request->answer == AIO__ANSWER_NONE)
        code = aio_raise(AIO_ERUNTIME, "the handler has prepared no answer");
    if (code == 0 || (code == AIO_HTTP_EABORT && request->answer == AIO__ANSWER_PREPARED))
        return;
    if (code != AIO_ECANCELLED)
        report(request, code);
    if (request->answer < AIO__ANSWER_BEGUN)
        aio__http_respond_plain(request, code == AIO_ECANCELLED ? 503 : 500);
}

static void finish(struct aio__http_connection *conn, int code)
{
    aio_http_request *request = conn->request;

    /* When the loop is closed under a handler, a thread may still have the request. */
    if (code != AIO_EGENERATOREXIT)
        settle_answer(request, code);
    conn->handling = false;
    aio_future_unref(conn->task);
    conn->task = NULL;
    conn->server->stats.active--;
    if (conn->state != AIO__HTTP_REQUEST ||
        code == AIO_EGENERATOREXIT) /* closed: the request goes with the connection */
        return;
    if (request->answer == AIO__ANSWER_BEGUN) {
        if (code < 0 || !aio__http_end_stream(conn)) {
            aio_transport_abort(conn->transport);
            return;
        }
    } else {
        aio__http_send_answer(conn);
    }
    aio__http_answered(conn);
}

static int run_handler(void *arg, void **ret_result)
{
    aio_http_request *request = arg;
    aio_http_server *server = aio_http_server_ref(request->connection->server);
    int code = server->handler(request, server->arg);
    aio_http_request *after =
        code == 0 && request->after != NULL ? aio_http_request_ref(request) : NULL;

    if (request->connection != NULL) {
        finish(request->connection, code);
    } else {
        server->stats.active--;
        aio_http_request_unref(request);
    }
    if (after != NULL)
        aio__http_run_after(server, after);
    aio_http_server_unref(server);
    return code == AIO_EKEYBOARDINTERRUPT || code == AIO_ESYSTEMEXIT ? code : 0;
}

void aio__http_handle(struct aio__http_connection *conn)
{
    static const aio_task_options options = {.size = sizeof(options), .eager_start = AIO_EAGER_YES};
    aio_task *task;

    conn->handling = true;
    conn->cancelled = false;
    conn->server->stats.active++;
    task = aio_loop_create_task(conn->loop, run_handler, conn->request, &options);
    if (task == NULL) {
        conn->handling = false;
        conn->server->stats.active--;
        aio__http_refuse(conn, 503);
        return;
    }
    if (conn->handling && conn->task == NULL)
        conn->task = task;
    else
        aio_future_unref(task);
}

/* --- the body --------------------------------------------------------------------------- */

void aio__http_wake(aio_future *waiter)
{
    if (waiter != NULL && !aio_future_done(waiter))
        (void)aio_future_set_result(waiter, NULL);
}

static int ask_for_body(aio_http_request *request, struct aio__http_connection *conn)
{
    int err;

    if (!request->wants_continue)
        return 0;
    request->wants_continue = false;
    if (request->body_received > 0 || request->answer >= AIO__ANSWER_BEGUN)
        return 0; /* it did not wait */
    err = aio__bytes_append_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
    if (err == 0)
        aio__http_flush(conn);
    return err;
}

/* Why there will be no more of it, though it has not ended: 0 if there may be. */
static int check_body(aio_http_request *request)
{
    if (request->body_status == 0)
        return 0;
    if (request->answer < AIO__ANSWER_BEGUN)
        aio__http_respond_plain(request, request->body_status);
    request->keep_alive = false;
    return aio_raise(AIO_HTTP_EABORT, "the request's body: %s",
                     aio__http_phrase(request->body_status));
}

/* It has not ended: wait until some more came, or the end is known. */
static int wait_for_body(aio_http_request *request)
{
    struct aio__http_connection *conn = request->connection;
    int err;

    if (conn == NULL)
        return aio_raise(-ECONNRESET, "the client is gone");
    err = check_body(request);
    if (err == 0)
        err = ask_for_body(request, conn);
    if (err < 0)
        return err;
    request->reader = aio_future_new(conn->loop);
    if (request->reader == NULL)
        return AIO_ENOMEM;
    err = aio_await(request->reader, NULL);
    aio_future_unref(request->reader);
    request->reader = NULL;
    return err;
}

static int check_reader(const aio_http_request *request)
{
    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can read a request's body");
    if (request->reader != NULL)
        return aio_raise(AIO_ERUNTIME, "another task reads the body");
    return 0;
}

/* Room was made: the peer may go on. */
static void make_room(aio_http_request *request)
{
    if (request->body_read == request->body.size) {
        request->body_read = 0;
        aio__bytes_clear(&request->body, AIO__HTTP_KEPT);
    }
    if (request->connection != NULL && request->connection->reading_paused)
        aio__http_regulate(request->connection);
}

ptrdiff_t aio_http_request_read(aio_http_request *request, void *buffer, size_t size)
{
    size_t there;
    int err;

    if (request == NULL || buffer == NULL || size == 0)
        return aio_raise(AIO_EVALUE, "no request, or no buffer");
    err = check_reader(request);
    if (err == 0 && request->body_whole)
        err = aio_raise(AIO_ERUNTIME, "the body is read as a whole");
    while (err == 0 && request->body.size == request->body_read && !request->body_over)
        err = wait_for_body(request);
    if (err < 0)
        return err;
    there = request->body.size - request->body_read;
    if (size > there)
        size = there;
    if (size > 0) {
        memcpy(buffer, request->body.data + request->body_read, size);
        request->body_in_pieces = true;
    }
    request->body_read += size;
    make_room(request);
    return (ptrdiff_t)size;
}

int aio_http_request_body(aio_http_request *request, const void **ret_data, size_t *ret_size)
{
    int err = 0;

    if (request == NULL || ret_data == NULL || ret_size == NULL)
        return aio_raise(AIO_EVALUE, "no request, or nowhere to put the body");
    /* In a thread there is no waiting, and the loop must be left alone: it is there already. */
    if (!request->body_whole || !request->body_over)
        err = check_reader(request);
    if (err == 0 && request->body_in_pieces)
        err = aio_raise(AIO_ERUNTIME, "part of the body was read");
    if (err < 0)
        return err;
    if (!request->body_whole) {
        request->body_whole = true;
        if (request->connection != NULL && request->connection->reading_paused)
            aio__http_regulate(request->connection);
    }
    while (!request->body_over) {
        err = wait_for_body(request);
        if (err < 0)
            return err;
    }
    err = aio__bytes_reserve(&request->body, 1);
    if (err < 0)
        return err;
    request->body.data[request->body.size] = '\0';
    *ret_data = request->body.data;
    *ret_size = request->body.size;
    return 0;
}
