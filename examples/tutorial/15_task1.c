/* SPDX-License-Identifier: MIT */
/*
 * 15_task1.c - two tasks run at the same time: 2 seconds, not 4
 *
 * Making a task does not run it: "main end..." comes before the first "1".
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int func(void *arg, void **ret_result)
{
    static char value[] = "返回值";
    int err;

    printf("1\n");
    err = aio_sleep(2);
    if (err < 0)
        return err;
    printf("2\n");
    *ret_result = value;
    return 0;
}

static int async_main(void *arg, void **ret_result)
{
    void *result1, *result2;
    int err;

    printf("main start...\n");

    AIO_AUTO(aio_task) task1 = aio_create_task(func, NULL);
    AIO_AUTO(aio_task) task2 = aio_create_task(func, NULL);

    printf("main end...\n");

    err = aio_await(task1, &result1);
    if (err < 0)
        return err;
    err = aio_await(task2, &result2);
    if (err < 0)
        return err;
    printf("%s %s\n", (const char *)result1, (const char *)result2);
    return 0;
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
