/* SPDX-License-Identifier: MIT */
/*
 * default.c - the default executor: libuv's thread pool, or one that the program has set
 *
 * A job belongs to nobody's stack: it lives until libuv is done with it, whatever became of the
 * future, of the task that waits for that, or of the loop (S163).
 *
 * libuv's pool is one for the process. It has four threads unless told otherwise before its first
 * use; asyncio's default executor has min(32, cores + 4), so that is what we tell it, unless
 * UV_THREADPOOL_SIZE is set. When the process exits, libuv joins those threads, as Python does
 * with its own.
 *
 * Thread: the loop's; the jobs' functions run in the pool's.
 */
#include "executor/default.h"

#include "base/error.h"
#include "base/log.h"
#include "base/type.h"
#include "executor/executor_internal.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <aio/wait.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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
    struct aio__call call;
    atomic_bool has_begun;
    void *result;
    aio_exception *error;             /* NULL: it has a result */
    _Alignas(16) unsigned char arg[]; /* its own copy, if it has one */
};

/* The default executor of one loop. */
struct pool {
    struct aio__close_hook hook;
    aio_executor *executor; /* set by the program; NULL: libuv's pool */
    struct aio__list jobs;  /* in libuv's pool, queued and running */
    aio_future *idle;       /* who waits for the last job's end; may be NULL */
    uint64_t submitted;
    uint64_t completed;
    uint64_t cancelled;
    bool is_shut;
};

/* --- size ------------------------------------------------------------------------------ */

static void size_pool(void)
{
    char text[24];

    if (getenv("UV_THREADPOOL_SIZE") != NULL)
        return;
    (void)snprintf(text, sizeof(text), "%zu", aio__default_threads());
    (void)setenv("UV_THREADPOOL_SIZE", text, 0);
}

/* How many libuv makes of it. */
static size_t pool_size(void)
{
    const char *text = getenv("UV_THREADPOOL_SIZE");
    long threads = text == NULL ? 4 : strtol(text, NULL, 10);

    return threads < 1 ? 1 : threads > 1024 ? 1024 : (size_t)threads;
}

/* --- jobs ------------------------------------------------------------------------------ */

/* One that runs already goes on, for nobody (S163). */
static void take_back(struct job *job)
{
    if (uv_cancel((uv_req_t *)&job->work) == 0)
        aio__call_drop(&job->call);
}

static bool cancel_job(aio_future *fut, const char *message)
{
    struct job_future *future = aio__container_of(fut, struct job_future, fut);

    if (future->job != NULL)
        take_back(future->job);
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
    int code;

    atomic_store_explicit(&job->has_begun, true, memory_order_relaxed);
    code = aio__call_run(&job->call, &job->result);
    if (code < 0)
        job->error = aio_error_catch(code);
    aio__error_forget(); /* what it raised and did not return must not stay in its thread */
}

static void settle(struct job *job, bool was_cancelled)
{
    aio_future *fut = &job->future->fut;
    bool waits = aio__future_is_pending(fut) && !job->loop->closed;

    if (job->error != NULL) {
        if (waits)
            (void)aio_future_set_exception(fut, job->error);
        aio_exception_unref(job->error);
    } else if (waits) {
        if (was_cancelled)
            aio__future_cancelled(fut, NULL);
        else
            aio__future_finish(fut, job->result, job->call.result_type);
    } else if (job->result != NULL) {
        aio__value_destroy(job->call.result_type, job->result);
    }
}

static void job_is_over(uv_work_t *work, int status)
{
    struct job *job = aio__container_of(work, struct job, work);
    aio_loop *loop = job->loop;
    struct pool *pool = loop->default_executor;

    /* What the job had called back for comes before its end. */
    if (!loop->closed)
        aio__inbox_drain(loop);
    settle(job, status == UV_ECANCELED);
    aio__list_remove(&job->link);
    aio__loop_job_ends(loop);
    if (pool != NULL) {
        pool->completed += status != UV_ECANCELED;
        pool->cancelled += status == UV_ECANCELED;
        if (pool->idle != NULL && aio__list_empty(&pool->jobs) &&
            aio__future_is_pending(pool->idle))
            aio__future_finish(pool->idle, NULL, NULL);
    }
    job->future->job = NULL;
    aio_future_unref(&job->future->fut);
    aio_free(job);
}

static struct job *job_new(aio_loop *loop, aio_job_fn fn, void *arg, const aio_job_options *options)
{
    struct job *job = aio_malloc(sizeof(*job) + aio__call_room(options));

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
    aio__call_init(&job->call, fn, arg, options, job->arg);
    atomic_init(&job->has_begun, false);
    job->result = NULL;
    job->error = NULL;
    return job;
}

static aio_future *submit(aio_loop *loop, struct pool *pool, aio_job_fn fn, void *arg,
                          const aio_job_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct job *job = job_new(loop, fn, arg, options);
    int err;

    if (job == NULL)
        return aio__failed(AIO_ENOMEM);
    (void)pthread_once(&once, size_pool);
    err = uv_queue_work(loop->uv, &job->work, run_job, job_is_over);
    if (err < 0) {
        aio_future_unref(&job->future->fut);
        aio__ctx_release(job->call.context);
        aio_free(job);
        return aio__failed(err);
    }
    aio__list_append(&pool->jobs, &job->link);
    pool->submitted++;
    aio__loop_job_begins(loop);
    return aio_future_ref(&job->future->fut);
}

/* --- the executor of a loop ------------------------------------------------------------ */

/* The loop closes: what has not begun never will. What runs ends by itself. */
static void close_pool(struct aio__close_hook *hook, aio_loop *loop)
{
    struct pool *pool = aio__container_of(hook, struct pool, hook);

    AIO__LIST_FOREACH (link, &pool->jobs) {
        take_back(aio__container_of(link, struct job, link));
        aio__list_remove(link); /* from a list that goes now */
    }
    loop->default_executor = NULL;
    if (pool->executor != NULL)
        (void)aio_executor_shutdown(pool->executor, 0, false);
    aio_executor_unref(pool->executor);
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

aio_future *aio__default_run(aio_loop *loop, aio_job_fn fn, void *arg,
                             const aio_job_options *options)
{
    struct pool *pool = get_pool(loop);
    aio_future *fut;

    if (pool != NULL && pool->executor != NULL && !pool->is_shut)
        return aio_loop_run_in_executor_with(loop, pool->executor, fn, arg, options);
    if (pool == NULL)
        fut = aio__failed(AIO_ENOMEM);
    else if (pool->is_shut)
        fut = aio__failed(aio_raise(AIO_ERUNTIME, "Executor shutdown has been called"));
    else
        fut = submit(loop, pool, fn, arg, options);
    if (fut == NULL && options != NULL && options->arg_destroy != NULL)
        options->arg_destroy(arg);
    return fut;
}

int aio_loop_set_default_executor(aio_loop *loop, aio_executor *executor)
{
    struct pool *pool;

    if (executor == NULL)
        return aio__null_future();
    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    if (executor->ops->is_remote)
        return aio_raise(AIO_ETYPE, "executor must be one that runs its jobs in threads");
    pool = get_pool(loop);
    if (pool == NULL)
        return AIO_ENOMEM;
    aio_executor_ref(executor);
    aio_executor_unref(pool->executor);
    pool->executor = executor;
    return 0;
}

/* --- the end --------------------------------------------------------------------------- */

static void warn(double timeout)
{
    aio__log(AIO_LOG_WARNING,
             "The executor did not finishing joining its threads within %g seconds.", timeout);
}

/* Waiting must not cancel what others wait for as well: aio_wait() never does. */
static int wait_until_idle(aio_loop *loop, struct pool *pool, double timeout)
{
    aio_future *idle;
    size_t done = 0;
    int err;

    if (aio__list_empty(&pool->jobs))
        return 0;
    if (pool->idle == NULL)
        pool->idle = aio_future_new(loop);
    if (pool->idle == NULL)
        return AIO_ENOMEM;
    idle = aio_future_ref(pool->idle);
    err = aio_wait(&idle, 1, timeout, AIO_ALL_COMPLETED, &done);
    if (err == 0 && done == 0)
        warn(timeout);
    aio_future_unref(idle);
    return err;
}

static int shut_down(struct pool *pool, double timeout)
{
    int err = aio_shutdown_executor(pool->executor, timeout, false);

    if (err != AIO_ETIMEDOUT)
        return err;
    warn(timeout);
    return 0;
}

int aio_loop_shutdown_default_executor(aio_loop *loop, double timeout)
{
    struct pool *pool;
    int err;

    if (loop == NULL)
        loop = aio_get_running_loop();
    if (loop == NULL)
        return AIO_ENOLOOP;
    err = aio__check_timeout(timeout);
    if (err < 0)
        return err;
    if (loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    pool = get_pool(loop);
    if (pool == NULL)
        return AIO_ENOMEM;
    pool->is_shut = true;
    err = wait_until_idle(loop, pool, timeout); /* jobs from before another one was set, too */
    if (err == 0 && pool->executor != NULL)
        err = shut_down(pool, timeout);
    return err;
}

/* --- figures --------------------------------------------------------------------------- */

static void count_jobs(const struct pool *pool, aio_executor_stats *stats)
{
    for (struct aio__list *link = pool->jobs.next; link != &pool->jobs; link = link->next) {
        struct job *job = aio__container_of(link, struct job, link);

        if (atomic_load_explicit(&job->has_begun, memory_order_relaxed))
            stats->running++;
        else
            stats->queued++;
    }
}

int aio_loop_get_executor_stats(aio_loop *loop, aio_executor_stats *ret_stats)
{
    const struct pool *pool;

    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return AIO_ENOLOOP;
    if (ret_stats == NULL || ret_stats->size < sizeof(*ret_stats))
        return aio_raise(AIO_EVALUE, "bad size of executor statistics");
    pool = loop->default_executor;
    if (pool != NULL && pool->executor != NULL)
        return aio_executor_get_stats(pool->executor, ret_stats);
    *ret_stats = (aio_executor_stats)AIO_EXECUTOR_STATS_INIT;
    if (pool == NULL)
        return 0;
    /* libuv starts all its threads at once, and other loops of the process use them too. */
    ret_stats->max_workers = pool_size();
    ret_stats->workers = pool->submitted != 0 ? ret_stats->max_workers : 0;
    ret_stats->submitted = pool->submitted;
    ret_stats->completed = pool->completed;
    ret_stats->cancelled = pool->cancelled;
    count_jobs(pool, ret_stats);
    if (ret_stats->workers > ret_stats->running)
        ret_stats->idle = ret_stats->workers - ret_stats->running;
    return 0;
}
