/* SPDX-License-Identifier: MIT */
/*
 * number.c - number the lines of standard input, as `cat -n` does
 *
 *     number <PIPE
 *
 * A filter that does not block its loop: standard input and output become transports, and streams
 * on them. Who reads slowly stops it, and it stops who writes; so it takes a file's worth of lines
 * in little memory. A line may be as long as the reader's limit. Both have to be pipes, sockets or
 * a terminal; files are always ready, and need no loop.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <unistd.h>

static aio_protocol *make_protocol(void *reader)
{
    return aio_stream_protocol_new(reader, NULL, NULL, false);
}

/* The reader is fed by the pipe from now on. */
static int read_pipe(int pipe, aio_stream_reader *reader)
{
    return aio_loop_connect_read_pipe(NULL, make_protocol, reader, pipe, NULL);
}

/* The protocol of a stream knows when writing has to wait; its reader gets nothing here. */
static int write_pipe(int pipe, aio_stream_reader *nobody, aio_stream_writer **ret_writer)
{
    AIO_AUTO(aio_transport) transport = NULL;
    int err = aio_loop_connect_write_pipe(NULL, make_protocol, nobody, pipe, &transport);

    if (err < 0)
        return err;
    *ret_writer = aio_stream_writer_new(transport, aio_transport_get_protocol(transport), NULL);
    return *ret_writer == NULL ? AIO_ENOMEM : 0;
}

static int number_lines(aio_stream_reader *reader, aio_stream_writer *writer)
{
    unsigned long count = 0;
    char number[32];
    aio_bytes line;
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        int size = snprintf(number, sizeof(number), "%6lu\t", ++count);

        err = aio_stream_writer_write(writer, number, (size_t)size);
        if (err == 0)
            err = aio_stream_writer_write(writer, line.data, line.size);
        aio_bytes_free(&line);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    return err;
}

static int run(void *arg, void **ret_result)
{
    AIO_AUTO(aio_stream_reader) reader = aio_stream_reader_new(NULL, AIO_STREAM_LIMIT);
    AIO_AUTO(aio_stream_reader) nobody = aio_stream_reader_new(NULL, AIO_STREAM_LIMIT);
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err = write_pipe(STDOUT_FILENO, nobody, &writer);

    if (err == 0)
        err = read_pipe(STDIN_FILENO, reader);
    if (err == 0)
        err = number_lines(reader, writer);
    if (writer != NULL)
        aio_stream_writer_close(writer);
    return err < 0 ? err : aio_stream_writer_wait_closed(writer);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc != 1) {
        fprintf(stderr, "usage: number <PIPE\n");
        return 2;
    }
    return aio_main(run, NULL);
}
