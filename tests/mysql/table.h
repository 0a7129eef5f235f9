/* SPDX-License-Identifier: MIT */
/*
 * table.h - for tests/mysql: a connection to the service, an empty table, and its rows as text
 */
#ifndef TESTS_MYSQL_TABLE_H
#define TESTS_MYSQL_TABLE_H

#include "support/allocation.h"
#include "support/room.h"
#include "support/service.h"

#include <aio/mysql.h>

static inline aio_mysql_options options_of_service(void)
{
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = service_number("MARIADB_PORT");
    options.user = "root";
    options.password = service_info("MARIADB_PASSWORD");
    options.db = "test";
    options.autocommit = true;
    return options;
}

static inline int connect_to_service(aio_mysql **ret_conn)
{
    aio_mysql_options options = options_of_service();

    return aio_mysql_connect(&options, ret_conn);
}

/* Execute, and give all rows as text. */
static inline int rows_of(aio_mysql_cursor *cursor, const char *sql, char *text, size_t size)
{
    AIO_AUTO(aio_mysql_rows) rows = NULL;

    TRY(aio_mysql_execute(cursor, sql, NULL, 0));
    TRY(aio_mysql_fetchall(cursor, &rows));
    (void)aio_mysql_rows_repr(rows, text, size);
    return 0;
}

#define CHECK_ROWS(cursor, sql, expected)                                                          \
    do {                                                                                           \
        char check_rows_[2000];                                                                    \
        TRY(rows_of((cursor), (sql), check_rows_, sizeof(check_rows_)));                           \
        CHECK_TEXT(check_rows_, (expected));                                                       \
    } while (0)

/* A connection with a cursor, and an empty table `t`. */
static inline int begin(unsigned flags, aio_mysql **ret_conn, aio_mysql_cursor **ret_cursor)
{
    AIO_AUTO(aio_mysql_cursor) cursor = NULL;

    TRY(connect_to_service(ret_conn));
    TRY(aio_mysql_cursor_new(*ret_conn, 0, &cursor));
    TRY(aio_mysql_execute(cursor, "DROP TABLE IF EXISTS t", NULL, 0));
    TRY(aio_mysql_execute(
        cursor, "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))", NULL, 0));
    return aio_mysql_cursor_new(*ret_conn, flags, ret_cursor);
}

static inline int end(aio_mysql *conn, aio_mysql_cursor *cursor)
{
    int err = aio_mysql_cursor_close(cursor);

    aio_mysql_cursor_unref(cursor);
    aio_mysql_close(conn);
    aio_mysql_unref(conn);
    return err;
}

#define TEST_OF(body)                                                                              \
    static void body##_test(void **state)                                                          \
    {                                                                                              \
        room_run(body);                                                                            \
    }

#define TEST(body)                                                                                 \
    cmocka_unit_test_setup_teardown(body##_test, count_allocations, check_allocations)

#endif
