/* SPDX-License-Identifier: MIT */
/*
 * test_tls_connect.c - TLS as an option of connecting, serving and streams
 */
#include "support/allocation.h"
#include "support/authority.h"
#include "support/room.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- contexts of a test ---------------------------------------------------------------- */

static aio_tls_context *client;
static aio_tls_context *server;

static int setup(void **state)
{
    int err = count_allocations(state);

    client = authority_client();
    server = authority_server("one.pem");
    return err;
}

static int teardown(void **state)
{
    aio_tls_context_unref(client);
    aio_tls_context_unref(server);
    return check_allocations(state);
}

static int port_of(aio_server *of)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int fd = -1;

    (void)aio_server_sockets(of, &fd, 1);
    (void)getsockname(fd, (struct sockaddr *)&name, &size);
    return ntohs(name.sin_port);
}

static aio_connect_options options_for(int port)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = port;
    options.ssl = client;
    return options;
}

/* --- create_connection and create_server ----------------------------------------------- */

static int serve(struct room *room, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    options.ssl = server;
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
    options = options_for(port_of(listener));
    TRY(dial(room, &options, &transport));
    CHECK(aio_transport_get_extra_info(transport, "sslcontext") == client);
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
    options = options_for(port_of(listener));
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
    options = options_for(port_of(listener));
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

    CHECK_CODE(aio_tls_context_load_cert_chain(server, authority_file("two.pem"), NULL), 0);
    TRY(serve(room, &listener));
    options = options_for(port_of(listener));
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
    options = options_for(port);
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
    options = options_for(port);
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
    aio_connect_options options = options_for(1);
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
    options = options_for(1);
    options.ssl_shutdown_timeout = -1;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);
    options.ssl_shutdown_timeout = NAN;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);
    options = options_for(1);
    options.host = NULL;
    err = dial(room, &options, NULL);
    CHECK_CODE(err, AIO_EVALUE);
    CHECK_TEXT(aio_error_text(err), "You must set server_hostname when using ssl without a host");
    options = options_for(1);
    options.ssl = server;
    CHECK_CODE(dial(room, &options, NULL), AIO_EVALUE);

    path.path = "/nowhere";
    path.ssl = client;
    err = aio_loop_create_unix_connection(NULL, room_factory, room, &path, NULL);
    CHECK_CODE(err, AIO_EVALUE);
    CHECK_TEXT(aio_error_text(err), "you have to pass server_hostname when using ssl");
    path.ssl = NULL;
    path.server_hostname = "one.test";
    CHECK_CODE(aio_loop_create_unix_connection(NULL, room_factory, room, &path, NULL), AIO_EVALUE);

    listening.port = 0;
    listening.ssl = client;
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &listening, &made), AIO_EVALUE);
    listening.ssl = aio_tls_context_default();
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &listening, &made), AIO_ETYPE);
    listening.ssl = NULL;
    listening.ssl_handshake_timeout = 1;
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &listening, &made), AIO_EVALUE);
    unix_listening.path = "/nowhere";
    unix_listening.ssl = client;
    CHECK_CODE(aio_loop_create_unix_server(NULL, room_factory, room, &unix_listening, &made),
               AIO_EVALUE);
    accepted.sock = 0;
    accepted.ssl = client;
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
    options.ssl = server;
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
    aio_connect_options options = options_for(-1);

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
    options.ssl = client;
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

/* --- streams --------------------------------------------------------------------------- */

static int echo_lines(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes line = {0};
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        err = aio_stream_writer_write(writer, line.data, line.size);
        aio_bytes_free(&line);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err < 0)
            break;
    }
    aio_bytes_free(&line);
    aio_stream_writer_close(writer);
    return err;
}

static int say_hello(aio_stream_reader *reader, aio_stream_writer *writer)
{
    aio_bytes line;
    bool same;

    TRY(aio_stream_writer_write(writer, "hello\n", 6));
    TRY(aio_stream_writer_drain(writer));
    TRY(aio_stream_reader_readline(reader, &line));
    same = line.size == 6 && memcmp(line.data, "hello\n", 6) == 0;
    aio_bytes_free(&line);
    CHECK(same);
    return 0;
}

/* Say a line and get it back, then hang up. */
static int talk(aio_stream_reader *reader, aio_stream_writer *writer)
{
    aio_bytes line;

    TRY(say_hello(reader, writer));
    CHECK(!aio_stream_writer_can_write_eof(writer));
    CHECK_CODE(aio_stream_writer_write_eof(writer), AIO_ENOTIMPLEMENTED);
    aio_stream_writer_close(writer);
    TRY(aio_stream_reader_read(reader, 10, &line));
    CHECK(line.size == 0);
    return aio_stream_writer_wait_closed(writer);
}

static int streams_by_tcp(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    aio_connect_options options;
    int err;

    listening.host = "127.0.0.1";
    listening.port = 0;
    listening.ssl = server;
    TRY(aio_start_server_with(echo_lines, room, &listening, 0, &listener));
    options = options_for(port_of(listener));
    TRY(aio_open_connection_with(&options, 0, &reader, &writer));
    err = talk(reader, writer);
    aio_server_close(listener);
    TRY(err);
    return aio_server_wait_closed(listener);
}

static void streams_speak_tls_by_tcp(void **state)
{
    room_run(streams_by_tcp);
}

static int streams_by_path(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_unix_server_options listening = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;
    char path[64];
    int err;

    (void)snprintf(path, sizeof(path), "/tmp/aioc-tls-%ld.sock", (long)getpid());
    listening.path = path;
    listening.ssl = server;
    TRY(aio_start_unix_server_with(echo_lines, room, &listening, 0, &listener));
    options.path = path;
    options.ssl = client;
    options.server_hostname = "one.test";
    TRY(aio_open_unix_connection_with(&options, 0, &reader, &writer));
    err = talk(reader, writer);
    aio_server_close(listener);
    TRY(err);
    return aio_server_wait_closed(listener);
}

static void streams_speak_tls_by_unix_sockets(void **state)
{
    room_run(streams_by_path);
}

/* --- start_tls of streams -------------------------------------------------------------- */

static int eager; /* the client sends its hello together with the command */

/* "starttls", "go on", the handshake, and echo. */
static int serve_upgrade(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes line = {0};
    int err = aio_stream_reader_readline(reader, &line);

    aio_bytes_free(&line);
    if (err == 0 && !eager)
        err = aio_stream_writer_write(writer, "go on\n", 6);
    if (err == 0)
        err = aio_stream_writer_start_tls(writer, server, NULL);
    return err < 0 ? err : echo_lines(reader, writer, arg);
}

static int upgrade(aio_stream_reader *reader, aio_stream_writer *writer)
{
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;
    aio_bytes line = {0};

    options.server_hostname = "one.test";
    TRY(aio_stream_writer_write(writer, "starttls\n", 9));
    if (!eager)
        TRY(aio_stream_reader_readline(reader, &line));
    aio_bytes_free(&line);
    TRY(aio_stream_writer_start_tls(writer, client, &options));
    CHECK(aio_stream_writer_get_extra_info(writer, "sslcontext") == client);
    return 0;
}

static int upgrade_and_talk(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err;

    TRY(aio_start_server(serve_upgrade, room, "127.0.0.1", 0, &listener));
    err = aio_open_connection("127.0.0.1", port_of(listener), &reader, &writer);
    if (err == 0)
        err = upgrade(reader, writer);
    if (err == 0)
        err = talk(reader, writer);
    aio_server_close(listener);
    return err < 0 ? err : aio_server_wait_closed(listener);
}

static void streams_are_upgraded_at_both_ends(void **state)
{
    eager = 0;
    room_run(upgrade_and_talk);
}

static void streams_are_upgraded_by_a_client_that_does_not_wait(void **state)
{
    eager = 1;
    room_run(upgrade_and_talk);
    eager = 0;
}

/* The reader's buffer of one layer is what the other decrypts. */
static int talk_in_layers(void *arg, void **ret_result)
{
    static char much[200000];
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    aio_connect_options options;
    aio_bytes answer;
    bool same;

    listening.host = "127.0.0.1";
    listening.port = 0;
    listening.ssl = server;
    TRY(aio_start_server_with(serve_upgrade, room, &listening, sizeof(much), &listener));
    options = options_for(port_of(listener));
    TRY(aio_open_connection_with(&options, 0, &reader, &writer));
    TRY(upgrade(reader, writer));
    room_fill(much, sizeof(much));
    for (size_t i = 0; i < sizeof(much); i++) /* a single line */
        much[i] = much[i] == '\n' ? '-' : much[i];
    much[sizeof(much) - 1] = '\n';
    TRY(aio_stream_writer_write(writer, much, sizeof(much)));
    TRY(aio_stream_reader_readexactly(reader, sizeof(much), &answer));
    same = memcmp(answer.data, much, sizeof(much)) == 0;
    aio_bytes_free(&answer);
    CHECK(same);
    TRY(talk(reader, writer));
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void tls_goes_through_tls(void **state)
{
    room_run(talk_in_layers);
}

static int upgrade_briefly(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    int err;

    TRY(aio_start_server(serve_upgrade, room, "127.0.0.1", 0, &listener));
    err = aio_open_connection("127.0.0.1", port_of(listener), &reader, &writer);
    if (err == 0)
        err = upgrade(reader, writer);
    aio_stream_writer_close(writer);
    if (err == 0)
        err = room_turn();
    aio_server_close(listener);
    return err;
}

static void upgrades_of_streams_survive_every_shortage_of_memory(void **state)
{
    room_run_starved(upgrade_briefly);
}

/* Bytes sent in the clear, behind the command, by somebody in between. */
static int inject(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_bytes line = {0};
    int err;

    TRY(aio_start_server(serve_upgrade, room, "127.0.0.1", 0, &listener));
    TRY(aio_open_connection("127.0.0.1", port_of(listener), &reader, &writer));
    TRY(aio_stream_writer_write(writer, "starttls\nevil command\n", 22));
    err = aio_stream_reader_read(reader, -1, &line); /* "go on", perhaps an alert, and the end */
    CHECK(err == 0 || err == -ECONNRESET);
    CHECK(line.data == NULL || strstr(line.data, "evil") == NULL);
    aio_bytes_free(&line);
    CHECK(room->reports == 1);
    CHECK_TEXT(room->report, "Unhandled exception in client_connected_cb: SSLError");
    aio_stream_writer_close(writer);
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void what_stands_behind_the_command_is_never_taken_for_the_peers_word(void **state)
{
    room_run(inject);
}

static int listen_only(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    aio_bytes all = {0};
    int err = aio_stream_reader_read(reader, -1, &all);

    aio_bytes_free(&all);
    aio_stream_writer_close(writer);
    return err == -ECONNRESET ? 0 : err;
}

struct upgrading {
    aio_stream_writer *writer;
    double timeout;
};

static int upgrade_silent(void *arg, void **ret_result)
{
    struct upgrading *upgrading = arg;
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;

    options.server_hostname = "one.test";
    options.handshake_timeout = upgrading->timeout;
    return aio_stream_writer_start_tls(upgrading->writer, client, &options);
}

static int upgrade_and_cancel(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;

    TRY(aio_start_server(listen_only, room, "127.0.0.1", 0, &listener));
    for (int turns = 0; turns < 8; turns++) {
        AIO_AUTO(aio_stream_reader) reader = NULL;
        AIO_AUTO(aio_stream_writer) writer = NULL;
        AIO_AUTO(aio_task) task = NULL;
        struct upgrading upgrading = {0};
        aio_bytes rest = {0};

        TRY(aio_open_connection("127.0.0.1", port_of(listener), &reader, &writer));
        upgrading.writer = writer;
        task = aio_create_task(upgrade_silent, &upgrading);
        for (int i = 0; i < turns; i++)
            TRY(aio_sleep(0));
        CHECK(aio_task_cancel(task, NULL));
        CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
        if (turns == 0) { /* it had not begun */
            CHECK(!aio_stream_writer_is_closing(writer));
            aio_stream_writer_close(writer);
        }
        CHECK(aio_stream_writer_is_closing(writer));
        TRY(aio_stream_reader_read(reader, -1, &rest));
        CHECK(rest.size == 0);
        TRY(aio_stream_writer_wait_closed(writer));
    }
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void an_upgrade_of_streams_can_be_cancelled_anywhere(void **state)
{
    room_run(upgrade_and_cancel);
}

static int upgrade_and_time_out(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    struct upgrading upgrading = {.timeout = 0.05};
    aio_bytes rest = {0};

    TRY(aio_start_server(listen_only, room, "127.0.0.1", 0, &listener));
    TRY(aio_open_connection("127.0.0.1", port_of(listener), &reader, &writer));
    upgrading.writer = writer;
    CHECK_CODE(upgrade_silent(&upgrading, NULL), -ECONNABORTED);
    CHECK_CODE(aio_stream_reader_read(reader, -1, &rest), -ECONNABORTED);
    CHECK_CODE(aio_stream_writer_wait_closed(writer), -ECONNABORTED);
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void an_upgrade_that_fails_ends_the_stream(void **state)
{
    room_run(upgrade_and_time_out);
}

static int upgrade_wrongly(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;

    TRY(aio_start_server(echo_lines, room, "127.0.0.1", 0, &listener));
    TRY(aio_open_connection("127.0.0.1", port_of(listener), &reader, &writer));
    CHECK_CODE(aio_stream_writer_start_tls(writer, NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_stream_writer_start_tls(writer, client, NULL), AIO_EVALUE); /* whom? */
    options.server_hostname = "one.test";
    CHECK_CODE(aio_stream_writer_start_tls(writer, server, &options), AIO_EVALUE);
    TRY(say_hello(reader, writer)); /* as if nothing had happened */
    aio_stream_writer_close(writer);
    CHECK_CODE(aio_stream_writer_start_tls(writer, client, &options), -ECONNRESET);
    TRY(aio_stream_writer_wait_closed(writer));
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void an_upgrade_that_makes_no_sense_changes_nothing(void **state)
{
    room_run(upgrade_wrongly);
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
    options = options_for(port_of(listener));
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
    options = options_for(port_of(listener));
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
    options = options_for(port_of(listener));
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

/* --- threads --------------------------------------------------------------------------- */

/* A loop's own server and client, with contexts that all threads share. */
static int talk_in_thread(void *arg, void **ret_result)
{
    aio_tls_context *fresh = arg;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) listener = NULL;
    aio_connect_options options;

    listening.host = "127.0.0.1";
    listening.port = 0;
    listening.ssl = server;
    TRY(aio_start_server_with(echo_lines, NULL, &listening, 0, &listener));
    options = options_for(port_of(listener));
    for (int i = 0; i < 3; i++) {
        AIO_AUTO(aio_stream_reader) reader = NULL;
        AIO_AUTO(aio_stream_writer) writer = NULL;

        options.ssl = i % 2 == 0 ? fresh : aio_tls_context_default();
        CHECK_CODE(aio_open_connection_with(&options, 0, &reader, &writer), AIO_ESSLCERT);
        options.ssl = client;
        TRY(aio_open_connection_with(&options, 0, &reader, &writer));
        TRY(talk(reader, writer));
    }
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void *run_thread(void *fresh)
{
    aio_loop *loop = aio_new_event_loop();
    aio_task *task = aio_loop_create_task(loop, talk_in_thread, fresh, NULL);
    int err = aio_loop_run_until_complete(loop, task, NULL);

    if (err < 0)
        print_error("%s: %s\n", aio_error_name(err), aio_error_text(err));
    aio_future_unref(task);
    if (err == 0)
        err = aio_loop_close(loop);
    aio_loop_unref(loop);
    return err == 0 ? NULL : fresh;
}

static void contexts_serve_several_threads(void **state)
{
    aio_tls_context *fresh = aio_tls_context_new(AIO_TLS_CLIENT); /* knows no authority yet */
    pthread_t threads[4];

    (void)state;
    assert_non_null(fresh);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, fresh), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    aio_tls_context_unref(fresh);
}

/* --- a lot of it ----------------------------------------------------------------------- */

enum { MUCH = 256 * 1024 * 1024, PIECE = 64 * 1024 };

static int send_much(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    static char piece[PIECE];
    int err = 0;

    room_fill(piece, sizeof(piece));
    for (size_t sent = 0; sent < MUCH && err == 0; sent += sizeof(piece)) {
        err = aio_stream_writer_write(writer, piece, sizeof(piece));
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (aio_transport_get_write_buffer_size(aio_stream_writer_transport(writer)) >
            700 * 1024) /* the mark, a piece, and what encrypting adds */
            err = aio_raise(AIO_EASSERTION, "the write buffer grows without bound");
    }
    aio_stream_writer_close(writer);
    return err;
}

static int receive_much(void *arg, void **ret_result)
{
    static char expected[PIECE];
    struct room *room = arg;
    AIO_AUTO(aio_server) listener = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    aio_connect_options options;
    aio_transport *transport;

    room_fill(expected, sizeof(expected));
    listening.host = "127.0.0.1";
    listening.port = 0;
    listening.ssl = server;
    TRY(aio_start_server_with(send_much, room, &listening, 0, &listener));
    options = options_for(port_of(listener));
    TRY(aio_open_connection_with(&options, 0, &reader, &writer));
    transport = aio_stream_writer_transport(writer);
    for (size_t got = 0; got < MUCH; got += PIECE) {
        aio_bytes piece;
        bool same;

        TRY(aio_stream_reader_readexactly(reader, PIECE, &piece));
        same = memcmp(piece.data, expected, PIECE) == 0;
        aio_bytes_free(&piece);
        CHECK(same);
        if (got % (MUCH / 256) == 0)
            TRY(room_turn()); /* let it pile up */
        CHECK(aio_transport_get_read_buffer_size(transport) <= 512 * 1024);
    }
    aio_stream_writer_close(writer);
    TRY(aio_stream_writer_wait_closed(writer));
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void megabytes_pass_in_bounded_memory(void **state)
{
    room_run(receive_much);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connection_returns_after_the_handshake),
        TEST(connection_of_tls_survives_every_shortage_of_memory),
        TEST(connection_to_another_host_is_refused),
        TEST(connection_with_the_default_context_trusts_the_system_alone),
        TEST(connection_with_an_empty_name_compares_none),
        TEST(connection_gives_a_silent_server_up),
        TEST(connection_can_be_cancelled_anywhere),
        TEST(options_that_make_no_sense_are_refused),
        TEST(sockets_of_the_callers_can_speak_tls),
        TEST(accepted_and_unix_sockets_of_tls_survive_every_shortage_of_memory),
        TEST(streams_speak_tls_by_tcp),
        TEST(streams_speak_tls_by_unix_sockets),
        TEST(streams_are_upgraded_at_both_ends),
        TEST(streams_are_upgraded_by_a_client_that_does_not_wait),
        TEST(tls_goes_through_tls),
        TEST(upgrades_of_streams_survive_every_shortage_of_memory),
        TEST(what_stands_behind_the_command_is_never_taken_for_the_peers_word),
        TEST(an_upgrade_of_streams_can_be_cancelled_anywhere),
        TEST(an_upgrade_that_fails_ends_the_stream),
        TEST(an_upgrade_that_makes_no_sense_changes_nothing),
        TEST(waiting_for_the_end_can_be_cancelled),
        TEST(a_file_is_sent_by_reading_and_writing),
        TEST(sending_a_file_survives_every_shortage_of_memory),
        TEST(contexts_serve_several_threads),
        TEST(megabytes_pass_in_bounded_memory),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
