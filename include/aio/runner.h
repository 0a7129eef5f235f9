/* SPDX-License-Identifier: MIT */
/*
 * runner.h - a program's main coroutine, from the first line to an orderly end
 */
#ifndef AIO_RUNNER_H
#define AIO_RUNNER_H

#include <aio/loop.h>
#include <aio/task.h>

AIO_BEGIN_DECLS

/** Seconds that a runner gives the default executor at its end.
 *  asyncio: asyncio.constants.THREAD_JOIN_TIMEOUT   Since: 0.1 */
#define AIO_THREAD_JOIN_TIMEOUT 300.0

/** Makes the loop of a runner; returns NULL on failure. */
typedef aio_loop *(*aio_loop_factory_fn)(void *arg);

/** How a runner works. Zero in any field but size means the default. */
typedef struct aio_runner_options {
    size_t size; /**< sizeof(aio_runner_options) */
    int debug;   /**< > 0: debug mode on, < 0: off, 0: the loop's own default */
    aio_loop_factory_fn loop_factory; /**< default aio_new_event_loop() */
    void *factory_arg;
    bool ignore_sigint; /**< leave SIGINT alone */
    bool quiet;         /**< without a log handler, keep reports off standard error */
} aio_runner_options;

/** The defaults. */
#define AIO_RUNNER_OPTIONS_INIT AIO_SIZED(aio_runner_options)

/**
 * Run a coroutine as the main task of a new loop, then cancel what is left, shut the
 * default executor down and close the loop.
 *
 * In the main thread, and if SIGINT has its default action, the first SIGINT cancels the
 * main task, which gives AIO_EKEYBOARDINTERRUPT if it then ends cancelled; the second
 * leaves the run at once after the callback that is running; a third kills the process.
 * The handler is taken back before the call returns.
 *
 * @param fn, arg         As aio_create_task().
 * @param[out] ret_value  The result, as it is; with a result type of its own use a runner.
 *                        May be NULL.
 * @return 0, or the error @p fn ended with, whose object can be caught; AIO_ERUNTIME inside
 *         a running loop; AIO_ENOMEM.
 * Suspends: no (it blocks the thread).   asyncio: asyncio.run()   Since: 0.1
 */
AIO_API int aio_run(aio_coro_fn fn, void *arg, void **ret_value);
/** What the macro calls. Since: 0.1 */
AIO_API int aio_run_at(aio_site site, aio_coro_fn fn, void *arg, void **ret_value);
#define aio_run(fn, arg, ret_value) aio_run_at(AIO_SITE(fn), (fn), (arg), (ret_value))

/** The same with options, which are borrowed; NULL: the defaults.
 *  asyncio: asyncio.run(debug=, loop_factory=)   Since: 0.1 */
AIO_API int aio_run_with(aio_coro_fn fn, void *arg, const aio_runner_options *options,
                         void **ret_value);
/** What the macro calls. Since: 0.1 */
AIO_API int aio_run_with_at(aio_site site, aio_coro_fn fn, void *arg,
                            const aio_runner_options *options, void **ret_value);
#define aio_run_with(fn, arg, options, ret_value)                                                  \
    aio_run_with_at(AIO_SITE(fn), (fn), (arg), (options), (ret_value))

/**
 * aio_run() as the whole of main(): what a Python program does after its last line.
 *
 *     int main(void)
 *     {
 *         return aio_main(async_main, NULL);
 *     }
 *
 * An error that comes out of @p fn is written to standard error with its place and causes. After
 * Ctrl-C the process dies of SIGINT, so that a shell sees it.
 *
 * @return EXIT_SUCCESS or EXIT_FAILURE.
 * Suspends: no (it blocks the thread).   asyncio: asyncio.run(main())   Since: 0.1
 */
AIO_API int aio_main(aio_coro_fn fn, void *arg);
/** What the macro calls. Since: 0.1 */
AIO_API int aio_main_at(aio_site site, aio_coro_fn fn, void *arg);
#define aio_main(fn, arg) aio_main_at(AIO_SITE(fn), (fn), (arg))

/** One loop and one context for several runs. */
typedef struct aio_runner aio_runner;

/**
 * Make a runner. Its loop is made when it is first needed.
 *
 * @param options  Borrowed. NULL: the defaults.
 * @return Returned: aio_runner_free() it. NULL when memory is short.
 * Suspends: no.   asyncio: asyncio.Runner()                      Since: 0.1
 */
AIO_API aio_runner *aio_runner_new(const aio_runner_options *options);
/** Close and free; NULL is allowed.   asyncio: Runner.__exit__()   Since: 0.1 */
AIO_API void aio_runner_free(aio_runner *runner);

/**
 * Run a coroutine in the runner's loop and context.
 *
 * @param options         Borrowed; NULL: the defaults. Its context replaces the runner's.
 * @param[out] ret_value  The result, which lives until the next run or the runner's end.
 * @return As aio_run(); AIO_ERUNTIME after aio_runner_close().
 * Suspends: no (it blocks the thread).   asyncio: Runner.run()   Since: 0.1
 */
AIO_API int aio_runner_run(aio_runner *runner, aio_coro_fn fn, void *arg,
                           const aio_task_options *options, void **ret_value);
/** What the macro calls. Since: 0.1 */
AIO_API int aio_runner_run_at(aio_site site, aio_runner *runner, aio_coro_fn fn, void *arg,
                              const aio_task_options *options, void **ret_value);
#define aio_runner_run(runner, fn, arg, options, ret_value)                                        \
    aio_runner_run_at(AIO_SITE(fn), (runner), (fn), (arg), (options), (ret_value))

/** Run something awaitable, which is borrowed: a coroutine object becomes the main task, a future or
 *  another task is awaited by one.   asyncio: Runner.run(awaitable)   Since: 0.1 */
AIO_API int aio_runner_run_awaitable(aio_runner *runner, aio_future *awaitable, void **ret_value);

/** The loop, made if need be; borrowed. NULL once closed.   asyncio: Runner.get_loop()   Since: 0.1 */
AIO_API aio_loop *aio_runner_get_loop(aio_runner *runner);

/**
 * Cancel all tasks and wait for them, report the errors of those that failed, close
 * asynchronous generators, join the default executor (300 s at most), close the loop.
 *
 * @return 0, also when there is nothing to close; AIO_ERUNTIME while it runs; an error
 *         that left the run calls of the shutdown.
 * Suspends: no (it blocks the thread).   asyncio: Runner.close()   Since: 0.1
 */
AIO_API int aio_runner_close(aio_runner *runner);

AIO_END_DECLS

#endif
