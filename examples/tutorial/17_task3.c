/* SPDX-License-Identifier: MIT */
/*
 * 17_task3.c - coroutine objects made before there is a loop
 *
 * They belong to no loop until one of its tasks makes tasks of them, and outlive it: their
 * results can be read after aio_run() has closed it.
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

static int wait_all(void *arg, void **ret_result)
{
    aio_coroutine **coros = arg;

    for (size_t i = 0; i < 2; i++) {
        int err = aio_ensure_future(coros[i], NULL);
        if (err < 0)
            return err;
    }
    return aio_wait(coros, 2, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
}

/* The set of those that are done, as Python prints it. */
static void print_done(aio_task *const *tasks, size_t count)
{
    const char *before = "{";
    char text[1024];

    for (size_t i = 0; i < count; i++) {
        if (!aio_future_done(tasks[i]))
            continue;
        (void)aio_future_format(tasks[i], text, sizeof(text));
        printf("%s%s", before, text);
        before = ", ";
    }
    printf("}\n");
}

int main(void)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    void *result1;
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    options.result_type = &aio_type_string;

    AIO_AUTO(aio_coroutine) coro1 = aio_coroutine_new(func, NULL, &options);
    AIO_AUTO(aio_coroutine) coro2 = aio_coroutine_new(func, NULL, &options);
    aio_coroutine *task_list[] = {coro1, coro2};

    err = aio_run(wait_all, task_list, NULL);
    if (err == 0) {
        print_done(task_list, 2);
        err = aio_future_result(task_list[0], &result1);
    }
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    printf("%s\n", (const char *)result1);
    return EXIT_SUCCESS;
}
