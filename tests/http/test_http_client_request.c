/* SPDX-License-Identifier: MIT */
/*
 * test_http_client_request.c - what is sent, with a server that says what it got
 *
 * Methods, headers, queries and bodies, and what becomes of them at a redirect.
 */
#include "http/client_room.h"

/* --- methods, headers, queries ---------------------------------------------------------- */

static int all_methods(void *arg, void **ret_result)
{
    typedef int (*method_fn)(aio_http_session *, const char *, const aio_http_request_options *,
                             aio_http_response **);
    static const struct {
        const char *name;
        method_fn fn;
    } methods[] = {{"GET", aio_http_get},       {"POST", aio_http_post},
                   {"PUT", aio_http_put},       {"PATCH", aio_http_patch},
                   {"DELETE", aio_http_delete}, {"OPTIONS", aio_http_options}};
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) head = NULL;
    aio_buffer body;

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        AIO_AUTO(aio_http_response) response = NULL;
        json_t *said = NULL;
        bool same;

        TRY(methods[i].fn(session, at("/echo"), NULL, &response));
        TRY(aio_http_response_json(response, &said));
        same = strcmp(said_of(said, "method"), methods[i].name) == 0;
        json_decref(said);
        CHECK(same);
    }
    TRY(aio_http_head(session, at("/gzip"), NULL, &head));
    CHECK_TEXT(aio_http_response_method(head), "HEAD");
    CHECK_CODE(aio_http_response_read(head, &body), 0);
    CHECK(body.size == 0 && aio_http_response_status_code(head) == 200);
    return 0;
}

static void every_method_reaches_the_server(void **state)
{
    room_run(all_methods);
}

static int headers(void *arg, void **ret_result)
{
    static const aio_http_field of_session[] = {{"X-One", "session"}, {"X-Two", "session"}};
    static const aio_http_field own[] = {{"x-two", "call"}, {"X-Empty", ""}};
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;

    options.headers = of_session;
    options.header_count = COUNT_OF(of_session);
    call.headers = own;
    call.header_count = COUNT_OF(own);
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    TRY(said_is(session, "GET", "/echo", &call, "x-one", "session"));
    TRY(said_is(session, "GET", "/echo", &call, "x-two", "call"));
    TRY(said_is(session, "GET", "/echo", &call, "x-empty", ""));
    TRY(said_is(session, "GET", "/echo", &call, "accept-encoding", "gzip, deflate" BROTLI ZSTD));
    TRY(said_is(session, "GET", "/echo", NULL, "x-two", "session"));
    return 0;
}

static void headers_of_the_call_go_before_those_of_the_session(void **state)
{
    room_run(headers);
}

static int params(void *arg, void **ret_result)
{
    static const aio_http_field some[] = {{"q", "a b&c=d"}, {"name", "循环"}, {"q", ""}};
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;

    call.params = some;
    call.param_count = COUNT_OF(some);
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    TRY(said_is(session, "GET", "/echo?x=1#part", &call, "path",
                "/echo?x=1&q=a+b%26c%3dd&name=%e5%be%aa%e7%8e%af&q="));
    TRY(said_is(session, "GET", "/echo", &call, "path",
                "/echo?q=a+b%26c%3dd&name=%e5%be%aa%e7%8e%af&q="));
    TRY(said_is(session, "GET", "/echo/协 程", NULL, "path", "/echo/%e5%8d%8f%20%e7%a8%8b"));
    return 0;
}

static void params_are_added_to_the_query_encoded(void **state)
{
    room_run(params);
}

/* --- bodies ----------------------------------------------------------------------------- */

static int bodies(void *arg, void **ret_result)
{
    static const aio_http_field form[] = {{"a b", "1&2"}, {"name", "é"}};
    static const aio_http_field typed[] = {{"Content-Type", "text/x-test"}};
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;

    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    call.body = (aio_buffer){"some bytes", 10};
    TRY(said_is(session, "POST", "/echo", &call, "body", "some bytes"));
    TRY(said_is(session, "PUT", "/echo", &call, "content-type", "application/octet-stream"));
    TRY(said_is(session, "PUT", "/echo", &call, "content-length", "10"));
    TRY(said_is(session, "GET", "/echo", &call, "body", "some bytes"));
    call.headers = typed;
    call.header_count = 1;
    TRY(said_is(session, "POST", "/echo", &call, "content-type", "text/x-test"));

    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.json = "{\"a\": 1}";
    TRY(said_is(session, "POST", "/echo", &call, "body", "{\"a\": 1}"));
    TRY(said_is(session, "PATCH", "/echo", &call, "content-type", "application/json"));

    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.form = form;
    call.form_count = COUNT_OF(form);
    TRY(said_is(session, "POST", "/echo", &call, "body", "a+b=1%262&name=%C3%A9"));
    TRY(said_is(session, "POST", "/echo", &call, "content-type",
                "application/x-www-form-urlencoded"));
    TRY(said_is(session, "POST", "/echo", NULL, "content-length", "0"));
    TRY(said_is(session, "POST", "/echo", NULL, "content-type", ""));
    return 0;
}

static void a_body_is_bytes_json_or_a_form(void **state)
{
    room_run(bodies);
}

static int multipart(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_form) form = aio_http_form_new();
    char boundary[60] = "";
    char wanted[1000];
    json_t *said = NULL;
    int differs;

    CHECK_CODE(aio_http_form_add(form, "field", "value"), 0);
    CHECK_CODE(aio_http_form_add_file(form, "file \"x\"", "a\r\nb.txt", "text/plain",
                                      (aio_buffer){"one\r\ntwo", 8}),
               0);
    CHECK_CODE(aio_http_form_add(form, NULL, "value"), AIO_EVALUE);
    CHECK_CODE(aio_http_form_add_file(form, "a", "b", "text/plain\r\nX: y", (aio_buffer){0}),
               AIO_EVALUE);
    call.multipart = form;
    TRY(echo(session, "POST", "/echo", &call, &said));
    (void)sscanf(said_of(said, "content-type"), "multipart/form-data; boundary=%59s", boundary);
    (void)snprintf(wanted, sizeof(wanted),
                   "--%s\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n"
                   "--%s\r\nContent-Disposition: form-data; name=\"file %%22x%%22\"; "
                   "filename=\"a%%0D%%0Ab.txt\"\r\nContent-Type: text/plain\r\n\r\none\r\ntwo\r\n"
                   "--%s--\r\n",
                   boundary, boundary, boundary);
    differs = strcmp(said_of(said, "body"), wanted);
    json_decref(said);
    CHECK(strlen(boundary) == 32 && differs == 0);
    return 0;
}

static void a_form_of_several_parts_has_a_line_between_them(void **state)
{
    room_run(multipart);
}

/* A file of 200000 bytes of letters. */
static int make_file(char *path)
{
    static char content[200000];
    int fd = mkstemp(path);

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)('a' + i % 23);
    CHECK(fd >= 0 && write(fd, content, sizeof(content)) == (ssize_t)sizeof(content));
    CHECK(close(fd) == 0);
    return 0;
}

/* Whether what was sent is the form of send_files(). */
static bool is_whole_form(const char *body)
{
    char boundary[40] = "";
    char head[500];
    char end[200];
    const char *file;
    size_t size;

    (void)sscanf(body, "--%32[0-9a-f]", boundary);
    size =
        (size_t)snprintf(head, sizeof(head),
                         "--%s\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--%s\r\n"
                         "Content-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n"
                         "Content-Type: text/plain\r\n\r\n",
                         boundary, boundary);
    (void)snprintf(end, sizeof(end),
                   "\r\n--%s\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n"
                   "2\r\n--%s--\r\n",
                   boundary, boundary);
    if (strncmp(body, head, size) != 0)
        return false;
    file = body + size;
    for (size_t i = 0; i < 200000; i++) {
        if (file[i] != (char)('a' + i % 23))
            return false;
    }
    return strcmp(file + 200000, end) == 0;
}

static int send_files(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_form) form = aio_http_form_new();
    AIO_AUTO(aio_http_form) none = aio_http_form_new();
    aio_http_response *no_response = NULL;
    char path[] = "/tmp/aioc-form-XXXXXX";
    const char *const targets[] = {"/echo", "/again"};
    bool is_whole = true;
    bool is_counted = true;

    TRY(make_file(path));
    CHECK_CODE(aio_http_form_add(form, "a", "1"), 0);
    CHECK_CODE(aio_http_form_add_path(form, "f", path, "f.txt", "text/plain"), 0);
    CHECK_CODE(aio_http_form_add(form, "b", "2"), 0);
    CHECK_CODE(aio_http_form_add_path(form, "f", NULL, NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_http_form_add_path(form, "f", path, NULL, "a\nb"), AIO_EVALUE);
    call.multipart = form;
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        json_t *said = NULL;

        TRY(echo(session, "POST", targets[i], &call, &said));
        is_whole = is_whole && is_whole_form(said_of(said, "body"));
        is_counted = is_counted && strtoul(said_of(said, "content-length"), NULL, 10) ==
                                       strlen(said_of(said, "body"));
        json_decref(said);
    }
    (void)unlink(path);
    CHECK(is_whole && is_counted);
    CHECK_CODE(aio_http_post(session, at("/echo"), &call, &no_response), -ENOENT);
    CHECK(strstr(aio_error_text(-ENOENT), "cannot read /tmp/aioc-form-") != NULL);
    CHECK_CODE(aio_http_form_add_path(none, "f", "/tmp", NULL, NULL), 0);
    call.multipart = none;
    CHECK_CODE(aio_http_post(session, at("/echo"), &call, &no_response), -EISDIR);
    return 0;
}

static void a_form_sends_files_of_the_disk_as_it_reads_them(void **state)
{
    room_run(send_files);
}

/* Pieces of growing size, "0", "11", "222", ... */
struct pieces {
    aio_iterator base;
    aio_buffer item;
    size_t count;
    size_t most;
    char text[32];
    int ends_with; /* AIO_ESTOP, or an error */
};

static int next_piece(aio_iterator *iterator, void **ret_item)
{
    struct pieces *self = (struct pieces *)iterator;

    if (self->count == self->most)
        return self->ends_with == AIO_ESTOP ? AIO_ESTOP
                                            : aio_raise(self->ends_with, "no more pieces");
    TRY(aio_sleep(0));
    memset(self->text, (int)('0' + self->count), self->count + 1);
    self->item = (aio_buffer){self->text, ++self->count};
    *ret_item = &self->item;
    return 0;
}

static const aio_iterator_ops pieces_ops = {.size = sizeof(pieces_ops), .next = next_piece};

static int stream_up(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    struct pieces pieces = {{&pieces_ops}, .most = 4, .ends_with = AIO_ESTOP};
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);

    call.stream = &pieces.base;
    TRY(said_is(session, "POST", "/echo", &call, "body", "0112223333"));
    pieces.count = 0;
    TRY(said_is(session, "PUT", "/echo", &call, "transfer-encoding", "chunked"));
    pieces.count = 0;
    call.stream_size = 10;
    TRY(said_is(session, "PUT", "/echo", &call, "content-length", "10"));
    pieces.count = 0;
    TRY(said_is(session, "PUT", "/echo", &call, "body", "0112223333"));
    pieces.most = 0; /* of a server's and a client's view: nothing */
    pieces.count = 0;
    call.stream_size = 0;
    TRY(said_is(session, "POST", "/echo", &call, "body", ""));
    return 0;
}

static void a_body_can_be_streamed(void **state)
{
    room_run(stream_up);
}

static int large_up(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    size_t size = 1000000;
    char *data = malloc(size);
    json_t *said = NULL;
    int err;

    if (data == NULL)
        return AIO_ENOMEM;
    memset(data, 'x', size);
    call.body = (aio_buffer){data, size};
    err = echo(session, "POST", "/echo", &call, &said);
    if (err == 0 && strlen(said_of(said, "body")) != size)
        err = AIO_EASSERTION;
    json_decref(said);
    free(data);
    return err;
}

static void a_large_body_is_sent_whole(void **state)
{
    room_run(large_up);
}

/* --- redirects -------------------------------------------------------------------------- */

static int redirects(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) followed = NULL;
    AIO_AUTO(aio_http_response) plain = NULL;
    AIO_AUTO(aio_http_response) none = NULL;
    AIO_AUTO(aio_http_response) head = NULL;

    TRY(aio_http_get(session, at("/redirect/3"), NULL, &followed));
    CHECK(aio_http_response_redirects(followed) == 3);
    CHECK_TEXT(aio_http_response_url(followed), at("/echo"));
    call.no_redirects = true;
    TRY(aio_http_get(session, at("/redirect/3"), &call, &plain));
    CHECK(aio_http_response_status_code(plain) == 302);
    CHECK_TEXT(aio_http_response_header(plain, "Location"), "/redirect/2");
    TRY(aio_http_head(session, at("/redirect/1"), NULL, &head));
    CHECK(aio_http_response_status_code(head) == 302);
    call.no_redirects = false;
    call.max_redirects = 2;
    CHECK_CODE(aio_http_get(session, at("/redirect/3"), &call, &none), AIO_HTTP_EREDIRECT);
    CHECK_CODE(aio_http_get(session, at("/redirect-loop"), NULL, &none), AIO_HTTP_EREDIRECT);
    CHECK_CODE(aio_http_get(session, at("/redirect-to?ftp://x/"), NULL, &none), AIO_HTTP_EREDIRECT);
    CHECK(none == NULL);
    return 0;
}

static void redirects_are_followed_up_to_a_limit(void **state)
{
    room_run(redirects);
}

static int redirected_bodies(void *arg, void **ret_result)
{
    struct pieces pieces = {{&pieces_ops}, .most = 4, .ends_with = AIO_ESTOP};
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) none = NULL;

    call.body = (aio_buffer){"again", 5};
    TRY(said_is(session, "POST", "/redirect-to?/echo", &call, "body", "again")); /* 307 */
    TRY(said_is(session, "POST", "/redirect-to?/echo", &call, "method", "POST"));
    TRY(said_is(session, "POST", "/redirect/1", &call, "method", "GET")); /* 302 */
    TRY(said_is(session, "POST", "/redirect/1", &call, "body", ""));
    TRY(said_is(session, "POST", "/redirect/1", &call, "content-type", ""));
    TRY(said_is(session, "PUT", "/redirect/1", &call, "method", "PUT"));
    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.stream = &pieces.base;
    CHECK_CODE(aio_http_post(session, at("/redirect-to?/echo"), &call, &none), AIO_HTTP_EREDIRECT);
    return 0;
}

static void a_redirect_changes_method_and_body_by_its_status(void **state)
{
    room_run(redirected_bodies);
}

static int secrets(void *arg, void **ret_result)
{
    static const aio_http_field secret[] = {
        {"Authorization", "Bearer secret"}, {"Cookie", "a=secret"}, {"X-Other", "public"}};
    static const aio_http_field cookie[] = {{"session", "secret"}};
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    char elsewhere[200];
    const char *names[] = {"authorization", "cookie"};

    /* Another origin: the same server by another name. */
    (void)snprintf(elsewhere, sizeof(elsewhere), "/redirect-to?http://localhost%s/echo",
                   strrchr(service_info("ORIGIN"), ':'));
    call.headers = secret;
    call.header_count = COUNT_OF(secret);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        TRY(said_is(session, "GET", elsewhere, &call, names[i], ""));
    TRY(said_is(session, "GET", elsewhere, &call, "x-other", "public"));
    TRY(said_is(session, "GET", "/redirect-to?/echo", &call, "authorization", "Bearer secret"));
    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.user = "user";
    call.password = "secret";
    call.cookies = cookie;
    call.cookie_count = 1;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        TRY(said_is(session, "GET", elsewhere, &call, names[i], ""));
    TRY(said_is(session, "GET", "/redirect-to?/echo", &call, "cookie", "session=secret"));
    return 0;
}

static void secrets_are_not_sent_on_to_another_origin(void **state)
{
    room_run(secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_reaches_the_server),
        cmocka_unit_test(headers_of_the_call_go_before_those_of_the_session),
        cmocka_unit_test(params_are_added_to_the_query_encoded),
        cmocka_unit_test(a_body_is_bytes_json_or_a_form),
        cmocka_unit_test(a_form_of_several_parts_has_a_line_between_them),
        cmocka_unit_test(a_form_sends_files_of_the_disk_as_it_reads_them),
        cmocka_unit_test(a_body_can_be_streamed),
        cmocka_unit_test(a_large_body_is_sent_whole),
        cmocka_unit_test(redirects_are_followed_up_to_a_limit),
        cmocka_unit_test(a_redirect_changes_method_and_body_by_its_status),
        cmocka_unit_test(secrets_are_not_sent_on_to_another_origin),
    };
    int status = services_start("origin");

    return status != 0 ? status : RUN_TESTS(tests, NULL, NULL);
}
