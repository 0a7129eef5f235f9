/* SPDX-License-Identifier: MIT */
/*
 * 18_task3_no_loop.c - two mistakes, and what they are answered with
 *
 * A task needs a running loop, and aio_wait() wants tasks. Neither mistake crashes.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int func(void *arg, void **ret_result)
{
    static char value[] = "返回值";

    *ret_result = value;
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(func, NULL, NULL);
    int err = aio_wait(&coro, 1, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);

    if (err == AIO_ETYPE) {
        printf("%s: %s\n", aio_error_name(err), aio_error_text(err));
        err = aio_coroutine_close(coro);
    }
    return err;
}

int main(void)
{
    AIO_AUTO(aio_task) task = aio_create_task(func, NULL);
    int err;

    /* There is no task, and asking for its result says why. */
    err = aio_future_result(task, NULL);
    if (aio_error_is(err, AIO_ERUNTIME))
        printf("%s: %s\n", aio_error_name(err), aio_error_text(err));

    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
