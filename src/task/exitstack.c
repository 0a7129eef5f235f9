/* SPDX-License-Identifier: MIT */
/*
 * exitstack.c - what is to be undone at the end of a block, in reverse order
 *
 * Invariants
 *   - An entry is off the stack before it runs: each runs once, and may push others.
 *   - The error on its way keeps its object through entries that have nothing to say about it.
 *
 * Thread: one at a time.
 */
#include "base/thread.h"
#include "future/future_internal.h"

#include <aio/exitstack.h>
#include <aio/memory.h>

enum { FIRST_CAPACITY = 8 };

/* Either a callback or an exit function. */
struct entry {
    int (*callback)(void *arg);
    aio_exit_fn exit;
    void *arg;
};

struct aio_exitstack {
    size_t refs;
    struct entry *entries; /* the last runs first */
    size_t count;
    size_t capacity;
};

aio_exitstack *aio_exitstack_new(void)
{
    aio_exitstack *stack = aio_calloc(1, sizeof(*stack));

    if (stack == NULL)
        return aio__failed(AIO_ENOMEM);
    stack->refs = 1;
    return stack;
}

aio_exitstack *aio_exitstack_ref(aio_exitstack *stack)
{
    if (stack != NULL)
        stack->refs++;
    return stack;
}

void aio_exitstack_unref(aio_exitstack *stack)
{
    if (stack == NULL || --stack->refs != 0)
        return;
    aio_free(stack->entries);
    aio_free(stack);
}

/* --- pushing --------------------------------------------------------------------------- */

/* Room for another entry. 0 or AIO_ENOMEM. */
static int reserve(aio_exitstack *stack)
{
    size_t capacity = stack->capacity == 0 ? FIRST_CAPACITY : stack->capacity * 2;
    struct entry *entries;

    if (stack->count < stack->capacity)
        return 0;
    if (capacity > SIZE_MAX / sizeof(*entries))
        return AIO_ENOMEM;
    entries = aio_realloc(stack->entries, capacity * sizeof(*entries));
    if (entries == NULL)
        return AIO_ENOMEM;
    stack->entries = entries;
    stack->capacity = capacity;
    return 0;
}

static int push(aio_exitstack *stack, struct entry entry)
{
    int err;

    if (stack == NULL)
        return aio__null_future();
    if (entry.exit == NULL && entry.callback == NULL)
        return aio_raise(AIO_EVALUE, "an exit stack needs a function");
    err = reserve(stack);
    if (err == 0)
        stack->entries[stack->count++] = entry;
    return err;
}

int aio_exitstack_push(aio_exitstack *stack, aio_exit_fn exit, void *context)
{
    return push(stack, (struct entry){.exit = exit, .arg = context});
}

int aio_exitstack_callback(aio_exitstack *stack, int (*fn)(void *arg), void *arg)
{
    return push(stack, (struct entry){.callback = fn, .arg = arg});
}

int aio_exitstack_enter(aio_exitstack *stack, const aio_context_manager *manager, void *context,
                        void **ret_value)
{
    void *value = NULL;
    int err;

    if (stack == NULL)
        return aio__null_future();
    if (manager == NULL || manager->size < sizeof(*manager) || manager->enter == NULL ||
        manager->exit == NULL)
        return aio_raise(AIO_ETYPE, "not an asynchronous context manager");

    err = reserve(stack);
    if (err == 0)
        err = manager->enter(context, &value);
    if (err < 0)
        return err;
    err = aio_exitstack_push(stack, manager->exit, context);
    if (err < 0) { /* others pushed while it waited, and what was entered must be left */
        (void)manager->exit(context, err);
        return AIO_ENOMEM;
    }
    if (ret_value != NULL)
        *ret_value = value;
    return 0;
}

aio_exitstack *aio_exitstack_pop_all(aio_exitstack *stack)
{
    aio_exitstack *other;

    if (stack == NULL)
        return aio__failed(aio__null_future());
    other = aio_exitstack_new();
    if (other == NULL)
        return NULL;
    other->entries = stack->entries;
    other->count = stack->count;
    other->capacity = stack->capacity;
    stack->entries = NULL;
    stack->count = stack->capacity = 0;
    return other;
}

/* --- unwinding ------------------------------------------------------------------------- */

/* Whether the object raised last belongs to a code. */
static bool has_object(int code)
{
    aio_exception **slot = aio__thread_error_slot(aio__thread_after_switch());

    return slot != NULL && aio_exception_code(*slot) == code;
}

/* One step: what the block ends with after it. */
static int run_entry(const struct entry *entry, int code)
{
    aio_exception *error = code < 0 && has_object(code) ? aio_error_catch(code) : NULL;
    int after;

    if (entry->callback != NULL) {
        after = entry->callback(entry->arg);
        if (after >= 0)
            after = code;
        else
            code = 0; /* replaced, if by the same code */
    } else {
        if (error != NULL)
            (void)aio_raise_exception(error); /* for it to look at */
        after = entry->exit(entry->arg, code);
    }
    if (error != NULL && after == code && !has_object(code))
        (void)aio_raise_exception(error);
    aio_exception_unref(error);
    return after > 0 ? 0 : after;
}

int aio_exitstack_exit(aio_exitstack *stack, int code)
{
    if (stack == NULL)
        return code < 0 ? code : aio__null_future();
    stack->refs++;
    while (stack->count > 0) {
        struct entry entry = stack->entries[--stack->count];

        code = run_entry(&entry, code);
    }
    aio_exitstack_unref(stack);
    return code;
}

int aio_exitstack_aclose(aio_exitstack *stack)
{
    return aio_exitstack_exit(stack, 0);
}
