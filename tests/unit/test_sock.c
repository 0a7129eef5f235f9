/* SPDX-License-Identifier: MIT */
/*
 * test_sock.c - suspending calls on sockets that the program owns
 */
#include "support/allocation.h"
#include "support/room.h"

#include <aio/sock.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 1024 * 1024 };

static int open_pair(struct room *room, bool tcp)
{
    if (tcp)
        room_tcp_pair(room->fds);
    else
        room_socketpair(room->fds);
    CHECK(fcntl(room->fds[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(fcntl(room->fds[1], F_SETFL, O_NONBLOCK) == 0);
    return 0;
}

/* What a task receives from fds[0] or sends to it. */
struct job {
    struct room *room;
    char data[64];
    size_t size;
};

static int receive(void *arg, void **ret_result)
{
    struct job *job = arg;

    return aio_loop_sock_recv(NULL, job->room->fds[0], job->data, sizeof(job->data), &job->size);
}

static int recv_at_once(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room};

    TRY(open_pair(room, false));
    CHECK(send(room->fds[1], "abc", 3, 0) == 3);
    TRY(receive(&job, NULL));
    CHECK(job.size == 3 && memcmp(job.data, "abc", 3) == 0);
    CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
    TRY(receive(&job, NULL));
    CHECK(job.size == 0);
    return 0;
}

static void sock_recv_gives_what_is_there_and_nothing_at_the_end(void **state)
{
    room_run(recv_at_once);
}

static int recv_nothing(void *arg, void **ret_result)
{
    struct room *room = arg;
    char data[4];
    size_t count = 7;

    TRY(open_pair(room, false));
    CHECK_CODE(aio_loop_sock_recv(NULL, room->fds[0], data, 0, &count), 0);
    CHECK(count == 0);
    CHECK_CODE(aio_loop_sock_recv(NULL, -1, data, 0, &count), -EBADF);
    CHECK_CODE(aio_loop_sock_recv(NULL, room->fds[0], data, 0, NULL), AIO_EVALUE);
    CHECK_CODE(aio_loop_sock_recv(NULL, room->fds[0], NULL, 4, &count), AIO_EVALUE);
    return 0;
}

static void sock_recv_of_no_bytes_waits_for_none(void **state)
{
    room_run(recv_nothing);
}

static int recv_later(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room};
    AIO_AUTO(aio_task) task = NULL;
    int err;

    TRY(open_pair(room, false));
    task = aio_create_task(receive, &job);
    TRY(room_turn());
    CHECK(!aio_future_done(task) || task == NULL || job.size == 0);
    CHECK(send(room->fds[1], "abc", 3, 0) == 3);
    err = aio_await(task, NULL);
    CHECK(err < 0 || job.size == 3);
    return err;
}

static void sock_recv_waits_for_data(void **state)
{
    room_run(recv_later);
}

static void sock_recv_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(recv_later);
}

static int cancel_late(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room};
    AIO_AUTO(aio_task) task = NULL;

    TRY(open_pair(room, false));
    for (int turns = 0; turns < 6; turns++) {
        job.size = 0;
        task = aio_create_task(receive, &job);
        TRY(room_turn());
        CHECK(send(room->fds[1], "abc", 3, 0) == 3);
        for (int i = 0; i < turns; i++)
            TRY(aio_sleep(0));
        if (aio_task_cancel(task, NULL)) {
            CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
            CHECK(job.size == 0);
            TRY(receive(&job, NULL)); /* nothing was lost */
        }
        CHECK(job.size == 3);
        task = (aio_future_unref(task), NULL);
    }
    return 0;
}

static void sock_recv_cancelled_leaves_the_data(void **state)
{
    room_run(cancel_late);
}

static int replaced(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job first = {.room = room};
    struct job second = {.room = room};
    AIO_AUTO(aio_task) one = NULL;
    AIO_AUTO(aio_task) two = NULL;

    TRY(open_pair(room, false));
    one = aio_create_task(receive, &first);
    TRY(room_turn());
    two = aio_create_task(receive, &second);
    TRY(room_turn());
    CHECK(aio_task_cancel(one, NULL)); /* does not take the second's watcher away */
    CHECK_CODE(aio_await(one, NULL), AIO_ECANCELLED);
    CHECK(send(room->fds[1], "x", 1, 0) == 1);
    CHECK_CODE(aio_await(two, NULL), 0);
    CHECK(second.size == 1);
    return 0;
}

static void sock_recv_takes_the_place_of_one_that_waits(void **state)
{
    room_run(replaced);
}

static char much[MUCH];

static int send_much(void *arg, void **ret_result)
{
    struct job *job = arg;

    return aio_loop_sock_sendall(NULL, job->room->fds[0], much, MUCH);
}

static int send_all(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room};
    AIO_AUTO(aio_task) task = NULL;
    static char buffer[10000];
    size_t got = 0;
    uint32_t sum = 0;

    room_fill(much, MUCH);
    TRY(open_pair(room, true));
    task = aio_create_task(send_much, &job);
    while (got < MUCH) {
        size_t size;

        TRY(aio_loop_sock_recv(NULL, room->fds[1], buffer, sizeof(buffer), &size));
        sum = room_sum(sum, got, buffer, size);
        got += size;
    }
    CHECK_CODE(aio_await(task, NULL), 0);
    CHECK(sum == room_sum(0, 0, much, MUCH));
    return 0;
}

static void sock_sendall_sends_more_than_fits(void **state)
{
    room_run(send_all);
}

static int send_to_nobody(void *arg, void **ret_result)
{
    struct room *room = arg;

    TRY(open_pair(room, false));
    close(room->fds[1]);
    room->fds[1] = -1;
    CHECK_CODE(aio_loop_sock_sendall(NULL, room->fds[0], "x", 1), -EPIPE);
    CHECK_CODE(aio_loop_sock_sendall(NULL, room->fds[0], "", 0), 0);
    CHECK_CODE(aio_loop_sock_sendall(NULL, -1, "x", 1), -EBADF);
    return 0;
}

static void sock_sendall_fails_when_nobody_is_there(void **state)
{
    room_run(send_to_nobody);
}

/* Both directions at once: neither disturbs the other. */
static int both_ways(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct job job = {.room = room};
    AIO_AUTO(aio_task) reader = NULL;
    AIO_AUTO(aio_task) writer = NULL;
    static char buffer[10000];
    size_t got = 0;

    TRY(open_pair(room, true));
    reader = aio_create_task(receive, &job);
    writer = aio_create_task(send_much, &job);
    TRY(room_turn());
    CHECK(aio_loop_sock_sendall(NULL, room->fds[1], "in", 2) == 0);
    CHECK_CODE(aio_await(reader, NULL), 0);
    CHECK(job.size == 2 && !aio_future_done(writer));
    while (got < MUCH) {
        size_t size;

        TRY(aio_loop_sock_recv(NULL, room->fds[1], buffer, sizeof(buffer), &size));
        got += size;
    }
    return aio_await(writer, NULL);
}

static void sock_is_read_and_written_at_once(void **state)
{
    room_run(both_ways);
}

/* --- connections ----------------------------------------------------------------------- */

struct dial {
    struct sockaddr_in name;
    int fd;
};

static int dial(void *arg, void **ret_result)
{
    struct dial *dial = arg;
    aio_sockname to = {(struct sockaddr *)&dial->name, sizeof(dial->name)};

    return aio_loop_sock_connect(NULL, dial->fd, &to);
}

static int connect_and_accept(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct dial to = {.name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(to.name);
    struct sockaddr_in peer = {0};
    struct sockaddr_in own = {0};
    aio_sockname from = {(struct sockaddr *)&peer, sizeof(peer)};
    AIO_AUTO(aio_task) task = NULL;
    bool is_set_up;
    int fd;

    room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(room->fds[0], (struct sockaddr *)&to.name, size) == 0);
    CHECK(listen(room->fds[0], 1) == 0);
    CHECK(getsockname(room->fds[0], (struct sockaddr *)&to.name, &size) == 0);
    to.fd = room->fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (room->quiet) /* the backlog takes it: nobody waits for somebody who failed */
        TRY(dial(&to, NULL));
    else
        task = aio_create_task(dial, &to);
    TRY(aio_loop_sock_accept(NULL, room->fds[0], &from, &fd));
    is_set_up = (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
    close(fd);
    CHECK(is_set_up);
    TRY(room->quiet ? 0 : aio_await(task, NULL));
    CHECK(from.size == sizeof(peer) && peer.sin_family == AF_INET);
    CHECK(getsockname(to.fd, (struct sockaddr *)&own, &size) == 0);
    CHECK(peer.sin_port == own.sin_port);
    return 0;
}

static void sock_connects_and_accepts(void **state)
{
    room_run(connect_and_accept);
}

static int connect_then_accept(void *arg, void **ret_result)
{
    struct room *room = arg;

    room->quiet = true;
    return connect_and_accept(arg, ret_result);
}

static void sock_connecting_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(connect_then_accept);
}

static int connect_refused(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct dial to = {.name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(to.name);
    char expected[64];
    int err;

    room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(room->fds[0], (struct sockaddr *)&to.name, size) == 0);
    CHECK(getsockname(room->fds[0], (struct sockaddr *)&to.name, &size) == 0);
    to.fd = room->fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    err = dial(&to, NULL);
    CHECK(err == -ECONNREFUSED);
    (void)snprintf(expected, sizeof(expected), "Connect call failed ('127.0.0.1', %d)",
                   ntohs(to.name.sin_port));
    CHECK_TEXT(aio_error_text(err), expected);
    CHECK_CODE(aio_loop_sock_connect(NULL, to.fd, NULL), AIO_EVALUE);
    return 0;
}

static void sock_connect_names_the_address_that_refused(void **state)
{
    room_run(connect_refused);
}

/* --- datagrams ------------------------------------------------------------------------- */

static int send_datagrams(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in sender = {0};
    aio_sockname from = {(struct sockaddr *)&sender, sizeof(sender)};
    aio_sockname to = {(struct sockaddr *)&name, sizeof(name)};
    struct sockaddr_in first;
    aio_sockname to_first = {(struct sockaddr *)&first, sizeof(first)};
    socklen_t size = sizeof(name);
    char data[4];
    size_t count;

    for (size_t i = 0; i < 2; i++) {
        room->fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        CHECK(bind(room->fds[i], (struct sockaddr *)&name, sizeof(name)) == 0);
    }
    CHECK(getsockname(room->fds[0], (struct sockaddr *)&name, &size) == 0);
    first = name;
    TRY(aio_loop_sock_sendto(NULL, room->fds[1], "too long", 8, &to, &count));
    CHECK(count == 8);
    TRY(aio_loop_sock_recvfrom(NULL, room->fds[0], data, sizeof(data), &from, &count));
    CHECK(count == 4 && memcmp(data, "too ", 4) == 0);
    CHECK(getsockname(room->fds[1], (struct sockaddr *)&name, &size) == 0);
    CHECK(sender.sin_port == name.sin_port);
    TRY(aio_loop_sock_sendto(NULL, room->fds[1], NULL, 0, &to_first, &count));
    CHECK(count == 0);
    count = 7;
    TRY(aio_loop_sock_recvfrom(NULL, room->fds[0], data, sizeof(data), NULL, &count));
    CHECK(count == 0); /* an empty one is one, too */
    CHECK_CODE(aio_loop_sock_sendto(NULL, room->fds[1], "x", 1, NULL, NULL), -EDESTADDRREQ);
    return 0;
}

static void sock_sends_and_receives_datagrams(void **state)
{
    room_run(send_datagrams);
}

static void sock_datagrams_survive_every_shortage_of_memory(void **state)
{
    room_run_starved(send_datagrams);
}

enum { DATAGRAMS = 2000 }; /* more than a socket holds */

/* Send them all from fds[1]; who receives does not wait for them if that fails. */
static int send_many(void *arg, void **ret_result)
{
    struct room *room = arg;
    size_t size;
    int err = 0;

    for (unsigned i = 0; err == 0 && i < DATAGRAMS; i++)
        err = aio_loop_sock_sendto(NULL, room->fds[1], &i, sizeof(i), NULL, &size);
    if (err < 0)
        (void)aio_task_cancel(room->subject, NULL);
    return err;
}

static int receive_many(struct room *room)
{
    struct sockaddr_storage sender;
    unsigned number;
    size_t size;

    for (unsigned i = 0; i < DATAGRAMS; i++) {
        aio_sockname from = {(struct sockaddr *)&sender, sizeof(sender)};

        TRY(aio_loop_sock_recvfrom(NULL, room->fds[0], &number, sizeof(number), &from, &size));
        CHECK(size == sizeof(number) && number == i);
    }
    return 0;
}

static int wait_for_datagrams(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_task) sender = NULL;
    bool waits = false;
    int err;

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, room->fds) == 0);
    room->subject = aio_current_task(NULL);
    sender = aio_create_task(send_many, room);
    err = sender == NULL ? AIO_ENOMEM : room_turn();
    if (err == 0) {
        waits = !aio_future_done(sender);
        err = receive_many(room);
    }
    if (err == 0) {
        CHECK(waits);
        return aio_await(sender, NULL);
    }
    if (sender != NULL && aio_task_cancel(sender, NULL))
        (void)aio_await(sender, NULL);
    return err;
}

static void sock_datagrams_wait_for_each_other(void **state)
{
    room_run(wait_for_datagrams);
}

static void sock_waiting_for_datagrams_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(wait_for_datagrams);
}

/* --- checks ---------------------------------------------------------------------------- */

static int check_mode(void *arg, void **ret_result)
{
    struct room *room = arg;
    char data[4];
    size_t count;
    int fds[2];

    room_socketpair(room->fds);
    aio_loop_set_debug(room->loop, true);
    CHECK_CODE(aio_loop_sock_recv(NULL, room->fds[0], data, 4, &count), AIO_EVALUE);
    room_socketpair(fds);
    close(fds[1]);
    TRY(aio_loop_connect_accepted_socket(NULL, room_factory, room, fds[0], NULL));
    aio_transport_abort(room->talks[0].transport);
    TRY(talk_wait_lost(&room->talks[0]));
    return 0;
}

static void sock_in_blocking_mode_is_refused_in_debug_mode(void **state)
{
    room_run(check_mode);
}

static int owned(void *arg, void **ret_result)
{
    struct room *room = arg;
    const int *fd;
    char data[4];
    size_t count;
    int fds[2];

    room_socketpair(fds);
    room->fds[1] = fds[1];
    TRY(aio_loop_connect_accepted_socket(NULL, room_factory, room, fds[0], NULL));
    fd = aio_transport_get_extra_info(room->talks[0].transport, "socket");
    CHECK_CODE(aio_loop_sock_recv(NULL, *fd, data, 4, &count), AIO_ERUNTIME);
    return 0;
}

static void sock_of_a_transport_cannot_be_waited_for(void **state)
{
    room_run(owned);
}

static void sock_calls_need_a_loop(void **state)
{
    char data[4];
    size_t count;

    assert_int_equal(aio_loop_sock_recv(NULL, 0, data, 4, &count), AIO_ENOLOOP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sock_recv_gives_what_is_there_and_nothing_at_the_end),
        TEST(sock_recv_of_no_bytes_waits_for_none),
        TEST(sock_recv_waits_for_data),
        TEST(sock_recv_survives_every_shortage_of_memory),
        TEST(sock_recv_cancelled_leaves_the_data),
        TEST(sock_recv_takes_the_place_of_one_that_waits),
        TEST(sock_sendall_sends_more_than_fits),
        TEST(sock_sendall_fails_when_nobody_is_there),
        TEST(sock_is_read_and_written_at_once),
        TEST(sock_connects_and_accepts),
        TEST(sock_connecting_survives_every_shortage_of_memory),
        TEST(sock_connect_names_the_address_that_refused),
        TEST(sock_sends_and_receives_datagrams),
        TEST(sock_datagrams_survive_every_shortage_of_memory),
        TEST(sock_datagrams_wait_for_each_other),
        TEST(sock_waiting_for_datagrams_survives_every_shortage_of_memory),
        TEST(sock_in_blocking_mode_is_refused_in_debug_mode),
        TEST(sock_of_a_transport_cannot_be_waited_for),
        TEST(sock_calls_need_a_loop),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
