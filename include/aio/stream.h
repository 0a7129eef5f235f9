/* SPDX-License-Identifier: MIT */
/*
 * stream.h - reading and writing connections from coroutines
 *
 * A reader and a writer over a transport, as asyncio's StreamReader and StreamWriter. Who writes
 * awaits aio_stream_writer_drain() to keep step with the peer; who reads stops the peer by not
 * reading.
 *
 * A NULL in the place of a reader or writer gives the code of the constructor that failed.
 *
 * Thread: the loop's, for everything here but aio_bytes and aio_exception.
 */
#ifndef AIO_STREAM_H
#define AIO_STREAM_H

#include <aio/connect.h>
#include <aio/iterator.h>
#include <aio/server.h>
#include <aio/task.h>
#include <aio/transport.h>

AIO_BEGIN_DECLS

typedef struct aio_stream_reader aio_stream_reader;
typedef struct aio_stream_writer aio_stream_writer;

/** Bytes that a read returned: owned by the caller, who frees them. A 0 byte follows them. */
typedef struct aio_bytes {
    char *data; /**< from aio_malloc(); NULL for no bytes */
    size_t size;
} aio_bytes;
/** Free the bytes and make them none. NULL is allowed. Since: 0.1 */
AIO_API void aio_bytes_free(aio_bytes *bytes);

/** The limit of a reader unless one is given, in bytes. */
#define AIO_STREAM_LIMIT 65536u

/** @name Reading
 *  One task at a time may wait for data: a second gets AIO_ERUNTIME, and has changed nothing. Each
 *  read suspends only while there is not enough to return, and is a cancellation point then;
 *  cancelled, it leaves in the reader what it has not taken. Bad arguments are found first, then
 *  the error the reader ended with is raised, whatever is still buffered, by every read anew.
 *  A call may outlive the caller's reference to the reader. Outputs are written on success only.
 *
 *  Every read returns 0 or a negative code, of which these are common to all:
 *    AIO_ECANCELLED  the calling task was cancelled
 *    AIO_ENOTASK     there is nothing to return yet, and no task that could wait for it
 *    AIO_ENOMEM      nothing was taken out of the reader
 *    AIO_ERUNTIME    another task waits for data of this reader
 *    any other       the error the connection was lost with @{ */

/**
 * Make a reader that somebody feeds: a protocol (aio_stream_protocol_new()), or the program.
 *
 * @param loop   Borrowed. NULL: the running loop, else this thread's current one.
 * @param limit  Bytes, from 1 to PTRDIFF_MAX: reading pauses while more than twice as many are
 *               buffered, and what readuntil finds is no longer, the separator apart.
 * @return Returned: aio_stream_reader_unref() it. NULL, with aio_last_failure() AIO_EVALUE for a
 *         limit out of bounds, AIO_ENOLOOP, AIO_ECLOSED, AIO_ENOMEM.
 * Suspends: no.   asyncio: asyncio.StreamReader(limit, loop)     Since: 0.1
 */
AIO_API aio_stream_reader *aio_stream_reader_new(aio_loop *loop, size_t limit);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_stream_reader *aio_stream_reader_ref(aio_stream_reader *reader);
/** Drop a reference; NULL is allowed. Since: 0.1 */
AIO_API void aio_stream_reader_unref(aio_stream_reader *reader);
AIO_DEFINE_AUTO(aio_stream_reader)

/**
 * Read up to some bytes.
 *
 * @param size            Returns as soon as there is one. Below 0: all until the end of the
 *                        stream; what was taken is lost if that fails half way. 0: none, at once.
 * @param[out] ret_bytes  No bytes: the end of the stream, or another task was faster.
 * @return 0, or a code of those above.
 * Suspends: while nothing is buffered.   asyncio: StreamReader.read()   Since: 0.1
 */
AIO_API int aio_stream_reader_read(aio_stream_reader *reader, ptrdiff_t size, aio_bytes *ret_bytes);
/**
 * The same into memory of the caller's: no allocation, and while the caller waits the data comes
 * straight into @p data.
 *
 * @param size           Above 0.
 * @param[out] ret_size  0: the end of the stream, or another task was faster.
 * @return 0, AIO_EVALUE for a size of 0, or a code of those above. @p data may hold anything after
 *         a failure.
 * Suspends: while nothing is buffered.   asyncio: none           Since: 0.1
 */
AIO_API int aio_stream_reader_read_into(aio_stream_reader *reader, void *data, size_t size,
                                        size_t *ret_size);
/**
 * Read a line with its newline; the last may lack it, and no bytes are the end.
 *
 *     while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0)
 *
 * @return 0; AIO_EVALUE for a line over the limit, which is dropped, or all that is buffered if it
 *         has no newline yet; or a code of those above.
 * Suspends: while no newline is buffered.
 * asyncio: StreamReader.readline()                               Since: 0.1
 */
AIO_API int aio_stream_reader_readline(aio_stream_reader *reader, aio_bytes *ret_bytes);
/**
 * The lines of a stream as an iterator.
 *
 *     aio_iterator *lines = aio_stream_reader_iterator(reader);     async for line in reader:
 *     while ((err = aio_anext(lines, &line)) == 0)                      ...
 *
 * An item is an aio_bytes of what aio_stream_reader_readline() reads. It belongs to the reader, and
 * stays until the next line, or the reader's end; to keep its bytes, take its data and leave NULL
 * there. AIO_ESTOP is the end of the stream; any other code is that of readline().
 *
 * @return Borrowed: valid as long as @p reader, the same at each call; NULL for NULL.
 * Suspends: no.
 * asyncio: StreamReader.__aiter__(), StreamReader.__anext__()    Since: 0.1
 */
AIO_API aio_iterator *aio_stream_reader_iterator(aio_stream_reader *reader);
/**
 * Read exactly so many bytes, whatever the limit.
 *
 * @param size  Up to PTRDIFF_MAX.
 * @return 0; AIO_EVALUE for a size out of bounds; AIO_EINCOMPLETEREAD at the end of the stream
 *         before, whose exception has taken what there was (aio_exception_partial()); or a code of
 *         those above.
 * Suspends: while less is buffered.   asyncio: StreamReader.readexactly()   Since: 0.1
 */
AIO_API int aio_stream_reader_readexactly(aio_stream_reader *reader, size_t size,
                                          aio_bytes *ret_bytes);
/** The same into memory of the caller's, as aio_stream_reader_read_into(). Since: 0.1 */
AIO_API int aio_stream_reader_readexactly_into(aio_stream_reader *reader, void *data, size_t size);
/**
 * Read up to a separator, which is part of the result.
 *
 * @param separator  Borrowed for the call, with its @p size bytes.
 * @return 0; AIO_EVALUE for an empty separator; AIO_EINCOMPLETEREAD at the end of the stream before
 *         it; AIO_ELIMITOVERRUN if more than the limit stands before it, the data staying where it
 *         is (aio_exception_consumed()); or a code of those above.
 * Suspends: while no separator is buffered.
 * asyncio: StreamReader.readuntil(separator)                     Since: 0.1
 */
AIO_API int aio_stream_reader_readuntil(aio_stream_reader *reader, const void *separator,
                                        size_t size, aio_bytes *ret_bytes);
/** The same with several separators: the one that ends first counts, the shorter of two. None at
 *  all, or an empty one among them: AIO_EVALUE.
 *  asyncio: StreamReader.readuntil((a, b, ...))   Since: 0.1 */
AIO_API int aio_stream_reader_readuntil_any(aio_stream_reader *reader, const aio_buffer *separators,
                                            size_t count, aio_bytes *ret_bytes);

/**
 * Look at what is buffered, waiting until there are some bytes.
 *
 * @param size            How many to wait for: from 1 to twice the limit.
 * @param[out] ret_view   All that is buffered: fewer than @p size only at the end of the stream.
 *                        Borrowed from the reader: valid until it is fed or read the next time,
 *                        so not beyond the next call that suspends.
 * @return 0; AIO_EVALUE for a size out of bounds; or a code of those above.
 * Suspends: while less is buffered.   asyncio: none, for those who want no copy   Since: 0.1
 */
AIO_API int aio_stream_reader_peek(aio_stream_reader *reader, size_t size, aio_buffer *ret_view);
/** Drop the first bytes of those buffered. 0, or AIO_EVALUE if there are not so many, and nothing
 *  is dropped; what the transport says to resume_reading.   Suspends: no.   Since: 0.1 */
AIO_API int aio_stream_reader_consume(aio_stream_reader *reader, size_t size);

/** The end was fed, and nothing is buffered. NULL counts as that.
 *  asyncio: StreamReader.at_eof()   Since: 0.1 */
AIO_API bool aio_stream_reader_at_eof(const aio_stream_reader *reader);
/** The error set, borrowed, or NULL.   asyncio: StreamReader.exception()   Since: 0.1 */
AIO_API aio_exception *aio_stream_reader_exception(const aio_stream_reader *reader);
/** Give the reader an error that every read raises from now on.
 *  @param error  Kept; NULL counts as AIO_ENOMEM.
 *  asyncio: StreamReader.set_exception()   Since: 0.1 */
AIO_API void aio_stream_reader_set_exception(aio_stream_reader *reader, aio_exception *error);
/** Set the transport that is paused and resumed; kept. 0, AIO_EVALUE for NULL, AIO_EASSERTION if
 *  there is one.   asyncio: StreamReader.set_transport()   Since: 0.1 */
AIO_API int aio_stream_reader_set_transport(aio_stream_reader *reader, aio_transport *transport);
/** Put bytes in, which are copied. 0, AIO_ENOMEM, nothing then being put in, AIO_EASSERTION after
 *  the end; what the transport says to pause_reading, but AIO_ENOTIMPLEMENTED, after which it is
 *  not asked again.   asyncio: StreamReader.feed_data()   Since: 0.1 */
AIO_API int aio_stream_reader_feed_data(aio_stream_reader *reader, const void *data, size_t size);
/** The end of the stream.   asyncio: StreamReader.feed_eof()   Since: 0.1 */
AIO_API void aio_stream_reader_feed_eof(aio_stream_reader *reader);

/** What an AIO_EINCOMPLETEREAD had read, borrowed from it; no bytes for other errors.
 *  asyncio: IncompleteReadError.partial   Since: 0.1 */
AIO_API aio_buffer aio_exception_partial(const aio_exception *error);
/** How many bytes it wanted; -1: not known, or another error.
 *  asyncio: IncompleteReadError.expected   Since: 0.1 */
AIO_API ptrdiff_t aio_exception_expected(const aio_exception *error);
/** How many bytes an AIO_ELIMITOVERRUN says can be dropped, as no separator begins in them; 0 for
 *  other errors.   asyncio: LimitOverrunError.consumed   Since: 0.1 */
AIO_API size_t aio_exception_consumed(const aio_exception *error);
/** @} */

/** @name The protocol between them and a transport @{ */

/**
 * Called for each connection of a server: a coroutine, in a task of its own.
 *
 * @param reader, writer  Borrowed for the call: ref them to keep them longer. A connection whose
 *                        writer nobody has when the call returns is closed, with a warning in
 *                        debug mode if nobody did.
 * @return 0; or a code: it goes to the loop's exception handler as "Unhandled exception in
 *         client_connected_cb", unless it is AIO_ECANCELLED, and the connection is closed.
 */
typedef int (*aio_client_connected_fn)(aio_stream_reader *reader, aio_stream_writer *writer,
                                       void *arg);

/**
 * Make the protocol of a stream, which feeds a reader.
 *
 * @param reader  Kept until the connection is lost.
 * @param client  Called when connected, or NULL. The task comes from the loop's task factory.
 * @param arg     Borrowed for as long as the connection and @p client last.
 * @param plain   Call @p client as a plain callback inside connection_made instead of in a task; it
 *                must not suspend then, and what it returns connection_made returns.
 * @return A protocol for one transport, which frees it by its release. Who does not get to hand it
 *         to one calls release instead. NULL when memory is short.
 * Suspends: no.
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
 * @param protocol   One of aio_stream_protocol_new(), which @p transport has or will get; kept.
 * @param reader     The reader of the same connection, kept; may be NULL.
 * @return Returned: aio_stream_writer_unref() it. NULL when memory is short, or with AIO_EVALUE
 *         for another protocol or no transport.
 * Suspends: no.
 * asyncio: asyncio.StreamWriter(transport, protocol, reader, loop)   Since: 0.1
 */
AIO_API aio_stream_writer *aio_stream_writer_new(aio_transport *transport, aio_protocol *protocol,
                                                 aio_stream_reader *reader);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_stream_writer *aio_stream_writer_ref(aio_stream_writer *writer);
/** Drop a reference; NULL is allowed. The last one of the last writer of a connection closes it,
 *  with a warning in debug mode if nobody did. Since: 0.1 */
AIO_API void aio_stream_writer_unref(aio_stream_writer *writer);
AIO_DEFINE_AUTO(aio_stream_writer)

/** aio_transport_write().   Suspends: no.   asyncio: StreamWriter.write()   Since: 0.1 */
AIO_API int aio_stream_writer_write(aio_stream_writer *writer, const void *data, size_t size);
/** aio_transport_writelines().   Suspends: no.   asyncio: StreamWriter.writelines()   Since: 0.1 */
AIO_API int aio_stream_writer_writelines(aio_stream_writer *writer, const aio_buffer *buffers,
                                         size_t count);
/**
 * Wait until writing may go on. Any number of tasks may.
 *
 * @return 0, also for those who wait while the connection is closed in order; or a code:
 *   the reader's error       before anything else
 *   -ECONNRESET              the connection was lost before
 *   the connection's error   it was lost with that while we waited
 *   AIO_ECANCELLED, AIO_ENOTASK
 * Suspends: while the write buffer is too full, and for one iteration when closing.
 * Cancellation point: whenever it suspends.   asyncio: StreamWriter.drain()   Since: 0.1
 */
AIO_API int aio_stream_writer_drain(aio_stream_writer *writer);
/** aio_transport_write_eof().   Suspends: no.   asyncio: StreamWriter.write_eof()   Since: 0.1 */
AIO_API int aio_stream_writer_write_eof(aio_stream_writer *writer);
/** aio_transport_can_write_eof().   asyncio: StreamWriter.can_write_eof()   Since: 0.1 */
AIO_API bool aio_stream_writer_can_write_eof(const aio_stream_writer *writer);
/** aio_transport_close().   Suspends: no.   asyncio: StreamWriter.close()   Since: 0.1 */
AIO_API void aio_stream_writer_close(aio_stream_writer *writer);
/** aio_transport_is_closing().   asyncio: StreamWriter.is_closing()   Since: 0.1 */
AIO_API bool aio_stream_writer_is_closing(const aio_stream_writer *writer);
/**
 * Wait until the connection is gone. All who wait for it wait for the same: if one of them is
 * cancelled all are, and so is whoever comes later.
 *
 * @return 0; the error it was lost with; AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.
 * Suspends: until then.   Cancellation point: whenever it suspends.
 * asyncio: StreamWriter.wait_closed()                            Since: 0.1
 */
AIO_API int aio_stream_writer_wait_closed(aio_stream_writer *writer);
/**
 * Turn the connection into TLS: drain, then shake hands, the side being the context's. Bytes that
 * the peer has sent already are taken out of the reader: they belong to the handshake.
 *
 * @param context  Kept.
 * @param options  Copied; NULL: the defaults. A client that compares host names needs the name.
 * @return 0: the writer and its reader go on with the new transport. Or a code of
 *         aio_stream_writer_drain() or aio_loop_start_tls(), whose last line holds here as well;
 *         after any other the connection is closed.
 * Suspends: yes.   Cancellation point: yes.
 * asyncio: StreamWriter.start_tls()                              Since: 0.1
 */
AIO_API int aio_stream_writer_start_tls(aio_stream_writer *writer, aio_tls_context *context,
                                        const aio_tls_options *options) AIO_MUST_CHECK;
/** aio_transport_get_extra_info().   asyncio: StreamWriter.get_extra_info()   Since: 0.1 */
AIO_API const void *aio_stream_writer_get_extra_info(const aio_stream_writer *writer,
                                                     const char *name);
/** The transport, borrowed.   asyncio: StreamWriter.transport   Since: 0.1 */
AIO_API aio_transport *aio_stream_writer_transport(const aio_stream_writer *writer);
/** @} */

/** @name Connections
 *  Each suspends and can be cancelled as the call of connect.h or server.h that it is made of. @{ */

/**
 * Connect by TCP.
 *
 * @param[out] ret_reader  Returned: aio_stream_reader_unref() it.
 * @param[out] ret_writer  Returned: aio_stream_writer_unref() it.
 * @return 0, or a code of aio_loop_create_connection(); then nothing is left open.
 * asyncio: asyncio.open_connection(host, port)                   Since: 0.1
 */
AIO_API int aio_open_connection(const char *host, int port, aio_stream_reader **ret_reader,
                                aio_stream_writer **ret_writer) AIO_MUST_CHECK;
/** The same with options, which are borrowed. @param limit  Of the reader; 0: AIO_STREAM_LIMIT.
 *  asyncio: asyncio.open_connection()   Since: 0.1 */
AIO_API int aio_open_connection_with(const aio_connect_options *options, size_t limit,
                                     aio_stream_reader **ret_reader,
                                     aio_stream_writer **ret_writer) AIO_MUST_CHECK;
/** Connect to a unix socket. asyncio: asyncio.open_unix_connection(path)   Since: 0.1 */
AIO_API int aio_open_unix_connection(const char *path, aio_stream_reader **ret_reader,
                                     aio_stream_writer **ret_writer) AIO_MUST_CHECK;
/** The same with options.   asyncio: asyncio.open_unix_connection()   Since: 0.1 */
AIO_API int aio_open_unix_connection_with(const aio_unix_connect_options *options, size_t limit,
                                          aio_stream_reader **ret_reader,
                                          aio_stream_writer **ret_writer) AIO_MUST_CHECK;

/**
 * Serve streams by TCP: @p client runs in a task of its own for each connection.
 *
 * @param arg   Borrowed while there are the server or clients.
 * @param host  NULL: all interfaces.
 * @param[out] ret_server  Returned: aio_server_unref() it.
 * @return 0, AIO_EVALUE without a client, or a code of aio_loop_create_server().
 * asyncio: asyncio.start_server(client_connected_cb, host, port)   Since: 0.1
 */
AIO_API int aio_start_server(aio_client_connected_fn client, void *arg, const char *host, int port,
                             aio_server **ret_server) AIO_MUST_CHECK;
/** The same with options, which are borrowed. @param limit  Of the readers; 0: AIO_STREAM_LIMIT.
 *  asyncio: asyncio.start_server()   Since: 0.1 */
AIO_API int aio_start_server_with(aio_client_connected_fn client, void *arg,
                                  const aio_server_options *options, size_t limit,
                                  aio_server **ret_server) AIO_MUST_CHECK;
/** Serve streams at a unix socket.
 *  asyncio: asyncio.start_unix_server(client_connected_cb, path)   Since: 0.1 */
AIO_API int aio_start_unix_server(aio_client_connected_fn client, void *arg, const char *path,
                                  aio_server **ret_server) AIO_MUST_CHECK;
/** The same with options.   asyncio: asyncio.start_unix_server()   Since: 0.1 */
AIO_API int aio_start_unix_server_with(aio_client_connected_fn client, void *arg,
                                       const aio_unix_server_options *options, size_t limit,
                                       aio_server **ret_server) AIO_MUST_CHECK;
/** @} */

AIO_END_DECLS

#endif
