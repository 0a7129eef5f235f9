/* SPDX-License-Identifier: MIT */
/*
 * children.c - tests of child processes, which are coroutines
 */
#include "support/children.h"

#include "process/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

int children_setup(void **state)
{
    (void)signal(SIGPIPE, SIG_DFL); /* a write to a closed pipe that is not held back kills us */
    return fx_setup_real(state);
}

int children_setup_with_thread(void **state)
{
    aio__child_without_pidfd = true;
    return children_setup(state);
}

int children_teardown(void **state)
{
    int err = fx_teardown(state);

    aio__child_without_pidfd = false;
    if (waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD)
        return err;
    print_error("a child is left\n");
    return -1;
}

int children_run(struct fixture *f, aio_coro_fn fn)
{
    aio_task *task = aio_loop_create_task(f->loop, fn, f, NULL);
    int err = aio_loop_run_until_complete(f->loop, task, NULL);

    aio_future_unref(task);
    return err;
}

unsigned children_failures;

void children_expect(bool is_true, const char *file, int line, const char *condition)
{
    if (is_true)
        return;
    children_failures++;
    print_error("%s:%d: %s\n", file, line, condition);
}

aio_process *start_command(const char *command, const aio_subprocess_options *options)
{
    aio_process *process = NULL;

    expect_int_equal(aio_create_subprocess_shell(command, options, &process), 0);
    return process;
}

aio_subprocess_options with_pipes(int std_in, int std_out, int std_err)
{
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_in = std_in;
    options.std_out = std_out;
    options.std_err = std_err;
    return options;
}

aio_subprocess_options with_output(void)
{
    return with_pipes(0, AIO_SUBPROCESS_PIPE, 0);
}
