/* SPDX-License-Identifier: MIT */
/*
 * datagram.c - create_datagram_endpoint: from addresses to a socket to a transport
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"
#include "net/connection.h"
#include "net/datagram_internal.h"

#include <aio/datagram.h>
#include <aio/task.h>
#include <errno.h>
#include <unistd.h>

/* The sides of an endpoint, as lists of addresses. */
struct sides {
    struct aio__addresses local;
    struct aio__addresses remote;
    bool has_local;
    bool has_remote;
};

static int raise_errno(void)
{
    return aio_raise(-errno, "%s", aio_strerror(-errno));
}

/* --- addresses ------------------------------------------------------------------------- */

static int resolve_side(aio_loop *loop, const aio_datagram_options *options, const char *host,
                        int port, struct aio__addresses *addresses)
{
    struct aio__query query = {
        .host = host,
        .port = port,
        .family = options->family,
        .type = SOCK_DGRAM,
        .protocol = options->proto,
        .flags = options->flags,
    };

    return aio__resolve(loop, &query, addresses);
}

static int add_path(const char *path, size_t size, struct aio__addresses *addresses)
{
    struct aio__address address;
    int err = aio__unix_address(path, size, &address);

    return err < 0 ? err : aio__addresses_add(addresses, &address);
}

static int find_sides(aio_loop *loop, const aio_datagram_options *options, struct sides *sides)
{
    int err = 0;

    if (options->local_path != NULL)
        err = add_path(options->local_path, options->local_path_size, &sides->local);
    else if (options->local_host != NULL || options->local_port >= 0)
        err = resolve_side(loop, options, options->local_host, options->local_port, &sides->local);
    if (err == 0 && options->remote_path != NULL)
        err = add_path(options->remote_path, options->remote_path_size, &sides->remote);
    else if (err == 0 && (options->remote_host != NULL || options->remote_port >= 0))
        err =
            resolve_side(loop, options, options->remote_host, options->remote_port, &sides->remote);
    sides->has_local = sides->local.count > 0;
    sides->has_remote = sides->remote.count > 0;
    return err;
}

/* --- the socket ------------------------------------------------------------------------ */

static int set_up_socket(int fd, const aio_datagram_options *options,
                         const struct aio__address *local, const struct aio__address *remote)
{
    int on = 1;
    int err = options->reuse_port ? aio__set_reuse_port(fd) : 0;

    if (err < 0)
        return err;
    if (options->allow_broadcast && setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) != 0)
        return raise_errno();
    if (local != NULL && bind(fd, (const struct sockaddr *)&local->name, local->size) != 0)
        return raise_errno();
    if (remote != NULL && !options->allow_broadcast &&
        connect(fd, (const struct sockaddr *)&remote->name, remote->size) != 0)
        return raise_errno();
    return 0;
}

/* A socket of a pair of addresses; either may be NULL. 0, or a raised code. */
static int open_pair(const aio_datagram_options *options, const struct aio__address *local,
                     const struct aio__address *remote, int *ret_fd)
{
    const struct aio__address *some = local != NULL ? local : remote;
    int family = some != NULL ? some->family : options->family;
    int proto = some != NULL ? some->protocol : options->proto;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
    int err;

    if (fd < 0)
        return raise_errno();
    err = set_up_socket(fd, options, local, remote);
    if (err < 0)
        close(fd);
    else
        *ret_fd = fd;
    return err;
}

/* Try every pair of one family; the first error is the one to tell. *ret_remote may become NULL. */
static int open_any(const aio_datagram_options *options, const struct sides *sides, int *ret_fd,
                    const struct aio__address **ret_remote)
{
    size_t locals = sides->has_local ? sides->local.count : 1;
    size_t remotes = sides->has_remote ? sides->remote.count : 1;
    aio_exception *first = NULL;
    int err = 0;

    for (size_t i = 0; i < locals * remotes; i++) {
        const struct aio__address *local =
            sides->has_local ? &sides->local.items[i / remotes] : NULL;
        const struct aio__address *remote =
            sides->has_remote ? &sides->remote.items[i % remotes] : NULL;

        if (local != NULL && remote != NULL && local->family != remote->family)
            continue;
        err = open_pair(options, local, remote, ret_fd);
        if (err == 0) {
            *ret_remote = remote;
            aio_exception_unref(first);
            return 0;
        }
        if (first == NULL)
            first = aio_error_catch(err);
    }
    if (first == NULL)
        return aio_raise(AIO_EVALUE, "can not get address information");
    err = aio_raise_exception(first);
    aio_exception_unref(first);
    return err;
}

/* --- the call -------------------------------------------------------------------------- */

static bool has_address(const aio_datagram_options *options)
{
    return options->local_host != NULL || options->local_port >= 0 ||
           options->remote_host != NULL || options->remote_port >= 0;
}

static bool has_path(const aio_datagram_options *options)
{
    return options->local_path != NULL || options->remote_path != NULL;
}

static int check_sock(int fd)
{
    socklen_t length = sizeof(int);
    int type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return raise_errno();
    if (type != SOCK_DGRAM)
        return aio_raise(AIO_EVALUE, "A datagram socket was expected, got fd %d", fd);
    return aio__set_nonblocking(fd);
}

static int check_options(const aio_datagram_options *options)
{
    if (options == NULL || options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad datagram options");
    if (options->sock >= 0) {
        if (has_address(options) || has_path(options) || options->family != 0 ||
            options->proto != 0 || options->flags != 0 || options->reuse_port ||
            options->allow_broadcast)
            return aio_raise(AIO_EVALUE,
                             "socket modifier keyword arguments can not be used when sock is "
                             "specified.");
        return check_sock(options->sock);
    }
    if (has_address(options) && (has_path(options) || options->family == AF_UNIX))
        return aio_raise(AIO_EVALUE, "a unix socket has a path, not a host or port");
    if (!has_address(options) && !has_path(options) && options->family == AF_UNSPEC)
        return aio_raise(AIO_EVALUE, "unexpected address family");
    return 0;
}

static int open_socket(aio_loop *loop, const aio_datagram_options *options, int *ret_fd,
                       struct aio__address *ret_remote, bool *ret_has_remote)
{
    const struct aio__address *remote = NULL;
    struct sides sides = {0};
    int err = find_sides(loop, options, &sides);

    if (err == 0 && options->local_path != NULL)
        aio__unix_remove_stale(options->local_path);
    if (err == 0)
        err = open_any(options, &sides, ret_fd, &remote);
    *ret_has_remote = remote != NULL;
    if (remote != NULL)
        *ret_remote = *remote;
    aio__addresses_free(&sides.local);
    aio__addresses_free(&sides.remote);
    return err;
}

/* Make protocol and transport, and wait for connection_made. *taken: the fd is the transport's. */
static int start(aio_loop *loop, int fd, aio_protocol_factory_fn factory, void *arg,
                 const struct aio__address *remote, aio_transport **ret_transport, bool *taken)
{
    aio_future *made = aio_future_new(loop);
    aio_transport *transport;
    aio_protocol *protocol;
    int err;

    if (made == NULL)
        return aio__noted_failure();
    err = aio__make_protocol(factory, arg, &protocol);
    if (err < 0)
        goto drop_future;
    err = aio__datagram_transport_new(loop, fd, protocol, made, remote, &transport);
    if (err < 0) {
        aio__release_protocol(protocol);
        goto drop_future;
    }
    *taken = true;
    err = aio__connection_wait(transport, made, ret_transport);

drop_future:
    aio_future_unref(made);
    return err;
}

int aio_loop_create_datagram_endpoint(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                      const aio_datagram_options *options,
                                      aio_transport **ret_transport)
{
    struct aio__address remote;
    bool has_remote = false;
    bool taken = false;
    int fd = -1;
    int err = aio__net_check_call(&loop, factory);

    if (err == 0)
        err = check_options(options);
    if (err < 0)
        return err;
    fd = options->sock;
    if (fd < 0)
        err = open_socket(loop, options, &fd, &remote, &has_remote);
    if (err < 0)
        return err;
    err = start(loop, fd, factory, arg, has_remote ? &remote : NULL, ret_transport, &taken);
    if (!taken && options->sock < 0)
        close(fd);
    return err;
}
