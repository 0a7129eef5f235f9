/* SPDX-License-Identifier: MIT */
/*
 * concurrent_wait.c - blocking on several concurrent futures: wait() and as_completed()
 *
 * Thread: any; the iteration belongs to one.
 */
#include "future/concurrent_internal.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <math.h>
#include <stdlib.h>

/* One distinct future of several. */
struct watched {
    struct aio__blocker_link link;
    aio_concurrent_future *fut;
    size_t place; /* among those given */
};

static int by_place(const void *a, const void *b)
{
    const struct watched *x = a;
    const struct watched *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

static int by_future(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct watched *)a)->fut;
    uintptr_t y = (uintptr_t)((const struct watched *)b)->fut;

    return x == y ? by_place(a, b) : (x > y) - (x < y);
}

/* Keep the first of each, in their order. Gives how many are left. */
static size_t drop_duplicates(struct watched *watched, size_t count)
{
    size_t distinct = 0;

    qsort(watched, count, sizeof(*watched), by_future);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || watched[i].fut != watched[distinct - 1].fut)
            watched[distinct++] = watched[i];
    qsort(watched, distinct, sizeof(*watched), by_place);
    return distinct;
}

static int collect(aio_concurrent_future *const *futs, size_t count, struct watched *ret_watched,
                   size_t *ret_distinct)
{
    if (futs == NULL && count != 0)
        return aio_raise(AIO_ETYPE, "an array of futures is required, not NULL");
    for (size_t i = 0; i < count; i++) {
        if (futs[i] == NULL)
            return aio__null_future();
        ret_watched[i].fut = futs[i];
        ret_watched[i].place = i;
    }
    *ret_distinct = drop_duplicates(ret_watched, count);
    return 0;
}

/* --- wait ------------------------------------------------------------------------------ */

struct waiting {
    struct aio__blocker blocker;
    aio_return_when when;
    size_t left;
};

static bool one_is_done(struct aio__blocker *blocker, aio_concurrent_future *fut)
{
    struct waiting *waiting = aio__container_of(blocker, struct waiting, blocker);

    if (--waiting->left == 0)
        return true;
    switch (waiting->when) {
    case AIO_FIRST_COMPLETED: return true;
    case AIO_FIRST_EXCEPTION: return aio__concurrent_state(fut) == AIO__CONCURRENT_FAILED;
    default: return false;
    }
}

static int block(struct watched *watched, size_t count, double timeout, aio_return_when when)
{
    struct waiting waiting = {.when = when, .left = count};
    const struct timespec *limit = NULL;
    struct timespec deadline;
    int err = aio__blocker_init(&waiting.blocker, one_is_done);

    if (err < 0)
        return err;
    if (aio__monotonic_deadline(timeout, &deadline))
        limit = &deadline;
    for (size_t i = 0; i < count; i++)
        aio__blocker_watch(&waiting.blocker, &watched[i].link, watched[i].fut);
    (void)pthread_mutex_lock(&waiting.blocker.lock);
    (void)aio__blocker_wait(&waiting.blocker, limit);
    (void)pthread_mutex_unlock(&waiting.blocker.lock);
    for (size_t i = 0; i < count; i++)
        aio__blocker_forget(&watched[i].link, watched[i].fut);
    aio__blocker_destroy(&waiting.blocker);
    return 0;
}

int aio_concurrent_wait(aio_concurrent_future *const *futs, size_t count, double timeout,
                        aio_return_when when, size_t *ret_done)
{
    struct watched *watched;
    size_t distinct = 0;
    size_t done = 0;
    int err;

    if ((unsigned)when > AIO_FIRST_EXCEPTION)
        return aio_raise(AIO_EVALUE, "Invalid return condition: %d", (int)when);
    if (isnan(timeout))
        return aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)");
    watched = aio_calloc(count, sizeof(*watched));
    if (watched == NULL)
        return AIO_ENOMEM;
    err = collect(futs, count, watched, &distinct);
    if (err == 0 && distinct != 0)
        err = block(watched, distinct, timeout, when);
    for (size_t i = 0; i < distinct; i++)
        done += aio_concurrent_future_done(watched[i].fut);
    aio_free(watched);
    if (err == 0 && ret_done != NULL)
        *ret_done = done;
    return err;
}

/* --- as_completed ---------------------------------------------------------------------- */

struct aio_concurrent_as_completed {
    struct aio__blocker blocker;
    bool has_deadline;
    struct timespec deadline;
    size_t given;   /* in line[]: given out up to here, */
    size_t arrived; /* done up to there; with the blocker's lock held */
    size_t count;
    aio_concurrent_future **line; /* in order of arrival; borrowed from watched */
    struct watched watched[];     /* distinct, each referenced */
};

static bool arrive(struct aio__blocker *blocker, aio_concurrent_future *fut)
{
    aio_concurrent_as_completed *it =
        aio__container_of(blocker, aio_concurrent_as_completed, blocker);

    it->line[it->arrived++] = fut;
    return true;
}

void aio_concurrent_as_completed_unref(aio_concurrent_as_completed *it)
{
    if (it == NULL)
        return;
    for (size_t i = 0; i < it->count; i++) {
        aio__blocker_forget(&it->watched[i].link, it->watched[i].fut);
        aio_concurrent_future_unref(it->watched[i].fut);
    }
    aio__blocker_destroy(&it->blocker);
    aio_free(it->line);
    aio_free(it);
}

/* Room for an iteration over so many. NULL: no memory. */
static aio_concurrent_as_completed *alloc_iteration(size_t count)
{
    aio_concurrent_as_completed *it;

    if (count > SIZE_MAX / 2 / sizeof(struct watched))
        return NULL;
    it = aio_calloc(1, sizeof(*it) + count * sizeof(struct watched));
    if (it == NULL)
        return NULL;
    it->line = aio_calloc(count, sizeof(aio_concurrent_future *));
    if (it->line == NULL || aio__blocker_init(&it->blocker, arrive) < 0) {
        aio_free(it->line);
        aio_free(it);
        return NULL;
    }
    return it;
}

aio_concurrent_as_completed *aio_concurrent_as_completed_new(aio_concurrent_future *const *futs,
                                                             size_t count, double timeout)
{
    aio_concurrent_as_completed *it;
    size_t distinct = 0;
    int err;

    if (isnan(timeout))
        return aio__failed(aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)"));
    it = alloc_iteration(count);
    if (it == NULL)
        return aio__failed(AIO_ENOMEM);
    it->has_deadline = aio__monotonic_deadline(timeout, &it->deadline);
    err = collect(futs, count, it->watched, &distinct);
    if (err < 0) {
        aio_concurrent_as_completed_unref(it);
        return aio__failed(err);
    }
    while (it->count < distinct) {
        struct watched *watched = &it->watched[it->count++];

        aio_concurrent_future_ref(watched->fut);
        aio__blocker_watch(&it->blocker, &watched->link, watched->fut);
    }
    return it;
}

int aio_concurrent_as_completed_next(aio_concurrent_as_completed *it,
                                     aio_concurrent_future **ret_fut)
{
    aio_concurrent_future *fut = NULL;
    bool in_time = true;

    if (it == NULL)
        return aio__null_future();
    if (it->given == it->count)
        return AIO_ESTOP;
    (void)pthread_mutex_lock(&it->blocker.lock);
    while (it->arrived == it->given && in_time)
        in_time = aio__blocker_wait(&it->blocker, it->has_deadline ? &it->deadline : NULL);
    if (it->arrived != it->given)
        fut = it->line[it->given++];
    (void)pthread_mutex_unlock(&it->blocker.lock);
    if (fut == NULL)
        return aio_raise(AIO_ETIMEDOUT, "%zu (of %zu) futures unfinished", it->count - it->given,
                         it->count);
    if (ret_fut != NULL)
        *ret_fut = fut;
    return 0;
}
