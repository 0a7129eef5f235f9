/* SPDX-License-Identifier: MIT */
/*
 * channel.h - what all transports over a file descriptor have in common
 *
 * For src/net. A transport of this kind begins with a channel, and its life is the channel's:
 * connection_made from a queue node, then reading; connection_lost from another, after which the
 * fd is closed and the protocol released; freed with the last reference.
 */
#ifndef AIO__CHANNEL_H
#define AIO__CHANNEL_H

#include "future/future_internal.h"
#include "net/net_internal.h"

#include <errno.h>

struct aio__channel;

/* How the kinds differ. */
struct aio__channel_ops {
    size_t size; /* of the object, from the loop's pool */
    /* The fd is ready, in the context of the connection; not called once it is lost. */
    void (*ready)(struct aio__channel *self, int events);
    /* connection_lost comes next; may be NULL. */
    void (*ending)(struct aio__channel *self);
    /* The fd is closed, the protocol about to be released; may be NULL. */
    void (*ended)(struct aio__channel *self);
    /* What is buffered: bytes of it, and letting go of it. NULL: this kind buffers nothing. */
    size_t (*waiting)(const struct aio__channel *self);
    void (*clear)(struct aio__channel *self);
    /* What to watch for once connection_made was called, unless it is closing or paused. */
    int events;
};

struct aio__channel {
    aio_transport base;               /* first */
    const struct aio__lender *lender; /* of the protocol's; NULL: it has none */
    const struct aio__channel_ops *ops;
    struct aio__io io;
    struct aio__net_object object;
    aio_loop *loop;
    aio_protocol *protocol; /* NULL once it is over */
    aio_future *waiter;     /* referenced, until connection_made was called */
    aio__ctx context;       /* of the connection's callbacks */
    struct aio__ready start;
    struct aio__ready end;
    aio_exception *lost_with; /* for connection_lost */
    struct aio__flow flow;
    uint32_t refs; /* one of them the connection's */
    bool closing;
    bool lost; /* connection_lost is queued or was called */
    bool paused;
    bool at_eof; /* nothing more will be read */
    bool connected;
    bool handle_gone;
};

/*
 * Make a transport over an fd in non-blocking mode, which is taken on success; the rest of the object
 * is zero. waiter may be NULL. 0, or a code: then protocol and fd are still the caller's.
 */
int aio__channel_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                     const aio_transport_ops *transport_ops, const struct aio__channel_ops *ops,
                     struct aio__channel **ret_channel);

static inline struct aio__channel *aio__channel_of(const aio_transport *base)
{
    return aio__container_of((uintptr_t)base, struct aio__channel, base);
}

/* Queue connection_lost; error is borrowed and may be NULL. */
void aio__channel_end(struct aio__channel *self, aio_exception *error);

/* Drop what is buffered and end, unless it has. */
void aio__channel_force_close(struct aio__channel *self, aio_exception *error);

/* The same with the code just raised, which is reported too. */
void aio__channel_fatal(struct aio__channel *self, int code, const char *message);

/* The same with an errno of a system call's. */
void aio__channel_failed(struct aio__channel *self, int error, const char *message);

static inline bool aio__would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* For the tables of the kinds. */
void aio__channel_abort(aio_transport *base);
bool aio__channel_is_closing(const aio_transport *base);
void aio__channel_set_protocol(aio_transport *base, aio_protocol *protocol);
aio_protocol *aio__channel_get_protocol(const aio_transport *base);
aio_loop *aio__channel_get_loop(const aio_transport *base);
int aio__channel_pause_reading(aio_transport *base);
int aio__channel_resume_reading(aio_transport *base);
bool aio__channel_is_reading(const aio_transport *base);
int aio__channel_set_limits(aio_transport *base, size_t high, size_t low);
void aio__channel_get_limits(const aio_transport *base, size_t *ret_high, size_t *ret_low);
size_t aio__channel_get_size(const aio_transport *base);
aio_transport *aio__channel_ref(aio_transport *base);
void aio__channel_unref(aio_transport *base);

#define AIO__CHANNEL_COMMON                                                                        \
    .size = sizeof(aio_transport_ops), .abort = aio__channel_abort,                                \
    .is_closing = aio__channel_is_closing, .set_protocol = aio__channel_set_protocol,              \
    .get_protocol = aio__channel_get_protocol, .get_loop = aio__channel_get_loop,                  \
    .ref = aio__channel_ref, .unref = aio__channel_unref

#define AIO__CHANNEL_READS                                                                         \
    .pause_reading = aio__channel_pause_reading, .resume_reading = aio__channel_resume_reading,    \
    .is_reading = aio__channel_is_reading

#define AIO__CHANNEL_LIMITS                                                                        \
    .set_write_buffer_limits = aio__channel_set_limits,                                            \
    .get_write_buffer_limits = aio__channel_get_limits,                                            \
    .get_write_buffer_size = aio__channel_get_size

#endif
