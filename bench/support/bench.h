/* SPDX-License-Identifier: MIT */
/*
 * bench.h - how benchmarks measure and report
 *
 * For the programs in bench/ that have several named benchmarks. Knows nothing of aioc, so
 * that the baselines in C measure in the same way.
 *
 * Each benchmark is run for about LAB_MS milliseconds (an environment variable, 300 without
 * it), cut into samples. One line comes out: the name, the median of the samples in
 * nanoseconds for one operation, and the median of the processor time spent on one.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* What one run of a benchmark took. Set-up before and tear-down after are not in it. */
struct bench_clock {
    uint64_t wall_ns;
    uint64_t cpu_ns; /* of all threads of the process */
    uint64_t wall_start;
    uint64_t cpu_start;
};

/* Time from here on, added to what was timed before. */
void bench_start(struct bench_clock *clock);
void bench_stop(struct bench_clock *clock);

/* One benchmark; a table of them ends with a NULL name. */
struct bench {
    const char *name;
    /* Do `count` operations, a multiple of `batch`, and check that they were done. What
     * is between bench_start() and bench_stop() counts. 0, or a code that ends the program. */
    int (*run)(struct bench_clock *clock, uint64_t count);
    uint64_t batch;
    bool waits;   /* time passes by itself: only processor time tells something */
    bool outside; /* runs outside any loop */
};

/* Calls work(arg) where benchmarks are to run: inside a task of a new loop, say. 0, or its
 * code, or one of its own. */
typedef int (*bench_place_fn)(int (*work)(void *arg), void *arg);

/*
 * The main function: runs the benchmarks named in the arguments, or all; names that no
 * table has are ignored. Returns the program's status.
 *
 *   --list       print the names instead
 *   --count N    do N operations of each, or one batch if that is more, without timing:
 *                for counting instructions
 *
 * `place` is where those run that are not `outside`; NULL: anywhere.
 */
int bench_main(int argc, char **argv, const struct bench *const *tables, bench_place_fn place);

/* For programs that ask a server, in rounds of a fixed number of operations. Zero to begin with. */
enum { BENCH_ROUNDS = 15 };

struct bench_rounds {
    int count;
    double wall[BENCH_ROUNDS]; /* nanoseconds for one operation */
    double cpu[BENCH_ROUNDS];
};

/* Note a round; no more than BENCH_ROUNDS. */
void bench_rounds_add(struct bench_rounds *rounds, const struct bench_clock *clock,
                      unsigned operations);
/* Print the line: the name, and the medians. */
void bench_rounds_print(struct bench_rounds *rounds, const char *name);

/* Whether --count was given: counting wants a clock that does not run by itself. */
bool bench_is_counting(void);

/* End the program, saying why, if the work was not done. */
void bench_check(bool ok, const char *what);

/* The processor time of the process, in nanoseconds. */
uint64_t bench_cpu_ns(void);

#endif
