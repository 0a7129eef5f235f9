/* SPDX-License-Identifier: MIT */
/*
 * handle.h - the inside of a handle: one call that is queued somewhere
 *
 * For src/loop: timers, watchers, signals and calls from other threads are all handles.
 */
#ifndef AIO__HANDLE_H
#define AIO__HANDLE_H

#include "loop/loop_internal.h"

enum aio__handle_state {
    AIO__HANDLE_QUEUED, /* will run: in the queue, the timer heap or the inbox */
    AIO__HANDLE_RUNNING,
    AIO__HANDLE_DONE,
    AIO__HANDLE_CANCELLED, /* will not run; out of the queue once its turn came */
};

struct aio_handle {
    struct aio__ready ready;    /* in the queue, or the inbox */
    aio_loop *loop;             /* borrowed: handles count among its objects */
    aio_callback_fn fn;         /* kept after the call, for the repr */
    void *arg;                  /* NULL once it cannot run any more */
    aio__ctx context;           /* owned until the call */
    struct aio__timer timer;    /* in the heap while a deadline is to come */
    uint64_t when_ns;           /* timers only */
    struct aio__origin *origin; /* owned; debug mode: where it was made; may be NULL */
    _Atomic(uint32_t) refs;     /* one of them the queue's */
    _Atomic(uint8_t) state;     /* changed from elsewhere for thread-safe handles */
    bool is_timer;
    bool threadsafe; /* cancelled and dropped from any thread; allocated by itself */
    _Atomic(bool) was_cancelled;
};

/* Make a handle that belongs to nobody's queue yet; one reference. NULL: no memory. */
aio_handle *aio__handle_new(aio_loop *loop, aio_callback_fn fn, void *arg);

/* Whether a call may be queued now, by this thread: 0, AIO_ECLOSED, AIO_EVALUE, AIO_ERUNTIME. */
int aio__loop_check_call(aio_loop *loop, aio_callback_fn fn);

/* Give up a handle that is in the queue, the heap or the inbox and will never run. */
void aio__handle_discard(aio_handle *handle);

/* Whether its call is still to come. */
bool aio__handle_is_queued(const aio_handle *handle);

/* The handle of a node, if the node is one; else NULL. */
aio_handle *aio__handle_of(struct aio__ready *node);

#endif
