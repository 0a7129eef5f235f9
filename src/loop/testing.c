/* SPDX-License-Identifier: MIT */
/*
 * testing.c - the test kit: running until nothing can go on, watching steps, random orders
 *
 * How virtual time passes is in drive.c: up to the horizon, where a run that settles ends.
 *
 * Thread: the loop's.
 */
#include "loop/handle.h"

#include <aio/error.h>
#include <aio/testing.h>

/* --- running ------------------------------------------------------------------------------ */

static int run_up_to(aio_loop *loop, uint64_t horizon_ns)
{
    int err;

    loop->horizon_ns = horizon_ns;
    loop->settles = true;
    loop->settled = false;
    err = aio_loop_run_forever(loop);
    loop->settles = false;
    loop->horizon_ns = UINT64_MAX;
    /* The rest of the way passes nothing. */
    if (loop->settled && horizon_ns != UINT64_MAX && loop->now_ns < horizon_ns)
        loop->now_ns = horizon_ns;
    return err;
}

int aio_testing_advance(aio_loop *loop, double seconds)
{
    uint64_t horizon_ns;

    if (loop == NULL)
        return aio_raise(AIO_ENOLOOP, "no event loop given");
    if (!loop->is_virtual)
        return aio_raise(AIO_EVALUE, "only a virtual clock can be advanced");
    if (!(seconds >= 0) || !aio__loop_deadline(loop, seconds, &horizon_ns))
        return aio_raise(AIO_EVALUE, "time does not go back");
    if (loop->running || loop->dispatching)
        return aio_raise(AIO_ERUNTIME, "This event loop is already running");
    return run_up_to(loop, horizon_ns);
}

int aio_testing_settle(aio_loop *loop)
{
    return aio_testing_advance(loop, 0);
}

int aio_testing_run_until_idle(aio_loop *loop)
{
    return aio_testing_advance(loop, AIO_FOREVER);
}

void aio_testing_on_blocked(aio_loop *loop, aio_callback_fn fn, void *arg)
{
    if (loop == NULL)
        return;
    loop->on_blocked = fn;
    loop->on_blocked_arg = arg;
}

int aio_testing_disable_pool(aio_loop *loop)
{
    if (loop == NULL)
        return aio_raise(AIO_ENOLOOP, "no event loop given");
    if (loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    if (loop->pool.live != 0)
        return aio_raise(AIO_ERUNTIME, "the loop's pool is in use already");
    loop->pool.largest = 0;
    return 0;
}

/* --- watching ----------------------------------------------------------------------------- */

void aio_testing_on_step(aio_loop *loop, aio_testing_step_fn fn, void *arg)
{
    if (loop == NULL)
        return;
    loop->on_step = fn;
    loop->on_step_arg = arg;
    aio__loop_choose_pace(loop);
}

void aio__testing_tell(aio_loop *loop, struct aio__ready *node)
{
    aio_testing_step step = {
        .size = sizeof(step),
        .iteration = loop->iterations,
        .time = aio_loop_time(loop),
        .handle = aio__handle_of(node),
    };

    if (node->run == NULL) {
        step.kind = AIO_TESTING_TASK;
        step.task = aio__loop_task_of(loop, node);
    } else if (step.handle != NULL) {
        if (!aio__handle_is_queued(step.handle))
            return; /* cancelled, and left in the queue only */
        step.kind = AIO_TESTING_CALL;
    } else {
        step.kind = node->run == aio__run_inline ? AIO_TESTING_INTERNAL : AIO_TESTING_CALLBACK;
    }
    loop->on_step(loop, &step, loop->on_step_arg);
}

/* --- random orders ------------------------------------------------------------------------ */

struct pile {
    struct aio__queue nodes;
    size_t count;
};

void aio_testing_shuffle(aio_loop *loop, uint64_t seed)
{
    if (loop == NULL)
        return;
    loop->shuffles = seed != 0;
    loop->shuffle_state = seed;
    aio__loop_choose_pace(loop);
}

/* A number below `limit`; which, is nothing that many depend on: a bias of 2^-32 will do. */
static size_t draw(aio_loop *loop, size_t limit)
{
    return (size_t)(aio__random(&loop->shuffle_state) % limit);
}

static void put(struct pile *pile, struct aio__ready *node)
{
    aio__queue_append(&pile->nodes, node);
    pile->count++;
}

static struct aio__ready *take(struct pile *pile)
{
    pile->count--;
    return aio__queue_take(&pile->nodes);
}

/* Every way in which two piles can be put together, each keeping its order, is equally likely. */
static struct pile merge(aio_loop *loop, struct pile a, struct pile b)
{
    struct pile both = {{NULL, NULL}, 0};

    while (a.count + b.count != 0)
        put(&both, take(draw(loop, a.count + b.count) < a.count ? &a : &b));
    return both;
}

static struct pile shuffle(aio_loop *loop, struct pile pile)
{
    struct pile half = {{NULL, NULL}, 0};

    if (pile.count < 2)
        return pile;
    while (half.count < pile.count)
        put(&half, take(&pile));
    return merge(loop, shuffle(loop, half), shuffle(loop, pile));
}

void aio__testing_shuffle_batch(aio_loop *loop)
{
    struct pile strands = {{NULL, NULL}, 0};
    struct pile others = {{NULL, NULL}, 0};

    while (loop->batch.head != NULL) {
        struct aio__ready *node = aio__queue_take(&loop->batch);

        put(node->run == NULL ? &strands : &others, node);
    }
    loop->batch = merge(loop, shuffle(loop, strands), others).nodes;
}
