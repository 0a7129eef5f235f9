/* SPDX-License-Identifier: MIT */
/*
 * worker_process.c - worker processes, as their pool sees them
 *
 * posix_spawn() starts them, which is safe in a program with threads: nothing of ours runs in the
 * child before exec. It inherits standard output and error, and its end of the socket; what else is
 * open, whether marked to be closed or not, stays here.
 *
 * Thread: the pool's manager.
 */
#include "base/error.h"
#include "executor/worker.h"

#include <aio/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool aio__worker_without_pidfd;

/* --- starting ---------------------------------------------------------------------------- */

/* Ignored signals stay ignored, but for those that programs expect to be as they were. */
static int set_signals(posix_spawnattr_t *attr, const sigset_t *mask)
{
    sigset_t by_default;
    int err;

    (void)sigemptyset(&by_default);
    (void)sigaddset(&by_default, SIGPIPE);
    (void)sigaddset(&by_default, SIGXFSZ);
    err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (err == 0)
        err = posix_spawnattr_setsigmask(attr, mask);
    if (err == 0)
        err = posix_spawnattr_setsigdefault(attr, &by_default);
    return err;
}

static int set_files(posix_spawn_file_actions_t *actions, int fd)
{
    int err = posix_spawn_file_actions_adddup2(actions, fd, AIO__WORKER_FD);

    if (err == 0)
        err = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (err == 0)
        err = posix_spawn_file_actions_addclosefrom_np(actions, AIO__WORKER_FD + 1);
    return err;
}

/* 0 or an errno, as all of this family. */
static int spawn(pid_t *ret_pid, const char *program, const char *name, const sigset_t *mask,
                 int fd)
{
    char option[] = AIO__WORKER_OPTION;
    char *argv[] = {(char *)(uintptr_t)name, option, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int err = posix_spawn_file_actions_init(&actions);

    if (err != 0)
        return err;
    err = posix_spawnattr_init(&attr);
    if (err != 0)
        goto destroy_actions;
    err = set_files(&actions, fd);
    if (err == 0)
        err = set_signals(&attr, mask);
    if (err == 0)
        err = posix_spawn(ret_pid, program, &actions, &attr, argv, environ);
    (void)posix_spawnattr_destroy(&attr);
destroy_actions:
    (void)posix_spawn_file_actions_destroy(&actions);
    return err;
}

int aio__worker_start(struct aio__worker *worker, const char *program, const char *name,
                      const sigset_t *mask)
{
    int ends[2];
    int err;

    memset(worker, 0, sizeof(*worker));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return aio_raise(-errno, "%s", aio_strerror(-errno));
    err = spawn(&worker->pid, program, name, mask, ends[1]);
    close(ends[1]);
    if (err != 0) {
        close(ends[0]);
        return aio_raise(-err, "%s: '%s'", aio_strerror(-err), program);
    }
    worker->fd = ends[0];
    worker->pidfd = -1;
    if (!aio__worker_without_pidfd)
        worker->pidfd = (int)syscall(SYS_pidfd_open, worker->pid, 0); /* closed by exec by itself */
    return 0;
}

/* --- talking ----------------------------------------------------------------------------- */

int aio__worker_ask(struct aio__worker *worker, const void *bytes)
{
    memset(&worker->in, 0, sizeof(worker->in));
    worker->out = (struct aio__outgoing){
        .head = &worker->request,
        .head_size = sizeof(worker->request),
        .bytes = bytes,
        .size = (size_t)worker->request.size,
    };
    return aio__worker_send(worker);
}

int aio__worker_send(struct aio__worker *worker)
{
    return aio__send(worker->fd, &worker->out, MSG_DONTWAIT);
}

int aio__worker_receive(struct aio__worker *worker)
{
    return aio__receive(worker->fd, &worker->in, sizeof(worker->in.head.reply), MSG_DONTWAIT);
}

void aio__worker_dismiss(struct aio__worker *worker)
{
    (void)shutdown(worker->fd, SHUT_WR);
}

/* --- the end ----------------------------------------------------------------------------- */

void aio__worker_signal(const struct aio__worker *worker, int signum)
{
    if (worker->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, worker->pidfd, signum, NULL, 0);
    else
        (void)kill(worker->pid, signum);
}

int aio__worker_end(struct aio__worker *worker)
{
    int status;
    pid_t pid;

    do
        pid = waitpid(worker->pid, &status, 0);
    while (pid < 0 && errno == EINTR);
    if (worker->pidfd >= 0)
        close(worker->pidfd);
    close(worker->fd);
    aio_free(worker->in.bytes);
    return pid < 0 ? -1 : status;
}
