/* SPDX-License-Identifier: MIT */
/*
 * 13_await2.c - a coroutine awaits another: it calls it
 *
 * The call comes back when the other has ended, with its result.
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
    void *response = NULL;
    int err;

    printf("执行协程函数内部代码\n");

    err = others(NULL, &response);
    if (err < 0)
        return err;

    printf("IO请求结束，结果为： %s\n", (const char *)response);
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
