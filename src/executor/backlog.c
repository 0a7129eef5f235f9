/* SPDX-License-Identifier: MIT */
/*
 * backlog.c - the jobs of a pool that have not begun, and what the pool has counted
 *
 * Thread: any.
 */
#include "executor/backlog.h"

int aio__backlog_init(struct aio__backlog *backlog)
{
    aio__list_init(&backlog->jobs);
    return -pthread_mutex_init(&backlog->lock, NULL);
}

void aio__backlog_destroy(struct aio__backlog *backlog)
{
    aio_exception_unref(backlog->broken);
    (void)pthread_mutex_destroy(&backlog->lock);
}

int aio__backlog_admit(const struct aio__backlog *backlog)
{
    if (backlog->broken != NULL)
        return aio_raise_exception(backlog->broken);
    return backlog->is_shut ? aio__raise_shut_down() : 0;
}

void aio__backlog_add(struct aio__backlog *backlog, aio_job *job)
{
    aio__list_append(&backlog->jobs, &job->link);
    backlog->queued++;
}

aio_job *aio__backlog_take(struct aio__backlog *backlog)
{
    struct aio__list *link = aio__list_first(&backlog->jobs);

    if (link == NULL)
        return NULL;
    aio__list_remove(link);
    backlog->queued--;
    return aio__job_of(link);
}

void aio__backlog_count(const struct aio__backlog *backlog, aio_executor_stats *stats)
{
    stats->queued = backlog->queued;
    stats->running = backlog->running;
    stats->submitted = backlog->submitted;
    stats->completed = backlog->completed;
    stats->cancelled = backlog->cancelled;
}

void aio__backlog_drop(struct aio__backlog *backlog, aio_job *job)
{
    bool was_queued;

    (void)pthread_mutex_lock(&backlog->lock);
    was_queued = !aio__list_empty(&job->link);
    if (was_queued) {
        aio__list_remove(&job->link);
        backlog->queued--;
        backlog->cancelled++;
    }
    (void)pthread_mutex_unlock(&backlog->lock);
    if (was_queued)
        aio_concurrent_future_unref(&job->fut);
}

void aio__backlog_cancel(struct aio__backlog *backlog)
{
    aio_job *job;

    (void)pthread_mutex_lock(&backlog->lock);
    while ((job = aio__backlog_take(backlog)) != NULL) {
        backlog->cancelled++;
        (void)pthread_mutex_unlock(&backlog->lock);
        (void)aio_concurrent_future_cancel(&job->fut);
        aio_concurrent_future_unref(&job->fut);
        (void)pthread_mutex_lock(&backlog->lock);
    }
    (void)pthread_mutex_unlock(&backlog->lock);
}

void aio__backlog_break(struct aio__backlog *backlog, aio_exception *error)
{
    aio_job *job;

    (void)pthread_mutex_lock(&backlog->lock);
    if (backlog->broken == NULL)
        backlog->broken = aio_exception_ref(error);
    while ((job = aio__backlog_take(backlog)) != NULL) {
        backlog->completed++;
        (void)pthread_mutex_unlock(&backlog->lock);
        aio__job_fail(job, error);
        (void)pthread_mutex_lock(&backlog->lock);
    }
    (void)pthread_mutex_unlock(&backlog->lock);
}
