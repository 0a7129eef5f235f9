/* SPDX-License-Identifier: MIT */
/*
 * signal.h - signals as calls in the loop
 *
 * A handler runs like any callback, in the loop's thread and never in signal context, so it may
 * call whatever a callback may. Only signals that were asked for are touched.
 */
#ifndef AIO_SIGNAL_H
#define AIO_SIGNAL_H

#include <aio/loop.h>

AIO_BEGIN_DECLS

/**
 * Call back when a signal arrives. A handler that this loop had for the signal before is replaced;
 * other loops, and libuv's own handles, may have theirs beside it.
 *
 * The callback is queued once for each arrival that the system delivers; it runs in the context
 * (context.h) of this moment. It does not keep a host's uv_loop_t alive. A child made by fork()
 * has the handlers again that were there before.
 *
 * SIGINT taken this way is the program's own: a runner (runner.h) then leaves it alone.
 *
 * @param signum  As of <signal.h>.
 * @param fn      Must not be NULL. Errors as for any callback.
 * @param arg     Borrowed until the handler is removed or replaced, or the loop closed.
 * @return 0, or a negative code:
 *   AIO_EVALUE    no such signal, or no function
 *   AIO_ERUNTIME  not the main thread; a signal that cannot be caught; in debug mode, not the
 *                 loop's thread
 *   AIO_ECLOSED, AIO_ENOMEM, or the system's code when descriptors are short
 * Suspends: no.   Thread: the main one.   asyncio: loop.add_signal_handler()   Since: 0.1
 */
AIO_API int aio_loop_add_signal_handler(aio_loop *loop, int signum, aio_callback_fn fn, void *arg);

/**
 * Stop. Arrivals that are queued are dropped. aio_loop_close() does the same for all signals.
 *
 * @return true if there was a handler.
 * Suspends: no.   Thread: the main one.   asyncio: loop.remove_signal_handler()   Since: 0.1
 * Differs: what the signal did before is restored; asyncio restores the default action.
 */
AIO_API bool aio_loop_remove_signal_handler(aio_loop *loop, int signum);

AIO_END_DECLS

#endif
