/* SPDX-License-Identifier: MIT */
/*
 * world.h - a loop that its own steps drive, or a host's uv_loop_t, and the trace it leaves
 *
 * For tests that a program sees the same of a loop either way, and of what is the host's alone.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "support/unit.h"

#include <aio/loop.h>
#include <uv.h>

struct world {
    uv_loop_t host;
    aio_loop *loop; /* the host's guest, or one of its own */
    bool is_guest;
    char trace[256];
};

/* cmocka's setup and teardown of a test, whose state is the world: of a loop of its own, of a guest,
 * of a guest with a virtual clock. The host goes on when its guest is gone, and ends with nothing of
 * it left. */
int world_open_own(void **state);
int world_open_guest(void **state);
int world_open_virtual(void **state);
int world_close(void **state);

/* Run until nothing is left to do. */
void world_run(struct world *w);

/* Add to the trace, and assert all that was since the last time. */
void world_note(struct world *w, const char *what);
void world_assert_trace(struct world *w, const char *expected);

/* Callbacks, with the world as their argument. */
int world_note_a(void *world);
int world_note_b(void *world);
int world_note_c(void *world);

/* A handler of exceptions, which notes their message. */
int world_note_report(aio_loop *loop, const aio_exception_context *context, void *world);

/* Coroutines: one that sleeps, notes "b" and gives the world; one that notes "a", waits for such a
 * one, and notes "c"; one that notes "(", waits for ever, and notes ")", or "cancelled)". */
int world_sleep(void *world, void **ret_result);
int world_wait(void *world, void **ret_result);
int world_wait_for_ever(void *world, void **ret_result);

#endif
