/* SPDX-License-Identifier: MIT */
/*
 * pool.c - a pool of connections
 *
 * Thread: the loop's.
 */
#include "redis/redis_internal.h"

static int open_connection(void *arg, void **ret_item)
{
    aio_redis *redis = NULL;
    int err = aio__redis_connect_copied(arg, &redis);

    if (err == 0)
        *ret_item = redis;
    return err;
}

static void close_connection(void *arg, void *item)
{
    (void)arg;
    aio_redis_close(item);
    aio_redis_unref(item);
}

/* One that waits for a reply may wait for long: the next would wait behind it. */
static bool is_usable(void *arg, void *item)
{
    const aio_redis *redis = item;

    (void)arg;
    return !redis->lost && redis->pending == 0 && redis->pubsub == NULL;
}

static void free_options(void *arg)
{
    aio__redis_options_free(arg);
}

static const aio_pool_ops ops = {
    .size = sizeof(ops),
    .open = open_connection,
    .close = close_connection,
    .is_usable = is_usable,
};

int aio_redis_pool_new(const aio_redis_options *options, const aio_pool_options *pool,
                       aio_pool **ret_pool)
{
    aio_pool_options own = AIO_POOL_OPTIONS_INIT;
    aio_redis_options *copy = NULL;
    aio_pool *made;
    int err;

    if (ret_pool == NULL)
        return aio_raise(AIO_EVALUE, "a place for the pool is needed, not NULL");
    aio__redis_register_errors();
    err = aio__redis_options_copy(options, &copy);
    if (err < 0)
        return err;
    if (pool != NULL)
        own = *pool;
    own.ops = &ops;
    own.arg = copy;
    own.arg_destroy = free_options;
    made = aio_pool_new(&own);
    if (made == NULL) {
        aio__redis_options_free(copy);
        return aio_last_failure();
    }
    *ret_pool = made;
    return 0;
}

int aio_redis_pool_acquire(aio_pool *pool, aio_redis **ret_redis)
{
    void *item = NULL;
    int err;

    if (ret_redis == NULL)
        return aio_raise(AIO_EVALUE, "a place for the connection is needed, not NULL");
    err = aio_pool_acquire(pool, &item);
    if (err == 0)
        *ret_redis = item;
    return err;
}

int aio_redis_pool_enter(aio_pool *pool, aio_redis **ret_redis)
{
    return aio_redis_pool_acquire(pool, ret_redis);
}

int aio_redis_pool_command(aio_pool *pool, aio_redis_reply **ret_reply, const char *format, ...)
{
    aio_redis *redis = NULL;
    va_list args;
    int err = aio_redis_pool_acquire(pool, &redis);

    if (err < 0)
        return err;
    va_start(args, format);
    err = aio_redis_vcommand(redis, ret_reply, format, args);
    va_end(args);
    return aio_pool_exit(pool, redis, err);
}
