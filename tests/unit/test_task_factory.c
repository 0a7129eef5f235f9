/* SPDX-License-Identifier: MIT */
/*
 * test_task_factory.c - a loop's task factory: asked for functions and for coroutine objects
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* What a factory was given besides, and what it is to do. */
static struct {
    unsigned destroyed;
    unsigned asked;
    aio_task_options options; /* of the last time; what they point to is not ours */
    int given;                /* the argument of the last time, if it is a number */
} seen;

static int setup(void **state)
{
    memset(&seen, 0, sizeof(seen));
    return fx_setup(state);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_future_unref(f->subject);
    return fx_teardown(state);
}

static void note_destroyed(void *arg)
{
    (void)arg;
    seen.destroyed++;
}

static int note_run(void *arg, void **ret_result)
{
    fx_note(arg, "runs");
    *ret_result = arg;
    return 0;
}

static aio_task *note_and_make(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                               const aio_task_options *options, void *factory_arg)
{
    struct fixture *f = factory_arg;

    seen.asked++;
    fx_note(f, "makes %s named %s", site.coroutine,
            options == NULL || options->name == NULL ? "none" : options->name);
    return aio_task_new(loop, site, fn, arg, options);
}

/* --- functions ------------------------------------------------------------------------------- */

static int make_in_task(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task *group[2] = {aio_create_task(note_run, f), NULL};
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    int err;

    (void)ret_result;
    (void)aio_task_set_name(group[0], "first");
    options.name = "child";
    group[1] = aio_create_task_with(note_run, f, &options);
    err = aio_await(group[0], NULL) | aio_await(group[1], NULL);
    aio_future_unref(group[0]);
    aio_future_unref(group[1]);
    return err;
}

/* S49; after asyncio's test_base_events.BaseEventLoopTests.test_set_task_factory */
static void factory_makes_the_tasks_of_its_loop(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    assert_null(aio_loop_get_task_factory(f->loop));
    aio_loop_set_task_factory(f->loop, note_and_make, f);
    assert_ptr_equal(aio_loop_get_task_factory(f->loop), note_and_make);
    task = fx_spawn(f, "maker", make_in_task);
    fx_settle(f);
    assert_int_equal(aio_future_result(task, NULL), 0);
    fx_assert_trace(f, "- makes fn named maker, maker makes note_run named none, "
                       "maker makes note_run named child, first runs, child runs");
    aio_loop_set_task_factory(f->loop, NULL, NULL);
    assert_null(aio_loop_get_task_factory(f->loop));
}

static aio_task *make_nothing(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                              const aio_task_options *options, void *factory_arg)
{
    (void)loop;
    (void)factory_arg;
    return aio_task_new(NULL, site, fn, arg, options); /* which fails */
}

static void factory_may_fail(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_task_factory(f->loop, make_nothing, f);
    assert_null(aio_loop_create_task(f->loop, note_run, f, NULL));
    assert_int_equal(aio_await(NULL, NULL), AIO_ENOLOOP);
}

static void factory_functions_take_null(void **state)
{
    (void)state;
    aio_loop_set_task_factory(NULL, note_and_make, NULL);
    assert_null(aio_loop_get_task_factory(NULL));
    assert_null(aio_eager_task_factory(NULL, AIO_SITE(note_run), note_run, NULL, NULL, NULL));
    assert_int_equal(aio_await(NULL, NULL), AIO_ENOLOOP);
}

/* --- coroutine objects, wherever they become tasks ------------------------------------------- */

/* The subject: a coroutine object named C. */
static aio_coroutine *make(struct fixture *f, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.name = "C";
    options.arg_destroy = note_destroyed;
    f->subject = aio_coroutine_new(fn, f, &options);
    assert_non_null(f->subject);
    return f->subject;
}

/* Run fn(f) in a task M, which the factory is not asked for. */
static void run_with_factory(struct fixture *f, aio_coro_fn fn)
{
    aio_task *task;

    (void)make(f, note_run);
    task = fx_spawn(f, "M", fn);
    aio_loop_set_task_factory(f->loop, note_and_make, f);
    fx_settle(f);
    assert_int_equal(aio_future_result(task, NULL), 0);
    assert_int_equal(seen.destroyed, 1);
    assert_true(aio_future_done(f->subject));
}

static int ensure_future(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_ensure_future(f->subject, NULL);

    return err < 0 ? err : aio_await(f->subject, ret_result);
}

/* asyncio: ensure_future() calls loop.create_task() */
static void factory_is_asked_by_ensure_future(void **state)
{
    struct fixture *f = *state;

    run_with_factory(f, ensure_future);
    fx_assert_trace(f, "M makes fn named C, C runs");
    assert_true(aio_future_is_task(f->subject));
}

static int gather_twice(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_future *both[] = {f->subject, f->subject};
    AIO_AUTO(aio_future) all = aio_gather(both, 2, 0);

    return aio_await(all, ret_result);
}

/* S68: the same object twice is one task */
static void factory_is_asked_by_gather(void **state)
{
    struct fixture *f = *state;

    run_with_factory(f, gather_twice);
    fx_assert_trace(f, "M makes fn named C, C runs");
}

static int shield(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) outer = aio_shield(f->subject);

    return aio_await(outer, ret_result);
}

static void factory_is_asked_by_shield(void **state)
{
    struct fixture *f = *state;

    run_with_factory(f, shield);
    fx_assert_trace(f, "M makes fn named C, C runs");
}

static int iterate_as_completed(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_future *fut = f->subject;
    aio_as_completed *iterator = aio_as_completed_new(&fut, 1, AIO_FOREVER);
    int err = aio_as_completed_await_next(iterator, ret_result);

    aio_as_completed_unref(iterator);
    return err;
}

static void factory_is_asked_by_as_completed(void **state)
{
    struct fixture *f = *state;

    run_with_factory(f, iterate_as_completed);
    fx_assert_trace(f, "M makes fn named C, C runs");
}

static int start_in_group(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_taskgroup *group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    (void)ret_result;
    err =
        aio_taskgroup_exit(group, err < 0 ? err : aio_taskgroup_start_coroutine(group, f->subject));
    aio_taskgroup_unref(group);
    return err;
}

static void factory_is_asked_by_a_task_group(void **state)
{
    struct fixture *f = *state;

    run_with_factory(f, start_in_group);
    fx_assert_trace(f, "M makes fn named C, C runs");
}

static int wait_no_time(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return aio_wait_for(f->subject, 0, ret_result) == AIO_ETIMEDOUT ? 0 : AIO_ERUNTIME;
}

/* S64, S30: made a task, and cancelled before it starts */
static void factory_is_asked_by_wait_for_with_no_time(void **state)
{
    struct fixture *f = *state;

    run_with_factory(f, wait_no_time);
    fx_assert_trace(f, "M makes fn named C");
}

static int wait_some_time(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return aio_wait_for(f->subject, 1, ret_result);
}

/* S53, S65 */
static void factory_is_not_asked_where_the_object_runs_in_its_caller(void **state)
{
    struct fixture *f = *state;

    run_with_factory(f, wait_some_time);
    fx_assert_trace(f, "M runs");
}

static void factory_is_asked_by_run_until_complete(void **state)
{
    struct fixture *f = *state;
    void *value = NULL;

    aio_loop_set_task_factory(f->loop, note_and_make, f);
    assert_int_equal(aio_loop_run_until_complete(f->loop, make(f, note_run), &value), 0);
    assert_ptr_equal(value, f);
    fx_assert_trace(f, "- makes fn named C, C runs");
}

static aio_contextvar *variable;

static int set_variable(void *arg, void **ret_result)
{
    (void)ret_result;
    return aio_contextvar_set(variable, arg, NULL);
}

static int get_variable(void *arg, void **ret_result)
{
    (void)arg;
    return aio_contextvar_get(variable, ret_result);
}

static aio_loop *loop_with_factory(void *arg)
{
    aio_loop *loop = aio_new_event_loop();

    aio_loop_set_task_factory(loop, note_and_make, arg);
    return loop;
}

/* S55: it is told of the runner's context, which all runs share */
static void factory_is_asked_by_a_runner(void **state)
{
    struct fixture *f = *state;
    aio_runner_options options = AIO_RUNNER_OPTIONS_INIT;
    aio_coroutine *coros[] = {aio_coroutine_new(set_variable, f, NULL),
                              aio_coroutine_new(get_variable, f, NULL)};
    aio_runner *runner;
    void *value = NULL;

    variable = aio_contextvar_new("variable", NULL);
    options.loop_factory = loop_with_factory;
    options.factory_arg = f;
    runner = aio_runner_new(&options);
    assert_int_equal(aio_runner_run_awaitable(runner, coros[0], NULL), 0);
    assert_int_equal(aio_runner_run_awaitable(runner, coros[1], &value), 0);
    assert_ptr_equal(value, f);
    assert_int_equal(seen.asked, 2);
    aio_runner_free(runner);
    aio_set_event_loop(f->loop);
    for (int i = 0; i < 2; i++)
        aio_future_unref(coros[i]);
    aio_contextvar_unref(variable);
    f->used = 0;
    f->trace[0] = '\0';
}

static void factory_is_asked_for_coroutines_of_other_threads(void **state)
{
    struct fixture *f = *state;
    aio_concurrent_future *fut;

    aio_loop_set_task_factory(f->loop, note_and_make, f);
    fut = aio_run_coroutine_threadsafe(note_run, f, f->loop);
    fx_settle(f);
    assert_true(aio_concurrent_future_done(fut));
    aio_concurrent_future_unref(fut);
    assert_int_equal(seen.asked, 1);
    assert_non_null(strstr(f->trace, "makes note_run named none, "));
    f->used = 0;
    f->trace[0] = '\0';
}

/* --- what it is given, and gives --------------------------------------------------------------- */

static aio_task *remember(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                          const aio_task_options *options, void *factory_arg)
{
    (void)factory_arg;
    seen.options = *options;
    memcpy(&seen.given, arg, sizeof(seen.given));
    return aio_task_new(loop, site, fn, arg, options);
}

static int give_number(void *arg, void **ret_result)
{
    *ret_result = arg;
    return *(const int *)arg == 42 ? 0 : AIO_EVALUE;
}

static const aio_type no_type = {NULL, NULL};

static void factory_is_given_all_that_the_object_was_made_with(void **state)
{
    struct fixture *f = *state;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_context) context = aio_context_new();
    int number = 42;
    void *value = NULL;

    options.name = "number";
    options.context = context;
    options.arg_size = sizeof(number);
    options.arg_destroy = note_destroyed;
    options.result_type = &no_type;
    options.stack_size = 128 * 1024;
    options.eager_start = AIO_EAGER_NO;
    f->subject = aio_coroutine_new(give_number, &number, &options);
    number = 0;
    aio_loop_set_task_factory(f->loop, remember, NULL);
    assert_int_equal(aio_ensure_future(f->subject, NULL), 0);
    assert_int_equal(seen.given, 42);
    assert_ptr_equal(seen.options.context, context);
    assert_int_equal(seen.options.arg_size, sizeof(number));
    assert_ptr_equal(seen.options.arg_destroy, note_destroyed);
    assert_ptr_equal(seen.options.result_type, &no_type);
    assert_int_equal(seen.options.stack_size, 128 * 1024);
    assert_int_equal(seen.options.eager_start, AIO_EAGER_NO);
    assert_ptr_equal(seen.options.coroutine, f->subject);
    assert_string_equal(aio_task_get_name(f->subject), "number");
    assert_ptr_equal(aio_task_get_context(f->subject), context);
    assert_int_equal(seen.destroyed, 0);
    fx_settle(f);
    assert_int_equal(aio_future_result(f->subject, &value), 0);
    assert_int_equal(*(int *)value, 42);
    assert_int_equal(seen.destroyed, 1);
}

struct wrapped {
    struct fixture *f;
    aio_coro_fn fn;
    void *arg;
};

static int run_wrapped(void *arg, void **ret_result)
{
    const struct wrapped *wrapped = arg;

    fx_note(wrapped->f, "before");
    return fx_note_code(wrapped->f, "after", wrapped->fn(wrapped->arg, ret_result));
}

static aio_task *wrap(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                      const aio_task_options *options, void *factory_arg)
{
    struct wrapped wrapped = {factory_arg, fn, arg};
    aio_task_options with_copy = *options;

    with_copy.name = "W";
    with_copy.arg_size = sizeof(wrapped);
    with_copy.arg_destroy = NULL;
    return aio_task_new(loop, site, run_wrapped, &wrapped, &with_copy);
}

static void factory_may_wrap_the_coroutine_of_an_object(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_task_factory(f->loop, wrap, f);
    assert_int_equal(aio_ensure_future(make(f, note_run), NULL), 0);
    assert_ptr_equal(aio_task_get_coro(f->subject), run_wrapped);
    fx_settle(f);
    fx_assert_trace(f, "W before, W runs, W after");
}

static aio_task *forget_options(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                                const aio_task_options *options, void *factory_arg)
{
    aio_task_options own = AIO_TASK_OPTIONS_INIT;

    (void)factory_arg;
    own.arg_destroy = options->arg_destroy;
    return aio_task_new(loop, site, fn, arg, &own);
}

static void factory_that_makes_another_task_is_refused(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_task_factory(f->loop, forget_options, f);
    assert_int_equal(aio_ensure_future(make(f, note_run), NULL), AIO_ERUNTIME);
    assert_non_null(strstr(aio_error_text(AIO_ERUNTIME), "without its options"));
    fx_settle(f);
    fx_assert_trace(f, ""); /* the other was cancelled before it began */
    assert_int_equal(seen.destroyed, 1);
    assert_int_equal(aio_coroutine_get_state(f->subject), AIO_CORO_CLOSED);
}

static void factory_that_fails_closes_the_object(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_task_factory(f->loop, make_nothing, f);
    assert_int_equal(aio_ensure_future(make(f, note_run), NULL), AIO_ENOLOOP);
    assert_int_equal(seen.destroyed, 1);
    assert_int_equal(aio_coroutine_get_state(f->subject), AIO_CORO_CLOSED);
    assert_int_equal(aio_ensure_future(f->subject, NULL), AIO_ERUNTIME);
}

static aio_task *ask_again(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                           const aio_task_options *options, void *factory_arg)
{
    struct fixture *f = factory_arg;

    (void)fx_note_code(f, "ensured", aio_ensure_future(options->coroutine, loop));
    (void)fx_note_code(f, "closed", aio_coroutine_close(options->coroutine));
    f->other = aio_task_new(loop, site, fn, arg, options);
    (void)fx_note_code(f, "again", aio_await(aio_task_new(loop, site, fn, f, options), NULL));
    return f->other;
}

static void factory_has_the_object_to_itself_and_takes_it_once(void **state)
{
    struct fixture *f = *state;

    aio_loop_set_task_factory(f->loop, ask_again, f);
    f->subject = aio_coroutine_new(note_run, f, NULL);
    assert_int_equal(aio_ensure_future(f->subject, NULL), 0);
    assert_int_equal(aio_task_set_name(f->subject, "C"), 0);
    fx_settle(f);
    fx_assert_trace(f, "- ensured ! RuntimeError, - closed ! RuntimeError, "
                       "- again ! RuntimeError, C runs");
}

static void object_that_no_factory_is_asked_for_makes_no_task(void **state)
{
    struct fixture *f = *state;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.coroutine = make(f, note_run);
    assert_null(aio_task_new(f->loop, AIO_SITE(note_run), note_run, f, &options));
    assert_int_equal(aio_await(NULL, NULL), AIO_ERUNTIME);
    assert_int_equal(aio_coroutine_get_state(f->subject), AIO_CORO_CREATED);
    assert_int_equal(aio_coroutine_close(f->subject), 0);
}

/* --- the eager factory ------------------------------------------------------------------------- */

static int ensure_lazy_and_eager(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_coroutine) lazy = NULL;

    (void)ret_result;
    options.name = "lazy";
    options.eager_start = AIO_EAGER_NO;
    lazy = aio_coroutine_new(note_run, f, &options);
    (void)aio_ensure_future(lazy, NULL);
    fx_note(f, "done %d", aio_future_done(lazy));
    (void)aio_ensure_future(f->subject, NULL);
    fx_note(f, "done %d", aio_future_done(f->subject));
    return aio_await(lazy, NULL);
}

/* S49 */
static void eager_factory_starts_objects_but_those_who_will_not(void **state)
{
    struct fixture *f = *state;

    (void)make(f, note_run);
    (void)fx_spawn(f, "M", ensure_lazy_and_eager);
    aio_loop_set_task_factory(f->loop, aio_eager_task_factory, NULL);
    fx_settle(f);
    fx_assert_trace(f, "M done 0, C runs, M done 1, lazy runs");
}

/* --- memory ------------------------------------------------------------------------------------ */

static int sleep_one(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_sleep(1);
}

static void run_short_of_memory(void *arg)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    seen.destroyed = 0;
    options.name = "C";
    options.arg_size = sizeof(f);
    options.arg_destroy = note_destroyed;
    f.subject = aio_coroutine_new(sleep_one, &f, &options);
    aio_loop_set_task_factory(f.loop, note_and_make, &f);
    (void)aio_ensure_future(f.subject, f.loop);
    fx_settle(&f);
    (void)aio_coroutine_close(f.subject);
    aio_future_unref(f.subject);
    fx_close(&f);
    assert_int_equal(seen.destroyed, 1);
}

static void objects_survive_every_shortage_of_memory_while_a_factory_is_asked(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 3);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(factory_makes_the_tasks_of_its_loop),
        TEST(factory_may_fail),
        TEST(factory_functions_take_null),
        TEST(factory_is_asked_by_ensure_future),
        TEST(factory_is_asked_by_gather),
        TEST(factory_is_asked_by_shield),
        TEST(factory_is_asked_by_as_completed),
        TEST(factory_is_asked_by_a_task_group),
        TEST(factory_is_asked_by_wait_for_with_no_time),
        TEST(factory_is_not_asked_where_the_object_runs_in_its_caller),
        TEST(factory_is_asked_by_run_until_complete),
        TEST(factory_is_asked_by_a_runner),
        TEST(factory_is_asked_for_coroutines_of_other_threads),
        TEST(factory_is_given_all_that_the_object_was_made_with),
        TEST(factory_may_wrap_the_coroutine_of_an_object),
        TEST(factory_that_makes_another_task_is_refused),
        TEST(factory_that_fails_closes_the_object),
        TEST(factory_has_the_object_to_itself_and_takes_it_once),
        TEST(object_that_no_factory_is_asked_for_makes_no_task),
        TEST(eager_factory_starts_objects_but_those_who_will_not),
        TEST(objects_survive_every_shortage_of_memory_while_a_factory_is_asked),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
