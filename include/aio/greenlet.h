/* SPDX-License-Identifier: MIT */
/*
 * greenlet.h - stacks that switch to each other by hand
 *
 *     static int ping(void *arg, void *value, void **ret_result)
 *     {
 *         int err = aio_greenlet_switch(pong_greenlet, value, &value);
 *         ...
 *
 * A greenlet runs when somebody switches to it, until it switches to another, with no loop and
 * no order but the program's. When its function returns, its parent goes on. It belongs to
 * what made it, a thread or, inside a loop, a task, and takes turns with that and with the other
 * greenlets of it; inside a task it may wait as the task itself may.
 *
 * A value or an error passes with each switch. What is suspended when its thread ends, or when
 * nobody refers to it any more, gets AIO_EGENERATOREXIT out of its switch, so that its frames
 * unwind; a further switch of it gives that code again.
 *
 * asyncio: none of it; see Python's package greenlet.
 */
#ifndef AIO_GREENLET_H
#define AIO_GREENLET_H

#include <aio/error.h>

AIO_BEGIN_DECLS

/** A stack to switch to: not begun, suspended, running or dead. */
typedef struct aio_greenlet aio_greenlet;

/**
 * What a greenlet runs.
 *
 * @param arg              What the greenlet was made with; lives as long as the function runs.
 * @param value            What the first switch brought.
 * @param[out] ret_result  What the parent's switch gives; holds NULL at first. Never NULL.
 * @return 0, or a negative code, which the parent's switch returns. AIO_EGENERATOREXIT counts
 *         as a return of NULL.
 */
typedef int (*aio_greenlet_fn)(void *arg, void *value, void **ret_result);

/** How a greenlet is made. Zero in any field but size means the default. */
typedef struct aio_greenlet_options {
    size_t size;          /**< sizeof(aio_greenlet_options) */
    aio_greenlet *parent; /**< kept; default: the current greenlet */
    size_t arg_size;      /**< copy this many bytes of arg; the function gets the copy. 0: pass
                               arg itself */
    void (*arg_destroy)(void *arg); /**< called once with what the function gets, when it is
                               over, started or not; also if making the greenlet fails */
    size_t stack_size;              /**< bytes; default 64 KiB */
} aio_greenlet_options;

/** The defaults. */
#define AIO_GREENLET_OPTIONS_INIT AIO_SIZED(aio_greenlet_options)

/**
 * Make a greenlet. It runs from the first switch to it on, in a context (context.h) of its own
 * that is empty at first.
 *
 * @param fn       Must not be NULL.
 * @param arg      Borrowed until the function is over, if it is not copied.
 * @param options  Borrowed; NULL: the defaults.
 * @return Returned: aio_greenlet_unref() it. NULL when memory is short or an option is wrong;
 *         functions that take a greenlet give the code for that NULL.
 * asyncio: greenlet(run, parent)                                 Since: 0.1
 */
AIO_API aio_greenlet *aio_greenlet_new(aio_greenlet_fn fn, void *arg,
                                       const aio_greenlet_options *options);

/** Take another reference. Since: 0.1 */
AIO_API aio_greenlet *aio_greenlet_ref(aio_greenlet *greenlet);
/**
 * Drop a reference; NULL is allowed. With the last one a suspended greenlet is unwound: it
 * runs, with the caller as its parent, until its function is over. An error that comes of it
 * is logged. Since: 0.1
 */
AIO_API void aio_greenlet_unref(aio_greenlet *greenlet);
AIO_DEFINE_AUTO(aio_greenlet)

/**
 * Switch to a greenlet, and wait until somebody switches back.
 *
 * A dead one stands for its parent. Switching to the current one gives @p value back at once.
 *
 * @param value           Passed on as it is: to the function if it begins, else out of the
 *                        switch in which the greenlet waits.
 * @param[out] ret_value  What the switch back, or the end of a child, brings. Written on success
 *                        only. May be NULL.
 * @return 0, or a negative code:
 *   AIO_ERUNTIME        it belongs to another thread or task
 *   AIO_EGENERATOREXIT  the calling greenlet is being unwound
 *   AIO_ENOMEM          there is no stack for it
 *   any other           what was thrown in here, or what a child ended with
 * Suspends: the calling greenlet, not its task.   asyncio: greenlet.switch()   Since: 0.1
 */
AIO_API int aio_greenlet_switch(aio_greenlet *greenlet, void *value, void **ret_value);

/**
 * The same with an error that comes out of the switch in which the greenlet waits. One that
 * has not begun dies of it, and its parent gets the error.
 *
 * @param code  Negative, and the object that travels with it: aio_raise(AIO_EVALUE, "...").
 *              AIO_EGENERATOREXIT is what ends a greenlet by default.
 * asyncio: greenlet.throw()                                      Since: 0.1
 */
AIO_API int aio_greenlet_throw(aio_greenlet *greenlet, int code, void **ret_value);

/**
 * The greenlet that is running. The thread, and each task, count as one, without a parent.
 *
 * @return Returned: aio_greenlet_unref() it. NULL when memory is short.
 * asyncio: greenlet.getcurrent()                                 Since: 0.1
 */
AIO_API aio_greenlet *aio_greenlet_current(void);

/** The parent, borrowed; NULL for one that is a thread or a task.
 *  asyncio: greenlet.parent   Since: 0.1 */
AIO_API aio_greenlet *aio_greenlet_parent(const aio_greenlet *greenlet);

/**
 * Change the parent.
 *
 * @param parent  Kept.
 * @return 0, AIO_EVALUE if that would make a ring, AIO_ERUNTIME if the two belong to different
 *         threads or tasks, AIO_EATTRIBUTE if @p greenlet is a thread or a task.
 * asyncio: greenlet.parent = parent                              Since: 0.1
 */
AIO_API int aio_greenlet_set_parent(aio_greenlet *greenlet, aio_greenlet *parent);

/** Whether it has begun and not ended.   asyncio: bool(greenlet)   Since: 0.1 */
AIO_API bool aio_greenlet_active(const aio_greenlet *greenlet);
/** Whether it has ended; NULL counts as dead.   asyncio: greenlet.dead   Since: 0.1 */
AIO_API bool aio_greenlet_dead(const aio_greenlet *greenlet);

AIO_END_DECLS

#endif
