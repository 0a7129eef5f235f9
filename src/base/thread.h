/* SPDX-License-Identifier: MIT */
/*
 * thread.h - all that the library knows about the thread it is in
 *
 * For every internal file. One structure, so that what is asked at every step (the
 * running loop, the error slot, the context) is one thread-local address away.
 */
#ifndef AIO__THREAD_H
#define AIO__THREAD_H

#include "base/compiler.h"

#include <aio/common.h>

/* A captured context in one word: nothing, a map of variables with the lowest bit set, or a
 * context object; see context.h. */
typedef struct aio__ctx {
    uintptr_t bits;
} aio__ctx;

struct aio__thread {
    /* Where a raised error is kept: the slot of the running task, set by src/task at
     * each switch; NULL: no task runs, own_error is the place. */
    aio_exception **error_slot;
    aio_exception *own_error; /* one reference, dropped when the thread ends */
    aio_loop *running;        /* borrowed; set by src/loop while the loop runs */
    aio_loop *event_loop;     /* set by src/loop: the one aio_set_event_loop() was given */
    aio__ctx *context;    /* borrowed: the slot of the running task or handle; NULL: own_context */
    aio__ctx own_context; /* for outside of any; dropped when the thread ends */
    struct aio__stacks *stacks; /* owned by src/task: of generators and greenlets; may be NULL */
    uint64_t task_number;       /* src/task: the last one that was given to a task */
    unsigned log_fallback;      /* how many runners of this thread own a loop; see log.h */
    bool ends_clean;            /* thread.c: the own_... will be dropped at the thread's end */
};

/*
 * The initial-exec model: no call to find the address, at the price that the
 * library's few bytes come out of the loader's reserve when it is dlopen()ed.
 */
extern AIO__HIDDEN _Thread_local struct aio__thread aio__thread_self
    __attribute__((tls_model("initial-exec")));

/* The calling thread's. Never NULL. */
static inline struct aio__thread *aio__thread(void)
{
    struct aio__thread *thread = &aio__thread_self;

#ifdef AIO__UBSAN
    /* Its test for NULL would use the flags of the addition that makes the address, for
     * which the linker may put an instruction that sets none (GCC 12 on x86-64). */
    __asm__("" : "+r"(thread));
#endif
    return thread;
}

/*
 * The same, for code that has just switched stacks: the compiler may keep the
 * address it knew before the switch, but it cannot keep the result of this call.
 * Fibers stay on their thread, so that would do no harm today; with this one it does
 * none when they are resumed by a thread that took the whole loop over.
 */
struct aio__thread *aio__thread_after_switch(void);

/*
 * Make sure that own_error and own_context are dropped when the calling thread ends.
 * false: the system has no key left for that, so they must stay empty.
 */
bool aio__thread_ends_clean(struct aio__thread *thread);

/* Where an error raised now is kept; NULL if it cannot be kept, only its code. */
static inline aio_exception **aio__thread_error_slot(struct aio__thread *thread)
{
    if (thread->error_slot != NULL)
        return thread->error_slot;
    if (AIO__LIKELY(thread->ends_clean) || aio__thread_ends_clean(thread))
        return &thread->own_error;
    return NULL;
}

#endif
