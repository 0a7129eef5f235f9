/* SPDX-License-Identifier: MIT */
/*
 * test_deadlines.c - the queue of deadlines: runs, gaps in them, and the heap for the rest
 */
#include "base/deadlines.h"

#include "base/list.h"
#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <string.h>

struct due {
    struct aio__heap_item item;
    uint64_t key;
    size_t order; /* of putting in */
};

static struct due *due_of(struct aio__heap_item *item)
{
    return item == NULL ? NULL : aio__container_of(item, struct due, item);
}

/* The same numbers at every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void push(struct aio__deadlines *queue, struct due *due, uint64_t key)
{
    due->key = key;
    assert_int_equal(aio__deadlines_push(queue, key, &due->item), 0);
    assert_true(aio__heap_contains(&due->item));
}

/* Take the first out: it must be this one. */
static void expect(struct aio__deadlines *queue, struct due *due)
{
    assert_true(queue->first_key == due->key);
    assert_ptr_equal(due_of(aio__deadlines_pop(queue)), due);
    assert_false(aio__heap_contains(&due->item));
}

static void expect_empty(struct aio__deadlines *queue)
{
    assert_true(aio__deadlines_empty(queue));
    assert_true(queue->first_key == UINT64_MAX);
    assert_null(aio__deadlines_pop(queue));
}

static void deadlines_are_none_at_first(void **state)
{
    struct aio__deadlines queue;

    aio__deadlines_init(&queue);
    expect_empty(&queue);
    aio__deadlines_destroy(&queue);
}

static void deadlines_that_grow_are_one_run(void **state)
{
    static struct due dues[5000];
    struct aio__deadlines queue;

    memset(dues, 0, sizeof(dues));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        push(&queue, &dues[i], i / 3); /* some of them equal */
    assert_int_equal(queue.used, 1);
    assert_int_equal(queue.heap.count, 0);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        expect(&queue, &dues[i]);
    expect_empty(&queue);
    aio__deadlines_destroy(&queue);
}

static void deadlines_of_a_few_delays_need_no_more_runs(void **state)
{
    static const uint64_t delays[] = {30, 1000, 5, 30000};
    static struct due dues[4000];
    struct aio__deadlines queue;

    memset(dues, 0, sizeof(dues));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        push(&queue, &dues[i], 100 * i + delays[i % COUNT_OF(delays)]);
    assert_int_equal(queue.heap.count, 0);
    assert_true(queue.used <= COUNT_OF(delays));
    aio__deadlines_destroy(&queue);
}

static void deadlines_that_fall_use_all_runs_and_then_the_heap(void **state)
{
    static struct due dues[1000];
    struct aio__deadlines queue;

    memset(dues, 0, sizeof(dues));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        push(&queue, &dues[i], COUNT_OF(dues) - i);
    assert_int_equal(queue.used, AIO__RUNS);
    assert_int_equal(queue.heap.count, COUNT_OF(dues) - AIO__RUNS);
    for (size_t i = COUNT_OF(dues); i-- > 0;)
        expect(&queue, &dues[i]);
    expect_empty(&queue);
    aio__deadlines_destroy(&queue);
}

static void deadlines_far_away_do_not_keep_the_near_ones_from_a_run(void **state)
{
    static struct due far[AIO__RUNS + 4];
    static struct due near[1000];
    struct aio__deadlines queue;

    memset(far, 0, sizeof(far));
    memset(near, 0, sizeof(near));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(far); i++)
        push(&queue, &far[i], 1000000 - i);
    for (size_t i = 0; i < COUNT_OF(near); i++)
        push(&queue, &near[i], i);
    assert_true(queue.heap.count <= COUNT_OF(far));
    for (size_t i = 0; i < COUNT_OF(near); i++)
        expect(&queue, &near[i]);
    for (size_t i = COUNT_OF(far); i-- > 0;)
        expect(&queue, &far[i]);
    aio__deadlines_destroy(&queue);
}

/* Some of the equal ones lie in runs, some in the heap. */
static void deadlines_that_are_equal_come_in_the_order_made(void **state)
{
    enum { FALLING = AIO__RUNS + 1 };
    static struct due falling[FALLING];
    struct due equal[3] = {0};
    struct aio__deadlines queue;

    memset(falling, 0, sizeof(falling));
    aio__deadlines_init(&queue);
    push(&queue, &equal[0], 50);
    for (size_t i = 0; i < FALLING; i++)
        push(&queue, &falling[i], 49 - i);
    push(&queue, &equal[1], 50);
    push(&queue, &equal[2], 50);
    for (size_t i = FALLING; i-- > 0;)
        expect(&queue, &falling[i]);
    for (size_t i = 0; i < COUNT_OF(equal); i++)
        expect(&queue, &equal[i]);
    aio__deadlines_destroy(&queue);
}

static void deadlines_may_be_as_late_as_can_be(void **state)
{
    struct due dues[3] = {0};
    struct aio__deadlines queue;

    aio__deadlines_init(&queue);
    push(&queue, &dues[0], UINT64_MAX);
    assert_false(aio__deadlines_empty(&queue));
    push(&queue, &dues[2], UINT64_MAX);
    push(&queue, &dues[1], 7);
    expect(&queue, &dues[1]);
    expect(&queue, &dues[0]);
    expect(&queue, &dues[2]);
    expect_empty(&queue);
    aio__deadlines_destroy(&queue);
}

static void deadlines_taken_out_are_skipped(void **state)
{
    static struct due dues[200];
    struct aio__deadlines queue;

    memset(dues, 0, sizeof(dues));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        push(&queue, &dues[i], i);
    for (size_t i = 0; i < COUNT_OF(dues); i++) {
        if (i % 10 == 3)
            continue;
        aio__deadlines_remove(&queue, &dues[i].item);
        assert_false(aio__heap_contains(&dues[i].item));
        aio__deadlines_remove(&queue, &dues[i].item); /* again: nothing happens */
    }
    for (size_t i = 3; i < COUNT_OF(dues); i += 10)
        expect(&queue, &dues[i]);
    expect_empty(&queue);
    aio__deadlines_destroy(&queue);
}

static void deadlines_destroyed_let_their_items_go(void **state)
{
    static struct due dues[AIO__RUNS * 2];
    struct aio__deadlines queue;

    memset(dues, 0, sizeof(dues));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        push(&queue, &dues[i], 100 - i); /* in runs, and in the heap */
    aio__deadlines_destroy(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        assert_false(aio__heap_contains(&dues[i].item));
    expect_empty(&queue);
}

/* --- against the plainest model: an array without order, searched from end to end ------ */

enum { DUES = 300 };

struct model {
    struct aio__deadlines queue;
    struct due dues[DUES];
    uint64_t (*key)(uint32_t *seed, uint64_t now);
    uint64_t now;
    size_t order;
    uint32_t seed;
};

static struct due *model_first(struct model *model)
{
    struct due *first = NULL;

    for (size_t i = 0; i < DUES; i++) {
        struct due *due = &model->dues[i];

        if (!aio__heap_contains(&due->item))
            continue;
        if (first == NULL || due->key < first->key ||
            (due->key == first->key && due->order < first->order))
            first = due;
    }
    return first;
}

static void change(struct model *model)
{
    struct due *due = &model->dues[next_random(&model->seed) % DUES];
    struct due *first;

    if (!aio__heap_contains(&due->item)) {
        due->order = model->order++;
        push(&model->queue, due, model->key(&model->seed, model->now));
    } else if (next_random(&model->seed) % 2 == 0) {
        expect(&model->queue, model_first(model));
    } else {
        aio__deadlines_remove(&model->queue, &due->item);
    }
    first = model_first(model);
    assert_true(aio__deadlines_empty(&model->queue) == (first == NULL));
    assert_true(model->queue.first_key == (first == NULL ? UINT64_MAX : first->key));
    model->now += next_random(&model->seed) % 3;
}

static void agree_with_model(uint64_t (*key)(uint32_t *seed, uint64_t now))
{
    static struct model model;

    memset(&model, 0, sizeof(model));
    aio__deadlines_init(&model.queue);
    model.key = key;
    model.seed = 1;
    for (int i = 0; i < 20000; i++)
        change(&model);
    aio__deadlines_destroy(&model.queue);
}

static uint64_t anything(uint32_t *seed, uint64_t now)
{
    return next_random(seed) % 1000;
}

static uint64_t few_delays(uint32_t *seed, uint64_t now)
{
    static const uint64_t delays[] = {0, 10, 500, 3000};

    return now + delays[next_random(seed) % COUNT_OF(delays)];
}

static uint64_t many_delays(uint32_t *seed, uint64_t now)
{
    return now + next_random(seed) % 60 * 10;
}

static void deadlines_agree_with_a_search_whatever_they_are(void **state)
{
    agree_with_model(anything);
}

static void deadlines_agree_with_a_search_if_they_have_few_delays(void **state)
{
    agree_with_model(few_delays);
}

static void deadlines_agree_with_a_search_if_they_have_many_delays(void **state)
{
    agree_with_model(many_delays);
}

/* --- memory ---------------------------------------------------------------------------- */

static void deadlines_give_memory_back_when_mostly_popped(void **state)
{
    enum { MANY = 10000 };
    struct due *dues = calloc(MANY, sizeof(*dues));
    struct aio__deadlines queue;

    assert_non_null(dues);
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < MANY; i++)
        push(&queue, &dues[i], i);
    assert_true(queue.runs[queue.order[0]].capacity >= MANY);
    for (size_t i = 0; i < MANY; i++)
        expect(&queue, &dues[i]);
    for (unsigned number = 0; number < AIO__RUNS; number++)
        assert_true(queue.runs[number].capacity <= 1024);
    aio__deadlines_destroy(&queue);
    free(dues);
}

static void deadlines_give_memory_back_when_mostly_taken_out(void **state)
{
    enum { MANY = 10000 };
    struct due *dues = calloc(MANY, sizeof(*dues));
    struct aio__deadlines queue;

    assert_non_null(dues);
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < MANY; i++)
        push(&queue, &dues[i], i);
    for (size_t i = MANY - 1; i >= 5; i--)
        aio__deadlines_remove(&queue, &dues[i].item);
    assert_true(queue.runs[queue.order[0]].capacity <= 1024);
    for (size_t i = 0; i < 5; i++)
        expect(&queue, &dues[i]);
    expect_empty(&queue);
    aio__deadlines_destroy(&queue);
    free(dues);
}

static void deadlines_without_memory_to_shrink_with_work_on(void **state)
{
    static struct due dues[3000];
    struct aio__deadlines queue;

    memset(dues, 0, sizeof(dues));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        push(&queue, &dues[i], i);
    aio__fail_allocation(1);
    for (size_t i = 0; i < COUNT_OF(dues); i++)
        expect(&queue, &dues[i]);
    assert_true(aio__fail_allocation_happened());
    aio__deadlines_destroy(&queue);
}

/* Growing and falling ones, so that every kind of allocation is met. */
static void fill_short_of_memory(void *arg)
{
    static struct due dues[400];
    size_t *refused = arg;
    struct aio__deadlines queue;
    uint64_t last = 0;
    size_t in = 0;

    memset(dues, 0, sizeof(dues));
    aio__deadlines_init(&queue);
    for (size_t i = 0; i < COUNT_OF(dues); i++) {
        dues[i].key = i % 2 == 0 ? 1000 + i : 1000 - i;
        if (aio__deadlines_push(&queue, dues[i].key, &dues[i].item) == 0) {
            in++;
        } else {
            assert_false(aio__heap_contains(&dues[i].item));
            ++*refused;
        }
    }
    for (; in > 0; in--) {
        struct due *due = due_of(aio__deadlines_pop(&queue));

        assert_true(due->key >= last);
        last = due->key;
    }
    expect_empty(&queue);
    aio__deadlines_destroy(&queue);
}

static void deadlines_without_memory_refuse_one_and_keep_the_rest(void **state)
{
    size_t refused = 0;

    assert_true(with_each_allocation_failing(fill_short_of_memory, &refused) > 4);
    assert_true(refused >= 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(deadlines_are_none_at_first),
        TEST(deadlines_that_grow_are_one_run),
        TEST(deadlines_of_a_few_delays_need_no_more_runs),
        TEST(deadlines_that_fall_use_all_runs_and_then_the_heap),
        TEST(deadlines_far_away_do_not_keep_the_near_ones_from_a_run),
        TEST(deadlines_that_are_equal_come_in_the_order_made),
        TEST(deadlines_may_be_as_late_as_can_be),
        TEST(deadlines_taken_out_are_skipped),
        TEST(deadlines_destroyed_let_their_items_go),
        TEST(deadlines_agree_with_a_search_whatever_they_are),
        TEST(deadlines_agree_with_a_search_if_they_have_few_delays),
        TEST(deadlines_agree_with_a_search_if_they_have_many_delays),
        TEST(deadlines_give_memory_back_when_mostly_popped),
        TEST(deadlines_give_memory_back_when_mostly_taken_out),
        TEST(deadlines_without_memory_to_shrink_with_work_on),
        TEST(deadlines_without_memory_refuse_one_and_keep_the_rest),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
