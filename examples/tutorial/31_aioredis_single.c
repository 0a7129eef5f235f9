/* SPDX-License-Identifier: MIT */
/*
 * 31_aioredis_single.c - redis: connect with a password, write a hash, read it back
 */
#include <aio/aio.h>
#include <aio/redis.h>
#include <stdio.h>
#include <stdlib.h>

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

static int execute(const char *address, const char *password)
{
    AIO_AUTO(aio_redis) redis = NULL;
    aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
    int err;

    printf("开始执行 %s\n", address);
    options.url = address;
    options.password = password;
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
        printf("结束 %s\n", address);
    return err;
}

static int async_main(void *arg, void **ret_result)
{
    const char *address = getenv("TUTORIAL_REDIS_PW");

    return execute(address != NULL ? address : "redis://127.0.0.2:16379", "123456");
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
