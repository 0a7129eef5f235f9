/* SPDX-License-Identifier: MIT */
/*
 * tls_internal.h - what contexts and connections of TLS share
 *
 * For src/net/tls*.c alone.
 */
#ifndef AIO__TLS_INTERNAL_H
#define AIO__TLS_INTERNAL_H

#include "net/net_internal.h"
#include "net/secure.h"
#include <openssl/ssl.h>

/* High water marks of what is to be sent, and of what is not decrypted yet (S142); what a record
 * may take; how much a peer can make us say that reads nothing of it; and how much is read in a turn
 * that brings the program nothing, beside what goes around each piece of data. */
enum {
    AIO__TLS_WRITE_HIGH = 512 * 1024,
    AIO__TLS_READ_HIGH = 256 * 1024,
    AIO__TLS_RECORD = 17 * 1024,
    AIO__TLS_CHATTER = 256 * 1024,
    AIO__TLS_IDLE = 16 * 1024,
    AIO__TLS_AROUND = 128
};

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
    struct aio__outbuf held;    /* received, and not read by SSL yet: see tls_bio.c */
    const char *lent;           /* the same, of the transport below, while it calls us */
    size_t lent_size;
    size_t allowance;               /* bytes that SSL may still read in this turn */
    struct aio__outbuf out;         /* encrypted, and not taken by the transport below yet */
    struct aio__tls_shared *shared; /* borrowed from the loop, until the end */
    size_t chatter;                 /* bytes of out that no write of the program's made */
    size_t read_high;               /* water marks of what is not decrypted */
    size_t read_low;
    char *hostname;            /* whom a client asked for; owned; NULL: nobody */
    aio_tls_certificate *peer; /* made when it is asked for; owned */
    aio_tls_cipher cipher;
    char *alpn; /* the protocol that was agreed on, once it was asked for; owned */
    double handshake_seconds;
    double shutdown_seconds;
    enum aio__tls_state state;
    enum aio__tls_app_state app_state;
    uint32_t refs;
    uint32_t dropped;   /* writes after the end, and the connection's end as one of them */
    bool closing;       /* no more writes */
    bool ended;         /* the transport below is gone */
    bool lower_full;    /* it has asked for a pause */
    bool lower_paused;  /* by us: too much is not decrypted yet */
    bool app_paused;    /* the program reads no more for now */
    bool peer_left;     /* EOF below */
    bool is_encrypting; /* what the program wrote */
    bool is_busy;       /* inside work(): what callbacks ask for is done there */
    bool again;         /* they asked for something */
};

/* What all connections of a loop work with, one at a time. */
struct aio__tls_shared {
    const struct aio__tls *writer; /* whose records are in `out`; NULL: nobody's */
    size_t used;                   /* bytes of them */
    bool is_sent;                  /* the transport below is reading them */
    bool is_lent;                  /* a protocol is reading `plain` */
    struct aio__outspare spare;
    char out[64 * 1024];
    char plain[AIO__RECV_SIZE];
};

static inline struct aio__tls *aio__tls_of(const aio_transport *transport)
{
    return aio__container_of((uintptr_t)transport, struct aio__tls, above);
}

/* tls_transport.c: of the transport above; and the connection of one, NULL if it is no TLS. */
extern const aio_transport_ops aio__tls_transport_ops;
struct aio__tls *aio__tls_from(const aio_transport *transport);

/* tls.c: make zeroed memory a connection that has not begun, with one reference. */
void aio__tls_init(struct aio__tls *self, aio_loop *loop);
void aio__tls_unref(struct aio__tls *self);
void aio__tls_queue(struct aio__tls *self, struct aio__tls_step *step);
/* Do all that can be done; now, or soon where the stack may be small. */
void aio__tls_work(struct aio__tls *self);
/* End at once. error may be NULL; the first one counts. */
void aio__tls_abort(struct aio__tls *self, aio_exception *error);
/* Encrypt and send what the program writes, or keep it until that is possible. 0, or AIO_ENOMEM. */
int aio__tls_write(struct aio__tls *self, const void *data, size_t size);
/* Pause or resume the transport below by how much waits to be decrypted. */
void aio__tls_control_reading(struct aio__tls *self);
/* Bytes that wait to be sent; and let the program know if they are many. */
size_t aio__tls_pending(const struct aio__tls *self);
void aio__tls_tell_flow(struct aio__tls *self);

/* --- tls_bio.c ------------------------------------------------------------------------------ */

/* Use what the loop's connections share: 0, or AIO_ENOMEM. */
int aio__tls_join(struct aio__tls *self);
/* Drop all that waits in either direction; and, at the end, use it no more. */
void aio__tls_forget(struct aio__tls *self);
void aio__tls_part(struct aio__tls *self);
/* Let SSL read and write by way of this. false: no memory. */
bool aio__tls_set_bio(struct aio__tls *self);
/* Bytes received that SSL has not read; bytes encrypted that have not been sent. */
size_t aio__tls_incoming(const struct aio__tls *self);
size_t aio__tls_outgoing(const struct aio__tls *self);
/* Copy bytes that were received. 0, or AIO_ENOMEM. */
int aio__tls_hold(struct aio__tls *self, const void *data, size_t size);
/* Hand what SSL wrote to the transport below, or keep it while that is full. 0, or AIO_ENOMEM. */
int aio__tls_send(struct aio__tls *self);
/* Whether another record might not fit into what is shared. */
bool aio__tls_shared_is_full(const struct aio__tls *self);

/* --- tls_certificate.c, tls_session.c -------------------------------------------------------- */

void aio__tls_certificate_free(aio_tls_certificate *certificate);
/* What the peer's certificate says; NULL: it gave none, or memory is short. Owned by the caller. */
aio_tls_certificate *aio__tls_certificate_of(const SSL *ssl);
/* Offer the server a session of before. 0, or a raised code. */
int aio__tls_resume(struct aio__tls *self, const aio_tls_session *session);

/* --- tls_context.c -------------------------------------------------------------------------- */

/*
 * Make the SSL of a connection: its side, verification, and the host name, "" being none that is to
 * be compared. `chosen` is where the context goes (referenced) that a name callback picks; valid as
 * long as the SSL is. 0, or a raised code.
 */
int aio__tls_new_ssl(aio_tls_context *context, const char *server_hostname,
                     aio_tls_context **chosen, SSL **ret_ssl);

/* Raise what OpenSSL's queue of errors says, and empty it. Gives the code. ssl may be NULL. */
int aio__tls_raise(const SSL *ssl);

#endif
