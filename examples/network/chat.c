/* SPDX-License-Identifier: MIT */
/*
 * chat.c - a chat server
 *
 *     chat [-q LENGTH] [HOST] PORT
 *
 * The first line that a client sends is its name; each one after that goes to all the others.
 * Try it with `nc localhost PORT`.
 *
 * Every client has two tasks: one reads its lines, one sends it what others say, out of a queue.
 * So nobody waits for anybody. A client that reads too slowly finds its queue full one day, and
 * is thrown out: the alternatives are to stop the whole room, or to keep what it does not read for
 * ever. LENGTH (100) is how many lines a queue takes.
 */
#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct room {
    const char *host;
    int port;
    long queue_length;
    struct client *first;
};

struct client {
    struct room *room;
    struct client *next;
    char name[32];
    aio_queue *queue; /* of lines to be sent to it */
    aio_stream_reader *reader;
    aio_stream_writer *writer;
    aio_task *sender;
};

/* A line belongs to all the queues it is in. */
struct line {
    unsigned refs;
    size_t size;
    char text[];
};

static void drop_line(void *value)
{
    struct line *line = value;

    if (--line->refs == 0)
        free(line);
}

static const aio_type line_type = {.destroy = drop_line};

static struct line *make_line(const char *name, const char *text, size_t size)
{
    struct line *line = malloc(sizeof(*line) + strlen(name) + size + 3);

    if (line == NULL)
        return NULL;
    line->refs = 1;
    line->size = (size_t)sprintf(line->text, "%s: %.*s", name, (int)size, text);
    return line;
}

/* To everybody but the one who says it. */
static void broadcast(const struct client *from, struct line *line)
{
    for (struct client *client = from->room->first; client != NULL; client = client->next) {
        if (client == from)
            continue;
        line->refs++;
        if (aio_queue_put_nowait(client->queue, line) == 0)
            continue;
        drop_line(line);
        fprintf(stderr, "%s is too slow\n", client->name);
        aio_transport_abort(aio_stream_writer_transport(client->writer));
    }
}

static int say(const struct client *from, const char *text, size_t size)
{
    struct line *line = make_line(from->name, text, size);

    if (line == NULL)
        return AIO_ENOMEM;
    broadcast(from, line);
    drop_line(line);
    return 0;
}

/* The task that sends a client what others say. */
static int send_lines(void *arg, void **ret_result)
{
    struct client *client = arg;
    void *item;
    int err;

    while ((err = aio_queue_get(client->queue, &item)) == 0) {
        struct line *line = item;

        err = aio_stream_writer_write(client->writer, line->text, line->size);
        drop_line(line);
        if (err == 0)
            err = aio_stream_writer_drain(client->writer); /* meanwhile the queue fills */
        if (err < 0)
            break;
    }
    return err;
}

static int read_name(struct client *client)
{
    aio_bytes line;
    int err = aio_stream_reader_readline(client->reader, &line);

    if (err < 0)
        return err;
    if (line.size > 0)
        (void)snprintf(client->name, sizeof(client->name), "%.*s", (int)strcspn(line.data, "\r\n"),
                       line.data);
    aio_bytes_free(&line);
    return 0;
}

static int read_lines(struct client *client)
{
    aio_bytes line;
    int err = say(client, "is here\n", 8);

    while (err == 0 && (err = aio_stream_reader_readline(client->reader, &line)) == 0 &&
           line.size > 0) {
        err = say(client, line.data, line.size);
        aio_bytes_free(&line);
    }
    (void)say(client, "has gone\n", 9);
    return err;
}

static void leave(struct client *client)
{
    struct client **place = &client->room->first;

    while (*place != client)
        place = &(*place)->next;
    *place = client->next;
}

static int stay(struct client *client)
{
    int err;

    client->queue = aio_queue_new(client->room->queue_length);
    if (client->queue == NULL)
        return aio_last_failure();
    aio_queue_set_type(client->queue, &line_type);
    client->sender = aio_create_task(send_lines, client);
    client->next = client->room->first;
    client->room->first = client;
    err = client->sender == NULL ? aio_last_failure() : read_lines(client);
    leave(client);
    if (aio_task_cancel(client->sender, NULL))
        (void)aio_wait(&client->sender, 1, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
    else if (client->sender != NULL)
        (void)aio_future_exception(client->sender, NULL); /* that it is lost we know */
    aio_future_unref(client->sender);
    aio_queue_unref(client->queue);
    return err;
}

/* One client. That it is lost is nothing to report. */
static int serve_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct client client = {.room = arg, .reader = reader, .writer = writer};
    int err = read_name(&client);

    if (err == 0 && client.name[0] != '\0')
        err = stay(&client);
    aio_stream_writer_close(writer);
    return err == AIO_ECANCELLED || err == AIO_ENOMEM ? err : 0;
}

static int serve(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof(name);
    int sock;
    int err = aio_start_server(serve_client, room, room->host, room->port, &server);

    if (err < 0)
        return err;
    if (aio_server_sockets(server, &sock, 1) > 0)
        (void)getsockname(sock, (struct sockaddr *)&name, &size);
    printf("listening on port %d\n", ntohs(((struct sockaddr_in *)&name)->sin_port));
    (void)fflush(stdout);
    return aio_server_serve_forever(server);
}

static int usage(void)
{
    fprintf(stderr, "usage: chat [-q LENGTH] [HOST] PORT\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct room room = {.queue_length = 100};
    int option;

    while ((option = getopt(argc, argv, "q:")) != -1) {
        if (option != 'q')
            return usage();
        room.queue_length = atol(optarg);
    }
    if (optind == argc)
        return usage();
    room.port = atoi(argv[argc - 1]);
    if (optind + 1 < argc)
        room.host = argv[optind];
    return aio_main(serve, &room);
}
