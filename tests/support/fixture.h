/* SPDX-License-Identifier: MIT */
/*
 * fixture.h - a loop on a virtual clock, tasks with names, and the trace they leave
 *
 * For tests of what tasks do to each other. Nothing sleeps: fx_settle() runs the loop until
 * every task is blocked for ever. Coroutines note what happens to them; the test asserts the
 * whole trace, order included, outside of them.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/log.h>
#include <aio/loop.h>
#include <aio/task.h>
#include <aio/testing.h>

struct fixture {
    aio_loop *loop; /* current for the thread */
    void *subject;  /* what the test is about: a lock, a queue; the test's own */
    void *other;    /* a second one */
    size_t task_count;
    aio_task *tasks[32]; /* those spawned */
    unsigned reports;    /* calls of the loop's exception handler that no test asserted */
    char reported[1024]; /* their messages */
    char logged[1024];   /* after fx_hear() */
    size_t descriptors;  /* that were open before */
    size_t used;
    char trace[4096];
};

/* Make the loop; false if memory is short. */
bool fx_open(struct fixture *f);
/* The same with a clock of choice. With AIO_CLOCK_REAL there is no fx_settle(): who runs the loop
 * has to end it. */
bool fx_open_with(struct fixture *f, aio_clock clock);

/* Cancel what is not done, and settle: before the end of what the tasks use. */
void fx_end_tasks(struct fixture *f);

/* The same, then close the loop and let go of all. */
void fx_close(struct fixture *f);

/* cmocka's setup and teardown of a test, whose state is the fixture. The teardown fails the
 * test if the loop had anything to report, or an allocation or a descriptor is left. */
int fx_setup(void **state);
int fx_setup_real(void **state); /* on the real clock */
int fx_teardown(void **state);

/* The same with a pending future as the subject, whose reference the teardown drops. */
int fx_setup_future(void **state);
int fx_teardown_future(void **state);

/* Make a task of fn(f), which runs from the next fx_settle() on. Borrowed; NULL if memory is
 * short. */
aio_task *fx_spawn(struct fixture *f, const char *name, aio_coro_fn fn);

/* Run until every task is blocked or done, and no timer is left. */
void fx_settle(struct fixture *f);

/* Run one iteration of the loop. */
void fx_step(struct fixture *f);

/* Add "NAME TEXT" to the trace, NAME being that of the current task, "-" without one. */
void fx_note(struct fixture *f, const char *format, ...) AIO_PRINTF(2, 3);

/* The same, TEXT being `what`, or "what ! Error" if `code` is negative. Gives the code back. */
int fx_note_code(struct fixture *f, const char *what, int code);

/* Assert what was noted since the last time, entries separated by ", ". */
void fx_assert_trace(struct fixture *f, const char *expected);

/* Assert what the loop reported since the last time: "message Error", without the error if there
 * is none, entries separated by ", ". */
void fx_assert_reports(struct fixture *f, const char *expected);

/* Hear what the library logs, until the teardown; then assert it, entries separated by ", ". */
void fx_hear(struct fixture *f);
void fx_assert_log(struct fixture *f, const char *expected);

/* A table's entry for a test with the fixture, with that on the real clock, or with a future. */
#define FX_TEST(test)      cmocka_unit_test_setup_teardown(test, fx_setup, fx_teardown)
#define FX_TEST_REAL(test) cmocka_unit_test_setup_teardown(test, fx_setup_real, fx_teardown)
#define FX_TEST_FUTURE(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, fx_setup_future, fx_teardown_future)

/* A coroutine that notes "0", "1", "2", an iteration between each: what happened when. */
int fx_tick(void *arg, void **ret_result);

#endif
