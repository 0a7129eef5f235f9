/* SPDX-License-Identifier: MIT */
/*
 * origin.c - a table from objects to the stacks they were made on
 *
 * Hashed by address, with chains, doubled when it is full. It is there only once debug mode has
 * noted something.
 *
 * Thread: the loop's.
 */
#include "loop/origin.h"

#include "base/backtrace.h"

#include <aio/memory.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_SIZE = 64 };

struct aio__origins {
    size_t size; /* a power of two */
    size_t count;
    struct aio__origin *chains[];
};

AIO__NOINLINE struct aio__origin *aio__origin_capture(void)
{
    struct aio__origin *origin = aio_malloc(sizeof(*origin));

    if (origin == NULL)
        return NULL;
    origin->next = NULL;
    origin->object = NULL;
    origin->count = aio__backtrace(origin->places, AIO__ORIGIN_PLACES);
    return origin;
}

/* --- the table ---------------------------------------------------------------------------- */

/* The low bits of addresses are all alike. */
static struct aio__origin **chain_of(struct aio__origins *table, const void *object)
{
    uint64_t mixed = aio__random_mix((uint64_t)(uintptr_t)object);

    return &table->chains[mixed & (table->size - 1)];
}

static void add(struct aio__origins *table, struct aio__origin *origin)
{
    struct aio__origin **chain = chain_of(table, origin->object);

    origin->next = *chain;
    *chain = origin;
    table->count++;
}

static struct aio__origins *new_table(size_t size)
{
    struct aio__origins *table = aio_calloc(1, sizeof(*table) + size * sizeof(table->chains[0]));

    if (table != NULL)
        table->size = size;
    return table;
}

/* A table with room for one more. If it cannot be had the chains get longer. */
static struct aio__origins *make_room(aio_loop *loop)
{
    struct aio__origins *old = loop->origins;
    struct aio__origins *table;

    if (old != NULL && old->count < old->size)
        return old;
    table = new_table(old != NULL ? old->size * 2 : FIRST_SIZE);
    if (table == NULL)
        return old;
    for (size_t i = 0; old != NULL && i < old->size; i++) {
        while (old->chains[i] != NULL) {
            struct aio__origin *origin = old->chains[i];

            old->chains[i] = origin->next;
            add(table, origin);
        }
    }
    aio_free(old);
    loop->origins = table;
    return table;
}

bool aio__origin_note(aio_loop *loop, const void *object)
{
    struct aio__origins *table = make_room(loop);
    struct aio__origin *origin = table == NULL ? NULL : aio__origin_capture();

    if (origin == NULL)
        return false;
    origin->object = object;
    add(table, origin);
    return true;
}

/* The link that leads to it; NULL if there is none. */
static struct aio__origin **find_link(struct aio__origins *table, const void *object)
{
    struct aio__origin **link;

    if (table == NULL)
        return NULL;
    for (link = chain_of(table, object); *link != NULL; link = &(*link)->next)
        if ((*link)->object == object)
            return link;
    return NULL;
}

void aio__origin_forget(aio_loop *loop, const void *object)
{
    struct aio__origin **link = find_link(loop->origins, object);
    struct aio__origin *origin;

    if (link == NULL)
        return;
    origin = *link;
    *link = origin->next;
    loop->origins->count--;
    aio_free(origin);
}

const struct aio__origin *aio__origin_find(const aio_loop *loop, const void *object)
{
    struct aio__origin **link = find_link(loop->origins, object);

    return link == NULL ? NULL : *link;
}

void aio__origins_free(aio_loop *loop)
{
    struct aio__origins *table = loop->origins;

    for (size_t i = 0; table != NULL && i < table->size; i++) {
        while (table->chains[i] != NULL) {
            struct aio__origin *origin = table->chains[i];

            table->chains[i] = origin->next;
            aio_free(origin);
        }
    }
    aio_free(table);
    loop->origins = NULL;
}

/* --- text --------------------------------------------------------------------------------- */

char *aio__origin_text(const struct aio__origin *origin, const char *what)
{
    static const char title[] = " created at (most recent call last):\n";
    const void *places[AIO__ORIGIN_DEPTH];
    size_t count = 0;
    char *lines;
    char *text;

    if (origin == NULL)
        return NULL;
    for (size_t i = 0; i < origin->count && count < AIO__ORIGIN_DEPTH; i++)
        if (!aio__place_is_in(origin->places[i], (void (*)(void))aio__origin_note))
            places[count++] = origin->places[i];
    lines = aio__backtrace_text(places, count);
    if (lines == NULL)
        return NULL;
    text = aio_malloc(strlen(what) + sizeof(title) + strlen(lines));
    if (text != NULL)
        (void)sprintf(text, "%s%s%s", what, title, lines);
    aio_free(lines);
    return text;
}
