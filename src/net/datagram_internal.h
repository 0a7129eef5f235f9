/* SPDX-License-Identifier: MIT */
/*
 * datagram_internal.h - making transports of datagrams
 *
 * For src/net.
 */
#ifndef AIO__DATAGRAM_INTERNAL_H
#define AIO__DATAGRAM_INTERNAL_H

#include "net/address.h"

#include <aio/transport.h>

/*
 * Make a transport for a datagram socket in non-blocking mode, which is taken on success. remote:
 * the only address that may be sent to; NULL: any. waiter may be NULL. 0, or a code: then protocol
 * and fd are still the caller's.
 */
int aio__datagram_transport_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                                const struct aio__address *remote, aio_transport **ret_transport);

#endif
