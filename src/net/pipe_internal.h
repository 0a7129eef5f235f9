/* SPDX-License-Identifier: MIT */
/*
 * pipe_internal.h - making transports of pipes
 *
 * For src/net, and src/process, whose children are talked to by pipes.
 */
#ifndef AIO__PIPE_INTERNAL_H
#define AIO__PIPE_INTERNAL_H

#include <aio/transport.h>

/*
 * Make a transport for a pipe, socket or character device in non-blocking mode, which is taken on
 * success. connection_made is queued; waiter (may be NULL; kept) is finished after it. 0, or a code:
 * then protocol and fd are still the caller's.
 */
int aio__read_pipe_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                       aio_transport **ret_transport);
int aio__write_pipe_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                        aio_transport **ret_transport);

/* get_extra_info() of both. */
const void *aio__pipe_info(const aio_transport *base, const char *name);

#endif
