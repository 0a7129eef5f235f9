/* SPDX-License-Identifier: MIT */
/*
 * ready.h - the queue of what runs next
 *
 * For every folder from src/loop on. Whatever can be made to run carries its own node,
 * so that making it ready allocates nothing.
 *
 * What a node is, its run function tells:
 *   NULL            a strand: switch to its fiber
 *   aio__run_inline a step of the library's own, which may run on any stack
 *   anything else   may call the user's code, and runs on the thread's own stack
 */
#ifndef AIO__READY_H
#define AIO__READY_H

#include "base/compiler.h"

#include <aio/common.h>

struct aio__ready {
    struct aio__ready *next; /* in the queue; undefined outside */
    void (*run)(struct aio__ready *self);
};

/* A small step of our own: needs little stack, calls no user code, does not suspend. */
struct aio__inline {
    struct aio__ready ready; /* run is aio__run_inline */
    void (*fn)(struct aio__inline *self);
};

/* First in, first out; tail is undefined while head is NULL. */
struct aio__queue {
    struct aio__ready *head;
    struct aio__ready *tail;
};

void aio__run_inline(struct aio__ready *self);

static inline void aio__queue_append(struct aio__queue *queue, struct aio__ready *node)
{
    node->next = NULL;
    if (queue->head == NULL)
        queue->head = node;
    else
        queue->tail->next = node;
    queue->tail = node;
}

/* Append nodes that are linked already, the last one's next being NULL. */
static inline void aio__queue_append_chain(struct aio__queue *queue, struct aio__ready *first,
                                           struct aio__ready *last)
{
    if (queue->head == NULL)
        queue->head = first;
    else
        queue->tail->next = first;
    queue->tail = last;
}

/* Move all of one queue to another, which is empty. Word by word: the two were written so, a moment
 * ago perhaps, and a load of both would have to wait until they have left the store buffer. */
static inline void aio__queue_move(struct aio__queue *to, struct aio__queue *from)
{
    struct aio__ready *head = from->head;

    __asm__("" : "+r"(head)); /* not to be put together with the tail */
    to->head = head;
    to->tail = from->tail;
    from->head = NULL;
}

/* Take the first; the queue is not empty. */
static inline struct aio__ready *aio__queue_take(struct aio__queue *queue)
{
    struct aio__ready *node = queue->head;

    queue->head = node->next;
    return node;
}

#endif
