/* SPDX-License-Identifier: MIT */
/*
 * write_pipe.c - the writing end of a pipe as a transport
 *
 * It is watched for reading as well: that is how one sees that the reader has gone (S129).
 *
 * Thread: the loop's.
 */
#include "net/pipe_internal.h"
#include "net/sender.h"
#include "net/sigpipe.h"

#include <sys/stat.h>
#include <unistd.h>

static ssize_t write_quietly(int fd, const struct iovec *pieces, int count)
{
    struct aio__sigpipe hold;
    ssize_t done;

    aio__sigpipe_hold(&hold);
    done = writev(fd, pieces, count);
    aio__sigpipe_release(&hold, done);
    return done;
}

/* The reader has gone: what is buffered will not arrive. */
static void on_peer_gone(struct aio__channel *channel)
{
    aio_exception *error = NULL;

    if (aio__sender_waiting(channel) != 0)
        error = aio_error_catch(aio_raise(-EPIPE, "%s", aio_strerror(-EPIPE)));
    aio__channel_force_close(channel, error);
    aio_exception_unref(error);
}

static void ready(struct aio__channel *channel, int events)
{
    events &= channel->io.wanted;
    if (events & AIO__READABLE)
        on_peer_gone(channel);
    else if (events & AIO__WRITABLE)
        aio__sender_ready(aio__sender_of(&channel->base));
}

#define WATCHING(what)                                                                             \
    {                                                                                              \
        .channel = {.size = sizeof(struct aio__sender),                                            \
                    .ready = ready,                                                                \
                    .waiting = aio__sender_waiting,                                                \
                    .clear = aio__sender_clear,                                                    \
                    .events = (what)},                                                             \
        .send = write_quietly, .failed = "Fatal write error on pipe transport",                    \
        .dropped = "pipe closed by peer or os.write(pipe, data) raised exception.",                \
    }

static const struct aio__sender_ops watched_ops = WATCHING(AIO__READABLE);

/* A terminal can be read: that says nothing about who reads what we write. */
static const struct aio__sender_ops device_ops = WATCHING(0);

static const aio_transport_ops transport_ops = {
    AIO__CHANNEL_COMMON,
    AIO__SENDER_WRITES,
    .get_extra_info = aio__pipe_info,
};

int aio__write_pipe_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                        aio_transport **ret_transport)
{
    struct aio__channel *channel = NULL;
    struct stat file;
    bool is_device = fstat(fd, &file) == 0 && S_ISCHR(file.st_mode);
    int err = aio__channel_new(loop, fd, protocol, waiter, &transport_ops,
                               is_device ? &device_ops.channel : &watched_ops.channel, &channel);

    if (err == 0)
        *ret_transport = &channel->base;
    return err;
}
