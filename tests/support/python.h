/* SPDX-License-Identifier: MIT */
/*
 * python.h - a program of Python's asyncio on the other side
 *
 * For bodies of room_run(). The program stands in the test, and runs in a process of its own. What
 * it has found out it says by its exit status.
 */
#ifndef TESTS_PYTHON_H
#define TESTS_PYTHON_H

#include <aio/aio.h>

/* What every program begins with: its `much` is what room_fill() gives, a MiB of it. */
#define PYTHON                                                                                     \
    "import asyncio, os, socket, sys\n"                                                            \
    "much = bytes((i * 7 + i // 251) % 256 for i in range(1 << 20))\n"

/* What a test of such programs gives to meson where there is no Python: it was skipped. */
enum { PYTHON_IS_MISSING = 77 };
bool python_is_here(void);

/* Start a program with an argument: its standard output is a pipe, and its standard input is one of
 * AIO_SUBPROCESS_... */
int python_start(const char *program, const char *argument, int std_in, aio_process **ret_process);
/* The same without an input. */
int python_run(const char *program, const char *argument, aio_process **ret_process);

/* The number, above 0, on the next line that it prints: a port, say. */
int python_read_number(aio_process *process, int *ret_number);

/* It has ended, and found nothing wrong; drops the process. */
int python_expect_success(aio_process *process);

#endif
