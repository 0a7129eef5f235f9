/* SPDX-License-Identifier: MIT */
/*
 * test_mysql_pool.c - a pool of connections to a real MariaDB, which comes and goes
 */
#include "support/allocation.h"
#include "support/cancelling.h"
#include "support/gate.h"
#include "support/room.h"
#include "support/service.h"

#include <aio/mysql.h>

#define TEST_OF(body)                                                                              \
    static void body##_test(void **state)                                                          \
    {                                                                                              \
        room_run(body);                                                                            \
    }

static int pool_to(int port, size_t min, size_t max, double timeout, aio_pool **ret_pool)
{
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;
    aio_pool_options sizes = AIO_POOL_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = port;
    options.user = "root";
    options.password = service_info("MARIADB_PASSWORD");
    options.db = "test";
    options.autocommit = true;
    options.timeout = timeout;
    options.connect_timeout = timeout == AIO_FOREVER ? 60 : timeout;
    sizes.min_size = min;
    sizes.max_size = max;
    return aio_mysql_pool_new(&options, &sizes, ret_pool);
}

static int pool_to_service(size_t min, size_t max, aio_pool **ret_pool)
{
    return pool_to(service_number("MARIADB_PORT"), min, max, AIO_FOREVER, ret_pool);
}

static int finish(aio_pool *pool)
{
    aio_pool_close(pool);
    TRY(aio_pool_wait_closed(pool));
    aio_pool_unref(pool);
    return room_turn();
}

static aio_pool_stats stats_of(const aio_pool *pool)
{
    aio_pool_stats stats = AIO_POOL_STATS_INIT;

    (void)aio_pool_get_stats(pool, &stats);
    return stats;
}

/* Execute by whatever connection is free. */
static int run(aio_pool *pool, const char *sql)
{
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;
    int err = aio_mysql_pool_enter(pool, &conn);

    if (err < 0)
        return err;
    err = aio_mysql_cursor_new(conn, 0, &cursor);
    if (err == 0)
        err = aio_mysql_execute(cursor, sql, NULL, 0);
    aio_mysql_cursor_unref(cursor);
    return aio_pool_exit(pool, conn, err);
}

static int sleep_a_second(void *arg, void **ret_result)
{
    return run(arg, "SELECT SLEEP(1)");
}

/* Twenty statements of a second: one after the other they would take twenty. */
static int connections_wait_at_the_same_time(void *arg, void **ret_result)
{
    double began = aio_loop_time(aio_get_running_loop());
    aio_task *tasks[20];
    aio_pool *pool = NULL;

    TRY(pool_to_service(0, 20, &pool));
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_create_task(sleep_a_second, pool);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        TRY(aio_await(tasks[i], NULL));
        aio_future_unref(tasks[i]);
    }
    CHECK(aio_loop_time(aio_get_running_loop()) - began < 15);
    return finish(pool);
}
TEST_OF(connections_wait_at_the_same_time)

static int read_three(void *arg, void **ret_result)
{
    return run(arg, "SELECT * FROM t_student");
}

static int many_tasks_share_few_connections(void *arg, void **ret_result)
{
    aio_task *tasks[50];
    aio_pool *pool = NULL;

    TRY(pool_to_service(1, 3, &pool));
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_create_task(read_three, pool);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        TRY(aio_await(tasks[i], NULL));
        aio_future_unref(tasks[i]);
    }
    CHECK(stats_of(pool).opened <= 3);
    return finish(pool);
}
TEST_OF(many_tasks_share_few_connections)

static int cancelled_statement_costs_a_connection_and_not_the_pool(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    aio_task *task;

    TRY(pool_to_service(0, 1, &pool));
    TRY(run(pool, "SELECT 1"));
    task = aio_create_task(sleep_a_second, pool);
    TRY(aio_sleep(0));
    TRY(aio_sleep(0));
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_future_unref(task);
    CHECK(stats_of(pool).closed == 1);
    TRY(run(pool, "SELECT 1"));
    CHECK(stats_of(pool).opened == 2);
    return finish(pool);
}
TEST_OF(cancelled_statement_costs_a_connection_and_not_the_pool)

static int connection_with_an_open_transaction_is_not_lent_again(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;

    TRY(pool_to_service(0, 1, &pool));
    TRY(run(pool, "BEGIN"));
    CHECK(stats_of(pool).closed == 1);
    TRY(run(pool, "SELECT 1"));
    CHECK(stats_of(pool).closed == 1);
    return finish(pool);
}
TEST_OF(connection_with_an_open_transaction_is_not_lent_again)

static int pool_survives_a_restart_of_the_server(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    int err;

    TRY(pool_to_service(2, 4, &pool));
    TRY(aio_pool_fill(pool));
    service_do("kill", "mariadb");
    err = run(pool, "SELECT 1");
    CHECK(err == AIO_MYSQL_EOPERATIONAL);
    service_do("start", "mariadb");
    for (int i = 0; i < 5; i++)
        TRY(run(pool, "SELECT 1"));
    CHECK(stats_of(pool).free <= 4);
    return finish(pool);
}
TEST_OF(pool_survives_a_restart_of_the_server)

static int server_that_stalls_costs_a_timeout_and_the_connection(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    int err;

    TRY(pool_to(service_number("MARIADB_PORT"), 0, 2, 0.5, &pool));
    TRY(run(pool, "SELECT 1"));
    service_do("freeze", "mariadb");
    err = run(pool, "SELECT 1");
    if (err == AIO_ETIMEDOUT)
        err = run(pool, "SELECT 1"); /* nor can one connect */
    service_do("thaw", "mariadb");
    CHECK(err == AIO_ETIMEDOUT);
    CHECK(stats_of(pool).free == 0);
    TRY(run(pool, "SELECT 1"));
    return finish(pool);
}
TEST_OF(server_that_stalls_costs_a_timeout_and_the_connection)

/* --- through a gate ------------------------------------------------------------------------------------- */

/* Wherever the answer is cut or stops, there is an error in time, and the next has another
 * connection. */
static int answers_end_anywhere(enum gate_mode mode, double timeout, size_t step, int code)
{
    struct gate gate;
    aio_pool *pool = NULL;
    size_t whole;

    TRY(gate_open(&gate, "127.0.0.1", service_number("MARIADB_PORT")));
    TRY(pool_to(gate.port, 0, 2, timeout, &pool));
    TRY(run(pool, "SELECT 1"));
    gate_set(&gate, GATE_OPEN, 0);
    TRY(run(pool, "SELECT * FROM t_student"));
    whole = gate.passed;
    CHECK(whole > 100);
    for (size_t after = 0; after < whole; after += step) {
        TRY(run(pool, "SELECT 1"));
        gate_set(&gate, mode, after);
        CHECK_CODE(run(pool, "SELECT * FROM t_student"), code);
        gate_set(&gate, GATE_OPEN, 0);
    }
    TRY(run(pool, "SELECT 1"));
    TRY(finish(pool));
    return gate_close(&gate);
}

static int answer_that_is_cut_anywhere_is_an_error(void *arg, void **ret_result)
{
    return answers_end_anywhere(GATE_CUT, 60, 7, AIO_MYSQL_EOPERATIONAL);
}
TEST_OF(answer_that_is_cut_anywhere_is_an_error)

static int answer_that_stalls_anywhere_ends_with_the_timeout(void *arg, void **ret_result)
{
    return answers_end_anywhere(GATE_STALL, 1, 60, AIO_ETIMEDOUT);
}
TEST_OF(answer_that_stalls_anywhere_ends_with_the_timeout)

/* So does a greeting. */
static int login_that_ends_anywhere_is_an_error(void *arg, void **ret_result)
{
    struct gate gate;
    aio_pool *pool = NULL;
    size_t whole;
    int err;

    TRY(gate_open(&gate, "127.0.0.1", service_number("MARIADB_PORT")));
    TRY(pool_to(gate.port, 0, 1, 60, &pool));
    TRY(run(pool, "BEGIN")); /* and it is not lent again */
    whole = gate.passed - 20;
    for (size_t after = 0; after < whole; after += 9) {
        gate_set(&gate, GATE_CUT, after);
        err = run(pool, "SELECT 1");
        CHECK(err == AIO_MYSQL_EOPERATIONAL);
    }
    TRY(finish(pool));
    TRY(pool_to(gate.port, 0, 1, 0.2, &pool));
    for (size_t after = 0; after < whole; after += 50) {
        gate_set(&gate, GATE_STALL, after);
        CHECK_CODE(run(pool, "SELECT 1"), AIO_ETIMEDOUT);
    }
    TRY(finish(pool));
    return gate_close(&gate);
}
TEST_OF(login_that_ends_anywhere_is_an_error)

/* --- cancellation, and shortage of memory ---------------------------------------------------------------- */

static int connect_and_read(void *arg, void **ret_result)
{
    aio_pool *pool = NULL;
    int err;

    TRY(pool_to_service(1, 2, &pool));
    err = read_three(pool, ret_result);
    if (err == 0)
        err = read_three(pool, ret_result);
    aio_pool_close(pool);
    aio_pool_unref(pool);
    return err;
}

static int cancellation_at_any_point_leaves_nothing(void *arg, void **ret_result)
{
    unsigned points = 0;

    TRY(cancel_at_each_point(connect_and_read, NULL, &points));
    CHECK(points >= 1); /* how often it waits is up to the server */
    return room_turn();
}
TEST_OF(cancellation_at_any_point_leaves_nothing)

static void pool_survives_each_allocation_failing(void **state)
{
    room_run_starved(connect_and_read);
}

#define TEST(body)                                                                                 \
    cmocka_unit_test_setup_teardown(body##_test, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_wait_at_the_same_time),
        TEST(many_tasks_share_few_connections),
        TEST(cancelled_statement_costs_a_connection_and_not_the_pool),
        TEST(connection_with_an_open_transaction_is_not_lent_again),
        TEST(pool_survives_a_restart_of_the_server),
        TEST(server_that_stalls_costs_a_timeout_and_the_connection),
        TEST(answer_that_is_cut_anywhere_is_an_error),
        TEST(answer_that_stalls_anywhere_ends_with_the_timeout),
        TEST(login_that_ends_anywhere_is_an_error),
        TEST(cancellation_at_any_point_leaves_nothing),
        cmocka_unit_test(pool_survives_each_allocation_failing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
