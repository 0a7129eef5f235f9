/* SPDX-License-Identifier: MIT */
/*
 * run_in.c - jobs and shutdowns that tasks wait for
 *
 * Thread: the loop's.
 */
#include "executor/default.h"
#include "executor/executor_internal.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <pthread.h>

/* --- run_in_executor ------------------------------------------------------------------- */

/* Whether a job can be made at all. */
static int check(const aio_loop *loop, aio_job_fn fn, const void *arg,
                 const aio_job_options *options)
{
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    return aio__job_options_check(fn, arg, options);
}

aio_future *aio_loop_run_in_executor_with(aio_loop *loop, aio_executor *executor, aio_job_fn fn,
                                          void *arg, const aio_job_options *options)
{
    aio_concurrent_future *job;
    aio_future *fut;
    int err;

    loop = aio__loop_or_current(loop);
    err = check(loop, fn, arg, options);
    if (err < 0) {
        if (options != NULL && options->size >= sizeof(*options) && options->arg_destroy != NULL)
            options->arg_destroy(arg);
        return aio__failed(err);
    }
    if (executor == NULL)
        return aio__default_run(loop, fn, arg, options);
    job = aio_executor_submit_with(executor, fn, arg, options);
    if (job == NULL)
        return NULL;
    fut = aio_wrap_future(job, loop);
    if (fut == NULL)
        (void)aio_concurrent_future_cancel(job); /* without memory for the future: too late maybe */
    aio_concurrent_future_unref(job);
    return fut;
}

aio_future *aio_loop_run_in_executor(aio_loop *loop, aio_executor *executor, aio_job_fn fn,
                                     void *arg)
{
    return aio_loop_run_in_executor_with(loop, executor, fn, arg, NULL);
}

/* --- to_thread ------------------------------------------------------------------------- */

int aio_to_thread_with(aio_job_fn fn, void *arg, const aio_job_options *options, void **ret_result)
{
    aio_job_options with_context = AIO_JOB_OPTIONS_INIT;
    aio_loop *loop = aio_get_running_loop();
    aio_future *fut;
    void *value;
    int err;

    if (options != NULL && options->size >= sizeof(*options))
        with_context = *options;
    else if (options != NULL)
        with_context.size = options->size; /* bad: to be refused below */
    with_context.copy_context = true;
    if (loop == NULL || aio_current_task(loop) == NULL) {
        if (with_context.arg_destroy != NULL)
            with_context.arg_destroy(arg);
        return aio_raise(AIO_ENOTASK, "aio_to_thread() waits, and needs a task");
    }
    fut = aio_loop_run_in_executor_with(loop, NULL, fn, arg, &with_context);
    err = aio_await(fut, &value);
    if (err == 0 && ret_result != NULL) {
        aio__future_disown_value(fut);
        *ret_result = value;
    }
    aio_future_unref(fut);
    return err;
}

int aio_to_thread(aio_job_fn fn, void *arg, void **ret_result)
{
    return aio_to_thread_with(fn, arg, NULL, ret_result);
}

/* --- shutting down without blocking the loop ------------------------------------------- */

/* What the thread that blocks for us needs; it is freed with the future. */
struct shutdown {
    aio_concurrent_future fut;
    aio_executor *executor; /* referenced */
    double timeout;
};

static void dispose(aio_concurrent_future *fut)
{
    struct shutdown *shutdown = aio__container_of(fut, struct shutdown, fut);

    aio__concurrent_release(fut);
    aio_executor_unref(shutdown->executor);
    aio_free(shutdown);
}

static void *shut_down(void *arg)
{
    struct shutdown *shutdown = arg;
    int code = aio_executor_shutdown(shutdown->executor, shutdown->timeout, false);

    if (code < 0)
        (void)aio_concurrent_future_set_error(&shutdown->fut, code);
    else
        (void)aio_concurrent_future_set_result(&shutdown->fut, NULL);
    aio_concurrent_future_unref(&shutdown->fut);
    return NULL;
}

static struct shutdown *shutdown_new(aio_executor *executor, double timeout)
{
    static const struct aio__concurrent_ops ops = {.dispose = dispose};
    struct shutdown *shutdown = aio_malloc(sizeof(*shutdown));

    if (shutdown == NULL)
        return NULL;
    if (aio__concurrent_init(&shutdown->fut, &ops) < 0) {
        aio_free(shutdown);
        return NULL;
    }
    shutdown->executor = aio_executor_ref(executor);
    shutdown->timeout = timeout;
    (void)aio_concurrent_future_set_running_or_notify_cancel(&shutdown->fut);
    return shutdown;
}

/* Wait for the thread, which is done but for its last steps, unless we are cancelled. */
static int await_shutdown(struct shutdown *shutdown, pthread_t thread)
{
    aio_future *fut = aio_wrap_future(&shutdown->fut, NULL);
    int err = aio_await(fut, NULL);

    if (aio_concurrent_future_done(&shutdown->fut))
        (void)pthread_join(thread, NULL);
    else
        (void)pthread_detach(thread);
    aio_future_unref(fut);
    return err;
}

int aio_shutdown_executor(aio_executor *executor, double timeout, bool cancel_futures)
{
    struct shutdown *shutdown;
    pthread_t thread;
    int err;

    err = executor == NULL ? aio__null_future() : aio__check_timeout(timeout);
    if (err < 0)
        return err;
    if (aio_get_running_loop() == NULL)
        return AIO_ENOLOOP;
    err = aio_executor_shutdown(executor, 0, cancel_futures);
    if (err < 0 || timeout <= 0)
        return err;
    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "waiting needs a task");
    shutdown = shutdown_new(executor, timeout);
    if (shutdown == NULL)
        return AIO_ENOMEM;
    aio_concurrent_future_ref(&shutdown->fut); /* the thread's */
    err = pthread_create(&thread, NULL, shut_down, shutdown);
    if (err != 0) {
        aio_concurrent_future_unref(&shutdown->fut);
        err = -err;
    } else {
        err = await_shutdown(shutdown, thread);
    }
    aio_concurrent_future_unref(&shutdown->fut);
    return err;
}
