/* SPDX-License-Identifier: MIT */
/*
 * server.h - listening sockets that make a transport and a protocol for each connection
 *
 * A server lives while it listens or has connections, whoever holds it. Connections it accepted
 * are its clients until their connection_lost.
 *
 * Thread: the loop's, for everything here.
 */
#ifndef AIO_SERVER_H
#define AIO_SERVER_H

#include <aio/tls.h>

AIO_BEGIN_DECLS

typedef struct aio_server aio_server;

/** @name Making servers @{ */

/** Where a server listens: either host, hosts and port, or sock. AIO_SERVER_OPTIONS_INIT first. */
typedef struct aio_server_options {
    size_t size;                  /**< sizeof(aio_server_options) */
    const char *host;             /**< a name or number; NULL or "": all interfaces */
    const char *const *hosts;     /**< several, instead of host; NULL: none */
    size_t host_count;            /**< of hosts */
    int port;                     /**< 0: any that is free, one for each socket; -1: none given */
    int sock;                     /**< a bound stream socket, taken on success; -1: none */
    int family;                   /**< AF_INET, AF_INET6; default AF_UNSPEC: both */
    int flags;                    /**< of getaddrinfo(3); default AI_PASSIVE */
    int backlog;                  /**< of listen(2), and how many are accepted at a time; 0: 100 */
    bool reuse_address;           /**< SO_REUSEADDR */
    bool reuse_port;              /**< SO_REUSEPORT */
    bool keep_alive;              /**< SO_KEEPALIVE, which the connections inherit */
    bool start_serving;           /**< listen at once */
    aio_tls_context *ssl;         /**< a server's context, kept; NULL: no TLS */
    double ssl_handshake_timeout; /**< seconds; 0: 60 */
    double ssl_shutdown_timeout;  /**< seconds; 0: 30 */
} aio_server_options;

/** The defaults. */
#define AIO_SERVER_OPTIONS_INIT                                                                    \
    AIO_SIZED_WITH(aio_server_options, AIO_SET(port, -1) AIO_SET(sock, -1) AIO_SET(                \
                                           reuse_address, true) AIO_SET(start_serving, true))

/**
 * Make a server for internet sockets, or for a bound socket of any family: one listening socket
 * for each address the hosts have. IPv6 sockets take IPv6 only; an address that this machine
 * does not have is skipped if another one is left.
 *
 * With TLS the factory's protocol hears of its connection after the handshake; one that fails is
 * reported in debug mode only, and drops that connection.
 *
 * @param loop     Borrowed; NULL: the running one.
 * @param factory  Called for each connection, with @p arg, on the thread's own stack; what it
 *                 fails with is reported in debug mode only, and the connection dropped.
 * @param options  Borrowed.
 * @param[out] ret_server  Returned: aio_server_unref() it.
 * @return 0, or a negative code; then nothing is left open, and a sock is still the caller's:
 *   AIO_EVALUE      both or neither of host or port and sock; a sock of another type; no factory;
 *                   a client's context; what is only meaningful with ssl
 *   AIO_ETYPE       ssl is aio_tls_context_default(): a server has a certificate
 *   AIO_ENOTIMPLEMENTED   ssl, built without OpenSSL
 *   AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM
 *   the system's    a socket could not be bound: the text says to which address
 *
 * Suspends:            while names are resolved, and for one iteration if it starts serving
 * Cancellation point:  whenever it suspends
 * asyncio:             loop.create_server()                      Since: 0.1
 */
AIO_API int aio_loop_create_server(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                   const aio_server_options *options,
                                   aio_server **ret_server) AIO_MUST_CHECK;

/** Where a server of unix sockets listens: path, or sock. AIO_UNIX_SERVER_OPTIONS_INIT first. */
typedef struct aio_unix_server_options {
    size_t size;          /**< sizeof(aio_unix_server_options) */
    const char *path;     /**< a file, or an abstract name: a 0 and the name */
    size_t path_size;     /**< bytes of path; 0: up to its final 0 */
    int sock;             /**< a bound unix stream socket, taken on success; -1: none */
    int backlog;          /**< as in aio_server_options */
    bool start_serving;   /**< listen at once */
    bool cleanup_socket;  /**< remove the file on close, also of a sock, if it still is the one that
                               was bound */
    aio_tls_context *ssl; /**< a server's context, kept; NULL: no TLS */
    double ssl_handshake_timeout; /**< seconds; 0: 60 */
    double ssl_shutdown_timeout;  /**< seconds; 0: 30 */
} aio_unix_server_options;

/** The defaults. */
#define AIO_UNIX_SERVER_OPTIONS_INIT                                                               \
    AIO_SIZED_WITH(aio_unix_server_options,                                                        \
                   AIO_SET(sock, -1) AIO_SET(start_serving, true) AIO_SET(cleanup_socket, true))

/**
 * Make a server for a unix socket. A socket file that is in the way is removed first.
 *
 * @return As aio_loop_create_server(); AIO_EVALUE also for a name that is too long.
 * Suspends: for one iteration if it starts serving.   Cancellation point: then.
 * asyncio: loop.create_unix_server()                             Since: 0.1
 */
AIO_API int aio_loop_create_unix_server(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                        const aio_unix_server_options *options,
                                        aio_server **ret_server) AIO_MUST_CHECK;

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_server *aio_server_ref(aio_server *server);
/** Drop a reference; NULL is allowed. A server that listens goes on. Since: 0.1 */
AIO_API void aio_server_unref(aio_server *server);
AIO_DEFINE_AUTO(aio_server)
/** @} */

/** @name Serving
 *  A NULL server: AIO_EVALUE, or nothing happens. @{ */

/** Close the listening sockets, and cancel a serve_forever that waits. Clients stay. Idempotent.
 *  asyncio: Server.close()   Since: 0.1 */
AIO_API void aio_server_close(aio_server *server);
/** Close the transport of every client.   asyncio: Server.close_clients()   Since: 0.1 */
AIO_API void aio_server_close_clients(aio_server *server);
/** Abort the transport of every client.   asyncio: Server.abort_clients()   Since: 0.1 */
AIO_API void aio_server_abort_clients(aio_server *server);
/** Whether it listens.   asyncio: Server.is_serving()   Since: 0.1 */
AIO_API bool aio_server_is_serving(const aio_server *server);

/**
 * Listen, if it does not yet.
 *
 * @return 0, AIO_ERUNTIME if it is closed, AIO_ECANCELLED, AIO_ENOTASK, the system's code.
 * Suspends: for one iteration.   Cancellation point: yes.
 * asyncio: Server.start_serving()                                Since: 0.1
 */
AIO_API int aio_server_start_serving(aio_server *server) AIO_MUST_CHECK;

/**
 * Listen until cancelled, or until the server is closed by others; then close it and wait until
 * its clients are gone.
 *
 * @return AIO_ECANCELLED in both cases; AIO_ERUNTIME if it is closed or somebody serves already;
 *         AIO_ENOTASK, AIO_ENOMEM, the system's code.
 * Suspends: yes.   Cancellation point: yes; a second cancellation ends the wait for clients.
 * asyncio: Server.serve_forever()                                Since: 0.1
 */
AIO_API int aio_server_serve_forever(aio_server *server) AIO_MUST_CHECK;

/**
 * Wait until the server is closed and its last client is gone.
 *
 * @return 0, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.
 * Suspends: unless that is so.   Cancellation point: whenever it suspends.
 * asyncio: Server.wait_closed()                                  Since: 0.1
 */
AIO_API int aio_server_wait_closed(aio_server *server) AIO_MUST_CHECK;

/**
 * The listening sockets; none once it is closed.
 *
 * @param[out] ret_socks  Gets at most @p count descriptors, borrowed. May be NULL if @p count is 0.
 * @return How many there are.
 * asyncio: Server.sockets                                        Since: 0.1
 */
AIO_API size_t aio_server_sockets(const aio_server *server, int *ret_socks, size_t count);
/** The loop, borrowed.   asyncio: Server.get_loop()   Since: 0.1 */
AIO_API aio_loop *aio_server_get_loop(const aio_server *server);

/** Begin a block that ends with the server: nothing but a check for NULL. 0, AIO_EVALUE.
 *  asyncio: async with server   Since: 0.1 */
AIO_API int aio_server_enter(aio_server *server);
/**
 * End the block: close the server and wait until it is closed.
 *
 * @param code  What the block ended with: 0 or a negative code.
 * @return @p code; or, if the wait failed, that code.
 * Suspends, cancellation: as aio_server_wait_closed().   asyncio: async with server   Since: 0.1
 */
AIO_API int aio_server_exit(aio_server *server, int code) AIO_MUST_CHECK;
/** @} */

AIO_END_DECLS

#endif
