/* SPDX-License-Identifier: MIT */
/*
 * timeout.c - a limit in time for a block of code
 *
 * At the deadline the task is cancelled, once. On the way out that request is taken back, and the
 * cancellation becomes AIO_ETIMEDOUT if no other request is open beyond those that were on entry
 * (S58).
 *
 * Thread: the loop's.
 */
#include "task/task_internal.h"

#include <aio/timeout.h>
#include <math.h>

enum state { CREATED, ENTERED, EXPIRING, EXPIRED, EXITED };

struct aio_timeout {
    struct aio__scope scope;
    size_t refs;            /* the task's too, while entered */
    aio_loop *loop;         /* borrowed: timeouts count among its objects */
    double when;            /* AIO_FOREVER: no deadline */
    aio_handle *handle;     /* of the deadline; NULL: none is coming */
    struct aio__task *task; /* ENTERED, EXPIRING: referenced */
    unsigned cancelling;    /* of the task, on entry */
    enum state state;
};

static const char *const state_names[] = {"created", "active", "expiring", "expired", "finished"};

static int leave_forgotten(struct aio__scope *scope, int code)
{
    return aio_timeout_exit(aio__container_of(scope, aio_timeout, scope), code);
}

static aio_timeout *timeout_new(aio_loop *loop, double when)
{
    aio_timeout *timeout = aio__loop_alloc(loop, sizeof(*timeout));

    if (timeout == NULL)
        return aio__failed(AIO_ENOMEM);
    *timeout = (aio_timeout){
        .scope.leave = leave_forgotten,
        .refs = 1,
        .loop = loop,
        .when = when,
        .state = CREATED,
    };
    return timeout;
}

aio_timeout *aio_timeout_new_at(double when)
{
    aio_loop *loop = aio_get_running_loop();

    return loop == NULL ? aio__failed(AIO_ENOLOOP) : timeout_new(loop, when);
}

aio_timeout *aio_timeout_new(double delay)
{
    aio_loop *loop = aio_get_running_loop();

    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    return timeout_new(loop, aio_loop_time(loop) + delay);
}

aio_timeout *aio_timeout_ref(aio_timeout *timeout)
{
    if (timeout != NULL)
        timeout->refs++;
    return timeout;
}

void aio_timeout_unref(aio_timeout *timeout)
{
    if (timeout != NULL && --timeout->refs == 0)
        aio__loop_free(timeout->loop, timeout, sizeof(*timeout));
}

static int on_deadline(void *arg)
{
    aio_timeout *timeout = arg;

    timeout->state = EXPIRING;
    aio_handle_unref(timeout->handle);
    timeout->handle = NULL;
    (void)aio_future_cancel(&timeout->task->fut, NULL);
    return 0;
}

static void disarm(aio_timeout *timeout)
{
    aio_handle_cancel(timeout->handle);
    aio_handle_unref(timeout->handle);
    timeout->handle = NULL;
}

/* A deadline that is not in the future comes with the next iteration (S61). */
static int arm(aio_timeout *timeout, double when)
{
    aio_handle *handle = NULL;
    int err = 0;

    if (isnan(when))
        return aio_raise(AIO_EVALUE, "Invalid deadline: NaN (not a number)");
    if (when <= aio_loop_time(timeout->loop))
        err = aio_loop_call_soon(timeout->loop, on_deadline, timeout, &handle);
    else if (when != AIO_FOREVER)
        err = aio_loop_call_at(timeout->loop, when, on_deadline, timeout, &handle);
    if (err < 0)
        return err;
    disarm(timeout);
    timeout->handle = handle;
    timeout->when = when;
    return 0;
}

int aio_timeout_enter(aio_timeout *timeout)
{
    struct aio__task *task;
    int err;

    if (timeout == NULL)
        return aio__null_future();
    if (timeout->state != CREATED)
        return aio_raise(AIO_ERUNTIME, "Timeout has already been entered");
    task = aio__running_task();
    if (task == NULL)
        return aio_raise(AIO_ENOTASK, "Timeout should be used inside a task");
    err = arm(timeout, timeout->when);
    if (err < 0)
        return err;

    timeout->refs++;
    timeout->state = ENTERED;
    timeout->task = aio__task_of(aio_future_ref(&task->fut));
    timeout->cancelling = task->cancels;
    aio__scope_push(task, &timeout->scope);
    return 0;
}

int aio_timeout_reschedule(aio_timeout *timeout, double when)
{
    if (timeout == NULL)
        return aio__null_future();
    if (timeout->state == CREATED)
        return aio_raise(AIO_ERUNTIME, "Timeout has not been entered");
    if (timeout->state != ENTERED)
        return aio_raise(AIO_ERUNTIME, "Cannot change state of %s Timeout",
                         state_names[timeout->state]);
    return arm(timeout, when);
}

/* What the body's code becomes, once the deadline has passed. */
static int outcome_when_expired(aio_timeout *timeout, int code)
{
    aio_exception *cause;

    if (aio_task_uncancel(&timeout->task->fut) > timeout->cancelling || code != AIO_ECANCELLED)
        return code;
    cause = aio_error_catch(code);
    code = aio_raise_from(cause, AIO_ETIMEDOUT, "timed out");
    aio_exception_unref(cause);
    return code;
}

int aio_timeout_exit(aio_timeout *timeout, int code)
{
    struct aio__task *task;

    if (timeout == NULL)
        return aio__null_future();
    if (timeout->state != ENTERED && timeout->state != EXPIRING)
        return code < 0 ? code : aio_raise(AIO_ERUNTIME, "Timeout is not entered");

    disarm(timeout);
    if (timeout->state == EXPIRING) {
        timeout->state = EXPIRED;
        code = outcome_when_expired(timeout, code);
    } else {
        timeout->state = EXITED;
    }
    task = timeout->task;
    timeout->task = NULL;
    aio__scope_remove(&timeout->scope);
    aio_future_unref(&task->fut);
    aio_timeout_unref(timeout);
    return code;
}

double aio_timeout_when(const aio_timeout *timeout)
{
    return timeout == NULL ? NAN : timeout->when;
}

bool aio_timeout_expired(const aio_timeout *timeout)
{
    return timeout != NULL && (timeout->state == EXPIRING || timeout->state == EXPIRED);
}
