/* SPDX-License-Identifier: MIT */
/*
 * 36_fastapi_redis_pool.c - a web service: a plain handler, and one that waits and asks redis
 *
 * The pool exists before any loop does. `index` is an ordinary function and runs in a thread; `red`
 * is a coroutine: fifty of them wait at the same time, and share the pool's ten connections.
 */
#include <aio/aio.h>
#include <aio/redis.h>
#include <aio/web.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static aio_pool *redis_pool;

/* An ordinary handler. */
static int index_page(aio_http_request *request, void *arg)
{
    return aio_web_json(request, 200, "{s:s}", "message", "hello world!");
}

static int send_map(aio_http_request *request, const aio_redis_reply *map)
{
    json_t *object = json_object();
    int err;

    for (size_t i = 0; i < map->count; i += 2)
        json_object_set_new(object, map->items[i].text, json_string(map->items[i + 1].text));
    err = aio_web_json(request, 200, "o", object);
    json_decref(object);
    return err;
}

static int store_and_load(aio_redis *redis, aio_redis_reply **ret_map)
{
    int err = aio_redis_command(redis, NULL, "HMSET car key1 %d key2 %d key3 %d", 1, 2, 3);

    return err < 0 ? err : aio_redis_hgetall(redis, "car", ret_map);
}

/* A coroutine. */
static int red(aio_http_request *request, void *arg)
{
    AIO_AUTO(aio_redis_reply) result = NULL;
    char text[1000];
    aio_redis *redis;
    int err;

    printf("请求来了\n");
    err = aio_sleep(1);
    if (err < 0)
        return err;

    err = aio_redis_pool_enter(redis_pool, &redis);
    if (err < 0)
        return err;
    err = store_and_load(redis, &result);
    if (err == 0) {
        (void)aio_redis_reply_repr(result, text, sizeof(text));
        printf("%s\n", text);
    }
    err = aio_pool_exit(redis_pool, redis, err);
    return err < 0 ? err : send_map(request, result);
}

static int run(aio_web *app)
{
    const char *port = getenv("TUTORIAL_APP_PORT");
    aio_web_options options = AIO_WEB_OPTIONS_INIT;
    int err;

    err = aio_web_route(app, "GET", "/", AIO_WEB_BLOCKING, index_page, NULL);
    if (err == 0)
        err = aio_web_get(app, "/red", red, NULL);
    if (err < 0)
        return EXIT_FAILURE;

    options.http.host = "127.0.0.1";
    options.http.port = port == NULL ? 15000 : atoi(port);
    options.name = "Uvicorn"; /* what the original says that it runs on */
    return aio_web_run(app, &options);
}

int main(void)
{
    const char *url = getenv("TUTORIAL_REDIS");
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    aio_pool_options sizes = AIO_POOL_OPTIONS_INIT;
    AIO_AUTO(aio_web) app = aio_web_new();
    int status;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    options.url = url == NULL ? "redis://127.0.0.1:16379" : url;
    sizes.min_size = 1;
    sizes.max_size = 10;
    if (app == NULL || aio_redis_pool_new(&options, &sizes, &redis_pool) < 0)
        return EXIT_FAILURE;
    status = run(app);
    aio_pool_close(redis_pool);
    aio_pool_unref(redis_pool);
    return status;
}
