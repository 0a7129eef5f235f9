/* SPDX-License-Identifier: MIT */
/*
 * places.c - the names of places in the program, each looked up once
 */
#include "inspect/places.h"

#include "base/random.h"

#include <aio/memory.h>

enum { FIRST_SIZE = 256 };

static struct aio__place **slot_of(struct aio__place **table, size_t size, const void *address)
{
    size_t at = aio__random_mix((uint64_t)(uintptr_t)address) & (size - 1);

    while (table[at] != NULL && table[at]->address != address)
        at = (at + 1) & (size - 1);
    return &table[at];
}

/* Half of it stays empty, so that a search ends soon. */
static bool make_room(struct aio__places *places)
{
    size_t size = places->size == 0 ? FIRST_SIZE : places->size * 2;
    struct aio__place **table;

    if (places->count < places->size / 2)
        return true;
    table = aio_calloc(size, sizeof(struct aio__place *));
    if (table == NULL)
        return false;
    for (size_t i = 0; i < places->size; i++)
        if (places->table[i] != NULL)
            *slot_of(table, size, places->table[i]->address) = places->table[i];
    aio_free(places->table);
    places->table = table;
    places->size = size;
    return true;
}

const struct aio__place *aio__places_find(struct aio__places *places, const void *address)
{
    struct aio__place **slot;
    struct aio__place *place;

    if (!make_room(places))
        return NULL;
    slot = slot_of(places->table, places->size, address);
    if (*slot != NULL)
        return *slot;
    place = aio_malloc(sizeof(*place));
    if (place == NULL)
        return NULL;
    place->address = address;
    aio__symbol_find(address, &place->symbol);
    if (places->lines == NULL && places->count == 0)
        places->lines = aio__lines_open();
    /* The call, not what follows it. */
    aio__line_find(places->lines, (const char *)address - 1, &place->line);
    *slot = place;
    places->count++;
    return place;
}

void aio__places_free(struct aio__places *places)
{
    for (size_t i = 0; i < places->size; i++)
        aio_free(places->table[i]);
    aio_free(places->table);
    aio__lines_close(places->lines);
}
