/* SPDX-License-Identifier: MIT */
/*
 * allocation.c - a counting allocator, and a loop over all shortages
 */
#include "support/allocation.h"

#include "base/thread.h"
#include "support/unit.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <aio/testing.h>
#include <stdatomic.h>

static atomic_size_t live;
static atomic_size_t made;

static void *counting_allocate(size_t bytes, void *arg)
{
    void *memory = malloc(bytes);

    atomic_fetch_add(&made, 1);
    if (memory != NULL)
        atomic_fetch_add(&live, 1);
    return memory;
}

static void *counting_reallocate(void *old, size_t bytes, void *arg)
{
    atomic_fetch_add(&made, 1);
    return realloc(old, bytes);
}

static void counting_release(void *memory, void *arg)
{
    atomic_fetch_sub(&live, 1);
    free(memory);
}

int count_allocations(void **state)
{
    static const aio_allocator counting = {
        .size = sizeof(counting),
        .allocate = counting_allocate,
        .reallocate = counting_reallocate,
        .release = counting_release,
    };

    atomic_store(&live, 0);
    atomic_store(&made, 0);
    return aio_set_allocator(&counting);
}

static void drop_travelling_error(void)
{
    struct aio__thread *thread = aio__thread();

    aio_exception_unref(thread->own_error);
    thread->own_error = NULL;
}

int check_allocations(void **state)
{
    size_t left;

    aio_testing_fail_allocation(0);
    drop_travelling_error();
    left = live_allocations();
    (void)aio_set_allocator(NULL);
    if (left != 0)
        print_error("%zu allocations were not freed\n", left);
    return left == 0 ? 0 : -1;
}

size_t live_allocations(void)
{
    return atomic_load(&live);
}

size_t made_allocations(void)
{
    return atomic_load(&made);
}

size_t with_each_allocation_failing(void (*body)(void *arg), void *arg)
{
    size_t before = live_allocations();

    for (size_t nth = 1;; nth++) {
        bool failed;

        aio_testing_fail_allocation(nth);
        body(arg);
        failed = aio_testing_allocation_failures() != 0;
        aio_testing_fail_allocation(0);
        drop_travelling_error();
        assert_int_equal(live_allocations(), before);
        if (!failed)
            return nth - 1;
    }
}
