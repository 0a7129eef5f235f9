/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_site.h - a service without sockets: what comes in is given to a connection's protocol
 */
#ifndef TESTS_FUZZ_FUZZ_HTTP_SITE_H
#define TESTS_FUZZ_FUZZ_HTTP_SITE_H

#include "fuzz/fuzz.h"
#include "http/server/connection.h"

#include <aio/web.h>

/* What a connection wrote, and how it ended. */
struct fuzz_wire {
    aio_transport base; /* first */
    aio_protocol *protocol;
    size_t refs;
    bool closing;
    bool aborted;
    bool paused;
    bool eof_written;
    size_t size;
    char data[64 * 1024]; /* the first bytes written */
};

/* Serve an application on a loop whose clock stands still, made at the first call. */
aio_http_server *fuzz_site(aio_web *(*make_app)(void));

/* Give a connection its input in pieces of a size, and settle after each; stop when it is closed. */
void fuzz_talk(aio_http_server *server, struct fuzz_wire *wire, const uint8_t *data, size_t size,
               size_t piece);

#endif
