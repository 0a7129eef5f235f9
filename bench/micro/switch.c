/* SPDX-License-Identifier: MIT */
/*
 * switch.c - what is a switch to another stack and back?
 *
 * Not measured: the scheduler that decides where to switch to, and cold caches: two small
 * stacks stay in them.
 */
#include "fiber/fiber.h"
#include "micro.h"

struct other {
    struct aio__fiber *home;
    uint64_t visits;
    bool leaving;
};

static struct aio__fiber *go_back(struct aio__fiber *self)
{
    struct other *other = aio__fiber_user(self);

    while (!other->leaving) {
        other->visits++;
        aio__fiber_switch(self, other->home);
    }
    aio__fiber_give(self);
    return other->home;
}

static int run_switch(struct bench_clock *clock, uint64_t count)
{
    struct aio__fiber_root root;
    struct other other = {aio__fiber_root_init(&root), 0, false};
    struct aio__fiber_pool *pool;
    struct aio__fiber *fiber;
    int err = aio__fiber_pool_new(NULL, &pool);

    if (err < 0)
        return err;
    err = aio__fiber_take(pool, 0, go_back, &other, &fiber);
    if (err < 0)
        goto free_pool;
    aio__fiber_switch(other.home, fiber); /* enters the stack */

    bench_start(clock);
    for (uint64_t i = 0; i < count; i++)
        aio__fiber_switch(other.home, fiber);
    bench_stop(clock);

    bench_check(other.visits == count + 1, "the other stack did not run each time");
    other.leaving = true;
    aio__fiber_switch(other.home, fiber);
free_pool:
    aio__fiber_pool_free(pool);
    return err;
}

const struct bench bench_switch[] = {
    {.name = "switch", .run = run_switch, .batch = 1, .outside = true},
    {.name = NULL},
};
