/* SPDX-License-Identifier: MIT */
/*
 * echo_client.c - say some lines to an echo server, and print what comes back
 *
 *     echo_client [-t AUTHORITY] HOST PORT TEXT...
 *     echo_client -u PATH TEXT...
 *
 * With -t it is TLS, and the server's certificate has to be of that authority (a PEM file) and for
 * HOST. The whole conversation may take five seconds.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct program {
    const char *host;
    int port;
    const char *path;      /* NULL: TCP */
    const char *authority; /* NULL: no TLS */
    char **texts;          /* ends with NULL */
};

static int connect_to(const struct program *program, aio_stream_reader **ret_reader,
                      aio_stream_writer **ret_writer)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_tls_context) context = NULL;
    int err = 0;

    if (program->path != NULL)
        return aio_open_unix_connection(program->path, ret_reader, ret_writer);
    if (program->authority != NULL) {
        context = aio_tls_context_new(AIO_TLS_CLIENT);
        if (context == NULL)
            return aio_last_failure();
        err = aio_tls_context_load_verify_locations(context, program->authority, NULL);
    }
    options.host = program->host;
    options.port = program->port;
    options.ssl = context;
    options.happy_eyeballs_delay = 0.25; /* a host may have addresses that do not work */
    return err < 0 ? err : aio_open_connection_with(&options, 0, ret_reader, ret_writer);
}

static int say(const char *text, aio_stream_reader *reader, aio_stream_writer *writer)
{
    const aio_buffer line[] = {{text, strlen(text)}, {"\n", 1}};
    aio_bytes answer;
    int err = aio_stream_writer_writelines(writer, line, 2);

    if (err == 0)
        err = aio_stream_writer_drain(writer);
    if (err == 0)
        err = aio_stream_reader_readline(reader, &answer);
    if (err < 0)
        return err;
    printf("%s", answer.size > 0 ? answer.data : "");
    if (answer.size == 0)
        err = aio_raise(AIO_EEOF, "the server has hung up");
    aio_bytes_free(&answer);
    return err;
}

static int talk(void *arg, void **ret_result)
{
    const struct program *program = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err = connect_to(program, &reader, &writer);

    for (char **text = program->texts; err == 0 && *text != NULL; text++)
        err = say(*text, reader, writer);
    if (writer == NULL)
        return err;
    aio_stream_writer_close(writer);
    return err < 0 ? err : aio_stream_writer_wait_closed(writer);
}

static int run(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) task = aio_create_task(talk, arg);

    return aio_wait_for(task, 5, NULL);
}

static int usage(void)
{
    fprintf(stderr, "usage: echo_client [-t AUTHORITY] HOST PORT TEXT... | -u PATH TEXT...\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct program program = {.port = -1};
    int option;

    while ((option = getopt(argc, argv, "t:u:")) != -1) {
        if (option == 't')
            program.authority = optarg;
        else if (option == 'u')
            program.path = optarg;
        else
            return usage();
    }
    if (program.path == NULL) {
        if (argc - optind < 2)
            return usage();
        program.host = argv[optind++];
        program.port = atoi(argv[optind++]);
    }
    program.texts = argv + optind;
    return aio_main(run, &program);
}
