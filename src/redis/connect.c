/* SPDX-License-Identifier: MIT */
/*
 * connect.c - from options to a connection that takes commands
 *
 * TCP or a unix socket; then TLS; then, in one go, AUTH, SELECT and CLIENT SETNAME.
 *
 * Thread: the loop's.
 */
#include "redis/redis_internal.h"

#include <aio/connect.h>
#include <aio/memory.h>
#include <aio/task.h>
#include <aio/timeout.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* --- the transport --------------------------------------------------------------------------- */

static aio_protocol *give_protocol(void *arg)
{
    aio_redis *redis = arg;

    redis->attached = true;
    return &redis->protocol;
}

/* A peer that vanished without a word is found out in the end, also by who only listens. */
static void keep_alive(aio_transport *transport)
{
    const int *fd = aio_transport_get_extra_info(transport, "socket");
    const int on = 1;
    const int idle = 60;
    const int interval = 15;
    const int count = 4;

    if (fd == NULL || setsockopt(*fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0)
        return;
    (void)setsockopt(*fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(*fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(*fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static int open_transport(aio_redis *redis, const aio_redis_options *options)
{
    aio_unix_connect_options path = AIO_UNIX_CONNECT_OPTIONS_INIT;
    aio_connect_options host = AIO_CONNECT_OPTIONS_INIT;
    int err;

    if (options->path != NULL) {
        path.path = options->path;
        return aio_loop_create_unix_connection(redis->loop, give_protocol, redis, &path,
                                               &redis->transport);
    }
    host.host = options->host;
    host.port = options->port;
    err = aio_loop_create_connection(redis->loop, give_protocol, redis, &host, &redis->transport);
    if (err == 0)
        keep_alive(redis->transport);
    return err;
}

/* Whatever comes of it, the transport before is not used any more. */
static int start_tls(aio_redis *redis, const aio_redis_options *options)
{
    aio_tls_options tls = AIO_TLS_OPTIONS_INIT;
    aio_transport *inside = NULL;
    int err;

    tls.server_hostname =
        options->server_hostname != NULL ? options->server_hostname : options->host;
    tls.handshake_timeout = options->connect_timeout;
    tls.shutdown_timeout = 1;
    err = aio_loop_start_tls(redis->loop, redis->transport, &redis->protocol, options->tls, &tls,
                             &inside);
    if (err < 0)
        return err;
    aio_transport_unref(redis->transport);
    redis->transport = inside;
    return 0;
}

/* --- the first commands ------------------------------------------------------------------------ */

static int add(struct aio__redis_bytes *out, const char *first, const char *second,
               const char *third)
{
    const char *texts[3] = {first, second, third};
    aio_buffer words[3];
    size_t count = 0;

    while (count < 3 && texts[count] != NULL) {
        words[count] = (aio_buffer){texts[count], strlen(texts[count])};
        count++;
    }
    return aio__redis_add_argv(out, words, count);
}

/* Add what a server has to be told. */
static int add_greeting(struct aio__redis_bytes *out, const aio_redis_options *options,
                        size_t *ret_count)
{
    char number[16];
    int err = 0;

    if (options->password != NULL) {
        err = options->username != NULL ? add(out, "AUTH", options->username, options->password)
                                        : add(out, "AUTH", options->password, NULL);
        ++*ret_count;
    }
    if (err == 0 && options->db != 0) {
        (void)snprintf(number, sizeof(number), "%d", options->db);
        err = add(out, "SELECT", number, NULL);
        ++*ret_count;
    }
    if (err == 0 && options->client_name != NULL) {
        err = add(out, "CLIENT", "SETNAME", options->client_name);
        ++*ret_count;
    }
    return err;
}

/* What was refused. A server that repeats what it was told is not repeated. */
static int raise_refusal(const aio_redis_reply *reply, const aio_redis_options *options)
{
    if (options->password != NULL && *options->password != '\0' &&
        strstr(reply->text, options->password) != NULL)
        return aio_raise(aio__redis_code_of(reply->text, reply->size),
                         "the server refused to authenticate");
    return aio__redis_raise_reply(reply);
}

static int greet(aio_redis *redis, const aio_redis_options *options)
{
    struct aio__redis_block *block = NULL;
    const aio_redis_reply *reply;
    size_t count = 0;
    int err = add_greeting(&redis->out, options, &count);

    if (err == 0 && count > 0)
        err = aio__redis_exchange(redis, 0, count, &block);
    aio__redis_bytes_free(&redis->out);
    if (err < 0 || count == 0)
        return err;
    reply = &block->root;
    for (size_t i = 0; i < count && err == 0; i++) {
        const aio_redis_reply *one = count > 1 ? &reply->items[i] : reply;

        if (one->type == AIO_REDIS_FAILURE)
            err = raise_refusal(one, options);
    }
    aio__redis_block_free(block);
    return err;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int connect_within(aio_redis *redis, const aio_redis_options *options)
{
    int err = open_transport(redis, options);

    if (err == 0 && options->tls != NULL)
        err = start_tls(redis, options);
    if (err == 0)
        err = greet(redis, options);
    return err;
}

int aio__redis_connect_copied(const aio_redis_options *options, aio_redis **ret_redis)
{
    aio_redis *redis;
    aio_timeout *limit;
    int err;

    if (aio_current_task(NULL) == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can connect");
    redis = aio__redis_new(options);
    if (redis == NULL)
        return AIO_ENOMEM;
    limit = aio_timeout_new(options->connect_timeout);
    err = aio_timeout_enter(limit);
    if (err == 0) {
        err = connect_within(redis, options);
        err = aio_timeout_exit(limit, err);
        if (err == AIO_ETIMEDOUT && aio_timeout_expired(limit))
            err = aio_raise(err, "no connection to redis within %g s", options->connect_timeout);
    }
    aio_timeout_unref(limit);
    if (err < 0)
        aio_redis_unref(redis);
    else
        *ret_redis = redis;
    return err;
}

int aio_redis_connect(const aio_redis_options *options, aio_redis **ret_redis)
{
    aio_redis_options *copy = NULL;
    int err;

    if (ret_redis == NULL)
        return aio_raise(AIO_EVALUE, "a place for the connection is needed, not NULL");
    aio__redis_register_errors();
    err = aio__redis_options_copy(options, &copy);
    if (err < 0)
        return err;
    err = aio__redis_connect_copied(copy, ret_redis);
    aio__redis_options_free(copy);
    return err;
}
