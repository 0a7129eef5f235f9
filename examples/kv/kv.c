/* SPDX-License-Identifier: MIT */
/*
 * kv.c - a server that remembers words
 *
 *     kv [PORT [SECONDS]]
 *
 * Clients send lines: "set KEY VALUE [SECONDS]" and "get KEY". One that sends nothing for SECONDS
 * (60) is sent away. SIGINT and SIGTERM end the server: it listens no more, lets clients have the
 * answer they wait for, and ends with 0.
 */
#include "store.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kv {
    int port; /* 0: any that is free */
    double patience;
    struct store *store;
    aio_event *stop;
};

static void answer(struct kv *kv, char *line, char *ret_text, size_t size)
{
    char *rest = NULL;
    const char *command = strtok_r(line, " \r\n", &rest);
    const char *key = strtok_r(NULL, " \r\n", &rest);
    const char *value = strtok_r(NULL, " \r\n", &rest);
    const char *seconds = strtok_r(NULL, " \r\n", &rest);

    if (command != NULL && strcmp(command, "get") == 0 && key != NULL) {
        const char *found = store_get(kv->store, key);

        (void)snprintf(ret_text, size, "%s\n", found ? found : "?");
    } else if (command != NULL && strcmp(command, "set") == 0 && value != NULL) {
        int err = store_set(kv->store, key, value, seconds ? atof(seconds) : AIO_FOREVER);

        (void)snprintf(ret_text, size, "%s\n", err < 0 ? aio_error_text(err) : "ok");
    } else {
        (void)snprintf(ret_text, size, "set KEY VALUE [SECONDS], or get KEY\n");
    }
}

static int read_line(struct kv *kv, aio_stream_reader *reader, aio_bytes *ret_line)
{
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(kv->patience);
    int err = aio_timeout_enter(timeout);

    if (err < 0)
        return err;
    return aio_timeout_exit(timeout, aio_stream_reader_readline(reader, ret_line));
}

static int serve_lines(struct kv *kv, aio_stream_reader *reader, aio_stream_writer *writer)
{
    aio_bytes line = {NULL, 0};
    char text[256];
    int err;

    while ((err = read_line(kv, reader, &line)) == 0 && line.size > 0) {
        answer(kv, line.data, text, sizeof(text));
        aio_bytes_free(&line);
        err = aio_stream_writer_write(writer, text, strlen(text));
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    return err;
}

static int serve(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    int err = serve_lines(arg, reader, writer);

    aio_stream_writer_close(writer);
    if (aio_error_is(err, AIO_EOS) || aio_error_is(err, AIO_EVALUE))
        return 0; /* too slow, gone, or a line without an end: its own affair */
    return err;
}

static int on_signal(void *arg)
{
    aio_event_set(arg);
    return 0;
}

static int port_of(aio_server *server)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int fd = -1;

    (void)aio_server_sockets(server, &fd, 1);
    (void)getsockname(fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

static int serve_until_told(struct kv *kv)
{
    AIO_AUTO(aio_server) server = NULL;
    int err = aio_start_server(serve, kv, "127.0.0.1", kv->port, &server);

    if (err < 0)
        return err;
    printf("listening on port %d\n", port_of(server));
    (void)fflush(stdout);
    err = aio_event_wait(kv->stop);
    aio_server_close(server);
    aio_server_close_clients(server);
    return err < 0 ? err : aio_server_wait_closed(server);
}

static int async_main(void *arg, void **ret_result)
{
    struct kv *kv = arg;
    aio_loop *loop = aio_get_running_loop();
    int err = aio_loop_add_signal_handler(loop, SIGTERM, on_signal, kv->stop);

    if (err == 0)
        err = aio_loop_add_signal_handler(loop, SIGINT, on_signal, kv->stop);
    if (err < 0)
        return err;
    kv->store = store_new(loop);
    if (kv->store == NULL)
        return AIO_ENOMEM;
    err = serve_until_told(kv);
    store_free(kv->store);
    return err;
}

int main(int argc, char **argv)
{
    AIO_AUTO(aio_event) stop = aio_event_new();
    struct kv kv = {.patience = 60, .stop = stop};

    if (argc > 1)
        kv.port = atoi(argv[1]);
    if (argc > 2)
        kv.patience = atof(argv[2]);
    return aio_main(async_main, &kv);
}
