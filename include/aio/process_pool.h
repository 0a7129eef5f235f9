/* SPDX-License-Identifier: MIT */
/*
 * process_pool.h - an executor whose jobs run in processes of their own
 *
 *     int main(int argc, char **argv)                           if __name__ == '__main__':
 *     {
 *         if (aio_process_worker_main(argc, argv))
 *             return 0;
 *         ...
 *     aio_executor *pool = aio_process_pool_new(NULL);          with ProcessPoolExecutor() as pool:
 *     AIO_AUTO(aio_future) fut = aio_loop_run_in_executor_with(     fut = loop.run_in_executor(
 *         NULL, pool, fn, &arg, &options);                              pool, fn, arg)
 *
 * For jobs that may crash, leak or change what belongs to the whole process. Their arguments and
 * results cross the border as bytes, which the options of a job say how to make: see codec.h.
 *
 * A worker is this program, started anew: that is safe whatever threads there are, where fork()
 * is not. It begins with main(), as any process does, and what makes a worker of it is the call
 * of aio_process_worker_main(), which therefore comes first.
 */
#ifndef AIO_PROCESS_POOL_H
#define AIO_PROCESS_POOL_H

#include <aio/executor.h>

AIO_BEGIN_DECLS

/**
 * Be a worker, if a process pool has started this process as one: run its jobs until there will be
 * no more. Else it returns at once, and pools can be made from then on.
 *
 * To be called at the start of main(), in every program that makes a process pool: before there
 * are threads, and before the program does anything that a worker should not do as well. What it
 * does before, registering functions above all, workers do too. Standard output of a worker is
 * line-buffered: what its jobs print comes in whole lines.
 *
 * It never is one in a program that runs with more rights than its caller (AT_SECURE), who could
 * make it call whatever he likes.
 *
 * @param argc, argv  main()'s; kept.
 * @return true: this was a worker, and is done. To be left by main() at once: the rest of it is
 *         none of a worker's business. false: this is none.
 * Suspends: no.   Thread: the first, before there are others.
 * asyncio: multiprocessing.freeze_support(), `if __name__ == '__main__'`   Since: 0.1
 */
AIO_API bool aio_process_worker_main(int argc, char **argv) AIO_MUST_CHECK;

/** How a process pool is made. Zero in any field but size means the default. */
typedef struct aio_process_pool_options {
    size_t size;                /**< sizeof(aio_process_pool_options) */
    size_t max_workers;         /**< processes at most; default: as many as there are processors */
    size_t max_tasks_per_child; /**< jobs after which another process takes the place of a worker;
                                     default: no limit */
    int (*initializer)(void *arg);  /**< each worker calls it first. A negative code breaks the
                                           pool: it takes no jobs any more, and those it has fail */
    const void *initarg;            /**< for the initializer; borrowed for the call */
    size_t initarg_size;            /**< copy so many bytes of initarg; 0: by the codec */
    const aio_codec *initarg_codec; /**< how initarg gets there if it is no plain struct */
    const char *worker_program; /**< copied: path of another program to be the workers. It has to
                                     call aio_process_worker_main() too, and finds functions and
                                     their codecs by the names they are registered under: a job
                                     with other codecs ends in AIO_ELOOKUP, unless both programs
                                     have them from one shared library. Default: this program */
} aio_process_pool_options;

/** The defaults. */
#define AIO_PROCESS_POOL_OPTIONS_INIT AIO_SIZED(aio_process_pool_options)

/**
 * Make a process pool. Workers start when jobs come and none is idle, and stay until it is shut
 * down or its last reference goes. They have this process's environment, directory, standard
 * output and error, nothing to read from standard input, and no other descriptor.
 *
 * Jobs wait in a queue, first in, first out, and can be cancelled there. The first one, for which
 * the pool is started, is running at once; others are when a worker has got them.
 *
 * A worker that ends before its time, a crash say, breaks the pool: all its jobs fail with
 * AIO_EBROKENPROCESSPOOL, and the other workers are ended. The last thing the pool does is to wait
 * for its processes; it neither needs SIGCHLD nor touches other children.
 *
 * Options of jobs: arg_size or arg_codec for an argument, result_codec for a result; or those that
 * were registered with the function. A result without a codec fails the job with AIO_ETYPE.
 * Errors come back with message, place and cause.
 *
 * @param options  Borrowed; NULL: the defaults.
 * @return Returned: aio_executor_shutdown() it to wait for its processes, then
 *         aio_executor_unref(). NULL on failure: AIO_ERUNTIME if this program does not call
 *         aio_process_worker_main(), AIO_EVALUE, AIO_ETYPE for an initarg without a size or an
 *         initializer that cannot be found elsewhere, AIO_ENOMEM, or the system's code.
 * Suspends: no.   Thread: any.
 * asyncio: concurrent.futures.ProcessPoolExecutor()
 * Differs: a worker gets one job at a time, where up to one more waits there in Python, and can
 * not be cancelled any more.                                     Since: 0.1
 */
AIO_API aio_executor *aio_process_pool_new(const aio_process_pool_options *options);

/**
 * Take no more jobs, cancel those that have not begun, and send SIGTERM to all workers: what runs
 * fails with AIO_EBROKENPROCESSPOOL. Does not wait: aio_executor_shutdown() does.
 *
 * @return 0, AIO_ETYPE if @p pool is no process pool, or the failure behind a NULL.
 * Suspends: no.   Thread: any.
 * asyncio: ProcessPoolExecutor.terminate_workers()               Since: 0.1
 */
AIO_API int aio_process_pool_terminate_workers(aio_executor *pool);
/** The same with SIGKILL.   asyncio: ProcessPoolExecutor.kill_workers()   Since: 0.1 */
AIO_API int aio_process_pool_kill_workers(aio_executor *pool);

AIO_END_DECLS

#endif
