/* SPDX-License-Identifier: MIT */
/*
 * stack.h - what tasks are in the middle of, how much stack they need, and what happens when they
 * need more
 *
 * A task that outgrows its stack hits a guard page, and the process dies of SIGSEGV. Watching
 * makes it say first whose stack it was; measuring tells how much to give.
 */
#ifndef AIO_STACK_H
#define AIO_STACK_H

#include <aio/task.h>
#include <stdio.h>

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

/** A call that has not returned. What is not known is NULL. */
typedef struct aio_frame {
    const void *address;  /**< where it goes on */
    const char *function; /**< static functions have names only where the program is not stripped */
    const char *object;   /**< the file of the program or library it is in */
    uintptr_t offset;     /**< of the address in that file, as addr2line -e OBJECT takes it */
    const char *file;     /**< of the source, where libdw and debug information are there */
    int line;             /**< in it; 0 if that is not known */
} aio_frame;

/**
 * The calls that a task is in the middle of, the oldest first: its coroutine, what that has
 * called, down to what waits. Functions that the compiler has inlined, or left by a jump to
 * another, are not among them, nor is the inside of the library.
 *
 * A task that has not begun has one frame, of its coroutine. None: a task that is done, one that
 * runs but has started another eagerly which runs now, one with almost no stack left.
 *
 * @param task            Borrowed.
 * @param limit           Frames at most, the newest; 0: all, up to 64.
 * @param[out] ret_frames Returned: aio_free() it, texts and all. NULL if there are none.
 * @param[out] ret_count  How many.
 * @return 0, AIO_ENOMEM, or AIO_ETYPE for what is no task.
 * Suspends: no.   Thread: the loop's.   asyncio: Task.get_stack()   Since: 0.1
 * Differs: a failed task has no frames; its error knows its places.
 */
AIO_API int aio_task_get_stack(aio_task *task, size_t limit, aio_frame **ret_frames,
                               size_t *ret_count);

/**
 * Write these to a file, a line each; of a failed task its error, or a line saying that there is
 * no stack.
 *
 * @param file  Borrowed; NULL: standard error.
 * @return As aio_task_get_stack().
 * Suspends: no.   Thread: the loop's.   asyncio: Task.print_stack()   Since: 0.1
 */
AIO_API int aio_task_print_stack(aio_task *task, size_t limit, FILE *file);

AIO_END_DECLS

#endif
