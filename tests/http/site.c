/* SPDX-License-Identifier: MIT */
/*
 * site.c - an HTTP server in a room, and a client that sends exactly what it is told to
 */
#include "http/site.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

int site_start(aio_http_handler_fn handler, void *arg, const aio_http_server_options *options,
               aio_http_server **ret_server)
{
    aio_http_server_options own = AIO_HTTP_SERVER_OPTIONS_INIT;

    if (options != NULL)
        own = *options;
    own.host = "127.0.0.1";
    own.port = 0;
    return aio_http_server_start(handler, arg, &own, ret_server);
}

int site_stop(aio_http_server *server)
{
    int err = aio_http_server_stop(server);

    aio_http_server_unref(server);
    return err;
}

int peer_open(struct peer *peer, const aio_http_server *server)
{
    *peer = (struct peer){0};
    return aio_open_connection("127.0.0.1", aio_http_server_port(server), &peer->reader,
                               &peer->writer);
}

int peer_send(struct peer *peer, const void *data, size_t size)
{
    TRY(aio_stream_writer_write(peer->writer, data, size));
    return aio_stream_writer_drain(peer->writer);
}

int peer_say(struct peer *peer, const char *text)
{
    return peer_send(peer, text, strlen(text));
}

void peer_close(struct peer *peer)
{
    if (peer->writer != NULL)
        aio_stream_writer_close(peer->writer);
    aio_stream_writer_unref(peer->writer);
    aio_stream_reader_unref(peer->reader);
    *peer = (struct peer){0};
}

const char *answer_header(const struct answer *answer, const char *name)
{
    static char value[1024];
    size_t size = strlen(name);
    const char *line = answer->head;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            line += size + 1 + strspn(line + size + 1, " ");
            (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r"), line);
            return value;
        }
    }
    return NULL;
}

static int hear_head(struct peer *peer, struct answer *answer)
{
    aio_bytes bytes = {0};
    int err = aio_stream_reader_readuntil(peer->reader, "\r\n\r\n", 4, &bytes);

    if (err < 0)
        return err;
    CHECK(bytes.size < sizeof(answer->head));
    memcpy(answer->head, bytes.data, bytes.size);
    answer->head[bytes.size] = '\0';
    aio_bytes_free(&bytes);
    CHECK(sscanf(answer->head, "HTTP/1.1 %d ", &answer->status) == 1);
    return 0;
}

static int hear_chunks(struct peer *peer, struct answer *answer)
{
    size_t size = 1;

    while (size > 0) {
        aio_bytes line = {0};

        TRY(aio_stream_reader_readuntil(peer->reader, "\r\n", 2, &line));
        size = strtoul(line.data, NULL, 16);
        aio_bytes_free(&line);
        CHECK(answer->body_size + size + 2 < sizeof(answer->body));
        TRY(aio_stream_reader_readexactly_into(peer->reader, answer->body + answer->body_size,
                                               size + 2));
        answer->body_size += size;
    }
    return 0;
}

int peer_hear(struct peer *peer, struct answer *answer)
{
    const char *length;

    answer->body_size = 0;
    answer->body[0] = '\0';
    TRY(hear_head(peer, answer));
    if (answer->status == 100 || answer->status == 204 || answer->status == 304)
        return 0;
    if (answer_header(answer, "transfer-encoding") != NULL) {
        TRY(hear_chunks(peer, answer));
    } else if ((length = answer_header(answer, "content-length")) != NULL) {
        answer->body_size = strtoul(length, NULL, 10);
        CHECK(answer->body_size < sizeof(answer->body));
        TRY(aio_stream_reader_readexactly_into(peer->reader, answer->body, answer->body_size));
    } else {
        size_t got = 1;

        while (got > 0) {
            TRY(aio_stream_reader_read_into(peer->reader, answer->body + answer->body_size,
                                            sizeof(answer->body) - 1 - answer->body_size, &got));
            answer->body_size += got;
        }
    }
    answer->body[answer->body_size] = '\0';
    return 0;
}

int peer_hear_head(struct peer *peer, struct answer *answer)
{
    answer->body_size = 0;
    answer->body[0] = '\0';
    return hear_head(peer, answer);
}

ptrdiff_t peer_hear_end(struct peer *peer)
{
    static char rest[64 * 1024];
    ptrdiff_t all = 0;
    size_t got = 1;

    while (got > 0) {
        int err = aio_stream_reader_read_into(peer->reader, rest, sizeof(rest), &got);

        if (err == -ECONNRESET)
            return all;
        if (err < 0)
            return err;
        all += (ptrdiff_t)got;
    }
    return all;
}

int site_ask(const aio_http_server *server, const char *request, struct answer *answer)
{
    struct peer peer;
    int err = peer_open(&peer, server);

    if (err == 0)
        err = peer_say(&peer, request);
    if (err == 0)
        err = peer_hear(&peer, answer);
    peer_close(&peer);
    return err;
}
