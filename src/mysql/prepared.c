/* SPDX-License-Identifier: MIT */
/*
 * prepared.c - statements that the server prepares, with typed values both ways
 *
 * Numbers, dates and times come straight into cells; the size of text and bytes is known once a row
 * is here, and they are fetched into the row's memory then.
 *
 * Everything here but freeing is part of an operation.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <assert.h>
#include <errmsg.h>
#include <math.h>
#include <string.h>

/* What a column comes into. */
struct cell {
    union {
        long long integer;
        double number;
        MYSQL_TIME time;
    };
    unsigned long size;
    my_bool is_null;
    my_bool error;
    aio_mysql_type type;
    /* what the column was when it was bound */
    enum enum_field_types field_type;
    unsigned flags;
    unsigned charset;
};

struct aio__mysql_bound {
    size_t param_count;
    MYSQL_BIND *params;
    MYSQL_TIME *times; /* of the parameters */
    size_t cell_count;
    MYSQL_BIND *results;
    struct cell *cells;
};

static void free_bound(struct aio__mysql_bound *bound)
{
    if (bound == NULL)
        return;
    aio_free(bound->params);
    aio_free(bound->times);
    aio_free(bound->results);
    aio_free(bound->cells);
    aio_free(bound);
}

/* --- the statement ------------------------------------------------------------------------------------------ */

/* The server sends no answer to this. Outside of an operation nobody waits: a socket that has no room
 * for it costs the connection. */
void aio__mysql_close_prepared(aio_mysql_cursor *cursor)
{
    MYSQL_STMT *stmt = cursor->stmt;
    aio_mysql *conn = cursor->conn;
    bool broken = false;
    my_bool failed;
    int status;

    if (stmt == NULL)
        return;
    assert(conn != NULL);
    if (conn->streaming == cursor)
        conn->streaming = NULL;
    cursor->stmt = NULL;
    cursor->fields = NULL;
    aio_free(cursor->stmt_sql);
    cursor->stmt_sql = NULL;
    free_bound(cursor->bound);
    cursor->bound = NULL;
    status = mysql_stmt_close_start(&failed, stmt);
    while (status != 0) {
        int events = MYSQL_WAIT_TIMEOUT;

        if (conn->busy)
            events = aio__mysql_wait(conn, status);
        else
            broken = true;
        status = mysql_stmt_close_cont(&failed, stmt, events);
    }
    if (broken)
        aio__mysql_drop(conn);
}

void aio__mysql_free_prepared(aio_mysql_cursor *cursor)
{
    aio_mysql *conn = cursor->conn;
    my_bool failed;
    int status = mysql_stmt_free_result_start(&failed, cursor->stmt);

    while (status != 0)
        status = mysql_stmt_free_result_cont(&failed, cursor->stmt, aio__mysql_wait(conn, status));
    cursor->ended = true;
    if (conn->streaming == cursor)
        conn->streaming = NULL;
}

/* Room for what the statement takes. */
static int make_bound(aio_mysql_cursor *cursor)
{
    struct aio__mysql_bound *bound = aio_calloc(1, sizeof(*bound));

    if (bound == NULL)
        return AIO_ENOMEM;
    cursor->bound = bound;
    bound->param_count = mysql_stmt_param_count(cursor->stmt);
    if (bound->param_count == 0)
        return 0;
    bound->params = aio_calloc(bound->param_count, sizeof(*bound->params));
    bound->times = aio_calloc(bound->param_count, sizeof(*bound->times));
    return bound->params == NULL || bound->times == NULL ? AIO_ENOMEM : 0;
}

static int prepare_anew(aio_mysql_cursor *cursor, const char *sql)
{
    aio_mysql *conn = cursor->conn;
    int failed = 0;
    int status;
    int err;

    aio__mysql_close_prepared(cursor);
    cursor->stmt = mysql_stmt_init(conn->mysql);
    cursor->stmt_sql = aio_strdup(sql);
    if (cursor->stmt == NULL || cursor->stmt_sql == NULL) {
        err = AIO_ENOMEM;
        goto close;
    }
    status = mysql_stmt_prepare_start(&failed, cursor->stmt, sql, strlen(sql));
    while (status != 0)
        status = mysql_stmt_prepare_cont(&failed, cursor->stmt, aio__mysql_wait(conn, status));
    err = failed ? aio__mysql_raise_stmt(cursor->stmt) : make_bound(cursor);
    if (err == 0)
        return 0;
close:
    aio__mysql_close_prepared(cursor);
    return err;
}

int aio__mysql_prepare(aio_mysql_cursor *cursor, const char *sql, size_t count)
{
    int err = 0;

    if (cursor->stmt == NULL || strcmp(cursor->stmt_sql, sql) != 0)
        err = prepare_anew(cursor, sql);
    if (err < 0)
        return err;
    assert(cursor->bound != NULL);
    return count == cursor->bound->param_count
               ? 0
               : aio_raise(AIO_ETYPE, "the statement takes %zu values, not %zu",
                           cursor->bound->param_count, count);
}

/* --- parameters ------------------------------------------------------------------------------------------------ */

static enum enum_field_types time_type(aio_mysql_type type)
{
    return type == AIO_MYSQL_DATE   ? MYSQL_TYPE_DATE
           : type == AIO_MYSQL_TIME ? MYSQL_TYPE_TIME
                                    : MYSQL_TYPE_DATETIME;
}

static void bind_time(MYSQL_BIND *bind, MYSQL_TIME *place, const aio_mysql_value *value)
{
    *place = (MYSQL_TIME){
        .year = value->time.year,
        .month = value->time.month,
        .day = value->time.day,
        .hour = value->time.hour,
        .minute = value->time.minute,
        .second = value->time.second,
        .second_part = value->time.microsecond,
        .neg = value->time.negative,
        .time_type = value->type == AIO_MYSQL_DATE   ? MYSQL_TIMESTAMP_DATE
                     : value->type == AIO_MYSQL_TIME ? MYSQL_TIMESTAMP_TIME
                                                     : MYSQL_TIMESTAMP_DATETIME,
    };
    if (value->type == AIO_MYSQL_TIME) {
        place->day = place->hour / 24;
        place->hour %= 24;
    }
    bind->buffer_type = time_type(value->type);
    bind->buffer = place;
}

int aio__mysql_bind_param(MYSQL_BIND *bind, MYSQL_TIME *place, const aio_mysql_value *value)
{
    *bind = (MYSQL_BIND){0};
    switch (value->type) {
    case AIO_MYSQL_NULL: bind->buffer_type = MYSQL_TYPE_NULL; return 0;
    case AIO_MYSQL_INT:
    case AIO_MYSQL_UINT:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = (void *)(uintptr_t)&value->integer;
        bind->is_unsigned = value->type == AIO_MYSQL_UINT;
        return 0;
    case AIO_MYSQL_DOUBLE:
        if (!isfinite(value->number))
            return aio_raise(AIO_EVALUE, "%g can not be used with MySQL", value->number);
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        bind->buffer = (void *)(uintptr_t)&value->number;
        return 0;
    case AIO_MYSQL_DECIMAL:
    case AIO_MYSQL_TEXT:
    case AIO_MYSQL_BYTES:
        bind->buffer_type = value->type == AIO_MYSQL_BYTES  ? MYSQL_TYPE_BLOB
                            : value->type == AIO_MYSQL_TEXT ? MYSQL_TYPE_STRING
                                                            : MYSQL_TYPE_NEWDECIMAL;
        bind->buffer = (void *)(uintptr_t)value->text;
        bind->buffer_length = value->size;
        return 0;
    case AIO_MYSQL_DATE:
    case AIO_MYSQL_TIME:
    case AIO_MYSQL_DATETIME: bind_time(bind, place, value); return 0;
    }
    return aio_raise(AIO_EVALUE, "%d is no type of a value", (int)value->type);
}

static int bind_params(aio_mysql_cursor *cursor, const aio_mysql_value *values, size_t count)
{
    struct aio__mysql_bound *bound = cursor->bound;
    int err = 0;

    assert(bound != NULL);
    for (size_t i = 0; i < count && err == 0; i++)
        err = aio__mysql_bind_param(&bound->params[i], &bound->times[i], &values[i]);
    if (err == 0 && count > 0 && mysql_stmt_bind_param(cursor->stmt, bound->params) != 0)
        err = aio__mysql_raise_stmt(cursor->stmt);
    return err;
}

/* --- columns ----------------------------------------------------------------------------------------------------- */

static void bind_cell(MYSQL_BIND *bind, struct cell *cell, const MYSQL_FIELD *field)
{
    *bind = (MYSQL_BIND){.length = &cell->size, .is_null = &cell->is_null, .error = &cell->error};
    bind->buffer = &cell->integer;
    cell->field_type = field->type;
    cell->flags = field->flags;
    cell->charset = field->charsetnr;
    cell->type = aio__mysql_type_of(field);
    switch (cell->type) {
    case AIO_MYSQL_INT:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
        if (bind->is_unsigned)
            cell->type = AIO_MYSQL_UINT;
        break;
    case AIO_MYSQL_DOUBLE: bind->buffer_type = MYSQL_TYPE_DOUBLE; break;
    case AIO_MYSQL_DATE:
    case AIO_MYSQL_TIME:
    case AIO_MYSQL_DATETIME:
        bind->buffer_type = time_type(cell->type);
        bind->buffer = &cell->time;
        bind->buffer_length = sizeof(cell->time);
        break;
    default: bind->buffer_type = MYSQL_TYPE_BLOB; /* its size alone */
    }
}

/* Whether the cells are for these columns: a table may have changed since the last execution. */
static bool are_bound(const struct aio__mysql_bound *bound, const MYSQL_FIELD *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bound->cells[i].field_type != fields[i].type ||
            bound->cells[i].flags != fields[i].flags ||
            bound->cells[i].charset != fields[i].charsetnr)
            return false;
    }
    return true;
}

static int bind_cells(aio_mysql_cursor *cursor)
{
    struct aio__mysql_bound *bound = cursor->bound;
    size_t count = mysql_stmt_field_count(cursor->stmt);

    if (count != bound->cell_count) {
        MYSQL_BIND *results = aio_calloc(count, sizeof(*results));
        struct cell *cells = aio_calloc(count, sizeof(*cells));

        if (results == NULL || cells == NULL) {
            aio_free(results);
            aio_free(cells);
            return AIO_ENOMEM;
        }
        aio_free(bound->results);
        aio_free(bound->cells);
        bound->results = results;
        bound->cells = cells;
        bound->cell_count = count;
    } else if (are_bound(bound, cursor->fields, count)) {
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        bind_cell(&bound->results[i], &bound->cells[i], &cursor->fields[i]);
    return mysql_stmt_bind_result(cursor->stmt, bound->results) != 0
               ? aio__mysql_raise_stmt(cursor->stmt)
               : 0;
}

/* Fetch text or bytes, now that their size is known. */
static int fetch_text(MYSQL_STMT *stmt, unsigned column, struct aio__mysql_table *table,
                      size_t size, const char **ret_text)
{
    MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_BLOB, .buffer_length = size};
    char *text = aio__mysql_table_bytes(table, NULL, size);

    if (text == NULL)
        return AIO_ENOMEM;
    bind.buffer = text;
    if (size > 0 && mysql_stmt_fetch_column(stmt, &bind, column, 0) != 0)
        return aio__mysql_raise_stmt(stmt);
    *ret_text = text;
    return 0;
}

static aio_mysql_value value_of_time(aio_mysql_type type, const MYSQL_TIME *time)
{
    aio_mysql_time moment = {
        .year = time->year,
        .month = time->month,
        .day = time->day,
        .hour = time->hour,
        .minute = time->minute,
        .second = time->second,
        .microsecond = (unsigned)time->second_part,
        .negative = time->neg != 0,
    };

    if (type == AIO_MYSQL_TIME) {
        moment.hour += 24 * moment.day;
        moment.year = moment.month = moment.day = 0;
    } else if (type == AIO_MYSQL_DATE) {
        moment.hour = moment.minute = moment.second = moment.microsecond = 0;
    }
    return aio_mysql_moment(type, moment);
}

static int read_cell(MYSQL_STMT *stmt, unsigned column, const struct cell *cell,
                     struct aio__mysql_table *table, aio_mysql_value *ret_value)
{
    const char *text = NULL;
    int err;

    if (cell->is_null) {
        *ret_value = aio_mysql_null();
        return 0;
    }
    switch (cell->type) {
    case AIO_MYSQL_INT: *ret_value = aio_mysql_int(cell->integer); return 0;
    case AIO_MYSQL_UINT:
        *ret_value = cell->integer < 0 ? aio_mysql_uint((uint64_t)cell->integer)
                                       : aio_mysql_int(cell->integer);
        return 0;
    case AIO_MYSQL_DOUBLE: *ret_value = aio_mysql_double(cell->number); return 0;
    case AIO_MYSQL_DATE:
    case AIO_MYSQL_TIME:
    case AIO_MYSQL_DATETIME: *ret_value = value_of_time(cell->type, &cell->time); return 0;
    default: break;
    }
    err = fetch_text(stmt, column, table, cell->size, &text);
    if (err < 0)
        return err;
    *ret_value = (aio_mysql_value){.type = cell->type};
    ret_value->text = text;
    ret_value->size = cell->size;
    return 0;
}

static int add_row(aio_mysql_cursor *cursor, struct aio__mysql_table *table)
{
    const struct aio__mysql_bound *bound = cursor->bound;
    aio_mysql_value *values = aio__mysql_table_add(table, bound->cell_count);
    int err = values == NULL ? AIO_ENOMEM : 0;

    for (size_t i = 0; i < bound->cell_count && err == 0; i++)
        err = read_cell(cursor->stmt, (unsigned)i, &bound->cells[i], table, &values[i]);
    if (err < 0 && values != NULL)
        aio__mysql_table_drop_last(table);
    return err;
}

/* --- execution ------------------------------------------------------------------------------------------------------ */

static int run(aio_mysql_cursor *cursor)
{
    aio_mysql *conn = cursor->conn;
    int failed = 0;
    int status = mysql_stmt_execute_start(&failed, cursor->stmt);
    int err;

    while (status != 0)
        status = mysql_stmt_execute_cont(&failed, cursor->stmt, aio__mysql_wait(conn, status));
    if (!failed)
        return 0;
    err = aio__mysql_raise_stmt(cursor->stmt);
    if (mysql_stmt_errno(cursor->stmt) == CR_NEW_STMT_METADATA)
        aio__mysql_close_prepared(
            cursor); /* of a table with other columns now: to be prepared anew */
    return err;
}

static int store(aio_mysql_cursor *cursor)
{
    aio_mysql *conn = cursor->conn;
    int failed = 0;
    int status = mysql_stmt_store_result_start(&failed, cursor->stmt);
    int err = 0;

    while (status != 0)
        status = mysql_stmt_store_result_cont(&failed, cursor->stmt, aio__mysql_wait(conn, status));
    if (failed)
        return aio__mysql_raise_stmt(cursor->stmt);
    while (err == 0) { /* they are here: nothing waits */
        int got = mysql_stmt_fetch(cursor->stmt);

        if (got == MYSQL_NO_DATA)
            break;
        err = got == 1 ? aio__mysql_raise_stmt(cursor->stmt) : add_row(cursor, cursor->table);
    }
    cursor->rowcount = (int64_t)aio__mysql_table_count(cursor->table);
    (void)mysql_stmt_free_result(cursor->stmt);
    return err;
}

static int read_prepared(aio_mysql_cursor *cursor)
{
    MYSQL_STMT *stmt = cursor->stmt;
    int err = 0;

    assert(stmt != NULL);
    cursor->lastrowid = mysql_stmt_insert_id(stmt);
    cursor->warnings = mysql_stmt_warning_count(stmt);
    cursor->has_result = mysql_stmt_field_count(stmt) > 0;
    if (!cursor->has_result) {
        cursor->rowcount = (int64_t)mysql_stmt_affected_rows(stmt);
        return 0;
    }
    cursor->fields = stmt->fields;
    err = bind_cells(cursor);
    if (err == 0)
        err = aio__mysql_note_columns(cursor, cursor->fields, cursor->bound->cell_count);
    if (err == 0 && (cursor->flags & AIO_MYSQL_STREAM) == 0)
        return store(cursor);
    cursor->rowcount = -1;
    cursor->ended = false;
    cursor->conn->streaming = cursor;
    if (err < 0)
        aio__mysql_cursor_discard(cursor);
    return err;
}

int aio__mysql_run_prepared(aio_mysql_cursor *cursor)
{
    int err = run(cursor);

    return err < 0 ? err : read_prepared(cursor);
}

int aio__mysql_execute_prepared(aio_mysql_cursor *cursor, const char *sql,
                                const aio_mysql_value *values, size_t count)
{
    int err = aio__mysql_prepare(cursor, sql, count);

    if (err == 0)
        err = bind_params(cursor, values, count);
    return err < 0 ? err : aio__mysql_run_prepared(cursor);
}

int aio__mysql_stream_prepared(aio_mysql_cursor *cursor, struct aio__mysql_table *table,
                               bool *ret_row)
{
    aio_mysql *conn = cursor->conn;
    int got = 0;
    int status = mysql_stmt_fetch_start(&got, cursor->stmt);
    int err = 0;

    while (status != 0)
        status = mysql_stmt_fetch_cont(&got, cursor->stmt, aio__mysql_wait(conn, status));
    *ret_row = got != 1 && got != MYSQL_NO_DATA;
    if (*ret_row)
        return add_row(cursor, table);
    if (got == 1)
        err = aio__mysql_raise_stmt(cursor->stmt);
    aio__mysql_free_prepared(cursor);
    return err;
}
