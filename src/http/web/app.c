/* SPDX-License-Identifier: MIT */
/*
 * app.c - an application: its routes, middleware, and what is done at its start and end
 *
 * Thread: the loop's.
 */
#include "http/web/web.h"

#include <aio/memory.h>
#include <jansson.h>

aio_web *aio_web_new(void)
{
    aio_web *app = aio_calloc(1, sizeof(*app));

    if (app == NULL)
        return NULL;
    json_object_seed(0); /* before threads could do it at the same time */
    atomic_init(&app->refs, 1);
    return app;
}

aio_web *aio_web_ref(aio_web *app)
{
    if (app != NULL)
        atomic_fetch_add_explicit(&app->refs, 1, memory_order_relaxed);
    return app;
}

void aio_web_unref(aio_web *app)
{
    if (app == NULL || atomic_fetch_sub_explicit(&app->refs, 1, memory_order_acq_rel) != 1)
        return;
    aio__web_router_clear(&app->root);
    aio_free(app->middleware);
    aio_free(app->startup.all);
    aio_free(app->shutdown.all);
    aio__web_folders_free(app->folders);
    for (size_t i = 0; i < app->included_count; i++)
        aio_web_unref(app->included[i]);
    aio_free(app->included);
    aio_free(app);
}

int aio_web_route(aio_web *app, const char *method, const char *path, aio_web_kind kind,
                  aio_http_handler_fn handler, void *arg)
{
    if (app == NULL)
        return aio_raise(AIO_EVALUE, "no application");
    return aio__web_router_add(&app->root, method, path, kind, handler, arg);
}

int aio_web_add_middleware(aio_web *app, aio_web_middleware_fn middleware, void *arg)
{
    struct aio__web_middleware *all;

    if (app == NULL || middleware == NULL)
        return aio_raise(AIO_EVALUE, "no application, or no function");
    all = aio_realloc(app->middleware, (app->middleware_count + 1) * sizeof(*all));
    if (all == NULL)
        return AIO_ENOMEM;
    all[app->middleware_count++] = (struct aio__web_middleware){middleware, arg};
    app->middleware = all;
    return 0;
}

static int add_hook(aio_web *app, struct aio__web_hooks *hooks, aio_web_lifespan_fn fn, void *arg)
{
    struct aio__web_hook *all;

    if (app == NULL || fn == NULL)
        return aio_raise(AIO_EVALUE, "no application, or no function");
    all = aio_realloc(hooks->all, (hooks->count + 1) * sizeof(*all));
    if (all == NULL)
        return AIO_ENOMEM;
    all[hooks->count++] = (struct aio__web_hook){fn, arg};
    hooks->all = all;
    return 0;
}

int aio_web_on_startup(aio_web *app, aio_web_lifespan_fn fn, void *arg)
{
    return add_hook(app, app == NULL ? NULL : &app->startup, fn, arg);
}

int aio_web_on_shutdown(aio_web *app, aio_web_lifespan_fn fn, void *arg)
{
    return add_hook(app, app == NULL ? NULL : &app->shutdown, fn, arg);
}

static int include_hooks(aio_web *app, struct aio__web_hooks *hooks,
                         const struct aio__web_hooks *others)
{
    int err = 0;

    for (size_t i = 0; i < others->count && err == 0; i++)
        err = add_hook(app, hooks, others->all[i].fn, others->all[i].arg);
    return err;
}

int aio_web_include(aio_web *app, const char *prefix, aio_web *other)
{
    aio_web **included;
    int err;

    if (app == NULL || prefix == NULL || other == NULL || app == other)
        return aio_raise(AIO_EVALUE, "two applications, and a prefix, are needed");
    included = aio_realloc(app->included, (app->included_count + 1) * sizeof(aio_web *));
    if (included == NULL)
        return AIO_ENOMEM;
    app->included = included;
    included[app->included_count++] = aio_web_ref(other);
    err = aio__web_router_include(&app->root, prefix, &other->root);
    if (err == 0)
        err = include_hooks(app, &app->startup, &other->startup);
    return err < 0 ? err : include_hooks(app, &app->shutdown, &other->shutdown);
}
