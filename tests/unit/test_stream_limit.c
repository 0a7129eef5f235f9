/* SPDX-License-Identifier: MIT */
/*
 * test_stream_limit.c - the limits of streams that are opened and served
 */
#include "support/allocation.h"
#include "support/room.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static char xs[AIO_STREAM_LIMIT + 2]; /* many x */

/* Both ends of a stream say a line and read one. */
struct exchange {
    bool is_unix;
    size_t limit;    /* of both ends; 0: the usual one */
    size_t length;   /* of the lines, newline apart */
    int served_code; /* what reading the line gave */
    int opened_code;
};

static int say(aio_stream_writer *writer, size_t length)
{
    TRY(aio_stream_writer_write(writer, xs, length));
    return aio_stream_writer_write(writer, "\n", 1);
}

/* 0 for the line, the other's end then; or the code of reading it. */
static int hear(aio_stream_reader *reader, size_t length)
{
    aio_bytes line;
    size_t size;
    int err = aio_stream_reader_readline(reader, &line);

    if (err < 0)
        return err;
    size = line.size;
    aio_bytes_free(&line);
    CHECK(size == length + 1);
    return 0;
}

static int serve(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct exchange *exchange = arg;
    int err = say(writer, exchange->length);

    exchange->served_code = hear(reader, exchange->length);
    aio_stream_writer_close(writer);
    return err;
}

static int start(struct exchange *exchange, const char *path, aio_server **ret_server)
{
    aio_server_options options = AIO_SERVER_OPTIONS_INIT;
    aio_unix_server_options at = AIO_UNIX_SERVER_OPTIONS_INIT;

    options.host = "127.0.0.1";
    options.port = 0;
    at.path = path;
    return exchange->is_unix
               ? aio_start_unix_server_with(serve, exchange, &at, exchange->limit, ret_server)
               : aio_start_server_with(serve, exchange, &options, exchange->limit, ret_server);
}

static int open_to(const struct exchange *exchange, const char *path, const aio_server *server,
                   aio_stream_reader **ret_reader, aio_stream_writer **ret_writer)
{
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    aio_unix_connect_options to = AIO_UNIX_CONNECT_OPTIONS_INIT;
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    int fd = -1;

    if (exchange->is_unix) {
        to.path = path;
        return aio_open_unix_connection_with(&to, exchange->limit, ret_reader, ret_writer);
    }
    CHECK(aio_server_sockets(server, &fd, 1) == 1);
    CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0);
    options.host = "127.0.0.1";
    options.port = ntohs(name.sin_port);
    return aio_open_connection_with(&options, exchange->limit, ret_reader, ret_writer);
}

static int carry_out(struct exchange *exchange)
{
    AIO_AUTO(aio_server) server = NULL;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    char path[64];
    int err;

    (void)snprintf(path, sizeof(path), "/tmp/aioc-test-limit-%ld", (long)getpid());
    TRY(start(exchange, path, &server));
    err = open_to(exchange, path, server, &reader, &writer);
    if (err == 0)
        err = say(writer, exchange->length);
    if (err == 0)
        exchange->opened_code = hear(reader, exchange->length);
    aio_server_close(server);
    TRY(err);
    return aio_server_wait_closed(server); /* so the other end has heard it, too */
}

/* Lines as long as the limit are read at both ends, and none that is longer. */
static int exchange_lines(bool is_unix, size_t limit, size_t longest)
{
    for (size_t more = 0; more < 2; more++) {
        struct exchange exchange = {.is_unix = is_unix, .limit = limit, .length = longest + more};

        TRY(carry_out(&exchange));
        CHECK(exchange.opened_code == (more == 0 ? 0 : AIO_EVALUE));
        CHECK(exchange.served_code == (more == 0 ? 0 : AIO_EVALUE));
    }
    return 0;
}

static int with_limits(void *arg, void **ret_result)
{
    TRY(exchange_lines(false, 10, 10));
    TRY(exchange_lines(true, 10, 10));
    return 0;
}

static void streams_have_the_limit_that_is_given(void **state)
{
    room_run(with_limits);
}

static int without_limits(void *arg, void **ret_result)
{
    TRY(exchange_lines(false, 0, AIO_STREAM_LIMIT));
    TRY(exchange_lines(true, 0, AIO_STREAM_LIMIT));
    return 0;
}

static void streams_have_a_limit_of_64_kib_where_none_is_given(void **state)
{
    assert_int_equal(AIO_STREAM_LIMIT, 64 * 1024);
    room_run(without_limits);
}

static int fill(void **state)
{
    memset(xs, 'x', sizeof(xs));
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_have_the_limit_that_is_given),
        TEST(streams_have_a_limit_of_64_kib_where_none_is_given),
    };

    return RUN_TESTS(tests, fill, NULL);
}
