/* SPDX-License-Identifier: MIT */
/*
 * web_twin.c - the service that web.py has in Python, too
 */
#include <aio/aio.h>
#include <aio/web.h>
#include <aio/web_model.h>
#include <stdlib.h>

static const char *const colours[] = {"red", "green", NULL};

static int read_item(aio_http_request *request, void *arg)
{
    return aio_web_json(request, 200, "{s:I,s:s}", "id", aio_web_path_int(request, "id"), "q",
                        aio_web_query(request, "q"));
}

static int read_rate(aio_http_request *request, void *arg)
{
    return aio_web_json(request, 200, "{s:f}", "rate", aio_web_path_float(request, "rate"));
}

static int read_path(aio_http_request *request, void *arg)
{
    return aio_web_json(request, 200, "{s:s}", "path", aio_web_path_text(request, "path"));
}

struct query {
    int64_t number;
    double rate;
    bool flag;
    const char **names;
    size_t name_count;
    const char *colour;
};

static const aio_web_field query_fields[] = {
    {AIO_WEB_FIELD(struct query, rate, AIO_WEB_FLOAT)},
    {AIO_WEB_FIELD(struct query, number, AIO_WEB_INT), .optional = true, .has_minimum = true,
     .minimum = 0, .has_maximum = true, .maximum = 100, .exclusive_maximum = true},
    {AIO_WEB_FIELD(struct query, flag, AIO_WEB_BOOL), .optional = true},
    {AIO_WEB_FIELD(struct query, names, AIO_WEB_STRING), AIO_WEB_COUNT(struct query, name_count),
     .optional = true, .max_length = 3},
    {AIO_WEB_FIELD(struct query, colour, AIO_WEB_STRING), .optional = true, .choices = colours},
};
static const aio_web_model query_model = AIO_WEB_MODEL(struct query, query_fields);

static int read_query(aio_http_request *request, void *arg)
{
    struct query query = {.number = 7, .colour = "red"};
    int err = aio_web_params(request, &query_model, &query);

    return err < 0 ? err : aio_web_send(request, 200, &query_model, &query);
}

struct inner {
    int64_t x;
};

static const aio_web_field inner_fields[] = {{AIO_WEB_FIELD(struct inner, x, AIO_WEB_INT)}};
static const aio_web_model inner_model = AIO_WEB_MODEL(struct inner, inner_fields);

struct item {
    const char *name;
    double price;
    const char **tags;
    size_t tag_count;
    bool offer;
    struct inner inner;
};

static const aio_web_field item_fields[] = {
    {AIO_WEB_FIELD(struct item, name, AIO_WEB_STRING), .min_length = 1, .max_length = 5},
    {AIO_WEB_FIELD(struct item, price, AIO_WEB_FLOAT), .has_minimum = true, .minimum = 0,
     .exclusive_minimum = true},
    {AIO_WEB_FIELD(struct item, tags, AIO_WEB_STRING), AIO_WEB_COUNT(struct item, tag_count)},
    {AIO_WEB_FIELD(struct item, offer, AIO_WEB_BOOL), .optional = true},
    {AIO_WEB_FIELD(struct item, inner, AIO_WEB_OBJECT), .model = &inner_model},
};
static const aio_web_model item_model = AIO_WEB_MODEL(struct item, item_fields);

static int create_item(aio_http_request *request, void *arg)
{
    struct item item = {0};
    int err = aio_web_body(request, &item_model, &item);

    return err < 0 ? err : aio_web_send(request, 201, &item_model, &item);
}

struct who {
    const char *x_token;
    int64_t session;
};

static const aio_web_field token_fields[] = {{AIO_WEB_FIELD(struct who, x_token, AIO_WEB_STRING)}};
static const aio_web_model token_model = AIO_WEB_MODEL(struct who, token_fields);
static const aio_web_field session_fields[] = {{AIO_WEB_FIELD(struct who, session, AIO_WEB_INT)}};
static const aio_web_model session_model = AIO_WEB_MODEL(struct who, session_fields);

static int read_token(aio_http_request *request, void *arg)
{
    struct who who = {0};
    int err = aio_web_read(request, AIO_WEB_FROM_HEADERS, &token_model, &who);

    return err < 0 ? err : aio_web_json(request, 200, "{s:s}", "token", who.x_token);
}

static int read_session(aio_http_request *request, void *arg)
{
    struct who who = {0};
    int err = aio_web_read(request, AIO_WEB_FROM_COOKIES, &session_model, &who);

    return err < 0 ? err : aio_web_json(request, 200, "{s:I}", "session", who.session);
}

static int refuse(aio_http_request *request, void *arg)
{
    return aio_web_abort(request, 404, "no item");
}

static int fail(aio_http_request *request, void *arg)
{
    return aio_raise(AIO_EVALUE, "on purpose");
}

static int redirect(aio_http_request *request, void *arg)
{
    return aio_web_redirect(request, 0, "/slash/");
}

static int give_cookie(aio_http_request *request, void *arg)
{
    int err = aio_web_set_cookie(request, "a", "b", 60, true);

    return err < 0 ? err : aio_web_text(request, 200, "baked");
}

static int say(aio_http_request *request, void *arg)
{
    return aio_web_html(request, 200, "<p>");
}

int main(void)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    AIO_AUTO(aio_web) router = aio_web_new();
    aio_web_options options = AIO_WEB_OPTIONS_INIT;
    int err = aio_web_get(app, "/items/{id:int}", read_item, NULL);

    err = err < 0 ? err : aio_web_get(app, "/rates/{rate:float}", read_rate, NULL);
    err = err < 0 ? err : aio_web_get(app, "/files/{path:path}", read_path, NULL);
    err = err < 0 ? err : aio_web_get(app, "/query", read_query, NULL);
    err = err < 0 ? err : aio_web_post(app, "/items", create_item, NULL);
    err = err < 0 ? err : aio_web_get(app, "/token", read_token, NULL);
    err = err < 0 ? err : aio_web_get(app, "/session", read_session, NULL);
    err = err < 0 ? err : aio_web_get(app, "/refuse", refuse, NULL);
    err = err < 0 ? err : aio_web_get(app, "/fail", fail, NULL);
    err = err < 0 ? err : aio_web_get(app, "/redirect", redirect, NULL);
    err = err < 0 ? err : aio_web_get(app, "/cookie", give_cookie, NULL);
    err = err < 0 ? err : aio_web_get(router, "/slash/", say, NULL);
    err = err < 0 ? err : aio_web_include(app, "", router);
    err = err < 0 ? err : aio_web_include(app, "/more", router);
    if (err < 0)
        return EXIT_FAILURE;
    options.http.port = -1;
    return aio_web_run(app, &options);
}
