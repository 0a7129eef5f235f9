/* SPDX-License-Identifier: MIT */
/*
 * executor_map.h - one function for many arguments, in an executor
 *
 *     results = aio_executor_map(pool, fn, args, count, NULL);
 *     while ((err = aio_executor_results_next(results,          for value in pool.map(fn, args):
 *                                             &value)) == 0)
 *         use(value);                                               use(value)
 *     aio_executor_results_unref(results);
 *
 * This blocks the thread, as concurrent.futures does. A task has aio_gather() instead, over what
 * aio_loop_run_in_executor() gives.
 */
#ifndef AIO_EXECUTOR_MAP_H
#define AIO_EXECUTOR_MAP_H

#include <aio/executor.h>

AIO_BEGIN_DECLS

/** How a map is made. Zero in a field means the default, but for the timeout. */
typedef struct aio_map_options {
    size_t size;       /**< sizeof(aio_map_options) */
    double timeout;    /**< seconds from the call of aio_executor_map() on; AIO_FOREVER: none */
    size_t chunksize;  /**< arguments that one job works off; default 1. Saves the way there and
                            back where calls are short */
    size_t buffersize; /**< jobs there are at most ahead of the result that is asked for;
                            default: no limit, all are submitted at once */
    const aio_job_options *job; /**< for each argument: how it is copied, encoded, destroyed, and
                                     its result; borrowed for the call. NULL: the defaults */
} aio_map_options;

/** The defaults. */
#define AIO_MAP_OPTIONS_INIT AIO_SIZED_WITH(aio_map_options, AIO_SET(timeout, AIO_FOREVER))

/** The results of a map, in the order of the arguments. They belong to one thread. */
typedef struct aio_executor_results aio_executor_results;

/**
 * Where the arguments come from, one a call.
 *
 * @return 0; AIO_ESTOP if there are no more; or another code, which ends the map.
 */
typedef int (*aio_source_fn)(void *source, void **ret_arg);

/**
 * Call a function for each of some arguments.
 *
 * @param executor  Kept.
 * @param args      @p count of them; the array is borrowed for as long as the results are. Each
 *                  argument is borrowed until its call has ended, unless options copy it.
 * @param options   Borrowed; NULL: the defaults.
 * @return Returned: aio_executor_results_unref() it. NULL on failure, as
 *         aio_executor_submit(), or AIO_EVALUE for a timeout of NaN.
 * Suspends: no.   Thread: any.   asyncio: concurrent.futures.Executor.map()
 * Differs: chunks serve all executors that run their jobs in this process, too; a chunksize or
 * buffersize of 0 is the default.                                Since: 0.1
 */
AIO_API aio_executor_results *aio_executor_map(aio_executor *executor, aio_job_fn fn,
                                               void *const *args, size_t count,
                                               const aio_map_options *options);
/**
 * The same for arguments that are made when they are needed: as many as may be submitted in the
 * call, and one chunk more with each that is waited for.
 *
 * @param next, source  Called in the thread of who calls this and aio_executor_results_next();
 *                      borrowed until it has ended or the results are dropped.
 * Since: 0.1
 */
AIO_API aio_executor_results *aio_executor_map_from(aio_executor *executor, aio_job_fn fn,
                                                    aio_source_fn next, void *source,
                                                    const aio_map_options *options);

/**
 * Block until the next result is there.
 *
 * @param[out] ret_value  The result, borrowed until the next call. Written on success only. May
 *                        be NULL.
 * @return 0; AIO_ESTOP when all were given; AIO_ETIMEDOUT; or the error of a call, of which a
 *         chunk has one for all. An error ends the iteration, and cancels what has not begun.
 * Suspends: no (it blocks the thread).
 * asyncio: `for value in executor.map()`                         Since: 0.1
 */
AIO_API int aio_executor_results_next(aio_executor_results *results, void **ret_value);

/** Drop them; what has not begun is cancelled. NULL is allowed. Since: 0.1 */
AIO_API void aio_executor_results_unref(aio_executor_results *results);
AIO_DEFINE_AUTO(aio_executor_results)

AIO_END_DECLS

#endif
