/* SPDX-License-Identifier: MIT */
/*
 * test_interop.c - connections with Python's asyncio on the other side
 *
 * The peer is a Python program, given here, in a process of its own. What it has found out it says
 * by its exit status. Skipped where there is no Python with asyncio.
 */
#include "support/allocation.h"
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

/* What every program begins with. */
#define PREFACE                                                                                    \
    "import asyncio, sys\n"                                                                        \
    "much = bytes((i * 7 + i // 251) % 256 for i in range(1 << 20))\n"

static int start_python(const char *program, const char *argument, aio_process **ret_process)
{
    const char *const argv[] = {"python3", "-c", program, argument, NULL};
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_in = AIO_SUBPROCESS_DEVNULL;
    options.std_out = AIO_SUBPROCESS_PIPE;
    return aio_create_subprocess_exec(argv, &options, ret_process);
}

/* The port that a program prints first. */
static int read_port(aio_process *process, int *ret_port)
{
    aio_bytes line;

    TRY(aio_stream_reader_readline(aio_process_stdout(process), &line));
    *ret_port = line.size > 0 ? atoi(line.data) : 0;
    aio_bytes_free(&line);
    CHECK(*ret_port > 0);
    return 0;
}

/* The program has ended, and found nothing wrong. */
static int expect_success(aio_process *process)
{
    int code = -1;

    TRY(aio_process_wait(process, &code));
    aio_process_unref(process);
    CHECK(code == 0);
    return 0;
}

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
    PREFACE ECHO_ONCE "async def main():\n"
                      "    global done\n"
                      "    done = asyncio.get_running_loop().create_future()\n"
                      "    server = await asyncio.start_server(serve, '127.0.0.1', 0)\n"
                      "    print(server.sockets[0].getsockname()[1], flush=True)\n"
                      "    sys.exit(0 if await done else 1)\n"
                      "asyncio.run(main())\n";

static const char unix_server[] =
    PREFACE ECHO_ONCE "async def main():\n"
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

    TRY(start_python(tcp_server, "", &process));
    TRY(read_port(process, &port));
    TRY(aio_open_connection("127.0.0.1", port, &reader, &writer));
    TRY(send_and_turn(reader, writer));
    return expect_success(process);
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
    TRY(start_python(unix_server, path, &process));
    TRY(read_port(process, &port));
    TRY(aio_open_unix_connection(path, &reader, &writer));
    TRY(send_and_turn(reader, writer));
    (void)unlink(path);
    return expect_success(process);
}

static void streams_talk_to_a_python_server_by_a_unix_socket(void **state)
{
    room_run(talk_by_path);
}

/* --- our server ------------------------------------------------------------------------ */

static const char tcp_client[] =
    PREFACE "async def main():\n"
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

static const char resetting_client[] =
    PREFACE "import socket, struct\n"
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
    TRY(start_python(program, port, &process));
    TRY(expect_success(process));
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

/* --- datagrams ------------------------------------------------------------------------- */

static const char datagram_server[] =
    PREFACE "class Turn(asyncio.DatagramProtocol):\n"
            "    def connection_made(self, transport):\n"
            "        self.transport = transport\n"
            "    def datagram_received(self, data, addr):\n"
            "        self.transport.sendto(data[::-1], addr)\n"
            "        if not data: done.set_result(None)\n"
            "async def main():\n"
            "    global done\n"
            "    loop = asyncio.get_running_loop()\n"
            "    done = loop.create_future()\n"
            "    transport, _ = await loop.create_datagram_endpoint(Turn, ('127.0.0.1', 0))\n"
            "    print(transport.get_extra_info('sockname')[1], flush=True)\n"
            "    await done\n"
            "asyncio.run(main())\n";

static int talk_by_datagrams(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_process *process;

    TRY(start_python(datagram_server, "", &process));
    TRY(read_port(process, &options.remote_port));
    options.remote_host = "127.0.0.1";
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    TRY(aio_transport_sendto(transport, "abc", 3, NULL));
    TRY(talk_wait_received(&room->talks[0], 3));
    CHECK(memcmp(room->talks[0].data, "cba", 3) == 0);
    TRY(aio_transport_sendto(transport, "", 0, NULL)); /* empty ones are sent, and end it */
    TRY(expect_success(process));
    aio_transport_close(transport);
    return 0;
}

static void datagrams_go_to_a_python_endpoint_and_back(void **state)
{
    room_run(talk_by_datagrams);
}

/* --------------------------------------------------------------------------------------- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_talk_to_a_python_server_and_half_close),
        TEST(streams_talk_to_a_python_server_by_a_unix_socket),
        TEST(streams_serve_a_python_client_that_half_closes),
        TEST(streams_survive_a_python_client_that_resets),
        TEST(datagrams_go_to_a_python_endpoint_and_back),
    };

    room_fill(much, MUCH);
    if (system("python3 -c 'import asyncio' 2>/dev/null") != 0)
        return 77; /* for meson: skipped */
    return RUN_TESTS(tests, NULL, NULL);
}
