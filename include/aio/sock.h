/* SPDX-License-Identifier: MIT */
/*
 * sock.h - suspending calls on sockets that the program owns
 *
 * A socket is a file descriptor in non-blocking mode. Each call first tries at once, and suspends
 * only if it would block; cancelled, it has taken nothing off the socket. One task at a time may
 * wait for a socket in each direction: a second takes its place, and the first is not woken any
 * more (S138).
 *
 * Every call returns 0, or a negative code, of which these are common to all:
 *   AIO_ECANCELLED  the calling task was cancelled
 *   AIO_ENOTASK, AIO_ENOLOOP, AIO_ENOMEM
 *   AIO_EVALUE      in debug mode: the socket is in blocking mode
 *   AIO_ERUNTIME    it would have to wait, and a transport owns the socket
 *   the system's    as they are
 * A NULL loop is the running one. Suspends, and is a cancellation point: where the call would
 * block. Thread: the loop's.
 */
#ifndef AIO_SOCK_H
#define AIO_SOCK_H

#include <aio/loop.h>
#include <sys/types.h>

AIO_BEGIN_DECLS

struct sockaddr;

/** An address and its size, as the system calls have them. */
typedef struct aio_sockname {
    struct sockaddr *name; /**< the caller's memory; NULL: not wanted */
    unsigned size;         /**< bytes there; after receiving, of the address */
} aio_sockname;

/**
 * Receive what there is, into memory of the caller's.
 *
 * @param size           0: none, at once.
 * @param[out] ret_size  Bytes received; 0 at the end of the stream.
 * asyncio: loop.sock_recv(), loop.sock_recv_into()               Since: 0.1
 */
AIO_API int aio_loop_sock_recv(aio_loop *loop, int sock, void *data, size_t size,
                               size_t *ret_size) AIO_MUST_CHECK;

/**
 * Receive a datagram and its sender. What is longer than @p size is cut.
 *
 * @param[in,out] from   Where the sender's address goes; may be NULL.
 * @param[out] ret_size  Bytes received.
 * asyncio: loop.sock_recvfrom(), loop.sock_recvfrom_into()       Since: 0.1
 */
AIO_API int aio_loop_sock_recvfrom(aio_loop *loop, int sock, void *data, size_t size,
                                   aio_sockname *from, size_t *ret_size) AIO_MUST_CHECK;

/**
 * Send everything. After an error or a cancellation it is not known how much went out.
 *
 * asyncio: loop.sock_sendall()                                   Since: 0.1
 */
AIO_API int aio_loop_sock_sendall(aio_loop *loop, int sock, const void *data,
                                  size_t size) AIO_MUST_CHECK;

/**
 * Send a datagram to an address.
 *
 * @param to             Borrowed; NULL: where the socket is connected to.
 * @param[out] ret_size  Bytes sent. May be NULL.
 * asyncio: loop.sock_sendto()                                    Since: 0.1
 */
AIO_API int aio_loop_sock_sendto(aio_loop *loop, int sock, const void *data, size_t size,
                                 const aio_sockname *to, size_t *ret_size) AIO_MUST_CHECK;

/**
 * Connect to an address; after a failure or a cancellation the socket is to be closed.
 *
 * @param to  Borrowed.
 * @return Also the code the connection failed with; its text names the address.
 * Differs: names are not resolved here: aio_loop_getaddrinfo().
 * asyncio: loop.sock_connect()                                   Since: 0.1
 */
AIO_API int aio_loop_sock_connect(aio_loop *loop, int sock, const aio_sockname *to) AIO_MUST_CHECK;

/**
 * Accept a connection.
 *
 * @param[in,out] from   Where the peer's address goes; may be NULL.
 * @param[out] ret_sock  Returned: a socket in non-blocking mode, closed on exec; close() it.
 * asyncio: loop.sock_accept()                                    Since: 0.1
 */
AIO_API int aio_loop_sock_accept(aio_loop *loop, int sock, aio_sockname *from,
                                 int *ret_sock) AIO_MUST_CHECK;

AIO_END_DECLS

#endif
