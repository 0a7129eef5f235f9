/* SPDX-License-Identifier: MIT */
/*
 * queue.h - passing items between tasks: Queue, LifoQueue, PriorityQueue
 *
 * Items are pointers. Putting one in gives it to the queue, getting it out gives it to the
 * caller; a type (type.h) says how to destroy those still inside when the queue goes.
 *
 * An item that comes wakes one task that waits for it but is not kept for that task: whoever
 * comes first takes it, and the woken task waits anew, at the end of the line. A queue
 * belongs to the loop of the first task that has to wait at it. Not for use between threads.
 */
#ifndef AIO_QUEUE_H
#define AIO_QUEUE_H

#include <aio/future.h>

AIO_BEGIN_DECLS

/** A Queue, LifoQueue or PriorityQueue. */
typedef struct aio_queue aio_queue;

/**
 * Compares two items of a priority queue, which it must leave alone; it must not suspend.
 *
 * @return Below 0 if @p a comes out before @p b, above 0 if after, 0 if they are equal.
 */
typedef int (*aio_compare_fn)(const void *a, const void *b, void *arg);

/** @name Life @{ */

/**
 * Make a queue that gives the oldest item first.
 *
 * @param maxsize  How many items it holds at most; 0 and less: no limit.
 * @return Returned: aio_queue_unref() it. NULL when memory is short; using that NULL gives
 *         the code.
 * Suspends: no.   Thread: any.   asyncio: asyncio.Queue(maxsize)   Since: 0.1
 */
AIO_API aio_queue *aio_queue_new(long maxsize);
/** The same, giving the newest item first.   asyncio: asyncio.LifoQueue(maxsize)   Since: 0.1 */
AIO_API aio_queue *aio_lifo_queue_new(long maxsize);
/**
 * The same, giving the least item first, and of equal ones the oldest.
 *
 * @param compare  NULL makes the call fail with AIO_EVALUE.
 * @param arg      For @p compare; borrowed for as long as the queue lives.
 * asyncio: asyncio.PriorityQueue(maxsize)                        Since: 0.1
 */
AIO_API aio_queue *aio_priority_queue_new(long maxsize, aio_compare_fn compare, void *arg);

/** Say how to destroy items that nobody gets: those inside when the queue goes, or is shut
 *  down at once.
 *  @param type  Borrowed for ever: a constant. NULL: they are left alone.   Since: 0.1 */
AIO_API void aio_queue_set_type(aio_queue *queue, const aio_type *type);

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_queue *aio_queue_ref(aio_queue *queue);
/** Drop a reference; NULL is allowed. Tasks that wait hold one each. Since: 0.1 */
AIO_API void aio_queue_unref(aio_queue *queue);
AIO_DEFINE_AUTO(aio_queue)
/** @} */

/** @name Items @{ */

/**
 * Put an item in, waiting while the queue is full.
 *
 * @param item  Taken on success only; may be NULL, which is an item like any other.
 * @return 0, or a negative code:
 *   AIO_EQUEUESHUTDOWN  the queue is, or was meanwhile, shut down
 *   AIO_ECANCELLED      the calling task was cancelled
 *   AIO_ENOTASK, AIO_ENOLOOP  it is full, and only a task can wait
 *   AIO_ERUNTIME        it is full, and tasks of another loop have waited at it
 *   AIO_ENOMEM          memory is short
 *
 * Suspends:            only while it is full
 * Cancellation point:  whenever it suspends
 * Thread:              the loop's
 * asyncio:             Queue.put()                               Since: 0.1
 */
AIO_API int aio_queue_put(aio_queue *queue, void *item);

/**
 * Put an item in if there is room.
 *
 * @param item  Taken on success only.
 * @return 0, AIO_EQUEUEFULL, AIO_EQUEUESHUTDOWN or AIO_ENOMEM.
 * Suspends: no.   asyncio: Queue.put_nowait()                    Since: 0.1
 */
AIO_API int aio_queue_put_nowait(aio_queue *queue, void *item);

/**
 * Get an item out, waiting while the queue is empty.
 *
 * @param[out] ret_item  Written on success only. NULL: the item is destroyed by its type.
 * @return 0, or a negative code:
 *   AIO_EQUEUESHUTDOWN  the queue is shut down, and empty
 *   AIO_ECANCELLED      the calling task was cancelled; no item is lost
 *   AIO_ENOTASK, AIO_ENOLOOP  it is empty, and only a task can wait
 *   AIO_ERUNTIME        it is empty, and tasks of another loop have waited at it
 *   AIO_ENOMEM          it is empty, and memory is short
 *
 * Suspends:            only while it is empty
 * Cancellation point:  whenever it suspends
 * Thread:              the loop's
 * asyncio:             Queue.get()                               Since: 0.1
 */
AIO_API int aio_queue_get(aio_queue *queue, void **ret_item);

/**
 * Get an item out if there is one.
 *
 * @param[out] ret_item  As for aio_queue_get().
 * @return 0, AIO_EQUEUEEMPTY, or AIO_EQUEUESHUTDOWN if it is shut down and empty.
 * Suspends: no.   asyncio: Queue.get_nowait()                    Since: 0.1
 */
AIO_API int aio_queue_get_nowait(aio_queue *queue, void **ret_item);
/** @} */

/** @name Work @{ */

/**
 * Say that the work on one item that was got out is done.
 *
 * @return 0, or AIO_EVALUE if that was said for every item already.
 * Suspends: no.   asyncio: Queue.task_done()                     Since: 0.1
 */
AIO_API int aio_queue_task_done(aio_queue *queue);

/**
 * Wait until aio_queue_task_done() was called for every item that was put in.
 *
 * @return 0, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOLOOP, AIO_ERUNTIME, AIO_ENOMEM.
 * Suspends:            only while items are unfinished
 * Cancellation point:  whenever it suspends
 * asyncio:             Queue.join()                              Since: 0.1
 */
AIO_API int aio_queue_join(aio_queue *queue);

/**
 * Shut the queue down: nothing more can be put in, who waits to do so gets
 * AIO_EQUEUESHUTDOWN, and so does who wants an item once it is empty. It may be called again.
 *
 * @param immediate  Throw away the items that are inside, counting them as done.
 * Suspends: no.   asyncio: Queue.shutdown()                      Since: 0.1
 */
AIO_API void aio_queue_shutdown(aio_queue *queue, bool immediate);
/** @} */

/** @name State
 *  Exact: nothing else runs between asking and acting, so long as the task does not
 *  suspend. @{ */

/** How many items are inside; 0 for NULL.   asyncio: Queue.qsize()   Since: 0.1 */
AIO_API size_t aio_queue_qsize(const aio_queue *queue);
/** The limit as it was given; 0 for NULL.   asyncio: Queue.maxsize   Since: 0.1 */
AIO_API long aio_queue_maxsize(const aio_queue *queue);
/** Whether there are no items; true for NULL.   asyncio: Queue.empty()   Since: 0.1 */
AIO_API bool aio_queue_empty(const aio_queue *queue);
/** Whether there is no room; never without a limit.   asyncio: Queue.full()   Since: 0.1 */
AIO_API bool aio_queue_full(const aio_queue *queue);
/** @} */

AIO_END_DECLS

#endif
