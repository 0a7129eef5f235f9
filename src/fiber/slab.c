/* SPDX-License-Identifier: MIT */
/*
 * slab.c - where stacks come from: slots of large mappings, each with its guard
 *
 * Owns the mappings and the process's list of them.
 *
 * Invariants
 *   - A slot that got a guard when it was taken has it for ever after.
 *   - A slab is in its space's open list if it has a slot to take, else in full.
 *   - Every slab is in the process's list, so that the handler of a stack overflow
 *     finds the fiber without a word written at a switch.
 *
 * Thread: a space's is its pool's. The list of slabs is locked; it is touched when a
 * slab is mapped or unmapped, never when a slot is taken.
 */
#include "fiber/slab.h"

#include <aio/error.h>
#include <aio/memory.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { FEWEST_SLOTS = 4, MOST_SLOTS = 2048 };

/* No slab is larger than this, but for a single slot. */
#define MOST_BYTES ((size_t)256 << 20)

/* A spin lock, as a signal handler has to take it too. */
static atomic_flag registry_lock = ATOMIC_FLAG_INIT;
static struct aio__list registry = AIO__LIST_INIT(registry);

static bool registry_try(void)
{
    return !atomic_flag_test_and_set_explicit(&registry_lock, memory_order_acquire);
}

static void registry_lock_now(void)
{
    while (!registry_try())
        sched_yield();
}

static void registry_unlock(void)
{
    atomic_flag_clear_explicit(&registry_lock, memory_order_release);
}

/* A child forked while another thread holds the lock would wait for it for ever. */
static void registry_survive_fork(void)
{
    (void)pthread_atfork(registry_lock_now, registry_unlock, registry_unlock);
}

static void registry_add(struct aio__slab *slab)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, registry_survive_fork);
    registry_lock_now();
    aio__list_append(&registry, &slab->registered);
    registry_unlock();
}

static void registry_remove(struct aio__slab *slab)
{
    registry_lock_now();
    aio__list_remove(&slab->registered);
    registry_unlock();
}

static char *map_stacks(size_t bytes)
{
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (base == MAP_FAILED)
        return NULL;
    /* Or a touched page may bring 2 MiB of memory. Kernels without huge pages refuse. */
    (void)madvise(base, bytes, MADV_NOHUGEPAGE);
    return base;
}

static int slab_new(struct aio__space *space, size_t count, struct aio__slab **ret_slab)
{
    struct aio__slab *slab = aio_calloc(1, sizeof(*slab) + count * sizeof(slab->slots[0]));

    if (slab == NULL)
        return AIO_ENOMEM;
    slab->base = map_stacks(count * space->size);
    if (slab->base == NULL) {
        aio_free(slab);
        return AIO_ENOMEM;
    }
    slab->space = space;
    slab->count = (uint32_t)count;
    slab->free = AIO__NO_SLOT;
    space->slots += count;
    aio__list_append(&space->open, &slab->link);
    registry_add(slab);
    *ret_slab = slab;
    return 0;
}

/* Double what there is. When the system will not give that much, less and less. */
static int space_grow(struct aio__space *space, struct aio__slab **ret_slab)
{
    size_t most = MOST_BYTES / space->size;
    size_t count = space->slots;
    int err;

    if (count < FEWEST_SLOTS)
        count = FEWEST_SLOTS;
    if (count > MOST_SLOTS)
        count = MOST_SLOTS;
    if (count > most)
        count = most > 0 ? most : 1;

    do {
        err = slab_new(space, count, ret_slab);
        count /= 2;
    } while (err < 0 && count > 0);
    return err;
}

/*
 * false, and everything as it was, if the system does not unmap: cutting a piece out
 * of mappings that were merged takes a further one, and there is a limit to them.
 */
static bool slab_unmap(struct aio__slab *slab)
{
    struct aio__space *space = slab->space;

    if (munmap(slab->base, slab->count * space->size) < 0)
        return false;
    registry_remove(slab);
    aio__guard_forget(slab->protected_all);
    aio__list_remove(&slab->link);
    space->slots -= slab->count;
    aio_free(slab);
    return true;
}

void aio__space_init(struct aio__space *space, struct aio__fiber_pool *pool, size_t size,
                     size_t guard)
{
    *space = (struct aio__space){.pool = pool, .size = size, .guard = guard};
    aio__list_init(&space->open);
    aio__list_init(&space->full);
}

void aio__space_unmap(struct aio__space *space)
{
    aio__list_append_all(&space->open, &space->full);
    AIO__LIST_FOREACH (node, &space->open) {
        struct aio__slab *slab = aio__container_of(node, struct aio__slab, link);

        if (slab_unmap(slab))
            continue;
        /* The addresses are lost, but not the memory. */
        (void)madvise(slab->base, slab->count * space->size, MADV_DONTNEED);
        registry_remove(slab);
        aio__list_remove(&slab->link);
        aio_free(slab);
    }
}

/* Tried anew for a slot that got none: there may be mappings again. */
static void install_guard(struct aio__slab *slab, uint32_t slot)
{
    enum aio__guard guard = aio__guard_install(aio__slot_base(slab, slot), slab->space->guard);

    if (guard == AIO__GUARD_PROTECTED)
        slab->protected_all++;
    slab->slots[slot].guard = (uint8_t)guard;
}

int aio__slot_take(struct aio__space *space, struct aio__slab **ret_slab, uint32_t *ret_slot)
{
    struct aio__list *first = aio__list_first(&space->open);
    struct aio__slab *slab;
    struct aio__slot *slot;
    uint32_t index;
    int err;

    if (first != NULL) {
        slab = aio__container_of(first, struct aio__slab, link);
    } else {
        err = space_grow(space, &slab);
        if (err < 0)
            return err;
    }

    index = slab->free;
    if (index != AIO__NO_SLOT)
        slab->free = slab->slots[index].next;
    else
        index = slab->fresh++;
    slot = &slab->slots[index];
    if (slot->guard == AIO__GUARD_NONE)
        install_guard(slab, index);

    if (slot->dirty) {
        slot->dirty = false;
        slab->dirty--;
    }
    slot->made = true;
    slab->made++;
    space->made++;
    if (slot->guard == AIO__GUARD_NONE)
        space->unguarded++;
    if (slab->made == slab->count) {
        aio__list_remove(&slab->link);
        aio__list_append(&space->full, &slab->link);
    }
    *ret_slab = slab;
    *ret_slot = index;
    return 0;
}

void aio__slot_give(struct aio__slab *slab, uint32_t index)
{
    struct aio__space *space = slab->space;
    struct aio__slot *slot = &slab->slots[index];

    if (slab->made == slab->count) {
        aio__list_remove(&slab->link);
        aio__list_prepend(&space->open, &slab->link);
    }
    slot->made = false;
    slot->dirty = true;
    slab->dirty++;
    slot->next = slab->free;
    slab->free = index;
    slab->made--;
    space->made--;
    if (slot->guard == AIO__GUARD_NONE)
        space->unguarded--;
}

void aio__space_shrink(struct aio__space *space)
{
    AIO__LIST_FOREACH (node, &space->open) {
        struct aio__slab *slab = aio__container_of(node, struct aio__slab, link);

        if (slab->made == 0 && aio__slab_can_go(slab, space->slots, space->made))
            (void)slab_unmap(slab);
    }
}

struct aio__fiber *aio__slot_fiber(const struct aio__slab *slab, uint32_t slot)
{
    size_t size = sizeof(struct aio__fiber) + (size_t)(slot % AIO__COLOURS) * AIO__COLOUR_STEP;
    size_t whole_lines = (size + AIO__COLOUR_STEP - 1) / AIO__COLOUR_STEP * AIO__COLOUR_STEP;

    return (struct aio__fiber *)(void *)(aio__slot_base(slab, slot + 1) - whole_lines);
}

/* Locked pages refuse, and whoever locked them wants them to stay. */
static void release_pages(struct aio__slab *slab, uint32_t from, uint32_t to)
{
    char *low = aio__slot_base(slab, from);

    (void)madvise(low, (size_t)(aio__slot_base(slab, to) - low), MADV_DONTNEED);
}

void aio__slab_clean(struct aio__slab *slab)
{
    uint32_t from = 0;

    /* Clean slots between dirty ones cost nothing, and save a call. */
    for (uint32_t slot = 0; slab->dirty > 0; slot++) {
        bool any = false;

        while (slot < slab->fresh && !slab->slots[slot].made) {
            if (slab->slots[slot].dirty) {
                slab->slots[slot].dirty = false;
                slab->dirty--;
                any = true;
            }
            slot++;
        }
        if (any)
            release_pages(slab, from, slot);
        from = slot + 1;
    }
}

struct aio__fiber *aio__slab_find_guard(const char *address)
{
    struct aio__fiber *found = NULL;

    /* The code that the signal interrupted may hold the lock: no waiting for ever. */
    for (int tries = 1000; !registry_try(); tries--) {
        if (tries == 0)
            return NULL;
        sched_yield();
    }
    AIO__LIST_FOREACH (node, &registry) {
        struct aio__slab *slab = aio__container_of(node, struct aio__slab, registered);
        size_t size = slab->space->size;
        size_t offset = (size_t)(address - slab->base);
        uint32_t slot;

        if (address < slab->base || offset >= slab->count * size)
            continue;
        slot = (uint32_t)(offset / size);
        if (slab->slots[slot].made && offset % size < slab->space->guard)
            found = aio__slot_fiber(slab, slot);
        break;
    }
    registry_unlock();
    return found;
}
