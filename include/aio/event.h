/* SPDX-License-Identifier: MIT */
/*
 * event.h - a flag that tasks can wait for
 *
 * It belongs to the loop of the first task that has to wait for it.
 */
#ifndef AIO_EVENT_H
#define AIO_EVENT_H

#include <aio/error.h>

AIO_BEGIN_DECLS

typedef struct aio_event aio_event;

/**
 * Make an event, not set.
 *
 * @return Returned: aio_event_unref() it. NULL when memory is short; waiting for that NULL
 *         gives the code.
 * Suspends: no.   Thread: any.   asyncio: asyncio.Event()        Since: 0.1
 */
AIO_API aio_event *aio_event_new(void);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_event *aio_event_ref(aio_event *event);
/** Drop a reference; NULL is allowed. Tasks that wait hold one each. Since: 0.1 */
AIO_API void aio_event_unref(aio_event *event);
AIO_DEFINE_AUTO(aio_event)

/**
 * Wait until the event is set. Who was waiting when it was set returns, even if it is
 * cleared again before the task runs.
 *
 * @return 0, or a negative code:
 *   AIO_ECANCELLED  the calling task was cancelled
 *   AIO_ENOTASK, AIO_ENOLOOP  it is not set, and only a task can wait
 *   AIO_ERUNTIME    it is not set, and tasks of another loop have waited for it
 *   AIO_ENOMEM      it is not set, and memory is short
 *
 * Suspends:            only while it is not set
 * Cancellation point:  whenever it suspends
 * Thread:              the loop's
 * asyncio:             Event.wait()                              Since: 0.1
 */
AIO_API int aio_event_wait(aio_event *event);

/** Set the flag and wake all who wait; nothing if it is set, or NULL.
 *  Suspends: no.   asyncio: Event.set()   Since: 0.1 */
AIO_API void aio_event_set(aio_event *event);
/** Clear the flag: who comes from now on waits. Nothing for NULL.
 *  Suspends: no.   asyncio: Event.clear()   Since: 0.1 */
AIO_API void aio_event_clear(aio_event *event);
/** Whether it is set; false for NULL.   asyncio: Event.is_set()   Since: 0.1 */
AIO_API bool aio_event_is_set(const aio_event *event);

AIO_END_DECLS

#endif
