/* SPDX-License-Identifier: MIT */
/*
 * test_web_forms.c - forms, files in them, and structs read from all parts of a request
 */
#include "http/site.h"
#include "support/allocation.h"

#include <aio/web_model.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static struct answer answer;

/* Send a request to an application with one route, for POST of "/x/{number}". Status 0: only what is
 * 200 has to have that body. */
static int ask_bytes(aio_http_handler_fn handler, const char *request, size_t size, int status,
                     const char *body)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_http_server *server = NULL;
    struct peer peer = {0};
    int err = aio_web_post(app, "/x/{number}", handler, NULL);

    if (err == 0)
        err = site_start(aio_web_handle, app, NULL, &server);
    if (err == 0)
        err = peer_open(&peer, server);
    if (err == 0)
        err = peer_send(&peer, request, size);
    if (err == 0)
        err = peer_hear(&peer, &answer);
    peer_close(&peer);
    if (err == 0 && status == 0 && answer.status != 200)
        return site_stop(server);
    if (err == 0 &&
        (answer.status != (status == 0 ? 200 : status) || strcmp(answer.body, body) != 0))
        err = aio_raise(AIO_EASSERTION, "%d %s, not %s", answer.status, answer.body, body);
    if (server != NULL) {
        int stopped = site_stop(server);

        err = err < 0 ? err : stopped;
    }
    return err;
}

static int ask(aio_http_handler_fn handler, const char *request, int status, const char *body)
{
    return ask_bytes(handler, request, strlen(request), status, body);
}

/* Send a form of several parts. */
static int ask_form(aio_http_handler_fn handler, const char *form, size_t size, int status,
                    const char *body)
{
    static char request[128 * 1024];
    int head = snprintf(request, sizeof(request),
                        "POST /x/1 HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
                        "Content-Type: Multipart/Form-Data; charset=x; boundary=\"B-1\"\r\n\r\n",
                        size);

    memcpy(request + head, form, size);
    return ask_bytes(handler, request, (size_t)head + size, status, body);
}

/* --- forms of several parts ------------------------------------------------------------- */

static int say_form(aio_http_request *request, void *arg)
{
    const aio_web_upload *upload = NULL;
    const aio_web_upload *all = NULL;
    const char *text = NULL;
    size_t count = 0;
    int err = aio_web_form(request, "text", &text);

    if (err == 0)
        err = aio_web_upload_of(request, "file", &upload);
    if (err == 0)
        err = aio_web_uploads(request, &all, &count);
    if (err < 0)
        return err;
    return aio_web_json(
        request, 200, "[s,i,s,s,i,i]", text, (int)count, upload == NULL ? NULL : upload->filename,
        upload == NULL ? NULL : upload->content_type, upload == NULL ? 0 : (int)upload->size,
        upload == NULL || upload->size == 0
            ? 0
            : ((const unsigned char *)upload->data)[upload->size - 1]);
}

#define PART(head, data) "--B-1\r\nContent-Disposition: form-data; " head "\r\n\r\n" data "\r\n"
#define END              "--B-1--\r\n"

static int read_forms(void *arg, void **ret_result)
{
    static const struct {
        const char *form;
        size_t size;
        const char *said;
    } forms[] = {
#define FORM(text) text, sizeof(text) - 1
        {FORM(PART("name=\"text\"", "one") PART("name=text", "two\r\n") END),
         "[\"two\\r\\n\",0,null,null,0,0]"},
        {FORM("preamble\r\n" PART("name=\"text\"", "") END "epilogue"), "[\"\",0,null,null,0,0]"},
        {FORM("--B-1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a "
              "\\\"b\\\".txt\"\r\n"
              "Content-Type: text/x-y\r\n\r\n\0\r\n--B-2\r\n\xff\r\n" END),
         "[null,1,\"a \\\"b\\\".txt\",\"text/x-y\",11,255]"},
        {FORM(PART("filename=\"\"; name=\"file\"", "") PART("name=\"other\"; filename=x", "y") END),
         "[null,2,\"\",\"application/octet-stream\",0,0]"},
        {FORM(PART("name=\"text\"", "a\0b") END), "[null,0,null,null,0,0]"},
        {FORM(PART("name=\"text\"", "\xff\xe5\xbc\xa0") END),
         "[\"\xef\xbf\xbd\xe5\xbc\xa0\",0,null,null,0,0]"},
        {FORM(PART("x=y; xname=\"no\"; name=\"text\"", "yes") END), "[\"yes\",0,null,null,0,0]"},
        {FORM(END), "[null,0,null,null,0,0]"},
    };

    for (size_t i = 0; i < COUNT_OF(forms); i++)
        TRY(ask_form(say_form, forms[i].form, forms[i].size, 200, forms[i].said));
    return 0;
}

static void a_form_of_parts_gives_fields_and_files(void **state)
{
    room_run(read_forms);
}

static int refuse_forms(void *arg, void **ret_result)
{
    static const char *const bad[] = {
        "",
        "--B-1",
        "--B-1\r\n",
        "--B-1x\r\n",
        PART("name=\"text\"", "cut"),
        "--B-1\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n",
        "--B-1\r\nContent-Disposition: form-data; name=\"text\"\r\nno end of the head",
        PART("filename=\"x\"", "a file without a name") END,
        "--B-1\r\n\r\nwithout a head\r\n" END,
        PART("name=\"text\"", "wrong\r\n--B-1 and more") END,
    };
    AIO_AUTO(aio_http_request) none = NULL;
    const aio_web_upload *upload;
    char long_head[10000];
    int size;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        TRY(ask_form(say_form, bad[i], strlen(bad[i]), 400,
                     "{\"detail\":\"There was an error parsing the body\"}"));
    size = snprintf(long_head, sizeof(long_head), "--B-1\r\nX: %09000d\r\n\r\n" END, 1);
    TRY(ask_form(say_form, long_head, (size_t)size, 400,
                 "{\"detail\":\"There was an error parsing the body\"}"));
    CHECK(aio_web_upload_of(none, "x", &upload) == AIO_EVALUE);
    CHECK(aio_web_upload_of(none, NULL, &upload) == AIO_EVALUE);
    return 0;
}

static void what_is_no_form_of_parts_gets_400(void **state)
{
    room_run(refuse_forms);
}

static int send_many(void *arg, void **ret_result)
{
    static char form[100 * 1024];
    size_t used = 0;

    for (int i = 0; i < 1001; i++)
        used += (size_t)snprintf(form + used, sizeof(form) - used, PART("name=\"text\"", "%d"), i);
    used += (size_t)snprintf(form + used, sizeof(form) - used, END);
    return ask_form(say_form, form, used, 400,
                    "{\"detail\":\"Too many fields. Maximum number of fields is 1000.\"}");
}

static void a_form_has_no_more_than_a_thousand_parts(void **state)
{
    room_run(send_many);
}

static int starve(void *arg, void **ret_result)
{
    static const char form[] =
        PART("name=\"text\"", "one") PART("name=\"file\"; filename=\"a\"", "two") END;
    struct room *room = arg;
    int err = ask_form(say_form, form, sizeof(form) - 1, 0,
                       "[\"one\",1,\"a\",\"application/octet-stream\",3,111]");

    room->reports = 0;
    return err;
}

static void forms_survive_every_shortage_of_memory(void **state)
{
    room_run_starved(starve);
}

/* --- structs from elsewhere ------------------------------------------------------------- */

struct values {
    const char *user_agent;
    int64_t number;
    const char **colour;
    size_t colour_count;
    double rate;
};

static const char *const colours[] = {"red", "green", NULL};

static const aio_web_field number_fields[] = {
    {AIO_WEB_FIELD(struct values, number, AIO_WEB_INT), .has_minimum = true, .minimum = 0,
     .exclusive_minimum = true, .has_maximum = true, .maximum = 10, .exclusive_maximum = true},
};
static const aio_web_model number_model = AIO_WEB_MODEL(struct values, number_fields);
static const aio_web_field agent_fields[] = {
    {AIO_WEB_FIELD(struct values, user_agent, AIO_WEB_STRING)},
};
static const aio_web_model agent_model = AIO_WEB_MODEL(struct values, agent_fields);
static const aio_web_field form_fields[] = {
    {AIO_WEB_FIELD(struct values, colour, AIO_WEB_STRING),
     AIO_WEB_COUNT(struct values, colour_count), .choices = colours},
    {AIO_WEB_FIELD(struct values, rate, AIO_WEB_FLOAT), .optional = true},
};
static const aio_web_model form_model = AIO_WEB_MODEL(struct values, form_fields);

static int say_values(aio_http_request *request, void *arg)
{
    struct values values = {.rate = 0.5};
    int err = aio_web_read(request, AIO_WEB_FROM_PATH, &number_model, &values);

    if (err == 0)
        err = aio_web_read(request, AIO_WEB_FROM_HEADERS, &agent_model, &values);
    if (err == 0)
        err = aio_web_read(request, AIO_WEB_FROM_FORM, &form_model, &values);
    if (err < 0)
        return err;
    return aio_web_json(request, 200, "[I,s,s,i,f]", values.number, values.user_agent,
                        values.colour[values.colour_count - 1], (int)values.colour_count,
                        values.rate);
}

#define POST(path, headers, length, form)                                                          \
    "POST " path " HTTP/1.1\r\nHost: x\r\n" headers "Content-Length: " length "\r\n"               \
    "Content-Type: application/x-www-form-urlencoded\r\n\r\n" form
#define WRONG(place, name, text, kind)                                                             \
    "{\"detail\":[{\"loc\":[\"" place "\",\"" name "\"],\"msg\":\"" text "\",\"type\":\"" kind "\""

static int read_all(void *arg, void **ret_result)
{
    TRY(ask(say_values, POST("/x/3", "user-AGENT: me\r\n", "23", "colour=red&colour=green"), 200,
            "[3,\"me\",\"green\",2,0.5]"));
    TRY(ask(say_values, POST("/x/3", "User-Agent: me\r\n", "17", "rate=2&colour=red"), 200,
            "[3,\"me\",\"red\",1,2.0]"));
    TRY(ask(say_values, POST("/x/0", "", "0", ""), 422,
            WRONG("path", "number", "ensure this value is greater than 0",
                  "value_error.number.not_gt") ",\"ctx\":{\"limit_value\":0}}]}"));
    TRY(ask(say_values, POST("/x/10", "", "0", ""), 422,
            WRONG("path", "number", "ensure this value is less than 10",
                  "value_error.number.not_lt") ",\"ctx\":{\"limit_value\":10}}]}"));
    TRY(ask(say_values, POST("/x/a", "", "0", ""), 422,
            WRONG("path", "number", "value is not a valid integer", "type_error.integer") "}]}"));
    TRY(ask(say_values, POST("/x/3", "", "0", ""), 422,
            WRONG("header", "user-agent", "field required", "value_error.missing") "}]}"));
    TRY(ask(say_values, POST("/x/3", "User-Agent: me\r\n", "7", "colour="), 422,
            WRONG("body", "colour", "field required", "value_error.missing") "}]}"));
    return ask(say_values, POST("/x/3", "User-Agent: me\r\n", "11", "colour=blue"), 422,
               "{\"detail\":[{\"loc\":[\"body\",\"colour\",0],\"msg\":\"value is not a valid "
               "enumeration member; permitted: 'red', 'green'\",\"type\":\"type_error.enum\","
               "\"ctx\":{\"enum_values\":[\"red\",\"green\"]}}]}");
}

static void structs_are_read_from_path_headers_and_forms(void **state)
{
    room_run(read_all);
}

static int say_json(aio_http_request *request, void *arg)
{
    json_t *json = NULL;
    int err = aio_web_body_json(request, &json);

    if (err == 0)
        err = aio_web_json(request, 200, "[o]", json);
    json_decref(json);
    return err;
}

static int read_json(void *arg, void **ret_result)
{
    TRY(ask(say_json, "POST /x/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}", 200,
            "[{\"a\":1}]"));
    TRY(ask(say_json, "POST /x/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{", 422,
            "{\"detail\":[{\"loc\":[\"body\",1],\"msg\":\"no JSON: line 1 column 1 (char 1)\","
            "\"type\":\"value_error.jsondecode\"}]}"));
    return ask(say_json, "POST /x/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 422,
               "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\","
               "\"type\":\"value_error.missing\"}]}");
}

static void a_body_of_any_json_can_be_read(void **state)
{
    room_run(read_json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_of_parts_gives_fields_and_files),
        cmocka_unit_test(what_is_no_form_of_parts_gets_400),
        cmocka_unit_test(a_form_has_no_more_than_a_thousand_parts),
        cmocka_unit_test(forms_survive_every_shortage_of_memory),
        cmocka_unit_test(structs_are_read_from_path_headers_and_forms),
        cmocka_unit_test(a_body_of_any_json_can_be_read),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
