/* SPDX-License-Identifier: MIT */
/*
 * test_open.c - streams by connecting and by serving, with Python's asyncio on the other side too
 */
#include "support/allocation.h"
#include "support/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t through; /* clients that were served to their end */

static int echo_lines(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct room *room = arg;
    aio_bytes line = {0};
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        err = aio_stream_writer_write(writer, line.data, line.size);
        aio_bytes_free(&line);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    aio_bytes_free(&line);
    aio_stream_writer_close(writer);
    through++;
    aio_event_set(room->news);
    return err;
}

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

static int by_tcp(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err;

    TRY(aio_start_server(echo_lines, room, "127.0.0.1", 0, &server));
    TRY(aio_open_connection("127.0.0.1", port_of(server), &reader, &writer));
    err = talk(reader, writer);
    aio_server_close(server);
    TRY(err);
    return aio_server_wait_closed(server);
}

static void stream_is_opened_and_served_by_tcp(void **state)
{
    room_run(by_tcp);
}

static int by_path(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char path[64];
    int err;

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    TRY(aio_start_unix_server(echo_lines, room, path, &server));
    TRY(aio_open_unix_connection(path, &reader, &writer));
    err = talk(reader, writer);
    aio_server_close(server);
    TRY(err);
    return aio_server_wait_closed(server);
}

static void stream_is_opened_and_served_by_unix_sockets(void **state)
{
    room_run(by_path);
}

/* Nothing waits for what may be missing. */
static int open_and_close(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err;

    TRY(aio_start_server(echo_lines, room, "127.0.0.1", 0, &server));
    err = aio_open_connection("127.0.0.1", port_of(server), &reader, &writer);
    if (err == 0)
        err = room_turn();
    aio_stream_writer_close(writer);
    if (err == 0)
        err = room_turn();
    aio_server_close(server);
    return err;
}

static void stream_opening_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(open_and_close);
}

static int open_and_close_by_path(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char path[64];
    int err;

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    TRY(aio_start_unix_server(echo_lines, room, path, &server));
    err = aio_open_unix_connection(path, &reader, &writer);
    if (err == 0)
        err = room_turn();
    aio_stream_writer_close(writer);
    if (err == 0)
        err = room_turn();
    aio_server_close(server);
    CHECK(access(path, F_OK) < 0);
    return err;
}

static void stream_opening_by_unix_sockets_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(open_and_close_by_path);
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
    CHECK_CODE(aio_start_server(echo_lines, room, "192.0.2.1", 0, &server), AIO_EOS);
    CHECK(reader == NULL && writer == NULL && server == NULL);
    return 0;
}

static void stream_that_cannot_be_opened_leaves_nothing(void **state)
{
    room_run(refused);
}

/* --- the other side is Python ----------------------------------------------------------- */

/* Start python3 on a script; its standard output is *ret_out. */
static pid_t start_python(const char *script, const char *argument, int *ret_out)
{
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    child = fork();
    if (child == 0) {
        (void)dup2(fds[1], 1);
        (void)execlp("python3", "python3", "-c", script, argument, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    *ret_out = fds[0];
    return child;
}

static const char client_script[] =
    "import asyncio, sys\n"
    "async def main():\n"
    "    r, w = await asyncio.open_connection('127.0.0.1', int(sys.argv[1]))\n"
    "    data = bytes(range(1, 10)) * 100000\n"
    "    async def send():\n"
    "        w.write(data + b'\\n'); await w.drain(); w.write(b'end\\n'); w.write_eof()\n"
    "    t = asyncio.ensure_future(send())\n"
    "    got = await r.read(); await t\n"
    "    w.close(); await w.wait_closed()\n"
    "    assert got == data + b'\\nend\\n', len(got)\n"
    "asyncio.run(main())\n";

/* Everything back as it comes. */
static int echo_bytes(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct room *room = arg;
    char data[8192];
    size_t size;
    int err;

    while ((err = aio_stream_reader_read_into(reader, data, sizeof(data), &size)) == 0 &&
           size > 0) {
        err = aio_stream_writer_write(writer, data, size);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    aio_stream_writer_close(writer);
    through++;
    aio_event_set(room->news);
    return err;
}

static bool one_is_through(const struct room *room)
{
    (void)room;
    return through == 1;
}

static int serve_python(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    char port[16];
    pid_t child;
    int status;
    int err;

    through = 0;
    TRY(aio_start_server(echo_bytes, room, "127.0.0.1", 0, &server));
    (void)snprintf(port, sizeof(port), "%d", port_of(server));
    child = start_python(client_script, port, &room->fds[0]);
    CHECK(child > 0);
    err = room_wait(room, one_is_through);
    aio_server_close(server);
    if (err == 0)
        err = aio_server_wait_closed(server);
    TRY(err);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

static void stream_serves_asyncio(void **state)
{
    room_run(serve_python);
}

static const char server_script[] = "import asyncio\n"
                                    "async def echo(r, w):\n"
                                    "    while data := await r.read(1000):\n"
                                    "        w.write(data); await w.drain()\n"
                                    "    w.close()\n"
                                    "    done.set()\n"
                                    "async def main():\n"
                                    "    global done\n"
                                    "    done = asyncio.Event()\n"
                                    "    s = await asyncio.start_server(echo, '127.0.0.1', 0)\n"
                                    "    print(s.sockets[0].getsockname()[1], flush=True)\n"
                                    "    await done.wait()\n"
                                    "asyncio.run(main())\n";

static int ask_python(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char port[16] = "";
    pid_t child = start_python(server_script, "", &room->fds[0]);
    int status;

    CHECK(child > 0);
    CHECK(read(room->fds[0], port, sizeof(port) - 1) > 0);
    TRY(aio_open_connection("127.0.0.1", atoi(port), &reader, &writer));
    TRY(talk(reader, writer));
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

static void stream_talks_to_a_server_of_asyncio(void **state)
{
    room_run(ask_python);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stream_is_opened_and_served_by_tcp),
        TEST(stream_is_opened_and_served_by_unix_sockets),
        TEST(stream_opening_survives_every_shortage_of_memory),
        TEST(stream_opening_by_unix_sockets_survives_every_shortage_of_memory),
        TEST(stream_that_cannot_be_opened_leaves_nothing),
        TEST(stream_serves_asyncio),
        TEST(stream_talks_to_a_server_of_asyncio),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
