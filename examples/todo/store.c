/* SPDX-License-Identifier: MIT */
/*
 * store.c - todos in MySQL, with those looked at last in redis
 *
 * MySQL is the truth. What is read of a single todo is kept in redis for a minute, and dropped when it
 * changes. Without redis everything works, only slower: its errors are not passed on.
 */
#include "store.h"

#include <aio/aio.h>
#include <aio/mysql.h>
#include <aio/redis.h>
#include <stdlib.h>
#include <string.h>

/* --- the pools -------------------------------------------------------------------------- */

static int open_mysql(struct store *store)
{
    const char *port = getenv("TODO_MYSQL_PORT");
    aio_mysql_options options = AIO_MYSQL_OPTIONS_INIT;
    aio_pool_options pool = AIO_POOL_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = port == NULL ? 3306 : atoi(port);
    options.user = "root";
    options.password = getenv("TODO_MYSQL_PASSWORD");
    options.autocommit = true;
    options.timeout = 10;
    pool.max_size = 10;
    pool.acquire_timeout = 10;
    return aio_mysql_pool_new(&options, &pool, &store->mysql);
}

static int open_redis(struct store *store)
{
    const char *url = getenv("TODO_REDIS");
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;

    options.url = url == NULL ? "redis://127.0.0.1" : url;
    options.connect_timeout = 1;
    options.timeout = 1;
    return aio_redis_pool_new(&options, NULL, &store->redis);
}

int store_open(struct store *store)
{
    int err = open_mysql(store);

    if (err < 0)
        return err;
    err = open_redis(store);
    if (err < 0)
        store_close(store);
    return err;
}

void store_close(struct store *store)
{
    aio_pool_close(store->mysql);
    aio_pool_close(store->redis);
    aio_pool_unref(store->mysql);
    aio_pool_unref(store->redis);
    *store = (struct store){0};
}

/* --- MySQL ------------------------------------------------------------------------------ */

/* A statement with a connection of the pool's; what it gives may be NULL. */
struct statement {
    const char *sql;
    const aio_mysql_value *values;
    size_t count;
    aio_mysql_rows **ret_rows;
    uint64_t *ret_id;
    int64_t *ret_changed;
};

static int execute(aio_mysql *conn, const struct statement *statement)
{
    AIO_AUTO(aio_mysql_cursor) cursor = NULL;
    int err = aio_mysql_cursor_new(conn, 0, &cursor);

    if (err == 0)
        err = aio_mysql_execute(cursor, statement->sql, statement->values, statement->count);
    if (err == 0 && statement->ret_id != NULL)
        *statement->ret_id = aio_mysql_lastrowid(cursor);
    if (err == 0 && statement->ret_changed != NULL)
        *statement->ret_changed = aio_mysql_rowcount(cursor);
    if (err == 0 && statement->ret_rows != NULL)
        err = aio_mysql_fetchall(cursor, statement->ret_rows);
    return err;
}

static int run(struct store *store, struct statement statement)
{
    aio_mysql *conn;
    int err = aio_mysql_pool_enter(store->mysql, &conn);

    if (err < 0)
        return err;
    err = execute(conn, &statement);
    return aio_pool_exit(store->mysql, conn, err);
}

int store_prepare(struct store *store)
{
    int err = run(store, (struct statement){.sql = "CREATE DATABASE IF NOT EXISTS todo"});

    if (err < 0)
        return err;
    return run(store,
               (struct statement){.sql = "CREATE TABLE IF NOT EXISTS todo.todo ("
                                         "id BIGINT AUTO_INCREMENT PRIMARY KEY, "
                                         "title VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL, "
                                         "done BOOLEAN NOT NULL DEFAULT FALSE)"});
}

static char *keep(aio_http_request *memory, const char *text, size_t size)
{
    char *copy = aio_http_request_alloc(memory, size + 1);

    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

/* A row of id, title, done. */
static int read_row(const aio_mysql_row *row, aio_http_request *memory, struct todo *ret_todo)
{
    ret_todo->id = row->values[0].integer;
    ret_todo->title = keep(memory, row->values[1].text, row->values[1].size);
    ret_todo->done = row->values[2].integer != 0;
    return ret_todo->title == NULL ? AIO_ENOMEM : 0;
}

int store_list(struct store *store, aio_http_request *memory, bool all, int64_t limit,
               struct todo_list *ret_list)
{
    const aio_mysql_value values[] = {aio_mysql_int(all), aio_mysql_int(limit)};
    AIO_AUTO(aio_mysql_rows) rows = NULL;
    int err =
        run(store, (struct statement){"SELECT id, title, done FROM todo.todo WHERE %s OR NOT done "
                                      "ORDER BY id LIMIT %s",
                                      values, 2, &rows, NULL, NULL});

    if (err < 0)
        return err;
    ret_list->items = aio_http_request_alloc(memory, (rows->count + 1) * sizeof(struct todo));
    ret_list->count = rows->count;
    if (ret_list->items == NULL)
        return AIO_ENOMEM;
    for (size_t i = 0; err == 0 && i < rows->count; i++)
        err = read_row(&rows->rows[i], memory, &ret_list->items[i]);
    return err;
}

static int find_in_mysql(struct store *store, aio_http_request *memory, int64_t id,
                         struct todo *ret_todo)
{
    const aio_mysql_value values[] = {aio_mysql_int(id)};
    AIO_AUTO(aio_mysql_rows) rows = NULL;
    int err = run(store, (struct statement){"SELECT id, title, done FROM todo.todo WHERE id = %s",
                                            values, 1, &rows, NULL, NULL});

    if (err == 0 && rows->count == 0)
        err = aio_raise(AIO_EKEY, "no todo %lld", (long long)id);
    return err < 0 ? err : read_row(&rows->rows[0], memory, ret_todo);
}

/* --- redis ------------------------------------------------------------------------------ */

static bool find_in_redis(struct store *store, aio_http_request *memory, int64_t id,
                          struct todo *ret_todo)
{
    AIO_AUTO(aio_redis_reply) reply = NULL;
    const aio_redis_reply *title;
    const aio_redis_reply *done;

    if (aio_redis_pool_command(store->redis, &reply, "HGETALL todo:%lld", (long long)id) < 0)
        return false;
    title = aio_redis_reply_get(reply, "title");
    done = aio_redis_reply_get(reply, "done");
    if (title == NULL || done == NULL)
        return false;
    ret_todo->id = id;
    ret_todo->title = keep(memory, title->text, title->size);
    ret_todo->done = strcmp(done->text, "1") == 0;
    return ret_todo->title != NULL;
}

static void remember(struct store *store, const struct todo *todo)
{
    long long id = todo->id;
    int err = aio_redis_pool_command(store->redis, NULL, "HSET todo:%lld title %s done %d", id,
                                     todo->title, todo->done);

    if (err == 0)
        (void)aio_redis_pool_command(store->redis, NULL, "EXPIRE todo:%lld 60", id);
}

static void forget(struct store *store, int64_t id)
{
    (void)aio_redis_pool_command(store->redis, NULL, "DEL todo:%lld", (long long)id);
}

/* --- both ------------------------------------------------------------------------------- */

int store_find(struct store *store, aio_http_request *memory, int64_t id, struct todo *ret_todo)
{
    int err;

    if (find_in_redis(store, memory, id, ret_todo))
        return 0;
    err = find_in_mysql(store, memory, id, ret_todo);
    if (err == 0)
        remember(store, ret_todo);
    return err;
}

int store_add(struct store *store, struct todo *todo)
{
    const aio_mysql_value values[] = {aio_mysql_text(todo->title), aio_mysql_int(todo->done)};
    uint64_t id = 0;
    int err = run(store, (struct statement){"INSERT INTO todo.todo (title, done) VALUES (%s, %s)",
                                            values, 2, NULL, &id, NULL});

    if (err == 0)
        todo->id = (int64_t)id;
    return err;
}

/* A row that is as it should be already counts as not changed: only then is it looked for. */
int store_change(struct store *store, const struct todo *todo)
{
    const aio_mysql_value values[] = {aio_mysql_text(todo->title), aio_mysql_int(todo->done),
                                      aio_mysql_int(todo->id)};
    AIO_AUTO(aio_mysql_rows) rows = NULL;
    int64_t changed = 0;
    int err =
        run(store, (struct statement){"UPDATE todo.todo SET title = %s, done = %s WHERE id = %s",
                                      values, 3, NULL, NULL, &changed});

    if (err == 0)
        forget(store, todo->id);
    if (err < 0 || changed > 0)
        return err;
    err = run(store, (struct statement){"SELECT id FROM todo.todo WHERE id = %s", &values[2], 1,
                                        &rows, NULL, NULL});
    if (err == 0 && rows->count == 0)
        err = aio_raise(AIO_EKEY, "no todo %lld", (long long)todo->id);
    return err;
}

int store_remove(struct store *store, int64_t id)
{
    const aio_mysql_value values[] = {aio_mysql_int(id)};
    int64_t changed = 0;
    int err = run(store, (struct statement){"DELETE FROM todo.todo WHERE id = %s", values, 1, NULL,
                                            NULL, &changed});

    if (err == 0)
        forget(store, id);
    if (err == 0 && changed == 0)
        err = aio_raise(AIO_EKEY, "no todo %lld", (long long)id);
    return err;
}
