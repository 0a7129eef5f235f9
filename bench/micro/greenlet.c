/* SPDX-License-Identifier: MIT */
/*
 * greenlet.c - what is a switch to a greenlet and back?
 *
 * Two switches, as in switch.c, with the values, errors and context variables that a greenlet
 * has of its own. Not measured: making one.
 */
#include "micro.h"

static int go_back(void *arg, void *value, void **ret_result)
{
    uint64_t *visits = value;
    int err;

    (void)ret_result;
    do {
        ++*visits;
        err = aio_greenlet_switch(arg, NULL, NULL);
    } while (err == 0);
    return err;
}

static int run_greenlet(struct bench_clock *clock, uint64_t count)
{
    aio_greenlet *home = aio_greenlet_current();
    aio_greenlet *other = aio_greenlet_new(go_back, home, NULL);
    uint64_t visits = 0;
    int err = aio_greenlet_switch(other, &visits, NULL);

    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++)
        err = aio_greenlet_switch(other, NULL, NULL);
    bench_stop(clock);
    bench_check(err < 0 || visits == count + 1, "the greenlet did not run each time");
    aio_greenlet_unref(other);
    aio_greenlet_unref(home);
    return err;
}

const struct bench bench_greenlet[] = {
    {.name = "greenlet_switch", .run = run_greenlet, .batch = 1},
    {.name = NULL},
};
