/* SPDX-License-Identifier: MIT */
/*
 * stress.c - many short rounds of tasks that get in each other's way
 */
#include "stress/stress.h"

#include "base/memory.h"
#include "loop/loop_internal.h"

#include <aio/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAYED_TWICE = 5 }; /* rounds of each scenario, to see that a seed says all */

/* --- chance ---------------------------------------------------------------------------- */

/* splitmix64: any seed will do, also one next to another's. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned stress_random(struct stress *stress, unsigned below)
{
    return (unsigned)(next_random(&stress->random) % below);
}

static void digest(struct stress *stress, uint64_t what)
{
    stress->digest = (stress->digest ^ what) * 0x100000001b3u;
}

/* --- what scenarios use ---------------------------------------------------------------- */

void stress_check(struct stress *stress, bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s, round of seed 0x%llx: %s\n", stress->scenario->name,
            (unsigned long long)stress->seed, what);
    fflush(stderr);
    _Exit(EXIT_FAILURE);
}

bool stress_step(struct stress *stress)
{
    if (stress->steps_left == 0)
        return false;
    stress->steps_left--;
    return true;
}

int stress_outcome(struct stress_worker *worker, int code)
{
    struct stress *stress = worker->stress;

    digest(stress, (uint64_t)worker->number << 32 | (uint32_t)code);
    if (code == AIO_ECANCELLED) {
        stress->cancelled++;
        while (aio_task_cancelling(worker->task) > 0)
            (void)aio_task_uncancel(worker->task);
    } else if (code == AIO_ENOMEM) {
        stress->short_of_memory++;
    } else {
        return code;
    }
    stress_check(stress, !stress->calm, "trouble in a calm round");
    return code;
}

void stress_pause(struct stress_worker *worker, unsigned least)
{
    for (unsigned i = least + stress_random(worker->stress, 3); i > 0; i--)
        (void)stress_outcome(worker, aio_sleep(0));
}

/* --- a round --------------------------------------------------------------------------- */

static int live(void *arg, void **ret_result)
{
    struct stress_worker *worker = arg;

    worker->started = true;
    worker->stress->scenario->work(worker);
    worker->stress->alive--;
    return 0;
}

static void cancel_somebody(struct stress *stress)
{
    struct stress_worker *worker = &stress->workers[stress_random(stress, stress->worker_count)];

    /* A worker that never starts could not do its part in the ending. */
    if (worker->started)
        digest(stress, aio_task_cancel(worker->task, NULL));
}

static int make_trouble(void *arg, void **ret_result)
{
    struct stress *stress = arg;
    bool memory_is_short = stress_random(stress, 3) == 0;
    unsigned often = 1 + stress_random(stress, 6);

    for (unsigned laps = stress_random(stress, STRESS_STEPS); laps > 0; laps--) {
        if (stress_random(stress, often) == 0)
            cancel_somebody(stress);
        if (memory_is_short && stress_random(stress, 8) == 0)
            aio__fail_allocation(1 + stress_random(stress, 4));
        if (stress->scenario->disturb != NULL && stress_random(stress, 16) == 0)
            stress->scenario->disturb(stress);
        (void)aio_sleep(0);
    }
    aio__fail_allocation(0);
    return 0;
}

static int on_blocked(void *arg)
{
    struct stress *stress = arg;

    stress_check(stress, stress->alive == 0, "everybody is blocked: a wake-up was lost");
    aio_loop_stop(stress->loop);
    return 0;
}

static int on_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    stress_check(arg, false, context->message);
    return 0;
}

static void make_loop(struct stress *stress)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;

    options.clock = AIO_CLOCK_VIRTUAL;
    stress->loop = aio_loop_new(&options);
    stress_check(stress, stress->loop != NULL, "no loop");
    stress_check(stress, aio_testing_disable_pool(stress->loop) == 0, "the pool is in use");
    if (stress->shuffled)
        aio_testing_shuffle(stress->loop, stress->seed | 1);
    aio_loop_set_exception_handler(stress->loop, on_report, stress);
    aio_testing_on_blocked(stress->loop, on_blocked, stress);
}

static void make_workers(struct stress *stress)
{
    for (unsigned i = 0; i < stress->worker_count; i++) {
        struct stress_worker *worker = &stress->workers[i];

        worker->stress = stress;
        worker->number = i;
        worker->task = aio_loop_create_task(stress->loop, live, worker, NULL);
        stress_check(stress, worker->task != NULL, "no task");
        stress->alive++;
    }
}

static void run_round(struct stress *stress, const struct stress_scenario *scenario, uint64_t seed,
                      unsigned steps)
{
    aio_task *trouble = NULL;

    memset(stress, 0, sizeof(*stress));
    stress->scenario = scenario;
    stress->seed = stress->random = seed;
    stress->steps_left = steps;
    stress->calm = stress_random(stress, 4) == 0;
    stress->shuffled = stress_random(stress, 3) == 0;
    make_loop(stress);
    stress->worker_count = scenario->begin(stress);
    make_workers(stress);
    if (!stress->calm)
        trouble = aio_loop_create_task(stress->loop, make_trouble, stress, NULL);

    (void)aio_loop_run_forever(stress->loop);

    stress_check(stress, stress->alive == 0, "the loop has stopped too early");
    scenario->end(stress);
    for (unsigned i = 0; i < stress->worker_count; i++)
        aio_future_unref(stress->workers[i].task);
    aio_future_unref(trouble);
    stress_check(stress, aio_loop_close(stress->loop) == 0, "the loop could not be closed");
    aio_loop_unref(stress->loop);
}

/* --- the program ----------------------------------------------------------------------- */

struct totals {
    unsigned long rounds;
    unsigned long steps;
    unsigned long cancelled;
    unsigned long short_of_memory;
};

static void run_scenario(const struct stress_scenario *scenario, unsigned long steps,
                         uint64_t *seeds, struct totals *totals)
{
    static struct stress stress;
    unsigned long done = 0;

    for (unsigned long round = 0; done < steps; round++) {
        uint64_t seed = next_random(seeds);
        unsigned some = 1 + (unsigned)(next_random(seeds) % STRESS_STEPS);

        run_round(&stress, scenario, seed, some);
        if (round < PLAYED_TWICE) {
            uint64_t first = stress.digest;

            run_round(&stress, scenario, seed, some);
            stress_check(&stress, stress.digest == first, "played twice, it went differently");
        }
        done += some;
        totals->rounds++;
        totals->cancelled += stress.cancelled;
        totals->short_of_memory += stress.short_of_memory;
    }
    totals->steps += done;
}

int stress_main(int argc, char **argv, const struct stress_scenario *const *scenarios, size_t count)
{
    unsigned long steps = argc > 1 ? strtoul(argv[1], NULL, 0) : 500000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    uint64_t seeds = seed;
    struct totals totals = {0};

    for (size_t i = 0; i < count; i++)
        run_scenario(scenarios[i], steps / count + 1, &seeds, &totals);
    printf("seed %llu: %lu steps in %lu rounds, %lu calls cancelled, %lu short of memory\n",
           (unsigned long long)seed, totals.steps, totals.rounds, totals.cancelled,
           totals.short_of_memory);
    return EXIT_SUCCESS;
}
