/* SPDX-License-Identifier: MIT */
/*
 * connect.h - connections to others, as a transport and a protocol
 *
 * Thread: the loop's, for everything here.
 */
#ifndef AIO_CONNECT_H
#define AIO_CONNECT_H

#include <aio/tls.h>

AIO_BEGIN_DECLS

/** Where to connect to: either host and port, or sock. AIO_CONNECT_OPTIONS_INIT first. */
typedef struct aio_connect_options {
    size_t size;            /**< sizeof(aio_connect_options) */
    const char *host;       /**< a name or number; NULL: this machine */
    int port;               /**< -1: none given */
    int sock;               /**< a connected stream socket, taken on success; -1: none */
    int family;             /**< AF_INET, AF_INET6; default AF_UNSPEC: any */
    int proto;              /**< of getaddrinfo(3), as flags */
    int flags;              /**< default 0 */
    const char *local_host; /**< bind to this; NULL: any, if there is a local_port */
    int local_port;         /**< -1: not bound, unless there is a local_host */
    /** Seconds after which the next address is tried while earlier ones are still being tried;
     *  AIO_FOREVER: only when they have failed. */
    double happy_eyeballs_delay;
    /** Let the families of the addresses alternate after this many of the first family; 0: leave
     *  the resolver's order; -1: 1 with a happy_eyeballs_delay, else 0. */
    int interleave;
    bool all_errors; /**< fail with a group of every attempt's error */
    /** TLS by this context; aio_tls_context_default() stands for Python's ssl=True. NULL: none. */
    aio_tls_context *ssl;
    /** Whose certificate it has to be; NULL: the host's, "": not compared, which lets anybody with
     *  a certificate of that authority's answer. */
    const char *server_hostname;
    double ssl_handshake_timeout; /**< seconds; 0: 60 */
    double ssl_shutdown_timeout;  /**< seconds; 0: 30 */
    aio_tls_session *ssl_session; /**< to be resumed, if the server still knows it; NULL: none */
} aio_connect_options;

/** The defaults. */
#define AIO_CONNECT_OPTIONS_INIT                                                                   \
    AIO_SIZED_WITH(aio_connect_options,                                                            \
                   AIO_SET(port, -1) AIO_SET(sock, -1) AIO_SET(local_port, -1)                     \
                       AIO_SET(happy_eyeballs_delay, AIO_FOREVER) AIO_SET(interleave, -1))

/**
 * Connect by TCP: try the addresses of a host in order until one takes the connection, then
 * make a protocol and a transport. connection_made has been called on return, data_received has
 * not. With TLS that is after the handshake, and data that came with it may have been received.
 *
 * @param loop     Borrowed; NULL: the running one.
 * @param factory  Called once with @p arg, when the connection is made.
 * @param options  Borrowed.
 * @param[out] ret_transport  Returned: aio_transport_unref() it. It has the protocol. May be NULL:
 *                 the connection lives without it.
 * @return 0, or a negative code; then nothing is left open, and a sock is still the caller's if
 *         no protocol was made for it:
 *   AIO_EVALUE      both or neither of host or port and sock; a sock of another type; no factory;
 *                   a context of the other side; what is only meaningful with ssl; TLS without a
 *                   host and a server_hostname
 *   AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM
 *   AIO_ESSLCERT, AIO_ESSL, -ECONNABORTED, -ECONNRESET   as aio_loop_start_tls()
 *   AIO_ENOTIMPLEMENTED   ssl, built without OpenSSL
 *   the system's    of the only attempt, or of all if they are equal
 *   AIO_EOS         attempts failed in different ways: the text has them all
 *   AIO_EGROUP      with all_errors: one member an attempt
 *   AIO_EAI_...     the host's name could not be resolved (dns.h)
 *
 * Suspends:            yes
 * Cancellation point:  yes; resolving goes on unseen, sockets are closed at once
 * asyncio:             loop.create_connection()                  Since: 0.1
 */
AIO_API int aio_loop_create_connection(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                       const aio_connect_options *options,
                                       aio_transport **ret_transport) AIO_MUST_CHECK;

/** Where to connect to: path, or sock. AIO_UNIX_CONNECT_OPTIONS_INIT first. */
typedef struct aio_unix_connect_options {
    size_t size;      /**< sizeof(aio_unix_connect_options) */
    const char *path; /**< a file, or an abstract name: a 0 and the name */
    size_t path_size; /**< bytes of path; 0: up to its final 0 */
    int sock;         /**< a connected unix stream socket, taken on success; -1: none */
    /** As in aio_connect_options; there is no host to take a server_hostname from. */
    aio_tls_context *ssl;
    const char *server_hostname;
    double ssl_handshake_timeout; /**< seconds; 0: 60 */
    double ssl_shutdown_timeout;  /**< seconds; 0: 30 */
    aio_tls_session *ssl_session; /**< to be resumed; NULL: none */
} aio_unix_connect_options;

/** The defaults. */
#define AIO_UNIX_CONNECT_OPTIONS_INIT AIO_SIZED_WITH(aio_unix_connect_options, AIO_SET(sock, -1))

/**
 * Connect to a unix socket. While the server's backlog is full, it is tried again and again.
 *
 * @return As aio_loop_create_connection().
 * Suspends: yes.   Cancellation point: yes.
 * asyncio: loop.create_unix_connection()                         Since: 0.1
 */
AIO_API int aio_loop_create_unix_connection(aio_loop *loop, aio_protocol_factory_fn factory,
                                            void *arg, const aio_unix_connect_options *options,
                                            aio_transport **ret_transport) AIO_MUST_CHECK;

/**
 * Make a protocol and a transport for a connection that was accepted elsewhere.
 *
 * @param sock  A connected stream socket, made non-blocking; taken on success.
 * @return As aio_loop_create_connection() with a sock.
 * Suspends: until connection_made was called.   Cancellation point: yes.
 * asyncio: loop.connect_accepted_socket()                        Since: 0.1
 */
AIO_API int aio_loop_connect_accepted_socket(aio_loop *loop, aio_protocol_factory_fn factory,
                                             void *arg, int sock,
                                             aio_transport **ret_transport) AIO_MUST_CHECK;

/** A connection that was accepted elsewhere. AIO_ACCEPTED_OPTIONS_INIT first. */
typedef struct aio_accepted_options {
    size_t size;                  /**< sizeof(aio_accepted_options) */
    int sock;                     /**< a connected stream socket, taken on success */
    aio_tls_context *ssl;         /**< a server's context; NULL: no TLS */
    double ssl_handshake_timeout; /**< seconds; 0: 60 */
    double ssl_shutdown_timeout;  /**< seconds; 0: 30 */
} aio_accepted_options;

/** The defaults. */
#define AIO_ACCEPTED_OPTIONS_INIT AIO_SIZED_WITH(aio_accepted_options, AIO_SET(sock, -1))

/** The same with options, which are borrowed. asyncio: loop.connect_accepted_socket(ssl=)
 *  Since: 0.1 */
AIO_API int aio_loop_connect_accepted_socket_with(aio_loop *loop, aio_protocol_factory_fn factory,
                                                  void *arg, const aio_accepted_options *options,
                                                  aio_transport **ret_transport) AIO_MUST_CHECK;

AIO_END_DECLS

#endif
