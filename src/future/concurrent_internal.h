/* SPDX-License-Identifier: MIT */
/*
 * concurrent_internal.h - the inside of a concurrent future
 *
 * For src/future, for src/task (coroutines run from another thread), and for src/executor, whose
 * jobs begin with one.
 */
#ifndef AIO__CONCURRENT_INTERNAL_H
#define AIO__CONCURRENT_INTERNAL_H

#include "base/list.h"

#include <aio/concurrent.h>
#include <pthread.h>
#include <stdatomic.h>

enum aio__concurrent_state {
    AIO__CONCURRENT_PENDING,
    AIO__CONCURRENT_RUNNING,
    AIO__CONCURRENT_CANCELLED,
    AIO__CONCURRENT_NOTIFIED, /* cancelled, and its executor knows */
    AIO__CONCURRENT_FINISHED,
    AIO__CONCURRENT_FAILED,
};

/* How the kinds of concurrent futures differ. */
struct aio__concurrent_ops {
    /* It has just been cancelled: nobody will run it. In the cancelling thread, before waiters
     * and callbacks hear of it, without the lock. May be NULL. */
    void (*cancelled)(aio_concurrent_future *fut);
    /* The last reference is gone: let go of what the kind has beyond a future, and free it. */
    void (*dispose)(aio_concurrent_future *fut);
};

/* A done callback. */
struct aio__concurrent_done {
    struct aio__concurrent_done *next;
    aio_concurrent_done_fn fn;
    void *arg;
    bool is_own; /* part of something of the library's, not to be freed */
};

/* A thread that is blocked until some futures are done. */
struct aio__blocker {
    pthread_mutex_t lock; /* taken with a future's lock held, never the other way round */
    pthread_cond_t wake;
    bool is_woken;
    /* A future is done; with the lock held. true: wake. */
    bool (*done)(struct aio__blocker *blocker, aio_concurrent_future *fut);
};

/* Its place in the list of one of them. */
struct aio__blocker_link {
    struct aio__list link;
    struct aio__blocker *blocker;
};

struct aio_concurrent_future {
    atomic_size_t refs;
    const struct aio__concurrent_ops *ops;
    pthread_mutex_t lock;
    _Atomic(uint8_t) state;                 /* written with the lock held */
    void *value;                            /* FINISHED: destroyed by type */
    const aio_type *type;                   /* may be NULL */
    aio_exception *error;                   /* FAILED: never NULL */
    aio_loop *loop;                         /* whose thread finishes it, to compare; or NULL */
    struct aio__concurrent_done *callbacks; /* in order; NULL once done */
    struct aio__concurrent_done **callbacks_end;
    struct aio__list blockers; /* struct aio__blocker_link */
};

/* Prepare one of some kind; one reference. 0, or a code: there is nothing to dispose of then. */
int aio__concurrent_init(aio_concurrent_future *fut, const struct aio__concurrent_ops *ops);

/* What every dispose begins with: let go of the outcome. */
void aio__concurrent_release(aio_concurrent_future *fut);

/* Finish one that is not done. A value or (kept) error that comes too late is not taken: false. */
bool aio__concurrent_finish(aio_concurrent_future *fut, void *value, const aio_type *type);
bool aio__concurrent_fail(aio_concurrent_future *fut, aio_exception *error);

/* Add a callback of the library's own, which cannot fail. */
void aio__concurrent_add_own(aio_concurrent_future *fut, struct aio__concurrent_done *done);

/* Raise what a done one ended with, as its result() does; 0 if it has a value. */
int aio__concurrent_raise(aio_concurrent_future *fut);

static inline enum aio__concurrent_state aio__concurrent_state(const aio_concurrent_future *fut)
{
    return (enum aio__concurrent_state)atomic_load_explicit(&fut->state, memory_order_acquire);
}

/* Blocking. The deadline is of CLOCK_MONOTONIC; NULL: none. */
int aio__blocker_init(struct aio__blocker *blocker,
                      bool (*done)(struct aio__blocker *blocker, aio_concurrent_future *fut));
void aio__blocker_destroy(struct aio__blocker *blocker);
/* Be told of the end of a future; also, at once, if it is done. */
void aio__blocker_watch(struct aio__blocker *blocker, struct aio__blocker_link *link,
                        aio_concurrent_future *fut);
void aio__blocker_forget(struct aio__blocker_link *link, aio_concurrent_future *fut);
/* Block until woken, which is taken back. With the lock held. false: the time is over. */
bool aio__blocker_wait(struct aio__blocker *blocker, const struct timespec *deadline);

/* When a time from now is over; false if that is never. */
bool aio__monotonic_deadline(double timeout, struct timespec *ret_deadline);

#endif
