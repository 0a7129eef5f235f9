/* SPDX-License-Identifier: MIT */
/*
 * test_error_text.c - errors as the text Python prints for them
 *
 * The expected texts are what CPython's traceback.format_exception() gives for the
 * same exceptions.
 */
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <string.h>
#include <uv.h>

static char text[16384];

static const char *format(const aio_exception *error)
{
    size_t length = aio_exception_format(error, text, sizeof(text));

    assert_true(length < sizeof(text));
    assert_int_equal(strlen(text), length);
    return text;
}

static aio_exception *bare(int code, const char *message)
{
    return message == NULL ? aio_exception_new_at(NULL, 0, NULL, code, NULL)
                           : aio_exception_new_at(NULL, 0, NULL, code, "%s", message);
}

static aio_exception *caused(aio_exception *cause, const char *file, int line, const char *function,
                             int code, const char *message)
{
    int err = aio_raise_from_at(cause, file, line, function, code, "%s", message);

    aio_exception_unref(cause);
    return aio_error_catch(err);
}

/* Takes the members. */
static aio_exception *group_of(const char *message, size_t count, aio_exception **members)
{
    aio_exception *group = aio_exception_group_new(message, members, count);

    for (size_t i = 0; i < count; i++)
        aio_exception_unref(members[i]);
    return group;
}

static void text_is_name_and_message(void **state)
{
    AIO_AUTO(aio_exception) error = bare(AIO_EVALUE, "no such image: 12");

    assert_string_equal(format(error), "ValueError: no such image: 12");
}

static void text_is_the_name_alone_when_there_is_nothing_to_say(void **state)
{
    AIO_AUTO(aio_exception) silent = bare(AIO_ETIMEDOUT, NULL);
    AIO_AUTO(aio_exception) empty = bare(AIO_EVALUE, "");

    assert_string_equal(format(silent), "TimeoutError");
    assert_string_equal(format(empty), "ValueError");
}

static void text_of_a_bare_code_is_what_the_code_says(void **state)
{
    AIO_AUTO(aio_exception) loop = bare(AIO_ENOLOOP, NULL);
    AIO_AUTO(aio_exception) system = bare(-ECONNRESET, NULL);
    AIO_AUTO(aio_exception) resolver = bare(UV_EAI_NONAME, NULL);
    AIO_AUTO(aio_exception) mine = bare(AIO_EUSER - 3, NULL);
    AIO_AUTO(aio_exception) named = bare(AIO_EUSER - 3, "out of paper");

    assert_string_equal(format(loop), "RuntimeError: no running event loop");
    assert_string_equal(format(system),
                        "ConnectionResetError: [Errno 104] Connection reset by peer");
    assert_string_equal(format(resolver), "gaierror: [Errno -2] Name or service not known");
    assert_string_equal(format(mine), "Error: code -20003");
    assert_string_equal(format(named), "Error: out of paper");
}

static void text_has_the_place_when_it_is_known(void **state)
{
    AIO_AUTO(aio_exception) error = aio_exception_new_at("app.c", 12, "fetch", AIO_EVALUE, "bad");
    AIO_AUTO(aio_exception) outside = aio_exception_new_at("app.c", 12, NULL, AIO_EVALUE, "bad");

    assert_string_equal(format(error), "Traceback (most recent call last):\n"
                                       "  File \"app.c\", line 12, in fetch\n"
                                       "ValueError: bad");
    assert_string_equal(format(outside), "Traceback (most recent call last):\n"
                                         "  File \"app.c\", line 12\n"
                                         "ValueError: bad");
}

static void text_of_causes_begins_with_the_first(void **state)
{
    AIO_AUTO(aio_exception) error = bare(AIO_EKEY, NULL);

    error = caused(error, "app.c", 7, "load", AIO_EVALUE, "x");
    error = caused(error, "app.c", 9, "main", AIO_ERUNTIME, "y");
    assert_string_equal(format(error),
                        "KeyError\n"
                        "\n"
                        "The above exception was the direct cause of the following exception:\n"
                        "\n"
                        "Traceback (most recent call last):\n"
                        "  File \"app.c\", line 7, in load\n"
                        "ValueError: x\n"
                        "\n"
                        "The above exception was the direct cause of the following exception:\n"
                        "\n"
                        "Traceback (most recent call last):\n"
                        "  File \"app.c\", line 9, in main\n"
                        "RuntimeError: y");
}

static void text_of_a_group_frames_its_members(void **state)
{
    aio_exception *inner[] = {bare(AIO_ETYPE, "two\nlines"), bare(AIO_EKEY, NULL)};
    aio_exception *outer[] = {bare(AIO_EVALUE, "a"), group_of("h", 2, inner)};
    AIO_AUTO(aio_exception) group = group_of("g", 2, outer);

    assert_string_equal(format(group), "  | ExceptionGroup: g (2 sub-exceptions)\n"
                                       "  +-+---------------- 1 ----------------\n"
                                       "    | ValueError: a\n"
                                       "    +---------------- 2 ----------------\n"
                                       "    | ExceptionGroup: h (2 sub-exceptions)\n"
                                       "    +-+---------------- 1 ----------------\n"
                                       "      | TypeError: two\n"
                                       "      | lines\n"
                                       "      +---------------- 2 ----------------\n"
                                       "      | KeyError\n"
                                       "      +------------------------------------");
}

static void text_of_a_group_within_goes_on_after_it(void **state)
{
    aio_exception *inner[] = {bare(AIO_ETYPE, "in")};
    aio_exception *outer[] = {group_of("h", 1, inner), bare(AIO_ECANCELLED, NULL)};
    AIO_AUTO(aio_exception) group = group_of("g", 2, outer);

    assert_string_equal(format(group), "  | BaseExceptionGroup: g (2 sub-exceptions)\n"
                                       "  +-+---------------- 1 ----------------\n"
                                       "    | ExceptionGroup: h (1 sub-exception)\n"
                                       "    +-+---------------- 1 ----------------\n"
                                       "      | TypeError: in\n"
                                       "      +------------------------------------\n"
                                       "    +---------------- 2 ----------------\n"
                                       "    | CancelledError\n"
                                       "    +------------------------------------");
}

static void text_of_a_members_causes_is_inside_its_frame(void **state)
{
    aio_exception *member = caused(bare(AIO_EKEY, NULL), NULL, 0, NULL, AIO_EVALUE, "top");
    AIO_AUTO(aio_exception) group = group_of("one", 1, &member);

    assert_string_equal(
        format(group),
        "  | ExceptionGroup: one (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | KeyError\n"
        "    | \n"
        "    | The above exception was the direct cause of the following exception:\n"
        "    | \n"
        "    | ValueError: top\n"
        "    +------------------------------------");
}

static void text_of_a_wide_group_stops_at_fifteen_members(void **state)
{
    aio_exception *members[17];
    AIO_AUTO(aio_exception) group = NULL;

    for (size_t i = 0; i < COUNT_OF(members); i++)
        members[i] = bare(AIO_EVALUE, "v");
    group = group_of("many", COUNT_OF(members), members);
    assert_non_null(strstr(format(group), "    +---------------- 15 ----------------\n"
                                          "    | ValueError: v\n"
                                          "    +---------------- ... ----------------\n"
                                          "    | and 2 more exceptions\n"
                                          "    +------------------------------------"));
    assert_null(strstr(text, "16"));
}

static void text_of_a_deep_group_stops_at_the_tenth_level(void **state)
{
    aio_exception *group = bare(AIO_EVALUE, "deep");
    const char *end;

    for (int i = 0; i < 1000; i++)
        group = group_of("n", 1, &group);
    end = strstr(format(group), "... (max_group_depth is 10)");
    assert_non_null(end);
    assert_string_equal(end, "... (max_group_depth is 10)\n"
                             "                      +------------------------------------");
    assert_null(strstr(text, "deep"));
    aio_exception_unref(group);
}

static void text_too_long_for_the_buffer_is_cut_and_counted(void **state)
{
    AIO_AUTO(aio_exception) error = bare(AIO_EVALUE, "0123456789");
    char small[8] = "unset";

    assert_int_equal(aio_exception_format(error, NULL, 0), 22);
    assert_int_equal(aio_exception_format(error, small, 1), 22);
    assert_string_equal(small, "");
    assert_int_equal(aio_exception_format(error, small, sizeof(small)), 22);
    assert_string_equal(small, "ValueEr");
}

static void text_that_fits_to_the_byte_is_whole(void **state)
{
    AIO_AUTO(aio_exception) error = bare(AIO_EVALUE, "0123456789");
    char exact[23];

    assert_int_equal(aio_exception_format(error, exact, sizeof(exact)), 22);
    assert_string_equal(exact, "ValueError: 0123456789");
}

static void text_of_null_is_empty(void **state)
{
    char small[8] = "unset";

    assert_int_equal(aio_exception_format(NULL, small, sizeof(small)), 0);
    assert_string_equal(small, "");
    assert_int_equal(aio_exception_format(NULL, NULL, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(text_is_name_and_message),
        TEST(text_is_the_name_alone_when_there_is_nothing_to_say),
        TEST(text_of_a_bare_code_is_what_the_code_says),
        TEST(text_has_the_place_when_it_is_known),
        TEST(text_of_causes_begins_with_the_first),
        TEST(text_of_a_group_frames_its_members),
        TEST(text_of_a_group_within_goes_on_after_it),
        TEST(text_of_a_members_causes_is_inside_its_frame),
        TEST(text_of_a_wide_group_stops_at_fifteen_members),
        TEST(text_of_a_deep_group_stops_at_the_tenth_level),
        TEST(text_too_long_for_the_buffer_is_cut_and_counted),
        TEST(text_that_fits_to_the_byte_is_whole),
        TEST(text_of_null_is_empty),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
