/* SPDX-License-Identifier: MIT */
/*
 * stream.c - what is a message by streams, and a line out of a buffer?
 *
 *   stream_1k     1 KiB to another task, which sends it back, through a pair of unix sockets
 *   readline_64   a line of 64 bytes that a reader has already
 *
 * Not measured: more than one message on its way (see bench/echo_load.c), and the other ways to
 * read.
 */
#include "micro.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { MESSAGE = 1024, LINE = 64, LINES = 512 };

struct end {
    aio_stream_reader *reader;
    aio_stream_writer *writer;
};

static int open_end(int fd, struct end *end)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.sock = fd;
    return aio_open_connection_with(&options, AIO_STREAM_LIMIT, &end->reader, &end->writer);
}

static void close_end(struct end *end)
{
    aio_stream_writer_close(end->writer);
    aio_stream_writer_unref(end->writer);
    aio_stream_reader_unref(end->reader);
}

static int send_back(void *arg, void **ret_result)
{
    struct end *end = arg;
    aio_buffer view;
    int err;

    for (;;) {
        err = aio_stream_reader_peek(end->reader, MESSAGE, &view);
        if (err < 0 || view.size == 0)
            return err;
        err = aio_stream_writer_write(end->writer, view.data, view.size);
        if (err == 0)
            err = aio_stream_reader_consume(end->reader, view.size);
        if (err == 0)
            err = aio_stream_writer_drain(end->writer);
        if (err < 0)
            return err;
    }
}

static int send_to_and_fro(struct end *end, struct bench_clock *clock, uint64_t count)
{
    char message[MESSAGE];
    char answer[MESSAGE];
    int err = 0;

    memset(message, 'x', sizeof(message));
    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++) {
        memcpy(message, &i, sizeof(i));
        err = aio_stream_writer_write(end->writer, message, sizeof(message));
        if (err == 0)
            err = aio_stream_writer_drain(end->writer);
        if (err == 0)
            err = aio_stream_reader_readexactly_into(end->reader, answer, sizeof(answer));
        bench_check(err < 0 || memcmp(message, answer, sizeof(answer)) == 0,
                    "what came back is not what was sent");
    }
    bench_stop(clock);
    return err;
}

static int run_stream_1k(struct bench_clock *clock, uint64_t count)
{
    struct end ends[2] = {0};
    aio_task *task;
    int fds[2];
    int err;
    int code;

    bench_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "no socket pair");
    err = open_end(fds[0], &ends[0]);
    if (err == 0)
        err = open_end(fds[1], &ends[1]);
    bench_check(err == 0, "no streams over a socket pair");
    task = aio_create_task(send_back, &ends[1]);
    err = send_to_and_fro(&ends[0], clock, count);
    close_end(&ends[0]);
    code = aio_await(task, NULL);
    aio_future_unref(task);
    close_end(&ends[1]);
    return err < 0 ? err : code;
}

static int run_readline_64(struct bench_clock *clock, uint64_t count)
{
    aio_stream_reader *reader = aio_stream_reader_new(NULL, AIO_STREAM_LIMIT);
    char lines[LINES][LINE];
    uint64_t left = count;
    int err = reader == NULL ? AIO_ENOMEM : 0;

    memset(lines, 'x', sizeof(lines));
    for (int i = 0; i < LINES; i++)
        lines[i][LINE - 1] = '\n';
    bench_start(clock);
    while (left > 0 && err == 0) {
        uint64_t now = left < LINES ? left : LINES;

        err = aio_stream_reader_feed_data(reader, lines, now * LINE);
        for (left -= now; now > 0 && err == 0; now--) {
            aio_bytes line;

            err = aio_stream_reader_readline(reader, &line);
            if (err < 0)
                break;
            bench_check(line.size == LINE, "a line did not come whole");
            aio_bytes_free(&line);
        }
    }
    bench_stop(clock);
    aio_stream_reader_unref(reader);
    return err;
}

const struct bench bench_stream[] = {
    {.name = "stream_1k", .run = run_stream_1k, .batch = 1},
    {.name = "readline_64", .run = run_readline_64, .batch = LINES},
    {.name = NULL},
};
