/* SPDX-License-Identifier: MIT */
/*
 * test_web_run.c - an application served from start to end: where, by how many threads
 */
#include "http/site.h"

#include <aio/web.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: test\r\n\r\n"

static struct answer answer;

static int say_arg(aio_http_request *request, void *arg)
{
    return aio_web_text(request, 200, arg);
}

/* --- from start to end ------------------------------------------------------------------ */

static int note(aio_web *app, void *arg)
{
    struct room *room = arg;

    room->fail_code = room->fail_code * 10 + (room->refuse > 0 ? 2 : 1);
    aio_event_set(room->news);
    return 0;
}

static int fail_to_start(aio_web *app, void *arg)
{
    return aio_raise(AIO_EUSER, "no database");
}

static void note_access(const aio_http_access *access, void *arg)
{
    struct room *room = arg;

    (void)snprintf(room->report, sizeof(room->report), "%s %s HTTP/%s %d %s %d", access->method,
                   access->target, access->version, access->status, access->phrase,
                   (int)access->sent);
}

/* What is served, and where. */
struct serving {
    aio_web *app;
    aio_web_options options;
};

/* "here" at /, quietly. */
static int make_serving(struct serving *serving)
{
    *serving = (struct serving){aio_web_new(), AIO_WEB_OPTIONS_INIT};
    serving->options.quiet = true;
    return aio_web_get(serving->app, "/", say_arg, aio_constant("here"));
}

static int serve(void *arg, void **ret_result)
{
    const struct serving *serving = arg;

    return aio_web_serve(serving->app, &serving->options);
}

static int end_serving(struct serving *serving, aio_task *task)
{
    (void)aio_task_cancel(task, NULL);
    CHECK_CODE(aio_await(task, NULL), AIO_ECANCELLED);
    aio_web_unref(serving->app);
    return 0;
}

/* What an open connection has asked for at /. */
static int hear_here(struct peer *peer)
{
    TRY(peer_hear(peer, &answer));
    CHECK_TEXT(answer.body, "here");
    peer_close(peer);
    return 0;
}

static int ask_here(struct peer *peer)
{
    TRY(peer_say(peer, GET("/")));
    return hear_here(peer);
}

/* A port that was free a moment ago, as the server cannot be asked which one it took. */
static int free_port(void)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_http_server *server = NULL;
    int port;

    TRY(site_start(aio_web_handle, app, NULL, &server));
    port = aio_http_server_port(server);
    TRY(site_stop(server));
    return port;
}

static int live(void *arg, void **ret_result)
{
    struct room *room = arg;
    struct serving serving;
    AIO_AUTO(aio_task) task = NULL;
    struct peer peer = {0};
    int port = free_port();
    int err = -ECONNREFUSED;

    TRY(port);
    TRY(make_serving(&serving));
    TRY(aio_web_on_startup(serving.app, note, room));
    TRY(aio_web_on_startup(serving.app, note, room));
    TRY(aio_web_on_shutdown(serving.app, note, room));
    serving.options.http.port = port;
    serving.options.http.access = note_access;
    serving.options.http.access_arg = room;
    task = aio_create_task(serve, &serving);
    while (err == -ECONNREFUSED) {
        TRY(aio_sleep(0));
        err = aio_open_connection("127.0.0.1", port, &peer.reader, &peer.writer);
    }
    TRY(err);
    CHECK(room->fail_code == 11);
    TRY(peer_say(&peer, GET("/?x")));
    TRY(hear_here(&peer));
    CHECK_TEXT(room->report, "GET /?x HTTP/1.1 200 OK 4");
    room->refuse = 1;
    TRY(end_serving(&serving, task));
    CHECK(room->fail_code == 112);
    return 0;
}

static void a_service_has_a_start_and_an_end(void **state)
{
    room_run(live);
}

static const char *path_of_ours(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-web-%ld", (long)getpid());
    return path;
}

/* Connect to who is about to listen there. */
static int open_at_our_path(struct peer *peer)
{
    int err;

    *peer = (struct peer){0};
    while ((err = aio_open_unix_connection(path_of_ours(), &peer->reader, &peer->writer)) ==
               -ENOENT ||
           err == -ECONNREFUSED)
        TRY(aio_sleep(0));
    return err;
}

static int ask_at_a_path(void *arg, void **ret_result)
{
    struct serving serving;
    AIO_AUTO(aio_task) task = NULL;
    struct peer peer;

    TRY(make_serving(&serving));
    serving.options.http.path = path_of_ours();
    task = aio_create_task(serve, &serving);
    TRY(open_at_our_path(&peer));
    TRY(ask_here(&peer));
    TRY(end_serving(&serving, task));
    CHECK(access(path_of_ours(), F_OK) != 0);
    return 0;
}

static void a_service_listens_at_a_path(void **state)
{
    room_run(ask_at_a_path);
}

static atomic_int starts;
static atomic_int ends;

static int count_start(aio_web *app, void *arg)
{
    (void)atomic_fetch_add(&starts, 1);
    return 0;
}

static int count_end(aio_web *app, void *arg)
{
    (void)atomic_fetch_add(&ends, 1);
    return 0;
}

/* Three threads, each of which counts its start and its end. */
static int make_threads(struct serving *serving)
{
    atomic_store(&starts, 0);
    atomic_store(&ends, 0);
    TRY(make_serving(serving));
    TRY(aio_web_on_startup(serving->app, count_start, NULL));
    TRY(aio_web_on_shutdown(serving->app, count_end, NULL));
    serving->options.workers = 3;
    return 0;
}

static int ask_workers(void *arg, void **ret_result)
{
    struct serving serving;
    AIO_AUTO(aio_task) task = NULL;
    struct peer peers[20];
    int port = free_port();

    TRY(port);
    TRY(make_threads(&serving));
    serving.options.http.port = port;
    task = aio_create_task(serve, &serving);
    while (atomic_load(&starts) < 3)
        TRY(aio_sleep(0));
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        peers[i] = (struct peer){0};
        TRY(aio_open_connection("127.0.0.1", port, &peers[i].reader, &peers[i].writer));
        TRY(peer_say(&peers[i], GET("/")));
    }
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        TRY(hear_here(&peers[i]));
    TRY(end_serving(&serving, task));
    CHECK(atomic_load(&ends) == 3);
    return 0;
}

static void a_service_is_served_by_several_threads(void **state)
{
    room_run(ask_workers);
}

static int ask_workers_at_a_path(void *arg, void **ret_result)
{
    struct serving serving;
    AIO_AUTO(aio_task) task = NULL;
    struct peer peers[20];

    TRY(make_threads(&serving));
    serving.options.http.path = path_of_ours();
    task = aio_create_task(serve, &serving);
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        TRY(open_at_our_path(&peers[i]));
        TRY(peer_say(&peers[i], GET("/")));
    }
    for (size_t i = 0; i < COUNT_OF(peers); i++)
        TRY(hear_here(&peers[i]));
    TRY(end_serving(&serving, task));
    CHECK(atomic_load(&starts) == 3 && atomic_load(&ends) == 3);
    CHECK(access(path_of_ours(), F_OK) != 0);
    return 0;
}

static void a_service_at_a_path_is_served_by_several_threads(void **state)
{
    room_run(ask_workers_at_a_path);
}

static int ask_at_a_socket(void *arg, void **ret_result)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct serving serving;
    AIO_AUTO(aio_task) task = NULL;
    struct peer peer = {0};

    CHECK(bind(sock, (struct sockaddr *)&name, size) == 0);
    CHECK(listen(sock, 10) == 0);
    CHECK(getsockname(sock, (struct sockaddr *)&name, &size) == 0);
    TRY(make_serving(&serving));
    serving.options.workers = 2;
    serving.options.http.sock = sock;
    task = aio_create_task(serve, &serving);
    TRY(aio_open_connection("127.0.0.1", ntohs(name.sin_port), &peer.reader, &peer.writer));
    TRY(ask_here(&peer));
    return end_serving(&serving, task);
}

static void a_socket_that_is_given_is_shared_by_the_threads(void **state)
{
    room_run(ask_at_a_socket);
}

static int start_badly(void *arg, void **ret_result)
{
    struct serving serving;

    TRY(make_serving(&serving));
    TRY(aio_web_on_startup(serving.app, fail_to_start, NULL));
    CHECK_CODE(serve(&serving, NULL), AIO_EUSER);
    aio_web_unref(serving.app);
    return 0;
}

static void a_start_that_fails_is_the_end(void **state)
{
    room_run(start_badly);
}

/* --- where ------------------------------------------------------------------------------ */

static int serve_nowhere(struct room *room, const aio_http_server_options *http, unsigned workers)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_web_options options = AIO_WEB_OPTIONS_INIT;

    options.quiet = true;
    options.workers = workers;
    options.http = *http;
    options.http.path = path_of_ours();
    TRY(aio_web_on_startup(app, note, room));
    CHECK_CODE(aio_web_serve(app, &options), AIO_EVALUE);
    CHECK_TEXT(aio_error_text(AIO_EVALUE),
               "path and host/port/sock can not be specified at the same time");
    CHECK(room->fail_code == 0);
    return 0;
}

static int name_two_places(void *arg, void **ret_result)
{
    struct room *room = arg;
    aio_http_server_options host = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server_options port = AIO_HTTP_SERVER_OPTIONS_INIT;
    aio_http_server_options sock = AIO_HTTP_SERVER_OPTIONS_INIT;

    host.host = "127.0.0.1";
    port.port = 8000;
    sock.sock = room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (unsigned workers = 0; workers <= 2; workers += 2) {
        TRY(serve_nowhere(room, &host, workers));
        TRY(serve_nowhere(room, &port, workers));
        TRY(serve_nowhere(room, &sock, workers));
    }
    CHECK(fcntl(room->fds[0], F_GETFD) >= 0); /* it was not taken */
    return 0;
}

static void a_path_beside_another_place_is_refused(void **state)
{
    room_run(name_two_places);
}

static int share_what_is_not_open(void *arg, void **ret_result)
{
    AIO_AUTO(aio_web) app = aio_web_new();
    aio_web_options options = AIO_WEB_OPTIONS_INIT;

    options.quiet = true;
    options.workers = 2;
    options.http.sock = 1 << 30;
    CHECK_CODE(aio_web_serve(app, &options), -EBADF);
    CHECK_TEXT(aio_error_text(-EBADF),
               "the workers cannot share socket 1073741824: Bad file descriptor");
    return 0;
}

static void a_socket_that_cannot_be_shared_is_told_of(void **state)
{
    room_run(share_what_is_not_open);
}

/* A socket at a path so long that no 0 fits behind it, in a folder of its own. */
static int bind_at_a_full_path(struct sockaddr_un *name)
{
    char folder[] = "/tmp/aioc-test-web-XXXXXX";
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(sock >= 0 && mkdtemp(folder) != NULL);
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    memset(name->sun_path, 'p', sizeof(name->sun_path));
    memcpy(name->sun_path, folder, strlen(folder));
    name->sun_path[strlen(folder)] = '/';
    CHECK(bind(sock, (struct sockaddr *)name, sizeof(*name)) == 0);
    return sock;
}

static void remove_full_path(const struct sockaddr_un *name)
{
    char path[sizeof(name->sun_path) + 1] = "";

    memcpy(path, name->sun_path, sizeof(name->sun_path));
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

/* Serve until a file, which is standard error meanwhile, has a text; all it had then. */
static int hear_service(struct serving *serving, int file, const char *text, char *said,
                        size_t size)
{
    AIO_AUTO(aio_task) task = aio_create_task(serve, serving);

    while (strstr(said, text) == NULL) {
        ssize_t got = pread(file, said, size - 1, 0);

        CHECK(got >= 0 && !aio_future_done(task));
        said[got] = '\0';
        TRY(aio_sleep(0));
    }
    return end_serving(serving, task);
}

static int say_full_path(void *arg, void **ret_result)
{
    struct sockaddr_un name;
    struct serving serving;
    char line[200];
    char said[1000] = "";
    int errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    int file = memfd_create("said", MFD_CLOEXEC);
    int err;

    TRY(make_serving(&serving));
    serving.options.quiet = false;
    serving.options.http.sock = bind_at_a_full_path(&name);
    TRY(serving.options.http.sock);
    CHECK(dup2(file, STDERR_FILENO) == STDERR_FILENO);
    err = hear_service(&serving, file, "running on", said, sizeof(said));
    (void)dup2(errors, STDERR_FILENO);
    close(errors);
    close(file);
    remove_full_path(&name);
    (void)snprintf(line, sizeof(line),
                   "INFO:     aioc running on unix socket %.*s (Press CTRL+C to quit)\n",
                   (int)sizeof(name.sun_path), name.sun_path);
    CHECK(err < 0 || strstr(said, line) != NULL);
    return err;
}

static void a_service_says_a_path_that_fills_its_place(void **state)
{
    room_run(say_full_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_has_a_start_and_an_end),
        cmocka_unit_test(a_service_is_served_by_several_threads),
        cmocka_unit_test(a_service_listens_at_a_path),
        cmocka_unit_test(a_service_at_a_path_is_served_by_several_threads),
        cmocka_unit_test(a_socket_that_is_given_is_shared_by_the_threads),
        cmocka_unit_test(a_start_that_fails_is_the_end),
        cmocka_unit_test(a_path_beside_another_place_is_refused),
        cmocka_unit_test(a_socket_that_cannot_be_shared_is_told_of),
        cmocka_unit_test(a_service_says_a_path_that_fills_its_place),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
