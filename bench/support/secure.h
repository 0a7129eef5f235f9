/* SPDX-License-Identifier: MIT */
/*
 * secure.h - a client's end of TLS over a socket, for load
 *
 * Knows nothing of aioc, and trusts whatever certificate a server has. Where OpenSSL was not found,
 * nothing can be opened: secure_none.c.
 */
#ifndef BENCH_SECURE_H
#define BENCH_SECURE_H

#include <stddef.h>
#include <sys/types.h>

struct secure;

/* Go through the handshake on a connected socket that blocks; it does not afterwards. Lives as long
 * as the program. NULL: it failed, errno tells nothing. */
struct secure *secure_open(int fd);

/* How many bytes were sent or received, which may be fewer; 0: the peer has closed. -1: errno is
 * EAGAIN if the socket has to be waited for, what else if the connection is lost. */
ssize_t secure_send(struct secure *secure, const void *data, size_t size);
ssize_t secure_recv(struct secure *secure, void *data, size_t size);

#endif
