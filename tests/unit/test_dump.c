/* SPDX-License-Identifier: MIT */
/*
 * test_dump.c - all tasks of a loop as text
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define CALLED __attribute__((noinline))

static volatile int work_done;

CALLED static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_await(f->subject, NULL);

    work_done++;
    return err;
}

static int await_first(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return aio_await(f->tasks[0], NULL);
}

static int gather_two(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) both = aio_gather(f->tasks, 2, 0);

    return aio_await(both, NULL);
}

/* Without the places where the fixture has made the tasks: " of FILE:LINE". */
static void cut_places(char *text)
{
    char *place;

    while ((place = strstr(text, " of ")) != NULL) {
        char *end = place + strcspn(place, ",");

        memmove(place, end, strlen(end) + 1);
    }
}

static void assert_dump(struct fixture *f, unsigned flags, const char *expected)
{
    char *text;

    assert_int_equal(aio_loop_format_tasks(f->loop, flags, &text), 0);
    cut_places(text);
    assert_string_equal(text, expected);
    aio_free(text);
}

static void dump_of_no_task_says_so(void **state)
{
    struct fixture *f = *state;

    assert_dump(f, 0, "0 tasks\n");
    assert_dump(f, AIO_DUMP_TREE | AIO_DUMP_STACKS, "0 tasks\n");
}

static void list_has_each_task_with_its_state_and_who_awaits_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_first);
    (void)fx_spawn(f, "C", await_first);
    fx_settle(f);
    (void)fx_spawn(f, "D", await_first);
    assert_dump(f, 0,
                "4 tasks\n"
                "A: fn(), awaits a Future, awaited by B C\n"
                "B: fn(), awaits A\n"
                "C: fn(), awaits A\n"
                "D: fn(), not started\n");
}

static void task_that_was_woken_is_ready_and_one_asked_to_stop_cancelling(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", await_subject);

    (void)fx_spawn(f, "B", await_first);
    fx_settle(f);
    assert_true(aio_future_cancel(f->tasks[1], NULL));
    assert_dump(
        f, 0, "2 tasks\nA: fn(), ready, cancelling, awaited by B\nB: fn(), awaits A, cancelling\n");
    (void)a;
}

static int dump_ourselves(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    char *text;

    assert_int_equal(aio_loop_format_tasks(NULL, 0, &text), 0);
    cut_places(text);
    fx_note(f, "%s", text);
    aio_free(text);
    return 0;
}

static void running_task_sees_itself_running(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", dump_ourselves);
    fx_settle(f);
    fx_assert_trace(f, "A 1 task\nA: fn(), running\n");
}

static void place_of_creation_is_shown(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_task) task = aio_loop_create_task(f->loop, await_subject, f, NULL);
    int line = __LINE__ - 1;
    char expected[256];
    char *text;

    assert_int_equal(aio_task_set_name(task, "A"), 0);
    assert_int_equal(aio_loop_format_tasks(f->loop, 0, &text), 0);
    (void)snprintf(expected, sizeof(expected), "1 task\nA: await_subject() of %s:%d, not started\n",
                   __FILE__, line);
    assert_string_equal(text, expected);
    aio_free(text);
    fx_settle(f);
    assert_true(aio_future_cancel(task, NULL));
    fx_settle(f);
}

static void tree_has_each_task_below_the_one_that_awaits_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_first);
    (void)fx_spawn(f, "G", gather_two);
    (void)fx_spawn(f, "H", gather_two);
    fx_settle(f);
    assert_dump(f, AIO_DUMP_TREE,
                "4 tasks\n"
                "G: fn(), awaits a _GatheringFuture\n"
                "├── A: fn(), awaits a Future\n"
                "└── B: fn(), awaits A\n"
                "    └── A (shown elsewhere)\n"
                "H: fn(), awaits a _GatheringFuture\n"
                "├── A (shown elsewhere)\n"
                "└── B (shown elsewhere)\n");
}

static int await_arg(void *arg, void **ret_result)
{
    return aio_await(*(aio_task **)arg, NULL);
}

static void tasks_in_a_circle_are_shown_all_the_same(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", await_subject);
    aio_task *b = fx_spawn(f, "B", await_subject);

    fx_settle(f);
    assert_int_equal(aio_future_add_to_awaited_by(a, b), 0);
    assert_int_equal(aio_future_add_to_awaited_by(b, a), 0);
    assert_dump(f, AIO_DUMP_TREE,
                "2 tasks\n"
                "A: fn(), awaits a Future\n"
                "└── B: fn(), awaits a Future\n"
                "    └── A (shown elsewhere)\n");
}

static void stacks_are_shown_with_functions(void **state)
{
    struct fixture *f = *state;
    char *text;
    char *frame;

    (void)fx_spawn(f, "A", await_subject);
    fx_settle(f);
    assert_int_equal(aio_loop_format_tasks(f->loop, AIO_DUMP_STACKS, &text), 0);
    frame = strstr(text, "    await_subject (");
    assert_non_null(frame);
    assert_non_null(strstr(frame, "\n    aio_await ("));
    aio_free(text);
}

static void dump_of_many_levels_is_cut_and_complete(void **state)
{
    enum { LENGTH = 1000 };
    struct fixture *f = *state;
    aio_task *tasks[LENGTH];
    size_t shown = 0;
    char *text;

    tasks[0] = aio_loop_create_task(f->loop, await_subject, f, NULL);
    for (size_t i = 1; i < LENGTH; i++)
        tasks[i] = aio_loop_create_task(f->loop, await_arg, &tasks[i - 1], NULL);
    fx_settle(f);
    assert_int_equal(aio_loop_format_tasks(f->loop, AIO_DUMP_TREE, &text), 0);
    for (const char *at = text; (at = strstr(at, "awaits")) != NULL; at++)
        shown++;
    assert_true(shown >= LENGTH);
    aio_free(text);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    for (size_t i = 0; i < LENGTH; i++)
        aio_future_unref(tasks[i]);
}

static void wrong_calls_are_refused(void **state)
{
    struct fixture *f = *state;
    char *text;

    assert_int_equal(aio_loop_format_tasks(NULL, 0, &text), AIO_ENOLOOP);
    assert_int_equal(aio_loop_format_tasks(f->loop, 4, &text), AIO_EVALUE);
    assert_int_equal(aio_loop_format_tasks(f->loop, 0, NULL), AIO_EVALUE);
    assert_int_equal(aio_loop_print_tasks_on_signal(f->loop, SIGUSR1, 8, NULL), AIO_EVALUE);
    assert_int_equal(aio_loop_print_tasks_on_signal(f->loop, SIGKILL, 0, NULL), AIO_ERUNTIME);
}

static int look_at_end(void *arg)
{
    struct fixture *f = arg;

    fflush(f->other);
    if (ftell(f->other) > 0)
        aio_loop_stop(f->loop);
    else
        assert_int_equal(aio_loop_call_soon(f->loop, look_at_end, f, NULL), 0);
    return 0;
}

static void signal_prints_the_tasks(void **state)
{
    struct fixture *f = *state;
    char text[256] = "";
    FILE *file = tmpfile();

    assert_non_null(file);
    f->other = file;
    (void)fx_spawn(f, "A", await_subject);
    assert_int_equal(aio_loop_print_tasks_on_signal(f->loop, SIGUSR2, AIO_DUMP_STACKS, file), 0);
    assert_int_equal(aio_loop_print_tasks_on_signal(f->loop, SIGUSR2, 0, file), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    assert_int_equal(aio_loop_call_soon(f->loop, look_at_end, f, NULL), 0);
    assert_int_equal(aio_loop_run_forever(f->loop), 0);
    rewind(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    cut_places(text);
    assert_string_equal(text, "1 task\nA: fn(), awaits a Future\n");
    assert_true(aio_loop_remove_signal_handler(f->loop, SIGUSR2));
    (void)fclose(file);
}

static void format_or_fail(void *arg)
{
    struct fixture *f = arg;

    for (unsigned flags = 0; flags < 4; flags++) {
        char *text = NULL;
        int err = aio_loop_format_tasks(f->loop, flags, &text);

        assert_true(err == 0 || (err == AIO_ENOMEM && text == NULL));
        aio_free(text);
    }
}

static void shortage_of_memory_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_first);
    fx_settle(f);
    assert_true(with_each_allocation_failing(format_or_fail, f) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(dump_of_no_task_says_so),
        FX_TEST_FUTURE(list_has_each_task_with_its_state_and_who_awaits_it),
        FX_TEST_FUTURE(task_that_was_woken_is_ready_and_one_asked_to_stop_cancelling),
        FX_TEST_FUTURE(running_task_sees_itself_running),
        FX_TEST_FUTURE(place_of_creation_is_shown),
        FX_TEST_FUTURE(tree_has_each_task_below_the_one_that_awaits_it),
        FX_TEST_FUTURE(tasks_in_a_circle_are_shown_all_the_same),
        FX_TEST_FUTURE(stacks_are_shown_with_functions),
        FX_TEST_FUTURE(dump_of_many_levels_is_cut_and_complete),
        FX_TEST_FUTURE(wrong_calls_are_refused),
        FX_TEST_FUTURE(signal_prints_the_tasks),
        FX_TEST_FUTURE(shortage_of_memory_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
