/* SPDX-License-Identifier: MIT */
/*
 * sender.h - a channel that bytes go out by: sockets of streams, and pipes
 *
 * For src/net. What cannot be written at once is kept, and goes out when the fd takes more.
 */
#ifndef AIO__SENDER_H
#define AIO__SENDER_H

#include "net/channel.h"
#include "net/outbuf.h"

/* How the kinds differ. */
struct aio__sender_ops {
    struct aio__channel_ops channel; /* first */
    /* Write without waiting and without a SIGPIPE: bytes, or -1 and errno. */
    ssize_t (*send)(int fd, const struct iovec *pieces, int count);
    /* write_eof() was called, and all is sent; NULL: its end is the connection's. */
    void (*shutdown)(int fd);
    const char *failed;  /* what an error is reported with */
    const char *dropped; /* what is warned of when too much is written after the end */
};

struct aio__sender {
    struct aio__channel channel; /* first */
    struct aio__outbuf out;
    aio_future *room; /* borrowed: of the task that waits until the fd takes more, all being sent */
    uint32_t dropped; /* writes after the end, and what counts as the first of them */
    bool eof_written;
    bool claimed; /* a task writes to the fd itself: a file is sent */
};

static inline struct aio__sender *aio__sender_of(const aio_transport *base)
{
    return aio__container_of(aio__channel_of(base), struct aio__sender, channel);
}

/* The fd takes more, and some is waiting. */
void aio__sender_ready(struct aio__sender *self);

/*
 * A task that writes to the fd itself: it claims the sender, whose writes then fail; flushes it; and
 * waits for room between its own writes. It disclaims it on every way out. 0, or a raised code:
 * -ECONNRESET once the connection is over.
 */
int aio__sender_claim(struct aio__sender *self);
int aio__sender_flush(struct aio__sender *self);
int aio__sender_wait_room(struct aio__sender *self);
void aio__sender_disclaim(struct aio__sender *self);

/* The connection is over: so is who waits for room. */
void aio__sender_ended(struct aio__sender *self);

/* For the tables of the kinds. */
size_t aio__sender_waiting(const struct aio__channel *channel);
void aio__sender_clear(struct aio__channel *channel);
void aio__sender_close(aio_transport *base);
int aio__sender_write(aio_transport *base, const void *data, size_t size);
int aio__sender_writelines(aio_transport *base, const aio_buffer *buffers, size_t count);
int aio__sender_write_eof(aio_transport *base);
bool aio__sender_can_write_eof(const aio_transport *base);

#define AIO__SENDER_WRITES                                                                         \
    AIO__CHANNEL_LIMITS, .close = aio__sender_close, .write = aio__sender_write,                   \
                         .writelines = aio__sender_writelines, .write_eof = aio__sender_write_eof, \
                         .can_write_eof = aio__sender_can_write_eof

#endif
