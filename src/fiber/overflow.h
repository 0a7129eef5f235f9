/* SPDX-License-Identifier: MIT */
/*
 * overflow.h - a word to the user before a stack overflow ends the process
 *
 * For src/task, which knows names, and for whoever owns the program. Opt-in: handlers
 * of SIGSEGV are the host's property.
 */
#ifndef AIO__FIBER_OVERFLOW_H
#define AIO__FIBER_OVERFLOW_H

#include <stddef.h>

struct aio__fiber;

/*
 * Begin to watch for accesses to the guards of stacks. What was to happen at SIGSEGV
 * and SIGBUS still happens, after the report: the handler installed before is called,
 * or the process dies of the signal. Counted: each success needs an uninstall. Only
 * threads that have entered (below) can be helped: a handler needs a stack.
 *
 * 0; -ENOTSUP under AddressSanitizer, which reports overflows itself.
 * Thread: any.
 */
int aio__overflow_install(void);

/* Undo the last install; the last of all puts the former handlers back, unless others
 * have been installed over ours: then ours stays below them and only passes on. */
void aio__overflow_uninstall(void);

/*
 * Give the calling thread an alternate signal stack, unless it has one. Counted.
 * 0 or a negative code (AIO_ENOMEM).
 */
int aio__overflow_thread_enter(void);

/* Undo one enter; the last takes the alternate stack away if it is still ours. */
void aio__overflow_thread_leave(void);

/*
 * Set who can say what a fiber is: "task 'NAME' (coroutine f, FILE:LINE)". It writes at
 * most `size` bytes, the final 0 among them; it is called in a signal handler, in the
 * thread that the fiber runs on. NULL: nobody. Thread: any.
 */
void aio__overflow_set_describe(void (*describe)(struct aio__fiber *fiber, char *buffer,
                                                 size_t size));

#endif
