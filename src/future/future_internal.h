/* SPDX-License-Identifier: MIT */
/*
 * future_internal.h - the inside of a future
 *
 * For src/future, for src/task (a task begins with a future, combinators are futures with a
 * cancel of their own), for src/sync (what a NULL stands for), for src/stream (futures in the frame
 * of who waits), and for what finishes futures from libuv's callbacks: src/executor, src/net,
 * src/process.
 */
#ifndef AIO__FUTURE_INTERNAL_H
#define AIO__FUTURE_INTERNAL_H

#include "base/error.h"
#include "loop/loop_internal.h"

#include <aio/error.h>
#include <aio/future.h>
#include <assert.h>

enum aio__future_state {
    AIO__FUTURE_PENDING,
    AIO__FUTURE_FINISHED,
    AIO__FUTURE_FAILED,
    AIO__FUTURE_CANCELLED,
};

enum {
    AIO__FUTURE_REPORT = 1,     /* FAILED: nobody has looked at the error */
    AIO__FUTURE_ERROR_ONCE = 2, /* CANCELLED: the error object goes to who asks first */
    AIO__FUTURE_HAS_CALLS = 4,  /* a done callback is in the chain, not only strands */
    AIO__FUTURE_FIRST_USED = 8, /* the embedded callback is in the chain or queued */
    AIO__FUTURE_MARKED = 16,    /* seen already, by who looks for duplicates */
    AIO__FUTURE_TRACED = 32,    /* the loop knows where it was made: debug mode */
    AIO__FUTURE_AWAITED = 64,   /* it stands in records of who awaits whom: awaited.c */
};

/* kind_flags: this one means the same for all kinds, the others are the kind's. */
enum {
    AIO__FUTURE_CANCELLING = 1 /* pending, and asked to cancel: shown in the repr */
};

/* How the kinds of futures differ. */
struct aio__future_ops {
    const char *name; /* "Future", "Task", ... */
    size_t size;      /* of the object, for the pool; 0: dispose frees it */
    bool is_task;     /* or a coroutine object: only its coroutine can finish it */
    /* Ask a pending one for cancellation; message may be NULL. NULL: cancelled at once. */
    bool (*cancel)(aio_future *fut, const char *message);
    /* The last reference is gone: let go of what the kind has beyond a future. May be NULL. */
    void (*dispose)(aio_future *fut);
    /* What follows the state in the repr. May be NULL. */
    size_t (*describe)(const aio_future *fut, char *buffer, size_t size);
};

/* A done callback; allocated from the loop, but for a future's first one. */
struct aio__done {
    union {
        struct aio__ready ready; /* in the future's chain, then in the ready queue */
        struct aio__inline step; /* the same of a callback of the library's own */
        struct {
            struct aio__ready ready; /* the same of one of the user's */
            aio__ctx context;
        } call;
    };
    aio_future *fut; /* referenced from when it is queued */
    aio_done_fn fn;
    void *arg;
};

struct aio_future {
    aio_loop *loop; /* NULL only for a coroutine object; objects keep the loop's memory */
    const struct aio__future_ops *ops;
    uint32_t refs;
    uint8_t state;
    uint8_t flags;
    uint16_t kind_flags; /* of the kind */
    int code;            /* FAILED: its error's code */
    union {
        void *value;          /* FINISHED: destroyed by type */
        aio_exception *error; /* FAILED, CANCELLED: may be NULL; PENDING, of a task: the message
                                 of the cancellation to come */
    };
    const aio_type *type;    /* FINISHED: may be NULL */
    struct aio__ready *last; /* PENDING: who waits, as a ring; NULL: nobody */
    struct aio__done first;  /* saves most futures an allocation */
};

/* Debug mode: have the loop note where it was made, which is here, unless it knows already. For
 * those that aio__future_free() will free. */
void aio__future_trace(aio_future *fut);

/* Prepare a future of some kind; one reference. */
static inline void aio__future_init(aio_future *fut, aio_loop *loop,
                                    const struct aio__future_ops *ops)
{
    fut->loop = loop;
    fut->ops = ops;
    fut->refs = 1;
    fut->state = AIO__FUTURE_PENDING;
    fut->flags = 0;
    fut->kind_flags = 0;
    fut->code = 0;
    fut->type = NULL;
    fut->error = NULL;
    fut->last = NULL;
    /* Those that stand in a frame of their user's are not freed, and never seen by anybody. */
    if (ops->size != 0 || ops->dispose != NULL)
        if (AIO__UNLIKELY(loop != NULL && loop->debug))
            aio__future_trace(fut);
}

/* The plain kind. */
extern const struct aio__future_ops aio__future_plain;

/* Finish one that is pending: queues every callback, runs none. */
void aio__future_finish(aio_future *fut, void *value, const aio_type *type);
void aio__future_fail(aio_future *fut, int code,
                      aio_exception *error); /* error is kept; may be NULL */
void aio__future_cancelled(aio_future *fut, const char *message);
/* Cancelled by an AIO_ECANCELLED that came out of a task: its object (taken, may be NULL) goes to
 * the first who asks. */
void aio__future_cancelled_by(aio_future *fut, aio_exception *error);

/* Put a strand behind those who wait for a pending future. */
static inline void aio__future_add_waiter(aio_future *fut, struct aio__ready *node)
{
    if (fut->last == NULL) {
        node->next = node;
    } else {
        node->next = fut->last->next;
        fut->last->next = node;
    }
    fut->last = node;
}

/* Take a strand out of that line, if it is in it: it will not be woken any more. */
void aio__future_remove_waiter(aio_future *fut, struct aio__ready *node);

/* For those who look, and change nothing: called for each who waits, first come first. */
struct aio__waiter_visitor {
    void (*strand)(struct aio__waiter_visitor *self, struct aio__strand *strand);
    void (*step)(struct aio__waiter_visitor *self, aio_done_fn fn, void *arg); /* the library's */
};
void aio__future_each_waiter(const aio_future *fut, struct aio__waiter_visitor *visitor);

/* awaited.c: call for each that was recorded to await a future; it changes no record. */
void aio__awaited_each(const aio_future *fut, void (*call)(aio_future *waiter, void *arg),
                       void *arg);
/* A future that stands in records goes. */
void aio__awaited_forget(const aio_future *fut);

/*
 * A done callback of the library's own: runs on any stack, does little, and may be given to
 * aio_future_remove_done_callback(). It is called in any case once it is queued, also by a loop
 * that is being closed. 0, or AIO_ENOMEM.
 */
int aio__future_add_step(aio_future *fut, aio_done_fn fn, void *arg);

/* Raise what a done future ended with, as its result() does; 0 if it has a value. */
int aio__future_raise(aio_future *fut);

/* Its value is the caller's now, to free or to use for longer than the future lives. Finished; if
 * it wraps a concurrent future, nobody else has that. */
void aio__future_disown_value(aio_future *fut);

/* The error of a cancelled future, as asyncio makes it afresh: raises it. */
int aio__future_raise_cancelled(aio_future *fut);

static inline bool aio__future_is_pending(const aio_future *fut)
{
    return fut->state == AIO__FUTURE_PENDING;
}

/* Count the error as retrieved. */
static inline void aio__future_disarm(aio_future *fut)
{
    fut->flags &= (uint8_t)~AIO__FUTURE_REPORT;
}

/* Free a future whose last reference is gone. */
void aio__future_free(aio_future *fut);

/* aio_future_unref() of what is not NULL. */
static inline void aio__future_drop(aio_future *fut)
{
    if (--fut->refs == 0)
        aio__future_free(fut);
}

#endif
