/* SPDX-License-Identifier: MIT */
/*
 * 22_concurrent_processpool.c - ten jobs for five processes, and what their futures say
 *
 * The argument crosses a border between processes, so the job says how to encode it.
 */
#include <aio/aio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int func(void *arg, void **ret_result)
{
    sleep(1);
    printf("%d\n", (int)(intptr_t)arg);
    return 0;
}

int main(int argc, char **argv)
{
    aio_process_pool_options options = AIO_PROCESS_POOL_OPTIONS_INIT;
    aio_job_options job = AIO_JOB_OPTIONS_INIT;

    if (aio_process_worker_main(argc, argv)) /* the workers are this program, too */
        return EXIT_SUCCESS;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    job.arg_codec = &aio_codec_int;
    options.max_workers = 5;
    AIO_AUTO(aio_executor) pool = aio_process_pool_new(&options);

    for (intptr_t i = 0; i < 10; i++) {
        AIO_AUTO(aio_concurrent_future)
        fut = aio_executor_submit_with(pool, func, (void *)i, &job);
        char text[64];

        (void)aio_concurrent_future_format(fut, text, sizeof(text));
        printf("%s\n", text);
    }
    /* Python waits for the processes when the program ends. */
    if (aio_executor_shutdown(pool, AIO_FOREVER, false) < 0)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
