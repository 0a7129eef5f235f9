/* SPDX-License-Identifier: MIT */
/*
 * redis.h - a client of redis: commands, pipelines, transactions, pub/sub, a pool
 *
 * Of the library aioc-redis, which reads and writes redis' protocol with hiredis.
 *
 *     aio_redis_options options = AIO_REDIS_OPTIONS_INIT;
 *
 *     options.url = "redis://localhost";
 *     err = aio_redis_connect(&options, &redis);            redis = await aioredis.create_redis(
 *     if (err < 0)                                              'redis://localhost')
 *         return err;
 *     err = aio_redis_command(redis, &reply,                value = await redis.get('key')
 *                             "GET %s", "key");
 *
 * Any number of tasks may share a connection: commands go out in the order of the calls, many of
 * them in one system call, and each task gets its own reply. A connection that is lost stays lost:
 * all its commands fail, and say why. Who wants another takes it from a pool, whose connections
 * are replaced as they break; no command is ever sent twice on its own.
 *
 * A task that is cancelled while it waits for a reply leaves the connection usable: the reply is
 * thrown away when it comes. The command itself may have been carried out.
 *
 * Thread: the loop's that connected, for everything here; replies may be read anywhere.
 */
#ifndef AIO_REDIS_H
#define AIO_REDIS_H

#include <aio/error.h>
#include <aio/iterator.h>
#include <aio/pool.h>
#include <aio/tls.h>
#include <aio/type.h>
#include <stdarg.h>

AIO_BEGIN_DECLS

/** @name Errors
 *  What the server says is the text of the error, as it is: "WRONGTYPE Operation against ...". @{ */
enum {
    AIO_REDIS_ERROR = -10300, /**< RedisError: everything below */
    AIO_REDIS_EREPLY =
        -10301,               /**< ReplyError: the server refused a command; and all up to -10312 */
    AIO_REDIS_EAUTH = -10302, /**< AuthError: NOAUTH, WRONGPASS, an invalid password */
    AIO_REDIS_ENOPERM = -10303,     /**< NoPermissionError: NOPERM */
    AIO_REDIS_EMAXCLIENTS = -10304, /**< MaxClientsError: the server has too many clients */
    AIO_REDIS_ENOSCRIPT = -10305,   /**< NoScriptError: NOSCRIPT */
    AIO_REDIS_EREADONLY = -10306,   /**< ReadOnlyError: READONLY, a replica */
    AIO_REDIS_ELOADING = -10307,    /**< BusyLoadingError: LOADING */
    AIO_REDIS_EOOM = -10308,        /**< OutOfMemoryError: OOM, the server's */
    AIO_REDIS_EEXECABORT =
        -10309,                /**< ExecAbortError: EXECABORT, a transaction with a bad command */
    AIO_REDIS_EMOVED = -10310, /**< MovedError: MOVED, of a cluster */
    AIO_REDIS_EASK = -10311,   /**< AskError: ASK, of a cluster */
    AIO_REDIS_EWRONGTYPE = -10312, /**< WrongTypeError: WRONGTYPE */
    AIO_REDIS_EPIPELINE =
        -10320, /**< PipelineError: a command of a pipeline failed; its cause says why */
    AIO_REDIS_EWATCH = -10321,    /**< WatchVariableError: a watched key has changed */
    AIO_REDIS_EPROTOCOL = -10322, /**< ProtocolError: not redis' protocol, or beyond a limit */
    AIO_REDIS_ECLOSED = -10323    /**< ConnectionClosedError: the connection is, or was meanwhile */
};
/** @} */

/** @name Replies @{ */

/** What a reply is. */
typedef enum aio_redis_type {
    AIO_REDIS_NIL,     /**< None */
    AIO_REDIS_STRING,  /**< text, size */
    AIO_REDIS_STATUS,  /**< text, size: "OK" */
    AIO_REDIS_INTEGER, /**< integer */
    AIO_REDIS_ARRAY,   /**< items, count */
    AIO_REDIS_MAP,     /**< items, count: key, value, key, value, in the server's order */
    AIO_REDIS_FAILURE  /**< text, size: an error among the items of another */
} aio_redis_type;

/** A reply. Read only. What does not belong to its type is 0. */
typedef struct aio_redis_reply aio_redis_reply;
struct aio_redis_reply {
    aio_redis_type type;
    int64_t integer;
    const char *text; /**< any bytes; a 0 follows them */
    size_t size;
    const aio_redis_reply *items; /**< part of this reply: they live as long as it */
    size_t count;
};

/** Take another reference to a reply that a call gave, not to an item; NULL is given back.
 *  Since: 0.1 */
AIO_API aio_redis_reply *aio_redis_reply_ref(aio_redis_reply *reply);
/** Drop it; NULL is allowed. Since: 0.1 */
AIO_API void aio_redis_reply_unref(aio_redis_reply *reply);
AIO_DEFINE_AUTO(aio_redis_reply)
/** For results of tasks: unrefs a reply, and prints it as aio_redis_reply_repr(). Since: 0.1 */
AIO_API extern const aio_type aio_redis_type_reply;

/**
 * Find a value by its key.
 *
 * @param map  A map, or an array that alternates keys and values. NULL or another: nothing is found.
 * @return Borrowed from @p map; NULL if there is none.
 * Suspends: no.   asyncio: map.get(key)                          Since: 0.1
 */
AIO_API const aio_redis_reply *aio_redis_reply_get(const aio_redis_reply *map, const char *key);

/**
 * Say that an array alternates keys and values: CONFIG GET, XINFO, ...
 *
 * @return 0, or AIO_ETYPE if it is no array, or has a key without a value.
 * Suspends: no.                                                  Since: 0.1
 */
AIO_API int aio_redis_reply_make_map(aio_redis_reply *reply);

/**
 * Write a reply as Python prints what its clients make of it: 'text', b'\xff' for what is not
 * UTF-8, 12, None, ['a', 'b'], {'key': 'value'}, ReplyError('ERR ...').
 *
 * @param[out] buffer  Gets at most @p size bytes, the final 0 among them. May be NULL when @p size
 *                     is 0.
 * @return The length of the whole text, as snprintf does.
 * Suspends: no.   asyncio: repr()                                Since: 0.1
 */
AIO_API size_t aio_redis_reply_repr(const aio_redis_reply *reply, char *buffer, size_t size);
/** @} */

/** @name Connections @{ */

typedef struct aio_redis aio_redis;

/** Where to connect to, and how. Zero in a field means the default; strings are copied. What the
 *  URL says goes before what the fields say, but for the password. */
typedef struct aio_redis_options {
    size_t size;          /**< sizeof(aio_redis_options) */
    const char *url;      /**< redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], rediss://... for TLS, or
                          unix://PATH[?db=DB] */
    const char *host;     /**< a name or number; default "localhost" */
    int port;             /**< default 6379 */
    const char *path;     /**< a unix socket, instead of host and port */
    const char *username; /**< of redis 6 and up; default: none */
    const char *password; /**< default: the URL's; none: no AUTH is sent */
    int db;               /**< default 0 */
    const char *client_name;     /**< CLIENT SETNAME; default: none */
    aio_tls_context *tls;        /**< kept; speak TLS. Default: none, or for rediss:// a client's
                                      context with the system's authorities */
    const char *server_hostname; /**< whom the certificate has to be for; default: host */
    double connect_timeout; /**< seconds, all that follows the connection included; default 30 */
    double timeout;         /**< seconds a reply may take; default: AIO_FOREVER */
    size_t max_reply_size;  /**< bytes a reply may need in memory; default 64 MiB */
    size_t max_pending;     /**< commands that may wait for their replies; default 65536 */
} aio_redis_options;

/** The defaults. */
#define AIO_REDIS_OPTIONS_INIT AIO_SIZED(aio_redis_options)

/**
 * Connect: TCP or unix socket, TLS, then AUTH, SELECT and CLIENT SETNAME as the options want.
 *
 * @param options         Borrowed; NULL: the defaults.
 * @param[out] ret_redis  Returned: aio_redis_unref() it. Written on success only.
 * @return 0, or a negative code, and nothing is left open:
 *   AIO_ETIMEDOUT       it took longer than connect_timeout
 *   AIO_REDIS_EAUTH, AIO_REDIS_EREPLY, ...   what the server says; never the password
 *   AIO_REDIS_ECLOSED, AIO_REDIS_EPROTOCOL   the other end is no redis, or has gone
 *   AIO_EVALUE          options that make no sense
 *   AIO_ESSL, AIO_ESSLCERT, AIO_EAI_..., the system's, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM
 *
 * Suspends: yes.   Cancellation point: yes.
 * asyncio: none; aioredis.create_redis()                         Since: 0.1
 */
AIO_API int aio_redis_connect(const aio_redis_options *options,
                              aio_redis **ret_redis) AIO_MUST_CHECK;

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_redis *aio_redis_ref(aio_redis *redis);
/** Drop a reference; NULL is allowed. The last one closes the connection. Since: 0.1 */
AIO_API void aio_redis_unref(aio_redis *redis);
AIO_DEFINE_AUTO(aio_redis)

/** Close the connection. Commands that wait for a reply fail with AIO_REDIS_ECLOSED. Nothing if it
 *  is closed, or NULL.   Suspends: no.   asyncio: none; aioredis' Redis.close()   Since: 0.1 */
AIO_API void aio_redis_close(aio_redis *redis);
/** Wait until a connection is closed, by whomever. 0, AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.
 *  Suspends: while it is open.   asyncio: none; aioredis' Redis.wait_closed()   Since: 0.1 */
AIO_API int aio_redis_wait_closed(aio_redis *redis);
/** Whether it is closing, closed or lost; true for NULL.   Since: 0.1 */
AIO_API bool aio_redis_is_closed(const aio_redis *redis);
/** Seconds that replies to commands from now on may take: before a BLPOP, say. When they pass, the
 *  connection is closed, as nobody knows what would come. AIO_FOREVER: no limit.
 *  0, AIO_EVALUE.   Since: 0.1 */
AIO_API int aio_redis_set_timeout(aio_redis *redis, double seconds);
/** @} */

/** @name Commands
 *  Each returns 0 or a negative code, of which these are common to all:
 *    AIO_REDIS_EREPLY, ...  the server refused the command
 *    AIO_REDIS_ECLOSED      the connection is closed, or was before the reply came
 *    AIO_REDIS_EPROTOCOL    what came is no reply, or beyond a limit; the connection is closed
 *    AIO_ETIMEDOUT          no reply in time; the connection is closed
 *    AIO_EQUEUEFULL         too many commands wait for their replies; nothing was sent
 *    AIO_ERUNTIME           the connection serves a pub/sub, or another loop; nothing was sent
 *    AIO_ECANCELLED         the calling task was cancelled
 *    AIO_EVALUE, AIO_ENOTASK, AIO_ENOMEM   nothing was sent
 *  Each suspends until the replies have come, and is a cancellation point. @{ */

/**
 * Send a command made by a format, and wait for its reply.
 *
 *     aio_redis_command(redis, &reply, "SET %s %b", key, bytes, size)
 *
 * @param[out] ret_reply  Returned: aio_redis_reply_unref() it. Written on success only. May be NULL.
 * @param format  Words separated by blanks, each an argument: hiredis' format. %s is a string, %b
 *                bytes and their size_t, %d %i %u %lld %zu %f ... as in printf, %% a percent sign.
 *                What is put in never makes more words, whatever it contains.
 * @return 0, or a code of those above.
 * asyncio: none; aioredis' Redis.execute()                       Since: 0.1
 */
AIO_API int aio_redis_command(aio_redis *redis, aio_redis_reply **ret_reply, const char *format,
                              ...);
/** The same with the arguments in a list. Since: 0.1 */
AIO_API int aio_redis_vcommand(aio_redis *redis, aio_redis_reply **ret_reply, const char *format,
                               va_list args);
/** The same with the words one by one: any bytes. Since: 0.1 */
AIO_API int aio_redis_command_argv(aio_redis *redis, const aio_buffer *words, size_t count,
                                   aio_redis_reply **ret_reply);
/** HGETALL, as a map in the server's order; empty if there is no such key.
 *  asyncio: none; aioredis' Redis.hgetall()   Since: 0.1 */
AIO_API int aio_redis_hgetall(aio_redis *redis, const char *key, aio_redis_reply **ret_map);
/** @} */

/** @name Pipelines and transactions
 *  Commands are collected, then sent together, and wait once for all their replies. @{ */

typedef struct aio_redis_pipeline aio_redis_pipeline;

/** How a pipeline is carried out; may be or'ed. */
typedef enum aio_redis_pipeline_flags {
    AIO_REDIS_TRANSACTION = 1, /**< between MULTI and EXEC: as a unit, by the server */
    AIO_REDIS_KEEP_ERRORS = 2  /**< a command that fails is an item of the reply, and no more */
} aio_redis_pipeline_flags;

/**
 * Begin a pipeline.
 *
 * @param redis  Kept.
 * @param flags  Of aio_redis_pipeline_flags; 0: none.
 * @return Returned: aio_redis_pipeline_unref() it. NULL when memory is short or @p redis is NULL;
 *         the functions below give AIO_ENOMEM for that NULL.
 * Suspends: no.   asyncio: none; aioredis' Redis.pipeline(), .multi_exec()   Since: 0.1
 */
AIO_API aio_redis_pipeline *aio_redis_pipeline_new(aio_redis *redis, unsigned flags);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_redis_pipeline *aio_redis_pipeline_ref(aio_redis_pipeline *pipeline);
/** Drop a reference; NULL is allowed. Since: 0.1 */
AIO_API void aio_redis_pipeline_unref(aio_redis_pipeline *pipeline);
AIO_DEFINE_AUTO(aio_redis_pipeline)

/** Add a command, as aio_redis_command() makes it. 0, AIO_EVALUE, AIO_EQUEUEFULL, AIO_ENOMEM; what
 *  was added before stays.   Suspends: no.   Since: 0.1 */
AIO_API int aio_redis_pipeline_add(aio_redis_pipeline *pipeline, const char *format, ...);
/** The same with the words one by one. Since: 0.1 */
AIO_API int aio_redis_pipeline_add_argv(aio_redis_pipeline *pipeline, const aio_buffer *words,
                                        size_t count);

/**
 * Send what was added, and wait for all replies. The pipeline is empty then, and can be used again.
 *
 * @param[out] ret_reply  An array with an item a command. Returned: aio_redis_reply_unref() it.
 *                        Written on success only. May be NULL.
 * @return 0, a code of those above, or
 *   AIO_REDIS_EPIPELINE   a command failed, the first being the cause; not with KEEP_ERRORS
 *   AIO_REDIS_EEXECABORT  the server took one of a transaction's commands for none: it did none
 *   AIO_REDIS_EWATCH      a key that was watched has changed: it did none
 * asyncio: none; aioredis' Pipeline.execute()                    Since: 0.1
 */
AIO_API int aio_redis_pipeline_execute(aio_redis_pipeline *pipeline, aio_redis_reply **ret_reply);
/** @} */

/** @name Pub/sub @{ */

typedef struct aio_redis_pubsub aio_redis_pubsub;

/** A message. Valid until the next one is asked for. */
typedef struct aio_redis_message {
    const char *channel; /**< a 0 follows each of the three */
    size_t channel_size;
    const char *pattern; /**< the pattern that matched; NULL: the channel was subscribed itself */
    const char *data;
    size_t size;
} aio_redis_message;

/**
 * Turn a connection to pub/sub: commands are over for it.
 *
 * @param redis               Kept; no command may be waiting for its reply.
 * @param[out] ret_pubsub     Returned: aio_redis_pubsub_unref() it. Written on success only.
 * @return 0, AIO_ERUNTIME if commands wait, AIO_REDIS_ECLOSED, AIO_EVALUE, AIO_ENOMEM.
 * Suspends: no.   asyncio: none; redis.asyncio's Redis.pubsub()  Since: 0.1
 */
AIO_API int aio_redis_pubsub_new(aio_redis *redis, aio_redis_pubsub **ret_pubsub);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_redis_pubsub *aio_redis_pubsub_ref(aio_redis_pubsub *pubsub);
/** Drop a reference; NULL is allowed. The last one closes the connection. Since: 0.1 */
AIO_API void aio_redis_pubsub_unref(aio_redis_pubsub *pubsub);
AIO_DEFINE_AUTO(aio_redis_pubsub)

/** Subscribe to a channel, and wait until the server says so; messages that came before are kept.
 *  0 or a code of commands.   Suspends: yes.   asyncio: none; aioredis' Redis.subscribe()
 *  Since: 0.1 */
AIO_API int aio_redis_subscribe(aio_redis_pubsub *pubsub, const char *channel);
/** The same for all channels that match: news.*   Since: 0.1 */
AIO_API int aio_redis_psubscribe(aio_redis_pubsub *pubsub, const char *pattern);
/** End a subscription. What has come by then is still given out.   Since: 0.1 */
AIO_API int aio_redis_unsubscribe(aio_redis_pubsub *pubsub, const char *channel);
/** End that of a pattern.   Since: 0.1 */
AIO_API int aio_redis_punsubscribe(aio_redis_pubsub *pubsub, const char *pattern);

/**
 * The messages: aio_anext() gives a const aio_redis_message *, valid until the next call. Up to a
 * thousand or so wait to be asked for; then the server is no longer listened to, and in the end
 * closes the connection of one that is so slow.
 *
 * @return Borrowed from @p pubsub; NULL for NULL. It never ends by itself: AIO_ESTOP comes once this
 *         end has closed the connection, AIO_REDIS_ECLOSED when it was lost. One task at a time may
 *         wait; another gets AIO_ERUNTIME.
 * asyncio: none; aioredis' Channel.iter()                        Since: 0.1
 */
AIO_API aio_iterator *aio_redis_pubsub_iterator(aio_redis_pubsub *pubsub);
/** Close the connection. NULL is allowed.   Suspends: no.   Since: 0.1 */
AIO_API void aio_redis_pubsub_close(aio_redis_pubsub *pubsub);
/** @} */

/** @name Pools
 *  An aio_pool (pool.h) of connections: it lends them, takes them back with aio_pool_release() or
 *  aio_pool_exit(), and is closed with aio_pool_close(). A connection that broke, serves a pub/sub
 *  or still waits for replies when it comes back is closed and replaced. What else a task changes,
 *  with SELECT, WATCH or MULTI say, it has to change back. @{ */

/**
 * Make a pool. Nothing is connected yet, and no loop is needed.
 *
 * @param options  How to connect; copied. NULL: the defaults.
 * @param pool     Sizes and times; ops and arg are not looked at. Borrowed. NULL: the defaults.
 * @param[out] ret_pool  Returned: aio_pool_close() it, then aio_pool_unref(). Written on success only.
 * @return 0, AIO_EVALUE, AIO_ENOMEM.
 * Suspends: no.   asyncio: none; aioredis.ConnectionsPool()      Since: 0.1
 */
AIO_API int aio_redis_pool_new(const aio_redis_options *options, const aio_pool_options *pool,
                               aio_pool **ret_pool);
/** Take a connection: aio_pool_acquire(). It is the pool's: do not unref it, but give it back.
 *  asyncio: none; aioredis' ConnectionsPool.acquire()   Since: 0.1 */
AIO_API int aio_redis_pool_acquire(aio_pool *pool, aio_redis **ret_redis) AIO_MUST_CHECK;
/** Begin a block that has a connection; aio_pool_exit() ends it. Since: 0.1 */
AIO_API int aio_redis_pool_enter(aio_pool *pool, aio_redis **ret_redis) AIO_MUST_CHECK;
/** Send one command by whatever connection is free: aio_redis_command(). Since: 0.1 */
AIO_API int aio_redis_pool_command(aio_pool *pool, aio_redis_reply **ret_reply, const char *format,
                                   ...);
/** @} */

AIO_END_DECLS

#endif
