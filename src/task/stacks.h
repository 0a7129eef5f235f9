/* SPDX-License-Identifier: MIT */
/*
 * stacks.h - the stacks of a thread that are no task's: generators' and greenlets'
 *
 * For src/task. Generators and greenlets need no loop, so their fibers come from a pool of the
 * thread. Inside a loop they run within whatever is running there: the loop is told which
 * fiber is current, and a task that waits on such a fiber is resumed on it.
 *
 * Thread: each has its own; an owner stays on the one it was made in.
 */
#ifndef AIO__STACKS_H
#define AIO__STACKS_H

#include "base/list.h"
#include "base/thread.h"
#include "fiber/fiber.h"

/* Whoever has a fiber of ours, or may want one. */
struct aio__stack_owner {
    struct aio__list link;      /* in owners */
    struct aio__stacks *stacks; /* NULL: its thread has ended */
    /* The thread ends: unwind what is suspended, and set stacks to NULL. */
    void (*end)(struct aio__stack_owner *owner);
};

struct aio__stacks {
    struct aio__fiber_pool *pool;
    struct aio__list owners;
    struct aio__fiber_root root;    /* the thread's own stack, where no loop has a name for it */
    struct aio__fiber *running;     /* while no loop dispatches */
    struct aio__question *question; /* to the fiber that is switched to */
    void *greenlets;                /* of greenlet.c, which frees it in end_greenlets */
    void (*end_greenlets)(struct aio__stacks *stacks);
};

/* The calling thread's, made if need be and freed when it ends. NULL: no memory. */
struct aio__stacks *aio__stacks(void);

/* End those of the calling thread now, as its end does. No fiber of theirs may be running. */
void aio__stacks_end(void);

/* Enter an owner into the thread's list, and take it out. */
void aio__stack_owner_init(struct aio__stack_owner *owner, struct aio__stacks *stacks);
void aio__stack_owner_remove(struct aio__stack_owner *owner);

/* Whether an owner belongs to the calling thread. Otherwise AIO_ERUNTIME is raised. */
bool aio__stack_owner_is_here(const struct aio__stack_owner *owner, const char *what);

/* Where the fiber that is running is noted. It stays there until the thread begins or ends to
 * dispatch, and whoever switches notes there who goes on. */
struct aio__fiber **aio__stacks_running(struct aio__stacks *stacks);

/* Switch from the running fiber, noted at *running, and note it. Part of whoever calls it: each
 * return to a frame from before a switch is one that the processor has not foreseen. */
AIO__UNSANITIZED_INLINE void aio__stacks_switch(struct aio__stacks *stacks,
                                                struct aio__fiber **running, struct aio__fiber *to)
{
    struct aio__fiber *from = *running;

    *running = to;
    aio__fiber_switch(from, to);
    while (AIO__UNLIKELY(stacks->question != NULL))
        aio__fiber_answer(from, stacks->question);
}

/*
 * Cleared memory for an object with room behind it for a copy of an argument, aligned for any
 * type. NULL: no memory.
 */
void *aio__alloc_with_copy(size_t object_size, size_t arg_size);
/* Make that copy; gives its address, or arg itself if arg_size is 0. */
void *aio__copy_behind(void *object, size_t object_size, void *arg, size_t arg_size);

/*
 * Put the error that travels in the running strand or thread aside, while destructors run that
 * may raise their own. unstash drops those and brings it back.
 */
aio_exception *aio__error_stash(void);
void aio__error_unstash(aio_exception *error);

#endif
