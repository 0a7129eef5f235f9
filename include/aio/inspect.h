/* SPDX-License-Identifier: MIT */
/*
 * inspect.h - what a loop is doing: its tasks, as a list or a tree, and its statistics
 *
 * Nothing here costs anything until it is asked for. A debugger sees the same, without the
 * program's help: share/aioc/gdb/aioc-gdb.py.
 *
 * Thread: the loop's.
 */
#ifndef AIO_INSPECT_H
#define AIO_INSPECT_H

#include <aio/loop.h>
#include <stdio.h>

AIO_BEGIN_DECLS

/** @name Dumps @{ */

/** What a dump shows, beside each task's name, coroutine, place, state, and who awaits it. */
enum {
    AIO_DUMP_TREE = 1,  /**< each below those that await it, like `python -m asyncio pstree` */
    AIO_DUMP_STACKS = 2 /**< the calls that each is in the middle of, by function and line */
};

/**
 * All tasks of a loop that are not done, as text, in order of creation.
 *
 * @param loop   Borrowed; NULL: the running loop.
 * @param flags  AIO_DUMP_... or 0.
 * @param[out] ret_text  Returned: aio_free() it. Written on success only.
 * @return 0, AIO_ENOLOOP, AIO_ECLOSED, AIO_ENOMEM, AIO_EVALUE for unknown flags, AIO_ERUNTIME in a
 *         thread that is not the loop's.
 * Suspends: no.   asyncio: none (3.14's `python -m asyncio ps`)  Since: 0.1
 */
AIO_API int aio_loop_format_tasks(aio_loop *loop, unsigned flags, char **ret_text);

/**
 * Write that text to a file.
 *
 * @param file  Borrowed; NULL: standard error.
 * @return As aio_loop_format_tasks(), or -EIO if it could not be written.
 * Suspends: no.   asyncio: none                                  Since: 0.1
 */
AIO_API int aio_loop_print_tasks(aio_loop *loop, unsigned flags, FILE *file);

/**
 * Have that written whenever a signal comes, as Go programs do on SIGQUIT. The loop does it between
 * two callbacks: one that is stuck in a callback does not answer, and a debugger has to ask.
 * aio_loop_remove_signal_handler() ends it.
 *
 * @param signum  A signal that can be caught: SIGUSR1, SIGQUIT.
 * @param file    Borrowed, until the handler is removed; NULL: standard error.
 * @return 0, or as aio_loop_add_signal_handler(); AIO_EVALUE for unknown flags.
 * Suspends: no.   asyncio: none                                  Since: 0.1
 */
AIO_API int aio_loop_print_tasks_on_signal(aio_loop *loop, int signum, unsigned flags, FILE *file);
/** @} */

/** @name Statistics @{ */

/** Classes of a histogram: below 1 us, below 2 us, below 4 us, ... and all that is longer. */
#define AIO_LAG_CLASSES 32

/** What a loop is doing, and has done since it was made. */
typedef struct aio_loop_statistics {
    size_t size;          /**< sizeof(aio_loop_statistics), set by the caller */
    size_t tasks;         /**< not done */
    uint64_t tasks_made;  /**< in all */
    uint64_t steps;       /**< how often a task was started or resumed */
    uint64_t iterations;  /**< of the loop */
    size_t ready;         /**< calls and tasks that wait for their turn */
    size_t timers;        /**< deadlines that are set */
    size_t jobs;          /**< in executors and elsewhere, that will come back */
    size_t stacks;        /**< that tasks are on, or have left */
    size_t stacks_idle;   /**< of these, waiting for the next task */
    size_t stack_mapped;  /**< bytes of address space for stacks */
    size_t idle_resident; /**< bytes of memory that idle stacks are thought to keep */
    /** While aio_loop_watch_lag() is on: the lag of what I/O has brought and of timers, which is
     *  how long the loop was busy between one poll and the next. */
    uint64_t lag[AIO_LAG_CLASSES];
    double lag_longest; /**< seconds */
    bool looks;         /**< for I/O before it sleeps: busy_poll of aio_loop_options */
} aio_loop_statistics;

/** To begin with. */
#define AIO_LOOP_STATISTICS_INIT AIO_SIZED(aio_loop_statistics)

/**
 * Get them.
 *
 * @param loop  Borrowed; NULL: the running loop.
 * @param[out] ret_statistics  Its size is set by the caller.
 * @return 0, AIO_ENOLOOP, AIO_ECLOSED, AIO_EVALUE for a wrong size or NULL, AIO_ERUNTIME in a thread
 *         that is not the loop's.
 * Suspends: no.   asyncio: none                                  Since: 0.1
 */
AIO_API int aio_loop_get_statistics(aio_loop *loop, aio_loop_statistics *ret_statistics);

/**
 * Measure the loop's lag from now on, from zero, or no longer. It takes a look at the clock for each
 * poll.
 *
 * @param loop  Borrowed; NULL: the running loop.
 * @return 0, AIO_ENOLOOP, AIO_ECLOSED, AIO_ENOMEM, AIO_ERUNTIME as above.
 * Suspends: no.   asyncio: none                                  Since: 0.1
 */
AIO_API int aio_loop_watch_lag(aio_loop *loop, bool watch);

/** The upper end of a class of the histogram, in seconds; infinite for the last one. Since: 0.1 */
AIO_API double aio_lag_class_end(unsigned number);
/** @} */

AIO_END_DECLS

#endif
