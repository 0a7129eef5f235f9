/* SPDX-License-Identifier: MIT */
/*
 * registry.c - every loop of the process, in the order of their making
 *
 * For a debugger (tools/gdb), which has nothing else to begin at: a loop that has not run a task
 * owns no stack, and the list of those would not lead to it. Nothing in the library reads it.
 *
 * Thread: any.
 */
#include "loop/loop_internal.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct aio__list all_loops = AIO__LIST_INIT(all_loops);

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

void aio__loop_register(aio_loop *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, survive_fork);
    lock_now();
    aio__list_append(&all_loops, &loop->registered);
    unlock();
}

void aio__loop_unregister(aio_loop *loop)
{
    lock_now();
    aio__list_remove(&loop->registered);
    unlock();
}
