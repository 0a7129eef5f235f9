/* SPDX-License-Identifier: MIT */
/*
 * list.h - a doubly linked list whose nodes live inside what they link
 *
 * For every internal file. A list is a ring through its head, so nothing here
 * allocates, fails or asks where in a list a node is.
 *
 * Invariant: a node is in one list, or linked to itself. Initialised or removed, it
 * is "empty", which is how one asks whether it is in a list.
 */
#ifndef AIO__LIST_H
#define AIO__LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, and each of its nodes. */
struct aio__list {
    struct aio__list *next; /* the first, seen from the head */
    struct aio__list *prev; /* the last, seen from the head */
};

/* From a member back to the structure it is in. */
#define aio__container_of(pointer, type, member)                                                   \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define AIO__LIST_INIT(name)                                                                       \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }

static inline void aio__list_init(struct aio__list *list)
{
    list->next = list;
    list->prev = list;
}

/* Of a head: no nodes. Of a node: in no list. */
static inline bool aio__list_empty(const struct aio__list *list)
{
    return list->next == list;
}

/* The first node; NULL if there is none. */
static inline struct aio__list *aio__list_first(const struct aio__list *list)
{
    return list->next == list ? NULL : list->next;
}

/* The last node; NULL if there is none. */
static inline struct aio__list *aio__list_last(const struct aio__list *list)
{
    return list->prev == list ? NULL : list->prev;
}

static inline void aio__list_insert_between(struct aio__list *node, struct aio__list *prev,
                                            struct aio__list *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

/* Put a node, which is in no list, last; before `list` if that is itself a node. */
static inline void aio__list_append(struct aio__list *list, struct aio__list *node)
{
    aio__list_insert_between(node, list->prev, list);
}

/* Put a node, which is in no list, first; behind `list` if that is itself a node. */
static inline void aio__list_prepend(struct aio__list *list, struct aio__list *node)
{
    aio__list_insert_between(node, list, list->next);
}

/* Take a node out of the list it is in. Nothing happens if it is in none. */
static inline void aio__list_remove(struct aio__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    aio__list_init(node);
}

/* Move all nodes, in order, from one list to the end of another. */
static inline void aio__list_append_all(struct aio__list *list, struct aio__list *from)
{
    if (aio__list_empty(from))
        return;
    from->next->prev = list->prev;
    from->prev->next = list;
    list->prev->next = from->next;
    list->prev = from->prev;
    aio__list_init(from);
}

/*
 * Go through a list, first to last; the body may remove the node it is at, but no
 * other. Names the running node, and the one after it `node##_next`.
 */
#define AIO__LIST_FOREACH(node, list)                                                              \
    for (struct aio__list *node = (list)->next, *node##_next = node->next; node != (list);         \
         node = node##_next, node##_next = node->next)

#endif
