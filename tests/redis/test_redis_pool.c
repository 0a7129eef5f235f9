/* SPDX-License-Identifier: MIT */
/*
 * test_redis_pool.c - a pool of connections to a real redis-server, which comes and goes
 */
#include "support/allocation.h"
#include "support/cancelling.h"
#include "support/gate.h"
#include "support/room.h"
#include "support/service.h"

#include <aio/redis.h>
#include <stdio.h>

#define TEST_OF(body)                                                                              \
    static void body##_test(void **state)                                                          \
    {                                                                                              \
        room_run(body);                                                                            \
    }

static int pool_to(const char *url, size_t min, size_t max, double timeout, aio_pool **ret_pool)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_pool_options sizes = AIO_POOL_OPTIONS_INIT;

    options.url = url;
    options.timeout = timeout;
    options.connect_timeout = timeout;
    sizes.min_size = min;
    sizes.max_size = max;
    return aio_redis_pool_new(&options, &sizes, ret_pool);
}

/* Close it, and wait until its sockets are gone. */
static int finish(aio_pool *pool)
{
    aio_pool_close(pool);
    TRY(aio_pool_wait_closed(pool));
    aio_pool_unref(pool);
    return room_turn();
}

static size_t lent_or_free(const aio_pool *pool)
{
    aio_pool_stats stats = AIO_POOL_STATS_INIT;

    (void)aio_pool_get_stats(pool, &stats);
    return stats.lent + stats.free;
}

static int use_pool(void *arg, void **ret_result)
{
    aio_pool *pool = arg;
    aio_redis *redis = NULL;
    int err = aio_redis_pool_enter(pool, &redis);

    if (err < 0)
        return err;
    err = aio_redis_command(redis, NULL, "INCR used");
    return aio_pool_exit(pool, redis, err);
}

static int many_tasks_share_few_connections(void *arg, void **ret_result)
{
    AIO_AUTO(aio_redis_reply) reply = NULL;
    aio_task *tasks[50];
    aio_pool *pool = NULL;

    TRY(pool_to(service_info("REDIS_AUTH"), 1, 10, 30, &pool));
    TRY(aio_redis_pool_command(pool, NULL, "DEL used"));
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_create_task(use_pool, pool);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        TRY(aio_await(tasks[i], NULL));
        aio_future_unref(tasks[i]);
    }
    CHECK(lent_or_free(pool) <= 10);
    TRY(aio_redis_pool_command(pool, &reply, "GET used"));
    CHECK_TEXT(reply->text, "50");
    return finish(pool);
}
TEST_OF(many_tasks_share_few_connections)

static int pool_is_made_before_there_is_a_loop(void *arg, void **ret_result)
{
    aio_pool *pool = *(aio_pool **)arg;

    TRY(aio_redis_pool_command(pool, NULL, "PING"));
    return finish(pool);
}

static void pool_is_made_before_there_is_a_loop_test(void **state)
{
    static aio_pool *pool;

    assert_int_equal(pool_to(service_info("REDIS"), 0, 1, 30, &pool), 0);
    assert_int_equal(aio_run(pool_is_made_before_there_is_a_loop, &pool, NULL), 0);
}

static int pop_for_ever(void *arg, void **ret_result)
{
    return aio_redis_command(arg, NULL, "BLPOP nothing 0");
}

static int connection_that_still_waits_is_not_lent_again(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    aio_redis *redis = NULL;
    aio_task *task;

    TRY(pool_to(service_info("REDIS"), 0, 1, AIO_FOREVER, &pool));
    TRY(aio_redis_pool_acquire(pool, &redis));
    task = aio_create_task(pop_for_ever, redis);
    TRY(room_turn());
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_future_unref(task);
    TRY(aio_pool_release(pool, redis));
    TRY(aio_redis_pool_command(pool, NULL, "PING"));
    return finish(pool);
}
TEST_OF(connection_that_still_waits_is_not_lent_again)

static int pool_survives_a_restart_of_the_server(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    int err;

    TRY(pool_to(service_info("REDIS"), 2, 4, 30, &pool));
    TRY(aio_pool_fill(pool));
    service_do("kill", "redis");
    err = aio_redis_pool_command(pool, NULL, "PING");
    CHECK(err == AIO_REDIS_ECLOSED || err == -ECONNREFUSED || err == -ECONNRESET);
    CHECK_CODE(aio_redis_pool_command(pool, NULL, "PING"), -ECONNREFUSED);
    service_do("start", "redis");
    TRY(aio_redis_pool_command(pool, NULL, "PING"));
    TRY(aio_redis_pool_command(pool, NULL, "PING"));
    CHECK(lent_or_free(pool) <= 4);
    return finish(pool);
}
TEST_OF(pool_survives_a_restart_of_the_server)

static int server_that_stalls_costs_a_timeout_and_the_connection(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    int err;

    TRY(pool_to(service_info("REDIS"), 0, 2, 0.2, &pool));
    TRY(aio_redis_pool_command(pool, NULL, "PING"));
    service_do("freeze", "redis");
    err = aio_redis_pool_command(pool, NULL, "PING");
    service_do("thaw", "redis");
    CHECK(err == AIO_ETIMEDOUT);
    CHECK(lent_or_free(pool) == 0);
    TRY(aio_redis_pool_command(pool, NULL, "PING"));
    return finish(pool);
}
TEST_OF(server_that_stalls_costs_a_timeout_and_the_connection)

/* --- through a gate --------------------------------------------------------------------------- */

static int gate_to_redis(struct gate *gate, aio_pool **ret_pool)
{
    const char *port = strrchr(service_info("REDIS"), ':') + 1;
    char url[64];

    TRY(gate_open(gate, "127.0.0.1", atoi(port)));
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%d", gate->port);
    return pool_to(url, 0, 2, 0.5, ret_pool);
}

/* Wherever an answer is cut, there is an error and the next command has another connection. */
static int answer_that_is_cut_anywhere_is_an_error(void *arg, void **ret_result)
{
    struct gate gate;
    aio_pool *pool = NULL;
    int err;

    TRY(gate_to_redis(&gate, &pool));
    TRY(aio_redis_pool_command(pool, NULL, "DEL list"));
    TRY(aio_redis_pool_command(pool, NULL, "RPUSH list one two three"));
    for (size_t after = 0; after < 32; after++) { /* the answer has 34 bytes */
        gate_set(&gate, GATE_CUT, after);
        err = aio_redis_pool_command(pool, NULL, "LRANGE list 0 -1");
        CHECK(err == AIO_REDIS_ECLOSED);
        gate_set(&gate, GATE_OPEN, 0);
        TRY(aio_redis_pool_command(pool, NULL, "LRANGE list 0 -1"));
    }
    TRY(finish(pool));
    return gate_close(&gate);
}
TEST_OF(answer_that_is_cut_anywhere_is_an_error)

static int answer_that_stalls_anywhere_ends_with_the_timeout(void *arg, void **ret_result)
{
    struct gate gate;
    aio_pool *pool = NULL;

    TRY(gate_to_redis(&gate, &pool));
    for (size_t after = 0; after < 6; after += 5) { /* of +PONG and two more */
        TRY(aio_redis_pool_command(pool, NULL, "PING"));
        gate_set(&gate, GATE_STALL, after);
        CHECK_CODE(aio_redis_pool_command(pool, NULL, "PING"), AIO_ETIMEDOUT);
        gate_set(&gate, GATE_OPEN, 0);
        TRY(aio_redis_pool_command(pool, NULL, "PING"));
    }
    TRY(finish(pool));
    return gate_close(&gate);
}
TEST_OF(answer_that_stalls_anywhere_ends_with_the_timeout)

static int server_that_never_answers_ends_the_connecting(void *arg, void **ret_result)
{
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    struct gate gate;
    aio_redis *redis = NULL;
    int err;

    TRY(gate_open(&gate, "127.0.0.1", atoi(strrchr(service_info("REDIS"), ':') + 1)));
    gate_set(&gate, GATE_STALL, 0);
    options.host = "127.0.0.1";
    options.port = gate.port;
    options.password = "s3cret";
    options.connect_timeout = 0.2;
    err = aio_redis_connect(&options, &redis);
    CHECK(err == AIO_ETIMEDOUT);
    CHECK_TEXT(aio_error_text(err), "no connection to redis within 0.2 s");
    return gate_close(&gate);
}
TEST_OF(server_that_never_answers_ends_the_connecting)

/* --- cancellation -------------------------------------------------------------------------------- */

static int connect_and_use(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    int err;

    TRY(pool_to(service_info("REDIS_AUTH"), 2, 2, 30, &pool));
    err = use_pool(pool, ret_result);
    if (err == 0)
        err = use_pool(pool, ret_result);
    aio_pool_close(pool);
    aio_pool_unref(pool);
    return err;
}

static int cancellation_at_any_point_leaves_nothing(void *arg, void **ret_result)
{
    unsigned points = 0;

    TRY(cancel_at_each_point(connect_and_use, NULL, &points));
    CHECK(points >= 4);
    return room_turn();
}
TEST_OF(cancellation_at_any_point_leaves_nothing)

/* What one task left half done is no matter to the next. */
static int cancellation_at_any_point_leaves_the_pool_whole(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    unsigned points = 0;

    TRY(pool_to(service_info("REDIS_AUTH"), 0, 1, 30, &pool));
    TRY(cancel_at_each_point(use_pool, pool, &points));
    CHECK(points >= 1);
    TRY(aio_redis_pool_command(pool, NULL, "PING"));
    CHECK(lent_or_free(pool) == 1);
    return finish(pool);
}
TEST_OF(cancellation_at_any_point_leaves_the_pool_whole)

static int use_pool_twice(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    int err;

    TRY(pool_to(service_info("REDIS"), 1, 2, 30, &pool));
    err = aio_redis_pool_command(pool, NULL, "PING");
    if (err == 0)
        err = use_pool(pool, ret_result);
    aio_pool_close(pool);
    aio_pool_unref(pool);
    return err;
}

static void pool_survives_each_allocation_failing(void **state)
{
    room_run_starved(use_pool_twice);
}

#define TEST(body)                                                                                 \
    cmocka_unit_test_setup_teardown(body##_test, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_tasks_share_few_connections),
        TEST(pool_is_made_before_there_is_a_loop),
        TEST(connection_that_still_waits_is_not_lent_again),
        TEST(pool_survives_a_restart_of_the_server),
        TEST(server_that_stalls_costs_a_timeout_and_the_connection),
        TEST(answer_that_is_cut_anywhere_is_an_error),
        TEST(answer_that_stalls_anywhere_ends_with_the_timeout),
        TEST(server_that_never_answers_ends_the_connecting),
        TEST(cancellation_at_any_point_leaves_nothing),
        TEST(cancellation_at_any_point_leaves_the_pool_whole),
        cmocka_unit_test(pool_survives_each_allocation_failing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
