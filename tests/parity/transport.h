/* SPDX-License-Identifier: MIT */
/*
 * transport.h - the transports of the language: what their peer does, and what they print
 *
 * For streams.c. A transport has no peer but the program, which says what arrives, what has been
 * sent and when the connection is lost. Whatever the library asks of it, it prints.
 */
#ifndef PARITY_TRANSPORT_H
#define PARITY_TRANSPORT_H

#include "player.h"

#include <aio/transport.h>

/** Something that the peer has sent and the protocol has not got yet. */
struct chunk {
    struct data data;
    bool is_eof;
    struct chunk *next;
};

/** Extra info: KEY=WORD. */
struct info {
    const char *key;
    const char *word;
    struct info *next;
};

struct transport {
    aio_transport base; /* first */
    struct player *player;
    const char *name;
    /* the options */
    bool sends_at_once; /* auto */
    bool cannot_pause;
    bool cannot_write_eof;
    bool has_writelines;
    size_t high;
    size_t low;
    struct info *info;
    /* the state */
    aio_protocol *protocol; /* kept, until the connection is lost or the run over */
    size_t size;            /* bytes in the write buffer */
    struct chunk *inbox;    /* first to last */
    aio_exception *lost_with;
    bool used; /* by an op stream or serve */
    bool connected;
    bool started;
    bool paused;
    bool closing;
    bool lost;
    bool eof_written;
    bool peer_done;
    bool protocol_paused;
};

/* Make one that lives as long as the program; its options are words. Dies of a bad option. */
struct transport *transport_new(struct player *player, const char *name);
void transport_option(struct transport *transport, const char *word);
/* The run is over: let go of the protocol. Takes a struct transport. */
void transport_end(void *transport);

/* The connection is made, in two steps: connection_made, whose code is given; then reading begins. */
int transport_connect(struct transport *transport);
void transport_start(struct transport *transport);

/** @name What the world does to it @{ */
void transport_peer_data(struct transport *transport, const struct data *chunks, size_t count);
void transport_peer_eof(struct transport *transport);
void transport_sent(struct transport *transport, size_t size);
/* The error is taken; NULL: none. `now`: the protocol is told inside the call. */
int transport_lose(struct transport *transport, aio_exception *error, bool now);
/** @} */

#endif
