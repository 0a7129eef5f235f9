/* SPDX-License-Identifier: MIT */
/*
 * test_transport.c - transports of connected stream sockets, with peers of all kinds
 */
#include "support/allocation.h"
#include "support/room.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 4 * 1024 * 1024 };

static char *much; /* MUCH bytes of the pattern */

/* Our end of a pair becomes a transport; the other is room->fds[1], non-blocking. */
static int begin(struct room *room, bool tcp, aio_transport **ret_transport)
{
    int fds[2];
    int err;

    if (tcp)
        room_tcp_pair(fds);
    else
        room_socketpair(fds);
    room->fds[1] = fds[1];
    CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
    err = aio_loop_connect_accepted_socket(room->loop, room_factory, room, fds[0], ret_transport);
    if (err < 0)
        close(fds[0]);
    return err;
}

/* The peer reads all there is now: how much, 0 at EOF too. */
static size_t drain(struct room *room, uint32_t *sum, size_t place)
{
    static char buffer[65536];
    size_t got = 0;
    ssize_t n;

    while ((n = recv(room->fds[1], buffer, sizeof(buffer), 0)) > 0) {
        *sum = room_sum(*sum, place + got, buffer, (size_t)n);
        got += (size_t)n;
    }
    return got;
}

/* --- reading --------------------------------------------------------------------------- */

static int order(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    int fds[2];
    int err;

    room_socketpair(fds);
    room->fds[1] = fds[1];
    CHECK(send(fds[1], "early", 5, 0) == 5);
    err = aio_loop_connect_accepted_socket(NULL, room_factory, room, fds[0], &transport);
    if (err < 0 && room->count == 0)
        close(fds[0]); /* no memory, and no protocol: it is still ours */
    TRY(err);
    CHECK_TEXT(talk->trace, "made"); /* the call returns before any data */
    CHECK(aio_transport_get_protocol(transport) == &talk->base);
    CHECK(aio_transport_get_loop(transport) == room->loop);
    CHECK(aio_transport_is_reading(transport));
    TRY(talk_wait_received(talk, 5));
    TRY(room_hang_up(room));
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made data:5 eof lost");
    CHECK(aio_transport_is_closing(transport));
    return 0;
}

static void transport_calls_its_protocol_in_order(void **state)
{
    room_run(order);
}

static void transport_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(order);
}

static int byte_by_byte(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[0];

    room->quiet = true;
    TRY(begin(room, true, NULL));
    for (size_t i = 0; i < 200; i++) {
        CHECK(send(room->fds[1], much + i, 1, 0) == 1);
        TRY(talk_wait_received(talk, i + 1));
    }
    CHECK(memcmp(talk->data, much, 200) == 0);
    return 0;
}

static void transport_reads_one_byte_at_a_time(void **state)
{
    room_run(byte_by_byte);
}

static int pause_and_resume(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];

    TRY(begin(room, false, &transport));
    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    CHECK(!aio_transport_is_reading(transport));
    CHECK(send(room->fds[1], "later", 5, 0) == 5);
    TRY(room_turn());
    CHECK(talk->received == 0);
    CHECK_CODE(aio_transport_resume_reading(transport), 0);
    TRY(talk_wait_received(talk, 5));
    aio_transport_close(transport);
    CHECK(!aio_transport_is_reading(transport));
    CHECK_CODE(aio_transport_resume_reading(transport), 0);
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made data:5 lost");
    return 0;
}

static void transport_reads_nothing_while_paused(void **state)
{
    room_run(pause_and_resume);
}

static int half_close(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    char answer[8];

    room->keeps_open = true;
    TRY(begin(room, true, &transport));
    CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
    TRY(talk_wait_for(talk, "eof"));
    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    CHECK_CODE(aio_transport_resume_reading(transport), 0); /* does not bring it again */
    CHECK_CODE(aio_transport_write(transport, "still", 5), 0);
    TRY(room_turn());
    CHECK(recv(room->fds[1], answer, sizeof(answer), 0) == 5);
    aio_transport_close(transport);
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made eof lost");
    return 0;
}

static void transport_writes_on_when_the_peer_has_half_closed(void **state)
{
    room_run(half_close);
}

static int reset(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[0];

    TRY(begin(room, true, NULL));
    room_reset(room->fds[1]);
    room->fds[1] = -1;
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made lost!ConnectionResetError");
    CHECK(room->reports == 0); /* the protocol was told */
    return 0;
}

/* S115 */
static void transport_tells_of_a_reset(void **state)
{
    room_run(reset);
}

static int fill_buffers(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[0];

    room->buffered = true;
    room->quiet = true;
    TRY(begin(room, false, NULL));
    CHECK(send(room->fds[1], much, 2000, 0) == 2000);
    TRY(talk_wait_received(talk, 2000));
    CHECK(memcmp(talk->data, much, 2000) == 0);
    return 0;
}

static void transport_reads_into_buffers_of_the_protocol(void **state)
{
    room_run(fill_buffers);
}

static int switch_protocol(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_protocol *second;

    TRY(begin(room, false, &transport));
    room->buffered = true;
    second = room_factory(room);
    aio_transport_set_protocol(transport, second);
    room->talks[0].released = true; /* no longer the transport's */
    CHECK(send(room->fds[1], "x", 1, 0) == 1);
    TRY(talk_wait_received(&room->talks[1], 1));
    TRY(room_hang_up(room));
    TRY(talk_wait_lost(&room->talks[1]));
    CHECK_TEXT(room->talks[0].trace, "made");
    CHECK_TEXT(room->talks[1].trace, "data:1 eof lost");
    return 0;
}

static void transport_switches_protocols(void **state)
{
    room_run(switch_protocol);
}

/* --- protocols that fail --------------------------------------------------------------- */

static int fail_where(struct room *room, const char *where, const char *report, const char *trace)
{
    struct talk *talk = &room->talks[0];

    room->fail_in = where;
    room->fail_code = AIO_EKEY;
    TRY(begin(room, false, NULL));
    CHECK(send(room->fds[1], "x", 1, 0) == 1);
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(room->report, report);
    CHECK_TEXT(talk->trace, trace);
    CHECK(room->reports == 1);
    return 0;
}

static int fail_in_data(void *arg, void **ret_result)
{
    return fail_where(arg, "data", "Fatal error: protocol.data_received() call failed.: KeyError",
                      "made data:1 lost!KeyError");
}

static int fail_in_updated(void *arg, void **ret_result)
{
    ((struct room *)arg)->buffered = true;
    return fail_where(arg, "data", "Fatal error: protocol.buffer_updated() call failed.: KeyError",
                      "made data:1 lost!KeyError");
}

static int fail_in_get_buffer(void *arg, void **ret_result)
{
    ((struct room *)arg)->buffered = true;
    return fail_where(arg, "get_buffer",
                      "Fatal error: protocol.get_buffer() call failed.: KeyError",
                      "made lost!KeyError");
}

static int give_empty_buffer(void *arg, void **ret_result)
{
    ((struct room *)arg)->buffered = true;
    return fail_where(arg, "empty", "Fatal error: protocol.get_buffer() call failed.: RuntimeError",
                      "made lost!RuntimeError");
}

static void transport_ends_with_the_error_of_its_protocol(void **state)
{
    room_run(fail_in_data);
    room_run(fail_in_updated);
    room_run(fail_in_get_buffer);
    room_run(give_empty_buffer);
}

static int fail_in_made(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct talk *talk = &room->talks[0];

    room->fail_in = "made";
    room->fail_code = AIO_EKEY;
    TRY(begin(room, false, NULL));
    CHECK_TEXT(room->report, "Exception in callback: KeyError");
    CHECK(send(room->fds[1], "x", 1, 0) == 1);
    TRY(talk_wait_received(talk, 1)); /* asyncio goes on all the same */
    return 0;
}

static void transport_goes_on_when_connection_made_fails(void **state)
{
    room_run(fail_in_made);
}

static int refuse(void *arg, void **ret_result)
{
    struct room *room = arg;
    int fds[2];
    int err;

    room->refuse = 1;
    room_socketpair(fds);
    room->fds[0] = fds[0];
    room->fds[1] = fds[1];
    err = aio_loop_connect_accepted_socket(NULL, room_factory, room, fds[0], NULL);
    CHECK(err == AIO_EVALUE);
    CHECK_TEXT(aio_error_text(err), "no protocol today");
    CHECK(send(fds[0], "x", 1, 0) == 1); /* still ours */
    return 0;
}

static void transport_leaves_the_socket_when_the_factory_fails(void **state)
{
    room_run(refuse);
}

/* --- writing --------------------------------------------------------------------------- */

static int write_much(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    uint32_t sum = 0;
    size_t got = 0;
    size_t high;
    size_t low;

    TRY(begin(room, true, &transport));
    aio_transport_get_write_buffer_limits(transport, &high, &low);
    CHECK(high == 65536 && low == 16384);
    CHECK_CODE(aio_transport_write(transport, much, MUCH / 2), 0);
    CHECK_TEXT(talk->trace, "made pause"); /* inside the call */
    CHECK_CODE(aio_transport_write(transport, much + MUCH / 2, MUCH / 2), 0);
    CHECK(aio_transport_get_write_buffer_size(transport) > high);
    while (got < MUCH) {
        got += drain(room, &sum, got);
        CHECK(talk->resumed == 0 || aio_transport_get_write_buffer_size(transport) <= low);
        TRY(aio_sleep(0));
    }
    CHECK(got == MUCH && sum == room_sum(0, 0, much, MUCH));
    CHECK_TEXT(talk->trace, "made pause resume");
    CHECK(aio_transport_get_write_buffer_size(transport) == 0);
    return 0;
}

static void transport_writes_more_than_the_peer_takes(void **state)
{
    room_run(write_much);
}

static int write_or_lose(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    uint32_t sum = 0;
    size_t got = 0;
    int err;

    TRY(begin(room, true, &transport));
    err = aio_transport_write(transport, much, MUCH);
    while (err == 0 && got < MUCH) {
        got += drain(room, &sum, got);
        TRY(aio_sleep(0));
    }
    CHECK(err == 0 || err == AIO_ENOMEM);
    CHECK((err < 0) == aio_transport_is_closing(transport)); /* part of it may have gone */
    aio_transport_close(transport);
    TRY(talk_wait_lost(talk));
    CHECK((err < 0) == (strstr(talk->trace, "lost!MemoryError") != NULL));
    return err;
}

static void transport_writing_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(write_or_lose);
}

static int write_after_the_end(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    aio_transport_abort(transport);
    TRY(talk_wait_lost(&room->talks[0]));
    return room_write_late(transport, 4, "socket.send() raised exception.");
}

static void transport_warns_of_writes_after_the_end_from_the_fifth_on(void **state)
{
    room_run(write_after_the_end);
}

static int write_lines(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_buffer lines[100];
    uint32_t sum = 0;
    size_t place = 0;
    size_t got = 0;

    for (size_t i = 0; i < 100; i++) {
        lines[i] = (aio_buffer){much + place, i * 331};
        place += i * 331;
    }
    TRY(begin(room, false, &transport));
    CHECK_CODE(aio_transport_writelines(transport, lines, 100), 0);
    CHECK_CODE(aio_transport_writelines(transport, lines, 0), 0);
    CHECK_CODE(aio_transport_write(transport, much + place, 10), 0);
    while (got < place + 10) {
        got += drain(room, &sum, got);
        TRY(aio_sleep(0));
    }
    CHECK(sum == room_sum(0, 0, much, place + 10));
    return 0;
}

static void transport_writes_lines_in_order(void **state)
{
    room_run(write_lines);
}

static int close_flushes(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    uint32_t sum = 0;
    size_t got = 0;

    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH - 100), 0);
    aio_transport_close(transport);
    aio_transport_close(transport);
    CHECK(aio_transport_is_closing(transport));
    CHECK_CODE(aio_transport_write(transport, much + MUCH - 100, 100), 0); /* S121 */
    while (!talk->lost) {
        got += drain(room, &sum, got);
        TRY(aio_sleep(0));
    }
    got += drain(room, &sum, got);
    CHECK(got == MUCH && sum == room_sum(0, 0, much, MUCH));
    CHECK_TEXT(talk->trace, "made pause resume lost");
    return 0;
}

static void transport_close_sends_what_is_buffered(void **state)
{
    room_run(close_flushes);
}

static int abort_drops(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];

    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    aio_transport_close(transport);
    aio_transport_abort(transport);
    CHECK(!talk->lost); /* never inside the call */
    CHECK(aio_transport_get_write_buffer_size(transport) == 0);
    aio_transport_abort(transport);
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made pause lost");
    for (int i = 0; i < 10; i++)
        CHECK_CODE(aio_transport_write(transport, "x", 1), 0); /* dropped */
    return 0;
}

static void transport_abort_drops_what_is_buffered(void **state)
{
    room_run(abort_drops);
}

static int write_to_nobody(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];

    TRY(begin(room, false, &transport));
    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    TRY(room_hang_up(room));
    CHECK_CODE(aio_transport_write(transport, "x", 1), 0); /* the call does not fail */
    CHECK(!talk->lost);
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made lost!BrokenPipeError");
    return 0;
}

static void transport_tells_the_protocol_when_a_write_fails(void **state)
{
    room_run(write_to_nobody);
}

static int reset_while_full(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];

    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    aio_transport_close(transport);
    room_reset(room->fds[1]);
    room->fds[1] = -1;
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made pause lost!ConnectionResetError");
    return 0;
}

static void transport_closing_against_a_reset_ends(void **state)
{
    room_run(reset_while_full);
}

static int write_eof(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    uint32_t sum = 0;
    size_t got = 0;
    char byte;

    TRY(begin(room, true, &transport));
    CHECK(aio_transport_can_write_eof(transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    CHECK_CODE(aio_transport_write_eof(transport), 0);
    CHECK_CODE(aio_transport_write_eof(transport), 0);
    CHECK_CODE(aio_transport_write(transport, "x", 1), AIO_ERUNTIME);
    while (got < MUCH) {
        got += drain(room, &sum, got);
        TRY(aio_sleep(0));
    }
    CHECK(sum == room_sum(0, 0, much, MUCH));
    TRY(room_turn());
    CHECK(recv(room->fds[1], &byte, 1, 0) == 0);
    CHECK(send(room->fds[1], "back", 4, 0) == 4); /* our reading side is open */
    TRY(talk_wait_received(talk, 4));
    return 0;
}

static void transport_writes_eof_behind_what_is_buffered(void **state)
{
    room_run(write_eof);
}

static int limits(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    size_t high;
    size_t low;

    TRY(begin(room, false, &transport));
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, 10, 20), AIO_EVALUE);
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, AIO_LIMIT_DEFAULT, 25), 0);
    aio_transport_get_write_buffer_limits(transport, &high, &low);
    CHECK(high == 100 && low == 25);
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, MUCH, AIO_LIMIT_DEFAULT), 0);
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    CHECK_TEXT(talk->trace, "made");
    CHECK_CODE(aio_transport_set_write_buffer_limits(transport, 0, AIO_LIMIT_DEFAULT), 0);
    CHECK_TEXT(talk->trace, "made pause"); /* at once */
    aio_transport_abort(transport);
    return 0;
}

static void transport_limits_of_the_buffer_can_be_set(void **state)
{
    room_run(limits);
}

static int fail_in_pause(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];

    room->fail_in = "pause";
    room->fail_code = AIO_EKEY;
    TRY(begin(room, false, &transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    CHECK_TEXT(room->report, "protocol.pause_writing() failed: KeyError");
    CHECK(!talk->lost && !aio_transport_is_closing(transport));
    aio_transport_abort(transport);
    return 0;
}

static void transport_stays_when_pause_writing_fails(void **state)
{
    room_run(fail_in_pause);
}

static int flood(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    size_t sent = 0;
    size_t got = 0;
    uint32_t sum = 0;

    room->echoes = true;
    room->quiet = true;
    TRY(begin(room, true, &transport));
    while (got < MUCH) {
        ssize_t n = sent < MUCH ? send(room->fds[1], much + sent, MUCH - sent, 0) : 0;

        sent += n > 0 ? (size_t)n : 0;
        got += drain(room, &sum, got);
        TRY(aio_sleep(0));
    }
    CHECK(talk->received == MUCH && talk->sum == room_sum(0, 0, much, MUCH));
    CHECK(sum == talk->sum);
    return 0;
}

static void transport_echoes_a_flood(void **state)
{
    room_run(flood);
}

/* --- beside it ------------------------------------------------------------------------- */

static int ignore(void *arg)
{
    (void)arg;
    return 0;
}

static int own_the_fd(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    const int *fd;
    int copy;
    int value = 0;
    socklen_t size = sizeof(value);
    struct sockaddr_in name;
    socklen_t name_size = sizeof(name);
    const struct sockaddr_in *own;

    TRY(begin(room, true, &transport));
    fd = aio_transport_get_extra_info(transport, "socket");
    CHECK(fd != NULL);
    copy = *fd;
    CHECK(getsockopt(copy, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0 && value != 0);
    CHECK_CODE(aio_loop_add_reader(room->loop, copy, ignore, NULL), AIO_ERUNTIME);
    CHECK_CODE(aio_loop_add_writer(room->loop, copy, ignore, NULL), AIO_ERUNTIME);
    CHECK(!aio_loop_remove_reader(room->loop, copy));
    CHECK(getsockname(copy, (struct sockaddr *)&name, &name_size) == 0);
    own = aio_transport_get_extra_info(transport, "sockname");
    CHECK(own != NULL && memcmp(own, &name, sizeof(name)) == 0);
    CHECK(getpeername(copy, (struct sockaddr *)&name, &name_size) == 0);
    own = aio_transport_get_extra_info(transport, "peername");
    CHECK(own != NULL && memcmp(own, &name, sizeof(name)) == 0);
    CHECK(aio_transport_get_extra_info(transport, "no such thing") == NULL);
    aio_transport_close(transport);
    TRY(talk_wait_lost(&room->talks[0]));
    TRY(room_turn());
    CHECK(aio_transport_get_extra_info(transport, "socket") == NULL);
    room->fds[0] = dup2(room->fds[1], copy); /* the number is free for others */
    CHECK_CODE(aio_loop_add_reader(room->loop, copy, ignore, NULL), 0);
    CHECK(aio_loop_remove_reader(room->loop, copy));
    return 0;
}

static void transport_owns_its_descriptor(void **state)
{
    room_run(own_the_fd);
}

static int take_watched(void *arg, void **ret_result)
{
    struct room *room = arg;

    room_socketpair(room->fds);
    CHECK_CODE(aio_loop_add_reader(room->loop, room->fds[0], ignore, NULL), 0);
    CHECK_CODE(aio_loop_connect_accepted_socket(NULL, room_factory, room, room->fds[0], NULL),
               AIO_ERUNTIME);
    CHECK(aio_loop_remove_reader(room->loop, room->fds[0]));
    return 0;
}

static void transport_is_not_made_for_a_watched_descriptor(void **state)
{
    room_run(take_watched);
}

static int connect_it(void *arg, void **ret_result)
{
    struct room *room = arg;

    return aio_loop_connect_accepted_socket(NULL, room_factory, room, room->fds[0], NULL);
}

static int cancel(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_task) task = NULL;

    room_socketpair(room->fds);
    task = aio_create_task(connect_it, room);
    while (room->count == 0)
        TRY(aio_sleep(0));
    room->fds[0] = -1; /* the transport's now */
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost");
    return 0;
}

static void transport_is_closed_when_its_making_is_cancelled(void **state)
{
    room_run(cancel);
}

static int leave_open(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_transport *transport;

    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    aio_transport_unref(transport);
    return 0;
}

static void transport_ends_with_its_loop(void **state)
{
    room_run(leave_open);
}

static int wrong_sockets(void *arg, void **ret_result)
{
    struct room *room = arg;

    CHECK_CODE(aio_loop_connect_accepted_socket(NULL, room_factory, room, -1, NULL), -EBADF);
    room->fds[0] = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_CODE(aio_loop_connect_accepted_socket(NULL, room_factory, room, room->fds[0], NULL),
               AIO_EVALUE);
    CHECK_CODE(aio_loop_connect_accepted_socket(NULL, NULL, room, room->fds[0], NULL), AIO_EVALUE);
    return 0;
}

static void transport_of_what_is_no_stream_socket_is_refused(void **state)
{
    room_run(wrong_sockets);
}

static int set_up(void **state)
{
    much = malloc(MUCH);
    if (much == NULL)
        return -1;
    room_fill(much, MUCH);
    return 0;
}

static int tear_down(void **state)
{
    free(much);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(transport_calls_its_protocol_in_order),
        TEST(transport_survives_every_shortage_of_memory),
        TEST(transport_reads_one_byte_at_a_time),
        TEST(transport_reads_nothing_while_paused),
        TEST(transport_writes_on_when_the_peer_has_half_closed),
        TEST(transport_tells_of_a_reset),
        TEST(transport_reads_into_buffers_of_the_protocol),
        TEST(transport_switches_protocols),
        TEST(transport_ends_with_the_error_of_its_protocol),
        TEST(transport_goes_on_when_connection_made_fails),
        TEST(transport_leaves_the_socket_when_the_factory_fails),
        TEST(transport_writes_more_than_the_peer_takes),
        TEST(transport_writing_survives_every_shortage_of_memory),
        TEST(transport_writes_lines_in_order),
        TEST(transport_close_sends_what_is_buffered),
        TEST(transport_abort_drops_what_is_buffered),
        TEST(transport_tells_the_protocol_when_a_write_fails),
        TEST(transport_warns_of_writes_after_the_end_from_the_fifth_on),
        TEST(transport_closing_against_a_reset_ends),
        TEST(transport_writes_eof_behind_what_is_buffered),
        TEST(transport_limits_of_the_buffer_can_be_set),
        TEST(transport_stays_when_pause_writing_fails),
        TEST(transport_echoes_a_flood),
        TEST(transport_owns_its_descriptor),
        TEST(transport_is_not_made_for_a_watched_descriptor),
        TEST(transport_is_closed_when_its_making_is_cancelled),
        TEST(transport_ends_with_its_loop),
        TEST(transport_of_what_is_no_stream_socket_is_refused),
    };

    return RUN_TESTS(tests, set_up, tear_down);
}
