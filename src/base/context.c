/* SPDX-License-Identifier: MIT */
/*
 * context.c - context variables, the contexts that hold their values, and tokens
 *
 * Owns struct aio_context and struct aio_token; the map inside is varmap.c's, and which
 * context is current is said by the thread structure.
 *
 * Invariants
 *   - A change is complete before the value it replaces is destroyed: a destructor may use
 *     context variables itself.
 *   - entered is true from the start of an aio_context_run() to its end, for the context it
 *     enters and for the one it is called in.
 *
 * Thread: variables and tokens' values are counted atomically; see context.h for the rest.
 */
#include "base/context.h"

#include "base/error.h"

#include <aio/memory.h>
#include <assert.h>
#include <string.h>

struct aio_token {
    atomic_size_t refs;
    aio_contextvar *var;   /* one reference */
    aio_context *context;  /* one reference: where it is good */
    struct aio__cell *old; /* one reference; NULL: the variable had no value */
    bool used;
};

/* The next variable's id. */
static _Atomic(uint64_t) next_id;

/* --- variables --- */

static aio_contextvar *var_new(const char *name, const aio_type *type)
{
    aio_contextvar *var;
    size_t length;

    if (name == NULL)
        return aio__failed(aio_raise(AIO_ETYPE, "context variable name must be a string"));
    length = strlen(name);
    var = aio_calloc(1, sizeof(*var) + length + 1);
    if (var == NULL)
        return aio__failed(AIO_ENOMEM);
    atomic_init(&var->refs, 1);
    var->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    var->type = type;
    memcpy(var->name, name, length);
    return var;
}

aio_contextvar *aio_contextvar_new(const char *name, const aio_type *type)
{
    return var_new(name, type);
}

aio_contextvar *aio_contextvar_new_default(const char *name, const aio_type *type, void *value)
{
    aio_contextvar *var = var_new(name, type);

    if (var == NULL)
        return NULL;
    var->default_value = value;
    var->has_default = true;
    return var;
}

aio_contextvar *aio_contextvar_ref(aio_contextvar *var)
{
    if (var != NULL)
        atomic_fetch_add_explicit(&var->refs, 1, memory_order_relaxed);
    return var;
}

void aio_contextvar_unref(aio_contextvar *var)
{
    if (var == NULL || atomic_fetch_sub_explicit(&var->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (var->has_default && var->type != NULL && var->type->destroy != NULL)
        var->type->destroy(var->default_value);
    aio_free(var);
}

const char *aio_contextvar_name(const aio_contextvar *var)
{
    return var == NULL ? "" : var->name;
}

int aio_contextvar_get(const aio_contextvar *var, void **ret_value)
{
    const struct aio__cell *cell;

    if (var == NULL)
        return aio__null_future();
    cell = aio__varmap_find(aio__ctx_map(*aio__ctx_current()), var);
    if (cell == NULL && !var->has_default)
        return AIO_ELOOKUP;
    if (ret_value != NULL)
        *ret_value = cell != NULL ? cell->value : var->default_value;
    return 0;
}

/* --- slots --- */

aio__ctx aio__ctx_share(aio_context *context)
{
    return (aio__ctx){(uintptr_t)aio_context_ref(context)};
}

void aio__ctx_free(aio__ctx ctx)
{
    if ((ctx.bits & 1) != 0)
        aio__varmap_unref((struct aio__varmap *)(ctx.bits - 1));
    else
        aio_context_unref((aio_context *)ctx.bits);
}

/* Whether something put into a slot is sure to be dropped: a thread's own ends with it. */
static bool slot_is_cleaned_up(const aio__ctx *slot)
{
    struct aio__thread *thread = aio__thread();

    return slot != &thread->own_context || aio__thread_ends_clean(thread);
}

/* A context holding a map, of which a reference is taken. NULL, and nothing is taken. */
static aio_context *context_new(struct aio__varmap *map)
{
    aio_context *context = aio_malloc(sizeof(*context));

    if (context == NULL)
        return aio__failed(AIO_ENOMEM);
    atomic_init(&context->refs, 1);
    atomic_init(&context->entered, false);
    context->map = map;
    return context;
}

aio_context *aio__ctx_object(aio__ctx *slot)
{
    aio_context *context = aio__ctx_peek_object(*slot);

    if (context != NULL)
        return context;
    if (!slot_is_cleaned_up(slot))
        return NULL;
    context = context_new(aio__ctx_map(*slot));
    if (context != NULL)
        slot->bits = (uintptr_t)context;
    return context;
}

/* Change the map of a slot: put a cell in, or (NULL) take the variable's cell out. */
static int slot_change(aio__ctx *slot, const aio_contextvar *var, struct aio__cell *cell,
                       struct aio__cell **ret_old)
{
    aio_context *context = aio__ctx_peek_object(*slot);
    struct aio__varmap *map = aio__ctx_map(*slot);
    int err = cell != NULL ? aio__varmap_put(&map, cell, ret_old)
                           : aio__varmap_remove(&map, var, ret_old);

    /* Also after a failure: the same entries may lie in a new map. */
    if (context != NULL)
        context->map = map;
    else
        slot->bits = map == NULL ? 0 : (uintptr_t)map | 1;
    return err;
}

/* --- setting and bringing back --- */

/* A token for the current context. It has no old value yet. */
static aio_token *token_new(aio_contextvar *var, aio__ctx *slot)
{
    aio_context *context = aio__ctx_object(slot);
    aio_token *token;

    if (context == NULL)
        return NULL;
    token = aio_malloc(sizeof(*token));
    if (token == NULL)
        return NULL;
    atomic_init(&token->refs, 1);
    token->var = aio_contextvar_ref(var);
    token->context = aio_context_ref(context);
    token->old = NULL;
    token->used = false;
    return token;
}

int aio_contextvar_set(aio_contextvar *var, void *value, aio_token **ret_token)
{
    aio__ctx *slot = aio__ctx_current();
    struct aio__cell *old = NULL;
    aio_token *token = NULL;
    struct aio__cell *cell;
    int err = AIO_ENOMEM;

    if (var == NULL)
        return aio__null_future();
    if (!slot_is_cleaned_up(slot))
        return AIO_ENOMEM;
    if (ret_token != NULL) {
        token = token_new(var, slot);
        if (token == NULL)
            return AIO_ENOMEM;
    }
    cell = aio__cell_new(var, value);
    if (cell == NULL)
        goto drop_token;
    err = slot_change(slot, var, cell, &old);
    if (err < 0)
        goto drop_cell;
    aio__cell_unref(cell); /* the map has it */

    if (token != NULL) {
        token->old = old;
        *ret_token = token;
    } else {
        aio__cell_unref(old);
    }
    return 0;

drop_cell:
    aio__cell_discard(cell);
drop_token:
    aio_token_unref(token);
    return err;
}

int aio_contextvar_reset(aio_contextvar *var, aio_token *token)
{
    aio__ctx *slot = aio__ctx_current();
    struct aio__cell *old = NULL;
    int err = 0;

    if (var == NULL || token == NULL)
        return aio__null_future();
    if (token->used)
        return aio_raise(AIO_ERUNTIME, "the token has already been used once");
    if (token->var != var)
        return aio_raise(AIO_EVALUE, "the token was created by a different ContextVar");
    if (token->context != aio__ctx_peek_object(*slot))
        return aio_raise(AIO_EVALUE, "the token was created in a different Context");

    assert(token->context != NULL); /* a token has the object it was made in */
    if (token->old != NULL || aio__varmap_find(token->context->map, var) != NULL)
        err = slot_change(slot, var, token->old, &old);
    if (err < 0)
        return err;
    token->used = true;
    aio__cell_unref(old);
    return 0;
}

int aio_token_exit(aio_token *token, int code)
{
    aio_exception *error = code < 0 ? aio_error_catch(code) : NULL;
    int err = aio_contextvar_reset(aio_token_var(token), token);

    if (error == NULL)
        return err;
    /* The body's error goes before ours. */
    (void)aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

aio_token *aio_token_ref(aio_token *token)
{
    if (token != NULL)
        atomic_fetch_add_explicit(&token->refs, 1, memory_order_relaxed);
    return token;
}

void aio_token_unref(aio_token *token)
{
    if (token == NULL || atomic_fetch_sub_explicit(&token->refs, 1, memory_order_acq_rel) != 1)
        return;
    aio__cell_unref(token->old);
    aio_context_unref(token->context);
    aio_contextvar_unref(token->var);
    aio_free(token);
}

aio_contextvar *aio_token_var(const aio_token *token)
{
    return token == NULL ? NULL : token->var;
}

bool aio_token_old_value(const aio_token *token, void **ret_value)
{
    if (token == NULL || token->old == NULL)
        return false;
    if (ret_value != NULL)
        *ret_value = token->old->value;
    return true;
}

/* --- contexts --- */

aio_context *aio_context_new(void)
{
    return context_new(NULL);
}

aio_context *aio_copy_context(void)
{
    aio__ctx captured = aio__ctx_capture();
    aio_context *context = context_new(aio__ctx_map(captured));

    if (context == NULL)
        aio__ctx_release(captured);
    return context;
}

aio_context *aio_context_copy(const aio_context *context)
{
    aio_context *copy;

    if (context == NULL)
        return aio__failed(aio__null_future());
    copy = context_new(context->map);
    if (copy != NULL && copy->map != NULL)
        aio__varmap_ref(copy->map);
    return copy;
}

aio_context *aio_context_ref(aio_context *context)
{
    if (context != NULL)
        atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void aio_context_unref(aio_context *context)
{
    if (context == NULL || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1)
        return;
    aio__varmap_unref(context->map);
    aio_free(context);
}

int aio_context_run(aio_context *context, int (*fn)(void *arg), void *arg)
{
    aio__ctx *former = aio__thread()->context;
    aio_context *outer = aio__ctx_peek_object(*aio__ctx_current());
    bool marked_outer;
    aio__ctx slot;
    int err;

    if (context == NULL)
        return aio__null_future();
    if (fn == NULL)
        return aio_raise(AIO_EVALUE, "a function is needed");
    if (outer == context || atomic_exchange(&context->entered, true))
        return aio_raise(AIO_ERUNTIME, "cannot enter context: it is already entered");

    /* The caller's own context, a task's say, is entered as well while fn runs. */
    marked_outer = outer != NULL && !atomic_exchange(&outer->entered, true);
    slot = aio__ctx_share(context);
    aio__thread()->context = &slot;
    err = fn(arg);
    aio__thread_after_switch()->context = former;

    if (marked_outer)
        atomic_store(&outer->entered, false);
    atomic_store(&context->entered, false);
    aio__ctx_release(slot);
    return err;
}

bool aio_context_get(const aio_context *context, const aio_contextvar *var, void **ret_value)
{
    const struct aio__cell *cell;

    if (context == NULL || var == NULL)
        return false;
    cell = aio__varmap_find(context->map, var);
    if (cell != NULL && ret_value != NULL)
        *ret_value = cell->value;
    return cell != NULL;
}

size_t aio_context_size(const aio_context *context)
{
    return context == NULL ? 0 : aio__varmap_size(context->map);
}

bool aio_context_item(const aio_context *context, size_t index, aio_contextvar **ret_var,
                      void **ret_value)
{
    const struct aio__cell *cell = context == NULL ? NULL : aio__varmap_at(context->map, index);

    if (cell == NULL)
        return false;
    if (ret_var != NULL)
        *ret_var = cell->var;
    if (ret_value != NULL)
        *ret_value = cell->value;
    return true;
}
