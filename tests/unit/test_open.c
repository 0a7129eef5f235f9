/* SPDX-License-Identifier: MIT */
/*
 * test_open.c - streams by connecting and by serving
 */
#include "support/allocation.h"
#include "support/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int port_of(aio_server *server)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int fd = -1;

    (void)aio_server_sockets(server, &fd, 1);
    (void)getsockname(fd, (struct sockaddr *)&name, &size);
    return ntohs(name.sin_port);
}

/* Say a line and get it back; then hang up, and see the end. */
static int talk(aio_stream_reader *reader, aio_stream_writer *writer)
{
    aio_bytes line;
    bool same;

    TRY(aio_stream_writer_write(writer, "hello\n", 6));
    TRY(aio_stream_writer_drain(writer));
    TRY(aio_stream_reader_readline(reader, &line));
    same = line.size == 6 && memcmp(line.data, "hello\n", 6) == 0;
    aio_bytes_free(&line);
    CHECK(same);
    TRY(aio_stream_writer_write_eof(writer));
    TRY(aio_stream_reader_read(reader, 10, &line));
    CHECK(line.size == 0);
    aio_stream_writer_close(writer);
    return aio_stream_writer_wait_closed(writer);
}

/* A server of streams and a connection to it. */
struct line {
    aio_server *server;
    aio_stream_reader *reader;
    aio_stream_writer *writer;
};

static const char *path_of_ours(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    return path;
}

static int open_by_tcp(struct line *line)
{
    TRY(aio_start_server(room_echo_lines, NULL, "127.0.0.1", 0, &line->server));
    return aio_open_connection("127.0.0.1", port_of(line->server), &line->reader, &line->writer);
}

static int open_by_path(struct line *line)
{
    TRY(aio_start_unix_server(room_echo_lines, NULL, path_of_ours(), &line->server));
    return aio_open_unix_connection(path_of_ours(), &line->reader, &line->writer);
}

/* What is missing was not opened. */
static void drop(struct line *line)
{
    aio_server_close(line->server);
    aio_stream_writer_unref(line->writer);
    aio_stream_reader_unref(line->reader);
    aio_server_unref(line->server);
}

static int open_and_talk(int (*open_line)(struct line *line))
{
    struct line line = {.server = NULL};
    int err = open_line(&line);

    if (err == 0)
        err = talk(line.reader, line.writer);
    aio_server_close(line.server);
    if (err == 0)
        err = aio_server_wait_closed(line.server);
    drop(&line);
    return err;
}

static int talk_by_tcp(void *arg, void **ret_result)
{
    return open_and_talk(open_by_tcp);
}

static void stream_is_opened_and_served_by_tcp(void **state)
{
    room_run(talk_by_tcp);
}

static int talk_by_path(void *arg, void **ret_result)
{
    return open_and_talk(open_by_path);
}

static void stream_is_opened_and_served_by_unix_sockets(void **state)
{
    room_run(talk_by_path);
}

/* Nothing waits for what may be missing. */
static int open_and_close(int (*open_line)(struct line *line))
{
    struct line line = {.server = NULL};
    int err = open_line(&line);

    if (err == 0)
        err = room_turn();
    aio_stream_writer_close(line.writer);
    if (err == 0)
        err = room_turn();
    drop(&line);
    return err;
}

static int open_and_close_by_tcp(void *arg, void **ret_result)
{
    return open_and_close(open_by_tcp);
}

static void stream_opening_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(open_and_close_by_tcp);
}

static int open_and_close_by_path(void *arg, void **ret_result)
{
    int err = open_and_close(open_by_path);

    CHECK(access(path_of_ours(), F_OK) < 0);
    return err;
}

static void stream_opening_by_unix_sockets_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(open_and_close_by_path);
}

/* A file that a process which was killed has left, and nobody listens at. */
static int leave_a_socket(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path_of_ours());
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
    close(fd);
    return 0;
}

static int replace(void *arg, void **ret_result)
{
    aio_stream_reader *reader = NULL;
    aio_stream_writer *writer = NULL;

    TRY(leave_a_socket());
    CHECK_CODE(aio_open_unix_connection(path_of_ours(), &reader, &writer), -ECONNREFUSED);
    TRY(open_and_talk(open_by_path));
    CHECK(access(path_of_ours(), F_OK) < 0);
    return 0;
}

static void stream_server_replaces_a_socket_file_that_was_left(void **state)
{
    room_run(replace);
}

static int leave_alone(void *arg, void **ret_result)
{
    aio_server *server = NULL;
    FILE *file = fopen(path_of_ours(), "w");
    struct stat found;

    CHECK(file != NULL && fputs("precious", file) >= 0 && fclose(file) == 0);
    CHECK_CODE(aio_start_unix_server(room_echo_lines, NULL, path_of_ours(), &server), -EADDRINUSE);
    CHECK(stat(path_of_ours(), &found) == 0 && S_ISREG(found.st_mode) && found.st_size == 8);
    CHECK(unlink(path_of_ours()) == 0);
    return 0;
}

static void stream_server_leaves_a_file_alone_that_is_no_socket(void **state)
{
    room_run(leave_alone);
}

static int refused(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_stream_reader *reader = NULL;
    aio_stream_writer *writer = NULL;
    aio_server *server = NULL;

    CHECK_CODE(aio_open_unix_connection("/not/there", &reader, &writer), -ENOENT);
    CHECK_CODE(aio_open_connection("127.0.0.1", 70000, &reader, &writer), AIO_EARITHMETIC);
    CHECK_CODE(aio_start_server(NULL, room, "127.0.0.1", 0, &server), AIO_EVALUE);
    CHECK_CODE(aio_start_server(room_echo_lines, room, "192.0.2.1", 0, &server), AIO_EOS);
    CHECK(reader == NULL && writer == NULL && server == NULL);
    return 0;
}

static void stream_that_cannot_be_opened_leaves_nothing(void **state)
{
    room_run(refused);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stream_is_opened_and_served_by_tcp),
        TEST(stream_is_opened_and_served_by_unix_sockets),
        TEST(stream_opening_survives_every_shortage_of_memory),
        TEST(stream_opening_by_unix_sockets_survives_every_shortage_of_memory),
        TEST(stream_server_replaces_a_socket_file_that_was_left),
        TEST(stream_server_leaves_a_file_alone_that_is_no_socket),
        TEST(stream_that_cannot_be_opened_leaves_nothing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
