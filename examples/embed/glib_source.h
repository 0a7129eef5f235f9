/* SPDX-License-Identifier: MIT */
/*
 * glib_source.h - a loop of aioc's as a source of GLib's
 *
 * Each step that the main context dispatches is followed by the source's callback, if it has one:
 * g_source_set_callback(). A program takes this file and glib_source.c as they are.
 *
 * Thread: that which runs the main context.
 */
#ifndef EXAMPLES_EMBED_GLIB_SOURCE_H
#define EXAMPLES_EMBED_GLIB_SOURCE_H

#include <aio/aio.h>
#include <glib.h>

/* To be attached; to be destroyed before the loop is closed, which it borrows. */
GSource *glib_source_new(aio_loop *loop);

/* What the last step gave: 0 or more, or a negative code. */
int glib_source_code(const GSource *source);

#endif
