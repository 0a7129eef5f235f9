/* SPDX-License-Identifier: MIT */
/*
 * writer.c - a stream's writer: the transport, and waiting for it
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "stream/stream_internal.h"

/* --- life ------------------------------------------------------------------------------- */

aio_stream_writer *aio_stream_writer_new(aio_transport *transport, aio_protocol *protocol,
                                         aio_stream_reader *reader)
{
    struct aio__stream_protocol *stream = aio__stream_protocol_of(protocol);
    aio_stream_writer *writer;

    if (transport == NULL || stream == NULL)
        return aio__failed(aio_raise(AIO_EVALUE, "a writer needs a transport, and a stream's "
                                                 "protocol"));
    writer = aio__loop_alloc(stream->loop, sizeof(*writer));
    if (writer == NULL)
        return aio__failed(AIO_ENOMEM);
    stream->refs++;
    stream->writers++;
    *writer = (aio_stream_writer){
        .transport = aio_transport_ref(transport),
        .protocol = stream,
        .reader = aio_stream_reader_ref(reader),
        .refs = 1,
    };
    return writer;
}

aio_stream_writer *aio_stream_writer_ref(aio_stream_writer *writer)
{
    if (writer != NULL)
        writer->refs++;
    return writer;
}

/* Nobody can close the connection any more. */
static void leave_open(aio_stream_writer *writer, bool closes)
{
    aio_loop *loop = writer->protocol->loop;

    if (loop->debug)
        aio__log(AIO_LOG_WARNING, "unclosed stream %p", (void *)writer->transport);
    if (closes && !loop->closed)
        aio_transport_close(writer->transport);
}

static void drop(aio_stream_writer *writer, bool closes)
{
    struct aio__stream_protocol *protocol = writer->protocol;

    if (--writer->refs != 0)
        return;
    protocol->writers--;
    if (protocol->writers == 0 && !aio_transport_is_closing(writer->transport))
        leave_open(writer, closes);
    aio_transport_unref(writer->transport);
    aio_stream_reader_unref(writer->reader);
    aio__loop_free(protocol->loop, writer, sizeof(*writer));
    aio__stream_protocol_unref(protocol);
}

void aio_stream_writer_unref(aio_stream_writer *writer)
{
    if (writer != NULL)
        drop(writer, true);
}

void aio__stream_writer_drop(aio_stream_writer *writer)
{
    drop(writer, false);
}

void aio__stream_writer_give_up(aio_stream_writer *writer)
{
    if (writer->refs == 1 && writer->protocol->writers == 1 &&
        !aio_transport_is_closing(writer->transport))
        leave_open(writer, true);
}

/* --- waiting ------------------------------------------------------------------------------ */

static int drain(aio_stream_writer *writer)
{
    aio_exception *error = aio_stream_reader_exception(writer->reader);

    if (error != NULL)
        return aio_raise_exception(error);
    if (aio_transport_is_closing(writer->transport)) {
        /* Or a task that only writes and drains would never let connection_lost be called. */
        int err = aio_sleep(0);

        if (err < 0)
            return err;
    }
    return aio__stream_protocol_drain(writer->protocol);
}

int aio_stream_writer_drain(aio_stream_writer *writer)
{
    int err;

    if (writer == NULL)
        return aio__null_future();
    aio_stream_writer_ref(writer);
    err = drain(writer);
    aio_stream_writer_unref(writer);
    return err;
}

int aio_stream_writer_wait_closed(aio_stream_writer *writer)
{
    int err;

    if (writer == NULL)
        return aio__null_future();
    aio_stream_writer_ref(writer);
    err = aio__stream_protocol_wait_closed(writer->protocol);
    aio_stream_writer_unref(writer);
    return err;
}

/* --- the transport's ---------------------------------------------------------------------- */

int aio_stream_writer_write(aio_stream_writer *writer, const void *data, size_t size)
{
    return writer == NULL ? aio__null_future() : aio_transport_write(writer->transport, data, size);
}

int aio_stream_writer_writelines(aio_stream_writer *writer, const aio_buffer *buffers, size_t count)
{
    if (writer == NULL)
        return aio__null_future();
    return aio_transport_writelines(writer->transport, buffers, count);
}

int aio_stream_writer_write_eof(aio_stream_writer *writer)
{
    return writer == NULL ? aio__null_future() : aio_transport_write_eof(writer->transport);
}

bool aio_stream_writer_can_write_eof(const aio_stream_writer *writer)
{
    return writer != NULL && aio_transport_can_write_eof(writer->transport);
}

void aio_stream_writer_close(aio_stream_writer *writer)
{
    if (writer != NULL)
        aio_transport_close(writer->transport);
}

bool aio_stream_writer_is_closing(const aio_stream_writer *writer)
{
    return writer == NULL || aio_transport_is_closing(writer->transport);
}

const void *aio_stream_writer_get_extra_info(const aio_stream_writer *writer, const char *name)
{
    return writer == NULL ? NULL : aio_transport_get_extra_info(writer->transport, name);
}

aio_transport *aio_stream_writer_transport(const aio_stream_writer *writer)
{
    return writer == NULL ? NULL : writer->transport;
}
