/* SPDX-License-Identifier: MIT */
/*
 * test_cancel_stream.c - streams, and TLS, cancelled at every point
 */
#include "support/allocation.h"
#include "support/authority.h"
#include "support/sweep.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 512 * 1024, FULL = 16 * 1024 * 1024 };

static char much[MUCH];

/* --- streams --------------------------------------------------------------------------- */

/* A stream over fds[0], and four bytes for it. */
static int open_stream(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    TRY(ground_open_pair(g));
    options.sock = g->room->fds[0];
    TRY(aio_open_connection_with(&options, 0, &g->reader, &g->writer));
    g->room->fds[0] = -1;
    CHECK(send(g->room->fds[1], "abcd", 4, 0) == 4);
    return 0;
}

static int connect_stream(struct ground *g)
{
    return aio_open_connection("127.0.0.1", g->port, &g->reader, &g->writer);
}

static int start_server(struct ground *g)
{
    return aio_start_server(ground_serve_nobody, NULL, "127.0.0.1", 0, &g->server);
}

/* Each wants ten bytes, and four are there. */
static int readexactly(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_readexactly(g->reader, 10, &bytes);
}

static int readexactly_into(struct ground *g)
{
    char data[10];

    return aio_stream_reader_readexactly_into(g->reader, data, sizeof(data));
}

static int readline(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_readline(g->reader, &bytes);
}

static int readuntil(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_readuntil(g->reader, "\r\n", 2, &bytes);
}

static int readuntil_any(struct ground *g)
{
    static const aio_buffer separators[] = {{"\r\n", 2}, {"!", 1}};
    aio_bytes bytes;

    return aio_stream_reader_readuntil_any(g->reader, separators, COUNT_OF(separators), &bytes);
}

static int next_line(struct ground *g)
{
    void *line;

    return aio_anext(aio_stream_reader_iterator(g->reader), &line);
}

static int peek(struct ground *g)
{
    aio_buffer view;

    return aio_stream_reader_peek(g->reader, 10, &view);
}

static int all_ten_come(struct ground *g)
{
    char data[10];

    CHECK(send(g->room->fds[1], "efghij", 6, 0) == 6);
    TRY(aio_stream_reader_readexactly_into(g->reader, data, sizeof(data)));
    CHECK(memcmp(data, "abcdefghij", sizeof(data)) == 0);
    return 0;
}

static int read_four(struct ground *g)
{
    aio_bytes bytes;

    TRY(aio_stream_reader_read(g->reader, 100, &bytes));
    aio_bytes_free(&bytes);
    return 0;
}

static int read_four_into(struct ground *g)
{
    static char data[64 * 1024]; /* so much that it is read to straight from the socket */
    size_t size;

    return aio_stream_reader_read_into(g->reader, data, sizeof(data), &size);
}

static int read_all(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_read(g->reader, -1, &bytes);
}

static int drain(struct ground *g)
{
    TRY(aio_stream_writer_write(g->writer, much, MUCH));
    return aio_stream_writer_drain(g->writer);
}

static int close_stream(struct ground *g)
{
    aio_stream_writer_close(g->writer);
    return aio_stream_writer_wait_closed(g->writer);
}

static void streams_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = ground_listen, .run = connect_stream},
        {.run = start_server},
        {.prepare = open_stream, .run = readexactly, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readexactly_into, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readline, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readuntil, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readuntil_any, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = next_line, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = peek, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = read_four, .check = all_ten_come},
        {.prepare = open_stream, .run = read_four_into, .check = all_ten_come},
        {.prepare = open_stream, .run = read_all, .points = 8},
        {.prepare = open_stream, .run = drain, .points = 8},
        {.prepare = open_stream, .run = close_stream},
    };

    sweep(operations, COUNT_OF(operations));
}

/* --- TLS ------------------------------------------------------------------------------- */

static aio_tls_context *ours;   /* a client's */
static aio_tls_context *theirs; /* a server's */

static int make_contexts(void **state)
{
    int err = count_allocations(state);

    ours = authority_client();
    theirs = authority_server("one.pem");
    return err;
}

static int drop_contexts(void **state)
{
    aio_tls_context_unref(ours);
    aio_tls_context_unref(theirs);
    return check_allocations(state);
}

static int open_tls_server(struct ground *g)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    int sock;

    options.host = "127.0.0.1";
    options.port = 0;
    options.ssl = theirs;
    TRY(aio_loop_create_server(NULL, room_factory, g->room, &options, &g->server));
    (void)aio_server_sockets(g->server, &sock, 1);
    CHECK(getsockname(sock, (struct sockaddr *)&name, &size) == 0);
    g->port = ntohs(name.sin_port);
    return 0;
}

static aio_connect_options to_tls_server(const struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = g->port;
    options.ssl = ours;
    options.server_hostname = "one.test";
    return options;
}

static int connect_tls(struct ground *g)
{
    aio_connect_options options = to_tls_server(g);
    aio_transport *transport;

    TRY(aio_loop_create_connection(NULL, room_factory, g->room, &options, &transport));
    return ground_let_go(transport);
}

static int connect_tls_stream(struct ground *g)
{
    aio_connect_options options = to_tls_server(g);

    return aio_open_connection_with(&options, 0, &g->reader, &g->writer);
}

static int connect_tls_to_path(struct ground *g)
{
    aio_unix_server_options server = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;
    char path[64];

    server.path = options.path = path;
    server.path_size = options.path_size =
        (size_t)snprintf(path, sizeof(path), "%caioc test of cancelling %d", 0, (int)getpid());
    server.ssl = theirs;
    options.ssl = ours;
    options.server_hostname = "one.test";
    TRY(aio_loop_create_unix_server(NULL, room_factory, g->room, &server, &g->server));
    return aio_open_unix_connection_with(&options, 0, &g->reader, &g->writer);
}

/* A socket is its transport's as soon as a protocol was made for it. */
static aio_protocol *take_first(void *arg)
{
    struct ground *g = arg;

    g->room->fds[0] = -1;
    return room_factory(g->room);
}

static aio_protocol *take_second(void *arg)
{
    struct ground *g = arg;

    g->room->fds[1] = -1;
    return room_factory(g->room);
}

/* The other end of a pair of sockets. */
static int be_client(void *arg, void **ret_result)
{
    struct ground *g = arg;
    aio_connect_options options = to_tls_server(g);
    aio_transport *transport;

    options.host = NULL;
    options.port = -1;
    options.sock = g->room->fds[1];
    TRY(aio_loop_create_connection(NULL, take_second, g, &options, &transport));
    return ground_let_go(transport);
}

static int open_tls_pair(struct ground *g)
{
    TRY(ground_open_pair(g));
    g->peer = aio_create_task(be_client, g);
    return 0;
}

static int take_over_tls(struct ground *g)
{
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;
    aio_transport *transport;

    options.sock = g->room->fds[0];
    options.ssl = theirs;
    TRY(aio_loop_connect_accepted_socket_with(NULL, take_first, g, &options, &transport));
    return ground_let_go(transport);
}

/* What is still to become TLS, to a server that waits for that. */
static int open_plain_stream(struct ground *g)
{
    TRY(open_tls_server(g));
    return aio_open_connection("127.0.0.1", g->port, &g->reader, &g->writer);
}

static int open_plain_transport(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    TRY(open_tls_server(g));
    options.host = "127.0.0.1";
    options.port = g->port;
    return aio_loop_create_connection(NULL, room_factory, g->room, &options, &g->transport);
}

static int upgrade_stream(struct ground *g)
{
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;

    options.server_hostname = "one.test";
    return aio_stream_writer_start_tls(g->writer, ours, &options);
}

static int upgrade_transport(struct ground *g)
{
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;
    aio_transport *upgraded;

    options.server_hostname = "one.test";
    TRY(aio_loop_start_tls(NULL, g->transport, aio_transport_get_protocol(g->transport), ours,
                           &options, &upgraded));
    return ground_let_go(upgraded);
}

/* Half upgraded is of no use to anybody. */
static int stream_is_closing(struct ground *g)
{
    CHECK(sweep_point() == 0 || aio_stream_writer_is_closing(g->writer));
    return 0;
}

/* The protocol at the server's end of a connection. */
static struct talk *server_end(const struct ground *g)
{
    return &g->room->talks[0];
}

/* A stream over TLS, and four bytes for it. */
static int open_tls_stream(struct ground *g)
{
    TRY(open_tls_server(g));
    TRY(connect_tls_stream(g));
    g->room->quiet = true;
    TRY(talk_wait_for(server_end(g), "made"));
    return aio_transport_write(server_end(g)->transport, "abcd", 4);
}

static int open_tls_stream_nobody_reads(struct ground *g)
{
    TRY(open_tls_stream(g));
    return aio_transport_pause_reading(server_end(g)->transport);
}

static int open_tls_stream_and_file(struct ground *g)
{
    TRY(open_tls_stream_nobody_reads(g));
    g->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(ftruncate(g->file, FULL) == 0);
    return 0;
}

static int all_ten_come_by_tls(struct ground *g)
{
    char data[10];

    TRY(aio_transport_write(server_end(g)->transport, "efghij", 6));
    TRY(aio_stream_reader_readexactly_into(g->reader, data, sizeof(data)));
    CHECK(memcmp(data, "abcdefghij", sizeof(data)) == 0);
    return 0;
}

/* More than all buffers of the system's and of TLS. */
static int drain_tls(struct ground *g)
{
    for (int i = 0; i < FULL / MUCH; i++)
        TRY(aio_stream_writer_write(g->writer, much, MUCH));
    return aio_stream_writer_drain(g->writer);
}

/* What was handed over arrives, and what comes next after it. */
static int goes_on_by_tls(struct ground *g)
{
    TRY(aio_stream_writer_write(g->writer, "x", 1));
    TRY(aio_transport_resume_reading(server_end(g)->transport));
    return talk_wait_received(server_end(g), sweep_point() == 0 ? 1 : FULL + 1);
}

static int send_file_by_tls(struct ground *g)
{
    return aio_loop_sendfile(NULL, aio_stream_writer_transport(g->writer), g->file, NULL, NULL);
}

static int as_much_arrived_by_tls(struct ground *g)
{
    size_t sent = (size_t)lseek(g->file, 0, SEEK_CUR);

    TRY(aio_stream_writer_write(g->writer, "x", 1));
    TRY(aio_transport_resume_reading(server_end(g)->transport));
    TRY(talk_wait_received(server_end(g), sent + 1));
    CHECK(server_end(g)->received == sent + 1);
    return 0;
}

static void tls_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = open_tls_server, .run = connect_tls},
        {.prepare = open_tls_server, .run = connect_tls_stream},
        {.run = connect_tls_to_path},
        {.prepare = open_tls_pair, .run = take_over_tls},
        {.prepare = open_plain_stream, .run = upgrade_stream, .check = stream_is_closing},
        {.prepare = open_plain_transport, .run = upgrade_transport},
        {.prepare = open_tls_stream, .run = readexactly, .check = all_ten_come_by_tls, .points = 8},
        {.prepare = open_tls_stream, .run = read_four, .check = all_ten_come_by_tls},
        {.prepare = open_tls_stream_nobody_reads,
         .run = drain_tls,
         .check = goes_on_by_tls,
         .points = 8},
        {.prepare = open_tls_stream_and_file,
         .run = send_file_by_tls,
         .check = as_much_arrived_by_tls,
         .points = 8},
        {.prepare = open_tls_stream, .run = close_stream},
    };

    if (ours == NULL)
        skip(); /* built without it */
    sweep(operations, COUNT_OF(operations));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_can_be_cancelled_anywhere),
        cmocka_unit_test_setup_teardown(tls_can_be_cancelled_anywhere, make_contexts,
                                        drop_contexts),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
