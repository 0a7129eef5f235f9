/* SPDX-License-Identifier: MIT */
/*
 * testing.h - the test kit: time that jumps, running until nothing can go on, traces, random
 * orders, and memory that runs short when asked to
 *
 * Meant for loops with AIO_CLOCK_VIRTUAL: their clock stands still while anything runs or is
 * ready, and jumps to the next timer when nothing is, so that a test of an hour's timeouts
 * takes no time and always gives the same order of events.
 *
 *     aio_task *task = aio_loop_create_task(loop, poll_every_minute, &polls, NULL);
 *
 *     aio_testing_settle(loop);            // it has begun, and sleeps
 *     aio_testing_advance(loop, 3600);
 *     assert(polls == 60);
 */
#ifndef AIO_TESTING_H
#define AIO_TESTING_H

#include <aio/loop.h>

AIO_BEGIN_DECLS

/** @name Running
 *  To be called outside of the loop, which runs inside them. A call that a job of an executor
 *  will make is waited for; I/O that is not there yet is not. @{ */

/**
 * Run until no task and no call can go on without time passing: all are done, or blocked. The
 * clock stands still, and timers that are due at this very time fire.
 *
 * @return 0, also if a callback stopped the loop before, or a negative code:
 *   AIO_EVALUE  the loop has no virtual clock
 *   and those of aio_loop_run_forever()
 * Suspends: no.   Thread: the loop's.   asyncio: none            Since: 0.1
 */
AIO_API int aio_testing_settle(aio_loop *loop);

/**
 * Let time pass: the clock goes on to each timer that is due on the way, in order, and all that
 * follows from it runs before it goes on to the next. At the end it shows exactly so much more.
 *
 * @param seconds  Negative or NaN is AIO_EVALUE. AIO_FOREVER: until no timer is left; the clock
 *                 then stays at the last.
 * @return As aio_testing_settle(). If a callback stopped the loop the clock stays where it was
 *         then.
 * Suspends: no.   Thread: the loop's.   asyncio: none            Since: 0.1
 */
AIO_API int aio_testing_advance(aio_loop *loop, double seconds);

/**
 * Run until all are done or blocked for ever, and no timer is left: aio_testing_advance() with
 * AIO_FOREVER.   Since: 0.1
 */
AIO_API int aio_testing_run_until_idle(aio_loop *loop);

/**
 * Set what a virtual-clock loop calls when it would block for ever: nothing is ready, no
 * timer is set and no job runs in an executor. The function may cancel tasks, queue calls or
 * stop the loop. If it leaves nothing to do the loop waits for I/O or another thread. The calls
 * above return instead of calling it. While a host runs the loop it is called only if tasks are
 * left: without them nothing of ours keeps the host waiting.
 *
 * @param fn  NULL: none. An error it returns goes to the exception handler.
 * Thread: the loop's.                                            Since: 0.1
 */
AIO_API void aio_testing_on_blocked(aio_loop *loop, aio_callback_fn fn, void *arg);
/** @} */

/** @name Order @{ */

/** What a loop is about to run. */
typedef enum aio_testing_step_kind {
    AIO_TESTING_TASK,     /**< a task begins, or goes on */
    AIO_TESTING_CALL,     /**< a call of aio_loop_call_soon() and its like */
    AIO_TESTING_CALLBACK, /**< another callback: of a future, an fd, a signal, a connection */
    AIO_TESTING_INTERNAL  /**< a step of the library's own, such as the end of a sleep */
} aio_testing_step_kind;

/** One step. */
typedef struct aio_testing_step {
    size_t size; /**< sizeof(aio_testing_step) */
    aio_testing_step_kind kind;
    uint64_t iteration; /**< of the loop, from 1 on */
    double time;        /**< aio_loop_time() */
    aio_task *task;     /**< AIO_TESTING_TASK: borrowed */
    aio_handle *handle; /**< AIO_TESTING_CALL: borrowed */
} aio_testing_step;

/** Is told of a step just before it is made. It must neither run the loop nor close it. */
typedef void (*aio_testing_step_fn)(aio_loop *loop, const aio_testing_step *step, void *arg);

/**
 * Watch the steps of a loop. What a step runs inside itself is part of it: a task that starts
 * eagerly, a generator.
 *
 * @param fn  NULL: none.
 * Thread: the loop's.   asyncio: none                            Since: 0.1
 */
AIO_API void aio_testing_on_step(aio_loop *loop, aio_testing_step_fn fn, void *arg);

/**
 * Run the tasks that are ready in random order, to find what relies on theirs. Calls keep their
 * order among themselves, as do the callbacks of a future; each task still waits until the
 * iteration after the one that made it ready. The same seed gives the same order.
 *
 * @param seed  0: asyncio's order again, first come, first served.
 * Thread: the loop's.   asyncio: none                            Since: 0.1
 */
AIO_API void aio_testing_shuffle(aio_loop *loop, uint64_t seed);
/** @} */

/** @name Memory
 *  Whatever needs the memory that is refused returns AIO_ENOMEM; nothing may leak or break. These
 *  are for all threads. Stacks of tasks are mapped, not allocated. @{ */

/**
 * Let one allocation of the library fail, once, counted over all threads.
 *
 * @param nth  1: the next one. 0: none, and no more of those of aio_testing_fail_at_random().
 * Thread: any.                                                   Since: 0.1
 */
AIO_API void aio_testing_fail_allocation(size_t nth);

/**
 * Let each allocation of the library fail with a probability, until aio_testing_fail_allocation(0).
 *
 * @param probability  0 to 1.
 * @param seed         The same one fails the same ones, as long as only one thread allocates.
 * Thread: any.                                                   Since: 0.1
 */
AIO_API void aio_testing_fail_at_random(double probability, uint64_t seed);

/** How many allocations have failed since one of the two above was called last. Thread: any.
 *  Since: 0.1 */
AIO_API size_t aio_testing_allocation_failures(void);

/**
 * Make each future, task and handle of a loop an allocation of its own, so that each can be made
 * to fail, instead of taking it from the loop's pool.
 *
 * @return 0, or AIO_ERUNTIME if the loop has any already.
 * Thread: the loop's.                                            Since: 0.1
 */
AIO_API int aio_testing_disable_pool(aio_loop *loop);
/** @} */

AIO_END_DECLS

#endif
