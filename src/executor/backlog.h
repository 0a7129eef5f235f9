/* SPDX-License-Identifier: MIT */
/*
 * backlog.h - the jobs of a pool that have not begun, and what the pool has counted
 *
 * For the pools of src/executor: whether they take jobs, and in what order they give them to their
 * workers, is the same for threads and processes. The lock is that of the whole pool.
 *
 * The lock of a future may be taken with this one held, never the other way round. What is
 * cancelled or failed runs callbacks, which may use the pool: that is done without it.
 */
#ifndef AIO__BACKLOG_H
#define AIO__BACKLOG_H

#include "executor/executor_internal.h"

struct aio__backlog {
    pthread_mutex_t lock;
    struct aio__list jobs; /* first in, first out; a reference of each */
    size_t queued;
    size_t running; /* set by the pool, as are: */
    uint64_t submitted, completed, cancelled;
    bool is_shut;
    aio_exception *broken; /* why it can run nothing any more; NULL: it can */
};

int aio__backlog_init(struct aio__backlog *backlog);
void aio__backlog_destroy(struct aio__backlog *backlog);

/* --- with the lock held --- */

/* Whether the pool takes jobs: 0, or what submitting says. */
int aio__backlog_admit(const struct aio__backlog *backlog);
void aio__backlog_add(struct aio__backlog *backlog, aio_job *job);
/* The oldest job, and the reference; NULL: there is none. */
aio_job *aio__backlog_take(struct aio__backlog *backlog);
/* What both kinds of pools know. */
void aio__backlog_count(const struct aio__backlog *backlog, aio_executor_stats *stats);

/* --- without --- */

/* A job was cancelled: let go of it if it is here. */
void aio__backlog_drop(struct aio__backlog *backlog, aio_job *job);
/* Cancel all that is here. */
void aio__backlog_cancel(struct aio__backlog *backlog);
/* Nothing runs here any more, because of an error, which is kept: fail all that is here. */
void aio__backlog_break(struct aio__backlog *backlog, aio_exception *error);

#endif
