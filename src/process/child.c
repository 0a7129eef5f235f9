/* SPDX-License-Identifier: MIT */
/*
 * child.c - waiting for one child process
 *
 * A descriptor of the process (pidfd) becomes readable when it ends. Without one, a thread waits
 * and then closes its end of a pipe, whose other end becomes readable just so. It does not take
 * the status: the loop's thread does, in both cases, so that nobody else's number is ever killed.
 *
 * SIGCHLD is left to the program, and so are its other children (S161).
 */
#include "process/child.h"

#include "base/log.h"
#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAKEN_BY_OTHERS = 255 };

bool aio__child_without_pidfd;

int aio_waitstatus_to_exitcode(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : status;
}

/* Wait for a process of ours: false if it has not ended. */
static bool take_status(struct aio__child *child, int options)
{
    int status;
    pid_t pid;

    do
        pid = waitpid(child->pid, &status, options);
    while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return false;
    child->over = true;
    if (pid > 0) {
        child->code = aio_waitstatus_to_exitcode(status);
    } else {
        child->code = TAKEN_BY_OTHERS;
        aio__log(AIO_LOG_WARNING, "Unknown child process pid %d, will report returncode 255",
                 (int)child->pid);
    }
    return true;
}

static void on_io_gone(struct aio__io *io)
{
    struct aio__child *child = aio__container_of(io, struct aio__child, io);

    child->gone(child);
}

/* It is over: the thread has nothing more to wait for, if there is one. */
static void stop_watching(struct aio__child *child)
{
    int fd = child->io.fd;

    if (child->pidfd < 0)
        (void)pthread_join(child->thread, NULL);
    child->pidfd = -1;
    aio__io_close(&child->io, on_io_gone);
    close(fd);
}

static void on_ready(struct aio__io *io, int events)
{
    struct aio__child *child = aio__container_of(io, struct aio__child, io);

    /* A thread is woken by the end of a child that another has taken, too. */
    if (!take_status(child, WNOHANG))
        return;
    stop_watching(child);
    child->exited(child);
}

/* --- where there is no descriptor of a process -------------------------------------------- */

static void *wait_in_thread(void *arg)
{
    struct aio__child *child = arg;
    siginfo_t info;

    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
    close(child->thread_end);
    return NULL;
}

/* With the signals of the program blocked: they are for its own threads. */
static int start_thread(struct aio__child *child)
{
    sigset_t all;
    sigset_t before;
    int err;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&child->thread, NULL, wait_in_thread, child);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

/* Kill a child that is not watched, and wait for it. */
static void kill_now(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static int watch_by_thread(struct aio__child *child, aio_loop *loop)
{
    int ends[2];
    int err;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    child->pidfd = -1;
    child->thread_end = ends[1];
    err = start_thread(child);
    if (err < 0) {
        close(ends[0]);
        close(ends[1]);
        return err;
    }
    err = aio__io_init(&child->io, loop, ends[0], on_ready);
    if (err < 0) {
        kill_now(child->pid); /* for the thread to come back */
        (void)pthread_join(child->thread, NULL);
        close(ends[0]);
    }
    return err;
}

/* --- watching ----------------------------------------------------------------------------- */

static int watch_by_pidfd(struct aio__child *child, aio_loop *loop)
{
    int pidfd = aio__child_without_pidfd ? -1 : (int)syscall(SYS_pidfd_open, child->pid, 0);
    int err;

    if (pidfd < 0)
        return watch_by_thread(child, loop);
    err = aio__io_init(&child->io, loop, pidfd, on_ready);
    if (err < 0) {
        close(pidfd);
        return err;
    }
    child->pidfd = pidfd;
    return 0;
}

int aio__child_watch(struct aio__child *child, aio_loop *loop, pid_t pid)
{
    int err;

    child->pid = pid;
    err = watch_by_pidfd(child, loop);
    if (err < 0) {
        kill_now(pid);
        return aio_raise(err, "%s", aio_strerror(err));
    }
    aio__io_want(&child->io, AIO__READABLE);
    return 0;
}

void aio__child_end(struct aio__child *child)
{
    if (child->over)
        return;
    (void)aio__child_signal(child, SIGKILL);
    (void)take_status(child, 0);
    stop_watching(child);
}

/* A number stays the child's until it has been waited for, which is ours to do. */
int aio__child_signal(struct aio__child *child, int signum)
{
    long err;

    if (child->over)
        return 0;
    err = child->pidfd >= 0 ? syscall(SYS_pidfd_send_signal, child->pidfd, signum, NULL, 0)
                            : kill(child->pid, signum);
    if (err == 0 || errno == ESRCH)
        return 0;
    return aio_raise(-errno, "%s", aio_strerror(-errno));
}
