/* SPDX-License-Identifier: MIT */
/*
 * router.c - from a path to a route
 *
 * A tree of segments: fixed ones are found by bisection, a parameter takes what none of them is. Where
 * both fit, the fixed one is tried first, and the parameter if nothing was found behind it; paths
 * are as deep as the routes are at most, so that takes no longer than the routes allow.
 *
 * Thread: any, one at a time while routes are added; afterwards any number.
 */
#include "http/web/router.h"

#include "http/common/bytes.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <string.h>

/* --- building --------------------------------------------------------------------------- */

static char *copy_text(const char *text, size_t size)
{
    char *copy = aio_malloc(size + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static int compare(const struct aio__web_node *node, const char *text, size_t size)
{
    if (node->size != size)
        return node->size < size ? -1 : 1;
    return memcmp(node->text, text, size);
}

/* Where a fixed segment is, or would be. */
static size_t place_of(const struct aio__web_node *node, const char *text, size_t size, bool *found)
{
    size_t low = 0;
    size_t high = node->fixed_count;

    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(node->fixed[middle], text, size);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct aio__web_node *add_fixed(struct aio__web_node *node, const char *text, size_t size)
{
    struct aio__web_node **fixed;
    struct aio__web_node *child;
    bool found;
    size_t place = place_of(node, text, size, &found);

    if (found)
        return node->fixed[place];
    fixed = aio_realloc(node->fixed, (node->fixed_count + 1) * sizeof(struct aio__web_node *));
    if (fixed == NULL)
        return NULL;
    node->fixed = fixed;
    child = aio_calloc(1, sizeof(*child));
    if (child == NULL)
        return NULL;
    child->text = copy_text(text, size);
    child->size = size;
    if (child->text == NULL) {
        aio_free(child);
        return NULL;
    }
    memmove(fixed + place + 1, fixed + place,
            (node->fixed_count - place) * sizeof(struct aio__web_node *));
    fixed[place] = child;
    node->fixed_count++;
    return child;
}

static void route_free(struct aio__web_route *route)
{
    for (size_t i = 0; i < route->param_count; i++)
        aio_free(route->params[i].name);
    aio_free(route->method);
    aio_free(route->path);
    aio_free(route);
}

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                      text[i] == '_';

        if (!letter && (i == 0 || text[i] < '0' || text[i] > '9'))
            return false;
    }
    return size > 0;
}

/* "{name:int}" */
static int add_param(struct aio__web_route *route, const char *text, size_t size)
{
    static const char *const types[] = {"str", "int", "float", "path"};
    const char *colon = memchr(text, ':', size);
    size_t name_size = colon == NULL ? size - 2 : (size_t)(colon - text) - 1;
    struct aio__web_param *param = &route->params[route->param_count];

    if (route->param_count == AIO__WEB_MAX_PARAMS || !is_name(text + 1, name_size))
        return aio_raise(AIO_EVALUE, "not a parameter, or too many: %.*s", (int)size, text);
    param->type = AIO__PARAM_TEXT;
    if (colon != NULL) {
        size_t type_size = size - name_size - 3;
        size_t i = 0;

        while (i < 4 &&
               (strlen(types[i]) != type_size || memcmp(types[i], colon + 1, type_size) != 0))
            i++;
        if (i == 4)
            return aio_raise(AIO_EVALUE, "a parameter of no type: %.*s", (int)size, text);
        param->type = (enum aio__web_param_type)i;
    }
    param->name = copy_text(text + 1, name_size);
    if (param->name == NULL)
        return AIO_ENOMEM;
    route->param_count++;
    return 0;
}

/* Put the route where its path leads. */
static int place_route(struct aio__web_route **list, struct aio__web_route *route)
{
    while (*list != NULL) {
        if (strcmp((*list)->method, route->method) == 0)
            return aio_raise(AIO_EKEY, "there is a route for this method and path");
        list = &(*list)->next;
    }
    *list = route;
    return 0;
}

static int add_segments(struct aio__web_node *node, struct aio__web_route *route, const char *path)
{
    while (*path == '/') {
        size_t size = strcspn(++path, "/");
        int err = 0;

        if (size > 1 && path[0] == '{' && path[size - 1] == '}') {
            err = add_param(route, path, size);
            if (err == 0 && route->params[route->param_count - 1].type == AIO__PARAM_PATH)
                return path[size] == '\0' ? place_route(&node->rest, route)
                                          : aio_raise(AIO_EVALUE, "a path is the last parameter");
            if (err == 0 && node->param == NULL)
                node->param = aio_calloc(1, sizeof(*node));
            node = node->param;
        } else if (memchr(path, '{', size) != NULL || memchr(path, '}', size) != NULL) {
            err = aio_raise(AIO_EVALUE, "a parameter is a whole segment: %s", path);
        } else {
            node = add_fixed(node, path, size);
        }
        if (err < 0)
            return err;
        if (node == NULL)
            return AIO_ENOMEM;
        path += size;
    }
    return place_route(&node->routes, route);
}

int aio__web_router_add(struct aio__web_node *root, const char *method, const char *path,
                        enum aio_web_kind kind, aio_http_handler_fn handler, void *arg)
{
    struct aio__web_route *route;
    int err;

    if (path == NULL || *path != '/' || method == NULL || *method == '\0' || handler == NULL)
        return aio_raise(AIO_EVALUE, "a route has a method, a path from / on, and a handler");
    route = aio_calloc(1, sizeof(*route));
    if (route == NULL)
        return AIO_ENOMEM;
    route->kind = kind;
    route->handler = handler;
    route->arg = arg;
    route->method = aio_strdup(method);
    route->path = aio_strdup(path);
    err =
        route->method == NULL || route->path == NULL ? AIO_ENOMEM : add_segments(root, route, path);
    if (err < 0)
        route_free(route);
    return err;
}

/* --- including -------------------------------------------------------------------------- */

static int include_routes(struct aio__web_node *root, const char *prefix,
                          const struct aio__web_route *route)
{
    struct aio__bytes path = {0};
    int err = 0;

    for (; route != NULL && err == 0; route = route->next) {
        path.size = 0;
        err = aio__bytes_format(&path, "%s%s", prefix, route->path);
        if (err == 0)
            err = aio__web_router_add(root, route->method, path.data, route->kind, route->handler,
                                      route->arg);
    }
    aio__bytes_free(&path);
    return err;
}

int aio__web_router_include(struct aio__web_node *root, const char *prefix,
                            const struct aio__web_node *other)
{
    int err = include_routes(root, prefix, other->routes);

    if (err == 0)
        err = include_routes(root, prefix, other->rest);
    for (size_t i = 0; i < other->fixed_count && err == 0; i++)
        err = aio__web_router_include(root, prefix, other->fixed[i]);
    if (err == 0 && other->param != NULL)
        err = aio__web_router_include(root, prefix, other->param);
    return err;
}

/* --- the end ---------------------------------------------------------------------------- */

static void free_routes(struct aio__web_route *route)
{
    while (route != NULL) {
        struct aio__web_route *next = route->next;

        route_free(route);
        route = next;
    }
}

void aio__web_router_clear(struct aio__web_node *node)
{
    for (size_t i = 0; i < node->fixed_count; i++) {
        aio__web_router_clear(node->fixed[i]);
        aio_free(node->fixed[i]);
    }
    if (node->param != NULL)
        aio__web_router_clear(node->param);
    aio_free(node->param);
    aio_free(node->fixed);
    aio_free(node->text);
    free_routes(node->routes);
    free_routes(node->rest);
    *node = (struct aio__web_node){0};
}

/* --- finding ---------------------------------------------------------------------------- */

/* Note a parameter's text; it is forgotten again if that leads nowhere. */
static void push(struct aio__web_match *match, const char *text, size_t size)
{
    if (match->count < AIO__WEB_MAX_PARAMS) {
        match->values[match->count].text = text;
        match->values[match->count].size = size;
    }
    match->count++;
}

static bool find(const struct aio__web_node *node, const char *path, const char *end,
                 struct aio__web_match *match)
{
    const char *stop;
    size_t size;
    bool found;
    size_t place;

    if (path == end) {
        match->routes = node->routes;
        return node->routes != NULL;
    }
    path++; /* the slash */
    stop = memchr(path, '/', (size_t)(end - path));
    if (stop == NULL)
        stop = end;
    size = (size_t)(stop - path);
    place = place_of(node, path, size, &found);
    if (found && find(node->fixed[place], stop, end, match))
        return true;
    if (node->param != NULL && size > 0) {
        push(match, path, size);
        if (find(node->param, stop, end, match))
            return true;
        match->count--;
    }
    if (node->rest == NULL)
        return false;
    push(match, path, (size_t)(end - path));
    match->routes = node->rest;
    return true;
}

bool aio__web_router_find(const struct aio__web_node *root, const char *path, size_t size,
                          struct aio__web_match *ret_match)
{
    ret_match->routes = NULL;
    ret_match->count = 0;
    return size > 0 && *path == '/' && find(root, path, path + size, ret_match);
}
