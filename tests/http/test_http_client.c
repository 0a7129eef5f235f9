/* SPDX-License-Identifier: MIT */
/*
 * test_http_client.c - requests and responses, with a server that says what it got
 */
#include "http/client_room.h"

/* What the build can decompress. */
#ifdef AIO__BROTLI
#define BROTLI ", br"
#else
#define BROTLI ""
#endif
#ifdef AIO__ZSTD
#define ZSTD ", zstd"
#else
#define ZSTD ""
#endif
#define ENCODINGS "gzip, deflate" BROTLI ZSTD

/* --- requests --------------------------------------------------------------------------- */

static int get(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    aio_buffer body = {0};
    size_t count = 0;

    CHECK_CODE(aio_http_get(session, at("/small"), NULL, &response), 0);
    CHECK(aio_http_response_status_code(response) == 200 && aio_http_response_ok(response));
    CHECK_TEXT(aio_http_response_reason(response), "OK");
    CHECK_TEXT(aio_http_response_method(response), "GET");
    CHECK_TEXT(aio_http_response_url(response), at("/small"));
    CHECK(aio_http_response_version(response) == AIO_HTTP_1_1);
    CHECK(aio_http_response_redirects(response) == 0);
    CHECK(aio_http_response_content_length(response) == 1024);
    CHECK_TEXT(aio_http_response_content_type(response), "application/octet-stream");
    CHECK(aio_http_response_charset(response) == NULL);
    CHECK_TEXT(aio_http_response_header(response, "content-LENGTH"), "1024");
    CHECK(aio_http_response_header(response, "X-None") == NULL);
    CHECK(aio_http_response_headers(response, &count) != NULL && count >= 4);
    CHECK_CODE(aio_http_response_raise_for_status(response), 0);
    CHECK_CODE(aio_http_response_read(response, &body), 0);
    CHECK(body.size == 1024 && ((const char *)body.data)[1024] == '\0');
    CHECK_CODE(aio_http_response_read(response, NULL), 0);
    return 0;
}

static void get_gives_head_and_body(void **state)
{
    room_run(get);
}

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

static int said_is(aio_http_session *session, const char *method, const char *path,
                   const aio_http_request_options *options, const char *name, const char *value)
{
    json_t *said = NULL;
    int err = 0;

    TRY(echo(session, method, path, options, &said));
    if (strcmp(said_of(said, name), value) != 0)
        err =
            aio_raise(AIO_EASSERTION, "%s is \"%s\", not \"%s\"", name, said_of(said, name), value);
    json_decref(said);
    return err;
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
    TRY(said_is(session, "GET", "/echo", &call, "accept-encoding", ENCODINGS));
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

/* --- responses -------------------------------------------------------------------------- */

static int texts(void *arg, void **ret_result)
{
    static const struct {
        const char *path;
        const char *charset;
        const char *start;
    } pages[] = {{"/www.baidu.com", "utf-8", "<html>百度一下，你就知道"},
                 {"/www.pythonav.com", "gbk", "<html>异步爬虫"},
                 {"/gzip", "utf-8", "<html>百度一下，你就知道"},
                 {"/deflate", "utf-8", "<html>百度一下，你就知道"}};
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);

    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        AIO_AUTO(aio_http_response) response = NULL;
        const char *text = NULL;

        TRY(aio_http_get(session, at(pages[i].path), NULL, &response));
        CHECK_TEXT(aio_http_response_charset(response), pages[i].charset);
        CHECK_TEXT(aio_http_response_content_type(response), "text/html");
        CHECK_CODE(aio_http_response_text(response, &text), 0);
        CHECK(strncmp(text, pages[i].start, strlen(pages[i].start)) == 0);
        CHECK_TEXT(text + strlen(text) - 7, "</html>");
    }
    return 0;
}

static void text_is_decoded_by_the_declared_charset(void **state)
{
    room_run(texts);
}

static int charsets(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    const char *text = "untouched";

    TRY(aio_http_get(session, at("/www.pythonav.com"), NULL, &response));
    CHECK_CODE(aio_http_response_text_as(response, "utf-8", &text), AIO_EUNICODE);
    CHECK_CODE(aio_http_response_text_as(response, "ascii", &text), AIO_EUNICODE);
    CHECK_CODE(aio_http_response_text_as(response, "no-such", &text), AIO_ELOOKUP);
    CHECK_TEXT(text, "untouched");
    CHECK_CODE(aio_http_response_text_as(response, "GB18030", &text), 0);
    CHECK(strncmp(text, "<html>异步爬虫", 18) == 0);
    CHECK_CODE(aio_http_response_text_as(response, "latin1", &text), 0);
    CHECK(strncmp(text, "<html>Òì²½", 14) == 0);
    return 0;
}

static void text_that_the_charset_does_not_have_is_an_error(void **state)
{
    room_run(charsets);
}

static int jsons(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) page = NULL;
    json_t *said = NULL;

    TRY(echo(session, "GET", "/echo", NULL, &said));
    json_decref(said);
    said = NULL;
    TRY(aio_http_get(session, at("/www.baidu.com"), NULL, &page));
    CHECK_CODE(aio_http_response_json(page, &said), AIO_HTTP_ECONTENTTYPE);
    CHECK(said == NULL);
    return 0;
}

static void json_wants_its_content_type(void **state)
{
    room_run(jsons);
}

static int deep_json(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    json_t *value = NULL;

    TRY(aio_http_get(session, at("/deep"), NULL, &response));
    CHECK_CODE(aio_http_response_json(response, &value), AIO_EVALUE);
    CHECK(value == NULL);
    return 0;
}

static void json_that_is_nested_too_deep_is_refused(void **state)
{
    room_run(deep_json);
}

static int read_hello(aio_http_session *session, const char *path)
{
    AIO_AUTO(aio_http_response) response = NULL;
    const char *text = NULL;

    TRY(aio_http_get(session, at(path), NULL, &response));
    TRY(aio_http_response_text(response, &text));
    CHECK(strlen(text) == 41 * strlen("hello brotli "));
    for (int i = 0; i < 41; i++)
        CHECK(strncmp(text + i * 13, "hello brotli ", 13) == 0);
    return 0;
}

static int decompress(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);

    if (BROTLI[0] != '\0')
        TRY(read_hello(session, "/brotli"));
    if (ZSTD[0] != '\0')
        TRY(read_hello(session, "/zstd"));
    return 0;
}

static void brotli_and_zstd_are_decompressed(void **state)
{
    room_run(decompress);
}

static int read_lines(void *arg, void **ret_result)
{
    static const char *const wanted[] = {"one\n", "\n", "two\r\n", "three"};
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    AIO_AUTO(aio_http_response) far = NULL;
    aio_iterator *lines;
    void *item = NULL;

    TRY(aio_http_get(session, at("/lines"), NULL, &response));
    lines = aio_http_response_iter_lines(response);
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        TRY(aio_anext(lines, &item));
        CHECK_TEXT((const char *)((const aio_buffer *)item)->data, wanted[i]);
        CHECK(((const aio_buffer *)item)->size == strlen(wanted[i]));
    }
    CHECK_CODE(aio_anext(lines, &item), AIO_ESTOP);
    CHECK_CODE(aio_anext(lines, &item), AIO_ESTOP);
    TRY(aio_http_get(session, at("/long-line"), NULL, &far));
    TRY(aio_anext(aio_http_response_iter_lines(far), &item));
    CHECK_CODE(aio_anext(aio_http_response_iter_lines(far), &item), AIO_HTTP_ETOOLARGE);
    CHECK(aio_http_response_iter_lines(NULL) == NULL);
    return 0;
}

static void a_body_is_read_line_by_line(void **state)
{
    room_run(read_lines);
}

static int read_set_cookie(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    char *value = NULL;
    bool same;

    call.no_redirects = true;
    TRY(aio_http_get(session, at("/set-cookie?name=value"), &call, &response));
    CHECK_CODE(aio_http_response_cookie(response, "nam", &value), AIO_EKEY);
    CHECK_CODE(aio_http_response_cookie(response, "", &value), AIO_EVALUE);
    CHECK_CODE(aio_http_response_cookie(NULL, "name", &value), AIO_EVALUE);
    CHECK(value == NULL);
    TRY(aio_http_response_cookie(response, "name", &value));
    same = strcmp(value, "value") == 0;
    aio_free(value);
    CHECK(same);
    return 0;
}

static void a_cookie_is_read_from_the_response_that_sets_it(void **state)
{
    room_run(read_set_cookie);
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

/* All of a body in pieces, with a limit to what one piece may be: its size and a sum. */
static int read_pieces(aio_http_response *response, size_t most, size_t *ret_size,
                       uint32_t *ret_sum)
{
    char data[5000];
    size_t count = 0;

    *ret_size = 0;
    *ret_sum = 0;
    do {
        TRY(aio_http_response_read_some(response, data, most, &count));
        CHECK(count <= most);
        *ret_sum = room_sum(*ret_sum, *ret_size, data, count);
        *ret_size += count;
    } while (count > 0);
    return 0;
}

static int in_pieces(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    size_t sizes[3] = {0};
    uint32_t sums[3] = {0};
    void *item = NULL;
    aio_buffer body;
    int err;

    options.buffer_size = 1000;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    AIO_AUTO(aio_http_response) whole = NULL;
    AIO_AUTO(aio_http_response) small = NULL;
    AIO_AUTO(aio_http_response) chunks = NULL;
    TRY(aio_http_get(session, at("/large"), NULL, &whole));
    TRY(aio_http_response_read(whole, &body));
    sizes[0] = body.size;
    sums[0] = room_sum(0, 0, body.data, body.size);
    TRY(aio_http_get(session, at("/large"), NULL, &small));
    TRY(read_pieces(small, 4999, &sizes[1], &sums[1]));
    TRY(aio_http_get(session, at("/large"), NULL, &chunks));
    aio_iterator *it = aio_http_response_iter_chunks(chunks);
    while ((err = aio_anext(it, &item)) == 0) {
        const aio_buffer *piece = item;

        CHECK(piece->size > 0);
        sums[2] = room_sum(sums[2], sizes[2], piece->data, piece->size);
        sizes[2] += piece->size;
    }
    CHECK_CODE(err, AIO_ESTOP);
    CHECK_CODE(aio_anext(it, &item), AIO_ESTOP);
    CHECK(sizes[0] == 1048576 && sizes[1] == sizes[0] && sizes[2] == sizes[0]);
    CHECK(sums[1] == sums[0] && sums[2] == sums[0]);
    return 0;
}

static void a_body_can_be_read_in_pieces(void **state)
{
    room_run(in_pieces);
}

static int packed_pieces(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) whole = NULL;
    AIO_AUTO(aio_http_response) pieces = NULL;
    aio_buffer body;
    uint32_t sum;
    size_t size;

    TRY(aio_http_get(session, at("/gzip"), NULL, &whole));
    TRY(aio_http_response_read(whole, &body));
    TRY(aio_http_get(session, at("/gzip"), NULL, &pieces));
    TRY(read_pieces(pieces, 7, &size, &sum));
    CHECK(size == body.size && sum == room_sum(0, 0, body.data, body.size));
    return 0;
}

static void a_compressed_body_can_be_read_in_pieces(void **state)
{
    room_run(packed_pieces);
}

static int mixed_reading(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) part = NULL;
    AIO_AUTO(aio_http_response) whole = NULL;
    char data[10];
    size_t count = 99;

    TRY(aio_http_get(session, at("/small"), NULL, &part));
    TRY(aio_http_response_read_some(part, data, sizeof(data), &count));
    CHECK(count == 10);
    CHECK_CODE(aio_http_response_read(part, NULL), AIO_ERUNTIME);
    TRY(aio_http_get(session, at("/small"), NULL, &whole));
    TRY(aio_http_response_read(whole, NULL));
    CHECK_CODE(aio_http_response_read_some(whole, data, sizeof(data), &count), 0);
    CHECK(count == 0);
    return 0;
}

static void what_was_read_in_part_is_not_read_whole(void **state)
{
    room_run(mixed_reading);
}

static int odd_heads(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) fold = NULL;
    AIO_AUTO(aio_http_response) interim = NULL;
    char *text = NULL;
    int differs;

    TRY(aio_http_get(session, at("/fold"), NULL, &fold));
    CHECK_TEXT(aio_http_response_header(fold, "X-Folded"), "one two");
    TRY(aio_http_get(session, at("/interim"), NULL, &interim));
    CHECK(aio_http_response_status_code(interim) == 200);
    CHECK(aio_http_response_header(interim, "X-Early") == NULL);
    CHECK_TEXT(aio_http_response_header(interim, "X-Late"), "1");
    TRY(fetch(session, "GET", at("/no-length"), NULL, NULL, &text));
    differs = strcmp(text, "until the end");
    free(text);
    CHECK(differs == 0);
    return 0;
}

static void interim_heads_folded_lines_and_missing_lengths_are_understood(void **state)
{
    room_run(odd_heads);
}

static int statuses(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    AIO_AUTO(aio_http_response) none = NULL;

    TRY(aio_http_get(session, at("/status/404?secret=1"), NULL, &response));
    CHECK(!aio_http_response_ok(response));
    CHECK_CODE(aio_http_response_raise_for_status(response), AIO_HTTP_ESTATUS);
    CHECK(strstr(aio_error_text(AIO_HTTP_ESTATUS), "404, message='Not Found', url='http://") !=
          NULL);
    CHECK(strstr(aio_error_text(AIO_HTTP_ESTATUS), "secret") == NULL);
    call.raise_for_status = true;
    CHECK_CODE(aio_http_get(session, at("/status/500"), &call, &none), AIO_HTTP_ESTATUS);
    CHECK(none == NULL);
    CHECK_CODE(aio_http_get(session, at("/status/201"), &call, &none), 0);
    return 0;
}

static void a_bad_status_is_an_error_for_who_asks(void **state)
{
    room_run(statuses);
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
    char elsewhere[400];
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

/* --- misuse ----------------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outside_a_task_nothing_is_sent, count_allocations,
                                        check_allocations),
        cmocka_unit_test(get_gives_head_and_body),
        cmocka_unit_test(every_method_reaches_the_server),
        cmocka_unit_test(headers_of_the_call_go_before_those_of_the_session),
        cmocka_unit_test(params_are_added_to_the_query_encoded),
        cmocka_unit_test(a_body_is_bytes_json_or_a_form),
        cmocka_unit_test(a_form_of_several_parts_has_a_line_between_them),
        cmocka_unit_test(a_form_sends_files_of_the_disk_as_it_reads_them),
        cmocka_unit_test(a_body_can_be_streamed),
        cmocka_unit_test(a_large_body_is_sent_whole),
        cmocka_unit_test(text_is_decoded_by_the_declared_charset),
        cmocka_unit_test(text_that_the_charset_does_not_have_is_an_error),
        cmocka_unit_test(json_wants_its_content_type),
        cmocka_unit_test(json_that_is_nested_too_deep_is_refused),
        cmocka_unit_test(brotli_and_zstd_are_decompressed),
        cmocka_unit_test(a_body_is_read_line_by_line),
        cmocka_unit_test(a_cookie_is_read_from_the_response_that_sets_it),
        cmocka_unit_test(errors_have_the_names_of_aiohttp),
        cmocka_unit_test(a_body_can_be_read_in_pieces),
        cmocka_unit_test(a_compressed_body_can_be_read_in_pieces),
        cmocka_unit_test(what_was_read_in_part_is_not_read_whole),
        cmocka_unit_test(interim_heads_folded_lines_and_missing_lengths_are_understood),
        cmocka_unit_test(a_bad_status_is_an_error_for_who_asks),
        cmocka_unit_test(redirects_are_followed_up_to_a_limit),
        cmocka_unit_test(a_redirect_changes_method_and_body_by_its_status),
        cmocka_unit_test(secrets_are_not_sent_on_to_another_origin),
        cmocka_unit_test(credentials_come_from_the_call_the_url_or_the_session),
        cmocka_unit_test(each_session_has_a_jar_of_cookies),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(a_session_that_could_not_be_made_is_accepted_by_all),
    };
    int status = services_start("origin");

    return status != 0 ? status : RUN_TESTS(tests, NULL, NULL);
}
