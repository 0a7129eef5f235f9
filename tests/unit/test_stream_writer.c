/* SPDX-License-Identifier: MIT */
/*
 * test_stream_writer.c - a stream's writer and protocol, where no case of the parity corpus looks
 *
 * When drain() and wait_closed() wake is pinned by tests/parity/streams.txt.
 */
#include "base/memory.h"
#include "net/net_internal.h"
#include "support/wire.h"

#include <aio/memory.h>
#include <aio/stream.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A stream over a wire. */
struct stream {
    struct wire wire; /* first */
    aio_stream_reader *reader;
    aio_stream_writer *writer;
    aio_protocol *protocol; /* borrowed from the wire */
};

static void stream_open(struct stream *s, struct fixture *f, aio_client_connected_fn client,
                        bool plain)
{
    s->reader = aio_stream_reader_new(NULL, AIO_STREAM_LIMIT);
    s->protocol = aio_stream_protocol_new(s->reader, client, f, plain);
    assert_non_null(s->protocol);
    wire_init(&s->wire, f, s->protocol);
    s->writer = NULL;
}

static void stream_close(struct stream *s)
{
    wire_end(&s->wire);
    aio_stream_writer_unref(s->writer);
    aio_stream_reader_unref(s->reader);
    s->reader = NULL;
    s->writer = NULL;
    assert_int_equal(s->wire.refs, 0);
}

/* Each test has a stream with a writer, connected, as the fixture's subject. */
static int setup(void **state)
{
    static struct stream stream;
    struct fixture *f;

    if (fx_setup(state) < 0)
        return -1;
    f = *state;
    stream_open(&stream, f, NULL, false);
    stream.writer = aio_stream_writer_new(&stream.wire.base, stream.protocol, stream.reader);
    f->subject = &stream;
    return stream.writer == NULL || wire_connect(&stream.wire) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fx_end_tasks(f);
    stream_close(f->subject);
    return fx_teardown(state);
}

static struct stream *subject(struct fixture *f)
{
    return f->subject;
}

static void pause_writing(struct stream *s)
{
    assert_int_equal(s->protocol->ops->pause_writing(s->protocol), 0);
}

static void resume_writing(struct stream *s)
{
    assert_int_equal(s->protocol->ops->resume_writing(s->protocol), 0);
}

/* --- what the tasks do ----------------------------------------------------------------- */

static int drain(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "drained", aio_stream_writer_drain(subject(f)->writer));
}

/* An iteration later: the stack that a task's first step needs is there by then. */
static int drain_later(void *arg, void **ret_result)
{
    int err = aio_sleep(0);

    return err < 0 ? err : drain(arg, ret_result);
}

static int wait_closed(void *arg, void **ret_result)
{
    struct fixture *f = arg;

    return fx_note_code(f, "closed", aio_stream_writer_wait_closed(subject(f)->writer));
}

static int wait_closed_later(void *arg, void **ret_result)
{
    int err = aio_sleep(0);

    return err < 0 ? err : wait_closed(arg, ret_result);
}

/* --- drain ----------------------------------------------------------------------------- */

static void drain_of_a_buffer_with_room_needs_no_task_and_no_memory(void **state)
{
    struct fixture *f = *state;

    aio__fail_allocation(1);
    assert_int_equal(aio_stream_writer_drain(subject(f)->writer), 0);
    pause_writing(subject(f));
    resume_writing(subject(f));
    assert_int_equal(aio_stream_writer_drain(subject(f)->writer), 0);
    assert_false(aio__fail_allocation_happened());
}

static void drain_waits_for_writing_to_go_on_without_any_memory(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", drain_later);
    (void)fx_spawn(f, "B", drain_later);
    fx_step(f);
    pause_writing(subject(f));
    aio__fail_allocation(1);
    fx_settle(f);
    fx_assert_trace(f, "");
    resume_writing(subject(f));
    pause_writing(subject(f)); /* the woken go on all the same */
    fx_settle(f);
    assert_false(aio__fail_allocation_happened());
    fx_assert_trace(f, "A drained, B drained");
}

static void drain_that_is_cancelled_leaves_the_others_waiting(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", drain);

    (void)fx_spawn(f, "B", drain);
    pause_writing(subject(f));
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A drained ! CancelledError");
    resume_writing(subject(f));
    fx_settle(f);
    fx_assert_trace(f, "B drained");
}

static void drain_outside_a_task_says_so_when_it_would_wait(void **state)
{
    struct fixture *f = *state;

    pause_writing(subject(f));
    assert_int_equal(aio_stream_writer_drain(subject(f)->writer), AIO_ENOTASK);
    resume_writing(subject(f));
    subject(f)->wire.closing = true;
    assert_int_equal(aio_stream_writer_drain(subject(f)->writer), AIO_ENOTASK);
}

static void drain_gives_the_error_of_the_reader_before_that_of_the_connection(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_exception) error = aio_exception_new(AIO_EVALUE, "bad");

    wire_lose(&subject(f)->wire, NULL);
    (void)fx_spawn(f, "A", drain);
    fx_settle(f);
    fx_assert_trace(f, "A drained ! ConnectionResetError");
    aio_stream_reader_set_exception(subject(f)->reader, error);
    assert_int_equal(aio_stream_writer_drain(subject(f)->writer), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "bad");
}

/* --- wait_closed -------------------------------------------------------------------------- */

static void wait_closed_gives_how_the_connection_ended_also_afterwards(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_exception) error = aio_exception_new(-EPIPE, "broken");

    (void)fx_spawn(f, "A", wait_closed);
    fx_settle(f);
    wire_lose(&subject(f)->wire, error);
    fx_settle(f);
    (void)fx_spawn(f, "B", wait_closed);
    fx_settle(f);
    fx_assert_trace(f, "A closed ! BrokenPipeError, B closed ! BrokenPipeError");
}

static void wait_closed_of_what_is_gone_needs_no_task_and_no_memory(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_exception) error = aio_exception_new(-EPIPE, "broken");
    struct stream other;

    wire_lose(&subject(f)->wire, error);
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_writer_wait_closed(subject(f)->writer), -EPIPE);
    assert_string_equal(aio_error_text(-EPIPE), "broken");
    assert_false(aio__fail_allocation_happened());
    aio__fail_allocation(0);

    stream_open(&other, f, NULL, false);
    other.writer = aio_stream_writer_new(&other.wire.base, other.protocol, NULL);
    assert_int_equal(wire_connect(&other.wire), 0);
    wire_lose(&other.wire, NULL);
    assert_int_equal(aio_stream_writer_wait_closed(other.writer), 0);
    stream_close(&other);
}

static void wait_closed_without_memory_says_so_and_can_be_tried_again(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", wait_closed_later);
    fx_step(f);
    aio__fail_allocation(1);
    fx_settle(f);
    fx_assert_trace(f, "A closed ! MemoryError");
    (void)fx_spawn(f, "B", wait_closed);
    fx_settle(f);
    wire_lose(&subject(f)->wire, NULL);
    fx_settle(f);
    fx_assert_trace(f, "B closed");
}

static int drop_writer(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_stream_writer *writer = subject(f)->writer;

    subject(f)->writer = NULL;
    aio_stream_writer_unref(writer);
    return 0;
}

static void writer_lives_for_as_long_as_somebody_waits_for_it(void **state)
{
    struct fixture *f = *state;

    pause_writing(subject(f));
    (void)fx_spawn(f, "A", drain);
    (void)fx_spawn(f, "B", wait_closed);
    (void)fx_spawn(f, "C", drop_writer);
    fx_settle(f);
    fx_assert_trace(f, "");
    wire_lose(&subject(f)->wire, NULL);
    fx_settle(f);
    fx_assert_trace(f, "B closed, A drained");
}

/* --- the transport's ---------------------------------------------------------------------- */

static void writer_hands_everything_else_to_its_transport(void **state)
{
    static const aio_buffer buffers[] = {{"ab", 2}, {"cde", 3}};
    struct fixture *f = *state;
    aio_stream_writer *writer = subject(f)->writer;

    assert_int_equal(aio_stream_writer_write(writer, "abc", 3), 0);
    assert_int_equal(aio_stream_writer_writelines(writer, buffers, 2), 0);
    assert_true(aio_stream_writer_can_write_eof(writer));
    assert_int_equal(aio_stream_writer_write_eof(writer), 0);
    assert_string_equal(aio_stream_writer_get_extra_info(writer, "peername"), "the test");
    assert_null(aio_stream_writer_get_extra_info(writer, "cipher"));
    assert_ptr_equal(aio_stream_writer_transport(writer), &subject(f)->wire.base);
    assert_false(aio_stream_writer_is_closing(writer));
    aio_stream_writer_close(writer);
    assert_true(aio_stream_writer_is_closing(writer));
    fx_assert_trace(f, "- write 3, - writelines 2, - write_eof, - close");
}

static void writer_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    struct fixture *f = *state;
    struct stream *s = subject(f);
    aio_stream_writer *writer;

    aio__fail_allocation(1);
    writer = aio_stream_writer_new(&s->wire.base, s->protocol, s->reader);
    assert_null(writer);
    assert_int_equal(aio_stream_writer_write(writer, "x", 1), AIO_ENOMEM);
    assert_int_equal(aio_stream_writer_writelines(writer, NULL, 0), AIO_ENOMEM);
    assert_int_equal(aio_stream_writer_write_eof(writer), AIO_ENOMEM);
    assert_int_equal(aio_stream_writer_drain(writer), AIO_ENOMEM);
    assert_int_equal(aio_stream_writer_wait_closed(writer), AIO_ENOMEM);
    assert_false(aio_stream_writer_can_write_eof(writer));
    assert_true(aio_stream_writer_is_closing(writer));
    assert_null(aio_stream_writer_get_extra_info(writer, "peername"));
    assert_null(aio_stream_writer_transport(writer));
    assert_null(aio_stream_writer_ref(writer));
    aio_stream_writer_close(writer);
    aio_stream_writer_unref(writer);
}

static void writer_needs_a_transport_and_the_protocol_of_a_stream(void **state)
{
    static const aio_protocol_ops other_ops = {.size = sizeof(other_ops)};
    aio_protocol other = {.ops = &other_ops};
    struct fixture *f = *state;
    struct stream *s = subject(f);

    assert_null(aio_stream_writer_new(NULL, s->protocol, s->reader));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    assert_null(aio_stream_writer_new(&s->wire.base, NULL, s->reader));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
    assert_null(aio_stream_writer_new(&s->wire.base, &other, s->reader));
    assert_int_equal(aio_last_failure(), AIO_EVALUE);
}

/* --- dropping ------------------------------------------------------------------------------ */

/* asyncio: StreamWriter.__del__() */
static void last_writer_that_is_dropped_closes_the_connection(void **state)
{
    struct fixture *f = *state;
    struct stream *s = subject(f);
    aio_stream_writer *second = aio_stream_writer_new(&s->wire.base, s->protocol, NULL);

    assert_ptr_equal(aio_stream_writer_ref(second), second);
    aio_stream_writer_unref(second);
    aio_stream_writer_unref(second);
    fx_assert_trace(f, "");
    aio_stream_writer_unref(s->writer);
    s->writer = NULL;
    fx_assert_trace(f, "- close");
}

static void writer_that_was_closed_or_whose_loop_is_closes_nothing_when_dropped(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    struct fixture g;

    assert_true(fx_open(&g));
    stream_open(&s, &g, NULL, false);
    s.writer = aio_stream_writer_new(&s.wire.base, s.protocol, s.reader);
    assert_int_equal(wire_connect(&s.wire), 0);
    assert_int_equal(aio_loop_close(g.loop), 0);
    stream_close(&s);
    fx_assert_trace(&g, "");
    fx_close(&g);
    aio_set_event_loop(f->loop);

    aio_stream_writer_close(subject(f)->writer);
    fx_assert_trace(f, "- close");
    aio_stream_writer_unref(subject(f)->writer);
    subject(f)->writer = NULL;
    fx_assert_trace(f, "");
}

static void debug_mode_tells_of_a_writer_that_nobody_closed(void **state)
{
    struct fixture *f = *state;
    char expected[100];

    fx_hear(f);
    aio_loop_set_debug(f->loop, true);
    (void)snprintf(expected, sizeof(expected), "unclosed stream %p",
                   (void *)&subject(f)->wire.base);
    aio_stream_writer_unref(subject(f)->writer);
    subject(f)->writer = NULL;
    fx_assert_log(f, expected);
}

/* --- the protocol -------------------------------------------------------------------------- */

static void protocol_that_no_transport_takes_is_released_by_its_owner(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    stream_open(&s, f, NULL, false);
    stream_close(&s); /* whose teardown counts what is left */
    assert_ptr_equal(s.wire.protocol, NULL);
}

static void protocol_refuses_a_second_connection(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(wire_connect(&subject(f)->wire), AIO_EASSERTION);
}

static void protocol_keeps_a_transport_open_behind_the_end_unless_it_is_over_tls(void **state)
{
    struct fixture *f = *state;
    struct stream *s = subject(f);
    struct stream tls;

    assert_true(s->protocol->ops->eof_received(s->protocol));
    assert_true(aio_stream_reader_at_eof(s->reader));
    stream_open(&tls, f, NULL, false);
    tls.wire.over_tls = true;
    assert_int_equal(wire_connect(&tls.wire), 0);
    assert_false(tls.protocol->ops->eof_received(tls.protocol));
    stream_close(&tls);
}

static void protocol_feeds_its_reader_and_passes_on_that_it_cannot(void **state)
{
    struct fixture *f = *state;
    struct stream *s = subject(f);
    AIO_AUTO(aio_exception) error = aio_exception_new(-EPIPE, "broken");

    assert_int_equal(wire_data(&s->wire, "abc"), 0);
    aio__fail_allocation(1);
    assert_int_equal(wire_data(&s->wire, "def"), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_consume(s->reader, 3), 0);
    wire_lose(&s->wire, error);
    assert_ptr_equal(aio_stream_reader_exception(s->reader), error);
}

/* --- clients -------------------------------------------------------------------------------- */

static int serve(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct fixture *f = arg;
    aio_buffer line;
    int err;

    fx_note(f, "connected");
    err = aio_stream_reader_peek(reader, 1, &line);
    if (err < 0)
        return fx_note_code(f, "peek", err);
    err = aio_stream_writer_write(writer, line.data, line.size);
    if (err == 0)
        err = aio_stream_reader_consume(reader, line.size);
    return err;
}

static int fail_at_once(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct fixture *f = arg;

    fx_note(f, "connected");
    return aio_raise(AIO_EVALUE, "no");
}

static int forget(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    return 0;
}

static int keep_writer(aio_stream_reader *reader, aio_stream_writer *writer, void *arg)
{
    struct fixture *f = arg;

    f->other = aio_stream_writer_ref(writer);
    return 0;
}

static aio_task *make_task(aio_loop *loop, aio_site site, aio_coro_fn fn, void *arg,
                           const aio_task_options *options, void *factory_arg)
{
    aio_task_options named = *options;

    named.name = "client";
    fx_note(factory_arg, "makes %s", site.coroutine);
    return aio_task_new(loop, site, fn, arg, &named);
}

static void client_runs_in_a_task_of_the_factory(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    aio_loop_set_task_factory(f->loop, make_task, f);
    stream_open(&s, f, serve, false);
    assert_int_equal(wire_connect(&s.wire), 0);
    fx_assert_trace(f, "- makes client_connected_cb");
    fx_settle(f);
    fx_assert_trace(f, "client connected");
    assert_int_equal(wire_data(&s.wire, "abc"), 0);
    fx_settle(f);
    fx_assert_trace(f, "client write 3, client close");
    stream_close(&s);
    fx_assert_trace(f, "");
}

/* As CPython does since 3.13, whose protocol no longer holds the writer. */
static void client_that_forgets_its_connection_has_it_closed(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    for (int plain = 0; plain < 2; plain++) {
        stream_open(&s, f, forget, plain);
        assert_int_equal(wire_connect(&s.wire), 0);
        fx_settle(f);
        assert_true(s.wire.closing);
        stream_close(&s);
        f->used = 0;
    }
}

static void client_that_keeps_its_writer_closes_the_connection_by_dropping_it(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    stream_open(&s, f, keep_writer, false);
    assert_int_equal(wire_connect(&s.wire), 0);
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_stream_writer_write(f->other, "x", 1), 0);
    aio_stream_writer_unref(f->other);
    fx_assert_trace(f, "- write 1, - close");
    stream_close(&s);
}

static void debug_mode_tells_of_a_client_that_left_its_connection_open(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    char expected[100];

    fx_hear(f);
    stream_open(&s, f, serve, false);
    assert_int_equal(wire_data(&s.wire, "abc"), 0);
    aio_loop_set_debug(f->loop, true);
    assert_int_equal(wire_connect(&s.wire), 0);
    fx_settle(f);
    (void)snprintf(expected, sizeof(expected), "unclosed stream %p", (void *)&s.wire.base);
    fx_assert_log(f, expected);
    stream_close(&s);
}

/* S154, and S114 for the text */
static void client_that_fails_is_reported_and_its_connection_closed(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    stream_open(&s, f, fail_at_once, false);
    assert_int_equal(wire_connect(&s.wire), 0);
    fx_step(f);
    fx_assert_reports(f, "");
    fx_step(f); /* asyncio's done callback: an iteration later, outside the task */
    fx_assert_reports(f, "Unhandled exception in client_connected_cb ValueError");
    assert_true(s.wire.closing);
    assert_int_equal(f->used, strlen("Task-1 connected, - close"));
    f->used = 0;
    fx_settle(f);
    stream_close(&s);
}

static void client_that_is_cancelled_has_its_connection_closed_without_a_report(void **state)
{
    struct fixture *f = *state;
    aio_task **tasks;
    size_t count;
    struct stream s;

    stream_open(&s, f, serve, false);
    assert_int_equal(wire_connect(&s.wire), 0);
    assert_int_equal(aio_all_tasks(f->loop, &tasks, &count), 0);
    assert_int_equal(count, 1);
    assert_true(aio_task_cancel(tasks[0], NULL));
    aio_task_list_free(tasks, count);
    fx_settle(f);
    fx_assert_trace(f, "- close"); /* it was never called */
    stream_close(&s);
}

static void plain_client_is_called_inside_connection_made(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    stream_open(&s, f, keep_writer, true);
    assert_int_equal(wire_connect(&s.wire), 0);
    assert_int_equal(aio_stream_writer_write(f->other, "x", 1), 0);
    aio_stream_writer_unref(f->other);
    fx_assert_trace(f, "- write 1, - close");
    stream_close(&s);

    stream_open(&s, f, fail_at_once, true);
    assert_int_equal(wire_connect(&s.wire), AIO_EVALUE);
    assert_string_equal(aio_error_text(AIO_EVALUE), "no");
    fx_assert_trace(f, "- connected");
    stream_close(&s);
}

static void client_that_starts_eagerly_is_served_alike(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    aio_loop_set_task_factory(f->loop, aio_eager_task_factory, NULL);
    stream_open(&s, f, fail_at_once, false);
    assert_int_equal(wire_connect(&s.wire), 0);
    fx_settle(f);
    fx_assert_reports(f, "Unhandled exception in client_connected_cb ValueError");
    assert_true(s.wire.closing);
    f->used = 0;
    stream_close(&s);
}

static void loop_that_is_closed_under_clients_leaves_nothing_of_them(void **state)
{
    struct fixture *f = *state;
    struct fixture g;
    struct stream waiting, failed, new;

    assert_true(fx_open(&g));
    stream_open(&waiting, &g, serve, false);
    stream_open(&failed, &g, fail_at_once, false);
    stream_open(&new, &g, serve, false);
    assert_int_equal(wire_connect(&waiting.wire), 0);
    assert_int_equal(wire_connect(&failed.wire), 0);
    fx_step(&g); /* the one waits, the other has failed and nobody has looked */
    assert_int_equal(wire_connect(&new.wire), 0);
    assert_int_equal(aio_loop_close(g.loop), 0);
    assert_non_null(strstr(g.reported, "Task was destroyed but it is pending!"));
    g.reports = 0;
    stream_close(&waiting);
    stream_close(&failed);
    stream_close(&new);
    fx_close(&g);
    aio_set_event_loop(f->loop);
}

static void serve_short_of_memory(void *arg)
{
    static const aio_client_connected_fn clients[] = {serve, fail_at_once};
    struct fixture f;

    if (!fx_open(&f))
        return;
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        struct wire wire;
        aio_stream_reader *reader = aio_stream_reader_new(NULL, 1);
        aio_protocol *protocol = aio_stream_protocol_new(reader, clients[i], &f, false);
        int err;

        aio_stream_reader_unref(reader);
        if (protocol == NULL)
            continue;
        wire_init(&wire, &f, protocol);
        err = wire_connect(&wire);
        assert_true(err == 0 || wire.closing); /* nobody else could close it */
        (void)wire_data(&wire, "abc");
        fx_settle(&f);
        wire_lose(&wire, NULL);
        fx_settle(&f);
        f.used = 0;
        assert_int_equal(wire.refs, 0);
    }
    f.reports = 0;
    fx_close(&f);
}

static void serving_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(serve_short_of_memory, NULL) > 12);
}

/* --- over sockets --------------------------------------------------------------------------- */

enum { MUCH = 1000000, CHUNK = 1 << 16, REQUEST = 10000 };

/* Both ends of a connection. */
struct pair {
    aio_stream_reader *readers[2];
    aio_stream_writer *writers[2];
};

static int open_end(struct fixture *f, struct pair *pair, int end, int fd)
{
    aio_protocol *protocol;
    aio_transport *transport;
    int err;

    pair->readers[end] = aio_stream_reader_new(NULL, CHUNK / 4);
    protocol = aio_stream_protocol_new(pair->readers[end], NULL, NULL, false);
    assert_non_null(protocol);
    err = aio__stream_transport_new(f->loop, fd, protocol, NULL, NULL, &transport);
    assert_int_equal(err, 0);
    pair->writers[end] = aio_stream_writer_new(transport, protocol, pair->readers[end]);
    return pair->writers[end] == NULL ? -1 : 0;
}

static void open_pair(struct fixture *f, struct pair *pair)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(open_end(f, pair, 0, fds[0]), 0);
    assert_int_equal(open_end(f, pair, 1, fds[1]), 0);
    f->subject = pair;
}

static void close_pair(struct pair *pair)
{
    for (int end = 0; end < 2; end++) {
        aio_stream_writer_unref(pair->writers[end]);
        aio_stream_reader_unref(pair->readers[end]);
    }
}

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 31 + position / 251);
}

/* Write it all, as fast as the reader lets us, and the end behind it. */
static int send_much(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_stream_writer *writer = ((struct pair *)f->subject)->writers[0];
    unsigned char *chunk = aio_malloc(CHUNK);
    size_t sent = 0;
    int err = chunk == NULL ? AIO_ENOMEM : 0;

    while (err == 0 && sent < MUCH) {
        size_t size = MUCH - sent < CHUNK ? MUCH - sent : CHUNK;

        for (size_t i = 0; i < size; i++)
            chunk[i] = byte_at(sent + i);
        err = aio_stream_writer_write(writer, chunk, size);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        sent += size;
    }
    aio_free(chunk);
    return err < 0 ? err : aio_stream_writer_write_eof(writer);
}

static bool are_expected(const char *data, size_t position, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)data[i] != byte_at(position + i))
            return false;
    return true;
}

/* One of the ways to read: some bytes, which stay valid until the next call. */
static int receive_some(aio_stream_reader *reader, unsigned way, char *data, aio_bytes *bytes,
                        aio_buffer *ret_view)
{
    int err;

    *ret_view = (aio_buffer){.data = data, .size = REQUEST};
    switch (way) {
    case 0: return aio_stream_reader_readexactly_into(reader, data, REQUEST);
    case 1: return aio_stream_reader_read_into(reader, data, REQUEST, &ret_view->size);
    case 2:
        aio_bytes_free(bytes);
        err = aio_stream_reader_read(reader, REQUEST, bytes);
        *ret_view = (aio_buffer){.data = bytes->data, .size = bytes->size};
        return err;
    default: return aio_stream_reader_peek(reader, 1, ret_view);
    }
}

/* Read it in all ways in turn, and look at each byte. */
static int receive_much(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_stream_reader *reader = ((struct pair *)f->subject)->readers[1];
    char *data = aio_malloc(REQUEST);
    aio_bytes bytes = {.data = NULL};
    size_t position = 0;
    bool good = data != NULL;
    int err = 0;

    for (unsigned turn = 0; err == 0 && good && !aio_stream_reader_at_eof(reader); turn++) {
        unsigned way = MUCH - position < REQUEST ? 1 + turn % 3 : turn % 4;
        aio_buffer view;

        err = receive_some(reader, way, data, &bytes, &view);
        if (err < 0)
            break;
        good = are_expected(view.data, position, view.size);
        position += view.size;
        if (way == 3)
            err = aio_stream_reader_consume(reader, view.size);
    }
    aio_bytes_free(&bytes);
    aio_free(data);
    fx_note(f, "%s %zu", good ? "good" : "bad", position);
    return err;
}

static int transfer(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_task *tasks[2];
    int err = 0;

    tasks[0] = fx_spawn(f, "sender", send_much);
    tasks[1] = fx_spawn(f, "receiver", receive_much);
    for (int i = 0; i < 2 && err == 0; i++)
        err = aio_await(tasks[i], NULL);
    return err;
}

static int close_and_wait(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    struct pair *pair = f->subject;
    char byte;
    int err;

    aio_stream_writer_close(pair->writers[0]);
    fx_note(f, "near %s",
            aio_error_name(aio_stream_reader_readexactly_into(pair->readers[0], &byte, 1)));
    fx_note(f, "far %s",
            aio_error_name(aio_stream_reader_readexactly_into(pair->readers[1], &byte, 1)));
    aio_stream_writer_close(pair->writers[1]);
    err = aio_stream_writer_wait_closed(pair->writers[0]);
    return err < 0 ? err : aio_stream_writer_wait_closed(pair->writers[1]);
}

static void run(struct fixture *f, aio_coro_fn fn)
{
    aio_task *task = fx_spawn(f, "main", fn);

    assert_int_equal(aio_loop_run_until_complete(f->loop, task, NULL), 0);
}

static void streams_over_sockets_move_much_both_sides_keeping_step(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    open_pair(f, &pair);
    run(f, transfer);
    fx_assert_trace(f, "receiver good 1000000");
    run(f, close_and_wait);
    fx_assert_trace(f, "main near IncompleteReadError, main far IncompleteReadError");
    close_pair(&pair);
}

static void loop_may_be_closed_under_open_streams(void **state)
{
    struct fixture *f = *state;
    struct pair pair;

    open_pair(f, &pair);
    fx_step(f);
    assert_int_equal(aio_loop_close(f->loop), 0);
    close_pair(&pair);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(drain_of_a_buffer_with_room_needs_no_task_and_no_memory),
        TEST(drain_waits_for_writing_to_go_on_without_any_memory),
        TEST(drain_that_is_cancelled_leaves_the_others_waiting),
        TEST(drain_outside_a_task_says_so_when_it_would_wait),
        TEST(drain_gives_the_error_of_the_reader_before_that_of_the_connection),
        TEST(wait_closed_gives_how_the_connection_ended_also_afterwards),
        TEST(wait_closed_of_what_is_gone_needs_no_task_and_no_memory),
        TEST(wait_closed_without_memory_says_so_and_can_be_tried_again),
        TEST(writer_lives_for_as_long_as_somebody_waits_for_it),
        TEST(writer_hands_everything_else_to_its_transport),
        TEST(writer_that_could_not_be_made_gives_the_code_of_the_failure),
        TEST(writer_needs_a_transport_and_the_protocol_of_a_stream),
        TEST(last_writer_that_is_dropped_closes_the_connection),
        TEST(writer_that_was_closed_or_whose_loop_is_closes_nothing_when_dropped),
        TEST(debug_mode_tells_of_a_writer_that_nobody_closed),
        TEST(protocol_that_no_transport_takes_is_released_by_its_owner),
        TEST(protocol_refuses_a_second_connection),
        TEST(protocol_keeps_a_transport_open_behind_the_end_unless_it_is_over_tls),
        TEST(protocol_feeds_its_reader_and_passes_on_that_it_cannot),
        FX_TEST(client_runs_in_a_task_of_the_factory),
        FX_TEST(client_that_forgets_its_connection_has_it_closed),
        FX_TEST(client_that_keeps_its_writer_closes_the_connection_by_dropping_it),
        FX_TEST(debug_mode_tells_of_a_client_that_left_its_connection_open),
        FX_TEST(client_that_fails_is_reported_and_its_connection_closed),
        FX_TEST(client_that_is_cancelled_has_its_connection_closed_without_a_report),
        FX_TEST(plain_client_is_called_inside_connection_made),
        FX_TEST(client_that_starts_eagerly_is_served_alike),
        FX_TEST(loop_that_is_closed_under_clients_leaves_nothing_of_them),
        FX_TEST(serving_survives_every_shortage_of_memory),
        FX_TEST_REAL(streams_over_sockets_move_much_both_sides_keeping_step),
        FX_TEST_REAL(loop_may_be_closed_under_open_streams),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
