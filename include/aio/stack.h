/* SPDX-License-Identifier: MIT */
/*
 * stack.h - how much stack tasks need, and what happens when they need more
 *
 * A task that outgrows its stack hits a guard page, and the process dies of SIGSEGV. Watching
 * makes it say first whose stack it was; measuring tells how much to give.
 */
#ifndef AIO_STACK_H
#define AIO_STACK_H

#include <aio/task.h>

AIO_BEGIN_DECLS

/**
 * Have stack overflows of the calling thread's tasks reported on standard error, with the task's
 * name, before the signal takes its course: the handler that was installed before is called, or
 * the process dies of it. Installs handlers for SIGSEGV and SIGBUS, and an alternate signal stack
 * for the thread if it has none. Counted.
 *
 * @return 0, AIO_ENOMEM, or -ENOTSUP under AddressSanitizer, which reports overflows itself.
 * Thread: any; each that runs a loop calls it for itself.   asyncio: none   Since: 0.1
 */
AIO_API int aio_stack_overflow_watch(void);
/** Undo one aio_stack_overflow_watch() of this thread that returned 0. Since: 0.1 */
AIO_API void aio_stack_overflow_unwatch(void);

/**
 * The most stack that a task has used so far, for loops made with measure_stacks.
 *
 * @return Bytes; 0 for a task that has not started, and where nothing is measured.
 * Thread: the loop's.   asyncio: none                            Since: 0.1
 */
AIO_API size_t aio_task_get_stack_used(const aio_task *task);

AIO_END_DECLS

#endif
