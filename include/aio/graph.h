/* SPDX-License-Identifier: MIT */
/*
 * graph.h - who awaits whom, and where: from one future to the tasks that wait for it
 *
 * Waiting itself records nothing: the tasks that await a future, by themselves or by gather, wait,
 * shield or a task group, are found when somebody asks.
 *
 * Thread: the loop's.
 */
#ifndef AIO_GRAPH_H
#define AIO_GRAPH_H

#include <aio/stack.h>
#include <limits.h>

AIO_BEGIN_DECLS

/** A future, the calls that it is in the middle of, and who awaits it.
 *  asyncio: asyncio.FutureCallGraph */
typedef struct aio_call_graph {
    aio_future *future; /**< referenced by the graph */
    /** The newest first, as in asyncio; none for a future that is no task.
     *  asyncio: FutureCallGraph.call_stack, of asyncio.FrameCallGraphEntry */
    const aio_frame *call_stack;
    size_t call_stack_count;
    struct aio_call_graph *const *awaited_by; /**< in no order */
    size_t awaited_by_count;
} aio_call_graph;

/** All frames. */
#define AIO_ALL_FRAMES INT_MAX

/** What a graph shows. */
typedef struct aio_call_graph_options {
    size_t size; /**< sizeof(aio_call_graph_options) */
    int depth;   /**< of the running task: 1 for all its calls, 2 without the newest, and so on */
    int limit;   /**< of each task: so many newest frames; negative: so many oldest; 0: none */
} aio_call_graph_options;

/** The defaults. */
#define AIO_CALL_GRAPH_OPTIONS_INIT                                                                \
    AIO_SIZED_WITH(aio_call_graph_options, AIO_SET(depth, 1) AIO_SET(limit, AIO_ALL_FRAMES))

/**
 * Find out who waits for a future, who waits for those, and so on, and where all of them are.
 *
 * @param fut      Borrowed. NULL: the running task.
 * @param options  Borrowed; NULL: the defaults.
 * @param[out] ret_graph  Returned: aio_call_graph_free() it. NULL if @p fut is NULL and no task
 *                 runs. Written on success only.
 * @return 0, or a negative code:
 *   AIO_ENOLOOP  @p fut is NULL, and no loop runs
 *   AIO_EVALUE   bad options
 *   AIO_ETYPE    @p fut is a coroutine object
 *   AIO_ENOMEM
 * Suspends: no.   asyncio: asyncio.capture_call_graph()          Since: 0.1
 * Differs: a future that is met again, in a circle or by two ways, is shown without those who await
 * it; and nothing is shown beyond a hundred steps. Who has made a gather and does not await it
 * yet is not among those who await its children.
 */
AIO_API int aio_capture_call_graph(aio_future *fut, const aio_call_graph_options *options,
                                   aio_call_graph **ret_graph);

/** Free a graph with all that is in it. NULL is allowed. Since: 0.1 */
AIO_API void aio_call_graph_free(aio_call_graph *graph);

/**
 * The same as text:
 *
 *     * Task(name='worker', id=0x55d5c6b4a2c0)
 *       + Call stack:
 *       |   File 'crawl.c', line 42, in aio_await()
 *       + Awaited by:
 *         * Task(name='Task-1', id=0x55d5c6b4a1c0)
 *
 * @param[out] ret_text  Returned: aio_free() it. Empty if @p fut is NULL and no task runs.
 * @return As aio_capture_call_graph().
 * Suspends: no.   asyncio: asyncio.format_call_graph()           Since: 0.1
 */
AIO_API int aio_format_call_graph(aio_future *fut, const aio_call_graph_options *options,
                                  char **ret_text);

/**
 * Write that text to a file.
 *
 * @param file  Borrowed; NULL: standard output.
 * @return As aio_capture_call_graph(), or -EIO if it could not be written.
 * Suspends: no.   asyncio: asyncio.print_call_graph()            Since: 0.1
 */
AIO_API int aio_print_call_graph(aio_future *fut, const aio_call_graph_options *options,
                                 FILE *file);

/**
 * Record that a future is awaited by another: for combinators of your own, where the waiting goes
 * through callbacks. The record goes with either of them, and keeps neither.
 *
 * @param fut     Borrowed.
 * @param waiter  Borrowed; a task or another future.
 * @return 0, also if it is recorded already, or a negative code: AIO_ENOMEM, AIO_ERUNTIME for
 *         futures of different loops, AIO_ETYPE for a coroutine object, AIO_ECLOSED.
 * Suspends: no.   asyncio: asyncio.future_add_to_awaited_by()    Since: 0.1
 */
AIO_API int aio_future_add_to_awaited_by(aio_future *fut, aio_future *waiter);
/** Take the record back; nothing happens if there is none. 0, AIO_ERUNTIME, AIO_ETYPE.
 *  asyncio: asyncio.future_discard_from_awaited_by()   Since: 0.1 */
AIO_API int aio_future_discard_from_awaited_by(aio_future *fut, aio_future *waiter);

AIO_END_DECLS

#endif
