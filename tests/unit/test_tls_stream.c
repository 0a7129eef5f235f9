/* SPDX-License-Identifier: MIT */
/*
 * test_tls_stream.c - streams that speak TLS, from the beginning or from some point on
 */
#include "support/tls_room.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- streams --------------------------------------------------------------------------- */

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
    listening.ssl = tls_server;
    TRY(aio_start_server_with(room_echo_lines, room, &listening, 0, &listener));
    options = tls_room_options(tls_room_port(listener));
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
    listening.ssl = tls_server;
    TRY(aio_start_unix_server_with(room_echo_lines, room, &listening, 0, &listener));
    options.path = path;
    options.ssl = tls_client;
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
        err = aio_stream_writer_start_tls(writer, tls_server, NULL);
    return err < 0 ? err : room_echo_lines(reader, writer, arg);
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
    TRY(aio_stream_writer_start_tls(writer, tls_client, &options));
    CHECK(aio_stream_writer_get_extra_info(writer, "sslcontext") == tls_client);
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
    err = aio_open_connection("127.0.0.1", tls_room_port(listener), &reader, &writer);
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
    listening.ssl = tls_server;
    TRY(aio_start_server_with(serve_upgrade, room, &listening, sizeof(much), &listener));
    options = tls_room_options(tls_room_port(listener));
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
    err = aio_open_connection("127.0.0.1", tls_room_port(listener), &reader, &writer);
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
    TRY(aio_open_connection("127.0.0.1", tls_room_port(listener), &reader, &writer));
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
    return aio_stream_writer_start_tls(upgrading->writer, tls_client, &options);
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

        TRY(aio_open_connection("127.0.0.1", tls_room_port(listener), &reader, &writer));
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
    TRY(aio_open_connection("127.0.0.1", tls_room_port(listener), &reader, &writer));
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

    TRY(aio_start_server(room_echo_lines, room, "127.0.0.1", 0, &listener));
    TRY(aio_open_connection("127.0.0.1", tls_room_port(listener), &reader, &writer));
    CHECK_CODE(aio_stream_writer_start_tls(writer, NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_stream_writer_start_tls(writer, tls_client, NULL), AIO_EVALUE); /* whom? */
    options.server_hostname = "one.test";
    CHECK_CODE(aio_stream_writer_start_tls(writer, tls_server, &options), AIO_EVALUE);
    TRY(say_hello(reader, writer)); /* as if nothing had happened */
    aio_stream_writer_close(writer);
    CHECK_CODE(aio_stream_writer_start_tls(writer, tls_client, &options), -ECONNRESET);
    TRY(aio_stream_writer_wait_closed(writer));
    aio_server_close(listener);
    return aio_server_wait_closed(listener);
}

static void an_upgrade_that_makes_no_sense_changes_nothing(void **state)
{
    room_run(upgrade_wrongly);
}

/* --- threads --------------------------------------------------------------------------- */

/* A loop's own server and tls_client, with contexts that all threads share. */
static int talk_in_thread(void *arg, void **ret_result)
{
    aio_tls_context *fresh = arg;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_server) listener = NULL;
    aio_connect_options options;

    listening.host = "127.0.0.1";
    listening.port = 0;
    listening.ssl = tls_server;
    TRY(aio_start_server_with(room_echo_lines, NULL, &listening, 0, &listener));
    options = tls_room_options(tls_room_port(listener));
    for (int i = 0; i < 3; i++) {
        AIO_AUTO(aio_stream_reader) reader = NULL;
        AIO_AUTO(aio_stream_writer) writer = NULL;

        options.ssl = i % 2 == 0 ? fresh : aio_tls_context_default();
        CHECK_CODE(aio_open_connection_with(&options, 0, &reader, &writer), AIO_ESSLCERT);
        options.ssl = tls_client;
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
    listening.ssl = tls_server;
    TRY(aio_start_server_with(send_much, room, &listening, 0, &listener));
    options = tls_room_options(tls_room_port(listener));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(streams_speak_tls_by_tcp),
        TLS_TEST(streams_speak_tls_by_unix_sockets),
        TLS_TEST(streams_are_upgraded_at_both_ends),
        TLS_TEST(streams_are_upgraded_by_a_client_that_does_not_wait),
        TLS_TEST(tls_goes_through_tls),
        TLS_TEST(upgrades_of_streams_survive_every_shortage_of_memory),
        TLS_TEST(what_stands_behind_the_command_is_never_taken_for_the_peers_word),
        TLS_TEST(an_upgrade_of_streams_can_be_cancelled_anywhere),
        TLS_TEST(an_upgrade_that_fails_ends_the_stream),
        TLS_TEST(an_upgrade_that_makes_no_sense_changes_nothing),
        TLS_TEST(contexts_serve_several_threads),
        TLS_TEST(megabytes_pass_in_bounded_memory),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
