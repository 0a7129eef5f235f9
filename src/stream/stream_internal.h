/* SPDX-License-Identifier: MIT */
/*
 * stream_internal.h - the inside of readers, writers and the protocol between them
 *
 * For the files of src/stream alone.
 */
#ifndef AIO__STREAM_INTERNAL_H
#define AIO__STREAM_INTERNAL_H

#include "base/list.h"
#include "future/future_internal.h"
#include "stream/inbuf.h"

/* --- waiting ------------------------------------------------------------------------------ */

/*
 * What a task waits for stands in the frame of the call that waits, so that waiting needs no
 * memory: a future that nobody else keeps.
 */
extern const struct aio__future_ops aio__stream_future_ops;

static inline void aio__stream_future_init(aio_future *fut, aio_loop *loop)
{
    aio__future_init(fut, loop, &aio__stream_future_ops);
}

/* Await it: 0, or the code that it ended with, or that the task was woken with. */
int aio__stream_future_await(aio_future *fut);

/* Finish it, unless it was cancelled: with an error (borrowed), or without one for NULL. */
void aio__stream_future_finish(aio_future *fut, aio_exception *error);

/* --- readers ------------------------------------------------------------------------------ */

/*
 * Memory of a caller that waits for data. What is fed goes there first. As long as that caller has
 * not gone on, it is the first part of what the reader holds: whoever reads before, reads that.
 */
struct aio__loan {
    char *data;
    size_t size;
    size_t filled; /* bytes that are there */
};

struct aio_stream_reader {
    aio_loop *loop; /* borrowed: it keeps its memory for us */
    uint32_t refs;
    bool eof;
    bool paused; /* we paused the transport, and have not resumed it */
    size_t limit;
    struct aio__inbuf buffer;
    aio_future *waiter;       /* in the frame of who waits; NULL: nobody, or it is awake */
    struct aio__loan *loan;   /* in the frame of who waits or was woken; may be NULL */
    aio_exception *exception; /* referenced; may be NULL */
    aio_transport *transport; /* referenced; NULL: none, or one that cannot be paused */
    aio_iterator lines;
    aio_bytes line; /* the one that lines has given last */
};

extern const aio_iterator_ops aio__stream_lines_ops;

/* How many bytes the reader holds. */
static inline size_t aio__reader_size(const aio_stream_reader *reader)
{
    return aio__inbuf_size(&reader->buffer) + (reader->loan == NULL ? 0 : reader->loan->filled);
}

/* Where what comes next can be read to without a copy, if anywhere; and so much is there, right
 * after: nothing else has happened to the reader. 0, or a code of feed_data(). */
bool aio__reader_lend(const aio_stream_reader *reader, void **ret_data, size_t *ret_size);
int aio__reader_lent(aio_stream_reader *reader, const void *data, size_t size);

/* What is in the memory of a caller that has not gone on yet goes to the buffer, for another reads
 * before. 0, or AIO_ENOMEM: then nothing has changed. */
int aio__reader_call_loan_in(aio_stream_reader *reader);

/* Whether there is a reader, and a place for what it reads. 0, or a code. */
int aio__reader_check(const aio_stream_reader *reader, const void *place);

/*
 * Every read begins with this: the error the reader has, raised; and nothing that it holds is in
 * the memory of another caller any more. 0, or a code, AIO_ENOMEM among them.
 */
int aio__reader_begin(aio_stream_reader *reader);

/*
 * Wait until something happens: data, the end or an error. `what` is the function's name. With a
 * loan (may be NULL) all that is buffered goes there, and what comes. On return the loan is the
 * caller's again, with as many bytes as it says: on failure none, they are back in the buffer.
 * 0, or a code: raised instead of anything having happened.
 */
int aio__reader_wait(aio_stream_reader *reader, const char *what, struct aio__loan *loan);

/* Bytes of a loan that are not to be taken after all. */
void aio__reader_put_back(aio_stream_reader *reader, struct aio__loan *loan);

/* Bytes have been taken out: let the transport go on if few enough are left. 0, or its code. */
int aio__reader_taken(aio_stream_reader *reader);

/* --- errors ------------------------------------------------------------------------------- */

/* Raise AIO_EINCOMPLETEREAD with all that is buffered behind `loan` (may be NULL), and empty both.
 * `expected` is -1 if not known. That code, or AIO_ENOMEM: then nothing was taken. */
int aio__raise_incomplete_read(aio_stream_reader *reader, const struct aio__loan *loan,
                               ptrdiff_t expected);

/* Raise AIO_ELIMITOVERRUN. */
int aio__raise_limit_overrun(const char *message, size_t consumed);

/* --- the protocol ------------------------------------------------------------------------- */

struct aio__stream_protocol {
    aio_protocol base; /* first */
    aio_loop *loop;    /* borrowed: it keeps its memory for us */
    uint32_t refs;     /* the transport's, and one of each writer */
    uint32_t writers;
    bool over_tls;
    bool lost;                 /* connection_lost was called */
    bool paused;               /* writing */
    bool plain;                /* client is called inside connection_made */
    struct aio__list drains;   /* who waits for writing to go on */
    aio_stream_reader *reader; /* referenced until the connection is lost */
    aio_exception *error;      /* the connection was lost with it; referenced; may be NULL */
    aio_future *closed;        /* made for the first who waits for the end; owned */
    aio_client_connected_fn client;
    void *client_arg;
};

/* The protocol, if it is one of a stream; else NULL. */
struct aio__stream_protocol *aio__stream_protocol_of(aio_protocol *protocol);
void aio__stream_protocol_unref(struct aio__stream_protocol *self);

/* What writers wait for. */
int aio__stream_protocol_drain(struct aio__stream_protocol *self);
int aio__stream_protocol_wait_closed(struct aio__stream_protocol *self);

/* client.c: a client has connected. 0, or a code for connection_made to return. */
int aio__stream_client_connected(struct aio__stream_protocol *protocol, aio_transport *transport);

/* --- writers ------------------------------------------------------------------------------ */

struct aio_stream_writer {
    aio_transport *transport;              /* referenced */
    struct aio__stream_protocol *protocol; /* referenced */
    aio_stream_reader *reader;             /* referenced; may be NULL */
    uint32_t refs;
};

/* Drop a reference of the library's own, which leaves the connection open. */
void aio__stream_writer_drop(aio_stream_writer *writer);
/* Close the connection if the caller's reference is the last to the last writer. */
void aio__stream_writer_give_up(aio_stream_writer *writer);

#endif
