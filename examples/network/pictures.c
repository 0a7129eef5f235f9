/* SPDX-License-Identifier: MIT */
/*
 * pictures.c - three pictures from a slow server, all at once
 *
 *     pictures [-1]
 *
 * The server is in here too: it answers each request after half a second, which is what waiting
 * for a far one is like. Three requests take half a second together, as they all wait at the same
 * time; with -1, one after the other, they take one and a half.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PICTURES = 3, SIZE = 100000 };

/* --- the server ------------------------------------------------------------------------ */

static int send_picture(aio_stream_writer *writer, char first)
{
    static char picture[SIZE];
    char head[128];
    int size = snprintf(head, sizeof(head),
                        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n"
                        "Connection: close\r\n\r\n",
                        SIZE);
    const aio_buffer parts[] = {{head, (size_t)size}, {picture, SIZE}};

    picture[0] = first;
    return aio_stream_writer_writelines(writer, parts, 2);
}

/* One request: read its head, take half a second, answer. */
static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes head;
    int err = aio_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head);

    if (err < 0)
        return err;
    err = aio_sleep(0.5);
    if (err == 0)
        err = send_picture(writer, head.data[strlen("GET /")]);
    aio_bytes_free(&head);
    aio_stream_writer_close(writer);
    return err;
}

/* --- the client ------------------------------------------------------------------------ */

struct download {
    int port;
    int number;
    size_t size; /* of what came */
};

static int read_answer(struct download *download, aio_stream_reader *reader)
{
    aio_bytes head;
    aio_bytes body;
    const char *length;
    int err = aio_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head);

    if (err < 0)
        return err;
    length = strstr(head.data, "Content-Length:");
    download->size = length == NULL ? 0 : strtoul(strchr(length, ':') + 1, NULL, 10);
    aio_bytes_free(&head);
    err = aio_stream_reader_readexactly(reader, download->size, &body);
    if (err < 0)
        return err;
    if (body.size == 0 || body.data[0] != '0' + download->number)
        err = aio_raise(AIO_EVALUE, "another picture came");
    aio_bytes_free(&body);
    return err;
}

static int download(void *arg, void **ret_result)
{
    struct download *download = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char request[64];
    int size = snprintf(request, sizeof(request), "GET /%d.png HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        download->number);
    int err = aio_open_connection("127.0.0.1", download->port, &reader, &writer);

    if (err == 0)
        err = aio_stream_writer_write(writer, request, (size_t)size);
    if (err == 0)
        err = read_answer(download, reader);
    if (err == 0)
        printf("picture %d: %zu bytes\n", download->number, download->size);
    if (writer != NULL)
        aio_stream_writer_close(writer);
    return err;
}

/* All at the same time, or one after the other. */
static int download_all(struct download *downloads, bool one_by_one)
{
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    if (err < 0)
        return err;
    for (int i = 0; i < PICTURES && err == 0; i++)
        err = one_by_one ? download(&downloads[i], NULL)
                         : aio_taskgroup_start(group, download, &downloads[i]);
    return aio_taskgroup_exit(group, err);
}

static int run(void *arg, void **ret_result)
{
    AIO_AUTO(aio_server) server = NULL;
    struct download downloads[PICTURES];
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    double begin;
    int sock = -1;
    int err = aio_start_server(serve_client, NULL, "127.0.0.1", 0, &server);

    if (err < 0)
        return err;
    (void)aio_server_sockets(server, &sock, 1);
    (void)getsockname(sock, (struct sockaddr *)&name, &size);
    for (int i = 0; i < PICTURES; i++)
        downloads[i] = (struct download){.port = ntohs(name.sin_port), .number = i + 1};
    begin = aio_loop_time(aio_get_running_loop());
    err = download_all(downloads, *(bool *)arg);
    if (err == 0)
        printf("%d pictures, half a second each: done in %.1f s\n", PICTURES,
               aio_loop_time(aio_get_running_loop()) - begin);
    return aio_server_exit(server, err);
}

int main(int argc, char **argv)
{
    bool one_by_one = argc == 2 && strcmp(argv[1], "-1") == 0;

    if (argc > 1 && !one_by_one) {
        fprintf(stderr, "usage: pictures [-1]\n");
        return 2;
    }
    return aio_main(run, &one_by_one);
}
