/* SPDX-License-Identifier: MIT */
/*
 * hung.c - a program with loops and tasks in several states, which then aborts, for gdb to look at
 */
#include <aio/aio.h>
#include <stdlib.h>
#include <uv.h>

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

/* Loops that never run a task: one is ready, one in a host's, one closed. */
static int make_loops(void)
{
    static uv_loop_t host;
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_loop *closed;

    if (aio_new_event_loop() == NULL || uv_loop_init(&host) < 0)
        return -1;
    options.uv = &host;
    if (aio_loop_new(&options) == NULL)
        return -1;
    closed = aio_new_event_loop();
    return aio_loop_close(closed);
}

int main(void)
{
    if (make_loops() < 0)
        return 1;
    return aio_run(async_main, NULL, NULL) < 0;
}
