/* SPDX-License-Identifier: MIT */
/*
 * queue.c - passing items between tasks
 *
 * An item that comes wakes the first getter in line, a place that gets free the first putter,
 * and takes it out of the line. Nothing is kept for whom was woken: it looks again, and if
 * somebody was quicker it goes to the end of the line (S101). So a wake-up is a hint, and what
 * must not happen is that one is lost: who is woken but cannot use it passes it on (S102).
 *
 * Invariants
 *   - With items inside and getters asleep, at least one getter is awake; with room and
 *     putters asleep, at least one putter.
 *   - unfinished counts the items put in for which task_done was not called; joiners wait
 *     only while it is not 0.
 *   - A task that waits holds a reference.
 *
 * Thread: the loop's.
 */
#include "sync/store.h"
#include "sync/waiter.h"

#include <aio/memory.h>
#include <aio/queue.h>

struct aio_queue {
    size_t refs;
    struct aio__store store;
    long maxsize;
    size_t unfinished;
    bool is_shutdown;
    const aio_type *type; /* of the items; may be NULL */
    aio_loop *loop;       /* of the first who waited; compared only */
    struct aio__list getters;
    struct aio__list putters;
    struct aio__list joiners;
};

/* --- life ------------------------------------------------------------------------------ */

static aio_queue *queue_new(enum aio__store_kind kind, long maxsize, aio_compare_fn compare,
                            void *arg)
{
    aio_queue *queue = aio_calloc(1, sizeof(*queue));

    if (queue == NULL)
        return aio__sync_failed(AIO_ENOMEM);
    queue->refs = 1;
    aio__store_init(&queue->store, kind, compare, arg);
    queue->maxsize = maxsize;
    aio__list_init(&queue->getters);
    aio__list_init(&queue->putters);
    aio__list_init(&queue->joiners);
    return queue;
}

aio_queue *aio_queue_new(long maxsize)
{
    return queue_new(AIO__STORE_FIFO, maxsize, NULL, NULL);
}

aio_queue *aio_lifo_queue_new(long maxsize)
{
    return queue_new(AIO__STORE_LIFO, maxsize, NULL, NULL);
}

aio_queue *aio_priority_queue_new(long maxsize, aio_compare_fn compare, void *arg)
{
    if (compare == NULL)
        return aio__sync_failed(aio_raise(AIO_EVALUE, "a priority queue needs a comparison"));
    return queue_new(AIO__STORE_PRIORITY, maxsize, compare, arg);
}

void aio_queue_set_type(aio_queue *queue, const aio_type *type)
{
    if (queue != NULL)
        queue->type = type;
}

aio_queue *aio_queue_ref(aio_queue *queue)
{
    if (queue != NULL)
        queue->refs++;
    return queue;
}

static void destroy_item(const aio_queue *queue, void *item)
{
    if (item != NULL && queue->type != NULL && queue->type->destroy != NULL)
        queue->type->destroy(item);
}

void aio_queue_unref(aio_queue *queue)
{
    if (queue == NULL || --queue->refs != 0)
        return;
    while (queue->store.count > 0)
        destroy_item(queue, aio__store_take(&queue->store));
    aio__store_destroy(&queue->store);
    aio_free(queue);
}

/* --- state ----------------------------------------------------------------------------- */

size_t aio_queue_qsize(const aio_queue *queue)
{
    return queue == NULL ? 0 : queue->store.count;
}

long aio_queue_maxsize(const aio_queue *queue)
{
    return queue == NULL ? 0 : queue->maxsize;
}

bool aio_queue_empty(const aio_queue *queue)
{
    return aio_queue_qsize(queue) == 0;
}

bool aio_queue_full(const aio_queue *queue)
{
    return queue != NULL && queue->maxsize > 0 && queue->store.count >= (size_t)queue->maxsize;
}

/* --- waiting --------------------------------------------------------------------------- */

/* Wait at the end of a line. `is_idle` says whether there is nothing to do for who is in it. */
static int wait_in_line(aio_queue *queue, struct aio__list *line,
                        bool (*is_idle)(const aio_queue *queue))
{
    struct aio__waiter me;
    int err = aio__waiter_init(&me, &queue->loop, "queue");

    if (err < 0)
        return err;
    err = aio__waiter_sleep(&me, line);
    /* Woken, then cancelled before it could run: the item, or the place, is the next one's. */
    if (err < 0 && aio__waiter_was_woken(&me) && !is_idle(queue))
        (void)aio__line_wake(line, 1);
    aio__waiter_done(&me);
    return err;
}

static int put_waiting(aio_queue *queue, void *item)
{
    int err;

    while (aio_queue_full(queue)) {
        if (queue->is_shutdown)
            return AIO_EQUEUESHUTDOWN;
        err = wait_in_line(queue, &queue->putters, aio_queue_full);
        if (err < 0)
            return err;
    }
    err = aio_queue_put_nowait(queue, item);
    if (err < 0) /* no memory: the place we were woken for is the next one's */
        (void)aio__line_wake(&queue->putters, 1);
    return err;
}

static int get_waiting(aio_queue *queue, void **ret_item)
{
    while (aio_queue_empty(queue)) {
        int err;

        if (queue->is_shutdown)
            return AIO_EQUEUESHUTDOWN;
        err = wait_in_line(queue, &queue->getters, aio_queue_empty);
        if (err < 0)
            return err;
    }
    return aio_queue_get_nowait(queue, ret_item);
}

/* --- items ----------------------------------------------------------------------------- */

int aio_queue_put(aio_queue *queue, void *item)
{
    int err;

    if (!aio_queue_full(queue))
        return aio_queue_put_nowait(queue, item);
    (void)aio_queue_ref(queue);
    err = put_waiting(queue, item);
    aio_queue_unref(queue);
    return err;
}

int aio_queue_put_nowait(aio_queue *queue, void *item)
{
    int err;

    if (queue == NULL)
        return aio__sync_null();
    if (queue->is_shutdown)
        return AIO_EQUEUESHUTDOWN;
    if (aio_queue_full(queue))
        return AIO_EQUEUEFULL;
    err = aio__store_put(&queue->store, item);
    if (err < 0)
        return err;
    queue->unfinished++;
    (void)aio__line_wake(&queue->getters, 1);
    return 0;
}

int aio_queue_get(aio_queue *queue, void **ret_item)
{
    int err;

    if (queue == NULL || !aio_queue_empty(queue))
        return aio_queue_get_nowait(queue, ret_item);
    (void)aio_queue_ref(queue);
    err = get_waiting(queue, ret_item);
    aio_queue_unref(queue);
    return err;
}

int aio_queue_get_nowait(aio_queue *queue, void **ret_item)
{
    void *item;

    if (queue == NULL)
        return aio__sync_null();
    if (aio_queue_empty(queue))
        return queue->is_shutdown ? AIO_EQUEUESHUTDOWN : AIO_EQUEUEEMPTY;
    item = aio__store_take(&queue->store);
    (void)aio__line_wake(&queue->putters, 1);
    if (ret_item != NULL)
        *ret_item = item;
    else
        destroy_item(queue, item);
    return 0;
}

/* --- work ------------------------------------------------------------------------------ */

int aio_queue_task_done(aio_queue *queue)
{
    if (queue == NULL)
        return aio__sync_null();
    if (queue->unfinished == 0)
        return aio_raise(AIO_EVALUE, "task_done() called too many times");
    if (--queue->unfinished == 0)
        (void)aio__line_wake(&queue->joiners, SIZE_MAX);
    return 0;
}

int aio_queue_join(aio_queue *queue)
{
    struct aio__waiter me;
    int err;

    if (queue == NULL)
        return aio__sync_null();
    if (queue->unfinished == 0)
        return 0;
    err = aio__waiter_init(&me, &queue->loop, "queue");
    if (err < 0)
        return err;
    (void)aio_queue_ref(queue);
    /* Once is enough, as for an event: work that was put in since is not what we waited for. */
    err = aio__waiter_sleep(&me, &queue->joiners);
    aio__waiter_done(&me);
    aio_queue_unref(queue);
    return err;
}

/* Throw the items away, each as if it had been got out and worked on. */
static void discard_items(aio_queue *queue)
{
    while (queue->store.count > 0) {
        void *item = aio__store_take(&queue->store);

        if (queue->unfinished > 0)
            queue->unfinished--;
        destroy_item(queue, item);
    }
    if (queue->unfinished == 0)
        (void)aio__line_wake(&queue->joiners, SIZE_MAX);
}

void aio_queue_shutdown(aio_queue *queue, bool immediate)
{
    if (queue == NULL)
        return;
    (void)aio_queue_ref(queue); /* destroying items calls the user's code */
    queue->is_shutdown = true;
    if (immediate)
        discard_items(queue);
    /* All look again, and find the queue shut down. */
    (void)aio__line_wake(&queue->getters, SIZE_MAX);
    (void)aio__line_wake(&queue->putters, SIZE_MAX);
    aio_queue_unref(queue);
}
