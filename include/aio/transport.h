/* SPDX-License-Identifier: MIT */
/*
 * transport.h - transports and protocols: connections by callbacks
 *
 * A transport moves bytes, a protocol is told of them: asyncio's lower layer, below streams.
 * Both are interfaces. The library brings transports for sockets, pipes, processes and TLS; a
 * program brings protocols, and may bring transports of its own.
 *
 * Callbacks of a protocol run on the thread's own stack, outside any task, and must not suspend.
 * Those that return int give 0 or a negative code; a code goes to the loop's exception handler
 * and ends the connection with it, as an exception out of a Python protocol does (S115).
 *
 * Thread: the loop's, for everything here.
 */
#ifndef AIO_TRANSPORT_H
#define AIO_TRANSPORT_H

#include <aio/error.h>
#include <aio/loop.h>

AIO_BEGIN_DECLS

struct sockaddr;
typedef struct aio_transport aio_transport;
typedef struct aio_protocol aio_protocol;

/** @name Protocols @{ */

/**
 * What a protocol does; a NULL function does nothing. The order of calls is asyncio's: one
 * connection_made, any number of data_received, at most one eof_received, one connection_lost.
 * asyncio: BaseProtocol, Protocol, BufferedProtocol, DatagramProtocol, SubprocessProtocol
 */
typedef struct aio_protocol_ops {
    size_t size; /**< sizeof(aio_protocol_ops) */

    /* of every protocol */
    int (*connection_made)(aio_protocol *self, aio_transport *transport);
    /** @p error is borrowed; NULL: closed in order. The last call but release. */
    int (*connection_lost)(aio_protocol *self, aio_exception *error);
    int (*pause_writing)(aio_protocol *self);
    int (*resume_writing)(aio_protocol *self);
    /** The transport lets go of the protocol: the place to free it. */
    void (*release)(aio_protocol *self);

    /* of a stream, by copies or views that are valid during the call */
    int (*data_received)(aio_protocol *self, const void *data, size_t size);
    /** Gives true to keep the transport open for writing. */
    bool (*eof_received)(aio_protocol *self);

    /* of a stream, into memory of the protocol's: used instead of data_received when get_buffer is
     * set. It gives the place and its size, which must not be 0. The hint is how many bytes would
     * be read at most, (size_t)-1 where that is not said; any size will do. */
    int (*get_buffer)(aio_protocol *self, size_t hint, void **ret_data, size_t *ret_size);
    int (*buffer_updated)(aio_protocol *self, size_t size);

    /* of datagrams */
    int (*datagram_received)(aio_protocol *self, const void *data, size_t size,
                             const struct sockaddr *address);
    int (*error_received)(aio_protocol *self, aio_exception *error);

    /* of a subprocess: fd is the child's, 1 or 2 */
    int (*pipe_data_received)(aio_protocol *self, int fd, const void *data, size_t size);
    int (*pipe_connection_lost)(aio_protocol *self, int fd, aio_exception *error);
    int (*process_exited)(aio_protocol *self);
} aio_protocol_ops;

/** A protocol: to be the first member, or a member, of a structure of the program's. */
struct aio_protocol {
    const aio_protocol_ops *ops;
};

/**
 * Makes the protocol of a new connection.
 *
 * @return The protocol, which the transport keeps until it calls release; NULL, with an error
 *         raised, refuses the connection.
 */
typedef aio_protocol *(*aio_protocol_factory_fn)(void *arg);
/** @} */

/** @name Transports @{ */

/**
 * What a transport does. A NULL function is not supported: its call gives AIO_ENOTIMPLEMENTED,
 * or does nothing where it returns no code.
 */
typedef struct aio_transport_ops {
    size_t size; /**< sizeof(aio_transport_ops) */
    void (*close)(aio_transport *self);
    void (*abort)(aio_transport *self);
    bool (*is_closing)(const aio_transport *self);
    /** The value for a name, or NULL: see aio_transport_get_extra_info(). */
    const void *(*get_extra_info)(const aio_transport *self, const char *name);
    void (*set_protocol)(aio_transport *self, aio_protocol *protocol);
    aio_protocol *(*get_protocol)(const aio_transport *self);

    int (*pause_reading)(aio_transport *self);
    int (*resume_reading)(aio_transport *self);
    bool (*is_reading)(const aio_transport *self);

    int (*write)(aio_transport *self, const void *data, size_t size);
    int (*writelines)(aio_transport *self, const aio_buffer *buffers, size_t count);
    int (*write_eof)(aio_transport *self);
    bool (*can_write_eof)(const aio_transport *self);
    int (*set_write_buffer_limits)(aio_transport *self, size_t high, size_t low);
    void (*get_write_buffer_limits)(const aio_transport *self, size_t *ret_high, size_t *ret_low);
    size_t (*get_write_buffer_size)(const aio_transport *self);

    int (*sendto)(aio_transport *self, const void *data, size_t size,
                  const struct sockaddr *address);

    aio_loop *(*get_loop)(const aio_transport *self);
    aio_transport *(*ref)(aio_transport *self);
    void (*unref)(aio_transport *self);
} aio_transport_ops;

/** A transport: to be the first member of its implementation. */
struct aio_transport {
    const aio_transport_ops *ops;
};

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_transport *aio_transport_ref(aio_transport *transport);
/** Drop a reference; NULL is allowed. An open transport lives on with its connection. Since: 0.1 */
AIO_API void aio_transport_unref(aio_transport *transport);
AIO_DEFINE_AUTO(aio_transport)

/**
 * Begin an orderly end: stop reading, send what is buffered, then connection_lost(NULL), which
 * is never called from inside this call. Idempotent.   asyncio: transport.close()   Since: 0.1
 */
AIO_API void aio_transport_close(aio_transport *transport);
/** End at once: what is buffered is lost.   asyncio: WriteTransport.abort()   Since: 0.1 */
AIO_API void aio_transport_abort(aio_transport *transport);
/** Whether it is closing or closed.   asyncio: transport.is_closing()   Since: 0.1 */
AIO_API bool aio_transport_is_closing(const aio_transport *transport);

/**
 * Ask for what a transport knows about itself.
 *
 * @param name  What asyncio has, each with its type:
 *   "peername", "sockname"  const struct sockaddr *
 *   "socket"                const int *: the file descriptor
 *   "pipe"                  const int *
 *   "subprocess"            const int *: the process id
 *   "sslcontext", "ssl_object", "peercert", "cipher", "compression"   see tls.h
 * @return Borrowed from the transport; NULL if there is no such thing.
 * asyncio: transport.get_extra_info()                            Since: 0.1
 */
AIO_API const void *aio_transport_get_extra_info(const aio_transport *transport, const char *name);

/** Switch to another protocol, which is kept until its release; the former is not released by
 *  this.   asyncio: transport.set_protocol()   Since: 0.1 */
AIO_API void aio_transport_set_protocol(aio_transport *transport, aio_protocol *protocol);
/** The current one, borrowed.   asyncio: transport.get_protocol()   Since: 0.1 */
AIO_API aio_protocol *aio_transport_get_protocol(const aio_transport *transport);
/** The loop, borrowed. Since: 0.1 */
AIO_API aio_loop *aio_transport_get_loop(const aio_transport *transport);

/** No more data_received until resumed. 0, AIO_ENOTIMPLEMENTED. Idempotent.
 *  asyncio: ReadTransport.pause_reading()   Since: 0.1 */
AIO_API int aio_transport_pause_reading(aio_transport *transport);
/** Go on. asyncio: ReadTransport.resume_reading()   Since: 0.1 */
AIO_API int aio_transport_resume_reading(aio_transport *transport);
/** Whether it reads.   asyncio: ReadTransport.is_reading()   Since: 0.1 */
AIO_API bool aio_transport_is_reading(const aio_transport *transport);

/**
 * Write. What cannot be sent at once is copied and sent later; the call never blocks.
 *
 * @param data  Borrowed for the call.
 * @return 0, also when the connection is lost (the protocol is told); AIO_ERUNTIME after
 *         write_eof; AIO_ENOMEM, nothing of it then being queued.
 * asyncio: WriteTransport.write()                                Since: 0.1
 */
AIO_API int aio_transport_write(aio_transport *transport, const void *data, size_t size);
/** The same with several buffers, in one system call if possible. A transport of the program's
 *  without writelines is written each of them.
 *  asyncio: WriteTransport.writelines()   Since: 0.1 */
AIO_API int aio_transport_writelines(aio_transport *transport, const aio_buffer *buffers,
                                     size_t count);
/** Close the writing side once what is buffered is sent.
 *  asyncio: WriteTransport.write_eof()   Since: 0.1 */
AIO_API int aio_transport_write_eof(aio_transport *transport);
/** Whether it can.   asyncio: WriteTransport.can_write_eof()   Since: 0.1 */
AIO_API bool aio_transport_can_write_eof(const aio_transport *transport);

/** Leaves a limit to the transport. */
#define AIO_LIMIT_DEFAULT ((size_t)-1)
/**
 * Set the water marks of the write buffer, in bytes: pause_writing is called when it holds more
 * than @p high, resume_writing when it holds @p low or less again.
 *
 * @param high  AIO_LIMIT_DEFAULT: 4 * low, or 64 KiB.
 * @param low   AIO_LIMIT_DEFAULT: high / 4.
 * @return 0, AIO_EVALUE unless high >= low.
 * asyncio: WriteTransport.set_write_buffer_limits()              Since: 0.1
 */
AIO_API int aio_transport_set_write_buffer_limits(aio_transport *transport, size_t high,
                                                  size_t low);
/** The water marks.   asyncio: WriteTransport.get_write_buffer_limits()   Since: 0.1 */
AIO_API void aio_transport_get_write_buffer_limits(const aio_transport *transport, size_t *ret_high,
                                                   size_t *ret_low);
/** Bytes waiting to be sent.   asyncio: WriteTransport.get_write_buffer_size()   Since: 0.1 */
AIO_API size_t aio_transport_get_write_buffer_size(const aio_transport *transport);

/**
 * Send a datagram.
 *
 * @param address  Where to; NULL: where the transport is connected to.
 * @return 0, AIO_EVALUE for another address than it is connected to, AIO_ENOMEM. Errors of
 *         sending go to error_received.
 * asyncio: DatagramTransport.sendto()                            Since: 0.1
 */
AIO_API int aio_transport_sendto(aio_transport *transport, const void *data, size_t size,
                                 const struct sockaddr *address);
/** @} */

AIO_END_DECLS

#endif
