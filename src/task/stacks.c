/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - a pool of fibers for each thread that has generators or greenlets
 *
 * Made at the first one, ended with the thread: what is still suspended then is unwound. In
 * the main thread that is the end of the process, which nobody needs to tidy up for.
 *
 * Invariants
 *   - Exactly one fiber is running: the loop's word counts while one dispatches in this thread,
 *     `running` otherwise. Beginning to dispatch and returning from it changes neither.
 */
#include "task/stacks.h"

#include "loop/sched.h"

#include <aio/error.h>
#include <aio/memory.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

/* Owners may make and end others of their kind while they unwind. */
static void end_owners(struct aio__stacks *stacks)
{
    struct aio__list *link;

    while ((link = aio__list_first(&stacks->owners)) != NULL) {
        struct aio__stack_owner *owner = aio__container_of(link, struct aio__stack_owner, link);

        aio__list_remove(link);
        owner->end(owner);
    }
}

void aio__stacks_end(void)
{
    struct aio__stacks *stacks = aio__thread()->stacks;

    if (stacks == NULL)
        return;
    end_owners(stacks);
    if (stacks->end_greenlets != NULL)
        stacks->end_greenlets(stacks);
    aio__thread()->stacks = NULL;
    aio__fiber_pool_free(stacks->pool);
    aio_free(stacks);
    (void)pthread_setspecific(key, NULL);
}

static void end_thread(void *arg)
{
    (void)arg;
    aio__stacks_end();
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, end_thread) == 0;
}

struct aio__stacks *aio__stacks(void)
{
    struct aio__thread *thread = aio__thread();
    struct aio__stacks *stacks = thread->stacks;

    if (stacks != NULL)
        return stacks;
    stacks = aio_calloc(1, sizeof(*stacks));
    if (stacks == NULL)
        return NULL;
    aio__list_init(&stacks->owners);
    if (aio__fiber_pool_new(NULL, &stacks->pool) < 0)
        goto free_stacks;
    if (pthread_once(&key_once, make_key) != 0 || !key_made ||
        pthread_setspecific(key, stacks) != 0)
        goto free_pool;
    thread->stacks = stacks;
    return stacks;

free_pool:
    aio__fiber_pool_free(stacks->pool);
free_stacks:
    aio_free(stacks);
    return NULL;
}

void aio__stack_owner_init(struct aio__stack_owner *owner, struct aio__stacks *stacks)
{
    owner->stacks = stacks;
    aio__list_append(&stacks->owners, &owner->link);
}

void aio__stack_owner_remove(struct aio__stack_owner *owner)
{
    aio__list_remove(&owner->link);
}

bool aio__stack_owner_is_here(const struct aio__stack_owner *owner, const char *what)
{
    if (AIO__LIKELY(owner->stacks != NULL && owner->stacks == aio__thread()->stacks))
        return true;
    (void)aio_raise(AIO_ERUNTIME, "this %s belongs to a different thread%s", what,
                    owner->stacks == NULL ? ", which has ended" : "");
    return false;
}

struct aio__fiber **aio__stacks_running(struct aio__stacks *stacks)
{
    struct aio__fiber **place = aio__current_fiber_place();

    if (place != NULL)
        return place;
    if (stacks->running == NULL)
        stacks->running = aio__fiber_root_init(&stacks->root);
    return &stacks->running;
}

static size_t copy_offset(size_t object_size)
{
    const size_t alignment = _Alignof(max_align_t);

    return (object_size + alignment - 1) / alignment * alignment;
}

void *aio__alloc_with_copy(size_t object_size, size_t arg_size)
{
    return arg_size > SIZE_MAX / 2 ? NULL : aio_calloc(1, copy_offset(object_size) + arg_size);
}

void *aio__copy_behind(void *object, size_t object_size, void *arg, size_t arg_size)
{
    char *copy = (char *)object + copy_offset(object_size);

    if (arg_size == 0)
        return arg;
    memcpy(copy, arg, arg_size);
    return copy;
}

aio_exception *aio__error_stash(void)
{
    aio_exception **slot = aio__thread_error_slot(aio__thread());
    aio_exception *error;

    if (slot == NULL)
        return NULL;
    error = *slot;
    *slot = NULL;
    return error;
}

void aio__error_unstash(aio_exception *error)
{
    aio_exception **slot = aio__thread_error_slot(aio__thread_after_switch());

    if (slot == NULL)
        return;
    aio_exception_unref(*slot);
    *slot = error;
}
