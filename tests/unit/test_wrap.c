/* SPDX-License-Identifier: MIT */
/*
 * test_wrap.c - between concurrent futures and those of a loop
 *
 * After asyncio's test_futures.*.test_wrap_future and test_tasks.RunCoroutineThreadsafeTests.
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/concurrent.h>
#include <aio/context.h>
#include <aio/memory.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

static char OK[] = "OK";

static int setup(void **state)
{
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    f->subject = aio_concurrent_future_new();
    return f->subject == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    aio_concurrent_future_unref(f->subject);
    return fx_teardown(state);
}

/* --- in other threads ------------------------------------------------------------------ */

static void in_a_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *finish(void *arg)
{
    assert_int_equal(aio_concurrent_future_set_result(arg, OK), 0);
    return NULL;
}

static void *finish_with_a_copy(void *arg)
{
    assert_int_equal(
        aio_concurrent_future_set_result_typed(arg, aio_strdup("copy"), &aio_type_owned_string), 0);
    return NULL;
}

static void *raise_in_it(void *arg)
{
    int code = aio_raise(AIO_EVALUE, "no such image");

    assert_int_equal(aio_concurrent_future_set_error(arg, code), 0);
    return NULL;
}

static void *stop_in_it(void *arg)
{
    assert_int_equal(aio_concurrent_future_set_error(arg, AIO_ESTOP), 0);
    return NULL;
}

static void *cancel(void *arg)
{
    assert_true(aio_concurrent_future_cancel(arg));
    return NULL;
}

/* --- wrap_future ----------------------------------------------------------------------- */

static int await_wrapped(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) fut = aio_wrap_future(f->subject, NULL);
    void *value = NULL;
    int err;

    f->other = fut;
    err = aio_await(fut, &value);
    f->other = NULL;
    if (err == 0)
        fx_note(f, "got %s", (char *)value);
    else
        fx_note(f, "! %s: %s", aio_error_name(err), aio_error_text(err));
    return 0;
}

/* S27 */
static void wrapped_future_gives_what_another_thread_set(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_wrapped);
    fx_step(f);
    in_a_thread(finish, f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A got OK");
}

/* S27 */
static void wrapped_future_gives_the_error_of_another_thread(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_wrapped);
    fx_step(f);
    in_a_thread(raise_in_it, f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A ! ValueError: no such image");
}

static void wrapped_future_makes_a_runtime_error_of_the_end_of_an_iteration(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_wrapped);
    fx_step(f);
    in_a_thread(stop_in_it, f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A ! RuntimeError: StopIteration interacts badly with generators and "
                       "cannot be raised into a Future");
}

/* S27, S29: call_soon_threadsafe, then the task's wake-up */
static void wrapped_future_wakes_its_task_two_iterations_after_the_source_is_done(void **state)
{
    struct fixture *f = *state;

    (void)aio_concurrent_future_set_result(f->subject, OK);
    (void)fx_spawn(f, "A", await_wrapped);
    (void)fx_spawn(f, "tick", fx_tick);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, tick 1, A got OK, tick 2");
}

/* S27; after test_wrap_future_cancel */
static void wrapped_future_that_is_cancelled_cancels_its_source(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_wrapped);

    fx_step(f);
    (void)aio_task_cancel(task, NULL);
    assert_true(aio_concurrent_future_cancelled(f->subject));
    fx_settle(f);
    fx_assert_trace(f, "A ! CancelledError: ");
}

/* S163 */
static void wrapped_future_of_a_running_source_is_cancelled_alone_and_at_once(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_wrapped);

    (void)aio_concurrent_future_set_running_or_notify_cancel(f->subject);
    fx_step(f);
    (void)aio_task_cancel(task, NULL);
    fx_step(f);
    fx_assert_trace(f, "A ! CancelledError: ");
    assert_true(aio_concurrent_future_running(f->subject));
    in_a_thread(finish_with_a_copy, f->subject);
    fx_settle(f);
}

/* S27; after test_wrap_future_cancel2 */
static void wrapped_future_is_cancelled_with_its_source(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_wrapped);
    fx_step(f);
    in_a_thread(cancel, f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A ! CancelledError: ");
}

static void wrapped_future_keeps_the_result_of_its_source(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = aio_wrap_future(f->subject, f->loop);
    void *value = NULL;

    in_a_thread(finish_with_a_copy, f->subject);
    fx_settle(f);
    aio_concurrent_future_unref(f->subject);
    f->subject = NULL;
    assert_int_equal(aio_future_result(fut, &value), 0);
    assert_string_equal(value, "copy");
    aio_future_unref(fut);
}

static int count_report(aio_loop *loop, const aio_exception_context *context, void *arg)
{
    unsigned *reports = arg;

    assert_string_equal(context->message, "Future exception was never retrieved");
    assert_int_equal(aio_exception_code(context->error), AIO_EVALUE);
    ++*reports;
    return 0;
}

/* S23 */
static void wrapped_future_that_nobody_kept_still_reports_an_error(void **state)
{
    struct fixture *f = *state;
    unsigned reports = 0;

    aio_loop_set_exception_handler(f->loop, count_report, &reports);
    aio_future_unref(aio_wrap_future(f->subject, f->loop));
    in_a_thread(raise_in_it, f->subject);
    fx_settle(f);
    assert_int_equal(reports, 1);
}

/* S27: nothing is copied into a closed loop */
static void wrapped_future_hears_nothing_once_its_loop_is_closed(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = aio_wrap_future(f->subject, f->loop);

    assert_int_equal(aio_loop_close(f->loop), 0);
    in_a_thread(finish_with_a_copy, f->subject);
    assert_false(aio_future_done(fut));
    aio_future_unref(fut);
}

static void wrapped_future_may_be_told_while_its_loop_closes(void **state)
{
    struct fixture *f = *state;
    aio_future *fut = aio_wrap_future(f->subject, f->loop);

    in_a_thread(finish_with_a_copy, f->subject); /* in the loop's inbox now */
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_false(aio_future_done(fut));
    aio_future_unref(fut);
}

/* Whichever of the two ends goes last takes the rest along. */
static void wrapped_future_may_be_gone_before_its_source_is_done(void **state)
{
    struct fixture *f = *state;

    aio_future_unref(aio_wrap_future(f->subject, f->loop));
    assert_int_equal(aio_loop_close(f->loop), 0);
    in_a_thread(finish_with_a_copy, f->subject);
}

static void wrapped_future_needs_a_source_and_an_open_loop(void **state)
{
    struct fixture *f = *state;

    aio_set_event_loop(NULL);
    assert_null(aio_wrap_future(f->subject, NULL));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ENOLOOP);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_null(aio_wrap_future(f->subject, f->loop));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ECLOSED);
    aio__fail_allocation(1);
    assert_null(aio_concurrent_future_new());
    assert_null(aio_wrap_future(NULL, f->loop));
    assert_int_equal(aio_future_result(NULL, NULL), AIO_ENOMEM);
}

/* --- run_coroutine_threadsafe ---------------------------------------------------------- */

static aio_contextvar *var;

static int destroyed; /* arguments */

static void count_destroyed(void *arg)
{
    destroyed++;
}

static int answer(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_sleep(0);

    fx_note(f, "answers");
    *ret_result = OK;
    return err;
}

static int refuse(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "refused");
}

static int be_cancelled(void *arg, void **ret_result)
{
    return AIO_ECANCELLED;
}

static int copy_text(void *arg, void **ret_result)
{
    *ret_result = aio_strdup("copy");
    return *ret_result == NULL ? AIO_ENOMEM : 0;
}

static int wait_for_ever(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) fut = aio_future_new(NULL);

    fx_note(f, "waits");
    if (f->other != NULL)
        (void)sem_post(f->other);
    return fx_note_code(f, "went on", aio_await(fut, NULL));
}

/* What a thread asks of the loop, and what it gets. */
struct request {
    struct fixture *f;
    aio_coro_fn fn;
    int code;
    char text[64];
};

static int stop(void *arg)
{
    aio_loop_stop(arg);
    return 0;
}

static void *request(void *arg)
{
    struct request *r = arg;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_concurrent_future) fut = NULL;
    void *value = NULL;

    options.arg_destroy = count_destroyed;
    if (r->fn == copy_text)
        options.result_type = &aio_type_owned_string;
    fut = aio_run_coroutine_threadsafe_with(r->fn, r->f, r->f->loop, &options);
    r->code = aio_concurrent_future_result(fut, AIO_FOREVER, &value);
    (void)strncat(r->text, r->code < 0 ? aio_error_text(r->code) : (char *)value,
                  sizeof(r->text) - 1);
    (void)aio_loop_call_soon_threadsafe(r->f->loop, stop, r->f->loop, NULL);
    return NULL;
}

/* Run the loop until the thread has its answer. */
static void serve(struct fixture *f, struct request *r, aio_coro_fn fn)
{
    pthread_t thread;

    destroyed = 0;
    *r = (struct request){.f = f, .fn = fn};
    aio_testing_on_blocked(f->loop, NULL, NULL);
    assert_int_equal(pthread_create(&thread, NULL, request, r), 0);
    (void)aio_loop_run_forever(f->loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    aio_testing_on_blocked(f->loop, stop, f->loop);
    assert_int_equal(destroyed, 1);
}

/* S27; after test_run_coroutine_threadsafe */
static void threadsafe_coroutine_gives_its_result_to_the_thread(void **state)
{
    struct fixture *f = *state;
    struct request r;

    serve(f, &r, answer);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.text, "OK");
}

static void threadsafe_coroutine_passes_the_ownership_of_its_result(void **state)
{
    struct request r;

    serve(*state, &r, copy_text);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.text, "copy");
}

/* after test_run_coroutine_threadsafe_with_exception */
static void threadsafe_coroutine_gives_its_error_to_the_thread(void **state)
{
    struct request r;

    serve(*state, &r, refuse);
    assert_int_equal(r.code, AIO_EVALUE);
    assert_string_equal(r.text, "refused");
}

static void threadsafe_coroutine_that_ends_cancelled_cancels_the_future(void **state)
{
    struct request r;

    serve(*state, &r, be_cancelled);
    assert_int_equal(r.code, AIO_ECANCELLED);
}

static aio_concurrent_future *call(struct fixture *f, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    destroyed = 0;
    options.name = "T";
    options.arg_destroy = count_destroyed;
    return aio_run_coroutine_threadsafe_with(fn, f, f->loop, &options);
}

static void *request_and_cancel(void *arg)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_concurrent_future) fut = call(f, wait_for_ever);

    (void)sem_wait(f->other);
    assert_false(aio_concurrent_future_running(fut));
    assert_true(aio_concurrent_future_cancel(fut));
    assert_int_equal(aio_loop_call_soon_threadsafe(f->loop, stop, f->loop, NULL), 0);
    return NULL;
}

/* S27; after test_run_coroutine_threadsafe_task_cancelled */
static void threadsafe_coroutine_is_cancelled_by_cancelling_the_future(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    sem_t waits;

    (void)sem_init(&waits, 0, 0);
    f->other = &waits;
    aio_testing_on_blocked(f->loop, NULL, NULL);
    assert_int_equal(pthread_create(&thread, NULL, request_and_cancel, f), 0);
    (void)aio_loop_run_forever(f->loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    aio_testing_on_blocked(f->loop, stop, f->loop);
    fx_settle(f);
    fx_assert_trace(f, "T waits, T went on ! CancelledError");
    (void)sem_destroy(&waits);
}

/* S30 */
static void threadsafe_coroutine_cancelled_before_its_turn_never_begins(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_concurrent_future) fut = call(f, answer);

    assert_true(aio_concurrent_future_cancel(fut));
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(destroyed, 1);
}

static void threadsafe_coroutine_is_refused_by_a_closed_loop(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_null(call(f, answer));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_ECLOSED);
    assert_int_equal(destroyed, 1);
    assert_null(aio_run_coroutine_threadsafe(answer, f, NULL));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_ENOLOOP);
    assert_null(aio_run_coroutine_threadsafe(NULL, f, f->loop));
    assert_int_equal(aio_concurrent_future_result(NULL, 0, NULL), AIO_EVALUE);
}

/* Where asyncio leaves the thread waiting for ever. */
static void threadsafe_coroutine_that_could_not_begin_fails_when_its_loop_is_closed(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_concurrent_future) fut = call(f, answer);

    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_ECLOSED);
    assert_int_equal(destroyed, 1);
    fx_assert_trace(f, "");
}

static void threadsafe_coroutine_that_still_waits_ends_when_its_loop_is_closed(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_concurrent_future) fut = call(f, wait_for_ever);

    fx_settle(f);
    aio_loop_set_exception_handler(f->loop, NULL, NULL);
    assert_int_equal(aio_loop_close(f->loop), 0);
    fx_assert_trace(f, "T waits, T went on ! GeneratorExit");
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_EGENERATOREXIT);
}

static int ask_own_thread(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_concurrent_future) fut = call(f, answer);

    (void)fx_note_code(f, "asked", aio_concurrent_future_result(fut, AIO_FOREVER, NULL));
    return 0;
}

static void threadsafe_coroutine_is_not_waited_for_by_the_thread_that_runs_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", ask_own_thread);
    fx_settle(f);
    fx_assert_trace(f, "A asked ! RuntimeError, T answers");
}

static int note_variable(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    void *value = NULL;

    if (aio_contextvar_get(var, &value) == 0)
        fx_note(f, "sees %s", (char *)value);
    return aio_contextvar_set(var, aio_constant("changed"), NULL);
}

static void *call_with_variable(void *arg)
{
    struct fixture *f = arg;

    assert_int_equal(aio_contextvar_set(var, aio_constant("of the thread"), NULL), 0);
    aio_concurrent_future_unref(call(f, note_variable));
    return NULL;
}

/* S51 */
static void threadsafe_coroutine_runs_in_the_context_of_the_caller(void **state)
{
    struct fixture *f = *state;
    void *value = NULL;

    var = aio_contextvar_new("var", &aio_type_string);
    in_a_thread(call_with_variable, f);
    fx_settle(f);
    fx_assert_trace(f, "T sees of the thread");
    assert_int_equal(aio_contextvar_get(var, &value), AIO_ELOOKUP);
    aio_contextvar_unref(var);
}

static void run_short_of_memory(void *arg)
{
    AIO_AUTO(aio_concurrent_future) source = aio_concurrent_future_new();
    AIO_AUTO(aio_concurrent_future) started = NULL;
    AIO_AUTO(aio_concurrent_future) cancelled = NULL;
    struct fixture f;

    if (!fx_open(&f))
        return;
    f.subject = source;
    aio_loop_set_exception_handler(f.loop, NULL, NULL);
    (void)fx_spawn(&f, "A", await_wrapped);
    fx_step(&f);
    (void)aio_concurrent_future_set_result(source, OK);
    started = call(&f, copy_text);
    cancelled = call(&f, wait_for_ever);
    fx_step(&f);
    (void)aio_concurrent_future_cancel(cancelled);
    fx_settle(&f);
    assert_true(aio_concurrent_future_done(started));
    aio_free(aio_concurrent_future_result(started, 0, &f.other) == 0 ? f.other : NULL);
    fx_close(&f);
}

static void both_ways_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 10);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(wrapped_future_gives_what_another_thread_set),
        TEST(wrapped_future_gives_the_error_of_another_thread),
        TEST(wrapped_future_makes_a_runtime_error_of_the_end_of_an_iteration),
        TEST(wrapped_future_wakes_its_task_two_iterations_after_the_source_is_done),
        TEST(wrapped_future_that_is_cancelled_cancels_its_source),
        TEST(wrapped_future_of_a_running_source_is_cancelled_alone_and_at_once),
        TEST(wrapped_future_is_cancelled_with_its_source),
        TEST(wrapped_future_keeps_the_result_of_its_source),
        TEST(wrapped_future_that_nobody_kept_still_reports_an_error),
        TEST(wrapped_future_hears_nothing_once_its_loop_is_closed),
        TEST(wrapped_future_may_be_told_while_its_loop_closes),
        TEST(wrapped_future_may_be_gone_before_its_source_is_done),
        TEST(wrapped_future_needs_a_source_and_an_open_loop),
        TEST(threadsafe_coroutine_gives_its_result_to_the_thread),
        TEST(threadsafe_coroutine_passes_the_ownership_of_its_result),
        TEST(threadsafe_coroutine_gives_its_error_to_the_thread),
        TEST(threadsafe_coroutine_that_ends_cancelled_cancels_the_future),
        TEST(threadsafe_coroutine_is_cancelled_by_cancelling_the_future),
        TEST(threadsafe_coroutine_cancelled_before_its_turn_never_begins),
        TEST(threadsafe_coroutine_is_refused_by_a_closed_loop),
        TEST(threadsafe_coroutine_that_could_not_begin_fails_when_its_loop_is_closed),
        TEST(threadsafe_coroutine_that_still_waits_ends_when_its_loop_is_closed),
        TEST(threadsafe_coroutine_is_not_waited_for_by_the_thread_that_runs_it),
        TEST(threadsafe_coroutine_runs_in_the_context_of_the_caller),
        TEST(both_ways_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
