/* SPDX-License-Identifier: MIT */
/*
 * thread_pool.c - an executor with threads of its own
 *
 * Jobs wait in one queue. Whoever submits one wakes an idle thread; if there is none for it, and
 * not yet all threads have been started, one is, and begins with the oldest job, which counts as
 * running from then on.
 *
 * Invariants
 *   - With the lock held, there are never more jobs queued than idle threads unless all threads
 *     that there may be, or can be had, have been started.
 *   - A thread that ends moves itself from workers to ended, where it waits to be joined; or, once
 *     nobody can do that any more (orphaned), detaches itself.
 *   - The memory goes with whoever is last: destroy(), or the last thread of an orphaned pool.
 *
 * After a fork the child has none of the threads, and perhaps a lock that one of them held: there
 * the pool does nothing any more.
 *
 * Thread: any.
 */
#include "base/error.h"
#include "base/log.h"
#include "executor/backlog.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <aio/thread_pool.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct pool {
    aio_executor executor;
    unsigned generation;         /* of the process that has the threads */
    struct aio__backlog backlog; /* and the lock */
    pthread_cond_t work;         /* there is a job, or no more will come */
    pthread_cond_t changed;      /* a thread has ended, or was joined */
    struct aio__list workers;
    struct aio__list ended; /* workers to be joined */
    size_t max_threads;
    size_t threads; /* in workers */
    size_t to_join; /* threads whose end somebody might wait for: in workers, ended or between */
    size_t idle;
    bool is_waking; /* a thread was woken for the queue, and has not looked yet */
    unsigned last_number;
    bool is_orphaned;
    int (*initializer)(void *arg);
    void *initarg;
    size_t stack_size;
    char prefix[]; /* of the threads' names */
};

struct worker {
    struct aio__list link;
    struct pool *pool;
    pthread_t thread;
    unsigned number;
    aio_job *first; /* claimed for it when it was started; NULL: none, or taken */
};

static struct pool *pool_of(aio_executor *executor)
{
    return aio__container_of(executor, struct pool, executor);
}

static bool is_of_another_process(const struct pool *pool)
{
    return pool->generation != aio__process_generation();
}

/* --- in a worker ----------------------------------------------------------------------- */

/* The number in full, and as much of the prefix as there is room for. */
static void set_name(const struct worker *worker)
{
    char name[16] = ""; /* as much as the system takes */
    char suffix[12];
    size_t room;

    (void)snprintf(suffix, sizeof(suffix), "_%u", worker->number);
    room = sizeof(name) - 1 - strlen(suffix);
    (void)strncat(name, worker->pool->prefix, room);
    (void)strcat(name, suffix);
    (void)pthread_setname_np(pthread_self(), name);
}

/* An initializer has failed: nothing can run here any more. */
static void break_pool(struct pool *pool, int code)
{
    aio_exception *cause = aio_error_catch(code);
    aio_exception *broken;

    aio__log(AIO_LOG_ERROR, "Exception in initializer: %s: %s", aio_error_name(code),
             aio_exception_message(cause) != NULL ? aio_exception_message(cause)
                                                  : aio_strerror(code));
    code = aio_raise_from(cause, AIO_EBROKENTHREADPOOL,
                          "A thread initializer failed, the thread pool is not usable anymore");
    aio_exception_unref(cause);
    broken = aio_error_catch(code);
    aio__backlog_break(&pool->backlog, broken);
    aio_exception_unref(broken);
}

/* false: it failed. */
static bool initialize(struct worker *worker)
{
    struct pool *pool = worker->pool;
    int code = pool->initializer == NULL ? 0 : pool->initializer(pool->initarg);
    aio_job *first = worker->first;

    if (code >= 0)
        return true;
    break_pool(pool, code);
    worker->first = NULL;
    if (first != NULL) {
        (void)pthread_mutex_lock(&pool->backlog.lock);
        pool->backlog.completed++;
        (void)pthread_mutex_unlock(&pool->backlog.lock);
        aio__job_fail(first, pool->backlog.broken);
    }
    return false;
}

/*
 * Wake a thread if there is a job for one, with the lock held. One at a time: who is woken wakes
 * the next before it begins. Threads that work off short jobs one after the other then find the
 * next one without anybody being woken for it, which costs more than such a job.
 */
static void wake_one(struct pool *pool)
{
    if (pool->is_waking || pool->backlog.queued == 0 || pool->idle == 0)
        return;
    pool->is_waking = true;
    (void)pthread_cond_signal(&pool->work);
}

/* The next job, with the lock held; NULL: there will be none. */
static aio_job *next_job(struct worker *worker)
{
    struct pool *pool = worker->pool;
    aio_job *job = worker->first;

    worker->first = NULL;
    while (job == NULL) {
        job = aio__backlog_take(&pool->backlog);
        if (job != NULL || pool->backlog.is_shut)
            return job;
        pool->idle++;
        (void)pthread_cond_wait(&pool->work, &pool->backlog.lock);
        pool->idle--;
        pool->is_waking = false;
        job = aio__backlog_take(&pool->backlog);
        wake_one(pool);
    }
    return job;
}

static void work_off(struct worker *worker)
{
    struct pool *pool = worker->pool;
    aio_job *job;

    while ((job = next_job(worker)) != NULL) {
        bool ran;

        pool->backlog.running++;
        (void)pthread_mutex_unlock(&pool->backlog.lock);
        ran = aio__job_run(job);
        (void)pthread_mutex_lock(&pool->backlog.lock);
        pool->backlog.running--;
        pool->backlog.completed += ran;
        pool->backlog.cancelled += !ran;
    }
}

static void free_pool(struct pool *pool)
{
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_cond_destroy(&pool->work);
    aio__backlog_destroy(&pool->backlog);
    aio_free(pool);
}

/* The end of a thread, with the lock held, which is given up. */
static void leave(struct worker *worker)
{
    struct pool *pool = worker->pool;
    bool is_orphaned = pool->is_orphaned;
    bool is_last;

    aio__list_remove(&worker->link);
    is_last = --pool->threads == 0;
    if (is_orphaned) {
        (void)pthread_detach(worker->thread);
        pool->to_join--;
        aio_free(worker);
    } else {
        aio__list_append(&pool->ended, &worker->link);
        (void)pthread_cond_broadcast(&pool->changed);
    }
    (void)pthread_mutex_unlock(&pool->backlog.lock);
    if (is_orphaned && is_last)
        free_pool(pool);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    bool is_ready;

    /* Who started us holds the lock until all that concerns us is in its place. */
    (void)pthread_mutex_lock(&worker->pool->backlog.lock);
    (void)pthread_mutex_unlock(&worker->pool->backlog.lock);
    set_name(worker);
    is_ready = initialize(worker);
    (void)pthread_mutex_lock(&worker->pool->backlog.lock);
    if (is_ready)
        work_off(worker);
    leave(worker);
    return NULL;
}

/* --- submitting ------------------------------------------------------------------------ */

static int create_thread(struct worker *worker)
{
    size_t stack_size = worker->pool->stack_size;
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);

    if (err != 0)
        return -err;
    if (stack_size != 0)
        err = pthread_attr_setstacksize(&attr, stack_size);
    if (err == 0)
        err = pthread_create(&worker->thread, &attr, work, worker);
    (void)pthread_attr_destroy(&attr);
    return -err;
}

/* Start a thread, with the lock held. */
static int start_worker(struct pool *pool, struct worker **ret_worker)
{
    struct worker *worker = aio_calloc(1, sizeof(*worker));
    int err;

    if (worker == NULL)
        return AIO_ENOMEM;
    worker->pool = pool;
    worker->number = pool->last_number;
    err = create_thread(worker);
    if (err < 0) {
        aio_free(worker);
        return err;
    }
    aio__list_append(&pool->workers, &worker->link);
    pool->last_number++;
    pool->threads++;
    pool->to_join++;
    *ret_worker = worker;
    return 0;
}

/* Without a thread it is no loss if there is none to be had for this job, as long as there are
 * others. With the lock held. */
static int place(struct pool *pool, aio_job *job)
{
    struct worker *worker;
    int err;

    if (pool->backlog.queued < pool->idle) {
        aio__backlog_add(&pool->backlog, job);
        wake_one(pool);
        return 0;
    }
    if (pool->threads == pool->max_threads) {
        aio__backlog_add(&pool->backlog, job);
        return 0;
    }
    err = start_worker(pool, &worker);
    if (err < 0 && pool->threads == 0)
        return err;
    aio__backlog_add(&pool->backlog, job);
    if (err == 0) {
        worker->first = aio__backlog_take(&pool->backlog);
        (void)aio_concurrent_future_set_running_or_notify_cancel(&worker->first->fut);
    }
    return 0;
}

static int submit(aio_executor *executor, aio_job *job)
{
    struct pool *pool = pool_of(executor);
    int err;

    if (is_of_another_process(pool))
        return aio_raise(AIO_EBROKENTHREADPOOL, "the pool's threads stayed in the parent process");
    (void)pthread_mutex_lock(&pool->backlog.lock);
    err = aio__backlog_admit(&pool->backlog);
    if (err == 0)
        err = place(pool, job);
    pool->backlog.submitted += err == 0;
    (void)pthread_mutex_unlock(&pool->backlog.lock);
    return err;
}

static void job_was_cancelled(aio_executor *executor, aio_job *job)
{
    struct pool *pool = pool_of(executor);

    if (!is_of_another_process(pool))
        aio__backlog_drop(&pool->backlog, job);
}

/* --- the end --------------------------------------------------------------------------- */

static bool is_own_thread(const struct pool *pool)
{
    for (struct aio__list *link = pool->workers.next; link != &pool->workers; link = link->next)
        if (pthread_equal(aio__container_of(link, struct worker, link)->thread, pthread_self()))
            return true;
    return false;
}

/* Join one that has ended, with the lock held, which is given up meanwhile. */
static void join_one(struct pool *pool, struct aio__list *link)
{
    struct worker *worker = aio__container_of(link, struct worker, link);

    aio__list_remove(link);
    (void)pthread_mutex_unlock(&pool->backlog.lock);
    (void)pthread_join(worker->thread, NULL);
    aio_free(worker);
    (void)pthread_mutex_lock(&pool->backlog.lock);
    pool->to_join--;
    (void)pthread_cond_broadcast(&pool->changed);
}

/* Wait until all threads are joined, by us or others; with the lock held. */
static int join_all(struct pool *pool, const struct timespec *deadline)
{
    int err = 0;

    while (pool->to_join != 0) {
        struct aio__list *link = aio__list_first(&pool->ended);

        if (link != NULL) {
            join_one(pool, link);
            continue;
        }
        if (err != 0)
            return AIO_ETIMEDOUT;
        err = deadline == NULL
                  ? pthread_cond_wait(&pool->changed, &pool->backlog.lock)
                  : pthread_cond_timedwait(&pool->changed, &pool->backlog.lock, deadline);
    }
    return 0;
}

static int shut_down(aio_executor *executor, double timeout, bool cancel_futures)
{
    struct pool *pool = pool_of(executor);
    struct timespec deadline;
    bool has_deadline;
    int err = 0;

    if (is_of_another_process(pool))
        return 0;
    has_deadline = aio__monotonic_deadline(timeout, &deadline);
    (void)pthread_mutex_lock(&pool->backlog.lock);
    pool->backlog.is_shut = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->backlog.lock);
    if (cancel_futures)
        aio__backlog_cancel(&pool->backlog);
    if (timeout <= 0)
        return 0;
    (void)pthread_mutex_lock(&pool->backlog.lock);
    if (is_own_thread(pool))
        err = aio_raise(AIO_ERUNTIME, "a job cannot wait for the end of its own pool");
    else
        err = join_all(pool, has_deadline ? &deadline : NULL);
    (void)pthread_mutex_unlock(&pool->backlog.lock);
    return err;
}

/* Nobody has the pool any more, and no job is left. It may be a worker that comes here, having
 * run the last one. */
static void destroy(aio_executor *executor)
{
    struct pool *pool = pool_of(executor);
    struct aio__list *link;
    bool is_last;

    if (is_of_another_process(pool))
        return;
    (void)pthread_mutex_lock(&pool->backlog.lock);
    pool->backlog.is_shut = true;
    (void)pthread_cond_broadcast(&pool->work);
    while ((link = aio__list_first(&pool->ended)) != NULL)
        join_one(pool, link);
    pool->is_orphaned = true;
    is_last = pool->threads == 0;
    (void)pthread_mutex_unlock(&pool->backlog.lock);
    if (is_last)
        free_pool(pool);
}

static void count(aio_executor *executor, aio_executor_stats *stats)
{
    struct pool *pool = pool_of(executor);

    stats->max_workers = pool->max_threads;
    if (is_of_another_process(pool))
        return;
    (void)pthread_mutex_lock(&pool->backlog.lock);
    stats->workers = pool->threads;
    aio__backlog_count(&pool->backlog, stats);
    stats->idle = stats->workers - stats->running;
    (void)pthread_mutex_unlock(&pool->backlog.lock);
}

/* --- making one ------------------------------------------------------------------------ */

static const aio_executor_ops pool_ops = {
    .size = sizeof(aio_executor_ops),
    .name = "ThreadPoolExecutor",
    .submit = submit,
    .cancelled = job_was_cancelled,
    .shutdown = shut_down,
    .stats = count,
    .destroy = destroy,
};

static int init_locks(struct pool *pool)
{
    pthread_condattr_t attr;
    int err = pthread_condattr_init(&attr);

    if (err != 0)
        return -err;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    err = pthread_cond_init(&pool->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (err == 0)
        err = pthread_cond_init(&pool->work, NULL);
    if (err == 0)
        return aio__backlog_init(&pool->backlog);
    return -err;
}

/* The names of the pools that were given none. */
static const char *default_prefix(char *buffer, size_t size)
{
    static atomic_uint last;

    (void)snprintf(buffer, size, "ThreadPool-%u", atomic_fetch_add(&last, 1));
    return buffer;
}

aio_executor *aio_thread_pool_new(const aio_thread_pool_options *options)
{
    static const aio_thread_pool_options defaults = AIO_THREAD_POOL_OPTIONS_INIT;
    char buffer[32];
    const char *prefix;
    struct pool *pool;

    if (options == NULL)
        options = &defaults;
    if (options->size < sizeof(*options))
        return aio__failed(aio_raise(AIO_EVALUE, "bad thread pool options"));
    prefix = options->thread_name_prefix;
    if (prefix == NULL)
        prefix = default_prefix(buffer, sizeof(buffer));
    pool = aio_calloc(1, sizeof(*pool) + strlen(prefix) + 1);
    if (pool == NULL)
        return aio__failed(AIO_ENOMEM);
    if (init_locks(pool) < 0) {
        aio_free(pool);
        return aio__failed(AIO_ENOMEM);
    }
    aio_executor_init(&pool->executor, &pool_ops);
    pool->generation = aio__process_generation();
    aio__list_init(&pool->workers);
    aio__list_init(&pool->ended);
    pool->max_threads = options->max_workers != 0 ? options->max_workers : aio__default_threads();
    pool->initializer = options->initializer;
    pool->initarg = options->initarg;
    pool->stack_size = options->stack_size;
    memcpy(pool->prefix, prefix, strlen(prefix) + 1);
    return &pool->executor;
}
