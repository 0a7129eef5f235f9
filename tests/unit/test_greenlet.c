/* SPDX-License-Identifier: MIT */
/*
 * test_greenlet.c - greenlets in a thread without a loop
 */
#include "base/context.h"
#include "task/stacks.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/context.h>
#include <aio/generator.h>
#include <aio/greenlet.h>
#include <aio/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* What happened, in order, words with a blank between; and what the library logged. */
static char trace[512];
static char logged[512];

/* The greenlets of a test, for each other to switch to. */
static aio_greenlet *one;
static aio_greenlet *two;

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
    one = two = NULL;
    aio_log_set_handler(keep_log, NULL);
    return count_allocations(state);
}

static int teardown(void **state)
{
    aio__stacks_end();
    aio_log_set_handler(NULL, NULL);
    return check_allocations(state);
}

static aio_greenlet *make(aio_greenlet_fn fn)
{
    aio_greenlet *greenlet = aio_greenlet_new(fn, NULL, NULL);

    assert_non_null(greenlet);
    return greenlet;
}

static void assert_switch(aio_greenlet *greenlet, intptr_t value, intptr_t expected)
{
    void *result = NULL;

    assert_int_equal(aio_greenlet_switch(greenlet, (void *)value, &result), 0);
    assert_int_equal((intptr_t)result, expected);
}

static int switch_to(aio_greenlet *greenlet)
{
    return aio_greenlet_switch(greenlet, NULL, NULL);
}

/* --- switching ------------------------------------------------------------------------- */

static int add_ones(void *arg, void *value, void **ret_result)
{
    aio_greenlet *parent = aio_greenlet_parent(one);
    int err = 0;

    for (int i = 0; i < 2 && err == 0; i++)
        err = aio_greenlet_switch(parent, (void *)((intptr_t)value + 1), &value);
    *ret_result = (void *)((intptr_t)value + 100);
    return err;
}

/* after greenlet's test_greenlet.TestGreenlet.test_two_children, test_send_exception */
static void values_pass_with_each_switch_and_the_result_goes_to_the_parent(void **state)
{
    one = make(add_ones);
    assert_false(aio_greenlet_active(one));
    assert_switch(one, 1, 2);
    assert_true(aio_greenlet_active(one));
    assert_switch(one, 5, 6);
    assert_switch(one, 7, 107);
    assert_true(aio_greenlet_dead(one));
    assert_false(aio_greenlet_active(one));
    aio_greenlet_unref(one);
}

static int note_1_2(void *arg, void *value, void **ret_result)
{
    note("1");
    if (switch_to(two) < 0)
        return 0;
    note("2");
    return switch_to(two);
}

static int note_3_4(void *arg, void *value, void **ret_result)
{
    note("3");
    if (switch_to(one) < 0)
        return 0;
    note("4");
    return 0;
}

static void greenlets_switch_to_each_other_and_the_end_goes_to_the_parent(void **state)
{
    one = make(note_1_2);
    two = make(note_3_4);
    assert_int_equal(switch_to(one), 0);
    assert_string_equal(trace, "1 3 2 4");
    assert_true(aio_greenlet_dead(two));
    assert_true(aio_greenlet_active(one));
    aio_greenlet_unref(one);
    aio_greenlet_unref(two);
}

static void greenlet_that_could_not_be_made_gives_the_code(void **state)
{
    assert_null(aio_greenlet_new(NULL, NULL, NULL));
    assert_int_equal(switch_to(NULL), AIO_EVALUE);
    assert_int_equal(aio_greenlet_throw(NULL, AIO_EKEY, NULL), AIO_EVALUE);
    assert_true(aio_greenlet_dead(NULL));
    assert_null(aio_greenlet_parent(NULL));
    aio_greenlet_unref(NULL);
}

static int return_9(void *arg, void *value, void **ret_result)
{
    *ret_result = (void *)9;
    return 0;
}

static void switch_to_the_current_greenlet_gives_the_value_back(void **state)
{
    aio_greenlet *self = aio_greenlet_current();

    assert_switch(self, 5, 5);
    assert_int_equal(aio_greenlet_throw(self, aio_raise(AIO_EKEY, "back"), NULL), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "back");
    aio_greenlet_unref(self);
}

/* after test_greenlet.TestGreenlet.test_parent_equals_None, dead greenlets in the docs */
static void dead_greenlet_stands_for_its_parent(void **state)
{
    one = make(return_9);
    assert_switch(one, 0, 9);
    assert_switch(one, 5, 5);
    assert_int_equal(aio_greenlet_throw(one, aio_raise(AIO_EKEY, "thrown"), NULL), AIO_EKEY);
    assert_switch(one, 6, 6);
    assert_int_equal(aio_greenlet_throw(one, AIO_EGENERATOREXIT, NULL), 0);
    aio_greenlet_unref(one);
}

static int note_current(void *arg, void *value, void **ret_result)
{
    aio_greenlet *self = aio_greenlet_current();

    note(self == one ? "one" : self == two ? "two" : "other");
    aio_greenlet_unref(self);
    return self == one ? switch_to(two) : 0;
}

static void current_greenlet_is_the_one_that_runs(void **state)
{
    aio_greenlet *self = aio_greenlet_current();
    aio_greenlet *again;

    one = make(note_current);
    two = make(note_current);
    assert_int_equal(switch_to(one), 0);
    assert_string_equal(trace, "one two");
    again = aio_greenlet_current();
    assert_ptr_equal(again, self);
    assert_ptr_equal(aio_greenlet_parent(one), self);
    assert_null(aio_greenlet_parent(self));
    aio_greenlet_unref(again);
    aio_greenlet_unref(self);
    aio_greenlet_unref(one);
    aio_greenlet_unref(two);
}

/* --- errors ---------------------------------------------------------------------------- */

static int fail_with_key(void *arg, void *value, void **ret_result)
{
    return aio_raise(AIO_EKEY, "no such key");
}

/* after test_greenlet.TestGreenlet.test_exception */
static void error_of_a_greenlet_comes_out_of_its_parents_switch(void **state)
{
    one = make(fail_with_key);
    assert_int_equal(switch_to(one), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "no such key");
    assert_true(aio_greenlet_dead(one));
    aio_greenlet_unref(one);
}

static int switch_then_report(void *arg, void *value, void **ret_result)
{
    int err = aio_greenlet_switch(aio_greenlet_parent(one), (void *)1, NULL);

    note(err < 0 ? aio_error_text(err) : "fine");
    *ret_result = (void *)2;
    return arg != NULL ? err : 0;
}

/* after test_throw.ThrowTests.test_class, test_val */
static void thrown_error_comes_out_of_the_switch_that_waits(void **state)
{
    void *value = NULL;

    one = make(switch_then_report);
    assert_switch(one, 0, 1);
    assert_int_equal(aio_greenlet_throw(one, aio_raise(AIO_EINDEX, "thrown"), &value), 0);
    assert_ptr_equal(value, (void *)2);
    assert_string_equal(trace, "thrown");
    aio_greenlet_unref(one);
}

/* after test_throw.ThrowTests.test_throw_goes_to_original_parent3, test_kill */
static void greenlet_exit_is_a_return_of_nothing(void **state)
{
    void *value = (void *)5;

    one = aio_greenlet_new(switch_then_report, (void *)1, NULL);
    assert_switch(one, 0, 1);
    assert_int_equal(aio_greenlet_throw(one, AIO_EGENERATOREXIT, &value), 0);
    assert_null(value);
    assert_true(aio_greenlet_dead(one));
    aio_greenlet_unref(one);
}

/* after test_throw.ThrowTests.test_throw_goes_to_original_parent */
static void error_thrown_before_the_start_goes_to_the_parent(void **state)
{
    one = make(return_9);
    assert_int_equal(aio_greenlet_throw(one, 1, NULL), AIO_ETYPE);
    assert_int_equal(aio_greenlet_throw(one, aio_raise(AIO_EKEY, "early"), NULL), AIO_EKEY);
    assert_true(aio_greenlet_dead(one));
    aio_greenlet_unref(one);

    one = make(return_9);
    assert_int_equal(aio_greenlet_throw(one, AIO_EGENERATOREXIT, NULL), 0);
    assert_true(aio_greenlet_dead(one));
    aio_greenlet_unref(one);
}

/* --- parents --------------------------------------------------------------------------- */

static int run_child(void *arg, void *value, void **ret_result)
{
    void *result = NULL;
    int err = aio_greenlet_switch(two, (void *)3, &result);

    note(err < 0 ? aio_error_name(err) : "child returned");
    *ret_result = result;
    return 0;
}

static int multiply(void *arg, void *value, void **ret_result)
{
    *ret_result = (void *)((intptr_t)value * 7);
    return arg != NULL ? AIO_EKEY : 0;
}

/* after test_greenlet.TestGreenlet.test_set_parent, test_threaded_reparent */
static void parent_gets_what_the_child_ends_with(void **state)
{
    for (intptr_t failing = 0; failing < 2; failing++) {
        aio_greenlet_options options = AIO_GREENLET_OPTIONS_INIT;

        one = make(run_child);
        options.parent = one;
        two = aio_greenlet_new(multiply, (void *)failing, &options);
        assert_switch(one, 0, failing ? 0 : 21);
        aio_greenlet_unref(one);
        aio_greenlet_unref(two);
    }
    assert_string_equal(trace, "child returned KeyError");
}

static void parent_that_has_not_begun_begins_with_the_childs_result(void **state)
{
    aio_greenlet_options options = AIO_GREENLET_OPTIONS_INIT;

    one = make(multiply);
    options.parent = one;
    two = aio_greenlet_new(return_9, NULL, &options);
    assert_switch(two, 0, 63);
    assert_true(aio_greenlet_dead(one));
    aio_greenlet_unref(one);
    aio_greenlet_unref(two);
}

static void parent_that_has_not_begun_dies_of_the_childs_error(void **state)
{
    aio_greenlet_options options = AIO_GREENLET_OPTIONS_INIT;

    one = make(multiply);
    options.parent = one;
    two = aio_greenlet_new(fail_with_key, NULL, &options);
    assert_int_equal(switch_to(two), AIO_EKEY);
    assert_true(aio_greenlet_dead(one));
    aio_greenlet_unref(one);
    aio_greenlet_unref(two);
}

/* after test_greenlet.TestGreenlet.test_set_parent_circular, test_parent_restored_on_kill */
static void parent_can_be_changed_but_not_to_a_ring(void **state)
{
    aio_greenlet *self = aio_greenlet_current();

    one = make(run_child);
    two = make(multiply);
    assert_int_equal(aio_greenlet_set_parent(two, one), 0);
    assert_ptr_equal(aio_greenlet_parent(two), one);
    assert_int_equal(aio_greenlet_set_parent(one, two), AIO_EVALUE);
    assert_int_equal(aio_greenlet_set_parent(one, one), AIO_EVALUE);
    assert_int_equal(aio_greenlet_set_parent(self, one), AIO_EATTRIBUTE);
    assert_switch(one, 0, 21);
    aio_greenlet_unref(self);
    aio_greenlet_unref(one);
    aio_greenlet_unref(two);
}

/* --- the last reference ---------------------------------------------------------------- */

static int wait_for_exit(void *arg, void *value, void **ret_result)
{
    aio_greenlet *self = aio_greenlet_current();
    aio_greenlet *parent = aio_greenlet_parent(self);
    int err;

    aio_greenlet_unref(self);
    err = switch_to(parent);
    if (err == AIO_EGENERATOREXIT) {
        note("exit");
        if (switch_to(parent) == AIO_EGENERATOREXIT) /* it does not get away */
            note("again");
    }
    return arg != NULL ? aio_raise(AIO_EKEY, "cleanup failed") : err;
}

/* after test_greenlet.TestGreenlet.test_dealloc */
static void greenlet_nobody_refers_to_is_unwound(void **state)
{
    one = make(wait_for_exit);
    assert_switch(one, 0, 0);
    aio_greenlet_unref(one);
    assert_string_equal(trace, "exit again");
    assert_string_equal(logged, "");
}

static void greenlet_that_fails_while_it_is_unwound_is_logged(void **state)
{
    int err;

    one = aio_greenlet_new(wait_for_exit, (void *)1, NULL);
    assert_switch(one, 0, 0);
    err = aio_raise(AIO_EVALUE, "the one that counts");
    aio_greenlet_unref(one);
    assert_string_equal(aio_error_text(err), "the one that counts");
    assert_string_equal(logged, "Exception ignored while unwinding a greenlet: KeyError: "
                                "cleanup failed");
}

static void greenlet_that_never_began_just_goes(void **state)
{
    aio_greenlet_unref(make(wait_for_exit));
    assert_string_equal(trace, "");
}

static int drop_itself_and_leave(void *arg, void *value, void **ret_result)
{
    aio_greenlet *parent = aio_greenlet_parent(one);
    int err;

    aio_greenlet_unref(one);
    note("dropped");
    err = switch_to(parent);
    note(err == AIO_EGENERATOREXIT ? "exit" : "?");
    return err;
}

static void greenlet_dropped_while_it_runs_is_unwound_when_it_is_left(void **state)
{
    one = make(drop_itself_and_leave);
    assert_int_equal(switch_to(one), 0);
    assert_string_equal(trace, "dropped exit");
}

static int drop_itself_and_end(void *arg, void *value, void **ret_result)
{
    aio_greenlet_unref(one);
    *ret_result = (void *)4;
    return 0;
}

static void greenlet_dropped_while_it_runs_can_end(void **state)
{
    one = make(drop_itself_and_end);
    assert_switch(one, 0, 4);
}

static int drop_the_other(void *arg, void *value, void **ret_result)
{
    aio_greenlet_unref(two);
    note("dropped");
    return 0;
}

static void greenlet_can_be_unwound_from_another(void **state)
{
    one = make(drop_the_other);
    two = make(wait_for_exit);
    assert_switch(two, 0, 0);
    assert_switch(one, 0, 0);
    assert_string_equal(trace, "exit again dropped");
    aio_greenlet_unref(one);
}

static int make_children_at_exit(void *arg, void *value, void **ret_result)
{
    int err = switch_to(aio_greenlet_parent(one));

    two = aio_greenlet_new(return_9, NULL, NULL);
    note(aio_greenlet_parent(two) == one ? "child" : "?");
    return err;
}

static void greenlet_made_by_one_that_goes_keeps_to_its_own_place(void **state)
{
    aio_greenlet *self = aio_greenlet_current();

    one = make(make_children_at_exit);
    assert_int_equal(switch_to(one), 0);
    assert_int_equal(aio_greenlet_throw(one, AIO_EGENERATOREXIT, NULL), 0);
    assert_string_equal(trace, "child");
    assert_switch(two, 0, 9);
    aio_greenlet_unref(one);
    aio_greenlet_unref(two);
    aio_greenlet_unref(self);
}

/* --- arguments and contexts ------------------------------------------------------------ */

static void note_destroyed(void *arg)
{
    note("destroyed");
    (void)aio_raise(AIO_EVALUE, "a destructor fails, too");
}

static int fail_with_text(void *arg, void *value, void **ret_result)
{
    return aio_raise(AIO_EKEY, "%s", (const char *)arg);
}

static void greenlet_copies_its_argument_and_destroys_it_once(void **state)
{
    char text[] = "copied";
    aio_greenlet_options options = AIO_GREENLET_OPTIONS_INIT;

    options.arg_size = sizeof(text);
    options.arg_destroy = note_destroyed;
    one = aio_greenlet_new(fail_with_text, text, &options);
    text[0] = '?';
    assert_int_equal(switch_to(one), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "copied");
    aio_greenlet_unref(one);
    assert_string_equal(trace, "destroyed");

    assert_null(aio_greenlet_new(NULL, NULL, &options));
    assert_null(aio_greenlet_new(return_9, NULL, &options));
    options.arg_size = SIZE_MAX;
    assert_null(aio_greenlet_new(return_9, text, &options));
    options.arg_size = 0;
    aio_greenlet_unref(aio_greenlet_new(return_9, NULL, &options));
    assert_string_equal(trace, "destroyed destroyed destroyed destroyed destroyed");
}

static aio_contextvar *var;

static int set_3_twice(void *arg, void *value, void **ret_result)
{
    void *found = NULL;

    note(aio_contextvar_get(var, &found) < 0 ? "empty" : "inherited");
    (void)aio_contextvar_set(var, (void *)3, NULL);
    (void)switch_to(aio_greenlet_parent(one));
    (void)aio_contextvar_get(var, &found);
    note(found == (void *)3 ? "3" : "?");
    return 0;
}

/* after greenlet's test_contextvars */
static void greenlet_has_a_context_of_its_own(void **state)
{
    aio__ctx slot = {0};
    void *value = NULL;

    var = aio_contextvar_new("var", NULL);
    aio__thread()->context = &slot;
    assert_int_equal(aio_contextvar_set(var, (void *)1, NULL), 0);
    one = make(set_3_twice);
    assert_int_equal(switch_to(one), 0);
    assert_int_equal(aio_contextvar_get(var, &value), 0);
    assert_ptr_equal(value, (void *)1);
    assert_int_equal(switch_to(one), 0);
    assert_string_equal(trace, "empty 3");
    aio__thread()->context = NULL;
    aio__ctx_release(slot);
    aio_greenlet_unref(one);
    aio_contextvar_unref(var);
}

/* --- with generators ------------------------------------------------------------------- */

static int yield_what_is_switched(void *arg, void **ret_result)
{
    aio_greenlet *parent = arg;
    void *value = NULL;
    int err = 0;

    while (err == 0) {
        err = aio_greenlet_switch(parent, NULL, &value);
        if (err == 0)
            err = aio_yield(value, NULL);
    }
    note(aio_error_name(err));
    return err;
}

static int sum_of_generator(void *arg, void *value, void **ret_result)
{
    aio_greenlet *self = aio_greenlet_current();
    aio_generator *generator =
        aio_generator_new(yield_what_is_switched, aio_greenlet_parent(self), NULL);
    void *item = NULL;
    intptr_t sum = 0;
    int err = 0;

    aio_greenlet_unref(self);
    while (err == 0 && sum < 10) {
        err = aio_next(generator, &item);
        sum += (intptr_t)item;
    }
    aio_generator_unref(generator);
    *ret_result = (void *)sum;
    return err;
}

/* The greenlet is suspended inside a generator that it runs. */
static void greenlet_goes_on_where_it_was_left_be_it_in_a_generator(void **state)
{
    one = make(sum_of_generator);
    assert_switch(one, 0, 0);
    assert_switch(one, 4, 0);
    assert_switch(one, 8, 12);
    assert_string_equal(trace, "GeneratorExit");
    aio_greenlet_unref(one);

    one = make(sum_of_generator);
    assert_switch(one, 0, 0);
    aio_greenlet_unref(one);
    assert_string_equal(trace, "GeneratorExit GeneratorExit");
}

/* --- threads --------------------------------------------------------------------------- */

static void *switch_in_thread(void *arg)
{
    return (void *)(intptr_t)switch_to(arg);
}

static void *make_and_leave(void *arg)
{
    aio_greenlet **greenlets = arg;

    greenlets[0] = aio_greenlet_new(wait_for_exit, NULL, NULL);
    greenlets[1] = aio_greenlet_new(wait_for_exit, NULL, NULL);
    greenlets[2] = aio_greenlet_current();
    return (void *)(intptr_t)switch_to(greenlets[0]);
}

static intptr_t in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    void *result = NULL;

    assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return (intptr_t)result;
}

static void greenlet_belongs_to_its_thread(void **state)
{
    one = make(return_9);
    assert_int_equal(in_thread(switch_in_thread, one), AIO_ERUNTIME);
    assert_switch(one, 0, 9);
    aio_greenlet_unref(one);
}

static void greenlets_are_unwound_when_their_thread_ends(void **state)
{
    aio_greenlet *greenlets[3] = {NULL};

    assert_int_equal(in_thread(make_and_leave, greenlets), 0);
    assert_string_equal(trace, "exit again");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(switch_to(greenlets[i]), AIO_ERUNTIME);
    for (size_t i = 0; i < 3; i++)
        aio_greenlet_unref(greenlets[i]);
}

/* --- memory ---------------------------------------------------------------------------- */

static void ping_pong_short_of_memory(void *arg)
{
    int err = 0;

    trace[0] = '\0';
    one = aio_greenlet_new(note_1_2, NULL, NULL);
    two = aio_greenlet_new(note_3_4, NULL, NULL);
    if (one != NULL && two != NULL)
        err = switch_to(one);
    assert_true(err == 0 || err == AIO_ENOMEM);
    aio_greenlet_unref(one);
    aio_greenlet_unref(two);
    aio__stacks_end();
}

static void greenlets_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(ping_pong_short_of_memory, NULL) > 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_pass_with_each_switch_and_the_result_goes_to_the_parent),
        TEST(greenlets_switch_to_each_other_and_the_end_goes_to_the_parent),
        TEST(greenlet_that_could_not_be_made_gives_the_code),
        TEST(switch_to_the_current_greenlet_gives_the_value_back),
        TEST(dead_greenlet_stands_for_its_parent),
        TEST(current_greenlet_is_the_one_that_runs),
        TEST(error_of_a_greenlet_comes_out_of_its_parents_switch),
        TEST(thrown_error_comes_out_of_the_switch_that_waits),
        TEST(greenlet_exit_is_a_return_of_nothing),
        TEST(error_thrown_before_the_start_goes_to_the_parent),
        TEST(parent_gets_what_the_child_ends_with),
        TEST(parent_that_has_not_begun_begins_with_the_childs_result),
        TEST(parent_that_has_not_begun_dies_of_the_childs_error),
        TEST(parent_can_be_changed_but_not_to_a_ring),
        TEST(greenlet_nobody_refers_to_is_unwound),
        TEST(greenlet_that_fails_while_it_is_unwound_is_logged),
        TEST(greenlet_that_never_began_just_goes),
        TEST(greenlet_dropped_while_it_runs_is_unwound_when_it_is_left),
        TEST(greenlet_dropped_while_it_runs_can_end),
        TEST(greenlet_can_be_unwound_from_another),
        TEST(greenlet_made_by_one_that_goes_keeps_to_its_own_place),
        TEST(greenlet_copies_its_argument_and_destroys_it_once),
        TEST(greenlet_has_a_context_of_its_own),
        TEST(greenlet_goes_on_where_it_was_left_be_it_in_a_generator),
        TEST(greenlet_belongs_to_its_thread),
        TEST(greenlets_are_unwound_when_their_thread_ends),
        TEST(greenlets_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
