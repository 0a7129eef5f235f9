/* SPDX-License-Identifier: MIT */
/*
 * task_internal.h - the inside of a task
 *
 * For src/task, for modules that suspend the running task on something of their own, for src/net,
 * whose workers ask whether a cancellation has arrived, and for src/inspect, which looks at all.
 */
#ifndef AIO__TASK_INTERNAL_H
#define AIO__TASK_INTERNAL_H

#include "future/future_internal.h"
#include "loop/sched.h"

#include <aio/task.h>

/* kind_flags of a task, beside AIO__FUTURE_CANCELLING */
enum {
    AIO__TASK_MUST_CANCEL = 2,        /* throw AIO_ECANCELLED at the next step */
    AIO__TASK_NAMED = 4,              /* name, not number */
    AIO__TASK_RUNNING_BODY = 8,       /* the coroutine has begun and not ended */
    AIO__TASK_ENDED_EAGERLY = 16,     /* in its eager start: the coroutine is gone */
    AIO__TASK_NO_PENDING_REPORT = 32, /* nobody but the library could have waited for it */
    AIO__TASK_BEING_ASKED = 256, /* to cancel, right now; between are those of coroutine objects */
    AIO__TASK_TORN_OUT = 512,    /* woken though what it waits for is pending */
    AIO__TASK_KEEPS_MESSAGE = 1024 /* done, but not cancelled, though that was asked for once */
};

/* A block that a coroutine is in, or the body of a generator: a timeout, a task group. Left if
 * that forgets to. */
struct aio__scope {
    struct aio__scope *outer;
    struct aio__scope **list; /* of the coroutine or body; NULL: its frames are lost */
    int (*leave)(struct aio__scope *scope, int code); /* may suspend; takes itself out */
};

/* What few tasks need. */
struct aio__task_extra {
    void (*arg_destroy)(void *arg);
    const aio_type *result_type;
    _Alignas(16) unsigned char arg[]; /* the task's own copy, if it has one */
};

/* 256 bytes, which come on four cache lines: switching to a task needs the third, where its strand
 * is, and no other. */
struct aio__task {
    aio_future fut; /* first: a task is a future; its error is the cancel message while pending */
    struct aio__list link; /* in loop->tasks until it is done */
    struct aio__strand strand;
    aio_future *waiting; /* what it waits for; referenced */
    aio_coro_fn fn;
    void *arg;
    const char *coroutine;
    const char *file;
    int line;
    unsigned cancels; /* requests not taken back */
    union {
        char *name;      /* owned */
        uint64_t number; /* Task-N */
    } id;
    union {
        struct aio__scope *scopes; /* innermost */
        aio_exception *message;    /* AIO__TASK_KEEPS_MESSAGE: of the last request; owned */
    };
    struct aio__task_extra *extra; /* may be NULL */
};

extern const struct aio__future_ops aio__task_ops;      /* from the loop's pool */
extern const struct aio__future_ops aio__task_own_ops;  /* made from a coroutine object */
extern const struct aio__future_ops aio__coroutine_ops; /* not yet a task */

static inline struct aio__task *aio__task_of(const aio_future *fut)
{
    return (struct aio__task *)(uintptr_t)fut;
}

static inline struct aio__task *aio__task_of_strand(struct aio__strand *strand)
{
    return aio__container_of(strand, struct aio__task, strand);
}

static inline bool aio__is_coroutine(const aio_future *fut)
{
    return fut->ops == &aio__coroutine_ops;
}

/* What is said where there is none: NULL, with AIO_ENOTASK raised. */
struct aio__task *aio__no_running_task(void);

/* The task that is running in this thread; NULL, with AIO_ENOTASK raised. */
static inline struct aio__task *aio__running_task(void)
{
    aio_loop *loop = aio__thread()->running;

    if (AIO__LIKELY(loop != NULL && loop->current != NULL))
        return aio__task_of_strand(loop->current);
    return aio__no_running_task();
}

/*
 * The loop is being closed and the task to unwind: whoever would suspend it gives what this gives,
 * AIO_EGENERATOREXIT, instead. Asked before anything stands on the stack that others could find,
 * and before anything is held: to a task that goes on trying this does not return.
 */
int aio__task_refuse(struct aio__task *task);

/* Raise AIO_ECANCELLED with the message of the last request for cancellation that a task has
 * outlived; without one if there was none, or if the future is no task. */
int aio__task_raise_outlived(aio_future *fut);

/*
 * Suspend the running task until a future is done, which somebody else must keep referenced. The
 * future is pending, and of the task's loop, which is not being closed. 0: it is done, and its
 * outcome is to be asked; or a code that is raised instead of the outcome: AIO_ECANCELLED,
 * AIO_EGENERATOREXIT.
 */
int aio__task_wait(struct aio__task *task, aio_future *fut);

/* Give way for one iteration. 0, AIO_ECANCELLED, AIO_EGENERATOREXIT. */
int aio__task_yield(struct aio__task *task);

/* Run a coroutine object in the calling task. */
int aio__coroutine_await(struct aio__task *coro, void **ret_value);

/* The factory that is asked for a coroutine object makes the task: the object becomes it. 0, or a
 * code: nothing has changed then. */
int aio__coroutine_take(aio_loop *loop, const aio_site *site, aio_coro_fn fn, void *arg,
                        const aio_task_options *options);

/* aio_ensure_future(); a coroutine object that was made without a context runs in this one. NULL:
 * in a copy of the caller's. */
int aio__ensure_future_in(aio_future *awaitable, aio_loop *loop, aio_context *context);

/* Do as the options say. 0, or a code: nothing is held then. */
int aio__task_apply(struct aio__task *task, const aio_task_options *options);

/* Fill in what a task and a coroutine object share, behind the future, which is initialised.
 * 0, or a code: nothing is held then. */
static inline int aio__task_init(struct aio__task *task, const aio_site *site, aio_coro_fn fn,
                                 void *arg, const aio_task_options *options)
{
    aio__list_init(&task->link);
    aio__strand_init(&task->strand);
    task->strand.own_context.bits = 0;
    task->waiting = NULL;
    task->fn = fn;
    task->arg = arg;
    task->coroutine = site->coroutine;
    task->file = site->file;
    task->line = site->line;
    task->cancels = 0;
    task->id.name = NULL;
    task->scopes = NULL;
    task->extra = NULL;
    if (AIO__UNLIKELY(fn == NULL))
        return aio_raise(AIO_EVALUE, "a coroutine was expected, got NULL");
    return AIO__LIKELY(options == NULL) ? 0 : aio__task_apply(task, options);
}

/* The coroutine is over, or will never run: let go of its argument. */
void aio__task_drop_arg(struct aio__task *task);

/* Let an initialised task begin, eagerly or with the next iteration. */
void aio__task_start(struct aio__task *task, aio_loop *loop, bool eager);

/* Tasks of which each waits for the next, while they are asked to cancel. Begins as zero. */
struct aio__chain {
    struct aio__task *first;
    size_t count;
    bool taken;  /* by what the last one waits for: it needs not be cancelled itself */
    bool circle; /* what that waits for leads back to one who is being asked */
};

/* Ask the tasks of a chain that begins with something pending. Gives what its last one waits for,
 * or that itself if it is no task: to be cancelled by the caller, who then says whether it was
 * taken; NULL if there is nothing. */
aio_future *aio__chain_ask(struct aio__chain *chain, aio_future *fut);
/* What it gave was asked, and took the request or did not: a gather may have met a circle. */
void aio__chain_ends_in(struct aio__chain *chain, const aio_future *end, bool taken);
/* Afterwards. Whether anybody took the request. */
bool aio__chain_end(struct aio__chain *chain, const char *message);

/* The cancel and describe of every kind of task. */
bool aio__task_ask_cancel(aio_future *fut, const char *message);
size_t aio__task_describe(const aio_future *fut, char *buffer, size_t size);

/* What the dispose of every kind of task has in common. */
void aio__task_dispose(aio_future *fut);

/* Whoever awaits a future by one of the library's done callbacks, or a future that they await;
 * NULL: the callback is another's, or nobody's any more. */
aio_future *aio__wait_for_outer(aio_done_fn fn, void *arg);
aio_future *aio__taskgroup_outer(aio_done_fn fn, void *arg);

/* awaiters.c: call for each task that awaits a future, itself or by gather, wait, shield, a task
 * group or a record. A task may come more than once. It must not change who awaits whom. */
void aio__task_each_awaiter(aio_future *fut, void (*call)(aio_future *awaiter, void *arg),
                            void *arg);

/* frames.c: the places a task is in the middle of, the newest first; their number. */
size_t aio__task_places(aio_task *task, const void **places, size_t limit);

/* frames.c: the calls that a task is in the middle of, a line each; to be freed. NULL: none, or no
 * memory. */
char *aio__task_stack_text(aio_task *task);

/* Enter a block in the task that runs, or in the body of a generator that it is in: that may be
 * suspended inside the block, and leave it in another task. */
void aio__scope_push(struct aio__task *task, struct aio__scope *scope);

/* Leave a block, in whatever order the caller leaves them. */
void aio__scope_remove(struct aio__scope *scope);

/* What was called has returned inside blocks it had entered, with a code: nothing may outlive
 * them. Gives the code that comes of it. */
int aio__scopes_leave(struct aio__scope **scopes, const char *name, int code);

#endif
