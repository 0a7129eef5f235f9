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

#include <aio/loop.h>
#include <aio/task.h>
#include <aio/testing.h>

struct fixture {
    aio_loop *loop; /* current for the thread */
    void *subject;  /* what the test is about: a lock, a queue; the test's own */
    void *other;    /* a second one */
    size_t task_count;
    aio_task *tasks[32]; /* those spawned */
    unsigned reports;    /* calls of the loop's exception handler */
    size_t used;
    char trace[4096];
};

/* Make the loop; false if memory is short. */
bool fx_open(struct fixture *f);

/* Cancel what is not done, and settle: before the end of what the tasks use. */
void fx_end_tasks(struct fixture *f);

/* The same, then close the loop and let go of all. */
void fx_close(struct fixture *f);

/* cmocka's setup and teardown of a test, whose state is the fixture. The teardown fails the
 * test if the loop had anything to report, or an allocation is left. */
int fx_setup(void **state);
int fx_teardown(void **state);

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

/* A coroutine that notes "0", "1", "2", an iteration between each: what happened when. */
int fx_tick(void *arg, void **ret_result);

#endif
