/* SPDX-License-Identifier: MIT */
/*
 * spares.c - memory for what readers buffer, passed on from one to the next
 */
#include "stream/spares.h"

#include "loop/loop_internal.h"

#include <aio/memory.h>

/* Of each kind; what is more goes back to the allocator. */
enum { MOST = 32 };

struct shelf {
    char *memory[MOST];
    unsigned count;
};

struct spares {
    struct aio__close_hook hook;
    struct shelf small;
    struct shelf large;
};

static void empty_shelf(struct shelf *shelf)
{
    while (shelf->count > 0)
        aio_free(shelf->memory[--shelf->count]);
}

/* Readers may live longer: what they give back then is nobody's. */
static void end_spares(struct aio__close_hook *hook, aio_loop *loop)
{
    struct spares *spares = aio__container_of(hook, struct spares, hook);

    loop->spares = NULL;
    empty_shelf(&spares->small);
    empty_shelf(&spares->large);
    aio_free(spares);
}

static struct spares *spares_of(aio_loop *loop)
{
    struct spares *spares = loop->spares;

    if (spares != NULL || loop->closing || loop->closed)
        return spares;
    spares = aio_calloc(1, sizeof(*spares));
    if (spares == NULL)
        return NULL;
    spares->hook.fn = end_spares;
    aio__list_append(&loop->close_hooks, &spares->hook.link);
    loop->spares = spares;
    return spares;
}

/* Where memory for so many bytes is kept; NULL: it is not. */
static struct shelf *shelf_for(aio_loop *loop, size_t capacity)
{
    struct spares *spares;

    if (loop == NULL || (capacity != AIO__SPARE_SMALL && capacity != AIO__SPARE_LARGE))
        return NULL;
    spares = spares_of(loop);
    if (spares == NULL)
        return NULL;
    return capacity == AIO__SPARE_SMALL ? &spares->small : &spares->large;
}

char *aio__spare_take(aio_loop *loop, size_t capacity)
{
    struct shelf *shelf = shelf_for(loop, capacity);

    if (shelf != NULL && shelf->count > 0)
        return shelf->memory[--shelf->count];
    return aio_malloc(capacity + 1);
}

void aio__spare_give(aio_loop *loop, char *memory, size_t capacity)
{
    struct shelf *shelf = memory == NULL ? NULL : shelf_for(loop, capacity);

    /* Where a checker watches, it is to see who uses what is gone. */
    if (shelf == NULL || shelf->count == MOST || loop->pool.largest == 0)
        aio_free(memory);
    else
        shelf->memory[shelf->count++] = memory;
}

char *aio__spare_look(aio_loop *loop)
{
    struct shelf *shelf = shelf_for(loop, AIO__SPARE_LARGE);
    char *memory;

    if (shelf == NULL)
        return NULL;
    if (shelf->count > 0)
        return shelf->memory[shelf->count - 1];
    memory = aio_malloc(AIO__SPARE_LARGE + 1);
    if (memory != NULL)
        shelf->memory[shelf->count++] = memory;
    return memory;
}
