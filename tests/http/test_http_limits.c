/* SPDX-License-Identifier: MIT */
/*
 * test_http_limits.c - what is too large, too slow, too much
 */
#include "http/server/connection.h"
#include "http/site.h"

#include <stdio.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: test\r\n\r\n"

static struct answer answer;

static int flood_reader(aio_http_request *request)
{
    static const char data[64 * 1024];
    int err = aio_http_stream(request, 200, NULL, AIO_HTTP_UNKNOWN_LENGTH);

    while (err == 0)
        err = aio_http_write(request, data, sizeof(data));
    return err;
}

static int answer_request(aio_http_request *request, void *arg)
{
    struct room *room = arg;
    const char *path = aio_http_request_path(request);
    const void *data;
    size_t size;
    int err = 0;

    if (strcmp(path, "/body") == 0)
        err = aio_http_request_body(request, &data, &size);
    if (strcmp(path, "/flood") == 0)
        err = flood_reader(request);
    if (strcmp(path, "/waits") == 0)
        err = aio_event_wait(room->subject);
    if (err < 0) {
        room->fail_code = err;
        aio_event_set(room->news);
        return err;
    }
    return aio_http_respond(request, 200, NULL, "ok", 2);
}

/* Ask on a connection of its own, and expect a status and the end. */
static int expect(const aio_http_server *server, const char *request, int status)
{
    struct peer peer;

    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, request));
    TRY(peer_hear(&peer, &answer));
    if (answer.status != status)
        return aio_raise(AIO_EASSERTION, "%.60s: %d", request, answer.status);
    CHECK(peer_hear_end(&peer) == 0);
    peer_close(&peer);
    return 0;
}

/* --- size ------------------------------------------------------------------------------- */

static int send_large_heads(void *arg, void **ret_result)
{
    static char text[20000];
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server = NULL;
    size_t used;

    options.max_head_size = 1000;
    options.max_headers = 5;
    TRY(site_start(answer_request, arg, &options, &server));
    TRY(expect(server,
               "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nA: b\r\nA: b\r\nConnection: close\r\n\r\n",
               200));
    TRY(expect(server, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n",
               431));
    used = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    memset(text + used, 'a', 2000);
    TRY(expect(server, text, 431)); /* without its end */
    memcpy(text + used + 2000, "\r\n\r\n", 5);
    TRY(expect(server, text, 431));
    used = (size_t)sprintf(text, "GET /");
    memset(text + used, 'a', 2000);
    text[used + 2000] = '\0';
    TRY(expect(server, text, 431));
    return site_stop(server);
}

static void heads_are_limited_in_size_and_lines(void **state)
{
    room_run(send_large_heads);
}

static int send_large_bodies(void *arg, void **ret_result)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server = NULL;

    options.max_body_size = 10;
    TRY(site_start(answer_request, arg, &options, &server));
    TRY(expect(server,
               "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
               "Connection: close\r\n\r\n0123456789",
               200));
    TRY(expect(server, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413));
    TRY(expect(server,
               "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n",
               413));
    TRY(expect(server,
               "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n",
               413));
    TRY(expect(server,
               "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               "fffffffffffffff\r\n0123456789012345",
               413));
    return site_stop(server);
}

static void bodies_are_limited_in_size(void **state)
{
    room_run(send_large_bodies);
}

static int send_long_lines(void *arg, void **ret_result)
{
    static char text[40000];
    aio_http_server *server = NULL;
    size_t used;

    TRY(site_start(answer_request, arg, NULL, &server));
    used = (size_t)sprintf(
        text, "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    memset(text + used, 'a', 20000);
    TRY(expect(server, text, 400)); /* an extension */
    used = (size_t)sprintf(
        text, "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    while (used < 30000)
        used += (size_t)sprintf(text + used, "A: b\r\n");
    TRY(expect(server, text, 400)); /* trailers */
    return site_stop(server);
}

static void lines_between_chunks_are_limited(void **state)
{
    room_run(send_long_lines);
}

/* --- number ----------------------------------------------------------------------------- */

static int open_many(void *arg, void **ret_result)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server_stats stats = AIO_HTTP_SERVER_STATS_INIT;
    aio_http_server *server = NULL;
    struct peer peers[3];

    options.max_connections = 2;
    TRY(site_start(answer_request, arg, &options, &server));
    for (int i = 0; i < 2; i++) {
        TRY(peer_open(&peers[i], server));
        TRY(peer_say(&peers[i], GET("/")));
        TRY(peer_hear(&peers[i], &answer));
    }
    TRY(peer_open(&peers[2], server));
    CHECK(peer_hear_end(&peers[2]) == 0);
    peer_close(&peers[2]);
    peer_close(&peers[0]);
    do { /* until its end was seen */
        TRY(aio_sleep(0));
        TRY(aio_http_server_get_stats(server, &stats));
    } while (stats.connections == 2);
    TRY(peer_open(&peers[0], server));
    TRY(peer_say(&peers[0], GET("/")));
    TRY(peer_hear(&peers[0], &answer));
    TRY(aio_http_server_get_stats(server, &stats));
    CHECK(stats.refused == 1);
    CHECK(stats.accepted == 3);
    CHECK(stats.requests == 3);
    peer_close(&peers[0]);
    peer_close(&peers[1]);
    return site_stop(server);
}

static void connections_are_limited(void **state)
{
    room_run(open_many);
}

static int send_too_many(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer peer;
    AIO_AUTO(aio_event) go = aio_event_new();
    size_t sent = 0;

    room->subject = go;
    TRY(site_start(answer_request, room, NULL, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/waits")));
    while (server->first == NULL || !server->first->reading_paused) {
        for (int i = 0; i < 100; i++, sent++)
            TRY(aio_stream_writer_write(peer.writer, GET("/"), strlen(GET("/"))));
        TRY(aio_sleep(0));
    }
    CHECK(server->first->in.size < 512 * 1024); /* what it had, and one read */
    aio_event_set(go);
    TRY(peer_hear(&peer, &answer));
    for (; sent > 0; sent--)
        TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 200);
    peer_close(&peer);
    return site_stop(server);
}

static void a_peer_with_too_many_requests_is_stopped_until_they_are_answered(void **state)
{
    room_run(send_too_many);
}

static int send_for_nobody(void *arg, void **ret_result)
{
    static const char data[100000];
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer peer;
    AIO_AUTO(aio_event) go = aio_event_new();

    room->subject = go;
    TRY(site_start(answer_request, room, NULL, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "POST /waits HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"));
    while (server->first == NULL || !server->first->reading_paused) {
        TRY(aio_stream_writer_write(peer.writer, data, sizeof(data)));
        TRY(aio_sleep(0));
    }
    CHECK(server->first->request->body.size < 512 * 1024); /* the limit, and one read */
    aio_event_set(go);
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 200);
    CHECK_TEXT(answer_header(&answer, "connection"), "close");
    peer_close(&peer);
    return site_stop(server);
}

static void a_peer_whose_body_is_not_read_is_stopped(void **state)
{
    room_run(send_for_nobody);
}

/* --- time ------------------------------------------------------------------------------- */

static int be_slow(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server_stats stats = AIO_HTTP_SERVER_STATS_INIT;
    aio_http_server *server = NULL;
    struct peer peer;

    options.idle_timeout = 0.02;
    options.head_timeout = 0.02;
    options.body_timeout = 0.02;
    TRY(site_start(answer_request, room, &options, &server));
    TRY(peer_open(&peer, server));
    CHECK(peer_hear_end(&peer) == 0); /* it says nothing */
    peer_close(&peer);
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/")));
    TRY(peer_hear(&peer, &answer));
    CHECK(peer_hear_end(&peer) == 0); /* nothing more */
    peer_close(&peer);
    TRY(expect(server, "GET / HT", 408));
    TRY(expect(server, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell", 408));
    CHECK(room->fail_code == AIO_HTTP_EABORT);
    TRY(aio_http_server_get_stats(server, &stats));
    CHECK(stats.timeouts == 2);
    return site_stop(server);
}

static void peers_that_are_idle_or_slow_to_send_are_cut_off(void **state)
{
    room_run(be_slow);
}

/* A byte now and then does not help. */
static int dribble(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server = NULL;
    struct peer peer;

    options.head_timeout = 0.05;
    options.body_timeout = 0.05;
    TRY(site_start(answer_request, room, &options, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "GET / HTTP/1.1\r\nA: "));
    while (server->stats.timeouts == 0) {
        TRY(peer_say(&peer, "a"));
        TRY(aio_sleep(0.005));
    }
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 408);
    peer_close(&peer);
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"));
    while (server->stats.timeouts == 1) {
        TRY(peer_say(&peer, "a"));
        TRY(aio_sleep(0.005));
    }
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 408);
    peer_close(&peer);
    return site_stop(server);
}

static void a_byte_now_and_then_earns_no_time(void **state)
{
    room_run(dribble);
}

static bool has_failed(const struct room *room)
{
    return room->fail_code != 0;
}

static int do_not_read(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server = NULL;
    struct peer peer;

    options.write_timeout = 0.05;
    TRY(site_start(answer_request, room, &options, &server));
    TRY(peer_open(&peer, server));
    TRY(aio_transport_pause_reading(aio_stream_writer_transport(peer.writer)));
    TRY(peer_say(&peer, GET("/flood")));
    TRY(room_wait(room, has_failed));
    CHECK(room->fail_code == AIO_ECANCELLED || room->fail_code == -ECONNRESET);
    CHECK(server->stats.timeouts == 1);
    peer_close(&peer);
    return site_stop(server);
}

static void a_peer_that_does_not_read_is_cut_off(void **state)
{
    room_run(do_not_read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_limited_in_size_and_lines),
        cmocka_unit_test(bodies_are_limited_in_size),
        cmocka_unit_test(lines_between_chunks_are_limited),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(a_peer_with_too_many_requests_is_stopped_until_they_are_answered),
        cmocka_unit_test(a_peer_whose_body_is_not_read_is_stopped),
        cmocka_unit_test(peers_that_are_idle_or_slow_to_send_are_cut_off),
        cmocka_unit_test(a_byte_now_and_then_earns_no_time),
        cmocka_unit_test(a_peer_that_does_not_read_is_cut_off),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
