/* SPDX-License-Identifier: MIT */
/*
 * 24_run_in_executor_thread.c - a blocking function in a thread pool of one's own
 *
 * Leaving Python's `with` blocks the loop until the threads are gone. Here the task waits for
 * that, and the loop goes on.
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

static int run_in(aio_executor *pool)
{
    AIO_AUTO(aio_future) fut = aio_loop_run_in_executor(NULL, pool, func1, NULL);
    void *result;
    int err = aio_await(fut, &result);

    if (err < 0)
        return err;
    printf("current thread pool %s\n", (const char *)result);
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    AIO_AUTO(aio_executor) pool = aio_thread_pool_new(NULL);
    int err = run_in(pool);
    int end = aio_shutdown_executor(pool, AIO_FOREVER, false);

    return err < 0 ? err : end;
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
