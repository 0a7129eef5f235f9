/* SPDX-License-Identifier: MIT */
/*
 * default.c - the default executor: blocking functions on libuv's thread pool
 *
 * A job belongs to nobody's stack: it lives until libuv is done with it, whatever became of the
 * future, of the task that waits for that, or of the loop (S163).
 *
 * libuv's pool is one for the process. It has four threads unless told otherwise before its first
 * use; asyncio's default executor has min(32, cores + 4), so that is what we tell it, unless
 * UV_THREADPOOL_SIZE is set.
 *
 * Thread: the loop's; the jobs' functions run in the pool's.
 */
#include "base/log.h"
#include "future/future_internal.h"

#include <aio/executor.h>
#include <aio/memory.h>
#include <aio/wait.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct job;

/* A future that can take its job back from the queue. */
struct job_future {
    aio_future fut;
    struct job *job; /* NULL once libuv is done with it */
};

struct job {
    uv_work_t work;
    struct aio__list link; /* in the executor's list */
    aio_loop *loop;
    struct job_future *future; /* referenced */
    aio_job_fn fn;
    void *arg;
    void *result;
    aio_exception *error;
    int code;
};

/* The default executor of one loop. */
struct pool {
    struct aio__close_hook hook;
    struct aio__list jobs; /* queued and running */
    aio_future *idle;      /* who waits for the last job's end; may be NULL */
    bool is_shut;
};

/* --- size ------------------------------------------------------------------------------ */

static void size_pool(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long threads = cores < 1 ? 5 : cores + 4;
    char text[24];

    if (getenv("UV_THREADPOOL_SIZE") != NULL)
        return;
    (void)snprintf(text, sizeof(text), "%ld", threads > 32 ? 32 : threads);
    (void)setenv("UV_THREADPOOL_SIZE", text, 0);
}

/* --- jobs ------------------------------------------------------------------------------ */

static bool cancel_job(aio_future *fut, const char *message)
{
    struct job_future *future = aio__container_of(fut, struct job_future, fut);

    /* One that runs already goes on, for nobody (S163). */
    if (future->job != NULL)
        (void)uv_cancel((uv_req_t *)&future->job->work);
    aio__future_cancelled(fut, message);
    return true;
}

static const struct aio__future_ops job_future_ops = {
    .name = "Future",
    .size = sizeof(struct job_future),
    .cancel = cancel_job,
};

static void run_job(uv_work_t *work)
{
    struct job *job = aio__container_of(work, struct job, work);

    job->code = job->fn(job->arg, &job->result);
    if (job->code < 0)
        job->error = aio_error_catch(job->code);
}

static void settle(struct job *job)
{
    aio_future *fut = &job->future->fut;

    if (!aio__future_is_pending(fut) || job->loop->closed)
        return;
    if (job->code < 0)
        aio__future_fail(fut, job->code, job->error);
    else
        aio__future_finish(fut, job->result, NULL);
}

static void job_is_over(uv_work_t *work, int status)
{
    struct job *job = aio__container_of(work, struct job, work);
    aio_loop *loop = job->loop;
    struct pool *pool = loop->default_executor;

    if (status == UV_ECANCELED)
        job->code = AIO_ECANCELLED;
    /* What the job had called back for comes before its end. */
    if (!loop->closed)
        aio__inbox_drain(loop);
    settle(job);
    aio__list_remove(&job->link);
    aio__loop_job_ends(loop);
    if (pool != NULL && pool->idle != NULL && aio__list_empty(&pool->jobs) &&
        aio__future_is_pending(pool->idle))
        aio__future_finish(pool->idle, NULL, NULL);
    job->future->job = NULL;
    aio_future_unref(&job->future->fut);
    aio_exception_unref(job->error);
    aio_free(job);
}

/* --- the executor of a loop ------------------------------------------------------------ */

/* The loop closes: what has not begun never will. What runs ends by itself. */
static void close_pool(struct aio__close_hook *hook, aio_loop *loop)
{
    struct pool *pool = aio__container_of(hook, struct pool, hook);

    AIO__LIST_FOREACH (link, &pool->jobs) {
        struct job *job = aio__container_of(link, struct job, link);

        (void)uv_cancel((uv_req_t *)&job->work);
        aio__list_remove(link); /* from a list that goes now */
    }
    loop->default_executor = NULL;
    aio_future_unref(pool->idle);
    aio_free(pool);
}

static struct pool *get_pool(aio_loop *loop)
{
    struct pool *pool = loop->default_executor;

    if (pool != NULL)
        return pool;
    pool = aio_calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    aio__list_init(&pool->jobs);
    pool->hook.fn = close_pool;
    aio__list_append(&loop->close_hooks, &pool->hook.link);
    loop->default_executor = pool;
    return pool;
}

static struct job *job_new(aio_loop *loop, aio_job_fn fn, void *arg)
{
    struct job *job = aio_calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->future = aio__loop_alloc(loop, sizeof(*job->future));
    if (job->future == NULL) {
        aio_free(job);
        return NULL;
    }
    aio__future_init(&job->future->fut, loop, &job_future_ops);
    job->future->job = job;
    job->loop = loop;
    job->fn = fn;
    job->arg = arg;
    return job;
}

static aio_future *submit(aio_loop *loop, struct pool *pool, aio_job_fn fn, void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct job *job = job_new(loop, fn, arg);
    aio_future *fut;
    int err;

    if (job == NULL)
        return aio__failed(AIO_ENOMEM);
    (void)pthread_once(&once, size_pool);
    fut = &job->future->fut;
    err = uv_queue_work(loop->uv, &job->work, run_job, job_is_over);
    if (err < 0) {
        aio_future_unref(fut);
        aio_free(job);
        return aio__failed(err);
    }
    aio__list_append(&pool->jobs, &job->link);
    aio__loop_job_begins(loop);
    return aio_future_ref(fut);
}

aio_future *aio_loop_run_in_executor(aio_loop *loop, aio_executor *executor, aio_job_fn fn,
                                     void *arg)
{
    struct pool *pool;

    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    if (loop->closed)
        return aio__failed(aio_raise(AIO_ECLOSED, "Event loop is closed"));
    if (fn == NULL || executor != NULL)
        return aio__failed(aio_raise(AIO_EVALUE, "a function, and the default executor, needed"));
    pool = get_pool(loop);
    if (pool == NULL)
        return aio__failed(AIO_ENOMEM);
    if (pool->is_shut)
        return aio__failed(aio_raise(AIO_ERUNTIME, "Executor shutdown has been called"));
    return submit(loop, pool, fn, arg);
}

/* Waiting must not cancel what others wait for as well: aio_wait() never does. */
static int wait_until_idle(aio_loop *loop, struct pool *pool, double timeout)
{
    aio_future *idle;
    size_t done = 0;
    int err;

    if (pool->idle == NULL)
        pool->idle = aio_future_new(loop);
    if (pool->idle == NULL)
        return AIO_ENOMEM;
    idle = aio_future_ref(pool->idle);
    err = aio_wait(&idle, 1, timeout, AIO_ALL_COMPLETED, &done);
    if (err == 0 && done == 0)
        aio__log(AIO_LOG_WARNING,
                 "The executor did not finishing joining its threads within %g seconds.", timeout);
    aio_future_unref(idle);
    return err;
}

int aio_loop_shutdown_default_executor(aio_loop *loop, double timeout)
{
    struct pool *pool;

    if (loop == NULL)
        loop = aio_get_running_loop();
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (isnan(timeout))
        return aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)");
    pool = get_pool(loop);
    if (pool == NULL)
        return AIO_ENOMEM;
    pool->is_shut = true;
    if (aio__list_empty(&pool->jobs))
        return 0;
    return wait_until_idle(loop, pool, timeout);
}
