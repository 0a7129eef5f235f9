/* SPDX-License-Identifier: MIT */
/*
 * test_misuse_io.c - each function above the core, called wrongly: a code and a message, no crash
 */
#include "base/error.h"
#include "support/allocation.h"
#include "support/room.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- what is there to be misused -------------------------------------------------------- */

static aio_loop *open;
static aio_loop *closed;
static int no_socket; /* a descriptor, of an empty file */
static int loose;     /* a connected socket that nobody uses */
static int far_ends[2];
static aio_stream_reader *reader;
static aio_stream_writer *writer;
static aio_transport *transport; /* of `writer` */
static aio_stream_reader *closed_reader;
static aio_stream_writer *closed_writer;
static aio_transport *gone; /* of `closed_writer` */
static aio_server *ended;
static aio_tls_context *secure;

static struct {
    void *pointer;
    size_t size;
    int number;
    struct addrinfo *list;
    aio_nameinfo name;
    aio_server *server;
    aio_transport *transport;
    aio_bytes bytes;
    aio_buffer view;
    aio_stream_reader *reader;
    aio_stream_writer *writer;
    aio_process *process;
} out;

/* Options that forgot to say how large they are, and what else is empty. */
static const struct {
    aio_function function;
    aio_connect_options connect;
    aio_unix_connect_options unix_connect;
    aio_accepted_options accepted;
    aio_datagram_options datagram;
    aio_dns_options dns;
    aio_sendfile_options sendfile;
    aio_server_options server;
    aio_unix_server_options unix_server;
    aio_subprocess_options subprocess;
    aio_tls_options tls;
    aio_workers_options workers;
    struct sockaddr address;
    aio_sockname sockname;
    aio_buffer buffer;
    const char *text;
    const char *argv[1];
} unsized;

static const char *const argv[] = {"true", NULL};
static const aio_codec plain = AIO_CODEC_STRUCT(struct { int number; });
static const aio_connect_options connect_there = {
    .size = sizeof(connect_there), .host = "127.0.0.1", .port = 1, .sock = -1, .local_port = -1};
static const aio_unix_connect_options unix_connect_there = {
    .size = sizeof(unix_connect_there), .path = "/nowhere/at/all", .sock = -1};
static const aio_accepted_options accept_nothing = AIO_ACCEPTED_OPTIONS_INIT;
static const aio_datagram_options datagram_nowhere = AIO_DATAGRAM_OPTIONS_INIT;
static const aio_datagram_options datagram_anywhere = {
    .size = sizeof(datagram_anywhere), .family = AF_INET, .remote_port = -1, .sock = -1};
static const aio_server_options serve_here = {
    .size = sizeof(serve_here), .host = "127.0.0.1", .sock = -1};
static const aio_unix_server_options unix_serve_here = {
    .size = sizeof(unix_serve_here), .path = "\0aioc misuse", .path_size = 12, .sock = -1};

static aio_protocol *factory(void *arg)
{
    (void)aio_raise(AIO_EVALUE, "nobody is to be asked for a protocol");
    return NULL;
}

static int client(aio_stream_reader *client_reader, aio_stream_writer *client_writer, void *arg)
{
    return 0;
}

static int worker(aio_worker *self, void *arg)
{
    return 0;
}

static const aio_protocol_ops quiet_ops = {.size = sizeof(quiet_ops)};
static aio_protocol quiet = {&quiet_ops};

static void log_nothing(aio_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static int open_all(void *arg, void **ret_result)
{
    aio_unix_connect_options options = AIO_UNIX_CONNECT_OPTIONS_INIT;
    aio_server_options server = serve_here;
    int fds[2];

    room_socketpair(fds);
    options.sock = fds[0];
    far_ends[0] = fds[1];
    TRY(aio_open_unix_connection_with(&options, AIO_STREAM_LIMIT, &reader, &writer));
    transport = aio_stream_writer_transport(writer);

    room_socketpair(fds);
    options.sock = fds[0];
    far_ends[1] = fds[1];
    TRY(aio_open_unix_connection_with(&options, AIO_STREAM_LIMIT, &closed_reader, &closed_writer));
    gone = aio_stream_writer_transport(closed_writer);
    aio_stream_writer_close(closed_writer);
    TRY(aio_stream_writer_wait_closed(closed_writer));

    TRY(aio_start_server_with(client, NULL, &server, AIO_STREAM_LIMIT, &ended));
    aio_server_close(ended);
    return aio_server_wait_closed(ended);
}

static int close_all(void *arg, void **ret_result)
{
    aio_stream_writer_close(writer);
    return aio_stream_writer_wait_closed(writer);
}

static int run(aio_coro_fn body)
{
    aio_task *task = aio_loop_create_task(open, body, NULL, NULL);
    int err = aio_loop_run_until_complete(open, task, NULL);

    aio_future_unref(task);
    return err;
}

static int set_up(void **state)
{
    int fds[2];

    (void)count_allocations(state);
    aio_log_set_handler(log_nothing, NULL);
    memset(&out, 0, sizeof(out));
    open = aio_new_event_loop();
    closed = aio_new_event_loop();
    no_socket = memfd_create("misuse", MFD_CLOEXEC);
    room_socketpair(fds);
    loose = fds[0];
    (void)close(fds[1]);
    secure = aio_tls_context_new(AIO_TLS_CLIENT);
    return aio_loop_close(closed) < 0 ? -1 : run(open_all);
}

static int tear_down(void **state)
{
    int err = run(close_all);

    aio_tls_context_unref(secure);
    aio_server_unref(ended);
    aio_stream_writer_unref(closed_writer);
    aio_stream_reader_unref(closed_reader);
    aio_stream_writer_unref(writer);
    aio_stream_reader_unref(reader);
    (void)close(far_ends[0]);
    (void)close(far_ends[1]);
    (void)close(loose);
    (void)close(no_socket);
    aio_loop_unref(closed);
    (void)aio_loop_close(open);
    aio_loop_unref(open);
    aio_log_set_handler(NULL, NULL);
    return err < 0 ? err : check_allocations(state);
}

/* What the first use leaves for the next is not a test's. */
static int warm_up(void **state)
{
    return set_up(state) < 0 || tear_down(state) < 0 ? -1 : 0;
}

#define MISUSE_ROWS "misuse_io.h"
#include "misuse_run.h"
