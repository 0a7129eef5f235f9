/* SPDX-License-Identifier: MIT */
/*
 * graveyard.c - closed loops that libuv cannot let go of yet
 *
 * A job that runs in libuv's pool cannot be stopped, and reports to its uv_loop_t when it ends,
 * which may be long after the loop was closed. Closing does not wait for it: the loop's memory
 * stays here, and goes when the next loop is made or closed after the job's end.
 *
 * Thread: any.
 */
#include "loop/loop_internal.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct aio__list graves = AIO__LIST_INIT(graves);

void aio__graveyard_add(aio_loop *loop)
{
    atomic_fetch_add(&loop->refs, 1);
    pthread_mutex_lock(&lock);
    aio__list_append(&graves, &loop->grave);
    pthread_mutex_unlock(&lock);
}

void aio__graveyard_sweep(void)
{
    pthread_mutex_lock(&lock);
    AIO__LIST_FOREACH (link, &graves) {
        aio_loop *loop = aio__container_of(link, aio_loop, grave);

        if (!aio__loop_bury(loop))
            continue;
        aio__list_remove(link);
        loop->uv = NULL;
        aio__loop_unref_memory(loop);
    }
    pthread_mutex_unlock(&lock);
}
