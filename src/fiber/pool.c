/* SPDX-License-Identifier: MIT */
/*
 * pool.c - who gets which fiber, and when memory goes back to the system
 *
 * The fiber given back last is taken first: its stack is in the caches, and a million
 * short tasks need a handful. What was idle longest goes first when idle stacks keep
 * more memory than they may: the fiber ends, its pages go back, its slot is free. Who can
 * tell when it has nothing better to do says so, and does not pay for it fiber by fiber:
 * what becomes idle was in use, so that waiting takes no more memory than there was.
 *
 * Invariants
 *   - A fiber is idle exactly while it is in the list of its size class.
 *   - pool->idle_resident is the sum over the classes, and theirs that over the idle
 *     fibers, of what each was thought to keep when it was given back. It is kept in
 *     resident_low, which does not change while the fiber is idle.
 *   - The fiber that runs may be idle already, having given itself back. It is never
 *     ended.
 *
 * Thread: one at a time.
 */
#include "fiber/pool_internal.h"

#include <aio/error.h>
#include <aio/memory.h>

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define STANDARD_SIZE ((size_t)64 << 10)
#define LARGEST_SIZE  ((size_t)1 << 30)
#define IDLE_LIMIT    ((size_t)4 << 20)

/* What is left on the smallest stack when a signal handler runs on it. */
#define LEAST_ROOM ((size_t)16 << 10)

/* The frames of instrumented code are larger. */
enum { SIZE_FACTOR = AIO__ASAN || AIO__TSAN ? 4 : 1 };

/* What the kernel puts on the stack for a signal: much, where registers are wide. */
static size_t signal_frame_size(void)
{
    long size = -1;

#ifdef _SC_MINSIGSTKSZ
    size = sysconf(_SC_MINSIGSTKSZ);
#endif
#ifdef AT_MINSIGSTKSZ
    if (size <= 0)
        size = (long)getauxval(AT_MINSIGSTKSZ);
#endif
    return size > 0 ? (size_t)size : 8192;
}

/* NULL if the size is out of bounds. 0 is not a size here. */
static struct aio__size_class *class_of(struct aio__fiber_pool *pool, size_t size)
{
    int shift = AIO__LEAST_SHIFT;

    if (size > LARGEST_SIZE)
        return NULL;
    size *= SIZE_FACTOR;
    if (size < pool->least_size)
        size = pool->least_size;
    while ((size_t)1 << shift < size)
        shift++;
    return &pool->classes[shift - AIO__LEAST_SHIFT];
}

int aio__fiber_pool_new(const struct aio__fiber_pool_options *options,
                        struct aio__fiber_pool **ret_pool)
{
    static const struct aio__fiber_pool_options defaults;
    const struct aio__fiber_pool_options *want = options != NULL ? options : &defaults;
    struct aio__fiber_pool *pool;
    int err = aio__context_check();

    if (err < 0)
        return err;
    pool = aio_calloc(1, sizeof(*pool));
    if (pool == NULL)
        return AIO_ENOMEM;

    pool->page = (size_t)sysconf(_SC_PAGESIZE);
    pool->least_size = LEAST_ROOM + signal_frame_size() + AIO__SLOT_OVERHEAD + pool->page;
    pool->idle_limit = want->idle_bytes != 0 ? want->idle_bytes : IDLE_LIMIT;
    pool->measure = want->measure;
    pool->trimmed_late = want->trimmed_late;
    for (int shift = AIO__LEAST_SHIFT; shift <= AIO__MOST_SHIFT; shift++) {
        struct aio__size_class *class = &pool->classes[shift - AIO__LEAST_SHIFT];

        aio__space_init(&class->space, pool, (size_t)1 << shift, pool->page);
        aio__list_init(&class->idle);
    }
    pool->standard = class_of(pool, want->stack_size != 0 ? want->stack_size : STANDARD_SIZE);
    if (pool->standard == NULL) {
        aio_free(pool);
        return AIO_EVALUE;
    }
    *ret_pool = pool;
    return 0;
}

/* Call a function for every fiber made in the slabs of a list. */
static void each_fiber_in(const struct aio__list *slabs,
                          void (*call)(struct aio__fiber *fiber, void *arg), void *arg)
{
    AIO__LIST_FOREACH (node, slabs) {
        struct aio__slab *slab = aio__container_of(node, struct aio__slab, link);

        for (uint32_t slot = 0; slot < slab->fresh; slot++)
            if (slab->slots[slot].made)
                call(aio__slot_fiber(slab, slot), arg);
    }
}

static void each_fiber(const struct aio__size_class *class,
                       void (*call)(struct aio__fiber *fiber, void *arg), void *arg)
{
    each_fiber_in(&class->space.open, call, arg);
    each_fiber_in(&class->space.full, call, arg);
}

static void end_fiber(struct aio__fiber *fiber, void *arg)
{
    (void)arg;
    aio__fiber_end(fiber);
}

void aio__fiber_pool_free(struct aio__fiber_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < sizeof(pool->classes) / sizeof(pool->classes[0]); i++) {
        each_fiber(&pool->classes[i], end_fiber, NULL);
        aio__space_unmap(&pool->classes[i].space);
    }
    aio_free(pool);
}

static void raise_high_water(struct aio__fiber *fiber, void *arg)
{
    size_t *high_water = arg;
    size_t used = aio__fiber_high_water(fiber);

    if (used > *high_water)
        *high_water = used;
}

void aio__fiber_pool_stats(const struct aio__fiber_pool *pool,
                           struct aio__fiber_pool_stats *ret_stats)
{
    *ret_stats = (struct aio__fiber_pool_stats){
        .idle_resident = pool->idle_resident,
        .high_water = pool->high_water,
    };
    for (size_t i = 0; i < sizeof(pool->classes) / sizeof(pool->classes[0]); i++) {
        const struct aio__size_class *class = &pool->classes[i];

        ret_stats->fibers += class->space.made;
        ret_stats->idle += class->idle_count;
        ret_stats->mapped += class->space.slots * class->space.size;
        ret_stats->unguarded += (unsigned)class->space.unguarded;
        if (pool->measure)
            each_fiber(class, raise_high_water, &ret_stats->high_water);
    }
}

static void idle_add(struct aio__fiber *fiber)
{
    struct aio__size_class *class = aio__fiber_class(fiber);
    size_t resident = aio__fiber_resident(fiber);

    aio__list_prepend(&class->idle, &fiber->idle);
    class->idle_count++;
    class->idle_resident += resident;
    class->space.pool->idle_resident += resident;
    fiber->slab->idle++;
}

static void idle_remove(struct aio__fiber *fiber)
{
    struct aio__size_class *class = aio__fiber_class(fiber);
    size_t resident = aio__fiber_resident(fiber);

    aio__list_remove(&fiber->idle);
    class->idle_count--;
    class->idle_resident -= resident;
    class->space.pool->idle_resident -= resident;
    fiber->slab->idle--;
}

int aio__fiber_take(struct aio__fiber_pool *pool, size_t stack_size, aio__fiber_fn fn, void *user,
                    struct aio__fiber **ret_fiber)
{
    struct aio__size_class *class = stack_size == 0 ? pool->standard : class_of(pool, stack_size);
    struct aio__list *first;
    struct aio__fiber *fiber;

    if (class == NULL)
        return AIO_EVALUE;
    first = aio__list_first(&class->idle);
    if (AIO__LIKELY(first != NULL)) {
        fiber = aio__container_of(first, struct aio__fiber, idle);
        idle_remove(fiber);
        if (pool->measure)
            aio__fiber_repaint(fiber);
    } else {
        struct aio__slab *slab;
        uint32_t slot;
        int err = aio__slot_take(&class->space, &slab, &slot);

        if (err < 0)
            return err;
        fiber = aio__fiber_make(slab, slot);
    }
    fiber->fn = fn;
    fiber->user = user;
    *ret_fiber = fiber;
    return 0;
}

/* End an idle fiber. Its slot is free at once, its pages when the slab is cleaned. */
static void retire(struct aio__fiber *fiber)
{
    struct aio__slab *slab = fiber->slab;
    uint32_t slot = fiber->slot;

    idle_remove(fiber);
    aio__fiber_end(fiber);
    aio__slot_give(slab, slot);
}

/* The fiber idle longest in a class, but for the running one; NULL if there is none. */
static struct aio__fiber *oldest_idle(const struct aio__size_class *class)
{
    for (struct aio__list *node = class->idle.prev; node != &class->idle; node = node->prev) {
        struct aio__fiber *fiber = aio__container_of(node, struct aio__fiber, idle);

        if (!aio__fiber_is_running(fiber))
            return fiber;
    }
    return NULL;
}

/* From the class that keeps most. NULL if nothing idle is left to end. */
static struct aio__fiber *choose_victim(struct aio__fiber_pool *pool)
{
    struct aio__fiber *victim = NULL;
    size_t most = 0;

    for (size_t i = 0; i < sizeof(pool->classes) / sizeof(pool->classes[0]); i++) {
        struct aio__size_class *class = &pool->classes[i];

        if (class->idle_resident > most) {
            struct aio__fiber *oldest = oldest_idle(class);

            if (oldest != NULL) {
                victim = oldest;
                most = class->idle_resident;
            }
        }
    }
    return victim;
}

/* Whether nothing but idle fibers is on a slab that its space can do without. */
static bool is_vacant(const struct aio__slab *slab, size_t slots)
{
    return slab->idle == slab->made &&
           aio__slab_can_go(slab, slots, slab->space->made - slab->made);
}

/* End the fibers of a slab, which are all idle. The running one stays. */
static void vacate(struct aio__slab *slab)
{
    for (uint32_t slot = 0; slot < slab->fresh; slot++) {
        struct aio__fiber *fiber = aio__slot_fiber(slab, slot);

        if (slab->slots[slot].made && !aio__fiber_is_running(fiber))
            retire(fiber);
    }
}

/*
 * After a great many tasks have ended, some idle fibers may be left on every slab and
 * keep it mapped, page tables and all. The newest slabs are the largest.
 */
static void vacate_slabs(struct aio__space *space)
{
    struct aio__list *node = space->open.prev;
    size_t left = space->slots;

    while (node != &space->open) {
        struct aio__slab *slab = aio__container_of(node, struct aio__slab, link);

        node = node->prev;
        if (is_vacant(slab, left)) {
            vacate(slab);
            left -= slab->count;
        }
    }
}

/*
 * A fiber of this slab has become idle. If it was the last one that was not, the slab
 * may go; but the fiber is still running on it as a rule. So that is left for the time
 * when the next one becomes idle.
 */
static void note_vacant(struct aio__fiber_pool *pool, struct aio__slab *slab)
{
    struct aio__slab *earlier = pool->vacant;

    pool->vacant = is_vacant(slab, slab->space->slots) ? slab : NULL;
    if (earlier == NULL || !is_vacant(earlier, earlier->space->slots))
        return;
    vacate(earlier);
    if (earlier->made > 0) {
        aio__slab_clean(earlier);
        return;
    }
    if (pool->vacant == earlier)
        pool->vacant = NULL;
    aio__space_shrink(earlier->space);
}

/* Slabs that can go take their pages with them; the others' are given back one run of
 * neighbours after the other. */
static void release_memory(struct aio__space *space)
{
    aio__space_shrink(space);
    AIO__LIST_FOREACH (node, &space->open)
        aio__slab_clean(aio__container_of(node, struct aio__slab, link));
}

void aio__fiber_pool_trim(struct aio__fiber_pool *pool)
{
    size_t goal = pool->idle_limit - pool->idle_limit / 4;

    if (pool->vacant != NULL && is_vacant(pool->vacant, pool->vacant->space->slots))
        vacate(pool->vacant);
    pool->vacant = NULL;
    while (pool->idle_resident > goal) {
        struct aio__fiber *victim = choose_victim(pool);

        if (victim == NULL)
            break;
        retire(victim);
    }
    for (size_t i = 0; i < sizeof(pool->classes) / sizeof(pool->classes[0]); i++) {
        vacate_slabs(&pool->classes[i].space);
        release_memory(&pool->classes[i].space);
    }
}

bool aio__fiber_pool_is_over(const struct aio__fiber_pool *pool)
{
    return pool->idle_resident > pool->idle_limit || pool->vacant != NULL;
}

void aio__fiber_give(struct aio__fiber *fiber)
{
    struct aio__slab *slab = fiber->slab;
    struct aio__fiber_pool *pool = slab->space->pool;

    if (AIO__UNLIKELY(slab->slots[fiber->slot].guard == AIO__GUARD_NONE))
        aio__fiber_check_canary(fiber);
    if (pool->measure)
        raise_high_water(fiber, &pool->high_water);
    else
        aio__fiber_count_pages(fiber);
    idle_add(fiber);
    if (pool->trimmed_late) {
        if (AIO__UNLIKELY(slab->idle == slab->made) && is_vacant(slab, slab->space->slots))
            pool->vacant = slab;
    } else if (AIO__UNLIKELY(pool->idle_resident > pool->idle_limit)) {
        aio__fiber_pool_trim(pool);
    } else if (slab->idle == slab->made || pool->vacant != NULL) {
        note_vacant(pool, slab);
    }
}

void aio__fiber_abandon(struct aio__fiber *fiber)
{
    aio__fiber_restart(fiber);
    aio__fiber_give(fiber);
}
