/* SPDX-License-Identifier: MIT */
/*
 * mysql.c - what does it cost a client to read a row of MySQL?
 *
 * usage: mysql SOCKET
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
#include "support/bench.h"

#include <aio/aio.h>
#include <aio/mysql.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS = 10, IDS = 1000 };

#define SELECT "SELECT id, name, val FROM t WHERE id = ?"

struct connection {
    aio_mysql *conn;
    aio_mysql_cursor *cursor;
};

/* Some operations by one connection. */
struct share {
    aio_mysql_cursor *cursor;
    unsigned count;
    unsigned done;
};

static int read_rows(void *arg, void **ret_result)
{
    struct share *share = arg;

    for (unsigned i = 0; i < share->count; i++) {
        const int64_t id = i % IDS + 1;
        const aio_mysql_value value = aio_mysql_int(id);
        const aio_mysql_row *row = NULL;
        int err = aio_mysql_execute(share->cursor, SELECT, &value, 1);

        if (err == 0)
            err = aio_mysql_fetchone(share->cursor, &row);
        if (err < 0)
            return err;
        share->done += row != NULL && row->count == 3 && row->values[0].integer == id;
    }
    return 0;
}

struct work {
    const char *name;
    unsigned connections;
    unsigned count; /* of a round */
};

static const struct work works[] = {
    {"select_c1", 1, 1000},
    {"select_c10", CONNECTIONS, 2000},
};

static int run_round(const struct connection *connections, const struct work *work,
                     struct bench_clock *clock)
{
    struct share shares[CONNECTIONS];
    aio_task *tasks[CONNECTIONS];
    unsigned done = 0;
    int err = 0;

    bench_start(clock);
    for (unsigned i = 0; i < work->connections; i++) {
        shares[i] = (struct share){connections[i].cursor, work->count / work->connections, 0};
        tasks[i] = aio_create_task(read_rows, &shares[i]);
    }
    for (unsigned i = 0; i < work->connections; i++) {
        int one = aio_await(tasks[i], NULL);

        err = err < 0 ? err : one;
        done += shares[i].done;
        aio_future_unref(tasks[i]);
    }
    bench_stop(clock);
    bench_check(err < 0 || done == work->count, "every row came");
    return err;
}

static int measure(const struct connection *connections, const struct work *work)
{
    struct bench_rounds rounds = {0};
    int err = 0;

    for (int i = 0; i <= BENCH_ROUNDS && err == 0; i++) {
        struct bench_clock clock = {0};

        err = run_round(connections, work, &clock);
        if (i > 0) /* the first warms up */
            bench_rounds_add(&rounds, &clock, work->count);
    }
    if (err == 0)
        bench_rounds_print(&rounds, work->name);
    return err;
}

static int open_connection(const char *path, struct connection *connection)
{
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;
    int err;

    options.unix_socket = path;
    options.user = "root";
    options.db = "lab";
    options.autocommit = true;
    err = aio_mysql_connect(&options, &connection->conn);
    if (err == 0)
        err = aio_mysql_cursor_new(connection->conn, AIO_MYSQL_PREPARED, &connection->cursor);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    struct connection connections[CONNECTIONS] = {{NULL, NULL}};
    int err = 0;

    for (int i = 0; i < CONNECTIONS && err == 0; i++)
        err = open_connection(arg, &connections[i]);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]) && err == 0; i++)
        err = measure(connections, &works[i]);
    for (int i = 0; i < CONNECTIONS; i++) {
        aio_mysql_cursor_unref(connections[i].cursor);
        aio_mysql_unref(connections[i].conn);
    }
    return err;
}

int main(int argc, char **argv)
{
    int err;

    if (argc != 2) {
        fprintf(stderr, "usage: mysql SOCKET\n");
        return 2;
    }
    err = aio_run(async_main, argv[1], NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
