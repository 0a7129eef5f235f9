/* SPDX-License-Identifier: MIT */
/*
 * uv_echo.c - the echo server in bare libuv callbacks
 *
 *     baseline_uv_echo PORT | --unix PATH
 *
 * What a program that uses libuv by hand would write, at its cheapest: one buffer for all reads,
 * uv_try_write() at once, and a copy and a request only for what the socket does not take; then it
 * stops reading until that is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { BACKLOG = 4096, BUFFER = 64 * 1024 };

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct rest {
    uv_write_t request; /* first */
    char data[];
};

static char buffer[BUFFER];

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *ret_buffer)
{
    (void)handle;
    (void)hint;
    *ret_buffer = uv_buf_init(buffer, BUFFER);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data);

static void on_written(uv_write_t *request, int status)
{
    uv_stream_t *stream = request->handle;

    free(request);
    if (status == 0)
        (void)uv_read_start(stream, on_alloc, on_read);
}

static void write_rest(uv_stream_t *stream, const char *data, size_t size)
{
    struct rest *rest = malloc(sizeof(*rest) + size);
    uv_buf_t piece;

    if (rest == NULL)
        abort();
    memcpy(rest->data, data, size);
    piece = uv_buf_init(rest->data, (unsigned)size);
    (void)uv_read_stop(stream);
    (void)uv_write(&rest->request, stream, &piece, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    uv_buf_t piece;
    int sent;

    if (size < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    if (size == 0)
        return;
    piece = uv_buf_init(data->base, (unsigned)size);
    sent = uv_try_write(stream, &piece, 1);
    if (sent < 0)
        sent = 0;
    if (sent < size)
        write_rest(stream, data->base + sent, (size_t)(size - sent));
}

static void on_connection(uv_stream_t *server, int status)
{
    union stream *client = malloc(sizeof(*client));

    if (status < 0 || client == NULL) {
        free(client);
        return;
    }
    if (server->type == UV_TCP)
        (void)uv_tcp_init(server->loop, &client->tcp);
    else
        (void)uv_pipe_init(server->loop, &client->pipe, 0);
    if (uv_accept(server, &client->stream) != 0) {
        uv_close(&client->handle, on_closed);
        return;
    }
    if (server->type == UV_TCP)
        (void)uv_tcp_nodelay(&client->tcp, 1);
    (void)uv_read_start(&client->stream, on_alloc, on_read);
}

static int listen_at(uv_loop_t *loop, union stream *server, int argc, char **argv)
{
    struct sockaddr_in name;
    int err;

    if (argc == 3 && strcmp(argv[1], "--unix") == 0) {
        (void)remove(argv[2]);
        (void)uv_pipe_init(loop, &server->pipe, 0);
        err = uv_pipe_bind(&server->pipe, argv[2]);
    } else {
        (void)uv_tcp_init(loop, &server->tcp);
        (void)uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, &name);
        err = uv_tcp_bind(&server->tcp, (const struct sockaddr *)&name, 0);
    }
    return err < 0 ? err : uv_listen(&server->stream, BACKLOG, on_connection);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    union stream server;
    int err = listen_at(loop, &server, argc, argv);

    if (err < 0) {
        (void)fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(err));
        return EXIT_FAILURE;
    }
    (void)puts("READY");
    (void)fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
