/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - making a child process
 *
 * For src/process.
 */
#ifndef AIO__SPAWN_H
#define AIO__SPAWN_H

#include <aio/subprocess.h>

/*
 * Make a child that runs argv[0], or the options' executable. fds are what its standard streams
 * are to be, by descriptors of ours; -1: as they are. The options are not NULL.
 *
 * Returns when the program runs, which takes as long as the system needs to load it. 0, or a
 * raised code: then there is no child, and no zombie.
 */
int aio__spawn(const char *const *argv, const aio_subprocess_options *options, const int fds[3],
               pid_t *ret_pid);

/* A descriptor of ours that is not in the way of the standard ones: takes fd, gives fd or a copy
 * from 3 on that exec closes. A negative code when there is none: fd is then closed. */
int aio__fd_above_standard(int fd);

#endif
