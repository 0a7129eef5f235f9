/* SPDX-License-Identifier: MIT */
/*
 * 14_await3.c - a coroutine awaits another twice: one after the other, 4 seconds
 *
 * Awaiting is waiting. For things to happen at the same time see the tasks of 15_task1.c.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int others(void *arg, void **ret_result)
{
    static char value[] = "返回值";
    int err;

    printf("start\n");
    err = aio_sleep(2);
    if (err < 0)
        return err;
    printf("end\n");
    *ret_result = value;
    return 0;
}

static int func(void *arg, void **ret_result)
{
    void *response1 = NULL, *response2 = NULL;
    int err;

    printf("执行协程函数内部代码\n");

    err = others(NULL, &response1);
    if (err < 0)
        return err;
    printf("IO请求结束，结果为： %s\n", (const char *)response1);

    err = others(NULL, &response2);
    if (err < 0)
        return err;
    printf("IO请求结束，结果为： %s\n", (const char *)response2);
    return 0;
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(func, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
