/* SPDX-License-Identifier: MIT */
/*
 * echo_server.c - send back what comes, by TCP, a unix socket, or TLS
 *
 *     echo_server [-t CERTIFICATE] [HOST] PORT
 *     echo_server -u PATH
 *
 * CERTIFICATE is a PEM file with the key and the certificate. With a PORT of 0 the system chooses
 * one; "listening on" says which. Ctrl-C ends it.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct program {
    const char *host;
    int port;
    const char *path;        /* NULL: TCP */
    const char *certificate; /* NULL: no TLS */
};

/* One client: a task of its own. */
static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes bytes;
    int err;

    while ((err = aio_stream_reader_read(reader, 65536, &bytes)) == 0 && bytes.size > 0) {
        err = aio_stream_writer_write(writer, bytes.data, bytes.size);
        aio_bytes_free(&bytes);
        if (err == 0)
            err = aio_stream_writer_drain(writer); /* not faster than it reads */
        if (err < 0)
            break;
    }
    aio_stream_writer_close(writer);
    return err;
}

static void say_where(const struct program *program, const aio_server *server)
{
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof(name);
    int sock;

    if (program->path != NULL) {
        printf("listening on %s\n", program->path);
    } else if (aio_server_sockets(server, &sock, 1) > 0 &&
               getsockname(sock, (struct sockaddr *)&name, &size) == 0) {
        /* The port is at the same place for IPv4 and IPv6. */
        printf("listening on port %d\n", ntohs(((struct sockaddr_in *)&name)->sin_port));
    }
    (void)fflush(stdout);
}

static int start(const struct program *program, aio_tls_context *context, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    if (program->path != NULL)
        return aio_start_unix_server(serve_client, NULL, program->path, ret_server);
    options.host = program->host;
    options.port = program->port;
    options.ssl = context;
    return aio_start_server_with(serve_client, NULL, &options, 0, ret_server);
}

static int serve(void *arg, void **ret_result)
{
    const struct program *program = arg;
    AIO_AUTO(aio_tls_context) context = NULL;
    AIO_AUTO(aio_server) server = NULL;
    int err = 0;

    if (program->certificate != NULL) {
        context = aio_tls_context_new(AIO_TLS_SERVER);
        if (context == NULL)
            return aio_last_failure();
        err = aio_tls_context_load_cert_chain(context, program->certificate, NULL);
    }
    if (err == 0)
        err = start(program, context, &server);
    if (err < 0)
        return err;
    say_where(program, server);
    return aio_server_serve_forever(server);
}

static int usage(void)
{
    fprintf(stderr, "usage: echo_server [-t CERTIFICATE] [HOST] PORT | -u PATH\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct program program = {.port = -1};
    int option;

    while ((option = getopt(argc, argv, "t:u:")) != -1) {
        if (option == 't')
            program.certificate = optarg;
        else if (option == 'u')
            program.path = optarg;
        else
            return usage();
    }
    if (optind < argc)
        program.port = atoi(argv[argc - 1]);
    if (optind + 1 < argc)
        program.host = argv[optind];
    if ((program.port < 0) == (program.path == NULL))
        return usage();
    return aio_main(serve, &program);
}
