/* SPDX-License-Identifier: MIT */
/*
 * portal.c - a loop in a thread of its own, that other threads call into
 *
 * The thread is an aio_run() whose main coroutine waits until the portal is to stop. What other
 * threads start are coroutines run threadsafe, and counted until they are done. The end of the main
 * coroutine is what cancels the rest, and closes the loop.
 *
 * Invariants
 *   - What got in before the stop is a task before the main coroutine ends: who is between its
 *     permission and its post is waited for, and the inbox keeps the order.
 *   - The portal is not freed before all callbacks of its calls have run, in whatever thread.
 *   - The lock is held over none of the user's code.
 *
 * Thread: any, but for the section that says otherwise.
 */
#include "base/error.h"
#include "task/task_internal.h"

#include <aio/event.h>
#include <aio/memory.h>
#include <aio/portal.h>
#include <pthread.h>

enum state {
    STARTING,
    OPEN,
    STOPPING, /* nobody gets in */
    ENDED     /* the thread has nothing more to do */
};

struct aio_portal {
    const aio_runner_options *options; /* STARTING only; borrowed */
    aio_loop *loop;                    /* kept; written while STARTING, NULL if it never ran */
    aio_event *changed;                /* for the main coroutine */
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t moved; /* the state has changed, or the last call is done */
    enum state state;
    bool is_joined;
    bool cancels;           /* the stop does not wait for calls */
    bool is_woken;          /* the node is on its way */
    struct aio__ready wake; /* sets `changed` */
    size_t entering;        /* threads between their permission and their post */
    size_t calls;           /* that are not done */
    int code;               /* ENDED: what the run ended with */
    aio_exception *error;   /* and the object of it; owned */
};

/* Have the main coroutine look again. The lock is held. */
static void wake_main(aio_portal *portal)
{
    if (!portal->is_woken && portal->loop != NULL)
        portal->is_woken = aio__inbox_post(portal->loop, &portal->wake) == 0;
}

/* --- the portal's thread ---------------------------------------------------------------- */

/* Also when the loop is closed with this in its inbox. */
static void run_wake(struct aio__ready *node)
{
    aio_portal *portal = aio__container_of(node, aio_portal, wake);

    (void)pthread_mutex_lock(&portal->lock);
    portal->is_woken = false;
    (void)pthread_mutex_unlock(&portal->lock);
    if (!portal->loop->closed)
        aio_event_set(portal->changed);
}

static void set_state(aio_portal *portal, enum state state)
{
    (void)pthread_mutex_lock(&portal->lock);
    portal->state = state;
    (void)pthread_cond_broadcast(&portal->moved);
    (void)pthread_mutex_unlock(&portal->lock);
}

static bool is_to_end(aio_portal *portal)
{
    bool ends;

    (void)pthread_mutex_lock(&portal->lock);
    ends = portal->state == STOPPING && portal->entering == 0 &&
           (portal->cancels || portal->calls == 0);
    (void)pthread_mutex_unlock(&portal->lock);
    return ends;
}

static int serve(void *arg, void **ret_result)
{
    aio_portal *portal = arg;
    int err = 0;

    (void)ret_result;
    portal->loop = aio_loop_ref(aio_get_running_loop());
    set_state(portal, OPEN);
    while (err == 0 && !is_to_end(portal)) {
        aio_event_clear(portal->changed);
        err = aio_event_wait(portal->changed);
    }
    if (err < 0)
        set_state(portal, STOPPING); /* somebody inside has cancelled us */
    return err;
}

static void *run_thread(void *arg)
{
    aio_portal *portal = arg;
    int code = aio_run_with_at(AIO_SITE(serve), serve, portal, portal->options, NULL);

    portal->code = code;
    portal->error = code < 0 ? aio_error_catch(code) : NULL;
    set_state(portal, ENDED);
    return NULL;
}

/* --- starting --------------------------------------------------------------------------- */

static void free_portal(aio_portal *portal)
{
    aio_exception_unref(portal->error);
    aio_loop_unref(portal->loop);
    aio_event_unref(portal->changed);
    (void)pthread_cond_destroy(&portal->moved);
    (void)pthread_mutex_destroy(&portal->lock);
    aio_free(portal);
}

static void await_state(aio_portal *portal, enum state state)
{
    (void)pthread_mutex_lock(&portal->lock);
    while (portal->state < state)
        (void)pthread_cond_wait(&portal->moved, &portal->lock);
    (void)pthread_mutex_unlock(&portal->lock);
}

/* How the run ended, raised in this thread. */
static int ending_of(const aio_portal *portal)
{
    return portal->code < 0 ? aio_raise_exception(portal->error) : 0;
}

/* 0, or the code of the thread, which has ended. */
static int start_thread(aio_portal *portal)
{
    int err = pthread_create(&portal->thread, NULL, run_thread, portal);

    if (err != 0)
        return -err;
    await_state(portal, OPEN);
    if (portal->loop != NULL)
        return 0;
    (void)pthread_join(portal->thread, NULL);
    return ending_of(portal);
}

aio_portal *aio_portal_new(const aio_runner_options *options)
{
    aio_portal *portal = aio_calloc(1, sizeof(*portal));
    int err = AIO_ENOMEM;

    if (portal == NULL)
        return aio__failed(err);
    (void)pthread_mutex_init(&portal->lock, NULL);
    (void)pthread_cond_init(&portal->moved, NULL);
    portal->wake.run = run_wake;
    portal->options = options;
    portal->changed = aio_event_new();
    if (portal->changed != NULL)
        err = start_thread(portal);
    if (err == 0)
        return portal;
    free_portal(portal);
    return aio__failed(err);
}

aio_loop *aio_portal_get_loop(aio_portal *portal)
{
    return portal == NULL ? NULL : portal->loop;
}

/* --- calling ---------------------------------------------------------------------------- */

static bool is_own_thread(const aio_portal *portal)
{
    return pthread_equal(portal->thread, pthread_self());
}

/* For what blocks until the portal's thread has done something. */
static int check_blocking(const aio_portal *portal)
{
    int err;

    if (portal == NULL)
        return aio_raise(AIO_EVALUE, "no portal given");
    err = aio__loop_check_process(portal->loop);
    if (err < 0)
        return err;
    if (is_own_thread(portal))
        return aio_raise(AIO_ERUNTIME, "This is the portal's own thread: it would wait for itself");
    return 0;
}

/* A call begins; leave() has to follow, and once it is done, end_call(). */
static int enter(aio_portal *portal)
{
    bool is_open;
    int err;

    if (portal == NULL)
        return aio_raise(AIO_EVALUE, "no portal given");
    err = aio__loop_check_process(portal->loop);
    if (err < 0)
        return err;
    (void)pthread_mutex_lock(&portal->lock);
    is_open = portal->state == OPEN;
    if (is_open) {
        portal->entering++;
        portal->calls++;
    }
    (void)pthread_mutex_unlock(&portal->lock);
    return is_open ? 0 : aio_raise(AIO_ECLOSED, "The portal is stopped");
}

static void leave(aio_portal *portal)
{
    (void)pthread_mutex_lock(&portal->lock);
    if (--portal->entering == 0 && portal->state == STOPPING)
        wake_main(portal);
    (void)pthread_mutex_unlock(&portal->lock);
}

static void end_call(aio_portal *portal)
{
    (void)pthread_mutex_lock(&portal->lock);
    if (--portal->calls == 0 && portal->state >= STOPPING) {
        wake_main(portal);
        (void)pthread_cond_broadcast(&portal->moved);
    }
    (void)pthread_mutex_unlock(&portal->lock);
}

static int call_is_done(aio_concurrent_future *fut, void *arg)
{
    (void)fut;
    end_call(arg);
    return 0;
}

static aio_concurrent_future *start_call(aio_portal *portal, aio_site site, aio_coro_fn fn,
                                         void *arg, const aio_task_options *options)
{
    aio_concurrent_future *fut =
        aio_run_coroutine_threadsafe_at(site, fn, arg, portal->loop, options);

    if (fut != NULL && aio_concurrent_future_add_done_callback(fut, call_is_done, portal) < 0) {
        (void)aio_concurrent_future_cancel(fut);
        aio_concurrent_future_unref(fut);
        fut = aio__failed(AIO_ENOMEM);
    }
    if (fut == NULL)
        end_call(portal);
    return fut;
}

aio_concurrent_future *aio_portal_start_task_soon_at(aio_site site, aio_portal *portal,
                                                     aio_coro_fn fn, void *arg,
                                                     const aio_task_options *options)
{
    aio_concurrent_future *fut;
    int err = enter(portal);

    if (err < 0) {
        if (options != NULL && options->size >= sizeof(*options) && options->arg_destroy != NULL)
            options->arg_destroy(arg);
        return aio__failed(err);
    }
    fut = start_call(portal, site, fn, arg, options);
    leave(portal);
    return fut;
}

int aio_portal_call_at(aio_site site, aio_portal *portal, aio_coro_fn fn, void *arg,
                       void **ret_value)
{
    aio_concurrent_future *fut;
    int err = check_blocking(portal);

    if (err < 0)
        return err;
    fut = aio_portal_start_task_soon_at(site, portal, fn, arg, NULL);
    err = aio_concurrent_future_result(fut, AIO_FOREVER, ret_value);
    aio_concurrent_future_unref(fut);
    return err;
}

#undef aio_portal_call
#undef aio_portal_start_task_soon

int aio_portal_call(aio_portal *portal, aio_coro_fn fn, void *arg, void **ret_value)
{
    return aio_portal_call_at(aio_site_make(NULL, NULL, 0), portal, fn, arg, ret_value);
}

aio_concurrent_future *aio_portal_start_task_soon(aio_portal *portal, aio_coro_fn fn, void *arg,
                                                  const aio_task_options *options)
{
    return aio_portal_start_task_soon_at(aio_site_make(NULL, NULL, 0), portal, fn, arg, options);
}

/* --- the end ---------------------------------------------------------------------------- */

/* Wait until nothing of the portal goes on any more. */
static void end_thread(aio_portal *portal, bool cancel)
{
    bool joins;

    (void)pthread_mutex_lock(&portal->lock);
    if (portal->state == OPEN)
        portal->state = STOPPING;
    portal->cancels |= cancel;
    wake_main(portal);
    while (portal->state != ENDED || portal->calls != 0)
        (void)pthread_cond_wait(&portal->moved, &portal->lock);
    joins = !portal->is_joined;
    portal->is_joined = true;
    (void)pthread_mutex_unlock(&portal->lock);
    if (joins)
        (void)pthread_join(portal->thread, NULL);
}

int aio_portal_stop(aio_portal *portal, bool cancel)
{
    int err = check_blocking(portal);

    if (err < 0)
        return err;
    end_thread(portal, cancel);
    return ending_of(portal);
}

void aio_portal_free(aio_portal *portal)
{
    if (portal == NULL || aio__loop_is_from_before_fork(portal->loop) || is_own_thread(portal))
        return;
    end_thread(portal, true);
    free_portal(portal);
}
