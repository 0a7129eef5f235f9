/* SPDX-License-Identifier: MIT */
/*
 * mysql_blocking.c - the operations of bench/mysql.c by libmariadb's blocking calls
 *
 * usage: baseline_mysql_blocking SOCKET
 *
 * Ten connections have a thread each: nothing else can use them at the same time.
 */
#include "support/bench.h"

#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 10, IDS = 1000 };

#define SELECT "SELECT id, name, val FROM t WHERE id = ?"

/* A connection, and some operations by it. */
struct share {
    MYSQL *mysql;
    MYSQL_STMT *stmt;
    unsigned count;
    unsigned done;
    long long wanted;
    long long id;
    char name[64];
    char val[64];
    unsigned long sizes[3];
};

static void open_connection(const char *path, struct share *share)
{
    MYSQL_BIND param = {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &share->wanted};
    MYSQL_BIND columns[3] = {
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &share->id, .length = &share->sizes[0]},
        {.buffer_type = MYSQL_TYPE_STRING,
         .buffer = share->name,
         .buffer_length = sizeof(share->name),
         .length = &share->sizes[1]},
        {.buffer_type = MYSQL_TYPE_STRING,
         .buffer = share->val,
         .buffer_length = sizeof(share->val),
         .length = &share->sizes[2]},
    };

    share->mysql = mysql_init(NULL);
    bench_check(mysql_real_connect(share->mysql, NULL, "root", NULL, "lab", 0, path, 0) != NULL,
                "it connects");
    share->stmt = mysql_stmt_init(share->mysql);
    bench_check(mysql_stmt_prepare(share->stmt, SELECT, strlen(SELECT)) == 0, "it prepares");
    bench_check(mysql_stmt_bind_param(share->stmt, &param) == 0 &&
                    mysql_stmt_bind_result(share->stmt, columns) == 0,
                "it binds");
}

static void *read_rows(void *arg)
{
    struct share *share = arg;

    share->done = 0;
    for (unsigned i = 0; i < share->count; i++) {
        share->wanted = i % IDS + 1;
        if (mysql_stmt_execute(share->stmt) != 0 || mysql_stmt_store_result(share->stmt) != 0 ||
            mysql_stmt_fetch(share->stmt) != 0)
            break;
        share->done += share->id == share->wanted;
        mysql_stmt_free_result(share->stmt);
    }
    return NULL;
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

static void run_round(struct share *shares, const struct work *work, struct bench_clock *clock)
{
    pthread_t threads[CONNECTIONS];
    unsigned done = 0;

    bench_start(clock);
    for (unsigned i = 0; i < work->connections; i++) {
        shares[i].count = work->count / work->connections;
        if (work->connections == 1)
            (void)read_rows(&shares[i]);
        else
            bench_check(pthread_create(&threads[i], NULL, read_rows, &shares[i]) == 0,
                        "there are threads");
    }
    for (unsigned i = 0; i < work->connections; i++) {
        if (work->connections > 1)
            (void)pthread_join(threads[i], NULL);
        done += shares[i].done;
    }
    bench_stop(clock);
    bench_check(done == work->count, "every row came");
}

static void measure(struct share *shares, const struct work *work)
{
    struct bench_rounds rounds = {0};

    for (int i = 0; i <= BENCH_ROUNDS; i++) {
        struct bench_clock clock = {0};

        run_round(shares, work, &clock);
        if (i > 0) /* the first warms up */
            bench_rounds_add(&rounds, &clock, work->count);
    }
    bench_rounds_print(&rounds, work->name);
}

int main(int argc, char **argv)
{
    static struct share shares[CONNECTIONS];

    if (argc != 2) {
        fprintf(stderr, "usage: baseline_mysql_blocking SOCKET\n");
        return 2;
    }
    for (int i = 0; i < CONNECTIONS; i++)
        open_connection(argv[1], &shares[i]);
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        measure(shares, &works[i]);
    for (int i = 0; i < CONNECTIONS; i++) {
        mysql_stmt_close(shares[i].stmt);
        mysql_close(shares[i].mysql);
    }
    return EXIT_SUCCESS;
}
