/* SPDX-License-Identifier: MIT */
/*
 * test_mysql.c - connections, cursors and transactions, with a real MariaDB
 */
#include "mysql/table.h"
#include "support/cancelling.h"

#include <math.h>
#include <stdlib.h>

/* --- connecting ------------------------------------------------------------------------------------ */

static int name_means_tcp_and_a_path_the_socket(void *arg, void **ret_result)
{
    aio_mysql_options options = options_of_service();
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;

    options.host = "localhost";
    TRY(aio_mysql_connect(&options, &conn));
    TRY(aio_mysql_cursor_new(conn, 0, &cursor));
    CHECK_ROWS(cursor, "SELECT SUBSTRING_INDEX(USER(), '@', -1) LIKE '127.0.0.1'", "((1,),)");
    CHECK_ROWS(cursor, "SELECT * FROM t_student",
               "((1, '张三', 18), (2, '李四', 19), (3, '王五-1', 20))");
    TRY(end(conn, cursor));
    options.unix_socket = service_info("MARIADB_SOCKET");
    TRY(aio_mysql_connect(&options, &conn));
    TRY(aio_mysql_cursor_new(conn, 0, &cursor));
    CHECK_ROWS(cursor, "SELECT SUBSTRING_INDEX(USER(), '@', -1), @@character_set_client",
               "(('localhost', 'utf8mb4'),)");
    CHECK(strstr(aio_mysql_server_version(conn), "MariaDB") != NULL);
    return end(conn, cursor);
}
TEST_OF(name_means_tcp_and_a_path_the_socket)

static int refusals_have_class_number_and_text_but_no_password(void *arg, void **ret_result)
{
    aio_mysql_options options = options_of_service();
    aio_mysql_error_info info;
    aio_exception *error;
    aio_mysql *conn = NULL;

    options.password = "s3cret-guess";
    CHECK_CODE(aio_mysql_connect(&options, &conn), AIO_MYSQL_EOPERATIONAL);
    CHECK_TEXT(aio_error_name(AIO_MYSQL_EOPERATIONAL), "OperationalError");
    error = aio_error_catch(AIO_MYSQL_EOPERATIONAL);
    TRY(aio_mysql_error_get_info(error, &info));
    CHECK(info.number == 1045);
    CHECK_TEXT(info.sqlstate, "28000");
    CHECK(strncmp(info.message, "Access denied for user 'root'@", 30) == 0);
    CHECK(strstr(aio_exception_message(error), "s3cret") == NULL);
    aio_exception_unref(error);

    options = options_of_service();
    options.db = "nowhere";
    CHECK_CODE(aio_mysql_connect(&options, &conn), AIO_MYSQL_EOPERATIONAL);
    options.port = 1;
    CHECK_CODE(aio_mysql_connect(&options, &conn), AIO_MYSQL_EOPERATIONAL);
    CHECK(strncmp(aio_error_text(AIO_MYSQL_EOPERATIONAL), "200", 3) == 0);
    options.port = 70000;
    CHECK_CODE(aio_mysql_connect(&options, &conn), AIO_EVALUE);
    options = options_of_service();
    options.charset = "nonsense";
    CHECK(aio_mysql_connect(&options, &conn) < 0);
    options.charset = NULL;
    options.host = "no.such.host.invalid";
    CHECK(aio_mysql_connect(&options, &conn) < 0);
    return 0;
}
TEST_OF(refusals_have_class_number_and_text_but_no_password)

static int tls_verifies_the_server_and_its_name(void *arg, void **ret_result)
{
    aio_mysql_options options = options_of_service();
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;

    options.ssl = AIO_MYSQL_SSL_VERIFY;
    options.ssl_ca = service_info("CA");
    TRY(aio_mysql_connect(&options, &conn));
    TRY(aio_mysql_cursor_new(conn, 0, &cursor));
    CHECK_ROWS(cursor,
               "SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS "
               "WHERE VARIABLE_NAME = 'Ssl_cipher'",
               "((1,),)");
    CHECK_ROWS(cursor, "SELECT SLEEP(0.01), REPEAT('x', 10) FROM t_student",
               "((0, 'xxxxxxxxxx'), (0, 'xxxxxxxxxx'), (0, 'xxxxxxxxxx'))");
    TRY(end(conn, cursor));
    options.ssl_ca = NULL; /* the system's authorities do not know it */
    CHECK_CODE(aio_mysql_connect(&options, &conn), AIO_MYSQL_EOPERATIONAL);
    options.ssl = AIO_MYSQL_SSL_NO_VERIFY;
    TRY(aio_mysql_connect(&options, &conn));
    aio_mysql_unref(conn);
    return 0;
}
TEST_OF(tls_verifies_the_server_and_its_name)

static int sleep_by_tls(void *arg, void **ret_result)
{
    aio_mysql_options options = options_of_service();
    AIO_AUTO(aio_mysql_cursor) cursor = NULL;
    AIO_AUTO(aio_mysql) conn = NULL;

    options.ssl = AIO_MYSQL_SSL_NO_VERIFY;
    TRY(aio_mysql_connect(&options, &conn));
    TRY(aio_mysql_cursor_new(conn, 0, &cursor));
    return aio_mysql_execute(cursor, "SELECT SLEEP(2)", NULL, 0);
}

static int statement_by_tls_is_cancelled_at_once(void *arg, void **ret_result)
{
    aio_task *task = aio_create_task(sleep_by_tls, NULL);
    aio_future *shield = aio_shield(task);
    int err;

    CHECK_CODE(aio_wait_for(shield, 0.5, NULL), AIO_ETIMEDOUT);
    aio_future_unref(shield);
    CHECK(aio_task_cancel(task, NULL));
    err = aio_await(task, NULL);
    CHECK(err == AIO_ECANCELLED || err == 0);
    aio_future_unref(task);
    return aio_loop_shutdown_default_executor(aio_get_running_loop(), AIO_FOREVER);
}
TEST_OF(statement_by_tls_is_cancelled_at_once)

/* Ten statements of two seconds each: one after the other they would take twenty. */
static int connections_with_tls_wait_at_the_same_time(void *arg, void **ret_result)
{
    double began = aio_loop_time(aio_get_running_loop());
    aio_task *tasks[10];

    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        tasks[i] = aio_create_task(sleep_by_tls, NULL);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        TRY(aio_await(tasks[i], NULL));
        aio_future_unref(tasks[i]);
    }
    CHECK(aio_loop_time(aio_get_running_loop()) - began < 15);
    return aio_loop_shutdown_default_executor(aio_get_running_loop(), AIO_FOREVER);
}
TEST_OF(connections_with_tls_wait_at_the_same_time)

/* --- statements ------------------------------------------------------------------------------------ */

static int statement_tells_what_it_did(void *arg, void **ret_result)
{
    aio_mysql_cursor *cursor = NULL;
    const aio_mysql_column *columns;
    aio_mysql *conn = NULL;
    size_t count = 9;

    TRY(begin(0, &conn, &cursor));
    CHECK(aio_mysql_columns(cursor, &count) == NULL && count == 0);
    TRY(aio_mysql_execute(cursor, "INSERT INTO t (v) VALUES (%s), (%s)",
                          AIO_MYSQL_ARGS(aio_mysql_text("a"), aio_mysql_null())));
    CHECK(aio_mysql_rowcount(cursor) == 2 && aio_mysql_lastrowid(cursor) == 1);
    CHECK_CODE(aio_mysql_fetchone(cursor, NULL), AIO_MYSQL_EPROGRAMMING);
    TRY(aio_mysql_execute(cursor, "UPDATE t SET v = 'b'", NULL, 0));
    CHECK(aio_mysql_rowcount(cursor) == 2);
    CHECK_ROWS(cursor, "SELECT id, v AS name, 1.5 FROM t",
               "((1, 'b', Decimal('1.5')), "
               "(2, 'b', Decimal('1.5')))");
    CHECK(aio_mysql_rowcount(cursor) == 2);
    columns = aio_mysql_columns(cursor, &count);
    CHECK(count == 3);
    CHECK_TEXT(columns[1].name, "name");
    CHECK_TEXT(columns[1].table, "t");
    CHECK_TEXT(columns[2].name, "1.5");
    return end(conn, cursor);
}
TEST_OF(statement_tells_what_it_did)

static int errors_have_pythons_classes(void *arg, void **ret_result)
{
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;
    int err;

    TRY(begin(0, &conn, &cursor));
    CHECK_CODE(aio_mysql_execute(cursor, "SELEC 1", NULL, 0), AIO_MYSQL_EPROGRAMMING);
    err = aio_mysql_execute(cursor, "SELECT * FROM nothing", NULL, 0);
    CHECK(err == AIO_MYSQL_EPROGRAMMING && aio_error_is(err, AIO_MYSQL_EDATABASE));
    CHECK_TEXT(aio_error_text(err), "1146 (42S02): Table 'test.nothing' doesn't exist");
    TRY(aio_mysql_execute(cursor, "INSERT INTO t VALUES (1, 'a')", NULL, 0));
    CHECK_CODE(aio_mysql_execute(cursor, "INSERT INTO t VALUES (1, 'a')", NULL, 0),
               AIO_MYSQL_EINTEGRITY);
    CHECK_CODE(aio_mysql_execute(cursor, "INSERT INTO t VALUES (2, REPEAT('x', 300))", NULL, 0),
               AIO_MYSQL_EDATA);
    CHECK_CODE(aio_mysql_select_db(conn, "nowhere"), AIO_MYSQL_EOPERATIONAL);
    CHECK_CODE(
        aio_mysql_execute(cursor, "SELECT %s", AIO_MYSQL_ARGS(aio_mysql_int(1), aio_mysql_int(2))),
        AIO_ETYPE);
    CHECK_CODE(aio_mysql_execute(cursor, "SELECT %s, %s", AIO_MYSQL_ARGS(aio_mysql_int(1))),
               AIO_ETYPE);
    CHECK_CODE(aio_mysql_execute(cursor, "SELECT %d", AIO_MYSQL_ARGS(aio_mysql_int(1))),
               AIO_EVALUE);
    CHECK_CODE(aio_mysql_execute(cursor, "SELECT %s", AIO_MYSQL_ARGS(aio_mysql_double(HUGE_VAL))),
               AIO_EVALUE);
    CHECK_ROWS(cursor, "SELECT 1 % 2, '100%'", "((1, '100%'),)"); /* without values, as it is */
    TRY(aio_mysql_ping(conn));
    return end(conn, cursor);
}
TEST_OF(errors_have_pythons_classes)

static int warnings_are_counted_and_can_be_read(void *arg, void **ret_result)
{
    AIO_AUTO(aio_mysql_rows) rows = NULL;
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_execute(cursor, "SELECT CAST('12x' AS INT)", NULL, 0));
    CHECK(aio_mysql_warning_count(cursor) == 1);
    TRY(aio_mysql_show_warnings(conn, &rows));
    CHECK(rows->count == 1 && rows->rows[0].values[1].integer == 1292);
    return end(conn, cursor);
}
TEST_OF(warnings_are_counted_and_can_be_read)

static int procedure_gives_one_result_after_the_other(void *arg, void **ret_result)
{
    AIO_AUTO(aio_mysql_rows) rows = NULL;
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;
    bool more = false;

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_execute(cursor, "CREATE OR REPLACE PROCEDURE two() BEGIN SELECT 1; SELECT 2; END",
                          NULL, 0));
    TRY(aio_mysql_execute(cursor, "CALL two()", NULL, 0));
    TRY(aio_mysql_nextset(cursor, &more));
    CHECK(more);
    TRY(aio_mysql_fetchall(cursor, &rows));
    CHECK(rows->count == 1 && rows->rows[0].values[0].integer == 2);
    TRY(aio_mysql_nextset(cursor, &more)); /* how the call itself went */
    CHECK(more && aio_mysql_columns(cursor, NULL) == NULL);
    TRY(aio_mysql_nextset(cursor, &more));
    CHECK(!more);
    TRY(aio_mysql_execute(cursor, "CALL two()", NULL, 0));
    CHECK_ROWS(cursor, "SELECT 3", "((3,),)"); /* the rest was thrown away */
    return end(conn, cursor);
}
TEST_OF(procedure_gives_one_result_after_the_other)

/* --- fetching ----------------------------------------------------------------------------------------- */

#define SEVEN "SELECT seq, CONCAT('r', seq) FROM seq_1_to_7"

/* The same for every kind of cursor. */
static int fetch_in_pieces(unsigned flags)
{
    AIO_AUTO(aio_mysql_rows) two = NULL;
    AIO_AUTO(aio_mysql_rows) rest = NULL;
    AIO_AUTO(aio_mysql_rows) none = NULL;
    const aio_mysql_row *row = NULL;
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;
    int64_t sum = 0;
    void *item;
    int err;

    TRY(begin(flags, &conn, &cursor));
    TRY(aio_mysql_execute(cursor, SEVEN, NULL, 0));
    TRY(aio_mysql_fetchone(cursor, &row));
    CHECK(row->count == 2 && row->values[0].integer == 1);
    CHECK_TEXT(row->values[1].text, "r1");
    TRY(aio_mysql_fetchmany(cursor, 2, &two));
    CHECK(two->count == 2 && two->rows[1].values[0].integer == 3);
    TRY(aio_mysql_fetchall(cursor, &rest));
    CHECK(rest->count == 4 && rest->rows[3].values[0].integer == 7);
    TRY(aio_mysql_fetchone(cursor, &row));
    CHECK(row == NULL);
    TRY(aio_mysql_fetchall(cursor, &none));
    CHECK(none->count == 0);

    TRY(aio_mysql_execute(cursor, SEVEN, NULL, 0));
    while ((err = aio_anext(aio_mysql_cursor_iterator(cursor), &item)) == 0)
        sum += ((const aio_mysql_row *)item)->values[0].integer;
    CHECK(err == AIO_ESTOP && sum == 28);
    CHECK_TEXT(rest->rows[0].values[1].text, "r4"); /* what was fetched stays */
    return end(conn, cursor);
}

static int buffered_rows_come_in_pieces(void *arg, void **ret_result)
{
    return fetch_in_pieces(0);
}
TEST_OF(buffered_rows_come_in_pieces)

static int streamed_rows_come_in_pieces(void *arg, void **ret_result)
{
    return fetch_in_pieces(AIO_MYSQL_STREAM);
}
TEST_OF(streamed_rows_come_in_pieces)

static int prepared_rows_come_in_pieces(void *arg, void **ret_result)
{
    return fetch_in_pieces(AIO_MYSQL_PREPARED);
}
TEST_OF(prepared_rows_come_in_pieces)

static int prepared_streamed_rows_come_in_pieces(void *arg, void **ret_result)
{
    return fetch_in_pieces(AIO_MYSQL_PREPARED | AIO_MYSQL_STREAM);
}
TEST_OF(prepared_streamed_rows_come_in_pieces)

static int stream_of_many_rows(unsigned flags)
{
    const aio_mysql_row *row = NULL;
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;
    int64_t count = 0;

    TRY(begin(flags, &conn, &cursor));
    TRY(aio_mysql_execute(cursor, "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000", NULL, 0));
    CHECK(aio_mysql_rowcount(cursor) == -1);
    while (true) {
        TRY(aio_mysql_fetchone(cursor, &row));
        if (row == NULL)
            break;
        CHECK(row->values[0].integer == ++count && row->values[1].size == 1000);
    }
    CHECK(count == 20000);
    return end(conn, cursor);
}

static int stream_takes_a_row_at_a_time(void *arg, void **ret_result)
{
    TRY(stream_of_many_rows(AIO_MYSQL_STREAM));
    return stream_of_many_rows(AIO_MYSQL_STREAM | AIO_MYSQL_PREPARED);
}
TEST_OF(stream_takes_a_row_at_a_time)

/* Another statement throws the rest away; who fetches then is told. */
static int stream_that_is_left_gives_way(void *arg, void **ret_result)
{
    aio_mysql_cursor *stream = NULL;
    aio_mysql_cursor *cursor = NULL;
    const aio_mysql_row *row = NULL;
    aio_mysql *conn = NULL;

    for (unsigned flags = 0; flags <= AIO_MYSQL_PREPARED; flags += AIO_MYSQL_PREPARED) {
        TRY(begin(AIO_MYSQL_STREAM | flags, &conn, &stream));
        TRY(aio_mysql_cursor_new(conn, 0, &cursor));
        TRY(aio_mysql_execute(stream, "SELECT seq FROM seq_1_to_5000", NULL, 0));
        TRY(aio_mysql_fetchone(stream, &row));
        CHECK_ROWS(cursor, "SELECT 1", "((1,),)");
        CHECK_CODE(aio_mysql_fetchone(stream, &row), AIO_MYSQL_EPROGRAMMING);
        TRY(aio_mysql_execute(stream, "SELECT seq FROM seq_1_to_5000", NULL, 0));
        TRY(aio_mysql_cursor_close(stream));
        CHECK_CODE(aio_mysql_execute(stream, "SELECT 1", NULL, 0), AIO_MYSQL_EINTERFACE);
        CHECK_ROWS(cursor, "SELECT 2", "((2,),)");
        aio_mysql_cursor_unref(stream);
        TRY(end(conn, cursor));
    }
    return 0;
}
TEST_OF(stream_that_is_left_gives_way)

static int stream_that_is_dropped_costs_the_connection(void *arg, void **ret_result)
{
    aio_mysql_cursor *stream = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(AIO_MYSQL_STREAM, &conn, &stream));
    TRY(aio_mysql_execute(stream, "SELECT seq FROM seq_1_to_5000", NULL, 0));
    aio_mysql_cursor_unref(stream);
    CHECK(aio_mysql_is_closed(conn));
    aio_mysql_unref(conn);
    return 0;
}
TEST_OF(stream_that_is_dropped_costs_the_connection)

/* --- transactions -------------------------------------------------------------------------------------- */

static int transaction_is_kept_or_undone_as_its_block_ends(void *arg, void **ret_result)
{
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;
    int err;

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_transaction_enter(conn));
    err = aio_mysql_execute(cursor, "INSERT INTO t VALUES (1, 'kept')", NULL, 0);
    CHECK(aio_mysql_in_transaction(conn));
    TRY(aio_mysql_transaction_exit(conn, err));
    CHECK(!aio_mysql_in_transaction(conn));
    TRY(aio_mysql_transaction_enter(conn));
    TRY(aio_mysql_execute(cursor, "INSERT INTO t VALUES (2, 'undone')", NULL, 0));
    err = aio_mysql_execute(cursor, "INSERT INTO t VALUES (1, 'again')", NULL, 0);
    err = aio_mysql_transaction_exit(conn, err);
    CHECK(err == AIO_MYSQL_EINTEGRITY);
    CHECK(strstr(aio_error_text(err), "Duplicate entry") != NULL);
    CHECK_ROWS(cursor, "SELECT * FROM t", "((1, 'kept'),)");
    return end(conn, cursor);
}
TEST_OF(transaction_is_kept_or_undone_as_its_block_ends)

static int without_autocommit_changes_want_a_commit(void *arg, void **ret_result)
{
    aio_mysql_options options = options_of_service();
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *other = NULL;
    aio_mysql *watcher = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(0, &watcher, &other));
    options.autocommit = false;
    TRY(aio_mysql_connect(&options, &conn));
    TRY(aio_mysql_cursor_new(conn, 0, &cursor));
    TRY(aio_mysql_execute(cursor, "INSERT INTO t VALUES (1, 'a')", NULL, 0));
    CHECK_ROWS(other, "SELECT * FROM t", "()");
    TRY(aio_mysql_commit(conn));
    CHECK_ROWS(other, "SELECT * FROM t", "((1, 'a'),)");
    TRY(aio_mysql_execute(cursor, "DELETE FROM t", NULL, 0));
    TRY(aio_mysql_rollback(conn));
    TRY(aio_mysql_autocommit(conn, true));
    TRY(aio_mysql_execute(cursor, "UPDATE t SET v = 'b'", NULL, 0));
    CHECK_ROWS(other, "SELECT * FROM t", "((1, 'b'),)");
    TRY(end(conn, cursor));
    return end(watcher, other);
}
TEST_OF(without_autocommit_changes_want_a_commit)

/* --- several tasks, and cancellation ------------------------------------------------------------------------ */

static int sleep_long(void *arg, void **ret_result)
{
    return aio_mysql_execute(arg, "SELECT SLEEP(60)", NULL, 0);
}

static int connection_does_one_thing_at_a_time(void *arg, void **ret_result)
{
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *prepared = NULL;
    aio_mysql *conn = NULL;
    aio_task *task;

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, AIO_MYSQL_PREPARED, &prepared));
    TRY(aio_mysql_execute(prepared, "SELECT 1", NULL, 0));
    task = aio_create_task(sleep_long, cursor);
    TRY(room_turn());
    CHECK_CODE(aio_mysql_ping(conn), AIO_ERUNTIME);
    CHECK_CODE(aio_mysql_cursor_close(prepared), AIO_ERUNTIME);
    CHECK_CODE(aio_mysql_cursor_close(cursor), AIO_ERUNTIME);
    aio_mysql_cursor_unref(prepared); /* in the middle of another's statement */
    aio_mysql_close(conn);
    CHECK(aio_mysql_is_closed(conn));
    CHECK_CODE(aio_await(task, NULL), AIO_MYSQL_EINTERFACE);
    aio_future_unref(task);
    CHECK_CODE(aio_mysql_ping(conn), AIO_MYSQL_EINTERFACE);
    aio_mysql_cursor_unref(cursor);
    aio_mysql_unref(conn);
    return 0;
}
TEST_OF(connection_does_one_thing_at_a_time)

#define STATEMENTS "SHOW STATUS LIKE 'Prepared_stmt_count'" /* of all connections */

static int statement_of_a_dropped_cursor_is_closed_later(void *arg, void **ret_result)
{
    const aio_mysql_row *row = NULL;
    int before;
    aio_mysql_cursor *cursor = NULL;
    aio_mysql_cursor *prepared = NULL;
    aio_mysql *conn = NULL;
    aio_task *task;

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, AIO_MYSQL_PREPARED, &prepared));
    TRY(aio_mysql_execute(prepared, "SELECT 1", NULL, 0));
    TRY(aio_mysql_execute(cursor, "SET @a = 1", NULL, 0));
    task = aio_create_task(sleep_long, cursor);
    TRY(room_turn());
    aio_mysql_cursor_unref(prepared);
    CHECK(aio_task_cancel(task, NULL));
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_future_unref(task);
    CHECK(aio_mysql_is_closed(conn));
    aio_mysql_cursor_unref(cursor);
    aio_mysql_unref(conn);

    TRY(begin(0, &conn, &cursor));
    TRY(aio_mysql_cursor_new(conn, AIO_MYSQL_PREPARED, &prepared));
    TRY(aio_mysql_execute(prepared, "SELECT 1", NULL, 0));
    TRY(aio_mysql_execute(cursor, STATEMENTS, NULL, 0));
    TRY(aio_mysql_fetchone(cursor, &row));
    before = atoi(row->values[1].text);
    aio_mysql_cursor_unref(prepared);
    TRY(aio_mysql_execute(cursor, STATEMENTS, NULL, 0));
    TRY(aio_mysql_fetchone(cursor, &row));
    CHECK(atoi(row->values[1].text) == before - 1);
    return end(conn, cursor);
}
TEST_OF(statement_of_a_dropped_cursor_is_closed_later)

static int insert_many(aio_mysql *conn)
{
    AIO_AUTO(aio_mysql_cursor) cursor = NULL;
    const aio_mysql_value values[] = {aio_mysql_int(1), aio_mysql_text("x"), aio_mysql_int(2),
                                      aio_mysql_null()};

    TRY(aio_mysql_cursor_new(conn, AIO_MYSQL_PREPARED, &cursor));
    TRY(aio_mysql_execute(cursor, "CREATE OR REPLACE TEMPORARY TABLE many (a INT, b TEXT)", NULL,
                          0));
    TRY(aio_mysql_executemany(cursor, "INSERT INTO many VALUES (?, ?)", values, 2, 2));
    CHECK(aio_mysql_rowcount(cursor) == 2);
    return aio_mysql_cursor_close(cursor);
}

static int everything(void *arg, void **ret_result)
{
    /* A busy machine may have an answer there at once: these take their time. */
    static const char *const sql[] = {"SELECT SLEEP(0.01), seq FROM seq_1_to_3",
                                      "SELECT SLEEP(0.01), ? FROM seq_1_to_3"};
    const aio_mysql_value value = aio_mysql_text("x");
    aio_mysql *conn = *(aio_mysql **)arg;
    const aio_mysql_row *row = NULL;

    for (unsigned flags = 0; flags < 4; flags++) {
        AIO_AUTO(aio_mysql_cursor) cursor = NULL;
        bool prepared = (flags & AIO_MYSQL_PREPARED) != 0;

        TRY(aio_mysql_cursor_new(conn, flags, &cursor));
        TRY(aio_mysql_execute(cursor, sql[prepared], &value, prepared ? 1 : 0));
        for (int i = 0; i < 2; i++)
            TRY(aio_mysql_fetchone(cursor, &row));
        TRY(aio_mysql_cursor_close(cursor));
    }
    TRY(insert_many(conn));
    TRY(aio_mysql_transaction_enter(conn));
    return aio_mysql_transaction_exit(conn, aio_mysql_ping(conn));
}

static int connect_and_do_everything(void *arg, void **ret_result)
{
    AIO_AUTO(aio_mysql) conn = NULL;

    TRY(connect_to_service(&conn));
    return everything(&conn, NULL);
}

/* It ends at once, and leaves nothing. */
static int cancellation_at_any_point_leaves_nothing(void *arg, void **ret_result)
{
    unsigned points = 0;

    TRY(cancel_at_each_point(connect_and_do_everything, NULL, &points));
    CHECK(points >= 4);
    return 0;
}
TEST_OF(cancellation_at_any_point_leaves_nothing)

static int kill_ends_the_statement_of_another(void *arg, void **ret_result)
{
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *killer = NULL;
    aio_mysql *conn = NULL;
    aio_task *task;

    TRY(begin(0, &conn, &cursor));
    TRY(connect_to_service(&killer));
    task = aio_create_task(sleep_long, cursor);
    TRY(room_turn());
    TRY(aio_mysql_kill(killer, aio_mysql_thread_id(conn)));
    CHECK_CODE(aio_await(task, NULL), AIO_MYSQL_EOPERATIONAL);
    aio_future_unref(task);
    aio_mysql_unref(killer);
    aio_mysql_cursor_unref(cursor);
    aio_mysql_unref(conn);
    return 0;
}
TEST_OF(kill_ends_the_statement_of_another)

/* --- misuse, and shortage of memory ---------------------------------------------------------------------------- */

static int misuse_has_a_code(void *arg, void **ret_result)
{
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(0, &conn, &cursor));
    CHECK_CODE(aio_mysql_ping(NULL), AIO_EVALUE);
    CHECK_CODE(aio_mysql_connect(NULL, NULL), AIO_EVALUE);
    CHECK_CODE(aio_mysql_select_db(conn, NULL), AIO_EVALUE);
    CHECK_CODE(aio_mysql_cursor_new(NULL, 0, &cursor), AIO_EVALUE);
    CHECK_CODE(aio_mysql_cursor_new(conn, 64, &cursor), AIO_EVALUE);
    CHECK_CODE(aio_mysql_execute(cursor, NULL, NULL, 0), AIO_EVALUE);
    CHECK_CODE(aio_mysql_execute(cursor, "SELECT 1", NULL, 3), AIO_EVALUE);
    CHECK_CODE(aio_mysql_execute(NULL, "SELECT 1", NULL, 0), AIO_EVALUE);
    CHECK_CODE(aio_mysql_fetchall(cursor, NULL), AIO_MYSQL_EPROGRAMMING);
    CHECK_CODE(aio_mysql_set_timeout(conn, -1), AIO_EVALUE);
    CHECK_CODE(aio_mysql_escape(NULL, aio_mysql_null(), NULL), AIO_EVALUE);
    CHECK(aio_mysql_is_closed(NULL) && aio_mysql_rowcount(NULL) == -1);
    CHECK(aio_mysql_cursor_iterator(NULL) == NULL);
    aio_mysql_close(NULL);
    aio_mysql_unref(NULL);
    aio_mysql_cursor_unref(NULL);
    aio_mysql_rows_unref(NULL);
    return end(conn, cursor);
}
TEST_OF(misuse_has_a_code)

static void connection_survives_each_allocation_failing(void **state)
{
    room_run_starved(connect_and_do_everything);
}

static int wait_in_a_loop_that_is_closed(void *arg, void **ret_result)
{
    aio_mysql_cursor *cursor = NULL;
    aio_mysql *conn = NULL;

    TRY(begin(0, &conn, &cursor));
    aio_future_unref(aio_create_task(sleep_long, cursor));
    TRY(room_turn());
    aio_mysql_cursor_unref(cursor);
    *ret_result = conn;
    return 0;
}

static void connection_that_is_open_when_its_loop_is_closed_leaves_nothing(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    aio_task *task = aio_loop_create_task(loop, wait_in_a_loop_that_is_closed, NULL, NULL);
    void *conn = NULL;

    assert_int_equal(aio_loop_run_until_complete(loop, task, &conn), 0);
    aio_future_unref(task);
    assert_int_equal(aio_loop_close(loop), 0);
    aio_mysql_unref(conn);
    aio_loop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(name_means_tcp_and_a_path_the_socket),
        TEST(refusals_have_class_number_and_text_but_no_password),
        TEST(tls_verifies_the_server_and_its_name),
        TEST(statement_by_tls_is_cancelled_at_once),
        TEST(connections_with_tls_wait_at_the_same_time),
        TEST(statement_tells_what_it_did),
        TEST(errors_have_pythons_classes),
        TEST(warnings_are_counted_and_can_be_read),
        TEST(procedure_gives_one_result_after_the_other),
        TEST(buffered_rows_come_in_pieces),
        TEST(streamed_rows_come_in_pieces),
        TEST(prepared_rows_come_in_pieces),
        TEST(prepared_streamed_rows_come_in_pieces),
        TEST(stream_takes_a_row_at_a_time),
        TEST(stream_that_is_left_gives_way),
        TEST(stream_that_is_dropped_costs_the_connection),
        TEST(transaction_is_kept_or_undone_as_its_block_ends),
        TEST(without_autocommit_changes_want_a_commit),
        TEST(connection_does_one_thing_at_a_time),
        TEST(statement_of_a_dropped_cursor_is_closed_later),
        TEST(cancellation_at_any_point_leaves_nothing),
        TEST(kill_ends_the_statement_of_another),
        TEST(misuse_has_a_code),
        cmocka_unit_test(connection_survives_each_allocation_failing),
        cmocka_unit_test_setup_teardown(
            connection_that_is_open_when_its_loop_is_closed_leaves_nothing, count_allocations,
            check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
