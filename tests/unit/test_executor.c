/* SPDX-License-Identifier: MIT */
/*
 * test_executor.c - jobs that tasks wait for: the default executor, and others behind a loop
 *
 * After asyncio's test_base_events, test_threads, and the executor tests of test_events. libuv's
 * pool has two threads here.
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/context.h>
#include <aio/log.h>
#include <aio/memory.h>
#include <aio/runner.h>
#include <aio/thread_pool.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 2 };

static struct {
    sem_t reached; /* by each job that stops there */
    sem_t open;    /* for one each time */
    sem_t passed;  /* by each once it is open */
} gate;

static atomic_int destroyed;

static char A[] = "A", OK[] = "OK";

static int setup(void **state)
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

static int teardown(void **state)
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

static int setup_pool(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    struct fixture *f;

    if (setup(state) < 0)
        return -1;
    f = *state;
    options.max_workers = THREADS;
    f->subject = aio_thread_pool_new(&options);
    return f->subject == NULL ? -1 : 0;
}

/* --- jobs ------------------------------------------------------------------------------ */

static void count_destroyed(void *arg)
{
    atomic_fetch_add(&destroyed, 1);
}

static int give_back(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

static int raise_in_it(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "no such image");
}

static int stop_at_gate(void *arg, void **ret_result)
{
    (void)sem_post(&gate.reached);
    (void)sem_wait(&gate.open);
    (void)sem_post(&gate.passed);
    *ret_result = arg;
    return 0;
}

static int copy_text(void *arg, void **ret_result)
{
    *ret_result = aio_strdup("copy");
    return *ret_result == NULL ? AIO_ENOMEM : 0;
}

static int copy_at_gate(void *arg, void **ret_result)
{
    (void)stop_at_gate(NULL, ret_result);
    return copy_text(NULL, ret_result);
}

static void reach_gate(int jobs)
{
    while (jobs-- > 0)
        (void)sem_wait(&gate.reached);
}

static void open_gate(int jobs)
{
    for (int i = 0; i < jobs; i++)
        (void)sem_post(&gate.open);
    for (int i = 0; i < jobs; i++)
        (void)sem_wait(&gate.passed);
}

/* --- running --------------------------------------------------------------------------- */

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

static int run_give_back(void *arg, void **ret_result)
{
    return run_and_note(arg, give_back, OK);
}

static int run_raise(void *arg, void **ret_result)
{
    return run_and_note(arg, raise_in_it, NULL);
}

static int run_stop(void *arg, void **ret_result)
{
    return run_and_note(arg, stop_at_gate, A);
}

/* after test_events.EventLoopTestsMixin.test_run_in_executor */
static void job_gives_its_result_to_the_task(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", run_give_back);
    fx_settle(f);
    fx_assert_trace(f, "T got OK");
}

static void job_gives_its_error_to_the_task(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", run_raise);
    fx_settle(f);
    fx_assert_trace(f, "T ! ValueError: no such image");
}

/* What the design forbids: a job that writes where a frame was. Here it has a copy. */
static int run_with_copy(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    char text[] = "on a fiber's stack";
    AIO_AUTO(aio_future) fut = NULL;

    options.arg_size = sizeof(text);
    options.arg_destroy = count_destroyed;
    fut = aio_loop_run_in_executor_with(NULL, f->subject, stop_at_gate, text, &options);
    memset(text, 0, sizeof(text));
    return fx_note_code(f, "went on", aio_await(fut, NULL));
}

/* S163 */
static void task_that_is_cancelled_goes_on_at_once_and_the_job_keeps_its_memory(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", run_with_copy);

    fx_step(f);
    reach_gate(1);
    (void)aio_task_cancel(task, NULL);
    fx_step(f);
    fx_assert_trace(f, "T went on ! CancelledError");
    assert_int_equal(atomic_load(&destroyed), 0);
    open_gate(1);
    fx_settle(f);
    assert_int_equal(atomic_load(&destroyed), 1);
}

/* S163 */
static void job_cancelled_before_it_begins_never_does_and_its_argument_goes(void **state)
{
    struct fixture *f = *state;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    AIO_AUTO(aio_future) fut = NULL;

    options.arg_destroy = count_destroyed;
    for (int i = 0; i < THREADS; i++)
        (void)fx_spawn(f, "T", run_stop);
    fx_step(f);
    reach_gate(THREADS);
    fut = aio_loop_run_in_executor_with(f->loop, f->subject, stop_at_gate, A, &options);
    assert_true(aio_future_cancel(fut, NULL));
    assert_true(aio_future_cancelled(fut));
    assert_int_equal(atomic_load(&destroyed), 1);
    open_gate(THREADS);
    fx_settle(f); /* would not return if it had begun */
    fx_assert_trace(f, "T got A, T got A");
    assert_int_equal(atomic_load(&destroyed), 1);
}

static void job_result_that_nobody_waits_for_is_destroyed(void **state)
{
    struct fixture *f = *state;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_future *fut;

    options.result_type = &aio_type_owned_string;
    fut = aio_loop_run_in_executor_with(f->loop, f->subject, copy_at_gate, NULL, &options);
    reach_gate(1);
    (void)aio_future_cancel(fut, NULL);
    aio_future_unref(fut);
    open_gate(1);
    fx_settle(f); /* the teardown finds it if it is not freed */
}

static int count_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    assert_string_equal(context->message, "Future exception was never retrieved");
    ++*(int *)arg;
    return 0;
}

static void job_error_that_nobody_waits_for_is_reported(void **state)
{
    struct fixture *f = *state;
    int reports = 0;

    aio_loop_set_exception_handler(f->loop, count_report, &reports);
    aio_future_unref(aio_loop_run_in_executor(f->loop, f->subject, raise_in_it, NULL));
    fx_settle(f);
    assert_int_equal(reports, 1);
}

static void job_needs_an_open_loop_and_a_function(void **state)
{
    struct fixture *f = *state;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_destroy = count_destroyed;
    assert_null(aio_loop_run_in_executor(f->loop, f->subject, NULL, A));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_EVALUE);
    aio_set_event_loop(NULL);
    assert_null(aio_loop_run_in_executor_with(NULL, f->subject, give_back, A, &options));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ENOLOOP);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_null(aio_loop_run_in_executor_with(f->loop, f->subject, give_back, A, &options));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ECLOSED);
    assert_int_equal(atomic_load(&destroyed), 2);
}

/* --- closing --------------------------------------------------------------------------- */

/* What libuv still has of a closed loop goes with the next loop that is made or closed. */
static void wait_until_freed(size_t live)
{
    while (live_allocations() != live) {
        aio_loop *sweeper = aio_loop_new(NULL);

        (void)aio_loop_close(sweeper);
        aio_loop_unref(sweeper);
    }
}

static void loop_closes_while_a_job_runs_and_the_job_ends_by_itself(void **state)
{
    struct fixture *f = *state;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    size_t before = live_allocations();
    aio_loop *loop = aio_loop_new(NULL);
    char text[] = "copied";

    options.arg_size = sizeof(text);
    options.arg_destroy = count_destroyed;
    aio_future_unref(aio_loop_run_in_executor_with(loop, f->subject, stop_at_gate, text, &options));
    reach_gate(1);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    assert_int_equal(atomic_load(&destroyed), 0);
    open_gate(1);
    if (f->subject != NULL)
        assert_int_equal(aio_executor_shutdown(f->subject, AIO_FOREVER, false), 0);
    wait_until_freed(before);
    assert_int_equal(atomic_load(&destroyed), 1);
}

static void loop_closes_while_a_job_is_queued_and_it_never_begins(void **state)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    size_t before = live_allocations();
    aio_loop *loop = aio_loop_new(NULL);

    options.arg_destroy = count_destroyed;
    for (int i = 0; i < THREADS; i++)
        aio_future_unref(aio_loop_run_in_executor(loop, NULL, stop_at_gate, A));
    reach_gate(THREADS);
    aio_future_unref(aio_loop_run_in_executor_with(loop, NULL, stop_at_gate, A, &options));
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    assert_int_equal(atomic_load(&destroyed), 1);
    open_gate(THREADS);
    wait_until_freed(before);
}

/* --- shutting down --------------------------------------------------------------------- */

static int shut_down_default(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_loop_shutdown_default_executor(NULL, AIO_FOREVER);

    return fx_note_code(f, "shut down", err);
}

/* S167 */
static void default_executor_takes_no_jobs_once_it_was_shut_down(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "S", shut_down_default);
    (void)fx_spawn(f, "T", run_give_back);
    fx_settle(f);
    fx_assert_trace(f, "S shut down, T ! RuntimeError: Executor shutdown has been called");
}

/* after test_base_events.BaseEventLoopTests.test_shutdown_default_executor_timeout */
static void default_executor_is_shut_down_when_its_jobs_have_ended(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", run_stop);
    (void)fx_spawn(f, "S", shut_down_default);
    (void)fx_spawn(f, "S", shut_down_default);
    fx_step(f);
    reach_gate(1);
    fx_step(f);
    fx_assert_trace(f, "");
    open_gate(1);
    fx_settle(f);
    fx_assert_trace(f, "T got A, S shut down, S shut down");
}

static void keep_log(aio_log_level level, const char *text, void *arg)
{
    assert_int_equal(level, AIO_LOG_WARNING);
    (void)strncat(arg, text, 127);
}

static int shut_down_soon(void *arg, void **ret_result)
{
    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(NULL, arg, stop_at_gate, A);
    int err = aio_loop_shutdown_default_executor(NULL, 0.01);

    if (err < 0)
        return err;
    *ret_result = aio_future_done(fut) ? NULL : A;
    (void)sem_post(&gate.open);
    return aio_await(fut, NULL);
}

/* S167; on a loop whose time passes */
static void default_executor_that_is_not_done_in_time_is_warned_of(void **state)
{
    char text[128] = "";
    void *value = NULL;

    aio_log_set_handler(keep_log, text);
    assert_int_equal(aio_run(shut_down_soon, NULL, &value), 0);
    aio_log_set_handler(NULL, NULL);
    assert_ptr_equal(value, A);
    assert_string_equal(text, "The executor did not finishing joining its threads within 0.01 "
                              "seconds.");
}

static int shut_down_oddly(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)fx_note_code(f, "NaN", aio_loop_shutdown_default_executor(NULL, NAN));
    (void)fx_note_code(f, "never used", aio_loop_shutdown_default_executor(NULL, 0));
    (void)fx_note_code(f, "again", aio_loop_shutdown_default_executor(NULL, 0));
    return 0;
}

static void default_executor_that_was_never_used_is_shut_down_at_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_shutdown_default_executor(NULL, 1), AIO_ENOLOOP);
    (void)fx_spawn(f, "S", shut_down_oddly);
    fx_settle(f);
    fx_assert_trace(f, "S NaN ! ValueError, S never used, S again");
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(aio_loop_shutdown_default_executor(f->loop, 1), AIO_ECLOSED);
}

/* --- another default ------------------------------------------------------------------- */

static int note_thread_name(void *arg, void **ret_result)
{
    static char name[16];

    (void)pthread_getname_np(pthread_self(), name, sizeof(name));
    *ret_result = name;
    return 0;
}

static int run_note_thread_name(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    void *value = NULL;
    int err = aio_to_thread(note_thread_name, NULL, &value);

    fx_note(f, "in %s", err < 0 ? aio_error_name(err) : (char *)value);
    return 0;
}

static aio_executor *named_pool(const char *prefix)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;

    options.thread_name_prefix = prefix;
    return aio_thread_pool_new(&options);
}

/* after test_events.test_set_default_executor */
static void default_executor_can_be_replaced_and_is_shut_down_with_the_loop(void **state)
{
    struct fixture *f = *state;
    aio_executor *first = named_pool("first");
    aio_executor *second = named_pool("second");

    assert_int_equal(aio_loop_set_default_executor(f->loop, first), 0);
    (void)fx_spawn(f, "T", run_note_thread_name);
    fx_settle(f);
    assert_int_equal(aio_loop_set_default_executor(f->loop, second), 0);
    (void)fx_spawn(f, "T", run_note_thread_name);
    fx_settle(f);
    fx_assert_trace(f, "T in first_0, T in second_0");
    assert_int_equal(aio_executor_shutdown(first, AIO_FOREVER, false), 0);
    aio_executor_unref(first);

    (void)fx_spawn(f, "S", shut_down_default);
    (void)fx_spawn(f, "T", run_note_thread_name);
    fx_settle(f);
    fx_assert_trace(f, "T in RuntimeError, S shut down");
    assert_null(aio_executor_submit(second, give_back, A));
    aio_executor_unref(second);
}

static void default_executor_that_was_set_is_shut_down_by_closing_the_loop(void **state)
{
    struct fixture *f = *state;
    aio_executor *pool = named_pool("default");

    assert_int_equal(aio_loop_set_default_executor(f->loop, pool), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_null(aio_executor_submit(pool, give_back, A));
    assert_int_equal(aio_loop_set_default_executor(f->loop, pool), AIO_ECLOSED);
    aio_executor_unref(pool);
}

static int shut_down_custom_soon(void *arg, void **ret_result)
{
    aio_executor *pool = named_pool("slow");
    int err = aio_loop_set_default_executor(NULL, pool);

    aio_executor_unref(pool);
    return err < 0 ? err : shut_down_soon(NULL, ret_result);
}

/* S167 */
static void default_executor_that_was_set_is_warned_of_as_well(void **state)
{
    size_t before = live_allocations();
    char text[128] = "";
    void *value = NULL;

    aio_log_set_handler(keep_log, text);
    assert_int_equal(aio_run(shut_down_custom_soon, NULL, &value), 0);
    aio_log_set_handler(NULL, NULL);
    assert_ptr_equal(value, A);
    assert_string_equal(text, "The executor did not finishing joining its threads within 0.01 "
                              "seconds.");
    wait_until_freed(before); /* its thread ends */
}

/* --- to_thread ------------------------------------------------------------------------- */

static aio_contextvar *var;

static int read_and_set(void *arg, void **ret_result)
{
    if (aio_contextvar_get(var, ret_result) < 0)
        *ret_result = NULL;
    return aio_contextvar_set(var, aio_constant("of the thread"), NULL);
}

static int compare_contexts(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) fut = NULL;
    void *value = NULL;
    int err = aio_contextvar_set(var, aio_constant("of the task"), NULL);

    if (err == 0)
        err = aio_to_thread(read_and_set, NULL, &value);
    fx_note(f, "to_thread: %s", (char *)value);
    (void)aio_contextvar_get(var, &value);
    fx_note(f, "after: %s", (char *)value);
    fut = aio_loop_run_in_executor(NULL, f->subject, read_and_set, NULL);
    if (err == 0)
        err = aio_await(fut, &value);
    fx_note(f, "run_in_executor: %s", value == NULL ? "none" : (char *)value);
    return err;
}

/* S54; after test_threads.ToThreadTests.test_to_thread_contextvars */
static void to_thread_carries_a_copy_of_the_context_and_run_in_executor_does_not(void **state)
{
    struct fixture *f = *state;

    f->subject = named_pool("clean"); /* whose thread has no variable set */
    var = aio_contextvar_new("var", &aio_type_string);
    (void)fx_spawn(f, "T", compare_contexts);
    fx_settle(f);
    fx_assert_trace(f, "T to_thread: of the task, T after: of the task, T run_in_executor: none");
    aio_contextvar_unref(var);
}

static int to_thread_copies(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    void *value = NULL;
    int err;

    options.result_type = &aio_type_owned_string;
    err = aio_to_thread_with(copy_text, NULL, &options, &value);
    fx_note(f, "got %s", (char *)value);
    aio_free(value); /* ours: it has not gone with a future */
    return err < 0 ? err : aio_to_thread_with(copy_text, NULL, &options, NULL);
}

static void to_thread_hands_its_result_over(void **state)
{
    struct fixture *f = *state;
    aio_executor *pool = named_pool("T");

    (void)fx_spawn(f, "T", to_thread_copies);
    fx_settle(f);
    assert_int_equal(aio_loop_set_default_executor(f->loop, pool), 0);
    (void)fx_spawn(f, "U", to_thread_copies);
    fx_settle(f);
    fx_assert_trace(f, "T got copy, U got copy");
    f->subject = pool;
}

static void to_thread_needs_a_task(void **state)
{
    struct fixture *f = *state;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;

    options.arg_destroy = count_destroyed;
    assert_int_equal(aio_to_thread_with(give_back, A, &options, NULL), AIO_ENOTASK);
    assert_int_equal(atomic_load(&destroyed), 1);
    fx_settle(f);
}

/* --- awaiting the end of an executor --------------------------------------------------- */

static int shut_down_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "shut down", aio_shutdown_executor(f->subject, AIO_FOREVER, true));
}

static void executor_is_shut_down_while_the_loop_goes_on(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "T", run_stop);
    fx_step(f);
    reach_gate(1);
    (void)fx_spawn(f, "S", shut_down_subject);
    (void)fx_spawn(f, "tick", fx_tick);
    for (int i = 0; i < 4; i++)
        fx_step(f);
    fx_assert_trace(f, "tick 0, tick 1, tick 2");
    open_gate(1);
    fx_settle(f);
    fx_assert_trace(f, "T got A, S shut down");
}

static void executor_shutdown_that_is_cancelled_leaves_it_closed(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)fx_spawn(f, "T", run_stop);
    fx_step(f);
    reach_gate(1);
    task = fx_spawn(f, "S", shut_down_subject);
    fx_step(f);
    (void)aio_task_cancel(task, NULL);
    fx_step(f);
    fx_assert_trace(f, "S shut down ! CancelledError");
    assert_null(aio_executor_submit(f->subject, give_back, A));
    open_gate(1);
    fx_settle(f);
    fx_assert_trace(f, "T got A");
}

/* --- an executor of one's own ---------------------------------------------------------- */

/* Keeps a job until it is told to run it. */
struct keeper {
    aio_executor base;
    aio_job *job;
    bool refuses;
};

static int keep(aio_executor *executor, aio_job *job)
{
    struct keeper *keeper = (struct keeper *)executor;

    if (keeper->refuses)
        return aio_raise(AIO_EBROKENEXECUTOR, "full");
    keeper->job = job;
    return 0;
}

static int shut_keeper(aio_executor *executor, double timeout, bool cancel_futures)
{
    return 0;
}

static void free_keeper(aio_executor *executor)
{
    atomic_fetch_add(&destroyed, 1);
}

static const aio_executor_ops keeper_ops = {
    .size = sizeof(keeper_ops),
    .name = "Keeper",
    .submit = keep,
    .shutdown = shut_keeper,
    .destroy = free_keeper,
};

static const aio_executor_ops remote_ops = {
    .size = sizeof(remote_ops),
    .name = "RemoteKeeper",
    .is_remote = true,
    .submit = keep,
    .shutdown = shut_keeper,
    .destroy = free_keeper,
};

static void custom_executor_runs_a_job_when_it_likes(void **state)
{
    struct fixture *f = *state;
    struct keeper keeper = {.job = NULL};

    aio_executor_init(&keeper.base, &keeper_ops);
    f->subject = &keeper.base;
    (void)fx_spawn(f, "T", run_give_back);
    fx_step(f);
    assert_non_null(keeper.job);
    assert_false(aio_concurrent_future_running(aio_job_future(keeper.job)));
    aio_job_run(keeper.job);
    fx_settle(f);
    fx_assert_trace(f, "T got OK");
    aio_executor_unref(&keeper.base);
    assert_int_equal(atomic_load(&destroyed), 1);
    f->subject = NULL;
}

static void custom_executor_lets_go_of_a_cancelled_job_by_running_it(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_concurrent_future *fut;

    aio_executor_init(&keeper.base, &keeper_ops);
    fut = aio_executor_submit(&keeper.base, stop_at_gate, A);
    assert_true(aio_concurrent_future_cancel(fut));
    aio_job_run(keeper.job); /* would not return if it ran */
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
    assert_int_equal(atomic_load(&destroyed), 1);
}

static void custom_executor_can_fail_a_job_or_refuse_it(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;

    aio_executor_init(&keeper.base, &keeper_ops);
    fut = aio_executor_submit(&keeper.base, give_back, A);
    aio_job_fail(keeper.job, aio_raise(AIO_EVALUE, "lost"));
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_EVALUE);
    keeper.refuses = true;
    assert_null(aio_executor_submit(&keeper.base, give_back, A));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_EBROKENEXECUTOR);
    assert_int_equal(aio_executor_get_stats(&keeper.base, &stats), AIO_ENOTIMPLEMENTED);
    assert_int_equal(aio_executor_shutdown(&keeper.base, AIO_FOREVER, false), 0);
    aio_executor_unref(&keeper.base);
}

static void custom_executor_hangs_its_data_on_a_job(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_concurrent_future *fut;

    aio_executor_init(&keeper.base, &keeper_ops);
    fut = aio_executor_submit(&keeper.base, give_back, A);
    assert_null(aio_job_data(keeper.job));
    aio_job_set_data(keeper.job, OK, count_destroyed);
    assert_ptr_equal(aio_job_data(keeper.job), OK);
    assert_ptr_equal(aio_job_function(keeper.job), give_back);
    aio_job_finish(keeper.job, A, NULL);
    assert_int_equal(atomic_load(&destroyed), 0);
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
    assert_int_equal(atomic_load(&destroyed), 2);
}

struct point {
    int x, y;
};

static const aio_codec point_codec = AIO_CODEC_STRUCT(struct point);

static void remote_executor_gets_bytes_and_gives_bytes(void **state)
{
    struct keeper keeper = {.job = NULL};
    struct point point = {3, 4};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_concurrent_future *fut;
    void *bytes = NULL;
    void *value = NULL;
    size_t size = 0;

    aio_executor_init(&keeper.base, &remote_ops);
    options.arg_size = sizeof(point);
    options.arg_destroy = count_destroyed;
    options.result_codec = &point_codec;
    fut = aio_executor_submit_with(&keeper.base, give_back, &point, &options);
    assert_int_equal(aio_job_encode(keeper.job, &bytes, &size), 0);
    assert_int_equal(atomic_load(&destroyed), 1); /* what it was made of is over */
    assert_int_equal(size, sizeof(point));
    assert_ptr_equal(aio_job_result_codec(keeper.job), &point_codec);
    aio_job_finish_encoded(keeper.job, bytes, size);
    assert_int_equal(aio_concurrent_future_result(fut, 0, &value), 0);
    assert_memory_equal(value, &point, sizeof(point));
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
}

static void remote_executor_refuses_an_argument_that_nothing_encodes(void **state)
{
    struct keeper keeper = {.job = NULL};
    aio_concurrent_future *fut;
    void *bytes = NULL;
    size_t size = 0;

    aio_executor_init(&keeper.base, &remote_ops);
    fut = aio_executor_submit(&keeper.base, give_back, A);
    assert_int_equal(aio_job_encode(keeper.job, &bytes, &size), AIO_ETYPE);
    aio_job_finish_encoded(keeper.job, aio_strdup("what is this?"), 14);
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_ETYPE);
    aio_concurrent_future_unref(fut);
    aio_executor_unref(&keeper.base);
}

static void remote_executor_is_no_default(void **state)
{
    struct fixture *f = *state;
    struct keeper keeper = {.job = NULL};

    aio_executor_init(&keeper.base, &remote_ops);
    assert_int_equal(aio_loop_set_default_executor(f->loop, &keeper.base), AIO_ETYPE);
    aio_executor_unref(&keeper.base);
}

/* --- figures, and shortages ------------------------------------------------------------ */

static void default_executor_counts_its_jobs(void **state)
{
    struct fixture *f = *state;
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    aio_future *queued;

    assert_int_equal(aio_loop_get_executor_stats(f->loop, &stats), 0);
    assert_int_equal(stats.submitted, 0);
    for (int i = 0; i < THREADS; i++)
        (void)fx_spawn(f, "T", run_stop);
    fx_step(f);
    reach_gate(THREADS);
    queued = aio_loop_run_in_executor(f->loop, NULL, give_back, A);
    assert_int_equal(aio_loop_get_executor_stats(f->loop, &stats), 0);
    assert_int_equal(stats.max_workers, THREADS);
    assert_int_equal(stats.running, THREADS);
    assert_int_equal(stats.queued, 1);
    assert_int_equal(stats.idle, 0);
    assert_int_equal(stats.submitted, THREADS + 1);
    (void)aio_future_cancel(queued, NULL);
    aio_future_unref(queued);
    open_gate(THREADS);
    fx_settle(f);
    assert_int_equal(aio_loop_get_executor_stats(f->loop, &stats), 0);
    assert_int_equal(stats.completed, THREADS);
    assert_int_equal(stats.cancelled, 1);
    assert_int_equal(stats.running + stats.queued, 0);
    stats.size = 1;
    assert_int_equal(aio_loop_get_executor_stats(f->loop, &stats), AIO_EVALUE);
    f->used = 0;
}

/* Threads that nobody joins, and that have nothing more to do with us, let go of what they hold
 * as they end: give them the processor until they have. What is lost stays, and is asserted. */
static void let_threads_end(size_t allocations)
{
    for (unsigned i = 0; i < 1000000 && live_allocations() > allocations; i++)
        sched_yield();
}

static void run_short_of_memory(void *arg)
{
    size_t before = live_allocations();
    struct fixture f;

    if (!fx_open(&f))
        return;
    f.subject = arg == NULL ? NULL : named_pool("short");
    if (f.subject == NULL && arg != NULL) {
        fx_close(&f);
        return;
    }
    (void)fx_spawn(&f, "A", run_give_back);
    (void)fx_spawn(&f, "B", run_raise);
    (void)fx_spawn(&f, "C", to_thread_copies);
    (void)fx_spawn(&f, "D", arg == NULL ? shut_down_default : shut_down_subject);
    fx_settle(&f);
    if (arg != NULL)
        assert_int_equal(aio_executor_shutdown(f.subject, AIO_FOREVER, false), 0);
    aio_executor_unref(f.subject);
    fx_close(&f);
    let_threads_end(before);
}

static void default_executor_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 10);
}

static void other_executor_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, A) > 10);
}

static int use_default_executor(void *arg, void **ret_result)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    int err = aio_to_thread(give_back, arg, ret_result);

    if (err == 0)
        err = aio_loop_get_executor_stats(aio_get_running_loop(), &stats);
    *ret_result = (void *)stats.max_workers;
    return err;
}

/* asyncio: min(32, os.cpu_count() + 4). In a process of its own: libuv asks once. */
static void default_executor_has_four_threads_more_than_processors(void **state)
{
    cpu_set_t cpus;
    int wanted;
    int status = -1;
    pid_t pid;

    assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    wanted = CPU_COUNT(&cpus) + 4 < 32 ? CPU_COUNT(&cpus) + 4 : 32;
    pid = fork();
    if (pid == 0) {
        void *threads = NULL;

        (void)unsetenv("UV_THREADPOOL_SIZE");
        if (aio_run(use_default_executor, A, &threads) < 0)
            _exit(255);
        _exit((int)(intptr_t)threads);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), wanted);
    assert_int_equal(setenv("UV_THREADPOOL_SIZE", "2", 1), 0);
}

#define DEFAULT(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define POOL(function)                                                                             \
    {                                                                                              \
#function " (thread pool)", function, setup_pool, teardown, NULL                           \
    }
#define BOTH(function) DEFAULT(function), POOL(function)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_executor_has_four_threads_more_than_processors), /* the first */
        BOTH(job_gives_its_result_to_the_task),
        BOTH(job_gives_its_error_to_the_task),
        BOTH(task_that_is_cancelled_goes_on_at_once_and_the_job_keeps_its_memory),
        BOTH(job_cancelled_before_it_begins_never_does_and_its_argument_goes),
        BOTH(job_result_that_nobody_waits_for_is_destroyed),
        BOTH(job_error_that_nobody_waits_for_is_reported),
        BOTH(job_needs_an_open_loop_and_a_function),
        BOTH(loop_closes_while_a_job_runs_and_the_job_ends_by_itself),
        DEFAULT(loop_closes_while_a_job_is_queued_and_it_never_begins),
        DEFAULT(default_executor_takes_no_jobs_once_it_was_shut_down),
        DEFAULT(default_executor_is_shut_down_when_its_jobs_have_ended),
        DEFAULT(default_executor_that_is_not_done_in_time_is_warned_of),
        DEFAULT(default_executor_that_was_never_used_is_shut_down_at_once),
        DEFAULT(default_executor_can_be_replaced_and_is_shut_down_with_the_loop),
        DEFAULT(default_executor_that_was_set_is_shut_down_by_closing_the_loop),
        DEFAULT(default_executor_that_was_set_is_warned_of_as_well),
        DEFAULT(to_thread_carries_a_copy_of_the_context_and_run_in_executor_does_not),
        DEFAULT(to_thread_hands_its_result_over),
        DEFAULT(to_thread_needs_a_task),
        POOL(executor_is_shut_down_while_the_loop_goes_on),
        POOL(executor_shutdown_that_is_cancelled_leaves_it_closed),
        DEFAULT(custom_executor_runs_a_job_when_it_likes),
        DEFAULT(custom_executor_lets_go_of_a_cancelled_job_by_running_it),
        DEFAULT(custom_executor_can_fail_a_job_or_refuse_it),
        DEFAULT(custom_executor_hangs_its_data_on_a_job),
        DEFAULT(remote_executor_gets_bytes_and_gives_bytes),
        DEFAULT(remote_executor_refuses_an_argument_that_nothing_encodes),
        DEFAULT(remote_executor_is_no_default),
        DEFAULT(default_executor_counts_its_jobs),
        DEFAULT(default_executor_survives_every_shortage_of_memory),
        DEFAULT(other_executor_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
