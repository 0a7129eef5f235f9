/* SPDX-License-Identifier: MIT */
/*
 * process_pool.c - an executor whose jobs run in processes of their own
 *
 * The side of those who submit, cancel and shut down. All that concerns the processes is done by
 * the manager, a thread that is started with the first job.
 *
 * Invariants
 *   - There is a manager from the first job on, until the pool is shut or broken.
 *   - The memory goes with whoever is last: destroy(), or the manager of an orphaned pool.
 *
 * After a fork the child has neither manager nor workers, and perhaps a lock that somebody held:
 * there the pool does nothing any more.
 *
 * Thread: any.
 */
#include "base/error.h"
#include "executor/manager.h"
#include "fiber/sanitize.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OWN_PROGRAM "/proc/self/exe" /* also if another file has its name by now */

static struct aio__process_pool *pool_of(aio_executor *executor)
{
    return aio__container_of(executor, struct aio__process_pool, executor);
}

static bool is_of_another_process(const struct aio__process_pool *pool)
{
    return pool->generation != aio__process_generation();
}

static void lock(struct aio__process_pool *pool)
{
    (void)pthread_mutex_lock(&pool->backlog.lock);
}

static void unlock(struct aio__process_pool *pool)
{
    (void)pthread_mutex_unlock(&pool->backlog.lock);
}

/* --- submitting -------------------------------------------------------------------------- */

/* With the signals of the program blocked, which are for its own threads. */
static int start_manager(struct aio__process_pool *pool)
{
    sigset_t all;
    int err;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &pool->mask);
    err = pthread_create(&pool->manager, NULL, aio__manage, pool);
    (void)pthread_sigmask(SIG_SETMASK, &pool->mask, NULL);
    pool->has_manager = err == 0;
    return -err;
}

/* With the lock held. */
static int place(struct aio__process_pool *pool, aio_job *job)
{
    int err;

    if (pool->has_manager) {
        aio__backlog_add(&pool->backlog, job);
        aio__manager_wake(pool);
        return 0;
    }
    err = start_manager(pool);
    if (err < 0)
        return aio_raise(err, "%s", aio_strerror(err));
    (void)aio_concurrent_future_set_running_or_notify_cancel(&job->fut);
    pool->first = job;
    pool->backlog.running++;
    return 0;
}

/* All that can fail because of the job itself. */
static int prepare(aio_job *job)
{
    struct aio__request request;
    int err = aio__request_fill(&request, job->call.fn, job->arg_codec, job->result_codec,
                                job->call.result_type);

    return err < 0 ? err : aio_job_encode(job, &job->bytes, &job->bytes_size);
}

static int submit(aio_executor *executor, aio_job *job)
{
    struct aio__process_pool *pool = pool_of(executor);
    int err;

    if (is_of_another_process(pool))
        return aio_raise(AIO_EBROKENPROCESSPOOL, "the pool's manager stayed in the parent process");
    err = prepare(job);
    if (err < 0)
        return err;
    lock(pool);
    err = aio__backlog_admit(&pool->backlog);
    if (err == 0)
        err = place(pool, job);
    pool->backlog.submitted += err == 0;
    unlock(pool);
    return err;
}

static void job_was_cancelled(aio_executor *executor, aio_job *job)
{
    struct aio__process_pool *pool = pool_of(executor);

    if (!is_of_another_process(pool))
        aio__backlog_drop(&pool->backlog, job);
}

/* --- the end ----------------------------------------------------------------------------- */

void aio__process_pool_free(struct aio__process_pool *pool)
{
    if (pool->epoll_fd >= 0)
        close(pool->epoll_fd);
    if (pool->wake_fd >= 0)
        close(pool->wake_fd);
    (void)pthread_cond_destroy(&pool->changed);
    aio__backlog_destroy(&pool->backlog);
    aio_free(pool->initarg);
    aio_free(pool->program);
    aio_free(pool);
}

/* With the lock held. */
static void close_down(struct aio__process_pool *pool)
{
    pool->backlog.is_shut = true;
    aio__manager_wake(pool);
}

/* Wait until the manager is over, with the lock held, which is given up for joining it. */
static int join_manager(struct aio__process_pool *pool, const struct timespec *deadline)
{
    int err = 0;

    while (pool->has_manager && !pool->is_over && err == 0)
        err = deadline == NULL
                  ? pthread_cond_wait(&pool->changed, &pool->backlog.lock)
                  : pthread_cond_timedwait(&pool->changed, &pool->backlog.lock, deadline);
    if (!pool->has_manager || pool->is_joined)
        return 0;
    if (!pool->is_over)
        return AIO_ETIMEDOUT;
    pool->is_joined = true;
    unlock(pool);
    (void)pthread_join(pool->manager, NULL);
    lock(pool);
    return 0;
}

static int shut_down(aio_executor *executor, double timeout, bool cancel_futures)
{
    struct aio__process_pool *pool = pool_of(executor);
    struct timespec deadline;
    bool has_deadline;
    int err = 0;

    if (is_of_another_process(pool))
        return 0;
    has_deadline = aio__monotonic_deadline(timeout, &deadline);
    if (cancel_futures)
        aio__backlog_cancel(&pool->backlog);
    lock(pool);
    close_down(pool);
    if (timeout > 0 && pool->has_manager && pthread_equal(pool->manager, pthread_self()))
        err = aio_raise(AIO_ERUNTIME, "a callback cannot wait for the end of its own pool");
    else if (timeout > 0)
        err = join_manager(pool, has_deadline ? &deadline : NULL);
    unlock(pool);
    return err;
}

/* Nobody has the pool any more, and no job is left. It may be the manager that comes here, having
 * finished the last one. */
static void destroy(aio_executor *executor)
{
    struct aio__process_pool *pool = pool_of(executor);
    bool is_managed;

    if (is_of_another_process(pool))
        return;
    lock(pool);
    close_down(pool);
    is_managed = pool->has_manager && !pool->is_over;
    pool->is_orphaned = is_managed;
    if (is_managed)
        (void)pthread_detach(pool->manager);
    else if (pool->has_manager)
        (void)join_manager(pool, NULL);
    unlock(pool);
    if (!is_managed)
        aio__process_pool_free(pool);
}

static void count(aio_executor *executor, aio_executor_stats *stats)
{
    struct aio__process_pool *pool = pool_of(executor);

    stats->max_workers = pool->max_workers;
    if (is_of_another_process(pool))
        return;
    lock(pool);
    aio__backlog_count(&pool->backlog, stats);
    stats->workers = pool->worker_count;
    stats->idle = pool->idle_count;
    unlock(pool);
}

/* --- making one -------------------------------------------------------------------------- */

static const aio_executor_ops pool_ops = {
    .size = sizeof(aio_executor_ops),
    .name = "ProcessPoolExecutor",
    .is_remote = true,
    .submit = submit,
    .cancelled = job_was_cancelled,
    .shutdown = shut_down,
    .stats = count,
    .destroy = destroy,
};

static int check(const aio_process_pool_options *options)
{
    if (options->size < sizeof(*options))
        return aio_raise(AIO_EVALUE, "bad process pool options");
    if (options->initarg_size > PTRDIFF_MAX / 2 ||
        (options->initarg == NULL && options->initarg_size != 0))
        return aio_raise(AIO_EVALUE, "bad size of the initializer's argument");
    if (options->initarg != NULL && options->initarg_size == 0 && options->initarg_codec == NULL)
        return aio_raise(AIO_ETYPE, "the initializer's argument cannot be sent to another process: "
                                    "it needs initarg_size or initarg_codec");
    if (aio__worker_program_name() == NULL && options->worker_program == NULL)
        return aio_raise(AIO_ERUNTIME, "this program cannot be a worker: its main() has to call "
                                       "aio_process_worker_main() first");
    return 0;
}

static int copy_initarg(struct aio__process_pool *pool, const aio_process_pool_options *options,
                        size_t *ret_size)
{
    const aio_codec *codec = options->initarg_codec;
    size_t size = options->initarg_size;

    if (codec != NULL)
        return codec->encode(codec, options->initarg, &pool->initarg, ret_size);
    *ret_size = size;
    if (size == 0)
        return 0;
    pool->initarg = aio_malloc(size);
    if (pool->initarg == NULL)
        return AIO_ENOMEM;
    memcpy(pool->initarg, options->initarg, size);
    return 0;
}

static int set_initializer(struct aio__process_pool *pool, const aio_process_pool_options *options)
{
    struct aio__request *request = &pool->initialize;
    size_t size = 0;
    int err = copy_initarg(pool, options, &size);

    if (err < 0)
        return err;
    request->kind = AIO__REQUEST_INITIALIZE;
    request->size = size;
    if (aio__place_of((const void *)(uintptr_t)options->initializer, &request->fn) &&
        aio__place_of(options->initarg_codec, &request->arg_codec))
        return 0;
    return aio_raise(AIO_ETYPE, "a worker cannot find the initializer, or its codec: they have to "
                                "be constants of a program or library");
}

/* While valgrind runs a program, valgrind is what the link leads to, but not what it says. */
static char *copy_own_program(void)
{
    char path[PATH_MAX];
    ssize_t size;

    if (!AIO__ON_VALGRIND)
        return aio_strdup(OWN_PROGRAM);
    size = readlink(OWN_PROGRAM, path, sizeof(path) - 1);
    path[size < 0 ? 0 : size] = '\0';
    return aio_strdup(path);
}

static int set_program(struct aio__process_pool *pool, const aio_process_pool_options *options)
{
    bool is_own = options->worker_program == NULL;

    pool->program = is_own ? copy_own_program() : aio_strdup(options->worker_program);
    if (pool->program == NULL)
        return AIO_ENOMEM;
    pool->name = is_own ? aio__worker_program_name() : pool->program;
    return 0;
}

static int open_descriptors(struct aio__process_pool *pool)
{
    struct epoll_event wake = {.events = EPOLLIN};

    pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (pool->epoll_fd < 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->wake_fd >= 0 && epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, pool->wake_fd, &wake) == 0)
        return 0;
    return aio_raise(-errno, "%s", aio_strerror(-errno));
}

static int init_lock(struct aio__process_pool *pool)
{
    pthread_condattr_t attr;
    int err = pthread_condattr_init(&attr);

    if (err != 0)
        return -err;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    err = pthread_cond_init(&pool->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    return err != 0 ? -err : aio__backlog_init(&pool->backlog);
}

/* A pool without descriptors; NULL: no memory. */
static struct aio__process_pool *alloc_pool(const aio_process_pool_options *options)
{
    struct aio__process_pool *pool = aio_calloc(1, sizeof(*pool));

    if (pool == NULL)
        return NULL;
    if (init_lock(pool) < 0) {
        aio_free(pool);
        return NULL;
    }
    aio_executor_init(&pool->executor, &pool_ops);
    pool->generation = aio__process_generation();
    aio__list_init(&pool->workers);
    pool->max_workers = options->max_workers != 0 ? options->max_workers : aio__cpu_count();
    pool->max_tasks = options->max_tasks_per_child;
    pool->epoll_fd = -1;
    pool->wake_fd = -1;
    return pool;
}

aio_executor *aio_process_pool_new(const aio_process_pool_options *options)
{
    static const aio_process_pool_options defaults = AIO_PROCESS_POOL_OPTIONS_INIT;
    struct aio__process_pool *pool;
    int err;

    if (options == NULL)
        options = &defaults;
    err = check(options);
    if (err < 0)
        return aio__failed(err);
    pool = alloc_pool(options);
    if (pool == NULL)
        return aio__failed(AIO_ENOMEM);
    err = set_initializer(pool, options);
    if (err == 0)
        err = set_program(pool, options);
    if (err == 0)
        err = open_descriptors(pool);
    if (err < 0) {
        aio__process_pool_free(pool);
        return aio__failed(err);
    }
    return &pool->executor;
}

/* --- ending workers ---------------------------------------------------------------------- */

bool aio__is_process_pool(const aio_executor *executor)
{
    return executor->ops == &pool_ops;
}

static int end_workers(aio_executor *executor, int signum)
{
    struct aio__process_pool *pool;

    if (executor == NULL)
        return aio__null_future();
    if (!aio__is_process_pool(executor))
        return aio_raise(AIO_ETYPE, "%s has no worker processes", executor->ops->name);
    pool = pool_of(executor);
    if (is_of_another_process(pool))
        return 0;
    (void)shut_down(executor, 0, true);
    lock(pool);
    aio__manager_signal(pool, signum);
    unlock(pool);
    return 0;
}

int aio_process_pool_terminate_workers(aio_executor *executor)
{
    return end_workers(executor, SIGTERM);
}

int aio_process_pool_kill_workers(aio_executor *executor)
{
    return end_workers(executor, SIGKILL);
}
