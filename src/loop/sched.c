/* SPDX-License-Identifier: MIT */
/*
 * sched.c - what runs next, and on which stack
 *
 * One FIFO queue feeds everything. An iteration takes what the queue holds as its batch;
 * what a step queues waits for the next iteration. The batch is state of the loop, not of a
 * stack frame: whoever is running takes the next node from it. A strand that suspends thus
 * switches straight to the next ready strand, and only a callback of the user's, or the end
 * of the dispatch, leads back to the thread's own stack (the "hub").
 *
 * Invariants
 *   - While a strand runs, loop->current is it and loop->fiber is the fiber it is on.
 *   - A node in a queue belongs to the queue; a node that was taken belongs to its runner.
 *   - User callbacks run on the hub only, so they have a whole stack, and libuv, which keeps
 *     pointers into the stack it runs on, is never called on a fiber.
 *
 * Thread: the loop's.
 */
#include "loop/sched.h"

#include "base/thread.h"
#include "loop/ticks.h"

#include <aio/error.h>
#include <assert.h>

/* Iterations without a poll of the kernel. More would save nothing: a poll costs some
 * hundred nanoseconds, so that sixty iterations share it to a few each. */
enum { MAX_TURNS = 61 };

static struct aio__fiber *strand_base(struct aio__fiber *self);

void aio__run_inline(struct aio__ready *self)
{
    struct aio__inline *step = aio__container_of(self, struct aio__inline, ready);

    step->fn(step);
}

static inline void leave_strand(aio_loop *loop)
{
    struct aio__thread *thread = aio__thread_after_switch();

    loop->current = NULL;
    thread->error_slot = NULL;
    thread->context = NULL;
}

static inline void enter_strand(aio_loop *loop, struct aio__strand *strand)
{
    struct aio__thread *thread = aio__thread_after_switch();

    loop->current = strand;
    thread->error_slot = &strand->error;
    thread->context = strand->context;
}

/* Whether another iteration may begin before the kernel is asked for I/O again. */
static bool may_go_on(aio_loop *loop)
{
    if (loop->ready.head == NULL || loop->stopping || loop->leave_code != 0 || loop->closing)
        return false;
    if (loop->one_by_one || ++loop->turns >= MAX_TURNS)
        return false;
    return loop->is_virtual || aio__ticks() - loop->poll_ticks < AIO__TICKS_PER_POLL;
}

/* The queue becomes the batch, behind it the timers that are due. */
static void begin_batch(aio_loop *loop)
{
    loop->iterations++;
    aio__timers_collect(loop);
    loop->batch = loop->ready;
    loop->ready.head = NULL;
    if (AIO__UNLIKELY(loop->one_by_one) && loop->shuffles)
        aio__testing_shuffle_batch(loop);
}

/* The next node of this dispatch; NULL: it is over. */
static inline struct aio__ready *take_next(aio_loop *loop)
{
    if (AIO__UNLIKELY(loop->leave_code != 0))
        return NULL;
    if (loop->batch.head == NULL) {
        if (atomic_load_explicit(&loop->inbox, memory_order_relaxed) != NULL)
            aio__inbox_drain(loop);
        if (!may_go_on(loop))
            return NULL;
        begin_batch(loop);
    }
    return aio__queue_take(&loop->batch);
}

/*
 * Give a strand that is about to run for the first time a stack: `spare`, a fiber whose
 * strand has just ended, or one from the pool. NULL if the strand is over already.
 */
static struct aio__fiber *bind_fiber(aio_loop *loop, struct aio__strand *strand,
                                     struct aio__fiber *spare)
{
    int err;

    if (!loop->strand_ops->starts(strand))
        return NULL;
    if (spare != NULL && strand->stack_size == 0) {
        strand->fiber = spare;
        return spare;
    }
    err = aio__fiber_take(loop->fibers, strand->stack_size, strand_base, loop, &strand->fiber);
    if (err < 0) {
        strand->fiber = NULL;
        loop->strand_ops->fails(strand, err);
        return NULL;
    }
    return strand->fiber;
}

/*
 * Choose the fiber that goes on, from the stack of a strand that has suspended or ended.
 * Small steps of our own run right here. `spare` is the caller's fiber if its strand ended.
 */
static struct aio__fiber *choose_next(aio_loop *loop, struct aio__fiber *spare)
{
    struct aio__ready *node;

    while (!loop->one_by_one && (node = take_next(loop)) != NULL) {
        if (node->run == NULL) {
            struct aio__strand *strand = aio__container_of(node, struct aio__strand, ready);
            struct aio__fiber *fiber = strand->fiber;

            if (fiber == NULL && (fiber = bind_fiber(loop, strand, spare)) == NULL)
                continue;
            enter_strand(loop, strand);
            return fiber;
        }
        if (node->run != aio__run_inline) {
            loop->handover = node;
            break;
        }
        aio__run_inline(node);
    }
    leave_strand(loop);
    return loop->hub;
}

/* Who goes on when the running strand suspends or ends: whoever runs it inside a call, if
 * anybody does, for then it is the innermost of these; else what is ready. */
static inline struct aio__fiber *go_on_after(aio_loop *loop, struct aio__fiber *spare)
{
    return AIO__UNLIKELY(loop->direct != NULL) ? loop->direct->caller : choose_next(loop, spare);
}

void aio__strand_suspend(aio_loop *loop)
{
    struct aio__strand *self = loop->current;
    struct aio__fiber *from = loop->fiber;
    struct aio__fiber *to;

    self->fiber = from;
    self->context = aio__thread()->context;
    to = go_on_after(loop, NULL);
    if (to != from) {
        loop->fiber = to;
        aio__fiber_switch(from, to);
        while (AIO__UNLIKELY(loop->question != NULL))
            aio__fiber_answer(from, loop->question);
    }
}

bool aio__strand_is_suspended(const aio_loop *loop, const struct aio__strand *strand)
{
    if (strand->fiber == NULL || strand == loop->current)
        return false;
    for (const struct aio__direct *direct = loop->direct; direct != NULL; direct = direct->outer)
        if (direct->strand == strand)
            return false;
    return true;
}

/* What runs on every fiber: one strand after the other, for as long as they are new. */
static struct aio__fiber *strand_base(struct aio__fiber *self)
{
    aio_loop *loop = aio__fiber_user(self);
    struct aio__fiber *next;

    do {
        struct aio__strand *strand = loop->current;
        bool spare;

        assert(strand != NULL);
        /* What was made for one strand alone, or is measured for it, is not for the next. */
        spare = strand->stack_size == 0 && !loop->measures_stacks;
        loop->strand_ops->main(strand); /* which may free it */
        next = go_on_after(loop, spare ? self : NULL);
    } while (next == self);

    aio__fiber_give(self);
    loop->fiber = next;
    return next;
}

int aio__strand_run_now(aio_loop *loop, struct aio__strand *strand)
{
    struct aio__thread *thread = aio__thread();
    struct aio__direct direct = {loop->fiber, loop->current, loop->direct};
    struct aio__strand *outer = loop->current;
    aio_exception **outer_slot = thread->error_slot;
    aio__ctx *outer_context = thread->context;
    struct aio__fiber *to = strand->fiber;

    if (to == NULL) {
        int err =
            aio__fiber_take(loop->fibers, strand->stack_size, strand_base, loop, &strand->fiber);

        if (err < 0)
            return err;
        to = strand->fiber;
    }
    loop->direct = &direct;
    enter_strand(loop, strand);
    loop->fiber = to;
    aio__fiber_switch(direct.caller, to);

    thread = aio__thread_after_switch();
    loop->direct = direct.outer;
    loop->fiber = direct.caller;
    loop->current = outer;
    thread->error_slot = outer_slot;
    thread->context = outer_context;
    return 0;
}

/* Switch from the hub to a strand; return when the dispatch needs the hub again. */
static void run_strand(aio_loop *loop, struct aio__strand *strand)
{
    struct aio__fiber *hub = loop->hub;
    struct aio__fiber *to = strand->fiber;

    if (to == NULL && (to = bind_fiber(loop, strand, NULL)) == NULL)
        return;
    enter_strand(loop, strand);
    loop->fiber = to;
    aio__fiber_switch(hub, to);
    loop->fiber = hub;
}

static void run_node(aio_loop *loop, struct aio__ready *node)
{
    if (node->run == NULL)
        run_strand(loop, aio__container_of(node, struct aio__strand, ready));
    else
        node->run(node);
}

/* After a step that leaves the run call, the rest of its batch runs first next time. */
static void put_back_batch(aio_loop *loop)
{
    struct aio__queue rest = loop->batch;

    if (rest.head == NULL)
        return;
    if (loop->ready.head != NULL)
        aio__queue_append_chain(&rest, loop->ready.head, loop->ready.tail);
    loop->ready = rest;
    loop->batch.head = NULL;
}

void aio__sched_enter_thread(aio_loop *loop)
{
    loop->hub = aio__fiber_root_init(&loop->root);
    loop->fiber = loop->hub;
}

void aio__loop_dispatch(aio_loop *loop)
{
    struct aio__ready *node;

    loop->dispatching = true;
    loop->turns = 0;
    loop->poll_ticks = aio__ticks();
    begin_batch(loop);
    for (;;) {
        node = loop->handover;
        if (node != NULL)
            loop->handover = NULL;
        else if ((node = take_next(loop)) == NULL)
            break;
        if (AIO__UNLIKELY(loop->one_by_one))
            aio__loop_run_watched(loop, node, run_node);
        else
            run_node(loop, node);
    }
    put_back_batch(loop);
    loop->dispatching = false;
}

struct aio__fiber *aio__current_fiber(void)
{
    aio_loop *loop = aio__thread_after_switch()->running;

    return loop != NULL && (loop->dispatching || loop->closing) ? loop->fiber : NULL;
}

void aio__set_current_fiber(struct aio__fiber *fiber)
{
    aio__thread_after_switch()->running->fiber = fiber;
}
