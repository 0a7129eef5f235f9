/* SPDX-License-Identifier: MIT */
/*
 * test_thread.c - the thread-local structure
 */
#include "base/thread.h"

#include "base/error.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <pthread.h>

static void run_in_thread(void *(*body)(void *), void *arg, void **ret_result)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
    assert_int_equal(pthread_join(thread, ret_result), 0);
}

static void *address_of_structure(void *arg)
{
    return aio__thread() == aio__thread_after_switch() ? aio__thread() : NULL;
}

static void thread_has_a_structure_of_its_own(void **state)
{
    void *other;

    assert_ptr_equal(aio__thread(), aio__thread_after_switch());
    run_in_thread(address_of_structure, NULL, &other);
    assert_non_null(other);
    assert_ptr_not_equal(other, aio__thread());
}

static void *raise_and_end(void *arg)
{
    (void)aio_raise(AIO_EVALUE, "nobody catches this");
    *(bool *)arg = aio__thread()->own_error != NULL;
    return NULL;
}

static void thread_drops_its_error_when_it_ends(void **state)
{
    bool raised = false;

    run_in_thread(raise_and_end, &raised, NULL);
    assert_true(raised);
    assert_int_equal(live_allocations(), 0);
}

/* A key made after the library's: its destructor runs after the library's, in glibc. */
static void raise_late(void *arg)
{
    (void)aio_raise(AIO_EVALUE, "the thread is ending");
}

static void *raise_while_ending(void *arg)
{
    (void)aio_raise(AIO_EVALUE, "first");
    (void)pthread_setspecific(*(pthread_key_t *)arg, arg);
    return NULL;
}

static void thread_drops_an_error_raised_while_it_ends(void **state)
{
    pthread_key_t key;

    assert_int_equal(pthread_key_create(&key, raise_late), 0);
    run_in_thread(raise_while_ending, &key, NULL);
    assert_int_equal(live_allocations(), 0);
    assert_int_equal(pthread_key_delete(key), 0);
}

static void *catch_and_end(void *arg)
{
    aio_exception *error = aio_error_catch(AIO_EVALUE);

    *(bool *)arg = aio_exception_message(error) == NULL;
    aio_exception_unref(error);
    return NULL;
}

static void thread_does_not_see_the_error_of_another(void **state)
{
    bool bare = false;

    (void)aio_raise(AIO_EVALUE, "mine");
    run_in_thread(catch_and_end, &bare, NULL);
    assert_true(bare);
    assert_string_equal(aio_error_text(AIO_EVALUE), "mine");
}

static void error_slot_of_a_task_goes_before_the_threads_own(void **state)
{
    struct aio__thread *thread = aio__thread();
    aio_exception *slot = NULL;

    (void)aio_raise(AIO_EVALUE, "of the thread");
    thread->error_slot = &slot;
    assert_string_equal(aio_error_text(AIO_EVALUE), "");
    (void)aio_raise(AIO_EVALUE, "of the task");
    assert_string_equal(aio_error_text(AIO_EVALUE), "of the task");
    thread->error_slot = NULL;
    assert_string_equal(aio_error_text(AIO_EVALUE), "of the thread");

    assert_string_equal(aio_exception_message(slot), "of the task");
    aio_exception_unref(slot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_allocations, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(thread_has_a_structure_of_its_own),
        TEST(thread_drops_its_error_when_it_ends),
        TEST(thread_drops_an_error_raised_while_it_ends),
        TEST(thread_does_not_see_the_error_of_another),
        TEST(error_slot_of_a_task_goes_before_the_threads_own),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
