/* SPDX-License-Identifier: MIT */
/*
 * asyncgen.c - asynchronous generators, and the loop's knowledge of them
 *
 * The rules of Python's asynchronous generators around a body that yields. The body runs in the
 * task that iterates; when it waits, that task is suspended on the body's fiber.
 *
 * Invariants
 *   - A generator is in its loop's registry from its first step until it is over or the loop
 *     is closed; `loop` is set for just that time.
 *   - A body is RUNNING from the call that resumes it to its yield, whatever it waits for
 *     meanwhile: another task that asks is refused.
 *
 * Thread: the loop's.
 */
#include "task/generator_internal.h"
#include "task/task_internal.h"

#include "base/log.h"

#include <aio/asyncgen.h>
#include <aio/gather.h>
#include <aio/memory.h>
#include <inttypes.h>
#include <stdio.h>

enum { REPORT_TEXT = 256 };

struct aio_asyncgen {
    aio_iterator iterator; /* first: it is one */
    size_t refs;
    struct aio__body body;
    aio_loop *loop;        /* borrowed; NULL: it is in no registry */
    struct aio__list link; /* in live or asked */
    bool closed;           /* aclose() has begun, or the end was seen */
    bool finalizing;       /* its last reference went, and a task closes it */
};

/* What a loop knows of its generators. */
struct registry {
    struct aio__list live;  /* in the order of their first steps */
    struct aio__list asked; /* asked to close by the shutdown, no longer live to it */
    struct aio__close_hook hook;
    bool shut_down;
};

static aio_asyncgen *linked(struct aio__list *link)
{
    return aio__container_of(link, aio_asyncgen, link);
}

/* --- the registry ---------------------------------------------------------------------- */

static void leave_registry(aio_asyncgen *generator)
{
    aio__list_remove(&generator->link);
    generator->loop = NULL;
}

/* The loop is being closed: who is dropped from now on unwinds by itself. */
static void end_registry(struct aio__close_hook *hook, aio_loop *loop)
{
    struct registry *registry = aio__container_of(hook, struct registry, hook);
    struct aio__list *link;

    aio__list_append_all(&registry->live, &registry->asked);
    while ((link = aio__list_first(&registry->live)) != NULL)
        leave_registry(linked(link));
    loop->asyncgens = NULL;
    aio_free(registry);
}

/* The registry of a loop that is not being closed. NULL: no memory. */
static struct registry *registry_of(aio_loop *loop)
{
    struct registry *registry = loop->asyncgens;

    if (registry != NULL)
        return registry;
    registry = aio_calloc(1, sizeof(*registry));
    if (registry == NULL)
        return NULL;
    aio__list_init(&registry->live);
    aio__list_init(&registry->asked);
    registry->hook.fn = end_registry;
    aio__list_append(&loop->close_hooks, &registry->hook.link);
    loop->asyncgens = registry;
    return registry;
}

/* The first step. 0 or AIO_ENOMEM. */
static int enter_registry(aio_asyncgen *generator, aio_loop *loop)
{
    struct registry *registry;

    if (loop->closing)
        return 0;
    registry = registry_of(loop);
    if (registry == NULL)
        return AIO_ENOMEM;
    if (registry->shut_down)
        aio__log(AIO_LOG_WARNING,
                 "asynchronous generator '%s' was scheduled after aio_loop_shutdown_asyncgens()",
                 aio__body_name(&generator->body));
    generator->loop = loop;
    aio__list_append(&registry->live, &generator->link);
    return 0;
}

/* --- life ------------------------------------------------------------------------------ */

static int next_item(aio_iterator *iterator, void **ret_item)
{
    return aio_asyncgen_asend(aio__container_of(iterator, aio_asyncgen, iterator), NULL, ret_item);
}

static const aio_iterator_ops asyncgen_ops = {.size = sizeof(asyncgen_ops), .next = next_item};

/* The thread ends. */
static void end_with_thread(struct aio__stack_owner *owner)
{
    aio_asyncgen *generator = aio__container_of(owner, aio_asyncgen, body.owner);

    leave_registry(generator);
    generator->refs++; /* frames that go may hold the others */
    aio__body_unwind(&generator->body);
    owner->stacks = NULL;
    aio_asyncgen_unref(generator);
}

aio_asyncgen *aio_asyncgen_new_at(aio_site site, aio_generator_fn fn, void *arg,
                                  const aio_generator_options *options)
{
    aio_asyncgen *generator = aio__body_alloc(sizeof(*generator), options);
    int err = AIO_ENOMEM;

    if (generator != NULL)
        err =
            aio__body_init(&generator->body, site, fn, arg, options, generator, sizeof(*generator));
    if (err < 0) {
        aio_free(generator);
        aio__body_drop_refused_arg(arg, options);
        return aio__failed(err);
    }
    generator->iterator.ops = &asyncgen_ops;
    generator->refs = 1;
    generator->body.is_async = true;
    generator->body.owner.end = end_with_thread;
    aio__list_init(&generator->link);
    return generator;
}

#undef aio_asyncgen_new
aio_asyncgen *aio_asyncgen_new(aio_generator_fn fn, void *arg, const aio_generator_options *options)
{
    return aio_asyncgen_new_at(aio_site_make(NULL, NULL, 0), fn, arg, options);
}

aio_asyncgen *aio_asyncgen_ref(aio_asyncgen *generator)
{
    if (generator != NULL)
        generator->refs++;
    return generator;
}

static int close_dropped(void *arg, void **ret_result)
{
    return aio_asyncgen_aclose(arg);
}

static void drop(void *arg)
{
    aio_asyncgen_unref(arg);
}

/*
 * The last reference of a suspended generator goes: let a task of its loop have it, which
 * closes it. If there is none to be had, or the loop is closed before it ran, the reference
 * comes back by drop(), and the body is unwound without waiting.
 */
static void hand_to_loop(aio_asyncgen *generator)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    generator->finalizing = true;
    options.arg_destroy = drop;
    aio_future_unref(aio_loop_create_task_at(aio_site_make("aclose", __FILE__, __LINE__),
                                             generator->loop, close_dropped, generator, &options));
}

void aio_asyncgen_unref(aio_asyncgen *generator)
{
    if (generator == NULL)
        return;
    if (generator->refs == 1 && generator->body.state != AIO__BODY_OVER) {
        if (generator->body.state == AIO__BODY_SUSPENDED && generator->loop != NULL &&
            !generator->finalizing) {
            hand_to_loop(generator);
            return;
        }
        aio__body_unwind(&generator->body);
    }
    if (--generator->refs != 0)
        return;
    leave_registry(generator);
    aio__body_destroy(&generator->body);
    aio_free(generator);
}

aio_iterator *aio_asyncgen_iterator(aio_asyncgen *generator)
{
    return generator == NULL ? NULL : &generator->iterator;
}

bool aio_asyncgen_done(const aio_asyncgen *generator)
{
    return generator == NULL || generator->body.state == AIO__BODY_OVER;
}

/* --- running --------------------------------------------------------------------------- */

/* 0 if a generator can be resumed, or AIO_ESTOP if it is over. */
static int check(const aio_asyncgen *generator, const char *what)
{
    if (generator == NULL)
        return aio__null_future();
    if (generator->body.state == AIO__BODY_OVER)
        return AIO_ESTOP;
    if (!aio__stack_owner_is_here(&generator->body.owner, "asynchronous generator"))
        return AIO_ERUNTIME;
    if (generator->body.state == AIO__BODY_RUNNING)
        return aio_raise(AIO_ERUNTIME, "%s(): asynchronous generator is already running", what);
    return 0;
}

static int resume(aio_asyncgen *generator, int code, void *value, void **ret_item)
{
    struct aio__task *task = aio__running_task();
    int err;

    if (task == NULL)
        return AIO_ENOTASK;
    if (generator->body.state == AIO__BODY_CREATED && generator->loop == NULL) {
        err = enter_registry(generator, task->fut.loop);
        if (err < 0)
            return err;
    }
    generator->refs++;
    err = aio__body_resume(&generator->body, code, value, ret_item);
    if (generator->body.state == AIO__BODY_OVER) {
        generator->closed = true;
        leave_registry(generator);
    }
    aio_asyncgen_unref(generator);
    return err;
}

int aio_asyncgen_asend(aio_asyncgen *generator, void *value, void **ret_item)
{
    int err = check(generator, "anext");

    if (err < 0)
        return err;
    if (value != NULL && generator->body.state == AIO__BODY_CREATED)
        return aio_raise(AIO_ETYPE, "can't send non-None value to a just-started async generator");
    return resume(generator, 0, value, ret_item);
}

/* It never begins. */
static void give_up(aio_asyncgen *generator)
{
    generator->closed = true;
    aio__body_give_up(&generator->body);
    leave_registry(generator);
}

int aio_asyncgen_athrow(aio_asyncgen *generator, int code, void **ret_item)
{
    int err = check(generator, "athrow");

    if (code >= 0)
        return aio_raise(AIO_ETYPE, "an error to throw is below 0, not %d", code);
    if (err == AIO_ESTOP) {
        if (ret_item != NULL)
            *ret_item = NULL;
        return 0;
    }
    if (err < 0)
        return err;
    if (generator->closed)
        return AIO_ESTOP;
    if (generator->body.state == AIO__BODY_SUSPENDED)
        return resume(generator, code, NULL, ret_item);
    give_up(generator);
    return code;
}

int aio_asyncgen_aclose(aio_asyncgen *generator)
{
    int err = check(generator, "aclose");

    if (err < 0)
        return err == AIO_ESTOP ? 0 : err;
    generator->closed = true;
    if (generator->body.state == AIO__BODY_CREATED) {
        give_up(generator);
        return 0;
    }
    err = resume(generator, AIO_EGENERATOREXIT, NULL, NULL);
    if (err == 0)
        return aio_raise(AIO_ERUNTIME, "async generator ignored GeneratorExit");
    return err == AIO_ESTOP || err == AIO_EGENERATOREXIT ? 0 : err;
}

/* --- shutting down --------------------------------------------------------------------- */

/* The generators that a shutdown closes, and the tasks that do it. */
struct shutdown {
    size_t count;
    aio_asyncgen **generators; /* one reference each */
    aio_task **tasks;          /* one reference each, or NULL */
};

/* Take all that are live now. 0 or AIO_ENOMEM. */
static int collect(struct registry *registry, struct shutdown *shutdown)
{
    size_t count = 0;

    AIO__LIST_FOREACH (link, &registry->live)
        count++;
    shutdown->generators = aio_calloc(count, sizeof(*shutdown->generators));
    shutdown->tasks = aio_calloc(count, sizeof(aio_task *));
    if (shutdown->generators == NULL || shutdown->tasks == NULL)
        return AIO_ENOMEM;
    AIO__LIST_FOREACH (link, &registry->live)
        shutdown->generators[shutdown->count++] = aio_asyncgen_ref(linked(link));
    aio__list_append_all(&registry->asked, &registry->live);
    return 0;
}

static void release(struct shutdown *shutdown)
{
    for (size_t i = 0; i < shutdown->count; i++) {
        aio_future_unref(shutdown->tasks[i]);
        aio_asyncgen_unref(shutdown->generators[i]);
    }
    aio_free(shutdown->generators);
    aio_free(shutdown->tasks);
}

/* Report the errors of the bodies; what is no ordinary error is nobody's business (S170). */
static void report(aio_loop *loop, const struct shutdown *shutdown, const aio_outcomes *outcomes)
{
    for (size_t i = 0; i < outcomes->count; i++) {
        char message[REPORT_TEXT];

        if (!aio_error_is(outcomes->items[i].code, AIO_EEXCEPTION))
            continue;
        (void)snprintf(message, sizeof(message),
                       "an error occurred during closing of asynchronous generator "
                       "<async_generator object %s at 0x%" PRIxPTR ">",
                       aio__body_name(&shutdown->generators[i]->body),
                       (uintptr_t)shutdown->generators[i]);
        aio__loop_report(loop, message, outcomes->items[i].error, NULL);
    }
}

static int close_all(aio_loop *loop, struct shutdown *shutdown)
{
    aio_site site = aio_site_make("aclose", __FILE__, __LINE__);
    aio_future *all;
    void *outcomes = NULL;
    int err;

    for (size_t i = 0; i < shutdown->count; i++) {
        shutdown->tasks[i] =
            aio_loop_create_task_at(site, loop, close_dropped, shutdown->generators[i], NULL);
        if (shutdown->tasks[i] == NULL)
            return aio__null_future();
    }
    all = aio_gather(shutdown->tasks, shutdown->count, AIO_RETURN_EXCEPTIONS);
    err = aio_await(all, &outcomes);
    if (err == 0)
        report(loop, shutdown, outcomes);
    aio_future_unref(all);
    return err;
}

int aio_loop_shutdown_asyncgens(aio_loop *loop)
{
    struct shutdown shutdown = {0};
    struct registry *registry;
    int err;

    if (aio__running_task() == NULL)
        return AIO_ENOTASK;
    if (loop == NULL || loop != aio__thread()->running)
        return aio_raise(AIO_ERUNTIME, "not the running event loop");
    registry = registry_of(loop);
    if (registry == NULL)
        return AIO_ENOMEM;
    registry->shut_down = true;
    if (aio__list_empty(&registry->live))
        return 0;

    err = collect(registry, &shutdown);
    if (err == 0)
        err = close_all(loop, &shutdown);
    release(&shutdown);
    return err;
}
