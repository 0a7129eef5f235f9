/* SPDX-License-Identifier: MIT */
/*
 * 20_future2.c - a future that another task finishes
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

static int set_after(void *arg, void **ret_result)
{
    static char value[] = "666";
    aio_future *fut = arg;
    int err = aio_sleep(2);

    if (err < 0)
        return err;
    return aio_future_set_result(fut, value);
}

static int async_main(void *arg, void **ret_result)
{
    aio_loop *loop = aio_get_running_loop();
    AIO_AUTO(aio_future) fut = aio_future_new(loop);
    AIO_AUTO(aio_task) task = aio_loop_create_task(loop, set_after, fut, NULL);
    void *data;
    int err;

    err = aio_await(task, NULL);
    if (err < 0)
        return err;

    err = aio_await(fut, &data);
    if (err < 0)
        return err;
    printf("%s\n", (const char *)data);
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
