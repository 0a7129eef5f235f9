/* SPDX-License-Identifier: MIT */
/*
 * awaiters.c - the tasks that await a future
 *
 * They are not recorded anywhere, so that waiting costs nothing for it: they are found. A task that
 * waits stands in the future's chain. One that waits by gather, wait or shield waits for a future
 * of theirs, which watches ours; a task group's parent waits for its children without naming them.
 *
 * Thread: the loop's.
 */
#include "task/fan.h"

/* Combinators in combinators; what is deeper is not found. */
enum { MOST_LAYERS = 64 };

struct search {
    struct aio__waiter_visitor visitor;
    void (*call)(aio_future *awaiter, void *arg);
    void *arg;
    unsigned layers;
};

static void look_at(struct search *search, aio_future *fut);

static void found_strand(struct aio__waiter_visitor *visitor, struct aio__strand *strand)
{
    struct search *search = aio__container_of(visitor, struct search, visitor);

    search->call(&aio__task_of_strand(strand)->fut, search->arg);
}

static void found_step(struct aio__waiter_visitor *visitor, aio_done_fn fn, void *arg)
{
    struct search *search = aio__container_of(visitor, struct search, visitor);
    aio_future *outer = aio__fan_outer(fn, arg);

    if (outer == NULL)
        outer = aio__wait_for_outer(fn, arg);
    if (outer == NULL) {
        outer = aio__taskgroup_outer(fn, arg);
        if (outer != NULL)
            search->call(outer, search->arg);
        return;
    }
    look_at(search, outer);
}

static void found_record(aio_future *waiter, void *arg)
{
    struct search *search = arg;

    if (aio_future_is_task(waiter))
        search->call(waiter, search->arg);
    else
        look_at(search, waiter);
}

static void look_at(struct search *search, aio_future *fut)
{
    if (search->layers == MOST_LAYERS)
        return;
    search->layers++;
    aio__future_each_waiter(fut, &search->visitor);
    aio__awaited_each(fut, found_record, search);
    search->layers--;
}

void aio__task_each_awaiter(aio_future *fut, void (*call)(aio_future *awaiter, void *arg),
                            void *arg)
{
    struct search search = {
        .visitor = {.strand = found_strand, .step = found_step}, .call = call, .arg = arg};

    look_at(&search, fut);
}
