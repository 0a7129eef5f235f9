/* SPDX-License-Identifier: MIT */
/*
 * test_server_unix.c - servers at unix sockets, and their files
 */
#include "support/allocation.h"
#include "support/room.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int serve_path(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options to = AIO_UNIX_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    char path[64];
    struct stat file;

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    options.path = to.path = path;
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server));
    CHECK(stat(path, &file) == 0 && S_ISSOCK(file.st_mode));
    TRY(aio_loop_create_unix_connection(NULL, room_factory, room, &to, &transport));
    TRY(aio_transport_write(transport, "abc", 3));
    aio_transport_close(transport);
    while (room->count < 2)
        TRY(aio_sleep(0));
    TRY(talk_wait_lost(&room->talks[0]));
    TRY(talk_wait_lost(&room->talks[1]));
    CHECK(room->talks[0].received + room->talks[1].received == 3);
    aio_server_close(server);
    CHECK(stat(path, &file) != 0);
    return aio_server_wait_closed(server);
}

static void server_of_a_path_removes_its_file(void **state)
{
    room_run(serve_path);
}

static int serve_path_if_we_can(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options to = AIO_UNIX_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    options.path = to.path = path;
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server));
    TRY(aio_loop_create_unix_connection(NULL, room_factory, room, &to, &transport));
    aio_transport_close(transport);
    aio_server_close(server);
    return aio_server_wait_closed(server);
}

static void server_of_a_path_survives_every_shortage_of_memory(void **state)
{
    char path[64];

    room_run_starved(serve_path_if_we_can);
    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    assert_int_not_equal(access(path, F_OK), 0);
}

static int replace_path(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) first = NULL;
    AIO_AUTO(aio_server) second = NULL;
    char path[64];
    struct stat file;

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-%ld", (long)getpid());
    options.path = path;
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &first));
    options.cleanup_socket = false;
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &second));
    aio_server_close(first);
    CHECK(stat(path, &file) == 0); /* the second one's */
    aio_server_close(second);
    CHECK(stat(path, &file) == 0); /* kept, as it was told */
    CHECK(unlink(path) == 0);
    return 0;
}

static void server_leaves_a_file_that_is_not_its_own(void **state)
{
    room_run(replace_path);
}

static int serve_bound_path(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    AIO_AUTO(aio_server) first = NULL;
    AIO_AUTO(aio_server) second = NULL;
    aio_server *refused = NULL;

    (void)snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/aioc-test-%ld", (long)getpid());
    options.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(options.sock, (struct sockaddr *)&name, sizeof(name)) == 0);
    CHECK_CODE(aio_loop_create_unix_server(NULL, NULL, room, &options, &refused), AIO_EVALUE);
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &first));
    aio_server_close(first);
    CHECK(access(name.sun_path, F_OK) != 0);

    options.cleanup_socket = false;
    options.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(options.sock, (struct sockaddr *)&name, sizeof(name)) == 0);
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &second));
    aio_server_close(second);
    CHECK(unlink(name.sun_path) == 0);
    return 0;
}

static void server_of_a_bound_unix_socket_removes_its_file_too(void **state)
{
    room_run(serve_bound_path);
}

static unsigned errors_logged;

static void count_errors(aio_log_level level, const char *text, void *arg)
{
    (void)arg;
    errors_logged += level == AIO_LOG_ERROR && strstr(text, "stale UNIX socket") != NULL;
}

/* What is no folder cannot be looked into. */
static int serve_below_a_file(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_server *server = NULL;

    errors_logged = 0;
    aio_log_set_handler(count_errors, NULL);
    options.path = "/dev/null/socket";
    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server), -ENOTDIR);
    CHECK(errors_logged == 1);
    options.path = "/no/such/folder/socket";
    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server), -ENOENT);
    CHECK(errors_logged == 1); /* nothing there, nothing stale */
    return 0;
}

static void server_that_cannot_look_for_a_stale_file_logs_it(void **state)
{
    room_run(serve_below_a_file);
    aio_log_set_handler(NULL, NULL);
}

static int serve_abstract(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options to = AIO_UNIX_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    aio_server *second = NULL;
    char name[64] = "";
    char expected[128];
    int err;

    options.path_size = 1 + (size_t)sprintf(name + 1, "aioc-test-%ld", (long)getpid());
    options.path = to.path = name;
    to.path_size = options.path_size;
    TRY(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server));
    TRY(aio_loop_create_unix_connection(NULL, room_factory, room, &to, NULL));
    err = aio_loop_create_unix_server(NULL, room_factory, room, &options, &second);
    (void)snprintf(expected, sizeof(expected), "Address b'\\x00%s' is already in use", name + 1);
    CHECK(err == -EADDRINUSE);
    CHECK_TEXT(aio_error_text(err), expected);
    aio_server_close(server);
    return 0;
}

static void server_takes_abstract_names(void **state)
{
    room_run(serve_abstract);
}

static int wrong_paths(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_server *server = NULL;
    char longest[200];

    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server),
               AIO_EVALUE);
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    options.path = longest;
    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server),
               AIO_EVALUE);
    options.path = "/proc/not/there";
    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server), -ENOENT);
    options.path = "/dev/null"; /* no socket: left alone */
    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &options, &server),
               -EADDRINUSE);
    return 0;
}

static void server_of_an_impossible_path_is_refused(void **state)
{
    room_run(wrong_paths);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(server_of_a_path_removes_its_file),
        TEST(server_of_a_path_survives_every_shortage_of_memory),
        TEST(server_leaves_a_file_that_is_not_its_own),
        TEST(server_of_a_bound_unix_socket_removes_its_file_too),
        TEST(server_that_cannot_look_for_a_stale_file_logs_it),
        TEST(server_takes_abstract_names),
        TEST(server_of_an_impossible_path_is_refused),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
