/* SPDX-License-Identifier: MIT */
/*
 * 09_event_loop.c - a list of tasks, and a loop that goes round until all are done
 *
 * The tasks are made before the loop runs. They start in that order and end in the order
 * of their times.
 */
#include <aio/aio.h>
#include <stdio.h>
#include <stdlib.h>

struct work {
    const char *name;
    double secs;
};

static int work(void *arg, void **ret_result)
{
    const struct work *work = arg;
    int err;

    printf("%s start\n", work->name);
    err = aio_sleep(work->secs);
    if (err < 0)
        return err;
    printf("%s end\n", work->name);
    return 0;
}

static int wait_all(void *arg, void **ret_result)
{
    aio_task **tasks = arg;

    return aio_wait(tasks, 3, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
}

static int run(aio_loop *loop)
{
    static struct work work1 = {"task1", 0.3}, work2 = {"task2", 0.2}, work3 = {"task3", 0.1};
    AIO_AUTO(aio_task) task1 = aio_loop_create_task(loop, work, &work1, NULL);
    AIO_AUTO(aio_task) task2 = aio_loop_create_task(loop, work, &work2, NULL);
    AIO_AUTO(aio_task) task3 = aio_loop_create_task(loop, work, &work3, NULL);
    aio_task *tasks[] = {task1, task2, task3};
    AIO_AUTO(aio_coroutine) all = aio_coroutine_new(wait_all, tasks, NULL);

    return aio_loop_run_until_complete(loop, all, NULL);
}

int main(void)
{
    AIO_AUTO(aio_loop) loop = aio_new_event_loop();
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (loop == NULL) {
        fprintf(stderr, "cannot make a loop\n");
        return EXIT_FAILURE;
    }
    err = run(loop);
    if (err < 0)
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
    (void)aio_loop_close(loop);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
