/* SPDX-License-Identifier: MIT */
/*
 * context.h - context variables: values that follow a task and its callbacks
 *
 * Every task runs in a copy of its creator's context, every callback in a copy of the one
 * it was registered in. Copying costs the same whatever it holds. A thread that runs neither
 * has a context of its own.
 *
 * Variables, and the values in contexts, may be shared by threads: a value is freed in the
 * thread that drops the last context or token holding it. A context object, and a token, belong
 * to one thread at a time.
 */
#ifndef AIO_CONTEXT_H
#define AIO_CONTEXT_H

#include <aio/error.h>
#include <aio/type.h>

AIO_BEGIN_DECLS

/** A variable whose value depends on the current context. Make it once, keep it for ever. */
typedef struct aio_contextvar aio_contextvar;
/** The memory of one aio_contextvar_set(). */
typedef struct aio_token aio_token;

/**
 * Make a variable without a default.
 *
 * @param name  Copied. NULL is AIO_ETYPE.
 * @param type  How to free and print its values; borrowed for ever. NULL: neither.
 * @return Returned: aio_contextvar_unref() it; contexts that hold a value keep it. NULL when
 *         memory is short; functions that take a variable give the code for that NULL.
 * Thread: any.   asyncio: contextvars.ContextVar(name)           Since: 0.1
 */
AIO_API aio_contextvar *aio_contextvar_new(const char *name, const aio_type *type);
/** The same with a default, which is taken.   asyncio: ContextVar(name, default=)   Since: 0.1 */
AIO_API aio_contextvar *aio_contextvar_new_default(const char *name, const aio_type *type,
                                                   void *value);
/** Take another reference. Thread: any. Since: 0.1 */
AIO_API aio_contextvar *aio_contextvar_ref(aio_contextvar *var);
/** Drop a reference; NULL is allowed. Thread: any. Since: 0.1 */
AIO_API void aio_contextvar_unref(aio_contextvar *var);
AIO_DEFINE_AUTO(aio_contextvar)
/** The name, borrowed.   asyncio: ContextVar.name   Since: 0.1 */
AIO_API const char *aio_contextvar_name(const aio_contextvar *var);

/**
 * The value in the current context.
 *
 * @param[out] ret_value  Borrowed: valid until the variable is set anew in this context.
 *                        Without a value, the variable's default. May be NULL.
 * @return 0, or AIO_ELOOKUP if it has neither; @p ret_value is then untouched, so that it
 *         may hold a default of the caller's.
 * Thread: any.   Suspends: no.   asyncio: ContextVar.get()       Since: 0.1
 */
AIO_API int aio_contextvar_get(const aio_contextvar *var, void **ret_value);

/**
 * Set the value in the current context only.
 *
 * @param value           Taken on success.
 * @param[out] ret_token  Returned: aio_token_unref() it. May be NULL.
 * @return 0, or AIO_ENOMEM.
 * Thread: any.   Suspends: no.   asyncio: ContextVar.set()       Since: 0.1
 */
AIO_API int aio_contextvar_set(aio_contextvar *var, void *value, aio_token **ret_token);

/**
 * Bring back what a token remembers.
 *
 * @return 0, AIO_ERUNTIME if the token was used, AIO_EVALUE if it is of another variable or
 *         context, AIO_ENOMEM.
 * Thread: the token's.   Suspends: no.   asyncio: ContextVar.reset()   Since: 0.1
 */
AIO_API int aio_contextvar_reset(aio_contextvar *var, aio_token *token);

/**
 * End a block that began with aio_contextvar_set(): bring back what its token remembers.
 *
 * @param code  What the body ended with: 0 or a negative code.
 * @return @p code; where that is 0, as aio_contextvar_reset().
 * Thread: the token's.   Suspends: no.   asyncio: Token.__exit__()   Since: 0.1
 */
AIO_API int aio_token_exit(aio_token *token, int code);

/** Take another reference. Since: 0.1 */
AIO_API aio_token *aio_token_ref(aio_token *token);
/** Drop a reference; NULL is allowed. Since: 0.1 */
AIO_API void aio_token_unref(aio_token *token);
AIO_DEFINE_AUTO(aio_token)
/** The variable, borrowed.   asyncio: Token.var   Since: 0.1 */
AIO_API aio_contextvar *aio_token_var(const aio_token *token);
/** The former value, borrowed. false: there was none (Token.MISSING).
 *  asyncio: Token.old_value   Since: 0.1 */
AIO_API bool aio_token_old_value(const aio_token *token, void **ret_value);

/** An empty context. Returned: aio_context_unref() it. NULL when memory is short.
 *  asyncio: contextvars.Context()   Since: 0.1 */
AIO_API aio_context *aio_context_new(void);
/** A copy of the current context, in constant time. NULL when memory is short.
 *  asyncio: contextvars.copy_context()   Since: 0.1 */
AIO_API aio_context *aio_copy_context(void);
/** A copy of a context, in constant time.   asyncio: Context.copy()   Since: 0.1 */
AIO_API aio_context *aio_context_copy(const aio_context *context);
/** Take another reference. Thread: any. Since: 0.1 */
AIO_API aio_context *aio_context_ref(aio_context *context);
/** Drop a reference; NULL is allowed. Thread: any. Since: 0.1 */
AIO_API void aio_context_unref(aio_context *context);
AIO_DEFINE_AUTO(aio_context)

/**
 * Call a function with a context as the current one. What it sets stays in there.
 *
 * @return What @p fn returned; AIO_ERUNTIME if the context is entered already, in any
 *         thread, by another aio_context_run().
 * Suspends: if @p fn does.   asyncio: Context.run()              Since: 0.1
 */
AIO_API int aio_context_run(aio_context *context, int (*fn)(void *arg), void *arg);

/** The value of a variable in a context; its default does not count. false: none.
 *  asyncio: Context.get(), `var in context`   Since: 0.1 */
AIO_API bool aio_context_get(const aio_context *context, const aio_contextvar *var,
                             void **ret_value);
/** How many variables have a value.   asyncio: len(context)   Since: 0.1 */
AIO_API size_t aio_context_size(const aio_context *context);
/** The variable and value at an index below aio_context_size(), borrowed; false past it. Setting
 *  a variable may change indices.   asyncio: Context.items()   Since: 0.1 */
AIO_API bool aio_context_item(const aio_context *context, size_t index, aio_contextvar **ret_var,
                              void **ret_value);

AIO_END_DECLS

#endif
