/* SPDX-License-Identifier: MIT */
/*
 * stdio.h - the standard streams of a child to be
 *
 * For src/process.
 */
#ifndef AIO__STDIO_H
#define AIO__STDIO_H

#include <aio/subprocess.h>

struct aio__stdio {
    int child[3];  /* what it gets, by descriptors of ours; -1: the program's own */
    bool owned[3]; /* of these: to be closed once the child has them */
    int ours[3];   /* the other ends of pipes, non-blocking; -1: no pipe */
};

/* Open what the options say; `by_default` stands for AIO_SUBPROCESS_DEFAULT. 0, or a raised code:
 * nothing is open then. */
int aio__stdio_open(struct aio__stdio *stdio, const aio_subprocess_options *options,
                    int by_default);

/* The child has its own, or will never be. */
void aio__stdio_close_childs(struct aio__stdio *stdio);

/* Close our ends, those that nobody has taken by setting them to -1. */
void aio__stdio_close_ours(struct aio__stdio *stdio);

#endif
