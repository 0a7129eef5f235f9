/* SPDX-License-Identifier: MIT */
/*
 * start_tls.c - a stream that goes on as TLS
 *
 * A peer need not wait for our consent before it begins the handshake, so what the reader holds
 * may be the first of it. All of it goes to TLS: were it left there, bytes that somebody put on the
 * wire before would be taken for what the verified peer said.
 *
 * Thread: the loop's.
 */
#include "net/secure.h"
#include "stream/stream_internal.h"

/* While it changes, nobody is to be paused; who was is TLS's to resume. */
static aio_transport *detach(aio_stream_reader *reader)
{
    aio_transport *transport = reader->transport;

    reader->transport = NULL;
    reader->paused = false;
    return transport;
}

/* What the reader holds: 0, or a code, and nothing has changed. */
static int take_early(aio_stream_reader *reader, aio_bytes *ret_bytes)
{
    int err = aio__reader_begin(reader);

    if (err < 0)
        return err;
    if (reader->eof)
        return aio_raise(-ECONNRESET, "%s", aio_strerror(-ECONNRESET));
    return aio__inbuf_take(&reader->buffer, aio__inbuf_size(&reader->buffer), ret_bytes);
}

/* Nothing has happened: it is as it was. */
static void undo(aio_stream_writer *writer, aio_transport *before, const aio_bytes *early)
{
    aio_stream_reader *reader = writer->reader;
    struct aio__loan loan = {.data = early->data, .size = early->size, .filled = early->size};

    if (early->size > 0)
        aio__reader_put_back(reader, &loan);
    reader->transport = before;
    if (!aio_transport_is_reading(writer->transport))
        reader->paused = true; /* as it seems: it is resumed with the next read */
}

static void go_on(aio_stream_writer *writer, aio_transport *transport)
{
    aio_stream_reader *reader = writer->reader;

    aio_transport_unref(writer->transport);
    writer->transport = transport;
    writer->protocol->over_tls = true;
    reader->transport = aio_transport_ref(transport);
    /* Data may have come with the handshake. */
    if (aio__reader_size(reader) > 2 * reader->limit && aio_transport_pause_reading(transport) == 0)
        reader->paused = true;
}

static int start_tls(aio_stream_writer *writer, const struct aio__secure *secure)
{
    aio_protocol *protocol = &writer->protocol->base;
    aio_transport *transport = NULL;
    aio_transport *before;
    aio_bytes early = {0};
    int err = aio_stream_writer_drain(writer);

    if (err == 0)
        err = take_early(writer->reader, &early);
    if (err < 0)
        return err;
    before = detach(writer->reader);
    err = aio__tls_upgrade(writer->protocol->loop, writer->transport, protocol, secure,
                           &(aio_buffer){.data = early.data, .size = early.size}, &transport);
    if (err == 0) {
        go_on(writer, transport);
        aio_transport_unref(before);
    } else if (aio_transport_get_protocol(writer->transport) == protocol) {
        undo(writer, before, &early);
    } else {
        aio_transport_unref(before);
    }
    aio_bytes_free(&early);
    return err;
}

int aio_stream_writer_start_tls(aio_stream_writer *writer, aio_tls_context *context,
                                const aio_tls_options *options)
{
    struct aio__secure secure;
    int err;

    if (writer == NULL)
        return aio__null_future();
    if (writer->reader == NULL)
        return aio_raise(AIO_EVALUE, "a writer without a reader cannot start TLS");
    err = aio__secure_read(&secure, context, options);
    if (err < 0)
        return err;
    aio_stream_writer_ref(writer);
    err = start_tls(writer, &secure);
    aio_stream_writer_unref(writer);
    return err;
}
