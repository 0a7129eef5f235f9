/* SPDX-License-Identifier: MIT */
/*
 * 32_aioredis_multi.c - two redis servers at the same time: while one answers, the other is asked
 */
#include <aio/aio.h>
#include <aio/redis.h>
#include <stdio.h>
#include <stdlib.h>

struct server {
    const char *address;
    const char *password;
};

static int print_hash(aio_redis *redis, const char *key)
{
    AIO_AUTO(aio_redis_reply) result = NULL;
    char text[1024];
    int err = aio_redis_hgetall(redis, key, &result);

    if (err < 0)
        return err;
    (void)aio_redis_reply_repr(result, text, sizeof(text));
    printf("%s\n", text);
    return 0;
}

static int execute(void *arg, void **ret_result)
{
    const struct server *server = arg;
    AIO_AUTO(aio_redis) redis = NULL;
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    int err;

    printf("开始执行 %s\n", server->address);
    options.url = server->address;
    options.password = server->password;
    err = aio_redis_connect(&options, &redis);
    if (err < 0)
        return err;

    err = aio_redis_command(redis, NULL, "HMSET car key1 %d key2 %d key3 %d", 1, 2, 3);
    if (err < 0)
        return err;
    err = print_hash(redis, "car");
    if (err < 0)
        return err;

    aio_redis_close(redis);
    err = aio_redis_wait_closed(redis);
    if (err == 0)
        printf("结束 %s\n", server->address);
    return err;
}

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? value : otherwise;
}

static int async_main(void *arg, void **ret_result)
{
    struct server open = {variable("TUTORIAL_REDIS", "redis://127.0.0.1:16379"), NULL};
    struct server closed = {variable("TUTORIAL_REDIS_PW", "redis://127.0.0.2:16379"), "123456"};
    AIO_AUTO(aio_task) first = aio_create_task(execute, &open);
    AIO_AUTO(aio_task) second = aio_create_task(execute, &closed);
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
