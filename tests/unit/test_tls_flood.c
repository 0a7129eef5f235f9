/* SPDX-License-Identifier: MIT */
/*
 * test_tls_flood.c - peers of TLS that send very much of what is allowed now and then
 *
 * The peer is OpenSSL up to the end of the handshake. What it sends then is sealed by hand: OpenSSL
 * would send no more than it means.
 */
#include "support/tls_peer.h"
#include "support/tls_room.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <sys/socket.h>

/* --- records ----------------------------------------------------------------------------- */

/* What the peer's records are sealed with: AES128-GCM. */
struct sealer {
    EVP_CIPHER_CTX *cipher;
    int version;
    unsigned char key[16];
    unsigned char iv[12];     /* of TLS 1.2 the first 4 bytes */
    unsigned char secret[32]; /* of TLS 1.3, what both come from */
    uint64_t sequence;
};

enum { HANDSHAKE_RECORD = 22, ALERT_RECORD = 21, DATA_RECORD = 23, SEALED = 5 + 8 + 16 };

static bool derive(const char *kdf_name, OSSL_PARAM *parameters, unsigned char *result, size_t size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
    EVP_KDF_CTX *derivation = EVP_KDF_CTX_new(kdf);
    bool so = EVP_KDF_derive(derivation, result, size, parameters) == 1;

    EVP_KDF_CTX_free(derivation);
    EVP_KDF_free(kdf);
    return so;
}

/* RFC 5246, 6.3: keys of client and server, then the fixed parts of their nonces. */
static bool take_keys_of_1_2(struct sealer *sealer, SSL *ssl)
{
    unsigned char block[40];
    unsigned char secret[48];
    unsigned char seed[13 + 64];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string("secret", secret, sizeof(secret)),
        OSSL_PARAM_construct_octet_string("seed", seed, sizeof(seed)),
        OSSL_PARAM_construct_end(),
    };

    memcpy(seed, "key expansion", 13);
    if (SSL_SESSION_get_master_key(SSL_get_session(ssl), secret, sizeof(secret)) != 48 ||
        SSL_get_server_random(ssl, seed + 13, 32) != 32 ||
        SSL_get_client_random(ssl, seed + 45, 32) != 32 ||
        !derive("TLS1-PRF", parameters, block, sizeof(block)))
        return false;
    memcpy(sealer->key, block, 16);
    memcpy(sealer->iv, block + 32, 4);
    sealer->sequence = 1; /* Finished was the first */
    return true;
}

/* RFC 8446, 7.1: HKDF-Expand-Label(). */
static bool expand_label(struct sealer *sealer, const char *label, unsigned char *result,
                         size_t size)
{
    unsigned char info[32] = {0, (unsigned char)size};
    size_t length = strlen(label);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string("mode", (char[]){"EXPAND_ONLY"}, 0),
        OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string("key", sealer->secret, sizeof(sealer->secret)),
        OSSL_PARAM_construct_octet_string("info", info, length + 4),
        OSSL_PARAM_construct_end(),
    };

    info[2] = (unsigned char)length;
    memcpy(info + 3, label, length); /* and no context */
    return derive("HKDF", parameters, result, size);
}

static bool sealer_open(struct sealer *sealer, SSL *ssl)
{
    sealer->cipher = EVP_CIPHER_CTX_new();
    sealer->version = SSL_version(ssl);
    if (sealer->version == TLS1_2_VERSION)
        return take_keys_of_1_2(sealer, ssl);
    return expand_label(sealer, "tls13 key", sealer->key, sizeof(sealer->key)) &&
           expand_label(sealer, "tls13 iv", sealer->iv, sizeof(sealer->iv));
}

/* OpenSSL's: "NAME RANDOM SECRET", in hexadecimal. We want that of what the peer sends. */
static void take_secret(const SSL *ssl, const char *line)
{
    struct sealer *sealer = SSL_get_app_data(ssl);
    const char *name = SSL_is_server(ssl) ? "SERVER_TRAFFIC_SECRET_0 " : "CLIENT_TRAFFIC_SECRET_0 ";

    if (strncmp(line, name, strlen(name)) != 0)
        return;
    line = strrchr(line, ' ') + 1;
    for (size_t i = 0; i < sizeof(sealer->secret); i++)
        (void)sscanf(line + 2 * i, "%2hhx", &sealer->secret[i]);
}

static void encrypt(struct sealer *sealer, const unsigned char *nonce, const unsigned char *about,
                    int about_size, const void *data, size_t size, unsigned char *result)
{
    int got = 0;

    (void)EVP_EncryptInit_ex(sealer->cipher, EVP_aes_128_gcm(), NULL, sealer->key, nonce);
    (void)EVP_EncryptUpdate(sealer->cipher, NULL, &got, about, about_size);
    if (size > 0)
        (void)EVP_EncryptUpdate(sealer->cipher, result, &got, data, (int)size);
    (void)EVP_EncryptFinal_ex(sealer->cipher, result + size, &got);
    (void)EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_GET_TAG, 16, result + size);
}

static void put_number(unsigned char *at, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(number >> (56 - 8 * i));
}

static void put_head(unsigned char *record, int type, size_t size)
{
    record[0] = (unsigned char)type;
    record[1] = record[2] = 3;
    record[3] = (unsigned char)(size >> 8);
    record[4] = (unsigned char)size;
}

/* The sequence number is a part of the nonce, and goes with the record. */
static size_t seal_for_1_2(struct sealer *sealer, int type, const void *data, size_t size,
                           unsigned char *record)
{
    unsigned char about[13];
    unsigned char nonce[12];

    put_number(about, sealer->sequence++);
    put_head(about + 8, type, size);
    memcpy(nonce, sealer->iv, 4);
    memcpy(nonce + 4, about, 8);
    put_head(record, type, size + 24);
    memcpy(record + 5, about, 8);
    encrypt(sealer, nonce, about, sizeof(about), data, size, record + 13);
    return 13 + size + 16;
}

/* All looks like data; the true type is behind what was sealed. */
static size_t seal_for_1_3(struct sealer *sealer, int type, const void *data, size_t size,
                           unsigned char *record)
{
    static unsigned char inner[16384 + 1];
    unsigned char nonce[12] = {0};

    put_number(nonce + 4, sealer->sequence++);
    for (size_t i = 0; i < sizeof(nonce); i++)
        nonce[i] ^= sealer->iv[i];
    memcpy(inner, data, size);
    inner[size] = (unsigned char)type;
    put_head(record, DATA_RECORD, size + 1 + 16);
    encrypt(sealer, nonce, record, 5, inner, size + 1, record + 5);
    return 5 + size + 1 + 16;
}

/* Seal a record: how long it is. */
static size_t seal(struct sealer *sealer, int type, const void *data, size_t size,
                   unsigned char *record)
{
    return sealer->version == TLS1_2_VERSION ? seal_for_1_2(sealer, type, data, size, record)
                                             : seal_for_1_3(sealer, type, data, size, record);
}

/* --- floods ------------------------------------------------------------------------------ */

struct flood {
    struct room *room;
    struct tls_end end;
    struct tls_peer peer;
    struct sealer sealer;
};

static const char twelve[] = "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256";
static const char thirteen[] = "TLS_AES_128_GCM_SHA256";

static int shake(struct flood *flood)
{
    SSL *ssl = flood->peer.ssl;

    CHECK(SSL_set_cipher_list(ssl, twelve) == 1 && SSL_set_ciphersuites(ssl, thirteen) == 1);
    SSL_CTX_set_keylog_callback(flood->peer.context, take_secret);
    (void)SSL_set_app_data(ssl, &flood->sealer);
    TRY(tls_peer_shake(&flood->peer));
    TRY(tls_end_code(&flood->end, 0));
    CHECK(sealer_open(&flood->sealer, ssl));
    return 0;
}

/* The peer is a client. */
static int flood_open(struct flood *flood, struct room *room, int version)
{
    *flood = (struct flood){.room = room};
    TRY(tls_end_open(&flood->end, room, tls_server, 0));
    tls_peer_open(&flood->peer, room, 65536, version);
    return shake(flood);
}

/* The peer is a server of TLS 1.3, which has sent no ticket so far. */
static int flood_serve(struct flood *flood, struct room *room)
{
    *flood = (struct flood){.room = room};
    TRY(tls_end_connect(&flood->end, room, tls_client));
    tls_peer_serve(&flood->peer, room, 65536, TLS1_3_VERSION);
    CHECK(SSL_set_num_tickets(flood->peer.ssl, 0) == 1);
    return shake(flood);
}

static int flood_close(struct flood *flood)
{
    EVP_CIPHER_CTX_free(flood->sealer.cipher);
    tls_peer_close(&flood->peer);
    return tls_end_close(&flood->end);
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

/* What ends the connection, and says why. */
static int flood_and_end(struct flood *flood, int type, const void *data, size_t size)
{
    TRY(flood_with(flood, type, data, size, 10000, true));
    TRY(talk_wait_lost(&flood->room->talks[0]));
    CHECK_TEXT(flood->room->talks[0].trace, "made lost!SSLError");
    return flood_close(flood);
}

static const unsigned char user_cancelled[2] = {1, 90};

static int flood_with_warnings(void *arg, void **ret_result)
{
    struct flood flood;

    TRY(flood_open(&flood, arg, TLS1_2_VERSION));
    return flood_and_end(&flood, ALERT_RECORD, user_cancelled, sizeof(user_cancelled));
}

static void a_flood_of_warnings_ends_the_connection(void **state)
{
    (void)state;
    room_run(flood_with_warnings);
}

static int flood_with_warnings_of_1_3(void *arg, void **ret_result)
{
    struct flood flood;

    TRY(flood_open(&flood, arg, TLS1_3_VERSION));
    return flood_and_end(&flood, ALERT_RECORD, user_cancelled, sizeof(user_cancelled));
}

static void a_flood_of_warnings_of_tls_1_3_ends_the_connection(void **state)
{
    (void)state;
    room_run(flood_with_warnings_of_1_3);
}

static int flood_with_nothing(void *arg, void **ret_result)
{
    struct flood flood;

    TRY(flood_open(&flood, arg, TLS1_2_VERSION));
    return flood_and_end(&flood, DATA_RECORD, "", 0);
}

static void a_flood_of_empty_records_ends_the_connection(void **state)
{
    (void)state;
    room_run(flood_with_nothing);
}

static int flood_with_nothing_of_1_3(void *arg, void **ret_result)
{
    struct flood flood;

    TRY(flood_open(&flood, arg, TLS1_3_VERSION));
    return flood_and_end(&flood, DATA_RECORD, "", 0);
}

static void a_flood_of_empty_records_of_tls_1_3_ends_the_connection(void **state)
{
    (void)state;
    room_run(flood_with_nothing_of_1_3);
}

static int flood_a_client_with_nothing(void *arg, void **ret_result)
{
    struct flood flood;

    TRY(flood_serve(&flood, arg));
    return flood_and_end(&flood, DATA_RECORD, "", 0);
}

static void a_server_that_floods_with_empty_records_is_left(void **state)
{
    (void)state;
    room_run(flood_a_client_with_nothing);
}

/* A few are nothing to speak of, with data in between as many as one likes. */
static int send_empty_records_now_and_then(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct flood flood;

    room->quiet = true;
    TRY(flood_open(&flood, room, TLS1_3_VERSION));
    for (size_t i = 1; i <= 200; i++) {
        TRY(flood_with(&flood, DATA_RECORD, "", 0, 20, true));
        TRY(flood_with(&flood, DATA_RECORD, "x", 1, 1, true));
        TRY(talk_wait_received(&room->talks[0], i));
    }
    CHECK_TEXT(room->talks[0].trace, "made");
    return flood_close(&flood);
}

static void empty_records_between_data_are_passed_over(void **state)
{
    (void)state;
    room_run(send_empty_records_now_and_then);
}

/* --- behind the end ---------------------------------------------------------------------- */

static int speak_after_the_end(void *arg, void **ret_result)
{
    static const unsigned char close_notify[2] = {1, 0};
    struct room *room = arg;
    struct flood flood;

    TRY(flood_open(&flood, room, TLS1_3_VERSION));
    TRY(flood_with(&flood, DATA_RECORD, "last", 4, 1, true));
    TRY(talk_wait_received(&room->talks[0], 4));
    TRY(flood_with(&flood, ALERT_RECORD, close_notify, sizeof(close_notify), 10000, true));
    TRY(flood_with(&flood, ALERT_RECORD, user_cancelled, sizeof(user_cancelled), 10000, true));
    TRY(flood_with(&flood, DATA_RECORD, "more", 4, 10000, true));
    TRY(talk_wait_lost(&room->talks[0]));
    CHECK_TEXT(room->talks[0].trace, "made data:4 eof lost");
    return flood_close(&flood);
}

static void what_a_peer_says_behind_its_close_notify_is_not_heard(void **state)
{
    (void)state;
    room_run(speak_after_the_end);
}

/* --- handshake messages of TLS 1.3 ------------------------------------------------------- */

/* NewSessionTicket: its life and age, a nonce of 8 bytes, a ticket of 200, no extensions. */
enum { TICKET = 4 + 4 + 4 + 9 + 2 + 200 + 2 };

static const unsigned char *make_ticket(void)
{
    static unsigned char ticket[TICKET] = {4, 0, 0, TICKET - 4, 0, 0, 28, 32};

    ticket[12] = 8;
    ticket[22] = 200;
    memset(ticket + 23, 't', 200);
    return ticket;
}

/* Send tickets, and data behind them: what the process holds when that has come. */
static int send_tickets(struct flood *flood, size_t count, size_t *ret_held)
{
    struct talk *talk = &flood->room->talks[0];
    size_t before = talk->received;

    TRY(flood_with(flood, HANDSHAKE_RECORD, make_ticket(), TICKET, count, true));
    TRY(flood_with(flood, DATA_RECORD, "at last", 7, 1, true));
    TRY(talk_wait_received(talk, before + 7));
    *ret_held = mallinfo2().uordblks;
    return 0;
}

static int flood_with_tickets(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct flood flood;
    size_t before;
    size_t after;

    TRY(flood_serve(&flood, room));
    TRY(send_tickets(&flood, 1000, &before));
    TRY(send_tickets(&flood, 10000, &after));
    CHECK(after < before + 64 * 1024); /* where a sanitizer allocates, nothing is counted */
    CHECK_TEXT(room->talks[0].trace, "made data:7 data:7");
    return flood_close(&flood);
}

static void a_server_that_floods_with_tickets_grows_nothing(void **state)
{
    (void)state;
    room_run(flood_with_tickets);
}

/* What has come at once is read in many turns. */
static int take_turns_with_tickets(void *arg, void **ret_result)
{
    enum { TICKETS = 800 };
    struct room *room = arg;
    struct flood flood;
    aio_transport *transport;
    unsigned turns = 0;

    TRY(flood_serve(&flood, room));
    transport = flood.end.transport;
    TRY(aio_transport_pause_reading(transport));
    TRY(flood_with(&flood, HANDSHAKE_RECORD, make_ticket(), TICKET, TICKETS, false));
    TRY(flood_with(&flood, DATA_RECORD, "at last", 7, 1, false));
    while (aio_transport_get_read_buffer_size(transport) < (size_t)TICKETS * TICKET)
        TRY(aio_sleep(0));
    TRY(aio_transport_resume_reading(transport));
    for (; room->talks[0].received == 0; turns++)
        TRY(aio_sleep(0));
    CHECK_TEXT(room->talks[0].trace, "made data:7");
    CHECK(turns >= 10);
    return flood_close(&flood);
}

static void a_flood_of_tickets_lets_others_have_their_turn(void **state)
{
    (void)state;
    room_run(take_turns_with_tickets);
}

static int give_a_server_tickets(void *arg, void **ret_result)
{
    struct flood flood;

    TRY(flood_open(&flood, arg, TLS1_3_VERSION));
    return flood_and_end(&flood, HANDSHAKE_RECORD, make_ticket(), TICKET);
}

static void a_client_that_gives_tickets_is_refused(void **state)
{
    (void)state;
    room_run(give_a_server_tickets);
}

/* A message of 16 MiB is announced, and its first part comes again and again. */
static int announce_much(void *arg, void **ret_result)
{
    static unsigned char part[1000] = {4, 255, 255, 255};
    struct flood flood;

    TRY(flood_serve(&flood, arg));
    return flood_and_end(&flood, HANDSHAKE_RECORD, part, sizeof(part));
}

static void a_handshake_message_without_bounds_is_refused(void **state)
{
    (void)state;
    room_run(announce_much);
}

/* --- new keys ---------------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(a_peer_that_renegotiates_for_ever_is_refused_each_time_and_grows_nothing),
        TLS_TEST(a_peer_that_renegotiates_for_ever_and_reads_no_answer_is_given_up),
        TLS_TEST(a_flood_of_warnings_ends_the_connection),
        TLS_TEST(a_flood_of_warnings_of_tls_1_3_ends_the_connection),
        TLS_TEST(a_flood_of_empty_records_ends_the_connection),
        TLS_TEST(a_flood_of_empty_records_of_tls_1_3_ends_the_connection),
        TLS_TEST(a_server_that_floods_with_empty_records_is_left),
        TLS_TEST(empty_records_between_data_are_passed_over),
        TLS_TEST(what_a_peer_says_behind_its_close_notify_is_not_heard),
        TLS_TEST(a_server_that_floods_with_tickets_grows_nothing),
        TLS_TEST(a_flood_of_tickets_lets_others_have_their_turn),
        TLS_TEST(a_client_that_gives_tickets_is_refused),
        TLS_TEST(a_handshake_message_without_bounds_is_refused),
        TLS_TEST(a_flood_of_new_keys_lets_others_have_their_turn),
        TLS_TEST(what_was_sent_after_a_flood_is_read_though_the_peer_has_left),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
