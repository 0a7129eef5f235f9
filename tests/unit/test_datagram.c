/* SPDX-License-Identifier: MIT */
/*
 * test_datagram.c - endpoints of datagrams, by UDP and by unix sockets
 */
#include "support/allocation.h"
#include "support/room.h"

#include <aio/datagram.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An endpoint at 127.0.0.1, or with a remote port one that is connected. */
static int open_udp(struct room *room, int local_port, int remote_port,
                    aio_transport **ret_transport)
{
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;

    if (local_port >= 0) {
        options.local_host = "127.0.0.1";
        options.local_port = local_port;
    }
    if (remote_port >= 0) {
        options.remote_host = "127.0.0.1";
        options.remote_port = remote_port;
    }
    return aio_loop_create_datagram_endpoint(room->loop, room_factory, room, &options,
                                             ret_transport);
}

static const struct sockaddr_in *name_of(aio_transport *transport)
{
    return aio_transport_get_extra_info(transport, "sockname");
}

static int talk_by_udp(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) server = NULL;
    AIO_AUTO(aio_transport) client = NULL;
    const struct sockaddr_in *name;

    TRY(open_udp(room, 0, -1, &server));
    name = name_of(server);
    CHECK(name != NULL && name->sin_port != 0);
    CHECK(aio_transport_get_extra_info(server, "peername") == NULL);
    TRY(open_udp(room, -1, ntohs(name->sin_port), &client));
    CHECK_TEXT(room->talks[1].trace, "made");
    CHECK(aio_transport_get_extra_info(client, "peername") != NULL);
    TRY(aio_transport_sendto(client, "hello", 5, NULL));
    TRY(aio_transport_sendto(client, "", 0, NULL)); /* an empty one counts too */
    TRY(talk_wait_for(&room->talks[0], "data:0"));
    CHECK_TEXT(room->talks[0].trace, "made data:5 data:0");
    TRY(aio_transport_sendto(server, "back", 4, (const struct sockaddr *)name_of(client)));
    TRY(talk_wait_for(&room->talks[1], "data:4"));
    aio_transport_close(client);
    aio_transport_close(client);
    CHECK(aio_transport_is_closing(client));
    TRY(talk_wait_lost(&room->talks[1]));
    CHECK_TEXT(room->talks[1].trace, "made data:4 lost");
    for (int i = 0; i < 6; i++)
        CHECK_CODE(aio_transport_sendto(client, "x", 1, NULL), 0); /* dropped */
    return 0;
}

static void datagram_goes_there_and_back(void **state)
{
    room_run(talk_by_udp);
}

static int open_two(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) server = NULL;
    AIO_AUTO(aio_transport) client = NULL;

    TRY(open_udp(room, 0, -1, &server));
    TRY(open_udp(room, -1, ntohs(name_of(server)->sin_port), &client));
    TRY(aio_transport_sendto(client, "hello", 5, NULL));
    return talk_wait_for(&room->talks[0], "data:5");
}

static void datagram_endpoints_survive_every_shortage_of_memory(void **state)
{
    room_run_starved(open_two);
}

static int other_address(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) server = NULL;
    AIO_AUTO(aio_transport) client = NULL;
    struct sockaddr_in other;

    TRY(open_udp(room, 0, -1, &server));
    TRY(open_udp(room, -1, ntohs(name_of(server)->sin_port), &client));
    CHECK_CODE(aio_transport_sendto(client, "x", 1, (const struct sockaddr *)name_of(server)), 0);
    other = *name_of(server);
    other.sin_port = htons(1);
    CHECK_CODE(aio_transport_sendto(client, "x", 1, (struct sockaddr *)&other), AIO_EVALUE);
    other.sin_family = 12345;
    CHECK_CODE(aio_transport_sendto(server, "x", 1, (struct sockaddr *)&other), AIO_EVALUE);
    TRY(talk_wait_for(&room->talks[0], "data:1"));
    return 0;
}

static void datagram_to_another_address_than_the_remote_is_refused(void **state)
{
    room_run(other_address);
}

static int refused(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) server = NULL;
    AIO_AUTO(aio_transport) client = NULL;
    struct talk *talk = &room->talks[1];
    int port;

    TRY(open_udp(room, 0, -1, &server));
    port = ntohs(name_of(server)->sin_port);
    TRY(open_udp(room, -1, port, &client));
    aio_transport_abort(server);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_CODE(aio_transport_sendto(client, "x", 1, NULL), 0);
    TRY(talk_wait_for(talk, "error!ConnectionRefusedError")); /* by ICMP */
    CHECK(!aio_transport_is_closing(client));
    server = (aio_transport_unref(server), NULL);
    TRY(open_udp(room, port, -1, &server)); /* somebody is there again */
    CHECK_CODE(aio_transport_sendto(client, "y", 1, NULL), 0);
    TRY(talk_wait_for(&room->talks[2], "data:1"));
    return 0;
}

static void datagram_error_is_told_and_the_endpoint_goes_on(void **state)
{
    room_run(refused);
}

static int too_large(void *arg, void **ret_result)
{
    static const char much[70000];
    struct room *room = arg;
    AIO_AUTO(aio_transport) client = NULL;

    TRY(open_udp(room, -1, 9, &client));
    CHECK_CODE(aio_transport_sendto(client, much, sizeof(much), NULL), 0);
    CHECK_TEXT(room->talks[0].trace, "made error!OSError");
    return 0;
}

static void datagram_too_large_is_told(void **state)
{
    room_run(too_large);
}

static int fail_in_callback(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) server = NULL;

    room->fail_in = "data";
    room->fail_code = AIO_EKEY;
    TRY(open_udp(room, 0, -1, &server));
    TRY(aio_transport_sendto(server, "x", 1, (const struct sockaddr *)name_of(server)));
    TRY(talk_wait_for(&room->talks[0], "data:1"));
    TRY(room_turn());
    CHECK_TEXT(room->report, "Exception in callback: KeyError");
    CHECK(!aio_transport_is_closing(server));
    return 0;
}

static void datagram_protocol_that_fails_keeps_its_endpoint(void **state)
{
    room_run(fail_in_callback);
}

/* --- unix ------------------------------------------------------------------------------ */

static int talk_by_unix(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) server = NULL;
    AIO_AUTO(aio_transport) again = NULL;
    AIO_AUTO(aio_transport) client = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    options.local_path = path;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &server));
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &again));
    options.local_path = NULL;
    options.remote_path = path;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &client));
    TRY(aio_transport_sendto(client, "abc", 3, NULL));
    TRY(talk_wait_for(&room->talks[1], "data:3")); /* the stale file was removed */
    CHECK(unlink(path) == 0);
    return 0;
}

static void datagram_goes_by_unix_sockets(void **state)
{
    room_run(talk_by_unix);
}

static int talk_by_abstract_names(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) server = NULL;
    AIO_AUTO(aio_transport) client = NULL;
    char one[64] = "";
    char two[64] = "";

    options.local_path = one;
    options.local_path_size = 1 + (size_t)sprintf(one + 1, "aioc-test-one-%ld", (long)getpid());
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &server));
    options.remote_path = one;
    options.remote_path_size = options.local_path_size;
    options.local_path = two;
    options.local_path_size = 1 + (size_t)sprintf(two + 1, "aioc-test-two-%ld", (long)getpid());
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &client));
    TRY(aio_transport_sendto(client, "abc", 3, NULL));
    TRY(aio_transport_sendto(client, "d", 1, aio_transport_get_extra_info(server, "sockname")));
    TRY(talk_wait_for(&room->talks[0], "made data:3 data:1"));
    TRY(aio_transport_sendto(server, "back", 4, aio_transport_get_extra_info(client, "sockname")));
    return talk_wait_for(&room->talks[1], "data:4");
}

static void datagram_goes_by_abstract_names(void **state)
{
    room_run(talk_by_abstract_names);
}

/* A pair of unix sockets, of which the other's queue is short: sending has to wait. */
static int fill(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    char data[1000];
    int fds[2];
    int sent = 0;
    int got = 0;

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    room->fds[1] = fds[1];
    options.sock = fds[0];
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    memset(data, 'x', sizeof(data));
    while (aio_transport_get_write_buffer_size(transport) == 0 && sent < 100000) {
        TRY(aio_transport_sendto(transport, data, sizeof(data), NULL));
        sent++;
    }
    CHECK(aio_transport_get_write_buffer_size(transport) == sizeof(data) + 8);
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, 2000, 0), 0);
    CHECK_TEXT(talk->trace, "made");
    TRY(aio_transport_sendto(transport, "", 0, NULL)); /* in its place, behind */
    TRY(aio_transport_sendto(transport, data, sizeof(data), NULL));
    CHECK_TEXT(talk->trace, "made pause");
    sent += 2;
    aio_transport_close(transport);
    while (got < sent) {
        ssize_t size = recv(fds[1], data, sizeof(data), 0);

        CHECK(size < 0 || size == (got == sent - 2 ? 0 : (ssize_t)sizeof(data)));
        got += size >= 0;
        TRY(aio_sleep(0));
    }
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made pause resume lost");
    return 0;
}

static void datagram_waits_in_order_while_the_socket_is_full(void **state)
{
    room_run(fill);
}

static int abort_full(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
    room->fds[1] = fds[1];
    options.sock = fds[0];
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    CHECK((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    while (aio_transport_get_write_buffer_size(transport) == 0)
        TRY(aio_transport_sendto(transport, "x", 1, NULL));
    aio_transport_abort(transport);
    CHECK(aio_transport_get_write_buffer_size(transport) == 0);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost");
    return 0;
}

static void datagram_abort_drops_what_waits(void **state)
{
    room_run(abort_full);
}

/* --- options --------------------------------------------------------------------------- */

static int check_options(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    const int *fd;
    int value = 0;
    socklen_t size = sizeof(value);

    CHECK_CODE(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL),
               AIO_EVALUE);
    options.family = AF_INET;
    options.allow_broadcast = true;
    options.reuse_port = true;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    fd = aio_transport_get_extra_info(transport, "socket");
    CHECK(getsockopt(*fd, SOL_SOCKET, SO_BROADCAST, &value, &size) == 0 && value != 0);
    value = 0;
    CHECK(getsockopt(*fd, SOL_SOCKET, SO_REUSEPORT, &value, &size) == 0 && value != 0);
    options.sock = *fd;
    CHECK_CODE(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL),
               AIO_EVALUE);
    options = (aio_datagram_options)AIO_DATAGRAM_OPTIONS_INIT;
    options.local_path = "/tmp/x";
    options.remote_port = 1;
    CHECK_CODE(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL),
               AIO_EVALUE);
    options = (aio_datagram_options)AIO_DATAGRAM_OPTIONS_INIT;
    options.local_host = "127.0.0.1";
    options.remote_host = "::1";
    CHECK_CODE(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL),
               AIO_EVALUE); /* no family in common */
    options.remote_host = NULL;
    options.local_host = "192.0.2.1"; /* nobody's */
    CHECK_CODE(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL),
               -EADDRNOTAVAIL);
    room->fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    options = (aio_datagram_options)AIO_DATAGRAM_OPTIONS_INIT;
    options.sock = room->fds[0];
    CHECK_CODE(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL),
               AIO_EVALUE);
    return 0;
}

static void datagram_options_are_set_or_refused(void **state)
{
    room_run(check_options);
}

/* Linux has no such option for unix sockets since 6.12.9. */
static int reuse_what_cannot_be(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    int err;

    options.family = AF_UNIX;
    options.reuse_port = true;
    err = aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL);
    CHECK(err == 0 || err == AIO_EVALUE);
    CHECK(err == 0 || strstr(aio_error_text(err), "reuse_port not supported") != NULL);
    return 0;
}

static void datagram_port_that_cannot_be_reused_is_refused(void **state)
{
    room_run(reuse_what_cannot_be);
}

static int local_side(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) alone = NULL;
    AIO_AUTO(aio_transport) everywhere = NULL;

    options.family = AF_INET;
    options.local_port = 0;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &alone));
    CHECK(name_of(alone)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    options.flags = AI_PASSIVE;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &everywhere));
    CHECK(name_of(everywhere)->sin_addr.s_addr == htonl(INADDR_ANY));
    return 0;
}

static void datagram_endpoint_without_a_local_host_is_at_the_loopback(void **state)
{
    room_run(local_side);
}

/* The remote side is only where to send to: whoever answers is heard. */
static int broadcast(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) server = NULL;
    AIO_AUTO(aio_transport) client = NULL;

    options.local_host = "0.0.0.0";
    options.local_port = 0;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &server));
    options.remote_host = "127.255.255.255";
    options.remote_port = ntohs(name_of(server)->sin_port);
    options.local_host = "127.0.0.1";
    CHECK_CODE(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, NULL),
               -EACCES); /* unless it is allowed */
    options.allow_broadcast = true;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &client));
    CHECK(aio_transport_get_extra_info(client, "peername") == NULL);
    TRY(aio_transport_sendto(client, "all", 3, NULL));
    TRY(talk_wait_for(&room->talks[0], "data:3"));
    CHECK_CODE(aio_transport_sendto(client, "x", 1, (const struct sockaddr *)name_of(server)),
               AIO_EVALUE);
    TRY(aio_transport_sendto(server, "here", 4, (const struct sockaddr *)name_of(client)));
    return talk_wait_for(&room->talks[1], "data:4");
}

static void datagram_goes_to_all_when_broadcasting(void **state)
{
    room_run(broadcast);
}

static int multicast(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct ip_mreqn group = {.imr_multiaddr.s_addr = inet_addr("239.255.1.2"), .imr_ifindex = 1};
    struct sockaddr_in to = {.sin_family = AF_INET};
    const int *fd;

    options.local_host = "0.0.0.0";
    options.local_port = 0;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    fd = aio_transport_get_extra_info(transport, "socket");
    if (setsockopt(*fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) != 0 ||
        setsockopt(*fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)) != 0)
        return 0; /* no such thing on this machine's loopback */
    to.sin_port = name_of(transport)->sin_port;
    to.sin_addr = group.imr_multiaddr;
    TRY(aio_transport_sendto(transport, "all", 3, (struct sockaddr *)&to));
    if (strstr(room->talks[0].trace, "error") != NULL)
        return 0;
    return talk_wait_for(&room->talks[0], "data:3");
}

static void datagram_goes_to_a_group(void **state)
{
    room_run(multicast);
}

static int leave_open(void *arg, void **ret_result)
{
    return open_udp(arg, 0, -1, NULL);
}

static void datagram_endpoint_ends_with_its_loop(void **state)
{
    room_run(leave_open);
}

static int open_in_task(void *arg, void **ret_result)
{
    return open_udp(arg, 0, -1, NULL);
}

static int cancel(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_task) task = aio_create_task(open_in_task, room);

    while (room->count == 0)
        TRY(aio_sleep(0));
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost");
    return 0;
}

static void datagram_endpoint_is_closed_when_its_making_is_cancelled(void **state)
{
    room_run(cancel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datagram_goes_there_and_back),
        TEST(datagram_endpoints_survive_every_shortage_of_memory),
        TEST(datagram_to_another_address_than_the_remote_is_refused),
        TEST(datagram_error_is_told_and_the_endpoint_goes_on),
        TEST(datagram_too_large_is_told),
        TEST(datagram_protocol_that_fails_keeps_its_endpoint),
        TEST(datagram_goes_by_unix_sockets),
        TEST(datagram_goes_by_abstract_names),
        TEST(datagram_waits_in_order_while_the_socket_is_full),
        TEST(datagram_abort_drops_what_waits),
        TEST(datagram_options_are_set_or_refused),
        TEST(datagram_port_that_cannot_be_reused_is_refused),
        TEST(datagram_endpoint_without_a_local_host_is_at_the_loopback),
        TEST(datagram_goes_to_all_when_broadcasting),
        TEST(datagram_goes_to_a_group),
        TEST(datagram_endpoint_ends_with_its_loop),
        TEST(datagram_endpoint_is_closed_when_its_making_is_cancelled),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
