/* SPDX-License-Identifier: MIT */
/*
 * workers.c - a server on several cores
 *
 *     workers [-n COUNT] PORT
 *
 * Answers each line with the number of the worker that got it. Ctrl-C and SIGTERM stop all workers
 * when their clients have gone, or 3 s later.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes line;
    char answer[32];
    int size = snprintf(answer, sizeof(answer), "worker %u\n", aio_worker_index(arg));
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        aio_bytes_free(&line);
        err = aio_stream_writer_write(writer, answer, (size_t)size);
        if (err < 0)
            break;
    }
    aio_stream_writer_close(writer);
    return err;
}

/* What each worker does: in a thread and on a loop of its own. */
static int work(aio_worker *worker, void *arg)
{
    AIO_AUTO(aio_server) server = NULL;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    int err;

    options.sock = aio_worker_take_socket(worker);
    err = aio_start_server_with(serve_client, worker, &options, 0, &server);
    if (err == 0)
        return aio_server_serve_forever(server);
    close(options.sock); /* still ours */
    return err;
}

static void say_where(int port, void *arg)
{
    printf("listening on port %d\n", port);
    (void)fflush(stdout);
}

static int run(void *arg, void **ret_result)
{
    return aio_run_workers(work, NULL, arg);
}

static int usage(void)
{
    fprintf(stderr, "usage: workers [-n COUNT] PORT\n");
    return 2;
}

int main(int argc, char **argv)
{
    aio_workers_options options = AIO_WORKERS_OPTIONS_INIT;
    int option;

    while ((option = getopt(argc, argv, "n:")) != -1) {
        if (option != 'n')
            return usage();
        options.count = (unsigned)atoi(optarg);
    }
    if (optind + 1 != argc)
        return usage();
    options.port = atoi(argv[optind]);
    options.grace = 3;
    options.started = say_where;
    return aio_main(run, &options);
}
