/* SPDX-License-Identifier: MIT */
/*
 * test_mysql_values.c - values to a real MariaDB and back, by text and by prepared statements
 */
#include "support/allocation.h"
#include "support/room.h"
#include "support/service.h"

#include <aio/memory.h>
#include <aio/mysql.h>
#include <locale.h>
#include <stdio.h>

/* A connection with a cursor by text and one that prepares. */
struct pair {
    aio_mysql *conn;
    aio_mysql_cursor *text;
    aio_mysql_cursor *prepared;
};

static int open_pair(struct pair *pair, const char *charset)
{
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;

    *pair = (struct pair){0};
    options.host = "127.0.0.1";
    options.port = service_number("MARIADB_PORT");
    options.user = "root";
    options.password = service_info("MARIADB_PASSWORD");
    options.db = "test";
    options.charset = charset;
    options.autocommit = true;
    TRY(aio_mysql_connect(&options, &pair->conn));
    TRY(aio_mysql_cursor_new(pair->conn, 0, &pair->text));
    return aio_mysql_cursor_new(pair->conn, AIO_MYSQL_PREPARED, &pair->prepared);
}

static int close_pair(struct pair *pair)
{
    aio_mysql_cursor_unref(pair->text);
    aio_mysql_cursor_unref(pair->prepared);
    aio_mysql_unref(pair->conn);
    return 0;
}

static int print_rows(aio_mysql_cursor *cursor, char *text, size_t size)
{
    AIO_AUTO(aio_mysql_rows) rows = NULL;

    TRY(aio_mysql_fetchall(cursor, &rows));
    (void)aio_mysql_rows_repr(rows, text, size);
    return 0;
}

/* Either way a statement gives the same. */
static int check_both(struct pair *pair, const char *sql, const char *expected)
{
    char text[2000];

    TRY(aio_mysql_execute(pair->text, sql, NULL, 0));
    TRY(print_rows(pair->text, text, sizeof(text)));
    CHECK_TEXT(text, expected);
    TRY(aio_mysql_execute(pair->prepared, sql, NULL, 0));
    TRY(print_rows(pair->prepared, text, sizeof(text)));
    CHECK_TEXT(text, expected);
    return 0;
}

#define TEST_OF(body)                                                                              \
    static void body##_test(void **state)                                                          \
    {                                                                                              \
        room_run(body);                                                                            \
    }

/* --- columns ---------------------------------------------------------------------------------------- */

static int every_type_of_column_comes_as_itself(void *arg, void **ret_result)
{
    static const char *const create =
        "CREATE OR REPLACE TABLE kinds (a TINYINT, b SMALLINT UNSIGNED, c INT, d BIGINT, "
        "e BIGINT UNSIGNED, f FLOAT, g DOUBLE, h DECIMAL(12,3), i DATE, j TIME(6), k DATETIME(6), "
        "l TIMESTAMP NULL, m YEAR, n CHAR(3), o VARCHAR(20), p TEXT, q BLOB, r VARBINARY(4), "
        "s BIT(10), t ENUM('x','y'), u SET('p','q'), v JSON) CHARACTER SET utf8mb4";
    static const char *const insert =
        "INSERT INTO kinds VALUES (-5, 65535, -2147483648, -9223372036854775808, "
        "18446744073709551615, 0.5, -1e300, -123456.700, '2024-02-29', '-101:02:03.000004', "
        "'2024-02-29 13:14:15.000016', '2001-02-03 04:05:06', 1999, 'abc', '张三', 'it''s', "
        "X'00FF', X'01', b'1000000001', 'y', 'p,q', '{\"a\": 1}')";
    struct pair pair;

    TRY(open_pair(&pair, NULL));
    TRY(aio_mysql_execute(pair.text, create, NULL, 0));
    TRY(aio_mysql_execute(pair.text, insert, NULL, 0));
    TRY(aio_mysql_execute(pair.text, "INSERT INTO kinds (a) VALUES (NULL)", NULL, 0));
    TRY(check_both(&pair, "SELECT a, b, c, d, e, f, g, h FROM kinds WHERE b IS NOT NULL",
                   "((-5, 65535, -2147483648, -9223372036854775808, 18446744073709551615, 0.5, "
                   "-1e+300, Decimal('-123456.700')),)"));
    TRY(check_both(&pair, "SELECT i, j, k, l, m FROM kinds WHERE b IS NOT NULL",
                   "((datetime.date(2024, 2, 29), datetime.timedelta(days=-5, seconds=68276, "
                   "microseconds=999996), datetime.datetime(2024, 2, 29, 13, 14, 15, 16), "
                   "datetime.datetime(2001, 2, 3, 4, 5, 6), 1999),)"));
    TRY(check_both(&pair, "SELECT n, o, p, q, r, s, t, u, v FROM kinds WHERE b IS NOT NULL",
                   "(('abc', '张三', \"it's\", b'\\x00\\xff', b'\\x01', b'\\x02\\x01', 'y', 'p,q', "
                   "'{\"a\": 1}'),)"));
    TRY(check_both(&pair, "SELECT a, f, h, i, j, k, o, q, s FROM kinds WHERE b IS NULL",
                   "((None, None, None, None, None, None, None, None, None),)"));
    TRY(check_both(&pair, "SELECT '', X'', 0, NULL", "(('', b'', 0, None),)"));
    return close_pair(&pair);
}
TEST_OF(every_type_of_column_comes_as_itself)

static int numbers_print_as_pythons_do(void *arg, void **ret_result)
{
    static const struct {
        double number;
        const char *printed;
    } cases[] = {{0, "(0.0,)"},
                 {-0.0, "(-0.0,)"},
                 {1, "(1.0,)"},
                 {0.1, "(0.1,)"},
                 {1e15, "(1000000000000000.0,)"},
                 {1e16, "(1e+16,)"},
                 {0.0001, "(0.0001,)"},
                 {0.00001, "(1e-05,)"},
                 {1.5e-7, "(1.5e-07,)"},
                 {123456.789, "(123456.789,)"},
                 {1e22, "(1e+22,)"},
                 {5e-324, "(5e-324,)"},
                 {1e100, "(1e+100,)"}};
    char text[64];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        aio_mysql_value value = aio_mysql_double(cases[i].number);
        aio_mysql_row row = {&value, 1};

        (void)aio_mysql_row_repr(&row, text, sizeof(text));
        CHECK_TEXT(text, cases[i].printed);
    }
    CHECK(aio_mysql_row_repr(NULL, text, 3) == 4);
    CHECK_TEXT(text, "No");
    return 0;
}
TEST_OF(numbers_print_as_pythons_do)

static int dates_print_as_pythons_do(void *arg, void **ret_result)
{
    struct pair pair;

    TRY(open_pair(&pair, NULL));
    TRY(check_both(&pair,
                   "SELECT TIME'00:00:00', TIME'25:00:01', TIMESTAMP'2024-01-02 00:00:00', "
                   "TIMESTAMP'2024-01-02 03:04:00', TIMESTAMP'2024-01-02 03:04:00.5'",
                   "((datetime.timedelta(0), datetime.timedelta(days=1, seconds=3601), "
                   "datetime.datetime(2024, 1, 2, 0, 0), datetime.datetime(2024, 1, 2, 3, 4), "
                   "datetime.datetime(2024, 1, 2, 3, 4, 0, 500000)),)"));
    TRY(aio_mysql_execute(pair.text, "SET sql_mode = ''", NULL, 0));
    TRY(check_both(&pair, "SELECT CAST('0000-00-00' AS DATE)", "(('0000-00-00',),)"));
    return close_pair(&pair);
}
TEST_OF(dates_print_as_pythons_do)

/* --- parameters ---------------------------------------------------------------------------------------- */

/* A value goes to the server and comes back the same, both ways. */
static int check_round_trip(struct pair *pair, aio_mysql_value value, const char *cast,
                            const char *expected)
{
    char sql[200];
    char text[2000];

    (void)snprintf(sql, sizeof(sql), "SELECT %s%%s%s", cast == NULL ? "" : "CAST(",
                   cast == NULL ? "" : cast);
    TRY(aio_mysql_execute(pair->text, sql, &value, 1));
    TRY(print_rows(pair->text, text, sizeof(text)));
    CHECK_TEXT(text, expected);
    (void)snprintf(sql, sizeof(sql), "SELECT %s?%s", cast == NULL ? "" : "CAST(",
                   cast == NULL ? "" : cast);
    TRY(aio_mysql_execute(pair->prepared, sql, &value, 1));
    TRY(print_rows(pair->prepared, text, sizeof(text)));
    CHECK_TEXT(text, expected);
    return 0;
}

static int values_go_and_come_back_the_same(void *arg, void **ret_result)
{
    const aio_mysql_time moment = {.year = 2024,
                                   .month = 2,
                                   .day = 29,
                                   .hour = 13,
                                   .minute = 14,
                                   .second = 15,
                                   .microsecond = 16};
    const aio_mysql_time long_ago = {
        .negative = true, .hour = 101, .minute = 2, .second = 3, .microsecond = 4};
    struct pair pair;

    TRY(open_pair(&pair, NULL));
    TRY(check_round_trip(&pair, aio_mysql_null(), NULL, "((None,),)"));
    TRY(check_round_trip(&pair, aio_mysql_int(INT64_MIN + 1), NULL, "((-9223372036854775807,),)"));
    TRY(check_round_trip(&pair, aio_mysql_uint(UINT64_MAX), NULL, "((18446744073709551615,),)"));
    TRY(check_round_trip(&pair, aio_mysql_double(0.1), NULL, "((0.1,),)"));
    TRY(check_round_trip(&pair, aio_mysql_double(-1.5e-300), NULL, "((-1.5e-300,),)"));
    TRY(check_round_trip(&pair, aio_mysql_decimal("-12.50"), " AS DECIMAL(10,2))",
                         "((Decimal('-12.50'),),)"));
    TRY(check_round_trip(&pair, aio_mysql_text("张三 😀"), NULL, "(('张三 😀',),)"));
    TRY(check_round_trip(&pair, aio_mysql_text(""), NULL, "(('',),)"));
    TRY(check_round_trip(&pair, aio_mysql_bytes("a\0b'\\\xff", 6), " AS BINARY)",
                         "((b\"a\\x00b'\\\\\\xff\",),)"));
    TRY(check_round_trip(&pair, aio_mysql_bytes(NULL, 0), NULL, "((b'',),)"));
    TRY(check_round_trip(&pair, aio_mysql_moment(AIO_MYSQL_DATE, moment), " AS DATE)",
                         "((datetime.date(2024, 2, 29),),)"));
    TRY(check_round_trip(&pair, aio_mysql_moment(AIO_MYSQL_DATETIME, moment), " AS DATETIME(6))",
                         "((datetime.datetime(2024, 2, 29, 13, 14, 15, 16),),)"));
    TRY(check_round_trip(&pair, aio_mysql_moment(AIO_MYSQL_TIME, long_ago), " AS TIME(6))",
                         "((datetime.timedelta(days=-5, seconds=68276, microseconds=999996),),)"));
    return close_pair(&pair);
}
TEST_OF(values_go_and_come_back_the_same)

/* A prepared statement whose table has changed gives what it has become. */
static int table_that_changes_is_noticed(void *arg, void **ret_result)
{
    struct pair pair;
    char text[100];

    TRY(open_pair(&pair, NULL));
    TRY(aio_mysql_execute(pair.text, "CREATE OR REPLACE TABLE changing (a INT)", NULL, 0));
    TRY(aio_mysql_execute(pair.text, "INSERT INTO changing VALUES (1)", NULL, 0));
    TRY(check_both(&pair, "SELECT * FROM changing", "((1,),)"));
    TRY(aio_mysql_execute(pair.text, "ALTER TABLE changing CHANGE a b VARCHAR(10)", NULL, 0));
    TRY(aio_mysql_execute(pair.prepared, "SELECT * FROM changing", NULL, 0));
    TRY(print_rows(pair.prepared, text, sizeof(text)));
    CHECK_TEXT(text, "(('1',),)");
    TRY(aio_mysql_execute(pair.text, "ALTER TABLE changing ADD c INT DEFAULT 7", NULL, 0));
    CHECK_CODE(aio_mysql_execute(pair.prepared, "SELECT * FROM changing", NULL, 0),
               AIO_MYSQL_EOPERATIONAL); /* libmariadb has no place for the second column */
    TRY(check_both(&pair, "SELECT * FROM changing", "(('1', 7),)"));
    return close_pair(&pair);
}
TEST_OF(table_that_changes_is_noticed)

/* What a value contains never becomes part of the statement. */
static int check_injections(struct pair *pair)
{
    static const char *const texts[] = {
        "'; DROP TABLE t_student; -- ",
        "\\'; DROP TABLE t_student; -- ",
        "\\",
        "'",
        "\"",
        "%s",
        "?",
        "\n\r\x1a",
        "' OR '1'='1",
        "\xbf' OR 1=1 -- ",
        "\xe5\\' OR 1=1 -- ",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AIO_AUTO(aio_mysql_rows) rows = NULL;
        AIO_AUTO(aio_mysql_rows) bytes = NULL;
        aio_mysql_value value = aio_mysql_bytes(texts[i], strlen(texts[i]));
        int err;

        /* As text, what the charset does not know is refused or replaced, and no more. */
        err = aio_mysql_execute(pair->text, "SELECT COUNT(*) FROM t_student WHERE name = %s",
                                AIO_MYSQL_ARGS(aio_mysql_text(texts[i])));
        if (err == 0) {
            TRY(aio_mysql_fetchall(pair->text, &rows));
            CHECK(rows->rows[0].values[0].integer == 0);
        }
        CHECK(err != AIO_MYSQL_EPROGRAMMING);
        TRY(aio_mysql_execute(pair->text, "SELECT CAST(%s AS BINARY)", &value, 1));
        TRY(aio_mysql_fetchall(pair->text, &bytes));
        CHECK(bytes->rows[0].values[0].size == value.size &&
              memcmp(bytes->rows[0].values[0].text, texts[i], value.size) == 0);
    }
    return 0;
}

static int values_are_never_part_of_the_statement(void *arg, void **ret_result)
{
    static const char *const charsets[] = {"utf8mb4", "gbk", "latin1", "sjis"};
    char data[] = "a\0b'\\c";
    struct pair pair;

    for (size_t i = 0; i < COUNT_OF(charsets); i++) {
        TRY(open_pair(&pair, charsets[i]));
        TRY(check_injections(&pair));
        TRY(aio_mysql_execute(pair.text, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", NULL, 0));
        TRY(check_injections(&pair));
        TRY(close_pair(&pair));
    }
    TRY(open_pair(&pair, NULL));
    for (int mode = 0; mode < 2; mode++) {
        aio_mysql_value value = aio_mysql_bytes(data, sizeof(data) - 1);

        value.type = AIO_MYSQL_TEXT; /* with a 0 in the middle */
        TRY(check_round_trip(&pair, value, NULL, "((\"a\\x00b'\\\\c\",),)"));
        TRY(aio_mysql_execute(pair.text, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", NULL, 0));
    }
    TRY(check_both(&pair, "SELECT COUNT(*) FROM t_student", "((3,),)"));
    return close_pair(&pair);
}
TEST_OF(values_are_never_part_of_the_statement)

static int value_that_cannot_be_written_is_refused(void *arg, void **ret_result)
{
    static const char *const decimals[] = {"", "-", "1e5", "1;DROP TABLE t", "1.2.3", "."};
    aio_mysql_time time = {.month = 13};
    struct pair pair;
    char *sql = NULL;

    TRY(open_pair(&pair, NULL));
    for (size_t i = 0; i < COUNT_OF(decimals); i++)
        CHECK_CODE(aio_mysql_escape(pair.conn, aio_mysql_decimal(decimals[i]), &sql), AIO_EVALUE);
    CHECK_CODE(aio_mysql_escape(pair.conn, aio_mysql_moment(AIO_MYSQL_DATE, time), &sql),
               AIO_EVALUE);
    CHECK_CODE(aio_mysql_escape(pair.conn, (aio_mysql_value){.type = 77}, &sql), AIO_EVALUE);
    TRY(aio_mysql_escape(pair.conn, aio_mysql_text("it's"), &sql));
    CHECK_TEXT(sql, "'it\\'s'");
    aio_free(sql);
    CHECK_CODE(aio_mysql_execute(pair.prepared, "SELECT ?", NULL, 0), AIO_ETYPE);
    return close_pair(&pair);
}
TEST_OF(value_that_cannot_be_written_is_refused)

/* With a comma for a point, numbers are the same. */
static int locale_does_not_matter(void *arg, void **ret_result)
{
    struct pair pair;

    TRY(open_pair(&pair, NULL));
    TRY(check_round_trip(&pair, aio_mysql_double(0.25), NULL, "((0.25,),)"));
    return close_pair(&pair);
}

static void locale_does_not_matter_test(void **state)
{
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
        skip();
    room_run(locale_does_not_matter);
    (void)setlocale(LC_NUMERIC, "C");
}

static int send_and_fetch(void *arg, void **ret_result)
{
    struct pair pair;
    int err = open_pair(&pair, NULL);

    if (err == 0)
        err = check_round_trip(&pair, aio_mysql_text("a longer text, for a chunk of its own"), NULL,
                               "(('a longer text, for a chunk of its own',),)");
    (void)close_pair(&pair);
    return err;
}

static void values_survive_each_allocation_failing(void **state)
{
    room_run_starved(send_and_fetch);
}

#define TEST(body)                                                                                 \
    cmocka_unit_test_setup_teardown(body##_test, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_of_column_comes_as_itself),
        TEST(numbers_print_as_pythons_do),
        TEST(dates_print_as_pythons_do),
        TEST(values_go_and_come_back_the_same),
        TEST(table_that_changes_is_noticed),
        TEST(values_are_never_part_of_the_statement),
        TEST(value_that_cannot_be_written_is_refused),
        TEST(locale_does_not_matter),
        cmocka_unit_test(values_survive_each_allocation_failing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
