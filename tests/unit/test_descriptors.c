/* SPDX-License-Identifier: MIT */
/*
 * test_descriptors.c - servers that have no descriptor left for who connects
 *
 * The limit is a process's: each test is one of its own.
 */
#include "support/allocation.h"
#include "support/child.h"
#include "support/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A non-blocking socket connected to the server, whose backlog takes it; -1 if it is refused. */
static int dial(aio_server *server)
{
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof(name);
    int listener = -1;
    int fd;

    (void)aio_server_sockets(server, &listener, 1);
    (void)getsockname(listener, (struct sockaddr *)&name, &size);
    fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&name, size) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Say something, and get it back. */
static int be_echoed(int fd)
{
    char data[8];
    size_t size;

    TRY(aio_loop_sock_sendall(NULL, fd, "hello", 5));
    TRY(aio_loop_sock_recv(NULL, fd, data, sizeof(data), &size));
    CHECK(size == 5 && memcmp(data, "hello", 5) == 0);
    return 0;
}

/* Let this process have no more descriptors than those below one. */
static int limit_descriptors(int end)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)end;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return 0;
}

static int run_out(struct room *room, aio_server *server)
{
    double before;
    char byte;
    int end;

    room->fds[0] = dial(server);
    CHECK(room->fds[0] >= 0);
    TRY(be_echoed(room->fds[0]));
    room->fds[1] = dial(server); /* while nobody accepts: this task does not wait */
    CHECK(room->fds[1] >= 0);
    end = dup(room->fds[0]); /* the next that is free */
    close(end);
    TRY(limit_descriptors(end));
    before = aio_loop_time(room->loop);
    while (room->reports == 0)
        TRY(aio_sleep(0));
    CHECK_TEXT(room->report, "socket.accept() out of system resource: OSError");
    TRY(be_echoed(room->fds[0])); /* who is there is served */
    CHECK(recv(room->fds[1], &byte, 1, 0) < 0 && errno == EAGAIN);
    TRY(limit_descriptors(end + 10));
    TRY(be_echoed(room->fds[1]));
    CHECK(aio_loop_time(room->loop) - before >= 1.0);
    CHECK(room->reports == 1);
    aio_server_close(server);
    for (size_t i = 0; i < 2; i++) {
        close(room->fds[i]);
        room->fds[i] = -1;
    }
    return aio_server_wait_closed(server);
}

static void run_in_a_child(aio_coro_fn body)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        room_run(body);
        end_child(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --- protocols ------------------------------------------------------------------------- */

static int serve_tcp(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;

    room->echoes = true;
    options.host = "127.0.0.1";
    options.port = 0;
    TRY(aio_loop_create_server(NULL, room_factory, room, &options, &server));
    return run_out(room, server);
}

static void server_out_of_descriptors_reports_and_goes_on_a_second_later(void **state)
{
    run_in_a_child(serve_tcp);
}

static int serve_path(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    char path[64];

    room->echoes = true;
    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    options.path = path;
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server));
    return run_out(room, server);
}

static void server_of_a_path_out_of_descriptors_goes_on_as_well(void **state)
{
    run_in_a_child(serve_path);
}

/* --- streams --------------------------------------------------------------------------- */

static int echo(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    char data[100];
    size_t size;
    int err;

    while ((err = aio_stream_reader_read_into(reader, data, sizeof(data), &size)) == 0 && size > 0)
        TRY(aio_stream_writer_write(writer, data, size));
    aio_stream_writer_close(writer);
    return err;
}

static int serve_streams(void *arg, void **ret_result)
{
    AIO_AUTO(aio_server) server = NULL;

    TRY(aio_start_server(echo, NULL, "127.0.0.1", 0, &server));
    return run_out(arg, server);
}

static void stream_server_out_of_descriptors_goes_on_as_well(void **state)
{
    run_in_a_child(serve_streams);
}

static int serve_streams_at_a_path(void *arg, void **ret_result)
{
    AIO_AUTO(aio_server) server = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    TRY(aio_start_unix_server(echo, NULL, path, &server));
    return run_out(arg, server);
}

static void stream_server_of_a_path_out_of_descriptors_goes_on_as_well(void **state)
{
    run_in_a_child(serve_streams_at_a_path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(server_out_of_descriptors_reports_and_goes_on_a_second_later),
        TEST(server_of_a_path_out_of_descriptors_goes_on_as_well),
        TEST(stream_server_out_of_descriptors_goes_on_as_well),
        TEST(stream_server_of_a_path_out_of_descriptors_goes_on_as_well),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
