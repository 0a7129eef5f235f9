/* SPDX-License-Identifier: MIT */
/*
 * test_http_tls.c - the server behind TLS
 */
#include "http/site.h"
#include "support/authority.h"

#include <stdio.h>

static struct answer answer;

static int echo(aio_http_request *request, void *arg)
{
    const void *data;
    size_t size;
    int err = aio_http_request_body(request, &data, &size);

    return err < 0 ? err : aio_http_respond(request, 200, "text/plain", data, size);
}

static int dial(struct peer *peer, const aio_http_server *server)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_tls_context) context = authority_client();

    *peer = (struct peer){0};
    options.host = "127.0.0.1";
    options.port = aio_http_server_port(server);
    options.ssl = context;
    options.server_hostname = "one.test";
    return aio_open_connection_with(&options, 0, &peer->reader, &peer->writer);
}

static int start(struct room *room, const char *certificate, aio_http_server **ret_server)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_tls_context) context = authority_server(certificate);

    options.tls = context;
    return site_start(echo, room, &options, ret_server);
}

static int ask(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    struct peer peer;

    TRY(start(arg, "one.pem", &server));
    TRY(dial(&peer, server));
    for (int i = 0; i < 3; i++) {
        TRY(peer_say(&peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
        TRY(peer_hear(&peer, &answer));
        CHECK_TEXT(answer.body, "hello");
    }
    TRY(peer_say(&peer, "GET / HTTP/1.1\nHost: x\r\n\r\n"));
    TRY(peer_hear(&peer, &answer));
    CHECK(answer.status == 400);
    CHECK(peer_hear_end(&peer) == 0);
    peer_close(&peer);
    return site_stop(server);
}

static void requests_are_answered_behind_tls(void **state)
{
    room_run(ask);
}

/* Who does not speak TLS takes up a connection for a while, and nothing else. */
static int ask_plainly(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    aio_http_server_stats stats = AIO_HTTP_SERVER_STATS_INIT;
    struct peer peer;

    TRY(start(arg, "one.pem", &server));
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    (void)peer_hear_end(&peer);
    peer_close(&peer);
    TRY(aio_http_server_get_stats(server, &stats));
    CHECK(stats.accepted == 1);
    CHECK(stats.requests == 0);
    return site_stop(server);
}

static void a_client_without_tls_gets_nowhere(void **state)
{
    room_run(ask_plainly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_behind_tls),
        cmocka_unit_test(a_client_without_tls_gets_nowhere),
    };

    return RUN_TESTS(tests, authority_make, authority_drop);
}
