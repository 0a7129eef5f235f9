/* SPDX-License-Identifier: MIT */
/*
 * inbox.c - calls from other threads
 *
 * A stack that any thread pushes on with one exchange, and that the loop takes as a whole and
 * reverses. Only the thread that finds it empty wakes the loop: the others are covered by that.
 *
 * Closing puts a mark in the place of the stack, so that a call that comes later is refused and
 * none is lost in between, and waits for those who are between their push and their wake. What
 * was in there then runs with the loop closed, as all that is queued does: to let go of what it
 * holds.
 */
#include "loop/loop_internal.h"

#include <aio/error.h>
#include <sched.h>

static struct aio__ready closed_mark;

int aio__inbox_post(aio_loop *loop, struct aio__ready *node)
{
    struct aio__ready *head;

    atomic_fetch_add(&loop->posting, 1);
    head = atomic_load(&loop->inbox);
    do {
        if (head == &closed_mark)
            break;
        node->next = head;
    } while (!atomic_compare_exchange_weak(&loop->inbox, &head, node));
    if (head == NULL)
        (void)uv_async_send(&loop->wakeup);
    atomic_fetch_sub(&loop->posting, 1);
    return head == &closed_mark ? AIO_ECLOSED : 0;
}

/* What came, in the order in which it came. */
static struct aio__ready *take_all(aio_loop *loop, struct aio__ready *replacement)
{
    struct aio__ready *node =
        atomic_exchange_explicit(&loop->inbox, replacement, memory_order_acquire);
    struct aio__ready *first = NULL;

    while (node != NULL && node != &closed_mark) {
        struct aio__ready *next = node->next;

        node->next = first;
        first = node;
        node = next;
    }
    return first;
}

void aio__inbox_drain(aio_loop *loop)
{
    struct aio__ready *node = take_all(loop, NULL);

    while (node != NULL) {
        struct aio__ready *next = node->next;

        aio__queue_append(&loop->ready, node);
        node = next;
    }
}

void aio__inbox_close(aio_loop *loop)
{
    struct aio__ready *node = take_all(loop, &closed_mark);

    while (atomic_load(&loop->posting) != 0)
        sched_yield();
    while (node != NULL) {
        struct aio__ready *next = node->next;

        node->run(node);
        node = next;
    }
}
