/* SPDX-License-Identifier: MIT */
/*
 * condition.c - waiting, under a lock, for something to become true
 *
 * Waiting takes three steps: let go of the lock, sleep, take the lock back. What can fail for
 * want of memory or of a task fails before the first. The last is done whatever happens, so
 * that who leaves a wait by an error holds the lock as who leaves it without one (S96).
 *
 * Thread: the loop's.
 */
#include "sync/waiter.h"

#include <aio/condition.h>
#include <aio/memory.h>
#include <aio/task.h>

struct aio_condition {
    size_t refs;    /* a task that waits holds one */
    aio_lock *lock; /* owned */
    aio_loop *loop; /* of the first who waited; compared only */
    struct aio__list line;
};

aio_condition *aio_condition_new_with(aio_lock *lock)
{
    aio_condition *cond;

    if (lock == NULL)
        return aio__sync_failed(aio__sync_null());
    cond = aio_malloc(sizeof(*cond));
    if (cond == NULL)
        return aio__sync_failed(AIO_ENOMEM);
    cond->refs = 1;
    cond->lock = aio_lock_ref(lock);
    cond->loop = NULL;
    aio__list_init(&cond->line);
    return cond;
}

aio_condition *aio_condition_new(void)
{
    aio_lock *lock = aio_lock_new();
    aio_condition *cond = aio_condition_new_with(lock);

    aio_lock_unref(lock);
    return cond;
}

aio_condition *aio_condition_ref(aio_condition *cond)
{
    if (cond != NULL)
        cond->refs++;
    return cond;
}

void aio_condition_unref(aio_condition *cond)
{
    if (cond == NULL || --cond->refs != 0)
        return;
    aio_lock_unref(cond->lock);
    aio_free(cond);
}

aio_lock *aio_condition_lock(const aio_condition *cond)
{
    return cond == NULL ? NULL : cond->lock;
}

int aio_condition_acquire(aio_condition *cond)
{
    return aio_lock_acquire(aio_condition_lock(cond));
}

int aio_condition_release(aio_condition *cond)
{
    return aio_lock_release(aio_condition_lock(cond));
}

bool aio_condition_locked(const aio_condition *cond)
{
    return aio_lock_locked(aio_condition_lock(cond));
}

int aio_condition_enter(aio_condition *cond)
{
    return aio_lock_enter(aio_condition_lock(cond));
}

int aio_condition_exit(aio_condition *cond, int code)
{
    return aio_lock_exit(aio_condition_lock(cond), code);
}

/*
 * Take the lock back. Gives the code to leave with: of the last cancellation that came
 * meanwhile, or else `code`, whose exception object travels on with it.
 */
static int take_back(aio_lock *lock, int code)
{
    int err;

    while ((err = aio_lock_acquire(lock)) < 0) {
        /* Short of memory to stand in line with, look in once an iteration: the lock has to
         * be had, even if that is not fair. */
        if (err == AIO_ENOMEM)
            err = aio_sleep(0);
        if (err == 0)
            continue;
        code = err;
        if (code != AIO_ECANCELLED)
            break; /* the loop is being closed: waiting is over for good */
    }
    return code;
}

int aio_condition_wait(aio_condition *cond)
{
    struct aio__waiter me;
    int err;

    if (cond == NULL)
        return aio__sync_null();
    if (!aio_lock_locked(cond->lock))
        return aio_raise(AIO_ERUNTIME, "cannot wait on un-acquired lock");
    err = aio__waiter_init(&me, &cond->loop, "condition");
    if (err < 0)
        return err;

    (void)aio_condition_ref(cond);
    (void)aio_lock_release(cond->lock);
    err = aio__waiter_sleep(&me, &cond->line);
    err = take_back(cond->lock, err);
    if (err < 0)
        /* A notification may have been spent on us: let another have it. To wake one
         * without need is allowed, to lose one is not (S97). */
        (void)aio__line_wake(&cond->line, 1);
    aio__waiter_done(&me);
    aio_condition_unref(cond);
    return err;
}

int aio_condition_wait_for(aio_condition *cond, aio_predicate_fn predicate, void *arg)
{
    int err;

    if (cond == NULL)
        return aio__sync_null();
    if (predicate == NULL)
        return aio_raise(AIO_EVALUE, "a predicate is needed");
    while ((err = predicate(arg)) == 0) {
        err = aio_condition_wait(cond);
        if (err < 0)
            return err;
    }
    return err < 0 ? err : 0;
}

int aio_condition_notify(aio_condition *cond, size_t count)
{
    if (cond == NULL)
        return aio__sync_null();
    if (!aio_lock_locked(cond->lock))
        return aio_raise(AIO_ERUNTIME, "cannot notify on un-acquired lock");
    (void)aio__line_wake(&cond->line, count);
    return 0;
}

int aio_condition_notify_all(aio_condition *cond)
{
    return aio_condition_notify(cond, SIZE_MAX);
}
