/* SPDX-License-Identifier: MIT */
/*
 * pipe.h - pipes and character devices as transports of one direction
 *
 * Thread: the loop's.
 */
#ifndef AIO_PIPE_H
#define AIO_PIPE_H

#include <aio/transport.h>

AIO_BEGIN_DECLS

/**
 * Make a transport that reads from a pipe, a socket or a character device. At the end of what is
 * to be read the protocol gets eof_received, then connection_lost, whatever it returned.
 *
 * @param loop     Borrowed; NULL: the running one.
 * @param factory  Called once with @p arg.
 * @param pipe     Made non-blocking; taken on success.
 * @param[out] ret_transport  Returned: aio_transport_unref() it. May be NULL.
 * @return 0, or a negative code; the pipe is then still the caller's, unless it is
 *         AIO_ECANCELLED after the protocol was made:
 *   AIO_EVALUE      something else than a pipe, socket or character device; no factory
 *   AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM, the system's
 *
 * Suspends:            until connection_made was called
 * Cancellation point:  yes
 * asyncio:             loop.connect_read_pipe()                  Since: 0.1
 */
AIO_API int aio_loop_connect_read_pipe(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                       int pipe, aio_transport **ret_transport) AIO_MUST_CHECK;

/**
 * Make a transport that writes to a pipe, a socket or a character device. When the reader goes
 * away the protocol gets connection_lost: with -EPIPE if something was still buffered.
 * aio_transport_write_eof() is the same as aio_transport_close().
 *
 * Otherwise as aio_loop_connect_read_pipe().
 * asyncio: loop.connect_write_pipe()                             Since: 0.1
 */
AIO_API int aio_loop_connect_write_pipe(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                        int pipe, aio_transport **ret_transport) AIO_MUST_CHECK;

AIO_END_DECLS

#endif
