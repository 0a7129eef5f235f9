/* SPDX-License-Identifier: MIT */
/*
 * pool.h - things that take time to open, lent to one task at a time
 *
 *     err = aio_pool_enter(pool, &item);                    async with pool.acquire() as item:
 *     if (err < 0)
 *         return err;
 *     err = use(item);                                          await use(item)
 *     return aio_pool_exit(pool, item, err);
 *
 * Connections, mostly: the pools of the optional libraries are made of this. A pool opens what it
 * is asked for up to a maximum, then lets tasks wait in the order in which they came. One that can
 * no longer be used is closed when it comes back or would be given out, and another is opened: the
 * pool mends itself.
 *
 * Thread: the loop's, but for aio_pool_new(), which needs no loop.
 */
#ifndef AIO_POOL_H
#define AIO_POOL_H

#include <aio/error.h>

AIO_BEGIN_DECLS

typedef struct aio_pool aio_pool;

/** What a pool does with its items. A constant: the pool keeps the pointer. */
typedef struct aio_pool_ops {
    size_t size; /**< sizeof(aio_pool_ops) */
    /** Open one; runs in the task that asks for it, or in one of the pool's. May suspend. */
    int (*open)(void *arg, void **ret_item);
    /** Let go of one. Must not suspend. */
    void (*close)(void *arg, void *item);
    /** Whether one that came back, or is to be given out, is still of use. Must not suspend.
     *  NULL: always. */
    bool (*is_usable)(void *arg, void *item);
} aio_pool_ops;

/** How a pool is made. Zero in a field means the default. */
typedef struct aio_pool_options {
    size_t size;                    /**< sizeof(aio_pool_options) */
    const aio_pool_ops *ops;        /**< needed */
    void *arg;                      /**< what they get */
    void (*arg_destroy)(void *arg); /**< called once the pool is gone; may be NULL */
    size_t min_size;        /**< open at least so many, once the pool is in use; default 0 */
    size_t max_size;        /**< at most; default 10 */
    double acquire_timeout; /**< seconds to wait for one; default: for ever */
    double max_age;         /**< seconds after which one that is free is replaced; default: never */
} aio_pool_options;

/** The defaults. */
#define AIO_POOL_OPTIONS_INIT AIO_SIZED(aio_pool_options)

/**
 * Make a pool. Nothing is opened yet.
 *
 * @param options  Borrowed; its ops and arg are kept.
 * @return Returned: aio_pool_close() it, then aio_pool_unref(). NULL when memory is short, and with
 *         AIO_EVALUE for options out of bounds; the arg is the caller's still. Acquiring from that
 *         NULL gives the code.
 * Suspends: no.   Thread: any.   asyncio: none; aiomysql.create_pool()   Since: 0.1
 */
AIO_API aio_pool *aio_pool_new(const aio_pool_options *options);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_pool *aio_pool_ref(aio_pool *pool);
/** Drop a reference; NULL is allowed. What is lent holds one. The last one closes the pool.
 *  Since: 0.1 */
AIO_API void aio_pool_unref(aio_pool *pool);
AIO_DEFINE_AUTO(aio_pool)

/**
 * Open items until there are as many as the pool is to have at least.
 *
 * @return 0, AIO_ERUNTIME for a closed pool, or what opening one failed with: those opened before
 *         stay.
 * Suspends, cancellation point: as opening does.                 Since: 0.1
 */
AIO_API int aio_pool_fill(aio_pool *pool);

/**
 * Take an item: one that is free, else a new one, else wait for one behind all who asked before.
 *
 * @param[out] ret_item  The caller's until aio_pool_release(). Written on success only.
 * @return 0, or a negative code, and nothing is taken:
 *   AIO_ERUNTIME    the pool is closed, or was while the caller waited
 *   AIO_ETIMEDOUT   none came free in time
 *   AIO_ECANCELLED  the calling task was cancelled; one that was to be its own goes to the next
 *   AIO_ENOTASK, AIO_ENOMEM, AIO_EVALUE (no ret_item)
 *   any other       what opening one failed with: the next in line has its turn
 *
 * Suspends:            while none is free, and as opening does
 * Cancellation point:  whenever it suspends
 * asyncio:             none; aiomysql's Pool.acquire()           Since: 0.1
 */
AIO_API int aio_pool_acquire(aio_pool *pool, void **ret_item) AIO_MUST_CHECK;

/**
 * Give an item back: to the first who waits, or to the pool; closed, if it is of no use any more
 * or the pool is closed.
 *
 * @return 0, or AIO_EVALUE for something that the pool has not lent.
 * Suspends: no.   asyncio: none; aiomysql's Pool.release()       Since: 0.1
 */
AIO_API int aio_pool_release(aio_pool *pool, void *item);

/** Begin a block that has an item: aio_pool_acquire(). Since: 0.1 */
AIO_API int aio_pool_enter(aio_pool *pool, void **ret_item) AIO_MUST_CHECK;
/** End it: give the item back. Gives @p code, or that of aio_pool_release() if it fails. Since: 0.1 */
AIO_API int aio_pool_exit(aio_pool *pool, void *item, int code);

/** Close what is free, lend no more, and fail all who wait. What is lent is closed when it comes
 *  back. Nothing if it is closed, or NULL.   Suspends: no.   Since: 0.1 */
AIO_API void aio_pool_close(aio_pool *pool);
/** Wait until all of a closed pool's items are closed. 0, AIO_ERUNTIME for one that is not closed,
 *  AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.   Suspends: while some are lent.   Since: 0.1 */
AIO_API int aio_pool_wait_closed(aio_pool *pool);
/** Whether it is closed; true for NULL. Since: 0.1 */
AIO_API bool aio_pool_is_closed(const aio_pool *pool);

/** What a pool has. */
typedef struct aio_pool_stats {
    size_t size;     /**< sizeof(aio_pool_stats), set by who asks */
    size_t free;     /**< open, and lent to nobody */
    size_t lent;     /**< in use */
    size_t opening;  /**< not open yet */
    size_t waiting;  /**< tasks in line */
    uint64_t opened; /**< since the pool was made */
    uint64_t closed; /**< since the pool was made */
} aio_pool_stats;

/** To begin with. */
#define AIO_POOL_STATS_INIT AIO_SIZED(aio_pool_stats)

/** Ask a pool. 0, or AIO_EVALUE for a wrong size. Suspends: no.   Since: 0.1 */
AIO_API int aio_pool_get_stats(const aio_pool *pool, aio_pool_stats *ret_stats);

AIO_END_DECLS

#endif
