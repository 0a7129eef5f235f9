/* SPDX-License-Identifier: MIT */
/*
 * taskgroup.h - tasks that end before the block that made them
 *
 *     AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
 *
 *     err = aio_taskgroup_enter(group);
 *     if (err < 0)
 *         return err;
 *     err = aio_taskgroup_start(group, fetch, &a);
 *     if (err == 0)
 *         err = aio_taskgroup_start(group, fetch, &b);
 *     err = aio_taskgroup_exit(group, err);
 *
 * The first child that fails cancels the others and the body; leaving the block waits for
 * all of them and gives the errors as one group.
 */
#ifndef AIO_TASKGROUP_H
#define AIO_TASKGROUP_H

#include <aio/task.h>

AIO_BEGIN_DECLS

typedef struct aio_taskgroup aio_taskgroup;

/** Make a group. Returned: aio_taskgroup_unref() it. NULL when memory is short.
 *  asyncio: asyncio.TaskGroup()   Since: 0.1 */
AIO_API aio_taskgroup *aio_taskgroup_new(void);
/** Take another reference. Since: 0.1 */
AIO_API aio_taskgroup *aio_taskgroup_ref(aio_taskgroup *group);
/** Drop a reference; NULL is allowed. One that is entered is held by its task. Since: 0.1 */
AIO_API void aio_taskgroup_unref(aio_taskgroup *group);
AIO_DEFINE_AUTO(aio_taskgroup)

/**
 * Begin the block in the calling task, which becomes the parent.
 *
 * @return 0, AIO_ERUNTIME if it was entered before, AIO_ENOTASK, AIO_ENOMEM.
 * Suspends: no.   asyncio: TaskGroup.__aenter__()                Since: 0.1
 */
AIO_API int aio_taskgroup_enter(aio_taskgroup *group);

/**
 * End the block: wait for all children, whatever happens.
 *
 * A task whose coroutine returns inside the block leaves it as if by AIO_ERUNTIME.
 *
 * @param code  What the body ended with: 0 or a negative code. A negative one cancels the
 *              children.
 * @return 0, or a negative code:
 *   AIO_EGROUP      children, or the body, failed: aio_error_catch() gives the members,
 *                   children first in the order in which they ended
 *   AIO_ECANCELLED  the parent was cancelled and nothing failed
 *   AIO_EKEYBOARDINTERRUPT, AIO_ESYSTEMEXIT   from a child or the body, alone
 *   AIO_EGENERATOREXIT  from the body, while no child failed: a generator is closed inside the
 *                   block, or the loop
 *   AIO_ERUNTIME    not entered, or left before
 * Suspends:            while children run
 * Cancellation point:  yes; it then cancels the children, and still waits for them
 * asyncio:             TaskGroup.__aexit__()                     Since: 0.1
 */
AIO_API int aio_taskgroup_exit(aio_taskgroup *group, int code);

/**
 * Start a child. As aio_create_task(), of which it has the forms.
 *
 * @return Returned. NULL on failure, AIO_ERUNTIME before the block, while it shuts down
 *         after an error, and after its end.
 * Suspends: no.   asyncio: TaskGroup.create_task()               Since: 0.1
 */
AIO_API aio_task *aio_taskgroup_create_task(aio_taskgroup *group, aio_coro_fn fn, void *arg);
/**
 * The same for a child that nobody asks for by itself: the group holds it, and tells of its
 * error.
 *
 * @return 0, or the code for which aio_taskgroup_create_task() gives NULL.   Since: 0.1
 */
AIO_API int aio_taskgroup_start(aio_taskgroup *group, aio_coro_fn fn, void *arg);
/**
 * Start a coroutine object as a child; it becomes a task in place.
 *
 * @param coro  Borrowed; the group holds the task it becomes. Where the group refuses it, it is
 *              closed.
 * @return As aio_taskgroup_start(); AIO_ETYPE for a future that is no coroutine object.
 * Suspends: no.   asyncio: TaskGroup.create_task(coro)           Since: 0.1
 */
AIO_API int aio_taskgroup_start_coroutine(aio_taskgroup *group, aio_coroutine *coro);
/** The same with options. Since: 0.1 */
AIO_API aio_task *aio_taskgroup_create_task_with(aio_taskgroup *group, aio_coro_fn fn, void *arg,
                                                 const aio_task_options *options);
/** What the macros call. Since: 0.1 */
AIO_API aio_task *aio_taskgroup_create_task_at(aio_site site, aio_taskgroup *group, aio_coro_fn fn,
                                               void *arg, const aio_task_options *options);
/** Likewise. Since: 0.1 */
AIO_API int aio_taskgroup_start_at(aio_site site, aio_taskgroup *group, aio_coro_fn fn, void *arg);
#define aio_taskgroup_start(group, fn, arg)                                                        \
    aio_taskgroup_start_at(AIO_SITE(fn), (group), (fn), (arg))
#define aio_taskgroup_create_task(group, fn, arg)                                                  \
    aio_taskgroup_create_task_at(AIO_SITE(fn), (group), (fn), (arg), NULL)
#define aio_taskgroup_create_task_with(group, fn, arg, options)                                    \
    aio_taskgroup_create_task_at(AIO_SITE(fn), (group), (fn), (arg), (options))

AIO_END_DECLS

#endif
