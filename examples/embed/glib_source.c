/* SPDX-License-Identifier: MIT */
/*
 * glib_source.c - prepare() has the loop's timeout, check() its descriptor, dispatch() its step
 */
#include "glib_source.h"

struct source {
    GSource base;
    gpointer tag; /* of the descriptor */
    aio_loop *loop;
    int code;
};

static gboolean source_prepare(GSource *base, gint *timeout)
{
    *timeout = aio_loop_timeout(((struct source *)base)->loop);
    return *timeout == 0;
}

/* The timeout is over, or the descriptor readable. */
static gboolean source_check(GSource *base)
{
    struct source *source = (struct source *)base;

    return g_source_query_unix_fd(base, source->tag) != 0 || aio_loop_timeout(source->loop) == 0;
}

static gboolean source_dispatch(GSource *base, GSourceFunc callback, gpointer data)
{
    struct source *source = (struct source *)base;

    source->code = aio_loop_step(source->loop);
    return callback == NULL ? G_SOURCE_CONTINUE : callback(data);
}

GSource *glib_source_new(aio_loop *loop)
{
    static GSourceFuncs functions = {
        .prepare = source_prepare,
        .check = source_check,
        .dispatch = source_dispatch,
    };
    struct source *source = (struct source *)g_source_new(&functions, sizeof(*source));

    source->loop = loop;
    source->tag = g_source_add_unix_fd(&source->base, aio_loop_fd(loop), G_IO_IN);
    return &source->base;
}

int glib_source_code(const GSource *source)
{
    return ((const struct source *)source)->code;
}
