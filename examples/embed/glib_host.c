/* SPDX-License-Identifier: MIT */
/*
 * glib_host.c - driven by GLib's main loop, as in a program with GTK
 *
 * The guest is a GSource: prepare() has its timeout, check() its descriptor, dispatch() its step.
 */
#include "guest.h"

#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>

struct host {
    GMainLoop *main_loop;
    struct guest guest;
    bool input_ended;
    unsigned long turns;
    int err;
};

/* --- aioc as a source of GLib's --------------------------------------------------------- */

struct source {
    GSource base;
    gpointer tag; /* of the descriptor */
    struct host *host;
};

static gboolean source_prepare(GSource *base, gint *timeout)
{
    struct source *source = (struct source *)base;

    *timeout = aio_loop_timeout(source->host->guest.loop);
    return *timeout == 0;
}

/* The timeout is over, or the descriptor readable. */
static gboolean source_check(GSource *base)
{
    struct source *source = (struct source *)base;

    return g_source_query_unix_fd(base, source->tag) != 0 ||
           aio_loop_timeout(source->host->guest.loop) == 0;
}

static gboolean source_dispatch(GSource *base, GSourceFunc callback, gpointer data)
{
    struct host *host = ((struct source *)base)->host;
    int more = aio_loop_step(host->guest.loop);

    (void)callback;
    (void)data;
    host->turns++;
    if (more < 0)
        host->err = more;
    if (more < 0 || (host->input_ended && host->guest.open == 0))
        g_main_loop_quit(host->main_loop);
    return G_SOURCE_CONTINUE;
}

static GSource *source_new(struct host *host)
{
    static GSourceFuncs functions = {
        .prepare = source_prepare,
        .check = source_check,
        .dispatch = source_dispatch,
    };
    struct source *source = (struct source *)g_source_new(&functions, sizeof(*source));

    source->host = host;
    source->tag = g_source_add_unix_fd(&source->base, aio_loop_fd(host->guest.loop), G_IO_IN);
    return &source->base;
}

/* --- the host's own --------------------------------------------------------------------- */

static gboolean input_is_ready(gint fd, GIOCondition condition, gpointer data)
{
    struct host *host = data;
    char bytes[4096];
    ssize_t size = read(fd, bytes, sizeof(bytes));

    (void)condition;
    if (size > 0)
        host->err = guest_take(&host->guest, bytes, (size_t)size);
    if (size > 0 && host->err == 0)
        return G_SOURCE_CONTINUE;
    host->input_ended = true;
    if (host->guest.open == 0 || host->err < 0)
        g_main_loop_quit(host->main_loop);
    return G_SOURCE_REMOVE;
}

int main(void)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    struct host host = {.guest = {.loop = loop}};
    GSource *source;

    if (loop == NULL)
        return 1;
    host.main_loop = g_main_loop_new(NULL, FALSE);
    (void)g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, input_is_ready, &host);
    source = source_new(&host);
    (void)g_source_attach(source, NULL);

    g_main_loop_run(host.main_loop);

    guest_report(host.turns);
    if (host.err < 0)
        fprintf(stderr, "glib_host: %s\n", aio_error_text(host.err));
    g_source_destroy(source); /* before the descriptor is closed */
    g_source_unref(source);
    g_main_loop_unref(host.main_loop);
    return aio_loop_close(loop) < 0 || host.err < 0;
}
