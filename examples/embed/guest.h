/* SPDX-License-Identifier: MIT */
/*
 * guest.h - what the hosts of this folder have aioc do: answer lines of text
 *
 *     WORD        in a thread, since that takes long: "WORD -> DROW"
 *     wait TIME   after so many seconds: "waited TIME"
 *
 * Lines are answered at the same time, each by a task.
 *
 * Thread: the loop's.
 */
#ifndef EXAMPLES_EMBED_GUEST_H
#define EXAMPLES_EMBED_GUEST_H

#include <aio/aio.h>

enum { MAX_LINE = 256 };

struct guest {
    aio_loop *loop; /* borrowed */
    size_t open;    /* lines that are not answered */
    size_t used;
    char text[MAX_LINE]; /* that waits for the end of its line */
};

/* A coroutine: answer the line that is its argument, on standard output. */
int guest_answer(void *arg, void **ret_result);

/* Take some bytes of input, and begin to answer the lines that are whole. 0, or a negative code. */
int guest_take(struct guest *guest, const char *bytes, size_t size);

/* Say on standard error how often the host has run the loop. */
void guest_report(unsigned long turns);

#endif
