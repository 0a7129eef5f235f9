/* SPDX-License-Identifier: MIT */
/*
 * fiber.c - the life of one fiber: made, run, measured, ended
 *
 * Owns the base loop that every fiber runs in, and what is written on stacks for our
 * own use:
 *   - marks at the low end of the lowest page counted as resident. As long as they are
 *     whole, the stack has not grown below them, and counting costs two comparisons.
 *   - paint, in pools that measure: what is still painted was never used.
 *   - the canary of a stack without guard, at the end of the page that should have been
 *     one. Nothing is written: fresh memory is zero, and to read it costs no page.
 *
 * Thread: the pool's.
 */
#include "fiber/pool_internal.h"

#include "base/backtrace.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MARK  UINT64_C(0x6b72616d206f6961)
#define PAINT UINT64_C(0x7aa7c3967aa7c396)

enum { MARKS = 2, CANARY_SIZE = 64 };

/* Below a stack pointer: red zones, and the frames of the functions that write there. */
enum { FRAME_SLACK = 512 };

/* Below all frames of the caller and what may have been inlined around it. */
AIO__NOINLINE static char *stack_pointer(void)
{
    return __builtin_frame_address(0);
}

/* The base loop: where a fiber is parked between one fn and the next. */
AIO__UNSANITIZED static void base_loop(struct aio__context *context)
{
    struct aio__fiber *self = (struct aio__fiber *)context;

    aio__fiber_arrived(self);
    for (;;) {
        struct aio__fiber *next = self->fn(self);

        if (next != self)
            aio__fiber_switch(self, next);
    }
}

static void start_at_base(struct aio__fiber *fiber)
{
    aio__context_init(&fiber->context, fiber->low, (char *)fiber, base_loop);
}

/* The page is in memory already: these cost a line of it. */
AIO__UNSANITIZED static void mark(struct aio__fiber *fiber)
{
    volatile uint64_t *marks = (volatile uint64_t *)(void *)fiber->resident_low;

    AIO__VALGRIND_READABLE(fiber->resident_low, MARKS * sizeof(*marks));
    marks[0] = MARK;
    marks[1] = MARK;
}

AIO__UNSANITIZED static bool is_marked(const struct aio__fiber *fiber)
{
    const volatile uint64_t *marks = (const volatile uint64_t *)(void *)fiber->resident_low;

    AIO__VALGRIND_READABLE(fiber->resident_low, MARKS * sizeof(*marks));
    return marks[0] == MARK && marks[1] == MARK;
}

AIO__UNSANITIZED static void paint(char *from, const char *to)
{
    for (uint64_t *word = (uint64_t *)(void *)from; (const char *)word < to; word++)
        *(volatile uint64_t *)word = PAINT;
}

/* The lowest address that is not painted any more. */
AIO__UNSANITIZED static char *find_used(const struct aio__fiber *fiber)
{
    const volatile uint64_t *word = (const volatile uint64_t *)(void *)fiber->low;

    AIO__VALGRIND_READABLE(fiber->low, (size_t)((const char *)fiber - fiber->low));
    while ((const volatile char *)word < (const char *)fiber && *word == PAINT)
        word++;
    return fiber->low + ((const volatile char *)word - fiber->low);
}

struct aio__fiber *aio__fiber_make(struct aio__slab *slab, uint32_t slot)
{
    struct aio__fiber_pool *pool = slab->space->pool;
    struct aio__fiber *fiber = aio__slot_fiber(slab, slot);
    char *low = aio__slot_low(slab, slot);

#if AIO__ASAN
    __asan_unpoison_memory_region(low, slab->space->size - slab->space->guard);
    __lsan_register_root_region(low, slab->space->size - slab->space->guard);
#endif
    memset(fiber, 0, sizeof(*fiber));
    fiber->slab = slab;
    fiber->slot = slot;
    fiber->low = low;
    fiber->resident_low = (char *)((uintptr_t)fiber & ~(uintptr_t)(pool->page - 1));
    aio__list_init(&fiber->idle);
#if AIO__ASAN
    fiber->asan_bottom = low;
    fiber->asan_size = (size_t)((char *)fiber - low);
#endif
#if AIO__TSAN
    fiber->context.tsan = __tsan_create_fiber(0);
#endif
#if defined(AIO__HAVE_VALGRIND)
    fiber->valgrind_id = AIO__VALGRIND_STACK(low, (char *)fiber - 1);
#endif
    if (pool->measure) {
        paint(low, (char *)fiber);
        fiber->resident_low = low;
    } else {
        mark(fiber);
    }
    start_at_base(fiber);
    return fiber;
}

#if AIO__ASAN
/* Leave for good: with NULL the sanitizer keeps nothing of this stack. */
AIO__UNSANITIZED static struct aio__fiber *vanish(struct aio__fiber *self)
{
    struct aio__fiber *to = self->user;

    to->came_from = self;
    __sanitizer_start_switch_fiber(NULL, to->asan_bottom, to->asan_size);
    aio__context_switch(&self->context, &to->context);
    return to;
}

/*
 * With detect_stack_use_after_return a stack that ever ran has memory of the sanitizer's
 * own, which only the stack itself can free: it has to run once more.
 */
static void free_fake_stack(struct aio__fiber *fiber)
{
    struct aio__fiber_root root;

    if (fiber->fake_stack == NULL)
        return;
    fiber->fn = vanish;
    fiber->user = aio__fiber_root_init(&root);
    start_at_base(fiber);
    aio__fiber_switch(&root.fiber, fiber);
}
#endif

void aio__fiber_end(struct aio__fiber *fiber)
{
#if AIO__ASAN
    size_t size = fiber->slab->space->size - fiber->slab->space->guard;

    free_fake_stack(fiber);
    __lsan_unregister_root_region(fiber->low, size);
    __asan_unpoison_memory_region(fiber->low, size);
#endif
#if AIO__TSAN
    __tsan_destroy_fiber(fiber->context.tsan);
#endif
#if defined(AIO__HAVE_VALGRIND)
    AIO__VALGRIND_FORGET(fiber->valgrind_id);
#endif
    (void)fiber;
}

void aio__fiber_restart(struct aio__fiber *fiber)
{
#if AIO__ASAN
    __asan_unpoison_memory_region(fiber->low, fiber->asan_size);
#endif
#if AIO__TSAN
    /* Its record of calls would grow with every start. */
    __tsan_destroy_fiber(fiber->context.tsan);
    fiber->context.tsan = __tsan_create_fiber(0);
#endif
    start_at_base(fiber);
}

/* Up to where nothing on the stack is alive. */
static char *dead_end(const struct aio__fiber *fiber)
{
    char *end = aio__fiber_is_running(fiber) ? stack_pointer() : fiber->context.stack_pointer;

    return end - FRAME_SLACK;
}

/* The start of the lowest page that is in memory; [low, known) is not known. */
static char *lowest_resident(const struct aio__fiber *fiber, size_t page)
{
    char *found = fiber->resident_low;
    char *known = found;
    unsigned char pages[256];

    while (known > fiber->low) {
        size_t count = (size_t)(known - fiber->low) / page;
        bool any = false;

        if (count > sizeof(pages))
            count = sizeof(pages);
        known -= count * page;
        if (mincore(known, count * page, pages) < 0)
            return fiber->low;
        for (size_t i = count; i-- > 0;) {
            if ((pages[i] & 1) != 0) {
                found = known + i * page;
                any = true;
            }
        }
        if (!any)
            break;
    }
    return found;
}

void aio__fiber_count_pages(struct aio__fiber *fiber)
{
    if (AIO__LIKELY(is_marked(fiber)))
        return;
    fiber->resident_low = lowest_resident(fiber, aio__fiber_pool_of(fiber)->page);
    if (fiber->resident_low < dead_end(fiber)) /* else look again the next time */
        mark(fiber);
}

void aio__fiber_repaint(struct aio__fiber *fiber)
{
    char *used = find_used(fiber);

    if (!aio__fiber_is_running(fiber)) /* else this call would paint over itself */
        paint(used, dead_end(fiber));
}

AIO__UNSANITIZED void aio__fiber_check_canary(const struct aio__fiber *fiber)
{
    unsigned char any = 0;

    AIO__VALGRIND_READABLE(fiber->low - CANARY_SIZE, CANARY_SIZE);
    for (size_t i = 1; i <= CANARY_SIZE; i++)
        any |= (unsigned char)*(volatile char *)(fiber->low - i);
    if (AIO__LIKELY(any == 0))
        return;
    aio__log(AIO_LOG_ERROR, "stack overflow: a stack of %zu bytes was overrun, and has no guard",
             fiber->slab->space->size);
    abort();
}

size_t aio__fiber_high_water(const struct aio__fiber *fiber)
{
    if (fiber->slab == NULL || !aio__fiber_pool_of(fiber)->measure)
        return 0;
    return (size_t)((const char *)fiber - find_used(fiber));
}

void aio__fiber_bounds(const struct aio__fiber *fiber, char **ret_low, char **ret_high)
{
    *ret_low = fiber->low;
    *ret_high = fiber->low == NULL ? NULL : fiber->low + ((const char *)fiber - fiber->low);
}

size_t aio__fiber_stack_left(const struct aio__fiber *fiber)
{
    if (fiber->low == NULL)
        return SIZE_MAX;
    return (size_t)(stack_pointer() - fiber->low);
}

const char *aio__fiber_backend(void)
{
    return aio__context_backend();
}

/* --- what a suspended fiber is in the middle of ------------------------------------------- */

/* What walking the stack takes of it: five kilobytes, and instrumented code more. */
static const ptrdiff_t WALK_SIZE = (ptrdiff_t)(AIO__ASAN || AIO__TSAN ? 32 : 8) << 10;

size_t aio__fiber_ask(struct aio__fiber *fiber, struct aio__question **place, const void **places,
                      size_t limit)
{
    struct aio__fiber_root root;
    struct aio__question question = {
        .asker = aio__fiber_root_init(&root), .places = places, .limit = limit};

    if ((char *)fiber->context.stack_pointer - fiber->low < WALK_SIZE)
        return 0;
    *place = &question;
    aio__fiber_switch(question.asker, fiber);
    *place = NULL;
    return question.count;
}

AIO__NOINLINE void aio__fiber_answer(struct aio__fiber *self, struct aio__question *question)
{
    question->count = aio__backtrace(question->places, question->limit);
    aio__fiber_switch(self, question->asker);
}
