/* SPDX-License-Identifier: MIT */
/*
 * places.h - the names of places in the program, each looked up once
 *
 * A hundred thousand tasks wait in a handful of places, and to look a place up takes as long as to
 * write a thousand lines.
 */
#ifndef AIO__PLACES_H
#define AIO__PLACES_H

#include "base/backtrace.h"
#include "base/lines.h"

struct aio__place {
    const void *address;
    struct aio__symbol symbol;
    struct aio__line line;
};

struct aio__places {
    struct aio__place **table; /* hashed by address; open; NULL: nothing was asked yet */
    size_t size;
    size_t count;
    struct aio__lines *lines; /* open while places are asked for; NULL: nothing was asked yet, or
                                 there are none */
};

/* What is known of a place; borrowed. NULL: no memory. Start with all zero. */
const struct aio__place *aio__places_find(struct aio__places *places, const void *address);

void aio__places_free(struct aio__places *places);

#endif
