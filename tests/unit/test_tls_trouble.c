/* SPDX-License-Identifier: MIT */
/*
 * test_tls_trouble.c - peers of TLS that are wrong, slow or hostile
 *
 * One end is the library's, the other a socket of the test's, with OpenSSL driven by hand where it
 * has to go through a handshake first.
 */
#include "support/allocation.h"
#include "support/authority.h"
#include "support/room.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static aio_tls_context *server;

static int setup(void **state)
{
    int err = count_allocations(state);

    server = authority_server("one.pem");
    return err;
}

static int teardown(void **state)
{
    aio_tls_context_unref(server);
    return check_allocations(state);
}

/* --- our end ----------------------------------------------------------------------------- */

struct end {
    struct room *room;
    double timeout; /* of the handshake */
    int fds[2];     /* ours is the first; -1 once it is taken */
    int code;       /* of the handshake, and its text */
    char text[128];
    aio_transport *transport;
    aio_task *task;
};

static int begin(void *arg, void **ret_result)
{
    struct end *end = arg;
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;

    options.sock = end->fds[0];
    options.ssl = server;
    options.ssl_handshake_timeout = end->timeout;
    end->code = aio_loop_connect_accepted_socket_with(NULL, room_factory, end->room, &options,
                                                      &end->transport);
    (void)snprintf(end->text, sizeof(end->text), "%s",
                   end->code < 0 ? aio_error_text(end->code) : "");
    return 0;
}

/* Begin the handshake at our end: the other one is room->fds[1]. */
static int open_end(struct room *room, struct end *end, double timeout)
{
    *end = (struct end){.room = room, .timeout = timeout};
    room_tcp_pair(end->fds);
    room->fds[1] = end->fds[1];
    end->task = aio_create_task(begin, end);
    return end->task == NULL ? AIO_ENOMEM : 0;
}

/* How the handshake ended, once it has. */
static int end_code(struct end *end, int expected)
{
    TRY(aio_await(end->task, NULL));
    aio_future_unref(end->task);
    end->task = NULL;
    CHECK_CODE(end->code, expected);
    return 0;
}

static int close_end(struct end *end)
{
    aio_transport_abort(end->transport);
    aio_transport_unref(end->transport);
    return room_turn();
}

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
    struct end end;

    TRY(open_end(room, &end, 0));
    CHECK(send(room->fds[1], request, sizeof(request) - 1, 0) == sizeof(request) - 1);
    TRY(end_code(&end, AIO_ESSL));
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
        struct end end;

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
        TRY(open_end(room, &end, 0));
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
    struct end end;

    CHECK(size > 100);
    TRY(open_end(room, &end, 0));
    CHECK(send(room->fds[1], hello, size / 2, 0) == (ssize_t)(size / 2));
    CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
    TRY(end_code(&end, -ECONNRESET));
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
    struct end end;

    TRY(open_end(room, &end, 0.05));
    CHECK(send(room->fds[1], hello, size / 2, 0) == (ssize_t)(size / 2));
    TRY(end_code(&end, -ECONNABORTED));
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
    struct end end;

    TRY(open_end(room, &end, 0));
    CHECK(send(room->fds[1], record, sizeof(record), 0) == sizeof(record));
    TRY(end_code(&end, AIO_ESSL));
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
    struct end end;
    size_t sent = 0;

    TRY(open_end(room, &end, 0));
    while (sent < 64 * sizeof(record) && end.code == 0) {
        ssize_t got = send(room->fds[1], record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += got > 0 ? (size_t)got : 0;
        TRY(aio_sleep(0));
        if (got < 0 && errno != EAGAIN)
            break;
    }
    TRY(end_code(&end, AIO_ESSL));
    return gone(room);
}

static void a_hello_that_is_too_long_is_refused(void **state)
{
    (void)state;
    room_run(send_huge_hello);
}

/* --- a client by hand ---------------------------------------------------------------------- */

struct peer {
    struct room *room;
    SSL_CTX *context;
    SSL *ssl;
    BIO *in;
    BIO *out;
    size_t piece; /* bytes sent at a time */
};

static void peer_open(struct peer *peer, struct room *room, size_t piece, int version)
{
    *peer = (struct peer){.room = room, .piece = piece};
    peer->context = SSL_CTX_new(TLS_client_method());
    (void)SSL_CTX_set_max_proto_version(peer->context, version);
    peer->ssl = SSL_new(peer->context);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_connect_state(peer->ssl);
}

static void peer_close(struct peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    ERR_clear_error();
}

static int send_all(struct room *room, const void *data, size_t size)
{
    return aio_loop_sock_sendall(room->loop, room->fds[1], data, size);
}

/* Send what OpenSSL wants sent, in pieces; every one is read before the next is sent. */
static int peer_send(struct peer *peer)
{
    char *data;
    long size = BIO_get_mem_data(peer->out, &data);

    for (long i = 0; i < size; i += (long)peer->piece) {
        size_t piece = (size_t)(size - i) < peer->piece ? (size_t)(size - i) : peer->piece;

        TRY(send_all(peer->room, data + i, piece));
        TRY(aio_sleep(0));
    }
    (void)BIO_reset(peer->out);
    return 0;
}

static int peer_receive(struct peer *peer)
{
    char data[8192];
    size_t got = 0;

    TRY(aio_loop_sock_recv(peer->room->loop, peer->room->fds[1], data, sizeof(data), &got));
    if (got == 0)
        return aio_raise(-ECONNRESET, "the library has left");
    CHECK(BIO_write(peer->in, data, (int)got) == (int)got);
    return 0;
}

static int peer_shake(struct peer *peer)
{
    for (;;) {
        int result;

        ERR_clear_error();
        result = SSL_do_handshake(peer->ssl);
        TRY(peer_send(peer));
        if (result == 1)
            return 0;
        CHECK(SSL_get_error(peer->ssl, result) == SSL_ERROR_WANT_READ);
        TRY(peer_receive(peer));
    }
}

/* Make the socket of the test's one that can be waited for. */
static int make_waitable(struct room *room)
{
    int on = 1;

    CHECK(ioctl(room->fds[1], FIONBIO, &on) == 0);
    return 0;
}

/* Open both ends and let them shake hands. The peer is to be closed, whatever this gives. */
static int meet(struct room *room, struct end *end, struct peer *peer, size_t piece, int version)
{
    peer_open(peer, room, piece, version);
    TRY(open_end(room, end, 0));
    TRY(make_waitable(room));
    TRY(peer_shake(peer));
    return end_code(end, 0);
}

static int shake_slowly(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct peer peer;
    struct end end;
    int err = meet(room, &end, &peer, 1, TLS1_3_VERSION);

    if (err == 0 && SSL_write(peer.ssl, "slow", 4) == 4)
        err = peer_send(&peer);
    if (err == 0)
        err = talk_wait_received(&room->talks[0], 4);
    peer_close(&peer);
    TRY(err);
    CHECK(memcmp(room->talks[0].data, "slow", 4) == 0);
    return close_end(&end);
}

static void a_handshake_of_single_bytes_succeeds(void **state)
{
    (void)state;
    room_run(shake_slowly);
}

/* Send what OpenSSL wants sent, though nobody may be there any more; no answer is read. */
static int push(struct peer *peer)
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
static int flood(struct peer *peer, struct end *end)
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
    struct peer peer;
    struct end end;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0)
        err = flood(&peer, &end);
    peer_close(&peer);
    TRY(err);
    return close_end(&end);
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
    struct peer peer;
    struct end end;
    int err = meet(room, &end, &peer, 65536, TLS1_2_VERSION);

    if (err == 0 && SSL_renegotiate(peer.ssl) == 1) {
        (void)SSL_do_handshake(peer.ssl);
        err = peer_send(&peer);
    }
    if (err == 0)
        err = peer_receive(&peer); /* an alert: no_renegotiation */
    if (err == 0 && SSL_do_handshake(peer.ssl) == 1)
        err = aio_raise(AIO_EASSERTION, "the renegotiation was let through");
    peer_close(&peer);
    TRY(err);
    return close_end(&end);
}

static void renegotiation_is_refused(void **state)
{
    (void)state;
    room_run(renegotiate);
}

/* Data for a program that does not read: the socket is what fills up, not we. */
static int pour(struct peer *peer, struct end *end)
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
    struct peer peer;
    struct end end;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0)
        err = pour(&peer, &end);
    peer_close(&peer);
    TRY(err);
    room->quiet = true;
    TRY(aio_transport_resume_reading(end.transport));
    TRY(talk_wait_received(&room->talks[0], 256 * 1024));
    return close_end(&end);
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
    struct peer peer;
    struct end end;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0 && SSL_write(peer.ssl, "last", 4) == 4)
        err = peer_send(&peer);
    peer_close(&peer);
    TRY(err);
    CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made data:4 eof lost");
    return close_end(&end);
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
    struct peer peer;
    struct end end;
    char *data;
    int err = meet(room, &end, &peer, 65536, TLS1_3_VERSION);

    if (err == 0 && SSL_write(peer.ssl, "pay 10", 6) == 6) {
        long size = BIO_get_mem_data(peer.out, &data);

        data[size - 1] ^= 1;
        err = peer_send(&peer);
    }
    peer_close(&peer);
    TRY(err);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost!SSLError");
    CHECK(room->talks[0].received == 0);
    return close_end(&end);
}

static void a_record_that_was_tampered_with_ends_the_connection(void **state)
{
    (void)state;
    room_run(tamper);
}

/* --- floods -------------------------------------------------------------------------------- */

/* The records of a client of TLS 1.2, sealed by hand: OpenSSL would send no more than it means. */
struct sealer {
    EVP_CIPHER_CTX *cipher;
    unsigned char key_block[40]; /* keys of client and server, and their parts of the nonces */
    uint64_t sequence;
};

enum { HANDSHAKE_RECORD = 22, ALERT_RECORD = 21, DATA_RECORD = 23, SEALED = 5 + 8 + 16 };

/* After the handshake, of which the client's Finished was sealed. */
static bool sealer_open(struct sealer *sealer, SSL *ssl)
{
    unsigned char secret[48];
    unsigned char seed[13 + 64];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *derivation = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string("secret", secret, sizeof(secret)),
        OSSL_PARAM_construct_octet_string("seed", seed, sizeof(seed)),
        OSSL_PARAM_construct_end(),
    };
    bool so;

    *sealer = (struct sealer){.cipher = EVP_CIPHER_CTX_new(), .sequence = 1};
    memcpy(seed, "key expansion", 13);
    so = SSL_SESSION_get_master_key(SSL_get_session(ssl), secret, sizeof(secret)) == 48 &&
         SSL_get_server_random(ssl, seed + 13, 32) == 32 &&
         SSL_get_client_random(ssl, seed + 45, 32) == 32 &&
         EVP_KDF_derive(derivation, sealer->key_block, sizeof(sealer->key_block), parameters) == 1;
    EVP_KDF_CTX_free(derivation);
    EVP_KDF_free(kdf);
    return so;
}

/* Seal a record: how long it is. AES128-GCM, whose nonce is the sequence number. */
static size_t seal(struct sealer *sealer, int type, const void *data, size_t size,
                   unsigned char *record)
{
    unsigned char about[13];
    unsigned char nonce[12];
    int got = 0;

    for (int i = 0; i < 8; i++)
        about[i] = (unsigned char)(sealer->sequence >> (56 - 8 * i));
    sealer->sequence++;
    about[8] = (unsigned char)type;
    about[9] = 3;
    about[10] = 3;
    about[11] = (unsigned char)(size >> 8);
    about[12] = (unsigned char)size;
    memcpy(nonce, sealer->key_block + 32, 4);
    memcpy(nonce + 4, about, 8);
    record[0] = (unsigned char)type;
    record[1] = record[2] = 3;
    record[3] = (unsigned char)((size + 24) >> 8);
    record[4] = (unsigned char)(size + 24);
    memcpy(record + 5, about, 8);
    (void)EVP_EncryptInit_ex(sealer->cipher, EVP_aes_128_gcm(), NULL, sealer->key_block, nonce);
    (void)EVP_EncryptUpdate(sealer->cipher, NULL, &got, about, sizeof(about));
    if (size > 0)
        (void)EVP_EncryptUpdate(sealer->cipher, record + 13, &got, data, (int)size);
    (void)EVP_EncryptFinal_ex(sealer->cipher, record + 13 + size, &got);
    (void)EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_GET_TAG, 16, record + 13 + size);
    return SEALED + size;
}

struct flood {
    struct room *room;
    struct end end;
    struct peer peer;
    struct sealer sealer;
};

static const char twelve[] = "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256";

static int flood_open(struct flood *flood, struct room *room, int version)
{
    *flood = (struct flood){.room = room};
    TRY(open_end(room, &flood->end, 0));
    TRY(make_waitable(room));
    peer_open(&flood->peer, room, 65536, version);
    CHECK(SSL_set_cipher_list(flood->peer.ssl, twelve) == 1);
    TRY(peer_shake(&flood->peer));
    TRY(end_code(&flood->end, 0));
    CHECK(version != TLS1_2_VERSION || sealer_open(&flood->sealer, flood->peer.ssl));
    return 0;
}

static int flood_close(struct flood *flood)
{
    EVP_CIPHER_CTX_free(flood->sealer.cipher);
    peer_close(&flood->peer);
    return close_end(&flood->end);
}

/* Send a batch as far as it goes; each time the socket is full the library has a turn, and we read
 * what it answered, if we do. Gives up once it has left. */
static int flood_send(struct flood *flood, const void *data, size_t size, bool reads)
{
    const struct talk *talk = &flood->room->talks[0];
    char answers[8192];

    for (size_t done = 0; done < size && !talk->lost;) {
        ssize_t sent = send(flood->room->fds[1], (const char *)data + done, size - done,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        CHECK(sent >= 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        if (sent < 0 && errno != EAGAIN)
            return 0;
        done += sent < 0 ? 0 : (size_t)sent;
        while (reads && recv(flood->room->fds[1], answers, sizeof(answers), MSG_DONTWAIT) > 0)
            continue;
        TRY(aio_sleep(0));
        CHECK(aio_transport_get_write_buffer_size(flood->end.transport) <= 512 * 1024);
        CHECK(aio_transport_get_read_buffer_size(flood->end.transport) <= 512 * 1024);
    }
    return 0;
}

/* So many records of a kind, one after the other. */
static int flood_with(struct flood *flood, int type, const void *data, size_t size, size_t count,
                      bool reads)
{
    static unsigned char batch[64 * 1024];
    size_t used = 0;

    for (size_t i = 0; i < count && !flood->room->talks[0].lost; i++) {
        used += seal(&flood->sealer, type, data, size, batch + used);
        if (used + SEALED + size <= sizeof(batch) && i + 1 < count)
            continue;
        TRY(flood_send(flood, batch, used, reads));
        used = 0;
    }
    return 0;
}

/* A ClientHello, of which a library that does not renegotiate reads no more than the length. */
static const unsigned char hello_again[4 + 60] = {1, 0, 0, 60, 3, 3};

/* Ask, and wait until all of it was read: what the process holds then. */
static int ask_again(struct flood *flood, size_t count, size_t *ret_held)
{
    TRY(flood_with(flood, HANDSHAKE_RECORD, hello_again, sizeof(hello_again), count, true));
    do
        TRY(room_turn());
    while (aio_transport_get_read_buffer_size(flood->end.transport) > 0);
    *ret_held = mallinfo2().uordblks;
    return 0;
}

static int renegotiate_for_ever(struct flood *flood)
{
    size_t before;
    size_t after;

    TRY(ask_again(flood, 2000, &before));
    TRY(ask_again(flood, 20000, &after));
    CHECK(after < before + 64 * 1024); /* where a sanitizer allocates, nothing is counted */
    TRY(flood_with(flood, DATA_RECORD, "at last", 7, 1, true));
    TRY(talk_wait_received(&flood->room->talks[0], 7));
    CHECK_TEXT(flood->room->talks[0].trace, "made data:7");
    return 0;
}

static int renegotiate_and_read(void *arg, void **ret_result)
{
    struct flood flood;

    TRY(flood_open(&flood, arg, TLS1_2_VERSION));
    TRY(renegotiate_for_ever(&flood));
    return flood_close(&flood);
}

static void a_peer_that_renegotiates_for_ever_is_refused_each_time_and_grows_nothing(void **state)
{
    (void)state;
    room_run(renegotiate_and_read);
}

static int renegotiate_and_read_nothing(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct flood flood;

    TRY(flood_open(&flood, room, TLS1_2_VERSION));
    TRY(flood_with(&flood, HANDSHAKE_RECORD, hello_again, sizeof(hello_again), 200000, false));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost!SSLError");
    return flood_close(&flood);
}

static void a_peer_that_renegotiates_for_ever_and_reads_no_answer_is_given_up(void **state)
{
    (void)state;
    room_run(renegotiate_and_read_nothing);
}

static int flood_with_warnings(void *arg, void **ret_result)
{
    static const unsigned char user_cancelled[2] = {1, 90};
    struct room *room = arg;
    struct flood flood;

    TRY(flood_open(&flood, room, TLS1_2_VERSION));
    TRY(flood_with(&flood, ALERT_RECORD, user_cancelled, sizeof(user_cancelled), 10000, true));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost!SSLError");
    return flood_close(&flood);
}

static void a_flood_of_warnings_ends_the_connection(void **state)
{
    (void)state;
    room_run(flood_with_warnings);
}

static int flood_with_nothing(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct flood flood;

    TRY(flood_open(&flood, room, TLS1_2_VERSION));
    TRY(flood_with(&flood, DATA_RECORD, "", 0, 10000, true));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made lost!SSLError");
    return flood_close(&flood);
}

static void a_flood_of_empty_records_ends_the_connection(void **state)
{
    (void)state;
    room_run(flood_with_nothing);
}

/* New keys that nobody has to answer, so many bytes, and then data. */
static int change_keys(struct flood *flood, long much, long *ret_size)
{
    char *data;

    for (*ret_size = 0; *ret_size < much; *ret_size = BIO_get_mem_data(flood->peer.out, &data)) {
        CHECK(SSL_key_update(flood->peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
        CHECK(SSL_do_handshake(flood->peer.ssl) == 1);
    }
    CHECK(SSL_write(flood->peer.ssl, "at last", 7) == 7);
    *ret_size = BIO_get_mem_data(flood->peer.out, &data);
    TRY(flood_send(flood, data, (size_t)*ret_size, false));
    (void)BIO_reset(flood->peer.out);
    return 0;
}

/* What has come at once is read in many turns. */
static int flood_with_keys(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct flood flood;
    aio_transport *transport;
    unsigned turns = 0;
    long size;

    TRY(flood_open(&flood, room, TLS1_3_VERSION));
    transport = flood.end.transport;
    TRY(aio_transport_pause_reading(transport));
    TRY(change_keys(&flood, 200000, &size));
    while (aio_transport_get_read_buffer_size(transport) < (size_t)size)
        TRY(aio_sleep(0));
    TRY(aio_transport_resume_reading(transport));
    for (; room->talks[0].received == 0; turns++)
        TRY(aio_sleep(0));
    CHECK_TEXT(room->talks[0].trace, "made data:7");
    CHECK(turns >= 10);
    return flood_close(&flood);
}

static void a_flood_of_new_keys_lets_others_have_their_turn(void **state)
{
    (void)state;
    room_run(flood_with_keys);
}

static int flood_with_keys_and_leave(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct flood flood;
    long size;

    TRY(flood_open(&flood, room, TLS1_3_VERSION));
    TRY(change_keys(&flood, 100000, &size));
    CHECK(shutdown(room->fds[1], SHUT_WR) == 0);
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made data:7 eof lost");
    return flood_close(&flood);
}

static void what_was_sent_after_a_flood_is_read_though_the_peer_has_left(void **state)
{
    (void)state;
    room_run(flood_with_keys_and_leave);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_http_client_is_told_apart),
        TEST(noise_is_refused),
        TEST(a_peer_that_leaves_half_way_is_noticed),
        TEST(a_peer_that_stalls_half_way_is_given_up),
        TEST(a_record_that_is_too_long_is_refused),
        TEST(a_hello_that_is_too_long_is_refused),
        TEST(a_handshake_of_single_bytes_succeeds),
        TEST(a_peer_that_asks_for_ever_and_reads_no_answer_is_given_up),
        TEST(renegotiation_is_refused),
        TEST(data_that_nobody_reads_stops_the_peer),
        TEST(an_end_without_close_notify_is_an_end),
        TEST(a_record_that_was_tampered_with_ends_the_connection),
        TEST(a_peer_that_renegotiates_for_ever_is_refused_each_time_and_grows_nothing),
        TEST(a_peer_that_renegotiates_for_ever_and_reads_no_answer_is_given_up),
        TEST(a_flood_of_warnings_ends_the_connection),
        TEST(a_flood_of_empty_records_ends_the_connection),
        TEST(a_flood_of_new_keys_lets_others_have_their_turn),
        TEST(what_was_sent_after_a_flood_is_read_though_the_peer_has_left),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
