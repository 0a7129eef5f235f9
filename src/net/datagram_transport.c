/* SPDX-License-Identifier: MIT */
/*
 * datagram_transport.c - a datagram socket as a transport
 *
 * One recvfrom for each readiness. A datagram is sent at once if none waits, and is kept otherwise
 * with its address; each that waits counts its size and 8 more (S128). Errors of the system go to
 * error_received, and the endpoint stays open.
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "net/address.h"
#include "net/channel.h"
#include "net/datagram_internal.h"

#include <aio/memory.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

enum { HEADER_SIZE = 8 };

/* One that waits to be sent. */
struct datagram {
    struct datagram *next;
    size_t size;
    socklen_t address_size; /* 0: where the socket is connected to */
    struct sockaddr_storage address;
    char data[];
};

struct datagram_transport {
    struct aio__channel channel; /* first */
    struct datagram *first;
    struct datagram *last;
    size_t waiting;        /* bytes, headers included */
    uint32_t dropped;      /* datagrams after the loss */
    bool connected;        /* the socket is: send needs no address */
    socklen_t remote_size; /* 0: none was given */
    struct sockaddr_storage remote;
    struct aio__names names;
};

static struct datagram_transport *datagram_of(const aio_transport *base)
{
    return aio__container_of(aio__channel_of(base), struct datagram_transport, channel);
}

/* The system has refused something: the protocol is told. */
static void tell_error(struct datagram_transport *self, int error)
{
    aio_protocol *protocol = self->channel.protocol;
    aio_exception *exception;
    int code;

    if (protocol->ops->error_received == NULL)
        return;
    exception = aio_error_catch(aio_raise(-error, "%s", aio_strerror(-error)));
    code = protocol->ops->error_received(protocol, exception);
    aio_exception_unref(exception);
    if (code < 0)
        aio__loop_callback_failed(self->channel.loop, code, NULL);
}

/* --- receiving ------------------------------------------------------------------------- */

static void receive(struct datagram_transport *self)
{
    aio_protocol *protocol = self->channel.protocol;
    char *buffer = aio__net_of(self->channel.loop)->recv_buffer;
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof(from);
    ssize_t got =
        recvfrom(self->channel.io.fd, buffer, AIO__RECV_SIZE, 0, (struct sockaddr *)&from, &size);
    int code;

    if (got < 0) {
        if (!aio__would_block(errno))
            tell_error(self, errno);
        return;
    }
    if (protocol->ops->datagram_received == NULL)
        return;
    code = protocol->ops->datagram_received(protocol, buffer, (size_t)got,
                                            size == 0 ? NULL : (const struct sockaddr *)&from);
    if (code < 0)
        aio__loop_callback_failed(self->channel.loop, code, NULL);
}

/* --- sending --------------------------------------------------------------------------- */

/* 0, or an errno. */
static int send_one(struct datagram_transport *self, const void *data, size_t size,
                    const struct sockaddr *address, socklen_t address_size)
{
    if (self->connected || address_size == 0)
        address = NULL;
    if (sendto(self->channel.io.fd, data, size, MSG_NOSIGNAL, address,
               address == NULL ? 0 : address_size) >= 0)
        return 0;
    return errno;
}

static void drop_first(struct datagram_transport *self)
{
    struct datagram *datagram = self->first;

    self->first = datagram->next;
    if (self->first == NULL)
        self->last = NULL;
    self->waiting -= datagram->size + HEADER_SIZE;
    aio_free(datagram);
}

static void send_waiting(struct datagram_transport *self)
{
    struct aio__channel *channel = &self->channel;

    while (self->first != NULL) {
        struct datagram *datagram = self->first;
        int error = send_one(self, datagram->data, datagram->size,
                             (const struct sockaddr *)&datagram->address, datagram->address_size);

        if (error != 0 && aio__would_block(error))
            break;
        drop_first(self);
        if (error != 0) {
            tell_error(self, error); /* which may abort */
            break;
        }
    }
    if (channel->lost)
        return;
    aio__flow_shrunk(&channel->flow, &channel->base, self->waiting);
    if (self->first != NULL || channel->lost)
        return;
    aio__io_drop(&channel->io, AIO__WRITABLE);
    if (channel->closing)
        aio__channel_end(channel, NULL);
}

static int keep(struct datagram_transport *self, const void *data, size_t size,
                const struct sockaddr *address, socklen_t address_size)
{
    struct datagram *datagram = aio_malloc(sizeof(*datagram) + size);

    if (datagram == NULL)
        return AIO_ENOMEM;
    datagram->next = NULL;
    datagram->size = size;
    datagram->address_size = address_size;
    if (address_size > 0)
        memcpy(&datagram->address, address, address_size);
    if (size > 0)
        memcpy(datagram->data, data, size);
    if (self->last == NULL)
        self->first = datagram;
    else
        self->last->next = datagram;
    self->last = datagram;
    self->waiting += size + HEADER_SIZE;
    aio__io_add(&self->channel.io, AIO__WRITABLE);
    aio__flow_grown(&self->channel.flow, &self->channel.base, self->waiting);
    return 0;
}

/* With the 0 behind a path, if there is room for one; with that before an abstract name. */
static socklen_t size_of_unix(const struct sockaddr_un *name)
{
    size_t first = name->sun_path[0] == '\0' ? 1 : 0;
    size_t end = first + strnlen(name->sun_path + first, sizeof(name->sun_path) - first);

    if (first == 0 && end < sizeof(name->sun_path))
        end++;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + end);
}

/* How long an address is that came without its size; 0: of no family that is known. */
static socklen_t size_of(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET: return sizeof(struct sockaddr_in);
    case AF_INET6: return sizeof(struct sockaddr_in6);
    case AF_UNIX: return size_of_unix((const struct sockaddr_un *)(const void *)address);
    default: return 0;
    }
}

/* Whether the address is that of the remote side: port and host, or path. */
static bool is_remote(const struct datagram_transport *self, const struct sockaddr *address)
{
    char text[AIO__ADDRESS_TEXT];
    char remote[AIO__ADDRESS_TEXT];

    return address->sa_family == self->remote.ss_family &&
           strcmp(aio__address_text(address, size_of(address), text),
                  aio__address_text((const struct sockaddr *)&self->remote, self->remote_size,
                                    remote)) == 0;
}

static int transport_sendto(aio_transport *base, const void *data, size_t size,
                            const struct sockaddr *address)
{
    struct datagram_transport *self = datagram_of(base);
    socklen_t address_size = 0;
    char text[AIO__ADDRESS_TEXT];
    int error;

    if (self->remote_size > 0 && address != NULL && !is_remote(self, address))
        return aio_raise(
            AIO_EVALUE, "Invalid address: must be None or %s",
            aio__address_text((const struct sockaddr *)&self->remote, self->remote_size, text));
    if (self->remote_size > 0)
        address = (const struct sockaddr *)&self->remote;
    if (address != NULL) {
        address_size = self->remote_size > 0 ? self->remote_size : size_of(address);
        if (address_size == 0)
            return aio_raise(AIO_EVALUE, "an address of family %d", address->sa_family);
    }
    if (self->channel.lost) {
        if (++self->dropped >= AIO__DROPPED_WRITES_TO_WARN)
            aio__log(AIO_LOG_WARNING, "socket.send() raised exception.");
        return 0;
    }
    if (self->first == NULL) {
        error = send_one(self, data, size, address, address_size);
        if (error == 0)
            return 0;
        if (!aio__would_block(error)) {
            tell_error(self, error);
            return 0;
        }
    }
    return keep(self, data, size, address, address_size);
}

/* --- the channel ----------------------------------------------------------------------- */

static void ready(struct aio__channel *channel, int events)
{
    struct datagram_transport *self =
        aio__container_of(channel, struct datagram_transport, channel);

    if ((events & AIO__READABLE) && (channel->io.wanted & AIO__READABLE))
        receive(self);
    if ((events & AIO__WRITABLE) && !channel->lost && (channel->io.wanted & AIO__WRITABLE))
        send_waiting(self);
}

static size_t waiting(const struct aio__channel *channel)
{
    return aio__container_of((uintptr_t)channel, struct datagram_transport, channel)->waiting;
}

static void clear(struct aio__channel *channel)
{
    struct datagram_transport *self =
        aio__container_of(channel, struct datagram_transport, channel);

    while (self->first != NULL)
        drop_first(self);
}

static const struct aio__channel_ops channel_ops = {
    .size = sizeof(struct datagram_transport),
    .ready = ready,
    .waiting = waiting,
    .clear = clear,
    .events = AIO__READABLE,
};

/* --- the interface --------------------------------------------------------------------- */

static void transport_close(aio_transport *base)
{
    struct datagram_transport *self = datagram_of(base);

    if (self->channel.closing)
        return;
    self->channel.closing = true;
    aio__io_drop(&self->channel.io, AIO__READABLE);
    if (self->first == NULL)
        aio__channel_end(&self->channel, NULL);
}

static const void *get_extra_info(const aio_transport *base, const char *name)
{
    return aio__socket_info(&datagram_of(base)->names, &aio__channel_of(base)->io.fd, name);
}

static const aio_transport_ops transport_ops = {
    AIO__CHANNEL_COMMON,        AIO__CHANNEL_LIMITS,
    .close = transport_close,   .get_extra_info = get_extra_info,
    .sendto = transport_sendto,
};

int aio__datagram_transport_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                                const struct aio__address *remote, aio_transport **ret_transport)
{
    struct aio__channel *channel = NULL;
    struct datagram_transport *self;
    socklen_t size = sizeof(self->names.peer);
    int err = aio__channel_new(loop, fd, protocol, waiter, &transport_ops, &channel_ops, &channel);

    if (err < 0)
        return err;
    self = aio__container_of(channel, struct datagram_transport, channel);
    if (remote != NULL) {
        self->remote = remote->name;
        self->remote_size = remote->size;
    }
    self->connected = getpeername(fd, (struct sockaddr *)&self->names.peer, &size) == 0;
    /* Now, as asyncio does: sending may bind the socket. */
    (void)aio_transport_get_extra_info(&channel->base, "sockname");
    *ret_transport = &channel->base;
    return 0;
}
