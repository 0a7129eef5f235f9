/* SPDX-License-Identifier: MIT */
/*
 * asyncgen.h - asynchronous generators: bodies that both yield and wait
 *
 *     static int ticks(void *arg, void **ret_result)        async def ticks(n):
 *     {
 *         for (intptr_t i = 0; i < (intptr_t)arg; i++) {        for i in range(n):
 *             int err = aio_sleep(1.0);                             await asyncio.sleep(1)
 *
 *             if (err == 0)
 *                 err = aio_yield((void *)i, NULL);                 yield i
 *             if (err < 0)
 *                 return err;
 *         }
 *         return 0;
 *     }
 *
 *     AIO_AUTO(aio_asyncgen) generator = aio_asyncgen_new(ticks, (void *)3, NULL);
 *     aio_iterator *it = aio_asyncgen_iterator(generator);
 *
 *     while ((err = aio_anext(it, &item)) == 0)             async for item in ticks(3):
 *         ...
 *
 * The body (aio_generator_fn, options and rules as in generator.h) runs in the task that asks
 * for the next value, in its context, and suspends that task when it waits. The result of a body
 * is of no use.
 *
 * The loop in which a generator was first iterated knows it until it is over. Leaving an
 * `async for` early does not close the generator: aio_asyncgen_aclose() does, dropping its last
 * reference makes the loop do it in a task of its own, and so does the end of the loop's runner.
 *
 * Thread: the loop's.
 */
#ifndef AIO_ASYNCGEN_H
#define AIO_ASYNCGEN_H

#include <aio/generator.h>
#include <aio/iterator.h>

AIO_BEGIN_DECLS

/** An asynchronous generator. */
typedef struct aio_asyncgen aio_asyncgen;

/**
 * Make an asynchronous generator. Nothing of its body runs before it is iterated.
 *
 * @param fn, arg, options  As for aio_generator_new().
 * @return Returned: aio_asyncgen_unref() it. NULL when memory is short or an option is wrong;
 *         functions that take a generator give the code for that NULL.
 * Suspends: no.   asyncio: calling an asynchronous generator function   Since: 0.1
 */
AIO_API aio_asyncgen *aio_asyncgen_new(aio_generator_fn fn, void *arg,
                                       const aio_generator_options *options);
/** What the macro of that name calls, which notes the body's name. Since: 0.1 */
AIO_API aio_asyncgen *aio_asyncgen_new_at(aio_site site, aio_generator_fn fn, void *arg,
                                          const aio_generator_options *options);
#define aio_asyncgen_new(fn, arg, options) aio_asyncgen_new_at(AIO_SITE(fn), (fn), (arg), (options))

/** Take another reference. Since: 0.1 */
AIO_API aio_asyncgen *aio_asyncgen_ref(aio_asyncgen *generator);
/**
 * Drop a reference; NULL is allowed. With the last one a suspended generator is closed by a
 * task of its loop, whose error is reported like any task's. When the loop is closed, it is
 * closed inside this call, and cannot wait. Since: 0.1
 */
AIO_API void aio_asyncgen_unref(aio_asyncgen *generator);
AIO_DEFINE_AUTO(aio_asyncgen)

/** For aio_anext(); borrowed, valid as long as the generator. NULL for NULL. Since: 0.1 */
AIO_API aio_iterator *aio_asyncgen_iterator(aio_asyncgen *generator);

/**
 * Run the body up to its next yield, with a value that its aio_yield() gives.
 *
 * @param value          Passed on as it is. Not NULL before the first yield: AIO_ETYPE.
 * @param[out] ret_item  What it yields, as it is. Written on success only. May be NULL.
 * @return 0, or a negative code:
 *   AIO_ESTOP       it is over
 *   AIO_ERUNTIME    another task is iterating it, or its body returned AIO_ESTOP
 *   AIO_ENOTASK     called outside a task; nothing has changed
 *   AIO_ERECURSION, AIO_ENOMEM   as aio_next()
 *   any other       the code that its body returned, which ends it: AIO_ECANCELLED, when the
 *                   calling task is cancelled while the body waits
 * Suspends, cancellation point: as the body does.
 * asyncio: agen.asend(), anext(agen)                             Since: 0.1
 */
AIO_API int aio_asyncgen_asend(aio_asyncgen *generator, void *value, void **ret_item);

/**
 * The same with an error that its aio_yield() returns to the body. A generator that has not
 * begun ends and gives the error back; one that is over gives 0 and NULL.
 *
 * @param code  Negative, and the object that travels with it: aio_raise(AIO_EVALUE, "...").
 * @return As aio_asyncgen_asend(); AIO_ESTOP if the body caught the error and returned.
 * Suspends, cancellation point: as the body does.
 * asyncio: agen.athrow()                                         Since: 0.1
 */
AIO_API int aio_asyncgen_athrow(aio_asyncgen *generator, int code, void **ret_item);

/**
 * End a generator: AIO_EGENERATOREXIT comes out of its aio_yield(), for the body to clean up,
 * which may wait.
 *
 * @return 0, also if it is over; AIO_ERUNTIME if the body yields again, or another task is
 *         iterating it; AIO_ENOTASK; or another error of the body's.
 * Suspends, cancellation point: as the body does.
 * asyncio: agen.aclose()                                         Since: 0.1
 */
AIO_API int aio_asyncgen_aclose(aio_asyncgen *generator);

/** Whether the body has ended, or never will run. NULL counts as over. Since: 0.1 */
AIO_API bool aio_asyncgen_done(const aio_asyncgen *generator);

/**
 * Close all generators of a loop that were iterated and are not over, each in a task of its
 * own, and wait for that. Their errors go to the exception handler. Generators that are first
 * iterated later are warned of. A runner does this at its end.
 *
 * @param loop  The running one.
 * @return 0, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.
 * Suspends:            if there are any
 * Cancellation point:  whenever it suspends; it cancels those tasks
 * asyncio:             loop.shutdown_asyncgens()                 Since: 0.1
 */
AIO_API int aio_loop_shutdown_asyncgens(aio_loop *loop);

AIO_END_DECLS

#endif
