/* SPDX-License-Identifier: MIT */
/*
 * generator_body.c - running a body to its next yield, on a stack of its own
 *
 * Resuming switches from the caller's fiber to the body's; yielding, and the end, switch back.
 * The caller may be anything: a thread's own stack, a task's, another body's. A body that waits
 * in a task suspends that task as any function would, with the body's fiber as the place where
 * the task goes on.
 *
 * Invariants
 *   - A body has a fiber exactly while it is SUSPENDED or RUNNING.
 *   - While it is RUNNING its caller stands in aio__body_resume(), and holds the object.
 *   - The error object that belongs to a code handed over, either way, lies in the running
 *     strand's slot: caller and body are one strand.
 */
#include "task/generator_internal.h"

#include "base/error.h"
#include "base/log.h"
#include "base/type.h"
#include "task/task_internal.h"

static struct aio__fiber *body_base(struct aio__fiber *self);

/* The body that runs on a fiber; NULL if that is somebody else's. */
static struct aio__body *body_on(const struct aio__fiber *fiber)
{
    return aio__fiber_runs(fiber) == body_base ? aio__fiber_user(fiber) : NULL;
}

struct aio__fiber *aio__body_caller(const struct aio__fiber *fiber, struct aio__stacks **ret_stacks)
{
    const struct aio__body *body = body_on(fiber);

    if (body == NULL || body->state != AIO__BODY_RUNNING)
        return NULL;
    *ret_stacks = body->owner.stacks;
    return body->caller;
}

struct aio__scope **aio__body_scopes(const struct aio__fiber *fiber)
{
    struct aio__body *body = body_on(fiber);

    return body == NULL ? NULL : &body->scopes;
}

/* --- making ---------------------------------------------------------------------------- */

void *aio__body_alloc(size_t object_size, const aio_generator_options *options)
{
    return aio__alloc_with_copy(object_size, options != NULL ? options->arg_size : 0);
}

int aio__body_init(struct aio__body *body, aio_site site, aio_generator_fn fn, void *arg,
                   const aio_generator_options *options, void *object, size_t object_size)
{
    static const aio_generator_options defaults = AIO_GENERATOR_OPTIONS_INIT;
    const aio_generator_options *want = options != NULL ? options : &defaults;
    struct aio__stacks *stacks;

    if (fn == NULL)
        return aio_raise(AIO_EVALUE, "a generator needs a function");
    if (want->size < sizeof(*want) || (want->arg_size != 0 && arg == NULL))
        return aio_raise(AIO_EVALUE, "bad generator options");
    stacks = aio__stacks();
    if (stacks == NULL)
        return AIO_ENOMEM;

    body->name = site.coroutine;
    body->fn = fn;
    body->arg = aio__copy_behind(object, object_size, arg, want->arg_size);
    body->arg_destroy = want->arg_destroy;
    body->result_type = want->result_type;
    body->stack_size = want->stack_size;
    body->state = AIO__BODY_CREATED;
    aio__stack_owner_init(&body->owner, stacks);
    return 0;
}

void aio__body_drop_refused_arg(void *arg, const aio_generator_options *options)
{
    if (options != NULL && options->size >= sizeof(*options) && options->arg_destroy != NULL)
        options->arg_destroy(arg);
}

/* --- the end --------------------------------------------------------------------------- */

/* The destructor may raise: what the body raised has to survive it. */
static void drop_arg(struct aio__body *body)
{
    void (*destroy)(void *) = body->arg_destroy;
    aio_exception *error;

    if (destroy == NULL)
        return;
    body->arg_destroy = NULL;
    error = aio__error_stash();
    destroy(body->arg);
    aio__error_unstash(error);
}

static void end(struct aio__body *body)
{
    body->state = AIO__BODY_OVER;
    body->fiber = NULL;
    body->caller = NULL;
    aio__stack_owner_remove(&body->owner);
    drop_arg(body);
}

/* The end of the values is the body's return; as a code out of a body it is a mistake (PEP
 * 479), which would look like that end. */
static int refuse_stop(const struct aio__body *body)
{
    aio_exception *cause = aio_error_catch(AIO_ESTOP);
    int code = aio_raise_from(cause, AIO_ERUNTIME, "%s",
                              body->is_async ? "async generator raised StopAsyncIteration"
                                             : "generator raised StopIteration");

    aio_exception_unref(cause);
    return code;
}

static struct aio__fiber *body_base(struct aio__fiber *self)
{
    struct aio__body *body = aio__fiber_user(self);
    struct aio__fiber *caller;
    int code = body->fn(body->arg, &body->result);

    if (body->scopes != NULL)
        code = aio__scopes_leave(&body->scopes, body->name, code);
    if (code == AIO_ESTOP)
        code = refuse_stop(body);
    body->returned = code >= 0;
    body->code = code >= 0 ? AIO_ESTOP : code;
    if (!body->returned)
        body->result = NULL;

    caller = body->caller;
    end(body);
    aio__fiber_give(self);
    *aio__stacks_running(body->owner.stacks) = caller;
    return caller;
}

void aio__body_give_up(struct aio__body *body)
{
    if (body->state == AIO__BODY_SUSPENDED)
        aio__fiber_abandon(body->fiber);
    while (body->scopes != NULL) {
        struct aio__scope *scope = body->scopes;

        body->scopes = scope->outer;
        scope->list = NULL;
    }
    end(body);
}

static void log_ignored(const struct aio__body *body, int code)
{
    aio__log(AIO_LOG_ERROR, "Exception ignored while closing generator '%s': %s: %s",
             aio__body_name(body), aio_error_name(code), aio_error_text(code));
}

void aio__body_unwind(struct aio__body *body)
{
    aio_exception *error;
    int code;

    if (body->state == AIO__BODY_SUSPENDED) {
        error = aio__error_stash();
        code = aio__body_resume(body, AIO_EGENERATOREXIT, NULL, NULL);
        if (code == 0)
            aio__log(AIO_LOG_ERROR, "generator '%s' ignored GeneratorExit", aio__body_name(body));
        else if (code != AIO_ESTOP && code != AIO_EGENERATOREXIT)
            log_ignored(body, code);
        aio__error_unstash(error);
    }
    if (body->state == AIO__BODY_SUSPENDED || body->state == AIO__BODY_CREATED)
        aio__body_give_up(body);
}

void aio__body_destroy(struct aio__body *body)
{
    if (body->returned)
        aio__value_destroy(body->result_type, body->result);
}

/* --- running --------------------------------------------------------------------------- */

/* Bodies that begin bodies without end are stopped before memory is. */
static int begin(struct aio__body *body, const struct aio__fiber *caller)
{
    const struct aio__body *outer = body_on(caller);

    body->depth = outer != NULL ? outer->depth + 1 : 2; /* the first caller counts */
    if (body->depth > AIO_GENERATOR_DEPTH)
        return aio_raise(AIO_ERECURSION, "maximum recursion depth exceeded");
    return aio__fiber_take(body->owner.stacks->pool, body->stack_size, body_base, body,
                           &body->fiber);
}

int aio__body_resume(struct aio__body *body, int code, void *value, void **ret_item)
{
    struct aio__fiber **running = aio__stacks_running(body->owner.stacks);

    if (body->state == AIO__BODY_CREATED) {
        int err = begin(body, *running);

        if (err < 0)
            return err;
    }
    body->state = AIO__BODY_RUNNING;
    body->caller = *running;
    body->context = aio__thread()->context;
    body->code = code;
    body->value = value;
    aio__stacks_switch(body->owner.stacks, running, body->fiber);

    if (body->state == AIO__BODY_OVER)
        return body->code;
    if (ret_item != NULL)
        *ret_item = body->value;
    return 0;
}

int aio_yield(void *value, void **ret_sent)
{
    struct aio__stacks *stacks = aio__thread()->stacks;
    struct aio__fiber **running = stacks != NULL ? aio__stacks_running(stacks) : NULL;
    struct aio__body *body = running != NULL ? body_on(*running) : NULL;
    struct aio__fiber *caller;

    if (body == NULL || body->state != AIO__BODY_RUNNING)
        return aio_raise(AIO_ERUNTIME, "aio_yield() works only in the body of a generator");
    if (aio__thread()->context != body->context)
        return aio_raise(AIO_ERUNTIME, "a generator cannot yield inside aio_context_run()");

    caller = body->caller;
    body->state = AIO__BODY_SUSPENDED;
    body->caller = NULL;
    body->value = value;
    aio__stacks_switch(stacks, running, caller);

    if (body->code < 0)
        return body->code;
    if (ret_sent != NULL)
        *ret_sent = body->value;
    return 0;
}
