/* SPDX-License-Identifier: MIT */
/*
 * 35_aiomysql_multi.c - two databases at the same time: while one answers, the other is asked
 */
#include <aio/aio.h>
#include <aio/mysql.h>
#include <stdio.h>
#include <stdlib.h>

struct server {
    const char *host;
    const char *password;
};

static void print_rows(const aio_mysql_rows *rows)
{
    char text[4096];

    (void)aio_mysql_rows_repr(rows, text, sizeof(text));
    printf("%s\n", text);
}

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? value : otherwise;
}

static int execute(void *arg, void **ret_result)
{
    const struct server *server = arg;
    AIO_AUTO(aio_mysql) conn = NULL;
    AIO_AUTO(aio_mysql_cursor) cur = NULL;
    AIO_AUTO(aio_mysql_rows) result = NULL;
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;
    int err;

    options.host = server->host;
    options.port = (int)strtol(variable("TUTORIAL_MYSQL_PORT", "13306"), NULL, 10);
    options.user = "root";
    options.password = server->password;
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
    printf("结束 %s\n", server->host);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    struct server other = {variable("TUTORIAL_MYSQL_HOST2", "127.0.0.2"), "123456"};
    struct server local = {"localhost", "123456"};
    AIO_AUTO(aio_task) first = aio_create_task(execute, &other);
    AIO_AUTO(aio_task) second = aio_create_task(execute, &local);
    aio_task *task_list[] = {first, second};

    return aio_wait(task_list, 2, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
}

int main(void)
{
    int err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    err = aio_run(async_main, NULL, NULL);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", aio_error_name(err), aio_error_text(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
