/* SPDX-License-Identifier: MIT */
/*
 * glib_host.c - driven by GLib's main loop, as in a program with GTK
 */
#include "glib_source.h"
#include "guest.h"

#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>

struct host {
    GMainLoop *main_loop;
    GSource *source;
    struct guest guest;
    bool input_ended;
    unsigned long turns;
    int err;
};

static void quit_when_done(struct host *host)
{
    if (host->err < 0 || (host->input_ended && host->guest.open == 0))
        g_main_loop_quit(host->main_loop);
}

/* The guest has made a step. */
static gboolean after_step(gpointer data)
{
    struct host *host = data;

    host->turns++;
    if (glib_source_code(host->source) < 0)
        host->err = glib_source_code(host->source);
    quit_when_done(host);
    return G_SOURCE_CONTINUE;
}

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
    quit_when_done(host);
    return G_SOURCE_REMOVE;
}

int main(void)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    struct host host = {.guest = {.loop = loop}};

    if (loop == NULL)
        return 1;
    host.main_loop = g_main_loop_new(NULL, FALSE);
    (void)g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, input_is_ready, &host);
    host.source = glib_source_new(loop);
    g_source_set_callback(host.source, after_step, &host, NULL);
    (void)g_source_attach(host.source, NULL);

    g_main_loop_run(host.main_loop);

    guest_report(host.turns);
    if (host.err < 0)
        fprintf(stderr, "glib_host: %s\n", aio_error_text(host.err));
    g_source_destroy(host.source); /* before the descriptor is closed */
    g_source_unref(host.source);
    g_main_loop_unref(host.main_loop);
    return aio_loop_close(loop) < 0 || host.err < 0;
}
