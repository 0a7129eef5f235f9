/* SPDX-License-Identifier: MIT */
/*
 * http_server.h - an HTTP/1.1 server: each request is a coroutine's
 *
 * Part of the library aioc-http. <aio/web.h> has routes, parameters and JSON on top of it.
 *
 *     static int hello(aio_http_request *request, void *arg)
 *     {
 *         return aio_http_respond(request, 200, "text/plain", "hello", 5);
 *     }
 *
 *     err = aio_http_server_start(hello, NULL, &options, &server);
 *
 * What reaches a handler is well formed: a request that is not, or that could be understood in two
 * ways, gets 400 and a closed connection. Limits and timeouts hold for every connection, and no
 * peer can make the server keep more than they allow.
 *
 * When the client goes away while a handler runs, the handler's task is cancelled: it gets
 * AIO_ECANCELLED where it waits, as on any cancellation. A client that closes its sending side
 * counts as gone, as with most servers.
 *
 * Thread: the loop's, unless said otherwise.
 */
#ifndef AIO_HTTP_SERVER_H
#define AIO_HTTP_SERVER_H

#include <aio/common.h>
#include <aio/tls.h>

AIO_BEGIN_DECLS

/** A status was decided on: raised by what has prepared an answer, passed on by handlers. */
#define AIO_HTTP_EABORT (-10250)

/** A request and the answer to it; lives until its handler is done, or as long as it is held. */
typedef struct aio_http_request aio_http_request;
typedef struct aio_http_server aio_http_server;

/**
 * Answers a request. It is a coroutine: it runs in a task of its own and may wait for anything.
 *
 * @return 0: the answer it prepared is sent. AIO_HTTP_EABORT: likewise. Any other code: 500
 *         "Internal Server Error", and the error goes to the loop's exception handler, unless it
 *         is AIO_ECANCELLED. Nothing prepared is a 500 as well.
 */
typedef int (*aio_http_handler_fn)(aio_http_request *request, void *arg);

/** @name Servers @{ */

/** What is told of each request once it is answered. */
typedef struct aio_http_access {
    size_t size;        /**< sizeof(aio_http_access) */
    const char *client; /**< "127.0.0.1:40000"; "" if unknown */
    const char *method;
    const char *target;  /**< as it was sent */
    const char *version; /**< "1.1" */
    int status;
    const char *phrase; /**< "OK" */
    uint64_t sent;      /**< bytes of the answer's body */
} aio_http_access;

/** Is told of each request; must not suspend. All is borrowed for the call. */
typedef void (*aio_http_access_fn)(const aio_http_access *access, void *arg);

/**
 * A ready-made one: a line on a FILE (@p file; NULL: standard output) in uvicorn's form,
 *     INFO:     127.0.0.1:40000 - "GET /red HTTP/1.1" 200 OK
 * Targets have no control characters. The FILE's own buffer is not flushed.   Since: 0.1
 */
AIO_API void aio_http_access_log(const aio_http_access *access, void *file);

/** How a server works. Zero in a field means its default; AIO_FOREVER in a time: none. */
typedef struct aio_http_server_options {
    size_t size;             /**< sizeof(aio_http_server_options) */
    const char *host;        /**< as in aio_server_options; default: all interfaces */
    int port;                /**< 0: any that is free */
    int sock;                /**< a bound stream socket instead, taken on success; -1: none */
    const char *path;        /**< a unix socket's file instead; one that is in the way is replaced,
                                  and it is removed at the end. NULL: none */
    int backlog;             /**< default 2048 */
    bool reuse_port;         /**< several servers, of several processes or loops, share the port */
    aio_tls_context *tls;    /**< kept; NULL: no TLS */
    const char *name;        /**< of the header "server"; default "aioc"; "": no such header */
    size_t max_connections;  /**< default 10000; what is above is closed at once */
    size_t max_head_size;    /**< bytes of request line and headers; default 16 KiB: else 431 */
    size_t max_headers;      /**< default 100: else 431 */
    uint64_t max_body_size;  /**< default 16 MiB: else 413 */
    double head_timeout;     /**< from a head's first byte to its last; default 10 s: else 408 */
    double body_timeout;     /**< for a body; default 30 s, and more as it comes: see min_rate */
    double idle_timeout;     /**< between requests; default 5 s */
    double write_timeout;    /**< for a peer that does not read; default 30 s, see min_rate */
    double min_rate;         /**< bytes a second that earn a body or an answer more time; default
                                  1000 */
    double shutdown_timeout; /**< for handlers when the server stops, default 30 s; after that they
                                  are cancelled */
    aio_http_access_fn access; /**< NULL: nobody is told */
    void *access_arg;
} aio_http_server_options;

/** The defaults. */
#define AIO_HTTP_SERVER_OPTIONS_INIT AIO_SIZED_WITH(aio_http_server_options, AIO_SET(sock, -1))

/**
 * Start a server on the running loop.
 *
 * @param handler  Called for each request.
 * @param arg      Borrowed until the server is stopped.
 * @param options  Borrowed; NULL: the defaults.
 * @param[out] ret_server  Returned: aio_http_server_stop() it, then aio_http_server_unref() it.
 * @return 0, or a negative code: AIO_EVALUE for options that make no sense, AIO_ENOMEM, and those
 *         of aio_loop_create_server() and aio_loop_create_unix_server().
 * Suspends: yes.   Cancellation point: yes.   asyncio: none; uvicorn.Server.startup()   Since: 0.1
 */
AIO_API int aio_http_server_start(aio_http_handler_fn handler, void *arg,
                                  const aio_http_server_options *options,
                                  aio_http_server **ret_server) AIO_MUST_CHECK;

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_http_server *aio_http_server_ref(aio_http_server *server);
/** Drop a reference; NULL is allowed. A server that listens goes on. Since: 0.1 */
AIO_API void aio_http_server_unref(aio_http_server *server);
AIO_DEFINE_AUTO(aio_http_server)

/** The port of its first socket; 0 if it has none any more, or none at all. Since: 0.1 */
AIO_API int aio_http_server_port(const aio_http_server *server);

/**
 * Stop in order: no more connections are accepted, those that wait for a request are closed, and
 * requests in progress are answered, with "connection: close". What has not ended by the
 * options' shutdown_timeout is cancelled, then cut off. Idempotent.
 *
 * @return 0, AIO_ETIMEDOUT if something had to be cancelled, AIO_ECANCELLED: the rest was cut off at
 *         once; AIO_ENOTASK, AIO_EVALUE for NULL.
 * Suspends: while there are connections.   Cancellation point: then.
 * asyncio: none; uvicorn.Server.shutdown()                       Since: 0.1
 */
AIO_API int aio_http_server_stop(aio_http_server *server) AIO_MUST_CHECK;

/** What a server has done. */
typedef struct aio_http_server_stats {
    size_t size;        /**< sizeof(aio_http_server_stats), set by who asks */
    size_t connections; /**< open */
    size_t active;      /**< requests whose handlers run */
    uint64_t accepted;  /**< connections since the start */
    uint64_t refused;   /**< connections above max_connections */
    uint64_t requests;  /**< given to the handler */
    uint64_t bad;       /**< that were none, or broke a limit */
    uint64_t timeouts;  /**< connections that ran out of time */
} aio_http_server_stats;

/** To begin with. */
#define AIO_HTTP_SERVER_STATS_INIT AIO_SIZED(aio_http_server_stats)

/** Ask. 0, AIO_EVALUE for NULL or a wrong size.   Since: 0.1 */
AIO_API int aio_http_server_get_stats(const aio_http_server *server,
                                      aio_http_server_stats *ret_stats);
/** @} */

/** @name What was asked
 *  Strings are borrowed from the request. From any thread that holds it. @{ */

/** Take another reference, for use beyond the handler's end. Thread: any.   Since: 0.1 */
AIO_API aio_http_request *aio_http_request_ref(aio_http_request *request);
/** Drop a reference; NULL is allowed. Thread: any.   Since: 0.1 */
AIO_API void aio_http_request_unref(aio_http_request *request);
AIO_DEFINE_AUTO(aio_http_request)

/** "GET".   Since: 0.1 */
AIO_API const char *aio_http_request_method(const aio_http_request *request);
/** As it was sent: "/a%20b?c=d".   Since: 0.1 */
AIO_API const char *aio_http_request_target(const aio_http_request *request);
/** Its path, decoded; what is not UTF-8 is U+FFFD: "/a b".   Since: 0.1 */
AIO_API const char *aio_http_request_path(const aio_http_request *request);
/** Its query, not decoded; "" if there is none: "c=d".   Since: 0.1 */
AIO_API const char *aio_http_request_query(const aio_http_request *request);
/** "1.0" or "1.1".   Since: 0.1 */
AIO_API const char *aio_http_request_version(const aio_http_request *request);
/** The first header of a name, in whatever case; NULL: there is none.   Since: 0.1 */
AIO_API const char *aio_http_request_header(const aio_http_request *request, const char *name);
/** How many headers there are.   Since: 0.1 */
AIO_API size_t aio_http_request_header_count(const aio_http_request *request);
/** The header at an index: false past the end.   Since: 0.1 */
AIO_API bool aio_http_request_header_at(const aio_http_request *request, size_t index,
                                        const char **ret_name, const char **ret_value);
/** The client's address: "127.0.0.1:40000"; "" if it has none.   Since: 0.1 */
AIO_API const char *aio_http_request_client(const aio_http_request *request);
/** Memory that lives as long as the request. NULL when short.   Since: 0.1 */
AIO_API void *aio_http_request_alloc(aio_http_request *request, size_t size);

/**
 * Read some of the body. A client that waits for "100 Continue" gets it now. The peer is stopped
 * while more than 64 KiB wait to be read.
 *
 * @param[out] buffer  Gets at most @p size bytes, at least 1 unless the body has ended.
 * @return How many bytes; 0: the body has ended; or a negative code:
 *   -ECONNRESET      the client is gone
 *   AIO_HTTP_EABORT  it is no proper body, too large or too slow: the answer to it is prepared
 *   AIO_ERUNTIME     another task reads it, or it was read as a whole
 *   AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM, AIO_EVALUE
 * Suspends: while nothing has come.   Cancellation point: then.   Since: 0.1
 */
AIO_API ptrdiff_t aio_http_request_read(aio_http_request *request, void *buffer, size_t size);

/**
 * Read the whole body, at most the server's max_body_size. May be called again.
 *
 * @param[out] ret_data  Borrowed from the request; a 0 stands behind the last byte.
 * @return 0, or as aio_http_request_read(); AIO_ERUNTIME also if part of it was read with that.
 * Suspends: until all has come.   Cancellation point: yes.
 * asyncio: none; starlette.requests.Request.body()               Since: 0.1
 */
AIO_API int aio_http_request_body(aio_http_request *request, const void **ret_data,
                                  size_t *ret_size);
/** @} */

/** @name The answer @{ */

/**
 * Add a header to the answer. "content-length", "transfer-encoding", "connection" and "date" are the
 * server's own: AIO_EVALUE, as for what is no name, and for a value with control characters.
 *
 * @return 0, AIO_EVALUE, AIO_ENOMEM, AIO_ERUNTIME once the answer has begun.
 * Thread: the handler's, whatever it is.                         Since: 0.1
 */
AIO_API int aio_http_add_header(aio_http_request *request, const char *name, const char *value);

/**
 * Prepare the answer, in place of one that was prepared before. It is sent when the handler ends.
 *
 * @param status        200 to 599.
 * @param content_type  Copied; NULL: no such header.
 * @param body          Copied.
 * @return 0, AIO_EVALUE, AIO_ENOMEM, AIO_ERUNTIME once the answer has begun.
 * Suspends: no.   Thread: the handler's, whatever it is.
 * asyncio: none; starlette.responses.Response()                  Since: 0.1
 */
AIO_API int aio_http_respond(aio_http_request *request, int status, const char *content_type,
                             const void *body, size_t size);

/** What is to be done once a request is answered; a coroutine. */
typedef int (*aio_http_after_fn)(void *arg);

/**
 * Have something done behind the answer: in the handler's task, one after the other in the order asked
 * for, when the answer was given to the connection. A client that goes away does not end it; the
 * server's stop waits for it, and cancels it as it does handlers. Nothing of it is done if the
 * handler fails. What fails is told to the loop's exception handler, and the rest is not done.
 *
 * @param arg  Borrowed until it is done. aio_http_request_alloc() gives memory that lives as long.
 * @return 0, AIO_EVALUE, AIO_ENOMEM.
 * Thread: the handler's, whatever it is.
 * asyncio: none; starlette.background.BackgroundTasks.add_task()  Since: 0.1
 */
AIO_API int aio_http_after(aio_http_request *request, aio_http_after_fn fn, void *arg);

/** The status prepared or begun; 0: none yet. For what looks at answers.   Since: 0.1 */
AIO_API int aio_http_response_status(const aio_http_request *request);

/** The length of a body that is not known yet. */
#define AIO_HTTP_UNKNOWN_LENGTH UINT64_MAX

/**
 * Begin an answer whose body is written piece by piece, and send its head.
 *
 * @param length  Of the body; exactly so much has to be written. AIO_HTTP_UNKNOWN_LENGTH: it is sent
 *                in chunks, or to a client of HTTP/1.0 until the connection ends.
 * @return 0, AIO_EVALUE, AIO_ENOMEM, -ECONNRESET if the client is gone, AIO_ERUNTIME once the answer
 *         has begun, AIO_ENOTASK outside the handler's task.
 * Suspends: no.   asyncio: none; starlette.responses.StreamingResponse()   Since: 0.1
 */
AIO_API int aio_http_stream(aio_http_request *request, int status, const char *content_type,
                            uint64_t length);

/**
 * Write a piece of the body. Its end is the handler's; if that fails, or has not written all, the
 * connection is cut, so that the client does not take the piece for the whole.
 *
 * @return 0, -ECONNRESET if the client is gone, AIO_EVALUE for more than the length said,
 *         AIO_ERUNTIME without aio_http_stream(), AIO_ECANCELLED, AIO_ENOTASK, AIO_ENOMEM.
 * Suspends: while the peer reads too slowly, at 64 KiB.   Cancellation point: then.   Since: 0.1
 */
AIO_API int aio_http_write(aio_http_request *request, const void *data, size_t size) AIO_MUST_CHECK;
/** @} */

AIO_END_DECLS

#endif
