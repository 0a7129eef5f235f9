/* SPDX-License-Identifier: MIT */
/*
 * server.c - accepting connections, and waiting for the end of all
 *
 * A listener is a socket of a server. What it accepts waits in the queue for its protocol and
 * transport, where asyncio starts a task for each (S133): so a burst of connections does not keep
 * the loop's other work waiting.
 *
 * The server is referenced by its listeners, by what was accepted and by its clients.
 *
 * Invariants
 *   - While `listeners` is not empty the server is open; aio_server_close() empties it for good.
 *   - Who waits for the end is woken when the server is closed and the last client goes.
 *
 * Thread: the loop's.
 */
#include "base/log.h"
#include "future/future_internal.h"
#include "net/connection.h"
#include "net/net_internal.h"
#include "net/server_internal.h"
#include "sync/waiter.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const double ACCEPT_RETRY_DELAY = 1.0;

struct listener {
    struct aio__io io;
    struct aio__net_object object;
    struct aio__list link;     /* in server->listeners */
    struct aio_server *server; /* referenced until it is closed */
    aio_handle *retry;         /* to accept again; may be NULL */
    char *path;                /* owned: the file to remove; NULL: none */
    dev_t device;              /* what it was when it was bound */
    ino_t inode;
};

struct aio_server {
    struct aio__net_owner owner;
    size_t refs;
    aio_loop *loop;
    aio_protocol_factory_fn factory;
    void *arg;
    bool owns_arg;             /* arg goes with the server */
    struct aio__secure secure; /* its context referenced; zero: no TLS */
    int backlog;
    bool serving;
    bool closed;
    bool over; /* closed, and without clients since */
    aio__ctx context;
    struct aio__list listeners;
    struct aio__list clients;
    struct aio__list line;   /* who waits for the end */
    aio_loop *line_loop;     /* that of who waits */
    aio_future *serving_for; /* of serve_forever; NULL: nobody serves */
};

/* A connection on its way from accept to its transport. */
struct arrival {
    struct aio__ready ready;
    struct aio_server *server; /* referenced */
    int fd;
    struct sockaddr_storage peer;
};

/* --- life ------------------------------------------------------------------------------ */

aio_server *aio_server_ref(aio_server *server)
{
    if (server != NULL)
        server->refs++;
    return server;
}

void aio_server_unref(aio_server *server)
{
    aio_loop *loop;

    if (server == NULL || --server->refs != 0)
        return;
    loop = server->loop;
    aio__ctx_release(server->context);
    if (server->owns_arg)
        aio_free(server->arg);
    aio_tls_context_unref(server->secure.context);
    aio_free(server);
    aio__loop_disown(loop);
}

static void end_if_over(aio_server *server)
{
    if (!server->closed || !aio__list_empty(&server->clients))
        return;
    server->over = true;
    (void)aio__line_wake(&server->line, SIZE_MAX);
}

static void on_client(struct aio__net_owner *owner, struct aio__list *link)
{
    aio_server *server = aio__container_of(owner, struct aio_server, owner);

    aio__list_append(&server->clients, link);
    (void)aio_server_ref(server);
}

static void on_client_gone(struct aio__net_owner *owner, struct aio__list *link)
{
    aio_server *server = aio__container_of(owner, struct aio_server, owner);

    aio__list_remove(link);
    end_if_over(server);
    aio_server_unref(server);
}

aio_server *aio__server_new(aio_loop *loop, aio_protocol_factory_fn factory, void *arg, int backlog)
{
    aio_server *server;

    if (aio__net_get(loop) == NULL)
        return NULL;
    server = aio_calloc(1, sizeof(*server));
    if (server == NULL)
        return NULL;
    aio__loop_adopt(loop);
    server->owner.attached = on_client;
    server->owner.detached = on_client_gone;
    server->refs = 1;
    server->loop = loop;
    server->factory = factory;
    server->arg = arg;
    server->backlog = backlog > 0 ? backlog : 100;
    server->context = aio__ctx_capture();
    aio__list_init(&server->listeners);
    aio__list_init(&server->clients);
    aio__list_init(&server->line);
    return server;
}

void aio__server_own_arg(aio_server *server)
{
    server->owns_arg = true;
}

void aio__server_secure(aio_server *server, const struct aio__secure *secure)
{
    server->secure = *secure;
    (void)aio_tls_context_ref(secure->context);
}

/* --- accepting ------------------------------------------------------------------------- */

/* What went wrong with one connection is told in debug mode only, as asyncio does. */
static void report_refusal(aio_loop *loop, aio_exception *error)
{
    if (loop->debug)
        aio__loop_report(loop, "Error on transport creation for incoming connection", error, NULL);
}

static void refuse(aio_server *server, int code)
{
    aio_exception *error;

    if (code == AIO_EKEYBOARDINTERRUPT || code == AIO_ESYSTEMEXIT) {
        aio__loop_leave(server->loop, code, aio_error_catch(code));
        return;
    }
    error = aio_error_catch(code);
    report_refusal(server->loop, error);
    aio_exception_unref(error);
}

static int on_shaken(aio_future *shaken, void *arg)
{
    aio_exception *error = NULL;

    if (!aio_future_cancelled(shaken))
        (void)aio_future_exception(shaken, &error);
    if (error != NULL)
        report_refusal(arg, error);
    return 0;
}

/* Also where the loop is closed before the callback's turn. */
static int forget_failure(aio_future *shaken, void *arg)
{
    (void)arg;
    aio__future_disarm(shaken);
    return 0;
}

/* Where a handshake that fails is to be reported: the future that it ends. 0, or a raised code. */
static int watch_handshake(const aio_server *server, aio_future **ret_shaken)
{
    aio_future *shaken;
    int err;

    if (server->secure.context == NULL || !server->loop->debug)
        return 0;
    shaken = aio_future_new(server->loop);
    if (shaken == NULL)
        return aio__noted_failure();
    err = aio__future_add_step(shaken, forget_failure, NULL);
    if (err == 0)
        err = aio_future_add_done_callback(shaken, on_shaken, server->loop);
    if (err < 0)
        aio_future_unref(shaken);
    else
        *ret_shaken = shaken;
    return err;
}

static int serve(struct arrival *arrival)
{
    aio_server *server = arrival->server;
    aio_future *shaken = NULL;
    aio_transport *transport;
    aio_protocol *protocol;
    int err = watch_handshake(server, &shaken);

    if (err < 0)
        return err;
    err = aio__make_secure_protocol(server->loop, server->factory, server->arg, &server->secure,
                                    shaken, &protocol, NULL);
    aio_future_unref(shaken);
    if (err < 0)
        return err;
    err = aio__stream_transport_new(server->loop, arrival->fd, protocol, NULL, &server->owner,
                                    &transport);
    if (err < 0) {
        aio__release_protocol(protocol);
        return err;
    }
    aio__stream_transport_set_peer(transport, &arrival->peer);
    arrival->fd = -1;
    return 0;
}

static void run_arrival(struct aio__ready *node)
{
    struct arrival *arrival = aio__container_of(node, struct arrival, ready);
    aio_server *server = arrival->server;
    aio__ctx *outer;
    int err;

    if (!server->closed && !server->loop->closed) {
        outer = aio__net_enter(&server->context);
        err = serve(arrival);
        if (err < 0)
            refuse(server, err);
        aio__net_leave(outer);
    }
    if (arrival->fd >= 0)
        close(arrival->fd);
    aio__loop_free(server->loop, arrival, sizeof(*arrival));
    aio_server_unref(server);
}

static int accept_again(void *arg)
{
    struct listener *listener = arg;

    aio_handle_unref(listener->retry);
    listener->retry = NULL;
    aio__io_add(&listener->io, AIO__READABLE);
    return 0;
}

/* No more descriptors or memory: leave the others in the backlog for a while. */
static void pause_accepting(struct listener *listener, int code)
{
    aio_loop *loop = listener->server->loop;
    aio_exception *error = aio_error_catch(code);

    aio__loop_report(loop, "socket.accept() out of system resource", error, NULL);
    aio_exception_unref(error);
    /* The handler may have closed the server. Without memory for a timer the poll comes back. */
    if (!listener->io.closing && listener->retry == NULL &&
        aio_loop_call_later(loop, ACCEPT_RETRY_DELAY, accept_again, listener, &listener->retry) ==
            0)
        aio__io_drop(&listener->io, AIO__READABLE);
}

static bool is_short_of(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Errors of the connection accept would have given: on to the next one (accept(2)). */
static bool is_lost_connection(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == ENETUNREACH;
}

/* Take one connection: 1, 0 if there is none, or a raised code. */
static int accept_one(struct listener *listener)
{
    aio_server *server = listener->server;
    struct arrival *arrival = aio__loop_alloc(server->loop, sizeof(*arrival));
    socklen_t size = sizeof(arrival->peer);
    int error;

    if (arrival == NULL)
        return aio_raise(AIO_ENOMEM, "no memory for a connection");
    arrival->peer = (struct sockaddr_storage){0};
    arrival->fd = accept4(listener->io.fd, (struct sockaddr *)&arrival->peer, &size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC);
    error = errno;
    if (arrival->fd < 0) {
        aio__loop_free(server->loop, arrival, sizeof(*arrival));
        if (is_lost_connection(error))
            return 1;
        return error == EAGAIN || error == EWOULDBLOCK
                   ? 0
                   : aio_raise(-error, "%s", aio_strerror(-error));
    }
    arrival->ready.run = run_arrival;
    arrival->server = aio_server_ref(server);
    aio__loop_queue(server->loop, &arrival->ready);
    return 1;
}

static void on_readable(struct aio__io *io, int events)
{
    struct listener *listener = aio__container_of(io, struct listener, io);
    aio__ctx *outer = aio__net_enter(&listener->server->context);
    int left = listener->server->backlog + 1;
    int got = 1;

    (void)events;
    while (left-- > 0 && got > 0)
        got = accept_one(listener);
    if (got < 0 && is_short_of(-got))
        pause_accepting(listener, got);
    else if (got < 0)
        aio__loop_callback_failed(listener->server->loop, got, NULL);
    aio__net_leave(outer);
}

/* --- listeners ------------------------------------------------------------------------- */

static void on_listener_gone(struct aio__io *io)
{
    struct listener *listener = aio__container_of(io, struct listener, io);
    aio_loop *loop = io->loop;

    aio__loop_free(loop, listener, sizeof(*listener));
}

/* Remove the socket's file unless another one has taken its place. */
static void remove_file(const struct listener *listener)
{
    struct stat now;
    int err = 0;

    if (listener->path == NULL)
        return;
    if (stat(listener->path, &now) != 0 ||
        (now.st_ino == listener->inode && now.st_dev == listener->device &&
         unlink(listener->path) != 0))
        err = errno;
    if (err != 0 && err != ENOENT)
        aio__log(AIO_LOG_ERROR, "Unable to clean up listening UNIX socket '%s': %s", listener->path,
                 aio_strerror(-err));
}

/* Let go of the listener, and of its socket unless that is wanted back. */
static void end_listener(struct listener *listener, bool keep_socket)
{
    aio_server *server = listener->server;

    aio__list_remove(&listener->link);
    aio__list_remove(&listener->object.link);
    aio_handle_cancel(listener->retry);
    aio_handle_unref(listener->retry);
    aio__io_close(&listener->io, on_listener_gone);
    if (!keep_socket) {
        remove_file(listener);
        close(listener->io.fd);
    }
    aio_free(listener->path);
    listener->path = NULL;
    aio_server_unref(server);
}

static void end_with_loop(struct aio__net_object *object)
{
    struct listener *listener = aio__container_of(object, struct listener, object);
    aio_server *server = aio_server_ref(listener->server);

    aio_server_close(server);
    aio_server_unref(server);
}

int aio__server_add(aio_server *server, int fd, const char *path)
{
    struct listener *listener = aio__loop_alloc(server->loop, sizeof(*listener));
    struct stat file;
    int err;

    if (listener == NULL)
        return AIO_ENOMEM;
    listener->retry = NULL;
    listener->path = NULL;
    if (path != NULL && stat(path, &file) == 0) {
        listener->device = file.st_dev;
        listener->inode = file.st_ino;
        listener->path = aio_strdup(path);
        if (listener->path == NULL) {
            err = AIO_ENOMEM;
            goto free_listener;
        }
    }
    err = aio__io_init(&listener->io, server->loop, fd, on_readable);
    if (err < 0)
        goto free_path;
    listener->server = aio_server_ref(server);
    listener->object.end = end_with_loop;
    aio__list_append(&aio__net_of(server->loop)->open, &listener->object.link);
    aio__list_append(&server->listeners, &listener->link);
    return 0;

free_path:
    aio_free(listener->path);
free_listener:
    aio__loop_free(server->loop, listener, sizeof(*listener));
    return err;
}

void aio__server_release_sockets(aio_server *server)
{
    AIO__LIST_FOREACH (link, &server->listeners)
        end_listener(aio__container_of(link, struct listener, link), true);
}

/* --- serving --------------------------------------------------------------------------- */

static int start(aio_server *server)
{
    if (server->serving)
        return 0;
    AIO__LIST_FOREACH (link, &server->listeners) {
        struct listener *listener = aio__container_of(link, struct listener, link);

        if (listen(listener->io.fd, server->backlog) != 0)
            return aio_raise(-errno, "%s", aio_strerror(-errno));
        aio__io_add(&listener->io, AIO__READABLE);
    }
    server->serving = true;
    return 0;
}

static int no_server(void)
{
    return aio_raise(AIO_EVALUE, "a server is needed, not NULL");
}

int aio_server_start_serving(aio_server *server)
{
    int err;

    if (server == NULL)
        return no_server();
    if (server->closed)
        return aio_raise(AIO_ERUNTIME, "server is closed");
    err = start(server);
    return err < 0 ? err : aio_sleep(0);
}

void aio_server_close(aio_server *server)
{
    if (server == NULL || server->closed)
        return;
    (void)aio_server_ref(server);
    server->closed = true;
    server->serving = false;
    AIO__LIST_FOREACH (link, &server->listeners)
        end_listener(aio__container_of(link, struct listener, link), false);
    if (server->serving_for != NULL)
        (void)aio_future_cancel(server->serving_for, NULL);
    end_if_over(server);
    aio_server_unref(server);
}

/* Closing and aborting a transport calls nobody, so that the list stays as it is. */
void aio_server_close_clients(aio_server *server)
{
    if (server == NULL)
        return;
    AIO__LIST_FOREACH (link, &server->clients)
        aio_transport_close(aio__stream_transport_of(link));
}

void aio_server_abort_clients(aio_server *server)
{
    if (server == NULL)
        return;
    AIO__LIST_FOREACH (link, &server->clients)
        aio_transport_abort(aio__stream_transport_of(link));
}

bool aio_server_is_serving(const aio_server *server)
{
    return server != NULL && server->serving;
}

int aio_server_wait_closed(aio_server *server)
{
    struct aio__waiter me;
    int err;

    if (server == NULL)
        return no_server();
    if (server->over)
        return 0;
    err = aio__waiter_init(&me, &server->line_loop, "server");
    if (err < 0)
        return err;
    (void)aio_server_ref(server);
    err = aio__waiter_sleep(&me, &server->line);
    aio__waiter_done(&me);
    aio_server_unref(server);
    return err;
}

/* The wait of serve_forever was cancelled: end the server, but say what was said before. */
static int stop_forever(aio_server *server, int code)
{
    aio_exception *error = aio_error_catch(code);

    aio_server_close(server);
    (void)aio_server_wait_closed(server);
    code = aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

int aio_server_serve_forever(aio_server *server)
{
    int err;

    if (server == NULL)
        return no_server();
    if (server->serving_for != NULL)
        return aio_raise(AIO_ERUNTIME, "server is already being awaited on serve_forever()");
    if (server->closed)
        return aio_raise(AIO_ERUNTIME, "server is closed");
    err = start(server);
    if (err < 0)
        return err;
    server->serving_for = aio_future_new(server->loop);
    if (server->serving_for == NULL)
        return aio__noted_failure();
    (void)aio_server_ref(server);
    err = aio_await(server->serving_for, NULL);
    if (err == AIO_ECANCELLED)
        err = stop_forever(server, err);
    aio_future_unref(server->serving_for);
    server->serving_for = NULL;
    aio_server_unref(server);
    return err;
}

size_t aio_server_sockets(const aio_server *server, int *ret_socks, size_t count)
{
    size_t found = 0;

    if (server == NULL)
        return 0;
    AIO__LIST_FOREACH (link, &server->listeners) {
        if (found < count)
            ret_socks[found] = aio__container_of(link, struct listener, link)->io.fd;
        found++;
    }
    return found;
}

aio_loop *aio_server_get_loop(const aio_server *server)
{
    return server == NULL ? NULL : server->loop;
}

int aio_server_enter(aio_server *server)
{
    return server == NULL ? no_server() : 0;
}

int aio_server_exit(aio_server *server, int code)
{
    aio_exception *error = code < 0 ? aio_error_catch(code) : NULL;
    int err;

    aio_server_close(server);
    err = aio_server_wait_closed(server);
    if (err == 0 && error != NULL)
        err = aio_raise_exception(error);
    aio_exception_unref(error);
    return err;
}
