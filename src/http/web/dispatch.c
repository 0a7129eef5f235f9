/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c - from a request to its handler: middleware, routes, parameters
 *
 * Thread: the loop's.
 */
#include "http/web/web.h"

#include <aio/task.h>
#include <string.h>

struct aio_web_next {
    aio_web *app;
    size_t left; /* middleware that was not called yet */
};

struct aio__web_data *aio__web_data_of(aio_http_request *request)
{
    struct aio__web_data *data = request->web;

    if (data == NULL) {
        data = aio_http_request_alloc(request, sizeof(*data));
        if (data == NULL)
            return NULL;
        /* All of it that anybody looks at: the values go with the route. */
        data->route = NULL;
        data->query = (struct aio__web_pairs){0};
        data->form = (struct aio__web_pairs){0};
        data->uploads = NULL;
        data->upload_count = 0;
        data->form_read = false;
        data->cookies = (struct aio__web_pairs){0};
        request->web = data;
    }
    return data;
}

/* --- errors ----------------------------------------------------------------------------- */

/* 405, with the methods there are. */
static int refuse_method(aio_http_request *request, const struct aio__web_route *routes)
{
    char allow[200] = "";
    size_t used = 0;
    int err;

    for (const struct aio__web_route *route = routes; route != NULL; route = route->next) {
        size_t size = strlen(route->method);

        if (used + size + 3 > sizeof(allow))
            break;
        if (used > 0)
            used = (size_t)(stpcpy(allow + used, ", ") - allow);
        used = (size_t)(stpcpy(allow + used, route->method) - allow);
    }
    err = aio_http_add_header(request, "allow", allow);
    return err < 0 ? err : aio_web_abort(request, 405, NULL);
}

/* 422 for a parameter of the path. */
static int refuse_param(aio_http_request *request, const struct aio__web_param *param)
{
    const char *type = param->type == AIO__PARAM_INT ? "integer" : "float";
    char message[40];
    char kind[40];

    (void)stpcpy(stpcpy(message, "value is not a valid "), type);
    (void)stpcpy(stpcpy(kind, "type_error."), type);
    return aio_web_json(request, 422, "{s:[{s:[ss],s:s,s:s}]}", "detail", "loc", "path",
                        param->name, "msg", message, "type", kind);
}

/* --- routes ----------------------------------------------------------------------------- */

static const struct aio__web_route *route_of(const struct aio__web_route *routes,
                                             const char *method)
{
    while (routes != NULL && strcmp(routes->method, method) != 0)
        routes = routes->next;
    return routes;
}

/* Nothing is at a path, but with a slash more or without those at its end there is: send the client
 * there, as Starlette does. The place is told without a host, so that none can be made up. */
static int redirect_slash(aio_web *app, aio_http_request *request)
{
    const char *target = request->target;
    size_t size = strcspn(target, "?");
    size_t path_size = request->path_size;
    bool strips = path_size > 0 && request->path[path_size - 1] == '/';
    struct aio__web_match match;
    char *path = aio_http_request_alloc(request, path_size + 2);
    char *place = aio_http_request_alloc(request, strlen(target) + 2);

    if (path == NULL || place == NULL)
        return AIO_ENOMEM;
    memcpy(path, request->path, path_size);
    if (!strips)
        path[path_size++] = '/';
    while (strips && path_size > 0 && path[path_size - 1] == '/')
        path_size--;
    /* "//host" would be somebody else's place, and a slash may be written %2F. */
    if (target[0] != '/' || target[1] == '/' || (strips && target[size - 1] != '/') ||
        !aio__web_router_find(&app->root, path, path_size, &match))
        return aio_web_abort(request, 404, NULL);
    memcpy(place, target, size);
    target += size;
    if (!strips)
        place[size++] = '/';
    while (strips && place[size - 1] == '/')
        size--;
    memcpy(place + size, target, strlen(target) + 1);
    return aio_web_redirect(request, 307, place);
}

/* Read the parameters; *ret_bad is the one that is not what it should be, or NULL. */
static int read_params(aio_http_request *request, const struct aio__web_route *route,
                       const struct aio__web_match *match, const struct aio__web_param **ret_bad)
{
    struct aio__web_data *data = aio__web_data_of(request);

    *ret_bad = NULL;
    if (data == NULL)
        return AIO_ENOMEM;
    data->route = route;
    for (size_t i = 0; i < route->param_count; i++) {
        struct aio__web_value *value = &data->values[i];
        char *text = aio_http_request_alloc(request, match->values[i].size + 1);
        bool good = true;

        if (text == NULL)
            return AIO_ENOMEM;
        memcpy(text, match->values[i].text, match->values[i].size);
        text[match->values[i].size] = '\0';
        *value = (struct aio__web_value){.text = text};
        if (route->params[i].type == AIO__PARAM_INT)
            good = aio__web_read_int(text, &value->integer);
        else if (route->params[i].type == AIO__PARAM_FLOAT)
            good = aio__web_read_float(text, &value->number);
        if (!good) {
            *ret_bad = &route->params[i];
            return 0;
        }
    }
    return 0;
}

static int run_route(aio_web *app, aio_http_request *request)
{
    const struct aio__web_param *bad = NULL;
    const struct aio__web_route *route;
    struct aio__web_match match;
    int err = 0;

    if (!aio__web_router_find(&app->root, request->path, request->path_size, &match))
        return redirect_slash(app, request);
    route = route_of(match.routes, request->method);
    if (route == NULL)
        return refuse_method(request, match.routes);
    if (route->param_count > 0)
        err = read_params(request, route, &match, &bad);
    if (err < 0)
        return err;
    if (bad != NULL)
        return refuse_param(request, bad);
    return route->kind == AIO_WEB_COROUTINE ? route->handler(request, route->arg)
                                            : aio__web_run_blocking(request, route);
}

/* --- middleware ------------------------------------------------------------------------- */

int aio_web_call_next(aio_http_request *request, aio_web_next *next)
{
    aio_web_next rest;
    const struct aio__web_middleware *middleware;

    if (request == NULL || next == NULL)
        return aio_raise(AIO_EVALUE, "no request, or nothing is next");
    if (next->left == 0)
        return run_route(next->app, request);
    rest = (aio_web_next){next->app, next->left - 1};
    middleware = &next->app->middleware[rest.left];
    return middleware->fn(request, &rest, middleware->arg);
}

int aio_web_handle(aio_http_request *request, void *app)
{
    aio_web_next all = {app, ((aio_web *)app)->middleware_count};

    return aio_web_call_next(request, &all);
}
