/* SPDX-License-Identifier: MIT */
/*
 * test_inbuf.c - bytes that were received and nobody has read yet
 */
#include "stream/inbuf.h"

#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <string.h>

static void append(struct aio__inbuf *buffer, const char *text)
{
    assert_int_equal(aio__inbuf_append(buffer, text, strlen(text)), 0);
}

static void assert_holds(const struct aio__inbuf *buffer, const char *text)
{
    assert_int_equal(aio__inbuf_size(buffer), strlen(text));
    assert_memory_equal(aio__inbuf_data(buffer), text, strlen(text));
}

static void assert_takes(struct aio__inbuf *buffer, size_t size, const char *text)
{
    aio_bytes bytes;

    assert_int_equal(aio__inbuf_take(buffer, size, &bytes), 0);
    assert_int_equal(bytes.size, strlen(text));
    assert_string_equal(bytes.data, text);
    aio_bytes_free(&bytes);
}

static void empty_buffer_has_no_memory_and_nothing_to_look_at(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};
    aio_bytes bytes = {.data = (char *)&buffer, .size = 1};

    assert_int_equal(aio__inbuf_size(&buffer), 0);
    assert_null(aio__inbuf_data(&buffer));
    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_append(&buffer, NULL, 0), 0);
    assert_int_equal(aio__inbuf_prepend(&buffer, NULL, 0), 0);
    assert_int_equal(aio__inbuf_move(&buffer, &bytes, 1), 0);
    assert_int_equal(aio__inbuf_take(&buffer, 0, &bytes), 0);
    assert_null(bytes.data);
    assert_int_equal(bytes.size, 0);
    aio__inbuf_clear(&buffer);
    assert_false(aio__fail_allocation_happened());
    assert_int_equal(live_allocations(), 0);
}

static void drained_buffer_gives_its_memory_back(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};
    char data[8];

    append(&buffer, "abcdef");
    assert_int_equal(aio__inbuf_move(&buffer, data, 4), 4);
    assert_memory_equal(data, "abcd", 4);
    assert_holds(&buffer, "ef");
    assert_int_equal(aio__inbuf_move(&buffer, data, sizeof(data)), 2);
    assert_memory_equal(data, "ef", 2);
    assert_int_equal(live_allocations(), 0);
    append(&buffer, "ghi");
    aio__inbuf_drop(&buffer, 1);
    assert_holds(&buffer, "hi");
    aio__inbuf_drop(&buffer, 2);
    assert_int_equal(live_allocations(), 0);
}

static void all_bytes_are_taken_in_the_memory_they_are_in(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};
    const char *before;
    aio_bytes bytes;

    append(&buffer, "abcdef");
    before = aio__inbuf_data(&buffer);
    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_take(&buffer, 6, &bytes), 0);
    assert_false(aio__fail_allocation_happened());
    aio__fail_allocation(0);
    assert_ptr_equal(bytes.data, before);
    assert_string_equal(bytes.data, "abcdef");
    aio_bytes_free(&bytes);
    assert_int_equal(aio__inbuf_size(&buffer), 0);

    append(&buffer, "abcdef");
    aio__inbuf_drop(&buffer, 2);
    assert_takes(&buffer, 4, "cdef");
}

static void a_part_is_taken_as_a_copy_and_the_rest_stays(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};

    append(&buffer, "abcdef");
    assert_takes(&buffer, 2, "ab");
    assert_takes(&buffer, 3, "cde");
    assert_holds(&buffer, "f");
    assert_takes(&buffer, 1, "f");
}

static void the_little_that_is_left_of_much_is_taken_without_its_memory(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};
    char *much = aio_malloc(100000);
    const char *before;
    aio_bytes bytes;

    memset(much, 'x', 100000);
    assert_int_equal(aio__inbuf_append(&buffer, much, 100000), 0);
    aio_free(much);
    before = buffer.memory;
    aio__inbuf_drop(&buffer, 99995);
    assert_int_equal(aio__inbuf_take(&buffer, 5, &bytes), 0);
    assert_ptr_not_equal(bytes.data, before);
    assert_string_equal(bytes.data, "xxxxx");
    aio_bytes_free(&bytes);
}

static void bytes_stay_in_order_however_they_come_and_go(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};
    unsigned char next_in = 0;
    unsigned char next_out = 0;
    unsigned seed = 1;

    for (int round = 0; round < 5000; round++) {
        unsigned char chunk[64];
        size_t count;

        seed = seed * 1103515245u + 12345u;
        count = seed >> 16 & 63;
        for (size_t i = 0; i < count; i++)
            chunk[i] = next_in++;
        assert_int_equal(aio__inbuf_append(&buffer, chunk, count), 0);
        seed = seed * 1103515245u + 12345u;
        count = aio__inbuf_move(&buffer, chunk, seed >> 16 & 63);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(chunk[i], next_out++);
        assert_true(aio__inbuf_size(&buffer) == 0 || buffer.memory != NULL);
    }
    aio__inbuf_clear(&buffer);
}

/* A reader that nibbles must not make each chunk move all that is buffered. */
static void memory_is_bounded_by_what_is_held_however_much_passes(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};
    char data[100];

    memset(data, 'y', sizeof(data));
    for (int i = 0; i < 50; i++)
        assert_int_equal(aio__inbuf_append(&buffer, data, sizeof(data)), 0);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(aio__inbuf_append(&buffer, data, sizeof(data)), 0);
        assert_int_equal(aio__inbuf_move(&buffer, data, sizeof(data)), sizeof(data));
        assert_true(buffer.capacity <= (size_t)4 * 51 * sizeof(data));
    }
    aio__inbuf_clear(&buffer);
}

static void bytes_put_in_front_come_first(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};

    assert_int_equal(aio__inbuf_prepend(&buffer, "cd", 2), 0);
    assert_int_equal(aio__inbuf_prepend(&buffer, "ab", 2), 0);
    append(&buffer, "efgh");
    assert_holds(&buffer, "abcdefgh");
    aio__inbuf_drop(&buffer, 3);
    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_prepend(&buffer, "BC", 2), 0); /* into the room of what is gone */
    assert_false(aio__fail_allocation_happened());
    aio__fail_allocation(0);
    assert_holds(&buffer, "BCdefgh");
    assert_int_equal(aio__inbuf_prepend(&buffer, "12345", 5), 0);
    assert_holds(&buffer, "12345BCdefgh");
    aio__inbuf_clear(&buffer);
}

static void without_memory_nothing_changes(void **state)
{
    struct aio__inbuf buffer = {.memory = NULL};
    aio_bytes bytes = {.data = NULL};

    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_append(&buffer, "a", 1), AIO_ENOMEM);
    append(&buffer, "abcdef");
    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_append(&buffer, "ghi", 3), AIO_ENOMEM);
    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_prepend(&buffer, "123", 3), AIO_ENOMEM);
    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_take(&buffer, 3, &bytes), AIO_ENOMEM);
    assert_null(bytes.data);
    aio__inbuf_drop(&buffer, 1);
    aio__fail_allocation(1);
    assert_int_equal(aio__inbuf_append(&buffer, "ghijkl", 6), AIO_ENOMEM);
    assert_int_equal(aio__inbuf_append(&buffer, "x", SIZE_MAX / 2), AIO_ENOMEM);
    assert_holds(&buffer, "bcdef");
    aio__inbuf_clear(&buffer);
}

#define INBUF_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        INBUF_TEST(empty_buffer_has_no_memory_and_nothing_to_look_at),
        INBUF_TEST(drained_buffer_gives_its_memory_back),
        INBUF_TEST(all_bytes_are_taken_in_the_memory_they_are_in),
        INBUF_TEST(a_part_is_taken_as_a_copy_and_the_rest_stays),
        INBUF_TEST(the_little_that_is_left_of_much_is_taken_without_its_memory),
        INBUF_TEST(bytes_stay_in_order_however_they_come_and_go),
        INBUF_TEST(memory_is_bounded_by_what_is_held_however_much_passes),
        INBUF_TEST(bytes_put_in_front_come_first),
        INBUF_TEST(without_memory_nothing_changes),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
