/* SPDX-License-Identifier: MIT */
/*
 * processes.h - process pools whose workers are the test program itself
 *
 * What the workers and the tests tell each other beside the pool is in a file that all have mapped.
 * A test program's main() begins with be_worker().
 */
#ifndef TESTS_PROCESSES_H
#define TESTS_PROCESSES_H

#include "support/unit.h"

#include <aio/process_pool.h>
#include <limits.h>
#include <semaphore.h>
#include <stdatomic.h>

struct shared {
    sem_t reached; /* by each job that stops there */
    sem_t open;    /* for one each time */
    atomic_int initialized;
    atomic_int destroyed;
    atomic_int runs;
};

extern struct shared *shared;

/* Whether this process is a worker, which has done its work when this returns. */
bool be_worker(int argc, char **argv);

/* cmocka's setup and teardown of a group: the file. */
int make_shared(void **state);
int drop_shared(void **state);

/* Those of a test: all that is shared is as new; no process is left, running or ended, and no
 * allocation. */
int set_up_processes(void **state);
int tear_down_processes(void **state);

#define PROCESS_TEST(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, set_up_processes, tear_down_processes)

/* A pool of so many workers at the most; 0: as many as it likes. And its orderly end. */
aio_executor *make_pool(size_t max_workers);
void finish_pool(aio_executor *pool);
aio_executor_stats stats_of(aio_executor *pool);

/* Submit a job that takes and gives a number; NULL if the pool refuses it. */
aio_concurrent_future *submit(aio_executor *pool, aio_job_fn fn, intptr_t arg);

/* The number that a job gives; drops the future. */
intptr_t result_of(aio_concurrent_future *fut);

/* That a job ends with a code, and a message that begins so; drops the future. */
void assert_fails(aio_concurrent_future *fut, int code, const char *text);

/* Jobs: one that says which process has it, and counts as a run; one that stops at the gate. */
int add_one(void *arg, void **ret_result);
int tell_pid(void *arg, void **ret_result);
int stop_at_gate(void *arg, void **ret_result);

/* add_one() by name, for who registers it. */
extern const aio_function add_one_by_name;

/* Wait until so many jobs have come to the gate; let so many pass. */
void reach_gate(int jobs);
void open_gate(int jobs);

/* Where this program is. */
void find_self(char path[PATH_MAX]);

#endif
