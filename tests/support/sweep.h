/* SPDX-License-Identifier: MIT */
/*
 * sweep.h - an operation cancelled at every point, and what it works on
 *
 * An operation runs in a task of its own, which is cancelled before its first step, after one
 * iteration of the loop, after two, and so on until it is over before the cancellation comes. Then
 * the same with a timeout that ever more time passes before. Each time a room of its own finds no
 * descriptor and no allocation left, and no handle of libuv's and no child is; what the operation
 * had begun to take is still there for the next one.
 */
#ifndef TESTS_SWEEP_H
#define TESTS_SWEEP_H

#include "support/room.h"

struct ground;

struct operation {
    int (*prepare)(struct ground *g); /* in the test's task; may be NULL */
    int (*run)(struct ground *g);     /* what is cancelled; leaves nothing open on success */
    int (*check)(struct ground *g);   /* what must be true after a cancellation; may be NULL */
    unsigned points;                  /* of one that never ends: so many are enough; 0: it does */
    bool keeps_handles;               /* of a resolver, which goes on */
};

/* What an operation works on: all of it is closed at the end. */
struct ground {
    struct room *room;
    int port;
    int listener; /* -1: none */
    aio_server *server;
    aio_stream_reader *reader;
    aio_stream_writer *writer;
    aio_transport *transport;
    aio_process *process;
    aio_task *peer; /* of the other end of a connection, if that is a task's */
    int file;       /* -1: none */
};

/* Cancel each of so many operations at every point; asserts. */
void sweep(const struct operation *operations, size_t count);

/* The point of the run that goes on: iterations, or tenths of a millisecond, as long as there are
 * few. 0: before the first step. */
unsigned sweep_point(void);

/* To prepare with: a socket that listens at the port; a pair of sockets, which are the room's; a
 * server of the room's protocols. */
int ground_listen(struct ground *g);
int ground_open_pair(struct ground *g);
int ground_open_server(struct ground *g);

/* What an operation has made and is not to leave: 0. */
int ground_let_go(aio_transport *transport);

/* A client of a server of streams that nobody is to come to. */
int ground_serve_nobody(aio_stream_reader *reader, aio_stream_writer *writer, void *arg);

#endif
