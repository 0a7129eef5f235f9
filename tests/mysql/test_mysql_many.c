/* SPDX-License-Identifier: MIT */
/*
 * test_mysql_many.c - many rows of values by one call, with a real MariaDB
 */
#include "mysql/table.h"

#include <math.h>
#include <stdlib.h>

static int many_rows_of_values_are_inserted(unsigned flags, const char *sql)
{
    aio_mysql_value values[20];
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *reader = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(flags, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, 0, &reader));
    for (int i = 0; i < 10; i++) {
        values[2 * i] = aio_mysql_int(i + 1);
        values[2 * i + 1] = aio_mysql_text("x");
    }
    TRY(aio_mysql_executemany(cursor, sql, values, 10, 2));
    CHECK(aio_mysql_rowcount(cursor) == 10);
    CHECK_ROWS(reader, "SELECT COUNT(*), MAX(id) FROM t WHERE v = 'x'", "((10, 10),)");
    values[4] = aio_mysql_int(1);
    CHECK_CODE(aio_mysql_executemany(cursor, sql, values, 10, 2), AIO_MYSQL_EINTEGRITY);
    aio_mysql_cursor_unref(reader);
    return end(conn, cursor);
}

static int many_rows_by_text(void *arg, void **ret_result)
{
    return many_rows_of_values_are_inserted(0, "INSERT INTO t VALUES (%s, %s)");
}
TEST_OF(many_rows_by_text)

static int many_rows_by_a_prepared_statement(void *arg, void **ret_result)
{
    return many_rows_of_values_are_inserted(AIO_MYSQL_PREPARED, "INSERT INTO t VALUES (?, ?)");
}
TEST_OF(many_rows_by_a_prepared_statement)

/* How many statements the server has had of a kind, on a connection. */
static int count_statements(aio_mysql_cursor *reader, const char *kind, int *ret_count)
{
    const aio_mysql_row *row = NULL;
    aio_mysql_value value = aio_mysql_text(kind);

    TRY(aio_mysql_execute(reader, "SHOW SESSION STATUS LIKE %s", &value, 1));
    TRY(aio_mysql_fetchone(reader, &row));
    CHECK(row != NULL && row->count == 2);
    *ret_count = atoi(row->values[1].text);
    return 0;
}

enum { LONG_ROWS = 30, LONG_TEXT = 100000 };

static int rows_go_into_as_few_statements_as_their_size_allows(void *arg, void **ret_result)
{
    static const struct {
        const char *sql;
        int rows;
        int statements;
        const char *all;
    } works[] = {
        {"INSERT INTO t VALUES (%s, %s)", 10, 1, "((10, 10),)"},
        {" insert into t (id, v)\nvalue ( %s,%s ) ; ", 10, 1, "((10, 10),)"},
        {"REPLACE INTO t VALUES(%s, %s)", 10, 1, "((10, 10),)"},
        {"INSERT /* 100%% */ INTO t VALUES (%s, %s) ON DUPLICATE KEY UPDATE v = VALUES(v)", 10, 1,
         "((10, 10),)"},
        {"INSERT INTO t VALUES (%s, %s)", 1, 1, "((1, 1),)"},
        {"INSERT INTO t VALUES (%s, CONCAT(%s, ''))", 10, 10, "((10, 10),)"},
        {"INSERT INTO t SELECT %s, %s", 10, 10, "((10, 10),)"},
        {"INSERT INTO t VALUES (%s, %s) ON DUPLICATE KEY UPDATE v = '%%'", 10, 10, "((10, 10),)"},
    };
    aio_mysql_value values[20];
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *reader = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, 0, &reader));
    for (int i = 0; i < 10; i++) {
        values[2 * i] = aio_mysql_int(i + 1);
        values[2 * i + 1] = aio_mysql_text("a %s, 'b'");
    }
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        const char *kind = works[i].sql[0] == 'R'                   ? "Com_replace"
                           : strstr(works[i].sql, "SELECT") != NULL ? "Com_insert_select"
                                                                    : "Com_insert";
        int before = 0;
        int after = 0;

        TRY(aio_mysql_execute(cursor, "DELETE FROM t", NULL, 0));
        TRY(count_statements(reader, kind, &before));
        TRY(aio_mysql_executemany(cursor, works[i].sql, values, (size_t)works[i].rows, 2));
        CHECK(aio_mysql_rowcount(cursor) == works[i].rows);
        TRY(count_statements(reader, kind, &after));
        CHECK(after - before == works[i].statements);
        CHECK_ROWS(reader, "SELECT COUNT(*), MAX(id) FROM t WHERE v = 'a %s, ''b'''", works[i].all);
    }
    values[3] = aio_mysql_double(NAN);
    CHECK_CODE(aio_mysql_executemany(cursor, works[0].sql, values, 10, 2), AIO_EVALUE);
    CHECK_CODE(aio_mysql_executemany(cursor, works[0].sql, values, 5, 3), AIO_ETYPE);
    CHECK_CODE(aio_mysql_executemany(cursor, works[0].sql, values, SIZE_MAX, 3), AIO_EVALUE);
    CHECK_CODE(aio_mysql_executemany(cursor, works[0].sql, values, 0, 2), 0);
    aio_mysql_cursor_unref(reader);
    return end(conn, cursor);
}
TEST_OF(rows_go_into_as_few_statements_as_their_size_allows)

static int rows_of_more_than_a_statement_go_into_several(void *arg, void **ret_result)
{
    static char text[LONG_TEXT + 1];
    aio_mysql_value values[2 * LONG_ROWS];
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *prepared = NULL;
    aio_mysql_cursor *reader = NULL;
    aio_mysql *conn = NULL;
    int before = 0;
    int after = 0;

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, 0, &reader));
    TRY(aio_mysql_execute(cursor, "ALTER TABLE t MODIFY v LONGTEXT", NULL, 0));
    memset(text, 'x', LONG_TEXT);
    for (int i = 0; i < LONG_ROWS; i++) {
        values[2 * i] = aio_mysql_int(i + 1);
        values[2 * i + 1] = aio_mysql_text(text);
    }
    TRY(count_statements(reader, "Com_insert", &before));
    TRY(aio_mysql_executemany(cursor, "INSERT INTO t VALUES (%s, %s)", values, LONG_ROWS, 2));
    TRY(count_statements(reader, "Com_insert", &after));
    CHECK(aio_mysql_rowcount(cursor) == LONG_ROWS);
    CHECK(after - before == 3); /* ten in each */
    CHECK_ROWS(reader, "SELECT COUNT(*), SUM(LENGTH(v)) FROM t", "((30, Decimal('3000000')),)");
    TRY(aio_mysql_execute(reader, "DELETE FROM t", NULL, 0));
    TRY(aio_mysql_cursor_new(conn, AIO_MYSQL_PREPARED, &prepared));
    TRY(count_statements(reader, "Com_stmt_execute", &before));
    TRY(aio_mysql_executemany(prepared, "INSERT INTO t VALUES (?, ?)", values, LONG_ROWS, 2));
    TRY(count_statements(reader, "Com_stmt_execute", &after));
    CHECK(after - before == 3);
    CHECK_ROWS(reader, "SELECT COUNT(*), SUM(LENGTH(v)) FROM t", "((30, Decimal('3000000')),)");
    TRY(aio_mysql_cursor_close(prepared));
    aio_mysql_cursor_unref(prepared);
    aio_mysql_cursor_unref(reader);
    return end(conn, cursor);
}
TEST_OF(rows_of_more_than_a_statement_go_into_several)

/* Executions of a prepared INSERT, whose values are 1 to 10 and what a test makes of them. */
static int insert_prepared(aio_mysql_cursor *cursor, aio_mysql_cursor *reader, const char *sql,
                           const aio_mysql_value *values, int executions)
{
    int before = 0;
    int after = 0;

    TRY(aio_mysql_execute(reader, "DELETE FROM t", NULL, 0));
    TRY(count_statements(reader, "Com_stmt_execute", &before));
    TRY(aio_mysql_executemany(cursor, sql, values, 10, 2));
    CHECK(aio_mysql_rowcount(cursor) == 10);
    TRY(count_statements(reader, "Com_stmt_execute", &after));
    if (after - before != executions)
        return aio_raise(AIO_EASSERTION, "%s: %d executions", sql, after - before);
    return 0;
}

static int rows_of_a_prepared_insert_go_together(void *arg, void **ret_result)
{
    static const char *const alone[] = {
        "INSERT INTO t VALUES (?, CONCAT(?, ''))",
        "INSERT INTO t SELECT ?, ?",
        "INSERT INTO t (id, v) VALUES (?, ?) RETURNING id",
    };
    static const char sql[] = "INSERT INTO t VALUES (?, ?)";
    aio_mysql_value values[20];
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *reader = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(AIO_MYSQL_PREPARED, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, 0, &reader));
    for (int i = 0; i < 10; i++) {
        values[2 * i] = aio_mysql_int(i + 1);
        values[2 * i + 1] = i % 3 == 0 ? aio_mysql_null() : aio_mysql_text(i == 1 ? "" : "x");
    }
    TRY(insert_prepared(cursor, reader, sql, values, 1));
    CHECK_ROWS(reader, "SELECT SUM(id), SUM(v IS NULL), SUM(v = ''), SUM(v = 'x') FROM t",
               "((Decimal('55'), Decimal('4'), Decimal('1'), Decimal('5')),)");
    TRY(insert_prepared(cursor, reader, "REPLACE t VALUES ( ? , ? ) ;", values, 1));
    TRY(insert_prepared(cursor, reader,
                        "INSERT INTO t VALUES (?, ?) ON DUPLICATE KEY UPDATE v = VALUES(v)", values,
                        1));
    for (size_t i = 0; i < COUNT_OF(alone); i++)
        TRY(insert_prepared(cursor, reader, alone[i], values, 10));
    /* Another type of a column begins another execution: text, a number, text again. */
    values[9] = aio_mysql_double(0.5);
    TRY(insert_prepared(cursor, reader, sql, values, 3));
    CHECK_ROWS(reader, "SELECT v FROM t WHERE id BETWEEN 5 AND 6", "(('0.5',), ('x',))");
    aio_mysql_cursor_unref(reader);
    return end(conn, cursor);
}
TEST_OF(rows_of_a_prepared_insert_go_together)

static int prepared_rows_fail_together(void *arg, void **ret_result)
{
    static const char sql[] = "INSERT INTO t VALUES (?, ?)";
    aio_mysql_value values[20];
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *reader = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(AIO_MYSQL_PREPARED, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, 0, &reader));
    for (int i = 0; i < 10; i++) {
        values[2 * i] = aio_mysql_int(i + 1);
        values[2 * i + 1] = aio_mysql_null();
    }
    values[18] = aio_mysql_int(3);
    CHECK_CODE(aio_mysql_executemany(cursor, sql, values, 10, 2), AIO_MYSQL_EINTEGRITY);
    CHECK(aio_mysql_rowcount(cursor) == 0);
    CHECK_ROWS(reader, "SELECT COUNT(*) FROM t", "((0,),)");
    /* The statement is as good as before, for many rows and for one. */
    values[18] = aio_mysql_int(10);
    TRY(aio_mysql_executemany(cursor, sql, values, 10, 2));
    TRY(aio_mysql_execute(cursor, sql, AIO_MYSQL_ARGS(aio_mysql_int(11), aio_mysql_text("one"))));
    CHECK_ROWS(reader, "SELECT COUNT(*), SUM(v IS NULL), MAX(v) FROM t",
               "((11, Decimal('10'), 'one'),)");
    values[3] = aio_mysql_double(NAN);
    CHECK_CODE(aio_mysql_executemany(cursor, sql, values, 10, 2), AIO_EVALUE);
    CHECK_CODE(aio_mysql_executemany(cursor, sql, values, 5, 3), AIO_ETYPE);
    CHECK_CODE(aio_mysql_executemany(cursor, sql, values, 0, 2), 0);
    aio_mysql_cursor_unref(reader);
    return end(conn, cursor);
}
TEST_OF(prepared_rows_fail_together)

static int prepared_rows_that_give_way_are_warned_of(void *arg, void **ret_result)
{
    aio_mysql_value values[6];
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(AIO_MYSQL_PREPARED, &conn, &cursor));
    for (int i = 0; i < 3; i++) {
        values[2 * i] = aio_mysql_int(i == 2 ? 8 : 7 + i);
        values[2 * i + 1] = aio_mysql_text("x");
    }
    TRY(aio_mysql_executemany(cursor, "INSERT IGNORE INTO t VALUES (?, ?)", values, 3, 2));
    CHECK(aio_mysql_rowcount(cursor) == 2);
    CHECK(aio_mysql_warning_count(cursor) == 1);
    return end(conn, cursor);
}
TEST_OF(prepared_rows_that_give_way_are_warned_of)

static int prepared_rows_have_values_of_all_types(void *arg, void **ret_result)
{
    static const aio_mysql_time moment = {.year = 2024,
                                          .month = 2,
                                          .day = 29,
                                          .hour = 23,
                                          .minute = 59,
                                          .second = 58,
                                          .microsecond = 7};
    static const aio_mysql_time span = {.hour = 100, .minute = 1, .second = 2, .negative = true};
    aio_mysql_value row[7] = {
        aio_mysql_uint(UINT64_MAX),
        aio_mysql_double(1.5),
        aio_mysql_bytes("\0\xff", 2),
        aio_mysql_moment(AIO_MYSQL_DATE, moment),
        aio_mysql_moment(AIO_MYSQL_TIME, span),
        aio_mysql_moment(AIO_MYSQL_DATETIME, moment),
        aio_mysql_null(),
    };
    aio_mysql_value values[21];
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *reader = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(AIO_MYSQL_PREPARED, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, 0, &reader));
    TRY(aio_mysql_execute(reader,
                          "CREATE TEMPORARY TABLE all_types (a BIGINT UNSIGNED, b DOUBLE, c BLOB, "
                          "d DATE, e TIME, f DATETIME(6), g INT)",
                          NULL, 0));
    for (int i = 0; i < 3; i++)
        memcpy(values + 7 * i, row, sizeof(row));
    TRY(aio_mysql_executemany(cursor, "INSERT INTO all_types VALUES (?, ?, ?, ?, ?, ?, ?)", values,
                              3, 7));
    CHECK_ROWS(reader,
               "SELECT DISTINCT CONCAT(a), b, HEX(c), CONCAT(d), CONCAT(e), CONCAT(f), g, "
               "(SELECT COUNT(*) FROM t) FROM all_types",
               "(('18446744073709551615', 1.5, '00FF', '2024-02-29', '-100:01:02', "
               "'2024-02-29 23:59:58.000007', None, 0),)");
    aio_mysql_cursor_unref(reader);
    return end(conn, cursor);
}
TEST_OF(prepared_rows_have_values_of_all_types)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_rows_by_text),
        TEST(many_rows_by_a_prepared_statement),
        TEST(rows_go_into_as_few_statements_as_their_size_allows),
        TEST(rows_of_more_than_a_statement_go_into_several),
        TEST(rows_of_a_prepared_insert_go_together),
        TEST(prepared_rows_fail_together),
        TEST(prepared_rows_that_give_way_are_warned_of),
        TEST(prepared_rows_have_values_of_all_types),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
