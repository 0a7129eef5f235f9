/* SPDX-License-Identifier: MIT */
/*
 * child.h - waiting for one child process
 *
 * For src/process: what the transport of a process embeds.
 */
#ifndef AIO__CHILD_H
#define AIO__CHILD_H

#include "net/net_internal.h"

#include <pthread.h>
#include <sys/types.h>

struct aio__child {
    struct aio__io io; /* of the descriptor that becomes readable when the child ends */
    pid_t pid;
    int pidfd; /* -1: there is none, and a thread waits */
    pthread_t thread;
    int thread_end; /* what the thread closes: it ends when the child does */
    bool over;      /* waited for; code counts */
    int code;       /* the exit code, minus the signal's number, or 255 */
    void (*exited)(struct aio__child *child);
    void (*gone)(struct aio__child *child);
};

/* Tests only: as on a system without pidfd_open(). */
extern bool aio__child_without_pidfd;

/*
 * Begin. When the child has ended it is waited for, `exited` is called on the thread's own stack,
 * and later `gone`, when libuv is done with the watch. 0, or a raised code: the child has then
 * been killed and waited for.
 */
int aio__child_watch(struct aio__child *child, aio_loop *loop, pid_t pid);

/* Kill the child now and wait for it, unless it is over; `exited` is not called, `gone` is. */
void aio__child_end(struct aio__child *child);

/* Send a signal, never to another process that has the same number by now. 0, or a code. */
int aio__child_signal(struct aio__child *child, int signum);

#endif
