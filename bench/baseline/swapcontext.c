/* SPDX-License-Identifier: MIT */
/*
 * swapcontext.c - the line "switch" with the C library's own contexts
 *
 * Each switch makes a system call, for the signal mask.
 */
#include "support/bench.h"

#include <stdlib.h>
#include <ucontext.h>

enum { STACK_SIZE = 65536 };

static ucontext_t home, other;
static uint64_t visits;

static void go_back(void)
{
    for (;;) {
        visits++;
        (void)swapcontext(&other, &home);
    }
}

static int run_switch(struct bench_clock *clock, uint64_t count)
{
    char *stack = malloc(STACK_SIZE);

    bench_check(stack != NULL && getcontext(&other) == 0, "no context");
    other.uc_stack.ss_sp = stack;
    other.uc_stack.ss_size = STACK_SIZE;
    makecontext(&other, go_back, 0);
    visits = 0;

    bench_start(clock);
    for (uint64_t i = 0; i < count; i++)
        (void)swapcontext(&home, &other);
    bench_stop(clock);

    free(stack);
    bench_check(visits == count, "the other stack did not run each time");
    return 0;
}

static const struct bench benches[] = {
    {.name = "switch", .run = run_switch, .batch = 1},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    const struct bench *const tables[] = {benches, NULL};

    return bench_main(argc, argv, tables, NULL);
}
