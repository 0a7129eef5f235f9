/* SPDX-License-Identifier: MIT */
/*
 * test_tls_server.c - servers of TLS, and clients whose handshake comes to nothing
 */
#include "support/allocation.h"
#include "support/authority.h"
#include "support/room.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static aio_tls_context *server;

static int setup(void **state)
{
    int err = count_allocations(state);

    server = authority_server("one.pem");
    return err;
}

static int teardown(void **state)
{
    aio_tls_context_unref(server);
    return check_allocations(state);
}

static int serve(struct room *room, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    options.ssl = server;
    return aio_loop_create_server(room->loop, room_factory, room, &options, ret_server);
}

/* A client without TLS says something; the socket is room->fds[0]. */
static int say(struct room *room, const aio_server *listener, const char *text)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int fd;

    CHECK(aio_server_sockets(listener, &fd, 1) == 1);
    CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0);
    room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(connect(room->fds[0], (struct sockaddr *)&name, size) == 0 || errno == EINPROGRESS);
    while (send(room->fds[0], text, strlen(text), MSG_NOSIGNAL) < 0)
        TRY(aio_sleep(0));
    return 0;
}

static int hang_up(struct room *room)
{
    close(room->fds[0]);
    room->fds[0] = -1;
    return 0;
}

static bool first_is_released(const struct room *room)
{
    return room->talks[0].released;
}

static bool is_reported(const struct room *room)
{
    return room->reports > 0;
}

static int fail_in_debug_mode(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;

    aio_loop_set_debug(room->loop, true);
    TRY(serve(room, &listener));
    TRY(say(room, listener, "GET / HTTP/1.1\r\n\r\n"));
    TRY(room_wait(room, is_reported));
    CHECK_TEXT(room->report, "Error on transport creation for incoming connection: SSLError");
    TRY(hang_up(room));

    room->reports = 0;
    TRY(say(room, listener, "\x16")); /* the beginning of a hello */
    TRY(hang_up(room));
    TRY(room_wait(room, is_reported));
    CHECK_TEXT(room->report,
               "Error on transport creation for incoming connection: ConnectionResetError");
    CHECK(room->reports == 1 && !room->talks[0].made && !room->talks[1].made);
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void handshake_that_fails_is_reported_in_debug_mode(void **state)
{
    room_run(fail_in_debug_mode);
}

/* Nothing waits for what may be missing. */
static int fail_as_it_can(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;

    aio_loop_set_debug(room->loop, true);
    TRY(serve(room, &listener));
    TRY(say(room, listener, "GET / HTTP/1.1\r\n\r\n"));
    TRY(room_turn());
    TRY(hang_up(room));
    TRY(room_turn());
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void reporting_a_handshake_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(fail_as_it_can);
}

static int fail_silently(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;

    TRY(serve(room, &listener));
    TRY(say(room, listener, "GET / HTTP/1.1\r\n\r\n"));
    while (room->count == 0 || !first_is_released(room))
        TRY(aio_sleep(0));
    TRY(room_turn());
    CHECK(room->reports == 0 && !room->talks[0].made);
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void handshake_that_fails_is_not_reported_otherwise(void **state)
{
    room_run(fail_silently);
}

static int leave_half_way(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;

    aio_loop_set_debug(room->loop, true);
    TRY(serve(room, &listener));
    TRY(say(room, listener, "\x16"));
    while (room->count == 0)
        TRY(aio_sleep(0));
    return room_turn();
}

static void loop_can_be_closed_under_a_handshake_in_debug_mode(void **state)
{
    room_run(leave_half_way);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(handshake_that_fails_is_reported_in_debug_mode),
        TEST(reporting_a_handshake_survives_every_shortage_of_memory),
        TEST(handshake_that_fails_is_not_reported_otherwise),
        TEST(loop_can_be_closed_under_a_handshake_in_debug_mode),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
