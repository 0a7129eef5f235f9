/* SPDX-License-Identifier: MIT */
/*
 * future.c - a result that comes later, and the callbacks waiting for it
 *
 * Owns struct aio_future and its chain of waiters: done callbacks and suspended strands, in the
 * order in which they came, each with a node that the ready queue takes as it is. Finishing
 * moves the whole chain there.
 *
 * Invariants
 *   - The state leaves PENDING once, and never changes again.
 *   - Finishing a future runs no callback: each is queued, in the order added (S16).
 *   - A future does not reference itself through its callbacks while it is pending; each that is
 *     queued holds it until it has run.
 *   - An error nobody looked at is reported when the last reference goes (S23).
 *
 * Thread: the loop's.
 */
#include "future/future_internal.h"

#include "base/error.h"
#include "loop/origin.h"

#include <aio/memory.h>
#include <aio/task.h>
#include <assert.h>
#include <string.h>

const struct aio__future_ops aio__future_plain = {.name = "Future", .size = sizeof(aio_future)};

/* --- life ------------------------------------------------------------------------------ */

void aio__future_trace(aio_future *fut)
{
    if (!(fut->flags & AIO__FUTURE_TRACED) && aio__origin_note(fut->loop, fut))
        fut->flags |= AIO__FUTURE_TRACED;
}

aio_future *aio_future_new(aio_loop *loop)
{
    aio_future *fut;

    loop = aio__loop_or_current(loop);
    if (loop == NULL)
        return aio__failed(AIO_ENOLOOP);
    if (loop->closed)
        return aio__failed(aio_raise(AIO_ECLOSED, "Event loop is closed"));
    fut = aio__loop_alloc(loop, sizeof(*fut));
    if (fut == NULL)
        return aio__failed(AIO_ENOMEM);
    aio__future_init(fut, loop, &aio__future_plain);
    return fut;
}

aio_future *aio_future_ref(aio_future *fut)
{
    if (fut != NULL)
        fut->refs++;
    return fut;
}

static void report_unretrieved(aio_future *fut)
{
    char message[64] = "";

    aio__future_disarm(fut);
    (void)strncat(message, fut->ops->name, sizeof(message) - 40);
    (void)strcat(message, " exception was never retrieved");
    fut->refs++; /* for as long as the handler looks at it */
    aio__loop_report(fut->loop, message, fut->error, fut);
    fut->refs--;
}

static void free_callbacks(aio_future *fut);

/* What others have noted about it. */
static void forget_notes(aio_future *fut)
{
    if (fut->flags & AIO__FUTURE_TRACED)
        aio__origin_forget(fut->loop, fut);
    if (fut->flags & AIO__FUTURE_AWAITED)
        aio__awaited_forget(fut);
}

/* What few have: an error, a value to destroy, callbacks that nobody will call. false: whoever was
 * told of the error has kept it. */
static AIO__NOINLINE bool strip(aio_future *fut)
{
    if (AIO__UNLIKELY(fut->flags & AIO__FUTURE_REPORT)) {
        report_unretrieved(fut);
        if (fut->refs != 0)
            return false;
    }
    if (AIO__UNLIKELY(fut->last != NULL))
        free_callbacks(fut);
    if (AIO__UNLIKELY(fut->state != AIO__FUTURE_FINISHED))
        aio_exception_unref(fut->error);
    else if (fut->value != NULL && fut->type != NULL && fut->type->destroy != NULL)
        fut->type->destroy(fut->value);
    if (AIO__UNLIKELY(fut->flags & (AIO__FUTURE_TRACED | AIO__FUTURE_AWAITED)))
        forget_notes(fut);
    return true;
}

static AIO__NOINLINE void dispose(aio_future *fut)
{
    const struct aio__future_ops *ops = fut->ops;

    ops->dispose(fut);
    if (AIO__LIKELY(ops->size != 0)) /* else that has freed what the future is part of */
        aio__loop_free(fut->loop, fut, ops->size);
}

void aio__future_free(aio_future *fut)
{
    const int noted = AIO__FUTURE_REPORT | AIO__FUTURE_TRACED | AIO__FUTURE_AWAITED;
    const bool is_bare = fut->state == AIO__FUTURE_FINISHED && !(fut->flags & noted) &&
                         (fut->value == NULL || fut->type == NULL);

    if (AIO__UNLIKELY(!is_bare) && !strip(fut))
        return;
    if (fut->ops->dispose != NULL)
        dispose(fut);
    else if (AIO__LIKELY(fut->ops->size != 0)) /* else it stands in a frame */
        aio__loop_free(fut->loop, fut, fut->ops->size);
}

void aio_future_unref(aio_future *fut)
{
    if (fut != NULL)
        aio__future_drop(fut);
}

/* --- done callbacks -------------------------------------------------------------------- */

static void free_done(struct aio__done *done, aio_future *fut)
{
    if (done == &fut->first)
        fut->flags &= (uint8_t)~AIO__FUTURE_FIRST_USED;
    else
        aio__loop_free(fut->loop, done, sizeof(*done));
}

/* The node of a done callback, or NULL for that of a strand. */
static struct aio__done *done_of(struct aio__ready *node)
{
    return node->run == NULL ? NULL : aio__container_of(node, struct aio__done, ready);
}

static void run_user_done(struct aio__ready *node)
{
    struct aio__done *done = aio__container_of(node, struct aio__done, ready);
    aio_future *fut = done->fut;
    aio_loop *loop = fut->loop;
    struct aio__thread *thread = aio__thread();
    int code = 0;

    if (!loop->closed) {
        thread->context = &done->call.context;
        code = done->fn(fut, done->arg);
        if (AIO__UNLIKELY(code < 0))
            aio__loop_callback_failed(loop, code, NULL);
        thread->context = NULL;
    }
    aio__ctx_release(done->call.context);
    free_done(done, fut);
    aio__future_drop(fut);
}

static void run_own_done(struct aio__inline *step)
{
    struct aio__done *done = aio__container_of(step, struct aio__done, step);
    aio_future *fut = done->fut;

    (void)done->fn(fut, done->arg);
    free_done(done, fut);
    aio__future_drop(fut);
}

/* One that is in no queue goes without having been called. */
static void drop_done(struct aio__done *done, aio_future *fut)
{
    if (done->ready.run == run_user_done)
        aio__ctx_release(done->call.context);
    free_done(done, fut);
}

/* `context` is shared with the caller; NULL: a copy of the current one. */
static int add_done(aio_future *fut, aio_done_fn fn, void *arg, bool own, aio_context *context)
{
    struct aio__done *done = &fut->first;

    if (fut->flags & AIO__FUTURE_FIRST_USED) {
        done = aio__loop_alloc(fut->loop, sizeof(*done));
        if (done == NULL)
            return AIO_ENOMEM;
    } else {
        fut->flags |= AIO__FUTURE_FIRST_USED;
    }
    if (own) {
        done->step.ready.run = aio__run_inline;
        done->step.fn = run_own_done;
    } else {
        done->call.ready.run = run_user_done;
        done->call.context = context != NULL ? aio__ctx_share(context) : aio__ctx_capture();
    }
    done->fut = fut;
    done->fn = fn;
    done->arg = arg;
    if (aio__future_is_pending(fut)) {
        fut->flags |= AIO__FUTURE_HAS_CALLS;
        aio__future_add_waiter(fut, &done->ready);
    } else {
        fut->refs++;
        aio__loop_queue(fut->loop, &done->ready);
    }
    return 0;
}

int aio__future_add_step(aio_future *fut, aio_done_fn fn, void *arg)
{
    return add_done(fut, fn, arg, true, NULL);
}

int aio_future_add_done_callback(aio_future *fut, aio_done_fn fn, void *arg)
{
    return aio_future_add_done_callback_in(fut, NULL, fn, arg);
}

int aio_future_add_done_callback_in(aio_future *fut, aio_context *context, aio_done_fn fn,
                                    void *arg)
{
    int err;

    if (fut == NULL)
        return aio__null_future();
    if (fn == NULL)
        return aio_raise(AIO_EVALUE, "no callback given");
    if (fut->loop == NULL)
        return aio_raise(AIO_ETYPE, "a coroutine object has no callbacks: make it a task first");
    if (fut->loop->closed)
        return aio_raise(AIO_ECLOSED, "Event loop is closed");
    err = aio__loop_check_thread(fut->loop);
    return err < 0 ? err : add_done(fut, fn, arg, false, context);
}

size_t aio_future_remove_done_callback(aio_future *fut, aio_done_fn fn, void *arg)
{
    struct aio__ready *node;
    struct aio__ready *stop;
    size_t removed = 0;

    if (fut == NULL || fut->last == NULL)
        return 0;
    /* Take the ring apart and put together what stays. */
    stop = fut->last;
    node = stop->next;
    fut->last = NULL;
    for (;;) {
        struct aio__ready *next = node->next;
        struct aio__done *done = done_of(node);
        bool is_last = node == stop;

        if (done != NULL && done->fn == fn && done->arg == arg) {
            drop_done(done, fut);
            removed++;
        } else {
            aio__future_add_waiter(fut, node);
        }
        if (is_last)
            return removed;
        node = next;
    }
}

void aio__future_remove_waiter(aio_future *fut, struct aio__ready *node)
{
    struct aio__ready *before = fut->last;

    if (before == NULL)
        return;
    while (before->next != node) {
        before = before->next;
        if (before == fut->last)
            return;
    }
    if (before == node) {
        fut->last = NULL;
        return;
    }
    before->next = node->next;
    if (fut->last == node)
        fut->last = before;
}

void aio__future_each_waiter(const aio_future *fut, struct aio__waiter_visitor *visitor)
{
    struct aio__ready *node = fut->last;

    if (node == NULL)
        return;
    do {
        struct aio__done *done;

        node = node->next;
        done = done_of(node);
        if (done == NULL)
            visitor->strand(visitor, aio__container_of(node, struct aio__strand, ready));
        else if (node->run == aio__run_inline)
            visitor->step(visitor, done->fn, done->arg);
    } while (node != fut->last);
}

/* A pending future goes: nobody will call these. Strands hold what they wait for. */
static void free_callbacks(aio_future *fut)
{
    struct aio__ready *node = fut->last->next;

    fut->last->next = NULL;
    fut->last = NULL;
    while (node != NULL) {
        struct aio__ready *next = node->next;
        struct aio__done *done = done_of(node);

        if (done != NULL)
            drop_done(done, fut);
        node = next;
    }
}

/* Queue everybody who waits. */
static void wake_all(aio_future *fut)
{
    struct aio__ready *last = fut->last;
    struct aio__ready *first;

    if (last == NULL)
        return;
    assert(fut->loop != NULL); /* a coroutine object has nobody waiting */
    first = last->next;
    last->next = NULL;
    fut->last = NULL;
    if (fut->flags & AIO__FUTURE_HAS_CALLS)
        for (struct aio__ready *node = first; node != NULL; node = node->next)
            if (node->run != NULL)
                fut->refs++;
    aio__loop_queue_chain(fut->loop, first, last);
    if (AIO__UNLIKELY(fut->loop->closed))
        aio__loop_discard_ready(fut->loop);
}

/* --- outcomes -------------------------------------------------------------------------- */

void aio__future_finish(aio_future *fut, void *value, const aio_type *type)
{
    fut->state = AIO__FUTURE_FINISHED;
    fut->value = value;
    fut->type = type;
    wake_all(fut);
}

void aio__future_fail(aio_future *fut, int code, aio_exception *error)
{
    aio_exception *old = fut->error;

    fut->state = AIO__FUTURE_FAILED;
    fut->code = code;
    fut->error = aio_exception_ref(error);
    fut->flags |= AIO__FUTURE_REPORT;
    aio_exception_unref(old);
    wake_all(fut);
}

void aio__future_cancelled(aio_future *fut, const char *message)
{
    aio_exception *old = fut->error;

    /* Without memory the message is lost, not the cancellation. */
    fut->error =
        message == NULL ? NULL : aio_exception_new_at(NULL, 0, NULL, AIO_ECANCELLED, "%s", message);
    fut->state = AIO__FUTURE_CANCELLED;
    aio_exception_unref(old);
    wake_all(fut);
}

void aio__future_cancelled_by(aio_future *fut, aio_exception *error)
{
    aio_exception *old = fut->error;

    fut->error = error;
    fut->state = AIO__FUTURE_CANCELLED;
    fut->flags |= AIO__FUTURE_ERROR_ONCE;
    aio_exception_unref(old);
    wake_all(fut);
}

static int raise_object(int code, aio_exception *error)
{
    if (error != NULL)
        return aio_raise_exception(error);
    aio__error_forget();
    return code;
}

int aio__future_raise_cancelled(aio_future *fut)
{
    aio_exception *error = fut->error;
    int code;

    if (!(fut->flags & AIO__FUTURE_ERROR_ONCE))
        return raise_object(AIO_ECANCELLED, error);
    fut->error = NULL;
    code = raise_object(AIO_ECANCELLED, error);
    aio_exception_unref(error);
    return code;
}

int aio__future_raise(aio_future *fut)
{
    if (AIO__LIKELY(fut->state == AIO__FUTURE_FINISHED))
        return 0;
    if (fut->state == AIO__FUTURE_CANCELLED)
        return aio__future_raise_cancelled(fut);
    aio__future_disarm(fut);
    return raise_object(fut->code, fut->error);
}

/* Whether somebody other than the coroutine of a task may finish it. */
static int check_settable(aio_future *fut)
{
    if (fut == NULL)
        return aio__null_future();
    if (fut->ops->is_task)
        return aio_raise(AIO_ERUNTIME, "Task does not support set_result or set_exception");
    if (!aio__future_is_pending(fut))
        return aio_raise(AIO_EINVALIDSTATE, "invalid state");
    return aio__loop_check_thread(fut->loop);
}

int aio_future_set_result_typed(aio_future *fut, void *value, const aio_type *type)
{
    int err = check_settable(fut);

    if (err == 0)
        aio__future_finish(fut, value, type);
    return err;
}

int aio_future_set_result(aio_future *fut, void *value)
{
    return aio_future_set_result_typed(fut, value, NULL);
}

int aio_future_set_exception(aio_future *fut, aio_exception *error)
{
    int code = error == NULL ? AIO_ENOMEM : aio_exception_code(error);
    int err = check_settable(fut);

    if (err < 0)
        return err;
    if (code == AIO_ESTOP) {
        aio_exception *wrapped = aio_exception_new(
            AIO_ERUNTIME, "StopIteration interacts badly with generators and cannot be raised into "
                          "a Future");

        aio__future_fail(fut, AIO_ERUNTIME, wrapped);
        aio_exception_unref(wrapped);
        return 0;
    }
    aio__future_fail(fut, code, error);
    return 0;
}

int aio_future_set_error(aio_future *fut, int code)
{
    aio_exception *error;
    int err = check_settable(fut);

    if (err < 0)
        return err;
    error = aio_error_catch(code);
    err = aio_future_set_exception(fut, error);
    aio_exception_unref(error);
    return err;
}

bool aio_future_cancel(aio_future *fut, const char *message)
{
    if (fut == NULL || (fut->loop != NULL && aio__loop_check_thread(fut->loop) < 0))
        return false;
    aio__future_disarm(fut);
    if (!aio__future_is_pending(fut))
        return false;
    if (fut->ops->cancel != NULL)
        return fut->ops->cancel(fut, message);
    aio__future_cancelled(fut, message);
    return true;
}

bool aio_future_is_task(const aio_future *fut)
{
    return fut != NULL && fut->ops->is_task && fut->loop != NULL;
}

bool aio_isfuture(const aio_future *fut)
{
    return fut != NULL && fut->loop != NULL;
}

bool aio_future_done(const aio_future *fut)
{
    return fut == NULL || !aio__future_is_pending(fut);
}

bool aio_future_cancelled(const aio_future *fut)
{
    return fut != NULL && fut->state == AIO__FUTURE_CANCELLED;
}

int aio_future_result(aio_future *fut, void **ret_value)
{
    int err;

    if (fut == NULL)
        return aio__null_future();
    if (aio__future_is_pending(fut))
        return aio_raise(AIO_EINVALIDSTATE, "Result is not set.");
    err = aio__future_raise(fut);
    if (err == 0 && ret_value != NULL)
        *ret_value = fut->value;
    return err;
}

int aio_future_exception(aio_future *fut, aio_exception **ret_error)
{
    if (fut == NULL)
        return aio__null_future();
    if (aio__future_is_pending(fut))
        return aio_raise(AIO_EINVALIDSTATE, "Exception is not set.");
    if (fut->state == AIO__FUTURE_CANCELLED)
        return aio__future_raise_cancelled(fut);
    aio__future_disarm(fut);
    if (fut->state == AIO__FUTURE_FAILED && fut->error == NULL) {
        aio__error_forget();
        fut->error = aio_error_catch(fut->code); /* a bare one */
    }
    if (ret_error != NULL)
        *ret_error = fut->state == AIO__FUTURE_FAILED ? fut->error : NULL;
    return 0;
}

aio_loop *aio_future_get_loop(const aio_future *fut)
{
    return fut == NULL ? NULL : fut->loop;
}

const aio_type *aio_future_get_type(const aio_future *fut)
{
    return fut != NULL && fut->state == AIO__FUTURE_FINISHED ? fut->type : NULL;
}
