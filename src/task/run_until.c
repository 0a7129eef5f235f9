/* SPDX-License-Identifier: MIT */
/*
 * run_until.c - run the loop until a future is done
 */
#include "future/future_internal.h"

#include <aio/task.h>

/* A task whose error ends the run has done so already: this is called by a later one, if any. */
static int stop_loop(aio_future *fut, void *arg)
{
    (void)arg;
    if (!fut->ops->is_task || fut->state != AIO__FUTURE_FAILED || !aio__ends_run(fut->code))
        aio_loop_stop(fut->loop);
    return 0;
}

/* asyncio ends the run in the iteration after the one that finished the future: the stop is
 * asked for by a done callback, and what that iteration runs beside it still runs. */
int aio_loop_run_until_complete(aio_loop *loop, aio_future *fut, void **ret_value)
{
    int err;

    if (fut == NULL)
        return aio__null_future();
    if (loop == NULL || loop->closed)
        return loop == NULL ? aio_raise(AIO_ENOLOOP, "no event loop given")
                            : aio_raise(AIO_ECLOSED, "Event loop is closed");
    if (loop->running || aio__thread()->running != NULL)
        return aio_raise(AIO_ERUNTIME, "This event loop is already running");
    err = aio_ensure_future(fut, loop);
    if (err == 0)
        err = aio_future_add_done_callback(fut, stop_loop, NULL);
    if (err < 0)
        return err;

    aio_future_ref(fut);
    err = aio_loop_run_forever(loop);
    (void)aio_future_remove_done_callback(fut, stop_loop, NULL);
    if (err == 0 && aio__future_is_pending(fut))
        err = aio_raise(AIO_ERUNTIME, "Event loop stopped before Future completed.");
    if (err == 0)
        err = aio_future_result(fut, ret_value);
    else if (!aio__future_is_pending(fut) && !aio_future_cancelled(fut))
        aio__future_disarm(fut); /* the caller hears of it by the run's code */
    aio_future_unref(fut);
    return err;
}
