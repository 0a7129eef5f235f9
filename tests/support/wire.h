/* SPDX-License-Identifier: MIT */
/*
 * wire.h - a transport in memory, for tests of what stands on transports
 *
 * The test plays the peer by calling the protocol. What the transport is asked to do it adds to
 * the fixture's trace: "pause_reading", "write 5", "close".
 */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include "support/fixture.h"

#include <aio/transport.h>

struct wire {
    aio_transport base; /* first */
    struct fixture *f;
    aio_protocol *protocol; /* NULL: none, or released */
    unsigned refs;          /* of others */
    bool closing;
    bool over_tls;   /* it has an "sslcontext" */
    int pause_code;  /* what pause_reading gives */
    int resume_code; /* what resume_reading gives */
};

/* Prepare a wire for a protocol, which is taken; not connected. */
void wire_init(struct wire *wire, struct fixture *f, aio_protocol *protocol);

/* The protocol's calls; wire_lose() ends with its release. The error is borrowed, or NULL. */
int wire_connect(struct wire *wire);
int wire_data(struct wire *wire, const char *text);
void wire_lose(struct wire *wire, aio_exception *error);

/* As a transport whose loop is closed: release the protocol, without a word, if it is still there. */
void wire_end(struct wire *wire);

#endif
