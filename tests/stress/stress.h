/* SPDX-License-Identifier: MIT */
/*
 * stress.h - many short rounds of tasks that get in each other's way
 *
 * For the programs of tests/stress. A round is a loop on a virtual clock, some workers, and
 * a troublemaker that for a while cancels workers at random, lets allocations fail, and does
 * what the scenario likes. Then it stops, and all workers have to come to their end: a round
 * in which everybody is blocked has lost a wake-up. All that is random comes from the
 * round's seed, so a round that fails can be played again.
 */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include <aio/loop.h>
#include <aio/task.h>

enum { STRESS_WORKERS = 12, STRESS_STEPS = 300 }; /* at most, in a round */

struct stress;

struct stress_worker {
    struct stress *stress;
    unsigned number;
    aio_task *task;
    bool started;
};

struct stress_scenario {
    const char *name;
    /* Make what the workers share, leave it in stress->shared, and say how many workers. */
    unsigned (*begin)(struct stress *stress);
    /* A worker's life, to be ended soon after stress_step() has said so. */
    void (*work)(struct stress_worker *worker);
    /* Trouble of the scenario's own; may be NULL. Runs in a task. */
    void (*disturb)(struct stress *stress);
    /* All workers have ended: check what must hold then, and free what is shared. */
    void (*end)(struct stress *stress);
};

struct stress {
    const struct stress_scenario *scenario;
    uint64_t seed;   /* of this round */
    uint64_t random; /* the generator's state */
    uint64_t digest; /* of all that happened, in order */
    aio_loop *loop;
    void *shared;
    unsigned steps_left;
    bool calm;     /* no trouble in this round */
    bool shuffled; /* ready tasks run in any order */
    bool ending;   /* the workers are told to end; for scenarios */
    unsigned worker_count;
    unsigned alive;
    struct stress_worker workers[STRESS_WORKERS];
    unsigned long cancelled; /* calls that ended so */
    unsigned long short_of_memory;
};

/* Run the program: [STEPS [SEED]] on its command line. Gives main()'s result. */
int stress_main(int argc, char **argv, const struct stress_scenario *const *scenarios,
                size_t count);

/* A number from 0 to below. */
unsigned stress_random(struct stress *stress, unsigned below);

/* What must hold. If it does not, the program says which round it was, and ends. */
void stress_check(struct stress *stress, bool holds, const char *what);

/* Take a step; false: there are no more. */
bool stress_step(struct stress *stress);

/* Note what a call has given. A cancellation is over with that; it, and a lack of memory, are
 * the troublemaker's, and must not come up in a calm round. Gives the code back. */
int stress_outcome(struct stress_worker *worker, int code);

/* Give way at least `least` times and perhaps more, whoever cancels. */
void stress_pause(struct stress_worker *worker, unsigned least);

#endif
