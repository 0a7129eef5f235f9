/* SPDX-License-Identifier: MIT */
/*
 * test_subprocess_start.c - child processes: what they are started with
 */
#include "support/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run a command line and assert what it writes, and how it ends. */
static void assert_writes(const char *command, const aio_subprocess_options *options,
                          const char *expected, int expected_code)
{
    aio_process *process = start_command(command, options);
    aio_process_output output;
    int code;

    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_string_equal(output.out, expected);
    expect_int_equal(output.out_size, strlen(expected));
    expect_true(aio_process_returncode(process, &code));
    expect_int_equal(code, expected_code);
    aio_process_output_clear(&output);
    aio_process_unref(process);
}

/* --- how it is started -------------------------------------------------------------------- */

static void assert_not_started(const char *program, const aio_subprocess_options *options,
                               int expected, const char *message)
{
    const char *const argv[] = {program, NULL};
    aio_process *process = NULL;
    int err = aio_create_subprocess_exec(argv, options, &process);

    expect_int_equal(err, expected);
    expect_null(process);
    expect_string_equal(aio_error_text(err), message);
}

static int in_start_tells_what_is_missing(void *arg, void **ret_result)
{
    aio_subprocess_options options =
        with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);

    assert_not_started("no-such-program", &options, -ENOENT,
                       "No such file or directory: 'no-such-program'");
    assert_not_started("/no/such/program", &options, -ENOENT,
                       "No such file or directory: '/no/such/program'");
    assert_not_started("/etc/passwd", &options, -EACCES, "Permission denied: '/etc/passwd'");
    options.cwd = "/no/such/folder";
    assert_not_started("cat", &options, -ENOENT, "No such file or directory: '/no/such/folder'");
    return 0;
}
IN_TASK(start_tells_what_is_missing);

static int in_start_refuses_wrong_calls(void *arg, void **ret_result)
{
    static const char *const nothing[] = {NULL};
    aio_subprocess_options options = with_pipes(0, AIO_SUBPROCESS_STDOUT, 0);
    aio_process *process = NULL;

    expect_int_equal(aio_create_subprocess_exec(NULL, NULL, &process), AIO_EVALUE);
    expect_int_equal(aio_create_subprocess_exec(nothing, NULL, &process), AIO_EVALUE);
    expect_int_equal(aio_create_subprocess_shell(NULL, NULL, &process), AIO_EVALUE);
    expect_int_equal(aio_create_subprocess_shell("exit", NULL, NULL), AIO_EVALUE);
    expect_int_equal(aio_create_subprocess_shell("exit", &options, &process), AIO_EVALUE);
    options.std_out = -99;
    expect_int_equal(aio_create_subprocess_shell("exit", &options, &process), AIO_EVALUE);
    options = (aio_subprocess_options){0};
    expect_int_equal(aio_create_subprocess_shell("exit", &options, &process), AIO_EVALUE);
    expect_null(process);
    expect_int_equal(aio_process_wait(NULL, NULL), AIO_EVALUE);
    expect_int_equal(aio_process_communicate(NULL, NULL, 0, NULL), AIO_EVALUE);
    expect_int_equal(aio_process_kill(NULL), AIO_EVALUE);
    expect_int_equal(aio_process_pid(NULL), -1);
    return 0;
}
IN_TASK(start_refuses_wrong_calls);

static void start_needs_a_task(void **state)
{
    aio_process *process = NULL;

    assert_int_equal(aio_create_subprocess_shell("exit", NULL, &process), AIO_ENOLOOP);
    assert_null(process);
}

static int in_start_cancelled_leaves_no_child(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    aio_process *process = NULL;

    expect_true(aio_task_cancel(aio_current_task(NULL), NULL));
    expect_int_equal(aio_create_subprocess_shell("exec sleep 1000", &options, &process),
                     AIO_ECANCELLED);
    expect_null(process);
    expect_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* it was waited for before */
    expect_int_equal(errno, ECHILD);
    return 0;
}
IN_TASK(start_cancelled_leaves_no_child);

static int in_streams_go_where_the_options_say(void *arg, void **ret_result)
{
    aio_subprocess_options options =
        with_pipes(AIO_SUBPROCESS_DEVNULL, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_STDOUT);
    char text[32] = "";
    aio_process *process;
    int ends[2];

    assert_writes("cat; echo out; echo err >&2", &options, "out\nerr\n", 0);

    expect_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options = with_pipes(0, ends[1], AIO_SUBPROCESS_DEVNULL);
    process = start_command("echo there; echo nowhere >&2", &options);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    expect_int_equal(read(ends[0], text, sizeof(text)), 6);
    expect_string_equal(text, "there\n");
    close(ends[0]);
    close(ends[1]);
    aio_process_unref(process);
    return 0;
}
IN_TASK(streams_go_where_the_options_say);

static int in_child_gets_only_descriptors_asked_for(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_output();
    int inherited = fcntl(STDERR_FILENO, F_DUPFD, 50); /* without close-on-exec */
    int passed = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 60);
    char command[128];
    char all[64];
    char one[64];

    (void)snprintf(command, sizeof(command),
                   "for fd in %d %d; do test -e /proc/$$/fd/$fd && echo $fd; done; true", inherited,
                   passed);
    (void)snprintf(one, sizeof(one), "%d\n", passed);
    (void)snprintf(all, sizeof(all), "%d\n%d\n", inherited, passed);
    assert_writes(command, &options, "", 0);
    options.pass_fds = &passed;
    options.pass_fd_count = 1;
    assert_writes(command, &options, one, 0);
    options.keep_fds = true;
    assert_writes(command, &options, all, 0);
    close(inherited);
    close(passed);
    return 0;
}
IN_TASK(child_gets_only_descriptors_asked_for);

static int in_child_has_its_directory_environment_and_mask(void *arg, void **ret_result)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", "NAME=value", NULL};
    aio_subprocess_options options = with_output();

    options.cwd = "/";
    options.env = env;
    options.set_umask = true;
    options.umask = 0246;
    assert_writes("pwd; echo $NAME $HOME; umask", &options, "/\nvalue\n0246\n", 0);
    return 0;
}
IN_TASK(child_has_its_directory_environment_and_mask);

static int in_child_leads_its_own_session_or_group(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_output();
    aio_process *process;

    options.start_new_session = true;
    process = start_command("exec sleep 1000", &options);
    expect_int_equal(getsid(aio_process_pid(process)), aio_process_pid(process));
    expect_int_equal(aio_process_kill(process), 0);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    aio_process_unref(process);

    options.start_new_session = false;
    options.set_process_group = true;
    process = start_command("exec sleep 1000", &options);
    expect_int_equal(getpgid(aio_process_pid(process)), aio_process_pid(process));
    expect_int_equal(getsid(aio_process_pid(process)), getsid(0));
    expect_int_equal(aio_process_kill(process), 0);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(child_leads_its_own_session_or_group);

static int in_child_runs_as_another_user(void *arg, void **ret_result)
{
    static const gid_t groups[] = {12345};
    aio_subprocess_options options = with_output();
    aio_process *process = NULL;

    options.set_user = true;
    options.set_group = true;
    options.set_extra_groups = true;
    options.extra_groups = groups;
    options.extra_group_count = 1;
    if (geteuid() == 0) {
        options.user = 65534;
        options.group = 54321;
        assert_writes("id -u; id -G", &options, "65534\n54321 12345\n", 0);
    } else {
        expect_int_equal(aio_create_subprocess_shell("exit", &options, &process), -EPERM);
        expect_null(process);
    }
    return 0;
}
IN_TASK(child_runs_as_another_user);

static int in_child_has_its_signals_back(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_output();

    (void)signal(SIGPIPE, SIG_IGN);
    assert_writes("kill -PIPE $$; echo alive", &options, "", -SIGPIPE);
    options.keep_signals = true;
    assert_writes("kill -PIPE $$; echo alive", &options, "alive\n", 0);
    (void)signal(SIGPIPE, SIG_DFL);
    return 0;
}
IN_TASK(child_has_its_signals_back);

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CHILDREN_TEST(start_tells_what_is_missing),
        CHILDREN_TEST(start_refuses_wrong_calls),
        CHILDREN_TEST(start_needs_a_task),
        CHILDREN_TEST(start_cancelled_leaves_no_child),
        CHILDREN_TEST(streams_go_where_the_options_say),
        CHILDREN_TEST(child_gets_only_descriptors_asked_for),
        CHILDREN_TEST(child_has_its_directory_environment_and_mask),
        CHILDREN_TEST(child_leads_its_own_session_or_group),
        CHILDREN_TEST(child_runs_as_another_user),
        CHILDREN_TEST(child_has_its_signals_back),
        CHILDREN_TEST_WITH_THREAD(start_cancelled_leaves_no_child),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
