/* SPDX-License-Identifier: MIT */
/*
 * executor.h - blocking functions in threads or processes, awaited like anything else
 *
 * An executor runs jobs: ordinary functions that may block or compute for long. A loop has a
 * default one, libuv's thread pool; thread_pool.h and process_pool.h make others, and a program
 * can write its own (see below).
 *
 *     err = aio_to_thread(read_file, &job, &text);              text = await asyncio.to_thread(
 *                                                                   read_file, job)
 */
#ifndef AIO_EXECUTOR_H
#define AIO_EXECUTOR_H

#include <aio/codec.h>
#include <aio/concurrent.h>
#include <aio/loop.h>
#include <aio/task.h>

AIO_BEGIN_DECLS

/** Runs jobs elsewhere; where a loop is given too, NULL stands for its default executor. */
typedef struct aio_executor aio_executor;

/**
 * A job: an ordinary blocking function. It runs in another thread or process and must not touch
 * any loop, but for aio_loop_call_soon_threadsafe() and aio_run_coroutine_threadsafe(). It may
 * run a loop of its own with aio_run().
 *
 * @param[out] ret_result  Where the result goes; holds NULL at first.
 * @return 0, or a negative code, raised with aio_raise() if it has something to say.
 */
typedef int (*aio_job_fn)(void *arg, void **ret_result);

/** How a job is made. Zero in a field means the default. */
typedef struct aio_job_options {
    size_t size;     /**< sizeof(aio_job_options) */
    size_t arg_size; /**< copy this many bytes of arg: the job gets the address of its own copy,
                          which lives as long as it, in whatever process. 0: pass arg itself */
    void (*arg_destroy)(void *arg); /**< called once when the job has ended or never will begin,
                          in whatever thread; also if making it fails. With the argument the job
                          gets; if that is sent to another process, with @p arg once it is sent */
    const aio_type *result_type;    /**< how to free and print the result; default: neither */
    const aio_codec *arg_codec;     /**< for other processes; default: arg_size bytes as they are */
    const aio_codec *result_codec;  /**< for other processes; default: there is no result */
    bool copy_context;              /**< run it in a copy of the caller's context */
} aio_job_options;

/** The defaults. */
#define AIO_JOB_OPTIONS_INIT AIO_SIZED(aio_job_options)

/** @name From a loop @{ */

/**
 * Run a function in an executor.
 *
 * @param loop      Borrowed; NULL: the running loop.
 * @param executor  Borrowed. NULL: the loop's default one, which is libuv's thread pool, given
 *                  min(32, cores + 4) threads unless UV_THREADPOOL_SIZE is set or the pool is
 *                  in use already.
 * @param arg       Borrowed until the job has ended, which can be after the future was
 *                  cancelled: a job that runs is never stopped. The options of the longer form
 *                  copy it instead.
 * @return Returned: a future of the outcome. Cancelling it drops a job that has not begun. NULL
 *         on failure: AIO_ECLOSED, AIO_ENOMEM, AIO_ERUNTIME after the executor was shut down,
 *         and what else it says.
 * Suspends: no.   Thread: the loop's.   asyncio: loop.run_in_executor()   Since: 0.1
 */
AIO_API aio_future *aio_loop_run_in_executor(aio_loop *loop, aio_executor *executor, aio_job_fn fn,
                                             void *arg);
/** The same with options, which are borrowed; NULL: the defaults. Since: 0.1 */
AIO_API aio_future *aio_loop_run_in_executor_with(aio_loop *loop, aio_executor *executor,
                                                  aio_job_fn fn, void *arg,
                                                  const aio_job_options *options);

/**
 * Run a function in the default executor, in a copy of the task's context, and wait for it.
 *
 * @param arg              As above: cancelled, this call returns at once, and the function goes
 *                         on with its argument. Let it be copied, or outlive the task.
 * @param[out] ret_result  The result, which is now the caller's to free. Written on success only;
 *                         if NULL, the result is freed by its type.
 * @return 0, what the function returned, AIO_ECANCELLED, AIO_ENOTASK, or why it could not be run.
 * Suspends: always.   Cancellation point: yes.   asyncio: asyncio.to_thread()   Since: 0.1
 */
AIO_API int aio_to_thread(aio_job_fn fn, void *arg, void **ret_result);
/** The same with options, which are borrowed; NULL: the defaults. Since: 0.1 */
AIO_API int aio_to_thread_with(aio_job_fn fn, void *arg, const aio_job_options *options,
                               void **ret_result);

/**
 * Replace the default executor. The one before is not shut down.
 *
 * @param executor  Kept, and shut down with the loop. It has to run its jobs in this process.
 * @return 0, AIO_ETYPE for another, AIO_ECLOSED, AIO_ENOMEM, or the failure behind a NULL.
 * Suspends: no.   asyncio: loop.set_default_executor()
 * Differs: asyncio takes no executor but a ThreadPoolExecutor.   Since: 0.1
 */
AIO_API int aio_loop_set_default_executor(aio_loop *loop, aio_executor *executor);

/**
 * Wait until the default executor's jobs have ended; from then on it takes no more.
 *
 * @param timeout  Seconds; AIO_FOREVER: none. When it passes, a warning is logged, and what
 *                 still runs goes on for nobody.
 * @return 0, AIO_EVALUE for NaN, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOLOOP, AIO_ENOMEM.
 * Suspends: while jobs run.   Cancellation point: yes.
 * asyncio: loop.shutdown_default_executor()                      Since: 0.1
 */
AIO_API int aio_loop_shutdown_default_executor(aio_loop *loop, double timeout);

/**
 * aio_executor_shutdown() for a task: the loop goes on meanwhile.
 *
 * @return As that, or AIO_ECANCELLED, AIO_ENOTASK: the executor takes no jobs any more in either
 *         case.
 * Suspends: always, unless it fails at once.   Cancellation point: yes.
 * asyncio: none; a `with` blocks the loop there                  Since: 0.1
 */
AIO_API int aio_shutdown_executor(aio_executor *executor, double timeout, bool cancel_futures);
/** @} */

/** @name From any thread @{ */

/** Take another reference; NULL is given back. Thread: any.   Since: 0.1 */
AIO_API aio_executor *aio_executor_ref(aio_executor *executor);
/** Drop a reference; NULL is allowed. Jobs hold one: what was submitted is still run. Nobody waits
 *  for its threads or processes then: aio_executor_shutdown() does. Thread: any.   Since: 0.1 */
AIO_API void aio_executor_unref(aio_executor *executor);
AIO_DEFINE_AUTO(aio_executor)

/**
 * Submit a job.
 *
 * @param arg  Borrowed until the job has ended or was cancelled before it began. In another
 *             process: until the call returns.
 * @return Returned: aio_concurrent_future_unref() it, at any time. NULL on failure:
 *   AIO_ERUNTIME         the executor was shut down
 *   AIO_EBROKENTHREADPOOL, AIO_EBROKENPROCESSPOOL, or another AIO_EBROKENEXECUTOR: it can no
 *                        longer run anything
 *   AIO_ETYPE            the argument cannot be sent to another process
 *   AIO_ENOMEM, AIO_EVALUE, or the system's code if no thread or process could be had
 * Suspends: no.   Thread: any.   asyncio: concurrent.futures.Executor.submit()   Since: 0.1
 */
AIO_API aio_concurrent_future *aio_executor_submit(aio_executor *executor, aio_job_fn fn,
                                                   void *arg);
/** The same with options, which are borrowed; NULL: the defaults. Since: 0.1 */
AIO_API aio_concurrent_future *aio_executor_submit_with(aio_executor *executor, aio_job_fn fn,
                                                        void *arg, const aio_job_options *options);

/**
 * Take no more jobs, and block until those there are have ended and the threads or processes are
 * gone. May be called again, to wait for longer or to cancel.
 *
 * @param timeout         Seconds to wait at most; AIO_FOREVER: no limit; 0 and less: do not wait,
 *                        what is there still runs.
 * @param cancel_futures  Cancel what has not begun.
 * @return 0: all is over, or @p timeout was 0 or less; AIO_ETIMEDOUT: it goes on without us;
 *         AIO_ERUNTIME: waiting from one of its own jobs; AIO_EVALUE for NaN; or the failure
 *         behind a NULL.
 * Suspends: no (it blocks the thread).   Thread: any.
 * asyncio: concurrent.futures.Executor.shutdown(), leaving a `with`   Since: 0.1
 */
AIO_API int aio_executor_shutdown(aio_executor *executor, double timeout, bool cancel_futures);

/** What an executor is doing, and has done since it was made. */
typedef struct aio_executor_stats {
    size_t size;        /**< sizeof(aio_executor_stats), set by who asks */
    size_t max_workers; /**< threads or processes there can be */
    size_t workers;     /**< that there are */
    size_t idle;        /**< of them, without a job */
    size_t queued;      /**< jobs that have not begun */
    size_t running;     /**< jobs that have */
    uint64_t submitted;
    uint64_t completed; /**< ended, with a value or an error */
    uint64_t cancelled; /**< never begun */
} aio_executor_stats;

/** To begin with. */
#define AIO_EXECUTOR_STATS_INIT AIO_SIZED(aio_executor_stats)

/** Ask an executor. 0, AIO_EVALUE for a wrong size, AIO_ENOTIMPLEMENTED if it does not count, or
 *  the failure behind a NULL. Thread: any.   asyncio: none   Since: 0.1 */
AIO_API int aio_executor_get_stats(aio_executor *executor, aio_executor_stats *ret_stats);
/** The same of a loop's default executor. Thread: the loop's.   asyncio: none   Since: 0.1 */
AIO_API int aio_loop_get_executor_stats(aio_loop *loop, aio_executor_stats *ret_stats);
/** @} */

/** @name Executors of one's own
 *  An executor begins with a struct aio_executor, and gets each job as an aio_job, which is its
 *  own until it gives it to one of the functions below. The example loop_executor runs jobs in
 *  the thread of another loop. @{ */

/** A job that was submitted. */
typedef struct aio_job aio_job;

/** What an executor can do. A constant: executors keep the pointer. Each may be called from any
 *  thread. */
typedef struct aio_executor_ops {
    size_t size;      /**< sizeof(aio_executor_ops) */
    const char *name; /**< "ThreadPoolExecutor" */
    bool is_remote;   /**< jobs run in another process: aio_job_encode() their arguments */
    /** Queue a job, and do not wait. 0: it is taken; a code: it is not. Never runs it inside the
     *  call. */
    int (*submit)(aio_executor *executor, aio_job *job);
    /** A job that is taken was cancelled before it began. If it is in a queue still, take it out
     *  and aio_job_run() it, which lets go of it; another thread may be about to. May be NULL:
     *  jobs are found cancelled when their turn comes. */
    void (*cancelled)(aio_executor *executor, aio_job *job);
    /** As aio_executor_shutdown(). */
    int (*shutdown)(aio_executor *executor, double timeout, bool cancel_futures);
    /** Fill in what is known; all else is 0. May be NULL. */
    void (*stats)(aio_executor *executor, aio_executor_stats *ret_stats);
    /** The last reference is gone, and with it the last job: free the executor. In whatever thread
     *  that happens, one of its own too. */
    void (*destroy)(aio_executor *executor);
} aio_executor_ops;

/** The start of every executor. */
struct aio_executor {
    const aio_executor_ops *ops;
    size_t refs; /**< the library's */
};

/** Prepare the start of an executor: one reference. Thread: any.   Since: 0.1 */
AIO_API void aio_executor_init(aio_executor *executor, const aio_executor_ops *ops);

/** Run a job, or let go of one that was cancelled. Taken. Its future's callbacks run in here.
 *  Thread: the one the job is to run in.   Since: 0.1 */
AIO_API void aio_job_run(aio_job *job);
/** End a job with the code just returned, and its error, instead of running it. Taken.
 *  Thread: any.   Since: 0.1 */
AIO_API void aio_job_fail(aio_job *job, int code);
/** End a job that ran elsewhere with a value, which is freed by @p type (may be NULL). Taken.
 *  Thread: any.   Since: 0.1 */
AIO_API void aio_job_finish(aio_job *job, void *value, const aio_type *type);
/** The same with what the result was encoded to; @p bytes is taken too, as aio_malloc() made it.
 *  No bytes without a codec are no result. Thread: any.   Since: 0.1 */
AIO_API void aio_job_finish_encoded(aio_job *job, void *bytes, size_t size);

/** The future of a job, borrowed: to claim it early with
 *  aio_concurrent_future_set_running_or_notify_cancel(), say. Thread: any.   Since: 0.1 */
AIO_API aio_concurrent_future *aio_job_future(aio_job *job);
/** The function of a job; its name, if it has one, tells aio_function_of(). Since: 0.1 */
AIO_API aio_job_fn aio_job_function(const aio_job *job);
/** What encodes its result; NULL: it has none. Since: 0.1 */
AIO_API const aio_codec *aio_job_result_codec(const aio_job *job);
/** What frees its result where it runs; may be NULL. Since: 0.1 */
AIO_API const aio_type *aio_job_result_type(const aio_job *job);
/** What decodes its argument where it runs; NULL: the bytes are the argument. Since: 0.1 */
AIO_API const aio_codec *aio_job_arg_codec(const aio_job *job);

/**
 * Encode a job's argument, in submit(). The argument itself is then over.
 *
 * @param[out] ret_bytes  aio_free() it; NULL for 0 bytes.
 * @return 0, AIO_ETYPE if nothing says how, AIO_ENOMEM, or the codec's code.
 * Since: 0.1
 */
AIO_API int aio_job_encode(aio_job *job, void **ret_bytes, size_t *ret_size);

/** Hang something of the executor's on a job; @p destroy, which may be NULL, gets it when the job's
 *  future goes. Since: 0.1 */
AIO_API void aio_job_set_data(aio_job *job, void *data, void (*destroy)(void *data));
/** What was hung on it, or NULL. Since: 0.1 */
AIO_API void *aio_job_data(const aio_job *job);
/** @} */

AIO_END_DECLS

#endif
