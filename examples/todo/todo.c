/* SPDX-License-Identifier: MIT */
/*
 * todo.c - a JSON service over MySQL and redis
 *
 *     todo [PORT]
 *
 *     POST   /todos           {"title": "...", "done": false}   201 with its id
 *     GET    /todos           those that are not done; ?all=true, ?limit=10
 *     GET    /todos/{id}
 *     PUT    /todos/{id}      {"title": "...", "done": true}
 *     DELETE /todos/{id}      204
 *
 * store.h says where MySQL and redis are.
 */
#include "store.h"

#include <aio/aio.h>
#include <aio/web_model.h>
#include <stdio.h>
#include <stdlib.h>

/* --- what is sent and received ---------------------------------------------------------- */

static const aio_web_field todo_fields[] = {
    {AIO_WEB_FIELD(struct todo, id, AIO_WEB_INT), .optional = true},
    {AIO_WEB_FIELD(struct todo, title, AIO_WEB_STRING), .min_length = 1, .max_length = 200},
    {AIO_WEB_FIELD(struct todo, done, AIO_WEB_BOOL), .optional = true},
};
static const aio_web_model todo_model = AIO_WEB_MODEL(struct todo, todo_fields);

struct listing {
    bool all;
    int64_t limit;
};

static const aio_web_field listing_fields[] = {
    {AIO_WEB_FIELD(struct listing, all, AIO_WEB_BOOL), .optional = true},
    {AIO_WEB_FIELD(struct listing, limit, AIO_WEB_INT), .optional = true, .has_minimum = true,
     .minimum = 1, .has_maximum = true, .maximum = 1000},
};
static const aio_web_model listing_model = AIO_WEB_MODEL(struct listing, listing_fields);

/* --- handlers --------------------------------------------------------------------------- */

/* What the store does not have is the client's mistake; the rest is ours. */
static int pass_on(aio_http_request *request, int err)
{
    return err == AIO_EKEY ? aio_web_abort(request, 404, "Todo not found") : err;
}

static int list_todos(aio_http_request *request, void *arg)
{
    struct listing listing = {.limit = 100};
    struct todo_list list;
    int err = aio_web_params(request, &listing_model, &listing);

    if (err == 0)
        err = store_list(arg, request, listing.all, listing.limit, &list);
    return err < 0 ? err : aio_web_send_list(request, 200, &todo_model, list.items, list.count);
}

static int create_todo(aio_http_request *request, void *arg)
{
    struct todo todo = {0};
    int err = aio_web_body(request, &todo_model, &todo);

    if (err == 0)
        err = store_add(arg, &todo);
    return err < 0 ? err : aio_web_send(request, 201, &todo_model, &todo);
}

static int read_todo(aio_http_request *request, void *arg)
{
    struct todo todo;
    int err = store_find(arg, request, aio_web_path_int(request, "id"), &todo);

    return err < 0 ? pass_on(request, err) : aio_web_send(request, 200, &todo_model, &todo);
}

static int change_todo(aio_http_request *request, void *arg)
{
    struct todo todo = {0};
    int err = aio_web_body(request, &todo_model, &todo);

    if (err < 0)
        return err;
    todo.id = aio_web_path_int(request, "id");
    err = store_change(arg, &todo);
    return err < 0 ? pass_on(request, err) : aio_web_send(request, 200, &todo_model, &todo);
}

static int delete_todo(aio_http_request *request, void *arg)
{
    int err = store_remove(arg, aio_web_path_int(request, "id"));

    return err < 0 ? pass_on(request, err) : aio_http_respond(request, 204, NULL, NULL, 0);
}

/* --- the service ------------------------------------------------------------------------ */

static int prepare(aio_web *app, void *arg)
{
    return store_prepare(arg);
}

static int build(aio_web *app, struct store *store)
{
    int err = aio_web_on_startup(app, prepare, store);

    if (err == 0)
        err = aio_web_get(app, "/todos", list_todos, store);
    if (err == 0)
        err = aio_web_post(app, "/todos", create_todo, store);
    if (err == 0)
        err = aio_web_get(app, "/todos/{id:int}", read_todo, store);
    if (err == 0)
        err = aio_web_put(app, "/todos/{id:int}", change_todo, store);
    if (err == 0)
        err = aio_web_delete(app, "/todos/{id:int}", delete_todo, store);
    return err;
}

int main(int argc, char **argv)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_web_options options = AIO_WEB_OPTIONS_INIT;
    struct store store = {0};
    int status = EXIT_FAILURE;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1)
        options.http.port = atoi(argv[1]);
    if (app != NULL && store_open(&store) == 0 && build(app, &store) == 0)
        status = aio_web_run(app, &options);
    store_close(&store);
    return status;
}
