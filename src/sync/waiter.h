/* SPDX-License-Identifier: MIT */
/*
 * waiter.h - tasks in line, each asleep on a future of its own
 *
 * For src/sync. A line is a list of waiters, first come first. A waiter lives on the stack of
 * the task that waits: that task takes it out of the line before it goes on, on every way out,
 * so no line ever holds one whose stack is gone.
 *
 * What wakes whom, and who passes a wake-up on that it cannot use, differs between the
 * primitives and is theirs; the order of events is that of CPython's asyncio throughout.
 */
#ifndef AIO__WAITER_H
#define AIO__WAITER_H

#include "base/list.h"

#include <aio/future.h>

struct aio__waiter {
    struct aio__list link; /* in a line; empty before, and after it was taken out */
    aio_future *fut;       /* owned; done once woken or cancelled */
};

static inline struct aio__waiter *aio__waiter_of(struct aio__list *node)
{
    return aio__container_of(node, struct aio__waiter, link);
}

/*
 * Prepare the calling task to wait, without waiting yet. A primitive belongs to the loop of
 * the first who waits: `bound` is where it keeps that loop, to be compared and never followed,
 * for the loop may be gone. Every failure comes from here, while nothing has changed:
 * AIO_ENOLOOP, AIO_ENOTASK, AIO_ERUNTIME (another loop; `what` names the primitive), AIO_ENOMEM.
 */
int aio__waiter_init(struct aio__waiter *waiter, aio_loop **bound, const char *what);

/* Stand in line until woken (0) or cancelled, and leave the line. */
int aio__waiter_sleep(struct aio__waiter *waiter, struct aio__list *line);

/* Let go of the future. */
void aio__waiter_done(struct aio__waiter *waiter);

/* Wake one that sleeps, and leave it in line; false if it is awake already, or cancelled. */
bool aio__waiter_wake(struct aio__waiter *waiter);

/* Whether it was woken: also true of one that a cancellation then kept from going on. */
static inline bool aio__waiter_was_woken(const struct aio__waiter *waiter)
{
    return aio_future_done(waiter->fut) && !aio_future_cancelled(waiter->fut);
}

/* What follows, where the line is not empty. */
size_t aio__line_wake_some(struct aio__list *line, size_t count);

/* Wake the first `count` that sleep, or all there are, and take them out of the line with the
 * cancelled ones before them. Gives how many it woke. */
static inline size_t aio__line_wake(struct aio__list *line, size_t count)
{
    return aio__list_first(line) == NULL ? 0 : aio__line_wake_some(line, count);
}

/* Whether nobody is ahead of who comes now: all in line, if any, are cancelled. */
bool aio__line_is_free(const struct aio__list *line);

/* A constructor fails: note the code for whoever gets its NULL. Returns NULL. */
void *aio__sync_failed(int code);

/* That code, for functions that are given the NULL. */
int aio__sync_null(void);

#endif
