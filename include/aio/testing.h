/* SPDX-License-Identifier: MIT */
/*
 * testing.h - the test kit: time that jumps, and what a loop does when nothing can go on
 *
 * Meant for loops with AIO_CLOCK_VIRTUAL: their clock stands still while anything runs or is
 * ready, and jumps to the next timer when nothing is, so that a test of an hour's timeouts
 * takes no time and always gives the same order of events.
 */
#ifndef AIO_TESTING_H
#define AIO_TESTING_H

#include <aio/loop.h>

AIO_BEGIN_DECLS

/**
 * Set what a virtual-clock loop calls when it would block for ever: nothing is ready, no
 * timer is set and no job runs in an executor. The function may cancel tasks, queue calls or
 * stop the loop. If it leaves nothing to do the loop waits for I/O or another thread.
 *
 * @param fn  NULL: none. An error it returns goes to the exception handler.
 * Thread: the loop's.                                            Since: 0.1
 */
AIO_API void aio_testing_on_blocked(aio_loop *loop, aio_callback_fn fn, void *arg);

AIO_END_DECLS

#endif
