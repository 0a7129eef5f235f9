/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c - what peers do to a server that it must survive without growing
 *
 * A server and its peers, which are plain sockets, in one loop: a server of streams by TCP, one by a
 * unix socket, and one of protocols. Those of TLS are test_hostile_tls.c's.
 */
#include "base/compiler.h"
#include "fiber/sanitize.h"
#include "support/room.h"
#include "support/weigh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, FLOOD = 1000 };

/* --- servers and peers ----------------------------------------------------------------- */

/* Of which kind the server of a test is: its setup says. */
static enum kind { STREAMS, STREAMS_BY_PATH, PROTOCOLS } kind;

static int set_up_streams(void **state)
{
    kind = STREAMS;
    return weigh_allocations(state);
}

static int set_up_streams_by_path(void **state)
{
    kind = STREAMS_BY_PATH;
    return weigh_allocations(state);
}

static int set_up_protocols(void **state)
{
    kind = PROTOCOLS;
    return weigh_allocations(state);
}

/* How a client was served. */
struct visit {
    aio_event *over;
    unsigned served;
    int code;                    /* what the last one ended with */
    uint64_t bytes;              /* that came from all */
    const aio_protocol_ops *ops; /* of protocols */
};

/* Send back what comes. */
static int echo(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    static char data[CHUNK];
    struct visit *visit = arg;
    size_t size = 1;
    int err = 0;

    while (err == 0 && size > 0) {
        err = aio_stream_reader_read_into(reader, data, sizeof(data), &size);
        visit->bytes += err == 0 ? size : 0;
        if (err == 0)
            err = aio_stream_writer_write(writer, data, size);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
    }
    aio_stream_writer_close(writer);
    visit->code = err;
    visit->served++;
    aio_event_set(visit->over);
    return err == AIO_ECANCELLED ? err : 0;
}

/* Read everything and say nothing. */
static int swallow(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    static char data[CHUNK];
    struct visit *visit = arg;
    size_t size = 1;
    int err = 0;

    while (err == 0 && size > 0) {
        err = aio_stream_reader_read_into(reader, data, sizeof(data), &size);
        visit->bytes += err == 0 ? size : 0;
    }
    aio_stream_writer_close(writer);
    visit->code = err;
    visit->served++;
    aio_event_set(visit->over);
    return err == AIO_ECANCELLED ? err : 0;
}

/* Count lines. */
static int read_lines(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct visit *visit = arg;
    aio_bytes line = {NULL, 0};
    int err;

    while ((err = aio_stream_reader_readline(reader, &line)) == 0 && line.size > 0) {
        visit->bytes += line.size;
        aio_bytes_free(&line);
    }
    aio_stream_writer_close(writer);
    visit->code = err;
    visit->served++;
    aio_event_set(visit->over);
    return 0;
}

/* Never read. */
static int ignore(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct visit *visit = arg;
    int err = aio_event_wait(visit->over);

    aio_stream_writer_close(writer);
    return err;
}

/* --- the same by protocols ------------------------------------------------------------- */

struct host {
    aio_protocol base;
    aio_transport *transport; /* borrowed: it lives as long as the connection */
    struct visit *visit;
};

static struct host *host_of(aio_protocol *base)
{
    return (struct host *)base;
}

static int host_made(aio_protocol *base, aio_transport *transport)
{
    host_of(base)->transport = transport;
    return 0;
}

static int host_made_idle(aio_protocol *base, aio_transport *transport)
{
    return aio_transport_pause_reading(transport);
}

static int host_lost(aio_protocol *base, aio_exception *error)
{
    struct visit *visit = host_of(base)->visit;

    visit->code = error == NULL ? 0 : aio_exception_code(error);
    visit->served++;
    aio_event_set(visit->over);
    return 0;
}

static void host_release(aio_protocol *base)
{
    aio_free(host_of(base));
}

static int host_echo(aio_protocol *base, const void *data, size_t size)
{
    host_of(base)->visit->bytes += size;
    return aio_transport_write(host_of(base)->transport, data, size);
}

static int host_swallow(aio_protocol *base, const void *data, size_t size)
{
    host_of(base)->visit->bytes += size;
    return 0;
}

/* A peer that does not read is not read from. */
static int host_pause(aio_protocol *base)
{
    return aio_transport_pause_reading(host_of(base)->transport);
}

static int host_resume(aio_protocol *base)
{
    return aio_transport_resume_reading(host_of(base)->transport);
}

#define HOST(made, received)                                                                       \
    {                                                                                              \
        .size = sizeof(aio_protocol_ops), .connection_made = (made), .connection_lost = host_lost, \
        .pause_writing = host_pause, .resume_writing = host_resume, .release = host_release,       \
        .data_received = (received)                                                                \
    }
static const aio_protocol_ops echo_ops = HOST(host_made, host_echo);
static const aio_protocol_ops swallow_ops = HOST(host_made, host_swallow);
static const aio_protocol_ops ignore_ops = HOST(host_made_idle, host_swallow);

static aio_protocol *make_host(void *arg)
{
    struct visit *visit = arg;
    struct host *host = aio_calloc(1, sizeof(*host));

    if (host == NULL)
        return NULL;
    host->base.ops = visit->ops;
    host->visit = visit;
    return &host->base;
}

/* --- scenes ---------------------------------------------------------------------------- */

struct scene {
    struct visit visit;
    aio_server *server;
    union {
        struct sockaddr any;
        struct sockaddr_in by_port;
        struct sockaddr_un by_path;
    } name;
    socklen_t name_size;
};

/* What serves its clients, as a coroutine, and as a protocol. */
struct service {
    aio_client_connected_fn client;
    const aio_protocol_ops *ops;
};

static const struct service echoes = {echo, &echo_ops};
static const struct service swallows = {swallow, &swallow_ops};
static const struct service ignores = {ignore, &ignore_ops};
static const struct service counts_lines = {read_lines, NULL};

static int open_server(struct scene *scene, const struct service *service)
{
    aio_server_options by_port = AIO_SERVER_OPTIONS_INIT;
    aio_unix_server_options by_path = AIO_UNIX_SERVER_OPTIONS_INIT;
    char path[64];

    scene->visit.ops = service->ops;
    by_port.host = "127.0.0.1";
    by_port.port = 0;
    by_path.path = path;
    by_path.path_size =
        (size_t)snprintf(path, sizeof(path), "%caioc test of hostile peers %d", 0, (int)getpid());
    if (kind == STREAMS)
        return aio_start_server_with(service->client, &scene->visit, &by_port, 0, &scene->server);
    if (kind == STREAMS_BY_PATH)
        return aio_start_unix_server_with(service->client, &scene->visit, &by_path, 0,
                                          &scene->server);
    return aio_loop_create_server(NULL, make_host, &scene->visit, &by_port, &scene->server);
}

static int open_scene(struct scene *scene, const struct service *service)
{
    int sock;

    *scene = (struct scene){.visit.over = aio_event_new(), .name_size = sizeof(scene->name)};
    TRY(open_server(scene, service));
    (void)aio_server_sockets(scene->server, &sock, 1);
    CHECK(getsockname(sock, &scene->name.any, &scene->name_size) == 0);
    return 0;
}

static int close_scene(struct scene *scene)
{
    aio_server_close(scene->server);
    TRY(aio_server_wait_closed(scene->server));
    aio_server_unref(scene->server);
    aio_event_unref(scene->visit.over);
    return 0;
}

/* A connected peer. */
static int dial(struct scene *scene, int *ret_fd)
{
    const aio_sockname to = {&scene->name.any, scene->name_size};

    *ret_fd = socket(scene->name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return aio_loop_sock_connect(NULL, *ret_fd, &to);
}

/* --- what peers do --------------------------------------------------------------------- */

static int peer_resets(void *arg, void **ret_result)
{
    struct scene scene;
    char data[2];
    size_t size;
    int fd;

    TRY(open_scene(&scene, &echoes));
    TRY(dial(&scene, &fd));
    TRY(aio_loop_sock_sendall(NULL, fd, "abc", 3));
    TRY(aio_loop_sock_recv(NULL, fd, data, 2, &size)); /* what is left makes it one of unix, too */
    room_reset(fd);
    TRY(aio_event_wait(scene.visit.over));
    CHECK(scene.visit.code == -ECONNRESET);
    return close_scene(&scene);
}

static void peer_that_resets_is_an_error_of_its_connection(void **state)
{
    room_run(peer_resets);
}

static int peer_half_closes(void *arg, void **ret_result)
{
    struct scene scene;
    char data[16];
    size_t size;
    int fd;

    TRY(open_scene(&scene, &echoes));
    TRY(dial(&scene, &fd));
    TRY(aio_loop_sock_sendall(NULL, fd, "abc", 3));
    CHECK(shutdown(fd, SHUT_WR) == 0);
    TRY(aio_loop_sock_recv(NULL, fd, data, sizeof(data), &size));
    CHECK(size == 3);
    TRY(aio_loop_sock_recv(NULL, fd, data, sizeof(data), &size));
    CHECK(size == 0);
    close(fd);
    CHECK(scene.visit.code == 0);
    return close_scene(&scene);
}

static void peer_that_half_closes_gets_its_answer(void **state)
{
    room_run(peer_half_closes);
}

static int wait_for_peer(void *arg, void **ret_result)
{
    struct scene *scene = arg;

    return aio_event_wait(scene->visit.over);
}

static int peer_stalls(void *arg, void **ret_result)
{
    struct scene scene;
    AIO_AUTO(aio_task) task = NULL;
    char data[3];
    size_t size;
    int stalling;
    int fd;

    TRY(open_scene(&scene, &echoes));
    TRY(dial(&scene, &stalling));
    TRY(dial(&scene, &fd));
    TRY(aio_loop_sock_sendall(NULL, fd, "abc", 3));
    TRY(aio_loop_sock_recv(NULL, fd, data, 3, &size)); /* the others are served */
    close(fd);
    TRY(aio_event_wait(scene.visit.over));
    aio_event_clear(scene.visit.over);
    task = aio_create_task(wait_for_peer, &scene);
    CHECK_CODE(aio_wait_for(task, 0.01, NULL), AIO_ETIMEDOUT);
    aio_server_close(scene.server);
    aio_server_abort_clients(scene.server); /* who stalls for ever can be thrown out */
    TRY(aio_event_wait(scene.visit.over));
    close(stalling);
    return close_scene(&scene);
}

static void peer_that_stalls_keeps_nobody_and_can_be_thrown_out(void **state)
{
    room_run(peer_stalls);
}

static int peer_dribbles(void *arg, void **ret_result)
{
    static const char text[] = "one line, a byte at a time\n";
    struct scene scene;
    int fd;

    TRY(open_scene(&scene, &counts_lines));
    TRY(dial(&scene, &fd));
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        TRY(aio_loop_sock_sendall(NULL, fd, text + i, 1));
        TRY(room_turn());
    }
    close(fd);
    TRY(aio_event_wait(scene.visit.over));
    CHECK(scene.visit.code == 0 && scene.visit.bytes == sizeof(text) - 1);
    return close_scene(&scene);
}

static void peer_that_sends_a_byte_at_a_time_is_understood(void **state)
{
    room_run(peer_dribbles);
}

/* Send until the other side takes no more for a while: how much it took. */
static int push(int fd, uint64_t at_most, uint64_t *ret_sent)
{
    static const char data[CHUNK];
    unsigned idle = 0;

    *ret_sent = 0;
    while (*ret_sent < at_most && idle < 50) {
        uint64_t left = at_most - *ret_sent;
        ssize_t done = send(fd, data, left < CHUNK ? (size_t)left : CHUNK, MSG_NOSIGNAL);

        CHECK(done > 0 || errno == EAGAIN);
        idle = done > 0 ? 0 : idle + 1;
        *ret_sent += done > 0 ? (uint64_t)done : 0;
        TRY(aio_sleep(0));
    }
    return 0;
}

/* A quarter of it where a sanitizer watches: each byte costs several times as much there. */
static const uint64_t gigabyte = (UINT64_C(1) << 30) / (AIO__ASAN || AIO__TSAN ? 4 : 1);

static int peer_never_reads(void *arg, void **ret_result)
{
    struct scene scene;
    size_t before;
    uint64_t sent;
    int fd;

    TRY(open_scene(&scene, &echoes));
    TRY(dial(&scene, &fd));
    before = weigh_again();
    TRY(push(fd, gigabyte, &sent));
    CHECK(sent < gigabyte);                    /* it was made to wait */
    CHECK(weight_peak() - before < 4 * CHUNK); /* and what it sent is not all kept */
    room_reset(fd);
    TRY(aio_event_wait(scene.visit.over));
    return close_scene(&scene);
}

static void peer_that_never_reads_is_made_to_wait(void **state)
{
    room_run(peer_never_reads);
}

static int nobody_reads(void *arg, void **ret_result)
{
    struct scene scene;
    size_t before;
    uint64_t sent;
    int fd;

    TRY(open_scene(&scene, &ignores));
    TRY(dial(&scene, &fd));
    before = weigh_again();
    TRY(push(fd, gigabyte, &sent));
    CHECK(sent < gigabyte);
    CHECK(weight_peak() - before < 3 * CHUNK);
    aio_event_set(scene.visit.over);
    room_reset(fd);
    aio_server_abort_clients(scene.server); /* who reads nothing does not see that the peer left */
    return close_scene(&scene);
}

static void peer_that_nobody_reads_is_made_to_wait(void **state)
{
    room_run(nobody_reads);
}

static int peer_sends_a_gigabyte(void *arg, void **ret_result)
{
    struct scene scene;
    size_t before;
    uint64_t sent = 0;
    int fd;

    TRY(open_scene(&scene, &swallows));
    TRY(dial(&scene, &fd));
    before = weigh_again();
    while (sent < gigabyte) {
        uint64_t more;

        TRY(push(fd, gigabyte - sent, &more));
        sent += more;
    }
    close(fd);
    TRY(aio_event_wait(scene.visit.over));
    CHECK(scene.visit.code == 0 && scene.visit.bytes == gigabyte);
    CHECK(weight_peak() - before < 3 * CHUNK);
    return close_scene(&scene);
}

static void peer_that_sends_a_gigabyte_costs_no_more_than_one_that_sends_little(void **state)
{
    room_run(peer_sends_a_gigabyte);
}

static int peer_sends_no_newline(void *arg, void **ret_result)
{
    struct scene scene;
    uint64_t sent;
    size_t before;
    int fd;

    TRY(open_scene(&scene, &counts_lines));
    TRY(dial(&scene, &fd));
    before = weigh_again();
    TRY(push(fd, CHUNK, &sent));
    TRY(aio_event_wait(scene.visit.over));
    CHECK(scene.visit.code == AIO_EVALUE); /* the line is too long */
    CHECK(weight_peak() - before < 4 * CHUNK);
    close(fd);
    return close_scene(&scene);
}

static void peer_that_sends_an_endless_line_is_an_error(void **state)
{
    room_run(peer_sends_no_newline);
}

static int peers_flood(void *arg, void **ret_result)
{
    struct scene scene;
    size_t before;
    char data[3];
    size_t size;
    int fd;

    TRY(open_scene(&scene, &echoes));
    for (int round = 0; round < 2; round++) {
        before = weight();
        for (int i = 0; i < FLOOD; i++) {
            TRY(dial(&scene, &fd));
            room_reset(fd);
        }
        while (scene.visit.served < (unsigned)FLOOD * (unsigned)(round + 1)) {
            aio_event_clear(scene.visit.over);
            TRY(aio_event_wait(scene.visit.over));
        }
        TRY(room_turn());
    }
    CHECK(weight() <= before + CHUNK); /* what the first flood left was used again */
    TRY(dial(&scene, &fd));
    TRY(aio_loop_sock_sendall(NULL, fd, "abc", 3));
    TRY(aio_loop_sock_recv(NULL, fd, data, 3, &size));
    close(fd);
    return close_scene(&scene);
}

static void peers_that_flood_with_connections_leave_nothing(void **state)
{
    room_run(peers_flood);
}

#define TEST(name, kind)                                                                           \
    {                                                                                              \
#name ", by " #kind, name, set_up_##kind, check_weight, NULL                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(peer_that_resets_is_an_error_of_its_connection, streams),
        TEST(peer_that_half_closes_gets_its_answer, streams),
        TEST(peer_that_stalls_keeps_nobody_and_can_be_thrown_out, streams),
        TEST(peer_that_sends_a_byte_at_a_time_is_understood, streams),
        TEST(peer_that_never_reads_is_made_to_wait, streams),
        TEST(peer_that_nobody_reads_is_made_to_wait, streams),
        TEST(peer_that_sends_a_gigabyte_costs_no_more_than_one_that_sends_little, streams),
        TEST(peer_that_sends_an_endless_line_is_an_error, streams),
        TEST(peers_that_flood_with_connections_leave_nothing, streams),
        TEST(peer_that_resets_is_an_error_of_its_connection, streams_by_path),
        TEST(peer_that_half_closes_gets_its_answer, streams_by_path),
        TEST(peer_that_stalls_keeps_nobody_and_can_be_thrown_out, streams_by_path),
        TEST(peer_that_sends_a_byte_at_a_time_is_understood, streams_by_path),
        TEST(peer_that_never_reads_is_made_to_wait, streams_by_path),
        TEST(peer_that_nobody_reads_is_made_to_wait, streams_by_path),
        TEST(peer_that_sends_a_gigabyte_costs_no_more_than_one_that_sends_little, streams_by_path),
        TEST(peer_that_sends_an_endless_line_is_an_error, streams_by_path),
        TEST(peers_that_flood_with_connections_leave_nothing, streams_by_path),
        TEST(peer_that_resets_is_an_error_of_its_connection, protocols),
        TEST(peer_that_half_closes_gets_its_answer, protocols),
        TEST(peer_that_stalls_keeps_nobody_and_can_be_thrown_out, protocols),
        TEST(peer_that_never_reads_is_made_to_wait, protocols),
        TEST(peer_that_nobody_reads_is_made_to_wait, protocols),
        TEST(peer_that_sends_a_gigabyte_costs_no_more_than_one_that_sends_little, protocols),
        TEST(peers_that_flood_with_connections_leave_nothing, protocols),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
