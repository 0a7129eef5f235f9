/* SPDX-License-Identifier: MIT */
/*
 * lock.c - what is a turn at a lock, with nobody and with a hundred tasks in line?
 *
 * In line, each holds the lock while it gives way once, so that each turn is a handover.
 * Not measured: cancelling those in line.
 */
#include "micro.h"

enum { TASKS = 100 };

struct turns {
    aio_lock *lock;
    uint64_t each;
    uint64_t taken;
};

static int take_turn(struct turns *turns)
{
    int err = aio_lock_acquire(turns->lock);
    int code;

    if (err < 0)
        return err;
    err = aio_sleep(0);
    turns->taken++;
    code = aio_lock_release(turns->lock);
    return err < 0 ? err : code;
}

static int take_turns(void *arg, void **ret_result)
{
    struct turns *turns = arg;
    int err = 0;

    (void)ret_result;
    for (uint64_t i = 0; i < turns->each && err == 0; i++)
        err = take_turn(turns);
    return err;
}

static int run_lock_100(struct bench_clock *clock, uint64_t count)
{
    struct turns turns = {aio_lock_new(), count / TASKS, 0};
    aio_task *tasks[TASKS];
    int err = 0;

    bench_start(clock);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = aio_create_task(take_turns, &turns);
    for (int i = 0; i < TASKS; i++) {
        int code = aio_await(tasks[i], NULL);

        err = err < 0 ? err : code;
        aio_future_unref(tasks[i]);
    }
    bench_stop(clock);
    bench_check(err < 0 || turns.taken == count, "some turns got lost");
    aio_lock_unref(turns.lock);
    return err;
}

static int run_lock_uncontended(struct bench_clock *clock, uint64_t count)
{
    aio_lock *lock = aio_lock_new();
    uint64_t turns = 0;
    int err = 0;

    bench_start(clock);
    for (uint64_t i = 0; i < count && err == 0; i++) {
        err = aio_lock_acquire(lock);
        turns += aio_lock_locked(lock);
        if (err == 0)
            err = aio_lock_release(lock);
    }
    bench_stop(clock);
    bench_check(err < 0 || turns == count, "the lock was not held");
    aio_lock_unref(lock);
    return err;
}

const struct bench bench_lock[] = {
    {.name = "lock_uncontended", .run = run_lock_uncontended, .batch = 1},
    {.name = "lock_100", .run = run_lock_100, .batch = TASKS},
    {.name = NULL},
};
