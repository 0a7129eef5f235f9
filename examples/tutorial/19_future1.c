/* SPDX-License-Identifier: MIT */
/*
 * 19_future1.c - a future that nobody finishes: the program waits until Ctrl-C
 *
 * SIGINT cancels the main task, and aio_run() then returns the interrupt. The program ends
 * the way the shell expects of an interrupted one: it dies of that signal.
 */
#include <aio/aio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int async_main(void *arg, void **ret_result)
{
    aio_loop *loop = aio_get_running_loop();
    AIO_AUTO(aio_future) fut = aio_future_new(loop);

    return aio_await(fut, NULL);
}

int main(void)
{
    int err = aio_run(async_main, NULL, NULL);

    if (err == AIO_EKEYBOARDINTERRUPT) {
        fprintf(stderr, "KeyboardInterrupt\n");
        (void)signal(SIGINT, SIG_DFL);
        (void)raise(SIGINT);
    }
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
