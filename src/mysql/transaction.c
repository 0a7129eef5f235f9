/* SPDX-License-Identifier: MIT */
/*
 * transaction.c - what is said to a connection beside statements, transactions above all
 *
 * Thread: the loop's.
 */
#include "mysql/mysql_internal.h"

#include <stdio.h>

static int simple(aio_mysql *conn, const char *sql)
{
    int err = aio__mysql_enter_clean(conn);

    return err < 0 ? err : aio__mysql_leave(conn, aio__mysql_simple(conn, sql));
}

int aio_mysql_ping(aio_mysql *conn)
{
    int failed = 0;
    int status;
    int err = aio__mysql_enter_clean(conn);

    if (err < 0)
        return err;
    status = mysql_ping_start(&failed, conn->mysql);
    while (status != 0)
        status = mysql_ping_cont(&failed, conn->mysql, aio__mysql_wait(conn, status));
    return aio__mysql_leave(conn, failed ? aio__mysql_raise(conn) : 0);
}

int aio_mysql_select_db(aio_mysql *conn, const char *db)
{
    int failed = 0;
    int status;
    int err;

    if (db == NULL)
        return aio_raise(AIO_EVALUE, "a database is needed, not NULL");
    err = aio__mysql_enter_clean(conn);
    if (err < 0)
        return err;
    status = mysql_select_db_start(&failed, conn->mysql, db);
    while (status != 0)
        status = mysql_select_db_cont(&failed, conn->mysql, aio__mysql_wait(conn, status));
    return aio__mysql_leave(conn, failed ? aio__mysql_raise(conn) : 0);
}

int aio_mysql_autocommit(aio_mysql *conn, bool on)
{
    return simple(conn, on ? "SET AUTOCOMMIT=1" : "SET AUTOCOMMIT=0");
}

int aio_mysql_begin(aio_mysql *conn)
{
    return simple(conn, "BEGIN");
}

int aio_mysql_commit(aio_mysql *conn)
{
    return simple(conn, "COMMIT");
}

int aio_mysql_rollback(aio_mysql *conn)
{
    return simple(conn, "ROLLBACK");
}

bool aio_mysql_in_transaction(const aio_mysql *conn)
{
    return conn != NULL && conn->mysql != NULL &&
           (conn->mysql->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

int aio_mysql_transaction_enter(aio_mysql *conn)
{
    return aio_mysql_begin(conn);
}

int aio_mysql_transaction_exit(aio_mysql *conn, int code)
{
    aio_exception *error;

    if (code >= 0)
        return aio_mysql_commit(conn);
    if (aio_mysql_is_closed(conn))
        return code; /* the server has rolled back */
    error = aio_error_catch(code);
    (void)aio_mysql_rollback(conn);
    code = aio_raise_exception(error);
    aio_exception_unref(error);
    return code;
}

int aio_mysql_kill(aio_mysql *conn, unsigned long thread_id)
{
    char sql[40];

    (void)snprintf(sql, sizeof(sql), "KILL %lu", thread_id);
    return simple(conn, sql);
}
