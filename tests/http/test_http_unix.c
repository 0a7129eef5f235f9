/* SPDX-License-Identifier: MIT */
/*
 * test_http_unix.c - HTTP by unix sockets: our server and our client
 */
#include "http/site.h"
#include "support/allocation.h"

#include <aio/http_client.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path_of_ours(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-http-%ld", (long)getpid());
    return path;
}

/* Say which host was asked for, and who asks. */
static int describe(aio_http_request *request, void *arg)
{
    char text[200];
    const char *host = aio_http_request_header(request, "host");
    int size = snprintf(text, sizeof(text), "%s %s from '%s'", host == NULL ? "-" : host,
                        aio_http_request_target(request), aio_http_request_client(request));

    return aio_http_respond(request, 200, "text/plain", text, (size_t)size);
}

static int start(aio_http_server **ret_server)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;

    options.path = path_of_ours();
    return aio_http_server_start(describe, NULL, &options, ret_server);
}

static aio_http_session *open_session(void)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;

    options.unix_path = path_of_ours();
    return aio_http_session_new(&options);
}

static int ask(aio_http_session *session, const char *url, char *answer, size_t size)
{
    AIO_AUTO(aio_http_response) response = NULL;
    const char *text;

    TRY(aio_http_get(session, url, NULL, &response));
    TRY(aio_http_response_text(response, &text));
    (void)snprintf(answer, size, "%s", text);
    return 0;
}

static int talk(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = open_session();
    aio_http_session_stats stats = AIO_HTTP_SESSION_STATS_INIT;
    aio_http_server *server = NULL;
    char answer[200];

    TRY(start(&server));
    CHECK(aio_http_server_port(server) == 0);
    TRY(ask(session, "http://no.such.name/a?b", answer, sizeof(answer)));
    CHECK_TEXT(answer, "no.such.name /a?b from ''");
    TRY(ask(session, "http://no.such.name/", answer, sizeof(answer)));
    TRY(aio_http_session_get_stats(session, &stats));
    CHECK(stats.opened == 1 && stats.requests == 2);
    aio_http_session_close(session);
    TRY(site_stop(server));
    CHECK(access(path_of_ours(), F_OK) != 0);
    return 0;
}

static void a_session_asks_by_way_of_a_path_whatever_the_host(void **state)
{
    room_run(talk);
}

static int talk_if_we_can(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = open_session();
    aio_http_server *server = NULL;
    char answer[200];
    int err = start(&server);

    if (err == 0)
        err = ask(session, "http://name/", answer, sizeof(answer));
    aio_http_session_close(session);
    if (server != NULL) {
        int stopped = site_stop(server);

        err = err < 0 ? err : stopped;
    }
    return err;
}

static void all_of_it_survives_every_shortage_of_memory(void **state)
{
    room_run_starved(talk_if_we_can);
    assert_int_not_equal(access(path_of_ours(), F_OK), 0);
}

/* What a process that was killed has left. */
static int leave_a_socket(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path_of_ours());
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
    close(fd);
    return 0;
}

static int replace(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = open_session();
    aio_http_server *server = NULL;
    char answer[200];

    CHECK_CODE(ask(session, "http://name/", answer, sizeof(answer)), -ENOENT);
    TRY(leave_a_socket());
    CHECK_CODE(ask(session, "http://name/", answer, sizeof(answer)), -ECONNREFUSED);
    TRY(start(&server));
    TRY(ask(session, "http://name/", answer, sizeof(answer)));
    aio_http_session_close(session);
    return site_stop(server);
}

static void a_file_that_was_left_is_replaced(void **state)
{
    room_run(replace);
}

/* --- wrong options --------------------------------------------------------------------- */

static int contradict(void *arg, void **ret_result)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server *server = NULL;

    options.path = path_of_ours();
    options.port = 80;
    CHECK_CODE(aio_http_server_start(describe, NULL, &options, &server), AIO_EVALUE);
    options.port = 0;
    options.host = "127.0.0.1";
    CHECK_CODE(aio_http_server_start(describe, NULL, &options, &server), AIO_EVALUE);
    options.host = NULL;
    options.sock = 0;
    CHECK_CODE(aio_http_server_start(describe, NULL, &options, &server), AIO_EVALUE);
    options.sock = -1;
    options.path = "/not/there/at/all";
    CHECK_CODE(aio_http_server_start(describe, NULL, &options, &server), -ENOENT);
    CHECK(server == NULL);
    return 0;
}

static void a_path_beside_another_address_is_refused(void **state)
{
    room_run(contradict);
}

static int refuse_sessions(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = open_session();
    aio_http_response *response = NULL;
    char longest[109];

    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    options.unix_path = longest;
    CHECK(aio_http_session_new(&options) == NULL);
    options.unix_path = "";
    CHECK(aio_http_session_new(&options) == NULL);
    options.unix_path = path_of_ours();
    options.proxy = "http://127.0.0.1:1";
    CHECK(aio_http_session_new(&options) == NULL);
    call.proxy = options.proxy;
    CHECK_CODE(aio_http_get(session, "http://name/", &call, &response), AIO_EVALUE);
    return 0;
}

static void a_session_of_no_path_or_with_a_proxy_is_refused(void **state)
{
    room_run(refuse_sessions);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_asks_by_way_of_a_path_whatever_the_host),
        TEST(all_of_it_survives_every_shortage_of_memory),
        TEST(a_file_that_was_left_is_replaced),
        TEST(a_path_beside_another_address_is_refused),
        TEST(a_session_of_no_path_or_with_a_proxy_is_refused),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
