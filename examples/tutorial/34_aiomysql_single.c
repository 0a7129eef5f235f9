/* SPDX-License-Identifier: MIT */
/*
 * 34_aiomysql_single.c - MySQL: connect, execute a statement, fetch all its rows
 */
#include <aio/aio.h>
#include <aio/mysql.h>
#include <stdio.h>
#include <stdlib.h>

static void print_rows(const aio_mysql_rows *rows)
{
    char text[4096];

    (void)aio_mysql_rows_repr(rows, text, sizeof(text));
    printf("%s\n", text);
}

static int execute(void *arg, void **ret_result)
{
    AIO_AUTO(aio_mysql) conn = NULL;
    AIO_AUTO(aio_mysql_cursor) cur = NULL;
    AIO_AUTO(aio_mysql_rows) result = NULL;
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;
    const char *port = getenv("TUTORIAL_MYSQL_PORT");
    int err;

    options.host = "localhost";
    options.port = (int)strtol(port != NULL ? port : "13306", NULL, 10);
    options.user = "root";
    options.password = "123456";
    options.db = "test";
    err = aio_mysql_connect(&options, &conn);
    if (err < 0)
        return err;

    err = aio_mysql_cursor_new(conn, 0, &cur);
    if (err < 0)
        return err;
    err = aio_mysql_execute(cur, "select * from t_student", NULL, 0);
    if (err < 0)
        return err;
    err = aio_mysql_fetchall(cur, &result);
    if (err < 0)
        return err;
    print_rows(result);

    err = aio_mysql_cursor_close(cur);
    aio_mysql_close(conn);
    return err;
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(execute, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
