/* SPDX-License-Identifier: MIT */
/*
 * test_main.c - aio_main(): what a program does when its coroutine is over
 */
#include "support/unit.h"

#include <aio/aio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int succeed(void *arg, void **ret_result)
{
    *ret_result = aio_constant("done");
    return aio_sleep(0);
}

static int go_wrong(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "no such thing: %d", 42);
}

static int leave(void *arg, void **ret_result)
{
    return AIO_ESYSTEMEXIT;
}

/* Ctrl-C while the task waits for ever. */
static int wait_for_interrupt(void *arg, void **ret_result)
{
    AIO_AUTO(aio_future) never = aio_future_new(NULL);

    (void)kill(getpid(), SIGINT);
    return aio_await(never, NULL);
}

struct ending {
    int status; /* as waitpid() gives it */
    char text[1024];
};

/* Run aio_main() in a child and see how it ends and what it says. */
static struct ending run_in_child(aio_coro_fn fn)
{
    struct ending ending = {0};
    size_t length = 0;
    ssize_t got;
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(aio_main(fn, NULL));
    }
    close(ends[1]);
    while ((got = read(ends[0], ending.text + length, sizeof(ending.text) - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &ending.status, 0), pid);
    return ending;
}

static void success_is_silent(void **state)
{
    struct ending ending = run_in_child(succeed);

    assert_true(WIFEXITED(ending.status));
    assert_int_equal(WEXITSTATUS(ending.status), EXIT_SUCCESS);
    assert_string_equal(ending.text, "");
}

static void an_error_is_printed_and_fails_the_program(void **state)
{
    struct ending ending = run_in_child(go_wrong);

    assert_true(WIFEXITED(ending.status));
    assert_int_equal(WEXITSTATUS(ending.status), EXIT_FAILURE);
    assert_non_null(strstr(ending.text, "ValueError: no such thing: 42"));
}

static void system_exit_fails_without_a_word(void **state)
{
    struct ending ending = run_in_child(leave);

    assert_true(WIFEXITED(ending.status));
    assert_int_equal(WEXITSTATUS(ending.status), EXIT_FAILURE);
    assert_string_equal(ending.text, "");
}

/* S109, S110 */
static void an_interrupt_kills_the_program_as_a_signal(void **state)
{
    struct ending ending = run_in_child(wait_for_interrupt);

    assert_true(WIFSIGNALED(ending.status));
    assert_int_equal(WTERMSIG(ending.status), SIGINT);
    assert_string_equal(ending.text, "KeyboardInterrupt\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_silent),
        cmocka_unit_test(an_error_is_printed_and_fails_the_program),
        cmocka_unit_test(system_exit_fails_without_a_word),
        cmocka_unit_test(an_interrupt_kills_the_program_as_a_signal),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
