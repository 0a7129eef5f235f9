/* SPDX-License-Identifier: MIT */
/*
 * test_executor.c - jobs that tasks wait for, in the default executor and in others
 *
 * After asyncio's test_base_events, test_threads, and the executor tests of test_events. See
 * test_executor_default.c for what only the loop's own executor has.
 */
#include "support/jobs.h"

#include <aio/context.h>
#include <aio/memory.h>
#include <aio/thread_pool.h>
#include <sched.h>
#include <string.h>

static char A[] = "A";

static int setup_pool(void **state)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;
    struct fixture *f;

    if (set_up_jobs(state) < 0)
        return -1;
    f = *state;
    options.max_workers = THREADS;
    f->subject = aio_thread_pool_new(&options);
    return f->subject == NULL ? -1 : 0;
}

/* --- running --------------------------------------------------------------------------- */

static int copy_text(void *arg, void **ret_result)
{
    *ret_result = aio_strdup("copy");
    return *ret_result == NULL ? AIO_ENOMEM : 0;
}

static int stop_and_copy(void *arg, void **ret_result)
{
    (void)job_stop(NULL, ret_result);
    return copy_text(NULL, ret_result);
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
    fut = aio_loop_run_in_executor_with(NULL, f->subject, job_stop, text, &options);
    memset(text, 0, sizeof(text));
    return fx_note_code(f, "went on", aio_await(fut, NULL));
}

/* S163 */
static void task_that_is_cancelled_goes_on_at_once_and_the_job_keeps_its_memory(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "T", run_with_copy);

    fx_step(f);
    wait_for_jobs(1);
    (void)aio_task_cancel(task, NULL);
    fx_step(f);
    fx_assert_trace(f, "T went on ! CancelledError");
    assert_int_equal(count_of_destroyed(), 0);
    release_jobs(1);
    fx_settle(f);
    assert_int_equal(count_of_destroyed(), 1);
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
    wait_for_jobs(THREADS);
    fut = aio_loop_run_in_executor_with(f->loop, f->subject, job_stop, A, &options);
    assert_true(aio_future_cancel(fut, NULL));
    assert_true(aio_future_cancelled(fut));
    assert_int_equal(count_of_destroyed(), 1);
    release_jobs(THREADS);
    fx_settle(f); /* would not return if it had begun */
    fx_assert_trace(f, "T got A, T got A");
    assert_int_equal(count_of_destroyed(), 1);
}

static void job_result_that_nobody_waits_for_is_destroyed(void **state)
{
    struct fixture *f = *state;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_future *fut;

    options.result_type = &aio_type_owned_string;
    fut = aio_loop_run_in_executor_with(f->loop, f->subject, stop_and_copy, NULL, &options);
    wait_for_jobs(1);
    (void)aio_future_cancel(fut, NULL);
    aio_future_unref(fut);
    release_jobs(1);
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
    aio_future_unref(aio_loop_run_in_executor(f->loop, f->subject, job_raise, NULL));
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
    assert_null(aio_loop_run_in_executor_with(NULL, f->subject, job_give_back, A, &options));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ENOLOOP);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_null(aio_loop_run_in_executor_with(f->loop, f->subject, job_give_back, A, &options));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ECLOSED);
    assert_int_equal(count_of_destroyed(), 2);
}

/* --- closing --------------------------------------------------------------------------- */

static void loop_closes_while_a_job_runs_and_the_job_ends_by_itself(void **state)
{
    struct fixture *f = *state;
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    size_t before = live_allocations();
    aio_loop *loop = aio_loop_new(NULL);
    char text[] = "copied";

    options.arg_size = sizeof(text);
    options.arg_destroy = count_destroyed;
    aio_future_unref(aio_loop_run_in_executor_with(loop, f->subject, job_stop, text, &options));
    wait_for_jobs(1);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    assert_int_equal(count_of_destroyed(), 0);
    release_jobs(1);
    if (f->subject != NULL)
        assert_int_equal(aio_executor_shutdown(f->subject, AIO_FOREVER, false), 0);
    wait_until_freed(before);
    assert_int_equal(count_of_destroyed(), 1);
}

static void loop_closes_while_a_job_is_queued_and_it_never_begins(void **state)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    size_t before = live_allocations();
    aio_loop *loop = aio_loop_new(NULL);

    options.arg_destroy = count_destroyed;
    for (int i = 0; i < THREADS; i++)
        aio_future_unref(aio_loop_run_in_executor(loop, NULL, job_stop, A));
    wait_for_jobs(THREADS);
    aio_future_unref(aio_loop_run_in_executor_with(loop, NULL, job_stop, A, &options));
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    assert_int_equal(count_of_destroyed(), 1);
    release_jobs(THREADS);
    wait_until_freed(before);
}

static void make_and_close_a_loop(void *value)
{
    aio_loop *loop = aio_new_event_loop();

    count_destroyed(value);
    (void)aio_loop_close(loop);
    aio_loop_unref(loop);
}

static void job_result_may_make_a_loop_as_it_goes_after_its_own(void **state)
{
    static const aio_type type = {.destroy = make_and_close_a_loop};
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    size_t before = live_allocations();
    aio_loop *loop = aio_loop_new(NULL);

    options.result_type = &type;
    aio_future_unref(aio_loop_run_in_executor_with(loop, NULL, job_stop, A, &options));
    wait_for_jobs(1);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
    release_jobs(1);
    wait_until_freed(before);
    assert_int_equal(count_of_destroyed(), 1);
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
    assert_int_equal(aio_to_thread_with(job_give_back, A, &options, NULL), AIO_ENOTASK);
    assert_int_equal(count_of_destroyed(), 1);
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
    wait_for_jobs(1);
    (void)fx_spawn(f, "S", shut_down_subject);
    (void)fx_spawn(f, "tick", fx_tick);
    for (int i = 0; i < 4; i++)
        fx_step(f);
    fx_assert_trace(f, "tick 0, tick 1, tick 2");
    release_jobs(1);
    fx_settle(f);
    fx_assert_trace(f, "T got A, S shut down");
}

static void executor_shutdown_that_is_cancelled_leaves_it_closed(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    (void)fx_spawn(f, "T", run_stop);
    fx_step(f);
    wait_for_jobs(1);
    task = fx_spawn(f, "S", shut_down_subject);
    fx_step(f);
    (void)aio_task_cancel(task, NULL);
    fx_step(f);
    fx_assert_trace(f, "S shut down ! CancelledError");
    assert_null(aio_executor_submit(f->subject, job_give_back, A));
    release_jobs(1);
    fx_settle(f);
    fx_assert_trace(f, "T got A");
}

/* --- shortages ------------------------------------------------------------------------- */

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

#define POOL(function)                                                                             \
    {                                                                                              \
#function " (thread pool)", function, setup_pool, tear_down_jobs, NULL                     \
    }
#define BOTH(function) JOB_TEST(function), POOL(function)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(job_gives_its_result_to_the_task),
        BOTH(job_gives_its_error_to_the_task),
        BOTH(task_that_is_cancelled_goes_on_at_once_and_the_job_keeps_its_memory),
        BOTH(job_cancelled_before_it_begins_never_does_and_its_argument_goes),
        BOTH(job_result_that_nobody_waits_for_is_destroyed),
        BOTH(job_error_that_nobody_waits_for_is_reported),
        BOTH(job_needs_an_open_loop_and_a_function),
        BOTH(loop_closes_while_a_job_runs_and_the_job_ends_by_itself),
        JOB_TEST(loop_closes_while_a_job_is_queued_and_it_never_begins),
        JOB_TEST(job_result_may_make_a_loop_as_it_goes_after_its_own),
        JOB_TEST(to_thread_carries_a_copy_of_the_context_and_run_in_executor_does_not),
        JOB_TEST(to_thread_hands_its_result_over),
        JOB_TEST(to_thread_needs_a_task),
        POOL(executor_is_shut_down_while_the_loop_goes_on),
        POOL(executor_shutdown_that_is_cancelled_leaves_it_closed),
        JOB_TEST(default_executor_survives_every_shortage_of_memory),
        JOB_TEST(other_executor_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, limit_threads, NULL);
}
