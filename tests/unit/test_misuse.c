/* SPDX-License-Identifier: MIT */
/*
 * test_misuse.c - each function of the core, called wrongly: a code and a message, no crash
 */
#include "base/error.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <aio/testing.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <string.h>

/* --- what is there to be misused -------------------------------------------------------- */

static aio_loop *open;
static aio_loop *closed;
static aio_future *pending; /* those of `open` */
static aio_future *done;
static aio_coroutine *unstarted;
static aio_coroutine *spent;
static aio_runner *closed_runner;
static aio_portal *stopped_portal;
static aio_concurrent_future *unlinked; /* pending */
static aio_loop *other;
static aio_future *foreign; /* pending, of `other` */
static aio_future *mixed[2];
static aio_lock *held;
static aio_lock *loose;
static aio_event *unset;
static aio_condition *condition;
static aio_semaphore *empty;
static aio_semaphore *bounded; /* at its bound */
static aio_barrier *barrier;
static aio_queue *idle;
static aio_queue *full;
static aio_queue *shut;
static aio_taskgroup *group; /* not entered */
static aio_generator *ended;
static aio_executor *ended_pool;
static const aio_site here = {"nowhere", __FILE__, __LINE__};

static struct {
    aio_task **tasks;
    size_t size;
    aio_executor_stats stats;
} out;

/* Options that forgot to say how large they are. */
static const struct {
    aio_loop_options loop;
    aio_runner_options runner;
    aio_task_options task;
    aio_job_options job;
    aio_thread_pool_options pool;
    aio_process_pool_options processes;
    aio_map_options map;
    aio_allocator allocator;
    aio_pool_options items;
    aio_attempt attempt;      /* without a function */
    aio_error_class error[2]; /* without a name */
} unsized = {.error = {{.code = AIO_EVALUE}}};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int done_callback(aio_future *fut, void *arg)
{
    (void)fut;
    (void)arg;
    return 0;
}

static int coroutine(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

static void log_nothing(aio_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static void make_primitives(void)
{
    held = aio_lock_new();
    loose = aio_lock_new();
    unset = aio_event_new();
    condition = aio_condition_new();
    empty = aio_semaphore_new(0);
    bounded = aio_bounded_semaphore_new(1);
    barrier = aio_barrier_new(2);
    idle = aio_queue_new(0);
    full = aio_queue_new(1);
    shut = aio_queue_new(0);
    aio_queue_shutdown(shut, true);
    group = aio_taskgroup_new();
    ended = aio_generator_new(coroutine, NULL, NULL);
    ended_pool = aio_thread_pool_new(NULL);
}

static void drop_primitives(void)
{
    aio_executor_unref(ended_pool);
    aio_generator_unref(ended);
    aio_taskgroup_unref(group);
    aio_queue_unref(shut);
    aio_queue_unref(full);
    aio_queue_unref(idle);
    aio_barrier_unref(barrier);
    aio_semaphore_unref(bounded);
    aio_semaphore_unref(empty);
    aio_condition_unref(condition);
    aio_event_unref(unset);
    aio_lock_unref(loose);
    aio_lock_unref(held);
}

static int set_up(void **state)
{
    (void)count_allocations(state);
    aio_log_set_handler(log_nothing, NULL);
    open = aio_new_event_loop();
    closed = aio_new_event_loop();
    pending = aio_future_new(open);
    done = aio_future_new(open);
    unstarted = aio_coroutine_new(coroutine, NULL, NULL);
    spent = aio_coroutine_new(coroutine, NULL, NULL);
    closed_runner = aio_runner_new(NULL);
    stopped_portal = aio_portal_new(NULL);
    unlinked = aio_concurrent_future_new();
    other = aio_new_event_loop();
    foreign = aio_future_new(other);
    mixed[0] = pending;
    mixed[1] = foreign;
    memset(&out, 0, sizeof(out));
    make_primitives();
    return aio_future_set_result(done, NULL) < 0 || aio_coroutine_close(spent) < 0 ||
                   aio_runner_close(closed_runner) < 0 ||
                   aio_portal_stop(stopped_portal, true) < 0 || aio_loop_close(closed) < 0 ||
                   aio_lock_acquire(held) < 0 || aio_queue_put_nowait(full, NULL) < 0 ||
                   aio_generator_close(ended) < 0 ||
                   aio_executor_shutdown(ended_pool, AIO_FOREVER, false) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    aio_task_list_free(out.tasks, out.size);
    drop_primitives();
    aio_future_unref(foreign);
    (void)aio_loop_close(other);
    aio_loop_unref(other);
    aio_concurrent_future_unref(unlinked);
    aio_runner_free(closed_runner);
    aio_portal_free(stopped_portal);
    aio_future_unref(spent);
    (void)aio_coroutine_close(unstarted);
    aio_future_unref(unstarted);
    aio_future_unref(done);
    aio_future_unref(pending);
    aio_loop_unref(closed);
    (void)aio_loop_close(open);
    aio_loop_unref(open);
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

/* What the first generator of a thread leaves for the next is not a test's. */
static int warm_up(void **state)
{
    aio_generator *generator = aio_generator_new(coroutine, NULL, NULL);
    int err = aio_generator_close(generator);

    (void)state;
    aio_generator_unref(generator);
    return err;
}

#define MISUSE_ROWS "misuse.h"
#include "misuse_run.h"
