/* SPDX-License-Identifier: MIT */
/*
 * test_process_pool.c - an executor whose jobs run in processes of their own (S166)
 *
 * After CPython's test_concurrent_futures: ProcessPoolExecutorTest, ProcessPoolShutdownTest. See
 * test_process_job.c for what jobs take and give, test_process_worker.c for the processes.
 */
#include "support/allocation.h"
#include "support/child.h"
#include "support/processes.h"

#include <aio/runner.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAVING "--leaving"

/* --- states and queue -------------------------------------------------------------------- */

static void pool_runs_a_job_in_another_process(void **state)
{
    aio_executor *pool = make_pool(1);
    intptr_t pid = result_of(submit(pool, tell_pid, 0));

    assert_true(pid > 1);
    assert_int_not_equal(pid, getpid());
    assert_int_equal(result_of(submit(pool, tell_pid, 0)), pid);
    finish_pool(pool);
}

/* As the first lines of a program that submits ten to five workers at once show it. */
static void job_that_starts_the_pool_is_running_and_the_others_wait(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *first = submit(pool, stop_at_gate, 1);
    aio_concurrent_future *second;

    assert_true(aio_concurrent_future_running(first));
    second = submit(pool, stop_at_gate, 2);
    reach_gate(1);
    assert_false(aio_concurrent_future_running(second));
    assert_int_equal(stats_of(pool).running, 1);
    assert_int_equal(stats_of(pool).queued, 1);
    open_gate(2);
    assert_int_equal(result_of(first), 1);
    assert_int_equal(result_of(second), 2);
    assert_int_equal(stats_of(pool).completed, 2);
    finish_pool(pool);
}

static void pool_starts_a_worker_only_when_none_is_idle(void **state)
{
    aio_executor *pool = make_pool(3);

    assert_int_equal(stats_of(pool).workers, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(result_of(submit(pool, add_one, i)), i + 1);
    assert_int_equal(stats_of(pool).workers, 1);
    finish_pool(pool);
}

static void pool_starts_no_more_workers_than_it_may(void **state)
{
    aio_executor *pool = make_pool(2);
    aio_concurrent_future *futs[4];

    for (int i = 0; i < 4; i++)
        futs[i] = submit(pool, stop_at_gate, i);
    reach_gate(2);
    assert_int_equal(stats_of(pool).workers, 2);
    assert_int_equal(stats_of(pool).queued, 2);
    open_gate(4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(result_of(futs[i]), i);
    finish_pool(pool);
}

static void job_cancelled_before_it_begins_is_never_run(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *running = submit(pool, stop_at_gate, 0);
    aio_concurrent_future *queued = submit(pool, tell_pid, 0);

    reach_gate(1);
    assert_true(aio_concurrent_future_cancel(queued));
    assert_false(aio_concurrent_future_cancel(running));
    assert_int_equal(stats_of(pool).queued, 0);
    assert_int_equal(stats_of(pool).cancelled, 1);
    open_gate(1);
    assert_int_equal(result_of(running), 0);
    aio_concurrent_future_unref(queued);
    finish_pool(pool);
    assert_int_equal(atomic_load(&shared->runs), 0);
}

static void pool_options_are_checked(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    options.size = 1;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    options.size = sizeof(options);
    options.initarg_size = 1;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    options.initarg_size = 0;
    options.initarg = "text";
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    options.initarg = NULL;
    options.initializer = (int (*)(void *))(uintptr_t)page;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_last_failure(), AIO_ETYPE);
    (void)munmap(page, 4096);
}

static void pool_null_gives_the_failure_behind_it(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;

    options.size = 0;
    assert_null(aio_process_pool_new(&options));
    assert_int_equal(aio_process_pool_kill_workers(NULL), AIO_EVALUE);
    assert_int_equal(aio_process_pool_terminate_workers(NULL), AIO_EVALUE);
}

/* --- the end ----------------------------------------------------------------------------- */

static void shutdown_runs_what_is_queued_and_waits_for_the_processes(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *futs[3];

    for (int i = 0; i < 3; i++)
        futs[i] = submit(pool, add_one, i);
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, false), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(result_of(futs[i]), i + 1);
    assert_null(submit(pool, add_one, 0));
    assert_int_equal(aio_last_failure(), AIO_ERUNTIME);
    assert_int_equal(aio_executor_shutdown(pool, AIO_FOREVER, true), 0);
    aio_executor_unref(pool);
}

static void shutdown_can_cancel_what_is_queued(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *running = submit(pool, stop_at_gate, 5);
    aio_concurrent_future *queued = submit(pool, stop_at_gate, 0);

    reach_gate(1);
    assert_int_equal(aio_executor_shutdown(pool, 0, true), 0);
    assert_true(aio_concurrent_future_cancelled(queued));
    open_gate(1);
    assert_int_equal(result_of(running), 5);
    aio_concurrent_future_unref(queued);
    finish_pool(pool);
}

static void shutdown_waits_no_longer_than_it_is_told(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *fut = submit(pool, stop_at_gate, 5);

    reach_gate(1);
    assert_int_equal(aio_executor_shutdown(pool, 0.001, false), AIO_ETIMEDOUT);
    assert_int_equal(aio_executor_shutdown(pool, NAN, false), AIO_EVALUE);
    open_gate(1);
    assert_int_equal(result_of(fut), 5);
    finish_pool(pool);
}

static void shutdown_of_a_pool_that_never_had_a_job_returns_at_once(void **state)
{
    aio_executor *pool = make_pool(0);

    assert_true(stats_of(pool).max_workers >= 1);
    assert_int_equal(stats_of(pool).workers, 0);
    finish_pool(pool);
    aio_executor_unref(make_pool(1));
}

static int shut_down_in_callback(aio_concurrent_future *fut, void *arg)
{
    atomic_store(&shared->runs, -aio_executor_shutdown(arg, AIO_FOREVER, false));
    return 0;
}

static void shutdown_is_not_waited_for_by_a_callback_of_the_pool(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *fut = submit(pool, stop_at_gate, 0);

    reach_gate(1);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, shut_down_in_callback, pool), 0);
    open_gate(1);
    assert_int_equal(result_of(fut), 0);
    finish_pool(pool);
    assert_int_equal(atomic_load(&shared->runs), -AIO_ERUNTIME);
}

static void pool_that_is_dropped_still_runs_its_jobs(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *first = submit(pool, stop_at_gate, 1);
    aio_concurrent_future *second = submit(pool, add_one, 1);
    size_t before;

    aio_executor_unref(pool);
    open_gate(1);
    assert_int_equal(result_of(first), 1);
    before = live_allocations();
    assert_true(before > 0);
    assert_int_equal(result_of(second), 2);
    while (live_allocations() != 0 || waitpid(-1, NULL, WNOHANG) == 0)
        sched_yield();
}

static void child_of_a_fork_is_told_that_the_workers_are_not_its_own(void **state)
{
    aio_executor *pool = make_pool(1);
    pid_t child;
    int status = 0;

    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    child = fork();
    if (child == 0) {
        bool refused = submit(pool, add_one, 0) == NULL &&
                       aio_last_failure() == AIO_EBROKENPROCESSPOOL &&
                       aio_executor_shutdown(pool, AIO_FOREVER, true) == 0;

        aio_executor_unref(pool);
        end_child(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    finish_pool(pool);
}

/* --- beside a loop, and at the end of the program ---------------------------------------- */

static int await_in_pool(void *arg, void **ret_result)
{
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    aio_future *fut;
    int err;

    options.arg_codec = &aio_codec_int;
    options.result_codec = &aio_codec_int;
    fut = aio_loop_run_in_executor_with(NULL, arg, stop_at_gate, (void *)8, &options);
    err = aio_await(fut, ret_result);
    aio_future_unref(fut);
    return err;
}

static int take_result(void *arg, void **ret_result)
{
    open_gate(1);
    return await_in_pool(arg, ret_result);
}

static void task_waits_for_a_job_in_another_process(void **state)
{
    aio_executor *pool = make_pool(1);
    void *value = NULL;

    assert_int_equal(aio_run(take_result, pool, &value), 0);
    assert_int_equal((intptr_t)value, 8);
    finish_pool(pool);
}

static int cancel_waiter(void *arg, void **ret_result)
{
    aio_task *task = aio_create_task(await_in_pool, arg);
    int err = aio_sleep(0);

    reach_gate(1); /* the job runs */
    (void)aio_task_cancel(task, NULL);
    if (err == 0)
        err = aio_await(task, NULL);
    aio_future_unref(task);
    return err == AIO_ECANCELLED ? 0 : AIO_EASSERTION;
}

/* S163; and the loop is closed by then, with the job still running. */
static void task_that_is_cancelled_goes_on_at_once_and_the_loop_closes(void **state)
{
    aio_executor *pool = make_pool(1);

    assert_int_equal(aio_run(cancel_waiter, pool, NULL), 0);
    assert_int_equal(stats_of(pool).running, 1);
    open_gate(1);
    finish_pool(pool);
}

/* In a program of its own: it ends with a job running, and never waits for it. */
static int leave_with_a_job(void)
{
    aio_executor *pool = aio_process_pool_new(NULL);
    aio_concurrent_future *fut = submit(pool, stop_at_gate, 0);

    reach_gate(1);
    aio_concurrent_future_unref(fut);
    aio_executor_unref(pool);
    return 0;
}

static void program_that_ends_with_a_job_running_is_followed_by_its_workers(void **state)
{
    char path[PATH_MAX];
    pid_t child, worker;
    int status = 0;

    find_self(path);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L), 0);
    child = fork();
    if (child == 0) {
        (void)execl(path, "leaving", LEAVING, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    open_gate(1);
    worker = waitpid(-1, &status, 0); /* now ours to wait for */
    assert_true(worker > 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0L, 0L, 0L, 0L), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(pool_runs_a_job_in_another_process),
        PROCESS_TEST(job_that_starts_the_pool_is_running_and_the_others_wait),
        PROCESS_TEST(pool_starts_a_worker_only_when_none_is_idle),
        PROCESS_TEST(pool_starts_no_more_workers_than_it_may),
        PROCESS_TEST(job_cancelled_before_it_begins_is_never_run),
        PROCESS_TEST(pool_options_are_checked),
        PROCESS_TEST(pool_null_gives_the_failure_behind_it),
        PROCESS_TEST(shutdown_runs_what_is_queued_and_waits_for_the_processes),
        PROCESS_TEST(shutdown_can_cancel_what_is_queued),
        PROCESS_TEST(shutdown_waits_no_longer_than_it_is_told),
        PROCESS_TEST(shutdown_of_a_pool_that_never_had_a_job_returns_at_once),
        PROCESS_TEST(shutdown_is_not_waited_for_by_a_callback_of_the_pool),
        PROCESS_TEST(pool_that_is_dropped_still_runs_its_jobs),
        PROCESS_TEST(child_of_a_fork_is_told_that_the_workers_are_not_its_own),
        PROCESS_TEST(task_waits_for_a_job_in_another_process),
        PROCESS_TEST(task_that_is_cancelled_goes_on_at_once_and_the_loop_closes),
        PROCESS_TEST(program_that_ends_with_a_job_running_is_followed_by_its_workers),
    };

    if (be_worker(argc, argv))
        return EXIT_SUCCESS;
    if (argc == 2 && strcmp(argv[1], LEAVING) == 0)
        return leave_with_a_job();
    return RUN_TESTS(tests, make_shared, drop_shared);
}
