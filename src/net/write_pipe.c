/* SPDX-License-Identifier: MIT */
/*
 * write_pipe.c - the writing end of a pipe as a transport
 *
 * It is watched for reading as well: that is how one sees that the reader has gone (S129).
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "net/channel.h"
#include "net/pipe_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PIECES = 64, DEFAULT_HIGH = 64 * 1024, DROPPED_WRITES_TO_WARN = 5 };

struct write_pipe {
    struct aio__channel channel; /* first */
    struct aio__outbuf out;
    uint32_t dropped; /* writes after the end */
};

static struct write_pipe *pipe_of(const aio_transport *base)
{
    return aio__container_of(aio__channel_of(base), struct write_pipe, channel);
}

/* --- writing --------------------------------------------------------------------------- */

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

/* Write pieces at once: how much went, 0 if the pipe is full, or a raised code. */
static ssize_t write_pieces(struct write_pipe *self, const struct iovec *pieces, int count)
{
    ssize_t sent = write_quietly(self->channel.io.fd, pieces, count);

    if (sent >= 0)
        return sent;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return 0;
    return aio_raise(-errno, "%s", aio_strerror(-errno));
}

static void end_in_order(struct write_pipe *self)
{
    aio__io_want(&self->channel.io, 0);
    aio__channel_end(&self->channel, NULL);
}

static void write_waiting(struct write_pipe *self)
{
    struct aio__channel *channel = &self->channel;
    struct iovec pieces[MAX_PIECES];
    ssize_t sent = write_pieces(self, pieces, aio__outbuf_peek(&self->out, pieces, MAX_PIECES));

    if (sent < 0) {
        aio__channel_fatal(channel, (int)sent, "Fatal write error on pipe transport");
        return;
    }
    aio__outbuf_drop(&self->out, (size_t)sent);
    aio__flow_shrunk(&channel->flow, &channel->base, self->out.size); /* which may write more */
    if (self->out.size != 0 || channel->lost)
        return;
    aio__io_drop(&channel->io, AIO__WRITABLE);
    if (channel->closing)
        end_in_order(self);
}

static int transport_writelines(aio_transport *base, const aio_buffer *buffers, size_t count)
{
    struct write_pipe *self = pipe_of(base);
    struct aio__channel *channel = &self->channel;
    struct iovec pieces[MAX_PIECES];
    size_t first = count < MAX_PIECES ? count : MAX_PIECES;
    size_t total = 0;
    ssize_t sent = 0;

    for (size_t i = 0; i < count; i++)
        total += buffers[i].size;
    if (total == 0)
        return 0;
    if (channel->closing) {
        if (++self->dropped >= DROPPED_WRITES_TO_WARN)
            aio__log(AIO_LOG_WARNING, "pipe closed by peer or os.write(pipe, data) raised "
                                      "exception.");
        return 0;
    }
    for (size_t i = 0; i < first; i++)
        pieces[i] = (struct iovec){(void *)(uintptr_t)buffers[i].data, buffers[i].size};
    if (self->out.size == 0)
        sent = write_pieces(self, pieces, (int)first);
    if (sent < 0) {
        aio__channel_fatal(channel, (int)sent, "Fatal write error on pipe transport");
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        size_t gone = (size_t)sent < buffers[i].size ? (size_t)sent : buffers[i].size;
        const char *rest = (const char *)buffers[i].data + gone;

        sent -= (ssize_t)gone;
        if (gone < buffers[i].size &&
            aio__outbuf_append(&self->out, rest, buffers[i].size - gone) < 0) {
            /* Part of it may be on its way: the pipe is of no more use. */
            aio__channel_fatal(channel, aio_raise(AIO_ENOMEM, "no memory for the write buffer"),
                               "Fatal write error on pipe transport");
            return AIO_ENOMEM;
        }
    }
    if (self->out.size == 0)
        return 0;
    aio__io_add(&channel->io, AIO__WRITABLE);
    aio__flow_grown(&channel->flow, base, self->out.size);
    return 0;
}

static int transport_write(aio_transport *base, const void *data, size_t size)
{
    aio_buffer buffer = {data, size};

    return transport_writelines(base, &buffer, 1);
}

/* --- the channel ----------------------------------------------------------------------- */

/* The reader is gone. */
static void on_peer_gone(struct write_pipe *self)
{
    aio_exception *error = NULL;

    if (self->out.size != 0)
        error = aio_error_catch(aio_raise(-EPIPE, "%s", aio_strerror(-EPIPE)));
    aio__channel_force_close(&self->channel, error);
    aio_exception_unref(error);
}

static void ready(struct aio__channel *channel, int events)
{
    struct write_pipe *self = aio__container_of(channel, struct write_pipe, channel);

    events &= channel->io.wanted;
    if (events & AIO__READABLE)
        on_peer_gone(self);
    else if (events & AIO__WRITABLE)
        write_waiting(self);
}

static void clear(struct aio__channel *channel)
{
    aio__outbuf_clear(&aio__container_of(channel, struct write_pipe, channel)->out);
}

static const struct aio__channel_ops watched_ops = {
    .size = sizeof(struct write_pipe),
    .ready = ready,
    .clear = clear,
    .events = AIO__READABLE,
};

/* A terminal can be read: that says nothing about who reads what we write. */
static const struct aio__channel_ops device_ops = {
    .size = sizeof(struct write_pipe),
    .ready = ready,
    .clear = clear,
    .events = 0,
};

/* --- the interface --------------------------------------------------------------------- */

static void transport_close(aio_transport *base)
{
    struct write_pipe *self = pipe_of(base);

    if (self->channel.closing)
        return;
    self->channel.closing = true;
    if (self->out.size == 0)
        end_in_order(self);
}

static int transport_write_eof(aio_transport *base)
{
    transport_close(base);
    return 0;
}

static bool can_write_eof(const aio_transport *base)
{
    (void)base;
    return true;
}

static int set_limits(aio_transport *base, size_t high, size_t low)
{
    struct write_pipe *self = pipe_of(base);
    int err = aio__flow_set_limits(&self->channel.flow, high, low, DEFAULT_HIGH);

    if (err == 0 && !self->channel.lost)
        aio__flow_grown(&self->channel.flow, base, self->out.size);
    return err;
}

static size_t get_size(const aio_transport *base)
{
    return pipe_of(base)->out.size;
}

static const void *get_extra_info(const aio_transport *base, const char *name)
{
    const struct aio__channel *self = aio__channel_of(base);

    return strcmp(name, "pipe") == 0 && self->io.fd >= 0 ? &self->io.fd : NULL;
}

static const aio_transport_ops transport_ops = {
    .size = sizeof(transport_ops),
    .close = transport_close,
    .abort = aio__channel_abort,
    .is_closing = aio__channel_is_closing,
    .get_extra_info = get_extra_info,
    .set_protocol = aio__channel_set_protocol,
    .get_protocol = aio__channel_get_protocol,
    .write = transport_write,
    .writelines = transport_writelines,
    .write_eof = transport_write_eof,
    .can_write_eof = can_write_eof,
    .set_write_buffer_limits = set_limits,
    .get_write_buffer_limits = aio__channel_get_limits,
    .get_write_buffer_size = get_size,
    .get_loop = aio__channel_get_loop,
    .ref = aio__channel_ref,
    .unref = aio__channel_unref,
};

int aio__write_pipe_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                        aio_transport **ret_transport)
{
    struct aio__channel *channel = NULL;
    struct stat file;
    bool is_device = fstat(fd, &file) == 0 && S_ISCHR(file.st_mode);
    int err = aio__channel_new(loop, fd, protocol, waiter, &transport_ops,
                               is_device ? &device_ops : &watched_ops, &channel);

    if (err == 0)
        *ret_transport = &channel->base;
    return err;
}
