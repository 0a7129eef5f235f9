/* SPDX-License-Identifier: MIT */
/*
 * interrupt.c - Ctrl-C for the loop of a runner
 *
 * Python raises KeyboardInterrupt wherever the main thread is; C cannot. The handler counts, and
 * wakes the loop, which looks at the count after each poll. Whoever is stuck in a callback for
 * ever still dies of the third.
 */
#include "loop/loop_internal.h"

#include <aio/error.h>
#include <errno.h>
#include <signal.h>

static _Atomic(aio_loop *) owner;
static _Atomic(unsigned) count;

static struct sigaction former;
static void (*on_first)(void *arg);
static void *on_first_arg;
static unsigned seen; /* by the loop's thread */

static void on_sigint(int signum)
{
    int saved = errno;
    aio_loop *loop = atomic_load(&owner);

    if (atomic_fetch_add(&count, 1) + 1 >= 3) {
        (void)signal(signum, SIG_DFL);
        (void)raise(signum);
    }
    if (loop != NULL)
        (void)uv_async_send(&loop->wakeup);
    errno = saved;
}

bool aio__sigint_take(aio_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct sigaction action = {.sa_handler = on_sigint, .sa_flags = SA_RESTART};

    if (!aio__in_main_thread() || atomic_load(&owner) != NULL ||
        sigaction(SIGINT, NULL, &former) != 0 || former.sa_handler != SIG_DFL)
        return false;
    atomic_store(&count, 0);
    seen = 0;
    on_first = fn;
    on_first_arg = arg;
    atomic_store(&owner, loop);
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, NULL) == 0)
        return true;
    atomic_store(&owner, NULL);
    return false;
}

unsigned aio__sigint_give_back(aio_loop *loop, unsigned *ret_seen)
{
    struct sigaction now;
    struct sigaction ours = {.sa_handler = on_sigint};

    *ret_seen = 0;
    if (atomic_load(&owner) != loop)
        return 0;
    /* Somebody may have set a handler of its own meanwhile: that stays, and when it goes it is
     * not to bring ours back. */
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_sigint)
        (void)sigaction(SIGINT, &former, NULL);
    aio__signals_forget(SIGINT, &ours, &former);
    atomic_store(&owner, NULL);
    *ret_seen = seen;
    return atomic_load(&count);
}

void aio__sigint_check(aio_loop *loop)
{
    unsigned now = atomic_load_explicit(&count, memory_order_relaxed);

    if (now == seen || atomic_load(&owner) != loop)
        return;
    if (seen == 0)
        on_first(on_first_arg);
    if (now >= 2)
        aio__loop_leave(loop, AIO_EKEYBOARDINTERRUPT, NULL);
    seen = now;
}
