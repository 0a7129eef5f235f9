/* SPDX-License-Identifier: MIT */
/*
 * test_http_server.c - requests and answers over real connections
 */
#include "base/compiler.h"
#include "fiber/sanitize.h"
#include "http/site.h"

#include <aio/testing.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: test\r\n\r\n"

static struct answer answer; /* too large for a fiber's stack */

/* --- the site --------------------------------------------------------------------------- */

static int echo(aio_http_request *request)
{
    const void *data;
    size_t size;
    int err = aio_http_request_body(request, &data, &size);

    return err < 0 ? err : aio_http_respond(request, 200, "text/plain", data, size);
}

/* Count the bytes of a body that is never held as a whole. */
static int count(aio_http_request *request)
{
    static char piece[10000];
    char text[64];
    size_t all = 0;
    ptrdiff_t got;

    while ((got = aio_http_request_read(request, piece, sizeof(piece))) > 0)
        all += (size_t)got;
    if (got < 0)
        return (int)got;
    return aio_http_respond(request, 200, "text/plain", text,
                            (size_t)snprintf(text, sizeof(text), "%zu", all));
}

static int pieces(aio_http_request *request, uint64_t length)
{
    int err = aio_http_stream(request, 200, "text/plain", length);

    for (int i = 0; err == 0 && i < 3; i++) {
        err = aio_http_write(request, "piece", 5);
        if (err == 0)
            err = aio_sleep(0);
    }
    return err;
}

static int describe(aio_http_request *request)
{
    char text[500];
    const char *agent = aio_http_request_header(request, "User-AGENT");
    int size = snprintf(text, sizeof(text), "%s %s %s ?%s %s %s", aio_http_request_method(request),
                        aio_http_request_target(request), aio_http_request_path(request),
                        aio_http_request_query(request), aio_http_request_version(request),
                        agent == NULL ? "-" : agent);

    return aio_http_respond(request, 200, "text/plain", text, (size_t)size);
}

static int answer_request(aio_http_request *request, void *arg)
{
    const char *path = aio_http_request_path(request);
    struct room *room = arg;
    int err = 0;

    if (strcmp(path, "/echo") == 0)
        return echo(request);
    if (strcmp(path, "/count") == 0)
        return count(request);
    if (strcmp(path, "/pieces") == 0)
        return pieces(request, AIO_HTTP_UNKNOWN_LENGTH);
    if (strcmp(path, "/exact") == 0)
        return pieces(request, 15);
    if (strcmp(path, "/short") == 0)
        return pieces(request, 16);
    if (strcmp(path, "/fails") == 0)
        return aio_raise(AIO_EVALUE, "not today");
    if (strcmp(path, "/nothing") == 0)
        return 0;
    if (strcmp(path, "/empty") == 0)
        return aio_http_respond(request, 204, NULL, NULL, 0);
    if (strcmp(path, "/waits") == 0) {
        err = aio_event_wait(room->subject);
        if (err == AIO_ECANCELLED)
            room->refuse++; /* how often */
        aio_event_set(room->news);
    }
    return err < 0 ? err : describe(request);
}

static int start(struct room *room, aio_http_server **ret_server)
{
    return site_start(answer_request, room, NULL, ret_server);
}

/* --- one request ------------------------------------------------------------------------ */

static int ask_plainly(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;

    TRY(start(arg, &server));
    TRY(site_ask(server,
                 "GET /a%20b?c=%64 HTTP/1.1\r\nHost: x\r\nuser-agent:  me and you \t\r\n\r\n",
                 &answer));
    CHECK(answer.status == 200);
    CHECK_TEXT(answer.body, "GET /a%20b?c=%64 /a b ?c=%64 1.1 me and you");
    CHECK_TEXT(answer_header(&answer, "content-type"), "text/plain");
    CHECK_TEXT(answer_header(&answer, "server"), "aioc");
    CHECK(strlen(answer_header(&answer, "date")) == 29);
    CHECK(answer_header(&answer, "connection") == NULL);
    return site_stop(server);
}

static void a_request_is_answered(void **state)
{
    room_run(ask_plainly);
}

static int ask_absolutely(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;

    TRY(start(arg, &server));
    TRY(site_ask(server, "GET http://host:80/p?q HTTP/1.1\r\nHost: x\r\n\r\n", &answer));
    CHECK_TEXT(answer.body, "GET http://host:80/p?q /p ?q 1.1 -");
    TRY(site_ask(server, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", &answer));
    CHECK_TEXT(answer.body, "OPTIONS * * ? 1.1 -");
    return site_stop(server);
}

static void a_target_may_be_a_whole_url(void **state)
{
    room_run(ask_absolutely);
}

static int ask_for_the_head(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n"
                        "HEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\n" GET("/y")));
    TRY(peer_hear_head(&peer, &answer));
    CHECK_TEXT(answer_header(&answer, "content-length"), "18");
    TRY(peer_hear_head(&peer, &answer));
    CHECK_TEXT(answer_header(&answer, "transfer-encoding"), "chunked");
    TRY(peer_hear(&peer, &answer)); /* no body was in between */
    CHECK_TEXT(answer.body, "GET /y /y ? 1.1 -");
    peer_close(&peer);
    return site_stop(server);
}

static void an_answer_to_head_has_no_body(void **state)
{
    room_run(ask_for_the_head);
}

static int ask_for_nothing(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/empty") GET("/y")));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 204);
    CHECK(answer_header(&answer, "content-length") == NULL);
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 200);
    peer_close(&peer);
    return site_stop(server);
}

static void an_answer_without_content_has_no_length(void **state)
{
    room_run(ask_for_nothing);
}

static int ask_for_trouble(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(room, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/fails")));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 500);
    CHECK_TEXT(answer.body, "Internal Server Error");
    CHECK_TEXT(room->report, "Error while answering GET /fails: ValueError");
    TRY(peer_say(&peer, GET("/nothing")));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 500);
    CHECK(room->reports == 2);
    room->reports = 0;
    TRY(peer_say(&peer, GET("/y")));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 200);
    peer_close(&peer);
    return site_stop(server);
}

static void a_handler_that_fails_gives_500_and_the_server_goes_on(void **state)
{
    room_run(ask_for_trouble);
}

/* --- bodies ----------------------------------------------------------------------------- */

static int send_bodies(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "hello");
    TRY(peer_say(&peer,
                 "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n1;ext=\"a b\"\r\n \r\n6\r\nchunks\r\n0\r\nTrailer: x\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "hello chunks");
    /* byte by byte */
    for (const char *at = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                          "3\r\nabc\r\n0\r\n\r\n";
         *at != '\0'; at++) {
        TRY(peer_send(&peer, at, 1));
        TRY(room_turn());
    }
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "abc");
    peer_close(&peer);
    return site_stop(server);
}

static void bodies_come_whole_and_in_chunks(void **state)
{
    room_run(send_bodies);
}

static int send_much(void *arg, void **ret_result)
{
    static char data[100000];
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"));
    for (int i = 0; i < 50; i++)
        TRY(peer_send(&peer, data, sizeof(data)));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "5000000");
    peer_close(&peer);
    return site_stop(server);
}

static void a_large_body_is_read_piece_by_piece(void **state)
{
    room_run(send_much);
}

static int ask_to_continue(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                        "Expect: 100-continue\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 100);
    TRY(peer_say(&peer, "ok"));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "ok");
    /* A handler that does not want the body: the client need not send it. */
    TRY(peer_say(&peer, "POST /y HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                        "Expect: 100-continue\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 200);
    CHECK_TEXT(answer_header(&answer, "connection"), "close");
    CHECK(peer_hear_end(&peer) == 0);
    peer_close(&peer);
    TRY(site_ask(server, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: x\r\n\r\n",
                 &answer));
    CHECK(answer.status == 417);
    return site_stop(server);
}

static void a_client_that_expects_100_gets_it_when_the_body_is_read(void **state)
{
    room_run(ask_to_continue);
}

static int leave_a_body(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "POST /y HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 200);
    TRY(peer_say(&peer, "0123456789" GET("/z")));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "GET /z /z ? 1.1 -");
    /* Too much to read it for nobody. */
    TRY(peer_say(&peer, "POST /y HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer_header(&answer, "connection"), "close");
    CHECK(peer_hear_end(&peer) == 0);
    peer_close(&peer);
    return site_stop(server);
}

static void a_body_nobody_read_is_dropped_or_ends_the_connection(void **state)
{
    room_run(leave_a_body);
}

/* --- answers by pieces ------------------------------------------------------------------ */

static int hear_pieces(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/pieces") GET("/exact")));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer_header(&answer, "transfer-encoding"), "chunked");
    CHECK_TEXT(answer.body, "piecepiecepiece");
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer_header(&answer, "content-length"), "15");
    CHECK_TEXT(answer.body, "piecepiecepiece");
    peer_close(&peer);
    TRY(site_ask(server, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &answer));
    CHECK(answer_header(&answer, "transfer-encoding") == NULL);
    CHECK_TEXT(answer_header(&answer, "connection"), "close");
    CHECK_TEXT(answer.body, "piecepiecepiece");
    return site_stop(server);
}

static void answers_are_written_piece_by_piece(void **state)
{
    room_run(hear_pieces);
}

static int hear_too_little(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;

    TRY(start(arg, &server));
    CHECK(site_ask(server, GET("/short"), &answer) < 0);
    return site_stop(server);
}

static void an_answer_that_is_not_whole_cuts_the_connection(void **state)
{
    room_run(hear_too_little);
}

/* --- several requests ------------------------------------------------------------------- */

static int pipeline(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer peer;
    AIO_AUTO(aio_event) go = aio_event_new();

    room->subject = go;
    TRY(start(room, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/1") GET("/waits") GET("/3") GET("/4")));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "GET /1 /1 ? 1.1 -");
    aio_event_set(go);
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "GET /waits /waits ? 1.1 -");
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "GET /3 /3 ? 1.1 -");
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer.body, "GET /4 /4 ? 1.1 -");
    peer_close(&peer);
    return site_stop(server);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    room_run(pipeline);
}

static int keep_or_not(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer_header(&answer, "connection"), "keep-alive");
    TRY(peer_say(&peer, "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK_TEXT(answer_header(&answer, "connection"), "close");
    CHECK(peer_hear_end(&peer) == 0);
    peer_close(&peer);
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "GET /1 HTTP/1.0\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK(peer_hear_end(&peer) == 0);
    peer_close(&peer);
    return site_stop(server);
}

static void connections_are_kept_as_the_client_wishes(void **state)
{
    room_run(keep_or_not);
}

/* --- ends ------------------------------------------------------------------------------- */

static bool was_cancelled(const struct room *room)
{
    return room->refuse > 0;
}

static int go_away(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer peer;
    AIO_AUTO(aio_event) never = aio_event_new();

    room->subject = never;
    TRY(start(room, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/1") GET("/waits")));
    TRY(peer_hear(&peer, &answer));
    peer_close(&peer);
    TRY(room_wait(room, was_cancelled));
    CHECK(room->refuse == 1);
    return site_stop(server);
}

static void a_client_that_goes_away_cancels_the_handler(void **state)
{
    room_run(go_away);
}

static int stop_site(void *arg, void **ret_result)
{
    return site_stop(arg);
}

static int stop_while_busy(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer idle;
    struct peer busy;
    aio_task *stopping;
    AIO_AUTO(aio_event) go = aio_event_new();

    room->subject = go;
    TRY(start(room, &server));
    TRY(peer_open(&idle, server));
    TRY(peer_open(&busy, server));
    TRY(peer_say(&idle, GET("/1")));
    TRY(peer_hear(&idle, &answer));
    TRY(peer_say(&busy, GET("/1") GET("/waits") GET("/never")));
    TRY(peer_hear(&busy, &answer));
    stopping = aio_create_task(stop_site, server);
    CHECK(peer_hear_end(&idle) == 0);
    aio_event_set(go);
    TRY(peer_hear(&busy, &answer));
    CHECK_TEXT(answer.body, "GET /waits /waits ? 1.1 -");
    CHECK_TEXT(answer_header(&answer, "connection"), "close");
    CHECK(peer_hear_end(&busy) == 0);
    peer_close(&idle);
    peer_close(&busy);
    TRY(aio_await(stopping, NULL));
    aio_future_unref(stopping);
    return 0;
}

static void a_server_that_stops_answers_what_it_has_begun(void **state)
{
    room_run(stop_while_busy);
}

static int stop_what_hangs(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server = NULL;
    struct peer peer;
    AIO_AUTO(aio_event) never = aio_event_new();

    room->subject = never;
    options.shutdown_timeout = 0.05;
    TRY(site_start(answer_request, room, &options, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, GET("/1") GET("/waits")));
    TRY(peer_hear(&peer, &answer));
    CHECK_CODE(site_stop(server), AIO_ETIMEDOUT);
    CHECK(room->refuse == 1);
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 503);
    peer_close(&peer);
    return 0;
}

static void a_server_that_stops_cancels_handlers_that_hang(void **state)
{
    room_run(stop_what_hangs);
}

static int stop_before_the_body(void *arg, void **ret_result)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server = NULL;
    struct peer peer;

    options.body_timeout = AIO_FOREVER;
    options.shutdown_timeout = 10;
    TRY(site_start(answer_request, arg, &options, &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "POST /y HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 200);
    TRY(site_stop(server)); /* and not AIO_ETIMEDOUT */
    CHECK(peer_hear_end(&peer) == 0);
    peer_close(&peer);
    return 0;
}

static void a_server_that_stops_waits_for_no_body_that_is_answered(void **state)
{
    room_run(stop_before_the_body);
}

static int share_a_port(void *arg, void **ret_result)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *servers[2] = {NULL, NULL};

    options.host = "127.0.0.1";
    options.reuse_port = true;
    TRY(aio_http_server_start(answer_request, arg, &options, &servers[0]));
    options.port = aio_http_server_port(servers[0]);
    TRY(aio_http_server_start(answer_request, arg, &options, &servers[1]));
    for (int i = 0; i < 20; i++) {
        TRY(site_ask(servers[i % 2], GET("/1"), &answer));
        CHECK(answer.status == 200);
    }
    TRY(site_stop(servers[0]));
    TRY(site_ask(servers[1], GET("/1"), &answer)); /* all go to who is left */
    CHECK(answer.status == 200);
    return site_stop(servers[1]);
}

static void servers_share_a_port(void **state)
{
    room_run(share_a_port);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server_stats stats = {0};
    aio_http_server *server = NULL;

    assert_int_equal(aio_http_server_start(answer_request, NULL, NULL, &server), AIO_ENOTASK);
    assert_int_equal(aio_http_server_start(NULL, NULL, NULL, &server), AIO_EVALUE);
    assert_int_equal(aio_http_server_start(answer_request, NULL, NULL, NULL), AIO_EVALUE);
    options.idle_timeout = -1;
    assert_int_equal(aio_http_server_start(answer_request, NULL, &options, &server), AIO_EVALUE);
    options.idle_timeout = 0;
    options.size = 1;
    assert_int_equal(aio_http_server_start(answer_request, NULL, &options, &server), AIO_EVALUE);
    assert_null(server);
    assert_int_equal(aio_http_server_stop(NULL), AIO_EVALUE);
    assert_int_equal(aio_http_server_get_stats(NULL, &stats), AIO_EVALUE);
    assert_int_equal(aio_http_server_port(NULL), 0);
    aio_http_server_unref(NULL);
    aio_http_request_unref(NULL);
    assert_int_equal(aio_http_respond(NULL, 200, NULL, NULL, 0), AIO_EVALUE);
    assert_int_equal(aio_http_add_header(NULL, "a", "b"), AIO_EVALUE);
    assert_int_equal(aio_http_write(NULL, "a", 1), AIO_EVALUE);
    assert_int_equal(aio_http_request_read(NULL, &stats, 1), AIO_EVALUE);
}

/* One request by a client that allocates nothing. */
static int exchange(int fd)
{
    static const char text[] = GET("/a?b");
    char reply[1000];
    ssize_t got = -1;

    CHECK(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(text) - 1);
    while (got < 0) {
        TRY(aio_sleep(0));
        got = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
    }
    CHECK(got > 100);
    return 0;
}

static int exchange_again(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct sockaddr_in name = {.sin_family = AF_INET};
    aio_http_server *server = NULL;
    size_t failures;

    TRY(start(room, &server));
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons((uint16_t)aio_http_server_port(server));
    room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(room->fds[0], (struct sockaddr *)&name, sizeof(name)) == 0);
    for (int i = 0; i < 5; i++)
        TRY(exchange(room->fds[0]));
    aio_testing_fail_allocation(1);
    for (int i = 0; i < 20; i++)
        TRY(exchange(room->fds[0]));
    failures = aio_testing_allocation_failures();
    aio_testing_fail_allocation(0);
    CHECK(failures == 0);
    return site_stop(server);
}

static void a_request_like_the_last_one_costs_no_allocation(void **state)
{
    static struct room room; /* for the handler: a loop of room_run() would pool nothing */
    int err;

    if (AIO__ASAN || AIO__ON_VALGRIND)
        skip(); /* every object is an allocation then */
    err = aio_run(exchange_again, &room, NULL);
    close(room.fds[0]);
    if (err < 0)
        fail_msg("%s", aio_error_text(err));
}

/* Some of this fails at any point. */
static int survive(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server *server = NULL;
    struct peer peer = {0};
    int err = start(room, &server);

    if (err == 0)
        err = peer_open(&peer, server);
    if (err == 0)
        err = peer_say(&peer, GET("/1") "POST /echo HTTP/1.1\r\nHost: x\r\n"
                                        "Content-Length: 5\r\n\r\nhello" GET("/pieces"));
    for (int i = 0; err == 0 && i < 3; i++)
        err = peer_hear(&peer, &answer);
    peer_close(&peer);
    room->reports = 0;
    if (server != NULL) {
        int stopped = site_stop(server);

        err = err < 0 ? err : stopped;
    }
    room->reports = 0;
    return err;
}

static void a_server_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(survive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_target_may_be_a_whole_url),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(an_answer_without_content_has_no_length),
        cmocka_unit_test(a_handler_that_fails_gives_500_and_the_server_goes_on),
        cmocka_unit_test(bodies_come_whole_and_in_chunks),
        cmocka_unit_test(a_large_body_is_read_piece_by_piece),
        cmocka_unit_test(a_client_that_expects_100_gets_it_when_the_body_is_read),
        cmocka_unit_test(a_body_nobody_read_is_dropped_or_ends_the_connection),
        cmocka_unit_test(answers_are_written_piece_by_piece),
        cmocka_unit_test(an_answer_that_is_not_whole_cuts_the_connection),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(connections_are_kept_as_the_client_wishes),
        cmocka_unit_test(a_client_that_goes_away_cancels_the_handler),
        cmocka_unit_test(a_server_that_stops_answers_what_it_has_begun),
        cmocka_unit_test(a_server_that_stops_cancels_handlers_that_hang),
        cmocka_unit_test(a_server_that_stops_waits_for_no_body_that_is_answered),
        cmocka_unit_test(servers_share_a_port),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
        cmocka_unit_test(a_request_like_the_last_one_costs_no_allocation),
        cmocka_unit_test(a_server_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
