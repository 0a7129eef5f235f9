/* SPDX-License-Identifier: MIT */
/*
 * generator.h - functions that give values one by one: yield, next, send, throw, yield from
 *
 *     static int count(void *arg, void **ret_result)        def count(n):
 *     {
 *         intptr_t n = (intptr_t)arg;
 *
 *         for (intptr_t i = 0; i < n; i++) {                    for i in range(n):
 *             int err = aio_yield((void *)i, NULL);                 yield i
 *
 *             if (err < 0)
 *                 return err;
 *         }
 *         return 0;
 *     }
 *
 *     AIO_AUTO(aio_generator) numbers = aio_generator_new(count, (void *)3, NULL);
 *
 *     while ((err = aio_next(numbers, &item)) == 0)         for item in count(3):
 *         printf("%d\n", (int)(intptr_t)item);                  print(item)
 *     if (err != AIO_ESTOP)
 *         return err;
 *
 * A generator runs on a stack of its own, within whoever asks for the next value: in the same
 * task, with the same context variables. It needs no loop. It stays on the thread that made it;
 * what is suspended when that thread ends is closed.
 *
 * A body must pass on the codes that aio_yield() returns, after cleaning up, as it passes on
 * any other. It must not yield inside aio_context_run(). Where it yields inside a timeout or task
 * group that it has entered, that goes on, as in Python: it is the task it was entered in that is
 * cancelled when the time is over or a child fails, wherever that task is by then.
 */
#ifndef AIO_GENERATOR_H
#define AIO_GENERATOR_H

#include <aio/task.h>

AIO_BEGIN_DECLS

/** A generator, suspended before its first line, at a yield, or over. */
typedef struct aio_generator aio_generator;

/**
 * The body of a generator, plain or asynchronous.
 *
 * @param arg              What the generator was made with; lives as long as the body runs.
 * @param[out] ret_result  Where the result goes; holds NULL (None) at first. Never NULL.
 * @return 0, or a negative code, which comes out of the call that asked for a value.
 */
typedef int (*aio_generator_fn)(void *arg, void **ret_result);

/** How a generator is made. Zero in any field but size means the default. */
typedef struct aio_generator_options {
    size_t size;     /**< sizeof(aio_generator_options) */
    size_t arg_size; /**< copy this many bytes of arg; the body gets the copy. 0: pass arg itself */
    void (*arg_destroy)(void *arg); /**< called once with what the body gets, when it is over,
                                         started or not; also if making the generator fails */
    const aio_type *result_type;    /**< how to free the result; default: not at all */
    size_t stack_size;              /**< bytes; default 64 KiB */
} aio_generator_options;

/** The defaults. */
#define AIO_GENERATOR_OPTIONS_INIT AIO_SIZED(aio_generator_options)

/** How deep generators may call each other, the first caller counted: one more level is
 *  AIO_ERECURSION. As Python's own limit. */
#define AIO_GENERATOR_DEPTH 1000

/**
 * Make a generator. Nothing of its body runs before the first aio_next().
 *
 * @param fn       Must not be NULL.
 * @param arg      Borrowed until the body is over, if it is not copied.
 * @param options  Borrowed; NULL: the defaults.
 * @return Returned: aio_generator_unref() it. NULL when memory is short or an option is wrong;
 *         functions that take a generator give the code for that NULL.
 * Suspends: no.   asyncio: calling a generator function          Since: 0.1
 */
AIO_API aio_generator *aio_generator_new(aio_generator_fn fn, void *arg,
                                         const aio_generator_options *options);
/** What the macro of that name calls, which notes the body's name. Since: 0.1 */
AIO_API aio_generator *aio_generator_new_at(aio_site site, aio_generator_fn fn, void *arg,
                                            const aio_generator_options *options);
#define aio_generator_new(fn, arg, options)                                                        \
    aio_generator_new_at(AIO_SITE(fn), (fn), (arg), (options))

/** Take another reference. Since: 0.1 */
AIO_API aio_generator *aio_generator_ref(aio_generator *generator);
/**
 * Drop a reference; NULL is allowed. The last one closes the generator, inside this call; an
 * error that comes of it is logged, and a body that yields again loses its frames without being
 * unwound. Since: 0.1
 */
AIO_API void aio_generator_unref(aio_generator *generator);
AIO_DEFINE_AUTO(aio_generator)

/**
 * Run a generator up to its next yield.
 *
 * @param[out] ret_item  What it yields, as it is. Written on success only. May be NULL.
 * @return 0, or a negative code:
 *   AIO_ESTOP       it is over: see aio_generator_result()
 *   AIO_EVALUE      it is running already
 *   AIO_ERUNTIME    it belongs to another thread, or its body returned AIO_ESTOP
 *   AIO_ERECURSION  generators are nested more than AIO_GENERATOR_DEPTH deep
 *   AIO_ENOMEM      there is no stack for it
 *   any other       the code that its body returned, which ends it
 * Suspends: if the body does.   asyncio: next(generator)         Since: 0.1
 */
AIO_API int aio_next(aio_generator *generator, void **ret_item);

/**
 * The same with a value that its aio_yield() gives to the body.
 *
 * @param value  Passed on as it is. Not NULL before the first yield: AIO_ETYPE.
 * asyncio: generator.send()                                      Since: 0.1
 */
AIO_API int aio_generator_send(aio_generator *generator, void *value, void **ret_item);

/**
 * The same with an error that its aio_yield() returns to the body. A generator that has not
 * begun, or is over, ends and gives the error back.
 *
 * @param code  Negative, and the object that travels with it: aio_raise(AIO_EVALUE, "...").
 * asyncio: generator.throw()                                     Since: 0.1
 */
AIO_API int aio_generator_throw(aio_generator *generator, int code, void **ret_item);

/**
 * End a generator: AIO_EGENERATOREXIT comes out of its aio_yield(), for the body to clean up.
 *
 * @return 0, also if it is over; AIO_ERUNTIME if the body yields again (it is not over then),
 *         AIO_EVALUE if it is running, or another error of the body's.
 * Suspends: if the body does.   asyncio: generator.close()       Since: 0.1
 */
AIO_API int aio_generator_close(aio_generator *generator);

/** Whether the body has ended, or never will run. NULL counts as over. Since: 0.1 */
AIO_API bool aio_generator_done(const aio_generator *generator);

/**
 * What the body returned.
 *
 * @param[out] ret_result  Borrowed from the generator. Written on success only. May be
 *                         NULL.
 * @return 0, or AIO_EINVALIDSTATE unless the body has returned normally.
 * Suspends: no.   asyncio: StopIteration.value                   Since: 0.1
 */
AIO_API int aio_generator_result(const aio_generator *generator, void **ret_result);

/**
 * In a body: give a value to whoever runs the generator, and wait until it is run again.
 *
 * @param value          Passed on as it is.
 * @param[out] ret_sent  What aio_generator_send() brought; NULL after aio_next(). Written on
 *                       success only. May be NULL.
 * @return 0, or a negative code:
 *   AIO_EGENERATOREXIT  the generator is being closed
 *   AIO_ERUNTIME        not called by the body of a generator, or inside aio_context_run()
 *   any other           what was thrown in
 * asyncio: yield                                                 Since: 0.1
 */
AIO_API int aio_yield(void *value, void **ret_sent);

/**
 * In the body of a plain generator: yield what another one yields, to its end. What is sent,
 * thrown and closed goes to that one.
 *
 * @param generator        Borrowed. NULL gives the code of the failed constructor.
 * @param[out] ret_result  The other's result, borrowed from it. May be NULL.
 * @return 0, or as aio_yield() and aio_next().
 * asyncio: yield from                                            Since: 0.1
 */
AIO_API int aio_yield_from(aio_generator *generator, void **ret_result);

AIO_END_DECLS

#endif
