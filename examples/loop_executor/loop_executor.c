/* SPDX-License-Identifier: MIT */
/*
 * loop_executor.c - an executor that runs its jobs in the thread of a loop
 *
 * All that an executor has to do is in the five functions of `ops`. What a job is, how its future
 * is claimed, finished and cancelled, and how tasks of other loops wait for it, is the library's.
 *
 * Jobs wait in a list of ours, and each one that is submitted calls the loop once, which takes the
 * first of the list. Jobs that were cancelled are found by that: aio_job_run() lets go of them.
 */
#include "loop_executor.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct waiting {
    struct waiting *next;
    aio_job *job;
};

struct loop_executor {
    aio_executor base; /* first */
    aio_loop *loop;
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    struct waiting *first;
    struct waiting **end;
    bool is_shut;
    bool is_over; /* the loop has stopped */
    bool is_joined;
    aio_executor_stats stats;
};

static struct loop_executor *self_of(aio_executor *executor)
{
    return (struct loop_executor *)executor;
}

/* --- in the loop's thread --- */

static struct waiting *take(struct loop_executor *self)
{
    struct waiting *waiting = self->first;

    if (waiting == NULL)
        return NULL;
    self->first = waiting->next;
    if (self->first == NULL)
        self->end = &self->first;
    self->stats.queued--;
    return waiting;
}

/* Stop the loop when there will be no more jobs; with the lock held. */
static void stop_if_done(struct loop_executor *self)
{
    if (self->is_shut && self->first == NULL && self->stats.running == 0)
        aio_loop_stop(self->loop);
}

static int run_next(void *arg)
{
    struct loop_executor *self = arg;
    struct waiting *waiting;
    bool was_cancelled;

    (void)pthread_mutex_lock(&self->lock);
    waiting = take(self);
    self->stats.running += waiting != NULL;
    (void)pthread_mutex_unlock(&self->lock);

    if (waiting != NULL) {
        was_cancelled = aio_concurrent_future_cancelled(aio_job_future(waiting->job));
        aio_job_run(waiting->job);
        free(waiting);
        (void)pthread_mutex_lock(&self->lock);
        self->stats.running--;
        self->stats.completed += !was_cancelled;
        self->stats.cancelled += was_cancelled;
        (void)pthread_mutex_unlock(&self->lock);
    }

    (void)pthread_mutex_lock(&self->lock);
    stop_if_done(self);
    (void)pthread_mutex_unlock(&self->lock);
    return 0;
}

static void *run_loop(void *arg)
{
    struct loop_executor *self = arg;

    (void)aio_loop_run_forever(self->loop);
    (void)aio_loop_close(self->loop);
    (void)pthread_mutex_lock(&self->lock);
    self->is_over = true;
    (void)pthread_cond_broadcast(&self->changed);
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- what an executor can do --- */

static int submit(aio_executor *executor, aio_job *job)
{
    struct loop_executor *self = self_of(executor);
    struct waiting *waiting = malloc(sizeof(*waiting));
    int err = 0;

    if (waiting == NULL)
        return AIO_ENOMEM;
    *waiting = (struct waiting){.job = job};
    (void)pthread_mutex_lock(&self->lock);
    if (self->is_shut)
        err = aio_raise(AIO_ERUNTIME, "cannot schedule new futures after shutdown");
    else
        err = aio_loop_call_soon_threadsafe(self->loop, run_next, self, NULL);
    if (err == 0) {
        *self->end = waiting;
        self->end = &waiting->next;
        self->stats.queued++;
        self->stats.submitted++;
    }
    (void)pthread_mutex_unlock(&self->lock);
    if (err < 0)
        free(waiting);
    return err;
}

/* Callbacks of what is cancelled may use the executor, so the lock is not held for that. */
static void cancel_waiting(struct loop_executor *self)
{
    struct waiting *waiting;

    (void)pthread_mutex_lock(&self->lock);
    while ((waiting = take(self)) != NULL) {
        self->stats.cancelled++;
        (void)pthread_mutex_unlock(&self->lock);
        (void)aio_concurrent_future_cancel(aio_job_future(waiting->job));
        aio_job_run(waiting->job); /* lets go of it */
        free(waiting);
        (void)pthread_mutex_lock(&self->lock);
    }
    (void)pthread_mutex_unlock(&self->lock);
}

/* With the lock held. */
static int wait_until_over(struct loop_executor *self, double timeout)
{
    struct timespec until;
    int err = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout < 1e9) {
        until.tv_sec += (time_t)timeout;
        until.tv_nsec += (long)((timeout - floor(timeout)) * 1e9);
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
    }
    while (!self->is_over && err == 0)
        err = timeout < 1e9 ? pthread_cond_timedwait(&self->changed, &self->lock, &until)
                            : pthread_cond_wait(&self->changed, &self->lock);
    return self->is_over ? 0 : AIO_ETIMEDOUT;
}

static int shut_down(aio_executor *executor, double timeout, bool cancel_futures)
{
    struct loop_executor *self = self_of(executor);
    bool joins = false;
    int err = 0;

    if (cancel_futures)
        cancel_waiting(self);
    (void)pthread_mutex_lock(&self->lock);
    if (!self->is_shut) {
        self->is_shut = true;
        /* Without memory for the call the loop stops behind the next job that runs. */
        err = aio_loop_call_soon_threadsafe(self->loop, run_next, self, NULL);
    }
    if (err == 0 && timeout > 0 && pthread_equal(self->thread, pthread_self()))
        err = aio_raise(AIO_ERUNTIME, "a job cannot wait for the end of its own executor");
    else if (err == 0 && timeout > 0)
        err = wait_until_over(self, timeout);
    if (self->is_over && !self->is_joined)
        self->is_joined = joins = true;
    (void)pthread_mutex_unlock(&self->lock);
    if (joins)
        (void)pthread_join(self->thread, NULL);
    return err;
}

static void count(aio_executor *executor, aio_executor_stats *ret_stats)
{
    struct loop_executor *self = self_of(executor);

    (void)pthread_mutex_lock(&self->lock);
    *ret_stats = self->stats;
    ret_stats->max_workers = ret_stats->workers = !self->is_over;
    ret_stats->idle = ret_stats->workers - (ret_stats->running != 0);
    (void)pthread_mutex_unlock(&self->lock);
}

static void free_self(struct loop_executor *self)
{
    aio_loop_unref(self->loop);
    (void)pthread_cond_destroy(&self->changed);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

/* It was shut down and waited for: this is what its users promise. */
static void destroy(aio_executor *executor)
{
    free_self(self_of(executor));
}

static const aio_executor_ops ops = {
    .size = sizeof(aio_executor_ops),
    .name = "LoopExecutor",
    .submit = submit,
    .shutdown = shut_down,
    .stats = count,
    .destroy = destroy,
};

/* --- making one --- */

static struct loop_executor *alloc_self(void)
{
    struct loop_executor *self = calloc(1, sizeof(*self));
    pthread_condattr_t attr;

    if (self == NULL)
        return NULL;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&self->lock, NULL);
    self->end = &self->first;
    self->stats = (aio_executor_stats)AIO_EXECUTOR_STATS_INIT;
    aio_executor_init(&self->base, &ops);
    return self;
}

aio_executor *loop_executor_new(void)
{
    struct loop_executor *self = alloc_self();

    if (self == NULL)
        return NULL;
    self->loop = aio_new_event_loop();
    if (self->loop == NULL || pthread_create(&self->thread, NULL, run_loop, self) != 0) {
        if (self->loop != NULL)
            (void)aio_loop_close(self->loop);
        free_self(self);
        return NULL;
    }
    return &self->base;
}

aio_loop *loop_executor_loop(aio_executor *executor)
{
    return self_of(executor)->loop;
}
