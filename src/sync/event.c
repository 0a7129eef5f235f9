/* SPDX-License-Identifier: MIT */
/*
 * event.c - a flag that tasks can wait for
 *
 * Thread: the loop's.
 */
#include "sync/waiter.h"

#include <aio/event.h>
#include <aio/memory.h>

struct aio_event {
    size_t refs; /* a task that waits holds one */
    bool is_set;
    aio_loop *loop; /* of the first who waited; compared only */
    struct aio__list line;
};

aio_event *aio_event_new(void)
{
    aio_event *event = aio_malloc(sizeof(*event));

    if (event == NULL)
        return aio__sync_failed(AIO_ENOMEM);
    event->refs = 1;
    event->is_set = false;
    event->loop = NULL;
    aio__list_init(&event->line);
    return event;
}

aio_event *aio_event_ref(aio_event *event)
{
    if (event != NULL)
        event->refs++;
    return event;
}

void aio_event_unref(aio_event *event)
{
    if (event != NULL && --event->refs == 0)
        aio_free(event);
}

int aio_event_wait(aio_event *event)
{
    struct aio__waiter me;
    int err;

    if (event == NULL)
        return aio__sync_null();
    if (event->is_set)
        return 0;
    err = aio__waiter_init(&me, &event->loop, "event");
    if (err < 0)
        return err;
    (void)aio_event_ref(event);
    err = aio__waiter_sleep(&me, &event->line); /* and no second look at the flag: S95 */
    aio__waiter_done(&me);
    aio_event_unref(event);
    return err;
}

void aio_event_set(aio_event *event)
{
    if (event == NULL || event->is_set)
        return;
    event->is_set = true;
    (void)aio__line_wake(&event->line, SIZE_MAX);
}

void aio_event_clear(aio_event *event)
{
    if (event != NULL)
        event->is_set = false;
}

bool aio_event_is_set(const aio_event *event)
{
    return event != NULL && event->is_set;
}
