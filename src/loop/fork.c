/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a child process does not run its parent's loops
 *
 * After fork() the child shares the parent's epoll instance and timerfd: whatever it did with them
 * would be done to the parent. So it forgets what was running (S13), and a loop from before
 * refuses to run; it can be closed, which lets go of the child's copies only. Signals do what they
 * did before there were handlers of ours. Executors look at the generation too: their threads
 * stayed behind.
 */
#include "loop/loop_internal.h"

#include <aio/error.h>
#include <pthread.h>

unsigned aio__forks;

static void in_child(void)
{
    struct aio__thread *thread = aio__thread();

    aio__forks++;
    aio__signals_in_child();
    thread->running = NULL;
    thread->event_loop = NULL;
    thread->error_slot = NULL;
    thread->context = NULL;
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

unsigned aio__process_generation(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, watch_forks);
    return aio__forks;
}

void aio__loop_note_process(aio_loop *loop)
{
    loop->generation = aio__process_generation();
}

int aio__loop_check_process(const aio_loop *loop)
{
    if (!aio__loop_is_from_before_fork(loop))
        return 0;
    return aio_raise(AIO_ERUNTIME, "This event loop was made before fork(), in the parent");
}
