/* SPDX-License-Identifier: MIT */
/*
 * 21_concurrent_threadpool.c - ten jobs for five threads, and what their futures say
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

int main(void)
{
    aio_thread_pool_options options = AIO_THREAD_POOL_OPTIONS_INIT;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    options.max_workers = 5;
    AIO_AUTO(aio_executor) pool = aio_thread_pool_new(&options);

    for (intptr_t i = 0; i < 10; i++) {
        AIO_AUTO(aio_concurrent_future) fut = aio_executor_submit(pool, func, (void *)i);
        char text[64];

        (void)aio_concurrent_future_format(fut, text, sizeof(text));
        printf("%s\n", text);
    }
    /* Python waits for the threads when the program ends. */
    if (aio_executor_shutdown(pool, AIO_FOREVER, false) < 0)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
