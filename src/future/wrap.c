/* SPDX-License-Identifier: MIT */
/*
 * wrap.c - a future of a loop that ends as a concurrent one does
 *
 * Both ends share one block. The loop's end is the future; the other one is a callback of the
 * concurrent future, which posts a node of the block to the loop in whatever thread it runs, and
 * may find the loop closed. Whichever end goes last frees the block, and with it the reference
 * to the concurrent future, whose value the loop's future lends.
 *
 * The loop has a list of the futures that are still to hear of their source, and holds them: an
 * error is reported even if nobody kept the future. Closing the loop lets go of them.
 *
 * Thread: the loop's, but for call_loop() and what it calls.
 */
#include "future/concurrent_internal.h"
#include "future/future_internal.h"

#include <aio/memory.h>

struct wrapped {
    aio_future fut;
    struct aio__list link;         /* in loop->wrapped: one reference of fut */
    struct aio__inline step;       /* posted once the source is done */
    aio_concurrent_future *source; /* referenced */
    struct aio__concurrent_done done;
    atomic_int ends; /* of the two, those that are left */
};

/* Let go of one of the two ends. */
static void drop_end(struct wrapped *wrapped)
{
    if (atomic_fetch_sub_explicit(&wrapped->ends, 1, memory_order_acq_rel) != 1)
        return;
    aio_concurrent_future_unref(wrapped->source);
    aio_free(wrapped);
}

static void dispose(aio_future *fut)
{
    aio_loop *loop = fut->loop;

    drop_end(aio__container_of(fut, struct wrapped, fut));
    aio__loop_disown(loop);
}

static bool cancel(aio_future *fut, const char *message)
{
    aio__future_cancelled(fut, message);
    (void)aio_concurrent_future_cancel(aio__container_of(fut, struct wrapped, fut)->source);
    return true;
}

static const struct aio__future_ops wrapped_ops = {
    .name = "Future",
    .cancel = cancel,
    .dispose = dispose,
};

/* The source's end is over: nobody will be told any more. */
static void drop_source_end(struct wrapped *wrapped, aio_loop *loop)
{
    drop_end(wrapped);
    aio__loop_unref_memory(loop);
}

static void settle(aio_future *fut, aio_concurrent_future *source)
{
    if (!aio__future_is_pending(fut))
        return;
    switch (aio__concurrent_state(source)) {
    case AIO__CONCURRENT_FINISHED: aio__future_finish(fut, source->value, NULL); break;
    case AIO__CONCURRENT_FAILED: (void)aio_future_set_exception(fut, source->error); break;
    default: aio__future_cancelled(fut, NULL); break;
    }
}

/* In the loop's thread; also when the loop is closed with this in its inbox. */
static void deliver(struct aio__inline *step)
{
    struct wrapped *wrapped = aio__container_of(step, struct wrapped, step);
    aio_loop *loop = wrapped->fut.loop;

    aio__list_remove(&wrapped->link);
    if (!loop->closed) {
        aio__loop_job_ends(loop);
        settle(&wrapped->fut, wrapped->source);
    }
    aio_future_unref(&wrapped->fut);
    drop_source_end(wrapped, loop);
}

/* The source is done: in the thread that finished or cancelled it. */
static int call_loop(aio_concurrent_future *source, void *arg)
{
    struct wrapped *wrapped = arg;
    aio_loop *loop = wrapped->fut.loop;

    (void)source;
    if (aio__loop_takes_directly(loop))
        aio__loop_queue(loop, &wrapped->step.ready); /* in the order of call_soon() (S14) */
    else if (aio__inbox_post(loop, &wrapped->step.ready) < 0)
        drop_source_end(wrapped, loop);
    return 0;
}

void aio__future_disown_value(aio_future *fut)
{
    if (fut->ops == &wrapped_ops)
        aio__container_of(fut, struct wrapped, fut)->source->type = NULL;
    fut->type = NULL;
}

/* The loop closes. What comes later finds it closed. */
static void forget_all(struct aio__close_hook *hook, aio_loop *loop)
{
    struct aio__list *link;

    (void)hook;
    while ((link = aio__list_first(&loop->wrapped)) != NULL) {
        aio__list_remove(link);
        aio_future_unref(&aio__container_of(link, struct wrapped, link)->fut);
    }
}

static void watch_closing(aio_loop *loop)
{
    if (!aio__list_empty(&loop->wrapped_hook.link))
        return;
    loop->wrapped_hook.fn = forget_all;
    aio__list_append(&loop->close_hooks, &loop->wrapped_hook.link);
}

aio_future *aio_wrap_future(aio_concurrent_future *source, aio_loop *loop)
{
    struct wrapped *wrapped;

    if (source == NULL)
        return aio__failed(aio__null_future());
    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    if (loop->closed)
        return aio__failed(aio_raise(AIO_ECLOSED, "Event loop is closed"));
    wrapped = aio_malloc(sizeof(*wrapped));
    if (wrapped == NULL)
        return aio__failed(AIO_ENOMEM);

    aio__future_init(&wrapped->fut, loop, &wrapped_ops);
    aio__loop_adopt(loop);
    watch_closing(loop);
    aio__list_append(&loop->wrapped, &wrapped->link);
    aio_future_ref(&wrapped->fut); /* the list's */
    aio__loop_job_begins(loop);
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed); /* the source's end */
    atomic_init(&wrapped->ends, 2);
    wrapped->step.ready.run = aio__run_inline;
    wrapped->step.fn = deliver;
    wrapped->source = aio_concurrent_future_ref(source);
    wrapped->done = (struct aio__concurrent_done){.fn = call_loop, .arg = wrapped, .is_own = true};
    aio__concurrent_add_own(source, &wrapped->done);
    return &wrapped->fut;
}
