/* SPDX-License-Identifier: MIT */
/*
 * mysql.c - what does it cost a client to read a row of MySQL?
 *
 * usage: mysql [--never-look] SOCKET
 *
 * Of a server at a unix socket, database lab, user root without a password. One operation is
 * SELECT id, name, val FROM t WHERE id = ?, prepared, with ids from 1 to 1000:
 *
 *   select_c1   one connection, one task
 *   select_c10  ten connections, ten tasks
 *
 * Prints a line each: the name, nanoseconds for one operation, and processor time of this process
 * for it; medians of several rounds, after one to warm up. Not measured: connecting.
 */
#include "support/shares.h"

#include <aio/mysql.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDS = 1000 };

#define SELECT "SELECT id, name, val FROM t WHERE id = ?"

static int read_rows(void *arg, void **ret_result)
{
    struct bench_share *share = arg;

    for (unsigned i = 0; i < share->count; i++) {
        const int64_t id = i % IDS + 1;
        const aio_mysql_value value = aio_mysql_int(id);
        const aio_mysql_row *row = NULL;
        int err = aio_mysql_execute(share->connection, SELECT, &value, 1);

        if (err == 0)
            err = aio_mysql_fetchone(share->connection, &row);
        if (err < 0)
            return err;
        share->done += row != NULL && row->count == 3 && row->values[0].integer == id;
    }
    return 0;
}

static const struct bench_work works[] = {
    {"select_c1", read_rows, 1, 1000},
    {"select_c10", read_rows, BENCH_CONNECTIONS, 2000},
};

/* A cursor, which keeps its connection. */
static int open_cursor(const char *path, void **ret_cursor)
{
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;
    AIO_AUTO(aio_mysql) conn = NULL;
    aio_mysql_cursor *cursor = NULL;
    int err;

    options.unix_socket = path;
    options.user = "root";
    options.db = "lab";
    options.autocommit = true;
    err = aio_mysql_connect(&options, &conn);
    if (err == 0)
        err = aio_mysql_cursor_new(conn, AIO_MYSQL_PREPARED, &cursor);
    *ret_cursor = cursor;
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    void *cursors[BENCH_CONNECTIONS] = {NULL};
    int err = 0;

    for (int i = 0; i < BENCH_CONNECTIONS && err == 0; i++)
        err = open_cursor(arg, &cursors[i]);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]) && err == 0; i++)
        err = bench_shares(&works[i], cursors);
    for (int i = 0; i < BENCH_CONNECTIONS; i++)
        aio_mysql_cursor_unref(cursors[i]);
    return err;
}

int main(int argc, char **argv)
{
    return bench_client_main(argc, argv, async_main);
}
