/* SPDX-License-Identifier: MIT */
/*
 * concurrent.h - futures that any thread may use, and the way between them and a loop's
 *
 * A concurrent future is what an executor gives for a job. It differs from a loop's future
 * (future.h): it is thread-safe, can be asked by blocking, is running for a while before it is
 * done, cannot be cancelled from then on, and calls back inline in the thread that finishes it.
 *
 * Calls that wait here block the thread. A task of a loop awaits aio_wrap_future() instead.
 *
 * Every function that takes a concurrent future accepts NULL, the result of a constructor that
 * failed, and returns the code of that failure.
 *
 * Thread: any, for everything but aio_wrap_future().
 */
#ifndef AIO_CONCURRENT_H
#define AIO_CONCURRENT_H

#include <aio/task.h>
#include <aio/wait.h>

AIO_BEGIN_DECLS

/** A result that comes later, for threads. */
typedef struct aio_concurrent_future aio_concurrent_future;

/**
 * Called when a concurrent future is done: in the thread that finishes or cancels it, inside that
 * call, or at once in the thread that adds it. An error it returns is logged and ignored.
 */
typedef int (*aio_concurrent_done_fn)(aio_concurrent_future *fut, void *arg);

/** @name Life @{ */

/**
 * Make a pending future, for an executor of one's own or for a test.
 *
 * @return Returned: aio_concurrent_future_unref() it. NULL when memory is short.
 * Suspends: no.   asyncio: concurrent.futures.Future()           Since: 0.1
 */
AIO_API aio_concurrent_future *aio_concurrent_future_new(void);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_concurrent_future *aio_concurrent_future_ref(aio_concurrent_future *fut);
/** Drop a reference; NULL is allowed. A job goes on without any. The last one destroys the result,
 *  in the thread that drops it. Since: 0.1 */
AIO_API void aio_concurrent_future_unref(aio_concurrent_future *fut);
AIO_DEFINE_AUTO(aio_concurrent_future)
/** @} */

/** @name Asking @{ */

/**
 * Cancel, if it has not begun. Its callbacks run inside this call.
 *
 * @return true if it is now cancelled, or was before; false if it runs or has ended.
 * Suspends: no.   asyncio: concurrent.futures.Future.cancel()    Since: 0.1
 */
AIO_API bool aio_concurrent_future_cancel(aio_concurrent_future *fut);
/** Whether it was cancelled.   asyncio: Future.cancelled()   Since: 0.1 */
AIO_API bool aio_concurrent_future_cancelled(const aio_concurrent_future *fut);
/** Whether it is being run: too late to cancel, and not done.   asyncio: Future.running()   Since: 0.1 */
AIO_API bool aio_concurrent_future_running(const aio_concurrent_future *fut);
/** Finished or cancelled; NULL counts as done.   asyncio: Future.done()   Since: 0.1 */
AIO_API bool aio_concurrent_future_done(const aio_concurrent_future *fut);

/**
 * Block until it is done, and give its outcome.
 *
 * @param timeout         Seconds; AIO_FOREVER: none; 0 and less only look. NaN is AIO_EVALUE.
 * @param[out] ret_value  The result, borrowed from @p fut. Written on success only. May be NULL.
 * @return 0, the error it ended with, or a negative code:
 *   AIO_ECANCELLED  it was cancelled
 *   AIO_ETIMEDOUT   it was not done in time
 *   AIO_ERUNTIME    it waits for the loop that this thread is running: it would never be done
 * Suspends: no (it blocks the thread).
 * asyncio: concurrent.futures.Future.result()                    Since: 0.1
 */
AIO_API int aio_concurrent_future_result(aio_concurrent_future *fut, double timeout,
                                         void **ret_value);

/**
 * Block until it is done, and give its error.
 *
 * @param[out] ret_error  Borrowed from @p fut; NULL if it has none. May be NULL.
 * @return 0, also if there is an error, or AIO_ECANCELLED, AIO_ETIMEDOUT, AIO_ERUNTIME as above.
 * Suspends: no (it blocks the thread).
 * asyncio: concurrent.futures.Future.exception()                 Since: 0.1
 */
AIO_API int aio_concurrent_future_exception(aio_concurrent_future *fut, double timeout,
                                            aio_exception **ret_error);

/**
 * Call fn(fut, arg) once it is done, inline in the thread where that happens; at once if it is.
 * Callbacks run in the order they were added. They may use every function here, and should be
 * short: a worker thread waits for them.
 *
 * @param arg  Borrowed until it has run.
 * @return 0, AIO_ENOMEM, AIO_EVALUE without a function.
 * Suspends: no.   asyncio: concurrent.futures.Future.add_done_callback()   Since: 0.1
 */
AIO_API int aio_concurrent_future_add_done_callback(aio_concurrent_future *fut,
                                                    aio_concurrent_done_fn fn, void *arg);

/** Write "<Future at 0x55d0c8a1c2a0 state=running>", as Python's repr does; snprintf's result.
 *  asyncio: Future.__repr__()   Since: 0.1 */
AIO_API size_t aio_concurrent_future_format(const aio_concurrent_future *fut, char *buffer,
                                            size_t size);
/** @} */

/** @name For executors @{ */

/**
 * Claim it before running what it stands for, or see that it was cancelled.
 *
 * @return 1: it is running now, and is to be finished; 0: it was cancelled; AIO_ERUNTIME in any
 *         other state.
 * Suspends: no.
 * asyncio: concurrent.futures.Future.set_running_or_notify_cancel()   Since: 0.1
 */
AIO_API int aio_concurrent_future_set_running_or_notify_cancel(aio_concurrent_future *fut);

/**
 * Finish with a value. Callbacks run inside this call.
 *
 * @param value  Kept as it is; see the typed form for values that own memory.
 * @return 0, or AIO_EINVALIDSTATE if it is done; @p value is then still the caller's.
 * Suspends: no.   asyncio: concurrent.futures.Future.set_result()   Since: 0.1
 */
AIO_API int aio_concurrent_future_set_result(aio_concurrent_future *fut, void *value);
/** The same with a value that the future destroys and prints by its type.
 *  @param type  Borrowed for ever: a constant.   Since: 0.1 */
AIO_API int aio_concurrent_future_set_result_typed(aio_concurrent_future *fut, void *value,
                                                   const aio_type *type);
/** Finish with an error, which is kept; NULL: AIO_ENOMEM. As aio_concurrent_future_set_result().
 *  asyncio: concurrent.futures.Future.set_exception()   Since: 0.1 */
AIO_API int aio_concurrent_future_set_exception(aio_concurrent_future *fut, aio_exception *error);
/** The same with the code just returned by a call, and the object that travels with it. Since: 0.1 */
AIO_API int aio_concurrent_future_set_error(aio_concurrent_future *fut, int code);
/** @} */

/** @name Waiting for several @{ */

/**
 * Block until some or all are done. Raises none of their errors, cancels nothing.
 *
 * @param futs           @p count of them, borrowed; duplicates count once.
 * @param timeout        Seconds; AIO_FOREVER: none.
 * @param when           As in aio_wait(). A cancelled one does not count as failed.
 * @param[out] ret_done  How many of the distinct ones are done; may be NULL.
 * @return 0, also when the timeout passed, or AIO_EVALUE (a timeout of NaN, a bad @p when),
 *         AIO_ENOMEM, or the failure behind a NULL among them. Without any it returns at once.
 * Suspends: no (it blocks the thread).   asyncio: concurrent.futures.wait()   Since: 0.1
 */
AIO_API int aio_concurrent_wait(aio_concurrent_future *const *futs, size_t count, double timeout,
                                aio_return_when when, size_t *ret_done);

/** An iteration over concurrent futures in the order of their ends. It belongs to one thread. */
typedef struct aio_concurrent_as_completed aio_concurrent_as_completed;

/**
 * Iterate over futures as they are done, those that are done already first; each once.
 *
 * @param futs     @p count of them, kept.
 * @param timeout  Seconds for the whole iteration; AIO_FOREVER: none.
 * @return Returned: aio_concurrent_as_completed_unref() it. NULL on failure, as
 *         aio_concurrent_wait().
 * Suspends: no.   asyncio: concurrent.futures.as_completed()     Since: 0.1
 */
AIO_API aio_concurrent_as_completed *
aio_concurrent_as_completed_new(aio_concurrent_future *const *futs, size_t count, double timeout);
/** Drop it; NULL is allowed. Since: 0.1 */
AIO_API void aio_concurrent_as_completed_unref(aio_concurrent_as_completed *iterator);
AIO_DEFINE_AUTO(aio_concurrent_as_completed)

/**
 * Block until the next one is done.
 *
 * @param[out] ret_fut  One of the futures, borrowed from the iterator. Written on success only.
 *                      May be NULL.
 * @return 0, AIO_ESTOP when all were given, AIO_ETIMEDOUT.
 * Suspends: no (it blocks the thread).
 * asyncio: `for fut in concurrent.futures.as_completed()`        Since: 0.1
 */
AIO_API int aio_concurrent_as_completed_next(aio_concurrent_as_completed *iterator,
                                             aio_concurrent_future **ret_fut);
/** @} */

/** @name Between threads and loops @{ */

/**
 * Make a future of a loop that ends as a concurrent one does. Cancelling either cancels the other,
 * if that can still be cancelled.
 *
 * @param fut   Kept until both are done: its result is borrowed by the new one, whose holder may
 *              use it.
 * @param loop  Borrowed; NULL: the running loop, else this thread's current one.
 * @return Returned: aio_future_unref() it. NULL on failure: AIO_ENOLOOP, AIO_ECLOSED, AIO_ENOMEM.
 * Suspends: no.   Thread: the loop's.   asyncio: asyncio.wrap_future()   Since: 0.1
 */
AIO_API aio_future *aio_wrap_future(aio_concurrent_future *fut, aio_loop *loop);

/**
 * Run a coroutine on a loop of another thread. Cancelling what is returned cancels the task, and
 * it is cancelled if the task ends so; it does not count as running meanwhile. If the loop is
 * closed before the task could begin, it ends with AIO_ECLOSED.
 *
 * @param fn, arg  As aio_create_task(); the task gets a copy of the calling thread's context.
 * @param loop     Borrowed; it must be running, now or later.
 * @return Returned: aio_concurrent_future_unref() it. A result of a type of its own passes from the
 *         task to it. NULL on failure: AIO_ENOLOOP, AIO_ECLOSED, AIO_EVALUE, AIO_ENOMEM,
 *         AIO_ERUNTIME for the loop of a parent process.
 * Suspends: no.   Thread: any. From the loop's own, use aio_create_task(): to block for the result
 * there is AIO_ERUNTIME.
 * asyncio: asyncio.run_coroutine_threadsafe()                    Since: 0.1
 */
AIO_API aio_concurrent_future *aio_run_coroutine_threadsafe(aio_coro_fn fn, void *arg,
                                                            aio_loop *loop);
/** The same with options, which are borrowed; NULL: the defaults. Since: 0.1 */
AIO_API aio_concurrent_future *aio_run_coroutine_threadsafe_with(aio_coro_fn fn, void *arg,
                                                                 aio_loop *loop,
                                                                 const aio_task_options *options);
/** What the macros call; @p site is copied. Since: 0.1 */
AIO_API aio_concurrent_future *aio_run_coroutine_threadsafe_at(aio_site site, aio_coro_fn fn,
                                                               void *arg, aio_loop *loop,
                                                               const aio_task_options *options);
#define aio_run_coroutine_threadsafe(fn, arg, loop)                                                \
    aio_run_coroutine_threadsafe_at(AIO_SITE(fn), (fn), (arg), (loop), NULL)
#define aio_run_coroutine_threadsafe_with(fn, arg, loop, options)                                  \
    aio_run_coroutine_threadsafe_at(AIO_SITE(fn), (fn), (arg), (loop), (options))
/** @} */

AIO_END_DECLS

#endif
