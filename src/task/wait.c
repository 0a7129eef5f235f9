/* SPDX-License-Identifier: MIT */
/*
 * wait.c - waiting for some of several futures, and for one with a limit
 *
 * Thread: the loop's.
 */
#include "task/fan.h"

#include <aio/memory.h>
#include <aio/timeout.h>
#include <aio/wait.h>
#include <math.h>

/* --- wait ------------------------------------------------------------------------------ */

/* Kept until the last callback has run, which may be after the wait is over. */
struct wait {
    struct aio__fan fan;
    aio_return_when when;
    size_t left;         /* futures not done */
    aio_future *waiter;  /* what the waiting task waits for */
    aio_handle *timeout; /* may be NULL */
    size_t count;
    aio_future *futs[]; /* distinct; referenced */
};

static void release_wait(struct aio__fan *fan)
{
    aio_free(aio__container_of(fan, struct wait, fan));
}

static void one_is_done(struct aio__fan *fan, aio_future *fut)
{
    struct wait *wait = aio__container_of(fan, struct wait, fan);
    bool failed = fut->state == AIO__FUTURE_FAILED;

    wait->left--;
    if (wait->left != 0 && wait->when == AIO_ALL_COMPLETED)
        return;
    if (wait->left != 0 && wait->when == AIO_FIRST_EXCEPTION) {
        if (!failed)
            return;
        aio__future_disarm(fut);
    }
    aio_handle_cancel(wait->timeout);
    if (aio__future_is_pending(wait->waiter))
        aio__future_finish(wait->waiter, NULL, NULL);
}

static int time_is_over(void *arg)
{
    aio_future *waiter = arg;

    if (aio__future_is_pending(waiter))
        aio__future_finish(waiter, NULL, NULL);
    return 0;
}

static int run_wait(struct wait *wait, struct aio__task *task, double timeout)
{
    aio_loop *loop = task->fut.loop;
    int err = 0;

    if (timeout != AIO_FOREVER)
        err = aio_loop_call_later(loop, timeout, time_is_over, wait->waiter, &wait->timeout);
    for (size_t i = 0; i < wait->count && err == 0; i++)
        err = aio__fan_watch(&wait->fan, wait->futs[i]);
    if (err == 0)
        err = aio_await(wait->waiter, NULL);
    /* A timer that has fired already finds the waiter done. */
    aio_handle_cancel(wait->timeout);
    aio_handle_unref(wait->timeout);
    wait->timeout = NULL;
    return err;
}

static int check_wait(aio_future *const *futs, size_t count, double timeout, aio_return_when when)
{
    if (count == 0)
        return aio_raise(AIO_EVALUE, "Set of Tasks/Futures is empty.");
    if (futs == NULL)
        return aio_raise(AIO_ETYPE, "an array of futures is required, not NULL");
    if ((unsigned)when > AIO_FIRST_EXCEPTION)
        return aio_raise(AIO_EVALUE, "Invalid return_when value: %d", (int)when);
    if (isnan(timeout))
        return aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)");
    for (size_t i = 0; i < count; i++) {
        if (futs[i] == NULL)
            return aio__null_future();
        if (aio__is_coroutine(futs[i]))
            return aio_raise(AIO_ETYPE, "Passing coroutines is forbidden, use tasks explicitly.");
    }
    return 0;
}

int aio_wait(aio_future *const *futs, size_t count, double timeout, aio_return_when when,
             size_t *ret_done)
{
    struct aio__task *task = aio__running_task();
    struct wait *wait;
    aio_loop *loop;
    size_t done = 0;
    int err;

    if (task == NULL)
        return AIO_ENOTASK;
    err = check_wait(futs, count, timeout, when);
    if (err < 0)
        return err;
    if (AIO__UNLIKELY(task->fut.loop->closing))
        return aio__task_refuse(task);
    wait = count > SIZE_MAX / 16 ? NULL : aio_calloc(1, sizeof(*wait) + count * sizeof(*futs));
    if (wait == NULL)
        return AIO_ENOMEM;
    loop = task->fut.loop;
    err = aio__fan_collect(futs, count, &loop, wait->futs, &wait->count);
    if (err < 0) {
        aio_free(wait);
        return err;
    }

    wait->fan.on_done = one_is_done;
    wait->fan.release = release_wait;
    wait->when = when;
    wait->left = wait->count;
    wait->waiter = aio_future_new(loop);
    wait->fan.outer = wait->waiter;
    err = wait->waiter == NULL ? AIO_ENOMEM : run_wait(wait, task, timeout);
    for (size_t i = 0; i < wait->count; i++)
        done += aio_future_done(wait->futs[i]);
    if (err == 0 && ret_done != NULL)
        *ret_done = done;
    aio_future_unref(wait->waiter);
    wait->fan.calls++;
    aio__fan_end(&wait->fan, wait->futs, wait->count);
    for (size_t i = 0; i < wait->count; i++)
        aio_future_unref(wait->futs[i]);
    if (--wait->fan.calls == 0)
        release_wait(&wait->fan);
    return err;
}

/* --- wait_for -------------------------------------------------------------------------- */

static int release_waiter(aio_future *fut, void *arg)
{
    aio_future *waiter = arg;

    (void)fut;
    if (aio__future_is_pending(waiter))
        aio__future_finish(waiter, NULL, NULL);
    aio_future_unref(waiter);
    return 0;
}

aio_future *aio__wait_for_outer(aio_done_fn fn, void *arg)
{
    return fn == release_waiter ? arg : NULL;
}

/* Cancel, and wait for the end by a future of our own, so that a second cancellation reaches us
 * and not what is ending. */
static int cancel_and_wait(aio_future *fut)
{
    aio_future *waiter = aio_future_new(fut->loop);
    int err;

    if (waiter == NULL)
        return AIO_ENOMEM;
    err = aio__future_add_step(fut, release_waiter, waiter);
    if (err == 0) {
        aio_future_ref(waiter);
        (void)aio_future_cancel(fut, NULL);
        err = aio_await(waiter, NULL);
        if (aio_future_remove_done_callback(fut, release_waiter, waiter) != 0)
            aio_future_unref(waiter);
    }
    aio_future_unref(waiter);
    return err;
}

/* With no time left nothing is begun: what is done is given, all else cancelled (S64). */
static int wait_for_no_time(struct aio__task *task, aio_future *fut, void **ret_value)
{
    int err = aio_ensure_future(fut, task->fut.loop);

    if (err < 0)
        return err;
    if (!aio__future_is_pending(fut))
        return aio_future_result(fut, ret_value);
    aio_future_ref(fut);
    err = cancel_and_wait(fut);
    if (err == 0) {
        err = aio_future_result(fut, ret_value);
        if (err == AIO_ECANCELLED) {
            aio_exception *cause = aio_error_catch(err);

            err = aio_raise_from(cause, AIO_ETIMEDOUT, "timed out");
            aio_exception_unref(cause);
        }
    }
    aio_future_unref(fut);
    return err;
}

int aio_wait_for(aio_future *fut, double timeout, void **ret_value)
{
    struct aio__task *task = aio__running_task();
    aio_timeout *limit;
    int err;

    if (task == NULL)
        return AIO_ENOTASK;
    if (fut == NULL)
        return aio__null_future();
    if (isnan(timeout))
        return aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)");
    if (!aio__is_coroutine(fut) && !aio__future_is_pending(fut))
        return aio_future_result(fut, ret_value);
    if (timeout == AIO_FOREVER)
        return aio_await(fut, ret_value);
    if (AIO__UNLIKELY(task->fut.loop->closing))
        return aio__task_refuse(task);
    if (timeout <= 0)
        return wait_for_no_time(task, fut, ret_value);

    limit = aio_timeout_new(timeout);
    if (limit == NULL)
        return AIO_ENOMEM;
    err = aio_timeout_enter(limit);
    if (err == 0)
        err = aio_timeout_exit(limit, aio_await(fut, ret_value));
    aio_timeout_unref(limit);
    return err;
}
