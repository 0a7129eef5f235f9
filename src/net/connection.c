/* SPDX-License-Identifier: MIT */
/*
 * connection.c - what all ways to a connection share
 *
 * Waiting for a socket is done with the watchers that users have as well, so that one task can read
 * a socket while another writes it. What a watcher finishes is a future; what is read or accepted
 * is fetched by the task itself once it runs, so a cancellation in between loses nothing (S32).
 *
 * Thread: the loop's.
 */
#include "net/connection.h"

#include "base/error.h"
#include "future/future_internal.h"
#include "loop/watch.h"
#include "net/net_internal.h"

#include <aio/task.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>

/* --- waiting --------------------------------------------------------------------------- */

static int wake(void *arg)
{
    aio_future *fut = arg;

    if (aio__future_is_pending(fut))
        aio__future_finish(fut, NULL, NULL);
    return 0;
}

int aio__wait_fd(aio_loop *loop, int fd, bool writing)
{
    aio_future *fut = aio_future_new(loop);
    int err;

    if (fut == NULL)
        return aio__noted_failure();
    err = writing ? aio_loop_add_writer(loop, fd, wake, fut)
                  : aio_loop_add_reader(loop, fd, wake, fut);
    if (err == 0)
        err = aio_await(fut, NULL);
    aio__watch_remove_own(loop, fd, writing, fut);
    aio_future_unref(fut);
    return err;
}

int aio__connect_outcome(int fd, const struct sockaddr *name, socklen_t size)
{
    char text[AIO__ADDRESS_TEXT];
    socklen_t length = sizeof(int);
    int error = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error == 0)
        return 0;
    return aio_raise(-error, "Connect call failed %s", aio__address_text(name, size, text));
}

int aio__connect_fd(aio_loop *loop, int fd, const struct sockaddr *name, socklen_t size)
{
    double pause = 0.001;
    int err;

    while (connect(fd, name, size) != 0) {
        if (errno == EINPROGRESS || errno == EINTR) {
            err = aio__wait_fd(loop, fd, true);
            return err < 0 ? err : aio__connect_outcome(fd, name, size);
        }
        if (errno != EAGAIN || name->sa_family != AF_UNIX)
            return aio_raise(-errno, "%s", aio_strerror(-errno));
        /* The server's backlog is full. Nothing was begun, and no poll tells when there is room. */
        err = aio_sleep(pause);
        if (err < 0)
            return err;
        pause = pause < 0.05 ? 2 * pause : pause;
    }
    return 0;
}

/* --- protocol and transport ------------------------------------------------------------ */

int aio__make_protocol(aio_protocol_factory_fn factory, void *arg, aio_protocol **ret_protocol)
{
    int code;

    aio__error_forget();
    *ret_protocol = factory(arg);
    if (*ret_protocol != NULL)
        return 0;
    code = aio__error_travelling();
    return code < 0 ? code : AIO_ENOMEM;
}

void aio__release_protocol(aio_protocol *protocol)
{
    if (protocol->ops->release != NULL)
        protocol->ops->release(protocol);
}

int aio__make_secure_protocol(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                              const struct aio__secure *secure, aio_future *waiter,
                              aio_protocol **ret_protocol, aio_transport **ret_above)
{
    aio_protocol *app = NULL;
    int err = secure->context == NULL ? 0 : aio__tls_check_session(secure);

    if (err < 0)
        return err;
    err = aio__make_protocol(factory, arg, &app);
    if (err < 0)
        return err;
    *ret_protocol = app;
    if (secure->context == NULL)
        return 0;
    err = aio__tls_wrap(loop, app, secure, waiter, ret_protocol, ret_above);
    if (err < 0)
        aio__release_protocol(app);
    return err;
}

static void remember_peer(aio_transport *transport, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);

    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0)
        aio__stream_transport_set_peer(transport, &peer);
}

int aio__connection_wait(aio_transport *transport, aio_future *made, aio_transport **ret_transport)
{
    int err;

    (void)aio_transport_ref(transport);
    err = aio_await(made, NULL);
    if (err < 0)
        aio_transport_close(transport);
    if (err == 0 && ret_transport != NULL)
        *ret_transport = transport;
    else
        aio_transport_unref(transport);
    return err;
}

int aio__connection_start(aio_loop *loop, int fd, aio_protocol_factory_fn factory, void *arg,
                          const struct aio__secure *secure, aio_transport **ret_transport,
                          bool *taken)
{
    aio_transport *above = NULL;
    aio_transport *transport;
    aio_protocol *protocol = NULL; /* else one was made, whatever became of it */
    aio_future *made;
    int err;

    *taken = false;
    made = aio_future_new(loop);
    if (made == NULL)
        return aio__noted_failure();
    err = aio__make_secure_protocol(loop, factory, arg, secure, made, &protocol, &above);
    if (err < 0)
        goto drop_future;
    assert(protocol != NULL);
    err = aio__stream_transport_new(loop, fd, protocol, above == NULL ? made : NULL, NULL,
                                    &transport);
    if (err < 0) {
        aio__release_protocol(protocol);
        goto drop_future;
    }
    *taken = true;
    remember_peer(transport, fd);
    err = aio__connection_wait(above == NULL ? transport : above, made, ret_transport);

drop_future:
    if (!*taken && protocol != NULL) {
        close(fd);
        *taken = true;
    }
    aio_future_unref(made);
    return err;
}

int aio__connection_start_user(aio_loop *loop, int fd, int family, aio_protocol_factory_fn factory,
                               void *arg, const struct aio__secure *secure,
                               aio_transport **ret_transport)
{
    bool taken;
    int err = aio__check_stream_socket(fd, family);

    if (err == 0)
        err = aio__set_nonblocking(fd);
    return err < 0 ? err
                   : aio__connection_start(loop, fd, factory, arg, secure, ret_transport, &taken);
}

/* --- checks ---------------------------------------------------------------------------- */

int aio__net_check_task(aio_loop **loop)
{
    aio_loop *running = aio_get_running_loop();

    if (running == NULL)
        return AIO_ENOLOOP;
    if (*loop == NULL)
        *loop = running;
    if (aio_current_task(running) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can wait for a connection");
    if (*loop != running)
        return aio_raise(AIO_ERUNTIME, "the loop is not the running one");
    return 0;
}

int aio__net_check_call(aio_loop **loop, aio_protocol_factory_fn factory)
{
    int err = aio__net_check_task(loop);

    if (err == 0 && factory == NULL)
        err = aio_raise(AIO_EVALUE, "no protocol factory given");
    return err;
}

int aio__check_nonblocking(const aio_loop *loop, int sock)
{
    int flags = aio_loop_get_debug(loop) ? fcntl(sock, F_GETFL) : -1;

    return flags >= 0 && !(flags & O_NONBLOCK)
               ? aio_raise(AIO_EVALUE, "the socket must be non-blocking")
               : 0;
}

int aio__check_stream_socket(int fd, int family)
{
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof(int);
    int type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    length = sizeof(name);
    if (family != AF_UNSPEC && getsockname(fd, (struct sockaddr *)&name, &length) != 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    if (type != SOCK_STREAM || (family != AF_UNSPEC && name.ss_family != family))
        return aio_raise(AIO_EVALUE, "A%s Stream Socket was expected, got fd %d",
                         family == AF_UNIX ? " UNIX Domain" : "", fd);
    return 0;
}

int aio__set_reuse_port(int fd)
{
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return aio_raise(AIO_EVALUE, "reuse_port not supported: %s", aio_strerror(-errno));
    return 0;
}

int aio__set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    return 0;
}
