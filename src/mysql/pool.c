/* SPDX-License-Identifier: MIT */
/*
 * pool.c - a pool of connections
 *
 * Thread: the loop's.
 */
#include "mysql/mysql_internal.h"

#include <errno.h>
#include <sys/socket.h>

static int open_connection(void *arg, void **ret_item)
{
    aio_mysql *conn = NULL;
    int err = aio__mysql_connect_copied(arg, &conn);

    if (err == 0)
        *ret_item = conn;
    return err;
}

static void close_connection(void *arg, void *item)
{
    (void)arg;
    aio_mysql_close(item);
    aio_mysql_unref(item);
}

/* A server says nothing on its own but that it is going: whatever has come, or the end. */
static bool is_quiet(MYSQL *mysql)
{
    char byte;

    return recv(mysql_get_socket(mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

static bool is_usable(void *arg, void *item)
{
    const aio_mysql *conn = item;

    (void)arg;
    return conn->mysql != NULL && !conn->busy && !conn->closing && conn->streaming == NULL &&
           !aio_mysql_in_transaction(conn) && is_quiet(conn->mysql);
}

static void free_options(void *arg)
{
    aio__mysql_options_free(arg);
}

static const aio_pool_ops ops = {
    .size = sizeof(ops),
    .open = open_connection,
    .close = close_connection,
    .is_usable = is_usable,
};

int aio_mysql_pool_new(const aio_mysql_options *options, const aio_pool_options *pool,
                       aio_pool **ret_pool)
{
    aio_pool_options own = AIO_POOL_OPTIONS_INIT;
    aio_mysql_options *copy = NULL;
    aio_pool *made;
    int err;

    if (ret_pool == NULL)
        return aio_raise(AIO_EVALUE, "a place for the pool is needed, not NULL");
    aio__mysql_register_errors();
    err = aio__mysql_options_copy(options, &copy);
    if (err < 0)
        return err;
    if (pool != NULL)
        own = *pool;
    own.ops = &ops;
    own.arg = copy;
    own.arg_destroy = free_options;
    made = aio_pool_new(&own);
    if (made == NULL) {
        aio__mysql_options_free(copy);
        return aio_last_failure();
    }
    *ret_pool = made;
    return 0;
}

int aio_mysql_pool_acquire(aio_pool *pool, aio_mysql **ret_conn)
{
    void *item = NULL;
    int err;

    if (ret_conn == NULL)
        return aio_raise(AIO_EVALUE, "a place for the connection is needed, not NULL");
    err = aio_pool_acquire(pool, &item);
    if (err == 0)
        *ret_conn = item;
    return err;
}

int aio_mysql_pool_enter(aio_pool *pool, aio_mysql **ret_conn)
{
    return aio_mysql_pool_acquire(pool, ret_conn);
}
