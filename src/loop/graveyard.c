/* SPDX-License-Identifier: MIT */
/*
 * graveyard.c - closed loops that libuv cannot let go of yet
 *
 * A job that runs in libuv's pool cannot be stopped, and reports to its uv_loop_t when it ends,
 * which may be long after the loop was closed. Closing does not wait for it: the loop's memory
 * stays here, and goes when the next loop is made or closed after the job's end.
 *
 * What a job gave goes then as well, by the program's own destructor: it may make loops and close
 * them, take its time, and fork. So the lock is for the list alone, and who sweeps has the loops
 * to itself.
 *
 * A child after fork() leaves its parent's alone: no thread of its ends their jobs, and to look
 * would take the news of that from the parent.
 *
 * Thread: any.
 */
#include "loop/loop_internal.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct aio__list graves = AIO__LIST_INIT(graves);

static void lock_now(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* A child forked while another thread holds the lock would wait for it for ever. */
static void survive_fork(void)
{
    (void)pthread_atfork(lock_now, unlock, unlock);
}

static void move_all(struct aio__list *list, struct aio__list *from)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, survive_fork);
    lock_now();
    aio__list_append_all(list, from);
    unlock();
}

void aio__graveyard_add(aio_loop *loop)
{
    struct aio__list one = AIO__LIST_INIT(one);

    atomic_fetch_add(&loop->refs, 1);
    aio__list_append(&one, &loop->grave);
    move_all(&graves, &one);
}

void aio__graveyard_sweep(void)
{
    struct aio__list taken = AIO__LIST_INIT(taken);

    move_all(&taken, &graves);
    AIO__LIST_FOREACH (link, &taken) {
        aio_loop *loop = aio__container_of(link, aio_loop, grave);

        if (aio__loop_is_from_before_fork(loop) || !aio__loop_bury(loop))
            continue;
        aio__list_remove(link);
        loop->uv = NULL;
        aio__loop_unref_memory(loop);
    }
    move_all(&graves, &taken);
}
