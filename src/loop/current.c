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

void aio_set_event_loop(aio_loop *loop)
{
    aio__thread()->event_loop = loop;
}

aio_loop *aio__loop_or_current(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread();

    if (loop != NULL)
        return loop;
    if (thread->running != NULL)
        return thread->running;
    if (thread->event_loop == NULL)
        (void)aio_raise(AIO_ENOLOOP, "There is no current event loop in this thread.");
    return thread->event_loop;
}
