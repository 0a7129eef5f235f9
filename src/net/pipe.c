/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - connect_read_pipe, connect_write_pipe
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"
#include "net/channel.h"
#include "net/connection.h"
#include "net/pipe_internal.h"

#include <aio/pipe.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

const void *aio__pipe_info(const aio_transport *base, const char *name)
{
    const struct aio__channel *self = aio__channel_of(base);

    return strcmp(name, "pipe") == 0 && self->io.fd >= 0 ? &self->io.fd : NULL;
}

typedef int (*make_fn)(aio_loop *loop, int fd, aio_protocol *protocol, aio_future *waiter,
                       aio_transport **ret_transport);

static int check_pipe(int fd)
{
    struct stat file;

    if (fstat(fd, &file) != 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    if (!S_ISFIFO(file.st_mode) && !S_ISSOCK(file.st_mode) && !S_ISCHR(file.st_mode))
        return aio_raise(AIO_EVALUE,
                         "Pipe transport is only for pipes, sockets and character devices");
    return aio__set_nonblocking(fd);
}

static int connect_pipe(aio_loop *loop, aio_protocol_factory_fn factory, void *arg, int fd,
                        make_fn make, aio_transport **ret_transport)
{
    aio_transport *transport;
    aio_protocol *protocol;
    aio_future *made;
    int err = aio__net_check_call(&loop, factory);

    if (err == 0)
        err = check_pipe(fd);
    if (err < 0)
        return err;
    made = aio_future_new(loop);
    if (made == NULL)
        return aio__noted_failure();
    err = aio__make_protocol(factory, arg, &protocol);
    if (err < 0)
        goto drop_future;
    err = make(loop, fd, protocol, made, &transport);
    if (err < 0)
        aio__release_protocol(protocol);
    else
        err = aio__connection_wait(transport, made, ret_transport);

drop_future:
    aio_future_unref(made);
    return err;
}

int aio_loop_connect_read_pipe(aio_loop *loop, aio_protocol_factory_fn factory, void *arg, int pipe,
                               aio_transport **ret_transport)
{
    return connect_pipe(loop, factory, arg, pipe, aio__read_pipe_new, ret_transport);
}

int aio_loop_connect_write_pipe(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                int pipe, aio_transport **ret_transport)
{
    return connect_pipe(loop, factory, arg, pipe, aio__write_pipe_new, ret_transport);
}
