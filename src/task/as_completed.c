/* SPDX-License-Identifier: MIT */
/*
 * as_completed.c - outcomes in the order in which they come
 *
 * The iterator watches its futures and puts each that is done in line. Who asks while the line is
 * empty waits in a queue of getters, which are woken one for each arrival and look again, as
 * asyncio.Queue does it (S101): so several tasks may share one iterator.
 *
 * Thread: the loop's.
 */
#include "task/fan.h"

#include <aio/as_completed.h>
#include <aio/memory.h>
#include <math.h>

struct getter {
    struct aio__list link;
    aio_future *fut;
};

struct aio_as_completed {
    struct aio__fan fan;
    aio_iterator iterator;
    size_t refs;
    aio_loop *loop;
    aio_handle *timeout; /* may be NULL */
    struct aio__list getters;
    size_t left;      /* to be handed out */
    size_t todo;      /* watched and not done */
    size_t line_head; /* in line[]: handed out up to here, */
    size_t line_tail; /* arrived up to there */
    size_t count;
    aio_future **line;  /* in order of arrival; NULL: the time was over; borrowed from futs */
    aio_future *futs[]; /* distinct; referenced */
};

static void release(struct aio__fan *fan)
{
    aio_as_completed *it = aio__container_of(fan, aio_as_completed, fan);

    aio_free(it->line);
    aio_free(it);
}

static void wake_getter(aio_as_completed *it)
{
    struct aio__list *link;

    while ((link = aio__list_first(&it->getters)) != NULL) {
        struct getter *getter = aio__container_of(link, struct getter, link);

        aio__list_remove(link);
        if (aio__future_is_pending(getter->fut)) {
            aio__future_finish(getter->fut, NULL, NULL);
            return;
        }
    }
}

static void arrive(aio_as_completed *it, aio_future *fut)
{
    it->line[it->line_tail++] = fut;
    wake_getter(it);
}

static void one_is_done(struct aio__fan *fan, aio_future *fut)
{
    aio_as_completed *it = aio__container_of(fan, aio_as_completed, fan);

    if (it->todo == 0)
        return; /* the time was over before */
    it->todo--;
    arrive(it, fut);
    if (it->todo == 0)
        aio_handle_cancel(it->timeout);
}

static int time_is_over(void *arg)
{
    aio_as_completed *it = arg;

    while (it->todo > 0) {
        it->todo--;
        arrive(it, NULL);
    }
    return 0;
}

void aio_as_completed_unref(aio_as_completed *it)
{
    size_t count;

    if (it == NULL || --it->refs != 0)
        return;
    aio_handle_cancel(it->timeout);
    aio_handle_unref(it->timeout);
    count = it->count;
    it->fan.calls++; /* ours: until the futures are gone too */
    aio__fan_end(&it->fan, it->futs, count);
    for (size_t i = 0; i < count; i++)
        aio_future_unref(it->futs[i]);
    if (--it->fan.calls == 0)
        release(&it->fan);
}

static int watch_all(aio_as_completed *it, double timeout)
{
    int err = 0;

    for (size_t i = 0; i < it->count && err == 0; i++)
        err = aio__fan_watch(&it->fan, it->futs[i]);
    if (err == 0 && it->count != 0 && timeout != AIO_FOREVER)
        err = aio_loop_call_later(it->loop, timeout, time_is_over, it, &it->timeout);
    return err;
}

static int next_item(aio_iterator *iterator, void **ret_item)
{
    aio_future *fut = NULL;
    int err = aio_as_completed_next(aio__container_of(iterator, aio_as_completed, iterator), &fut);

    if (err == 0 && ret_item != NULL)
        *ret_item = fut;
    return err;
}

static const aio_iterator_ops iterator_ops = {.size = sizeof(iterator_ops), .next = next_item};

aio_as_completed *aio_as_completed_new(aio_future *const *awaitables, size_t count, double timeout)
{
    aio_loop *loop = aio__loop_or_current(NULL);
    aio_as_completed *it;
    int err;

    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    if (isnan(timeout))
        return aio__failed(aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)"));
    if (count > SIZE_MAX / 16)
        return aio__failed(AIO_ENOMEM);
    it = aio_calloc(1, sizeof(*it) + count * sizeof(aio_future *));
    if (it == NULL)
        return aio__failed(AIO_ENOMEM);
    aio__list_init(&it->getters);
    it->refs = 1;
    it->loop = loop;
    it->fan.on_done = one_is_done;
    it->fan.release = release;
    it->iterator.ops = &iterator_ops;
    it->line = aio_calloc(count == 0 ? 1 : count, sizeof(aio_future *));
    err = it->line == NULL ? AIO_ENOMEM
                           : aio__fan_collect(awaitables, count, &loop, it->futs, &it->count);
    if (err == 0)
        err = watch_all(it, timeout);
    if (err < 0) {
        aio_as_completed_unref(it);
        return aio__failed(err);
    }
    it->todo = it->count;
    it->left = it->count;
    return it;
}

size_t aio_as_completed_left(const aio_as_completed *it)
{
    return it == NULL ? 0 : it->left;
}

/* Wait until the line is not empty; another may have been quicker when we run. */
static int wait_for_arrival(aio_as_completed *it)
{
    while (it->line_head == it->line_tail) {
        struct getter getter;
        int err;

        if (AIO__UNLIKELY(it->loop->closing))
            return aio__task_refuse(aio__running_task());
        getter.fut = aio_future_new(it->loop);
        if (getter.fut == NULL)
            return AIO_ENOMEM;
        aio__list_append(&it->getters, &getter.link);
        err = aio_await(getter.fut, NULL);
        aio__list_remove(&getter.link);
        /* Woken, but cancelled: somebody else is to have what came. */
        if (err < 0 && it->line_head != it->line_tail && !aio_future_cancelled(getter.fut))
            wake_getter(it);
        aio_future_unref(getter.fut);
        if (err < 0)
            return err;
    }
    return 0;
}

int aio_as_completed_next(aio_as_completed *it, aio_future **ret_fut)
{
    aio_future *fut;
    int err;

    if (it == NULL)
        return aio__null_future();
    if (aio__running_task() == NULL)
        return AIO_ENOTASK;
    if (it->left == 0)
        return AIO_ESTOP;
    it->left--;
    it->refs++;
    err = wait_for_arrival(it);
    if (err == 0) {
        fut = it->line[it->line_head++];
        if (fut == NULL)
            err = aio_raise(AIO_ETIMEDOUT, "timed out");
        else if (ret_fut != NULL)
            *ret_fut = fut;
    }
    aio_as_completed_unref(it);
    return err;
}

int aio_as_completed_await_next(aio_as_completed *it, void **ret_value)
{
    aio_future *fut = NULL;
    int err = aio_as_completed_next(it, &fut);

    return err < 0 ? err : aio_future_result(fut, ret_value);
}

aio_iterator *aio_as_completed_iterator(aio_as_completed *it)
{
    return it == NULL ? NULL : &it->iterator;
}
