/* SPDX-License-Identifier: MIT */
/*
 * test_resource_pool.c - items lent to one task at a time: <aio/pool.h>
 */
#include "support/fixture.h"

#include <aio/pool.h>
#include <string.h>

/* What the pool's items are made of: numbers from 1 on. */
static struct {
    int opened;
    int closed;
    int open_code;    /* what opening gives, after its wait */
    double open_time; /* seconds */
    int broken;       /* the item that is of no use */
} shop;

static int open_item(void *arg, void **ret_item)
{
    int err = shop.open_time > 0 ? aio_sleep(shop.open_time) : 0;

    if (err == 0)
        err = shop.open_code;
    if (err == 0)
        *ret_item = (void *)(intptr_t)++shop.opened;
    return err;
}

static void close_item(void *arg, void *item)
{
    shop.closed++;
}

static bool item_is_usable(void *arg, void *item)
{
    return (intptr_t)item != shop.broken;
}

static const aio_pool_ops ops = {
    .size = sizeof(ops), .open = open_item, .close = close_item, .is_usable = item_is_usable};

static aio_pool *pool_of(size_t min, size_t max)
{
    aio_pool_options options = AIO_POOL_OPTIONS_INIT;

    options.ops = &ops;
    options.min_size = min;
    options.max_size = max;
    return aio_pool_new(&options);
}

static int setup(void **state)
{
    if (fx_setup(state) < 0)
        return -1;
    memset(&shop, 0, sizeof(shop));
    return 0;
}

/* All that was opened is closed once the pool is gone. */
static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    aio_pool_unref(f->subject);
    fx_settle(f); /* the pool's own task ends */
    assert_int_equal(shop.opened, shop.closed);
    return fx_teardown(state);
}

static aio_pool_stats stats_of(struct fixture *f)
{
    aio_pool_stats stats = AIO_POOL_STATS_INIT;

    assert_int_equal(aio_pool_get_stats(f->subject, &stats), 0);
    return stats;
}

/* --- what the tasks do ------------------------------------------------------------------ */

/* Use an item for a second. */
static int use(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    void *item = NULL;
    int err = aio_pool_enter(f->subject, &item);

    if (err < 0)
        return fx_note_code(f, "asked", err);
    fx_note(f, "has %d", (int)(intptr_t)item);
    err = aio_sleep(1);
    return aio_pool_exit(f->subject, item, err);
}

static int fill(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "filled", aio_pool_fill(f->subject));
}

static int close_and_wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    aio_pool_close(f->subject);
    return fx_note_code(f, "closed", aio_pool_wait_closed(f->subject));
}

/* --- tests ------------------------------------------------------------------------------ */

static void pool_opens_what_is_asked_for_and_lends_it_again(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(0, 2);
    fx_spawn(f, "A", use);
    fx_settle(f);
    fx_spawn(f, "B", use);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, B has 1");
    assert_int_equal(stats_of(f).free, 1);
    assert_int_equal(stats_of(f).opened, 1);
}

static void pool_lets_tasks_wait_in_their_order_when_all_is_lent(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(0, 2);
    for (int i = 0; i < 5; i++)
        fx_spawn(f, (char[]){(char)('A' + i), '\0'}, use);
    fx_step(f);
    fx_step(f);
    assert_int_equal(stats_of(f).lent, 2);
    assert_int_equal(stats_of(f).waiting, 3);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, B has 2, C has 1, D has 2, E has 1");
}

static void pool_never_has_more_than_its_maximum(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(3, 3);
    shop.open_time = 0.3;
    for (int i = 0; i < 7; i++)
        fx_spawn(f, "A", use);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, A has 2, A has 3, A has 1, A has 2, A has 3, A has 1");
    assert_int_equal(stats_of(f).free, 3);
}

static void pool_replaces_what_is_of_no_use_when_it_comes_back(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(0, 1);
    shop.broken = 1;
    fx_spawn(f, "A", use);
    fx_spawn(f, "B", use);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, B has 2");
    assert_int_equal(shop.closed, 1);
}

static void pool_replaces_what_broke_while_it_was_free(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(0, 1);
    fx_spawn(f, "A", use);
    fx_settle(f);
    shop.broken = 1;
    fx_spawn(f, "B", use);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, B has 2");
}

static void pool_replaces_what_has_grown_old(void **state)
{
    struct fixture *f = *state;
    aio_pool_options options = AIO_POOL_OPTIONS_INIT;

    options.ops = &ops;
    options.max_age = 5;
    f->subject = aio_pool_new(&options);
    fx_spawn(f, "A", use);
    fx_settle(f);
    fx_spawn(f, "B", use);
    fx_settle(f);
    aio_testing_advance(f->loop, 10);
    fx_spawn(f, "C", use);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, B has 1, C has 2");
}

static void pool_fills_itself_to_its_minimum_once_it_is_used(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(3, 5);
    fx_spawn(f, "A", use);
    fx_settle(f);
    fx_assert_trace(f, "A has 1");
    assert_int_equal(stats_of(f).free, 3);
}

static void pool_can_be_filled_beforehand(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(2, 5);
    fx_spawn(f, "A", fill);
    fx_settle(f);
    assert_int_equal(stats_of(f).free, 2);
    shop.open_code = -ECONNREFUSED;
    fx_spawn(f, "B", use);
    fx_settle(f);
    fx_assert_trace(f, "A filled, B has 1");
}

static void pool_that_cannot_open_says_why_and_lets_the_next_try(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(1, 1);
    shop.open_time = 1;
    shop.open_code = -ECONNREFUSED;
    fx_spawn(f, "A", use);
    fx_spawn(f, "B", use);
    fx_settle(f);
    fx_assert_trace(f, "A asked ! ConnectionRefusedError, B asked ! ConnectionRefusedError");
    shop.open_code = 0;
    fx_spawn(f, "C", use);
    fx_settle(f);
    fx_assert_trace(f, "C has 1");
    fx_spawn(f, "D", fill);
    fx_settle(f);
    fx_assert_trace(f, "D filled");
}

static void pool_gives_up_waiting_after_its_timeout(void **state)
{
    struct fixture *f = *state;
    aio_pool_options options = AIO_POOL_OPTIONS_INIT;

    options.ops = &ops;
    options.max_size = 1;
    options.acquire_timeout = 0.5;
    f->subject = aio_pool_new(&options);
    fx_spawn(f, "A", use);
    fx_spawn(f, "B", use);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, B asked ! TimeoutError");
}

static void pool_passes_on_what_a_cancelled_task_was_to_have(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    f->subject = pool_of(0, 1);
    shop.open_time = 1;
    a = fx_spawn(f, "A", use);
    fx_spawn(f, "B", use);
    fx_step(f);
    fx_step(f);
    assert_true(aio_task_cancel(a, NULL));
    fx_settle(f);
    fx_assert_trace(f, "A asked ! CancelledError, B has 1");
}

static void pool_that_is_closed_fails_all_who_wait_and_waits_for_what_is_lent(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(0, 1);
    fx_spawn(f, "A", use);
    fx_spawn(f, "B", use);
    fx_spawn(f, "C", use);
    fx_spawn(f, "D", close_and_wait);
    fx_settle(f);
    fx_assert_trace(f, "A has 1, B asked ! RuntimeError, C asked ! RuntimeError, D closed");
    assert_int_equal(shop.closed, 1);
    assert_true(aio_pool_is_closed(f->subject));
    fx_spawn(f, "E", use);
    fx_settle(f);
    fx_assert_trace(f, "E asked ! RuntimeError");
}

static void pool_that_is_closed_while_it_opens_keeps_nothing(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(2, 3);
    shop.open_time = 1;
    fx_spawn(f, "A", use);
    fx_spawn(f, "B", fill);
    fx_spawn(f, "C", close_and_wait);
    fx_settle(f);
    fx_assert_trace(f, "A asked ! RuntimeError, B filled ! RuntimeError, C closed");
    assert_int_equal(shop.opened, 2);
    assert_int_equal(shop.closed, 2);
}

static void pool_takes_back_only_what_it_has_lent(void **state)
{
    struct fixture *f = *state;

    f->subject = pool_of(0, 1);
    assert_int_equal(aio_pool_release(f->subject, (void *)(intptr_t)1), AIO_EVALUE);
}

static void pool_with_options_that_make_no_sense_is_refused(void **state)
{
    aio_pool_options options = AIO_POOL_OPTIONS_INIT;
    void *item;

    assert_null(aio_pool_new(NULL));
    assert_null(aio_pool_new(&options));
    options.ops = &ops;
    options.min_size = 11; /* of 10 */
    assert_null(aio_pool_new(&options));
    assert_int_equal(aio_pool_acquire(NULL, &item), AIO_EVALUE);
    assert_int_equal(aio_pool_release(NULL, NULL), AIO_EVALUE);
    assert_true(aio_pool_is_closed(NULL));
    aio_pool_close(NULL);
    aio_pool_unref(NULL);
}

/* Several tasks over a pool of two; whatever fails, all that was opened is closed. */
static void starve(void *arg)
{
    struct fixture f = {0};
    aio_pool *pool;

    memset(&shop, 0, sizeof(shop));
    if (!fx_open(&f))
        return;
    pool = pool_of(2, 2);
    f.subject = pool;
    shop.open_time = 0.1;
    for (int i = 0; i < 4 && pool != NULL; i++)
        (void)fx_spawn(&f, "A", use);
    if (pool != NULL)
        fx_settle(&f);
    fx_end_tasks(&f);
    aio_pool_unref(pool);
    fx_settle(&f);
    assert_int_equal(shop.opened, shop.closed);
    f.reports = 0;
    fx_close(&f);
}

static void pool_survives_each_allocation_failing(void **state)
{
    assert_true(with_each_allocation_failing(starve, NULL) > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pool_opens_what_is_asked_for_and_lends_it_again),
        TEST(pool_lets_tasks_wait_in_their_order_when_all_is_lent),
        TEST(pool_never_has_more_than_its_maximum),
        TEST(pool_replaces_what_is_of_no_use_when_it_comes_back),
        TEST(pool_replaces_what_broke_while_it_was_free),
        TEST(pool_replaces_what_has_grown_old),
        TEST(pool_fills_itself_to_its_minimum_once_it_is_used),
        TEST(pool_can_be_filled_beforehand),
        TEST(pool_that_cannot_open_says_why_and_lets_the_next_try),
        TEST(pool_gives_up_waiting_after_its_timeout),
        TEST(pool_passes_on_what_a_cancelled_task_was_to_have),
        TEST(pool_that_is_closed_fails_all_who_wait_and_waits_for_what_is_lent),
        TEST(pool_that_is_closed_while_it_opens_keeps_nothing),
        TEST(pool_takes_back_only_what_it_has_lent),
        TEST(pool_with_options_that_make_no_sense_is_refused),
        cmocka_unit_test_setup_teardown(pool_survives_each_allocation_failing, count_allocations,
                                        check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
