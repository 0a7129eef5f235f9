/* SPDX-License-Identifier: MIT */
/*
 * pool.c - things that take time to open, lent to one task at a time
 *
 * A semaphore has a unit for each item there may be: who holds one may take what is free, or open
 * one more. Its line is the pool's, so order and cancellation are the semaphore's.
 *
 * Invariants
 *   - Units taken and items that are free are together no more than max_size: who takes a unit and
 *     finds nothing free is the only one to open, and items come free with a unit given back.
 *   - An item is in exactly one list: free, or lent.
 *   - A pool that is closed has nothing free, and one unit more than it needs, which goes through
 *     the line from one to the next so that all hear of it.
 *
 * Thread: the loop's.
 */
#include "sync/waiter.h"

#include <aio/event.h>
#include <aio/loop.h>
#include <aio/memory.h>
#include <aio/pool.h>
#include <aio/semaphore.h>
#include <aio/task.h>
#include <aio/timeout.h>
#include <assert.h>
#include <limits.h>
#include <math.h>

enum { DEFAULT_MAX = 10 };

struct entry {
    struct aio__list link; /* free or lent */
    void *item;
    double opened; /* loop time; only with a max_age */
};

struct aio_pool {
    size_t refs;
    aio_pool_options options;
    aio_semaphore *units;
    aio_event *over;       /* set: closed, and nothing is open any more */
    struct aio__list free; /* the one that was given back first comes first */
    struct aio__list lent; /* the last first */
    aio_pool_stats stats;
    aio_task *filler; /* owned; brings the pool to its minimum */
    bool closed;
};

/* --- life ------------------------------------------------------------------------------ */

static int check_options(const aio_pool_options *options)
{
    if (options == NULL || options->size != sizeof(*options))
        return aio_raise(AIO_EVALUE, "aio_pool_options of another size");
    if (options->ops == NULL || options->ops->size != sizeof(*options->ops) ||
        options->ops->open == NULL || options->ops->close == NULL)
        return aio_raise(AIO_EVALUE, "a pool needs to know how to open and close its items");
    if (options->max_size >= (size_t)LONG_MAX ||
        options->min_size > (options->max_size == 0 ? DEFAULT_MAX : options->max_size))
        return aio_raise(AIO_EVALUE, "a pool of %zu to %zu items", options->min_size,
                         options->max_size);
    if (isnan(options->acquire_timeout) || options->acquire_timeout < 0 ||
        isnan(options->max_age) || options->max_age < 0)
        return aio_raise(AIO_EVALUE, "a pool's times are positive numbers");
    return 0;
}

aio_pool *aio_pool_new(const aio_pool_options *options)
{
    int err = check_options(options);
    aio_pool *pool;

    if (err < 0)
        return aio__sync_failed(err);
    pool = aio_calloc(1, sizeof(*pool));
    if (pool == NULL)
        return aio__sync_failed(AIO_ENOMEM);
    pool->refs = 1;
    pool->options = *options;
    if (pool->options.max_size == 0)
        pool->options.max_size = DEFAULT_MAX;
    aio__list_init(&pool->free);
    aio__list_init(&pool->lent);
    pool->over = aio_event_new();
    pool->units = aio_semaphore_new((long)pool->options.max_size);
    if (pool->over == NULL || pool->units == NULL) {
        aio_event_unref(pool->over);
        aio_semaphore_unref(pool->units);
        aio_free(pool);
        return aio__sync_failed(AIO_ENOMEM);
    }
    return pool;
}

aio_pool *aio_pool_ref(aio_pool *pool)
{
    if (pool != NULL)
        pool->refs++;
    return pool;
}

void aio_pool_unref(aio_pool *pool)
{
    if (pool == NULL || --pool->refs != 0)
        return;
    pool->refs = 1; /* closing lets go of references of its own */
    aio_pool_close(pool);
    aio_future_unref(pool->filler);
    if (pool->options.arg_destroy != NULL)
        pool->options.arg_destroy(pool->options.arg);
    aio_event_unref(pool->over);
    aio_semaphore_unref(pool->units);
    aio_free(pool);
}

/* --- items ----------------------------------------------------------------------------- */

static struct entry *entry_of(struct aio__list *link)
{
    return aio__container_of(link, struct entry, link);
}

static double now(void)
{
    aio_loop *loop = aio_get_running_loop();

    return loop == NULL ? 0 : aio_loop_time(loop);
}

/* Open one. The caller has a unit, and holds the pool. */
static int open_entry(aio_pool *pool, struct entry **ret_entry)
{
    struct entry *entry = aio_calloc(1, sizeof(*entry));
    int err;

    if (entry == NULL)
        return AIO_ENOMEM;
    aio__list_init(&entry->link);
    pool->stats.opening++;
    err = pool->options.ops->open(pool->options.arg, &entry->item);
    pool->stats.opening--;
    if (err < 0) {
        aio_free(entry);
        return err;
    }
    pool->stats.opened++;
    if (pool->options.max_age > 0)
        entry->opened = now();
    *ret_entry = entry;
    return 0;
}

static void close_entry(aio_pool *pool, struct entry *entry)
{
    void *item = entry->item;

    aio__list_remove(&entry->link);
    aio_free(entry);
    pool->stats.closed++;
    pool->options.ops->close(pool->options.arg, item);
}

static bool is_usable(aio_pool *pool, const struct entry *entry)
{
    bool (*ask)(void *, void *) = pool->options.ops->is_usable;

    return ask == NULL || ask(pool->options.arg, entry->item);
}

/* The first that is free and of use; NULL: there is none. */
static struct entry *take_free(aio_pool *pool)
{
    while (!aio__list_empty(&pool->free)) {
        struct entry *entry = entry_of(aio__list_first(&pool->free));

        pool->stats.free--;
        if (is_usable(pool, entry) &&
            (pool->options.max_age <= 0 || now() - entry->opened <= pool->options.max_age)) {
            aio__list_remove(&entry->link);
            return entry;
        }
        close_entry(pool, entry);
    }
    return NULL;
}

static void put_free(aio_pool *pool, struct entry *entry)
{
    aio__list_append(&pool->free, &entry->link);
    pool->stats.free++;
}

static size_t all_items(const aio_pool *pool)
{
    return pool->stats.free + pool->stats.lent + pool->stats.opening;
}

/* Closed, and the last has come back? */
static void note_if_over(aio_pool *pool)
{
    if (pool->closed && all_items(pool) == 0)
        aio_event_set(pool->over);
}

/* --- the minimum ----------------------------------------------------------------------- */

static int closed_error(void)
{
    return aio_raise(AIO_ERUNTIME, "the pool is closed");
}

int aio_pool_fill(aio_pool *pool)
{
    struct entry *entry = NULL;
    int err = 0;

    if (pool == NULL)
        return aio__sync_null();
    if (pool->closed)
        return closed_error();
    (void)aio_pool_ref(pool);
    /* With no unit to be had, others are at it. */
    while (err == 0 && all_items(pool) < pool->options.min_size &&
           !aio_semaphore_locked(pool->units)) {
        err = aio_semaphore_acquire(pool->units);
        if (err < 0)
            break;
        err = open_entry(pool, &entry);
        assert(err < 0 || entry != NULL);
        if (err == 0 && pool->closed) {
            close_entry(pool, entry);
            err = closed_error();
        } else if (err == 0) {
            put_free(pool, entry);
        }
        (void)aio_semaphore_release(pool->units);
        note_if_over(pool);
    }
    aio_pool_unref(pool);
    return err;
}

/* What it fails with is nobody's to hear: who asks for an item will try for himself. */
static int run_filler(void *arg, void **ret_result)
{
    int err = aio_pool_fill(arg);

    return err == AIO_ECANCELLED ? err : 0;
}

static void drop_pool(void *arg)
{
    aio_pool_unref(arg);
}

/* Bring the pool to its minimum, by a task of its own. */
static void top_up(aio_pool *pool)
{
    aio_task_options options = {.size = sizeof(options), .arg_destroy = drop_pool};

    if (pool->closed || all_items(pool) >= pool->options.min_size ||
        !aio_future_done(pool->filler) || aio_get_running_loop() == NULL)
        return;
    aio_future_unref(pool->filler);
    options.name = "aio_pool";
    pool->filler = aio_create_task_with(run_filler, aio_pool_ref(pool), &options);
}

/* --- lending --------------------------------------------------------------------------- */

static int take_unit(aio_pool *pool)
{
    aio_timeout *limit;
    int err;

    if (pool->options.acquire_timeout <= 0 || !aio_semaphore_locked(pool->units))
        return aio_semaphore_acquire(pool->units);
    limit = aio_timeout_new(pool->options.acquire_timeout);
    err = aio_timeout_enter(limit);
    if (err == 0)
        err = aio_timeout_exit(limit, aio_semaphore_acquire(pool->units));
    aio_timeout_unref(limit);
    if (err == AIO_ETIMEDOUT)
        return aio_raise(err, "nothing came free in the pool for %g s",
                         pool->options.acquire_timeout);
    return err;
}

/* With a unit: give one that is free, or a new one. */
static int take_entry(aio_pool *pool, struct entry **ret_entry)
{
    struct entry *entry = take_free(pool);
    int err = 0;

    if (entry == NULL)
        err = open_entry(pool, &entry);
    assert(err < 0 || entry != NULL);
    if (err == 0 && pool->closed) { /* meanwhile */
        close_entry(pool, entry);
        err = closed_error();
    }
    if (err == 0)
        *ret_entry = entry;
    return err;
}

static int acquire(aio_pool *pool, struct entry **ret_entry)
{
    int err;

    pool->stats.waiting++;
    err = take_unit(pool);
    pool->stats.waiting--;
    if (err < 0)
        return err;
    err = pool->closed ? closed_error() : take_entry(pool, ret_entry);
    if (err < 0)
        (void)aio_semaphore_release(pool->units);
    return err;
}

int aio_pool_acquire(aio_pool *pool, void **ret_item)
{
    struct entry *entry = NULL;
    int err;

    if (pool == NULL)
        return aio__sync_null();
    if (ret_item == NULL)
        return aio_raise(AIO_EVALUE, "a place for the item is needed, not NULL");
    if (pool->closed)
        return closed_error();
    (void)aio_pool_ref(pool);
    err = acquire(pool, &entry);
    if (err < 0) {
        note_if_over(pool);
        aio_pool_unref(pool);
        return err;
    }
    assert(entry != NULL);
    aio__list_prepend(&pool->lent, &entry->link); /* which holds the pool */
    pool->stats.lent++;
    *ret_item = entry->item;
    top_up(pool);
    return 0;
}

static struct entry *find_lent(aio_pool *pool, const void *item)
{
    for (struct aio__list *link = pool->lent.next; link != &pool->lent; link = link->next) {
        if (entry_of(link)->item == item)
            return entry_of(link);
    }
    return NULL;
}

int aio_pool_release(aio_pool *pool, void *item)
{
    struct entry *entry;

    if (pool == NULL)
        return aio__sync_null();
    entry = find_lent(pool, item);
    if (entry == NULL)
        return aio_raise(AIO_EVALUE, "the pool has not lent this, or has it back already");
    aio__list_remove(&entry->link);
    pool->stats.lent--;
    if (pool->closed || !is_usable(pool, entry))
        close_entry(pool, entry);
    else
        put_free(pool, entry);
    (void)aio_semaphore_release(pool->units);
    note_if_over(pool);
    top_up(pool);
    aio_pool_unref(pool);
    return 0;
}

int aio_pool_enter(aio_pool *pool, void **ret_item)
{
    return aio_pool_acquire(pool, ret_item);
}

int aio_pool_exit(aio_pool *pool, void *item, int code)
{
    int err = aio_pool_release(pool, item);

    return err < 0 ? err : code;
}

/* --- the end --------------------------------------------------------------------------- */

void aio_pool_close(aio_pool *pool)
{
    if (pool == NULL || pool->closed)
        return;
    pool->closed = true;
    while (!aio__list_empty(&pool->free)) {
        pool->stats.free--;
        close_entry(pool, entry_of(aio__list_first(&pool->free)));
    }
    if (pool->filler != NULL)
        (void)aio_task_cancel(pool->filler, NULL);
    (void)aio_semaphore_release(pool->units); /* the one that tells those in line */
    note_if_over(pool);
}

int aio_pool_wait_closed(aio_pool *pool)
{
    int err;

    if (pool == NULL)
        return aio__sync_null();
    if (!pool->closed)
        return aio_raise(AIO_ERUNTIME, "wait_closed() has to be called after close()");
    (void)aio_pool_ref(pool);
    err = aio_event_wait(pool->over);
    aio_pool_unref(pool);
    return err;
}

bool aio_pool_is_closed(const aio_pool *pool)
{
    return pool == NULL || pool->closed;
}

int aio_pool_get_stats(const aio_pool *pool, aio_pool_stats *ret_stats)
{
    if (pool == NULL)
        return aio__sync_null();
    if (ret_stats == NULL || ret_stats->size != sizeof(*ret_stats))
        return aio_raise(AIO_EVALUE, "aio_pool_stats of another size");
    *ret_stats = pool->stats;
    ret_stats->size = sizeof(*ret_stats);
    return 0;
}
