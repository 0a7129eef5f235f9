/* SPDX-License-Identifier: MIT */
/*
 * test_interop.c - streams with Python's asyncio on the other side
 *
 * Skipped where there is no Python with asyncio.
 */
#include "support/allocation.h"
#include "support/python.h"
#include "support/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 1024 * 1024 };

static char much[MUCH];

/* --- our client ------------------------------------------------------------------------ */

#define ECHO_ONCE                                                                                  \
    "async def serve(reader, writer):\n"                                                           \
    "    data = await reader.read()\n" /* up to the end of one direction */                        \
    "    writer.write(data[::-1])\n"                                                               \
    "    await writer.drain()\n"                                                                   \
    "    writer.close()\n"                                                                         \
    "    await writer.wait_closed()\n"                                                             \
    "    done.set_result(data == much)\n"

static const char tcp_server[] =
    PYTHON ECHO_ONCE "async def main():\n"
                     "    global done\n"
                     "    done = asyncio.get_running_loop().create_future()\n"
                     "    server = await asyncio.start_server(serve, '127.0.0.1', 0)\n"
                     "    print(server.sockets[0].getsockname()[1], flush=True)\n"
                     "    sys.exit(0 if await done else 1)\n"
                     "asyncio.run(main())\n";

static const char unix_server[] =
    PYTHON ECHO_ONCE "async def main():\n"
                     "    global done\n"
                     "    done = asyncio.get_running_loop().create_future()\n"
                     "    server = await asyncio.start_unix_server(serve, sys.argv[1])\n"
                     "    print(1, flush=True)\n"
                     "    sys.exit(0 if await done else 1)\n"
                     "asyncio.run(main())\n";

/* Send much and its end, and get it back from its last byte to its first. */
static int send_and_turn(aio_stream_reader *reader, aio_stream_writer *writer)
{
    aio_bytes bytes;
    bool same = true;

    TRY(aio_stream_writer_write(writer, much, MUCH));
    TRY(aio_stream_writer_drain(writer));
    TRY(aio_stream_writer_write_eof(writer));
    TRY(aio_stream_reader_read(reader, -1, &bytes));
    for (size_t i = 0; i < MUCH && bytes.size == MUCH; i++)
        same &= bytes.data[i] == much[MUCH - 1 - i];
    same &= bytes.size == MUCH;
    aio_bytes_free(&bytes);
    CHECK(same);
    aio_stream_writer_close(writer);
    return aio_stream_writer_wait_closed(writer);
}

static int talk_by_tcp(void *arg, void **ret_result)
{
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_process *process;
    int port;

    TRY(python_run(tcp_server, "", &process));
    TRY(python_read_number(process, &port));
    TRY(aio_open_connection("127.0.0.1", port, &reader, &writer));
    TRY(send_and_turn(reader, writer));
    return python_expect_success(process);
}

static void streams_talk_to_a_python_server_and_half_close(void **state)
{
    room_run(talk_by_tcp);
}

static int talk_by_path(void *arg, void **ret_result)
{
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char path[] = "/tmp/aioc-interop-XXXXXX";
    aio_process *process;
    int port;

    close(mkstemp(path));
    (void)unlink(path);
    TRY(python_run(unix_server, path, &process));
    TRY(python_read_number(process, &port));
    TRY(aio_open_unix_connection(path, &reader, &writer));
    TRY(send_and_turn(reader, writer));
    (void)unlink(path);
    return python_expect_success(process);
}

static void streams_talk_to_a_python_server_by_a_unix_socket(void **state)
{
    room_run(talk_by_path);
}

/* Answers a line at a time, with its characters in reverse. */
static const char line_server[] =
    PYTHON "async def serve(reader, writer):\n"
           "    while line := await reader.readline():\n"
           "        writer.write(line[-2::-1] + b'\\n')\n"
           "        await writer.drain()\n"
           "    writer.close()\n"
           "    done.set()\n"
           "async def main():\n"
           "    global done\n"
           "    done = asyncio.Event()\n"
           "    server = await asyncio.start_server(serve, '127.0.0.1', 0)\n"
           "    print(server.sockets[0].getsockname()[1], flush=True)\n"
           "    await done.wait()\n"
           "asyncio.run(main())\n";

static int talk_by_lines(void *arg, void **ret_result)
{
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_process *process;
    aio_bytes line;
    int port;

    TRY(python_run(line_server, "", &process));
    TRY(python_read_number(process, &port));
    TRY(aio_open_connection("127.0.0.1", port, &reader, &writer));
    for (int i = 0; i < 100; i++) {
        TRY(aio_stream_writer_write(writer, "hello\n", 6));
        TRY(aio_stream_reader_readline(reader, &line));
        CHECK(line.size == 6 && memcmp(line.data, "olleh\n", 6) == 0);
        aio_bytes_free(&line);
    }
    TRY(aio_stream_writer_write_eof(writer));
    TRY(aio_stream_reader_read(reader, 10, &line));
    CHECK(line.size == 0);
    aio_stream_writer_close(writer);
    TRY(aio_stream_writer_wait_closed(writer));
    return python_expect_success(process);
}

static void streams_talk_by_lines_to_a_python_server(void **state)
{
    room_run(talk_by_lines);
}

/* --- our server ------------------------------------------------------------------------ */

static const char tcp_client[] =
    PYTHON "async def main():\n"
           "    reader, writer = await asyncio.open_connection('127.0.0.1', int(sys.argv[1]))\n"
           "    writer.write(b'a line\\n')\n"
           "    if await reader.readline() != b'a line\\n': sys.exit(1)\n"
           "    writer.write(much)\n"
           "    writer.write_eof()\n"
           "    back = await reader.read()\n"
           "    writer.close()\n"
           "    await writer.wait_closed()\n"
           "    sys.exit(0 if back == much else 1)\n"
           "asyncio.run(main())\n";

/* Reads while it writes: each side slows the other. */
static const char client_of_both_ways[] =
    PYTHON "async def main():\n"
           "    reader, writer = await asyncio.open_connection('127.0.0.1', int(sys.argv[1]))\n"
           "    async def send():\n"
           "        for _ in range(4):\n"
           "            writer.write(much)\n"
           "            await writer.drain()\n"
           "        writer.write_eof()\n"
           "    task = asyncio.ensure_future(send())\n"
           "    back = await reader.read()\n"
           "    await task\n"
           "    writer.close()\n"
           "    await writer.wait_closed()\n"
           "    sys.exit(0 if back == much * 4 else 1)\n"
           "asyncio.run(main())\n";

static const char resetting_client[] =
    PYTHON "import socket, struct\n"
           "sock = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
           "sock.sendall(b'x')\n"
           "sock.recv(1)\n"
           "sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
           "sock.close()\n";

static int last_code;

static int echo(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes bytes;
    int err;

    while ((err = aio_stream_reader_read(reader, 10000, &bytes)) == 0 && bytes.size > 0) {
        err = aio_stream_writer_write(writer, bytes.data, bytes.size);
        aio_bytes_free(&bytes);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    aio_stream_writer_close(writer);
    last_code = err;
    return 0;
}

static int serve_python(const char *program)
{
    AIO_AUTO(aio_server) server = NULL;
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    aio_process *process;
    char port[8];
    int sock;

    TRY(aio_start_server(echo, NULL, "127.0.0.1", 0, &server));
    CHECK(aio_server_sockets(server, &sock, 1) == 1);
    CHECK(getsockname(sock, (struct sockaddr *)&name, &size) == 0);
    (void)snprintf(port, sizeof(port), "%d", ntohs(name.sin_port));
    TRY(python_run(program, port, &process));
    TRY(python_expect_success(process));
    aio_server_close(server);
    return aio_server_wait_closed(server);
}

static int serve_a_client(void *arg, void **ret_result)
{
    TRY(serve_python(tcp_client));
    CHECK(last_code == 0);
    return 0;
}

static void streams_serve_a_python_client_that_half_closes(void **state)
{
    room_run(serve_a_client);
}

static int serve_both_ways(void *arg, void **ret_result)
{
    TRY(serve_python(client_of_both_ways));
    CHECK(last_code == 0);
    return 0;
}

static void streams_serve_a_python_client_that_reads_while_it_writes(void **state)
{
    room_run(serve_both_ways);
}

static int serve_a_resetting_client(void *arg, void **ret_result)
{
    TRY(serve_python(resetting_client));
    CHECK(last_code == -ECONNRESET);
    return 0;
}

static void streams_survive_a_python_client_that_resets(void **state)
{
    room_run(serve_a_resetting_client);
}

/* --------------------------------------------------------------------------------------- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_talk_to_a_python_server_and_half_close),
        TEST(streams_talk_to_a_python_server_by_a_unix_socket),
        TEST(streams_talk_by_lines_to_a_python_server),
        TEST(streams_serve_a_python_client_that_half_closes),
        TEST(streams_serve_a_python_client_that_reads_while_it_writes),
        TEST(streams_survive_a_python_client_that_resets),
    };

    room_fill(much, MUCH);
    if (!python_is_here())
        return PYTHON_IS_MISSING;
    return RUN_TESTS(tests, NULL, NULL);
}
