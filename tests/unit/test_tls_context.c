/* SPDX-License-Identifier: MIT */
/*
 * test_tls_context.c - what contexts can be told, sessions, and what a certificate says
 */
#include "net/tls_internal.h"
#include "support/allocation.h"
#include "support/tls_room.h"

#include <aio/datagram.h>
#include <aio/pipe.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- two ends --------------------------------------------------------------------------- */

/* Both ends of one connection, and how each end's handshake ended. */
struct meeting {
    struct room *room;
    aio_tls_session *session; /* borrowed: for the client to resume; may be NULL */
    int fds[2];
    int client_code;
    int server_code;
    aio_transport *client; /* referenced; NULL: failed */
    aio_transport *server;
};

static int begin_server(void *arg, void **ret_result)
{
    struct meeting *meeting = arg;
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;

    options.sock = meeting->fds[1];
    options.ssl = tls_server;
    meeting->server_code = aio_loop_connect_accepted_socket_with(NULL, room_factory, meeting->room,
                                                                 &options, &meeting->server);
    return 0;
}

/* Let the two shake hands: each end's code is in the meeting. */
static int meet(struct room *room, struct meeting *meeting)
{
    AIO_AUTO(aio_task) task = NULL;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    meeting->room = room;
    room_socketpair(meeting->fds);
    options.sock = meeting->fds[0];
    options.ssl = tls_client;
    options.server_hostname = "one.test";
    options.ssl_session = meeting->session;
    task = aio_create_task(begin_server, meeting);
    meeting->client_code =
        aio_loop_create_connection(NULL, room_factory, room, &options, &meeting->client);
    return aio_await(task, NULL);
}

static bool all_released(const struct room *room)
{
    for (size_t i = 0; i < room->count; i++)
        if (room->talks[i].made && !room->talks[i].lost)
            return false;
    return true;
}

static int part(struct meeting *meeting)
{
    aio_transport_close(meeting->client);
    aio_transport_close(meeting->server);
    aio_transport_unref(meeting->client);
    aio_transport_unref(meeting->server);
    meeting->client = NULL;
    meeting->server = NULL;
    return room_wait(meeting->room, all_released);
}

/* Meet and part: both codes have to be these. A server's may come after the client was content. */
static int expect(struct room *room, int client_code, int server_code)
{
    struct meeting meeting = {0};

    TRY(meet(room, &meeting));
    CHECK_CODE(meeting.client_code, client_code);
    CHECK_CODE(meeting.server_code, server_code);
    return part(&meeting);
}

static int agree(void *arg, void **ret_result)
{
    return expect(arg, 0, 0);
}

/* --- keys and authorities ---------------------------------------------------------------- */

static void an_encrypted_key_is_refused_without_its_password(void **state)
{
    (void)state;
    assert_int_equal(
        aio_tls_context_load_cert_chain(tls_server, authority_file("locked.pem"), NULL), AIO_ESSL);
    assert_int_equal(aio_tls_context_set_password(tls_server, "wrong"), 0);
    assert_int_equal(
        aio_tls_context_load_cert_chain(tls_server, authority_file("locked.pem"), NULL), AIO_ESSL);
}

static void an_encrypted_key_is_loaded_by_its_password(void **state)
{
    aio_tls_context_unref(tls_server);
    tls_server = aio_tls_context_new(AIO_TLS_SERVER);
    assert_int_equal(aio_tls_context_set_password(tls_server, "open sesame"), 0);
    assert_int_equal(
        aio_tls_context_load_cert_chain(tls_server, authority_file("locked.pem"), NULL), 0);
    assert_int_equal(aio_tls_context_set_password(tls_server, NULL), 0);
    room_run(agree);
    (void)state;
}

static void a_password_that_finds_no_memory_leaves_the_former(void **state)
{
    static const char text[] = "x";

    (void)state;
    assert_int_equal(aio_tls_context_set_password(tls_server, text), 0);
    assert_int_equal(aio_tls_context_set_password(NULL, text), AIO_EVALUE);
    assert_int_equal(aio_tls_context_set_password(tls_server, NULL), 0);
}

static size_t read_file(const char *name, char *data, size_t size)
{
    FILE *file = fopen(authority_file(name), "rb");
    size_t got;

    assert_non_null(file);
    got = fread(data, 1, size, file);
    fclose(file);
    return got;
}

static void authorities_are_loaded_from_memory(void **state)
{
    char pem[4096];
    size_t size = read_file("ca.pem", pem, sizeof(pem));

    (void)state;
    aio_tls_context_unref(tls_client);
    tls_client = aio_tls_context_new(AIO_TLS_CLIENT);
    assert_int_equal(aio_tls_context_load_verify_data(tls_client, "nonsense", 8), AIO_ESSL);
    assert_int_equal(aio_tls_context_load_verify_data(tls_client, "\x30\x03xyz", 5), AIO_ESSL);
    assert_int_equal(aio_tls_context_load_verify_data(tls_client, NULL, 0), AIO_EVALUE);
    assert_int_equal(aio_tls_context_load_verify_data(tls_client, pem, size), 0);
    room_run(agree);
}

/* The certificate of the server, as DER, is what a partial chain may end with. */
static int keep_der(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct meeting meeting = {0};
    const aio_tls_certificate *peer;

    TRY(meet(room, &meeting));
    peer = aio_transport_get_extra_info(meeting.client, "peercert");
    CHECK(peer != NULL && peer->der_size <= sizeof(room->talks[0].data));
    memcpy(room->talks[0].data, peer->der, peer->der_size);
    TRY(part(&meeting));
    aio_tls_context_unref(tls_client);
    tls_client = aio_tls_context_new(AIO_TLS_CLIENT);
    CHECK_CODE(aio_tls_context_load_verify_data(tls_client, room->talks[0].data, peer->der_size),
               0);
    TRY(expect(room, AIO_ESSLCERT, AIO_ESSL));
    CHECK_CODE(aio_tls_context_set_verify_flags(tls_client, AIO_TLS_VERIFY_PARTIAL_CHAIN), 0);
    return expect(room, 0, 0);
}

static void a_trusted_certificate_can_end_a_chain(void **state)
{
    (void)state;
    room_run(keep_der);
}

static void a_revoked_certificate_is_refused(void **state)
{
    (void)state;
    aio_tls_context_unref(tls_server);
    tls_server = authority_server("revoked.pem");
    room_run(agree); /* nobody has asked */
    assert_int_equal(aio_tls_context_set_verify_flags(tls_client, AIO_TLS_VERIFY_CRL_CHECK_LEAF),
                     0);
    assert_int_equal(
        aio_tls_context_load_verify_locations(tls_client, authority_file("crl.pem"), NULL), 0);
    assert_int_equal(aio_tls_context_set_verify_flags(tls_client, 1u << 30), AIO_EVALUE);
}

static int refuse_revoked(void *arg, void **ret_result)
{
    return expect(arg, AIO_ESSLCERT, AIO_ESSL);
}

static void a_list_of_revoked_certificates_is_asked(void **state)
{
    a_revoked_certificate_is_refused(state);
    room_run(refuse_revoked);
    aio_tls_context_unref(tls_server);
    tls_server = authority_server("one.pem");
    room_run(agree); /* which is not on the list */
}

/* --- versions and ciphers ---------------------------------------------------------------- */

static const char *wanted; /* of the next connection: its version, or its cipher's name */

static int agree_on(void *arg, void **ret_result)
{
    struct meeting meeting = {0};
    const aio_tls_cipher *cipher;

    TRY(meet(arg, &meeting));
    CHECK_CODE(meeting.client_code, 0);
    cipher = aio_transport_get_extra_info(meeting.client, "cipher");
    CHECK(cipher != NULL);
    CHECK(strcmp(cipher->version, wanted) == 0 || strcmp(cipher->name, wanted) == 0);
    return part(&meeting);
}

static void a_maximum_version_is_kept(void **state)
{
    (void)state;
    wanted = "TLSv1.3";
    room_run(agree_on);
    assert_int_equal(aio_tls_context_set_maximum_version(tls_server, AIO_TLS_1_2), 0);
    wanted = "TLSv1.2";
    room_run(agree_on);
    assert_int_equal(aio_tls_context_set_maximum_version(tls_server, (aio_tls_version)7),
                     AIO_EVALUE);
}

static void ciphers_are_chosen_by_a_list(void **state)
{
    (void)state;
    assert_int_equal(aio_tls_context_set_maximum_version(tls_server, AIO_TLS_1_2), 0);
    assert_int_equal(aio_tls_context_set_ciphers(tls_server, "ECDHE-ECDSA-CHACHA20-POLY1305"), 0);
    wanted = "ECDHE-ECDSA-CHACHA20-POLY1305";
    room_run(agree_on);
    assert_int_equal(aio_tls_context_set_ciphers(tls_server, "NO-SUCH-CIPHER"), AIO_ESSL);
    assert_int_equal(aio_tls_context_set_ciphers(tls_server, NULL), AIO_EVALUE);
}

/* --- the default context ----------------------------------------------------------------- */

static void the_default_context_cannot_be_changed(void **state)
{
    aio_tls_context *shared = aio_tls_context_default();
    static const char *const protocols[] = {"h2"};

    (void)state;
    assert_non_null(shared);
    assert_ptr_equal(shared, aio_tls_context_default());
    assert_int_equal(aio_tls_context_set_verify(shared, AIO_TLS_VERIFY_NONE), AIO_EVALUE);
    assert_int_equal(aio_tls_context_set_alpn_protocols(shared, protocols, 1), AIO_EVALUE);
    assert_int_equal(aio_tls_context_set_minimum_version(shared, AIO_TLS_1_3), AIO_EVALUE);
    assert_int_equal(aio_tls_context_set_password(shared, "x"), AIO_EVALUE);
    assert_int_equal(aio_tls_context_load_verify_locations(shared, authority_file("ca.pem"), NULL),
                     AIO_EVALUE);
    assert_int_equal(aio_tls_context_load_cert_chain(shared, authority_file("one.pem"), NULL),
                     AIO_EVALUE);
    aio_tls_context_set_check_hostname(shared, false); /* has no effect: see below */
    aio_tls_context_set_sni_callback(shared, NULL, NULL);
    assert_non_null(aio_tls_context_native(shared));
    aio_tls_context_unref(aio_tls_context_ref(shared));
}

/* --- optional certificates --------------------------------------------------------------- */

static void a_server_may_do_without_the_certificate_it_asks_for(void **state)
{
    (void)state;
    assert_int_equal(
        aio_tls_context_load_verify_locations(tls_server, authority_file("ca.pem"), NULL), 0);
    assert_int_equal(aio_tls_context_set_verify(tls_server, AIO_TLS_VERIFY_OPTIONAL), 0);
    room_run(agree);
    assert_int_equal(
        aio_tls_context_load_cert_chain(tls_client, authority_file("client.pem"), NULL), 0);
    room_run(agree);
}

static int refuse_client(void *arg, void **ret_result)
{
    struct meeting meeting = {0};

    TRY(meet(arg, &meeting));
    CHECK_CODE(meeting.server_code, AIO_ESSLCERT);
    return part(&meeting);
}

static void a_bad_certificate_is_refused_even_where_none_would_do(void **state)
{
    (void)state;
    /* This server trusts the system's authorities. */
    assert_int_equal(aio_tls_context_set_verify(tls_server, AIO_TLS_VERIFY_OPTIONAL), 0);
    assert_int_equal(
        aio_tls_context_load_cert_chain(tls_client, authority_file("client.pem"), NULL), 0);
    room_run(refuse_client);
}

/* --- sessions ---------------------------------------------------------------------------- */

/* Meet, and once more with the session of the first time. By TLS 1.3 it comes after the handshake,
 * before what the server sends next. */
static int meet_again(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct meeting meeting = {0};
    AIO_AUTO(aio_tls_session) session = NULL;

    TRY(meet(room, &meeting));
    CHECK_CODE(meeting.client_code, 0);
    CHECK(!aio_tls_session_reused(meeting.client));
    TRY(aio_transport_write(meeting.server, "hi", 2));
    for (size_t i = 0; i < room->count; i++)
        if (room->talks[i].transport == meeting.client)
            TRY(talk_wait_received(&room->talks[i], 2));
    session = aio_tls_get_session(meeting.client);
    CHECK(session != NULL && aio_tls_session_is_resumable(session));
    TRY(part(&meeting));
    meeting = (struct meeting){.session = session};
    TRY(meet(room, &meeting));
    CHECK_CODE(meeting.client_code, 0);
    CHECK(aio_tls_session_reused(meeting.client) && aio_tls_session_reused(meeting.server));
    /* What was known of the server is known still. */
    CHECK(aio_transport_get_extra_info(meeting.client, "peercert") != NULL);
    return part(&meeting);
}

static void a_session_is_resumed(void **state)
{
    (void)state;
    room_run(meet_again);
}

static void a_session_of_tls_1_2_is_resumed(void **state)
{
    (void)state;
    assert_int_equal(aio_tls_context_set_maximum_version(tls_client, AIO_TLS_1_2), 0);
    room_run(meet_again);
}

static int misuse_session(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct meeting meeting = {0};
    AIO_AUTO(aio_tls_session) session = NULL;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_tls_context *before = tls_client;
    int codes[2];

    TRY(meet(room, &meeting));
    session = aio_tls_get_session(meeting.client);
    CHECK(session != NULL);
    TRY(part(&meeting));
    room_socketpair(room->fds);
    options.sock = room->fds[0];
    options.ssl = tls_client;
    options.server_hostname = "two.test"; /* another than it is of */
    options.ssl_session = session;
    codes[0] = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    tls_client = authority_client();
    options.server_hostname = "one.test";
    options.ssl = tls_client; /* another as well */
    codes[1] = aio_loop_create_connection(NULL, room_factory, room, &options, NULL);
    aio_tls_context_unref(tls_client);
    tls_client = before;
    CHECK_CODE(codes[0], AIO_EVALUE);
    CHECK_CODE(codes[1], AIO_EVALUE);
    CHECK(aio_tls_get_session(NULL) == NULL);
    CHECK(!aio_tls_session_reused(NULL) && !aio_tls_session_is_resumable(NULL));
    return 0;
}

static void a_session_is_for_its_context_and_name_alone(void **state)
{
    (void)state;
    room_run(misuse_session);
}

static int trust_nobody(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct meeting meeting = {0};
    AIO_AUTO(aio_tls_session) session = NULL;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    CHECK_CODE(aio_tls_context_set_verify(tls_client, AIO_TLS_VERIFY_NONE), 0);
    TRY(meet(room, &meeting));
    session = aio_tls_get_session(meeting.client);
    TRY(part(&meeting));
    CHECK_CODE(aio_tls_context_set_verify(tls_client, AIO_TLS_VERIFY_REQUIRED), 0);
    room_socketpair(room->fds);
    options.sock = room->fds[0];
    options.ssl = tls_client;
    options.server_hostname = "one.test";
    options.ssl_session = session;
    CHECK_CODE(aio_loop_create_connection(NULL, room_factory, room, &options, NULL), AIO_EVALUE);
    return 0;
}

static void a_session_with_an_unverified_server_is_not_one_with_a_verified_one(void **state)
{
    (void)state;
    room_run(trust_nobody);
}

/* --- what a certificate says ------------------------------------------------------------- */

static bool has(const aio_tls_name *names, size_t count, const char *type, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i].type, type) == 0 && strcmp(names[i].value, value) == 0)
            return true;
    return false;
}

static int look_at_certificate(void *arg, void **ret_result)
{
    struct meeting meeting = {0};
    const aio_tls_certificate *peer;

    TRY(meet(arg, &meeting));
    CHECK_CODE(meeting.client_code, 0);
    CHECK(aio_transport_get_extra_info(meeting.server, "peercert") == NULL);
    peer = aio_transport_get_extra_info(meeting.client, "peercert");
    CHECK(peer != NULL);
    CHECK(peer == aio_transport_get_extra_info(meeting.client, "peercert"));
    CHECK(peer->subject_count == 3 && peer->issuer_count == 1 && peer->alt_name_count == 5);
    CHECK(has(peer->subject, 3, "countryName", "XX"));
    CHECK(has(peer->subject, 3, "organizationName", "Tests"));
    CHECK(has(peer->subject, 3, "commonName", "one.test"));
    CHECK(has(peer->issuer, 1, "commonName", "authority"));
    CHECK(has(peer->alt_names, 5, "DNS", "one.test"));
    CHECK(has(peer->alt_names, 5, "IP Address", "127.0.0.1"));
    CHECK(has(peer->alt_names, 5, "IP Address", "::1"));
    CHECK(has(peer->alt_names, 5, "email", "a@one.test"));
    CHECK(has(peer->alt_names, 5, "URI", "http://one.test/"));
    CHECK_TEXT(peer->serial_number, "1A2B");
    CHECK(peer->version == 3 && peer->is_verified);
    CHECK(peer->not_after - peer->not_before == 30 * 86400);
    CHECK(peer->der_size > 100 && *(const unsigned char *)peer->der == 0x30);
    return part(&meeting);
}

static void a_certificate_says_what_getpeercert_says(void **state)
{
    (void)state;
    room_run(look_at_certificate);
}

/* --- limits ------------------------------------------------------------------------------ */

static int set_limits(void *arg, void **ret_result)
{
    struct meeting meeting = {0};
    size_t high;
    size_t low;

    TRY(meet(arg, &meeting));
    aio_transport_get_read_buffer_limits(meeting.client, &high, &low);
    CHECK(high == 256 * 1024 && low == 64 * 1024);
    aio_transport_get_write_buffer_limits(meeting.client, &high, &low);
    CHECK(high == 512 * 1024 && low == 128 * 1024);
    CHECK_CODE(aio_transport_set_read_buffer_limits(meeting.client, 1000, AIO_LIMIT_DEFAULT), 0);
    aio_transport_get_read_buffer_limits(meeting.client, &high, &low);
    CHECK(high == 1000 && low == 250);
    CHECK_CODE(aio_transport_set_read_buffer_limits(meeting.client, 1, 2), AIO_EVALUE);
    CHECK_CODE(aio_transport_set_read_buffer_limits(NULL, 1, 1), AIO_EVALUE);
    CHECK(aio_transport_get_read_buffer_size(meeting.client) == 0);
    CHECK(aio_transport_get_read_buffer_size(NULL) == 0);
    return part(&meeting);
}

static void limits_of_tls_are_its_own(void **state)
{
    (void)state;
    room_run(set_limits);
}

static int limit_at_once(void *arg, void **ret_result)
{
    static const char data[10000];
    struct meeting meeting = {0};
    aio_transport *lower;

    TRY(meet(arg, &meeting));
    lower = aio__tls_from(meeting.client)->lower;
    CHECK_CODE(aio_transport_pause_reading(meeting.client), 0);
    CHECK_CODE(aio_transport_write(meeting.server, data, sizeof(data)), 0);
    while (aio_transport_get_read_buffer_size(meeting.client) < sizeof(data))
        TRY(aio_sleep(0));
    CHECK(aio_transport_is_reading(lower));
    CHECK_CODE(aio_transport_set_read_buffer_limits(meeting.client, sizeof(data), 0), 0);
    CHECK(!aio_transport_is_reading(lower));
    CHECK_CODE(
        aio_transport_set_read_buffer_limits(meeting.client, AIO_LIMIT_DEFAULT, 2 * sizeof(data)),
        0);
    CHECK(aio_transport_is_reading(lower));
    CHECK_CODE(aio_transport_resume_reading(meeting.client), 0);
    return part(&meeting);
}

static void limits_of_what_is_not_decrypted_count_at_once(void **state)
{
    (void)state;
    room_run(limit_at_once);
}

/* --- what can be upgraded ------------------------------------------------------------------ */

/* What has no two directions of bytes keeps its protocol, and goes on. */
static int upgrade_others(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_datagram_options datagrams = AIO_DATAGRAM_OPTIONS_INIT;
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;
    aio_transport *transports[3] = {NULL};
    aio_transport *secure = NULL;
    int ends[2];

    options.server_hostname = "one.test";
    CHECK_CODE(aio_loop_start_tls(NULL, NULL, &room->talks[0].base, tls_client, &options, &secure),
               AIO_ETYPE);
    datagrams.family = AF_INET;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, room, &datagrams, &transports[0]));
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    TRY(aio_loop_connect_read_pipe(NULL, room_factory, room, ends[0], &transports[1]));
    TRY(aio_loop_connect_write_pipe(NULL, room_factory, room, ends[1], &transports[2]));
    for (size_t i = 0; i < COUNT_OF(transports); i++) {
        CHECK_CODE(aio_loop_start_tls(NULL, transports[i], &room->talks[i].base, tls_client,
                                      &options, &secure),
                   AIO_ETYPE);
        CHECK(aio_transport_get_protocol(transports[i]) == &room->talks[i].base);
        CHECK(!aio_transport_is_closing(transports[i]) && secure == NULL);
    }
    for (size_t i = 0; i < COUNT_OF(transports); i++) {
        aio_transport_abort(transports[i]);
        aio_transport_unref(transports[i]);
    }
    return room_wait(room, all_released);
}

static void only_a_stream_is_upgraded(void **state)
{
    (void)state;
    room_run(upgrade_others);
}

/* --- protocols and their ends ------------------------------------------------------------ */

static char much_text[100 * 1000];
static unsigned warnings;

static void count_warnings(aio_log_level level, const char *text, void *arg)
{
    (void)arg;
    warnings += level == AIO_LOG_WARNING && strcmp(text, "SSL connection is closed") == 0;
}

static int write_after_the_end(void *arg, void **ret_result)
{
    const aio_buffer lines[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    struct meeting meeting = {0};

    TRY(meet(arg, &meeting));
    warnings = 0;
    aio_log_set_handler(count_warnings, NULL);
    aio_transport_abort(meeting.client);
    for (int i = 0; i < 4; i++)
        CHECK_CODE(aio_transport_write(meeting.client, "x", 1), 0);
    CHECK_CODE(aio_transport_writelines(meeting.client, lines, 3), 0);
    CHECK_CODE(aio_transport_write(meeting.client, "", 0), 0);
    CHECK(warnings == 0);
    CHECK_CODE(aio_transport_write(meeting.client, "x", 1), 0);
    CHECK_CODE(aio_transport_writelines(meeting.client, lines, 3), 0);
    CHECK(warnings == 2);
    return part(&meeting);
}

static void writes_after_abort_are_warned_of_from_the_sixth_on(void **state)
{
    (void)state;
    room_run(write_after_the_end);
    aio_log_set_handler(NULL, NULL);
}

static int read_into_the_protocols(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct meeting meeting = {0};
    struct talk *talk;

    room->buffered = true;
    room->quiet = true;
    TRY(meet(room, &meeting));
    talk = (struct talk *)(void *)aio_transport_get_protocol(meeting.client);
    CHECK_CODE(aio_transport_write(meeting.server, much_text, sizeof(much_text)), 0);
    TRY(talk_wait_received(talk, sizeof(much_text)));
    CHECK(memcmp(talk->data, much_text, sizeof(talk->data)) == 0);
    CHECK(talk->sum == room_sum(0, 0, much_text, sizeof(much_text)));
    return part(&meeting);
}

static void data_goes_to_buffers_of_the_protocol(void **state)
{
    (void)state;
    room_fill(much_text, sizeof(much_text));
    room_run(read_into_the_protocols);
}

static int offered;

static int offer_place(aio_protocol *self, size_t hint, void **ret_data, size_t *ret_size)
{
    static char place[16];

    offered++;
    *ret_data = place;
    *ret_size = sizeof(place);
    return 0;
}

static int read_for_nobody(void *arg, void **ret_result)
{
    static const aio_protocol_ops ops = {.size = sizeof(ops), .get_buffer = offer_place};
    aio_protocol silent = {&ops};
    struct meeting meeting = {0};
    aio_protocol *before;

    TRY(meet(arg, &meeting));
    before = aio_transport_get_protocol(meeting.client);
    aio_transport_set_protocol(meeting.client, &silent);
    offered = 0;
    CHECK_CODE(aio_transport_write(meeting.server, "some", 4), 0);
    while (offered == 0)
        TRY(aio_sleep(0));
    TRY(room_turn());
    aio_transport_set_protocol(meeting.client, before);
    return part(&meeting);
}

static void protocol_need_not_be_told_of_its_buffer(void **state)
{
    (void)state;
    room_run(read_for_nobody);
}

/* --- shortage of memory ------------------------------------------------------------------ */

/* All that a context can be told, in files and in memory: 0, or the code of what failed. */
static int tell(aio_tls_context *context, bool is_server)
{
    static const char *const protocols[] = {"h2", "http/1.1"};
    static char pem[4096];
    FILE *file = fopen(authority_file("ca.pem"), "r");
    size_t size = fread(pem, 1, sizeof(pem), file);

    (void)fclose(file);
    TRY(aio_tls_context_set_password(context, "open sesame"));
    if (is_server)
        TRY(aio_tls_context_load_cert_chain(context, authority_file("locked.pem"), NULL));
    TRY(aio_tls_context_load_verify_locations(context, authority_file("ca.pem"), NULL));
    TRY(aio_tls_context_load_verify_data(context, pem, size));
    TRY(aio_tls_context_set_verify(context,
                                   is_server ? AIO_TLS_VERIFY_OPTIONAL : AIO_TLS_VERIFY_REQUIRED));
    TRY(aio_tls_context_set_verify_flags(context, AIO_TLS_VERIFY_PARTIAL_CHAIN));
    TRY(aio_tls_context_set_alpn_protocols(context, protocols, COUNT_OF(protocols)));
    TRY(aio_tls_context_set_alpn_protocols(context, protocols + 1, 1));
    TRY(aio_tls_context_set_minimum_version(context, AIO_TLS_1_2));
    TRY(aio_tls_context_set_maximum_version(context, AIO_TLS_1_3));
    return aio_tls_context_set_ciphers(context, "ECDHE+AESGCM");
}

static void set_up_short_of_memory(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        AIO_AUTO(aio_tls_context)
        context = aio_tls_context_new(i == 0 ? AIO_TLS_CLIENT : AIO_TLS_SERVER);
        int err = context == NULL ? AIO_ENOMEM : tell(context, i == 1);

        assert_true(err == 0 || err == AIO_ENOMEM);
        if (err == AIO_ENOMEM && context != NULL)
            assert_int_equal(tell(context, i == 1), 0); /* there is enough again */
    }
}

static void setting_up_survives_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(set_up_short_of_memory, NULL) > 5);
}

/* One end of a connection: whatever fails at it, the other one is told. */
struct end {
    struct room *room;
    aio_tls_session *session; /* borrowed */
    bool is_server;
    int fd;   /* -1: its transport's */
    int line; /* the same socket, to hang up by */
    aio_transport *transport;
};

static aio_protocol *take_end(void *arg)
{
    struct end *end = arg;
    aio_protocol *protocol = room_factory(end->room);

    if (protocol != NULL)
        end->fd = -1;
    return protocol;
}

static int begin_end(void *arg, void **ret_result)
{
    struct end *end = arg;
    aio_connect_options connecting = AIO_CONNECT_OPTIONS_INIT;
    aio_accepted_options accepted = AIO_ACCEPTED_OPTIONS_INIT;
    int err;

    accepted.sock = connecting.sock = end->fd;
    accepted.ssl = tls_server;
    connecting.ssl = tls_client;
    connecting.server_hostname = "one.test";
    connecting.ssl_session = end->session;
    err =
        end->is_server
            ? aio_loop_connect_accepted_socket_with(NULL, take_end, end, &accepted, &end->transport)
            : aio_loop_create_connection(NULL, take_end, end, &connecting, &end->transport);
    if (err < 0)
        (void)shutdown(end->line, SHUT_RDWR);
    return err;
}

static void drop_end(struct end *end)
{
    aio_transport_abort(end->transport);
    aio_transport_unref(end->transport);
    close(end->line);
    if (end->fd >= 0)
        close(end->fd);
}

/* A connection, and what it can be asked. The session is replaced by its own. */
static int meet_if_we_can(struct room *room, aio_tls_session **session)
{
    struct end ends[2] = {{.room = room, .session = *session}, {.room = room, .is_server = true}};
    AIO_AUTO(aio_task) task = aio_create_task(begin_end, &ends[1]);
    int err;

    room_socketpair(room->fds);
    for (int i = 0; i < 2; i++) {
        ends[i].fd = room->fds[i];
        ends[i].line = dup(room->fds[i]);
        room->fds[i] = -1;
    }
    err = task == NULL ? AIO_ENOMEM : begin_end(&ends[0], NULL);
    if (task != NULL && aio_await(task, NULL) < 0)
        err = AIO_ENOMEM;
    if (err == 0)
        err = aio_transport_write(ends[1].transport, "x", 1); /* with it comes the session */
    if (err == 0)
        err = room_turn();
    if (err == 0) {
        aio_tls_session_unref(*session);
        *session = aio_tls_get_session(ends[0].transport);
        (void)aio_tls_selected_alpn_protocol(ends[0].transport);
        (void)aio_transport_get_extra_info(ends[0].transport, "peercert");
    }
    drop_end(&ends[0]);
    drop_end(&ends[1]);
    return err;
}

/* Two connections, of which the second resumes the session of the first. */
static int resume_short_of_memory(void *arg, void **ret_result)
{
    aio_tls_session *session = NULL;
    int err = meet_if_we_can(arg, &session);

    if (err == 0)
        err = meet_if_we_can(arg, &session);
    aio_tls_session_unref(session);
    return err < 0 ? err : room_turn();
}

static void resuming_survives_every_shortage_of_memory(void **state)
{
    static const char *const protocols[] = {"h2"};

    (void)state;
    assert_int_equal(aio_tls_context_set_alpn_protocols(tls_client, protocols, 1), 0);
    assert_int_equal(aio_tls_context_set_alpn_protocols(tls_server, protocols, 1), 0);
    room_run_starved(resume_short_of_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(an_encrypted_key_is_refused_without_its_password),
        TLS_TEST(an_encrypted_key_is_loaded_by_its_password),
        TLS_TEST(a_password_that_finds_no_memory_leaves_the_former),
        TLS_TEST(authorities_are_loaded_from_memory),
        TLS_TEST(a_trusted_certificate_can_end_a_chain),
        TLS_TEST(a_list_of_revoked_certificates_is_asked),
        TLS_TEST(a_maximum_version_is_kept),
        TLS_TEST(ciphers_are_chosen_by_a_list),
        TLS_TEST(the_default_context_cannot_be_changed),
        TLS_TEST(a_server_may_do_without_the_certificate_it_asks_for),
        TLS_TEST(a_bad_certificate_is_refused_even_where_none_would_do),
        TLS_TEST(a_session_is_resumed),
        TLS_TEST(a_session_of_tls_1_2_is_resumed),
        TLS_TEST(a_session_is_for_its_context_and_name_alone),
        TLS_TEST(a_session_with_an_unverified_server_is_not_one_with_a_verified_one),
        TLS_TEST(a_certificate_says_what_getpeercert_says),
        TLS_TEST(limits_of_tls_are_its_own),
        TLS_TEST(limits_of_what_is_not_decrypted_count_at_once),
        TLS_TEST(only_a_stream_is_upgraded),
        TLS_TEST(writes_after_abort_are_warned_of_from_the_sixth_on),
        TLS_TEST(data_goes_to_buffers_of_the_protocol),
        TLS_TEST(protocol_need_not_be_told_of_its_buffer),
        TLS_TEST(setting_up_survives_every_shortage_of_memory),
        TLS_TEST(resuming_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
