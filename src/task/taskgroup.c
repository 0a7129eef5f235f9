/* SPDX-License-Identifier: MIT */
/*
 * taskgroup.c - tasks that end before the block that made them
 *
 * Happy path: children end one by one, the parent waits in exit for the last.
 * A child fails: its siblings are cancelled, and the parent if it is still in the body; that
 * request is taken back on exit, and the errors come out as one group.
 * The parent is cancelled: the children are cancelled and waited for, and AIO_ECANCELLED comes out
 * unless there are errors; then the group comes out and the cancellation is asked for again (S83).
 *
 * The group watches each child by a done callback, and is held by each that is registered.
 *
 * Thread: the loop's.
 */
#include "task/task_internal.h"

#include <aio/memory.h>
#include <aio/taskgroup.h>

/* A child that has not been noticed to be done. */
struct child {
    struct aio__list link;
    aio_taskgroup *group;
    aio_task *task; /* referenced */
};

struct aio_taskgroup {
    struct aio__scope scope;
    size_t refs;
    aio_loop *loop;           /* borrowed: groups and children count among its objects */
    struct aio__task *parent; /* referenced while entered */
    struct aio__list children;
    aio_exception **errors; /* in order of completion; referenced */
    size_t error_count;
    size_t error_capacity;
    aio_exception *base_error; /* the first that ends the run call; referenced */
    aio_future *on_completed;  /* what exit waits for, in its frame */
    bool entered;
    bool exiting;
    bool left;
    bool aborting;
    bool parent_cancel_requested;
};

static int leave_forgotten(struct aio__scope *scope, int code)
{
    return aio_taskgroup_exit(aio__container_of(scope, aio_taskgroup, scope), code);
}

aio_taskgroup *aio_taskgroup_new(void)
{
    aio_taskgroup *group = aio_calloc(1, sizeof(*group));

    if (group == NULL)
        return aio__failed(AIO_ENOMEM);
    group->refs = 1;
    group->scope.leave = leave_forgotten;
    aio__list_init(&group->children);
    return group;
}

aio_taskgroup *aio_taskgroup_ref(aio_taskgroup *group)
{
    if (group != NULL)
        group->refs++;
    return group;
}

void aio_taskgroup_unref(aio_taskgroup *group)
{
    if (group == NULL || --group->refs != 0)
        return;
    for (size_t i = 0; i < group->error_count; i++)
        aio_exception_unref(group->errors[i]);
    aio_free(group->errors);
    aio_exception_unref(group->base_error);
    aio_free(group);
}

int aio_taskgroup_enter(aio_taskgroup *group)
{
    struct aio__task *task;

    if (group == NULL)
        return aio__null_future();
    if (group->entered)
        return aio_raise(AIO_ERUNTIME, "TaskGroup has been already entered");
    task = aio__running_task();
    if (task == NULL)
        return aio_raise(AIO_ENOTASK, "TaskGroup cannot determine the parent task");
    group->entered = true;
    group->refs++;
    group->loop = task->fut.loop;
    group->parent = aio__task_of(aio_future_ref(&task->fut));
    aio__scope_push(task, &group->scope);
    return 0;
}

/* --- children -------------------------------------------------------------------------- */

static void abort_children(aio_taskgroup *group)
{
    group->aborting = true;
    AIO__LIST_FOREACH (link, &group->children) {
        aio_task *task = aio__container_of(link, struct child, link)->task;

        if (aio__future_is_pending(task))
            (void)aio_future_cancel(task, NULL);
    }
}

/* The error is taken. Without memory to keep it the group still fails, by the base error. */
static void add_error(aio_taskgroup *group, aio_exception *error)
{
    int code = aio_exception_code(error);

    if (group->error_count == group->error_capacity) {
        size_t capacity = group->error_capacity == 0 ? 4 : group->error_capacity * 2;
        aio_exception **errors = aio_realloc(group->errors, capacity * sizeof(aio_exception *));

        if (errors == NULL) {
            if (group->base_error == NULL)
                group->base_error = error;
            else
                aio_exception_unref(error);
            return;
        }
        group->errors = errors;
        group->error_capacity = capacity;
    }
    group->errors[group->error_count++] = error;
    if (group->base_error == NULL && aio__ends_run(code))
        group->base_error = aio_exception_ref(error);
}

static void child_failed(aio_taskgroup *group, aio_task *task)
{
    aio_exception *error = NULL;

    (void)aio_future_exception(task, &error);
    add_error(group, aio_exception_ref(error));
    if (group->parent == NULL || !aio__future_is_pending(&group->parent->fut)) {
        aio__loop_report(group->loop,
                         "A child task has errored out but its parent task is already "
                         "completed",
                         error, task);
        return;
    }
    if (group->aborting || group->parent_cancel_requested)
        return;
    abort_children(group);
    group->parent_cancel_requested = true;
    (void)aio_future_cancel(&group->parent->fut, NULL);
}

static int on_child_done(aio_future *task, void *arg)
{
    struct child *child = arg;
    aio_taskgroup *group = child->group;
    aio_loop *loop = group->loop;

    aio__list_remove(&child->link);
    aio__loop_free(loop, child, sizeof(*child));
    if (group->on_completed != NULL && aio__list_empty(&group->children) &&
        aio__future_is_pending(group->on_completed))
        aio__future_finish(group->on_completed, NULL, NULL);
    if (task->state == AIO__FUTURE_FAILED)
        child_failed(group, task);
    aio_future_unref(task);
    aio_taskgroup_unref(group);
    return 0;
}

aio_future *aio__taskgroup_outer(aio_done_fn fn, void *arg)
{
    const struct child *child = arg;

    if (fn != on_child_done || child->group->parent == NULL)
        return NULL;
    return &child->group->parent->fut;
}

static int check_create(const aio_taskgroup *group)
{
    if (group == NULL)
        return aio__null_future();
    if (!group->entered)
        return aio_raise(AIO_ERUNTIME, "TaskGroup has not been entered");
    if (group->left || (group->exiting && aio__list_empty(&group->children)))
        return aio_raise(AIO_ERUNTIME, "TaskGroup is finished");
    if (group->aborting)
        return aio_raise(AIO_ERUNTIME, "TaskGroup is shutting down");
    return 0;
}

/* The child is known to the group before it runs, for it may run eagerly and fail; the callback
 * comes through the queue in any case, so that the parent hears of it when it suspends (S50). */
static int adopt(aio_taskgroup *group, aio_task *task)
{
    struct child *child = aio__loop_alloc(group->loop, sizeof(*child));
    int err;

    if (child == NULL)
        return AIO_ENOMEM;
    child->group = group;
    child->task = task;
    err = aio__future_add_step(task, on_child_done, child);
    if (err < 0) {
        aio__loop_free(group->loop, child, sizeof(*child));
        return err;
    }
    aio_future_ref(task);
    group->refs++;
    aio__list_append(&group->children, &child->link);
    return 0;
}

aio_task *aio_taskgroup_create_task_at(aio_site site, aio_taskgroup *group, aio_coro_fn fn,
                                       void *arg, const aio_task_options *options)
{
    aio_task *task;
    int err = check_create(group);

    if (err < 0) {
        if (options != NULL && options->arg_destroy != NULL)
            options->arg_destroy(arg);
        return aio__failed(err);
    }
    task = aio_loop_create_task_at(site, group->loop, fn, arg, options);
    if (task == NULL)
        return NULL;
    err = adopt(group, task);
    if (err < 0) {
        /* It must not outlive the block unnoticed. */
        (void)aio_future_cancel(task, NULL);
        aio_future_unref(task);
        return aio__failed(err);
    }
    return task;
}

int aio_taskgroup_start_coroutine(aio_taskgroup *group, aio_coroutine *coro)
{
    int err;

    if (coro == NULL)
        return aio__null_future();
    if (!aio__is_coroutine(coro))
        return aio_raise(AIO_ETYPE, "a coroutine object was expected");
    err = check_create(group);
    if (err < 0) {
        (void)aio_coroutine_close(coro);
        return err;
    }
    err = aio_ensure_future(coro, group->loop);
    if (err == 0)
        err = adopt(group, coro);
    if (err < 0)
        (void)aio_future_cancel(coro, NULL); /* it must not outlive the block unnoticed */
    return err;
}

int aio_taskgroup_start_at(aio_site site, aio_taskgroup *group, aio_coro_fn fn, void *arg)
{
    aio_task *task = aio_taskgroup_create_task_at(site, group, fn, arg, NULL);

    if (task == NULL)
        return aio__null_future();
    aio_future_unref(task);
    return 0;
}

#undef aio_taskgroup_start
#undef aio_taskgroup_create_task
#undef aio_taskgroup_create_task_with

aio_task *aio_taskgroup_create_task(aio_taskgroup *group, aio_coro_fn fn, void *arg)
{
    return aio_taskgroup_create_task_at(aio_site_make(NULL, NULL, 0), group, fn, arg, NULL);
}

int aio_taskgroup_start(aio_taskgroup *group, aio_coro_fn fn, void *arg)
{
    return aio_taskgroup_start_at(aio_site_make(NULL, NULL, 0), group, fn, arg);
}

aio_task *aio_taskgroup_create_task_with(aio_taskgroup *group, aio_coro_fn fn, void *arg,
                                         const aio_task_options *options)
{
    return aio_taskgroup_create_task_at(aio_site_make(NULL, NULL, 0), group, fn, arg, options);
}

/* --- exit ------------------------------------------------------------------------------ */

/*
 * Wait until no child is left. The waiting can be cancelled several times; the first such starts
 * the abort and is what comes out if nothing failed (taken into *cancel).
 */
static int wait_for_children(aio_taskgroup *group, aio_exception **cancel)
{
    /* In this frame, so that the wait cannot fail for want of memory: nobody else keeps it. */
    static const struct aio__future_ops ops = {.name = "Future"};
    aio_future on_completed;

    while (!aio__list_empty(&group->children)) {
        int err;

        if (AIO__UNLIKELY(group->loop->closing))
            return aio__task_refuse(group->parent);
        aio__future_init(&on_completed, group->loop, &ops);
        group->on_completed = &on_completed;
        err = aio_await(&on_completed, NULL);
        aio_exception_unref(on_completed.error);
        group->on_completed = NULL;
        if (err == AIO_EGENERATOREXIT)
            return err;
        if (err < 0 && !group->aborting) {
            aio_exception_unref(*cancel);
            *cancel = aio_error_catch(err);
            abort_children(group);
        }
    }
    return 0;
}

static int raise_group(aio_taskgroup *group)
{
    aio_exception *error = aio_exception_group_new("unhandled errors in a TaskGroup", group->errors,
                                                   group->error_count);
    int code = aio_raise_exception(error);

    aio_exception_unref(error);
    return code;
}

/* What comes out of the block: base error, pure cancellation, error group, in that order.
 * `body` is what the body ended with, `cancel` the cancellation to pass on; both may be NULL. */
static int outcome(aio_taskgroup *group, aio_exception *body, aio_exception *cancel)
{
    aio_task *parent = &group->parent->fut;
    bool children_failed = group->error_count != 0;

    if (group->base_error != NULL)
        return aio_raise_exception(group->base_error);
    if (group->parent_cancel_requested && aio_task_uncancel(parent) == 0)
        cancel = NULL;
    if (cancel != NULL && group->error_count == 0)
        return aio_raise_exception(cancel);
    if (body != NULL && aio_exception_code(body) != AIO_ECANCELLED)
        add_error(group, aio_exception_ref(body));
    if (group->error_count == 0)
        return group->base_error != NULL ? aio_raise_exception(group->base_error) : 0;
    if (aio_task_cancelling(parent) != 0) {
        /* Asked for from outside as well: to be delivered at the next wait. */
        (void)aio_task_uncancel(parent);
        (void)aio_future_cancel(parent, NULL);
    }
    /* Who closes a generator waits for this error, and would take a group for a failure. */
    if (!children_failed && aio_exception_code(body) == AIO_EGENERATOREXIT)
        return aio_raise_exception(body);
    return raise_group(group);
}

int aio_taskgroup_exit(aio_taskgroup *group, int code)
{
    aio_exception *body;
    aio_exception *cancel;
    int err;

    if (group == NULL)
        return aio__null_future();
    if (!group->entered || group->exiting)
        return code < 0 ? code : aio_raise(AIO_ERUNTIME, "TaskGroup is not entered");

    group->exiting = true;
    body = code < 0 ? aio_error_catch(code) : NULL;
    cancel = code == AIO_ECANCELLED ? aio_exception_ref(body) : NULL;
    if (aio__ends_run(code) && group->base_error == NULL)
        group->base_error = aio_exception_ref(body);
    if (body != NULL && !group->aborting)
        abort_children(group);

    err = wait_for_children(group, &cancel);
    if (err == 0)
        err = outcome(group, body, cancel);
    group->left = true;
    aio__scope_remove(&group->scope);
    aio_future_unref(&group->parent->fut);
    group->parent = NULL;
    aio_exception_unref(cancel);
    aio_exception_unref(body);
    aio_taskgroup_unref(group);
    return err;
}
