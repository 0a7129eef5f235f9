/* SPDX-License-Identifier: MIT */
/*
 * task.h - coroutines, the tasks that run them, awaiting and cancelling
 *
 * A coroutine is a function. Called by another it runs in the same task, as
 * `await other()` does. A task runs one on a stack of its own.
 */
#ifndef AIO_TASK_H
#define AIO_TASK_H

#include <aio/future.h>
#include <stdio.h>

AIO_BEGIN_DECLS

/**
 * A coroutine: `async def`.
 *
 * @param arg              What the task was given; lives at least as long as the call.
 * @param[out] ret_result  Where the result goes; holds NULL (None) at first. Never NULL.
 * @return 0, or a negative code; AIO_ECANCELLED makes the task a cancelled one.
 */
typedef int (*aio_coro_fn)(void *arg, void **ret_result);

/** Whether a task starts inside the call that makes it. */
typedef enum aio_eager_start {
    AIO_EAGER_DEFAULT, /**< as the loop's task factory does; without one: no */
    AIO_EAGER_NO,
    AIO_EAGER_YES
} aio_eager_start;

/** How a task or coroutine object is made. Zero in a field means the default. */
typedef struct aio_task_options {
    size_t size;          /**< sizeof(aio_task_options) */
    const char *name;     /**< copied; default Task-N */
    aio_context *context; /**< kept, and shared with others that use it; default: a copy of the
                               caller's */
    size_t arg_size;      /**< copy this many bytes of arg: the task gets the address of its own
                               copy, which lives as long as the task. 0: pass arg itself */
    void (*arg_destroy)(void *arg); /**< called once with what the coroutine gets, when the task
                               is done, started or not; also if making the task fails */
    const aio_type *result_type;    /**< how to free and print the result; default: neither */
    size_t stack_size;              /**< bytes; default: the loop's */
    aio_eager_start eager_start;    /**< run up to the first wait inside the call */
    aio_coroutine *coroutine; /**< set for a task factory alone, which passes it on: the coroutine
                               object that is to become the task */
} aio_task_options;

/** The defaults. */
#define AIO_TASK_OPTIONS_INIT AIO_SIZED(aio_task_options)

/** Where a task was made, and the coroutine's name: filled in by the macros below. */
typedef struct aio_site {
    const char *coroutine; /**< a string that lives for ever, or NULL */
    const char *file;      /**< likewise */
    int line;
} aio_site;

/** @name Making tasks
 *  The functions are also macros of the same name, which note the coroutine's name and
 *  the place of the call for reprs, reports and dumps. @{ */

/**
 * Make a task that runs fn(arg) on the running loop, from the next iteration on.
 *
 * @param fn   Must not be NULL.
 * @param arg  Borrowed until the task is done.
 * @return Returned: aio_future_unref() it, at any time: the loop holds a pending task.
 *         NULL when memory is short or no loop runs; awaiting that NULL gives the code.
 * Suspends: no.   asyncio: asyncio.create_task()                 Since: 0.1
 */
AIO_API aio_task *aio_create_task(aio_coro_fn fn, void *arg);

/** The same with a copy of @p size bytes of @p arg that lives as long as the task. Since: 0.1 */
AIO_API aio_task *aio_create_task_copy(aio_coro_fn fn, const void *arg, size_t size);

/** The same with options, which are borrowed; NULL: the defaults.
 *  asyncio: asyncio.create_task(name=, context=, eager_start=)   Since: 0.1 */
AIO_API aio_task *aio_create_task_with(aio_coro_fn fn, void *arg, const aio_task_options *options);

/** The same on a given loop, running or not.   asyncio: loop.create_task()   Since: 0.1 */
AIO_API aio_task *aio_loop_create_task(aio_loop *loop, aio_coro_fn fn, void *arg,
                                       const aio_task_options *options);

/**
 * Make a coroutine object: what calling an `async def` gives. Nothing runs until it is
 * awaited (aio_await() runs it in the calling task), or made a task by
 * aio_ensure_future(), gather, shield, wait_for or as_completed. It belongs to no loop
 * before that.
 *
 * @return Returned: aio_future_unref() it. NULL when memory is short.
 * Suspends: no.   asyncio: calling a coroutine function          Since: 0.1
 */
AIO_API aio_coroutine *aio_coroutine_new(aio_coro_fn fn, void *arg,
                                         const aio_task_options *options);

/** What the macros call; @p site is copied. Since: 0.1 */
AIO_API aio_task *aio_create_task_at(aio_site site, aio_coro_fn fn, void *arg,
                                     const aio_task_options *options);
/** Likewise. Since: 0.1 */
AIO_API aio_task *aio_create_task_copy_at(aio_site site, aio_coro_fn fn, const void *arg,
                                          size_t size);
/** Likewise. Since: 0.1 */
AIO_API aio_task *aio_loop_create_task_at(aio_site site, aio_loop *loop, aio_coro_fn fn, void *arg,
                                          const aio_task_options *options);
/** Likewise. Since: 0.1 */
AIO_API aio_coroutine *aio_coroutine_new_at(aio_site site, aio_coro_fn fn, void *arg,
                                            const aio_task_options *options);

/** The place of this line with a coroutine's name; for wrappers of the functions above. */
static inline aio_site aio_site_make(const char *coroutine, const char *file, int line)
{
    aio_site site;

    site.coroutine = coroutine;
    site.file = file;
    site.line = line;
    return site;
}
#if defined(__GNUC__) && !defined(__cplusplus)
/* Copied from a constant, which the compiler must not know: one that it puts together on the stack
 * is stored in pieces and read as a whole right after, which a processor has to wait for. */
#define AIO_SITE(fn)                                                                               \
    __extension__({                                                                                \
        static const aio_site aio_site_here = {#fn, __FILE__, __LINE__};                           \
        const aio_site *aio_site_at = &aio_site_here;                                              \
        __asm__("" : "+r"(aio_site_at));                                                           \
        *aio_site_at;                                                                              \
    })
#else
#define AIO_SITE(fn) aio_site_make(#fn, __FILE__, __LINE__)
#endif
#define aio_create_task(fn, arg) aio_create_task_at(AIO_SITE(fn), (fn), (arg), NULL)
#define aio_create_task_copy(fn, arg, size)                                                        \
    aio_create_task_copy_at(AIO_SITE(fn), (fn), (arg), (size))
#define aio_create_task_with(fn, arg, options)                                                     \
    aio_create_task_at(AIO_SITE(fn), (fn), (arg), (options))
#define aio_loop_create_task(loop, fn, arg, options)                                               \
    aio_loop_create_task_at(AIO_SITE(fn), (loop), (fn), (arg), (options))
#define aio_coroutine_new(fn, arg, options)                                                        \
    aio_coroutine_new_at(AIO_SITE(fn), (fn), (arg), (options))

/**
 * Make sure that something awaitable runs: a coroutine object becomes a task of @p loop
 * (in place: it is the same pointer), a future or task is given back as it is.
 *
 * @param loop  Borrowed; NULL: the running loop, else this thread's current one.
 * @return 0, or AIO_EVALUE if it belongs to another loop, AIO_ENOLOOP, AIO_ECLOSED,
 *         AIO_ENOMEM, AIO_ERUNTIME for a coroutine object that was awaited or closed; what
 *         the loop's task factory raised, which has closed it.
 * Suspends: no.   asyncio: asyncio.ensure_future()               Since: 0.1
 */
AIO_API int aio_ensure_future(aio_future *awaitable, aio_loop *loop);

/** What a coroutine object is doing. */
typedef enum aio_coroutine_state {
    AIO_CORO_CREATED,
    AIO_CORO_RUNNING,
    AIO_CORO_SUSPENDED,
    AIO_CORO_CLOSED
} aio_coroutine_state;

/** Whether it is a coroutine object that was made no task: the opposite of aio_isfuture() but for
 *  NULL, which is neither.   asyncio: asyncio.iscoroutine()   Since: 0.1 */
AIO_API bool aio_iscoroutine(const aio_future *awaitable);

/** The state of a coroutine object or of a task's coroutine.
 *  asyncio: inspect.getcoroutinestate()   Since: 0.1 */
AIO_API aio_coroutine_state aio_coroutine_get_state(const aio_coroutine *coro);
/** "CORO_CREATED", ...   Since: 0.1 */
AIO_API const char *aio_coroutine_state_name(aio_coroutine_state state);
/**
 * Close an unstarted coroutine object: it will never run. Nothing if it is closed.
 *
 * @return 0, or AIO_ERUNTIME if it runs or is a task.
 * Suspends: no.   asyncio: coroutine.close()                     Since: 0.1
 */
AIO_API int aio_coroutine_close(aio_coroutine *coro);

/**
 * Makes the tasks of a loop: of functions, and of coroutine objects wherever they become tasks.
 *
 * It may look at what it is given, wrap @p fn and @p arg in its own, change the options, and ends
 * with aio_task_new().
 *
 * @param arg      What arg_size says is to be copied lives as long as the call.
 * @param options  Borrowed; NULL: the defaults. A factory that makes options of its own begins
 *                 with a copy of these: with their coroutine the object becomes the task.
 * @return Returned: the task; of a coroutine object, that object. NULL, with the code raised and
 *         the argument destroyed: the object is closed then. So it is, with AIO_ERUNTIME, if the
 *         task is another; that one is cancelled.
 * Thread: the loop's.   asyncio: the factory(loop, coro, **kwargs) of set_task_factory()
 * Since: 0.1
 */
typedef aio_task *(*aio_task_factory_fn)(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                                         const aio_task_options *options, void *factory_arg);
/** Install a factory that makes every task from now on; NULL: the default.
 *  asyncio: loop.set_task_factory()   Since: 0.1 */
AIO_API void aio_loop_set_task_factory(aio_loop *loop, aio_task_factory_fn fn, void *factory_arg);
/** The factory installed, or NULL.   asyncio: loop.get_task_factory()   Since: 0.1 */
AIO_API aio_task_factory_fn aio_loop_get_task_factory(const aio_loop *loop);
/** Who makes a task in the place of aio_task_new(). */
typedef struct aio_task_constructor {
    aio_task_factory_fn fn;
    void *arg;
} aio_task_constructor;

/**
 * A ready-made factory that starts every task eagerly, unless it says AIO_EAGER_NO.
 *
 * @param factory_arg  NULL, or a `const aio_task_constructor *`, borrowed for as long as the
 *                     factory is installed: it gets the options with eager_start set.
 * Otherwise as aio_task_new().
 * asyncio: asyncio.eager_task_factory(), asyncio.create_eager_task_factory()   Since: 0.1
 */
AIO_API aio_task *aio_eager_task_factory(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                                         const aio_task_options *options, void *factory_arg);
/** The task a factory ends with: what create_task does without a factory. AIO_ERUNTIME for a
 *  coroutine object in the options that no factory is being asked for. Since: 0.1 */
AIO_API aio_task *aio_task_new(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                               const aio_task_options *options);
/** @} */

/** @name Waiting @{ */

/**
 * Wait until a future is done and give its outcome. Cancelling the calling task
 * meanwhile cancels the future (use aio_shield() to keep that from it).
 *
 * @param fut             Borrowed; held during the wait. A coroutine object runs here,
 *                        in the calling task.
 * @param[out] ret_value  The result, borrowed from @p fut. Written on success only. May
 *                        be NULL.
 * @return 0, the error @p fut ended with, or a negative code:
 *   AIO_ECANCELLED  the calling task, or the future, was cancelled
 *   AIO_ENOTASK     called outside a task; nothing has changed
 *   AIO_ERUNTIME    a future of another loop, or the calling task itself
 *
 * Suspends:            only while @p fut is not done
 * Cancellation point:  whenever it suspends
 * Thread:              the one running the future's loop
 * asyncio:             await fut                                 Since: 0.1
 */
AIO_API int aio_await(aio_future *fut, void **ret_value);

/**
 * Wait for a time. 0 and less give way to others for exactly one iteration.
 *
 * @param delay  Seconds on the loop's clock. NaN is AIO_EVALUE.
 * @return 0, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM, AIO_EVALUE.
 *
 * Suspends: always.   Cancellation point: yes.
 * asyncio: asyncio.sleep()                                       Since: 0.1
 */
AIO_API int aio_sleep(double delay);
/** @} */

/** @name Tasks @{ */

/**
 * The task that is running on a loop.
 *
 * @param loop  NULL: the running one.
 * @return Borrowed. NULL in plain callbacks, and without a loop (AIO_ENOLOOP is raised).
 * asyncio: asyncio.current_task()                                Since: 0.1
 */
AIO_API aio_task *aio_current_task(aio_loop *loop);

/**
 * The tasks of a loop that are not done, in the order they were made.
 *
 * @param loop            NULL: the running one.
 * @param[out] ret_tasks  An array, each task referenced: aio_task_list_free() it. NULL
 *                        if there are none.
 * @param[out] ret_count  How many.
 * @return 0, AIO_ENOMEM, AIO_ENOLOOP.
 * asyncio: asyncio.all_tasks()                                   Since: 0.1
 */
AIO_API int aio_all_tasks(aio_loop *loop, aio_task ***ret_tasks, size_t *ret_count);
/** Free what aio_all_tasks() gave. Since: 0.1 */
AIO_API void aio_task_list_free(aio_task **tasks, size_t count);

/**
 * Ask a task to end: AIO_ECANCELLED comes out of the call it waits in, in a later
 * iteration, even if what it waits for is done meanwhile. Every call on an unfinished
 * task counts (aio_task_cancelling()). A task that has not started never will.
 *
 * @param message  Copied. May be NULL.
 * @return false if it is done or no task.
 * Suspends: no.   asyncio: Task.cancel()                         Since: 0.1
 */
AIO_API bool aio_task_cancel(aio_task *task, const char *message);
/** Requests made and not taken back.   asyncio: Task.cancelling()   Since: 0.1 */
AIO_API unsigned aio_task_cancelling(const aio_task *task);
/** Take one request back, and the cancellation itself if none is left and it was not
 *  delivered yet. Returns what is left.   asyncio: Task.uncancel()   Since: 0.1 */
AIO_API unsigned aio_task_uncancel(aio_task *task);

/** Whether a future is a task.   Since: 0.1 */
AIO_API bool aio_future_is_task(const aio_future *fut);
/** The name; borrowed until it is set anew, "" for what is no task.
 *  asyncio: Task.get_name()   Since: 0.1 */
AIO_API const char *aio_task_get_name(aio_task *task);
/** Set the name, which is copied. 0, AIO_ENOMEM, AIO_ETYPE.   asyncio: Task.set_name()   Since: 0.1 */
AIO_API int aio_task_set_name(aio_task *task, const char *name);
/** The coroutine; NULL for a task that finished in its eager start.
 *  asyncio: Task.get_coro()   Since: 0.1 */
AIO_API aio_coro_fn aio_task_get_coro(const aio_task *task);
/** The context every step runs in, borrowed; NULL when memory is short or it is no task.
 *  asyncio: Task.get_context()   Since: 0.1 */
AIO_API aio_context *aio_task_get_context(aio_task *task);
/** @} */

AIO_END_DECLS

#endif
