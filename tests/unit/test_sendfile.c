/* SPDX-License-Identifier: MIT */
/*
 * test_sendfile.c - files sent over sockets and transports
 */
#include "support/allocation.h"
#include "support/room.h"

#include <aio/datagram.h>
#include <aio/memory.h>
#include <aio/pipe.h>
#include <aio/sendfile.h>
#include <aio/sock.h>
#include <aio/thread_pool.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 1024 * 1024 };

static char much[MUCH];

/* A file of its own with the pattern, gone with its descriptor. */
static int open_file(int *ret_fd)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    room_fill(much, MUCH);
    CHECK(fd >= 0);
    *ret_fd = fd;
    CHECK(pwrite(fd, much, MUCH, 0) == MUCH);
    return 0;
}

static int open_pair(struct room *room)
{
    room_socketpair(room->fds);
    CHECK(fcntl(room->fds[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(fcntl(room->fds[1], F_SETFL, O_NONBLOCK) == 0);
    return 0;
}

/* One sending, in a task of its own. */
struct job {
    struct room *room;
    aio_transport *transport; /* NULL: over the socket fds[0] */
    int file;
    aio_sendfile_options options;
    uint64_t sent;
};

static int send_file(void *arg, void **ret_result)
{
    struct job *job = arg;

    return job->transport != NULL
               ? aio_loop_sendfile(NULL, job->transport, job->file, &job->options, &job->sent)
               : aio_loop_sock_sendfile(NULL, job->room->fds[0], job->file, &job->options,
                                        &job->sent);
}

/* The same, for who reads on until it is over: a failure ends the connection. */
static int send_or_hang_up(void *arg, void **ret_result)
{
    struct job *job = arg;
    int err = send_file(arg, ret_result);

    if (err < 0 && job->transport != NULL)
        aio_transport_abort(job->transport);
    else if (err < 0)
        (void)shutdown(job->room->fds[0], SHUT_WR);
    return err;
}

/* Read so many bytes from fds[1], which are those of the file from `place` on. */
static int expect(struct room *room, size_t place, size_t size)
{
    static char buffer[100000];

    while (size > 0) {
        size_t got;

        TRY(aio_loop_sock_recv(NULL, room->fds[1], buffer,
                               size < sizeof(buffer) ? size : sizeof(buffer), &got));
        if (got == 0)
            return aio_raise(-ECONNRESET, "the stream ended early");
        CHECK(memcmp(buffer, much + place, got) == 0);
        place += got;
        size -= got;
    }
    return 0;
}

/* How many pieces were read in threads. */
static int pieces(const struct room *room, uint64_t expected)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;

    CHECK_CODE(aio_loop_get_executor_stats(room->loop, &stats), 0);
    CHECK(stats.submitted == expected);
    return 0;
}

/* --- sockets --------------------------------------------------------------------------- */

static int all_of_it(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;
    int err;

    TRY(open_pair(room));
    TRY(open_file(&job.file));
    task = aio_create_task(send_or_hang_up, &job);
    err = task == NULL ? AIO_ENOMEM : expect(room, 0, MUCH);
    if (err == 0)
        err = aio_await(task, NULL);
    if (err == 0) {
        CHECK(job.sent == MUCH);
        CHECK(lseek(job.file, 0, SEEK_CUR) == MUCH);
    }
    if (task != NULL && aio_task_cancel(task, NULL))
        (void)aio_await(task, NULL);
    close(job.file);
    return err;
}

static void sendfile_over_a_socket_sends_more_than_fits(void **state)
{
    room_run(all_of_it);
}

static void sendfile_over_a_socket_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(all_of_it);
}

static int parts(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};

    TRY(open_pair(room));
    TRY(open_file(&job.file));
    job.options.offset = 1000;
    job.options.count = 500;
    TRY(send_file(&job, NULL));
    CHECK(job.sent == 500 && lseek(job.file, 0, SEEK_CUR) == 1500);
    TRY(expect(room, 1000, 500));

    job.options.offset = MUCH - 10; /* the file ends before */
    TRY(send_file(&job, NULL));
    CHECK(job.sent == 10);
    TRY(expect(room, MUCH - 10, 10));

    job.options.offset = MUCH; /* nothing there: the position stays */
    CHECK(lseek(job.file, 7, SEEK_SET) == 7);
    TRY(send_file(&job, NULL));
    CHECK(job.sent == 0 && lseek(job.file, 0, SEEK_CUR) == 7);
    close(job.file);
    return 0;
}

static void sendfile_sends_a_part_and_moves_the_position_behind_it(void **state)
{
    room_run(parts);
}

static int by_hand(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;

    TRY(open_pair(room));
    memset(much, 0, MUCH);
    job.file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    job.options.count = MUCH;
    job.options.no_fallback = true;
    CHECK_CODE(send_file(&job, NULL), AIO_ESENDFILENOTAVAILABLE);
    job.options.no_fallback = false;
    task = aio_create_task(send_file, &job);
    TRY(expect(room, 0, MUCH));
    TRY(aio_await(task, NULL));
    CHECK(job.sent == MUCH);
    TRY(pieces(room, MUCH / (256 * 1024)));
    close(job.file);
    return 0;
}

static void sendfile_reads_and_writes_what_the_system_cannot_send(void **state)
{
    room_run(by_hand);
}

static int cancelled(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;
    off_t sent;

    TRY(open_pair(room));
    TRY(open_file(&job.file));
    task = aio_create_task(send_file, &job);
    TRY(expect(room, 0, 1000));
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    sent = lseek(job.file, 0, SEEK_CUR);
    CHECK(sent >= 1000 && sent < MUCH);
    TRY(expect(room, 1000, (size_t)sent - 1000)); /* as much as the position says */
    job.options.offset = (uint64_t)sent;
    task = (aio_future_unref(task), aio_create_task(send_file, &job));
    TRY(expect(room, (size_t)sent, MUCH - (size_t)sent));
    TRY(aio_await(task, NULL));
    close(job.file);
    return 0;
}

static void sendfile_cancelled_leaves_the_position_behind_what_was_sent(void **state)
{
    room_run(cancelled);
}

static int misuse(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    TRY(open_pair(room));
    TRY(open_file(&job.file));
    CHECK_CODE(aio_loop_sock_sendfile(NULL, datagrams, job.file, NULL, NULL), AIO_EVALUE);
    close(datagrams);
    CHECK_CODE(aio_loop_sock_sendfile(NULL, -1, job.file, NULL, NULL), -EBADF);
    CHECK_CODE(aio_loop_sock_sendfile(NULL, room->fds[0], -1, NULL, NULL), -EBADF);
    CHECK_CODE(aio_loop_sendfile(NULL, NULL, job.file, NULL, NULL), AIO_EVALUE);
    job.options.count = UINT64_MAX;
    CHECK_CODE(send_file(&job, NULL), AIO_EVALUE);
    job.options.count = 0;
    job.options.offset = (uint64_t)INT64_MAX + 1;
    CHECK_CODE(send_file(&job, NULL), AIO_EVALUE);
    job.options.size = 1;
    CHECK_CODE(send_file(&job, NULL), AIO_EVALUE);
    close(room->fds[1]);
    room->fds[1] = -1;
    CHECK_CODE(aio_loop_sock_sendfile(NULL, room->fds[0], job.file, NULL, NULL), -EPIPE);
    close(job.file);
    return 0;
}

static void sendfile_says_what_is_wrong(void **state)
{
    room_run(misuse);
}

/* --- transports ------------------------------------------------------------------------ */

/* A transport over fds[0], which is the transport's then. */
static int connect_talk(struct room *room)
{
    TRY(aio_loop_connect_accepted_socket(NULL, room_factory, room, room->fds[0], NULL));
    room->fds[0] = -1;
    return 0;
}

static int in_order(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT, .file = -1};
    AIO_AUTO(aio_task) task = NULL;
    int err;

    TRY(open_pair(room));
    TRY(connect_talk(room));
    job.transport = room->talks[0].transport;
    err = open_file(&job.file);
    if (err == 0)
        err = aio_transport_write(job.transport, much, MUCH); /* most of it is buffered */
    if (err == 0) {
        task = aio_create_task(send_or_hang_up, &job);
        err = task == NULL ? AIO_ENOMEM : room_turn();
    }
    if (err == 0) {
        CHECK(aio_future_done(task) || !aio_transport_is_reading(job.transport));
        err = expect(room, 0, MUCH);
    }
    if (err == 0)
        err = expect(room, 0, MUCH);
    if (err == 0)
        err = aio_await(task, NULL);
    if (err == 0)
        err = aio_transport_write(job.transport, much, 3);
    if (err == 0)
        err = expect(room, 0, 3);
    if (err == 0) {
        CHECK(job.sent == MUCH && aio_transport_is_reading(job.transport));
        CHECK(lseek(job.file, 0, SEEK_CUR) == MUCH);
    }
    if (task != NULL && aio_task_cancel(task, NULL))
        (void)aio_await(task, NULL);
    close(job.file);
    return err;
}

static void sendfile_over_a_transport_follows_what_is_buffered(void **state)
{
    room_run(in_order);
}

static void sendfile_over_a_transport_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(in_order);
}

static int meanwhile(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;

    TRY(open_pair(room));
    TRY(open_file(&job.file));
    TRY(connect_talk(room));
    job.transport = room->talks[0].transport;
    task = aio_create_task(send_file, &job);
    TRY(room_turn());
    CHECK_CODE(aio_transport_write(job.transport, "x", 1), AIO_ERUNTIME);
    CHECK_CODE(aio_loop_sendfile(NULL, job.transport, job.file, NULL, NULL), AIO_ERUNTIME);
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    TRY(expect(room, 0, (size_t)lseek(job.file, 0, SEEK_CUR)));
    TRY(aio_transport_write(job.transport, much, 5)); /* goes on as before */
    TRY(expect(room, 0, 5));
    CHECK(aio_loop_sock_sendall(NULL, room->fds[1], "in", 2) == 0);
    TRY(talk_wait_received(&room->talks[0], 2));
    close(job.file);
    return 0;
}

static void sendfile_keeps_others_from_writing_until_it_is_over(void **state)
{
    room_run(meanwhile);
}

static int unsupported(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options datagrams = AIO_DATAGRAM_OPTIONS_INIT;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_transport) endpoint = NULL;
    AIO_AUTO(aio_transport) pipe = NULL;
    int ends[2];

    TRY(open_file(&job.file));
    datagrams.family = AF_INET;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &datagrams, &endpoint));
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    room->fds[0] = ends[0];
    TRY(aio_loop_connect_write_pipe(NULL, room_factory, room, ends[1], &pipe));
    job.transport = endpoint;
    CHECK_CODE(send_file(&job, NULL), AIO_ERUNTIME);
    job.transport = pipe;
    CHECK_CODE(send_file(&job, NULL), AIO_ERUNTIME);
    CHECK(!aio_transport_is_closing(pipe) && lseek(job.file, 0, SEEK_CUR) == 0);
    close(job.file);
    return 0;
}

static void sendfile_over_what_is_no_stream_is_refused(void **state)
{
    room_run(unsupported);
}

static int lost(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;

    TRY(open_pair(room));
    TRY(open_file(&job.file));
    TRY(connect_talk(room));
    job.transport = room->talks[0].transport;
    task = aio_create_task(send_file, &job);
    TRY(room_turn());
    aio_transport_abort(job.transport);
    CHECK_CODE(aio_await(task, NULL), -ECONNRESET);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_CODE(aio_loop_sendfile(NULL, job.transport, job.file, NULL, NULL), AIO_ERUNTIME);
    close(job.file);
    return 0;
}

static void sendfile_fails_when_the_connection_is_lost(void **state)
{
    room_run(lost);
}

static int peer_gone(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;

    TRY(open_pair(room));
    TRY(open_file(&job.file));
    TRY(connect_talk(room));
    job.transport = room->talks[0].transport;
    task = aio_create_task(send_file, &job);
    TRY(room_turn());
    close(room->fds[1]);
    room->fds[1] = -1;
    CHECK_CODE(aio_await(task, NULL), -EPIPE);
    close(job.file);
    return 0;
}

static void sendfile_to_a_peer_that_has_gone_fails_without_a_signal(void **state)
{
    room_run(peer_gone);
}

static int stand_in(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;
    int err;

    TRY(open_pair(room));
    TRY(connect_talk(room));
    memset(much, 0, MUCH);
    job.file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    job.options.count = MUCH;
    job.transport = room->talks[0].transport;
    task = aio_create_task(send_file, &job);
    err = task == NULL ? AIO_ENOMEM : expect(room, 0, MUCH);
    if (err == 0)
        err = aio_await(task, NULL);
    if (err == 0) {
        CHECK(job.sent == MUCH);
        CHECK(aio_transport_get_protocol(job.transport) == &room->talks[0].base);
        CHECK(aio_transport_is_reading(job.transport));
        CHECK(room->talks[0].paused == room->talks[0].resumed);
        CHECK_CODE(pieces(room, MUCH / (16 * 1024)), 0);
    }
    if (task != NULL && aio_task_cancel(task, NULL))
        (void)aio_await(task, NULL);
    close(job.file);
    return err;
}

static void sendfile_by_hand_over_a_transport_gives_the_protocol_back(void **state)
{
    room_run(stand_in);
}

static int read_in_one_thread(struct room *room)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor *threads;
    int err;

    options.max_workers = 1;
    threads = aio_thread_pool_new(&options);
    err = threads == NULL ? AIO_ENOMEM : aio_loop_set_default_executor(room->loop, threads);

    aio_executor_unref(threads);
    return err;
}

static int nothing(void *arg, void **ret_result)
{
    return 0;
}

static int stand_in_lost(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room, .options = AIO_SENDFILE_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;

    TRY(open_pair(room));
    TRY(connect_talk(room));
    TRY(read_in_one_thread(room));
    job.file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    job.options.count = MUCH;
    job.transport = room->talks[0].transport;
    task = aio_create_task(send_file, &job);
    while (aio_transport_get_write_buffer_size(job.transport) <= 64 * 1024)
        TRY(aio_sleep(0));
    TRY(aio_to_thread(nothing, NULL, NULL)); /* behind the last read: now it waits for room */
    close(room->fds[1]);
    room->fds[1] = -1;
    CHECK_CODE(aio_await(task, NULL), -EPIPE);
    TRY(talk_wait_lost(&room->talks[0])); /* its own protocol was told */
    close(job.file);
    return aio_loop_shutdown_default_executor(room->loop, AIO_FOREVER); /* closing does not wait */
}

static void sendfile_by_hand_passes_the_end_of_the_connection_on(void **state)
{
    room_run(stand_in_lost);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sendfile_over_a_socket_sends_more_than_fits),
        TEST(sendfile_over_a_socket_survives_every_shortage_of_memory),
        TEST(sendfile_sends_a_part_and_moves_the_position_behind_it),
        TEST(sendfile_reads_and_writes_what_the_system_cannot_send),
        TEST(sendfile_cancelled_leaves_the_position_behind_what_was_sent),
        TEST(sendfile_says_what_is_wrong),
        TEST(sendfile_over_a_transport_follows_what_is_buffered),
        TEST(sendfile_over_a_transport_survives_every_shortage_of_memory),
        TEST(sendfile_keeps_others_from_writing_until_it_is_over),
        TEST(sendfile_over_what_is_no_stream_is_refused),
        TEST(sendfile_fails_when_the_connection_is_lost),
        TEST(sendfile_to_a_peer_that_has_gone_fails_without_a_signal),
        TEST(sendfile_by_hand_over_a_transport_gives_the_protocol_back),
        TEST(sendfile_by_hand_passes_the_end_of_the_connection_on),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
