/* SPDX-License-Identifier: MIT */
/*
 * test_thread_pool.c - an executor with threads of its own
 *
 * After CPython's test_concurrent_futures: ThreadPoolExecutorTest, ThreadPoolShutdownTest,
 * InitializerMixin.
 */
#include "base/memory.h"
#include "support/allocation.h"
#include "support/child.h"
#include "support/unit.h"

#include <aio/log.h>
#include <aio/memory.h>
#include <aio/thread_pool.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Jobs that stop at a gate until it is opened. */
struct gate {
    sem_t reached; /* by each */
    sem_t open;    /* for one each time */
};

static struct gate gate;
static char trace[64];
static atomic_int destroyed;

static int setup(void **state)
{
    (void)sem_init(&gate.reached, 0, 0);
    (void)sem_init(&gate.open, 0, 0);
    trace[0] = '\0';
    atomic_store(&destroyed, 0);
    return count_allocations(state);
}

static int teardown(void **state)
{
    (void)sem_destroy(&gate.reached);
    (void)sem_destroy(&gate.open);
    return check_allocations(state);
}

static void count_destroyed(void *arg)
{
    atomic_fetch_add(&destroyed, 1);
}

static aio_executor *make(size_t max_workers)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.max_workers = max_workers;
    pool = aio_thread_pool_new(&options);
    assert_non_null(pool);
    return pool;
}

static void finish(aio_executor *pool)
{
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    aio_executor_unref(pool);
}

static aio_executor_stats stats_of(aio_executor *pool)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;

    assert_int_equal(aio_executor_get_stats(pool, &stats), 0);
    return stats;
}

/* A thread is idle a moment after its last job's future is done. */
static void wait_until_idle(aio_executor *pool, size_t idle)
{
    while (stats_of(pool).idle != idle || stats_of(pool).running != 0)
        sched_yield();
}

/* --- jobs ------------------------------------------------------------------------------ */

static int stop_at_gate(void *arg, void **ret_result)
{
    (void)sem_post(&gate.reached);
    (void)sem_wait(&gate.open);
    *ret_result = arg;
    return 0;
}

static int add_letter(void *arg, void **ret_result)
{
    (void)strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
    return 0;
}

static int add_one(void *arg, void **ret_result)
{
    *ret_result = (void *)((intptr_t)arg + 1);
    return 0;
}

static int raise_in_it(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "no such image: %s", (char *)arg);
}

static int thread_name(void *arg, void **ret_result)
{
    char name[16];

    (void)pthread_getname_np(pthread_self(), name, sizeof(name));
    *ret_result = aio_strdup(name);
    return 0;
}

static void reach_gate(void)
{
    (void)sem_wait(&gate.reached);
}

static void open_gate(void)
{
    (void)sem_post(&gate.open);
}

static void *result_of(aio_concurrent_future *fut)
{
    void *value = NULL;

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, &value), 0);
    return value;
}

static char A[] = "A", B[] = "B", C[] = "C";

/* --- running --------------------------------------------------------------------------- */

static void pool_runs_a_job_and_gives_its_result(void **state)
{
    aio_executor *pool = make(2);
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, add_one, (void *)41);

    assert_ptr_equal(result_of(fut), (void *)42);
    finish(pool);
}

static void pool_gives_the_error_of_a_job(void **state)
{
    aio_executor *pool = make(2);
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, raise_in_it, A);

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "no such image: A");
    finish(pool);
}

/* S164; after ThreadPoolExecutorTest.test_idle_thread_reuse */
static void pool_starts_a_thread_only_when_none_is_idle(void **state)
{
    aio_executor *pool = make(8);

    assert_int_equal(stats_of(pool).workers, 0);
    for (int i = 0; i < 4; i++) {
        AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, add_one, NULL);

        (void)result_of(fut);
        wait_until_idle(pool, 1);
    }
    assert_int_equal(stats_of(pool).workers, 1);
    finish(pool);
}

/* S164; after ThreadPoolExecutorTest.test_saturation */
static void pool_starts_no_more_threads_than_it_may(void **state)
{
    aio_executor *pool = make(3);
    aio_concurrent_future *futs[9];

    for (size_t i = 0; i < COUNT_OF(futs); i++)
        futs[i] = aio_executor_submit(pool, stop_at_gate, A);
    for (int i = 0; i < 3; i++)
        reach_gate();
    assert_int_equal(stats_of(pool).workers, 3);
    assert_int_equal(stats_of(pool).running, 3);
    assert_int_equal(stats_of(pool).queued, 6);
    for (size_t i = 0; i < COUNT_OF(futs); i++)
        open_gate();
    for (size_t i = 0; i < COUNT_OF(futs); i++) {
        assert_ptr_equal(result_of(futs[i]), A);
        aio_concurrent_future_unref(futs[i]);
    }
    finish(pool);
}

/* The tutorial prints the futures right after it has submitted them. */
static void pool_counts_a_job_that_a_thread_is_started_for_as_running_at_once(void **state)
{
    aio_executor *pool = make(2);
    aio_concurrent_future *futs[3];

    for (size_t i = 0; i < COUNT_OF(futs); i++)
        futs[i] = aio_executor_submit(pool, stop_at_gate, NULL);
    assert_true(aio_concurrent_future_running(futs[0]));
    assert_true(aio_concurrent_future_running(futs[1]));
    assert_false(aio_concurrent_future_running(futs[2]));
    for (size_t i = 0; i < COUNT_OF(futs); i++) {
        open_gate();
        aio_concurrent_future_unref(futs[i]);
    }
    finish(pool);
}

static void pool_begins_jobs_in_the_order_they_were_submitted(void **state)
{
    aio_executor *pool = make(1);

    aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    reach_gate();
    aio_concurrent_future_unref(aio_executor_submit(pool, add_letter, A));
    aio_concurrent_future_unref(aio_executor_submit(pool, add_letter, B));
    aio_concurrent_future_unref(aio_executor_submit(pool, add_letter, C));
    open_gate();
    finish(pool);
    assert_string_equal(trace, "ABC");
}

static int submit_another(void *arg, void **ret_result)
{
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(arg, add_letter, A);

    return fut == NULL ? AIO_ERUNTIME : 0;
}

static void job_may_submit_to_its_own_pool(void **state)
{
    aio_executor *pool = make(1);
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, submit_another, pool);

    (void)result_of(fut);
    finish(pool);
    assert_string_equal(trace, "A");
}

static int note_thread(aio_concurrent_future *fut, void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return 0;
}

static int tell_thread(void *arg, void **ret_result)
{
    *(pthread_t *)arg = pthread_self();
    return stop_at_gate(NULL, ret_result);
}

/* S162 */
static void callback_runs_in_the_thread_of_the_job(void **state)
{
    aio_executor *pool = make(1);
    pthread_t of_job, of_callback;
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, tell_thread, &of_job);

    reach_gate();
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_thread, &of_callback), 0);
    open_gate();
    finish(pool);
    assert_true(pthread_equal(of_job, of_callback));
    assert_false(pthread_equal(of_job, pthread_self()));
}

/* --- arguments and results ------------------------------------------------------------- */

static int sum_of_pair(void *arg, void **ret_result)
{
    const int *pair = arg;

    *ret_result = (void *)(intptr_t)(pair[0] + pair[1]);
    return 0;
}

static void job_gets_its_own_copy_of_the_argument(void **state)
{
    aio_executor *pool = make(1);
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;
    int pair[2] = {40, 2};

    options.arg_size = sizeof(pair);
    options.arg_destroy = count_destroyed;
    aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    fut = aio_executor_submit_with(pool, sum_of_pair, pair, &options);
    memset(pair, 0, sizeof(pair));
    open_gate();
    assert_ptr_equal(result_of(fut), (void *)42);
    assert_int_equal(atomic_load(&destroyed), 1);
    finish(pool);
}

static void job_result_with_a_type_goes_with_its_future(void **state)
{
    aio_executor *pool = make(1);
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.result_type = &aio_type_owned_string;
    aio_concurrent_future_unref(aio_executor_submit_with(pool, thread_name, NULL, &options));
    finish(pool); /* the teardown finds it if it is not freed */
}

static void job_options_are_checked_and_the_argument_goes_all_the_same(void **state)
{
    aio_executor *pool = make(1);
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    assert_null(aio_executor_submit(pool, NULL, NULL));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_EVALUE);
    options.arg_destroy = count_destroyed;
    assert_null(aio_executor_submit_with(pool, NULL, A, &options));
    options.arg_size = 1;
    assert_null(aio_executor_submit_with(pool, add_one, NULL, &options));
    assert_int_equal(atomic_load(&destroyed), 2);
    options.size--;
    assert_null(aio_executor_submit_with(pool, add_one, A, &options));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_EVALUE);
    finish(pool);
}

/* --- cancelling ------------------------------------------------------------------------ */

/* S163 */
static void job_cancelled_before_it_begins_leaves_the_queue_with_its_argument(void **state)
{
    aio_executor *pool = make(1);
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;

    options.arg_destroy = count_destroyed;
    aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    reach_gate();
    fut = aio_executor_submit_with(pool, add_letter, A, &options);
    aio_concurrent_future_unref(aio_executor_submit(pool, add_letter, B));
    assert_int_equal(stats_of(pool).queued, 2);
    assert_true(aio_concurrent_future_cancel(fut));
    assert_int_equal(atomic_load(&destroyed), 1);
    assert_int_equal(stats_of(pool).queued, 1);
    assert_int_equal(stats_of(pool).cancelled, 1);
    open_gate();
    finish(pool);
    assert_string_equal(trace, "B");
    assert_int_equal(atomic_load(&destroyed), 1);
}

/* S162 */
static void job_that_runs_cannot_be_cancelled(void **state)
{
    aio_executor *pool = make(1);
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, stop_at_gate, A);

    reach_gate();
    assert_false(aio_concurrent_future_cancel(fut));
    open_gate();
    assert_ptr_equal(result_of(fut), A);
    finish(pool);
}

/* --- shutdown -------------------------------------------------------------------------- */

/* S164; after ExecutorShutdownTest.test_run_after_shutdown */
static void pool_takes_no_jobs_after_shutdown(void **state)
{
    aio_executor *pool = make(1);

    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    assert_null(aio_executor_submit(pool, add_one, NULL));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "cannot schedule new futures after shutdown");
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, true), 0);
    aio_executor_unref(pool);
}

/* after ThreadPoolShutdownTest.test_threads_terminate */
static void shutdown_runs_what_is_queued_and_joins_the_threads(void **state)
{
    aio_executor *pool = make(3);

    for (int i = 0; i < 3; i++)
        aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    aio_concurrent_future_unref(aio_executor_submit(pool, add_letter, A));
    for (int i = 0; i < 3; i++)
        open_gate();
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    assert_string_equal(trace, "A");
    assert_int_equal(stats_of(pool).workers, 0);
    assert_int_equal(stats_of(pool).completed, 4);
    aio_executor_unref(pool);
}

/* after ExecutorShutdownTest.test_cancel_futures */
static void shutdown_can_cancel_what_is_queued(void **state)
{
    aio_executor *pool = make(1);
    AIO_AUTO(aio_concurrent_future) running = aio_executor_submit(pool, stop_at_gate, A);
    AIO_AUTO(aio_concurrent_future) queued = aio_executor_submit(pool, add_letter, A);

    reach_gate();
    assert_int_equal(aio_executor_shutdown(pool, 0, true), 0);
    assert_true(aio_concurrent_future_cancelled(queued));
    assert_true(aio_concurrent_future_running(running));
    open_gate();
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, true), 0);
    assert_ptr_equal(result_of(running), A);
    assert_string_equal(trace, "");
    aio_executor_unref(pool);
}

/* after ThreadPoolShutdownTest.test_shutdown_no_wait */
static void shutdown_without_waiting_lets_the_jobs_run(void **state)
{
    aio_executor *pool = make(1);
    AIO_AUTO(aio_concurrent_future) running = aio_executor_submit(pool, stop_at_gate, A);
    AIO_AUTO(aio_concurrent_future) queued = aio_executor_submit(pool, add_one, (void *)1);

    assert_int_equal(aio_executor_shutdown(pool, 0, false), 0);
    assert_false(aio_concurrent_future_done(running));
    open_gate();
    assert_ptr_equal(result_of(queued), (void *)2);
    finish(pool);
}

static void shutdown_waits_no_longer_than_it_is_told(void **state)
{
    aio_executor *pool = make(1);
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, stop_at_gate, A);

    assert_int_equal(aio_executor_shutdown(pool, 0.001, false), AIO_ETIMEDOUT);
    assert_int_equal(aio_executor_shutdown(pool, NAN, false), AIO_EVALUE);
    open_gate();
    finish(pool);
    assert_true(aio_concurrent_future_done(fut));
}

static int shut_down_own_pool(void *arg, void **ret_result)
{
    return aio_executor_shutdown(arg, AIO_FOREVER, false);
}

static void shutdown_is_not_waited_for_by_a_job_of_the_pool(void **state)
{
    aio_executor *pool = make(1);
    AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, shut_down_own_pool, pool);

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_ERUNTIME);
    finish(pool);
}

static void *shut_down(void *arg)
{
    assert_int_equal(aio_executor_shutdown(arg, AIO_FOREVER, false), 0);
    return NULL;
}

static void shutdown_may_be_waited_for_by_several_threads(void **state)
{
    aio_executor *pool = make(4);
    pthread_t threads[3];

    for (int i = 0; i < 4; i++)
        aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, shut_down, pool), 0);
    for (int i = 0; i < 4; i++)
        open_gate();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(stats_of(pool).workers, 0);
    aio_executor_unref(pool);
}

/* Nobody waits, and the last of its threads frees it. */
static void pool_that_is_dropped_still_runs_its_jobs(void **state)
{
    aio_executor *pool = make(2);
    size_t before = live_allocations();

    assert_true(before > 0);
    aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    aio_concurrent_future_unref(aio_executor_submit(pool, add_letter, A));
    aio_executor_unref(pool);
    open_gate();
    open_gate();
    while (live_allocations() != 0)
        sched_yield();
    assert_string_equal(trace, "A");
}

static void pool_that_never_had_a_job_is_freed_at_once(void **state)
{
    aio_executor *pool = make(2);

    assert_ptr_equal(aio_executor_ref(pool), pool);
    aio_executor_unref(pool);
    aio_executor_unref(pool);
    aio_executor_unref(NULL);
    assert_null(aio_executor_ref(NULL));
}

/* --- options --------------------------------------------------------------------------- */

static atomic_int initialized;

static int initialize(void *arg)
{
    assert_ptr_equal(arg, B);
    atomic_fetch_add(&initialized, 1);
    return 0;
}

/* after InitializerMixin.test_initializer */
static void initializer_runs_once_in_each_thread_before_its_jobs(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor *pool;

    atomic_store(&initialized, 0);
    options.max_workers = 2;
    options.initializer = initialize;
    options.initarg = B;
    pool = aio_thread_pool_new(&options);
    for (int i = 0; i < 2; i++)
        aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    reach_gate();
    reach_gate();
    assert_int_equal(atomic_load(&initialized), 2);
    for (int i = 0; i < 2; i++) {
        aio_concurrent_future_unref(aio_executor_submit(pool, add_one, NULL));
        open_gate();
    }
    finish(pool);
    assert_int_equal(atomic_load(&initialized), 2);
}

static int fail_to_initialize(void *arg)
{
    (void)sem_post(&gate.reached);
    (void)sem_wait(&gate.open);
    return aio_raise(AIO_EVALUE, "no licence");
}

static void keep_log(aio_log_level level, const char *text, void *arg)
{
    (void)strncat(arg, text, 127);
}

/* S164; after FailingInitializerMixin.test_initializer */
static void initializer_that_fails_breaks_the_pool(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    AIO_AUTO(aio_concurrent_future) first = NULL;
    AIO_AUTO(aio_concurrent_future) queued = NULL;
    aio_exception *error = NULL;
    aio_executor *pool;
    char text[128] = "";

    aio_log_set_handler(keep_log, text);
    options.max_workers = 1;
    options.initializer = fail_to_initialize;
    pool = aio_thread_pool_new(&options);
    first = aio_executor_submit(pool, add_letter, A);
    queued = aio_executor_submit(pool, add_letter, B);
    reach_gate();
    open_gate();
    assert_int_equal(aio_concurrent_future_result(queued, AIO_FOREVER, NULL),
                     AIO_EBROKENTHREADPOOL);
    assert_int_equal(aio_concurrent_future_exception(first, AIO_FOREVER, &error), 0);
    assert_string_equal(aio_exception_message(error),
                        "A thread initializer failed, the thread pool is not usable anymore");
    assert_string_equal(aio_exception_message(aio_exception_cause(error)), "no licence");
    assert_null(aio_executor_submit(pool, add_letter, C));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_EBROKENTHREADPOOL);
    finish(pool);
    aio_log_set_handler(NULL, NULL);
    assert_string_equal(text, "Exception in initializer: ValueError: no licence");
    assert_string_equal(trace, "");
}

/* after ThreadPoolExecutorTest.test_thread_names */
static void threads_are_named_after_the_prefix_and_their_number(void **state)
{
    static const char *const prefixes[] = {"io", "a prefix that is too long"};
    static const char *const names[] = {"io_1", "a prefix that_1"};
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;

    job.result_type = &aio_type_owned_string;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        AIO_AUTO(aio_concurrent_future) fut = NULL;
        aio_executor *pool;

        options.thread_name_prefix = prefixes[i];
        pool = aio_thread_pool_new(&options);
        aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
        fut = aio_executor_submit_with(pool, thread_name, NULL, &job);
        assert_string_equal(result_of(fut), names[i]);
        open_gate();
        finish(pool);
    }
}

static void threads_without_a_prefix_are_named_after_their_pool(void **state)
{
    aio_executor *pool = make(1);
    aio_job_options job = AIO_JOB_OPTIONS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;

    job.result_type = &aio_type_owned_string;
    fut = aio_executor_submit_with(pool, thread_name, NULL, &job);
    assert_memory_equal(result_of(fut), "ThreadPool-", strlen("ThreadPool-"));
    finish(pool);
}

static int stack_size(void *arg, void **ret_result)
{
    pthread_attr_t attr;
    size_t size = 0;

    (void)pthread_getattr_np(pthread_self(), &attr);
    (void)pthread_attr_getstacksize(&attr, &size);
    (void)pthread_attr_destroy(&attr);
    *ret_result = (void *)size;
    return 0;
}

static void threads_have_the_stack_that_was_asked_for(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;
    aio_executor *pool;

    options.stack_size = 40u << 20; /* more than any thread before had: stacks are used again */
    pool = aio_thread_pool_new(&options);
    fut = aio_executor_submit(pool, stack_size, NULL);
    assert_true((uintptr_t)result_of(fut) >= 40u << 20);
    finish(pool);
}

static void pool_that_can_start_no_thread_refuses_the_job(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.stack_size = 1; /* less than any system accepts */
    pool = aio_thread_pool_new(&options);
    assert_null(aio_executor_submit(pool, add_letter, A));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), -EINVAL);
    finish(pool);
    assert_string_equal(trace, "");
}

static void pool_null_gives_the_failure_behind_it(void **state)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    aio_executor *pool;

    aio__fail_allocation(1);
    pool = aio_thread_pool_new(NULL);
    assert_null(pool);
    assert_null(aio_executor_submit(pool, add_one, NULL));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_ENOMEM);
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), AIO_ENOMEM);
    assert_int_equal(aio_executor_get_stats(pool, &stats), AIO_ENOMEM);
}

static void pool_options_are_checked(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    aio_executor *pool = aio_thread_pool_new(NULL);

    options.size = 1;
    assert_null(aio_thread_pool_new(&options));
    assert_in_range(stats_of(pool).max_workers, 5, 32); /* S164 */
    stats.size = 1;
    assert_int_equal(aio_executor_get_stats(pool, &stats), AIO_EVALUE);
    finish(pool);
}

/* --- elsewhere ------------------------------------------------------------------------- */

static void child_of_a_fork_is_told_that_the_threads_are_not_there(void **state)
{
    aio_executor *pool = make(1);
    int status = -1;
    pid_t pid;

    aio_concurrent_future_unref(aio_executor_submit(pool, stop_at_gate, NULL));
    reach_gate();
    pid = fork();
    if (pid == 0) {
        bool refused = aio_executor_submit(pool, add_one, NULL) == NULL &&
                       aio_concurrent_future_result(NULL, 0, NULL) == AIO_EBROKENTHREADPOOL;
        bool ends = aio_executor_shutdown(pool, AIO_FOREVER, true) == 0;

        aio_executor_unref(pool);
        end_child(refused && ends ? 0 : 1);
    }
    open_gate();
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    finish(pool);
}

static void run_short_of_memory(void *arg)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.max_workers = 1;
    options.thread_name_prefix = "short";
    pool = aio_thread_pool_new(&options);
    if (pool == NULL)
        return;
    for (int i = 0; i < 3; i++) {
        AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, raise_in_it, A);
        int err = aio_concurrent_future_result(fut, AIO_FOREVER, NULL);

        assert_true(err == AIO_EVALUE || err == AIO_ENOMEM);
    }
    finish(pool);
}

static void pool_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(pool_runs_a_job_and_gives_its_result),
        TEST(pool_gives_the_error_of_a_job),
        TEST(pool_starts_a_thread_only_when_none_is_idle),
        TEST(pool_starts_no_more_threads_than_it_may),
        TEST(pool_counts_a_job_that_a_thread_is_started_for_as_running_at_once),
        TEST(pool_begins_jobs_in_the_order_they_were_submitted),
        TEST(job_may_submit_to_its_own_pool),
        TEST(callback_runs_in_the_thread_of_the_job),
        TEST(job_gets_its_own_copy_of_the_argument),
        TEST(job_result_with_a_type_goes_with_its_future),
        TEST(job_options_are_checked_and_the_argument_goes_all_the_same),
        TEST(job_cancelled_before_it_begins_leaves_the_queue_with_its_argument),
        TEST(job_that_runs_cannot_be_cancelled),
        TEST(pool_takes_no_jobs_after_shutdown),
        TEST(shutdown_runs_what_is_queued_and_joins_the_threads),
        TEST(shutdown_can_cancel_what_is_queued),
        TEST(shutdown_without_waiting_lets_the_jobs_run),
        TEST(shutdown_waits_no_longer_than_it_is_told),
        TEST(shutdown_is_not_waited_for_by_a_job_of_the_pool),
        TEST(shutdown_may_be_waited_for_by_several_threads),
        TEST(pool_that_is_dropped_still_runs_its_jobs),
        TEST(pool_that_never_had_a_job_is_freed_at_once),
        TEST(initializer_runs_once_in_each_thread_before_its_jobs),
        TEST(initializer_that_fails_breaks_the_pool),
        TEST(threads_are_named_after_the_prefix_and_their_number),
        TEST(threads_without_a_prefix_are_named_after_their_pool),
        TEST(threads_have_the_stack_that_was_asked_for),
        TEST(pool_that_can_start_no_thread_refuses_the_job),
        TEST(pool_null_gives_the_failure_behind_it),
        TEST(pool_options_are_checked),
        TEST(child_of_a_fork_is_told_that_the_threads_are_not_there),
        TEST(pool_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
