/* SPDX-License-Identifier: MIT */
/*
 * stream_transport.c - a connected stream socket as a transport
 *
 * What asyncio's selector loop does, step by step: its order of callbacks is what protocols rely
 * on. Reading: one recv for each readiness, into a buffer that all connections of the loop share.
 * Writing: at once if nothing is buffered, the rest when the socket takes more.
 *
 * Thread: the loop's.
 */
#include "net/address.h"
#include "net/sender.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

struct stream_transport {
    struct aio__sender sender; /* first */
    struct aio__list owner_link;
    struct aio__net_owner *owner; /* borrowed, until detached */
    struct aio__names names;
};

static struct stream_transport *stream_of(const struct aio__channel *channel)
{
    return aio__container_of((uintptr_t)channel, struct stream_transport, sender.channel);
}

/* --- reading --------------------------------------------------------------------------- */

static void read_eof(struct aio__channel *channel)
{
    const aio_protocol_ops *ops = channel->protocol->ops;

    channel->at_eof = true;
    if (ops->eof_received != NULL && ops->eof_received(channel->protocol))
        aio__io_drop(&channel->io, AIO__READABLE); /* half closed: writing goes on */
    else
        aio__sender_close(&channel->base);
}

/* Bytes that were read, on their way to the protocol. */
struct arrival {
    void *data;
    size_t size;                       /* of the memory, then of what is there */
    enum { SHARED, LENT, OWN } memory; /* the loop's, or the protocol's in either way */
};

/* Where to read to. 0, or a code. */
static int choose_memory(struct aio__channel *channel, struct arrival *arrival)
{
    aio_protocol *protocol = channel->protocol;
    int code;

    arrival->memory = SHARED;
    arrival->data = aio__net_of(channel->loop)->recv_buffer;
    arrival->size = AIO__RECV_SIZE;
    if (channel->lender != NULL) {
        if (channel->lender->lend(protocol, &arrival->data, &arrival->size))
            arrival->memory = LENT;
        return 0;
    }
    if (protocol->ops->get_buffer == NULL)
        return 0;
    arrival->memory = OWN;
    code = protocol->ops->get_buffer(protocol, (size_t)-1, &arrival->data, &arrival->size);
    if (code >= 0 && arrival->size == 0)
        code = aio_raise(AIO_ERUNTIME, "get_buffer() returned an empty buffer");
    return code < 0 ? code : 0;
}

static void deliver(struct aio__channel *channel, aio_protocol *protocol,
                    const struct arrival *arrival)
{
    int code = 0;

    if (arrival->memory == OWN && protocol->ops->buffer_updated != NULL)
        code = protocol->ops->buffer_updated(protocol, arrival->size);
    else if (arrival->memory == LENT)
        code = channel->lender->lent(protocol, arrival->data, arrival->size);
    else if (arrival->memory == SHARED && protocol->ops->data_received != NULL)
        code = protocol->ops->data_received(protocol, arrival->data, arrival->size);
    if (code < 0)
        aio__channel_fatal(channel, code,
                           arrival->memory == OWN
                               ? "Fatal error: protocol.buffer_updated() call failed."
                               : "Fatal error: protocol.data_received() call failed.");
}

static void read_ready(struct aio__channel *channel)
{
    aio_protocol *protocol = channel->protocol; /* which may put another in its place */
    struct arrival arrival;
    ssize_t got;
    int code = choose_memory(channel, &arrival);

    if (code < 0) {
        aio__channel_fatal(channel, code, "Fatal error: protocol.get_buffer() call failed.");
        return;
    }
    got = recv(channel->io.fd, arrival.data, arrival.size, 0);
    if (got > 0) {
        arrival.size = (size_t)got;
        deliver(channel, protocol, &arrival);
    } else if (got == 0) {
        read_eof(channel);
    } else if (!aio__would_block(errno)) {
        aio__channel_failed(channel, errno, "Fatal read error on socket transport");
    }
}

/* --- writing --------------------------------------------------------------------------- */

static ssize_t send_pieces(int fd, const struct iovec *pieces, int count)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
                                   .msg_iovlen = (size_t)count};

    if (count == 1)
        return send(fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void shut(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

/* --- the channel ----------------------------------------------------------------------- */

static void ready(struct aio__channel *channel, int events)
{
    if ((events & AIO__READABLE) && (channel->io.wanted & AIO__READABLE))
        read_ready(channel);
    if ((events & AIO__WRITABLE) && !channel->lost && (channel->io.wanted & AIO__WRITABLE))
        aio__sender_ready(&stream_of(channel)->sender);
}

/* Who holds the transport may ask for its name when the socket is gone, as for that of the peer. */
static void ending(struct aio__channel *channel)
{
    if (channel->refs > 1)
        (void)aio_transport_get_extra_info(&channel->base, "sockname");
}

static void ended(struct aio__channel *channel)
{
    struct stream_transport *self = stream_of(channel);

    aio__sender_ended(&self->sender);
    if (self->owner != NULL)
        self->owner->detached(self->owner, &self->owner_link);
    self->owner = NULL;
}

static const struct aio__sender_ops sender_ops = {
    .channel = {.size = sizeof(struct stream_transport),
                .ready = ready,
                .ending = ending,
                .ended = ended,
                .waiting = aio__sender_waiting,
                .clear = aio__sender_clear,
                .events = AIO__READABLE},
    .send = send_pieces,
    .shutdown = shut,
    .failed = "Fatal write error on socket transport",
    .dropped = "socket.send() raised exception.",
};

static const void *get_extra_info(const aio_transport *base, const char *name)
{
    struct aio__channel *channel = aio__channel_of(base);

    return aio__socket_info(&stream_of(channel)->names, &channel->io.fd, name);
}

static const aio_transport_ops transport_ops = {
    AIO__CHANNEL_COMMON,
    AIO__CHANNEL_READS,
    AIO__SENDER_WRITES,
    .get_extra_info = get_extra_info,
};

int aio__stream_transport_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                              struct aio__net_owner *owner, aio_transport **ret_transport)
{
    struct aio__channel *channel = NULL;
    struct stream_transport *self;
    int on = 1;
    int err =
        aio__channel_new(loop, fd, protocol, waiter, &transport_ops, &sender_ops.channel, &channel);

    if (err < 0)
        return err;
    self = stream_of(channel);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails but for TCP */
    aio__list_init(&self->owner_link);
    self->sender.dropped = 1; /* for its end, before which none is dropped */
    self->owner = owner;
    if (owner != NULL)
        owner->attached(owner, &self->owner_link);
    *ret_transport = &channel->base;
    return 0;
}

void aio__stream_transport_set_peer(aio_transport *transport, const struct sockaddr_storage *peer)
{
    stream_of(aio__channel_of(transport))->names.peer = *peer;
}

aio_transport *aio__stream_transport_of(struct aio__list *link)
{
    return &aio__container_of(link, struct stream_transport, owner_link)->sender.channel.base;
}

void aio__stream_transport_set_lender(aio_transport *transport, const struct aio__lender *lender)
{
    if (aio__is_stream_transport(transport))
        aio__channel_of(transport)->lender = lender;
}

bool aio__is_stream_transport(const aio_transport *transport)
{
    return transport->ops == &transport_ops;
}
