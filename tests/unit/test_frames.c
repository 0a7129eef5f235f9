/* SPDX-License-Identifier: MIT */
/*
 * test_frames.c - the calls that a task is in the middle of
 */
#include "support/fixture.h"

#include "base/backtrace.h"
#include "task/stacks.h"

#include <aio/aio.h>
#include <aio/stack.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

/* The functions that a test looks for stay calls, and their callers have something left to do. */
#define CALLED __attribute__((noinline, noclone))
#ifdef __clang__
#undef CALLED
#define CALLED __attribute__((noinline))
#endif

static volatile int work_done;

/* The names of a task's frames that are this program's own or the library's public ones. */
static const char *names_of(aio_task *task, size_t limit)
{
    static char names[1024];
    aio_frame *frames;
    size_t count;

    names[0] = '\0';
    assert_int_equal(aio_task_get_stack(task, limit, &frames, &count), 0);
    assert_true(count != 0 || frames == NULL);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(frames[i].address);
        (void)strcat(names, i == 0 ? "" : " ");
        (void)strcat(names, frames[i].function != NULL ? frames[i].function : "?");
    }
    aio_free(frames);
    return names;
}

CALLED static int inner(struct fixture *f)
{
    int err = aio_await(f->subject, NULL);

    work_done++;
    return err;
}

CALLED static int middle(struct fixture *f)
{
    int err = inner(f);

    work_done++;
    return err;
}

CALLED static int outer(void *arg, void **ret_result)
{
    int err = middle(arg);

    work_done++;
    return err;
}

static int teardown(void **state)
{
    fx_end_tasks(*state);
    aio__stacks_end();
    return fx_teardown_future(state);
}

static void stack_of_a_waiting_task_is_its_calls_in_order(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", outer);

    fx_settle(f);
    assert_string_equal(names_of(a, 0), "outer middle inner aio_await");
    assert_string_equal(names_of(a, 0), "outer middle inner aio_await");
}

/* asyncio's limit keeps the newest frames too */
static void stack_limit_keeps_the_newest_calls(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", outer);

    fx_settle(f);
    assert_string_equal(names_of(a, 2), "inner aio_await");
    assert_string_equal(names_of(a, 100), "outer middle inner aio_await");
}

static void stack_can_be_asked_for_without_harm_to_the_task(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", outer);
    int before = work_done;

    fx_settle(f);
    for (int i = 0; i < 100; i++)
        (void)names_of(a, 0);
    assert_int_equal(work_done, before);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    assert_int_equal(aio_future_result(a, NULL), 0);
    assert_int_equal(work_done, before + 3);
}

static void stack_of_a_task_that_has_not_begun_is_its_coroutine(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(names_of(fx_spawn(f, "A", outer), 0), "outer");
}

static int do_nothing(void *arg, void **ret_result)
{
    return 0;
}

static int go_wrong(void *arg, void **ret_result)
{
    return aio_raise(AIO_EVALUE, "no");
}

static void stack_of_a_task_that_is_done_is_empty(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", do_nothing);
    aio_task *b = fx_spawn(f, "B", go_wrong);

    fx_settle(f);
    assert_string_equal(names_of(a, 0), "");
    assert_string_equal(names_of(b, 0), "");
    assert_int_equal(aio_future_exception(b, NULL), 0);
}

CALLED static int look_at_itself(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    fx_note(f, "%s", names_of(aio_current_task(f->loop), 0));
    work_done++;
    return 0;
}

static void stack_of_the_running_task_is_what_calls(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", look_at_itself);
    fx_settle(f);
    assert_non_null(strstr(f->trace, "A look_at_itself"));
    assert_null(strstr(f->trace, "aio__"));
    assert_null(strstr(f->trace, "strand"));
}

CALLED static int look_at_the_first(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    fx_note(f, "%s", names_of(f->tasks[0], 0));
    work_done++;
    return 0;
}

static void stack_of_a_task_can_be_asked_for_by_another(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", outer);
    fx_spawn(f, "B", look_at_the_first);
    fx_settle(f);
    fx_assert_trace(f, "B outer middle inner aio_await");
}

CALLED static int give_way(void *arg, void **ret_result)
{
    int err = aio_sleep(0);

    work_done++;
    return err;
}

static void stack_of_a_task_that_is_ready_is_where_it_goes_on(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", give_way);

    fx_step(f);
    /* The compiler may have made aio_sleep() end in a jump. */
    assert_int_equal(strncmp(names_of(a, 0), "give_way", 8), 0);
}

CALLED static int start_eagerly(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task_options options = AIO_TASK_OPTIONS_INIT;

    options.eager_start = AIO_EAGER_YES;
    aio_future_unref(aio_loop_create_task(f->loop, look_at_the_first, f, &options));
    work_done++;
    return aio_sleep(0);
}

static void stack_of_a_task_that_runs_below_another_is_not_to_be_had(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", start_eagerly);
    fx_settle(f);
    fx_assert_trace(f, "Task-1 ");
}

CALLED static int generate(void *arg, void **ret_result)
{
    int err = middle(arg);

    work_done++;
    return err;
}

CALLED static int iterate(void *arg, void **ret_result)
{
    AIO_AUTO(aio_generator) gen = aio_generator_new(generate, arg, NULL);
    void *item;
    int err = aio_next(gen, &item);

    work_done++;
    return err == AIO_ESTOP ? 0 : err;
}

static void stack_of_a_task_inside_a_generator_goes_through_it(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", iterate);
    const char *names;

    fx_settle(f);
    names = names_of(a, 0);
    assert_non_null(strstr(names, "generate middle inner aio_await"));
    assert_int_equal(strncmp(names, "iterate ", 8), 0);
    assert_null(strstr(names, "base"));
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    assert_int_equal(aio_future_result(a, NULL), 0);
}

static void stack_is_a_tasks(void **state)
{
    struct fixture *f = *state;
    aio_frame *frames;
    size_t count;

    assert_int_equal(aio_task_get_stack(f->subject, 0, &frames, &count), AIO_ETYPE);
    assert_int_equal(aio_task_print_stack(f->subject, 0, NULL), AIO_ETYPE);
}

/* What print_stack() writes. */
static const char *print(aio_task *task, size_t limit)
{
    static char text[2048];
    FILE *file = fmemopen(text, sizeof(text), "w");

    assert_non_null(file);
    assert_int_equal(aio_task_print_stack(task, limit, file), 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void print_stack_writes_a_line_for_each_call(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", outer);
    const char *text;

    fx_settle(f);
    text = print(a, 0);
    assert_int_equal(strncmp(text, "Stack for <Task pending name='A' ", 33), 0);
    text = strstr(text, " (most recent call last):\n  outer (test_frames+0x");
    assert_non_null(text);
    text = strstr(text, "\n  middle (test_frames+0x");
    assert_non_null(text);
    text = strstr(text, "\n  inner (test_frames+0x");
    assert_non_null(text);
    assert_null(strstr(text, "aio__"));
    assert_int_equal(strncmp(strstr(print(a, 1), ":\n"), ":\n  aio_await (", 15), 0);
}

static void print_stack_says_so_when_there_is_none(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", do_nothing);
    aio_task *b = fx_spawn(f, "B", go_wrong);

    fx_settle(f);
    assert_int_equal(strncmp(print(a, 0), "No stack for <Task finished name='A'", 36), 0);
    assert_int_equal(strncmp(print(b, 0), "Traceback for <Task finished name='B'", 37), 0);
    assert_non_null(strstr(print(b, 0), "ValueError: no"));
    assert_int_equal(aio_future_exception(b, NULL), 0);
}

static void get_stack_short_of_memory(void *arg)
{
    struct fixture *f = arg;
    aio_frame *frames = NULL;
    size_t count = 0;
    int err = aio_task_get_stack(f->tasks[0], 0, &frames, &count);

    assert_true(err == AIO_ENOMEM ? frames == NULL : err == 0 && count == 4);
    aio_free(frames);
}

static void stack_survives_shortages(void **state)
{
    struct fixture *f = *state;

    fx_spawn(f, "A", outer);
    fx_settle(f);
    assert_int_not_equal(with_each_allocation_failing(get_stack_short_of_memory, f), 0);
}

/* --- names -------------------------------------------------------------------------------- */

static void symbol_of_a_static_function_is_found(void **state)
{
    struct aio__symbol symbol;

    aio__symbol_find(aio__place_of((void (*)(void))outer), &symbol);
    assert_string_equal(symbol.name, "outer");
    assert_non_null(strstr(symbol.object, "test_frames"));
    assert_true(symbol.offset != 0);
}

static void symbol_of_another_library_is_found(void **state)
{
    struct aio__symbol symbol;

    aio__symbol_find(aio__place_of((void (*)(void))uv_version_string), &symbol);
    assert_non_null(strstr(symbol.name, "uv_version_string"));
    assert_non_null(strstr(symbol.object, "libuv"));
}

static void symbol_of_no_function_has_no_name(void **state)
{
    struct aio__symbol symbol;

    aio__symbol_find((const void *)(uintptr_t)8, &symbol);
    assert_string_equal(symbol.name, "");
    assert_string_equal(symbol.object, "");
    assert_true(symbol.offset == 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fx_setup_future, teardown)
    const struct CMUnitTest tests[] = {
        CASE(stack_of_a_waiting_task_is_its_calls_in_order),
        CASE(stack_limit_keeps_the_newest_calls),
        CASE(stack_can_be_asked_for_without_harm_to_the_task),
        CASE(stack_of_a_task_that_has_not_begun_is_its_coroutine),
        CASE(stack_of_a_task_that_is_done_is_empty),
        CASE(stack_of_the_running_task_is_what_calls),
        CASE(stack_of_a_task_can_be_asked_for_by_another),
        CASE(stack_of_a_task_that_is_ready_is_where_it_goes_on),
        CASE(stack_of_a_task_that_runs_below_another_is_not_to_be_had),
        CASE(stack_of_a_task_inside_a_generator_goes_through_it),
        CASE(stack_is_a_tasks),
        CASE(print_stack_writes_a_line_for_each_call),
        CASE(print_stack_says_so_when_there_is_none),
        CASE(stack_survives_shortages),
        CASE(symbol_of_a_static_function_is_found),
        CASE(symbol_of_another_library_is_found),
        CASE(symbol_of_no_function_has_no_name),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
