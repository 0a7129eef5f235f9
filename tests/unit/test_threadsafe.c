/* SPDX-License-Identifier: MIT */
/*
 * test_threadsafe.c - calls from other threads
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { THREADS = 4, CALLS = 200 };

static void start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
    assert_int_equal(pthread_create(thread, NULL, fn, arg), 0);
}

static void join(pthread_t thread)
{
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* --- many threads, one loop ------------------------------------------------------------- */

struct crowd;

struct caller {
    struct crowd *crowd;
    unsigned next; /* the number the next call should have */
    bool in_order;
    int err; /* of posting */
    struct post {
        struct caller *caller;
        unsigned number;
    } posts[CALLS];
};

struct crowd {
    aio_loop *loop;
    unsigned left;
    struct caller callers[THREADS];
};

static int count_post(void *arg)
{
    struct post *post = arg;
    struct caller *caller = post->caller;

    if (post->number != caller->next++)
        caller->in_order = false;
    if (--caller->crowd->left == 0)
        aio_loop_stop(caller->crowd->loop);
    return 0;
}

static void *post_all(void *arg)
{
    struct caller *caller = arg;

    for (unsigned i = 0; i < CALLS && caller->err == 0; i++) {
        caller->posts[i] = (struct post){caller, i};
        caller->err =
            aio_loop_call_soon_threadsafe(caller->crowd->loop, count_post, &caller->posts[i], NULL);
    }
    return NULL;
}

/* S14 */
static void calls_of_several_threads_all_run_those_of_each_in_order(void **state)
{
    static struct crowd crowd;
    struct fixture *f = *state;
    pthread_t threads[THREADS];

    crowd = (struct crowd){.loop = f->loop, .left = THREADS * CALLS};
    for (unsigned i = 0; i < THREADS; i++) {
        crowd.callers[i].crowd = &crowd;
        crowd.callers[i].in_order = true;
        start(&threads[i], post_all, &crowd.callers[i]);
    }
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        join(threads[i]);
        assert_int_equal(crowd.callers[i].err, 0);
        assert_true(crowd.callers[i].in_order);
        assert_int_equal(crowd.callers[i].next, CALLS);
    }
}

/* --- one thread ------------------------------------------------------------------------- */

static int note_and_stop(void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "called");
    aio_loop_stop(f->loop);
    return 0;
}

static void *call_once(void *arg)
{
    struct fixture *f = arg;

    f->subject = (void *)(intptr_t)aio_loop_call_soon_threadsafe(f->loop, note_and_stop, f, NULL);
    return NULL;
}

/* Whether the loop sleeps already or not: it must not miss the call. */
static void sleeping_loop_is_woken(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    for (unsigned i = 0; i < 20; i++) {
        start(&thread, call_once, f);
        assert_int_equal(aio_loop_run_forever(f->loop), 0);
        join(thread);
        assert_null(f->subject);
        fx_assert_trace(f, "- called");
    }
}

static void call_made_before_the_run_is_not_lost(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    start(&thread, call_once, f);
    join(thread);
    assert_null(f->subject);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- called");
}

static int note_a(void *arg)
{
    fx_note(arg, "a");
    return 0;
}

static int note_b(void *arg)
{
    fx_note(arg, "b");
    return 0;
}

static int call_a_then_b(void *arg)
{
    struct fixture *f = arg;

    return aio_loop_call_soon_threadsafe(f->loop, note_a, f, NULL) |
           aio_loop_call_soon(f->loop, note_b, f, NULL) |
           aio_loop_call_soon_threadsafe(f->loop, note_a, f, NULL) |
           aio_loop_call_soon(f->loop, note_and_stop, f, NULL);
}

/* S14, S15: appended like any other. */
static void calls_from_the_own_thread_keep_their_place(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_soon(f->loop, call_a_then_b, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    fx_assert_trace(f, "- a, - b, - a, - called");
}

/* --- tasks that are ready the whole time ------------------------------------------------- */

static int yield_until_called(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    (void)ret_result;
    while (err == 0 && f->used == 0)
        err = aio_sleep(0);
    return err;
}

static void call_reaches_a_loop_that_never_sleeps(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    (void)fx_spawn(f, "A", yield_until_called);
    start(&thread, call_once, f);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    join(thread);
    fx_step(f);
    assert_true(aio_future_done(f->tasks[0]));
    fx_assert_trace(f, "- called");
}

/* --- cancelling ------------------------------------------------------------------------- */

struct meeting {
    struct fixture *f;
    aio_handle *handle;
    sem_t loop_is_busy;
    sem_t go_on;
};

static int be_busy(void *arg)
{
    struct meeting *meeting = arg;

    (void)sem_post(&meeting->loop_is_busy);
    (void)sem_wait(&meeting->go_on);
    return 0;
}

static void *post_and_cancel(void *arg)
{
    struct meeting *meeting = arg;
    struct fixture *f = meeting->f;
    aio_handle *handle = NULL;

    (void)sem_wait(&meeting->loop_is_busy);
    f->subject = (void *)(intptr_t)aio_loop_call_soon_threadsafe(f->loop, note_a, f, &handle);
    aio_handle_cancel(handle);
    aio_handle_unref(handle);
    (void)aio_loop_call_soon_threadsafe(f->loop, note_and_stop, f, NULL);
    (void)sem_post(&meeting->go_on);
    return NULL;
}

/* S14 */
static void call_may_be_cancelled_by_the_thread_that_made_it(void **state)
{
    struct fixture *f = *state;
    struct meeting meeting = {.f = f};
    pthread_t thread;

    assert_int_equal(sem_init(&meeting.loop_is_busy, 0, 0), 0);
    assert_int_equal(sem_init(&meeting.go_on, 0, 0), 0);
    start(&thread, post_and_cancel, &meeting);
    assert_int_equal(aio_loop_call_soon(f->loop, be_busy, &meeting, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    join(thread);
    assert_null(f->subject);
    fx_assert_trace(f, "- called");
    (void)sem_destroy(&meeting.loop_is_busy);
    (void)sem_destroy(&meeting.go_on);
}

static atomic_uint ran;

static int count_run(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
    return 0;
}

struct canceller {
    struct fixture *f;
    int err;
};

static void *post_and_cancel_many(void *arg)
{
    struct canceller *canceller = arg;
    struct fixture *f = canceller->f;

    for (unsigned i = 0; i < CALLS && canceller->err == 0; i++) {
        aio_handle *handle = NULL;

        canceller->err = aio_loop_call_soon_threadsafe(f->loop, count_run, NULL, &handle);
        if ((i & 1) != 0)
            aio_handle_cancel(handle);
        aio_handle_unref(handle);
    }
    if (canceller->err == 0)
        canceller->err = aio_loop_call_soon_threadsafe(f->loop, note_and_stop, f, NULL);
    return NULL;
}

/* Run and cancelled in two threads at once: each call happens once or not at all. */
static void cancelling_and_running_may_meet(void **state)
{
    struct fixture *f = *state;
    struct canceller canceller = {.f = f};
    pthread_t thread;

    atomic_store(&ran, 0);
    start(&thread, post_and_cancel_many, &canceller);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    join(thread);
    assert_int_equal(canceller.err, 0);
    assert_in_range(atomic_load(&ran), CALLS / 2, CALLS);
}

/* --- closing ---------------------------------------------------------------------------- */

struct guest {
    aio_loop *loop; /* a reference of its own */
    atomic_uint *posted;
    int err;
};

static void *post_until_closed(void *arg)
{
    struct guest *guest = arg;
    aio_handle *handle = NULL;

    do {
        aio_handle_unref(handle);
        handle = NULL;
        guest->err = aio_loop_call_soon_threadsafe(guest->loop, count_run, NULL, &handle);
        if (guest->err == 0)
            atomic_fetch_add(guest->posted, 1);
    } while (guest->err == 0);
    if (handle != NULL)
        guest->err = 0; /* it was given one for a call that was refused */
    aio_loop_unref(guest->loop);
    return NULL;
}

/* S10. The fixture sees whether what was thrown away is freed. */
static void loop_may_be_closed_while_others_call(void **state)
{
    struct fixture *f = *state;
    struct guest guests[THREADS];
    pthread_t threads[THREADS];
    atomic_uint posted = 0;

    atomic_store(&ran, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        guests[i] = (struct guest){aio_loop_ref(f->loop), &posted, 0};
        start(&threads[i], post_until_closed, &guests[i]);
    }
    while (atomic_load(&ran) < CALLS)
        fx_step(f);
    assert_int_equal(aio_loop_close(f->loop), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        join(threads[i]);
        assert_int_equal(guests[i].err, AIO_ECLOSED);
    }
    assert_true(atomic_load(&posted) >= atomic_load(&ran));
}

static void *drop_loop(void *arg)
{
    aio_loop_unref(arg);
    return NULL;
}

static void last_reference_to_a_closed_loop_may_go_in_another_thread(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    pthread_t thread;

    (void)state;
    assert_int_equal(aio_loop_close(loop), 0);
    start(&thread, drop_loop, loop);
    join(thread);
}

static void *keep_handle(void *arg)
{
    struct fixture *f = arg;
    aio_handle *handle = NULL;

    (void)aio_loop_call_soon_threadsafe(f->loop, note_a, f, &handle);
    f->other = handle;
    return NULL;
}

static void *drop_handle(void *arg)
{
    aio_handle_cancel(arg);
    aio_handle_unref(arg);
    return NULL;
}

static void handle_may_outlive_its_loop_and_go_in_another_thread(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    start(&thread, keep_handle, f);
    join(thread);
    assert_non_null(f->other);
    assert_int_equal(aio_loop_close(f->loop), 0);
    start(&thread, drop_handle, f->other);
    join(thread);
    fx_assert_trace(f, "");
}

/* --- contexts --------------------------------------------------------------------------- */

static aio_contextvar *variable;
static char of_thread[] = "of the thread";

static int note_variable(void *arg)
{
    struct fixture *f = arg;
    void *value = NULL;

    (void)aio_contextvar_get(variable, &value);
    fx_note(f, "%s", value == NULL ? "unset" : (const char *)value);
    aio_loop_stop(f->loop);
    return 0;
}

static void *set_and_call(void *arg)
{
    struct fixture *f = arg;

    if (aio_contextvar_set(variable, of_thread, NULL) == 0)
        (void)aio_loop_call_soon_threadsafe(f->loop, note_variable, f, NULL);
    return NULL;
}

/* S51 */
static void call_runs_in_the_context_of_the_calling_thread(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    variable = aio_contextvar_new("variable", NULL);
    start(&thread, set_and_call, f);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    join(thread);
    aio_contextvar_unref(variable);
    fx_assert_trace(f, "- of the thread");
}

/* --- debug mode ------------------------------------------------------------------------- */

static void *call_wrongly(void *arg)
{
    struct fixture *f = arg;

    f->subject = (void *)(intptr_t)aio_loop_call_soon(f->loop, note_a, f, NULL);
    f->other = (void *)(intptr_t)aio_loop_call_later(f->loop, 1, note_a, f, NULL);
    return NULL;
}

static int call_wrongly_from_a_thread(void *arg)
{
    struct fixture *f = arg;
    pthread_t thread;

    if (pthread_create(&thread, NULL, call_wrongly, f) != 0)
        return AIO_ERUNTIME;
    aio_loop_stop(f->loop);
    return pthread_join(thread, NULL) == 0 ? 0 : AIO_ERUNTIME;
}

/* S116 */
static void debug_mode_refuses_plain_calls_from_another_thread(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_debug(f->loop, true);
    assert_int_equal(aio_loop_call_soon(f->loop, call_wrongly_from_a_thread, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    assert_int_equal((intptr_t)f->subject, AIO_ERUNTIME);
    assert_int_equal((intptr_t)f->other, AIO_ERUNTIME);
    fx_step(f);
    fx_assert_trace(f, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_REAL(calls_of_several_threads_all_run_those_of_each_in_order),
        FX_TEST_REAL(sleeping_loop_is_woken),
        FX_TEST_REAL(call_made_before_the_run_is_not_lost),
        FX_TEST_REAL(calls_from_the_own_thread_keep_their_place),
        FX_TEST_REAL(call_reaches_a_loop_that_never_sleeps),
        FX_TEST_REAL(call_may_be_cancelled_by_the_thread_that_made_it),
        FX_TEST_REAL(cancelling_and_running_may_meet),
        FX_TEST_REAL(loop_may_be_closed_while_others_call),
        FX_TEST_REAL(last_reference_to_a_closed_loop_may_go_in_another_thread),
        FX_TEST_REAL(handle_may_outlive_its_loop_and_go_in_another_thread),
        FX_TEST_REAL(call_runs_in_the_context_of_the_calling_thread),
        FX_TEST_REAL(debug_mode_refuses_plain_calls_from_another_thread),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
