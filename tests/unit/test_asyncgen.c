/* SPDX-License-Identifier: MIT */
/*
 * test_asyncgen.c - asynchronous generators and iterators: S168 to S170
 */
#include "task/stacks.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <aio/testing.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What happened, in order, words with a blank between; and what was logged and reported. */
static char trace[512];
static char logged[512];
static char reported[512];

static aio_loop *loop;
static aio_asyncgen *shared;

static void note(const char *word)
{
    size_t length = strlen(trace);

    (void)snprintf(trace + length, sizeof(trace) - length, "%s%s", length > 0 ? " " : "", word);
}

static void note_number(intptr_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%d", (int)number);
    note(text);
}

static void keep_log(aio_log_level level, const char *text, void *arg)
{
    (void)snprintf(logged, sizeof(logged), "%s", text);
}

static int keep_report(aio_loop *where, const aio_exception_context *context, void *arg)
{
    (void)snprintf(reported, sizeof(reported), "%s: %s", context->message,
                   context->error != NULL ? aio_exception_message(context->error) : "");
    return 0;
}

static aio_loop *make_loop(void)
{
    aio_loop_options options = AIO_LOOP_OPTIONS_INIT;
    aio_loop *made;

    options.clock = AIO_CLOCK_VIRTUAL;
    made = aio_loop_new(&options);
    if (made != NULL)
        aio_loop_set_exception_handler(made, keep_report, NULL);
    return made;
}

static int setup(void **state)
{
    trace[0] = logged[0] = reported[0] = '\0';
    aio_log_set_handler(keep_log, NULL);
    (void)count_allocations(state);
    loop = make_loop();
    return loop != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)aio_loop_close(loop);
    aio_loop_unref(loop);
    aio__stacks_end();
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

/* Run a coroutine as the only task there is at first; what it returns. */
static int run(aio_coro_fn fn, void *arg)
{
    aio_task *task = aio_loop_create_task(loop, fn, arg, NULL);
    int err = aio_loop_run_until_complete(loop, task, NULL);

    aio_future_unref(task);
    return err;
}

/* Yields 1, 2, ... n, sleeping a second before each. */
static int ticks(void *arg, void **ret_result)
{
    intptr_t n = (intptr_t)arg;

    for (intptr_t i = 1; i <= n; i++) {
        int err = aio_sleep(1.0);

        if (err == 0)
            err = aio_yield((void *)i, NULL);
        if (err < 0) {
            note(aio_error_name(err));
            return err;
        }
    }
    return 0;
}

static aio_asyncgen *make(aio_generator_fn fn, intptr_t arg)
{
    return aio_asyncgen_new(fn, (void *)arg, NULL);
}

/* --- iterating ------------------------------------------------------------------------- */

static int iterate_all(void *arg, void **ret_result)
{
    aio_iterator *it = aio_asyncgen_iterator(arg);
    void *item = NULL;
    int err;

    while ((err = aio_anext(it, &item)) == 0)
        note_number((intptr_t)item);
    return err == AIO_ESTOP ? 0 : err;
}

static void asyncgen_yields_and_waits_in_the_task_that_iterates(void **state)
{
    aio_asyncgen *generator = make(ticks, 3);
    double start = aio_loop_time(loop);

    assert_int_equal(run(iterate_all, generator), 0);
    assert_string_equal(trace, "1 2 3");
    assert_true(aio_loop_time(loop) - start == 3.0);
    assert_true(aio_asyncgen_done(generator));
    assert_int_equal(run(iterate_all, generator), 0); /* S168: ends at once */
    assert_string_equal(trace, "1 2 3");
    aio_asyncgen_unref(generator);
}

static int iterate_in_turns(void *arg, void **ret_result)
{
    const char *name = arg;
    aio_asyncgen *generator = make(ticks, 2);
    void *item;

    while (aio_asyncgen_asend(generator, NULL, &item) == 0)
        note(name);
    aio_asyncgen_unref(generator);
    return 0;
}

static void generators_of_several_tasks_wait_side_by_side(void **state)
{
    aio_task *other = aio_loop_create_task(loop, iterate_in_turns, (void *)(uintptr_t) "b", NULL);
    double start = aio_loop_time(loop);

    assert_int_equal(run(iterate_in_turns, (void *)(uintptr_t) "a"), 0);
    assert_int_equal(aio_loop_run_until_complete(loop, other, NULL), 0);
    assert_string_equal(trace, "b a b a");
    assert_true(aio_loop_time(loop) - start == 2.0);
    aio_future_unref(other);
}

static int nested_ticks(void *arg, void **ret_result)
{
    AIO_AUTO(aio_asyncgen) inner = make(ticks, (intptr_t)arg);
    void *item = NULL;
    int err;

    while ((err = aio_asyncgen_asend(inner, NULL, &item)) == 0) {
        err = aio_yield((void *)((intptr_t)item * 10), NULL);
        if (err < 0)
            return err;
    }
    return err == AIO_ESTOP ? 0 : err;
}

static void asyncgen_can_iterate_another(void **state)
{
    aio_asyncgen *generator = make(nested_ticks, 2);

    assert_int_equal(run(iterate_all, generator), 0);
    assert_string_equal(trace, "10 20");
    aio_asyncgen_unref(generator);
}

static int echo(void *arg, void **ret_result)
{
    void *sent = NULL;
    int err = 0;

    while (err == 0)
        err = aio_yield((void *)((intptr_t)sent + 1), &sent);
    if (err == AIO_EVALUE) {
        note(aio_error_text(err));
        (void)aio_sleep(1.0);
        return arg != NULL ? aio_yield((void *)55, NULL) : 0;
    }
    note(aio_error_name(err));
    if (err == AIO_EGENERATOREXIT)
        (void)aio_sleep(1.0); /* cleaning up may take its time */
    return err;
}

static int send_and_throw(void *arg, void **ret_result)
{
    aio_asyncgen *generator = arg;
    void *item = NULL;

    if (aio_asyncgen_asend(generator, (void *)1, NULL) != AIO_ETYPE)
        return AIO_EASSERTION;
    (void)aio_asyncgen_asend(generator, NULL, &item);
    note_number((intptr_t)item);
    (void)aio_asyncgen_asend(generator, (void *)41, &item);
    note_number((intptr_t)item);
    (void)aio_asyncgen_athrow(generator, aio_raise(AIO_EVALUE, "thrown"), &item);
    note_number((intptr_t)item);
    return aio_asyncgen_asend(generator, NULL, &item);
}

static void asyncgen_gets_what_is_sent_and_thrown(void **state)
{
    aio_asyncgen *generator = make(echo, 1);

    assert_int_equal(run(send_and_throw, generator), AIO_ESTOP);
    assert_string_equal(trace, "1 42 thrown 55");
    aio_asyncgen_unref(generator);
}

static int throw_around(void *arg, void **ret_result)
{
    aio_asyncgen *fresh = make(echo, 0);
    aio_asyncgen *ending = make(echo, 0);
    void *item = (void *)7;
    bool right = true;

    right &= aio_asyncgen_athrow(fresh, 3, NULL) == AIO_ETYPE;
    right &= aio_asyncgen_athrow(fresh, aio_raise(AIO_EKEY, "early"), &item) == AIO_EKEY;
    right &= aio_asyncgen_done(fresh) && item == (void *)7;
    right &= aio_asyncgen_athrow(fresh, AIO_EKEY, &item) == 0 && item == NULL; /* was over */

    right &= aio_asyncgen_asend(ending, NULL, NULL) == 0;
    right &= aio_asyncgen_athrow(ending, aio_raise(AIO_EVALUE, "v"), NULL) == AIO_ESTOP;
    aio_asyncgen_unref(fresh);
    aio_asyncgen_unref(ending);
    return right ? 0 : AIO_EASSERTION;
}

static void asyncgen_athrow_before_the_start_and_after_the_end(void **state)
{
    assert_int_equal(run(throw_around, NULL), 0);
    assert_string_equal(trace, "v");
}

static int fail_after_one(void *arg, void **ret_result)
{
    int err = aio_yield((void *)1, NULL);

    return err < 0 ? err : aio_raise(arg != NULL ? AIO_ESTOP : AIO_EKEY, "the body's");
}

static int note_failure(void *arg, void **ret_result)
{
    int err = iterate_all(arg, ret_result);

    note(aio_error_name(err));
    note(aio_error_text(err));
    return iterate_all(arg, ret_result);
}

static void error_of_a_body_comes_out_and_ends_the_generator(void **state)
{
    aio_asyncgen *generator = make(fail_after_one, 0);

    assert_int_equal(run(note_failure, generator), 0);
    assert_string_equal(trace, "1 KeyError the body's");
    aio_asyncgen_unref(generator);
}

/* after test_asyncgen.AsyncGenTest: PEP 479 */
static void stop_out_of_a_body_is_a_runtime_error(void **state)
{
    aio_asyncgen *generator = make(fail_after_one, 1);

    assert_int_equal(run(note_failure, generator), 0);
    assert_string_equal(trace, "1 RuntimeError async generator raised StopAsyncIteration");
    aio_asyncgen_unref(generator);
}

static void asyncgen_that_could_not_be_made_gives_the_code(void **state)
{
    assert_null(aio_asyncgen_new(NULL, NULL, NULL));
    assert_null(aio_asyncgen_iterator(NULL));
    assert_int_equal(aio_anext(aio_asyncgen_iterator(NULL), NULL), AIO_EVALUE);
    assert_int_equal(aio_asyncgen_aclose(NULL), AIO_EVALUE);
    assert_int_equal(aio_asyncgen_athrow(NULL, AIO_EKEY, NULL), AIO_EVALUE);
    assert_true(aio_asyncgen_done(NULL));
    aio_asyncgen_unref(NULL);
}

static void asyncgen_needs_a_task(void **state)
{
    aio_asyncgen *generator = make(ticks, 1);

    assert_int_equal(aio_asyncgen_asend(generator, NULL, NULL), AIO_ENOTASK);
    assert_int_equal(aio_loop_shutdown_asyncgens(loop), AIO_ENOTASK);
    assert_false(aio_asyncgen_done(generator));
    aio_asyncgen_unref(generator);
}

/* --- several tasks, cancellation ------------------------------------------------------- */

static int take_one(void *arg, void **ret_result)
{
    return aio_asyncgen_asend(arg, NULL, ret_result);
}

static int use_while_it_waits(void *arg, void **ret_result)
{
    aio_task *first = aio_create_task(take_one, arg);
    int err = aio_sleep(0.5);
    bool right = err == 0;

    right &= aio_asyncgen_asend(arg, NULL, NULL) == AIO_ERUNTIME;
    note(aio_error_text(AIO_ERUNTIME));
    right &= aio_asyncgen_aclose(arg) == AIO_ERUNTIME;
    right &= aio_asyncgen_athrow(arg, AIO_EKEY, NULL) == AIO_ERUNTIME;
    err = aio_await(first, NULL);
    aio_future_unref(first);
    return right ? err : AIO_EASSERTION;
}

/* after test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_anext_tuple_no_exceptions */
static void asyncgen_that_is_under_way_in_another_task_is_refused(void **state)
{
    aio_asyncgen *generator = make(ticks, 2);

    assert_int_equal(run(use_while_it_waits, generator), 0);
    assert_string_equal(trace, "anext(): asynchronous generator is already running");
    assert_int_equal(run(iterate_all, generator), 0);
    aio_asyncgen_unref(generator);
}

static void task_may_go_on_with_what_another_has_begun(void **state)
{
    aio_asyncgen *generator = make(ticks, 3);

    assert_int_equal(run(take_one, generator), 0);
    assert_int_equal(run(take_one, generator), 0);
    assert_int_equal(run(iterate_all, generator), 0);
    assert_string_equal(trace, "3");
    aio_asyncgen_unref(generator);
}

static int cancel_the_iteration(void *arg, void **ret_result)
{
    aio_task *task = aio_create_task(take_one, arg);
    int err = aio_sleep(0.5);

    (void)aio_task_cancel(task, NULL);
    if (err == 0)
        err = aio_await(task, NULL);
    aio_future_unref(task);
    return err;
}

static void cancelling_the_task_cancels_what_the_body_waits_for(void **state)
{
    aio_asyncgen *generator = make(ticks, 2);

    assert_int_equal(run(cancel_the_iteration, generator), AIO_ECANCELLED);
    assert_string_equal(trace, "CancelledError");
    assert_true(aio_asyncgen_done(generator));
    aio_asyncgen_unref(generator);
}

static aio_contextvar *var;

static int set_and_yield(void *arg, void **ret_result)
{
    (void)aio_contextvar_set(var, (void *)5, NULL);
    (void)aio_sleep(1.0);
    return aio_yield(NULL, NULL);
}

static int look_after_one(void *arg, void **ret_result)
{
    void *value = (void *)0;
    int err = aio_asyncgen_asend(arg, NULL, NULL);

    (void)aio_contextvar_get(var, &value);
    note_number((intptr_t)value);
    return err;
}

static void body_runs_in_the_context_of_the_task_that_iterates(void **state)
{
    aio_asyncgen *generator = make(set_and_yield, 0);

    var = aio_contextvar_new("var", NULL);
    assert_int_equal(run(look_after_one, generator), 0);
    assert_string_equal(trace, "5");
    aio_asyncgen_unref(generator);
    aio_contextvar_unref(var);
}

/* --- closing --------------------------------------------------------------------------- */

static int take_one_and_close(void *arg, void **ret_result)
{
    int err = aio_asyncgen_asend(arg, NULL, NULL);

    if (err == 0)
        err = aio_asyncgen_aclose(arg);
    return err;
}

static void asyncgen_aclose_lets_the_body_clean_up_and_wait(void **state)
{
    aio_asyncgen *generator = make(echo, 0);
    double start = aio_loop_time(loop);

    assert_int_equal(run(take_one_and_close, generator), 0);
    assert_string_equal(trace, "GeneratorExit");
    assert_true(aio_loop_time(loop) - start == 1.0);
    assert_true(aio_asyncgen_done(generator));
    assert_int_equal(run(take_one, generator), AIO_ESTOP);
    assert_int_equal(aio_asyncgen_aclose(generator), 0);
    aio_asyncgen_unref(generator);
}

static int end_when_cancelled(void *arg, void **ret_result)
{
    int err = aio_sleep(10);

    note(aio_error_name(err));
    return arg == NULL ? err : aio_raise(AIO_EVALUE, "died badly");
}

/* Yields inside a group whose child ends well when it is cancelled, or does not. */
static int yield_in_a_group(void *arg, void **ret_result)
{
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    if (err < 0)
        return err;
    err = aio_taskgroup_start(group, end_when_cancelled, arg);
    if (err == 0)
        err = aio_sleep(0); /* the child begins */
    if (err == 0)
        err = aio_yield(NULL, NULL);
    err = aio_taskgroup_exit(group, err);
    note(aio_error_name(err));
    return err;
}

/* after asyncio's fix of gh-135736 */
static void asyncgen_may_be_closed_inside_a_task_group(void **state)
{
    aio_asyncgen *generator = make(yield_in_a_group, false);

    assert_int_equal(run(take_one_and_close, generator), 0);
    assert_string_equal(trace, "CancelledError GeneratorExit");
    aio_asyncgen_unref(generator);
}

static int close_and_look(void *arg, void **ret_result)
{
    int err = take_one_and_close(arg, ret_result);
    aio_exception *error = aio_error_catch(err);

    for (size_t i = 0; i < aio_exception_member_count(error); i++)
        note(aio_error_name(aio_exception_code(aio_exception_member(error, i))));
    aio_exception_unref(error);
    return err;
}

static void asyncgen_closed_inside_a_task_group_loses_no_error_of_a_child(void **state)
{
    aio_asyncgen *generator = make(yield_in_a_group, true);

    assert_int_equal(run(close_and_look, generator), AIO_EBASEGROUP);
    assert_string_equal(trace, "CancelledError BaseExceptionGroup ValueError GeneratorExit");
    aio_asyncgen_unref(generator);
}

static void asyncgen_aclose_before_the_start_runs_nothing(void **state)
{
    aio_asyncgen *generator = make(echo, 0);

    assert_int_equal(aio_asyncgen_aclose(generator), 0);
    assert_true(aio_asyncgen_done(generator));
    assert_string_equal(trace, "");
    aio_asyncgen_unref(generator);
}

static int ignore_exit(void *arg, void **ret_result)
{
    while (aio_yield(NULL, NULL) != AIO_EKEY)
        note("again");
    return 0;
}

static void asyncgen_that_ignores_aclose_gives_a_runtime_error(void **state)
{
    aio_asyncgen *generator = make(ignore_exit, 0);

    assert_int_equal(run(take_one_and_close, generator), AIO_ERUNTIME);
    assert_string_equal(trace, "again");
    assert_false(aio_asyncgen_done(generator));
    aio_asyncgen_unref(generator);
}

static int fail_at_exit(void *arg, void **ret_result)
{
    (void)aio_yield(NULL, NULL);
    return aio_raise(AIO_EKEY, "cleanup failed");
}

static void asyncgen_aclose_passes_other_errors_on(void **state)
{
    aio_asyncgen *generator = make(fail_at_exit, 0);

    assert_int_equal(run(take_one_and_close, generator), AIO_EKEY);
    assert_true(aio_asyncgen_done(generator));
    aio_asyncgen_unref(generator);
}

/* --- dropped --------------------------------------------------------------------------- */

static int drop_after_one(void *arg, void **ret_result)
{
    aio_asyncgen *generator = make((aio_generator_fn)(uintptr_t)arg, 0);
    int err = aio_asyncgen_asend(generator, NULL, NULL);

    aio_asyncgen_unref(generator);
    note("dropped");
    if (err == 0)
        err = aio_sleep(5.0);
    note("slept");
    return err;
}

/* S169 */
static void asyncgen_nobody_holds_is_closed_by_a_task_of_its_loop(void **state)
{
    assert_int_equal(run(drop_after_one, (void *)(uintptr_t)echo), 0);
    assert_string_equal(trace, "dropped GeneratorExit slept");
    assert_string_equal(reported, "");
}

static void asyncgen_nobody_holds_has_its_errors_reported(void **state)
{
    assert_int_equal(run(drop_after_one, (void *)(uintptr_t)fail_at_exit), 0);
    assert_string_equal(trace, "dropped slept");
    assert_string_equal(reported, "Task exception was never retrieved: cleanup failed");
}

static void asyncgen_nobody_holds_is_given_up_if_it_yields_again(void **state)
{
    assert_int_equal(run(drop_after_one, (void *)(uintptr_t)ignore_exit), 0);
    assert_string_equal(trace, "dropped again again slept");
    assert_string_equal(reported, "Task exception was never retrieved: async generator ignored "
                                  "GeneratorExit");
    assert_string_equal(logged, "generator 'fn' ignored "
                                "GeneratorExit");
}

static int take_shared(void *arg, void **ret_result)
{
    return aio_asyncgen_asend(shared, NULL, NULL);
}

static void asyncgen_outliving_its_loop_unwinds_without_waiting(void **state)
{
    shared = make(echo, 0);
    assert_int_equal(run(take_shared, NULL), 0);
    assert_int_equal(aio_loop_close(loop), 0);
    assert_string_equal(trace, "");
    aio_asyncgen_unref(shared);
    assert_string_equal(trace, "GeneratorExit");
}

static void asyncgen_dropped_when_no_iteration_follows_unwinds_with_the_loop(void **state)
{
    shared = make(echo, 0);
    assert_int_equal(run(take_shared, NULL), 0);
    aio_asyncgen_unref(shared);
    assert_string_equal(trace, "");
    assert_int_equal(aio_loop_close(loop), 0);
    assert_string_equal(trace, "GeneratorExit");
}

/* A task that is thrown away while the generator it iterates waits unwinds both. */
static void asyncgen_unwinds_with_the_task_that_waits_in_it(void **state)
{
    aio_asyncgen *generator = make(nested_ticks, 2);
    aio_task *task = aio_loop_create_task(loop, iterate_all, generator, NULL);

    aio_loop_stop(loop);
    assert_int_equal(aio_loop_run_forever(loop), 0);
    assert_int_equal(aio_loop_close(loop), 0);
    assert_string_equal(trace, "GeneratorExit");
    assert_true(aio_asyncgen_done(generator));
    aio_asyncgen_unref(generator);
    aio_future_unref(task);
}

/* --- shutdown: S170 -------------------------------------------------------------------- */

static int shut_down(void *arg, void **ret_result)
{
    return aio_loop_shutdown_asyncgens(loop);
}

static int echo_slowly(void *arg, void **ret_result)
{
    (void)aio_yield(NULL, NULL);
    note_number((intptr_t)arg);
    (void)aio_sleep(1.0);
    note_number((intptr_t)arg);
    return 0;
}

static void shutdown_closes_all_generators_together_in_order(void **state)
{
    aio_asyncgen *generators[3];
    double start = aio_loop_time(loop);

    for (intptr_t i = 0; i < 3; i++) {
        generators[i] = make(echo_slowly, i);
        assert_int_equal(run(take_one, generators[i]), 0);
    }
    assert_int_equal(run(shut_down, NULL), 0);
    assert_string_equal(trace, "0 1 2 0 1 2");
    assert_true(aio_loop_time(loop) - start == 1.0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(aio_asyncgen_done(generators[i]));
        aio_asyncgen_unref(generators[i]);
    }
}

static void shutdown_reports_errors_of_bodies(void **state)
{
    aio_asyncgen *generator = make(fail_at_exit, 0);

    assert_int_equal(run(take_one, generator), 0);
    assert_int_equal(run(shut_down, NULL), 0);
    assert_memory_equal(reported, "an error occurred during closing of asynchronous generator <",
                        60);
    assert_non_null(strstr(reported, "cleanup failed"));
    aio_asyncgen_unref(generator);
}

static void generator_first_iterated_after_the_shutdown_is_warned_of(void **state)
{
    aio_asyncgen *generator = make(ticks, 1);

    assert_int_equal(run(shut_down, NULL), 0);
    assert_int_equal(run(iterate_all, generator), 0);
    assert_string_equal(logged, "asynchronous generator 'fn' was scheduled after "
                                "aio_loop_shutdown_asyncgens()");
    aio_asyncgen_unref(generator);
}

static void runner_closes_generators_at_its_end(void **state)
{
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;
    aio_runner *runner;

    options.quiet = true;
    runner = aio_runner_new(&options);
    shared = make(echo_slowly, 7);
    assert_int_equal(aio_runner_run(runner, take_shared, NULL, NULL, NULL), 0);
    assert_string_equal(trace, "");
    aio_runner_free(runner);
    assert_string_equal(trace, "7 7");
    aio_asyncgen_unref(shared);
}

/* --- own iterators --------------------------------------------------------------------- */

struct countdown {
    aio_iterator base;
    intptr_t left;
};

static int countdown_next(aio_iterator *it, void **ret_item)
{
    struct countdown *self = (struct countdown *)it;
    int err;

    if (self->left == 0)
        return AIO_ESTOP;
    err = aio_sleep(1.0);
    if (err < 0)
        return err;
    *ret_item = (void *)self->left--;
    return 0;
}

static int count_down(void *arg, void **ret_result)
{
    static const aio_iterator_ops ops = {.size = sizeof(ops), .next = countdown_next};
    struct countdown countdown = {{&ops}, 3};
    void *item;
    int err;

    while ((err = aio_anext(&countdown.base, &item)) == 0)
        note_number((intptr_t)item);
    if (err == AIO_ESTOP)
        err = aio_anext(&countdown.base, NULL);
    return err == AIO_ESTOP ? 0 : err;
}

static void iterator_of_the_programs_own_ends_with_stop(void **state)
{
    assert_int_equal(run(count_down, NULL), 0);
    assert_string_equal(trace, "3 2 1");
}

static void iterator_without_operations_is_a_type_error(void **state)
{
    static const aio_iterator_ops old = {.size = 1, .next = countdown_next};
    aio_iterator iterators[2] = {{NULL}, {&old}};

    assert_int_equal(aio_anext(&iterators[0], NULL), AIO_ETYPE);
    assert_int_equal(aio_anext(&iterators[1], NULL), AIO_ETYPE);
}

static int sleep_for(void *arg, void **ret_result)
{
    *ret_result = arg;
    return aio_sleep((double)(intptr_t)arg);
}

static int iterate_as_completed(void *arg, void **ret_result)
{
    aio_task *tasks[3];
    aio_as_completed *outcomes;
    void *item = NULL;
    int err;

    for (intptr_t i = 0; i < 3; i++)
        tasks[i] = aio_create_task(sleep_for, (void *)(3 - i));
    outcomes = aio_as_completed_new(tasks, 3, AIO_FOREVER);
    while ((err = aio_anext(aio_as_completed_iterator(outcomes), &item)) == 0) {
        void *value = NULL;

        (void)aio_future_result(item, &value);
        note_number((intptr_t)value);
    }
    aio_as_completed_unref(outcomes);
    for (size_t i = 0; i < 3; i++)
        aio_future_unref(tasks[i]);
    return err == AIO_ESTOP ? 0 : err;
}

static void as_completed_is_an_iterator(void **state)
{
    assert_null(aio_as_completed_iterator(NULL));
    assert_int_equal(run(iterate_as_completed, NULL), 0);
    assert_string_equal(trace, "1 2 3");
}

/* --- memory ---------------------------------------------------------------------------- */

static int iterate_and_drop(void *arg, void **ret_result)
{
    aio_asyncgen *generator = make(nested_ticks, 2);
    aio_asyncgen *dropped = make(echo, 0);
    void *item;
    int err = aio_asyncgen_asend(dropped, NULL, NULL);

    aio_asyncgen_unref(dropped);
    while (err == 0)
        err = aio_asyncgen_asend(generator, NULL, &item);
    aio_asyncgen_unref(generator);
    return err == AIO_ESTOP ? aio_loop_shutdown_asyncgens(aio_get_running_loop()) : err;
}

static void iterate_short_of_memory(void *arg)
{
    aio_loop *outer = loop;

    trace[0] = '\0';
    loop = make_loop();
    if (loop != NULL) {
        aio_task *task = aio_loop_create_task(loop, iterate_and_drop, NULL, NULL);
        int err = aio_loop_run_until_complete(loop, task, NULL);

        assert_true(err == 0 || err == AIO_ENOMEM);
        aio_future_unref(task);
        (void)aio_loop_close(loop);
        aio_loop_unref(loop);
    }
    aio__stacks_end();
    loop = outer;
}

static void asyncgens_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(iterate_short_of_memory, NULL) > 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asyncgen_yields_and_waits_in_the_task_that_iterates),
        TEST(generators_of_several_tasks_wait_side_by_side),
        TEST(asyncgen_can_iterate_another),
        TEST(asyncgen_gets_what_is_sent_and_thrown),
        TEST(asyncgen_athrow_before_the_start_and_after_the_end),
        TEST(error_of_a_body_comes_out_and_ends_the_generator),
        TEST(stop_out_of_a_body_is_a_runtime_error),
        TEST(asyncgen_that_could_not_be_made_gives_the_code),
        TEST(asyncgen_needs_a_task),
        TEST(asyncgen_that_is_under_way_in_another_task_is_refused),
        TEST(task_may_go_on_with_what_another_has_begun),
        TEST(cancelling_the_task_cancels_what_the_body_waits_for),
        TEST(body_runs_in_the_context_of_the_task_that_iterates),
        TEST(asyncgen_aclose_lets_the_body_clean_up_and_wait),
        TEST(asyncgen_may_be_closed_inside_a_task_group),
        TEST(asyncgen_closed_inside_a_task_group_loses_no_error_of_a_child),
        TEST(asyncgen_aclose_before_the_start_runs_nothing),
        TEST(asyncgen_that_ignores_aclose_gives_a_runtime_error),
        TEST(asyncgen_aclose_passes_other_errors_on),
        TEST(asyncgen_nobody_holds_is_closed_by_a_task_of_its_loop),
        TEST(asyncgen_nobody_holds_has_its_errors_reported),
        TEST(asyncgen_nobody_holds_is_given_up_if_it_yields_again),
        TEST(asyncgen_outliving_its_loop_unwinds_without_waiting),
        TEST(asyncgen_dropped_when_no_iteration_follows_unwinds_with_the_loop),
        TEST(asyncgen_unwinds_with_the_task_that_waits_in_it),
        TEST(shutdown_closes_all_generators_together_in_order),
        TEST(shutdown_reports_errors_of_bodies),
        TEST(generator_first_iterated_after_the_shutdown_is_warned_of),
        TEST(runner_closes_generators_at_its_end),
        TEST(iterator_of_the_programs_own_ends_with_stop),
        TEST(iterator_without_operations_is_a_type_error),
        TEST(as_completed_is_an_iterator),
        TEST(asyncgens_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
