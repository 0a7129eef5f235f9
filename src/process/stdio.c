/* SPDX-License-Identifier: MIT */
/*
 * stdio.c - the standard streams of a child to be
 *
 * What is opened here is kept clear of the standard descriptors' numbers, which may be free in a
 * program that has closed its own.
 */
#include "process/stdio.h"

#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int raise_errno(int err)
{
    return aio_raise(err, "%s", aio_strerror(err));
}

static int open_null(struct aio__stdio *stdio, int i)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        fd = aio__fd_above_standard(fd);
    else
        fd = -errno;
    if (fd < 0)
        return raise_errno(fd);
    stdio->child[i] = fd;
    stdio->owned[i] = true;
    return 0;
}

static int open_pipe(struct aio__stdio *stdio, int i, int size)
{
    int ends[2];
    int theirs = i == STDIN_FILENO ? 0 : 1;
    int flags;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return raise_errno(-errno);
    stdio->child[i] = aio__fd_above_standard(ends[theirs]);
    stdio->owned[i] = stdio->child[i] >= 0;
    stdio->ours[i] = aio__fd_above_standard(ends[!theirs]);
    if (stdio->child[i] < 0)
        return raise_errno(stdio->child[i]);
    if (stdio->ours[i] < 0)
        return raise_errno(stdio->ours[i]);
    flags = fcntl(stdio->ours[i], F_GETFL);
    if (fcntl(stdio->ours[i], F_SETFL, flags | O_NONBLOCK) < 0 ||
        (size > 0 && fcntl(stdio->ours[i], F_SETPIPE_SZ, size) < 0))
        return raise_errno(-errno);
    return 0;
}

static int open_stream(struct aio__stdio *stdio, int i, int what, int pipe_size)
{
    switch (what) {
    case AIO_SUBPROCESS_INHERIT: return 0;
    case AIO_SUBPROCESS_PIPE: return open_pipe(stdio, i, pipe_size);
    case AIO_SUBPROCESS_DEVNULL: return open_null(stdio, i);
    case AIO_SUBPROCESS_STDOUT:
        if (i != STDERR_FILENO)
            return aio_raise(AIO_EVALUE, "STDOUT can only be used for stderr");
        stdio->child[i] = stdio->child[STDOUT_FILENO];
        if (stdio->child[i] < 0)
            stdio->child[i] = STDOUT_FILENO;
        return 0;
    default:
        if (what < 0)
            return aio_raise(AIO_EVALUE, "invalid standard stream %d", what);
        stdio->child[i] = what;
        return 0;
    }
}

int aio__stdio_open(struct aio__stdio *stdio, const aio_subprocess_options *options, int by_default)
{
    const int wanted[3] = {options->std_in, options->std_out, options->std_err};
    int err = 0;

    for (int i = 0; i < 3; i++) {
        stdio->child[i] = -1;
        stdio->owned[i] = false;
        stdio->ours[i] = -1;
    }
    for (int i = 0; i < 3 && err == 0; i++)
        err = open_stream(stdio, i, wanted[i] == AIO_SUBPROCESS_DEFAULT ? by_default : wanted[i],
                          options->pipe_size);
    if (err < 0) {
        aio__stdio_close_childs(stdio);
        aio__stdio_close_ours(stdio);
    }
    return err;
}

void aio__stdio_close_childs(struct aio__stdio *stdio)
{
    for (int i = 0; i < 3; i++) {
        if (stdio->owned[i])
            close(stdio->child[i]);
        stdio->owned[i] = false;
    }
}

void aio__stdio_close_ours(struct aio__stdio *stdio)
{
    for (int i = 0; i < 3; i++) {
        if (stdio->ours[i] >= 0)
            close(stdio->ours[i]);
        stdio->ours[i] = -1;
    }
}
