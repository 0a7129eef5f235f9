/* SPDX-License-Identifier: MIT */
/*
 * cancelling.c - a task that is cancelled at each point where it waits
 */
#include "support/cancelling.h"

#include <aio/loop.h>
#include <aio/testing.h>

struct plan {
    aio_task *task;
    unsigned step;  /* of the task, at which it is cancelled */
    unsigned steps; /* so far */
    bool waiting;   /* cancelled once it waits, after the step */
};

static int cancel_now(void *arg)
{
    struct plan *plan = arg;

    (void)aio_task_cancel(plan->task, NULL);
    return 0;
}

static void on_step(aio_loop *loop, const aio_testing_step *step, void *arg)
{
    struct plan *plan = arg;

    if (step->kind != AIO_TESTING_TASK || step->task != plan->task || plan->steps++ != plan->step)
        return;
    if (!plan->waiting || aio_loop_call_soon(loop, cancel_now, plan, NULL) < 0)
        (void)aio_task_cancel(plan->task, NULL);
}

/* One run: its code. */
static int run(aio_coro_fn fn, void *arg, struct plan *plan)
{
    aio_loop *loop = aio_get_running_loop();
    int err;

    plan->task = aio_create_task(fn, arg);
    aio_testing_on_step(loop, on_step, plan);
    err = aio_await(plan->task, NULL);
    aio_testing_on_step(loop, NULL, NULL);
    (void)aio_sleep(0); /* a cancellation that comes too late */
    aio_future_unref(plan->task);
    return err;
}

int cancel_at_each_point(aio_coro_fn fn, void *arg, unsigned *ret_points)
{
    int err = AIO_ECANCELLED;

    for (unsigned step = 0; err == AIO_ECANCELLED; step++) {
        for (unsigned way = 0; way < 2; way++) {
            struct plan plan = {.step = step, .waiting = way == 0};

            err = run(fn, arg, &plan);
            if (err < 0 && err != AIO_ECANCELLED)
                return err;
        }
        *ret_points = step;
    }
    return err;
}
