/* SPDX-License-Identifier: MIT */
/*
 * sigpipe.h - writing without SIGPIPE where no flag keeps it away
 *
 * For src/net. What the signal does is the program's to choose: it is held back for this thread,
 * and taken if it was ours.
 */
#ifndef AIO__SIGPIPE_H
#define AIO__SIGPIPE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct aio__sigpipe {
    sigset_t alone;
    sigset_t before;
    bool was_pending;
};

static inline void aio__sigpipe_hold(struct aio__sigpipe *hold)
{
    sigset_t pending;

    (void)sigemptyset(&hold->alone);
    (void)sigaddset(&hold->alone, SIGPIPE);
    (void)sigpending(&pending);
    hold->was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &hold->alone, &hold->before);
}

/* What was tried gave `done`; errno stays as it is. */
static inline void aio__sigpipe_release(const struct aio__sigpipe *hold, ssize_t done)
{
    static const struct timespec at_once;
    int error = errno;

    if (done < 0 && error == EPIPE && !hold->was_pending)
        while (sigtimedwait(&hold->alone, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
    errno = error;
}

#endif
