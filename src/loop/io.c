/* SPDX-License-Identifier: MIT */
/*
 * io.c - readiness of a file descriptor that the library owns
 *
 * Invariant: the node is queued at most once; closing waits for it.
 *
 * Thread: the loop's.
 */
#include "loop/io.h"

#include "loop/watch.h"

static void end_if_over(struct aio__io *io)
{
    if (io->closing && !io->queued && io->loop_is_done)
        io->closed(io);
}

static void run_io(struct aio__ready *node)
{
    struct aio__io *io = aio__container_of(node, struct aio__io, ready);
    int events = io->pending & io->wanted;

    io->queued = false;
    io->pending = 0;
    if (io->closing)
        end_if_over(io);
    else if (events != 0 && !io->loop->closed)
        io->fn(io, events);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct aio__io *io = aio__container_of(poll, struct aio__io, poll);

    if (status < 0) {
        /* libuv has stopped: an error is pending on the socket, which reading or writing it
         * will fetch. */
        events = AIO__READABLE | AIO__WRITABLE;
        (void)uv_poll_start(&io->poll, io->wanted, on_poll);
    }
    io->pending |= events;
    if (io->queued)
        return;
    io->queued = true;
    aio__loop_arrived(io->loop, &io->ready);
}

int aio__io_init(struct aio__io *io, aio_loop *loop, int fd,
                 void (*fn)(struct aio__io *io, int events))
{
    int err = aio__watch_reserve(loop, fd);

    if (err < 0)
        return err;
    err = uv_poll_init(loop->uv, &io->poll, fd);
    if (err < 0) {
        aio__watch_unreserve(loop, fd);
        return err;
    }
    io->ready.run = run_io;
    io->loop = loop;
    io->fd = fd;
    io->wanted = 0;
    io->pending = 0;
    io->queued = false;
    io->closing = false;
    io->loop_is_done = false;
    io->fn = fn;
    io->closed = NULL;
    return 0;
}

void aio__io_want(struct aio__io *io, int events)
{
    if (io->closing || events == io->wanted)
        return;
    io->wanted = events;
    if (events == 0)
        (void)uv_poll_stop(&io->poll);
    else
        (void)uv_poll_start(&io->poll, events, on_poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct aio__io *io = aio__container_of((uv_poll_t *)handle, struct aio__io, poll);

    io->loop_is_done = true;
    end_if_over(io);
}

void aio__io_close(struct aio__io *io, void (*closed)(struct aio__io *io))
{
    if (io->closing)
        return;
    io->wanted = 0;
    io->closing = true;
    io->closed = closed;
    aio__watch_unreserve(io->loop, io->fd);
    uv_close((uv_handle_t *)&io->poll, on_closed);
}
