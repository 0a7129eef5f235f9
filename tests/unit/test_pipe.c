/* SPDX-License-Identifier: MIT */
/*
 * test_pipe.c - pipes as transports of one direction
 */
#include "support/allocation.h"
#include "support/room.h"

#include <aio/pipe.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 1024 * 1024 };

static char much[MUCH];

/* A transport over one end of a pipe; the other is room->fds[1]. */
static int begin(struct room *room, bool writes, aio_transport **ret_transport)
{
    int fds[2];
    int mine;
    int err;

    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    mine = writes ? fds[1] : fds[0];
    room->fds[1] = writes ? fds[0] : fds[1];
    CHECK(fcntl(room->fds[1], F_SETFL, O_NONBLOCK) == 0);
    err = writes ? aio_loop_connect_write_pipe(NULL, room_factory, room, mine, ret_transport)
                 : aio_loop_connect_read_pipe(NULL, room_factory, room, mine, ret_transport);
    if (err < 0)
        close(mine);
    return err;
}

/* --- reading --------------------------------------------------------------------------- */

static int read_all(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    const int *fd;

    room->keeps_open = true; /* which is of no use to a pipe */
    TRY(begin(room, false, &transport));
    CHECK_TEXT(talk->trace, "made");
    fd = aio_transport_get_extra_info(transport, "pipe");
    CHECK(fd != NULL && (fcntl(*fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK(aio_transport_is_reading(transport));
    CHECK(write(room->fds[1], "abc", 3) == 3);
    TRY(talk_wait_received(talk, 3));
    TRY(room_hang_up(room));
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made data:3 eof lost");
    CHECK(aio_transport_get_extra_info(transport, "pipe") == NULL || !talk->released);
    CHECK_CODE(aio_transport_write(transport, "x", 1), AIO_ENOTIMPLEMENTED);
    return 0;
}

static void pipe_is_read_to_its_end(void **state)
{
    room_run(read_all);
}

static void pipe_reading_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(read_all);
}

static int pause_a_while(struct room *room, aio_transport *transport)
{
    struct talk *talk = &room->talks[0];

    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    CHECK_CODE(aio_transport_pause_reading(transport), 0);
    CHECK(write(room->fds[1], "abc", 3) == 3);
    TRY(room_turn());
    CHECK(talk->received == 0);
    CHECK_CODE(aio_transport_resume_reading(transport), 0);
    return talk_wait_received(talk, 3);
}

static int pause_and_close(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, false, &transport));
    TRY(pause_a_while(room, transport));
    aio_transport_close(transport);
    aio_transport_close(transport);
    CHECK(aio_transport_is_closing(transport) && !aio_transport_is_reading(transport));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made data:3 lost");
    return 0;
}

static void pipe_reading_pauses_and_closes(void **state)
{
    room_run(pause_and_close);
}

/* --- writing --------------------------------------------------------------------------- */

static int write_much(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    struct talk *talk = &room->talks[0];
    static char buffer[65536];
    size_t got = 0;
    uint32_t sum = 0;
    aio_buffer lines[2] = {{much, 100}, {much + 100, MUCH - 200}};

    room_fill(much, MUCH);
    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_writelines(transport, lines, 2), 0);
    CHECK_TEXT(talk->trace, "made pause");
    CHECK_CODE(aio_transport_write(transport, much + MUCH - 100, 100), 0);
    CHECK(aio_transport_can_write_eof(transport));
    CHECK_CODE(aio_transport_write_eof(transport), 0);
    CHECK(aio_transport_is_closing(transport));
    for (int i = 0; i < 6; i++)
        CHECK_CODE(aio_transport_write(transport, "x", 1), 0); /* dropped */
    for (;;) {
        ssize_t n = read(room->fds[1], buffer, sizeof(buffer));

        if (n == 0)
            break;
        sum = n > 0 ? room_sum(sum, got, buffer, (size_t)n) : sum;
        got += n > 0 ? (size_t)n : 0;
        TRY(aio_sleep(0));
    }
    CHECK(got == MUCH && sum == room_sum(0, 0, much, MUCH));
    TRY(talk_wait_lost(talk));
    CHECK_TEXT(talk->trace, "made pause resume lost");
    return 0;
}

static void pipe_is_written_more_than_it_holds(void **state)
{
    room_run(write_much);
}

/* All of it arrives, or what it was short of is said. */
static int write_or_fail(void *arg, void **ret_result)
{
    static char buffer[4096];
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    size_t got = 0;
    int err;

    TRY(begin(room, true, &transport));
    err = aio_transport_write(transport, much, MUCH);
    if (err == 0)
        err = aio_transport_write_eof(transport);
    for (ssize_t n = 1; err == 0 && n != 0; got += n > 0 ? (size_t)n : 0) {
        n = read(room->fds[1], buffer, sizeof(buffer));
        err = aio_sleep(0);
    }
    CHECK(err < 0 || got == MUCH);
    aio_transport_abort(transport);
    return err < 0 ? err : room_turn();
}

static void pipe_writing_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(write_or_fail);
}

static int reader_gone(void *arg, void **ret_result)
{
    struct room *room = arg;

    TRY(begin(room, true, NULL));
    TRY(room_hang_up(room));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost");
    return 0;
}

static void pipe_notices_that_its_reader_is_gone(void **state)
{
    room_run(reader_gone);
}

static int reader_gone_early(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    TRY(room_hang_up(room));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made pause lost!BrokenPipeError");
    return 0;
}

static void pipe_is_broken_for_what_its_reader_has_not_read(void **state)
{
    room_run(reader_gone_early);
}

static int write_to_nobody(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    TRY(room_hang_up(room));
    CHECK_CODE(aio_transport_write(transport, "x", 1), 0); /* and no SIGPIPE */
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost!BrokenPipeError");
    return 0;
}

static void pipe_without_a_reader_raises_no_signal(void **state)
{
    room_run(write_to_nobody);
}

static int abort_it(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    aio_transport_abort(transport);
    CHECK(aio_transport_get_write_buffer_size(transport) == 0);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made pause lost");
    return 0;
}

static void pipe_abort_drops_what_is_buffered(void **state)
{
    room_run(abort_it);
}

static const char broken[] = "pipe closed by peer or os.write(pipe, data) raised exception.";

static int write_after_close(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    aio_transport_close(transport);
    TRY(room_write_late(transport, 5, broken));
    TRY(talk_wait_lost(&room->talks[0]));
    return room_write_late(transport, 0, broken);
}

static void pipe_warns_of_writes_after_close_from_the_sixth_on(void **state)
{
    room_run(write_after_close);
}

static int write_after_abort(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    CHECK_CODE(aio_transport_write(transport, much, MUCH), 0);
    aio_transport_abort(transport);
    return room_write_late(transport, 5, broken);
}

static void pipe_warns_of_writes_after_abort_from_the_sixth_on(void **state)
{
    room_run(write_after_abort);
}

static int write_after_a_failure(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    TRY(room_hang_up(room));
    CHECK_CODE(aio_transport_write(transport, "x", 1), 0);
    return room_write_late(transport, 4, broken);
}

static void pipe_warns_of_writes_after_one_that_failed_from_the_fifth_on(void **state)
{
    room_run(write_after_a_failure);
}

/* --- what is no pipe ------------------------------------------------------------------- */

static int wrong_files(void *arg, void **ret_result)
{
    struct room *room = arg;

    CHECK_CODE(aio_loop_connect_read_pipe(NULL, room_factory, room, -1, NULL), -EBADF);
    room->fds[0] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_CODE(aio_loop_connect_read_pipe(NULL, room_factory, room, room->fds[0], NULL),
               AIO_EVALUE);
    CHECK_CODE(aio_loop_connect_write_pipe(NULL, room_factory, room, room->fds[0], NULL),
               AIO_EVALUE);
    CHECK(room->count == 0);
    return 0;
}

static void pipe_transport_of_a_file_is_refused(void **state)
{
    room_run(wrong_files);
}

static int leave_open(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;

    TRY(begin(room, true, &transport));
    return aio_transport_write(transport, much, MUCH);
}

static void pipe_ends_with_its_loop(void **state)
{
    room_run(leave_open);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pipe_is_read_to_its_end),
        TEST(pipe_reading_survives_every_shortage_of_memory),
        TEST(pipe_writing_survives_every_shortage_of_memory),
        TEST(pipe_reading_pauses_and_closes),
        TEST(pipe_is_written_more_than_it_holds),
        TEST(pipe_notices_that_its_reader_is_gone),
        TEST(pipe_is_broken_for_what_its_reader_has_not_read),
        TEST(pipe_without_a_reader_raises_no_signal),
        TEST(pipe_abort_drops_what_is_buffered),
        TEST(pipe_warns_of_writes_after_close_from_the_sixth_on),
        TEST(pipe_warns_of_writes_after_abort_from_the_sixth_on),
        TEST(pipe_warns_of_writes_after_one_that_failed_from_the_fifth_on),
        TEST(pipe_transport_of_a_file_is_refused),
        TEST(pipe_ends_with_its_loop),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
