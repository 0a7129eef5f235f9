/* SPDX-License-Identifier: MIT */
/*
 * test_cancel_io.c - connecting, serving and calls on sockets, cancelled at every point
 */
#include "support/allocation.h"
#include "support/sweep.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 512 * 1024 };

/* The resolver goes on; the system's is a thread that looks a name up, and that we wait for. */
#ifdef AIO__CARES
enum { HAS_RESOLVER = true };
#else
enum { HAS_RESOLVER = false };
#endif

static char much[MUCH];

/* --- connections ----------------------------------------------------------------------- */

static int connect_to_number(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_transport *transport;

    options.host = "127.0.0.1";
    options.port = g->port;
    options.local_host = "127.0.0.1";
    TRY(aio_loop_create_connection(NULL, room_factory, g->room, &options, &transport));
    return ground_let_go(transport);
}

static int connect_to_name(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_transport *transport;

    options.host = "localhost";
    options.port = g->port;
    options.happy_eyeballs_delay = 0.01;
    TRY(aio_loop_create_connection(NULL, room_factory, g->room, &options, &transport));
    return ground_let_go(transport);
}

static int connect_to_path(struct ground *g)
{
    static const char path[] = "\0aioc test of cancelling";
    aio_unix_server_options server = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;
    aio_transport *transport = NULL;
    char own[64];
    int size = snprintf(own, sizeof(own), "%c%s %d", 0, path + 1, (int)getpid());
    int err;

    server.path = options.path = own;
    server.path_size = options.path_size = (size_t)size;
    TRY(aio_loop_create_unix_server(NULL, room_factory, g->room, &server, &g->server));
    err = aio_loop_create_unix_connection(NULL, room_factory, g->room, &options, &transport);
    return err < 0 ? err : ground_let_go(transport);
}

static int connect_stream_to_path(struct ground *g)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-cancel-%d", (int)getpid());
    TRY(aio_start_unix_server(ground_serve_nobody, NULL, path,
                              &g->server)); /* which takes the file away */
    return aio_open_unix_connection(path, &g->reader, &g->writer);
}

/* A socket is the transport's as soon as a protocol was made for it. */
static int take_over(struct ground *g)
{
    aio_transport *transport;
    int err =
        aio_loop_connect_accepted_socket(NULL, room_factory, g->room, g->room->fds[0], &transport);

    if (g->room->count > 0)
        g->room->fds[0] = -1;
    return err < 0 ? err : ground_let_go(transport);
}

static int read_pipe(struct ground *g)
{
    aio_transport *transport;
    int err = aio_loop_connect_read_pipe(NULL, room_factory, g->room, g->room->fds[0], &transport);

    if (g->room->count > 0)
        g->room->fds[0] = -1;
    return err < 0 ? err : ground_let_go(transport);
}

static int write_pipe(struct ground *g)
{
    aio_transport *transport;
    int err = aio_loop_connect_write_pipe(NULL, room_factory, g->room, g->room->fds[0], &transport);

    if (g->room->count > 0)
        g->room->fds[0] = -1;
    return err < 0 ? err : ground_let_go(transport);
}

static int make_endpoint(struct ground *g)
{
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    aio_transport *transport;

    options.local_host = "127.0.0.1";
    options.local_port = 0;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, g->room, &options, &transport));
    return ground_let_go(transport);
}

static void connecting_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = ground_listen, .run = connect_to_number},
        {.prepare = ground_listen, .run = connect_to_name, .keeps_handles = HAS_RESOLVER},
        {.run = connect_to_path},
        {.run = connect_stream_to_path},
        {.prepare = ground_open_pair, .run = take_over},
        {.prepare = ground_open_pair, .run = read_pipe},
        {.prepare = ground_open_pair, .run = write_pipe},
        {.run = make_endpoint},
    };

    sweep(operations, COUNT_OF(operations));
}

/* --- servers --------------------------------------------------------------------------- */

static int make_server(struct ground *g)
{
    TRY(ground_open_server(g));
    aio_server_close(g->server);
    return aio_server_wait_closed(g->server);
}

static int open_idle_server(struct ground *g)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    options.start_serving = false;
    return aio_loop_create_server(NULL, room_factory, g->room, &options, &g->server);
}

static int start_serving(struct ground *g)
{
    return aio_server_start_serving(g->server);
}

/* In a block, as long as a client is there. */
static int serve_in_block(struct ground *g)
{
    int err = aio_server_enter(g->server);

    return aio_server_exit(g->server, err == 0 ? aio_sleep(0) : err);
}

static int serve_for_ever(struct ground *g)
{
    return aio_server_serve_forever(g->server);
}

static int wait_closed(struct ground *g)
{
    return aio_server_wait_closed(g->server);
}

/* Whoever waits in vain does not close it; whoever serves does. */
static int server_is_open(struct ground *g)
{
    CHECK(aio_server_is_serving(g->server));
    return 0;
}

static int server_is_closed(struct ground *g)
{
    CHECK(sweep_point() == 0 || !aio_server_is_serving(g->server));
    return 0;
}

static void serving_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.run = make_server},
        {.prepare = ground_open_server,
         .run = serve_for_ever,
         .check = server_is_closed,
         .points = 8},
        {.prepare = open_idle_server, .run = start_serving},
        {.prepare = ground_open_server, .run = serve_in_block, .check = server_is_closed},
        {.prepare = ground_open_server, .run = wait_closed, .check = server_is_open, .points = 8},
    };

    sweep(operations, COUNT_OF(operations));
}

/* --- sockets --------------------------------------------------------------------------- */

static int open_datagrams(struct ground *g)
{
    static const char data[16384];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, g->room->fds) == 0);
    while (send(g->room->fds[0], data, sizeof(data), 0) > 0) /* there is no room for another */
        continue;
    return 0;
}

static int open_file(struct ground *g)
{
    TRY(ground_open_pair(g));
    g->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(pwrite(g->file, much, MUCH, 0) == MUCH);
    return 0;
}

static int open_transport_and_file(struct ground *g)
{
    TRY(open_file(g));
    TRY(aio_loop_connect_accepted_socket(NULL, room_factory, g->room, g->room->fds[0],
                                         &g->transport));
    g->room->fds[0] = -1;
    return 0;
}

static int sock_recv(struct ground *g)
{
    char data[16];
    size_t size;

    return aio_loop_sock_recv(NULL, g->room->fds[0], data, sizeof(data), &size);
}

static int sock_recv_comes_after(struct ground *g)
{
    char data[16];
    size_t size;

    CHECK(send(g->room->fds[1], "abc", 3, 0) == 3);
    TRY(aio_loop_sock_recv(NULL, g->room->fds[0], data, sizeof(data), &size));
    CHECK(size == 3 && memcmp(data, "abc", 3) == 0);
    return 0;
}

static int sock_recvfrom(struct ground *g)
{
    char data[16];
    size_t size;

    return aio_loop_sock_recvfrom(NULL, g->room->fds[0], data, sizeof(data), NULL, &size);
}

static int sock_sendto(struct ground *g)
{
    return aio_loop_sock_sendto(NULL, g->room->fds[0], "x", 1, NULL, NULL);
}

static int sock_sendall(struct ground *g)
{
    return aio_loop_sock_sendall(NULL, g->room->fds[0], much, MUCH);
}

static int sock_sendfile(struct ground *g)
{
    return aio_loop_sock_sendfile(NULL, g->room->fds[0], g->file, NULL, NULL);
}

static int send_file(struct ground *g)
{
    return aio_loop_sendfile(NULL, g->transport, g->file, NULL, NULL);
}

/* The file's position tells what has arrived, and the transport is as it was. */
static int as_much_arrived(struct ground *g)
{
    off_t sent = lseek(g->file, 0, SEEK_CUR);
    off_t got = 0;
    static char data[MUCH];
    ssize_t size;

    while ((size = recv(g->room->fds[1], data, sizeof(data), 0)) > 0)
        got += size;
    CHECK(got == sent);
    if (g->transport != NULL)
        CHECK_CODE(aio_transport_write(g->transport, "x", 1), 0);
    return 0;
}

static int sock_accept(struct ground *g)
{
    int fd;

    TRY(aio_loop_sock_accept(NULL, g->listener, NULL, &fd));
    close(fd);
    return 0;
}

static int sock_connect(struct ground *g)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    aio_sockname to = {(struct sockaddr *)&name, sizeof(name)};

    name.sin_port = htons((uint16_t)g->port);
    g->room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return aio_loop_sock_connect(NULL, g->room->fds[0], &to);
}

/* The one that comes after a cancelled accept is not lost. */
static int accept_comes_after(struct ground *g)
{
    TRY(sock_connect(g));
    return sock_accept(g);
}

static void calls_on_sockets_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = ground_open_pair,
         .run = sock_recv,
         .check = sock_recv_comes_after,
         .points = 6},
        {.prepare = open_datagrams,
         .run = sock_recvfrom,
         .check = sock_recv_comes_after,
         .points = 6},
        {.prepare = open_datagrams, .run = sock_sendto, .points = 6},
        {.prepare = ground_open_pair, .run = sock_sendall, .points = 6},
        {.prepare = open_file, .run = sock_sendfile, .check = as_much_arrived, .points = 6},
        {.prepare = open_transport_and_file,
         .run = send_file,
         .check = as_much_arrived,
         .points = 6},
        {.prepare = ground_listen, .run = sock_accept, .check = accept_comes_after, .points = 6},
        {.prepare = ground_listen, .run = sock_connect},
    };

    sweep(operations, COUNT_OF(operations));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connecting_can_be_cancelled_anywhere),
        TEST(serving_can_be_cancelled_anywhere),
        TEST(calls_on_sockets_can_be_cancelled_anywhere),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
