/* SPDX-License-Identifier: MIT */
/*
 * test_subprocess.c - child processes with streams
 *
 * With real programs, /bin/sh above all. No test waits for a time: those that need a child in some
 * state hold it there with a pipe, or see it from what the child does.
 */
#include "process/child.h"
#include "support/fixture.h"

#include <aio/aio.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    (void)signal(SIGPIPE, SIG_DFL); /* a write to a closed pipe that is not held back kills us */
    return fx_setup_real(state);
}

static int setup_with_thread(void **state)
{
    aio__child_without_pidfd = true;
    return setup(state);
}

/* Nobody is left behind: no child, and no zombie. */
static int teardown(void **state)
{
    int err = fx_teardown(state);

    aio__child_without_pidfd = false;
    if (waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD)
        return err;
    print_error("a child is left\n");
    return -1;
}

/* Run a coroutine to its end. */ static int run(struct fixture *f, aio_coro_fn fn)
{
    aio_task *task = aio_loop_create_task(f->loop, fn, f, NULL);
    int err = aio_loop_run_until_complete(f->loop, task, NULL);

    aio_future_unref(task);
    return err;
}

/* cmocka jumps where an assertion fails, which must not happen out of a coroutine: there we note
 * it and go on, for the test to fail outside. */
static unsigned failures;

static void expect(bool is_true, int line, const char *condition)
{
    if (is_true)
        return;
    failures++;
    print_error("%s:%d: %s\n", __FILE__, line, condition);
}

#define expect_true(condition)    expect((condition), __LINE__, #condition)
#define expect_false(condition)   expect(!(condition), __LINE__, "not " #condition)
#define expect_int_equal(a, b)    expect((intmax_t)(a) == (intmax_t)(b), __LINE__, #a " == " #b)
#define expect_null(pointer)      expect((pointer) == NULL, __LINE__, #pointer " == NULL")
#define expect_string_equal(a, b) expect(strcmp((a), (b)) == 0, __LINE__, #a " == " #b)

/* A test that is a coroutine. */
#define IN_TASK(test)                                                                              \
    static void test(void **state)                                                                 \
    {                                                                                              \
        failures = 0;                                                                              \
        assert_int_equal(run(*state, in_##test), 0);                                               \
        assert_int_equal(failures, 0);                                                             \
    }                                                                                              \
    struct fixture /* takes the semicolon */

static aio_process *start(const char *command, const aio_subprocess_options *options)
{
    aio_process *process = NULL;

    expect_int_equal(aio_create_subprocess_shell(command, options, &process), 0);
    return process;
}

static aio_subprocess_options with_pipes(int std_in, int std_out, int std_err)
{
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_in = std_in;
    options.std_out = std_out;
    options.std_err = std_err;
    return options;
}

static aio_subprocess_options with_output(void)
{
    return with_pipes(0, AIO_SUBPROCESS_PIPE, 0);
}

/* Run a command line and assert what it writes, and how it ends. */
static void assert_writes(const char *command, const aio_subprocess_options *options,
                          const char *expected, int expected_code)
{
    aio_process *process = start(command, options);
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

/* A command that waits for a line on the pipe; our end of it, which says when, is `hold`. */
static aio_process *start_held(const char *command, int *hold)
{
    aio_subprocess_options options = with_output();
    aio_process *process;
    int ends[2];

    expect_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options.std_in = ends[0];
    process = start(command, &options);
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
    aio_process *process = start("exit 7", NULL);
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
    aio_process *process = start("exit 0", NULL);

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
    aio_process *process = start("exec sleep 1000", NULL);
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
    aio_process *process = start("exec sleep 1000", NULL);

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
        aio_process *process = start("exit 0", NULL);

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
    process = start("exit 0", NULL);
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
    aio_process *process = start("exec sleep 1000", NULL);
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

/* --- communicate -------------------------------------------------------------------------- */

static int in_communicate_feeds_and_collects(void *arg, void **ret_result)
{
    aio_subprocess_options options =
        with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);
    aio_process *process = start("cat; echo wrong >&2; exit 2", &options);
    aio_process_output output;
    int code;

    expect_int_equal(aio_process_communicate(process, "some data", 9, &output), 0);
    expect_string_equal(output.out, "some data");
    expect_int_equal(output.out_size, 9);
    expect_string_equal(output.err, "wrong\n");
    expect_int_equal(output.err_size, 6);
    expect_true(aio_process_returncode(process, &code));
    expect_int_equal(code, 2);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_feeds_and_collects);

static int in_communicate_gives_null_for_what_is_not_piped(void *arg, void **ret_result)
{
    aio_process *process = start("exit 0", NULL);
    aio_process_output output = {.out_size = 1};

    expect_int_equal(aio_process_communicate(process, "ignored", 7, &output), 0);
    expect_null(output.out);
    expect_null(output.err);
    expect_int_equal(output.out_size, 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_gives_null_for_what_is_not_piped);

static int in_communicate_carries_10_mib_through_cat(void *arg, void **ret_result)
{
    static const char *const argv[] = {"cat", NULL};
    const size_t size = 10 * 1024 * 1024;
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    unsigned char *data = malloc(size);
    aio_process_output output;
    aio_process *process;

    for (size_t i = 0; data != NULL && i < size; i++)
        data[i] = (unsigned char)(i * 2654435761U >> 13);
    expect_int_equal(aio_create_subprocess_exec(argv, &options, &process), 0);
    expect_int_equal(aio_process_communicate(process, data, size, &output), 0);
    expect_int_equal(output.out_size, size);
    expect_int_equal(memcmp(output.out, data, size), 0);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    free(data);
    return 0;
}
IN_TASK(communicate_carries_10_mib_through_cat);

/* after asyncio's test_communicate_ignore_broken_pipe */
static int in_communicate_ignores_that_nobody_reads(void *arg, void **ret_result)
{
    static const char zeros[1024 * 1024];
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    aio_process *process = start("exec <&-; echo closed; exit 4", &options);
    aio_process_output output;
    int code = 0;

    expect_int_equal(aio_process_communicate(process, zeros, sizeof(zeros), &output), 0);
    expect_string_equal(output.out, "closed\n");
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, 4);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_ignores_that_nobody_reads);

static int communicate_with_it(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_process_output output;
    int err = aio_process_communicate(f->subject, NULL, 0, &output);

    if (err == 0)
        aio_process_output_clear(&output);
    return err;
}

static int in_communicate_cancelled_can_be_called_again(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_INHERIT, AIO_SUBPROCESS_PIPE, 0);
    aio_process_output output;
    aio_process *process;
    aio_task *task;
    int hold[2];

    expect_int_equal(pipe2(hold, O_CLOEXEC), 0);
    options.std_in = hold[0];
    process = start("echo before; exec cat", &options);
    close(hold[0]);
    f->subject = process;
    task = aio_create_task(communicate_with_it, f);
    expect_int_equal(aio_sleep(0), 0);
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), AIO_ERUNTIME);
    expect_true(aio_task_cancel(task, NULL));
    expect_int_equal(aio_await(task, NULL), AIO_ECANCELLED);
    aio_future_unref(task);

    expect_int_equal(write(hold[1], "after", 5), 5);
    close(hold[1]);
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_string_equal(output.out, "before\nafter");
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_cancelled_can_be_called_again);

static int in_output_that_nobody_wants_stops_the_child(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_output();
    aio_transport *pipe;
    aio_process_output output;
    aio_process *process;

    options.limit = 1000;
    process = start("head -c 1000000 /dev/zero", &options);
    pipe = aio_subprocess_transport_get_pipe_transport(aio_process_transport(process), 1);
    while (aio_transport_is_reading(pipe))
        expect_int_equal(aio_sleep(0), 0);
    expect_false(aio_process_returncode(process, NULL));
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_int_equal(output.out_size, 1000000);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(output_that_nobody_wants_stops_the_child);

/* --- streams ------------------------------------------------------------------------------ */

/* after asyncio's test_subprocess.SubprocessMixin.test_stdin_stdout */
static int in_streams_talk_with_the_child(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    aio_process *process = start("exec cat", &options);
    aio_stream_writer *writer = aio_process_stdin(process);
    aio_stream_reader *reader = aio_process_stdout(process);
    aio_bytes line = {0};
    int code = 1;

    expect_null(aio_process_stderr(process));
    for (int i = 0; i < 3; i++) {
        expect_int_equal(aio_stream_writer_write(writer, "some line\n", 10), 0);
        expect_int_equal(aio_stream_writer_drain(writer), 0);
        expect_int_equal(aio_stream_reader_readline(reader, &line), 0);
        expect_int_equal(line.size, 10);
        expect_string_equal(line.data, "some line\n");
        aio_bytes_free(&line);
    }
    expect_int_equal(aio_stream_writer_write_eof(writer), 0);
    expect_int_equal(aio_stream_writer_wait_closed(writer), 0);
    expect_int_equal(aio_stream_reader_readline(reader, &line), 0);
    expect_int_equal(line.size, 0);
    aio_bytes_free(&line);
    expect_int_equal(aio_process_wait(process, &code), 0);
    expect_int_equal(code, 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(streams_talk_with_the_child);

static int in_drain_waits_for_the_child_to_read(void *arg, void **ret_result)
{
    static const char zeros[1024 * 1024];
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);
    aio_process *process = start("wc -c", &options);
    aio_stream_writer *writer = aio_process_stdin(process);
    aio_process_output output;

    expect_int_equal(aio_stream_writer_write(writer, zeros, sizeof(zeros)), 0);
    expect_int_equal(aio_stream_writer_drain(writer), 0);
    expect_true(aio_transport_get_write_buffer_size(aio_stream_writer_transport(writer)) <=
                16 * 1024);
    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_string_equal(output.out, "1048576\n");
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(drain_waits_for_the_child_to_read);

static int in_writer_tells_that_the_child_has_gone(void *arg, void **ret_result)
{
    static const char zeros[1024 * 1024];
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, 0, 0);
    aio_process *process = start("exec sleep 1000", &options);
    aio_stream_writer *writer = aio_process_stdin(process);

    expect_null(aio_process_stdout(process));
    expect_int_equal(aio_stream_writer_write(writer, zeros, sizeof(zeros)), 0);
    expect_int_equal(aio_process_kill(process), 0);
    expect_int_equal(aio_stream_writer_drain(writer), -EPIPE);
    expect_int_equal(aio_stream_writer_wait_closed(writer), -EPIPE);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    aio_process_unref(process);
    return 0;
}
IN_TASK(writer_tells_that_the_child_has_gone);

/* Each pipe holds less than that: whoever read one after the other would wait for ever. */
static int in_communicate_reads_both_outputs_at_once(void *arg, void **ret_result)
{
    aio_subprocess_options options = with_pipes(0, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);
    aio_process *process =
        start("head -c 500000 /dev/zero >&2; head -c 600000 /dev/zero", &options);
    aio_process_output output;

    expect_int_equal(aio_process_communicate(process, NULL, 0, &output), 0);
    expect_int_equal(output.out_size, 600000);
    expect_int_equal(output.err_size, 500000);
    aio_process_output_clear(&output);
    aio_process_unref(process);
    return 0;
}
IN_TASK(communicate_reads_both_outputs_at_once);

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
    process = start("echo there; echo nowhere >&2", &options);
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
    process = start("exec sleep 1000", &options);
    expect_int_equal(getsid(aio_process_pid(process)), aio_process_pid(process));
    expect_int_equal(aio_process_kill(process), 0);
    expect_int_equal(aio_process_wait(process, NULL), 0);
    aio_process_unref(process);

    options.start_new_session = false;
    options.set_process_group = true;
    process = start("exec sleep 1000", &options);
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

/* --- what is left behind ------------------------------------------------------------------ */

static int in_process_dropped_is_still_waited_for(void *arg, void **ret_result)
{
    int ends[2];
    char byte;
    aio_subprocess_options options;
    siginfo_t info;

    expect_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options = with_pipes(0, ends[1], 0);
    aio_process_unref(start("exit 0", &options));
    close(ends[1]);
    expect_int_equal(read(ends[0], &byte, 1), 0); /* it has ended, or is about to */
    close(ends[0]);
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != -1)
        expect_int_equal(aio_sleep(0), 0);
    expect_int_equal(errno, ECHILD);
    return 0;
}

static int leave_it_running(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_subprocess_options options = with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, 0);

    f->subject = start("exec sleep 1000", &options);
    return 0;
}

static void loop_closed_under_a_process_kills_it(void **state)
{
    struct fixture *f = *state;
    int code = 0;

    assert_int_equal(run(f, leave_it_running), 0);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_true(aio_process_returncode(f->subject, &code));
    assert_int_equal(code, -SIGKILL);
    aio_process_unref(f->subject);
}

static int communicate_with_a_sleeper(void *arg, void **ret_result)
{
    aio_subprocess_options options =
        with_pipes(AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE, AIO_SUBPROCESS_PIPE);
    aio_process *process = start("exec sleep 1000", &options);
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

    assert_int_equal(run(f, let_it_begin), 0);
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

IN_TASK(process_dropped_is_still_waited_for);

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define TEST_WITH_THREAD(test)                                                                     \
    {                                                                                              \
#test "_by_thread", test, setup_with_thread, teardown, NULL                                \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(process_gives_its_exit_code),
        TEST(process_killed_gives_minus_the_signal),
        TEST(process_that_is_over_takes_no_signals),
        TEST(process_gets_any_signal),
        TEST(process_refuses_a_signal_that_is_none),
        TEST(process_taken_by_others_gives_255),
        TEST(process_leaves_other_children_alone),
        TEST(process_does_not_touch_sigchld),
        TEST(process_can_be_waited_for_by_several),
        TEST(wait_lasts_until_the_pipes_are_closed),
        TEST(wait_after_the_end_returns_at_once),
        TEST(communicate_feeds_and_collects),
        TEST(communicate_gives_null_for_what_is_not_piped),
        TEST(communicate_carries_10_mib_through_cat),
        TEST(communicate_ignores_that_nobody_reads),
        TEST(communicate_cancelled_can_be_called_again),
        TEST(output_that_nobody_wants_stops_the_child),
        TEST(streams_talk_with_the_child),
        TEST(drain_waits_for_the_child_to_read),
        TEST(writer_tells_that_the_child_has_gone),
        TEST(communicate_reads_both_outputs_at_once),
        TEST(start_tells_what_is_missing),
        TEST(start_refuses_wrong_calls),
        TEST(start_needs_a_task),
        TEST(start_cancelled_leaves_no_child),
        TEST(streams_go_where_the_options_say),
        TEST(child_gets_only_descriptors_asked_for),
        TEST(child_has_its_directory_environment_and_mask),
        TEST(child_leads_its_own_session_or_group),
        TEST(child_runs_as_another_user),
        TEST(child_has_its_signals_back),
        TEST(process_dropped_is_still_waited_for),
        TEST(loop_closed_under_a_process_kills_it),
        TEST(loop_closed_under_a_waiting_task_kills_the_child),
        TEST_WITH_THREAD(process_gives_its_exit_code),
        TEST_WITH_THREAD(process_killed_gives_minus_the_signal),
        TEST_WITH_THREAD(process_taken_by_others_gives_255),
        TEST_WITH_THREAD(process_leaves_other_children_alone),
        TEST_WITH_THREAD(communicate_feeds_and_collects),
        TEST_WITH_THREAD(start_cancelled_leaves_no_child),
        TEST_WITH_THREAD(loop_closed_under_a_process_kills_it),
        cmocka_unit_test(process_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
