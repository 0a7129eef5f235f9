/* SPDX-License-Identifier: MIT */
/*
 * staggered.h - attempts at the same thing, each a little later than the one before
 *
 * What happy eyeballs is made of: aio_loop_create_connection() does it for sockets; this is for
 * anything else that can be tried in several ways.
 */
#ifndef AIO_STAGGERED_H
#define AIO_STAGGERED_H

#include <aio/task.h>

AIO_BEGIN_DECLS

/** One way to try. */
typedef struct aio_attempt {
    aio_coro_fn fn; /**< the coroutine, called at most once */
    void *arg;      /**< its argument, borrowed */
} aio_attempt;

/** How a race ended. */
typedef struct aio_race_outcome {
    void *value;            /**< what the winner gave, now the caller's; NULL without one */
    ptrdiff_t winner;       /**< its place among the attempts; -1: none */
    aio_exception **errors; /**< of the attempts that were begun, in order; NULL for the winner, and
                                 for one that was not over when it won */
    size_t error_count;     /**< how many were begun */
} aio_race_outcome;

/** Let go of the errors; the value is left. NULL is allowed. Since: 0.1 */
AIO_API void aio_race_outcome_clear(aio_race_outcome *outcome);

/**
 * Run attempts, each in a task of its own, until one succeeds: the next begins when the last has
 * failed or a delay has passed. The others are then cancelled; none runs any more on return.
 *
 * @param attempts     @p count of them, copied.
 * @param delay        Seconds; AIO_FOREVER: only when the last has failed.
 * @param result_type  How a value is freed that nobody gets: of a second winner, or if the call
 *                     fails. NULL: it is not.
 * @param[out] ret_outcome  To be cleared. Written on success only.
 * @return 0, also if every attempt has failed; or a negative code:
 *   AIO_ECANCELLED  the calling task was cancelled, and with it all attempts
 *   AIO_ESYSTEMEXIT, AIO_EKEYBOARDINTERRUPT  that came out of an attempt
 *   AIO_EVALUE      an attempt without a function, or a delay that is no number
 *   AIO_ENOTASK, AIO_ENOMEM
 *
 * Suspends:            until no attempt is left
 * Cancellation point:  yes; what an attempt makes of it is waited for
 * asyncio:             asyncio.staggered.staggered_race()        Since: 0.1
 */
AIO_API int aio_staggered_race(const aio_attempt *attempts, size_t count, double delay,
                               const aio_type *result_type,
                               aio_race_outcome *ret_outcome) AIO_MUST_CHECK;

AIO_END_DECLS

#endif
