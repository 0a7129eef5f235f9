/* SPDX-License-Identifier: MIT */
/*
 * thread_pool.h - an executor with threads of its own
 *
 *     aio_executor *pool = aio_thread_pool_new(NULL);           with ThreadPoolExecutor() as pool:
 *     AIO_AUTO(aio_future) fut =                                    fut = loop.run_in_executor(
 *         aio_loop_run_in_executor(NULL, pool, fn, arg);                pool, fn, arg)
 *
 *     err = aio_await(fut, &value);                                 value = await fut
 *     (void)aio_executor_shutdown(pool, AIO_FOREVER, false);
 *     aio_executor_unref(pool);
 *
 * Beside the default executor, for jobs that may block for long: they keep nobody else waiting,
 * and a process can exit while they run.
 */
#ifndef AIO_THREAD_POOL_H
#define AIO_THREAD_POOL_H

#include <aio/executor.h>

AIO_BEGIN_DECLS

/** How a thread pool is made. Zero in any field but size means the default. */
typedef struct aio_thread_pool_options {
    size_t size;                    /**< sizeof(aio_thread_pool_options) */
    size_t max_workers;             /**< threads at most; default min(32, processors + 4) */
    const char *thread_name_prefix; /**< copied: threads are PREFIX_0, PREFIX_1, ... of which the
                                         system keeps 15 bytes; default ThreadPool-K */
    int (*initializer)(void *arg);  /**< each thread calls it first. A negative code breaks the
                                         pool: it takes no jobs any more, and those it has fail */
    void *initarg;                  /**< for the initializer; borrowed until the threads are gone */
    size_t stack_size;              /**< bytes of stack of a thread; default: the system's */
} aio_thread_pool_options;

/** The defaults. */
#define AIO_THREAD_POOL_OPTIONS_INIT AIO_SIZED(aio_thread_pool_options)

/**
 * Make a thread pool. Threads start when jobs come and none is idle, and stay until it is shut
 * down or its last reference goes.
 *
 * A job for which a thread is started is running at once. The others wait in a queue, first in,
 * first out, and can be cancelled there.
 *
 * @param options  Borrowed; NULL: the defaults.
 * @return Returned: aio_executor_shutdown() it to wait for its threads, then aio_executor_unref().
 *         NULL when memory is short or an option is out of bounds.
 * Suspends: no.   Thread: any.
 * asyncio: concurrent.futures.ThreadPoolExecutor()               Since: 0.1
 */
AIO_API aio_executor *aio_thread_pool_new(const aio_thread_pool_options *options);

AIO_END_DECLS

#endif
