/* SPDX-License-Identifier: MIT */
/*
 * test_error.c - error objects: made, counted, raised and caught
 */
#include "base/error.h"

#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <pthread.h>
#include <string.h>

static void raise_gives_its_code_back(void **state)
{
    assert_int_equal(aio_raise(AIO_EVALUE, "no such image: %d", 12), AIO_EVALUE);
    assert_int_equal(aio_raise(AIO_EUSER - 7, "mine"), AIO_EUSER - 7);
}

static void raise_makes_a_runtime_error_of_what_is_no_code(void **state)
{
    assert_int_equal(aio_raise(0, "nothing wrong"), AIO_ERUNTIME);
    assert_int_equal(aio_raise(5, "positive"), AIO_ERUNTIME);
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "positive");
}

static void catch_takes_the_raised_object(void **state)
{
    AIO_AUTO(aio_exception) error = NULL;
    int line = __LINE__ + 1;
    int err = aio_raise(AIO_EVALUE, "no such image: %d", 12);

    error = aio_error_catch(err);
    assert_int_equal(aio_exception_code(error), AIO_EVALUE);
    assert_string_equal(aio_exception_message(error), "no such image: 12");
    assert_non_null(strstr(aio_exception_file(error), "test_error.c"));
    assert_int_equal(aio_exception_line(error), line);
    assert_string_equal(aio_exception_function(error), __func__);
    assert_null(aio_exception_cause(error));
    assert_int_equal(aio_exception_member_count(error), 0);
    assert_null(aio_exception_member(error, 0));
}

static void catch_twice_finds_a_bare_object_the_second_time(void **state)
{
    int err = aio_raise(AIO_EVALUE, "once");
    AIO_AUTO(aio_exception) first = aio_error_catch(err);
    AIO_AUTO(aio_exception) second = aio_error_catch(err);

    assert_string_equal(aio_exception_message(first), "once");
    assert_int_equal(aio_exception_code(second), AIO_EVALUE);
    assert_null(aio_exception_message(second));
    assert_null(aio_exception_file(second));
}

static void catch_of_another_code_is_bare_and_leaves_the_object(void **state)
{
    int err = aio_raise(AIO_EVALUE, "of a value");
    AIO_AUTO(aio_exception) other = aio_error_catch(AIO_ETYPE);
    AIO_AUTO(aio_exception) mine = aio_error_catch(err);

    assert_int_equal(aio_exception_code(other), AIO_ETYPE);
    assert_null(aio_exception_message(other));
    assert_string_equal(aio_exception_message(mine), "of a value");
}

static void catch_without_memory_gives_the_immortal_error(void **state)
{
    aio_exception *error;

    aio__fail_allocation(1);
    error = aio_error_catch(AIO_EVALUE);
    assert_int_equal(aio_exception_code(error), AIO_ENOMEM);
    for (int i = 0; i < 3; i++)
        aio_exception_unref(error);
    assert_int_equal(aio_exception_code(aio_exception_ref(error)), AIO_ENOMEM);
}

static void raise_replaces_the_error_before(void **state)
{
    AIO_AUTO(aio_exception) old = NULL;

    (void)aio_raise(AIO_EVALUE, "old");
    (void)aio_raise(AIO_ETYPE, "new");
    old = aio_error_catch(AIO_EVALUE);
    assert_null(aio_exception_message(old));
    assert_string_equal(aio_error_text(AIO_ETYPE), "new");
}

static void raise_can_quote_the_error_it_replaces(void **state)
{
    (void)aio_raise(AIO_EVALUE, "bad number");
    (void)aio_raise(AIO_ERUNTIME, "cannot start: %s", aio_error_text(AIO_EVALUE));
    assert_string_equal(aio_error_text(AIO_ERUNTIME), "cannot start: bad number");
}

static void raise_without_memory_sends_the_code_alone(void **state)
{
    (void)aio_raise(AIO_EVALUE, "old");
    aio__fail_allocation(1);
    assert_int_equal(aio_raise(AIO_EVALUE, "new"), AIO_EVALUE);
    assert_true(aio__fail_allocation_happened());
    assert_string_equal(aio_error_text(AIO_EVALUE), ""); /* above all, not "old" */
}

static void raise_cuts_a_message_at_1023_bytes(void **state)
{
    static char word[3000];

    memset(word, 'w', sizeof(word) - 1);
    (void)aio_raise(AIO_EVALUE, "%s", word);
    assert_int_equal(strlen(aio_error_text(AIO_EVALUE)), 1023);
}

static void raise_from_keeps_the_cause(void **state)
{
    int err = aio_raise(AIO_EKEY, "image");
    aio_exception *cause = aio_error_catch(err);
    AIO_AUTO(aio_exception) error = NULL;

    err = aio_raise_from(cause, AIO_ERUNTIME, "cannot show");
    assert_int_equal(err, AIO_ERUNTIME);
    aio_exception_unref(cause);
    error = aio_error_catch(err);
    assert_string_equal(aio_exception_message(error), "cannot show");
    assert_int_equal(aio_exception_code(aio_exception_cause(error)), AIO_EKEY);
    assert_string_equal(aio_exception_message(aio_exception_cause(error)), "image");
}

static void raise_from_nothing_is_a_plain_raise(void **state)
{
    AIO_AUTO(aio_exception) error = NULL;

    assert_int_equal(aio_raise_from(NULL, 1, "no code"), AIO_ERUNTIME);
    error = aio_error_catch(AIO_ERUNTIME);
    assert_null(aio_exception_cause(error));
    assert_string_equal(aio_exception_message(error), "no code");
}

static void raise_error_sends_the_object_itself(void **state)
{
    AIO_AUTO(aio_exception) error = aio_exception_new(AIO_EVALUE, "made first");
    AIO_AUTO(aio_exception) caught = NULL;

    assert_int_equal(aio_raise_exception(error), AIO_EVALUE);
    caught = aio_error_catch(AIO_EVALUE);
    assert_ptr_equal(caught, error);
}

static void raise_error_of_the_object_that_travels_already_keeps_it(void **state)
{
    aio_exception *error = aio_exception_new(AIO_EVALUE, "again");

    (void)aio_raise_exception(error);
    aio_exception_unref(error);
    (void)aio_raise_exception(error); /* the travelling reference is the last */
    assert_string_equal(aio_error_text(AIO_EVALUE), "again");
}

static void raise_error_of_null_is_a_shortage_of_memory(void **state)
{
    AIO_AUTO(aio_exception) error = NULL;

    (void)aio_raise(AIO_ENOMEM, "an older shortage");
    assert_int_equal(aio_raise_exception(NULL), AIO_ENOMEM);
    error = aio_error_catch(AIO_ENOMEM);
    assert_null(aio_exception_message(error));
}

static void error_text_is_the_message_else_what_the_code_says(void **state)
{
    assert_string_equal(aio_error_text(AIO_ENOLOOP), "no running event loop");
    (void)aio_raise(AIO_ENOLOOP, "none here");
    assert_string_equal(aio_error_text(AIO_ENOLOOP), "none here");
    assert_string_equal(aio_error_text(AIO_ECLOSED), "Event loop is closed");
    (void)aio_raise_at(NULL, 0, NULL, AIO_ENOLOOP, NULL);
    assert_string_equal(aio_error_text(AIO_ENOLOOP), "no running event loop");
}

static void error_made_without_place_or_message_has_none(void **state)
{
    AIO_AUTO(aio_exception) error = aio_exception_new_at(NULL, 12, NULL, 3, NULL);

    assert_int_equal(aio_exception_code(error), AIO_ERUNTIME);
    assert_null(aio_exception_message(error));
    assert_null(aio_exception_file(error));
    assert_int_equal(aio_exception_line(error), 0);
    assert_null(aio_exception_function(error));
}

static void error_null_answers_every_question(void **state)
{
    assert_int_equal(aio_exception_code(NULL), 0);
    assert_null(aio_exception_message(NULL));
    assert_null(aio_exception_cause(NULL));
    assert_null(aio_exception_file(NULL));
    assert_int_equal(aio_exception_line(NULL), 0);
    assert_null(aio_exception_function(NULL));
    assert_int_equal(aio_exception_member_count(NULL), 0);
    assert_null(aio_exception_member(NULL, 0));
    assert_null(aio_exception_ref(NULL));
    aio_exception_unref(NULL);
}

static void error_lives_as_long_as_its_last_reference(void **state)
{
    aio_exception *error = aio_exception_new(AIO_EVALUE, "twice held");

    assert_ptr_equal(aio_exception_ref(error), error);
    aio_exception_unref(error);
    assert_string_equal(aio_exception_message(error), "twice held");
    aio_exception_unref(error);
    assert_int_equal(live_allocations(), 0);
}

/* Deep enough to run out of stack, were each cause freed inside the one before. */
static void error_with_a_million_causes_is_freed(void **state)
{
    for (int i = 0; i < 1000000; i++) {
        aio_exception *cause = i == 0 ? NULL : aio_error_catch(AIO_EVALUE);

        (void)aio_raise_from(cause, AIO_EVALUE, "%d", i);
        aio_exception_unref(cause);
    }
    assert_string_equal(aio_error_text(AIO_EVALUE), "999999");
    (void)aio_raise(AIO_ETYPE, "the end of them");
    assert_int_equal(live_allocations(), 1);
}

static void count_destroyed(void *data)
{
    ++*(int *)data;
}

static void error_detail_goes_with_the_error(void **state)
{
    int destroyed = 0;
    aio_exception *error = aio_exception_new(AIO_EINCOMPLETEREAD, "with bytes");

    assert_null(aio__error_detail(error));
    aio__error_set_detail(error, &destroyed, count_destroyed);
    assert_ptr_equal(aio__error_detail(error), &destroyed);
    assert_int_equal(destroyed, 0);
    aio_exception_unref(error);
    assert_int_equal(destroyed, 1);
}

static void error_detail_of_no_error_goes_at_once(void **state)
{
    int destroyed = 0;

    aio__error_set_detail(NULL, &destroyed, count_destroyed);
    assert_int_equal(destroyed, 1);
    assert_null(aio__error_detail(NULL));
    aio__fail_allocation(1);
    aio__error_set_detail(aio_error_catch(AIO_EVALUE), &destroyed, count_destroyed);
    assert_int_equal(destroyed, 2);
}

/* Each holds one reference, takes and drops others, and raises the error in its thread. */
static void *use_and_drop(void *arg)
{
    aio_exception *error = arg;

    for (int i = 0; i < 1000; i++) {
        (void)aio_raise_exception(error);
        aio_exception_unref(aio_error_catch(AIO_EVALUE));
    }
    aio_exception_unref(error);
    return NULL;
}

static void error_may_be_held_by_several_threads_and_goes_with_the_last(void **state)
{
    aio_exception *error = aio_exception_new(AIO_EVALUE, "shared");
    pthread_t threads[4];
    int destroyed = 0;

    aio__error_set_detail(error, &destroyed, count_destroyed);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_and_drop, aio_exception_ref(error)),
                         0);
    aio_exception_unref(error);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(destroyed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(raise_gives_its_code_back),
        TEST(raise_makes_a_runtime_error_of_what_is_no_code),
        TEST(catch_takes_the_raised_object),
        TEST(catch_twice_finds_a_bare_object_the_second_time),
        TEST(catch_of_another_code_is_bare_and_leaves_the_object),
        TEST(catch_without_memory_gives_the_immortal_error),
        TEST(raise_replaces_the_error_before),
        TEST(raise_can_quote_the_error_it_replaces),
        TEST(raise_without_memory_sends_the_code_alone),
        TEST(raise_cuts_a_message_at_1023_bytes),
        TEST(raise_from_keeps_the_cause),
        TEST(raise_from_nothing_is_a_plain_raise),
        TEST(raise_error_sends_the_object_itself),
        TEST(raise_error_of_the_object_that_travels_already_keeps_it),
        TEST(raise_error_of_null_is_a_shortage_of_memory),
        TEST(error_text_is_the_message_else_what_the_code_says),
        TEST(error_made_without_place_or_message_has_none),
        TEST(error_null_answers_every_question),
        TEST(error_lives_as_long_as_its_last_reference),
        TEST(error_with_a_million_causes_is_freed),
        TEST(error_detail_goes_with_the_error),
        TEST(error_detail_of_no_error_goes_at_once),
        TEST(error_may_be_held_by_several_threads_and_goes_with_the_last),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
