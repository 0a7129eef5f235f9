/* SPDX-License-Identifier: MIT */
/*
 * test_type.c - the ready-made value types, and values as text
 */
#include "base/type.h"

#include "support/allocation.h"
#include "support/unit.h"

#include <aio/memory.h>
#include <string.h>

static void assert_text(const aio_type *type, const void *value, const char *expected)
{
    char buffer[64];

    assert_int_equal(aio__value_format(type, value, buffer, sizeof(buffer)), strlen(expected));
    assert_string_equal(buffer, expected);
}

static void type_string_prints_as_python_prints_a_str(void **state)
{
    assert_text(&aio_type_string, "plain", "'plain'");
    assert_text(&aio_type_string, "", "''");
    assert_text(&aio_type_string, "it's", "\"it's\"");
    assert_text(&aio_type_string, "it's \"so\"", "'it\\'s \"so\"'");
    assert_text(&aio_type_string, "a\\b\n\r\t\x01\x7f", "'a\\\\b\\n\\r\\t\\x01\\x7f'");
    assert_text(&aio_type_string, "返回值", "'返回值'");
    assert_text(&aio_type_string, NULL, "None");
}

static void type_int_prints_the_number_in_the_pointer(void **state)
{
    assert_text(&aio_type_int, (void *)(intptr_t)-42, "-42");
    assert_text(&aio_type_int, NULL, "0");
}

static void value_without_a_format_prints_as_address_or_none(void **state)
{
    assert_text(NULL, NULL, "None");
    assert_text(NULL, (void *)0x1a2b, "0x1a2b");
    assert_text(&aio_type_owned, (void *)0x1a2b, "0x1a2b");
}

static void text_that_is_too_long_is_cut_and_its_length_told(void **state)
{
    char buffer[6];

    assert_int_equal(aio__value_format(&aio_type_string, "abcdefgh", buffer, sizeof(buffer)), 10);
    assert_string_equal(buffer, "'abcd");
    assert_int_equal(aio__value_format(&aio_type_string, "a\nb", buffer, 4), 6);
    assert_string_equal(buffer, "'a\\");
    assert_int_equal(aio__value_format(&aio_type_string, "abc", NULL, 0), 5);
}

static void owned_types_free_their_values(void **state)
{
    aio__value_destroy(&aio_type_owned, aio_malloc(10));
    aio__value_destroy(&aio_type_owned_string, aio_strdup("text"));
    aio__value_destroy(&aio_type_owned, NULL);
    aio__value_destroy(&aio_type_string, (void *)1);
    aio__value_destroy(NULL, (void *)1);
    assert_int_equal(live_allocations(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_string_prints_as_python_prints_a_str),
        cmocka_unit_test(type_int_prints_the_number_in_the_pointer),
        cmocka_unit_test(value_without_a_format_prints_as_address_or_none),
        cmocka_unit_test(text_that_is_too_long_is_cut_and_its_length_told),
        cmocka_unit_test_setup_teardown(owned_types_free_their_values, count_allocations,
                                        check_allocations),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
