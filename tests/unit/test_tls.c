/* SPDX-License-Identifier: MIT */
/*
 * test_tls.c - TLS between two ends of a socket pair, with an authority of our own
 *
 * The clock is virtual: what one end sends is there for the other at once, and time passes only
 * when both wait.
 */
#include "net/net_internal.h"
#include "support/authority.h"
#include "support/fixture.h"
#include "support/room.h"

#include <aio/aio.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the two ends ---------------------------------------------------------------------- */

enum { CLIENT, SERVER };

/* A protocol that remembers what it was told. */
struct end {
    aio_protocol protocol; /* first */
    struct pair *pair;
    aio_transport *transport; /* once made; borrowed while not lost */
    aio_tls_context *context;
    aio_transport *lower;
    int lost_with; /* 1: not lost */
    bool made;
    bool eof;
    bool released;
    bool closes_at_once; /* in connection_made */
    unsigned paused;
    unsigned resumed;
    size_t got;
    char data[256]; /* the first bytes */
    int err;        /* of start_tls */
};

struct pair {
    struct end ends[2];
    aio_loop *loop;
};

static struct pair pair;

static int end_made(aio_protocol *protocol, aio_transport *transport)
{
    struct end *end = (struct end *)(void *)protocol;

    end->made = true;
    end->transport = transport;
    if (end->closes_at_once)
        aio_transport_close(transport);
    return 0;
}

static int end_lost(aio_protocol *protocol, aio_exception *error)
{
    struct end *end = (struct end *)(void *)protocol;

    assert_int_equal(end->lost_with, 1);
    end->lost_with = error == NULL ? 0 : aio_exception_code(error);
    return 0;
}

static int end_data(aio_protocol *protocol, const void *data, size_t size)
{
    struct end *end = (struct end *)(void *)protocol;
    size_t room = sizeof(end->data) - 1;

    for (size_t i = 0; i < size && end->got + i < room; i++)
        end->data[end->got + i] = ((const char *)data)[i];
    end->got += size;
    return 0;
}

static bool end_eof(aio_protocol *protocol)
{
    ((struct end *)(void *)protocol)->eof = true;
    return true; /* which has no effect */
}

static int end_pause(aio_protocol *protocol)
{
    ((struct end *)(void *)protocol)->paused++;
    return 0;
}

static int end_resume(aio_protocol *protocol)
{
    ((struct end *)(void *)protocol)->resumed++;
    return 0;
}

static void end_release(aio_protocol *protocol)
{
    struct end *end = (struct end *)(void *)protocol;

    assert_false(end->released);
    end->released = true;
    end->transport = NULL;
}

static const aio_protocol_ops end_ops = {
    .size = sizeof(end_ops),
    .connection_made = end_made,
    .connection_lost = end_lost,
    .pause_writing = end_pause,
    .resume_writing = end_resume,
    .release = end_release,
    .data_received = end_data,
    .eof_received = end_eof,
};

/* cmocka's setup and teardown: both contexts, no connection. */
static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    memset(&pair, 0, sizeof(pair));
    pair.loop = f->loop;
    for (int i = 0; i < 2; i++) {
        pair.ends[i].protocol.ops = &end_ops;
        pair.ends[i].lost_with = 1;
        pair.ends[i].err = 1;
    }
    pair.ends[CLIENT].context = authority_client();
    pair.ends[SERVER].context = authority_server("one.pem");
    return pair.ends[CLIENT].context == NULL || pair.ends[SERVER].context == NULL ? -1 : 0;
}

static void drop_ends(void)
{
    for (int i = 0; i < 2; i++) {
        aio_tls_context_unref(pair.ends[i].context);
        aio_transport_unref(pair.ends[i].lower);
        pair.ends[i].context = NULL;
        pair.ends[i].lower = NULL;
    }
}

static int teardown(void **state)
{
    drop_ends();
    return fx_teardown(state);
}

static void open_sockets(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* Begin a connection that speaks TLS from the start. 0, or a code. */
static int connect_end(struct end *end, int fd, const char *host)
{
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;
    aio_protocol *protocol;
    int err;

    options.server_hostname = host;
    protocol = aio_tls_protocol_new(pair.loop, &end->protocol, end->context, &options);
    if (protocol == NULL) {
        end->released = true; /* it is still ours */
        close(fd);
        return aio_last_failure();
    }
    err = aio__stream_transport_new(pair.loop, fd, protocol, NULL, NULL, &end->lower);
    if (err < 0) {
        protocol->ops->release(protocol);
        close(fd);
        return err;
    }
    (void)aio_transport_ref(end->lower); /* it was the connection's */
    return 0;
}

static void connect_both(struct fixture *f, const char *host)
{
    int fds[2];

    open_sockets(fds);
    assert_int_equal(connect_end(&pair.ends[CLIENT], fds[0], host), 0);
    assert_int_equal(connect_end(&pair.ends[SERVER], fds[1], NULL), 0);
    while (!(pair.ends[CLIENT].made || pair.ends[CLIENT].released) ||
           !(pair.ends[SERVER].made || pair.ends[SERVER].released))
        fx_step(f);
}

static void assert_both_are_gone(void)
{
    assert_true(pair.ends[CLIENT].released);
    assert_true(pair.ends[SERVER].released);
}

/* --- handshake ------------------------------------------------------------------------- */

static void both_ends_are_made_after_the_handshake_and_talk(void **state)
{
    struct end *client = &pair.ends[CLIENT];
    struct end *server = &pair.ends[SERVER];

    connect_both(*state, "one.test");
    assert_true(client->made && server->made);
    assert_int_equal(aio_transport_write(client->transport, "hello", 5), 0);
    assert_int_equal(aio_transport_write(server->transport, "good ", 5), 0);
    assert_int_equal(aio_transport_write(server->transport, "day", 3), 0);
    while (server->got < 5 || client->got < 8)
        fx_step(*state);
    assert_string_equal(server->data, "hello");
    assert_string_equal(client->data, "good day");
    aio_transport_close(client->transport);
    fx_settle(*state);
    assert_both_are_gone();
}

static void both_ends_are_lost_in_order_when_one_closes(void **state)
{
    struct end *client = &pair.ends[CLIENT];
    struct end *server = &pair.ends[SERVER];

    connect_both(*state, "one.test");
    assert_int_equal(aio_transport_write(client->transport, "last words", 10), 0);
    aio_transport_close(client->transport);
    assert_true(aio_transport_is_closing(client->transport));
    assert_int_equal(client->lost_with, 1); /* never from inside the call */
    assert_int_equal(aio_transport_write(client->transport, "too late", 8), 0);
    fx_settle(*state);
    assert_string_equal(server->data, "last words");
    assert_true(server->eof);
    assert_int_equal(server->lost_with, 0);
    assert_int_equal(client->lost_with, 0);
    assert_both_are_gone();
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state)
{
    struct end *client = &pair.ends[CLIENT];

    aio_tls_context_unref(client->context);
    client->context = aio_tls_context_new(AIO_TLS_CLIENT); /* trusts the system's authorities */
    connect_both(*state, "one.test");
    fx_settle(*state);
    assert_false(client->made);
    assert_int_equal(client->lost_with, 1); /* never made, never lost */
    assert_both_are_gone();
}

static void a_certificate_for_another_host_is_refused(void **state)
{
    connect_both(*state, "two.test");
    fx_settle(*state);
    assert_false(pair.ends[CLIENT].made);
    assert_both_are_gone();
}

static void an_address_is_compared_with_those_of_the_certificate(void **state)
{
    connect_both(*state, "127.0.0.1");
    assert_true(pair.ends[CLIENT].made);
    aio_transport_abort(pair.ends[CLIENT].transport);
    fx_settle(*state);
    assert_both_are_gone();
}

static void without_verification_any_certificate_will_do(void **state)
{
    struct end *client = &pair.ends[CLIENT];

    assert_int_equal(aio_tls_context_set_verify(client->context, AIO_TLS_VERIFY_NONE), 0);
    connect_both(*state, "two.test");
    assert_true(client->made);
    assert_non_null(aio_transport_get_extra_info(client->transport, "peercert"));
    aio_transport_close(client->transport);
    fx_settle(*state);
    assert_both_are_gone();
}

static void a_server_can_require_a_certificate_of_the_client(void **state)
{
    struct end *client = &pair.ends[CLIENT];
    struct end *server = &pair.ends[SERVER];

    assert_int_equal(
        aio_tls_context_load_verify_locations(server->context, authority_file("ca.pem"), NULL), 0);
    assert_int_equal(aio_tls_context_set_verify(server->context, AIO_TLS_VERIFY_REQUIRED), 0);
    assert_int_equal(
        aio_tls_context_load_cert_chain(client->context, authority_file("client.pem"), NULL), 0);
    connect_both(*state, "one.test");
    assert_true(server->made);
    assert_non_null(aio_transport_get_extra_info(server->transport, "peercert"));
    aio_transport_close(server->transport);
    fx_settle(*state);
    assert_both_are_gone();
}

static void a_client_without_the_certificate_required_is_refused(void **state)
{
    struct end *server = &pair.ends[SERVER];

    assert_int_equal(
        aio_tls_context_load_verify_locations(server->context, authority_file("ca.pem"), NULL), 0);
    assert_int_equal(aio_tls_context_set_verify(server->context, AIO_TLS_VERIFY_REQUIRED), 0);
    connect_both(*state, "one.test");
    fx_settle(*state);
    assert_false(server->made);
    /* By TLS 1.3 the client has ended its handshake before it hears that. */
    assert_true(pair.ends[CLIENT].lost_with == AIO_ESSL);
    assert_both_are_gone();
}

static void versions_that_do_not_meet_end_the_handshake(void **state)
{
    struct end *server = &pair.ends[SERVER];

    assert_int_equal(aio_tls_context_set_minimum_version(pair.ends[CLIENT].context, AIO_TLS_1_3),
                     0);
    assert_int_equal(
        SSL_CTX_set_max_proto_version(aio_tls_context_native(server->context), TLS1_2_VERSION), 1);
    connect_both(*state, "one.test");
    fx_settle(*state);
    assert_false(pair.ends[CLIENT].made || server->made);
    assert_both_are_gone();
}

static void a_transport_knows_what_was_agreed_on(void **state)
{
    static const char *const offered[] = {"h2", "http/1.1"};
    static const char *const known[] = {"http/1.1"};
    struct end *client = &pair.ends[CLIENT];
    struct end *server = &pair.ends[SERVER];
    const aio_tls_cipher *cipher;

    assert_int_equal(aio_tls_context_set_alpn_protocols(client->context, offered, 2), 0);
    assert_int_equal(aio_tls_context_set_alpn_protocols(server->context, known, 1), 0);
    connect_both(*state, "one.test");
    assert_string_equal(aio_tls_selected_alpn_protocol(client->transport), "http/1.1");
    assert_string_equal(aio_tls_selected_alpn_protocol(server->transport), "http/1.1");
    cipher = aio_transport_get_extra_info(client->transport, "cipher");
    assert_non_null(cipher);
    assert_string_equal(cipher->version, "TLSv1.3");
    assert_true(cipher->bits >= 128);
    assert_non_null(aio_transport_get_extra_info(client->transport, "peercert"));
    assert_null(aio_transport_get_extra_info(server->transport, "peercert"));
    assert_ptr_equal(aio_transport_get_extra_info(client->transport, "sslcontext"),
                     client->context);
    assert_non_null(aio_transport_get_extra_info(client->transport, "ssl_object"));
    assert_non_null(aio_transport_get_extra_info(client->transport, "socket"));
    assert_null(aio_transport_get_extra_info(client->transport, "compression"));
    assert_false(aio_transport_can_write_eof(client->transport));
    assert_int_equal(aio_transport_write_eof(client->transport), AIO_ENOTIMPLEMENTED);
    aio_transport_close(client->transport);
    fx_settle(*state);
}

static aio_tls_context *choose(const char *name, aio_tls_context *context, void *arg)
{
    if (name != NULL && strcmp(name, "two.test") == 0)
        return arg;
    return name != NULL && strcmp(name, "one.test") == 0 ? context : NULL;
}

static void a_server_chooses_its_certificate_by_the_name_asked_for(void **state)
{
    struct end *server = &pair.ends[SERVER];
    aio_tls_context *two = authority_server("two.pem");

    aio_tls_context_set_sni_callback(server->context, choose, two);
    connect_both(*state, "two.test");
    assert_true(pair.ends[CLIENT].made);
    assert_ptr_equal(aio_transport_get_extra_info(server->transport, "sslcontext"), two);
    aio_tls_context_unref(two); /* the connection holds it */
    aio_transport_close(server->transport);
    fx_settle(*state);
    assert_both_are_gone();
}

static void a_server_refuses_names_it_does_not_have(void **state)
{
    aio_tls_context_set_sni_callback(pair.ends[SERVER].context, choose, NULL);
    connect_both(*state, "three.test");
    fx_settle(*state);
    assert_false(pair.ends[CLIENT].made || pair.ends[SERVER].made);
    assert_both_are_gone();
}

/* --- the end --------------------------------------------------------------------------- */

static void a_peer_that_never_answers_the_end_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct end *client = &pair.ends[CLIENT];
    struct end *server = &pair.ends[SERVER];
    double before;

    connect_both(f, "one.test");
    assert_int_equal(aio_transport_pause_reading(server->lower), 0);
    before = aio_loop_time(f->loop);
    aio_transport_close(client->transport);
    fx_settle(f);
    assert_int_equal(client->lost_with, AIO_ETIMEDOUT);
    assert_true(aio_loop_time(f->loop) - before == 30);
    assert_int_equal(aio_transport_resume_reading(server->lower), 0);
    fx_settle(f);
    assert_both_are_gone();
}

static void a_peer_that_leaves_without_a_word_ends_the_connection(void **state)
{
    struct end *client = &pair.ends[CLIENT];

    connect_both(*state, "one.test");
    aio_transport_abort(pair.ends[SERVER].transport);
    fx_settle(*state);
    assert_true(client->eof);
    assert_int_equal(client->lost_with, 0);
    assert_int_equal(pair.ends[SERVER].lost_with, 0);
    assert_both_are_gone();
}

static void a_protocol_may_close_in_connection_made(void **state)
{
    pair.ends[SERVER].closes_at_once = true;
    connect_both(*state, "one.test");
    fx_settle(*state);
    assert_int_equal(pair.ends[SERVER].lost_with, 0);
    assert_int_equal(pair.ends[CLIENT].lost_with, 0);
    assert_both_are_gone();
}

static void a_loop_can_be_closed_under_a_connection(void **state)
{
    struct fixture *f = *state;

    connect_both(f, "one.test");
    assert_int_equal(aio_transport_write(pair.ends[CLIENT].transport, "x", 1), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(pair.ends[CLIENT].lost_with, 1);
    assert_both_are_gone();
}

/* Ready for another connection with the same contexts. */
static void begin_anew(void)
{
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair.ends[i];

        aio_transport_unref(end->lower);
        *end = (struct end){
            .protocol.ops = &end_ops, .context = end->context, .lost_with = 1, .err = 1};
    }
}

static void a_connection_can_be_lost_at_every_step(void **state)
{
    struct fixture *f = *state;

    for (int end = 0; end < 2; end++) {
        for (int steps = 0; steps < 12; steps++) {
            int fds[2];

            open_sockets(fds);
            assert_int_equal(connect_end(&pair.ends[CLIENT], fds[0], "one.test"), 0);
            assert_int_equal(connect_end(&pair.ends[SERVER], fds[1], NULL), 0);
            for (int i = 0; i < steps; i++)
                fx_step(f);
            aio_transport_abort(pair.ends[end].lower);
            fx_settle(f);
            assert_both_are_gone();
            for (int i = 0; i < 2; i++) /* who was told of the beginning was told of the end */
                assert_true(pair.ends[i].made == (pair.ends[i].lost_with != 1));
            begin_anew();
        }
    }
}

static void a_connection_can_be_aborted_and_closed_in_every_state(void **state)
{
    struct fixture *f = *state;

    for (int steps = 0; steps < 12; steps++) {
        aio_transport *transport;

        connect_both(f, "one.test");
        transport = aio_transport_ref(pair.ends[CLIENT].transport);
        assert_int_equal(aio_transport_write(transport, "words", 5), 0);
        aio_transport_close(transport);
        for (int i = 0; i < steps; i++)
            fx_step(f);
        aio_transport_abort(transport);
        aio_transport_close(transport);
        assert_true(aio_transport_is_closing(transport));
        assert_int_equal(aio_transport_write(transport, "too late", 8), 0);
        fx_settle(f);
        assert_both_are_gone();
        assert_int_equal(pair.ends[CLIENT].lost_with, 0);
        /* It can be asked when all is over. */
        aio_transport_abort(transport);
        assert_int_equal(aio_transport_get_write_buffer_size(transport), 0);
        assert_int_equal(aio_transport_get_read_buffer_size(transport), 0);
        assert_non_null(aio_transport_get_extra_info(transport, "peercert"));
        assert_null(aio_transport_get_extra_info(transport, "socket"));
        aio_transport_unref(transport);
        begin_anew();
    }
}

/* Until the transport below is lost, its end does not count as one of them. */
static void a_connection_warns_of_writes_after_close_from_the_sixth_on(void **state)
{
    struct fixture *f = *state;
    aio_transport *transport;

    connect_both(f, "one.test");
    transport = aio_transport_ref(pair.ends[CLIENT].transport);
    aio_transport_close(transport);
    assert_int_equal(room_write_late(transport, 5, "SSL connection is closed"), 0);
    fx_settle(f);
    assert_both_are_gone();
    aio_transport_unref(transport);
}

static void a_connection_warns_of_writes_after_its_end_from_the_fifth_on(void **state)
{
    struct fixture *f = *state;
    aio_transport *transport;

    connect_both(f, "one.test");
    transport = aio_transport_ref(pair.ends[CLIENT].transport);
    aio_transport_close(transport);
    fx_settle(f);
    assert_both_are_gone();
    assert_int_equal(room_write_late(transport, 4, "SSL connection is closed"), 0);
    aio_transport_unref(transport);
}

/* --- flow ------------------------------------------------------------------------------ */

static void a_slow_reader_holds_the_writer_up(void **state)
{
    enum { MANY = 4 * 1024 * 1024 };
    static char much[64 * 1024];
    struct fixture *f = *state;
    struct end *client = &pair.ends[CLIENT];
    struct end *server = &pair.ends[SERVER];
    size_t sent = 0;

    connect_both(f, "one.test");
    assert_int_equal(aio_transport_pause_reading(server->transport), 0);
    while (sent < MANY && client->paused == 0) {
        assert_int_equal(aio_transport_write(client->transport, much, sizeof(much)), 0);
        sent += sizeof(much);
        for (int i = 0; i < 10; i++)
            fx_step(f);
    }
    assert_int_equal(client->paused, 1);
    assert_int_equal(client->resumed, 0);
    assert_true(aio_transport_get_write_buffer_size(client->transport) >= 512 * 1024);
    assert_int_equal(server->got, 0);
    assert_int_equal(aio_transport_resume_reading(server->transport), 0);
    while (server->got < sent)
        fx_step(f);
    assert_int_equal(client->resumed, 1);
    aio_transport_close(client->transport);
    fx_settle(f);
    assert_int_equal(server->got, sent);
    assert_both_are_gone();
}

static void what_came_before_the_end_is_read_after_a_pause(void **state)
{
    struct fixture *f = *state;
    struct end *client = &pair.ends[CLIENT];
    struct end *server = &pair.ends[SERVER];

    connect_both(f, "one.test");
    assert_int_equal(aio_transport_pause_reading(server->transport), 0);
    assert_int_equal(aio_transport_write(client->transport, "kept", 4), 0);
    aio_transport_close(client->transport);
    for (int i = 0; i < 5; i++)
        aio_transport_pause_reading(server->transport);
    assert_int_equal(server->got, 0);
    assert_int_equal(aio_transport_resume_reading(server->transport), 0);
    fx_settle(f);
    assert_string_equal(server->data, "kept");
    assert_true(server->eof);
    assert_int_equal(client->lost_with, 0);
    assert_both_are_gone();
}

/* --- start_tls ------------------------------------------------------------------------- */

static int upgrade(void *arg, void **ret_result)
{
    struct end *end = arg;
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;

    (void)ret_result;
    options.server_hostname = end == &pair.ends[CLIENT] ? "one.test" : NULL;
    end->err = aio_loop_start_tls(NULL, end->lower, &end->protocol, end->context, &options,
                                  &end->transport);
    if (end->err == 0)
        (void)aio_transport_write(end->transport, "upgraded", 8);
    return end->err == AIO_ECANCELLED ? end->err : 0;
}

/* Connect in plain text. */
static void connect_plainly(struct fixture *f, int fds[2], int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(aio__stream_transport_new(pair.loop, fds[i], &pair.ends[i].protocol, NULL,
                                                   NULL, &pair.ends[i].lower),
                         0);
    for (int i = 0; i < count; i++)
        (void)aio_transport_ref(pair.ends[i].lower);
    while (!pair.ends[count - 1].made)
        fx_step(f);
}

static aio_task *start(struct fixture *f, struct end *end)
{
    aio_task *task = aio_loop_create_task(f->loop, upgrade, end, NULL);

    assert_non_null(task);
    f->tasks[f->task_count++] = task;
    return task;
}

static void a_connection_is_upgraded_at_both_ends(void **state)
{
    struct fixture *f = *state;
    aio_transport *above[2];
    int fds[2];

    open_sockets(fds);
    connect_plainly(f, fds, 2);
    start(f, &pair.ends[CLIENT]);
    start(f, &pair.ends[SERVER]);
    while (pair.ends[CLIENT].got < 8 || pair.ends[SERVER].got < 8)
        fx_step(f);
    assert_int_equal(pair.ends[CLIENT].err, 0);
    assert_int_equal(pair.ends[SERVER].err, 0);
    assert_string_equal(pair.ends[CLIENT].data, "upgraded");
    assert_string_equal(pair.ends[SERVER].data, "upgraded");
    above[CLIENT] = pair.ends[CLIENT].transport;
    above[SERVER] = pair.ends[SERVER].transport;
    aio_transport_close(above[SERVER]);
    fx_settle(f);
    assert_int_equal(pair.ends[CLIENT].lost_with, 0);
    assert_int_equal(pair.ends[SERVER].lost_with, 0);
    assert_both_are_gone();
    aio_transport_unref(above[CLIENT]);
    aio_transport_unref(above[SERVER]);
}

static void an_upgrade_of_a_silent_peer_times_out(void **state)
{
    struct fixture *f = *state;
    double before = aio_loop_time(f->loop);
    int fds[2];

    open_sockets(fds);
    connect_plainly(f, fds, 1);
    start(f, &pair.ends[CLIENT]);
    fx_settle(f);
    assert_int_equal(pair.ends[CLIENT].err, -ECONNABORTED);
    assert_true(aio_loop_time(f->loop) - before == 60);
    assert_true(pair.ends[CLIENT].released);
    close(fds[1]);
}

static void an_upgrade_fails_when_the_peer_leaves(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    open_sockets(fds);
    connect_plainly(f, fds, 1);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    start(f, &pair.ends[CLIENT]);
    fx_settle(f);
    assert_int_equal(pair.ends[CLIENT].err, -ECONNRESET);
    assert_true(pair.ends[CLIENT].released);
    close(fds[1]);
}

static void an_upgrade_says_why_it_does_not_trust(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    aio_tls_context_unref(pair.ends[CLIENT].context);
    pair.ends[CLIENT].context = aio_tls_context_new(AIO_TLS_CLIENT);
    open_sockets(fds);
    connect_plainly(f, fds, 2);
    start(f, &pair.ends[CLIENT]);
    start(f, &pair.ends[SERVER]);
    fx_settle(f);
    assert_int_equal(pair.ends[CLIENT].err, AIO_ESSLCERT);
    assert_int_equal(pair.ends[SERVER].err, AIO_ESSL); /* it hears of it */
    assert_true(aio_error_is(AIO_ESSLCERT, AIO_ESSL) && aio_error_is(AIO_ESSL, AIO_EOS));
    assert_both_are_gone();
}

static void what_is_no_tls_fails_the_handshake(void **state)
{
    static const char text[] = "220 this is something else entirely\r\n";
    struct fixture *f = *state;
    int fds[2];

    open_sockets(fds);
    connect_plainly(f, fds, 1);
    start(f, &pair.ends[CLIENT]);
    fx_step(f);
    assert_int_equal(send(fds[1], text, sizeof(text), 0), sizeof(text));
    fx_settle(f);
    assert_int_equal(pair.ends[CLIENT].err, AIO_ESSL);
    close(fds[1]);
}

static void a_cancelled_upgrade_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    aio_task *task;
    int fds[2];

    open_sockets(fds);
    connect_plainly(f, fds, 1);
    task = start(f, &pair.ends[CLIENT]);
    fx_step(f);
    fx_step(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    assert_int_equal(pair.ends[CLIENT].err, AIO_ECANCELLED);
    assert_true(pair.ends[CLIENT].released);
    close(fds[1]);
}

static void wrong_calls_are_refused(void **state)
{
    struct fixture *f = *state;
    aio_protocol *app = &pair.ends[CLIENT].protocol;
    aio_tls_context *client = pair.ends[CLIENT].context;
    aio_tls_context *server = pair.ends[SERVER].context;
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;
    aio_transport *transport = NULL;
    static const char *const empty[] = {""};

    assert_null(aio_tls_protocol_new(f->loop, app, client, NULL)); /* whom do we mean? */
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    assert_null(aio_tls_protocol_new(f->loop, NULL, server, NULL));
    assert_null(aio_tls_protocol_new(f->loop, app, NULL, NULL));
    options.handshake_timeout = -1;
    assert_null(aio_tls_protocol_new(f->loop, app, server, &options));
    options = (aio_tls_options)AIO_TLS_OPTIONS_INIT;
    options.server_hostname = "one.test";
    assert_null(aio_tls_protocol_new(f->loop, app, server, &options));
    assert_int_equal(aio_loop_start_tls(f->loop, NULL, app, client, &options, &transport),
                     AIO_ENOTASK);
    assert_int_equal(aio_tls_context_set_alpn_protocols(client, empty, 1), AIO_EVALUE);
    assert_int_equal(aio_tls_context_set_verify(NULL, AIO_TLS_VERIFY_NONE), AIO_EVALUE);
    assert_int_equal(aio_tls_context_load_cert_chain(client, authority_file("none.pem"), NULL),
                     -ENOENT);
    assert_int_equal(aio_tls_context_load_cert_chain(client, authority_file("ca.pem"), NULL),
                     AIO_ESSL);
    assert_int_equal(aio_tls_context_load_verify_locations(client, authority_file("one.key"), NULL),
                     AIO_ESSL);
    assert_int_equal(aio_tls_context_load_verify_locations(client, NULL, NULL), AIO_EVALUE);
}

/* The handshake, the records and the system's authorities are dealt with on the thread's stack. */
static void upgrades_fit_on_the_smallest_stack(void **state)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    int fds[2];

    (void)state;
    options.stack_size = 16 * 1024;
    memset(&pair, 0, sizeof(pair));
    pair.loop = aio_loop_new(&options);
    assert_non_null(pair.loop);
    open_sockets(fds);
    for (int i = 0; i < 2; i++) {
        pair.ends[i].protocol.ops = &end_ops;
        pair.ends[i].lost_with = 1;
        pair.ends[i].context = i == CLIENT ? authority_client() : authority_server("one.pem");
        assert_int_equal(aio__stream_transport_new(pair.loop, fds[i], &pair.ends[i].protocol, NULL,
                                                   NULL, &pair.ends[i].lower),
                         0);
        (void)aio_transport_ref(pair.ends[i].lower);
    }
    AIO_AUTO(aio_task) server = aio_loop_create_task(pair.loop, upgrade, &pair.ends[SERVER], NULL);
    AIO_AUTO(aio_task) client = aio_loop_create_task(pair.loop, upgrade, &pair.ends[CLIENT], NULL);

    assert_int_equal(aio_loop_run_until_complete(pair.loop, client, NULL), 0);
    assert_int_equal(aio_loop_run_until_complete(pair.loop, server, NULL), 0);
    assert_int_equal(pair.ends[CLIENT].err, 0);
    assert_int_equal(pair.ends[SERVER].err, 0);
    aio_transport_unref(pair.ends[CLIENT].transport);
    aio_transport_unref(pair.ends[SERVER].transport);
    drop_ends();
    assert_int_equal(aio_loop_close(pair.loop), 0);
    aio_loop_unref(pair.loop);
}

/* --- shortage of memory ---------------------------------------------------------------- */

static void connect_short_of_memory(void *arg)
{
    struct fixture f;
    int fds[2];

    (void)arg;
    memset(&pair, 0, sizeof(pair));
    if (!fx_open(&f))
        return;
    pair.loop = f.loop;
    aio_loop_set_exception_handler(f.loop, NULL, NULL); /* it may hear of the shortage */
    open_sockets(fds);
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair.ends[i];

        end->protocol.ops = &end_ops;
        end->lost_with = 1;
        end->context = i == CLIENT ? authority_client() : authority_server("one.pem");
        if (end->context == NULL)
            close(fds[i]);
        else
            (void)connect_end(end, fds[i], i == CLIENT ? "one.test" : NULL);
    }
    fx_step(&f);
    for (int i = 0; i < 20 && !(pair.ends[CLIENT].transport && pair.ends[SERVER].transport); i++)
        fx_step(&f);
    if (pair.ends[CLIENT].transport != NULL)
        (void)aio_transport_write(pair.ends[CLIENT].transport, "x", 1);
    if (pair.ends[CLIENT].transport != NULL)
        aio_transport_close(pair.ends[CLIENT].transport);
    fx_settle(&f);
    drop_ends();
    fx_close(&f);
}

static void connections_survive_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(connect_short_of_memory, NULL) > 5);
    assert_int_equal(pair.ends[SERVER].got, 1); /* when there was enough */
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(both_ends_are_made_after_the_handshake_and_talk),
        TEST(both_ends_are_lost_in_order_when_one_closes),
        TEST(a_certificate_of_an_unknown_authority_is_refused),
        TEST(a_certificate_for_another_host_is_refused),
        TEST(an_address_is_compared_with_those_of_the_certificate),
        TEST(without_verification_any_certificate_will_do),
        TEST(a_server_can_require_a_certificate_of_the_client),
        TEST(a_client_without_the_certificate_required_is_refused),
        TEST(versions_that_do_not_meet_end_the_handshake),
        TEST(a_transport_knows_what_was_agreed_on),
        TEST(a_server_chooses_its_certificate_by_the_name_asked_for),
        TEST(a_server_refuses_names_it_does_not_have),
        TEST(a_peer_that_never_answers_the_end_is_given_up),
        TEST(a_peer_that_leaves_without_a_word_ends_the_connection),
        TEST(a_protocol_may_close_in_connection_made),
        TEST(a_loop_can_be_closed_under_a_connection),
        TEST(a_connection_can_be_lost_at_every_step),
        TEST(a_connection_can_be_aborted_and_closed_in_every_state),
        TEST(a_connection_warns_of_writes_after_close_from_the_sixth_on),
        TEST(a_connection_warns_of_writes_after_its_end_from_the_fifth_on),
        TEST(a_slow_reader_holds_the_writer_up),
        TEST(what_came_before_the_end_is_read_after_a_pause),
        TEST(a_connection_is_upgraded_at_both_ends),
        TEST(an_upgrade_of_a_silent_peer_times_out),
        TEST(an_upgrade_fails_when_the_peer_leaves),
        TEST(an_upgrade_says_why_it_does_not_trust),
        TEST(what_is_no_tls_fails_the_handshake),
        TEST(a_cancelled_upgrade_ends_the_connection),
        TEST(wrong_calls_are_refused),
        cmocka_unit_test_setup_teardown(upgrades_fit_on_the_smallest_stack, count_allocations,
                                        check_allocations),
        cmocka_unit_test_setup_teardown(connections_survive_every_shortage_of_memory,
                                        count_allocations, check_allocations),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
