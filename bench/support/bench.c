/* SPDX-License-Identifier: MIT */
/*
 * bench.c - samples of benchmarks, their medians, one line each
 */
#include "support/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DEFAULT_MS = 300,
    SAMPLES = 10,      /* that the time wanted is cut into */
    LEAST_SAMPLES = 3, /* unless a single one takes longer than the time wanted */
    MOST_SAMPLES = 100
};

static bool is_counting;
static uint64_t fixed_count;

static uint64_t now_ns(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_cpu_ns(void)
{
    return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_start(struct bench_clock *clock)
{
    clock->cpu_start = bench_cpu_ns();
    clock->wall_start = now_ns(CLOCK_MONOTONIC);
}

void bench_stop(struct bench_clock *clock)
{
    clock->wall_ns += now_ns(CLOCK_MONOTONIC) - clock->wall_start;
    clock->cpu_ns += bench_cpu_ns() - clock->cpu_start;
}

void bench_check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "benchmark failed: %s\n", what);
    exit(1);
}

bool bench_is_counting(void)
{
    return is_counting;
}

/* --- samples --------------------------------------------------------------------------- */

struct measuring {
    const struct bench *bench;
    uint64_t wanted_ns;
    double wall[MOST_SAMPLES]; /* for one operation */
    double cpu[MOST_SAMPLES];
    size_t samples;
};

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void bench_rounds_add(struct bench_rounds *rounds, const struct bench_clock *clock,
                      unsigned operations)
{
    bench_check(rounds->count < BENCH_ROUNDS, "there is room for the round");
    rounds->wall[rounds->count] = (double)clock->wall_ns / operations;
    rounds->cpu[rounds->count] = (double)clock->cpu_ns / operations;
    rounds->count++;
}

void bench_rounds_print(struct bench_rounds *rounds, const char *name)
{
    printf("%s %.0f %.0f\n", name, median(rounds->wall, (size_t)rounds->count),
           median(rounds->cpu, (size_t)rounds->count));
}

static int take(struct measuring *m, uint64_t count, struct bench_clock *clock)
{
    *clock = (struct bench_clock){0};
    return m->bench->run(clock, count);
}

/* How many operations make a sample long enough. Finding out also warms everything up. */
static int find_count(struct measuring *m, uint64_t *ret_count)
{
    uint64_t sample_ns = m->wanted_ns / SAMPLES;
    uint64_t batches = 1;
    struct bench_clock clock;

    for (;;) {
        uint64_t factor;
        int err = take(m, batches * m->bench->batch, &clock);

        if (err < 0)
            return err;
        if (clock.wall_ns >= sample_ns)
            break;
        factor = sample_ns / (clock.wall_ns + 1) + 1;
        batches *= factor > 10 ? 10 : factor;
    }
    *ret_count = batches * m->bench->batch;
    return 0;
}

static int take_samples(void *arg)
{
    struct measuring *m = arg;
    uint64_t total_ns = 0;
    uint64_t count;
    int err;

    if (is_counting) {
        struct bench_clock clock;
        uint64_t batches = fixed_count / m->bench->batch;

        return take(m, (batches == 0 ? 1 : batches) * m->bench->batch, &clock);
    }
    err = find_count(m, &count);
    if (err < 0)
        return err;
    while (m->samples < MOST_SAMPLES) {
        struct bench_clock clock;

        err = take(m, count, &clock);
        if (err < 0)
            return err;
        m->wall[m->samples] = (double)clock.wall_ns / (double)count;
        m->cpu[m->samples++] = (double)clock.cpu_ns / (double)count;
        total_ns += clock.wall_ns;
        if (total_ns >= m->wanted_ns &&
            (m->samples >= LEAST_SAMPLES || clock.wall_ns >= m->wanted_ns))
            break;
    }
    return 0;
}

static int measure(const struct bench *bench, bench_place_fn place)
{
    const char *ms = getenv("LAB_MS");
    struct measuring m = {.bench = bench, .wanted_ns = DEFAULT_MS};
    double wall;
    double cpu;
    int err;

    if (ms != NULL && atoi(ms) > 0)
        m.wanted_ns = (uint64_t)atoi(ms);
    m.wanted_ns *= 1000000;
    err = bench->outside || place == NULL ? take_samples(&m) : place(take_samples, &m);
    if (err < 0) {
        fprintf(stderr, "%s: error %d\n", bench->name, err);
        return err;
    }
    if (is_counting)
        return 0;
    cpu = median(m.cpu, m.samples);
    wall = bench->waits ? cpu : median(m.wall, m.samples);
    printf("%s %.2f %.2f\n", bench->name, wall, cpu);
    return fflush(stdout) == 0 ? 0 : -1;
}

/* --- the command line ------------------------------------------------------------------ */

static bool is_wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

int bench_main(int argc, char **argv, const struct bench *const *tables, bench_place_fn place)
{
    bool list = false;
    int next = 1;

    for (; next < argc && argv[next][0] == '-'; next++) {
        if (strcmp(argv[next], "--list") == 0) {
            list = true;
        } else if (strcmp(argv[next], "--count") == 0 && next + 1 < argc) {
            is_counting = true;
            fixed_count = strtoull(argv[++next], NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--list] [--count N] [BENCH...]\n", argv[0]);
            return 2;
        }
    }
    for (; *tables != NULL; tables++) {
        for (const struct bench *bench = *tables; bench->name != NULL; bench++) {
            if (!is_wanted(bench->name, argv + next, argc - next))
                continue;
            if (list)
                puts(bench->name);
            else if (measure(bench, place) < 0)
                return 1;
        }
    }
    return 0;
}
