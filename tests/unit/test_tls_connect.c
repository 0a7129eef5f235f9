/* SPDX-License-Identifier: MIT */
/*
 * test_tls_connect.c - TLS as an option of connecting and serving
 */
#include "support/tls_room.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- create_connection and create_server ----------------------------------------------- */

static int serve(struct room *room, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    options.ssl = tls_server;
    return aio_loop_create_server(room->loop, room_factory, room, &options, ret_server);
}

static int dial(struct room *room, const aio_connect_options *options, aio_transport **ret)
{
    return aio_loop_create_connection(room->loop, room_factory, room, options, ret);
}

static bool both_made(const struct room *room)
{
    return room->count == 2 && room->talks[0].made && room->talks[1].made;
}

static bool both_lost(const struct room *room)
{
    return room->talks[0].lost && room->talks[1].lost;
}

static int connect_and_echo(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_connect_options options;

    TRY(serve(room, &listener));
    options = tls_room_options(tls_room_port(listener));
    TRY(dial(room, &options, &transport));
    CHECK(aio_transport_get_extra_info(transport, "sslcontext") == tls_client);
    CHECK(aio_transport_get_extra_info(transport, "peername") != NULL);
    TRY(room_wait(room, both_made));
    TRY(aio_transport_write(transport, "hello", 5));
    for (int i = 0; i < 2; i++)
        if (room->talks[i].transport != transport)
            TRY(talk_wait_received(&room->talks[i], 5));
    aio_transport_close(transport);
    TRY(room_wait(room, both_lost));
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void connection_returns_after_the_handshake(void **state)
{
    room_run(connect_and_echo);
}

static int connect_by_context_alone(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_connect_options options;
    int err;

    TRY(serve(room, &listener));
    options = tls_room_options(tls_room_port(listener));
    err = dial(room, &options, &transport);
    if (err == 0) {
        aio_tls_session_unref(aio_tls_get_session(transport));
        (void)aio_transport_get_extra_info(transport, "peercert");
        (void)aio_transport_write(transport, "hello", 5);
    }
    aio_transport_close(transport);
    if (err == 0)
        err = room_turn();
    aio_server_close(listener);
    return err;
}

static void connection_of_tls_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(connect_by_context_alone);
}

/* What a dial with changed options gives; nothing may be left of it. */
static int refuse(struct room *room, void (*change)(aio_connect_options *options), int expected)
{
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_connect_options options;

    TRY(serve(room, &listener));
    options = tls_room_options(tls_room_port(listener));
    change(&options);
    CHECK_CODE(dial(room, &options, &transport), expected);
    CHECK(transport == NULL);
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void want_another(aio_connect_options *options)
{
    options->server_hostname = "two.test";
}

static int refuse_another(void *arg, void **ret_result)
{
    struct room *room = arg;

    TRY(refuse(room, want_another, AIO_ESSLCERT));
    CHECK(!room->talks[0].made && room->talks[0].released);
    return 0;
}

static void connection_to_another_host_is_refused(void **state)
{
    room_run(refuse_another);
}

static void trust_the_system(aio_connect_options *options)
{
    options->ssl = aio_tls_context_default();
}

static int refuse_unknown(void *arg, void **ret_result)
{
    return refuse(arg, trust_the_system, AIO_ESSLCERT);
}

static void connection_with_the_default_context_trusts_the_system_alone(void **state)
{
    room_run(refuse_unknown);
}

static int compare_nothing(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_connect_options options;
    int err;

    CHECK_CODE(aio_tls_context_load_cert_chain(tls_server, authority_file("two.pem"), NULL), 0);
    TRY(serve(room, &listener));
    options = tls_room_options(tls_room_port(listener));
    CHECK_CODE(dial(room, &options, &transport), AIO_ESSLCERT); /* it is two.test's */
    options.server_hostname = "";
    err = dial(room, &options, &transport);
    aio_transport_abort(transport);
    aio_server_close(listener);
    TRY(err);
    return aio_server_wait_closed(listener);
}

static void connection_with_an_empty_name_compares_none(void **state)
{
    room_run(compare_nothing);
}

/* A server that never says anything. */
static int be_silent(struct room *room, int *ret_port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);

    room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(room->fds[0], (struct sockaddr *)&name, size) == 0);
    CHECK(listen(room->fds[0], 5) == 0);
    CHECK(getsockname(room->fds[0], (struct sockaddr *)&name, &size) == 0);
    *ret_port = ntohs(name.sin_port);
    return 0;
}

static int dial_the_silent(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options;
    int port = 0;
    int err;

    TRY(be_silent(room, &port));
    options = tls_room_options(port);
    options.ssl_handshake_timeout = 0.05;
    err = dial(room, &options, NULL);
    CHECK_CODE(err, -ECONNABORTED);
    CHECK_TEXT(aio_error_text(err),
               "SSL handshake is taking longer than 0.05 seconds: aborting the connection");
    return 0;
}

static void connection_gives_a_silent_server_up(void **state)
{
    room_run(dial_the_silent);
}

static int dial_for_ever(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options;
    int port = 0;

    TRY(be_silent(room, &port));
    options = tls_room_options(port);
    return dial(room, &options, NULL);
}

/* Cancel it after more and more turns of the loop: in the connect, before and in the handshake. */
static int cancel_dialling(void *arg, void **ret_result)
{
    struct room *room = arg;

    for (int turns = 0; turns < 12; turns++) {
        AIO_AUTO(aio_task) task = aio_create_task(dial_for_ever, room);
        char byte;
        int fd;

        for (int i = 0; i < turns; i++)
            TRY(aio_sleep(0));
        CHECK(aio_task_cancel(task, NULL));
        CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
        TRY(room_turn());
        for (size_t i = 0; i < room->count; i++)
            CHECK(room->talks[i].released && !room->talks[i].made);
        if (room->fds[0] >= 0 && turns > 4) { /* our end is closed: what follows is its end */
            fd = accept(room->fds[0], NULL, NULL);
            CHECK(fd >= 0);
            while (recv(fd, &byte, 1, 0) > 0)
                continue;
            close(fd);
        }
        if (room->fds[0] >= 0)
            close(room->fds[0]);
        room->fds[0] = -1;
    }
    return 0;
}

static void connection_can_be_cancelled_anywhere(void **state)
{
    room_run(cancel_dialling);
}

/* --- what makes no sense --------------------------------------------------------------- */

static int wrong_options(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options options = tls_room_options(1);
    aio_unix_connect_options path = AIO_UNIX_CONNECT_OPTIONS_INIT;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    aio_unix_server_options unix_listening = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_accepted_options accepted = AIO_ACCEPTED_OPTIONS_INIT;
    aio_server *made = NULL;
    int err;

    options.ssl = NULL;
    options.server_hostname = "one.test";
    err = dial(room, &options, NULL);
    CHECK_CODE(err, AIO_EVALUE);
    CHECK_TEXT(aio_error_text(err), "server_hostname is only meaningful with ssl");
    options.server_hostname = NULL;
    options.ssl_handshake_timeout = 1;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);
    options.ssl_handshake_timeout = 0;
    options.ssl_shutdown_timeout = 1;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);
    options = tls_room_options(1);
    options.ssl_shutdown_timeout = -1;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);
    options.ssl_shutdown_timeout = NAN;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);
    options = tls_room_options(1);
    options.host = NULL;
    err = dial(room, &options, NULL);
    CHECK_CODE(err, AIO_EVALUE);
    CHECK_TEXT(aio_error_text(err), "You must set server_hostname when using ssl without a host");
    options = tls_room_options(1);
    options.ssl = tls_server;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);

    path.path = "/nowhere";
    path.ssl = tls_client;
    err = aio_loop_create_unix_connection(NULL, room_factory, room, &path, NULL);
    CHECK_CODE(err, AIO_EVALUE);
    CHECK_TEXT(aio_error_text(err), "you have to pass server_hostname when using ssl");
    path.ssl = NULL;
    path.server_hostname = "one.test";
    CHECK_CODE(aio_loop_create_unix_connection(NULL, room_factory, room, &path, NULL), AIO_EVALUE);

    listening.port = 0;
    listening.ssl = tls_client;
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &listening, &made), AIO_EVALUE);
    listening.ssl = aio_tls_context_default();
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &listening, &made), AIO_ETYPE);
    listening.ssl = NULL;
    listening.ssl_handshake_timeout = 1;
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &listening, &made), AIO_EVALUE);
    unix_listening.path = "/nowhere";
    unix_listening.ssl = tls_client;
    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &unix_listening, &made),
               AIO_EVALUE);
    accepted.sock = 0;
    accepted.ssl = tls_client;
    CHECK_CODE(aio_loop_connect_accepted_socket_with(NULL, room_factory, room, &accepted, NULL),
               AIO_EVALUE);
    CHECK(room->count == 0 && made == NULL);
    return 0;
}

static void options_that_make_no_sense_are_refused(void **state)
{
    room_run(wrong_options);
}

/* --- sockets of the caller's, and unix ------------------------------------------------- */

static int accept_one(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;
    int err;

    options.sock = room->fds[1];
    options.ssl = tls_server;
    err = aio_loop_connect_accepted_socket_with(NULL, room_factory, room, &options, NULL);
    if (err == 0)
        room->fds[1] = -1;
    return err;
}

static int by_sockets(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_task) accepting = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_connect_options options = tls_room_options(-1);

    room_tcp_pair(room->fds);
    accepting = aio_create_task(accept_one, room);
    options.host = NULL;
    options.sock = room->fds[0];
    options.server_hostname = "one.test";
    TRY(dial(room, &options, &transport));
    room->fds[0] = -1;
    TRY(aio_await(accepting, NULL));
    CHECK(room->talks[0].made && room->talks[1].made);
    aio_transport_close(transport);
    return room_wait(room, both_lost);
}

static void sockets_of_the_callers_can_speak_tls(void **state)
{
    room_run(by_sockets);
}

/* The other side is told, or it would wait for the handshake. */
static int accept_or_hang_up(void *arg, void **ret_result)
{
    struct room *room = arg;
    int err = accept_one(room, ret_result);

    if (err < 0)
        (void)shutdown(room->fds[1], SHUT_RDWR);
    return err;
}

static int by_unix_sockets_briefly(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_task) accepting = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;
    int accepted;
    int err;

    room_socketpair(room->fds);
    accepting = aio_create_task(accept_or_hang_up, room);
    if (accepting == NULL)
        return AIO_ENOMEM;
    options.sock = room->fds[0];
    options.ssl = tls_client;
    options.server_hostname = "one.test";
    err = aio_loop_create_unix_connection(NULL, room_factory, room, &options, &transport);
    if (err == 0)
        room->fds[0] = -1;
    else
        (void)shutdown(room->fds[0], SHUT_RDWR);
    accepted = aio_await(accepting, NULL);
    aio_transport_close(transport);
    if (err == 0 && accepted == 0)
        err = room_turn();
    return err < 0 ? err : accepted;
}

static void accepted_and_unix_sockets_of_tls_survive_every_shortage_of_memory(void **state)
{
    room_run_starved(by_unix_sockets_briefly);
}

/* --- the end --------------------------------------------------------------------------- */

static int wait_for_end(void *arg, void **ret_result)
{
    return aio_stream_writer_wait_closed(arg);
}

/* The peer never answers our close_notify: the wait can be left, and the connection ends in time. */
static int leave_the_end(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    AIO_AUTO(aio_task) task = NULL;
    aio_connect_options options;
    aio_bytes rest = {0};

    TRY(serve(room, &listener));
    options = tls_room_options(tls_room_port(listener));
    options.ssl_shutdown_timeout = 0.05;
    TRY(aio_open_connection_with(&options, 0, &reader, &writer));
    TRY(talk_wait_for(&room->talks[0], "made"));
    /* The transport of TLS reads no more, and neither does the one below it. */
    TRY(aio_transport_pause_reading(room->talks[0].transport));
    TRY(aio_transport_set_read_buffer_limits(room->talks[0].transport, 0, 0));
    aio_stream_writer_close(writer);
    task = aio_create_task(wait_for_end, writer);
    TRY(room_turn());
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_server_close(listener);
    CHECK_CODE(aio_stream_reader_read(reader, 1, &rest), AIO_ETIMEDOUT);
    aio_transport_abort(room->talks[0].transport);
    return aio_server_wait_closed(listener);
}

static void waiting_for_the_end_can_be_cancelled(void **state)
{
    room_run(leave_the_end);
}

/* --- files ----------------------------------------------------------------------------- */

static char content[300000];

/* A file of the content is fds[0]. */
static int open_file(struct room *room)
{
    FILE *file = tmpfile();

    CHECK(file != NULL);
    room->fds[0] = dup(fileno(file));
    room_fill(content, sizeof(content));
    CHECK(fwrite(content, 1, sizeof(content), file) == sizeof(content));
    (void)fclose(file);
    CHECK(lseek(room->fds[0], 0, SEEK_SET) == 0);
    return 0;
}

static int send_file(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_sendfile_options sending = AIO_SENDFILE_OPTIONS_INIT;
    aio_connect_options options;
    uint64_t sent = 0;

    TRY(open_file(room));
    room->quiet = true;
    TRY(serve(room, &listener));
    options = tls_room_options(tls_room_port(listener));
    TRY(dial(room, &options, &transport));
    TRY(room_wait(room, both_made));
    sending.no_fallback = true;
    CHECK_CODE(aio_loop_sendfile(NULL, transport, room->fds[0], &sending, &sent),
               AIO_ESENDFILENOTAVAILABLE);
    TRY(aio_loop_sendfile(NULL, transport, room->fds[0], NULL, &sent));
    CHECK(sent == sizeof(content));
    for (int i = 0; i < 2; i++) {
        if (room->talks[i].transport == transport)
            continue;
        TRY(talk_wait_received(&room->talks[i], sizeof(content)));
        CHECK(room->talks[i].sum == room_sum(0, 0, content, sizeof(content)));
    }
    aio_transport_close(transport);
    TRY(room_wait(room, both_lost));
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void a_file_is_sent_by_reading_and_writing(void **state)
{
    room_run(send_file);
}

/* The connection may be lost at any point, and then nobody waits for the rest. */
static int send_file_briefly(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_transport) transport = NULL;
    aio_connect_options options;
    uint64_t sent = 0;
    int err;

    TRY(open_file(room));
    room->quiet = true;
    TRY(serve(room, &listener));
    options = tls_room_options(tls_room_port(listener));
    err = dial(room, &options, &transport);
    if (err == 0)
        err = aio_loop_sendfile(NULL, transport, room->fds[0], NULL, &sent);
    if (err == 0)
        CHECK(sent == sizeof(content));
    aio_transport_close(transport);
    if (err == 0)
        err = room_turn();
    aio_server_close(listener);
    return err;
}

static void sending_a_file_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(send_file_briefly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(connection_returns_after_the_handshake),
        TLS_TEST(connection_of_tls_survives_every_shortage_of_memory),
        TLS_TEST(connection_to_another_host_is_refused),
        TLS_TEST(connection_with_the_default_context_trusts_the_system_alone),
        TLS_TEST(connection_with_an_empty_name_compares_none),
        TLS_TEST(connection_gives_a_silent_server_up),
        TLS_TEST(connection_can_be_cancelled_anywhere),
        TLS_TEST(options_that_make_no_sense_are_refused),
        TLS_TEST(sockets_of_the_callers_can_speak_tls),
        TLS_TEST(accepted_and_unix_sockets_of_tls_survive_every_shortage_of_memory),
        TLS_TEST(waiting_for_the_end_can_be_cancelled),
        TLS_TEST(a_file_is_sent_by_reading_and_writing),
        TLS_TEST(sending_a_file_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
