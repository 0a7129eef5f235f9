/* SPDX-License-Identifier: MIT */
/*
 * fibers.c - a pool of fibers, and what runs on them in tests
 */
#include "support/fibers.h"

#include "fiber/guard.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/log.h>
#include <stdio.h>

static void hear(aio_log_level level, const char *text, void *arg)
{
    struct fibers *f = arg;

    (void)level;
    f->warnings++;
    snprintf(f->warning, sizeof(f->warning), "%s", text);
}

int fibers_set_up(void **state)
{
    struct fibers *f = calloc(1, sizeof(*f));

    count_allocations(state);
    assert_non_null(f);
    f->main = aio__fiber_root_init(&f->root);
    aio_log_set_handler(hear, f);
    *state = f;
    return 0;
}

int fibers_tear_down(void **state)
{
    struct fibers *f = *state;

    aio__fiber_pool_free(f->pool);
    aio__guard_pretend(AIO__GUARD_ADVISED, 0);
    aio_log_set_handler(NULL, NULL);
    free(f);
    return check_allocations(state);
}

void fibers_make_pool(struct fibers *f, size_t stack_size, size_t idle_bytes, bool measure)
{
    struct aio__fiber_pool_options options = {
        .stack_size = stack_size, .idle_bytes = idle_bytes, .measure = measure};

    assert_int_equal(aio__fiber_pool_new(&options, &f->pool), 0);
}

struct aio__fiber *return_main(struct aio__fiber *self)
{
    struct fibers *f = aio__fiber_user(self);

    return f->main;
}

struct aio__fiber *give_and_return(struct aio__fiber *self)
{
    aio__fiber_give(self);
    return return_main(self);
}

struct aio__fiber *suspend_once(struct aio__fiber *self)
{
    struct fibers *f = aio__fiber_user(self);

    aio__fiber_switch(self, f->main);
    return give_and_return(self);
}

__attribute__((noinline)) void use_stack(size_t bytes)
{
    volatile char *memory = __builtin_alloca(bytes);

    for (size_t i = 0; i < bytes; i++)
        memory[i] = 1;
}

struct aio__fiber *use_much_stack(struct aio__fiber *self)
{
    struct fibers *f = aio__fiber_user(self);

    use_stack(f->use);
    return give_and_return(self);
}

struct aio__fiber *fibers_take_sized(struct fibers *f, size_t size, aio__fiber_fn fn)
{
    struct aio__fiber *fiber;

    assert_int_equal(aio__fiber_take(f->pool, size, fn, f, &fiber), 0);
    return fiber;
}

struct aio__fiber *fibers_take(struct fibers *f, aio__fiber_fn fn)
{
    return fibers_take_sized(f, 0, fn);
}

struct aio__fiber_pool_stats fibers_stats(const struct fibers *f)
{
    struct aio__fiber_pool_stats stats;

    aio__fiber_pool_stats(f->pool, &stats);
    return stats;
}
