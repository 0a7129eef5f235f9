/* SPDX-License-Identifier: MIT */
/*
 * sendfile.h - files sent over connections, by the system's sendfile(2) where it can
 *
 * Thread: the loop's, for everything here.
 */
#ifndef AIO_SENDFILE_H
#define AIO_SENDFILE_H

#include <aio/transport.h>

AIO_BEGIN_DECLS

/** Which part of a file is sent, and how. Zero in a field means the default. */
typedef struct aio_sendfile_options {
    size_t size;      /**< sizeof(aio_sendfile_options) */
    uint64_t offset;  /**< where in the file to begin, in bytes; default: at its start */
    uint64_t count;   /**< bytes to send; default: all up to the file's end */
    bool no_fallback; /**< fail where the system cannot do it, instead of reading and writing */
} aio_sendfile_options;

/** The defaults. */
#define AIO_SENDFILE_OPTIONS_INIT AIO_SIZED(aio_sendfile_options)

/**
 * Send a file over a transport: what it has buffered first, then the file. Meanwhile the
 * transport does not read, and a write to it fails with AIO_ERUNTIME. Where sendfile(2) does not
 * do, as for TLS, the file is read in a thread and written in pieces of 16 KiB.
 *
 * @param loop      Borrowed; NULL: the running one.
 * @param transport Borrowed: of a stream socket, or one that can write and pause reading.
 * @param file      A descriptor of a file that can be read at any place, borrowed. Its position is
 *                  moved behind what was sent, also on failure; it stays if that is nothing.
 * @param options   Borrowed; NULL: the defaults.
 * @param[out] ret_sent  Bytes sent: fewer than asked for if the file ends before. May be NULL.
 * @return 0, or a negative code:
 *   AIO_ERUNTIME                the transport is closing, cannot do it, or does it already
 *   AIO_ESENDFILENOTAVAILABLE   (an AIO_ERUNTIME) with no_fallback: the system cannot do it
 *   -ECONNRESET                 the connection was lost meanwhile
 *   AIO_EVALUE                  no transport, or bad options
 *   AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOLOOP, AIO_ENOMEM, the system's
 *
 * Suspends:            while the connection takes no more, and for the reading
 * Cancellation point:  whenever it suspends; the transport then goes on as before
 * asyncio:             loop.sendfile()                           Since: 0.1
 */
AIO_API int aio_loop_sendfile(aio_loop *loop, aio_transport *transport, int file,
                              const aio_sendfile_options *options,
                              uint64_t *ret_sent) AIO_MUST_CHECK;

/**
 * Send a file over a stream socket of the program's, in non-blocking mode. Where sendfile(2)
 * does not do, the file is read in a thread and sent in pieces of 256 KiB.
 *
 * @return As aio_loop_sendfile(), the transport apart; AIO_EVALUE for another type of socket.
 * Suspends, and is a cancellation point: while the socket takes no more, and for the reading.
 * asyncio: loop.sock_sendfile()                                  Since: 0.1
 */
AIO_API int aio_loop_sock_sendfile(aio_loop *loop, int sock, int file,
                                   const aio_sendfile_options *options,
                                   uint64_t *ret_sent) AIO_MUST_CHECK;

AIO_END_DECLS

#endif
