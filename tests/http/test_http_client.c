/* SPDX-License-Identifier: MIT */
/*
 * test_http_client.c - sessions: credentials, cookies, and calls that are refused
 *
 * See test_http_client_request.c for what is sent, test_http_client_response.c for what comes back.
 */
#include "http/client_room.h"

/* --- credentials and cookies -------------------------------------------------------------- */

static int credentials(void *arg, void **ret_result)
{
    const char *host = service_info("ORIGIN") + strlen("http://");
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) plain = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    char url[200];
    int status = 0;

    TRY(fetch(plain, "GET", at("/basic"), NULL, &status, NULL));
    CHECK(status == 401);
    call.user = "user";
    call.password = "p@ss:word";
    TRY(fetch(plain, "GET", at("/basic"), &call, &status, NULL));
    CHECK(status == 200);
    (void)snprintf(url, sizeof(url), "http://user:p%%40ss%%3Aword@%s/basic", host);
    TRY(aio_http_get(plain, url, NULL, &response));
    CHECK(aio_http_response_status_code(response) == 200);
    CHECK_TEXT(aio_http_response_url(response), at("/basic"));

    options.base_url = at("/");
    options.user = "user";
    options.password = "p@ss:word";
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    TRY(fetch(session, "GET", "/basic", NULL, &status, NULL));
    CHECK(status == 200);
    (void)snprintf(url, sizeof(url), "http://localhost%s/basic", strrchr(host, ':'));
    TRY(fetch(session, "GET", url, NULL, &status, NULL));
    CHECK(status == 401);
    return 0;
}

static void credentials_come_from_the_call_the_url_or_the_session(void **state)
{
    room_run(credentials);
}

static int cookies(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_session) other = aio_http_session_new(NULL);
    char *value = NULL;
    int differs;

    TRY(said_is(session, "GET", "/set-cookie?name=value", NULL, "cookie", "name=value"));
    TRY(said_is(session, "GET", "/echo", NULL, "cookie", "name=value"));
    TRY(said_is(other, "GET", "/echo", NULL, "cookie", ""));
    TRY(aio_http_session_get_cookie(session, "name", &value));
    differs = strcmp(value, "value");
    aio_free(value);
    CHECK(differs == 0);
    CHECK_CODE(aio_http_session_get_cookie(session, "none", &value), AIO_EKEY);
    TRY(aio_http_session_set_cookie(session, at("/"), "name", "changed"));
    TRY(said_is(session, "GET", "/echo", NULL, "cookie", "name=changed"));
    TRY(aio_http_session_set_cookie(session, at("/"), "name", NULL));
    TRY(said_is(session, "GET", "/echo", NULL, "cookie", ""));
    TRY(aio_http_session_set_cookie(session, at("/"), "a", "1"));
    TRY(aio_http_session_clear_cookies(session));
    TRY(said_is(session, "GET", "/echo", NULL, "cookie", ""));
    CHECK_CODE(aio_http_session_set_cookie(session, at("/"), "a", "1\t2"), AIO_EVALUE);
    CHECK_CODE(aio_http_session_set_cookie(session, at("/"), "a=b", "1"), AIO_EVALUE);

    options.no_cookies = true;
    AIO_AUTO(aio_http_session) without = aio_http_session_new(&options);
    TRY(said_is(without, "GET", "/set-cookie?name=value", NULL, "cookie", ""));
    CHECK_CODE(aio_http_session_clear_cookies(without), AIO_ERUNTIME);
    return 0;
}

static void each_session_has_a_jar_of_cookies(void **state)
{
    room_run(cookies);
}

/* --- misuse and errors ------------------------------------------------------------------ */

static int misuse(void *arg, void **ret_result)
{
    static const aio_http_field two_lines[] = {{"X-A", "1\r\nX-B: 2"}};
    static const aio_http_field no_name[] = {{"X A", "1"}};
    static const aio_http_field length[] = {{"content-length", "1"}};
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *none = NULL;
    const char *const urls[] = {"",
                                "http://",
                                "/relative",
                                "ftp://host/",
                                "http://a b/",
                                "http://host:99999/",
                                "file:///etc/passwd",
                                "http://host\r\nX: y/"};

    for (size_t i = 0; i < COUNT_OF(urls); i++)
        CHECK_CODE(aio_http_get(session, urls[i], NULL, &none), AIO_EVALUE);
    CHECK_CODE(aio_http_get(session, NULL, NULL, &none), AIO_EVALUE);
    CHECK_CODE(aio_http_get(session, at("/"), NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_http_session_request(session, "GET /", at("/"), NULL, &none), AIO_EVALUE);
    CHECK_CODE(aio_http_session_request(session, NULL, at("/"), NULL, &none), AIO_EVALUE);
    call.headers = two_lines;
    call.header_count = 1;
    CHECK_CODE(aio_http_get(session, at("/"), &call, &none), AIO_EVALUE);
    call.headers = no_name;
    CHECK_CODE(aio_http_get(session, at("/"), &call, &none), AIO_EVALUE);
    call.headers = length;
    CHECK_CODE(aio_http_get(session, at("/"), &call, &none), AIO_EVALUE);
    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.json = "1";
    call.body = (aio_buffer){"1", 1};
    CHECK_CODE(aio_http_get(session, at("/"), &call, &none), AIO_EVALUE);
    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.total_timeout = -1;
    CHECK_CODE(aio_http_get(session, at("/"), &call, &none), AIO_EVALUE);
    call.size = 1;
    CHECK_CODE(aio_http_get(session, at("/"), &call, &none), AIO_EVALUE);
    CHECK(none == NULL);
    CHECK_CODE(aio_http_response_read(NULL, NULL), AIO_EVALUE);
    CHECK(aio_http_response_status_code(NULL) == 0 && aio_http_response_url(NULL) == NULL);
    aio_http_session_close(session);
    CHECK_CODE(aio_http_get(session, at("/"), NULL, &none), AIO_ECLOSED);
    aio_http_session_close(session);
    CHECK(aio_http_session_is_closed(session));
    return 0;
}

static void wrong_calls_are_refused(void **state)
{
    room_run(misuse);
}

static int no_session(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_response *none = NULL;

    options.proxy = "gopher://host";
    CHECK(aio_http_session_new(&options) == NULL);
    CHECK_CODE(aio_http_get(NULL, at("/"), NULL, &none), AIO_EVALUE);
    options.proxy = NULL;
    options.base_url = "not a url";
    CHECK(aio_http_session_new(&options) == NULL);
    options.base_url = NULL;
    options.read_timeout = -1;
    CHECK(aio_http_session_new(&options) == NULL);
    CHECK_CODE(aio_http_session_exit(NULL, 0), AIO_EVALUE);
    CHECK_CODE(aio_http_session_exit(NULL, AIO_ECANCELLED), AIO_ECANCELLED);
    return 0;
}

static void a_session_that_could_not_be_made_is_accepted_by_all(void **state)
{
    room_run(no_session);
}

static void outside_a_task_nothing_is_sent(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    aio_http_session *session;
    aio_http_response *none = NULL;

    aio_set_event_loop(loop);
    session = aio_http_session_new(NULL);
    assert_non_null(session);
    assert_int_equal(aio_http_get(session, "http://127.0.0.1/", NULL, &none), AIO_ENOTASK);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_http_session_unref(session);
    aio_set_event_loop(NULL);
    aio_loop_unref(loop);
}

static int name_errors(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {AIO_HTTP_ESTATUS, "ClientResponseError"},
        {AIO_HTTP_EREDIRECT, "TooManyRedirects"},
        {AIO_HTTP_EPROTOCOL, "ServerConnectionError"},
        {AIO_HTTP_EPAYLOAD, "ClientPayloadError"},
        {AIO_HTTP_ETOOLARGE, "ClientTooLargeError"},
        {AIO_HTTP_ECONTENTTYPE, "ContentTypeError"},
        {AIO_HTTP_EPROXY, "ClientProxyConnectionError"},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CHECK_TEXT(aio_error_name(names[i].code), names[i].name);
        CHECK(aio_error_is(names[i].code, AIO_HTTP_ECLIENT));
    }
    CHECK(!aio_error_is(AIO_ETIMEDOUT, AIO_HTTP_ECLIENT));
    return 0;
}

static void errors_have_the_names_of_aiohttp(void **state)
{
    room_run(name_errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outside_a_task_nothing_is_sent, count_allocations,
                                        check_allocations),
        cmocka_unit_test(credentials_come_from_the_call_the_url_or_the_session),
        cmocka_unit_test(each_session_has_a_jar_of_cookies),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(a_session_that_could_not_be_made_is_accepted_by_all),
        cmocka_unit_test(errors_have_the_names_of_aiohttp),
    };
    int status = services_start("origin");

    return status != 0 ? status : RUN_TESTS(tests, NULL, NULL);
}
