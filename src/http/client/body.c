/* SPDX-License-Identifier: MIT */
/*
 * body.c - the body of a response: whole, in pieces, decompressed
 *
 * What has come lies in `incoming`. A reader takes all of it at once, by exchanging it with the
 * chunk it has read before: nothing is copied, and what was given out stays where it is while more
 * comes in. A body that is read whole, and as it comes, is never moved: `incoming` becomes it.
 */
#include "http/client/client.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <string.h>

enum { PIECE = 64 * 1024 }; /* bytes decompressed at a time */

int aio__httpc_body_begin(aio_http_response *response)
{
    const char *encoding = aio_http_response_header(response, "Content-Encoding");

    if (encoding == NULL || response->session->options.no_decompress ||
        !aio__httpc_can_inflate(encoding) || strcmp(response->method, "HEAD") == 0)
        return 0;
    return aio__httpc_inflater_new(encoding, &response->inflater);
}

static int raise_payload(const aio_http_response *response, const char *what)
{
    return aio_raise(AIO_HTTP_EPAYLOAD, "%s: %s", what, response->url.shown);
}

static int too_large(const aio_http_response *response)
{
    return aio_raise(AIO_HTTP_ETOOLARGE, "the body is over the limit of %zu bytes: %s",
                     response->max_body, response->url.shown);
}

/* There is room again. */
static int go_on(aio_http_response *response)
{
    if (!response->paused)
        return 0;
    response->paused = false;
    response->moved_at = aio_loop_time(response->session->loop);
    aio__httpc_resume(response);
    return response->ended ? 0 : aio__httpc_limit(response);
}

/* Wait until something is in `incoming`: 0; AIO_ESTOP: nothing more comes. */
static int wait_for_data(aio_http_response *response)
{
    while (response->incoming.size == 0) {
        int err;

        if (response->ended)
            return response->code < 0 ? aio__httpc_transfer_raise(response) : AIO_ESTOP;
        err = aio__httpc_transfer_wait(response);
        if (err < 0)
            return err;
    }
    return 0;
}

static int take_chunk(aio_http_response *response, aio_buffer *ret_chunk)
{
    struct aio__bytes before = response->chunk;
    int err = wait_for_data(response);

    if (err < 0)
        return err;
    response->chunk = response->incoming;
    response->incoming = before;
    response->incoming.size = 0;
    *ret_chunk = (aio_buffer){response->chunk.data, response->chunk.size};
    return go_on(response);
}

/* Decompress a piece of what was taken; it may be empty. */
static int inflate_piece(aio_http_response *response)
{
    size_t before = response->packed.size;
    int err = aio__httpc_inflate(response->inflater, &response->packed, &response->decoded, PIECE);

    if (err == AIO_ESTOP) {
        response->packed = (aio_buffer){0};
        return 0;
    }
    if (err < 0)
        return err == AIO_ENOMEM ? err : raise_payload(response, "the body cannot be decompressed");
    response->has_more = response->decoded.size == PIECE;
    response->left = (aio_buffer){response->decoded.data, response->decoded.size};
    if (response->left.size == 0 && before > 0 && response->packed.size == before)
        return raise_payload(response, "the body cannot be decompressed");
    return 0;
}

/* Get a piece into `left`, decompressed. AIO_ESTOP at the end. */
static int next_piece(aio_http_response *response)
{
    int err;

    if (response->inflater == NULL)
        return take_chunk(response, &response->left);
    for (;;) {
        if (response->packed.size > 0 || response->has_more) {
            err = inflate_piece(response);
            if (err < 0 || response->left.size > 0)
                return err;
            continue;
        }
        err = take_chunk(response, &response->packed);
        if (err == AIO_ESTOP && !aio__httpc_inflater_is_done(response->inflater))
            return raise_payload(response, "the compressed body was cut");
        if (err < 0)
            return err;
    }
}

/* --- whole ------------------------------------------------------------------------------ */

static int read_plain(aio_http_response *response)
{
    int err = response->incoming.size > response->max_body ? too_large(response) : go_on(response);

    while (err == 0 && !response->ended)
        err = aio__httpc_transfer_wait(response);
    if (err == 0 && response->code < 0)
        err = aio__httpc_transfer_raise(response);
    if (err < 0)
        return err;
    response->whole = response->incoming;
    response->incoming = (struct aio__bytes){0};
    return 0;
}

static int read_packed(aio_http_response *response)
{
    int err;

    while ((err = next_piece(response)) == 0) {
        if (response->left.size > response->max_body - response->whole.size)
            return too_large(response);
        err = aio__httpc_add(&response->whole, response->left.data, response->left.size);
        if (err < 0)
            return err;
        response->left = (aio_buffer){0};
    }
    return err == AIO_ESTOP ? 0 : err;
}

int aio__httpc_body_read(aio_http_response *response)
{
    int err;

    if (response->is_whole)
        return 0;
    if (response->was_read)
        return aio_raise(AIO_ERUNTIME, "a part of the body was read before");
    response->takes_all = true;
    err = response->inflater == NULL ? read_plain(response) : read_packed(response);
    if (err == 0)
        err = aio__httpc_add(&response->whole, "", 0); /* for the zero behind nothing */
    response->is_whole = err == 0;
    return err;
}

/* --- in pieces -------------------------------------------------------------------------- */

/* Have something in `left`: 0; AIO_ESTOP at the end. */
static int need_piece(aio_http_response *response)
{
    if (response->takes_all && !response->is_whole)
        return aio_raise(AIO_ERUNTIME, "the body is being read whole");
    response->was_read = !response->is_whole;
    if (response->is_whole)
        return AIO_ESTOP;
    return response->left.size > 0 ? 0 : next_piece(response);
}

int aio_http_response_read_some(aio_http_response *response, void *data, size_t size,
                                size_t *ret_count)
{
    int err;

    if (response == NULL || data == NULL || size == 0 || ret_count == NULL)
        return aio_raise(AIO_EVALUE, "a response, and places for bytes and count, are needed");
    err = need_piece(response);
    if (err < 0 && err != AIO_ESTOP)
        return err;
    if (err == AIO_ESTOP)
        size = 0;
    else if (size > response->left.size)
        size = response->left.size;
    if (size > 0) {
        memcpy(data, response->left.data, size);
        response->left.data = (const char *)response->left.data + size;
        response->left.size -= size;
    }
    *ret_count = size;
    return 0;
}

static int next_chunk(aio_iterator *iterator, void **ret_item)
{
    aio_http_response *response = aio__httpc_of(iterator, aio_http_response, iterator);
    int err = need_piece(response);

    if (err < 0)
        return err;
    response->item = response->left;
    response->left = (aio_buffer){0};
    *ret_item = &response->item;
    return 0;
}

const aio_iterator_ops aio__httpc_chunks = {.size = sizeof(aio__httpc_chunks), .next = next_chunk};

/* --- line by line ----------------------------------------------------------------------- */

/* Add to the line what there is of it; true: it is complete. */
static int take_line(aio_http_response *response, bool *ret_is_complete)
{
    aio_buffer *left = &response->left;
    const char *data = left->data;
    const char *end = memchr(data, '\n', left->size);
    size_t size = end == NULL ? left->size : (size_t)(end - data) + 1;

    if (size > response->session->options.buffer_size - response->line.size)
        return aio_raise(AIO_HTTP_ETOOLARGE, "a line is over the limit of %zu bytes: %s",
                         response->session->options.buffer_size, response->url.shown);
    if (aio__httpc_add(&response->line, data, size) < 0)
        return AIO_ENOMEM;
    left->data = data + size;
    left->size -= size;
    *ret_is_complete = end != NULL;
    return 0;
}

/* What was read of a line when a wait was cancelled is kept for the next call. */
static int next_line(aio_iterator *iterator, void **ret_item)
{
    aio_http_response *response = aio__httpc_of(iterator, aio_http_response, lines);
    bool is_complete = false;
    int err = 0;

    if (response->line_was_given)
        response->line.size = 0;
    response->line_was_given = false;
    while (err == 0 && !is_complete) {
        err = need_piece(response);
        if (err == 0)
            err = take_line(response, &is_complete);
    }
    if (err == AIO_ESTOP && response->line.size > 0)
        err = 0;
    if (err < 0)
        return err;
    response->line_was_given = true;
    response->item = (aio_buffer){response->line.data, response->line.size};
    *ret_item = &response->item;
    return 0;
}

const aio_iterator_ops aio__httpc_lines = {.size = sizeof(aio__httpc_lines), .next = next_line};
