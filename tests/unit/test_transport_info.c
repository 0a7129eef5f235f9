/* SPDX-License-Identifier: MIT */
/*
 * test_transport_info.c - what transports tell of themselves, and the descriptors they lend
 */
#include "support/allocation.h"
#include "support/room.h"

#include <aio/datagram.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection by TCP; room->fds[1] is the other end. */
static int begin(struct room *room, aio_transport **ret_transport)
{
    int fds[2];

    room_tcp_pair(fds);
    room->fds[1] = fds[1];
    CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
    return aio_loop_connect_accepted_socket(room->loop, room_factory, room, fds[0], ret_transport);
}

static int is_name(const struct sockaddr_in *name, const struct sockaddr_in *expected)
{
    CHECK(name != NULL && name->sin_family == AF_INET);
    CHECK(name->sin_port == expected->sin_port && expected->sin_port != 0);
    CHECK(name->sin_addr.s_addr == expected->sin_addr.s_addr);
    return 0;
}

static int know_names_afterwards(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct sockaddr_in own;
    struct sockaddr_in peer;
    socklen_t size = sizeof(own);

    TRY(begin(room, &transport));
    CHECK(getsockname(room->fds[1], (struct sockaddr *)&peer, &size) == 0);
    CHECK(getpeername(room->fds[1], (struct sockaddr *)&own, &size) == 0);
    aio_transport_close(transport);
    TRY(talk_wait_lost(&room->talks[0]));
    TRY(room_turn());
    CHECK(aio_transport_get_extra_info(transport, "socket") == NULL);
    TRY(is_name(aio_transport_get_extra_info(transport, "sockname"), &own));
    return is_name(aio_transport_get_extra_info(transport, "peername"), &peer);
}

static void names_are_known_when_the_connection_is_over(void **state)
{
    room_run(know_names_afterwards);
}

static int name_at_the_beginning(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in live = {0};
    socklen_t size = sizeof(live);
    const struct sockaddr_in *name;

    options.family = AF_INET;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_CODE(aio_transport_sendto(transport, "x", 1, (struct sockaddr *)&to), 0);
    CHECK(getsockname(*(const int *)aio_transport_get_extra_info(transport, "socket"),
                      (struct sockaddr *)&live, &size) == 0);
    name = aio_transport_get_extra_info(transport, "sockname");
    CHECK(name != NULL && name->sin_family == AF_INET);
    CHECK(name->sin_port == 0 && live.sin_port != 0); /* bound by sending, as the socket knows */
    return 0;
}

static void name_of_an_endpoint_is_that_of_its_beginning(void **state)
{
    room_run(name_at_the_beginning);
}

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* after asyncio's trsock.TransportSocket */
static int use_the_descriptor(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    const int on = 1;
    char byte;
    int fd;

    TRY(begin(room, &transport));
    fd = *(const int *)aio_transport_get_extra_info(transport, "socket");
    CHECK(option_of(fd, SO_DOMAIN) == AF_INET);
    CHECK(option_of(fd, SO_TYPE) == SOCK_STREAM);
    CHECK(option_of(fd, SO_PROTOCOL) == IPPROTO_TCP);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
    CHECK(option_of(fd, SO_KEEPALIVE) == 1);
    room->fds[0] = dup(fd); /* the caller's own, open when the transport is closed */
    CHECK(shutdown(fd, SHUT_WR) == 0);
    while (recv(room->fds[1], &byte, 1, 0) < 0)
        TRY(aio_sleep(0));
    CHECK(send(room->fds[1], "x", 1, 0) == 1);
    TRY(talk_wait_received(talk, 1));
    aio_transport_close(transport);
    TRY(talk_wait_lost(talk));
    TRY(room_turn());
    CHECK(option_of(room->fds[0], SO_TYPE) == SOCK_STREAM);
    return 0;
}

static void descriptor_is_for_the_calls_of_the_system(void **state)
{
    room_run(use_the_descriptor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_known_when_the_connection_is_over),
        TEST(name_of_an_endpoint_is_that_of_its_beginning),
        TEST(descriptor_is_for_the_calls_of_the_system),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
