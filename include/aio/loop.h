/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the event loop: running it, queueing calls, timers, watching fds
 *
 * A loop runs callbacks and tasks in asyncio's order: what is queued, then I/O,
 * then timers that are due, in batches, through one FIFO queue. It drives a
 * uv_loop_t: its own, or one that the host already runs.
 *
 * Thread: everything here belongs to the loop's thread (the one that runs it),
 * but for aio_loop_call_soon_threadsafe(), aio_loop_ref() and aio_loop_unref().
 */
#ifndef AIO_LOOP_H
#define AIO_LOOP_H

#include <aio/common.h>

AIO_BEGIN_DECLS

struct uv_loop_s;

/**
 * A plain callback. It runs on the thread's own stack, outside any task, and must
 * not suspend.
 *
 * @return 0, or a negative code. An error goes to the loop's exception handler
 *         as "Exception in callback" and the loop goes on; AIO_EKEYBOARDINTERRUPT
 *         and AIO_ESYSTEMEXIT leave the loop's run call.
 */
typedef int (*aio_callback_fn)(void *arg);

/** The clock a loop lives by. */
typedef enum aio_clock {
    AIO_CLOCK_REAL, /**< the system's monotonic clock, in nanoseconds */
    AIO_CLOCK_VIRTUAL /**< stands still while anything runs, jumps to the next timer when nothing can */
} aio_clock;

/** For busy_poll of aio_loop_options: sleep at once. */
#define AIO_BUSY_POLL_NEVER (-1.0)

/** How a loop is made. Zero in any field but size means the default. */
typedef struct aio_loop_options {
    size_t size;          /**< sizeof(aio_loop_options) */
    struct uv_loop_s *uv; /**< the host's loop, borrowed until the loop is closed; NULL: its own */
    aio_clock clock;      /**< default AIO_CLOCK_REAL */
    size_t stack_size;    /**< bytes of stack of a task; default 64 KiB, at least 16 KiB */
    size_t idle_stack_bytes; /**< stack memory kept for the next tasks; default 4 MiB */
    bool measure_stacks;     /**< record how much stack each task used */
    /** Seconds to go on looking for I/O before sleeping, if the wait before was no longer; or
     * AIO_BUSY_POLL_NEVER. Answers that come within microseconds are then had without the time it
     * takes to wake a thread, for processor time: up to so much a wait. Default: up to 100
     * microseconds, while the loop finds that this makes waits shorter by a third or more. Where a
     * host waits, the loop never does: an error with `uv`, ignored in steps. */
    double busy_poll;
} aio_loop_options;

/** The defaults. */
#define AIO_LOOP_OPTIONS_INIT AIO_SIZED(aio_loop_options)

/** @name Life @{ */

/**
 * Make a loop. It is not made current, and nothing runs.
 *
 * @param options  Borrowed. NULL: the defaults. With a host's `uv` the loop lives
 *                 inside it: whenever the host runs its uv_loop_t, the loop's calls
 *                 and tasks run too, and it keeps the uv_loop_t alive only while
 *                 there are tasks, calls, timers, watched descriptors or jobs in
 *                 executors; signal handlers alone do not.
 * @return Returned: aio_loop_close() it, then aio_loop_unref(). NULL when memory or
 *         descriptors are short or an option is out of bounds (aio_error_text()).
 * Suspends: no.   Thread: the one that will run it.
 * asyncio: asyncio.EventLoop(), asyncio.SelectorEventLoop()      Since: 0.1
 */
AIO_API aio_loop *aio_loop_new(const aio_loop_options *options);

/** aio_loop_new() with the defaults. asyncio: asyncio.new_event_loop()   Since: 0.1 */
AIO_API aio_loop *aio_new_event_loop(void);

/** Take another reference. Thread: any.   Since: 0.1 */
AIO_API aio_loop *aio_loop_ref(aio_loop *loop);
/**
 * Drop a reference; NULL is allowed. The last one frees the loop, which is closed
 * first (with a warning) if nobody did. Futures that are still referenced keep its
 * memory. Thread: any for a closed loop, else the loop's.   Since: 0.1
 */
AIO_API void aio_loop_unref(aio_loop *loop);
AIO_DEFINE_AUTO(aio_loop)

/**
 * Close the loop: throw away what is queued, remove fd watchers and signal
 * handlers, shut the default executor down without waiting for it.
 *
 * Tasks that are still pending are reported as destroyed; each gets
 * AIO_EGENERATOREXIT from the call it waits in, so that its frames unwind, and the
 * same from any further call that would suspend. Inside a host's uv_loop_t the
 * host's handles are left alone; the loop's own are closed with uv_close, and
 * their last bytes go when the host's loop runs once more.
 *
 * @return 0, also if it is closed already, or AIO_ERUNTIME while it runs.
 * Suspends: no.   asyncio: loop.close()                          Since: 0.1
 */
AIO_API int aio_loop_close(aio_loop *loop);

/** Whether it is closed. asyncio: loop.is_closed()   Since: 0.1 */
AIO_API bool aio_loop_is_closed(const aio_loop *loop);
/** Whether a run call is active. asyncio: loop.is_running()   Since: 0.1 */
AIO_API bool aio_loop_is_running(const aio_loop *loop);
/** The uv_loop_t, for any libuv library beside us. Borrowed until closed; then NULL. Since: 0.1 */
AIO_API struct uv_loop_s *aio_loop_uv(aio_loop *loop);
/** @} */

/** @name Running @{ */

/**
 * Run until aio_loop_stop(). With a host's uv_loop_t this runs the host's handles too.
 *
 * @return 0, or a negative code:
 *   AIO_ECLOSED             the loop is closed
 *   AIO_ERUNTIME            it, or another loop of this thread, is already running, or this is
 *                           a callback of libuv's and the loop lives in a host's uv_loop_t; or
 *                           this is a child after fork(), also one that was forked in this run
 *   AIO_EKEYBOARDINTERRUPT, AIO_ESYSTEMEXIT   a callback or task raised it; what was
 *                           queued stays, and the loop can be run again
 * Suspends: no (it blocks the thread).   asyncio: loop.run_forever()   Since: 0.1
 */
AIO_API int aio_loop_run_forever(aio_loop *loop);

/**
 * Run until a future is done.
 *
 * @param fut             Borrowed. A coroutine object is made a task first.
 * @param[out] ret_value  The result, borrowed from @p fut; may be NULL.
 * @return 0, the error @p fut ended with, or AIO_ERUNTIME if the loop stopped before
 *         that, and the codes of aio_loop_run_forever().
 * Suspends: no (it blocks the thread).   asyncio: loop.run_until_complete()   Since: 0.1
 */
AIO_API int aio_loop_run_until_complete(aio_loop *loop, aio_future *fut, void **ret_value);

/**
 * Ask the run call to return once the current batch is through. Before a run: it will
 * make one iteration without waiting. asyncio: loop.stop()   Since: 0.1
 */
AIO_API void aio_loop_stop(aio_loop *loop);

/**
 * The loop whose callbacks or tasks this thread is running now.
 *
 * @return Borrowed. NULL without one, and in a child after fork(); AIO_ENOLOOP is then raised.
 * Thread: any.   asyncio: asyncio.get_running_loop(), asyncio._get_running_loop()   Since: 0.1
 */
AIO_API aio_loop *aio_get_running_loop(void);

/**
 * The running loop, else the one set for this thread.
 *
 * @return Borrowed. NULL without either; AIO_ENOLOOP is then raised.
 * Thread: any.   asyncio: asyncio.get_event_loop()               Since: 0.1
 */
AIO_API aio_loop *aio_get_event_loop(void);

/**
 * Say which loop runs in this thread, for who drives one in a way of its own: what asks for the
 * running loop finds it until this is called with NULL. While it is set, no loop can be run in
 * this thread but by a host's uv_loop_t.
 *
 * @param loop  Borrowed until it is cleared. NULL: none.
 * @return 0, AIO_ECLOSED, or AIO_ERUNTIME while a loop does run in this thread.
 * Thread: any.   asyncio: asyncio._set_running_loop()            Since: 0.1
 */
AIO_API int aio_set_running_loop(aio_loop *loop);

/** Set (NULL: clear) this thread's current loop, which is borrowed.
 *  Thread: any.   asyncio: asyncio.set_event_loop()   Since: 0.1 */
AIO_API void aio_set_event_loop(aio_loop *loop);
/** @} */

/** @name Calls
 *  Each runs once, in the context (context.h) of the caller. A handle is made only
 *  for those who ask for one. @{ */

/**
 * Queue a callback for the next iteration, behind everything queued before.
 *
 * @param fn               Must not be NULL.
 * @param arg              Borrowed until the call has run or is cancelled.
 * @param[out] ret_handle  Returned: aio_handle_unref() it. May be NULL.
 * @return 0, or a negative code:
 *   AIO_ECLOSED, AIO_ENOMEM, AIO_EVALUE (no function)
 *   AIO_ERUNTIME  in debug mode: called from another thread
 * Suspends: no.   asyncio: loop.call_soon()                      Since: 0.1
 */
AIO_API int aio_loop_call_soon(aio_loop *loop, aio_callback_fn fn, void *arg,
                               aio_handle **ret_handle);

/**
 * The same from any thread, waking the loop if it sleeps. It is not
 * async-signal-safe. The handle may be cancelled and dropped from any thread: once
 * aio_handle_cancel() has returned, the callback will not start. In a child after
 * fork() it gives AIO_ERUNTIME, as the parent's loop is out of its reach.
 *
 * Thread: any.   asyncio: loop.call_soon_threadsafe()            Since: 0.1
 */
AIO_API int aio_loop_call_soon_threadsafe(aio_loop *loop, aio_callback_fn fn, void *arg,
                                          aio_handle **ret_handle);

/**
 * Run a callback once, after a delay. It never runs early; equal deadlines run in
 * the order they were made.
 *
 * @param delay  Seconds on the loop's clock. 0 and less still go through the timer
 *               heap, as times that are past. NaN is AIO_EVALUE; AIO_FOREVER never runs.
 * Otherwise as aio_loop_call_soon().   asyncio: loop.call_later()   Since: 0.1
 */
AIO_API int aio_loop_call_later(aio_loop *loop, double delay, aio_callback_fn fn, void *arg,
                                aio_handle **ret_handle);

/** The same at an absolute time of aio_loop_time().   asyncio: loop.call_at()   Since: 0.1 */
AIO_API int aio_loop_call_at(aio_loop *loop, double when, aio_callback_fn fn, void *arg,
                             aio_handle **ret_handle);

/** The loop's clock: seconds from an arbitrary start, never going back.
 *  asyncio: loop.time()   Since: 0.1 */
AIO_API double aio_loop_time(const aio_loop *loop);

/** Take another reference. Since: 0.1 */
AIO_API aio_handle *aio_handle_ref(aio_handle *handle);
/** Drop a reference; the call stays queued. NULL is allowed. Since: 0.1 */
AIO_API void aio_handle_unref(aio_handle *handle);
AIO_DEFINE_AUTO(aio_handle)

/**
 * Prevent the call, wherever it is queued. Nothing if it ran or was cancelled before.
 * NULL is allowed. asyncio: Handle.cancel(), TimerHandle.cancel()   Since: 0.1
 */
AIO_API void aio_handle_cancel(aio_handle *handle);
/** Whether aio_handle_cancel() was called, also after the call had run.
 *  asyncio: Handle.cancelled()   Since: 0.1 */
AIO_API bool aio_handle_cancelled(const aio_handle *handle);
/** The deadline in loop time; NaN for a handle that is no timer.
 *  asyncio: TimerHandle.when()   Since: 0.1 */
AIO_API double aio_handle_when(const aio_handle *handle);

/**
 * Make a queued call run in a given context, shared and not copied, instead of a
 * copy of the caller's. Nothing if it ran or was cancelled.
 *
 * @param context  Kept.
 * asyncio: the argument context= of the call_ functions           Since: 0.1
 */
AIO_API void aio_handle_set_context(aio_handle *handle, aio_context *context);
/** The context the call runs in, borrowed; NULL when memory is short or it is over.
 *  asyncio: Handle.get_context()   Since: 0.1 */
AIO_API aio_context *aio_handle_context(aio_handle *handle);
/** Write "<Handle fn>" or "<TimerHandle when=1.5 fn>"; snprintf's result.
 *  asyncio: Handle.__repr__()   Since: 0.1 */
AIO_API size_t aio_handle_format(const aio_handle *handle, char *buffer, size_t size);
/** @} */

/** @name File descriptors
 *  Watching is level triggered: one call per direction and iteration while the fd is
 *  ready. An error on the fd makes it readable and writable and watching goes on. @{ */

/**
 * Call back while an fd can be read. A reader added before is replaced.
 *
 * @param fd   A socket or pipe; borrowed until removed. Remove before closing it.
 * @return 0, or AIO_ECLOSED, AIO_ENOMEM, AIO_EVALUE, AIO_ERUNTIME if a transport owns it, or
 *         the system's code (-EPERM: a regular file cannot be watched).
 * Suspends: no.   asyncio: loop.add_reader()                     Since: 0.1
 */
AIO_API int aio_loop_add_reader(aio_loop *loop, int fd, aio_callback_fn fn, void *arg);
/** The same for writing.   asyncio: loop.add_writer()   Since: 0.1 */
AIO_API int aio_loop_add_writer(aio_loop *loop, int fd, aio_callback_fn fn, void *arg);
/** Stop; true if a reader was there.   asyncio: loop.remove_reader()   Since: 0.1 */
AIO_API bool aio_loop_remove_reader(aio_loop *loop, int fd);
/** Stop; true if a writer was there.   asyncio: loop.remove_writer()   Since: 0.1 */
AIO_API bool aio_loop_remove_writer(aio_loop *loop, int fd);
/** @} */

/** @name Errors that nobody can be told @{ */

/** What happened; a NULL field is absent. */
typedef struct aio_exception_context {
    size_t size;          /**< sizeof(aio_exception_context) */
    const char *message;  /**< "Task exception was never retrieved", ... */
    aio_exception *error; /**< the error */
    aio_future *future;   /**< the future or task it is about */
    aio_handle *handle;   /**< the call that failed */
    const char *source;   /**< where that was made: for tasks "FILE:LINE", for all in debug mode the
                               calls that led there, a line each */
} aio_exception_context;

/**
 * Receives a report. It runs in the context of the task, future or handle named.
 *
 * @return 0, or a negative code, which is itself reported to the default handler.
 */
typedef int (*aio_exception_handler_fn)(aio_loop *loop, const aio_exception_context *context,
                                        void *arg);

/** Install a handler; NULL: the default.   asyncio: loop.set_exception_handler()   Since: 0.1 */
AIO_API void aio_loop_set_exception_handler(aio_loop *loop, aio_exception_handler_fn fn, void *arg);
/** The handler installed, or NULL.   asyncio: loop.get_exception_handler()   Since: 0.1 */
AIO_API aio_exception_handler_fn aio_loop_get_exception_handler(const aio_loop *loop);
/** Log message, error and the other fields (log.h).
 *  asyncio: loop.default_exception_handler()   Since: 0.1 */
AIO_API void aio_loop_default_exception_handler(aio_loop *loop,
                                                const aio_exception_context *context);
/** Report to the installed handler or the default one.
 *  asyncio: loop.call_exception_handler()   Since: 0.1 */
AIO_API void aio_loop_call_exception_handler(aio_loop *loop, const aio_exception_context *context);
/** @} */

/** @name Debug mode
 *  Starts on if the environment has a non-empty AIO_DEBUG. @{ */

/** Calls that a report shows of where something was made.
 *  asyncio: asyncio.constants.DEBUG_STACK_DEPTH   Since: 0.1 */
#define AIO_DEBUG_STACK_DEPTH 10

/** Whether debug mode is on.   asyncio: loop.get_debug()   Since: 0.1 */
AIO_API bool aio_loop_get_debug(const aio_loop *loop);
/**
 * Set debug mode, before other threads know the loop. While it is on
 *   - a callback or step of a task that takes long is logged, with what it was and where a task
 *     waits now;
 *   - calls and changes of futures from other threads give AIO_ERUNTIME: aio_loop_call_soon(),
 *     aio_future_set_result() and their like;
 *   - reports say which calls led to where a future, task or handle was made, up to ten of them;
 *   - connections and servers that are open when the loop is closed are logged.
 *
 * asyncio: loop.set_debug()   Since: 0.1
 */
AIO_API void aio_loop_set_debug(aio_loop *loop, bool enabled);
/** Seconds from which on a callback or step counts as slow; 0.1 at first.
 *  asyncio: loop.slow_callback_duration   Since: 0.1 */
AIO_API double aio_loop_get_slow_callback_duration(const aio_loop *loop);
/** Set it. NaN and negative values count as 0.   Since: 0.1 */
AIO_API void aio_loop_set_slow_callback_duration(aio_loop *loop, double seconds);
/** @} */

AIO_END_DECLS

#endif
