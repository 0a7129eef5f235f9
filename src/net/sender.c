/* SPDX-License-Identifier: MIT */
/*
 * sender.c - a channel that bytes go out by: sockets of streams, and pipes
 *
 * Thread: the loop's.
 */
#include "net/sender.h"

#include "base/log.h"

#include <aio/task.h>

enum { MAX_PIECES = 64 };

static const struct aio__sender_ops *ops_of(const struct aio__sender *self)
{
    return aio__container_of((uintptr_t)self->channel.ops, const struct aio__sender_ops, channel);
}

size_t aio__sender_waiting(const struct aio__channel *channel)
{
    return aio__container_of((uintptr_t)channel, struct aio__sender, channel)->out.size;
}

void aio__sender_clear(struct aio__channel *channel)
{
    aio__outbuf_clear(&aio__container_of(channel, struct aio__sender, channel)->out);
}

/* --- the end --------------------------------------------------------------------------- */

static void end_in_order(struct aio__sender *self)
{
    aio__io_want(&self->channel.io, 0);
    aio__channel_end(&self->channel, NULL);
}

void aio__sender_close(aio_transport *base)
{
    struct aio__sender *self = aio__sender_of(base);

    if (self->channel.closing)
        return;
    self->channel.closing = true;
    if (ops_of(self)->shutdown != NULL) /* without, reading tells that the other end has gone */
        aio__io_drop(&self->channel.io, AIO__READABLE);
    if (self->out.size == 0 && !self->channel.lost)
        end_in_order(self);
}

int aio__sender_write_eof(aio_transport *base)
{
    struct aio__sender *self = aio__sender_of(base);
    const struct aio__sender_ops *ops = ops_of(self);

    if (ops->shutdown == NULL) {
        aio__sender_close(base);
        return 0;
    }
    if (self->channel.closing || self->eof_written)
        return 0;
    self->eof_written = true;
    if (self->out.size == 0)
        ops->shutdown(self->channel.io.fd);
    return 0;
}

bool aio__sender_can_write_eof(const aio_transport *base)
{
    (void)base;
    return true;
}

/* --- what waits ------------------------------------------------------------------------ */

/* Write pieces at once: how much went, or -1: the connection has failed. */
static ssize_t send_now(struct aio__sender *self, const struct iovec *pieces, int count)
{
    const struct aio__sender_ops *ops = ops_of(self);
    ssize_t sent = ops->send(self->channel.io.fd, pieces, count);

    if (sent >= 0)
        return sent;
    if (aio__would_block(errno))
        return 0;
    if (ops->shutdown == NULL)
        self->dropped++;
    aio__channel_failed(&self->channel, errno, ops->failed);
    return -1;
}

void aio__sender_ready(struct aio__sender *self)
{
    struct aio__channel *channel = &self->channel;
    struct iovec pieces[MAX_PIECES];
    ssize_t sent = 0;

    if (self->out.size > 0)
        sent = send_now(self, pieces, aio__outbuf_peek(&self->out, pieces, MAX_PIECES));
    if (sent < 0)
        return;
    aio__outbuf_drop(&self->out, (size_t)sent);
    aio__flow_shrunk(&channel->flow, &channel->base, self->out.size); /* which may write more */
    if (self->out.size != 0 || channel->lost)
        return;
    aio__io_drop(&channel->io, AIO__WRITABLE);
    if (self->room != NULL && aio__future_is_pending(self->room))
        aio__future_finish(self->room, NULL, NULL);
    if (channel->closing)
        end_in_order(self);
    else if (self->eof_written)
        ops_of(self)->shutdown(channel->io.fd);
}

/* Keep what could not be sent: the buffers, but for the first bytes. */
static int keep_rest(struct aio__sender *self, const aio_buffer *buffers, size_t count, size_t sent)
{
    struct aio__channel *channel = &self->channel;

    for (size_t i = 0; i < count; i++) {
        size_t gone = sent < buffers[i].size ? sent : buffers[i].size;
        const char *rest = (const char *)buffers[i].data + gone;

        sent -= gone;
        if (gone < buffers[i].size &&
            aio__outbuf_append(&self->out, rest, buffers[i].size - gone) < 0) {
            /* Part of it may be on its way: the connection is of no more use. */
            aio__channel_fatal(channel, aio_raise(AIO_ENOMEM, "no memory for the write buffer"),
                               ops_of(self)->failed);
            return AIO_ENOMEM;
        }
    }
    aio__io_add(&channel->io, AIO__WRITABLE);
    aio__flow_grown(&channel->flow, &channel->base, self->out.size);
    return 0;
}

/* --- writing --------------------------------------------------------------------------- */

/* Whether a write of so many bytes is to be done: 1, or 0 if it is dropped, or a raised code.
 * `what` is the function's name. */
static int check_write(struct aio__sender *self, size_t size, const char *what)
{
    const struct aio__sender_ops *ops = ops_of(self);
    bool over = ops->shutdown != NULL ? self->channel.lost : self->channel.closing;

    if (self->eof_written)
        return aio_raise(AIO_ERUNTIME, "Cannot call %s() after write_eof()", what);
    if (self->claimed)
        return aio_raise(AIO_ERUNTIME, "unable to %s; sendfile is in progress", what);
    if (size == 0)
        return 0;
    if (!over)
        return 1;
    if (self->dropped++ >= AIO__DROPPED_WRITES_TO_WARN)
        aio__log(AIO_LOG_WARNING, "%s", ops->dropped);
    return 0;
}

/* Write buffers of so many bytes in all. */
static int write_all(struct aio__sender *self, const aio_buffer *buffers, size_t count,
                     size_t total)
{
    struct iovec pieces[MAX_PIECES];
    size_t first = count < MAX_PIECES ? count : MAX_PIECES;
    ssize_t sent = 0;

    if (self->out.size == 0) {
        for (size_t i = 0; i < first; i++)
            pieces[i] = (struct iovec){(void *)(uintptr_t)buffers[i].data, buffers[i].size};
        sent = send_now(self, pieces, (int)first);
    }
    if (sent < 0 || (size_t)sent == total)
        return 0;
    return keep_rest(self, buffers, count, (size_t)sent);
}

int aio__sender_write(aio_transport *base, const void *data, size_t size)
{
    struct aio__sender *self = aio__sender_of(base);
    const aio_buffer buffer = {data, size};
    int todo = check_write(self, size, "write");

    return todo <= 0 ? todo : write_all(self, &buffer, 1, size);
}

int aio__sender_writelines(aio_transport *base, const aio_buffer *buffers, size_t count)
{
    struct aio__sender *self = aio__sender_of(base);
    size_t total = 0;
    int todo;

    for (size_t i = 0; i < count; i++)
        total += buffers[i].size;
    todo = check_write(self, total, "writelines");
    return todo <= 0 ? todo : write_all(self, buffers, count, total);
}

/* --- writing by others ----------------------------------------------------------------- */

int aio__sender_claim(struct aio__sender *self)
{
    if (self->claimed)
        return aio_raise(AIO_ERUNTIME, "Empty waiter is already set");
    if (self->eof_written)
        return aio_raise(AIO_ERUNTIME, "Cannot send a file after write_eof()");
    self->claimed = true;
    return 0;
}

void aio__sender_disclaim(struct aio__sender *self)
{
    self->claimed = false;
}

int aio__sender_wait_room(struct aio__sender *self)
{
    struct aio__channel *channel = &self->channel;
    aio_future *fut;
    int err;

    if (channel->lost)
        return aio_raise(-ECONNRESET, "Connection is closed by peer");
    fut = aio_future_new(channel->loop);
    if (fut == NULL)
        return AIO_ENOMEM;
    self->room = fut;
    aio__io_add(&channel->io, AIO__WRITABLE);
    err = aio_await(fut, NULL);
    if (err == 0 && channel->lost) /* since it was woken; the fd may be another's by now */
        err = aio_raise(-ECONNRESET, "Connection is closed by peer");
    self->room = NULL;
    if (self->out.size == 0)
        aio__io_drop(&channel->io, AIO__WRITABLE);
    aio_future_unref(fut);
    return err;
}

int aio__sender_flush(struct aio__sender *self)
{
    return self->out.size > 0 ? aio__sender_wait_room(self) : 0;
}

void aio__sender_ended(struct aio__sender *self)
{
    aio_exception *error;

    if (self->room == NULL || !aio__future_is_pending(self->room))
        return;
    error = aio_exception_new(-ECONNRESET, "Connection is closed by peer");
    aio__future_fail(self->room, -ECONNRESET, error);
    aio_exception_unref(error);
}
