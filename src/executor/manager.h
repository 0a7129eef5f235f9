/* SPDX-License-Identifier: MIT */
/*
 * manager.h - a process pool, and the thread that manages its workers
 *
 * For process_pool.c, the side of those who submit jobs, and manager.c, that of the thread.
 */
#ifndef AIO__MANAGER_H
#define AIO__MANAGER_H

#include "executor/backlog.h"
#include "executor/worker.h"

#include <aio/process_pool.h>

struct aio__process_pool {
    aio_executor executor;
    unsigned generation;         /* of the process that has the manager and the workers */
    struct aio__backlog backlog; /* and the lock, which protects this as well: */
    aio_job *first;              /* claimed when the manager was started; NULL: none, or taken */
    struct aio__list workers;    /* struct worker of manager.c */
    size_t worker_count;
    size_t idle_count;
    pthread_cond_t changed; /* the manager is over */
    pthread_t manager;
    bool has_manager;
    bool is_over; /* the manager is */
    bool is_joined;
    bool is_orphaned; /* nobody has the pool any more: the manager frees it */
    bool wants_wake;  /* the manager would not see what comes now */

    /* constant */
    size_t max_workers;
    size_t max_tasks; /* of a worker; 0: no limit */
    int wake_fd;      /* an eventfd: for the manager to look */
    int epoll_fd;
    char *program;    /* that workers run; owned */
    const char *name; /* that they are called as */
    sigset_t mask;    /* signals that they have blocked: those of who started the manager */
    struct aio__request initialize;
    void *initarg; /* its bytes; owned */
};

bool aio__is_process_pool(const aio_executor *executor);

/* The thread: an aio__process_pool. */
void *aio__manage(void *arg);

/* Milliseconds in which a worker has to begin; tests make them few. */
extern int aio__worker_start_limit;

/* There is something for the manager to see; with the lock held. */
void aio__manager_wake(struct aio__process_pool *pool);

/* A signal to each worker; with the lock held. */
void aio__manager_signal(struct aio__process_pool *pool, int signum);

/* All is over: free a pool. */
void aio__process_pool_free(struct aio__process_pool *pool);

#endif
