/* SPDX-License-Identifier: MIT */
/*
 * site.h - an HTTP server in a room, and a client that sends exactly what it is told to
 *
 * For bodies of room_run(). The client is plain streams: what it sends need not be HTTP.
 */
#ifndef TESTS_HTTP_SITE_H
#define TESTS_HTTP_SITE_H

#include "support/room.h"

#include <aio/http_server.h>

struct peer {
    aio_stream_reader *reader;
    aio_stream_writer *writer;
};

struct answer {
    int status;
    size_t body_size;
    char head[4096];
    char body[256 * 1024];
};

/* Start a server on a free port of loopback; the options' address is set here. NULL: defaults. */
int site_start(aio_http_handler_fn handler, void *arg, const aio_http_server_options *options,
               aio_http_server **ret_server);
/* Stop it and drop the reference. */
int site_stop(aio_http_server *server);

/* Connect, send, receive one answer, to a request that was not HEAD. */
int peer_open(struct peer *peer, const aio_http_server *server);
int peer_say(struct peer *peer, const char *text);
int peer_send(struct peer *peer, const void *data, size_t size);
int peer_hear(struct peer *peer, struct answer *answer);
/* The same for HEAD: the head alone. */
int peer_hear_head(struct peer *peer, struct answer *answer);
/* Read up to the end of the connection, a reset included; gives how many bytes came. */
ptrdiff_t peer_hear_end(struct peer *peer);
void peer_close(struct peer *peer);

/* A header's value in an answer's head; NULL: it is not there. Borrowed until the next call. */
const char *answer_header(const struct answer *answer, const char *name);

/* Ask with one request on a connection of its own. */
int site_ask(const aio_http_server *server, const char *request, struct answer *answer);

#endif
