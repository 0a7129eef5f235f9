/* SPDX-License-Identifier: MIT */
/*
 * test_concurrent.c - futures that any thread may use, and blocking on them
 *
 * After CPython's test_concurrent_futures: FutureTests, WaitTests, AsCompletedTests.
 */
#include "base/memory.h"
#include "support/allocation.h"
#include "support/unit.h"

#include <aio/concurrent.h>
#include <aio/log.h>
#include <aio/memory.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static char trace[256];

static void note(const char *text)
{
    if (trace[0] != '\0')
        (void)strncat(trace, " ", sizeof(trace) - strlen(trace) - 1);
    (void)strncat(trace, text, sizeof(trace) - strlen(trace) - 1);
}

static int setup(void **state)
{
    trace[0] = '\0';
    return count_allocations(state);
}

static aio_concurrent_future *make(void)
{
    aio_concurrent_future *fut = aio_concurrent_future_new();

    assert_non_null(fut);
    return fut;
}

static aio_concurrent_future *make_running(void)
{
    aio_concurrent_future *fut = make();

    assert_int_equal(aio_concurrent_future_set_running_or_notify_cancel(fut), 1);
    return fut;
}

static void fail_with(aio_concurrent_future *fut, int code, const char *text)
{
    assert_int_equal(aio_concurrent_future_set_error(fut, aio_raise(code, "%s", text)), 0);
}

static int note_call(aio_concurrent_future *fut, void *arg)
{
    assert_true(aio_concurrent_future_done(fut));
    note(arg);
    return 0;
}

static char A[] = "A", B[] = "B";

/* --- states ---------------------------------------------------------------------------- */

static void future_goes_from_pending_to_running_to_finished(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();
    void *value = NULL;

    assert_false(aio_concurrent_future_running(fut) || aio_concurrent_future_done(fut));
    assert_int_equal(aio_concurrent_future_set_running_or_notify_cancel(fut), 1);
    assert_true(aio_concurrent_future_running(fut));
    assert_false(aio_concurrent_future_done(fut));
    assert_int_equal(aio_concurrent_future_set_result(fut, A), 0);
    assert_false(aio_concurrent_future_running(fut) || aio_concurrent_future_cancelled(fut));
    assert_true(aio_concurrent_future_done(fut));
    assert_int_equal(aio_concurrent_future_result(fut, 0, &value), 0);
    assert_ptr_equal(value, A);
}

/* S162 */
static void future_can_be_cancelled_again_and_again_before_it_runs(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_true(aio_concurrent_future_cancel(fut));
    assert_true(aio_concurrent_future_cancel(fut));
    assert_true(aio_concurrent_future_cancelled(fut));
    assert_true(aio_concurrent_future_done(fut));
    assert_int_equal(aio_concurrent_future_result(fut, AIO_FOREVER, NULL), AIO_ECANCELLED);
    assert_int_equal(aio_concurrent_future_exception(fut, AIO_FOREVER, NULL), AIO_ECANCELLED);
}

/* S162 */
static void future_that_runs_or_is_done_cannot_be_cancelled(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make_running();

    assert_false(aio_concurrent_future_cancel(fut));
    assert_true(aio_concurrent_future_running(fut));
    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    assert_false(aio_concurrent_future_cancel(fut));
    assert_false(aio_concurrent_future_cancelled(fut));
}

static void future_that_was_cancelled_is_not_claimed(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_true(aio_concurrent_future_cancel(fut));
    assert_int_equal(aio_concurrent_future_set_running_or_notify_cancel(fut), 0);
    assert_true(aio_concurrent_future_cancel(fut));
    assert_int_equal(aio_concurrent_future_set_running_or_notify_cancel(fut), AIO_ERUNTIME);
}

static void future_is_claimed_once(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make_running();

    assert_int_equal(aio_concurrent_future_set_running_or_notify_cancel(fut), AIO_ERUNTIME);
    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    assert_int_equal(aio_concurrent_future_set_running_or_notify_cancel(fut), AIO_ERUNTIME);
}

/* after FutureTests.test_multiple_set_result, test_multiple_set_exception */
static void future_is_finished_once(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make_running();
    void *value = NULL;

    assert_int_equal(aio_concurrent_future_set_result(fut, A), 0);
    assert_int_equal(aio_concurrent_future_set_result(fut, B), AIO_EINVALIDSTATE);
    assert_int_equal(aio_concurrent_future_set_error(fut, aio_raise(AIO_EVALUE, "late")),
                     AIO_EINVALIDSTATE);
    assert_int_equal(aio_concurrent_future_result(fut, 0, &value), 0);
    assert_ptr_equal(value, A);
}

static void future_that_was_cancelled_takes_no_result(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_true(aio_concurrent_future_cancel(fut));
    assert_int_equal(aio_concurrent_future_set_result(fut, A), AIO_EINVALIDSTATE);
    assert_true(aio_concurrent_future_cancelled(fut));
}

static void future_gives_its_error_to_everybody_who_asks(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make_running();
    aio_exception *error = NULL;

    fail_with(fut, AIO_EVALUE, "no such image");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_EVALUE);
        assert_string_equal(aio_error_text(AIO_EVALUE), "no such image");
    }
    assert_int_equal(aio_concurrent_future_exception(fut, 0, &error), 0);
    assert_int_equal(aio_exception_code(error), AIO_EVALUE);
}

static void future_with_a_value_has_no_error(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();
    aio_exception *error = NULL;

    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    assert_int_equal(aio_concurrent_future_exception(fut, 0, &error), 0);
    assert_null(error);
}

static void future_without_an_error_object_ran_short_of_memory(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_int_equal(aio_concurrent_future_set_exception(fut, NULL), 0);
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_ENOMEM);
}

static void future_destroys_a_result_that_has_a_type(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    /* The teardown finds it if it is not freed. */
    assert_int_equal(
        aio_concurrent_future_set_result_typed(fut, aio_strdup("OK"), &aio_type_owned_string), 0);
}

static void future_null_gives_the_failure_behind_it(void **state)
{
    aio_concurrent_future *fut;

    aio__fail_allocation(1);
    fut = aio_concurrent_future_new();
    assert_null(fut);
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_ENOMEM);
    assert_int_equal(aio_concurrent_future_exception(fut, 0, NULL), AIO_ENOMEM);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, A), AIO_ENOMEM);
    assert_int_equal(aio_concurrent_future_set_result(fut, A), AIO_ENOMEM);
    assert_int_equal(aio_concurrent_future_set_running_or_notify_cancel(fut), AIO_ENOMEM);
    assert_int_equal(aio_concurrent_wait(&fut, 1, 0, AIO_ALL_COMPLETED, NULL), AIO_ENOMEM);
    assert_null(aio_concurrent_as_completed_new(&fut, 1, 0));
    assert_false(aio_concurrent_future_cancel(fut) || aio_concurrent_future_cancelled(fut) ||
                 aio_concurrent_future_running(fut));
    assert_true(aio_concurrent_future_done(fut));
    assert_null(aio_concurrent_future_ref(fut));
    aio_concurrent_future_unref(fut);
}

/* after FutureTests.test_repr */
static void future_prints_as_in_python(void **state)
{
    AIO_AUTO(aio_concurrent_future) pending = make();
    AIO_AUTO(aio_concurrent_future) running = make_running();
    AIO_AUTO(aio_concurrent_future) cancelled = make();
    AIO_AUTO(aio_concurrent_future) failed = make();
    AIO_AUTO(aio_concurrent_future) finished = make();
    aio_concurrent_future *all[] = {pending, running, cancelled, failed, finished};
    const char *states[] = {"pending", "running", "cancelled", "finished raised ValueError",
                            "finished returned 'OK'"};

    (void)aio_concurrent_future_cancel(cancelled);
    fail_with(failed, AIO_EVALUE, "wrong");
    (void)aio_concurrent_future_set_result_typed(finished, aio_constant("OK"), &aio_type_string);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        char expected[128], text[128];

        (void)snprintf(expected, sizeof(expected), "<Future at %p state=%s>", (void *)all[i],
                       states[i]);
        assert_int_equal(aio_concurrent_future_format(all[i], text, sizeof(text)),
                         strlen(expected));
        assert_string_equal(text, expected);
    }
}

/* --- callbacks ------------------------------------------------------------------------- */

/* S162; after FutureTests.test_done_callback_with_result */
static void callbacks_run_in_order_inside_the_call_that_finishes(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make_running();

    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, A), 0);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, B), 0);
    assert_string_equal(trace, "");
    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    assert_string_equal(trace, "A B");
}

/* S162 */
static void callbacks_run_inside_cancel_and_only_the_first_time(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, A), 0);
    assert_true(aio_concurrent_future_cancel(fut));
    assert_string_equal(trace, "A");
    assert_true(aio_concurrent_future_cancel(fut));
    assert_string_equal(trace, "A");
}

/* S162; after FutureTests.test_done_callback_already_successful */
static void callback_added_to_a_done_future_runs_at_once(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, A), 0);
    assert_string_equal(trace, "A");
}

static int add_another(aio_concurrent_future *fut, void *arg)
{
    return aio_concurrent_future_add_done_callback(fut, note_call, arg);
}

static void callback_may_use_the_future(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_int_equal(aio_concurrent_future_add_done_callback(fut, add_another, A), 0);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, B), 0);
    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    assert_string_equal(trace, "A B");
}

static int raise_something(aio_concurrent_future *fut, void *arg)
{
    return aio_raise(AIO_EVALUE, "in a callback");
}

static void keep_log(aio_log_level level, const char *text, void *arg)
{
    assert_int_equal(level, AIO_LOG_ERROR);
    (void)snprintf(arg, 256, "%s", text);
}

/* S162; after FutureTests.test_done_callback_raises */
static void callback_that_fails_is_logged_and_the_next_one_runs(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();
    char text[256] = "";

    aio_log_set_handler(keep_log, text);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, raise_something, NULL), 0);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, A), 0);
    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    aio_log_set_handler(NULL, NULL);
    assert_string_equal(trace, "A");
    assert_non_null(strstr(text, "exception calling callback for <Future at 0x"));
    assert_non_null(strstr(text, "ValueError: in a callback"));
}

static void callbacks_of_a_future_that_is_never_done_are_freed(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_int_equal(aio_concurrent_future_add_done_callback(fut, note_call, A), 0);
    assert_int_equal(aio_concurrent_future_add_done_callback(fut, NULL, A), AIO_EVALUE);
}

/* --- blocking -------------------------------------------------------------------------- */

static void *ask(void *arg)
{
    void *value = NULL;
    int err = aio_concurrent_future_result(arg, AIO_FOREVER, &value);

    return err < 0 ? NULL : value;
}

/* after FutureTests.test_result_with_success */
static void result_blocks_until_another_thread_finishes(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make_running();
    pthread_t threads[4];
    void *value = NULL;

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, fut), 0);
    assert_int_equal(aio_concurrent_future_set_result(fut, A), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &value), 0);
        assert_ptr_equal(value, A);
    }
}

static void *ask_for_cancellation(void *arg)
{
    int err = aio_concurrent_future_result(arg, AIO_FOREVER, NULL);

    return err == AIO_ECANCELLED ? A : NULL;
}

/* after FutureTests.test_result_with_cancel */
static void result_blocks_until_another_thread_cancels(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();
    pthread_t thread;
    void *value = NULL;

    assert_int_equal(pthread_create(&thread, NULL, ask_for_cancellation, fut), 0);
    assert_true(aio_concurrent_future_cancel(fut));
    assert_int_equal(pthread_join(thread, &value), 0);
    assert_ptr_equal(value, A);
}

static void result_and_exception_time_out(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();

    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), AIO_ETIMEDOUT);
    assert_int_equal(aio_concurrent_future_result(fut, -1, NULL), AIO_ETIMEDOUT);
    assert_int_equal(aio_concurrent_future_result(fut, 0.001, NULL), AIO_ETIMEDOUT);
    assert_int_equal(aio_concurrent_future_exception(fut, 0.001, NULL), AIO_ETIMEDOUT);
    assert_int_equal(aio_concurrent_future_result(fut, NAN, NULL), AIO_EVALUE);
    assert_int_equal(aio_concurrent_future_set_result(fut, NULL), 0);
    assert_int_equal(aio_concurrent_future_result(fut, 0, NULL), 0);
}

struct finisher {
    aio_concurrent_future *fut;
    pthread_t thread;
};

static void *finish(void *arg)
{
    assert_int_equal(aio_concurrent_future_set_result(arg, A), 0);
    return NULL;
}

static void *raise_in_it(void *arg)
{
    fail_with(arg, AIO_EVALUE, "wrong");
    return NULL;
}

static void start(struct finisher *finisher, aio_concurrent_future *fut, void *(*fn)(void *))
{
    finisher->fut = fut;
    assert_int_equal(pthread_create(&finisher->thread, NULL, fn, fut), 0);
}

static void join(struct finisher *finisher)
{
    assert_int_equal(pthread_join(finisher->thread, NULL), 0);
}

/* after WaitTests.test_all_completed */
static void wait_blocks_until_all_are_done(void **state)
{
    AIO_AUTO(aio_concurrent_future) a = make_running();
    AIO_AUTO(aio_concurrent_future) b = make_running();
    AIO_AUTO(aio_concurrent_future) cancelled = make();
    aio_concurrent_future *all[] = {a, b, a, cancelled};
    struct finisher first, second;
    size_t done = 0;

    (void)aio_concurrent_future_cancel(cancelled);
    start(&first, a, finish);
    start(&second, b, raise_in_it);
    assert_int_equal(aio_concurrent_wait(all, 4, AIO_FOREVER, AIO_ALL_COMPLETED, &done), 0);
    assert_int_equal(done, 3);
    join(&first);
    join(&second);
}

/* after WaitTests.test_first_completed */
static void wait_for_the_first_blocks_until_one_is_done(void **state)
{
    AIO_AUTO(aio_concurrent_future) a = make_running();
    AIO_AUTO(aio_concurrent_future) b = make_running();
    aio_concurrent_future *both[] = {a, b};
    struct finisher first;
    size_t done = 0;

    start(&first, b, finish);
    assert_int_equal(aio_concurrent_wait(both, 2, AIO_FOREVER, AIO_FIRST_COMPLETED, &done), 0);
    assert_int_equal(done, 1);
    assert_false(aio_concurrent_future_done(a));
    join(&first);
}

/* after WaitTests.test_first_exception */
static void wait_for_the_first_error_passes_by_values_and_cancellations(void **state)
{
    AIO_AUTO(aio_concurrent_future) value = make();
    AIO_AUTO(aio_concurrent_future) cancelled = make();
    AIO_AUTO(aio_concurrent_future) failing = make_running();
    AIO_AUTO(aio_concurrent_future) pending = make();
    aio_concurrent_future *all[] = {value, cancelled, failing, pending};
    struct finisher failer;
    size_t done = 0;

    (void)aio_concurrent_future_set_result(value, NULL);
    (void)aio_concurrent_future_cancel(cancelled);
    start(&failer, failing, raise_in_it);
    assert_int_equal(aio_concurrent_wait(all, 4, AIO_FOREVER, AIO_FIRST_EXCEPTION, &done), 0);
    assert_true(aio_concurrent_future_done(failing));
    assert_int_equal(done, 3);
    join(&failer);
}

/* after WaitTests.test_timeout */
static void wait_that_times_out_is_no_error(void **state)
{
    AIO_AUTO(aio_concurrent_future) a = make();
    AIO_AUTO(aio_concurrent_future) b = make();
    aio_concurrent_future *both[] = {a, b};
    size_t done = 7;

    (void)aio_concurrent_future_set_result(a, NULL);
    assert_int_equal(aio_concurrent_wait(both, 2, 0.001, AIO_ALL_COMPLETED, &done), 0);
    assert_int_equal(done, 1);
}

static void wait_checks_its_arguments(void **state)
{
    AIO_AUTO(aio_concurrent_future) fut = make();
    size_t done = 7;

    assert_int_equal(aio_concurrent_wait(&fut, 1, NAN, AIO_ALL_COMPLETED, &done), AIO_EVALUE);
    assert_int_equal(aio_concurrent_wait(&fut, 1, 0, (aio_return_when)3, &done), AIO_EVALUE);
    assert_int_equal(done, 7);
    assert_int_equal(aio_concurrent_wait(NULL, 0, AIO_FOREVER, AIO_ALL_COMPLETED, &done), 0);
    assert_int_equal(done, 0);
}

/* after AsCompletedTests.test_no_timeout, test_duplicate_futures */
static void as_completed_gives_what_is_done_first_and_each_once(void **state)
{
    AIO_AUTO(aio_concurrent_future) a = make_running();
    AIO_AUTO(aio_concurrent_future) b = make();
    AIO_AUTO(aio_concurrent_future) c = make();
    aio_concurrent_future *all[] = {a, c, b, a, c};
    AIO_AUTO(aio_concurrent_as_completed) it = NULL;
    aio_concurrent_future *fut = NULL;
    struct finisher finisher;

    (void)aio_concurrent_future_set_result(b, NULL);
    (void)aio_concurrent_future_cancel(c);
    it = aio_concurrent_as_completed_new(all, 5, AIO_FOREVER);
    start(&finisher, a, finish);
    assert_int_equal(aio_concurrent_as_completed_next(it, &fut), 0);
    assert_ptr_equal(fut, c);
    assert_int_equal(aio_concurrent_as_completed_next(it, &fut), 0);
    assert_ptr_equal(fut, b);
    assert_int_equal(aio_concurrent_as_completed_next(it, &fut), 0);
    assert_ptr_equal(fut, a);
    assert_int_equal(aio_concurrent_as_completed_next(it, &fut), AIO_ESTOP);
    assert_int_equal(aio_concurrent_as_completed_next(it, &fut), AIO_ESTOP);
    join(&finisher);
}

/* after AsCompletedTests.test_future_times_out */
static void as_completed_times_out(void **state)
{
    AIO_AUTO(aio_concurrent_future) a = make();
    AIO_AUTO(aio_concurrent_future) b = make();
    aio_concurrent_future *both[] = {a, b};
    AIO_AUTO(aio_concurrent_as_completed) it = NULL;
    aio_concurrent_future *fut = NULL;

    (void)aio_concurrent_future_set_result(b, NULL);
    it = aio_concurrent_as_completed_new(both, 2, 0);
    assert_int_equal(aio_concurrent_as_completed_next(it, &fut), 0);
    assert_ptr_equal(fut, b);
    assert_int_equal(aio_concurrent_as_completed_next(it, &fut), AIO_ETIMEDOUT);
    assert_string_equal(aio_error_text(AIO_ETIMEDOUT), "1 (of 2) futures unfinished");
    assert_null(aio_concurrent_as_completed_new(both, 2, NAN));
}

static void as_completed_holds_the_futures(void **state)
{
    aio_concurrent_future *fut = make();
    aio_concurrent_as_completed *it = aio_concurrent_as_completed_new(&fut, 1, AIO_FOREVER);
    aio_concurrent_future *given = NULL;

    (void)aio_concurrent_future_cancel(fut);
    aio_concurrent_future_unref(fut);
    assert_int_equal(aio_concurrent_as_completed_next(it, &given), 0);
    assert_true(aio_concurrent_future_cancelled(given));
    aio_concurrent_as_completed_unref(it);
    aio_concurrent_as_completed_unref(NULL);
}

static void run_short_of_memory(void *arg)
{
    AIO_AUTO(aio_concurrent_future) a = aio_concurrent_future_new();
    AIO_AUTO(aio_concurrent_future) b = aio_concurrent_future_new();
    aio_concurrent_future *both[] = {a, b};
    AIO_AUTO(aio_concurrent_as_completed) it = NULL;
    aio_concurrent_future *fut = NULL;

    (void)aio_concurrent_future_add_done_callback(a, raise_something, NULL);
    (void)aio_concurrent_future_set_error(a, aio_raise(AIO_EVALUE, "wrong"));
    (void)aio_concurrent_future_cancel(b);
    it = aio_concurrent_as_completed_new(both, 2, AIO_FOREVER);
    if (it != NULL)
        assert_int_equal(aio_concurrent_as_completed_next(it, &fut), 0);
    (void)aio_concurrent_wait(both, 2, AIO_FOREVER, AIO_ALL_COMPLETED, NULL);
}

static void futures_survive_every_shortage_of_memory(void **state)
{
    assert_true(with_each_allocation_failing(run_short_of_memory, NULL) > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, check_allocations)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(future_goes_from_pending_to_running_to_finished),
        TEST(future_can_be_cancelled_again_and_again_before_it_runs),
        TEST(future_that_runs_or_is_done_cannot_be_cancelled),
        TEST(future_that_was_cancelled_is_not_claimed),
        TEST(future_is_claimed_once),
        TEST(future_is_finished_once),
        TEST(future_that_was_cancelled_takes_no_result),
        TEST(future_gives_its_error_to_everybody_who_asks),
        TEST(future_with_a_value_has_no_error),
        TEST(future_without_an_error_object_ran_short_of_memory),
        TEST(future_destroys_a_result_that_has_a_type),
        TEST(future_null_gives_the_failure_behind_it),
        TEST(future_prints_as_in_python),
        TEST(callbacks_run_in_order_inside_the_call_that_finishes),
        TEST(callbacks_run_inside_cancel_and_only_the_first_time),
        TEST(callback_added_to_a_done_future_runs_at_once),
        TEST(callback_may_use_the_future),
        TEST(callback_that_fails_is_logged_and_the_next_one_runs),
        TEST(callbacks_of_a_future_that_is_never_done_are_freed),
        TEST(result_blocks_until_another_thread_finishes),
        TEST(result_blocks_until_another_thread_cancels),
        TEST(result_and_exception_time_out),
        TEST(wait_blocks_until_all_are_done),
        TEST(wait_for_the_first_blocks_until_one_is_done),
        TEST(wait_for_the_first_error_passes_by_values_and_cancellations),
        TEST(wait_that_times_out_is_no_error),
        TEST(wait_checks_its_arguments),
        TEST(as_completed_gives_what_is_done_first_and_each_once),
        TEST(as_completed_times_out),
        TEST(as_completed_holds_the_futures),
        TEST(futures_survive_every_shortage_of_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
