/* SPDX-License-Identifier: MIT */
/*
 * sched.h - strands: starting, suspending and resuming what tasks run as
 *
 * For src/task, and for src/loop which dispatches.
 */
#ifndef AIO__SCHED_H
#define AIO__SCHED_H

#include "loop/loop_internal.h"

/* Prepare a strand that has not started. own_context is set by the caller. */
static inline void aio__strand_init(struct aio__strand *strand)
{
    strand->ready.run = NULL;
    strand->fiber = NULL;
    strand->error = NULL;
    strand->context = &strand->own_context;
    strand->stack_size = 0;
    strand->stack_used = 0;
}

/*
 * Suspend the running strand until its node has been queued and its turn comes. What is
 * ready goes on at once: another strand directly, the rest by way of the thread's stack.
 */
void aio__strand_suspend(aio_loop *loop);

/* Whether it stands in that, so that it can be asked by loop->question. */
bool aio__strand_is_suspended(const aio_loop *loop, const struct aio__strand *strand);

/*
 * Start or resume a strand inside this call, which returns when the strand suspends or ends.
 * The caller may be on any stack of the loop's thread. 0, or AIO_ENOMEM without a stack.
 */
int aio__strand_run_now(aio_loop *loop, struct aio__strand *strand);

/* From here on nobody runs: at the end of a strand, and between two. */
static inline void aio__strand_leave(aio_loop *loop)
{
    loop->current = NULL;
    loop->here->error_slot = NULL;
    loop->here->context = NULL;
}

/* Run everything that is ready, from a libuv callback or a run call. */
void aio__loop_dispatch(aio_loop *loop);

/* Note the stack the thread is on as the loop's hub. */
void aio__sched_enter_thread(aio_loop *loop);

/*
 * Where the fiber that is running in this thread is noted, for generators and their like, which
 * switch between fibers inside one strand; NULL outside a loop's dispatch and its closing.
 */
struct aio__fiber **aio__current_fiber_place(void);

#endif
