/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - a place where a number of tasks meet before any goes on
 *
 * A state under a condition: who comes waits for the state to let it in, then for the state
 * to let it go; each change of state notifies all. Tasks take the condition's lock one after
 * the other, which is what puts their ways out in order.
 *
 * Invariants, while nobody is inside the lock
 *   - count tasks are in the barrier: waiting for the others, or on their way out.
 *   - DRAINING and RESETTING end with the last of them: count is not 0 there.
 *
 * Thread: the loop's.
 */
#include "sync/waiter.h"

#include <aio/barrier.h>
#include <aio/condition.h>
#include <aio/memory.h>

enum barrier_state {
    FILLING,   /* who comes waits for the rest */
    DRAINING,  /* all are here and leave; who comes stays outside */
    RESETTING, /* those inside leave with an error; who comes stays outside */
    BROKEN,    /* those inside, and who comes, leave with an error */
};

struct aio_barrier {
    size_t refs; /* a task that waits holds one */
    aio_condition *cond;
    enum barrier_state state;
    size_t parties;
    size_t count;
};

aio_barrier *aio_barrier_new(long parties)
{
    aio_barrier *barrier;

    if (parties < 1)
        return aio__sync_failed(aio_raise(AIO_EVALUE, "parties must be >= 1"));
    barrier = aio_malloc(sizeof(*barrier));
    if (barrier == NULL)
        return aio__sync_failed(AIO_ENOMEM);
    barrier->cond = aio_condition_new();
    if (barrier->cond == NULL)
        goto free_barrier;
    barrier->refs = 1;
    barrier->state = FILLING;
    barrier->parties = (size_t)parties;
    barrier->count = 0;
    return barrier;

free_barrier:
    aio_free(barrier);
    return NULL;
}

aio_barrier *aio_barrier_ref(aio_barrier *barrier)
{
    if (barrier != NULL)
        barrier->refs++;
    return barrier;
}

void aio_barrier_unref(aio_barrier *barrier)
{
    if (barrier == NULL || --barrier->refs != 0)
        return;
    aio_condition_unref(barrier->cond);
    aio_free(barrier);
}

static int lets_in(void *arg)
{
    const aio_barrier *barrier = arg;

    return barrier->state != DRAINING && barrier->state != RESETTING;
}

static int lets_go(void *arg)
{
    const aio_barrier *barrier = arg;

    return barrier->state != FILLING;
}

/* Be one of the parties until they are complete, or the wait is given up. */
static int meet(aio_barrier *barrier)
{
    int err;

    if (barrier->count == barrier->parties) {
        barrier->state = DRAINING;
        return aio_condition_notify_all(barrier->cond);
    }
    err = aio_condition_wait_for(barrier->cond, lets_go, barrier);
    if (err < 0)
        return err;
    if (barrier->state == BROKEN || barrier->state == RESETTING)
        return aio_raise(AIO_EBROKENBARRIER, "Abort or reset of barrier");
    return 0;
}

/* The last one out opens the barrier for those who stay outside. */
static void leave(aio_barrier *barrier)
{
    if (--barrier->count > 0)
        return;
    if (barrier->state == RESETTING || barrier->state == DRAINING)
        barrier->state = FILLING;
    (void)aio_condition_notify_all(barrier->cond);
}

/* With the lock held. */
static int pass(aio_barrier *barrier, size_t *ret_index)
{
    size_t index;
    int err = aio_condition_wait_for(barrier->cond, lets_in, barrier);

    if (err < 0)
        return err;
    if (barrier->state == BROKEN)
        return aio_raise(AIO_EBROKENBARRIER, "Barrier aborted");
    index = barrier->count++;
    err = meet(barrier);
    leave(barrier);
    if (err == 0 && ret_index != NULL)
        *ret_index = index;
    return err;
}

int aio_barrier_wait(aio_barrier *barrier, size_t *ret_index)
{
    int err;

    if (barrier == NULL)
        return aio__sync_null();
    (void)aio_barrier_ref(barrier);
    err = aio_condition_enter(barrier->cond);
    if (err == 0)
        err = aio_condition_exit(barrier->cond, pass(barrier, ret_index));
    aio_barrier_unref(barrier);
    return err;
}

/* Change the state under the lock, and tell all. */
static int change(aio_barrier *barrier, void (*to)(aio_barrier *barrier))
{
    int err;

    if (barrier == NULL)
        return aio__sync_null();
    (void)aio_barrier_ref(barrier);
    err = aio_condition_enter(barrier->cond);
    if (err == 0) {
        to(barrier);
        err = aio_condition_exit(barrier->cond, aio_condition_notify_all(barrier->cond));
    }
    aio_barrier_unref(barrier);
    return err;
}

static void empty(aio_barrier *barrier)
{
    barrier->state = barrier->count > 0 ? RESETTING : FILLING;
}

static void shatter(aio_barrier *barrier)
{
    barrier->state = BROKEN;
}

int aio_barrier_reset(aio_barrier *barrier)
{
    return change(barrier, empty);
}

int aio_barrier_abort(aio_barrier *barrier)
{
    return change(barrier, shatter);
}

size_t aio_barrier_parties(const aio_barrier *barrier)
{
    return barrier == NULL ? 0 : barrier->parties;
}

size_t aio_barrier_n_waiting(const aio_barrier *barrier)
{
    return barrier != NULL && barrier->state == FILLING ? barrier->count : 0;
}

bool aio_barrier_broken(const aio_barrier *barrier)
{
    return barrier != NULL && barrier->state == BROKEN;
}

int aio_barrier_enter(aio_barrier *barrier, size_t *ret_index)
{
    return aio_barrier_wait(barrier, ret_index);
}

int aio_barrier_exit(aio_barrier *barrier, int code)
{
    return barrier == NULL ? aio__sync_null() : code;
}
