/* SPDX-License-Identifier: MIT */
/*
 * interp.h - running bodies, and what the ops of all levels share
 *
 * For interp.c and the files of the levels. A body runs in a frame on the stack of whoever
 * runs it: a task, a callback, or the frame of the body that called it.
 */
#ifndef PARITY_INTERP_H
#define PARITY_INTERP_H

#include "player.h"

/** The activation of a body. */
struct frame {
    struct player *player;
    aio_exception *raised;  /* owned; set exactly while a FLOW_RAISE is on its way */
    aio_exception *handled; /* borrowed from the try statement whose except part runs */
    bool suppressed;        /* the exit part of a manager swallows what leaves its body */
    void *result;           /* of `return VALUE` */
    struct turns *turns;    /* the for_as_completed loops around us, innermost first */
};

/* What a task runs: a coroutine body, which is the argument. An aio_coro_fn. */
int run_coroutine(void *body, void **ret_result);
/* What call_soon, call_later and call_at run: a callback body. An aio_callback_fn. */
int run_callback(void *body);
/* What add_done_callback runs. An aio_done_fn. */
int run_done_callback(aio_future *future, void *body);

enum flow run_statements(struct frame *frame, const struct statement *first);

/* Raise the error of a call that has just returned a negative code. */
enum flow raise_code(struct frame *frame, int code);

/*
 * The end of a sync op: prints `SUBJECT ! EXC` if the call failed. True if it did not.
 * To be called before anything else can raise.
 */
bool sync_ok(struct frame *frame, const struct statement *statement, int code);
/* The end of an async op: prints `SUBJECT = VALUE` or `SUBJECT ! EXC`, and raises. */
enum flow async_end(struct frame *frame, const struct statement *statement, int code,
                    const void *value);
/* The same where only the error is printed, by a subject of its own. */
enum flow async_fail(struct frame *frame, const char *subject, int code);

/*
 * Blocks like `async with`. First the code that their exit gets for how the body was left,
 * then, from the code that the exit gave, how the block is left.
 */
int flow_code(struct frame *frame, enum flow flow);
enum flow flow_after(struct frame *frame, enum flow flow, int code);

/* The task or future that a slot argument names; what any other slot argument names. */
aio_future *future_arg(struct frame *frame, const struct arg *arg);
void *object_arg(const struct arg *arg);
/*
 * The future, or a fresh coroutine object for @BODY, which is kept to the end. `named`: it is
 * about to become a task, so it gets the next of the names Task-N. NULL: out of memory.
 */
aio_future *awaitable_arg(struct frame *frame, const struct arg *arg, bool named);
/* An array of the awaitables or futures from an argument on, in the arena. */
aio_future **awaitable_args(struct frame *frame, const struct statement *statement, size_t first);

bool compare(long left, long comparison, long right);

#endif
