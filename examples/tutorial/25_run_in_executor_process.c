/* SPDX-License-Identifier: MIT */
/*
 * 25_run_in_executor_process.c - a blocking function in another process
 *
 * Its result comes back as bytes, and the job says how to make them.
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
    aio_job_options options = AIO_JOB_OPTIONS_INIT;
    void *result;
    int err;

    options.result_codec = &aio_codec_string;
    AIO_AUTO(aio_future)
    fut = aio_loop_run_in_executor_with(NULL, pool, func1, NULL, &options);
    err = aio_await(fut, &result);
    if (err < 0)
        return err;
    printf("current process pool %s\n", (const char *)result);
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    AIO_AUTO(aio_executor) pool = aio_process_pool_new(NULL);
    int err = run_in(pool);
    int end = aio_shutdown_executor(pool, AIO_FOREVER, false);

    return err < 0 ? err : end;
}

int main(int argc, char **argv)
{
    int err;

    if (aio_process_worker_main(argc, argv)) /* the worker is this program, too */
        return EXIT_SUCCESS;
    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
