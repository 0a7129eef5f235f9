/* SPDX-License-Identifier: MIT */
/*
 * after.c - what is done behind an answer
 *
 * The handler's task does it, when the connection has gone on to the next request: the request is held
 * for it, and so is not used again meanwhile.
 *
 * Thread: the loop's.
 */
#include "http/server/connection.h"

#include <aio/memory.h>

int aio_http_after(aio_http_request *request, aio_http_after_fn fn, void *arg)
{
    struct aio__http_after *after;

    if (request == NULL || fn == NULL)
        return aio_raise(AIO_EVALUE, "no request, or nothing to be done");
    after = aio_http_request_alloc(request, sizeof(*after));
    if (after == NULL)
        return AIO_ENOMEM;
    *after = (struct aio__http_after){NULL, fn, arg};
    *request->after_end = after;
    request->after_end = &after->next;
    return 0;
}

static void enter(aio_http_server *server, aio_http_request *request)
{
    request->after_task = aio_current_task(server->loop);
    request->after_previous = NULL;
    request->after_next = server->after;
    if (server->after != NULL)
        server->after->after_previous = request;
    server->after = request;
}

static void leave(aio_http_server *server, aio_http_request *request)
{
    if (request->after_previous != NULL)
        request->after_previous->after_next = request->after_next;
    else
        server->after = request->after_next;
    if (request->after_next != NULL)
        request->after_next->after_previous = request->after_previous;
    request->after_task = NULL;
    aio__http_server_check_end(server);
}

static void report(aio_http_server *server, int code)
{
    aio_exception *error = aio_error_catch(code);
    aio_exception_context context = {
        .size = sizeof(context), .message = "Error behind an answer", .error = error};

    aio_loop_call_exception_handler(server->loop, &context);
    aio_exception_unref(error);
}

void aio__http_run_after(aio_http_server *server, aio_http_request *request)
{
    int code;

    enter(server, request);
    code = aio_sleep(0); /* the answer is sent by who called us, if the handler did not wait */
    for (struct aio__http_after *after = request->after; after != NULL && code == 0;
         after = after->next)
        code = after->fn(after->arg);
    if (code < 0 && code != AIO_ECANCELLED && code != AIO_EGENERATOREXIT)
        report(server, code);
    leave(server, request);
    aio_http_request_unref(request);
}

void aio__http_cancel_after(aio_http_server *server)
{
    for (aio_http_request *request = server->after; request != NULL; request = request->after_next)
        (void)aio_task_cancel(request->after_task, "the server stops");
}
