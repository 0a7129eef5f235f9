/* SPDX-License-Identifier: MIT */
/*
 * read_pipe.c - the reading end of a pipe as a transport
 *
 * Thread: the loop's.
 */
#include "net/channel.h"
#include "net/pipe_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct read_pipe {
    struct aio__channel channel; /* first */
    bool at_eof;                 /* eof_received is due before connection_lost */
};

static void ready(struct aio__channel *channel, int events)
{
    struct read_pipe *self = aio__container_of(channel, struct read_pipe, channel);
    aio_protocol *protocol = channel->protocol;
    char *buffer = aio__net_of(channel->loop)->recv_buffer;
    ssize_t got;
    int code;

    if (!(events & channel->io.wanted & AIO__READABLE))
        return;
    got = read(channel->io.fd, buffer, AIO__RECV_SIZE);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            aio__channel_fatal(channel, aio_raise(-errno, "%s", aio_strerror(-errno)),
                               "Fatal read error on pipe transport");
        return;
    }
    if (got == 0) {
        self->at_eof = true;
        aio__channel_force_close(channel, NULL);
        return;
    }
    if (protocol->ops->data_received == NULL)
        return;
    code = protocol->ops->data_received(protocol, buffer, (size_t)got);
    if (code < 0)
        aio__loop_callback_failed(channel->loop, code, NULL);
}

static void ending(struct aio__channel *channel)
{
    struct read_pipe *self = aio__container_of(channel, struct read_pipe, channel);
    aio_protocol *protocol = channel->protocol;

    if (self->at_eof && protocol->ops->eof_received != NULL)
        (void)protocol->ops->eof_received(protocol);
}

static void clear(struct aio__channel *channel)
{
    (void)channel;
}

static const struct aio__channel_ops channel_ops = {
    .size = sizeof(struct read_pipe),
    .ready = ready,
    .ending = ending,
    .clear = clear,
    .events = AIO__READABLE,
};

static bool is_reading(const aio_transport *base)
{
    const struct aio__channel *self = aio__channel_of(base);

    return !self->closing && !self->paused;
}

static int pause_reading(aio_transport *base)
{
    struct aio__channel *self = aio__channel_of(base);

    if (is_reading(base)) {
        self->paused = true;
        aio__io_drop(&self->io, AIO__READABLE);
    }
    return 0;
}

static int resume_reading(aio_transport *base)
{
    struct aio__channel *self = aio__channel_of(base);

    if (!self->closing && self->paused) {
        self->paused = false;
        if (self->connected)
            aio__io_add(&self->io, AIO__READABLE);
    }
    return 0;
}

static const void *get_extra_info(const aio_transport *base, const char *name)
{
    const struct aio__channel *self = aio__channel_of(base);

    return strcmp(name, "pipe") == 0 && self->io.fd >= 0 ? &self->io.fd : NULL;
}

static const aio_transport_ops transport_ops = {
    .size = sizeof(transport_ops),
    .close = aio__channel_abort, /* nothing is buffered */
    .abort = aio__channel_abort,
    .is_closing = aio__channel_is_closing,
    .get_extra_info = get_extra_info,
    .set_protocol = aio__channel_set_protocol,
    .get_protocol = aio__channel_get_protocol,
    .pause_reading = pause_reading,
    .resume_reading = resume_reading,
    .is_reading = is_reading,
    .get_loop = aio__channel_get_loop,
    .ref = aio__channel_ref,
    .unref = aio__channel_unref,
};

int aio__read_pipe_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                       aio_transport **ret_transport)
{
    struct aio__channel *channel = NULL;
    int err = aio__channel_new(loop, fd, protocol, waiter, &transport_ops, &channel_ops, &channel);

    if (err == 0)
        *ret_transport = &channel->base;
    return err;
}
