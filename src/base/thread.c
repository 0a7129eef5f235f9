/* SPDX-License-Identifier: MIT */
/*
 * thread.c - the thread-local structure, and its end
 *
 * The key that brings the destructor is made at the first error raised, or variable set,
 * outside a task, not when the library is loaded: a program that never does so pays nothing.
 *
 * Thread: any; each touches its own structure only.
 */
#include "base/thread.h"

#include "base/context.h"

#include <aio/error.h>
#include <pthread.h>

_Thread_local struct aio__thread aio__thread_self;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

AIO__NOINLINE struct aio__thread *aio__thread_after_switch(void)
{
    /* Not a constant to the optimiser, so that no caller's copy replaces the call. */
    __asm__ volatile("");
    return &aio__thread_self;
}

/*
 * Runs in the ending thread. A destructor that runs later, another key's or that of a
 * context variable's value, may raise or set variables again; ends_clean is false then,
 * so the key is set anew and this comes once more.
 */
static void end_thread(void *arg)
{
    struct aio__thread *thread = arg;
    aio_exception *error = thread->own_error;
    aio__ctx context = thread->own_context;

    thread->own_error = NULL;
    thread->own_context.bits = 0;
    thread->ends_clean = false;
    aio_exception_unref(error);
    aio__ctx_release(context);
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, end_thread) == 0;
}

bool aio__thread_ends_clean(struct aio__thread *thread)
{
    if (!thread->ends_clean)
        thread->ends_clean = pthread_once(&key_once, make_key) == 0 && key_made &&
                             pthread_setspecific(key, thread) == 0;
    return thread->ends_clean;
}
