/* SPDX-License-Identifier: MIT */
/*
 * test_stack.c - how much stack tasks use, and the report when one needs more
 */
#include "base/compiler.h"
#include "fiber/sanitize.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Use about that many bytes of stack, a page at a time. */
static AIO__NOINLINE size_t use_stack(size_t bytes)
{
    volatile char page[4096];

    page[0] = (char)bytes;
    page[sizeof(page) - 1] = page[0];
    if (bytes <= sizeof(page))
        return (size_t)page[0] + 1;
    return use_stack(bytes - sizeof(page)) + (size_t)page[sizeof(page) - 1];
}

static int use_little(void *arg, void **ret_result)
{
    return 0;
}

static int use_much(void *arg, void **ret_result)
{
    return use_stack(24 * 1024) == 0 ? AIO_EASSERTION : 0;
}

static aio_loop *make_loop(bool measure)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.measure_stacks = measure;
    return aio_loop_new(&options);
}

static void a_measuring_loop_tells_the_stack_of_each_task(void **state)
{
    aio_loop *loop = make_loop(true);
    AIO_AUTO(aio_task) much = aio_loop_create_task(loop, use_much, NULL, NULL);
    AIO_AUTO(aio_task) little = aio_loop_create_task(loop, use_little, NULL, NULL);

    assert_int_equal(aio_task_get_stack_used(much), 0);
    assert_int_equal(aio_loop_run_until_complete(loop, much, NULL), 0);
    assert_int_equal(aio_loop_run_until_complete(loop, little, NULL), 0);
    assert_true(aio_task_get_stack_used(much) >= 24 * 1024);
    assert_true(aio_task_get_stack_used(little) > 0);
    assert_true(aio_task_get_stack_used(little) < 24 * 1024);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

static void a_loop_that_does_not_measure_tells_nothing(void **state)
{
    aio_loop *loop = make_loop(false);
    AIO_AUTO(aio_task) task = aio_loop_create_task(loop, use_much, NULL, NULL);

    assert_int_equal(aio_loop_run_until_complete(loop, task, NULL), 0);
    assert_int_equal(aio_task_get_stack_used(task), 0);
    assert_int_equal(aio_task_get_stack_used(NULL), 0);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

static int recurse_for_ever(void *arg, void **ret_result)
{
    return use_stack(SIZE_MAX) == 0 ? AIO_EASSERTION : 0;
}

/* In a child: overflow the stack of a task called "greedy"; its standard error is the pipe. */
static void overflow_in_child(int pipe_end)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_loop *loop = make_loop(false);
    aio_task *task;

    (void)dup2(pipe_end, STDERR_FILENO);
    (void)signal(SIGSEGV, SIG_DFL);
    options.name = "greedy";
    task = aio_loop_create_task(loop, recurse_for_ever, NULL, &options);
    if (aio_stack_overflow_watch() < 0)
        _exit(3);
    (void)aio_loop_run_until_complete(loop, task, NULL);
    _exit(4);
}

static void an_overflow_is_reported_with_the_name_of_the_task(void **state)
{
    char text[1024] = "";
    size_t length = 0;
    ssize_t got;
    int ends[2];
    int status;
    pid_t pid;

    if (AIO__ASAN || AIO__TSAN || AIO__ON_VALGRIND)
        skip(); /* these see the access first */
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0)
        overflow_in_child(ends[1]);
    close(ends[1]);
    while ((got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_non_null(strstr(text, "task 'greedy' (coroutine recurse_for_ever, "));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_measuring_loop_tells_the_stack_of_each_task),
        cmocka_unit_test(a_loop_that_does_not_measure_tells_nothing),
        cmocka_unit_test(an_overflow_is_reported_with_the_name_of_the_task),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
