/* SPDX-License-Identifier: MIT */
/*
 * tls_echo.c - a server that sends every line back, over TLS, and a client for it
 *
 *     tls_echo server CERTIFICATE [PORT]
 *     tls_echo client HOST PORT [AUTHORITY]
 *
 * CERTIFICATE is a PEM file with the certificate and its key. The server prints its port, and ends
 * with Ctrl-C. The client sends the lines of its standard input, and prints what comes back; it trusts
 * the system's authorities, or those in the file AUTHORITY. To try it:
 *
 *     openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 7 \
 *         -subj /CN=localhost -addext subjectAltName=DNS:localhost
 *     cat cert.pem key.pem >both.pem
 *     tls_echo server both.pem 8443 &
 *     tls_echo client localhost 8443 cert.pem
 */
#include <aio/aio.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct arguments {
    const char *certificate; /* of the server */
    const char *host;
    const char *authority; /* NULL: the system's */
    int port;
};

/* --- the server ------------------------------------------------------------------------- */

static int echo(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes line = {0};
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        err = aio_stream_writer_write(writer, line.data, line.size);
        aio_bytes_free(&line);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    aio_stream_writer_close(writer);
    return err;
}

static void print_port(const aio_server *server)
{
    struct sockaddr_in6 name = {0}; /* the port stands where that of IPv4 does */
    socklen_t size = sizeof(name);
    int fd = -1;

    (void)aio_server_sockets(server, &fd, 1);
    (void)getsockname(fd, (struct sockaddr *)&name, &size);
    printf("listening on port %d\n", ntohs(name.sin6_port));
    (void)fflush(stdout);
}

static int serve(void *arg, void **ret_result)
{
    const struct arguments *arguments = arg;
    AIO_AUTO(aio_tls_context) context = aio_tls_context_new(AIO_TLS_SERVER);
    AIO_AUTO(aio_server) server = NULL;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    int err;

    if (context == NULL)
        return aio_last_failure();
    err = aio_tls_context_load_cert_chain(context, arguments->certificate, NULL);
    if (err < 0)
        return err;
    options.host = "localhost";
    options.port = arguments->port;
    options.ssl = context;
    err = aio_start_server_with(echo, NULL, &options, 0, &server);
    if (err < 0)
        return err;
    print_port(server);
    return aio_server_serve_forever(server);
}

/* --- the client ------------------------------------------------------------------------- */

/* A context that trusts a file, or NULL. */
static aio_tls_context *trust(const char *authority)
{
    aio_tls_context *context = aio_tls_context_new(AIO_TLS_CLIENT);

    if (context != NULL && aio_tls_context_load_verify_locations(context, authority, NULL) < 0) {
        aio_tls_context_unref(context);
        return NULL;
    }
    return context;
}

static int say_lines(aio_stream_reader *reader, aio_stream_writer *writer)
{
    char line[1000];
    int err = 0;

    while (err == 0 && fgets(line, sizeof(line), stdin) != NULL) {
        aio_bytes answer = {0};

        err = aio_stream_writer_write(writer, line, strlen(line));
        if (err == 0)
            err = aio_stream_reader_readline(reader, &answer);
        if (err == 0)
            printf("%.*s", (int)answer.size, answer.data);
        aio_bytes_free(&answer);
    }
    return err;
}

static int ask(void *arg, void **ret_result)
{
    const struct arguments *arguments = arg;
    AIO_AUTO(aio_tls_context) own = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    const aio_tls_cipher *cipher;
    int err;

    options.host = arguments->host;
    options.port = arguments->port;
    options.ssl = aio_tls_context_default();
    if (arguments->authority != NULL)
        options.ssl = own = trust(arguments->authority);
    if (options.ssl == NULL) /* which would mean: in the clear */
        return aio_raise(AIO_EVALUE, "%s holds no authority", arguments->authority);
    err = aio_open_connection_with(&options, 0, &reader, &writer);
    if (err < 0)
        return err;
    cipher = aio_stream_writer_get_extra_info(writer, "cipher");
    if (cipher != NULL)
        (void)fprintf(stderr, "%s, %s\n", cipher->version, cipher->name);
    err = say_lines(reader, writer);
    aio_stream_writer_close(writer);
    return err < 0 ? err : aio_stream_writer_wait_closed(writer);
}

/* --- main ------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    aio_coro_fn program = NULL;
    int err;

    if ((argc == 3 || argc == 4) && strcmp(argv[1], "server") == 0) {
        program = serve;
        arguments.certificate = argv[2];
        arguments.port = argc == 4 ? atoi(argv[3]) : 0;
    } else if ((argc == 4 || argc == 5) && strcmp(argv[1], "client") == 0) {
        program = ask;
        arguments.host = argv[2];
        arguments.port = atoi(argv[3]);
        arguments.authority = argv[4]; /* which is NULL behind the last one */
    } else {
        (void)fprintf(stderr, "usage: tls_echo server CERTIFICATE [PORT]\n"
                              "       tls_echo client HOST PORT [AUTHORITY]\n");
        return 2;
    }
    err = aio_run(program, &arguments, NULL);
    if (err < 0 && err != AIO_EKEYBOARDINTERRUPT)
        (void)fprintf(stderr, "tls_echo: %s: %s\n", aio_error_name(err), aio_error_text(err));
    return err < 0;
}
