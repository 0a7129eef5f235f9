/* SPDX-License-Identifier: MIT */
/*
 * exitstack.h - what is to be undone at the end of a block, in reverse order
 *
 *     AIO_AUTO(aio_exitstack) stack = aio_exitstack_new();  async with AsyncExitStack() as stack:
 *     int err = 0;
 *
 *     for (size_t i = 0; i < count && err == 0; i++)            for c in connections:
 *         err = aio_exitstack_enter(stack, &connection,             await
 *                                   &connections[i], NULL);             stack.enter_async_context(c)
 *     if (err == 0)
 *         err = talk(connections);                              await talk(connections)
 *     return aio_exitstack_exit(stack, err);
 *
 * An asynchronous context manager (`async with`) is a pair of functions throughout the library:
 * enter, and exit, which gets the code the block's body ended with and returns what the block
 * ends with. The stack holds any number of them, and plain callbacks.
 */
#ifndef AIO_EXITSTACK_H
#define AIO_EXITSTACK_H

#include <aio/error.h>

AIO_BEGIN_DECLS

/**
 * Leave a block, as the exit functions of timeouts, task groups, locks and the like do.
 *
 * @param context  What was entered.
 * @param code     0, or the negative code on its way; its object can be caught.
 * @return What goes on its way instead: @p code, 0 to suppress it, or another code.
 */
typedef int (*aio_exit_fn)(void *context, int code);

/** An asynchronous context manager of the program's. A constant. */
typedef struct aio_context_manager {
    size_t size; /**< sizeof(aio_context_manager) */
    /** Begin the block; 0, or a negative code: exit is not called then. */
    int (*enter)(void *context, void **ret_value);
    /** End the block. */
    aio_exit_fn exit;
} aio_context_manager;

/** A stack of exits. */
typedef struct aio_exitstack aio_exitstack;

/** Make an empty stack. Returned: aio_exitstack_unref() it. NULL when memory is short; functions
 *  that take a stack give the code for that NULL.   asyncio: contextlib.AsyncExitStack()
 *  Since: 0.1 */
AIO_API aio_exitstack *aio_exitstack_new(void);
/** Take another reference. Since: 0.1 */
AIO_API aio_exitstack *aio_exitstack_ref(aio_exitstack *stack);
/** Drop a reference; NULL is allowed. What is still on a stack that goes never runs: leave it
 *  with aio_exitstack_exit() first. Since: 0.1 */
AIO_API void aio_exitstack_unref(aio_exitstack *stack);
AIO_DEFINE_AUTO(aio_exitstack)

/**
 * Enter a context, and leave it with the stack.
 *
 * @param manager         Borrowed until the stack was left.
 * @param context         Given to both its functions; borrowed until then, too.
 * @param[out] ret_value  What its enter gave. Written on success only. May be NULL.
 * @return 0, what its enter failed with, AIO_ETYPE if one of the functions is missing, or
 *         AIO_ENOMEM; whatever fails, nothing is entered then.
 * Suspends, cancellation point: as its enter does.
 * asyncio: AsyncExitStack.enter_async_context()                  Since: 0.1
 */
AIO_API int aio_exitstack_enter(aio_exitstack *stack, const aio_context_manager *manager,
                                void *context, void **ret_value);

/**
 * Leave something that was entered already.
 *
 * @param context  Borrowed until the stack was left.
 * @return 0, AIO_EVALUE without a function, or AIO_ENOMEM: it is still the caller's to leave.
 * Suspends: no.   asyncio: AsyncExitStack.push_async_exit()      Since: 0.1
 */
AIO_API int aio_exitstack_push(aio_exitstack *stack, aio_exit_fn exit, void *context);

/**
 * Call a function at the end. It cannot suppress an error; one of its own replaces it.
 *
 * Otherwise as aio_exitstack_push().
 * asyncio: AsyncExitStack.push_async_callback(), .callback()     Since: 0.1
 */
AIO_API int aio_exitstack_callback(aio_exitstack *stack, int (*fn)(void *arg), void *arg);

/** Move everything to a new stack, which is returned; NULL when memory is short, and nothing is
 *  moved.   asyncio: AsyncExitStack.pop_all()   Since: 0.1 */
AIO_API aio_exitstack *aio_exitstack_pop_all(aio_exitstack *stack);

/**
 * End the block: run everything, the last first. Each gets the code that the one before it left.
 * All run, whatever the others return. The stack is empty then, and can be used again.
 *
 * @param code  What the body ended with: 0 or a negative code.
 * @return What is left of it after all.
 * Suspends, cancellation point: as its entries do.
 * asyncio: AsyncExitStack.__aexit__()                            Since: 0.1
 */
AIO_API int aio_exitstack_exit(aio_exitstack *stack, int code);
/** The same without an error.   asyncio: AsyncExitStack.aclose()   Since: 0.1 */
AIO_API int aio_exitstack_aclose(aio_exitstack *stack);

AIO_END_DECLS

#endif
