/* SPDX-License-Identifier: MIT */
/*
 * spares.h - memory for what readers buffer, passed on from one to the next
 *
 * For inbuf.c and reader.c. A connection that waits has no buffer, one that gets data needs one for
 * as long as it takes to read them: so few are in use at a time, and the one that was used last,
 * which the processor's caches still have, is used next.
 *
 * Thread: the loop's.
 */
#ifndef AIO__SPARES_H
#define AIO__SPARES_H

#include <aio/common.h>

#include <stddef.h>

/* The two kinds, by how many bytes they are for; one more fits behind them. */
enum { AIO__SPARE_SMALL = 8 * 1024, AIO__SPARE_LARGE = 64 * 1024 };

/* Memory for so many bytes and one: a spare one if it is of one of the kinds. NULL: no memory.
 * loop may be NULL: then nothing is spare. */
char *aio__spare_take(aio_loop *loop, size_t capacity);

/* Give memory back that was for so many; NULL is allowed. */
void aio__spare_give(aio_loop *loop, char *memory, size_t capacity);

/* The large one that aio__spare_take() would give next, to be read into meanwhile; it stays where
 * it is. NULL: no memory. */
char *aio__spare_look(aio_loop *loop);

#endif
