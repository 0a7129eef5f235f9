/* SPDX-License-Identifier: MIT */
/*
 * stream.h - reading and writing connections from coroutines
 *
 * A reader and a writer over a transport, as asyncio's StreamReader and StreamWriter. Who writes
 * awaits aio_stream_writer_drain() to keep step with the peer; who reads stops the peer by not
 * reading.
 */
#ifndef AIO_STREAM_H
#define AIO_STREAM_H

#include <aio/task.h>
#include <aio/transport.h>

AIO_BEGIN_DECLS

typedef struct aio_stream_reader aio_stream_reader;
typedef struct aio_stream_writer aio_stream_writer;

/** Bytes that a read returned: owned by the caller, who frees them. A 0 byte follows them. */
typedef struct aio_bytes {
    char *data; /**< NULL for no bytes */
    size_t size;
} aio_bytes;
/** Free the bytes and make them none. NULL is allowed. Since: 0.1 */
AIO_API void aio_bytes_free(aio_bytes *bytes);

/** The limit of a reader unless one is given, in bytes. */
#define AIO_STREAM_LIMIT 65536u

/** @name Reading
 *  One task at a time may read; a second gets AIO_ERUNTIME while the first waits. Each of these
 *  suspends while there is not enough to return, is a cancellation point then and leaves the
 *  buffer as it is when cancelled. Each gives first of all the error the reader ended with. @{ */

/**
 * Make a reader that somebody feeds.
 *
 * @param limit  Bytes, above 0: reading pauses above twice as many, and lines are no longer.
 * @param loop   NULL: the running loop, else this thread's current one.
 * @return Returned: aio_stream_reader_unref() it. NULL when memory is short, or AIO_EVALUE.
 * asyncio: asyncio.StreamReader(limit, loop)                     Since: 0.1
 */
AIO_API aio_stream_reader *aio_stream_reader_new(aio_loop *loop, size_t limit);
/** Take another reference. Since: 0.1 */
AIO_API aio_stream_reader *aio_stream_reader_ref(aio_stream_reader *reader);
/** Drop a reference; NULL is allowed. Since: 0.1 */
AIO_API void aio_stream_reader_unref(aio_stream_reader *reader);
AIO_DEFINE_AUTO(aio_stream_reader)

/**
 * Read up to some bytes.
 *
 * @param size            Returns as soon as there is one. -1: all until the end of the stream. 0:
 *                        none, at once.
 * @param[out] ret_bytes  No bytes: the end of the stream.
 * @return 0, or a negative code: AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM, AIO_ERUNTIME, the error
 *         of the connection.
 * asyncio: StreamReader.read()                                   Since: 0.1
 */
AIO_API int aio_stream_reader_read(aio_stream_reader *reader, ptrdiff_t size, aio_bytes *ret_bytes);
/** The same into memory of the caller's: no allocation, and no copy in between while the caller
 *  waits.  @param size above 0.  @param[out] ret_size 0: the end.   Since: 0.1 */
AIO_API int aio_stream_reader_read_into(aio_stream_reader *reader, void *data, size_t size,
                                        size_t *ret_size);
/**
 * Read a line with its newline; the last may lack it, and no bytes are the end.
 *
 * @return 0; AIO_EVALUE for a line over the limit, which is then dropped; or as read.
 * asyncio: StreamReader.readline(), __anext__()                  Since: 0.1
 */
AIO_API int aio_stream_reader_readline(aio_stream_reader *reader, aio_bytes *ret_bytes);
/**
 * Read exactly so many bytes, whatever the limit.
 *
 * @return 0; AIO_EINCOMPLETEREAD at the end of the stream before, whose exception has what there
 *         was (aio_exception_partial()); or as read.
 * asyncio: StreamReader.readexactly()                            Since: 0.1
 */
AIO_API int aio_stream_reader_readexactly(aio_stream_reader *reader, size_t size,
                                          aio_bytes *ret_bytes);
/** The same into memory of the caller's. Since: 0.1 */
AIO_API int aio_stream_reader_readexactly_into(aio_stream_reader *reader, void *data, size_t size);
/**
 * Read up to a separator, which is part of the result.
 *
 * @return 0; AIO_EINCOMPLETEREAD at the end of the stream before it; AIO_ELIMITOVERRUN if it does
 *         not come within the limit, the data staying where it is (aio_exception_consumed());
 *         AIO_EVALUE for an empty separator; or as read.
 * asyncio: StreamReader.readuntil(separator)                     Since: 0.1
 */
AIO_API int aio_stream_reader_readuntil(aio_stream_reader *reader, const void *separator,
                                        size_t size, aio_bytes *ret_bytes);
/** The same with several separators: the one that ends first counts, the shorter of two.
 *  asyncio: StreamReader.readuntil((a, b, ...))   Since: 0.1 */
AIO_API int aio_stream_reader_readuntil_any(aio_stream_reader *reader, const aio_buffer *separators,
                                            size_t count, aio_bytes *ret_bytes);

/**
 * Look at what is buffered, waiting until there are some bytes.
 *
 * @param size            How many to wait for, at most twice the limit; 1 or more.
 * @param[out] ret_view   All that is buffered: fewer than @p size only at the end of the stream.
 *                        Borrowed: valid until the caller consumes, reads or suspends.
 * @return As read; AIO_EVALUE for a size out of bounds.
 * asyncio: none; for those who want no copy                      Since: 0.1
 */
AIO_API int aio_stream_reader_peek(aio_stream_reader *reader, size_t size, aio_buffer *ret_view);
/** Drop bytes that were looked at; at most as many as are buffered. Since: 0.1 */
AIO_API void aio_stream_reader_consume(aio_stream_reader *reader, size_t size);

/** At the end, and nothing buffered.   asyncio: StreamReader.at_eof()   Since: 0.1 */
AIO_API bool aio_stream_reader_at_eof(const aio_stream_reader *reader);
/** The error set, borrowed, or NULL.   asyncio: StreamReader.exception()   Since: 0.1 */
AIO_API aio_exception *aio_stream_reader_exception(const aio_stream_reader *reader);
/** Give the reader an error that every read raises; kept.
 *  asyncio: StreamReader.set_exception()   Since: 0.1 */
AIO_API void aio_stream_reader_set_exception(aio_stream_reader *reader, aio_exception *error);
/** Set the transport that is paused and resumed; borrowed.
 *  asyncio: StreamReader.set_transport()   Since: 0.1 */
AIO_API void aio_stream_reader_set_transport(aio_stream_reader *reader, aio_transport *transport);
/** Put bytes in. 0, AIO_ENOMEM, AIO_EASSERTION after the end.
 *  asyncio: StreamReader.feed_data()   Since: 0.1 */
AIO_API int aio_stream_reader_feed_data(aio_stream_reader *reader, const void *data, size_t size);
/** The end of the stream.   asyncio: StreamReader.feed_eof()   Since: 0.1 */
AIO_API void aio_stream_reader_feed_eof(aio_stream_reader *reader);

/** What an AIO_EINCOMPLETEREAD had read, borrowed.   asyncio: IncompleteReadError.partial   Since: 0.1 */
AIO_API aio_buffer aio_exception_partial(const aio_exception *error);
/** How many bytes it wanted; -1: not known.   asyncio: IncompleteReadError.expected   Since: 0.1 */
AIO_API ptrdiff_t aio_exception_expected(const aio_exception *error);
/** How many bytes an AIO_ELIMITOVERRUN may drop.   asyncio: LimitOverrunError.consumed   Since: 0.1 */
AIO_API size_t aio_exception_consumed(const aio_exception *error);
/** @} */

/** @name The protocol between them and a transport @{ */

/** Called for each connection of a server, as a task of its own; the arguments are borrowed by
 *  the call: ref them to keep them. The connection is not closed when it returns. */
typedef int (*aio_client_connected_fn)(aio_stream_reader *reader, aio_stream_writer *writer,
                                       void *arg);

/**
 * Make the protocol of a stream, which feeds a reader.
 *
 * @param reader  Kept.
 * @param client  Called when connected, or NULL.
 * @param plain   Call @p client as a plain callback inside connection_made, instead of in a task.
 * @return A protocol for a transport, which frees it by its release. NULL when memory is short.
 * asyncio: asyncio.StreamReaderProtocol(reader, client_connected_cb)   Since: 0.1
 */
AIO_API aio_protocol *aio_stream_protocol_new(aio_stream_reader *reader,
                                              aio_client_connected_fn client, void *arg,
                                              bool plain);
/** @} */

/** @name Writing @{ */

/**
 * Make a writer.
 *
 * @param transport  Kept.
 * @param protocol   One of aio_stream_protocol_new(), kept by @p transport.
 * @param reader     The reader of the same connection, kept; may be NULL.
 * @return Returned: aio_stream_writer_unref() it. NULL when memory is short.
 * asyncio: asyncio.StreamWriter(transport, protocol, reader, loop)   Since: 0.1
 */
AIO_API aio_stream_writer *aio_stream_writer_new(aio_transport *transport, aio_protocol *protocol,
                                                 aio_stream_reader *reader);
/** Take another reference. Since: 0.1 */
AIO_API aio_stream_writer *aio_stream_writer_ref(aio_stream_writer *writer);
/** Drop a reference; NULL is allowed. The last one closes the connection, with a warning in debug
 *  mode if nobody did. Since: 0.1 */
AIO_API void aio_stream_writer_unref(aio_stream_writer *writer);
AIO_DEFINE_AUTO(aio_stream_writer)

/** aio_transport_write().   asyncio: StreamWriter.write()   Since: 0.1 */
AIO_API int aio_stream_writer_write(aio_stream_writer *writer, const void *data, size_t size);
/** aio_transport_writelines().   asyncio: StreamWriter.writelines()   Since: 0.1 */
AIO_API int aio_stream_writer_writelines(aio_stream_writer *writer, const aio_buffer *buffers,
                                         size_t count);
/**
 * Wait until writing may go on.
 *
 * @return 0; -ECONNRESET when the connection is lost; the reader's error; AIO_ECANCELLED,
 *         AIO_ENOTASK, AIO_ENOMEM.
 * Suspends: while the write buffer is too full, and for one iteration when closing.
 * Cancellation point: whenever it suspends.   asyncio: StreamWriter.drain()   Since: 0.1
 */
AIO_API int aio_stream_writer_drain(aio_stream_writer *writer);
/** aio_transport_write_eof().   asyncio: StreamWriter.write_eof()   Since: 0.1 */
AIO_API int aio_stream_writer_write_eof(aio_stream_writer *writer);
/** asyncio: StreamWriter.can_write_eof()   Since: 0.1 */
AIO_API bool aio_stream_writer_can_write_eof(const aio_stream_writer *writer);
/** aio_transport_close().   asyncio: StreamWriter.close()   Since: 0.1 */
AIO_API void aio_stream_writer_close(aio_stream_writer *writer);
/** asyncio: StreamWriter.is_closing()   Since: 0.1 */
AIO_API bool aio_stream_writer_is_closing(const aio_stream_writer *writer);
/**
 * Wait until the connection is gone.
 *
 * @return 0, or the error it was lost with; AIO_ECANCELLED, AIO_ENOTASK.
 * Suspends: until then.   Cancellation point: yes.   asyncio: StreamWriter.wait_closed()   Since: 0.1
 */
AIO_API int aio_stream_writer_wait_closed(aio_stream_writer *writer);
/** asyncio: StreamWriter.get_extra_info()   Since: 0.1 */
AIO_API const void *aio_stream_writer_get_extra_info(const aio_stream_writer *writer,
                                                     const char *name);
/** The transport, borrowed.   asyncio: StreamWriter.transport   Since: 0.1 */
AIO_API aio_transport *aio_stream_writer_transport(const aio_stream_writer *writer);
/** @} */

AIO_END_DECLS

#endif
