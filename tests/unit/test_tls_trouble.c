/* SPDX-License-Identifier: MIT */
/*
 * test_tls_trouble.c - peers of TLS that are wrong, slow or hostile
 *
 * One end is the library's, the other a socket of the test's, with OpenSSL driven by hand where it
 * has to go through a handshake first.
 */
#include "support/tls_peer.h"
#include "support/tls_room.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Nobody has heard of the connection, and it is gone. */
static int gone(const struct room *room)
{
    CHECK(room->count == 1 && !room->talks[0].made && room->talks[0].released);
    return 0;
}

/* --- what is no TLS ---------------------------------------------------------------------- */

static int speak_http(void *arg, void **ret_result)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: one.test\r\n\r\n";
    struct room *room = arg;
    struct tls_end end;

    TRY(tls_end_open(&end, room, tls_server, 0));
    CHECK(send(room->fds[1], request, sizeof(request) - 1, 0) == sizeof(request) - 1);
    TRY(tls_end_code(&end, AIO_ESSL));
    CHECK_TEXT(end.text, "http request");
    return gone(room);
}

static void a_plain_http_client_is_told_apart(void **state)
{
    (void)state;
    room_run(speak_http);
}

static int speak_nonsense(void *arg, void **ret_result)
{
    struct room *room = arg;

    for (uint32_t seed = 1; seed <= 40; seed++) {
        unsigned char noise[600];
        uint32_t x = seed * 2654435761u;
        struct tls_end end;

        for (size_t i = 0; i < sizeof(noise); i++) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            noise[i] = (unsigned char)x;
        }
        if (seed % 2 == 0) { /* what looks like the beginning of a handshake */
            noise[0] = 22;
            noise[1] = 3;
            noise[2] = 1;
            noise[3] = 1;
            noise[5] = 1;
        }
        TRY(tls_end_open(&end, room, tls_server, 0));
        CHECK(send(room->fds[1], noise, sizeof(noise), 0) == sizeof(noise));
        CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
        TRY(aio_await(end.task, NULL));
        aio_future_unref(end.task);
        CHECK(aio_error_is(end.code, AIO_EOS)); /* AIO_ESSL, or -ECONNRESET */
        CHECK(room->talks[room->count - 1].released);
        close(room->fds[1]);
        room->fds[1] = -1;
    }
    return 0;
}

static void noise_is_refused(void **state)
{
    (void)state;
    room_run(speak_nonsense);
}

/* --- handshakes that do not come to an end ------------------------------------------------- */

/* A ClientHello as OpenSSL makes it. */
static size_t make_hello(char *data, size_t size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    BIO *out = BIO_new(BIO_s_mem());
    int got;

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(ssl);
    (void)SSL_do_handshake(ssl);
    got = BIO_read(out, data, (int)size);
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return got > 0 ? (size_t)got : 0;
}

static int leave_half_way(void *arg, void **ret_result)
{
    struct room *room = arg;
    char hello[2048];
    size_t size = make_hello(hello, sizeof(hello));
    struct tls_end end;

    CHECK(size > 100);
    TRY(tls_end_open(&end, room, tls_server, 0));
    CHECK(send(room->fds[1], hello, size / 2, 0) == (ssize_t)(size / 2));
    CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
    TRY(tls_end_code(&end, -ECONNRESET));
    return gone(room);
}

static void a_peer_that_leaves_half_way_is_noticed(void **state)
{
    (void)state;
    room_run(leave_half_way);
}

static int stall_half_way(void *arg, void **ret_result)
{
    struct room *room = arg;
    char hello[2048];
    size_t size = make_hello(hello, sizeof(hello));
    struct tls_end end;

    TRY(tls_end_open(&end, room, tls_server, 0.05));
    CHECK(send(room->fds[1], hello, size / 2, 0) == (ssize_t)(size / 2));
    TRY(tls_end_code(&end, -ECONNABORTED));
    return gone(room);
}

static void a_peer_that_stalls_half_way_is_given_up(void **state)
{
    (void)state;
    room_run(stall_half_way);
}

/* A record that claims more than any may have; and a hello that claims 16 MiB, and goes on. */
static int send_too_much(void *arg, void **ret_result)
{
    static const unsigned char record[] = {22, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xfb};
    struct room *room = arg;
    struct tls_end end;

    TRY(tls_end_open(&end, room, tls_server, 0));
    CHECK(send(room->fds[1], record, sizeof(record), 0) == sizeof(record));
    TRY(tls_end_code(&end, AIO_ESSL));
    return gone(room);
}

static void a_record_that_is_too_long_is_refused(void **state)
{
    (void)state;
    room_run(send_too_much);
}

static int send_huge_hello(void *arg, void **ret_result)
{
    static unsigned char record[5 + 16384] = {22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff, 3, 3};
    struct room *room = arg;
    struct tls_end end;
    size_t sent = 0;

    TRY(tls_end_open(&end, room, tls_server, 0));
    while (sent < 64 * sizeof(record) && end.code == 0) {
        ssize_t got = send(room->fds[1], record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += got > 0 ? (size_t)got : 0;
        TRY(aio_sleep(0));
        if (got < 0 && errno != EAGAIN)
            break;
    }
    TRY(tls_end_code(&end, AIO_ESSL));
    return gone(room);
}

static void a_hello_that_is_too_long_is_refused(void **state)
{
    (void)state;
    room_run(send_huge_hello);
}

/* --- a client by hand ---------------------------------------------------------------------- */

/* Open both ends and let them shake hands. The peer is to be closed, whatever this gives. */
static int meet(struct room *room, struct tls_end *end, struct tls_peer *peer, size_t piece,
                int version)
{
    tls_peer_open(peer, room, piece, version);
    TRY(tls_end_open(end, room, tls_server, 0));
    TRY(tls_peer_shake(peer));
    return tls_end_code(end, 0);
}

static int shake_slowly(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct tls_peer peer;
    struct tls_end end;
    int err = meet(room, &end, &peer, 1, TLS1_3_VERSION);

    if (err == 0 && SSL_write(peer.ssl, "slow", 4) == 4)
        err = tls_peer_send(&peer);
    if (err == 0)
        err = talk_wait_received(&room->talks[0], 4);
    tls_peer_close(&peer);
    TRY(err);
    CHECK(memcmp(room->talks[0].data, "slow", 4) == 0);
    return tls_end_close(&end);
}

static void a_handshake_of_single_bytes_succeeds(void **state)
{
    (void)state;
    room_run(shake_slowly);
}

/* Send what OpenSSL wants sent, though nobody may be there any more; no answer is read. */
static int push(struct tls_peer *peer)
{
    char *data;
    long size = BIO_get_mem_data(peer->out, &data);

    for (long done = 0; done < size;) {
        ssize_t sent = send(peer->room->fds[1], data + done, (size_t)(size - done), MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN)
            break;
        done += sent < 0 ? 0 : sent;
        TRY(aio_sleep(0));
    }
    (void)BIO_reset(peer->out);
    return 0;
}

/* Ask for new keys again and again, each of which OpenSSL answers, and read no answer. */
static int flood(struct tls_peer *peer, struct tls_end *end)
{
    const struct talk *talk = &peer->room->talks[0];

    for (int i = 0; i < 200000 && !talk->lost; i++) {
        CHECK(SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        CHECK(SSL_do_handshake(peer->ssl) == 1);
        if (i % 100 != 99)
            continue;
        TRY(push(peer));
        TRY(aio_sleep(0));
        CHECK(aio_transport_get_write_buffer_size(end->transport) <= 512 * 1024);
        CHECK(aio_transport_get_read_buffer_size(end->transport) <= 512 * 1024);
    }
    CHECK_TEXT(talk->trace, "made lost!SSLError");
    return 0;
}

static int flood_with_updates(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct tls_peer peer;
    struct tls_end end;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0)
        err = flood(&peer, &end);
    tls_peer_close(&peer);
    TRY(err);
    return tls_end_close(&end);
}

static void a_peer_that_asks_for_ever_and_reads_no_answer_is_given_up(void **state)
{
    (void)state;
    room_run(flood_with_updates);
}

/* The connection goes on with the keys it has. */
static int renegotiate(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct tls_peer peer;
    struct tls_end end;
    int err = meet(room, &end, &peer, 65536, TLS1_2_VERSION);

    if (err == 0 && SSL_renegotiate(peer.ssl) == 1) {
        (void)SSL_do_handshake(peer.ssl);
        err = tls_peer_send(&peer);
    }
    if (err == 0)
        err = tls_peer_receive(&peer); /* an alert: no_renegotiation */
    if (err == 0 && SSL_do_handshake(peer.ssl) == 1)
        err = aio_raise(AIO_EASSERTION, "the renegotiation was let through");
    tls_peer_close(&peer);
    TRY(err);
    return tls_end_close(&end);
}

static void renegotiation_is_refused(void **state)
{
    (void)state;
    room_run(renegotiate);
}

/* Data for a program that does not read: the socket is what fills up, not we. */
static int pour(struct tls_peer *peer, struct tls_end *end)
{
    static char much[16384];
    struct room *room = peer->room;
    size_t stuck = 0;

    (void)aio_transport_pause_reading(end->transport);
    while (stuck < 200) {
        char *data;
        long size;

        CHECK(SSL_write(peer->ssl, much, sizeof(much)) == sizeof(much));
        size = BIO_get_mem_data(peer->out, &data);
        for (long done = 0; done < size && stuck < 200;) {
            ssize_t sent = send(room->fds[1], data + done, (size_t)(size - done), MSG_NOSIGNAL);

            CHECK(sent >= 0 || errno == EAGAIN);
            stuck = sent < 0 ? stuck + 1 : 0;
            done += sent < 0 ? 0 : sent;
            TRY(aio_sleep(0));
            CHECK(aio_transport_get_read_buffer_size(end->transport) <= 512 * 1024);
        }
        (void)BIO_reset(peer->out);
    }
    CHECK(room->talks[0].received == 0);
    return 0;
}

static int pour_in(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct tls_peer peer;
    struct tls_end end;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0)
        err = pour(&peer, &end);
    tls_peer_close(&peer);
    TRY(err);
    room->quiet = true;
    TRY(aio_transport_resume_reading(end.transport));
    TRY(talk_wait_received(&room->talks[0], 256 * 1024));
    return tls_end_close(&end);
}

static void data_that_nobody_reads_stops_the_peer(void **state)
{
    (void)state;
    room_run(pour_in);
}

/* The end of the socket without close_notify, after data. */
static int leave_without_a_word(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct tls_peer peer;
    struct tls_end end;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0 && SSL_write(peer.ssl, "last", 4) == 4)
        err = tls_peer_send(&peer);
    tls_peer_close(&peer);
    TRY(err);
    CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made data:4 eof lost");
    return tls_end_close(&end);
}

static void an_end_without_close_notify_is_an_end(void **state)
{
    (void)state;
    room_run(leave_without_a_word);
}

/* A record that was tampered with. */
static int tamper(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct tls_peer peer;
    struct tls_end end;
    char *data;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0 && SSL_write(peer.ssl, "pay 10", 6) == 6) {
        long size = BIO_get_mem_data(peer.out, &data);

        data[size - 1] ^= 1;
        err = tls_peer_send(&peer);
    }
    tls_peer_close(&peer);
    TRY(err);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost!SSLError");
    CHECK(room->talks[0].received == 0);
    return tls_end_close(&end);
}

static void a_record_that_was_tampered_with_ends_the_connection(void **state)
{
    (void)state;
    room_run(tamper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(a_plain_http_client_is_told_apart),
        TLS_TEST(noise_is_refused),
        TLS_TEST(a_peer_that_leaves_half_way_is_noticed),
        TLS_TEST(a_peer_that_stalls_half_way_is_given_up),
        TLS_TEST(a_record_that_is_too_long_is_refused),
        TLS_TEST(a_hello_that_is_too_long_is_refused),
        TLS_TEST(a_handshake_of_single_bytes_succeeds),
        TLS_TEST(a_peer_that_asks_for_ever_and_reads_no_answer_is_given_up),
        TLS_TEST(renegotiation_is_refused),
        TLS_TEST(data_that_nobody_reads_stops_the_peer),
        TLS_TEST(an_end_without_close_notify_is_an_end),
        TLS_TEST(a_record_that_was_tampered_with_ends_the_connection),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
