/* SPDX-License-Identifier: MIT */
/*
 * listen.c - the sockets of a server: create_server, create_unix_server
 *
 * A server that could not be made in full closes all it had; a socket of the caller's it gives back.
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"
#include "net/connection.h"
#include "net/server_internal.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* --- internet -------------------------------------------------------------------------- */

static int raise_errno(void)
{
    return aio_raise(-errno, "%s", aio_strerror(-errno));
}

static int set_options(int fd, int family, const aio_server_options *options)
{
    int on = 1;
    int err = options->reuse_port ? aio__set_reuse_port(fd) : 0;

    if (err < 0)
        return err;
    if (options->reuse_address && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return raise_errno();
    if (options->keep_alive && setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0)
        return raise_errno();
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
        return raise_errno();
    return 0;
}

/* Listen at one address. 1; 0 if this machine does not have it; or a raised code. */
static int add_address(aio_server *server, const struct aio__address *address,
                       const aio_server_options *options)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->name;
    char text[AIO__ADDRESS_TEXT];
    int fd;
    int err;

    fd = socket(address->family, address->type | SOCK_NONBLOCK | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) /* no such family here; being out of descriptors is another matter */
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS
                   ? raise_errno()
                   : 0;
    err = set_options(fd, address->family, options);
    if (err == 0 && bind(fd, name, address->size) != 0) {
        if (errno == EADDRNOTAVAIL) {
            close(fd);
            return 0;
        }
        err = aio_raise(-errno, "error while attempting to bind on address %s: %s",
                        aio__address_text(name, address->size, text), aio_strerror(-errno));
    }
    if (err == 0)
        err = aio__server_add(server, fd, NULL);
    if (err < 0)
        close(fd);
    return err < 0 ? err : 1;
}

static int find_addresses(aio_loop *loop, const aio_server_options *options,
                          struct aio__addresses *addresses)
{
    struct aio__query query = {
        .port = options->port,
        .family = options->family,
        .type = SOCK_STREAM,
        .flags = options->flags != 0 ? options->flags : AI_PASSIVE,
    };
    const char *const *hosts = options->hosts != NULL ? options->hosts : &options->host;
    size_t count = options->hosts != NULL ? options->host_count : 1;

    for (size_t i = 0; i < count; i++) {
        int err;

        query.host = hosts[i];
        err = aio__resolve(loop, &query, addresses);
        if (err < 0)
            return err;
    }
    return 0;
}

static int add_hosts(aio_server *server, aio_loop *loop, const aio_server_options *options)
{
    struct aio__addresses addresses = {0};
    struct aio__addresses seen = {0};
    int added = 0;
    int err = find_addresses(loop, options, &addresses);

    for (size_t i = 0; i < addresses.count && err >= 0; i++) {
        if (aio__addresses_have(&seen, &addresses.items[i]))
            continue;
        err = aio__addresses_add(&seen, &addresses.items[i]);
        if (err == 0)
            err = add_address(server, &addresses.items[i], options);
        added += err > 0;
    }
    if (err >= 0 && added == 0)
        err = aio_raise(AIO_EOS, "could not bind on any address out of %zu", addresses.count);
    aio__addresses_free(&addresses);
    aio__addresses_free(&seen);
    return err < 0 ? err : 0;
}

/* A socket of the caller's. */
static int add_socket(aio_server *server, int fd, int family, const char *path)
{
    int err = aio__check_stream_socket(fd, family);

    if (err == 0)
        err = aio__set_nonblocking(fd);
    return err < 0 ? err : aio__server_add(server, fd, path);
}

/* The server has its sockets, or err says why not: begin to serve and hand it over. */
static int finish(aio_server *server, int err, bool start, bool own_socket, aio_server **ret_server)
{
    if (err == 0 && start)
        err = aio_server_start_serving(server);
    if (err == 0) {
        *ret_server = server;
        return 0;
    }
    if (own_socket)
        aio__server_release_sockets(server);
    aio_server_close(server);
    aio_server_unref(server);
    return err;
}

static int check_place(aio_server **ret_server)
{
    if (ret_server == NULL)
        return aio_raise(AIO_EVALUE, "a place for the server is needed, not NULL");
    return 0;
}

static int check_options(const aio_server_options *options)
{
    bool has_host;

    if (options == NULL || options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad server options");
    has_host = options->host != NULL || options->hosts != NULL || options->port >= 0;
    if (has_host && options->sock >= 0)
        return aio_raise(AIO_EVALUE, "host/port and sock can not be specified at the same time");
    if (!has_host && options->sock < 0)
        return aio_raise(AIO_EVALUE, "Neither host/port nor sock were specified");
    return 0;
}

/* Make a server without sockets. 0, or a raised code. */
static int new_server(aio_loop *loop, aio_protocol_factory_fn factory, void *arg, int backlog,
                      struct aio__secure *secure, aio_server **ret_server)
{
    aio_server *server;
    int err = aio__secure_check(secure, AIO_TLS_SERVER);

    if (err < 0)
        return err;
    server = aio__server_new(loop, factory, arg, backlog);
    if (server == NULL)
        return AIO_ENOMEM;
    aio__server_secure(server, secure);
    *ret_server = server;
    return 0;
}

int aio_loop_create_server(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                           const aio_server_options *options, aio_server **ret_server)
{
    struct aio__secure secure;
    aio_server *server = NULL;
    int err = aio__net_check_call(&loop, factory);

    if (err == 0)
        err = check_options(options);
    if (err == 0)
        err = check_place(ret_server);
    if (err < 0)
        return err;
    secure = (struct aio__secure){
        .context = options->ssl,
        .handshake_timeout = options->ssl_handshake_timeout,
        .shutdown_timeout = options->ssl_shutdown_timeout,
    };
    err = new_server(loop, factory, arg, options->backlog, &secure, &server);
    if (err < 0)
        return err;
    err = options->sock >= 0 ? add_socket(server, options->sock, AF_UNSPEC, NULL)
                             : add_hosts(server, loop, options);
    return finish(server, err, options->start_serving, options->sock >= 0, ret_server);
}

/* --- unix ------------------------------------------------------------------------------ */

static int bind_path(int fd, const aio_unix_server_options *options)
{
    struct aio__address address;
    char text[AIO__ADDRESS_TEXT];
    const struct sockaddr *name = (const struct sockaddr *)&address.name;
    int err = aio__unix_address(options->path, options->path_size, &address);

    if (err < 0)
        return err;
    aio__unix_remove_stale(options->path);
    if (bind(fd, name, address.size) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return aio_raise(-EADDRINUSE, "Address %s is already in use",
                         aio__address_text(name, address.size, text));
    return raise_errno();
}

static int add_path(aio_server *server, const aio_unix_server_options *options)
{
    bool is_file = options->path[0] != '\0';
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err;

    if (fd < 0)
        return raise_errno();
    err = bind_path(fd, options);
    if (err < 0) {
        close(fd);
        return err;
    }
    err = aio__server_add(server, fd, is_file && options->cleanup_socket ? options->path : NULL);
    if (err < 0) {
        if (is_file)
            (void)unlink(options->path);
        close(fd);
    }
    return err;
}

/* A socket of the caller's, whose file goes with the server, too. */
static int add_unix_socket(aio_server *server, const aio_unix_server_options *options)
{
    struct sockaddr_un name = {0};
    socklen_t size = sizeof(name);
    char path[sizeof(name.sun_path) + 1] = "";

    if (options->cleanup_socket && getsockname(options->sock, (struct sockaddr *)&name, &size) == 0)
        memcpy(path, name.sun_path, sizeof(name.sun_path));
    return add_socket(server, options->sock, AF_UNIX, path[0] != '\0' ? path : NULL);
}

int aio_loop_create_unix_server(aio_loop *loop, aio_protocol_factory_fn factory, void *arg,
                                const aio_unix_server_options *options, aio_server **ret_server)
{
    struct aio__secure secure;
    aio_server *server = NULL;
    int err = aio__net_check_call(&loop, factory);

    if (err < 0)
        return err;
    if (options == NULL || options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad server options");
    if (options->path != NULL && options->sock >= 0)
        return aio_raise(AIO_EVALUE, "path and sock can not be specified at the same time");
    if (options->path == NULL && options->sock < 0)
        return aio_raise(AIO_EVALUE, "path was not specified, and no sock specified");
    err = check_place(ret_server);
    if (err < 0)
        return err;
    secure = (struct aio__secure){
        .context = options->ssl,
        .handshake_timeout = options->ssl_handshake_timeout,
        .shutdown_timeout = options->ssl_shutdown_timeout,
    };
    err = new_server(loop, factory, arg, options->backlog, &secure, &server);
    if (err < 0)
        return err;
    err = options->sock >= 0 ? add_unix_socket(server, options) : add_path(server, options);
    return finish(server, err, options->start_serving, options->sock >= 0, ret_server);
}
