/* SPDX-License-Identifier: MIT */
/*
 * default.h - the default executor of a loop
 *
 * For src/executor.
 */
#ifndef AIO__DEFAULT_H
#define AIO__DEFAULT_H

#include <aio/executor.h>

/* Run a function in the default executor, whichever that is: as aio_loop_run_in_executor_with(),
 * with a loop that is open. Options are checked. */
aio_future *aio__default_run(aio_loop *loop, aio_job_fn fn, void *arg,
                             const aio_job_options *options);

#endif
