/* SPDX-License-Identifier: MIT */
/*
 * run.c - an application served from start to end, as uvicorn does it
 *
 * Thread: the loop's.
 */
#include "http/web/web.h"

#include <aio/runner.h>
#include <aio/server.h>
#include <aio/signal.h>
#include <aio/task.h>
#include <aio/workers.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What serving knows; it outlives its signal handlers. */
struct serving {
    aio_web *app;
    aio_web_options options;
    aio_loop *loop;
    aio_http_server *server; /* NULL: not started; not to be used once it has stopped */
    aio_future *stop;        /* finished by a signal */
    aio_task *task;          /* ours, for the second signal */
    aio_task *workers;       /* runs them; NULL: there are none */
    int shared;              /* the socket they all accept from; -1: each has its own */
};

static void say(const struct serving *serving, const char *format, ...) AIO_PRINTF(2, 3);

static void say(const struct serving *serving, const char *format, ...)
{
    char text[500];
    va_list args;

    if (serving->options.quiet)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)fprintf(stderr, "INFO:     %s\n", text); /* in one piece, for workers speak at a time */
}

static int run_hooks(aio_web *app, const struct aio__web_hooks *hooks)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < hooks->count; i++)
        err = hooks->all[i].fn(app, hooks->all[i].arg);
    return err;
}

/* --- signals ---------------------------------------------------------------------------- */

static int on_signal(void *arg)
{
    struct serving *serving = arg;

    if (serving->workers != NULL)
        (void)aio_task_cancel(serving->workers, "a signal");
    else if (aio_future_done(serving->stop))
        (void)aio_task_cancel(serving->task, "a second signal");
    if (!aio_future_done(serving->stop))
        (void)aio_future_set_result(serving->stop, NULL);
    return 0;
}

/* In another thread than the main one there are no signals, and nothing is wrong with that. */
static int take_signals(struct serving *serving)
{
    static const int signals[] = {SIGINT, SIGTERM};

    for (size_t i = 0; i < 2; i++) {
        int err = aio_loop_add_signal_handler(serving->loop, signals[i], on_signal, serving);

        if (err < 0 && err != AIO_ERUNTIME)
            return err;
    }
    return 0;
}

static void leave_signals(struct serving *serving)
{
    (void)aio_loop_remove_signal_handler(serving->loop, SIGINT);
    (void)aio_loop_remove_signal_handler(serving->loop, SIGTERM);
}

/* --- serving ---------------------------------------------------------------------------- */

static void say_where(const struct serving *serving)
{
    const aio_http_server_options *options = &serving->options.http;
    const char *name = serving->options.name == NULL ? "aioc" : serving->options.name;
    struct sockaddr_un address = {.sun_path = ""};
    socklen_t size = sizeof(address);

    if (options->sock >= 0) /* that of a worker, say */
        (void)getsockname(options->sock, (struct sockaddr *)&address, &size);
    if (options->path != NULL)
        say(serving, "%s running on unix socket %s (Press CTRL+C to quit)", name, options->path);
    else if (address.sun_family == AF_UNIX) /* whose path may fill its place to the end */
        say(serving, "%s running on unix socket %.*s (Press CTRL+C to quit)", name,
            (int)sizeof(address.sun_path), address.sun_path);
    else
        say(serving, "%s running on http%s://%s:%d (Press CTRL+C to quit)", name,
            options->tls == NULL ? "" : "s", options->host, aio_http_server_port(serving->server));
}

/* From listening to the last answer. */
static int serve_requests(struct serving *serving)
{
    const aio_http_server_options *options = &serving->options.http;
    int err = aio_http_server_start(aio_web_handle, serving->app, options, &serving->server);
    int stopped;

    if (err < 0)
        return err;
    say_where(serving);
    err = aio_await(serving->stop, NULL);
    say(serving, "Shutting down");
    stopped = aio_http_server_stop(serving->server);
    aio_http_server_unref(serving->server);
    return err < 0 || stopped == AIO_ETIMEDOUT ? err : stopped;
}

static int serve(struct serving *serving)
{
    int err;
    int ended;

    say(serving, "Started server process [%d]", (int)getpid());
    say(serving, "Waiting for application startup.");
    err = run_hooks(serving->app, &serving->app->startup);
    if (err < 0)
        return err;
    say(serving, "Application startup complete.");
    err = serve_requests(serving);
    say(serving, "Waiting for application shutdown.");
    ended = run_hooks(serving->app, &serving->app->shutdown);
    say(serving, "Application shutdown complete.");
    say(serving, "Finished server process [%d]", (int)getpid());
    return err < 0 ? err : ended;
}

/* --- workers ---------------------------------------------------------------------------- */

/* A worker's socket, to be closed: its own, or another descriptor of the one they share. */
static int take_socket(const struct serving *serving, aio_worker *worker)
{
    int sock;

    if (serving->shared < 0) {
        sock = aio_worker_take_socket(worker);
        return sock < 0 ? aio_raise(AIO_ERUNTIME, "the worker has no socket to accept from") : sock;
    }
    sock = fcntl(serving->shared, F_DUPFD_CLOEXEC, 0);
    return sock < 0 ? aio_raise(-errno, "the workers cannot share socket %d: %s", serving->shared,
                                aio_strerror(-errno))
                    : sock;
}

static int work(aio_worker *worker, void *arg)
{
    const struct serving *serving = arg;
    aio_web_options options = serving->options;

    options.workers = 0;
    options.http.path = NULL;
    options.http.sock = take_socket(serving, worker);
    return options.http.sock < 0 ? options.http.sock : aio_web_serve(serving->app, &options);
}

static int run_workers(void *arg, void **ret_result)
{
    struct serving *serving = arg;
    aio_workers_options options = AIO_WORKERS_OPTIONS_INIT;

    options.count = serving->options.workers;
    options.host = serving->options.http.host;
    options.port = serving->shared < 0 ? serving->options.http.port : -1;
    options.keep_sigterm = true; /* we have it */
    return aio_run_workers(work, serving, &options);
}

static aio_protocol *accept_nobody(void *arg)
{
    (void)arg;
    (void)aio_raise(AIO_ERUNTIME, "the workers accept");
    return NULL;
}

/* A path has one socket. It is bound, and its file removed, by a server that does not serve. */
static int share_path(struct serving *serving, aio_server **ret_holder)
{
    aio_unix_server_options options = AIO_UNIX_SERVER_OPTIONS_INIT;
    int err;

    options.path = serving->options.http.path;
    options.start_serving = false;
    err = aio_loop_create_unix_server(NULL, accept_nobody, NULL, &options, ret_holder);
    if (err == 0)
        (void)aio_server_sockets(*ret_holder, &serving->shared, 1);
    return err;
}

/* A signal cancels them, and is the end in order. */
static int serve_by_workers(struct serving *serving)
{
    AIO_AUTO(aio_server) holder = NULL;
    int err = 0;

    serving->shared = serving->options.http.sock;
    if (serving->options.http.path != NULL)
        err = share_path(serving, &holder);
    if (err < 0)
        return err;
    serving->workers = aio_create_task(run_workers, serving);
    err = aio_await(serving->workers, NULL);
    aio_future_unref(serving->workers);
    serving->workers = NULL;
    aio_server_close(holder);
    return err == AIO_ECANCELLED && aio_future_done(serving->stop) ? 0 : err;
}

/* --- from start to end ------------------------------------------------------------------ */

static void set_defaults(aio_web_options *options)
{
    aio_http_server_options *http = &options->http;

    if (http->path == NULL) {
        if (http->host == NULL)
            http->host = "127.0.0.1";
        if (http->port == 0)
            http->port = 8000;
        else if (http->port < 0)
            http->port = 0;
    }
    if (http->access == NULL && !options->quiet)
        http->access = aio_http_access_log;
}

/* The socket is ours unless a server took it. */
static void drop_socket(const struct serving *serving)
{
    if (serving->server == NULL && serving->options.http.sock >= 0)
        close(serving->options.http.sock);
}

int aio_web_serve(aio_web *app, const aio_web_options *options)
{
    struct serving serving = {.app = app, .options = AIO_WEB_OPTIONS_INIT, .shared = -1};
    int err;

    if (options != NULL)
        serving.options = *options;
    if (app == NULL || serving.options.size != sizeof(serving.options))
        return aio_raise(AIO_EVALUE, "no application, or options of another size");
    serving.loop = aio_get_running_loop();
    serving.task = aio_current_task(NULL);
    if (serving.task == NULL)
        return aio_raise(AIO_ENOTASK, "only a task can serve an application");
    err = aio__http_check_place(&serving.options.http);
    if (err < 0)
        return err;
    set_defaults(&serving.options);
    serving.stop = aio_future_new(NULL);
    (void)aio_web_ref(app);
    err = serving.stop == NULL ? AIO_ENOMEM : take_signals(&serving);
    if (err == 0)
        err = serving.options.workers > 0 ? serve_by_workers(&serving) : serve(&serving);
    leave_signals(&serving);
    drop_socket(&serving);
    aio_web_unref(app);
    aio_future_unref(serving.stop);
    return err;
}

/* --- as main() -------------------------------------------------------------------------- */

struct running {
    aio_web *app;
    const aio_web_options *options;
};

static int run(void *arg, void **ret_result)
{
    const struct running *running = arg;

    return aio_web_serve(running->app, running->options);
}

int aio_web_run(aio_web *app, const aio_web_options *options)
{
    struct running running = {app, options};
    aio_runner_options runner_options = AIO_RUNNER_OPTIONS_INIT;
    aio_runner *runner;
    aio_exception *error;
    char text[2000];
    int err;

    runner_options.ignore_sigint = true; /* it is served by our own handler */
    runner = aio_runner_new(&runner_options);
    err = runner == NULL ? AIO_ENOMEM : aio_runner_run(runner, run, &running, NULL, NULL);
    aio_runner_free(runner);
    if (err == 0)
        return EXIT_SUCCESS;
    error = aio_error_catch(err);
    (void)aio_exception_format(error, text, sizeof(text));
    (void)fprintf(stderr, "%s\n", text);
    aio_exception_unref(error);
    return EXIT_FAILURE;
}
