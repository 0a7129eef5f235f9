/* SPDX-License-Identifier: MIT */
/*
 * datagram.h - endpoints of datagrams: UDP, and unix datagram sockets
 *
 * Thread: the loop's.
 */
#ifndef AIO_DATAGRAM_H
#define AIO_DATAGRAM_H

#include <aio/transport.h>

AIO_BEGIN_DECLS

/** An endpoint's two sides, or its socket. AIO_DATAGRAM_OPTIONS_INIT first. */
typedef struct aio_datagram_options {
    size_t size;            /**< sizeof(aio_datagram_options) */
    const char *local_host; /**< bind to this; NULL: this machine's loopback, if there is a
                                 local_port; "0.0.0.0", "::": all interfaces */
    int local_port;         /**< 0: any that is free; -1: not bound, unless there is a local_host */
    const char *remote_host; /**< connect to this; NULL: this machine, if there is a remote_port */
    int remote_port;         /**< -1: not connected, unless there is a remote_host */
    const char *local_path;  /**< of a unix socket; a socket file in the way is removed */
    size_t local_path_size;  /**< bytes of it, for an abstract name: a 0 and the name; 0: up to its
                                  final 0 */
    const char *remote_path; /**< of a unix socket */
    size_t remote_path_size; /**< likewise */
    int sock;                /**< a datagram socket, taken on success; -1: none */
    int family;              /**< AF_INET, AF_INET6, AF_UNIX; default AF_UNSPEC: by the addresses */
    int proto;               /**< of getaddrinfo(3), as flags */
    int flags;               /**< default 0 */
    bool reuse_port;         /**< SO_REUSEPORT */
    bool allow_broadcast;    /**< SO_BROADCAST; the remote side is then only where to send to */
} aio_datagram_options;

/** The defaults. */
#define AIO_DATAGRAM_OPTIONS_INIT                                                                  \
    AIO_SIZED_WITH(aio_datagram_options,                                                           \
                   AIO_SET(local_port, -1) AIO_SET(remote_port, -1) AIO_SET(sock, -1))

/**
 * Make an endpoint of datagrams: a transport, whose aio_transport_sendto() sends, and a protocol,
 * whose datagram_received and error_received are called. Options of multicast are set on the
 * transport's "socket" with setsockopt(2).
 *
 * @param loop     Borrowed; NULL: the running one.
 * @param factory  Called once with @p arg.
 * @param options  Borrowed. A family alone makes an endpoint that is not bound.
 * @param[out] ret_transport  Returned: aio_transport_unref() it. May be NULL.
 * @return 0, or a negative code; then nothing is left open, and a sock is still the caller's if
 *         no transport was made for it:
 *   AIO_EVALUE      no address and no family; a sock and anything else; a sock of another type;
 *                   paths with hosts; two sides without a family in common; reuse_port where the
 *                   system has none; no factory
 *   AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM, AIO_EAI_...
 *   the system's    of the first pair of addresses that was tried
 *
 * Suspends:            yes
 * Cancellation point:  yes
 * asyncio:             loop.create_datagram_endpoint()           Since: 0.1
 */
AIO_API int aio_loop_create_datagram_endpoint(aio_loop *loop, aio_protocol_factory_fn factory,
                                              void *arg, const aio_datagram_options *options,
                                              aio_transport **ret_transport) AIO_MUST_CHECK;

AIO_END_DECLS

#endif
