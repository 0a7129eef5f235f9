/* SPDX-License-Identifier: MIT */
/*
 * protocol.c - the protocol between a transport and a stream's reader and writers
 *
 * Feeds the reader, and knows for the writers whether writing is paused and how the connection
 * ended. The transport has a reference until it calls release, and each writer one: a writer may
 * ask long after the connection is gone.
 *
 * asyncio's StreamReaderProtocol refers to its reader weakly, so that a reader which nobody has any
 * more is not fed. Here the reader goes with the connection, and a peer whose data nobody reads is
 * stopped.
 *
 * Thread: the loop's.
 */
#include "net/net_internal.h"
#include "stream/stream_internal.h"

#include <aio/loop.h>

/* A task that waits for writing to go on: in the frame of its call. */
struct drain {
    struct aio__list link; /* in protocol->drains */
    aio_future fut;
};

static struct aio__stream_protocol *of(aio_protocol *base)
{
    return aio__container_of(base, struct aio__stream_protocol, base);
}

/* Whoever waits in drain() is woken, in the order of their coming. */
static void wake_drains(struct aio__stream_protocol *self, aio_exception *error)
{
    AIO__LIST_FOREACH (link, &self->drains)
        aio__stream_future_finish(&aio__container_of(link, struct drain, link)->fut, error);
}

/* --- what the transport calls ----------------------------------------------------------- */

static int connection_lost(aio_protocol *base, aio_exception *error)
{
    struct aio__stream_protocol *self = of(base);
    aio_stream_reader *reader = self->reader;

    if (error == NULL)
        aio_stream_reader_feed_eof(reader);
    else
        aio_stream_reader_set_exception(reader, error);
    if (self->closed != NULL)
        aio__stream_future_finish(self->closed, error);
    self->lost = true;
    self->error = aio_exception_ref(error);
    if (self->paused)
        wake_drains(self, error);
    self->reader = NULL;
    aio_stream_reader_unref(reader);
    return 0;
}

static int pause_writing(aio_protocol *base)
{
    of(base)->paused = true;
    return 0;
}

static int resume_writing(aio_protocol *base)
{
    of(base)->paused = false;
    wake_drains(of(base), NULL);
    return 0;
}

static int data_received(aio_protocol *base, const void *data, size_t size)
{
    return aio_stream_reader_feed_data(of(base)->reader, data, size);
}

static bool lend(aio_protocol *base, void **ret_data, size_t *ret_size)
{
    return aio__reader_lend(of(base)->reader, ret_data, ret_size);
}

static int lent(aio_protocol *base, const void *data, size_t size)
{
    return aio__reader_lent(of(base)->reader, data, size);
}

static const struct aio__lender lender = {lend, lent};

/* TLS has no half closed connections: there the end of one side is that of both. */
static bool eof_received(aio_protocol *base)
{
    aio_stream_reader_feed_eof(of(base)->reader);
    return !of(base)->over_tls;
}

static void release(aio_protocol *base)
{
    struct aio__stream_protocol *self = of(base);
    aio_stream_reader *reader = self->reader;

    /* Not lost, where the loop was closed under it. The reader has the transport. */
    self->reader = NULL;
    aio_stream_reader_unref(reader);
    aio__stream_protocol_unref(self);
}

static int connection_made(aio_protocol *base, aio_transport *transport)
{
    struct aio__stream_protocol *self = of(base);
    int err = aio_stream_reader_set_transport(self->reader, transport);

    if (err < 0)
        return err;
    aio__stream_transport_set_lender(transport, &lender);
    self->over_tls = aio_transport_get_extra_info(transport, "sslcontext") != NULL;
    return self->client == NULL ? 0 : aio__stream_client_connected(self, transport);
}

static const aio_protocol_ops stream_ops = {
    .size = sizeof(stream_ops),
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
    .data_received = data_received,
    .eof_received = eof_received,
};

/* --- life --------------------------------------------------------------------------------- */

aio_protocol *aio_stream_protocol_new(aio_stream_reader *reader, aio_client_connected_fn client,
                                      void *arg, bool plain)
{
    struct aio__stream_protocol *self;

    if (reader == NULL)
        return aio__failed(aio__null_future());
    self = aio__loop_alloc(reader->loop, sizeof(*self));
    if (self == NULL)
        return aio__failed(AIO_ENOMEM);
    *self = (struct aio__stream_protocol){
        .base.ops = &stream_ops,
        .loop = reader->loop,
        .refs = 1,
        .plain = plain,
        .reader = aio_stream_reader_ref(reader),
        .client = client,
        .client_arg = arg,
    };
    aio__list_init(&self->drains);
    return &self->base;
}

struct aio__stream_protocol *aio__stream_protocol_of(aio_protocol *protocol)
{
    return protocol == NULL || protocol->ops != &stream_ops ? NULL : of(protocol);
}

void aio__stream_protocol_unref(struct aio__stream_protocol *self)
{
    if (--self->refs != 0)
        return;
    aio_exception_unref(self->error);
    if (self->closed != NULL)
        aio__future_disarm(self->closed); /* that nobody asked how it ended is no fault */
    aio_future_unref(self->closed);
    aio__loop_free(self->loop, self, sizeof(*self));
}

/* --- what writers wait for ---------------------------------------------------------------- */

int aio__stream_protocol_drain(struct aio__stream_protocol *self)
{
    struct drain drain;
    int err;

    if (self->lost)
        return aio_raise(-ECONNRESET, "Connection lost");
    if (!self->paused)
        return 0;
    aio__stream_future_init(&drain.fut, self->loop);
    aio__list_init(&drain.link);
    /* Not on the stack of a task that may be left where it is: see reader.c. */
    if (!self->loop->closing)
        aio__list_append(&self->drains, &drain.link);
    err = aio__stream_future_await(&drain.fut);
    aio__list_remove(&drain.link);
    return err;
}

int aio__stream_protocol_wait_closed(struct aio__stream_protocol *self)
{
    if (self->closed == NULL && self->lost)
        return self->error == NULL ? 0 : aio_raise_exception(self->error);
    if (self->closed == NULL)
        self->closed = aio_future_new(self->loop);
    return aio_await(self->closed, NULL); /* of NULL: why there is none */
}
