/* SPDX-License-Identifier: MIT */
/*
 * manager.c - the thread of a process pool: it starts workers, gives them jobs, and hears of them
 *
 * One thread for all workers. It never blocks on one of them, so that a large argument for one
 * and a large result of another cannot wait for each other. Futures are finished in it, and thus
 * their callbacks run in it.
 *
 * The life of a worker: STARTING until it has replied to the first request, which has it run the
 * initializer; then IDLE and BUSY in turns; LEAVING once it was dismissed or killed, until it has
 * ended. What ends otherwise breaks the pool.
 *
 * Where the system has descriptors of processes (pidfd), those tell of the end: a socket stays
 * open for as long as a child of the worker has it. Without, the end of the socket has to do.
 *
 * Invariants
 *   - A job is claimed before its worker gets it, and from then on in the hands of the manager.
 *   - A worker leaves the list, with the lock held, before it is waited for: who signals those in
 *     the list reaches no other process.
 *   - The manager ends when the pool is shut or broken and the last worker was waited for.
 */
#include "executor/manager.h"

#include "base/error.h"
#include "base/log.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int aio__worker_start_limit = 60000;

/* Milliseconds that a worker has between SIGTERM and SIGKILL. */
enum { END_LIMIT = 1000 };

enum { EVENTS = 64 };

enum state { STARTING, IDLE, BUSY, LEAVING };

struct worker {
    struct aio__list link;
    struct aio__worker process;
    enum state state;
    aio_job *job;     /* BUSY: in hand */
    size_t tasks;     /* done */
    bool wants_room;  /* epoll tells when the socket takes more */
    int64_t deadline; /* STARTING, or LEAVING by force */
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct worker *worker_of(struct aio__list *link)
{
    return aio__container_of(link, struct worker, link);
}

static void lock(struct aio__process_pool *pool)
{
    (void)pthread_mutex_lock(&pool->backlog.lock);
}

static void unlock(struct aio__process_pool *pool)
{
    (void)pthread_mutex_unlock(&pool->backlog.lock);
}

/* --- epoll: an event's data is the worker, with the lowest bit set if it is about its end - */

static int watch(struct aio__process_pool *pool, struct worker *worker)
{
    struct epoll_event socket = {.events = EPOLLIN, .data.u64 = (uintptr_t)worker};
    struct epoll_event end = {.events = EPOLLIN, .data.u64 = (uintptr_t)worker | 1};

    if (epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, worker->process.fd, &socket) < 0)
        return -errno;
    if (worker->process.pidfd >= 0 &&
        epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, worker->process.pidfd, &end) < 0)
        return -errno;
    return 0;
}

static void watch_for_room(struct aio__process_pool *pool, struct worker *worker, bool wants_room)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uintptr_t)worker};

    if (worker->wants_room == wants_room)
        return;
    worker->wants_room = wants_room;
    if (wants_room)
        event.events |= EPOLLOUT;
    (void)epoll_ctl(pool->epoll_fd, EPOLL_CTL_MOD, worker->process.fd, &event);
}

/* --- the state of a worker --------------------------------------------------------------- */

static void set_state(struct aio__process_pool *pool, struct worker *worker, enum state state)
{
    lock(pool);
    pool->idle_count += (state == IDLE) - (worker->state == IDLE);
    worker->state = state;
    unlock(pool);
}

static bool owes_reply(const struct worker *worker)
{
    return worker->state == STARTING || worker->state == BUSY;
}

static void leave(struct aio__process_pool *pool, struct worker *worker)
{
    set_state(pool, worker, LEAVING);
    worker->deadline = INT64_MAX;
    aio__worker_dismiss(&worker->process);
}

/* --- jobs end ---------------------------------------------------------------------------- */

static aio_job *take_back(struct aio__process_pool *pool, struct worker *worker)
{
    aio_job *job = worker->job;

    worker->job = NULL;
    if (job == NULL)
        return NULL;
    lock(pool);
    pool->backlog.running--;
    pool->backlog.completed++;
    unlock(pool);
    return job;
}

static aio_job *take_first(struct aio__process_pool *pool)
{
    aio_job *job;

    lock(pool);
    job = pool->first;
    pool->first = NULL;
    unlock(pool);
    return job;
}

/* The claimed job that waits for the first worker. */
static void fail_first(struct aio__process_pool *pool, aio_exception *error)
{
    aio_job *job = take_first(pool);

    if (job == NULL)
        return;
    lock(pool);
    pool->backlog.running--;
    pool->backlog.completed++;
    unlock(pool);
    aio__job_fail(job, error);
}

/* Nothing can run here any more. */
static void break_pool(struct aio__process_pool *pool, aio_exception *error)
{
    aio__backlog_break(&pool->backlog, error);
    fail_first(pool, error);
    AIO__LIST_FOREACH (link, &pool->workers) {
        struct worker *worker = worker_of(link);
        aio_job *job = take_back(pool, worker);

        if (worker->state != LEAVING)
            leave(pool, worker);
        worker->deadline = now_ms() + END_LIMIT;
        aio__worker_signal(&worker->process, SIGTERM);
        if (job != NULL)
            aio__job_fail(job, error);
    }
}

/* --- jobs begin -------------------------------------------------------------------------- */

/* Send the request that is in a worker, as far as possible. What cannot be sent to a worker that
 * has ended is found when its end is heard of. */
static void ask(struct aio__process_pool *pool, struct worker *worker, const void *bytes)
{
    watch_for_room(pool, worker, aio__worker_ask(&worker->process, bytes) == 0);
}

static bool hand_over(struct aio__process_pool *pool, struct worker *worker, aio_job *job)
{
    struct aio__request *request = &worker->process.request;
    int err = aio__request_fill(request, job->call.fn, job->arg_codec, job->result_codec,
                                job->call.result_type);

    if (err < 0) {
        worker->job = job;
        aio_job_fail(take_back(pool, worker), err);
        return false;
    }
    request->size = job->bytes_size;
    worker->job = job;
    ask(pool, worker, job->bytes);
    return true;
}

/* The next job for an idle worker, claimed and counted; NULL: there is none. With the lock held. */
static aio_job *next_job(struct aio__process_pool *pool)
{
    aio_job *job = pool->first;

    pool->first = NULL;
    if (job != NULL)
        return job; /* running already */
    while ((job = aio__backlog_take(&pool->backlog)) != NULL) {
        if (aio_concurrent_future_set_running_or_notify_cancel(&job->fut) == 1) {
            pool->backlog.running++;
            return job;
        }
        /* Cancelled a moment ago, and not yet taken out by who did it, who has a reference. */
        pool->backlog.cancelled++;
        aio_concurrent_future_unref(&job->fut);
    }
    return NULL;
}

static void employ(struct aio__process_pool *pool, struct worker *worker)
{
    aio_job *job;

    do {
        lock(pool);
        job = next_job(pool);
        unlock(pool);
    } while (job != NULL && !hand_over(pool, worker, job));
    set_state(pool, worker, job == NULL ? IDLE : BUSY);
}

/* --- starting workers -------------------------------------------------------------------- */

/* Kill and wait for one that the pool does not know. */
static void discard(struct worker *worker)
{
    aio__worker_signal(&worker->process, SIGKILL);
    (void)aio__worker_end(&worker->process);
    aio_free(worker);
}

static int start_worker(struct aio__process_pool *pool)
{
    struct worker *worker = aio_calloc(1, sizeof(*worker));
    int err;

    if (worker == NULL)
        return AIO_ENOMEM;
    err = aio__worker_start(&worker->process, pool->program, pool->name, &pool->mask);
    if (err < 0) {
        aio_free(worker);
        return err;
    }
    err = watch(pool, worker);
    if (err < 0) {
        discard(worker);
        return aio_raise(err, "%s", aio_strerror(err));
    }
    worker->deadline = now_ms() + aio__worker_start_limit;
    lock(pool);
    aio__list_append(&pool->workers, &worker->link);
    pool->worker_count++;
    unlock(pool);
    worker->process.request = pool->initialize;
    ask(pool, worker, pool->initarg);
    return 0;
}

/* How many more are wanted: for each job one that is idle or will be. */
static size_t count_missing(struct aio__process_pool *pool)
{
    size_t coming = 0;
    size_t missing;

    lock(pool);
    AIO__LIST_FOREACH (link, &pool->workers)
        coming += worker_of(link)->state <= IDLE;
    missing = pool->backlog.queued + (pool->first != NULL);
    missing = missing > coming ? missing - coming : 0;
    if (missing > pool->max_workers - pool->worker_count)
        missing = pool->max_workers - pool->worker_count;
    unlock(pool);
    return missing;
}

/* There is no worker, and none to be had: the jobs cannot be run, but those that come later may. */
static void fail_all(struct aio__process_pool *pool, int code)
{
    aio_exception *error = aio_error_catch(code);
    aio_job *job;

    fail_first(pool, error);
    lock(pool);
    while ((job = aio__backlog_take(&pool->backlog)) != NULL) {
        pool->backlog.completed++;
        unlock(pool);
        aio__job_fail(job, error);
        lock(pool);
    }
    unlock(pool);
    aio_exception_unref(error);
}

static void start_workers(struct aio__process_pool *pool)
{
    for (size_t missing = count_missing(pool); missing > 0; missing--) {
        int err = start_worker(pool);

        if (err == 0)
            continue;
        if (pool->worker_count == 0)
            fail_all(pool, err);
        else
            aio__error_forget(); /* there are others to do the work */
        return;
    }
}

/* --- replies ----------------------------------------------------------------------------- */

static aio_exception *error_of(struct aio__incoming *in)
{
    if (in->is_lost)
        return aio_error_catch(AIO_ENOMEM);
    return aio__error_unpack(in->head.reply.code, in->bytes, (size_t)in->head.reply.size);
}

/* A job's end, in the future. The reply is the caller's, and its bytes pass to the job. */
static void finish(aio_job *job, struct aio__incoming *in)
{
    aio_exception *error;

    if (in->head.reply.code >= 0 && !in->is_lost) {
        aio_job_finish_encoded(job, in->bytes, (size_t)in->head.reply.size);
        return;
    }
    error = error_of(in);
    aio__job_fail(job, error);
    aio_exception_unref(error);
    aio_free(in->bytes);
}

static void initializer_failed(struct aio__process_pool *pool, struct aio__incoming *in)
{
    aio_exception *cause = error_of(in);
    aio_exception *error;
    int code = aio_exception_code(cause);

    aio__log(AIO_LOG_ERROR, "Exception in initializer: %s: %s", aio_error_name(code),
             aio_exception_message(cause) != NULL ? aio_exception_message(cause)
                                                  : aio_strerror(code));
    code = aio_raise_from(cause, AIO_EBROKENPROCESSPOOL,
                          "A process initializer failed, the process pool is not usable anymore");
    aio_exception_unref(cause);
    error = aio_error_catch(code);
    break_pool(pool, error);
    aio_exception_unref(error);
}

/* The worker gets its next job before anybody hears of the last one's end, so that it works
 * meanwhile. */
static void job_is_done(struct aio__process_pool *pool, struct worker *worker,
                        struct aio__incoming *in)
{
    aio_job *job = take_back(pool, worker);

    worker->tasks++;
    if (pool->max_tasks != 0 && worker->tasks >= pool->max_tasks)
        leave(pool, worker);
    else
        employ(pool, worker);
    finish(job, in);
}

static void worker_has_begun(struct aio__process_pool *pool, struct worker *worker,
                             struct aio__incoming *in)
{
    if (in->head.reply.code < 0) {
        initializer_failed(pool, in);
    } else {
        worker->deadline = INT64_MAX;
        employ(pool, worker);
    }
    aio_free(in->bytes);
}

/* A reply is complete. What comes next, if anything, is another message, or the end. */
static void on_reply(struct aio__process_pool *pool, struct worker *worker)
{
    struct aio__incoming in = worker->process.in;

    memset(&worker->process.in, 0, sizeof(worker->process.in));
    if (worker->state == BUSY)
        job_is_done(pool, worker, &in);
    else
        worker_has_begun(pool, worker, &in);
}

/* --- the end of a worker ----------------------------------------------------------------- */

static aio_exception *abrupt_end(const struct worker *worker, enum state state, int status)
{
    char how[64] = "was waited for by somebody else";
    int code;

    if (status >= 0 && WIFSIGNALED(status))
        (void)snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
    else if (status >= 0)
        (void)snprintf(how, sizeof(how), "exited with status %d", WEXITSTATUS(status));
    code = aio_raise(AIO_EBROKENPROCESSPOOL, "%s: worker %d %s",
                     state == STARTING
                         ? "A process of the pool ended before it was a worker; its main() has to "
                           "call aio_process_worker_main()"
                         : "A process in the process pool was terminated abruptly while the "
                           "future was running or pending",
                     (int)worker->process.pid, how);
    return aio_error_catch(code);
}

static void bury(struct aio__process_pool *pool, struct worker *worker)
{
    enum state state = worker->state;
    aio_job *job = take_back(pool, worker);
    int status;

    set_state(pool, worker, LEAVING); /* not idle any more */
    lock(pool);
    aio__list_remove(&worker->link);
    pool->worker_count--;
    unlock(pool);
    status = aio__worker_end(&worker->process);
    if (state != LEAVING) {
        aio_exception *error = abrupt_end(worker, state, status);

        break_pool(pool, error);
        if (job != NULL)
            aio__job_fail(job, error);
        aio_exception_unref(error);
    }
    aio_free(worker);
}

/* The socket was closed at its other end, or has brought nonsense. */
static void on_hang_up(struct aio__process_pool *pool, struct worker *worker)
{
    (void)epoll_ctl(pool->epoll_fd, EPOLL_CTL_DEL, worker->process.fd, NULL);
    /* It cannot be a worker any more, whatever else it does. One that leaves is as good as gone. */
    aio__worker_signal(&worker->process, SIGKILL);
    if (worker->process.pidfd < 0)
        bury(pool, worker);
}

/* What it said before it ended counts. */
static void on_end(struct aio__process_pool *pool, struct worker *worker)
{
    if (owes_reply(worker) && aio__worker_receive(&worker->process) == 1)
        on_reply(pool, worker);
    bury(pool, worker);
}

/* --- turns ------------------------------------------------------------------------------- */

static void on_socket(struct aio__process_pool *pool, struct worker *worker, uint32_t events)
{
    int got;

    if (worker->wants_room && (events & EPOLLOUT) != 0)
        watch_for_room(pool, worker, aio__worker_send(&worker->process) == 0);
    if ((events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    got = aio__worker_receive(&worker->process);
    /* Who has nothing to reply to has nothing to say but goodbye. */
    if (got < 0 || (got == 1 && !owes_reply(worker)))
        on_hang_up(pool, worker);
    else if (got == 1)
        on_reply(pool, worker);
}

/* Whether there is nothing more to do but to end. */
static bool is_closing(struct aio__process_pool *pool)
{
    bool is_closing;

    lock(pool);
    is_closing = pool->backlog.broken != NULL ||
                 (pool->backlog.is_shut && pool->backlog.queued == 0 && pool->backlog.running == 0);
    unlock(pool);
    return is_closing;
}

static void dismiss_all(struct aio__process_pool *pool)
{
    AIO__LIST_FOREACH (link, &pool->workers)
        if (worker_of(link)->state != LEAVING)
            leave(pool, worker_of(link));
}

/* Act on deadlines. Gives the milliseconds until the next one; -1: there is none. */
static int check_deadlines(struct aio__process_pool *pool)
{
    int64_t now = now_ms();
    int64_t next = INT64_MAX;

    AIO__LIST_FOREACH (link, &pool->workers) {
        struct worker *worker = worker_of(link);

        if (worker->deadline <= now) {
            /* One that was to start breaks the pool by its end. */
            aio__worker_signal(&worker->process, SIGKILL);
            worker->deadline = INT64_MAX;
        }
        if (worker->deadline < next)
            next = worker->deadline;
    }
    return next == INT64_MAX ? -1 : (int)(next - now);
}

/* Ends last: until then all workers are there. */
static void handle_events(struct aio__process_pool *pool, const struct epoll_event *events,
                          int count)
{
    eventfd_t value;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == 0)
            (void)eventfd_read(pool->wake_fd, &value);
        else if ((events[i].data.u64 & 1) == 0)
            on_socket(pool, (struct worker *)(uintptr_t)events[i].data.u64, events[i].events);
    }
    for (int i = 0; i < count; i++)
        if ((events[i].data.u64 & 1) != 0)
            on_end(pool, (struct worker *)(uintptr_t)(events[i].data.u64 - 1));
}

static void employ_idle(struct aio__process_pool *pool)
{
    AIO__LIST_FOREACH (link, &pool->workers)
        if (worker_of(link)->state == IDLE)
            employ(pool, worker_of(link));
}

static void take_turn(struct aio__process_pool *pool)
{
    struct epoll_event events[EVENTS];
    int count;

    lock(pool);
    pool->wants_wake = true; /* what comes while we look is found by the next turn */
    unlock(pool);
    if (is_closing(pool)) {
        dismiss_all(pool);
    } else {
        employ_idle(pool);
        start_workers(pool);
    }
    count = epoll_wait(pool->epoll_fd, events, EVENTS, check_deadlines(pool));
    handle_events(pool, events, count);
}

void *aio__manage(void *arg)
{
    struct aio__process_pool *pool = arg;
    bool is_orphaned;

    (void)pthread_setname_np(pthread_self(), "ProcessPool");
    while (!is_closing(pool) || !aio__list_empty(&pool->workers))
        take_turn(pool);
    lock(pool);
    pool->is_over = true;
    is_orphaned = pool->is_orphaned;
    (void)pthread_cond_broadcast(&pool->changed);
    unlock(pool);
    if (is_orphaned)
        aio__process_pool_free(pool);
    return NULL;
}

/* --- from other threads ------------------------------------------------------------------ */

void aio__manager_wake(struct aio__process_pool *pool)
{
    if (!pool->wants_wake)
        return;
    pool->wants_wake = false;
    (void)eventfd_write(pool->wake_fd, 1);
}

void aio__manager_signal(struct aio__process_pool *pool, int signum)
{
    for (struct aio__list *link = pool->workers.next; link != &pool->workers; link = link->next)
        aio__worker_signal(&worker_of(link)->process, signum);
}
