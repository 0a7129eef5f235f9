/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - waiting for a time
 *
 * What a sleep needs stands in its own frame: a future that nobody else can get at, and a timer
 * that is in the loop's heap or, for the one batch in which it fires, in the queue. The frame
 * outlives both: the task is woken by the future, an iteration later than the timer at the
 * earliest (S29), and takes the timer out on the way.
 */
#include "task/task_internal.h"

#include <math.h>

struct sleep {
    struct aio__inline step;
    struct aio__timer timer;
    aio_future fut;
};

static const struct aio__future_ops sleep_ops = {.name = "Future"};

static void wake_up(struct aio__inline *step)
{
    struct sleep *sleep = aio__container_of(step, struct sleep, step);

    if (aio__future_is_pending(&sleep->fut))
        aio__future_finish(&sleep->fut, NULL, NULL);
}

/* Not inlined: giving way needs none of this frame, and is where switching costs most. */
static AIO__NOINLINE int sleep_for(struct aio__task *task, double delay)
{
    aio_loop *loop = task->fut.loop;
    struct sleep sleep = {
        .step = {.ready.run = aio__run_inline, .fn = wake_up},
        .timer = {.ready = &sleep.step.ready},
    };
    uint64_t when_ns;
    int err;

    if (!aio__loop_deadline(loop, delay, &when_ns))
        return aio_raise(AIO_EVALUE, "Invalid delay: NaN (not a number)");
    if (AIO__UNLIKELY(loop->closing))
        return aio__task_refuse(task);
    aio__future_init(&sleep.fut, loop, &sleep_ops);
    err = aio__timer_start(loop, &sleep.timer, when_ns);
    if (err < 0)
        return err;
    err = aio__task_wait(task, &sleep.fut);
    if (err == 0)
        err = aio__future_raise(&sleep.fut);
    aio__timer_stop(loop, &sleep.timer);
    aio_exception_unref(sleep.fut.error);
    return err;
}

int aio_sleep(double delay)
{
    struct aio__task *task = aio__running_task();

    if (task == NULL)
        return AIO_ENOTASK;
    return delay <= 0 ? aio__task_yield(task) : sleep_for(task, delay);
}
