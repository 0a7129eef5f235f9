/* SPDX-License-Identifier: MIT */
/*
 * test_tls_none.c - a library that was built without OpenSSL: everything says so, nothing is plain
 * that was to be secret
 */
#include "support/allocation.h"
#include "support/room.h"

static void every_call_of_a_context_says_so(void **state)
{
    static const char *const protocols[] = {"h2"};
    aio_tls_context *context = aio_tls_context_default();

    (void)state;
    assert_null(aio_tls_context_new(AIO_TLS_CLIENT));
    assert_int_equal(aio_last_failure(), AIO_ENOTIMPLEMENTED);
    assert_non_null(context);
    assert_int_equal(aio_tls_context_load_cert_chain(context, "x", NULL), AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_load_verify_locations(context, "x", NULL),
                     AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_load_verify_data(context, "x", 1), AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_set_password(context, "x"), AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_set_verify(context, AIO_TLS_VERIFY_NONE), AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_set_verify_flags(context, 0), AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_set_alpn_protocols(context, protocols, 1),
                     AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_set_minimum_version(context, AIO_TLS_1_2),
                     AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_set_maximum_version(context, AIO_TLS_1_3),
                     AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_tls_context_set_ciphers(context, "x"), AIO_ENOTIMPLEMENTED);
    assert_null(aio_tls_context_native(context));
    aio_tls_context_set_check_hostname(context, false);
    aio_tls_context_set_sni_callback(context, NULL, NULL);
    aio_tls_context_unref(aio_tls_context_ref(context));
}

static void there_are_no_sessions(void **state)
{
    size_t high = 1;
    size_t low = 1;

    (void)state;
    assert_null(aio_tls_get_session(NULL));
    assert_int_equal(aio_last_failure(), AIO_ENOTIMPLEMENTED);
    aio_tls_session_unref(aio_tls_session_ref(NULL));
    assert_false(aio_tls_session_is_resumable(NULL) || aio_tls_session_reused(NULL));
    assert_null(aio_tls_selected_alpn_protocol(NULL));
    assert_int_equal(aio_transport_set_read_buffer_limits(NULL, 1, 1), AIO_ENOTIMPLEMENTED);
    aio_transport_get_read_buffer_limits(NULL, &high, &low);
    assert_true(high == 0 && low == 0);
    assert_int_equal(aio_transport_get_read_buffer_size(NULL), 0);
}

static int call_all(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_connect_options connecting = AIO_CONNECT_OPTIONS_INIT;
    aio_server_options listening = AIO_SERVER_OPTIONS_INIT;
    aio_accepted_options accepted = AIO_ACCEPTED_OPTIONS_INIT;
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;
    aio_transport *transport = NULL;
    aio_server *server = NULL;

    connecting.host = "127.0.0.1";
    connecting.port = 1;
    connecting.ssl = aio_tls_context_default();
    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, &connecting, NULL),
               AIO_ENOTIMPLEMENTED);
    listening.port = 0;
    listening.ssl = aio_tls_context_default();
    CHECK_CODE(aio_loop_create_server(NULL, room_factory, room, &listening, &server),
               AIO_ENOTIMPLEMENTED);
    accepted.sock = 0;
    accepted.ssl = aio_tls_context_default();
    CHECK_CODE(aio_loop_connect_accepted_socket_with(NULL, room_factory, room, &accepted, NULL),
               AIO_ENOTIMPLEMENTED);
    CHECK_CODE(
        aio_loop_start_tls(NULL, NULL, NULL, aio_tls_context_default(), &options, &transport),
        AIO_ENOTIMPLEMENTED);
    CHECK(aio_tls_protocol_new(NULL, NULL, aio_tls_context_default(), &options) == NULL);
    CHECK(aio_last_failure() == AIO_ENOTIMPLEMENTED);
    connecting.ssl = NULL;
    connecting.server_hostname = "one.test"; /* what makes no sense still does not */
    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, &connecting, NULL), AIO_EVALUE);
    CHECK(room->count == 0);
    return 0;
}

static void every_way_to_a_connection_says_so(void **state)
{
    (void)state;
    room_run(call_all);
}

static int upgrade(void *arg, void **ret_result)
{
    struct room *room = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    int err;

    room_socketpair(room->fds);
    options.sock = room->fds[0];
    TRY(aio_open_connection_with(&options, 0, &reader, &writer));
    room->fds[0] = -1;
    err = aio_stream_writer_start_tls(writer, aio_tls_context_default(), NULL);
    CHECK_CODE(err, AIO_ENOTIMPLEMENTED);
    CHECK(!aio_stream_writer_is_closing(writer));
    aio_stream_writer_close(writer);
    return aio_stream_writer_wait_closed(writer);
}

static void a_stream_stays_as_it_is(void **state)
{
    (void)state;
    room_run(upgrade);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_call_of_a_context_says_so),
        TEST(there_are_no_sessions),
        TEST(every_way_to_a_connection_says_so),
        TEST(a_stream_stays_as_it_is),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
