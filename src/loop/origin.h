/* SPDX-License-Identifier: MIT */
/*
 * origin.h - where things were made: the stacks that debug mode keeps
 *
 * For src/loop, src/future and src/task. Handles carry their own; for futures, whose size counts, the loop
 * keeps a table. Memory that is short costs the stack, and nothing else.
 */
#ifndef AIO__ORIGIN_H
#define AIO__ORIGIN_H

#include "loop/loop_internal.h"

/* There is room for frames of our own, which are not shown. */
enum { AIO__ORIGIN_DEPTH = AIO_DEBUG_STACK_DEPTH, AIO__ORIGIN_PLACES = AIO__ORIGIN_DEPTH + 4 };

struct aio__origin {
    struct aio__origin *next; /* in the table */
    const void *object;
    size_t count;
    const void *places[AIO__ORIGIN_PLACES]; /* the newest first */
};

/* The stack the caller is on; to be freed. NULL: no memory. */
struct aio__origin *aio__origin_capture(void);

/* Note where an object of the loop's thread was made. False: no memory. */
bool aio__origin_note(aio_loop *loop, const void *object);
void aio__origin_forget(aio_loop *loop, const void *object);
const struct aio__origin *aio__origin_find(const aio_loop *loop, const void *object);

/* "WHAT created at (most recent call last):" and the lines; to be freed. NULL: no memory, or no
 * origin. */
char *aio__origin_text(const struct aio__origin *origin, const char *what);

#endif
