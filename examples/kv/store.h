/* SPDX-License-Identifier: MIT */
/*
 * store.h - words and their values, some of which are forgotten after a while
 */
#ifndef STORE_H
#define STORE_H

#include <aio/aio.h>

struct store;

/* NULL when memory is short. The loop is borrowed. */
struct store *store_new(aio_loop *loop);
void store_free(struct store *store);

/* Remember a copy of the value for so many seconds, or AIO_FOREVER. */
int store_set(struct store *store, const char *key, const char *value, double seconds);

/* The value, borrowed until the key is set again or forgotten; or NULL. */
const char *store_get(const struct store *store, const char *key);

#endif
