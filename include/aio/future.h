/* SPDX-License-Identifier: MIT */
/*
 * future.h - a result that comes later, and the callbacks waiting for it
 *
 * A future is pending, finished (with a value or an error) or cancelled, and changes
 * once. Finishing one runs nobody: each callback is queued, in the order added.
 *
 * Every function that takes a future accepts NULL, the result of a constructor that
 * failed, and returns the code of that failure. Outside asyncio's rules a future
 * belongs to its loop's thread; from elsewhere use aio_loop_call_soon_threadsafe().
 */
#ifndef AIO_FUTURE_H
#define AIO_FUTURE_H

#include <aio/error.h>
#include <aio/type.h>

AIO_BEGIN_DECLS

/** Called when a future is done, through the loop's queue. Returns like aio_callback_fn. */
typedef int (*aio_done_fn)(aio_future *fut, void *arg);

/**
 * Make a pending future.
 *
 * @param loop  Borrowed. NULL: the running loop, else this thread's current one.
 * @return Returned: aio_future_unref() it. NULL when memory is short, there is no
 *         loop, or it is closed.
 * Suspends: no.   asyncio: loop.create_future(), asyncio.Future()   Since: 0.1
 */
AIO_API aio_future *aio_future_new(aio_loop *loop);

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_future *aio_future_ref(aio_future *fut);
/**
 * Drop a reference; NULL is allowed. When the last one goes, an error that nobody
 * looked at is reported ("Future exception was never retrieved"). A pending task is
 * held by its loop, so dropping a task never stops its work. Since: 0.1
 */
AIO_API void aio_future_unref(aio_future *fut);
AIO_DEFINE_AUTO(aio_future)
/** For AIO_AUTO(aio_task) and AIO_AUTO(aio_coroutine), which are futures. */
#define aio_task_auto_unref      aio_future_auto_unref
#define aio_coroutine_auto_unref aio_future_auto_unref

/**
 * Finish with a value.
 *
 * @param value  Kept as it is; see the typed form for values that own memory.
 * @return 0, or AIO_EINVALIDSTATE if it is done, AIO_ERUNTIME for a task; @p value
 *         is then still the caller's.
 * Suspends: no.   asyncio: Future.set_result()                   Since: 0.1
 */
AIO_API int aio_future_set_result(aio_future *fut, void *value);
/** The same with a value that the future destroys and prints by its type.
 *  @param type  Borrowed for ever: a constant.   Since: 0.1 */
AIO_API int aio_future_set_result_typed(aio_future *fut, void *value, const aio_type *type);

/**
 * Finish with an error. Until somebody looks at it, it is reported when the future goes.
 *
 * @param error  Kept. AIO_ESTOP is turned into AIO_ERUNTIME. NULL: AIO_ENOMEM.
 * @return As aio_future_set_result().
 * Suspends: no.   asyncio: Future.set_exception()                Since: 0.1
 */
AIO_API int aio_future_set_exception(aio_future *fut, aio_exception *error);
/** The same with the code just returned by a call, and the object that travels with it. Since: 0.1 */
AIO_API int aio_future_set_error(aio_future *fut, int code);

/**
 * Ask for cancellation. A plain future is cancelled at once; a task gets
 * AIO_ECANCELLED where it waits (see aio_task_cancel()); a gather passes it to its
 * children.
 *
 * @param message  Copied; travels with AIO_ECANCELLED. May be NULL.
 * @return false if it is done (or NULL), else true; for a gather whether any child took it.
 * Suspends: no.   asyncio: Future.cancel(), Task.cancel()        Since: 0.1
 */
AIO_API bool aio_future_cancel(aio_future *fut, const char *message);

/** Whether it is a future, tasks included: a coroutine object and NULL are none.
 *  asyncio: asyncio.isfuture()   Since: 0.1 */
AIO_API bool aio_isfuture(const aio_future *fut);

/** Finished or cancelled; NULL counts as done.   asyncio: Future.done()   Since: 0.1 */
AIO_API bool aio_future_done(const aio_future *fut);
/** Cancelled; not if AIO_ECANCELLED was set as error.   asyncio: Future.cancelled()   Since: 0.1 */
AIO_API bool aio_future_cancelled(const aio_future *fut);

/**
 * The outcome of a done future. Its error then counts as retrieved.
 *
 * @param[out] ret_value  Borrowed from @p fut. Written on success only. May be NULL.
 * @return 0, or AIO_EINVALIDSTATE while pending, AIO_ECANCELLED, or its error.
 * Suspends: no.   asyncio: Future.result()                       Since: 0.1
 */
AIO_API int aio_future_result(aio_future *fut, void **ret_value);

/**
 * The error of a done future, which then counts as retrieved.
 *
 * @param[out] ret_error  Borrowed from @p fut; NULL if it has none. May be NULL.
 * @return 0, AIO_EINVALIDSTATE while pending, or AIO_ECANCELLED.
 * Suspends: no.   asyncio: Future.exception()                    Since: 0.1
 */
AIO_API int aio_future_exception(aio_future *fut, aio_exception **ret_error);

/**
 * Queue fn(fut, arg) for when the future is done, or at once if it is. It runs in the
 * context of this moment. The same pair may be added several times.
 *
 * @param arg  Borrowed until it has run or was removed.
 * @return 0, AIO_ENOMEM, AIO_EVALUE without a function.
 * Suspends: no.   asyncio: Future.add_done_callback()            Since: 0.1
 */
AIO_API int aio_future_add_done_callback(aio_future *fut, aio_done_fn fn, void *arg);
/** The same in a given context, which is kept, and shared: not copied. NULL: as above.
 *  asyncio: Future.add_done_callback(context=)   Since: 0.1 */
AIO_API int aio_future_add_done_callback_in(aio_future *fut, aio_context *context, aio_done_fn fn,
                                            void *arg);

/**
 * Remove every equal pair that is not queued yet.
 *
 * @return How many were removed: 0 once the future is done.
 * Suspends: no.   asyncio: Future.remove_done_callback()         Since: 0.1
 */
AIO_API size_t aio_future_remove_done_callback(aio_future *fut, aio_done_fn fn, void *arg);

/** The type of the result, for a finished one that was given a type; else NULL. Since: 0.1 */
AIO_API const aio_type *aio_future_get_type(const aio_future *fut);

/** The loop it belongs to, borrowed; NULL for NULL.   asyncio: Future.get_loop()   Since: 0.1 */
AIO_API aio_loop *aio_future_get_loop(const aio_future *fut);

/**
 * Write a future as Python's repr does: "<Future pending>",
 * "<Task finished name='Task-2' coro=<fetch() done, defined at main.c:12> result='x'>".
 * The place is where the task was made: C cannot tell where a function stands.
 *
 * @return As snprintf.   asyncio: Future.__repr__(), Task.__repr__()   Since: 0.1
 */
AIO_API size_t aio_future_format(const aio_future *fut, char *buffer, size_t size);

AIO_END_DECLS

#endif
