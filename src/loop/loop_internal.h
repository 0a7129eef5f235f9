/* SPDX-License-Identifier: MIT */
/*
 * loop_internal.h - the inside of a loop
 *
 * For src/loop, and for those above it that make things ready, set timers or park
 * strands on it: src/future, src/task, src/net and the like; for src/stream, which keeps memory with
 * it; and for src/inspect. Who only needs to call back uses <aio/loop.h>.
 */
#ifndef AIO__LOOP_INTERNAL_H
#define AIO__LOOP_INTERNAL_H

#include "base/context.h"
#include "base/deadlines.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/thread.h"
#include "fiber/fiber.h"
#include "loop/busy_poll.h"
#include "loop/ready.h"

#include <aio/loop.h>
#include <aio/task.h>
#include <aio/testing.h>
#include <signal.h>
#include <stdatomic.h>
#include <uv.h>

/*
 * A flow of control that the loop switches to: what a task is to the scheduler.
 * At any time a strand is queued (ready), running, or waiting for somebody who holds
 * its node to queue it.
 */
struct aio__strand {
    struct aio__ready ready;  /* run is NULL */
    struct aio__fiber *fiber; /* where it goes on; NULL: not started */
    aio_exception *error;     /* the error object raised last; owned */
    aio__ctx own_context;     /* what it was given; owned */
    aio__ctx *context;        /* the current one: own_context, or one it has entered */
    uint32_t stack_size;      /* of its fiber; 0: the loop's */
    uint32_t stack_used;      /* of it, once it has ended and if the loop measures */
};

/* What src/task does for the strands of a loop. */
struct aio__strand_ops {
    bool (*starts)(struct aio__strand *strand); /* false: it is over and needs no stack */
    void (*main)(struct aio__strand *strand);   /* runs on the strand's fiber, to its end */
    void (*fails)(struct aio__strand *strand, int code); /* no stack could be had */
    aio_task *(*task)(struct aio__strand *strand);       /* borrowed */
    aio__ctx *(*context)(aio_future *fut);               /* that of a task; NULL for what is none */
    /* "FILE:LINE", where a task was made; snprintf's result, 0: that is not known */
    size_t (*place)(const aio_task *task, char *buffer, size_t size);
    char *(*stack)(aio_task *task); /* a line for each call; to be freed; may be NULL */
};

/*
 * A strand that was started or resumed inside a call, and returns to its caller at its first
 * wait or its end. They nest; the innermost is the one that runs, for as long as it is here.
 */
struct aio__direct {
    struct aio__fiber *caller;
    struct aio__strand *strand; /* that the caller is; may be NULL */
    struct aio__direct *outer;
};

/* How long dispatches took, by powers of two of a microsecond. */
enum { AIO__LAG_CLASSES = 32 };
struct aio__lag {
    uint64_t classes[AIO__LAG_CLASSES];
    uint64_t longest_ns;
};

/* A module that has something to end when a loop is closed. Called last in, first out. */
struct aio__close_hook {
    struct aio__list link;
    void (*fn)(struct aio__close_hook *self, aio_loop *loop);
};

/* A deadline. Owned by whoever embeds it. */
struct aio__timer {
    struct aio__heap_item item;
    struct aio__ready *ready; /* queued when the deadline is reached */
};

struct aio__watch;

/* More fields than one likes: the scheduler, the queue, the timers and libuv's side. Each has
 * its file; what a file alone uses stands together below. */
struct aio_loop {
    /* what each step touches */
    struct aio__queue batch;     /* what this iteration runs */
    struct aio__queue ready;     /* what the next one will */
    struct aio__strand *current; /* the strand that runs; NULL in plain callbacks */
    struct aio__fiber *fiber;    /* the fiber that runs, while dispatching */
    struct aio__thread *here;    /* the thread's own structure, while dispatching */
    union {
        struct {
            int leave_code;  /* why the run call is to return at once; 0: it is not */
            bool stopping;   /* aio_loop_stop() was called */
            bool one_by_one; /* every step goes by way of the hub: it is being watched */
            bool closing;    /* pending tasks are being unwound */
            bool is_direct;  /* `direct` is not NULL */
        };
        uint64_t unusual; /* 0: none of these, and the scheduler may take its short way */
    };
    struct aio__question *question; /* to the strand that is switched to */
    uint64_t poll_ticks;            /* aio__ticks() at the last poll */
    unsigned turns;                 /* iterations since the last poll */
    unsigned look_turn;             /* the one to look at the ticks again; never above MAX_TURNS */
    unsigned look_stride;           /* how many to the next look, unless they are long */
    bool dispatching;               /* inside aio__loop_dispatch() */
    bool in_poll;                   /* libuv's callbacks are running; the dispatch follows */
    bool over;                      /* uv_run() is about to return: no other turn */
    bool owns_uv;                   /* not a guest in a host's uv_loop_t */
    bool is_virtual;
    bool measures_stacks;
    bool closed;
    bool running; /* inside a run call, or set up for steps */
    bool set_up;  /* the latter */
    bool blocked; /* virtual clock: only I/O or another thread can go on */
    bool debug;
    bool log_fallback; /* a runner owns it: reports may go to standard error */
    uint64_t iterations;
    uint64_t steps;  /* strands started or resumed */
    uint64_t now_ns; /* the clock when it was last read by the loop itself */
    struct aio__deadlines timers;
    struct aio__fiber *hub;      /* the thread's own stack */
    struct aio__fiber *spare;    /* of a strand that has ended: for the next one that starts */
    struct aio__ready *handover; /* taken on a fiber, to be run on the thread's own stack */
    struct aio__direct *direct;  /* the innermost strand that returns to its caller */
    struct aio__fiber_pool *fibers;
    unsigned polls_over; /* with more idle stacks than it may have */
    unsigned arrivals;   /* descriptors that this poll has found and no dispatch has looked at */
    struct aio__busy_poll busy_poll;
    const struct aio__strand_ops *strand_ops;

    _Atomic(struct aio__ready *) inbox; /* calls from other threads, last first */
    struct aio__pool pool;              /* futures, handles, ...: they keep us */

    struct aio__fiber_root root; /* behind hub */
    struct aio__list tasks;      /* src/task: those not done, in order of creation */
    size_t task_count;
    uint64_t tasks_made;
    size_t external;           /* jobs elsewhere that will come back (executors, DNS) */
    size_t adopted;            /* objects from elsewhere that keep us as those of the pool do */
    _Atomic(size_t) posting;   /* threads between their push on the inbox and the wake */
    _Atomic(size_t) user_refs; /* aio_loop_ref(); the last closes the loop */
    _Atomic(size_t) refs;      /* one each of: all users, the pool's objects, the adopted ones, all
                             libuv handles */

    uv_loop_t *uv;       /* NULL once closed and its handles are gone */
    unsigned generation; /* fork.c */
    bool idle_active;
    bool alarm_polled;     /* the timerfd is being watched */
    bool alarm_rang;       /* it is readable, until it is set anew */
    unsigned open_handles; /* of the five below, not yet closed */
    uv_loop_t own_uv;
    uv_async_t wakeup;
    uv_idle_t idle;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_poll_t alarm;        /* of a timerfd */
    uv_timer_t alarm_timer; /* where there is no timerfd */
    int alarm_fd;           /* -1: none */
    uint64_t alarm_ns;      /* what the alarm is set for; UINT64_MAX: nothing */
    uint64_t timers_ran_ns; /* now_ns when timers were due last */
    unsigned timers_ran;    /* and how many these were */

    _Atomic(uintptr_t) thread; /* aio__thread() of the thread that runs it; 0: none */
    struct aio__list close_hooks;
    struct aio__list grave;      /* graveyard.c */
    struct aio__list registered; /* registry.c */
    struct aio__list wrapped;    /* src/future: concurrent futures that will be heard of */
    struct aio__close_hook wrapped_hook;
    struct aio__close_hook tasks_hook; /* src/task */
    unsigned refusals;                 /* src/task: waits refused to the task that is unwound */
    struct aio__watch **watches;       /* by fd */
    size_t watch_count;
    struct aio__list signals;         /* signal.c: the handlers */
    struct aio__list changed_watches; /* of which the kernel has not been told */

    aio_exception_handler_fn handler;
    void *handler_arg;
    aio_callback_fn on_blocked; /* testing.h */
    void *on_blocked_arg;
    aio_testing_step_fn on_step;
    void *on_step_arg;
    uint64_t shuffle_state;
    bool shuffles;
    bool settles;                /* the run call ends when nothing can go on before the horizon */
    bool settled;                /* it did */
    uint64_t horizon_ns;         /* up to which virtual time may jump */
    aio_task_factory_fn factory; /* src/task */
    void *factory_arg;
    void *net;                    /* src/net */
    void *spares;                 /* src/stream */
    struct aio__origins *origins; /* origin.c; NULL: nothing was noted */
    struct aio__lag *lag;         /* src/inspect: to be kept by drive.c; NULL: nobody asks */
    void *inspect;                /* src/inspect */
    void *awaited;                /* src/future: records of who awaits whom; NULL: none */
    void *default_executor;       /* src/executor */
    void *asyncgens;              /* src/task: generators that were started */
    double slow_callback;         /* seconds */
    aio_exception *leave_error;   /* what travels with leave_code; owned; may be NULL */
};

/* Make a node run in the next iteration. */
static inline void aio__loop_queue(aio_loop *loop, struct aio__ready *node);
static inline void aio__loop_queue_chain(aio_loop *loop, struct aio__ready *first,
                                         struct aio__ready *last);

/* Make a host's libuv loop come to us even if it would sleep. */
void aio__loop_kick(aio_loop *loop);

static inline void aio__loop_queued(aio_loop *loop)
{
    if (AIO__UNLIKELY(!loop->dispatching) && !loop->in_poll && !loop->idle_active)
        aio__loop_kick(loop);
}

static inline void aio__loop_queue(aio_loop *loop, struct aio__ready *node)
{
    aio__queue_append(&loop->ready, node);
    aio__loop_queued(loop);
}

static inline void aio__loop_queue_chain(aio_loop *loop, struct aio__ready *first,
                                         struct aio__ready *last)
{
    aio__queue_append_chain(&loop->ready, first, last);
    aio__loop_queued(loop);
}

/* drive.c: the poll has found the descriptor of this node, which is in no queue. */
void aio__loop_arrived(aio_loop *loop, struct aio__ready *node);

/* Whether a call from here goes to the queue: in the loop's own thread, where it keeps its place
 * among the others (S14). Otherwise it goes to the inbox. Asked in any thread. */
static inline bool aio__loop_takes_directly(const aio_loop *loop)
{
    return atomic_load_explicit(&loop->thread, memory_order_acquire) == (uintptr_t)aio__thread() &&
           !loop->closed;
}

/* This thread's loop, running or not; NULL with AIO_ENOLOOP raised. */
aio_loop *aio__loop_set_here(void);

/* The loop named, or the running one, or this thread's; NULL with AIO_ENOLOOP raised. */
static inline aio_loop *aio__loop_or_current(aio_loop *loop)
{
    if (loop == NULL)
        loop = aio__thread()->running;
    return AIO__LIKELY(loop != NULL) ? loop : aio__loop_set_here();
}

void aio__loop_ref_memory(aio_loop *loop);
void aio__loop_unref_memory(aio_loop *loop);

/* Objects whose memory a loop owns keep it, even closed, until the last is freed. */
static inline void *aio__loop_alloc(aio_loop *loop, size_t size)
{
    void *object = aio__pool_alloc(&loop->pool, size);

    if (AIO__UNLIKELY(loop->pool.live == 1) && object != NULL)
        aio__loop_ref_memory(loop);
    return object;
}

static inline void aio__loop_free(aio_loop *loop, void *object, size_t size)
{
    aio__pool_free(&loop->pool, object, size);
    if (AIO__UNLIKELY(loop->pool.live == 0))
        aio__loop_unref_memory(loop);
}

/* The same for objects from elsewhere. */
void aio__loop_adopt(aio_loop *loop);
void aio__loop_disown(aio_loop *loop);

/* The loop is being closed: let go of all that is queued. Strands are left to src/task. */
void aio__loop_discard_ready(aio_loop *loop);

/* Report with the loop's handler: message, error (may be NULL), future (may be NULL). */
void aio__loop_report(aio_loop *loop, const char *message, aio_exception *error,
                      aio_future *future);
/* A callback of the user's returned a code: report it, or leave the run call. */
void aio__loop_callback_failed(aio_loop *loop, int code, aio_handle *handle);

/* Leave the run call with a code, after the step that is running. Its error is taken; NULL: none
 * travels with it. */
void aio__loop_leave(aio_loop *loop, int code, aio_exception *error);
void aio__loop_forget_leaving(aio_loop *loop);

/* The task of a strand's node. */
static inline aio_task *aio__loop_task_of(aio_loop *loop, struct aio__ready *node)
{
    return loop->strand_ops->task(aio__container_of(node, struct aio__strand, ready));
}

/* debug.c: whether every step goes by way of the hub, now that somebody wants to watch or not */
void aio__loop_choose_pace(aio_loop *loop);
/* testing.c: what on_step is told; a new batch in random order */
void aio__testing_tell(aio_loop *loop, struct aio__ready *node);
void aio__testing_shuffle_batch(aio_loop *loop);

/* debug.c: run a node, and say so if it takes long */
void aio__loop_run_watched(aio_loop *loop, struct aio__ready *node,
                           void (*run)(aio_loop *, struct aio__ready *));

/*
 * interrupt.c: SIGINT for the loop of a runner. While it is taken, the first one calls the
 * function in the loop's thread, the second makes the run call return AIO_EKEYBOARDINTERRUPT, the
 * third has the default action. Taken only in the main thread, if nobody else handles it.
 */
bool aio__sigint_take(aio_loop *loop, void (*fn)(void *arg), void *arg);
/* How many came; `ret_seen`: of them, how many the loop has seen. */
unsigned aio__sigint_give_back(aio_loop *loop, unsigned *ret_seen);
void aio__sigint_check(aio_loop *loop); /* after each poll */

/* signal.c */
bool aio__in_main_thread(void);
void aio__signals_close(aio_loop *loop);
void aio__signals_in_child(void); /* after fork(): what was there before us comes back */
/* A handler that ours have been set over is no more: it is not to be put back. */
void aio__signals_forget(int signum, const struct sigaction *gone, const struct sigaction *instead);

/* registry.c: every loop, from when it is made until its memory goes */
void aio__loop_register(aio_loop *loop);
void aio__loop_unregister(aio_loop *loop);

/* graveyard.c: closed loops whose libuv loop has jobs running in its pool */
void aio__graveyard_add(aio_loop *loop);
void aio__graveyard_sweep(void);
bool aio__loop_bury(aio_loop *loop); /* end its uv_loop_t, if nothing is running there */

/* drive.c: the handles on the uv_loop_t. 0, or a code: what was begun has to be closed */
int aio__drive_init(aio_loop *loop);
void aio__drive_close(aio_loop *loop);

/* A job has begun elsewhere that will come back to the loop, or has come back: a virtual clock
 * stands still meanwhile, and a host's uv_loop_t lives on. In the loop's thread. */
void aio__loop_job_begins(aio_loop *loop);
void aio__loop_job_ends(aio_loop *loop);

/* fork.c */
unsigned aio__process_generation(void); /* how many forks lie between us and the first of us */
void aio__loop_note_process(aio_loop *loop);
extern AIO__HIDDEN unsigned aio__forks; /* the same number, without its first asking */
static inline bool aio__loop_is_from_before_fork(const aio_loop *loop)
{
    return loop->generation != aio__forks;
}
int aio__loop_check_process(const aio_loop *loop); /* 0, or AIO_ERUNTIME raised for such a one */

/* clock.c */
uint64_t aio__loop_now_ns(const aio_loop *loop);                               /* reads the clock */
bool aio__loop_deadline(const aio_loop *loop, double delay, uint64_t *ret_ns); /* false: NaN */
bool aio__loop_when_ns(double when, uint64_t *ret_ns);                         /* false: NaN */

/* Whether this thread may touch the loop's objects: 0, or in debug mode AIO_ERUNTIME. */
int aio__loop_compare_thread(const aio_loop *loop);
static inline int aio__loop_check_thread(const aio_loop *loop)
{
    return AIO__LIKELY(!loop->debug) ? 0 : aio__loop_compare_thread(loop);
}

/* origin.c */
void aio__origins_free(aio_loop *loop);

/* timer.c */
int aio__timer_start(aio_loop *loop, struct aio__timer *timer, uint64_t when_ns);
void aio__timer_stop(aio_loop *loop, struct aio__timer *timer);
static inline bool aio__timer_is_set(const struct aio__timer *timer)
{
    return aio__heap_contains(&timer->item);
}
void aio__timers_collect(aio_loop *loop); /* queue all that are due at now_ns */

/* alarm.c: libuv wakes when the first timer is due */
int aio__alarm_init(aio_loop *loop);
void aio__alarm_set(aio_loop *loop);
void aio__alarm_keep_alive(aio_loop *loop); /* a host's loop stays alive while there are timers */
void aio__alarm_let_go(aio_loop *loop);     /* it does not, whatever there is */
void aio__alarm_close(aio_loop *loop, uv_close_cb closed);

/* inbox.c */
int aio__inbox_post(aio_loop *loop, struct aio__ready *node); /* any thread; 0, or AIO_ECLOSED,
                                                                 which is not raised */
void aio__inbox_drain(aio_loop *loop);
void aio__inbox_close(aio_loop *loop);

/* handle.c */
aio__ctx *aio__handle_context_slot(aio_handle *handle);

/* watch.c */
void aio__watches_check(aio_loop *loop); /* before each poll */
void aio__watches_close(aio_loop *loop);

#endif
