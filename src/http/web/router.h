/* SPDX-License-Identifier: MIT */
/* router.h - for src/http/web: from a path to a route */
#ifndef HTTP_WEB_ROUTER_H
#define HTTP_WEB_ROUTER_H

#include <aio/web.h>

enum { AIO__WEB_MAX_PARAMS = 16 };

enum aio__web_param_type { AIO__PARAM_TEXT, AIO__PARAM_INT, AIO__PARAM_FLOAT, AIO__PARAM_PATH };

struct aio__web_param {
    char *name;
    enum aio__web_param_type type;
};

struct aio__web_route {
    struct aio__web_route *next; /* of the same path */
    char *method;
    char *path; /* as declared */
    enum aio_web_kind kind;
    aio_http_handler_fn handler;
    void *arg;
    size_t param_count;
    struct aio__web_param params[AIO__WEB_MAX_PARAMS];
};

/* A segment of paths, and what can follow. */
struct aio__web_node {
    char *text; /* of a fixed segment; NULL: a parameter, or the root */
    size_t size;
    struct aio__web_node **fixed; /* ordered by size, then bytes */
    size_t fixed_count;
    struct aio__web_node *param;   /* any text here; may be NULL */
    struct aio__web_route *rest;   /* routes with {name:path} here; may be NULL */
    struct aio__web_route *routes; /* of the path that ends here; may be NULL */
};

/* Where a path leads. */
struct aio__web_match {
    struct aio__web_route *routes; /* NULL: nowhere */
    size_t count;
    struct {
        const char *text; /* a part of the path */
        size_t size;
    } values[AIO__WEB_MAX_PARAMS];
};

/* Add a route to a tree. 0, AIO_EVALUE, AIO_EKEY, AIO_ENOMEM. */
int aio__web_router_add(struct aio__web_node *root, const char *method, const char *path,
                        enum aio_web_kind kind, aio_http_handler_fn handler, void *arg);

/* Add all routes of another tree behind a prefix; those added before one is refused stay. */
int aio__web_router_include(struct aio__web_node *root, const char *prefix,
                            const struct aio__web_node *other);

/* Find the routes of a path; false: there are none. */
bool aio__web_router_find(const struct aio__web_node *root, const char *path, size_t size,
                          struct aio__web_match *ret_match);

/* Free what is below and in a node, not the node itself. */
void aio__web_router_clear(struct aio__web_node *node);

#endif
