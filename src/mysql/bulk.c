/* SPDX-License-Identifier: MIT */
/*
 * bulk.c - many rows by one execution of a prepared INSERT, which MariaDB's servers can do
 *
 * What is sent has one type for each column, so that an execution has as many rows as agree on them and
 * fit; a NULL agrees with all. For the server it is one INSERT of all its rows.
 *
 * Everything here is part of an operation.
 */
#include "mysql/mysql_internal.h"

#include <aio/memory.h>
#include <string.h>

/* Bytes of an execution: see insert.c. A value of fixed size takes no more than so many. */
enum { MAX_BYTES = 1024000, FIXED_BYTES = 16 };

/* What libmariadb reads a value from: itself, or a pointer to it. */
union cell {
    long long integer;
    double number;
    const void *place;
};

/* The rows of one execution, column by column. */
struct batch {
    size_t rows;
    size_t columns;
    MYSQL_BIND *params; /* of each column */
    /* of each value */
    union cell *cells;
    MYSQL_TIME *times;
    unsigned long *sizes;
    char *nulls;
};

static void batch_free(struct batch *batch)
{
    aio_free(batch->params);
    aio_free(batch->cells);
    aio_free(batch->times);
    aio_free(batch->sizes);
    aio_free(batch->nulls);
}

static int batch_make(struct batch *batch, size_t rows, size_t columns)
{
    size_t count = rows * columns;

    *batch = (struct batch){.rows = rows, .columns = columns};
    batch->params = aio_calloc(columns, sizeof(*batch->params));
    batch->cells = aio_calloc(count, sizeof(*batch->cells));
    batch->times = aio_calloc(count, sizeof(*batch->times));
    batch->sizes = aio_calloc(count, sizeof(*batch->sizes));
    batch->nulls = aio_calloc(count, sizeof(*batch->nulls));
    if (batch->params != NULL && batch->cells != NULL && batch->times != NULL &&
        batch->sizes != NULL && batch->nulls != NULL)
        return 0;
    batch_free(batch);
    return AIO_ENOMEM;
}

/* --- which rows ------------------------------------------------------------------------------------------- */

static size_t bytes_of(const aio_mysql_value *value)
{
    bool is_text = value->type == AIO_MYSQL_TEXT || value->type == AIO_MYSQL_BYTES ||
                   value->type == AIO_MYSQL_DECIMAL;

    return FIXED_BYTES + (is_text ? value->size : 0);
}

/* Whether a row has the types of those before it, which it may add to. */
static bool agrees(aio_mysql_type *types, const aio_mysql_value *row, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        if (row[i].type == AIO_MYSQL_NULL)
            continue;
        if (types[i] != AIO_MYSQL_NULL && types[i] != row[i].type)
            return false;
        types[i] = row[i].type;
    }
    return true;
}

/* How many rows go into the next execution: one at least. `types` has room for one row. */
static size_t count_rows(aio_mysql_type *types, const aio_mysql_value *values, size_t rows,
                         size_t columns)
{
    size_t bytes = 0;

    for (size_t i = 0; i < columns; i++)
        types[i] = AIO_MYSQL_NULL;
    for (size_t i = 0; i < rows; i++) {
        const aio_mysql_value *row = values + i * columns;

        for (size_t k = 0; k < columns; k++)
            bytes += bytes_of(&row[k]);
        if (!agrees(types, row, columns) || (i > 0 && bytes > MAX_BYTES))
            return i;
    }
    return rows;
}

/* --- filling it in ---------------------------------------------------------------------------------------- */

static int put(struct batch *batch, MYSQL_BIND *column, size_t place, const aio_mysql_value *value)
{
    MYSQL_BIND one;
    int err = aio__mysql_bind_param(&one, &batch->times[place], value);

    if (err < 0)
        return err;
    if (value->type == AIO_MYSQL_NULL) {
        batch->nulls[place] = STMT_INDICATOR_NULL;
        return 0;
    }
    column->buffer_type = one.buffer_type;
    column->is_unsigned = one.is_unsigned;
    batch->sizes[place] = one.buffer_length;
    if (value->type == AIO_MYSQL_INT || value->type == AIO_MYSQL_UINT)
        batch->cells[place].integer = value->integer;
    else if (value->type == AIO_MYSQL_DOUBLE)
        batch->cells[place].number = value->number;
    else
        batch->cells[place].place = one.buffer == NULL ? "" : one.buffer;
    return 0;
}

static int fill(struct batch *batch, const aio_mysql_value *values)
{
    int err = 0;

    for (size_t i = 0; i < batch->columns; i++) {
        MYSQL_BIND *column = &batch->params[i];
        size_t first = i * batch->rows;

        column->buffer_type = MYSQL_TYPE_STRING; /* unless there is a value */
        column->buffer = &batch->cells[first];
        column->length = &batch->sizes[first];
        column->u.indicator = &batch->nulls[first];
        for (size_t k = 0; k < batch->rows && err == 0; k++)
            err = put(batch, column, first + k, &values[k * batch->columns + i]);
    }
    return err;
}

/* --- sending it ------------------------------------------------------------------------------------------- */

static void set_rows(MYSQL_STMT *stmt, size_t rows)
{
    unsigned size = (unsigned)rows;

    (void)mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &size);
}

static int send(aio_mysql_cursor *cursor, struct batch *batch)
{
    int err;

    set_rows(cursor->stmt, batch->rows);
    err = mysql_stmt_bind_param(cursor->stmt, batch->params) != 0
              ? aio__mysql_raise_stmt(cursor->stmt)
              : aio__mysql_run_prepared(cursor);
    if (cursor->stmt != NULL)
        set_rows(cursor->stmt, 0);
    return err;
}

static int send_rows(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                     size_t rows, size_t columns)
{
    struct batch batch = {0};
    int err;

    aio__mysql_skip_rest(cursor->conn);
    err = aio__mysql_cursor_reset(cursor);
    if (err == 0)
        err = aio__mysql_prepare(cursor, sql, columns);
    if (err == 0)
        err = batch_make(&batch, rows, columns);
    if (err < 0)
        return err;
    err = fill(&batch, values);
    if (err == 0)
        err = send(cursor, &batch);
    batch_free(&batch);
    return err;
}

bool aio__mysql_has_bulk(aio_mysql *conn)
{
    unsigned long capabilities = 0;

    return mariadb_get_infov(conn->mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES,
                             &capabilities) == 0 &&
           (capabilities & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

int aio__mysql_bulk_rows(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                         size_t rows, size_t columns)
{
    aio_mysql_type *types = aio_calloc(columns, sizeof(*types));
    int64_t total = 0;
    int err = types == NULL ? AIO_ENOMEM : 0;

    for (size_t done = 0, count; done < rows && err == 0; done += count) {
        const aio_mysql_value *next = values + done * columns;

        count = count_rows(types, next, rows - done, columns);
        err = send_rows(cursor, sql, next, count, columns);
        total += err == 0 && cursor->rowcount > 0 ? cursor->rowcount : 0;
    }
    cursor->rowcount = total;
    aio_free(types);
    return err;
}
