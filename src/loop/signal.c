/* SPDX-License-Identifier: MIT */
/*
 * signal.c - callbacks for signals
 *
 * A uv_signal_t for each signal and loop: libuv's handler writes to a pipe, which is all that
 * happens in signal context, and shares a signal among handles, so that SIGCHLD can be watched
 * beside libuv's own use of it for child processes.
 *
 * libuv does not remember what a signal did before it came, and leaves the default action behind.
 * The host's handler is noted when the first of our handles takes a signal, and put back when the
 * last lets go of it, unless somebody has set another one meanwhile: that stays.
 *
 * In a child made by fork() libuv would write to its parent's pipe. What was noted is put back
 * there at once.
 *
 * Thread: the loop's, which for adding is the main one. The notes are the process's and have a
 * lock: a loop may be closed by another thread.
 */
#include "loop/handle.h"

#include <aio/error.h>
#include <aio/signal.h>
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

struct aio__signal {
    uv_signal_t uv;
    struct aio__ready ready;
    struct aio__list link; /* in loop->signals until it is removed */
    aio_loop *loop;
    int signum;
    aio_callback_fn fn;
    void *arg;
    aio__ctx context;
    unsigned due;          /* arrivals whose call is to come */
    unsigned registration; /* counts them, to see that one was replaced while it ran */
    bool active;
    bool queued; /* its node is in the queue */
    bool closed;
};

/* What a signal did before we had a handle for it. */
static struct {
    unsigned users;
    struct sigaction before;
    struct sigaction libuv; /* what was there once libuv had taken it */
} notes[NSIG];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- whose handler it is ----------------------------------------------------------------- */

static bool same_handler(const struct sigaction *a, const struct sigaction *b)
{
    if ((a->sa_flags & SA_SIGINFO) != (b->sa_flags & SA_SIGINFO))
        return false;
    return a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction
                                    : a->sa_handler == b->sa_handler;
}

bool aio__in_main_thread(void)
{
#ifdef __linux__
    return syscall(SYS_gettid) == getpid();
#else
    return pthread_main_np() != 0;
#endif
}

static int take(struct aio__signal *signal, uv_signal_cb on_arrival)
{
    struct sigaction before;
    int err;

    (void)pthread_mutex_lock(&lock);
    (void)sigaction(signal->signum, NULL, &before);
    err = uv_signal_start(&signal->uv, on_arrival, signal->signum);
    if (err == 0 && notes[signal->signum].users++ == 0) {
        notes[signal->signum].before = before;
        (void)sigaction(signal->signum, NULL, &notes[signal->signum].libuv);
    }
    (void)pthread_mutex_unlock(&lock);
    return err;
}

static void let_go(struct aio__signal *signal)
{
    int signum = signal->signum;
    struct sigaction before;
    struct sigaction after;

    (void)pthread_mutex_lock(&lock);
    (void)sigaction(signum, NULL, &before);
    (void)uv_signal_stop(&signal->uv);
    (void)sigaction(signum, NULL, &after);
    notes[signum].users--;
    if (!same_handler(&before, &notes[signum].libuv))
        (void)sigaction(signum, &before, NULL); /* set by somebody else since */
    else if (!same_handler(&after, &before) && !same_handler(&before, &notes[signum].before))
        (void)sigaction(signum, &notes[signum].before, NULL);
    (void)pthread_mutex_unlock(&lock);
}

void aio__signals_forget(int signum, const struct sigaction *gone, const struct sigaction *instead)
{
    (void)pthread_mutex_lock(&lock);
    if (notes[signum].users != 0 && same_handler(&notes[signum].before, gone))
        notes[signum].before = *instead;
    (void)pthread_mutex_unlock(&lock);
}

/* No other thread is left, and whichever held the lock is gone. */
void aio__signals_in_child(void)
{
    struct sigaction now;

    (void)pthread_mutex_init(&lock, NULL);
    for (int signum = 1; signum < NSIG; signum++)
        if (notes[signum].users != 0 && sigaction(signum, NULL, &now) == 0 &&
            same_handler(&now, &notes[signum].libuv))
            (void)sigaction(signum, &notes[signum].before, NULL);
}

/* --- calling ------------------------------------------------------------------------------ */

static void free_if_over(struct aio__signal *signal)
{
    if (signal->closed && !signal->queued)
        aio__loop_free(signal->loop, signal, sizeof(*signal));
}

/* The callback may remove its handler, or replace it, but not the context it runs in. */
static void call(struct aio__signal *signal)
{
    struct aio__thread *thread = aio__thread();
    unsigned registration = signal->registration;
    aio__ctx context = signal->context;
    int code;

    signal->context = (aio__ctx){0};
    thread->context = &context;
    code = signal->fn(signal->arg);
    if (code < 0)
        aio__loop_callback_failed(signal->loop, code, NULL);
    thread->context = NULL;
    if (signal->registration == registration)
        signal->context = context;
    else
        aio__ctx_release(context);
}

static void run_signal(struct aio__ready *node)
{
    struct aio__signal *signal = aio__container_of(node, struct aio__signal, ready);
    aio_loop *loop = signal->loop;

    while (signal->due != 0 && loop->leave_code == 0) {
        signal->due--;
        call(signal);
    }
    signal->queued = false;
    if (!signal->active) {
        free_if_over(signal);
    } else if (signal->due != 0) {
        signal->queued = true;
        aio__loop_queue(loop, &signal->ready);
    }
}

static void on_arrival(uv_signal_t *handle, int signum)
{
    struct aio__signal *signal = aio__container_of(handle, struct aio__signal, uv);

    (void)signum;
    if (!signal->active)
        return;
    signal->due++;
    if (signal->queued)
        return;
    signal->queued = true;
    aio__loop_queue(signal->loop, &signal->ready);
}

/* --- adding and removing ------------------------------------------------------------------ */

static struct aio__signal *find(const aio_loop *loop, int signum)
{
    AIO__LIST_FOREACH (link, &loop->signals) {
        struct aio__signal *signal = aio__container_of(link, struct aio__signal, link);

        if (signal->signum == signum)
            return signal;
    }
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct aio__signal *signal = handle->data;

    signal->closed = true;
    free_if_over(signal);
}

static void drop_call(struct aio__signal *signal)
{
    aio__ctx context = signal->context;

    signal->registration++;
    signal->due = 0;
    signal->context = (aio__ctx){0};
    aio__ctx_release(context);
}

static void close_signal(struct aio__signal *signal)
{
    aio__list_remove(&signal->link);
    signal->active = false;
    uv_close((uv_handle_t *)&signal->uv, on_closed);
}

static int new_signal(aio_loop *loop, int signum, struct aio__signal **ret_signal)
{
    struct aio__signal *signal = aio__loop_alloc(loop, sizeof(*signal));
    int err;

    if (signal == NULL)
        return AIO_ENOMEM;
    *signal = (struct aio__signal){.ready.run = run_signal, .loop = loop, .signum = signum};
    err = uv_signal_init(loop->uv, &signal->uv);
    if (err < 0) {
        aio__loop_free(loop, signal, sizeof(*signal));
        return err;
    }
    signal->uv.data = signal;
    aio__list_append(&loop->signals, &signal->link);
    err = take(signal, on_arrival);
    if (err < 0) {
        close_signal(signal);
        return err == UV_EINVAL ? aio_raise(AIO_ERUNTIME, "sig %d cannot be caught", signum) : err;
    }
    uv_unref((uv_handle_t *)&signal->uv);
    signal->active = true;
    *ret_signal = signal;
    return 0;
}

/* The C library keeps some numbers for itself, which its full set leaves out. */
static bool is_signal(int signum)
{
    sigset_t all;

    return signum > 0 && signum < NSIG && sigfillset(&all) == 0 && sigismember(&all, signum) == 1;
}

static int check(aio_loop *loop, int signum, aio_callback_fn fn)
{
    int err = aio__loop_check_call(loop, fn);

    if (err < 0)
        return err;
    if (!is_signal(signum))
        return aio_raise(AIO_EVALUE, "invalid signal number %d", signum);
    if (!aio__in_main_thread())
        return aio_raise(AIO_ERUNTIME, "signal handlers can be set only in the main thread");
    return 0;
}

int aio_loop_add_signal_handler(aio_loop *loop, int signum, aio_callback_fn fn, void *arg)
{
    struct aio__signal *signal;
    int err;

    err = check(loop, signum, fn);
    if (err < 0)
        return err;
    signal = find(loop, signum);
    if (signal == NULL) {
        err = new_signal(loop, signum, &signal);
        if (err < 0)
            return err;
    } else {
        drop_call(signal);
    }
    assert(signal != NULL);
    signal->fn = fn;
    signal->arg = arg;
    signal->context = aio__ctx_capture();
    return 0;
}

static void remove_signal(struct aio__signal *signal)
{
    let_go(signal);
    drop_call(signal);
    close_signal(signal);
}

bool aio_loop_remove_signal_handler(aio_loop *loop, int signum)
{
    struct aio__signal *signal = loop == NULL || loop->closed ? NULL : find(loop, signum);

    if (signal == NULL)
        return false;
    remove_signal(signal);
    return true;
}

void aio__signals_close(aio_loop *loop)
{
    struct aio__list *link;

    while ((link = aio__list_first(&loop->signals)) != NULL)
        remove_signal(aio__container_of(link, struct aio__signal, link));
}
