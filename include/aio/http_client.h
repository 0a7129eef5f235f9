/* SPDX-License-Identifier: MIT */
/*
 * http_client.h - an HTTP client that reads like aiohttp's, on libcurl
 *
 *     AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
 *     AIO_AUTO(aio_http_response) response = NULL;
 *     const char *text;                       async with aiohttp.ClientSession() as session:
 *
 *     err = aio_http_get(session, url, NULL, &response);
 *     if (err == 0)                               async with session.get(url) as response:
 *         err = aio_http_response_text(response, &text);
 *     if (err == 0)                                   print(await response.text())
 *         printf("%s\n", text);
 *
 * A session keeps connections, names, cookies and the authorities it trusts. It speaks HTTP/1.1
 * and, where a server of https offers it, HTTP/2 with many requests on one connection.
 *
 * A response comes with its head; its body is still on its way, and is read as one likes: whole,
 * or piece by piece. What is not read stops the server: no more than a buffer of it is held.
 *
 * Every call ends within its timeouts. A cancelled one leaves nothing behind. No error, and no
 * log, has a password or a query in it.
 *
 * Thread: the loop's.
 */
#ifndef AIO_HTTP_CLIENT_H
#define AIO_HTTP_CLIENT_H

#include <aio/iterator.h>
#include <aio/loop.h>

AIO_BEGIN_DECLS

struct json_t;

/** What a request may fail with, beside the system's codes (-ECONNREFUSED, -ECONNRESET when the
 *  server went away, ...), those of names (AIO_EAI_..., dns.h), AIO_ETIMEDOUT, AIO_ESSL,
 *  AIO_ESSLCERT and AIO_ECANCELLED. */
enum {
    AIO_HTTP_ECLIENT = -10219,   /**< the class of those that follow, for aio_error_is():
                                         aiohttp.ClientError */
    AIO_HTTP_ESTATUS = -10220,   /**< a status of 400 or more: aiohttp.ClientResponseError */
    AIO_HTTP_EREDIRECT = -10221, /**< too many redirects, or one that cannot be followed:
                                         aiohttp.TooManyRedirects */
    AIO_HTTP_EPROTOCOL =
        -10222, /**< what the server sends is not HTTP: aiohttp.ServerConnectionError */
    AIO_HTTP_EPAYLOAD = -10223,  /**< the body is cut or broken: aiohttp.ClientPayloadError */
    AIO_HTTP_ETOOLARGE = -10224, /**< a head or a body over the limit */
    AIO_HTTP_ECONTENTTYPE =
        -10225,              /**< a body that is no JSON by its type: aiohttp.ContentTypeError */
    AIO_HTTP_EPROXY = -10226 /**< the proxy refuses: aiohttp.ClientProxyConnectionError */
};

/** A name and a value: of a header, of a query, of a form, a cookie. */
typedef struct aio_http_field {
    const char *name;
    const char *value;
} aio_http_field;

/** For a limit: none. */
#define AIO_HTTP_UNLIMITED SIZE_MAX

/** @name Sessions @{ */

typedef struct aio_http_session aio_http_session;
typedef struct aio_http_response aio_http_response;

/** Which HTTP to speak. */
typedef enum aio_http_version {
    AIO_HTTP_BEST, /**< over TLS what the server prefers of 1.1 and 2; else 1.1 */
    AIO_HTTP_1_1,
    AIO_HTTP_2 /**< also without TLS, which the server has to expect */
} aio_http_version;

/** How a session is made. Zero in any field but size means the default. */
typedef struct aio_http_session_options {
    size_t size;                   /**< sizeof(aio_http_session_options) */
    const char *base_url;          /**< what URLs like "/path" are relative to; default: none */
    const aio_http_field *headers; /**< of every request that has none of that name */
    size_t header_count;
    const char *user; /**< basic authentication, of the base URL's origin; without one, of any */
    const char *password;
    aio_http_version version; /**< default AIO_HTTP_BEST */

    size_t limit;             /**< connections at once; default 100; AIO_HTTP_UNLIMITED */
    size_t limit_per_host;    /**< of them to one host and port; default: no limit */
    double keepalive_timeout; /**< seconds that an unused connection is kept; default 15 */
    bool force_close;         /**< a connection a request */

    bool insecure;         /**< talk to any server of https: do not verify its certificate */
    const char *ca_file;   /**< trust the authorities of a file, PEM, instead of the system's */
    const char *ca_dir;    /**< or of a directory with hashed names */
    const char *cert_file; /**< our own certificate, PEM, with those up to its authority */
    const char *key_file;  /**< its key; default: in the same file */

    const char *proxy;     /**< "http://user:password@host:port", https, socks4, socks5, socks5h
                               (the proxy resolves names); default: none, whatever the
                               environment says */
    const char *unix_path; /**< connect to this unix socket, whatever host and port a URL has; at
                               most 107 bytes; not with a proxy. As aiohttp.UnixConnector */
    bool no_cookies;       /**< neither keep nor send the cookies that servers set */
    bool no_decompress;    /**< give bodies as they come */
    bool raise_for_status; /**< a status of 400 or more fails the request */

    double total_timeout;   /**< seconds from the call to the end of the body; default 300 */
    double connect_timeout; /**< seconds until a connection is there, waiting for a free one and
                                 for names included; default: no limit of its own */
    double read_timeout;    /**< seconds without a byte in either direction, once there is one;
                                 default: no limit of its own */
    unsigned max_redirects; /**< default 10 */
    size_t max_head;        /**< bytes of a response's head; default 64 KiB */
    size_t max_body;        /**< bytes of a body that is read whole, after decompression; default
                                 64 MiB; AIO_HTTP_UNLIMITED */
    size_t buffer_size; /**< bytes of a body that are held for the reader, about; default 64 KiB */
} aio_http_session_options;

/** The defaults. */
#define AIO_HTTP_SESSION_OPTIONS_INIT AIO_SIZED(aio_http_session_options)

/**
 * Make a session for the running loop, else for this thread's current one.
 *
 * @param options  Copied. NULL: the defaults.
 * @return Returned: aio_http_session_unref() it. NULL on failure (AIO_ENOMEM, AIO_ENOLOOP,
 *         AIO_ECLOSED, AIO_EVALUE for an option that is out of bounds): every call accepts that
 *         NULL and gives the code.
 * Suspends: no.   asyncio: aiohttp.ClientSession()               Since: 0.1
 */
AIO_API aio_http_session *aio_http_session_new(const aio_http_session_options *options);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_http_session *aio_http_session_ref(aio_http_session *session);
/** Drop a reference; NULL is allowed. Responses hold one. The last one closes. Since: 0.1 */
AIO_API void aio_http_session_unref(aio_http_session *session);
AIO_DEFINE_AUTO(aio_http_session)

/**
 * Close: end what is under way (its callers get AIO_ECLOSED), and all connections. Responses that
 * were received to their end can still be read. A second time does nothing; NULL is allowed.
 *
 * Suspends: no.   asyncio: ClientSession.close()                 Since: 0.1
 */
AIO_API void aio_http_session_close(aio_http_session *session);
/** Whether it is closed; NULL counts as closed.   asyncio: ClientSession.closed   Since: 0.1 */
AIO_API bool aio_http_session_is_closed(const aio_http_session *session);
/** Leave the block that a session is for: close and drop it, in the place of AIO_AUTO(), not beside
 *  it. @return @p code, what the body ended with; for a NULL session and 0, why it could not be made.
 *  Suspends: no.   asyncio: ClientSession.__aexit__()   Since: 0.1 */
AIO_API int aio_http_session_exit(aio_http_session *session, int code);

/** What a session is doing, and has done. */
typedef struct aio_http_session_stats {
    size_t size;        /**< sizeof(aio_http_session_stats), set by who asks */
    size_t active;      /**< requests and bodies that are under way */
    size_t connections; /**< sockets that are open, those kept for later too */
    uint64_t requests;  /**< sent, redirects too */
    uint64_t opened;    /**< sockets, from the beginning */
} aio_http_session_stats;

/** To begin with. */
#define AIO_HTTP_SESSION_STATS_INIT AIO_SIZED(aio_http_session_stats)

/** Ask. 0, AIO_EVALUE for a wrong size, or the failure behind a NULL.
 *  Suspends: no.   asyncio: none   Since: 0.1 */
AIO_API int aio_http_session_get_stats(const aio_http_session *session,
                                       aio_http_session_stats *ret_stats);
/** @} */

/** @name Cookies
 *  Each session has a jar of its own. @{ */

/**
 * Put a cookie into the jar, for the host and all paths of a URL.
 *
 * @param value  NULL: take that cookie out.
 * @return 0, AIO_EVALUE for what no cookie or URL can be, AIO_ENOMEM, AIO_ERUNTIME without a jar, or
 *         the failure behind a NULL.
 * Suspends: no.   asyncio: ClientSession.cookie_jar.update_cookies()   Since: 0.1
 */
AIO_API int aio_http_session_set_cookie(aio_http_session *session, const char *url,
                                        const char *name, const char *value);
/**
 * Find the cookie of a name in the jar, whatever its host.
 *
 * @param[out] ret_value  Returned: aio_free() it. Written on success only.
 * @return 0, AIO_EKEY if there is none, AIO_ENOMEM, AIO_ERUNTIME without a jar, or the failure
 *         behind a NULL.
 * Suspends: no.   asyncio: iterating ClientSession.cookie_jar     Since: 0.1
 */
AIO_API int aio_http_session_get_cookie(aio_http_session *session, const char *name,
                                        char **ret_value);
/** Empty the jar.   Suspends: no.   asyncio: CookieJar.clear()   Since: 0.1 */
AIO_API int aio_http_session_clear_cookies(aio_http_session *session);
/** @} */

/** @name Forms @{ */

/** A form of several parts: multipart/form-data. */
typedef struct aio_http_form aio_http_form;

/** Make one. @return Returned: aio_http_form_unref() it; NULL when memory is short, which the
 *  calls accept.   Suspends: no.   asyncio: aiohttp.FormData()   Since: 0.1 */
AIO_API aio_http_form *aio_http_form_new(void);
/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_http_form *aio_http_form_ref(aio_http_form *form);
/** Drop a reference; NULL is allowed. Since: 0.1 */
AIO_API void aio_http_form_unref(aio_http_form *form);
AIO_DEFINE_AUTO(aio_http_form)
/** Add a field; copied. 0, AIO_EVALUE, AIO_ENOMEM.
 *  Suspends: no.   asyncio: FormData.add_field(name, value)   Since: 0.1 */
AIO_API int aio_http_form_add(aio_http_form *form, const char *name, const char *value);
/**
 * Add a file.
 *
 * @param name, filename  Copied.
 * @param content_type    Copied; NULL: application/octet-stream.
 * @param data            Copied.
 * @return 0, AIO_EVALUE, AIO_ENOMEM.
 * Suspends: no.   asyncio: FormData.add_field(filename=)          Since: 0.1
 */
AIO_API int aio_http_form_add_file(aio_http_form *form, const char *name, const char *filename,
                                   const char *content_type, aio_buffer data);
/**
 * Add a file of the disk, which is read piece by piece, in threads, while it is sent. The request fails
 * with the system's code if it cannot be read, with AIO_EEOF if it has become shorter meanwhile.
 *
 * @param name          Copied.
 * @param path          Copied.
 * @param filename      Copied; NULL: the path's last part.
 * @param content_type  Copied; NULL: application/octet-stream.
 * @return 0, AIO_EVALUE, AIO_ENOMEM.
 * Suspends: no.   asyncio: FormData.add_field(name, open(path, 'rb'))   Since: 0.1
 */
AIO_API int aio_http_form_add_path(aio_http_form *form, const char *name, const char *path,
                                   const char *filename, const char *content_type);
/** @} */

/** @name Requests @{ */

/** How a request is made. Zero in any field but size means the session's, or the default. At most
 *  one of body, json, form, multipart and stream. */
typedef struct aio_http_request_options {
    size_t size;                   /**< sizeof(aio_http_request_options) */
    const aio_http_field *headers; /**< before the session's of the same name */
    size_t header_count;
    const aio_http_field *params; /**< added to the URL's query, encoded */
    size_t param_count;
    const aio_http_field *cookies; /**< sent beside those of the jar */
    size_t cookie_count;
    const char *user; /**< basic authentication; not sent on to another origin */
    const char *password;

    aio_buffer body;            /**< bytes, as application/octet-stream unless headers say so */
    const char *json;           /**< a text of JSON, as application/json */
    const aio_http_field *form; /**< a form of one part: application/x-www-form-urlencoded */
    size_t form_count;
    aio_http_form *multipart; /**< a form of several */
    /** A body piece by piece: each item is a `const aio_buffer *`, borrowed until the next is asked
     *  for; AIO_ESTOP ends it. Borrowed, and iterated in the calling task: the call returns when all
     *  of it was sent, or the server has refused. */
    aio_iterator *stream;
    size_t stream_size; /**< its bytes, if known; default: sent in chunks */

    const char *proxy; /**< instead of the session's; "": none */
    bool insecure;     /**< do not verify this server's certificate */
    bool no_redirects; /**< give redirects as they are */
    bool raise_for_status;
    double total_timeout;
    double connect_timeout;
    double read_timeout;
    unsigned max_redirects;
    size_t max_body;
} aio_http_request_options;

/** The defaults. */
#define AIO_HTTP_REQUEST_OPTIONS_INIT AIO_SIZED(aio_http_request_options)

/**
 * Send a request and wait for the head of the response. Redirects are followed: 303, and 301 and
 * 302 for POST, by a GET; others with method and body again. Credentials, cookies and an
 * Authorization header of the call are not sent on to another origin.
 *
 * @param session  Borrowed; the response holds it.
 * @param method   "GET", ...; copied.
 * @param url      http or https; copied. Blanks and what is not ASCII are encoded.
 * @param options  Copied, but for the stream. NULL: the defaults.
 * @param[out] ret_response  Returned: aio_http_response_exit() or _unref() it. Written on success
 *                 only.
 * @return 0, whatever the status is, unless raise_for_status; or a negative code:
 *   AIO_HTTP_E...       see there
 *   AIO_ETIMEDOUT       a timeout passed
 *   AIO_EAI_...         the name was not found
 *   AIO_ESSLCERT, AIO_ESSL   the server's certificate is not to be trusted; TLS failed otherwise
 *   -ECONNREFUSED, -ECONNRESET, ...   no connection; it was lost
 *   AIO_ECANCELLED      the task was cancelled; nothing is left of the request
 *   AIO_ECLOSED         the session is closed
 *   AIO_EVALUE, AIO_ENOMEM, AIO_ENOTASK, what the stream's iterator gave, or the failure behind a
 *                       NULL session
 *
 * Suspends: always, but for wrong calls.   Cancellation point: yes.
 * asyncio: ClientSession.request()                               Since: 0.1
 */
AIO_API int aio_http_session_request(aio_http_session *session, const char *method, const char *url,
                                     const aio_http_request_options *options,
                                     aio_http_response **ret_response) AIO_MUST_CHECK;

/** The request of that method; otherwise as aio_http_session_request().
 *  asyncio: ClientSession.get()   Since: 0.1 */
AIO_API int aio_http_get(aio_http_session *session, const char *url,
                         const aio_http_request_options *options,
                         aio_http_response **ret_response) AIO_MUST_CHECK;
/** asyncio: ClientSession.head(). As there, redirects are not followed. Since: 0.1 */
AIO_API int aio_http_head(aio_http_session *session, const char *url,
                          const aio_http_request_options *options,
                          aio_http_response **ret_response) AIO_MUST_CHECK;
/** asyncio: ClientSession.post()   Since: 0.1 */
AIO_API int aio_http_post(aio_http_session *session, const char *url,
                          const aio_http_request_options *options,
                          aio_http_response **ret_response) AIO_MUST_CHECK;
/** asyncio: ClientSession.put()   Since: 0.1 */
AIO_API int aio_http_put(aio_http_session *session, const char *url,
                         const aio_http_request_options *options,
                         aio_http_response **ret_response) AIO_MUST_CHECK;
/** asyncio: ClientSession.patch()   Since: 0.1 */
AIO_API int aio_http_patch(aio_http_session *session, const char *url,
                           const aio_http_request_options *options,
                           aio_http_response **ret_response) AIO_MUST_CHECK;
/** asyncio: ClientSession.delete()   Since: 0.1 */
AIO_API int aio_http_delete(aio_http_session *session, const char *url,
                            const aio_http_request_options *options,
                            aio_http_response **ret_response) AIO_MUST_CHECK;
/** asyncio: ClientSession.options(). Redirects are followed. Since: 0.1 */
AIO_API int aio_http_options(aio_http_session *session, const char *url,
                             const aio_http_request_options *options,
                             aio_http_response **ret_response) AIO_MUST_CHECK;
/** @} */

/** @name Responses
 *  Every call accepts NULL: what gives a code gives AIO_EVALUE, the others 0 or NULL. Texts live
 *  as long as the response. @{ */

/** Take another reference; NULL is given back. Since: 0.1 */
AIO_API aio_http_response *aio_http_response_ref(aio_http_response *response);
/** Drop a reference; NULL is allowed. The last one gives up what was not read of the body, and
 *  with it the connection unless it is HTTP/2's.   asyncio: ClientResponse.close()   Since: 0.1 */
AIO_API void aio_http_response_unref(aio_http_response *response);
AIO_DEFINE_AUTO(aio_http_response)
/** Leave the block that a response is for: drop it. It is in the place of AIO_AUTO(), not beside it,
 *  unlike the exit functions of locks, groups and servers. @return @p code, what the body ended with.
 *  Suspends: no.   asyncio: ClientResponse.__aexit__()   Since: 0.1 */
AIO_API int aio_http_response_exit(aio_http_response *response, int code);

/** 200, 404, ...   asyncio: ClientResponse.status   Since: 0.1 */
AIO_API int aio_http_response_status_code(const aio_http_response *response);
/** "OK", "Not Found"; "" if the server gave none.   asyncio: ClientResponse.reason   Since: 0.1 */
AIO_API const char *aio_http_response_reason(const aio_http_response *response);
/** A status below 400.   asyncio: ClientResponse.ok   Since: 0.1 */
AIO_API bool aio_http_response_ok(const aio_http_response *response);
/** AIO_HTTP_1_1, of 1.0 as well, or AIO_HTTP_2.   asyncio: ClientResponse.version   Since: 0.1 */
AIO_API aio_http_version aio_http_response_version(const aio_http_response *response);
/** The URL that answered, after redirects, without user and password.
 *  asyncio: ClientResponse.url   Since: 0.1 */
AIO_API const char *aio_http_response_url(const aio_http_response *response);
/** The method that was answered.   asyncio: ClientResponse.method   Since: 0.1 */
AIO_API const char *aio_http_response_method(const aio_http_response *response);
/** How many redirects were followed.   asyncio: len(ClientResponse.history)   Since: 0.1 */
AIO_API unsigned aio_http_response_redirects(const aio_http_response *response);
/** The value of the first header of a name, in capitals or not; NULL: there is none.
 *  asyncio: ClientResponse.headers.get()   Since: 0.1 */
AIO_API const char *aio_http_response_header(const aio_http_response *response, const char *name);
/** All headers in order.   asyncio: ClientResponse.headers.items()   Since: 0.1 */
AIO_API const aio_http_field *aio_http_response_headers(const aio_http_response *response,
                                                        size_t *ret_count);
/**
 * The value of a cookie that this response sets, whether the session keeps it or not.
 *
 * @param[out] ret_value  Returned: aio_free() it. Written on success only.
 * @return 0, AIO_EKEY if it sets none of that name, AIO_EVALUE, AIO_ENOMEM.
 * Suspends: no.   asyncio: ClientResponse.cookies                Since: 0.1
 */
AIO_API int aio_http_response_cookie(const aio_http_response *response, const char *name,
                                     char **ret_value);
/** "text/html", in lower case, without parameters; "application/octet-stream" if there is none.
 *  asyncio: ClientResponse.content_type   Since: 0.1 */
AIO_API const char *aio_http_response_content_type(const aio_http_response *response);
/** The charset that the content type declares, in lower case; NULL: none.
 *  asyncio: ClientResponse.charset   Since: 0.1 */
AIO_API const char *aio_http_response_charset(const aio_http_response *response);
/** The bytes of the body as they are sent; -1: the server does not say.
 *  asyncio: ClientResponse.content_length   Since: 0.1 */
AIO_API int64_t aio_http_response_content_length(const aio_http_response *response);

/** 0, or AIO_HTTP_ESTATUS for a status of 400 or more.
 *  asyncio: ClientResponse.raise_for_status()   Since: 0.1 */
AIO_API int aio_http_response_raise_for_status(aio_http_response *response);

/**
 * Read the body to its end. Again it gives the same.
 *
 * @param[out] ret_body  Borrowed from the response. A zero byte, which does not count, is behind
 *                       the last. Written on success only. May be NULL.
 * @return 0, or a negative code:
 *   AIO_HTTP_ETOOLARGE  it is larger than max_body
 *   AIO_HTTP_EPAYLOAD   it was cut, or cannot be decompressed
 *   AIO_ERUNTIME        a part of it was read before, or another task is reading
 *   AIO_ETIMEDOUT, -ECONNRESET, AIO_ECANCELLED, AIO_ECLOSED, AIO_ENOMEM, AIO_ENOTASK
 *
 * Suspends:            while there is more to come
 * Cancellation point:  whenever it suspends; what has come is kept, and may be read then
 * asyncio:             ClientResponse.read()                     Since: 0.1
 */
AIO_API int aio_http_response_read(aio_http_response *response,
                                   aio_buffer *ret_body) AIO_MUST_CHECK;

/**
 * Read the body and decode it to UTF-8, by the charset that the content type declares, else as
 * UTF-8.
 *
 * @param[out] ret_text  Borrowed from the response; a text with zero bytes looks shorter than it
 *                       is. Written on success only.
 * @return As aio_http_response_read(), or AIO_EUNICODE for bytes that the charset does not have,
 *         AIO_ELOOKUP for a charset nobody knows.
 * Suspends, cancellation point: as aio_http_response_read().
 * Differs: the charset is not guessed.
 * asyncio: ClientResponse.text()                                 Since: 0.1
 */
AIO_API int aio_http_response_text(aio_http_response *response,
                                   const char **ret_text) AIO_MUST_CHECK;
/** The same by a charset of choice ("gbk"), whatever the server says.
 *  asyncio: ClientResponse.text(encoding=)   Since: 0.1 */
AIO_API int aio_http_response_text_as(aio_http_response *response, const char *charset,
                                      const char **ret_text) AIO_MUST_CHECK;

/**
 * Read the body as JSON.
 *
 * @param[out] ret_json  Jansson's; returned: json_decref() it. Written on success only.
 * @return As aio_http_response_text(), or AIO_HTTP_ECONTENTTYPE for a body whose content type is
 *         not application/json or ends in +json, AIO_EVALUE for what is no JSON, or is nested deeper
 *         than 64,
 *         AIO_ENOTIMPLEMENTED if the library was built without jansson.
 * Suspends, cancellation point: as aio_http_response_read().
 * asyncio: ClientResponse.json()                                 Since: 0.1
 */
AIO_API int aio_http_response_json(aio_http_response *response,
                                   struct json_t **ret_json) AIO_MUST_CHECK;

/**
 * Read what there is of the body, at most so much.
 *
 * @param[out] data       At least @p size bytes.
 * @param[out] ret_count  How many were read; 0 at the end. Written on success only.
 * @return As aio_http_response_read(); AIO_EVALUE for no place.
 *
 * Suspends:            while nothing is there
 * Cancellation point:  whenever it suspends; nothing is lost
 * asyncio:             ClientResponse.content.read(n)            Since: 0.1
 */
AIO_API int aio_http_response_read_some(aio_http_response *response, void *data, size_t size,
                                        size_t *ret_count) AIO_MUST_CHECK;

/**
 * The body piece by piece, as it comes: an iterator for aio_anext(), borrowed from the response.
 * Its items are `const aio_buffer *`, never empty, borrowed until the next is asked for.
 *
 * @return NULL for NULL. Its aio_anext() gives as aio_http_response_read_some() does, and AIO_ESTOP
 *         at the end.
 * asyncio: ClientResponse.content.iter_any()                     Since: 0.1
 */
AIO_API aio_iterator *aio_http_response_iter_chunks(aio_http_response *response);

/**
 * The body line by line, as it comes: an iterator for aio_anext(), borrowed from the response. Its items
 * are `const aio_buffer *`, with the "\n" at the end, which the last may not have; borrowed until the
 * next is asked for, with a zero byte behind them that does not count.
 *
 * @return NULL for NULL. Its aio_anext() gives as aio_http_response_read_some() does; AIO_ESTOP at the
 *         end; AIO_HTTP_ETOOLARGE for a line of more bytes than the session's buffer_size.
 * asyncio: async for line in ClientResponse.content              Since: 0.1
 */
AIO_API aio_iterator *aio_http_response_iter_lines(aio_http_response *response);
/** @} */

AIO_END_DECLS

#endif
