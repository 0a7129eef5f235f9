/* SPDX-License-Identifier: MIT */
/*
 * test_task.c - tasks: started, their arguments and results, their names and texts
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <stdio.h>
#include <string.h>

/* --- coroutines ---------------------------------------------------------------------------- */

static int give_argument(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

static int give_nothing(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    fx_note(f, "result at first %s", *ret_result == NULL ? "NULL" : "not NULL");
    return 0;
}

static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "woken", aio_await(f->subject, ret_result));
}

static int raise_key_error(void *arg, void **ret_result)
{
    *ret_result = arg; /* is dropped */
    return aio_raise(AIO_EKEY, "missing");
}

static int give_positive(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 3;
}

/* --- start and end --------------------------------------------------------------------------- */

static int note_run(void *arg, void **ret_result)
{
    (void)ret_result;
    fx_note(arg, "runs");
    return 0;
}

static int make_task(void *arg)
{
    struct fixture *f = arg;

    (void)fx_spawn(f, "A", note_run);
    fx_note(f, "made");
    return 0;
}

/* S28 */
static void task_starts_in_the_next_iteration(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_soon(f->loop, make_task, f, NULL), 0);
    fx_step(f);
    fx_assert_trace(f, "- made");
    fx_step(f);
    fx_assert_trace(f, "A runs");
}

static void task_gives_what_its_coroutine_gave(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) good = aio_loop_create_task(f->loop, give_argument, f, NULL);
    AIO_AUTO(aio_task) bad = aio_loop_create_task(f->loop, raise_key_error, f, NULL);
    AIO_AUTO(aio_task) none = aio_loop_create_task(f->loop, give_nothing, f, NULL);
    AIO_AUTO(aio_task) positive = aio_loop_create_task(f->loop, give_positive, f, NULL);
    aio_exception *error = NULL;
    void *value = NULL;

    assert_int_equal(aio_future_result(good, &value), AIO_EINVALIDSTATE);
    fx_settle(f);
    assert_int_equal(aio_future_result(good, &value), 0);
    assert_ptr_equal(value, f);
    assert_int_equal(aio_future_result(none, &value), 0);
    assert_null(value);
    assert_int_equal(aio_future_result(positive, &value), 0);
    assert_int_equal(aio_future_exception(bad, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EKEY);
    assert_string_equal(aio_exception_message(error), "missing");
    assert_string_equal(aio_exception_function(error), "raise_key_error");
    assert_non_null(strstr(f->trace, "result at first NULL"));
}

static int end_with_old_code(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)aio_raise(AIO_EKEY, "handled long ago");
    return AIO_EVALUE;
}

/* An object counts only for the code it was raised with. */
static void error_raised_with_another_code_does_not_travel(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(f->loop, end_with_old_code, f, NULL);
    aio_exception *error = NULL;

    fx_settle(f);
    assert_int_equal(aio_future_exception(task, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EVALUE);
    assert_null(aio_exception_message(error));
}

static int raise_and_let_others_raise(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int code = aio_raise(AIO_EVALUE, "mine");

    (void)ret_result;
    if (aio_sleep(0) < 0)
        return AIO_ERUNTIME;
    fx_note(f, "%s", aio_error_text(code));
    return 0;
}

/* Each task has the error it raised last for itself. */
static void errors_of_tasks_do_not_mix(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = NULL;

    (void)fx_spawn(f, "A", raise_and_let_others_raise);
    task = aio_loop_create_task(f->loop, raise_key_error, f, NULL);
    (void)aio_raise(AIO_EVALUE, "the thread's");
    fx_settle(f);
    fx_assert_trace(f, "A mine");
    assert_string_equal(aio_error_text(AIO_EVALUE), "the thread's");
    assert_int_equal(aio_future_result(task, NULL), AIO_EKEY);
}

static void task_can_be_dropped_and_still_runs(void **state)
{
    struct fixture *f = *state;

    aio_future_unref(aio_loop_create_task(f->loop, await_subject, f, NULL));
    fx_settle(f);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    assert_non_null(strstr(f->trace, "woken"));
}

/* S28 */
static void outcome_of_a_task_is_its_own(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_subject);
    AIO_AUTO(aio_exception) error = aio_exception_new(AIO_EVALUE, "no");

    assert_int_equal(aio_future_set_result(task, NULL), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME),
                        "Task does not support set_result or set_exception");
    assert_int_equal(aio_future_set_exception(task, error), AIO_ERUNTIME);
    assert_int_equal(aio_future_set_error(task, AIO_EVALUE), AIO_ERUNTIME);
    assert_false(aio_future_done(task));
    assert_true(aio_future_is_task(task));
}

static int await_other(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "got", aio_await(f->other, ret_result));
}

/* S42 */
static void task_cannot_await_itself(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", await_other);

    f->other = task;
    fx_settle(f);
    fx_assert_trace(f, "A got ! RuntimeError");
    assert_int_equal(aio_future_result(task, NULL), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "Task cannot await on itself");
}

/* S29 */
static void awaiting_task_wakes_an_iteration_after_the_awaited_ends(void **state)
{
    struct fixture *f = *state;

    f->other = fx_spawn(f, "A", note_run);
    (void)fx_spawn(f, "B", await_other);
    (void)fx_spawn(f, "tick", fx_tick);
    fx_settle(f);
    fx_assert_trace(f, "A runs, B got, tick 0, tick 1, tick 2");

    f->other = fx_spawn(f, "C", fx_tick);
    (void)fx_spawn(f, "D", await_other);
    (void)fx_spawn(f, "tock", fx_tick);
    fx_settle(f);
    fx_assert_trace(f, "C 0, tock 0, C 1, tock 1, C 2, tock 2, D got");
}

/* --- arguments ------------------------------------------------------------------------------- */

static unsigned argument_ends;
static void *argument_seen;

static void end_argument(void *arg)
{
    argument_ends++;
    argument_seen = arg;
}

struct pair {
    struct fixture *f;
    int number;
};

static int note_number(void *arg, void **ret_result)
{
    struct pair *pair = arg;

    (void)ret_result;
    fx_note(pair->f, "%d", pair->number);
    pair->number = 0; /* its own */
    return 0;
}

static int make_copies(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    (void)ret_result;
    for (int i = 1; i <= 3; i++) {
        struct pair pair = {f, i};

        aio_future_unref(aio_create_task_copy(note_number, &pair, sizeof(pair)));
        pair.number = -1;
    }
    return 0;
}

static void argument_is_copied_with_the_task(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "maker", make_copies);
    fx_settle(f);
    assert_non_null(strstr(f->trace, " 1, "));
    assert_non_null(strstr(f->trace, " 2, "));
    assert_non_null(strstr(f->trace, " 3"));
}

static aio_task *task_with_argument(struct fixture *f, aio_coro_fn fn, void *arg, size_t size)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    argument_ends = 0;
    argument_seen = NULL;
    options.arg_size = size;
    options.arg_destroy = end_argument;
    return aio_loop_create_task(f->loop, fn, arg, &options);
}

static void argument_ends_once_when_the_task_has_run(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = task_with_argument(f, await_subject, f, 0);

    fx_settle(f);
    assert_int_equal(argument_ends, 0);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    assert_int_equal(argument_ends, 1); /* with the coroutine, not with the task */
    assert_ptr_equal(argument_seen, f);
}

/* S30 */
static void argument_of_a_task_that_never_started_ends_too(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = task_with_argument(f, await_subject, f, 0);

    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    assert_true(aio_future_cancelled(task));
    assert_int_equal(argument_ends, 1);
}

static void argument_of_a_cancelled_task_ends_once(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = task_with_argument(f, await_subject, f, 0);

    fx_settle(f);
    assert_true(aio_task_cancel(task, NULL));
    fx_settle(f);
    assert_int_equal(argument_ends, 1);
    assert_true(aio_future_cancelled(task));
}

static void argument_of_a_failed_task_ends_once(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = task_with_argument(f, raise_key_error, f, 0);

    fx_settle(f);
    assert_int_equal(argument_ends, 1);
    assert_int_equal(aio_future_result(task, NULL), AIO_EKEY);
}

static void argument_of_a_task_that_cannot_be_made_ends(void **state)
{
    struct fixture *f = *state;

    assert_null(task_with_argument(f, NULL, f, 0));
    assert_int_equal(argument_ends, 1);
    assert_ptr_equal(argument_seen, f);
}

static void argument_of_a_task_whose_loop_is_closed_ends(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) started = task_with_argument(f, await_subject, f, 0);
    AIO_AUTO(aio_task) unstarted = NULL;

    fx_settle(f);
    unstarted = task_with_argument(f, await_subject, f, 0);
    aio_loop_set_exception_handler(f->loop, NULL, NULL);
    assert_int_equal(aio_loop_close(f->loop), 0);
    assert_int_equal(argument_ends, 2);
    assert_true(aio_future_done(started));
    assert_true(aio_future_cancelled(unstarted));
}

static int note_alignment(void *arg, void **ret_result)
{
    (void)ret_result;
    *(uintptr_t *)arg = (uintptr_t)arg % _Alignof(max_align_t);
    argument_ends += *(uintptr_t *)arg == 0 ? 10 : 0;
    return 0;
}

static void copy_of_an_argument_is_aligned_and_what_ends(void **state)
{
    struct fixture *f = *state;
    uintptr_t number = 5;
    AIO_AUTO(aio_task) task = task_with_argument(f, note_alignment, &number, sizeof(number));

    fx_settle(f);
    assert_int_equal(argument_ends, 11);
    assert_ptr_not_equal(argument_seen, &number);
    assert_int_equal(number, 5);
}

/* --- results --------------------------------------------------------------------------------- */

static unsigned result_ends;

static void end_result(void *value)
{
    assert_non_null(value);
    result_ends++;
}

static const aio_type counted = {.destroy = end_result};

static int cancel_self_and_give(void *arg, void **ret_result)
{
    (void)aio_task_cancel(aio_current_task(NULL), "too late");
    *ret_result = arg;
    return 0;
}

static aio_task *task_with_result(struct fixture *f, aio_coro_fn fn)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    result_ends = 0;
    options.result_type = &counted;
    return aio_loop_create_task(f->loop, fn, f, &options);
}

static void result_with_a_type_ends_with_its_task(void **state)
{
    struct fixture *f = *state;
    aio_task *task = task_with_result(f, give_argument);

    fx_settle(f);
    assert_int_equal(result_ends, 0);
    aio_future_unref(task);
    assert_int_equal(result_ends, 1);
}

/* S33 */
static void result_that_a_late_cancellation_drops_ends_at_once(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = task_with_result(f, cancel_self_and_give);

    fx_settle(f);
    assert_int_equal(result_ends, 1);
    assert_true(aio_future_cancelled(task));
    assert_int_equal(aio_future_result(task, NULL), AIO_ECANCELLED);
    assert_string_equal(aio_error_text(AIO_ECANCELLED), "too late");
}

static int fail_after_result(void *arg, void **ret_result)
{
    *ret_result = NULL; /* nothing is given with an error */
    (void)arg;
    return AIO_EKEY;
}

static void task_that_fails_has_no_result_to_end(void **state)
{
    struct fixture *f = *state;
    aio_task *task = task_with_result(f, fail_after_result);

    fx_settle(f);
    assert_int_equal(aio_future_result(task, NULL), AIO_EKEY);
    aio_future_unref(task);
    assert_int_equal(result_ends, 0);
}

/* --- stacks ---------------------------------------------------------------------------------- */

static __attribute__((noinline)) unsigned use(size_t bytes)
{
    volatile char *memory = __builtin_alloca(bytes);
    unsigned sum = 0;

    for (size_t i = 0; i < bytes; i += 512)
        memory[i] = (char)i;
    for (size_t i = 0; i < bytes; i += 512)
        sum += (unsigned char)memory[i];
    return sum;
}

static int use_much_stack(void *arg, void **ret_result)
{
    (void)ret_result;
    fx_note(arg, "sum %u", use((size_t)700 << 10));
    return aio_sleep(0);
}

static void task_may_have_a_stack_of_its_own_size(void **state)
{
    struct fixture *f = *state;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_task) task = NULL;

    options.stack_size = (size_t)1 << 20;
    options.name = "deep";
    task = aio_loop_create_task(f->loop, use_much_stack, f, &options);
    fx_settle(f);
    assert_int_equal(aio_future_result(task, NULL), 0);
    assert_memory_equal(f->trace, "deep sum ", 9);
}

static void stack_of_an_impossible_size_fails_the_task_or_its_making(void **state)
{
    struct fixture *f = *state;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    AIO_AUTO(aio_task) task = NULL;

    options.stack_size = SIZE_MAX;
    assert_null(aio_loop_create_task(f->loop, give_argument, f, &options));
    assert_int_equal(aio_await(NULL, NULL), AIO_EVALUE);

    options.stack_size = (size_t)2 << 30;
    task = aio_loop_create_task(f->loop, give_argument, f, &options);
    fx_settle(f);
    if (task != NULL)
        assert_int_equal(aio_future_result(task, NULL), AIO_EVALUE);
}

/* --- names ----------------------------------------------------------------------------------- */

/* S44; after asyncio's test_tasks.BaseTaskTests.test_task_set_name_pre_and_post_init */
static void task_is_named_by_its_maker_or_numbered(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) first = aio_loop_create_task(f->loop, give_argument, f, NULL);
    AIO_AUTO(aio_task) named = NULL;
    AIO_AUTO(aio_task) second = NULL;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    char name[] = "my task";
    unsigned number = 0;
    unsigned next = 0;

    options.name = name;
    named = aio_loop_create_task(f->loop, give_argument, f, &options);
    name[0] = 'X'; /* it was copied */
    second = aio_loop_create_task(f->loop, give_argument, f, NULL);
    assert_string_equal(aio_task_get_name(named), "my task");
    assert_int_equal(sscanf(aio_task_get_name(first), "Task-%u", &number), 1);
    assert_int_equal(sscanf(aio_task_get_name(second), "Task-%u", &next), 1);
    assert_int_equal(next, number + 1); /* a name given uses up no number */

    assert_int_equal(aio_task_set_name(named, "another"), 0);
    assert_string_equal(aio_task_get_name(named), "another");
    assert_int_equal(aio_task_set_name(first, ""), 0);
    assert_string_equal(aio_task_get_name(first), "");
    fx_settle(f);
    assert_string_equal(aio_task_get_name(named), "another");
}

static void only_tasks_have_names(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(aio_task_get_name(f->subject), "");
    assert_string_equal(aio_task_get_name(NULL), "");
    assert_int_equal(aio_task_set_name(f->subject, "x"), AIO_ETYPE);
    assert_int_equal(aio_task_set_name(NULL, "x"), AIO_ETYPE);
    assert_int_equal(aio_task_set_name(fx_spawn(f, "A", give_argument), NULL), AIO_EVALUE);
}

/* --- as text --------------------------------------------------------------------------------- */

static void assert_text(const aio_task *task, const char *expected)
{
    char text[256];

    assert_int_equal(aio_future_format(task, text, sizeof(text)), strlen(expected));
    assert_string_equal(text, expected);
}

static aio_task *make(struct fixture *f, aio_coro_fn fn, const char *coroutine)
{
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.name = "T";
    options.result_type = &aio_type_string;
    return aio_loop_create_task_at(aio_site_make(coroutine, "main.c", 12), f->loop, fn, f,
                                   &options);
}

static int give_text(void *arg, void **ret_result)
{
    static char text[] = "x";

    (void)arg;
    *ret_result = text;
    return 0;
}

/* After asyncio's test_tasks.BaseTaskTests.test_task_repr */
static void task_prints_state_name_and_coroutine(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) waiting = make(f, await_subject, "await_subject");
    AIO_AUTO(aio_task) good = make(f, give_text, "give_text");
    AIO_AUTO(aio_task) bad = make(f, raise_key_error, NULL);

    assert_text(good, "<Task pending name='T' coro=<give_text() running at main.c:12>>");
    fx_settle(f);
    assert_text(waiting, "<Task pending name='T' coro=<await_subject() running at main.c:12> "
                         "wait_for=<Future>>");
    assert_text(good, "<Task finished name='T' coro=<give_text() done, defined at main.c:12> "
                      "result='x'>");
    assert_text(bad, "<Task finished name='T' coro=<?() done, defined at main.c:12> "
                     "exception=KeyError('missing')>");
    assert_int_equal(aio_future_result(bad, NULL), AIO_EKEY);
    assert_true(aio_task_cancel(waiting, NULL));
    assert_text(waiting, "<Task cancelling name='T' coro=<await_subject() running at main.c:12> "
                         "wait_for=<Future>>");
    fx_settle(f);
    assert_text(waiting, "<Task cancelled name='T' coro=<await_subject() done, defined at "
                         "main.c:12>>");
}

static void macros_note_the_coroutine_and_the_place(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(f->loop, give_argument, f, NULL);
    char text[256];
    char place[128];

    (void)aio_future_format(task, text, sizeof(text));
    (void)snprintf(place, sizeof(place), "coro=<give_argument() running at %s:%d>", __FILE__,
                   __LINE__ - 6);
    assert_non_null(strstr(text, place));
}

/* --- which there are --------------------------------------------------------------------------- */

static int note_current(void *arg)
{
    struct fixture *f = arg;
    aio_task *task = aio_current_task(NULL);

    fx_note(f, "current %s", task == NULL ? "none" : aio_task_get_name(task));
    return 0;
}

static int note_current_in_task(void *arg, void **ret_result)
{
    (void)ret_result;
    (void)note_current(arg);
    if (aio_sleep(0) < 0)
        return AIO_ECANCELLED;
    return note_current(arg);
}

/* S43 */
static void current_task_is_known_in_tasks_only(void **state)
{
    struct fixture *f = *state;

    assert_null(aio_current_task(NULL));
    assert_string_equal(aio_error_text(AIO_ENOLOOP), "no running event loop");
    assert_null(aio_current_task(f->loop));
    (void)fx_spawn(f, "A", note_current_in_task);
    (void)fx_spawn(f, "B", note_current_in_task);
    assert_int_equal(aio_loop_call_soon(f->loop, note_current, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "A current A, B current B, - current none, A current A, B current B");
    assert_null(aio_current_task(f->loop));
}

static void note_all(struct fixture *f, aio_loop *loop)
{
    aio_task **tasks = NULL;
    size_t count = 99;

    if (fx_note_code(f, "all", aio_all_tasks(loop, &tasks, &count)) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        fx_note(f, "%s", aio_task_get_name(tasks[i]));
    aio_task_list_free(tasks, count);
}

static int note_all_in_task(void *arg, void **ret_result)
{
    (void)ret_result;
    note_all(arg, NULL);
    return 0;
}

/* S43 */
static void all_tasks_are_those_not_done_in_the_order_made(void **state)
{
    struct fixture *f = *state;
    aio_task **tasks = NULL;
    size_t count = 99;

    assert_int_equal(aio_all_tasks(f->loop, &tasks, &count), 0);
    assert_null(tasks);
    assert_int_equal(count, 0);
    aio_task_list_free(tasks, count);
    assert_int_equal(aio_all_tasks(NULL, &tasks, &count), AIO_ENOLOOP);

    (void)fx_spawn(f, "gone", give_argument);
    (void)fx_spawn(f, "waits", await_subject);
    (void)fx_spawn(f, "asks", note_all_in_task);
    (void)fx_spawn(f, "new", await_subject);
    fx_settle(f);
    fx_assert_trace(f, "asks all, asks waits, asks asks, asks new");
    note_all(f, f->loop);
    fx_assert_trace(f, "- all, - waits, - new");
}

static void task_tells_its_coroutine(void **state)
{
    struct fixture *f = *state;
    aio_task *task = fx_spawn(f, "A", give_argument);

    assert_ptr_equal(aio_task_get_coro(task), give_argument);
    fx_settle(f);
    assert_ptr_equal(aio_task_get_coro(task), give_argument);
    assert_null(aio_task_get_coro(f->subject));
    assert_null(aio_task_get_coro(NULL));
}

/* --- contexts ---------------------------------------------------------------------------------- */

static aio_contextvar *variable;
static char set_by_task[] = "set by the task", set_outside[] = "set outside";

static void note_variable(struct fixture *f)
{
    void *value = NULL;

    (void)aio_contextvar_get(variable, &value);
    fx_note(f, "%s", value == NULL ? "unset" : (const char *)value);
}

static int set_and_sleep(void *arg, void **ret_result)
{
    (void)ret_result;
    note_variable(arg);
    if (aio_contextvar_set(variable, set_by_task, NULL) < 0 || aio_sleep(0) < 0)
        return AIO_ERUNTIME;
    note_variable(arg);
    return 0;
}

static int make_task_in_context(void *arg)
{
    struct fixture *f = arg;

    if (aio_contextvar_set(variable, set_outside, NULL) < 0)
        return AIO_ENOMEM;
    (void)fx_spawn(f, "A", set_and_sleep);
    note_variable(f);
    return 0;
}

/* S51, S52 */
static void task_runs_in_a_copy_of_its_makers_context(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_context) context = aio_context_new();
    void *value = NULL;

    variable = aio_contextvar_new("variable", NULL);
    assert_int_equal(aio_context_run(context, make_task_in_context, f), 0);
    fx_settle(f);
    fx_assert_trace(f, "- set outside, A set outside, A set by the task");
    assert_true(aio_context_get(context, variable, &value));
    assert_ptr_equal(value, set_outside);
    assert_true(aio_context_get(aio_task_get_context(f->tasks[0]), variable, &value));
    assert_ptr_equal(value, set_by_task);
    aio_contextvar_unref(variable);
}

/* S51 */
static void task_may_be_given_a_context_which_is_shared(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_context) context = aio_context_new();
    AIO_AUTO(aio_task) task = NULL;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;
    void *value = NULL;

    variable = aio_contextvar_new("variable", NULL);
    options.context = context;
    options.name = "A";
    task = aio_loop_create_task(f->loop, set_and_sleep, f, &options);
    assert_ptr_equal(aio_task_get_context(task), context);
    fx_settle(f);
    fx_assert_trace(f, "A unset, A set by the task");
    assert_true(aio_context_get(context, variable, &value));
    assert_ptr_equal(value, set_by_task);
    assert_null(aio_task_get_context(f->subject));
    assert_null(aio_task_get_context(NULL));
    aio_contextvar_unref(variable);
}

/* --- misuse ------------------------------------------------------------------------------------ */

static void task_cannot_be_made_without_loop_or_coroutine(void **state)
{
    struct fixture *f = *state;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    assert_null(aio_create_task(give_argument, f));
    assert_int_equal(aio_await(NULL, NULL), AIO_ENOLOOP);
    assert_null(aio_create_task_copy(give_argument, f, 1));
    assert_null(aio_create_task_with(give_argument, f, NULL));
    assert_null(aio_loop_create_task(NULL, give_argument, f, NULL));
    assert_null(aio_loop_create_task(f->loop, NULL, f, NULL));
    assert_int_equal(aio_await(NULL, NULL), AIO_EVALUE);
    options.size--;
    assert_null(aio_loop_create_task(f->loop, give_argument, f, &options));
    assert_int_equal(aio_await(NULL, NULL), AIO_EVALUE);
    options = (aio_task_options)AIO_TASK_OPTIONS_INIT;
    options.arg_size = 4;
    assert_null(aio_loop_create_task(f->loop, give_argument, NULL, &options));
    options.arg_size = SIZE_MAX;
    assert_null(aio_loop_create_task(f->loop, give_argument, f, &options));
    assert_int_equal(aio_await(NULL, NULL), AIO_ENOMEM);
    fx_settle(f);
}

static int sleep_wrongly(void *arg)
{
    (void)fx_note_code(arg, "sleep", aio_sleep(0));
    (void)fx_note_code(arg, "long sleep", aio_sleep(1));
    return 0;
}

static int sleep_for_no_number(void *arg, void **ret_result)
{
    (void)ret_result;
    (void)fx_note_code(arg, "sleep", aio_sleep(__builtin_nan("")));
    return 0;
}

/* S45 */
static void sleep_needs_a_task_and_a_number(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_sleep(0), AIO_ENOTASK);
    assert_int_equal(aio_loop_call_soon(f->loop, sleep_wrongly, f, NULL), 0);
    (void)fx_spawn(f, "A", sleep_for_no_number);
    fx_settle(f);
    fx_assert_trace(f, "- sleep ! RuntimeError, - long sleep ! RuntimeError, A sleep ! ValueError");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(task_starts_in_the_next_iteration),
        FX_TEST_FUTURE(task_gives_what_its_coroutine_gave),
        FX_TEST_FUTURE(error_raised_with_another_code_does_not_travel),
        FX_TEST_FUTURE(errors_of_tasks_do_not_mix),
        FX_TEST_FUTURE(task_can_be_dropped_and_still_runs),
        FX_TEST_FUTURE(outcome_of_a_task_is_its_own),
        FX_TEST_FUTURE(task_cannot_await_itself),
        FX_TEST_FUTURE(awaiting_task_wakes_an_iteration_after_the_awaited_ends),
        FX_TEST_FUTURE(argument_is_copied_with_the_task),
        FX_TEST_FUTURE(argument_ends_once_when_the_task_has_run),
        FX_TEST_FUTURE(argument_of_a_task_that_never_started_ends_too),
        FX_TEST_FUTURE(argument_of_a_cancelled_task_ends_once),
        FX_TEST_FUTURE(argument_of_a_failed_task_ends_once),
        FX_TEST_FUTURE(argument_of_a_task_that_cannot_be_made_ends),
        FX_TEST_FUTURE(argument_of_a_task_whose_loop_is_closed_ends),
        FX_TEST_FUTURE(copy_of_an_argument_is_aligned_and_what_ends),
        FX_TEST_FUTURE(result_with_a_type_ends_with_its_task),
        FX_TEST_FUTURE(result_that_a_late_cancellation_drops_ends_at_once),
        FX_TEST_FUTURE(task_that_fails_has_no_result_to_end),
        FX_TEST_FUTURE(task_may_have_a_stack_of_its_own_size),
        FX_TEST_FUTURE(stack_of_an_impossible_size_fails_the_task_or_its_making),
        FX_TEST_FUTURE(task_is_named_by_its_maker_or_numbered),
        FX_TEST_FUTURE(only_tasks_have_names),
        FX_TEST_FUTURE(task_prints_state_name_and_coroutine),
        FX_TEST_FUTURE(macros_note_the_coroutine_and_the_place),
        FX_TEST_FUTURE(current_task_is_known_in_tasks_only),
        FX_TEST_FUTURE(all_tasks_are_those_not_done_in_the_order_made),
        FX_TEST_FUTURE(task_tells_its_coroutine),
        FX_TEST_FUTURE(task_runs_in_a_copy_of_its_makers_context),
        FX_TEST_FUTURE(task_may_be_given_a_context_which_is_shared),
        FX_TEST_FUTURE(task_cannot_be_made_without_loop_or_coroutine),
        FX_TEST_FUTURE(sleep_needs_a_task_and_a_number),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
