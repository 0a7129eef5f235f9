/* SPDX-License-Identifier: MIT */
/*
 * server_internal.h - making servers from sockets
 *
 * For src/net, where listen.c makes the sockets and server.c serves on them, and for src/stream.
 */
#ifndef AIO__SERVER_INTERNAL_H
#define AIO__SERVER_INTERNAL_H

#include "net/secure.h"

#include <aio/server.h>

/* A new server that does not listen yet and has no sockets. NULL: no memory. */
aio_server *aio__server_new(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                            int backlog);

/* Give it a bound socket, in non-blocking mode. `path` is the file to remove when it is closed, or
 * NULL. 0: the socket is taken; or a code: it is still the caller's. */
int aio__server_add(aio_server *server, int fd, const char *path);

/* Its connections are to speak TLS; the context is kept. */
void aio__server_secure(aio_server *server, const struct aio__secure *secure);

/* The factory's argument goes to aio_free() with the server. */
void aio__server_own_arg(aio_server *server);

/* Take the sockets back, so that they stay open: the caller's own. */
void aio__server_release_sockets(aio_server *server);

#endif
