/* SPDX-License-Identifier: MIT */
/*
 * test_taskgroup.c - tasks that end before the block that made them
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <stdio.h>
#include <string.h>

/* What the parent's body does between enter and exit. */
static int (*body)(struct fixture *f, aio_taskgroup *group);

/* The error that came out of a block, as "code: members". */
static void note_outcome(struct fixture *f, int code)
{
    aio_exception *error = code < 0 ? aio_error_catch(code) : NULL;
    char text[200];
    int length = snprintf(text, sizeof(text), "left%s%s", code < 0 ? " ! " : "",
                          code < 0 ? aio_error_name(code) : "");

    for (size_t i = 0; i < aio_exception_member_count(error); i++)
        length += snprintf(text + length, sizeof(text) - (size_t)length, " %s",
                           aio_error_name(aio_exception_code(aio_exception_member(error, i))));
    fx_note(f, "%s", text);
    if (error != NULL)
        (void)aio_raise_exception(error);
    aio_exception_unref(error);
}

static int parent(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    (void)ret_result;
    if (err < 0)
        return fx_note_code(f, "entered", err);
    f->subject = group;
    err = aio_taskgroup_exit(group, body(f, group));
    note_outcome(f, err);
    fx_note(f, "cancelling %u", aio_task_cancelling(aio_current_task(NULL)));
    return err;
}

static aio_task *run(struct fixture *f, int (*fn)(struct fixture *f, aio_taskgroup *group))
{
    aio_task *task;

    body = fn;
    task = fx_spawn(f, "P", parent);
    fx_settle(f);
    return task;
}

static int start(struct fixture *f, aio_taskgroup *group, const char *name, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_task) task = NULL;

    options.name = name;
    task = aio_taskgroup_create_task_with(group, fn, f, &options);
    return task == NULL ? aio_last_failure() : 0;
}

static int sleep_one(void *arg, void **ret_result)
{
    (void)ret_result;
    return fx_note_code(arg, "slept", aio_sleep(1));
}

static int sleep_long(void *arg, void **ret_result)
{
    (void)ret_result;
    return fx_note_code(arg, "slept", aio_sleep(10));
}

static int fail_soon(void *arg, void **ret_result)
{
    int err = aio_sleep(0.5);

    (void)arg;
    (void)ret_result;
    return err < 0 ? err : aio_raise(AIO_EKEY, "nothing");
}

static int fail_while_dying(void *arg, void **ret_result)
{
    int err = fx_note_code(arg, "slept", aio_sleep(10));

    (void)ret_result;
    (void)aio_sleep(1);
    return err < 0 ? aio_raise(AIO_EVALUE, "died badly") : 0;
}

static int exit_system(void *arg, void **ret_result)
{
    int err = aio_sleep(0.5);

    (void)arg;
    (void)ret_result;
    return err < 0 ? err : AIO_ESYSTEMEXIT;
}

static int end_cancelled(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return AIO_ECANCELLED;
}

/* --- ending well ------------------------------------------------------------------------ */

static int start_two(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", sleep_one);

    if (err == 0)
        err = start(f, group, "B", sleep_long);
    fx_note(f, "body ends");
    return err;
}

/* S80; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_01 */
static void taskgroup_waits_for_all_its_children(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_two);
    fx_assert_trace(f, "P body ends, A slept, B slept, P left, P cancelling 0");
}

static int start_nothing(struct fixture *f, aio_taskgroup *group)
{
    (void)f;
    (void)group;
    return 0;
}

static void taskgroup_without_children_ends_with_its_body(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_nothing);
    fx_assert_trace(f, "P left, P cancelling 0");
}

static int add_sibling(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_sleep(1);

    (void)ret_result;
    if (err == 0)
        err = start(f, f->subject, "sibling", sleep_one);
    return fx_note_code(f, "added", err);
}

static int start_one_that_adds(struct fixture *f, aio_taskgroup *group)
{
    return start(f, group, "A", add_sibling);
}

/* S85; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_task_context and _children */
static void taskgroup_takes_children_of_children_while_it_waits(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_one_that_adds);
    fx_assert_trace(f, "A added, sibling slept, P left, P cancelling 0");
}

/* --- errors ----------------------------------------------------------------------------- */

static int start_a_failing_one_and_wait(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", sleep_long);

    if (err == 0)
        err = start(f, group, "B", fail_soon);
    return err < 0 ? err : fx_note_code(f, "body slept", aio_sleep(10));
}

/* S79; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_02, _03 */
static void taskgroup_cancels_children_and_body_when_a_child_fails(void **state)
{
    struct fixture *f = *state;
    aio_task *task = run(f, start_a_failing_one_and_wait);

    fx_assert_trace(f, "A slept ! CancelledError, P body slept ! CancelledError, "
                       "P left ! ExceptionGroup KeyError, P cancelling 0");
    assert_int_equal(aio_future_result(task, NULL), AIO_EGROUP);
    assert_false(aio_future_cancelled(task));
}

static int start_a_failing_one(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", sleep_long);

    return err < 0 ? err : start(f, group, "B", fail_soon);
}

/* S79: in exit the parent is not cancelled, and has nothing to take back. */
static void taskgroup_that_waits_already_is_not_cancelled_by_a_child(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_a_failing_one);
    fx_assert_trace(f, "A slept ! CancelledError, P left ! ExceptionGroup KeyError, "
                       "P cancelling 0");
}

static int start_a_bad_loser(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", fail_while_dying);

    if (err == 0)
        err = start(f, group, "B", fail_soon);
    if (err == 0)
        err = aio_sleep(0);
    return err < 0 ? err : aio_raise(AIO_EINDEX, "the body's own");
}

/* S80; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_04, _14 */
static void taskgroup_collects_errors_in_the_order_of_their_ends_and_the_bodys_last(void **state)
{
    struct fixture *f = *state;
    aio_task *task = run(f, start_a_bad_loser);

    fx_assert_trace(f, "A slept ! CancelledError, "
                       "P left ! ExceptionGroup ValueError IndexError, P cancelling 0");
    assert_int_equal(aio_future_result(task, NULL), AIO_EGROUP);
}

static int start_cancelled_ones(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", end_cancelled);

    return err < 0 ? err : start(f, group, "B", sleep_one);
}

/* S81; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_08 */
static void taskgroup_does_not_mind_a_child_that_is_cancelled(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_cancelled_ones);
    fx_assert_trace(f, "B slept, P left, P cancelling 0");
}

static int start_one_and_end_cancelled(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", sleep_long);

    if (err == 0)
        err = aio_sleep(0);
    return err < 0 ? err : aio_raise(AIO_ECANCELLED, "of its own");
}

/* S82 */
static void taskgroup_whose_body_is_cancelled_gives_that_cancellation(void **state)
{
    struct fixture *f = *state;
    aio_task *task = run(f, start_one_and_end_cancelled);

    fx_assert_trace(f, "A slept ! CancelledError, P left ! CancelledError, P cancelling 0");
    assert_int_equal(aio_future_result(task, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "of its own");
}

static int start_a_bad_loser_and_end_cancelled(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", fail_while_dying);

    if (err == 0)
        err = aio_sleep(0);
    return err < 0 ? err : AIO_ECANCELLED;
}

/* S82 */
static void taskgroup_error_of_a_child_goes_before_the_cancellation_of_the_body(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_a_bad_loser_and_end_cancelled);
    fx_assert_trace(f, "A slept ! CancelledError, P left ! ExceptionGroup ValueError, "
                       "P cancelling 0");
}

static int cancel_it(void *arg)
{
    (void)aio_task_cancel(arg, NULL);
    return 0;
}

static int wait_after_group(void *arg, void **ret_result)
{
    int err = parent(arg, ret_result);

    (void)err;
    return fx_note_code(arg, "next wait", aio_sleep(1));
}

static int start_a_bad_loser_only(struct fixture *f, aio_taskgroup *group)
{
    return start(f, group, "A", fail_while_dying);
}

/* S83; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_21, cancelling_... */
static void taskgroup_with_errors_delivers_a_foreign_cancellation_at_the_next_wait(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    body = start_a_bad_loser_only;
    task = fx_spawn(f, "P", wait_after_group);
    assert_int_equal(aio_loop_call_later(f->loop, 0.5, cancel_it, task, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "A slept ! CancelledError, P left ! ExceptionGroup ValueError, "
                       "P cancelling 1, P next wait ! CancelledError");
}

static int start_system_exit(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", sleep_long);

    if (err == 0)
        err = start(f, group, "B", exit_system);
    return err < 0 ? err : aio_sleep(10);
}

/* S84, S88; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_31 */
static void taskgroup_gives_system_exit_of_a_child_alone(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    body = start_system_exit;
    task = fx_spawn(f, "P", parent);
    /* It leaves the run call, too; run again for the rest. */
    for (int i = 0; i < 4; i++)
        fx_settle(f);
    /* It comes out before the group takes its own request to cancel the parent back. */
    fx_assert_trace(f, "A slept ! CancelledError, P left ! SystemExit, P cancelling 1");
    assert_int_equal(aio_future_result(task, NULL), AIO_ESYSTEMEXIT);
}

static int raise_interrupt(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", sleep_long);

    if (err == 0)
        err = aio_sleep(0);
    return err < 0 ? err : AIO_EKEYBOARDINTERRUPT;
}

/* S40, S84 */
static void taskgroup_gives_keyboard_interrupt_of_its_body_alone(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    body = raise_interrupt;
    task = fx_spawn(f, "P", parent);
    for (int i = 0; i < 4; i++)
        fx_settle(f);
    fx_assert_trace(f, "A slept ! CancelledError, P left ! KeyboardInterrupt, P cancelling 0");
    assert_int_equal(aio_future_result(task, NULL), AIO_EKEYBOARDINTERRUPT);
}

/* S86; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_13, _16 */
static void taskgroup_that_is_cancelled_again_and_again_waits_all_the_same(void **state)
{
    struct fixture *f = *state;
    aio_task *task;

    body = start_a_bad_loser_only;
    task = fx_spawn(f, "P", parent);
    for (double when = 0.5; when < 1.5; when += 0.25)
        assert_int_equal(aio_loop_call_later(f->loop, when, cancel_it, task, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "A slept ! CancelledError, P left ! ExceptionGroup ValueError, "
                       "P cancelling 4");
}

static int start_eager(struct fixture *f, aio_taskgroup *group)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_task) task = NULL;

    options.name = "E";
    options.eager_start = AIO_EAGER_YES;
    task = aio_taskgroup_create_task_with(group, end_cancelled, f, &options);
    fx_note(f, "done %d", aio_future_done(task));
    return 0;
}

static void taskgroup_takes_children_that_end_eagerly(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_eager);
    fx_assert_trace(f, "P done 1, P left, P cancelling 0");
}

static int fail_at_once(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return aio_raise(AIO_EKEY, "at once");
}

static int go_on_after_eager_failure(struct fixture *f, aio_taskgroup *group)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_task) task = NULL;

    options.eager_start = AIO_EAGER_YES;
    task = aio_taskgroup_create_task_with(group, fail_at_once, f, &options);
    fx_note(f, "goes on");
    return fx_note_code(f, "waits", aio_sleep(5));
}

/* S50 */
static void taskgroup_child_that_fails_eagerly_is_heard_of_when_the_parent_waits(void **state)
{
    struct fixture *f = *state;

    (void)run(f, go_on_after_eager_failure);
    fx_assert_trace(f, "P goes on, P waits ! CancelledError, P left ! ExceptionGroup KeyError, "
                       "P cancelling 0");
}

/* --- coroutine objects ------------------------------------------------------------------ */

static int start_objects(struct fixture *f, aio_taskgroup *group)
{
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(sleep_one, f, NULL);
    int err = aio_taskgroup_start_coroutine(group, coro);

    fx_note(f, "task %d", aio_future_is_task(coro));
    (void)aio_task_set_name(coro, "C");
    return err;
}

/* asyncio: tg.create_task(coro) */
static void taskgroup_starts_a_coroutine_object_in_place(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_objects);
    fx_assert_trace(f, "P task 1, C slept, P left, P cancelling 0");
}

static int start_failing_object(struct fixture *f, aio_taskgroup *group)
{
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(fail_soon, f, NULL);

    return aio_taskgroup_start_coroutine(group, coro);
}

static void taskgroup_hears_of_a_coroutine_object_that_fails(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_failing_object);
    fx_assert_trace(f, "P left ! ExceptionGroup KeyError, P cancelling 0");
}

static int start_what_is_no_coroutine(struct fixture *f, aio_taskgroup *group)
{
    AIO_AUTO(aio_coroutine) used = aio_coroutine_new(sleep_one, f, NULL);
    AIO_AUTO(aio_future) fut = aio_future_new(f->loop);

    (void)aio_coroutine_close(used);
    (void)fx_note_code(f, "future", aio_taskgroup_start_coroutine(group, fut));
    (void)fx_note_code(f, "used", aio_taskgroup_start_coroutine(group, used));
    return 0;
}

static void taskgroup_starts_unused_coroutine_objects_only(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_what_is_no_coroutine);
    fx_assert_trace(f, "P future ! TypeError, P used ! RuntimeError, P left, P cancelling 0");
}

/* --- when it takes none ----------------------------------------------------------------- */

static int try_all(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    AIO_AUTO(aio_coroutine) coro = aio_coroutine_new(sleep_one, f, NULL);
    int err;

    (void)ret_result;
    (void)fx_note_code(f, "before", aio_taskgroup_start(group, sleep_one, f));
    (void)fx_note_code(f, "left", aio_taskgroup_exit(group, 0));
    err = aio_taskgroup_enter(group);
    (void)fx_note_code(f, "twice", aio_taskgroup_enter(group));
    err = aio_taskgroup_exit(group, err);
    (void)fx_note_code(f, "after", aio_taskgroup_start_coroutine(group, coro));
    fx_note(f, "%s", aio_coroutine_state_name(aio_coroutine_get_state(coro)));
    (void)fx_note_code(f, "again", aio_taskgroup_enter(group));
    return err;
}

/* S85, S87; after asyncio's test_taskgroups.TestTaskGroup.test_taskgroup_19, _20,
 * test_coro_closed_when_tg_closed */
static void taskgroup_takes_children_inside_its_block_only_and_closes_what_it_refuses(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "P", try_all);

    fx_settle(f);
    fx_assert_trace(f, "P before ! RuntimeError, P left ! RuntimeError, P twice ! RuntimeError, "
                       "P after ! RuntimeError, P CORO_CLOSED, P again ! RuntimeError");
    assert_int_equal(aio_future_result(task, NULL), 0);
}

static int add_while_aborting(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_sleep(10);

    (void)ret_result;
    (void)fx_note_code(f, "added", aio_taskgroup_start(f->subject, sleep_one, f));
    fx_note(f, "%s", aio_error_text(AIO_ERUNTIME));
    return err;
}

static int start_late_adder(struct fixture *f, aio_taskgroup *group)
{
    int err = start(f, group, "A", add_while_aborting);

    return err < 0 ? err : start(f, group, "B", fail_soon);
}

/* S85 */
static void taskgroup_that_shuts_down_takes_no_more_children(void **state)
{
    struct fixture *f = *state;

    (void)run(f, start_late_adder);
    fx_assert_trace(f, "A added ! RuntimeError, A TaskGroup is shutting down, "
                       "P left ! ExceptionGroup KeyError, P cancelling 0");
}

static int enter_in_callback(void *arg)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();

    (void)fx_note_code(f, "entered", aio_taskgroup_enter(group));
    fx_note(f, "%s", aio_error_text(AIO_ENOTASK));
    return 0;
}

/* S87 */
static void taskgroup_needs_a_task(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_soon(f->loop, enter_in_callback, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- entered ! RuntimeError, - TaskGroup cannot determine the parent task");
}

static int return_inside(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    (void)ret_result;
    return err < 0 ? err : start(f, group, "A", sleep_long);
}

/* Python cannot write this. */
static void taskgroup_that_a_coroutine_forgets_to_leave_is_left_as_by_an_error(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "P", return_inside);
    aio_exception *error = NULL;

    fx_settle(f);
    fx_assert_trace(f, ""); /* A is cancelled before it begins */
    assert_true(aio_future_done(task));
    assert_int_equal(aio_future_exception(task, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EGROUP);
    assert_int_equal(aio_exception_code(aio_exception_member(error, 0)), AIO_ERUNTIME);
    assert_string_not_equal(aio_exception_message(aio_exception_member(error, 0)), "");
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    (void)arg;
    if (!fx_open(&f))
        return;
    body = start_a_bad_loser;
    (void)fx_spawn(&f, "P", parent);
    fx_settle(&f);
    fx_close(&f);
}

static void taskgroups_survive_every_shortage_of_memory(void **state)
{
    (void)state;
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        FX_TEST(taskgroup_waits_for_all_its_children),
        FX_TEST(taskgroup_without_children_ends_with_its_body),
        FX_TEST(taskgroup_takes_children_of_children_while_it_waits),
        FX_TEST(taskgroup_cancels_children_and_body_when_a_child_fails),
        FX_TEST(taskgroup_that_waits_already_is_not_cancelled_by_a_child),
        FX_TEST(taskgroup_collects_errors_in_the_order_of_their_ends_and_the_bodys_last),
        FX_TEST(taskgroup_does_not_mind_a_child_that_is_cancelled),
        FX_TEST(taskgroup_whose_body_is_cancelled_gives_that_cancellation),
        FX_TEST(taskgroup_error_of_a_child_goes_before_the_cancellation_of_the_body),
        FX_TEST(taskgroup_with_errors_delivers_a_foreign_cancellation_at_the_next_wait),
        FX_TEST(taskgroup_gives_system_exit_of_a_child_alone),
        FX_TEST(taskgroup_gives_keyboard_interrupt_of_its_body_alone),
        FX_TEST(taskgroup_that_is_cancelled_again_and_again_waits_all_the_same),
        FX_TEST(taskgroup_takes_children_that_end_eagerly),
        FX_TEST(taskgroup_child_that_fails_eagerly_is_heard_of_when_the_parent_waits),
        FX_TEST(taskgroup_starts_a_coroutine_object_in_place),
        FX_TEST(taskgroup_hears_of_a_coroutine_object_that_fails),
        FX_TEST(taskgroup_starts_unused_coroutine_objects_only),
        FX_TEST(taskgroup_takes_children_inside_its_block_only_and_closes_what_it_refuses),
        FX_TEST(taskgroup_that_shuts_down_takes_no_more_children),
        FX_TEST(taskgroup_needs_a_task),
        FX_TEST(taskgroup_that_a_coroutine_forgets_to_leave_is_left_as_by_an_error),
        FX_TEST(taskgroups_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
