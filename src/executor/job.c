/* SPDX-License-Identifier: MIT */
/*
 * job.c - a function with its argument, on its way to be called elsewhere
 *
 * Who submits a job has one reference, the executor another, until the job ends. Both, and whoever
 * asked for its future to be wrapped, may let go of it in any order and in any thread.
 *
 * Invariants
 *   - A job is claimed once: by the executor, to be run or failed, or by who cancels it.
 *   - Who claims it lets go of its argument. Nobody else touches that any more.
 *   - The argument is gone before the future is done: whoever waits may free what it points to.
 *
 * Thread: any.
 */
#include "base/error.h"
#include "base/type.h"
#include "executor/executor_internal.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <string.h>

/* --- calls ----------------------------------------------------------------------------- */

int aio__job_options_check(aio_job_fn fn, const void *arg, const aio_job_options *options)
{
    if (fn == NULL)
        return aio_raise(AIO_EVALUE, "a function is needed");
    if (options == NULL)
        return 0;
    if (options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad job options");
    if (options->arg_size != 0 && arg == NULL)
        return aio_raise(AIO_EVALUE, "arg_size without an argument");
    if (options->arg_size > PTRDIFF_MAX / 2)
        return AIO_ENOMEM;
    return 0;
}

void aio__call_init(struct aio__call *call, aio_job_fn fn, void *arg,
                    const aio_job_options *options, void *room)
{
    *call = (struct aio__call){.fn = fn, .arg = arg};
    if (options == NULL)
        return;
    call->arg_destroy = options->arg_destroy;
    call->result_type = options->result_type;
    if (options->arg_size != 0 && room != NULL)
        call->arg = memcpy(room, arg, options->arg_size);
    if (options->copy_context) {
        call->context = aio__ctx_capture();
        call->has_context = true;
    }
}

int aio__call_run(struct aio__call *call, void **ret_result)
{
    struct aio__thread *thread = aio__thread();
    aio__ctx *former = thread->context;
    int code;

    if (call->has_context)
        thread->context = &call->context;
    code = call->fn(call->arg, ret_result);
    thread->context = former;
    aio__call_drop(call);
    return code;
}

void aio__call_drop(struct aio__call *call)
{
    void (*destroy)(void *) = call->arg_destroy;
    aio__ctx context = call->context;

    call->arg_destroy = NULL;
    call->context.bits = 0;
    if (destroy != NULL)
        destroy(call->arg);
    aio__ctx_release(context);
}

/* --- the life of a job ----------------------------------------------------------------- */

static aio_job *job_of(aio_concurrent_future *fut)
{
    return aio__container_of(fut, aio_job, fut);
}

static void dispose(aio_concurrent_future *fut)
{
    aio_job *job = job_of(fut);
    aio_executor *executor = job->executor;

    aio__call_drop(&job->call);
    aio__concurrent_release(fut);
    if (job->data_destroy != NULL)
        job->data_destroy(job->data);
    aio_free(job->bytes); /* the value may have pointed into them */
    aio_free(job);
    aio_executor_unref(executor);
}

static void cancelled(aio_concurrent_future *fut)
{
    aio_job *job = job_of(fut);
    aio_executor *executor = job->executor;

    aio__call_drop(&job->call);
    if (executor->ops->cancelled != NULL)
        executor->ops->cancelled(executor, job);
}

static const struct aio__concurrent_ops job_ops = {.cancelled = cancelled, .dispose = dispose};

void aio__use_registered_codecs(const aio_function *function, size_t arg_size,
                                const aio_codec **arg_codec, const aio_codec **result_codec)
{
    if (*arg_codec == NULL && arg_size == 0)
        *arg_codec = function->arg_codec;
    if (*result_codec == NULL)
        *result_codec = function->result_codec;
}

static void set_codecs(aio_job *job, const aio_job_options *options)
{
    const aio_function *function = aio_function_of(job->call.fn);

    if (options != NULL) {
        job->arg_size = options->arg_size;
        job->arg_codec = options->arg_codec;
        job->result_codec = options->result_codec;
    }
    if (function != NULL)
        aio__use_registered_codecs(function, job->arg_size, &job->arg_codec, &job->result_codec);
}

static aio_job *job_new(aio_executor *executor, aio_job_fn fn, void *arg,
                        const aio_job_options *options)
{
    bool is_remote = executor->ops->is_remote;
    size_t room = is_remote ? 0 : aio__call_room(options);
    aio_job *job = aio_malloc(sizeof(*job) + room);

    if (job == NULL)
        return NULL;
    if (aio__concurrent_init(&job->fut, &job_ops) < 0) {
        aio_free(job);
        return NULL;
    }
    aio__list_init(&job->link);
    job->executor = aio_executor_ref(executor);
    aio__call_init(&job->call, fn, arg, options, is_remote ? NULL : job->arg);
    job->arg_size = 0;
    job->arg_codec = NULL;
    job->result_codec = NULL;
    job->bytes = NULL;
    job->bytes_size = 0;
    job->data = NULL;
    job->data_destroy = NULL;
    if (is_remote)
        set_codecs(job, options);
    return job;
}

/* --- submitting ------------------------------------------------------------------------ */

static aio_concurrent_future *fail(int code, void *arg, const aio_job_options *options)
{
    if (options != NULL && options->size >= sizeof(*options) && options->arg_destroy != NULL)
        options->arg_destroy(arg);
    return aio__failed(code);
}

aio_concurrent_future *aio_executor_submit_with(aio_executor *executor, aio_job_fn fn, void *arg,
                                                const aio_job_options *options)
{
    aio_job *job;
    int err;

    if (executor == NULL)
        return fail(aio__null_future(), arg, options);
    err = aio__job_options_check(fn, arg, options);
    if (err < 0)
        return fail(err, arg, options);
    job = job_new(executor, fn, arg, options);
    if (job == NULL)
        return fail(AIO_ENOMEM, arg, options);

    aio_concurrent_future_ref(&job->fut); /* the executor's */
    err = executor->ops->submit(executor, job);
    if (err < 0) {
        aio_concurrent_future_unref(&job->fut);
        aio_concurrent_future_unref(&job->fut);
        return aio__failed(err);
    }
    return &job->fut;
}

aio_concurrent_future *aio_executor_submit(aio_executor *executor, aio_job_fn fn, void *arg)
{
    return aio_executor_submit_with(executor, fn, arg, NULL);
}

/* --- its end --------------------------------------------------------------------------- */

/* For the executor: false if it was cancelled. It may have been claimed by submit() already. */
static bool claim(aio_job *job)
{
    switch (aio__concurrent_state(&job->fut)) {
    case AIO__CONCURRENT_PENDING:
        return aio_concurrent_future_set_running_or_notify_cancel(&job->fut) == 1;
    case AIO__CONCURRENT_RUNNING: return true;
    default: return false;
    }
}

bool aio__job_run(aio_job *job)
{
    bool runs = claim(job);
    void *value = NULL;
    int code;

    if (runs) {
        code = aio__call_run(&job->call, &value);
        if (code < 0) {
            aio_exception *error = aio_error_catch(code);

            (void)aio__concurrent_fail(&job->fut, error);
            aio_exception_unref(error);
        } else {
            (void)aio__concurrent_finish(&job->fut, value, job->call.result_type);
        }
        aio__error_forget(); /* what it raised and did not return must not stay in its thread */
    }
    aio_concurrent_future_unref(&job->fut);
    return runs;
}

void aio_job_run(aio_job *job)
{
    if (job != NULL)
        (void)aio__job_run(job);
}

void aio__job_fail(aio_job *job, aio_exception *error)
{
    if (claim(job)) {
        aio__call_drop(&job->call);
        (void)aio__concurrent_fail(&job->fut, error);
    }
    aio_concurrent_future_unref(&job->fut);
}

void aio_job_fail(aio_job *job, int code)
{
    aio_exception *error = aio_error_catch(code);

    if (job != NULL)
        aio__job_fail(job, error);
    aio_exception_unref(error);
}

void aio_job_finish(aio_job *job, void *value, const aio_type *type)
{
    if (job == NULL)
        return;
    if (claim(job)) {
        aio__call_drop(&job->call);
        (void)aio__concurrent_finish(&job->fut, value, type);
    } else if (value != NULL) {
        aio__value_destroy(type, value);
    }
    aio_concurrent_future_unref(&job->fut);
}

void aio_job_finish_encoded(aio_job *job, void *bytes, size_t size)
{
    const aio_codec *codec;
    void *value = NULL;
    int err = 0;

    if (job == NULL)
        return;
    codec = job->result_codec;
    if (!claim(job)) {
        aio_free(bytes);
        aio_concurrent_future_unref(&job->fut);
        return;
    }
    aio_free(job->bytes);
    job->bytes = bytes;
    if (codec != NULL)
        err = codec->decode(codec, bytes, size, &value);
    else if (size != 0)
        err = aio_raise(AIO_ETYPE, "a result came, and no codec for it");
    if (err < 0)
        aio_job_fail(job, err);
    else
        aio_job_finish(job, value, codec == NULL ? NULL : codec->type);
}

/* --- what executors ask and add -------------------------------------------------------- */

aio_concurrent_future *aio_job_future(aio_job *job)
{
    return job == NULL ? NULL : &job->fut;
}

aio_job_fn aio_job_function(const aio_job *job)
{
    return job == NULL ? NULL : job->call.fn;
}

const aio_codec *aio_job_result_codec(const aio_job *job)
{
    return job == NULL ? NULL : job->result_codec;
}

const aio_type *aio_job_result_type(const aio_job *job)
{
    return job == NULL ? NULL : job->call.result_type;
}

const aio_codec *aio_job_arg_codec(const aio_job *job)
{
    return job == NULL ? NULL : job->arg_codec;
}

static int copy_bytes(const void *from, size_t size, void **ret_bytes)
{
    void *bytes = size == 0 ? NULL : aio_malloc(size);

    if (size != 0 && bytes == NULL)
        return AIO_ENOMEM;
    if (size != 0)
        memcpy(bytes, from, size);
    *ret_bytes = bytes;
    return 0;
}

int aio__arg_encode(const aio_codec *codec, size_t size, const void *arg, void **ret_bytes,
                    size_t *ret_size)
{
    int err;

    if (codec != NULL)
        return codec->encode(codec, arg, ret_bytes, ret_size);
    if (size == 0 && arg != NULL)
        return aio_raise(AIO_ETYPE, "an argument cannot be sent to another process: it needs "
                                    "arg_size or arg_codec");
    err = copy_bytes(arg, size, ret_bytes);
    if (err == 0)
        *ret_size = size;
    return err;
}

int aio_job_encode(aio_job *job, void **ret_bytes, size_t *ret_size)
{
    int err;

    if (job == NULL || ret_bytes == NULL || ret_size == NULL)
        return aio_raise(AIO_EVALUE, "a job and a place for its bytes are needed");
    err = aio__arg_encode(job->arg_codec, job->arg_size, job->call.arg, ret_bytes, ret_size);
    if (err < 0)
        return err;
    aio__call_drop(&job->call);
    return 0;
}

void aio_job_set_data(aio_job *job, void *data, void (*destroy)(void *data))
{
    if (job == NULL)
        return;
    job->data = data;
    job->data_destroy = destroy;
}

void *aio_job_data(const aio_job *job)
{
    return job == NULL ? NULL : job->data;
}
