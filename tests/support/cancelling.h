/* SPDX-License-Identifier: MIT */
/*
 * cancelling.h - a task that is cancelled at each point where it waits
 */
#ifndef TESTS_CANCELLING_H
#define TESTS_CANCELLING_H

#include <aio/task.h>

/*
 * Run a coroutine as a task of its own, over and over: cancelled where it waits for the first time,
 * then for the second time, and so on, until it comes to its end. At each point it is done in two
 * ways: while it waits, and when what it waited for has come and it is about to go on.
 *
 * By a task, on the loop that runs. Gives 0, or the code of a run that ended with neither 0 nor
 * AIO_ECANCELLED. *ret_points gets the number of points.
 */
int cancel_at_each_point(aio_coro_fn fn, void *arg, unsigned *ret_points);

#endif
