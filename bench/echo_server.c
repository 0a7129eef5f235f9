/* SPDX-License-Identifier: MIT */
/*
 * echo_server.c - echo servers: streams, a protocol, a protocol with a buffer of its own, sockets
 *
 *     echo_server [--mode stream|protocol|buffered|socket] [--tls] PORT
 *     echo_server [--mode ...] [--tls] --unix PATH
 *
 * Listens on 127.0.0.1 with a backlog of 4096, prints READY and sends back what it gets until it
 * is killed. With --tls openssl(1) makes it a certificate that nobody knows; sockets have no TLS.
 * What it costs is measured from outside: see echo_load.
 *
 * Some clients read nothing before they have sent all of a message, which a server that waits for
 * its reader would never see the end of: up to ROOM bytes of an answer are kept, but by sockets.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, BUFFER = 64 * 1024, ROOM = 4 * 1024 * 1024 };

/* --- streams --------------------------------------------------------------------------- */

static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_buffer view;
    int err = 0;

    (void)arg;
    if (err == 0)
        err = aio_transport_set_write_buffer_limits(aio_stream_writer_transport(writer), ROOM,
                                                    AIO_LIMIT_DEFAULT);
    while (err == 0) {
        err = aio_stream_reader_peek(reader, 1, &view);
        if (err < 0 || view.size == 0)
            break;
        err = aio_stream_writer_write(writer, view.data, view.size);
        if (err == 0)
            err = aio_stream_reader_consume(reader, view.size);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
    }
    aio_stream_writer_close(writer);
    return err == AIO_ECANCELLED ? err : 0; /* a peer that resets is not worth a report */
}

struct arguments {
    const char *mode;
    const char *path; /* NULL: by port */
    int port;
    bool tls;
    aio_tls_context *context; /* NULL: no TLS */
};

static int start_streams(const struct arguments *arguments, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    aio_unix_server_options unix_options = AIO_UNIX_SERVER_OPTIONS_INIT;

    if (arguments->path != NULL) {
        unix_options.path = arguments->path;
        unix_options.backlog = BACKLOG;
        unix_options.ssl = arguments->context;
        return aio_start_unix_server_with(serve_client, NULL, &unix_options, AIO_STREAM_LIMIT,
                                          ret_server);
    }
    options.host = "127.0.0.1";
    options.port = arguments->port;
    options.backlog = BACKLOG;
    options.ssl = arguments->context;
    return aio_start_server_with(serve_client, NULL, &options, AIO_STREAM_LIMIT, ret_server);
}

/* --- protocols ------------------------------------------------------------------------- */

struct echo {
    aio_protocol base;
    aio_transport *transport; /* borrowed: it lives as long as the connection */
};

static char shared_buffer[BUFFER]; /* of all that bring their own: what is read is sent at once */

static struct echo *echo_of(aio_protocol *base)
{
    return (struct echo *)base;
}

static int connection_made(aio_protocol *base, aio_transport *transport)
{
    echo_of(base)->transport = transport;
    return aio_transport_set_write_buffer_limits(transport, ROOM, AIO_LIMIT_DEFAULT);
}

static int data_received(aio_protocol *base, const void *data, size_t size)
{
    return aio_transport_write(echo_of(base)->transport, data, size);
}

static int get_buffer(aio_protocol *base, size_t hint, void **ret_data, size_t *ret_size)
{
    (void)base;
    (void)hint;
    *ret_data = shared_buffer;
    *ret_size = BUFFER;
    return 0;
}

static int buffer_updated(aio_protocol *base, size_t size)
{
    return aio_transport_write(echo_of(base)->transport, shared_buffer, size);
}

/* A peer that does not read is not read from. */
static int pause_writing(aio_protocol *base)
{
    return aio_transport_pause_reading(echo_of(base)->transport);
}

static int resume_writing(aio_protocol *base)
{
    return aio_transport_resume_reading(echo_of(base)->transport);
}

static void release(aio_protocol *base)
{
    aio_free(echo_of(base));
}

static const aio_protocol_ops protocol_ops = {
    .size = sizeof(protocol_ops),
    .connection_made = connection_made,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
    .data_received = data_received,
};

static const aio_protocol_ops buffered_ops = {
    .size = sizeof(buffered_ops),
    .connection_made = connection_made,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
};

static aio_protocol *make_protocol(void *arg)
{
    struct echo *echo = aio_calloc(1, sizeof(*echo));

    if (echo == NULL)
        return NULL;
    echo->base.ops = arg;
    return &echo->base;
}

static int start_protocols(const aio_protocol_ops *ops, const struct arguments *arguments,
                           aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    aio_unix_server_options unix_options = AIO_UNIX_SERVER_OPTIONS_INIT;

    if (arguments->path != NULL) {
        unix_options.path = arguments->path;
        unix_options.backlog = BACKLOG;
        unix_options.ssl = arguments->context;
        return aio_loop_create_unix_server(NULL, make_protocol, (void *)(uintptr_t)ops,
                                           &unix_options, ret_server);
    }
    options.host = "127.0.0.1";
    options.port = arguments->port;
    options.backlog = BACKLOG;
    options.ssl = arguments->context;
    return aio_loop_create_server(NULL, make_protocol, (void *)(uintptr_t)ops, &options,
                                  ret_server);
}

/* --- sockets --------------------------------------------------------------------------- */

static int serve_socket(void *arg, void **ret_result)
{
    int sock = (int)(intptr_t)arg;
    char *buffer = aio_malloc(BUFFER);
    size_t size = 0;
    int err = buffer == NULL ? AIO_ENOMEM : 0;

    while (err == 0) {
        err = aio_loop_sock_recv(NULL, sock, buffer, BUFFER, &size);
        if (err < 0 || size == 0)
            break;
        err = aio_loop_sock_sendall(NULL, sock, buffer, size);
    }
    aio_free(buffer);
    close(sock);
    return err == AIO_ECANCELLED ? err : 0;
}

static int listen_at(const struct arguments *arguments)
{
    const char *path = arguments->path;
    struct sockaddr_in by_port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un by_path = {.sun_family = AF_UNIX};
    int sock =
        socket(path == NULL ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    by_port.sin_port = htons((uint16_t)arguments->port);
    if (path != NULL)
        (void)snprintf(by_path.sun_path, sizeof(by_path.sun_path), "%s", path);
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (path == NULL ? bind(sock, (struct sockaddr *)&by_port, sizeof(by_port))
                      : bind(sock, (struct sockaddr *)&by_path, sizeof(by_path))) < 0 ||
        listen(sock, BACKLOG) < 0)
        return aio_raise(-errno, "cannot listen: %s", aio_strerror(-errno));
    return sock;
}

static int serve_sockets(const struct arguments *arguments)
{
    int server = listen_at(arguments);
    int on = 1;

    if (server < 0)
        return server;
    (void)puts("READY");
    (void)fflush(stdout);
    for (;;) {
        int sock = -1;
        int err = aio_loop_sock_accept(NULL, server, NULL, &sock);

        if (err < 0)
            return err;
        (void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        aio_future_unref(aio_create_task(serve_socket, (void *)(intptr_t)sock));
    }
}

/* --- the program ----------------------------------------------------------------------- */

/* A key and a certificate for it, in a file that is gone right after. */
static int make_context(aio_tls_context **ret_context)
{
    char path[] = "/tmp/aioc-echo-XXXXXX";
    const char *const argv[] = {
        "openssl",       "req",     "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
        "/CN=localhost", "-keyout", path,    "-out",    path,       NULL};
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;
    AIO_AUTO(aio_process) process = NULL;
    int fd = mkstemp(path);
    int code = 0;
    int err;

    if (fd < 0)
        return aio_raise(-errno, "%s: %s", path, aio_strerror(-errno));
    close(fd);
    options.std_err = AIO_SUBPROCESS_DEVNULL;
    err = aio_create_subprocess_exec(argv, &options, &process);
    if (err == 0)
        err = aio_process_wait(process, &code);
    if (err == 0 && code != 0)
        err = aio_raise(AIO_ERUNTIME, "openssl ended with %d", code);
    *ret_context = aio_tls_context_new(AIO_TLS_SERVER);
    if (err == 0)
        err = aio_tls_context_load_cert_chain(*ret_context, path, NULL);
    (void)unlink(path);
    return err;
}

static int serve(void *arg, void **ret_result)
{
    struct arguments *arguments = arg;
    AIO_AUTO(aio_server) server = NULL;
    bool by_sockets = strcmp(arguments->mode, "socket") == 0;
    int err = 0;

    (void)ret_result;
    if (arguments->tls)
        err = by_sockets ? aio_raise(AIO_EVALUE, "sockets have no TLS")
                         : make_context(&arguments->context);
    if (err < 0)
        return err;
    if (by_sockets)
        return serve_sockets(arguments);
    if (strcmp(arguments->mode, "stream") == 0)
        err = start_streams(arguments, &server);
    else if (strcmp(arguments->mode, "protocol") == 0)
        err = start_protocols(&protocol_ops, arguments, &server);
    else if (strcmp(arguments->mode, "buffered") == 0)
        err = start_protocols(&buffered_ops, arguments, &server);
    else
        err = aio_raise(AIO_EVALUE, "no such mode: %s", arguments->mode);
    if (err < 0)
        return err;
    (void)puts("READY");
    (void)fflush(stdout);
    return aio_server_serve_forever(server);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.mode = "stream"};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mode") == 0 && i + 1 < argc)
            arguments.mode = argv[++i];
        else if (strcmp(argv[i], "--tls") == 0)
            arguments.tls = true;
        else if (strcmp(argv[i], "--unix") == 0 && i + 1 < argc)
            arguments.path = argv[++i];
        else
            arguments.port = atoi(argv[i]);
    }
    if (arguments.path == NULL && arguments.port <= 0) {
        (void)fprintf(stderr,
                      "usage: %s [--mode stream|protocol|buffered|socket] [--tls] "
                      "PORT | --unix PATH\n",
                      argv[0]);
        return EXIT_FAILURE;
    }
    return aio_main(serve, &arguments);
}
