/* SPDX-License-Identifier: MIT */
/*
 * test_http_client_tls.c - https, HTTP/2 and proxies, with nginx and an authority of our own
 */
#include "http/client_room.h"
#include "support/cancelling.h"

#include <aio/aio.h>

static aio_http_session_options trusting(void)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;

    options.ca_file = service_info("CA");
    return options;
}

/* Get a path of a service, and read it: the status and version. */
static int visit(aio_http_session *session, const char *name, const char *path,
                 const aio_http_request_options *call, int *ret_status,
                 aio_http_version *ret_version)
{
    AIO_AUTO(aio_http_response) response = NULL;

    TRY(aio_http_get(session, url_of(name, path), call, &response));
    TRY(aio_http_response_read(response, NULL));
    if (ret_status != NULL)
        *ret_status = aio_http_response_status_code(response);
    if (ret_version != NULL)
        *ret_version = aio_http_response_version(response);
    return 0;
}

/* --- trust ------------------------------------------------------------------------------ */

static int trust(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) plain = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_session) trusts = aio_http_session_new(&options);
    int status = 0;

    CHECK_CODE(visit(plain, "NGINX", "/small", NULL, NULL, NULL), AIO_ESSLCERT);
    CHECK(strstr(aio_error_text(AIO_ESSLCERT), "Cannot connect to host https://localhost:") !=
          NULL);
    CHECK_CODE(visit(trusts, "NGINX", "/small", NULL, &status, NULL), 0);
    CHECK(status == 200);
    CHECK_CODE(visit(trusts, "OTHER", "/small", NULL, NULL, NULL), AIO_ESSLCERT);
    call.insecure = true;
    CHECK_CODE(visit(plain, "NGINX", "/small", &call, &status, NULL), 0);
    CHECK_CODE(visit(trusts, "OTHER", "/small", &call, NULL, NULL), 0);
    /* A connection that was not verified is not used for who wants that. */
    CHECK_CODE(visit(plain, "NGINX", "/small", NULL, NULL, NULL), AIO_ESSLCERT);
    options.ca_file = "/nowhere.pem";
    AIO_AUTO(aio_http_session) broken = aio_http_session_new(&options);
    CHECK_CODE(visit(broken, "NGINX", "/small", NULL, NULL, NULL), AIO_ESSL);
    CHECK_CODE(visit(broken, "ORIGIN", "/small", NULL, NULL, NULL), 0);
    return 0;
}

static void a_server_is_trusted_if_its_authority_is(void **state)
{
    room_run(trust);
}

static int mutual(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    AIO_AUTO(aio_http_session) without = aio_http_session_new(&options);
    int status = 0;

    CHECK_CODE(visit(without, "MUTUAL", "/small", NULL, &status, NULL), 0);
    CHECK(status == 400);
    options.cert_file = service_info("CERT");
    options.key_file = service_info("KEY");
    AIO_AUTO(aio_http_session) with = aio_http_session_new(&options);
    CHECK_CODE(visit(with, "MUTUAL", "/small", NULL, &status, NULL), 0);
    CHECK(status == 200);
    options.key_file = service_info("CA");
    AIO_AUTO(aio_http_session) wrong = aio_http_session_new(&options);
    CHECK_CODE(visit(wrong, "MUTUAL", "/small", NULL, &status, NULL), AIO_ESSL);
    return 0;
}

static void a_session_has_a_certificate_of_its_own(void **state)
{
    room_run(mutual);
}

static int no_tls_there(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *none = NULL;
    char url[100];

    (void)snprintf(url, sizeof(url), "https%s/", service_info("ORIGIN") + strlen("http"));
    CHECK_CODE(aio_http_get(session, url, NULL, &none), AIO_ESSL);
    return 0;
}

static void a_server_without_tls_is_told_apart(void **state)
{
    room_run(no_tls_there);
}

/* --- HTTP/2 ----------------------------------------------------------------------------- */

static int versions(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    aio_http_version version = AIO_HTTP_BEST;
    AIO_AUTO(aio_http_session) best = aio_http_session_new(&options);

    TRY(visit(best, "NGINX", "/small", NULL, NULL, &version));
    CHECK(version == AIO_HTTP_2);
    TRY(visit(best, "NGINX1", "/small", NULL, NULL, &version));
    CHECK(version == AIO_HTTP_1_1);
    options.version = AIO_HTTP_1_1;
    AIO_AUTO(aio_http_session) old = aio_http_session_new(&options);
    TRY(visit(old, "NGINX", "/small", NULL, NULL, &version));
    CHECK(version == AIO_HTTP_1_1);
    return 0;
}

static void the_best_version_of_both_is_spoken(void **state)
{
    room_run(versions);
}

static int ask(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_response) response = NULL;
    const char *text = NULL;

    TRY(aio_http_get(arg, url_of("NGINX", "/www.baidu.com"), NULL, &response));
    TRY(aio_http_response_text(response, &text));
    CHECK(strncmp(text, "<html>百度一下", strlen("<html>百度一下")) == 0);
    CHECK_TEXT(aio_http_response_header(response, "Content-Encoding"), "gzip");
    return 0;
}

static int multiplexed(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    aio_http_session_stats stats = {.size = sizeof(stats)};
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    AIO_AUTO(aio_http_response) half = NULL;
    aio_task *tasks[30];
    int err = 0;

    /* A stream that stands still, and one that is given up, are in nobody's way. */
    TRY(aio_http_get(session, url_of("NGINX", "/endless"), NULL, &half));
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_create_task(ask, session);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        int one = aio_await(tasks[i], NULL);

        err = err < 0 ? err : one;
        aio_future_unref(tasks[i]);
    }
    TRY(err);
    aio_http_response_unref(half);
    half = NULL;
    TRY(visit(session, "NGINX", "/small", NULL, NULL, NULL));
    TRY(aio_http_session_get_stats(session, &stats));
    CHECK(stats.opened == 1 && stats.connections == 1 && stats.active == 0);
    CHECK(stats.requests == 32);
    return 0;
}

static void many_requests_share_a_connection_of_http_2(void **state)
{
    room_run(multiplexed);
}

static int over_http_2(void *arg, void **ret_result)
{
    static const struct {
        const char *path;
        int code;
    } cases[] = {
        {"/cut", AIO_HTTP_EPAYLOAD}, {"/half-stall", AIO_ETIMEDOUT}, {"/stall", AIO_ETIMEDOUT}};
    aio_http_session_options options = trusting();
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;

    call.read_timeout = 0.1;
    call.max_body = 1000000;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK_CODE(visit(session, "NGINX", cases[i].path, &call, NULL, NULL), cases[i].code);
    call.read_timeout = 0;
    CHECK_CODE(visit(session, "NGINX", "/bomb", &call, NULL, NULL), AIO_HTTP_ETOOLARGE);
    CHECK_CODE(visit(session, "NGINX", "/small", NULL, NULL, NULL), 0);
    return 0;
}

static void streams_of_http_2_fail_alone(void **state)
{
    room_run(over_http_2);
}

static int upload(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    AIO_AUTO(aio_http_response) response = NULL;
    static char data[300000];
    json_t *said = NULL;
    size_t length;

    memset(data, 'y', sizeof(data));
    call.body = (aio_buffer){data, sizeof(data)};
    TRY(aio_http_put(session, url_of("NGINX", "/echo"), &call, &response));
    TRY(aio_http_response_json(response, &said));
    length = strlen(said_of(said, "body"));
    json_decref(said);
    CHECK(length == sizeof(data));
    return 0;
}

static void a_body_is_sent_over_http_2(void **state)
{
    room_run(upload);
}

/* --- cancelling --------------------------------------------------------------------------- */

static int ask_anew(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);

    return ask(session, ret_result);
}

static int cancel_everywhere(void *arg, void **ret_result)
{
    unsigned points = 0;

    TRY(cancel_at_each_point(ask_anew, NULL, &points));
    CHECK(points > 2);
    return 0;
}

static void cancelling_at_any_point_of_a_handshake_leaves_nothing(void **state)
{
    room_run(cancel_everywhere);
}

/* --- proxies ---------------------------------------------------------------------------- */

static int count_of(aio_http_session *session, const char *what, long *ret_count)
{
    AIO_AUTO(aio_http_response) response = NULL;
    char url[100];
    json_t *said = NULL;

    (void)snprintf(url, sizeof(url), "http://%s/counts", service_info("PROXY"));
    TRY(aio_http_get(session, url, NULL, &response));
    TRY(aio_http_response_json(response, &said));
    *ret_count = (long)json_integer_value(json_object_get(said, what));
    json_decref(said);
    return 0;
}

/* A request through the proxy, and what it counts. */
static int through(aio_http_session *direct, const char *proxy, const char *name,
                   const char *counts)
{
    aio_http_session_options options = trusting();
    char url[200];
    long before = 0;
    long after = 0;
    int status = 0;

    (void)snprintf(url, sizeof(url), "%s%s", proxy, service_info("PROXY"));
    options.proxy = url;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    TRY(count_of(direct, counts, &before));
    TRY(visit(session, name, "/www.baidu.com", NULL, &status, NULL));
    TRY(count_of(direct, counts, &after));
    CHECK(status == 200 && after == before + 1);
    return 0;
}

static int proxies(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) direct = aio_http_session_new(NULL);

    TRY(through(direct, "http://user:p%40ss%3Aword@", "ORIGIN", "forward"));
    TRY(through(direct, "http://user:p%40ss%3Aword@", "NGINX", "connect"));
    TRY(through(direct, "socks5://user:p%40ss%3Aword@", "ORIGIN", "socks"));
    TRY(through(direct, "socks5h://user:p%40ss%3Aword@", "NGINX", "names"));
    return 0;
}

static void requests_go_through_proxies(void **state)
{
    room_run(proxies);
}

static int refusing_proxies(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    static const char *const schemes[] = {"http", "socks5"};
    char url[200];

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        (void)snprintf(url, sizeof(url), "%s://user:wrongsecret@%s", schemes[i],
                       service_info("PROXY"));
        call.proxy = url;
        CHECK_CODE(visit(session, "NGINX", "/small", &call, NULL, NULL), AIO_HTTP_EPROXY);
        CHECK(strstr(aio_error_text(AIO_HTTP_EPROXY), "wrongsecret") == NULL);
    }
    call.proxy = "http://127.0.0.1:1";
    CHECK_CODE(visit(session, "NGINX", "/small", &call, NULL, NULL), -ECONNREFUSED);
    call.proxy = "";
    CHECK_CODE(visit(session, "NGINX", "/small", &call, NULL, NULL), 0);
    return 0;
}

static void a_proxy_that_refuses_has_its_own_code(void **state)
{
    room_run(refusing_proxies);
}

static int environment(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);

    CHECK_CODE(visit(session, "ORIGIN", "/small", NULL, NULL, NULL), 0);
    return 0;
}

static void the_environment_names_no_proxy(void **state)
{
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    room_run(environment);
    (void)unsetenv("http_proxy");
}

/* --- the loop goes on ----------------------------------------------------------------------- */

static int stack_used(void *arg, void **ret_result)
{
    aio_http_session_options options = trusting();
    aio_http_session *session = aio_http_session_new(&options);

    TRY(visit(session, "NGINX", "/www.pythonav.com", NULL, NULL, NULL));
    aio_http_session_unref(session); /* with a connection of TLS to end */
    return 0;
}

static void a_small_stack_is_enough(void **state)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_loop *loop;
    aio_task *task;
    int err;

    options.measure_stacks = true;
    loop = aio_loop_new(&options);
    task = aio_loop_create_task(loop, stack_used, NULL, NULL);
    err = aio_loop_run_until_complete(loop, task, NULL);
    if (err < 0)
        print_error("%s\n", aio_error_text(err));
    assert_int_equal(err, 0);
    print_message("stack used: %zu\n", aio_task_get_stack_used(task));
    assert_true(aio_task_get_stack_used(task) < 32768);
    aio_future_unref(task);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_trusted_if_its_authority_is),
        cmocka_unit_test(a_session_has_a_certificate_of_its_own),
        cmocka_unit_test(a_server_without_tls_is_told_apart),
        cmocka_unit_test(the_best_version_of_both_is_spoken),
        cmocka_unit_test(many_requests_share_a_connection_of_http_2),
        cmocka_unit_test(streams_of_http_2_fail_alone),
        cmocka_unit_test(a_body_is_sent_over_http_2),
        cmocka_unit_test(cancelling_at_any_point_of_a_handshake_leaves_nothing),
        cmocka_unit_test(requests_go_through_proxies),
        cmocka_unit_test(a_proxy_that_refuses_has_its_own_code),
        cmocka_unit_test(the_environment_names_no_proxy),
        cmocka_unit_test(a_small_stack_is_enough),
    };
    int status = services_start("origin nginx nginx1 mutual other proxy");

    return status != 0 ? status : RUN_TESTS(tests, NULL, NULL);
}
