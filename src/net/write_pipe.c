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

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* writev() without SIGPIPE, which no flag keeps away from a pipe: bytes, or -1 and errno. */
static ssize_t write_quietly(int fd, const struct iovec *pieces, int count)
{
    static const struct timespec none;
    sigset_t pipe_signal;
    sigset_t pending;
    sigset_t before;
    ssize_t sent;
    bool was_pending;

    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    sent = writev(fd, pieces, count);
    if (sent < 0 && errno == EPIPE) {
        if (!was_pending)
            (void)sigtimedwait(&pipe_signal, NULL, &none); /* ours alone */
        errno = EPIPE;
    }
    {
        int error = errno;

        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = error;
    }
    return sent;
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
