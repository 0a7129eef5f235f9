/* SPDX-License-Identifier: MIT */
/*
 * test_context.c - context variables, tokens, contexts, and the slots tasks and handles keep
 *
 * Facts S51 to S56 of asyncio's semantics, as far as they hold without a loop: a "task" here is
 * a slot made current by hand, as the loop does it.
 */
#include "base/context.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/memory.h>
#include <aio/testing.h>
#include <pthread.h>
#include <string.h>

struct fixture {
    aio__ctx slot; /* of the "task" that runs the test */
    aio_contextvar *var;
    aio_contextvar *other;
};

static int setup(void **state)
{
    struct fixture *f;

    (void)count_allocations(state);
    f = aio_calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    f->var = aio_contextvar_new("var", &aio_type_int);
    f->other = aio_contextvar_new_default("other", &aio_type_int, (void *)77);
    aio__thread()->context = &f->slot;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    aio__thread()->context = NULL;
    aio__ctx_release(f->slot);
    aio_contextvar_unref(f->var);
    aio_contextvar_unref(f->other);
    aio_free(f);
    return check_allocations(state);
}

#define MISSING ((intptr_t)-1)

/* The variable's value in the current context, or MISSING. */
static intptr_t get(const aio_contextvar *var)
{
    void *value;

    return aio_contextvar_get(var, &value) < 0 ? MISSING : (intptr_t)value;
}

static void set(aio_contextvar *var, intptr_t value)
{
    assert_int_equal(aio_contextvar_set(var, (void *)value, NULL), 0);
}

static aio_token *set_with_token(aio_contextvar *var, intptr_t value)
{
    aio_token *token = NULL;

    assert_int_equal(aio_contextvar_set(var, (void *)value, &token), 0);
    assert_non_null(token);
    return token;
}

/* Run a step of another "task", whose slot this is. */
static void step(aio__ctx *slot, void (*body)(struct fixture *f), struct fixture *f)
{
    aio__ctx *former = aio__thread()->context;

    aio__thread()->context = slot;
    body(f);
    aio__thread()->context = former;
}

/* --- variables --- */

static void var_without_value_has_its_default_or_is_a_lookup_error(void **state)
{
    struct fixture *f = *state;
    void *value = (void *)5;

    assert_int_equal(aio_contextvar_get(f->var, &value), AIO_ELOOKUP);
    assert_ptr_equal(value, (void *)5); /* the caller's own default stays */
    assert_int_equal(aio_contextvar_get(f->other, &value), 0);
    assert_ptr_equal(value, (void *)77);
    assert_string_equal(aio_contextvar_name(f->var), "var");
}

static void var_that_could_not_be_made_gives_enomem(void **state)
{
    void *value;

    aio_testing_fail_allocation(1);
    assert_null(aio_contextvar_new("var", NULL));
    aio_testing_fail_allocation(0);
    assert_int_equal(aio_contextvar_get(NULL, &value), AIO_ENOMEM);
    assert_int_equal(aio_contextvar_set(NULL, NULL, NULL), AIO_ENOMEM);
    assert_int_equal(aio_contextvar_reset(NULL, NULL), AIO_ENOMEM);
    assert_int_equal(aio_context_run(NULL, NULL, NULL), AIO_ENOMEM);
    assert_null(aio_context_copy(NULL));
    aio_contextvar_unref(NULL);
    aio_context_unref(NULL);
    aio_token_unref(NULL);
}

static unsigned destroyed;

static void count_destroyed(void *value)
{
    destroyed += (unsigned)(uintptr_t)value;
}

static const aio_type counted = {.destroy = count_destroyed};

static void value_lives_as_long_as_any_context_or_token_holds_it(void **state)
{
    struct fixture *f = *state;
    aio_contextvar *var = aio_contextvar_new_default("owned", &counted, (void *)1000);
    aio_token *token;
    aio_context *copy;

    destroyed = 0;
    set(var, 1);
    copy = aio_copy_context();
    token = set_with_token(var, 10);
    set(var, 100);
    assert_int_equal(destroyed, 10);
    aio_context_unref(copy);
    assert_int_equal(destroyed, 10); /* the token remembers it */
    aio_token_unref(token);
    assert_int_equal(destroyed, 11);
    aio_contextvar_unref(var);
    assert_int_equal(destroyed, 11); /* the context keeps the variable */
    aio__ctx_release(f->slot);
    f->slot.bits = 0;
    assert_int_equal(destroyed, 1111);
}

static aio_contextvar *reentered;

static void set_from_destructor(void *value)
{
    destroyed++;
    if (value == (void *)1)
        set(reentered, 2);
}

static void value_whose_destructor_sets_the_variable_is_replaced_before(void **state)
{
    static const aio_type type = {.destroy = set_from_destructor};
    aio_contextvar *var = aio_contextvar_new("reentered", &type);

    destroyed = 0;
    reentered = var;
    set(var, 1);
    set(var, 3);
    assert_int_equal(get(var), 2); /* set while 1 went, so after 3 */
    assert_int_equal(destroyed, 2);
    aio_contextvar_unref(var);
}

/* --- tokens: S56 --- */

/* after test_context.ContextTest.test_context_var_new_2, test_context_copy_1 */
static void token_brings_the_former_value_back(void **state)
{
    struct fixture *f = *state;
    aio_token *first = set_with_token(f->var, 1);
    aio_token *second = set_with_token(f->var, 2);
    void *old;

    assert_ptr_equal(aio_token_var(second), f->var);
    assert_false(aio_token_old_value(first, &old));
    assert_true(aio_token_old_value(second, &old));
    assert_ptr_equal(old, (void *)1);

    assert_int_equal(aio_contextvar_reset(f->var, second), 0);
    assert_int_equal(get(f->var), 1);
    assert_int_equal(aio_contextvar_reset(f->var, first), 0);
    assert_int_equal(get(f->var), MISSING);
    assert_int_equal(aio_context_size(aio__ctx_object(&f->slot)), 0);
    aio_token_unref(first);
    aio_token_unref(second);
}

/* after test_context.ContextTest.test_token_contextmanager_with_default, 3.14 */
static void token_ends_a_block_and_hands_its_code_on(void **state)
{
    struct fixture *f = *state;
    aio_token *token = set_with_token(f->var, 1);

    assert_int_equal(aio_token_exit(token, 0), 0);
    assert_int_equal(get(f->var), MISSING);
    assert_int_equal(aio_token_exit(token, 0), AIO_ERUNTIME); /* used */
    aio_token_unref(token);

    token = set_with_token(f->var, 2);
    assert_int_equal(aio_token_exit(token, aio_raise(AIO_EKEY, "the body's")), AIO_EKEY);
    assert_string_equal(aio_error_text(AIO_EKEY), "the body's");
    assert_int_equal(get(f->var), MISSING);
    assert_int_equal(aio_token_exit(token, AIO_EINDEX), AIO_EINDEX);
    aio_token_unref(token);
}

/* after test_context.ContextTest.test_context_var_reset_twice: S56 */
static void token_is_good_once(void **state)
{
    struct fixture *f = *state;
    aio_token *token = set_with_token(f->var, 1);

    assert_int_equal(aio_contextvar_reset(f->var, token), 0);
    set(f->var, 2);
    assert_int_equal(aio_contextvar_reset(f->var, token), AIO_ERUNTIME);
    assert_int_equal(get(f->var), 2);
    aio_token_unref(token);
}

/* after test_context.ContextTest.test_context_var_reset_different_var: S56 */
static void token_is_good_for_its_variable_only(void **state)
{
    struct fixture *f = *state;
    aio_token *token = set_with_token(f->var, 1);

    assert_int_equal(aio_contextvar_reset(f->other, token), AIO_EVALUE);
    assert_int_equal(aio_contextvar_reset(f->var, token), 0); /* it was not used up */
    aio_token_unref(token);
}

/* S56 */
static void token_is_good_in_its_context_only(void **state)
{
    struct fixture *f = *state;
    aio_token *token = set_with_token(f->var, 1);
    aio__ctx child = aio__ctx_capture();
    aio__ctx *former = aio__thread()->context;

    aio__thread()->context = &child;
    assert_int_equal(aio_contextvar_reset(f->var, token), AIO_EVALUE);
    aio__thread()->context = former;
    assert_int_equal(get(f->var), 1);
    assert_int_equal(aio_contextvar_reset(f->var, token), 0);
    aio__ctx_release(child);
    aio_token_unref(token);
}

static void token_used_after_its_value_was_brought_back_by_another(void **state)
{
    struct fixture *f = *state;
    aio_token *first = set_with_token(f->var, 1);
    aio_token *second = set_with_token(f->var, 2);

    assert_int_equal(aio_contextvar_reset(f->var, first), 0);
    assert_int_equal(aio_contextvar_reset(f->var, second), 0);
    assert_int_equal(get(f->var), 1);
    aio_token_unref(first);
    aio_token_unref(second);
}

static void token_for_nothing_is_good_even_if_nothing_is_there(void **state)
{
    struct fixture *f = *state;
    aio_token *first = set_with_token(f->var, 1);
    aio_token *second;

    assert_int_equal(aio_contextvar_reset(f->var, first), 0);
    second = set_with_token(f->var, 2);
    aio_token_unref(first);
    first = set_with_token(f->var, 3);
    assert_int_equal(aio_contextvar_reset(f->var, second), 0);
    assert_int_equal(get(f->var), MISSING);
    assert_int_equal(aio_contextvar_reset(f->var, first), 0);
    assert_int_equal(get(f->var), 2);
    aio_token_unref(first);
    aio_token_unref(second);
}

/* --- slots: S51 to S53 --- */

static void set_2_and_leave(struct fixture *f)
{
    set(f->var, 2);
}

static void expect_2_and_set_3(struct fixture *f)
{
    assert_int_equal(get(f->var), 2);
    set(f->var, 3);
}

static void expect_1(struct fixture *f)
{
    assert_int_equal(get(f->var), 1);
}

/* S51: the context of registering counts, not that of running. */
static void captured_context_keeps_the_values_of_its_moment(void **state)
{
    struct fixture *f = *state;
    aio__ctx captured;

    set(f->var, 1);
    captured = aio__ctx_capture();
    set(f->var, 2);
    step(&captured, expect_1, f);
    assert_int_equal(get(f->var), 2);
    aio__ctx_release(captured);
}

/* S52 */
static void sets_of_a_task_last_from_step_to_step_and_are_seen_by_nobody_else(void **state)
{
    struct fixture *f = *state;
    aio__ctx task, sibling;

    set(f->var, 1);
    task = aio__ctx_capture();
    sibling = aio__ctx_capture();
    step(&task, set_2_and_leave, f);
    step(&task, expect_2_and_set_3, f);
    step(&sibling, expect_1, f);
    assert_int_equal(get(f->var), 1);
    aio__ctx_release(task);
    aio__ctx_release(sibling);
}

/* S51: an explicit context= is shared, not copied. */
static void shared_context_is_one_for_all_who_run_in_it(void **state)
{
    struct fixture *f = *state;
    aio_context *context = aio_context_new();
    aio__ctx a = aio__ctx_share(context);
    aio__ctx b = aio__ctx_share(context);

    step(&a, set_2_and_leave, f);
    step(&b, expect_2_and_set_3, f);
    assert_int_equal(get(f->var), MISSING);
    aio__ctx_release(a);
    aio__ctx_release(b);
    aio_context_unref(context);
}

static void capturing_nothing_or_much_allocates_nothing(void **state)
{
    struct fixture *f = *state;
    size_t before = live_allocations();
    aio__ctx empty = aio__ctx_capture();
    aio__ctx full;

    assert_int_equal(empty.bits, 0);
    assert_int_equal(live_allocations(), before);
    set(f->var, 1);
    set(f->other, 2);
    before = live_allocations();
    full = aio__ctx_capture();
    assert_true(full.bits != 0);
    assert_int_equal(live_allocations(), before);
    aio__ctx_release(full);
}

static void slot_becomes_an_object_once_and_keeps_its_values(void **state)
{
    struct fixture *f = *state;
    aio_context *context;
    void *value;

    set(f->var, 1);
    assert_null(aio__ctx_peek_object(f->slot));
    context = aio__ctx_object(&f->slot);
    assert_ptr_equal(aio__ctx_object(&f->slot), context);
    assert_true(aio_context_get(context, f->var, &value));
    assert_ptr_equal(value, (void *)1);
    set(f->var, 2);
    assert_true(aio_context_get(context, f->var, &value));
    assert_ptr_equal(value, (void *)2);
}

/* --- contexts --- */

static void context_lists_its_variables(void **state)
{
    struct fixture *f = *state;
    aio_context *empty = aio_context_new();
    aio_context *context;
    aio_contextvar *var;
    void *value;

    set(f->var, 1);
    context = aio_copy_context();
    set(f->other, 2);
    assert_int_equal(aio_context_size(empty), 0);
    assert_int_equal(aio_context_size(context), 1);
    assert_true(aio_context_item(context, 0, &var, &value));
    assert_ptr_equal(var, f->var);
    assert_ptr_equal(value, (void *)1);
    assert_false(aio_context_item(context, 1, &var, &value));
    assert_false(aio_context_get(context, f->other, &value)); /* a default does not count */
    aio_context_unref(context);
    aio_context_unref(empty);
}

struct run {
    struct fixture *f;
    aio_context *context;
    int result;
};

static int set_9(void *arg)
{
    struct run *run = arg;

    set(run->f->var, 9);
    return run->result;
}

/* after test_context.ContextTest.test_context_run_4, test_context_run_7 */
static void context_run_keeps_what_is_set_in_the_context(void **state)
{
    struct run run = {.f = *state, .result = AIO_EKEY};
    aio_context *copy;
    void *value;

    set(run.f->var, 1);
    run.context = aio_copy_context();
    copy = aio_context_copy(run.context);
    assert_int_equal(aio_context_run(run.context, set_9, &run), AIO_EKEY);
    run.result = 0;
    assert_int_equal(aio_context_run(run.context, set_9, &run), 0);
    assert_int_equal(get(run.f->var), 1);
    assert_true(aio_context_get(run.context, run.f->var, &value));
    assert_ptr_equal(value, (void *)9);
    assert_true(aio_context_get(copy, run.f->var, &value));
    assert_ptr_equal(value, (void *)1);
    aio_context_unref(copy);
    aio_context_unref(run.context);
}

static int enter_again(void *arg)
{
    struct run *run = arg;

    return aio_context_run(run->context, set_9, run);
}

/* after test_context.ContextTest.test_context_run_2: S56 */
static void context_that_is_entered_cannot_be_entered(void **state)
{
    struct run run = {.f = *state, .context = aio_context_new()};

    assert_int_equal(aio_context_run(run.context, enter_again, &run), AIO_ERUNTIME);
    assert_int_equal(aio_context_size(run.context), 0);
    assert_int_equal(aio_context_run(run.context, set_9, &run), 0); /* it was left */
    aio_context_unref(run.context);
}

static int enter_outer(void *arg)
{
    struct run *run = arg;

    run->result = aio_context_run(run->context, set_9, run);
    return 0;
}

/* S56 */
static void context_of_the_running_task_cannot_be_entered(void **state)
{
    struct run run = {.f = *state};
    aio_context *inner = aio_context_new();

    run.context = aio__ctx_object(&run.f->slot);
    assert_int_equal(aio_context_run(run.context, set_9, &run), AIO_ERUNTIME);
    assert_int_equal(aio_context_run(inner, enter_outer, &run), 0);
    assert_int_equal(run.result, AIO_ERUNTIME);
    assert_int_equal(get(run.f->var), MISSING);
    assert_false(atomic_load(&run.context->entered));
    aio_context_unref(inner);
}

static void in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *enter_elsewhere(void *arg)
{
    struct run *run = arg;

    run->result = aio_context_run(run->context, set_9, run);
    return NULL;
}

static int enter_in_another_thread(void *arg)
{
    in_thread(enter_elsewhere, arg);
    return 0;
}

/* S56 */
static void context_that_is_entered_is_entered_by_no_other_thread(void **state)
{
    struct run run = {.f = *state, .context = aio_context_new()};

    assert_int_equal(aio_context_run(run.context, enter_in_another_thread, &run), 0);
    assert_int_equal(run.result, AIO_ERUNTIME);
    assert_int_equal(aio_context_size(run.context), 0);
    aio_context_unref(run.context);
}

static void context_run_needs_a_function(void **state)
{
    aio_context *context = aio_context_new();

    assert_int_equal(aio_context_run(context, NULL, NULL), AIO_EVALUE);
    aio_context_unref(context);
}

/* --- threads --- */

static void *set_in_own_context(void *arg)
{
    struct run *run = arg;

    set(run->f->var, 4);
    run->result = get(run->f->var) == 4 ? 0 : AIO_EASSERTION;
    return NULL;
}

static void thread_has_a_context_of_its_own_dropped_at_its_end(void **state)
{
    struct run run = {.f = *state, .result = -1};
    size_t before = live_allocations();

    in_thread(set_in_own_context, &run);
    assert_int_equal(run.result, 0);
    assert_int_equal(get(run.f->var), MISSING);
    assert_int_equal(live_allocations(), before);
}

static void *work_in_captured_context(void *arg)
{
    struct fixture *f = arg;

    for (intptr_t i = 0; i < 1000; i++) {
        set(f->var, i);
        set(f->other, get(f->var));
    }
    aio__thread()->context = NULL;
    return NULL;
}

/* One worker: f is its own, but the variables and what was captured are shared. */
static void *worker(void *arg)
{
    struct fixture *f = arg;

    aio__thread()->context = &f->slot;
    return work_in_captured_context(f);
}

/* S54: to_thread carries a copy into the worker. Under ThreadSanitizer, a test of the counts. */
static void captured_context_can_be_handed_to_other_threads(void **state)
{
    struct fixture *f = *state;
    struct fixture workers[2];
    pthread_t threads[2];

    set(f->var, 1);
    for (size_t i = 0; i < 2; i++) {
        workers[i] = (struct fixture){aio__ctx_capture(), f->var, f->other};
        assert_int_equal(pthread_create(&threads[i], NULL, worker, &workers[i]), 0);
    }
    (void)work_in_captured_context(f);
    aio__thread()->context = &f->slot;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        step(&workers[i].slot, set_2_and_leave, f);
        aio__ctx_release(workers[i].slot);
    }
    assert_int_equal(get(f->var), 999);
    assert_int_equal(get(f->other), 999);
}

/* --- memory --- */

static void use_all_short_of_memory(void *arg)
{
    aio__ctx slot = {0};
    aio__ctx *former = aio__thread()->context;
    aio_contextvar *var = aio_contextvar_new("var", &counted);
    aio_contextvar *other = aio_contextvar_new("other", NULL);
    aio_token *token = NULL;
    aio_context *copy;

    aio__thread()->context = &slot;
    destroyed = 0;
    if (aio_contextvar_set(var, (void *)1, &token) == 0) {
        copy = aio_copy_context();
        if (aio_contextvar_set(other, (void *)10, NULL) == 0)
            assert_int_equal(get(other), 10);
        if (aio_contextvar_reset(var, token) == 0)
            assert_int_equal(get(var), MISSING);
        else
            assert_int_equal(get(var), 1);
        aio_context_unref(copy);
        aio_token_unref(token);
        aio__ctx_release(slot);
        assert_int_equal(destroyed, 1);
    } else {
        assert_int_equal(destroyed, 0); /* the value is still the caller's */
        assert_null(token);
        aio__ctx_release(slot);
    }
    aio__thread()->context = former;
    aio_contextvar_unref(var);
    aio_contextvar_unref(other);
}

static void contexts_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(use_all_short_of_memory, NULL) > 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(var_without_value_has_its_default_or_is_a_lookup_error),
        TEST(var_that_could_not_be_made_gives_enomem),
        TEST(value_lives_as_long_as_any_context_or_token_holds_it),
        TEST(value_whose_destructor_sets_the_variable_is_replaced_before),
        TEST(token_brings_the_former_value_back),
        TEST(token_ends_a_block_and_hands_its_code_on),
        TEST(token_is_good_once),
        TEST(token_is_good_for_its_variable_only),
        TEST(token_is_good_in_its_context_only),
        TEST(token_used_after_its_value_was_brought_back_by_another),
        TEST(token_for_nothing_is_good_even_if_nothing_is_there),
        TEST(captured_context_keeps_the_values_of_its_moment),
        TEST(sets_of_a_task_last_from_step_to_step_and_are_seen_by_nobody_else),
        TEST(shared_context_is_one_for_all_who_run_in_it),
        TEST(capturing_nothing_or_much_allocates_nothing),
        TEST(slot_becomes_an_object_once_and_keeps_its_values),
        TEST(context_lists_its_variables),
        TEST(context_run_keeps_what_is_set_in_the_context),
        TEST(context_that_is_entered_cannot_be_entered),
        TEST(context_that_is_entered_is_entered_by_no_other_thread),
        TEST(context_of_the_running_task_cannot_be_entered),
        TEST(context_run_needs_a_function),
        TEST(thread_has_a_context_of_its_own_dropped_at_its_end),
        TEST(captured_context_can_be_handed_to_other_threads),
        TEST(contexts_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
