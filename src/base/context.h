/* SPDX-License-Identifier: MIT */
/*
 * context.h - captured contexts: what tasks, handles and callbacks keep of a context
 *
 * For whoever runs something later in the context of now. An aio__ctx is one word that owns
 * what it points to; the place it is kept in is a slot. A slot is made by capturing, costs no
 * allocation, and becomes a context object only when somebody asks for one.
 *
 *     slot = aio__ctx_capture();              registering
 *     aio__thread()->context = &slot;         running: what is set goes into the slot
 *     aio__thread()->context = former;
 *     aio__ctx_release(slot);
 *
 * Invariants
 *   - A bare map belongs to one slot as a whole: a change replaces the slot's word.
 *   - Once a slot holds a context object it holds that object to its end.
 *   - Capturing gives a map, never an object: only aio__ctx_share() makes two slots one
 *     context.
 *
 * Thread: a slot, and a context object, belong to one thread at a time; a captured slot may
 * be handed to another.
 */
#ifndef AIO__CONTEXT_H
#define AIO__CONTEXT_H

#include "base/thread.h"
#include "base/varmap.h"

struct aio_context {
    atomic_size_t refs;
    atomic_bool entered; /* by an aio_context_run(), or current where one was called */
    struct aio__varmap *map;
};

/* The slot that is current: the running task's or handle's, or the thread's own. */
static inline aio__ctx *aio__ctx_current(void)
{
    struct aio__thread *thread = aio__thread();

    return thread->context != NULL ? thread->context : &thread->own_context;
}

/* The context object in a slot, borrowed; NULL: it holds none so far. */
static inline aio_context *aio__ctx_peek_object(aio__ctx ctx)
{
    return (ctx.bits & 1) != 0 ? NULL : (aio_context *)ctx.bits;
}

/* The variables of a slot, borrowed. */
static inline struct aio__varmap *aio__ctx_map(aio__ctx ctx)
{
    if ((ctx.bits & 1) != 0)
        return (struct aio__varmap *)(ctx.bits - 1);
    return ctx.bits == 0 ? NULL : ((aio_context *)ctx.bits)->map;
}

/* A copy of the thread's current context. Allocates nothing and cannot fail. */
static inline aio__ctx aio__ctx_capture(void)
{
    struct aio__varmap *map = aio__ctx_map(*aio__ctx_current());

    if (map == NULL)
        return (aio__ctx){0};
    aio__varmap_ref(map);
    return (aio__ctx){(uintptr_t)map | 1};
}

/* That very context, kept: what is set in the slot is set in the context. */
aio__ctx aio__ctx_share(aio_context *context);

/* What aio__ctx_release() does for one that holds something. */
void aio__ctx_free(aio__ctx ctx);

/* Drop what a slot holds. */
static inline void aio__ctx_release(aio__ctx ctx)
{
    if (ctx.bits != 0)
        aio__ctx_free(ctx);
}

/* The context object of a slot, borrowed; made and put there if need be. NULL: no memory. */
aio_context *aio__ctx_object(aio__ctx *slot);

#endif
