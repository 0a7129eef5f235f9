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

/* Other than with sockets it is reported, too, but for a terminal that was hung up. */
static void failed(struct aio__channel *channel, int error)
{
    static const char message[] = "Fatal read error on pipe transport";
    aio_exception *exception = aio_error_catch(aio_raise(-error, "%s", aio_strerror(-error)));

    if (error == EIO)
        aio__net_report(channel->loop, message, exception);
    else
        aio__loop_report(channel->loop, message, exception, NULL);
    aio__channel_force_close(channel, exception);
    aio_exception_unref(exception);
}

static void ready(struct aio__channel *channel, int events)
{
    aio_protocol *protocol = channel->protocol;
    char *buffer = aio__net_of(channel->loop)->recv_buffer;
    ssize_t got;
    int code;

    if (!(events & channel->io.wanted & AIO__READABLE))
        return;
    got = read(channel->io.fd, buffer, AIO__RECV_SIZE);
    if (got < 0) {
        if (!aio__would_block(errno))
            failed(channel, errno);
        return;
    }
    if (got == 0) {
        channel->at_eof = true;
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
    aio_protocol *protocol = channel->protocol;

    if (channel->at_eof && protocol->ops->eof_received != NULL)
        (void)protocol->ops->eof_received(protocol);
}

static const struct aio__channel_ops channel_ops = {
    .size = sizeof(struct aio__channel),
    .ready = ready,
    .ending = ending,
    .events = AIO__READABLE,
};

static const aio_transport_ops transport_ops = {
    AIO__CHANNEL_COMMON,
    AIO__CHANNEL_READS,
    .close = aio__channel_abort, /* nothing is buffered */
    .get_extra_info = aio__pipe_info,
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
