/* SPDX-License-Identifier: MIT */
/*
 * test_eager.c - tasks that begin inside the call that makes them
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* --- coroutines ---------------------------------------------------------------------------- */

static int note_run(void *arg, void **ret_result)
{
    fx_note(arg, "runs");
    *ret_result = arg;
    return 0;
}

static int note_and_wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    fx_note(f, "begins");
    return fx_note_code(f, "goes on", aio_await(f->subject, ret_result));
}

static int raise_value_error(void *arg, void **ret_result)
{
    (void)ret_result;
    fx_note(arg, "raises");
    return aio_raise(AIO_EVALUE, "bad");
}

static int raise_system_exit(void *arg, void **ret_result)
{
    (void)ret_result;
    fx_note(arg, "exits");
    return AIO_ESYSTEMEXIT;
}

static aio_task *spawn_eagerly(struct fixture *f, const char *name, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    aio_task *task;

    options.name = name;
    options.eager_start = AIO_EAGER_YES;
    task = aio_loop_create_task(f->loop, fn, f, &options);
    if (task != NULL)
        f->tasks[f->task_count++] = task;
    return task;
}

/* --- in a task ------------------------------------------------------------------------------- */

static int start_one(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task *task = spawn_eagerly(f, "child", note_run);
    void *value = NULL;

    (void)ret_result;
    fx_note(f, "current %s", aio_task_get_name(aio_current_task(NULL)));
    fx_note(f, "done %d coro %s", aio_future_done(task),
            aio_task_get_coro(task) == NULL ? "none" : "some");
    (void)fx_note_code(f, "result", aio_future_result(task, &value));
    fx_note(f, "value %s", value == f ? "right" : "wrong");
    return 0;
}

/* S46, S47 */
static void task_that_never_waits_is_done_when_the_call_returns(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", start_one);
    fx_settle(f);
    fx_assert_trace(f, "child runs, maker current maker, maker done 1 coro none, maker result, "
                       "maker value right");
}

static int start_one_that_waits(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task *task = spawn_eagerly(f, "child", note_and_wait);

    (void)ret_result;
    fx_note(f, "done %d coro %s", aio_future_done(task),
            aio_task_get_coro(task) == NULL ? "none" : "some");
    (void)aio_future_set_result(f->subject, NULL);
    fx_note(f, "set");
    return fx_note_code(f, "slept", aio_sleep(0));
}

/* S46 */
static void task_that_waits_goes_on_like_any_other(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", start_one_that_waits);
    fx_settle(f);
    fx_assert_trace(f, "child begins, maker done 0 coro some, maker set, child goes on, "
                       "maker slept");
}

static int start_one_that_fails(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task *task = spawn_eagerly(f, "child", raise_value_error);
    int mine = aio_raise(AIO_EKEY, "mine");

    (void)ret_result;
    fx_note(f, "done %d", aio_future_done(task));
    fx_note(f, "%s", aio_error_text(mine));
    return fx_note_code(f, "result", aio_future_result(task, NULL)) == AIO_EVALUE ? 0 : -1;
}

/* S47 */
static void error_of_an_eager_task_is_kept_in_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", start_one_that_fails);
    fx_settle(f);
    fx_assert_trace(f, "child raises, maker done 1, maker mine, maker result ! ValueError");
}

static int start_one_that_exits(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    (void)spawn_eagerly(f, "child", raise_system_exit);
    fx_note(f, "goes on");
    return fx_note_code(f, "slept", aio_sleep(0));
}

/* S47: C cannot throw into the maker; the run ends after its step. */
static void system_exit_of_an_eager_task_leaves_the_run(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", start_one_that_exits);
    assert_int_equal(aio_loop_run_forever(f->loop), AIO_ESYSTEMEXIT);
    fx_assert_trace(f, "child exits, maker goes on");
    fx_settle(f);
    fx_assert_trace(f, "maker slept");
}

static int note_done(aio_future *fut, void *arg)
{
    (void)fut;
    fx_note(arg, "done callback");
    return 0;
}

static int start_and_add_callback(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task *task = spawn_eagerly(f, "child", note_run);

    (void)ret_result;
    (void)aio_future_add_done_callback(task, note_done, f);
    fx_note(f, "added");
    return 0;
}

/* S48 */
static void done_callback_of_an_eager_task_is_queued(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", start_and_add_callback);
    fx_settle(f);
    fx_assert_trace(f, "child runs, maker added, - done callback");
}

static int start_a_nest(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    char name[] = {aio_task_get_name(aio_current_task(NULL))[0], '\0'};

    (void)ret_result;
    fx_note(f, "in");
    if (++name[0] < '4')
        (void)spawn_eagerly(f, name, start_a_nest);
    (void)fx_note_code(f, "slept", aio_sleep(0));
    return 0;
}

static void eager_tasks_nest(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "0", start_a_nest);
    fx_settle(f);
    fx_assert_trace(f, "0 in, 1 in, 2 in, 3 in, 3 slept, 2 slept, 1 slept, 0 slept");
}

static int note_all(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task **tasks = NULL;
    size_t count = 0;

    (void)ret_result;
    if (aio_all_tasks(NULL, &tasks, &count) < 0)
        return AIO_ENOMEM;
    fx_note(f, "%zu tasks", count);
    aio_task_list_free(tasks, count);
    return 0;
}

static int start_one_that_counts(void *arg, void **ret_result)
{
    (void)spawn_eagerly(arg, "child", note_all);
    return note_all(arg, ret_result);
}

/* S43 */
static void task_in_its_eager_step_counts_among_all(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", start_one_that_counts);
    fx_settle(f);
    fx_assert_trace(f, "child 2 tasks, maker 1 tasks");
}

static int cancel_self_and_wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)aio_task_cancel(aio_current_task(NULL), NULL);
    return note_and_wait(f, ret_result);
}

static int start_one_that_cancels_itself(void *arg, void **ret_result)
{
    (void)ret_result;
    (void)spawn_eagerly(arg, "child", cancel_self_and_wait);
    return aio_sleep(0);
}

static void eager_task_may_cancel_itself(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", start_one_that_cancels_itself);
    fx_settle(f);
    fx_assert_trace(f, "child begins, child goes on ! CancelledError");
    assert_true(aio_future_cancelled(f->tasks[1]));
}

/* --- elsewhere ------------------------------------------------------------------------------- */

static int start_in_call(void *arg)
{
    struct fixture *f = arg;

    (void)spawn_eagerly(f, "child", note_and_wait);
    fx_note(f, "current %s", aio_current_task(NULL) == NULL ? "none" : "some");
    return aio_future_set_result(f->subject, NULL);
}

/* S46 */
static void task_may_start_eagerly_in_a_plain_call(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_soon(f->loop, start_in_call, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "child begins, - current none, child goes on");
}

/* S46; after asyncio's test_eager_task_factory.EagerTaskFactoryLoopTests */
static void eager_start_of_a_loop_that_does_not_run_is_an_ordinary_one(void **state)
{
    struct fixture *f = *state;

    (void)spawn_eagerly(f, "child", note_run);
    fx_assert_trace(f, "");
    fx_settle(f);
    fx_assert_trace(f, "child runs");
}

/* --- the factory ------------------------------------------------------------------------------- */

static int make_with_the_eager_factory(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_task) first = aio_create_task(note_run, f);
    AIO_AUTO(aio_task) second = NULL;

    (void)ret_result;
    fx_note(f, "done %d", aio_future_done(first));
    options.eager_start = AIO_EAGER_NO;
    options.name = "child";
    second = aio_create_task_with(note_run, f, &options);
    fx_note(f, "done %d", aio_future_done(second));
    return aio_await(second, NULL);
}

/* What a program makes tasks by. */
static aio_task *note_and_construct(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                                    const aio_task_options *options, void *constructor_arg)
{
    fx_note(constructor_arg, "made %s", options->eager_start == AIO_EAGER_YES ? "eager" : "lazy");
    return aio_task_new(loop, site, fn, arg, options);
}

/* S49; after asyncio's test_eager_task_factory: create_eager_task_factory() */
static void eager_factory_may_have_a_constructor_of_its_own(void **state)
{
    struct fixture *f = *state;
    aio_task_constructor constructor = {note_and_construct, f};
    aio_task *maker = fx_spawn(f, "maker", make_with_the_eager_factory);

    aio_loop_set_task_factory(f->loop, aio_eager_task_factory, &constructor);
    fx_settle(f);
    assert_non_null(strstr(f->trace, "maker made eager"));
    assert_non_null(strstr(f->trace, " runs, maker done 1, maker made lazy, maker done 0"));
    assert_int_equal(aio_future_result(maker, NULL), 0);
}

/* S49 */
static void eager_factory_starts_all_but_those_who_will_not(void **state)
{
    struct fixture *f = *state;
    aio_task *maker = fx_spawn(f, "maker", make_with_the_eager_factory);

    aio_loop_set_task_factory(f->loop, aio_eager_task_factory, NULL);
    fx_settle(f);
    assert_non_null(strstr(f->trace, " runs, maker done 1, maker done 0, child runs"));
    assert_int_equal(aio_future_result(maker, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(task_that_never_waits_is_done_when_the_call_returns),
        FX_TEST_FUTURE(task_that_waits_goes_on_like_any_other),
        FX_TEST_FUTURE(error_of_an_eager_task_is_kept_in_it),
        FX_TEST_FUTURE(system_exit_of_an_eager_task_leaves_the_run),
        FX_TEST_FUTURE(done_callback_of_an_eager_task_is_queued),
        FX_TEST_FUTURE(eager_tasks_nest),
        FX_TEST_FUTURE(task_in_its_eager_step_counts_among_all),
        FX_TEST_FUTURE(eager_task_may_cancel_itself),
        FX_TEST_FUTURE(task_may_start_eagerly_in_a_plain_call),
        FX_TEST_FUTURE(eager_start_of_a_loop_that_does_not_run_is_an_ordinary_one),
        FX_TEST_FUTURE(eager_factory_may_have_a_constructor_of_its_own),
        FX_TEST_FUTURE(eager_factory_starts_all_but_those_who_will_not),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
