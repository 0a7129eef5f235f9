/* SPDX-License-Identifier: MIT */
/*
 * tls_peer.h - a connection of TLS whose other end is OpenSSL, driven by hand
 *
 * For bodies of room_run() about peers that are wrong, slow or hostile. Our end is room->fds[0]'s
 * place, a socket of TCP; the other is room->fds[1], which does not block. There can be noise, or a
 * peer that goes through the handshake and does then what OpenSSL by itself would not do.
 */
#ifndef TESTS_TLS_PEER_H
#define TESTS_TLS_PEER_H

#include "support/room.h"

#include <openssl/ssl.h>

/* Our end: its protocol is the room's next. */
struct tls_end {
    struct room *room;
    aio_tls_context *context; /* borrowed */
    double timeout;           /* of the handshake */
    int fds[2];               /* ours is the first; -1 once it is taken */
    int code;                 /* of the handshake, and its text */
    char text[128];
    aio_transport *transport;
    aio_task *task;
};

/* Begin the handshake at our end, as a server, or as a client of one.test. */
int tls_end_open(struct tls_end *end, struct room *room, aio_tls_context *server, double timeout);
int tls_end_connect(struct tls_end *end, struct room *room, aio_tls_context *client);
/* How the handshake ended, once it has. */
int tls_end_code(struct tls_end *end, int expected);
int tls_end_close(struct tls_end *end);

/* The other end. */
struct tls_peer {
    struct room *room;
    SSL_CTX *context;
    SSL *ssl;
    BIO *in;
    BIO *out;
    size_t piece; /* bytes sent at a time */
};

/* A client, or a server with the certificate one.pem; of this version at most. */
void tls_peer_open(struct tls_peer *peer, struct room *room, size_t piece, int version);
void tls_peer_serve(struct tls_peer *peer, struct room *room, size_t piece, int version);
void tls_peer_close(struct tls_peer *peer);

/* Send what OpenSSL wants sent, in pieces; every one is read before the next is sent. */
int tls_peer_send(struct tls_peer *peer);
/* Let it have what comes: -ECONNRESET at the end. */
int tls_peer_receive(struct tls_peer *peer);
/* The handshake. */
int tls_peer_shake(struct tls_peer *peer);
/* Send bytes as they are. */
int tls_peer_send_all(struct room *room, const void *data, size_t size);

#endif
