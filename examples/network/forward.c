/* SPDX-License-Identifier: MIT */
/*
 * forward.c - forward a port to another host
 *
 *     forward PORT HOST HOST-PORT
 *
 * Each connection to PORT on this machine is joined to one to HOST. Bytes go both ways without a
 * copy of our own: they are written out of the buffer they were received to. The end of one
 * direction is passed on as such, and the other goes on; who reads slowly slows the other side.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct program {
    int port;
    const char *host;
    int host_port;
};

/* One direction. */
struct way {
    aio_stream_reader *from;
    aio_stream_writer *to;
};

static int carry(void *arg, void **ret_result)
{
    const struct way *way = arg;
    aio_buffer view;
    int err;

    while ((err = aio_stream_reader_peek(way->from, 1, &view)) == 0 && view.size > 0) {
        err = aio_stream_writer_write(way->to, view.data, view.size);
        if (err == 0)
            err = aio_stream_reader_consume(way->from, view.size);
        if (err == 0)
            err = aio_stream_writer_drain(way->to);
        if (err < 0)
            break;
    }
    return err < 0 ? err : aio_stream_writer_write_eof(way->to);
}

/* Both directions, until both have ended, or one has failed. */
static int join(const struct way *ways)
{
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    if (err < 0)
        return err;
    for (int i = 0; i < 2 && err == 0; i++)
        err = aio_taskgroup_start(group, carry, (void *)(uintptr_t)&ways[i]);
    return aio_taskgroup_exit(group, err);
}

static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    const struct program *program = arg;
    AIO_AUTO(aio_stream_reader) far_reader = NULL;
    AIO_AUTO(aio_stream_writer) far_writer = NULL;
    int err = aio_open_connection(program->host, program->host_port, &far_reader, &far_writer);

    if (err == 0) {
        const struct way ways[] = {{reader, far_writer}, {far_reader, writer}};

        err = join(ways);
        aio_stream_writer_close(far_writer);
    }
    if (err < 0 && err != AIO_ECANCELLED)
        fprintf(stderr, "a connection failed: %s\n", aio_error_text(err));
    aio_stream_writer_close(writer);
    return err == AIO_ECANCELLED ? err : 0;
}

static int serve(void *arg, void **ret_result)
{
    const struct program *program = arg;
    AIO_AUTO(aio_server) server = NULL;
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int sock;
    int err = aio_start_server(serve_client, arg, "127.0.0.1", program->port, &server);

    if (err < 0)
        return err;
    if (aio_server_sockets(server, &sock, 1) > 0)
        (void)getsockname(sock, (struct sockaddr *)&name, &size);
    printf("listening on port %d\n", ntohs(name.sin_port));
    (void)fflush(stdout);
    return aio_server_serve_forever(server);
}

int main(int argc, char **argv)
{
    struct program program;

    if (argc != 4) {
        fprintf(stderr, "usage: forward PORT HOST HOST-PORT\n");
        return 2;
    }
    program = (struct program){atoi(argv[1]), argv[2], atoi(argv[3])};
    return aio_main(serve, &program);
}
