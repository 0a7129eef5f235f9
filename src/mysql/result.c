/* SPDX-License-Identifier: MIT */
/*
 * result.c - what a statement by text gives: read whole, or row by row
 *
 * Everything here is part of an operation.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <string.h>

/* --- columns -------------------------------------------------------------------------------------------- */

/* A statement that is executed again has the columns it had. */
static bool are_noted(const aio_mysql_cursor *cursor, const MYSQL_FIELD *fields, size_t count)
{
    if (cursor->columns == NULL || cursor->column_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const aio_mysql_column *column = &cursor->columns[i];

        if (column->type != (int)fields[i].type || column->flags != fields[i].flags ||
            column->decimals != fields[i].decimals || column->length != fields[i].length ||
            strcmp(column->name, fields[i].name) != 0 ||
            strcmp(column->table, fields[i].table) != 0)
            return false;
    }
    return true;
}

/* The columns, and behind them their names, in one piece of memory. */
int aio__mysql_note_columns(aio_mysql_cursor *cursor, const MYSQL_FIELD *fields, size_t count)
{
    size_t size = count * sizeof(aio_mysql_column);
    aio_mysql_column *columns;
    char *text;

    if (are_noted(cursor, fields, count))
        return 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(fields[i].name) + strlen(fields[i].table) + 2;
    columns = aio_malloc(size);
    if (columns == NULL)
        return AIO_ENOMEM;
    text = (char *)(columns + count);
    for (size_t i = 0; i < count; i++) {
        const MYSQL_FIELD *field = &fields[i];

        columns[i] = (aio_mysql_column){
            .name = strcpy(text, field->name),
            .table = strcpy(text + strlen(field->name) + 1, field->table),
            .type = (int)field->type,
            .flags = field->flags,
            .decimals = field->decimals,
            .length = field->length,
        };
        text += strlen(field->name) + strlen(field->table) + 2;
    }
    aio_free(cursor->columns);
    cursor->columns = columns;
    cursor->column_count = count;
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------------------- */

static int add_row(struct aio__mysql_table *table, const MYSQL_FIELD *fields, size_t count,
                   MYSQL_ROW texts, const unsigned long *sizes)
{
    aio_mysql_value *values = aio__mysql_table_add(table, count);
    int err = values == NULL ? AIO_ENOMEM : 0;

    for (size_t i = 0; i < count && err == 0; i++)
        err = aio__mysql_value_of_text(table, &fields[i], texts[i], sizes[i], &values[i]);
    if (err < 0 && values != NULL)
        aio__mysql_table_drop_last(table);
    return err;
}

static int store(aio_mysql_cursor *cursor)
{
    aio_mysql *conn = cursor->conn;
    MYSQL_RES *result = NULL;
    const MYSQL_FIELD *fields;
    MYSQL_ROW row;
    int status = mysql_store_result_start(&result, conn->mysql);
    int err = 0;

    while (status != 0)
        status = mysql_store_result_cont(&result, conn->mysql, aio__mysql_wait(conn, status));
    if (result == NULL)
        return aio__mysql_raise(conn);
    fields = mysql_fetch_fields(result);
    err = aio__mysql_note_columns(cursor, fields, mysql_num_fields(result));
    while (err == 0 && (row = mysql_fetch_row(result)) != NULL) /* it is here: nothing waits */
        err =
            add_row(cursor->table, fields, cursor->column_count, row, mysql_fetch_lengths(result));
    mysql_free_result(result);
    cursor->rowcount = (int64_t)aio__mysql_table_count(cursor->table);
    return err;
}

static int begin_stream(aio_mysql_cursor *cursor)
{
    MYSQL_RES *result = mysql_use_result(cursor->conn->mysql); /* reads nothing */

    if (result == NULL)
        return aio__mysql_raise(cursor->conn);
    cursor->result = result;
    cursor->fields = mysql_fetch_fields(result);
    cursor->ended = false;
    cursor->rowcount = -1;
    cursor->conn->streaming = cursor;
    return aio__mysql_note_columns(cursor, cursor->fields, mysql_num_fields(result));
}

int aio__mysql_read_result(aio_mysql_cursor *cursor)
{
    MYSQL *mysql = cursor->conn->mysql;
    int err = 0;

    cursor->lastrowid = mysql_insert_id(mysql);
    cursor->has_result = mysql_field_count(mysql) > 0;
    if (!cursor->has_result)
        cursor->rowcount = (int64_t)mysql_affected_rows(mysql);
    else if (cursor->flags & AIO_MYSQL_STREAM)
        err = begin_stream(cursor);
    else
        err = store(cursor);
    cursor->warnings = mysql_warning_count(mysql);
    return err;
}

/* --- streams ------------------------------------------------------------------------------------------------ */

static void end_stream(aio_mysql_cursor *cursor)
{
    aio_mysql *conn = cursor->conn;
    int status = cursor->result == NULL ? 0 : mysql_free_result_start(cursor->result);

    while (status != 0)
        status = mysql_free_result_cont(cursor->result, aio__mysql_wait(conn, status));
    cursor->result = NULL;
    cursor->fields = NULL;
    cursor->ended = true;
    if (conn->streaming == cursor)
        conn->streaming = NULL;
}

int aio__mysql_stream_row(aio_mysql_cursor *cursor, struct aio__mysql_table *table, bool *ret_row)
{
    aio_mysql *conn = cursor->conn;
    MYSQL_ROW row = NULL;
    int status = mysql_fetch_row_start(&row, cursor->result);
    int err = 0;

    while (status != 0)
        status = mysql_fetch_row_cont(&row, cursor->result, aio__mysql_wait(conn, status));
    *ret_row = row != NULL;
    if (row != NULL)
        return add_row(table, cursor->fields, cursor->column_count, row,
                       mysql_fetch_lengths(cursor->result));
    if (mysql_errno(conn->mysql) != 0)
        err = aio__mysql_raise(conn);
    end_stream(cursor);
    return err;
}

/* --- what is left of a statement ------------------------------------------------------------------------------ */

/* Results that a procedure has beside those that were read. */
static void skip_results(aio_mysql *conn)
{
    while (conn->failure == 0 && mysql_more_results(conn->mysql)) {
        MYSQL_RES *result;
        int none = 0;
        int status = mysql_next_result_start(&none, conn->mysql);

        while (status != 0)
            status = mysql_next_result_cont(&none, conn->mysql, aio__mysql_wait(conn, status));
        if (none != 0)
            break;
        result = mysql_use_result(conn->mysql);
        status = result == NULL ? 0 : mysql_free_result_start(result);
        while (status != 0)
            status = mysql_free_result_cont(result, aio__mysql_wait(conn, status));
    }
}

void aio__mysql_cursor_discard(aio_mysql_cursor *cursor)
{
    aio_mysql *conn = cursor->conn;

    if (conn->streaming == cursor) {
        if (cursor->result != NULL)
            end_stream(cursor);
        else
            aio__mysql_free_prepared(cursor);
        conn->streaming = NULL;
        cursor->has_result = false; /* who fetches now is told */
    }
}

void aio__mysql_skip_rest(aio_mysql *conn)
{
    if (conn->streaming != NULL)
        aio__mysql_cursor_discard(conn->streaming);
    skip_results(conn);
}
