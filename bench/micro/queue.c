/* SPDX-License-Identifier: MIT */
/*
 * queue.c - what is an item on its way through a queue of 64, from one task to another?
 *
 * The producer fills it, the consumer empties it: a switch comes once in 64 items. Not
 * measured: a queue of one, where each item makes a switch (see pingpong.c).
 */
#include "micro.h"

enum { SIZE = 64 };

struct belt {
    aio_queue *queue;
    uint64_t count;
};

static int produce(void *arg, void **ret_result)
{
    struct belt *belt = arg;
    int err = 0;

    (void)ret_result;
    for (uintptr_t item = 0; item < belt->count && err == 0; item++)
        err = aio_queue_put(belt->queue, (void *)item);
    return err;
}

static int run_queue_64(struct bench_clock *clock, uint64_t count)
{
    struct belt belt = {aio_queue_new(SIZE), count};
    bool in_order = true;
    aio_task *task;
    int err = 0;
    int code;

    bench_start(clock);
    task = aio_create_task(produce, &belt);
    for (uintptr_t expected = 0; expected < count && err == 0; expected++) {
        void *item = NULL;

        err = aio_queue_get(belt.queue, &item);
        in_order &= (uintptr_t)item == expected;
    }
    bench_stop(clock);
    code = aio_await(task, NULL);
    aio_future_unref(task);
    bench_check(in_order, "the items did not come in order");
    aio_queue_unref(belt.queue);
    return err < 0 ? err : code;
}

const struct bench bench_queue[] = {
    {.name = "queue_64", .run = run_queue_64, .batch = 1},
    {.name = NULL},
};
