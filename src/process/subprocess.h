/* SPDX-License-Identifier: MIT */
/*
 * subprocess.h - starting a process with a transport
 *
 * For src/process.
 */
#ifndef AIO__SUBPROCESS_H
#define AIO__SUBPROCESS_H

#include <aio/subprocess.h>

/* Arguments that run a command line: to be given as argv. */
#define AIO__SHELL(command)                                                                        \
    (const char *const[])                                                                          \
    {                                                                                              \
        "/bin/sh", "-c", (command), NULL                                                           \
    }

/*
 * Start a program and suspend until connection_made was called. The loop is the running one, the
 * caller a task. The protocol is taken: on failure release is called. by_default is what
 * AIO_SUBPROCESS_DEFAULT stands for; options may be NULL. 0, or a raised code.
 */
int aio__subprocess_start(aio_loop *loop, aio_protocol *protocol, const char *const *argv,
                          const aio_subprocess_options *options, int by_default,
                          aio_transport **ret_transport);

/* Whether it can be started: 0, or AIO_ENOLOOP, AIO_ENOTASK, AIO_ERUNTIME, AIO_EVALUE. The loop
 * may be NULL, for the running one. */
int aio__subprocess_check(aio_loop **loop, const char *const *argv,
                          const aio_subprocess_options *options);

/* Suspend until the child has ended and its pipes are closed; not at all if it has ended already
 * (S156). 0, or a code. */
int aio__subprocess_wait(aio_transport *transport, int *ret_code);

#endif
