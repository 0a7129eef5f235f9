/* SPDX-License-Identifier: MIT */
/*
 * portal.h - a loop in a thread of its own, that other threads call into
 *
 * For a program that is not asynchronous and has a use for what is: its threads hand coroutines
 * over, and wait for what comes of them or go on meanwhile.
 *
 *     aio_portal *portal = aio_portal_new(NULL);
 *
 *     err = aio_portal_call(portal, fetch, &request, &reply);
 *     ...
 *     err = aio_portal_stop(portal, false);
 *     aio_portal_free(portal);
 *
 * Thread: any but the portal's own, where calls that block are refused. Several may call at once.
 * In a child after fork() there is no such thread: what needs it gives AIO_ERUNTIME.
 */
#ifndef AIO_PORTAL_H
#define AIO_PORTAL_H

#include <aio/concurrent.h>
#include <aio/runner.h>

AIO_BEGIN_DECLS

/** A thread with a loop. */
typedef struct aio_portal aio_portal;

/**
 * Start a thread that runs a loop, and wait until it does.
 *
 * @param options  Borrowed; what the thread makes its loop by, and how that is run. NULL: the
 *                 defaults. Signals are none of its business: SIGINT stays as it is.
 * @return Returned: aio_portal_free() it. NULL on failure: AIO_ENOMEM, AIO_EVALUE for bad options,
 *         what the loop could not be made for, or the system's code (no thread to be had).
 * Suspends: no (it blocks the thread).
 * asyncio: none (anyio.from_thread.start_blocking_portal())      Since: 0.1
 */
AIO_API aio_portal *aio_portal_new(const aio_runner_options *options);

/**
 * Stop it, cancelling what runs in it, if nobody has, and free it. NULL is allowed. No other thread
 * may be in a call of it, or begin one. From the portal's own thread, and in a child after fork(),
 * nothing happens.
 * Suspends: no (it blocks the thread).                           Since: 0.1
 */
AIO_API void aio_portal_free(aio_portal *portal);

/** The loop, for functions that any thread may call; borrowed, until the portal is freed.
 *  NULL for NULL. Since: 0.1 */
AIO_API aio_loop *aio_portal_get_loop(aio_portal *portal);

/**
 * Run a coroutine in the portal's loop, and block until it is done.
 *
 * @param fn, arg         As aio_create_task(); borrowed for the call.
 * @param[out] ret_value  The result, as it is; one with a type of its own needs
 *                        aio_portal_start_task_soon(). Written on success only. May be NULL.
 * @return 0, the error @p fn ended with, whose object can be caught, or a negative code:
 *   AIO_ECANCELLED  it was cancelled, as by aio_portal_stop()
 *   AIO_ECLOSED     the portal is stopped, or about to be, or has ended by itself: see
 *                   aio_portal_stop()
 *   AIO_ERUNTIME    this is the portal's own thread, which it would wait for, or another process
 *   AIO_EVALUE (no function or no portal), AIO_ENOMEM
 * Suspends: no (it blocks the thread).
 * asyncio: none (anyio BlockingPortal.call())                    Since: 0.1
 */
AIO_API int aio_portal_call(aio_portal *portal, aio_coro_fn fn, void *arg, void **ret_value);
/** What the macro calls; @p site is copied. Since: 0.1 */
AIO_API int aio_portal_call_at(aio_site site, aio_portal *portal, aio_coro_fn fn, void *arg,
                               void **ret_value);
#define aio_portal_call(portal, fn, arg, ret_value)                                                \
    aio_portal_call_at(AIO_SITE(fn), (portal), (fn), (arg), (ret_value))

/**
 * Run a coroutine in the portal's loop, and go on. Allowed in its own thread as well.
 *
 * @param fn, arg  As aio_run_coroutine_threadsafe().
 * @param options  Borrowed; NULL: the defaults.
 * @return Returned: aio_concurrent_future_unref() it, at any time. To cancel it cancels the task.
 *         NULL on failure: as aio_portal_call(). Where memory is short the coroutine may have begun,
 *         and is then cancelled.
 * Suspends: no.
 * asyncio: none (anyio BlockingPortal.start_task_soon())         Since: 0.1
 */
AIO_API aio_concurrent_future *aio_portal_start_task_soon(aio_portal *portal, aio_coro_fn fn,
                                                          void *arg,
                                                          const aio_task_options *options);
/** What the macro calls; @p site is copied. Since: 0.1 */
AIO_API aio_concurrent_future *aio_portal_start_task_soon_at(aio_site site, aio_portal *portal,
                                                             aio_coro_fn fn, void *arg,
                                                             const aio_task_options *options);
#define aio_portal_start_task_soon(portal, fn, arg, options)                                       \
    aio_portal_start_task_soon_at(AIO_SITE(fn), (portal), (fn), (arg), (options))

/**
 * Take no more calls, let those there are come to their end, end the loop as aio_run() does, and
 * wait for the thread. What the calls have started besides is cancelled.
 *
 * @param cancel  Cancel the calls instead; also those that another thread is letting end.
 * @return 0, also if it was stopped before; the code that has ended the loop before its time, as
 *         AIO_ESYSTEMEXIT out of a task, or AIO_ENOMEM; AIO_EVALUE for NULL; AIO_ERUNTIME in the portal's own
 *         thread, and in a child after fork().
 * Suspends: no (it blocks the thread).
 * asyncio: none (anyio BlockingPortal.stop())                    Since: 0.1
 */
AIO_API int aio_portal_stop(aio_portal *portal, bool cancel);

AIO_END_DECLS

#endif
