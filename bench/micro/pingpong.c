/* SPDX-License-Identifier: MIT */
/*
 * pingpong.c - what is a round trip between two tasks that wake each other through futures?
 *
 * Each way has a future of its own, made for it: allocation and freeing count. Not measured:
 * waking several waiters at once.
 */
#include "micro.h"

struct player {
    struct player *other;
    aio_future *ball; /* what this one waits for; NULL: not yet */
    uint64_t strokes;
    bool serves;
};

/* Wait for the ball. */
static int receive(struct player *self)
{
    int err;

    self->ball = aio_future_new(NULL);
    err = aio_await(self->ball, NULL);
    aio_future_unref(self->ball);
    return err;
}

static int play(void *arg, void **ret_result)
{
    struct player *self = arg;
    int err = 0;

    (void)ret_result;
    for (uint64_t left = self->strokes; left > 0 && err == 0; left--) {
        if (!self->serves)
            err = receive(self);
        if (err == 0)
            err = aio_future_set_result(self->other->ball, NULL);
        if (self->serves && err == 0)
            err = receive(self);
        self->strokes--;
    }
    return err;
}

static int run_pingpong(struct bench_clock *clock, uint64_t count)
{
    struct player here = {NULL, NULL, count, true};
    struct player there = {&here, NULL, count, false};
    aio_task *task = aio_create_task(play, &there);
    int err = aio_sleep(0); /* until it waits */
    int code;

    here.other = &there;
    bench_start(clock);
    if (err == 0)
        err = play(&here, NULL);
    bench_stop(clock);
    code = aio_await(task, NULL);
    aio_future_unref(task);
    bench_check(here.strokes == 0 && there.strokes == 0, "the ball got lost");
    return err < 0 ? err : code;
}

const struct bench bench_pingpong[] = {
    {.name = "pingpong", .run = run_pingpong, .batch = 1},
    {.name = NULL},
};
