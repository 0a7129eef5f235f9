/* SPDX-License-Identifier: MIT */
/*
 * hello_web.c - a small web service: routes, parameters, JSON in and out, middleware, start and end
 *
 *     hello_web [PORT [WORKERS]]
 *
 *     curl localhost:8000/items/3?q=nice
 *     curl -d '{"name": "cup", "price": 2.5}' localhost:8000/items
 */
#include <aio/aio.h>
#include <aio/web_model.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- what is sent and received ---------------------------------------------------------- */

struct item {
    const char *name;
    double price;
    bool offer;
};

static const aio_web_field item_fields[] = {
    {AIO_WEB_FIELD(struct item, name, AIO_WEB_STRING), .min_length = 1, .max_length = 50},
    {AIO_WEB_FIELD(struct item, price, AIO_WEB_FLOAT), .has_minimum = true, .minimum = 0},
    {AIO_WEB_FIELD(struct item, offer, AIO_WEB_BOOL), .optional = true},
};
static const aio_web_model item_model = AIO_WEB_MODEL(struct item, item_fields);

/* --- handlers --------------------------------------------------------------------------- */

static int hello(aio_http_request *request, void *arg)
{
    return aio_web_json(request, 200, "{s:s}", "message", "Hello, World!");
}

static int read_item(aio_http_request *request, void *arg)
{
    int64_t id = aio_web_path_int(request, "id");

    if (id > 99)
        return aio_web_abort(request, 404, "Item not found");
    return aio_web_json(request, 200, "{s:I, s:s}", "id", id, "q", aio_web_query(request, "q"));
}

static int create_item(aio_http_request *request, void *arg)
{
    struct item item = {0};
    int err = aio_web_body(request, &item_model, &item);

    return err < 0 ? err : aio_web_send(request, 201, &item_model, &item);
}

/* Blocks a thread, not the loop. */
static int slow(aio_http_request *request, void *arg)
{
    usleep(100000);
    return aio_web_text(request, 200, "done\n");
}

/* One line at a time, as long as the client listens. */
static int count(aio_http_request *request, void *arg)
{
    char line[40];
    int err = aio_http_stream(request, 200, "text/plain", AIO_HTTP_UNKNOWN_LENGTH);

    for (int i = 1; err == 0 && i <= 3; i++) {
        err = aio_http_write(request, line, (size_t)snprintf(line, sizeof(line), "%d\n", i));
        if (err == 0)
            err = aio_sleep(0.05);
    }
    return err;
}

/* --- around them ------------------------------------------------------------------------ */

/* Says how long the rest took. */
static int measure(aio_http_request *request, aio_web_next *next, void *arg)
{
    double began = aio_loop_time(aio_get_running_loop());
    int err = aio_web_call_next(request, next);
    char text[40];

    (void)snprintf(text, sizeof(text), "%.6f", aio_loop_time(aio_get_running_loop()) - began);
    (void)aio_http_add_header(request, "x-process-time", text); /* too late for a stream */
    return err;
}

static int open_shop(aio_web *app, void *arg)
{
    printf("open\n");
    return 0;
}

static int close_shop(aio_web *app, void *arg)
{
    printf("closed\n");
    return 0;
}

static int build(aio_web *app)
{
    int err = aio_web_get(app, "/", hello, NULL);

    if (err == 0)
        err = aio_web_get(app, "/items/{id:int}", read_item, NULL);
    if (err == 0)
        err = aio_web_post(app, "/items", create_item, NULL);
    if (err == 0)
        err = aio_web_route(app, "GET", "/slow", AIO_WEB_BLOCKING, slow, NULL);
    if (err == 0)
        err = aio_web_get(app, "/count", count, NULL);
    if (err == 0)
        err = aio_web_add_middleware(app, measure, NULL);
    if (err == 0)
        err = aio_web_on_startup(app, open_shop, NULL);
    if (err == 0)
        err = aio_web_on_shutdown(app, close_shop, NULL);
    return err;
}

int main(int argc, char **argv)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_web_options options = AIO_WEB_OPTIONS_INIT;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1)
        options.http.port = atoi(argv[1]);
    if (argc > 2)
        options.workers = (unsigned)atoi(argv[2]);
    if (app == NULL || build(app) < 0)
        return EXIT_FAILURE;
    return aio_web_run(app, &options);
}
