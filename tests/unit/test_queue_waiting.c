/* SPDX-License-Identifier: MIT */
/*
 * test_queue_waiting.c - who waits at a queue, who is woken, and who gets the item
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/queue.h>

/* Each test makes its queue with the limit it needs. */
static aio_queue *use_queue(struct fixture *f, long maxsize)
{
    f->subject = aio_queue_new(maxsize);
    assert_non_null(f->subject);
    return f->subject;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_queue_unref(f->subject);
    return fx_teardown(state);
}

/* Items are numbers kept in the pointer. */
static void put(aio_queue *queue, intptr_t number)
{
    assert_int_equal(aio_queue_put_nowait(queue, (void *)number), 0);
}

static intptr_t get(aio_queue *queue)
{
    void *item = NULL;

    assert_int_equal(aio_queue_get_nowait(queue, &item), 0);
    return (intptr_t)item;
}

/* --- what the tasks do ----------------------------------------------------------------- */

static int get_one(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    void *item = NULL;
    int err = aio_queue_get(f->subject, &item);

    if (err < 0)
        return fx_note_code(f, item == NULL ? "got" : "WROTE AN ITEM", err);
    fx_note(f, "got %d", (int)(intptr_t)item);
    return 0;
}

/* Puts the number of its name: "P7" puts 7. */
static int put_one(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    intptr_t number = aio_task_get_name(aio_current_task(NULL))[1] - '0';

    return fx_note_code(f, "put", aio_queue_put(f->subject, (void *)number));
}

static int put_nowait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "put", aio_queue_put_nowait(f->subject, (void *)1));
}

static int get_nowait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "got", aio_queue_get_nowait(f->subject, NULL));
}

static int join(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "joined", aio_queue_join(f->subject));
}

/* --- getters --------------------------------------------------------------------------- */

/* S101; after asyncio's test_queues.QueueGetTests.test_blocking_get_wait, in effect */
static void getters_are_woken_in_the_order_in_which_they_came(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    (void)fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    (void)fx_spawn(f, "C", get_one);
    fx_settle(f);
    fx_assert_trace(f, "");
    put(queue, 1);
    put(queue, 2);
    fx_settle(f);
    fx_assert_trace(f, "A got 1, B got 2");
    put(queue, 3);
    fx_settle(f);
    fx_assert_trace(f, "C got 3");
}

/* S29 */
static void getter_runs_one_iteration_after_the_put(void **state)
{
    struct fixture *f = *state;

    (void)use_queue(f, 0);
    (void)fx_spawn(f, "A", get_one);
    fx_settle(f);
    (void)fx_spawn(f, "tick", fx_tick);
    (void)fx_spawn(f, "P", put_nowait);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, P put, tick 1, A got 1, tick 2");
}

/* S101 */
static void getter_that_was_woken_loses_the_item_to_who_comes_first(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    (void)fx_spawn(f, "A", get_one);
    fx_settle(f);
    (void)fx_spawn(f, "new", get_one); /* its first step comes before A's */
    put(queue, 1);
    fx_settle(f);
    fx_assert_trace(f, "new got 1");
    put(queue, 2);
    fx_settle(f);
    fx_assert_trace(f, "A got 2");
}

/* S101 */
static void getter_that_was_woken_in_vain_goes_to_the_end_of_the_line(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    (void)fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    fx_settle(f);
    put(queue, 1);
    assert_int_equal(get(queue), 1); /* A is awake by now */
    fx_settle(f);
    put(queue, 2);
    fx_settle(f);
    fx_assert_trace(f, "B got 2");
    put(queue, 3);
    fx_settle(f);
    fx_assert_trace(f, "A got 3");
}

/* S103 */
static void getters_are_woken_one_per_item_though_the_first_has_not_run(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    (void)fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    (void)fx_spawn(f, "C", get_one);
    fx_settle(f);
    put(queue, 1);
    put(queue, 2);
    fx_step(f);
    fx_assert_trace(f, "A got 1, B got 2");
}

/* S102; after asyncio's test_queues.QueueGetTests.test_why_are_getters_waiting, in effect */
static void getter_cancelled_after_it_was_woken_passes_the_item_on(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);
    aio_task *a;

    a = fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    fx_settle(f);
    put(queue, 1);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A got ! CancelledError, B got 1");
}

/* S102: there is nothing to pass on */
static void getter_cancelled_after_its_item_was_taken_wakes_nobody(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);
    aio_task *a;

    a = fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    (void)fx_spawn(f, "C", get_one);
    fx_settle(f);
    put(queue, 1);
    assert_int_equal(get(queue), 1);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A got ! CancelledError");
    put(queue, 2); /* had B been woken in vain, it would stand behind C now */
    fx_settle(f);
    fx_assert_trace(f, "B got 2");
}

/* after asyncio's test_queues.QueueGetTests.test_cancelled_getters_not_being_held_in_self_getters */
static void getter_cancelled_while_it_sleeps_leaves_the_line(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);
    aio_task *a;

    a = fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    put(queue, 1); /* A is still in line, and passed over */
    fx_settle(f);
    fx_assert_trace(f, "A got ! CancelledError, B got 1");
}

/* S102: it is not the one the item was announced to */
static void getter_cancelled_while_another_is_awake_for_the_item_wakes_nobody(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);
    aio_task *b;

    (void)fx_spawn(f, "A", get_one);
    b = fx_spawn(f, "B", get_one);
    (void)fx_spawn(f, "C", get_one);
    (void)fx_spawn(f, "D", get_one);
    fx_settle(f);
    (void)aio_task_cancel(b, NULL); /* B hears of it before A, woken now, can take the item */
    put(queue, 1);
    fx_settle(f);
    fx_assert_trace(f, "B got ! CancelledError, A got 1");
    put(queue, 2); /* had C been woken in vain, it would stand behind D now */
    fx_settle(f);
    fx_assert_trace(f, "C got 2");
}

/* --- putters --------------------------------------------------------------------------- */

/* S101 */
static void putters_are_woken_in_the_order_in_which_they_came(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 1);

    put(queue, 0);
    (void)fx_spawn(f, "P1", put_one);
    (void)fx_spawn(f, "P2", put_one);
    (void)fx_spawn(f, "P3", put_one);
    fx_settle(f);
    fx_assert_trace(f, "");
    for (intptr_t i = 0; i < 4; i++) {
        assert_int_equal(get(queue), i);
        fx_settle(f);
    }
    fx_assert_trace(f, "P1 put, P2 put, P3 put");
}

/* S29 */
static void putter_runs_one_iteration_after_the_get(void **state)
{
    struct fixture *f = *state;

    put(use_queue(f, 1), 0);
    (void)fx_spawn(f, "P1", put_one);
    fx_settle(f);
    (void)fx_spawn(f, "tick", fx_tick);
    (void)fx_spawn(f, "G", get_nowait);
    fx_settle(f);
    fx_assert_trace(f, "tick 0, G got, tick 1, P1 put, tick 2");
}

/* S101 */
static void putter_that_was_woken_loses_the_place_to_who_comes_first(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 1);

    put(queue, 0);
    (void)fx_spawn(f, "P1", put_one);
    (void)fx_spawn(f, "P2", put_one);
    fx_settle(f);
    assert_int_equal(get(queue), 0);
    put(queue, 9); /* P1 is awake by now */
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(get(queue), 9);
    fx_settle(f);
    fx_assert_trace(f, "P2 put"); /* P1 has gone behind it */
    assert_int_equal(get(queue), 2);
    fx_settle(f);
    fx_assert_trace(f, "P1 put");
}

/* S102 */
static void putter_cancelled_after_it_was_woken_passes_the_place_on(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 1);
    aio_task *p1;

    put(queue, 0);
    p1 = fx_spawn(f, "P1", put_one);
    (void)fx_spawn(f, "P2", put_one);
    fx_settle(f);
    assert_int_equal(get(queue), 0);
    (void)aio_task_cancel(p1, NULL);
    fx_settle(f);
    fx_assert_trace(f, "P1 put ! CancelledError, P2 put");
    assert_int_equal(get(queue), 2);
}

/* S102; after asyncio's test_queues.QueuePutTests.test_cancelled_puts_not_being_held_in_self_putters */
static void putter_cancelled_while_it_sleeps_leaves_the_line_and_puts_nothing(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 1);
    aio_task *p1;

    put(queue, 0);
    p1 = fx_spawn(f, "P1", put_one);
    (void)fx_spawn(f, "P2", put_one);
    fx_settle(f);
    (void)aio_task_cancel(p1, NULL);
    fx_settle(f);
    assert_int_equal(aio_queue_qsize(queue), 1);
    assert_int_equal(get(queue), 0);
    fx_settle(f);
    fx_assert_trace(f, "P1 put ! CancelledError, P2 put");
    assert_int_equal(get(queue), 2);
}

enum { MANY = 1025 }; /* items; so many that room for them is given back when most are gone */

static int put_any(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = aio_queue_put(f->subject, NULL);

    if (err < 0)
        (void)fx_note_code(f, "put", err);
    return err;
}

/* Python has no counterpart: a putter that was woken finds no memory for its item. */
static void putter_without_memory_for_its_item_passes_the_place_on(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, MANY);
    aio_task *tasks[800];

    for (int i = 0; i < MANY; i++)
        put(queue, i);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        assert_non_null(tasks[i] = aio_loop_create_task(f->loop, put_any, f, NULL));
    fx_settle(f);
    for (int i = 0; i < 769; i++) /* leaves 256 in room for 512, and 31 putters asleep */
        (void)get(queue);
    aio__fail_allocation(1); /* the room that the 257th who puts would make */
    fx_settle(f);
    assert_true(aio__fail_allocation_happened());
    assert_true(aio_queue_full(queue)); /* the place that one was woken for is not left free */

    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        (void)aio_task_cancel(tasks[i], NULL);
    fx_settle(f);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        aio_future_unref(tasks[i]);
    f->trace[f->used = 0] = '\0';
}

/* --- joiners --------------------------------------------------------------------------- */

/* S105 */
static void joiners_go_on_when_the_last_piece_of_work_is_done(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    put(queue, 1);
    put(queue, 2);
    (void)fx_spawn(f, "A", join);
    (void)fx_spawn(f, "B", join);
    (void)get(queue);
    (void)get(queue);
    assert_int_equal(aio_queue_task_done(queue), 0);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_queue_task_done(queue), 0);
    fx_settle(f);
    fx_assert_trace(f, "A joined, B joined");
}

/* S95, S105: it waits on an event, which is not looked at again */
static void joiner_goes_on_though_new_work_came_before_it_ran(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    put(queue, 1);
    (void)fx_spawn(f, "A", join);
    fx_settle(f);
    assert_int_equal(aio_queue_task_done(queue), 0);
    put(queue, 2);
    (void)fx_spawn(f, "B", join);
    fx_settle(f);
    fx_assert_trace(f, "A joined");
}

static void joiner_that_is_cancelled_leaves_the_others_waiting(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);
    aio_task *a;

    put(queue, 1);
    a = fx_spawn(f, "A", join);
    (void)fx_spawn(f, "B", join);
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A joined ! CancelledError");
    assert_int_equal(aio_queue_task_done(queue), 0);
    fx_settle(f);
    fx_assert_trace(f, "B joined");
}

/* --- shutting down --------------------------------------------------------------------- */

/* S104; after asyncio's test_queues._QueueShutdownTestMixin.test_shutdown_empty, in effect */
static void shutdown_of_an_empty_queue_ends_all_getters(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    (void)fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    fx_settle(f);
    aio_queue_shutdown(queue, false);
    fx_settle(f);
    fx_assert_trace(f, "A got ! QueueShutDown, B got ! QueueShutDown");
}

/* S104 */
static void shutdown_of_a_full_queue_ends_all_putters_and_keeps_the_items(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 1);

    put(queue, 0);
    (void)fx_spawn(f, "P1", put_one);
    (void)fx_spawn(f, "P2", put_one);
    fx_settle(f);
    aio_queue_shutdown(queue, false);
    fx_settle(f);
    fx_assert_trace(f, "P1 put ! QueueShutDown, P2 put ! QueueShutDown");
    assert_int_equal(get(queue), 0);
}

/* S104 */
static void shutdown_does_not_take_an_item_from_the_getter_it_has_woken(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    (void)fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", get_one);
    fx_settle(f);
    put(queue, 1);
    aio_queue_shutdown(queue, false);
    fx_settle(f);
    fx_assert_trace(f, "A got 1, B got ! QueueShutDown");
}

/* S104 */
static void shutdown_at_once_ends_joiners_whose_work_was_thrown_away(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    put(queue, 1);
    put(queue, 2);
    (void)fx_spawn(f, "A", join);
    fx_settle(f);
    aio_queue_shutdown(queue, true);
    fx_settle(f);
    fx_assert_trace(f, "A joined");
}

/* S104 */
static void shutdown_leaves_joiners_waiting_for_work_that_was_taken(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 0);

    put(queue, 1);
    put(queue, 2);
    (void)fx_spawn(f, "A", join);
    (void)get(queue);
    fx_settle(f);
    aio_queue_shutdown(queue, true);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_queue_task_done(queue), 0);
    fx_settle(f);
    fx_assert_trace(f, "A joined");
}

/* --- the rest -------------------------------------------------------------------------- */

static void queue_that_tasks_of_one_loop_wait_at_refuses_those_of_another(void **state)
{
    struct fixture *f = *state;
    struct fixture g;
    aio_queue *queue = use_queue(f, 1);

    (void)fx_spawn(f, "A", get_one);
    fx_settle(f);
    assert_true(fx_open(&g));
    g.subject = queue;
    (void)fx_spawn(&g, "B", get_one);
    fx_settle(&g);
    put(queue, 0);
    (void)fx_spawn(&g, "P1", put_one);
    (void)fx_spawn(&g, "J", join);
    fx_settle(&g);
    fx_assert_trace(&g, "B got ! RuntimeError, P1 put ! RuntimeError, J joined ! RuntimeError");
    fx_close(&g);
}

static void queue_is_waited_at_by_tasks_only(void **state)
{
    struct fixture *f = *state;
    aio_queue *queue = use_queue(f, 1);

    assert_int_equal(aio_queue_get(queue, NULL), AIO_ENOLOOP);
    put(queue, 1);
    assert_int_equal(aio_queue_put(queue, NULL), AIO_ENOLOOP);
    assert_int_equal(aio_queue_join(queue), AIO_ENOLOOP);
    assert_int_equal(get(queue), 1);
}

static int drop_and_put(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_queue *queue = f->subject;

    f->subject = NULL;
    put(queue, 1);
    aio_queue_unref(queue);
    return 0;
}

static void queue_lives_for_as_long_as_somebody_waits_at_it(void **state)
{
    struct fixture *f = *state;

    (void)use_queue(f, 0);
    (void)fx_spawn(f, "A", get_one);
    (void)fx_spawn(f, "B", drop_and_put);
    fx_settle(f);
    fx_assert_trace(f, "A got 1");
}

static int drop_and_get(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_queue *queue = f->subject;

    f->subject = NULL;
    (void)get(queue);
    aio_queue_unref(queue);
    return 0;
}

static void queue_lives_for_as_long_as_somebody_waits_to_put(void **state)
{
    struct fixture *f = *state;

    put(use_queue(f, 1), 0);
    (void)fx_spawn(f, "P1", put_one);
    (void)fx_spawn(f, "B", drop_and_get);
    fx_settle(f);
    fx_assert_trace(f, "P1 put");
}

static int produce(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    for (int i = 0; i < 4 && err == 0; i++)
        err = aio_queue_put(f->subject, NULL);
    return err;
}

static int consume(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    int err = 0;

    while (err == 0) {
        err = aio_queue_get(f->subject, NULL);
        if (err == 0)
            (void)aio_queue_task_done(f->subject);
    }
    return err;
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;
    aio_queue *queue;

    if (!fx_open(&f))
        return;
    queue = aio_queue_new(2);
    f.subject = queue;
    (void)fx_spawn(&f, "C", consume);
    (void)fx_spawn(&f, "P", produce);
    (void)fx_spawn(&f, "Q", produce);
    (void)fx_spawn(&f, "J", join);
    fx_settle(&f);
    aio_queue_shutdown(queue, true);
    fx_settle(&f);
    for (size_t i = 0; i < f.task_count; i++)
        assert_true(aio_future_done(f.tasks[i]));
    if (queue != NULL)
        assert_int_equal(aio_queue_task_done(queue), AIO_EVALUE); /* nothing is left undone */
    fx_close(&f);
    aio_queue_unref(queue);
}

static void queue_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fx_setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(getters_are_woken_in_the_order_in_which_they_came),
        TEST(getter_runs_one_iteration_after_the_put),
        TEST(getter_that_was_woken_loses_the_item_to_who_comes_first),
        TEST(getter_that_was_woken_in_vain_goes_to_the_end_of_the_line),
        TEST(getters_are_woken_one_per_item_though_the_first_has_not_run),
        TEST(getter_cancelled_after_it_was_woken_passes_the_item_on),
        TEST(getter_cancelled_after_its_item_was_taken_wakes_nobody),
        TEST(getter_cancelled_while_it_sleeps_leaves_the_line),
        TEST(getter_cancelled_while_another_is_awake_for_the_item_wakes_nobody),
        TEST(putters_are_woken_in_the_order_in_which_they_came),
        TEST(putter_runs_one_iteration_after_the_get),
        TEST(putter_that_was_woken_loses_the_place_to_who_comes_first),
        TEST(putter_cancelled_after_it_was_woken_passes_the_place_on),
        TEST(putter_cancelled_while_it_sleeps_leaves_the_line_and_puts_nothing),
        TEST(putter_without_memory_for_its_item_passes_the_place_on),
        TEST(joiners_go_on_when_the_last_piece_of_work_is_done),
        TEST(joiner_goes_on_though_new_work_came_before_it_ran),
        TEST(joiner_that_is_cancelled_leaves_the_others_waiting),
        TEST(shutdown_of_an_empty_queue_ends_all_getters),
        TEST(shutdown_of_a_full_queue_ends_all_putters_and_keeps_the_items),
        TEST(shutdown_does_not_take_an_item_from_the_getter_it_has_woken),
        TEST(shutdown_at_once_ends_joiners_whose_work_was_thrown_away),
        TEST(shutdown_leaves_joiners_waiting_for_work_that_was_taken),
        TEST(queue_that_tasks_of_one_loop_wait_at_refuses_those_of_another),
        TEST(queue_is_waited_at_by_tasks_only),
        TEST(queue_lives_for_as_long_as_somebody_waits_at_it),
        TEST(queue_lives_for_as_long_as_somebody_waits_to_put),
        TEST(queue_survives_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
