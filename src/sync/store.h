/* SPDX-License-Identifier: MIT */
/*
 * store.h - where a queue keeps its items: a ring, a stack or a heap
 *
 * For src/sync/queue.c. The three kinds of queue differ in this alone. Room grows by
 * doubling and is given back when most of it has stood empty; a store that has settled
 * allocates nothing.
 */
#ifndef AIO__STORE_H
#define AIO__STORE_H

#include <aio/queue.h>

enum aio__store_kind {
    AIO__STORE_FIFO,     /* a ring */
    AIO__STORE_LIFO,     /* the same ring, taken from where it is put */
    AIO__STORE_PRIORITY, /* a heap */
};

struct aio__store_entry;

struct aio__store {
    enum aio__store_kind kind;
    size_t count;
    size_t capacity; /* 0 or a power of two */
    size_t head;     /* rings: the place of the oldest item */
    union {
        void **ring;
        struct aio__store_entry *heap;
        void *memory; /* either; NULL while capacity is 0 */
    };
    uint64_t next_seq; /* heaps: how many were put, so that equal items come out in order */
    aio_compare_fn compare;
    void *compare_arg;
};

/* An empty store; it has no memory until the first item. `compare` is for heaps. */
void aio__store_init(struct aio__store *store, enum aio__store_kind kind, aio_compare_fn compare,
                     void *compare_arg);

/* Free the memory of an empty store. */
void aio__store_destroy(struct aio__store *store);

/* Put an item in. 0, or AIO_ENOMEM and nothing has changed. */
int aio__store_put(struct aio__store *store, void *item);

/* Take the item out whose turn it is. The store is not empty. */
void *aio__store_take(struct aio__store *store);

#endif
