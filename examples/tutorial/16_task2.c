/* SPDX-License-Identifier: MIT */
/*
 * 16_task2.c - waiting for a list of tasks, and what a task says of itself
 *
 * The type of the result is what makes it show in the text: the library knows a result
 * only as a pointer.
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

static int async_main(void *arg, void **ret_result)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    void *result1;
    int err;

    options.result_type = &aio_type_string;
    printf("main start...\n");

    AIO_AUTO(aio_task) task1 = aio_create_task_with(func, NULL, &options);
    AIO_AUTO(aio_task) task2 = aio_create_task_with(func, NULL, &options);
    aio_task *task_list[] = {task1, task2};

    printf("main end...\n");

    err = aio_wait(task_list, 2, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
    if (err < 0)
        return err;
    print_done(task_list, 2);

    err = aio_future_result(task_list[0], &result1);
    if (err < 0)
        return err;
    printf("%s\n", (const char *)result1);
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
