/* SPDX-License-Identifier: MIT */
/*
 * gather.h - several awaitables at once, their outcomes in order
 */
#ifndef AIO_GATHER_H
#define AIO_GATHER_H

#include <aio/task.h>

AIO_BEGIN_DECLS

/** How one child of a gather ended. */
typedef struct aio_outcome {
    int code;             /**< 0, or the child's error; not 0 only with AIO_RETURN_EXCEPTIONS */
    void *value;          /**< its result, borrowed; NULL unless code is 0 */
    aio_exception *error; /**< the error object, borrowed; NULL if code is 0 */
} aio_outcome;

/** What a gather gives: its children's outcomes, in the order of the arguments. */
typedef struct aio_outcomes {
    size_t count;
    const aio_outcome *items;
} aio_outcomes;

/** The type of such a result: prints how many. */
AIO_API extern const aio_type aio_type_outcomes;

/** For aio_gather(): errors of children become outcomes instead of ending the gather. */
#define AIO_RETURN_EXCEPTIONS 1u

/**
 * Run awaitables together and get all their results.
 *
 * Without AIO_RETURN_EXCEPTIONS the first child that fails or is cancelled finishes the
 * gather with its error, while the others go on. Cancelling the gather cancels the
 * children that are not done; it ends when they have.
 *
 * @param awaitables  @p count of them, each kept; coroutine objects become tasks. The same
 *                    one may stand there twice: it runs once and fills both places. A NULL
 *                    makes the call fail with the code of the constructor that failed.
 * @param flags       0 or AIO_RETURN_EXCEPTIONS.
 * @return Returned: a future whose result is an `const aio_outcomes *`, borrowed from it.
 *         NULL on failure: short of memory, no loop, futures of different loops.
 * Suspends: no.   asyncio: asyncio.gather()                      Since: 0.1
 */
AIO_API aio_future *aio_gather(aio_future *const *awaitables, size_t count, unsigned flags);

AIO_END_DECLS

#endif
