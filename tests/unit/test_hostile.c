/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c - what peers do to a server that it must survive without growing
 *
 * A server of streams and its peers, which are plain sockets, in one loop. An allocator adds up
 * what the library holds.
 */
#include "base/compiler.h"
#include "fiber/sanitize.h"
#include "support/room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, FLOOD = 1000 };

/* --- what the library holds ------------------------------------------------------------ */

struct block {
    _Alignas(16) size_t size;
};

static size_t held;
static size_t peak;

static void *allocate(size_t bytes, void *arg)
{
    struct block *block = malloc(sizeof(*block) + bytes);

    if (block == NULL)
        return NULL;
    block->size = bytes;
    held += bytes;
    if (held > peak)
        peak = held;
    return block + 1;
}

static void release(void *memory, void *arg)
{
    struct block *block = memory == NULL ? NULL : (struct block *)memory - 1;

    held -= block == NULL ? 0 : block->size;
    free(block);
}

static void *reallocate(void *old, size_t bytes, void *arg)
{
    void *memory = allocate(bytes, arg);

    if (memory == NULL || old == NULL)
        return memory;
    memcpy(memory, old,
           bytes < ((struct block *)old - 1)->size ? bytes : ((struct block *)old - 1)->size);
    release(old, arg);
    return memory;
}

static int use_weighing_allocator(void **state)
{
    const aio_allocator weighing = {sizeof(weighing), allocate, reallocate, release, NULL};

    held = 0;
    return aio_set_allocator(&weighing);
}

static int use_own_allocator(void **state)
{
    size_t left = held;

    (void)aio_set_allocator(NULL);
    if (left != 0)
        print_error("%zu bytes were not freed\n", left);
    return left == 0 ? 0 : -1;
}

/* --- servers and peers ----------------------------------------------------------------- */

/* How a client was served. */
struct visit {
    aio_event *over;
    unsigned served;
    int code;       /* what the last one ended with */
    uint64_t bytes; /* that came from all */
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

struct scene {
    struct visit visit;
    aio_server *server;
    struct sockaddr_in name;
};

static int open_scene(struct scene *scene, aio_client_connected_fn client)
{
    socklen_t size = sizeof(scene->name);
    int sock;

    *scene = (struct scene){.visit.over = aio_event_new()};
    TRY(aio_start_server(client, &scene->visit, "127.0.0.1", 0, &scene->server));
    (void)aio_server_sockets(scene->server, &sock, 1);
    CHECK(getsockname(sock, (struct sockaddr *)&scene->name, &size) == 0);
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
static int dial(const struct scene *scene, int *ret_fd)
{
    struct sockaddr_in name = scene->name;
    const aio_sockname to = {(struct sockaddr *)&name, sizeof(name)};

    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return aio_loop_sock_connect(NULL, *ret_fd, &to);
}

/* --- what peers do --------------------------------------------------------------------- */

static int peer_resets(void *arg, void **ret_result)
{
    struct scene scene;
    char data[3];
    size_t size;
    int fd;

    TRY(open_scene(&scene, echo));
    TRY(dial(&scene, &fd));
    TRY(aio_loop_sock_sendall(NULL, fd, "abc", 3));
    TRY(aio_loop_sock_recv(NULL, fd, data, 3, &size));
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

    TRY(open_scene(&scene, echo));
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

    TRY(open_scene(&scene, echo));
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

    TRY(open_scene(&scene, read_lines));
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

static const uint64_t gigabyte = AIO__ASAN || AIO__TSAN ? UINT64_C(64) << 20 : UINT64_C(1) << 30;

static int peer_never_reads(void *arg, void **ret_result)
{
    struct scene scene;
    uint64_t sent;
    int fd;

    TRY(open_scene(&scene, echo));
    TRY(dial(&scene, &fd));
    peak = held;
    TRY(push(fd, gigabyte, &sent));
    CHECK(sent < gigabyte);         /* it was made to wait */
    CHECK(peak - held < 4 * CHUNK); /* and what it sent is not all kept */
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

    TRY(open_scene(&scene, ignore));
    TRY(dial(&scene, &fd));
    before = held;
    peak = held;
    TRY(push(fd, gigabyte, &sent));
    CHECK(sent < gigabyte);
    CHECK(peak - before < 3 * CHUNK);
    aio_event_set(scene.visit.over);
    room_reset(fd);
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

    TRY(open_scene(&scene, swallow));
    TRY(dial(&scene, &fd));
    before = held;
    peak = held;
    while (sent < gigabyte) {
        uint64_t more;

        TRY(push(fd, gigabyte - sent, &more));
        sent += more;
    }
    close(fd);
    TRY(aio_event_wait(scene.visit.over));
    CHECK(scene.visit.code == 0 && scene.visit.bytes == gigabyte);
    CHECK(peak - before < 3 * CHUNK);
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

    TRY(open_scene(&scene, read_lines));
    TRY(dial(&scene, &fd));
    before = held;
    peak = held;
    TRY(push(fd, CHUNK, &sent));
    TRY(aio_event_wait(scene.visit.over));
    CHECK(scene.visit.code == AIO_EVALUE); /* the line is too long */
    CHECK(peak - before < 4 * CHUNK);
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

    TRY(open_scene(&scene, echo));
    for (int round = 0; round < 2; round++) {
        before = held;
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
    CHECK(held <= before + CHUNK); /* what the first flood left was used again */
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, use_weighing_allocator, use_own_allocator)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(peer_that_resets_is_an_error_of_its_connection),
        TEST(peer_that_half_closes_gets_its_answer),
        TEST(peer_that_stalls_keeps_nobody_and_can_be_thrown_out),
        TEST(peer_that_sends_a_byte_at_a_time_is_understood),
        TEST(peer_that_never_reads_is_made_to_wait),
        TEST(peer_that_nobody_reads_is_made_to_wait),
        TEST(peer_that_sends_a_gigabyte_costs_no_more_than_one_that_sends_little),
        TEST(peer_that_sends_an_endless_line_is_an_error),
        TEST(peers_that_flood_with_connections_leave_nothing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
