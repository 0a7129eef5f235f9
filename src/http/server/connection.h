/* SPDX-License-Identifier: MIT */
/*
 * connection.h - for src/http/server: a connection, and the pieces it is made of
 *
 *   connection.c  from bytes to requests, one after the other; beginning and end
 *   handling.c    the task that answers a request, and the body it reads
 *   answer.c      from an answer to bytes
 *   after.c       what is done behind an answer
 *   deadline.c    what takes too long
 *   server.c      all connections together
 */
#ifndef HTTP_SERVER_CONNECTION_H
#define HTTP_SERVER_CONNECTION_H

#include "http/common/date.h"
#include "http/server/parser.h"

#include <aio/server.h>
#include <aio/task.h>

enum {
    AIO__HTTP_WAITING = 64 * 1024,   /* bytes of input kept before the peer is stopped */
    AIO__HTTP_DISCARDED = 64 * 1024, /* bytes of a body that are read for nobody */
    AIO__HTTP_KEPT = 16 * 1024       /* bytes of memory that a buffer keeps */
};

enum aio__http_state {
    AIO__HTTP_HEAD,    /* waits for a request, or has part of its head */
    AIO__HTTP_REQUEST, /* has one, whose body or answer is not over */
    AIO__HTTP_LINGER,  /* has said its last, and lets the peer read it: input is dropped */
    AIO__HTTP_DONE     /* the transport is closed, or was never there */
};

/* What `read_at` is about. */
enum aio__http_wait {
    AIO__WAIT_NOTHING,
    AIO__WAIT_IDLE, /* for a request */
    AIO__WAIT_HEAD, /* for the rest of a head */
    AIO__WAIT_BODY, /* for the rest of a body */
    AIO__WAIT_LINGER
};

struct aio__http_connection {
    aio_protocol base;                     /* first */
    aio_http_server *server;               /* referenced */
    aio_transport *transport;              /* referenced, from connection_made to connection_lost */
    aio_loop *loop;                        /* borrowed from the server */
    struct aio__http_connection *previous; /* in the server's list, once made */
    struct aio__http_connection *next;
    enum aio__http_state state;
    struct aio__http_parser parser;
    struct aio__http_scan scan; /* of the head that is coming */
    struct aio__bytes in;       /* input that was not used yet */
    struct aio__bytes out;      /* output that is not written yet */
    aio_http_request *request;  /* REQUEST: ours, until the connection is lost */
    aio_http_request *spare;    /* for the next request; may be NULL */
    aio_task *task;             /* of the handler; NULL: it does not run, or not yet */
    aio_handle *again;          /* input waits to be used; NULL: none */
    bool handling;              /* the handler runs */
    bool taking;                /* input is being used: output may wait for its end */
    bool keep;                  /* the answer said that the connection goes on */
    bool cancelled;             /* the handler was told that the client is gone */
    bool skipped_line;          /* an empty line before the head was let pass */
    bool reading_paused;
    bool writing_paused;

    /* deadline.c */
    enum aio__http_wait wait;
    double read_at;       /* loop time; AIO_FOREVER: never */
    double write_at;      /* likewise */
    double body_since;    /* BODY: when the time began that counts */
    uint64_t body_before; /* bytes that had come by then */
    size_t unsent;        /* bytes the transport held when write_at was set */
    aio_handle *timer;
    double timer_at;
    char client[64]; /* "127.0.0.1:40000" */
};

struct aio_http_server {
    size_t refs;
    aio_loop *loop; /* referenced */
    aio_server *listener;
    aio_http_handler_fn handler;
    void *arg;
    aio_http_server_options options; /* with all defaults filled in */
    char *name;
    struct aio__http_connection *first; /* those that are open, latest first */
    aio_http_request *after;            /* those that are answered, with more to be done */
    aio_future *drained;                /* who waits for the end of all; NULL: nobody */
    bool stopping;
    double dated; /* loop time of `date`; negative: never */
    char date[AIO__HTTP_DATE];
    aio_http_server_stats stats;
};

/* --- connection.c --- */

/* A protocol for a new connection of a server, which is its argument. */
aio_protocol *aio__http_connection_new(void *server);

/* Say no to the peer, with a status, and end the connection. */
void aio__http_refuse(struct aio__http_connection *conn, int status);

/* The answer is sent: go on with the rest of the body, the next request, or the end. */
void aio__http_answered(struct aio__http_connection *conn);

/* End the connection once what is written is sent. */
void aio__http_close(struct aio__http_connection *conn);

/* Stop or go on reading, as what waits to be used demands. */
void aio__http_regulate(struct aio__http_connection *conn);

/* --- handling.c --- */

/* Run the handler of conn->request. */
void aio__http_handle(struct aio__http_connection *conn);

/* Tell who reads the body that there is news; or who writes the answer that there is room. */
void aio__http_wake(aio_future *waiter);

/* --- after.c --- */

/* Do what is to be done behind a request's answer, which is held until then. */
void aio__http_run_after(aio_http_server *server, aio_http_request *request);

/* Cancel all that is being done. */
void aio__http_cancel_after(aio_http_server *server);

/* --- answer.c --- */

/* Send the answer that is prepared. */
void aio__http_send_answer(struct aio__http_connection *conn);

/* End an answer that was written by pieces; false: it is not whole, the connection was cut. */
bool aio__http_end_stream(struct aio__http_connection *conn);

/* Write what waits in `out`. */
void aio__http_flush(struct aio__http_connection *conn);

/* --- deadline.c --- */

/* Begin to wait for something. */
void aio__http_wait_for(struct aio__http_connection *conn, enum aio__http_wait wait);

/* The peer has to take what is written; or has done so. */
void aio__http_expect_written(struct aio__http_connection *conn);
void aio__http_is_written(struct aio__http_connection *conn);

/* Forget all deadlines. */
void aio__http_stop_clock(struct aio__http_connection *conn);

/* --- server.c --- */

void aio__http_server_opened(struct aio__http_connection *conn);
void aio__http_server_lost(struct aio__http_connection *conn);

/* Tell who waits for the end of all, if that is reached. */
void aio__http_server_check_end(aio_http_server *server);

/* Tell whoever is told of requests. */
void aio__http_server_log(aio_http_server *server, const aio_http_request *request);

/* The date, at most a second old. */
const char *aio__http_server_date(aio_http_server *server);

#endif
