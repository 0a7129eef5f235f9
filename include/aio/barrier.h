/* SPDX-License-Identifier: MIT */
/*
 * barrier.h - a place where a number of tasks meet before any goes on
 *
 * It fills until all parties wait, then drains: all go on, and who comes meanwhile waits
 * until the last of them is out. Then it fills anew. It belongs to the loop of the first task
 * that has to wait for it.
 */
#ifndef AIO_BARRIER_H
#define AIO_BARRIER_H

#include <aio/error.h>

AIO_BEGIN_DECLS

typedef struct aio_barrier aio_barrier;

/**
 * Make a barrier.
 *
 * @param parties  How many tasks meet, at least 1.
 * @return Returned: aio_barrier_unref() it. NULL when memory is short, and with AIO_EVALUE
 *         for less than one party; waiting at that NULL gives the code.
 * Suspends: no.   Thread: any.   asyncio: asyncio.Barrier(parties)   Since: 0.1
 */
AIO_API aio_barrier *aio_barrier_new(long parties);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_barrier *aio_barrier_ref(aio_barrier *barrier);
/** Drop a reference; NULL is allowed. Tasks that wait hold one each. Since: 0.1 */
AIO_API void aio_barrier_unref(aio_barrier *barrier);
AIO_DEFINE_AUTO(aio_barrier)

/**
 * Wait until all parties are here. The last to come does not wait, and goes on first.
 *
 * @param[out] ret_index  The caller's place in the order of arrival: 0 for the first, and
 *                        parties - 1 for the last. Written on success only. May be NULL.
 * @return 0, or a negative code:
 *   AIO_EBROKENBARRIER  it is broken, or was aborted or reset meanwhile
 *   AIO_ECANCELLED      the calling task was cancelled; the others wait on, for one more
 *   AIO_ERUNTIME        tasks of another loop have waited at it
 *   AIO_ENOTASK, AIO_ENOLOOP, AIO_ENOMEM
 *
 * Suspends:            unless it is free and the caller completes the parties
 * Cancellation point:  whenever it suspends
 * Thread:              the loop's
 * asyncio:             Barrier.wait()                            Since: 0.1
 */
AIO_API int aio_barrier_wait(aio_barrier *barrier, size_t *ret_index);

/**
 * Empty the barrier: who waits gets AIO_EBROKENBARRIER, and it can be used again, also if
 * it was broken.
 *
 * @return 0, or AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOLOOP, AIO_ERUNTIME, AIO_ENOMEM, and
 *         nothing has changed.
 * Suspends:            only while others are about to come or go
 * Cancellation point:  whenever it suspends
 * asyncio:             Barrier.reset()                           Since: 0.1
 */
AIO_API int aio_barrier_reset(aio_barrier *barrier);

/**
 * Break the barrier: who waits, and who comes before the next aio_barrier_reset(), gets
 * AIO_EBROKENBARRIER.
 *
 * Otherwise as aio_barrier_reset().   asyncio: Barrier.abort()   Since: 0.1
 */
AIO_API int aio_barrier_abort(aio_barrier *barrier);

/** How many tasks meet; 0 for NULL.   asyncio: Barrier.parties   Since: 0.1 */
AIO_API size_t aio_barrier_parties(const aio_barrier *barrier);
/** How many wait while it fills, else 0.   asyncio: Barrier.n_waiting   Since: 0.1 */
AIO_API size_t aio_barrier_n_waiting(const aio_barrier *barrier);
/** Whether it is broken; false for NULL.   asyncio: Barrier.broken   Since: 0.1 */
AIO_API bool aio_barrier_broken(const aio_barrier *barrier);

/** Begin a block behind the barrier: aio_barrier_wait().
 *  asyncio: Barrier.__aenter__()   Since: 0.1 */
AIO_API int aio_barrier_enter(aio_barrier *barrier, size_t *ret_index);
/** End the block, which neither waits nor resets: gives @p code back.
 *  Suspends: no.   asyncio: Barrier.__aexit__()   Since: 0.1 */
AIO_API int aio_barrier_exit(aio_barrier *barrier, int code);

AIO_END_DECLS

#endif
