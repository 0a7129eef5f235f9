/* SPDX-License-Identifier: MIT */
/*
 * test_spares.c - memory that readers pass on, and every way in which bytes come through it
 */
#include "stream/spares.h"

#include "base/memory.h"
#include "base/random.h"
#include "loop/loop_internal.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/aio.h>
#include <string.h>
#include <sys/socket.h>

/* --- the memory ------------------------------------------------------------------------ */

/* Have memory passed on even where a checker watches. Gives what the loop is to have again. */
static size_t pass_on(aio_loop *loop)
{
    size_t largest = loop->pool.largest;

    loop->pool.largest = AIO__POOL_LARGEST;
    return largest;
}

static void end(aio_loop *loop, size_t largest)
{
    loop->pool.largest = largest;
    assert_int_equal(aio_loop_close(loop), 0);
    aio_loop_unref(loop);
}

static void memory_given_back_is_the_next_that_is_taken(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    char *first = aio__spare_take(loop, AIO__SPARE_LARGE);
    char *second = aio__spare_take(loop, AIO__SPARE_LARGE);
    size_t largest = pass_on(loop);

    aio__spare_give(loop, second, AIO__SPARE_LARGE);
    aio__spare_give(loop, first, AIO__SPARE_LARGE);
    assert_ptr_equal(aio__spare_look(loop), first);
    assert_ptr_equal(aio__spare_take(loop, AIO__SPARE_LARGE), first);
    assert_ptr_equal(aio__spare_take(loop, AIO__SPARE_LARGE), second);
    aio__spare_give(loop, first, AIO__SPARE_LARGE);
    aio__spare_give(loop, second, AIO__SPARE_LARGE);
    end(loop, largest);
}

static void memory_of_another_size_and_of_no_loop_is_not_kept(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    size_t before;

    aio__spare_give(loop, aio__spare_take(loop, AIO__SPARE_SMALL), AIO__SPARE_SMALL);
    before = live_allocations();
    aio__spare_give(loop, aio__spare_take(loop, 1000), 1000);
    aio__spare_give(NULL, aio__spare_take(NULL, AIO__SPARE_SMALL), AIO__SPARE_SMALL);
    aio__spare_give(loop, NULL, AIO__SPARE_SMALL);
    assert_int_equal(live_allocations(), before);
    end(loop, loop->pool.largest);
}

static void loop_keeps_a_bounded_number_of_them(void **state)
{
    enum { MANY = 100 };

    aio_loop *loop = aio_new_event_loop();
    size_t largest = pass_on(loop);
    char *memory[MANY];
    size_t before;

    aio__spare_give(loop, aio__spare_take(loop, AIO__SPARE_SMALL), AIO__SPARE_SMALL);
    before = live_allocations();
    for (size_t i = 0; i < MANY; i++)
        memory[i] = aio__spare_take(loop, AIO__SPARE_SMALL);
    for (size_t i = 0; i < MANY; i++)
        aio__spare_give(loop, memory[i], AIO__SPARE_SMALL);
    assert_in_range(live_allocations(), before + 1, before + MANY / 2);
    end(loop, largest);
}

static void memory_given_back_after_the_loop_was_closed_is_freed(void **state)
{
    aio_loop *loop = aio_new_event_loop();
    char *memory = aio__spare_take(loop, AIO__SPARE_LARGE);

    assert_non_null(aio__spare_look(loop));
    aio_loop_close(loop);
    assert_null(aio__spare_look(loop));
    aio__spare_give(loop, memory, AIO__SPARE_LARGE);
    aio_loop_unref(loop);
}

static void without_memory_there_is_none_to_look_at(void **state)
{
    aio_loop *loop = aio_new_event_loop();

    aio__fail_allocation(1); /* of the shelves */
    assert_null(aio__spare_look(loop));
    assert_true(aio__fail_allocation_happened());
    aio__spare_give(loop, aio__spare_take(loop, AIO__SPARE_LARGE), AIO__SPARE_LARGE);
    aio_free(aio__spare_take(loop, AIO__SPARE_LARGE));
    aio__fail_allocation(1);
    assert_null(aio__spare_look(loop));
    assert_true(aio__fail_allocation_happened());
    end(loop, loop->pool.largest);
}

/* --- bytes ----------------------------------------------------------------------------- */

enum { TOTAL = 3000000, PIECE = 100000 };

struct passage {
    uint64_t random;
    int fds[2];
};

/* A number from 0 on, below the limit. */
static size_t below(struct passage *passage, size_t limit)
{
    return aio__random(&passage->random) % limit;
}

/* What the stream has at a place. */
static char byte_at(size_t place)
{
    return (char)(place * 7 + place / 251);
}

static int send_all(void *arg, void **ret_result)
{
    static char piece[PIECE];
    struct passage *passage = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    size_t sent = 0;
    int err;

    options.sock = passage->fds[0];
    err = aio_open_connection_with(&options, 0, &reader, &writer);
    while (err == 0 && sent < TOTAL) {
        size_t size = 1 + below(passage, below(passage, 2) != 0 ? 500 : PIECE);

        if (size > TOTAL - sent)
            size = TOTAL - sent;
        for (size_t i = 0; i < size; i++)
            piece[i] = byte_at(sent + i);
        sent += size;
        err = aio_stream_writer_write(writer, piece, size);
        if (err == 0)
            err = aio_stream_writer_drain(writer);
        if (err == 0 && below(passage, 4) == 0)
            err = aio_sleep(0);
    }
    aio_stream_writer_close(writer);
    return err;
}

/* Whether so many bytes are those from a place on; the place is behind them then. */
static int expect(size_t *place, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_at(*place + i))
            return aio_raise(AIO_EASSERTION, "another byte at %zu", *place + i);
    *place += size;
    return 0;
}

/* Read some of what comes, in one of the ways there are. */
static int read_somehow(struct passage *passage, aio_stream_reader *reader, size_t *place)
{
    static char memory[PIECE];
    size_t size = 1 + below(passage, PIECE);
    aio_bytes bytes = {.data = NULL};
    aio_buffer view;
    int err;

    if (size > TOTAL - *place)
        size = TOTAL - *place;
    switch (below(passage, 5)) {
    case 0: err = aio_stream_reader_read(reader, (ptrdiff_t)size, &bytes); break;
    case 1: err = aio_stream_reader_readexactly(reader, size, &bytes); break;
    case 2:
        err = aio_stream_reader_read_into(reader, memory, size, &size);
        return err < 0 ? err : expect(place, memory, size);
    case 3:
        err = aio_stream_reader_readexactly_into(reader, memory, size);
        return err < 0 ? err : expect(place, memory, size);
    default:
        err = aio_stream_reader_peek(reader, 1, &view);
        if (err < 0)
            return err;
        size = 1 + below(passage, view.size);
        err = expect(place, view.data, size);
        return err < 0 ? err : aio_stream_reader_consume(reader, size);
    }
    if (err == 0)
        err = expect(place, bytes.data, bytes.size);
    aio_bytes_free(&bytes);
    return err;
}

static int pass(void *arg, void **ret_result)
{
    struct passage *passage = arg;
    aio_connect_options options = AIO_CONNECT_OPTIONS_INIT;
    AIO_AUTO(aio_stream_reader) reader = NULL;
    AIO_AUTO(aio_stream_writer) writer = NULL;
    AIO_AUTO(aio_task) sender = aio_create_task(send_all, passage);
    size_t place = 0;
    int err;

    options.sock = passage->fds[1];
    err = aio_open_connection_with(&options, 0, &reader, &writer);
    while (err == 0 && place < TOTAL)
        err = read_somehow(passage, reader, &place);
    aio_stream_writer_close(writer);
    if (err == 0)
        err = aio_await(sender, NULL);
    return err;
}

static void bytes_come_through_in_whatever_way_they_are_read(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct passage passage = {.random = seed};

        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, passage.fds), 0);
        assert_int_equal(aio_run(pass, &passage, NULL), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_given_back_is_the_next_that_is_taken),
        TEST(memory_of_another_size_and_of_no_loop_is_not_kept),
        TEST(loop_keeps_a_bounded_number_of_them),
        TEST(memory_given_back_after_the_loop_was_closed_is_freed),
        TEST(without_memory_there_is_none_to_look_at),
        TEST(bytes_come_through_in_whatever_way_they_are_read),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
