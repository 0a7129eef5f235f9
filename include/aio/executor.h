/* SPDX-License-Identifier: MIT */
/*
 * executor.h - blocking functions in threads, awaited like anything else
 */
#ifndef AIO_EXECUTOR_H
#define AIO_EXECUTOR_H

#include <aio/loop.h>
#include <aio/task.h>

AIO_BEGIN_DECLS

/** Runs jobs elsewhere; NULL stands for a loop's default executor. */
typedef struct aio_executor aio_executor;

/**
 * A job: an ordinary blocking function. It runs in another thread and must not touch the
 * loop, but for aio_loop_call_soon_threadsafe().
 *
 * @param[out] ret_result  Where the result goes; holds NULL at first.
 * @return 0, or a negative code, raised with aio_raise() if it has something to say.
 */
typedef int (*aio_job_fn)(void *arg, void **ret_result);

/**
 * Run a function in an executor.
 *
 * @param loop      Borrowed; NULL: the running loop.
 * @param executor  NULL: the loop's default one, which is libuv's thread pool, given
 *                  min(32, cores + 4) threads unless UV_THREADPOOL_SIZE is set or the pool is
 *                  in use already.
 * @param arg       Borrowed until the job has ended, which can be after the future was
 *                  cancelled: a job that runs is never stopped.
 * @return Returned: a future of the outcome. Cancelling it drops a job that has not begun. NULL
 *         on failure: AIO_ECLOSED, AIO_ENOMEM, AIO_ERUNTIME after the default executor was shut
 *         down.
 * Suspends: no.   Thread: the loop's.   asyncio: loop.run_in_executor()   Since: 0.1
 */
AIO_API aio_future *aio_loop_run_in_executor(aio_loop *loop, aio_executor *executor, aio_job_fn fn,
                                             void *arg);

/**
 * Wait until the default executor's jobs have ended; from then on it takes no more.
 *
 * @param timeout  Seconds; AIO_FOREVER: none. When it passes, a warning is logged.
 * @return 0, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.
 * Suspends: while jobs run.   Cancellation point: yes.
 * asyncio: loop.shutdown_default_executor()                      Since: 0.1
 */
AIO_API int aio_loop_shutdown_default_executor(aio_loop *loop, double timeout);

AIO_END_DECLS

#endif
