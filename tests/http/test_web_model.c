/* SPDX-License-Identifier: MIT */
/*
 * test_web_model.c - declared structs: read, checked, written
 *
 * The messages are those FastAPI 0.92 gives with pydantic 1.10.
 */
#include "http/site.h"

#include <aio/web_model.h>
#include <stdio.h>

static struct answer answer;

struct place {
    const char *city;
    int64_t zip;
};

static const aio_web_field place_fields[] = {
    {AIO_WEB_FIELD(struct place, city, AIO_WEB_STRING), .min_length = 2, .max_length = 5},
    {AIO_WEB_FIELD(struct place, zip, AIO_WEB_INT), .optional = true},
};
static const aio_web_model place_model = AIO_WEB_MODEL(struct place, place_fields);

struct item {
    const char *name;
    double price;
    bool offer;
    struct place where;
    const char **tags;
    size_t tag_count;
    struct place *others;
    size_t other_count;
    const char *note;
};

static const aio_web_field item_fields[] = {
    {AIO_WEB_FIELD(struct item, name, AIO_WEB_STRING)},
    {AIO_WEB_FIELD(struct item, price, AIO_WEB_FLOAT), .has_minimum = true, .minimum = 0,
     .has_maximum = true, .maximum = 99.5},
    {AIO_WEB_FIELD(struct item, offer, AIO_WEB_BOOL), .optional = true},
    {AIO_WEB_FIELD(struct item, where, AIO_WEB_OBJECT), .model = &place_model, .optional = true},
    {AIO_WEB_FIELD(struct item, tags, AIO_WEB_STRING), AIO_WEB_COUNT(struct item, tag_count),
     .optional = true, .max_length = 2},
    {AIO_WEB_FIELD(struct item, others, AIO_WEB_OBJECT), AIO_WEB_COUNT(struct item, other_count),
     .model = &place_model, .optional = true},
    {AIO_WEB_FIELD(struct item, note, AIO_WEB_STRING), .optional = true, .nullable = true},
};
static const aio_web_model item_model = AIO_WEB_MODEL(struct item, item_fields);

/* Reads an item and sends it back. */
static int echo(aio_http_request *request, void *arg)
{
    struct item item = {.offer = true, .note = "none"};
    int err = aio_web_body(request, &item_model, &item);

    return err < 0 ? err : aio_web_send(request, 200, &item_model, &item);
}

struct search {
    const char *q;
    int64_t limit;
    int64_t *ids;
    size_t id_count;
};

static const aio_web_field search_fields[] = {
    {AIO_WEB_FIELD(struct search, q, AIO_WEB_STRING)},
    {AIO_WEB_FIELD(struct search, limit, AIO_WEB_INT), .optional = true, .has_maximum = true,
     .maximum = 100},
    {AIO_WEB_FIELD(struct search, ids, AIO_WEB_INT), AIO_WEB_COUNT(struct search, id_count),
     .optional = true},
};
static const aio_web_model search_model = AIO_WEB_MODEL(struct search, search_fields);

static int search(aio_http_request *request, void *arg)
{
    struct search found = {.limit = 10};
    int err = aio_web_params(request, &search_model, &found);

    return err < 0 ? err : aio_web_send_list(request, 200, &search_model, &found, 1);
}

static int start(struct room *room, aio_web **ret_app, aio_http_server **ret_server)
{
    *ret_app = aio_web_new();
    TRY(aio_web_post(*ret_app, "/", echo, NULL));
    TRY(aio_web_get(*ret_app, "/", search, NULL));
    return site_start(aio_web_handle, *ret_app, NULL, ret_server);
}

static int post(const aio_http_server *server, const char *type, const char *body, size_t size)
{
    struct peer peer;
    char head[200];

    (void)snprintf(head, sizeof(head),
                   "POST / HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: %zu\r\n\r\n",
                   type == NULL ? "" : "Content-Type: ", type == NULL ? "" : type,
                   type == NULL ? "" : "\r\n", size);
    TRY(peer_open(&peer, server));
    TRY(peer_say(&peer, head));
    TRY(peer_send(&peer, body, size));
    TRY(peer_hear(&peer, &answer));
    peer_close(&peer);
    return 0;
}

/* A body, and the answer to it; with 422, what is in the list. */
struct exchange {
    const char *body;
    const char *answer;
};

static int try_all(const aio_http_server *server, const struct exchange *exchanges, size_t count,
                   int status)
{
    char expected[2000];

    for (size_t i = 0; i < count; i++) {
        TRY(post(server, "application/json", exchanges[i].body, strlen(exchanges[i].body)));
        (void)snprintf(expected, sizeof(expected), status == 422 ? "{\"detail\":[%s]}" : "%s",
                       exchanges[i].answer);
        if (answer.status != status || strcmp(answer.body, expected) != 0)
            return aio_raise(AIO_EASSERTION, "%s: %d %s", exchanges[i].body, answer.status,
                             answer.body);
    }
    return 0;
}

#define REST "\"tags\":[],\"others\":[],\"note\":\"none\"}"

static int read_good(void *arg, void **ret_result)
{
    static const struct exchange good[] = {
        {"{\"name\":\"a\",\"price\":1}",
         "{\"name\":\"a\",\"price\":1.0,\"offer\":true,\"where\":{\"city\":null,\"zip\":0}," REST},
        {" { \"name\" : 12 , \"price\" : \"2.5\" , \"offer\" : \"no\" , \"more\" : [ ] } ",
         "{\"name\":\"12\",\"price\":2.5,\"offer\":false,\"where\":{\"city\":null,\"zip\":0}"
         "," REST},
        {"{\"name\":\"\\u5f20\\n\",\"price\":0,\"offer\":0,\"where\":{\"city\":\"Ulm\",\"zip\":"
         "\"89073\"},"
         "\"tags\":[\"x\",1],\"others\":[{\"city\":\"\xc3\x84\xc3\x84\",\"zip\":3.9}],\"note\":"
         "null}",
         "{\"name\":\"\xe5\xbc\xa0\\n\",\"price\":0.0,\"offer\":false,\"where\":{\"city\":\"Ulm\","
         "\"zip\":89073},\"tags\":[\"x\",\"1\"],\"others\":[{\"city\":\"\xc3\x84\xc3\x84\",\"zip\":"
         "3}],"
         "\"note\":null}"},
    };
    aio_http_server *server = NULL;
    aio_web *app;

    TRY(start(arg, &app, &server));
    TRY(try_all(server, good, COUNT_OF(good), 200));
    TRY(post(server, NULL, good[0].body, strlen(good[0].body)));
    CHECK(answer.status == 200);
    TRY(post(server, "application/problem+json; charset=utf-8", good[0].body,
             strlen(good[0].body)));
    CHECK(answer.status == 200);
    aio_web_unref(app);
    return site_stop(server);
}

static void a_body_is_read_into_a_struct(void **state)
{
    room_run(read_good);
}

#define WRONG(loc, msg, type) "{\"loc\":[" loc "],\"msg\":\"" msg "\",\"type\":\"" type "\"}"
#define LIMIT(loc, msg, type, limit)                                                               \
    "{\"loc\":[" loc "],\"msg\":\"" msg "\",\"type\":\"" type "\",\"ctx\":{\"limit_value\":" limit \
    "}}"
#define MISSING(loc) WRONG(loc, "field required", "value_error.missing")

static int read_bad(void *arg, void **ret_result)
{
    static const struct exchange bad[] = {
        {"", MISSING("\"body\"")},
        {"null", MISSING("\"body\"")},
        {"[1]", WRONG("\"body\"", "value is not a valid dict", "type_error.dict")},
        {"[]", MISSING("\"body\",\"name\"") "," MISSING("\"body\",\"price\"")},
        {"{}", MISSING("\"body\",\"name\"") "," MISSING("\"body\",\"price\"")},
        {"{\"name\":null,\"price\":\"x\"}",
         WRONG("\"body\",\"name\"", "none is not an allowed value",
               "type_error.none.not_allowed") "," WRONG("\"body\",\"price\"",
                                                        "value is not a valid float",
                                                        "type_error.float")},
        {"{\"name\":[],\"price\":-1}",
         WRONG("\"body\",\"name\"", "str type expected", "type_error.str") "," LIMIT(
             "\"body\",\"price\"", "ensure this value is greater than or equal to 0",
             "value_error.number.not_ge", "0")},
        {"{\"name\":\"a\",\"price\":100,\"offer\":2}",
         LIMIT("\"body\",\"price\"", "ensure this value is less than or equal to 99.5",
               "value_error.number.not_le",
               "99.5") "," WRONG("\"body\",\"offer\"", "value could not be parsed to a boolean",
                                 "type_error.bool")},
        {"{\"name\":\"a\",\"price\":1,\"where\":{\"city\":\"x\",\"zip\":[]}}",
         LIMIT("\"body\",\"where\",\"city\"", "ensure this value has at least 2 characters",
               "value_error.any_str.min_length",
               "2") "," WRONG("\"body\",\"where\",\"zip\"", "value is not a valid integer",
                              "type_error.integer")},
        {"{\"name\":\"a\",\"price\":1,\"others\":[{\"city\":\"abc\"},{\"city\":\"abcdef\"},7]}",
         LIMIT("\"body\",\"others\",1,\"city\"", "ensure this value has at most 5 characters",
               "value_error.any_str.max_length",
               "5") "," WRONG("\"body\",\"others\",2", "value is not a valid dict",
                              "type_error.dict")},
        {"{\"name\":\"a\",\"price\":1,\"tags\":{}}",
         WRONG("\"body\",\"tags\"", "value is not a valid list", "type_error.list")},
        {"{\"name\":\"a\",\"price\":1,\"tags\":[\"a\",\"b\",\"c\"]}",
         LIMIT("\"body\",\"tags\"", "ensure this value has at most 2 items",
               "value_error.list.max_items", "2")},
    };
    aio_http_server *server = NULL;
    aio_web *app;

    TRY(start(arg, &app, &server));
    TRY(try_all(server, bad, COUNT_OF(bad), 422));
    TRY(post(server, "text/plain", "{}", 2));
    CHECK_TEXT(answer.body, "{\"detail\":[" WRONG("\"body\"", "value is not a valid dict",
                                                  "type_error.dict") "]}");
    aio_web_unref(app);
    return site_stop(server);
}

static void what_does_not_fit_is_told_as_fastapi_does(void **state)
{
    room_run(read_bad);
}

static int read_no_json(void *arg, void **ret_result)
{
    static const char *const texts[] = {"{",
                                        "{\"a\":1,}",
                                        "{'a':1}",
                                        "{\"a\":01}",
                                        "{\"a\":1e999}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\":12345678901234567890123}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":\"\\ud800\"}",
                                        "{\"a\":\"\\u0000\"}",
                                        "{} {}",
                                        "NaN"};
    static char deep[20000];
    static char many[600000];
    aio_http_server *server = NULL;
    aio_web *app;

    TRY(start(arg, &app, &server));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        TRY(post(server, "application/json", texts[i], strlen(texts[i])));
        if (answer.status != 422 || strstr(answer.body, "value_error.jsondecode") == NULL)
            return aio_raise(AIO_EASSERTION, "%s: %d %s", texts[i], answer.status, answer.body);
    }
    memset(deep, '[', sizeof(deep));
    TRY(post(server, "application/json", deep, sizeof(deep)));
    CHECK(answer.status == 400);
    CHECK_TEXT(answer.body, "{\"detail\":\"There was an error parsing the body\"}");
    for (size_t i = 0; i < sizeof(many); i += 3)
        memcpy(many + i, i == 0 ? "[{}" : ",{}", 3);
    TRY(post(server, "application/json", many, sizeof(many)));
    CHECK(answer.status == 413);
    aio_web_unref(app);
    return site_stop(server);
}

static void what_is_no_json_is_refused(void **state)
{
    room_run(read_no_json);
}

static int read_query(void *arg, void **ret_result)
{
    aio_http_server *server = NULL;
    aio_web *app;

    TRY(start(arg, &app, &server));
    TRY(site_ask(server, "GET /?q=a+b&limit=5&ids=1&ids=-2 HTTP/1.1\r\nHost: x\r\n\r\n", &answer));
    CHECK_TEXT(answer.body, "[{\"q\":\"a b\",\"limit\":5,\"ids\":[1,-2]}]");
    TRY(site_ask(server, "GET /?q= HTTP/1.1\r\nHost: x\r\n\r\n", &answer));
    CHECK_TEXT(answer.body, "[{\"q\":\"\",\"limit\":10,\"ids\":[]}]");
    TRY(site_ask(server, "GET /?limit=101&ids=x HTTP/1.1\r\nHost: x\r\n\r\n", &answer));
    CHECK(answer.status == 422);
    CHECK_TEXT(answer.body,
               "{\"detail\":[" MISSING("\"query\",\"q\"") "," LIMIT(
                   "\"query\",\"limit\"", "ensure this value is less than or equal to 100",
                   "value_error.number.not_le",
                   "100") "," WRONG("\"query\",\"ids\",0", "value is not a valid integer",
                                    "type_error.integer") "]}");
    aio_web_unref(app);
    return site_stop(server);
}

static void a_query_is_read_into_a_struct(void **state)
{
    room_run(read_query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_read_into_a_struct),
        cmocka_unit_test(what_does_not_fit_is_told_as_fastapi_does),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(a_query_is_read_into_a_struct),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
