/* SPDX-License-Identifier: MIT */
/*
 * unix_peer.c - HTTP by unix sockets, as one side of unix.py's conversations
 *
 * usage: unix_peer serve PATH WORKERS   an application, which ends with a signal
 *        unix_peer fetch PATH URL...    what the server there says to each, by one session
 *        unix_peer stream PATH          the same of what standard input says, by a plain stream
 */
#include <aio/aio.h>
#include <aio/http_client.h>
#include <aio/web.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hello(aio_http_request *request, void *arg)
{
    return aio_http_respond(request, 200, "text/plain", "hello\n", 6);
}

static int echo(aio_http_request *request, void *arg)
{
    const void *data;
    size_t size;
    int err = aio_http_request_body(request, &data, &size);

    return err < 0 ? err : aio_http_respond(request, 200, "text/plain", data, size);
}

static int serve(const char *path, unsigned workers)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_web_options options = AIO_WEB_OPTIONS_INIT;
    int err = aio_web_get(app, "/", hello, NULL);

    if (err == 0)
        err = aio_web_post(app, "/echo", echo, NULL);
    if (err < 0)
        return EXIT_FAILURE;
    options.http.path = path;
    options.workers = workers;
    return aio_web_run(app, &options);
}

struct task {
    const char *path;
    char **urls; /* up to NULL */
};

static int fetch(void *arg, void **ret_result)
{
    const struct task *task = arg;
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_session_stats stats = AIO_HTTP_SESSION_STATS_INIT;
    AIO_AUTO(aio_http_session) session = NULL;
    int err = 0;

    options.unix_path = task->path;
    session = aio_http_session_new(&options);
    for (char **url = task->urls; err == 0 && *url != NULL; url++) {
        AIO_AUTO(aio_http_response) response = NULL;
        const char *text;

        err = aio_http_get(session, *url, NULL, &response);
        if (err == 0)
            err = aio_http_response_text(response, &text);
        if (err == 0)
            printf("%d %s", aio_http_response_status_code(response), text);
    }
    if (err == 0)
        err = aio_http_session_get_stats(session, &stats);
    if (err == 0)
        printf("connections %d\n", (int)stats.opened);
    return err;
}

static int stream(void *arg, void **ret_result)
{
    const struct task *task = arg;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    static char request[1000];
    size_t size = fread(request, 1, sizeof(request), stdin);
    aio_bytes answer = {NULL, 0};
    int err = aio_open_unix_connection(task->path, &reader, &writer);

    if (err == 0)
        err = aio_stream_writer_write(writer, request, size);
    if (err == 0)
        err = aio_stream_reader_read(reader, -1, &answer);
    if (err == 0)
        (void)fwrite(answer.data, 1, answer.size, stdout);
    aio_bytes_free(&answer);
    return err;
}

int main(int argc, char **argv)
{
    struct task task = {argc > 2 ? argv[2] : "", argv + 3};

    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], (unsigned)atoi(argv[3]));
    if (argc > 3 && strcmp(argv[1], "fetch") == 0)
        return aio_main(fetch, &task);
    if (argc == 3 && strcmp(argv[1], "stream") == 0)
        return aio_main(stream, &task);
    return EXIT_FAILURE;
}
