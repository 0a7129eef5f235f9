/* SPDX-License-Identifier: MIT */
/*
 * workers.c - a server on several cores: a thread and a loop for each, one port for all
 *
 * Made of what programs have: each worker is a job in a pool of as many threads, which runs a loop
 * of its own with aio_run(). Whoever called waits for the jobs and never gives them up: a
 * cancellation is passed on to them instead.
 *
 * Thread: `told`, `futures` and all that is not in struct aio_worker belong to the caller's; of a
 * worker, what its lock guards to both.
 */
#include "net/address.h"
#include "net/connection.h"
#include "task/task_internal.h"

#include <aio/executor.h>
#include <aio/memory.h>
#include <aio/runner.h>
#include <aio/signal.h>
#include <aio/task.h>
#include <aio/thread_pool.h>
#include <aio/wait.h>
#include <aio/workers.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

/* How often it is tried again to reach a worker's loop when memory is short, in seconds. */
#define RETRY 0.05

struct crew;

struct aio_worker {
    struct crew *crew;
    unsigned index;
    int sock;       /* -1: none, or taken; the worker's once it runs */
    aio_task *task; /* the worker's: its main task, while that runs */
    pthread_mutex_t lock;
    aio_loop *loop; /* under the lock: referenced while the main task runs */
    unsigned asked; /* under the lock: how often it is to be cancelled */
    unsigned told;  /* how often its loop was told so */
};

struct crew {
    aio_worker_fn fn;
    void *arg;
    double grace;
    unsigned count;
    int port;
    aio_loop *loop; /* the caller's */
    aio_executor *pool;
    aio_future **futures; /* of the jobs, then that of SIGTERM */
    aio_worker workers[];
};

/* --- in a worker's thread -------------------------------------------------------------- */

unsigned aio_worker_index(const aio_worker *worker)
{
    return worker == NULL ? 0 : worker->index;
}

unsigned aio_worker_count(const aio_worker *worker)
{
    return worker == NULL ? 0 : worker->crew->count;
}

int aio_worker_port(const aio_worker *worker)
{
    return worker == NULL ? -1 : worker->crew->port;
}

int aio_worker_take_socket(aio_worker *worker)
{
    int sock = worker == NULL ? -1 : worker->sock;

    if (worker != NULL)
        worker->sock = -1;
    return sock;
}

/* The loop of the main task is there for others, or not any more. Gives how often it was asked to
 * end before. */
static unsigned show_loop(aio_worker *worker, aio_loop *loop)
{
    aio_loop *before;
    unsigned asked;

    (void)pthread_mutex_lock(&worker->lock);
    before = worker->loop;
    worker->loop = aio_loop_ref(loop);
    asked = worker->asked;
    (void)pthread_mutex_unlock(&worker->lock);
    aio_loop_unref(before);
    return asked;
}

static int work(void *arg, void **ret_result)
{
    aio_worker *worker = arg;
    aio_loop *loop = aio_get_running_loop();
    unsigned asked;
    int err;

    (void)ret_result;
    worker->task = aio_current_task(loop);
    asked = show_loop(worker, loop);
    while (asked-- > 0)
        (void)aio_task_cancel(worker->task, NULL);
    err = worker->crew->fn(worker, worker->crew->arg);
    worker->task = NULL;
    (void)show_loop(worker, NULL);
    if (worker->sock >= 0)
        close(worker->sock); /* or whom the kernel sends here would wait for ever */
    worker->sock = -1;
    return err;
}

static int run_job(void *arg, void **ret_result)
{
    int err = aio_run(work, arg, NULL);

    (void)ret_result;
    if (err != AIO_ECANCELLED)
        return err;
    aio_exception_unref(aio_error_catch(err)); /* it was stopped, and that is all */
    return 0;
}

/* Whether a cancellation is still on its way: another would become one with it, and be lost. */
static bool is_being_cancelled(const aio_task *task)
{
    const struct aio__task *self = aio__task_of(task);

    while (self->waiting != NULL && aio__future_is_pending(self->waiting)) {
        if (!aio_future_is_task(self->waiting))
            return false;
        self = aio__task_of(self->waiting);
    }
    return true;
}

static int cancel_main(void *arg)
{
    aio_worker *worker = arg;

    if (worker->task == NULL)
        return 0;
    /* The first is for a task that may not even have begun. */
    if (aio_task_cancelling(worker->task) > 0 && is_being_cancelled(worker->task))
        return aio_loop_call_soon(worker->task->loop, cancel_main, worker, NULL);
    (void)aio_task_cancel(worker->task, NULL);
    return 0;
}

/* --- stopping -------------------------------------------------------------------------- */

/* Have its main task cancelled. 0, or AIO_ENOMEM: then it is to be tried again. */
static int ask_to_end(aio_worker *worker)
{
    int err = 0;

    (void)pthread_mutex_lock(&worker->lock);
    if (worker->loop != NULL)
        err = aio_loop_call_soon_threadsafe(worker->loop, cancel_main, worker, NULL);
    if (err == 0 || err == AIO_ECLOSED)
        worker->asked++;
    (void)pthread_mutex_unlock(&worker->lock);
    return err == AIO_ECLOSED ? 0 : err;
}

/* Have all been told that often? */
static bool tell(struct crew *crew, unsigned times)
{
    bool all = true;

    for (unsigned i = 0; i < crew->count; i++) {
        aio_worker *worker = &crew->workers[i];

        while (worker->told < times && ask_to_end(worker) == 0)
            worker->told++;
        all &= worker->told >= times;
    }
    return all;
}

static int on_sigterm(void *arg)
{
    aio_future *fut = arg;

    if (!aio_future_done(fut))
        (void)aio_future_set_result(fut, NULL);
    return 0;
}

/* --- waiting --------------------------------------------------------------------------- */

/* The jobs not done, into `pending`; the code of the first that failed, into *code. */
static size_t look_at_jobs(const struct crew *crew, aio_future **pending, int *code)
{
    size_t count = 0;

    for (unsigned i = 0; i < crew->count; i++) {
        aio_future *fut = crew->futures[i];

        if (fut == NULL)
            continue;
        if (!aio_future_done(fut)) {
            pending[count++] = fut;
        } else {
            int err = aio_future_result(fut, NULL);

            if (*code == 0)
                *code = err;
        }
    }
    return count;
}

/* What the waiting has come to. */
struct end {
    unsigned times;        /* that the workers are to be cancelled */
    double next;           /* when once more */
    aio_exception *cancel; /* of the calling task; referenced */
    aio_exception *error;  /* the first of a worker; referenced */
};

static void stop_once_more(struct crew *crew, struct end *end)
{
    end->times++;
    end->next = end->times == 1 ? aio_loop_time(crew->loop) + crew->grace : AIO_FOREVER;
}

/* Wait for something to happen to those that are pending. 0, or a code. */
static int wait_a_while(struct crew *crew, const struct end *end, bool all_told,
                        aio_future **pending, size_t count)
{
    aio_future *sigterm = crew->futures[crew->count];
    double timeout = end->next == AIO_FOREVER ? AIO_FOREVER : end->next - aio_loop_time(crew->loop);
    int err;

    if (!all_told && !(timeout < RETRY))
        timeout = RETRY;
    if (end->times == 0 && sigterm != NULL)
        pending[count++] = sigterm;
    err = aio_wait(pending, count, timeout < 0 ? 0 : timeout, AIO_FIRST_COMPLETED, NULL);
    return err == AIO_ETIMEDOUT ? 0 : err;
}

static bool is_to_stop(const struct crew *crew, const struct end *end)
{
    const aio_future *sigterm = crew->futures[crew->count];

    return end->error != NULL || (sigterm != NULL && aio_future_done(sigterm));
}

/* Wait until no job is left, passing on what happens. */
static void wait_for_workers(struct crew *crew, aio_future **pending, struct end *end)
{
    int err = 0;

    for (;;) {
        int code = 0;
        size_t count = look_at_jobs(crew, pending, &code);

        if (code < 0 && end->error == NULL)
            end->error = aio_error_catch(code);
        if (count == 0)
            return;
        if (err == AIO_ENOMEM)
            err = aio_sleep(RETRY);
        if (err < 0) {
            aio_exception_unref(end->cancel);
            end->cancel = aio_error_catch(err);
        }
        if (err == AIO_EGENERATOREXIT) { /* nobody can be waited for but by blocking, at the end */
            (void)tell(crew, 2);
            return;
        }
        if (err < 0 || (end->times == 0 && is_to_stop(crew, end)) ||
            aio_loop_time(crew->loop) >= end->next)
            stop_once_more(crew, end);
        err = wait_a_while(crew, end, tell(crew, end->times), pending, count);
    }
}

/* --- beginning and end ----------------------------------------------------------------- */

/* It listens at once, so that who comes before its worker serves is kept in line. */
static int bind_socket(const struct aio__address *address, int *ret_sock)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->name;
    char text[AIO__ADDRESS_TEXT];
    int on = 1;
    int sock = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (sock < 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    (void)setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (setsockopt(sock, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(sock, name, address->size) != 0 || listen(sock, SOMAXCONN) != 0) {
        int err = -errno;

        close(sock);
        return aio_raise(err, "error while attempting to bind on address %s: %s",
                         aio__address_text(name, address->size, text), aio_strerror(err));
    }
    *ret_sock = sock;
    return 0;
}

static int port_of(const struct sockaddr_storage *name)
{
    return ntohs(name->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)name)->sin6_port
                                             : ((const struct sockaddr_in *)name)->sin_port);
}

/* Bind a socket for each to the same address. */
static int bind_all(struct crew *crew, const aio_workers_options *options)
{
    const struct aio__query query = {
        .host = options->host != NULL ? options->host : "127.0.0.1",
        .port = options->port,
        .type = SOCK_STREAM,
    };
    struct aio__addresses found = {0};
    struct aio__address address;
    int err = aio__resolve(crew->loop, &query, &found);

    if (err < 0)
        return err;
    address = found.items[0];
    aio__addresses_free(&found);
    for (unsigned i = 0; i < crew->count && err == 0; i++) {
        err = bind_socket(&address, &crew->workers[i].sock);
        if (err == 0 && i == 0 && /* the port that was free */
            getsockname(crew->workers[0].sock, (struct sockaddr *)&address.name, &address.size) !=
                0)
            err = aio_raise(-errno, "%s", aio_strerror(-errno));
    }
    if (err == 0)
        crew->port = port_of(&address.name);
    return err;
}

static unsigned count_processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return count > 0 ? (unsigned)count : 1;
}

static struct crew *crew_new(aio_loop *loop, aio_worker_fn fn, void *arg,
                             const aio_workers_options *options)
{
    unsigned count = options->count > 0 ? options->count : count_processors();
    struct crew *crew = aio_calloc(1, sizeof(*crew) + count * sizeof(crew->workers[0]));

    if (crew == NULL)
        return NULL;
    crew->loop = loop;
    crew->fn = fn;
    crew->arg = arg;
    crew->grace = options->grace != 0 ? options->grace : 30;
    crew->count = count;
    crew->port = -1;
    for (unsigned i = 0; i < count; i++) {
        crew->workers[i].crew = crew;
        crew->workers[i].index = i;
        crew->workers[i].sock = -1;
        (void)pthread_mutex_init(&crew->workers[i].lock, NULL);
    }
    return crew;
}

/* No job runs any more. */
static void crew_free(struct crew *crew)
{
    if (crew->pool != NULL)
        (void)aio_executor_shutdown(crew->pool, AIO_FOREVER, false); /* joins idle threads */
    aio_executor_unref(crew->pool);
    for (unsigned i = 0; i < crew->count; i++) {
        if (crew->workers[i].sock >= 0)
            close(crew->workers[i].sock);
        (void)pthread_mutex_destroy(&crew->workers[i].lock);
    }
    for (unsigned i = 0; crew->futures != NULL && i <= crew->count; i++)
        aio_future_unref(crew->futures[i]);
    aio_free(crew->futures);
    aio_free(crew);
}

static int watch_sigterm(struct crew *crew, const aio_workers_options *options)
{
    aio_future *fut;
    int err;

    if (options->keep_sigterm || getpid() != gettid())
        return 0;
    fut = aio_future_new(crew->loop);
    if (fut == NULL)
        return AIO_ENOMEM;
    err = aio_loop_add_signal_handler(crew->loop, SIGTERM, on_sigterm, fut);
    if (err < 0)
        aio_future_unref(fut);
    else
        crew->futures[crew->count] = fut;
    return err;
}

/* Start the jobs: all, or a code, with those that were started running. */
static int start_all(struct crew *crew)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;

    options.max_workers = crew->count;
    options.thread_name_prefix = "aio-worker";
    crew->pool = aio_thread_pool_new(&options);
    if (crew->pool == NULL)
        return aio_last_failure();
    for (unsigned i = 0; i < crew->count; i++) {
        crew->futures[i] =
            aio_loop_run_in_executor(crew->loop, crew->pool, run_job, &crew->workers[i]);
        if (crew->futures[i] == NULL)
            return aio_last_failure();
    }
    return 0;
}

static int run_crew(struct crew *crew, const aio_workers_options *options)
{
    aio_future **pending = aio_calloc(crew->count + 1, sizeof(aio_future *));
    struct end end = {.next = AIO_FOREVER};
    int err = 0;

    crew->futures = aio_calloc(crew->count + 1, sizeof(aio_future *));
    if (pending == NULL || crew->futures == NULL)
        err = AIO_ENOMEM;
    if (err == 0 && options->port >= 0)
        err = bind_all(crew, options);
    if (err == 0)
        err = watch_sigterm(crew, options);
    if (err == 0 && options->started != NULL)
        options->started(crew->port, crew->arg);
    if (err == 0) {
        err = start_all(crew);
        end.error = err < 0 ? aio_error_catch(err) : NULL;
        wait_for_workers(crew, pending, &end);
        err = 0;
    }
    if (crew->futures != NULL && crew->futures[crew->count] != NULL)
        (void)aio_loop_remove_signal_handler(crew->loop, SIGTERM);
    if (end.error != NULL)
        err = aio_raise_exception(end.error);
    else if (end.cancel != NULL)
        err = aio_raise_exception(end.cancel);
    aio_exception_unref(end.error);
    aio_exception_unref(end.cancel);
    aio_free(pending);
    return err;
}

int aio_run_workers(aio_worker_fn fn, void *arg, const aio_workers_options *options)
{
    static const aio_workers_options defaults = AIO_WORKERS_OPTIONS_INIT;
    aio_loop *loop = NULL;
    struct crew *crew;
    int err = aio__net_check_task(&loop);

    if (err < 0)
        return err;
    if (options == NULL)
        options = &defaults;
    if (fn == NULL || options->size < sizeof(*options) || options->count > 4096 ||
        options->port > 65535 || isnan(options->grace) || options->grace < 0)
        return aio_raise(AIO_EVALUE, "a worker function and sensible options are needed");
    crew = crew_new(loop, fn, arg, options);
    if (crew == NULL)
        return AIO_ENOMEM;
    err = run_crew(crew, options);
    crew_free(crew);
    return err;
}
