/* SPDX-License-Identifier: MIT */
/*
 * inspect_internal.h - what a loop keeps for those who look at it
 *
 * For src/inspect. It is there once somebody has asked for something that lasts.
 */
#ifndef AIO__INSPECT_INTERNAL_H
#define AIO__INSPECT_INTERNAL_H

#include "loop/loop_internal.h"

#include <stdio.h>

/* Tasks are to be printed when a signal comes. */
struct aio__dump_request {
    struct aio__list link;
    aio_loop *loop; /* borrowed */
    int signum;
    unsigned flags;
    FILE *file; /* borrowed; NULL: standard error */
};

/* The running loop for NULL. 0, AIO_ENOLOOP, AIO_ECLOSED, or AIO_ERUNTIME in another thread than
 * the loop's. */
int aio__inspect_loop(aio_loop **loop);

/* The request for a signal, made if there is none yet; the loop's, to its end. NULL: no memory. */
struct aio__dump_request *aio__inspect_request(aio_loop *loop, int signum);

#endif
