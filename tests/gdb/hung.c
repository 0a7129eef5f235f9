/* SPDX-License-Identifier: MIT */
/*
 * hung.c - a program with tasks in several states, which then aborts, for gdb to look at
 */
#include <aio/aio.h>
#include <stdlib.h>

#define CALLED __attribute__((noinline))

static volatile int work_done;

CALLED static int wait_for_ever(void *arg)
{
    int err = aio_await(arg, NULL);

    work_done++;
    return err;
}

CALLED static int sleeper(void *arg, void **ret_result)
{
    int err = wait_for_ever(arg);

    work_done++;
    return err;
}

CALLED static int joiner(void *arg, void **ret_result)
{
    int err = aio_await(arg, NULL);

    work_done++;
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    AIO_AUTO(aio_future) never = aio_future_new(aio_get_running_loop());
    AIO_AUTO(aio_task) first = aio_create_task(sleeper, never);
    AIO_AUTO(aio_task) second = aio_create_task(joiner, first);

    (void)aio_task_set_name(first, "first");
    (void)aio_sleep(0);
    (void)aio_sleep(0);
    if (aio_create_task(sleeper, never) != NULL)
        abort();
    return AIO_ENOMEM;
}

int main(void)
{
    return aio_run(async_main, NULL, NULL) < 0;
}
