/* SPDX-License-Identifier: MIT */
/*
 * loop_executor.h - an executor that runs its jobs in the thread of a loop
 *
 * For what has to stay in one thread, a library or a device, while that thread has a loop of its
 * own to run: jobs come in between its other callbacks.
 */
#ifndef LOOP_EXECUTOR_H
#define LOOP_EXECUTOR_H

#include <aio/executor.h>

/*
 * Make an executor and its thread, which runs a new loop. To be shut down, which ends the loop and
 * the thread, and then aio_executor_unref()ed. NULL on failure.
 */
aio_executor *loop_executor_new(void);

/* The loop, for as long as the executor is not shut down: to run tasks on beside the jobs. */
aio_loop *loop_executor_loop(aio_executor *executor);

#endif
