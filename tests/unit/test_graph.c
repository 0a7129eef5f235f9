/* SPDX-License-Identifier: MIT */
/*
 * test_graph.c - who awaits whom, after asyncio's test_graph.py
 */
#include "support/fixture.h"

#include <aio/aio.h>
#include <string.h>

/* Functions that are looked for stay calls, and have something left to do behind them. */
#define CALLED __attribute__((noinline))

static volatile int work_done;

/* "name(awaiter(...) awaiter)", the awaiters by name so that their order does not matter. */
static void put_graph(char *text, size_t size, const aio_call_graph *graph)
{
    const aio_call_graph *sorted[8];

    (void)snprintf(text + strlen(text), size - strlen(text), "%s",
                   aio_future_is_task(graph->future) ? aio_task_get_name(graph->future) : "Future");
    assert_true(graph->awaited_by_count <= 8);
    for (size_t i = 0; i < graph->awaited_by_count; i++) {
        size_t at = i;

        for (; at > 0 && strcmp(aio_task_get_name(sorted[at - 1]->future),
                                aio_task_get_name(graph->awaited_by[i]->future)) > 0;
             at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = graph->awaited_by[i];
    }
    for (size_t i = 0; i < graph->awaited_by_count; i++) {
        (void)strncat(text, i == 0 ? "(" : " ", size - strlen(text) - 1);
        put_graph(text, size, sorted[i]);
    }
    if (graph->awaited_by_count > 0)
        (void)strncat(text, ")", size - strlen(text) - 1);
}

static const char *graph_of(aio_future *fut)
{
    static char text[512];
    aio_call_graph *graph;

    text[0] = '\0';
    assert_int_equal(aio_capture_call_graph(fut, NULL, &graph), 0);
    put_graph(text, sizeof(text), graph);
    aio_call_graph_free(graph);
    return text;
}

CALLED static int await_subject(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_await(f->subject, NULL);

    work_done++;
    return err;
}

static int await_other(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return aio_await(f->other, NULL);
}

static void graph_of_a_future_names_the_tasks_that_await_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_subject);
    fx_settle(f);
    assert_string_equal(graph_of(f->subject), "Future(A B)");
}

static void graph_goes_on_to_those_who_await_the_tasks(void **state)
{
    struct fixture *f = *state;

    f->other = fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_other);
    fx_settle(f);
    assert_string_equal(graph_of(f->subject), "Future(A(B))");
    assert_string_equal(graph_of(f->tasks[1]), "B");
}

/* after CallStackTestBase.test_stack_gather */
static int gather_both(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) both = aio_gather(f->tasks, 2, 0);

    return aio_await(both, NULL);
}

static void awaiter_of_a_gather_awaits_its_children(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_subject);
    (void)fx_spawn(f, "G", gather_both);
    fx_settle(f);
    assert_string_equal(graph_of(f->tasks[0]), "A(G)");
    assert_string_equal(graph_of(f->subject), "Future(A(G) B(G))");
}

static int wait_for_both(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return aio_wait(f->tasks, 2, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
}

static void task_in_wait_awaits_all_that_it_waits_for(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_subject);
    (void)fx_spawn(f, "W", wait_for_both);
    fx_settle(f);
    assert_string_equal(graph_of(f->tasks[1]), "B(W)");
}

static int shield_first(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_future) outer = aio_shield(f->tasks[0]);

    return aio_await(outer, NULL);
}

/* after CallStackTestBase.test_stack_shield */
static void awaiter_of_a_shield_awaits_what_is_in_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "S", shield_first);
    fx_settle(f);
    assert_string_equal(graph_of(f->tasks[0]), "A(S)");
}

static int give_it_a_second(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return aio_wait_for(f->tasks[0], 1, NULL);
}

static void task_in_wait_for_awaits_what_it_limits(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "W", give_it_a_second);
    fx_step(f);
    fx_step(f);
    assert_string_equal(graph_of(f->tasks[0]), "A(W)");
}

static int run_group(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_taskgroup) group = aio_taskgroup_new();
    int err = aio_taskgroup_enter(group);

    if (err == 0)
        err = aio_taskgroup_start(group, await_subject, f);
    return aio_taskgroup_exit(group, err);
}

/* after CallStackTestBase.test_stack_tgroup */
static void parent_of_a_task_group_awaits_its_children(void **state)
{
    struct fixture *f = *state;
    aio_call_graph *graph;

    (void)fx_spawn(f, "P", run_group);
    fx_settle(f);
    assert_int_equal(aio_capture_call_graph(f->subject, NULL, &graph), 0);
    assert_int_equal(graph->awaited_by_count, 1);
    assert_int_equal(graph->awaited_by[0]->awaited_by_count, 1);
    assert_string_equal(aio_task_get_name(graph->awaited_by[0]->awaited_by[0]->future), "P");
    aio_call_graph_free(graph);
}

static void child_of_a_finished_wait_is_awaited_by_nobody(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "W", give_it_a_second);
    fx_step(f);
    fx_step(f);
    assert_true(aio_future_cancel(f->tasks[1], NULL));
    fx_settle(f);
    assert_string_equal(graph_of(f->tasks[0]), "A");
}

/* --- records ------------------------------------------------------------------------------ */

static void recorded_waiter_is_in_the_graph_until_discarded(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", await_subject);
    AIO_AUTO(aio_future) other = aio_future_new(f->loop);

    fx_settle(f);
    assert_int_equal(aio_future_add_to_awaited_by(other, a), 0);
    assert_int_equal(aio_future_add_to_awaited_by(other, a), 0);
    assert_string_equal(graph_of(other), "Future(A)");
    assert_int_equal(aio_future_discard_from_awaited_by(other, a), 0);
    assert_string_equal(graph_of(other), "Future");
    assert_int_equal(aio_future_discard_from_awaited_by(other, a), 0);
}

static void record_goes_with_either_future(void **state)
{
    struct fixture *f = *state;
    aio_future *one = aio_future_new(f->loop);
    aio_future *two = aio_future_new(f->loop);
    aio_future *three = aio_future_new(f->loop);

    assert_int_equal(aio_future_add_to_awaited_by(one, two), 0);
    assert_int_equal(aio_future_add_to_awaited_by(two, three), 0);
    aio_future_unref(two);
    assert_string_equal(graph_of(one), "Future");
    assert_string_equal(graph_of(three), "Future");
    aio_future_unref(one);
    aio_future_unref(three);
}

static void recorded_future_passes_on_to_those_who_await_it(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_future) inner = aio_future_new(f->loop);

    (void)fx_spawn(f, "A", await_subject);
    fx_settle(f);
    assert_int_equal(aio_future_add_to_awaited_by(inner, f->subject), 0);
    assert_string_equal(graph_of(inner), "Future(A)");
}

static void futures_that_await_each_other_end_the_graph(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", await_subject);
    aio_task *b = fx_spawn(f, "B", await_subject);

    fx_settle(f);
    assert_int_equal(aio_future_add_to_awaited_by(a, b), 0);
    assert_int_equal(aio_future_add_to_awaited_by(b, a), 0);
    assert_string_equal(graph_of(a), "A(B(A))");
}

static void record_of_nothing_is_refused(void **state)
{
    struct fixture *f = *state;
    aio_loop *elsewhere = aio_loop_new(NULL);
    AIO_AUTO(aio_future) foreign = aio_future_new(elsewhere);

    assert_true(aio_future_add_to_awaited_by(NULL, f->subject) < 0);
    assert_true(aio_future_add_to_awaited_by(f->subject, NULL) < 0);
    assert_int_equal(aio_future_add_to_awaited_by(f->subject, foreign), AIO_ERUNTIME);
    assert_int_equal(aio_loop_close(elsewhere), 0);
    aio_loop_unref(elsewhere);
}

/* --- frames ------------------------------------------------------------------------------- */

/* The functions of a stack that are this test's own. */
static const char *functions_of(aio_future *fut, int depth, int limit)
{
    static char names[256];
    aio_call_graph_options options = AIO_CALL_GRAPH_OPTIONS_INIT;
    aio_call_graph *graph;

    options.depth = depth;
    options.limit = limit;
    names[0] = '\0';
    assert_int_equal(aio_capture_call_graph(fut, &options, &graph), 0);
    for (size_t i = 0; i < graph->call_stack_count; i++) {
        (void)strcat(names, i == 0 ? "" : " ");
        (void)strcat(names, graph->call_stack[i].function);
    }
    aio_call_graph_free(graph);
    return names;
}

static void frames_come_newest_first_and_the_limit_keeps_either_end(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", await_subject);

    fx_settle(f);
    assert_string_equal(functions_of(a, 1, AIO_ALL_FRAMES), "aio_await await_subject");
    assert_string_equal(functions_of(a, 1, 1), "aio_await");
    assert_string_equal(functions_of(a, 1, -1), "await_subject");
    assert_string_equal(functions_of(a, 1, INT_MIN), "aio_await await_subject");
    assert_string_equal(functions_of(a, 1, 0), "");
    assert_string_equal(functions_of(f->subject, 1, AIO_ALL_FRAMES), "");
}

CALLED static int look_at_ourselves(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    fx_note(f, "%s", functions_of(NULL, 1, -1));
    fx_note(f, "%s", functions_of(NULL, 2, -1));
    work_done++;
    return 0;
}

static void depth_leaves_out_the_newest_calls_of_the_running_task(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", look_at_ourselves);
    fx_settle(f);
    fx_assert_trace(f, "A look_at_ourselves, A look_at_ourselves");
}

static void graph_outside_a_task_is_null_and_its_text_empty(void **state)
{
    struct fixture *f = *state;
    aio_call_graph *graph = (aio_call_graph *)f;
    char *text;

    assert_int_equal(aio_capture_call_graph(NULL, NULL, &graph), AIO_ENOLOOP);
    assert_ptr_equal(graph, f);
    assert_int_equal(aio_format_call_graph(NULL, NULL, &text), AIO_ENOLOOP);
}

static int in_a_callback(void *arg)
{
    struct fixture *f = arg;
    aio_call_graph *graph = NULL;
    char *text = NULL;

    fx_note_code(f, "captured", aio_capture_call_graph(NULL, NULL, &graph));
    fx_note(f, "%s", graph == NULL ? "none" : "one");
    fx_note_code(f, "formatted", aio_format_call_graph(NULL, NULL, &text));
    fx_note(f, "'%s'", text);
    aio_free(text);
    return 0;
}

static void graph_in_a_callback_is_null_and_its_text_empty(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_loop_call_soon(f->loop, in_a_callback, f, NULL), 0);
    fx_settle(f);
    fx_assert_trace(f, "- captured, - none, - formatted, - ''");
}

/* after TestCallStack's render */
static void text_has_the_calls_and_the_awaiters_indented(void **state)
{
    struct fixture *f = *state;
    char expected[1024];
    char *text;
    char *stack;

    f->other = fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_other);
    fx_settle(f);
    assert_int_equal(aio_format_call_graph(f->subject, NULL, &text), 0);
    (void)snprintf(expected, sizeof(expected),
                   "* Future(id=%p)\n  + Awaited by:\n    * Task(name='A', id=%p)\n"
                   "      + Call stack:\n      |   File '",
                   f->subject, (void *)f->tasks[0]);
    assert_memory_equal(text, expected, strlen(expected));
    (void)snprintf(expected, sizeof(expected),
                   "      + Awaited by:\n        * Task(name='B', id=%p)\n", (void *)f->tasks[1]);
    assert_non_null(strstr(text, expected));
    stack = strstr(text, "in await_subject()");
    assert_non_null(stack);
    assert_true(stack < strstr(text, "name='B'"));
    assert_int_not_equal(text[strlen(text) - 1], '\n');
    aio_free(text);
}

static void print_writes_the_text_and_ends_the_line(void **state)
{
    struct fixture *f = *state;
    char *text;
    char *printed = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&printed, &size);

    assert_non_null(file);
    (void)fx_spawn(f, "A", await_subject);
    fx_settle(f);
    assert_int_equal(aio_format_call_graph(f->subject, NULL, &text), 0);
    assert_int_equal(aio_print_call_graph(f->subject, NULL, file), 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(size, strlen(text) + 1);
    assert_memory_equal(printed, text, size - 1);
    assert_int_equal(printed[size - 1], '\n');
    free(printed);
    aio_free(text);
}

static void bad_options_are_refused(void **state)
{
    struct fixture *f = *state;
    aio_call_graph_options options = AIO_CALL_GRAPH_OPTIONS_INIT;
    aio_call_graph *graph;

    options.size = 1;
    assert_int_equal(aio_capture_call_graph(f->subject, &options, &graph), AIO_EVALUE);
    options.size = sizeof(options);
    options.depth = 0;
    assert_int_equal(aio_capture_call_graph(f->subject, &options, &graph), AIO_EVALUE);
    assert_int_equal(aio_capture_call_graph(f->subject, NULL, NULL), AIO_EVALUE);
}

/* A chain of tasks, each awaiting the one before. */
static int await_before(void *arg, void **ret_result)
{
    return aio_await(arg, NULL);
}

/* ThreadSanitizer has room for 8128 stacks. */
#if defined(__SANITIZE_THREAD__)
enum { LENGTH = 2000 };
#else
enum { LENGTH = 20000 };
#endif

static void long_chain_is_cut_off_and_needs_no_stack(void **state)
{
    struct fixture *f = *state;
    aio_task **tasks = calloc(LENGTH, sizeof(aio_task *));
    aio_call_graph *graph;
    size_t levels = 0;
    char *text;

    for (size_t i = 0; i < LENGTH; i++)
        tasks[i] =
            aio_loop_create_task(f->loop, await_before, i == 0 ? f->subject : tasks[i - 1], NULL);
    fx_settle(f);
    assert_int_equal(aio_capture_call_graph(f->subject, NULL, &graph), 0);
    for (const aio_call_graph *at = graph; at->awaited_by_count > 0; at = at->awaited_by[0])
        levels++;
    assert_int_equal(levels, 100);
    aio_call_graph_free(graph);
    assert_int_equal(aio_format_call_graph(f->subject, NULL, &text), 0);
    aio_free(text);
    assert_int_equal(aio_future_set_result(f->subject, NULL), 0);
    fx_settle(f);
    for (size_t i = 0; i < LENGTH; i++)
        aio_future_unref(tasks[i]);
    free(tasks);
}

static void format_or_fail(void *arg)
{
    struct fixture *f = arg;
    char *text = NULL;
    int err = aio_format_call_graph(f->subject, NULL, &text);

    assert_true(err == 0 || (err == AIO_ENOMEM && text == NULL));
    aio_free(text);
}

static void shortage_of_memory_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;

    f->other = fx_spawn(f, "A", await_subject);
    (void)fx_spawn(f, "B", await_other);
    fx_settle(f);
    assert_true(with_each_allocation_failing(format_or_fail, f) > 4);
    assert_string_equal(graph_of(f->subject), "Future(A(B))");
}

static void record_or_fail(void *arg)
{
    struct fixture *f = arg;
    int err = aio_future_add_to_awaited_by(f->subject, f->tasks[0]);

    assert_true(err == 0 || err == AIO_ENOMEM);
    (void)aio_future_discard_from_awaited_by(f->subject, f->tasks[0]);
}

static void record_without_memory_is_none(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", await_other);
    f->other = f->subject;
    record_or_fail(f); /* the loop's table is there from now on */
    assert_int_equal(with_each_allocation_failing(record_or_fail, f), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST_FUTURE(graph_of_a_future_names_the_tasks_that_await_it),
        FX_TEST_FUTURE(graph_goes_on_to_those_who_await_the_tasks),
        FX_TEST_FUTURE(awaiter_of_a_gather_awaits_its_children),
        FX_TEST_FUTURE(task_in_wait_awaits_all_that_it_waits_for),
        FX_TEST_FUTURE(awaiter_of_a_shield_awaits_what_is_in_it),
        FX_TEST_FUTURE(task_in_wait_for_awaits_what_it_limits),
        FX_TEST_FUTURE(parent_of_a_task_group_awaits_its_children),
        FX_TEST_FUTURE(child_of_a_finished_wait_is_awaited_by_nobody),
        FX_TEST_FUTURE(recorded_waiter_is_in_the_graph_until_discarded),
        FX_TEST_FUTURE(record_goes_with_either_future),
        FX_TEST_FUTURE(recorded_future_passes_on_to_those_who_await_it),
        FX_TEST_FUTURE(futures_that_await_each_other_end_the_graph),
        FX_TEST_FUTURE(record_of_nothing_is_refused),
        FX_TEST_FUTURE(frames_come_newest_first_and_the_limit_keeps_either_end),
        FX_TEST_FUTURE(depth_leaves_out_the_newest_calls_of_the_running_task),
        FX_TEST_FUTURE(graph_outside_a_task_is_null_and_its_text_empty),
        FX_TEST_FUTURE(graph_in_a_callback_is_null_and_its_text_empty),
        FX_TEST_FUTURE(text_has_the_calls_and_the_awaiters_indented),
        FX_TEST_FUTURE(print_writes_the_text_and_ends_the_line),
        FX_TEST_FUTURE(bad_options_are_refused),
        FX_TEST_FUTURE(long_chain_is_cut_off_and_needs_no_stack),
        FX_TEST_FUTURE(shortage_of_memory_leaves_nothing_behind),
        FX_TEST_FUTURE(record_without_memory_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
