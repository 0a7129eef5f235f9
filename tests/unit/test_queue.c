/* SPDX-License-Identifier: MIT */
/*
 * test_queue.c - passing items between tasks: order, limits, what becomes of items
 *
 * Who waits for whom is in test_queue_waiting.c.
 */
#include "base/memory.h"
#include "support/fixture.h"

#include <aio/memory.h>
#include <aio/queue.h>
#include <limits.h>

static unsigned destroyed;

static void destroy_string(void *item)
{
    destroyed++;
    aio_free(item);
}

static const aio_type counted_string = {.destroy = destroy_string};

static int setup(void **state)
{
    destroyed = 0;
    return count_allocations(state);
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

/* By the tens only, so that some differ and yet are equal. */
static int by_tens(const void *a, const void *b, void *arg)
{
    intptr_t ten_a = (intptr_t)a / 10, ten_b = (intptr_t)b / 10;

    ++*(unsigned *)arg;
    return ten_a < ten_b ? -1 : ten_a > ten_b;
}

/* --- order ----------------------------------------------------------------------------- */

static void queue_gives_the_oldest_item_first(void **state)
{
    aio_queue *queue = aio_queue_new(0);

    for (intptr_t i = 0; i < 20; i++)
        put(queue, i);
    for (intptr_t i = 0; i < 20; i++)
        assert_int_equal(get(queue), i);
    aio_queue_unref(queue);
}

static void lifo_queue_gives_the_newest_item_first(void **state)
{
    aio_queue *queue = aio_lifo_queue_new(0);

    for (intptr_t i = 0; i < 20; i++)
        put(queue, i);
    for (intptr_t i = 20; i-- > 0;)
        assert_int_equal(get(queue), i);
    aio_queue_unref(queue);
}

static void priority_queue_gives_the_least_item_first_and_of_equal_ones_the_oldest(void **state)
{
    static const intptr_t in[] = {52, 11, 35, 10, 51, 19, 30, 7};
    static const intptr_t out[] = {7, 11, 10, 19, 35, 30, 52, 51};
    unsigned compared = 0;
    aio_queue *queue = aio_priority_queue_new(0, by_tens, &compared);

    for (size_t i = 0; i < COUNT_OF(in); i++)
        put(queue, in[i]);
    for (size_t i = 0; i < COUNT_OF(out); i++)
        assert_int_equal(get(queue), out[i]);
    assert_true(compared > 0);
    aio_queue_unref(queue);
}

static void priority_queue_needs_a_comparison(void **state)
{
    aio_queue *queue = aio_priority_queue_new(0, NULL, NULL);

    assert_null(queue);
    assert_int_equal(aio_queue_put_nowait(queue, NULL), AIO_EVALUE);
}

/* --- limits ---------------------------------------------------------------------------- */

static void queue_tells_exactly_how_full_it_is(void **state)
{
    aio_queue *queue = aio_queue_new(2);

    assert_int_equal(aio_queue_maxsize(queue), 2);
    assert_true(aio_queue_empty(queue));
    assert_false(aio_queue_full(queue));
    put(queue, 1);
    assert_int_equal(aio_queue_qsize(queue), 1);
    assert_false(aio_queue_empty(queue));
    assert_false(aio_queue_full(queue));
    put(queue, 2);
    assert_int_equal(aio_queue_qsize(queue), 2);
    assert_true(aio_queue_full(queue));
    aio_queue_unref(queue);
}

static void queue_that_is_full_refuses_an_item_put_without_waiting(void **state)
{
    aio_queue *queue = aio_queue_new(1);

    put(queue, 1);
    assert_int_equal(aio_queue_put_nowait(queue, (void *)2), AIO_EQUEUEFULL);
    assert_int_equal(get(queue), 1);
    put(queue, 3);
    assert_int_equal(get(queue), 3);
    aio_queue_unref(queue);
}

static void queue_that_is_empty_has_nothing_to_give_without_waiting(void **state)
{
    aio_queue *queue = aio_queue_new(0);
    void *item = &queue;

    assert_int_equal(aio_queue_get_nowait(queue, &item), AIO_EQUEUEEMPTY);
    assert_ptr_equal(item, &queue);
    aio_queue_unref(queue);
}

/* S105 */
static void queue_of_no_or_negative_size_has_no_limit(void **state)
{
    static const long sizes[] = {0, -1, LONG_MIN};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        aio_queue *queue = aio_queue_new(sizes[i]);

        assert_int_equal(aio_queue_maxsize(queue), sizes[i]);
        for (intptr_t n = 0; n < 1000; n++)
            put(queue, n);
        assert_false(aio_queue_full(queue));
        aio_queue_unref(queue);
    }
}

static void queue_with_room_and_items_needs_neither_task_nor_loop_nor_memory(void **state)
{
    aio_queue *queue = aio_queue_new(4);
    void *item = NULL;

    put(queue, 1); /* has its room made */
    aio__fail_allocation(1);
    for (intptr_t i = 2; i < 100; i++) {
        assert_int_equal(aio_queue_put(queue, (void *)i), 0);
        assert_int_equal(aio_queue_get(queue, &item), 0);
        assert_int_equal((intptr_t)item, i - 1);
        assert_int_equal(aio_queue_task_done(queue), 0);
    }
    assert_int_equal(aio_queue_task_done(queue), 0);
    assert_int_equal(aio_queue_join(queue), 0);
    assert_false(aio__fail_allocation_happened());
    aio__fail_allocation(0);
    aio_queue_unref(queue);
}

/* --- items ----------------------------------------------------------------------------- */

static void queue_takes_null_as_an_item(void **state)
{
    aio_queue *queue = aio_queue_new(0);
    void *item = &queue;

    aio_queue_set_type(queue, &counted_string);
    assert_int_equal(aio_queue_put_nowait(queue, NULL), 0);
    assert_int_equal(aio_queue_put_nowait(queue, NULL), 0);
    assert_int_equal(aio_queue_get_nowait(queue, &item), 0);
    assert_null(item);
    aio_queue_unref(queue);
    assert_int_equal(destroyed, 0); /* there is nothing to destroy in NULL */
}

static void queue_destroys_by_their_type_the_items_it_goes_with(void **state)
{
    unsigned compared = 0;
    aio_queue *queues[] = {aio_queue_new(0), aio_lifo_queue_new(0),
                           aio_priority_queue_new(0, by_tens, &compared)};

    for (size_t i = 0; i < COUNT_OF(queues); i++) {
        destroyed = 0;
        aio_queue_set_type(queues[i], &counted_string);
        for (int n = 0; n < 10; n++)
            assert_int_equal(aio_queue_put_nowait(queues[i], aio_strdup("item")), 0);
        aio_queue_unref(queues[i]);
        assert_int_equal(destroyed, 10);
    }
}

static void queue_without_a_type_leaves_its_items_alone(void **state)
{
    aio_queue *queue = aio_queue_new(0);
    int item = 7;

    assert_int_equal(aio_queue_put_nowait(queue, &item), 0);
    assert_int_equal(aio_queue_put_nowait(queue, &item), 0);
    assert_int_equal(aio_queue_get_nowait(queue, NULL), 0);
    aio_queue_unref(queue);
    assert_int_equal(item, 7);
}

static void queue_destroys_an_item_that_is_got_for_nobody(void **state)
{
    aio_queue *queue = aio_queue_new(0);

    aio_queue_set_type(queue, &counted_string);
    assert_int_equal(aio_queue_put_nowait(queue, aio_strdup("item")), 0);
    assert_int_equal(aio_queue_get_nowait(queue, NULL), 0);
    assert_int_equal(destroyed, 1);
    aio_queue_unref(queue);
}

static void queue_leaves_an_item_it_did_not_take_to_the_caller(void **state)
{
    aio_queue *queue = aio_queue_new(1);
    char *item = aio_strdup("mine");

    aio_queue_set_type(queue, &counted_string);
    aio__fail_allocation(1);
    assert_int_equal(aio_queue_put_nowait(queue, item), AIO_ENOMEM);
    assert_int_equal(aio_queue_qsize(queue), 0);
    put(queue, 0);
    assert_int_equal(aio_queue_put_nowait(queue, item), AIO_EQUEUEFULL);
    aio_queue_shutdown(queue, true);
    assert_int_equal(aio_queue_put_nowait(queue, item), AIO_EQUEUESHUTDOWN);
    aio_queue_unref(queue);
    assert_int_equal(destroyed, 0);
    aio_free(item);
}

/* --- work and shutting down ------------------------------------------------------------ */

/* S105 */
static void queue_counts_work_done_and_refuses_more_than_there_was(void **state)
{
    aio_queue *queue = aio_queue_new(0);

    assert_int_equal(aio_queue_task_done(queue), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "task_done() called too many times");
    put(queue, 1);
    put(queue, 2);
    assert_int_equal(aio_queue_task_done(queue), 0); /* nobody asks whether it was got */
    assert_int_equal(aio_queue_task_done(queue), 0);
    assert_int_equal(aio_queue_task_done(queue), AIO_EVALUE);
    assert_int_equal(aio_queue_join(queue), 0);
    aio_queue_unref(queue);
}

/* S104 */
static void queue_shut_down_gives_what_is_left_and_takes_nothing(void **state)
{
    aio_queue *queue = aio_queue_new(3);
    void *item;

    put(queue, 1);
    put(queue, 2);
    aio_queue_shutdown(queue, false);
    assert_int_equal(aio_queue_put_nowait(queue, NULL), AIO_EQUEUESHUTDOWN);
    assert_int_equal(aio_queue_put(queue, NULL), AIO_EQUEUESHUTDOWN);
    assert_int_equal(get(queue), 1);
    assert_int_equal(aio_queue_get(queue, &item), 0);
    assert_int_equal((intptr_t)item, 2);
    assert_int_equal(aio_queue_get_nowait(queue, &item), AIO_EQUEUESHUTDOWN);
    assert_int_equal(aio_queue_get(queue, &item), AIO_EQUEUESHUTDOWN);
    aio_queue_unref(queue);
}

/* S104: also where it would have to wait for room */
static void queue_shut_down_while_full_takes_nothing(void **state)
{
    aio_queue *queue = aio_queue_new(1);

    put(queue, 1);
    aio_queue_shutdown(queue, false);
    assert_int_equal(aio_queue_put_nowait(queue, NULL), AIO_EQUEUESHUTDOWN);
    assert_int_equal(aio_queue_put(queue, NULL), AIO_EQUEUESHUTDOWN);
    aio_queue_unref(queue);
}

/* S104 */
static void queue_shut_down_at_once_throws_its_items_away_and_counts_them_as_done(void **state)
{
    aio_queue *queue = aio_queue_new(0);
    void *item;

    aio_queue_set_type(queue, &counted_string);
    for (int n = 0; n < 3; n++)
        assert_int_equal(aio_queue_put_nowait(queue, aio_strdup("item")), 0);
    assert_int_equal(aio_queue_get_nowait(queue, NULL), 0);
    assert_int_equal(destroyed, 1);
    aio_queue_shutdown(queue, true);
    assert_int_equal(destroyed, 3);
    assert_true(aio_queue_empty(queue));
    assert_int_equal(aio_queue_get_nowait(queue, &item), AIO_EQUEUESHUTDOWN);
    assert_int_equal(aio_queue_task_done(queue), 0); /* the one that was got out */
    assert_int_equal(aio_queue_task_done(queue), AIO_EVALUE);
    aio_queue_unref(queue);
}

/* S104 */
static void queue_can_be_shut_down_again_and_at_once(void **state)
{
    aio_queue *queue = aio_queue_new(0);

    put(queue, 1);
    aio_queue_shutdown(queue, false);
    aio_queue_shutdown(queue, false);
    assert_int_equal(aio_queue_qsize(queue), 1);
    aio_queue_shutdown(queue, true);
    assert_int_equal(aio_queue_qsize(queue), 0);
    assert_int_equal(aio_queue_join(queue), 0);
    aio_queue_unref(queue);
}

static aio_queue *doomed;

static void drop_the_queue(void *item)
{
    destroyed++;
    if (destroyed == 1)
        aio_queue_unref(doomed);
}

static void queue_may_be_dropped_by_an_item_it_throws_away(void **state)
{
    static const aio_type type = {.destroy = drop_the_queue};
    int item;

    doomed = aio_queue_new(0);
    aio_queue_set_type(doomed, &type);
    for (int i = 0; i < 3; i++)
        assert_int_equal(aio_queue_put_nowait(doomed, &item), 0);
    aio_queue_shutdown(doomed, true);
    assert_int_equal(destroyed, 3);
}

static void queue_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    aio_queue *queue;
    void *item = &queue;

    aio__fail_allocation(1);
    queue = aio_queue_new(0);
    assert_null(queue);
    assert_int_equal(aio_queue_put(queue, NULL), AIO_ENOMEM);
    assert_int_equal(aio_queue_put_nowait(queue, NULL), AIO_ENOMEM);
    assert_int_equal(aio_queue_get(queue, &item), AIO_ENOMEM);
    assert_int_equal(aio_queue_get_nowait(queue, &item), AIO_ENOMEM);
    assert_int_equal(aio_queue_task_done(queue), AIO_ENOMEM);
    assert_int_equal(aio_queue_join(queue), AIO_ENOMEM);
    aio_queue_shutdown(queue, true);
    aio_queue_set_type(queue, &counted_string);
    assert_int_equal(aio_queue_qsize(queue), 0);
    assert_int_equal(aio_queue_maxsize(queue), 0);
    assert_true(aio_queue_empty(queue));
    assert_false(aio_queue_full(queue));
    assert_null(aio_queue_ref(queue));
    aio_queue_unref(queue);
    assert_ptr_equal(item, &queue);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, check_allocations)
    static const struct CMUnitTest tests[] = {
        TEST(queue_gives_the_oldest_item_first),
        TEST(lifo_queue_gives_the_newest_item_first),
        TEST(priority_queue_gives_the_least_item_first_and_of_equal_ones_the_oldest),
        TEST(priority_queue_needs_a_comparison),
        TEST(queue_tells_exactly_how_full_it_is),
        TEST(queue_that_is_full_refuses_an_item_put_without_waiting),
        TEST(queue_that_is_empty_has_nothing_to_give_without_waiting),
        TEST(queue_of_no_or_negative_size_has_no_limit),
        TEST(queue_with_room_and_items_needs_neither_task_nor_loop_nor_memory),
        TEST(queue_takes_null_as_an_item),
        TEST(queue_destroys_by_their_type_the_items_it_goes_with),
        TEST(queue_without_a_type_leaves_its_items_alone),
        TEST(queue_destroys_an_item_that_is_got_for_nobody),
        TEST(queue_leaves_an_item_it_did_not_take_to_the_caller),
        TEST(queue_counts_work_done_and_refuses_more_than_there_was),
        TEST(queue_shut_down_gives_what_is_left_and_takes_nothing),
        TEST(queue_shut_down_while_full_takes_nothing),
        TEST(queue_shut_down_at_once_throws_its_items_away_and_counts_them_as_done),
        TEST(queue_can_be_shut_down_again_and_at_once),
        TEST(queue_may_be_dropped_by_an_item_it_throws_away),
        TEST(queue_that_could_not_be_made_gives_the_code_of_the_failure),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
