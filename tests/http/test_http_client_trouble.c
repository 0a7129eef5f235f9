/* SPDX-License-Identifier: MIT */
/*
 * test_http_client_trouble.c - servers that fail, and tasks that give up
 */
#include "http/client/client.h"
#include "http/client_room.h"
#include "support/cancelling.h"

#include <aio/aio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* --- servers that break off ----------------------------------------------------------------- */

/* What asking for a path and reading it gives. */
static int outcome(aio_http_session *session, const char *path,
                   const aio_http_request_options *options)
{
    AIO_AUTO(aio_http_response) response = NULL;
    int err = aio_http_get(session, at(path), options, &response);

    return err < 0 ? err : aio_http_response_read(response, NULL);
}

static int still_works(aio_http_session *session)
{
    CHECK_CODE(outcome(session, "/small", NULL), 0);
    return 0;
}

static int broken(void *arg, void **ret_result)
{
    static const struct {
        const char *path;
        int code;
    } cases[] = {
        {"/cut", AIO_HTTP_EPAYLOAD},      {"/cut-chunk", AIO_HTTP_EPAYLOAD},
        {"/garbage", AIO_HTTP_EPROTOCOL}, {"/reset", -ECONNRESET},
        {"/headers", AIO_HTTP_ETOOLARGE}, {"/redirect-loop", AIO_HTTP_EREDIRECT},
    };
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK_CODE(outcome(session, cases[i].path, NULL), cases[i].code);
        CHECK(strstr(aio_error_text(cases[i].code), cases[i].path) != NULL);
        TRY(still_works(session));
    }
    return 0;
}

static void each_way_to_break_off_has_a_code_and_the_session_goes_on(void **state)
{
    room_run(broken);
}

static int cut_pieces(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    char data[600];
    size_t total = 0;
    size_t count = 0;
    int err;

    TRY(aio_http_get(session, at("/cut"), NULL, &response));
    while ((err = aio_http_response_read_some(response, data, sizeof(data), &count)) == 0)
        total += count;
    CHECK_CODE(err, AIO_HTTP_EPAYLOAD);
    CHECK(total == 1000);
    CHECK_CODE(aio_http_response_read_some(response, data, sizeof(data), &count),
               AIO_HTTP_EPAYLOAD);
    return 0;
}

static void what_came_before_the_cut_can_be_read(void **state)
{
    room_run(cut_pieces);
}

static int refused(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *none = NULL;

    CHECK_CODE(aio_http_get(session, "http://name:secret@127.0.0.1:1/?token=hidden", NULL, &none),
               -ECONNREFUSED);
    CHECK(strstr(aio_error_text(-ECONNREFUSED), "Cannot connect to host http://127.0.0.1:1 [") !=
          NULL);
    CHECK(strstr(aio_error_text(-ECONNREFUSED), "secret") == NULL);
    CHECK(strstr(aio_error_text(-ECONNREFUSED), "hidden") == NULL);
    return 0;
}

static void a_refused_connection_is_told_without_secrets(void **state)
{
    room_run(refused);
}

static int without_descriptors(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *nothing = NULL;
    struct rlimit former;
    struct rlimit none;
    int err;

    CHECK_CODE(outcome(session, "/small", NULL), 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &former) == 0);
    none = former;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    err = aio_http_get(session, "http://127.0.0.1:1/", NULL, &nothing);
    CHECK(setrlimit(RLIMIT_NOFILE, &former) == 0);
    CHECK_CODE(err, -EMFILE);
    CHECK_TEXT(aio_error_text(err),
               "Cannot connect to host http://127.0.0.1:1 [Too many open files]");
    return still_works(session);
}

static void a_lack_of_descriptors_is_told_as_what_it_is(void **state)
{
    room_run(without_descriptors);
}

static int no_name(void *arg, void **ret_result)
{
    aio_dns_options dns = AIO_DNS_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *none = NULL;

    dns.servers = "127.0.0.1:1"; /* nobody */
    dns.tries = 1;
    dns.timeout = 0.05;
    dns.domains = "";
    TRY(aio_loop_set_dns_options(NULL, &dns));
    CHECK_CODE(aio_http_get(session, "http://nowhere.test/", NULL, &none), AIO_EAI_AGAIN);
    CHECK_CODE(
        aio_http_get(session, url_of("ORIGIN", "/redirect-to?http://nowhere.test/"), NULL, &none),
        AIO_EAI_AGAIN);
    return 0;
}

static void a_name_that_is_not_found_has_its_own_code(void **state)
{
    room_run(no_name);
}

/* A server of few words in the same loop. */
static int on_client(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    unsigned *asked = arg;
    aio_bytes head = {0};

    while (aio_stream_reader_readuntil(reader, "\r\n\r\n", 4, &head) == 0) {
        aio_bytes_free(&head);
        ++*asked;
        TRY(aio_stream_writer_write(writer, reply, sizeof(reply) - 1));
        TRY(aio_stream_writer_drain(writer));
    }
    aio_stream_writer_close(writer);
    return 0;
}

static int port_of(const aio_server *server)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int fd = -1;

    (void)aio_server_sockets(server, &fd, 1);
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return -1;
    return ntohs(address.sin_port);
}

static int stop(aio_server *server)
{
    aio_server_close(server);
    aio_server_abort_clients(server);
    return aio_server_wait_closed(server);
}

static int restart(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *none = NULL;
    unsigned asked = 0;
    char url[60];
    int port = 0;

    for (int i = 0; i < 3; i++) {
        aio_server *server = NULL;

        TRY(aio_start_server(on_client, &asked, "127.0.0.1", port, &server));
        port = port_of(server);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
        for (int j = 0; j < 2; j++) {
            AIO_AUTO(aio_http_response) response = NULL;
            aio_buffer body = {0};

            TRY(aio_http_get(session, url, NULL, &response));
            TRY(aio_http_response_read(response, &body));
            CHECK(body.size == 2 && memcmp(body.data, "ok", 2) == 0);
        }
        TRY(stop(server));
        aio_server_unref(server);
        CHECK_CODE(aio_http_get(session, url, NULL, &none), -ECONNREFUSED);
    }
    CHECK(asked == 6);
    return 0;
}

static void a_server_that_restarts_is_asked_again(void **state)
{
    room_run(restart);
}

/* --- limits ----------------------------------------------------------------------------- */

static int timeouts(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    const char *const paths[] = {"/stall", "/half-stall"};

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        call.read_timeout = 0;
        call.total_timeout = 0.05;
        CHECK_CODE(outcome(session, paths[i], &call), AIO_ETIMEDOUT);
        CHECK(strstr(aio_error_text(AIO_ETIMEDOUT), "total timeout") != NULL);
        call.total_timeout = 0;
        call.read_timeout = 0.05;
        CHECK_CODE(outcome(session, paths[i], &call), AIO_ETIMEDOUT);
        CHECK(strstr(aio_error_text(AIO_ETIMEDOUT), "read timeout") != NULL);
        TRY(still_works(session));
    }
    return 0;
}

static void a_server_that_stalls_runs_out_of_time(void **state)
{
    room_run(timeouts);
}

/* A port that takes no connection, as its queue is full. */
static int full_port(int fds[3], char *url, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fds[0], (struct sockaddr *)&address, length) == 0 && listen(fds[0], 0) == 0);
    CHECK(getsockname(fds[0], (struct sockaddr *)&address, &length) == 0);
    for (int i = 1; i < 3; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (struct sockaddr *)&address, length);
    }
    (void)snprintf(url, size, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    return 0;
}

static int no_connection(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *none = NULL;
    char url[60];
    int fds[3] = {-1, -1, -1};

    TRY(full_port(fds, url, sizeof(url)));
    call.connect_timeout = 0.05;
    CHECK_CODE(aio_http_get(session, url, &call, &none), AIO_ETIMEDOUT);
    CHECK(strstr(aio_error_text(AIO_ETIMEDOUT), "connect timeout") != NULL);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    return 0;
}

static void a_connection_that_does_not_come_runs_out_of_time(void **state)
{
    room_run(no_connection);
}

static int sizes(void *arg, void **ret_result)
{
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);

    call.max_body = 100000;
    CHECK_CODE(outcome(session, "/large", &call), AIO_HTTP_ETOOLARGE);
    CHECK_CODE(outcome(session, "/endless", &call), AIO_HTTP_ETOOLARGE);
    CHECK_CODE(outcome(session, "/bomb", &call), AIO_HTTP_ETOOLARGE);
    call.max_body = 1048575;
    CHECK_CODE(outcome(session, "/large", &call), AIO_HTTP_ETOOLARGE);
    call.max_body = 1048576;
    CHECK_CODE(outcome(session, "/large", &call), 0);
    call.max_body = 1023;
    CHECK_CODE(outcome(session, "/small", &call), AIO_HTTP_ETOOLARGE);
    TRY(still_works(session));
    return 0;
}

static void a_body_over_the_limit_is_not_read(void **state)
{
    room_run(sizes);
}

static size_t peak_memory(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

static int bomb(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;
    size_t before = peak_memory();
    static char data[65536];
    size_t total = 0;
    size_t count = 0;

    TRY(aio_http_get(session, at("/bomb"), NULL, &response));
    do {
        TRY(aio_http_response_read_some(response, data, sizeof(data), &count));
        total += count;
    } while (count > 0);
    CHECK(total == (size_t)128 << 20);
    CHECK(peak_memory() - before < (size_t)32 << 20);
    return 0;
}

static void a_bomb_inflates_no_faster_than_it_is_read(void **state)
{
    room_run(bomb);
}

static int slow_reader(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    char data[1000];
    size_t count = 0;

    options.buffer_size = 10000;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    AIO_AUTO(aio_http_response) response = NULL;
    TRY(aio_http_get(session, at("/endless"), NULL, &response));
    for (int i = 0; i < 1000; i++) {
        TRY(aio_http_response_read_some(response, data, sizeof(data), &count));
        while (!response->paused)
            TRY(aio_sleep(0)); /* the server fills what there is room for */
        CHECK(response->incoming.size < 10000 + 65536 + 1);
    }
    return 0;
}

static void a_slow_reader_stops_the_server(void **state)
{
    room_run(slow_reader);
}

/* --- bodies that are sent ----------------------------------------------------------------- */

/* A stream of its own making. */
struct source {
    aio_iterator base;
    aio_buffer item;
    char data[8192];
    size_t given;
    size_t most; /* pieces; then: */
    int then;    /* a code, or 0: wait for ever */
};

static int next_of_source(aio_iterator *iterator, void **ret_item)
{
    struct source *self = (struct source *)iterator;

    if (self->given == self->most)
        return self->then < 0 ? self->then : aio_sleep(AIO_FOREVER);
    self->given++;
    self->item = (aio_buffer){self->data, sizeof(self->data)};
    *ret_item = &self->item;
    return 0;
}

static const aio_iterator_ops source_ops = {.size = sizeof(source_ops), .next = next_of_source};

static int slow_server(void *arg, void **ret_result)
{
    static struct source source;
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_response *none = NULL;

    source = (struct source){{&source_ops}, .most = SIZE_MAX};
    call.stream = &source.base;
    call.total_timeout = 0.3;
    CHECK_CODE(aio_http_post(session, at("/no-read"), &call, &none), AIO_ETIMEDOUT);
    CHECK(source.given * sizeof(source.data) < (size_t)32 << 20); /* what sockets hold */
    TRY(still_works(session));
    return 0;
}

static void a_slow_server_stops_the_stream(void **state)
{
    room_run(slow_server);
}

static int streams_that_fail(void *arg, void **ret_result)
{
    static struct source source;
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) refused_one = NULL;
    aio_http_response *none = NULL;

    call.stream = &source.base;
    source = (struct source){{&source_ops}, .most = 3, .then = AIO_EKEY};
    CHECK_CODE(aio_http_post(session, at("/echo"), &call, &none), AIO_EKEY);
    source = (struct source){{&source_ops}, .most = 3, .then = 0};
    call.total_timeout = 0.05;
    CHECK_CODE(aio_http_post(session, at("/echo"), &call, &none), AIO_ETIMEDOUT);
    call.total_timeout = 0;
    source = (struct source){{&source_ops}, .most = 3, .then = 0};
    CHECK_CODE(aio_http_post(session, at("/refuse"), &call, &refused_one), 0);
    CHECK(aio_http_response_status_code(refused_one) == 403);
    source = (struct source){{&source_ops}, .most = 3, .then = 0};
    CHECK_CODE(aio_http_post(session, "http://127.0.0.1:1/", &call, &none), -ECONNREFUSED);
    source = (struct source){{&source_ops}, .most = 3, .then = AIO_ESTOP};
    call.stream_size = 100000; /* more than there is */
    call.read_timeout = 0.2;
    CHECK(aio_http_post(session, at("/echo"), &call, &none) < 0);
    TRY(still_works(session));
    return 0;
}

static void a_stream_ends_with_whichever_side_fails(void **state)
{
    room_run(streams_that_fail);
}

/* --- the pool --------------------------------------------------------------------------- */

struct job {
    aio_http_session *session;
    const char *path;
};

static int ask(void *arg, void **ret_result)
{
    const struct job *job = arg;

    return outcome(job->session, job->path, NULL);
}

static int ask_at_once(aio_http_session *session, const char *path, size_t count)
{
    struct job job = {session, path};
    aio_task *tasks[64] = {NULL};
    int err = 0;

    for (size_t i = 0; i < count; i++)
        tasks[i] = aio_create_task_copy(ask, &job, sizeof(job));
    for (size_t i = 0; i < count; i++) {
        int one = aio_await(tasks[i], NULL);

        err = err < 0 ? err : one;
        aio_future_unref(tasks[i]);
    }
    return err;
}

static int connections(aio_http_session *session, size_t *ret_open, uint64_t *ret_opened)
{
    aio_http_session_stats stats = {.size = sizeof(stats)};

    TRY(aio_http_session_get_stats(session, &stats));
    CHECK(stats.active == 0);
    *ret_open = stats.connections;
    *ret_opened = stats.opened;
    return 0;
}

static int pools(void *arg, void **ret_result)
{
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    size_t open = 0;
    uint64_t opened = 0;

    AIO_AUTO(aio_http_session) plain = aio_http_session_new(NULL);
    for (int i = 0; i < 5; i++)
        CHECK_CODE(outcome(plain, "/small", NULL), 0);
    TRY(connections(plain, &open, &opened));
    CHECK(open == 1 && opened == 1);

    options.limit = 2;
    AIO_AUTO(aio_http_session) narrow = aio_http_session_new(&options);
    CHECK_CODE(ask_at_once(narrow, "/small", 20), 0);
    TRY(connections(narrow, &open, &opened));
    CHECK(open == 2 && opened == 2);

    options.limit = AIO_HTTP_UNLIMITED;
    options.limit_per_host = 3;
    AIO_AUTO(aio_http_session) per_host = aio_http_session_new(&options);
    CHECK_CODE(ask_at_once(per_host, "/small", 20), 0);
    TRY(connections(per_host, &open, &opened));
    CHECK(open == 3 && opened == 3);

    options.limit_per_host = 0;
    options.force_close = true;
    AIO_AUTO(aio_http_session) once = aio_http_session_new(&options);
    CHECK_CODE(ask_at_once(once, "/small", 20), 0);
    TRY(connections(once, &open, &opened));
    CHECK(open == 0 && opened == 20);
    return 0;
}

static void connections_are_kept_within_their_limits(void **state)
{
    room_run(pools);
}

static int after_restart(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);

    /* Each of these ends the connection, the server being gone after it. */
    for (int i = 0; i < 5; i++) {
        CHECK_CODE(outcome(session, "/no-length", NULL), 0);
        TRY(still_works(session));
    }
    return 0;
}

static void a_connection_that_the_server_has_closed_is_replaced(void **state)
{
    room_run(after_restart);
}

/* --- giving up -------------------------------------------------------------------------- */

static int ask_with_all(void *arg, void **ret_result)
{
    static struct source source;
    aio_http_session *session = arg;
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    AIO_AUTO(aio_http_response) response = NULL;
    AIO_AUTO(aio_http_response) pieces = NULL;
    char url[100];
    char data[3000];
    size_t count = 1;

    source = (struct source){{&source_ops}, .most = 20, .then = AIO_ESTOP};
    call.stream = &source.base;
    (void)snprintf(url, sizeof(url), "http://localhost%s/redirect-to?/echo",
                   strrchr(service_info("ORIGIN"), ':'));
    call.no_redirects = true;
    TRY(aio_http_post(session, url, &call, &response));
    TRY(aio_http_response_read(response, NULL));
    TRY(aio_http_get(session, at("/redirect-to?/large"), NULL, &pieces));
    while (count > 0)
        TRY(aio_http_response_read_some(pieces, data, sizeof(data), &count));
    return 0;
}

static int cancel_everywhere(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    aio_http_session_stats stats = {.size = sizeof(stats)};
    unsigned points = 0;

    TRY(cancel_at_each_point(ask_with_all, session, &points));
    TRY(aio_sleep(0));
    TRY(aio_http_session_get_stats(session, &stats));
    CHECK(stats.active == 0);
    CHECK(points > 5);
    return still_works(session);
}

static void cancelling_at_any_point_leaves_nothing(void **state)
{
    room_run(cancel_everywhere);
}

static int close_under_way(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) half = NULL;
    AIO_AUTO(aio_http_response) read = NULL;
    struct job job = {session, "/stall"};
    AIO_AUTO(aio_task) task = aio_create_task(ask, &job);
    aio_buffer body = {0};

    TRY(aio_http_get(session, at("/half-stall"), NULL, &half));
    TRY(aio_http_get(session, at("/small"), NULL, &read));
    TRY(aio_http_response_read(read, NULL));
    TRY(room_turn());
    aio_http_session_close(session);
    CHECK_CODE(aio_await(task, NULL), AIO_ECLOSED);
    CHECK_CODE(aio_http_response_read(half, NULL), AIO_ECLOSED);
    CHECK_CODE(aio_http_response_read(read, &body), 0);
    CHECK(body.size == 1024);
    return 0;
}

static void closing_a_session_ends_what_is_under_way(void **state)
{
    room_run(close_under_way);
}

static int drop_everything(void *arg, void **ret_result)
{
    aio_http_session *session = aio_http_session_new(NULL);
    aio_http_response *half = NULL;
    aio_http_response *endless = NULL;
    int err = aio_http_get(session, at("/half-stall"), NULL, &half);

    if (err == 0)
        err = aio_http_get(session, at("/endless"), NULL, &endless);
    aio_http_session_unref(session);
    aio_http_response_unref(half);
    aio_http_response_unref(endless);
    return err; /* and the loop goes no further */
}

static void what_is_dropped_last_of_all_leaves_nothing(void **state)
{
    room_run(drop_everything);
}

static int read_it(void *arg, void **ret_result)
{
    return aio_http_response_read(arg, NULL);
}

static int two_readers(void *arg, void **ret_result)
{
    AIO_AUTO(aio_http_session) session = aio_http_session_new(NULL);
    AIO_AUTO(aio_http_response) response = NULL;

    TRY(aio_http_get(session, at("/half-stall"), NULL, &response));
    AIO_AUTO(aio_task) first = aio_create_task(read_it, response);
    AIO_AUTO(aio_task) second = aio_create_task(read_it, response);
    CHECK_CODE(aio_await(second, NULL), AIO_ERUNTIME);
    CHECK(!aio_future_done(first) && aio_task_cancel(first, NULL));
    CHECK_CODE(aio_await(first, NULL), AIO_ECANCELLED);
    return 0;
}

static void two_tasks_do_not_read_one_body(void **state)
{
    room_run(two_readers);
}

/* --- shortage of memory --------------------------------------------------------------------- */

static int starved(void *arg, void **ret_result)
{
    static const aio_http_field fields[] = {{"a", "b c"}};
    static struct source source;
    aio_http_session_options options = AIO_HTTP_SESSION_OPTIONS_INIT;
    aio_http_request_options call = AIO_HTTP_REQUEST_OPTIONS_INIT;
    const char *text;
    size_t count;
    char data[10];

    options.base_url = at("/");
    options.headers = fields;
    options.header_count = 1;
    options.user = "user";
    options.password = "password";
    AIO_AUTO(aio_http_session) session = aio_http_session_new(&options);
    AIO_AUTO(aio_http_form) form = aio_http_form_new();
    AIO_AUTO(aio_http_response) page = NULL;
    AIO_AUTO(aio_http_response) packed = NULL;
    AIO_AUTO(aio_http_response) sent = NULL;
    AIO_AUTO(aio_http_response) parts = NULL;
    call.params = fields;
    call.param_count = 1;
    call.cookies = fields;
    call.cookie_count = 0;
    TRY(aio_http_get(session, "/redirect-to?/www.pythonav.com", &call, &page));
    TRY(aio_http_response_text(page, &text));
    TRY(aio_http_get(session, "/gzip", NULL, &packed));
    TRY(aio_http_response_read_some(packed, data, sizeof(data), &count));
    source = (struct source){{&source_ops}, .most = 2, .then = AIO_ESTOP};
    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.stream = &source.base;
    TRY(aio_http_post(session, "/echo", &call, &sent));
    TRY(aio_http_form_add(form, "name", "value"));
    call = (aio_http_request_options)AIO_HTTP_REQUEST_OPTIONS_INIT;
    call.multipart = form;
    TRY(aio_http_post(session, "/echo", &call, &parts));
    TRY(aio_http_response_read(parts, NULL));
    return 0;
}

static void every_shortage_of_memory_is_survived(void **state)
{
    room_run_starved(starved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_break_off_has_a_code_and_the_session_goes_on),
        cmocka_unit_test(what_came_before_the_cut_can_be_read),
        cmocka_unit_test(a_refused_connection_is_told_without_secrets),
        cmocka_unit_test(a_lack_of_descriptors_is_told_as_what_it_is),
        cmocka_unit_test(a_name_that_is_not_found_has_its_own_code),
        cmocka_unit_test(a_server_that_restarts_is_asked_again),
        cmocka_unit_test(a_server_that_stalls_runs_out_of_time),
        cmocka_unit_test(a_connection_that_does_not_come_runs_out_of_time),
        cmocka_unit_test(a_body_over_the_limit_is_not_read),
        cmocka_unit_test(a_bomb_inflates_no_faster_than_it_is_read),
        cmocka_unit_test(a_slow_reader_stops_the_server),
        cmocka_unit_test(a_slow_server_stops_the_stream),
        cmocka_unit_test(a_stream_ends_with_whichever_side_fails),
        cmocka_unit_test(connections_are_kept_within_their_limits),
        cmocka_unit_test(a_connection_that_the_server_has_closed_is_replaced),
        cmocka_unit_test(cancelling_at_any_point_leaves_nothing),
        cmocka_unit_test(closing_a_session_ends_what_is_under_way),
        cmocka_unit_test(what_is_dropped_last_of_all_leaves_nothing),
        cmocka_unit_test(two_tasks_do_not_read_one_body),
        cmocka_unit_test(every_shortage_of_memory_is_survived),
    };
    int status = services_start("origin");

    return status != 0 ? status : RUN_TESTS(tests, NULL, NULL);
}
