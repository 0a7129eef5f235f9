/* SPDX-License-Identifier: MIT */
/*
 * test_http_client_response.c - what comes back: heads, texts, bodies whole and in pieces
 */
#include "http/client_room.h"

/* --- heads ------------------------------------------------------------------------------ */

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

/* --- texts and JSON --------------------------------------------------------------------- */

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

/* --- bodies in pieces ------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_gives_head_and_body),
        cmocka_unit_test(interim_heads_folded_lines_and_missing_lengths_are_understood),
        cmocka_unit_test(a_bad_status_is_an_error_for_who_asks),
        cmocka_unit_test(a_cookie_is_read_from_the_response_that_sets_it),
        cmocka_unit_test(text_is_decoded_by_the_declared_charset),
        cmocka_unit_test(text_that_the_charset_does_not_have_is_an_error),
        cmocka_unit_test(json_wants_its_content_type),
        cmocka_unit_test(json_that_is_nested_too_deep_is_refused),
        cmocka_unit_test(brotli_and_zstd_are_decompressed),
        cmocka_unit_test(a_body_is_read_line_by_line),
        cmocka_unit_test(a_body_can_be_read_in_pieces),
        cmocka_unit_test(a_compressed_body_can_be_read_in_pieces),
        cmocka_unit_test(what_was_read_in_part_is_not_read_whole),
    };
    int status = services_start("origin");

    return status != 0 ? status : RUN_TESTS(tests, NULL, NULL);
}
