/* SPDX-License-Identifier: MIT */
/*
 * store.h - todos in MySQL, with those looked at last in redis
 */
#ifndef EXAMPLES_TODO_STORE_H
#define EXAMPLES_TODO_STORE_H

#include <aio/http_server.h>
#include <aio/pool.h>

struct todo {
    int64_t id;
    const char *title;
    bool done;
};

struct todo_list {
    struct todo *items;
    size_t count;
};

struct store {
    aio_pool *mysql;
    aio_pool *redis;
};

/* Make the pools, from TODO_MYSQL_PORT, TODO_MYSQL_PASSWORD, TODO_REDIS; no loop is needed. */
int store_open(struct store *store);
void store_close(struct store *store);

/* Make the table, if it is not there. */
int store_prepare(struct store *store);

/*
 * Each is a coroutine that returns 0 or a negative code; AIO_EKEY: there is no such todo. Texts are in
 * the memory of a request.
 */
int store_list(struct store *store, aio_http_request *memory, bool all, int64_t limit,
               struct todo_list *ret_list);
int store_find(struct store *store, aio_http_request *memory, int64_t id, struct todo *ret_todo);
int store_add(struct store *store, struct todo *todo);
int store_change(struct store *store, const struct todo *todo);
int store_remove(struct store *store, int64_t id);

#endif
