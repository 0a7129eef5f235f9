/* SPDX-License-Identifier: MIT */
/*
 * test_protocol.c - what protocols are asked and told, and what they may leave out
 */
#include "support/allocation.h"
#include "support/room.h"

#include <aio/datagram.h>
#include <aio/pipe.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 600 * 1000, AT_ONCE = 256 * 1024 };

static char much[MUCH];

/* A transport over one end of a pair of sockets; the other, non-blocking, is room->fds[1]. */
static int begin(struct room *room, aio_protocol_factory_fn factory, void *arg,
                 aio_transport **ret_transport)
{
    int fds[2];
    int err;

    room_socketpair(fds);
    room->fds[1] = fds[1];
    CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
    err = aio_loop_connect_accepted_socket(room->loop, factory, arg, fds[0], ret_transport);
    if (err < 0)
        close(fds[0]);
    return err;
}

/* --- protocols with few functions ------------------------------------------------------ */

static int fill_here(aio_protocol *self, size_t hint, void **ret_data, size_t *ret_size)
{
    static char place[16];

    *ret_data = place;
    *ret_size = sizeof(place);
    return 0;
}

static const aio_protocol_ops silent_ops = {.size = sizeof(silent_ops)};
static const aio_protocol_ops filled_ops = {.size = sizeof(filled_ops), .get_buffer = fill_here};
static aio_protocol silent = {&silent_ops};
static aio_protocol filled = {&filled_ops};

static aio_protocol *give_protocol(void *protocol)
{
    return protocol;
}

static int without_functions(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_protocol *const protocols[] = {&silent, &filled};

    for (size_t i = 0; i < COUNT_OF(protocols); i++) {
        AIO_AUTO(aio_transport) transport = NULL;

        TRY(begin(room, give_protocol, protocols[i], &transport));
        CHECK_CODE(aio_transport_set_write_buffer_limits(transport, 0, 0), 0);
        for (int tries = 0; aio_transport_get_write_buffer_size(transport) == 0; tries++) {
            CHECK(tries < 100);
            CHECK_CODE(aio_transport_write(transport, much, MUCH), 0); /* pauses a protocol */
        }
        CHECK(send(room->fds[1], "some", 4, 0) == 4);
        TRY(room_turn());
        while (recv(room->fds[1], much, MUCH, 0) > 0)
            TRY(aio_sleep(0)); /* and resumes it */
        TRY(room_hang_up(room));
        while (aio_transport_get_protocol(transport) != NULL)
            TRY(aio_sleep(0));
        CHECK(aio_transport_is_closing(transport));
    }
    CHECK(room->reports == 0);
    return 0;
}

static void protocol_need_not_have_any_function(void **state)
{
    room_run(without_functions);
}

static int datagrams_without_functions(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
    room->fds[1] = fds[1];
    options.sock = fds[0];
    TRY(aio_loop_create_datagram_endpoint(NULL, give_protocol, &silent, &options, &transport));
    CHECK(send(fds[1], "x", 1, 0) == 1);
    TRY(room_turn());
    TRY(room_hang_up(room));
    CHECK_CODE(aio_transport_sendto(transport, "x", 1, NULL), 0); /* nobody is there to be told */
    CHECK(!aio_transport_is_closing(transport));
    aio_transport_close(transport);
    return room_turn();
}

static void protocol_of_datagrams_need_not_have_any_function(void **state)
{
    room_run(datagrams_without_functions);
}

static int pipe_without_functions(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    int fds[2];

    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    room->fds[1] = fds[1];
    TRY(aio_loop_connect_read_pipe(NULL, give_protocol, &silent, fds[0], &transport));
    CHECK(write(fds[1], "x", 1) == 1);
    TRY(room_turn());
    TRY(room_hang_up(room));
    while (aio_transport_get_protocol(transport) != NULL)
        TRY(aio_sleep(0));
    return 0;
}

static void protocol_of_a_pipe_need_not_have_any_function(void **state)
{
    room_run(pipe_without_functions);
}

/* --- reading --------------------------------------------------------------------------- */

static size_t hinted;

static int note_hint(aio_protocol *self, size_t hint, void **ret_data, size_t *ret_size)
{
    hinted = hint;
    return fill_here(self, hint, ret_data, ret_size);
}

static const aio_protocol_ops hinted_ops = {.size = sizeof(hinted_ops), .get_buffer = note_hint};
static aio_protocol hinting = {&hinted_ops};

static int ask_for_any(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    hinted = 0;
    TRY(begin(room, give_protocol, &hinting, &transport));
    CHECK(send(room->fds[1], "x", 1, 0) == 1);
    while (hinted == 0)
        TRY(aio_sleep(0));
    CHECK(hinted == (size_t)-1);
    return 0;
}

static void buffer_of_any_size_is_asked_for(void **state)
{
    room_run(ask_for_any);
}

static int socket_in_portions(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    const int more = 1024 * 1024;
    char expected[100] = "made";
    ssize_t sent;

    TRY(begin(room, room_factory, room, &transport));
    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    CHECK(setsockopt(room->fds[1], SOL_SOCKET, SO_SNDBUF, &more, sizeof(more)) == 0);
    sent = send(room->fds[1], much, MUCH, 0); /* as much as there is room for */
    CHECK(sent > AT_ONCE);
    CHECK_CODE(aio_transport_resume_reading(transport), 0);
    TRY(talk_wait_received(&room->talks[0], (size_t)sent));
    for (ssize_t left = sent; left > 0; left -= AT_ONCE)
        (void)snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
                       " data:%zd", left < AT_ONCE ? left : AT_ONCE);
    CHECK_TEXT(room->talks[0].trace, expected);
    return 0;
}

/* S123 */
static void socket_is_read_256_kib_at_a_time(void **state)
{
    room_run(socket_in_portions);
}

static int pipe_in_portions(void *arg, void **ret_result)
{
    struct room *room = arg;
    int fds[2];

    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    room->fds[0] = fds[0];
    room->fds[1] = fds[1];
    CHECK(fcntl(fds[1], F_SETPIPE_SZ, 1024 * 1024) >= MUCH);
    CHECK(write(fds[1], much, MUCH) == MUCH);
    TRY(aio_loop_connect_read_pipe(NULL, room_factory, room, fds[0], NULL));
    room->fds[0] = -1;
    TRY(talk_wait_received(&room->talks[0], MUCH));
    CHECK_TEXT(room->talks[0].trace, "made data:262144 data:262144 data:75712");
    return 0;
}

static void pipe_is_read_256_kib_at_a_time(void **state)
{
    room_run(pipe_in_portions);
}

static int reset_as_a_pipe(void *arg, void **ret_result)
{
    struct room *room = arg;
    int fds[2];

    room_tcp_pair(fds);
    room->fds[1] = fds[1];
    TRY(aio_loop_connect_read_pipe(NULL, room_factory, room, fds[0], NULL));
    room_reset(fds[1]);
    room->fds[1] = -1;
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost!ConnectionResetError");
    CHECK_TEXT(room->report, "Fatal read error on pipe transport: ConnectionResetError");
    return 0;
}

/* Unlike those of sockets: asyncio is quiet about EIO only, of a terminal that was hung up. */
static void error_of_reading_a_pipe_is_told_and_reported(void **state)
{
    room_run(reset_as_a_pipe);
}

/* --- water marks ----------------------------------------------------------------------- */

/* Write until something has to wait. */
static int fill(aio_transport *transport)
{
    for (int tries = 0; aio_transport_get_write_buffer_size(transport) == 0; tries++) {
        CHECK(tries < 100);
        CHECK_CODE(aio_transport_write(transport, much, 100000), 0);
    }
    return 0;
}

static int drain(struct room *room, aio_transport *transport)
{
    while (aio_transport_get_write_buffer_size(transport) > 0) {
        (void)recv(room->fds[1], much, MUCH, 0);
        TRY(aio_sleep(0));
    }
    return 0;
}

static int pause_above(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    size_t size;

    TRY(begin(room, room_factory, room, &transport));
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, MUCH, 0), 0);
    TRY(fill(transport));
    size = aio_transport_get_write_buffer_size(transport);
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, size, 0), 0);
    CHECK_TEXT(talk->trace, "made"); /* the buffer is at the mark, not above it */
    CHECK_CODE(aio_transport_write(transport, much, 1), 0);
    CHECK_TEXT(talk->trace, "made pause");
    CHECK_CODE(aio_transport_write(transport, much, 1), 0);
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, 0, 0), 0);
    CHECK_TEXT(talk->trace, "made pause"); /* once */
    TRY(drain(room, transport));
    CHECK_TEXT(talk->trace, "made pause resume");
    return 0;
}

/* S122 */
static void writing_pauses_above_the_mark_and_once(void **state)
{
    room_run(pause_above);
}

static int fail_in_resume(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];

    room->fail_in = "resume";
    room->fail_code = AIO_EKEY;
    TRY(begin(room, room_factory, room, &transport));
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, 0, 0), 0);
    TRY(fill(transport));
    TRY(drain(room, transport));
    CHECK_TEXT(talk->trace, "made pause resume");
    CHECK_TEXT(room->report, "protocol.resume_writing() failed: KeyError");
    CHECK(!aio_transport_is_closing(transport));
    return 0;
}

static void transport_stays_when_resume_writing_fails(void **state)
{
    room_run(fail_in_resume);
}

/* --- the beginning and the end --------------------------------------------------------- */

static int fail_in_lost(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[0];

    room->fail_in = "lost";
    room->fail_code = AIO_EKEY;
    TRY(begin(room, room_factory, room, NULL));
    TRY(room_hang_up(room));
    TRY(talk_wait_lost(talk));
    TRY(room_turn());
    CHECK_TEXT(talk->trace, "made eof lost");
    CHECK_TEXT(room->report, "Exception in callback: KeyError");
    CHECK(talk->released && aio_transport_get_extra_info(talk->transport, "socket") == NULL);
    return 0;
}

static void connection_is_over_though_connection_lost_fails(void **state)
{
    room_run(fail_in_lost);
}

static int fail_in_error(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;

    room->fail_in = "error";
    room->fail_code = AIO_EKEY;
    options.remote_host = "127.0.0.1";
    options.remote_port = 9;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &options, &transport));
    CHECK_CODE(aio_transport_sendto(transport, much, MUCH, NULL), 0); /* too long for one */
    CHECK_TEXT(room->talks[0].trace, "made error!OSError");
    CHECK_TEXT(room->report, "Exception in callback: KeyError");
    CHECK(!aio_transport_is_closing(transport));
    return 0;
}

static void endpoint_stays_when_error_received_fails(void **state)
{
    room_run(fail_in_error);
}

/* --- transports of the program's ------------------------------------------------------- */

static char written[64];

static int write_down(aio_transport *self, const void *data, size_t size)
{
    if (size == 3)
        return aio_raise(AIO_EVALUE, "not three");
    if (size > 0)
        strncat(written, data, size);
    return 0;
}

static const aio_transport_ops plain_ops = {.size = sizeof(plain_ops), .write = write_down};
static aio_transport plain = {&plain_ops};

static void lines_are_written_one_by_one_where_nothing_else_is_said(void **state)
{
    const aio_buffer lines[] = {{"a", 1}, {"bc", 2}, {NULL, 0}};
    const aio_buffer three[] = {{"d", 1}, {"efg", 3}, {"h", 1}};
    const aio_buffer nowhere[] = {{"i", 1}, {NULL, 1}};

    written[0] = '\0';
    assert_int_equal(aio_transport_writelines(&plain, lines, 3), 0);
    assert_string_equal(written, "abc");
    assert_int_equal(aio_transport_writelines(&plain, three, 3), AIO_EVALUE);
    assert_int_equal(aio_transport_writelines(&plain, nowhere, 2), AIO_EVALUE);
    assert_string_equal(written, "abcd"); /* of what is refused, nothing is written */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(protocol_need_not_have_any_function),
        TEST(protocol_of_datagrams_need_not_have_any_function),
        TEST(protocol_of_a_pipe_need_not_have_any_function),
        TEST(buffer_of_any_size_is_asked_for),
        TEST(socket_is_read_256_kib_at_a_time),
        TEST(pipe_is_read_256_kib_at_a_time),
        TEST(error_of_reading_a_pipe_is_told_and_reported),
        TEST(writing_pauses_above_the_mark_and_once),
        TEST(transport_stays_when_resume_writing_fails),
        TEST(connection_is_over_though_connection_lost_fails),
        TEST(endpoint_stays_when_error_received_fails),
        TEST(lines_are_written_one_by_one_where_nothing_else_is_said),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
