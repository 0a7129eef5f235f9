/* SPDX-License-Identifier: MIT */
/*
 * fan.h - watching several futures for one purpose
 *
 * For gather, wait, as_completed. A done callback that is queued cannot be taken back (S18), so
 * what it points at has to live until it has run, even if nobody is interested any more.
 */
#ifndef AIO__FAN_H
#define AIO__FAN_H

#include "task/task_internal.h"

struct aio__fan {
    /* A watched future is done; not called any more once the fan is over. */
    void (*on_done)(struct aio__fan *fan, aio_future *fut);
    /* Free what the fan is part of: it is over, and no callback is left. */
    void (*release)(struct aio__fan *fan);
    aio_future *outer; /* who awaits it awaits what is watched; NULL: that is nobody's business */
    size_t calls;      /* callbacks that are registered or queued */
    bool over;
};

/*
 * The distinct awaitables of an array, in order of their first places, each made a future of the
 * loop and referenced. *loop may be NULL at first: it becomes that of the first future.
 * 0, or the code of the one that cannot be had; nothing is referenced then.
 */
int aio__fan_collect(aio_future *const *awaitables, size_t count, aio_loop **loop,
                     aio_future **ret_futs, size_t *ret_distinct);

/* Watch a future: on_done comes through the queue, also if it is done already. 0, AIO_ENOMEM. */
int aio__fan_watch(struct aio__fan *fan, aio_future *fut);

/* The outer future of a fan, if a done callback is one's; NULL: it is none, or it is over. */
aio_future *aio__fan_outer(aio_done_fn fn, void *arg);

/* End the watch over the futures given; release follows, now or later. */
void aio__fan_end(struct aio__fan *fan, aio_future *const *futs, size_t count);

#endif
