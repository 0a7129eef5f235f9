/* SPDX-License-Identifier: MIT */
/*
 * http_server.c - an HTTP service for load generators: PORT
 *
 * Answers GET / with {"message":"Hello, World!"} by way of the parser, the routes and the JSON writer
 * that every service uses; keep-alive, one thread. Prints READY once it listens.
 *
 * Not measured here: parameters, bodies, TLS, logging.
 */
#include <aio/aio.h>
#include <aio/web.h>
#include <stdlib.h>

static int hello(aio_http_request *request, void *arg)
{
    return aio_web_json(request, 200, "{s:s}", "message", "Hello, World!");
}

static int serve(void *arg, void **ret_result)
{
    aio_http_server_options options = AIO_HTTP_SERVER_OPTIONS_INIT;
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_http_server *server = NULL;
    AIO_AUTO(aio_future) forever = aio_future_new(NULL);
    int err = aio_web_get(app, "/", hello, NULL);

    options.host = "127.0.0.1";
    options.port = atoi(arg);
    options.backlog = 4096;
    options.idle_timeout = AIO_FOREVER;
    if (err == 0)
        err = aio_http_server_start(aio_web_handle, app, &options, &server);
    if (err < 0)
        return err;
    (void)puts("READY");
    (void)fflush(stdout);
    err = aio_await(forever, NULL);
    aio_http_server_unref(server);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: http_server PORT\n");
        return 2;
    }
    return aio_main(serve, argv[1]);
}
