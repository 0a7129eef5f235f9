/* SPDX-License-Identifier: MIT */
/*
 * runner.c - a program's main coroutine, from the first line to an orderly end
 *
 * The order of the end is asyncio's (S106): cancel what is left and wait for it, report what
 * failed meanwhile, close asynchronous generators, join the default executor, close the loop.
 *
 * Thread: the one that runs it.
 */
#include "base/log.h"
#include "task/task_internal.h"

#include <aio/asyncgen.h>
#include <aio/executor.h>
#include <aio/gather.h>
#include <aio/memory.h>
#include <aio/runner.h>

struct aio_runner {
    aio_runner_options options;
    aio_loop *loop; /* NULL before the first need, and once closed */
    aio_context *context;
    aio_future *last;    /* the main task of the last run, which holds its result */
    aio_future *awaited; /* what that waited for, and got its result from; may be NULL */
    bool closed;
};

aio_runner *aio_runner_new(const aio_runner_options *options)
{
    aio_runner_options defaults = AIO_RUNNER_OPTIONS_INIT;
    aio_runner *runner;

    if (options != NULL && options->size < sizeof(*options))
        return aio__failed(aio_raise(AIO_EVALUE, "bad runner options"));
    runner = aio_calloc(1, sizeof(*runner));
    if (runner == NULL)
        return aio__failed(AIO_ENOMEM);
    runner->options = options != NULL ? *options : defaults;
    return runner;
}

void aio_runner_free(aio_runner *runner)
{
    if (runner == NULL)
        return;
    (void)aio_runner_close(runner);
    aio_free(runner);
}

/* Make the loop when it is first needed. */
static int ensure_loop(aio_runner *runner)
{
    const aio_runner_options *options = &runner->options;

    if (runner->closed)
        return aio_raise(AIO_ERUNTIME, "Runner is closed");
    if (runner->loop != NULL)
        return 0;
    runner->context = aio_copy_context();
    if (runner->context == NULL)
        return AIO_ENOMEM;
    runner->loop = options->loop_factory != NULL ? options->loop_factory(options->factory_arg)
                                                 : aio_new_event_loop();
    if (runner->loop == NULL) {
        aio_context_unref(runner->context);
        runner->context = NULL;
        return aio__null_future();
    }
    if (options->debug != 0)
        aio_loop_set_debug(runner->loop, options->debug > 0);
    aio_set_event_loop(runner->loop);
    if (!options->quiet)
        aio__log_fallback(true);
    return 0;
}

aio_loop *aio_runner_get_loop(aio_runner *runner)
{
    int err = runner == NULL ? aio__null_future() : ensure_loop(runner);

    return err < 0 ? aio__failed(err) : runner->loop;
}

/* --- running --------------------------------------------------------------------------- */

static void cancel_main(void *arg)
{
    (void)aio_future_cancel(arg, NULL);
}

/*
 * Ctrl-C comes out as such only if the main task ended cancelled by it alone (S110). One that came
 * in the task's last step counts as asked for then, though the loop has not seen it: Python's
 * handler would have cancelled the task, and what returns after that ends cancelled (S33).
 */
static int interrupted(aio_future *main_task, int code, bool seen)
{
    unsigned others = seen ? aio_task_uncancel(main_task) : aio_task_cancelling(main_task);

    if (code >= 0 && !seen)
        code = AIO_ECANCELLED;
    if (code == AIO_ECANCELLED && others == 0)
        return aio_raise(AIO_EKEYBOARDINTERRUPT, "interrupted");
    return code;
}

/* Run the main task, which is taken. */
static int run_main(aio_runner *runner, aio_future *main_task, void **ret_value)
{
    aio_loop *loop = runner->loop;
    bool takes_sigint =
        !runner->options.ignore_sigint && aio__sigint_take(loop, cancel_main, main_task);
    void *value = NULL;
    int code = aio_loop_run_until_complete(loop, main_task, &value);
    unsigned seen;

    if (takes_sigint && aio__sigint_give_back(loop, &seen) > 0)
        code = interrupted(main_task, code, seen > 0);
    if (code >= 0 && ret_value != NULL)
        *ret_value = value;
    aio_future_unref(runner->last);
    runner->last = main_task;
    aio_future_unref(runner->awaited);
    runner->awaited = NULL;
    return code;
}

static int check_thread(void)
{
    if (aio__thread()->running == NULL)
        return 0;
    return aio_raise(AIO_ERUNTIME, "Runner.run() cannot be called from a running event loop");
}

int aio_runner_run_at(aio_site site, aio_runner *runner, aio_coro_fn fn, void *arg,
                      const aio_task_options *options, void **ret_value)
{
    aio_task_options with_context = AIO_TASK_OPTIONS_INIT;
    aio_future *main_task;
    int err;

    err = runner == NULL ? aio__null_future() : check_thread();
    if (err == 0)
        err = ensure_loop(runner);
    if (err < 0) {
        if (options != NULL && options->arg_destroy != NULL)
            options->arg_destroy(arg);
        return err;
    }
    if (options != NULL && options->size >= sizeof(*options))
        with_context = *options;
    if (with_context.context == NULL)
        with_context.context = runner->context;
    main_task = aio_loop_create_task_at(site, runner->loop, fn, arg, &with_context);
    return main_task == NULL ? aio__null_future() : run_main(runner, main_task, ret_value);
}

#undef aio_runner_run
#undef aio_run
#undef aio_run_with

int aio_runner_run(aio_runner *runner, aio_coro_fn fn, void *arg, const aio_task_options *options,
                   void **ret_value)
{
    return aio_runner_run_at(aio_site_make(NULL, NULL, 0), runner, fn, arg, options, ret_value);
}

static int wrap_awaitable(void *arg, void **ret_result)
{
    aio_future *const *awaitable = arg;

    return aio_await(*awaitable, ret_result);
}

static void drop_awaitable(void *arg)
{
    aio_future *const *awaitable = arg;

    aio_future_unref(*awaitable);
}

/* What is no coroutine object is awaited by a task of its own, as by asyncio's Runner. */
static aio_task *task_for(const aio_runner *runner, aio_future *awaitable)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_future *held = aio_future_ref(awaitable);

    options.context = runner->context;
    options.arg_size = sizeof(aio_future *);
    options.arg_destroy = drop_awaitable;
    return aio_loop_create_task_at(aio_site_make("_wrap_awaitable", NULL, 0), runner->loop,
                                   wrap_awaitable, &held, &options);
}

int aio_runner_run_awaitable(aio_runner *runner, aio_future *awaitable, void **ret_value)
{
    aio_future *main_task;
    int err;

    if (runner == NULL || awaitable == NULL)
        return aio__null_future();
    err = check_thread();
    if (err == 0)
        err = ensure_loop(runner);
    if (err < 0)
        return err;
    if (!aio_isfuture(awaitable)) {
        err = aio__ensure_future_in(awaitable, runner->loop, runner->context);
        return err < 0 ? err : run_main(runner, aio_future_ref(awaitable), ret_value);
    }
    main_task = task_for(runner, awaitable);
    if (main_task == NULL)
        return aio__null_future();
    err = run_main(runner, main_task, ret_value);
    runner->awaited = aio_future_ref(awaitable);
    return err;
}

/* --- the end --------------------------------------------------------------------------- */

static void report_failures(aio_loop *loop, aio_task **tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        aio_exception *error = NULL;

        if (!aio_future_done(tasks[i]) || aio_future_cancelled(tasks[i]))
            continue;
        if (aio_future_exception(tasks[i], &error) == 0 && error != NULL)
            aio__loop_report(loop, "unhandled exception during asyncio.run() shutdown", error,
                             tasks[i]);
    }
}

/* The tasks there are now: what they make while dying is abandoned (S107). */
static int cancel_all_tasks(aio_loop *loop)
{
    aio_future *all;
    aio_task **tasks;
    size_t count;
    int err;

    err = aio_all_tasks(loop, &tasks, &count);
    if (err < 0 || count == 0)
        return err;
    for (size_t i = 0; i < count; i++)
        (void)aio_future_cancel(tasks[i], NULL);
    all = aio_gather(tasks, count, AIO_RETURN_EXCEPTIONS);
    err = all == NULL ? aio__null_future() : aio_loop_run_until_complete(loop, all, NULL);
    aio_future_unref(all);
    if (err == 0)
        report_failures(loop, tasks, count);
    aio_task_list_free(tasks, count);
    return err;
}

static int close_generators(void *arg, void **ret_result)
{
    aio_loop *loop = arg;

    (void)ret_result;
    return loop->asyncgens != NULL ? aio_loop_shutdown_asyncgens(loop) : 0;
}

static int join_executor(void *arg, void **ret_result)
{
    aio_loop *loop = arg;

    (void)ret_result;
    return loop->default_executor != NULL
               ? aio_loop_shutdown_default_executor(loop, AIO_THREAD_JOIN_TIMEOUT)
               : 0;
}

static int run_last(aio_loop *loop, aio_site site, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_task *task;
    int err;

    options.name = "shutdown";
    task = aio_loop_create_task_at(site, loop, fn, loop, &options);
    err = task == NULL ? aio__null_future() : aio_loop_run_until_complete(loop, task, NULL);
    aio_future_unref(task);
    return err;
}

/* Generators first: their bodies may need the executor to clean up (S106). Each is run by itself,
 * also where there is nothing to end: for as long as that takes, in iterations, tasks go on that
 * others made while they were dying (S107). */
static int run_shutdown(aio_loop *loop)
{
    int err;

    if (loop->asyncgens == NULL && loop->default_executor == NULL && loop->task_count == 0)
        return 0;
    err = run_last(loop, AIO_SITE(close_generators), close_generators);
    return err < 0 ? err : run_last(loop, AIO_SITE(join_executor), join_executor);
}

int aio_runner_close(aio_runner *runner)
{
    aio_loop *loop;
    int err;

    if (runner == NULL)
        return 0;
    loop = runner->loop;
    if (loop != NULL && aio_loop_is_running(loop))
        return aio_raise(AIO_ERUNTIME, "Cannot close a running runner");
    runner->closed = true;
    if (loop == NULL)
        return 0;

    err = cancel_all_tasks(loop);
    if (err == 0)
        err = run_shutdown(loop);
    aio_future_unref(runner->last);
    runner->last = NULL;
    aio_future_unref(runner->awaited);
    runner->awaited = NULL;
    aio_set_event_loop(NULL);
    (void)aio_loop_close(loop);
    aio_loop_unref(loop);
    runner->loop = NULL;
    aio_context_unref(runner->context);
    if (!runner->options.quiet)
        aio__log_fallback(false);
    return err;
}

int aio_run_with_at(aio_site site, aio_coro_fn fn, void *arg, const aio_runner_options *options,
                    void **ret_value)
{
    aio_runner *runner;
    aio_exception *error;
    int close_code;
    int code;

    code = check_thread();
    if (code < 0)
        return code;
    runner = aio_runner_new(options);
    if (runner == NULL)
        return aio__null_future();
    code = aio_runner_run_at(site, runner, fn, arg, NULL, ret_value);
    error = code < 0 ? aio_error_catch(code) : NULL;
    close_code = aio_runner_close(runner);
    aio_free(runner);
    if (close_code < 0)
        code = close_code; /* raised later: as in Python it takes the place of the other */
    else if (error != NULL)
        code = aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

int aio_run_with(aio_coro_fn fn, void *arg, const aio_runner_options *options, void **ret_value)
{
    return aio_run_with_at(aio_site_make(NULL, NULL, 0), fn, arg, options, ret_value);
}

int aio_run_at(aio_site site, aio_coro_fn fn, void *arg, void **ret_value)
{
    return aio_run_with_at(site, fn, arg, NULL, ret_value);
}

int aio_run(aio_coro_fn fn, void *arg, void **ret_value)
{
    return aio_run_at(aio_site_make(NULL, NULL, 0), fn, arg, ret_value);
}
