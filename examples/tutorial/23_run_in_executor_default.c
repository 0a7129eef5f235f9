/* SPDX-License-Identifier: MIT */
/*
 * 23_run_in_executor_default.c - a blocking function in the loop's default thread pool
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int func1(void *arg, void **ret_result)
{
    sleep(2);
    *ret_result = aio_constant("OK");
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    aio_loop *loop = aio_get_running_loop();
    void *result;
    int err;

    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(loop, NULL, func1, NULL);
    err = aio_await(fut, &result);
    if (err < 0)
        return err;
    printf("default thread pool %s\n", (const char *)result);
    return 0;
}

int main(void)
{
    int err = aio_run(async_main, NULL, NULL);

    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
