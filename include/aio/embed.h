/* SPDX-License-Identifier: MIT */
/*
 * embed.h - a loop that somebody else's loop drives
 *
 * A host with a uv_loop_t gives it to aio_loop_new() and has nothing more to do. A host with
 * another loop (poll, epoll, GLib, ...) watches one descriptor:
 *
 *     struct pollfd pfd = {aio_loop_fd(loop), POLLIN, 0};
 *
 *     while (running) {
 *         poll(&pfd, 1, aio_loop_timeout(loop));
 *         aio_loop_step(loop);
 *     }
 *
 * A program with threads and no loop opens a portal: portal.h.
 *
 * Nothing is missed if the host asks for the timeout before each wait, and steps when the
 * descriptor is readable or the timeout is over.
 *
 * Thread: the loop's, which is the host's.
 */
#ifndef AIO_EMBED_H
#define AIO_EMBED_H

#include <aio/loop.h>

AIO_BEGIN_DECLS

/**
 * The descriptor that is readable when the loop has something to do.
 *
 * @return Borrowed: valid until the loop is closed. -1 for a closed loop.
 * asyncio: none                                                  Since: 0.1
 */
AIO_API int aio_loop_fd(const aio_loop *loop);

/**
 * How long the host may wait for the descriptor, from now on.
 *
 * @return Milliseconds; 0: step at once; -1: no limit, also where the loop's timers make the
 *         descriptor readable (Linux).
 * asyncio: none                                                  Since: 0.1
 */
AIO_API int aio_loop_timeout(aio_loop *loop);

/**
 * Begin a run that the host makes of steps. Between them the loop is this thread's running loop,
 * as in one of its callbacks: tasks and futures can be made without naming it.
 *
 * @return 0, or as aio_loop_run_forever(), which is refused like this call from now on.
 * asyncio: loop._run_forever_setup()                             Since: 0.1
 */
AIO_API int aio_loop_run_forever_setup(aio_loop *loop);

/**
 * End such a run. A request to stop is forgotten.
 *
 * @return 0, AIO_ERUNTIME without such a run in this thread or from inside a step, AIO_ENOLOOP.
 * asyncio: loop._run_forever_cleanup()                           Since: 0.1
 */
AIO_API int aio_loop_run_forever_cleanup(aio_loop *loop);

/**
 * Run what is ready, without waiting: I/O, calls, tasks, timers that are due.
 *
 * @return 1 if the loop has more to do, or something to wait for; 0 if nothing is left: no task,
 *         no call, no timer, no handle, or, in a run that was set up, aio_loop_stop() was called;
 *         or a negative code:
 *   AIO_ECLOSED, AIO_ERUNTIME (it is running, or another loop of this thread)
 *   AIO_EKEYBOARDINTERRUPT, AIO_ESYSTEMEXIT   a callback or task raised it
 * asyncio: one iteration of loop.run_forever()                   Since: 0.1
 */
AIO_API int aio_loop_step(aio_loop *loop);

AIO_END_DECLS

#endif
