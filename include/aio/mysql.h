/* SPDX-License-Identifier: MIT */
/*
 * mysql.h - a client of MySQL and MariaDB: cursors, typed rows, transactions, a pool
 *
 * Of the library aioc-mysql, which drives libmariadb without blocking the loop.
 *
 *     aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;
 *
 *     options.host = "localhost";
 *     options.user = "root";
 *     options.db = "test";
 *     err = aio_mysql_connect(&options, &conn);             conn = await aiomysql.connect(...)
 *     err = aio_mysql_cursor_new(conn, 0, &cursor);         cur = await conn.cursor()
 *     err = aio_mysql_execute(cursor,                       await cur.execute(
 *         "SELECT name FROM t WHERE id = %s",                   'SELECT name FROM t WHERE id = %s',
 *         AIO_MYSQL_ARGS(aio_mysql_int(7)));                    (7,))
 *     err = aio_mysql_fetchall(cursor, &rows);              rows = await cur.fetchall()
 *
 * A connection does one thing at a time: a second task that asks gets AIO_ERUNTIME. A task that is
 * cancelled in the middle of an operation costs the connection, for its protocol cannot be taken up
 * again there: it is closed at once, and a pool replaces it. The server may still finish what it
 * was told; aio_mysql_kill() by another connection ends it.
 *
 * Thread: the loop's that connected, for everything here; rows may be read anywhere.
 */
#ifndef AIO_MYSQL_H
#define AIO_MYSQL_H

#include <aio/error.h>
#include <aio/iterator.h>
#include <aio/pool.h>
#include <aio/type.h>

AIO_BEGIN_DECLS

/** @name Errors
 *  Python's classes (PEP 249). The text is "1146 (42S02): Table 'test.x' doesn't exist": the
 *  server's number, its SQLSTATE and what it says. @{ */
enum {
    AIO_MYSQL_ERROR = -10400,      /**< Error: everything below */
    AIO_MYSQL_EINTERFACE = -10401, /**< InterfaceError: not used in the right way */
    AIO_MYSQL_EDATABASE = -10402,  /**< DatabaseError: and all that follow */
    AIO_MYSQL_EDATA = -10403,      /**< DataError: a value too long, out of bounds, ... */
    AIO_MYSQL_EOPERATIONAL =
        -10404, /**< OperationalError: access denied, connection lost, deadlock, ... */
    AIO_MYSQL_EINTEGRITY = -10405,   /**< IntegrityError: a duplicate, a foreign key, ... */
    AIO_MYSQL_EINTERNAL = -10406,    /**< InternalError: what has no better class */
    AIO_MYSQL_EPROGRAMMING = -10407, /**< ProgrammingError: syntax, no such table, ... */
    AIO_MYSQL_ENOTSUPPORTED = -10408 /**< NotSupportedError */
};

/** What the server's error consists of. */
typedef struct aio_mysql_error_info {
    unsigned number;     /**< 1062, ...; from 2000 on the client library's */
    char sqlstate[6];    /**< "23000" */
    const char *message; /**< borrowed from the error */
} aio_mysql_error_info;

/** Take an error of the codes above apart. 0, or AIO_EVALUE if it is none.
 *  Suspends: no.   asyncio: none; exc.args   Since: 0.1 */
AIO_API int aio_mysql_error_get_info(const aio_exception *error, aio_mysql_error_info *ret_info);
/** @} */

/** @name Values @{ */

/** What a value is. */
typedef enum aio_mysql_type {
    AIO_MYSQL_NULL,
    AIO_MYSQL_INT,     /**< integer */
    AIO_MYSQL_UINT,    /**< unsigned_integer: one that is beyond INT64_MAX, or a parameter */
    AIO_MYSQL_DOUBLE,  /**< number */
    AIO_MYSQL_DECIMAL, /**< text, size: "-12.50" */
    AIO_MYSQL_TEXT,    /**< text, size: in the connection's charset; JSON, ENUM and SET too */
    AIO_MYSQL_BYTES,   /**< text, size: any bytes; BLOB, BINARY, BIT, GEOMETRY */
    AIO_MYSQL_DATE,    /**< time: year, month, day */
    AIO_MYSQL_TIME,    /**< time: negative, hour (beyond 24, too), minute, second, microsecond */
    AIO_MYSQL_DATETIME /**< time: all but negative; TIMESTAMP too */
} aio_mysql_type;

/** A date, a time, or both. */
typedef struct aio_mysql_time {
    unsigned year, month, day;
    unsigned hour, minute, second, microsecond;
    bool negative;
} aio_mysql_time;

/** A value: of a column, or to be put into a statement. */
typedef struct aio_mysql_value {
    aio_mysql_type type;
    union {
        int64_t integer;
        uint64_t unsigned_integer;
        double number;
        aio_mysql_time time;
        const char *text; /**< of a column: a 0 follows. Of a parameter: borrowed for the call */
    };
    size_t size; /**< of the text */
} aio_mysql_value;

/** NULL. */
AIO_API aio_mysql_value aio_mysql_null(void);
/** An integer. */
AIO_API aio_mysql_value aio_mysql_int(int64_t integer);
/** An integer without a sign. */
AIO_API aio_mysql_value aio_mysql_uint(uint64_t integer);
/** A floating point number. NaN and infinities are refused by what takes it. */
AIO_API aio_mysql_value aio_mysql_double(double number);
/** A decimal, as text: digits with a point and a sign. */
AIO_API aio_mysql_value aio_mysql_decimal(const char *digits);
/** Text up to its 0; NULL is NULL. */
AIO_API aio_mysql_value aio_mysql_text(const char *text);
/** Any bytes. */
AIO_API aio_mysql_value aio_mysql_bytes(const void *bytes, size_t size);
/** A date, time, or both: @p type is AIO_MYSQL_DATE, _TIME or _DATETIME. */
AIO_API aio_mysql_value aio_mysql_moment(aio_mysql_type type, aio_mysql_time time);

/** The two arguments that statements take their values by. In C alone: C++ has no array that lives
 *  as long as the statement it is made in. */
#ifndef __cplusplus
#define AIO_MYSQL_ARGS(...)                                                                        \
    ((const aio_mysql_value[]){__VA_ARGS__}),                                                      \
        (sizeof((const aio_mysql_value[]){__VA_ARGS__}) / sizeof(aio_mysql_value))
#endif

/** A row. */
typedef struct aio_mysql_row {
    const aio_mysql_value *values;
    size_t count;
} aio_mysql_row;

/** Rows that were fetched; counted. Read only. */
typedef struct aio_mysql_rows {
    const aio_mysql_row *rows;
    size_t count;
} aio_mysql_rows;

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_mysql_rows *aio_mysql_rows_ref(aio_mysql_rows *rows);
/** Drop a reference; NULL is allowed. Since: 0.1 */
AIO_API void aio_mysql_rows_unref(aio_mysql_rows *rows);
AIO_DEFINE_AUTO(aio_mysql_rows)
/** For results of tasks: unrefs rows, and prints them as aio_mysql_rows_repr(). Since: 0.1 */
AIO_API extern const aio_type aio_mysql_type_rows;

/**
 * Write a row as Python prints its tuple: (1, 'a', None, 1.5, Decimal('2.50'), b'\x00',
 * datetime.date(2024, 1, 31)).
 *
 * @param[out] buffer  Gets at most @p size bytes, the final 0 among them. May be NULL when @p size
 *                     is 0.
 * @return The length of the whole text, as snprintf does.
 * Suspends: no.   asyncio: repr()                                Since: 0.1
 */
AIO_API size_t aio_mysql_row_repr(const aio_mysql_row *row, char *buffer, size_t size);
/** The same of rows: a tuple of tuples.   Since: 0.1 */
AIO_API size_t aio_mysql_rows_repr(const aio_mysql_rows *rows, char *buffer, size_t size);
/** @} */

/** @name Connections @{ */

typedef struct aio_mysql aio_mysql;

/** Whether a connection is encrypted. */
typedef enum aio_mysql_ssl {
    AIO_MYSQL_SSL_OFF,
    AIO_MYSQL_SSL_VERIFY,   /**< the server's certificate and its name are verified */
    AIO_MYSQL_SSL_NO_VERIFY /**< encrypted, with anybody */
} aio_mysql_ssl;

/** Where to connect to, and how. Zero in a field means the default; strings are copied. */
typedef struct aio_mysql_options {
    size_t size;             /**< sizeof(aio_mysql_options) */
    const char *host;        /**< a name or number; default "localhost", by TCP */
    int port;                /**< default 3306 */
    const char *unix_socket; /**< its path, instead of host and port */
    const char *user;        /**< default: the process' */
    const char *password;    /**< default: none */
    const char *db;          /**< default: none */
    const char *charset;     /**< default "utf8mb4" */
    bool autocommit;         /**< default false, as PEP 249 wants it: commit what you change */
    aio_mysql_ssl ssl;
    const char *ssl_ca;       /**< PEM; default: the system's authorities */
    const char *ssl_cert;     /**< PEM; default: none */
    const char *ssl_key;      /**< PEM */
    const char *init_command; /**< a statement to begin with; default: none */
    double connect_timeout;   /**< seconds, all that has to be said included; default 10 */
    double timeout;           /**< seconds that an operation may take; default: AIO_FOREVER */
} aio_mysql_options;

/** The defaults. */
#define AIO_MYSQL_OPTIONS_INIT AIO_SIZED(aio_mysql_options)

/**
 * Connect and log in.
 *
 * Names are resolved by the loop; with TLS, whose handshake libmariadb does in one go, the whole of
 * it is done in a thread of the default executor.
 *
 * @param options        Borrowed; NULL: the defaults.
 * @param[out] ret_conn  Returned: aio_mysql_unref() it. Written on success only.
 * @return 0, or a negative code, and nothing is left open:
 *   AIO_MYSQL_EOPERATIONAL, ...   cannot connect, access denied, no such database, a bad certificate
 *   AIO_ETIMEDOUT                 it took longer than connect_timeout
 *   AIO_EVALUE                    options that make no sense
 *   AIO_EAI_..., AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM
 *
 * Suspends: yes.   Cancellation point: yes; a thread that connects ends unseen.
 * asyncio: none; aiomysql.connect()                              Since: 0.1
 */
AIO_API int aio_mysql_connect(const aio_mysql_options *options,
                              aio_mysql **ret_conn) AIO_MUST_CHECK;

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_mysql *aio_mysql_ref(aio_mysql *conn);
/** Drop a reference; NULL is allowed. The last one closes the connection. Since: 0.1 */
AIO_API void aio_mysql_unref(aio_mysql *conn);
AIO_DEFINE_AUTO(aio_mysql)

/** Close the connection at once; what was not committed is rolled back by the server. An operation
 *  of another task fails with AIO_MYSQL_EINTERFACE. Nothing if it is closed, or NULL.
 *  Suspends: no.   asyncio: none; aiomysql's Connection.close()   Since: 0.1 */
AIO_API void aio_mysql_close(aio_mysql *conn);
/** Whether it is closed or lost; true for NULL.   Since: 0.1 */
AIO_API bool aio_mysql_is_closed(const aio_mysql *conn);
/** Seconds that operations from now on may take; then the connection is closed. 0, AIO_EVALUE.
 *  Since: 0.1 */
AIO_API int aio_mysql_set_timeout(aio_mysql *conn, double seconds);
/** The server's number of the connection, for aio_mysql_kill(); 0 for NULL.   Since: 0.1 */
AIO_API unsigned long aio_mysql_thread_id(const aio_mysql *conn);
/** "10.11.6-MariaDB", borrowed; "" for NULL.   Since: 0.1 */
AIO_API const char *aio_mysql_server_version(const aio_mysql *conn);

/** @} */

/** @name Operations
 *  Each returns 0 or a negative code, of which these are common to all:
 *    AIO_MYSQL_...          the server refused it, or the connection is lost
 *    AIO_MYSQL_EINTERFACE   the connection or cursor is closed
 *    AIO_ETIMEDOUT          it took longer than the timeout; the connection is closed
 *    AIO_ECANCELLED         the calling task was cancelled; the connection is closed
 *    AIO_ERUNTIME           another task uses the connection, or it belongs to another loop
 *    AIO_EVALUE, AIO_ENOTASK, AIO_ENOMEM   nothing was sent
 *  Each suspends, and is a cancellation point. @{ */

/** Ask the server whether it is there.   asyncio: none; aiomysql's Connection.ping()   Since: 0.1 */
AIO_API int aio_mysql_ping(aio_mysql *conn);
/** Use another database.   asyncio: none; aiomysql's Connection.select_db()   Since: 0.1 */
AIO_API int aio_mysql_select_db(aio_mysql *conn, const char *db);
/** Turn autocommit on or off.   asyncio: none; aiomysql's Connection.autocommit()   Since: 0.1 */
AIO_API int aio_mysql_autocommit(aio_mysql *conn, bool on);
/** Begin a transaction.   asyncio: none; aiomysql's Connection.begin()   Since: 0.1 */
AIO_API int aio_mysql_begin(aio_mysql *conn);
/** Commit it.   asyncio: none; aiomysql's Connection.commit()   Since: 0.1 */
AIO_API int aio_mysql_commit(aio_mysql *conn);
/** Undo it.   asyncio: none; aiomysql's Connection.rollback()   Since: 0.1 */
AIO_API int aio_mysql_rollback(aio_mysql *conn);
/** Whether a transaction is open, as far as the server has said. Suspends: no.   Since: 0.1 */
AIO_API bool aio_mysql_in_transaction(const aio_mysql *conn);
/** Begin a block that is one transaction: aio_mysql_begin().   Since: 0.1 */
AIO_API int aio_mysql_transaction_enter(aio_mysql *conn);
/**
 * End it: commit if the block succeeded, else roll back.
 *
 * @param code  What the block ended with: 0 or a negative code.
 * @return @p code if that is negative, and what committing gave otherwise.
 * asyncio: none; aiomysql's Transaction.__aexit__()              Since: 0.1
 */
AIO_API int aio_mysql_transaction_exit(aio_mysql *conn, int code);
/** Have the server end another connection, and what it does, by its aio_mysql_thread_id().
 *  asyncio: none; aiomysql's Connection.kill()   Since: 0.1 */
AIO_API int aio_mysql_kill(aio_mysql *conn, unsigned long thread_id);

/**
 * Write a value as SQL, as aio_mysql_execute() puts it into a statement.
 *
 * @param[out] ret_sql  aio_free() it.
 * @return 0, AIO_EVALUE for a value that cannot be written, AIO_ENOMEM, AIO_MYSQL_EINTERFACE.
 * Suspends: no.   asyncio: none; aiomysql's Connection.escape()  Since: 0.1
 */
AIO_API int aio_mysql_escape(aio_mysql *conn, aio_mysql_value value, char **ret_sql);
/** @} */

/** @name Cursors @{ */

typedef struct aio_mysql_cursor aio_mysql_cursor;

/** What a cursor is like; may be or'ed. */
typedef enum aio_mysql_cursor_flags {
    AIO_MYSQL_STREAM = 1, /**< rows are fetched from the server as they are asked for: SSCursor */
    AIO_MYSQL_PREPARED =
        2 /**< statements have ? for values, and are prepared by the server; one that
                                is executed again is not prepared again */
} aio_mysql_cursor_flags;

/** A column of a result. The texts are borrowed from the cursor until the next statement. Those of a
 *  prepared statement are as they were when it was prepared, should its table have changed. */
typedef struct aio_mysql_column {
    const char *name;
    const char *table; /**< "" for an expression */
    int type;          /**< MYSQL_TYPE_... of the server */
    unsigned flags;    /**< NOT_NULL_FLAG, ... of the server */
    unsigned decimals;
    unsigned long length;
} aio_mysql_column;

/**
 * Make a cursor.
 *
 * @param conn             Kept.
 * @param flags            Of aio_mysql_cursor_flags; 0: buffered, values put into the text.
 * @param[out] ret_cursor  Returned: aio_mysql_cursor_unref() it. Written on success only.
 * @return 0, AIO_EVALUE, AIO_ENOMEM, AIO_MYSQL_EINTERFACE.
 * Suspends: no.   asyncio: none; aiomysql's Connection.cursor()  Since: 0.1
 */
AIO_API int aio_mysql_cursor_new(aio_mysql *conn, unsigned flags, aio_mysql_cursor **ret_cursor);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_mysql_cursor *aio_mysql_cursor_ref(aio_mysql_cursor *cursor);
/** Drop a reference; NULL is allowed. A cursor that goes with rows the server still has to send costs
 *  the connection: aio_mysql_cursor_close() it before. Since: 0.1 */
AIO_API void aio_mysql_cursor_unref(aio_mysql_cursor *cursor);
AIO_DEFINE_AUTO(aio_mysql_cursor)
/** Close a cursor: rows that were not fetched are thrown away, which may take as long as they need
 *  to come. 0 or a code of operations.   asyncio: none; aiomysql's Cursor.close()   Since: 0.1 */
AIO_API int aio_mysql_cursor_close(aio_mysql_cursor *cursor);

/**
 * Execute a statement. What the last one left is thrown away first.
 *
 * @param sql     With %s where a value goes, and %% for a percent sign; ? in prepared statements.
 *                Each value is written as one of its kind, in quotes where it needs them: a
 *                placeholder has none.
 * @param values  Borrowed for the call. NULL: the statement is taken as it is. AIO_MYSQL_ARGS() makes
 *                both arguments.
 * @return 0, or a code of operations; AIO_ETYPE for too few or many values, AIO_EVALUE for one that
 *         cannot be written.
 * asyncio: none; aiomysql's Cursor.execute()                     Since: 0.1
 */
AIO_API int aio_mysql_execute(aio_mysql_cursor *cursor, const char *sql,
                              const aio_mysql_value *values, size_t count);
/**
 * Execute a statement for each of some rows of values. INSERT or REPLACE ... VALUES (%s, ...), with one
 * row of placeholders alone, is executed for many rows at once, by statements of up to 1024000 bytes:
 * the server takes all rows of one or none. Prepared, with ?, it is that with a server of MariaDB's, for
 * rows in a row whose values have the same types, NULL aside; with others it is executed for each.
 *
 * @param values  @p rows times @p count of them, one row behind the other.
 * @return As aio_mysql_execute(): at the first that fails. The cursor's row count is that of all; what
 *         AUTO_INCREMENT gave is of the first row of the last statement.
 * asyncio: none; aiomysql's Cursor.executemany()                 Since: 0.1
 */
AIO_API int aio_mysql_executemany(aio_mysql_cursor *cursor, const char *sql,
                                  const aio_mysql_value *values, size_t rows, size_t count);

/**
 * Fetch the next row.
 *
 * @param[out] ret_row  NULL at the end. Borrowed from the cursor: until the next statement, or, when
 *                      it streams, the next row.
 * @return 0, or a code of operations; AIO_MYSQL_EPROGRAMMING if there is no result.
 * Suspends: when it streams.   asyncio: none; aiomysql's Cursor.fetchone()   Since: 0.1
 */
AIO_API int aio_mysql_fetchone(aio_mysql_cursor *cursor, const aio_mysql_row **ret_row);
/** Fetch up to so many rows; fewer at the end. @param[out] ret_rows  Returned:
 *  aio_mysql_rows_unref() it.   asyncio: none; aiomysql's Cursor.fetchmany()   Since: 0.1 */
AIO_API int aio_mysql_fetchmany(aio_mysql_cursor *cursor, size_t count, aio_mysql_rows **ret_rows);
/** Fetch all rows that are left.   asyncio: none; aiomysql's Cursor.fetchall()   Since: 0.1 */
AIO_API int aio_mysql_fetchall(aio_mysql_cursor *cursor, aio_mysql_rows **ret_rows);
/** Go to the next result of a procedure: true in @p ret_more if there was one.
 *  asyncio: none; aiomysql's Cursor.nextset()   Since: 0.1 */
AIO_API int aio_mysql_nextset(aio_mysql_cursor *cursor, bool *ret_more);
/** The rows: aio_anext() gives a const aio_mysql_row *, valid as aio_mysql_fetchone() has it. NULL
 *  for NULL.   asyncio: none; `async for row in cursor`   Since: 0.1 */
AIO_API aio_iterator *aio_mysql_cursor_iterator(aio_mysql_cursor *cursor);

/** The columns of the result, borrowed; NULL if there is none.
 *  asyncio: none; aiomysql's Cursor.description   Since: 0.1 */
AIO_API const aio_mysql_column *aio_mysql_columns(const aio_mysql_cursor *cursor,
                                                  size_t *ret_count);
/** Rows that were changed, or of the result; -1: not known yet.
 *  asyncio: none; aiomysql's Cursor.rowcount   Since: 0.1 */
AIO_API int64_t aio_mysql_rowcount(const aio_mysql_cursor *cursor);
/** What AUTO_INCREMENT gave; 0: nothing.   asyncio: none; aiomysql's Cursor.lastrowid   Since: 0.1 */
AIO_API uint64_t aio_mysql_lastrowid(const aio_mysql_cursor *cursor);
/** How many warnings the last statement gave.   Since: 0.1 */
AIO_API unsigned aio_mysql_warning_count(const aio_mysql_cursor *cursor);
/** Fetch the warnings of the connection's last statement: rows of level, number and text. 0 or a code
 *  of operations.   asyncio: none; aiomysql's Connection.show_warnings()   Since: 0.1 */
AIO_API int aio_mysql_show_warnings(aio_mysql *conn, aio_mysql_rows **ret_rows);
/** @} */

/** @name Pools
 *  An aio_pool (pool.h) of connections: it lends them, takes them back with aio_pool_release() or
 *  aio_pool_exit(), and is closed with aio_pool_close(). A connection that is closed, has a
 *  transaction open or rows to come is closed and replaced when it comes back. @{ */

/**
 * Make a pool. Nothing is connected yet, and no loop is needed.
 *
 * @param options  How to connect; copied. NULL: the defaults.
 * @param pool     Sizes and times (max_age is aiomysql's pool_recycle); ops and arg are not looked
 *                 at. Borrowed. NULL: the defaults.
 * @param[out] ret_pool  Returned: aio_pool_close() it, then aio_pool_unref(). Written on success only.
 * @return 0, AIO_EVALUE, AIO_ENOMEM.
 * Suspends: no.   asyncio: none; aiomysql.create_pool()          Since: 0.1
 */
AIO_API int aio_mysql_pool_new(const aio_mysql_options *options, const aio_pool_options *pool,
                               aio_pool **ret_pool);
/** Take a connection: aio_pool_acquire(). It is the pool's: do not unref it, but give it back.
 *  asyncio: none; aiomysql's Pool.acquire()   Since: 0.1 */
AIO_API int aio_mysql_pool_acquire(aio_pool *pool, aio_mysql **ret_conn) AIO_MUST_CHECK;
/** Begin a block that has a connection; aio_pool_exit() ends it. Since: 0.1 */
AIO_API int aio_mysql_pool_enter(aio_pool *pool, aio_mysql **ret_conn) AIO_MUST_CHECK;
/** @} */

AIO_END_DECLS

#endif
