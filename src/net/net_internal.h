/* SPDX-License-Identifier: MIT */
/*
 * net_internal.h - what transports, servers and connecting share
 *
 * For src/net; src/stream and src/process use the constructors of transports.
 */
#ifndef AIO__NET_INTERNAL_H
#define AIO__NET_INTERNAL_H

#include "loop/io.h"
#include "net/flow.h"
#include "net/outbuf.h"

#include <aio/transport.h>
#include <sys/socket.h>

/* One recv of at most so many bytes for each readiness, so that one busy peer cannot starve
 * others (S123). */
enum { AIO__RECV_SIZE = 256 * 1024 };

/* From so many writes to a connection that is over, each is warned of (S121). What asyncio counts as
 * the first of them: the end of a socket's connection, the write that failed of a pipe's. */
enum { AIO__DROPPED_WRITES_TO_WARN = 5 };

/* The net side of a loop: made when it is first needed, ended with the loop. */
struct aio__net {
    struct aio__close_hook hook;
    char *recv_buffer;           /* AIO__RECV_SIZE bytes, shared by all that read */
    struct aio__list open;       /* struct aio__net_object: to be ended with the loop */
    struct aio__tls_shared *tls; /* tls_bio.c: made with the first connection of TLS */
    struct aio__dns *dns;        /* dns.c: made with the first lookup; ended by a hook of its own */
};

/* Something with an fd that lives until it is closed. */
struct aio__net_object {
    struct aio__list link; /* in net->open */
    /* The loop closes: let go of everything at once, without a word to the protocol. */
    void (*end)(struct aio__net_object *object);
};

/* tls_bio.c, tls_none.c: of a loop that ends; may be NULL. */
void aio__tls_unshare(struct aio__tls_shared *shared);

/* NULL: no memory. */
struct aio__net *aio__net_get(aio_loop *loop);

static inline struct aio__net *aio__net_of(aio_loop *loop)
{
    return loop->net;
}

/* Call back into a protocol in the context of its connection. */
static inline aio__ctx *aio__net_enter(aio__ctx *context)
{
    struct aio__thread *thread = aio__thread();
    aio__ctx *outer = thread->context;

    thread->context = context;
    return outer;
}

static inline void aio__net_leave(aio__ctx *outer)
{
    aio__thread()->context = outer;
}

/* Whoever wants to know that a connection is gone: a server counts its clients. */
struct aio__net_owner {
    void (*attached)(struct aio__net_owner *owner, struct aio__list *link);
    void (*detached)(struct aio__net_owner *owner, struct aio__list *link);
};

/*
 * Make a transport for a connected stream socket in non-blocking mode, which is taken on success.
 * connection_made is queued, then reading begins, then waiter (may be NULL; kept) is finished (S117).
 * owner may be NULL. 0, or a code: then protocol and fd are still the caller's.
 */
int aio__stream_transport_new(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                              struct aio__net_owner *owner, aio_transport **ret_transport);

/* Say what accept or getpeername gave: it stays known when the peer is gone. Once, right after. */
void aio__stream_transport_set_peer(aio_transport *transport, const struct sockaddr_storage *peer);

/*
 * What a protocol of the library's can do besides those of programs: say where the next bytes go,
 * so that they are read straight to there, but only now and then.
 */
struct aio__lender {
    /* Where to read to; false: nowhere, and data_received is called. */
    bool (*lend)(aio_protocol *self, void **ret_data, size_t *ret_size);
    /* So many bytes are there, right after lend() has said where. 0, or a code, as of
     * data_received. */
    int (*lent)(aio_protocol *self, const void *data, size_t size);
};

/* Ask the current protocol so from now on, until it is replaced. Nothing for other transports. */
void aio__stream_transport_set_lender(aio_transport *transport, const struct aio__lender *lender);

/* Whether it is one of those. */
bool aio__is_stream_transport(const aio_transport *transport);

/* The transport whose place in its owner's list this is. */
aio_transport *aio__stream_transport_of(struct aio__list *link);

/* Report an error of a protocol's or of ours to the exception handler; OS errors only in debug
 * mode, as they reach the protocol (S115). The error is borrowed. */
void aio__net_report(aio_loop *loop, const char *message, aio_exception *error);

#endif
