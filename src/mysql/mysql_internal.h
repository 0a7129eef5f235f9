/* SPDX-License-Identifier: MIT */
/*
 * mysql_internal.h - a connection to MySQL, from the inside
 *
 * For src/mysql. libmariadb runs each operation on a stack of its own and comes back when it would
 * have to wait; the task waits in its place and lets it go on:
 *
 *     err = aio__mysql_enter(conn);
 *     if (err < 0)
 *         return err;
 *     status = mysql_ping_start(&failed, conn->mysql);
 *     while (status != 0)
 *         status = mysql_ping_cont(&failed, conn->mysql, aio__mysql_wait(conn, status));
 *     return aio__mysql_leave(conn, failed ? aio__mysql_raise(conn) : 0);
 *
 * An operation is never left in the middle, where libmariadb has memory on its stack that nobody
 * could free. Who is cancelled, or out of time, shuts the socket down and lets the operation run
 * into that: aio__mysql_wait() does not suspend any more then, and leave gives the reason.
 */
#ifndef AIO__MYSQL_INTERNAL_H
#define AIO__MYSQL_INTERNAL_H

#include <aio/future.h>
#include <aio/loop.h>
#include <aio/mysql.h>
#include <mysql.h>

struct aio_mysql {
    size_t refs;        /* the program's, cursors' and those of operations under way */
    aio_loop *loop;     /* referenced */
    MYSQL *mysql;       /* owned; NULL once closed */
    int fd;             /* that is watched */
    bool watched;       /* the loop reads the fd */
    bool busy;          /* an operation is under way */
    bool closing;       /* aio_mysql_close() came in the middle of one */
    int failure;        /* why the operation under way is given up; 0: it is not */
    aio_future *waiter; /* owned; the fd's readiness. NULL: nobody waits */
    double timeout;
    double deadline;             /* loop time, of the operation under way */
    aio_handle *timer;           /* owned; NULL: none */
    aio_mysql_cursor *streaming; /* borrowed; it has rows that are not here yet */
    aio_mysql_cursor *leftovers; /* owned; without references, with statements still to be closed */
};

/* --- connections ------------------------------------------------------------------------------ */

/* Without a MYSQL yet: one reference. NULL: no memory. */
aio_mysql *aio__mysql_new(double timeout);

/* Begin an operation: 0, or why it cannot be. */
int aio__mysql_enter(aio_mysql *conn);
/* The same, and throw away what a stream has left to come. */
int aio__mysql_enter_clean(aio_mysql *conn);
/* Wait for what libmariadb wants to wait for; gives what it is to be told. */
int aio__mysql_wait(aio_mysql *conn, int status);
/* End the operation with a code. One that was given up closes the connection, and has its own. */
int aio__mysql_leave(aio_mysql *conn, int code);

/* Close the MYSQL without waiting; nothing if there is none. */
void aio__mysql_drop(aio_mysql *conn);
/* The same of a bare one. */
void aio__mysql_close_now(MYSQL *mysql);

/* Run a statement without a result, within an operation. */
int aio__mysql_simple(aio_mysql *conn, const char *sql);

/* --- options ------------------------------------------------------------------------------------ */

int aio__mysql_options_copy(const aio_mysql_options *options, aio_mysql_options **ret_copy);
/* Free them, and leave no password behind. NULL is allowed. */
void aio__mysql_options_free(aio_mysql_options *options);
/* aio_mysql_connect() with options that are a copy already. */
int aio__mysql_connect_copied(const aio_mysql_options *options, aio_mysql **ret_conn);

/* --- errors --------------------------------------------------------------------------------------- */

/* Give the codes of mysql.h their names. */
void aio__mysql_register_errors(void);
/* Raise the error of the last call: of a MYSQL, or of a statement. */
int aio__mysql_raise_of(MYSQL *mysql);
int aio__mysql_raise_stmt(MYSQL_STMT *stmt);

static inline int aio__mysql_raise(aio_mysql *conn)
{
    return aio__mysql_raise_of(conn->mysql);
}

/* --- text ----------------------------------------------------------------------------------------- */

/* Text that grows. */
struct aio__mysql_text {
    char *data;
    size_t size;
    size_t room;
    bool failed; /* no memory: nothing is added any more */
};

void aio__mysql_put(struct aio__mysql_text *text, const void *data, size_t size);
/* Put values into a statement: 0, or a raised code. aio_free() the data in any case. */
int aio__mysql_fill_in(MYSQL *mysql, const char *sql, const aio_mysql_value *values, size_t count,
                       struct aio__mysql_text *text);

/* --- rows ------------------------------------------------------------------------------------------ */

/* Rows under construction, or done: all that belongs to them is cut from one memory. */
struct aio__mysql_table;

struct aio__mysql_table *aio__mysql_table_new(void);
void aio__mysql_table_unref(struct aio__mysql_table *table);
/* Forget all rows, keep memory. Nobody else has a reference. */
void aio__mysql_table_clear(struct aio__mysql_table *table);
/* Whether somebody else has a reference. */
bool aio__mysql_table_is_shared(const struct aio__mysql_table *table);
/* Add a row of so many values, which the caller fills in; NULL: no memory. */
aio_mysql_value *aio__mysql_table_add(struct aio__mysql_table *table, size_t columns);
/* Take the row added last away again. */
void aio__mysql_table_drop_last(struct aio__mysql_table *table);
/* Memory for bytes of a row, with a 0 behind them; NULL: none. */
char *aio__mysql_table_bytes(struct aio__mysql_table *table, const void *data, size_t size);
size_t aio__mysql_table_count(const struct aio__mysql_table *table);
const aio_mysql_row *aio__mysql_table_row(const struct aio__mysql_table *table, size_t index);
/* The rows from `first` on, up to `count`, with a reference to the table; NULL: no memory. */
aio_mysql_rows *aio__mysql_table_slice(struct aio__mysql_table *table, size_t first, size_t count);

/* --- values ----------------------------------------------------------------------------------------- */

/* The value of a column from its text (NULL: NULL). 0, or AIO_ENOMEM. */
int aio__mysql_value_of_text(struct aio__mysql_table *table, const MYSQL_FIELD *field,
                             const char *text, size_t size, aio_mysql_value *ret_value);
/* What a column's values are. */
aio_mysql_type aio__mysql_type_of(const MYSQL_FIELD *field);

/* --- cursors ------------------------------------------------------------------------------------------ */

struct aio_mysql_cursor {
    aio_iterator iterator; /* first */
    size_t refs;
    aio_mysql *conn; /* owned; NULL once closed */
    unsigned flags;
    MYSQL_RES *result;              /* owned; of a stream by text, NULL: none */
    MYSQL_STMT *stmt;               /* owned; NULL: none */
    char *stmt_sql;                 /* owned; what it was prepared from */
    struct aio__mysql_bound *bound; /* owned; where a prepared statement puts its columns */
    MYSQL_FIELD *fields;            /* borrowed from the result or statement, while it lasts */
    struct aio__mysql_table *table; /* owned; the rows of a buffered cursor, or a stream's last */
    size_t next;                    /* row of the table */
    aio_mysql_column *columns;      /* owned */
    size_t column_count;
    bool has_result;
    bool ended; /* of a stream: the last row was fetched */
    int64_t rowcount;
    uint64_t lastrowid;
    unsigned warnings;
    aio_mysql_cursor *next_leftover;
};

/* Within an operation, all of these. */

/* Throw away what a stream has left. Cannot fail: a connection that breaks is noticed by what
 * follows. */
void aio__mysql_cursor_discard(aio_mysql_cursor *cursor);
/* The same of all that the last statement has left, whoever's it was. */
void aio__mysql_skip_rest(aio_mysql *conn);
/* Forget the last statement: 0 or AIO_ENOMEM. */
int aio__mysql_cursor_reset(aio_mysql_cursor *cursor);
/* Run a statement by text, and read what it gives. */
int aio__mysql_query(aio_mysql_cursor *cursor, const char *sql, size_t size);
/* Read what a statement by text gave. */
int aio__mysql_read_result(aio_mysql_cursor *cursor);
/* Fetch a row of a stream into a table; false at the end. */
int aio__mysql_stream_row(aio_mysql_cursor *cursor, struct aio__mysql_table *table, bool *ret_row);
/* Note the columns of a result. */
int aio__mysql_note_columns(aio_mysql_cursor *cursor, const MYSQL_FIELD *fields, size_t count);
/* Prepare unless that is done, execute, and read or begin to read. */
int aio__mysql_execute_prepared(aio_mysql_cursor *cursor, const char *sql,
                                const aio_mysql_value *values, size_t count);
/* The steps of it: prepare unless that is done, for so many values; a value as a parameter, its time in a
 * place of its own; execute with what is bound, and read or begin to read. */
int aio__mysql_prepare(aio_mysql_cursor *cursor, const char *sql, size_t count);
int aio__mysql_bind_param(MYSQL_BIND *bind, MYSQL_TIME *place, const aio_mysql_value *value);
int aio__mysql_run_prepared(aio_mysql_cursor *cursor);
int aio__mysql_stream_prepared(aio_mysql_cursor *cursor, struct aio__mysql_table *table,
                               bool *ret_row);
/* Throw away the rows of a prepared statement, or the statement as well. */
void aio__mysql_free_prepared(aio_mysql_cursor *cursor);
void aio__mysql_close_prepared(aio_mysql_cursor *cursor);
/* Close the statements of those cursors that went while the connection was busy. */
void aio__mysql_close_leftovers(aio_mysql *conn);

/* --- inserting many rows -------------------------------------------------------------------------- */

/* INSERT or REPLACE ... VALUES (%s, ...), or (?, ...), taken apart: pieces of the statement, borrowed. */
struct aio__mysql_insert {
    const char *start; /* up to the row */
    size_t start_size;
    const char *row; /* "(%s, %s)" */
    size_t row_size;
    const char *end; /* ON DUPLICATE KEY UPDATE ..., or "" */
};

/* Whether a statement is one, with "%s" or "?" where a value goes. */
bool aio__mysql_insert_read(struct aio__mysql_insert *insert, const char *sql, const char *place);
/* Send all rows with as few statements as their size allows, within an operation. */
int aio__mysql_insert_rows(aio_mysql_cursor *cursor, const struct aio__mysql_insert *insert,
                           const aio_mysql_value *values, size_t rows, size_t count);

/* The same by a prepared statement, with as few executions; whether the server can do that. */
bool aio__mysql_has_bulk(aio_mysql *conn);
int aio__mysql_bulk_rows(aio_mysql_cursor *cursor, const char *sql, const aio_mysql_value *values,
                         size_t rows, size_t columns);

#endif
