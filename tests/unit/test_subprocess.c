/* SPDX-License-Identifier: MIT */
/*
 * test_subprocess.c - child processes: how they end, and what they leave behind
 */
#include "support/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A command that waits for a line on the pipe; our end of it, which says when, is `hold`. */
static aio_process *start_held(const char *command, int *hold)
{
    aio_subprocess_options options = with_output();
    aio_process *process;
    int ends[2];

    expect_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options.std_in = ends[0];
    process = start_command(command, &options);
    close(ends[0]);
    *hold = ends[1];
    return process;
}

static void let_go_on(int hold)
{
    expect_int_equal(write(hold, "\n", 1), 1);
}

/* It ends with 5, while its own child holds its output until the pipe is closed. */
#define WITH_GRANDCHILD "read line; exec 3<&0; cat <&3 & exit 5"

static void wait_until_over(aio_process *process)
{
    while (!aio_process_returncode(process, NULL))
        expect_int_equal(aio_sleep(0), 0);
}

/* Its transport too. */
static void wait_until_gone(aio_process *process)
{
    while (aio_transport_get_protocol(aio_process_transport(process)) != NULL)
        expect_int_equal(aio_sleep(0), 0);
}

/* --- how it ends -------------------------------------------------------------------------- */

static int in_process_gives_its_exit_code(void *arg, void **ret_result)
{
    aio_process *process = start_command("exit 7", NULL);
    int code = 0;

    expect_true(aio_process_pid(process) > 0);
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, 7);
    code = 0;
    expect_true(aio_process_returncode(process, &code));
    expect_int_equal(code, 7);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(process_gives_its_exit_code);

/* after asyncio's test_subprocess.SubprocessMixin.test_kill, test_terminate, test_send_signal */
static int in_process_killed_gives_minus_the_signal(void *arg, void **ret_result)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    static int (*const ends[])(aio_process *) = {aio_process_kill, aio_process_terminate};
    static const int expected[] = {-SIGKILL, -SIGTERM};

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        aio_process *process;
        int code = 0;

        expect_int_equal(aio_create_subprocess_exec(argv, NULL, &process), 0);
        expect_false(aio_process_returncode(process, &code));
        expect_int_equal(ends[i](process), 0);
        expect_int_equal(aio_process_wait(process, &code), 0);
        expect_int_equal(code, expected[i]);
        aio_process_unref(process);
    }
    return 0;
}
IN_TASK(process_killed_gives_minus_the_signal);

static int in_process_that_is_over_takes_no_signals(void *arg, void **ret_result)
{
    aio_process *process = start_command("exit 0", NULL);

    wait_until_gone(process);
    expect_int_equal(aio_process_send_signal(process, SIGHUP), -ESRCH);
    expect_int_equal(aio_process_terminate(process), -ESRCH);
    expect_int_equal(aio_process_kill(process), -ESRCH);
    aio_process_unref(process);
    return 0;
}
IN_TASK(process_that_is_over_takes_no_signals);

static int in_process_gets_any_signal(void *arg, void **ret_result)
{
    aio_process *process = start_command("exec sleep 1000", NULL);
    int code = 0;

    expect_int_equal(aio_process_send_signal(process, SIGUSR1), 0);
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, -SIGUSR1);
    aio_process_unref(process);
    return 0;
}

IN_TASK(process_gets_any_signal);

static int in_process_refuses_a_signal_that_is_none(void *arg, void **ret_result)
{
    aio_process *process = start_command("exec sleep 1000", NULL);

    expect_int_equal(aio_process_send_signal(process, 12345), -EINVAL);
    expect_int_equal(aio_process_kill(process), 0);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(process_refuses_a_signal_that_is_none);

static int in_process_taken_by_others_gives_255(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int hold;
    aio_process *process = start_held("read line; exit 3", &hold);
    char expected[128];
    int code = 0;

    fx_hear(f);
    let_go_on(hold);
    close(hold);
    expect_int_equal(waitpid(aio_process_pid(process), NULL, 0), aio_process_pid(process));
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, 255);
    (void)snprintf(expected, sizeof(expected),
                   "Unknown child process pid %d, will report returncode 255",
                   (int)aio_process_pid(process));
    expect_string_equal(f->logged, expected);
    f->logged[0] = 0;
    aio_process_unref(process);
    return 0;
}
IN_TASK(process_taken_by_others_gives_255);

static int in_process_leaves_other_children_alone(void *arg, void **ret_result)
{
    pid_t other = fork();
    int status = 0;

    if (other == 0)
        _exit(9);
    for (int i = 0; i < 3; i++) {
        aio_process *process = start_command("exit 0", NULL);

        expect_int_equal(aio_process_wait(process, NULL), 0);
        aio_process_unref(process);
    }
    expect_int_equal(waitpid(other, &status, 0), other);
    expect_int_equal(aio_waitstatus_to_exitcode(status), 9);
    return 0;
}
IN_TASK(process_leaves_other_children_alone);

static void count_signal(int signum)
{
    (void)signum;
}

static int in_process_does_not_touch_sigchld(void *arg, void **ret_result)
{
    struct sigaction action = {.sa_handler = count_signal};
    aio_process *process;

    expect_int_equal(sigaction(SIGCHLD, &action, NULL), 0);
    process = start_command("exit 0", NULL);
    expect_int_equal(sigaction(SIGCHLD, NULL, &action), 0);
    expect_true(action.sa_handler == count_signal);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    (void)signal(SIGCHLD, SIG_DFL);
    aio_process_unref(process);
    return 0;
}
IN_TASK(process_does_not_touch_sigchld);

static int wait_for_it(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int code;
    int err = aio_process_wait(f->subject, &code);

    if (err < 0)
        return err;
    *ret_result = (void *)(intptr_t)code;
    return 0;
}

static int in_process_can_be_waited_for_by_several(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_process *process = start_command("exec sleep 1000", NULL);
    aio_task *tasks[3];
    void *code;

    f->subject = process;
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_create_task(wait_for_it, f);
    expect_int_equal(aio_sleep(0), 0);
    expect_true(aio_task_cancel(tasks[1], NULL));
    expect_int_equal(aio_process_terminate(process), 0);
    expect_int_equal(aio_await(tasks[0], &code), 0);
    expect_int_equal((intptr_t)code, -SIGTERM);
    expect_int_equal(aio_await(tasks[1], &code), AIO_ECANCELLED);
    expect_int_equal(aio_await(tasks[2], &code), 0);
    expect_int_equal((intptr_t)code, -SIGTERM);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        aio_future_unref(tasks[i]);
    aio_process_unref(process);
    return 0;
}
IN_TASK(process_can_be_waited_for_by_several);

/* --- a child of the child ----------------------------------------------------------------- */

static int in_wait_lasts_until_the_pipes_are_closed(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int hold;
    aio_process *process = start_held(WITH_GRANDCHILD, &hold);
    aio_task *waiting;
    void *code;

    f->subject = process;
    waiting = aio_create_task(wait_for_it, f);
    expect_int_equal(aio_sleep(0), 0);
    let_go_on(hold);
    wait_until_over(process);
    expect_int_equal(aio_sleep(0), 0);
    expect_false(aio_future_done(waiting));
    expect_int_equal(aio_process_terminate(process), 0); /* silent while the transport lives */

    close(hold);
    expect_int_equal(aio_await(waiting, &code), 0);
    expect_int_equal((intptr_t)code, 5);
    wait_until_gone(process);
    expect_int_equal(aio_process_terminate(process), -ESRCH);
    aio_future_unref(waiting);
    aio_process_unref(process);
    return 0;
}
IN_TASK(wait_lasts_until_the_pipes_are_closed);

static int in_wait_after_the_end_returns_at_once(void *arg, void **ret_result)
{
    int hold;
    aio_process *process = start_held(WITH_GRANDCHILD, &hold);
    aio_process_output output;
    int code = 0;

    let_go_on(hold);
    wait_until_over(process);
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, 5);
    close(hold);
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_string_equal(output.out, "");
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(wait_after_the_end_returns_at_once);

/* --- what is left behind ------------------------------------------------------------------ */

static int in_process_dropped_is_still_waited_for(void *arg, void **ret_result)
{
    int ends[2];
    char byte;
    aio_subprocess_options options;
    siginfo_t info;

    expect_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options = with_pipes(0, ends[1], 0);
    aio_process_unref(start_command("exit 0", &options));
    close(ends[1]);
    expect_int_equal(read(ends[0], &byte, 1), 0); /* it has ended, or is about to */
    close(ends[0]);
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != -1)
        expect_int_equal(aio_sleep(0), 0);
    expect_int_equal(errno, ECHILD);
    return 0;
}
IN_TASK(process_dropped_is_still_waited_for);

static int leave_it_running(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);

    f->subject = start_command("exec sleep 1000", &options);
    return 0;
}

static void loop_closed_under_a_process_kills_it(void **state)
{
    struct fixture *f = *state;
    int code = 0;

    assert_int_equal(children_run(f, leave_it_running), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_true(aio_process_returncode(f->subject, &code));
    assert_int_equal(code, -SIGKILL);
    aio_process_unref(f->subject);
}

static int communicate_with_a_sleeper(void *arg, void **ret_result)
{
    aio_subprocess_options options =
        with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);
    aio_process *process = start_command("exec sleep 1000", &options);
    int err = aio_process_communicate(process, "input", 5, NULL);

    aio_process_unref(process);
    return err;
}

static int let_it_begin(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    f->tasks[f->task_count++] = aio_create_task(communicate_with_a_sleeper, f);
    for (int i = 0; i < 10; i++)
        expect_int_equal(aio_sleep(0), 0);
    return 0;
}

static void loop_closed_under_a_waiting_task_kills_the_child(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(children_run(f, let_it_begin), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(aio_future_result(f->tasks[0], NULL), AIO_EGENERATOREXIT);
    fx_assert_reports(f, "Task was destroyed but it is pending!, "
                         "Task was destroyed but it is pending!");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int use_one(void *arg, void **ret_result)
{
    aio_subprocess_options options =
        with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);
    aio_process_output output;
    aio_process *process;
    int err;

    err = aio_create_subprocess_shell("cat; echo err >&2", &options, &process);
    if (err < 0)
        return err;
    err = aio_process_communicate(process, "text", 4, &output);
    if (err == 0) {
        expect_string_equal(output.out, "text");
        expect_string_equal(output.err, "err\n");
        aio_process_output_clear(&output);
    }
    aio_process_unref(process);
    return err;
}

static void use_one_when_memory_is_short(void *arg)
{
    struct fixture f;
    aio_task *task;
    int err;

    if (!fx_open_with(&f, AIO_CLOCK_REAL))
        return;
    task = aio_loop_create_task(f.loop, use_one, &f, NULL);
    err = aio_loop_run_until_complete(f.loop, task, NULL);
    aio_future_unref(task);
    assert_true(err == 0 || err == AIO_ENOMEM);
    (void)aio_loop_close(f.loop);
    aio_set_event_loop(NULL);
    aio_loop_unref(f.loop);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void process_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(use_one_when_memory_is_short, NULL) > 10);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CHILDREN_TEST(process_gives_its_exit_code),
        CHILDREN_TEST(process_killed_gives_minus_the_signal),
        CHILDREN_TEST(process_that_is_over_takes_no_signals),
        CHILDREN_TEST(process_gets_any_signal),
        CHILDREN_TEST(process_refuses_a_signal_that_is_none),
        CHILDREN_TEST(process_taken_by_others_gives_255),
        CHILDREN_TEST(process_leaves_other_children_alone),
        CHILDREN_TEST(process_does_not_touch_sigchld),
        CHILDREN_TEST(process_can_be_waited_for_by_several),
        CHILDREN_TEST(wait_lasts_until_the_pipes_are_closed),
        CHILDREN_TEST(wait_after_the_end_returns_at_once),
        CHILDREN_TEST(process_dropped_is_still_waited_for),
        CHILDREN_TEST(loop_closed_under_a_process_kills_it),
        CHILDREN_TEST(loop_closed_under_a_waiting_task_kills_the_child),
        CHILDREN_TEST_WITH_THREAD(process_gives_its_exit_code),
        CHILDREN_TEST_WITH_THREAD(process_killed_gives_minus_the_signal),
        CHILDREN_TEST_WITH_THREAD(process_taken_by_others_gives_255),
        CHILDREN_TEST_WITH_THREAD(process_leaves_other_children_alone),
        CHILDREN_TEST_WITH_THREAD(loop_closed_under_a_process_kills_it),
        cmocka_unit_test(process_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
