/* SPDX-License-Identifier: MIT */
/*
 * varmap.h - immutable maps from context variables to values
 *
 * For src/base/context.c alone. A map is a reference to the root of a trie over the
 * variables' ids, five bits a level; NULL is the empty map. Maps share what they have in
 * common: taking another costs one count, and a change copies only the nodes on the way to
 * the entry, and none of those that nobody else sees.
 *
 * Thread: maps may be shared between threads; a `struct aio__varmap **` belongs to one.
 */
#ifndef AIO__VARMAP_H
#define AIO__VARMAP_H

#include <aio/context.h>
#include <stdatomic.h>

#define AIO__VARMAP_BITS  5
#define AIO__VARMAP_WIDTH (1u << AIO__VARMAP_BITS)

struct aio_contextvar {
    atomic_size_t refs;
    uint64_t id; /* counted from 0, never used again: neighbours lie side by side in a node */
    const aio_type *type;
    void *default_value; /* owned */
    bool has_default;
    char name[];
};

/* One value that a variable was set to; shared by every map it is in, and by tokens. */
struct aio__cell {
    atomic_size_t refs;
    aio_contextvar *var; /* one reference */
    void *value;         /* owned */
};

/*
 * A node. Entries stand in the order they came; `place` finds the one of a digit of an id.
 * An entry is a cell, or a node of the next level with its lowest bit set.
 */
struct aio__varmap {
    atomic_size_t refs;
    size_t size;                      /* cells in here and below */
    uint8_t count;                    /* entries */
    uint8_t capacity;                 /* entries there is room for */
    uint8_t place[AIO__VARMAP_WIDTH]; /* index into entries + 1; 0: none */
    uintptr_t entries[];
};

static inline bool aio__varmap_is_node(uintptr_t entry)
{
    return (entry & 1) != 0;
}

static inline struct aio__varmap *aio__varmap_node(uintptr_t entry)
{
    return (struct aio__varmap *)(entry - 1);
}

/* The cell of a variable; NULL if it has none. */
static inline struct aio__cell *aio__varmap_find(const struct aio__varmap *map,
                                                 const aio_contextvar *var)
{
    for (uint64_t id = var->id; map != NULL; id >>= AIO__VARMAP_BITS) {
        unsigned place = map->place[id % AIO__VARMAP_WIDTH];
        uintptr_t entry;

        if (place == 0)
            return NULL;
        entry = map->entries[place - 1];
        if (!aio__varmap_is_node(entry)) {
            struct aio__cell *cell = (struct aio__cell *)entry;

            return cell->var == var ? cell : NULL;
        }
        map = aio__varmap_node(entry);
    }
    return NULL;
}

/* Take another reference, of a map that is not empty. */
static inline void aio__varmap_ref(struct aio__varmap *map)
{
    atomic_fetch_add_explicit(&map->refs, 1, memory_order_relaxed);
}

/* Drop a reference; NULL is allowed. */
void aio__varmap_unref(struct aio__varmap *map);

/*
 * Put a cell, of which a reference is kept, into *map, a reference that is replaced.
 * *ret_old: the cell it takes the place of, returned; NULL: the variable had none.
 * 0, or AIO_ENOMEM and *map holds what it held.
 */
int aio__varmap_put(struct aio__varmap **map, struct aio__cell *cell, struct aio__cell **ret_old);

/* Take a variable's cell, which is in the map, out. Otherwise as aio__varmap_put(). */
int aio__varmap_remove(struct aio__varmap **map, const aio_contextvar *var,
                       struct aio__cell **ret_old);

/* How many cells. */
static inline size_t aio__varmap_size(const struct aio__varmap *map)
{
    return map == NULL ? 0 : map->size;
}

/* The cell at an index, borrowed; NULL past the end. */
struct aio__cell *aio__varmap_at(const struct aio__varmap *map, size_t index);

/* A cell with one reference, holding one of var's; value is taken. NULL: no memory. */
struct aio__cell *aio__cell_new(aio_contextvar *var, void *value);
static inline struct aio__cell *aio__cell_ref(struct aio__cell *cell)
{
    atomic_fetch_add_explicit(&cell->refs, 1, memory_order_relaxed);
    return cell;
}
/* Drop a reference; the last one destroys the value. NULL is allowed. */
void aio__cell_unref(struct aio__cell *cell);
/* Drop the only reference, and give the value back to whoever it was taken from. */
void aio__cell_discard(struct aio__cell *cell);

#endif
