/* SPDX-License-Identifier: MIT */
/*
 * redis_internal.h - a connection to redis, from the inside
 *
 * For src/redis. A connection is a protocol on a transport, a parser of what comes, and the line of
 * those who wait for replies, in the order in which their commands went out.
 */
#ifndef AIO__REDIS_INTERNAL_H
#define AIO__REDIS_INTERNAL_H

#include "redis/parser.h"
#include "redis/reply.h"

#include <aio/event.h>
#include <aio/future.h>
#include <aio/loop.h>
#include <aio/redis.h>
#include <aio/transport.h>

/* Bytes that grow. */
struct aio__redis_bytes {
    char *data;
    size_t size;
    size_t room;
};

/* Make room for more; 0 or AIO_ENOMEM. */
int aio__redis_reserve(struct aio__redis_bytes *bytes, size_t more);
/* Free them; secrets may be among them. */
void aio__redis_bytes_free(struct aio__redis_bytes *bytes);

/* --- options ---------------------------------------------------------------------------- */

/* Options of one's own: strings copied, the URL read, defaults filled in. 0, AIO_EVALUE,
 * AIO_ENOMEM. */
int aio__redis_options_copy(const aio_redis_options *options, aio_redis_options **ret_copy);
/* Free them, and leave no password behind. NULL is allowed. */
void aio__redis_options_free(aio_redis_options *options);

/* --- connections ------------------------------------------------------------------------ */

/* Who waits for replies. Owned by the line until its last reply has come, then by who waits; if
 * nobody waits any more, by the line alone. */
struct aio__redis_request {
    struct aio__redis_request *next;
    aio_future *done;               /* owned; finished once the outcome is there */
    size_t expected;                /* replies */
    size_t got;                     /* of them */
    double deadline;                /* loop time */
    struct aio__redis_block *block; /* the replies; NULL before the first */
    aio_exception *error;           /* instead of replies; owned */
    bool over;                      /* out of the line */
    bool abandoned;                 /* nobody waits: a tombstone */
};

struct aio_redis {
    aio_protocol protocol;    /* first */
    size_t refs;              /* the program's, and those of calls that are under way */
    aio_loop *loop;           /* borrowed: only while attached */
    aio_transport *transport; /* owned; NULL before it is made */
    aio_event *over;          /* set once the transport is done with it */
    struct aio__redis_parser parser;
    struct aio__redis_bytes out;      /* commands that are not written yet */
    struct aio__redis_request *first; /* the line */
    struct aio__redis_request *last;
    struct aio__redis_request *spare; /* those to use again */
    size_t pending;                   /* in line */
    size_t max_pending;
    double timeout;
    aio_handle *timer;             /* owned; for the first in line, or earlier; NULL: none */
    aio_handle *flusher;           /* owned; writes `out`; NULL: none */
    aio_exception *why;            /* owned; what ended it */
    aio_redis_pubsub *pubsub;      /* borrowed; takes what nobody waits for */
    struct aio__redis_block *push; /* owned; what is for it and not complete yet */
    bool attached;                 /* the transport has the protocol */
    bool lost;                     /* no replies will come any more */
};

/* aio_redis_connect() with options that are a copy already. */
int aio__redis_connect_copied(const aio_redis_options *options, aio_redis **ret_redis);

/* A connection without a transport: one reference. NULL: no memory. */
aio_redis *aio__redis_new(const aio_redis_options *options);

/* Whether commands can be sent now: 0, or why not. */
int aio__redis_check(aio_redis *redis);

/*
 * Send what was added to `out` since it had `mark` bytes, and wait for so many replies: one reply,
 * or an array of them if more are expected. Without memory nothing is sent.
 */
int aio__redis_exchange(aio_redis *redis, size_t mark, size_t expected,
                        struct aio__redis_block **ret_block);

/* Write `out` at once. 0, or a code: the connection is lost then. */
int aio__redis_flush(aio_redis *redis);

/* End a connection: all who wait get the error, which is borrowed. */
void aio__redis_lose(aio_redis *redis, aio_exception *error);

/* --- commands --------------------------------------------------------------------------- */

/* Add a command to bytes. On failure they are as before. */
int aio__redis_add_argv(struct aio__redis_bytes *out, const aio_buffer *words, size_t count);
int aio__redis_add_format(struct aio__redis_bytes *out, const char *format, va_list args);
int aio__redis_add_bytes(struct aio__redis_bytes *out, const void *data, size_t size);

/* Raise what a reply of type FAILURE says. */
int aio__redis_raise_reply(const aio_redis_reply *reply);

/* --- the rest ---------------------------------------------------------------------------- */

/* A reply that nobody waits for; the block is taken. */
void aio__redis_pubsub_push(aio_redis_pubsub *pubsub, struct aio__redis_block *block);
/* The connection is lost: wake who waits. */
void aio__redis_pubsub_lost(aio_redis_pubsub *pubsub);

/* Give the codes of redis.h their names. */
void aio__redis_register_errors(void);
/* The code of what a server says. */
int aio__redis_code_of(const char *text, size_t size);

#endif
