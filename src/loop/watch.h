/* SPDX-License-Identifier: MIT */
/*
 * watch.h - file descriptors that the library watches beside the user
 *
 * For src/loop and src/net: an fd is either a transport's (io.h), and then nobody may watch it
 * with aio_loop_add_reader() and its like (S126), or the user's, for whom the sock_ calls watch it.
 */
#ifndef AIO__WATCH_H
#define AIO__WATCH_H

#include <aio/loop.h>

/* Keep an fd from being watched by the user. 0, AIO_ENOMEM, or AIO_ERUNTIME if it is being watched. */
int aio__watch_reserve(aio_loop *loop, int fd);
void aio__watch_unreserve(aio_loop *loop, int fd);

/* Remove a reader or writer if its argument still is the one given: it may have been replaced. */
void aio__watch_remove_own(aio_loop *loop, int fd, bool writer, void *arg);

#endif
