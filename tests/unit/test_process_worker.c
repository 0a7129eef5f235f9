/* SPDX-License-Identifier: MIT */
/*
 * test_process_worker.c - the processes of a process pool: what they have, and how they end (S166)
 *
 * After CPython's test_concurrent_futures: InitializerMixin, and the tests of dying workers.
 */
#include "executor/manager.h"
#include "fiber/sanitize.h"
#include "support/child.h"
#include "support/processes.h"

#include <aio/executor_map.h>
#include <aio/log.h>
#include <aio/thread_pool.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORGETFUL "--forgetful"
#define LAZY_NAME "AIOC_TEST_LAZY" /* in the environment of workers that never begin */

/* --- what a worker has ------------------------------------------------------------------- */

/* How many descriptors are open, but for the one that looks. */
static int count_descriptors(void *arg, void **ret_result)
{
    DIR *folder = opendir("/proc/self/fd");
    intptr_t count = -3; /* ".", ".." and the folder */

    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    *ret_result = (void *)count;
    return 0;
}

static void worker_has_no_descriptor_of_the_program(void **state)
{
    aio_executor *pool = make_pool(2);
    int fds[2];

    assert_int_equal(pipe(fds), 0); /* not marked to be closed by exec */
    assert_int_equal(result_of(submit(pool, count_descriptors, 0)), 4);
    assert_int_equal(result_of(submit(pool, count_descriptors, 0)), 4);
    close(fds[0]);
    close(fds[1]);
    finish_pool(pool);
}

static int read_input(void *arg, void **ret_result)
{
    *ret_result = (void *)(intptr_t)getchar();
    return 0;
}

static void worker_reads_nothing_of_what_is_for_the_program(void **state)
{
    aio_executor *pool = make_pool(1);
    int input = dup(STDIN_FILENO);
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(result_of(submit(pool, read_input, 0)), EOF);
    assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
    close(input);
    close(fds[0]);
    close(fds[1]);
    finish_pool(pool);
}

static int blocks_usr1(void *arg, void **ret_result)
{
    sigset_t mask;

    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    *ret_result = (void *)(intptr_t)(sigismember(&mask, SIGUSR1) * 2 + sigismember(&mask, SIGINT));
    return 0;
}

static void worker_has_the_signal_mask_of_who_started_the_pool(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *fut;
    sigset_t usr1;

    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &usr1, NULL);
    fut = submit(pool, blocks_usr1, 0);
    (void)sigprocmask(SIG_UNBLOCK, &usr1, NULL);
    assert_int_equal(result_of(fut), 2);
    finish_pool(pool);
}

static int initialize(void *arg)
{
    atomic_fetch_add(&shared->initialized, *(const int *)arg);
    return 0;
}

static void initializer_runs_once_in_each_worker_before_its_jobs(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    const int hundred = 100;
    aio_concurrent_future *futs[2];
    aio_executor *pool;

    options.max_workers = 2;
    options.initializer = initialize;
    options.initarg = &hundred;
    options.initarg_size = sizeof(hundred);
    pool = aio_process_pool_new(&options);
    for (int i = 0; i < 2; i++)
        futs[i] = submit(pool, stop_at_gate, i);
    reach_gate(2);
    assert_int_equal(atomic_load(&shared->initialized), 200);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(result_of(futs[i]), i);
    finish_pool(pool);
}

static int initialize_text(void *arg)
{
    atomic_fetch_add(&shared->initialized, strcmp(arg, "hello") == 0);
    return 0;
}

static void initializer_argument_may_have_a_codec(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.initializer = initialize_text;
    options.initarg = "hello";
    options.initarg_codec = &aio_codec_string;
    pool = aio_process_pool_new(&options);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    assert_int_equal(atomic_load(&shared->initialized), 1);
    finish_pool(pool);
}

static int fail_to_initialize(void *arg)
{
    reach_gate(1);
    return aio_raise(AIO_EKEY, "no licence");
}

static void keep_log(aio_log_level level, const char *text, void *arg)
{
    (void)snprintf(arg, 128, "%d %s", (int)level, text);
}

static void initializer_that_fails_breaks_the_pool(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    const char *text = "A process initializer failed, the process pool is not usable anymore";
    aio_concurrent_future *first, *second;
    aio_executor *pool;
    char log[128] = "";

    aio_log_set_handler(keep_log, log);
    options.max_workers = 1;
    options.initializer = fail_to_initialize;
    pool = aio_process_pool_new(&options);
    first = submit(pool, add_one, 0);
    second = submit(pool, add_one, 0);
    (void)sem_post(&shared->reached);
    assert_fails(first, AIO_EBROKENPROCESSPOOL, text);
    assert_fails(second, AIO_EBROKENPROCESSPOOL, text);
    assert_null(submit(pool, add_one, 0));
    assert_int_equal(aio_last_failure(), AIO_EBROKENPROCESSPOOL);
    assert_true(aio_error_is(AIO_EBROKENPROCESSPOOL, AIO_EBROKENEXECUTOR));
    finish_pool(pool);
    aio_log_set_handler(NULL, NULL);
    assert_string_equal(log, "3 Exception in initializer: KeyError: no licence");
}

/* --- workers that end -------------------------------------------------------------------- */

static int crash(void *arg, void **ret_result)
{
    return raise(SIGKILL);
}

static int leave(void *arg, void **ret_result)
{
    _exit((int)(intptr_t)arg);
}

/* The socket to the pool, too. */
static int close_everything(void *arg, void **ret_result)
{
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    return 0;
}

static void worker_is_replaced_after_so_many_jobs(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;
    intptr_t pids[6];

    options.max_workers = 1;
    options.max_tasks_per_child = 2;
    pool = aio_process_pool_new(&options);
    for (int i = 0; i < 6; i++)
        pids[i] = result_of(submit(pool, tell_pid, 0));
    for (int i = 0; i < 6; i += 2) {
        assert_int_equal(pids[i], pids[i + 1]);
        assert_true(i == 0 || pids[i] != pids[i - 1]);
    }
    finish_pool(pool);
}

static void wait_until_broken(aio_executor *pool)
{
    aio_concurrent_future *fut;

    while ((fut = submit(pool, add_one, 0)) != NULL) {
        aio_concurrent_future_unref(fut);
        sched_yield();
    }
    assert_int_equal(aio_last_failure(), AIO_EBROKENPROCESSPOOL);
}

static const char abruptly[] = "A process in the process pool was terminated abruptly while the "
                               "future was running or pending";

static void worker_that_dies_breaks_the_pool_for_all_its_jobs(void **state)
{
    aio_executor *pool = make_pool(2);
    aio_concurrent_future *other = submit(pool, stop_at_gate, 0);
    aio_concurrent_future *dying, *queued[3];

    reach_gate(1);
    dying = submit(pool, crash, 0);
    for (int i = 0; i < 3; i++)
        queued[i] = submit(pool, stop_at_gate, i);
    assert_fails(dying, AIO_EBROKENPROCESSPOOL, abruptly);
    assert_fails(other, AIO_EBROKENPROCESSPOOL, abruptly);
    for (int i = 0; i < 3; i++)
        if (queued[i] != NULL) /* the pool may have broken before */
            assert_fails(queued[i], AIO_EBROKENPROCESSPOOL, abruptly);
    assert_null(submit(pool, add_one, 0));
    assert_int_equal(aio_last_failure(), AIO_EBROKENPROCESSPOOL);
    finish_pool(pool);
}

static void worker_that_dies_is_named_with_its_end(void **state)
{
    aio_executor *pool = make_pool(1);
    aio_concurrent_future *fut = submit(pool, leave, 3);

    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_EBROKENPROCESSPOOL);
    assert_non_null(strstr(aio_error_text(AIO_EBROKENPROCESSPOOL), "exited with status 3"));
    aio_concurrent_future_unref(fut);
    finish_pool(pool);
    pool = make_pool(1);
    fut = submit(pool, crash, 0);
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_EBROKENPROCESSPOOL);
    assert_non_null(strstr(aio_error_text(AIO_EBROKENPROCESSPOOL), "was killed by signal 9"));
    aio_concurrent_future_unref(fut);
    finish_pool(pool);
}

static void worker_that_dies_without_a_job_breaks_the_pool_as_well(void **state)
{
    aio_executor *pool = make_pool(1);
    pid_t pid = (pid_t)result_of(submit(pool, tell_pid, 0));

    assert_int_equal(kill(pid, SIGKILL), 0);
    while (stats_of(pool).workers != 0)
        sched_yield();
    wait_until_broken(pool);
    finish_pool(pool);
}

static void worker_that_closes_its_socket_is_killed(void **state)
{
    aio_executor *pool = make_pool(1);

    assert_fails(submit(pool, close_everything, 0), AIO_EBROKENPROCESSPOOL, abruptly);
    finish_pool(pool);
}

static void workers_that_are_terminated_fail_what_they_run(void **state)
{
    int (*const ways[])(aio_executor *) = {aio_process_pool_terminate_workers,
                                           aio_process_pool_kill_workers};

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        aio_executor *pool = make_pool(1);
        aio_concurrent_future *running = submit(pool, stop_at_gate, 0);
        aio_concurrent_future *queued = submit(pool, stop_at_gate, 0);

        reach_gate(1);
        assert_int_equal(ways[i](pool), 0);
        assert_true(aio_concurrent_future_cancelled(queued));
        assert_fails(running, AIO_EBROKENPROCESSPOOL, abruptly);
        assert_null(submit(pool, add_one, 0));
        aio_concurrent_future_unref(queued);
        finish_pool(pool);
    }
}

static int ignore_sigterm(void *arg)
{
    (void)signal(SIGTERM, SIG_IGN);
    return 0;
}

static void worker_that_ignores_sigterm_is_killed_when_the_pool_breaks(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_concurrent_future *stubborn, *dying;
    aio_executor *pool;

    options.max_workers = 2;
    options.initializer = ignore_sigterm;
    pool = aio_process_pool_new(&options);
    stubborn = submit(pool, stop_at_gate, 0);
    reach_gate(1);
    dying = submit(pool, crash, 0);
    assert_fails(dying, AIO_EBROKENPROCESSPOOL, abruptly);
    assert_fails(stubborn, AIO_EBROKENPROCESSPOOL, abruptly);
    finish_pool(pool); /* waits for the process */
}

static void terminating_needs_a_process_pool(void **state)
{
    aio_executor *threads = aio_thread_pool_new(NULL);

    assert_int_equal(aio_process_pool_terminate_workers(threads), AIO_ETYPE);
    assert_int_equal(aio_process_pool_kill_workers(threads), AIO_ETYPE);
    aio_executor_unref(threads);
}

static void other_children_are_left_alone(void **state)
{
    aio_executor *pool = make_pool(1);
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        end_child(7);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    finish_pool(pool);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void children_that_nobody_waits_for_are_no_problem(void **state)
{
    aio_executor *pool;

    (void)signal(SIGCHLD, SIG_IGN); /* the system waits for all */
    pool = make_pool(1);
    assert_int_equal(result_of(submit(pool, add_one, 0)), 1);
    finish_pool(pool);
    (void)signal(SIGCHLD, SIG_DFL);
}

/* --- another program as the worker ------------------------------------------------------- */

/* Never called here: what stands for it is found by name, in tests/support/other_worker.c. */
static int square_elsewhere(void *arg, void **ret_result)
{
    return aio_raise(AIO_EASSERTION, "this is not the worker");
}

static const aio_function elsewhere = {sizeof(aio_function), "other.square", square_elsewhere,
                                       &aio_codec_int, &aio_codec_int};

static aio_executor *make_of_other_program(void)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    char path[PATH_MAX];
    aio_executor *pool;

    find_self(path);
    (void)strcpy(strrchr(path, '/') + 1, "other_worker");
    options.worker_program = path;
    options.max_workers = 2;
    pool = aio_process_pool_new(&options);
    assert_non_null(pool);
    return pool;
}

static void other_program_is_the_worker_for_registered_functions(void **state)
{
    aio_executor *pool = make_of_other_program();

    assert_int_equal(result_of(aio_executor_submit(pool, square_elsewhere, (void *)7)), 49);
    finish_pool(pool);
}

static void other_program_works_off_chunks_of_a_map(void **state)
{
    aio_executor *pool = make_of_other_program();
    aio_map_options options = AIO_MAP_OPTIONS_INIT;
    aio_executor_results *results;
    void *numbers[10];
    void *value;

    for (intptr_t i = 0; i < 10; i++)
        numbers[i] = (void *)i;
    options.chunksize = 3;
    results = aio_executor_map(pool, square_elsewhere, numbers, 10, &options);
    for (intptr_t i = 0; i < 10; i++) {
        assert_int_equal(aio_executor_results_next(results, &value), 0);
        assert_int_equal((intptr_t)value, i * i);
    }
    assert_int_equal(aio_executor_results_next(results, &value), AIO_ESTOP);
    aio_executor_results_unref(results);
    finish_pool(pool);
}

static void other_program_without_the_function_says_so(void **state)
{
    aio_executor *pool = make_of_other_program();

    assert_fails(submit(pool, add_one, 0), AIO_ELOOKUP, "a worker process does not find");
    finish_pool(pool);
}

/* --- workers that cannot be had ---------------------------------------------------------- */

static void pool_whose_program_is_not_there_fails_its_jobs(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    if (AIO__ON_VALGRIND)
        skip(); /* its vfork() is a fork(): what fails in the child of posix_spawn() is not heard of */
    options.worker_program = "/nowhere/worker";
    pool = aio_process_pool_new(&options);
    assert_fails(submit(pool, add_one, 0), -ENOENT, "No such file or directory: '/nowhere/worker'");
    assert_fails(submit(pool, add_one, 0), -ENOENT, "No such file or directory: '/nowhere/worker'");
    finish_pool(pool);
}

static void pool_whose_program_is_no_worker_is_broken(void **state)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_executor *pool;

    options.worker_program = "/bin/true";
    pool = aio_process_pool_new(&options);
    assert_fails(submit(pool, add_one, 0), AIO_EBROKENPROCESSPOOL,
                 "A process of the pool ended before it was a worker; its main() has to call "
                 "aio_process_worker_main()");
    finish_pool(pool);
}

static void worker_that_does_not_begin_in_time_is_killed(void **state)
{
    aio_executor *pool = make_pool(1);

    aio__worker_start_limit = 50;
    (void)setenv(LAZY_NAME, "1", 1);
    assert_fails(submit(pool, add_one, 0), AIO_EBROKENPROCESSPOOL,
                 "A process of the pool ended before it was a worker");
    (void)unsetenv(LAZY_NAME);
    aio__worker_start_limit = 60000;
    finish_pool(pool);
}

static void pool_of_a_program_that_cannot_be_a_worker_is_refused(void **state)
{
    char path[PATH_MAX];
    int status = 0;
    pid_t child;

    find_self(path);
    child = fork();
    if (child == 0) {
        (void)execl(path, "forgetful", FORGETFUL, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int be_forgetful(void)
{
    return aio_process_pool_new(NULL) == NULL && aio_last_failure() == AIO_ERUNTIME ? 0 : 1;
}

static void program_with_the_option_but_no_socket_is_no_worker(void **state)
{
    char name[] = "program", option[] = "--aio-process-worker";
    char *argv[] = {name, option, NULL};
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        close(3);
        end_child(aio_process_worker_main(2, argv) ? 1 : 5);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 5);
}

static int setup_without_pidfd(void **state)
{
    aio__worker_without_pidfd = true;
    return set_up_processes(state);
}

static int teardown_without_pidfd(void **state)
{
    aio__worker_without_pidfd = false;
    return tear_down_processes(state);
}

#define WITHOUT_PIDFD(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, setup_without_pidfd, teardown_without_pidfd)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(worker_has_no_descriptor_of_the_program),
        PROCESS_TEST(worker_reads_nothing_of_what_is_for_the_program),
        PROCESS_TEST(worker_has_the_signal_mask_of_who_started_the_pool),
        PROCESS_TEST(initializer_runs_once_in_each_worker_before_its_jobs),
        PROCESS_TEST(initializer_argument_may_have_a_codec),
        PROCESS_TEST(initializer_that_fails_breaks_the_pool),
        PROCESS_TEST(worker_is_replaced_after_so_many_jobs),
        PROCESS_TEST(worker_that_dies_breaks_the_pool_for_all_its_jobs),
        PROCESS_TEST(worker_that_dies_is_named_with_its_end),
        PROCESS_TEST(worker_that_dies_without_a_job_breaks_the_pool_as_well),
        PROCESS_TEST(worker_that_closes_its_socket_is_killed),
        PROCESS_TEST(workers_that_are_terminated_fail_what_they_run),
        PROCESS_TEST(worker_that_ignores_sigterm_is_killed_when_the_pool_breaks),
        WITHOUT_PIDFD(worker_is_replaced_after_so_many_jobs),
        WITHOUT_PIDFD(worker_that_dies_breaks_the_pool_for_all_its_jobs),
        WITHOUT_PIDFD(worker_that_dies_is_named_with_its_end),
        WITHOUT_PIDFD(worker_that_dies_without_a_job_breaks_the_pool_as_well),
        WITHOUT_PIDFD(worker_that_closes_its_socket_is_killed),
        WITHOUT_PIDFD(workers_that_are_terminated_fail_what_they_run),
        WITHOUT_PIDFD(worker_that_ignores_sigterm_is_killed_when_the_pool_breaks),
        PROCESS_TEST(terminating_needs_a_process_pool),
        PROCESS_TEST(other_children_are_left_alone),
        PROCESS_TEST(children_that_nobody_waits_for_are_no_problem),
        PROCESS_TEST(other_program_is_the_worker_for_registered_functions),
        PROCESS_TEST(other_program_works_off_chunks_of_a_map),
        PROCESS_TEST(other_program_without_the_function_says_so),
        PROCESS_TEST(pool_whose_program_is_not_there_fails_its_jobs),
        PROCESS_TEST(pool_whose_program_is_no_worker_is_broken),
        PROCESS_TEST(worker_that_does_not_begin_in_time_is_killed),
        PROCESS_TEST(pool_of_a_program_that_cannot_be_a_worker_is_refused),
        PROCESS_TEST(program_with_the_option_but_no_socket_is_no_worker),
    };

    if (argc == 2 && strcmp(argv[1], FORGETFUL) == 0)
        return be_forgetful();
    while (getenv(LAZY_NAME) != NULL)
        (void)pause();
    if (aio_function_register(&add_one_by_name) < 0 || aio_function_register(&elsewhere) < 0)
        return EXIT_FAILURE;
    if (be_worker(argc, argv))
        return EXIT_SUCCESS;
    return RUN_TESTS(tests, make_shared, drop_shared);
}
