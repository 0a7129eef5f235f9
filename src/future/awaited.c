/* SPDX-License-Identifier: MIT */
/*
 * awaited.c - records of who awaits whom, where no future can tell
 *
 * Who waits for a future stands in its chain; who waits for it by way of a callback, as the
 * library's own combinators do, is found by them. A program's combinators say so here. A record
 * keeps neither future: whichever goes first takes it along.
 *
 * Each record is in two chains, by the address of either future. The table is there from the first
 * record to the end of the loop.
 *
 * Thread: the loop's.
 */
#include "base/random.h"
#include "future/future_internal.h"

#include <aio/graph.h>
#include <aio/memory.h>

enum { CHAINS = 256 };

struct record {
    struct aio__list by_fut;
    struct aio__list by_waiter;
    const aio_future *fut;
    aio_future *waiter;
};

struct table {
    struct aio__close_hook hook;
    struct aio__list by_fut[CHAINS];
    struct aio__list by_waiter[CHAINS];
};

static struct aio__list *chain_of(struct aio__list *chains, const aio_future *fut)
{
    return &chains[aio__random_mix((uint64_t)(uintptr_t)fut) % CHAINS];
}

static void drop(struct record *record)
{
    aio__list_remove(&record->by_fut);
    aio__list_remove(&record->by_waiter);
    aio_free(record);
}

static void free_table(struct aio__close_hook *hook, aio_loop *loop)
{
    struct table *table = aio__container_of(hook, struct table, hook);

    for (size_t i = 0; i < CHAINS; i++) {
        struct aio__list *first;

        while ((first = aio__list_first(&table->by_fut[i])) != NULL)
            drop(aio__container_of(first, struct record, by_fut));
    }
    loop->awaited = NULL;
    aio_free(table);
}

static struct table *table_of(aio_loop *loop)
{
    struct table *table = loop->awaited;

    if (table != NULL)
        return table;
    table = aio_malloc(sizeof(*table));
    if (table == NULL)
        return NULL;
    for (size_t i = 0; i < CHAINS; i++) {
        aio__list_init(&table->by_fut[i]);
        aio__list_init(&table->by_waiter[i]);
    }
    table->hook.fn = free_table;
    aio__list_append(&loop->close_hooks, &table->hook.link);
    loop->awaited = table;
    return table;
}

static struct record *find(struct table *table, const aio_future *fut, const aio_future *waiter)
{
    AIO__LIST_FOREACH (link, chain_of(table->by_fut, fut)) {
        struct record *record = aio__container_of(link, struct record, by_fut);

        if (record->fut == fut && record->waiter == waiter)
            return record;
    }
    return NULL;
}

static int check(const aio_future *fut, const aio_future *waiter)
{
    if (fut == NULL || waiter == NULL)
        return aio__null_future();
    if (fut->loop == NULL || waiter->loop == NULL)
        return aio_raise(AIO_ETYPE, "a coroutine object awaits nothing: make it a task first");
    if (fut->loop != waiter->loop)
        return aio_raise(AIO_ERUNTIME, "the futures belong to different loops");
    return 0;
}

int aio_future_add_to_awaited_by(aio_future *fut, aio_future *waiter)
{
    struct record *record;
    struct table *table;
    int err = check(fut, waiter);

    if (err < 0)
        return err;
    if (fut->loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    table = table_of(fut->loop);
    if (table == NULL)
        return AIO_ENOMEM;
    if (find(table, fut, waiter) != NULL)
        return 0;
    record = aio_malloc(sizeof(*record));
    if (record == NULL)
        return AIO_ENOMEM;
    record->fut = fut;
    record->waiter = waiter;
    aio__list_append(chain_of(table->by_fut, fut), &record->by_fut);
    aio__list_append(chain_of(table->by_waiter, waiter), &record->by_waiter);
    fut->flags |= AIO__FUTURE_AWAITED;
    waiter->flags |= AIO__FUTURE_AWAITED;
    return 0;
}

int aio_future_discard_from_awaited_by(aio_future *fut, aio_future *waiter)
{
    struct record *record = NULL;
    int err = check(fut, waiter);

    if (err < 0)
        return err;
    if (fut->loop->awaited != NULL)
        record = find(fut->loop->awaited, fut, waiter);
    if (record != NULL)
        drop(record);
    return 0;
}

void aio__awaited_each(const aio_future *fut, void (*call)(aio_future *waiter, void *arg),
                       void *arg)
{
    struct table *table = fut->loop == NULL ? NULL : fut->loop->awaited;

    if (table == NULL || !(fut->flags & AIO__FUTURE_AWAITED))
        return;
    AIO__LIST_FOREACH (link, chain_of(table->by_fut, fut)) {
        struct record *record = aio__container_of(link, struct record, by_fut);

        if (record->fut == fut)
            call(record->waiter, arg);
    }
}

void aio__awaited_forget(const aio_future *fut)
{
    struct table *table = fut->loop->awaited;
    struct aio__list *link;
    struct aio__list *end;

    if (table == NULL)
        return;
    end = chain_of(table->by_fut, fut);
    for (link = end->next; link != end;) {
        struct record *record = aio__container_of(link, struct record, by_fut);

        link = link->next;
        if (record->fut == fut)
            drop(record);
    }
    end = chain_of(table->by_waiter, fut);
    for (link = end->next; link != end;) {
        struct record *record = aio__container_of(link, struct record, by_waiter);

        link = link->next;
        if (record->waiter == fut)
            drop(record);
    }
}
