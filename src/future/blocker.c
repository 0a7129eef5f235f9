/* SPDX-License-Identifier: MIT */
/*
 * blocker.c - threads that are blocked until concurrent futures are done
 *
 * A blocked thread has a place in the list of each future it watches. The one that finishes a
 * future tells all in its list, with the future's lock held: once a thread has taken its place
 * back under that lock, nobody touches it any more.
 *
 * Thread: any; a blocker belongs to the thread that is blocked.
 */
#include "future/concurrent_internal.h"

#include <math.h>
#include <time.h>

int aio__blocker_init(struct aio__blocker *blocker,
                      bool (*done)(struct aio__blocker *blocker, aio_concurrent_future *fut))
{
    pthread_condattr_t attr;
    int err = pthread_mutex_init(&blocker->lock, NULL);

    if (err != 0)
        return -err;
    err = pthread_condattr_init(&attr);
    if (err == 0) {
        (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        err = pthread_cond_init(&blocker->wake, &attr);
        (void)pthread_condattr_destroy(&attr);
    }
    if (err != 0) {
        (void)pthread_mutex_destroy(&blocker->lock);
        return -err;
    }
    blocker->is_woken = false;
    blocker->done = done;
    return 0;
}

void aio__blocker_destroy(struct aio__blocker *blocker)
{
    (void)pthread_cond_destroy(&blocker->wake);
    (void)pthread_mutex_destroy(&blocker->lock);
}

void aio__blocker_watch(struct aio__blocker *blocker, struct aio__blocker_link *link,
                        aio_concurrent_future *fut)
{
    link->blocker = blocker;
    aio__list_init(&link->link);
    (void)pthread_mutex_lock(&fut->lock);
    if (!aio_concurrent_future_done(fut)) {
        aio__list_append(&fut->blockers, &link->link);
    } else {
        (void)pthread_mutex_lock(&blocker->lock);
        if (blocker->done(blocker, fut))
            blocker->is_woken = true;
        (void)pthread_mutex_unlock(&blocker->lock);
    }
    (void)pthread_mutex_unlock(&fut->lock);
}

void aio__blocker_forget(struct aio__blocker_link *link, aio_concurrent_future *fut)
{
    (void)pthread_mutex_lock(&fut->lock);
    aio__list_remove(&link->link);
    (void)pthread_mutex_unlock(&fut->lock);
}

bool aio__blocker_wait(struct aio__blocker *blocker, const struct timespec *deadline)
{
    int err = 0;

    while (!blocker->is_woken && err == 0)
        err = deadline == NULL ? pthread_cond_wait(&blocker->wake, &blocker->lock)
                               : pthread_cond_timedwait(&blocker->wake, &blocker->lock, deadline);
    if (!blocker->is_woken)
        return false;
    blocker->is_woken = false;
    return true;
}

bool aio__monotonic_deadline(double timeout, struct timespec *ret_deadline)
{
    const long second = 1000000000;
    struct timespec now;
    double whole;

    if (timeout >= 1e9) /* thirty years: in a time_t of whatever size there is room for that */
        return false;
    if (timeout < 0)
        timeout = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    whole = floor(timeout);
    now.tv_sec += (time_t)whole;
    now.tv_nsec += (long)ceil((timeout - whole) * 1e9);
    now.tv_sec += now.tv_nsec / second;
    now.tv_nsec %= second;
    *ret_deadline = now;
    return true;
}
