/* SPDX-License-Identifier: MIT */
/*
 * test_exitstack.c - stacks of exits, after contextlib's test_contextlib_async.TestAsyncExitStack
 */
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <stdio.h>
#include <string.h>

/* What happened, in order, words with a blank between. */
static char trace[512];

static void note(const char *word)
{
    size_t length = strlen(trace);

    (void)snprintf(trace + length, sizeof(trace) - length, "%s%s", length > 0 ? " " : "", word);
}

static int setup(void **state)
{
    trace[0] = '\0';
    (void)count_allocations(state);
    *state = aio_exitstack_new();
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    aio_exitstack_unref(*state);
    return check_allocations(state);
}

/* --- things to push -------------------------------------------------------------------- */

static int note_name(void *arg)
{
    note(arg);
    return 0;
}

static int pass_on(void *context, int code)
{
    note(context);
    note(code < 0 ? aio_error_name(code) : "none");
    return code;
}

static int suppress(void *context, int code)
{
    note(code < 0 ? "suppressed" : "nothing");
    return 0;
}

static int replace(void *context, int code)
{
    note("replaced");
    return aio_raise(AIO_EKEY, "the new one");
}

static int replace_in_callback(void *arg)
{
    return aio_raise((int)(intptr_t)arg, "the callback's");
}

/* Fails inside without consequence, over the object that is on its way. */
static int stumble(void *context, int code)
{
    (void)aio_raise(AIO_EINDEX, "handled inside");
    return code;
}

static int stumble_in_callback(void *arg)
{
    (void)aio_raise(AIO_EINDEX, "handled inside");
    return 0;
}

static void push(aio_exitstack *stack, aio_exit_fn exit, const char *name)
{
    assert_int_equal(aio_exitstack_push(stack, exit, (void *)(uintptr_t)name), 0);
}

static void call(aio_exitstack *stack, int (*fn)(void *arg), const void *arg)
{
    assert_int_equal(aio_exitstack_callback(stack, fn, (void *)(uintptr_t)arg), 0);
}

/* --- order and codes ------------------------------------------------------------------- */

static void stack_runs_everything_last_first_and_once(void **state)
{
    aio_exitstack *stack = *state;
    char names[20][4];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%d", i);
        call(stack, note_name, names[i]);
    }
    assert_int_equal(aio_exitstack_aclose(stack), 0);
    assert_string_equal(trace, "19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0");
    assert_int_equal(aio_exitstack_aclose(stack), 0);
    call(stack, note_name, "again");
    assert_int_equal(aio_exitstack_aclose(stack), 0);
    assert_string_equal(trace + 50, "again");
}

static void exit_functions_get_the_error_and_pass_it_on(void **state)
{
    aio_exitstack *stack = *state;

    push(stack, pass_on, "a");
    call(stack, note_name, "callback");
    push(stack, pass_on, "b");
    assert_int_equal(aio_exitstack_exit(stack, aio_raise(AIO_EVALUE, "the body's")), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "the body's");
    assert_string_equal(trace, "b ValueError callback a ValueError");
}

/* after test_exit_suppress */
static void exit_function_can_suppress_the_error_for_those_below(void **state)
{
    aio_exitstack *stack = *state;

    push(stack, pass_on, "a");
    push(stack, suppress, NULL);
    push(stack, pass_on, "b");
    assert_int_equal(aio_exitstack_exit(stack, AIO_EVALUE), 0);
    assert_string_equal(trace, "b ValueError suppressed a none");
}

/* after test_exit_exception_chaining, test_exit_exception_non_suppressing */
static void exit_function_can_replace_the_error(void **state)
{
    aio_exitstack *stack = *state;

    push(stack, pass_on, "a");
    push(stack, replace, NULL);
    assert_int_equal(aio_exitstack_exit(stack, aio_raise(AIO_EVALUE, "the body's")), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "the new one");
    assert_string_equal(trace, "replaced a KeyError");

    call(stack, replace_in_callback, (void *)(intptr_t)AIO_EINDEX);
    assert_int_equal(aio_exitstack_exit(stack, 0), AIO_EINDEX);
    call(stack, replace_in_callback, (void *)(intptr_t)AIO_EVALUE);
    assert_int_equal(aio_exitstack_exit(stack, aio_raise(AIO_EVALUE, "the body's")), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "the callback's");
}

static void error_keeps_its_object_when_entries_stumble(void **state)
{
    aio_exitstack *stack = *state;

    push(stack, stumble, NULL);
    call(stack, stumble_in_callback, NULL);
    assert_int_equal(aio_exitstack_exit(stack, aio_raise(AIO_EVALUE, "the body's")), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "the body's");
}

static int push_more(void *arg)
{
    call(arg, note_name, "pushed late");
    note("pushing");
    return 0;
}

static void entry_may_push_another(void **state)
{
    aio_exitstack *stack = *state;

    call(stack, note_name, "first");
    call(stack, push_more, stack);
    assert_int_equal(aio_exitstack_aclose(stack), 0);
    assert_string_equal(trace, "pushing pushed late first");
}

/* after test_pop_all */
static void pop_all_moves_everything_to_a_new_stack(void **state)
{
    aio_exitstack *stack = *state;
    aio_exitstack *other;

    call(stack, note_name, "moved");
    other = aio_exitstack_pop_all(stack);
    call(stack, note_name, "new");
    assert_int_equal(aio_exitstack_aclose(stack), 0);
    assert_string_equal(trace, "new");
    assert_int_equal(aio_exitstack_aclose(other), 0);
    assert_string_equal(trace, "new moved");
    aio_exitstack_unref(other);
}

/* after test_dispose: nothing runs unless the stack is left */
static void stack_that_is_only_dropped_runs_nothing(void **state)
{
    aio_exitstack *stack = aio_exitstack_new();

    call(stack, note_name, "never");
    aio_exitstack_unref(stack);
    assert_string_equal(trace, "");
}

static void wrong_calls_are_told_so(void **state)
{
    aio_exitstack *stack = *state;
    static const aio_context_manager half = {.size = sizeof(half), .exit = pass_on};

    assert_int_equal(aio_exitstack_push(stack, NULL, NULL), AIO_EVALUE);
    assert_int_equal(aio_exitstack_callback(stack, NULL, NULL), AIO_EVALUE);
    assert_int_equal(aio_exitstack_enter(stack, NULL, NULL, NULL), AIO_ETYPE);
    assert_int_equal(aio_exitstack_enter(stack, &half, NULL, NULL), AIO_ETYPE);
    assert_null(aio_exitstack_pop_all(NULL));
    assert_int_equal(aio_exitstack_exit(NULL, AIO_EKEY), AIO_EKEY);
    aio_exitstack_unref(NULL);
}

/* --- contexts, in a task --------------------------------------------------------------- */

struct connection {
    const char *name;
    int fails;
};

static int connection_enter(void *context, void **ret_value)
{
    struct connection *self = context;
    int err = aio_sleep(0.0);

    if (err < 0 || self->fails < 0)
        return err < 0 ? err : self->fails;
    note(self->name);
    *ret_value = self;
    return 0;
}

static int connection_exit(void *context, int code)
{
    struct connection *self = context;

    (void)aio_sleep(0.0);
    note(self->name);
    return code;
}

static const aio_context_manager connection = {
    .size = sizeof(connection), .enter = connection_enter, .exit = connection_exit};

static int leave_timeout(void *context, int code)
{
    return aio_timeout_exit(context, code);
}

static int use_connections(void *arg, void **ret_result)
{
    struct connection *connections = arg;
    AIO_AUTO(aio_exitstack) stack = aio_exitstack_new();
    AIO_AUTO(aio_timeout) timeout = aio_timeout_new(60.0);
    void *value = NULL;
    int err = aio_timeout_enter(timeout);

    if (err == 0)
        err = aio_exitstack_push(stack, leave_timeout, timeout);
    for (int i = 0; i < 3 && err == 0; i++) {
        err = aio_exitstack_enter(stack, &connection, &connections[i], &value);
        if (err == 0 && value != &connections[i])
            err = AIO_EASSERTION;
    }
    return aio_exitstack_exit(stack, err);
}

static int run(aio_coro_fn fn, void *arg)
{
    aio_loop *loop = aio_new_event_loop();
    aio_task *task = aio_loop_create_task(loop, fn, arg, NULL);
    int err = aio_loop_run_until_complete(loop, task, NULL);

    aio_future_unref(task);
    (void)aio_loop_close(loop);
    aio_loop_unref(loop);
    return err;
}

static void contexts_are_entered_and_left_in_a_task(void **state)
{
    struct connection connections[3] = {{"a", 0}, {"b", 0}, {"c", 0}};

    assert_int_equal(run(use_connections, connections), 0);
    assert_string_equal(trace, "a b c c b a");
}

static void context_that_fails_to_enter_leaves_those_before_it(void **state)
{
    struct connection connections[3] = {{"a", 0}, {"b", 0}, {"c", AIO_EKEY}};

    assert_int_equal(run(use_connections, connections), AIO_EKEY);
    assert_string_equal(trace, "a b b a");
}

/* --- memory ---------------------------------------------------------------------------- */

static int counted_enter(void *context, void **ret_value)
{
    ++*(int *)context;
    return 0;
}

static int counted_exit(void *context, int code)
{
    --*(int *)context;
    return code;
}

static void enter_many_short_of_memory(void *arg)
{
    static const aio_context_manager counted = {
        .size = sizeof(counted), .enter = counted_enter, .exit = counted_exit};
    aio_exitstack *stack = aio_exitstack_new();
    int entered = 0;
    int err = 0;

    for (int i = 0; i < 20 && err == 0; i++)
        err = aio_exitstack_enter(stack, &counted, &entered, NULL);
    assert_true(err == 0 || err == AIO_ENOMEM);
    assert_int_equal(aio_exitstack_exit(stack, err), err);
    assert_int_equal(entered, 0);
    aio_exitstack_unref(stack);
}

static void exitstack_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(enter_many_short_of_memory, NULL) >= 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stack_runs_everything_last_first_and_once),
        TEST(exit_functions_get_the_error_and_pass_it_on),
        TEST(exit_function_can_suppress_the_error_for_those_below),
        TEST(exit_function_can_replace_the_error),
        TEST(error_keeps_its_object_when_entries_stumble),
        TEST(entry_may_push_another),
        TEST(pop_all_moves_everything_to_a_new_stack),
        TEST(stack_that_is_only_dropped_runs_nothing),
        TEST(wrong_calls_are_told_so),
        TEST(contexts_are_entered_and_left_in_a_task),
        TEST(context_that_fails_to_enter_leaves_those_before_it),
        TEST(exitstack_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
