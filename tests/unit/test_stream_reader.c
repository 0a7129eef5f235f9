/* SPDX-License-Identifier: MIT */
/*
 * test_stream_reader.c - a stream's reader, where no case of the parity corpus looks
 *
 * What reads return and when they wake is pinned by tests/parity/streams.txt.
 */
#include "base/memory.h"
#include "support/reading.h"
#include "support/wire.h"

#include <aio/memory.h>
#include <aio/stream.h>
#include <string.h>

/* --- making ---------------------------------------------------------------------------- */

static void reader_is_made_for_the_loop_named_or_the_current_one(void **state)
{
    struct fixture *f = *state;
    aio_stream_reader *reader = aio_stream_reader_new(f->loop, AIO_STREAM_LIMIT);

    assert_non_null(reader);
    assert_ptr_equal(aio_stream_reader_ref(reader), reader);
    aio_stream_reader_unref(reader);
    assert_false(aio_stream_reader_at_eof(reader));
    assert_null(aio_stream_reader_exception(reader));
    aio_stream_reader_unref(reader);

    aio_set_event_loop(NULL);
    assert_null(aio_stream_reader_new(NULL, 1));
    assert_int_equal(aio_last_failure(), AIO_ENOLOOP);
    aio_set_event_loop(f->loop);
}

static void reader_refuses_a_limit_that_is_none_or_less(void **state)
{
    static const size_t limits[] = {0, (size_t)-1, (size_t)PTRDIFF_MAX + 1};

    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        assert_null(aio_stream_reader_new(NULL, limits[i]));
        assert_int_equal(aio_last_failure(), AIO_EVALUE);
    }
}

static void reader_of_a_closed_loop_is_not_made(void **state)
{
    struct fixture g;

    assert_true(fx_open(&g));
    assert_int_equal(aio_loop_close(g.loop), 0);
    assert_null(aio_stream_reader_new(g.loop, 1));
    assert_int_equal(aio_last_failure(), AIO_ECLOSED);
    fx_close(&g);
}

static void reader_may_be_dropped_after_its_loop(void **state)
{
    aio_stream_reader *reader;
    struct fixture g;

    assert_true(fx_open(&g));
    reader = aio_stream_reader_new(g.loop, 1);
    assert_int_equal(aio_stream_reader_feed_data(reader, "abc", 3), 0);
    fx_close(&g);
    aio_stream_reader_unref(reader);
}

static void reader_that_could_not_be_made_gives_the_code_of_the_failure(void **state)
{
    aio_stream_reader *reader;
    aio_buffer view;
    aio_bytes bytes;
    char data[1];
    size_t size;

    aio__fail_allocation(1);
    reader = aio_stream_reader_new(NULL, 1);
    assert_null(reader);
    assert_int_equal(aio_stream_reader_read(reader, 1, &bytes), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_read_into(reader, data, 1, &size), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_readline(reader, &bytes), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_readexactly(reader, 1, &bytes), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_readexactly_into(reader, data, 1), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_readuntil(reader, "x", 1, &bytes), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_peek(reader, 1, &view), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_consume(reader, 0), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_feed_data(reader, "x", 1), AIO_ENOMEM);
    assert_int_equal(aio_stream_reader_set_transport(reader, NULL), AIO_ENOMEM);
    assert_null(aio_stream_protocol_new(reader, NULL, NULL, false));
    assert_int_equal(aio_last_failure(), AIO_ENOMEM);
    assert_true(aio_stream_reader_at_eof(reader));
    assert_null(aio_stream_reader_exception(reader));
    assert_null(aio_stream_reader_ref(reader));
    aio_stream_reader_feed_eof(reader);
    aio_stream_reader_set_exception(reader, NULL);
    aio_stream_reader_unref(reader);
}

/* --- memory ---------------------------------------------------------------------------- */

static void reader_that_was_drained_has_no_memory_but_itself(void **state)
{
    struct fixture *f = *state;
    size_t before = live_allocations();
    aio_bytes bytes;

    reading_feed(f, "abc\ndef");
    assert_int_equal(live_allocations(), before + 1);
    assert_int_equal(aio_stream_reader_readline(f->subject, &bytes), 0);
    aio_bytes_free(&bytes);
    assert_int_equal(aio_stream_reader_consume(f->subject, 3), 0);
    assert_int_equal(live_allocations(), before);
}

static void read_of_all_that_is_buffered_gets_the_buffer_itself(void **state)
{
    struct fixture *f = *state;
    aio_bytes bytes;

    reading_feed(f, "abc");
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_read(f->subject, 100, &bytes), 0);
    assert_false(aio__fail_allocation_happened());
    assert_int_equal(bytes.size, 3);
    assert_string_equal(bytes.data, "abc");
    aio_bytes_free(&bytes);
    assert_null(bytes.data);
    assert_int_equal(bytes.size, 0);
    aio_bytes_free(&bytes);
    aio_bytes_free(NULL);
}

/* Who looks at bytes has them in memory that is passed on, and larger. */
static void read_gets_the_buffer_itself_again_once_bytes_are_not_looked_at_any_more(void **state)
{
    struct fixture *f = *state;
    aio_buffer view;
    aio_bytes bytes;

    reading_feed(f, "abc");
    assert_int_equal(aio_stream_reader_peek(f->subject, 1, &view), 0);
    assert_int_equal(aio_stream_reader_consume(f->subject, 3), 0);
    for (int i = 0; i < 3; i++) {
        reading_feed(f, "def");
        aio__fail_allocation(1);
        if (i == 0) { /* it is copied */
            assert_int_equal(aio_stream_reader_read(f->subject, 100, &bytes), AIO_ENOMEM);
            assert_true(aio__fail_allocation_happened());
        }
        assert_int_equal(aio_stream_reader_read(f->subject, 100, &bytes), 0);
        assert_false(i > 0 && aio__fail_allocation_happened());
        aio__fail_allocation(0);
        assert_string_equal(bytes.data, "def");
        aio_bytes_free(&bytes);
    }
}

static void read_into_gets_what_comes_while_it_waits_without_any_memory(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", reading_read_into_to_the_end);
    fx_settle(f);
    aio__fail_allocation(1);
    for (int i = 0; i < 10; i++) {
        reading_feed(f, "ab");
        reading_feed(f, "cd");
        fx_settle(f);
        fx_assert_trace(f, "A read_into 4 'abcd'");
    }
    assert_false(aio__fail_allocation_happened());
}

static void waiting_for_more_than_twice_the_limit_into_memory_buffers_nothing(void **state)
{
    struct fixture *f = *state;
    size_t before;

    aio_stream_reader_unref(f->subject);
    f->subject = aio_stream_reader_new(NULL, 1);
    (void)fx_spawn(f, "A", reading_read_ten_exactly_into);
    fx_settle(f);
    before = live_allocations();
    for (int i = 0; i < 3; i++) {
        reading_feed(f, "abc");
        fx_settle(f);
        assert_int_equal(live_allocations(), before);
    }
    reading_feed(f, "defg");
    fx_settle(f);
    fx_assert_trace(f, "A readexactly_into 'abcabcabcd'");
    assert_int_equal(aio_stream_reader_consume(f->subject, 3), 0);
}

/* --- looking --------------------------------------------------------------------------- */

static void peek_shows_all_that_is_buffered_and_takes_nothing(void **state)
{
    struct fixture *f = *state;
    aio_buffer view;

    (void)fx_spawn(f, "A", reading_peek_four);
    fx_settle(f);
    reading_feed(f, "abc");
    fx_settle(f);
    fx_assert_trace(f, "");
    reading_feed(f, "def");
    fx_settle(f);
    fx_assert_trace(f, "A peek 'abcdef'");
    assert_int_equal(aio_stream_reader_consume(f->subject, 2), 0);
    assert_int_equal(aio_stream_reader_peek(f->subject, 1, &view), 0);
    assert_int_equal(view.size, 4);
    assert_memory_equal(view.data, "cdef", 4);
    assert_int_equal(aio_stream_reader_consume(f->subject, 4), 0);
}

static void peek_at_the_end_shows_what_there_is_or_nothing(void **state)
{
    struct fixture *f = *state;
    aio_buffer view;

    (void)fx_spawn(f, "A", reading_peek_four);
    fx_settle(f);
    reading_feed(f, "ab");
    aio_stream_reader_feed_eof(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A peek 'ab'");
    assert_int_equal(aio_stream_reader_consume(f->subject, 2), 0);
    assert_int_equal(aio_stream_reader_peek(f->subject, 4, &view), 0);
    assert_null(view.data);
    assert_int_equal(view.size, 0);
}

static void peek_and_consume_refuse_sizes_out_of_bounds(void **state)
{
    struct fixture *f = *state;
    aio_buffer view;

    aio_stream_reader_set_exception(f->subject, NULL);
    assert_int_equal(aio_stream_reader_peek(f->subject, 0, &view), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_peek(f->subject, 2 * READING_LIMIT + 1, &view), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_peek(f->subject, 2 * READING_LIMIT, &view), AIO_ENOMEM);
    reading_feed(f, "abc");
    assert_int_equal(aio_stream_reader_consume(f->subject, 4), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_consume(f->subject, 3), 0);
}

static void consume_lets_the_transport_go_on(void **state)
{
    struct fixture *f = *state;
    struct wire wire;

    wire_init(&wire, f, NULL);
    assert_int_equal(aio_stream_reader_set_transport(f->subject, &wire.base), 0);
    reading_feed(f, "0123456789abcdefgh");
    fx_assert_trace(f, "- pause_reading");
    assert_int_equal(aio_stream_reader_consume(f->subject, 9), 0);
    fx_assert_trace(f, "");
    assert_int_equal(aio_stream_reader_consume(f->subject, 1), 0);
    fx_assert_trace(f, "- resume_reading");
    assert_int_equal(aio_stream_reader_consume(f->subject, 8), 0);
    aio_stream_reader_unref(f->subject);
    f->subject = NULL;
    assert_int_equal(wire.refs, 0);
}

/* --- the transport ---------------------------------------------------------------------- */

static void reader_takes_one_transport_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct wire wire;

    wire_init(&wire, f, NULL);
    assert_int_equal(aio_stream_reader_set_transport(f->subject, NULL), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_set_transport(f->subject, &wire.base), 0);
    assert_int_equal(aio_stream_reader_set_transport(f->subject, &wire.base), AIO_EASSERTION);
    assert_int_equal(wire.refs, 1);
    aio_stream_reader_unref(f->subject);
    f->subject = NULL;
    assert_int_equal(wire.refs, 0);
}

/* asyncio's limit is 64 KiB, and reading pauses beyond twice as much. */
static void reader_of_the_usual_limit_pauses_beyond_128_kib(void **state)
{
    static const char much[128 * 1024];
    struct fixture *f = *state;
    aio_stream_reader *reader = aio_stream_reader_new(f->loop, AIO_STREAM_LIMIT);
    struct wire wire;

    wire_init(&wire, f, NULL);
    assert_int_equal(aio_stream_reader_set_transport(reader, &wire.base), 0);
    assert_int_equal(aio_stream_reader_feed_data(reader, much, sizeof(much)), 0);
    fx_assert_trace(f, "");
    assert_int_equal(aio_stream_reader_feed_data(reader, "x", 1), 0);
    fx_assert_trace(f, "- pause_reading");
    aio_stream_reader_unref(reader);
}

static void data_in_the_memory_of_who_waits_counts_as_buffered(void **state)
{
    struct fixture *f = *state;
    struct wire wire;

    wire_init(&wire, f, NULL);
    assert_int_equal(aio_stream_reader_set_transport(f->subject, &wire.base), 0);
    (void)fx_spawn(f, "A", reading_read_into);
    fx_settle(f);
    reading_feed(f, "0123456789abcdef");
    assert_false(aio_stream_reader_at_eof(f->subject));
    fx_assert_trace(f, "");
    reading_feed(f, "g");
    fx_assert_trace(f, "- pause_reading");
    fx_settle(f);
    fx_assert_trace(f, "A read_into 4 '0123'");
    assert_int_equal(aio_stream_reader_consume(f->subject, 13), 0);
    fx_assert_trace(f, "- resume_reading");
    aio_stream_reader_unref(f->subject);
    f->subject = NULL;
}

static void reader_passes_on_what_the_transport_fails_with(void **state)
{
    struct fixture *f = *state;
    struct wire wire;
    aio_bytes bytes;

    wire_init(&wire, f, NULL);
    wire.pause_code = -EIO;
    wire.resume_code = -EBADF;
    assert_int_equal(aio_stream_reader_set_transport(f->subject, &wire.base), 0);
    assert_int_equal(aio_stream_reader_feed_data(f->subject, "0123456789abcdefgh", 18), -EIO);
    wire.pause_code = 0;
    reading_feed(f, "i");
    fx_assert_trace(f, "- pause_reading, - pause_reading");
    assert_int_equal(aio_stream_reader_read(f->subject, 18, &bytes), -EBADF);
    fx_assert_trace(f, "- resume_reading");
    reading_feed(f, "0123456789abcdef");
    fx_assert_trace(f, "- pause_reading");
    (void)fx_spawn(f, "A", reading_readline); /* is too long, and dropped */
    fx_settle(f);
    fx_assert_trace(f, "A resume_reading, A readline ! OSError");
    aio_stream_reader_unref(f->subject);
    f->subject = NULL;
}

static void wait_that_the_transport_refuses_leaves_no_trace_in_the_reader(void **state)
{
    struct fixture *f = *state;
    struct wire wire;
    char data[30];

    wire_init(&wire, f, NULL);
    wire.resume_code = -EBADF;
    assert_int_equal(aio_stream_reader_set_transport(f->subject, &wire.base), 0);
    reading_feed(f, "0123456789abcdefgh");
    assert_int_equal(aio_stream_reader_readexactly_into(f->subject, data, sizeof(data)), -EBADF);
    assert_int_equal(aio_stream_reader_consume(f->subject, 18), 0);
    fx_assert_trace(f, "- pause_reading, - resume_reading");
    reading_feed(f, "abc");
    (void)fx_spawn(f, "A", reading_read_into);
    fx_settle(f);
    fx_assert_trace(f, "A read_into 3 'abc'");
    aio_stream_reader_unref(f->subject);
    f->subject = NULL;
}

static void transport_that_cannot_be_paused_is_asked_once_and_let_go(void **state)
{
    struct fixture *f = *state;
    struct wire wire;

    wire_init(&wire, f, NULL);
    wire.pause_code = AIO_ENOTIMPLEMENTED;
    assert_int_equal(aio_stream_reader_set_transport(f->subject, &wire.base), 0);
    reading_feed(f, "0123456789abcdefgh");
    reading_feed(f, "0123456789abcdefgh");
    fx_assert_trace(f, "- pause_reading");
    assert_int_equal(wire.refs, 0);
    assert_int_equal(aio_stream_reader_consume(f->subject, 36), 0);
    fx_assert_trace(f, "");
}

/* --- misuse ---------------------------------------------------------------------------- */

static void every_read_beside_one_that_waits_is_refused(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < READING_COUNT; i++) {
        char expected[100];

        (void)fx_spawn(f, "A", reading_all[i].fn);
        fx_settle(f);
        (void)fx_spawn(f, "B", reading_all[i].fn);
        fx_settle(f);
        (void)snprintf(expected, sizeof(expected), "B %s ! RuntimeError", reading_all[i].name);
        fx_assert_trace(f, expected);
        fx_end_tasks(f);
        (void)snprintf(expected, sizeof(expected), "A %s ! CancelledError", reading_all[i].name);
        fx_assert_trace(f, expected);
    }
}

static void every_read_raises_the_error_of_the_reader_whatever_is_buffered(void **state)
{
    struct fixture *f = *state;
    AIO_AUTO(aio_exception) error = aio_exception_new(-EPIPE, "gone");

    reading_feed(f, "0123456789;\n");
    aio_stream_reader_set_exception(f->subject, error);
    assert_ptr_equal(aio_stream_reader_exception(f->subject), error);
    for (size_t i = 0; i < READING_COUNT; i++) {
        char expected[100];

        (void)fx_spawn(f, "A", reading_all[i].fn);
        fx_settle(f);
        (void)snprintf(expected, sizeof(expected), "A %s ! BrokenPipeError", reading_all[i].name);
        fx_assert_trace(f, expected);
    }
    assert_int_equal(aio_stream_reader_consume(f->subject, 12), 0);
}

static void every_read_outside_a_task_gives_what_is_there_or_says_so(void **state)
{
    struct fixture *f = *state;
    aio_buffer view;
    aio_bytes bytes;
    char data[4];
    size_t size;

    assert_int_equal(aio_stream_reader_read(f->subject, 1, &bytes), AIO_ENOTASK);
    assert_int_equal(aio_stream_reader_read(f->subject, -1, &bytes), AIO_ENOTASK);
    assert_int_equal(aio_stream_reader_readline(f->subject, &bytes), AIO_ENOTASK);
    assert_int_equal(aio_stream_reader_readexactly(f->subject, 4, &bytes), AIO_ENOTASK);
    assert_int_equal(aio_stream_reader_peek(f->subject, 1, &view), AIO_ENOTASK);
    assert_int_equal(aio_stream_reader_read_into(f->subject, data, 4, &size), AIO_ENOTASK);
    reading_feed(f, "ab");
    assert_int_equal(aio_stream_reader_readexactly_into(f->subject, data, 4), AIO_ENOTASK);
    assert_int_equal(aio_stream_reader_read_into(f->subject, data, 4, &size), 0);
    assert_int_equal(size, 2);
    assert_memory_equal(data, "ab", 2);
}

static void bad_arguments_are_found_before_the_error_of_the_reader(void **state)
{
    static const aio_buffer one_empty[] = {{"x", 1}, {"", 0}};
    struct fixture *f = *state;
    aio_bytes bytes;
    char data[1];
    size_t size;

    aio_stream_reader_set_exception(f->subject, NULL);
    assert_int_equal(aio_stream_reader_readexactly(f->subject, (size_t)-1, &bytes), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_readexactly_into(f->subject, data, (size_t)-1), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_readexactly_into(f->subject, NULL, 1), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_read_into(f->subject, data, 0, &size), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_read_into(f->subject, NULL, 1, &size), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_readuntil(f->subject, "", 0, &bytes), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_readuntil_any(f->subject, NULL, 0, &bytes), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_readuntil_any(f->subject, one_empty, 2, &bytes), AIO_EVALUE);
    assert_int_equal(aio_stream_reader_readuntil_any(f->subject, one_empty, 1, &bytes), AIO_ENOMEM);
}

static void reader_cannot_be_fed_behind_its_end(void **state)
{
    struct fixture *f = *state;

    aio_stream_reader_feed_eof(f->subject);
    assert_int_equal(aio_stream_reader_feed_data(f->subject, "x", 1), AIO_EASSERTION);
    assert_int_equal(aio_stream_reader_feed_data(f->subject, "", 0), AIO_EASSERTION);
    assert_true(aio_stream_reader_at_eof(f->subject));
}

static void errors_of_other_kinds_have_nothing_to_tell(void **state)
{
    static const int codes[] = {AIO_EVALUE, AIO_EINCOMPLETEREAD, AIO_ELIMITOVERRUN};

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        AIO_AUTO(aio_exception) error = aio_exception_new(codes[i], "by the program");

        assert_null(aio_exception_partial(error).data);
        assert_int_equal(aio_exception_partial(error).size, 0);
        assert_int_equal(aio_exception_expected(error), -1);
        assert_int_equal(aio_exception_consumed(error), 0);
    }
    assert_int_equal(aio_exception_partial(NULL).size, 0);
    assert_int_equal(aio_exception_expected(NULL), -1);
    assert_int_equal(aio_exception_consumed(NULL), 0);
}

/* --- lifetimes -------------------------------------------------------------------------- */

static void reader_lives_for_as_long_as_somebody_waits_for_it(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < READING_COUNT; i++) {
        aio_stream_reader *reader = f->subject;

        (void)fx_spawn(f, "A", reading_all[i].fn);
        fx_settle(f);
        aio_stream_reader_feed_eof(reader);
        f->subject = aio_stream_reader_new(NULL, READING_LIMIT);
        aio_stream_reader_unref(reader);
        fx_settle(f);
        f->used = 0; /* what each gives at the end is another test's */
    }
}

static void tasks_that_wait_when_the_loop_is_closed_let_go_of_the_reader(void **state)
{
    for (size_t i = 0; i < READING_COUNT; i++) {
        struct fixture g;
        char expected[100];

        assert_true(fx_open(&g));
        g.subject = aio_stream_reader_new(NULL, READING_LIMIT);
        (void)fx_spawn(&g, "A", reading_all[i].fn);
        fx_settle(&g);
        assert_int_equal(aio_stream_reader_feed_data(g.subject, "ab", 2), 0);
        assert_int_equal(aio_loop_close(g.loop), 0);
        (void)snprintf(expected, sizeof(expected), "A %s ! GeneratorExit", reading_all[i].name);
        fx_assert_trace(&g, expected);
        fx_assert_reports(&g, "Task was destroyed but it is pending!");
        assert_int_equal(aio_stream_reader_consume(g.subject, 2), 0); /* which are still there */
        aio_stream_reader_unref(g.subject);
        fx_close(&g);
    }
}

static int try_again_and_again(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    char data[4];
    size_t size;

    while (f->subject != NULL)
        (void)aio_stream_reader_read_into(f->subject, data, sizeof(data), &size);
    return 0;
}

static void task_that_goes_on_reading_while_the_loop_is_closed_is_left_behind(void **state)
{
    struct fixture g;

    assert_true(fx_open(&g));
    g.subject = aio_stream_reader_new(NULL, READING_LIMIT);
    (void)fx_spawn(&g, "A", try_again_and_again);
    fx_settle(&g);
    assert_int_equal(aio_loop_close(g.loop), 0);
    fx_assert_reports(&g, "Task was destroyed but it is pending!");
    assert_int_equal(aio_stream_reader_feed_data(g.subject, "ab", 2), 0); /* not to its stack */
    assert_int_equal(aio_stream_reader_consume(g.subject, 2), 0);
    aio_stream_reader_unref(g.subject);
    aio_stream_reader_unref(g.subject); /* the call's own, which never ended */
    fx_close(&g);
}

/* --- shortage ---------------------------------------------------------------------------- */

/* What was not read for want of memory is read by trying again. */
static void read_that_lacks_memory_takes_nothing(void **state)
{
    struct fixture *f = *state;
    aio_bytes bytes = {.data = NULL};

    reading_feed(f, "ab\ncd;ef");
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_read(f->subject, 4, &bytes), AIO_ENOMEM);
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_readline(f->subject, &bytes), AIO_ENOMEM);
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_readuntil(f->subject, ";", 1, &bytes), AIO_ENOMEM);
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_readexactly(f->subject, 4, &bytes), AIO_ENOMEM);
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_feed_data(f->subject, "0123456789", 10), AIO_ENOMEM);
    aio_stream_reader_feed_eof(f->subject);
    for (size_t nth = 1; nth <= 2; nth++) {
        char data[20];

        aio__fail_allocation(nth);
        assert_int_equal(aio_stream_reader_readexactly(f->subject, 11, &bytes), AIO_ENOMEM);
        aio__fail_allocation(nth);
        assert_int_equal(aio_stream_reader_readuntil(f->subject, "X", 1, &bytes), AIO_ENOMEM);
        aio__fail_allocation(nth);
        assert_int_equal(aio_stream_reader_readexactly_into(f->subject, data, 20), AIO_ENOMEM);
    }
    assert_null(bytes.data);
    assert_int_equal(aio_stream_reader_read(f->subject, -1, &bytes), 0);
    assert_string_equal(bytes.data, "ab\ncd;ef");
    aio_bytes_free(&bytes);
}

static void run_short_of_memory(void *arg)
{
    struct fixture f;

    if (!fx_open(&f))
        return;
    for (size_t i = 0; i < READING_COUNT; i++) {
        f.subject = aio_stream_reader_new(NULL, READING_LIMIT);
        (void)fx_spawn(&f, "A", reading_all[i].fn);
        fx_settle(&f);
        (void)aio_stream_reader_feed_data(f.subject, "012", 3);
        (void)fx_spawn(&f, "B", reading_all[i].fn);
        fx_step(&f);
        (void)aio_stream_reader_feed_data(f.subject, "3456789;\n", 9);
        fx_settle(&f);
        aio_stream_reader_feed_eof(f.subject);
        fx_settle(&f);
        for (size_t j = 0; j < f.task_count; j++)
            assert_true(aio_future_done(f.tasks[j]));
        aio_stream_reader_unref(f.subject);
    }
    f.reports = 0; /* reads fail */
    fx_close(&f);
}

static void reader_survives_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 30);
}

/* --- lines ------------------------------------------------------------------------------ */

static int iterate(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    aio_iterator *lines = aio_stream_reader_iterator(f->subject);
    void *item = NULL;
    int err;

    while ((err = aio_anext(lines, &item)) == 0) {
        const aio_bytes *line = item;

        fx_note(f, "%zu '%.*s'", line->size, (int)strcspn(line->data, "\n"), line->data);
    }
    return fx_note_code(f, "over", err);
}

static void lines_are_an_iterator_whose_end_is_stop(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", iterate);
    reading_feed(f, "ab\nc");
    fx_settle(f);
    reading_feed(f, "d\nlast");
    aio_stream_reader_feed_eof(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A 3 'ab', A 3 'cd', A 4 'last', A over ! StopIteration");
}

static void iterator_goes_on_after_a_line_over_the_limit(void **state)
{
    struct fixture *f = *state;

    reading_feed(f, "far too long\nok\n");
    (void)fx_spawn(f, "A", iterate);
    fx_settle(f);
    fx_assert_trace(f, "A over ! ValueError");
    aio_stream_reader_feed_eof(f->subject);
    (void)fx_spawn(f, "B", iterate);
    fx_settle(f);
    fx_assert_trace(f, "B 3 'ok', B over ! StopIteration");
}

static void line_taken_from_the_iterator_is_the_callers(void **state)
{
    struct fixture *f = *state;
    aio_iterator *lines = aio_stream_reader_iterator(f->subject);
    void *item = NULL;
    char *kept;

    assert_null(aio_stream_reader_iterator(NULL));
    reading_feed(f, "a\nb\n");
    assert_int_equal(aio_anext(lines, &item), 0);
    kept = ((aio_bytes *)item)->data;
    ((aio_bytes *)item)->data = NULL;
    assert_int_equal(aio_anext(lines, &item), 0);
    assert_memory_equal(kept, "a\n", 2);
    aio_free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        READING_TEST(reader_is_made_for_the_loop_named_or_the_current_one),
        READING_TEST(reader_refuses_a_limit_that_is_none_or_less),
        READING_TEST(reader_of_a_closed_loop_is_not_made),
        READING_TEST(reader_may_be_dropped_after_its_loop),
        READING_TEST(reader_that_could_not_be_made_gives_the_code_of_the_failure),
        READING_TEST(reader_that_was_drained_has_no_memory_but_itself),
        READING_TEST(read_of_all_that_is_buffered_gets_the_buffer_itself),
        READING_TEST(read_gets_the_buffer_itself_again_once_bytes_are_not_looked_at_any_more),
        READING_TEST(read_into_gets_what_comes_while_it_waits_without_any_memory),
        READING_TEST(waiting_for_more_than_twice_the_limit_into_memory_buffers_nothing),
        READING_TEST(peek_shows_all_that_is_buffered_and_takes_nothing),
        READING_TEST(peek_at_the_end_shows_what_there_is_or_nothing),
        READING_TEST(peek_and_consume_refuse_sizes_out_of_bounds),
        READING_TEST(consume_lets_the_transport_go_on),
        READING_TEST(reader_takes_one_transport_and_no_other),
        READING_TEST(reader_of_the_usual_limit_pauses_beyond_128_kib),
        READING_TEST(data_in_the_memory_of_who_waits_counts_as_buffered),
        READING_TEST(reader_passes_on_what_the_transport_fails_with),
        READING_TEST(wait_that_the_transport_refuses_leaves_no_trace_in_the_reader),
        READING_TEST(transport_that_cannot_be_paused_is_asked_once_and_let_go),
        READING_TEST(every_read_beside_one_that_waits_is_refused),
        READING_TEST(every_read_raises_the_error_of_the_reader_whatever_is_buffered),
        READING_TEST(every_read_outside_a_task_gives_what_is_there_or_says_so),
        READING_TEST(bad_arguments_are_found_before_the_error_of_the_reader),
        READING_TEST(reader_cannot_be_fed_behind_its_end),
        READING_TEST(errors_of_other_kinds_have_nothing_to_tell),
        READING_TEST(reader_lives_for_as_long_as_somebody_waits_for_it),
        READING_TEST(tasks_that_wait_when_the_loop_is_closed_let_go_of_the_reader),
        READING_TEST(task_that_goes_on_reading_while_the_loop_is_closed_is_left_behind),
        READING_TEST(read_that_lacks_memory_takes_nothing),
        READING_TEST(reader_survives_every_shortage_of_memory),
        READING_TEST(lines_are_an_iterator_whose_end_is_stop),
        READING_TEST(iterator_goes_on_after_a_line_over_the_limit),
        READING_TEST(line_taken_from_the_iterator_is_the_callers),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
