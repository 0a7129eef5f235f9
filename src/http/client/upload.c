/* SPDX-License-Identifier: MIT */
/*
 * upload.c - a body that is sent piece by piece
 *
 * The caller's task asks the iterator for a piece, and for the next when libcurl has taken it: a
 * server that is slow slows the iterator down. The transfer may end while the iterator waits for
 * something; a timeout around it is then brought forward, so that it ends too.
 */
#include "http/client/client.h"

#include <aio/error.h>

/* The server has said enough. */
static bool is_over(const aio_http_response *response)
{
    return response->ended || (response->head_is_done && response->status >= 300);
}

static int send_piece(aio_http_response *response, const aio_buffer *piece)
{
    int err = 0;

    response->upload = *piece;
    while (err == 0 && response->upload.size > 0 && !is_over(response)) {
        if (response->upload_paused) {
            response->upload_paused = false;
            aio__httpc_resume(response);
        }
        err = aio__httpc_transfer_wait(response);
    }
    response->upload = (aio_buffer){0}; /* it is borrowed until the next is asked for */
    return err;
}

static int send_all(aio_http_response *response)
{
    void *item = NULL;
    int err = 0;

    while (err == 0 && !is_over(response)) {
        err = aio_anext(response->stream, &item);
        if (err == 0 && item == NULL)
            return aio_raise(AIO_ETYPE, "a piece of a body is a buffer, not NULL");
        if (err == 0)
            err = send_piece(response, item);
    }
    return err == AIO_ESTOP ? 0 : err;
}

void aio__httpc_upload_stop(aio_http_response *response)
{
    if (response->upload_limit != NULL)
        (void)aio_timeout_reschedule(response->upload_limit, 0);
}

int aio__httpc_upload(aio_http_response *response)
{
    AIO_AUTO(aio_timeout) limit = aio_timeout_new_at(response->total_at);
    int err = aio_timeout_enter(limit);

    if (err < 0)
        return err;
    response->upload_limit = limit;
    err = send_all(response);
    response->upload_limit = NULL;
    err = aio_timeout_exit(limit, err);
    response->stream = NULL;
    if (is_over(response) && (err == 0 || err == AIO_ETIMEDOUT)) {
        err = 0; /* the transfer, or the head, says why */
        response->upload_broken = true;
    }
    response->upload_is_all = err == 0;
    if (err == 0 && response->upload_paused) {
        response->upload_paused = false;
        aio__httpc_resume(response);
    }
    return err;
}
