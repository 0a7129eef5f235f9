/* SPDX-License-Identifier: MIT */
/*
 * test_connect.c - connecting: in order, in a race, and giving up
 */
#include "net/address.h"
#include "support/allocation.h"
#include "support/dnsserver.h"
#include "support/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A listening socket at 127.0.0.1, with a port of its own, in room->fds[0]. */
static int listen_at(struct room *room, int backlog, int *ret_port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);

    room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(room->fds[0], (struct sockaddr *)&name, size) == 0);
    CHECK(backlog < 0 || listen(room->fds[0], backlog) == 0);
    CHECK(getsockname(room->fds[0], (struct sockaddr *)&name, &size) == 0);
    *ret_port = ntohs(name.sin_port);
    return 0;
}

static int dial(struct room *room, const char *host, int port, aio_transport **ret_transport)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.host = host;
    options.port = port;
    return aio_loop_create_connection(room->loop, room_factory, room, &options, ret_transport);
}

/* --- one address ----------------------------------------------------------------------- */

static int connect_by_number(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    int port = 0;

    TRY(listen_at(room, 1, &port));
    TRY(dial(room, "127.0.0.1", port, &transport));
    CHECK_TEXT(room->talks[0].trace, "made");
    room->fds[1] = accept(room->fds[0], NULL, NULL);
    CHECK(send(room->fds[1], "hi", 2, 0) == 2);
    TRY(talk_wait_received(&room->talks[0], 2));
    aio_transport_close(transport);
    return talk_wait_lost(&room->talks[0]);
}

static void connection_is_made_to_a_number(void **state)
{
    room_run(connect_by_number);
}

static void connection_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(connect_by_number);
}

static int connect_by_name(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_transport) transport = NULL;
    int port = 0;

    TRY(listen_at(room, 1, &port));
    TRY(dial(room, "localhost", port, &transport)); /* ::1 may be first, and refuse */
    CHECK_TEXT(room->talks[0].trace, "made");
    return 0;
}

static void connection_is_made_to_a_name(void **state)
{
    room_run(connect_by_name);
}

static void connection_to_a_name_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(connect_by_name);
}

static int connect_refused(void *arg, void **ret_result)
{
    struct room *room = arg;
    char expected[64];
    int port = 0;
    int err;

    TRY(listen_at(room, -1, &port)); /* bound, but nobody listens */
    (void)snprintf(expected, sizeof(expected), "Connect call failed ('127.0.0.1', %d)", port);
    err = dial(room, "127.0.0.1", port, NULL);
    CHECK(err == -ECONNREFUSED);
    CHECK_TEXT(aio_error_text(err), expected);
    CHECK(room->count == 0); /* no protocol was asked for */
    return 0;
}

static void connection_that_is_refused_names_the_address(void **state)
{
    room_run(connect_refused);
}

static int all_errors(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_exception *error;
    size_t members;
    int code;
    int err;

    TRY(listen_at(room, -1, &options.port));
    options.host = "127.0.0.1";
    options.all_errors = true;
    err = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    CHECK(err == AIO_EGROUP);
    error = aio_error_catch(err);
    members = aio_exception_member_count(error);
    code = aio_exception_code(aio_exception_member(error, 0));
    aio_exception_unref(error);
    CHECK(members == 1 && code == -ECONNREFUSED);
    return 0;
}

static void connection_fails_with_a_group_if_told(void **state)
{
    room_run(all_errors);
}

static int unknown_name(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    int err;

    options.host = "127.0.0.1";
    options.port = 1;
    options.family = AF_INET6; /* the number is of the other one */
    options.flags = AI_NUMERICHOST;
    err = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    CHECK(err < 0 && aio_error_is(err, AIO_EOS));
    CHECK(room->count == 0);
    return 0;
}

static void connection_to_a_name_that_is_not_found_fails(void **state)
{
    room_run(unknown_name);
}

/* --- the local side -------------------------------------------------------------------- */

static int bind_first(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    const struct sockaddr_in *name;

    TRY(listen_at(room, 1, &options.port));
    options.host = "127.0.0.1";
    options.local_host = "127.0.0.2";
    TRY(aio_loop_create_connection(NULL, room_factory, room, &options, &transport));
    name = aio_transport_get_extra_info(transport, "sockname");
    CHECK(name != NULL && name->sin_addr.s_addr == inet_addr("127.0.0.2"));
    return 0;
}

static void connection_binds_to_a_local_address(void **state)
{
    room_run(bind_first);
}

static int cannot_bind(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    int err;

    TRY(listen_at(room, 1, &options.port));
    options.host = "127.0.0.1";
    options.local_host = "192.0.2.1"; /* nobody's */
    options.local_port = 0;
    err = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    CHECK(err == -EADDRNOTAVAIL);
    CHECK(strstr(aio_error_text(err), "bind on address ('192.0.2.1', 0)") != NULL);
    options.local_host = "::1";
    err = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    CHECK(err == AIO_EOS);
    CHECK(strstr(aio_error_text(err), "no matching local address") != NULL);
    return 0;
}

static void connection_that_cannot_bind_says_to_what(void **state)
{
    room_run(cannot_bind);
}

/* --- sockets of the caller's ----------------------------------------------------------- */

static int use_a_socket(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_unix_connect_options to = AIO_UNIX_CONNECT_OPTIONS_INIT;
    int fds[2];

    room_tcp_pair(fds);
    room->fds[0] = fds[1];
    options.sock = fds[0];
    TRY(aio_loop_create_connection(NULL, room_factory, room, &options, NULL));
    CHECK(send(room->fds[0], "x", 1, 0) == 1);
    TRY(talk_wait_received(&room->talks[0], 1));
    to.sock = room->fds[0];
    CHECK_CODE(aio_loop_create_unix_connection(NULL, room_factory, room, &to, NULL), AIO_EVALUE);
    room_socketpair(fds);
    room->fds[1] = fds[1];
    to.sock = fds[0];
    TRY(aio_loop_create_unix_connection(NULL, room_factory, room, &to, NULL));
    return 0;
}

static void connection_takes_a_connected_socket(void **state)
{
    room_run(use_a_socket);
}

static int check_options(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_unix_connect_options to = AIO_UNIX_CONNECT_OPTIONS_INIT;

    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, &options, NULL), AIO_EVALUE);
    options.host = "127.0.0.1";
    options.sock = 0;
    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, &options, NULL), AIO_EVALUE);
    options.sock = -1;
    CHECK_CODE(aio_loop_create_connection(NULL, NULL, room, &options, NULL), AIO_EVALUE);
    options.happy_eyeballs_delay = NAN;
    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, &options, NULL), AIO_EVALUE);
    options = (aio_connect_options)AIO_CONNECT_OPTIONS_INIT;
    room->fds[0] = socket(AF_INET, SOCK_DGRAM, 0);
    options.sock = room->fds[0];
    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, &options, NULL), AIO_EVALUE);
    CHECK_CODE(aio_loop_create_unix_connection(NULL, room_factory, room, &to, NULL), AIO_EVALUE);
    to.path = "/not/there";
    CHECK_CODE(aio_loop_create_unix_connection(NULL, room_factory, room, &to, NULL), -ENOENT);
    to.sock = 0;
    CHECK_CODE(aio_loop_create_unix_connection(NULL, room_factory, room, &to, NULL), AIO_EVALUE);
    return 0;
}

static void connection_options_that_contradict_are_refused(void **state)
{
    room_run(check_options);
}

static void connection_without_a_task_is_refused(void **state)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.port = 1;
    assert_int_equal(aio_loop_create_connection(NULL, room_factory, NULL, &options, NULL),
                     AIO_ENOLOOP);
}

/* --- giving up ------------------------------------------------------------------------- */

/* A backlog that is full makes further connects hang. */
static int fill_backlog(struct room *room, int *ret_port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    TRY(listen_at(room, 0, ret_port));
    name.sin_port = htons((uint16_t)*ret_port);
    room->fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(room->fds[1], (struct sockaddr *)&name, sizeof(name)) == 0);
    return 0;
}

static int give_up(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_timeout) limit = NULL;
    size_t before;
    int port = 0;
    int err;

    TRY(fill_backlog(room, &port));
    before = room_open_fds();
    limit = aio_timeout_new(0.01);
    TRY(aio_timeout_enter(limit));
    err = aio_timeout_exit(limit, dial(room, "127.0.0.1", port, NULL));
    CHECK(err == AIO_ETIMEDOUT);
    CHECK(room_open_fds() == before);
    CHECK(room->count == 0);
    return 0;
}

static void connection_that_hangs_can_be_timed_out(void **state)
{
    room_run(give_up);
}

struct dialled {
    struct room *room;
    const char *host;
    int port;
};

static int dial_in_task(void *arg, void **ret_result)
{
    struct dialled *dialled = arg;

    return dial(dialled->room, dialled->host, dialled->port, NULL);
}

/* Cancelled after 0, 1, 2, ... turns of the loop, until it is through before that. */
static int cancel_anywhere(struct room *room, const char *host)
{
    struct dialled dialled = {.room = room, .host = host};
    bool through = false;

    TRY(listen_at(room, 100, &dialled.port));
    for (int turns = 0; !through; turns++) {
        AIO_AUTO(aio_task) task = aio_create_task(dial_in_task, &dialled);
        size_t begun = room->count;
        int err;

        for (int i = 0; i < turns; i++)
            TRY(aio_sleep(0));
        if (!aio_future_done(task) && aio_task_cancel(task, NULL)) {
            err = aio_await(task, NULL);
            CHECK(err == AIO_ECANCELLED);
        } else {
            CHECK_CODE(aio_await(task, NULL), 0);
            through = true;
            aio_transport_abort(room->talks[begun].transport);
        }
        if (room->count > begun)
            TRY(talk_wait_lost(&room->talks[begun]));
        CHECK(turns < 100000);
    }
    return 0;
}

static int cancel_number(void *arg, void **ret_result)
{
    return cancel_anywhere(arg, "127.0.0.1");
}

static void connection_can_be_cancelled_at_any_point(void **state)
{
    room_run(cancel_number);
}

static int cancel_name(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct dialled dialled = {.room = room, .host = "localhost", .port = 1};
    AIO_AUTO(aio_task) task = aio_create_task(dial_in_task, &dialled);

    TRY(aio_sleep(0));
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    return 0; /* and the loop is closed with the lookup on its way */
}

static void connection_can_be_cancelled_while_the_name_is_looked_up(void **state)
{
    room_run(cancel_name);
}

/* --- several addresses ----------------------------------------------------------------- */

/* The families of the addresses that were tried, in their order: "6464". All refuse. */
static int families_tried(struct room *room, int interleave, char ret_families[8])
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_exception) errors = NULL;
    size_t count;
    int err;

    TRY(listen_at(room, -1, &options.port));
    options.host = "four.test";
    options.all_errors = true;
    options.interleave = interleave;
    err = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    close(room->fds[0]);
    room->fds[0] = -1;
    CHECK(err == AIO_EGROUP);
    errors = aio_error_catch(err);
    count = aio_exception_member_count(errors);
    CHECK(count == 4);
    for (size_t i = 0; i < count; i++) {
        const char *text = aio_exception_message(aio_exception_member(errors, i));

        ret_families[i] = strstr(text, "'::") != NULL ? '6' : '4';
    }
    ret_families[count] = '\0';
    return 0;
}

/* Let the room's loop ask a server of ours. */
static int ask_us(struct room *room, const struct dns_server *server)
{
    aio_dns_options dns = AIO_DNS_OPTIONS_INIT;

    CHECK(server != NULL);
    dns.way = AIO_DNS_CARES;
    dns.servers = dns_server_address(server);
    return aio_loop_set_dns_options(room->loop, &dns);
}

static int alternate(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct dns_server *server = dns_server_start();
    char one[8] = "", two[8] = "";
    int err = ask_us(room, server);

    if (err == 0)
        err = families_tried(room, 1, one);
    if (err == 0)
        err = families_tried(room, 2, two);
    dns_server_stop(server);
    if (err == AIO_ENOTIMPLEMENTED)
        return 0; /* no c-ares here */
    CHECK_CODE(err, 0);
    CHECK(strcmp(one, "6464") == 0 || strcmp(one, "4646") == 0);
    CHECK(strcmp(two, "6644") == 0 || strcmp(two, "4466") == 0);
    return 0;
}

static void connection_tries_families_in_turn_if_told(void **state)
{
    room_run(alternate);
}

/* Its two addresses fail alike. */
static int fail_alike(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct dns_server *server = dns_server_start();
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    int err = ask_us(room, server);
    bool is_able = err == 0;

    options.host = "four.test";
    options.port = 1;
    options.family = AF_INET;
    options.local_host = "192.0.2.1"; /* nobody's */
    if (is_able)
        err = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    dns_server_stop(server);
    if (err == AIO_ENOTIMPLEMENTED)
        return 0; /* no c-ares here */
    CHECK(is_able && err == -EADDRNOTAVAIL);
    CHECK(strncmp(aio_error_text(err), "error while attempting to bind on address", 41) == 0);
    return 0;
}

/* S135 */
static void connection_that_fails_alike_everywhere_tells_it_once(void **state)
{
    room_run(fail_alike);
}

/* Have ::1 with a full backlog at a port that is 127.0.0.1's too. False: no IPv6 here. */
static bool silence_v6(struct room *room, int port)
{
    struct sockaddr_in6 name = {
        .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons((uint16_t)port)};

    room->fds[0] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (room->fds[0] < 0 || bind(room->fds[0], (struct sockaddr *)&name, sizeof(name)) != 0)
        return false;
    assert_int_equal(listen(room->fds[0], 0), 0);
    room->fds[1] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(room->fds[1], (struct sockaddr *)&name, sizeof(name)), 0);
    return true;
}

static int race_past_a_silent_one(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_server) server = NULL;
    aio_server_options at = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_transport) transport = NULL;
    struct sockaddr_in own = {0};
    socklen_t size = sizeof(own);
    int fd = -1;

    at.host = "127.0.0.1";
    at.port = 0;
    TRY(aio_loop_create_server(NULL, room_factory, room, &at, &server));
    CHECK(aio_server_sockets(server, &fd, 1) == 1);
    CHECK(getsockname(fd, (struct sockaddr *)&own, &size) == 0);
    options.port = ntohs(own.sin_port); /* no host: ::1, then 127.0.0.1 */
    if (!silence_v6(room, options.port))
        return 0;

    options.happy_eyeballs_delay = 0.01;
    TRY(aio_loop_create_connection(NULL, room_factory, room, &options, &transport));
    CHECK(
        ((const struct sockaddr *)aio_transport_get_extra_info(transport, "peername"))->sa_family ==
        AF_INET);
    aio_server_close(server);
    return 0;
}

static void connection_race_goes_on_past_an_address_that_is_silent(void **state)
{
    room_run(race_past_a_silent_one);
}

static void connection_race_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(race_past_a_silent_one);
}

struct refusal {
    struct room *room;
    aio_connect_options options;
    char order[3]; /* of the families in the errors */
};

static int be_refused(void *arg, void **ret_result)
{
    struct refusal *refusal = arg;
    AIO_AUTO(aio_exception) errors = NULL;
    int err =
        aio_loop_create_connection(NULL, room_factory, refusal->room, &refusal->options, NULL);

    CHECK(err == AIO_EGROUP);
    errors = aio_error_catch(err);
    CHECK(aio_exception_member_count(errors) == 2);
    for (size_t i = 0; i < 2; i++) {
        const char *text = aio_exception_message(aio_exception_member(errors, i));

        refusal->order[i] = strstr(text, "'::1'") != NULL ? '6' : '4';
    }
    return 0;
}

/* 127.0.0.1 refuses at once, ::1 when it is gone. */
static int first_refuses_last(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct refusal refusal = {.room = room, .options = AIO_CONNECT_OPTIONS_INIT};
    AIO_AUTO(aio_task) task = NULL;

    TRY(listen_at(room, -1, &refusal.options.port));
    close(room->fds[0]);
    room->fds[0] = -1;
    if (!silence_v6(room, refusal.options.port))
        return 0;
    refusal.options.happy_eyeballs_delay = 0;
    refusal.options.all_errors = true;
    task = aio_create_task(be_refused, &refusal);
    for (int turns = 0; turns < 100; turns++)
        TRY(aio_sleep(0));
    CHECK(!aio_future_done(task));
    close(room->fds[0]);
    room->fds[0] = -1;
    TRY(aio_await(task, NULL));
    CHECK_TEXT(refusal.order, "64");
    return 0;
}

static void connection_race_tells_of_its_errors_as_the_attempts_began(void **state)
{
    room_run(first_refuses_last);
}

static int all_refuse(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    double delays[] = {AIO_FOREVER, 0, 3600};

    TRY(listen_at(room, -1, &options.port));
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        options.happy_eyeballs_delay = delays[i];
        int err = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);

        CHECK(err == AIO_EOS); /* the texts name two addresses */
        CHECK(strncmp(aio_error_text(err), "Multiple exceptions: ", 21) == 0);
        CHECK(strstr(aio_error_text(err), "('127.0.0.1', ") != NULL);
    }
    return 0;
}

static void connection_refused_everywhere_tells_of_all(void **state)
{
    room_run(all_refuse);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connection_is_made_to_a_number),
        TEST(connection_survives_every_shortage_of_memory),
        TEST(connection_is_made_to_a_name),
        TEST(connection_to_a_name_survives_every_shortage_of_memory),
        TEST(connection_that_is_refused_names_the_address),
        TEST(connection_fails_with_a_group_if_told),
        TEST(connection_to_a_name_that_is_not_found_fails),
        TEST(connection_binds_to_a_local_address),
        TEST(connection_that_cannot_bind_says_to_what),
        TEST(connection_takes_a_connected_socket),
        TEST(connection_options_that_contradict_are_refused),
        TEST(connection_without_a_task_is_refused),
        TEST(connection_that_hangs_can_be_timed_out),
        TEST(connection_can_be_cancelled_at_any_point),
        TEST(connection_can_be_cancelled_while_the_name_is_looked_up),
        TEST(connection_tries_families_in_turn_if_told),
        TEST(connection_that_fails_alike_everywhere_tells_it_once),
        TEST(connection_race_goes_on_past_an_address_that_is_silent),
        TEST(connection_race_survives_every_shortage_of_memory),
        TEST(connection_refused_everywhere_tells_of_all),
        TEST(connection_race_tells_of_its_errors_as_the_attempts_began),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
