/* SPDX-License-Identifier: MIT */
/*
 * test_generator.c - plain generators
 */
#include "task/stacks.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/context.h>
#include <aio/generator.h>
#include <aio/log.h>
#include <aio/memory.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What happened, in order, words with a blank between; and what the library logged. */
static char trace[512];
static char logged[512];

static void note(const char *word)
{
    size_t length = strlen(trace);

    (void)snprintf(trace + length, sizeof(trace) - length, "%s%s", length > 0 ? " " : "", word);
}

static void keep_log(aio_log_level level, const char *text, void *arg)
{
    (void)snprintf(logged, sizeof(logged), "%s", text);
}

static int setup(void **state)
{
    trace[0] = '\0';
    logged[0] = '\0';
    aio_log_set_handler(keep_log, NULL);
    return count_allocations(state);
}

static int teardown(void **state)
{
    aio__stacks_end();
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

static aio_generator *make(aio_generator_fn fn, const void *arg)
{
    aio_generator *generator = aio_generator_new(fn, (void *)(uintptr_t)arg, NULL);

    assert_non_null(generator);
    return generator;
}

static void assert_next(aio_generator *generator, intptr_t expected)
{
    void *item = NULL;

    assert_int_equal(aio_next(generator, &item), 0);
    assert_int_equal((intptr_t)item, expected);
}

static int count_to(void *arg, void **ret_result)
{
    intptr_t n = (intptr_t)arg;

    for (intptr_t i = 1; i <= n; i++) {
        int err = aio_yield((void *)i, NULL);

        if (err < 0)
            return err;
    }
    *ret_result = (void *)(n * 100);
    return 0;
}

/* --- running --------------------------------------------------------------------------- */

static void generator_gives_values_then_stops_with_its_result(void **state)
{
    aio_generator *generator = make(count_to, (void *)2);
    void *result = NULL;

    assert_int_equal(aio_generator_result(generator, &result), AIO_EINVALIDSTATE);
    assert_next(generator, 1);
    assert_next(generator, 2);
    assert_false(aio_generator_done(generator));
    assert_int_equal(aio_next(generator, NULL), AIO_ESTOP);
    assert_true(aio_generator_done(generator));
    assert_int_equal(aio_next(generator, NULL), AIO_ESTOP);
    assert_int_equal(aio_generator_result(generator, &result), 0);
    assert_ptr_equal(result, (void *)200);
    aio_generator_unref(generator);
}

static int note_start(void *arg, void **ret_result)
{
    note("begun");
    return aio_yield(NULL, NULL);
}

static void generator_does_not_begin_before_the_first_next(void **state)
{
    aio_generator *generator = make(note_start, NULL);

    assert_string_equal(trace, "");
    assert_next(generator, 0);
    assert_string_equal(trace, "begun");
    aio_generator_unref(generator);
}

static void generator_that_could_not_be_made_gives_the_code(void **state)
{
    assert_null(aio_generator_new(NULL, NULL, NULL));
    assert_int_equal(aio_next(NULL, NULL), AIO_EVALUE);
    assert_int_equal(aio_generator_throw(NULL, AIO_EKEY, NULL), AIO_EVALUE);
    assert_int_equal(aio_generator_close(NULL), AIO_EVALUE);
    assert_int_equal(aio_yield_from(NULL, NULL), AIO_EVALUE);
    assert_true(aio_generator_done(NULL));
    assert_int_equal(aio_generator_result(NULL, NULL), AIO_EINVALIDSTATE);
    aio_generator_unref(NULL);
}

static int double_what_is_sent(void *arg, void **ret_result)
{
    void *sent = (void *)1;
    int err = 0;

    while (err == 0)
        err = aio_yield((void *)((intptr_t)sent * 2), &sent);
    return err;
}

static void generator_send_gives_the_yield_its_value(void **state)
{
    aio_generator *generator = make(double_what_is_sent, NULL);
    void *item = NULL;

    assert_next(generator, 2);
    assert_int_equal(aio_generator_send(generator, (void *)21, &item), 0);
    assert_ptr_equal(item, (void *)42);
    assert_next(generator, 0); /* next() sends nothing */
    aio_generator_unref(generator);
}

/* after test_generators.GeneratorTest: can't send non-None value to a just-started generator */
static void generator_that_has_not_begun_takes_no_value(void **state)
{
    aio_generator *generator = make(count_to, (void *)1);

    assert_int_equal(aio_generator_send(generator, (void *)5, NULL), AIO_ETYPE);
    assert_next(generator, 1);
    aio_generator_unref(generator);
}

static aio_generator *running;

static int run_itself(void *arg, void **ret_result)
{
    int err = aio_next(running, NULL);

    assert_int_equal(aio_generator_close(running), AIO_EVALUE);
    return err;
}

static void generator_that_runs_cannot_be_run(void **state)
{
    running = make(run_itself, NULL);
    assert_int_equal(aio_next(running, NULL), AIO_EVALUE);
    assert_true(aio_generator_done(running));
    aio_generator_unref(running);
}

static int fail_with_key(void *arg, void **ret_result)
{
    *ret_result = arg;
    return aio_raise(AIO_EKEY, "no such key");
}

static void error_of_a_body_comes_out_and_ends_the_generator(void **state)
{
    aio_generator *generator = make(fail_with_key, NULL);

    assert_int_equal(aio_next(generator, NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "no such key");
    assert_int_equal(aio_next(generator, NULL), AIO_ESTOP);
    assert_int_equal(aio_generator_result(generator, NULL), AIO_EINVALIDSTATE);
    aio_generator_unref(generator);
}

static int return_stop(void *arg, void **ret_result)
{
    return AIO_ESTOP;
}

/* after test_generators: PEP 479 */
static void stop_out_of_a_body_is_a_runtime_error(void **state)
{
    aio_generator *generator = make(return_stop, NULL);

    assert_int_equal(aio_next(generator, NULL), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "generator raised StopIteration");
    aio_generator_unref(generator);
}

static void yield_outside_a_body_is_a_runtime_error(void **state)
{
    aio_generator *generator = make(count_to, (void *)1);

    assert_int_equal(aio_yield(NULL, NULL), AIO_ERUNTIME);
    assert_next(generator, 1);
    assert_int_equal(aio_yield(NULL, NULL), AIO_ERUNTIME);
    aio_generator_unref(generator);
}

static int nest(void *arg, void **ret_result)
{
    aio_generator *inner = arg;
    void *item;
    int err;

    while ((err = aio_next(inner, &item)) == 0) {
        err = aio_yield((void *)((intptr_t)item * 10), NULL);
        if (err < 0)
            return err;
    }
    return err == AIO_ESTOP ? 0 : err;
}

static void generators_can_run_generators(void **state)
{
    aio_generator *inner = make(count_to, (void *)2);
    aio_generator *middle = make(nest, inner);
    aio_generator *outer = make(nest, middle);

    assert_next(outer, 100);
    assert_next(outer, 200);
    assert_int_equal(aio_next(outer, NULL), AIO_ESTOP);
    aio_generator_unref(outer);
    aio_generator_unref(middle);
    aio_generator_unref(inner);
}

/* --- throw and close ------------------------------------------------------------------- */

static int catch_key(void *arg, void **ret_result)
{
    int err = aio_yield((void *)1, NULL);

    if (err == AIO_EKEY) {
        note(aio_error_text(err));
        err = aio_yield((void *)2, NULL);
    }
    if (err == AIO_EGENERATOREXIT)
        note("exit");
    return err;
}

static void generator_throw_raises_at_the_yield(void **state)
{
    aio_generator *generator = make(catch_key, NULL);
    void *item = NULL;

    assert_next(generator, 1);
    assert_int_equal(aio_generator_throw(generator, aio_raise(AIO_EKEY, "caught"), &item), 0);
    assert_ptr_equal(item, (void *)2);
    assert_string_equal(trace, "caught");
    assert_int_equal(aio_generator_throw(generator, aio_raise(AIO_EINDEX, "through"), &item),
                     AIO_EINDEX);
    assert_string_equal(aio_error_text(AIO_EINDEX), "through");
    assert_true(aio_generator_done(generator));
    aio_generator_unref(generator);
}

static void generator_that_has_not_begun_ends_with_what_is_thrown(void **state)
{
    aio_generator *generator = make(note_start, NULL);

    assert_int_equal(aio_generator_throw(generator, 5, NULL), AIO_ETYPE);
    assert_false(aio_generator_done(generator));
    assert_int_equal(aio_generator_throw(generator, aio_raise(AIO_EKEY, "early"), NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "early");
    assert_true(aio_generator_done(generator));
    assert_int_equal(aio_generator_throw(generator, AIO_EINDEX, NULL), AIO_EINDEX);
    assert_string_equal(trace, "");
    aio_generator_unref(generator);
}

static void generator_close_ends_it_by_generator_exit(void **state)
{
    aio_generator *generator = make(catch_key, NULL);

    assert_next(generator, 1);
    assert_int_equal(aio_generator_close(generator), 0);
    assert_string_equal(trace, "exit");
    assert_int_equal(aio_generator_close(generator), 0);
    assert_int_equal(aio_next(generator, NULL), AIO_ESTOP);
    aio_generator_unref(generator);
}

static void generator_close_before_the_start_runs_nothing(void **state)
{
    aio_generator *generator = make(note_start, NULL);

    assert_int_equal(aio_generator_close(generator), 0);
    assert_int_equal(aio_next(generator, NULL), AIO_ESTOP);
    assert_string_equal(trace, "");
    aio_generator_unref(generator);
}

static int ignore_exit(void *arg, void **ret_result)
{
    while (aio_yield((void *)1, NULL) != AIO_EKEY)
        note("again");
    return 0;
}

static void generator_that_ignores_close_goes_on(void **state)
{
    aio_generator *generator = make(ignore_exit, NULL);

    assert_next(generator, 1);
    assert_int_equal(aio_generator_close(generator), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "generator ignored GeneratorExit");
    assert_next(generator, 1);
    assert_int_equal(aio_generator_throw(generator, AIO_EKEY, NULL), AIO_ESTOP);
    aio_generator_unref(generator);
}

static int fail_at_exit(void *arg, void **ret_result)
{
    (void)aio_yield(NULL, NULL);
    return aio_raise(AIO_EKEY, "cleanup failed");
}

static void generator_close_passes_other_errors_on(void **state)
{
    aio_generator *generator = make(fail_at_exit, NULL);

    assert_next(generator, 0);
    assert_int_equal(aio_generator_close(generator), AIO_EKEY);
    aio_generator_unref(generator);
}

/* --- the last reference ---------------------------------------------------------------- */

static void generator_nobody_holds_is_closed(void **state)
{
    aio_generator *generator = make(catch_key, NULL);

    assert_next(generator, 1);
    aio_generator_unref(generator);
    assert_string_equal(trace, "exit");
    assert_string_equal(logged, "");
}

static void generator_nobody_holds_logs_the_errors_of_its_end(void **state)
{
    aio_generator *generator = make(fail_at_exit, NULL);

    assert_next(generator, 0);
    aio_generator_unref(generator);
    assert_string_equal(logged, "Exception ignored while closing generator 'fn': KeyError: "
                                "cleanup failed");
}

static void generator_nobody_holds_is_given_up_if_it_yields_again(void **state)
{
    aio_generator *generator = make(ignore_exit, NULL);

    assert_next(generator, 1);
    aio_generator_unref(generator);
    assert_string_equal(trace, "again");
    assert_string_equal(logged, "generator 'fn' ignored GeneratorExit");
}

static void error_that_travels_survives_the_end_of_a_generator(void **state)
{
    aio_generator *generator = make(fail_at_exit, NULL);
    int err;

    assert_next(generator, 0);
    err = aio_raise(AIO_EVALUE, "the one that counts");
    aio_generator_unref(generator);
    assert_string_equal(aio_error_text(err), "the one that counts");
}

static int drop_running(void *arg, void **ret_result)
{
    aio_generator_unref(running);
    note("dropped");
    if (aio_yield((void *)1, NULL) == AIO_EGENERATOREXIT)
        note("exit");
    return AIO_EGENERATOREXIT;
}

static void generator_dropped_by_its_own_body_is_closed_at_its_yield(void **state)
{
    void *item = NULL;

    running = make(drop_running, NULL);
    assert_int_equal(aio_next(running, &item), 0);
    assert_ptr_equal(item, (void *)1);
    assert_string_equal(trace, "dropped exit");
}

/* --- arguments and results ------------------------------------------------------------- */

struct triple {
    char letter;
    double number;
    const char *word;
};

static int yield_word(void *arg, void **ret_result)
{
    const struct triple *triple = arg;

    assert_true(triple->number == 2.5);
    return aio_yield((void *)(uintptr_t)triple->word, NULL);
}

static void note_destroyed(void *arg)
{
    note("destroyed");
    (void)aio_raise(AIO_EVALUE, "a destructor fails, too");
}

static void generator_copies_its_argument_and_destroys_it_once(void **state)
{
    struct triple triple = {'a', 2.5, "copied"};
    aio_generator_options options = AIO_GENERATOR_OPTIONS_INIT;
    aio_generator *generator;
    void *item = NULL;

    options.arg_size = sizeof(triple);
    options.arg_destroy = note_destroyed;
    generator = aio_generator_new(yield_word, &triple, &options);
    memset(&triple, 0, sizeof(triple));
    assert_int_equal(aio_next(generator, &item), 0);
    assert_string_equal(item, "copied");
    assert_string_equal(trace, "");
    assert_int_equal(aio_next(generator, &item), AIO_ESTOP);
    assert_string_equal(trace, "destroyed");
    aio_generator_unref(generator);
    assert_string_equal(trace, "destroyed");
}

static void argument_is_destroyed_also_if_nothing_ran(void **state)
{
    aio_generator_options options = AIO_GENERATOR_OPTIONS_INIT;

    options.arg_destroy = note_destroyed;
    aio_generator_unref(aio_generator_new(count_to, NULL, &options));
    assert_string_equal(trace, "destroyed");
    assert_null(aio_generator_new(NULL, NULL, &options));
    assert_string_equal(trace, "destroyed destroyed");
    options.arg_size = 1;
    assert_null(aio_generator_new(count_to, NULL, &options));
    assert_string_equal(trace, "destroyed destroyed destroyed");
    options.size = 1;
    assert_null(aio_generator_new(count_to, &options, &options));
    options.size = sizeof(options);
    options.arg_size = SIZE_MAX;
    assert_null(aio_generator_new(count_to, &options, &options));
}

static int fail_with_arg(void *arg, void **ret_result)
{
    return aio_raise(AIO_EKEY, "the body's");
}

static void error_of_a_body_survives_its_arguments_destructor(void **state)
{
    aio_generator_options options = AIO_GENERATOR_OPTIONS_INIT;
    aio_generator *generator;

    options.arg_destroy = note_destroyed;
    generator = aio_generator_new(fail_with_arg, NULL, &options);
    assert_int_equal(aio_next(generator, NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "the body's");
    aio_generator_unref(generator);
}

static int return_text(void *arg, void **ret_result)
{
    *ret_result = aio_strdup("a text");
    return *ret_result == NULL ? AIO_ENOMEM : 0;
}

static void result_is_freed_with_the_generator(void **state)
{
    aio_generator_options options = AIO_GENERATOR_OPTIONS_INIT;
    aio_generator *generator;
    void *result = NULL;

    options.result_type = &aio_type_owned_string;
    generator = aio_generator_new(return_text, NULL, &options);
    assert_int_equal(aio_next(generator, NULL), AIO_ESTOP);
    assert_int_equal(aio_generator_result(generator, &result), 0);
    assert_string_equal(result, "a text");
    aio_generator_unref(generator);
}

/* --- yield from ------------------------------------------------------------------------ */

static int inner_body(void *arg, void **ret_result)
{
    void *sent = NULL;
    int err = aio_yield((void *)1, &sent);

    if (err < 0)
        return err;
    note(sent);
    err = aio_yield((void *)2, NULL);
    if (err == AIO_EVALUE)
        note(aio_error_text(err));
    else if (err < 0)
        note(err == AIO_EGENERATOREXIT ? "inner-exit" : "?");
    if (err < 0 && err != AIO_EVALUE)
        return err;
    *ret_result = (void *)(uintptr_t) "returned";
    return 0;
}

static int outer_body(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) inner = aio_generator_new(inner_body, NULL, NULL);
    void *result = NULL;
    int err = aio_yield_from(inner, &result);

    if (err < 0) {
        note(err == AIO_EGENERATOREXIT ? "outer-exit" : "outer-error");
        return err;
    }
    note(result);
    return aio_yield((void *)3, NULL);
}

static void yield_from_passes_values_errors_and_the_result(void **state)
{
    aio_generator *generator = make(outer_body, NULL);
    void *item = NULL;

    assert_next(generator, 1);
    assert_int_equal(aio_generator_send(generator, (void *)(uintptr_t) "sent", &item), 0);
    assert_ptr_equal(item, (void *)2);
    assert_int_equal(aio_generator_throw(generator, aio_raise(AIO_EVALUE, "thrown"), &item), 0);
    assert_ptr_equal(item, (void *)3);
    assert_string_equal(trace, "sent thrown returned");
    assert_int_equal(aio_next(generator, &item), AIO_ESTOP);
    aio_generator_unref(generator);
}

static void yield_from_closes_the_inner_generator_first(void **state)
{
    aio_generator *generator = make(outer_body, NULL);

    assert_next(generator, 1);
    assert_int_equal(aio_generator_send(generator, (void *)(uintptr_t) "sent", NULL), 0);
    assert_int_equal(aio_generator_close(generator), 0);
    assert_string_equal(trace, "sent inner-exit outer-exit");
    aio_generator_unref(generator);
}

static int delegate_to_failing(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) inner = aio_generator_new(fail_at_exit, NULL, NULL);

    return aio_yield_from(inner, NULL);
}

static void yield_from_gives_what_the_inner_close_failed_with(void **state)
{
    aio_generator *generator = make(delegate_to_failing, NULL);

    assert_next(generator, 0);
    assert_int_equal(aio_generator_close(generator), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "cleanup failed");
    aio_generator_unref(generator);
}

static int delegate_for_ever(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) inner = aio_generator_new(delegate_for_ever, NULL, NULL);
    int err = aio_yield((void *)1, NULL);

    return err < 0 ? err : aio_yield_from(inner, NULL);
}

/* Python gives 999 values, then RecursionError. */
static void generators_that_delegate_for_ever_end_with_a_recursion_error(void **state)
{
    aio_generator *generator = make(delegate_for_ever, NULL);
    unsigned values = 0;
    int err;

    while ((err = aio_next(generator, NULL)) == 0)
        values++;
    assert_int_equal(err, AIO_ERECURSION);
    assert_int_equal(values, AIO_GENERATOR_DEPTH - 1);
    aio_generator_unref(generator);
}

/* --- context variables ----------------------------------------------------------------- */

static aio_contextvar *var;

static int set_and_yield(void *arg, void **ret_result)
{
    void *value = NULL;

    (void)aio_contextvar_set(var, (void *)5, NULL);
    (void)aio_yield(NULL, NULL);
    (void)aio_contextvar_get(var, &value);
    return aio_yield(value, NULL);
}

struct step {
    aio_generator *generator;
    void *item;
};

static int step_in_context(void *arg)
{
    struct step *step = arg;

    return aio_next(step->generator, &step->item);
}

static void body_runs_in_the_context_of_whoever_resumes_it(void **state)
{
    struct step step = {make(set_and_yield, NULL), NULL};
    aio_context *first = aio_context_new();
    aio_context *second = aio_context_new();
    void *value = NULL;

    var = aio_contextvar_new("var", NULL);
    assert_int_equal(aio_context_run(first, step_in_context, &step), 0);
    assert_true(aio_context_get(first, var, &value));
    assert_ptr_equal(value, (void *)5);
    assert_int_equal(aio_context_run(second, step_in_context, &step), 0);
    assert_null(step.item);
    aio_generator_unref(step.generator);
    aio_context_unref(first);
    aio_context_unref(second);
    aio_contextvar_unref(var);
}

static int yield_in_context(void *arg)
{
    return aio_yield(arg, NULL);
}

static int yield_inside_run(void *arg, void **ret_result)
{
    AIO_AUTO(aio_context) context = aio_context_new();

    return aio_context_run(context, yield_in_context, NULL);
}

static void body_cannot_yield_out_of_a_context_it_has_entered(void **state)
{
    aio_generator *generator = make(yield_inside_run, NULL);

    assert_int_equal(aio_next(generator, NULL), AIO_ERUNTIME);
    aio_generator_unref(generator);
}

/* --- threads --------------------------------------------------------------------------- */

static void *use_of_another(void *arg)
{
    int err = aio_next(arg, NULL);

    return (void *)(intptr_t)err;
}

static void *make_and_leave(void *arg)
{
    aio_generator **generators = arg;

    generators[0] = aio_generator_new(catch_key, NULL, NULL);
    generators[1] = aio_generator_new(note_start, NULL, NULL);
    return (void *)(intptr_t)aio_next(generators[0], NULL);
}

static intptr_t in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    void *result = NULL;

    assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return (intptr_t)result;
}

static void generator_belongs_to_its_thread(void **state)
{
    aio_generator *generator = make(count_to, (void *)1);

    assert_int_equal(in_thread(use_of_another, generator), AIO_ERUNTIME);
    assert_next(generator, 1);
    aio_generator_unref(generator);
}

static void generators_are_closed_when_their_thread_ends(void **state)
{
    aio_generator *generators[2] = {NULL, NULL};

    assert_int_equal(in_thread(make_and_leave, generators), 0);
    assert_string_equal(trace, "exit");
    assert_int_equal(aio_next(generators[0], NULL), AIO_ESTOP);
    assert_int_equal(aio_next(generators[1], NULL), AIO_ESTOP);
    aio_generator_unref(generators[0]);
    aio_generator_unref(generators[1]);
}

/* --- memory ---------------------------------------------------------------------------- */

static void delegate_short_of_memory(void *arg)
{
    aio_generator *generator = aio_generator_new(outer_body, NULL, NULL);
    void *item = NULL;
    int err = aio_next(generator, &item);

    trace[0] = '\0';
    if (err == 0)
        assert_ptr_equal(item, (void *)1);
    else
        assert_int_equal(err, AIO_ENOMEM);
    aio_generator_unref(generator);
    aio__stacks_end();
}

static void generators_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(delegate_short_of_memory, NULL) > 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(generator_gives_values_then_stops_with_its_result),
        TEST(generator_does_not_begin_before_the_first_next),
        TEST(generator_that_could_not_be_made_gives_the_code),
        TEST(generator_send_gives_the_yield_its_value),
        TEST(generator_that_has_not_begun_takes_no_value),
        TEST(generator_that_runs_cannot_be_run),
        TEST(error_of_a_body_comes_out_and_ends_the_generator),
        TEST(stop_out_of_a_body_is_a_runtime_error),
        TEST(yield_outside_a_body_is_a_runtime_error),
        TEST(generators_can_run_generators),
        TEST(generator_throw_raises_at_the_yield),
        TEST(generator_that_has_not_begun_ends_with_what_is_thrown),
        TEST(generator_close_ends_it_by_generator_exit),
        TEST(generator_close_before_the_start_runs_nothing),
        TEST(generator_that_ignores_close_goes_on),
        TEST(generator_close_passes_other_errors_on),
        TEST(generator_nobody_holds_is_closed),
        TEST(generator_nobody_holds_logs_the_errors_of_its_end),
        TEST(generator_nobody_holds_is_given_up_if_it_yields_again),
        TEST(error_that_travels_survives_the_end_of_a_generator),
        TEST(generator_dropped_by_its_own_body_is_closed_at_its_yield),
        TEST(generator_copies_its_argument_and_destroys_it_once),
        TEST(argument_is_destroyed_also_if_nothing_ran),
        TEST(error_of_a_body_survives_its_arguments_destructor),
        TEST(result_is_freed_with_the_generator),
        TEST(yield_from_passes_values_errors_and_the_result),
        TEST(yield_from_closes_the_inner_generator_first),
        TEST(yield_from_gives_what_the_inner_close_failed_with),
        TEST(generators_that_delegate_for_ever_end_with_a_recursion_error),
        TEST(body_runs_in_the_context_of_whoever_resumes_it),
        TEST(body_cannot_yield_out_of_a_context_it_has_entered),
        TEST(generator_belongs_to_its_thread),
        TEST(generators_are_closed_when_their_thread_ends),
        TEST(generators_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
