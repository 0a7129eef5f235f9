/* SPDX-License-Identifier: MIT */
/*
 * message.h - what a process pool and its workers say to each other
 *
 * For src/executor. A request goes to a worker, and one reply comes back before the next request
 * is sent. Both have a head of fixed size and some bytes. The two processes are of one build of
 * the library, so heads are sent as they are in memory.
 */
#ifndef AIO__MESSAGE_H
#define AIO__MESSAGE_H

#include "executor/place.h"

#include <aio/executor.h>

/* The descriptor of a worker's end, and the argument that makes a worker of a program. */
#define AIO__WORKER_FD     3
#define AIO__WORKER_OPTION "--aio-process-worker"

enum aio__request_kind {
    AIO__REQUEST_INITIALIZE, /* the first one; without a function there is nothing to be done */
    AIO__REQUEST_JOB,
};

struct aio__request {
    uint64_t size; /* bytes that follow: of the argument */
    enum aio__request_kind kind;
    struct aio__place fn;
    struct aio__place arg_codec; /* NAMED: what is registered with the function, as is: */
    struct aio__place result_codec;
    struct aio__place result_type;
};

struct aio__reply {
    uint64_t size; /* bytes that follow: of the result, or of the error */
    int code;      /* below 0: an error */
};

/* A message on its way in; begin with zeros. Which head it has, the receiver knows. */
struct aio__incoming {
    union {
        uint64_t size; /* both begin with it */
        struct aio__request request;
        struct aio__reply reply;
    } head;
    size_t received; /* of head and bytes together */
    void *bytes;     /* owned; NULL without any, or if is_lost */
    bool is_lost;    /* there was no memory for them */
};

/* One on its way out. */
struct aio__outgoing {
    const void *head; /* borrowed, as are the bytes */
    size_t head_size;
    const void *bytes;
    size_t size;
    size_t sent;
};

/* Go on with a message. 1: it is complete; 0: not now (MSG_DONTWAIT in flags); a negative code:
 * the other side is gone, -EPIPE, or talks nonsense. */
int aio__receive(int fd, struct aio__incoming *in, size_t head_size, int flags);
int aio__send(int fd, struct aio__outgoing *out, int flags);

/* Fill in the request for a job, but for its size. 0; AIO_ETYPE: a worker could not find it. */
int aio__request_fill(struct aio__request *request, aio_job_fn fn, const aio_codec *arg_codec,
                      const aio_codec *result_codec, const aio_type *result_type);

/* An error as bytes: message, place, causes and members. 0, or AIO_ENOMEM. */
int aio__error_pack(const aio_exception *error, void **ret_bytes, size_t *ret_size);
/* And back, as much as can be told. Returned; never NULL. */
aio_exception *aio__error_unpack(int code, const void *bytes, size_t size);

#endif
