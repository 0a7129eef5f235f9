/* SPDX-License-Identifier: MIT */
/*
 * test_hostile_tls.c - what peers do to a server of TLS that it must survive without growing
 *
 * A server of streams and its peers in one loop. They are OpenSSL's on sockets of the test's: what
 * they do to it before and during the handshake is test_tls_trouble.c's, but for many at once.
 */
#include "base/compiler.h"
#include "fiber/sanitize.h"
#include "support/authority.h"
#include "support/room.h"
#include "support/weigh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, FLOOD = 300 };

static aio_tls_context *context; /* the server's */
static SSL_CTX *peers;

static int setup(void **state)
{
    int err = weigh_allocations(state);

    context = authority_server("one.pem");
    peers = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(peers, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return err;
}

static int teardown(void **state)
{
    SSL_CTX_free(peers);
    aio_tls_context_unref(context);
    return check_weight(state);
}

/* --- the server ------------------------------------------------------------------------ */

struct scene {
    aio_server *server;
    struct sockaddr_in name;
    aio_event *over; /* a client was served, or is to wait no more */
    unsigned begun;
    unsigned served;
    int code;       /* what the last one ended with */
    uint64_t bytes; /* that came from all */
};

/* Read until the end, and send it back if that is wanted. */
static int serve(struct scene *scene, aio_stream_reader *reader, aio_stream_writer *writer,
                 bool echoes)
{
    static char data[CHUNK];
    size_t size = 1;
    int err = 0;

    scene->begun++;
    while (err == 0 && size > 0) {
        err = aio_stream_reader_read_into(reader, data, sizeof(data), &size);
        scene->bytes += err == 0 ? size : 0;
        if (err == 0 && echoes)
            err = aio_stream_writer_write(writer, data, size);
        if (err == 0 && echoes)
            err = aio_stream_writer_drain(writer);
    }
    aio_stream_writer_close(writer);
    scene->code = err;
    scene->served++;
    aio_event_set(scene->over);
    return err == AIO_ECANCELLED ? err : 0;
}

static int echo(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    return serve(arg, reader, writer, true);
}

static int swallow(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    return serve(arg, reader, writer, false);
}

/* Never read. */
static int ignore(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct scene *scene = arg;
    int err;

    scene->begun++;
    err = aio_event_wait(scene->over);
    aio_stream_writer_close(writer);
    scene->served++;
    aio_event_set(scene->over);
    return err;
}

static int open_scene(struct scene *scene, aio_client_connected_fn client)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    socklen_t size = sizeof(scene->name);
    int sock;

    *scene = (struct scene){.over = aio_event_new()};
    options.host = "127.0.0.1";
    options.port = 0;
    options.ssl = context;
    TRY(aio_start_server_with(client, scene, &options, 0, &scene->server));
    (void)aio_server_sockets(scene->server, &sock, 1);
    CHECK(getsockname(sock, (struct sockaddr *)&scene->name, &size) == 0);
    return 0;
}

static int close_scene(struct scene *scene)
{
    aio_server_close(scene->server);
    aio_server_abort_clients(scene->server);
    TRY(aio_server_wait_closed(scene->server));
    while (scene->served < scene->begun) {
        aio_event_clear(scene->over);
        TRY(aio_event_wait(scene->over));
    }
    aio_server_unref(scene->server);
    aio_event_unref(scene->over);
    return 0;
}

/* --- peers ----------------------------------------------------------------------------- */

struct peer {
    int fd;
    SSL *ssl;
};

static int dial(const struct scene *scene, int *ret_fd)
{
    struct sockaddr_in name = scene->name;
    const aio_sockname to = {(struct sockaddr *)&name, sizeof(name)};

    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return aio_loop_sock_connect(NULL, *ret_fd, &to);
}

/* Whether a call of SSL's has to be made again, once the server had a turn. */
static bool is_to_wait(const struct peer *peer, int result)
{
    int why = SSL_get_error(peer->ssl, result);

    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static int peer_shake(struct peer *peer)
{
    int result;

    peer->ssl = SSL_new(peers);
    CHECK(SSL_set_fd(peer->ssl, peer->fd) == 1);
    while ((result = SSL_connect(peer->ssl)) != 1) {
        CHECK(is_to_wait(peer, result));
        TRY(aio_sleep(0));
    }
    return 0;
}

static int peer_open(const struct scene *scene, struct peer *peer)
{
    TRY(dial(scene, &peer->fd));
    return peer_shake(peer);
}

/* With a reset. */
static void peer_close(struct peer *peer)
{
    SSL_free(peer->ssl);
    room_reset(peer->fd);
}

static int peer_send(struct peer *peer, const char *data, size_t size)
{
    int result;

    while ((result = SSL_write(peer->ssl, data, (int)size)) <= 0) {
        CHECK(is_to_wait(peer, result));
        TRY(aio_sleep(0));
    }
    CHECK(result == (int)size);
    return 0;
}

/* Some bytes: 0 at the end. */
static int peer_receive(struct peer *peer, char *data, size_t size, size_t *ret_size)
{
    int result;

    while ((result = SSL_read(peer->ssl, data, (int)size)) <= 0) {
        if (SSL_get_error(peer->ssl, result) == SSL_ERROR_ZERO_RETURN)
            break;
        CHECK(is_to_wait(peer, result));
        TRY(aio_sleep(0));
    }
    *ret_size = result > 0 ? (size_t)result : 0;
    return 0;
}

/* Send something and get it back. */
static int peer_talk(struct peer *peer)
{
    char data[8];
    size_t size;

    TRY(peer_send(peer, "abc", 3));
    TRY(peer_receive(peer, data, sizeof(data), &size));
    CHECK(size == 3 && memcmp(data, "abc", 3) == 0);
    return 0;
}

/* Send until the other side takes no more for a while: how much it took. */
static int push(struct peer *peer, uint64_t at_most, uint64_t *ret_sent)
{
    static const char data[16384];
    unsigned idle = 0;

    *ret_sent = 0;
    while (*ret_sent < at_most && idle < 50) {
        int result = SSL_write(peer->ssl, data, sizeof(data));

        CHECK(result > 0 || is_to_wait(peer, result));
        idle = result > 0 ? 0 : idle + 1;
        *ret_sent += result > 0 ? (uint64_t)result : 0;
        if (result <= 0)
            TRY(aio_sleep(0));
    }
    return 0;
}

/* --- what they do ---------------------------------------------------------------------- */

static int peer_resets(void *arg, void **ret_result)
{
    struct scene scene;
    struct peer peer;

    TRY(open_scene(&scene, echo));
    TRY(peer_open(&scene, &peer));
    TRY(peer_talk(&peer));
    peer_close(&peer);
    TRY(aio_event_wait(scene.over));
    CHECK(scene.code == -ECONNRESET);
    return close_scene(&scene);
}

static void peer_that_resets_is_an_error_of_its_connection(void **state)
{
    room_run(peer_resets);
}

/* What it sent is read; the answer has nowhere to go (S143). */
static int peer_says_it_closes(void *arg, void **ret_result)
{
    struct scene scene;
    struct peer peer;
    char data[8];
    size_t size = 1;

    TRY(open_scene(&scene, swallow));
    TRY(peer_open(&scene, &peer));
    TRY(peer_send(&peer, "abc", 3));
    CHECK(SSL_shutdown(peer.ssl) == 0);
    while (size > 0)
        TRY(peer_receive(&peer, data, sizeof(data), &size));
    TRY(aio_event_wait(scene.over));
    CHECK(scene.code == 0 && scene.bytes == 3);
    peer_close(&peer);
    return close_scene(&scene);
}

static void peer_that_says_it_closes_is_told_the_same(void **state)
{
    room_run(peer_says_it_closes);
}

static int wait_until_over(void *arg, void **ret_result)
{
    struct scene *scene = arg;

    return aio_event_wait(scene->over);
}

/* One before its handshake, one after. */
static int peers_stall(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) task = NULL;
    struct scene scene;
    struct peer stalling;
    struct peer peer;
    int silent;

    TRY(open_scene(&scene, echo));
    TRY(dial(&scene, &silent));
    TRY(peer_open(&scene, &stalling));
    TRY(peer_open(&scene, &peer));
    TRY(peer_talk(&peer)); /* the others are served */
    peer_close(&peer);
    TRY(aio_event_wait(scene.over));
    aio_event_clear(scene.over);
    task = aio_create_task(wait_until_over, &scene);
    CHECK_CODE(aio_wait_for(task, 0.01, NULL), AIO_ETIMEDOUT);
    aio_server_close(scene.server);
    aio_server_abort_clients(scene.server); /* who stalls for ever can be thrown out */
    TRY(aio_event_wait(scene.over));
    CHECK(scene.served == 2);
    TRY(close_scene(&scene));
    peer_close(&stalling);
    close(silent);
    return 0;
}

static void peers_that_stall_keep_nobody_and_can_be_thrown_out(void **state)
{
    room_run(peers_stall);
}

static int peer_dribbles(void *arg, void **ret_result)
{
    static const char text[] = "a record for each byte";
    struct scene scene;
    struct peer peer;

    TRY(open_scene(&scene, swallow));
    TRY(peer_open(&scene, &peer));
    for (size_t i = 0; i < sizeof(text); i++) {
        TRY(peer_send(&peer, text + i, 1));
        TRY(room_turn());
    }
    CHECK(SSL_shutdown(peer.ssl) == 0);
    TRY(aio_event_wait(scene.over));
    CHECK(scene.code == 0 && scene.bytes == sizeof(text));
    peer_close(&peer);
    return close_scene(&scene);
}

static void peer_that_sends_a_byte_at_a_time_is_understood(void **state)
{
    room_run(peer_dribbles);
}

/* A quarter of it where a sanitizer watches: each byte costs several times as much there. */
static const uint64_t gigabyte = (UINT64_C(1) << 30) / (AIO__ASAN || AIO__TSAN ? 4 : 1);

static int push_against(aio_client_connected_fn client)
{
    struct scene scene;
    struct peer peer;
    uint64_t sent;
    size_t before;

    TRY(open_scene(&scene, client));
    TRY(peer_open(&scene, &peer));
    before = weigh_again();
    TRY(push(&peer, gigabyte, &sent));
    CHECK(sent < gigabyte);                    /* it was made to wait */
    CHECK(weight_peak() - before < 8 * CHUNK); /* and what it sent is not all kept */
    peer_close(&peer);
    aio_event_set(scene.over);
    TRY(room_turn()); /* who waited for that goes on */
    return close_scene(&scene);
}

static int peer_never_reads(void *arg, void **ret_result)
{
    return push_against(echo);
}

static void peer_that_never_reads_is_made_to_wait(void **state)
{
    room_run(peer_never_reads);
}

static int nobody_reads(void *arg, void **ret_result)
{
    return push_against(ignore);
}

static void peer_that_nobody_reads_is_made_to_wait(void **state)
{
    room_run(nobody_reads);
}

static int peer_sends_a_gigabyte(void *arg, void **ret_result)
{
    struct scene scene;
    struct peer peer;
    uint64_t sent = 0;
    size_t before;

    TRY(open_scene(&scene, swallow));
    TRY(peer_open(&scene, &peer));
    before = weigh_again();
    while (sent < gigabyte) {
        uint64_t more;

        TRY(push(&peer, gigabyte - sent, &more));
        sent += more;
    }
    CHECK(SSL_shutdown(peer.ssl) == 0);
    TRY(aio_event_wait(scene.over));
    CHECK(scene.code == 0 && scene.bytes == sent);
    CHECK(weight_peak() - before < 8 * CHUNK);
    peer_close(&peer);
    return close_scene(&scene);
}

static void peer_that_sends_a_gigabyte_costs_no_more_than_one_that_sends_little(void **state)
{
    room_run(peer_sends_a_gigabyte);
}

/* Those that leave before they have said anything, half way through a hello, and when it is done. */
static int peers_come_and_go(struct scene *scene)
{
    for (int i = 0; i < FLOOD; i++) {
        struct peer peer = {.ssl = NULL};

        if (i % 10 == 0)
            TRY(peer_open(scene, &peer));
        else
            TRY(dial(scene, &peer.fd));
        if (i % 3 == 1)
            CHECK(send(peer.fd, "\x16\x03\x01\x02\x00\x01\x00", 7, MSG_NOSIGNAL) == 7);
        peer_close(&peer);
    }
    while (scene->served % (FLOOD / 10) != 0 || scene->served == 0) {
        aio_event_clear(scene->over);
        TRY(aio_event_wait(scene->over));
    }
    return room_turn();
}

static int peers_flood(void *arg, void **ret_result)
{
    struct scene scene;
    struct peer peer;
    size_t before;

    TRY(open_scene(&scene, echo));
    TRY(peers_come_and_go(&scene));
    before = weight();
    scene.served = scene.begun = 0;
    TRY(peers_come_and_go(&scene));
    CHECK(weight() <= before + CHUNK); /* what the first flood left was used again */
    TRY(peer_open(&scene, &peer));
    TRY(peer_talk(&peer));
    peer_close(&peer);
    return close_scene(&scene);
}

static void peers_that_flood_with_connections_leave_nothing(void **state)
{
    room_run(peers_flood);
}

/* There is no descriptor for the peer, until there are more. */
static int descriptors_run_out(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct rlimit former;
    struct rlimit none;
    struct scene scene;
    struct peer peer;

    TRY(open_scene(&scene, echo));
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(peer.fd, (struct sockaddr *)&scene.name, sizeof(scene.name)) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &former) == 0);
    none = former;
    none.rlim_cur = (rlim_t)dup(peer.fd); /* the next that is free */
    close((int)none.rlim_cur);
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    while (room->reports == 0)
        TRY(aio_sleep(0));
    CHECK_TEXT(room->report, "socket.accept() out of system resource: OSError");
    CHECK(setrlimit(RLIMIT_NOFILE, &former) == 0);
    CHECK(fcntl(peer.fd, F_SETFL, O_NONBLOCK) == 0);
    TRY(peer_shake(&peer));
    TRY(peer_talk(&peer));
    peer_close(&peer);
    return close_scene(&scene);
}

static void server_that_ran_out_of_descriptors_serves_again(void **state)
{
    room_run(descriptors_run_out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(peer_that_resets_is_an_error_of_its_connection),
        TEST(peer_that_says_it_closes_is_told_the_same),
        TEST(peers_that_stall_keep_nobody_and_can_be_thrown_out),
        TEST(peer_that_sends_a_byte_at_a_time_is_understood),
        TEST(peer_that_never_reads_is_made_to_wait),
        TEST(peer_that_nobody_reads_is_made_to_wait),
        TEST(peer_that_sends_a_gigabyte_costs_no_more_than_one_that_sends_little),
        TEST(peers_that_flood_with_connections_leave_nothing),
        TEST(server_that_ran_out_of_descriptors_serves_again),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
