/* SPDX-License-Identifier: MIT */
/*
 * tls_peer.c - a connection of TLS whose other end is OpenSSL, driven by hand
 */
#include "support/tls_peer.h"

#include "support/authority.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* --- our end ----------------------------------------------------------------------------- */

static void note(struct tls_end *end, int code)
{
    end->code = code;
    (void)snprintf(end->text, sizeof(end->text), "%s", code < 0 ? aio_error_text(code) : "");
}

static int accept_peer(void *arg, void **ret_result)
{
    struct tls_end *end = arg;
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;

    options.sock = end->fds[0];
    options.ssl = end->context;
    options.ssl_handshake_timeout = end->timeout;
    note(end, aio_loop_connect_accepted_socket_with(NULL, room_factory, end->room, &options,
                                                    &end->transport));
    return 0;
}

static int connect_to_peer(void *arg, void **ret_result)
{
    struct tls_end *end = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.sock = end->fds[0];
    options.ssl = end->context;
    options.server_hostname = "one.test";
    note(end, aio_loop_create_connection(NULL, room_factory, end->room, &options, &end->transport));
    return 0;
}

static int begin_end(struct tls_end *end, aio_coro_fn fn)
{
    int on = 1;

    room_tcp_pair(end->fds);
    end->room->fds[1] = end->fds[1];
    CHECK(ioctl(end->fds[1], FIONBIO, &on) == 0);
    end->task = aio_create_task(fn, end);
    return end->task == NULL ? AIO_ENOMEM : 0;
}

int tls_end_open(struct tls_end *end, struct room *room, aio_tls_context *server, double timeout)
{
    *end = (struct tls_end){.room = room, .context = server, .timeout = timeout};
    return begin_end(end, accept_peer);
}

int tls_end_connect(struct tls_end *end, struct room *room, aio_tls_context *client)
{
    *end = (struct tls_end){.room = room, .context = client};
    return begin_end(end, connect_to_peer);
}

int tls_end_code(struct tls_end *end, int expected)
{
    TRY(aio_await(end->task, NULL));
    aio_future_unref(end->task);
    end->task = NULL;
    CHECK_CODE(end->code, expected);
    return 0;
}

int tls_end_close(struct tls_end *end)
{
    aio_transport_abort(end->transport);
    aio_transport_unref(end->transport);
    return room_turn();
}

/* --- the other ----------------------------------------------------------------------------- */

static void begin_peer(struct tls_peer *peer, struct room *room, size_t piece,
                       const SSL_METHOD *method, int version)
{
    *peer = (struct tls_peer){.room = room, .piece = piece};
    peer->context = SSL_CTX_new(method);
    (void)SSL_CTX_set_max_proto_version(peer->context, version);
}

static void shake_by_hand(struct tls_peer *peer)
{
    peer->ssl = SSL_new(peer->context);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    SSL_set_bio(peer->ssl, peer->in, peer->out);
}

void tls_peer_open(struct tls_peer *peer, struct room *room, size_t piece, int version)
{
    begin_peer(peer, room, piece, TLS_client_method(), version);
    shake_by_hand(peer);
    SSL_set_connect_state(peer->ssl);
}

void tls_peer_serve(struct tls_peer *peer, struct room *room, size_t piece, int version)
{
    const char *file = authority_file("one.pem");

    begin_peer(peer, room, piece, TLS_server_method(), version);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(peer->context, file), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(peer->context, file, SSL_FILETYPE_PEM), 1);
    shake_by_hand(peer);
    SSL_set_accept_state(peer->ssl);
}

void tls_peer_close(struct tls_peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    ERR_clear_error();
}

int tls_peer_send_all(struct room *room, const void *data, size_t size)
{
    return aio_loop_sock_sendall(room->loop, room->fds[1], data, size);
}

int tls_peer_send(struct tls_peer *peer)
{
    char *data;
    long size = BIO_get_mem_data(peer->out, &data);

    for (long i = 0; i < size; i += (long)peer->piece) {
        size_t piece = (size_t)(size - i) < peer->piece ? (size_t)(size - i) : peer->piece;

        TRY(tls_peer_send_all(peer->room, data + i, piece));
        TRY(aio_sleep(0));
    }
    (void)BIO_reset(peer->out);
    return 0;
}

int tls_peer_receive(struct tls_peer *peer)
{
    char data[8192];
    size_t got = 0;

    TRY(aio_loop_sock_recv(peer->room->loop, peer->room->fds[1], data, sizeof(data), &got));
    if (got == 0)
        return aio_raise(-ECONNRESET, "the library has left");
    CHECK(BIO_write(peer->in, data, (int)got) == (int)got);
    return 0;
}

int tls_peer_shake(struct tls_peer *peer)
{
    for (;;) {
        int result;

        ERR_clear_error();
        result = SSL_do_handshake(peer->ssl);
        TRY(tls_peer_send(peer));
        if (result == 1)
            return 0;
        CHECK(SSL_get_error(peer->ssl, result) == SSL_ERROR_WANT_READ);
        TRY(tls_peer_receive(peer));
    }
}
