/* SPDX-License-Identifier: MIT */
/*
 * gate.c - a way to a real server that can be cut in the middle of an answer, or stall there
 */
#include "support/gate.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Bytes from one side to the other. */
struct way {
    struct gate *gate;
    aio_stream_reader *from;
    aio_stream_writer *to;
    bool answers; /* of the server: counted */
};

/* How many of the bytes pass. */
static size_t let_through(struct way *way, size_t size)
{
    struct gate *gate = way->gate;
    size_t left = gate->after > gate->passed ? gate->after - gate->passed : 0;

    if (!way->answers || gate->mode == GATE_OPEN || size <= left) {
        gate->passed += way->answers ? size : 0;
        return size;
    }
    gate->passed += left;
    return left;
}

static int pump(void *arg, void **ret_result)
{
    struct way *way = arg;
    char data[4096];
    size_t size;
    size_t passed;
    int err;

    (void)ret_result;
    while ((err = aio_stream_reader_read_into(way->from, data, sizeof(data), &size)) == 0 &&
           size > 0) {
        passed = let_through(way, size);
        if (passed > 0)
            err = aio_stream_writer_write(way->to, data, passed);
        if (err == 0)
            err = aio_stream_writer_drain(way->to);
        if (err == 0 && passed < size)
            return way->gate->mode == GATE_CUT ? -ECONNRESET : 0;
        if (err < 0)
            break;
    }
    return err < 0 ? err : -ECONNRESET; /* the end of one side is that of both */
}

/* Until one side ends: a way that stalls has not. */
static void pump_both(struct way *up, struct way *down)
{
    aio_task *tasks[2] = {aio_create_task(pump, up), aio_create_task(pump, down)};

    (void)aio_wait(tasks, 2, AIO_FOREVER, AIO_FIRST_EXCEPTION, NULL);
    for (int i = 0; i < 2; i++) {
        (void)aio_future_cancel(tasks[i], NULL);
        (void)aio_await(tasks[i], NULL);
        aio_future_unref(tasks[i]);
    }
}

static int serve(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct gate *gate = arg;
    aio_stream_reader *other_reader = NULL;
    aio_stream_writer *other_writer = NULL;
    struct way up = {.gate = gate, .from = reader};
    struct way down = {.gate = gate, .to = writer, .answers = true};

    gate->connections++;
    if (aio_open_connection(gate->host, gate->target, &other_reader, &other_writer) == 0) {
        up.to = other_writer;
        down.from = other_reader;
        pump_both(&up, &down);
        aio_transport_abort(aio_stream_writer_transport(other_writer));
    }
    aio_transport_abort(aio_stream_writer_transport(writer));
    aio_stream_reader_unref(other_reader);
    aio_stream_writer_unref(other_writer);
    return 0;
}

int gate_open(struct gate *gate, const char *host, int port)
{
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    int fd = -1;
    int err;

    *gate = (struct gate){.host = host, .target = port};
    err = aio_start_server(serve, gate, "127.0.0.1", 0, &gate->server);
    if (err < 0)
        return err;
    if (aio_server_sockets(gate->server, &fd, 1) != 1 ||
        getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return aio_raise(AIO_EASSERTION, "the gate does not listen");
    gate->port = ntohs(name.sin_port);
    return 0;
}

void gate_set(struct gate *gate, enum gate_mode mode, size_t after)
{
    gate->mode = mode;
    gate->after = after;
    gate->passed = 0;
}

int gate_close(struct gate *gate)
{
    int err;

    if (gate->server == NULL)
        return 0;
    aio_server_close(gate->server);
    aio_server_abort_clients(gate->server);
    err = aio_server_wait_closed(gate->server);
    /* The tasks of its clients end a little later. */
    for (int i = 0; i < 10 && err == 0; i++)
        err = aio_sleep(0);
    aio_server_unref(gate->server);
    gate->server = NULL;
    return err;
}
