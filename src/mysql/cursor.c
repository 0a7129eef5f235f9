/* SPDX-License-Identifier: MIT */
/*
 * cursor.c - cursors: statements, and their rows one by one or many at a time
 *
 * Thread: the loop's.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <assert.h>
#include <string.h>

/* --- life ---------------------------------------------------------------------------------------------------- */

static int cursor_next(aio_iterator *iterator, void **ret_item);

static const aio_iterator_ops iterator_ops = {.size = sizeof(iterator_ops), .next = cursor_next};

int aio_mysql_cursor_new(aio_mysql *conn, unsigned flags, aio_mysql_cursor **ret_cursor)
{
    aio_mysql_cursor *cursor;

    if (conn == NULL || ret_cursor == NULL ||
        (flags & ~(unsigned)(AIO_MYSQL_STREAM | AIO_MYSQL_PREPARED)) != 0)
        return aio_raise(AIO_EVALUE, "a connection, known flags and a place for it are needed");
    if (aio_mysql_is_closed(conn))
        return aio_raise(AIO_MYSQL_EINTERFACE, "the connection is closed");
    cursor = aio_calloc(1, sizeof(*cursor));
    if (cursor == NULL)
        return AIO_ENOMEM;
    cursor->table = aio__mysql_table_new();
    if (cursor->table == NULL) {
        aio_free(cursor);
        return AIO_ENOMEM;
    }
    cursor->iterator.ops = &iterator_ops;
    cursor->refs = 1;
    cursor->conn = aio_mysql_ref(conn);
    cursor->flags = flags;
    cursor->rowcount = -1;
    *ret_cursor = cursor;
    return 0;
}

aio_mysql_cursor *aio_mysql_cursor_ref(aio_mysql_cursor *cursor)
{
    if (cursor != NULL)
        cursor->refs++;
    return cursor;
}

static void free_cursor(aio_mysql_cursor *cursor)
{
    aio__mysql_table_unref(cursor->table);
    aio_free(cursor->columns);
    aio_free(cursor);
}

/* Let go of what belongs to the connection; rows that it still has to send end it. */
static void detach(aio_mysql_cursor *cursor)
{
    aio_mysql *conn = cursor->conn;

    if (conn == NULL)
        return;
    if (conn->streaming == cursor)
        aio__mysql_drop(conn);
    if (cursor->result != NULL)
        mysql_free_result(cursor->result); /* its connection has gone: nothing waits */
    cursor->result = NULL;
    aio__mysql_close_prepared(cursor);
    cursor->conn = NULL;
    aio_mysql_unref(conn);
}

void aio_mysql_cursor_unref(aio_mysql_cursor *cursor)
{
    aio_mysql *conn;

    if (cursor == NULL || --cursor->refs != 0)
        return;
    conn = cursor->conn;
    if (conn != NULL && conn->busy && cursor->stmt != NULL) {
        /* Nothing can be sent while another statement is under way: the connection does it later. */
        cursor->next_leftover = conn->leftovers;
        conn->leftovers = cursor;
        aio_mysql_unref(conn);
        return;
    }
    detach(cursor);
    free_cursor(cursor);
}

void aio__mysql_close_leftovers(aio_mysql *conn)
{
    while (conn->leftovers != NULL) {
        aio_mysql_cursor *cursor = conn->leftovers;

        conn->leftovers = cursor->next_leftover;
        aio__mysql_close_prepared(cursor);
        free_cursor(cursor);
    }
}

static int check(const aio_mysql_cursor *cursor)
{
    if (cursor == NULL)
        return aio_raise(AIO_EVALUE, "a cursor is needed, not NULL");
    if (cursor->conn == NULL)
        return aio_raise(AIO_MYSQL_EINTERFACE, "the cursor is closed");
    return 0;
}

int aio_mysql_cursor_close(aio_mysql_cursor *cursor)
{
    int err = 0;

    if (cursor == NULL)
        return aio_raise(AIO_EVALUE, "a cursor is needed, not NULL");
    if (cursor->conn == NULL)
        return 0;
    if (cursor->conn->busy)
        return aio_raise(AIO_ERUNTIME, "another task uses the connection");
    if (cursor->conn->mysql != NULL &&
        (cursor->conn->streaming == cursor || cursor->stmt != NULL)) {
        err = aio__mysql_enter_clean(cursor->conn);
        if (err < 0)
            return err;
        aio__mysql_close_prepared(cursor);
        err = aio__mysql_leave(cursor->conn, 0);
    }
    cursor->has_result = false;
    detach(cursor);
    return err;
}

/* --- statements ------------------------------------------------------------------------------------------------ */

/* A table that nobody else has, without rows. */
static int renew_table(aio_mysql_cursor *cursor)
{
    struct aio__mysql_table *table;

    if (!aio__mysql_table_is_shared(cursor->table)) {
        aio__mysql_table_clear(cursor->table);
        return 0;
    }
    table = aio__mysql_table_new();
    if (table == NULL)
        return AIO_ENOMEM;
    aio__mysql_table_unref(cursor->table);
    cursor->table = table;
    return 0;
}

int aio__mysql_cursor_reset(aio_mysql_cursor *cursor)
{
    cursor->next = 0;
    cursor->has_result = false;
    cursor->ended = true;
    cursor->rowcount = -1;
    cursor->lastrowid = 0;
    cursor->warnings = 0;
    return renew_table(cursor);
}

int aio__mysql_query(aio_mysql_cursor *cursor, const char *sql, size_t size)
{
    aio_mysql *conn = cursor->conn;
    int failed = 0;
    int status = mysql_real_query_start(&failed, conn->mysql, sql, size);

    while (status != 0)
        status = mysql_real_query_cont(&failed, conn->mysql, aio__mysql_wait(conn, status));
    return failed ? aio__mysql_raise(conn) : aio__mysql_read_result(cursor);
}

/* With values put into it; without any, as it is. */
static int execute_text(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                        size_t count)
{
    struct aio__mysql_text text = {0};
    int err;

    if (values == NULL)
        return aio__mysql_query(cursor, sql, strlen(sql));
    err = aio__mysql_fill_in(cursor->conn->mysql, sql, values, count, &text);
    if (err == 0)
        err = aio__mysql_query(cursor, text.data == NULL ? "" : text.data, text.size);
    aio_free(text.data);
    return err;
}

static int execute(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                   size_t count)
{
    int err = aio__mysql_cursor_reset(cursor);

    if (err < 0)
        return err;
    if (cursor->flags & AIO_MYSQL_PREPARED)
        return aio__mysql_execute_prepared(cursor, sql, values, count);
    return execute_text(cursor, sql, values, count);
}

/* Whether all that a statement needs is there, and its connection free. */
static int enter(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                 size_t count)
{
    int err = check(cursor);

    if (err < 0)
        return err;
    if (sql == NULL || (values == NULL && count > 0))
        return aio_raise(AIO_EVALUE, "a statement, and its values if it has any, are needed");
    assert(cursor != NULL);
    return aio__mysql_enter_clean(cursor->conn);
}

int aio_mysql_execute(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                      size_t count)
{
    aio_mysql *conn;
    int err = enter(cursor, sql, values, count);

    if (err < 0)
        return err;
    (void)aio_mysql_cursor_ref(cursor);
    conn = cursor->conn;
    err = aio__mysql_leave(conn, execute(cursor, sql, values, count));
    aio_mysql_cursor_unref(cursor);
    return err;
}

static int execute_each(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                        size_t rows, size_t count)
{
    int64_t total = 0;
    int err = 0;

    for (size_t i = 0; i < rows && err == 0; i++) {
        aio__mysql_skip_rest(cursor->conn);
        err = execute(cursor, sql, count == 0 ? NULL : values + i * count, count);
        total += err == 0 && cursor->rowcount > 0 ? cursor->rowcount : 0;
    }
    cursor->rowcount = total;
    return err;
}

/* Rows of an INSERT go together, where the server can take them so. */
static int execute_many(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                        size_t rows, size_t count)
{
    bool prepared = (cursor->flags & AIO_MYSQL_PREPARED) != 0;
    struct aio__mysql_insert insert;

    if (rows <= 1 || count == 0 || !aio__mysql_insert_read(&insert, sql, prepared ? "?" : "%s"))
        return execute_each(cursor, sql, values, rows, count);
    if (!prepared)
        return aio__mysql_insert_rows(cursor, &insert, values, rows, count);
    return aio__mysql_has_bulk(cursor->conn)
               ? aio__mysql_bulk_rows(cursor, sql, values, rows, count)
               : execute_each(cursor, sql, values, rows, count);
}

int aio_mysql_executemany(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                          size_t rows, size_t count)
{
    aio_mysql *conn;
    int err;

    if (count > 0 && rows > SIZE_MAX / count)
        return aio_raise(AIO_EVALUE, "so many values cannot be");
    err = enter(cursor, sql, values, rows * count);
    if (err < 0)
        return err;
    (void)aio_mysql_cursor_ref(cursor);
    conn = cursor->conn;
    err = aio__mysql_leave(conn, execute_many(cursor, sql, values, rows, count));
    aio_mysql_cursor_unref(cursor);
    return err;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static bool is_stream(const aio_mysql_cursor *cursor)
{
    return (cursor->flags & AIO_MYSQL_STREAM) != 0;
}

static int check_result(const aio_mysql_cursor *cursor)
{
    int err = check(cursor);

    if (err == 0 && !cursor->has_result)
        err = aio_raise(AIO_MYSQL_EPROGRAMMING, "there is no result to fetch from");
    return err;
}

/* Fetch up to so many rows of a stream into a table. */
static int fetch_stream(aio_mysql_cursor *cursor, struct aio__mysql_table *table, size_t count)
{
    aio_mysql *conn = cursor->conn;
    bool there = true;
    int err;

    if (cursor->ended)
        return 0;
    err = aio__mysql_enter(conn);
    if (err < 0)
        return err;
    (void)aio_mysql_cursor_ref(cursor);
    while (err == 0 && there && aio__mysql_table_count(table) < count) {
        err = cursor->stmt != NULL ? aio__mysql_stream_prepared(cursor, table, &there)
                                   : aio__mysql_stream_row(cursor, table, &there);
    }
    err = aio__mysql_leave(conn, err);
    if (err < 0 && conn->mysql == NULL)
        cursor->has_result = false;
    aio_mysql_cursor_unref(cursor);
    return err;
}

int aio_mysql_fetchone(aio_mysql_cursor *cursor, const aio_mysql_row **ret_row)
{
    int err = check_result(cursor);

    if (err < 0)
        return err;
    if (ret_row == NULL)
        return aio_raise(AIO_EVALUE, "a place for the row is needed, not NULL");
    if (is_stream(cursor)) {
        cursor->next = 0;
        err = renew_table(cursor);
        if (err == 0)
            err = fetch_stream(cursor, cursor->table, 1);
        if (err < 0)
            return err;
    }
    if (cursor->next < aio__mysql_table_count(cursor->table))
        *ret_row = aio__mysql_table_row(cursor->table, cursor->next++);
    else
        *ret_row = NULL;
    return 0;
}

/* Rows of a stream, in a table of their own. */
static int fetch_new(aio_mysql_cursor *cursor, size_t count, aio_mysql_rows **ret_rows)
{
    struct aio__mysql_table *table = aio__mysql_table_new();
    aio_mysql_rows *rows = NULL;
    int err;

    if (table == NULL)
        return AIO_ENOMEM;
    err = fetch_stream(cursor, table, count);
    if (err == 0) {
        rows = aio__mysql_table_slice(table, 0, aio__mysql_table_count(table));
        err = rows == NULL ? AIO_ENOMEM : 0;
    }
    aio__mysql_table_unref(table);
    if (err == 0)
        *ret_rows = rows;
    return err;
}

int aio_mysql_fetchmany(aio_mysql_cursor *cursor, size_t count, aio_mysql_rows **ret_rows)
{
    aio_mysql_rows *rows;
    size_t left;
    int err = check_result(cursor);

    if (err < 0)
        return err;
    if (ret_rows == NULL)
        return aio_raise(AIO_EVALUE, "a place for the rows is needed, not NULL");
    if (is_stream(cursor))
        return fetch_new(cursor, count, ret_rows);
    left = aio__mysql_table_count(cursor->table) - cursor->next;
    if (count > left)
        count = left;
    rows = aio__mysql_table_slice(cursor->table, cursor->next, count);
    if (rows == NULL)
        return AIO_ENOMEM;
    cursor->next += count;
    *ret_rows = rows;
    return 0;
}

int aio_mysql_fetchall(aio_mysql_cursor *cursor, aio_mysql_rows **ret_rows)
{
    return aio_mysql_fetchmany(cursor, SIZE_MAX, ret_rows);
}

static int cursor_next(aio_iterator *iterator, void **ret_item)
{
    const aio_mysql_row *row = NULL;
    int err = aio_mysql_fetchone((aio_mysql_cursor *)(void *)iterator, &row);

    if (err < 0)
        return err;
    if (row == NULL)
        return AIO_ESTOP;
    *ret_item = aio_constant(row);
    return 0;
}

aio_iterator *aio_mysql_cursor_iterator(aio_mysql_cursor *cursor)
{
    return cursor == NULL ? NULL : &cursor->iterator;
}

/* --- further results ------------------------------------------------------------------------------------------------ */

static int next_result(aio_mysql_cursor *cursor, bool *ret_more)
{
    aio_mysql *conn = cursor->conn;
    int none = 0;
    int status;

    aio__mysql_cursor_discard(cursor);
    *ret_more = conn->failure == 0 && mysql_more_results(conn->mysql);
    if (!*ret_more)
        return 0;
    status = mysql_next_result_start(&none, conn->mysql);
    while (status != 0)
        status = mysql_next_result_cont(&none, conn->mysql, aio__mysql_wait(conn, status));
    *ret_more = none == 0;
    if (none > 0)
        return aio__mysql_raise(conn);
    return none < 0 ? 0 : aio__mysql_read_result(cursor);
}

int aio_mysql_nextset(aio_mysql_cursor *cursor, bool *ret_more)
{
    bool more = false;
    aio_mysql *conn;
    int err = check(cursor);

    if (err < 0)
        return err;
    if (cursor->flags & AIO_MYSQL_PREPARED)
        return aio_raise(AIO_MYSQL_ENOTSUPPORTED, "a prepared statement has one result");
    conn = cursor->conn;
    err = aio__mysql_enter(conn);
    if (err < 0)
        return err;
    (void)aio_mysql_cursor_ref(cursor);
    /* What it had is thrown away in any case. */
    if (conn->streaming == cursor)
        aio__mysql_cursor_discard(cursor);
    err = aio__mysql_cursor_reset(cursor);
    if (err == 0)
        err = next_result(cursor, &more);
    err = aio__mysql_leave(conn, err);
    aio_mysql_cursor_unref(cursor);
    if (err == 0 && ret_more != NULL)
        *ret_more = more;
    return err;
}

/* --- what is known of the last statement -------------------------------------------------------------------------------- */

const aio_mysql_column *aio_mysql_columns(const aio_mysql_cursor *cursor, size_t *ret_count)
{
    bool has = cursor != NULL && cursor->has_result;

    if (ret_count != NULL)
        *ret_count = has ? cursor->column_count : 0;
    return has ? cursor->columns : NULL;
}

int64_t aio_mysql_rowcount(const aio_mysql_cursor *cursor)
{
    return cursor == NULL ? -1 : cursor->rowcount;
}

uint64_t aio_mysql_lastrowid(const aio_mysql_cursor *cursor)
{
    return cursor == NULL ? 0 : cursor->lastrowid;
}

unsigned aio_mysql_warning_count(const aio_mysql_cursor *cursor)
{
    return cursor == NULL ? 0 : cursor->warnings;
}

int aio_mysql_show_warnings(aio_mysql *conn, aio_mysql_rows **ret_rows)
{
    aio_mysql_cursor *cursor = NULL;
    int err = aio_mysql_cursor_new(conn, 0, &cursor);

    if (err < 0)
        return err;
    err = aio_mysql_execute(cursor, "SHOW WARNINGS", NULL, 0);
    if (err == 0)
        err = aio_mysql_fetchall(cursor, ret_rows);
    aio_mysql_cursor_unref(cursor);
    return err;
}
