/* SPDX-License-Identifier: MIT */
/*
 * tls_internal.h - what contexts and connections of TLS share
 *
 * For src/net/tls*.c alone.
 */
#ifndef AIO__TLS_INTERNAL_H
#define AIO__TLS_INTERNAL_H

#include "net/net_internal.h"

#include <aio/tls.h>
#include <openssl/ssl.h>

/* Water marks of what is to be sent (S142). */
enum { AIO__TLS_WRITE_HIGH = 512 * 1024 };

enum aio__tls_state { UNWRAPPED, HANDSHAKE, WRAPPED, SHUTDOWN };

/* What the program's protocol was told last. */
enum aio__tls_app_state { APP_INIT, APP_MADE, APP_EOF, APP_LOST };

/* A node of the ready queue, which holds the connection while it is there. */
struct aio__tls_step {
    struct aio__ready ready;
    bool queued;
};

struct aio__tls {
    aio_protocol below;  /* what the transport below talks to */
    aio_transport above; /* what the program talks to */
    aio_loop *loop;
    aio_transport *lower; /* referenced, until connection_lost */
    aio_protocol *app;    /* owned, until its release */
    aio_tls_context *context;
    aio_tls_context *chosen; /* by a name callback; may be NULL */
    SSL *ssl;
    aio_future *waiter; /* of start_tls, until the handshake has ended; may be NULL */
    aio_exception *failure;
    aio__ctx callers;           /* context of the program's callbacks */
    struct aio__outbuf backlog; /* not encrypted yet */
    struct aio__flow flow;
    struct aio__timer timer; /* of the handshake, then of the shutdown */
    struct aio__ready timeout;
    struct aio__tls_step work;  /* encrypt, read again, or shut down */
    struct aio__tls_step start; /* begin on a transport that was connected already */
    struct aio__tls_step lost;  /* connection_lost of the program's */
    aio_tls_cipher cipher;
    char alpn[256]; /* the protocol that was agreed on, once it was asked for */
    double handshake_seconds;
    double shutdown_seconds;
    enum aio__tls_state state;
    enum aio__tls_app_state app_state;
    uint32_t refs;
    bool closing;      /* no more writes */
    bool ended;        /* the transport below is gone */
    bool lower_full;   /* it has asked for a pause */
    bool lower_paused; /* by us: too much is not decrypted yet */
    bool app_paused;   /* the program reads no more for now */
    bool peer_left;    /* EOF below */
    bool is_busy;      /* inside work(): what callbacks ask for is done there */
    bool again;        /* they asked for something */
};

static inline struct aio__tls *aio__tls_of(const aio_transport *transport)
{
    return aio__container_of((uintptr_t)transport, struct aio__tls, above);
}

/* tls_transport.c: of the transport above. */
extern const aio_transport_ops aio__tls_transport_ops;

/* tls.c: make zeroed memory a connection that has not begun, with one reference. */
void aio__tls_init(struct aio__tls *self, aio_loop *loop);
void aio__tls_unref(struct aio__tls *self);
void aio__tls_queue(struct aio__tls *self, struct aio__tls_step *step);
/* Do all that can be done; now, or soon where the stack may be small. */
void aio__tls_work(struct aio__tls *self);
/* End at once. error may be NULL; the first one counts. */
void aio__tls_abort(struct aio__tls *self, aio_exception *error);
/* Bytes that wait to be sent; and let the program know if they are many. */
size_t aio__tls_pending(const struct aio__tls *self);
void aio__tls_tell_flow(struct aio__tls *self);

/*
 * Make the SSL of a connection: its side, verification, host name and memory BIOs. `chosen` is
 * where the context goes (referenced) that a name callback picks; valid as long as the SSL is.
 * 0, or a raised code.
 */
int aio__tls_new_ssl(aio_tls_context *context, const char *server_hostname,
                     aio_tls_context **chosen, SSL **ret_ssl);

/* Raise what OpenSSL's queue of errors says, and empty it. Gives the code. ssl may be NULL. */
int aio__tls_raise(const SSL *ssl);

#endif
