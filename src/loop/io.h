/* SPDX-License-Identifier: MIT */
/*
 * io.h - readiness of a file descriptor that the library owns
 *
 * For src/net and src/process: what a transport, a listener or a pipe embeds. The user's own
 * watchers are in watch.c.
 *
 * What the poll finds is queued like any call (S1), one node an fd and iteration, and reported
 * again as long as it lasts. An error on the fd counts as readable and writable.
 */
#ifndef AIO__IO_H
#define AIO__IO_H

#include "loop/loop_internal.h"

enum { AIO__READABLE = UV_READABLE, AIO__WRITABLE = UV_WRITABLE };

struct aio__io {
    uv_poll_t poll;
    struct aio__ready ready;
    aio_loop *loop;
    int fd;
    int wanted;  /* AIO__READABLE | AIO__WRITABLE */
    int pending; /* found by the poll, to be reported */
    bool queued; /* its node is in the queue */
    bool closing;
    bool loop_is_done;                          /* libuv has closed the handle */
    void (*fn)(struct aio__io *io, int events); /* on the thread's own stack */
    void (*closed)(struct aio__io *io);         /* libuv and the queue are done with it */
};

/* Begin with an fd in non-blocking mode, watching for nothing. 0, or a code: then there is nothing
 * to close. */
int aio__io_init(struct aio__io *io, aio_loop *loop, int fd,
                 void (*fn)(struct aio__io *io, int events));

/* Watch for some events from now on; 0: for none. What was found before and is not wanted any
 * more is not reported. */
void aio__io_want(struct aio__io *io, int events);

static inline void aio__io_add(struct aio__io *io, int events)
{
    if ((io->wanted & events) != events)
        aio__io_want(io, io->wanted | events);
}

static inline void aio__io_drop(struct aio__io *io, int events)
{
    if ((io->wanted & events) != 0)
        aio__io_want(io, io->wanted & ~events);
}

/* End. The caller may close the fd at once; `closed` follows in a later turn of libuv. */
void aio__io_close(struct aio__io *io, void (*closed)(struct aio__io *io));

#endif
