/* SPDX-License-Identifier: MIT */
/*
 * varmap.c - changing the maps behind contexts, and freeing them
 *
 * Invariants
 *   - A node that anybody else may see never changes. own() gives the caller of a change a
 *     node that only he sees, from the root down: below a node of his own, a count of one
 *     says that he is the only owner there, too.
 *   - A change that fails for want of memory may have copied nodes, but every map holds what
 *     it held.
 *   - No node but the root's parent, the empty map, is empty.
 *
 * Thread: counts are atomic; everything else is read only once shared.
 */
#include "base/varmap.h"

#include <aio/memory.h>
#include <assert.h>
#include <string.h>

#define CAPACITY_STEP 4

static size_t node_bytes(unsigned capacity)
{
    return sizeof(struct aio__varmap) + capacity * sizeof(uintptr_t);
}

static struct aio__varmap *node_new(void)
{
    struct aio__varmap *node = aio_calloc(1, node_bytes(CAPACITY_STEP));

    if (node == NULL)
        return NULL;
    atomic_init(&node->refs, 1);
    node->capacity = CAPACITY_STEP;
    return node;
}

static void entry_ref(uintptr_t entry)
{
    if (aio__varmap_is_node(entry))
        aio__varmap_ref(aio__varmap_node(entry));
    else
        (void)aio__cell_ref((struct aio__cell *)entry);
}

/* A copy, with a reference to each of the entries. NULL when memory is short. */
static struct aio__varmap *node_copy(const struct aio__varmap *node)
{
    struct aio__varmap *copy = aio_malloc(node_bytes(node->capacity));

    if (copy == NULL)
        return NULL;
    atomic_init(&copy->refs, 1);
    copy->size = node->size;
    copy->count = node->count;
    copy->capacity = node->capacity;
    memcpy(copy->place, node->place, sizeof(copy->place));
    memcpy(copy->entries, node->entries, node->count * sizeof(node->entries[0]));
    for (unsigned i = 0; i < copy->count; i++)
        entry_ref(copy->entries[i]);
    return copy;
}

void aio__varmap_unref(struct aio__varmap *map)
{
    if (map == NULL || atomic_fetch_sub_explicit(&map->refs, 1, memory_order_acq_rel) != 1)
        return;

    for (unsigned i = 0; i < map->count; i++) {
        if (aio__varmap_is_node(map->entries[i]))
            aio__varmap_unref(aio__varmap_node(map->entries[i]));
        else
            aio__cell_unref((struct aio__cell *)map->entries[i]);
    }
    aio_free(map);
}

struct aio__cell *aio__cell_new(aio_contextvar *var, void *value)
{
    struct aio__cell *cell = aio_malloc(sizeof(*cell));

    if (cell == NULL)
        return NULL;
    atomic_init(&cell->refs, 1);
    cell->var = aio_contextvar_ref(var);
    cell->value = value;
    return cell;
}

void aio__cell_unref(struct aio__cell *cell)
{
    if (cell == NULL || atomic_fetch_sub_explicit(&cell->refs, 1, memory_order_acq_rel) != 1)
        return;

    if (cell->var->type != NULL && cell->var->type->destroy != NULL)
        cell->var->type->destroy(cell->value);
    aio_contextvar_unref(cell->var);
    aio_free(cell);
}

void aio__cell_discard(struct aio__cell *cell)
{
    aio_contextvar_unref(cell->var);
    aio_free(cell);
}

/*
 * Make *ref the only reference to its node: a copy, if others have it as well.
 * false: no memory, nothing has changed.
 */
static bool own(struct aio__varmap **ref)
{
    struct aio__varmap *copy;

    assert(*ref != NULL);
    /* Acquire: whoever dropped the second to last reference is done reading. */
    if (atomic_load_explicit(&(*ref)->refs, memory_order_acquire) == 1)
        return true;
    copy = node_copy(*ref);
    if (copy == NULL)
        return false;
    aio__varmap_unref(*ref);
    *ref = copy;
    return true;
}

/* The same for a node that is an entry of another. */
static bool own_entry(uintptr_t *entry)
{
    struct aio__varmap *node = aio__varmap_node(*entry);

    if (!own(&node))
        return false;
    *entry = (uintptr_t)node | 1;
    return true;
}

/* Add an entry to an owned node that has none for the digit; it may move. false: no memory. */
static bool append(struct aio__varmap **ref, unsigned digit, uintptr_t entry)
{
    struct aio__varmap *node = *ref;

    if (node->count == node->capacity) {
        unsigned capacity = node->capacity + CAPACITY_STEP;

        node = aio_realloc(node, node_bytes(capacity));
        if (node == NULL)
            return false;
        node->capacity = (uint8_t)capacity;
        *ref = node;
    }
    node->entries[node->count++] = entry;
    node->place[digit] = node->count;
    return true;
}

/* Take the entry of a digit out of an owned node; the last one moves into its place. */
static void take_out(struct aio__varmap *node, unsigned digit)
{
    unsigned place = node->place[digit];
    unsigned last = node->count;

    for (unsigned i = 0; i < AIO__VARMAP_WIDTH; i++)
        if (node->place[i] == last)
            node->place[i] = (uint8_t)place;
    node->entries[place - 1] = node->entries[last - 1];
    node->place[digit] = 0;
    node->count--;
}

/* Count a cell more, or less, in every node on the way to a variable. All are owned. */
static void add_to_sizes(struct aio__varmap *node, uint64_t id, int change)
{
    for (;; id >>= AIO__VARMAP_BITS) {
        unsigned place = node->place[id % AIO__VARMAP_WIDTH];

        node->size += (size_t)change;
        if (place == 0 || !aio__varmap_is_node(node->entries[place - 1]))
            return;
        node = aio__varmap_node(node->entries[place - 1]);
    }
}

/*
 * Two variables meet at one digit: push the one that is there, whose id has `level` digits
 * behind it, a level down. The node that is made counts it already.
 */
static bool push_down(uintptr_t *entry, unsigned level)
{
    struct aio__varmap *node = node_new();
    uint64_t id = ((struct aio__cell *)*entry)->var->id >> (AIO__VARMAP_BITS * (level + 1));

    if (node == NULL)
        return false;
    (void)append(&node, id % AIO__VARMAP_WIDTH, *entry); /* there is room */
    node->size = 1;
    *entry = (uintptr_t)node | 1;
    return true;
}

/*
 * Put the cell where its variable belongs, under a node that is owned. 0 if it was added, 1
 * if it replaced *ret_old, or AIO_ENOMEM. *ref is where the node hangs, for it may move.
 */
static int put_under(uintptr_t *ref, struct aio__cell *cell, struct aio__cell **ret_old)
{
    uint64_t id = cell->var->id;

    for (unsigned level = 0;; level++, id >>= AIO__VARMAP_BITS) {
        struct aio__varmap *node = aio__varmap_node(*ref);
        unsigned digit = id % AIO__VARMAP_WIDTH;
        uintptr_t *entry;

        if (node->place[digit] == 0) {
            bool added = append(&node, digit, (uintptr_t)cell);

            *ref = (uintptr_t)node | 1;
            return added ? 0 : AIO_ENOMEM;
        }

        entry = &node->entries[node->place[digit] - 1];
        if (!aio__varmap_is_node(*entry)) {
            struct aio__cell *there = (struct aio__cell *)*entry;

            if (there->var == cell->var) {
                *entry = (uintptr_t)cell;
                *ret_old = there;
                return 1;
            }
            if (!push_down(entry, level))
                return AIO_ENOMEM;
        } else if (!own_entry(entry)) {
            return AIO_ENOMEM;
        }
        ref = entry;
    }
}

int aio__varmap_put(struct aio__varmap **map, struct aio__cell *cell, struct aio__cell **ret_old)
{
    bool first = *map == NULL;
    uintptr_t root;
    int err;

    if (first ? (*map = node_new()) == NULL : !own(map))
        return AIO_ENOMEM;

    root = (uintptr_t)*map | 1;
    *ret_old = NULL;
    err = put_under(&root, cell, ret_old);
    *map = aio__varmap_node(root);
    if (err < 0)
        return err; /* not the first: that one found room */
    (void)aio__cell_ref(cell);
    if (err == 0)
        add_to_sizes(*map, cell->var->id, 1);
    return 0;
}

/* Own every node on the way to a variable that is there. false: no memory. */
static bool own_path(struct aio__varmap **map, uint64_t id)
{
    struct aio__varmap *node;
    uintptr_t *entry;

    if (!own(map))
        return false;
    for (node = *map;; node = aio__varmap_node(*entry), id >>= AIO__VARMAP_BITS) {
        entry = &node->entries[node->place[id % AIO__VARMAP_WIDTH] - 1];
        if (!aio__varmap_is_node(*entry))
            return true;
        if (!own_entry(entry))
            return false;
    }
}

int aio__varmap_remove(struct aio__varmap **map, const aio_contextvar *var,
                       struct aio__cell **ret_old)
{
    struct aio__cell *cell = aio__varmap_find(*map, var);
    struct aio__varmap *node;
    uint64_t id = var->id;
    uintptr_t entry;

    assert(cell != NULL);
    if (!own_path(map, id))
        return AIO_ENOMEM;

    *ret_old = aio__cell_ref(cell);
    node = *map;
    if (node->size == 1) {
        aio__varmap_unref(node);
        *map = NULL;
        return 0;
    }

    /* What goes is the topmost entry that leads to this cell and nothing else. */
    add_to_sizes(node, id, -1);
    for (;; node = aio__varmap_node(entry), id >>= AIO__VARMAP_BITS) {
        entry = node->entries[node->place[id % AIO__VARMAP_WIDTH] - 1];
        if (!aio__varmap_is_node(entry) || aio__varmap_node(entry)->size == 0)
            break;
    }
    take_out(node, id % AIO__VARMAP_WIDTH);
    if (aio__varmap_is_node(entry))
        aio__varmap_unref(aio__varmap_node(entry));
    else
        aio__cell_unref((struct aio__cell *)entry);
    return 0;
}

struct aio__cell *aio__varmap_at(const struct aio__varmap *map, size_t index)
{
    unsigned i = 0;

    if (index >= aio__varmap_size(map))
        return NULL;
    for (;;) {
        uintptr_t entry = map->entries[i++];
        size_t size = aio__varmap_is_node(entry) ? aio__varmap_node(entry)->size : 1;

        if (index >= size) {
            index -= size;
        } else if (aio__varmap_is_node(entry)) {
            map = aio__varmap_node(entry);
            i = 0;
        } else {
            return (struct aio__cell *)entry;
        }
    }
}
