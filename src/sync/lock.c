/* SPDX-License-Identifier: MIT */
/*
 * lock.c - a lock for tasks, handed over in the order of asking
 *
 * Invariants
 *   - While it is not locked and somebody is in line, the first in line is awake or
 *     cancelled: on its way to take the lock, or to pass the turn on.
 *   - Nobody takes the lock past a waiter that is asleep or awake (S90).
 *   - A task that waits holds a reference.
 *
 * Thread: the loop's.
 */
#include "sync/waiter.h"

#include <aio/lock.h>
#include <aio/memory.h>

struct aio_lock {
    size_t refs;
    bool locked;
    aio_loop *loop; /* of the first who waited; compared only */
    struct aio__list line;
};

aio_lock *aio_lock_new(void)
{
    aio_lock *lock = aio_malloc(sizeof(*lock));

    if (lock == NULL)
        return aio__sync_failed(AIO_ENOMEM);
    lock->refs = 1;
    lock->locked = false;
    lock->loop = NULL;
    aio__list_init(&lock->line);
    return lock;
}

aio_lock *aio_lock_ref(aio_lock *lock)
{
    if (lock != NULL)
        lock->refs++;
    return lock;
}

void aio_lock_unref(aio_lock *lock)
{
    if (lock != NULL && --lock->refs == 0)
        aio_free(lock);
}

/* The first in line shall run. If it is done it will anyway, and sees to the next if it must. */
static void wake_first(aio_lock *lock)
{
    struct aio__list *first = aio__list_first(&lock->line);

    if (first != NULL)
        (void)aio__waiter_wake(aio__waiter_of(first));
}

static int wait_for_turn(aio_lock *lock)
{
    struct aio__waiter me;
    int err = aio__waiter_init(&me, &lock->loop, "lock");

    if (err < 0)
        return err;
    (void)aio_lock_ref(lock);
    err = aio__waiter_sleep(&me, &lock->line);
    if (err == 0)
        lock->locked = true;
    else if (!lock->locked)
        /* The turn may have been ours. Pass it on, or the lock stays free with tasks asleep
         * on it (S91). */
        wake_first(lock);
    aio__waiter_done(&me);
    aio_lock_unref(lock);
    return err;
}

int aio_lock_acquire(aio_lock *lock)
{
    if (lock == NULL)
        return aio__sync_null();
    if (lock->locked || !aio__line_is_free(&lock->line))
        return wait_for_turn(lock);
    lock->locked = true;
    return 0;
}

int aio_lock_release(aio_lock *lock)
{
    if (lock == NULL)
        return aio__sync_null();
    if (!lock->locked)
        return aio_raise(AIO_ERUNTIME, "Lock is not acquired.");
    lock->locked = false;
    wake_first(lock);
    return 0;
}

bool aio_lock_locked(const aio_lock *lock)
{
    return lock != NULL && lock->locked;
}

int aio_lock_enter(aio_lock *lock)
{
    return aio_lock_acquire(lock);
}

int aio_lock_exit(aio_lock *lock, int code)
{
    int err = aio_lock_release(lock);

    return err < 0 ? err : code;
}
