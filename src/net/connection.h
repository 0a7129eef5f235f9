/* SPDX-License-Identifier: MIT */
/*
 * connection.h - what all ways to a connection share
 *
 * For src/net.
 */
#ifndef AIO__CONNECTION_H
#define AIO__CONNECTION_H

#include "net/address.h"
#include "net/secure.h"

#include <aio/transport.h>

/*
 * Suspend the calling task until an fd can be read or written. Who waits for the same takes the
 * place of who waited before, which is then never woken (S138). 0, or a code.
 */
int aio__wait_fd(aio_loop *loop, int fd, bool writing);

/* Connect a socket in non-blocking mode, suspending the calling task. 0, or a raised code. */
int aio__connect_fd(aio_loop *loop, int fd, const struct sockaddr *name, socklen_t size);

/* How a connect that was begun has ended: 0, or a raised code that names the address. */
int aio__connect_outcome(int fd, const struct sockaddr *name, socklen_t size);

/* Call a factory: 0 and its protocol, or the code it raised. */
int aio__make_protocol(aio_protocol_factory_fn factory, void *arg, aio_protocol **ret_protocol);

/* The protocol never got its transport. */
void aio__release_protocol(aio_protocol *protocol);

/* Call a factory, with TLS in front of what it makes if it is secure. waiter and ret_above are
 * those of aio__tls_wrap(). After a failure *ret_protocol is not NULL if the factory had made one,
 * which is released. */
int aio__make_secure_protocol(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                              const struct aio__secure *secure, aio_future *waiter,
                              aio_protocol **ret_protocol, aio_transport **ret_above);

/* Suspend until a transport just made has called connection_made, and hand a reference to it over;
 * ret_transport may be NULL. 0, or a code: the transport is closing then. */
int aio__connection_wait(aio_transport *transport, aio_future *made, aio_transport **ret_transport);

/*
 * Make protocol and transport for a connected socket, and suspend until connection_made was called,
 * which is after the handshake if it is secure. ret_transport may be NULL. 0, or a code; *taken says
 * whether a protocol was made: the socket is its transport's then, which is closing, or is closed.
 */
int aio__connection_start(aio_loop *loop, int fd, aio_protocol_factory_fn factory, void *arg,
                          const struct aio__secure *secure, aio_transport **ret_transport,
                          bool *taken);

/* The same for a socket of the caller's, which must be a stream socket of that family (AF_UNSPEC:
 * any); it is made non-blocking. */
int aio__connection_start_user(aio_loop *loop, int fd, int family, aio_protocol_factory_fn factory,
                               void *arg, const struct aio__secure *secure,
                               aio_transport **ret_transport);

/* What begins a call that suspends: the loop, which runs the calling task. 0, or a raised code. */
int aio__net_check_task(aio_loop **loop);

/* In debug mode, whether a socket of the program's is non-blocking: 0, or a raised code. */
int aio__check_nonblocking(const aio_loop *loop, int sock);

/* What begins each call that makes a protocol: the loop, which runs the calling task. 0, or a raised code. */
int aio__net_check_call(aio_loop **loop, aio_protocol_factory_fn factory);

/* Whether an fd is a stream socket of a family (AF_UNSPEC: any): 0, or a raised code. */
int aio__check_stream_socket(int fd, int family);

/* SO_REUSEPORT on. 0, or a raised AIO_EVALUE where that is not supported. */
int aio__set_reuse_port(int fd);

/* O_NONBLOCK on. 0, or the system's code. */
int aio__set_nonblocking(int fd);

#endif
