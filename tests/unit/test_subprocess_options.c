/* SPDX-License-Identifier: MIT */
/*
 * test_subprocess_options.c - what the options of a process say, as its child sees it
 */
#include "support/allocation.h"
#include "support/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run a program whose output is piped, and compare what it writes. */
static int writes(const char *const argv[], const aio_subprocess_options *options,
                  const char *expected)
{
    AIO_AUTO(aio_process) process = NULL;
    aio_process_output output;
    bool same;

    TRY(aio_create_subprocess_exec(argv, options, &process));
    TRY(aio_process_communicate(process, NULL, 0, &output));
    same = output.out != NULL && strcmp(output.out, expected) == 0;
    if (!same)
        print_error("\"%s\" instead of \"%s\"\n", output.out, expected);
    aio_process_output_clear(&output);
    CHECK(same);
    return 0;
}

static aio_subprocess_options piped(void)
{
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_out = AIO_SUBPROCESS_PIPE;
    return options;
}

/* --- the program ----------------------------------------------------------------------- */

static int arguments(void *arg, void **ret_result)
{
    const char *const argv[] = {"sh",  "-c", "for a; do echo \"<$a>\"; done", "sh", "two words", "",
                                "$x*", NULL};
    aio_subprocess_options options = piped();

    return writes(argv, &options, "<two words>\n<>\n<$x*>\n");
}

static void arguments_come_as_they_are(void **state)
{
    room_run(arguments);
}

static int executable(void *arg, void **ret_result)
{
    const char *const argv[] = {"a name", "-c", "echo \"$0\"", NULL};
    aio_subprocess_options options = piped();
    AIO_AUTO(aio_process) process = NULL;

    CHECK_CODE(aio_create_subprocess_exec(argv, &options, &process), -ENOENT);
    options.executable = "/bin/sh";
    TRY(writes(argv, &options, "a name\n"));
    options.executable = "sh"; /* looked up likewise */
    TRY(writes(argv, &options, "a name\n"));
    options.executable = "/no/such/shell";
    CHECK_CODE(aio_create_subprocess_shell("exit", &options, &process), -ENOENT);
    CHECK(process == NULL);
    return 0;
}

static void executable_is_run_instead_of_the_first_argument(void **state)
{
    room_run(executable);
}

/* A folder of its own with a script in it. */
static int make_script(char *folder, char *path, size_t size)
{
    int fd;

    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, size, "%s/aioc-test-program", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    CHECK(fd >= 0);
    CHECK(write(fd, "#!/bin/sh\necho found\n", 21) == 21);
    close(fd);
    return 0;
}

static int find_program(void *arg, void **ret_result)
{
    char folder[] = "/tmp/aioc-test-XXXXXX";
    char path[64];
    char variable[64];
    const char *const env[] = {variable, NULL};
    const char *const by_name[] = {"aioc-test-program", NULL};
    const char *const from_here[] = {"./aioc-test-program", NULL};
    aio_subprocess_options options = piped();
    AIO_AUTO(aio_process) process = NULL;
    int err = make_script(folder, path, sizeof(path));

    (void)snprintf(variable, sizeof(variable), "PATH=/no/such/folder:%s", folder);
    if (err == 0 && aio_create_subprocess_exec(by_name, &options, &process) != -ENOENT)
        err = AIO_EASSERTION;
    options.env = env; /* whose PATH counts, not ours */
    if (err == 0)
        err = writes(by_name, &options, "found\n");
    options.env = NULL;
    options.cwd = folder; /* where the child is when it looks */
    if (err == 0)
        err = writes(from_here, &options, "found\n");
    (void)unlink(path);
    (void)rmdir(folder);
    return err;
}

static void program_is_looked_up_where_the_child_will_be(void **state)
{
    room_run(find_program);
}

/* --- its streams ----------------------------------------------------------------------- */

static int merged(void *arg, void **ret_result)
{
    aio_subprocess_options options = piped();
    AIO_AUTO(aio_process) process = NULL;
    aio_process_output output;
    bool same;

    options.std_err = AIO_SUBPROCESS_STDOUT;
    TRY(aio_create_subprocess_shell("echo out; echo err >&2", &options, &process));
    CHECK(aio_process_stdin(process) == NULL && aio_process_stderr(process) == NULL);
    CHECK(aio_process_stdout(process) != NULL);
    TRY(aio_process_communicate(process, NULL, 0, &output));
    same = strcmp(output.out, "out\nerr\n") == 0 && output.err == NULL && output.err_size == 0;
    aio_process_output_clear(&output);
    CHECK(same);
    return 0;
}

static void outputs_that_are_merged_have_one_reader(void **state)
{
    room_run(merged);
}

/* Where std_err is merged with what is inherited, it is that: a file in the place of our output. */
static int merged_with_ours(void *arg, void **ret_result)
{
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;
    AIO_AUTO(aio_process) process = NULL;
    char text[16] = "";
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int ours = dup(STDOUT_FILENO);
    int err;

    CHECK(file >= 0 && ours >= 0);
    (void)fflush(stdout);
    CHECK(dup2(file, STDOUT_FILENO) == STDOUT_FILENO);
    options.std_err = AIO_SUBPROCESS_STDOUT;
    err = aio_create_subprocess_shell("echo err >&2", &options, &process);
    CHECK(dup2(ours, STDOUT_FILENO) == STDOUT_FILENO);
    close(ours);
    if (err == 0)
        err = aio_process_wait(process, NULL);
    (void)pread(file, text, sizeof(text) - 1, 0);
    close(file);
    TRY(err);
    CHECK_TEXT(text, "err\n");
    return 0;
}

static void error_output_follows_an_output_that_is_inherited(void **state)
{
    room_run(merged_with_ours);
}

static int size_of_pipes(void *arg, void **ret_result)
{
    aio_subprocess_options options = piped();
    AIO_AUTO(aio_process) process = NULL;
    aio_transport *transport;

    options.std_in = AIO_SUBPROCESS_PIPE;
    options.pipe_size = 256 * 1024;
    TRY(aio_create_subprocess_shell("cat", &options, &process));
    transport = aio_process_transport(process);
    for (int fd = 0; fd < 2; fd++) {
        aio_transport *pipe = aio_subprocess_transport_get_pipe_transport(transport, fd);

        CHECK(fcntl(*(const int *)aio_transport_get_extra_info(pipe, "pipe"), F_GETPIPE_SZ) ==
              options.pipe_size);
    }
    return aio_process_communicate(process, NULL, 0, NULL);
}

static void pipes_hold_as_much_as_is_said(void **state)
{
    room_run(size_of_pipes);
}

/* --- transports ------------------------------------------------------------------------ */

static const aio_protocol_ops silent_ops = {.size = sizeof(silent_ops)};
static aio_protocol silent = {&silent_ops};

static aio_protocol *give_silent(void *arg)
{
    return &silent;
}

static int without_functions(void *arg, void **ret_result)
{
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; read line; exit 3", NULL};
    AIO_AUTO(aio_transport) transport = NULL;
    aio_protocol *protocol = NULL;
    int code = -1;

    TRY(aio_loop_subprocess_exec(NULL, give_silent, NULL, argv, NULL, &transport, &protocol));
    CHECK(protocol == &silent);
    CHECK(!aio_subprocess_transport_get_returncode(transport, &code) && code == -1);
    for (int fd = 0; fd < 3; fd++) /* all three are pipes unless it says otherwise */
        CHECK(aio_subprocess_transport_get_pipe_transport(transport, fd) != NULL);
    aio_transport_close(aio_subprocess_transport_get_pipe_transport(transport, 0));
    while (aio_transport_get_protocol(transport) != NULL)
        TRY(aio_sleep(0));
    CHECK(aio_subprocess_transport_get_returncode(transport, &code) && code == 3);
    CHECK_CODE(aio_subprocess_transport_send_signal(transport, 15), -ESRCH);
    CHECK_CODE(aio_subprocess_transport_terminate(transport), -ESRCH);
    CHECK_CODE(aio_subprocess_transport_kill(transport), -ESRCH);
    return 0;
}

static void protocol_of_a_process_need_not_have_any_function(void **state)
{
    room_run(without_functions);
}

static int missing_program(void *arg, void **ret_result)
{
    const char *const argv[] = {"no-such-program", NULL};
    aio_transport *transport = NULL;

    CHECK_CODE(aio_loop_subprocess_exec(NULL, give_silent, NULL, argv, NULL, &transport, NULL),
               -ENOENT);
    CHECK_CODE(aio_loop_subprocess_exec(NULL, give_silent, NULL, NULL, NULL, &transport, NULL),
               AIO_EVALUE);
    CHECK_CODE(aio_loop_subprocess_shell(NULL, give_silent, NULL, NULL, NULL, &transport, NULL),
               AIO_EVALUE);
    CHECK_CODE(aio_loop_subprocess_exec(NULL, give_silent, NULL, argv, NULL, NULL, NULL),
               AIO_EVALUE);
    CHECK(transport == NULL);
    return 0;
}

static void transport_of_a_program_that_is_missing_is_not_made(void **state)
{
    room_run(missing_program);
}

/* after asyncio's test_unix_events.TestFunctional, of waitstatus_to_exitcode() */
static void wait_status_is_a_code_or_minus_a_signal_or_as_it_is(void **state)
{
    assert_int_equal(aio_waitstatus_to_exitcode(0), 0);
    assert_int_equal(aio_waitstatus_to_exitcode(W_EXITCODE(17, 0)), 17);
    assert_int_equal(aio_waitstatus_to_exitcode(W_EXITCODE(0, 9)), -9);
    assert_int_equal(aio_waitstatus_to_exitcode(W_EXITCODE(0, 11) | 0x80), -11); /* with a core */
    assert_int_equal(aio_waitstatus_to_exitcode(W_STOPCODE(19)), W_STOPCODE(19));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(arguments_come_as_they_are),
        TEST(executable_is_run_instead_of_the_first_argument),
        TEST(program_is_looked_up_where_the_child_will_be),
        TEST(outputs_that_are_merged_have_one_reader),
        TEST(error_output_follows_an_output_that_is_inherited),
        TEST(pipes_hold_as_much_as_is_said),
        TEST(protocol_of_a_process_need_not_have_any_function),
        TEST(transport_of_a_program_that_is_missing_is_not_made),
        TEST(wait_status_is_a_code_or_minus_a_signal_or_as_it_is),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
