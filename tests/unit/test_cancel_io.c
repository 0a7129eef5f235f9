/* SPDX-License-Identifier: MIT */
/*
 * test_cancel_io.c - each operation on connections, names and processes, cancelled at every point
 *
 * An operation runs in a task of its own, which is cancelled before its first step, after one
 * iteration of the loop, after two, and so on until it is over before the cancellation comes. Then
 * the same with a timeout that ever more time passes before. Each time a room of its own finds no
 * descriptor and no allocation left, and no handle of libuv's and no child is; what the operation
 * had begun to take is still there for the next one.
 */
#include "support/allocation.h"
#include "support/authority.h"
#include "support/dnsserver.h"
#include "support/room.h"

#include <aio/embed.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { MUCH = 512 * 1024, FULL = 16 * 1024 * 1024, MAX_POINTS = 400 };

struct ground;

struct operation {
    int (*prepare)(struct ground *g); /* in the test's task; may be NULL */
    int (*run)(struct ground *g);     /* what is cancelled; leaves nothing open on success */
    int (*check)(struct ground *g);   /* what must be true after a cancellation; may be NULL */
    unsigned points;                  /* of one that never ends: so many are enough; 0: it does */
    bool keeps_handles;               /* of a resolver, which goes on */
};

/* What an operation works on. */
struct ground {
    struct room *room;
    int port;
    int listener; /* -1: none */
    aio_server *server;
    aio_stream_reader *reader;
    aio_stream_writer *writer;
    aio_transport *transport;
    aio_process *process;
    aio_task *peer; /* of the other end of a connection, if that is a task's */
    int file;       /* -1: none */
};

static char much[MUCH];
static char names[64]; /* where our name server is */

static const struct operation *current;
static unsigned point; /* iterations, or tenths of a millisecond, as long as there are few */
static bool by_timeout;
static bool was_over; /* the operation ended before it could be cancelled */

/* --- grounds --------------------------------------------------------------------------- */

static int listen_anywhere(struct ground *g)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);

    g->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(g->listener, (struct sockaddr *)&name, size) == 0);
    CHECK(listen(g->listener, 5) == 0);
    CHECK(getsockname(g->listener, (struct sockaddr *)&name, &size) == 0);
    g->port = ntohs(name.sin_port);
    return 0;
}

static int open_pair(struct ground *g)
{
    room_socketpair(g->room->fds);
    CHECK(fcntl(g->room->fds[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(fcntl(g->room->fds[1], F_SETFL, O_NONBLOCK) == 0);
    return 0;
}

static int open_datagrams(struct ground *g)
{
    static const char data[16384];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, g->room->fds) == 0);
    while (send(g->room->fds[0], data, sizeof(data), 0) > 0) /* there is no room for another */
        continue;
    return 0;
}

/* A stream over fds[0], and four bytes for it. */
static int open_stream(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    TRY(open_pair(g));
    options.sock = g->room->fds[0];
    TRY(aio_open_connection_with(&options, 0, &g->reader, &g->writer));
    g->room->fds[0] = -1;
    CHECK(send(g->room->fds[1], "abcd", 4, 0) == 4);
    return 0;
}

static int open_server(struct ground *g)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    return aio_loop_create_server(NULL, room_factory, g->room, &options, &g->server);
}

static int open_file(struct ground *g)
{
    TRY(open_pair(g));
    g->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(pwrite(g->file, much, MUCH, 0) == MUCH);
    return 0;
}

static int open_transport_and_file(struct ground *g)
{
    TRY(open_file(g));
    TRY(aio_loop_connect_accepted_socket(NULL, room_factory, g->room, g->room->fds[0],
                                         &g->transport));
    g->room->fds[0] = -1;
    return 0;
}

static int start_cat(struct ground *g)
{
    static const char *const argv[] = {"cat", NULL};
    aio_subprocess_options options = AIO_SUBPROCESS_OPTIONS_INIT;

    options.std_in = AIO_SUBPROCESS_PIPE;
    options.std_out = AIO_SUBPROCESS_PIPE;
    return aio_create_subprocess_exec(argv, &options, &g->process);
}

static int ask_our_server(struct ground *g)
{
    aio_dns_options options = AIO_DNS_OPTIONS_INIT;

    (void)g;
    options.servers = names;
    options.timeout = 5;
    return aio_loop_set_dns_options(NULL, &options);
}

static int clear(struct ground *g)
{
    int err = 0;

    if (g->peer != NULL) {
        (void)aio_task_cancel(g->peer, NULL);
        (void)aio_await(g->peer, NULL);
        aio_future_unref(g->peer);
    }
    if (g->process != NULL) {
        (void)aio_process_kill(g->process);
        err = aio_process_wait(g->process, NULL);
        aio_transport_close(aio_process_transport(g->process)); /* pipes that have not ended yet */
        aio_process_unref(g->process);
    }
    if (g->writer != NULL)
        aio_transport_abort(aio_stream_writer_transport(g->writer));
    aio_stream_writer_unref(g->writer);
    aio_stream_reader_unref(g->reader);
    if (g->transport != NULL)
        aio_transport_abort(g->transport);
    aio_transport_unref(g->transport);
    aio_server_close(g->server);
    if (g->listener >= 0)
        close(g->listener);
    if (g->file >= 0)
        close(g->file);
    /* Whoever was accepted just before has a protocol an iteration later. */
    for (int i = 0; i < 2 && err == 0; i++)
        err = room_turn();
    aio_server_abort_clients(g->server); /* those in a handshake, too */
    if (g->server != NULL && err == 0)
        err = aio_server_wait_closed(g->server);
    aio_server_unref(g->server);
    for (size_t i = 0; i < g->room->count; i++) {
        struct talk *talk = &g->room->talks[i];

        aio_transport_abort(talk->transport);
        aio_transport_close(talk->transport); /* that of a process cannot abort */
        if (talk->made && err == 0)
            err = talk_wait_lost(talk);
        aio_transport_unref(talk->transport);
        talk->transport = NULL;
    }
    return err < 0 ? err : room_turn();
}

/* --- the sweep ------------------------------------------------------------------------- */

static void count_handle(uv_handle_t *handle, void *arg)
{
    if (!uv_is_closing(handle))
        ++*(size_t *)arg;
}

static size_t open_handles(const struct room *room)
{
    size_t count = 0;

    uv_walk(aio_loop_uv(room->loop), count_handle, &count);
    return count;
}

/* No handle is left, nor a request: TLS that was through closes in order, which takes both ends, and
 * a thread may still be reading a piece of a file. */
static bool is_over(const struct room *room, size_t handles)
{
    return open_handles(room) == handles && aio_loop_uv(room->loop)->active_reqs.count == 0;
}

static int run_operation(void *arg, void **ret_result)
{
    return current->run(arg);
}

/* Times that grow after the first hundred points: on a busy machine a process takes its time. */
static double growth(unsigned at, double factor)
{
    double result = 1;

    for (; at > 100; at--)
        result *= factor;
    return result;
}

static int run_with_timeout(void *arg, void **ret_result)
{
    AIO_AUTO(aio_task) task = aio_create_task(run_operation, arg);

    int err = aio_wait_for(task, point < 100 ? point * 0.0001 : 0.01 * growth(point, 1.05), NULL);

    /* The time may be over in the very iteration in which the operation has ended (S32). */
    if (err == AIO_ETIMEDOUT && !aio_future_cancelled(task))
        err = aio_future_result(task, NULL);
    return err;
}

/* Run the operation and cut it short at the point: what it gave. */
static int cut_short(struct ground *g)
{
    AIO_AUTO(aio_task) task = aio_create_task(by_timeout ? run_with_timeout : run_operation, g);

    for (unsigned i = 0; !by_timeout && i < point && !aio_future_done(task); i++)
        TRY(aio_sleep(i < 100 ? 0 : 0.0005 * growth(i, 1.03)));
    if (!by_timeout)
        (void)aio_task_cancel(task, NULL);
    return aio_await(task, NULL);
}

static int run_point(void *arg, void **ret_result)
{
    struct ground g = {.room = arg, .listener = -1, .file = -1};
    size_t handles = open_handles(g.room);
    int err = current->prepare == NULL ? 0 : current->prepare(&g);
    int code = 0;

    if (err == 0) {
        code = cut_short(&g);
        was_over = code == 0;
        if (code < 0 && code != AIO_ECANCELLED && code != AIO_ETIMEDOUT)
            err = code;
    }
    if (err == 0 && code < 0 && current->check != NULL)
        err = current->check(&g);
    if (err == 0)
        err = clear(&g);
    if (err == 0 && !current->keeps_handles) {
        for (unsigned i = 0; i < 10000 && !is_over(g.room, handles); i++)
            TRY(aio_sleep(0.001));
        CHECK(is_over(g.room, handles));
    }
    if (err == 0)
        CHECK(waitpid(-1, NULL, WNOHANG) <= 0); /* nobody is dead and still here */
    return err;
}

static void sweep(const struct operation *operation)
{
    unsigned last = operation->points > 0 ? operation->points : MAX_POINTS;

    current = operation;
    for (int i = 0; i < 2; i++) {
        by_timeout = i == 1;
        was_over = false;
        for (point = 0; point < last && !was_over; point++)
            room_run(run_point);
        assert_true(was_over == (operation->points == 0));
    }
}

/* --- connections ----------------------------------------------------------------------- */

static int serve_nobody(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    return 0;
}

static int let_go(aio_transport *transport)
{
    aio_transport_abort(transport);
    aio_transport_unref(transport);
    return 0;
}

static int connect_to_number(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_transport *transport;

    options.host = "127.0.0.1";
    options.port = g->port;
    options.local_host = "127.0.0.1";
    TRY(aio_loop_create_connection(NULL, room_factory, g->room, &options, &transport));
    return let_go(transport);
}

static int connect_to_name(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_transport *transport;

    options.host = "localhost";
    options.port = g->port;
    options.happy_eyeballs_delay = 0.01;
    TRY(aio_loop_create_connection(NULL, room_factory, g->room, &options, &transport));
    return let_go(transport);
}

static int connect_to_path(struct ground *g)
{
    static const char path[] = "\0aioc test of cancelling";
    aio_unix_server_options server = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;
    aio_transport *transport = NULL;
    char own[64];
    int size = snprintf(own, sizeof(own), "%c%s %d", 0, path + 1, (int)getpid());
    int err;

    server.path = options.path = own;
    server.path_size = options.path_size = (size_t)size;
    TRY(aio_loop_create_unix_server(NULL, room_factory, g->room, &server, &g->server));
    err = aio_loop_create_unix_connection(NULL, room_factory, g->room, &options, &transport);
    return err < 0 ? err : let_go(transport);
}

static int connect_stream_to_path(struct ground *g)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/aioc-cancel-%d", (int)getpid());
    TRY(aio_start_unix_server(serve_nobody, NULL, path,
                              &g->server)); /* which takes the file away */
    return aio_open_unix_connection(path, &g->reader, &g->writer);
}

/* A socket is the transport's as soon as a protocol was made for it. */
static int take_over(struct ground *g)
{
    aio_transport *transport;
    int err =
        aio_loop_connect_accepted_socket(NULL, room_factory, g->room, g->room->fds[0], &transport);

    if (g->room->count > 0)
        g->room->fds[0] = -1;
    return err < 0 ? err : let_go(transport);
}

static int read_pipe(struct ground *g)
{
    aio_transport *transport;
    int err = aio_loop_connect_read_pipe(NULL, room_factory, g->room, g->room->fds[0], &transport);

    if (g->room->count > 0)
        g->room->fds[0] = -1;
    return err < 0 ? err : let_go(transport);
}

static int write_pipe(struct ground *g)
{
    aio_transport *transport;
    int err = aio_loop_connect_write_pipe(NULL, room_factory, g->room, g->room->fds[0], &transport);

    if (g->room->count > 0)
        g->room->fds[0] = -1;
    return err < 0 ? err : let_go(transport);
}

static int make_endpoint(struct ground *g)
{
    aio_datagram_options options = AIO_DATAGRAM_OPTIONS_INIT;
    aio_transport *transport;

    options.local_host = "127.0.0.1";
    options.local_port = 0;
    TRY(aio_loop_create_datagram_endpoint(NULL, room_factory, g->room, &options, &transport));
    return let_go(transport);
}

static void connecting_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = listen_anywhere, .run = connect_to_number},
        {.prepare = listen_anywhere, .run = connect_to_name, .keeps_handles = true},
        {.run = connect_to_path},
        {.run = connect_stream_to_path},
        {.prepare = open_pair, .run = take_over},
        {.prepare = open_pair, .run = read_pipe},
        {.prepare = open_pair, .run = write_pipe},
        {.run = make_endpoint},
    };

    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

/* --- servers --------------------------------------------------------------------------- */

static int make_server(struct ground *g)
{
    TRY(open_server(g));
    aio_server_close(g->server);
    return aio_server_wait_closed(g->server);
}

static int open_idle_server(struct ground *g)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    options.start_serving = false;
    return aio_loop_create_server(NULL, room_factory, g->room, &options, &g->server);
}

static int start_serving(struct ground *g)
{
    return aio_server_start_serving(g->server);
}

/* In a block, as long as a client is there. */
static int serve_in_block(struct ground *g)
{
    int err = aio_server_enter(g->server);

    return aio_server_exit(g->server, err == 0 ? aio_sleep(0) : err);
}

static int serve_for_ever(struct ground *g)
{
    return aio_server_serve_forever(g->server);
}

static int wait_closed(struct ground *g)
{
    return aio_server_wait_closed(g->server);
}

/* Whoever waits in vain does not close it; whoever serves does. */
static int server_is_open(struct ground *g)
{
    CHECK(aio_server_is_serving(g->server));
    return 0;
}

static int server_is_closed(struct ground *g)
{
    CHECK(point == 0 || !aio_server_is_serving(g->server));
    return 0;
}

static void serving_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.run = make_server},
        {.prepare = open_server, .run = serve_for_ever, .check = server_is_closed, .points = 8},
        {.prepare = open_idle_server, .run = start_serving},
        {.prepare = open_server, .run = serve_in_block, .check = server_is_closed},
        {.prepare = open_server, .run = wait_closed, .check = server_is_open, .points = 8},
    };

    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

/* --- sockets --------------------------------------------------------------------------- */

static int sock_recv(struct ground *g)
{
    char data[16];
    size_t size;

    return aio_loop_sock_recv(NULL, g->room->fds[0], data, sizeof(data), &size);
}

static int sock_recv_comes_after(struct ground *g)
{
    char data[16];
    size_t size;

    CHECK(send(g->room->fds[1], "abc", 3, 0) == 3);
    TRY(aio_loop_sock_recv(NULL, g->room->fds[0], data, sizeof(data), &size));
    CHECK(size == 3 && memcmp(data, "abc", 3) == 0);
    return 0;
}

static int sock_recvfrom(struct ground *g)
{
    char data[16];
    size_t size;

    return aio_loop_sock_recvfrom(NULL, g->room->fds[0], data, sizeof(data), NULL, &size);
}

static int sock_sendto(struct ground *g)
{
    return aio_loop_sock_sendto(NULL, g->room->fds[0], "x", 1, NULL, NULL);
}

static int sock_sendall(struct ground *g)
{
    return aio_loop_sock_sendall(NULL, g->room->fds[0], much, MUCH);
}

static int sock_sendfile(struct ground *g)
{
    return aio_loop_sock_sendfile(NULL, g->room->fds[0], g->file, NULL, NULL);
}

static int send_file(struct ground *g)
{
    return aio_loop_sendfile(NULL, g->transport, g->file, NULL, NULL);
}

/* The file's position tells what has arrived, and the transport is as it was. */
static int as_much_arrived(struct ground *g)
{
    off_t sent = lseek(g->file, 0, SEEK_CUR);
    off_t got = 0;
    static char data[MUCH];
    ssize_t size;

    while ((size = recv(g->room->fds[1], data, sizeof(data), 0)) > 0)
        got += size;
    CHECK(got == sent);
    if (g->transport != NULL)
        CHECK_CODE(aio_transport_write(g->transport, "x", 1), 0);
    return 0;
}

static int sock_accept(struct ground *g)
{
    int fd;

    TRY(aio_loop_sock_accept(NULL, g->listener, NULL, &fd));
    close(fd);
    return 0;
}

static int sock_connect(struct ground *g)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    aio_sockname to = {(struct sockaddr *)&name, sizeof(name)};

    name.sin_port = htons((uint16_t)g->port);
    g->room->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return aio_loop_sock_connect(NULL, g->room->fds[0], &to);
}

/* The one that comes after a cancelled accept is not lost. */
static int accept_comes_after(struct ground *g)
{
    TRY(sock_connect(g));
    return sock_accept(g);
}

static void calls_on_sockets_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = open_pair, .run = sock_recv, .check = sock_recv_comes_after, .points = 6},
        {.prepare = open_datagrams,
         .run = sock_recvfrom,
         .check = sock_recv_comes_after,
         .points = 6},
        {.prepare = open_datagrams, .run = sock_sendto, .points = 6},
        {.prepare = open_pair, .run = sock_sendall, .points = 6},
        {.prepare = open_file, .run = sock_sendfile, .check = as_much_arrived, .points = 6},
        {.prepare = open_transport_and_file,
         .run = send_file,
         .check = as_much_arrived,
         .points = 6},
        {.prepare = listen_anywhere, .run = sock_accept, .check = accept_comes_after, .points = 6},
        {.prepare = listen_anywhere, .run = sock_connect},
    };

    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

/* --- streams --------------------------------------------------------------------------- */

static int connect_stream(struct ground *g)
{
    return aio_open_connection("127.0.0.1", g->port, &g->reader, &g->writer);
}

static int start_server(struct ground *g)
{
    return aio_start_server(serve_nobody, NULL, "127.0.0.1", 0, &g->server);
}

/* Each wants ten bytes, and four are there. */
static int readexactly(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_readexactly(g->reader, 10, &bytes);
}

static int readexactly_into(struct ground *g)
{
    char data[10];

    return aio_stream_reader_readexactly_into(g->reader, data, sizeof(data));
}

static int readline(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_readline(g->reader, &bytes);
}

static int readuntil(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_readuntil(g->reader, "\r\n", 2, &bytes);
}

static int readuntil_any(struct ground *g)
{
    static const aio_buffer separators[] = {{"\r\n", 2}, {"!", 1}};
    aio_bytes bytes;

    return aio_stream_reader_readuntil_any(g->reader, separators, COUNT_OF(separators), &bytes);
}

static int next_line(struct ground *g)
{
    void *line;

    return aio_anext(aio_stream_reader_iterator(g->reader), &line);
}

static int peek(struct ground *g)
{
    aio_buffer view;

    return aio_stream_reader_peek(g->reader, 10, &view);
}

static int all_ten_come(struct ground *g)
{
    char data[10];

    CHECK(send(g->room->fds[1], "efghij", 6, 0) == 6);
    TRY(aio_stream_reader_readexactly_into(g->reader, data, sizeof(data)));
    CHECK(memcmp(data, "abcdefghij", sizeof(data)) == 0);
    return 0;
}

static int read_four(struct ground *g)
{
    aio_bytes bytes;

    TRY(aio_stream_reader_read(g->reader, 100, &bytes));
    aio_bytes_free(&bytes);
    return 0;
}

static int read_four_into(struct ground *g)
{
    static char data[64 * 1024]; /* so much that it is read to straight from the socket */
    size_t size;

    return aio_stream_reader_read_into(g->reader, data, sizeof(data), &size);
}

static int read_all(struct ground *g)
{
    aio_bytes bytes;

    return aio_stream_reader_read(g->reader, -1, &bytes);
}

static int drain(struct ground *g)
{
    TRY(aio_stream_writer_write(g->writer, much, MUCH));
    return aio_stream_writer_drain(g->writer);
}

static int close_stream(struct ground *g)
{
    aio_stream_writer_close(g->writer);
    return aio_stream_writer_wait_closed(g->writer);
}

static void streams_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = listen_anywhere, .run = connect_stream},
        {.run = start_server},
        {.prepare = open_stream, .run = readexactly, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readexactly_into, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readline, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readuntil, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = readuntil_any, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = next_line, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = peek, .check = all_ten_come, .points = 8},
        {.prepare = open_stream, .run = read_four, .check = all_ten_come},
        {.prepare = open_stream, .run = read_four_into, .check = all_ten_come},
        {.prepare = open_stream, .run = read_all, .points = 8},
        {.prepare = open_stream, .run = drain, .points = 8},
        {.prepare = open_stream, .run = close_stream},
    };

    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

/* --- TLS ------------------------------------------------------------------------------- */

static aio_tls_context *ours;   /* a client's */
static aio_tls_context *theirs; /* a server's */

static int make_contexts(void **state)
{
    int err = count_allocations(state);

    ours = authority_client();
    theirs = authority_server("one.pem");
    return err;
}

static int drop_contexts(void **state)
{
    aio_tls_context_unref(ours);
    aio_tls_context_unref(theirs);
    return check_allocations(state);
}

static int open_tls_server(struct ground *g)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    int sock;

    options.host = "127.0.0.1";
    options.port = 0;
    options.ssl = theirs;
    TRY(aio_loop_create_server(NULL, room_factory, g->room, &options, &g->server));
    (void)aio_server_sockets(g->server, &sock, 1);
    CHECK(getsockname(sock, (struct sockaddr *)&name, &size) == 0);
    g->port = ntohs(name.sin_port);
    return 0;
}

static aio_connect_options to_tls_server(const struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = g->port;
    options.ssl = ours;
    options.server_hostname = "one.test";
    return options;
}

static int connect_tls(struct ground *g)
{
    aio_connect_options options = to_tls_server(g);
    aio_transport *transport;

    TRY(aio_loop_create_connection(NULL, room_factory, g->room, &options, &transport));
    return let_go(transport);
}

static int connect_tls_stream(struct ground *g)
{
    aio_connect_options options = to_tls_server(g);

    return aio_open_connection_with(&options, 0, &g->reader, &g->writer);
}

static int connect_tls_to_path(struct ground *g)
{
    aio_unix_server_options server = AIO_UNIX_SERVER_OPTIONS_INIT;
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;
    char path[64];

    server.path = options.path = path;
    server.path_size = options.path_size =
        (size_t)snprintf(path, sizeof(path), "%caioc test of cancelling %d", 0, (int)getpid());
    server.ssl = theirs;
    options.ssl = ours;
    options.server_hostname = "one.test";
    TRY(aio_loop_create_unix_server(NULL, room_factory, g->room, &server, &g->server));
    return aio_open_unix_connection_with(&options, 0, &g->reader, &g->writer);
}

/* A socket is its transport's as soon as a protocol was made for it. */
static aio_protocol *take_first(void *arg)
{
    struct ground *g = arg;

    g->room->fds[0] = -1;
    return room_factory(g->room);
}

static aio_protocol *take_second(void *arg)
{
    struct ground *g = arg;

    g->room->fds[1] = -1;
    return room_factory(g->room);
}

/* The other end of a pair of sockets. */
static int be_client(void *arg, void **ret_result)
{
    struct ground *g = arg;
    aio_connect_options options = to_tls_server(g);
    aio_transport *transport;

    options.host = NULL;
    options.port = -1;
    options.sock = g->room->fds[1];
    TRY(aio_loop_create_connection(NULL, take_second, g, &options, &transport));
    return let_go(transport);
}

static int open_tls_pair(struct ground *g)
{
    TRY(open_pair(g));
    g->peer = aio_create_task(be_client, g);
    return 0;
}

static int take_over_tls(struct ground *g)
{
    aio_accepted_options options = AIO_ACCEPTED_OPTIONS_INIT;
    aio_transport *transport;

    options.sock = g->room->fds[0];
    options.ssl = theirs;
    TRY(aio_loop_connect_accepted_socket_with(NULL, take_first, g, &options, &transport));
    return let_go(transport);
}

/* What is still to become TLS, to a server that waits for that. */
static int open_plain_stream(struct ground *g)
{
    TRY(open_tls_server(g));
    return aio_open_connection("127.0.0.1", g->port, &g->reader, &g->writer);
}

static int open_plain_transport(struct ground *g)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;

    TRY(open_tls_server(g));
    options.host = "127.0.0.1";
    options.port = g->port;
    return aio_loop_create_connection(NULL, room_factory, g->room, &options, &g->transport);
}

static int upgrade_stream(struct ground *g)
{
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;

    options.server_hostname = "one.test";
    return aio_stream_writer_start_tls(g->writer, ours, &options);
}

static int upgrade_transport(struct ground *g)
{
    aio_tls_options options = AIO_TLS_OPTIONS_INIT;
    aio_transport *upgraded;

    options.server_hostname = "one.test";
    TRY(aio_loop_start_tls(NULL, g->transport, aio_transport_get_protocol(g->transport), ours,
                           &options, &upgraded));
    return let_go(upgraded);
}

/* Half upgraded is of no use to anybody. */
static int stream_is_closing(struct ground *g)
{
    CHECK(point == 0 || aio_stream_writer_is_closing(g->writer));
    return 0;
}

/* The protocol at the server's end of a connection. */
static struct talk *server_end(const struct ground *g)
{
    return &g->room->talks[0];
}

/* A stream over TLS, and four bytes for it. */
static int open_tls_stream(struct ground *g)
{
    TRY(open_tls_server(g));
    TRY(connect_tls_stream(g));
    g->room->quiet = true;
    TRY(talk_wait_for(server_end(g), "made"));
    return aio_transport_write(server_end(g)->transport, "abcd", 4);
}

static int open_tls_stream_nobody_reads(struct ground *g)
{
    TRY(open_tls_stream(g));
    return aio_transport_pause_reading(server_end(g)->transport);
}

static int open_tls_stream_and_file(struct ground *g)
{
    TRY(open_tls_stream_nobody_reads(g));
    g->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(ftruncate(g->file, FULL) == 0);
    return 0;
}

static int all_ten_come_by_tls(struct ground *g)
{
    char data[10];

    TRY(aio_transport_write(server_end(g)->transport, "efghij", 6));
    TRY(aio_stream_reader_readexactly_into(g->reader, data, sizeof(data)));
    CHECK(memcmp(data, "abcdefghij", sizeof(data)) == 0);
    return 0;
}

/* More than all buffers of the system's and of TLS. */
static int drain_tls(struct ground *g)
{
    for (int i = 0; i < FULL / MUCH; i++)
        TRY(aio_stream_writer_write(g->writer, much, MUCH));
    return aio_stream_writer_drain(g->writer);
}

/* What was handed over arrives, and what comes next after it. */
static int goes_on_by_tls(struct ground *g)
{
    TRY(aio_stream_writer_write(g->writer, "x", 1));
    TRY(aio_transport_resume_reading(server_end(g)->transport));
    return talk_wait_received(server_end(g), point == 0 ? 1 : FULL + 1);
}

static int send_file_by_tls(struct ground *g)
{
    return aio_loop_sendfile(NULL, aio_stream_writer_transport(g->writer), g->file, NULL, NULL);
}

static int as_much_arrived_by_tls(struct ground *g)
{
    size_t sent = (size_t)lseek(g->file, 0, SEEK_CUR);

    TRY(aio_stream_writer_write(g->writer, "x", 1));
    TRY(aio_transport_resume_reading(server_end(g)->transport));
    TRY(talk_wait_received(server_end(g), sent + 1));
    CHECK(server_end(g)->received == sent + 1);
    return 0;
}

static void tls_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = open_tls_server, .run = connect_tls},
        {.prepare = open_tls_server, .run = connect_tls_stream},
        {.run = connect_tls_to_path},
        {.prepare = open_tls_pair, .run = take_over_tls},
        {.prepare = open_plain_stream, .run = upgrade_stream, .check = stream_is_closing},
        {.prepare = open_plain_transport, .run = upgrade_transport},
        {.prepare = open_tls_stream, .run = readexactly, .check = all_ten_come_by_tls, .points = 8},
        {.prepare = open_tls_stream, .run = read_four, .check = all_ten_come_by_tls},
        {.prepare = open_tls_stream_nobody_reads,
         .run = drain_tls,
         .check = goes_on_by_tls,
         .points = 8},
        {.prepare = open_tls_stream_and_file,
         .run = send_file_by_tls,
         .check = as_much_arrived_by_tls,
         .points = 8},
        {.prepare = open_tls_stream, .run = close_stream},
    };

    if (ours == NULL)
        skip(); /* built without it */
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

/* --- names ----------------------------------------------------------------------------- */

static int look_up(const char *name)
{
    struct addrinfo *list;

    TRY(aio_loop_getaddrinfo(NULL, name, "80", NULL, &list));
    aio_freeaddrinfo(list);
    return 0;
}

static int look_up_one(struct ground *g)
{
    return look_up("one.test");
}

static int look_up_big(struct ground *g)
{
    return look_up("big.test"); /* by UDP, then by TCP */
}

static int look_up_silent(struct ground *g)
{
    return look_up("silent.test");
}

static int look_up_own(struct ground *g)
{
    return look_up("localhost");
}

static int look_up_address(struct ground *g)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    aio_nameinfo name;

    return aio_loop_getnameinfo(NULL, (struct sockaddr *)&address, 0, &name);
}

static void looking_names_up_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.prepare = ask_our_server, .run = look_up_one, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_big, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_silent, .points = 20, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_own, .keeps_handles = true},
        {.prepare = ask_our_server, .run = look_up_address, .keeps_handles = true},
    };

#ifndef AIO__CARES
    skip(); /* there is nobody whom our server could be told of */
#endif
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

/* --- processes ------------------------------------------------------------------------- */

static int run_program(struct ground *g)
{
    static const char *const argv[] = {"true", NULL};
    int code;

    TRY(aio_create_subprocess_exec(argv, NULL, &g->process));
    TRY(aio_process_wait(g->process, &code));
    CHECK(code == 0);
    return 0;
}

static int run_command(struct ground *g)
{
    TRY(aio_create_subprocess_shell("exit 0", NULL, &g->process));
    return aio_process_wait(g->process, NULL);
}

static int run_missing_program(struct ground *g)
{
    static const char *const argv[] = {"/nowhere/to/be/found", NULL};
    int err = aio_create_subprocess_exec(argv, NULL, &g->process);

    return err == -ENOENT ? 0 : err;
}

static int talk_to_program(struct ground *g)
{
    aio_process_output output;

    TRY(aio_process_communicate(g->process, "hello", 5, &output));
    aio_process_output_clear(&output);
    return 0;
}

static int wait_for_program(struct ground *g)
{
    return aio_process_wait(g->process, NULL);
}

/* It is still there for others to wait for. */
static int program_goes_on(struct ground *g)
{
    CHECK(!aio_process_returncode(g->process, NULL));
    return 0;
}

static int run_as_transport(struct ground *g)
{
    static const char *const argv[] = {"cat", NULL};
    aio_transport *transport;

    TRY(aio_loop_subprocess_exec(NULL, room_factory, g->room, argv, NULL, &transport, NULL));
    aio_transport_close(transport); /* which kills it */
    aio_transport_unref(transport);
    TRY(talk_wait_lost(&g->room->talks[0]));
    return 0;
}

static int run_command_as_transport(struct ground *g)
{
    aio_transport *transport;

    TRY(aio_loop_subprocess_shell(NULL, room_factory, g->room, "exec cat", NULL, &transport, NULL));
    aio_transport_close(transport);
    aio_transport_unref(transport);
    TRY(talk_wait_lost(&g->room->talks[0]));
    return 0;
}

static void processes_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.run = run_program},
        {.run = run_command},
        {.run = run_missing_program},
        {.prepare = start_cat, .run = talk_to_program},
        {.prepare = start_cat, .run = wait_for_program, .check = program_goes_on, .points = 8},
    };

    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

static void transports_of_processes_can_be_cancelled_anywhere(void **state)
{
    static const struct operation operations[] = {
        {.run = run_as_transport},
        {.run = run_command_as_transport},
    };

    for (size_t i = 0; i < COUNT_OF(operations); i++)
        sweep(&operations[i]);
}

/* The name server has a process of its own, as its descriptors are not to be counted here. */
static pid_t server_pid;

static void serve_names(int answer)
{
    struct dns_server *server = dns_server_start();
    const char *address = server == NULL ? "" : dns_server_address(server);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (write(answer, address, strlen(address) + 1) > 0)
        (void)pause();
    _exit(EXIT_FAILURE);
}

static int start_names(void **state)
{
    int ends[2];
    ssize_t size;

    if (pipe(ends) != 0)
        return -1;
    server_pid = fork();
    if (server_pid == 0)
        serve_names(ends[1]);
    size = read(ends[0], names, sizeof(names));
    close(ends[0]);
    close(ends[1]);
    return size > 1 ? authority_make(state) : -1;
}

static int stop_names(void **state)
{
    int err = authority_drop(state);

    (void)kill(server_pid, SIGKILL);
    return waitpid(server_pid, NULL, 0) == server_pid ? err : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connecting_can_be_cancelled_anywhere),
        TEST(serving_can_be_cancelled_anywhere),
        TEST(calls_on_sockets_can_be_cancelled_anywhere),
        TEST(streams_can_be_cancelled_anywhere),
        cmocka_unit_test_setup_teardown(tls_can_be_cancelled_anywhere, make_contexts,
                                        drop_contexts),
        TEST(looking_names_up_can_be_cancelled_anywhere),
        TEST(processes_can_be_cancelled_anywhere),
        TEST(transports_of_processes_can_be_cancelled_anywhere),
    };

    return RUN_TESTS(tests, start_names, stop_names);
}
