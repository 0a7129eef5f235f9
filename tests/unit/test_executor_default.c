/* SPDX-License-Identifier: MIT */
/*
 * test_executor_default.c - the executor that a loop has, or is given
 *
 * After asyncio's test_base_events, and the executor tests of test_events.
 */
#include "support/jobs.h"

#include <aio/log.h>
#include <aio/runner.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char A[] = "A";

/* --- shutting down --------------------------------------------------------------------- */

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
    wait_for_jobs(1);
    fx_step(f);
    fx_assert_trace(f, "");
    release_jobs(1);
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
    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(NULL, arg, job_stop, A);
    int err = aio_loop_shutdown_default_executor(NULL, 0.01);

    if (err < 0)
        return err;
    *ret_result = aio_future_done(fut) ? NULL : A;
    release_job_soon();
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
    assert_null(aio_executor_submit(second, job_give_back, A));
    aio_executor_unref(second);
}

static void default_executor_that_was_set_is_shut_down_by_closing_the_loop(void **state)
{
    struct fixture *f = *state;
    aio_executor *pool = named_pool("default");

    assert_int_equal(aio_loop_set_default_executor(f->loop, pool), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_null(aio_executor_submit(pool, job_give_back, A));
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

/* --- figures --------------------------------------------------------------------------- */

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
    wait_for_jobs(THREADS);
    queued = aio_loop_run_in_executor(f->loop, NULL, job_give_back, A);
    assert_int_equal(aio_loop_get_executor_stats(f->loop, &stats), 0);
    assert_int_equal(stats.max_workers, THREADS);
    assert_int_equal(stats.running, THREADS);
    assert_int_equal(stats.queued, 1);
    assert_int_equal(stats.idle, 0);
    assert_int_equal(stats.submitted, THREADS + 1);
    (void)aio_future_cancel(queued, NULL);
    aio_future_unref(queued);
    release_jobs(THREADS);
    fx_settle(f);
    assert_int_equal(aio_loop_get_executor_stats(f->loop, &stats), 0);
    assert_int_equal(stats.completed, THREADS);
    assert_int_equal(stats.cancelled, 1);
    assert_int_equal(stats.running + stats.queued, 0);
    stats.size = 1;
    assert_int_equal(aio_loop_get_executor_stats(f->loop, &stats), AIO_EVALUE);
    f->used = 0;
}

static int use_default_executor(void *arg, void **ret_result)
{
    aio_executor_stats stats = AIO_EXECUTOR_STATS_INIT;
    int err = aio_to_thread(job_give_back, arg, ret_result);

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
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_executor_has_four_threads_more_than_processors), /* the first */
        JOB_TEST(default_executor_takes_no_jobs_once_it_was_shut_down),
        JOB_TEST(default_executor_is_shut_down_when_its_jobs_have_ended),
        JOB_TEST(default_executor_that_is_not_done_in_time_is_warned_of),
        JOB_TEST(default_executor_that_was_never_used_is_shut_down_at_once),
        JOB_TEST(default_executor_can_be_replaced_and_is_shut_down_with_the_loop),
        JOB_TEST(default_executor_that_was_set_is_shut_down_by_closing_the_loop),
        JOB_TEST(default_executor_that_was_set_is_warned_of_as_well),
        JOB_TEST(default_executor_counts_its_jobs),
    };

    return RUN_TESTS(tests, limit_threads, NULL);
}
