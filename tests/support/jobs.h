/* SPDX-License-Identifier: MIT */
/*
 * jobs.h - jobs behind the loop of a fixture, and tasks that wait for them
 *
 * The fixture's subject is their executor; NULL is the loop's default one, which has THREADS threads.
 */
#ifndef TESTS_JOBS_H
#define TESTS_JOBS_H

#include "support/fixture.h"

#include <aio/executor.h>

enum { THREADS = 2 };

/* cmocka's setup of a group: before libuv makes its threads. */
int limit_threads(void **state);

/* Setup and teardown of a test; the teardown ends the subject as well, and drops it. */
int set_up_jobs(void **state);
int tear_down_jobs(void **state);

#define JOB_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_jobs, tear_down_jobs)

/* Jobs: one that gives its argument back, one that fails with a ValueError, one that stops until it
 * is released and gives its argument then. */
int job_give_back(void *arg, void **ret_result);
int job_raise(void *arg, void **ret_result);
int job_stop(void *arg, void **ret_result);

/* Wait until so many jobs have stopped; let so many go on, and wait until they do. */
void wait_for_jobs(int jobs);
void release_jobs(int jobs);
/* Let one go on, and do not wait. */
void release_job_soon(void);

/* A destructor that only counts, since the test's setup. */
void count_destroyed(void *arg);
int count_of_destroyed(void);

/* Coroutines on a fixture: they run a job ("OK" is given back, "A" stops), and note "got OK" or
 * "! ValueError: no such image". The last shuts the default executor down and notes that. */
int run_give_back(void *fixture, void **ret_result);
int run_raise(void *fixture, void **ret_result);
int run_stop(void *fixture, void **ret_result);
int shut_down_default(void *fixture, void **ret_result);

/* A thread pool, and the beginning of its threads' names. NULL if memory is short. */
aio_executor *named_pool(const char *prefix);

/* Wait until no more is allocated than so many blocks: what libuv still has of a closed loop goes
 * with the next loop that is made or closed. */
void wait_until_freed(size_t live);

#endif
