/* SPDX-License-Identifier: MIT */
/*
 * test_stream_into.c - reading from a stream into memory of the caller's
 */
#include "base/memory.h"
#include "support/reading.h"

#include <aio/memory.h>
#include <string.h>

/* --- reading into memory ---------------------------------------------------------------- */

static void read_into_leaves_in_the_reader_what_does_not_fit(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", reading_read_into_to_the_end);
    fx_settle(f);
    reading_feed(f, "abcdef");
    reading_feed(f, "ghij");
    fx_settle(f);
    fx_assert_trace(f, "A read_into 4 'abcd', A read_into 4 'efgh', A read_into 2 'ij'");
    reading_feed(f, "kl");
    aio_stream_reader_feed_eof(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A read_into 2 'kl', A read_into 0 ''");
}

/* As with asyncio's read(): who was woken has no claim to what woke it. */
static void data_that_came_for_read_into_is_read_by_who_reads_before_it(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", reading_read_into);
    fx_settle(f);
    (void)fx_spawn(f, "B", reading_read_four_exactly); /* its turn is before that of A */
    reading_feed(f, "abcde");
    fx_settle(f);
    fx_assert_trace(f, "B readexactly 4 'abcd', A read_into 1 'e'");
}

static void read_into_whose_data_was_all_read_by_others_gives_none_without_an_end(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", reading_read_into);
    fx_settle(f);
    (void)fx_spawn(f, "B", reading_read_some);
    (void)fx_spawn(f, "C",
                   reading_readline); /* begins to wait before A goes on, and is forgotten */
    reading_feed(f, "abc");
    fx_settle(f);
    fx_assert_trace(f, "B read 3 'abc', A read_into 0 ''");
    assert_false(aio_stream_reader_at_eof(f->subject));
    reading_feed(f, "\n");
    fx_settle(f);
    fx_assert_trace(f, "");
    assert_int_equal(aio_stream_reader_consume(f->subject, 1), 0);
    fx_end_tasks(f);
    fx_assert_trace(f, "C readline ! CancelledError");
}

/* The same with memory of its own: what comes must not wait there for one who is not woken. */
static void memory_of_a_reader_that_was_forgotten_gets_nothing_any_more(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", reading_read_into);
    fx_settle(f);
    (void)fx_spawn(f, "B", reading_read_some);
    (void)fx_spawn(f, "C", reading_read_ten_exactly_into);
    reading_feed(f, "abc");
    fx_settle(f);
    fx_assert_trace(f, "B read 3 'abc', A read_into 0 ''");
    reading_feed(f, "def");
    (void)fx_spawn(f, "D", reading_read_into);
    fx_settle(f);
    fx_assert_trace(f, "D read_into 3 'def'");
    fx_end_tasks(f);
    fx_assert_trace(f, "C readexactly_into ! CancelledError");
}

static void readexactly_into_goes_on_behind_what_another_has_read(void **state)
{
    struct fixture *f = *state;

    (void)fx_spawn(f, "A", reading_read_ten_exactly_into);
    fx_settle(f);
    reading_feed(f, "123");
    fx_settle(f);
    (void)fx_spawn(f, "B", reading_read_four_exactly); /* while A waits with three: refused */
    fx_settle(f);
    fx_assert_trace(f, "B readexactly ! RuntimeError");
    (void)fx_spawn(f, "C", reading_read_some); /* but three are there to be read */
    fx_settle(f);
    fx_assert_trace(f, "C read 3 '123'");
    reading_feed(f, "4567");
    fx_settle(f);
    reading_feed(f, "89abcdef");
    fx_settle(f);
    fx_assert_trace(f, "A readexactly_into '456789abcd'");
    assert_int_equal(aio_stream_reader_consume(f->subject, 2), 0);
}

static void readexactly_into_begins_with_what_is_buffered(void **state)
{
    struct fixture *f = *state;

    reading_feed(f, "0123456789ab");
    (void)fx_spawn(f, "A", reading_read_ten_exactly_into);
    fx_settle(f);
    fx_assert_trace(f, "A readexactly_into '0123456789'");
    (void)fx_spawn(f, "B", reading_read_ten_exactly_into);
    fx_settle(f);
    reading_feed(f, "cdefghij");
    fx_settle(f);
    fx_assert_trace(f, "B readexactly_into 'abcdefghij'");
    assert_true(aio_stream_reader_consume(f->subject, 0) == 0);
}

static void readexactly_into_of_nothing_waits_for_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(aio_stream_reader_readexactly_into(f->subject, NULL, 0), 0);
    aio_stream_reader_set_exception(f->subject, NULL);
    assert_int_equal(aio_stream_reader_readexactly_into(f->subject, NULL, 0), AIO_ENOMEM);
}

static int read_ten_and_look_at_the_error(void *arg, void **ret_result)
{
    struct fixture *f = arg;
    AIO_AUTO(aio_exception) error = NULL;
    aio_buffer partial;
    char data[10];
    int code = aio_stream_reader_readexactly_into(f->subject, data, sizeof(data));

    error = aio_error_catch(code);
    partial = aio_exception_partial(error);
    fx_note(f, "'%.*s' of %td", (int)partial.size, (const char *)partial.data,
            aio_exception_expected(error));
    return 0;
}

static void readexactly_into_at_the_end_gives_what_there_was_with_the_error(void **state)
{
    struct fixture *f = *state;

    reading_feed(f, "ab");
    (void)fx_spawn(f, "A", read_ten_and_look_at_the_error);
    fx_settle(f);
    reading_feed(f, "cd");
    aio_stream_reader_feed_eof(f->subject);
    fx_settle(f);
    fx_assert_trace(f, "A 'abcd' of 10");
    assert_true(aio_stream_reader_at_eof(f->subject));
}

/* --- cancelling ------------------------------------------------------------------------ */

/* asyncio: cancelling a read leaves the buffer as it is. */
static void read_into_that_is_cancelled_with_data_in_its_memory_puts_it_back(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", reading_read_into);

    fx_settle(f);
    reading_feed(f, "abcdef");
    (void)aio_task_cancel(a, NULL);
    (void)fx_spawn(f, "B", reading_read_some);
    fx_settle(f);
    fx_assert_trace(f, "A read_into ! CancelledError, B read 6 'abcdef'");
}

static void readexactly_into_that_is_cancelled_puts_back_what_it_had(void **state)
{
    struct fixture *f = *state;
    aio_task *a;

    reading_feed(f, "ab");
    a = fx_spawn(f, "A", reading_read_ten_exactly_into);
    fx_settle(f);
    reading_feed(f, "cd");
    fx_settle(f);
    (void)aio_task_cancel(a, NULL);
    fx_settle(f);
    fx_assert_trace(f, "A readexactly_into ! CancelledError");
    (void)fx_spawn(f, "B", reading_read_four_exactly);
    fx_settle(f);
    fx_assert_trace(f, "B readexactly 4 'abcd'");
}

static void data_that_cannot_be_put_back_is_not_lost_in_silence(void **state)
{
    struct fixture *f = *state;
    aio_task *a = fx_spawn(f, "A", reading_read_into);

    fx_settle(f);
    reading_feed(f, "abc");
    (void)aio_task_cancel(a, NULL);
    aio__fail_allocation(1);
    fx_settle(f);
    assert_true(aio__fail_allocation_happened());
    fx_assert_trace(f, "A read_into ! CancelledError");
    assert_int_equal(aio_exception_code(aio_stream_reader_exception(f->subject)), AIO_ENOMEM);
    (void)fx_spawn(f, "B", reading_read_some);
    fx_settle(f);
    fx_assert_trace(f, "B read ! MemoryError");
}

static void who_cannot_get_data_out_of_the_memory_of_another_reads_nothing(void **state)
{
    struct fixture *f = *state;
    aio_bytes bytes;

    (void)fx_spawn(f, "A", reading_read_into);
    fx_settle(f);
    reading_feed(f, "abc");
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_read(f->subject, 3, &bytes), AIO_ENOMEM);
    aio__fail_allocation(1);
    assert_int_equal(aio_stream_reader_consume(f->subject, 3), AIO_ENOMEM);
    fx_settle(f);
    fx_assert_trace(f, "A read_into 3 'abc'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        READING_TEST(read_into_leaves_in_the_reader_what_does_not_fit),
        READING_TEST(data_that_came_for_read_into_is_read_by_who_reads_before_it),
        READING_TEST(read_into_whose_data_was_all_read_by_others_gives_none_without_an_end),
        READING_TEST(memory_of_a_reader_that_was_forgotten_gets_nothing_any_more),
        READING_TEST(readexactly_into_goes_on_behind_what_another_has_read),
        READING_TEST(readexactly_into_begins_with_what_is_buffered),
        READING_TEST(readexactly_into_of_nothing_waits_for_nothing),
        READING_TEST(readexactly_into_at_the_end_gives_what_there_was_with_the_error),
        READING_TEST(read_into_that_is_cancelled_with_data_in_its_memory_puts_it_back),
        READING_TEST(readexactly_into_that_is_cancelled_puts_back_what_it_had),
        READING_TEST(data_that_cannot_be_put_back_is_not_lost_in_silence),
        READING_TEST(who_cannot_get_data_out_of_the_memory_of_another_reads_nothing),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
