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

/* Iterations without a poll of the kernel. More would save nothing: a poll costs some hundred
 * nanoseconds, so that of so many iterations, of ten and more each, it takes few per cent. */
enum { MAX_TURNS = 251 };

/* Iterations without a look at the counter, which costs as much as a switch, while they are
 * short. Long ones look each time: whoever computes for milliseconds keeps I/O waiting for one
 * iteration, or for these few if it begins to do so just now. */
enum { TURNS_PER_LOOK = 16 };

/* Ticks of an iteration, on the average since the last poll, that count as short: as many as
 * MAX_TURNS allows take no longer than it may be between two polls. */
#define SHORT_TURN (AIO__TICKS_PER_POLL / MAX_TURNS)

static struct aio__fiber *strand_base(struct aio__fiber *self);

void aio__run_inline(struct aio__ready *self)
{
    struct aio__inline *step = aio__container_of(self, struct aio__inline, ready);

    step->fn(step);
}

static inline void enter_strand(aio_loop *loop, struct aio__strand *strand)
{
    struct aio__thread *thread = loop->here;

    loop->current = strand;
    loop->steps++;
    thread->error_slot = &strand->error;
    thread->context = strand->context;
}

/* Whether little enough time has gone by since the last poll. Says when to ask next. */
static bool look_at_ticks(aio_loop *loop)
{
    uint64_t ticks = loop->is_virtual ? 0 : aio__ticks() - loop->poll_ticks;

    loop->look_stride = ticks > loop->turns * SHORT_TURN ? 1 : TURNS_PER_LOOK;
    loop->look_turn = loop->turns + loop->look_stride;
    if (loop->look_turn > MAX_TURNS)
        loop->look_turn = MAX_TURNS;
    return ticks < AIO__TICKS_PER_POLL;
}

/* uv_stop() was called, by a step of ours perhaps: like aio_loop_stop() it lets this iteration end,
 * and no other begin. Nothing but the flag tells. */
static inline bool host_stops(const aio_loop *loop)
{
    return AIO__UNLIKELY(!loop->owns_uv) && loop->uv->stop_flag != 0;
}

/* Whether another iteration may begin before the kernel is asked for I/O again. */
static bool may_go_on(aio_loop *loop)
{
    if (loop->ready.head == NULL || loop->stopping || loop->leave_code != 0 || loop->closing ||
        host_stops(loop))
        return false;
    if (loop->one_by_one || ++loop->turns >= MAX_TURNS)
        return false;
    return loop->turns < loop->look_turn || look_at_ticks(loop);
}

/* The queue becomes the batch, behind it the timers that are due. */
static void begin_batch(aio_loop *loop)
{
    loop->iterations++;
    aio__timers_collect(loop);
    aio__queue_move(&loop->batch, &loop->ready);
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

/* Get a fiber for a strand that has none: the loop's spare one, or one from the pool. */
static int take_fiber(aio_loop *loop, struct aio__strand *strand)
{
    if (AIO__LIKELY(loop->spare != NULL && strand->stack_size == 0)) {
        strand->fiber = loop->spare;
        loop->spare = NULL;
        return 0;
    }
    return aio__fiber_take(loop->fibers, strand->stack_size, strand_base, loop, &strand->fiber);
}

/* The strand of this fiber has ended, and nobody goes on with it: the next that starts may,
 * which saves the way through the pool and back where one task after the other is made. */
static void put_fiber(aio_loop *loop, struct aio__fiber *fiber, bool spare)
{
    if (AIO__LIKELY(spare && loop->spare == NULL))
        loop->spare = fiber;
    else
        aio__fiber_give(fiber);
}

/*
 * Give a strand that is about to run for the first time a stack: `own`, a fiber whose
 * strand has just ended, or another. NULL if the strand is over already.
 */
static struct aio__fiber *bind_fiber(aio_loop *loop, struct aio__strand *strand,
                                     struct aio__fiber *own)
{
    int err;

    if (!loop->strand_ops->starts(strand))
        return NULL;
    if (own != NULL && strand->stack_size == 0) {
        strand->fiber = own;
        return own;
    }
    err = take_fiber(loop, strand);
    if (err < 0) {
        strand->fiber = NULL;
        loop->strand_ops->fails(strand, err);
        return NULL;
    }
    return strand->fiber;
}

/*
 * Choose the fiber that goes on, from the stack of a strand that has suspended or ended.
 * Small steps of our own run right here. `own` is the caller's fiber if its strand ended.
 */
static AIO__NOINLINE struct aio__fiber *choose_next(aio_loop *loop, struct aio__fiber *own)
{
    struct aio__ready *node;

    /* The steps that run here are nobody's: what they raise must not end up in the slot of a
     * strand that is suspended, or gone. */
    aio__strand_leave(loop);
    while (!loop->one_by_one && (node = take_next(loop)) != NULL) {
        if (node->run == NULL) {
            struct aio__strand *strand = aio__container_of(node, struct aio__strand, ready);
            struct aio__fiber *fiber = strand->fiber;

            if (fiber == NULL && (fiber = bind_fiber(loop, strand, own)) == NULL)
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
    return loop->hub;
}

/* The short way of begin_batch() and what comes before it: nothing else wants to be looked at. */
static inline bool begin_batch_shortly(aio_loop *loop)
{
    if (loop->ready.head == NULL || loop->turns + 1 >= loop->look_turn ||
        atomic_load_explicit(&loop->inbox, memory_order_relaxed) != NULL)
        return false;
    if (loop->timers.first_key <= loop->now_ns || host_stops(loop))
        return false;
    loop->turns++;
    loop->iterations++;
    aio__queue_move(&loop->batch, &loop->ready);
    return true;
}

/* Have on its way what the next strand needs while this one runs: where many are suspended, each
 * has lines of its own on a page of its own. Of its stack these are the frames in which a task
 * gives way. */
static inline void fetch_ahead(struct aio__ready *node)
{
    uintptr_t fiber = (uintptr_t)aio__container_of(node, struct aio__strand, ready)->fiber;

    __builtin_prefetch(node->next);
    __builtin_prefetch((const void *)fiber);
    __builtin_prefetch((const void *)(fiber - 256));
    __builtin_prefetch((const void *)(fiber - 320));
    __builtin_prefetch((const void *)(fiber - 384));
}

/* The short way of choose_next(): a strand that goes on where it was, or begins. NULL: take the
 * long one, which does the same in more steps. */
static inline struct aio__fiber *choose_next_shortly(aio_loop *loop, struct aio__fiber *own)
{
    struct aio__strand *strand;
    struct aio__ready *node;

    if (AIO__UNLIKELY(loop->unusual != 0))
        return NULL;
    if (loop->batch.head == NULL && !begin_batch_shortly(loop))
        return NULL;
    node = loop->batch.head;
    strand = aio__container_of(node, struct aio__strand, ready);
    if (node->run != NULL)
        return NULL;
    loop->batch.head = node->next;
    if (strand->fiber == NULL) {
        aio__strand_leave(loop); /* see choose_next() */
        if (bind_fiber(loop, strand, own) == NULL)
            return NULL;
    } else if (node->next != NULL) {
        fetch_ahead(node->next);
    }
    enter_strand(loop, strand);
    return strand->fiber;
}

/* Who goes on when the running strand suspends or ends: whoever runs it inside a call, if
 * anybody does, for then it is the innermost of these; else what is ready. */
static inline struct aio__fiber *go_on_after(aio_loop *loop, struct aio__fiber *own)
{
    struct aio__fiber *next = choose_next_shortly(loop, own);

    if (AIO__LIKELY(next != NULL))
        return next;
    return AIO__UNLIKELY(loop->direct != NULL) ? loop->direct->caller : choose_next(loop, own);
}

void aio__strand_suspend(aio_loop *loop)
{
    struct aio__strand *self = loop->current;
    struct aio__fiber *from = loop->fiber;
    struct aio__fiber *to;

    self->fiber = from;
    self->context = loop->here->context;
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
    bool spare;

    do {
        struct aio__strand *strand = loop->current;

        assert(strand != NULL);
        /* What was made for one strand alone, or is measured for it, is not for the next. */
        spare = strand->stack_size == 0 && !loop->measures_stacks;
        loop->strand_ops->main(strand); /* which may free it */
        next = go_on_after(loop, spare ? self : NULL);
    } while (next == self);

    put_fiber(loop, self, spare);
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
        int err = take_fiber(loop, strand);

        if (err < 0)
            return err;
        to = strand->fiber;
    }
    loop->direct = &direct;
    loop->is_direct = true;
    enter_strand(loop, strand);
    loop->fiber = to;
    aio__fiber_switch(direct.caller, to);

    thread = aio__thread_after_switch();
    loop->direct = direct.outer;
    loop->is_direct = direct.outer != NULL;
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
    loop->here = aio__thread();
    loop->hub = aio__fiber_root_init(&loop->root);
    loop->fiber = loop->hub;
}

void aio__loop_dispatch(aio_loop *loop)
{
    struct aio__ready *node;

    loop->dispatching = true;
    loop->turns = 0;
    loop->look_turn = loop->look_stride;
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

AIO__NOINLINE struct aio__fiber **aio__current_fiber_place(void)
{
    aio_loop *loop = aio__thread()->running;

    return loop != NULL && (loop->dispatching || loop->closing) ? &loop->fiber : NULL;
}
