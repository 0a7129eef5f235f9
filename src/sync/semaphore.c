/* SPDX-License-Identifier: MIT */
/*
 * semaphore.c - a number of units that tasks take and give back
 *
 * A unit given back goes to the first who waits at once: the value does not rise, so nobody
 * can take it before that task runs (S92).
 *
 * Invariants
 *   - value counts the units that are nobody's. It is above 0 while somebody sleeps in line
 *     only until the next in line has run: each who leaves the line hands out what there is.
 *   - A task that waits holds a reference.
 *
 * Thread: the loop's.
 */
#include "sync/waiter.h"

#include <aio/memory.h>
#include <aio/semaphore.h>
#include <limits.h>

struct aio_semaphore {
    size_t refs;
    long value;
    long bound;     /* the most that value may be */
    size_t awake;   /* tasks that were given a unit and have not run since; no longer in line */
    aio_loop *loop; /* of the first who waited; compared only */
    struct aio__list line;
};

static aio_semaphore *semaphore_new(long value, long bound)
{
    aio_semaphore *sem;

    if (value < 0)
        return aio__sync_failed(aio_raise(AIO_EVALUE, "Semaphore initial value must be >= 0"));
    sem = aio_malloc(sizeof(*sem));
    if (sem == NULL)
        return aio__sync_failed(AIO_ENOMEM);
    sem->refs = 1;
    sem->value = value;
    sem->bound = bound;
    sem->awake = 0;
    sem->loop = NULL;
    aio__list_init(&sem->line);
    return sem;
}

aio_semaphore *aio_semaphore_new(long value)
{
    return semaphore_new(value, LONG_MAX);
}

aio_semaphore *aio_bounded_semaphore_new(long value)
{
    return semaphore_new(value, value);
}

aio_semaphore *aio_semaphore_ref(aio_semaphore *sem)
{
    if (sem != NULL)
        sem->refs++;
    return sem;
}

void aio_semaphore_unref(aio_semaphore *sem)
{
    if (sem != NULL && --sem->refs == 0)
        aio_free(sem);
}

bool aio_semaphore_locked(const aio_semaphore *sem)
{
    return sem != NULL && (sem->value == 0 || sem->awake > 0 || !aio__line_is_free(&sem->line));
}

/* Give units, up to all there are, to those who sleep in line. */
static void hand_out(aio_semaphore *sem, long most)
{
    size_t given = aio__line_wake(&sem->line, (size_t)most);

    sem->value -= (long)given;
    sem->awake += given;
}

static int wait_for_unit(aio_semaphore *sem)
{
    struct aio__waiter me;
    int err = aio__waiter_init(&me, &sem->loop, "semaphore");

    if (err < 0)
        return err;
    (void)aio_semaphore_ref(sem);
    err = aio__waiter_sleep(&me, &sem->line);
    if (aio__waiter_was_woken(&me)) {
        sem->awake--;
        if (err < 0)
            sem->value++; /* the unit was ours already */
    }
    /* Who came while units were free has queued behind us; several may be served now (S93). */
    hand_out(sem, sem->value);
    aio__waiter_done(&me);
    aio_semaphore_unref(sem);
    return err;
}

int aio_semaphore_acquire(aio_semaphore *sem)
{
    if (sem == NULL)
        return aio__sync_null();
    if (aio_semaphore_locked(sem))
        return wait_for_unit(sem);
    sem->value--;
    return 0;
}

int aio_semaphore_release(aio_semaphore *sem)
{
    if (sem == NULL)
        return aio__sync_null();
    if (sem->value >= sem->bound)
        return aio_raise(AIO_EVALUE, "Semaphore released too many times");
    sem->value++;
    hand_out(sem, 1);
    return 0;
}

int aio_semaphore_enter(aio_semaphore *sem)
{
    return aio_semaphore_acquire(sem);
}

int aio_semaphore_exit(aio_semaphore *sem, int code)
{
    int err = aio_semaphore_release(sem);

    return err < 0 ? err : code;
}
