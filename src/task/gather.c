/* SPDX-License-Identifier: MIT */
/*
 * gather.c - several awaitables at once, their outcomes in order
 *
 * A gather is a future that holds its children and watches them. A child that is given twice is
 * watched once and fills both places.
 *
 * Thread: the loop's.
 */
#include "base/error.h"
#include "task/fan.h"

#include <aio/gather.h>
#include <aio/memory.h>
#include <stdio.h>
#include <string.h>

/* "[3 outcomes, 1 failed]": their values have types that nobody here knows. */
static int format_outcomes(const void *value, char *buffer, size_t size)
{
    const aio_outcomes *outcomes = value;
    size_t failed = 0;

    for (size_t i = 0; i < outcomes->count; i++)
        failed += outcomes->items[i].code < 0;
    return snprintf(buffer, size, "[%zu outcomes, %zu failed]", outcomes->count, failed);
}

const aio_type aio_type_outcomes = {.format = format_outcomes};

struct gather {
    aio_future fut;
    struct aio__fan fan;
    size_t count;    /* of places */
    size_t distinct; /* children */
    size_t finished; /* of these */
    bool return_exceptions;
    bool cancel_requested;
    bool asking;             /* its children to cancel, right now: */
    bool any_took;           /* one of them did */
    bool met_circle;         /* one of them waits for us, and is being asked */
    size_t asked;            /* in so many places it was */
    struct gather *asker;    /* whose child led here; NULL: the first */
    struct aio__chain chain; /* the tasks between the two */
    aio_future **children;   /* the distinct ones; referenced */
    aio_future **places;     /* the child in each place; borrowed from children */
    aio_outcomes outcomes;
    aio_outcome items[]; /* of each place, their errors referenced; filled at the end. Behind
                            them are the places and the children */
};

static const struct aio__future_ops gather_ops;

static struct gather *gather_of(const aio_future *fut)
{
    return aio__container_of((uintptr_t)fut, struct gather, fut);
}

static void begin_asking(struct gather *gather, struct gather *asker, struct aio__chain chain)
{
    gather->asking = true;
    gather->asked = 0;
    gather->any_took = false;
    gather->met_circle = false;
    gather->asker = asker;
    gather->chain = chain;
}

/* Ask the child in the next place: one that has two is asked twice, as in asyncio. Gives the gather
 * that it leads to, which is to be asked first. */
static struct gather *ask_child(struct gather *gather, const char *message)
{
    aio_future *child = gather->places[gather->asked++];
    struct aio__chain chain = {0};
    aio_future *end;

    aio__future_disarm(child);
    if (!aio__future_is_pending(child))
        return NULL;
    end = aio__chain_ask(&chain, child);
    if (end != NULL && end->ops == &gather_ops) {
        struct gather *inner = gather_of(end);

        if (!inner->asking) {
            begin_asking(inner, gather, chain);
            return inner;
        }
        chain.circle = true;
    } else if (end != NULL) {
        chain.taken = aio_future_cancel(end, message);
    }
    gather->met_circle |= chain.circle && chain.count == 0;
    gather->any_took |= aio__chain_end(&chain, message);
    return NULL;
}

void aio__chain_ends_in(struct aio__chain *chain, const aio_future *end, bool taken)
{
    chain->circle = end->ops == &gather_ops && gather_of(end)->met_circle;
    chain->taken = taken && !chain->circle;
}

/* Gathers of tasks that wait for gathers may be nested as deep as one likes: no recursion here. */
static bool cancel_children(aio_future *fut, const char *message)
{
    struct gather *gather = gather_of(fut);

    if (gather->asking)
        return true;
    begin_asking(gather, NULL, (struct aio__chain){0});
    for (;;) {
        struct gather *outer = gather->asker;
        struct gather *inner;

        if (gather->asked < gather->count) {
            inner = ask_child(gather, message);
            if (inner != NULL)
                gather = inner;
            continue;
        }
        gather->asking = false;
        gather->cancel_requested |= gather->any_took;
        if (outer == NULL)
            return gather->any_took;
        aio__chain_ends_in(&gather->chain, &gather->fut, gather->any_took);
        outer->any_took |= aio__chain_end(&gather->chain, message);
        gather = outer;
    }
}

static void release_gather(struct aio__fan *fan)
{
    struct gather *gather = aio__container_of(fan, struct gather, fan);
    aio_loop *loop = gather->fut.loop;

    aio_free(gather);
    aio__loop_disown(loop);
}

static void dispose_gather(aio_future *fut)
{
    struct gather *gather = gather_of(fut);
    size_t distinct = gather->distinct;
    bool watches = gather->fan.calls != 0;

    for (size_t i = 0; i < gather->outcomes.count; i++)
        aio_exception_unref(gather->items[i].error);
    gather->fan.calls++; /* ours: until the children are gone too */
    aio__fan_end(&gather->fan, gather->children, watches ? distinct : 0);
    for (size_t i = 0; i < distinct; i++)
        aio_future_unref(gather->children[i]);
    if (--gather->fan.calls == 0)
        release_gather(&gather->fan);
}

static const struct aio__future_ops gather_ops = {
    .name = "_GatheringFuture",
    .cancel = cancel_children,
    .dispose = dispose_gather,
};

/* Fail with a code that has just been raised. The gather is then not cancelled, also by
 * AIO_ECANCELLED: that is its error (S70, S71). */
static void fail_with(struct gather *gather, int code)
{
    aio_exception *error = aio_error_catch(code);

    aio__future_fail(&gather->fut, code, error);
    aio_exception_unref(error);
}

static int bare_cancel(void)
{
    aio__error_forget();
    return AIO_ECANCELLED;
}

/* How a done child ended. The message of a cancelled task is left to whoever asks the task. */
static aio_outcome outcome_of(aio_future *child)
{
    aio_outcome outcome = {0, NULL, NULL};

    if (child->state == AIO__FUTURE_FINISHED) {
        outcome.value = child->value;
    } else if (child->state == AIO__FUTURE_FAILED) {
        outcome.code = aio__future_raise(child);
        outcome.error = aio_error_catch(outcome.code);
    } else {
        bool once = child->flags & AIO__FUTURE_ERROR_ONCE;

        outcome.code = once ? bare_cancel() : aio__future_raise_cancelled(child);
        outcome.error = aio_error_catch(outcome.code);
    }
    return outcome;
}

static void finish_gather(struct gather *gather)
{
    aio_future *last = gather->places[gather->count - 1];

    for (size_t i = 0; i < gather->count; i++)
        gather->items[i] = outcome_of(gather->places[i]);
    gather->outcomes.count = gather->count;
    /* A cancellation of the gather itself wins, whatever the children made of it. */
    if (gather->cancel_requested)
        fail_with(gather, last->state == AIO__FUTURE_CANCELLED ? aio__future_raise_cancelled(last)
                                                               : aio__task_raise_outlived(last));
    else
        aio__future_finish(&gather->fut, &gather->outcomes, &aio_type_outcomes);
}

static void child_done(struct aio__fan *fan, aio_future *child)
{
    struct gather *gather = aio__container_of(fan, struct gather, fan);

    gather->finished++;
    if (!aio__future_is_pending(&gather->fut))
        aio__future_disarm(child);
    else if (!gather->return_exceptions && child->state != AIO__FUTURE_FINISHED)
        fail_with(gather, aio__future_raise(child));
    else if (gather->finished == gather->distinct)
        finish_gather(gather);
}

/* Watch those that are pending; then count those that are done, which may finish the gather
 * before it is returned (S50). */
static int watch_children(struct gather *gather)
{
    size_t pending = 0;

    for (size_t i = 0; i < gather->distinct; i++) {
        int err;

        if (!aio__future_is_pending(gather->children[i]))
            continue;
        err = aio__fan_watch(&gather->fan, gather->children[i]);
        if (err < 0)
            return err;
        pending++;
    }
    for (size_t i = 0; i < gather->distinct && pending < gather->distinct; i++)
        if (!aio__future_is_pending(gather->children[i]))
            child_done(&gather->fan, gather->children[i]);
    return 0;
}

static struct gather *gather_new(size_t count)
{
    const size_t each = sizeof(aio_outcome) + 2 * sizeof(aio_future *);
    struct gather *gather = NULL;

    if (count <= (SIZE_MAX - sizeof(*gather)) / each)
        gather = aio_malloc(sizeof(*gather) + count * each);
    if (gather == NULL)
        return NULL;
    memset(gather, 0, sizeof(*gather));
    gather->places = (aio_future **)(gather->items + count);
    gather->children = gather->places + count;
    return gather;
}

aio_future *aio_gather(aio_future *const *awaitables, size_t count, unsigned flags)
{
    aio_loop *loop = count == 0 ? aio__loop_or_current(NULL) : NULL;
    struct gather *gather;
    int err;

    if (flags & ~AIO_RETURN_EXCEPTIONS)
        return aio__failed(aio_raise(AIO_EVALUE, "unknown flags for gather: %#x", flags));
    if (count == 0 && loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    gather = gather_new(count);
    if (gather == NULL)
        return aio__failed(AIO_ENOMEM);
    err = aio__fan_collect(awaitables, count, &loop, gather->children, &gather->distinct);
    if (err < 0) {
        aio_free(gather);
        return aio__failed(err);
    }

    aio__loop_adopt(loop);
    aio__future_init(&gather->fut, loop, &gather_ops);
    gather->fan.on_done = child_done;
    gather->fan.release = release_gather;
    gather->fan.outer = &gather->fut;
    gather->count = count;
    gather->return_exceptions = flags & AIO_RETURN_EXCEPTIONS;
    gather->outcomes.items = gather->items;
    if (count != 0)
        memcpy(gather->places, awaitables, count * sizeof(*awaitables));
    else
        aio__future_finish(&gather->fut, &gather->outcomes, &aio_type_outcomes);
    err = watch_children(gather);
    if (err < 0) {
        aio_future_unref(&gather->fut);
        return aio__failed(err);
    }
    return &gather->fut;
}
