/* SPDX-License-Identifier: MIT */
/*
 * test_error_group.c - exception groups, made and split
 */
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/error.h>
#include <stdio.h>
#include <string.h>

/* A group of the members, each of which it takes over. Bare errors of the message "m". */
static aio_exception *group_of(const char *message, size_t count, aio_exception **members)
{
    aio_exception *group = aio_exception_group_new(message, members, count);

    for (size_t i = 0; i < count; i++)
        aio_exception_unref(members[i]);
    return group;
}

#define GROUP(message, ...)                                                                        \
    group_of((message), COUNT_OF(((aio_exception *[]){__VA_ARGS__})),                              \
             (aio_exception *[]){__VA_ARGS__})

static aio_exception *leaf(int code)
{
    return aio_exception_new_at(NULL, 0, NULL, code, NULL);
}

/* The structure in short: "g[ValueError h[KeyError]]"; "-" for NULL. */
static void write_shape(const aio_exception *error, char *text, size_t size)
{
    size_t length = strlen(text);

    if (error == NULL) {
        (void)snprintf(text, size, "-");
    } else if (aio_exception_member_count(error) == 0) {
        (void)snprintf(text + length, size - length, "%s",
                       aio_error_name(aio_exception_code(error)));
    } else {
        (void)snprintf(text + length, size - length, "%s[", aio_exception_message(error));
        for (size_t i = 0; i < aio_exception_member_count(error); i++) {
            if (i > 0)
                (void)strncat(text, " ", size - strlen(text) - 1);
            write_shape(aio_exception_member(error, i), text, size);
        }
        (void)strncat(text, "]", size - strlen(text) - 1);
    }
}

static void assert_shape(const aio_exception *error, const char *shape)
{
    char text[512] = "";

    write_shape(error, text, sizeof(text));
    assert_string_equal(text, shape);
}

static void group_keeps_its_members_in_order(void **state)
{
    aio_exception *members[] = {leaf(AIO_EVALUE), leaf(AIO_ETYPE), leaf(AIO_EVALUE)};
    AIO_AUTO(aio_exception) group = aio_exception_group_new("three", members, 3);

    assert_int_equal(aio_exception_code(group), AIO_EGROUP);
    assert_string_equal(aio_exception_message(group), "three");
    assert_int_equal(aio_exception_member_count(group), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(aio_exception_member(group, i), members[i]);
        aio_exception_unref(members[i]); /* the group has its own */
    }
    assert_null(aio_exception_member(group, 3));
    assert_shape(group, "three[ValueError TypeError ValueError]");
}

static void group_with_a_member_outside_exception_is_a_base_group(void **state)
{
    AIO_AUTO(aio_exception) plain = GROUP("g", leaf(AIO_EVALUE), GROUP("h", leaf(AIO_EKEY)));
    AIO_AUTO(aio_exception) base = GROUP("g", leaf(AIO_EVALUE), leaf(AIO_ECANCELLED));
    AIO_AUTO(aio_exception) nested = GROUP("g", GROUP("h", leaf(AIO_EKEYBOARDINTERRUPT)));

    assert_int_equal(aio_exception_code(plain), AIO_EGROUP);
    assert_int_equal(aio_exception_code(base), AIO_EBASEGROUP);
    assert_int_equal(aio_exception_code(nested), AIO_EBASEGROUP);
}

static void group_of_nothing_is_none(void **state)
{
    aio_exception *members[] = {NULL};

    assert_null(aio_exception_group_new("empty", members, 0));
    assert_null(aio_exception_group_new("a member that memory was too short for", members, 1));
}

static void group_without_message_has_an_empty_one(void **state)
{
    AIO_AUTO(aio_exception) group = GROUP(NULL, leaf(AIO_EVALUE));

    assert_string_equal(aio_exception_message(group), "");
}

static void split_parts_the_leaves_and_keeps_the_nesting(void **state)
{
    AIO_AUTO(aio_exception)
    group = GROUP("g", leaf(AIO_EVALUE), GROUP("h", leaf(AIO_EKEY), leaf(AIO_EVALUE)),
                  GROUP("i", leaf(AIO_ETYPE)), leaf(AIO_EKEY));
    AIO_AUTO(aio_exception) match = NULL;
    AIO_AUTO(aio_exception) rest = NULL;

    assert_int_equal(aio_exception_split(group, AIO_EVALUE, &match, &rest), 0);
    assert_shape(match, "g[ValueError h[ValueError]]");
    assert_shape(rest, "g[h[KeyError] i[TypeError] KeyError]");
}

static void split_asks_for_the_class_not_the_code(void **state)
{
    AIO_AUTO(aio_exception) group = GROUP("g", leaf(AIO_EKEY), leaf(-ECONNRESET), leaf(AIO_EINDEX));
    AIO_AUTO(aio_exception) match = NULL;
    AIO_AUTO(aio_exception) rest = NULL;

    assert_int_equal(aio_exception_split(group, AIO_ELOOKUP, &match, &rest), 0);
    assert_shape(match, "g[KeyError IndexError]");
    assert_shape(rest, "g[ConnectionResetError]");
}

static void split_gives_the_group_itself_when_all_or_nothing_matches(void **state)
{
    AIO_AUTO(aio_exception) group = GROUP("g", leaf(AIO_EKEY), GROUP("h", leaf(AIO_EINDEX)));
    AIO_AUTO(aio_exception) match = NULL;
    AIO_AUTO(aio_exception) rest = NULL;

    assert_int_equal(aio_exception_split(group, AIO_ELOOKUP, &match, &rest), 0);
    assert_ptr_equal(match, group);
    assert_null(rest);
    aio_exception_unref(match);

    assert_int_equal(aio_exception_split(group, AIO_EVALUE, &match, &rest), 0);
    assert_null(match);
    assert_ptr_equal(rest, group);
}

static void split_chooses_the_group_code_of_each_part_anew(void **state)
{
    AIO_AUTO(aio_exception) group = GROUP("g", leaf(AIO_EVALUE), leaf(AIO_ECANCELLED));
    AIO_AUTO(aio_exception) match = NULL;
    AIO_AUTO(aio_exception) rest = NULL;

    assert_int_equal(aio_exception_split(group, AIO_EEXCEPTION, &match, &rest), 0);
    assert_int_equal(aio_exception_code(match), AIO_EGROUP);
    assert_int_equal(aio_exception_code(rest), AIO_EBASEGROUP);
}

static void split_shares_the_leaves(void **state)
{
    AIO_AUTO(aio_exception) group = GROUP("g", leaf(AIO_EVALUE), leaf(AIO_ETYPE));
    AIO_AUTO(aio_exception) match = NULL;

    assert_int_equal(aio_exception_split(group, AIO_ETYPE, &match, NULL), 0);
    assert_ptr_equal(aio_exception_member(match, 0), aio_exception_member(group, 1));
}

static void split_of_a_leaf_takes_it_as_a_whole(void **state)
{
    AIO_AUTO(aio_exception) error = leaf(AIO_EVALUE);
    AIO_AUTO(aio_exception) match = NULL;
    AIO_AUTO(aio_exception) rest = NULL;

    assert_int_equal(aio_exception_split(error, AIO_EVALUE, &match, &rest), 0);
    assert_ptr_equal(match, error);
    assert_null(rest);
    aio_exception_unref(match);
    assert_int_equal(aio_exception_split(error, AIO_ETYPE, &match, &rest), 0);
    assert_null(match);
    assert_ptr_equal(rest, error);
}

static void split_of_null_is_empty(void **state)
{
    aio_exception *unset = leaf(AIO_EVALUE);
    aio_exception *match = unset;
    aio_exception *rest = unset;

    assert_int_equal(aio_exception_split(NULL, AIO_EVALUE, &match, &rest), 0);
    assert_null(match);
    assert_null(rest);
    assert_int_equal(aio_exception_split(NULL, AIO_EVALUE, NULL, NULL), 0);
    aio_exception_unref(unset);
}

static void split_part_keeps_the_cause(void **state)
{
    AIO_AUTO(aio_exception) cause = leaf(AIO_EOS);
    AIO_AUTO(aio_exception) plain = leaf(AIO_EVALUE);
    AIO_AUTO(aio_exception) caused = NULL;
    AIO_AUTO(aio_exception) group = NULL;
    AIO_AUTO(aio_exception) match = NULL;

    caused = aio_error_catch(aio_raise_from(cause, AIO_EKEY, "caused"));
    group = aio_exception_group_new("g", (aio_exception *[]){plain, caused}, 2);
    assert_int_equal(aio_exception_split(group, AIO_EKEY, &match, NULL), 0);
    assert_ptr_equal(aio_exception_cause(aio_exception_member(match, 0)), cause);
}

static void split_in_short_memory(void *arg)
{
    aio_exception *unset = arg;
    aio_exception *group =
        GROUP("g", leaf(AIO_EVALUE),
              GROUP("h", leaf(AIO_EKEY), GROUP("i", leaf(AIO_EVALUE), leaf(AIO_ETYPE))));
    aio_exception *match = unset;
    aio_exception *rest = unset;
    int err;

    if (group == NULL)
        return;
    err = aio_exception_split(group, AIO_EVALUE, &match, &rest);
    if (err < 0) {
        assert_int_equal(err, AIO_ENOMEM);
        assert_ptr_equal(match, unset);
        assert_ptr_equal(rest, unset);
    } else {
        assert_shape(match, "g[ValueError h[i[ValueError]]]");
        assert_shape(rest, "g[h[KeyError i[TypeError]]]");
        aio_exception_unref(match);
        aio_exception_unref(rest);
    }
    aio_exception_unref(group);
}

static void split_survives_every_shortage_of_memory(void **state)
{
    AIO_AUTO(aio_exception) unset = leaf(AIO_EOS);

    /* 4 leaves, 3 groups, 3 groups in each part */
    assert_int_equal(with_each_allocation_failing(split_in_short_memory, unset), 13);
}

static void group_nested_a_hundred_thousand_deep_is_freed(void **state)
{
    aio_exception *group = leaf(AIO_EVALUE);

    for (int i = 0; i < 100000; i++)
        group = group_of("deep", 1, &group);
    assert_int_equal(aio_exception_code(group), AIO_EGROUP);
    aio_exception_unref(group);
    assert_int_equal(live_allocations(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(group_keeps_its_members_in_order),
        TEST(group_with_a_member_outside_exception_is_a_base_group),
        TEST(group_of_nothing_is_none),
        TEST(group_without_message_has_an_empty_one),
        TEST(split_parts_the_leaves_and_keeps_the_nesting),
        TEST(split_asks_for_the_class_not_the_code),
        TEST(split_gives_the_group_itself_when_all_or_nothing_matches),
        TEST(split_chooses_the_group_code_of_each_part_anew),
        TEST(split_shares_the_leaves),
        TEST(split_of_a_leaf_takes_it_as_a_whole),
        TEST(split_of_null_is_empty),
        TEST(split_part_keeps_the_cause),
        TEST(split_survives_every_shortage_of_memory),
        TEST(group_nested_a_hundred_thousand_deep_is_freed),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
