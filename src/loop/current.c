/* SPDX-License-Identifier: MIT */
/*
 * current.c - the loop of a thread: the running one, or the one that was set
 */
#include "loop/loop_internal.h"

#include <aio/error.h>

aio_loop *aio_get_running_loop(void)
{
    aio_loop *loop = aio__thread()->running;

    if (loop == NULL)
        (void)aio_raise(AIO_ENOLOOP, "no running event loop");
    return loop;
}

aio_loop *aio_get_event_loop(void)
{
    return aio__loop_or_current(NULL);
}

int aio_set_running_loop(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread();
    const aio_loop *now = thread->running;

    if (now != NULL && (now->running || now->dispatching || now->closing))
        return aio_raise(AIO_ERUNTIME, "a loop is running in this thread");
    if (loop != NULL && loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    thread->running = loop;
    return 0;
}

void aio_set_event_loop(aio_loop *loop)
{
    aio__thread()->event_loop = loop;
}

aio_loop *aio__loop_set_here(void)
{
    aio_loop *loop = aio__thread()->event_loop;

    if (loop == NULL)
        (void)aio_raise(AIO_ENOLOOP, "There is no current event loop in this thread.");
    return loop;
}
