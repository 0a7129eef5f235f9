/* SPDX-License-Identifier: MIT */
/*
 * web.h - routes, parameters and JSON answers: a service as FastAPI's users write it
 *
 * Part of the library aioc-http; <aio/web_model.h> reads and checks JSON bodies.
 *
 *     static int read_item(aio_http_request *request, void *arg)    @app.get('/items/{id}')
 *     {                                                             async def read_item(id: int):
 *         return aio_web_json(request, 200, "{s:I}", "id",              return {'id': id}
 *                             aio_web_path_int(request, "id"));
 *     }
 *
 *     aio_web_get(app, "/items/{id:int}", read_item, NULL);
 *     return aio_web_run(app, &options);                            uvicorn.run(app)
 *
 * Handlers are those of <aio/http_server.h>, and so is all that a request and its answer can do.
 * What a client has done wrong is answered as FastAPI does: {"detail":"Not Found"}, and 422 with a
 * list of {"loc":[...],"msg":"...","type":"..."}.
 *
 * Thread: the loop's for everything here, but for what a blocking handler does with its request.
 */
#ifndef AIO_WEB_H
#define AIO_WEB_H

#include <aio/http_server.h>

AIO_BEGIN_DECLS

struct json_t; /* of <jansson.h> */
typedef struct aio_web aio_web;

/** @name Applications @{ */

/**
 * Make an application without routes.
 *
 * @return Returned: aio_web_unref() it. NULL when memory is short.
 * asyncio: none; fastapi.FastAPI()                               Since: 0.1
 */
AIO_API aio_web *aio_web_new(void);
/** Take another reference; NULL is given back. Thread: any.   Since: 0.1 */
AIO_API aio_web *aio_web_ref(aio_web *app);
/** Drop a reference; NULL is allowed. Thread: any.   Since: 0.1 */
AIO_API void aio_web_unref(aio_web *app);
AIO_DEFINE_AUTO(aio_web)

/** How a handler runs. */
typedef enum aio_web_kind {
    AIO_WEB_COROUTINE, /**< in the request's task, where it may wait: `async def` */
    AIO_WEB_BLOCKING   /**< in a thread of the default executor, where it may block: `def`. The body
                            was read before. It prepares its answer with aio_http_respond() or what
                            is built on that, and is waited for even if the client goes away */
} aio_web_kind;

/**
 * Add a route.
 *
 * A path that no route has, but for a slash at its end, is answered with a redirect, 307, as FastAPI
 * does.
 *
 * @param method  "GET", ...; a route of GET does not answer HEAD, as FastAPI's do not.
 * @param path    Copied: "/items/{id:int}". A parameter is a whole segment: {name} or {name:str} is
 *                any text but "", {name:int} and {name:float} are numbers, whatever else is
 *                sent gets 422, and {name:path} at the end takes all that is left. Where a fixed
 *                segment and a parameter both fit, the fixed one counts.
 * @param arg     Borrowed while the application lives.
 * @return 0, AIO_EVALUE for a path or method that is none, AIO_EKEY if there is such a route,
 *         AIO_ENOMEM.
 * asyncio: none; fastapi.FastAPI.get()                           Since: 0.1
 */
AIO_API int aio_web_route(aio_web *app, const char *method, const char *path, aio_web_kind kind,
                          aio_http_handler_fn handler, void *arg);

/** Coroutines for the usual methods: aio_web_route(). Since: 0.1 */
static inline int aio_web_get(aio_web *app, const char *path, aio_http_handler_fn handler,
                              void *arg)
{
    return aio_web_route(app, "GET", path, AIO_WEB_COROUTINE, handler, arg);
}
/** Likewise. Since: 0.1 */
static inline int aio_web_post(aio_web *app, const char *path, aio_http_handler_fn handler,
                               void *arg)
{
    return aio_web_route(app, "POST", path, AIO_WEB_COROUTINE, handler, arg);
}
/** Likewise. Since: 0.1 */
static inline int aio_web_put(aio_web *app, const char *path, aio_http_handler_fn handler,
                              void *arg)
{
    return aio_web_route(app, "PUT", path, AIO_WEB_COROUTINE, handler, arg);
}
/** Likewise. Since: 0.1 */
static inline int aio_web_patch(aio_web *app, const char *path, aio_http_handler_fn handler,
                                void *arg)
{
    return aio_web_route(app, "PATCH", path, AIO_WEB_COROUTINE, handler, arg);
}
/** Likewise. Since: 0.1 */
static inline int aio_web_delete(aio_web *app, const char *path, aio_http_handler_fn handler,
                                 void *arg)
{
    return aio_web_route(app, "DELETE", path, AIO_WEB_COROUTINE, handler, arg);
}

/**
 * Add the routes of another application, as they are now, behind a prefix, and what it does at start and
 * end. Its middleware is not added. The other is kept; a circle of them is never freed.
 *
 * @param prefix  "/users", which may have parameters of its own; "": none.
 * @return 0, AIO_EVALUE, AIO_EKEY if there is such a route, AIO_ENOMEM: part of it may be added then.
 * asyncio: none; fastapi.FastAPI.include_router()                Since: 0.1
 */
AIO_API int aio_web_include(aio_web *app, const char *prefix, aio_web *other);

/**
 * Serve the files of a folder and those below it, by aio_web_file(), for GET and HEAD. A path that ends
 * in a slash is its index.html. What is outside of it is not found, links that lead there as well.
 *
 * @param prefix  Where, "/static": a path as of aio_web_route(). "": at the top, where all other
 *                routes go before it.
 * @param folder  Copied; has to be there now.
 * @return 0, -ENOENT, -ENOTDIR, ..., and what aio_web_route() gives.
 * asyncio: none; fastapi.staticfiles.StaticFiles(html=True)      Since: 0.1
 */
AIO_API int aio_web_static(aio_web *app, const char *prefix, const char *folder);

/** What is left to do for a request; valid during the middleware's call. */
typedef struct aio_web_next aio_web_next;

/**
 * Stands between the server and the handlers: it may answer by itself, or go on with
 * aio_web_call_next() and look at the answer that is prepared then. Returns like a handler.
 */
typedef int (*aio_web_middleware_fn)(aio_http_request *request, aio_web_next *next, void *arg);

/** Add one; the last added is the first called, as in Starlette. 0, AIO_EVALUE, AIO_ENOMEM.
 *  asyncio: none; fastapi.FastAPI.middleware()   Since: 0.1 */
AIO_API int aio_web_add_middleware(aio_web *app, aio_web_middleware_fn middleware, void *arg);
/** Go on. What the rest returned; it may have begun an answer already, if that is streamed.
 *  Suspends: as the rest does.   Since: 0.1 */
AIO_API int aio_web_call_next(aio_http_request *request, aio_web_next *next);

/** Called before the first request or after the last one; a coroutine. */
typedef int (*aio_web_lifespan_fn)(aio_web *app, void *arg);

/** Call a function before the server listens, in the order added. What it fails with ends
 *  aio_web_serve(). 0, AIO_EVALUE, AIO_ENOMEM.
 *  asyncio: none; FastAPI(lifespan=), on_event('startup')   Since: 0.1 */
AIO_API int aio_web_on_startup(aio_web *app, aio_web_lifespan_fn fn, void *arg);
/** Call a function when the last request is answered. 0, AIO_EVALUE, AIO_ENOMEM.
 *  asyncio: none; on_event('shutdown')   Since: 0.1 */
AIO_API int aio_web_on_shutdown(aio_web *app, aio_web_lifespan_fn fn, void *arg);

/** An application as the handler of a server: @p app is an aio_web. For aio_http_server_start().
 *  Suspends: as the routes' handlers do.   Since: 0.1 */
AIO_API int aio_web_handle(aio_http_request *request, void *app);
/** @} */

/** @name Running @{ */

/** How an application is served. */
typedef struct aio_web_options {
    size_t size;                  /**< sizeof(aio_web_options) */
    aio_http_server_options http; /**< the server's; without a path, host defaults to 127.0.0.1,
                                       port to 8000, and -1 is any that is free */
    const char *name;             /**< what says in the log that it runs; default "aioc" */
    bool quiet;                   /**< nothing is logged: neither requests nor start and end */
    unsigned workers;             /**< loops, each in a thread of its own, that share the port
                                       or path; what is done at start and end is done in each.
                                       0: the caller's loop alone */
} aio_web_options;

/** The defaults. */
#define AIO_WEB_OPTIONS_INIT                                                                       \
    AIO_SIZED_WITH(aio_web_options, AIO_SET(http, AIO_HTTP_SERVER_OPTIONS_INIT))

/**
 * Serve until the task is cancelled, or SIGINT or SIGTERM arrives: what is to be done at the start,
 * the server, its orderly end, what is to be done then. A second signal does not wait for requests.
 * Logs as uvicorn does, start and end on standard error, requests on standard output, unless the
 * options say whom to tell of requests.
 *
 * @param options  Borrowed; NULL: the defaults. A sock is taken, even if the start fails; workers share
 *                 it.
 * @return 0 after a signal; AIO_ECANCELLED; what the start failed with; AIO_EVALUE (a path beside
 *         host, port or sock, too) and AIO_ENOTASK for a wrong call, which takes nothing.
 * Suspends: yes.   Cancellation point: yes.   Thread: the main one, for the signals; in others
 * there are none.   asyncio: none; uvicorn.Server.serve()        Since: 0.1
 */
AIO_API int aio_web_serve(aio_web *app, const aio_web_options *options) AIO_MUST_CHECK;

/**
 * aio_web_serve() as the whole of main(): in a loop of its own.
 *
 * @return EXIT_SUCCESS, or EXIT_FAILURE, having said why on standard error.
 * Suspends: no (it blocks the thread).   asyncio: none; uvicorn.run()   Since: 0.1
 */
AIO_API int aio_web_run(aio_web *app, const aio_web_options *options);
/** @} */

/** @name Parameters
 *  Borrowed from the request. A name that the route does not have: NULL, or 0. @{ */

/** A parameter of the path, decoded.   Since: 0.1 */
AIO_API const char *aio_web_path_text(const aio_http_request *request, const char *name);
/** One that is declared int.   Since: 0.1 */
AIO_API int64_t aio_web_path_int(const aio_http_request *request, const char *name);
/** One that is declared float.   Since: 0.1 */
AIO_API double aio_web_path_float(const aio_http_request *request, const char *name);

/** A value of the query, decoded, the last of several. NULL: it is not there, or memory is short.
 *  Since: 0.1 */
AIO_API const char *aio_web_query(aio_http_request *request, const char *name);
/** A cookie's value; NULL: it is not there.   Since: 0.1 */
AIO_API const char *aio_web_cookie(aio_http_request *request, const char *name);

/**
 * A value of a form in the body, decoded, the last of several: of application/x-www-form-urlencoded, or
 * of multipart/form-data, where files are not among them.
 *
 * @param[out] ret_value  NULL: it is not there, or the body is no such form.
 * @return 0, AIO_ENOMEM, and what aio_http_request_body() gives; AIO_HTTP_EABORT: 400 is prepared, for
 *         a form of several parts that is none, or has more than 1000.
 * Suspends: until the body has come.   Cancellation point: then.
 * asyncio: none; fastapi.Form()                                  Since: 0.1
 */
AIO_API int aio_web_form(aio_http_request *request, const char *name, const char **ret_value);

/** A file of a form. All is as the client says: a filename is not to be used as one. */
typedef struct aio_web_upload {
    const char *name;         /**< of the form's field */
    const char *filename;     /**< "" if none was chosen */
    const char *content_type; /**< "application/octet-stream" if the client does not say */
    const void *data;
    size_t size;
} aio_web_upload;

/**
 * The file of a field, of a form of multipart/form-data in the body; the last of several.
 *
 * @param[out] ret_upload  NULL: it is not there. Else it lives as long as the request.
 * @return As aio_web_form().
 * Suspends, cancellation point: as aio_web_form().
 * asyncio: none; fastapi.UploadFile                              Since: 0.1
 */
AIO_API int aio_web_upload_of(aio_http_request *request, const char *name,
                              const aio_web_upload **ret_upload);
/** All files of the form, in the order they were sent; otherwise as aio_web_upload_of().
 *  asyncio: none; list[fastapi.UploadFile]   Since: 0.1 */
AIO_API int aio_web_uploads(aio_http_request *request, const aio_web_upload **ret_all,
                            size_t *ret_count);
/** @} */

/** @name Answers
 *  Each prepares the answer in place of one prepared before, and gives what aio_http_respond()
 *  gives. Thread: the handler's. @{ */

/**
 * JSON, compact, as UTF-8.
 *
 * @param format  One value: s a string (NULL: null), i an int, I an int64_t, f a double, b an int as
 *                true or false, n null, o a `struct json_t *` of jansson's, borrowed; {s:i,s:s} an
 *                object with each name before its value, [ii] an array. Blanks, ":" and ","
 *                are for the reader.
 * @return Also AIO_EVALUE for a format that is none, text that is not UTF-8, a double that is no
 *         number.
 * asyncio: none; fastapi.responses.JSONResponse()                Since: 0.1
 */
AIO_API int aio_web_json(aio_http_request *request, int status, const char *format, ...);
/** Plain text.   asyncio: none; PlainTextResponse()   Since: 0.1 */
AIO_API int aio_web_text(aio_http_request *request, int status, const char *text);
/** HTML.   asyncio: none; HTMLResponse()   Since: 0.1 */
AIO_API int aio_web_html(aio_http_request *request, int status, const char *text);
/** Send the client elsewhere. @param status  0: 307.   asyncio: none; RedirectResponse()   Since: 0.1 */
AIO_API int aio_web_redirect(aio_http_request *request, int status, const char *url);
/**
 * A file, read in a thread and sent piece by piece, with etag and last-modified: a client that has it
 * gets 304, one that wants parts of it 206, or 416 if it has none of these. Several parts at once are a
 * body of multipart/byteranges, in the order asked for; parts that overlap or touch are one, and more than
 * 32 are answered with the whole. What is no regular file gives 404.
 *
 * @param content_type  NULL: by the name's ending.
 * @return 0, AIO_HTTP_EABORT, and what aio_http_write() gives.
 * Suspends: yes.   Cancellation point: yes.   Thread: the loop's.
 * asyncio: none; FileResponse()                                  Since: 0.1
 */
AIO_API int aio_web_file(aio_http_request *request, const char *path, const char *content_type);

/**
 * Set a cookie: for path "/", SameSite=lax.
 *
 * @param max_age    Seconds; negative: until the browser ends.
 * @param http_only  Scripts do not see it.
 * @return 0, AIO_EVALUE for what no cookie can be, AIO_ENOMEM, AIO_ERUNTIME.
 * asyncio: none; Response.set_cookie()                           Since: 0.1
 */
AIO_API int aio_web_set_cookie(aio_http_request *request, const char *name, const char *value,
                               int max_age, bool http_only);

/**
 * Give up on a request: prepare {"detail":"TEXT"}. `return aio_web_abort(request, 404, "no such
 * item");` reads as Python's raise.
 *
 * @param format  A printf format; NULL: what the status says.
 * @return AIO_HTTP_EABORT, or why it could not be prepared.
 * asyncio: none; fastapi.HTTPException()                         Since: 0.1
 */
AIO_API int aio_web_abort(aio_http_request *request, int status, const char *format, ...)
    AIO_PRINTF(3, 4);
/** @} */

AIO_END_DECLS

#endif
