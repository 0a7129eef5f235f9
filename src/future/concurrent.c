/* SPDX-License-Identifier: MIT */
/*
 * concurrent.c - futures that any thread may use
 *
 * Owns struct aio_concurrent_future. Whoever finishes one tells the threads that are blocked on
 * it, under its lock, and then runs its callbacks inline, without (S162).
 *
 * Invariants
 *   - The state moves on only: PENDING, RUNNING, then one of the ends. It changes with the lock
 *     held, and may be read without.
 *   - Once done, neither outcome nor error object changes, so they are read without the lock.
 *   - Callbacks run once, after the state has changed and without the lock: they may use the
 *     future.
 *   - Who finishes or cancels one holds a reference meanwhile.
 *
 * Thread: any.
 */
#include "future/concurrent_internal.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/type.h"
#include "future/future_internal.h"

#include <aio/memory.h>
#include <inttypes.h>
#include <math.h>

/* --- life ------------------------------------------------------------------------------ */

int aio__concurrent_init(aio_concurrent_future *fut, const struct aio__concurrent_ops *ops)
{
    int err = pthread_mutex_init(&fut->lock, NULL);

    if (err != 0)
        return -err;
    atomic_init(&fut->refs, 1);
    fut->ops = ops;
    atomic_init(&fut->state, AIO__CONCURRENT_PENDING);
    fut->value = NULL;
    fut->type = NULL;
    fut->error = NULL;
    fut->loop = NULL;
    fut->callbacks = NULL;
    fut->callbacks_end = &fut->callbacks;
    aio__list_init(&fut->blockers);
    return 0;
}

static void free_callback(struct aio__concurrent_done *done)
{
    if (!done->is_own)
        aio_free(done);
}

void aio__concurrent_release(aio_concurrent_future *fut)
{
    struct aio__concurrent_done *done = fut->callbacks;

    while (done != NULL) {
        struct aio__concurrent_done *next = done->next;

        free_callback(done);
        done = next;
    }
    if (fut->value != NULL)
        aio__value_destroy(fut->type, fut->value);
    aio_exception_unref(fut->error);
    (void)pthread_mutex_destroy(&fut->lock);
}

static void dispose(aio_concurrent_future *fut)
{
    aio__concurrent_release(fut);
    aio_free(fut);
}

aio_concurrent_future *aio_concurrent_future_new(void)
{
    static const struct aio__concurrent_ops ops = {.dispose = dispose};
    aio_concurrent_future *fut = aio_malloc(sizeof(*fut));
    int err = fut == NULL ? AIO_ENOMEM : aio__concurrent_init(fut, &ops);

    if (err < 0) {
        aio_free(fut);
        return aio__failed(err);
    }
    return fut;
}

aio_concurrent_future *aio_concurrent_future_ref(aio_concurrent_future *fut)
{
    if (fut != NULL)
        atomic_fetch_add_explicit(&fut->refs, 1, memory_order_relaxed);
    return fut;
}

void aio_concurrent_future_unref(aio_concurrent_future *fut)
{
    if (fut != NULL && atomic_fetch_sub_explicit(&fut->refs, 1, memory_order_acq_rel) == 1)
        fut->ops->dispose(fut);
}

/* --- the end --------------------------------------------------------------------------- */

static void call_back(aio_concurrent_future *fut, struct aio__concurrent_done *done)
{
    int code = done->fn(fut, done->arg);
    char text[256];

    if (code >= 0)
        return;
    (void)aio_concurrent_future_format(fut, text, sizeof(text));
    aio__log(AIO_LOG_ERROR, "exception calling callback for %s: %s: %s", text, aio_error_name(code),
             aio_error_text(code));
    aio__error_forget();
}

/* Give up the lock of a future that is done, and let everybody know. */
static void announce(aio_concurrent_future *fut)
{
    struct aio__concurrent_done *done = fut->callbacks;

    fut->callbacks = NULL;
    AIO__LIST_FOREACH (link, &fut->blockers) {
        struct aio__blocker *blocker =
            aio__container_of(link, struct aio__blocker_link, link)->blocker;

        (void)pthread_mutex_lock(&blocker->lock);
        if (blocker->done(blocker, fut)) {
            blocker->is_woken = true;
            (void)pthread_cond_signal(&blocker->wake);
        }
        (void)pthread_mutex_unlock(&blocker->lock);
        aio__list_remove(link);
    }
    (void)pthread_mutex_unlock(&fut->lock);

    while (done != NULL) {
        struct aio__concurrent_done *next = done->next;
        bool is_own = done->is_own; /* it may go with what it is part of, while it runs */

        call_back(fut, done);
        if (!is_own)
            aio_free(done);
        done = next;
    }
}

static bool is_done(enum aio__concurrent_state state)
{
    return state > AIO__CONCURRENT_RUNNING;
}

static void set_state(aio_concurrent_future *fut, enum aio__concurrent_state state)
{
    atomic_store_explicit(&fut->state, (uint8_t)state, memory_order_release);
}

/* Take the lock of one that is not done; false, without it, if it is. */
static bool lock_unfinished(aio_concurrent_future *fut)
{
    (void)pthread_mutex_lock(&fut->lock);
    if (!is_done(aio__concurrent_state(fut)))
        return true;
    (void)pthread_mutex_unlock(&fut->lock);
    return false;
}

bool aio__concurrent_finish(aio_concurrent_future *fut, void *value, const aio_type *type)
{
    if (!lock_unfinished(fut))
        return false;
    fut->value = value;
    fut->type = type;
    set_state(fut, AIO__CONCURRENT_FINISHED);
    announce(fut);
    return true;
}

bool aio__concurrent_fail(aio_concurrent_future *fut, aio_exception *error)
{
    if (!lock_unfinished(fut))
        return false;
    fut->error = aio_exception_ref(error);
    set_state(fut, AIO__CONCURRENT_FAILED);
    announce(fut);
    return true;
}

bool aio_concurrent_future_cancel(aio_concurrent_future *fut)
{
    enum aio__concurrent_state state;

    if (fut == NULL)
        return false;
    (void)pthread_mutex_lock(&fut->lock);
    state = aio__concurrent_state(fut);
    if (state != AIO__CONCURRENT_PENDING) {
        (void)pthread_mutex_unlock(&fut->lock);
        return state == AIO__CONCURRENT_CANCELLED || state == AIO__CONCURRENT_NOTIFIED;
    }
    set_state(fut, AIO__CONCURRENT_CANCELLED);
    if (fut->ops->cancelled != NULL) {
        (void)pthread_mutex_unlock(&fut->lock);
        fut->ops->cancelled(fut);
        (void)pthread_mutex_lock(&fut->lock);
    }
    announce(fut);
    return true;
}

/* --- for executors --------------------------------------------------------------------- */

int aio_concurrent_future_set_running_or_notify_cancel(aio_concurrent_future *fut)
{
    enum aio__concurrent_state state;

    if (fut == NULL)
        return aio__null_future();
    (void)pthread_mutex_lock(&fut->lock);
    state = aio__concurrent_state(fut);
    if (state == AIO__CONCURRENT_PENDING)
        set_state(fut, AIO__CONCURRENT_RUNNING);
    else if (state == AIO__CONCURRENT_CANCELLED)
        set_state(fut, AIO__CONCURRENT_NOTIFIED);
    (void)pthread_mutex_unlock(&fut->lock);
    if (state == AIO__CONCURRENT_PENDING)
        return 1;
    return state == AIO__CONCURRENT_CANCELLED
               ? 0
               : aio_raise(AIO_ERUNTIME, "Future in unexpected state");
}

static int finished_already(aio_concurrent_future *fut)
{
    char text[128];

    (void)aio_concurrent_future_format(fut, text, sizeof(text));
    return aio_raise(AIO_EINVALIDSTATE, "the future is done: %s", text);
}

int aio_concurrent_future_set_result_typed(aio_concurrent_future *fut, void *value,
                                           const aio_type *type)
{
    if (fut == NULL)
        return aio__null_future();
    return aio__concurrent_finish(fut, value, type) ? 0 : finished_already(fut);
}

int aio_concurrent_future_set_result(aio_concurrent_future *fut, void *value)
{
    return aio_concurrent_future_set_result_typed(fut, value, NULL);
}

int aio_concurrent_future_set_exception(aio_concurrent_future *fut, aio_exception *error)
{
    if (fut == NULL)
        return aio__null_future();
    if (error == NULL)
        error = aio__error_no_memory();
    return aio__concurrent_fail(fut, error) ? 0 : finished_already(fut);
}

int aio_concurrent_future_set_error(aio_concurrent_future *fut, int code)
{
    aio_exception *error;
    int err;

    if (fut == NULL)
        return aio__null_future();
    error = aio_error_catch(code);
    err = aio_concurrent_future_set_exception(fut, error);
    aio_exception_unref(error);
    return err;
}

/* --- callbacks ------------------------------------------------------------------------- */

void aio__concurrent_add_own(aio_concurrent_future *fut, struct aio__concurrent_done *done)
{
    bool is_own = done->is_own;

    done->next = NULL;
    if (lock_unfinished(fut)) {
        *fut->callbacks_end = done;
        fut->callbacks_end = &done->next;
        (void)pthread_mutex_unlock(&fut->lock);
        return;
    }
    call_back(fut, done);
    if (!is_own)
        aio_free(done);
}

int aio_concurrent_future_add_done_callback(aio_concurrent_future *fut, aio_concurrent_done_fn fn,
                                            void *arg)
{
    struct aio__concurrent_done *done;

    if (fut == NULL)
        return aio__null_future();
    if (fn == NULL)
        return aio_raise(AIO_EVALUE, "no callback given");
    done = aio_malloc(sizeof(*done));
    if (done == NULL)
        return AIO_ENOMEM;
    *done = (struct aio__concurrent_done){.fn = fn, .arg = arg};
    aio__concurrent_add_own(fut, done);
    return 0;
}

/* --- asking ---------------------------------------------------------------------------- */

bool aio_concurrent_future_cancelled(const aio_concurrent_future *fut)
{
    enum aio__concurrent_state state;

    if (fut == NULL)
        return false;
    state = aio__concurrent_state(fut);
    return state == AIO__CONCURRENT_CANCELLED || state == AIO__CONCURRENT_NOTIFIED;
}

bool aio_concurrent_future_running(const aio_concurrent_future *fut)
{
    return fut != NULL && aio__concurrent_state(fut) == AIO__CONCURRENT_RUNNING;
}

bool aio_concurrent_future_done(const aio_concurrent_future *fut)
{
    return fut == NULL || is_done(aio__concurrent_state(fut));
}

static int raise_code(int code)
{
    aio__error_forget();
    return code;
}

int aio__concurrent_raise(aio_concurrent_future *fut)
{
    switch (aio__concurrent_state(fut)) {
    case AIO__CONCURRENT_FINISHED: return 0;
    case AIO__CONCURRENT_FAILED: return aio_raise_exception(fut->error);
    default: return raise_code(AIO_ECANCELLED);
    }
}

static bool one_is_done(struct aio__blocker *blocker, aio_concurrent_future *fut)
{
    (void)blocker;
    (void)fut;
    return true;
}

/* Block until it is done. 0, AIO_ETIMEDOUT, or why that cannot be. */
static int block(aio_concurrent_future *fut, double timeout)
{
    struct aio__blocker blocker;
    struct aio__blocker_link link;
    struct timespec deadline;
    const struct timespec *limit = NULL;
    int err;

    if (isnan(timeout))
        return aio_raise(AIO_EVALUE, "Invalid timeout: NaN (not a number)");
    if (aio_concurrent_future_done(fut))
        return 0;
    if (timeout <= 0)
        return raise_code(AIO_ETIMEDOUT);
    if (fut->loop != NULL && fut->loop == aio__thread()->running)
        return aio_raise(AIO_ERUNTIME, "this thread runs the loop that is to finish the future");
    err = aio__blocker_init(&blocker, one_is_done);
    if (err < 0)
        return err;
    if (aio__monotonic_deadline(timeout, &deadline))
        limit = &deadline;
    aio__blocker_watch(&blocker, &link, fut);
    (void)pthread_mutex_lock(&blocker.lock);
    (void)aio__blocker_wait(&blocker, limit);
    (void)pthread_mutex_unlock(&blocker.lock);
    aio__blocker_forget(&link, fut);
    aio__blocker_destroy(&blocker);
    return aio_concurrent_future_done(fut) ? 0 : raise_code(AIO_ETIMEDOUT);
}

int aio_concurrent_future_result(aio_concurrent_future *fut, double timeout, void **ret_value)
{
    int err = fut == NULL ? aio__null_future() : block(fut, timeout);

    if (err == 0)
        err = aio__concurrent_raise(fut);
    if (err == 0 && ret_value != NULL)
        *ret_value = fut->value;
    return err;
}

int aio_concurrent_future_exception(aio_concurrent_future *fut, double timeout,
                                    aio_exception **ret_error)
{
    int err = fut == NULL ? aio__null_future() : block(fut, timeout);

    if (err < 0)
        return err;
    if (aio_concurrent_future_cancelled(fut))
        return raise_code(AIO_ECANCELLED);
    if (ret_error != NULL)
        *ret_error = fut->error;
    return 0;
}

static const char *state_name(const aio_concurrent_future *fut)
{
    switch (aio__concurrent_state(fut)) {
    case AIO__CONCURRENT_PENDING: return "pending";
    case AIO__CONCURRENT_RUNNING: return "running";
    case AIO__CONCURRENT_FINISHED:
    case AIO__CONCURRENT_FAILED: return "finished";
    default: return "cancelled";
    }
}

size_t aio_concurrent_future_format(const aio_concurrent_future *fut, char *buffer, size_t size)
{
    struct aio__text text = {.buffer = buffer, .size = size};

    if (fut == NULL) {
        aio__text_printf(&text, "<Future NULL>");
        return text.length;
    }
    aio__text_printf(&text, "<Future at 0x%" PRIxPTR " state=%s", (uintptr_t)fut, state_name(fut));
    if (aio__concurrent_state(fut) == AIO__CONCURRENT_FAILED) {
        aio__text_printf(&text, " raised %s", aio_error_name(aio_exception_code(fut->error)));
    } else if (aio__concurrent_state(fut) == AIO__CONCURRENT_FINISHED) {
        aio__text_printf(&text, " returned ");
        aio__text_advance(&text, aio__value_format(fut->type, fut->value, aio__text_end(&text),
                                                   aio__text_room(&text)));
    }
    aio__text_printf(&text, ">");
    return text.length;
}
