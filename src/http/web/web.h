/* SPDX-License-Identifier: MIT */
/* web.h - for src/http/web: an application, and what it knows of a request */
#ifndef HTTP_WEB_WEB_H
#define HTTP_WEB_WEB_H

#include "http/server/request.h"
#include "http/web/router.h"

#include <stdatomic.h>

struct aio__web_middleware {
    aio_web_middleware_fn fn;
    void *arg;
};

struct aio__web_hook {
    aio_web_lifespan_fn fn;
    void *arg;
};

struct aio__web_hooks {
    struct aio__web_hook *all;
    size_t count;
};

/* A folder whose files are served. */
struct aio__web_folder {
    struct aio__web_folder *next;
    char *root; /* absolute, without links */
};

/* Workers of several threads share it; it is not changed once it serves. */
struct aio_web {
    atomic_size_t refs;
    struct aio__web_node root;
    struct aio__web_middleware *middleware; /* in the order added */
    size_t middleware_count;
    struct aio__web_hooks startup;
    struct aio__web_hooks shutdown;
    struct aio__web_folder *folders; /* owned; routes have them as arguments */
    aio_web **included;              /* referenced, for what their routes have as arguments */
    size_t included_count;
};

/* A parameter's value, of whatever type. */
struct aio__web_value {
    const char *text;
    int64_t integer;
    double number;
};

/* A name and its value, of a query, form or cookie. */
struct aio__web_pair {
    const char *name;
    const char *value;
};

struct aio__web_pairs {
    struct aio__web_pair *all; /* NULL: not looked for yet */
    size_t count;
};

/* request->web, in the request's memory. */
struct aio__web_data {
    const struct aio__web_route *route; /* NULL: none yet */
    struct aio__web_value values[AIO__WEB_MAX_PARAMS];
    struct aio__web_pairs query;
    struct aio__web_pairs form;
    aio_web_upload *uploads;
    size_t upload_count;
    bool form_read;
    struct aio__web_pairs cookies;
};

/* That of a request, made when first asked for. NULL: memory is short. */
struct aio__web_data *aio__web_data_of(aio_http_request *request);

/* Free them all. */
void aio__web_folders_free(struct aio__web_folder *folder);

/* Run a blocking handler in a thread, and wait for it whatever happens. */
int aio__web_run_blocking(aio_http_request *request, const struct aio__web_route *route);

/* The pairs of a query or form: 0, AIO_ENOMEM. */
int aio__web_parse_pairs(aio_http_request *request, const char *text, size_t size,
                         struct aio__web_pairs *pairs);
int aio__web_parse_query(aio_http_request *request, struct aio__web_data *data);
int aio__web_parse_cookies(aio_http_request *request, struct aio__web_pairs *cookies);

/* The form in the body, if there is one: 0, AIO_HTTP_EABORT, and as aio_http_request_body(). */
int aio__web_parse_form(aio_http_request *request, struct aio__web_data *data);

/* The answer that is `content`, as JSON; err: what writing it gave. */
int aio__web_finish_json(aio_http_request *request, int status, int err);

/* Numbers as pydantic reads them from text. */
bool aio__web_read_int(const char *text, int64_t *ret_value);
bool aio__web_read_float(const char *text, double *ret_value);

#endif
