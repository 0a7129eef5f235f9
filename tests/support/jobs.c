/* SPDX-License-Identifier: MIT */
/*
 * jobs.c - jobs behind the loop of a fixture, and tasks that wait for them
 */
#include "support/jobs.h"

#include <aio/thread_pool.h>
#include <semaphore.h>
#include <stdatomic.h>

static struct {
    sem_t reached; /* by each job that stops there */
    sem_t open;    /* for one each time */
    sem_t passed;  /* by each once it is open */
} gate;

static atomic_int destroyed;

int limit_threads(void **state)
{
    return setenv("UV_THREADPOOL_SIZE", "2", 1);
}

int set_up_jobs(void **state)
{
    struct fixture *f;

    (void)sem_init(&gate.reached, 0, 0);
    (void)sem_init(&gate.open, 0, 0);
    (void)sem_init(&gate.passed, 0, 0);
    atomic_store(&destroyed, 0);
    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = NULL; /* the executor; NULL: the default one */
    return 0;
}

int tear_down_jobs(void **state)
{
    struct fixture *f = *state;
    aio_executor *executor = f->subject;
    int err;

    f->subject = NULL;
    fx_end_tasks(f);
    if (executor != NULL)
        assert_int_equal(aio_executor_shutdown(executor, AIO_FOREVER, false), 0);
    aio_executor_unref(executor);
    err = fx_teardown(state);
    (void)sem_destroy(&gate.reached);
    (void)sem_destroy(&gate.open);
    (void)sem_destroy(&gate.passed);
    return err;
}

int job_give_back(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

int job_raise(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "no such image");
}

int job_stop(void *arg, void **ret_result)
{
    (void)sem_post(&gate.reached);
    (void)sem_wait(&gate.open);
    (void)sem_post(&gate.passed);
    *ret_result = arg;
    return 0;
}

void wait_for_jobs(int jobs)
{
    while (jobs-- > 0)
        (void)sem_wait(&gate.reached);
}

void release_jobs(int jobs)
{
    for (int i = 0; i < jobs; i++)
        (void)sem_post(&gate.open);
    for (int i = 0; i < jobs; i++)
        (void)sem_wait(&gate.passed);
}

void release_job_soon(void)
{
    (void)sem_post(&gate.open);
}

void count_destroyed(void *arg)
{
    atomic_fetch_add(&destroyed, 1);
}

int count_of_destroyed(void)
{
    return atomic_load(&destroyed);
}

static int run_and_note(struct fixture *f, aio_job_fn fn, void *arg)
{
    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(NULL, f->subject, fn, arg);
    void *value = NULL;
    int err = aio_await(fut, &value);

    if (err < 0)
        fx_note(f, "! %s: %s", aio_error_name(err), aio_error_text(err));
    else
        fx_note(f, "got %s", value == NULL ? "None" : (char *)value);
    return 0;
}

int run_give_back(void *arg, void **ret_result)
{
    return run_and_note(arg, job_give_back, aio_constant("OK"));
}

int run_raise(void *arg, void **ret_result)
{
    return run_and_note(arg, job_raise, NULL);
}

int run_stop(void *arg, void **ret_result)
{
    return run_and_note(arg, job_stop, aio_constant("A"));
}

int shut_down_default(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_loop_shutdown_default_executor(NULL, AIO_FOREVER);

    return fx_note_code(f, "shut down", err);
}

aio_executor *named_pool(const char *prefix)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;

    options.thread_name_prefix = prefix;
    return aio_thread_pool_new(&options);
}

void wait_until_freed(size_t live)
{
    while (live_allocations() != live) {
        aio_loop *sweeper = aio_loop_new(NULL);

        (void)aio_loop_close(sweeper);
        aio_loop_unref(sweeper);
    }
}
