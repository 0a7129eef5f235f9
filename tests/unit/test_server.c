/* SPDX-License-Identifier: MIT */
/*
 * test_server.c - servers: listening, accepting, serving for ever, ending
 */
#include "support/allocation.h"
#include "support/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int serve(struct room *room, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    return aio_loop_create_server(room->loop, room_factory, room, &options, ret_server);
}

static struct sockaddr_in name_of(aio_server *server)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int fd = -1;

    (void)aio_server_sockets(server, &fd, 1);
    (void)getsockname(fd, (struct sockaddr *)&name, &size);
    return name;
}

/* A blocking socket connected to the server, whose backlog takes it; -1 if it is refused. */
static int dial(aio_server *server)
{
    struct sockaddr_in name = name_of(server);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool first_is_made(const struct room *room)
{
    return room->count > 0 && room->talks[0].made;
}

/* --- accepting ------------------------------------------------------------------------- */

static int serve_one(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;

    room->echoes = true;
    TRY(serve(room, &server));
    CHECK(aio_server_is_serving(server));
    CHECK(aio_server_get_loop(server) == room->loop);
    room->fds[0] = dial(server);
    CHECK(room->fds[0] >= 0);
    TRY(room_wait(room, first_is_made));
    CHECK(send(room->fds[0], "hello", 5, 0) == 5);
    TRY(talk_wait_received(&room->talks[0], 5));
    CHECK(shutdown(room->fds[0], SHUT_WR) == 0);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made data:5 eof lost");
    CHECK(recv(room->fds[0], room->talks[1].data, 10, 0) == 5);
    aio_server_close(server);
    return aio_server_wait_closed(server);
}

static void server_makes_a_protocol_for_each_connection(void **state)
{
    room_run(serve_one);
}

/* Some of this fails, and the connection may be dropped at any point: nothing waits for it. */
static int serve_whom_we_can(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;

    room->echoes = true;
    TRY(serve(room, &server));
    room->fds[0] = dial(server);
    TRY(room_turn());
    (void)send(room->fds[0], "hello", 5, MSG_NOSIGNAL);
    TRY(room_turn());
    close(room->fds[0]);
    room->fds[0] = -1;
    aio_server_close(server);
    return aio_server_wait_closed(server);
}

static void server_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(serve_whom_we_can);
}

static int know_the_peer(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    struct sockaddr_in mine;
    socklen_t size = sizeof(mine);
    const struct sockaddr_in *peer;
    const struct sockaddr_in *own;
    uint16_t port;

    TRY(serve(room, &server));
    port = name_of(server).sin_port;
    room->fds[0] = dial(server);
    CHECK(getsockname(room->fds[0], (struct sockaddr *)&mine, &size) == 0);
    room_reset(room->fds[0]); /* gone before it was accepted */
    room->fds[0] = -1;
    TRY(room_wait(room, first_is_made));
    TRY(talk_wait_lost(&room->talks[0]));
    peer = aio_transport_get_extra_info(room->talks[0].transport, "peername");
    own = aio_transport_get_extra_info(room->talks[0].transport, "sockname");
    CHECK(peer != NULL && peer->sin_port == mine.sin_port);
    CHECK(own != NULL && own->sin_port == port && port != 0);
    aio_server_close(server);
    return 0;
}

static void server_knows_the_peer_that_is_gone_already(void **state)
{
    room_run(know_the_peer);
}

static bool ten_are_made(const struct room *room)
{
    return room->count >= 10 && room->talks[9].made;
}

static int accept_many(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    int fds[10];

    TRY(serve(room, &server));
    for (size_t i = 0; i < 10; i++)
        fds[i] = dial(server);
    TRY(room_wait(room, ten_are_made));
    for (size_t i = 0; i < 10; i++)
        close(fds[i]);
    aio_server_close(server);
    return aio_server_wait_closed(server);
}

static void server_accepts_all_that_wait(void **state)
{
    room_run(accept_many);
}

static int accept_few(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    AIO_AUTO(aio_server) server = NULL;
    socklen_t size = sizeof(name);
    int fds[10];

    options.sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(options.sock, (struct sockaddr *)&name, size) == 0);
    CHECK(listen(options.sock, 20) == 0); /* they wait before the server has its say */
    CHECK(getsockname(options.sock, (struct sockaddr *)&name, &size) == 0);
    for (size_t i = 0; i < 10; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(connect(fds[i], (struct sockaddr *)&name, size) == 0);
    }
    options.backlog = 1;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &server));
    for (size_t before = room->count; before < 10; before = room->count) {
        TRY(aio_sleep(0));
        CHECK(room->count <= before + 2);
    }
    for (size_t i = 0; i < 10; i++)
        close(fds[i]);
    aio_server_close(server);
    return aio_server_wait_closed(server);
}

/* S133 */
static void server_accepts_one_more_than_its_backlog_at_a_time(void **state)
{
    room_run(accept_few);
}

static int refuse_one(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    char byte;

    aio_loop_set_debug(room->loop, true);
    room->refuse = 1;
    TRY(serve(room, &server));
    room->fds[0] = dial(server);
    while (room->reports == 0)
        TRY(aio_sleep(0));
    CHECK_TEXT(room->report, "Error on transport creation for incoming connection: ValueError");
    CHECK(recv(room->fds[0], &byte, 1, 0) == 0);
    room->fds[1] = dial(server); /* and goes on */
    TRY(room_wait(room, first_is_made));
    aio_server_close(server);
    return 0;
}

static void server_drops_a_connection_whose_factory_fails(void **state)
{
    room_run(refuse_one);
}

/* --- addresses ------------------------------------------------------------------------- */

static int listen_twice(void *arg, void **ret_result)
{
    struct room *room = arg;
    const char *hosts[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1"};
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    int fds[4];

    options.hosts = hosts;
    options.host_count = 3;
    options.port = 0;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &server));
    CHECK(aio_server_sockets(server, fds, 4) == 2);
    aio_server_close(server);
    CHECK(aio_server_sockets(server, fds, 4) == 0);
    return 0;
}

static void server_listens_once_at_each_address(void **state)
{
    room_run(listen_twice);
}

static int skip_what_is_not_there(void *arg, void **ret_result)
{
    struct room *room = arg;
    const char *hosts[] = {"192.0.2.1", "127.0.0.1"}; /* the first is nobody's */
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    int fd;

    options.hosts = hosts;
    options.host_count = 2;
    options.port = 0;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &server));
    CHECK(aio_server_sockets(server, &fd, 1) == 1);
    CHECK(name_of(server).sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    aio_server_close(server);
    return 0;
}

static void server_skips_an_address_that_the_machine_does_not_have(void **state)
{
    room_run(skip_what_is_not_there);
}

static int serve_everywhere(void *arg, void **ret_result)
{
    struct room *room = arg;
    const char *names[] = {NULL, ""};
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.port = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AIO_AUTO(aio_server) server = NULL;
        int fds[3] = {-1, -1, -1};
        size_t count;

        options.host = names[i];
        TRY(aio_loop_create_server(NULL, room_factory, room, &options, &server));
        count = aio_server_sockets(server, fds, 3);
        CHECK(count == 1 || count == 2); /* both families, where there are both */
        for (size_t j = 0; j < count; j++) {
            struct sockaddr_in6 name = {0};
            socklen_t size = sizeof(name);
            int only = 0;

            CHECK(getsockname(fds[j], (struct sockaddr *)&name, &size) == 0);
            size = sizeof(only);
            if (name.sin6_family != AF_INET6) {
                CHECK(((struct sockaddr_in *)&name)->sin_addr.s_addr == htonl(INADDR_ANY));
                continue;
            }
            CHECK(IN6_IS_ADDR_UNSPECIFIED(&name.sin6_addr));
            CHECK(getsockopt(fds[j], IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && only != 0);
        }
        aio_server_close(server);
    }
    return 0;
}

static void server_without_a_host_is_at_every_interface(void **state)
{
    room_run(serve_everywhere);
}

static bool has_option(const aio_server *server, int option)
{
    int value = 0;
    socklen_t size = sizeof(value);
    int fd = -1;

    (void)aio_server_sockets(server, &fd, 1);
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value != 0;
}

static int set_socket_options(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) first = NULL;
    AIO_AUTO(aio_server) second = NULL;
    AIO_AUTO(aio_server) bare = NULL;

    options.host = "127.0.0.1";
    options.port = 0;
    options.reuse_port = true;
    options.keep_alive = true;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &first));
    CHECK(has_option(first, SO_REUSEADDR)); /* by itself */
    CHECK(has_option(first, SO_REUSEPORT) && has_option(first, SO_KEEPALIVE));
    options.port = ntohs(name_of(first).sin_port);
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &second)); /* the same port */

    options.port = 0;
    options.reuse_address = options.reuse_port = options.keep_alive = false;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &bare));
    CHECK(!has_option(bare, SO_REUSEADDR));
    CHECK(!has_option(bare, SO_REUSEPORT) && !has_option(bare, SO_KEEPALIVE));
    aio_server_close(first);
    aio_server_close(second);
    aio_server_close(bare);
    return 0;
}

/* What Linux says of a socket that listens: how many may wait. */
static int set_backlog(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int fd;

    options.host = "127.0.0.1";
    options.port = 0;
    options.backlog = 7;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &server));
    CHECK(aio_server_sockets(server, &fd, 1) == 1);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    CHECK(info.tcpi_sacked == 7);
    aio_server_close(server);
    return 0;
}

static void server_lets_as_many_wait_as_it_is_told(void **state)
{
    room_run(set_backlog);
}

static void server_sets_the_options_of_its_sockets(void **state)
{
    room_run(set_socket_options);
}

static int address_taken(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) first = NULL;
    aio_server *second = NULL;
    char expected[128];
    int err;

    TRY(serve(room, &first));
    options.host = "127.0.0.1";
    options.port = ntohs(name_of(first).sin_port);
    (void)snprintf(expected, sizeof(expected),
                   "error while attempting to bind on address ('127.0.0.1', %d): %s", options.port,
                   aio_strerror(-EADDRINUSE));
    err = aio_loop_create_server(NULL, room_factory, room, &options, &second);
    CHECK(err == -EADDRINUSE && second == NULL);
    CHECK_TEXT(aio_error_text(err), expected);
    aio_server_close(first);
    return 0;
}

static void server_names_the_address_that_is_in_use(void **state)
{
    room_run(address_taken);
}

static int check_options(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    aio_server *server = NULL;

    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &options, &server), AIO_EVALUE);
    options.port = 0;
    CHECK_CODE(aio_loop_create_server(NULL, NULL, room, &options, &server), AIO_EVALUE);
    options.port = 70000;
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &options, &server),
               AIO_EARITHMETIC);
    room->fds[0] = socket(AF_INET, SOCK_DGRAM, 0);
    options.sock = room->fds[0];
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &options, &server), AIO_EVALUE);
    options.port = -1;
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &options, &server), AIO_EVALUE);
    options.sock = -1;
    options.host = "192.0.2.1"; /* nobody's */
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &options, &server), AIO_EOS);
    CHECK(server == NULL);
    return 0;
}

static void server_options_that_contradict_are_refused(void **state)
{
    room_run(check_options);
}

static int use_a_socket(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    AIO_AUTO(aio_server) server = NULL;

    options.sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(options.sock, (struct sockaddr *)&name, sizeof(name)) == 0);
    options.start_serving = false;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &server));
    CHECK(!aio_server_is_serving(server));
    CHECK(dial(server) < 0); /* it does not listen yet */
    CHECK_CODE(aio_server_start_serving(server), 0);
    CHECK_CODE(aio_server_start_serving(server), 0);
    CHECK(aio_server_is_serving(server));
    room->fds[0] = dial(server);
    TRY(room_wait(room, first_is_made));
    aio_server_close(server);
    return 0;
}

static void server_takes_a_bound_socket_and_starts_when_told(void **state)
{
    room_run(use_a_socket);
}

/* --- the end --------------------------------------------------------------------------- */

static int wait_closed(void *arg, void **ret_result)
{
    return aio_server_wait_closed(((struct room *)arg)->subject);
}

static int close_and_wait(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_task) waiter = NULL;

    TRY(serve(room, &server));
    room->subject = server;
    room->fds[0] = dial(server);
    TRY(room_wait(room, first_is_made));
    waiter = aio_create_task(wait_closed, room);
    TRY(room_turn());
    aio_server_close(server);
    aio_server_close(server);
    TRY(room_turn());
    CHECK(!aio_future_done(waiter)); /* a client is left */
    CHECK(!aio_server_is_serving(server));
    aio_server_close_clients(server);
    CHECK_CODE(aio_await(waiter, NULL), 0);
    CHECK_TEXT(room->talks[0].trace, "made lost");
    CHECK_CODE(aio_server_wait_closed(server), 0);
    return 0;
}

static void server_is_over_when_closed_and_without_clients(void **state)
{
    room_run(close_and_wait);
}

static int clients_first(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_task) waiter = NULL;

    TRY(serve(room, &server));
    room->subject = server;
    room->fds[0] = dial(server);
    TRY(room_wait(room, first_is_made));
    waiter = aio_create_task(wait_closed, room);
    aio_server_abort_clients(server);
    TRY(talk_wait_lost(&room->talks[0]));
    TRY(room_turn());
    CHECK(!aio_future_done(waiter)); /* it still listens */
    aio_server_close(server);
    return aio_await(waiter, NULL);
}

static void server_is_over_also_when_the_clients_go_first(void **state)
{
    room_run(clients_first);
}

static int cancel_wait(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_task) waiter = NULL;

    TRY(serve(room, &server));
    room->subject = server;
    waiter = aio_create_task(wait_closed, room);
    TRY(room_turn());
    CHECK(aio_task_cancel(waiter, NULL));
    CHECK_CODE(aio_await(waiter, NULL), AIO_ECANCELLED);
    CHECK(aio_server_is_serving(server));
    aio_server_close(server);
    return aio_server_wait_closed(server);
}

static void server_wait_can_be_cancelled(void **state)
{
    room_run(cancel_wait);
}

static int serve_forever(void *arg, void **ret_result)
{
    struct room *room = arg;
    int err = aio_server_serve_forever(room->subject);

    room->fds[1] = -100 - (int)aio_task_cancelling(aio_current_task(NULL));
    return err;
}

static int cancel_forever(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_task) task = NULL;

    TRY(serve(room, &server));
    room->subject = server;
    room->fds[0] = dial(server);
    TRY(room_wait(room, first_is_made));
    task = aio_create_task(serve_forever, room);
    TRY(room_turn());
    CHECK_CODE(aio_server_serve_forever(server), AIO_ERUNTIME); /* one is enough */
    CHECK(aio_task_cancel(task, NULL));
    TRY(room_turn());
    CHECK(!aio_server_is_serving(server));
    CHECK(!aio_future_done(task)); /* waits for the client */
    close(room->fds[0]);
    room->fds[0] = -1;
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    CHECK(room->fds[1] == -101);
    CHECK_CODE(aio_server_serve_forever(server), AIO_ERUNTIME);
    return 0;
}

static void server_forever_ends_with_its_cancellation(void **state)
{
    room_run(cancel_forever);
}

static int close_forever(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_task) task = NULL;

    TRY(serve(room, &server));
    room->subject = server;
    task = aio_create_task(serve_forever, room);
    TRY(room_turn());
    aio_server_close(server);
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    CHECK(room->fds[1] == -100); /* nobody asked the task to cancel */
    return 0;
}

static void server_forever_is_cancelled_by_close(void **state)
{
    room_run(close_forever);
}

static int block(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) server = NULL;

    TRY(serve(room, &server));
    CHECK_CODE(aio_server_enter(server), 0);
    CHECK_CODE(aio_server_exit(server, AIO_EKEY), AIO_EKEY);
    CHECK(!aio_server_is_serving(server));
    CHECK_CODE(aio_server_exit(server, 0), 0);
    CHECK_CODE(aio_server_start_serving(server), AIO_ERUNTIME);
    return 0;
}

static void server_block_ends_with_the_server_closed(void **state)
{
    room_run(block);
}

static int leave_all_open(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server *server;

    TRY(serve(room, &server));
    room->fds[0] = dial(server);
    TRY(room_wait(room, first_is_made));
    room->fds[1] = dial(server); /* not accepted, or on its way */
    aio_server_unref(server);
    return 0;
}

static void server_and_clients_end_with_the_loop(void **state)
{
    room_run(leave_all_open);
}

static void server_without_a_loop_or_task_is_refused(void **state)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    aio_server *server = NULL;

    options.port = 0;
    assert_int_equal(aio_loop_create_server(NULL, room_factory, NULL, &options, &server),
                     AIO_ENOLOOP);
    aio_server_close(NULL);
    aio_server_unref(NULL);
    assert_null(aio_server_ref(NULL));
    assert_int_equal(aio_server_sockets(NULL, NULL, 0), 0);
    assert_int_equal(aio_server_enter(NULL), AIO_EVALUE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(server_makes_a_protocol_for_each_connection),
        TEST(server_survives_every_shortage_of_memory),
        TEST(server_knows_the_peer_that_is_gone_already),
        TEST(server_accepts_all_that_wait),
        TEST(server_drops_a_connection_whose_factory_fails),
        TEST(server_accepts_one_more_than_its_backlog_at_a_time),
        TEST(server_listens_once_at_each_address),
        TEST(server_skips_an_address_that_the_machine_does_not_have),
        TEST(server_without_a_host_is_at_every_interface),
        TEST(server_sets_the_options_of_its_sockets),
        TEST(server_lets_as_many_wait_as_it_is_told),
        TEST(server_names_the_address_that_is_in_use),
        TEST(server_options_that_contradict_are_refused),
        TEST(server_takes_a_bound_socket_and_starts_when_told),
        TEST(server_is_over_when_closed_and_without_clients),
        TEST(server_is_over_also_when_the_clients_go_first),
        TEST(server_wait_can_be_cancelled),
        TEST(server_forever_ends_with_its_cancellation),
        TEST(server_forever_is_cancelled_by_close),
        TEST(server_block_ends_with_the_server_closed),
        TEST(server_and_clients_end_with_the_loop),
        TEST(server_without_a_loop_or_task_is_refused),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
