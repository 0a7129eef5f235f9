/* SPDX-License-Identifier: MIT */
/*
 * test_interop_datagram.c - datagrams with Python's asyncio on the other side
 *
 * Skipped where there is no Python with asyncio.
 */
#include "support/allocation.h"
#include "support/python.h"
#include "support/room.h"

#include <aio/datagram.h>
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Every program has an endpoint, and is done when it gets an empty datagram. */
#define ENDPOINT                                                                                   \
    PYTHON                                                                                         \
    "class Endpoint(asyncio.DatagramProtocol):\n"                                                  \
    "    def __init__(self):\n"                                                                    \
    "        self.done = asyncio.get_running_loop().create_future()\n"                             \
    "    def connection_made(self, transport):\n"                                                  \
    "        self.transport = transport\n"                                                         \
    "    def error_received(self, exc):\n"                                                         \
    "        self.done.set_exception(exc)\n"

/* Turns each, and sends it back to where it came from. */
static const char turner[] =
    ENDPOINT "    def datagram_received(self, data, addr):\n"
             "        self.transport.sendto(data[::-1], addr)\n"
             "        if not data: self.done.set_result(None)\n"
             "async def main():\n"
             "    loop = asyncio.get_running_loop()\n"
             "    transport, turner = await loop.create_datagram_endpoint(Endpoint,\n"
             "                                                            (sys.argv[1], 0))\n"
             "    print(transport.get_extra_info('sockname')[1], flush=True)\n"
             "    await turner.done\n"
             "asyncio.run(main())\n";

/* Of growing size, up to the largest that there is: each comes back before the next goes. */
static int send_and_turn(struct talk *talk, size_t most)
{
    static char data[65507];
    size_t all = 0;

    for (size_t size = 1; size < most; size = size * 3) {
        memset(data, 'a', size);
        data[0] = 'z';
        TRY(aio_transport_sendto(talk->transport, data, size, NULL));
        all += size;
        TRY(talk_wait_received(talk, all));
        CHECK(talk->received == all);
    }
    TRY(aio_transport_sendto(talk->transport, data, most, NULL));
    return talk_wait_received(talk, all + most);
}

static int talk_to(struct room *room, const char *host)
{
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_process *process;

    TRY(python_run(turner, host, &process));
    TRY(python_read_number(process, &options.remote_port));
    options.remote_host = host;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    TRY(aio_transport_sendto(transport, "abc", 3, NULL));
    TRY(talk_wait_received(&room->talks[0], 3));
    CHECK(memcmp(room->talks[0].data, "cba", 3) == 0);
    room->talks[0].received = 0;
    TRY(send_and_turn(&room->talks[0], 65507));
    TRY(aio_transport_sendto(transport, "", 0, NULL)); /* empty ones are sent, and end it */
    TRY(python_expect_success(process));
    aio_transport_close(transport);
    return 0;
}

static int talk_by_ipv4(void *arg, void **ret_result)
{
    return talk_to(arg, "127.0.0.1");
}

static void datagrams_go_to_a_python_endpoint_and_back(void **state)
{
    room_run(talk_by_ipv4);
}

/* Not every machine has it. */
static bool has_ipv6(void)
{
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

static int talk_by_ipv6(void *arg, void **ret_result)
{
    return talk_to(arg, "::1");
}

static void datagrams_go_to_a_python_endpoint_and_back_by_ipv6(void **state)
{
    if (!has_ipv6())
        skip();
    room_run(talk_by_ipv6);
}

/* --- Python speaks first --------------------------------------------------------------- */

/* Our endpoint sends each back to where it came from. */
struct echo {
    aio_protocol base; /* first */
    aio_transport *transport;
};

static int echo_made(aio_protocol *self, aio_transport *transport)
{
    ((struct echo *)(void *)self)->transport = transport;
    return 0;
}

static socklen_t size_of(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

static int echo_datagram(aio_protocol *self, const void *data, size_t size,
                         const struct sockaddr *address)
{
    struct sockaddr_storage to = {0};

    memcpy(&to, address, size_of(address)); /* as a program would keep it */
    return aio_transport_sendto(((struct echo *)(void *)self)->transport, data, size,
                                (struct sockaddr *)&to);
}

static const aio_protocol_ops echo_ops = {
    .size = sizeof(echo_ops),
    .connection_made = echo_made,
    .datagram_received = echo_datagram,
};

static aio_protocol *echo_factory(void *arg)
{
    struct echo *echo = arg;

    echo->base.ops = &echo_ops;
    return &echo->base;
}

/* Connected to ours, and lets ten be on their way at a time. */
static const char asker[] =
    ENDPOINT "    def datagram_received(self, data, addr):\n"
             "        self.got.append(data)\n"
             "        if self.left: self.transport.sendto(self.left.pop())\n"
             "        elif len(self.got) == len(self.sent): self.done.set_result(None)\n"
             "async def main():\n"
             "    loop = asyncio.get_running_loop()\n"
             "    host, port = sys.argv[1].split()\n"
             "    transport, asker = await loop.create_datagram_endpoint(\n"
             "        Endpoint, remote_addr=(host, int(port)))\n"
             "    asker.got = []\n"
             "    asker.sent = [much[i:i + i * 7] for i in range(1, 500)]\n"
             "    asker.left = asker.sent[::-1]\n"
             "    for _ in range(10): transport.sendto(asker.left.pop())\n"
             "    await asker.done\n"
             "    sys.exit(0 if asker.got == asker.sent else 1)\n"
             "asyncio.run(main())\n";

static int answer_at(const char *host)
{
    static struct echo echo;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    const struct sockaddr_in6 *name; /* the port of both families is at the same place */
    char argument[64];
    aio_process *process;

    options.local_host = host;
    options.local_port = 0;
    TRY(aio_loop_create_datagram_endpoint(NULL, echo_factory, &echo, &options, &transport));
    name = aio_transport_get_extra_info(transport, "sockname");
    CHECK(name != NULL);
    (void)snprintf(argument, sizeof(argument), "%s %d", host, ntohs(name->sin6_port));
    TRY(python_run(asker, argument, &process));
    TRY(python_expect_success(process));
    aio_transport_close(transport);
    return 0;
}

static int answer_by_ipv4(void *arg, void **ret_result)
{
    return answer_at("127.0.0.1");
}

static void datagrams_of_a_python_endpoint_are_answered_in_order(void **state)
{
    room_run(answer_by_ipv4);
}

static int answer_by_ipv6(void *arg, void **ret_result)
{
    return answer_at("::1");
}

static void datagrams_of_a_python_endpoint_are_answered_by_ipv6(void **state)
{
    if (!has_ipv6())
        skip();
    room_run(answer_by_ipv6);
}

/* --- to all, and to a group ------------------------------------------------------------ */

/* Loopback's address for all; one that this test alone listens at, by its port. */
#define TO_ALL   "127.255.255.255"
#define TO_GROUP "239.255.7.9"

/* Waits at a socket of its own for a datagram, and answers whom it is from. */
#define HEAR                                                                                       \
    "    def datagram_received(self, data, addr):\n"                                               \
    "        self.transport.sendto(b'heard ' + data, addr)\n"                                      \
    "        self.done.set_result(None)\n"                                                         \
    "async def main():\n"                                                                          \
    "    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"                                \
    "    sock.bind(('0.0.0.0', 0))\n"                                                              \
    "    if len(sys.argv[1]) > 0:\n"                                                               \
    "        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,\n"                       \
    "            socket.inet_aton(sys.argv[1]) + socket.inet_aton('127.0.0.1'))\n"                 \
    "    print(sock.getsockname()[1], flush=True)\n"                                               \
    "    loop = asyncio.get_running_loop()\n"                                                      \
    "    _, hearer = await loop.create_datagram_endpoint(Endpoint, sock=sock)\n"                   \
    "    await hearer.done\n"                                                                      \
    "asyncio.run(main())\n"

static const char hearer[] = ENDPOINT HEAR;

static int send_by_loopback(int fd)
{
    struct ip_mreqn interface = {.imr_ifindex = (int)if_nametoindex("lo")};

    CHECK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface)) == 0);
    return 0;
}

/* We say something to an address, and whoever listens there answers us alone. */
static int say_to(struct room *room, const char *address, const char *group)
{
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(address)};
    aio_process *process;
    int port;

    options.family = AF_INET;
    options.local_host = "127.0.0.1";
    options.allow_broadcast = group[0] == '\0';
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    TRY(send_by_loopback(*(const int *)aio_transport_get_extra_info(transport, "socket")));
    TRY(python_run(hearer, group, &process));
    TRY(python_read_number(process, &port));
    to.sin_port = htons((uint16_t)port);
    TRY(aio_transport_sendto(transport, "hello", 5, (struct sockaddr *)&to));
    TRY(talk_wait_received(&room->talks[0], 11));
    CHECK(memcmp(room->talks[0].data, "heard hello", 11) == 0);
    TRY(python_expect_success(process));
    aio_transport_close(transport);
    return 0;
}

static int say_to_all(void *arg, void **ret_result)
{
    return say_to(arg, TO_ALL, "");
}

static void datagram_to_all_is_heard_by_a_python_endpoint(void **state)
{
    room_run(say_to_all);
}

static int say_to_a_group(void *arg, void **ret_result)
{
    return say_to(arg, TO_GROUP, TO_GROUP);
}

static void datagram_to_a_group_is_heard_by_a_python_endpoint(void **state)
{
    room_run(say_to_a_group);
}

/* Says something to an address, and waits for our answer. */
static const char sayer[] =
    ENDPOINT "    def datagram_received(self, data, addr):\n"
             "        self.done.set_result(data)\n"
             "async def main():\n"
             "    loop = asyncio.get_running_loop()\n"
             "    host, port = sys.argv[1].split()\n"
             "    transport, sayer = await loop.create_datagram_endpoint(\n"
             "        Endpoint, ('127.0.0.1', 0), allow_broadcast=True)\n"
             "    transport.get_extra_info('socket').setsockopt(\n"
             "        socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('127.0.0.1'))\n"
             "    transport.sendto(b'hello', (host, int(port)))\n"
             "    sys.exit(0 if await sayer.done == b'hello' else 1)\n"
             "asyncio.run(main())\n";

static int hear_from(const char *address, bool is_group)
{
    static struct echo echo;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct ip_mreqn group = {.imr_multiaddr.s_addr = inet_addr(address),
                             .imr_ifindex = (int)if_nametoindex("lo")};
    const struct sockaddr_in *name;
    char argument[64];
    aio_process *process;
    int fd;

    options.local_host = "0.0.0.0";
    options.local_port = 0;
    TRY(aio_loop_create_datagram_endpoint(NULL, echo_factory, &echo, &options, &transport));
    fd = *(const int *)aio_transport_get_extra_info(transport, "socket");
    if (is_group)
        CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
    name = aio_transport_get_extra_info(transport, "sockname");
    (void)snprintf(argument, sizeof(argument), "%s %d", address, ntohs(name->sin_port));
    TRY(python_run(sayer, argument, &process));
    TRY(python_expect_success(process));
    aio_transport_close(transport);
    return 0;
}

static int hear_to_all(void *arg, void **ret_result)
{
    return hear_from(TO_ALL, false);
}

static void datagram_of_a_python_endpoint_to_all_is_heard(void **state)
{
    room_run(hear_to_all);
}

static int hear_to_a_group(void *arg, void **ret_result)
{
    return hear_from(TO_GROUP, true);
}

static void datagram_of_a_python_endpoint_to_a_group_is_heard(void **state)
{
    room_run(hear_to_a_group);
}

static int say_without_leave(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(TO_ALL)};

    options.local_host = "127.0.0.1";
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    to.sin_port = htons(9);
    TRY(aio_transport_sendto(transport, "hello", 5, (struct sockaddr *)&to));
    TRY(talk_wait_for(&room->talks[0], "error!PermissionError"));
    aio_transport_close(transport);
    return 0;
}

static void datagram_to_all_needs_allow_broadcast(void **state)
{
    room_run(say_without_leave);
}

/* --------------------------------------------------------------------------------------- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datagrams_go_to_a_python_endpoint_and_back),
        TEST(datagrams_go_to_a_python_endpoint_and_back_by_ipv6),
        TEST(datagrams_of_a_python_endpoint_are_answered_in_order),
        TEST(datagrams_of_a_python_endpoint_are_answered_by_ipv6),
        TEST(datagram_to_all_is_heard_by_a_python_endpoint),
        TEST(datagram_to_a_group_is_heard_by_a_python_endpoint),
        TEST(datagram_of_a_python_endpoint_to_all_is_heard),
        TEST(datagram_of_a_python_endpoint_to_a_group_is_heard),
        TEST(datagram_to_all_needs_allow_broadcast),
    };

    if (!python_is_here())
        return PYTHON_IS_MISSING;
    return RUN_TESTS(tests, NULL, NULL);
}
